#include "flow/container.h"

#include "flow/app.h"
#include "flow/dataset.h"

#include <dirent.h>
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { MAX_FAILURE = 1024 }; /* what SageMaker shows of it */

static bool is_folder(const char *root, const char *below)
{
    char path[FG_MAX_PATH];
    struct stat st;
    return root && *root && fg_path_join(path, sizeof path, root, below, NULL) == FG_OK &&
           stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

bool fg_container_is_training(const char *root)
{
    return is_folder(root, "input/config");
}

bool fg_container_is_serving(const char *root)
{
    return is_folder(root, "model");
}

/* -- what else the platform says -- */

/* A JSON object of input/config; NULL where the file is not there. */
static fg_code read_config(const char *root, const char *name, json_t **object, fg_error *err)
{
    char below[64], path[FG_MAX_PATH];
    fg_buf text;
    *object = NULL;
    snprintf(below, sizeof below, "input/config/%s", name);
    fg_code rc = fg_path_join(path, sizeof path, root, below, err);
    if (rc != FG_OK || !fg_file_exists(path))
        return rc;
    fg_buf_init(&text, FG_MAX_JSON_BYTES);
    rc = fg_file_read(path, &text, err);
    if (rc == FG_OK &&
        !(*object = json_loadb((const char *)text.data, text.size, JSON_REJECT_DUPLICATES, NULL)))
        rc = FG_FAIL(err, FG_ERR_INPUT, "%s: malformed JSON", path);
    if (rc == FG_OK && !json_is_object(*object))
        rc = FG_FAIL(err, FG_ERR_INPUT, "%s: not a JSON object", path);
    fg_buf_deinit(&text);
    if (rc != FG_OK) {
        json_decref(*object);
        *object = NULL;
    }
    return rc;
}

static fg_code read_options(const char *root, fg_container_options *options, fg_error *err)
{
    json_t *object;
    fg_code rc = read_config(root, "hyperparameters.json", &object, err);
    char *text = rc == FG_OK ? object ? json_dumps(object, 0) : strdup("{}") : NULL;
    if (rc == FG_OK)
        rc = text ? fg_container_options_parse(options, text, strlen(text), err)
                  : FG_FAIL(err, FG_ERR_MEMORY, "out of memory");
    free(text);
    json_decref(object);
    return rc;
}

/* Of several hosts the first one trains: an SVM of a team needs no more. */
static fg_code is_other_host(const char *root, bool *other, fg_error *err)
{
    json_t *object;
    *other = false;
    fg_code rc = read_config(root, "resourceconfig.json", &object, err);
    const char *self = json_string_value(json_object_get(object, "current_host"));
    const char *first = json_string_value(json_array_get(json_object_get(object, "hosts"), 0));
    *other = rc == FG_OK && self && first && strcmp(self, first) != 0;
    json_decref(object);
    return rc;
}

static fg_code find_channel(const char *root, const char **channel, fg_error *err)
{
    static const char *const names[] = {"train", "training"};
    json_t *object;
    *channel = NULL;
    fg_code rc = read_config(root, "inputdataconfig.json", &object, err);
    for (size_t i = 0; i < sizeof names / sizeof names[0] && rc == FG_OK && !*channel; i++) {
        const json_t *entry = json_object_get(object, names[i]);
        const char *mode = json_string_value(json_object_get(entry, "TrainingInputMode"));
        char below[32];
        snprintf(below, sizeof below, "input/data/%s", names[i]);
        if (!entry && !(!object && is_folder(root, below)))
            continue;
        *channel = names[i];
        if (mode && strcmp(mode, "Pipe") == 0)
            rc = FG_FAIL(err, FG_ERR_UNSUPPORTED,
                         "channel %s comes as a pipe; create the job with the input mode File or FastFile",
                         names[i]);
    }
    if (rc == FG_OK && !*channel)
        rc = FG_FAIL(err, FG_ERR_INPUT,
                     "there is no channel \"train\"; give the job one that holds data.npz or data.pickle");
    json_decref(object);
    return rc;
}

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);
    return n >= m && strcmp(text + n - m, end) == 0;
}

/* data.npz, else data.pickle, else the only file of either kind. */
static fg_code find_dataset(const char *root, const char *channel, char path[FG_MAX_PATH], fg_error *err)
{
    char folder[FG_MAX_PATH], below[64], only[256] = "";
    int count = 0, best = -1;
    snprintf(below, sizeof below, "input/data/%s", channel);
    fg_code rc = fg_path_join(folder, sizeof folder, root, below, err);
    if (rc != FG_OK)
        return rc;
    DIR *dir = opendir(folder);
    if (!dir)
        return FG_FAIL(err, FG_ERR_NOT_FOUND, "%s: cannot be opened; channel %s has no data", folder,
                       channel);
    for (struct dirent *e; (e = readdir(dir));) {
        const char *name = e->d_name;
        bool fits = ends_with(name, ".npz") || ends_with(name, ".pickle") || ends_with(name, ".pkl");
        if (!fits || name[0] == '.')
            continue;
        const int usual = strcmp(name, "data.npz") == 0 ? 2 : strcmp(name, "data.pickle") == 0;
        count++;
        if (usual > best) {
            best = usual;
            snprintf(only, sizeof only, "%s", name);
        }
    }
    closedir(dir);
    if (best > 0 || count == 1)
        return fg_path_join(path, FG_MAX_PATH, folder, only, err);
    return FG_FAIL(err, FG_ERR_INPUT, "%s: %s; give the channel data.npz or data.pickle", folder,
                   count ? "more than one dataset" : "there is no dataset");
}

/* -- training -- */

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Names in order and labels with them, as scikit-learn's classes_ are: the class numbers then mean the same.
 */
static fg_code sort_names(fg_dataset *d, fg_error *err)
{
    int *place = calloc((size_t)d->name_count, sizeof *place);
    char **sorted = calloc((size_t)d->name_count, sizeof(char *));
    if (!place || !sorted) {
        free(place);
        free(sorted);
        return FG_FAIL(err, FG_ERR_MEMORY, "out of memory");
    }
    memcpy(sorted, d->names, (size_t)d->name_count * sizeof(char *));
    qsort(sorted, (size_t)d->name_count, sizeof(char *), by_name);
    for (int i = 0; i < d->name_count; i++)
        place[i] =
            (int)((char **)bsearch(&d->names[i], sorted, (size_t)d->name_count, sizeof(char *), by_name) -
                  sorted);
    for (long i = 0; i < d->count; i++)
        d->labels[i] = place[d->labels[i]];
    free(d->names);
    d->names = sorted;
    free(place);
    return FG_OK;
}

/* scikit-learn's gamma='scale': 1 / (features x variance of all numbers). */
static double gamma_of(const fg_container_options *o, const fg_dataset *d)
{
    double mean = 0, variance = 0, n = (double)d->count * d->size;
    if (o->gamma_kind == FG_GAMMA_NUMBER)
        return o->gamma;
    if (o->gamma_kind == FG_GAMMA_AUTO)
        return 1.0 / d->size;
    for (long i = 0; i < d->count * d->size; i++)
        mean += (double)d->data[i] / n;
    for (long i = 0; i < d->count * d->size; i++)
        variance += ((double)d->data[i] - mean) * ((double)d->data[i] - mean) / n;
    return variance > 0 ? 1 / (d->size * variance) : 1.0 / d->size;
}

static fg_code train(fg_worker *worker, const fg_dataset *d, const fg_container_options *o,
                     const fg_progress *progress, fg_artifact *artifact, fg_train_report *report,
                     fg_error *err)
{
    const fg_engine_info *model = fg_engine_info_view(worker->app->engine);
    const fg_train_options options = {.kernel = o->kernel,
                                      .c = o->c,
                                      .gamma = gamma_of(o, d),
                                      .far = o->far,
                                      .look = (double)model->common_look};
    fg_cohort cohort = {0};
    int64_t *segments = malloc((size_t)d->count * sizeof *segments);
    int64_t *ids = malloc((size_t)d->name_count * sizeof *ids);
    fg_code rc = segments && ids ? fg_dataset_segments(d, segments, err)
                                 : FG_FAIL(err, FG_ERR_MEMORY, "out of memory for %ld rows", d->count);
    for (int i = 0; i < d->name_count && rc == FG_OK; i++)
        ids[i] = i + 1;
    if (rc == FG_OK)
        rc = fg_cohort_load(&cohort, worker, progress, err);
    const fg_gallery gallery = {.embedding_size = d->size,
                                .count = d->count,
                                .embeddings = d->data,
                                .member = d->labels,
                                .segment = segments,
                                .members = d->name_count,
                                .member_ids = ids};
    if (rc == FG_OK)
        rc = fg_classifier_train(&artifact->classifier, &gallery, &cohort, &options, report, progress, err);
    if (rc == FG_OK && (!(artifact->embedder = strdup(model->embedder)) ||
                        !(artifact->names = calloc((size_t)d->name_count, sizeof(char *)))))
        rc = FG_FAIL(err, FG_ERR_MEMORY, "out of memory");
    for (; rc == FG_OK && artifact->members < d->name_count; artifact->members++)
        if (!(artifact->names[artifact->members] = strdup(d->names[artifact->members])))
            rc = FG_FAIL(err, FG_ERR_MEMORY, "out of memory");
    artifact->probability = o->probability;
    memcpy(artifact->model_hash, model->model_hash, sizeof artifact->model_hash);
    free(segments);
    free(ids);
    fg_cohort_deinit(&cohort);
    return rc;
}

static fg_code check(const fg_worker *worker, const fg_dataset *d, const char *path, fg_error *err)
{
    const fg_engine_info *model = fg_engine_info_view(worker->app->engine);
    fg_code rc = fg_dataset_check(d, model->embedding_size, err);
    if (rc == FG_OK && d->model_hash[0] && strcmp(d->model_hash, model->model_hash) != 0)
        rc = FG_FAIL(err, FG_ERR_STATE,
                     "it was made with another embedder than this container's %s: set FACEGATE_EMBEDDER, or "
                     "export it anew",
                     model->embedder);
    return rc == FG_OK ? rc : fg_error_prefix(err, rc, path);
}

fg_code fg_container_train(fg_worker *worker, const char *root, const fg_progress *progress,
                           fg_container_result *result, fg_error *err)
{
    fg_container_options options = {0};
    fg_dataset dataset = {0};
    fg_artifact artifact = {0};
    const char *channel;
    char path[FG_MAX_PATH];
    *result = (fg_container_result){0};
    fg_code rc = is_other_host(root, &result->idle, err);
    if (rc != FG_OK || result->idle)
        return rc;
    if ((rc = read_options(root, &options, err)) == FG_OK &&
        (rc = find_channel(root, &channel, err)) == FG_OK &&
        (rc = find_dataset(root, channel, path, err)) == FG_OK &&
        (rc = fg_dataset_load(&dataset, path, err)) == FG_OK &&
        (rc = check(worker, &dataset, path, err)) == FG_OK && (rc = sort_names(&dataset, err)) == FG_OK)
        rc = train(worker, &dataset, &options, progress, &artifact, &result->report, err);
    if (rc == FG_OK && !fg_progress_tell(progress, "model", 0, 1))
        rc = FG_FAIL(err, FG_ERR_CANCELLED, "training was stopped; no model was written");
    if (rc == FG_OK && (rc = fg_path_join(path, sizeof path, root, "model", err)) == FG_OK &&
        (rc = fg_dir_create(path, err)) == FG_OK)
        rc = fg_path_join(result->model, sizeof result->model, path, FG_ARTIFACT_NAME, err);
    if (rc == FG_OK) {
        const fg_train_report *r = &result->report;
        json_t *report = json_pack("{s:i, s:I, s:I, s:f, s:f, s:s, s:f, s:f, s:f}", "members", r->members,
                                   "templates", (json_int_t)r->templates, "outliers", (json_int_t)r->outliers,
                                   "far", r->far, "similarity_gate", r->similarity_gate, "kernel",
                                   options.kernel == FG_KERNEL_RBF ? "rbf" : "linear", "C", options.c,
                                   "gamma", gamma_of(&options, &dataset), "seconds", r->seconds);
        rc = report ? fg_artifact_save(&artifact, report, result->model, err)
                    : FG_FAIL(err, FG_ERR_MEMORY, "out of memory");
        /* The platform packs it up with its mode, and whoever serves it may be another user. */
        if (rc == FG_OK && chmod(result->model, 0644) != 0)
            rc = FG_FAIL_ERRNO(err, "cannot be made readable", result->model);
        json_decref(report);
        result->rows = dataset.count;
        result->classes = dataset.name_count;
    }
    fg_artifact_deinit(&artifact);
    fg_dataset_deinit(&dataset);
    return rc;
}

void fg_container_failure(const char *root, const fg_error *why)
{
    char path[FG_MAX_PATH], text[MAX_FAILURE];
    int n = snprintf(text, sizeof text, "%s: %s\n", fg_code_name(why->code), why->msg);
    if (n > 0 && fg_path_join(path, sizeof path, root, "output", NULL) == FG_OK &&
        fg_dir_create(path, NULL) == FG_OK &&
        fg_path_join(path, sizeof path, root, "output/failure", NULL) == FG_OK) {
        fg_code rc =
            fg_file_write_atomic(path, text, (size_t)n < sizeof text ? (size_t)n : sizeof text - 1, NULL);
        if (rc == FG_OK)
            (void)chmod(path, 0644);
    }
}
