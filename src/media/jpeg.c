/* JPEG (ITU-T T.81) through TurboJPEG. */
#include "media/codecs.h"

#include "base/limits.h"
#include "media/pixels.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <turbojpeg.h>

/* An ordinary progressive photo has about 10 scans. Each may be a few bytes long and still costs a pass over
 * the whole picture, so their number is what a bomb plays with. */
#define MAX_SCANS 100

typedef struct markers {
    const uint8_t *exif; /* of the first APP1 that holds one */
    size_t exif_size;
    int scans;
    int components; /* of the frame */
    bool buffered;  /* progressive, or a scan without some component: the decoder keeps all coefficients */
    bool complete;  /* ends as it should */
} markers;

/* Walks from marker to marker (T.81, B.1). libjpeg fills a missing end with grey and only warns, in words. */
static markers walk(const uint8_t *p, size_t size)
{
    markers m = {0};
    size_t at = 2;
    while (at + 1 < size) {
        if (p[at] != 0xff || p[at + 1] == 0xff) {
            at++;
            continue;
        }
        uint8_t marker = p[at + 1];
        at += 2;
        if (marker == 0xd9) {
            m.complete = true;
            break;
        }
        if (marker == 0x00 || marker == 0x01 || (marker >= 0xd0 && marker <= 0xd8))
            continue;
        if (at + 2 > size)
            break;
        size_t length = (size_t)p[at] << 8 | p[at + 1];
        if (length < 2 || length > size - at)
            break;
        if (marker == 0xe1 && !m.exif && length >= 8 && memcmp(p + at + 2, "Exif\0", 6) == 0) {
            m.exif = p + at + 2;
            m.exif_size = length - 2;
        }
        /* Start of frame: SOF0 to SOF15 without DHT, JPG and DAC; then start of scan. */
        if (marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc &&
            length >= 8)
            m.components = p[at + 7];
        m.buffered |= marker == 0xc2 || marker == 0xc6 || marker == 0xca || marker == 0xce;
        if (marker == 0xda) {
            m.scans++;
            m.buffered |= m.scans > 1 || length < 3 || p[at + 2] < m.components;
        }
        at += length;
    }
    return m;
}

static void cmyk_row_to_rgb(const uint8_t *cmyk, uint8_t *rgb, int width)
{
    /* Adobe's inverted values, as practically every such JPEG has: 255 is no ink. */
    for (int x = 0; x < width; x++)
        for (int c = 0; c < 3; c++)
            rgb[3 * x + c] = (uint8_t)((cmyk[4 * x + c] * cmyk[4 * x + 3] + 127) / 255);
}

static int decompress(tjhandle tj, fg_frame *frame, const fg_coded *coded, uint8_t *cmyk, int flags)
{
    const size_t row = (size_t)frame->width * 4;
    if (!cmyk)
        return tjDecompress2(tj, coded->data, (unsigned long)coded->size, frame->rgb, frame->width,
                             (int)frame->stride, frame->height, TJPF_RGB, flags);
    const int result = tjDecompress2(tj, coded->data, (unsigned long)coded->size, cmyk, frame->width,
                                     (int)row, frame->height, TJPF_CMYK, flags);
    for (int y = 0; y < frame->height; y++)
        cmyk_row_to_rgb(cmyk + (size_t)y * row, frame->rgb + (size_t)y * frame->stride, frame->width);
    return result;
}

/* libjpeg makes up what it cannot read, and says so in a warning. Others of its warnings are common with good
 * photos: bytes between markers, unknown versions. */
static bool is_damage(tjhandle tj)
{
    static const char *const texts[] = {"remature end", "bad Huffman code", "bad arithmetic code",
                                        "progression sequence", "instead of RST"};
    const char *text = tjGetErrorStr2(tj);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (strstr(text, texts[i]))
            return true;
    return tjGetErrorCode(tj) == TJERR_FATAL;
}

static fg_code decode(tjhandle tj, fg_frame *frame, const fg_coded *coded, bool cmyk, fg_error *err)
{
    const int flags = TJFLAG_ACCURATEDCT | TJFLAG_LIMITSCANS;
    fg_code rc = FG_OK;
    uint8_t *ink = NULL;
    if (cmyk && !(ink = malloc((size_t)frame->width * 4 * (size_t)frame->height)))
        return FG_FAIL(err, FG_ERR_MEMORY, "out of memory for a picture of %d x %d pixels", frame->width,
                       frame->height);
    if (decompress(tj, frame, coded, ink, flags | TJFLAG_STOPONWARNING) != 0 &&
        (is_damage(tj) || (decompress(tj, frame, coded, ink, flags) != 0 && is_damage(tj))))
        rc = FG_FAIL(err, FG_ERR_INPUT, "a damaged JPEG photo (%s); copy or save it again",
                     tjGetErrorStr2(tj));
    free(ink);
    return rc;
}

fg_code fg_jpeg_decode(fg_frame *frame, fg_coded *coded, fg_error *err)
{
    fg_code rc = FG_OK;
    int width = 0, height = 0, subsampling = 0, colours = 0;
    *frame = (fg_frame){0};
    tjhandle tj = tjInitDecompress();
    if (!tj) {
        rc = FG_FAIL(err, FG_ERR_MEMORY, "out of memory for the JPEG decoder");
        goto done;
    }
    if (tjDecompressHeader3(tj, coded->data, (unsigned long)coded->size, &width, &height, &subsampling,
                            &colours) != 0 &&
        (tjGetErrorCode(tj) == TJERR_FATAL || width < 1 || height < 1)) {
        rc = FG_FAIL(err, FG_ERR_INPUT, "a damaged JPEG photo (%s); copy or save it again",
                     tjGetErrorStr2(tj));
        goto done;
    }
    const markers m = walk(coded->data, coded->size);
    if ((rc = fg_image_check_size((uint64_t)width, (uint64_t)height, !m.buffered, err)) != FG_OK)
        goto done;
    if (m.scans > MAX_SCANS) {
        rc = FG_FAIL(err, FG_ERR_LIMIT,
                     "a JPEG photo in %d scans, at most %d are taken; save it as an ordinary JPEG", m.scans,
                     MAX_SCANS);
        goto done;
    }
    if (!m.complete) {
        rc = FG_FAIL(err, FG_ERR_INPUT, "a JPEG photo that is cut off; copy or upload it again");
        goto done;
    }
    if (m.exif)
        coded->orientation = fg_exif_orientation(m.exif, m.exif_size);
    coded->halvings = fg_pixels_halvings(width, height, coded->max_side);
    const int by_dct = coded->halvings < 3 ? coded->halvings : 3;
    const tjscalingfactor factor = {1, 1 << by_dct};
    if ((rc = fg_frame_init(frame, TJSCALED(width, factor), TJSCALED(height, factor), err)) != FG_OK)
        goto done;
    if ((rc = decode(tj, frame, coded, colours == TJCS_CMYK || colours == TJCS_YCCK, err)) != FG_OK)
        goto done;
    rc = fg_pixels_reduce(frame, coded->halvings - by_dct, err);
done:
    if (tj)
        tjDestroy(tj);
    if (rc != FG_OK)
        fg_frame_deinit(frame);
    return rc;
}
