/* Videos: the first byte asks for sampling, turning and reduction, the rest is the file. */
#define _GNU_SOURCE /* memfd_create: a file without a disk */
#include "media/video.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[64];
    fg_video *video;
    fg_frame frame;
    fg_error err;
    if (size < 1)
        return 0;
    const fg_video_options options = {.every = 1 + (data[0] & 3) * 3,
                                      .rotate = data[0] & 4 ? 90 : FG_ROTATE_AUTO,
                                      .max_side = data[0] & 8 ? 32 : 0};
    const int fd = memfd_create("fuzz", MFD_CLOEXEC);
    if (fd < 0 || write(fd, data + 1, size - 1) != (ssize_t)(size - 1))
        abort();
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (fg_video_open(&video, path, &options, &err) == FG_OK) {
        for (int i = 0; i < 100 && fg_video_next(video, &frame, &err) == FG_OK && frame.rgb; i++) {
            if (frame.index % options.every != 0 || frame.width < 1 || frame.time_ms < 0)
                abort();
            fg_frame_deinit(&frame);
        }
        fg_video_close(video);
    }
    close(fd);
    return 0;
}
