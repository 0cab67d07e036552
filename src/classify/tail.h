/* The statistics of rare events: how high a stranger's score gets, once in a thousand times. */
#ifndef FG_CLASSIFY_TAIL_H
#define FG_CLASSIFY_TAIL_H

#include "base/error.h"

/* Scores' upper tail by peaks over a threshold (Pickands 1975) with an exponential excess, which is the limit
 * for a normal body and falls off more slowly than a normal tail does: further out than the data reach, it
 * errs on the strict side. */
typedef struct fg_tail {
    double start;        /* scores above it are the tail ... */
    double share;        /* ... and are this share of all */
    double scale;        /* their mean excess */
    double samples;      /* that the mean excess rests on */
    const float *sorted; /* ascending, borrowed: the body, for what is not rare */
    long count;
} fg_tail;

/* Sorts scores (count >= 1), which must outlive the tail. The mean excess of few samples is pulled towards
 * what is usual of faces, in terms of deviation, that of one member's scores. */
void fg_tail_fit(fg_tail *tail, float *scores, long count, double deviation);

/* The score that this share of strangers (0 < share < 1) exceeds; *deviation, which may be NULL: its standard
 * error. */
double fg_tail_quantile(const fg_tail *tail, double share, double *deviation);

void fg_mean_sd(const float *values, long count, double *mean, double *sd);

#endif
