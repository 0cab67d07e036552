#include "face/vary.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

typedef struct variation {
    bool mirrored;
    double shift_x, shift_y; /* of the cut, in distances between the landmarks and their centre */
    double scale, turn;      /* of the cut; radians */
    double gain, gamma;      /* of the light */
    int soft;                /* passes of a 1 2 1 filter either way */
} variation;

/* What differs between two good photos of one person, as far as a picture can be made of it: landmarks are
 * found within a few hundredths, cameras mirror, light and focus change. No two differ by their side alone:
 * to an embedder that looks at both sides they would be one. */
static const variation variations[FG_VARIATIONS] = {
    {false, 0, 0, 1, 0, 1, 1, 0},
    {true, 0.03, 0.04, 1.03, -0.03, 1.05, 1.15, 1},
    {false, 0.05, 0.03, 1.04, 0.05, 1.15, 1, 0},
    {true, 0.05, -0.03, 0.96, -0.05, 0.85, 1, 0},
    {false, -0.05, 0.02, 0.95, -0.04, 1, 0.75, 0},
    {true, -0.05, -0.04, 1.05, 0.06, 1, 1.35, 0},
    {false, 0, 0.05, 1, 0.08, 1, 1, 2},
    {true, 0.02, 0, 1.02, -0.08, 0.9, 0.9, 3},
};

void fg_frame_mirror(fg_frame *frame)
{
    for (int y = 0; y < frame->height; y++) {
        uint8_t *row = frame->rgb + (size_t)y * frame->stride;
        for (int a = 0, b = frame->width - 1; a < b; a++, b--)
            for (int c = 0; c < 3; c++) {
                uint8_t kept = row[3 * a + c];
                row[3 * a + c] = row[3 * b + c];
                row[3 * b + c] = kept;
            }
    }
}

static void relight(fg_frame *chip, double gain, double gamma)
{
    uint8_t curve[256];
    for (int v = 0; v < 256; v++)
        curve[v] = (uint8_t)lround(fmin(255, 255 * gain * pow(v / 255.0, gamma)));
    for (int y = 0; y < chip->height; y++)
        for (size_t i = 0; i < 3 * (size_t)chip->width; i++)
            chip->rgb[(size_t)y * chip->stride + i] = curve[chip->rgb[(size_t)y * chip->stride + i]];
}

/* 1 2 1 along a line of count pixels' channels, `step` bytes apart. */
static void soften_line(uint8_t *line, int count, size_t step)
{
    uint8_t before = line[0];
    for (int i = 0; i < count; i++) {
        uint8_t here = line[(size_t)i * step], after = line[(size_t)(i + 1 < count ? i + 1 : i) * step];
        line[(size_t)i * step] = (uint8_t)((before + 2 * here + after + 2) / 4);
        before = here;
    }
}

static void soften(fg_frame *chip)
{
    for (int y = 0; y < chip->height; y++)
        for (size_t c = 0; c < 3; c++)
            soften_line(chip->rgb + (size_t)y * chip->stride + c, chip->width, 3);
    for (size_t i = 0; i < 3 * (size_t)chip->width; i++)
        soften_line(chip->rgb + i, chip->height, chip->stride);
}

fg_code fg_vary(const fg_engine *engine, const fg_frame *frame, const fg_point points[FG_LANDMARKS],
                int number, fg_frame *chip, fg_error *err)
{
    const variation *v = &variations[number];
    fg_point moved[FG_LANDMARKS];
    double x = 0, y = 0, spread = 0;
    for (int i = 0; i < FG_LANDMARKS; i++) {
        x += (double)points[i].x / FG_LANDMARKS;
        y += (double)points[i].y / FG_LANDMARKS;
    }
    for (int i = 0; i < FG_LANDMARKS; i++)
        spread += hypot((double)points[i].x - x, (double)points[i].y - y) / FG_LANDMARKS;
    for (int i = 0; i < FG_LANDMARKS; i++) {
        double dx = (double)points[i].x - x, dy = (double)points[i].y - y;
        double c = v->scale * cos(v->turn), s = v->scale * sin(v->turn);
        moved[i] = (fg_point){(float)(x + c * dx - s * dy + v->shift_x * spread),
                              (float)(y + s * dx + c * dy + v->shift_y * spread)};
    }
    fg_code rc = fg_align(engine, frame, moved, chip, err);
    if (rc != FG_OK)
        return rc;
    if (v->mirrored)
        fg_frame_mirror(chip);
    if (v->gain != 1 || v->gamma != 1)
        relight(chip, v->gain, v->gamma);
    for (int pass = 0; pass < v->soft; pass++)
        soften(chip);
    return FG_OK;
}
