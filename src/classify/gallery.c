#include "classify/gallery.h"
#include "classify/tail.h"
#include "classify/vector.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum {
    MEDOID_SAMPLES = 200, /* of a member's templates, looked at for the most typical one */
    MIN_FOR_OUTLIERS = 3, /* of two that differ, nobody can say which one is odd */
};
static const double resembles_sd =
    3; /* deviations above the cohort's mean: 1 stranger in 1000 comes as near */

fg_code fg_check_units(const float *rows, long count, int size, const char *what, fg_error *err)
{
    for (long i = 0; i < count; i++) {
        double squares = 0;
        for (int k = 0; k < size; k++)
            squares += (double)rows[i * size + k] * (double)rows[i * size + k];
        if (!isfinite(squares))
            return FG_FAIL(err, FG_ERR_INPUT,
                           "%s %ld has a number that is not finite: enrol or export it again", what, i);
        if (fabs(squares - 1) > 0.02)
            return FG_FAIL(err, FG_ERR_INPUT, "%s %ld is not of unit length (%.3f): is it of this model?",
                           what, i, sqrt(squares));
    }
    return FG_OK;
}

int fg_ready_fold(const fg_ready *ready, int member, int segment)
{
    return ready->members[member].segments > 1 ? segment % FG_FOLDS : -1;
}

static const float *row(const fg_ready *ready, long template)
{
    return ready->gallery->embeddings + ready->templates[template] * ready->gallery->embedding_size;
}

void fg_ready_centroid(const fg_ready *ready, int member, int without_fold, float *out)
{
    const fg_ready_member *m = &ready->members[member];
    int size = ready->gallery->embedding_size;
    double total[FG_MAX_EMBEDDING] = {0}, sum[FG_MAX_EMBEDDING];

    for (int s = 0; s < m->segments; s++) {
        double squares = 0;
        if (without_fold >= 0 && fg_ready_fold(ready, member, s) == without_fold)
            continue;
        memset(sum, 0, sizeof sum);
        for (long t = m->first; t < m->first + m->count; t++)
            if (ready->segment[t] == s)
                for (int k = 0; k < size; k++)
                    sum[k] += (double)row(ready, t)[k];
        for (int k = 0; k < size; k++)
            squares += sum[k] * sum[k];
        for (int k = 0; squares > 0 && k < size; k++)
            total[k] += sum[k] / sqrt(squares);
    }
    for (int k = 0; k < size; k++)
        out[k] = (float)total[k];
    fg_unit(out, size);
}

/* The kept rows of one member in, the resembling ones out: those near the centre of the largest like-minded
 * group. All, where a cohort so full of this member that nothing stands out against it leaves none. */
static int prune(const fg_ready *ready, fg_ready_member *m, const float *cohort, int cohort_count,
                 float *cosines)
{
    int size = ready->gallery->embedding_size, step = (m->count + MEDOID_SAMPLES - 1) / MEDOID_SAMPLES,
        best = -1;
    double limit = 0, mean, sd, best_sum = -INFINITY;
    float centre[FG_MAX_EMBEDDING] = {0};
    int kept = 0;

    if (m->count < MIN_FOR_OUTLIERS)
        return m->count;
    fg_dots(cohort, cohort_count, size, row(ready, m->first), cosines);
    fg_mean_sd(cosines, cohort_count, &mean, &sd);
    limit = mean + resembles_sd * fmax(sd, 1 / sqrt(size));
    for (int i = 0; i < m->count; i += step) {
        double sum = 0;
        for (int j = 0; j < m->count; j += step) {
            double c = fg_cosine(row(ready, m->first + i), row(ready, m->first + j), size);
            sum += c > limit ? c : 0;
        }
        if (sum > best_sum) {
            best_sum = sum;
            best = i;
        }
    }
    const float *typical = row(ready, m->first + best);
    for (int i = 0; i < m->count; i++)
        if (fg_cosine(row(ready, m->first + i), typical, size) > limit)
            for (int k = 0; k < size; k++)
                centre[k] += row(ready, m->first + i)[k];
    fg_unit(centre, size);
    for (int i = 0; i < m->count; i++)
        if (fg_cosine(row(ready, m->first + i), centre, size) > limit)
            ready->templates[m->first + kept++] = ready->templates[m->first + i];
    return kept > 0 ? kept : m->count;
}

static void number_segments(const fg_ready *ready, fg_ready_member *m)
{
    const int64_t *segment = ready->gallery->segment;
    m->segments = 0;
    for (long t = m->first; t < m->first + m->count; t++) {
        int s = -1;
        /* The frames of a segment follow one another: the last one's neighbour answers nearly always. */
        for (long u = t - 1; u >= m->first && s < 0; u--)
            if (segment[ready->templates[u]] == segment[ready->templates[t]])
                s = ready->segment[u];
        ready->segment[t] = s >= 0 ? s : m->segments++;
    }
}

double fg_least_deviation(int size)
{
    /* Of directions drawn at random they spread over 1 / sqrt(size); an embedder uses fewer directions than
     * it has. A cohort too unlike the team can seem to spread less. */
    return 1.6 / sqrt(size);
}

bool fg_same_face(double cosine, double mean, double sd, int size)
{
    const double deviations = 6.5;
    const double enough = 0.75; /* in any case: few dimensions have wide deviations */
    return cosine >= fmin(enough, mean + deviations * fmax(sd, fg_least_deviation(size)));
}

fg_code fg_ready_init(fg_ready *ready, const fg_gallery *gallery, const float *cohort_rows, int cohort_count,
                      fg_error *err)
{
    fg_code rc = FG_OK;
    float *cosines = NULL;
    int *counts = NULL;
    long at = 0;

    memset(ready, 0, sizeof *ready);
    if (gallery->members < 1 || gallery->count < 1)
        return FG_FAIL(err, FG_ERR_STATE, "nobody is enrolled: enrol a member first");
    if (gallery->members > FG_MAX_MEMBERS || gallery->count > FG_MAX_TEMPLATES)
        return FG_FAIL(err, FG_ERR_LIMIT, "at most %d members and %d templates can be trained",
                       FG_MAX_MEMBERS, FG_MAX_TEMPLATES);
    if (gallery->embedding_size < 2 || gallery->embedding_size > FG_MAX_EMBEDDING)
        return FG_FAIL(err, FG_ERR_INPUT, "templates of %d numbers are not taken", gallery->embedding_size);
    if ((rc = fg_check_units(gallery->embeddings, gallery->count, gallery->embedding_size, "template", err)))
        return rc;
    ready->gallery = gallery;
    ready->members = calloc((size_t)gallery->members, sizeof *ready->members);
    ready->templates = calloc((size_t)gallery->count, sizeof *ready->templates);
    ready->segment = calloc((size_t)gallery->count, sizeof *ready->segment);
    ready->centroids =
        calloc((size_t)gallery->members * (size_t)gallery->embedding_size, sizeof *ready->centroids);
    cosines = calloc((size_t)cohort_count, sizeof *cosines);
    counts = calloc((size_t)gallery->members, sizeof *counts);
    if (!ready->members || !ready->templates || !ready->segment || !ready->centroids || !cosines || !counts) {
        rc = FG_FAIL(err, FG_ERR_MEMORY, "out of memory for %ld templates", gallery->count);
        goto done;
    }
    for (long i = 0; i < gallery->count; i++) {
        if (gallery->member[i] < 0 || gallery->member[i] >= gallery->members) {
            rc = FG_FAIL(err, FG_ERR_INPUT, "template %ld belongs to no member", i);
            goto done;
        }
        ready->members[gallery->member[i]].count++;
    }
    for (int m = 0; m < gallery->members; m++) {
        if (ready->members[m].count == 0) {
            rc = FG_FAIL(err, FG_ERR_STATE,
                         "member %lld has no templates of this model: enrol again, or remove the member",
                         (long long)gallery->member_ids[m]);
            goto done;
        }
        ready->members[m].first = at;
        at += ready->members[m].count;
    }
    for (long i = 0; i < gallery->count; i++) {
        int m = gallery->member[i];
        ready->templates[ready->members[m].first + counts[m]++] = i;
    }
    at = 0;
    for (int m = 0; m < gallery->members; m++) {
        fg_ready_member *member = &ready->members[m];
        int kept = prune(ready, member, cohort_rows, cohort_count, cosines);
        memmove(ready->templates + at, ready->templates + member->first,
                sizeof *ready->templates * (size_t)kept);
        member->outliers = member->count - kept;
        member->count = kept;
        member->first = at;
        at += kept;
        number_segments(ready, member);
        fg_ready_centroid(ready, m, -1, ready->centroids + (size_t)m * (size_t)gallery->embedding_size);
    }
    ready->count = at;
done:
    free(cosines);
    free(counts);
    return rc;
}

void fg_ready_deinit(fg_ready *ready)
{
    free(ready->members);
    free(ready->templates);
    free(ready->segment);
    free(ready->centroids);
    memset(ready, 0, sizeof *ready);
}
