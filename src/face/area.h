/* Area averaging by a summed-area table (Crow 1984): a pyramid level or a crop of any size costs four table
 * look-ups a pixel of its output, whatever the size of its source.
 *
 * The sums are 32-bit integers that may wrap; differences of them do not, as long as one bin is below 2^23
 * pixels. All arithmetic before the one division is exact, so results are the same on every machine. */
#ifndef FG_FACE_AREA_H
#define FG_FACE_AREA_H

#include "base/frame.h"

typedef struct fg_area {
    uint32_t *sums; /* (height + 1) rows of (width + 1) RGB sums of everything above and to the left, and one
                       spare number */
    size_t capacity;
    int *bins; /* starts and ends of the output's columns */
    size_t bin_capacity;
    int width, height;
} fg_area;

enum { FG_AREA_MIN_OUT = 64 }; /* outputs up to this size are always allowed, also larger than their source */

void fg_area_deinit(fg_area *area); /* also fine on a zeroed fg_area */

/* Reuses the memory of an earlier picture. */
fg_code fg_area_build(fg_area *area, const fg_frame *frame, fg_error *err) FG_MUST_CHECK;

/* The pixels [x0, x1) x [y0, y1) of the picture, averaged to out_width x out_height as adaptive average
 * pooling does (bin i of n over a source of s is [floor(i s / n), ceil((i + 1) s / n)), bins may overlap),
 * then (value - mean) * scale, RGB innermost. The region must lie in the picture and be no smaller than 1 x
 * 1; out_width at most the picture's width + 1 or FG_AREA_MIN_OUT. out has room for out_width * out_height *
 * 3 + 1 floats: the last is overwritten. */
void fg_area_resample(fg_area *area, int x0, int y0, int x1, int y1, int out_width, int out_height,
                      float mean, float scale, float *out);

/* half: (width / 2) x (height / 2), each pixel the rounded mean of 2 x 2; an odd last row or column is left
 * out. The region [x0, x0 + width) x [y0, y0 + height) must lie in frame and be at least 2 x 2. The caller
 * deinits half. */
fg_code fg_area_halve(fg_frame *half, const fg_frame *frame, int x0, int y0, int width, int height,
                      fg_error *err) FG_MUST_CHECK;

#endif
