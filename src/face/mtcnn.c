#include "face/mtcnn.h"

#include "base/clock.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Above this many pixels a picture is halved first: the summed-area table takes 12 bytes a pixel. */
#define MAX_PIXELS (6u << 20)

static const struct {
    const char *name;
    int side;  /* of the crops; 0 for any size */
    int batch; /* the largest whose activations stay in the cache; a power of two */
    float threshold;
    float doubt; /* at the first of several looks: below this no other one is worth its time */
    double suppress;
} stages[FG_MTCNN_NETS] = {
    [FG_PNET] = {"P-Net", 0, 1, 0.6f, 0.6f, 0.7},
    [FG_RNET] = {"R-Net", 24, 16, 0.7f, 0.1f, 0.7},
    [FG_ONET] = {"O-Net", 48, 4, 0.7f, 0.5f, 0.7},
};

static const double level_suppress = 0.5; /* within one level of the pyramid */

static int find_output(const fg_net_info *info, const char *name)
{
    for (int i = 0; i < info->outputs; i++)
        if (strcmp(info->output_names[i], name) == 0)
            return i;
    return -1;
}

fg_code fg_mtcnn_init(fg_mtcnn *mtcnn, const fg_model *model, double min_face, fg_error *err)
{
    memset(mtcnn, 0, sizeof *mtcnn);
    if (model->file_count != FG_MTCNN_NETS)
        return FG_FAIL(err, FG_ERR_MODEL,
                       "model '%s': a detector has three files (P-Net, R-Net, O-Net), not %d", model->name,
                       model->file_count);
    mtcnn->mean = model->mean;
    mtcnn->scale = model->scale;
    mtcnn->min_face = min_face;
    mtcnn->refine = model->refine;
    for (int i = 0; i < FG_MTCNN_NETS; i++) {
        int side = stages[i].side;
        fg_net_options options = {.precision = FG_PRECISION_F32, .input_height = side, .input_width = side};
        fg_code rc = fg_net_open(&mtcnn->nets[i], model->files[i].path, &options, err);
        if (rc != FG_OK)
            return rc;
        const fg_net_info *info = fg_net_info_view(mtcnn->nets[i]);
        mtcnn->reg[i] = find_output(info, "reg");
        mtcnn->prob[i] = find_output(info, "prob");
        mtcnn->points[i] = find_output(info, "points");
        if (info->channels != 3 || mtcnn->reg[i] < 0 || mtcnn->prob[i] < 0 ||
            (i == FG_ONET && mtcnn->points[i] < 0))
            return FG_FAIL(err, FG_ERR_MODEL,
                           "%s: not MTCNN's %s: it needs RGB input and outputs named reg, prob%s",
                           model->files[i].path, stages[i].name, i == FG_ONET ? ", points" : "");
    }
    return FG_OK;
}

void fg_mtcnn_deinit(fg_mtcnn *mtcnn)
{
    for (int i = 0; i < FG_MTCNN_NETS; i++)
        fg_net_close(mtcnn->nets[i]);
    memset(mtcnn, 0, sizeof *mtcnn);
}

static fg_code reserve_pixels(fg_mtcnn_run *run, size_t count, fg_error *err)
{
    if (count <= run->pixel_capacity)
        return FG_OK;
    free(run->pixels);
    run->pixel_capacity = 0;
    run->pixels = malloc(count * sizeof *run->pixels);
    if (!run->pixels)
        return FG_FAIL(err, FG_ERR_MEMORY, "no memory for the detector");
    run->pixel_capacity = count;
    return FG_OK;
}

static fg_code reserve_boxes(fg_mtcnn_run *run, int count, fg_error *err)
{
    if (count <= run->box_capacity)
        return FG_OK;
    size_t capacity = (size_t)count + (size_t)count / 2 + 64;
    fg_box **arrays[] = {&run->boxes, &run->kept, &run->level};
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++) {
        fg_box *more = realloc(*arrays[i], capacity * sizeof *more);
        if (!more)
            return FG_FAIL(err, FG_ERR_MEMORY, "no memory for the detector");
        *arrays[i] = more;
    }
    fg_box_key *keys = realloc(run->keys, capacity * sizeof *keys);
    if (!keys)
        return FG_FAIL(err, FG_ERR_MEMORY, "no memory for the detector");
    run->keys = keys;
    run->box_capacity = (int)capacity;
    return FG_OK;
}

fg_code fg_mtcnn_run_init(fg_mtcnn_run *run, const fg_mtcnn *mtcnn, fg_error *err)
{
    memset(run, 0, sizeof *run);
    run->mtcnn = mtcnn;
    for (int i = 0; i < FG_MTCNN_NETS; i++) {
        fg_code rc = fg_net_run_new(&run->runs[i], mtcnn->nets[i], err);
        if (rc != FG_OK)
            return rc;
    }
    return reserve_boxes(run, 1024, err);
}

void fg_mtcnn_run_deinit(fg_mtcnn_run *run)
{
    for (int i = 0; i < FG_MTCNN_NETS; i++)
        fg_net_run_free(run->runs[i]);
    fg_area_deinit(&run->area);
    free(run->pixels);
    free(run->boxes);
    free(run->kept);
    free(run->level);
    free(run->keys);
    memset(run, 0, sizeof *run);
}

static bool has_dims(const fg_tensor_view *view, int batch, int channels, int spatial)
{
    if (view->rank < 2 || view->dims[0] != batch || view->dims[1] != channels)
        return false;
    for (int i = 2; i < view->rank; i++)
        if (!spatial && view->dims[i] != 1)
            return false;
    return !spatial || view->rank == 4;
}

/* One level of the pyramid: appends its boxes, already suppressed among themselves. */
static fg_code scan_level(fg_mtcnn_run *run, double scale, int width, int height, int *count, fg_error *err)
{
    const fg_mtcnn *m = run->mtcnn;
    fg_tensor_view views[FG_NET_MAX_OUTPUTS];
    double t0 = fg_clock_monotonic_ms();
    fg_code rc = reserve_pixels(run, (size_t)width * (size_t)height * 3 + 1, err);
    if (rc != FG_OK)
        return rc;
    fg_area_resample(&run->area, 0, 0, run->area.width, run->area.height, width, height, m->mean, m->scale,
                     run->pixels);
    double t1 = fg_clock_monotonic_ms();
    if ((rc = fg_net_exec(run->runs[FG_PNET], run->pixels, 1, height, width, views, err)) != FG_OK)
        return rc;
    double t2 = fg_clock_monotonic_ms();
    run->times.resize_ms += t1 - t0;
    run->times.pnet_ms += t2 - t1;
    const fg_tensor_view *prob = &views[m->prob[FG_PNET]], *reg = &views[m->reg[FG_PNET]];
    if (!has_dims(prob, 1, 2, true) || !has_dims(reg, 1, 4, true) || prob->dims[2] != reg->dims[2] ||
        prob->dims[3] != reg->dims[3])
        return FG_FAIL(err, FG_ERR_MODEL,
                       "the detector's P-Net gives outputs of the wrong shape: not an MTCNN");
    int rows = prob->dims[2], columns = prob->dims[3];
    const float *face = prob->data + (size_t)rows * (size_t)columns;
    float threshold = stages[FG_PNET].threshold;
    int n = fg_boxes_from_cells(face, reg->data, rows, columns, scale, threshold, NULL, 0);
    if ((rc = reserve_boxes(run, *count + n, err)) != FG_OK)
        return rc;
    fg_boxes_from_cells(face, reg->data, rows, columns, scale, threshold, run->level, n);
    n = fg_boxes_keep_best(run->level, n, FG_MAX_CANDIDATES, run->keys);
    n = fg_boxes_suppress(run->level, n, level_suppress, FG_NMS_UNION, run->kept, run->keys);
    memcpy(run->boxes + *count, run->level, (size_t)n * sizeof *run->boxes);
    *count += n;
    return FG_OK;
}

static fg_code scan(fg_mtcnn_run *run, int *count, fg_error *err)
{
    double scale;
    int width, height;
    for (int level = 0; fg_pyramid_level(run->area.width, run->area.height, run->mtcnn->min_face, level,
                                         &scale, &width, &height);
         level++) {
        fg_code rc = scan_level(run, scale, width, height, count, err);
        if (rc != FG_OK)
            return rc;
        run->times.levels++;
    }
    *count = fg_boxes_keep_best(run->boxes, *count, FG_MAX_CANDIDATES, run->keys);
    *count =
        fg_boxes_suppress(run->boxes, *count, stages[FG_PNET].suppress, FG_NMS_UNION, run->kept, run->keys);
    fg_boxes_regress(run->boxes, *count, false);
    fg_boxes_square(run->boxes, *count);
    return FG_OK;
}

/* Primitives are made once for each batch size: only powers of two are used, and no crop is computed for
 * nothing. */
static int next_batch(int batch, int left)
{
    while (batch > left)
        batch /= 2;
    return batch;
}

/* R-Net or O-Net of the crops in run->pixels: sets the boxes' score, shift and points. */
static fg_code ask(fg_mtcnn_run *run, int net, int batch, fg_box *boxes, fg_error *err)
{
    const fg_mtcnn *m = run->mtcnn;
    int side = stages[net].side;
    fg_tensor_view views[FG_NET_MAX_OUTPUTS];
    double start = fg_clock_monotonic_ms();
    fg_code rc = fg_net_exec(run->runs[net], run->pixels, batch, side, side, views, err);
    if (rc != FG_OK)
        return rc;
    *(net == FG_RNET ? &run->times.rnet_ms : &run->times.onet_ms) += fg_clock_monotonic_ms() - start;
    const fg_tensor_view *prob = &views[m->prob[net]], *reg = &views[m->reg[net]];
    const fg_tensor_view *points = net == FG_ONET ? &views[m->points[net]] : NULL;
    if (!has_dims(prob, batch, 2, false) || !has_dims(reg, batch, 4, false) ||
        (points && !has_dims(points, batch, 10, false)))
        return FG_FAIL(err, FG_ERR_MODEL, "the detector's %s gives outputs of the wrong shape: not an MTCNN",
                       stages[net].name);
    for (size_t i = 0; i < (size_t)batch; i++) {
        boxes[i].score = prob->data[2 * i + 1];
        memcpy(boxes[i].shift, reg->data + 4 * i, sizeof boxes[i].shift);
        if (points)
            memcpy(boxes[i].points, points->data + 10 * i, sizeof boxes[i].points);
    }
    return FG_OK;
}

static void mirror(float *crop, int side)
{
    for (int y = 0; y < side; y++) {
        float *row = crop + (size_t)y * (size_t)side * 3;
        for (int a = 0, b = side - 1; a < b; a++, b--)
            for (int c = 0; c < 3; c++) {
                float kept = row[3 * a + c];
                row[3 * a + c] = row[3 * b + c];
                row[3 * b + c] = kept;
            }
    }
}

/* What was said of a mirrored crop, as it is said of the crop. */
static void unmirror(fg_box *b)
{
    static const int other[FG_LANDMARKS] = {1, 0, 2, 4, 3}; /* what is left is right */
    const fg_box seen = *b;
    b->shift[0] = -seen.shift[2];
    b->shift[2] = -seen.shift[0];
    for (int k = 0; k < FG_LANDMARKS; k++) {
        b->points[k] = 1 - seen.points[other[k]];
        b->points[FG_LANDMARKS + k] = seen.points[FG_LANDMARKS + other[k]];
    }
}

/* R-Net or O-Net on the crops of the boxes, each of which has some pixel of the picture. */
static fg_code look(fg_mtcnn_run *run, int net, bool mirrored, fg_box *boxes, int count, fg_error *err)
{
    const fg_mtcnn *m = run->mtcnn;
    int side = stages[net].side, range[4];
    size_t crop = (size_t)side * (size_t)side * 3;
    fg_code rc = reserve_pixels(run, (size_t)stages[net].batch * crop + 1, err);
    for (int done = 0, batch; rc == FG_OK && done < count; done += batch) {
        batch = next_batch(stages[net].batch, count - done);
        double start = fg_clock_monotonic_ms();
        for (int i = 0; i < batch; i++) {
            float *pixels = run->pixels + (size_t)i * crop;
            fg_box_clip(&boxes[done + i], run->area.width, run->area.height, range);
            fg_area_resample(&run->area, range[0], range[1], range[2], range[3], side, side, m->mean,
                             m->scale, pixels);
            if (mirrored)
                mirror(pixels, side);
        }
        run->times.crop_ms += fg_clock_monotonic_ms() - start;
        rc = ask(run, net, batch, boxes + done, err);
    }
    for (int i = 0; mirrored && i < count; i++)
        unmirror(&boxes[i]);
    *(net == FG_RNET ? &run->times.rnet_crops : &run->times.onet_crops) += count;
    return rc;
}

static int keep_above(float threshold, fg_box *boxes, int count)
{
    int kept = 0;
    for (int i = 0; i < count; i++)
        if (boxes[i].score > threshold)
            boxes[kept++] = boxes[i];
    return kept;
}

/* False where no pixel of the picture is in the box. */
static bool cut_to_picture(const fg_mtcnn_run *run, fg_box *b)
{
    int range[4];
    if (!fg_box_clip(b, run->area.width, run->area.height, range))
        return false;
    if (run->mtcnn->refine) {
        b->x1 = fmaxf(b->x1, 1);
        b->y1 = fmaxf(b->y1, 1);
        b->x2 = fminf(b->x2, (float)run->area.width);
        b->y2 = fminf(b->y2, (float)run->area.height);
    }
    return true;
}

/* Leaves the boxes that may be faces, with what R-Net or O-Net says of each at the first look. */
static fg_code look_first(fg_mtcnn_run *run, int net, int *count, fg_error *err)
{
    int inside = 0;
    for (int i = 0; i < *count; i++)
        if (cut_to_picture(run, &run->boxes[i]))
            run->boxes[inside++] = run->boxes[i];
    fg_code rc = look(run, net, false, run->boxes, inside, err);
    *count = keep_above(run->mtcnn->refine ? stages[net].doubt : stages[net].threshold, run->boxes, inside);
    return rc;
}

/* From what O-Net says of a crop to a face in the picture. */
static void place(fg_box *b)
{
    float w = b->x2 - b->x1 + 1, h = b->y2 - b->y1 + 1;
    for (int k = 0; k < FG_LANDMARKS; k++) {
        b->points[k] = w * b->points[k] + b->x1 - 1;
        b->points[FG_LANDMARKS + k] = h * b->points[FG_LANDMARKS + k] + b->y1 - 1;
    }
    fg_boxes_regress(b, 1, true);
}

static float mix(float a, float b, float share)
{
    return a + (b - a) * share;
}

/* Kept finite where the probability is rounded to 0 or 1. What is no number stays none: it is no face. */
static float log_odds(float prob)
{
    const float least = 1e-7f;
    const float face = prob < least ? least : prob, none = 1 - prob < least ? least : 1 - prob;
    return logf(face / none);
}

/* Another look has its share in what is known of a face; probabilities count as log odds. */
static void add_look(fg_box *b, const fg_box *seen, float share)
{
    b->score = 1 / (1 + expf(-mix(log_odds(b->score), log_odds(seen->score), share)));
    b->x1 = mix(b->x1, seen->x1, share);
    b->y1 = mix(b->y1, seen->y1, share);
    b->x2 = mix(b->x2, seen->x2, share);
    b->y2 = mix(b->y2, seen->y2, share);
    for (int k = 0; k < 4; k++)
        b->shift[k] = mix(b->shift[k], seen->shift[k], share);
    for (int k = 0; k < 2 * FG_LANDMARKS; k++)
        b->points[k] = mix(b->points[k], seen->points[k], share);
}

/* R-Net looks at the same crop once more, O-Net at that of the face as it is known by now. */
static fg_code look_again(fg_mtcnn_run *run, int net, bool mirrored, float share, int *count, fg_error *err)
{
    fg_box *crops = run->level;
    int inside = 0;
    for (int i = 0; i < *count; i++) {
        crops[inside] = run->boxes[i];
        if (net == FG_ONET)
            fg_boxes_square(&crops[inside], 1);
        if (cut_to_picture(run, &crops[inside]))
            run->boxes[inside++] = run->boxes[i];
    }
    fg_code rc = look(run, net, mirrored, crops, inside, err);
    for (int i = 0; i < inside; i++) {
        if (net == FG_ONET)
            place(&crops[i]);
        add_look(&run->boxes[i], &crops[i], share);
    }
    *count = inside;
    return rc;
}

static fg_code reject(fg_mtcnn_run *run, int *count, fg_error *err)
{
    fg_code rc = look_first(run, FG_RNET, count, err);
    if (rc == FG_OK && run->mtcnn->refine) {
        rc = look_again(run, FG_RNET, true, 1 / 2.f, count, err);
        *count = keep_above(stages[FG_RNET].threshold, run->boxes, *count);
    }
    *count =
        fg_boxes_suppress(run->boxes, *count, stages[FG_RNET].suppress, FG_NMS_UNION, run->kept, run->keys);
    fg_boxes_regress(run->boxes, *count, true);
    fg_boxes_square(run->boxes, *count);
    return rc;
}

static int suppress_faces(fg_mtcnn_run *run, int count)
{
    return fg_boxes_suppress(run->boxes, count, stages[FG_ONET].suppress, FG_NMS_MIN, run->kept, run->keys);
}

static fg_code conclude(fg_mtcnn_run *run, int *count, fg_error *err)
{
    fg_code rc = look_first(run, FG_ONET, count, err);
    for (int i = 0; i < *count; i++)
        place(&run->boxes[i]);
    *count = suppress_faces(run, *count);
    if (rc != FG_OK || !run->mtcnn->refine)
        return rc;
    if ((rc = look_again(run, FG_ONET, false, 1 / 2.f, count, err)) == FG_OK)
        rc = look_again(run, FG_ONET, true, 1 / 3.f, count, err);
    *count = keep_above(stages[FG_ONET].threshold, run->boxes, *count);
    *count = suppress_faces(run, *count);
    return rc;
}

static fg_code cascade(fg_mtcnn_run *run, int *count, fg_error *err)
{
    fg_code rc = scan(run, count, err);
    if (rc == FG_OK)
        rc = reject(run, count, err);
    return rc == FG_OK ? conclude(run, count, err) : rc;
}

/* Back to the pixels of the picture before it was halved: pixel i of the half, counted from 1, is pixels 2 i
 * - 1 and 2 i. */
static void enlarge(fg_box *boxes, int count)
{
    for (int i = 0; i < count; i++) {
        fg_box *b = &boxes[i];
        float *v[] = {&b->x1, &b->y1, &b->x2, &b->y2};
        for (size_t k = 0; k < 4; k++)
            *v[k] = *v[k] * 2 - .5f;
        for (int k = 0; k < 2 * FG_LANDMARKS; k++)
            b->points[k] = b->points[k] * 2 - .5f;
    }
}

fg_code fg_mtcnn_detect(fg_mtcnn_run *run, const fg_frame *frame, const fg_box **boxes, int *count,
                        fg_error *err)
{
    fg_frame half = {0}, smaller = {0};
    const fg_frame *picture = frame;
    int halved = 0, found = 0;
    fg_code rc = FG_OK;
    *boxes = NULL;
    *count = 0;
    memset(&run->times, 0, sizeof run->times);
    double start = fg_clock_monotonic_ms();
    while ((size_t)picture->width * (size_t)picture->height > MAX_PIXELS && picture->width > 1 &&
           picture->height > 1) {
        if ((rc = fg_area_halve(&smaller, picture, 0, 0, picture->width, picture->height, err)) != FG_OK)
            goto done;
        fg_frame_deinit(&half);
        half = smaller;
        picture = &half;
        halved++;
    }
    double scale;
    int width, height;
    if (!fg_pyramid_level(picture->width, picture->height, run->mtcnn->min_face, 0, &scale, &width, &height))
        goto done; /* smaller than the smallest face */
    if ((rc = fg_area_build(&run->area, picture, err)) != FG_OK)
        goto done;
    run->times.sums_ms = fg_clock_monotonic_ms() - start;
    if ((rc = cascade(run, &found, err)) != FG_OK)
        goto done;
    while (halved-- > 0)
        enlarge(run->boxes, found);
    *boxes = run->boxes;
    *count = found;
done:
    fg_frame_deinit(&half);
    run->times.total_ms = fg_clock_monotonic_ms() - start;
    return rc;
}

fg_code fg_mtcnn_warm_up(fg_mtcnn_run *run, fg_error *err)
{
    fg_frame grey = {0};
    int count = 0;
    fg_code rc = fg_frame_init(&grey, 48, 48, err);
    if (rc != FG_OK)
        return rc;
    for (int y = 0; y < grey.height; y++)
        memset(grey.rgb + (size_t)y * grey.stride, 128, 3 * (size_t)grey.width);
    if ((rc = fg_area_build(&run->area, &grey, err)) == FG_OK && (rc = reserve_boxes(run, 64, err)) == FG_OK)
        rc = scan_level(run, 1, grey.width, grey.height, &count, err);
    for (int net = FG_RNET; rc == FG_OK && net <= FG_ONET; net++) {
        count = 2 * stages[net].batch - 1; /* every batch size once */
        for (int i = 0; i < count; i++)
            run->boxes[i] = (fg_box){.x1 = 1, .y1 = 1, .x2 = 48, .y2 = 48};
        rc = look_first(run, net, &count, err);
    }
    fg_frame_deinit(&grey);
    return rc;
}
