#include "classify/metrics.h"

#include <math.h>

void fg_wilson_share(double share, double tries, double *low, double *high)
{
    const double z = 1.959963984540054;
    *low = 0;
    *high = 1;
    if (!(tries > 0) || !(share >= 0 && share <= 1))
        return;
    double d = 1 + z * z / tries, middle = (share + z * z / (2 * tries)) / d,
           half = z / d * sqrt(share * (1 - share) / tries + z * z / (4 * tries * tries));
    *low = share > 0 ? fmax(0, middle - half) : 0;
    *high = share < 1 ? fmin(1, middle + half) : 1;
}

/* Of the rate over clusters, and how many independent tries it is worth. */
static double effective_tries(const fg_rate *rate, const long *hits, const long *tries, long clusters,
                              long *counted)
{
    double squares = 0, n = (double)rate->tries, p = rate->share;
    *counted = 0;
    for (long i = 0; i < clusters; i++) {
        double off = (double)hits[i] - p * (double)tries[i];
        squares += off * off;
        *counted += tries[i] > 0;
    }
    if (rate->hits == 0 || rate->hits == rate->tries)
        return (double)*counted;
    double m = (double)*counted, binomial = p * (1 - p) * n;
    double clustered = m > 1 ? squares * m / (m - 1) : INFINITY;
    return fmax(1, fmin(n, n * binomial / clustered));
}

void fg_rate_of(fg_rate *rate, const long *hits, const long *tries, long clusters)
{
    *rate = (fg_rate){.share = NAN};
    for (long i = 0; i < clusters; i++) {
        rate->hits += hits[i];
        rate->tries += tries[i];
    }
    if (rate->tries > 0) {
        rate->share = (double)rate->hits / (double)rate->tries;
        rate->effective = effective_tries(rate, hits, tries, clusters, &rate->clusters_counted);
    }
    fg_wilson_share(rate->share, rate->effective, &rate->low, &rate->high);
}

void fg_rate_widen(fg_rate *rate, const long *hits, const long *tries, long clusters)
{
    long counted = 0;
    if (rate->hits == 0 || rate->hits == rate->tries)
        return;
    rate->effective = fmin(rate->effective, effective_tries(rate, hits, tries, clusters, &counted));
    fg_wilson_share(rate->share, rate->effective, &rate->low, &rate->high);
}

void fg_reliability_add(fg_reliability *reliability, double probability, double right, double weight)
{
    int bin = (int)(probability * FG_RELIABILITY_BINS);
    bin = bin < 0 ? 0 : bin >= FG_RELIABILITY_BINS ? FG_RELIABILITY_BINS - 1 : bin;
    reliability->bins[bin].weight += weight;
    /* On a grid fine enough for every use, on which sums are exact: threads may then add up in any order. */
    reliability->bins[bin].stated += weight * round(probability * 0x1p30) * 0x1p-30;
    reliability->bins[bin].right += weight * right;
}

double fg_reliability_error(const fg_reliability *reliability)
{
    double error = 0, all = 0;
    for (int i = 0; i < FG_RELIABILITY_BINS; i++) {
        error += fabs(reliability->bins[i].stated - reliability->bins[i].right);
        all += reliability->bins[i].weight;
    }
    return all > 0 ? error / all : (double)NAN;
}

double fg_score_bin_start(int bin)
{
    return FG_SCORE_LOW + (FG_SCORE_HIGH - FG_SCORE_LOW) * bin / FG_SCORE_BINS;
}

void fg_scores_add(fg_scores *scores, double probability)
{
    double odds = log(fmax(probability, 1e-300) / fmax(1 - probability, 1e-300));
    double at = floor((odds - FG_SCORE_LOW) / (FG_SCORE_HIGH - FG_SCORE_LOW) * FG_SCORE_BINS);
    scores->bins[(int)fmax(0, fmin(at, FG_SCORE_BINS - 1))]++;
    scores->count++;
}

double fg_refused_at(const fg_scores *genuine, const fg_scores *strangers, double far, double *border)
{
    long accepted = 0, refused = genuine->count, allowed = (long)floor(far * (double)strangers->count);
    int bin = FG_SCORE_BINS;
    while (bin > 0 && accepted + strangers->bins[bin - 1] <= allowed) {
        bin--;
        accepted += strangers->bins[bin];
        refused -= genuine->bins[bin];
    }
    if (border)
        *border = fg_score_bin_start(bin);
    return genuine->count && strangers->count ? (double)refused / (double)genuine->count : (double)NAN;
}
