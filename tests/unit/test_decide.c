#include "decide/decide.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const fg_ranking sure = {
    .best = {.member_id = 7, .probability = 0.97, .similarity = 0.7},
    .second = {.member_id = 9, .probability = 0.01, .similarity = 0.1},
    .nobody = 0.02,
    .similarity_gate = 0.4,
};
static const char *const lab_office[] = {"lab", "office"};

typedef struct row {
    const char *what;
    int faces;
    fg_reason quality;
    bool ranked;
    double p, similarity, second_p, second_similarity, gate, threshold;
    const char *required;
    int rights; /* of lab_office */
    fg_verdict verdict;
    fg_reason reason;
} row;

#define P_BELOW 0.8999999999999999

static const row rows[] = {
    {"granted", 1, 0, true, .97, .7, .01, .1, .4, .9, NULL, 0, FG_GRANTED, 0},
    {"granted with the right", 1, 0, true, .97, .7, .01, .1, .4, .9, "office", 2, FG_GRANTED, 0},
    {"right missing", 1, 0, true, .97, .7, .01, .1, .4, .9, "office", 1, FG_DENIED, FG_REASON_RIGHT_MISSING},
    {"no rights at all", 1, 0, true, .97, .7, .01, .1, .4, .9, "lab", 0, FG_DENIED, FG_REASON_RIGHT_MISSING},
    {"rights are whole words", 1, 0, true, .97, .7, .01, .1, .4, .9, "of", 2, FG_DENIED,
     FG_REASON_RIGHT_MISSING},
    {"an empty right is held by nobody", 1, 0, true, .97, .7, .01, .1, .4, .9, "", 2, FG_DENIED,
     FG_REASON_RIGHT_MISSING},
    {"0.90 exactly", 1, 0, true, .90, .7, .01, .1, .4, .9, NULL, 0, FG_GRANTED, 0},
    {"a hair below", 1, 0, true, P_BELOW, .7, .01, .1, .4, .9, NULL, 0, FG_UNKNOWN,
     FG_REASON_BELOW_PROBABILITY},
    {"0.8999999", 1, 0, true, .8999999, .7, .01, .1, .4, .9, NULL, 0, FG_UNKNOWN,
     FG_REASON_BELOW_PROBABILITY},
    {"certainty", 1, 0, true, 1, 1, 0, 0, .4, .9, NULL, 0, FG_GRANTED, 0},
    {"no probability", 1, 0, true, 0, .7, 0, 0, .4, .9, NULL, 0, FG_UNKNOWN, FG_REASON_BELOW_PROBABILITY},
    {"below the gate, however sure", 1, 0, true, .99, .39, .0, .1, .4, .9, NULL, 0, FG_UNKNOWN,
     FG_REASON_NOT_A_MEMBER},
    {"at the gate", 1, 0, true, .99, .4, .0, .1, .4, .9, NULL, 0, FG_GRANTED, 0},
    {"the gate comes before the right", 1, 0, true, .99, .39, 0, 0, .4, .9, "lab", 0, FG_UNKNOWN,
     FG_REASON_NOT_A_MEMBER},
    {"doubt comes before the right", 1, 0, true, .5, .6, 0, 0, .4, .9, "lab", 0, FG_UNKNOWN,
     FG_REASON_BELOW_PROBABILITY},
    {"two members", 1, 0, true, .5, .6, .45, .55, .4, .9, NULL, 0, FG_UNKNOWN, FG_REASON_AMBIGUOUS},
    {"two members, one below the gate", 1, 0, true, .5, .6, .45, .3, .4, .9, NULL, 0, FG_UNKNOWN,
     FG_REASON_BELOW_PROBABILITY},
    {"two members, nobody likelier", 1, 0, true, .3, .6, .25, .55, .4, .9, NULL, 0, FG_UNKNOWN,
     FG_REASON_BELOW_PROBABILITY},
    {"sure beside a second", 1, 0, true, .91, .6, .08, .55, .4, .9, NULL, 0, FG_GRANTED, 0},
    {"no face", 0, 0, true, .97, .7, 0, 0, .4, .9, NULL, 0, FG_RETRY, FG_REASON_NO_FACE},
    {"a negative count", -1, 0, true, .97, .7, 0, 0, .4, .9, NULL, 0, FG_RETRY, FG_REASON_NO_FACE},
    {"several faces", 2, 0, true, .97, .7, 0, 0, .4, .9, NULL, 0, FG_RETRY, FG_REASON_SEVERAL_FACES},
    {"several come before quality", 3, FG_REASON_BLURRED, true, .97, .7, 0, 0, .4, .9, NULL, 0, FG_RETRY,
     FG_REASON_SEVERAL_FACES},
    {"too small", 1, FG_REASON_FACE_TOO_SMALL, true, .97, .7, 0, 0, .4, .9, NULL, 0, FG_RETRY,
     FG_REASON_FACE_TOO_SMALL},
    {"blurred", 1, FG_REASON_BLURRED, true, .97, .7, 0, 0, .4, .9, NULL, 0, FG_RETRY, FG_REASON_BLURRED},
    {"pose", 1, FG_REASON_POSE, true, .97, .7, 0, 0, .4, .9, NULL, 0, FG_RETRY, FG_REASON_POSE},
    {"too dark", 1, FG_REASON_TOO_DARK, true, .97, .7, 0, 0, .4, .9, NULL, 0, FG_RETRY, FG_REASON_TOO_DARK},
    {"too bright", 1, FG_REASON_TOO_BRIGHT, true, .97, .7, 0, 0, .4, .9, NULL, 0, FG_RETRY,
     FG_REASON_TOO_BRIGHT},
    {"not alive", 1, FG_REASON_LIVENESS_FAILED, true, .97, .7, 0, 0, .4, .9, NULL, 0, FG_RETRY,
     FG_REASON_LIVENESS_FAILED},
    {"no ranking", 1, 0, false, .97, .7, 0, 0, .4, .9, NULL, 0, FG_RETRY, FG_REASON_NO_FACE},
    {"NaN probability", 1, 0, true, NAN, .7, 0, 0, .4, .9, NULL, 0, FG_UNKNOWN, FG_REASON_BELOW_PROBABILITY},
    {"infinite probability", 1, 0, true, INFINITY, .7, 0, 0, .4, .9, NULL, 0, FG_UNKNOWN,
     FG_REASON_BELOW_PROBABILITY},
    {"probability above 1", 1, 0, true, 1.0000001, .7, 0, 0, .4, .9, NULL, 0, FG_UNKNOWN,
     FG_REASON_BELOW_PROBABILITY},
    {"NaN similarity", 1, 0, true, .97, NAN, 0, 0, .4, .9, NULL, 0, FG_UNKNOWN, FG_REASON_NOT_A_MEMBER},
    {"NaN gate", 1, 0, true, .97, .7, 0, 0, NAN, .9, NULL, 0, FG_UNKNOWN, FG_REASON_NOT_A_MEMBER},
    {"NaN of the second", 1, 0, true, .97, .7, NAN, NAN, .4, .9, NULL, 0, FG_GRANTED, 0},
    {"NaN of the second is not a rival", 1, 0, true, .5, .7, NAN, .7, .4, .9, NULL, 0, FG_UNKNOWN,
     FG_REASON_BELOW_PROBABILITY},
    {"NaN threshold", 1, 0, true, .97, .7, 0, 0, .4, NAN, NULL, 0, FG_UNKNOWN, FG_REASON_BELOW_PROBABILITY},
    {"threshold 0", 1, 0, true, .97, .7, 0, 0, .4, 0, NULL, 0, FG_UNKNOWN, FG_REASON_BELOW_PROBABILITY},
    {"threshold above 1", 1, 0, true, 1, .7, 0, 0, .4, 1.5, NULL, 0, FG_UNKNOWN, FG_REASON_BELOW_PROBABILITY},
    {"threshold 1", 1, 0, true, 1, .7, 0, 0, .4, 1, NULL, 0, FG_GRANTED, 0},
    {"a stricter threshold", 1, 0, true, .97, .7, 0, 0, .4, .98, NULL, 0, FG_UNKNOWN,
     FG_REASON_BELOW_PROBABILITY},
};

/* Who is recognised is, however unclear the face; who is not, is asked for a clearer one. */
static void an_unclear_face_tries_again_instead_of_being_unknown(void **state)
{
    static const struct {
        double probability;
        int faces;
        fg_reason quality;
        const char *required;
        fg_verdict verdict;
        fg_reason reason;
    } cases[] = {
        {.97, 1, 0, NULL, FG_GRANTED, 0},
        {.97, 1, 0, "roof", FG_DENIED, FG_REASON_RIGHT_MISSING},
        {.5, 1, 0, NULL, FG_RETRY, FG_REASON_UNCLEAR},
        {NAN, 1, 0, "roof", FG_RETRY, FG_REASON_UNCLEAR},
        {.5, 1, FG_REASON_POSE, NULL, FG_RETRY, FG_REASON_POSE},
        {.5, 2, 0, NULL, FG_RETRY, FG_REASON_SEVERAL_FACES},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        fg_ranking ranking = sure;
        fg_decision decision;
        ranking.best.probability = cases[i].probability;
        const fg_evidence evidence = {.faces = cases[i].faces,
                                      .quality = cases[i].quality,
                                      .unclear = true,
                                      .ranking = &ranking,
                                      .rights = lab_office,
                                      .right_count = 2};
        const fg_policy policy = {.threshold = 0.9, .required_right = cases[i].required};
        fg_decide(&evidence, &policy, &decision);
        assert_int_equal(decision.verdict, cases[i].verdict);
        assert_int_equal(decision.reasons[0], cases[i].reason);
        assert_int_equal(decision.reason_count, cases[i].reason != 0);
    }
}

static void follows_the_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const row *r = &rows[i];
        fg_ranking ranking = sure;
        ranking.best.probability = r->p;
        ranking.best.similarity = r->similarity;
        ranking.second.probability = r->second_p;
        ranking.second.similarity = r->second_similarity;
        ranking.similarity_gate = r->gate;
        fg_evidence evidence = {.faces = r->faces,
                                .quality = r->quality,
                                .ranking = r->ranked ? &ranking : NULL,
                                .rights = lab_office,
                                .right_count = r->rights};
        fg_policy policy = {.threshold = r->threshold, .required_right = r->required};
        fg_decision decision;
        memset(&decision, 0x5a, sizeof decision);
        fg_decide(&evidence, &policy, &decision);
        if (decision.verdict != r->verdict || decision.reason_count != (r->reason != 0) ||
            decision.reasons[0] != r->reason)
            fail_msg("%s: %s with %d reasons, the first %d", r->what, fg_verdict_name(decision.verdict),
                     decision.reason_count, (int)decision.reasons[0]);
    }
}

static void nobody_enrolled_is_nobody(void **state)
{
    (void)state;
    fg_ranking ranking = sure;
    ranking.best.member_id = 0;
    fg_evidence evidence = {.faces = 1, .ranking = &ranking};
    fg_policy policy = {.threshold = 0.9};
    fg_decision decision;
    fg_decide(&evidence, &policy, &decision);
    assert_int_equal(decision.verdict, FG_UNKNOWN);
    assert_int_equal(decision.reasons[0], FG_REASON_NOT_A_MEMBER);
}

static void rights_that_are_not_there_are_not_held(void **state)
{
    (void)state;
    const char *const holes[] = {NULL, "lab"};
    fg_evidence evidence = {.faces = 1, .ranking = &sure, .rights = NULL, .right_count = 3};
    fg_policy policy = {.threshold = 0.9, .required_right = "lab"};
    fg_decision decision;
    fg_decide(&evidence, &policy, &decision);
    assert_int_equal(decision.verdict, FG_DENIED);
    evidence.rights = holes;
    evidence.right_count = 2;
    fg_decide(&evidence, &policy, &decision);
    assert_int_equal(decision.verdict, FG_GRANTED);
    evidence.right_count = -1;
    fg_decide(&evidence, &policy, &decision);
    assert_int_equal(decision.verdict, FG_DENIED);
}

/* Every combination of the interesting values: granted only where all of it is right, and always with a
 * reason else. */
static void grants_only_where_everything_is_right(void **state)
{
    (void)state;
    const double values[] = {NAN, -INFINITY, -1, 0, 0.4, P_BELOW, 0.9, 0.95, 1, 1.1, INFINITY};
    enum { N = sizeof values / sizeof values[0] };
    long granted = 0;
    for (int p = 0; p < N; p++)
        for (int s = 0; s < N; s++)
            for (int g = 0; g < N; g++)
                for (int q = 0; q < FG_REASON_COUNT; q++)
                    for (int faces = 0; faces < 3; faces++)
                        for (int right = 0; right < 2; right++) {
                            fg_ranking ranking = sure;
                            ranking.best.probability = values[p];
                            ranking.best.similarity = values[s];
                            ranking.similarity_gate = values[g];
                            fg_evidence evidence = {.faces = faces,
                                                    .quality = (fg_reason)q,
                                                    .ranking = &ranking,
                                                    .rights = lab_office,
                                                    .right_count = right};
                            fg_policy policy = {.threshold = 0.9, .required_right = "lab"};
                            fg_decision d;
                            fg_decide(&evidence, &policy, &d);
                            bool good = faces == 1 && q == FG_REASON_NONE && right == 1 && values[p] >= 0.9 &&
                                        values[p] <= 1 && values[s] >= values[g];
                            assert_int_equal(d.verdict == FG_GRANTED, good);
                            assert_int_equal(d.reason_count, good ? 0 : 1);
                            assert_true(good ||
                                        (d.reasons[0] > FG_REASON_NONE && d.reasons[0] < FG_REASON_COUNT));
                            granted += good;
                        }
    assert_true(granted > 0);
}

static void names_are_stable(void **state)
{
    (void)state;
    assert_string_equal(fg_verdict_name(FG_RETRY), "retry");
    assert_string_equal(fg_verdict_name(FG_UNKNOWN), "unknown");
    assert_string_equal(fg_verdict_name(FG_DENIED), "denied");
    assert_string_equal(fg_verdict_name(FG_GRANTED), "granted");
    assert_string_equal(fg_verdict_name((fg_verdict)99), "retry");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(follows_the_table),
        cmocka_unit_test(an_unclear_face_tries_again_instead_of_being_unknown),
        cmocka_unit_test(nobody_enrolled_is_nobody),
        cmocka_unit_test(rights_that_are_not_there_are_not_held),
        cmocka_unit_test(grants_only_where_everything_is_right),
        cmocka_unit_test(names_are_stable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
