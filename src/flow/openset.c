/* Teams drawn from people whose photos are embedded already: trained, probed, decided, counted. */
#include "flow/openset.h"

#include "base/clock.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const int fg_eval_sizes[FG_EVAL_SIZES] = {1, 2, 5, 10, 20, 40};

enum {
    MIN_TEAMS = 20, /* of each size */
    /* Over all teams of one size: each who can be a member is one so often, since with less the draw decides
     * and not the faces; within limits, of chance for a few people and of time for many. */
    TIMES_A_MEMBER = 8,
    MIN_MEMBERSHIPS = 400,
    MAX_MEMBERSHIPS = 1600,
    MAX_WORKERS = 64,
};

/* A rate's raw counts, by the person who tries and by the team that is tried. */
typedef struct tally {
    long *person_hits, *person_tries; /* people */
    long *team_hits, *team_tries;     /* teams of the size */
} tally;

typedef struct drawing { /* all teams of one size */
    fg_openset_size *out;
    tally refused, asked_again, wrong, accepted;
    float *strengths; /* of all strangers' tries */
    long strength_count, strength_room;
    fg_reliability genuine, strangers; /* apart: how they are weighed is known at the end */
} drawing;

typedef struct evaluation {
    const fg_people *people;
    const fg_cohort *cohort;
    const fg_openset_options *options;
    const fg_progress *progress;
    fg_openset *result;
    long *first;   /* people + 1: of their photos */
    int *usable;   /* people: usable photos */
    int *eligible; /* numbers of people */
    drawing now;
    tally all_refused, all_accepted; /* over all sizes, by person */
    /* under lock */
    pthread_mutex_t lock;
    int next_team;
    long done, total; /* teams, over all sizes */
    fg_code rc;
    fg_error err;
} evaluation;

/* -- counting
 * ------------------------------------------------------------------------------------------------------ */

static fg_code tally_init(tally *t, int people, int teams, fg_error *err)
{
    t->person_hits = calloc((size_t)people, sizeof(long));
    t->person_tries = calloc((size_t)people, sizeof(long));
    t->team_hits = calloc((size_t)teams, sizeof(long));
    t->team_tries = calloc((size_t)teams, sizeof(long));
    return t->person_hits && t->person_tries && t->team_hits && t->team_tries
               ? FG_OK
               : FG_FAIL(err, FG_ERR_MEMORY, "out of memory for %d people", people);
}

static void tally_deinit(tally *t)
{
    free(t->person_hits);
    free(t->person_tries);
    free(t->team_hits);
    free(t->team_tries);
}

static void count(tally *t, int person, int team, bool hit)
{
    t->person_tries[person]++;
    t->team_tries[team]++;
    t->person_hits[person] += hit;
    t->team_hits[team] += hit;
}

static void rate_of(fg_rate *rate, const tally *t, int people, int teams)
{
    fg_rate_of(rate, t->person_hits, t->person_tries, people);
    fg_rate_widen(rate, t->team_hits, t->team_tries, teams);
}

/* -- one team
 * ------------------------------------------------------------------------------------------------------ */

/* Numbers of its own for each team, whatever the order in which threads take them. (SplitMix64, Steele et al.
 * 2014.) */
static uint64_t draw(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

typedef struct team {
    int number, members;
    int *member;       /* person -> its place in the team, or -1 */
    bool *tries;       /* photo -> tries to enter */
    float *embeddings; /* of the gallery */
    int *gallery_member;
    int64_t *segment, *ids;
    long templates;
} team;

static void team_deinit(team *t)
{
    free(t->member);
    free(t->tries);
    free(t->embeddings);
    free(t->gallery_member);
    free(t->segment);
    free(t->ids);
}

static const float *view(const evaluation *e, long photo, int number)
{
    const fg_people *p = e->people;
    return p->embeddings + ((size_t)photo * (size_t)p->views + (size_t)number) * (size_t)p->size;
}

/* The member's enrolment: options->photos of the usable photos, drawn by chance. */
static void enroll(const evaluation *e, team *t, int place, int person, uint64_t *random)
{
    const size_t size = (size_t)e->people->size;
    int wanted = e->options->photos, left = e->usable[person];
    t->member[person] = place;
    t->ids[place] = person + 1;
    for (long photo = e->first[person]; photo < e->first[person + 1]; photo++) {
        if (e->people->faces[photo].reason != FG_REASON_NONE)
            continue;
        t->tries[photo] = true;
        if ((int)(draw(random) % (uint64_t)left--) >= wanted)
            continue;
        wanted--;
        t->tries[photo] = false;
        for (int v = 0; v < e->people->variations; v++) {
            memcpy(t->embeddings + (size_t)t->templates * size, view(e, photo, v), size * sizeof(float));
            t->gallery_member[t->templates] = place;
            t->segment[t->templates++] = photo;
        }
    }
}

/* A stranger tries once, however many photos there are: of a hundred people one who is like a member shall
 * count as one, and not as the dozen photos that happen to be of that one. */
static void choose_stranger_photo(const evaluation *e, team *t, int person, uint64_t *random)
{
    if (e->usable[person] == 0)
        return;
    int skip = (int)(draw(random) % (uint64_t)e->usable[person]);
    for (long photo = e->first[person]; photo < e->first[person + 1]; photo++)
        if (e->people->faces[photo].reason == FG_REASON_NONE && skip-- == 0)
            t->tries[photo] = true;
}

static fg_code team_init(const evaluation *e, team *t, int number, fg_error *err)
{
    const fg_people *p = e->people;
    const int members = e->now.out->members;
    const size_t templates = (size_t)members * (size_t)e->options->photos * (size_t)p->variations;
    uint64_t random = (uint64_t)e->options->seed * 1000003u + (uint64_t)members * 10007u + (uint64_t)number;
    *t = (team){.number = number, .members = members};
    t->member = malloc((size_t)p->people * sizeof *t->member);
    t->tries = calloc((size_t)p->photos, sizeof *t->tries);
    t->embeddings = malloc(templates * (size_t)p->size * sizeof *t->embeddings);
    t->gallery_member = malloc(templates * sizeof *t->gallery_member);
    t->segment = malloc(templates * sizeof *t->segment);
    t->ids = malloc((size_t)members * sizeof *t->ids);
    int *order = malloc((size_t)e->result->eligible * sizeof *order);
    if (!t->member || !t->tries || !t->embeddings || !t->gallery_member || !t->segment || !t->ids || !order) {
        free(order);
        return FG_FAIL(err, FG_ERR_MEMORY, "out of memory for a team of %d", members);
    }
    memcpy(order, e->eligible, (size_t)e->result->eligible * sizeof *order);
    for (int i = 0; i < p->people; i++)
        t->member[i] = -1;
    for (int i = 0; i < members; i++) { /* the start of a Fisher-Yates shuffle */
        int j = i + (int)(draw(&random) % (uint64_t)(e->result->eligible - i)), chosen = order[j];
        order[j] = order[i];
        enroll(e, t, i, chosen, &random);
    }
    free(order);
    for (int i = 0; i < p->people; i++)
        if (t->member[i] < 0)
            choose_stranger_photo(e, t, i, &random);
    return FG_OK;
}

/* What `verify` does after the embedding. */
static fg_code decide(const evaluation *e, const fg_classifier *classifier, const float *probe,
                      fg_reason reason, bool unclear, fg_ranking *ranking, fg_decision *decision,
                      fg_error *err)
{
    const fg_policy policy = {.threshold = e->options->threshold};
    const fg_evidence evidence = {.faces = 1,
                                  .quality = reason,
                                  .unclear = unclear,
                                  .ranking = reason == FG_REASON_NONE ? ranking : NULL};
    fg_code rc = reason == FG_REASON_NONE
                     ? fg_classifier_rank(classifier, probe, e->people->size, ranking, err)
                     : FG_OK;
    if (rc == FG_OK)
        fg_decide(&evidence, &policy, decision);
    return rc;
}

/* What became of a photo that tried to enter. */
typedef enum outcome { NOT_TRIED, KNOWN, REFUSED, ASKED_AGAIN, WRONG, KEPT_OUT, LET_IN } outcome;

typedef struct counts { /* of one team, kept apart until it is done */
    float *strengths;   /* photos: of strangers */
    outcome *outcomes;  /* photos */
    double train_ms, rank_ms;
    fg_scores genuine_scores, stranger_scores;
    fg_reliability genuine, strangers;
    fg_openset_perturbed perturbed[FG_PERTURBATIONS];
} counts;

static fg_code count_perturbed(const evaluation *e, const fg_classifier *classifier, long photo, int64_t who,
                               counts *c, fg_error *err)
{
    const outcome before = c->outcomes[photo];
    const bool was = before == KNOWN || before == WRONG || before == LET_IN;
    fg_code rc = FG_OK;
    for (int k = 0; k < FG_PERTURBATIONS && rc == FG_OK; k++) {
        fg_openset_perturbed *p = &c->perturbed[k];
        const fg_reason reason = e->people->faces[photo].perturbed[k];
        fg_ranking ranking = {0};
        fg_decision after;
        if ((rc = decide(e, classifier, view(e, photo, e->people->variations + k), reason, false, &ranking,
                         &after, err)))
            break;
        bool granted = after.verdict == FG_GRANTED, same = ranking.best.member_id == who;
        p->attempts++;
        p->unusable += after.verdict == FG_RETRY;
        p->changed += granted != was || (granted && !same);
        p->genuine += before == KNOWN;
        p->lost += before == KNOWN && !(granted && same);
        p->strangers += before == KEPT_OUT;
        p->admitted += before == KEPT_OUT && granted;
    }
    return rc;
}

static fg_code probe_all(const evaluation *e, const team *t, const fg_classifier *classifier, counts *c,
                         fg_error *err)
{
    const fg_people *p = e->people;
    long decided = 0;
    double start = fg_clock_thread_ms();
    fg_code rc = FG_OK;
    for (long photo = 0; photo < p->photos && rc == FG_OK; photo++) {
        const int person = p->faces[photo].person;
        fg_ranking ranking = {0};
        fg_decision decision;
        if (!t->tries[photo])
            continue;
        if ((rc = decide(e, classifier, view(e, photo, 0), FG_REASON_NONE, p->faces[photo].unclear, &ranking,
                         &decision, err)))
            break;
        bool genuine = t->member[person] >= 0, granted = decision.verdict == FG_GRANTED,
             right = ranking.best.member_id == person + 1;
        decided++;
        if (genuine) {
            fg_scores_add(&c->genuine_scores, right ? ranking.best.probability : 0);
            fg_reliability_add(&c->genuine, ranking.best.probability, right, 1);
            c->outcomes[photo] = decision.verdict == FG_RETRY ? ASKED_AGAIN
                                 : !granted                   ? REFUSED
                                 : right                      ? KNOWN
                                                              : WRONG;
        } else {
            fg_scores_add(&c->stranger_scores, ranking.best.probability);
            fg_reliability_add(&c->strangers, ranking.best.probability, 0, 1);
            c->outcomes[photo] = granted ? LET_IN : KEPT_OUT;
            c->strengths[photo] = (float)ranking.strength;
        }
        if (p->perturbed)
            rc = count_perturbed(e, classifier, photo, ranking.best.member_id, c, err);
    }
    c->rank_ms = decided ? (fg_clock_thread_ms() - start) / (double)decided : 0;
    return rc;
}

static void add_scores(fg_scores *sum, const fg_scores *some)
{
    sum->count += some->count;
    for (int i = 0; i < FG_SCORE_BINS; i++)
        sum->bins[i] += some->bins[i];
}

static void add_reliability(fg_reliability *sum, const fg_reliability *some, double weight)
{
    for (int i = 0; i < FG_RELIABILITY_BINS; i++) {
        sum->bins[i].weight += weight * some->bins[i].weight;
        sum->bins[i].stated += weight * some->bins[i].stated;
        sum->bins[i].right += weight * some->bins[i].right;
    }
}

static void add_counts(evaluation *e, const team *t, const counts *c)
{
    drawing *d = &e->now;
    for (long photo = 0; photo < e->people->photos; photo++) {
        const int person = e->people->faces[photo].person;
        const outcome o = c->outcomes[photo];
        if (o == KNOWN || o == REFUSED || o == ASKED_AGAIN || o == WRONG) {
            count(&d->refused, person, t->number, o != KNOWN);
            count(&d->asked_again, person, t->number, o == ASKED_AGAIN);
            count(&d->wrong, person, t->number, o == WRONG);
        } else if (o != NOT_TRIED) {
            count(&d->accepted, person, t->number, o == LET_IN);
            if (d->strength_count < d->strength_room)
                d->strengths[d->strength_count++] = c->strengths[photo];
        }
    }
    d->out->train_ms += c->train_ms / d->out->teams;
    d->out->rank_ms += c->rank_ms / d->out->teams;
    add_scores(&d->out->genuine_scores, &c->genuine_scores);
    add_scores(&d->out->stranger_scores, &c->stranger_scores);
    add_reliability(&d->genuine, &c->genuine, 1);
    add_reliability(&d->strangers, &c->strangers, 1);
    for (int k = 0; k < FG_PERTURBATIONS; k++) {
        fg_openset_perturbed *sum = &e->result->perturbed[k];
        const fg_openset_perturbed *p = &c->perturbed[k];
        sum->attempts += p->attempts;
        sum->changed += p->changed;
        sum->unusable += p->unusable;
        sum->genuine += p->genuine;
        sum->lost += p->lost;
        sum->strangers += p->strangers;
        sum->admitted += p->admitted;
    }
}

static fg_code measure_team(evaluation *e, int number, fg_error *err)
{
    team t = {0};
    counts *c = calloc(1, sizeof *c);
    fg_classifier *classifier = NULL;
    fg_code rc = FG_OK;
    if (!c || !(c->outcomes = calloc((size_t)e->people->photos, sizeof *c->outcomes)) ||
        !(c->strengths = calloc((size_t)e->people->photos, sizeof *c->strengths)))
        rc = FG_FAIL(err, FG_ERR_MEMORY, "out of memory");
    if (rc == FG_OK)
        rc = team_init(e, &t, number, err);
    if (rc != FG_OK)
        goto done;
    const fg_gallery gallery = {.embedding_size = e->people->size,
                                .count = t.templates,
                                .embeddings = t.embeddings,
                                .member = t.gallery_member,
                                .segment = t.segment,
                                .members = t.members,
                                .member_ids = t.ids};
    double start = fg_clock_thread_ms();
    rc = fg_classifier_train(&classifier, &gallery, e->cohort, &e->options->train, NULL, NULL, err);
    c->train_ms = fg_clock_thread_ms() - start;
    if (rc == FG_OK)
        rc = probe_all(e, &t, classifier, c, err);
    if (rc == FG_OK) {
        pthread_mutex_lock(&e->lock);
        add_counts(e, &t, c);
        pthread_mutex_unlock(&e->lock);
    }
done:
    fg_classifier_free(classifier);
    team_deinit(&t);
    if (c) {
        free(c->outcomes);
        free(c->strengths);
    }
    free(c);
    return rc;
}

/* -- all teams of a size, by several threads
 * ------------------------------------------------------------------------------------------------------ */

/* progress: NULL in all threads but the caller's. */
static void measure_some(evaluation *e, const fg_progress *progress)
{
    for (;;) {
        fg_error err;
        pthread_mutex_lock(&e->lock);
        int number = e->rc == FG_OK && e->next_team < e->now.out->teams ? e->next_team++ : -1;
        pthread_mutex_unlock(&e->lock);
        if (number < 0)
            return;
        fg_code rc = measure_team(e, number, &err);
        pthread_mutex_lock(&e->lock);
        long done = ++e->done;
        pthread_mutex_unlock(&e->lock);
        if (rc == FG_OK && !fg_progress_tell(progress, "teams", done, e->total))
            rc = FG_FAIL(&err, FG_ERR_CANCELLED, "cancelled");
        if (rc != FG_OK) {
            pthread_mutex_lock(&e->lock);
            if (e->rc == FG_OK) {
                e->rc = rc;
                e->err = err;
            }
            pthread_mutex_unlock(&e->lock);
        }
    }
}

static void *helper(void *context)
{
    measure_some(context, NULL);
    return NULL;
}

static fg_code measure_size(evaluation *e, fg_error *err)
{
    const int people = e->people->people, teams = e->now.out->teams;
    pthread_t threads[MAX_WORKERS];
    int started = 0;
    fg_code rc;
    if ((rc = tally_init(&e->now.refused, people, teams, err)) != FG_OK ||
        (rc = tally_init(&e->now.asked_again, people, teams, err)) != FG_OK ||
        (rc = tally_init(&e->now.wrong, people, teams, err)) != FG_OK ||
        (rc = tally_init(&e->now.accepted, people, teams, err)) != FG_OK)
        return rc;
    e->now.strength_room = (long)people * teams;
    if (!(e->now.strengths = malloc((size_t)e->now.strength_room * sizeof *e->now.strengths)))
        return FG_FAIL(err, FG_ERR_MEMORY, "out of memory for %d teams", teams);
    e->next_team = 0;
    while (started < e->options->workers - 1 && started < MAX_WORKERS &&
           pthread_create(&threads[started], NULL, helper, e) == 0)
        started++;
    measure_some(e, e->progress);
    for (int i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    if (e->rc != FG_OK && err)
        *err = e->err;
    return e->rc;
}

static int descending(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x < y) - (x > y);
}

/* The value that this share of them exceeds; NaN with too few to know. Sorts. */
static double highest(float *values, long n, double share)
{
    long rank = (long)floor(share * (double)n);
    if (rank < 1)
        return NAN;
    qsort(values, (size_t)n, sizeof *values, descending);
    return (double)values[rank];
}

static void sum_up(evaluation *e)
{
    drawing *d = &e->now;
    fg_openset_size *out = d->out;
    const int people = e->people->people;
    rate_of(&out->refused, &d->refused, people, out->teams);
    rate_of(&out->asked_again, &d->asked_again, people, out->teams);
    rate_of(&out->wrong, &d->wrong, people, out->teams);
    rate_of(&out->accepted, &d->accepted, people, out->teams);
    out->refused_at_far =
        fg_refused_at(&out->genuine_scores, &out->stranger_scores, e->options->train.far, NULL);
    if (out->genuine_scores.count)
        add_reliability(&out->reliability, &d->genuine, 0.5 / (double)out->genuine_scores.count);
    if (out->stranger_scores.count)
        add_reliability(&out->reliability, &d->strangers, 0.5 / (double)out->stranger_scores.count);
    out->needed_border = highest(d->strengths, d->strength_count, e->options->train.far);
    out->calibration_error = fg_reliability_error(&out->reliability);
    for (int i = 0; i < people; i++) {
        e->all_refused.person_hits[i] += d->refused.person_hits[i];
        e->all_refused.person_tries[i] += d->refused.person_tries[i];
        e->all_accepted.person_hits[i] += d->accepted.person_hits[i];
        e->all_accepted.person_tries[i] += d->accepted.person_tries[i];
    }
}

/* hits and tries of one group's people, the others' left out. */
static void rate_of_group(const fg_people *p, int group, const tally *all, fg_rate *rate, long *hits,
                          long *tries)
{
    for (int i = 0; i < p->people; i++) {
        hits[i] = p->group[i] == group ? all->person_hits[i] : 0;
        tries[i] = p->group[i] == group ? all->person_tries[i] : 0;
    }
    fg_rate_of(rate, hits, tries, p->people);
}

static fg_code sum_up_groups(evaluation *e, fg_error *err)
{
    const fg_people *p = e->people;
    long *hits = calloc((size_t)p->people, 2 * sizeof *hits);
    if (!hits)
        return FG_FAIL(err, FG_ERR_MEMORY, "out of memory for %d people", p->people);
    for (int g = 0; g < p->group_count; g++) {
        rate_of_group(p, g, &e->all_refused, &e->result->groups[g].refused, hits, hits + p->people);
        rate_of_group(p, g, &e->all_accepted, &e->result->groups[g].accepted, hits, hits + p->people);
    }
    free(hits);
    return FG_OK;
}

/* Over all pairs of people: from the length of the sum of their unit means. */
static fg_code measure_look(const evaluation *e, double *look, fg_error *err)
{
    const fg_people *p = e->people;
    const size_t size = (size_t)p->size;
    double *sum = calloc(2 * size, sizeof *sum), *mean = sum ? sum + size : NULL, squares = 0;
    long n = 0;
    *look = NAN;
    if (!sum)
        return FG_FAIL(err, FG_ERR_MEMORY, "out of memory");
    for (int i = 0; i < p->people; i++) {
        double length = 0;
        memset(mean, 0, size * sizeof *mean);
        for (long photo = e->first[i]; photo < e->first[i + 1]; photo++)
            for (size_t k = 0; k < size; k++)
                mean[k] += (double)view(e, photo, 0)[k]; /* zero where not usable */
        for (size_t k = 0; k < size; k++)
            length += mean[k] * mean[k];
        for (size_t k = 0; k < size && length > 0; k++)
            sum[k] += mean[k] / sqrt(length);
        n += length > 0;
    }
    for (size_t k = 0; k < size; k++)
        squares += sum[k] * sum[k];
    if (n > 1)
        *look = (squares - (double)n) / ((double)n * (double)(n - 1));
    free(sum);
    return FG_OK;
}

/* -- the whole
 * ------------------------------------------------------------------------------------------------------ */

static int teams_of(int members, int eligible)
{
    int memberships = eligible < MAX_MEMBERSHIPS ? TIMES_A_MEMBER * eligible : MAX_MEMBERSHIPS;
    if (memberships < MIN_MEMBERSHIPS)
        memberships = MIN_MEMBERSHIPS;
    if (memberships > MAX_MEMBERSHIPS)
        memberships = MAX_MEMBERSHIPS;
    int teams = (memberships + members - 1) / members;
    return teams < MIN_TEAMS ? MIN_TEAMS : teams;
}

static fg_code prepare(evaluation *e, fg_error *err)
{
    const fg_people *p = e->people;
    e->first = calloc((size_t)p->people + 1, sizeof *e->first);
    e->usable = calloc((size_t)p->people, sizeof *e->usable);
    e->eligible = calloc((size_t)p->people, sizeof *e->eligible);
    if (!e->first || !e->usable || !e->eligible)
        return FG_FAIL(err, FG_ERR_MEMORY, "out of memory for %d people", p->people);
    for (long photo = 0; photo < p->photos; photo++) {
        e->first[p->faces[photo].person + 1] = photo + 1;
        e->usable[p->faces[photo].person] += p->faces[photo].reason == FG_REASON_NONE;
        e->result->usable += p->faces[photo].reason == FG_REASON_NONE;
    }
    for (int i = 0; i < p->people; i++) {
        if (e->first[i + 1] < e->first[i]) /* nobody's photos: a person without any */
            e->first[i + 1] = e->first[i];
        if (e->usable[i] > e->options->photos)
            e->eligible[e->result->eligible++] = i;
    }
    if (e->result->eligible < 1 || p->people < 2)
        return FG_FAIL(
            err, FG_ERR_INPUT,
            "too few people: %d of %d have the %d usable photos that a member needs (--photos and one "
            "to try with), and one more person is needed as a stranger",
            e->result->eligible, p->people, e->options->photos + 1);
    fg_code rc = measure_look(e, &e->result->common_look, err);
    if (rc == FG_OK)
        rc = tally_init(&e->all_refused, p->people, 1, err);
    return rc == FG_OK ? tally_init(&e->all_accepted, p->people, 1, err) : rc;
}

fg_code fg_openset_measure(const fg_people *people, const fg_cohort *cohort,
                           const fg_openset_options *options, const fg_progress *progress, fg_openset *result,
                           fg_error *err)
{
    evaluation e = {.people = people,
                    .cohort = cohort,
                    .options = options,
                    .progress = progress,
                    .result = result,
                    .lock = PTHREAD_MUTEX_INITIALIZER};
    double start = fg_clock_monotonic_ms();
    memset(result, 0, sizeof *result);
    fg_code rc = prepare(&e, err);
    /* Somebody has to be left as a stranger. */
    while (rc == FG_OK && result->size_count < FG_EVAL_SIZES &&
           fg_eval_sizes[result->size_count] <= result->eligible &&
           fg_eval_sizes[result->size_count] < people->people)
        e.total += teams_of(fg_eval_sizes[result->size_count++], result->eligible);
    for (int k = 0; rc == FG_OK && k < result->size_count; k++) {
        e.now = (drawing){.out = &result->sizes[k]};
        e.now.out->members = fg_eval_sizes[k];
        e.now.out->teams = teams_of(fg_eval_sizes[k], result->eligible);
        if ((rc = measure_size(&e, err)) == FG_OK)
            sum_up(&e);
        free(e.now.strengths);
        tally_deinit(&e.now.refused);
        tally_deinit(&e.now.asked_again);
        tally_deinit(&e.now.wrong);
        tally_deinit(&e.now.accepted);
    }
    if (rc == FG_OK)
        rc = sum_up_groups(&e, err);
    result->elapsed_ms = fg_clock_monotonic_ms() - start;
    tally_deinit(&e.all_refused);
    tally_deinit(&e.all_accepted);
    free(e.first);
    free(e.usable);
    free(e.eligible);
    return rc;
}
