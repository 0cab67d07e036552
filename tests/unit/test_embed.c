#include "base/limits.h"
#include "face/face.h"
#include "face/vary.h"
#include "media/image.h"

#include "support/folder.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/twin.h"

static double cosine(const float *a, const float *b, int size)
{
    double sum = 0;
    for (int i = 0; i < size; i++)
        sum += (double)a[i] * (double)b[i];
    return sum;
}

/* A face of the fixtures, aligned: as it is, or a variation of it. */
static void cut_varied_chip(const fg_engine *engine, fg_session *session, int variation, fg_frame *chip)
{
    char path[4200];
    fg_frame frame;
    fg_face face;
    int count;
    snprintf(path, sizeof path, "%s/tests/fixtures/people/ada.jpg", getenv("FACEGATE_SOURCE"));
    assert_int_equal(fg_image_load(&frame, path, 0, NULL, NULL), FG_OK);
    assert_int_equal(fg_detect(session, &frame, &face, 1, &count, NULL), FG_OK);
    assert_int_equal(count, 1);
    assert_int_equal(fg_vary(engine, &frame, face.points, variation, chip, NULL), FG_OK);
    fg_frame_deinit(&frame);
}

static void cut_chip(const fg_engine *engine, fg_session *session, fg_frame *chip)
{
    cut_varied_chip(engine, session, 0, chip);
}

static void the_mean_of_both_looks_is_the_embedding(void **state)
{
    char folder[FOLDER_PATH], hash[2][65];
    /* Of the chip and of the chip mirrored, by a network that looks once, and by one that looks twice. */
    float seen[2][2][FG_MAX_EMBEDDING], series[2][2][FG_MAX_EMBEDDING], mean[FG_MAX_EMBEDDING],
        magnitudes[2][2];
    double length = 0;
    int size = 0;
    (void)state;
    for (int mirror = 0; mirror < 2; mirror++) {
        fg_engine *engine;
        fg_session *session;
        fg_frame chip;
        assert_true(folder_make(folder));
        open_twin(folder, "vgg16-half-int8", mirror, &engine, &session);
        size = fg_engine_info_view(engine)->embedding_size;
        snprintf(hash[mirror], sizeof hash[mirror], "%s", fg_engine_info_view(engine)->model_hash);
        cut_chip(engine, session, &chip);
        for (int number = 0; number < 2; number++)
            assert_int_equal(fg_embed_chip(session, &chip, number, series[mirror][number], NULL, NULL),
                             FG_OK);
        for (int turned = 0; turned < 2; turned++) {
            assert_int_equal(
                fg_embed(session, &chip, 1, seen[mirror][turned], &magnitudes[mirror][turned], NULL), FG_OK);
            fg_frame_mirror(&chip);
        }
        fg_frame_deinit(&chip);
        fg_session_free(session);
        fg_engine_close(engine);
        folder_remove(folder);
    }
    for (int i = 0; i < size; i++) {
        mean[i] = seen[0][0][i] + seen[0][1][i];
        length += (double)mean[i] * (double)mean[i];
    }
    for (int i = 0; i < size; i++)
        mean[i] = (float)((double)mean[i] / sqrt(length));
    assert_true(cosine(seen[0][0], seen[0][1], size) < 0.999);
    assert_true(cosine(seen[1][0], seen[1][1], size) > 0.999999);
    assert_true(cosine(seen[1][0], mean, size) > 0.999999);
    assert_true(fabs(cosine(seen[1][0], seen[1][0], size) - 1) < 1e-5);
    /* Of both looks the mean, too. */
    assert_true(magnitudes[0][0] > 1 && magnitudes[0][0] != magnitudes[0][1]);
    for (int turned = 0; turned < 2; turned++)
        assert_true(fabsf(magnitudes[1][turned] - (magnitudes[0][0] + magnitudes[0][1]) / 2) < 1e-3f);
    /* One look at each of a series, by turns where it counts. */
    for (int number = 0; number < 2; number++) {
        assert_memory_equal(series[0][number], seen[0][0], sizeof(float) * (size_t)size);
        assert_memory_equal(series[1][number], seen[0][number], sizeof(float) * (size_t)size);
    }
    /* Templates of the one are of no use to the other. */
    assert_string_not_equal(hash[0], hash[1]);
}

/* With half of the looks: what a video of a face comes to. */
static void the_mean_of_a_series_is_nearly_that_of_both_looks_at_each(void **state)
{
    char folder[FOLDER_PATH];
    fg_engine *engine;
    fg_session *session;
    float sums[3][FG_MAX_EMBEDDING] = {{0}}; /* alone, as a series, and one look at each without turns */
    (void)state;
    assert_true(folder_make(folder));
    open_twin(folder, "vgg16-half-int8", true, &engine, &session);
    const int size = fg_engine_info_view(engine)->embedding_size;
    for (int v = 0; v < FG_VARIATIONS; v++) {
        const long numbers[3] = {-1, v, 0};
        float alone[FG_MAX_EMBEDDING], seen[FG_MAX_EMBEDDING];
        fg_frame chip;
        cut_varied_chip(engine, session, v, &chip);
        if (v % 2) /* these come mirrored, which a camera's pictures do not by turns */
            fg_frame_mirror(&chip);
        assert_int_equal(fg_embed(session, &chip, 1, alone, NULL, NULL), FG_OK);
        for (int k = 0; k < 3; k++) {
            assert_int_equal(fg_embed_chip(session, &chip, numbers[k], seen, NULL, NULL), FG_OK);
            if (numbers[k] < 0)
                assert_memory_equal(seen, alone, sizeof(float) * (size_t)size);
            for (int i = 0; i < size; i++)
                sums[k][i] += seen[i];
        }
        fg_frame_deinit(&chip);
    }
    double likeness[3];
    for (int k = 0; k < 3; k++)
        likeness[k] = cosine(sums[0], sums[k], size) /
                      sqrt(cosine(sums[0], sums[0], size) * cosine(sums[k], sums[k], size));
    print_message("the mean of a series to that of both looks at each: %.4f; without turns: %.4f\n",
                  likeness[1], likeness[2]);
    assert_true(likeness[1] > 0.995);
    assert_true(likeness[1] > likeness[2]);
    fg_session_free(session);
    fg_engine_close(engine);
    folder_remove(folder);
}

static void a_chip_of_another_size_is_refused(void **state)
{
    char folder[FOLDER_PATH];
    fg_engine *engine;
    fg_session *session;
    fg_frame chips[2] = {{0}};
    float embeddings[2][FG_MAX_EMBEDDING];
    fg_error err;
    (void)state;
    assert_true(folder_make(folder));
    open_twin(folder, "vgg16-half-int8", true, &engine, &session);
    cut_chip(engine, session, &chips[0]);
    assert_int_equal(fg_frame_init(&chips[1], chips[0].width - 1, chips[0].height, NULL), FG_OK);
    assert_int_equal(fg_embed(session, chips, 2, embeddings[0], NULL, &err), FG_ERR_USAGE);
    assert_non_null(strstr(err.msg, "111 x 112"));
    assert_int_equal(fg_embed(session, chips, 0, NULL, NULL, NULL), FG_OK);
    assert_int_equal(fg_embed_chip(session, &chips[1], 0, embeddings[0], NULL, &err), FG_ERR_USAGE);
    assert_non_null(strstr(err.msg, "111 x 112"));
    fg_frame_deinit(&chips[0]);
    fg_frame_deinit(&chips[1]);
    fg_session_free(session);
    fg_engine_close(engine);
    folder_remove(folder);
}

/* The default embedder, whose floats round as its integers do. Without VNNI those are not quite exact. */
static void integers_give_what_floats_give(void **state)
{
    char models[4200];
    fg_engine *engines[2];
    fg_session *sessions[2];
    double least = 1;
    (void)state;
    snprintf(models, sizeof models, "%s/models", getenv("FACEGATE_SOURCE"));
    for (int k = 0; k < 2; k++) {
        const fg_engine_options options = {.model_path = models,
                                           .precision = k ? FG_PRECISION_INT8 : FG_PRECISION_F32};
        assert_int_equal(fg_engine_open(&engines[k], &options, NULL), FG_OK);
        assert_int_equal(fg_session_new(&sessions[k], engines[k], NULL), FG_OK);
        assert_int_equal(fg_engine_info_view(engines[k])->precision, options.precision);
    }
    for (int v = 0; v < FG_VARIATIONS; v++) {
        float seen[2][FG_MAX_EMBEDDING];
        fg_frame chip;
        cut_varied_chip(engines[0], sessions[0], v, &chip);
        for (int k = 0; k < 2; k++)
            assert_int_equal(fg_embed(sessions[k], &chip, 1, seen[k], NULL, NULL), FG_OK);
        least = fmin(least, cosine(seen[0], seen[1], fg_engine_info_view(engines[0])->embedding_size));
        fg_frame_deinit(&chip);
    }
    print_message("int8 to f32: cosine >= %.5f\n", least);
    assert_true(least > 0.999);
    for (int k = 0; k < 2; k++) {
        fg_session_free(sessions[k]);
        fg_engine_close(engines[k]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_mean_of_both_looks_is_the_embedding),
        cmocka_unit_test(the_mean_of_a_series_is_nearly_that_of_both_looks_at_each),
        cmocka_unit_test(a_chip_of_another_size_is_refused),
        cmocka_unit_test(integers_give_what_floats_give),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
