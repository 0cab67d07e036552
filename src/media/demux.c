#include "media/demux.h"

#include "base/limits.h"
#include "media/container.h"
#include "media/sniff.h"

#include <errno.h>
#include <fcntl.h>
#include <libavutil/display.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The buffer for a video's index; packets are read past it. So small that hardly a track lies between two
 * looks at how large the index has become: see read_goes_on. */
#define IO_BYTES 512
#define PROBE_BYTES 5000000
#define MAX_READS ((long)FG_MAX_VIDEO_SAMPLES) /* packets of any stream */
#define MAX_FAILURES 16
/* One allocation inside FFmpeg; a plane of the largest frame in 16 bits is 71 MB. */
#define MAX_ALLOCATION ((size_t)256 << 20)

static const struct {
    enum AVCodecID id;
    const char *decoders[2]; /* the first one that this FFmpeg has */
} codecs[] = {
    {AV_CODEC_ID_H264, {"h264"}},   {AV_CODEC_ID_HEVC, {"hevc"}},
    {AV_CODEC_ID_VP8, {"vp8"}},     {AV_CODEC_ID_VP9, {"vp9"}},
    {AV_CODEC_ID_MPEG4, {"mpeg4"}}, {AV_CODEC_ID_AV1, {"libdav1d", "libaom-av1"}},
};
#define DECODERS "h264,hevc,vp8,vp9,mpeg4,libdav1d,libaom-av1"
#define DEMUXERS "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm"

fg_code fg_demuxer_fail(const fg_demuxer *demuxer, int averror, const char *what, fg_error *err)
{
    char why[AV_ERROR_MAX_STRING_SIZE] = "";
    if (demuxer->cancelled)
        return FG_FAIL(err, FG_ERR_CANCELLED, "cancelled while it was read");
    if (demuxer->too_many)
        return fg_container_too_many(err);
    if (averror == AVERROR(ENOMEM))
        return FG_FAIL(err, FG_ERR_MEMORY, "out of memory for the video");
    if (demuxer->read_errno)
        return FG_FAIL(err, FG_ERR_IO, "cannot read the video: %s", strerror(demuxer->read_errno));
    av_strerror(averror, why, sizeof why);
    return FG_FAIL(err, FG_ERR_INPUT, "%s (%s); copy or record it again", what, why);
}

/* FFmpeg may take the error of such a read for the end of the file. */
static bool is_stopped(const fg_demuxer *d)
{
    return d->too_many || d->cancelled;
}

/* FFmpeg does not ask while it opens a file, but it reads. What fg_container_check has not found, since it
 * lies where no index should be, shows here as soon as FFmpeg has made entries of it. */
static bool read_goes_on(fg_demuxer *d)
{
    int64_t samples = 0;
    for (unsigned i = 0; d->format && i < d->format->nb_streams; i++)
        samples += avformat_index_get_entries_count(d->format->streams[i]);
    d->too_many |= samples > FG_MAX_VIDEO_SAMPLES;
    d->cancelled |= !fg_progress_tell(d->progress, "frames", d->done, d->total);
    return !is_stopped(d);
}

static int io_read(void *opaque, uint8_t *out, int want)
{
    fg_demuxer *d = opaque;
    if (!read_goes_on(d))
        return AVERROR_EXIT;
    for (;;) {
        if (d->position >= d->size)
            return AVERROR_EOF;
        uint64_t left = d->size - d->position;
        ssize_t n =
            pread(d->fd, out, left < (uint64_t)want ? (size_t)left : (size_t)want, (off_t)d->position);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            d->read_errno = errno;
            return AVERROR(errno);
        }
        d->position += (uint64_t)n;
        return n ? (int)n : AVERROR_EOF;
    }
}

static int64_t io_seek(void *opaque, int64_t offset, int whence)
{
    fg_demuxer *d = opaque;
    if (whence & AVSEEK_SIZE)
        return (int64_t)d->size;
    switch (whence & ~AVSEEK_FORCE) {
    case SEEK_SET:
        break;
    case SEEK_CUR:
        offset = offset > INT64_MAX - (int64_t)d->position ? -1 : offset + (int64_t)d->position;
        break;
    case SEEK_END:
        offset = offset > 0 ? -1 : offset + (int64_t)d->size;
        break;
    default:
        return AVERROR(EINVAL);
    }
    if (offset < 0)
        return AVERROR(EINVAL);
    d->position = (uint64_t)offset;
    return offset;
}

/* Whatever the file refers to: nothing else is ever opened. */
static int io_open_refused(struct AVFormatContext *s, AVIOContext **pb, const char *url, int flags,
                           AVDictionary **options)
{
    (void)s, (void)url, (void)flags, (void)options;
    *pb = NULL;
    return AVERROR(EPERM);
}

static fg_code open_file(fg_demuxer *d, const char *path, fg_media_format *format, fg_error *err)
{
    struct stat st;
    fg_sniffed sniffed;
    fg_code rc = fg_media_sniff_file(path, &sniffed, err);
    if (rc != FG_OK)
        return rc;
    *format = sniffed.format;
    if (sniffed.format == FG_FORMAT_EMPTY)
        rc = FG_FAIL(err, FG_ERR_INPUT, "the file is empty; copy or record it again");
    else if (sniffed.kind == FG_MEDIA_PHOTO)
        rc = FG_FAIL(err, FG_ERR_INPUT, "%s, not a video; give a video", sniffed.label);
    else if (sniffed.kind != FG_MEDIA_VIDEO)
        rc = FG_FAIL(err, sniffed.format == FG_FORMAT_FOREIGN ? FG_ERR_UNSUPPORTED : FG_ERR_INPUT,
                     "%s, neither a photo nor a video that is taken; give a JPEG, PNG, WebP or HEIC photo, "
                     "or an MP4, MOV, 3GP, WebM or MKV video",
                     sniffed.label);
    if (rc != FG_OK)
        return fg_error_prefix(err, rc, path);
    d->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (d->fd < 0)
        return FG_FAIL_ERRNO(err, "cannot open", path);
    if (fstat(d->fd, &st) != 0)
        return FG_FAIL_ERRNO(err, "cannot read", path);
    if (!S_ISREG(st.st_mode))
        rc = FG_FAIL(err, FG_ERR_INPUT, "not a plain file; give a video");
    else if ((uint64_t)st.st_size > FG_MAX_VIDEO_BYTES)
        rc = FG_FAIL(err, FG_ERR_LIMIT, "%llu MB; at most %llu MB are taken: cut it or save it smaller",
                     (unsigned long long)st.st_size >> 20, FG_MAX_VIDEO_BYTES >> 20);
    d->size = (uint64_t)st.st_size;
    return rc == FG_OK ? FG_OK : fg_error_prefix(err, rc, path);
}

static fg_code open_format(fg_demuxer *d, fg_media_format kind, fg_error *err)
{
    AVDictionary *options = NULL;
    fg_code rc = FG_OK;
    const AVInputFormat *input = av_find_input_format(kind == FG_FORMAT_MATROSKA ? "matroska" : "mov");
    uint8_t *buffer = av_malloc(IO_BYTES);
    AVIOContext *io = buffer ? avio_alloc_context(buffer, IO_BYTES, 0, d, io_read, NULL, io_seek) : NULL;
    if (!io) {
        av_free(buffer);
        return FG_FAIL(err, FG_ERR_MEMORY, "out of memory for the video");
    }
    d->format = avformat_alloc_context();
    if (!d->format || av_dict_set(&options, "format_whitelist", DEMUXERS, 0) < 0 ||
        av_dict_set(&options, "codec_whitelist", DECODERS, 0) < 0 ||
        av_dict_set(&options, "protocol_whitelist", "file", 0) < 0 ||
        av_dict_set_int(&options, "max_streams", FG_MAX_VIDEO_TRACKS, 0) < 0 ||
        av_dict_set_int(&options, "probesize", PROBE_BYTES, 0) < 0 ||
        av_dict_set(&options, "enable_drefs", "0", 0) < 0 ||
        av_dict_set(&options, "use_absolute_path", "0", 0) < 0) {
        rc = FG_FAIL(err, FG_ERR_MEMORY, "out of memory for the video");
        goto done;
    }
    if (!input) {
        rc = FG_FAIL(err, FG_ERR_UNSUPPORTED,
                     "the installed FFmpeg cannot read such videos; install libavformat");
        goto done;
    }
    d->format->pb = io;
    d->format->flags |= AVFMT_FLAG_CUSTOM_IO;
    d->format->io_open = io_open_refused;
    /* On failure the context is freed and set to NULL, but not the I/O. */
    int code = avformat_open_input(&d->format, NULL, input, &options);
    if (code < 0 || is_stopped(d))
        rc = fg_demuxer_fail(d, code, "a damaged video", err);
done:
    av_dict_free(&options);
    if (rc != FG_OK) {
        avformat_close_input(&d->format);
        av_freep(&io->buffer);
        avio_context_free(&io);
    }
    return rc;
}

/* The stream to read: never a cover picture; the default one before others, then the largest. */
static fg_code choose_stream(fg_demuxer *d, fg_error *err)
{
    int64_t best = -1;
    for (unsigned i = 0; i < d->format->nb_streams; i++) {
        AVStream *s = d->format->streams[i];
        const AVCodecParameters *p = s->codecpar;
        if (p->codec_type != AVMEDIA_TYPE_VIDEO || s->disposition & AV_DISPOSITION_ATTACHED_PIC)
            continue;
        int64_t rank = (int64_t)(p->width > 0 ? p->width : 0) * (p->height > 0 ? p->height : 0);
        if (s->disposition & AV_DISPOSITION_DEFAULT)
            rank += INT64_C(1) << 62;
        if (rank > best) {
            best = rank;
            d->stream = s;
        }
    }
    if (!d->stream)
        return FG_FAIL(err, FG_ERR_INPUT, "no video stream in the file, only %s; give a video with a picture",
                       d->format->nb_streams ? "sound or a cover" : "an empty container");
    return FG_OK;
}

static fg_code choose_decoder(fg_demuxer *d, fg_error *err)
{
    const AVCodecParameters *p = d->stream->codecpar;
    char fourcc[AV_FOURCC_MAX_STRING_SIZE];
    for (size_t i = 0; i < sizeof codecs / sizeof codecs[0]; i++) {
        if (codecs[i].id != p->codec_id)
            continue;
        for (int k = 0; k < 2 && codecs[i].decoders[k] && !d->decoder; k++)
            d->decoder = avcodec_find_decoder_by_name(codecs[i].decoders[k]);
        if (!d->decoder)
            return FG_FAIL(err, FG_ERR_UNSUPPORTED,
                           "the installed FFmpeg has no decoder for %s; convert the video to H.264",
                           avcodec_get_name(p->codec_id));
        return FG_OK;
    }
    return FG_FAIL(
        err, FG_ERR_UNSUPPORTED,
        "the video codec %s is not taken; convert the video to H.264, HEVC, VP8, VP9, AV1 or MPEG-4",
        p->codec_id == AV_CODEC_ID_NONE ? av_fourcc_make_string(fourcc, p->codec_tag)
                                        : avcodec_get_name(p->codec_id));
}

static fg_code check_size(const fg_demuxer *d, fg_error *err)
{
    const AVCodecParameters *p = d->stream->codecpar;
    if (p->width > 0 && p->height > 0 &&
        (uint64_t)p->width * (uint64_t)p->height > (uint64_t)FG_MAX_VIDEO_PIXELS)
        return FG_FAIL(err, FG_ERR_LIMIT,
                       "frames of %d x %d pixels; at most %u megapixels are taken: save it smaller", p->width,
                       p->height, FG_MAX_VIDEO_PIXELS >> 20);
    return FG_OK;
}

void fg_ffmpeg_setup(void)
{
    /* FFmpeg keeps both in one place for the whole process; they are the same in every call. */
    av_log_set_level(AV_LOG_QUIET);
    av_max_alloc(MAX_ALLOCATION);
}

fg_code fg_decoder_options(AVDictionary **options, int64_t max_pixels, int threads, fg_error *err)
{
    if (av_dict_set_int(options, "max_pixels", max_pixels, 0) < 0 ||
        av_dict_set_int(options, "threads", threads, 0) < 0 ||
        av_dict_set(options, "flags", "+bitexact", 0) < 0) {
        av_dict_free(options);
        return FG_FAIL(err, FG_ERR_MEMORY, "out of memory for the video");
    }
    return FG_OK;
}

/* Looks into the first frames: for the decoder's delay, without which the order of presentation is a guess.
 */
static fg_code probe(fg_demuxer *d, fg_error *err)
{
    AVDictionary *per_stream[FG_MAX_VIDEO_TRACKS] = {0};
    const unsigned streams = d->format->nb_streams;
    fg_code rc = FG_OK;
    if (streams > FG_MAX_VIDEO_TRACKS)
        return FG_FAIL(err, FG_ERR_LIMIT, "%u streams in the file; give a video with one", streams);
    for (unsigned i = 0; rc == FG_OK && i < streams; i++)
        rc = fg_decoder_options(&per_stream[i], (int64_t)FG_MAX_VIDEO_PIXELS, 1, err);
    if (rc == FG_OK) {
        int code = avformat_find_stream_info(d->format, per_stream);
        if (code < 0 || is_stopped(d))
            rc = fg_demuxer_fail(d, code, "a damaged video", err);
    }
    for (unsigned i = 0; i < streams; i++)
        av_dict_free(&per_stream[i]);
    return rc;
}

fg_code fg_demuxer_open(fg_demuxer *d, const char *path, const fg_progress *progress, fg_error *err)
{
    fg_media_format format = FG_FORMAT_UNKNOWN;
    *d = (fg_demuxer){.fd = -1, .progress = progress};
    fg_code rc = open_file(d, path, &format, err);
    if (rc != FG_OK)
        goto done;
    fg_ffmpeg_setup();
    if ((rc = fg_container_check(d->fd, d->size, format, d->container, err)) != FG_OK ||
        (rc = open_format(d, format, err)) != FG_OK || (rc = choose_stream(d, err)) != FG_OK ||
        (rc = choose_decoder(d, err)) != FG_OK || (rc = check_size(d, err)) != FG_OK ||
        (rc = probe(d, err)) != FG_OK || (rc = check_size(d, err)) != FG_OK) {
        rc = fg_error_prefix(err, rc, path);
        goto done;
    }
    for (unsigned i = 0; i < d->format->nb_streams; i++)
        if (d->format->streams[i] != d->stream)
            d->format->streams[i]->discard = AVDISCARD_ALL;
done:
    if (rc != FG_OK)
        fg_demuxer_close(d);
    return rc;
}

void fg_demuxer_close(fg_demuxer *d)
{
    if (d->format) {
        AVIOContext *io = d->format->pb;
        avformat_close_input(&d->format);
        av_freep(&io->buffer);
        avio_context_free(&io);
    }
    if (d->fd >= 0)
        close(d->fd);
    *d = (fg_demuxer){.fd = -1};
}

fg_code fg_demuxer_read(fg_demuxer *d, AVPacket *packet, bool *end, fg_error *err)
{
    *end = false;
    for (;;) {
        if (++d->reads > MAX_READS)
            return FG_FAIL(err, FG_ERR_LIMIT, "more than %ld packets; cut the video", MAX_READS);
        int code = av_read_frame(d->format, packet);
        if (code < 0 && is_stopped(d))
            return fg_demuxer_fail(d, code, "", err);
        if (code == AVERROR_EOF) {
            /* An MP4 knows how many there should be. What is missing at the very end is a matter of taste. */
            int indexed = avformat_index_get_entries_count(d->stream);
            if (strcmp(d->format->iformat->name, "matroska,webm") != 0 && d->packets < indexed - indexed / 50)
                d->broken_off = true;
            *end = true;
            return FG_OK;
        }
        if (code < 0) {
            if (code == AVERROR(ENOMEM) || d->read_errno)
                return fg_demuxer_fail(d, code, "the video breaks off", err);
            if (++d->failures < MAX_FAILURES)
                continue;
            d->broken_off = true;
            *end = true;
            return FG_OK;
        }
        d->failures = 0;
        if (packet->stream_index == d->stream->index) {
            d->packets++;
            return FG_OK;
        }
        av_packet_unref(packet);
    }
}

int fg_demuxer_orientation(const fg_demuxer *d)
{
    size_t size = 0;
    const uint8_t *data = av_stream_get_side_data(d->stream, AV_PKT_DATA_DISPLAYMATRIX, &size);
    int32_t m[9];
    if (!data || size < sizeof m)
        return 1;
    memcpy(m, data, sizeof m);
    /* x' = a x + c y, y' = b x + d y: whether rows become columns, and which of the two is reversed. Other
     * angles than multiples of 90 degrees go to the nearest. */
    const int64_t a = m[0], b = m[1], c = m[3], dd = m[4];
    if (llabs(a) + llabs(dd) >= llabs(b) + llabs(c))
        return a < 0 ? (dd < 0 ? 3 : 2) : (dd < 0 ? 4 : 1);
    return c < 0 ? (b < 0 ? 7 : 6) : (b < 0 ? 8 : 5);
}
