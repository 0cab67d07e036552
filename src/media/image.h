/* Photos: JPEG, PNG, WebP and HEIC into an upright fg_frame.
 *
 * The format is taken from the bytes, never from the name. EXIF orientation (TIFF tag 0x0112) is applied, but
 * not to HEIC, where libheif has already turned the picture (its irot and imir boxes).
 * Alpha is ignored, as the usual Python readers do: a face cut out round keeps its surroundings where the
 * file has them. 16 bits become 8. */
#ifndef FG_MEDIA_IMAGE_H
#define FG_MEDIA_IMAGE_H

#include "base/frame.h"

#include <stdbool.h>

/* max_side: a JPEG whose longer side is larger is decoded at the smallest DCT scale (1/2, 1/4, 1/8 ...) that
 * keeps it at or above max_side, others are decoded and then halved by area averaging in the same way; 0 for
 * the full size. *scale (may be NULL) is the factor from the frame's pixels back to the upright original's
 * (>= 1). name is for messages only. Errors: FG_ERR_INPUT broken or not a photo, FG_ERR_UNSUPPORTED,
 * FG_ERR_LIMIT. */
fg_code fg_image_decode(fg_frame *frame, const void *data, size_t size, int max_side, double *scale,
                        const char *name, fg_error *err) FG_MUST_CHECK;
fg_code fg_image_load(fg_frame *frame, const char *path, int max_side, double *scale,
                      fg_error *err) FG_MUST_CHECK;

/* Encodes as JPEG (quality 1..100, 4:4:4) or PNG into *data (malloc'ed, the caller's to free). */
fg_code fg_image_encode_jpeg(const fg_frame *frame, int quality, uint8_t **data, size_t *size,
                             fg_error *err) FG_MUST_CHECK;
fg_code fg_image_encode_png(const fg_frame *frame, uint8_t **data, size_t *size, fg_error *err) FG_MUST_CHECK;

/* True where the first bytes (at least 16, fewer give false) are those of a photo that fg_image_decode takes.
 */
bool fg_image_is_photo(const void *data, size_t size);

#endif
