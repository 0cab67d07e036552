#include "base/file.h"
#include "base/limits.h"
#include "media/video.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/shared.h"
#include "support/video_files.h"

/* Every n-th frame, by the numbers in the pictures themselves. */
static void assert_clip(const char *name, const fg_video_options *options, int width, int height, int frames)
{
    fg_video *video;
    fg_frame frame;
    int next = 0;
    int64_t last = -1;
    if (fg_video_open(&video, in_dir(name), options, &err) != FG_OK)
        fail_msg("%s", err.msg);
    for (;;) {
        if (fg_video_next(video, &frame, &err) != FG_OK)
            fail_msg("%s", err.msg);
        if (!frame.rgb)
            break;
        assert_int_equal(frame.index, next);
        if (clip_number(&frame) != next)
            fail_msg("%s: frame %d shows number %d", name, next, clip_number(&frame));
        assert_int_equal(frame.width, width);
        assert_int_equal(frame.height, height);
        assert_true(frame.time_ms > last);
        last = frame.time_ms;
        next += options->every;
        fg_frame_deinit(&frame);
    }
    assert_int_equal(next, (frames + options->every - 1) / options->every * options->every);
    /* The end stays the end. */
    assert_int_equal(fg_video_next(video, &frame, &err), FG_OK);
    assert_null(frame.rgb);
    fg_video_close(video);
}

static const struct {
    const char *name, *how, *container, *codec;
} kinds[] = {
    {"h264.mp4", H264, "mp4", "h264"},
    {"h264-fast.mp4", H264 " -movflags +faststart", "mp4", "h264"},
    {"h264-fragments.mp4", H264 " -g 8 -movflags frag_keyframe+empty_moov", "mp4", "h264"},
    {"h264.mov", H264, "mov", "h264"},
    {"h264.mkv", H264, "mkv", "h264"},
    {"h264.3gp", H264, "3gp", "h264"},
    {"h264-10bit.mp4", "-c:v libx264 -preset veryfast -pix_fmt yuv420p10le", "mp4", "h264"},
    {"h264-444.mp4", "-c:v libx264 -preset veryfast -pix_fmt yuv444p", "mp4", "h264"},
    {"h264-full.mp4", "-c:v libx264 -preset veryfast -pix_fmt yuvj420p", "mp4", "h264"},
    {"hevc.mp4",
     "-c:v libx265 -preset ultrafast -x265-params log-level=none:pools=1 -pix_fmt yuv420p -tag:v hvc1", "mp4",
     "hevc"},
    {"hevc-10bit.mov",
     "-c:v libx265 -preset ultrafast -x265-params log-level=none:pools=1 -pix_fmt yuv420p10le", "mov",
     "hevc"},
    {"vp8.webm", "-c:v libvpx -b:v 1M -deadline realtime", "webm", "vp8"},
    {"vp9.webm", "-c:v libvpx-vp9 -b:v 1M -deadline realtime -cpu-used 8", "webm", "vp9"},
    {"vp9.mp4", "-c:v libvpx-vp9 -b:v 1M -deadline realtime -cpu-used 8", "mp4", "vp9"},
    {"av1.mkv", "-c:v libaom-av1 -cpu-used 8 -usage realtime -b:v 1M", "mkv", "av1"},
    {"av1.mp4", "-c:v libaom-av1 -cpu-used 8 -usage realtime -b:v 1M", "mp4", "av1"},
    {"mpeg4.mp4", "-c:v mpeg4 -q:v 3 -bf 2", "mp4", "mpeg4"},
    {"mpeg4.3gp", "-c:v mpeg4 -q:v 3", "3gp", "mpeg4"},
};

static void every_kind_plays(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        fg_video *video;
        encode(kinds[i].name, kinds[i].how);
        assert_clip(kinds[i].name, &every_frame, CLIP_WIDTH, CLIP_HEIGHT, FRAMES);
        assert_int_equal(fg_video_open(&video, in_dir(kinds[i].name), &every_frame, &err), FG_OK);
        const fg_video_info *info = fg_video_info_view(video);
        assert_string_equal(info->container, kinds[i].container);
        assert_string_equal(info->codec, kinds[i].codec);
        assert_int_equal(info->width, CLIP_WIDTH);
        assert_int_equal(info->height, CLIP_HEIGHT);
        assert_int_equal(info->rotation, 0);
        assert_true(info->seconds > 0.8 && info->seconds < 1.1);
        assert_true(info->frames_per_second > 24.5 && info->frames_per_second < 25.5);
        assert_in_range(info->frames, FRAMES - 1, FRAMES + 1);
        fg_video_close(video);
    }
}

static void every_nth_frame_counts_as_shown(void **state)
{
    (void)state;
    encode("b.mp4", H264 " -bf 3 -g 12");
    static const int every[] = {1, 2, 5, 7, 22, 23, 1000};
    for (size_t i = 0; i < sizeof every / sizeof every[0]; i++) {
        fg_video_options options = every_frame;
        options.every = every[i];
        assert_clip("b.mp4", &options, CLIP_WIDTH, CLIP_HEIGHT, FRAMES);
        options.threads = 2;
        assert_clip("b.mp4", &options, CLIP_WIDTH, CLIP_HEIGHT, FRAMES);
    }
}

static void a_variable_frame_rate_keeps_its_times(void **state)
{
    (void)state;
    static const char *const names[] = {"vfr.mp4", "vfr.mkv"};
    for (int k = 0; k < 2; k++) {
        fg_video *video;
        fg_frame frame;
        encode(names[k], "-vf 'setpts=(N+if(gt(N\\,10)\\,N*4\\,0))/25/TB' -vsync passthrough " H264);
        assert_clip(names[k], &every_frame, CLIP_WIDTH, CLIP_HEIGHT, FRAMES);
        fg_video_options options = every_frame;
        options.every = 5;
        assert_int_equal(fg_video_open(&video, in_dir(names[k]), &options, &err), FG_OK);
        static const int64_t times[] = {0, 200, 400, 3000, 4000};
        for (int i = 0; i < 5; i++) {
            assert_int_equal(fg_video_next(video, &frame, &err), FG_OK);
            assert_int_equal(frame.index, 5 * i);
            assert_in_range(frame.time_ms, times[i] ? times[i] - 2 : 0, times[i] + 2);
            fg_frame_deinit(&frame);
        }
        fg_video_close(video);
    }
}

/* Turns the picture as stored, and writes the matrix that turns it back, as a phone does. */
static void encode_turned(const char *name, const char *filter, int a, int b, int c, int d)
{
    char how[256];
    fg_buf file;
    snprintf(how, sizeof how, "%s%s " H264, *filter ? "-vf " : "", filter);
    encode(name, how);
    load(name, &file);
    /* The only track's matrix (ISO/IEC 14496-12 8.3.2, version 0): 44 bytes after the type; 16.16 */
    const int32_t m[9] = {a * 65536, b * 65536, 0, c * 65536, d * 65536, 0, 0, 0, 0x40000000};
    uint8_t *at = find(&file, "tkhd", 0) + 44;
    for (int i = 0; i < 9; i++)
        for (int k = 0; k < 4; k++)
            at[4 * i + k] = (uint8_t)((uint32_t)m[i] >> (24 - 8 * k));
    save(name, file.data, file.size);
    fg_buf_deinit(&file);
}

static void the_display_matrix_turns_it_upright(void **state)
{
    (void)state;
    static const struct {
        const char *filter; /* from upright to as it is stored */
        int a, b, c, d, rotation;
    } cases[] = {
        {"", 1, 0, 0, 1, 0},
        {"transpose=2", 0, 1, -1, 0, 90}, /* stored 90 degrees counterclockwise */
        {"hflip,vflip", -1, 0, 0, -1, 180},
        {"transpose=1", 0, -1, 1, 0, 270},
        {"hflip", -1, 0, 0, 1, 0},
        {"vflip", 1, 0, 0, -1, 180},
        {"transpose=0", 0, 1, 1, 0, 90},
        {"transpose=3", 0, -1, -1, 0, 270},
        {"", 0, 0, 0, 0, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        fg_video *video;
        encode_turned("turned.mp4", cases[i].filter, cases[i].a, cases[i].b, cases[i].c, cases[i].d);
        assert_clip("turned.mp4", &every_frame, CLIP_WIDTH, CLIP_HEIGHT, FRAMES);
        assert_int_equal(fg_video_open(&video, in_dir("turned.mp4"), &every_frame, &err), FG_OK);
        assert_int_equal(fg_video_info_view(video)->rotation, cases[i].rotation);
        assert_int_equal(fg_video_info_view(video)->width, CLIP_WIDTH);
        fg_video_close(video);
    }
}

static void an_explicit_rotation_overrides_the_matrix(void **state)
{
    (void)state;
    static const struct {
        const char *filter;
        int rotate;
    } cases[] = {{"", 0}, {"transpose=2", 90}, {"hflip,vflip", 180}, {"transpose=1", 270}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        fg_video_options options = every_frame;
        options.rotate = cases[i].rotate;
        encode_turned("forced.mp4", cases[i].filter, 0, -1, 1, 0);
        assert_clip("forced.mp4", &options, CLIP_WIDTH, CLIP_HEIGHT, FRAMES);
    }
}

static void frames_come_no_larger_than_asked(void **state)
{
    (void)state;
    fg_video_options options = every_frame;
    encode("b.mp4", H264);
    options.max_side = 64;
    assert_clip("b.mp4", &options, 64, 48, FRAMES);
    options.max_side = 1000;
    assert_clip("b.mp4", &options, CLIP_WIDTH, CLIP_HEIGHT, FRAMES);
    encode("wide.mp4", "-vf setsar=2/1 " H264);
    options.max_side = 0;
    assert_clip("wide.mp4", &options, 2 * CLIP_WIDTH, CLIP_HEIGHT, FRAMES);
    options.max_side = CLIP_WIDTH;
    assert_clip("wide.mp4", &options, CLIP_WIDTH, CLIP_HEIGHT / 2, FRAMES);
}

static void the_size_may_change_on_the_way(void **state)
{
    (void)state;
    int frames;
    encode("one.mkv", "-c:v libvpx -b:v 1M -deadline realtime");
    encode("two.mkv", "-vf scale=64:48 -c:v libvpx -b:v 1M -deadline realtime");
    fg_buf list;
    fg_buf_init(&list, 1000);
    assert_int_equal(fg_buf_printf(&list, NULL, "file %s/one.mkv\nfile %s/two.mkv\n", dir, dir), FG_OK);
    save("list.txt", list.data, list.size);
    fg_buf_deinit(&list);
    assert_true(ffmpeg("-f concat -safe 0 -i %s/list.txt -c copy %s/both.mkv", dir, dir));
    assert_int_equal(play("both.mkv", &every_frame, &frames), FG_OK);
    assert_int_equal(frames, 2 * FRAMES);
}

static void sound_without_picture_is_refused(void **state)
{
    (void)state;
    assert_true(ffmpeg("-f lavfi -i sine=d=0.5 -c:a aac %s/sound.mp4", dir));
    assert_refused("sound.mp4", FG_ERR_INPUT, "no video stream");
    assert_true(ffmpeg("-f lavfi -i sine=d=0.5 -c:a libvorbis %s/sound.webm", dir));
    assert_refused("sound.webm", FG_ERR_INPUT, "no video stream");
    assert_true(ffmpeg("-f lavfi -i sine=d=0.5 -c:a aac %s/sound.m4a", dir));
    assert_refused("sound.m4a", FG_ERR_UNSUPPORTED, "a sound file");
    assert_true(ffmpeg(
        "-f lavfi -i sine=d=0.5 -f lavfi -i color=s=64x64:d=0.04 -c:a aac -c:v mjpeg -pix_fmt yuvj420p "
        "-disposition:v attached_pic -f mp4 %s/cover.mp4",
        dir));
    assert_refused("cover.mp4", FG_ERR_INPUT, "no video stream");
}

static void sound_beside_the_picture_does_no_harm(void **state)
{
    (void)state;
    encode("silent.mp4", H264);
    assert_true(ffmpeg("-f lavfi -i sine=d=3 -i %s/silent.mp4 -c:v copy -c:a aac %s/loud.mp4", dir, dir));
    assert_clip("loud.mp4", &every_frame, CLIP_WIDTH, CLIP_HEIGHT, FRAMES);
    assert_true(ffmpeg("-f lavfi -i sine=d=3 -i %s/silent.mp4 -c:v copy -c:a libopus %s/loud.mkv", dir, dir));
    assert_clip("loud.mkv", &every_frame, CLIP_WIDTH, CLIP_HEIGHT, FRAMES);
}

static void other_codecs_are_named(void **state)
{
    (void)state;
    encode("mjpeg.mov", "-c:v mjpeg -pix_fmt yuvj420p");
    assert_refused("mjpeg.mov", FG_ERR_UNSUPPORTED, "mjpeg");
    encode("prores.mov", "-c:v prores");
    assert_refused("prores.mov", FG_ERR_UNSUPPORTED, "prores");
    encode("theora.mkv", "-c:v ffv1");
    assert_refused("theora.mkv", FG_ERR_UNSUPPORTED, "ffv1");
    encode("h263.3gp", "-s 176x144 -c:v h263");
    assert_refused("h263.3gp", FG_ERR_UNSUPPORTED, "h263");
    fg_buf file;
    encode("secret.mp4", H264);
    load("secret.mp4", &file);
    memcpy(find(&file, "avc1", (size_t)(find(&file, "stsd", 0) - file.data)), "zzzz", 4);
    save("secret.mp4", file.data, file.size);
    fg_buf_deinit(&file);
    assert_refused("secret.mp4", FG_ERR_UNSUPPORTED, "zzzz");
}

static void other_containers_and_scripts_are_named(void **state)
{
    (void)state;
    static const struct {
        const char *name, *text, *words;
    } texts[] = {
        {"notes.mp4", "These are just my notes.\n", "a text file"},
        {"hls.mp4", "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n/etc/passwd\n", "a playlist"},
        {"concat.mp4", "ffconcat version 1.0\nfile /etc/passwd\n", "a list of files"},
        {"sdp.mp4", "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nm=video 5004 RTP/AVP 96\r\n", "SDP"},
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        save(texts[i].name, texts[i].text, strlen(texts[i].text));
        assert_refused(texts[i].name, FG_ERR_UNSUPPORTED, texts[i].words);
    }
    encode("old.avi", "-c:v mjpeg -pix_fmt yuvj420p");
    assert_refused("old.avi", FG_ERR_UNSUPPORTED, "an AVI video");
    encode("small.gif", "");
    assert_refused("small.gif", FG_ERR_UNSUPPORTED, "a GIF picture");
    encode("tv.ts", H264);
    assert_refused("tv.ts", FG_ERR_UNSUPPORTED, "MPEG");
    encode("bare.h264", H264);
    assert_refused("bare.h264", FG_ERR_UNSUPPORTED, "a bare video stream");
    encode("photo.png", "-frames:v 1 -update 1");
    assert_refused("photo.png", FG_ERR_INPUT, "a PNG picture, not a video");
    save("empty.mp4", "", 0);
    assert_refused("empty.mp4", FG_ERR_INPUT, "empty");
    save("noise.mp4", "\x80\x81\x82\x83\x84\x85\x86\x87\x88\x89\x8a\x8b\x8c\x8d\x8e\x8f\x90", 17);
    assert_refused("noise.mp4", FG_ERR_INPUT, "unknown kind");
}

/* A name that FFmpeg would take for a protocol is a file's name here. */
static void names_are_never_addresses(void **state)
{
    (void)state;
    char here[256];
    assert_non_null(getcwd(here, sizeof here));
    encode("b.mp4", H264);
    assert_int_equal(chdir(dir), 0);
    assert_int_equal(link("b.mp4", "concat:b.mp4|b.mp4"), 0);
    fg_video *video;
    assert_int_equal(fg_video_open(&video, "concat:b.mp4|b.mp4", &every_frame, &err), FG_OK);
    assert_in_range(fg_video_info_view(video)->frames, FRAMES, FRAMES);
    fg_video_close(video);
    assert_int_equal(fg_video_open(&video, "http://127.0.0.1:9/x.mp4", &every_frame, &err), FG_ERR_NOT_FOUND);
    assert_int_equal(unlink("concat:b.mp4|b.mp4"), 0);
    assert_int_equal(chdir(here), 0);
}

static void cut_files_are_called_cut(void **state)
{
    (void)state;
    static const struct {
        const char *name, *how, *words;
    } cases[] = {
        {"cut.mp4", H264, "index (moov)"},
        {"cut-fast.mp4", H264 " -movflags +faststart", "cut off"},
        {"cut.webm", "-c:v libvpx -b:v 1M -deadline realtime", "cut off"},
    };
    for (int i = 0; i < 3; i++) {
        fg_buf file;
        encode("whole.mp4", H264);
        encode(cases[i].name, cases[i].how);
        load(cases[i].name, &file);
        const size_t whole = file.size;
        save(cases[i].name, file.data, whole * 3 / 5);
        assert_refused(cases[i].name, FG_ERR_INPUT, i == 0 ? "cut off" : cases[i].words);
        for (size_t size = 1; size < whole - 8; size += 1 + size / 12) {
            int frames;
            save(cases[i].name, file.data, size);
            const fg_code rc = play(cases[i].name, &every_frame, &frames);
            if (rc == FG_OK)
                fail_msg("%zu of %zu bytes of %s are taken", size, whole, cases[i].name);
            assert_clear(cases[i].name);
        }
        fg_buf_deinit(&file);
    }
    /* Recorded, but never finished: everything is there except the index. */
    fg_buf file;
    encode("unfinished.mp4", H264);
    load("unfinished.mp4", &file);
    save("unfinished.mp4", file.data, (size_t)(find(&file, "moov", 0) - 4 - file.data));
    fg_buf_deinit(&file);
    assert_refused("unfinished.mp4", FG_ERR_INPUT, "index (moov)");
}

static void a_few_damaged_packets_are_skipped(void **state)
{
    (void)state;
    fg_buf file;
    int frames;
    encode("hurt.mp4", "-c:v mpeg4 -q:v 3 -g 5");
    load("hurt.mp4", &file);
    uint8_t *mdat = find(&file, "mdat", 0), *moov = find(&file, "moov", 0);
    assert_true(moov > mdat);
    memset(mdat + (moov - mdat) / 2, 0xa5, (size_t)(moov - mdat) / 12);
    save("hurt.mp4", file.data, file.size);
    assert_int_equal(play("hurt.mp4", &every_frame, &frames), FG_OK);
    assert_in_range(frames, FRAMES / 2, FRAMES);
    /* Nothing left of the pictures. */
    memset(mdat + 4, 0, (size_t)(moov - mdat) - 8);
    save("hurt.mp4", file.data, file.size);
    assert_refused("hurt.mp4", FG_ERR_INPUT, "no frame");
    fg_buf_deinit(&file);
}

static bool until_sampled(void *context, const char *what, long done, long total)
{
    (void)what, (void)total;
    return done < *(const long *)context;
}

static void it_can_be_cancelled(void **state)
{
    (void)state;
    long enough = 0;
    int frames;
    const fg_progress progress = {until_sampled, &enough};
    fg_video_options options = every_frame;
    options.progress = &progress;
    encode("b.mp4", H264);
    for (; enough < 10; enough += 5) {
        assert_int_equal(play("b.mp4", &options, &frames), FG_ERR_CANCELLED);
        assert_in_range(frames, enough, FRAMES - 1);
    }
}

static void caps_hold(void **state)
{
    (void)state;
    fg_buf file;
    int frames;
    encode("huge.mp4", H264);
    load("huge.mp4", &file);
    uint8_t *entry = find(&file, "avc1", (size_t)(find(&file, "stsd", 0) - file.data));
    memcpy(entry + 28, "\xff\xff\xff\xff", 4);
    save("huge.mp4", file.data, file.size);
    fg_buf_deinit(&file);
    assert_refused("huge.mp4", FG_ERR_LIMIT, "65535 x 65535");

    encode("long.mp4", "-vf setpts=N*60/TB -vsync passthrough " H264);
    assert_refused("long.mp4", FG_ERR_LIMIT, "cut it");

    assert_true(ffmpeg("-f lavfi -i color=s=16x16:r=30:d=101 -c:v mpeg4 %s/many.mp4", dir));
    assert_refused("many.mp4", FG_ERR_LIMIT, "use every 2 or more");
    fg_video_options options = every_frame;
    options.every = 2;
    assert_int_equal(play("many.mp4", &options, &frames), FG_OK);
    assert_int_equal(frames, 1515);
    /* The same where the container does not say how many there are. */
    assert_true(ffmpeg("-i %s/many.mp4 -c copy -f matroska -live 1 %s/live.mkv", dir, dir));
    assert_refused("live.mkv", FG_ERR_LIMIT, "3000");

    encode("heavy.mp4", H264);
    assert_int_equal(truncate(in_dir("heavy.mp4"), (off_t)FG_MAX_VIDEO_BYTES + 1), 0);
    assert_refused("heavy.mp4", FG_ERR_LIMIT, "MB");
}

static void options_are_checked(void **state)
{
    (void)state;
    int frames;
    encode("b.mp4", H264);
    static const fg_video_options wrong[] = {
        {.every = 0, .rotate = FG_ROTATE_AUTO},
        {.every = -5, .rotate = 0},
        {.every = 1, .rotate = 45},
        {.every = 1, .rotate = -2},
        {.every = 1, .rotate = 360},
        {.every = 1, .rotate = 0, .max_side = -1},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_int_equal(play("b.mp4", &wrong[i], &frames), FG_ERR_USAGE);
        assert_clear("b.mp4");
    }
}

static void odd_files_are_refused(void **state)
{
    (void)state;
    assert_refused("nothing-here.mp4", FG_ERR_NOT_FOUND, "check the path");
    assert_int_equal(mkdir(in_dir("folder.mp4"), 0700), 0);
    assert_refused("folder.mp4", FG_ERR_INPUT, "not a folder");
    assert_int_equal(mkfifo(in_dir("fifo.mp4"), 0600), 0);
    assert_refused("fifo.mp4", FG_ERR_INPUT, "not a plain file");
    if (geteuid() != 0) {
        save("locked.mp4", "x", 1);
        assert_int_equal(chmod(in_dir("locked.mp4"), 0), 0);
        assert_refused("locked.mp4", FG_ERR_FORBIDDEN, "permissions");
    }
}

static void nothing_is_printed(void **state)
{
    (void)state;
    int frames;
    fg_buf file;
    encode("loud.mp4", H264);
    load("loud.mp4", &file);
    memset(find(&file, "mdat", 0) + 400, 0x5a, 200);
    save("loud.mp4", file.data, file.size);
    fg_buf_deinit(&file);
    fflush(stderr);
    const int keep = dup(2), to = open(in_dir("stderr"), O_RDWR | O_CREAT | O_TRUNC, 0600);
    assert_true(keep >= 0 && to >= 0);
    dup2(to, 2);
    (void)!play("loud.mp4", &every_frame, &frames);
    (void)!play("cut.mp4", &every_frame, &frames);
    dup2(keep, 2);
    close(keep);
    assert_int_equal(lseek(to, 0, SEEK_END), 0);
    close(to);
}

static void the_seeds_videos_are_sampled(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int width, height, rotation, frames;
    } seeds[] = {{"data/seed/Joaquin.mp4", 352, 640, 270, 70}, {"data/seed/Iuliia.mp4", 480, 848, 90, 36}};
    for (int i = 0; i < 2; i++) {
        fg_video *video;
        fg_frame frame;
        int frames = 0;
        NEED_SHARED(seeds[i].name);
        const fg_video_options options = {.every = 5, .rotate = FG_ROTATE_AUTO};
        assert_int_equal(fg_video_open(&video, shared_path(seeds[i].name), &options, &err), FG_OK);
        assert_int_equal(fg_video_info_view(video)->rotation, seeds[i].rotation);
        while (fg_video_next(video, &frame, &err) == FG_OK && frame.rgb) {
            assert_int_equal(frame.index, 5 * frames);
            assert_int_equal(frame.width, seeds[i].width);
            assert_int_equal(frame.height, seeds[i].height);
            frames++;
            fg_frame_deinit(&frame);
        }
        assert_int_equal(frames, seeds[i].frames);
        fg_video_close(video);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_plays),
        cmocka_unit_test(every_nth_frame_counts_as_shown),
        cmocka_unit_test(a_variable_frame_rate_keeps_its_times),
        cmocka_unit_test(the_display_matrix_turns_it_upright),
        cmocka_unit_test(an_explicit_rotation_overrides_the_matrix),
        cmocka_unit_test(frames_come_no_larger_than_asked),
        cmocka_unit_test(the_size_may_change_on_the_way),
        cmocka_unit_test(sound_without_picture_is_refused),
        cmocka_unit_test(sound_beside_the_picture_does_no_harm),
        cmocka_unit_test(other_codecs_are_named),
        cmocka_unit_test(other_containers_and_scripts_are_named),
        cmocka_unit_test(names_are_never_addresses),
        cmocka_unit_test(cut_files_are_called_cut),
        cmocka_unit_test(a_few_damaged_packets_are_skipped),
        cmocka_unit_test(it_can_be_cancelled),
        cmocka_unit_test(caps_hold),
        cmocka_unit_test(options_are_checked),
        cmocka_unit_test(odd_files_are_refused),
        cmocka_unit_test(nothing_is_printed),
        cmocka_unit_test(the_seeds_videos_are_sampled),
    };
    if (!have_ffmpeg()) {
        puts("skipped: no ffmpeg command to make fixtures with (apt-get install ffmpeg)");
        return 77; /* how a test tells Meson that it was skipped */
    }
    return cmocka_run_group_tests_name("video", tests, set_up, tear_down);
}
