/* Training, in the order of fg_classifier_train at the end: prepare, one SVM a member and fold, what
 * strangers score, the border that they pass once in 1 / far times, what genuine templates score, warnings.
 * docs/certainty.md gives the reasons. */
#include "classify/gallery.h"
#include "classify/metrics.h"
#include "classify/model.h"
#include "classify/svm.h"
#include "classify/tail.h"
#include "classify/vector.h"

#include "base/clock.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum {
    MAX_COHORT = 2048, /* rows used, spread evenly over what is given */
    BATCH = 128,       /* members whose SVMs share one kernel matrix */
    BATCH_ROWS = 1024, /* of their templates in it */
    MIN_ROWS = 8,      /* of one member's, if there are so many */
    MAX_ROWS = 64,
    MAX_RBF_MEMBERS = 1000,
    FEW_TEMPLATES = 3,
    UNIFORM_MIN = 5, /* templates, before uniformity means anything */
};
static const double look_alike_sd = 4.0; /* deviations of the cohort's cosines: 1 stranger in 30,000 */
static const double team_prior = 10;     /* members whose word counts as much as what is usual */
/* By which a look in common raises strangers' evidence where the embedder's own is not known. */
static const double usual_look = 0.85;
/* With each e-fold of members the border moves this much further than a drawn cohort says: the more members,
 * the rarer the likeness that decides, and among the rarest likenesses real people are ahead of drawn ones.
 * Not so with members of a single photo each, of whom too little is known for a likeness to be more than
 * chance. */
static const double team_growth = 0.06;
/* A photographed cohort shows that by itself. What it is expected to show is the tail of the highest of n
 * scores: of n normal variables the highest exceeds its 98th percentile, where it does, by 0.37 deviations
 * for n = 1 and for others, up to 1,000, by 0.37 / (1 + 0.1 ln n). */
static const double tail_narrowing = 0.1;
static const double uniform_cosine = 0.985; /* between a member's segments */

/* One template of a member in the kernel matrix. */
typedef struct rep {
    int member, segment;
    long row;      /* of the gallery */
    float machine; /* held-out decision value of its own member; NaN where it was never held out */
    float cosine;  /* held-out */
} rep;

typedef struct training {
    fg_ready ready;
    const fg_cohort *cohort;
    int size, members, strangers;
    fg_train_options options;
    float *pool; /* strangers x size, then reps x size */
    rep *reps;
    int *rep_first; /* members + 1 */
    int *in_cohort; /* members: faces that the cohort had of each, and that were left out of it */
    int rep_count;
    float *machine;  /* members x strangers: held-out decision values; then evidence */
    float *impostor; /* held-out decision values of other members' reps; with their pairs */
    rep *impostors;  /* .member: whose SVM; .row: the rep */
    long impostor_count, impostor_room;
    fg_classifier *classifier;
} training;

/* -- preparation
 * ------------------------------------------------------------------------------------------------ */

static fg_code check_options(training *t, const fg_train_options *options, fg_error *err)
{
    t->options = *options;
    if (t->options.c == 0)
        t->options.c = 1;
    if (t->options.gamma == 0)
        t->options.gamma = 1.0 / t->size;
    if (t->options.far == 0)
        t->options.far = 0.001;
    if (!(t->options.c > 0) || !isfinite(t->options.c) || !(t->options.gamma > 0) ||
        !isfinite(t->options.gamma))
        return FG_FAIL(err, FG_ERR_USAGE, "C and gamma must be positive numbers");
    if (!(t->options.far > 0 && t->options.far < 1))
        return FG_FAIL(err, FG_ERR_USAGE,
                       "the rate of accepted strangers must lie between 0 and 1, such as 0.001");
    if (t->options.kernel == FG_KERNEL_RBF && t->members > MAX_RBF_MEMBERS)
        return FG_FAIL(err, FG_ERR_LIMIT,
                       "the rbf kernel takes at most %d members: train with --kernel linear",
                       MAX_RBF_MEMBERS);
    return FG_OK;
}

static fg_code choose_reps(training *t, fg_error *err)
{
    const fg_ready *ready = &t->ready;
    int in_batch = t->members < BATCH ? t->members : BATCH, most = BATCH_ROWS / in_batch, n = 0;
    most = most < MIN_ROWS ? MIN_ROWS : most > MAX_ROWS ? MAX_ROWS : most;

    t->rep_first = calloc((size_t)t->members + 1, sizeof *t->rep_first);
    t->reps = calloc((size_t)t->members * (size_t)most, sizeof *t->reps);
    if (!t->rep_first || !t->reps)
        return FG_FAIL(err, FG_ERR_MEMORY, "out of memory for a team of %d", t->members);
    for (int m = 0; m < t->members; m++) {
        const fg_ready_member *member = &ready->members[m];
        int take = member->count < most ? member->count : most;
        t->rep_first[m] = n;
        for (int k = 0; k < take; k++) {
            long at = member->first + (long)k * member->count / take;
            t->reps[n++] = (rep){.member = m,
                                 .segment = ready->segment[at],
                                 .row = ready->templates[at],
                                 .machine = NAN,
                                 .cosine = NAN};
        }
    }
    t->rep_first[t->members] = t->rep_count = n;
    float *pool = realloc(t->pool, ((size_t)t->strangers + (size_t)n) * (size_t)t->size * sizeof *pool);
    if (!pool)
        return FG_FAIL(err, FG_ERR_MEMORY, "out of memory for a team of %d", t->members);
    t->pool = pool;
    for (int k = 0; k < n; k++)
        memcpy(pool + ((size_t)t->strangers + (size_t)k) * (size_t)t->size,
               ready->gallery->embeddings + t->reps[k].row * t->size, (size_t)t->size * sizeof *pool);
    return FG_OK;
}

/* Any collection of pictures has a look of its own, its mean embedding: how they were taken, cut and stored.
 * Left in, it is the first thing that a machine learns to tell strangers by, and then strangers before the
 * team's own camera are not strange any more. (Measured: ten times as many of them passed.) What is wanted of
 * a cohort is how faces differ. */
static void centre(float *rows, int count, int size)
{
    double mean[FG_MAX_EMBEDDING] = {0};
    for (int i = 0; i < count; i++)
        for (int k = 0; k < size; k++)
            mean[k] += (double)rows[(size_t)i * (size_t)size + (size_t)k] / count;
    for (int i = 0; i < count; i++) {
        float *row = rows + (size_t)i * (size_t)size;
        for (int k = 0; k < size; k++)
            row[k] = (float)((double)row[k] - mean[k]);
        fg_unit(row, size);
    }
}

/* A folder of a company's photos holds its team, too, and the SVMs would be taught to refuse them: who is
 * surely a member is no stranger. */
static fg_code drop_members(training *t, fg_error *err)
{
    float *cosines = calloc((size_t)t->strangers, sizeof *cosines);
    bool *known = calloc((size_t)t->strangers, sizeof *known);
    int kept = 0;
    t->in_cohort = calloc((size_t)t->members, sizeof *t->in_cohort);
    if (!cosines || !known || !t->in_cohort) {
        free(cosines);
        free(known);
        return FG_FAIL(err, FG_ERR_MEMORY, "out of memory for a cohort of %d", t->strangers);
    }
    for (int m = 0; m < t->members; m++) {
        double mean, sd;
        fg_dots(t->pool, t->strangers, t->size, t->ready.centroids + (size_t)m * (size_t)t->size, cosines);
        fg_mean_sd(cosines, t->strangers, &mean, &sd);
        for (int i = 0; i < t->strangers; i++)
            if (fg_same_face((double)cosines[i], mean, sd, t->size)) {
                known[i] = true;
                t->in_cohort[m]++;
            }
    }
    for (int i = 0; i < t->strangers; i++)
        if (!known[i])
            memmove(t->pool + (size_t)kept++ * (size_t)t->size, t->pool + (size_t)i * (size_t)t->size,
                    (size_t)t->size * sizeof *t->pool);
    t->strangers = kept;
    free(cosines);
    free(known);
    if (kept < FG_MIN_COHORT)
        return FG_FAIL(err, FG_ERR_STATE,
                       "a cohort of %d faces at least is needed to know strangers by; without the team's own "
                       "members this one has %d",
                       FG_MIN_COHORT, kept);
    return FG_OK;
}

static fg_code prepare(training *t, const fg_gallery *gallery, const fg_cohort *cohort,
                       const fg_train_options *options, fg_error *err)
{
    fg_code rc;
    t->cohort = cohort;
    t->size = gallery->embedding_size;
    t->members = gallery->members;
    if (gallery->members < 1 || gallery->count < 1)
        return FG_FAIL(err, FG_ERR_STATE, "nobody is enrolled: enrol a member first");
    if (!cohort || cohort->count < FG_MIN_COHORT)
        return FG_FAIL(err, FG_ERR_STATE,
                       "a cohort of %d faces at least is needed to know strangers by, this one has %ld",
                       FG_MIN_COHORT, cohort ? cohort->count : 0);
    if (cohort->embedding_size != gallery->embedding_size)
        return FG_FAIL(err, FG_ERR_INPUT,
                       "the cohort has %d numbers a face and the templates %d: they are of two models",
                       cohort->embedding_size, gallery->embedding_size);
    if (t->size < 2 || t->size > FG_MAX_EMBEDDING)
        return FG_FAIL(err, FG_ERR_INPUT, "templates of %d numbers are not taken", t->size);
    if ((rc = check_options(t, options, err)))
        return rc;
    t->strangers = cohort->count < MAX_COHORT ? (int)cohort->count : MAX_COHORT;
    t->pool = calloc((size_t)t->strangers * (size_t)t->size, sizeof *t->pool);
    t->machine = calloc((size_t)t->members * (size_t)t->strangers, sizeof *t->machine);
    if (!t->pool || !t->machine)
        return FG_FAIL(err, FG_ERR_MEMORY, "out of memory for a cohort of %d", t->strangers);
    for (int i = 0; i < t->strangers; i++)
        memcpy(t->pool + (size_t)i * (size_t)t->size,
               cohort->embeddings + (long)i * cohort->count / t->strangers * t->size,
               (size_t)t->size * sizeof *t->pool);
    if ((rc = fg_check_units(t->pool, t->strangers, t->size, "cohort face", err)))
        return rc;
    centre(t->pool, t->strangers, t->size);
    if ((rc = fg_ready_init(&t->ready, gallery, t->pool, t->strangers, err)))
        return rc;
    if ((rc = drop_members(t, err)) || (rc = choose_reps(t, err)))
        return rc;
    bool rbf = t->options.kernel == FG_KERNEL_RBF;
    t->classifier =
        fg_classifier_new(t->members, t->size, t->options.kernel, rbf ? t->strangers + t->rep_count : 0);
    if (!t->classifier)
        return FG_FAIL(err, FG_ERR_MEMORY, "out of memory for a team of %d", t->members);
    t->classifier->gamma = t->options.gamma;
    memcpy(t->classifier->centroids, t->ready.centroids,
           (size_t)t->members * (size_t)t->size * sizeof(float));
    if (rbf)
        memcpy(t->classifier->support, t->pool,
               (size_t)t->classifier->supports * (size_t)t->size * sizeof(float));
    return FG_OK;
}

/* -- machines
 * --------------------------------------------------------------------------------------------------- */

/* Scratch of one batch: its kernel matrix holds the strangers and then the batch's reps. */
typedef struct batch {
    int first, last; /* members first .. last - 1 */
    int rows;
    fg_gram *gram;
    int *subset;
    unsigned char *positive;
    double *alpha;
} batch;

static double decide(const batch *b, int count, double bias, int row)
{
    double sum = bias;
    for (int k = 0; k < count; k++)
        if (b->alpha[k] != 0)
            sum += b->alpha[k] * fg_gram_at(b->gram, row, b->subset[k]);
    return sum;
}

/* Held out in a fold: a part of the strangers, of the member's segments, and of the rest of the team. */
static bool held_out(const training *t, int m, const rep *r, int fold)
{
    if (fold < 0)
        return false;
    return r->member == m ? fg_ready_fold(&t->ready, m, r->segment) == fold : r->member % FG_FOLDS == fold;
}

/* False where a fold would leave the member with nothing: all its reps may be of one segment. */
static bool leaves_some(const training *t, int m, int fold)
{
    for (int r = t->rep_first[m]; r < t->rep_first[m + 1]; r++)
        if (!held_out(t, m, &t->reps[r], fold))
            return true;
    return false;
}

static fg_code keep_impostor(training *t, int m, int rep_number, double value, fg_error *err)
{
    if (t->impostor_count == t->impostor_room) {
        long room = t->impostor_room ? t->impostor_room * 2 : 1024;
        rep *more = realloc(t->impostors, (size_t)room * sizeof *more);
        if (!more)
            return FG_FAIL(err, FG_ERR_MEMORY, "out of memory for a team of %d", t->members);
        t->impostors = more;
        t->impostor_room = room;
    }
    t->impostors[t->impostor_count++] = (rep){.member = m, .row = rep_number, .machine = (float)value};
    return FG_OK;
}

/* The SVM of member m without one fold, or (fold -1) with everything: what it says of what was held out, or
 * the machine. */
static fg_code train_one(training *t, batch *b, int m, int fold, fg_error *err)
{
    int n = 0, positives = 0, first_rep = t->rep_first[b->first];
    bool own_too = leaves_some(t, m, fold);
    double bias;
    fg_code rc;

    for (int i = 0; i < t->strangers; i++)
        if (i % FG_FOLDS != fold) {
            b->positive[n] = 0;
            b->subset[n++] = i;
        }
    for (int r = first_rep; r < t->rep_first[b->last]; r++)
        if (!held_out(t, m, &t->reps[r], fold) || (t->reps[r].member == m && !own_too)) {
            positives += t->reps[r].member == m;
            b->positive[n] = t->reps[r].member == m;
            b->subset[n++] = t->strangers + r - first_rep;
        }
    /* Balanced, as scikit-learn's class_weight='balanced': both sides weigh the same. */
    double half = 0.5 * n;
    if ((rc = fg_gram_train(b->gram, b->subset, b->positive, n, t->options.c, half / positives,
                            half / (n - positives), b->alpha, &bias, err)))
        return rc;
    if (fold >= 0) {
        float *machine = t->machine + (size_t)m * (size_t)t->strangers;
        float centroid[FG_MAX_EMBEDDING];
        bool ready = false;
        for (int i = fold; i < t->strangers; i += FG_FOLDS)
            machine[i] = (float)decide(b, n, bias, i);
        for (int r = first_rep; r < t->rep_first[b->last]; r++) {
            if (!held_out(t, m, &t->reps[r], fold))
                continue;
            double value = decide(b, n, bias, t->strangers + r - first_rep);
            if (t->reps[r].member != m) {
                if ((rc = keep_impostor(t, m, r, value, err)))
                    return rc;
                continue;
            }
            if (!own_too)
                continue;
            if (!ready)
                fg_ready_centroid(&t->ready, m, fold, centroid);
            ready = true;
            t->reps[r].machine = (float)value;
            t->reps[r].cosine =
                (float)fg_cosine(centroid, t->ready.gallery->embeddings + t->reps[r].row * t->size, t->size);
        }
        return FG_OK;
    }
    fg_classifier *c = t->classifier;
    c->experts[m].bias = bias;
    for (int k = 0; k < n; k++) {
        if (b->alpha[k] == 0)
            continue;
        int at = b->subset[k] < t->strangers ? b->subset[k] : b->subset[k] + first_rep;
        if (c->kernel == FG_KERNEL_RBF)
            c->alpha[(size_t)m * (size_t)c->supports + (size_t)at] = (float)b->alpha[k];
        else
            for (int d = 0; d < t->size; d++)
                c->weights[(size_t)m * (size_t)t->size + (size_t)d] +=
                    (float)(b->alpha[k] * (double)t->pool[(size_t)at * (size_t)t->size + (size_t)d]);
    }
    return FG_OK;
}

static fg_code train_batch(training *t, batch *b, const fg_progress *progress, fg_error *err)
{
    fg_code rc = FG_OK;
    int reps = t->rep_first[b->last] - t->rep_first[b->first];
    float *rows = NULL;

    b->rows = t->strangers + reps;
    b->subset = calloc((size_t)b->rows, sizeof *b->subset);
    b->positive = calloc((size_t)b->rows, sizeof *b->positive);
    b->alpha = calloc((size_t)b->rows, sizeof *b->alpha);
    rows = malloc((size_t)b->rows * (size_t)t->size * sizeof *rows);
    if (!b->subset || !b->positive || !b->alpha || !rows) {
        rc = FG_FAIL(err, FG_ERR_MEMORY, "out of memory for a team of %d", t->members);
        goto done;
    }
    memcpy(rows, t->pool, (size_t)t->strangers * (size_t)t->size * sizeof *rows);
    memcpy(rows + (size_t)t->strangers * (size_t)t->size,
           t->pool + ((size_t)t->strangers + (size_t)t->rep_first[b->first]) * (size_t)t->size,
           (size_t)reps * (size_t)t->size * sizeof *rows);
    if ((rc = fg_gram_new(&b->gram, rows, b->rows, t->size, t->options.kernel, t->options.gamma, err)))
        goto done;
    for (int m = b->first; m < b->last; m++) {
        for (int fold = -1; fold < FG_FOLDS; fold++)
            if ((rc = train_one(t, b, m, fold, err)))
                goto done;
        if (!fg_progress_tell(progress, "members", m + 1, t->members)) {
            rc = FG_FAIL(err, FG_ERR_CANCELLED, "training was cancelled");
            goto done;
        }
    }
done:
    fg_gram_free(b->gram);
    free(b->subset);
    free(b->positive);
    free(b->alpha);
    free(rows);
    return rc;
}

/* -- calibration
 * ------------------------------------------------------------------------------------------------ */

static double evidence(const training *t, int m, double machine, double cosine)
{
    const fg_expert *e = &t->classifier->experts[m];
    return ((cosine - e->cosine_mean) / e->cosine_sd + (machine - e->machine_mean) / e->machine_sd) /
           t->classifier->evidence_sd;
}

/* The experts' means and deviations over strangers. A machine's scale is the member's own: it gives the
 * member's templates 1 or more, however unlike each other they are, and so brings nearer whose pictures vary
 * much. Divided by its own deviation it would lose that; the whole team's machines share one. shape: the
 * machines' scale likewise, without the least that a deviation is taken to be. */
static void measure_strangers(training *t, float *cosines, double *shape)
{
    fg_classifier *c = t->classifier;
    double least = fg_least_deviation(t->size), narrow = 0, wide = 0;
    for (int m = 0; m < t->members; m++) {
        fg_expert *e = &c->experts[m];
        e->member_id = t->ready.gallery->member_ids[m];
        fg_dots(t->pool, t->strangers, t->size, c->centroids + (size_t)m * (size_t)t->size, cosines);
        fg_mean_sd(cosines, t->strangers, &e->cosine_mean, &e->cosine_sd);
        fg_mean_sd(t->machine + (size_t)m * (size_t)t->strangers, t->strangers, &e->machine_mean,
                   &e->machine_sd);
        e->cosine_sd = fmax(e->cosine_sd, 1e-6);
        e->machine_sd = fmax(e->machine_sd, 1e-6);
        double wide_machine = e->machine_sd * fmax(e->cosine_sd, least) / e->cosine_sd;
        if (c->kernel == FG_KERNEL_LINEAR) {
            const float *w = c->weights + (size_t)m * (size_t)t->size;
            wide_machine = fmax(e->machine_sd, least * sqrt(fg_cosine(w, w, t->size)));
        }
        narrow += log(e->machine_sd) / t->members;
        wide += log(wide_machine) / t->members;
    }
    *shape = exp(narrow);
    for (int m = 0; m < t->members; m++)
        c->experts[m].machine_sd = exp(wide);
}

/* What strangers score: the experts' means and deviations, and t->machine turned into evidence. shape: the
 * same with nothing but the cohort's own deviations, whose tail is the tail's form. */
static void standardise(training *t, float *cosines, float *shape)
{
    fg_classifier *c = t->classifier;
    double squares = 0, least = fg_least_deviation(t->size), narrow_machine;

    measure_strangers(t, cosines, &narrow_machine);
    for (int m = 0; m < t->members; m++) {
        fg_expert *e = &c->experts[m];
        float *machine = t->machine + (size_t)m * (size_t)t->strangers,
              *own = shape + (size_t)m * (size_t)t->strangers;
        double wide_cosine = fmax(e->cosine_sd, least);
        fg_dots(t->pool, t->strangers, t->size, c->centroids + (size_t)m * (size_t)t->size, cosines);
        for (int i = 0; i < t->strangers; i++) {
            double cosine = (double)cosines[i] - e->cosine_mean,
                   decision = (double)machine[i] - e->machine_mean;
            own[i] = (float)(cosine / e->cosine_sd + decision / narrow_machine);
            machine[i] = (float)(cosine / wide_cosine + decision / e->machine_sd);
            squares += (double)own[i] * (double)own[i];
        }
        e->cosine_sd = wide_cosine;
    }
    long n = (long)t->members * t->strangers;
    c->evidence_sd = fmax(sqrt(squares / (double)n), 1e-6);
    for (long i = 0; i < n; i++) {
        t->machine[i] = (float)((double)t->machine[i] / c->evidence_sd);
        shape[i] = (float)((double)shape[i] / c->evidence_sd);
    }
}

static double logit(const fg_classifier *c, double e)
{
    return log(9) + c->slope * (e - c->border);
}

/* Photos that were taken in one way have a look in common, and so their people resemble one another a little
 * more than they resemble the cohort. The rest of the team are strangers to a member too, and such as stand
 * before the same camera: where they come nearer to one another than the cohort comes to them, the border
 * moves out; the more of them there are, the more they are believed. A team too small to tell is taken to
 * have the usual look. */
static void team_correction(training *t)
{
    fg_classifier *c = t->classifier;
    double sum = 0, squares = 0, mean = 0, sd = 1, weight = 0;
    long n = 0;
    for (long k = 0; k < t->impostor_count; k++) {
        const rep *p = &t->impostors[k], *other = &t->reps[p->row];
        const float *centroid = c->centroids + (size_t)p->member * (size_t)t->size;
        const fg_expert *x = &c->experts[p->member];
        if (fg_same_face(fg_cosine(centroid, c->centroids + (size_t)other->member * (size_t)t->size, t->size),
                         x->cosine_mean, x->cosine_sd, t->size))
            continue;
        double e =
            evidence(t, p->member, (double)p->machine,
                     fg_cosine(centroid, t->ready.gallery->embeddings + other->row * t->size, t->size));
        sum += e;
        squares += e * e;
        n++;
    }
    if (n >= 2) {
        mean = sum / (double)n;
        sd = sqrt(fmax(0, squares / (double)n - mean * mean));
        weight = (t->members - 1) / (t->members - 1 + team_prior);
    }
    double look = t->options.look > 0 ? t->options.look / fg_least_deviation(t->size) : usual_look;
    double widen = 1 + weight * fmax(0, sd - 1), shift = (1 - weight) * look + weight * fmax(0, mean);
    double growth = t->cohort->photographed ? 0 : team_growth;
    int known = 0;
    for (int m = 0; m < t->members; m++)
        known += t->ready.members[m].segments > 1;
    c->border = shift + widen * c->border + growth * log(t->members) * known / t->members;
    c->slope /= widen;
}

/* Strangers of the cohort that the 0.90 rule would let in. t->machine holds evidence. */
static long accepted_strangers(const training *t, const float *cosines)
{
    long accepted = 0;
    for (int i = 0; i < t->strangers; i++) {
        double highest = 0, sum = 1;
        int best = -1;
        for (int m = 0; m < t->members; m++) {
            double l = logit(t->classifier, (double)t->machine[(size_t)m * (size_t)t->strangers + (size_t)i]);
            if (l > highest) {
                sum = sum * exp(highest - l) + 1;
                highest = l;
                best = m;
            } else {
                sum += exp(l - highest);
            }
        }
        accepted += best >= 0 && 1 / sum >= 0.9 &&
                    (double)cosines[(size_t)best * (size_t)t->strangers + (size_t)i] >= t->classifier->gate;
    }
    return accepted;
}

static fg_code calibrate(training *t, fg_train_report *report, fg_error *err)
{
    fg_classifier *c = t->classifier;
    size_t n = (size_t)t->members * (size_t)t->strangers;
    float *sorted = calloc(n, sizeof *sorted), *cosines = calloc(n, sizeof *cosines);
    long genuine = 0, refused = 0;
    double deviation, mean, sd;
    const double expected = t->cohort->photographed ? 1 / (1 + tail_narrowing * log(t->members)) : 1;
    fg_tail tail;

    if (!sorted || !cosines) {
        free(sorted);
        free(cosines);
        return FG_FAIL(err, FG_ERR_MEMORY, "out of memory for a team of %d", t->members);
    }
    standardise(t, cosines, sorted);
    /* A stranger is held against every member at once: the highest score counts. The border is put one
     * standard error out. */
    for (int i = 0; i < t->strangers; i++)
        for (int m = 1; m < t->members; m++)
            sorted[i] = fmaxf(sorted[i], sorted[(size_t)m * (size_t)t->strangers + (size_t)i]);
    fg_tail_fit(&tail, sorted, t->strangers, expected);
    c->border = fg_tail_quantile(&tail, t->options.far, &deviation);
    c->border += deviation;
    c->slope = fmax(1 / tail.scale, c->border);
    team_correction(t);

    for (int m = 0; m < t->members; m++)
        fg_dots(t->pool, t->strangers, t->size, c->centroids + (size_t)m * (size_t)t->size,
                cosines + (size_t)m * (size_t)t->strangers);
    /* The gate is looser, since it is there to name the clear cases: ten times as many may pass it. */
    fg_mean_sd(cosines, (long)n, &mean, &sd);
    memcpy(sorted, cosines, (size_t)t->strangers * sizeof *sorted);
    for (int i = 0; i < t->strangers; i++)
        for (int m = 1; m < t->members; m++)
            sorted[i] = fmaxf(sorted[i], cosines[(size_t)m * (size_t)t->strangers + (size_t)i]);
    fg_tail_fit(&tail, sorted, t->strangers, fmax(sd, 1e-6));
    c->gate = fg_tail_quantile(&tail, fmin(10 * t->options.far, 0.05), NULL);

    long accepted = accepted_strangers(t, cosines);
    for (int r = 0; r < t->rep_count; r++) {
        const rep *p = &t->reps[r];
        if (isnan(p->machine))
            continue;
        genuine++;
        double l = logit(c, evidence(t, p->member, (double)p->machine, (double)p->cosine));
        refused += l < log(9) || (double)p->cosine < c->gate;
    }
    report->far = (double)accepted / t->strangers;
    fg_wilson_share(report->far, t->strangers, &report->far_low, &report->far_high);
    report->frr = genuine ? (double)refused / (double)genuine : (double)NAN;
    report->similarity_gate = c->gate;
    free(sorted);
    free(cosines);
    return FG_OK;
}

/* -- warnings
 * --------------------------------------------------------------------------------------------------- */

static void warn(fg_train_report *report, int kind, int64_t member, int64_t other, double value)
{
    if (report->warning_count < FG_TRAIN_WARNINGS) {
        fg_train_warning *w = &report->warnings[report->warning_count++];
        memset(w, 0, sizeof *w);
        w->kind = kind;
        w->member_id = member;
        w->other_id = other;
        w->value = value;
    }
}

/* The mean cosine between the member's reps of different segments; of all where there is one segment. */
static double uniformity(const training *t, int m)
{
    double sum = 0;
    long pairs = 0;
    for (int a = t->rep_first[m]; a < t->rep_first[m + 1]; a++)
        for (int b = t->rep_first[m]; b < a; b++)
            if (t->ready.members[m].segments == 1 || t->reps[a].segment != t->reps[b].segment) {
                sum += fg_cosine(t->pool + ((size_t)t->strangers + (size_t)a) * (size_t)t->size,
                                 t->pool + ((size_t)t->strangers + (size_t)b) * (size_t)t->size, t->size);
                pairs++;
            }
    return pairs ? sum / (double)pairs : 0;
}

static void find_warnings(const training *t, fg_train_report *report)
{
    const int64_t *ids = t->ready.gallery->member_ids;
    const fg_classifier *c = t->classifier;

    /* One face under two names matters most, so it comes first in the list, which is short. */
    for (int pass = 0; pass < 2; pass++)
        for (int a = 0; a < t->members; a++)
            for (int b = 0; b < a; b++) {
                double cosine = fg_cosine(c->centroids + (size_t)a * (size_t)t->size,
                                          c->centroids + (size_t)b * (size_t)t->size, t->size);
                const fg_expert *x = &c->experts[a], *y = &c->experts[b];
                double near =
                    fmin((cosine - x->cosine_mean) / x->cosine_sd, (cosine - y->cosine_mean) / y->cosine_sd);
                bool same = fg_same_face(cosine, x->cosine_mean, x->cosine_sd, t->size) &&
                            fg_same_face(cosine, y->cosine_mean, y->cosine_sd, t->size);
                if (pass == 0 && same)
                    warn(report, FG_WARN_SAME_FACE, ids[a], ids[b], cosine);
                else if (pass == 1 && near >= look_alike_sd && !same)
                    warn(report, FG_WARN_LOOK_ALIKE, ids[a], ids[b], cosine);
            }
    for (int m = 0; m < t->members; m++) {
        const fg_ready_member *member = &t->ready.members[m];
        double cosine;
        if (member->outliers > 0)
            warn(report, FG_WARN_OUTLIERS, ids[m], 0, member->outliers);
        if (t->in_cohort[m] > 0)
            warn(report, FG_WARN_IN_COHORT, ids[m], 0, t->in_cohort[m]);
        if (member->count < FEW_TEMPLATES)
            warn(report, FG_WARN_FEW_TEMPLATES, ids[m], 0, member->count);
        else if (member->count >= UNIFORM_MIN && (cosine = uniformity(t, m)) >= uniform_cosine)
            warn(report, FG_WARN_UNIFORM, ids[m], 0, cosine);
    }
}

/* ---------------------------------------------------------------------------------------------------------------
 */

fg_code fg_classifier_train(fg_classifier **classifier, const fg_gallery *gallery, const fg_cohort *cohort,
                            const fg_train_options *options, fg_train_report *report,
                            const fg_progress *progress, fg_error *err)
{
    double start_ms = fg_clock_monotonic_ms();
    fg_code rc;
    training t;
    fg_train_report unread;

    *classifier = NULL;
    if (!report)
        report = &unread;
    memset(report, 0, sizeof *report);
    memset(&t, 0, sizeof t);
    if ((rc = prepare(&t, gallery, cohort, options, err)))
        goto done;
    for (int first = 0; first < t.members; first += BATCH) {
        batch b = {.first = first, .last = first + BATCH < t.members ? first + BATCH : t.members};
        if ((rc = train_batch(&t, &b, progress, err)))
            goto done;
    }
    if ((rc = calibrate(&t, report, err)))
        goto done;
    report->members = t.members;
    report->templates = t.ready.count;
    report->outliers = gallery->count - t.ready.count;
    report->cohort = t.strangers;
    find_warnings(&t, report);
    *classifier = t.classifier;
    t.classifier = NULL;
done:
    report->seconds = (fg_clock_monotonic_ms() - start_ms) / 1000;
    fg_ready_deinit(&t.ready);
    free(t.pool);
    free(t.reps);
    free(t.rep_first);
    free(t.in_cohort);
    free(t.machine);
    free(t.impostors);
    fg_classifier_free(t.classifier);
    return rc;
}
