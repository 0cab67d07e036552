/* The background cohort: people who do not exist, as one contact sheet of aligned chips, embedded by whatever
 * model is in use. */
#include "flow/app.h"

#include "classify/npy.h"
#include "face/models.h"
#include "flow/openset.h"
#include "media/image.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH = 8 };

/* The i-th chip of the sheet, warped to the embedder's own template. */
static fg_code cut(const fg_engine *engine, const fg_model *cohort, const fg_frame *sheet, long i,
                   fg_frame *chip, fg_error *err)
{
    const int size = cohort->input_size;
    const long column = i % cohort->columns, row = i / cohort->columns;
    const fg_frame tile = {
        .rgb = sheet->rgb + (size_t)row * (size_t)size * sheet->stride + (size_t)column * (size_t)size * 3,
        .width = size,
        .height = size,
        .stride = sheet->stride,
    };
    fg_point points[FG_LANDMARKS];
    for (int k = 0; k < FG_LANDMARKS; k++)
        points[k] = (fg_point){cohort->points[k][0] * (float)size + FG_FIRST_PIXEL,
                               cohort->points[k][1] * (float)size + FG_FIRST_PIXEL};
    return fg_align(engine, &tile, points, chip, err);
}

static fg_code embed_all(fg_worker *worker, const fg_model *cohort, const fg_frame *sheet,
                         const fg_progress *progress, float *embeddings, fg_error *err)
{
    const fg_engine *engine = worker->app->engine;
    const size_t size = (size_t)fg_engine_info_view(engine)->embedding_size;
    fg_code rc = FG_OK;
    for (long done = 0; done < cohort->count && rc == FG_OK; done += BATCH) {
        fg_frame chips[BATCH] = {0};
        int n = cohort->count - done < BATCH ? (int)(cohort->count - done) : BATCH;
        for (int i = 0; i < n && rc == FG_OK; i++)
            rc = cut(engine, cohort, sheet, done + i, &chips[i], err);
        if (rc == FG_OK)
            rc = fg_embed(worker->session, chips, n, embeddings + (size_t)done * size, NULL, err);
        for (int i = 0; i < n; i++)
            fg_frame_deinit(&chips[i]);
        if (rc == FG_OK && !fg_progress_tell(progress, "cohort", done + n, cohort->count))
            rc = FG_FAIL(err, FG_ERR_CANCELLED, "training cancelled; nothing was changed");
    }
    return rc;
}

static fg_code load_sheet(const fg_model *cohort, fg_frame *sheet, fg_error *err)
{
    fg_code rc = fg_model_verify(cohort, err);
    if (rc == FG_OK)
        rc = fg_image_load(sheet, cohort->files[0].path, 0, NULL, err);
    if (rc != FG_OK)
        return rc;
    const long rows = (cohort->count + cohort->columns - 1) / cohort->columns;
    if (sheet->width < cohort->columns * cohort->input_size || sheet->height < rows * cohort->input_size)
        return FG_FAIL(err, FG_ERR_MODEL,
                       "%s: smaller than %d chips of %d pixels need; the manifest and the file do not match",
                       cohort->files[0].path, cohort->count, cohort->input_size);
    return FG_OK;
}

/* Embeddings of a cohort are named after both models, so that they can never be of another. */
static void embeddings_name(const fg_app *app, const fg_model *cohort, char name[64])
{
    snprintf(name, 64, "cohort-%.16s-%.16s.npy", cohort->files[0].sha256,
             fg_engine_info_view(app->engine)->model_hash);
}

static bool load_embeddings(const char *path, long count, int size, float *embeddings)
{
    fg_buf bytes;
    fg_npy array = {0};
    fg_buf_init(&bytes, (size_t)count * (size_t)size * sizeof *embeddings + 4096);
    bool good = fg_file_read(path, &bytes, NULL) == FG_OK &&
                fg_npy_view(&array, bytes.data, bytes.size, NULL, NULL) == FG_OK &&
                array.kind == FG_NPY_FLOAT && array.dims == 2 && array.shape[0] == count &&
                array.shape[1] == size;
    if (good)
        fg_npy_floats(&array, embeddings);
    fg_buf_deinit(&bytes);
    return good;
}

/* The manifest's cohort may come with the embeddings of the models that most use, which spares them seconds.
 */
static bool load_shipped(const fg_model *cohort, const char *name, int size, float *embeddings)
{
    for (int k = 1; k < cohort->file_count; k++)
        if (strcmp(cohort->files[k].name, name) == 0)
            return fg_model_verify(cohort, NULL) == FG_OK &&
                   load_embeddings(cohort->files[k].path, cohort->count, size, embeddings);
    return false;
}

/* One usable face of each person in a folder of photos. */
static fg_code load_folder(fg_worker *worker, const char *folder, const fg_progress *progress,
                           float **embeddings, long *count, fg_error *err)
{
    fg_people people = {0};
    fg_code rc =
        fg_people_load(&people, worker, folder, false, false, 0, fg_app_workers(worker->app), progress, err);
    if (rc == FG_OK &&
        !(*embeddings = malloc((size_t)people.people * (size_t)people.size * sizeof **embeddings)))
        rc = FG_FAIL(err, FG_ERR_MEMORY, "out of memory for %d people", people.people);
    for (long i = 0, last = -1; i < people.photos && rc == FG_OK; i++)
        if (people.faces[i].reason == FG_REASON_NONE && people.faces[i].person != last) {
            last = people.faces[i].person;
            memcpy(*embeddings + (size_t)(*count)++ * (size_t)people.size,
                   people.embeddings + (size_t)i * (size_t)people.size,
                   (size_t)people.size * sizeof **embeddings);
        }
    if (rc == FG_OK && *count < FG_MIN_COHORT)
        rc = FG_FAIL(err, FG_ERR_INPUT, "%s: usable faces of %ld people; a cohort needs %d at least", folder,
                     *count, FG_MIN_COHORT);
    fg_people_deinit(&people);
    return rc;
}

/* The manifest's cohort: from the file that comes with it, from the cache, or embedded now. */
static fg_code load_drawn(fg_worker *worker, const fg_progress *progress, float **embeddings, long *count,
                          fg_error *err)
{
    fg_app *app = worker->app;
    const int size = fg_engine_info_view(app->engine)->embedding_size;
    fg_models *models = NULL;
    const fg_model *cohort = NULL;
    fg_frame sheet = {0};
    char name[64], path[FG_MAX_PATH], dir[FG_MAX_PATH];

    fg_code rc = fg_models_load(&models, app->model_path, err);
    if (rc == FG_OK)
        rc = fg_models_find(models, "cohort", app->settings->cohort, &cohort, err);
    if (rc == FG_OK)
        rc = fg_path_join(dir, sizeof dir, app->settings->data, "cache", err);
    if (rc == FG_OK) {
        embeddings_name(app, cohort, name);
        rc = fg_path_join(path, sizeof path, dir, name, err);
    }
    if (rc != FG_OK)
        goto done;
    *embeddings = malloc((size_t)cohort->count * (size_t)size * sizeof **embeddings);
    if (!*embeddings) {
        rc = FG_FAIL(err, FG_ERR_MEMORY, "out of memory");
        goto done;
    }
    *count = cohort->count;
    if (load_shipped(cohort, name, size, *embeddings) ||
        load_embeddings(path, cohort->count, size, *embeddings))
        goto done;
    if ((rc = load_sheet(cohort, &sheet, err)) != FG_OK ||
        (rc = embed_all(worker, cohort, &sheet, progress, *embeddings, err)) != FG_OK)
        goto done;
    /* A cache that cannot be written costs time, not the training. */
    if (fg_dir_create(dir, NULL) != FG_OK ||
        fg_floats_save(path, *embeddings, cohort->count, size, NULL) != FG_OK)
        fg_log_write(app->log, FG_LOG_WARN,
                     "%s: could not be written; the cohort is embedded again next time", path);
done:
    fg_frame_deinit(&sheet);
    fg_models_free(models);
    return rc;
}

fg_code fg_cohort_load(fg_cohort *cohort, fg_worker *worker, const fg_progress *progress, fg_error *err)
{
    const char *named = worker->app->settings->cohort;
    const bool folder = named && strchr(named, '/');
    float *embeddings = NULL;
    *cohort = (fg_cohort){.embedding_size = fg_engine_info_view(worker->app->engine)->embedding_size,
                          .photographed = folder};
    fg_code rc = folder ? load_folder(worker, named, progress, &embeddings, &cohort->count, err)
                        : load_drawn(worker, progress, &embeddings, &cohort->count, err);
    cohort->embeddings = embeddings;
    if (rc != FG_OK)
        fg_cohort_deinit(cohort);
    return rc;
}

void fg_cohort_deinit(fg_cohort *cohort)
{
    free((float *)cohort->embeddings);
    *cohort = (fg_cohort){0};
}
