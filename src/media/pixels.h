/* Pixel work shared by photos and videos: turning upright, and reducing by area averaging. */
#ifndef FG_MEDIA_PIXELS_H
#define FG_MEDIA_PIXELS_H

#include "base/frame.h"

#include <stdbool.h>

/* Three planes, or the three channels of one: pixel (x, y) is at rgb[c] + x * step + y * row. */
typedef struct fg_planes {
    const uint8_t *rgb[3];
    int width, height;
    ptrdiff_t step, row;
} fg_planes;

/* A new frame from planes, turned as an EXIF orientation says (TIFF 6.0 tag 0x0112; values other than 2..8
 * leave it as it is). */
fg_code fg_pixels_gather(fg_frame *frame, const fg_planes *planes, int orientation,
                         fg_error *err) FG_MUST_CHECK;
/* Turns a frame in the same way. */
fg_code fg_pixels_orient(fg_frame *frame, int orientation, fg_error *err) FG_MUST_CHECK;

/* How often width x height is halved, rounding up, so that its longer side stays >= max_side (0: never; at
 * most FG_PIXELS_MAX_HALVINGS times). */
#define FG_PIXELS_MAX_HALVINGS 12
int fg_pixels_halvings(int width, int height, int max_side);

/* Takes the rows of a picture from top to bottom and leaves the mean of each 2^halvings x 2^halvings block
 * (smaller at the right and lower edge) in frame, without ever holding the whole picture. */
typedef struct fg_reducer {
    fg_frame frame; /* init'ed by fg_reducer_init; the caller moves it out after the last row */
    uint32_t *sums; /* owned; three a block of the current band, NULL when nothing is halved */
    int width, height, halvings;
    int rows; /* taken so far */
} fg_reducer;

fg_code fg_reducer_init(fg_reducer *reducer, int width, int height, int halvings,
                        fg_error *err) FG_MUST_CHECK;
/* rgb: width x 3 bytes; rows beyond height are ignored. */
void fg_reducer_row(fg_reducer *reducer, const uint8_t *rgb);
void fg_reducer_deinit(fg_reducer *reducer);

/* Reduces a whole frame in the same way. */
fg_code fg_pixels_reduce(fg_frame *frame, int halvings, fg_error *err) FG_MUST_CHECK;

#endif
