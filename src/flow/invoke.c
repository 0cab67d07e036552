#include "flow/invoke.h"

#include "base/clock.h"
#include "classify/gallery.h"
#include "flow/app.h"
#include "media/image.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_NUMBERS = 1000000 }; /* in one answer */

/* One invocation under way: who may be meant, and the answer so far. */
typedef struct judge {
    fg_app *app;
    const fg_invocation *invocation;
    const fg_classifier *classifier;
    fg_active *active; /* NULL where an artifact answers */
    int members;
    const char **names; /* of the classifier's members; NULL: removed since */
    int64_t *ids;       /* everybody's of the store, and their names */
    char **all_names;
    long all;
    bool proba;
    double *probabilities;
    fg_member member; /* the last one looked up */
    json_t *predictions, *probas, *decisions;
} judge;

static int ascending(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static fg_code find_classifier(judge *j, fg_error *err)
{
    const fg_artifact *artifact = j->invocation->artifact;
    fg_code rc;
    if (artifact) {
        j->classifier = artifact->classifier;
        j->proba = artifact->probability;
        return FG_OK;
    }
    /* Two that decide would not agree for long. */
    fg_remote *remote = NULL;
    if ((rc = fg_app_remote(j->app, &remote, err)) != FG_OK)
        return rc;
    if (remote)
        return FG_FAIL(err, FG_ERR_STATE,
                       "the SageMaker endpoint %s decides here; send rows and photos to that one",
                       fg_remote_endpoint(remote));
    if ((rc = fg_active_acquire(j->app, &j->active, err)) != FG_OK)
        return rc;
    j->classifier = j->active->classifier;
    j->proba = true;
    return fg_store_member_names(j->app->store, &j->ids, &j->all_names, &j->all, err);
}

static fg_code begin(judge *j, fg_app *app, const fg_invocation *invocation, long rows, fg_error *err)
{
    *j = (judge){.app = app, .invocation = invocation};
    fg_code rc = find_classifier(j, err);
    if (rc != FG_OK)
        return rc;
    j->members = fg_classifier_members(j->classifier);
    if (j->proba && rows > MAX_NUMBERS / j->members && rows > 1)
        return FG_FAIL(err, FG_ERR_LIMIT,
                       "%ld rows for %d members are more than %d numbers in one answer; send fewer rows",
                       rows, j->members, MAX_NUMBERS);
    j->names = calloc((size_t)j->members, sizeof(char *));
    j->probabilities = calloc((size_t)j->members, sizeof *j->probabilities);
    j->predictions = json_array();
    j->probas = json_array();
    j->decisions = json_array();
    if (!j->names || !j->probabilities || !j->predictions || !j->probas || !j->decisions)
        return FG_FAIL(err, FG_ERR_MEMORY, "out of memory");
    for (int m = 0; m < j->members; m++) {
        int64_t id = fg_classifier_member_id(j->classifier, m);
        if (invocation->artifact) {
            j->names[m] = invocation->artifact->names[m];
        } else if (j->all > 0) {
            const int64_t *at = bsearch(&id, j->ids, (size_t)j->all, sizeof id, ascending);
            j->names[m] = at ? j->all_names[at - j->ids] : NULL;
        }
    }
    return FG_OK;
}

static void end(judge *j)
{
    fg_active_release(j->app, j->active);
    fg_member_names_free(j->ids, j->all_names, j->all);
    fg_member_deinit(&j->member);
    free(j->names);
    free(j->probabilities);
    json_decref(j->predictions);
    json_decref(j->probas);
    json_decref(j->decisions);
}

/* The member of the best score, with role and rights; one removed since the training is nobody. */
static fg_code look_up(judge *j, fg_ranking *ranking, fg_error *err)
{
    const int64_t id = ranking->best.member_id;
    if (j->invocation->artifact || id == 0 || j->member.id == id)
        return FG_OK;
    fg_member_deinit(&j->member);
    fg_code rc = fg_store_member_by_id(j->app->store, id, &j->member, err);
    if (rc != FG_ERR_NOT_FOUND)
        return rc;
    ranking->best = (fg_score){0};
    ranking->nobody = 1;
    return FG_OK;
}

static fg_code record(judge *j, const fg_decision *decision, const fg_ranking *ranking, bool known,
                      fg_error *err)
{
    const fg_actor *actor = &j->invocation->actor;
    if (j->invocation->artifact || !actor->who)
        return FG_OK;
    const fg_audit_row row = {
        .time_ms = fg_clock_unix_ms(),
        .actor = (char *)actor->who,
        .source = (char *)(actor->source ? actor->source : ""),
        .action = (char *)"invoke",
        .subject = known ? j->member.name : (char *)"",
        .decision = (char *)fg_verdict_name(decision->verdict),
        .reasons = (char *)(decision->reason_count ? fg_reason_name(decision->reasons[0]) : ""),
        .probability = ranking ? ranking->best.probability : 0,
        .member_id = known ? j->member.id : 0,
    };
    fg_code rc = fg_store_audit_add(j->app->store, &row, err);
    if (rc == FG_OK && decision->verdict == FG_GRANTED)
        rc = fg_store_member_seen(j->app->store, j->member.id, row.time_ms, err);
    return rc;
}

static json_t *decision_json(const judge *j, const fg_decision *decision, const fg_ranking *ranking,
                             bool known, const char *name)
{
    json_t *reasons = json_array(), *rights = json_array();
    for (int i = 0; i < decision->reason_count; i++)
        json_array_append_new(reasons, json_string(fg_reason_name(decision->reasons[i])));
    for (int i = 0; known && i < j->member.right_count; i++)
        json_array_append_new(rights, json_string(j->member.rights[i]));
    return json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "decision",
                     fg_verdict_name(decision->verdict), "member",
                     known && name ? json_string(name) : json_null(), "role",
                     known && j->member.role ? json_string(j->member.role) : json_null(), "rights", rights,
                     "probability", ranking ? fg_number_json(ranking->best.probability, 4) : json_null(),
                     "threshold", fg_number_json(j->app->settings->threshold, 4), "similarity",
                     ranking ? fg_number_json(ranking->best.similarity, 4) : json_null(), "reasons", reasons);
}

/* One row of the answer. probe NULL: a photo without a usable face, for the reason quality. unclear: see
 * fg_evidence; nobody knows it of rows. */
static fg_code judge_one(judge *j, const float *probe, int size, int faces, fg_reason quality, bool unclear,
                         fg_error *err)
{
    const fg_policy policy = {
        .threshold = j->app->settings->threshold,
        .required_right =
            j->invocation->required_right ? j->invocation->required_right : j->app->settings->require,
    };
    fg_ranking ranking = {0};
    fg_decision decision;
    const char *name = NULL;
    fg_code rc = FG_OK;
    if (probe)
        rc = fg_classifier_rank_all(j->classifier, probe, size, j->probabilities, &ranking, err);
    else
        memset(j->probabilities, 0, (size_t)j->members * sizeof *j->probabilities);
    for (int m = 0; m < j->members && rc == FG_OK && probe; m++)
        if (fg_classifier_member_id(j->classifier, m) == ranking.best.member_id)
            name = j->names[m];
    if (rc == FG_OK && probe)
        rc = look_up(j, &ranking, err);
    if (rc != FG_OK)
        return rc;
    const fg_evidence evidence = {
        .faces = faces,
        .quality = quality,
        .unclear = unclear,
        .ranking = probe ? &ranking : NULL,
        .rights = (const char *const *)j->member.rights,
        .right_count = ranking.best.member_id == j->member.id ? j->member.right_count : 0,
    };
    fg_decide(&evidence, &policy, &decision);
    const bool known = decision.verdict == FG_GRANTED || decision.verdict == FG_DENIED;
    /* An attempt that cannot be recorded is not answered: no entry without a trace. */
    if ((rc = record(j, &decision, probe ? &ranking : NULL, known, err)) != FG_OK)
        return rc;
    json_t *row = j->proba ? json_array() : NULL;
    for (int m = 0; m < j->members && row; m++)
        json_array_append_new(row, fg_number_json(j->probabilities[m], 6));
    if (row)
        json_array_append_new(j->probas, row);
    json_array_append_new(j->predictions, name ? json_string(name) : json_null());
    json_array_append_new(j->decisions, decision_json(j, &decision, probe ? &ranking : NULL, known, name));
    return FG_OK;
}

static fg_code finish(judge *j, json_t **answer, fg_error *err)
{
    json_t *classes = json_array();
    for (int m = 0; m < j->members; m++)
        json_array_append_new(classes, j->names[m] ? json_string(j->names[m]) : json_null());
    *answer = json_pack("{s:O, s:o, s:O}", "prediction", j->predictions, "classes", classes, "decisions",
                        j->decisions);
    if (*answer && j->proba)
        json_object_set(*answer, "proba", j->probas);
    return *answer ? FG_OK : FG_FAIL(err, FG_ERR_MEMORY, "out of memory");
}

fg_code fg_invoke_rows(fg_app *app, const fg_invocation *invocation, const fg_rows *rows, json_t **answer,
                       fg_error *err)
{
    judge j;
    *answer = NULL;
    fg_code rc = begin(&j, app, invocation, rows->count, err);
    if (rc == FG_OK && rows->size != fg_classifier_size(j.classifier))
        rc = FG_FAIL(err, FG_ERR_INPUT,
                     "rows of %d numbers, and the model takes %d: embed with the embedder that it was "
                     "trained with",
                     rows->size, fg_classifier_size(j.classifier));
    if (rc == FG_OK)
        rc = fg_check_units(rows->data, rows->count, rows->size, "row", err);
    for (long i = 0; i < rows->count && rc == FG_OK; i++)
        rc = judge_one(&j, rows->data + i * rows->size, rows->size, 1, FG_REASON_NONE, false, err);
    if (rc == FG_OK)
        rc = finish(&j, answer, err);
    end(&j);
    return rc;
}

fg_code fg_invoke_photo(fg_worker *worker, const fg_invocation *invocation, const void *data, size_t size,
                        const char *path, json_t **answer, fg_error *err)
{
    float probe[FG_MAX_EMBEDDING], magnitude = 0;
    fg_app *app = worker->app;
    const fg_engine_info *info = fg_engine_info_view(app->engine);
    const int max_side = fg_app_max_side(app);
    fg_frame frame = {0};
    fg_look look = {0};
    double scale = 1;
    judge j;
    *answer = NULL;
    fg_code rc = begin(&j, app, invocation, 1, err);
    if (rc == FG_OK)
        rc = data ? fg_image_decode(&frame, data, size, max_side, &scale, "photo", err)
                  : fg_image_load(&frame, path, max_side, &scale, err);
    if (rc != FG_OK && path && err)
        fg_error_rename(err, path, "photo");
    if (rc == FG_OK)
        rc = fg_look_at(worker, &frame, &look, err);
    const bool usable = rc == FG_OK && look.reason == FG_REASON_NONE;
    if (usable)
        rc = fg_embed(worker->session, &look.chip, 1, probe, &magnitude, err);
    if (rc == FG_OK)
        rc = judge_one(&j, usable ? probe : NULL, info->embedding_size, look.faces, look.reason,
                       magnitude < info->unclear_below, err);
    if (rc == FG_OK)
        rc = finish(&j, answer, err);
    fg_look_deinit(&look);
    fg_frame_deinit(&frame);
    end(&j);
    return rc;
}
