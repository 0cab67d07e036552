/* MP4 and MOV files whose boxes lie. */
#include "base/file.h"
#include "base/limits.h"
#include "media/video.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "support/video_files.h"

/* Where a box of this type begins, from the one that holds it (0: the file) on. */
static size_t box_at(fg_buf *file, size_t from, const char *type)
{
    return (size_t)(find(file, type, from) - file->data) - 4;
}

/* The file's only track says that its data lie in target.mov beside it, as QuickTime's alias record has it.
 */
static void point_elsewhere(fg_buf *file)
{
    static const char *const parents[] = {"moov", "trak", "mdia", "minf", "dinf", "dref"};
    static const char target[] = "/x/target.mov";
    fg_buf entry;
    uint8_t zeros[64] = {0};
    fg_buf_init(&entry, 1000);
    const size_t size = 12 + 10 + 28 + 12 + 64 + 16 + 4 + 16 + 4 + (sizeof target - 1) + 1 + 4 + 20;
    put_be(&entry, (uint32_t)size, 4);
    put(&entry, "alis\0\0\0", 8);
    put(&entry, zeros, 10 + 28 + 12);
    put(&entry, zeros, 64);
    put(&entry, zeros, 16);
    put_be(&entry, 1, 2); /* levels from here up, and down to the target */
    put_be(&entry, 1, 2);
    put(&entry, zeros, 16);
    put_be(&entry, 2, 2); /* the path follows */
    put_be(&entry, sizeof target - 1, 2);
    put(&entry, target, sizeof target - 1 + 1);
    put_be(&entry, 0xffffffff, 4);
    put(&entry, zeros, 20);
    assert_int_equal(entry.size, size);
    size_t at = box_at(file, 0, "moov");
    const size_t old = box_at(file, box_at(file, at, "dref"), "url ");
    for (size_t i = 0; i < sizeof parents / sizeof parents[0]; i++) {
        at = box_at(file, at, parents[i]);
        uint32_t length = (uint32_t)file->data[at] << 24 | (uint32_t)file->data[at + 1] << 16 |
                          (uint32_t)file->data[at + 2] << 8 | file->data[at + 3];
        length += (uint32_t)size - 12;
        for (int k = 0; k < 4; k++)
            file->data[at + (size_t)k] = (uint8_t)(length >> (24 - 8 * k));
    }
    fg_buf out;
    fg_buf_init(&out, 64u << 20);
    put(&out, file->data, old);
    put(&out, entry.data, entry.size);
    put(&out, file->data + old + 12, file->size - old - 12);
    fg_buf_deinit(&entry);
    fg_buf_deinit(file);
    *file = out;
}

static void external_references_are_not_followed(void **state)
{
    (void)state;
    fg_buf file;
    encode("target.mov", H264);
    load("target.mov", &file);
    uint8_t *mdat = find(&file, "mdat", 0), *moov = find(&file, "moov", 0);
    assert_true(moov > mdat);
    memset(mdat + 4, 0, (size_t)(moov - mdat) - 8);
    point_elsewhere(&file);
    save("outside.mov", file.data, file.size);
    fg_buf_deinit(&file);
    /* The fixture is good: who follows it gets the pictures. */
    assert_true(ffmpeg("-xerror -enable_drefs 1 -i %s/outside.mov -f rawvideo %s/outside.raw", dir, dir));
    assert_refused("outside.mov", FG_ERR_INPUT, "video");
}

static size_t begin_box(fg_buf *file, const char *type)
{
    const size_t at = file->size;
    put_be(file, 0, 4);
    put(file, type, 4);
    return at;
}

static void end_box(fg_buf *file, size_t at)
{
    for (int k = 0; k < 4; k++)
        file->data[at + (size_t)k] = (uint8_t)((file->size - at) >> (24 - 8 * k));
}

/* A box of 32-bit numbers. */
static void put_box(fg_buf *file, const char *type, int count, const uint32_t *numbers)
{
    const size_t at = begin_box(file, type);
    for (int i = 0; i < count; i++)
        put_be(file, numbers[i], 4);
    end_box(file, at);
}
#define PUT_BOX(file, type, ...)                                                                             \
    put_box(file, type, sizeof((uint32_t[]){__VA_ARGS__}) / 4, (uint32_t[]){__VA_ARGS__})

/* A track of so many samples of one byte, its media in a box of this type where one is given. */
static void put_track(fg_buf *file, uint32_t number, uint32_t samples, const char *around)
{
    static const uint8_t entry[] =
        "\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x40\0\x40\0\x48\0\0\0\x48"
        "\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x18\xff\xff";
    const size_t trak = begin_box(file, "trak");
    PUT_BOX(file, "tkhd", 3, 0, 0, number, 0, 1000, 0, 0, 0, 0, 0x10000, 0, 0, 0, 0x10000, 0, 0, 0,
            0x40000000, 64 << 16, 64 << 16);
    const size_t outer = around ? begin_box(file, around) : 0, mdia = begin_box(file, "mdia");
    PUT_BOX(file, "mdhd", 0, 0, 0, 100000, 1000, 0x55c40000);
    PUT_BOX(file, "hdlr", 0, 0, 0x76696465, 0, 0, 0, 0); /* vide */
    const size_t minf = begin_box(file, "minf"), stbl = begin_box(file, "stbl");
    const size_t stsd = begin_box(file, "stsd");
    put_be(file, 0, 4);
    put_be(file, 1, 4);
    const size_t mp4v = begin_box(file, "mp4v");
    put(file, entry, sizeof entry - 1);
    end_box(file, mp4v);
    end_box(file, stsd);
    PUT_BOX(file, "stts", 0, 1, samples, 1);
    PUT_BOX(file, "stsc", 0, 1, 1, samples, 1);
    PUT_BOX(file, "stsz", 0, 1, samples);
    PUT_BOX(file, "stco", 0, 1, 40);
    end_box(file, stbl);
    end_box(file, minf);
    end_box(file, mdia);
    if (around)
        end_box(file, outer);
    end_box(file, trak);
}

static void save_tracks(const char *name, int tracks, uint32_t samples, const char *around,
                        uint32_t in_fragment)
{
    fg_buf file;
    fg_buf_init(&file, 1 << 20);
    PUT_BOX(&file, "ftyp", 0x69736f6d, 0x200, 0x69736f6d); /* isom */
    PUT_BOX(&file, "mdat", 0, 0, 0, 0, 0, 0, 0, 0);
    const size_t moov = begin_box(&file, "moov");
    PUT_BOX(&file, "mvhd", 0, 0, 0, 1000, 1000, 0x10000, 0x1000000, 0, 0, 0x10000, 0, 0, 0, 0x10000, 0, 0, 0,
            0x40000000, 0, 0, 0, 0, 0, 0, 100);
    for (int i = 1; i <= tracks; i++)
        put_track(&file, (uint32_t)i, samples, around);
    end_box(&file, moov);
    if (in_fragment) {
        const size_t moof = begin_box(&file, "moof"), traf = begin_box(&file, "traf");
        PUT_BOX(&file, "tfhd", 0, 1);
        PUT_BOX(&file, "trun", 0, in_fragment);
        end_box(&file, traf);
        end_box(&file, moof);
    }
    save(name, file.data, file.size);
    fg_buf_deinit(&file);
}

/* A few bytes can claim any number of samples, and FFmpeg makes an entry of each. */
static void claimed_samples_have_a_cap(void **state)
{
    (void)state;
    static const char words[] = "600000 frames and other samples";
    int frames;
    save_tracks("claims.mp4", 1, 11000000, NULL, 0);
    assert_refused("claims.mp4", FG_ERR_LIMIT, words);
    save_tracks("claims.mp4", 11, FG_MAX_VIDEO_FRAMES, NULL, 0);
    assert_refused("claims.mp4", FG_ERR_LIMIT, words);
    save_tracks("claims.mp4", 1, 10, NULL, 11000000);
    assert_refused("claims.mp4", FG_ERR_LIMIT, words);
    save_tracks("claims.mp4", FG_MAX_VIDEO_TRACKS + 1, 1, NULL, 0);
    assert_refused("claims.mp4", FG_ERR_LIMIT, "12 tracks");
    /* Where no index should be, but FFmpeg finds it. */
    save_tracks("claims.mp4", 8, FG_MAX_VIDEO_SAMPLES, "udta", 0);
    assert_refused("claims.mp4", FG_ERR_LIMIT, words);
    /* Sound as plain numbers has many more samples than that, but no entry for each. */
    assert_true(ffmpeg("-f lavfi -i color=s=16x16:r=25:d=4 -f lavfi -i anullsrc=r=192000:cl=mono -t 4 "
                       "-c:v mpeg4 -c:a pcm_s16le %s/plain.mov",
                       dir));
    assert_int_equal(play("plain.mov", &every_frame, &frames), FG_OK);
    assert_int_equal(frames, 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(external_references_are_not_followed),
        cmocka_unit_test(claimed_samples_have_a_cap),
    };
    if (!have_ffmpeg()) {
        puts("skipped: no ffmpeg command to make fixtures with (apt-get install ffmpeg)");
        return 77; /* how a test tells Meson that it was skipped */
    }
    return cmocka_run_group_tests_name("video_boxes", tests, set_up, tear_down);
}
