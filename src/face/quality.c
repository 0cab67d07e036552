#include "face/face.h"

#include <math.h>
#include <string.h>

/* All measures are taken on the chip brought to GRID x GRID by area averaging, so that they can be compared
 * between models whose chips differ in size; sharpness and exposure within the part of it that a face fills.
 */
#define GRID 80
#define LEFT 16
#define RIGHT 64
#define TOP 20
#define BOTTOM 76

/* The face as a solid, from mean adult anthropometry: how far the nose's tip stands out before the plane of
 * eyes and mouth, as a part of the distance between the eyes and between the lines of eyes and mouth; and
 * where it lies between those lines. */
#define NOSE_DEPTH_TO_EYES 0.45f
#define NOSE_DEPTH_TO_MOUTH 0.43f
#define NOSE_HEIGHT 0.54f
#define DEGREES (180 / 3.14159265358979f)

const fg_quality_limits fg_quality_limits_default = {
    .min_face = 40,
    .min_sharpness = 20,
    .min_brightness = 40,
    .max_brightness = 225,
    .max_yaw = 40,
    .max_pitch = 35,
    .max_roll = 45,
};

/* Luma of Rec. 601, times 256. */
static float luma(const uint8_t *p)
{
    return (float)(77 * p[0] + 150 * p[1] + 29 * p[2]);
}

/* Part of source pixel i in out pixel [from, to), both in source pixels. */
static float share(int i, float from, float to)
{
    float low = fmaxf((float)i, from), high = fminf((float)i + 1, to);
    return high > low ? high - low : 0;
}

static void shrink(const fg_frame *chip, float grey[GRID][GRID])
{
    float step_x = (float)chip->width / GRID, step_y = (float)chip->height / GRID;
    memset(grey, 0, sizeof(float) * GRID * GRID);
    for (int j = 0; j < GRID; j++) {
        float y0 = (float)j * step_y, y1 = y0 + step_y;
        for (int y = (int)y0; y < chip->height && (float)y < y1; y++) {
            const uint8_t *row = chip->rgb + (size_t)y * chip->stride;
            float part = share(y, y0, y1) / (step_x * step_y * 256);
            for (int i = 0; i < GRID; i++) {
                float x0 = (float)i * step_x, x1 = x0 + step_x, sum = 0;
                for (int x = (int)x0; x < chip->width && (float)x < x1; x++)
                    sum += share(x, x0, x1) * luma(row + 3 * (size_t)x);
                grey[j][i] += part * sum;
            }
        }
    }
}

static void measure_chip(const fg_frame *chip, fg_quality *quality)
{
    float grey[GRID][GRID];
    double sum = 0, squares = 0, edge_sum = 0, edge_squares = 0;
    int n = (RIGHT - LEFT) * (BOTTOM - TOP);
    shrink(chip, grey);
    for (int y = TOP; y < BOTTOM; y++)
        for (int x = LEFT; x < RIGHT; x++) {
            double v = (double)grey[y][x];
            double edge = (double)(grey[y - 1][x] + grey[y + 1][x] + grey[y][x - 1] + grey[y][x + 1]) - 4 * v;
            sum += v;
            squares += v * v;
            edge_sum += edge;
            edge_squares += edge * edge;
        }
    quality->brightness = (float)(sum / n);
    quality->contrast = (float)sqrt(fmax(0, squares / n - sum / n * (sum / n)));
    quality->sharpness = (float)fmax(0, edge_squares / n - edge_sum / n * (edge_sum / n));
}

static void measure_pose(const fg_point p[FG_LANDMARKS], fg_quality *quality)
{
    fg_point eyes = {(p[FG_LEFT_EYE].x + p[FG_RIGHT_EYE].x) / 2, (p[FG_LEFT_EYE].y + p[FG_RIGHT_EYE].y) / 2};
    fg_point mouth = {(p[FG_LEFT_MOUTH].x + p[FG_RIGHT_MOUTH].x) / 2,
                      (p[FG_LEFT_MOUTH].y + p[FG_RIGHT_MOUTH].y) / 2};
    float ex = p[FG_RIGHT_EYE].x - p[FG_LEFT_EYE].x, ey = p[FG_RIGHT_EYE].y - p[FG_LEFT_EYE].y;
    float across = hypotf(ex, ey), mx = mouth.x - eyes.x, my = mouth.y - eyes.y;
    quality->eye_distance = across;
    quality->roll = atan2f(ey, ex) * DEGREES;
    /* Coordinates of the nose along the line of the eyes and, from it, along the line to the mouth (0 eyes, 1
     * mouth). */
    float det = ex * my - ey * mx, nx = p[FG_NOSE].x - eyes.x, ny = p[FG_NOSE].y - eyes.y;
    if (!(fabsf(det) > 1e-3f * across * across) || !(across > 0)) {
        quality->yaw = quality->pitch = 90; /* an edge-on or senseless face */
        return;
    }
    float u = (nx * my - ny * mx) / det, v = (ex * ny - ey * nx) / det;
    quality->yaw = atanf(u / NOSE_DEPTH_TO_EYES) * DEGREES;
    quality->pitch = atanf((v - NOSE_HEIGHT) / NOSE_DEPTH_TO_MOUTH) * DEGREES;
}

void fg_quality_measure(const fg_face *face, const fg_frame *chip, fg_quality *quality)
{
    memset(quality, 0, sizeof *quality);
    measure_pose(face->points, quality);
    measure_chip(chip, quality);
}

fg_reason fg_quality_judge(const fg_face *face, const fg_quality *quality, const fg_quality_limits *limits)
{
    /* Each test is written so that a number that is not one fails it. */
    if (!(fminf(face->width, face->height) >= limits->min_face))
        return FG_REASON_FACE_TOO_SMALL;
    if (!(quality->brightness >= limits->min_brightness))
        return FG_REASON_TOO_DARK;
    if (!(quality->brightness <= limits->max_brightness))
        return FG_REASON_TOO_BRIGHT;
    if (!(fabsf(quality->yaw) <= limits->max_yaw && fabsf(quality->pitch) <= limits->max_pitch &&
          fabsf(quality->roll) <= limits->max_roll))
        return FG_REASON_POSE;
    if (!(quality->sharpness >= limits->min_sharpness))
        return FG_REASON_BLURRED;
    return FG_REASON_NONE;
}
