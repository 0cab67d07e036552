#include "decide/decide.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

static const char *const verdict_names[] = {
    [FG_RETRY] = "retry",
    [FG_UNKNOWN] = "unknown",
    [FG_DENIED] = "denied",
    [FG_GRANTED] = "granted",
};

const char *fg_verdict_name(fg_verdict verdict)
{
    return (unsigned)verdict < sizeof verdict_names / sizeof verdict_names[0] ? verdict_names[verdict]
                                                                              : "retry";
}

static fg_reason reason_to_retry(const fg_evidence *e)
{
    if (e->faces < 1)
        return FG_REASON_NO_FACE;
    if (e->faces > 1)
        return FG_REASON_SEVERAL_FACES;
    if (e->quality != FG_REASON_NONE)
        return e->quality;
    return e->ranking ? FG_REASON_NONE : FG_REASON_NO_FACE;
}

static bool is_probability(double p)
{
    return p >= 0 && p <= 1;
}

/* Comparisons are written so that a NaN on either side fails them. */
static fg_reason reason_to_doubt(const fg_ranking *r, double threshold)
{
    if (r->best.member_id == 0 || !(r->best.similarity >= r->similarity_gate))
        return FG_REASON_NOT_A_MEMBER;
    if (is_probability(r->best.probability) && threshold > 0 && threshold <= 1 &&
        r->best.probability >= threshold)
        return FG_REASON_NONE;
    /* Somebody enrolled, surely enough; but which of the two? */
    if (r->second.member_id != 0 && r->second.similarity >= r->similarity_gate &&
        is_probability(r->best.probability) && is_probability(r->second.probability) &&
        r->best.probability + r->second.probability >= threshold)
        return FG_REASON_AMBIGUOUS;
    return FG_REASON_BELOW_PROBABILITY;
}

static bool holds(const fg_evidence *e, const char *right)
{
    for (int i = 0; i < e->right_count; i++)
        if (e->rights && e->rights[i] && strcmp(e->rights[i], right) == 0)
            return true;
    return false;
}

void fg_decide(const fg_evidence *evidence, const fg_policy *policy, fg_decision *decision)
{
    fg_reason reason;

    memset(decision, 0, sizeof *decision);
    decision->verdict = FG_RETRY;
    if ((reason = reason_to_retry(evidence)) != FG_REASON_NONE)
        goto refuse;
    decision->verdict = FG_UNKNOWN;
    if ((reason = reason_to_doubt(evidence->ranking, policy->threshold)) != FG_REASON_NONE) {
        if (evidence->unclear) {
            decision->verdict = FG_RETRY;
            reason = FG_REASON_UNCLEAR;
        }
        goto refuse;
    }
    decision->verdict = FG_DENIED;
    if (policy->required_right && !holds(evidence, policy->required_right)) {
        reason = FG_REASON_RIGHT_MISSING;
        goto refuse;
    }
    decision->verdict = FG_GRANTED;
    return;
refuse:
    decision->reasons[decision->reason_count++] = reason;
}
