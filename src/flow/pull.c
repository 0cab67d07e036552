/* Models that are not shipped: from the manifest's address into the data folder's models/, checked against
 * the manifest. A file is there whole and checked or not at all; parts of an interrupted download stay for
 * the next try. One pull at a time writes to a folder. */
#include "flow/app.h"

#include "base/clock.h"
#include "cloud/download.h"
#include "face/models.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static fg_code find_model(const fg_models *models, const char *name, fg_model *model, fg_error *err)
{
    for (int i = 0; i < models->count; i++)
        if (strcmp(models->models[i].name, name) == 0) {
            *model = models->models[i];
            return FG_OK;
        }
    return FG_FAIL(err, FG_ERR_NOT_FOUND, "%s: no such model; `facegate models list` lists them", name);
}

static bool is_good(const fg_model *model, int file)
{
    fg_model one = *model;
    one.files[0] = model->files[file];
    one.file_count = 1;
    return *one.files[0].path && fg_model_verify(&one, NULL) == FG_OK;
}

/* What cannot be checked is not fetched. */
static fg_code check_address(const fg_model *model, const fg_model_file *file, fg_error *err)
{
    if (!*file->url)
        return FG_FAIL(err, FG_ERR_MODEL,
                       "model '%s': the manifest has no address for %s; put the file into a folder of "
                       "--model-path, or install Facegate again if it is a built-in one",
                       model->name, file->name);
    if (!*file->sha256 || !file->bytes)
        return FG_FAIL(
            err, FG_ERR_MODEL,
            "model '%s': the manifest gives no size or no SHA-256 for %s; what cannot be checked is "
            "not fetched",
            model->name, file->name);
    return FG_OK;
}

static bool is_writable(const char *dir)
{
    return fg_dir_create(dir, NULL) == FG_OK && access(dir, W_OK | X_OK) == 0;
}

/* The data folder's models/, else the first folder of --model-path that can be written. */
static fg_code choose_folder(const fg_app *app, char dir[FG_MAX_PATH], fg_error *err)
{
    fg_code rc = fg_path_join(dir, FG_MAX_PATH, app->settings->data, "models", err);
    if (rc != FG_OK || is_writable(dir))
        return rc;
    for (const char *p = app->settings->model_path; p && *p;) {
        char folder[FG_MAX_PATH];
        size_t n = strcspn(p, ":");
        snprintf(folder, sizeof folder, "%.*s", (int)(n < sizeof folder ? n : sizeof folder - 1), p);
        if (n && fg_file_exists(folder) && access(folder, W_OK | X_OK) == 0) {
            memcpy(dir, folder, FG_MAX_PATH);
            return FG_OK;
        }
        p += p[n] ? n + 1 : n;
    }
    return fg_dir_create(dir, err) == FG_OK
               ? FG_FAIL(err, FG_ERR_FORBIDDEN, "%s: cannot be written; choose a folder with --data", dir)
           : err ? err->code
                 : FG_ERR_IO;
}

/* Two that write one part would make it rubbish. The kernel takes the lock back from who dies. */
static fg_code lock_folder(const char *dir, int *fd, fg_error *err)
{
    char path[FG_MAX_PATH];
    const struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    fg_code rc = fg_path_join(path, sizeof path, dir, ".pull.lock", err);
    if (rc != FG_OK)
        return rc;
    *fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
    if (*fd < 0)
        return FG_FAIL_ERRNO(err, "cannot create", path);
    if (fcntl(*fd, F_SETLK, &whole) == 0)
        return FG_OK;
    if (errno == EACCES || errno == EAGAIN)
        return FG_FAIL(err, FG_ERR_BUSY, "%s: another `facegate models pull` is at it; wait for its end",
                       dir);
    return FG_FAIL_ERRNO(err, "cannot lock", path);
}

typedef struct pulling {
    const fg_app *app;
    fg_http_client *client;
    fg_model model;
    char dir[FG_MAX_PATH];
    char parts[FG_MODEL_MAX_FILES][FG_MAX_PATH]; /* "": nothing to do */
    fg_pull_result *result;
} pulling;

static const char *authorities(const fg_settings *settings)
{
    const char *names[] = {settings->ca_file, getenv("CURL_CA_BUNDLE"), getenv("SSL_CERT_FILE")};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (names[i] && *names[i])
            return names[i];
    return NULL;
}

static fg_code fetch(pulling *p, int i, const fg_progress *progress, uint64_t before, uint64_t whole,
                     fg_error *err)
{
    const fg_model_file *file = &p->model.files[i];
    char name[sizeof file->name + 32];
    uint64_t resumed = 0;
    /* With the hash in its name: parts of two versions never meet. */
    snprintf(name, sizeof name, "%s.%.12s.part", file->name, file->sha256);
    fg_code rc = fg_path_join(p->parts[i], FG_MAX_PATH, p->dir, name, err);
    if (rc != FG_OK)
        return rc;
    const fg_download download = {.url = file->url,
                                  .part = p->parts[i],
                                  .bytes = file->bytes,
                                  .sha256 = file->sha256,
                                  .ca_file = authorities(p->app->settings),
                                  .progress = progress,
                                  .before_bytes = before,
                                  .whole_bytes = whole};
    rc = fg_download_run(p->client, &download, &resumed, err);
    p->result->resumed_bytes += resumed;
    if (rc == FG_OK)
        p->result->fetched_bytes += file->bytes - resumed;
    return rc;
}

static fg_code fetch_all(pulling *p, const fg_progress *progress, fg_error *err)
{
    uint64_t before = 0, whole = 0;
    bool good[FG_MODEL_MAX_FILES] = {false};
    fg_code rc = FG_OK;
    for (int i = 0; i < p->model.file_count && rc == FG_OK; i++) {
        good[i] = is_good(&p->model, i);
        if (!good[i] && (rc = check_address(&p->model, &p->model.files[i], err)) == FG_OK)
            whole += p->model.files[i].bytes;
    }
    for (int i = 0; i < p->model.file_count && rc == FG_OK; i++) {
        if (good[i])
            continue;
        rc = fetch(p, i, progress, before, whole, err);
        before += p->model.files[i].bytes;
    }
    /* All are good: now each takes its name. */
    for (int i = 0; i < p->model.file_count && rc == FG_OK; i++) {
        char path[FG_MAX_PATH];
        if (good[i])
            continue;
        if ((rc = fg_path_join(path, sizeof path, p->dir, p->model.files[i].name, err)) == FG_OK &&
            (rc = fg_file_commit(p->parts[i], path, err)) == FG_OK) {
            fg_download_forget(p->parts[i]);
            p->result->files++;
        }
    }
    return rc;
}

fg_code fg_models_pull(fg_app *app, const char *name, const fg_progress *progress, fg_pull_result *result,
                       fg_error *err)
{
    fg_models *models = NULL;
    int lock = -1;
    double start = fg_clock_monotonic_ms();
    *result = (fg_pull_result){0};
    pulling *p = calloc(1, sizeof *p);
    fg_code rc =
        p ? fg_models_load(&models, app->model_path, err) : FG_FAIL(err, FG_ERR_MEMORY, "out of memory");
    if (rc == FG_OK)
        rc = find_model(models, name, &p->model, err);
    if (rc != FG_OK || fg_model_verify(&p->model, NULL) == FG_OK)
        goto done;
    p->app = app;
    p->result = result;
    for (int i = 0; i < p->model.file_count && rc == FG_OK; i++)
        if (!is_good(&p->model, i))
            rc = check_address(&p->model, &p->model.files[i], err);
    if (rc != FG_OK || (rc = choose_folder(app, p->dir, err)) != FG_OK ||
        (rc = lock_folder(p->dir, &lock, err)) != FG_OK ||
        (rc = fg_http_client_new(&p->client, err)) != FG_OK || (rc = fetch_all(p, progress, err)) != FG_OK)
        goto done;
    snprintf(result->folder, sizeof result->folder, "%s", p->dir);
    /* As the next command will find it: a damaged file may stand in an earlier folder. */
    fg_models_free(models);
    models = NULL;
    if ((rc = fg_models_load(&models, app->model_path, err)) == FG_OK &&
        (rc = find_model(models, name, &p->model, err)) == FG_OK)
        rc = fg_model_verify(&p->model, err);
done:
    if (lock >= 0)
        close(lock);
    if (p)
        fg_http_client_free(p->client);
    free(p);
    fg_models_free(models);
    result->elapsed_ms = fg_clock_monotonic_ms() - start;
    return rc;
}
