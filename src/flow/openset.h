/* How well a team is told from strangers: teams drawn from a folder of people, trained and decided with as in
 * earnest. */
#ifndef FG_FLOW_OPENSET_H
#define FG_FLOW_OPENSET_H

#include "classify/metrics.h"
#include "face/vary.h"
#include "flow/flow.h"

enum { FG_MAX_EVAL_PHOTOS = 200000, FG_MAX_EVAL_GROUPS = 32, FG_EVAL_SIZES = 6 };

extern const int fg_eval_sizes[FG_EVAL_SIZES]; /* members of the teams: 1, 2, 5, 10, 20, 40 */

/* What is done to a photo to see whether it changes the decision. */
typedef enum fg_perturbation {
    FG_PERTURB_FLIP,
    FG_PERTURB_CROP,
    FG_PERTURB_JPEG,
    FG_PERTURBATIONS
} fg_perturbation;
const char *fg_perturbation_name(fg_perturbation perturbation); /* "flip" */

typedef struct fg_photo_face {
    int person;
    fg_reason reason;                      /* FG_REASON_NONE: usable, as `verify` sees it */
    bool unclear;                          /* usable, but hardly: see fg_evidence */
    fg_reason perturbed[FG_PERTURBATIONS]; /* likewise */
} fg_photo_face;

/* A folder of people, every photo looked at and embedded once. */
typedef struct fg_people {
    int people, size, views; /* views: embeddings a photo: variations, then perturbations */
    int variations;          /* of each photo: 1 or FG_VARIATIONS; the first is the photo as it is */
    bool perturbed;
    bool embeddings_only; /* from a file: which photos are unclear is not known */
    char **names;         /* people */
    int *group;           /* people: index into groups, -1 for none */
    char *groups[FG_MAX_EVAL_GROUPS];
    int group_count;
    long photos, unreadable; /* unreadable: files that are no photos; not among photos */
    fg_photo_face *faces;    /* photos, person by person */
    float *embeddings;       /* photos x views x size; zero where there is no usable face */
} fg_people;

/* images_dir/<person>/<photo>; a photo in images_dir itself is a person of its own. Groups, where there are
 * any, are in images_dir/groups.json: {"person": "group"}. limit: people, 0 for all. workers: threads, the
 * caller's included. FG_ERR_INPUT where there is not a single usable photo. */
fg_code fg_people_load(fg_people *people, fg_worker *worker, const char *images_dir, bool vary, bool perturb,
                       int limit, int workers, const fg_progress *progress, fg_error *err) FG_MUST_CHECK;
/* The usable photos' embeddings as a labelled dataset (.npz): a photo is a segment, its variations are the
 * segment's rows. fg_people_load takes such a file in place of a folder, without looking at photos again; it
 * has no groups, no photos to perturb, and does not know which are unclear. */
fg_code fg_people_save(const fg_people *people, const fg_app *app, const char *path,
                       fg_error *err) FG_MUST_CHECK;
fg_code fg_people_take(fg_people *people, const fg_app *app, const char *path, bool vary, int limit,
                       fg_error *err) FG_MUST_CHECK;
void fg_people_deinit(fg_people *people);

typedef struct fg_openset_options {
    int photos; /* that a member is enrolled from; 1: with rendered variations */
    int seed;
    int workers;
    double threshold;
    fg_train_options train;
} fg_openset_options;

typedef struct fg_openset_size {
    int members, teams;
    fg_rate refused;       /* genuine attempts that were not granted as who they are */
    fg_rate asked_again;   /* the part of these that were asked to try again, as unclear */
    fg_rate wrong;         /* genuine attempts that were granted as somebody else */
    fg_rate accepted;      /* strangers that were granted as anybody */
    double needed_border;  /* the factor on the border that would have kept strangers at the target rate */
    double refused_at_far; /* by the best border there is for these probes: what the scores are worth */
    double calibration_error;
    double train_ms; /* processor time, mean of the teams */
    double rank_ms;  /* of a probe, likewise */
    fg_reliability reliability;
    fg_scores genuine_scores, stranger_scores;
} fg_openset_size;

typedef struct fg_openset_group {
    fg_rate refused, accepted; /* of its members; of its strangers, by members of any group */
} fg_openset_group;

typedef struct fg_openset_perturbed {
    long attempts, changed;   /* the verdict, or who it is of */
    long unusable;            /* no longer a usable face: among the changed */
    long genuine, lost;       /* granted before; not any more */
    long strangers, admitted; /* not granted before; now */
} fg_openset_perturbed;

typedef struct fg_openset {
    long usable;        /* photos */
    double common_look; /* mean cosine of two people's means; NaN with one person */
    int eligible;       /* people with photos enough to be a member and to try to enter */
    fg_openset_size sizes[FG_EVAL_SIZES];
    int size_count; /* teams larger than there are eligible people are left out */
    fg_openset_group groups[FG_MAX_EVAL_GROUPS];
    fg_openset_perturbed perturbed[FG_PERTURBATIONS];
    double elapsed_ms;
} fg_openset;

/* For each size some teams are drawn, members and their enrolment photos by chance; a member's other photos
 * and all photos of everybody else try to enter. Training sees the cohort and the enrolment photos, nothing
 * else; the decision is fg_classifier_rank and fg_decide, as in `verify`. Calibration weighs genuine
 * attempts and strangers equally. FG_ERR_INPUT with too few people. */
fg_code fg_openset_measure(const fg_people *people, const fg_cohort *cohort,
                           const fg_openset_options *options, const fg_progress *progress, fg_openset *result,
                           fg_error *err) FG_MUST_CHECK;

/* Plots as SVG, written into folder, which is made: det.svg, reliability.svg, scores.svg. */
fg_code fg_openset_plot(const fg_openset *result, double far, const char *folder,
                        fg_error *err) FG_MUST_CHECK;

#endif
