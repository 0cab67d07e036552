/* A picture whose way up shows, and files made of it that no encoder would write. */
#ifndef FG_TESTS_PICTURE_H
#define FG_TESTS_PICTURE_H

#include "base/buf.h"
#include "base/frame.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { PICTURE_WIDTH = 96, PICTURE_HEIGHT = 64 };

/* Upright: red, green / blue, white quadrants. */
static inline const uint8_t *picture_colour(int width, int height, int x, int y)
{
    static const uint8_t colours[2][2][3] = {{{220, 30, 30}, {30, 220, 30}},
                                             {{30, 30, 220}, {240, 240, 240}}};
    return colours[y >= height / 2][x >= width / 2];
}

/* The same as a camera with this EXIF orientation stores it: the upright pixel (x, y) of TIFF 6.0's table. */
static inline const uint8_t *picture_stored(int orientation, int width, int height, int x, int y)
{
    const int w = orientation >= 5 ? height : width, h = orientation >= 5 ? width : height; /* upright */
    int ux = 0, uy = 0;
    switch (orientation) {
    case 1:
        ux = x, uy = y;
        break;
    case 2:
        ux = w - 1 - x, uy = y;
        break; /* column 0 is the right side */
    case 3:
        ux = w - 1 - x, uy = h - 1 - y;
        break; /* row 0 bottom, column 0 right */
    case 4:
        ux = x, uy = h - 1 - y;
        break;
    case 5:
        ux = y, uy = x;
        break; /* row 0 is the left side, column 0 the top */
    case 6:
        ux = w - 1 - y, uy = x;
        break; /* row 0 right, column 0 top */
    case 7:
        ux = w - 1 - y, uy = h - 1 - x;
        break; /* row 0 right, column 0 bottom */
    case 8:
        ux = y, uy = h - 1 - x;
        break; /* row 0 left, column 0 bottom */
    default:
        abort();
    }
    return picture_colour(w, h, ux, uy);
}

/* width x height are the stored ones; channels 3, or 4 with alpha 255. The caller frees. */
static inline uint8_t *picture_make(int orientation, int width, int height, int channels)
{
    uint8_t *p = malloc((size_t)width * (size_t)height * (size_t)channels);
    if (!p)
        abort();
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++) {
            uint8_t *to = p + ((size_t)y * (size_t)width + (size_t)x) * (size_t)channels;
            memcpy(to, picture_stored(orientation, width, height, x, y), 3);
            if (channels == 4)
                to[3] = 255;
        }
    return p;
}

static inline bool pixel_near(const fg_frame *frame, int x, int y, const uint8_t *rgb, int tolerance)
{
    const uint8_t *p = frame->rgb + (size_t)y * frame->stride + (size_t)x * 3;
    return abs(p[0] - rgb[0]) <= tolerance && abs(p[1] - rgb[1]) <= tolerance &&
           abs(p[2] - rgb[2]) <= tolerance;
}

/* The middle of each quadrant is where it should be. */
static inline bool picture_upright(const fg_frame *frame, int tolerance)
{
    for (int i = 0; i < 4; i++) {
        const int x = frame->width * (1 + 2 * (i % 2)) / 4, y = frame->height * (1 + 2 * (i / 2)) / 4;
        if (!pixel_near(frame, x, y, picture_colour(frame->width, frame->height, x, y), tolerance))
            return false;
    }
    return true;
}

static inline void put(fg_buf *buf, const void *data, size_t size)
{
    if (fg_buf_append(buf, data, size, NULL) != FG_OK)
        abort();
}

static inline void put_be(fg_buf *buf, uint32_t value, int bytes)
{
    for (int i = bytes - 1; i >= 0; i--)
        put(buf, &(uint8_t){(uint8_t)(value >> (8 * i))}, 1);
}

static inline void put_le(fg_buf *buf, uint32_t value, int bytes)
{
    for (int i = 0; i < bytes; i++)
        put(buf, &(uint8_t){(uint8_t)(value >> (8 * i))}, 1);
}

/* A TIFF structure with one entry, the orientation. */
static inline void put_tiff(fg_buf *buf, int orientation, bool little)
{
    void (*number)(fg_buf *, uint32_t, int) = little ? put_le : put_be;
    put(buf, little ? "II" : "MM", 2);
    number(buf, 42, 2);
    number(buf, 8, 4);
    number(buf, 1, 2);
    number(buf, 0x0112, 2);
    number(buf, 3, 2);
    number(buf, 1, 4);
    number(buf, (uint32_t)orientation, 2);
    number(buf, 0, 2);
    number(buf, 0, 4);
}

static inline void put_png_chunk(fg_buf *buf, const char *type, const void *data, size_t size)
{
    put_be(buf, (uint32_t)size, 4);
    const size_t at = buf->size;
    put(buf, type, 4);
    put(buf, data, size);
    put_be(buf, (uint32_t)crc32(0, buf->data + at, (uInt)(size + 4)), 4);
}

typedef struct png_spec {
    uint32_t width, height;
    int depth, colour_type;
    bool interlaced;
    const uint8_t *rows; /* samples of whole rows, unfiltered, of width * bytes_per_pixel; NULL: no IDAT */
    size_t bytes_per_pixel;
    int orientation; /* 0: no eXIf */
    bool exif_last;
    const uint8_t *palette, *trns; /* PLTE of 4 entries and tRNS, or NULL */
    size_t trns_size;
} png_spec;

static inline void put_png_rows(fg_buf *raw, const png_spec *s, uint32_t x0, uint32_t y0, uint32_t dx,
                                uint32_t dy)
{
    for (uint32_t y = y0; y < s->height; y += dy) {
        if (x0 < s->width)
            put(raw, "", 1); /* filter: none */
        for (uint32_t x = x0; x < s->width; x += dx)
            put(raw, s->rows + ((size_t)y * s->width + x) * s->bytes_per_pixel, s->bytes_per_pixel);
    }
}

static inline void put_png(fg_buf *buf, const png_spec *s)
{
    static const uint32_t adam7[7][4] = {{0, 0, 8, 8}, {4, 0, 8, 8}, {0, 4, 4, 8}, {2, 0, 4, 4},
                                         {0, 2, 2, 4}, {1, 0, 2, 2}, {0, 1, 1, 2}};
    fg_buf part;
    fg_buf_init(&part, 64u << 20);
    put(buf, "\x89PNG\r\n\x1a\n", 8);
    put_be(&part, s->width, 4);
    put_be(&part, s->height, 4);
    put_be(&part, (uint32_t)s->depth << 24 | (uint32_t)s->colour_type << 16, 4);
    put_be(&part, s->interlaced, 1);
    put_png_chunk(buf, "IHDR", part.data, part.size);
    fg_buf_clear(&part);
    if (s->orientation)
        put_tiff(&part, s->orientation, false);
    if (s->orientation && !s->exif_last)
        put_png_chunk(buf, "eXIf", part.data, part.size);
    if (s->palette)
        put_png_chunk(buf, "PLTE", s->palette, 12);
    if (s->trns)
        put_png_chunk(buf, "tRNS", s->trns, s->trns_size);
    if (s->rows) {
        fg_buf raw;
        fg_buf_init(&raw, 64u << 20);
        for (int i = 0; i < 7 && s->interlaced; i++)
            put_png_rows(&raw, s, adam7[i][0], adam7[i][1], adam7[i][2], adam7[i][3]);
        if (!s->interlaced)
            put_png_rows(&raw, s, 0, 0, 1, 1);
        uLongf packed_size = compressBound((uLong)raw.size);
        uint8_t *packed = malloc(packed_size);
        if (!packed || compress(packed, &packed_size, raw.data, (uLong)raw.size) != Z_OK)
            abort();
        put_png_chunk(buf, "IDAT", packed, packed_size);
        free(packed);
        fg_buf_deinit(&raw);
    }
    if (s->orientation && s->exif_last)
        put_png_chunk(buf, "eXIf", part.data, part.size);
    put_png_chunk(buf, "IEND", "", 0);
    fg_buf_deinit(&part);
}

#endif
