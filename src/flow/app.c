#include "flow/app.h"

#include "base/clock.h"
#include "blob/spool.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Where models are looked for: the setting, the data folder (what `models pull` brings), and the built-in
 * ones beside the program:
 * ../models of a build folder, ../share/facegate/models of an installation. */
static fg_code find_model_path(fg_app *app, fg_error *err)
{
    static const char *const beside[] = {"../models", "../share/facegate/models"};
    fg_buf path;
    fg_code rc = FG_OK;
    char exe[FG_MAX_PATH];
    fg_buf_init(&path, 8 * FG_MAX_PATH);
    if (app->settings->model_path)
        rc = fg_buf_printf(&path, err, "%s:", app->settings->model_path);
    if (rc == FG_OK)
        rc = fg_buf_printf(&path, err, "%s/models", app->settings->data);
    ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);
    exe[n > 0 ? n : 0] = 0;
    char *slash = strrchr(exe, '/');
    if (slash) {
        *slash = 0;
        for (size_t i = 0; i < sizeof beside / sizeof beside[0] && rc == FG_OK; i++)
            rc = fg_buf_printf(&path, err, ":%s/%s", exe, beside[i]);
    }
    if (rc == FG_OK)
        app->model_path = (char *)path.data;
    else
        fg_buf_deinit(&path);
    return rc;
}

fg_code fg_app_open_engine(fg_app *app, const char *embedder, fg_error *err)
{
    fg_engine_options options = {
        .model_path = app->model_path,
        .detector = app->settings->detector,
        .embedder = embedder,
        .min_face = (float)app->settings->min_face,
    };
    fg_code rc = fg_precision_parse(&options.precision, app->settings->precision, err);
    return rc == FG_OK ? fg_engine_open(&app->engine, &options, err) : rc;
}

fg_code fg_app_embedder(fg_app *app, fg_embedder *team, fg_error *err)
{
    char path[FG_MAX_PATH];
    fg_store *store = NULL;
    *team = (fg_embedder){0};
    if (app->store)
        return fg_store_embedder(app->store, team, err);
    fg_code rc = fg_path_join(path, sizeof path, app->settings->data, "facegate.db", err);
    if (rc != FG_OK || fg_file_is_missing(path))
        return rc;
    rc = fg_store_open(&store, path, true, err);
    if (rc == FG_ERR_STATE) /* of an earlier Facegate, which remembered none */
        return FG_OK;
    if (rc == FG_OK)
        rc = fg_store_embedder(store, team, err);
    fg_store_close(store);
    return rc;
}

static fg_code open_engine(fg_app *app, unsigned parts, fg_error *err)
{
    const char *given = app->settings->embedder;
    fg_embedder team = {0};
    fg_code rc = FG_OK;
    if (given)
        return fg_app_open_engine(app, given, err);
    if (app->store || (parts & FG_APP_TEAM_EMBEDDER))
        rc = fg_app_embedder(app, &team, err);
    if (rc != FG_OK)
        return rc;
    rc = fg_app_open_engine(app, *team.name ? team.name : NULL, err);
    /* Not where it is the detector that is wrong. */
    return rc != FG_OK && *team.name && err && !strstr(err->msg, "no detector")
               ? fg_error_prefix(err, rc, "the team's embedder")
               : rc;
}

fg_code fg_app_drop_blobs(fg_app *app, const char *prefix)
{
    fg_error why = {0};
    fg_code rc = fg_blob_delete_prefix(app->blob, prefix, &why);
    if (rc == FG_OK)
        rc = fg_store_pending_remove(app->store, prefix, &why);
    if (rc == FG_OK)
        return rc;
    fg_log_write(app->log, FG_LOG_WARN,
                 "files of a removal or a failed enrolment are still there, and will be tried again: %s",
                 why.msg);
    fg_code released = fg_store_pending_release(app->store, prefix, NULL);
    (void)released; /* else they are tried again once this process is gone */
    return rc;
}

void fg_app_sweep(fg_app *app)
{
    char **prefixes = NULL, tmp[FG_MAX_PATH];
    long count = 0;
    fg_error err = {0};
    if (fg_path_join(tmp, sizeof tmp, app->settings->data, "tmp", NULL) == FG_OK)
        fg_spool_sweep(tmp);
    if (fg_store_pending_abandoned(app->store, &prefixes, &count, &err) != FG_OK)
        fg_log_write(app->log, FG_LOG_WARN, "what is left to delete cannot be read: %s", err.msg);
    for (long i = 0; i < count; i++) {
        if (fg_app_drop_blobs(app, prefixes[i]) == FG_OK)
            fg_log_write(app->log, FG_LOG_INFO, "deleted what an enrolment or a removal had left");
        free(prefixes[i]);
    }
    free(prefixes);
}

static fg_code open_store(fg_app *app, unsigned parts, fg_error *err)
{
    char path[FG_MAX_PATH];
    fg_code rc = fg_path_join(path, sizeof path, app->settings->data, "facegate.db", err);
    if (rc != FG_OK)
        return rc;
    if (!(parts & FG_APP_CREATE) && fg_file_is_missing(path))
        return FG_FAIL(err, FG_ERR_STATE,
                       "%s: no team here yet; enrol a first member with `facegate enroll`, or name the "
                       "right folder with --data",
                       app->settings->data);
    if ((rc = fg_dir_create(app->settings->data, err)) != FG_OK ||
        (rc = fg_store_open(&app->store, path, false, err)) != FG_OK ||
        (rc = fg_place_open(app, err)) != FG_OK)
        return rc;
    fg_app_sweep(app);
    return FG_OK;
}

fg_code fg_app_open(fg_app **out, const fg_settings *settings, unsigned parts, const fg_log *log,
                    fg_error *err)
{
    *out = NULL;
    fg_app *app = calloc(1, sizeof *app);
    if (!app)
        return FG_FAIL(err, FG_ERR_MEMORY, "out of memory");
    app->settings = settings;
    app->log = log;
    fg_tuning_init(app);
    const bool locked = pthread_mutex_init(&app->lock, NULL) == 0;
    if (!locked || pthread_mutex_init(&app->remote_lock, NULL) != 0) {
        if (locked)
            pthread_mutex_destroy(&app->lock);
        free(app);
        return FG_FAIL(err, FG_ERR_MEMORY, "cannot create a lock");
    }
    fg_code rc = find_model_path(app, err);
    if (rc == FG_OK && (parts & FG_APP_STORE))
        rc = open_store(app, parts, err);
    if (rc == FG_OK && (parts & FG_APP_ENGINE))
        rc = open_engine(app, parts, err);
    if (rc == FG_OK && (parts & FG_APP_TRY_ENGINE) && open_engine(app, parts, err) != FG_OK && err)
        fg_log_write(log, FG_LOG_WARN, "%s", err->msg);
    if (rc == FG_OK)
        *out = app;
    else
        fg_app_close(app);
    return rc;
}

static void active_free(fg_active *active)
{
    fg_classifier_free(active->classifier);
    fg_version_info_deinit(&active->info);
    free(active);
}

void fg_app_close(fg_app *app)
{
    if (!app)
        return;
    if (app->active)
        active_free(app->active);
    fg_remote_close(app->remote);
    fg_engine_close(app->engine);
    fg_blob_close(app->blob);
    fg_store_close(app->store);
    pthread_mutex_destroy(&app->remote_lock);
    pthread_mutex_destroy(&app->lock);
    free(app->place);
    free(app->model_path);
    free(app);
}

const fg_settings *fg_app_settings(const fg_app *app)
{
    return app->settings;
}

fg_store *fg_app_store(fg_app *app)
{
    return app->store;
}

fg_blob *fg_app_blob(fg_app *app)
{
    return app->blob;
}

const fg_engine *fg_app_engine(const fg_app *app)
{
    return app->engine;
}

const char *fg_app_model_path(const fg_app *app)
{
    return app->model_path;
}

const fg_log *fg_app_log(const fg_app *app)
{
    return app->log;
}

fg_code fg_worker_new(fg_worker **out, fg_app *app, fg_error *err)
{
    *out = NULL;
    fg_worker *worker = calloc(1, sizeof *worker);
    if (!worker)
        return FG_FAIL(err, FG_ERR_MEMORY, "out of memory");
    worker->app = app;
    fg_code rc = fg_session_new(&worker->session, app->engine, err);
    if (rc == FG_OK)
        *out = worker;
    else
        free(worker);
    return rc;
}

void fg_worker_free(fg_worker *worker)
{
    if (worker)
        fg_session_free(worker->session);
    free(worker);
}

fg_app *fg_worker_app(fg_worker *worker)
{
    return worker->app;
}

fg_session *fg_worker_session(fg_worker *worker)
{
    return worker->session;
}

static fg_code active_load(fg_app *app, fg_active **out, fg_error *err)
{
    fg_buf data;
    *out = NULL;
    fg_buf_init(&data, FG_MAX_CLASSIFIER_BYTES);
    fg_active *active = calloc(1, sizeof *active);
    if (!active)
        return FG_FAIL(err, FG_ERR_MEMORY, "out of memory");
    active->users = 1;
    fg_code rc = fg_store_version_load(app->store, 0, &active->info, &data, err);
    if (rc == FG_OK)
        rc = fg_classifier_read(&active->classifier, data.data, data.size, err);
    const bool other =
        rc == FG_OK && strcmp(active->info.model_hash, fg_engine_info_view(app->engine)->model_hash) != 0;
    if (other)
        rc = fg_embedder_check(app, err);
    if (other && rc == FG_OK)
        rc = FG_FAIL(err, FG_ERR_STATE,
                     "classifier %lld was trained with another embedder than %s; run `facegate train`",
                     (long long)active->info.version, fg_engine_info_view(app->engine)->embedder);
    fg_buf_deinit(&data);
    if (rc == FG_OK)
        *out = active;
    else
        active_free(active);
    return rc;
}

fg_code fg_active_acquire(fg_app *app, fg_active **out, fg_error *err)
{
    int64_t version = 0;
    *out = NULL;
    fg_code rc = fg_store_version_active(app->store, &version, err);
    if (rc != FG_OK)
        return rc;
    if (version == 0) {
        fg_active_forget(app);
        return FG_FAIL(err, FG_ERR_STATE, "no classifier is active; run `facegate train` first");
    }
    pthread_mutex_lock(&app->lock);
    if (app->active && app->active->info.version != version) {
        if (--app->active->users == 0)
            active_free(app->active);
        app->active = NULL;
    }
    if (!app->active)
        rc = active_load(app, &app->active, err);
    if (rc == FG_OK) {
        app->active->users++;
        *out = app->active;
    }
    pthread_mutex_unlock(&app->lock);
    return rc;
}

void fg_active_release(fg_app *app, fg_active *active)
{
    if (!active)
        return;
    pthread_mutex_lock(&app->lock);
    if (--active->users == 0)
        active_free(active);
    pthread_mutex_unlock(&app->lock);
}

void fg_active_forget(fg_app *app)
{
    pthread_mutex_lock(&app->lock);
    if (app->active && --app->active->users == 0)
        active_free(app->active);
    app->active = NULL;
    pthread_mutex_unlock(&app->lock);
}

/* A failure is remembered for a moment: the search for credentials may have taken seconds, and everybody who
 * waits for the lock would go on it again. */
fg_code fg_app_remote(fg_app *app, fg_remote **remote, fg_error *err)
{
    enum { AGAIN_MS = 5000 };
    *remote = NULL;
    if ((!app->settings->endpoint || !*app->settings->endpoint) && fg_tuning_get(app, FG_TUNE_SAGEMAKER) == 0)
        return FG_OK;
    pthread_mutex_lock(&app->remote_lock);
    if (!app->remote &&
        (app->remote_failure.code == FG_OK || fg_clock_monotonic_ms() - app->remote_failed_ms >= AGAIN_MS)) {
        app->remote_failure.code =
            fg_remote_open(&app->remote, app->settings, app->log, &app->remote_failure);
        app->remote_failed_ms = fg_clock_monotonic_ms();
    }
    const fg_code rc = app->remote_failure.code;
    if (rc != FG_OK && err)
        *err = app->remote_failure;
    *remote = app->remote;
    pthread_mutex_unlock(&app->remote_lock);
    return rc;
}

const char *fg_app_endpoint(fg_app *app)
{
    fg_remote *remote = NULL;
    return fg_app_remote(app, &remote, NULL) == FG_OK && remote ? fg_remote_endpoint(remote) : "";
}

fg_code fg_app_can_train_remote(fg_app *app, fg_error *err)
{
    fg_remote *remote = NULL;
    fg_code rc = fg_remote_open(&remote, app->settings, app->log, err);
    if (rc == FG_OK)
        rc = fg_remote_can_train(remote, err);
    fg_remote_close(remote);
    return rc;
}

int fg_app_workers(const fg_app *app)
{
    enum { MOST = 64 };
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    if (app->settings->workers > 0)
        return app->settings->workers;
    return cores < 1 ? 1 : cores > MOST ? MOST : (int)cores;
}

void fg_app_train_options(const fg_app *app, fg_train_options *options)
{
    const fg_settings *s = app->settings;
    *options = (fg_train_options){
        .kernel = strcmp(s->kernel, "rbf") == 0 ? FG_KERNEL_RBF : FG_KERNEL_LINEAR,
        .c = s->c,
        .gamma = s->gamma,
        .far = s->far,
        .look = (double)fg_engine_info_view(app->engine)->common_look,
    };
}

int fg_app_max_side(const fg_app *app)
{
    return app->settings->max_side < 0 ? 1280 : app->settings->max_side;
}

void fg_app_quality_limits(const fg_app *app, fg_quality_limits *limits)
{
    *limits = (fg_quality_limits){
        .min_face = (float)fg_tuning_get(app, FG_TUNE_MIN_FACE),
        .min_sharpness = (float)fg_tuning_get(app, FG_TUNE_MIN_SHARPNESS),
        .min_brightness = (float)fg_tuning_get(app, FG_TUNE_MIN_BRIGHTNESS),
        .max_brightness = (float)fg_tuning_get(app, FG_TUNE_MAX_BRIGHTNESS),
        .max_yaw = (float)fg_tuning_get(app, FG_TUNE_MAX_YAW),
        .max_pitch = (float)fg_tuning_get(app, FG_TUNE_MAX_PITCH),
        .max_roll = (float)fg_tuning_get(app, FG_TUNE_MAX_ROLL),
    };
}

fg_code fg_record(fg_app *app, const fg_actor *actor, const char *action, const char *subject, fg_error *err)
{
    const fg_audit_row row = {
        .time_ms = fg_clock_unix_ms(),
        .actor = (char *)(actor && actor->who ? actor->who : "cli"),
        .source = (char *)(actor && actor->source ? actor->source : ""),
        .action = (char *)action,
        .subject = (char *)(subject ? subject : ""),
        .decision = (char *)"",
        .reasons = (char *)"",
    };
    return fg_store_audit_add(app->store, &row, err);
}
