/* A folder of people, looked at once, as a labelled dataset: whatever is measured on it later need not look
 * at the photos again. */
#include "flow/openset.h"

#include "classify/dataset.h"
#include "flow/app.h"

#include <stdlib.h>
#include <string.h>

fg_code fg_people_save(const fg_people *people, const fg_app *app, const char *path, fg_error *err)
{
    const size_t size = (size_t)people->size, views = (size_t)people->variations,
                 most = (size_t)people->photos * views;
    fg_dataset d = {.size = people->size, .names = people->names, .name_count = people->people};
    memcpy(d.model_hash, fg_engine_info_view(app->engine)->model_hash, sizeof d.model_hash);
    d.data = malloc(most * size * sizeof *d.data);
    d.labels = malloc(most * sizeof *d.labels);
    d.segments = malloc(most * sizeof *d.segments);
    fg_code rc =
        d.data && d.labels && d.segments ? FG_OK : FG_FAIL(err, FG_ERR_MEMORY, "out of memory for %s", path);
    for (long photo = 0; rc == FG_OK && photo < people->photos; photo++)
        for (size_t v = 0; v < views && people->faces[photo].reason == FG_REASON_NONE; v++) {
            memcpy(d.data + (size_t)d.count * size,
                   people->embeddings + ((size_t)photo * (size_t)people->views + v) * size,
                   size * sizeof *d.data);
            d.labels[d.count] = people->faces[photo].person;
            d.segments[d.count++] = photo;
        }
    if (rc == FG_OK && d.count == 0)
        rc = FG_FAIL(err, FG_ERR_INPUT, "no usable photo, and so nothing to keep in %s", path);
    if (rc == FG_OK)
        rc = fg_dataset_save(&d, FG_DATASET_NPZ, path, err);
    free(d.data);
    free(d.labels);
    free(d.segments);
    return rc;
}

/* Rows from here on that are of one photo. */
static long rows_of_photo(const fg_dataset *d, long row)
{
    long n = 1;
    while (d->segments && row + n < d->count && d->labels[row + n] == d->labels[row] &&
           d->segments[row + n] == d->segments[row])
        n++;
    return n;
}

static fg_code check(const fg_dataset *d, const fg_app *app, bool vary, fg_error *err)
{
    const fg_engine_info *info = fg_engine_info_view(app->engine);
    fg_code rc = fg_dataset_check(d, info->embedding_size, err);
    if (rc == FG_OK && d->model_hash[0] && strcmp(d->model_hash, info->model_hash) != 0)
        rc = FG_FAIL(err, FG_ERR_INPUT, "of another embedder than %s", info->embedder);
    for (long i = 1; rc == FG_OK && i < d->count; i++)
        if (d->labels[i] < d->labels[i - 1]) /* numbered by first appearance */
            rc = FG_FAIL(err, FG_ERR_INPUT, "row %ld: the rows of a person must follow one another", i);
    for (long i = 0; rc == FG_OK && vary && i < d->count; i += rows_of_photo(d, i))
        if (rows_of_photo(d, i) != FG_VARIATIONS)
            rc = FG_FAIL(err, FG_ERR_INPUT,
                         "row %ld: not the %d variations of one photo; keep them with --photos 1 --out", i,
                         FG_VARIATIONS);
    return rc;
}

static fg_code take(fg_people *p, fg_dataset *d, fg_error *err)
{
    p->names = d->names; /* moved */
    p->people = d->name_count;
    d->names = NULL;
    d->name_count = 0;
    p->group = malloc((size_t)p->people * sizeof *p->group);
    p->faces = malloc((size_t)d->count * sizeof *p->faces);
    p->embeddings = malloc((size_t)d->count * (size_t)d->size * sizeof *p->embeddings);
    if (!p->group || !p->faces || !p->embeddings)
        return FG_FAIL(err, FG_ERR_MEMORY, "out of memory for %ld rows", d->count);
    for (int i = 0; i < p->people; i++)
        p->group[i] = -1;
    for (long row = 0; row < d->count; row += rows_of_photo(d, row)) {
        const size_t kept = (size_t)p->views * (size_t)d->size;
        memcpy(p->embeddings + (size_t)p->photos * kept, d->data + (size_t)row * (size_t)d->size,
               kept * sizeof *d->data);
        p->faces[p->photos++] = (fg_photo_face){.person = d->labels[row], .reason = FG_REASON_NONE};
    }
    return FG_OK;
}

fg_code fg_people_take(fg_people *people, const fg_app *app, const char *path, bool vary, int limit,
                       fg_error *err)
{
    fg_dataset d = {0};
    *people = (fg_people){.variations = vary ? FG_VARIATIONS : 1, .embeddings_only = true};
    people->views = people->variations;
    fg_code rc = fg_dataset_load(&d, path, err);
    if (rc != FG_OK)
        return rc; /* the message has the path */
    people->size = d.size;
    rc = check(&d, app, vary, err);
    while (rc == FG_OK && limit && d.name_count > limit) {
        free(d.names[--d.name_count]);
        while (d.count > 0 && d.labels[d.count - 1] == d.name_count)
            d.count--;
    }
    if (rc == FG_OK)
        rc = take(people, &d, err);
    fg_dataset_deinit(&d);
    if (rc == FG_OK)
        return FG_OK;
    fg_people_deinit(people);
    return fg_error_prefix(err, rc, path);
}
