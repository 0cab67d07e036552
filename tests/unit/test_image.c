#include "base/file.h"
#include "base/limits.h"
#include "media/image.h"
#include "media/pixels.h"
#include "media/sniff.h"
#include "support/shared.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/photo_files.h"

#define W PICTURE_WIDTH
#define H PICTURE_HEIGHT

static fg_error err;

/* An error for people: one line, the file's name, and something to do after a semicolon. */
static void assert_clear(const char *name)
{
    assert_non_null(strstr(err.msg, name));
    assert_null(strchr(err.msg, '\n'));
    assert_non_null(strchr(err.msg, ';'));
}

static void assert_refused(const void *data, size_t size, fg_code code, const char *words)
{
    fg_frame frame;
    double scale;
    assert_int_equal(fg_image_decode(&frame, data, size, 0, &scale, "who.jpg", &err), code);
    assert_null(frame.rgb);
    assert_clear("who.jpg: ");
    if (!strstr(err.msg, words))
        fail_msg("\"%s\" does not say \"%s\"", err.msg, words);
    assert_int_equal(fg_image_decode(&frame, data, size, 0, NULL, "who.jpg", NULL), code);
}

static void decode(fg_frame *frame, const fg_buf *file, int max_side, double *scale)
{
    const fg_code rc = fg_image_decode(frame, file->data, file->size, max_side, scale, "x", &err);
    if (rc != FG_OK)
        fail_msg("%s", err.msg);
}

static void assert_picture(const fg_buf *file, int width, int height, int tolerance)
{
    fg_frame frame;
    double scale = 0;
    decode(&frame, file, 0, &scale);
    assert_int_equal(frame.width, width);
    assert_int_equal(frame.height, height);
    assert_true(scale == 1);
    assert_true(picture_upright(&frame, tolerance));
    fg_frame_deinit(&frame);
}

static void plain_jpeg(fg_buf *buf, int width, int height)
{
    uint8_t *pixels = picture_make(1, width, height, 3);
    fg_buf_init(buf, 64u << 20);
    put_jpeg(buf, pixels, width, height, TJPF_RGB, TJSAMP_420, 0, 0);
    free(pixels);
}

static void plain_png(fg_buf *buf)
{
    uint8_t *pixels = picture_make(1, W, H, 3);
    fg_buf_init(buf, 1u << 20);
    put_png(buf,
            &(png_spec){
                .width = W, .height = H, .depth = 8, .colour_type = 2, .rows = pixels, .bytes_per_pixel = 3});
    free(pixels);
}

static void jpeg_in_every_kind(void **state)
{
    (void)state;
    static const struct {
        int subsampling, flags;
    } kinds[] = {{TJSAMP_444, 0}, {TJSAMP_422, 0}, {TJSAMP_420, 0},
                 {TJSAMP_440, 0}, {TJSAMP_411, 0}, {TJSAMP_420, TJFLAG_PROGRESSIVE}};
    uint8_t *pixels = picture_make(1, W, H, 3);
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        fg_buf file;
        fg_buf_init(&file, 1 << 20);
        put_jpeg(&file, pixels, W, H, TJPF_RGB, kinds[i].subsampling, kinds[i].flags, 0);
        assert_picture(&file, W, H, 6);
        fg_buf_deinit(&file);
    }
    free(pixels);
}

static void jpeg_grey_and_cmyk(void **state)
{
    (void)state;
    fg_frame frame;
    fg_buf file;
    uint8_t grey[16 * 16], cmyk[16 * 16 * 4];
    memset(grey, 77, sizeof grey);
    fg_buf_init(&file, 1 << 20);
    put_jpeg(&file, grey, 16, 16, TJPF_GRAY, TJSAMP_GRAY, 0, 0);
    decode(&frame, &file, 0, NULL);
    assert_true(pixel_near(&frame, 8, 8, (const uint8_t[]){77, 77, 77}, 2));
    fg_frame_deinit(&frame);
    fg_buf_clear(&file);
    for (int i = 0; i < 16 * 16; i++)
        memcpy(cmyk + 4 * i, (const uint8_t[]){200, 100, 50, 255}, 4);
    put_jpeg(&file, cmyk, 16, 16, TJPF_CMYK, TJSAMP_444, 0, 0);
    decode(&frame, &file, 0, NULL);
    assert_true(pixel_near(&frame, 8, 8, (const uint8_t[]){200, 100, 50}, 4));
    fg_frame_deinit(&frame);
    fg_buf_deinit(&file);
}

static void jpeg_is_turned_by_exif(void **state)
{
    (void)state;
    for (int orientation = 1; orientation <= 8; orientation++) {
        fg_buf file;
        uint8_t *pixels = picture_make(orientation, W, H, 3);
        fg_buf_init(&file, 1 << 20);
        put_jpeg(&file, pixels, W, H, TJPF_RGB, TJSAMP_444, 0, orientation);
        assert_picture(&file, orientation >= 5 ? H : W, orientation >= 5 ? W : H, 6);
        free(pixels);
        fg_buf_deinit(&file);
    }
}

static void exif_that_makes_no_sense_is_ignored(void **state)
{
    (void)state;
    static const int senseless[] = {9, 255, 65535};
    uint8_t *pixels = picture_make(1, W, H, 3);
    for (size_t i = 0; i < sizeof senseless / sizeof senseless[0]; i++) {
        fg_buf file;
        fg_buf_init(&file, 1 << 20);
        put_jpeg(&file, pixels, W, H, TJPF_RGB, TJSAMP_444, 0, senseless[i]);
        assert_picture(&file, W, H, 6);
        /* An offset of the first directory far outside. */
        memset(file.data + 2 + 4 + 6 + 4, 0xff, 4);
        assert_picture(&file, W, H, 6);
        fg_buf_deinit(&file);
    }
    free(pixels);
}

static void far_larger_jpeg_comes_reduced(void **state)
{
    (void)state;
    static const struct {
        int width, height, max_side, out_width, out_height, scale;
    } cases[] = {
        {1600, 1200, 0, 1600, 1200, 1}, {1600, 1200, 1600, 1600, 1200, 1}, {1600, 1200, 801, 1600, 1200, 1},
        {1600, 1200, 800, 800, 600, 2}, {1600, 1200, 500, 800, 600, 2},    {1600, 1200, 400, 400, 300, 4},
        {1600, 1200, 200, 200, 150, 8}, {1600, 1200, 100, 100, 75, 16},    {1601, 999, 50, 51, 32, 32},
        {1200, 1600, 300, 300, 400, 4},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        fg_buf file;
        fg_frame frame;
        double scale;
        plain_jpeg(&file, cases[i].width, cases[i].height);
        decode(&frame, &file, cases[i].max_side, &scale);
        assert_int_equal(frame.width, cases[i].out_width);
        assert_int_equal(frame.height, cases[i].out_height);
        assert_true(scale == cases[i].scale);
        assert_true(picture_upright(&frame, 6));
        fg_frame_deinit(&frame);
        fg_buf_deinit(&file);
    }
}

static void png_in_every_kind(void **state)
{
    (void)state;
    uint8_t *rgb = picture_make(1, W, H, 3), *rgba = picture_make(1, W, H, 4);
    uint8_t *deep = malloc(W * H * 6), *indexed = malloc(W * H);
    for (int i = 0; i < W * H * 3; i++)
        deep[2 * i] = rgb[i], deep[2 * i + 1] = 0x55;
    for (int i = 0; i < W * H; i++)
        indexed[i] = (uint8_t)(2 * (i / W >= H / 2) + (i % W >= W / 2));
    uint8_t palette[12];
    for (int i = 0; i < 4; i++)
        memcpy(palette + 3 * i, picture_colour(2, 2, i % 2, i / 2), 3);
    const png_spec kinds[] = {
        {.depth = 8, .colour_type = 2, .rows = rgb, .bytes_per_pixel = 3},
        {.depth = 8, .colour_type = 2, .rows = rgb, .bytes_per_pixel = 3, .interlaced = true},
        {.depth = 8, .colour_type = 6, .rows = rgba, .bytes_per_pixel = 4},
        {.depth = 8, .colour_type = 6, .rows = rgba, .bytes_per_pixel = 4, .interlaced = true},
        {.depth = 16, .colour_type = 2, .rows = deep, .bytes_per_pixel = 6},
        {.depth = 8, .colour_type = 3, .rows = indexed, .bytes_per_pixel = 1, .palette = palette},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        fg_buf file;
        png_spec spec = kinds[i];
        spec.width = W, spec.height = H;
        fg_buf_init(&file, 1 << 20);
        put_png(&file, &spec);
        assert_picture(&file, W, H, 0);
        fg_buf_deinit(&file);
    }
    free(rgb), free(rgba), free(deep), free(indexed);
}

static void transparency_is_ignored(void **state)
{
    (void)state;
    fg_buf file;
    fg_frame frame;
    const uint8_t rgba[3 * 4] = {100, 0, 200, 255, 100, 0, 200, 0, 100, 0, 200, 51};
    fg_buf_init(&file, 1 << 16);
    put_png(&file,
            &(png_spec){
                .width = 3, .height = 1, .depth = 8, .colour_type = 6, .rows = rgba, .bytes_per_pixel = 4});
    decode(&frame, &file, 0, NULL);
    assert_memory_equal(frame.rgb, ((const uint8_t[]){100, 0, 200, 100, 0, 200, 100, 0, 200}), 9);
    fg_frame_deinit(&frame);
    fg_buf_clear(&file);
    /* One colour declared transparent. */
    const uint8_t rgb[2 * 3] = {1, 2, 3, 4, 5, 6}, trns[6] = {0, 1, 0, 2, 0, 3};
    put_png(&file, &(png_spec){.width = 2,
                               .height = 1,
                               .depth = 8,
                               .colour_type = 2,
                               .rows = rgb,
                               .bytes_per_pixel = 3,
                               .trns = trns,
                               .trns_size = 6});
    decode(&frame, &file, 0, NULL);
    assert_memory_equal(frame.rgb, ((const uint8_t[]){1, 2, 3, 4, 5, 6}), 6);
    fg_frame_deinit(&frame);
    fg_buf_deinit(&file);
}

static void png_is_turned_by_exif(void **state)
{
    (void)state;
    for (int orientation = 1; orientation <= 8; orientation++) {
        fg_buf file;
        uint8_t *pixels = picture_make(orientation, W, H, 3);
        fg_buf_init(&file, 1 << 20);
        put_png(&file, &(png_spec){.width = W,
                                   .height = H,
                                   .depth = 8,
                                   .colour_type = 2,
                                   .rows = pixels,
                                   .bytes_per_pixel = 3,
                                   .orientation = orientation,
                                   .exif_last = orientation > 4});
        assert_picture(&file, orientation >= 5 ? H : W, orientation >= 5 ? W : H, 0);
        free(pixels);
        fg_buf_deinit(&file);
    }
}

static void png_is_reduced_by_exact_area_averages(void **state)
{
    (void)state;
    fg_buf file;
    fg_frame frame;
    double scale;
    const uint8_t rows[3 * 5] = {0,  10, 20,  30,  40,  50,  60, 70,
                                 80, 90, 100, 110, 120, 130, 141}; /* grey, 5 x 3 */
    fg_buf_init(&file, 1 << 16);
    put_png(&file,
            &(png_spec){
                .width = 5, .height = 3, .depth = 8, .colour_type = 0, .rows = rows, .bytes_per_pixel = 1});
    decode(&frame, &file, 3, &scale);
    assert_true(scale == 2);
    assert_int_equal(frame.width, 3);
    assert_int_equal(frame.height, 2);
    static const uint8_t expected[6] = {30, 50, 65, 105, 125, 141};
    for (int i = 0; i < 6; i++)
        assert_int_equal(frame.rgb[3 * i], expected[i]);
    fg_frame_deinit(&frame);
    fg_buf_deinit(&file);
}

static void hostile_png_is_refused_from_its_header(void **state)
{
    (void)state;
    fg_buf file;
    struct rusage before, after;
    const uint8_t pixel[4] = {0};
    getrusage(RUSAGE_SELF, &before);
    fg_buf_init(&file, 1 << 16);
    put_png(&file, &(png_spec){.width = 60000, .height = 60000, .depth = 8, .colour_type = 6});
    assert_refused(file.data, file.size, FG_ERR_LIMIT, "60000 x 60000");
    fg_buf_clear(&file);
    put_png(&file, &(png_spec){.width = 0x7fffffff, .height = 0x7fffffff, .depth = 16, .colour_type = 6});
    assert_refused(file.data, file.size, FG_ERR_LIMIT, "2147483647 x 2147483647");
    fg_buf_clear(&file);
    put_png(&file, &(png_spec){.width = 20000, .height = 20000, .depth = 8, .colour_type = 2});
    assert_refused(file.data, file.size, FG_ERR_LIMIT, "megapixels");
    getrusage(RUSAGE_SELF, &after);
    assert_true(after.ru_maxrss - before.ru_maxrss < 16 << 10); /* KiB */
    fg_buf_clear(&file);
    put_png(&file,
            &(png_spec){
                .width = 0, .height = 1, .depth = 8, .colour_type = 2, .rows = pixel, .bytes_per_pixel = 3});
    assert_refused(file.data, file.size, FG_ERR_INPUT, "damaged PNG");
    fg_buf_clear(&file);
    put_png(&file,
            &(png_spec){
                .width = 1, .height = 1, .depth = 5, .colour_type = 2, .rows = pixel, .bytes_per_pixel = 3});
    assert_refused(file.data, file.size, FG_ERR_INPUT, "damaged PNG");
    fg_buf_clear(&file);
    /* Fewer rows than the header promises. */
    put_png(&file,
            &(png_spec){
                .width = 1, .height = 1, .depth = 8, .colour_type = 2, .rows = pixel, .bytes_per_pixel = 3});
    file.data[8 + 8 + 7] = 200;
    const uint32_t crc = (uint32_t)crc32(0, file.data + 12, 17);
    for (int i = 0; i < 4; i++)
        file.data[29 + i] = (uint8_t)(crc >> (24 - 8 * i));
    assert_refused(file.data, file.size, FG_ERR_INPUT, "PNG picture");
    fg_buf_deinit(&file);
}

static void hostile_jpeg_is_refused(void **state)
{
    (void)state;
    fg_buf file;
    plain_jpeg(&file, W, H);
    /* SOF0 says 65500 x 65500. */
    size_t sof = 0;
    for (size_t i = 0; i + 9 < file.size && !sof; i++)
        if (file.data[i] == 0xff && file.data[i + 1] == 0xc0)
            sof = i;
    assert_true(sof > 0);
    memcpy(file.data + sof + 5, "\xff\xdc\xff\xdc", 4);
    assert_refused(file.data, file.size, FG_ERR_LIMIT, "65500 x 65500");

    /* 100 megapixels are taken where they need not be in memory at once; here the scan has one of the three
     * components, and others may follow. */
    memcpy(file.data + sof + 5, "\x27\x10\x27\x10", 4);
    size_t sos = sof;
    while (sos + 14 < file.size && (file.data[sos] != 0xff || file.data[sos + 1] != 0xda))
        sos++;
    assert_int_equal(file.data[sos + 4], 3);
    memcpy(file.data + sos + 2, "\0\x08\1", 3);
    memmove(file.data + sos + 7, file.data + sos + 11, file.size - sos - 11);
    file.size -= 4;
    fg_frame frame;
    assert_int_equal(fg_image_decode(&frame, file.data, file.size, 1000, NULL, "who.jpg", &err),
                     FG_ERR_LIMIT);
    assert_non_null(strstr(err.msg, "10000 x 10000"));
    fg_buf_deinit(&file);

    /* A progressive JPEG whose last scan comes thousands of times: the bomb of libjpeg-turbo's "two issues".
     */
    uint8_t *pixels = picture_make(1, 512, 512, 3);
    fg_buf_init(&file, 1 << 20);
    put_jpeg(&file, pixels, 512, 512, TJPF_RGB, TJSAMP_444, TJFLAG_PROGRESSIVE, 0);
    free(pixels);
    size_t scan = 0;
    for (size_t i = 0; i + 1 < file.size; i++)
        if (file.data[i] == 0xff && file.data[i + 1] == 0xda)
            scan = i;
    assert_true(scan > 0);
    const size_t scan_size = file.size - 2 - scan;
    uint8_t *copy = malloc(scan_size);
    memcpy(copy, file.data + scan, scan_size);
    file.size -= 2;
    for (int i = 0; i < 400; i++)
        put(&file, copy, scan_size);
    put(&file, "\xff\xd9", 2);
    free(copy);
    assert_refused(file.data, file.size, FG_ERR_LIMIT, "scans");
    fg_buf_deinit(&file);
}

/* What libjpeg would fill with grey. */
static void damaged_jpeg_is_refused(void **state)
{
    (void)state;
    fg_buf file;
    plain_jpeg(&file, 640, 480);
    memset(file.data + file.size / 2, 0, 64);
    assert_refused(file.data, file.size, FG_ERR_INPUT, "damaged JPEG");
    fg_buf_deinit(&file);
    plain_jpeg(&file, 640, 480);
    memcpy(file.data + file.size / 2, "\xff\xd9", 2); /* ends early, properly */
    assert_refused(file.data, file.size, FG_ERR_INPUT, "damaged JPEG");
    fg_buf_deinit(&file);
}

/* As some cameras write it; libjpeg warns. */
static void jpeg_with_bytes_between_markers_is_fine(void **state)
{
    (void)state;
    fg_buf file, odd;
    plain_jpeg(&file, W, H);
    fg_buf_init(&odd, 1 << 20);
    put(&odd, file.data, file.size - 2);
    put(&odd, "\0\0\0", 3);
    put(&odd, "\xff\xd9", 2);
    assert_picture(&odd, W, H, 6);
    fg_buf_deinit(&odd);
    fg_buf_deinit(&file);
}

static void jpeg_with_trailing_bytes_is_fine(void **state)
{
    (void)state;
    fg_buf file;
    plain_jpeg(&file, W, H);
    put(&file, "a phone's own data \xff\xd8\xff\xe1\xff", 24);
    assert_picture(&file, W, H, 6);
    fg_buf_deinit(&file);
}

static void webp_in_every_kind(void **state)
{
    (void)state;
    for (int kind = 0; kind < 4; kind++) {
        fg_buf file;
        fg_buf_init(&file, 1 << 20);
        put_webp(&file, 1, 0, kind & 1, kind & 2, 0);
        assert_picture(&file, W, H, kind & 2 ? 0 : 12);
        fg_frame frame;
        double scale;
        decode(&frame, &file, 24, &scale);
        assert_true(scale == 4);
        assert_int_equal(frame.width, 24);
        assert_true(picture_upright(&frame, 12));
        fg_frame_deinit(&frame);
        fg_buf_deinit(&file);
    }
}

static void webp_is_turned_by_exif_and_may_not_move(void **state)
{
    (void)state;
    fg_buf file;
    for (int orientation = 1; orientation <= 8; orientation++) {
        fg_buf_init(&file, 1 << 20);
        put_webp(&file, orientation, orientation, false, true, 0);
        assert_picture(&file, orientation >= 5 ? H : W, orientation >= 5 ? W : H, 0);
        fg_buf_deinit(&file);
    }
    fg_buf_init(&file, 1 << 20);
    put_webp(&file, 1, 1, false, true, 0x02);
    assert_refused(file.data, file.size, FG_ERR_UNSUPPORTED, "animated WebP");
    fg_buf_deinit(&file);
}

static void heic_is_turned_once(void **state)
{
    (void)state;
    for (int orientation = 1; orientation <= 8; orientation++) {
        fg_buf file;
        fg_buf_init(&file, 1 << 20);
        /* As phones write it: the same turn in the container and in EXIF. */
        if (!put_heic(&file, orientation, orientation, (heic_kind)(orientation % 4))) {
            print_message("skipped: this libheif has no HEVC encoder to make a fixture with\n");
            fg_buf_deinit(&file);
            skip();
        }
        assert_true(fg_image_is_photo(file.data, file.size));
        assert_picture(&file, orientation >= 5 ? H : W, orientation >= 5 ? W : H, 16);
        fg_frame frame;
        double scale;
        decode(&frame, &file, 30, &scale);
        assert_true(scale == 2);
        assert_true(picture_upright(&frame, 16));
        fg_frame_deinit(&frame);
        fg_buf_deinit(&file);
    }
}

/* A file of the fuzz corpus, without the byte that steers the driver. */
static void load_from_corpus(const char *name, fg_buf *file)
{
    char path[4096];
    const char *source = getenv("FACEGATE_SOURCE");
    snprintf(path, sizeof path, "%s/fuzz/corpus/image/%s", source && *source ? source : ".", name);
    fg_buf_init(file, 1 << 16);
    if (fg_file_read(path, file, &err) != FG_OK)
        fail_msg("%s", err.msg);
    file->size--;
    memmove(file->data, file->data + 1, file->size);
}

/* Four tiles of 64 x 64, cut to 120 x 100 and turned by 90 degrees, as phones store their photos. */
static void heic_of_tiles_is_put_together(void **state)
{
    (void)state;
    fg_buf file;
    fg_frame frame;
    load_from_corpus("heic-grid", &file);
    decode(&frame, &file, 0, NULL);
    assert_int_equal(frame.width, 100);
    assert_int_equal(frame.height, 120);
    assert_true(pixel_near(&frame, 70, 30, picture_colour(2, 2, 0, 0), 8));
    assert_true(pixel_near(&frame, 70, 90, picture_colour(2, 2, 1, 0), 8));
    assert_true(pixel_near(&frame, 18, 30, picture_colour(2, 2, 0, 1), 8));
    assert_true(pixel_near(&frame, 18, 90, picture_colour(2, 2, 1, 1), 8));
    fg_frame_deinit(&frame);
    fg_buf_deinit(&file);
}

/* A kilobyte whose container says 96 x 64 pixels, and its bit stream or its grid of tiles 16000 x 16000. */
static void heic_bombs_are_refused_cheaply(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        fg_code code;
    } bombs[] = {{"heic-bomb", FG_ERR_INPUT}, {"heic-grid-bomb", FG_ERR_LIMIT}};
    for (int i = 0; i < 2; i++) {
        fg_buf file;
        struct rusage before, after;
        load_from_corpus(bombs[i].name, &file);
        getrusage(RUSAGE_SELF, &before);
        assert_refused(file.data, file.size, bombs[i].code, "HEIC photo");
        getrusage(RUSAGE_SELF, &after);
        assert_true(after.ru_maxrss - before.ru_maxrss < 64 << 10); /* KiB */
        assert_true(after.ru_utime.tv_sec - before.ru_utime.tv_sec < 5);
        fg_buf_deinit(&file);
    }
}

static void every_cut_is_an_error(void **state)
{
    (void)state;
    fg_buf files[4];
    int n = 3;
    plain_jpeg(&files[0], W, H);
    plain_png(&files[1]);
    fg_buf_init(&files[2], 1 << 20);
    put_webp(&files[2], 1, 0, false, true, 0);
    fg_buf_init(&files[3], 1 << 20);
    if (put_heic(&files[3], 1, 0, HEIC_PLAIN))
        n = 4;
    for (int i = 0; i < n; i++) {
        for (size_t size = 0; size < files[i].size; size += 1 + size / 40) {
            fg_frame frame;
            uint8_t *copy =
                malloc(size ? size : 1); /* its own block, so that ASan sees a read past the end */
            memcpy(copy, files[i].data, size);
            const fg_code rc = fg_image_decode(&frame, copy, size, 0, NULL, "cut.bin", &err);
            /* The last 20 bytes of a PNG are checksums and its IEND, which add nothing to the picture. */
            if (rc == FG_OK && i == 1 && size + 20 >= files[i].size)
                assert_true(picture_upright(&frame, 0));
            else if (rc == FG_OK)
                fail_msg("%zu of %zu bytes of file %d are taken", size, files[i].size, i);
            else
                assert_clear("cut.bin");
            fg_frame_deinit(&frame);
            free(copy);
        }
    }
    for (int i = 0; i < 4; i++)
        fg_buf_deinit(&files[i]);
}

static void what_is_no_photo_is_named(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t size;
        const char *words;
    } files[] = {
        {"", 0, "empty"},
        {"hello, world\n", 13, "a text file"},
        {"\0\0\0\x20"
         "ftypisom\0\0\2\0isomiso2avc1mp41",
         32, "video"},
        {"\x1a\x45\xdf\xa3\x9f\x42\x86\x81\1\x42\xf7\x81\1\x42\xf2\x81", 16, "video"},
        {"GIF89a\1\0\1\0\0\0\0;1234", 18, "a GIF picture"},
        {"BM\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16, "a BMP picture"},
        {"\0\0\0\x1c"
         "ftypavif\0\0\0\0avifmif1miaf",
         28, "an AVIF picture"},
        {"\0\0\0\x1c"
         "ftypmif1\0\0\0\0mif1avifmiaf",
         28, "an AVIF picture"},
        {"II*\0\x08\0\0\0\0\0\0\0\0\0\0\0", 16, "TIFF"},
        {"%PDF-1.7 .......", 16, "a PDF document"},
        {"\x80\x81\x82\x83\x84\x85\x86\x87\x88\x89\x8a\x8b\x8c\x8d\x8e\x8f", 16, "an unknown kind"},
    };
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        assert_refused(files[i].bytes, files[i].size, FG_ERR_INPUT, files[i].words);
        assert_false(fg_image_is_photo(files[i].bytes, files[i].size));
    }
}

static void signatures_tell_photo_from_video(void **state)
{
    (void)state;
    static const char heif[] = "\0\0\0\x18"
                               "ftypmif1\0\0\0\0mif1heic",
                      heic[] = "\0\0\0\x18"
                               "ftypheic\0\0\0\0mif1heic";
    assert_int_equal(fg_media_sniff(heif, 24).format, FG_FORMAT_HEIC);
    assert_int_equal(fg_media_sniff(heic, 24).format, FG_FORMAT_HEIC);
    assert_int_equal(fg_media_sniff("\0\0\0\x14"
                                    "ftypqt  \0\0\0\0qt  ",
                                    20)
                         .kind,
                     FG_MEDIA_VIDEO);
    assert_int_equal(fg_media_sniff("\0\0\0\x14"
                                    "ftyp3gp4\0\0\0\0isom",
                                    20)
                         .kind,
                     FG_MEDIA_VIDEO);
    assert_true(fg_image_is_photo("\xff\xd8\xff\xe0\0\x10JFIF\0\1\1\0\0", 16));
    assert_false(fg_image_is_photo("\xff\xd8\xff\xe0\0\x10JFIF\0\1\1\0\0", 15));
    for (size_t size = 0; size < 24; size++)
        (void)fg_media_sniff(heif, size);
}

static void load_names_the_file(void **state)
{
    (void)state;
    char dir[] = "/tmp/fg-image-XXXXXX", path[64], fifo[64];
    fg_frame frame;
    fg_buf file;
    double scale;
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/photo.txt", dir); /* a photo all the same */
    snprintf(fifo, sizeof fifo, "%s/fifo", dir);
    plain_png(&file);
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(file.data, 1, file.size, f), file.size);
    fclose(f);
    assert_int_equal(fg_image_load(&frame, path, 0, &scale, &err), FG_OK);
    assert_true(picture_upright(&frame, 0));
    fg_frame_deinit(&frame);
    /* Larger than any photo: refused by its size. */
    assert_int_equal(truncate(path, (off_t)FG_MAX_PHOTO_BYTES + 1), 0);
    assert_int_equal(fg_image_load(&frame, path, 0, &scale, &err), FG_ERR_LIMIT);
    assert_non_null(strstr(err.msg, path));
    assert_int_equal(truncate(path, 0), 0);
    assert_int_equal(fg_image_load(&frame, path, 0, &scale, &err), FG_ERR_INPUT);
    assert_clear(path);
    unlink(path);
    assert_int_equal(fg_image_load(&frame, path, 0, &scale, &err), FG_ERR_NOT_FOUND);
    assert_clear(path);
    assert_int_equal(fg_image_load(&frame, dir, 0, &scale, &err), FG_ERR_INPUT);
    assert_clear(dir);
    assert_int_equal(mkfifo(fifo, 0600), 0);
    assert_int_equal(fg_image_load(&frame, fifo, 0, NULL, &err), FG_ERR_INPUT);
    assert_clear(fifo);
    assert_null(frame.rgb);
    unlink(fifo);
    rmdir(dir);
    fg_buf_deinit(&file);
}

static void what_is_encoded_decodes(void **state)
{
    (void)state;
    fg_frame frame, back;
    uint8_t *data;
    size_t size;
    assert_int_equal(fg_frame_init(&frame, W, H, &err), FG_OK);
    for (int y = 0; y < H; y++)
        for (int x = 0; x < W; x++)
            memcpy(frame.rgb + (size_t)y * frame.stride + 3 * (size_t)x, picture_colour(W, H, x, y), 3);
    assert_int_equal(fg_image_encode_png(&frame, &data, &size, &err), FG_OK);
    assert_int_equal(fg_image_decode(&back, data, size, 0, NULL, "x", &err), FG_OK);
    assert_memory_equal(back.rgb, frame.rgb, W * H * 3);
    fg_frame_deinit(&back);
    free(data);
    assert_int_equal(fg_image_encode_jpeg(&frame, 95, &data, &size, &err), FG_OK);
    assert_int_equal(fg_image_decode(&back, data, size, 0, NULL, "x", &err), FG_OK);
    assert_true(picture_upright(&back, 4));
    fg_frame_deinit(&back);
    free(data);
    assert_int_equal(fg_image_encode_jpeg(&frame, 0, &data, &size, &err), FG_ERR_USAGE);
    assert_null(data);
    assert_int_equal(fg_image_encode_jpeg(&frame, 101, &data, &size, &err), FG_ERR_USAGE);
    fg_frame_deinit(&frame);
    assert_int_equal(fg_image_encode_png(&frame, &data, &size, &err), FG_ERR_USAGE);
    assert_null(data);
}

static void a_view_with_a_stride_is_encoded(void **state)
{
    (void)state;
    fg_frame frame, back;
    uint8_t *data;
    size_t size;
    assert_int_equal(fg_frame_init(&frame, W, H, &err), FG_OK);
    memset(frame.rgb, 9, frame.stride * H);
    fg_frame view = {.rgb = frame.rgb, .width = 7, .height = 5, .stride = frame.stride};
    assert_int_equal(fg_image_encode_png(&view, &data, &size, &err), FG_OK);
    assert_int_equal(fg_image_decode(&back, data, size, 0, NULL, "x", &err), FG_OK);
    assert_int_equal(back.width, 7);
    assert_int_equal(back.height, 5);
    assert_memory_equal(back.rgb, frame.rgb, 7 * 5 * 3);
    fg_frame_deinit(&back);
    free(data);
    fg_frame_deinit(&frame);
}

static void the_seeds_photos_load(void **state)
{
    (void)state;
    static const char *const names[] = {"data/seed/joaquin.png", "data/seed/julia.png",
                                        "data/seed/azucena.png"};
    for (int i = 0; i < 3; i++) {
        fg_frame frame;
        double scale;
        NEED_SHARED(names[i]);
        assert_int_equal(fg_image_load(&frame, shared_path(names[i]), 0, &scale, &err), FG_OK);
        assert_in_range(frame.width, 466, 468);
        assert_int_equal(frame.height, 468);
        fg_frame_deinit(&frame);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(jpeg_in_every_kind),
        cmocka_unit_test(jpeg_grey_and_cmyk),
        cmocka_unit_test(jpeg_is_turned_by_exif),
        cmocka_unit_test(exif_that_makes_no_sense_is_ignored),
        cmocka_unit_test(far_larger_jpeg_comes_reduced),
        cmocka_unit_test(jpeg_with_trailing_bytes_is_fine),
        cmocka_unit_test(jpeg_with_bytes_between_markers_is_fine),
        cmocka_unit_test(damaged_jpeg_is_refused),
        cmocka_unit_test(hostile_jpeg_is_refused),
        cmocka_unit_test(png_in_every_kind),
        cmocka_unit_test(transparency_is_ignored),
        cmocka_unit_test(png_is_turned_by_exif),
        cmocka_unit_test(png_is_reduced_by_exact_area_averages),
        cmocka_unit_test(hostile_png_is_refused_from_its_header),
        cmocka_unit_test(webp_in_every_kind),
        cmocka_unit_test(webp_is_turned_by_exif_and_may_not_move),
        cmocka_unit_test(heic_is_turned_once),
        cmocka_unit_test(heic_of_tiles_is_put_together),
        cmocka_unit_test(heic_bombs_are_refused_cheaply),
        cmocka_unit_test(every_cut_is_an_error),
        cmocka_unit_test(what_is_no_photo_is_named),
        cmocka_unit_test(signatures_tell_photo_from_video),
        cmocka_unit_test(load_names_the_file),
        cmocka_unit_test(what_is_encoded_decodes),
        cmocka_unit_test(a_view_with_a_stride_is_encoded),
        cmocka_unit_test(the_seeds_photos_load),
    };
    return cmocka_run_group_tests_name("image", tests, NULL, NULL);
}
