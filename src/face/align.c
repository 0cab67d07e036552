#include "face/align.h"

#include "face/area.h"

#include <math.h>

fg_code fg_similarity_fit(fg_similarity *map, const fg_point *from, const fg_point *to, int count,
                          fg_error *err)
{
    double fx = 0, fy = 0, gx = 0, gy = 0, spread = 0, a = 0, b = 0;
    *map = (fg_similarity){0};
    for (int i = 0; i < count; i++) {
        fx += (double)from[i].x / count;
        fy += (double)from[i].y / count;
        gx += (double)to[i].x / count;
        gy += (double)to[i].y / count;
    }
    for (int i = 0; i < count; i++) {
        double px = from[i].x - fx, py = from[i].y - fy, qx = to[i].x - gx, qy = to[i].y - gy;
        spread += px * px + py * py;
        a += px * qx + py * qy;
        b += px * qy - py * qx;
    }
    a /= spread;
    b /= spread;
    /* Also catches points that are not finite, and 0 / 0. */
    if (!(spread > 1e-9) || !isfinite(spread) || !(a * a + b * b > 1e-12) || !isfinite(a * a + b * b))
        return FG_FAIL(err, FG_ERR_INPUT, "the landmarks of the face do not span an area");
    *map = (fg_similarity){a, b, gx - a * fx + b * fy, gy - b * fx - a * fy};
    return FG_OK;
}

fg_code fg_landmarks_fit(fg_similarity *map, const fg_point landmarks[FG_LANDMARKS],
                         const fg_point places[FG_LANDMARKS], fg_error *err)
{
    fg_point from[FG_LANDMARKS];
    for (int i = 0; i < FG_LANDMARKS; i++)
        from[i] = (fg_point){landmarks[i].x - FG_FIRST_PIXEL, landmarks[i].y - FG_FIRST_PIXEL};
    return fg_similarity_fit(map, from, places, FG_LANDMARKS, err);
}

static fg_similarity inverse(const fg_similarity *m)
{
    double d = m->a * m->a + m->b * m->b, a = m->a / d, b = -m->b / d;
    return (fg_similarity){a, b, -(a * m->tx - b * m->ty), -(b * m->tx + a * m->ty)};
}

static double clamp(double v, double low, double high)
{
    return v < low ? low : v > high ? high : v;
}

static void warp(fg_frame *chip, const fg_frame *frame, const fg_similarity *back)
{
    double right = frame->width - 1, bottom = frame->height - 1;
    for (int v = 0; v < chip->height; v++) {
        uint8_t *out = chip->rgb + (size_t)v * chip->stride;
        for (int u = 0; u < chip->width; u++, out += 3) {
            double x = clamp(back->a * u - back->b * v + back->tx, 0, right);
            double y = clamp(back->b * u + back->a * v + back->ty, 0, bottom);
            int x0 = (int)x, y0 = (int)y, dx = x0 < frame->width - 1 ? 3 : 0;
            size_t dy = y0 < frame->height - 1 ? frame->stride : 0;
            float fx = (float)(x - x0), fy = (float)(y - y0);
            const uint8_t *p = frame->rgb + (size_t)y0 * frame->stride + 3 * (size_t)x0;
            for (int c = 0; c < 3; c++) {
                float top = (float)p[c] + (float)(p[c + dx] - p[c]) * fx;
                float low =
                    (float)p[dy + (size_t)c] + (float)(p[dy + (size_t)(c + dx)] - p[dy + (size_t)c]) * fx;
                out[c] = (uint8_t)(top + (low - top) * fy + .5f);
            }
        }
    }
}

/* The pixels of the frame that the chip shows, with a margin for the halvings, as x, y, width, height. */
static void shown(const fg_frame *frame, const fg_similarity *back, int size, int margin, int box[4])
{
    double x0 = 1e30, y0 = 1e30, x1 = -1e30, y1 = -1e30;
    for (int i = 0; i < 4; i++) {
        double u = i & 1 ? size : -1, v = i & 2 ? size : -1;
        double x = back->a * u - back->b * v + back->tx, y = back->b * u + back->a * v + back->ty;
        x0 = fmin(x0, x);
        x1 = fmax(x1, x);
        y0 = fmin(y0, y);
        y1 = fmax(y1, y);
    }
    box[0] = (int)clamp(x0 - margin, 0, frame->width - 1);
    box[1] = (int)clamp(y0 - margin, 0, frame->height - 1);
    box[2] = (int)clamp(x1 + margin + 1, 1, frame->width) - box[0];
    box[3] = (int)clamp(y1 + margin + 1, 1, frame->height) - box[1];
}

fg_code fg_similarity_warp(fg_frame *chip, const fg_frame *frame, const fg_similarity *map, int size,
                           fg_error *err)
{
    fg_frame half = {0}, smaller = {0};
    const fg_frame *source = frame;
    fg_similarity back = inverse(map);
    double step =
        sqrt(back.a * back.a + back.b * back.b); /* pixels of the source from a chip's pixel to the next */
    fg_code rc = fg_frame_init(chip, size, size, err);
    if (rc != FG_OK)
        return rc;
    while (step > 2) {
        int box[4];
        shown(source, &back, size, (int)fmin(2 * step, 1e6) + 2, box);
        if (box[2] < 4 || box[3] < 4)
            break;
        if ((rc = fg_area_halve(&smaller, source, box[0], box[1], box[2], box[3], err)) != FG_OK)
            goto done;
        fg_frame_deinit(&half);
        half = smaller;
        source = &half;
        /* Pixel i of the half has its centre between pixels 2 i and 2 i + 1 of the region. */
        back =
            (fg_similarity){back.a / 2, back.b / 2, (back.tx - box[0] - .5) / 2, (back.ty - box[1] - .5) / 2};
        step /= 2;
    }
    warp(chip, source, &back);
    chip->index = frame->index;
    chip->time_ms = frame->time_ms;
done:
    fg_frame_deinit(&half);
    if (rc != FG_OK)
        fg_frame_deinit(chip);
    return rc;
}
