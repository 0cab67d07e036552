#include "face/area.h"

#include <stdlib.h>
#include <string.h>

/* Three channels and one lane that is ignored: written at a pitch of three, each store is repaired by the
 * next. */
typedef uint8_t bytes4 __attribute__((vector_size(4)));
typedef uint32_t words4 __attribute__((vector_size(16)));
typedef int32_t ints4 __attribute__((vector_size(16)));
typedef float floats4 __attribute__((vector_size(16)));

void fg_area_deinit(fg_area *area)
{
    free(area->sums);
    free(area->bins);
    memset(area, 0, sizeof *area);
}

static fg_code reserve(fg_area *area, int width, int height, fg_error *err)
{
    size_t need = (size_t)(width + 1) * (size_t)(height + 1) * 3 + 1;
    size_t bins = 2 * (size_t)(width + 1 > FG_AREA_MIN_OUT ? width + 1 : FG_AREA_MIN_OUT);
    if (need > area->capacity) {
        free(area->sums);
        area->capacity = 0;
        area->sums = malloc(need * sizeof *area->sums);
        if (!area->sums)
            return FG_FAIL(err, FG_ERR_MEMORY, "no memory for a picture of %d x %d", width, height);
        area->capacity = need;
    }
    if (bins > area->bin_capacity) {
        free(area->bins);
        area->bin_capacity = 0;
        area->bins = malloc(bins * sizeof *area->bins);
        if (!area->bins)
            return FG_FAIL(err, FG_ERR_MEMORY, "no memory for a picture of %d x %d", width, height);
        area->bin_capacity = bins;
    }
    return FG_OK;
}

static void sum_row(uint32_t *restrict sums, const uint32_t *restrict above, const uint8_t *restrict rgb,
                    int width)
{
    words4 run = {0, 0, 0, 0}, up;
    memcpy(sums, &run, sizeof run);
    for (int x = 0; x < width; x++, rgb += 3) {
        bytes4 pixel = {0, 0, 0, 0};
        sums += 3;
        above += 3;
        /* The last pixel must not read the byte after its row. */
        if (x + 1 < width)
            memcpy(&pixel, rgb, 4);
        else
            memcpy(&pixel, rgb, 3);
        run += __builtin_convertvector(pixel, words4);
        memcpy(&up, above, sizeof up);
        up += run;
        memcpy(sums, &up, sizeof up);
    }
}

fg_code fg_area_build(fg_area *area, const fg_frame *frame, fg_error *err)
{
    if (!frame->rgb || frame->width < 1 || frame->height < 1)
        return FG_FAIL(err, FG_ERR_INTERNAL, "an empty picture");
    fg_code rc = reserve(area, frame->width, frame->height, err);
    if (rc != FG_OK)
        return rc;
    size_t pitch = (size_t)(frame->width + 1) * 3;
    memset(area->sums, 0, (pitch + 1) * sizeof *area->sums);
    for (int y = 0; y < frame->height; y++) {
        uint32_t *sums = area->sums + (size_t)(y + 1) * pitch;
        /* sum_row's last store ends one past its row: at the start of a row that is not written yet. */
        sum_row(sums, sums - pitch, frame->rgb + (size_t)y * frame->stride, frame->width);
    }
    area->width = frame->width;
    area->height = frame->height;
    return FG_OK;
}

static int bin_start(int i, int source, int out)
{
    return (int)((int64_t)i * source / out);
}

static int bin_end(int i, int source, int out)
{
    return (int)((((int64_t)i + 1) * source + out - 1) / out);
}

static inline words4 load_sum(const uint32_t *sums)
{
    words4 v;
    memcpy(&v, sums, sizeof v);
    return v;
}

void fg_area_resample(fg_area *area, int x0, int y0, int x1, int y1, int out_width, int out_height,
                      float mean, float scale, float *out)
{
    size_t pitch = (size_t)(area->width + 1) * 3;
    int *starts = area->bins, *ends = area->bins + out_width;
    for (int i = 0; i < out_width; i++) {
        starts[i] = x0 + bin_start(i, x1 - x0, out_width);
        ends[i] = x0 + bin_end(i, x1 - x0, out_width);
    }
    floats4 means = {mean, mean, mean, mean};
    for (int j = 0; j < out_height; j++) {
        int top = y0 + bin_start(j, y1 - y0, out_height), bottom = y0 + bin_end(j, y1 - y0, out_height);
        const uint32_t *a = area->sums + (size_t)top * pitch, *b = area->sums + (size_t)bottom * pitch;
        for (int i = 0; i < out_width; i++) {
            size_t start = 3 * (size_t)starts[i], end = 3 * (size_t)ends[i];
            words4 sum = load_sum(b + end) - load_sum(b + start) - load_sum(a + end) + load_sum(a + start);
            float pixels = (float)((bottom - top) * (ends[i] - starts[i]));
            floats4 value = __builtin_convertvector((ints4)sum, floats4) / pixels;
            value = (value - means) * scale;
            memcpy(out, &value, sizeof value);
            out += 3;
        }
    }
}

fg_code fg_area_halve(fg_frame *half, const fg_frame *frame, int x0, int y0, int width, int height,
                      fg_error *err)
{
    fg_code rc = fg_frame_init(half, width / 2, height / 2, err);
    if (rc != FG_OK)
        return rc;
    for (int y = 0; y < half->height; y++) {
        const uint8_t *a = frame->rgb + (size_t)(y0 + 2 * y) * frame->stride + 3 * (size_t)x0,
                      *b = a + frame->stride;
        uint8_t *out = half->rgb + (size_t)y * half->stride;
        for (int x = 0; x < half->width; x++, a += 3, b += 3)
            for (int c = 0; c < 3; c++, a++, b++)
                *out++ = (uint8_t)((a[0] + a[3] + b[0] + b[3] + 2) / 4);
    }
    half->index = frame->index;
    half->time_ms = frame->time_ms;
    return FG_OK;
}
