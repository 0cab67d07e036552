/* What a file is, from its first bytes: signatures of the formats that Facegate takes, and of the common ones
 * that it does not, so that a refusal can name them. Names and extensions are never looked at. */
#ifndef FG_MEDIA_SNIFF_H
#define FG_MEDIA_SNIFF_H

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

#define FG_SNIFF_BYTES 256 /* enough for every signature; fewer are fine for a shorter file */

typedef enum fg_media_kind {
    FG_MEDIA_OTHER, /* nothing that is taken */
    FG_MEDIA_PHOTO,
    FG_MEDIA_VIDEO
} fg_media_kind;

typedef enum fg_media_format {
    FG_FORMAT_UNKNOWN,
    FG_FORMAT_EMPTY,
    FG_FORMAT_FOREIGN, /* recognised, but not taken */
    FG_FORMAT_JPEG,
    FG_FORMAT_PNG,
    FG_FORMAT_WEBP,
    FG_FORMAT_HEIC,
    FG_FORMAT_MP4, /* and mov, 3gp: the ISO base media file format */
    FG_FORMAT_MATROSKA
} fg_media_format;

typedef struct fg_sniffed {
    fg_media_kind kind;
    fg_media_format format;
    const char *label; /* for people, with its article: "a PNG picture"; static */
} fg_sniffed;

fg_sniffed fg_media_sniff(const void *data, size_t size);
/* Reads the first bytes of a file. A file that is neither photo nor video is FG_OK with kind FG_MEDIA_OTHER;
 * the error is for files that cannot be read. */
fg_code fg_media_sniff_file(const char *path, fg_sniffed *sniffed, fg_error *err) FG_MUST_CHECK;

#endif
