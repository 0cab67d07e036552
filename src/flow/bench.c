#include "flow/bench.h"

#include "base/clock.h"
#include "face/boxes.h"
#include "face/models.h"
#include "flow/app.h"
#include "media/image.h"
#include "media/video.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WIDTH = 640, HEIGHT = 480, PNET_LEVELS = 16, RNET_BATCH = 64, ONET_BATCH = 16 };

typedef struct bench {
    fg_worker *worker;
    const fg_bench_request *request;
    fg_models *models;
    double *times; /* rounds */
} bench;

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *times, int count)
{
    qsort(times, (size_t)count, sizeof *times, ascending);
    return times[count / 2];
}

static void tell(const bench *b, const char *stage, fg_precision precision, double median_ms, double macs,
                 double peak)
{
    fg_bench_row row = {.precision = precision, .median_ms = median_ms};
    snprintf(row.stage, sizeof row.stage, "%s", stage);
    row.per_second = median_ms > 0 ? 1000 / median_ms : 0;
    row.gflops = median_ms > 0 ? 2 * macs / (median_ms * 1e6) : 0;
    row.peak_share = peak > 0 ? row.gflops / peak : 0;
    b->request->row(b->request->context, &row);
}

/* -- networks -- */

typedef struct size {
    int batch, height, width;
} size;

/* One network over some inputs of given sizes, as one stage. */
static fg_code bench_network(bench *b, const char *stage, const char *path, fg_precision precision,
                             const size *sizes, int count, fg_error *err)
{
    fg_net *net = NULL;
    fg_net_run *run = NULL;
    fg_tensor_view outputs[FG_NET_MAX_OUTPUTS];
    float *input = NULL;
    double macs = 0, peak = 0;
    size_t largest = 0;
    fg_code rc = FG_OK;
    for (int i = 0; i < count && rc == FG_OK;
         i++) { /* the work of each size is known to a net opened for it */
        const fg_net_options options = {precision, sizes[i].height, sizes[i].width};
        fg_net_close(net);
        rc = fg_net_open(&net, path, &options, err);
        if (rc == FG_OK) {
            size_t n = (size_t)sizes[i].batch * (size_t)sizes[i].height * (size_t)sizes[i].width *
                       (size_t)fg_net_info_view(net)->channels;
            macs += (double)fg_net_info_view(net)->macs * sizes[i].batch;
            largest = n > largest ? n : largest;
        }
    }
    if (rc == FG_OK && !(input = calloc(largest, sizeof *input)))
        rc = FG_FAIL(err, FG_ERR_MEMORY, "out of memory");
    for (size_t i = 0; input && i < largest; i++)
        input[i] = (float)(i * 2654435761u % 2000) / 1000 - 1;
    if (rc == FG_OK)
        rc = fg_net_run_new(&run, net, err);
    if (rc == FG_OK)
        rc = fg_nn_measure_peak(precision, &peak, err);
    for (int round = -2; round < b->request->rounds && rc == FG_OK; round++) { /* two to warm up */
        double start = fg_clock_thread_ms();
        for (int i = 0; i < count && rc == FG_OK; i++)
            rc = fg_net_exec(run, input, sizes[i].batch, sizes[i].height, sizes[i].width, outputs, err);
        if (round >= 0)
            b->times[round] = fg_clock_thread_ms() - start;
    }
    if (rc == FG_OK)
        tell(b, stage, precision, median(b->times, b->request->rounds), macs, peak);
    fg_net_run_free(run);
    fg_net_close(net);
    free(input);
    return rc;
}

/* In f32, and faster: what is stored for int8 in int8, all else in bf16, where the processor has that. */
static fg_code bench_precisions(bench *b, const char *stage, const char *path, size at, fg_error *err)
{
    fg_error ignored;
    fg_net *net = NULL;
    double peak;
    const fg_net_options options = {FG_PRECISION_AUTO, at.height, at.width};
    fg_code rc = fg_net_open(&net, path, &options, err);
    bool int8 = rc == FG_OK && fg_net_info_view(net)->precision == FG_PRECISION_INT8;
    fg_net_close(net);
    if (rc == FG_OK)
        rc = bench_network(b, stage, path, FG_PRECISION_F32, &at, 1, err);
    if (rc == FG_OK && int8)
        rc = bench_network(b, stage, path, FG_PRECISION_INT8, &at, 1, err);
    else if (rc == FG_OK && fg_nn_measure_peak(FG_PRECISION_BF16, &peak, &ignored) == FG_OK)
        rc = bench_network(b, stage, path, FG_PRECISION_BF16, &at, 1, err);
    return rc;
}

/* Every embedder whose files are here, so that they can be chosen between. */
static fg_code bench_embedders(bench *b, fg_error *err)
{
    fg_code rc = FG_OK;
    for (int i = 0; i < b->models->count && rc == FG_OK; i++) {
        const fg_model *m = &b->models->models[i];
        bool here = strcmp(m->kind, "embedder") == 0;
        for (int k = 0; k < m->file_count; k++)
            here = here && m->files[k].path[0];
        char stage[96];
        snprintf(stage, sizeof stage, "%s, 1 chip", m->name);
        if (here)
            rc = bench_precisions(b, stage, m->files[0].path, (size){1, m->input_size, m->input_size}, err);
    }
    return rc;
}

static fg_code find_size(const char *path, size *at, fg_error *err)
{
    fg_net *net = NULL;
    *at = (size){1, 0, 0};
    fg_code rc = fg_net_open(&net, path, NULL, err);
    if (rc != FG_OK)
        return rc;
    at->height = fg_net_info_view(net)->height;
    at->width = fg_net_info_view(net)->width;
    fg_net_close(net);
    if (at->height < 1 || at->width < 1)
        return FG_FAIL(err, FG_ERR_UNSUPPORTED,
                       "%s: takes any size of input; give a network with a fixed one", path);
    return FG_OK;
}

/* A bad path is said before minutes of measuring, not after. */
static fg_code check_files(const fg_bench_request *request, fg_error *err)
{
    fg_video *video = NULL;
    const fg_video_options options = {.every = request->every, .rotate = FG_ROTATE_AUTO};
    fg_code rc = FG_OK;
    size at;
    for (int i = 0; i < request->network_count && rc == FG_OK; i++)
        rc = find_size(request->networks[i], &at, err);
    if (rc == FG_OK && request->video)
        rc = fg_video_open(&video, request->video, &options, err);
    fg_video_close(video);
    return rc;
}

static fg_code bench_networks(bench *b, fg_error *err)
{
    const fg_engine_info *info = fg_engine_info_view(b->worker->app->engine);
    const fg_model *detector = NULL;
    size levels[PNET_LEVELS];
    int count = 0;
    double scale, min_face = b->worker->app->settings->min_face;
    char stage[96];
    fg_code rc = fg_models_find(b->models, "detector", info->detector, &detector, err);
    if (rc == FG_OK)
        rc = bench_embedders(b, err);
    if (rc != FG_OK)
        return rc;
    while (count < PNET_LEVELS && fg_pyramid_level(WIDTH, HEIGHT, min_face, count, &scale,
                                                   &levels[count].width, &levels[count].height)) {
        levels[count].batch = 1;
        count++;
    }
    const size rnet = {RNET_BATCH, 24, 24}, onet = {ONET_BATCH, 48, 48};
    snprintf(stage, sizeof stage, "P-Net, %d levels of %d x %d", count, WIDTH, HEIGHT);
    if (rc == FG_OK)
        rc = bench_network(b, stage, detector->files[0].path, FG_PRECISION_F32, levels, count, err);
    snprintf(stage, sizeof stage, "R-Net, %d crops", RNET_BATCH);
    if (rc == FG_OK)
        rc = bench_network(b, stage, detector->files[1].path, FG_PRECISION_F32, &rnet, 1, err);
    snprintf(stage, sizeof stage, "O-Net, %d crops", ONET_BATCH);
    if (rc == FG_OK)
        rc = bench_network(b, stage, detector->files[2].path, FG_PRECISION_F32, &onet, 1, err);
    for (int i = 0; i < b->request->network_count && rc == FG_OK; i++) {
        const char *path = b->request->networks[i], *slash = strrchr(path, '/');
        size at;
        rc = find_size(path, &at, err);
        if (rc == FG_OK)
            rc = bench_precisions(b, slash ? slash + 1 : path, path, at, err);
    }
    return rc;
}

/* -- the stages of a photo -- */

/* One face on a plain gradient: a chip of the cohort, doubled. */
static fg_code make_scene(bench *b, fg_frame *scene, fg_error *err)
{
    const fg_model *cohort = NULL;
    fg_frame sheet = {0};
    fg_code rc = fg_models_find(b->models, "cohort", b->worker->app->settings->cohort, &cohort, err);
    if (rc == FG_OK)
        rc = fg_image_load(&sheet, cohort->files[0].path, 0, NULL, err);
    if (rc == FG_OK)
        rc = fg_frame_init(scene, WIDTH, HEIGHT, err);
    if (rc == FG_OK) {
        const int side = 2 * cohort->input_size, left = (WIDTH - side) / 2, top = (HEIGHT - side) / 2;
        for (int y = 0; y < HEIGHT; y++) {
            for (int x = 0; x < WIDTH; x++) {
                uint8_t *pixel = scene->rgb + (size_t)y * scene->stride + (size_t)x * 3;
                bool face = x >= left && x < left + side && y >= top && y < top + side;
                if (face)
                    memcpy(pixel,
                           sheet.rgb + (size_t)((y - top) / 2) * sheet.stride + (size_t)((x - left) / 2) * 3,
                           3);
                else
                    memset(pixel, 90 + (x + y) * 60 / (WIDTH + HEIGHT), 3);
            }
        }
    }
    fg_frame_deinit(&sheet);
    return rc;
}

/* Where the time of a detection goes. */
enum { PREPARE, PNET, RNET, ONET, PARTS };

static void split(const fg_detect_times *t, double parts[PARTS])
{
    parts[PREPARE] = t->sums_ms + t->resize_ms + t->crop_ms;
    parts[PNET] = t->pnet_ms;
    parts[RNET] = t->rnet_ms;
    parts[ONET] = t->onet_ms;
}

static void tell_parts(const bench *b, const fg_detect_times *last, double *times, int rounds)
{
    const int crops = last->rnet_crops + last->onet_crops;
    const struct {
        const char *name, *of;
        int count;
    } parts[PARTS] = {
        [PREPARE] = {"resampling", "pictures", last->levels + crops},
        [PNET] = {"P-Net", "levels", last->levels},
        [RNET] = {"R-Net", "crops", last->rnet_crops},
        [ONET] = {"O-Net", "crops", last->onet_crops},
    };
    for (int k = 0; k < PARTS; k++) {
        char name[96];
        snprintf(name, sizeof name, "detect: %s, %d %s", parts[k].name, parts[k].count, parts[k].of);
        tell(b, name, FG_PRECISION_AUTO, median(times + (size_t)k * (size_t)rounds, rounds), 0, 0);
    }
}

static fg_code bench_photo(bench *b, fg_error *err)
{
    enum { DECODE, DETECT, ALIGN, EMBED, STAGES };
    static const char *const names[STAGES] = {"decode, 640 x 480 JPEG", "detect, one face in 640 x 480",
                                              "align and judge", "embed"};
    fg_session *session = b->worker->session;
    const fg_engine *engine = b->worker->app->engine;
    const int rounds = b->request->rounds;
    fg_frame scene = {0}, frame = {0}, chip = {0};
    fg_face face;
    fg_quality quality;
    float embedding[FG_MAX_EMBEDDING];
    uint8_t *jpeg = NULL;
    size_t jpeg_size = 0;
    int faces = 0;
    double *times = calloc((size_t)rounds * (STAGES + PARTS), sizeof *times);
    double *parts = times ? times + (size_t)rounds * STAGES : NULL;
    fg_code rc = times ? make_scene(b, &scene, err) : FG_FAIL(err, FG_ERR_MEMORY, "out of memory");
    if (rc == FG_OK)
        rc = fg_image_encode_jpeg(&scene, 90, &jpeg, &jpeg_size, err);
    for (int round = -2; round < rounds && rc == FG_OK; round++) {
        double t[STAGES + 1], of_detect[PARTS];
        t[DECODE] = fg_clock_thread_ms();
        if ((rc = fg_image_decode(&frame, jpeg, jpeg_size, 0, NULL, "the scene", err)) != FG_OK)
            break;
        t[DETECT] = fg_clock_thread_ms();
        rc = fg_detect(session, &frame, &face, 1, &faces, err);
        t[ALIGN] = fg_clock_thread_ms();
        if (rc == FG_OK && faces < 1)
            rc = FG_FAIL(err, FG_ERR_STATE,
                         "the detector finds no face in the cohort's first chip; is it the right model?");
        split(fg_detect_times_view(session), of_detect);
        if (rc == FG_OK && (rc = fg_align(engine, &frame, face.points, &chip, err)) == FG_OK) {
            fg_quality_measure(&face, &chip, &quality);
            t[EMBED] = fg_clock_thread_ms();
            rc = fg_embed(session, &chip, 1, embedding, NULL, err);
            t[STAGES] = fg_clock_thread_ms();
            for (int k = 0; k < STAGES && round >= 0; k++)
                times[k * rounds + round] = t[k + 1] - t[k];
            for (int k = 0; k < PARTS && round >= 0; k++)
                parts[k * rounds + round] = of_detect[k];
        }
        fg_frame_deinit(&chip);
        fg_frame_deinit(&frame);
    }
    for (int k = 0; k < STAGES && rc == FG_OK; k++) {
        tell(b, names[k], k == EMBED ? fg_engine_info_view(engine)->precision : FG_PRECISION_AUTO,
             median(times + k * rounds, rounds), 0, 0);
        if (k == DETECT)
            tell_parts(b, fg_detect_times_view(session), parts, rounds);
    }
    free(times);
    free(jpeg);
    fg_frame_deinit(&scene);
    return rc;
}

/* A team of directions drawn at random, of the size that has to be learnt while somebody waits. */
static fg_code bench_classifier(bench *b, fg_error *err)
{
    enum { MEMBERS = 50, EACH = 100, ROUNDS = 3, DECISIONS = 200 };
    const int dim = fg_engine_info_view(b->worker->app->engine)->embedding_size;
    const size_t d = (size_t)dim, n = (size_t)MEMBERS * EACH;
    fg_cohort cohort = {0};
    fg_gallery gallery = {.embedding_size = dim, .count = MEMBERS * EACH, .members = MEMBERS};
    fg_classifier *classifier = NULL;
    fg_train_options options;
    fg_ranking ranking;
    double times[ROUNDS], start;
    float *rows = malloc(n * d * sizeof *rows);
    int *member = malloc(n * sizeof *member);
    int64_t *segment = malloc(n * sizeof *segment), ids[MEMBERS];
    unsigned random = 1;
    fg_code rc = rows && member && segment ? fg_cohort_load(&cohort, b->worker, NULL, err)
                                           : FG_FAIL(err, FG_ERR_MEMORY, "out of memory");
    if (rc != FG_OK)
        goto done;
    for (size_t i = 0; i < n; i++) {
        /* The first template of a member is its direction, the others are near it. */
        const float *near = i % EACH ? rows + (i - i % EACH) * d : NULL;
        double squares = 0;
        for (size_t k = 0; k < d; k++) {
            random = random * 1664525u + 1013904223u;
            double noise = (double)(random >> 8) / (1 << 23) - 1;
            rows[i * d + k] = (float)(near ? (double)near[k] + 0.7 * noise / sqrt(dim) : noise);
            squares += (double)rows[i * d + k] * (double)rows[i * d + k];
        }
        for (size_t k = 0; k < d; k++)
            rows[i * d + k] = (float)((double)rows[i * d + k] / sqrt(squares));
        member[i] = (int)(i / EACH);
        segment[i] = (int64_t)(i / 5);
    }
    for (int m = 0; m < MEMBERS; m++)
        ids[m] = m + 1;
    gallery.embeddings = rows;
    gallery.member = member;
    gallery.segment = segment;
    gallery.member_ids = ids;
    fg_app_train_options(b->worker->app, &options);
    for (int round = 0; round < ROUNDS && rc == FG_OK; round++) {
        fg_classifier_free(classifier);
        start = fg_clock_thread_ms();
        rc = fg_classifier_train(&classifier, &gallery, &cohort, &options, NULL, NULL, err);
        times[round] = fg_clock_thread_ms() - start;
    }
    if (rc != FG_OK)
        goto done;
    tell(b, "train, 50 members of 100 templates", FG_PRECISION_AUTO, median(times, ROUNDS), 0, 0);
    start = fg_clock_thread_ms();
    for (size_t i = 0; i < DECISIONS && rc == FG_OK; i++) {
        const fg_policy policy = {.threshold = b->worker->app->settings->threshold};
        const fg_evidence evidence = {.faces = 1, .ranking = &ranking};
        fg_decision decision;
        rc = fg_classifier_rank(classifier, rows + i * d, dim, &ranking, err);
        fg_decide(&evidence, &policy, &decision);
    }
    if (rc == FG_OK)
        tell(b, "decide among 50 members", FG_PRECISION_AUTO, (fg_clock_thread_ms() - start) / DECISIONS, 0,
             0);
done:
    fg_classifier_free(classifier);
    fg_cohort_deinit(&cohort);
    free(rows);
    free(member);
    free(segment);
    return rc;
}

/* What an enrolment does with each sampled frame, without the store. */
static fg_code bench_video(bench *b, fg_error *err)
{
    const fg_video_options options = {
        .every = b->request->every, .rotate = FG_ROTATE_AUTO, .max_side = fg_app_max_side(b->worker->app)};
    fg_video *video = NULL;
    fg_frame frame = {0};
    float embedding[FG_MAX_EMBEDDING];
    long frames = 0;
    double decode = 0, look_ms = 0, embed = 0;
    char stage[96];
    fg_code rc = fg_video_open(&video, b->request->video, &options, err);
    while (rc == FG_OK) {
        fg_look look = {0};
        double start = fg_clock_thread_ms(), decoded;
        rc = fg_video_next(video, &frame, err);
        if (rc != FG_OK || !frame.rgb)
            break;
        decode += (decoded = fg_clock_thread_ms()) - start;
        rc = fg_look_at(b->worker, &frame, &look, err);
        look_ms += fg_clock_thread_ms() - decoded;
        start = fg_clock_thread_ms();
        if (rc == FG_OK && look.reason == FG_REASON_NONE)
            rc = fg_embed_chip(b->worker->session, &look.chip, frames, embedding, NULL, err);
        embed += fg_clock_thread_ms() - start;
        frames++;
        fg_look_deinit(&look);
        fg_frame_deinit(&frame);
    }
    fg_frame_deinit(&frame);
    fg_video_close(video);
    if (rc != FG_OK || frames == 0)
        return rc;
    snprintf(stage, sizeof stage, "video, mean of %ld frames: decode", frames);
    tell(b, stage, FG_PRECISION_AUTO, decode / (double)frames, 0, 0);
    tell(b, "video: detect, align, judge", FG_PRECISION_AUTO, look_ms / (double)frames, 0, 0);
    tell(b, "video: embed", fg_engine_info_view(b->worker->app->engine)->precision, embed / (double)frames, 0,
         0);
    tell(b, "video: all, for each sampled frame", FG_PRECISION_AUTO,
         (decode + look_ms + embed) / (double)frames, 0, 0);
    return rc;
}

fg_code fg_bench(fg_worker *worker, const fg_bench_request *request, fg_error *err)
{
    bench b = {.worker = worker, .request = request};
    b.times = calloc((size_t)request->rounds, sizeof *b.times);
    fg_code rc = b.times ? fg_models_load(&b.models, worker->app->model_path, err)
                         : FG_FAIL(err, FG_ERR_MEMORY, "out of memory");
    if (rc == FG_OK)
        rc = check_files(request, err);
    if (rc == FG_OK)
        rc = bench_networks(&b, err);
    if (rc == FG_OK)
        rc = bench_photo(&b, err);
    if (rc == FG_OK)
        rc = bench_classifier(&b, err);
    if (rc == FG_OK && request->video)
        rc = bench_video(&b, err);
    fg_models_free(b.models);
    free(b.times);
    return rc;
}
