/* What a classifier version is made of; shared by training, ranking and the serialised form. */
#ifndef FG_CLASSIFY_MODEL_H
#define FG_CLASSIFY_MODEL_H

#include "classify/classify.h"

/* One member's two scores for a probe x, each brought to mean 0 and deviation 1 over strangers that training
 * held out:
 *
 * - similarity: centroid . x;
 * - machine: the decision value of the member's SVM against the cohort and the rest of the team.
 *
 * Their sum, again of deviation 1, is the member's evidence e. The chance that x is the member is
 *
 *   exp(l) / (1 + sum of exp(l) over members), l = log(0.9 / 0.1) + slope * (e - border)
 *
 * so that at the border, where training found that strangers come once in 1 / far times, it is 0.90; the 1 in
 * the denominator is "nobody". */
typedef struct fg_expert {
    int64_t member_id;
    double cosine_mean, cosine_sd;
    double machine_mean, machine_sd;
    double bias; /* of the SVM */
} fg_expert;

struct fg_classifier {
    int size, members;
    fg_kernel kernel;
    double gamma;
    double evidence_sd, border, slope, gate;
    fg_expert *experts; /* members */
    float *centroids;   /* members x size */
    float *weights;     /* linear: members x size */
    int supports;       /* rbf: rows that the SVMs share ... */
    float *support;     /* ... supports x size ... */
    float *alpha;       /* ... and each one's share in them, members x supports */
};

/* NULL when out of memory. supports: 0 for linear. */
fg_classifier *fg_classifier_new(int members, int size, fg_kernel kernel, int supports);

#endif
