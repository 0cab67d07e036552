/* A video file, opened by FFmpeg's libavformat under our rules: two demuxers, six codecs, one plain file and
 * nothing that it refers to. */
#ifndef FG_MEDIA_DEMUX_H
#define FG_MEDIA_DEMUX_H

#include "base/error.h"
#include "base/progress.h"

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <stdbool.h>

typedef struct fg_demuxer {
    int fd;
    uint64_t size, position; /* bytes */
    int read_errno;          /* of the last read that failed */
    AVFormatContext *format;
    AVStream *stream; /* the one video stream that is read */
    const AVCodec *decoder;
    char container[16];
    const fg_progress *progress; /* asked while it is read whether to go on */
    long done, total;            /* what is told to it; the caller's */
    long packets;                /* of that stream, so far */
    long reads;
    int failures;  /* in a row */
    bool too_many; /* samples in the index */
    bool cancelled;
    bool broken_off; /* the end came before the file's own index says */
} fg_demuxer;

/* demuxer must not move afterwards; progress is borrowed and may be NULL. Errors end with what to do, but do
 * not name the file, unless the file could not even be opened. */
fg_code fg_demuxer_open(fg_demuxer *demuxer, const char *path, const fg_progress *progress,
                        fg_error *err) FG_MUST_CHECK;
void fg_demuxer_close(fg_demuxer *demuxer);
/* The next packet of the stream into an empty one; *end at the end. */
fg_code fg_demuxer_read(fg_demuxer *demuxer, AVPacket *packet, bool *end, fg_error *err) FG_MUST_CHECK;
/* EXIF-style orientation 1..8 of the stream's display matrix (ISO/IEC 14496-12 8.3.2). */
int fg_demuxer_orientation(const fg_demuxer *demuxer);
/* Fills "why" of an FFmpeg error into an fg_error. */
fg_code fg_demuxer_fail(const fg_demuxer *demuxer, int averror, const char *what, fg_error *err);

/* FFmpeg prints nothing and takes no huge block of memory from now on. */
void fg_ffmpeg_setup(void);
/* The options of every decoder that is opened. */
fg_code fg_decoder_options(AVDictionary **options, int64_t max_pixels, int threads,
                           fg_error *err) FG_MUST_CHECK;

#endif
