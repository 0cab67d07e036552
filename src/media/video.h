/* Videos through FFmpeg's libraries: every n-th frame, upright.
 *
 * Containers and codecs are an allow-list: mp4, mov, 3gp, webm, mkv; H.264, HEVC, VP8, VP9, AV1, MPEG-4.
 * Orientation comes from the stream's display matrix, unless rotate says otherwise. Only local files are
 * opened; a container cannot make FFmpeg open anything else. Frames are numbered in the order of
 * presentation, and `every` counts frames, not time, so that a variable frame rate needs no special care;
 * time_ms is the frame's own presentation time from the start of the video. */
#ifndef FG_MEDIA_VIDEO_H
#define FG_MEDIA_VIDEO_H

#include "base/frame.h"
#include "base/progress.h"

typedef struct fg_video fg_video;

enum { FG_ROTATE_AUTO = -1 };

/* "auto" (or NULL, or empty), "0", "90", "180", "270" to what fg_video_options.rotate takes; anything else is
 * FG_ERR_INPUT. */
fg_code fg_video_read_rotation(const char *text, int *rotate, fg_error *err) FG_MUST_CHECK;

typedef struct fg_video_options {
    int every;    /* >= 1: frames 0, every, 2 * every ... are returned */
    int rotate;   /* FG_ROTATE_AUTO, or 0, 90, 180, 270 degrees clockwise in place of the display matrix */
    int max_side; /* frames are scaled down (area averaging) so that the longer side is at most this; 0: never
                   */
    int threads;  /* of the decoder; 0 or 1 for one */
    const fg_progress *progress; /* "frames": sampled of expected, told again and again while the file is
                                    opened and read; borrowed until the close. NULL: none */
} fg_video_options;

typedef struct fg_video_info {
    int width, height; /* upright, before max_side */
    int rotation;      /* degrees clockwise that were applied */
    double seconds;    /* 0 where the container does not say */
    double frames_per_second;
    long frames; /* an estimate for progress; 0 where unknown */
    char container[32];
    char codec[32];
} fg_video_info;

/* Errors: FG_ERR_NOT_FOUND, FG_ERR_INPUT (broken; no video stream), FG_ERR_UNSUPPORTED (container or codec,
 * named), FG_ERR_LIMIT (bytes, pixels, seconds, samples), FG_ERR_CANCELLED (by progress). options and path
 * are copied. */
fg_code fg_video_open(fg_video **video, const char *path, const fg_video_options *options,
                      fg_error *err) FG_MUST_CHECK;
void fg_video_close(fg_video *video); /* NULL is fine */
const fg_video_info *fg_video_info_view(const fg_video *video);
/* Moves to the next sampled frame. FG_OK with frame->rgb NULL is the end. *frame is init'ed here, the caller
 * deinits. A few damaged packets are skipped as players do; a video none of whose frames can be decoded, or
 * that breaks off, is FG_ERR_INPUT. */
fg_code fg_video_next(fg_video *video, fg_frame *frame, fg_error *err) FG_MUST_CHECK;

#endif
