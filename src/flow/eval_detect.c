#include "flow/eval.h"

#include "base/clock.h"
#include "media/image.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_BOXES_BYTES = 64 << 20, MAX_LABELS = 4096 };

typedef struct label {
    float x, y, width, height;
    bool small, taken;
} label;

typedef struct hit { /* a detection, anywhere */
    float score;
    bool right;
} hit;

typedef struct evaluation {
    hit *hits;
    long hit_count, hit_capacity;
    double *overlaps;
    double min_overlap, min_size;
    fg_eval_detect *result;
} evaluation;

static double overlap(const fg_face *f, const label *l)
{
    double left = fmax((double)f->x, (double)l->x),
           right = fmin((double)(f->x + f->width), (double)(l->x + l->width));
    double top = fmax((double)f->y, (double)l->y),
           bottom = fmin((double)(f->y + f->height), (double)(l->y + l->height));
    double both = fmax(0, right - left) * fmax(0, bottom - top);
    double either = (double)(f->width * f->height + l->width * l->height) - both;
    return either > 0 ? both / either : 0;
}

static fg_code read_labels(const json_t *list, double min_size, label *labels, int *count, fg_error *err)
{
    *count = 0;
    if (!json_is_array(list) || json_array_size(list) > MAX_LABELS)
        return FG_FAIL(err, FG_ERR_INPUT, "not a list of boxes");
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *box = json_object_get(json_array_get(list, i), "box");
        double v[4];
        for (size_t k = 0; k < 4; k++) {
            const json_t *number = json_array_get(box, k);
            if (!json_is_number(number))
                return FG_FAIL(err, FG_ERR_INPUT, "a box without four numbers");
            v[k] = json_number_value(number);
        }
        labels[*count] =
            (label){(float)v[0], (float)v[1], (float)(v[2] - v[0]), (float)(v[3] - v[1]), false, false};
        labels[*count].small = labels[*count].width < (float)min_size;
        ++*count;
    }
    return FG_OK;
}

static int best_first(const void *a, const void *b)
{
    float x = ((const fg_face *)a)->score, y = ((const fg_face *)b)->score;
    return (x < y) - (x > y);
}

static fg_code room(evaluation *e, fg_error *err)
{
    if (e->hit_count < e->hit_capacity)
        return FG_OK;
    long capacity = e->hit_capacity ? 2 * e->hit_capacity : 1024;
    hit *hits = realloc(e->hits, (size_t)capacity * sizeof *hits);
    if (hits)
        e->hits = hits;
    double *overlaps = realloc(e->overlaps, (size_t)capacity * sizeof *overlaps);
    if (overlaps)
        e->overlaps = overlaps;
    if (!hits || !overlaps)
        return FG_FAIL(err, FG_ERR_MEMORY, "out of memory");
    e->hit_capacity = capacity;
    return FG_OK;
}

static fg_code match(evaluation *e, fg_face *faces, int count, label *labels, int label_count, fg_error *err)
{
    qsort(faces, (size_t)count, sizeof *faces, best_first);
    for (int i = 0; i < count; i++) {
        label *best = NULL;
        double most = e->min_overlap;
        for (int k = 0; k < label_count; k++) {
            double o = overlap(&faces[i], &labels[k]);
            if (!labels[k].taken && o >= most) {
                most = o;
                best = &labels[k];
            }
        }
        if (best ? best->small : faces[i].width < (float)e->min_size)
            continue;
        fg_code rc = room(e, err);
        if (rc != FG_OK)
            return rc;
        if (best) {
            best->taken = true;
            e->overlaps[e->result->found++] = most;
        } else {
            e->result->false_alarms++;
        }
        e->hits[e->hit_count++] = (hit){faces[i].score, best != NULL};
    }
    for (int k = 0; k < label_count; k++)
        e->result->faces += !labels[k].small;
    return FG_OK;
}

static fg_code look_at(evaluation *e, fg_worker *worker, const char *dir, const char *name,
                       const json_t *list, fg_error *err)
{
    char path[FG_MAX_PATH];
    fg_face faces[FG_MAX_FACES];
    fg_frame frame = {0};
    int count = 0, label_count = 0;
    label *labels = calloc(MAX_LABELS, sizeof *labels);
    if (!labels)
        return FG_FAIL(err, FG_ERR_MEMORY, "out of memory");
    fg_code rc = strstr(name, "..") ? FG_FAIL(err, FG_ERR_INPUT, "a path that leaves the folder")
                                    : read_labels(list, e->min_size, labels, &label_count, err);
    if (rc != FG_OK)
        rc = fg_error_prefix(err, rc, name);
    if (rc == FG_OK)
        rc = fg_path_join(path, sizeof path, dir, name, err);
    if (rc == FG_OK)
        rc = fg_image_load(&frame, path, 0, NULL, err);
    if (rc == FG_OK)
        rc = fg_detect(fg_worker_session(worker), &frame, faces, FG_MAX_FACES, &count, err);
    if (rc == FG_OK)
        rc = match(e, faces, count < FG_MAX_FACES ? count : FG_MAX_FACES, labels, label_count, err);
    fg_frame_deinit(&frame);
    free(labels);
    return rc;
}

static int by_score(const void *a, const void *b)
{
    float x = ((const hit *)a)->score, y = ((const hit *)b)->score;
    return (x < y) - (x > y);
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void sum_up(evaluation *e)
{
    fg_eval_detect *r = e->result;
    double area = 0, precision = 0;
    long right = r->found;
    if (e->hit_count)
        qsort(e->hits, (size_t)e->hit_count, sizeof *e->hits, by_score);
    /* From the last to the first, so that each recall gets the best precision at it or beyond. */
    for (long i = e->hits ? e->hit_count - 1 : -1; i >= 0; i--) {
        precision = fmax(precision, (double)right / (double)(i + 1));
        if (e->hits[i].right) {
            area += precision;
            right--;
        }
    }
    if (e->overlaps)
        qsort(e->overlaps, (size_t)r->found, sizeof *e->overlaps, ascending);
    r->detections = e->hit_count;
    r->recall = r->faces ? (double)r->found / (double)r->faces : NAN;
    r->precision = r->detections ? (double)r->found / (double)r->detections : NAN;
    r->average_precision = r->faces ? area / (double)r->faces : NAN;
    r->median_overlap = r->found && e->overlaps ? e->overlaps[r->found / 2] : NAN;
}

fg_code fg_eval_detect_run(fg_worker *worker, const char *images_dir, const char *boxes_path,
                           double min_overlap, double min_size, int limit, const fg_progress *progress,
                           fg_eval_detect *result, fg_error *err)
{
    evaluation e = {.min_overlap = min_overlap, .min_size = min_size, .result = result};
    double start = fg_clock_monotonic_ms();
    json_error_t why;
    json_t *root = NULL, *list;
    const char *name;
    fg_buf text;
    *result = (fg_eval_detect){0};
    fg_buf_init(&text, MAX_BOXES_BYTES);
    fg_code rc = fg_file_read(boxes_path, &text, err);
    if (rc == FG_OK && !(root = json_loadb((const char *)text.data, text.size, JSON_REJECT_DUPLICATES, &why)))
        rc = FG_FAIL(err, FG_ERR_INPUT, "%s: line %d: %s", boxes_path, why.line, why.text);
    if (rc == FG_OK && (!json_is_object(root) || json_object_size(root) == 0))
        rc = FG_FAIL(err, FG_ERR_INPUT, "%s: not an object of images with their boxes", boxes_path);
    long total = rc == FG_OK ? (long)json_object_size(root) : 0;
    if (limit && limit < total)
        total = limit;
    json_object_foreach(root, name, list)
    {
        if (rc != FG_OK || result->images == total)
            break;
        rc = look_at(&e, worker, images_dir, name, list, err);
        result->images++;
        if (rc == FG_OK && !fg_progress_tell(progress, "images", result->images, total))
            rc = FG_FAIL(err, FG_ERR_CANCELLED, "cancelled");
    }
    if (rc == FG_OK)
        sum_up(&e);
    result->elapsed_ms = fg_clock_monotonic_ms() - start;
    json_decref(root);
    fg_buf_deinit(&text);
    free(e.hits);
    free(e.overlaps);
    return rc;
}
