/* Decision: scores and a policy into granted, denied, unknown or retry. Pure: no clock, no store, no models.
 */
#ifndef FG_DECIDE_DECIDE_H
#define FG_DECIDE_DECIDE_H

#include "classify/classify.h"
#include "face/face.h"

#include <stdbool.h>

typedef enum fg_verdict {
    FG_RETRY,   /* no usable face, or hardly one: try again; the zero value, so that what is forgotten fails
                   closed */
    FG_UNKNOWN, /* a face, but no member */
    FG_DENIED,  /* a member, but not allowed this */
    FG_GRANTED, /* a member, sure enough, allowed */
} fg_verdict;

const char *fg_verdict_name(fg_verdict verdict); /* "granted": stable */

typedef struct fg_policy {
    double threshold;           /* of the probability; 0.90 */
    const char *required_right; /* NULL where any member may enter */
} fg_policy;

typedef struct fg_evidence {
    int faces;                 /* found in the photo */
    fg_reason quality;         /* of the one face; FG_REASON_NONE for good */
    bool unclear;              /* it can hardly be made out: if it is nobody's, perhaps therefore */
    const fg_ranking *ranking; /* NULL where there was no usable face */
    const char *const *rights; /* of ranking->best's member */
    int right_count;
} fg_evidence;

enum { FG_MAX_REASONS = 4 };

typedef struct fg_decision {
    fg_verdict verdict;
    fg_reason reasons[FG_MAX_REASONS]; /* empty exactly where granted */
    int reason_count;
} fg_decision;

/* The first of these that applies is the verdict's one reason:
 *   retry    no_face; several_faces; what quality says; no_face again where there is no ranking
 *   unknown  not_a_member where the best similarity is below the ranking's gate (or nobody is enrolled);
 *            ambiguous where best and second together reach the threshold, but neither alone;
 *            below_probability where the best probability is below the threshold (0.90 exactly is not)
 *   retry    unclear in place of unknown, where the face is unclear
 *   denied   right_missing
 * A probability or similarity that is not a number, or no ranking, never grants; nor does a threshold outside
 * (0, 1]. rights matters only where the policy requires one. */
void fg_decide(const fg_evidence *evidence, const fg_policy *policy, fg_decision *decision);

#endif
