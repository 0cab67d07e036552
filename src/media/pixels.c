#include "media/pixels.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static void swap_pixels(uint8_t *a, uint8_t *b)
{
    for (int c = 0; c < 3; c++) {
        uint8_t t = a[c];
        a[c] = b[c];
        b[c] = t;
    }
}

static void mirror(fg_frame *frame)
{
    for (int y = 0; y < frame->height; y++) {
        uint8_t *left = frame->rgb + (size_t)y * frame->stride;
        uint8_t *right = left + (size_t)(frame->width - 1) * 3;
        for (; left < right; left += 3, right -= 3)
            swap_pixels(left, right);
    }
}

static void turn_over(fg_frame *frame)
{
    for (int y = 0; y < frame->height / 2; y++) {
        uint8_t *upper = frame->rgb + (size_t)y * frame->stride;
        uint8_t *lower = frame->rgb + (size_t)(frame->height - 1 - y) * frame->stride;
        for (size_t i = 0; i < (size_t)frame->width * 3; i++) {
            uint8_t t = upper[i];
            upper[i] = lower[i];
            lower[i] = t;
        }
    }
}

/* Rows become columns, in tiles small enough that both sides stay in the first cache. */
static fg_code transpose(fg_frame *frame, fg_error *err)
{
    enum { TILE = 32 };
    fg_frame to;
    fg_code rc = fg_frame_init(&to, frame->height, frame->width, err);
    if (rc != FG_OK)
        return rc;
    for (int ty = 0; ty < frame->height; ty += TILE) {
        int y_end = ty + TILE < frame->height ? ty + TILE : frame->height;
        for (int tx = 0; tx < frame->width; tx += TILE) {
            int x_end = tx + TILE < frame->width ? tx + TILE : frame->width;
            for (int x = tx; x < x_end; x++) {
                const uint8_t *from = frame->rgb + (size_t)ty * frame->stride + (size_t)x * 3;
                uint8_t *out = to.rgb + (size_t)x * to.stride + (size_t)ty * 3;
                for (int y = ty; y < y_end; y++, from += frame->stride, out += 3) {
                    out[0] = from[0];
                    out[1] = from[1];
                    out[2] = from[2];
                }
            }
        }
    }
    to.index = frame->index;
    to.time_ms = frame->time_ms;
    fg_frame_deinit(frame);
    *frame = to;
    return FG_OK;
}

fg_code fg_pixels_orient(fg_frame *frame, int orientation, fg_error *err)
{
    /* 5..8 have rows and columns exchanged; what is left after that is a mirror, a turn-over, or both. */
    bool exchanged = orientation >= 5 && orientation <= 8;
    bool mirrored = orientation == 2 || orientation == 3 || orientation == 6 || orientation == 7;
    bool turned = orientation == 3 || orientation == 4 || orientation == 7 || orientation == 8;
    fg_code rc = exchanged ? transpose(frame, err) : FG_OK;
    if (rc == FG_OK && mirrored)
        mirror(frame);
    if (rc == FG_OK && turned)
        turn_over(frame);
    return rc;
}

static int halved(int side, int halvings)
{
    return (int)(((int64_t)side + ((int64_t)1 << halvings) - 1) >> halvings);
}

int fg_pixels_halvings(int width, int height, int max_side)
{
    int longer = width > height ? width : height, halvings = 0;
    while (max_side > 0 && halvings < FG_PIXELS_MAX_HALVINGS && halved(longer, halvings + 1) >= max_side &&
           halved(longer, halvings) > 1)
        halvings++;
    return halvings;
}

fg_code fg_reducer_init(fg_reducer *reducer, int width, int height, int halvings, fg_error *err)
{
    *reducer = (fg_reducer){.width = width, .height = height, .halvings = halvings};
    fg_code rc = fg_frame_init(&reducer->frame, halved(width, halvings), halved(height, halvings), err);
    if (rc != FG_OK || halvings == 0)
        return rc;
    reducer->sums = calloc((size_t)reducer->frame.width * 3, sizeof *reducer->sums);
    if (!reducer->sums) {
        fg_frame_deinit(&reducer->frame);
        return FG_FAIL(err, FG_ERR_MEMORY, "out of memory for a row of %d pixels", width);
    }
    return FG_OK;
}

/* Sums fit: a block holds at most 4^12 values of 255. */
static void finish_band(fg_reducer *reducer)
{
    int block = 1 << reducer->halvings;
    int band = (reducer->rows - 1) >> reducer->halvings;
    uint32_t rows = (uint32_t)(reducer->rows - (band << reducer->halvings));
    uint8_t *out = reducer->frame.rgb + (size_t)band * reducer->frame.stride;
    for (int x = 0; x < reducer->frame.width; x++) {
        int columns = reducer->width - (x << reducer->halvings);
        uint32_t count = rows * (uint32_t)(columns < block ? columns : block);
        for (int c = 0; c < 3; c++)
            out[3 * x + c] = (uint8_t)((reducer->sums[3 * x + c] + count / 2) / count);
    }
    memset(reducer->sums, 0, (size_t)reducer->frame.width * 3 * sizeof *reducer->sums);
}

void fg_reducer_row(fg_reducer *reducer, const uint8_t *rgb)
{
    if (reducer->rows >= reducer->height)
        return;
    if (!reducer->sums) {
        memcpy(reducer->frame.rgb + (size_t)reducer->rows * reducer->frame.stride, rgb,
               (size_t)reducer->width * 3);
        reducer->rows++;
        return;
    }
    for (int x = 0; x < reducer->width; x++) {
        uint32_t *sum = reducer->sums + 3 * (x >> reducer->halvings);
        sum[0] += rgb[3 * x];
        sum[1] += rgb[3 * x + 1];
        sum[2] += rgb[3 * x + 2];
    }
    reducer->rows++;
    if (reducer->rows % (1 << reducer->halvings) == 0 || reducer->rows == reducer->height)
        finish_band(reducer);
}

void fg_reducer_row_rgba(fg_reducer *reducer, uint8_t *rgba)
{
    for (int x = 0; x < reducer->width; x++) {
        uint32_t alpha = rgba[4 * x + 3];
        for (int c = 0; c < 3; c++)
            rgba[3 * x + c] = (uint8_t)((rgba[4 * x + c] * alpha + 255 * (255 - alpha) + 127) / 255);
    }
    fg_reducer_row(reducer, rgba);
}

void fg_reducer_deinit(fg_reducer *reducer)
{
    fg_frame_deinit(&reducer->frame);
    free(reducer->sums);
    *reducer = (fg_reducer){0};
}

fg_code fg_pixels_reduce(fg_frame *frame, int halvings, fg_error *err)
{
    if (halvings == 0)
        return FG_OK;
    fg_reducer reducer;
    fg_code rc = fg_reducer_init(&reducer, frame->width, frame->height, halvings, err);
    if (rc != FG_OK)
        return rc;
    for (int y = 0; y < frame->height; y++)
        fg_reducer_row(&reducer, frame->rgb + (size_t)y * frame->stride);
    reducer.frame.index = frame->index;
    reducer.frame.time_ms = frame->time_ms;
    fg_frame_deinit(frame);
    *frame = reducer.frame;
    reducer.frame = (fg_frame){0};
    fg_reducer_deinit(&reducer);
    return FG_OK;
}
