#include "classify/metrics.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static void near(double a, double b)
{
    if (!(fabs(a - b) < 1e-4))
        fail_msg("%g is not %g", a, b);
}

/* Figures of Newcombe 1998, "Two-sided confidence intervals for the single proportion", table I. */
static void wilson_gives_published_intervals(void **state)
{
    (void)state;
    double low, high;
    fg_wilson_share(81.0 / 263, 263, &low, &high);
    near(low, 0.2553);
    near(high, 0.3662);
    fg_wilson_share(15.0 / 148, 148, &low, &high);
    near(low, 0.0624);
    near(high, 0.1605);
    fg_wilson_share(0, 20, &low, &high);
    near(low, 0);
    near(high, 0.1611);
    fg_wilson_share(1.0 / 29, 29, &low, &high);
    near(low, 0.0061);
    near(high, 0.1718);
    fg_wilson_share(NAN, 0, &low, &high);
    assert_true(low == 0 && high == 1);
}

static void alike_tries_count_less(void **state)
{
    (void)state;
    fg_rate rate;
    /* Independent: every person tries once. */
    long once_hits[100] = {0}, once[100];
    for (int i = 0; i < 100; i++)
        once[i] = 1;
    for (int i = 0; i < 10; i++)
        once_hits[i] = 1;
    fg_rate_of(&rate, once_hits, once, 100);
    near(rate.share, 0.1);
    assert_true(rate.effective > 98 && rate.effective <= 100);
    /* The same share, but all hits of one person in ten who try ten times each. */
    long few_hits[10] = {10}, few[10];
    for (int i = 0; i < 10; i++)
        few[i] = 10;
    fg_rate_of(&rate, few_hits, few, 10);
    near(rate.share, 0.1);
    assert_true(rate.effective < 11);
    assert_true(rate.high > 0.35);
    /* Without a hit the people count, not the tries. */
    few_hits[0] = 0;
    fg_rate_of(&rate, few_hits, few, 10);
    near(rate.effective, 10);
    near(rate.high, 0.2775);
    long none = 0;
    fg_rate_of(&rate, &none, &none, 1);
    assert_true(isnan(rate.share) && rate.low == 0 && rate.high == 1);
}

static void calibration_error_is_the_mean_distance(void **state)
{
    (void)state;
    fg_reliability r = {0};
    assert_true(isnan(fg_reliability_error(&r)));
    for (int i = 0; i < 10; i++) {
        fg_reliability_add(&r, 0.95, i < 9, 1); /* says 95 %, is 90 % */
        fg_reliability_add(&r, 0.25, i < 5, 1); /* says 25 %, is 50 % */
    }
    near(fg_reliability_error(&r), (0.05 + 0.25) / 2);
    fg_reliability exact = {0};
    for (int i = 0; i < 4; i++)
        fg_reliability_add(&exact, 0.75, i < 3, 0.5);
    fg_reliability_add(&exact, 1, 1, 1);
    fg_reliability_add(&exact, 0, 0, 1);
    near(fg_reliability_error(&exact), 0);
}

static void the_curve_keeps_to_the_target(void **state)
{
    (void)state;
    static fg_scores genuine, strangers;
    double border;
    assert_true(isnan(fg_refused_at(&genuine, &strangers, 0.1, NULL)));
    for (int i = 0; i < 100; i++) {
        fg_scores_add(&genuine, i < 97 ? 0.999 : 0.3);
        fg_scores_add(&strangers, i < 2 ? 0.9 : i < 10 ? 0.2 : 0.001);
    }
    near(fg_refused_at(&genuine, &strangers, 0.01, &border), 0.03); /* neither of the two may pass */
    assert_true(border > log(9) - 0.06 && border < log(999));
    near(fg_refused_at(&genuine, &strangers, 0.02, &border), 0);
    assert_true(border > log(0.25) && border <= log(3.0 / 7));
    fg_scores ends = {0};
    fg_scores_add(&ends, 0);
    fg_scores_add(&ends, 1);
    assert_true(ends.bins[0] == 1 && ends.bins[FG_SCORE_BINS - 1] == 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wilson_gives_published_intervals),
        cmocka_unit_test(alike_tries_count_less),
        cmocka_unit_test(calibration_error_is_the_mean_distance),
        cmocka_unit_test(the_curve_keeps_to_the_target),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
