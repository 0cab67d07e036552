/* An upright picture: a decoded photo, one frame of a video, or an aligned chip. */
#ifndef FG_BASE_FRAME_H
#define FG_BASE_FRAME_H

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

typedef struct fg_frame {
    uint8_t *rgb; /* owned; height rows of width x 3 bytes, R G B, sRGB, 0..255 */
    int width;    /* pixels */
    int height;
    size_t stride;   /* bytes from a row to the next, >= 3 * width */
    int index;       /* frame number in the video, counted before sampling; 0 for a photo */
    int64_t time_ms; /* time in the video; 0 for a photo */
} fg_frame;

/* Allocates the pixels, not cleared. FG_ERR_LIMIT above FG_MAX_FRAME_PIXELS. */
fg_code fg_frame_init(fg_frame *frame, int width, int height, fg_error *err) FG_MUST_CHECK;
fg_code fg_frame_dup(fg_frame *copy, const fg_frame *frame, fg_error *err) FG_MUST_CHECK;
void fg_frame_deinit(fg_frame *frame); /* also fine on a zeroed fg_frame */

#endif
