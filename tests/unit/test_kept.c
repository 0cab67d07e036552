/* The chips that are kept: an embedding made of one again is nearly the one that the photo gave. */
#include "base/limits.h"
#include "face/vary.h"
#include "media/image.h"

#include "support/shared.h"

#include <dirent.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { MAX_FACES = 400 };

typedef struct measured {
    double cosines[MAX_FACES];
    int count;
} measured;

static fg_engine *open_engine(const char *embedder)
{
    char path[8192];
    fg_engine *engine = NULL;
    fg_error err = {0};
    const char *shared = shared_path("models/openvino");
    snprintf(path, sizeof path, "%s/models:%s", getenv("FACEGATE_SOURCE"), shared ? shared : "");
    const fg_engine_options options = {.model_path = path, .embedder = embedder};
    if (fg_engine_open(&engine, &options, &err) != FG_OK)
        fail_msg("%s", err.msg);
    return engine;
}

/* One photo, or a variation of it: from the frame, and from the kept chip as a PNG would give it back. */
static void measure(const fg_engine *engine, fg_session *session, const char *photo, int variation,
                    measured *m)
{
    fg_frame frame = {0}, direct = {0}, kept = {0}, back = {0}, again = {0};
    float a[FG_MAX_EMBEDDING], b[FG_MAX_EMBEDDING];
    uint8_t *png = NULL;
    size_t png_size = 0;
    fg_face face;
    int count = 0;
    double cosine = 0;
    assert_int_equal(fg_image_load(&frame, photo, 1280, NULL, NULL), FG_OK);
    assert_int_equal(fg_detect(session, &frame, &face, 1, &count, NULL), FG_OK);
    if (count == 0 || m->count == MAX_FACES)
        goto done;
    assert_int_equal(fg_vary(engine, &frame, face.points, variation, &direct, NULL), FG_OK);
    assert_int_equal(fg_kept_cut(&frame, face.points, &kept, NULL), FG_OK);
    assert_int_equal(kept.width, FG_KEPT_CHIP);
    assert_int_equal(fg_image_encode_png(&kept, &png, &png_size, NULL), FG_OK);
    assert_int_equal(fg_image_decode(&back, png, png_size, 0, NULL, "chip", NULL), FG_OK);
    assert_int_equal(fg_kept_align(engine, &back, variation, &again, NULL), FG_OK);
    assert_int_equal(fg_embed(session, &direct, 1, a, NULL, NULL), FG_OK);
    assert_int_equal(fg_embed(session, &again, 1, b, NULL, NULL), FG_OK);
    for (int i = 0; i < fg_engine_info_view(engine)->embedding_size; i++)
        cosine += (double)a[i] * (double)b[i];
    m->cosines[m->count++] = cosine;
done:
    free(png);
    fg_frame_deinit(&frame);
    fg_frame_deinit(&direct);
    fg_frame_deinit(&kept);
    fg_frame_deinit(&back);
    fg_frame_deinit(&again);
}

/* Every photo of a folder, or the first of every folder in it. */
static void measure_folder(const fg_engine *engine, fg_session *session, const char *path, int limit,
                           int variation, measured *m)
{
    DIR *dir = opendir(path);
    assert_non_null(dir);
    for (struct dirent *e; (e = readdir(dir)) && m->count < limit;) {
        char name[4096 + 600];
        const size_t n = strlen(e->d_name);
        if (e->d_name[0] == '.')
            continue;
        if (n > 4 && strcmp(e->d_name + n - 4, ".jpg") == 0)
            snprintf(name, sizeof name, "%s/%s", path, e->d_name);
        else
            snprintf(name, sizeof name, "%s/%s/%s_0001.jpg", path, e->d_name, e->d_name);
        struct stat st;
        if (stat(name, &st) == 0 && (!strstr(e->d_name, ".") || n > 4) && S_ISREG(st.st_mode) &&
            strcmp(name + strlen(name) - 4, ".jpg") == 0)
            measure(engine, session, name, variation, m);
    }
    closedir(dir);
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void check(const char *embedder, const char *folder, int limit, int variation, double median,
                  double low)
{
    measured m = {0};
    fg_session *session = NULL;
    fg_engine *engine = open_engine(embedder);
    assert_int_equal(fg_session_new(&session, engine, NULL), FG_OK);
    measure_folder(engine, session, folder, limit, variation, &m);
    assert_true(m.count >= 10);
    qsort(m.cosines, (size_t)m.count, sizeof *m.cosines, ascending);
    print_message(
        "%s: %d photos, variation %d, cosine to the photo's own embedding: median %.4f, lowest %.4f\n",
        fg_engine_info_view(engine)->embedder, m.count, variation, m.cosines[m.count / 2], m.cosines[0]);
    assert_true(m.cosines[m.count / 2] >= median);
    assert_true(m.cosines[0] >= low);
    fg_session_free(session);
    fg_engine_close(engine);
}

static void made_up_people(void **state)
{
    char folder[4096];
    (void)state;
    snprintf(folder, sizeof folder, "%s/tests/fixtures/people", getenv("FACEGATE_SOURCE"));
    check(NULL, folder, MAX_FACES, 0, .99, .97);
}

/* They reach further out of the face than the photo as it is does: the margin has to hold them. */
static void variations_of_made_up_people(void **state)
{
    char folder[4096];
    (void)state;
    snprintf(folder, sizeof folder, "%s/tests/fixtures/people", getenv("FACEGATE_SOURCE"));
    for (int variation = 1; variation < FG_VARIATIONS; variation++)
        check(NULL, folder, MAX_FACES, variation, .99, .97);
}

static void photographs(void **state)
{
    char folder[4096];
    (void)state;
    NEED_SHARED("data/lfw-dev/images");
    snprintf(folder, sizeof folder, "%s", shared_path("data/lfw-dev/images"));
    check(NULL, folder, 200, 0, .99, .95);
}

static void photographs_with_a_larger_input(void **state)
{
    char folder[4096];
    (void)state;
    NEED_SHARED("data/lfw-dev/images");
    NEED_SHARED("models/openvino/face-reidentification-retail-0095.xml");
    snprintf(folder, sizeof folder, "%s", shared_path("data/lfw-dev/images"));
    check("retail-0095", folder, 200, 0, .999, .99);
}

/* A chip as an earlier Facegate kept it: the embedder's own. */
static void an_older_chip_is_taken_as_it_is(void **state)
{
    fg_engine *engine = open_engine(NULL);
    const int size = fg_engine_info_view(engine)->chip_size;
    fg_frame old = {0}, chip = {0}, odd = {0};
    fg_error err = {0};
    (void)state;
    assert_int_equal(fg_frame_init(&old, size, size, NULL), FG_OK);
    for (int y = 0; y < size; y++)
        for (int x = 0; x < 3 * size; x++)
            old.rgb[(size_t)y * old.stride + (size_t)x] = (uint8_t)(x * 7 + y * 3);
    assert_int_equal(fg_kept_align(engine, &old, 0, &chip, NULL), FG_OK);
    assert_int_equal(chip.width, size);
    for (int y = 0; y < size; y++)
        assert_memory_equal(chip.rgb + (size_t)y * chip.stride, old.rgb + (size_t)y * old.stride,
                            3 * (size_t)size);
    assert_int_equal(fg_frame_init(&odd, size, size / 2, NULL), FG_OK);
    fg_frame_deinit(&chip);
    assert_int_equal(fg_kept_align(engine, &odd, 0, &chip, &err), FG_ERR_INPUT);
    assert_int_equal(fg_kept_align(engine, &old, -1, &chip, &err), FG_ERR_INPUT);
    assert_int_equal(fg_kept_align(engine, &old, FG_VARIATIONS, &chip, &err), FG_ERR_INPUT);
    assert_null(chip.rgb);
    fg_frame_deinit(&old);
    fg_frame_deinit(&odd);
    fg_engine_close(engine);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(made_up_people),
        cmocka_unit_test(variations_of_made_up_people),
        cmocka_unit_test(photographs),
        cmocka_unit_test(photographs_with_a_larger_input),
        cmocka_unit_test(an_older_chip_is_taken_as_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
