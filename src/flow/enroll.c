/* From files to a member: sample, look (detect, align, judge), embed, keep the chips, drop what is somebody
 * else, store. Blobs come first, under a prefix that is pending, and the rows last, in one transaction:
 * killed at any point, the member is enrolled with everything or not at all, and the next start sweeps the
 * blobs. */
#include "flow/enroll_parts.h"

#include "base/clock.h"
#include "face/vary.h"
#include "media/image.h"
#include "media/video.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static fg_code keep_frame(fg_enrolling *e, int file, const fg_frame *frame, fg_error *err)
{
    uint8_t *jpeg = NULL;
    size_t size = 0;
    char key[128];
    snprintf(key, sizeof key, "%sframes/%02d-%06d.jpg", e->prefix, file, frame->index);
    fg_code rc = fg_image_encode_jpeg(frame, 92, &jpeg, &size, err);
    if (rc == FG_OK)
        rc = fg_blob_put(e->app->blob, key, jpeg, size, err);
    free(jpeg);
    return rc;
}

static bool is_photo(const fg_enrolling *e, int file)
{
    return strcmp(e->sources[file].kind, "photo") == 0;
}

/* The face of a look becomes a template. */
static fg_code add(fg_enrolling *e, int file, const fg_frame *frame, const fg_look *look, float *magnitude,
                   fg_error *err)
{
    fg_code rc = fg_enrolling_add(e, file, frame, look, err);
    if (rc != FG_OK)
        return rc;
    double start = fg_clock_monotonic_ms();
    rc = fg_embed_chip(e->worker->session, &look->chip,
                       is_photo(e, file) ? -1 : frame->index / e->request->every,
                       e->templates[e->template_count - 1].embedding, magnitude, err);
    e->report->embed_ms += fg_clock_monotonic_ms() - start;
    return rc;
}

/* Who is enrolled from a single photo is also enrolled from what other photos of the face might look like. */
static fg_code add_variations(fg_enrolling *e, int file, const fg_frame *frame, const fg_look *look,
                              fg_error *err)
{
    fg_code rc = FG_OK;
    for (int v = 1; v < FG_VARIATIONS && rc == FG_OK; v++) {
        fg_look varied = *look;
        fg_frame numbered = *frame;
        numbered.index = v;
        varied.chip = (fg_frame){0};
        rc = fg_vary(e->app->engine, frame, look->face.points, v, &varied.chip, err);
        if (rc == FG_OK)
            rc = add(e, file, &numbered, &varied, NULL, err);
        fg_frame_deinit(&varied.chip);
    }
    return rc;
}

static bool single_photo(const fg_enrolling *e)
{
    return e->request->file_count == 1 && !e->request->add && is_photo(e, 0);
}

/* One sampled frame or photo: looked at, told to whoever watches, and its face embedded. */
static fg_code take_frame(fg_enrolling *e, int file, const fg_frame *frame, fg_error *err)
{
    fg_enroll_file_report *file_report = &e->report->files[file];
    fg_look look = {0};
    float magnitude = 0;
    double start = fg_clock_monotonic_ms();
    fg_code rc = fg_look_at(e->worker, frame, &look, err);
    e->report->detect_ms += fg_clock_monotonic_ms() - start;
    if (rc == FG_OK && e->request->keep_frames)
        rc = keep_frame(e, file, frame, err);
    if (rc != FG_OK)
        goto done;
    file_report->frames_sampled++;
    if (look.reason != FG_REASON_NONE)
        file_report->refused[look.reason]++;
    if (e->request->seen)
        e->request->seen(e->request->seen_context, file, frame, &look);
    if (look.reason != FG_REASON_NONE)
        goto done;
    rc = add(e, file, frame, &look, &magnitude, err);
    if (rc == FG_OK)
        e->report->unclear += magnitude < fg_engine_info_view(e->app->engine)->unclear_below;
    if (rc == FG_OK && single_photo(e))
        rc = add_variations(e, file, frame, &look, err);
    file_report->faces_used += rc == FG_OK;
done:
    fg_look_deinit(&look);
    return rc;
}

static fg_code take_video(fg_enrolling *e, int file, fg_error *err)
{
    const fg_video_options options = {
        .every = e->request->every,
        .rotate = e->request->rotate,
        .max_side = fg_app_max_side(e->app),
        .progress = &e->request->progress,
    };
    fg_enroll_file_report *file_report = &e->report->files[file];
    fg_video *video = NULL;
    fg_frame frame = {0};
    fg_code rc = fg_video_open(&video, e->request->files[file].path, &options, err);
    if (rc != FG_OK)
        goto done;
    const fg_video_info *info = fg_video_info_view(video);
    long expected = info->frames > 0 ? (info->frames + options.every - 1) / options.every : 0;
    file_report->rotation = info->rotation;
    file_report->width = info->width;
    file_report->height = info->height;
    file_report->seconds = info->seconds;
    for (;;) {
        double start = fg_clock_monotonic_ms();
        rc = fg_video_next(video, &frame, err);
        e->report->decode_ms += fg_clock_monotonic_ms() - start;
        if (rc != FG_OK || !frame.rgb)
            break;
        rc = take_frame(e, file, &frame, err);
        fg_frame_deinit(&frame);
        if (rc == FG_OK &&
            !fg_progress_tell(&e->request->progress, "frames", file_report->frames_sampled, expected))
            rc = FG_ERR_CANCELLED;
        if (rc != FG_OK)
            break;
    }
done:
    fg_frame_deinit(&frame);
    fg_video_close(video);
    return rc == FG_ERR_CANCELLED ? FG_FAIL(err, rc, "enrolment cancelled; nothing was changed") : rc;
}

static fg_code take_photo(fg_enrolling *e, int file, fg_error *err)
{
    fg_enroll_file_report *file_report = &e->report->files[file];
    fg_frame frame = {0};
    double scale = 1, start = fg_clock_monotonic_ms();
    fg_code rc = fg_image_load(&frame, e->request->files[file].path, fg_app_max_side(e->app), &scale, err);
    e->report->decode_ms += fg_clock_monotonic_ms() - start;
    if (rc == FG_OK) {
        file_report->width = (int)((double)frame.width * scale + 0.5);
        file_report->height = (int)((double)frame.height * scale + 0.5);
        rc = take_frame(e, file, &frame, err);
    }
    fg_frame_deinit(&frame);
    return rc;
}

/* The same pictures twice would be tested against themselves, and the member look surer than it is. */
static fg_code check_new(const fg_enrolling *e, int file, fg_error *err)
{
    const fg_source *source = &e->sources[file];
    const char *same = NULL, *where = "is here too";
    fg_source *before = NULL;
    long count = 0;
    fg_code rc = FG_OK;
    for (int i = 0; i < file; i++)
        same = strcmp(e->sources[i].sha256, source->sha256) == 0 ? e->sources[i].name : same;
    if (!same && e->request->add)
        rc = fg_store_sources(e->app->store, e->existing.id, &before, &count, err);
    for (long i = 0; i < count; i++)
        if (strcmp(before[i].sha256, source->sha256) == 0) {
            same = before[i].name;
            where = "was enrolled before";
        }
    if (same)
        rc = FG_FAIL(err, FG_ERR_EXISTS, "%s: the same file as %s, which %s; leave it out", source->name,
                     same, where);
    fg_sources_free(before, count);
    return rc;
}

static fg_code take_file(fg_enrolling *e, int file, fg_error *err)
{
    fg_code rc = fg_enrolling_add_source(e, file, err);
    if (rc == FG_OK)
        rc = check_new(e, file, err);
    if (rc != FG_OK)
        return rc;
    rc = is_photo(e, file) ? take_photo(e, file, err) : take_video(e, file, err);
    e->sources[file].rotation = e->report->files[file].rotation;
    e->sources[file].frames_sampled = e->report->files[file].frames_sampled;
    e->sources[file].faces_used = e->report->files[file].faces_used;
    return rc;
}

fg_code fg_enroll(fg_worker *worker, const fg_enroll_request *request, fg_enroll_report *report,
                  fg_error *err)
{
    fg_enrolling e = {.worker = worker, .app = worker->app, .request = request, .report = report};
    double start = fg_clock_monotonic_ms();
    bool pending = false;
    *report = (fg_enroll_report){0};

    fg_code rc =
        fg_enrolling_begin(&e, err); /* names, member or not, prefix: what can fail cheaply fails first */
    if (rc == FG_OK) {
        rc = fg_store_pending_add(e.app->store, e.prefix, err);
        pending = rc == FG_OK;
    }
    if (rc == FG_OK)
        rc = fg_store_place_keep(e.app->store, e.app->place, false, err);
    for (int i = 0; i < request->file_count && rc == FG_OK; i++)
        rc = take_file(&e, i, err);
    if (rc == FG_OK)
        rc = fg_enrolling_drop_odd(&e, err);
    if (rc == FG_OK)
        rc = fg_enrolling_check(&e, err);
    if (rc == FG_OK)
        rc = fg_enrolling_compare(&e, err);
    if (rc == FG_OK)
        rc = fg_enrolling_commit(&e, err);
    if (rc == FG_OK)
        rc = fg_record(e.app, &request->actor, "enroll", request->name, err);
    else if (pending)
        fg_app_drop_blobs(e.app, e.prefix);
    report->elapsed_ms = fg_clock_monotonic_ms() - start;
    fg_enrolling_deinit(&e);
    return rc;
}

void fg_enroll_report_deinit(fg_enroll_report *report)
{
    free(report->files);
    *report = (fg_enroll_report){0};
}
