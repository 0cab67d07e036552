#include "media/convert.h"

#include "media/pixels.h"

#include <libavutil/opt.h>
#include <libavutil/pixdesc.h>
#include <libswscale/swscale.h>

void fg_converter_size(int width, int height, AVRational sar, int max_side, int *out_width, int *out_height)
{
    double w = width, h = height;
    /* From 4:1 on it is no picture of a face but a damaged header. */
    if (sar.num > 0 && sar.den > 0 && sar.num / sar.den < 4 && sar.den / sar.num < 4)
        w = w * sar.num / sar.den;
    double longer = w > h ? w : h;
    double scale = max_side > 0 && longer > max_side ? max_side / longer : 1;
    *out_width = (int)(w * scale + 0.5) > 0 ? (int)(w * scale + 0.5) : 1;
    *out_height = (int)(h * scale + 0.5) > 0 ? (int)(h * scale + 0.5) : 1;
}

/* Streams that do not say use BT.601 for standard and BT.709 for high definition, as players assume. */
static int matrix_of(const AVFrame *picture)
{
    if (picture->colorspace != AVCOL_SPC_UNSPECIFIED && picture->colorspace != AVCOL_SPC_RESERVED &&
        picture->colorspace != AVCOL_SPC_RGB)
        return (int)picture->colorspace;
    return picture->width >= 1280 || picture->height > 576 ? SWS_CS_ITU709 : SWS_CS_ITU601;
}

static int is_full_range(const AVFrame *picture)
{
    switch (picture->format) {
    case AV_PIX_FMT_YUVJ420P:
    case AV_PIX_FMT_YUVJ422P:
    case AV_PIX_FMT_YUVJ444P:
    case AV_PIX_FMT_YUVJ440P:
        return 1;
    default:
        return picture->color_range == AVCOL_RANGE_JPEG;
    }
}

static fg_code prepare(fg_converter *cv, const AVFrame *picture, int out_width, int out_height, fg_error *err)
{
    const int matrix = matrix_of(picture), full = is_full_range(picture);
    const char *format = av_get_pix_fmt_name(picture->format);
    if (cv->sws && cv->format == picture->format && cv->width == picture->width &&
        cv->height == picture->height && cv->colorspace == matrix && cv->full_range == full &&
        cv->out_width == out_width && cv->out_height == out_height)
        return FG_OK;
    fg_converter_deinit(cv);
    if (!format || !sws_isSupportedInput(picture->format))
        return FG_FAIL(err, FG_ERR_UNSUPPORTED,
                       "pixels in the format %s; convert the video to H.264 in 8 bits",
                       format ? format : "unknown");
    struct SwsContext *sws = sws_alloc_context();
    if (!sws)
        return FG_FAIL(err, FG_ERR_MEMORY, "out of memory for a video frame");
    /* Exact arithmetic: the same pixels, hence the same scores, whatever vector unit the machine has. */
    const int reduced = out_width < picture->width || out_height < picture->height;
    const int flags =
        (reduced ? SWS_AREA : SWS_BICUBIC) | SWS_ACCURATE_RND | SWS_BITEXACT | SWS_FULL_CHR_H_INT;
    av_opt_set_int(sws, "srcw", picture->width, 0);
    av_opt_set_int(sws, "srch", picture->height, 0);
    av_opt_set_int(sws, "src_format", picture->format, 0);
    av_opt_set_int(sws, "src_range", full, 0);
    av_opt_set_int(sws, "dstw", out_width, 0);
    av_opt_set_int(sws, "dsth", out_height, 0);
    av_opt_set_int(sws, "dst_format", AV_PIX_FMT_GBRP, 0);
    av_opt_set_int(sws, "dst_range", 1, 0);
    av_opt_set_int(sws, "sws_flags", flags, 0);
    /* Formats that are not YUV refuse the details, and need none. */
    (void)sws_setColorspaceDetails(sws, sws_getCoefficients(matrix), full,
                                   sws_getCoefficients(SWS_CS_DEFAULT), 1, 0, 1 << 16, 1 << 16);
    if (sws_init_context(sws, NULL, NULL) < 0) {
        sws_freeContext(sws);
        return FG_FAIL(err, FG_ERR_UNSUPPORTED,
                       "frames of %d x %d pixels in the format %s cannot be converted; convert the "
                       "video to H.264 in 8 bits",
                       picture->width, picture->height, format);
    }
    *cv = (fg_converter){sws,  picture->format, picture->width, picture->height, matrix,
                         full, out_width,       out_height,     av_frame_alloc()};
    if (cv->planar) {
        cv->planar->format = AV_PIX_FMT_GBRP;
        cv->planar->width = out_width;
        cv->planar->height = out_height;
    }
    if (!cv->planar || av_frame_get_buffer(cv->planar, 0) < 0) {
        fg_converter_deinit(cv);
        return FG_FAIL(err, FG_ERR_MEMORY, "out of memory for a video frame");
    }
    return FG_OK;
}

fg_code fg_converter_run(fg_converter *converter, const AVFrame *picture, const fg_conversion *how,
                         fg_frame *frame, fg_error *err)
{
    int width, height;
    *frame = (fg_frame){0};
    fg_converter_size(picture->width, picture->height, how->sar, how->max_side, &width, &height);
    fg_code rc = prepare(converter, picture, width, height, err);
    if (rc != FG_OK)
        return rc;
    const AVFrame *out = converter->planar;
    if (sws_scale(converter->sws, (const uint8_t *const *)picture->data, picture->linesize, 0,
                  picture->height, out->data, out->linesize) != height)
        return FG_FAIL(err, FG_ERR_MEMORY, "out of memory for a video frame");
    /* Planes of one buffer share their stride. */
    const fg_planes planes = {{out->data[2], out->data[0], out->data[1]}, width, height, 1, out->linesize[0]};
    return fg_pixels_gather(frame, &planes, how->orientation, err);
}

void fg_converter_deinit(fg_converter *converter)
{
    sws_freeContext(converter->sws);
    av_frame_free(&converter->planar);
    *converter = (fg_converter){0};
}
