/* A gallery made ready for training: checked, its outliers pruned, its templates grouped by member and
 * segment. */
#ifndef FG_CLASSIFY_GALLERY_H
#define FG_CLASSIFY_GALLERY_H

#include "classify/classify.h"

enum { FG_FOLDS = 4 };

typedef struct fg_ready_member {
    long first;   /* of its templates in fg_ready.templates */
    int count;    /* kept */
    int outliers; /* pruned */
    int segments; /* among the kept */
} fg_ready_member;

typedef struct fg_ready {
    const fg_gallery *gallery; /* borrowed */
    fg_ready_member *members;  /* gallery->members */
    long *templates; /* kept: row numbers of the gallery, member by member, in the gallery's order */
    int *segment;    /* beside templates: 0.. within the member, by first appearance */
    long count;
    float *centroids; /* members x size, unit: the mean of the segments' means, since frames of one segment
                         are near copies that would outvote the rest */
} fg_ready;

/* FG_ERR_STATE: no members, a member without templates. FG_ERR_INPUT: sizes, NaN, a vector not of unit
 * length. cohort_rows: the cohort, that says what no resemblance looks like. Free with _deinit, also after a
 * failure. */
fg_code fg_ready_init(fg_ready *ready, const fg_gallery *gallery, const float *cohort_rows, int cohort_count,
                      fg_error *err) FG_MUST_CHECK;
void fg_ready_deinit(fg_ready *ready);

/* The fold that holds a segment out, or -1: a member's only segment is never held out. */
int fg_ready_fold(const fg_ready *ready, int member, int segment);

/* The member's centroid without one fold (-1: with all); out: size. */
void fg_ready_centroid(const fg_ready *ready, int member, int without_fold, float *out);

/* The least deviation that the cosines of unrelated faces are taken to have, whatever a cohort shows. */
double fg_least_deviation(int size);

/* Whether faces of this cosine are surely of one person. mean, sd: of the cosines of strangers. */
bool fg_same_face(double cosine, double mean, double sd, int size);

/* Checks vectors: finite, of unit length; what: "template", "cohort face". */
fg_code fg_check_units(const float *rows, long count, int size, const char *what,
                       fg_error *err) FG_MUST_CHECK;

#endif
