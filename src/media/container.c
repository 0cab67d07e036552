#include "media/container.h"

#include "base/limits.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define MAX_BOXES 1000000 /* a fragmented video has about eight for each fragment */
#define MAX_DEPTH 4       /* trak, mdia, minf, stbl */

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

typedef struct box { /* ISO/IEC 14496-12 4.2 */
    uint8_t head[32];
    uint64_t length;
    size_t body; /* where the content begins: 8, or 16 behind a long length */
} box;

static bool is(const box *b, const char *type)
{
    return memcmp(b->head + 4, type, 4) == 0;
}

/* False where there is none that makes sense. The length may reach beyond the end. */
static bool read_box(int fd, uint64_t at, uint64_t end, box *b)
{
    *b = (box){.body = 8};
    if (at >= end || read_at(fd, at, b->head, sizeof b->head) < 8)
        return false;
    b->length = big_endian(b->head, 4);
    if (b->length == 1) {
        b->length = big_endian(b->head + 8, 8);
        b->body = 16;
    } else if (b->length == 0) {
        b->length = end - at;
    }
    return b->length >= b->body;
}

typedef struct sample_index {
    int fd;
    long boxes;
    int tracks;
    uint64_t samples;   /* of the tracks and fragments so far */
    uint64_t in_track;  /* of the present track */
    bool sound, single; /* the present track is sound, of samples that last one tick each */
} sample_index;

/* FFmpeg makes an index of one entry a sample before it gives out the first of them, also of what one number
 * of the file says is there. Sound as plain numbers it takes by the 1024. */
static int add_track(sample_index *index)
{
    index->samples += index->sound && index->single ? index->in_track / 1024 : index->in_track;
    index->in_track = 0;
    index->sound = index->single = false;
    return ++index->tracks;
}

static fg_code too_many_boxes(fg_error *err)
{
    return FG_FAIL(err, FG_ERR_LIMIT, "the video's index has more than %d parts; cut it or save it anew",
                   MAX_BOXES);
}

static void read_sample_count(sample_index *index, const box *b)
{
    const uint8_t *content = b->head + b->body + 4; /* behind version and flags */
    if (is(b, "hdlr"))
        index->sound |= memcmp(content + 4, "soun", 4) == 0;
    else if (is(b, "stts"))
        index->single = big_endian(content, 4) == 1 && big_endian(content + 8, 4) == 1;
    else if (is(b, "stsz") || is(b, "stz2"))
        index->in_track += big_endian(content + 4, 4);
    else if (is(b, "trun"))
        index->samples += big_endian(content, 4);
}

fg_code fg_container_too_many(fg_error *err)
{
    return FG_FAIL(err, FG_ERR_LIMIT,
                   "the video has more than %d frames and other samples; cut it or save it anew",
                   FG_MAX_VIDEO_SAMPLES);
}

/* The boxes between two places, and those inside that lead to a number of samples. */
static fg_code count_samples(sample_index *index, uint64_t at, uint64_t end, int depth, fg_error *err)
{
    static const char *const parents[] = {"trak", "mdia", "minf", "stbl", "traf"};
    box b;
    while (read_box(index->fd, at, end, &b)) {
        const uint64_t next = b.length < end - at ? at + b.length : end;
        bool parent = false;
        fg_code rc = FG_OK;
        if (++index->boxes > MAX_BOXES)
            return too_many_boxes(err);
        for (size_t i = 0; i < sizeof parents / sizeof *parents; i++)
            parent |= is(&b, parents[i]);
        if (parent && depth < MAX_DEPTH)
            rc = count_samples(index, at + b.body, next, depth + 1, err);
        else
            read_sample_count(index, &b);
        if (rc != FG_OK)
            return rc;
        if (is(&b, "trak") && add_track(index) > FG_MAX_VIDEO_TRACKS)
            return FG_FAIL(err, FG_ERR_LIMIT, "more than %d tracks in the file; give a video with one",
                           FG_MAX_VIDEO_TRACKS);
        if (index->samples > FG_MAX_VIDEO_SAMPLES)
            return fg_container_too_many(err);
        at = next;
    }
    return FG_OK;
}

static fg_code check_mp4(int fd, uint64_t size, char name[16], fg_error *err)
{
    sample_index index = {.fd = fd};
    bool indexed = false;
    uint64_t at = 0;
    box b;
    snprintf(name, 16, "mov"); /* QuickTime files may begin without an ftyp */
    while (read_box(fd, at, size, &b)) {
        if (++index.boxes > MAX_BOXES)
            return too_many_boxes(err);
        if (is(&b, "ftyp"))
            snprintf(name, 16, "%s",
                     memcmp(b.head + 8, "qt  ", 4) == 0 ? "mov"
                     : memcmp(b.head + 8, "3g", 2) == 0 ? "3gp"
                                                        : "mp4");
        const bool moov = is(&b, "moov"), moof = is(&b, "moof");
        indexed |= moov;
        if (b.length > size - at) {
            /* What some cameras append is not ours to judge. */
            if (moov || moof || is(&b, "mdat"))
                return cut_off(err, b.length > UINT64_MAX - at ? UINT64_MAX : at + b.length, size);
            break;
        }
        fg_code rc = moov || moof ? count_samples(&index, at + b.body, at + b.length, 0, err) : FG_OK;
        if (rc != FG_OK)
            return rc;
        at += b.length;
    }
    if (!indexed)
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
