#include "media/container.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define MAX_BOXES 200000 /* a fragmented video has two for each fragment */

/* As much as there is, up to want bytes. */
static size_t read_at(int fd, uint64_t at, uint8_t *out, size_t want)
{
    size_t got = 0;
    while (got < want) {
        ssize_t n = pread(fd, out + got, want - got, (off_t)(at + got));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        got += (size_t)n;
    }
    return got;
}

static uint64_t big_endian(const uint8_t *p, int bytes)
{
    uint64_t v = 0;
    for (int i = 0; i < bytes; i++)
        v = v << 8 | p[i];
    return v;
}

static fg_code cut_off(fg_error *err, uint64_t need, uint64_t have)
{
    return FG_FAIL(err, FG_ERR_INPUT,
                   "the video is cut off (%llu of at least %llu bytes are there); copy or upload it again",
                   (unsigned long long)have, (unsigned long long)need);
}

static fg_code check_mp4(int fd, uint64_t size, char name[16], fg_error *err)
{
    bool index = false;
    uint64_t at = 0;
    snprintf(name, 16, "mov"); /* QuickTime files may begin without an ftyp */
    for (int boxes = 0; boxes < MAX_BOXES && at < size; boxes++) {
        uint8_t head[16];
        size_t got = read_at(fd, at, head, sizeof head);
        if (got < 8)
            break;
        uint64_t length = big_endian(head, 4);
        if (length == 1)
            length = got < 16 ? 16 : big_endian(head + 8, 8);
        else if (length == 0)
            length = size - at;
        if (length < 8)
            break;
        if (memcmp(head + 4, "ftyp", 4) == 0 && got >= 12)
            snprintf(name, 16, "%s",
                     memcmp(head + 8, "qt  ", 4) == 0 ? "mov"
                     : memcmp(head + 8, "3g", 2) == 0 ? "3gp"
                                                      : "mp4");
        bool media = memcmp(head + 4, "mdat", 4) == 0 || memcmp(head + 4, "moof", 4) == 0;
        bool moov = memcmp(head + 4, "moov", 4) == 0;
        index |= moov;
        if (length > size - at) {
            /* What some cameras append is not ours to judge. */
            if (media || moov)
                return cut_off(err, length > UINT64_MAX - at ? UINT64_MAX : at + length, size);
            break;
        }
        at += length;
    }
    if (!index)
        return FG_FAIL(err, FG_ERR_INPUT,
                       "the video has no index (moov): the recording or the copy broke off; "
                       "record or copy it again");
    return FG_OK;
}

/* A variable-length number (RFC 8794, 4); false where it does not fit into the bytes at hand. */
static bool read_vint(const uint8_t *p, size_t size, size_t *used, uint64_t *value, bool *unknown)
{
    int bytes = 1;
    if (size == 0 || p[0] == 0)
        return false;
    while (!(p[0] & (0x80 >> (bytes - 1))))
        bytes++;
    if ((size_t)bytes > size)
        return false;
    uint64_t mask = (UINT64_C(1) << (7 * bytes)) - 1;
    *value = big_endian(p, bytes) & mask;
    *unknown = *value == mask;
    *used = (size_t)bytes;
    return true;
}

static fg_code check_matroska(int fd, uint64_t size, char name[16], fg_error *err)
{
    uint8_t head[128];
    size_t got = read_at(fd, 0, head, sizeof head), used;
    uint64_t length;
    bool unknown;
    snprintf(name, 16, "mkv");
    if (got < 5 || !read_vint(head + 4, got - 4, &used, &length, &unknown) || unknown || length > size)
        return cut_off(err, size + 1, size);
    uint64_t segment = 4 + used + length;
    for (size_t i = 4; i + 7 <= got && i + 7 <= segment; i++) /* DocType, a short string */
        if (memcmp(head + i, "\x42\x82\x84webm", 7) == 0)
            snprintf(name, 16, "webm");
    got = segment < size ? read_at(fd, segment, head, 12) : 0;
    if (got < 5)
        return cut_off(err, segment + 12, size);
    /* A live recording does not know its size; anything but a segment is left to the demuxer. */
    if (memcmp(head, "\x18\x53\x80\x67", 4) == 0 && read_vint(head + 4, got - 4, &used, &length, &unknown) &&
        !unknown && length > size - segment - 4 - used)
        return cut_off(err, segment + 4 + used + length, size);
    return FG_OK;
}

fg_code fg_container_check(int fd, uint64_t size, fg_media_format format, char name[16], fg_error *err)
{
    name[0] = 0;
    return format == FG_FORMAT_MATROSKA ? check_matroska(fd, size, name, err)
                                        : check_mp4(fd, size, name, err);
}
