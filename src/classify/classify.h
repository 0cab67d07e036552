/* Classification: from labelled templates to a classifier version, and from a probe to who it is and how
 * surely.
 *
 * Open set: a background cohort of faces that belong to nobody in the team is the class "nobody", so that one
 * member is enough and a stranger has somewhere to go. See docs/certainty.md for the method, what was tried
 * and how it measures. */
#ifndef FG_CLASSIFY_CLASSIFY_H
#define FG_CLASSIFY_CLASSIFY_H

#include "base/buf.h"
#include "base/limits.h"
#include "base/progress.h"

#include <stdbool.h>
#include <stdint.h>

/* Labelled templates, borrowed. */
typedef struct fg_gallery {
    int embedding_size;
    long count;
    const float *embeddings; /* count x embedding_size, unit length */
    const int *member;       /* count: index into member_ids */
    const int64_t *segment;  /* count: templates of one segment (a photo, or a second or two of a video) are
                                near copies;  validation never has one segment on both sides */
    int members;
    const int64_t *member_ids; /* members: the store's ids */
} fg_gallery;

/* People who are in no team; one embedding each, of the same model. */
typedef struct fg_cohort {
    int embedding_size;
    long count;
    const float *embeddings; /* count x embedding_size, unit length; borrowed, but see fg_cohort_load */
    bool photographed;       /* of people who exist; drawn ones are less alike than those are */
} fg_cohort;

enum { FG_MIN_COHORT = 50 };

typedef enum fg_kernel { FG_KERNEL_LINEAR, FG_KERNEL_RBF } fg_kernel;

typedef struct fg_train_options {
    fg_kernel kernel;
    double c;     /* > 0; 0 for the default, 1 */
    double gamma; /* of rbf; 0 for 1 / embedding_size */
    double far;   /* how rarely a stranger may be accepted, 0 < far < 1; 0 for 0.001 */
    double look;  /* the embedder's mean cosine of strangers taken in one way, measured; 0 or less: unknown */
} fg_train_options;

enum { FG_TRAIN_WARNINGS = 32 };

/* Something that the team lead should know; named by member, never by template. */
typedef struct fg_train_warning {
    enum {
        FG_WARN_FEW_TEMPLATES,
        FG_WARN_UNIFORM,
        FG_WARN_LOOK_ALIKE,
        FG_WARN_SAME_FACE,
        FG_WARN_OUTLIERS,
        FG_WARN_IN_COHORT
    } kind;
    int64_t member_id;
    int64_t other_id; /* of look-alikes; else 0 */
    double value;     /* a similarity, or a count */
} fg_train_warning;

typedef struct fg_train_report {
    int members;
    long templates, outliers; /* used; pruned as not resembling the rest of their member */
    long cohort;              /* used: without those who are members after all */
    double similarity_gate;   /* cosine to the member's templates below which nobody is recognised */
    double far, far_low,
        far_high; /* measured on the held-out cohort at the 0.90 rule, with its 95 % Wilson interval */
    double frr;   /* measured on held-out segments; NaN where a member has only one */
    double seconds;
    fg_train_warning warnings[FG_TRAIN_WARNINGS];
    int warning_count;
} fg_train_report;

typedef struct fg_classifier fg_classifier; /* immutable: shared by threads */

/* Deterministic: the same input gives the same bytes. report may be NULL.
 * Errors: FG_ERR_STATE (no members, no templates, no cohort), FG_ERR_INPUT (NaN, wrong sizes),
 * FG_ERR_CANCELLED. */
fg_code fg_classifier_train(fg_classifier **classifier, const fg_gallery *gallery, const fg_cohort *cohort,
                            const fg_train_options *options, fg_train_report *report,
                            const fg_progress *progress, fg_error *err) FG_MUST_CHECK;
void fg_classifier_free(fg_classifier *classifier);

/* A versioned binary form, checked on reading as foreign bytes are. */
fg_code fg_classifier_write(const fg_classifier *classifier, fg_buf *out, fg_error *err) FG_MUST_CHECK;
fg_code fg_classifier_read(fg_classifier **classifier, const void *data, size_t size,
                           fg_error *err) FG_MUST_CHECK;

typedef struct fg_score {
    int64_t member_id;
    double probability; /* calibrated: the chance that this face is that member; over all members at most 1 */
    double similarity;  /* cosine to the member's templates, as the gate measures it */
} fg_score;

typedef struct fg_ranking {
    fg_score best;   /* member_id 0 only where the classifier knows no members */
    fg_score second; /* member_id 0 with one member */
    double nobody;   /* the probability that nobody enrolled is meant */
    double similarity_gate;
    double strength; /* of the best score's evidence: 1 at the border where the probability is 0.90 */
} fg_ranking;

/* probe: embedding_size floats of unit length, of the classifier's model (the caller compares hashes). */
fg_code fg_classifier_rank(const fg_classifier *classifier, const float *probe, int embedding_size,
                           fg_ranking *ranking, fg_error *err) FG_MUST_CHECK;
/* The same, with the probability of every member beside it, in the classifier's own order: probabilities has
 * fg_classifier_members numbers, which with the ranking's nobody add up to 1. */
fg_code fg_classifier_rank_all(const fg_classifier *classifier, const float *probe, int embedding_size,
                               double *probabilities, fg_ranking *ranking, fg_error *err) FG_MUST_CHECK;
int fg_classifier_members(const fg_classifier *classifier);
int fg_classifier_size(const fg_classifier *classifier);                      /* of an embedding */
int64_t fg_classifier_member_id(const fg_classifier *classifier, int member); /* 0 <= member < members */

/* 1:1: the cosine of two unit vectors. */
double fg_cosine(const float *a, const float *b, int size);

#endif
