#include "face/models.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define MANIFEST "manifest.json"
#define MANIFEST_VERSION 1
#define MIN_INPUT 16
#define MAX_INPUT 1024
#define MAX_COHORT 100000

/* What is being read, for messages. */
typedef struct context {
    const char *file, *model;
    fg_error *err;
} context;

static fg_code bad(const context *c, const char *what, const char *want)
{
    if (c->model)
        return fg_fail(c->err, FG_ERR_MODEL, "fg_models_parse", "%s: model '%s': %s must be %s", c->file,
                       c->model, what, want);
    return fg_fail(c->err, FG_ERR_MODEL, "fg_models_parse", "%s: %s must be %s", c->file, what, want);
}

/* Names become parts of paths, of messages and of JSON: letters, digits and . _ - only, and no leading dot.
 */
static bool is_plain_name(const char *s)
{
    return *s && *s != '.' && *s != '-' &&
           s[strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")] == 0;
}

/* Copies the text member of object called key; an optional one that is absent gives "". */
static fg_code get_text(const context *c, const json_t *object, const char *key, bool optional, char *out,
                        size_t out_size)
{
    const json_t *v = json_object_get(object, key);
    *out = 0;
    if (!v && optional)
        return FG_OK;
    const char *s = json_string_value(v);
    if (!s || strlen(s) != json_string_length(v))
        return bad(c, key, "a text");
    if (strlen(s) >= out_size)
        return bad(c, key, "a shorter text");
    for (const char *p = s; *p; p++)
        if ((unsigned char)*p < ' ' || *p == 127)
            return bad(c, key, "a text without control characters");
    memcpy(out, s, strlen(s) + 1);
    return FG_OK;
}

static fg_code get_name(const context *c, const json_t *object, const char *key, char *out, size_t out_size)
{
    fg_code rc = get_text(c, object, key, false, out, out_size);
    if (rc == FG_OK && !is_plain_name(out))
        rc = bad(c, key, "of letters, digits and . _ - only");
    return rc;
}

static fg_code get_integer(const context *c, const json_t *object, const char *key, json_int_t low,
                           json_int_t high, json_int_t *out)
{
    const json_t *v = json_object_get(object, key);
    char want[64];
    *out = json_integer_value(v);
    if (json_is_integer(v) && *out >= low && *out <= high)
        return FG_OK;
    snprintf(want, sizeof want, "a whole number from %lld to %lld", (long long)low, (long long)high);
    return bad(c, key, want);
}

static fg_code get_number(const context *c, const json_t *v, const char *what, double limit, float *out)
{
    double number = json_number_value(v);
    *out = 0;
    if (!json_is_number(v) || !(fabs(number) <= limit))
        return bad(c, what, "a number of reasonable size");
    *out = (float)number;
    return FG_OK;
}

/* What somebody has measured, or not. */
static fg_code get_measure(const context *c, const json_t *object, const char *name, double limit,
                           float otherwise, float *out)
{
    const json_t *v = json_object_get(object, name);
    *out = otherwise;
    return v ? get_number(c, v, name, limit, out) : FG_OK;
}

static fg_code get_sha256(const context *c, const json_t *object, char out[FG_SHA256_HEX])
{
    fg_code rc = get_text(c, object, "sha256", true, out, FG_SHA256_HEX);
    if (rc == FG_OK && *out && (strlen(out) != FG_SHA256_HEX - 1 || out[strspn(out, "0123456789abcdef")]))
        rc = bad(c, "sha256", "64 digits of lower-case hex");
    return rc;
}

static fg_code parse_file(const context *c, const json_t *object, fg_model_file *file)
{
    json_int_t bytes = 0;
    fg_code rc = get_name(c, object, "file", file->name, sizeof file->name);
    if (rc == FG_OK && strcmp(file->name, MANIFEST) == 0) /* pulled, it would speak for all models */
        rc = bad(c, "file", "another name than " MANIFEST);
    if (rc == FG_OK && json_object_get(object, "bytes"))
        rc = get_integer(c, object, "bytes", 0, (json_int_t)FG_MAX_MODEL_BYTES, &bytes);
    if (rc == FG_OK)
        rc = get_sha256(c, object, file->sha256);
    if (rc == FG_OK)
        rc = get_text(c, object, "url", true, file->url, sizeof file->url);
    if (rc == FG_OK && *file->url && strncmp(file->url, "https://", 8) != 0)
        rc = bad(c, "url", "an https address");
    file->bytes = (uint64_t)bytes;
    return rc;
}

static fg_code parse_files(const context *c, const json_t *array, fg_model *model)
{
    size_t n = json_array_size(array);
    if (!json_is_array(array) || n < 1 || n > FG_MODEL_MAX_FILES)
        return bad(c, "files", "a list of 1 to 4 files");
    for (size_t i = 0; i < n; i++) {
        fg_code rc = parse_file(c, json_array_get(array, i), &model->files[i]);
        if (rc != FG_OK)
            return rc;
    }
    model->file_count = (int)n;
    return FG_OK;
}

static fg_code parse_input(const context *c, const json_t *input, fg_model *model)
{
    char color[8];
    if (!json_is_object(input))
        return bad(c, "input", "an object");
    fg_code rc = get_text(c, input, "color", false, color, sizeof color);
    if (rc != FG_OK)
        return rc;
    if (strcmp(color, "rgb") != 0 && strcmp(color, "bgr") != 0)
        return bad(c, "color", "rgb or bgr");
    model->bgr = *color == 'b';
    if ((rc = get_number(c, json_object_get(input, "mean"), "mean", 1e6, &model->mean)) != FG_OK ||
        (rc = get_number(c, json_object_get(input, "scale"), "scale", 1e6, &model->scale)) != FG_OK)
        return rc;
    return model->scale > 0 ? FG_OK : bad(c, "scale", "above 0");
}

static fg_code parse_template(const context *c, const json_t *object, fg_model *model)
{
    const json_t *points = json_object_get(object, "template");
    fg_code rc;
    if (json_array_size(points) != 5)
        return bad(c, "template", "five points");
    for (size_t i = 0; i < 5; i++) {
        const json_t *point = json_array_get(points, i);
        if (json_array_size(point) != 2)
            return bad(c, "template", "points of two numbers");
        for (size_t k = 0; k < 2; k++)
            if ((rc = get_number(c, json_array_get(point, k), "template", 4, &model->points[i][k])) != FG_OK)
                return rc;
    }
    return FG_OK;
}

static fg_code parse_cohort(const context *c, const json_t *object, fg_model *model)
{
    json_int_t chip, columns, count;
    fg_code rc;
    if ((rc = get_integer(c, object, "chip", MIN_INPUT, MAX_INPUT, &chip)) != FG_OK ||
        (rc = get_integer(c, object, "columns", 1, MAX_COHORT, &columns)) != FG_OK ||
        (rc = get_integer(c, object, "count", 1, MAX_COHORT, &count)) != FG_OK)
        return rc;
    model->input_size = (int)chip;
    model->columns = (int)columns;
    model->count = (int)count;
    return parse_template(c, object, model);
}

static fg_code get_flag(const context *c, const json_t *object, const char *name, bool *flag)
{
    const json_t *value = json_object_get(object, name);
    if (value && !json_is_boolean(value))
        return bad(c, name, "true or false");
    *flag = json_is_true(value);
    return FG_OK;
}

static fg_code parse_embedder(const context *c, const json_t *object, fg_model *model)
{
    const json_t *input = json_object_get(object, "input");
    json_int_t width, height, dim;
    fg_code rc = get_flag(c, object, "mirror", &model->mirror);
    if (rc != FG_OK || (rc = get_integer(c, input, "width", MIN_INPUT, MAX_INPUT, &width)) != FG_OK ||
        (rc = get_integer(c, input, "height", width, width, &height)) != FG_OK ||
        (rc = get_integer(c, object, "dim", 1, FG_MAX_EMBEDDING, &dim)) != FG_OK)
        return rc;
    model->input_size = (int)width;
    model->embedding_size = (int)dim;
    if ((rc = get_measure(c, object, "same_person", 1, 0, &model->same_person)) != FG_OK ||
        (rc = get_measure(c, object, "common_look", 1, -1, &model->common_look)) != FG_OK ||
        (rc = get_measure(c, object, "unclear_below", 1e6, 0, &model->unclear_below)) != FG_OK)
        return rc;
    return parse_template(c, object, model);
}

static fg_code parse_model(context *c, const json_t *object, fg_model *model)
{
    c->model = NULL;
    memset(model, 0, sizeof *model);
    if (!json_is_object(object))
        return bad(c, "each of models", "an object");
    fg_code rc = get_name(c, object, "name", model->name, sizeof model->name);
    if (rc != FG_OK)
        return rc;
    c->model = model->name;
    if ((rc = get_name(c, object, "kind", model->kind, sizeof model->kind)) != FG_OK ||
        (rc = get_text(c, object, "licence", false, model->licence, sizeof model->licence)) != FG_OK ||
        (rc = get_text(c, object, "description", true, model->description, sizeof model->description)) !=
            FG_OK ||
        (rc = parse_files(c, json_object_get(object, "files"), model)) != FG_OK)
        return rc;
    if (strcmp(model->kind, "cohort") == 0)
        return parse_cohort(c, object, model);
    const bool embedder = strcmp(model->kind, "embedder") == 0;
    if (!embedder && strcmp(model->kind, "detector") != 0)
        return FG_OK; /* a later Facegate's */
    if ((rc = parse_input(c, json_object_get(object, "input"), model)) != FG_OK)
        return rc;
    return embedder ? parse_embedder(c, object, model) : get_flag(c, object, "refine", &model->refine);
}

static fg_model *find_by_name(fg_models *models, const char *name)
{
    for (int i = 0; i < models->count; i++)
        if (strcmp(models->models[i].name, name) == 0)
            return &models->models[i];
    return NULL;
}

static bool has_default(const fg_models *models, const char *kind)
{
    for (int i = 0; i < models->count; i++)
        if (models->models[i].is_default && strcmp(models->models[i].kind, kind) == 0)
            return true;
    return false;
}

/* "default_KIND": NAME. An earlier manifest's default stays. */
static fg_code parse_defaults(context *c, json_t *root, const fg_models *old, fg_models *models)
{
    const char *key;
    json_t *value;
    json_object_foreach(root, key, value)
    {
        char name[64];
        if (strncmp(key, "default_", 8) != 0)
            continue;
        fg_code rc = get_name(c, root, key, name, sizeof name);
        if (rc != FG_OK)
            return rc;
        fg_model *model = find_by_name(models, name);
        if (!model || strcmp(model->kind, key + 8) != 0)
            return bad(c, key, "the name of a model of that kind");
        if (!has_default(old, key + 8))
            model->is_default = true;
    }
    return FG_OK;
}

static fg_code parse_root(context *c, json_t *root, fg_models *models)
{
    const json_t *list = json_object_get(root, "models");
    fg_models *old = malloc(sizeof *old);
    fg_model *model = malloc(sizeof *model);
    json_int_t version;
    fg_code rc = FG_OK;
    if (!old || !model) {
        rc = FG_FAIL(c->err, FG_ERR_MEMORY, "no memory for %s", c->file);
        goto done;
    }
    *old = *models;
    if (!json_is_object(root)) {
        rc = bad(c, "the manifest", "a JSON object");
        goto done;
    }
    if ((rc = get_integer(c, root, "version", 1, INT32_MAX, &version)) != FG_OK)
        goto done;
    if (version != MANIFEST_VERSION) {
        rc = FG_FAIL(c->err, FG_ERR_MODEL,
                     "%s: made for a newer Facegate (manifest version %lld); update this one", c->file,
                     (long long)version);
        goto done;
    }
    if (!json_is_array(list)) {
        rc = bad(c, "models", "a list");
        goto done;
    }
    for (size_t i = 0; i < json_array_size(list); i++) {
        if ((rc = parse_model(c, json_array_get(list, i), model)) != FG_OK)
            goto done;
        if (find_by_name(models, model->name)) {
            if (find_by_name(old, model->name))
                continue;
            rc = bad(c, "name", "used once");
            goto done;
        }
        if (models->count == FG_MODELS_MAX) {
            rc = FG_FAIL(c->err, FG_ERR_LIMIT, "%s: more than %d models on the model path", c->file,
                         FG_MODELS_MAX);
            goto done;
        }
        models->models[models->count++] = *model;
    }
    c->model = NULL;
    rc = parse_defaults(c, root, old, models);
done:
    if (rc != FG_OK && old)
        *models = *old;
    free(old);
    free(model);
    return rc;
}

fg_code fg_models_parse(fg_models *models, const void *json, size_t size, const char *name, fg_error *err)
{
    context c = {.file = name, .err = err};
    json_error_t where;
    if (size > FG_MAX_JSON_BYTES)
        return FG_FAIL(err, FG_ERR_LIMIT, "%s: larger than %u bytes", name, FG_MAX_JSON_BYTES);
    json_t *root = json_loadb(json, size, JSON_REJECT_DUPLICATES, &where);
    if (!root)
        return FG_FAIL(err, FG_ERR_MODEL, "%s: line %d: %s; get the file again", name, where.line,
                       where.text);
    fg_code rc = parse_root(&c, root, models);
    json_decref(root);
    return rc;
}

/* The folder of path that starts at *rest, which is moved past it; false at the end. Empty parts are skipped.
 */
static bool next_folder(const char **rest, char *folder, size_t folder_size)
{
    while (**rest == ':')
        (*rest)++;
    size_t n = strcspn(*rest, ":");
    if (!n)
        return false;
    snprintf(folder, folder_size, "%.*s", (int)(n < folder_size ? n : folder_size - 1), *rest);
    *rest += n;
    return true;
}

static bool look_in(const char *folder, fg_model_file *file)
{
    struct stat st;
    char path[FG_MAX_PATH];
    if (*file->path || fg_path_join(path, sizeof path, folder, file->name, NULL) != FG_OK ||
        stat(path, &st) != 0 || !S_ISREG(st.st_mode))
        return false;
    memcpy(file->path, path, sizeof path);
    return true;
}

static void look_for_files(fg_models *models, int from, int to, const char *folder)
{
    for (int i = from; i < to; i++)
        for (int k = 0; k < models->models[i].file_count; k++)
            look_in(folder, &models->models[i].files[k]);
}

fg_code fg_models_load(fg_models **out, const char *model_path, fg_error *err)
{
    char folder[FG_MAX_PATH], path[FG_MAX_PATH];
    const char *rest = model_path ? model_path : "";
    int manifests = 0;
    fg_buf json = {0};
    fg_code rc = FG_OK;
    *out = NULL;
    fg_models *models = calloc(1, sizeof *models);
    if (!models)
        return FG_FAIL(err, FG_ERR_MEMORY, "no memory for the list of models");
    while (next_folder(&rest, folder, sizeof folder)) {
        if ((rc = fg_path_join(path, sizeof path, folder, MANIFEST, err)) != FG_OK)
            goto done;
        if (!fg_file_exists(path))
            continue;
        int before = models->count;
        fg_buf_deinit(&json);
        fg_buf_init(&json, FG_MAX_JSON_BYTES);
        if ((rc = fg_file_read(path, &json, err)) != FG_OK ||
            (rc = fg_models_parse(models, json.data, json.size, path, err)) != FG_OK)
            goto done;
        look_for_files(models, before, models->count, folder);
        manifests++;
    }
    rest = model_path ? model_path : "";
    while (next_folder(&rest, folder, sizeof folder))
        look_for_files(models, 0, models->count, folder);
    if (!manifests) {
        rc = FG_FAIL(
            err, FG_ERR_MODEL,
            "no " MANIFEST
            " on the model path '%s': set --model-path (FACEGATE_MODEL_PATH) to the folder of the models",
            model_path ? model_path : "");
        goto done;
    }
    *out = models;
    models = NULL;
done:
    fg_buf_deinit(&json);
    free(models);
    return rc;
}

void fg_models_free(fg_models *models)
{
    free(models);
}

fg_code fg_models_find(const fg_models *models, const char *kind, const char *name, const fg_model **model,
                       fg_error *err)
{
    char names[300] = "";
    size_t used = 0;
    const fg_model *first = NULL;
    *model = NULL;
    for (int i = 0; i < models->count; i++) {
        const fg_model *m = &models->models[i];
        if (strcmp(m->kind, kind) != 0)
            continue;
        if (name ? strcmp(m->name, name) == 0 : m->is_default) {
            *model = m;
            return FG_OK;
        }
        if (!first)
            first = m;
        int n = snprintf(names + used, sizeof names - used, "%s%s", used ? ", " : "", m->name);
        used = used + (size_t)n < sizeof names ? used + (size_t)n : sizeof names - 1;
    }
    if (!name && first) {
        *model = first;
        return FG_OK;
    }
    if (!first)
        return FG_FAIL(err, FG_ERR_NOT_FOUND,
                       "no %s in the models' manifest; set --model-path to a folder with one", kind);
    return FG_FAIL(err, FG_ERR_NOT_FOUND, "no %s called '%s'; there are: %s", kind, name, names);
}

static fg_code verify_file(const fg_model *model, const fg_model_file *file, fg_error *err)
{
    char sha256[FG_SHA256_HEX];
    uint64_t bytes = 0;
    struct stat st;
    if (!*file->path && *file->url)
        return FG_FAIL(err, FG_ERR_MODEL,
                       "model '%s': %s is not on the model path; get it with: facegate models pull %s",
                       model->name, file->name, model->name);
    if (!*file->path)
        return FG_FAIL(err, FG_ERR_MODEL,
                       "model '%s': %s is not on the model path; set --model-path (FACEGATE_MODEL_PATH) to a "
                       "folder that holds it",
                       model->name, file->name);
    if (stat(file->path, &st) == 0 && file->bytes && (uint64_t)st.st_size != file->bytes)
        return FG_FAIL(err, FG_ERR_MODEL,
                       "%s: damaged: %lld bytes, the manifest says %llu; get the file again", file->path,
                       (long long)st.st_size, (unsigned long long)file->bytes);
    if (!*file->sha256)
        return FG_OK;
    fg_code rc = fg_file_sha256(file->path, sha256, &bytes, err);
    if (rc == FG_OK && strcmp(sha256, file->sha256) != 0)
        rc = FG_FAIL(err, FG_ERR_MODEL, "%s: damaged: its SHA-256 is not the manifest's; get the file again",
                     file->path);
    return rc;
}

fg_code fg_model_verify(const fg_model *model, fg_error *err)
{
    for (int i = 0; i < model->file_count; i++) {
        fg_code rc = verify_file(model, &model->files[i], err);
        if (rc != FG_OK)
            return rc;
    }
    return FG_OK;
}
