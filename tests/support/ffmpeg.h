/* Small videos by the ffmpeg command, whose frames carry their number. */
#ifndef FG_TESTS_FFMPEG_H
#define FG_TESTS_FFMPEG_H

#include "support/picture.h"

#include <stdio.h>

enum { CLIP_WIDTH = 128, CLIP_HEIGHT = 96, CLIP_BITS = 8 };

/* One frame: a strip of eight black or white cells on top, the frame's number with the highest bit first;
 * below it the quadrants of picture.h. */
static inline void clip_frame(uint8_t *rgb, int number)
{
    for (int y = 0; y < CLIP_HEIGHT; y++)
        for (int x = 0; x < CLIP_WIDTH; x++) {
            uint8_t *p = rgb + ((size_t)y * CLIP_WIDTH + (size_t)x) * 3;
            const int bit = number >> (CLIP_BITS - 1 - x * CLIP_BITS / CLIP_WIDTH) & 1;
            if (y < CLIP_HEIGHT / 4)
                memset(p, bit ? 235 : 16, 3);
            else
                memcpy(p, picture_colour(CLIP_WIDTH, CLIP_HEIGHT, x, y), 3);
        }
}

static inline bool clip_write_raw(const char *path, int frames)
{
    uint8_t rgb[CLIP_WIDTH * CLIP_HEIGHT * 3];
    FILE *f = fopen(path, "wb");
    bool ok = f;
    for (int i = 0; ok && i < frames; i++) {
        clip_frame(rgb, i);
        ok = fwrite(rgb, 1, sizeof rgb, f) == sizeof rgb;
    }
    return f && fclose(f) == 0 && ok;
}

/* The number an upright frame carries, at any size; -1 where its quadrants are not upright. */
static inline int clip_number(const fg_frame *frame)
{
    int number = 0;
    for (int i = 0; i < 4; i++) {
        const int x = frame->width * (1 + 2 * (i % 2)) / 4,
                  y = frame->height * (i / 2 ? 3 : 1) / (i / 2 ? 4 : 1);
        const int at = i / 2 ? y : frame->height * 3 / 8;
        if (!pixel_near(frame, x, at, picture_colour(2, 2, i % 2, i / 2), 40))
            return -1;
    }
    for (int b = 0; b < CLIP_BITS; b++) {
        const int x = frame->width * (2 * b + 1) / (2 * CLIP_BITS), y = frame->height / 8;
        number = number << 1 | (frame->rgb[(size_t)y * frame->stride + (size_t)x * 3] > 128);
    }
    return number;
}

static inline bool have_ffmpeg(void)
{
    return system("ffmpeg -version >/dev/null 2>&1") == 0;
}

/* Runs "ffmpeg -v error -nostdin -y <the rest>"; the words are ours and need no quoting. */
static inline bool ffmpeg(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static inline bool ffmpeg(const char *fmt, ...)
{
    char words[4096], command[4200];
    va_list args;
    va_start(args, fmt);
    vsnprintf(words, sizeof words, fmt, args);
    va_end(args);
    snprintf(command, sizeof command, "ffmpeg -v error -nostdin -y -threads 1 -filter_threads 1 %s", words);
    return system(command) == 0;
}

#endif
