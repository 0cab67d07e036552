/* From members to a classifier version: gather templates, embed the cohort, train, judge, store. */
#include "flow/app.h"

#include "base/clock.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A new version's error must be above the active one's by more than this to count as worse: small teams
 * measure coarsely. */
static const double worse_frr = 0.02;

/* Members came or went while it was trained: once more, with those there are then. More often than this is no
 * chance. */
enum { MAX_TRIES = 3 };

typedef struct columns { /* what fg_gallery borrows */
    int *member;
    int64_t *segment, *member_ids;
} columns;

static fg_code gather(const fg_template_set *set, fg_gallery *gallery, columns *c, fg_error *err)
{
    const size_t n = (size_t)set->count;
    c->member = malloc(n * sizeof *c->member);
    c->segment = malloc(n * sizeof *c->segment);
    c->member_ids = malloc(n * sizeof *c->member_ids);
    if (!c->member || !c->segment || !c->member_ids)
        return FG_FAIL(err, FG_ERR_MEMORY, "out of memory");
    *gallery = (fg_gallery){
        .embedding_size = set->embedding_size,
        .count = set->count,
        .embeddings = set->embeddings,
        .member = c->member,
        .segment = c->segment,
        .member_ids = c->member_ids,
    };
    for (size_t i = 0; i < n; i++) { /* ordered by member */
        if (i == 0 || set->member_ids[i] != set->member_ids[i - 1])
            c->member_ids[gallery->members++] = set->member_ids[i];
        c->member[i] = gallery->members - 1;
        c->segment[i] = fg_segment_of(set->source_ids[i], set->times_ms[i]);
    }
    return FG_OK;
}

/* Of everything that decides what is learnt: whose templates, which, of which model. */
static fg_code hash_data(const fg_template_set *set, const char *model_hash, char hex[FG_SHA256_HEX],
                         fg_error *err)
{
    fg_buf all;
    size_t row = (size_t)set->embedding_size * sizeof(float);
    fg_buf_init(&all, SIZE_MAX / 2);
    fg_code rc = fg_buf_append(&all, model_hash, strlen(model_hash), err);
    if (rc == FG_OK)
        rc = fg_buf_append(&all, set->member_ids, (size_t)set->count * sizeof *set->member_ids, err);
    if (rc == FG_OK)
        rc = fg_buf_append(&all, set->embeddings, (size_t)set->count * row, err);
    if (rc == FG_OK)
        fg_sha256_hex(all.data, all.size, hex);
    fg_buf_deinit(&all);
    return rc;
}

static double number(const json_t *object, const char *key, double otherwise)
{
    const json_t *value = json_object_get(object, key);
    return json_is_number(value) ? json_number_value(value) : otherwise;
}

/* Is this version's measured error worse than the active one's, of the same embedder? */
static fg_code is_worse(fg_app *app, const fg_train_report *report, const char *model_hash, bool *worse,
                        fg_error *err)
{
    fg_version_info *infos = NULL;
    long count = 0;
    *worse = false;
    fg_code rc = fg_store_versions(app->store, &infos, &count, err);
    for (long i = 0; i < count; i++) {
        if (!infos[i].active || strcmp(infos[i].model_hash, model_hash) != 0)
            continue;
        json_t *old = json_loads(infos[i].report_json, 0, NULL);
        double old_frr = number(old, "frr", NAN), old_far_high = number(old, "far_high", NAN);
        *worse = report->frr > old_frr + worse_frr ||
                 report->far > old_far_high; /* false where either is unknown */
        json_decref(old);
    }
    fg_versions_free(infos, count);
    return rc;
}

static fg_code store_version(fg_worker *worker, const fg_classifier *classifier, const fg_template_set *set,
                             fg_train_result *result, fg_error *err)
{
    const fg_settings *s = worker->app->settings;
    fg_buf data;
    fg_version_info info = {.created_ms = fg_clock_unix_ms()};
    fg_buf_init(&data, FG_MAX_CLASSIFIER_BYTES);
    json_t *settings = json_pack("{s:s, s:f, s:f, s:f, s:s}", "kernel", s->kernel, "c", s->c, "gamma",
                                 s->gamma, "far", s->far, "cohort", s->cohort ? s->cohort : "cohort");
    json_t *report = fg_train_report_json(result, worker->app);
    info.settings_json = settings ? json_dumps(settings, JSON_COMPACT) : NULL;
    info.report_json = report ? json_dumps(report, JSON_COMPACT) : NULL;
    json_decref(settings);
    json_decref(report);
    memcpy(info.model_hash, fg_engine_info_view(worker->app->engine)->model_hash, sizeof info.model_hash);
    memcpy(info.data_hash, result->data_hash, sizeof info.data_hash);
    fg_code rc = info.settings_json && info.report_json ? fg_classifier_write(classifier, &data, err)
                                                        : FG_FAIL(err, FG_ERR_MEMORY, "out of memory");
    if (rc == FG_OK)
        rc = fg_store_version_add(worker->app->store, &info, set, data.data, data.size, result->activated,
                                  &result->version, err);
    fg_version_info_deinit(&info);
    fg_buf_deinit(&data);
    return rc;
}

/* result->version stays 0 where nothing was stored: after a dry run, and where the templates have changed
 * meanwhile. */
static fg_code train_once(fg_worker *worker, const fg_progress *progress, fg_cohort *cohort,
                          fg_train_result *result, fg_error *err)
{
    fg_app *app = worker->app;
    const fg_settings *s = app->settings;
    const fg_engine_info *model = fg_engine_info_view(app->engine);
    fg_train_options options;
    fg_template_set set = {0};
    fg_gallery gallery = {0};
    columns c = {0};
    fg_classifier *classifier = NULL;
    bool worse = false;
    *result = (fg_train_result){0};
    fg_app_train_options(app, &options);

    fg_code rc = fg_store_templates(app->store, model->model_hash, &set, &result->stale_templates, err);
    if (rc != FG_OK)
        goto done;
    if (set.count == 0) {
        rc =
            result->stale_templates
                ? FG_FAIL(err, FG_ERR_STATE,
                          "every template (%ld) is of another embedder than %s; run `facegate models use %s`",
                          result->stale_templates, model->embedder, model->embedder)
                : FG_FAIL(err, FG_ERR_STATE,
                          "nobody is enrolled yet; enrol a first member with `facegate enroll`");
        goto done;
    }
    if ((rc = gather(&set, &gallery, &c, err)) != FG_OK ||
        (rc = hash_data(&set, model->model_hash, result->data_hash, err)) != FG_OK ||
        (!cohort->count && (rc = fg_cohort_load(cohort, worker, progress, err)) != FG_OK) ||
        (rc = fg_classifier_train(&classifier, &gallery, cohort, &options, &result->report, progress, err)) !=
            FG_OK ||
        (rc = fg_train_look_at_people(&gallery, cohort, result, err)) != FG_OK)
        goto done;
    if (s->dry_run || (rc = is_worse(app, &result->report, model->model_hash, &worse, err)) != FG_OK)
        goto done;
    result->activated = !worse || s->force;
    rc = store_version(worker, classifier, &set, result, err);
done:
    fg_classifier_free(classifier);
    free(c.member);
    free(c.segment);
    free(c.member_ids);
    fg_template_set_deinit(&set);
    return rc;
}

fg_code fg_train(fg_worker *worker, const fg_actor *actor, const fg_progress *progress,
                 fg_train_result *result, fg_error *err)
{
    fg_app *app = worker->app;
    fg_cohort cohort = {0};
    fg_code rc = train_once(worker, progress, &cohort, result, err);
    for (int tries = 1; rc == FG_OK && !app->settings->dry_run && !result->version; tries++) {
        if (tries == MAX_TRIES) {
            rc = FG_FAIL(err, FG_ERR_BUSY,
                         "members were enrolled or removed during each of %d trainings, and none was stored; "
                         "train again when it is quiet",
                         MAX_TRIES);
            break;
        }
        fg_log_write(app->log, FG_LOG_INFO,
                     "members were enrolled or removed during the training; training again");
        rc = train_once(worker, progress, &cohort, result, err);
    }
    if (rc == FG_OK && result->version)
        rc = fg_record(app, actor, "train", "", err);
    fg_cohort_deinit(&cohort);
    return rc;
}

fg_code fg_activate(fg_app *app, int64_t version, const fg_actor *actor, fg_error *err)
{
    char subject[32];
    snprintf(subject, sizeof subject, "%lld", (long long)version);
    fg_code rc = fg_store_version_activate(app->store, version, err);
    return rc == FG_OK ? fg_record(app, actor, "activate", subject, err) : rc;
}
