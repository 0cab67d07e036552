#include "media/pixels.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Where the picture's pixel (0, 0) after turning comes from, and how far apart its neighbours in x and y are
 * there. */
static fg_planes turn(const fg_planes *from, int orientation)
{
    /* 5..8 have rows and columns exchanged; what is left after that is a mirror, a turn-over, or both. */
    const bool exchanged = orientation >= 5 && orientation <= 8;
    const bool mirrored = orientation == 2 || orientation == 3 || orientation == 6 || orientation == 7;
    const bool turned = orientation == 3 || orientation == 4 || orientation == 7 || orientation == 8;
    fg_planes to = *from;
    if (exchanged) {
        to.width = from->height;
        to.height = from->width;
        to.step = from->row;
        to.row = from->step;
    }
    const ptrdiff_t shift =
        (mirrored ? (to.width - 1) * to.step : 0) + (turned ? (to.height - 1) * to.row : 0);
    for (int c = 0; c < 3; c++)
        to.rgb[c] += shift;
    if (mirrored)
        to.step = -to.step;
    if (turned)
        to.row = -to.row;
    return to;
}

fg_code fg_pixels_gather(fg_frame *frame, const fg_planes *planes, int orientation, fg_error *err)
{
    enum { TILE = 32 }; /* small enough for the first cache on both sides where rows become columns */
    const fg_planes from = turn(planes, orientation);
    fg_code rc = fg_frame_init(frame, from.width, from.height, err);
    if (rc != FG_OK)
        return rc;
    for (int ty = 0; ty < from.height; ty += TILE) {
        const int y_end = ty + TILE < from.height ? ty + TILE : from.height;
        for (int tx = 0; tx < from.width; tx += TILE) {
            const int x_end = tx + TILE < from.width ? tx + TILE : from.width;
            for (int y = ty; y < y_end; y++) {
                uint8_t *out = frame->rgb + (size_t)y * frame->stride + (size_t)tx * 3;
                ptrdiff_t at = y * from.row + tx * from.step;
                for (int x = tx; x < x_end; x++, at += from.step, out += 3) {
                    out[0] = from.rgb[0][at];
                    out[1] = from.rgb[1][at];
                    out[2] = from.rgb[2][at];
                }
            }
        }
    }
    return FG_OK;
}

fg_code fg_pixels_orient(fg_frame *frame, int orientation, fg_error *err)
{
    if (orientation < 2 || orientation > 8)
        return FG_OK;
    fg_frame upright;
    const fg_planes planes = {{frame->rgb, frame->rgb + 1, frame->rgb + 2},
                              frame->width,
                              frame->height,
                              3,
                              (ptrdiff_t)frame->stride};
    fg_code rc = fg_pixels_gather(&upright, &planes, orientation, err);
    if (rc != FG_OK)
        return rc;
    upright.index = frame->index;
    upright.time_ms = frame->time_ms;
    fg_frame_deinit(frame);
    *frame = upright;
    return FG_OK;
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
    const int halvings = reducer->halvings;
    const int band = (reducer->rows - 1) >> halvings;
    const uint32_t rows = (uint32_t)(reducer->rows - (band << halvings));
    const uint32_t *sum = reducer->sums;
    uint8_t *out = reducer->frame.rgb + (size_t)band * reducer->frame.stride;
    for (int x = 0; x < reducer->frame.width; x++) {
        const int columns = reducer->width - (x << halvings), block = 1 << halvings;
        const uint32_t count = rows * (uint32_t)(columns < block ? columns : block);
        for (int c = 0; c < 3; c++)
            *out++ = (uint8_t)((*sum++ + count / 2) / count);
    }
    memset(reducer->sums, 0, (size_t)reducer->frame.width * 3 * sizeof *reducer->sums);
}

void fg_reducer_row(fg_reducer *reducer, const uint8_t *rgb)
{
    const size_t width = (size_t)reducer->width;
    if (reducer->rows >= reducer->height)
        return;
    if (!reducer->sums) {
        memcpy(reducer->frame.rgb + (size_t)reducer->rows * reducer->frame.stride, rgb, width * 3);
        reducer->rows++;
        return;
    }
    for (size_t x = 0; x < width; x++) {
        uint32_t *sum = reducer->sums + 3 * (x >> reducer->halvings);
        sum[0] += rgb[3 * x];
        sum[1] += rgb[3 * x + 1];
        sum[2] += rgb[3 * x + 2];
    }
    reducer->rows++;
    if (reducer->rows % (1 << reducer->halvings) == 0 || reducer->rows == reducer->height)
        finish_band(reducer);
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
