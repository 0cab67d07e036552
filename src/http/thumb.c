#include "http/thumb.h"

#include "media/image.h"

#include <string.h>

/* The mean of the source pixels that fall on one pixel of the small picture. */
static void average(const fg_frame *frame, int x0, int y0, int x1, int y1, uint8_t out[3])
{
    unsigned long sum[3] = {0}, count = (unsigned long)(x1 - x0) * (unsigned long)(y1 - y0);
    for (int y = y0; y < y1; y++) {
        const uint8_t *p = frame->rgb + (size_t)y * frame->stride + 3 * (size_t)x0;
        for (int x = x0; x < x1; x++, p += 3)
            for (int c = 0; c < 3; c++)
                sum[c] += p[c];
    }
    for (int c = 0; c < 3; c++)
        out[c] = (uint8_t)((sum[c] + count / 2) / count);
}

fg_code fg_thumb_make(const fg_frame *frame, uint8_t **data, size_t *size, fg_error *err)
{
    fg_frame small = {0};
    fg_code rc;
    *data = NULL;
    *size = 0;
    if (!frame->rgb || frame->width < 1 || frame->height < 1)
        return FG_FAIL(err, FG_ERR_INPUT, "an empty picture");
    int square = frame->width < frame->height ? frame->width : frame->height;
    int side = square < FG_THUMB_SIDE ? square : FG_THUMB_SIDE;
    int left = (frame->width - square) / 2, top = (frame->height - square) / 2;
    if ((rc = fg_frame_init(&small, side, side, err)) != FG_OK)
        return rc;
    for (int y = 0; y < side; y++)
        for (int x = 0; x < side; x++)
            average(frame, left + x * square / side, top + y * square / side, left + (x + 1) * square / side,
                    top + (y + 1) * square / side, small.rgb + (size_t)y * small.stride + 3 * (size_t)x);
    rc = fg_image_encode_jpeg(&small, 75, data, size, err);
    fg_frame_deinit(&small);
    return rc;
}
