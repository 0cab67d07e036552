#include "face/face.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define RADIANS (3.14159265f / 180)

/* A face as a solid, in units of the distance between the eyes: the points of an upright head that is turned
 * by yaw (to the picture's right), then pitch (down), then roll (clockwise), seen from far away. */
static fg_face turned_head(float yaw, float pitch, float roll, float eyes_px)
{
    static const float solid[FG_LANDMARKS][3] = {/* right, down, towards the camera */
                                                 {-.5f, -.5f, 0},
                                                 {.5f, -.5f, 0},
                                                 {0, .04f, .45f},
                                                 {-.4f, .5f, 0},
                                                 {.4f, .5f, 0}};
    fg_face face = {.x = 100, .y = 100, .width = 2 * eyes_px, .height = 2.5f * eyes_px, .score = 1};
    yaw *= RADIANS;
    pitch *= RADIANS;
    roll *= RADIANS;
    for (int i = 0; i < FG_LANDMARKS; i++) {
        float x = solid[i][0], y = solid[i][1], z = solid[i][2];
        float x1 = x * cosf(yaw) + z * sinf(yaw), z1 = z * cosf(yaw) - x * sinf(yaw);
        float y1 = y * cosf(pitch) + z1 * sinf(pitch);
        face.points[i].x = 200 + eyes_px * (x1 * cosf(roll) - y1 * sinf(roll));
        face.points[i].y = 200 + eyes_px * (x1 * sinf(roll) + y1 * cosf(roll));
    }
    return face;
}

/* A chip with the contrasts of a face: dark ellipses for eyes and mouth on a lit oval, edges softened over
 * `blur` of its width. */
static fg_frame drawn_chip(int size, float blur, float light)
{
    static const float parts[][5] = {/* x, y, radius x, radius y, darkness */
                                     {.5f, .6f, .38f, .52f, -90},   {.316f, .46f, .09f, .04f, 80},
                                     {.683f, .46f, .09f, .04f, 80}, {.5f, .64f, .06f, .05f, 25},
                                     {.5f, .82f, .16f, .03f, 70},   {.316f, .4f, .11f, .015f, 60},
                                     {.683f, .4f, .11f, .015f, 60}};
    fg_frame chip;
    assert_int_equal(fg_frame_init(&chip, size, size, NULL), FG_OK);
    for (int v = 0; v < size; v++)
        for (int u = 0; u < size; u++) {
            float x = ((float)u + .5f) / (float)size, y = ((float)v + .5f) / (float)size, value = 80;
            for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
                const float *p = parts[i];
                float r = hypotf((x - p[0]) / p[2], (y - p[1]) / p[3]),
                      edge = (r - 1) * fminf(p[2], p[3]) / blur;
                value -= p[4] / (1 + expf(4 * edge));
            }
            uint8_t *out = chip.rgb + (size_t)v * chip.stride + 3 * (size_t)u;
            memset(out, (int)fminf(255, fmaxf(0, value * light)), 3);
        }
    return chip;
}

static fg_quality measured(const fg_face *face, int size, float blur, float light)
{
    fg_frame chip = drawn_chip(size, blur, light);
    fg_quality q;
    fg_quality_measure(face, &chip, &q);
    fg_frame_deinit(&chip);
    return q;
}

static void pose_follows_the_head(void **state)
{
    static const float turns[][3] = {{0, 0, 0},   {20, 0, 0}, {-35, 0, 0}, {0, 15, 0},
                                     {0, -20, 0}, {0, 0, 30}, {0, 0, -60}, {25, 10, 15}};
    (void)state;
    for (size_t i = 0; i < sizeof turns / sizeof *turns; i++) {
        const float *t = turns[i];
        fg_face face = turned_head(t[0], t[1], t[2], 60);
        fg_quality q = measured(&face, 112, .01f, 1);
        assert_true(fabsf(q.yaw - t[0]) < 5);
        assert_true(fabsf(q.pitch - t[1]) < 5);
        assert_true(fabsf(q.roll - t[2]) < 5);
    }
    fg_face front = turned_head(0, 0, 0, 60);
    assert_true(fabsf(measured(&front, 112, .01f, 1).eye_distance - 60) < .01f);
}

static void sharpness_falls_with_blur(void **state)
{
    fg_face face = turned_head(0, 0, 0, 60);
    float last = INFINITY;
    (void)state;
    for (int i = 0; i < 4; i++) {
        const float blur = .01f * (float)(1 << i);
        float s = measured(&face, 112, blur, 1).sharpness;
        assert_true(s < last * .7f);
        last = s;
    }
}

/* Models differ in the size of their chips; a limit must mean the same to all. */
static void sharpness_does_not_depend_on_the_chip(void **state)
{
    fg_face face = turned_head(0, 0, 0, 60);
    (void)state;
    for (int i = 1; i < 4; i++) {
        const float blur = .01f * (float)(1 << i);
        float small = measured(&face, 96, blur, 1).sharpness, large = measured(&face, 224, blur, 1).sharpness;
        assert_true(fabsf(small / large - 1) < .1f);
    }
}

static void exposure_is_the_mean(void **state)
{
    fg_face face = turned_head(0, 0, 0, 60);
    fg_frame chip;
    fg_quality q;
    (void)state;
    assert_int_equal(fg_frame_init(&chip, 128, 128, NULL), FG_OK);
    for (int y = 0; y < 128; y++)
        for (int x = 0; x < 128; x++) {
            uint8_t *p = chip.rgb + (size_t)y * chip.stride + 3 * (size_t)x;
            p[0] = 200, p[1] = 100, p[2] = 50;
        }
    fg_quality_measure(&face, &chip, &q);
    assert_true(fabsf(q.brightness - (.299f * 200 + .587f * 100 + .114f * 50)) < .5f);
    assert_true(q.contrast < .1f && q.sharpness < .1f);
    fg_frame_deinit(&chip);
}

static void each_limit_has_its_reason(void **state)
{
    const fg_quality_limits *limits = &fg_quality_limits_default;
    (void)state;
    fg_face face = turned_head(0, 0, 0, 60);
    fg_quality good = measured(&face, 112, .01f, 1), q;
    assert_int_equal(fg_quality_judge(&face, &good, limits), FG_REASON_NONE);

    fg_face small = turned_head(0, 0, 0, limits->min_face / 2 - 1);
    assert_int_equal(fg_quality_judge(&small, &good, limits), FG_REASON_FACE_TOO_SMALL);
    q = measured(&face, 112, .15f, 1);
    assert_int_equal(fg_quality_judge(&face, &q, limits), FG_REASON_BLURRED);
    q = measured(&face, 112, .01f, .08f);
    assert_int_equal(fg_quality_judge(&face, &q, limits), FG_REASON_TOO_DARK);
    q = measured(&face, 112, .01f, 20);
    assert_int_equal(fg_quality_judge(&face, &q, limits), FG_REASON_TOO_BRIGHT);
    static const float turns[][3] = {{75, 0, 0},  {-75, 0, 0}, {0, 60, 0},
                                     {0, -60, 0}, {0, 0, 100}, {0, 0, 180}};
    for (size_t i = 0; i < sizeof turns / sizeof *turns; i++) {
        fg_face turned = turned_head(turns[i][0], turns[i][1], turns[i][2], 60);
        q = measured(&turned, 112, .01f, 1);
        assert_int_equal(fg_quality_judge(&turned, &q, limits), FG_REASON_POSE);
    }
    float *numbers[] = {&q.sharpness, &q.brightness, &q.yaw, &q.pitch, &q.roll};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        q = good;
        *numbers[i] = NAN;
        assert_int_not_equal(fg_quality_judge(&face, &q, limits), FG_REASON_NONE);
    }
    fg_face same = {.width = 90, .height = 90}; /* all points in one place */
    q = measured(&same, 112, .01f, 1);
    assert_int_equal(fg_quality_judge(&same, &q, limits), FG_REASON_POSE);
}

static void every_reason_has_a_name_and_a_text(void **state)
{
    (void)state;
    for (int i = 0; i < FG_REASON_COUNT; i++) {
        assert_true(strlen(fg_reason_name((fg_reason)i)) > 3);
        assert_true(strlen(fg_reason_text((fg_reason)i)) > 10);
        for (int k = 0; k < i; k++)
            assert_string_not_equal(fg_reason_name((fg_reason)i), fg_reason_name((fg_reason)k));
    }
    assert_string_equal(fg_reason_name(FG_REASON_TOO_DARK), "too_dark");
    assert_string_equal(fg_reason_name((fg_reason)99), "none");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pose_follows_the_head),
        cmocka_unit_test(sharpness_falls_with_blur),
        cmocka_unit_test(sharpness_does_not_depend_on_the_chip),
        cmocka_unit_test(exposure_is_the_mean),
        cmocka_unit_test(each_limit_has_its_reason),
        cmocka_unit_test(every_reason_has_a_name_and_a_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
