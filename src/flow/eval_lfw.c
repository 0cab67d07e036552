#include "flow/eval.h"

#include "base/clock.h"
#include "media/image.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const double fg_eval_fars[FG_EVAL_FARS] = {1e-2, 1e-3, 1e-4};

enum { MAX_PAIRS = 200000, MAX_PAIRS_BYTES = 32 << 20 };

typedef struct photo {
    char *name; /* "Name/Name_0001.jpg" */
    float *embedding;
    bool found;
} photo;

typedef struct pair {
    int a, b; /* photos */
    int fold;
    bool same;
    double similarity;
} pair;

typedef struct evaluation {
    photo *photos;
    int photo_count;
    pair *pairs;
    long pair_count, pair_capacity;
    int folds;
} evaluation;

static fg_code add_photo(evaluation *e, const char *person, long number, int *index, fg_error *err)
{
    char name[512];
    if ((size_t)snprintf(name, sizeof name, "%s/%s_%04ld.jpg", person, person, number) >= sizeof name)
        return FG_FAIL(err, FG_ERR_LIMIT, "the name of a photo is too long");
    photo *more = realloc(e->photos, (size_t)(e->photo_count + 1) * sizeof *more);
    if (!more)
        return FG_FAIL(err, FG_ERR_MEMORY, "out of memory");
    e->photos = more;
    more[e->photo_count] = (photo){.name = strdup(name)};
    if (!more[e->photo_count].name)
        return FG_FAIL(err, FG_ERR_MEMORY, "out of memory");
    *index = e->photo_count++;
    return FG_OK;
}

static fg_code add_pair(evaluation *e, char *line, int fold, fg_error *err)
{
    char *save = NULL, *word[5] = {NULL};
    int n = 0;
    for (char *w = strtok_r(line, " \t\r", &save); w && n < 5; w = strtok_r(NULL, " \t\r", &save))
        word[n++] = w;
    if (n != 3 && n != 4)
        return FG_FAIL(err, FG_ERR_INPUT, "give `name i j` or `name i name j`");
    if (strchr(word[0], '/') || strchr(word[n - 2], '/') || word[0][0] == '.' || word[n - 2][0] == '.')
        return FG_FAIL(err, FG_ERR_INPUT, "a name with a path in it");
    char *end_a = NULL, *end_b = NULL;
    long i = strtol(word[1], &end_a, 10), j = strtol(word[n - 1], &end_b, 10);
    if (*end_a || *end_b || i < 1 || j < 1)
        return FG_FAIL(err, FG_ERR_INPUT, "a photo's number is not a number from 1");
    if (e->pair_count == e->pair_capacity) {
        if (e->pair_count == MAX_PAIRS)
            return FG_FAIL(err, FG_ERR_LIMIT, "more than %d pairs", MAX_PAIRS);
        long capacity = e->pair_capacity ? 2 * e->pair_capacity : 1024;
        capacity = capacity < MAX_PAIRS ? capacity : MAX_PAIRS;
        pair *more = realloc(e->pairs, (size_t)capacity * sizeof *more);
        if (!more)
            return FG_FAIL(err, FG_ERR_MEMORY, "out of memory");
        e->pairs = more;
        e->pair_capacity = capacity;
    }
    pair *p = &e->pairs[e->pair_count++];
    *p = (pair){.fold = fold, .same = n == 3};
    fg_code rc = add_photo(e, word[0], i, &p->a, err);
    return rc == FG_OK ? add_photo(e, n == 3 ? word[0] : word[2], j, &p->b, err) : rc;
}

static fg_code read_header(evaluation *e, const char *line, const char *path, long *each, fg_error *err)
{
    char *end = NULL;
    long folds = strtol(line, &end, 10);
    *each = strtol(end, &end, 10);
    if (*end != 0 && *end != '\r')
        *each = 0;
    if (folds < 2 || folds > FG_EVAL_FOLDS || *each < 1 || *each > MAX_PAIRS)
        return FG_FAIL(err, FG_ERR_INPUT,
                       "%s: the first line must give the folds (2 to %d) and the pairs of each", path,
                       FG_EVAL_FOLDS);
    e->folds = (int)folds;
    return FG_OK;
}

static fg_code read_pairs(evaluation *e, const char *path, int limit, fg_error *err)
{
    fg_buf text;
    char *save = NULL;
    long each = 1, number = 0;
    fg_buf_init(&text, MAX_PAIRS_BYTES);
    fg_code rc = fg_file_read(path, &text, err);
    for (char *line = rc == FG_OK && text.size ? strtok_r((char *)text.data, "\n", &save) : NULL;
         line && rc == FG_OK; line = strtok_r(NULL, "\n", &save), number++) {
        if (number == 0) {
            rc = read_header(e, line, path, &each, err);
            continue;
        }
        long at = (number - 1) % each; /* in its block of matched or mismatched pairs */
        long fold = (number - 1) / (2 * each);
        if (fold >= e->folds)
            break;
        if (limit && at >= limit)
            continue;
        if ((rc = add_pair(e, line, (int)fold, err)) != FG_OK) {
            char where[FG_MAX_PATH];
            snprintf(where, sizeof where, "%.4000s: line %ld", path, number + 1);
            rc = fg_error_prefix(err, rc, where);
        }
    }
    if (rc == FG_OK && number - 1 < 2 * each * e->folds)
        rc = FG_FAIL(err, FG_ERR_INPUT, "%s: %ld pairs where %d folds of 2 x %ld are announced", path,
                     number > 0 ? number - 1 : 0, e->folds, each);
    fg_buf_deinit(&text);
    return rc;
}

static int by_name(const void *a, const void *b)
{
    const photo *x = *(const photo *const *)a, *y = *(const photo *const *)b;
    return strcmp(x->name, y->name);
}

/* Each photo is looked at once, however many pairs it is in: the first of equal names stands for all. */
static fg_code merge_photos(evaluation *e, long *images, fg_error *err)
{
    photo **sorted = malloc((size_t)e->photo_count * sizeof(photo *));
    int *first = malloc((size_t)e->photo_count * sizeof *first);
    fg_code rc = sorted && first ? FG_OK : FG_FAIL(err, FG_ERR_MEMORY, "out of memory");
    *images = 0;
    for (int i = 0; rc == FG_OK && i < e->photo_count; i++)
        sorted[i] = &e->photos[i];
    if (rc == FG_OK) {
        qsort(sorted, (size_t)e->photo_count, sizeof(photo *), by_name);
        for (int i = 0; i < e->photo_count; i++) {
            bool again = i > 0 && strcmp(sorted[i]->name, sorted[i - 1]->name) == 0;
            int here = (int)(sorted[i] - e->photos);
            first[here] = again ? first[(int)(sorted[i - 1] - e->photos)] : here;
            *images += !again;
        }
        for (long k = 0; k < e->pair_count; k++) {
            e->pairs[k].a = first[e->pairs[k].a];
            e->pairs[k].b = first[e->pairs[k].b];
        }
    }
    free(sorted);
    free(first);
    return rc;
}

static const fg_face *nearest_centre(const fg_face *faces, int count, const fg_frame *frame)
{
    const fg_face *best = NULL;
    float least = INFINITY;
    for (int i = 0; i < count; i++) {
        float dx = faces[i].x + faces[i].width / 2 - (float)frame->width / 2;
        float dy = faces[i].y + faces[i].height / 2 - (float)frame->height / 2;
        if (dx * dx + dy * dy < least) {
            least = dx * dx + dy * dy;
            best = &faces[i];
        }
    }
    return best;
}

static fg_code embed_photo(fg_worker *worker, const char *dir, photo *p, fg_error *err)
{
    const fg_engine *engine = fg_app_engine(fg_worker_app(worker));
    char path[FG_MAX_PATH];
    fg_face faces[FG_MAX_FACES];
    fg_frame frame = {0}, chip = {0};
    int count = 0;
    fg_code rc = fg_path_join(path, sizeof path, dir, p->name, err);
    if (rc == FG_OK)
        rc = fg_image_load(&frame, path, 0, NULL, err);
    if (rc == FG_OK)
        rc = fg_detect(fg_worker_session(worker), &frame, faces, FG_MAX_FACES, &count, err);
    if (rc == FG_OK && count > 0) {
        p->embedding = malloc((size_t)fg_engine_info_view(engine)->embedding_size * sizeof(float));
        rc = p->embedding ? fg_align(engine, &frame, nearest_centre(faces, count, &frame)->points, &chip, err)
                          : FG_FAIL(err, FG_ERR_MEMORY, "out of memory");
        if (rc == FG_OK)
            rc = fg_embed(fg_worker_session(worker), &chip, 1, p->embedding, NULL, err);
        p->found = rc == FG_OK;
    }
    fg_frame_deinit(&chip);
    fg_frame_deinit(&frame);
    return rc;
}

static fg_code embed_all(evaluation *e, fg_worker *worker, const char *dir, long images,
                         const fg_progress *progress, fg_eval_lfw *result, fg_error *err)
{
    fg_code rc = FG_OK;
    bool *wanted = calloc((size_t)e->photo_count, sizeof *wanted);
    if (!wanted)
        return FG_FAIL(err, FG_ERR_MEMORY, "out of memory");
    for (long k = 0; k < e->pair_count; k++)
        wanted[e->pairs[k].a] = wanted[e->pairs[k].b] = true;
    for (int i = 0; i < e->photo_count && rc == FG_OK; i++) {
        if (!wanted[i])
            continue;
        rc = embed_photo(worker, dir, &e->photos[i], err);
        result->not_found += rc == FG_OK && !e->photos[i].found;
        result->images++;
        if (rc == FG_OK && !fg_progress_tell(progress, "photos", result->images, images))
            rc = FG_FAIL(err, FG_ERR_CANCELLED, "cancelled");
    }
    free(wanted);
    return rc;
}

static int by_similarity(const void *a, const void *b)
{
    double x = ((const pair *)a)->similarity, y = ((const pair *)b)->similarity;
    return (x > y) - (x < y);
}

/* The threshold with the fewest errors on all folds but one; pairs sorted by similarity. */
static double best_threshold(const evaluation *e, int without)
{
    long right = 0, most;
    double threshold = -1;
    for (long k = 0; k < e->pair_count; k++)
        right += e->pairs[k].fold != without && e->pairs[k].same; /* everything accepted */
    most = right;
    for (long k = 0; k < e->pair_count; k++) {
        const pair *p = &e->pairs[k];
        if (p->fold == without)
            continue;
        right += p->same ? -1 : 1; /* this pair and all below it rejected */
        if (right > most) {
            most = right;
            threshold = k + 1 < e->pair_count ? (p->similarity + e->pairs[k + 1].similarity) / 2
                                              : p->similarity + 1e-6;
        }
    }
    return threshold;
}

static void measure(evaluation *e, fg_eval_lfw *result)
{
    double sum = 0, squares = 0;
    if (e->pairs)
        qsort(e->pairs, (size_t)e->pair_count, sizeof *e->pairs, by_similarity);
    for (int fold = 0; fold < e->folds; fold++) {
        double threshold = best_threshold(e, fold);
        long right = 0, all = 0;
        for (long k = 0; k < e->pair_count; k++) {
            const pair *p = &e->pairs[k];
            all += p->fold == fold;
            right += p->fold == fold && (p->similarity >= threshold) == p->same;
        }
        double accuracy = (double)right / (double)all;
        sum += accuracy;
        squares += accuracy * accuracy;
        result->threshold += threshold / e->folds;
    }
    result->accuracy = sum / e->folds;
    result->accuracy_std = sqrt(fmax(0, squares / e->folds - result->accuracy * result->accuracy));

    long same = 0;
    for (long k = 0; k < e->pair_count; k++)
        same += e->pairs[k].same;
    for (int f = 0; f < FG_EVAL_FARS; f++) {
        /* At most this many of the different pairs lie at or above the threshold. */
        long strangers = e->pair_count - same, allowed = (long)floor(fg_eval_fars[f] * (double)strangers),
             accepted = 0, above = 0;
        for (long k = e->pair_count - 1; k >= 0; k--) {
            if (!e->pairs[k].same && ++accepted > allowed)
                break;
            above += e->pairs[k].same;
        }
        result->tar[f] = allowed >= 1 ? (double)above / (double)same : NAN;
    }
}

fg_code fg_eval_lfw_run(fg_worker *worker, const char *images_dir, const char *pairs_path, int limit,
                        const fg_progress *progress, fg_eval_lfw *result, fg_error *err)
{
    const int size = fg_engine_info_view(fg_app_engine(fg_worker_app(worker)))->embedding_size;
    evaluation e = {0};
    long images = 0;
    double start = fg_clock_monotonic_ms();
    *result = (fg_eval_lfw){0};
    fg_code rc = read_pairs(&e, pairs_path, limit, err);
    if (rc == FG_OK)
        rc = merge_photos(&e, &images, err);
    if (rc == FG_OK)
        rc = embed_all(&e, worker, images_dir, images, progress, result, err);
    if (rc == FG_OK) {
        for (long k = 0; k < e.pair_count; k++) {
            const photo *a = &e.photos[e.pairs[k].a], *b = &e.photos[e.pairs[k].b];
            e.pairs[k].similarity = a->found && b->found ? fg_cosine(a->embedding, b->embedding, size) : -1;
        }
        result->pairs = e.pair_count;
        result->folds = e.folds;
        measure(&e, result);
    }
    result->elapsed_ms = fg_clock_monotonic_ms() - start;
    for (int i = 0; i < e.photo_count; i++) {
        free(e.photos[i].name);
        free(e.photos[i].embedding);
    }
    free(e.photos);
    free(e.pairs);
    return rc;
}
