/* What a training found of each member, in the measure that the gate uses: the cosine to the member's mean.
 * It is what a team lead can act on: whose video is too uniform, who looks like whom, who is near to
 * strangers. */
#include "flow/app.h"

#include "classify/gallery.h"
#include "classify/tail.h"
#include "classify/vector.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Beyond this many members the comparison of all pairs costs more than the picture is worth. */
enum { MAX_MEMBERS = 1000 };

typedef struct room {
    const fg_gallery *gallery;
    double *sums;   /* members x size: of the member's templates */
    float *means;   /* members x size, unit */
    float *cosines; /* scratch: members, or the cohort, whichever is more */
} room;

static const float *row_of(const fg_gallery *g, long i)
{
    return g->embeddings + (size_t)i * (size_t)g->embedding_size;
}

static void add_up(room *r)
{
    const fg_gallery *g = r->gallery;
    const size_t size = (size_t)g->embedding_size;
    for (long i = 0; i < g->count; i++)
        for (size_t k = 0; k < size; k++)
            r->sums[(size_t)g->member[i] * size + k] += (double)row_of(g, i)[k];
    for (size_t m = 0; m < (size_t)g->members; m++) {
        for (size_t k = 0; k < size; k++)
            r->means[m * size + k] = (float)r->sums[m * size + k];
        fg_unit(r->means + m * size, g->embedding_size);
    }
}

/* A picture against the mean of the member's others: against a mean that holds itself all would look alike.
 */
static void look_at_own(const room *r, fg_train_person people[])
{
    const fg_gallery *g = r->gallery;
    float rest[FG_MAX_EMBEDDING];
    for (int m = 0; m < g->members; m++)
        people[m] = (fg_train_person){
            .member_id = g->member_ids[m], .own_low = INFINITY, .nearest = NAN, .stranger = NAN};
    for (long i = 0; i < g->count; i++) {
        fg_train_person *p = &people[g->member[i]];
        const double *sum = r->sums + (size_t)g->member[i] * (size_t)g->embedding_size;
        for (int k = 0; k < g->embedding_size; k++)
            rest[k] = (float)(sum[k] - (double)row_of(g, i)[k]);
        if (fg_unit(rest, g->embedding_size) > 0) {
            double cosine = fg_cosine(rest, row_of(g, i), g->embedding_size);
            p->own += cosine;
            p->own_low = fmin(p->own_low, cosine);
        }
        p->templates++;
    }
    for (int m = 0; m < g->members; m++) {
        bool alone = people[m].templates < 2;
        people[m].own = alone ? (double)NAN : people[m].own / (double)people[m].templates;
        if (alone)
            people[m].own_low = NAN;
    }
}

/* Of the cohort, strangers alone: training has left out who is surely the member. */
static void look_at_others(const room *r, const fg_cohort *cohort, fg_train_person people[])
{
    const fg_gallery *g = r->gallery;
    double usual, sd;
    for (int m = 0; m < g->members; m++) {
        const float *mean = r->means + (size_t)m * (size_t)g->embedding_size;
        fg_dots(r->means, g->members, g->embedding_size, mean, r->cosines);
        for (int o = 0; o < g->members; o++)
            if (o != m && !((double)r->cosines[o] <= people[m].nearest)) {
                people[m].nearest = (double)r->cosines[o];
                people[m].nearest_id = g->member_ids[o];
            }
        fg_dots(cohort->embeddings, cohort->count, g->embedding_size, mean, r->cosines);
        fg_mean_sd(r->cosines, cohort->count, &usual, &sd);
        for (long i = 0; i < cohort->count; i++)
            if (!((double)r->cosines[i] <= people[m].stranger) &&
                !fg_same_face((double)r->cosines[i], usual, sd, g->embedding_size))
                people[m].stranger = (double)r->cosines[i];
    }
}

/* What is between a member's own worst picture and the nearest face that is not theirs. */
static double margin(const fg_train_person *p)
{
    return p->own_low - fmax(p->nearest, p->stranger); /* fmax ignores a NaN */
}

static int by_margin(const void *a, const void *b)
{
    double x = margin(a), y = margin(b);
    if (isnan(x) || isnan(y))
        return isnan(x) - isnan(y);
    return (x > y) - (x < y);
}

fg_code fg_train_look_at_people(const fg_gallery *gallery, const fg_cohort *cohort, fg_train_result *result,
                                fg_error *err)
{
    const size_t members = (size_t)gallery->members, size = (size_t)gallery->embedding_size;
    const size_t scratch = (size_t)cohort->count > members ? (size_t)cohort->count : members;
    result->people_count = 0;
    if (gallery->members > MAX_MEMBERS)
        return FG_OK;
    room r = {.gallery = gallery,
              .sums = calloc(members * size, sizeof *r.sums),
              .means = calloc(members * size, sizeof *r.means),
              .cosines = malloc(scratch * sizeof *r.cosines)};
    fg_train_person *people = calloc(members, sizeof *people);
    fg_code rc = FG_OK;
    if (!r.sums || !r.means || !r.cosines || !people) {
        rc = FG_FAIL(err, FG_ERR_MEMORY, "out of memory for %d members", gallery->members);
        goto done;
    }
    add_up(&r);
    look_at_own(&r, people);
    look_at_others(&r, cohort, people);
    qsort(people, members, sizeof *people, by_margin);
    result->people_count = members < FG_TRAIN_PEOPLE ? (int)members : FG_TRAIN_PEOPLE;
    memcpy(result->people, people, (size_t)result->people_count * sizeof *people);
done:
    free(r.sums);
    free(r.means);
    free(r.cosines);
    free(people);
    return rc;
}
