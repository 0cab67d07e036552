#include "face/boxes.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define CELL 12  /* pixels of P-Net's view */
#define STRIDE 2 /* pixels from a cell to the next */
#define FACTOR 0.709

static int better_first(const void *a, const void *b)
{
    const fg_box_key *p = a, *q = b;
    if (p->score != q->score)
        return p->score > q->score ? -1 : 1;
    return p->index < q->index ? -1 : p->index > q->index;
}

static int earlier_first(const void *a, const void *b)
{
    const fg_box_key *p = a, *q = b;
    return p->index < q->index ? -1 : p->index > q->index;
}

static void sort_by_score(const fg_box *boxes, int count, fg_box_key *keys)
{
    for (int i = 0; i < count; i++)
        keys[i] = (fg_box_key){boxes[i].score, i};
    qsort(keys, (size_t)count, sizeof *keys, better_first);
}

static bool overlaps(const fg_box *a, const fg_box *b, double threshold, fg_nms_mode mode)
{
    float one = mode == FG_NMS_MIN ? 1.f : 0.f;
    float w = fminf(a->x2, b->x2) - fmaxf(a->x1, b->x1) + one,
          h = fminf(a->y2, b->y2) - fmaxf(a->y1, b->y1) + one;
    if (w <= 0 || h <= 0)
        return false;
    float both = w * h, area_a = (a->x2 - a->x1 + one) * (a->y2 - a->y1 + one),
          area_b = (b->x2 - b->x1 + one) * (b->y2 - b->y1 + one);
    float whole = mode == FG_NMS_MIN ? fminf(area_a, area_b) : area_a + area_b - both;
    return (double)(both / whole) > threshold;
}

int fg_boxes_suppress(fg_box *boxes, int count, double threshold, fg_nms_mode mode, fg_box *kept,
                      fg_box_key *keys)
{
    int n = 0;
    sort_by_score(boxes, count, keys);
    for (int i = 0; i < count; i++) {
        const fg_box *box = &boxes[keys[i].index];
        int k = 0;
        while (k < n && !overlaps(&kept[k], box, threshold, mode))
            k++;
        if (k == n)
            kept[n++] = *box;
    }
    memcpy(boxes, kept, (size_t)n * sizeof *boxes);
    return n;
}

int fg_boxes_keep_best(fg_box *boxes, int count, int max, fg_box_key *keys)
{
    if (count <= max)
        return count;
    sort_by_score(boxes, count, keys);
    qsort(keys, (size_t)max, sizeof *keys, earlier_first);
    for (int i = 0; i < max; i++)
        boxes[i] = boxes[keys[i].index];
    return max;
}

void fg_boxes_regress(fg_box *boxes, int count, bool inclusive)
{
    float one = inclusive ? 1.f : 0.f;
    for (int i = 0; i < count; i++) {
        fg_box *b = &boxes[i];
        float w = b->x2 - b->x1 + one, h = b->y2 - b->y1 + one;
        b->x1 += b->shift[0] * w;
        b->y1 += b->shift[1] * h;
        b->x2 += b->shift[2] * w;
        b->y2 += b->shift[3] * h;
    }
}

void fg_boxes_square(fg_box *boxes, int count)
{
    for (int i = 0; i < count; i++) {
        fg_box *b = &boxes[i];
        float w = b->x2 - b->x1, h = b->y2 - b->y1, side = fmaxf(w, h);
        b->x1 = b->x1 + w * .5f - side * .5f;
        b->y1 = b->y1 + h * .5f - side * .5f;
        b->x2 = b->x1 + side;
        b->y2 = b->y1 + side;
    }
}

/* A wild network may give any number, and the conversion of what does not fit an int is undefined. */
static int truncate(float v)
{
    return v > 1e9f ? 1000000000 : v > -1e9f ? (int)v : -1000000000; /* NaN becomes the least */
}

bool fg_box_clip(const fg_box *box, int width, int height, int range[4])
{
    int x1 = truncate(box->x1), y1 = truncate(box->y1), x2 = truncate(box->x2), y2 = truncate(box->y2);
    /* Corners count from 1: the first pixel taken is x1 - 1, the last x2 - 1. */
    range[0] = (x1 < 1 ? 1 : x1) - 1;
    range[1] = (y1 < 1 ? 1 : y1) - 1;
    range[2] = x2 > width ? width : x2;
    range[3] = y2 > height ? height : y2;
    return range[2] > range[0] && range[3] > range[1];
}

bool fg_pyramid_level(int width, int height, double min_face, int level, double *scale, int *level_width,
                      int *level_height)
{
    double s = CELL / min_face, side = (width < height ? width : height) * s;
    for (int i = 0; i < level; i++) {
        s *= FACTOR;
        side *= FACTOR;
    }
    *scale = s;
    *level_width = (int)(width * s + 1);
    *level_height = (int)(height * s + 1);
    return side >= CELL;
}

int fg_boxes_from_cells(const float *prob, const float *reg, int rows, int columns, double scale,
                        float threshold, fg_box *boxes, int max)
{
    /* In float32, as published: where (2 x + 1) / scale is a whole number, double would often fall below it.
     */
    float s = (float)scale;
    size_t plane = (size_t)rows * (size_t)columns;
    int n = 0;
    for (int y = 0; y < rows; y++)
        for (int x = 0; x < columns; x++) {
            size_t i = (size_t)y * (size_t)columns + (size_t)x;
            if (!(prob[i] >= threshold))
                continue;
            if (n < max)
                boxes[n] =
                    (fg_box){.x1 = floorf((float)(STRIDE * x + 1) / s),
                             .y1 = floorf((float)(STRIDE * y + 1) / s),
                             .x2 = floorf((float)(STRIDE * x + CELL) / s),
                             .y2 = floorf((float)(STRIDE * y + CELL) / s),
                             .score = prob[i],
                             .shift = {reg[i], reg[plane + i], reg[2 * plane + i], reg[3 * plane + i]}};
            n++;
        }
    return n;
}
