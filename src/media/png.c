/* PNG (ISO/IEC 15948, and the eXIf chunk of the third edition) through libspng. */
#include "media/codecs.h"

#include "base/limits.h"
#include "media/pixels.h"

#include <spng.h>
#include <stdlib.h>
#include <string.h>

#define MAX_CHUNK_BYTES (8u << 20)  /* of one colour profile or text, unpacked */
#define MAX_CACHE_BYTES (16u << 20) /* of all together */

static fg_code fail(fg_error *err, int code)
{
    if (code == SPNG_EMEM)
        return FG_FAIL(err, FG_ERR_MEMORY, "out of memory for a PNG picture");
    if (code == SPNG_IO_EOF || code == SPNG_EIDAT_STREAM)
        return FG_FAIL(err, FG_ERR_INPUT, "a PNG picture that is cut off; copy or upload it again");
    if (code == SPNG_ECHUNK_LIMITS)
        return FG_FAIL(err, FG_ERR_LIMIT,
                       "a PNG picture with too many or too large chunks; save it again without them");
    return FG_FAIL(err, FG_ERR_INPUT, "a damaged PNG picture (%s); copy or save it again",
                   spng_strerror(code));
}

static uint32_t big_endian(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* Right after the signature, and before libspng, which has its own words for sizes that overflow its sums. */
static fg_code check_declared_size(const fg_coded *coded, fg_error *err)
{
    if (coded->size < 24 || memcmp(coded->data + 12, "IHDR", 4) != 0)
        return FG_OK;
    return fg_image_check_size(big_endian(coded->data + 16), big_endian(coded->data + 20), 1, err);
}

/* Interlaced rows come in seven passes, so the whole picture has to be held; otherwise one row is enough. */
static fg_code decode_rows(spng_ctx *ctx, const struct spng_ihdr *ihdr, fg_reducer *reducer, fg_error *err)
{
    fg_code rc = FG_OK;
    const size_t row_bytes = (size_t)ihdr->width * 3;
    const size_t rows = ihdr->interlace_method ? ihdr->height : 1;
    int code;
    uint8_t *pixels = malloc(row_bytes * rows);
    if (!pixels)
        return fail(err, SPNG_EMEM);
    if (ihdr->interlace_method) {
        code = spng_decode_image(ctx, pixels, row_bytes * rows, SPNG_FMT_RGB8, 0);
        for (uint32_t y = 0; code == 0 && y < ihdr->height; y++)
            fg_reducer_row(reducer, pixels + (size_t)y * row_bytes);
    } else {
        code = spng_decode_image(ctx, NULL, 0, SPNG_FMT_RGB8, SPNG_DECODE_PROGRESSIVE);
        for (uint32_t y = 0; code == 0 && y < ihdr->height; y++) {
            code = spng_decode_row(ctx, pixels, row_bytes);
            if (code != 0 && code != SPNG_EOI)
                break;
            fg_reducer_row(reducer, pixels);
        }
    }
    if (code != 0 && code != SPNG_EOI)
        rc = fail(err, code);
    free(pixels);
    return rc;
}

fg_code fg_png_decode(fg_frame *frame, fg_coded *coded, fg_error *err)
{
    fg_code rc;
    int code;
    struct spng_ihdr ihdr;
    struct spng_exif exif;
    fg_reducer reducer = {0};
    *frame = (fg_frame){0};
    spng_ctx *ctx = NULL;
    if ((rc = check_declared_size(coded, err)) != FG_OK)
        goto done;
    ctx = spng_ctx_new(0);
    if (!ctx) {
        rc = fail(err, SPNG_EMEM);
        goto done;
    }
    if ((code = spng_set_png_buffer(ctx, coded->data, coded->size)) != 0 ||
        (code = spng_set_chunk_limits(ctx, MAX_CHUNK_BYTES, MAX_CACHE_BYTES)) != 0 ||
        (code = spng_get_ihdr(ctx, &ihdr)) != 0) {
        rc = fail(err, code);
        goto done;
    }
    if ((rc = fg_image_check_size(ihdr.width, ihdr.height, !ihdr.interlace_method, err)) != FG_OK)
        goto done;
    coded->halvings = fg_pixels_halvings((int)ihdr.width, (int)ihdr.height, coded->max_side);
    if ((rc = fg_reducer_init(&reducer, (int)ihdr.width, (int)ihdr.height, coded->halvings, err)) != FG_OK ||
        (rc = decode_rows(ctx, &ihdr, &reducer, err)) != FG_OK)
        goto done;
    *frame = reducer.frame;
    reducer.frame = (fg_frame){0};
    /* The chunk may also come after the pixels; whatever is wrong there does not spoil the picture. */
    if (spng_decode_chunks(ctx) == 0 && spng_get_exif(ctx, &exif) == 0)
        coded->orientation = fg_exif_orientation((const uint8_t *)exif.data, exif.length);
done:
    fg_reducer_deinit(&reducer);
    spng_ctx_free(ctx);
    return rc;
}
