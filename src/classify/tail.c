#include "classify/tail.h"

#include <math.h>
#include <stdlib.h>

static int ascending(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

void fg_tail_fit(fg_tail *tail, float *scores, long count, double deviation)
{
    const double share = 0.02;
    /* Above its 98th percentile a normal variable's mean excess is 0.37 deviations. Real strangers' scores
     * fall off more slowly than that, and than those of drawn faces: some people do look alike. */
    const double usual_excess = 0.45;
    const double prior_samples = 40;
    double excess = 0;

    qsort(scores, (size_t)count, sizeof *scores, ascending);
    long above = (long)ceil(share * (double)count);
    above = above < 1 ? 1 : above;
    tail->sorted = scores;
    tail->count = count;
    tail->start = count > above ? (double)scores[count - above - 1] : (double)scores[0];
    tail->share = (double)above / (double)count;
    for (long i = count - above; i < count; i++)
        excess += (double)scores[i] - tail->start;
    tail->scale = (excess + prior_samples * usual_excess * deviation) / ((double)above + prior_samples);
    tail->samples = (double)above + prior_samples;
    if (!(tail->scale > 1e-9))
        tail->scale = 1e-9;
}

double fg_tail_quantile(const fg_tail *tail, double share, double *deviation)
{
    double above = tail->share * (double)tail->count,
           beyond = share < tail->share ? log(tail->share / share) : 0;
    if (deviation)
        *deviation = tail->scale * sqrt(1 / above + beyond * beyond / tail->samples);
    if (share < tail->share)
        return tail->start + tail->scale * beyond;
    long rank = (long)floor((1 - share) * (double)tail->count);
    rank = rank < 0 ? 0 : rank >= tail->count ? tail->count - 1 : rank;
    return (double)tail->sorted[rank];
}

void fg_mean_sd(const float *values, long count, double *mean, double *sd)
{
    double sum = 0, squares = 0;
    for (long i = 0; i < count; i++)
        sum += (double)values[i];
    *mean = count ? sum / (double)count : 0;
    for (long i = 0; i < count; i++)
        squares += ((double)values[i] - *mean) * ((double)values[i] - *mean);
    *sd = count > 1 ? sqrt(squares / (double)(count - 1)) : 0;
}
