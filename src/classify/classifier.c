#include "classify/model.h"
#include "classify/vector.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

fg_classifier *fg_classifier_new(int members, int size, fg_kernel kernel, int supports)
{
    fg_classifier *c = calloc(1, sizeof *c);
    size_t n = (size_t)members, d = (size_t)size;
    if (!c)
        return NULL;
    c->members = members;
    c->size = size;
    c->kernel = kernel;
    c->supports = supports;
    c->experts = calloc(n, sizeof *c->experts);
    c->centroids = calloc(n * d, sizeof *c->centroids);
    if (kernel == FG_KERNEL_LINEAR) {
        c->weights = calloc(n * d, sizeof *c->weights);
    } else {
        c->support = calloc((size_t)supports * d, sizeof *c->support);
        c->alpha = calloc(n * (size_t)supports, sizeof *c->alpha);
    }
    if (!c->experts || !c->centroids ||
        (kernel == FG_KERNEL_LINEAR ? !c->weights : !c->support || !c->alpha)) {
        fg_classifier_free(c);
        return NULL;
    }
    return c;
}

void fg_classifier_free(fg_classifier *classifier)
{
    if (!classifier)
        return;
    free(classifier->experts);
    free(classifier->centroids);
    free(classifier->weights);
    free(classifier->support);
    free(classifier->alpha);
    free(classifier);
}

int fg_classifier_members(const fg_classifier *classifier)
{
    return classifier->members;
}

int fg_classifier_size(const fg_classifier *classifier)
{
    return classifier->size;
}

int64_t fg_classifier_member_id(const fg_classifier *classifier, int member)
{
    return classifier->experts[member].member_id;
}

typedef struct candidate {
    int64_t id; /* 0: none */
    double logit, similarity, evidence;
} candidate;

static fg_score score_of(const candidate *c, double highest, double sum)
{
    return (fg_score){
        .member_id = c->id, .similarity = c->similarity, .probability = exp(c->logit - highest) / sum};
}

fg_code fg_classifier_rank(const fg_classifier *classifier, const float *probe, int embedding_size,
                           fg_ranking *ranking, fg_error *err)
{
    return fg_classifier_rank_all(classifier, probe, embedding_size, NULL, ranking, err);
}

fg_code fg_classifier_rank_all(const fg_classifier *c, const float *probe, int embedding_size,
                               double *probabilities, fg_ranking *ranking, fg_error *err)
{
    fg_code rc = FG_OK;
    float *kernel = NULL;
    double squares = 0, highest = 0, sum = 1; /* nobody: exp(0) */
    candidate best = {0, -INFINITY, 0, 0}, second = {0, -INFINITY, 0, 0};

    memset(ranking, 0, sizeof *ranking);
    ranking->nobody = 1;
    ranking->similarity_gate = c->gate;
    if (embedding_size != c->size)
        return FG_FAIL(err, FG_ERR_INPUT, "a probe of %d numbers does not fit a classifier of %d",
                       embedding_size, c->size);
    for (int k = 0; k < c->size; k++)
        squares += (double)probe[k] * (double)probe[k];
    if (!(fabs(squares - 1) <= 0.02)) /* also where it is NaN */
        return FG_FAIL(err, FG_ERR_INPUT, "the probe is not of unit length");
    if (c->kernel == FG_KERNEL_RBF) {
        kernel = malloc((size_t)c->supports * sizeof *kernel);
        if (!kernel)
            return FG_FAIL(err, FG_ERR_MEMORY, "out of memory for a ranking");
        fg_dots(c->support, c->supports, c->size, probe, kernel);
        for (int k = 0; k < c->supports; k++)
            kernel[k] = (float)exp(-2 * c->gamma * (1 - (double)kernel[k]));
    }
    for (int m = 0; m < c->members; m++) {
        const fg_expert *e = &c->experts[m];
        double cosine = fg_cosine(c->centroids + (size_t)m * (size_t)c->size, probe, c->size);
        double machine =
            e->bias + (c->kernel == FG_KERNEL_LINEAR
                           ? fg_cosine(c->weights + (size_t)m * (size_t)c->size, probe, c->size)
                           : fg_cosine(c->alpha + (size_t)m * (size_t)c->supports, kernel, c->supports));
        double evidence =
            ((cosine - e->cosine_mean) / e->cosine_sd + (machine - e->machine_mean) / e->machine_sd) /
            c->evidence_sd;
        candidate now = {e->member_id, log(9) + c->slope * (evidence - c->border), cosine, evidence};
        if (probabilities)
            probabilities[m] = now.logit;
        if (now.logit > highest) {
            sum = sum * exp(highest - now.logit) + 1;
            highest = now.logit;
        } else {
            sum += exp(now.logit - highest);
        }
        if (now.logit > best.logit) {
            second = best;
            best = now;
        } else if (now.logit > second.logit) {
            second = now;
        }
    }
    ranking->best = score_of(&best, highest, sum);
    ranking->second = score_of(&second, highest, sum);
    ranking->nobody = exp(-highest) / sum;
    ranking->strength = best.evidence / c->border;
    for (int m = 0; probabilities && m < c->members; m++)
        probabilities[m] = exp(probabilities[m] - highest) / sum;
    free(kernel);
    return rc;
}
