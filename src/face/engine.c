#include "face/engine.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MIN_FACE_DEFAULT 40
#define MIN_FACE_LEAST 12 /* P-Net's own view: below it the pyramid would have to enlarge the picture */

static fg_code open_detector(fg_engine *engine, const fg_models *models, const fg_engine_options *options,
                             fg_error *err)
{
    const fg_model *model;
    float min_face = options->min_face == 0 ? MIN_FACE_DEFAULT : options->min_face;
    if (!(min_face >= MIN_FACE_LEAST && min_face <= 1e6f))
        return FG_FAIL(err, FG_ERR_USAGE, "--min-face %g: must be at least %d pixels", (double)min_face,
                       MIN_FACE_LEAST);
    fg_code rc = fg_models_find(models, "detector", options->detector, &model, err);
    if (rc != FG_OK || (rc = fg_model_verify(model, err)) != FG_OK)
        return rc;
    snprintf(engine->info.detector, sizeof engine->info.detector, "%s", model->name);
    return fg_mtcnn_init(&engine->mtcnn, model, (double)min_face, err);
}

/* Of all that changes an embedding: the weights, and what is made of a face before they see it. Names,
 * thresholds and precision do not; numbers in the nine digits that tell every float apart. */
static void identify(const fg_model *model, const char *weights_sha256, char hash[FG_SHA256_HEX])
{
    char text[512];
    int n = snprintf(text, sizeof text, "%s\n%d %s %.9g %.9g\n", weights_sha256, model->input_size,
                     model->bgr ? "bgr" : "rgb", (double)model->mean, (double)model->scale);
    for (int i = 0; i < FG_LANDMARKS; i++)
        n += snprintf(text + n, sizeof text - (size_t)n, "%.9g %.9g\n", (double)model->points[i][0],
                      (double)model->points[i][1]);
    if (model->mirror)
        n += snprintf(text + n, sizeof text - (size_t)n, "mirror\n");
    fg_sha256_hex(text, (size_t)n, hash);
}

static fg_code open_embedder(fg_engine *engine, const fg_models *models, const fg_engine_options *options,
                             fg_error *err)
{
    const fg_model *model;
    fg_code rc = fg_models_find(models, "embedder", options->embedder, &model, err);
    if (rc != FG_OK || (rc = fg_model_verify(model, err)) != FG_OK)
        return rc;
    fg_net_options net = {options->precision, model->input_size, model->input_size};
    /* Of an IR's two files the .xml comes first, and names the other. */
    rc = fg_net_open(&engine->embedder, model->files[0].path, &net, err);
    if (rc == FG_ERR_USAGE && err) /* an input that the network does not take: the manifest lies */
        rc = err->code = FG_ERR_MODEL;
    if (rc != FG_OK)
        return rc;
    const fg_net_info *info = fg_net_info_view(engine->embedder);
    if (info->channels != 3 || (info->width && info->width != model->input_size) ||
        (info->height && info->height != model->input_size))
        return FG_FAIL(err, FG_ERR_MODEL, "%s: takes %d x %d x %d, the manifest says %d x %d x 3",
                       model->files[0].path, info->height, info->width, info->channels, model->input_size,
                       model->input_size);
    snprintf(engine->info.embedder, sizeof engine->info.embedder, "%s", model->name);
    identify(model, info->sha256, engine->info.model_hash);
    engine->info.embedding_size = model->embedding_size;
    engine->info.same_person = model->same_person;
    engine->info.common_look = model->common_look;
    engine->info.unclear_below = model->unclear_below;
    engine->info.chip_size = model->input_size;
    engine->info.precision = info->precision;
    engine->bgr = model->bgr;
    engine->mirror = model->mirror;
    engine->mean = model->mean;
    engine->scale = model->scale;
    for (int i = 0; i < FG_LANDMARKS; i++)
        engine->template[i] = (fg_point){model->points[i][0] * (float)model->input_size,
                                         model->points[i][1] * (float)model->input_size};
    return FG_OK;
}

/* Runs everything once: what is wrong with a network shows at start, and the first request is as fast as the
 * next. */
static fg_code warm_up(const fg_engine *engine, fg_error *err)
{
    fg_session *session = NULL;
    fg_frame chip = {0};
    float *embedding = calloc((size_t)engine->info.embedding_size, sizeof *embedding);
    fg_code rc = embedding ? fg_session_new(&session, engine, err)
                           : FG_FAIL(err, FG_ERR_MEMORY, "no memory for the models");
    if (rc != FG_OK || (rc = fg_mtcnn_warm_up(&session->mtcnn, err)) != FG_OK ||
        (rc = fg_frame_init(&chip, engine->info.chip_size, engine->info.chip_size, err)) != FG_OK)
        goto done;
    /* Some texture: a network may well give zero for a plain chip. */
    for (int y = 0; y < chip.height; y++)
        for (size_t i = 0; i < 3 * (size_t)chip.width; i++)
            chip.rgb[(size_t)y * chip.stride + i] = (uint8_t)(64 + (i / 24 + (size_t)y / 8) % 5 * 32);
    rc = fg_embed(session, &chip, 1, embedding, NULL, err);
done:
    fg_frame_deinit(&chip);
    fg_session_free(session);
    free(embedding);
    return rc;
}

fg_code fg_engine_open(fg_engine **out, const fg_engine_options *options, fg_error *err)
{
    fg_models *models = NULL;
    *out = NULL;
    fg_engine *engine = calloc(1, sizeof *engine);
    if (!engine)
        return FG_FAIL(err, FG_ERR_MEMORY, "no memory for the models");
    fg_code rc = fg_models_load(&models, options->model_path, err);
    if (rc == FG_OK)
        rc = open_detector(engine, models, options, err);
    if (rc == FG_OK)
        rc = open_embedder(engine, models, options, err);
    if (rc == FG_OK)
        rc = warm_up(engine, err);
    fg_models_free(models);
    if (rc == FG_OK)
        *out = engine;
    else
        fg_engine_close(engine);
    return rc;
}

void fg_engine_close(fg_engine *engine)
{
    if (!engine)
        return;
    fg_mtcnn_deinit(&engine->mtcnn);
    fg_net_close(engine->embedder);
    free(engine);
}

const fg_engine_info *fg_engine_info_view(const fg_engine *engine)
{
    return &engine->info;
}

fg_code fg_session_new(fg_session **out, const fg_engine *engine, fg_error *err)
{
    size_t chip = (size_t)engine->info.chip_size * (size_t)engine->info.chip_size * 3;
    *out = NULL;
    fg_session *session = calloc(1, sizeof *session);
    if (!session)
        return FG_FAIL(err, FG_ERR_MEMORY, "no memory for a session");
    session->engine = engine;
    fg_code rc = fg_mtcnn_run_init(&session->mtcnn, &engine->mtcnn, err);
    if (rc == FG_OK)
        rc = fg_net_run_new(&session->embedder, engine->embedder, err);
    if (rc == FG_OK && !(session->input = malloc(chip * sizeof *session->input)))
        rc = FG_FAIL(err, FG_ERR_MEMORY, "no memory for a session");
    if (rc == FG_OK)
        *out = session;
    else
        fg_session_free(session);
    return rc;
}

void fg_session_free(fg_session *session)
{
    if (!session)
        return;
    fg_mtcnn_run_deinit(&session->mtcnn);
    fg_net_run_free(session->embedder);
    free(session->input);
    free(session);
}

const fg_detect_times *fg_detect_times_view(const fg_session *session)
{
    return &session->mtcnn.times;
}

static bool is_usable(const fg_box *box)
{
    float sum = box->x1 + box->y1 + box->x2 + box->y2;
    for (int i = 0; i < 2 * FG_LANDMARKS; i++)
        sum += box->points[i];
    return isfinite(sum) && box->x2 > box->x1 && box->y2 > box->y1;
}

static int larger_first(const void *a, const void *b)
{
    const fg_face *p = a, *q = b;
    float area_p = p->width * p->height, area_q = q->width * q->height;
    if (area_p != area_q)
        return area_p > area_q ? -1 : 1;
    return (q->score > p->score) - (q->score < p->score);
}

fg_code fg_detect(fg_session *session, const fg_frame *frame, fg_face *faces, int max_faces, int *count,
                  fg_error *err)
{
    fg_face all[FG_MAX_FACES];
    const fg_box *boxes;
    int found, n = 0;
    *count = 0;
    fg_code rc = fg_mtcnn_detect(&session->mtcnn, frame, &boxes, &found, err);
    if (rc != FG_OK)
        return rc;
    for (int i = 0; i < found && n < FG_MAX_FACES; i++) {
        const fg_box *b = &boxes[i];
        if (!is_usable(b))
            continue;
        fg_face *face = &all[n++];
        *face = (fg_face){
            .x = b->x1, .y = b->y1, .width = b->x2 - b->x1, .height = b->y2 - b->y1, .score = b->score};
        for (int k = 0; k < FG_LANDMARKS; k++)
            face->points[k] = (fg_point){b->points[k], b->points[FG_LANDMARKS + k]};
    }
    qsort(all, (size_t)n, sizeof *all, larger_first);
    if (max_faces > 0)
        memcpy(faces, all, (size_t)(n < max_faces ? n : max_faces) * sizeof *faces);
    *count = n;
    return FG_OK;
}

fg_code fg_align(const fg_engine *engine, const fg_frame *frame, const fg_point points[FG_LANDMARKS],
                 fg_frame *chip, fg_error *err)
{
    fg_similarity map;
    memset(chip, 0, sizeof *chip);
    fg_code rc = fg_landmarks_fit(&map, points, engine->template, err);
    return rc == FG_OK ? fg_similarity_warp(chip, frame, &map, engine->info.chip_size, err) : rc;
}

void fg_face_scale(fg_face *face, double factor)
{
    float f = (float)factor;
    face->x *= f;
    face->y *= f;
    face->width *= f;
    face->height *= f;
    const float corner = FG_FIRST_PIXEL - .5f; /* of the frame: what stays where it is */
    for (int i = 0; i < FG_LANDMARKS; i++) {
        face->points[i].x = (face->points[i].x - corner) * f + corner;
        face->points[i].y = (face->points[i].y - corner) * f + corner;
    }
}
