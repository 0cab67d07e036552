/* A look at a video file's structure, before FFmpeg gets it: is all of it there? A cut off upload is by far
 * the commonest broken video, and deserves its own words before minutes are spent on decoding. And does the
 * index of an MP4 claim more samples than FG_MAX_VIDEO_SAMPLES? */
#ifndef FG_MEDIA_CONTAINER_H
#define FG_MEDIA_CONTAINER_H

#include "media/sniff.h"

/* fd is a plain file of size bytes; its position is not used. name (at least 16 bytes) receives "mp4", "mov",
 * "3gp", "mkv" or "webm". ISO/IEC 14496-12 4.2 and RFC 8794 with RFC 9559. Errors end with what to do, but do
 * not name the file. */
fg_code fg_container_check(int fd, uint64_t size, fg_media_format format, char name[16],
                           fg_error *err) FG_MUST_CHECK;
/* What it says of too many samples. */
fg_code fg_container_too_many(fg_error *err);

#endif
