#include "media/hevc.h"

#include "base/limits.h"
#include "media/demux.h"

#include <libavutil/pixdesc.h>
#include <libheif/heif.h>
#include <libheif/heif_plugin.h>
#include <string.h>
#include <threads.h>

#define MIN_COST 4096 /* pixels, of a picture however small: so that their number is bounded as well */

/* libheif makes decoders without telling for whom; it decodes on the thread that asked it to. */
static _Thread_local uint64_t pixels_left;

typedef struct decoder {
    uint8_t *nals; /* owned; each behind its length in 4 bytes, big endian (ISO/IEC 14496-15) */
    size_t size;
} decoder;

static const struct heif_error ok = {heif_error_Ok, heif_suberror_Unspecified, "Success"};
static const struct heif_error no_memory = {heif_error_Memory_allocation_error, heif_suberror_Unspecified,
                                            "out of memory"};
static const struct heif_error too_large = {heif_error_Memory_allocation_error,
                                            heif_suberror_Security_limit_exceeded, "too many pixels"};
static const struct heif_error damaged = {heif_error_Decoder_plugin_error, heif_suberror_Unspecified,
                                          "its HEVC picture is damaged"};
static const struct heif_error unsupported = {heif_error_Unsupported_feature, heif_suberror_Unspecified,
                                              "an unusual pixel format"};

static const char *plugin_name(void)
{
    return "FFmpeg's hevc decoder";
}

static int supports(enum heif_compression_format format)
{
    return format == heif_compression_HEVC ? 1000 : 0; /* ahead of every other */
}

static struct heif_error new_decoder(void **out)
{
    *out = av_mallocz(sizeof(decoder));
    return *out ? ok : no_memory;
}

static void free_decoder(void *opaque)
{
    decoder *d = opaque;
    if (d)
        av_free(d->nals);
    av_free(d);
}

static struct heif_error push_data(void *opaque, const void *data, size_t size)
{
    decoder *d = opaque;
    if (size > FG_MAX_PHOTO_BYTES || d->size > FG_MAX_PHOTO_BYTES)
        return too_large;
    uint8_t *more = av_realloc(d->nals, d->size + size + AV_INPUT_BUFFER_PADDING_SIZE);
    if (!more)
        return no_memory;
    d->nals = more;
    memcpy(more + d->size, data, size);
    d->size += size;
    memset(more + d->size, 0, AV_INPUT_BUFFER_PADDING_SIZE);
    return ok;
}

/* Start codes in place of lengths (H.265, Annex B); both have 4 bytes. */
static bool to_byte_stream(decoder *d)
{
    size_t at = 0;
    while (at + 4 <= d->size) {
        uint8_t *p = d->nals + at;
        const size_t length = (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];
        if (length > d->size - at - 4)
            return false;
        memcpy(p, (const uint8_t[4]){0, 0, 0, 1}, 4);
        at += 4 + length;
    }
    return at == d->size && at > 0;
}

static void set_profile(struct heif_image *image, const AVFrame *picture)
{
    struct heif_color_profile_nclx *nclx = heif_nclx_color_profile_alloc();
    if (!nclx)
        return;
    /* Both count as ISO/IEC 23091-2 does. Values that libheif does not know stay unspecified. */
    (void)heif_nclx_color_profile_set_color_primaries(nclx, (uint16_t)picture->color_primaries);
    (void)heif_nclx_color_profile_set_transfer_characteristics(nclx, (uint16_t)picture->color_trc);
    (void)heif_nclx_color_profile_set_matrix_coefficients(nclx, (uint16_t)picture->colorspace);
    nclx->full_range_flag = picture->color_range == AVCOL_RANGE_JPEG;
    (void)heif_image_set_nclx_color_profile(image, nclx);
    heif_nclx_color_profile_free(nclx);
}

/* Deeper samples lose their low bits here already: libheif cannot turn all pictures of more than 8 bits. */
static void copy_row(uint8_t *to, const uint8_t *from, int width, int depth)
{
    if (depth == 8) {
        memcpy(to, from, (size_t)width);
        return;
    }
    const uint16_t *deep = (const void *)from; /* FFmpeg aligns its rows */
    for (int x = 0; x < width; x++)
        to[x] = (uint8_t)(deep[x] >> (depth - 8));
}

static struct heif_error to_heif(const AVFrame *picture, struct heif_image **out)
{
    static const enum heif_channel channels[3] = {heif_channel_Y, heif_channel_Cb, heif_channel_Cr};
    const AVPixFmtDescriptor *desc = av_pix_fmt_desc_get(picture->format);
    if (!desc ||
        desc->flags &
            (AV_PIX_FMT_FLAG_RGB | AV_PIX_FMT_FLAG_BE | AV_PIX_FMT_FLAG_HWACCEL | AV_PIX_FMT_FLAG_PAL) ||
        (desc->nb_components != 1 && desc->nb_components != 3) || desc->comp[0].depth < 8)
        return unsupported;
    const int planes = desc->nb_components, depth = desc->comp[0].depth;
    const enum heif_chroma chroma = planes == 1           ? heif_chroma_monochrome
                                    : desc->log2_chroma_h ? heif_chroma_420
                                    : desc->log2_chroma_w ? heif_chroma_422
                                                          : heif_chroma_444;
    struct heif_image *image = NULL;
    struct heif_error e =
        heif_image_create(picture->width, picture->height,
                          planes == 1 ? heif_colorspace_monochrome : heif_colorspace_YCbCr, chroma, &image);
    for (int i = 0; e.code == heif_error_Ok && i < planes; i++) {
        const int w = i ? AV_CEIL_RSHIFT(picture->width, desc->log2_chroma_w) : picture->width;
        const int h = i ? AV_CEIL_RSHIFT(picture->height, desc->log2_chroma_h) : picture->height;
        int stride;
        e = heif_image_add_plane(image, channels[i], w, h, 8);
        uint8_t *to = e.code == heif_error_Ok ? heif_image_get_plane(image, channels[i], &stride) : NULL;
        for (int y = 0; to && y < h; y++)
            copy_row(to + (size_t)y * (size_t)stride, picture->data[i] + (ptrdiff_t)y * picture->linesize[i],
                     w, depth);
    }
    if (e.code == heif_error_Ok) {
        set_profile(image, picture);
        *out = image;
    } else if (image) {
        heif_image_release(image);
    }
    return e;
}

static struct heif_error decode(decoder *d, AVCodecContext *codec, AVPacket *packet, AVFrame *picture,
                                struct heif_image **out)
{
    AVDictionary *options = NULL;
    struct heif_error e = damaged;
    const uint64_t most = pixels_left < FG_MAX_FRAME_PIXELS ? pixels_left : FG_MAX_FRAME_PIXELS;
    if (fg_decoder_options(&options, (int64_t)most, 1, NULL) != FG_OK)
        return no_memory;
    packet->data = d->nals;
    packet->size = (int)d->size;
    if (avcodec_open2(codec, codec->codec, &options) >= 0 && avcodec_send_packet(codec, packet) >= 0 &&
        avcodec_send_packet(codec, NULL) >= 0 && avcodec_receive_frame(codec, picture) >= 0 &&
        !picture->decode_error_flags && !(picture->flags & AV_FRAME_FLAG_CORRUPT))
        e = to_heif(picture, out);
    const uint64_t cost = (uint64_t)codec->coded_width * (uint64_t)codec->coded_height + MIN_COST;
    pixels_left -= cost < pixels_left ? cost : pixels_left;
    av_dict_free(&options);
    return e;
}

static struct heif_error decode_image(void *opaque, struct heif_image **out)
{
    decoder *d = opaque;
    struct heif_error e = no_memory;
    *out = NULL;
    if (pixels_left == 0)
        return too_large;
    if (!d->nals || !to_byte_stream(d))
        return damaged;
    AVCodecContext *codec = avcodec_alloc_context3(avcodec_find_decoder_by_name("hevc"));
    AVPacket *packet = av_packet_alloc();
    AVFrame *picture = av_frame_alloc();
    if (codec && packet && picture)
        e = codec->codec ? decode(d, codec, packet, picture, out) : unsupported;
    av_frame_free(&picture);
    av_packet_free(&packet);
    avcodec_free_context(&codec);
    return e;
}

static void set_strict(void *opaque, int flag)
{
    (void)opaque, (void)flag; /* always */
}

static const struct heif_decoder_plugin plugin = {
    .plugin_api_version = 3,
    .get_plugin_name = plugin_name,
    .does_support_format = supports,
    .new_decoder = new_decoder,
    .free_decoder = free_decoder,
    .push_data = push_data,
    .decode_image = decode_image,
    .set_strict_decoding = set_strict,
    .id_name = FG_HEVC_DECODER,
};

static once_flag once = ONCE_FLAG_INIT;
static struct heif_error registered; /* written once, before anything reads it */

static void register_plugin(void)
{
    registered = heif_register_decoder_plugin(&plugin);
}

fg_code fg_hevc_register(fg_error *err)
{
    fg_ffmpeg_setup();
    call_once(&once, register_plugin);
    if (registered.code != heif_error_Ok)
        return FG_FAIL(err, FG_ERR_UNSUPPORTED,
                       "the installed libheif takes no decoder of ours; install libheif 1.15");
    return FG_OK;
}

void fg_hevc_set_budget(uint64_t pixels)
{
    pixels_left = pixels;
}
