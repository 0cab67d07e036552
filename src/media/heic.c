/* HEIC (ISO/IEC 23008-12) through libheif, its HEVC through FFmpeg. */
#include "media/codecs.h"

#include "base/limits.h"
#include "media/hevc.h"
#include "media/pixels.h"

#include <libheif/heif.h>
#include <stdio.h>
#include <string.h>

/* libheif puts tiles together to whatever size their grid says, within this square, and only then is asked
 * for it: half a gigabyte at most. */
#define MAX_SIDE 10240
#define MIN_SIDE 2048
/* Tiles reach over the edge, and transparency is a picture of its own. */
#define BUDGET_PIXELS (3ull * FG_MAX_FRAME_PIXELS)

static fg_code fail(fg_error *err, struct heif_error e)
{
    /* libheif's texts may have several lines, and bytes of the file. */
    char why[120] = "no reason given";
    if (e.message && *e.message)
        snprintf(why, sizeof why, "%s", e.message);
    for (char *p = why; *p; p++)
        if (*p < ' ' || *p > '~')
            *p = ' ';
    switch (e.code) {
    case heif_error_Memory_allocation_error:
        if (e.subcode == heif_suberror_Security_limit_exceeded)
            return FG_FAIL(err, FG_ERR_LIMIT, "a HEIC photo beyond what is safe to decode; save it as JPEG");
        return FG_FAIL(err, FG_ERR_MEMORY, "out of memory for a HEIC photo");
    case heif_error_Unsupported_filetype:
    case heif_error_Unsupported_feature:
    case heif_error_Plugin_loading_error:
        return FG_FAIL(err, FG_ERR_UNSUPPORTED, "a HEIC photo that cannot be decoded (%s); save it as JPEG",
                       why);
    default:
        return FG_FAIL(err, FG_ERR_INPUT, "a damaged or cut off HEIC photo (%s); copy or upload it again",
                       why);
    }
}

fg_code fg_heic_decode(fg_frame *frame, fg_coded *coded, fg_error *err)
{
    fg_code rc;
    struct heif_error e;
    struct heif_image_handle *handle = NULL;
    struct heif_image *image = NULL;
    struct heif_decoding_options *options = NULL;
    fg_reducer reducer = {0};
    int stride = 0;
    *frame = (fg_frame){0};
    struct heif_context *ctx = NULL;
    if ((rc = fg_hevc_register(err)) != FG_OK)
        goto done;
    ctx = heif_context_alloc();
    if (!ctx || !(options = heif_decoding_options_alloc())) {
        rc = FG_FAIL(err, FG_ERR_MEMORY, "out of memory for the HEIC decoder");
        goto done;
    }
    heif_context_set_maximum_image_size_limit(ctx, MAX_SIDE);
    heif_context_set_max_decoding_threads(ctx, 0); /* this thread, whose budget it is */
    e = heif_context_read_from_memory_without_copy(ctx, coded->data, coded->size, NULL);
    if (e.code == heif_error_Ok)
        e = heif_context_get_primary_image_handle(ctx, &handle);
    if (e.code != heif_error_Ok) {
        rc = fail(err, e);
        goto done;
    }
    const int width = heif_image_handle_get_width(handle), height = heif_image_handle_get_height(handle);
    if (width < 1 || height < 1) {
        rc = FG_FAIL(err, FG_ERR_INPUT,
                     "a damaged HEIC photo (it says %d x %d pixels); copy or save it again", width, height);
        goto done;
    }
    if ((rc = fg_image_check_size((uint64_t)width, (uint64_t)height, 0, err)) != FG_OK)
        goto done;
    /* No grid larger than its photo before that was cropped and turned; a single tile may be. */
    const int w0 = heif_image_handle_get_ispe_width(handle), h0 = heif_image_handle_get_ispe_height(handle);
    const int longer = w0 > h0 ? w0 : h0;
    heif_context_set_maximum_image_size_limit(ctx, longer > MIN_SIDE ? longer : MIN_SIDE);
    options->convert_hdr_to_8bit = 1;
    options->decoder_id = FG_HEVC_DECODER;
    fg_hevc_set_budget(BUDGET_PIXELS);
    e = heif_decode_image(handle, &image, heif_colorspace_RGB, heif_chroma_interleaved_RGB, options);
    if (e.code != heif_error_Ok) {
        rc = fail(err, e);
        goto done;
    }
    /* What was decoded counts, not what the header promised. */
    const int w = heif_image_get_width(image, heif_channel_interleaved);
    const int h = heif_image_get_height(image, heif_channel_interleaved);
    uint8_t *pixels = heif_image_get_plane(image, heif_channel_interleaved, &stride);
    if (!pixels || w < 1 || h < 1 || stride < w * 3) {
        rc = FG_FAIL(err, FG_ERR_INPUT, "a damaged HEIC photo; copy or save it again");
        goto done;
    }
    coded->halvings = fg_pixels_halvings(w, h, coded->max_side);
    if ((rc = fg_reducer_init(&reducer, w, h, coded->halvings, err)) != FG_OK)
        goto done;
    for (int y = 0; y < h; y++)
        fg_reducer_row(&reducer, pixels + (size_t)y * (size_t)stride);
    *frame = reducer.frame;
    reducer.frame = (fg_frame){0};
    coded->orientation = 1;
done:
    fg_reducer_deinit(&reducer);
    if (image)
        heif_image_release(image);
    if (handle)
        heif_image_handle_release(handle);
    if (options)
        heif_decoding_options_free(options);
    if (ctx)
        heif_context_free(ctx);
    return rc;
}
