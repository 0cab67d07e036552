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

/* A chip plainer than this (variance of its luma) shows no face, only noise. */
#define LEAST_VARIANCE 9.0

/* Measured on Labeled Faces in the Wild with face-reidentification-retail-0095: of 3,406 faces these refuse
 * fewer than 1 in 100. Blur of a standard deviation of 0.04, 0.08, 0.12, 0.16 eye distances leaves 100, 96,
 * 68, 31 % of the true pairs above the threshold of 0.1 % false ones, and gives a median sharpness of 49,
 * 10, 4.4, 2.7. */
const fg_quality_limits fg_quality_limits_default = {
    .min_face = 40,
    .min_sharpness = 8,
    .min_brightness = 30,
    .max_brightness = 225,
    .max_yaw = 60,
    .max_pitch = 45,
    .max_roll = 45,
};

/* Luma of Rec. 601, times 256. */
static int luma(const uint8_t *p)
{
    return 77 * p[0] + 150 * p[1] + 29 * p[2];
}

/* Bin i of the output is the mean of the row from i * step to (i + 1) * step: the difference of two running
 * sums. */
static void shrink_row(const uint8_t *rgb, int width, double out[GRID])
{
    double step = (double)width / GRID, sum = 0, last = 0;
    int bin = 0;
    for (int x = 0; x < width; x++, rgb += 3) {
        double value = luma(rgb);
        for (; bin < GRID - 1 && (bin + 1) * step <= x + 1; bin++) {
            double here = sum + ((bin + 1) * step - x) * value;
            out[bin] = (here - last) / step;
            last = here;
        }
        sum += value;
    }
    out[bin] = (sum - last) / step; /* the last bin ends where the row does, whatever rounding says */
}

static void shrink(const fg_frame *chip, float grey[GRID][GRID])
{
    double step = (double)chip->height / GRID, row[GRID] = {0}, sum[GRID] = {0}, last[GRID] = {0};
    int bin = 0;
    for (int y = 0; y < chip->height; y++) {
        shrink_row(chip->rgb + (size_t)y * chip->stride, chip->width, row);
        for (; bin < GRID && ((bin + 1) * step <= y + 1 || (bin == GRID - 1 && y == chip->height - 1)); bin++)
            for (int i = 0; i < GRID; i++) {
                double here = sum[i] + fmin(1, (bin + 1) * step - y) * row[i];
                grey[bin][i] = (float)((here - last[i]) / (step * 256));
                last[i] = here;
            }
        for (int i = 0; i < GRID; i++)
            sum[i] += row[i];
    }
}

static void measure_chip(const fg_frame *chip, fg_quality *quality)
{
    float grey[GRID][GRID];
    double sum = 0, squares = 0, edge_sum = 0, edge_squares = 0;
    int n = (RIGHT - LEFT) * (BOTTOM - TOP);
    if (chip->width < 1 || chip->height < 1)
        return;
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
    double variance = fmax(0, squares / n - sum / n * (sum / n));
    double edges = fmax(0, edge_squares / n - edge_sum / n * (edge_sum / n));
    quality->brightness = (float)(sum / n);
    quality->contrast = (float)sqrt(variance);
    quality->sharpness = (float)(1000 * edges / fmax(variance, LEAST_VARIANCE));
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
