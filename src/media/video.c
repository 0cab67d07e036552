#include "media/video.h"

#include "base/limits.h"
#include "media/convert.h"
#include "media/demux.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_THREADS 16
#define MAX_DAMAGED 1000 /* packets that cannot be decoded, before the whole is called damaged */

struct fg_video {
    char *path;
    fg_video_options options;
    fg_video_info info;
    fg_demuxer demuxer;
    AVCodecContext *decoder;
    AVPacket *packet;
    AVFrame *picture;
    fg_converter converter;
    int orientation; /* EXIF's 1..8 */
    int64_t start;   /* the first frame's time stamp, in the stream's time base */
    long decoded;    /* frames in the order of presentation, so far */
    long sampled;
    long damaged;
    bool drained; /* the decoder has been told that no more will come */
    bool finished;
};

/* Degrees clockwise of each EXIF orientation, mirrored ones included. */
static const int degrees_of[9] = {0, 0, 0, 180, 180, 90, 90, 270, 270};

static int orientation_of(const fg_video *v)
{
    switch (v->options.rotate) {
    case 0:
        return 1;
    case 90:
        return 6;
    case 180:
        return 3;
    case 270:
        return 8;
    default:
        return fg_demuxer_orientation(&v->demuxer);
    }
}

fg_code fg_video_read_rotation(const char *text, int *rotate, fg_error *err)
{
    static const struct {
        const char *text;
        int rotate;
    } words[] = {
        {"auto", FG_ROTATE_AUTO}, {"", FG_ROTATE_AUTO}, {"0", 0}, {"90", 90}, {"180", 180}, {"270", 270}};
    *rotate = FG_ROTATE_AUTO;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(text ? text : "", words[i].text) == 0) {
            *rotate = words[i].rotate;
            return FG_OK;
        }
    return FG_FAIL(err, FG_ERR_INPUT, "rotate: give auto, 0, 90, 180 or 270");
}

static fg_code check_options(const fg_video_options *o, fg_error *err)
{
    if (o->every < 1)
        return FG_FAIL(err, FG_ERR_USAGE, "every %d frames makes no sense; give 1 or more", o->every);
    if (o->rotate != FG_ROTATE_AUTO && o->rotate != 0 && o->rotate != 90 && o->rotate != 180 &&
        o->rotate != 270)
        return FG_FAIL(err, FG_ERR_USAGE, "cannot rotate by %d degrees; give auto, 0, 90, 180 or 270",
                       o->rotate);
    if (o->max_side < 0)
        return FG_FAIL(err, FG_ERR_USAGE, "a longer side of %d pixels; give 0 or more", o->max_side);
    return FG_OK;
}

static AVRational shape_of(fg_video *v, AVFrame *picture)
{
    return av_guess_sample_aspect_ratio(v->demuxer.format, v->demuxer.stream, picture);
}

static void fill_info(fg_video *v)
{
    fg_video_info *info = &v->info;
    AVStream *s = v->demuxer.stream;
    int width, height;
    fg_converter_size(s->codecpar->width, s->codecpar->height, shape_of(v, NULL), 0, &width, &height);
    const bool exchanged = v->orientation >= 5;
    info->width = exchanged ? height : width;
    info->height = exchanged ? width : height;
    info->rotation = degrees_of[v->orientation];
    if (s->duration != AV_NOPTS_VALUE && s->duration > 0)
        info->seconds = (double)s->duration * av_q2d(s->time_base);
    else if (v->demuxer.format->duration != AV_NOPTS_VALUE && v->demuxer.format->duration > 0)
        info->seconds = (double)v->demuxer.format->duration / AV_TIME_BASE;
    const AVRational rate = av_guess_frame_rate(v->demuxer.format, s, NULL);
    if (rate.num > 0 && rate.den > 0)
        info->frames_per_second = av_q2d(rate);
    const int indexed = avformat_index_get_entries_count(s);
    if (s->nb_frames > 0 && s->nb_frames <= INT32_MAX)
        info->frames = indexed > 0 && indexed < s->nb_frames ? indexed : (long)s->nb_frames;
    else if (info->seconds * info->frames_per_second < 1e9)
        info->frames = (long)(info->seconds * info->frames_per_second + 0.5);
    snprintf(info->container, sizeof info->container, "%s", v->demuxer.container);
    snprintf(info->codec, sizeof info->codec, "%s", avcodec_get_name(s->codecpar->codec_id));
}

/* What the container says it holds, against the caps: better now than after minutes of decoding. */
static fg_code check_length(const fg_video *v, fg_error *err)
{
    const long every = v->options.every;
    if (v->info.seconds > FG_MAX_VIDEO_SECONDS)
        return FG_FAIL(err, FG_ERR_LIMIT, "the video lasts %.0f s; at most %d s are taken: cut it",
                       v->info.seconds, FG_MAX_VIDEO_SECONDS);
    if (v->info.frames > FG_MAX_VIDEO_FRAMES)
        return FG_FAIL(err, FG_ERR_LIMIT, "the video has %ld frames; at most %d are taken: cut it",
                       v->info.frames, FG_MAX_VIDEO_FRAMES);
    if (v->demuxer.total > FG_MAX_SAMPLED_FRAMES)
        return FG_FAIL(err, FG_ERR_LIMIT,
                       "every %ld of %ld frames is more than %d; use every %ld or more, or cut the video",
                       every, v->info.frames, FG_MAX_SAMPLED_FRAMES,
                       (v->info.frames + FG_MAX_SAMPLED_FRAMES - 1) / FG_MAX_SAMPLED_FRAMES);
    return FG_OK;
}

static fg_code open_decoder(fg_video *v, fg_error *err)
{
    AVDictionary *options = NULL;
    const int wanted = v->options.threads;
    fg_code rc = fg_decoder_options(&options, (int64_t)FG_MAX_VIDEO_PIXELS,
                                    wanted < 1             ? 1
                                    : wanted > MAX_THREADS ? MAX_THREADS
                                                           : wanted,
                                    err);
    if (rc != FG_OK)
        return rc;
    v->decoder = avcodec_alloc_context3(v->demuxer.decoder);
    v->packet = av_packet_alloc();
    v->picture = av_frame_alloc();
    int code = v->decoder && v->packet && v->picture
                   ? avcodec_parameters_to_context(v->decoder, v->demuxer.stream->codecpar)
                   : AVERROR(ENOMEM);
    if (code >= 0) {
        v->decoder->pkt_timebase = v->demuxer.stream->time_base;
        code = avcodec_open2(v->decoder, v->demuxer.decoder, &options);
    }
    if (code < 0)
        rc = fg_demuxer_fail(&v->demuxer, code, "the video cannot be decoded", err);
    av_dict_free(&options);
    return rc;
}

fg_code fg_video_open(fg_video **video, const char *path, const fg_video_options *options, fg_error *err)
{
    *video = NULL;
    fg_code rc = check_options(options, err);
    if (rc != FG_OK)
        return fg_error_prefix(err, rc, path);
    fg_video *v = calloc(1, sizeof *v);
    if (!v)
        return FG_FAIL(err, FG_ERR_MEMORY, "%s: out of memory", path);
    v->demuxer.fd = -1;
    v->options = *options;
    v->start = AV_NOPTS_VALUE;
    if (!(v->path = strdup(path))) {
        rc = FG_FAIL(err, FG_ERR_MEMORY, "%s: out of memory", path);
        goto done;
    }
    if ((rc = fg_demuxer_open(&v->demuxer, path, options->progress, err)) != FG_OK)
        goto done;
    v->orientation = orientation_of(v);
    fill_info(v);
    v->demuxer.total = (v->info.frames + options->every - 1) / options->every;
    if ((rc = check_length(v, err)) != FG_OK || (rc = open_decoder(v, err)) != FG_OK)
        rc = fg_error_prefix(err, rc, path);
done:
    if (rc == FG_OK)
        *video = v;
    else
        fg_video_close(v);
    return rc;
}

void fg_video_close(fg_video *video)
{
    if (!video)
        return;
    fg_converter_deinit(&video->converter);
    av_frame_free(&video->picture);
    av_packet_free(&video->packet);
    avcodec_free_context(&video->decoder);
    fg_demuxer_close(&video->demuxer);
    free(video->path);
    free(video);
}

const fg_video_info *fg_video_info_view(const fg_video *video)
{
    return &video->info;
}

static fg_code feed(fg_video *v, fg_error *err)
{
    bool end;
    fg_code rc = fg_demuxer_read(&v->demuxer, v->packet, &end, err);
    if (rc != FG_OK)
        return rc;
    int code = avcodec_send_packet(v->decoder, end ? NULL : v->packet);
    av_packet_unref(v->packet);
    v->drained = end;
    if (code == AVERROR(ENOMEM))
        return fg_demuxer_fail(&v->demuxer, code, "the video cannot be decoded", err);
    if (code < 0 && !end)
        v->damaged++;
    return FG_OK;
}

static fg_code finish(fg_video *v, fg_error *err)
{
    v->finished = true;
    if (v->decoded == 0)
        return FG_FAIL(err, FG_ERR_INPUT, "no frame of the video can be decoded; copy or record it again");
    if (v->demuxer.broken_off)
        return FG_FAIL(err, FG_ERR_INPUT, "the video breaks off after %ld frames; copy or record it again",
                       v->decoded);
    return FG_OK;
}

/* The next picture in the order of presentation, used or not; none at the end. */
static fg_code decode(fg_video *v, bool *got, fg_error *err)
{
    *got = false;
    for (;;) {
        int code = avcodec_receive_frame(v->decoder, v->picture);
        if (code >= 0) {
            *got = true;
            return FG_OK;
        }
        if (code == AVERROR(ENOMEM))
            return fg_demuxer_fail(&v->demuxer, code, "the video cannot be decoded", err);
        if (code == AVERROR_EOF || (v->drained && code == AVERROR(EAGAIN)))
            return finish(v, err);
        if (code != AVERROR(EAGAIN))
            v->damaged++;
        if (v->damaged > MAX_DAMAGED)
            return FG_FAIL(err, FG_ERR_INPUT,
                           "the video is damaged: %ld of its %ld packets cannot be decoded; copy or "
                           "record it again",
                           v->damaged, v->demuxer.packets);
        if (!v->drained) {
            fg_code rc = feed(v, err);
            if (rc != FG_OK)
                return rc;
        }
    }
}

static int64_t time_of(fg_video *v, long index)
{
    const int64_t stamp = v->picture->best_effort_timestamp;
    const AVRational ms = {1, 1000};
    if (stamp == AV_NOPTS_VALUE)
        return v->info.frames_per_second > 0 ? (int64_t)((double)index * 1000 / v->info.frames_per_second)
                                             : 0;
    if (v->start == AV_NOPTS_VALUE)
        v->start = stamp;
    const int64_t time_ms = av_rescale_q(stamp, v->demuxer.stream->time_base, ms) -
                            av_rescale_q(v->start, v->demuxer.stream->time_base, ms);
    return time_ms > 0 ? time_ms : 0;
}

static fg_code take(fg_video *v, fg_frame *frame, long index, int64_t time_ms, fg_error *err)
{
    if (++v->sampled > FG_MAX_SAMPLED_FRAMES)
        return FG_FAIL(err, FG_ERR_LIMIT, "every %d frames is more than %d; sample fewer, or cut the video",
                       v->options.every, FG_MAX_SAMPLED_FRAMES);
    v->demuxer.done = v->sampled;
    const fg_conversion how = {shape_of(v, v->picture), v->options.max_side, v->orientation};
    fg_code rc = fg_converter_run(&v->converter, v->picture, &how, frame, err);
    frame->index = (int)index;
    frame->time_ms = time_ms;
    return rc;
}

fg_code fg_video_next(fg_video *video, fg_frame *frame, fg_error *err)
{
    fg_code rc = FG_OK;
    *frame = (fg_frame){0};
    while (rc == FG_OK && !video->finished && !frame->rgb) {
        bool got;
        if ((rc = decode(video, &got, err)) != FG_OK || !got)
            break;
        const long index = video->decoded++;
        const int64_t time_ms = time_of(video, index);
        /* What a decoder had to make up is counted, but it is nobody's face. */
        const bool whole =
            !video->picture->decode_error_flags && !(video->picture->flags & AV_FRAME_FLAG_CORRUPT);
        if (index >= FG_MAX_VIDEO_FRAMES)
            rc = FG_FAIL(err, FG_ERR_LIMIT, "more than %d frames; cut the video", FG_MAX_VIDEO_FRAMES);
        else if (time_ms > FG_MAX_VIDEO_SECONDS * INT64_C(1000))
            rc = FG_FAIL(err, FG_ERR_LIMIT, "the video lasts more than %d s; cut it", FG_MAX_VIDEO_SECONDS);
        else if (whole && index % video->options.every == 0)
            rc = take(video, frame, index, time_ms, err);
        av_frame_unref(video->picture);
    }
    if (rc != FG_OK) {
        video->finished = true;
        fg_frame_deinit(frame);
        rc = fg_error_prefix(err, rc, video->path);
    }
    return rc;
}
