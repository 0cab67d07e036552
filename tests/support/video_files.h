/* Videos in a folder of the test's own: made, changed, played, refused. */
#ifndef FG_TESTS_VIDEO_FILES_H
#define FG_TESTS_VIDEO_FILES_H

#include "base/file.h"
#include "media/video.h"

#include "support/ffmpeg.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FRAMES = 23, RATE = 25 };

static fg_error err;
static char dir[] = "/tmp/fg-video-XXXXXX";
static char path[256];
static const fg_video_options every_frame = {.every = 1, .rotate = FG_ROTATE_AUTO};

static inline const char *in_dir(const char *name)
{
    snprintf(path, sizeof path, "%s/%s", dir, name);
    return path;
}

/* Encodes the clip into a file of the test's folder. */
static inline void encode(const char *name, const char *how)
{
    if (!ffmpeg("-f rawvideo -pix_fmt rgb24 -s %dx%d -r %d -i %s/clip.rgb %s %s/%s", CLIP_WIDTH, CLIP_HEIGHT,
                RATE, dir, how, dir, name))
        fail_msg("ffmpeg cannot make %s", name);
}

static inline int open_files(void)
{
    int n = 0;
    DIR *d = opendir("/proc/self/fd");
    while (d && readdir(d))
        n++;
    if (d)
        closedir(d);
    return n;
}

static inline void assert_clear(const char *name)
{
    assert_non_null(strstr(err.msg, name));
    assert_null(strchr(err.msg, '\n'));
    if (!strpbrk(err.msg + strlen(name), ";:"))
        fail_msg("\"%s\" does not say what to do", err.msg);
}

/* Opens and reads to the end; the error is in err. */
static inline fg_code play(const char *name, const fg_video_options *options, int *frames)
{
    fg_video *video;
    fg_frame frame;
    char file[256];
    snprintf(file, sizeof file, "%s/%s", dir, name);
    memset(&err, 0, sizeof err);
    *frames = 0;
    fg_code rc = fg_video_open(&video, file, options, &err);
    if (rc != FG_OK) {
        assert_null(video);
        return rc;
    }
    while ((rc = fg_video_next(video, &frame, &err)) == FG_OK && frame.rgb) {
        ++*frames;
        fg_frame_deinit(&frame);
    }
    assert_null(frame.rgb);
    fg_video_close(video);
    return rc;
}

static inline void assert_refused(const char *name, fg_code code, const char *words)
{
    int frames;
    const int files = open_files();
    const fg_code rc = play(name, &every_frame, &frames);
    if (rc != code)
        fail_msg("%s: code %d, not %d: %s", name, rc, code, err.msg);
    assert_clear(name);
    if (!strstr(err.msg, words))
        fail_msg("\"%s\" does not say \"%s\"", err.msg, words);
    assert_int_equal(open_files(), files);
}

static inline uint8_t *find(fg_buf *file, const char *what, size_t from)
{
    const size_t n = strlen(what);
    for (size_t i = from; i + n <= file->size; i++)
        if (memcmp(file->data + i, what, n) == 0)
            return file->data + i;
    fail_msg("no %s in the file", what);
    return NULL;
}

static inline void load(const char *name, fg_buf *file)
{
    fg_buf_init(file, 64u << 20);
    if (fg_file_read(in_dir(name), file, &err) != FG_OK)
        fail_msg("%s", err.msg);
}

static inline void save(const char *name, const void *data, size_t size)
{
    FILE *f = fopen(in_dir(name), "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, size, f), size);
    assert_int_equal(fclose(f), 0);
}

#define H264 "-c:v libx264 -preset veryfast -pix_fmt yuv420p"
static inline int set_up(void **state)
{
    (void)state;
    if (!mkdtemp(dir))
        return -1;
    return clip_write_raw(in_dir("clip.rgb"), FRAMES) ? 0 : -1;
}

static inline int tear_down(void **state)
{
    (void)state;
    char command[300];
    snprintf(command, sizeof command, "rm -rf %s", dir);
    return system(command);
}

#endif
