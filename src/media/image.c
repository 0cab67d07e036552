#include "media/image.h"

#include "base/file.h"
#include "base/limits.h"
#include "media/codecs.h"
#include "media/pixels.h"
#include "media/sniff.h"

fg_code fg_image_check_size(uint64_t width, uint64_t height, int streamed, fg_error *err)
{
    const uint64_t max = streamed ? FG_MAX_PHOTO_PIXELS : FG_MAX_FRAME_PIXELS;
    if (width > FG_MAX_PHOTO_SIDE || height > FG_MAX_PHOTO_SIDE || width * height > max)
        return FG_FAIL(
            err, FG_ERR_LIMIT,
            "a photo of %llu x %llu pixels; make it smaller: at most %d a side and %llu megapixels are taken",
            (unsigned long long)width, (unsigned long long)height, FG_MAX_PHOTO_SIDE,
            (unsigned long long)(max >> 20));
    return FG_OK;
}

static fg_code refuse(fg_sniffed sniffed, fg_error *err)
{
    if (sniffed.format == FG_FORMAT_EMPTY)
        return FG_FAIL(err, FG_ERR_INPUT, "the file is empty; copy or upload it again");
    if (sniffed.kind == FG_MEDIA_VIDEO)
        return FG_FAIL(err, FG_ERR_INPUT, "%s, not a photo; give a JPEG, PNG, WebP or HEIC photo",
                       sniffed.label);
    return FG_FAIL(err, FG_ERR_INPUT, "not a photo but %s; give a JPEG, PNG, WebP or HEIC photo",
                   sniffed.label);
}

fg_code fg_image_decode(fg_frame *frame, const void *data, size_t size, int max_side, double *scale,
                        const char *name, fg_error *err)
{
    fg_code rc;
    fg_coded coded = {.data = data, .size = size, .max_side = max_side, .orientation = 1};
    const fg_sniffed sniffed = fg_media_sniff(data, size);
    *frame = (fg_frame){0};
    if (scale)
        *scale = 1;
    if (size > FG_MAX_PHOTO_BYTES) {
        rc = FG_FAIL(err, FG_ERR_LIMIT, "a photo of more than %u MB; save it smaller",
                     FG_MAX_PHOTO_BYTES >> 20);
        goto done;
    }
    switch (sniffed.format) {
    case FG_FORMAT_JPEG:
        rc = fg_jpeg_decode(frame, &coded, err);
        break;
    case FG_FORMAT_PNG:
        rc = fg_png_decode(frame, &coded, err);
        break;
    case FG_FORMAT_WEBP:
        rc = fg_webp_decode(frame, &coded, err);
        break;
    case FG_FORMAT_HEIC:
        rc = fg_heic_decode(frame, &coded, err);
        break;
    default:
        rc = refuse(sniffed, err);
    }
    if (rc == FG_OK)
        rc = fg_pixels_orient(frame, coded.orientation, err);
    if (rc == FG_OK && scale)
        *scale = (double)(1 << coded.halvings);
done:
    if (rc != FG_OK) {
        fg_frame_deinit(frame);
        rc = fg_error_prefix(err, rc, name);
    }
    return rc;
}

fg_code fg_image_load(fg_frame *frame, const char *path, int max_side, double *scale, fg_error *err)
{
    fg_buf buf;
    *frame = (fg_frame){0};
    if (scale)
        *scale = 1;
    fg_buf_init(&buf, FG_MAX_PHOTO_BYTES);
    fg_sniffed sniffed;
    /* Before the file is read whole: a video may well be larger than any photo, and deserves to be called
     * one. */
    fg_code rc = fg_media_sniff_file(path, &sniffed, err);
    if (rc == FG_OK && sniffed.kind != FG_MEDIA_PHOTO) {
        rc = refuse(sniffed, err);
        rc = fg_error_prefix(err, rc, path);
    }
    if (rc == FG_OK)
        rc = fg_file_read(path, &buf, err);
    if (rc == FG_OK)
        rc = fg_image_decode(frame, buf.data, buf.size, max_side, scale, path, err);
    fg_buf_deinit(&buf);
    return rc;
}

bool fg_image_is_photo(const void *data, size_t size)
{
    return size >= 16 && fg_media_sniff(data, size).kind == FG_MEDIA_PHOTO;
}
