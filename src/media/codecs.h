/* The photo formats behind image.h, one file each. A decoder fills *frame reduced to max_side but as it is
 * stored, not turned, and says how to turn it. Its errors end with what to do, but do not name the file:
 * fg_image_decode does that. data holds the format's signature; nothing else about it is known. */
#ifndef FG_MEDIA_CODECS_H
#define FG_MEDIA_CODECS_H

#include "base/frame.h"

typedef struct fg_coded {
    const uint8_t *data;
    size_t size;
    int max_side;    /* see fg_image_decode */
    int orientation; /* out: EXIF's, 1..8 */
    int halvings;    /* out: the frame's pixels are 2^halvings of the original's */
} fg_coded;

fg_code fg_jpeg_decode(fg_frame *frame, fg_coded *coded, fg_error *err) FG_MUST_CHECK;
fg_code fg_png_decode(fg_frame *frame, fg_coded *coded, fg_error *err) FG_MUST_CHECK;
fg_code fg_webp_decode(fg_frame *frame, fg_coded *coded, fg_error *err) FG_MUST_CHECK;
fg_code fg_heic_decode(fg_frame *frame, fg_coded *coded, fg_error *err) FG_MUST_CHECK;

/* The caps on what a header declares: FG_MAX_PHOTO_SIDE, and FG_MAX_PHOTO_PIXELS where the decoder reduces as
 * it reads (streamed), else FG_MAX_FRAME_PIXELS. */
fg_code fg_image_check_size(uint64_t width, uint64_t height, int streamed, fg_error *err) FG_MUST_CHECK;

/* EXIF orientation (Exif 2.3, 4.6.4) from a TIFF structure with or without the "Exif\0\0" before it; 1 if
 * there is none. */
int fg_exif_orientation(const uint8_t *data, size_t size);

#endif
