/* HEVC inside HEIC, decoded by FFmpeg in libheif's place: libde265, its default, takes minutes and gigabytes
 * for a photo of a kilobyte that declares large pictures in its bit stream. */
#ifndef FG_MEDIA_HEVC_H
#define FG_MEDIA_HEVC_H

#include "base/error.h"

#include <stdint.h>

#define FG_HEVC_DECODER "facegate-hevc" /* its name for heif_decoding_options */

/* Makes it known to libheif, once in the process. */
fg_code fg_hevc_register(fg_error *err) FG_MUST_CHECK;
/* What the pictures decoded on this thread from now on may have together, in pixels; a photo is made of many
 * tiles. */
void fg_hevc_set_budget(uint64_t pixels);

#endif
