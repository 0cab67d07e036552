/* How good decisions are: rates with intervals, calibration, and the trade between the two errors. */
#ifndef FG_CLASSIFY_METRICS_H
#define FG_CLASSIFY_METRICS_H

#include "base/error.h"

/* Tries and hits that were counted by cluster: the tries of one person are alike, so that a thousand of them
 * say less than a thousand people. */
typedef struct fg_rate {
    long hits, tries;
    double share;          /* NaN without tries */
    double low, high;      /* 95 % */
    double effective;      /* independent tries that would be as sure: tries / design effect */
    long clusters_counted; /* with at least one try */
} fg_rate;

/* Wilson's 95 % interval (Wilson 1927) for a share seen in so many independent tries; 0..1 where there are
 * none. */
void fg_wilson_share(double share, double tries, double *low, double *high);

/* hits, tries: clusters of each. The design effect (Kish 1965) is the variance of the clusters' ratio
 * estimate over the binomial one, 1 at least; the interval is Wilson's with the effective number of tries
 * (Korn & Graubard 1998). Where there is no hit, or no miss, nothing shows how alike a cluster's tries are:
 * then a cluster counts as one try. */
void fg_rate_of(fg_rate *rate, const long *hits, const long *tries, long clusters);

/* The same tries in two kinds of cluster, such as by person and by team: the wider interval counts. */
void fg_rate_widen(fg_rate *rate, const long *hits, const long *tries, long clusters);

/* Reliability: stated probabilities against what came true, in bins of equal width. */
enum { FG_RELIABILITY_BINS = 10 };

typedef struct fg_reliability {
    struct {
        double weight, stated, right; /* sums */
    } bins[FG_RELIABILITY_BINS];
} fg_reliability;

void fg_reliability_add(fg_reliability *reliability, double probability, double right, double weight);
/* Expected calibration error (Naeini et al. 2015): the mean distance between stated and true, weighted; NaN
 * where there is nothing. */
double fg_reliability_error(const fg_reliability *reliability);

/* Scores counted in fine bins: as many as there are need no more room. Scores are log odds, cut to the ends.
 */
enum { FG_SCORE_BINS = 800 };
#define FG_SCORE_LOW (-20.0)
#define FG_SCORE_HIGH 20.0

typedef struct fg_scores {
    long count, bins[FG_SCORE_BINS];
} fg_scores;

/* probability 0..1 */
void fg_scores_add(fg_scores *scores, double probability);
/* The lower end of a bin, in log odds. */
double fg_score_bin_start(int bin);
/* At the lowest border at which no more than this share of strangers is accepted: the share of genuine ones
 * refused; *border (may be NULL) in log odds. NaN where either is empty. */
double fg_refused_at(const fg_scores *genuine, const fg_scores *strangers, double far, double *border);

#endif
