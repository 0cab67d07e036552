/* Photos of picture.h as the libraries' encoders write them, with EXIF where wanted. Include after cmocka.h.
 */
#ifndef FG_TESTS_PHOTO_FILES_H
#define FG_TESTS_PHOTO_FILES_H

#include "support/picture.h"

#include <libheif/heif.h>
#include <stddef.h>
#include <turbojpeg.h>
#include <webp/encode.h>

/* The encoder behind libheif, which only the fixtures use, keeps some memory for ever. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:x265_malloc";
}

/* JPEG of a stored picture, with an EXIF segment where orientation is not 0. */
static inline void put_jpeg(fg_buf *buf, const uint8_t *pixels, int width, int height, int format,
                            int subsampling, int flags, int orientation)
{
    unsigned char *jpeg = NULL;
    unsigned long size = 0;
    tjhandle tj = tjInitCompress();
    assert_int_equal(tjCompress2(tj, pixels, width, 0, height, format, &jpeg, &size, subsampling, 92,
                                 TJFLAG_ACCURATEDCT | flags),
                     0);
    put(buf, jpeg, 2);
    if (orientation) {
        put(buf, "\xff\xe1", 2);
        put_be(buf, 2 + 6 + 26, 2);
        put(buf, "Exif\0", 6);
        put_tiff(buf, orientation, orientation % 2);
    }
    put(buf, jpeg + 2, size - 2);
    tjFree(jpeg);
    tjDestroy(tj);
}

/* RFC 9649 by hand: a container around what libwebp wrote. */
static inline void put_riff_chunk(fg_buf *buf, const char *type, const void *data, size_t size)
{
    put(buf, type, 4);
    put_le(buf, (uint32_t)size, 4);
    put(buf, data, size);
    if (size % 2)
        put(buf, "", 1);
}

static inline void put_webp(fg_buf *buf, int stored, int exif, bool alpha, bool lossless, int flags)
{
    fg_buf body, tiff;
    uint8_t *coded = NULL, *pixels = picture_make(stored, PICTURE_WIDTH, PICTURE_HEIGHT, alpha ? 4 : 3);
    if (alpha)
        pixels[3] = 0; /* or libwebp would leave the channel out */
    size_t size =
        alpha      ? lossless
                         ? WebPEncodeLosslessRGBA(pixels, PICTURE_WIDTH, PICTURE_HEIGHT, PICTURE_WIDTH * 4, &coded)
                         : WebPEncodeRGBA(pixels, PICTURE_WIDTH, PICTURE_HEIGHT, PICTURE_WIDTH * 4, 90, &coded)
             : lossless ? WebPEncodeLosslessRGB(pixels, PICTURE_WIDTH, PICTURE_HEIGHT, PICTURE_WIDTH * 3, &coded)
                   : WebPEncodeRGB(pixels, PICTURE_WIDTH, PICTURE_HEIGHT, PICTURE_WIDTH * 3, 90, &coded);
    free(pixels);
    assert_true(size > 20);
    if (!exif && !flags) {
        put(buf, coded, size);
        WebPFree(coded);
        return;
    }
    fg_buf_init(&body, 1 << 20);
    fg_buf_init(&tiff, 1 << 10);
    uint8_t extended[10] = {
        (uint8_t)((exif ? 0x08 : 0) | flags), 0, 0, 0, PICTURE_WIDTH - 1, 0, 0, PICTURE_HEIGHT - 1, 0, 0};
    put(&body, "WEBP", 4);
    put_riff_chunk(&body, "VP8X", extended, sizeof extended);
    put(&body, coded + 12, size - 12); /* one VP8 or VP8L chunk */
    if (exif)
        put_tiff(&tiff, exif, true);
    put_riff_chunk(&body, "EXIF", tiff.data, tiff.size);
    put(buf, "RIFF", 4);
    put_le(buf, (uint32_t)body.size, 4);
    put(buf, body.data, body.size);
    WebPFree(coded);
    fg_buf_deinit(&body);
    fg_buf_deinit(&tiff);
}

static inline struct heif_error write_heic(struct heif_context *ctx, const void *data, size_t size,
                                           void *user)
{
    (void)ctx;
    put(user, data, size);
    return (struct heif_error){heif_error_Ok, heif_suberror_Unspecified, ""};
}

typedef enum heic_kind { HEIC_PLAIN, HEIC_ALPHA, HEIC_10_BITS, HEIC_444 } heic_kind;

/* False where this libheif cannot encode. */
static inline bool put_heic(fg_buf *buf, int orientation, int exif, heic_kind kind)
{
    struct heif_context *ctx = heif_context_alloc();
    struct heif_encoder *encoder = NULL;
    struct heif_image *image = NULL;
    struct heif_image_handle *handle = NULL;
    int stride;
    if (heif_context_get_encoder_for_format(ctx, heif_compression_HEVC, &encoder).code != heif_error_Ok) {
        heif_context_free(ctx);
        return false;
    }
    const bool deep = kind == HEIC_10_BITS;
    const int channels = kind == HEIC_ALPHA ? 4 : 3;
    assert_int_equal(heif_image_create(PICTURE_WIDTH, PICTURE_HEIGHT, heif_colorspace_RGB,
                                       deep            ? heif_chroma_interleaved_RRGGBB_LE
                                       : channels == 4 ? heif_chroma_interleaved_RGBA
                                                       : heif_chroma_interleaved_RGB,
                                       &image)
                         .code,
                     heif_error_Ok);
    assert_int_equal(
        heif_image_add_plane(image, heif_channel_interleaved, PICTURE_WIDTH, PICTURE_HEIGHT, deep ? 10 : 8)
            .code,
        heif_error_Ok);
    uint8_t *to = heif_image_get_plane(image, heif_channel_interleaved, &stride);
    uint8_t *pixels = picture_make(orientation, PICTURE_WIDTH, PICTURE_HEIGHT, channels);
    for (int y = 0; y < PICTURE_HEIGHT; y++) {
        for (int i = 0; i < PICTURE_WIDTH * channels; i++) {
            const unsigned value = pixels[y * PICTURE_WIDTH * channels + i];
            uint8_t *out = to + (ptrdiff_t)y * stride;
            if (deep) {
                out[2 * i] = (uint8_t)(value << 2);
                out[2 * i + 1] = (uint8_t)(value >> 6);
            } else {
                out[i] = (uint8_t)value;
            }
        }
    }
    free(pixels);
    if (kind == HEIC_444)
        assert_int_equal(heif_encoder_set_parameter_string(encoder, "chroma", "444").code, heif_error_Ok);
    heif_encoder_set_lossy_quality(encoder, 90);
    struct heif_encoding_options *options = heif_encoding_options_alloc();
    options->image_orientation = (enum heif_orientation)orientation;
    assert_int_equal(heif_context_encode_image(ctx, image, encoder, options, &handle).code, heif_error_Ok);
    if (exif) {
        fg_buf tiff;
        fg_buf_init(&tiff, 1 << 10);
        put(&tiff, "Exif\0", 6);
        put_tiff(&tiff, exif, false);
        assert_int_equal(heif_context_add_exif_metadata(ctx, handle, tiff.data, (int)tiff.size).code,
                         heif_error_Ok);
        fg_buf_deinit(&tiff);
    }
    struct heif_writer writer = {1, write_heic};
    assert_int_equal(heif_context_write(ctx, &writer, buf).code, heif_error_Ok);
    heif_encoding_options_free(options);
    heif_image_handle_release(handle);
    heif_image_release(image);
    heif_encoder_release(encoder);
    heif_context_free(ctx);
    return true;
}

#endif
