#include "classify/classify.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* People are random directions, photos of one person are near its direction. */
enum { SIZE = 256, COHORT = 400, MEMBERS = 5, PHOTOS = 4 };

typedef struct world {
    float cohort[COHORT][SIZE], people[MEMBERS][SIZE], photos[MEMBERS * PHOTOS][SIZE];
    int member[MEMBERS * PHOTOS];
    int64_t segment[MEMBERS * PHOTOS], ids[MEMBERS];
    uint64_t seed;
} world;

static double uniform(world *w)
{
    w->seed = w->seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (double)(w->seed >> 33) / 2147483648.0;
}

static void direction(world *w, const float *near, double noise, float *out)
{
    double squares = 0;
    for (int k = 0; k < SIZE; k++) {
        double normal = -6;
        for (int j = 0; j < 12; j++)
            normal += uniform(w);
        out[k] = (float)((near ? (double)near[k] : 0) + noise * normal / sqrt(SIZE));
        squares += (double)out[k] * (double)out[k];
    }
    for (int k = 0; k < SIZE; k++)
        out[k] = (float)((double)out[k] / sqrt(squares));
}

static world *make_world(void)
{
    world *w = calloc(1, sizeof *w);
    assert_non_null(w);
    w->seed = 42;
    for (int i = 0; i < COHORT; i++)
        direction(w, NULL, 1, w->cohort[i]);
    for (int m = 0; m < MEMBERS; m++) {
        direction(w, NULL, 1, w->people[m]);
        w->ids[m] = 100 + m;
        for (int p = 0; p < PHOTOS; p++) {
            int i = m * PHOTOS + p;
            direction(w, w->people[m], 0.4, w->photos[i]);
            w->member[i] = m;
            w->segment[i] = i;
        }
    }
    return w;
}

static fg_gallery gallery_of(const world *w, int members)
{
    return (fg_gallery){.embedding_size = SIZE,
                        .count = (long)members * PHOTOS,
                        .embeddings = w->photos[0],
                        .member = w->member,
                        .segment = w->segment,
                        .members = members,
                        .member_ids = w->ids};
}

static fg_cohort cohort_of(const world *w)
{
    return (fg_cohort){.embedding_size = SIZE, .count = COHORT, .embeddings = w->cohort[0]};
}

static fg_classifier *train(const fg_gallery *gallery, const world *w, fg_kernel kernel,
                            fg_train_report *report)
{
    fg_classifier *classifier;
    fg_error err;
    fg_cohort cohort = cohort_of(w);
    fg_train_options options = {.kernel = kernel, .look = 0.01};
    if (fg_classifier_train(&classifier, gallery, &cohort, &options, report, NULL, &err))
        fail_msg("%s", err.msg);
    return classifier;
}

static void check_members_and_strangers(world *w, int members, fg_kernel kernel)
{
    fg_gallery gallery = gallery_of(w, members);
    fg_train_report report;
    fg_classifier *c = train(&gallery, w, kernel, &report);
    float probe[SIZE];
    fg_ranking r;
    fg_error err;
    assert_int_equal(report.members, members);
    assert_int_equal(fg_classifier_members(c), members);
    for (int m = 0; m < members; m++) {
        direction(w, w->people[m], 0.4, probe);
        assert_int_equal(fg_classifier_rank(c, probe, SIZE, &r, &err), FG_OK);
        assert_int_equal(r.best.member_id, w->ids[m]);
        assert_true(r.best.probability >= 0.9 && r.best.probability <= 1);
        assert_true(r.best.similarity >= r.similarity_gate);
        assert_true(fabs(r.best.probability + r.second.probability + r.nobody - 1) < 0.05);
        assert_true((r.second.member_id == 0) == (members == 1));
    }
    int accepted = 0;
    for (int i = 0; i < 2000; i++) {
        direction(w, NULL, 1, probe);
        assert_int_equal(fg_classifier_rank(c, probe, SIZE, &r, &err), FG_OK);
        accepted += r.best.probability >= 0.9 && r.best.similarity >= r.similarity_gate;
    }
    assert_true(accepted <= 6);
    fg_classifier_free(c);
}

static void knows_members_and_keeps_strangers_out(void **state)
{
    (void)state;
    world *w = make_world();
    for (int kernel = 0; kernel < 2; kernel++) {
        check_members_and_strangers(w, MEMBERS, (fg_kernel)kernel);
        check_members_and_strangers(w, 1, (fg_kernel)kernel);
    }
    free(w);
}

static void one_template_is_enough_and_is_warned_of(void **state)
{
    (void)state;
    world *w = make_world();
    fg_gallery gallery = gallery_of(w, 1);
    gallery.count = 1;
    fg_train_report report;
    fg_ranking r;
    fg_error err;
    fg_classifier *c = train(&gallery, w, FG_KERNEL_LINEAR, &report);
    assert_true(isnan(report.frr));
    assert_int_equal(report.warnings[0].kind, FG_WARN_FEW_TEMPLATES);
    assert_int_equal(fg_classifier_rank(c, w->photos[1], SIZE, &r, &err), FG_OK);
    assert_int_equal(r.best.member_id, w->ids[0]);
    assert_true(r.best.probability >= 0.9);
    fg_classifier_free(c);
    free(w);
}

static void an_unmeasured_embedder_is_trusted_less(void **state)
{
    (void)state;
    world *w = make_world();
    fg_gallery gallery = gallery_of(w, 1);
    fg_cohort cohort = cohort_of(w);
    const fg_train_options known = {.look = 0.01}, unknown = {0};
    fg_classifier *a, *b;
    fg_ranking x, y;
    fg_error err;
    assert_int_equal(fg_classifier_train(&a, &gallery, &cohort, &known, NULL, NULL, &err), FG_OK);
    assert_int_equal(fg_classifier_train(&b, &gallery, &cohort, &unknown, NULL, NULL, &err), FG_OK);
    assert_int_equal(fg_classifier_rank(a, w->cohort[0], SIZE, &x, &err), FG_OK);
    assert_int_equal(fg_classifier_rank(b, w->cohort[0], SIZE, &y, &err), FG_OK);
    assert_true(fabs(y.strength) < fabs(x.strength)); /* a wider border for the same face */
    assert_true(y.best.similarity == x.best.similarity);
    fg_classifier_free(a);
    fg_classifier_free(b);
    free(w);
}

/* What a face's evidence is of the border, with the world's cohort taken to be drawn or photographed. */
static double strength(const world *w, int members, bool photographed)
{
    fg_gallery gallery = gallery_of(w, members);
    fg_cohort cohort = cohort_of(w);
    const fg_train_options options = {.look = 0.01};
    fg_classifier *c;
    fg_ranking r;
    fg_error err;
    cohort.photographed = photographed;
    assert_int_equal(fg_classifier_train(&c, &gallery, &cohort, &options, NULL, NULL, &err), FG_OK);
    assert_int_equal(fg_classifier_rank(c, w->photos[0], SIZE, &r, &err), FG_OK);
    fg_classifier_free(c);
    return r.strength;
}

static void real_people_are_believed_to_be_as_alike_as_they_are(void **state)
{
    (void)state;
    world *w = make_world();
    assert_true(strength(w, 1, true) == strength(w, 1, false));
    assert_true(strength(w, MEMBERS, true) > strength(w, MEMBERS, false));
    free(w);
}

static void a_member_in_the_cohort_is_left_out_and_named(void **state)
{
    (void)state;
    enum { TWICE = 20 };
    world *w = make_world();
    for (int i = 0; i < TWICE; i++)
        direction(w, w->people[1], 0.4, w->cohort[7 * i]);
    fg_gallery gallery = gallery_of(w, MEMBERS);
    fg_cohort few = cohort_of(w);
    fg_train_report report;
    fg_classifier *c = train(&gallery, w, FG_KERNEL_LINEAR, &report);
    float probe[SIZE];
    fg_ranking r;
    fg_error err;
    assert_int_equal(report.cohort, COHORT - TWICE);
    assert_int_equal(report.warning_count, 1);
    assert_int_equal(report.warnings[0].kind, FG_WARN_IN_COHORT);
    assert_int_equal(report.warnings[0].member_id, w->ids[1]);
    assert_true(report.warnings[0].value == TWICE);
    direction(w, w->people[1], 0.4, probe);
    assert_int_equal(fg_classifier_rank(c, probe, SIZE, &r, &err), FG_OK);
    assert_int_equal(r.best.member_id, w->ids[1]);
    assert_true(r.best.probability >= 0.9);
    fg_classifier_free(c);
    few.count = FG_MIN_COHORT; /* with a member among them too few */
    assert_int_equal(fg_classifier_train(&c, &gallery, &few, &(fg_train_options){0}, NULL, NULL, &err),
                     FG_ERR_STATE);
    assert_null(c);
    assert_non_null(strstr(err.msg, "without the team's own members"));
    free(w);
}

static void one_face_under_two_names_is_warned_of(void **state)
{
    (void)state;
    world *w = make_world();
    memcpy(w->photos[PHOTOS], w->photos[0], sizeof w->photos[0] * PHOTOS);
    direction(w, w->people[0], 0.4, w->cohort[0]); /* the list is short: what matters less must come later */
    fg_gallery gallery = gallery_of(w, 2);
    fg_train_report report;
    fg_classifier *c = train(&gallery, w, FG_KERNEL_LINEAR, &report);
    assert_int_equal(report.warning_count, 3);
    assert_int_equal(report.warnings[0].kind, FG_WARN_SAME_FACE);
    assert_int_equal(report.warnings[1].kind, FG_WARN_IN_COHORT);
    fg_classifier_free(c);
    free(w);
}

static void who_looks_alike_is_named(void **state)
{
    (void)state;
    world *w = make_world();
    for (int p = 0; p < PHOTOS; p++) /* member 3 is a third of member 1 */
        for (int k = 0; k < SIZE; k++)
            w->photos[3 * PHOTOS + p][k] += 0.6f * w->people[1][k];
    for (int p = 0; p < PHOTOS; p++)
        direction(w, w->photos[3 * PHOTOS + p], 0, w->photos[3 * PHOTOS + p]);
    fg_gallery gallery = gallery_of(w, MEMBERS);
    fg_train_report report;
    fg_classifier *c = train(&gallery, w, FG_KERNEL_LINEAR, &report);
    assert_int_equal(report.warning_count, 1);
    assert_int_equal(report.warnings[0].kind, FG_WARN_LOOK_ALIKE);
    assert_int_equal(report.warnings[0].member_id, w->ids[3]);
    assert_int_equal(report.warnings[0].other_id, w->ids[1]);
    fg_classifier_free(c);
    free(w);
}

static void samples_that_are_all_the_same_are_said(void **state)
{
    (void)state;
    world *w = make_world();
    enum { FRAMES = 6 };
    for (int p = 0; p < FRAMES; p++) {
        direction(w, w->people[0], 0.05, w->photos[p]);
        w->member[p] = 0;
    }
    fg_gallery gallery = gallery_of(w, 1);
    gallery.count = FRAMES;
    fg_train_report report;
    fg_classifier *c = train(&gallery, w, FG_KERNEL_LINEAR, &report);
    assert_int_equal(report.warning_count, 1);
    assert_int_equal(report.warnings[0].kind, FG_WARN_UNIFORM);
    assert_int_equal(report.warnings[0].member_id, w->ids[0]);
    assert_true(report.warnings[0].value > 0.985);
    fg_classifier_free(c);
    free(w);
}

/* Of members known from one photo each, a team's growth makes no likeness that decides. */
static void more_than_one_photo_each_moves_the_border_out(void **state)
{
    (void)state;
    world *w = make_world();
    float probe[SIZE];
    fg_ranking several, one;
    fg_error err;
    fg_gallery gallery = gallery_of(w, MEMBERS);
    fg_classifier *a = train(&gallery, w, FG_KERNEL_LINEAR, NULL);
    for (int i = 0; i < MEMBERS * PHOTOS; i++)
        w->segment[i] = w->member[i];
    fg_classifier *b = train(&gallery, w, FG_KERNEL_LINEAR, NULL);
    direction(w, w->people[2], 0.4, probe);
    assert_int_equal(fg_classifier_rank(a, probe, SIZE, &several, &err), FG_OK);
    assert_int_equal(fg_classifier_rank(b, probe, SIZE, &one, &err), FG_OK);
    assert_true(fabs(one.best.similarity - several.best.similarity) < 1e-6);
    assert_true(one.strength > 1.005 * several.strength);
    fg_classifier_free(a);
    fg_classifier_free(b);
    free(w);
}

static void somebody_elses_template_is_pruned(void **state)
{
    (void)state;
    world *w = make_world();
    direction(w, NULL, 1, w->photos[2]);
    fg_gallery gallery = gallery_of(w, MEMBERS);
    fg_train_report report;
    fg_classifier *c = train(&gallery, w, FG_KERNEL_LINEAR, &report);
    assert_int_equal(report.outliers, 1);
    assert_int_equal(report.templates, MEMBERS * PHOTOS - 1);
    fg_classifier_free(c);
    free(w);
}

static void stored_and_read_back_it_is_the_same(void **state)
{
    (void)state;
    world *w = make_world();
    fg_gallery gallery = gallery_of(w, MEMBERS);
    for (int kernel = 0; kernel < 2; kernel++) {
        fg_error err;
        fg_buf first, second;
        fg_classifier *a = train(&gallery, w, (fg_kernel)kernel, NULL),
                      *again = train(&gallery, w, (fg_kernel)kernel, NULL), *b;
        fg_ranking x, y;
        fg_buf_init(&first, 1 << 26);
        fg_buf_init(&second, 1 << 26);
        assert_int_equal(fg_classifier_write(a, &first, &err), FG_OK);
        assert_int_equal(fg_classifier_write(again, &second, &err), FG_OK);
        assert_int_equal(first.size, second.size); /* deterministic */
        assert_memory_equal(first.data, second.data, first.size);
        assert_int_equal(fg_classifier_read(&b, first.data, first.size, &err), FG_OK);
        for (int i = 0; i < MEMBERS * PHOTOS; i++) {
            assert_int_equal(fg_classifier_rank(a, w->photos[i], SIZE, &x, &err), FG_OK);
            assert_int_equal(fg_classifier_rank(b, w->photos[i], SIZE, &y, &err), FG_OK);
            assert_memory_equal(&x, &y, sizeof x);
        }
        fg_classifier_free(b);
        for (size_t at = 0; at < first.size; at += first.size / 97 + 1) {
            first.data[at] ^= 0x10;
            assert_int_not_equal(fg_classifier_read(&b, first.data, first.size, &err), FG_OK);
            assert_null(b);
            first.data[at] ^= 0x10;
            assert_int_not_equal(fg_classifier_read(&b, first.data, at, &err), FG_OK);
        }
        fg_classifier_free(a);
        fg_classifier_free(again);
        fg_buf_deinit(&first);
        fg_buf_deinit(&second);
    }
    free(w);
}

static void refuses_what_makes_no_sense(void **state)
{
    (void)state;
    world *w = make_world();
    fg_gallery gallery = gallery_of(w, MEMBERS);
    fg_cohort cohort = cohort_of(w), few = cohort_of(w), other = cohort_of(w);
    fg_train_options options = {.far = 0.001}, bad = {.far = 2};
    fg_classifier *c;
    fg_error err;
    fg_ranking r;
    few.count = 3;
    other.embedding_size = 32;
    assert_int_equal(fg_classifier_train(&c, &gallery, NULL, &options, NULL, NULL, &err), FG_ERR_STATE);
    assert_int_equal(fg_classifier_train(&c, &gallery, &few, &options, NULL, NULL, &err), FG_ERR_STATE);
    assert_int_equal(fg_classifier_train(&c, &gallery, &other, &options, NULL, NULL, &err), FG_ERR_INPUT);
    assert_int_equal(fg_classifier_train(&c, &gallery, &cohort, &bad, NULL, NULL, &err), FG_ERR_USAGE);
    gallery.members = 0;
    assert_int_equal(fg_classifier_train(&c, &gallery, &cohort, &options, NULL, NULL, &err), FG_ERR_STATE);
    gallery.members = MEMBERS;
    c = train(&gallery, w, FG_KERNEL_LINEAR, NULL);
    float probe[SIZE] = {NAN};
    assert_int_equal(fg_classifier_rank(c, probe, SIZE, &r, &err), FG_ERR_INPUT);
    assert_true(r.best.probability == 0 && r.nobody == 1);
    assert_int_equal(fg_classifier_rank(c, w->photos[0], SIZE / 2, &r, &err), FG_ERR_INPUT);
    fg_classifier_free(c);
    w->photos[3][5] = NAN;
    assert_int_equal(fg_classifier_train(&c, &gallery, &cohort, &options, NULL, NULL, &err), FG_ERR_INPUT);
    assert_null(c);
    free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(knows_members_and_keeps_strangers_out),
        cmocka_unit_test(one_template_is_enough_and_is_warned_of),
        cmocka_unit_test(an_unmeasured_embedder_is_trusted_less),
        cmocka_unit_test(real_people_are_believed_to_be_as_alike_as_they_are),
        cmocka_unit_test(a_member_in_the_cohort_is_left_out_and_named),
        cmocka_unit_test(one_face_under_two_names_is_warned_of),
        cmocka_unit_test(who_looks_alike_is_named),
        cmocka_unit_test(samples_that_are_all_the_same_are_said),
        cmocka_unit_test(more_than_one_photo_each_moves_the_border_out),
        cmocka_unit_test(somebody_elses_template_is_pruned),
        cmocka_unit_test(stored_and_read_back_it_is_the_same),
        cmocka_unit_test(refuses_what_makes_no_sense),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
