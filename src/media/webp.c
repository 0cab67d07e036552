/* WebP (RFC 9649) through libwebp. */
#include "media/codecs.h"

#include "base/limits.h"
#include "media/pixels.h"

#include <stdlib.h>
#include <webp/decode.h>
#include <webp/demux.h>

static fg_code fail(fg_error *err, VP8StatusCode status)
{
    switch (status) {
    case VP8_STATUS_OUT_OF_MEMORY:
        return FG_FAIL(err, FG_ERR_MEMORY, "out of memory for a WebP picture");
    case VP8_STATUS_NOT_ENOUGH_DATA:
    case VP8_STATUS_SUSPENDED:
        return FG_FAIL(err, FG_ERR_INPUT, "a WebP picture that is cut off; copy or upload it again");
    case VP8_STATUS_UNSUPPORTED_FEATURE:
        return FG_FAIL(err, FG_ERR_UNSUPPORTED,
                       "a WebP picture with an unknown feature; save it as JPEG or PNG");
    default:
        return FG_FAIL(err, FG_ERR_INPUT, "a damaged WebP picture; copy or save it again");
    }
}

static int exif_orientation(const fg_coded *coded)
{
    int orientation = 1;
    const WebPData data = {coded->data, coded->size};
    WebPChunkIterator chunk;
    WebPDemuxer *demuxer = WebPDemux(&data);
    if (demuxer && WebPDemuxGetChunk(demuxer, "EXIF", 1, &chunk)) {
        orientation = fg_exif_orientation(chunk.chunk.bytes, chunk.chunk.size);
        WebPDemuxReleaseChunkIterator(&chunk);
    }
    WebPDemuxDelete(demuxer);
    return orientation;
}

fg_code fg_webp_decode(fg_frame *frame, fg_coded *coded, fg_error *err)
{
    fg_code rc;
    WebPDecoderConfig config;
    VP8StatusCode status;
    fg_reducer reducer = {0};
    uint8_t *pixels = NULL;
    *frame = (fg_frame){0};
    if (!WebPInitDecoderConfig(&config))
        return FG_FAIL(err, FG_ERR_INTERNAL, "libwebp is not the version that this program was built for");
    if ((status = WebPGetFeatures(coded->data, coded->size, &config.input)) != VP8_STATUS_OK) {
        rc = fail(err, status);
        goto done;
    }
    const int width = config.input.width, height = config.input.height;
    if ((rc = fg_image_check_size((uint64_t)width, (uint64_t)height, 0, err)) != FG_OK)
        goto done;
    if (config.input.has_animation) {
        rc = FG_FAIL(err, FG_ERR_UNSUPPORTED, "an animated WebP; save one picture of it as JPEG or PNG");
        goto done;
    }
    const size_t row = (size_t)width * 3;
    coded->halvings = fg_pixels_halvings(width, height, coded->max_side);
    if (!(pixels = malloc(row * (size_t)height))) {
        rc = fail(err, VP8_STATUS_OUT_OF_MEMORY);
        goto done;
    }
    config.output.colorspace = MODE_RGB;
    config.output.is_external_memory = 1;
    config.output.u.RGBA.rgba = pixels;
    config.output.u.RGBA.stride = (int)row;
    config.output.u.RGBA.size = row * (size_t)height;
    if ((status = WebPDecode(coded->data, coded->size, &config)) != VP8_STATUS_OK) {
        rc = fail(err, status);
        goto done;
    }
    if ((rc = fg_reducer_init(&reducer, width, height, coded->halvings, err)) != FG_OK)
        goto done;
    for (int y = 0; y < height; y++)
        fg_reducer_row(&reducer, pixels + (size_t)y * row);
    *frame = reducer.frame;
    reducer.frame = (fg_frame){0};
    coded->orientation = exif_orientation(coded);
done:
    WebPFreeDecBuffer(&config.output);
    fg_reducer_deinit(&reducer);
    free(pixels);
    return rc;
}
