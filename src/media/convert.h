/* Decoded pictures of a video into RGB: the stream's own matrix and range, square pixels, area averaging when
 * reduced. */
#ifndef FG_MEDIA_CONVERT_H
#define FG_MEDIA_CONVERT_H

#include "base/frame.h"

#include <libavutil/frame.h>

typedef struct fg_converter {
    struct SwsContext *sws; /* for the layout below, NULL before the first picture */
    int format, width, height, colorspace, full_range;
    int out_width, out_height;
    AVFrame *planar; /* what swscale writes: it has vector code for planes, not for exact interleaved RGB */
} fg_converter;

/* The size in square pixels (sar: the shape of the stream's own), reduced so that the longer side is at most
 * max_side (0: never). */
void fg_converter_size(int width, int height, AVRational sar, int max_side, int *out_width, int *out_height);
typedef struct fg_conversion {
    AVRational sar;  /* shape of the stream's pixels */
    int max_side;    /* as above */
    int orientation; /* EXIF's 1..8 */
} fg_conversion;

/* *frame is init'ed here, upright. A zeroed fg_converter is fine; it adapts when the stream changes. */
fg_code fg_converter_run(fg_converter *converter, const AVFrame *picture, const fg_conversion *how,
                         fg_frame *frame, fg_error *err) FG_MUST_CHECK;
void fg_converter_deinit(fg_converter *converter);

#endif
