#include "cli/cli.h"

#include "media/image.h"
#include "media/sniff.h"
#include "media/video.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static fg_code detect_frame(fg_cli *cli, fg_worker *worker, const char *input, const fg_frame *frame,
                            double scale, bool video, fg_error *err)
{
    fg_face faces[FG_MAX_FACES];
    int count = 0;
    fg_code rc = fg_detect(fg_worker_session(worker), frame, faces, FG_MAX_FACES, &count, err);
    if (rc != FG_OK)
        return rc;
    for (int i = 0; i < count; i++)
        fg_face_scale(&faces[i], scale);
    if (!cli->settings.json) {
        printf("%s", input);
        if (video)
            printf(" frame %d (%.2f s)", frame->index, (double)frame->time_ms / 1000);
        printf(": %d face%s\n", count, fg_cli_s(count));
        for (int i = 0; i < count; i++)
            printf("  %.0f x %.0f at %.0f, %.0f, score %.4f\n", (double)faces[i].width,
                   (double)faces[i].height, (double)faces[i].x, (double)faces[i].y, (double)faces[i].score);
        return FG_OK;
    }
    json_t *list = json_array();
    for (int i = 0; i < count; i++)
        json_array_append_new(list, fg_face_json(&faces[i]));
    json_t *document = json_pack("{s:o, s:i, s:i, s:o}", "input", fg_text_json(input), "width",
                                 (int)(frame->width * scale + 0.5), "height",
                                 (int)(frame->height * scale + 0.5), "faces", list);
    if (video) {
        json_object_set_new(document, "frame", json_integer(frame->index));
        json_object_set_new(document, "time_ms", json_integer(frame->time_ms));
    }
    fg_cli_print_json(document);
    return FG_OK;
}

static fg_code detect_video(fg_cli *cli, fg_worker *worker, const char *path, fg_error *err)
{
    const fg_settings *s = &cli->settings;
    fg_video_options options = {.every = s->every};
    fg_video *video = NULL;
    fg_frame frame = {0};
    fg_code rc = fg_video_read_rotation(s->rotate, &options.rotate, err);
    if (rc == FG_OK)
        rc = fg_video_open(&video, path, &options, err);
    while (rc == FG_OK && (rc = fg_video_next(video, &frame, err)) == FG_OK && frame.rgb) {
        rc = detect_frame(cli, worker, path, &frame, 1, true, err);
        fg_frame_deinit(&frame);
    }
    fg_frame_deinit(&frame);
    fg_video_close(video);
    return rc;
}

static fg_code detect_photo(fg_cli *cli, fg_worker *worker, const char *path, fg_error *err)
{
    fg_frame frame = {0};
    double scale = 1;
    int max_side = cli->settings.max_side < 0 ? 0 : cli->settings.max_side;
    fg_code rc = fg_image_load(&frame, path, max_side, &scale, err);
    if (rc == FG_OK)
        rc = detect_frame(cli, worker, path, &frame, scale, false, err);
    fg_frame_deinit(&frame);
    return rc;
}

fg_code fg_cmd_detect(fg_cli *cli, fg_error *err)
{
    fg_worker *worker = NULL;
    fg_code first_error = FG_OK, rc = fg_worker_new(&worker, cli->app, err);
    if (rc != FG_OK)
        return rc;
    for (int i = 0; i < cli->arg_count; i++) {
        fg_sniffed sniffed;
        rc = fg_media_sniff_file(cli->args[i], &sniffed, err);
        if (rc == FG_OK) /* what is neither is left to the video reader, which says why not */
            rc = sniffed.kind == FG_MEDIA_PHOTO ? detect_photo(cli, worker, cli->args[i], err)
                                                : detect_video(cli, worker, cli->args[i], err);
        if (rc != FG_OK) {
            fg_cli_error(cli, cli->args[i], err);
            if (first_error == FG_OK)
                first_error = rc;
        }
    }
    fg_worker_free(worker);
    err->msg[0] = 0; /* said already */
    return first_error;
}

static void print_embedded(const fg_cli *cli, int size, const float *magnitudes)
{
    const fg_engine_info *info = fg_engine_info_view(fg_app_engine(cli->app));
    json_t *all = json_array();
    for (int i = 0; i < cli->arg_count; i++)
        json_array_append_new(all, json_real(round((double)magnitudes[i] * 1000) / 1000));
    fg_cli_print_json(json_pack("{s:o, s:i, s:i, s:s, s:o}", "out", fg_text_json(cli->settings.out), "rows",
                                cli->arg_count, "columns", size, "model", info->embedder, "magnitudes", all));
}

fg_code fg_cmd_embed(fg_cli *cli, fg_error *err)
{
    const int size = fg_engine_info_view(fg_app_engine(cli->app))->embedding_size;
    fg_worker *worker = NULL;
    if (!cli->settings.out)
        return FG_FAIL(err, FG_ERR_USAGE, "name the file to write with --out");
    float *rows = calloc((size_t)cli->arg_count * ((size_t)size + 1), sizeof *rows), *magnitudes;
    if (!rows)
        return FG_FAIL(err, FG_ERR_MEMORY, "out of memory");
    magnitudes = rows + (size_t)cli->arg_count * (size_t)size;
    fg_code rc = fg_worker_new(&worker, cli->app, err);
    for (int i = 0; i < cli->arg_count && rc == FG_OK; i++)
        rc = fg_embed_photo(worker, cli->args[i], rows + (size_t)i * (size_t)size, &magnitudes[i], err);
    if (rc == FG_OK)
        rc = fg_floats_save(cli->settings.out, rows, cli->arg_count, size, err);
    if (rc == FG_OK && cli->settings.json)
        print_embedded(cli, size, magnitudes);
    else if (rc == FG_OK)
        printf("%s: %d x %d\n", cli->settings.out, cli->arg_count, size);
    fg_worker_free(worker);
    free(rows);
    return rc;
}
