#include "face/align.h"
#include "media/image.h"

#include "support/shared.h"

#include <jansson.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* The template of face-reidentification-retail-0095, as fractions of the chip. */
static const fg_point template[FG_LANDMARKS] = {{.31556875f, .46157410f},
                                                {.68262292f, .46157410f},
                                                {.50026250f, .64050536f},
                                                {.34947188f, .82469196f},
                                                {.65343646f, .82469196f}};

static fg_point apply(const fg_similarity *m, fg_point p)
{
    return (fg_point){(float)(m->a * (double)p.x - m->b * (double)p.y + m->tx),
                      (float)(m->b * (double)p.x + m->a * (double)p.y + m->ty)};
}

static void test_fit_recovers_a_similarity(void **state)
{
    const fg_similarity truth = {1.7 * cos(0.4), 1.7 * sin(0.4), -12.5, 31.25};
    fg_point to[FG_LANDMARKS];
    fg_similarity map;
    (void)state;
    for (int i = 0; i < FG_LANDMARKS; i++)
        to[i] = apply(&truth, template[i]);
    assert_int_equal(fg_similarity_fit(&map, template, to, FG_LANDMARKS, NULL), FG_OK);
    assert_true(fabs(map.a - truth.a) < 1e-4 && fabs(map.b - truth.b) < 1e-4);
    assert_true(fabs(map.tx - truth.tx) < 1e-4 && fabs(map.ty - truth.ty) < 1e-4);
}

static double squares(const fg_similarity *m, const fg_point *from, const fg_point *to)
{
    double sum = 0;
    for (int i = 0; i < FG_LANDMARKS; i++) {
        double x = m->a * (double)from[i].x - m->b * (double)from[i].y + m->tx - (double)to[i].x;
        double y = m->b * (double)from[i].x + m->a * (double)from[i].y + m->ty - (double)to[i].y;
        sum += x * x + y * y;
    }
    return sum;
}

static void test_fit_is_the_least_squares(void **state)
{
    const fg_point from[FG_LANDMARKS] = {{100, 120}, {161, 118}, {128, 158}, {108, 199}, {155, 195}};
    fg_point to[FG_LANDMARKS];
    fg_similarity map;
    (void)state;
    for (int i = 0; i < FG_LANDMARKS; i++)
        to[i] = (fg_point){template[i].x * 128, template[i].y * 128};
    assert_int_equal(fg_similarity_fit(&map, from, to, FG_LANDMARKS, NULL), FG_OK);
    double least = squares(&map, from, to);
    assert_true(least > 0);
    for (int i = 0; i < 8; i++) {
        fg_similarity other = map;
        double d = i & 1 ? 1e-3 : -1e-3;
        *(i < 2 ? &other.a : i < 4 ? &other.b : i < 6 ? &other.tx : &other.ty) += d;
        assert_true(squares(&other, from, to) > least);
    }
}

/* A face's pixels come to the same place, however large the picture of it is: landmarks that are a pixel off
 * would move it by a pixel of the picture. */
static void test_landmarks_count_from_the_first_pixel(void **state)
{
    (void)state;
    for (int size = 32; size <= 512; size *= 4) {
        fg_point points[FG_LANDMARKS], to[FG_LANDMARKS];
        fg_similarity map;
        for (int i = 0; i < FG_LANDMARKS; i++) {
            to[i] = (fg_point){template[i].x * 127, template[i].y * 127};
            points[i] = (fg_point){template[i].x * (float)(size - 1) + FG_FIRST_PIXEL,
                                   template[i].y * (float)(size - 1) + FG_FIRST_PIXEL};
        }
        assert_int_equal(fg_landmarks_fit(&map, points, to, NULL), FG_OK);
        fg_point first = apply(&map, (fg_point){0, 0}),
                 last = apply(&map, (fg_point){(float)(size - 1), (float)(size - 1)});
        assert_true(hypot((double)first.x, (double)first.y) < 1e-3);
        assert_true(hypot((double)last.x - 127, (double)last.y - 127) < 1e-3);
    }
}

/* The corner of a frame, half a pixel before the centre of the first one, stays where it is. */
static void test_a_face_is_scaled_with_its_frame(void **state)
{
    fg_face face = {.width = 40};
    (void)state;
    face.points[0] = (fg_point){FG_FIRST_PIXEL, FG_FIRST_PIXEL + 1};
    fg_face_scale(&face, 2); /* pixel 1 becomes 1 and 2, pixel 2 becomes 3 and 4 */
    assert_true(face.points[0].x == 1.5f && face.points[0].y == 3.5f && face.width == 80);
}

static void test_fit_refuses_senseless_points(void **state)
{
    fg_point same[FG_LANDMARKS], wild[FG_LANDMARKS];
    fg_similarity map;
    fg_error err;
    (void)state;
    for (int i = 0; i < FG_LANDMARKS; i++)
        same[i] = (fg_point){7, 7};
    assert_int_equal(fg_similarity_fit(&map, same, template, FG_LANDMARKS, &err), FG_ERR_INPUT);
    for (int k = 0; k < 2; k++) {
        memcpy(wild, template, sizeof wild);
        wild[2].x = k ? NAN : INFINITY;
        assert_int_equal(fg_similarity_fit(&map, wild, template, FG_LANDMARKS, &err), FG_ERR_INPUT);
    }
}

static uint8_t *pixel(const fg_frame *f, int x, int y)
{
    return f->rgb + (size_t)y * f->stride + 3 * (size_t)x;
}

static fg_frame ramp(int width, int height)
{
    fg_frame f;
    assert_int_equal(fg_frame_init(&f, width, height, NULL), FG_OK);
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++) {
            uint8_t *p = pixel(&f, x, y);
            p[0] = (uint8_t)x;
            p[1] = (uint8_t)y;
            p[2] = (uint8_t)(x + y);
        }
    return f;
}

static void test_warp_shifts_and_repeats_edges(void **state)
{
    fg_frame f = ramp(60, 50), chip;
    const fg_similarity shift = {1, 0, 10.5, 4}; /* pixel (u, v) shows (u - 10.5, v - 4) */
    (void)state;
    assert_int_equal(fg_similarity_warp(&chip, &f, &shift, 80, NULL), FG_OK);
    assert_int_equal(chip.width, 80);
    assert_int_equal(chip.height, 80);
    assert_int_equal(pixel(&chip, 31, 24)[0], 21); /* 20.5, rounded up */
    assert_int_equal(pixel(&chip, 31, 24)[1], 20);
    assert_int_equal(pixel(&chip, 0, 0)[0], 0);
    assert_int_equal(pixel(&chip, 0, 0)[1], 0);
    assert_int_equal(pixel(&chip, 79, 79)[0], 59);
    assert_int_equal(pixel(&chip, 79, 79)[1], 49);
    fg_frame_deinit(&chip);
    fg_frame_deinit(&f);
}

static void test_warp_turns(void **state)
{
    fg_frame f = ramp(40, 40), chip;
    const fg_similarity quarter = {0, 1, 39, 0}; /* (x, y) to (39 - y, x): clockwise */
    (void)state;
    assert_int_equal(fg_similarity_warp(&chip, &f, &quarter, 40, NULL), FG_OK);
    for (int v = 0; v < 40; v++)
        for (int u = 0; u < 40; u++) {
            assert_int_equal(pixel(&chip, u, v)[0], v);
            assert_int_equal(pixel(&chip, u, v)[1], 39 - u);
        }
    fg_frame_deinit(&chip);
    fg_frame_deinit(&f);
}

/* Stripes of one pixel, seen eight times smaller, must become grey, and a ramp must stay where it is. */
static void test_warp_does_not_alias(void **state)
{
    fg_frame f, chip;
    const fg_similarity eighth = {.125, 0, -3, -3};
    (void)state;
    assert_int_equal(fg_frame_init(&f, 400, 400, NULL), FG_OK);
    for (int y = 0; y < 400; y++)
        for (int x = 0; x < 400; x++) {
            pixel(&f, x, y)[0] = x & 1 ? 255 : 0;
            pixel(&f, x, y)[1] = (uint8_t)(x / 2);
            pixel(&f, x, y)[2] = (uint8_t)(y / 2);
        }
    assert_int_equal(fg_similarity_warp(&chip, &f, &eighth, 40, NULL), FG_OK);
    for (int v = 0; v < 40; v++)
        for (int u = 0; u < 40; u++) {
            assert_in_range(pixel(&chip, u, v)[0], 126, 130);
            assert_true(abs(pixel(&chip, u, v)[1] - 4 * (u + 3)) <= 2);
            assert_true(abs(pixel(&chip, u, v)[2] - 4 * (v + 3)) <= 2);
        }
    fg_frame_deinit(&chip);
    fg_frame_deinit(&f);
}

static void test_warp_survives_any_map(void **state)
{
    fg_frame f = ramp(5, 3), chip;
    const fg_similarity maps[] = {
        {1e-5, 0, 0, 0}, {1e5, 0, 1e30, -1e30}, {1e-6, 1e-6, 1e20, 1e20}, {.01, 0, 500, -500}};
    (void)state;
    for (size_t i = 0; i < sizeof maps / sizeof *maps; i++) {
        assert_int_equal(fg_similarity_warp(&chip, &f, &maps[i], 16, NULL), FG_OK);
        fg_frame_deinit(&chip);
    }
    fg_frame_deinit(&f);
}

/* The face of that image in vectors/mtcnn.json. */
static bool reference_points(const json_t *doc, const char *image, fg_point points[FG_LANDMARKS])
{
    size_t i;
    json_t *entry;
    json_array_foreach(json_object_get(doc, "images"), i, entry)
    {
        const char *name = json_string_value(json_object_get(entry, "image"));
        if (!name || !strstr(name, image))
            continue;
        const json_t *list = json_object_get(json_array_get(json_object_get(entry, "faces"), 0), "points");
        for (size_t k = 0; k < FG_LANDMARKS; k++)
            points[k] = (fg_point){(float)json_number_value(json_array_get(json_array_get(list, k), 0)),
                                   (float)json_number_value(json_array_get(json_array_get(list, k), 1))};
        return true;
    }
    return false;
}

/* Chips that the reference alignment made of the same pictures and, where it lists them, of the same points.
 */
static void test_chips_equal_the_reference(void **state)
{
    enum { SIZE = 128 };
    static uint8_t theirs[SIZE * SIZE * 3];
    fg_point to[FG_LANDMARKS], points[FG_LANDMARKS];
    int compared = 0;
    (void)state;
    NEED_SHARED("vectors/mtcnn.json");
    for (int i = 0; i < FG_LANDMARKS; i++)
        to[i] = (fg_point){template[i].x * SIZE, template[i].y * SIZE};
    json_t *doc = json_load_file(shared_path("vectors/mtcnn.json"), 0, NULL);
    json_t *list = json_load_file(shared_path("vectors/retail0095.json"), 0, NULL);
    FILE *npy = fopen(shared_path("vectors/retail0095_chips_rgb_u8.npy"), "rb");
    assert_true(doc && list && npy);
    fseek(npy, 128, SEEK_SET);
    size_t i;
    json_t *value;
    json_array_foreach(json_object_get(list, "chips"), i, value)
    {
        char name[512];
        fg_frame frame, chip;
        fg_similarity map;
        double sum = 0, worst = 0;
        assert_int_equal(fread(theirs, sizeof theirs, 1, npy), 1);
        if (!reference_points(doc, json_string_value(value), points))
            continue;
        snprintf(name, sizeof name, "data/lfw-dev/images/%s", json_string_value(value));
        assert_int_equal(fg_image_load(&frame, shared_path(name), 0, NULL, NULL), FG_OK);
        assert_int_equal(fg_similarity_fit(&map, points, to, FG_LANDMARKS, NULL), FG_OK);
        assert_int_equal(fg_similarity_warp(&chip, &frame, &map, SIZE, NULL), FG_OK);
        for (int y = 0; y < SIZE; y++)
            for (int k = 0; k < 3 * SIZE; k++) {
                double d =
                    fabs((double)chip.rgb[(size_t)y * chip.stride + (size_t)k] - theirs[y * 3 * SIZE + k]);
                sum += d;
                worst = fmax(worst, d);
            }
        print_message("%s: mean difference %.3f, largest %.0f\n", name, sum / sizeof theirs, worst);
        assert_true(sum / sizeof theirs < 1);
        fg_frame_deinit(&chip);
        fg_frame_deinit(&frame);
        compared++;
    }
    fclose(npy);
    json_decref(doc);
    json_decref(list);
    assert_true(compared >= 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fit_recovers_a_similarity),
        cmocka_unit_test(test_fit_is_the_least_squares),
        cmocka_unit_test(test_landmarks_count_from_the_first_pixel),
        cmocka_unit_test(test_a_face_is_scaled_with_its_frame),
        cmocka_unit_test(test_fit_refuses_senseless_points),
        cmocka_unit_test(test_warp_shifts_and_repeats_edges),
        cmocka_unit_test(test_warp_turns),
        cmocka_unit_test(test_warp_does_not_alias),
        cmocka_unit_test(test_warp_survives_any_map),
        cmocka_unit_test(test_chips_equal_the_reference),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
