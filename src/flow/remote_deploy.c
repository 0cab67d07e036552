/* From a training job to an endpoint that answers, and back to nothing. */
#include "flow/remote_parts.h"

#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* -- whom the endpoint's names mean -- */

/* A folder without a team is fine: the names are another machine's. */
static fg_code open_store(fg_remote *r, fg_error *err)
{
    char path[FG_MAX_PATH];
    fg_code rc = fg_path_join(path, sizeof path, r->settings->data, "facegate.db", err);
    return rc != FG_OK || fg_file_is_missing(path) ? rc : fg_store_open(&r->store, path, false, err);
}

static void close_store(fg_remote *r)
{
    fg_store_close(r->store);
    r->store = NULL;
}

static fg_code take_names(fg_remote *r, const fg_remote_state *state, fg_error *err)
{
    return r->store && strcmp(state->status, "InService") == 0
               ? fg_store_endpoint_serves(r->store, r->endpoint, state->config, err)
               : FG_OK;
}

fg_code fg_remote_take_names(fg_remote *r, const fg_remote_state *state, fg_error *err)
{
    fg_code rc = open_store(r, err);
    if (rc == FG_OK)
        rc = take_names(r, state, err);
    close_store(r);
    return rc;
}

/* -- deploy -- */

static fg_code choose_job(fg_remote *r, fg_remote_state *job, fg_error *err)
{
    char name[64] = "";
    *job = (fg_remote_state){0};
    if (r->settings->job)
        snprintf(name, sizeof name, "%s", r->settings->job);
    else {
        fg_code rc = fg_remote_for_names(r, "ListTrainingJobs", "TrainingJobSummaries", "TrainingJobName",
                                         "Completed", fg_remote_take_first, name, err);
        if (rc != FG_OK)
            return rc;
        if (!*name)
            return FG_FAIL(err, FG_ERR_STATE,
                           "no completed training job for %s; run `facegate sagemaker train --wait`",
                           r->endpoint);
    }
    fg_code rc = fg_remote_describe_job(r, name, job, err);
    if (rc == FG_OK && strcmp(job->status, "Completed") != 0)
        rc = FG_FAIL(err, FG_ERR_STATE, "job %s: %s%s%s; only a completed one can be deployed", name,
                     job->status, *job->reason ? ": " : "", job->reason);
    return rc;
}

static void forget(fg_remote *r, const char *operation, const char *field, const char *name)
{
    if (fg_sagemaker_call(r->sagemaker, operation, json_pack("{s:s}", field, name), NULL, NULL) != FG_OK)
        fg_log_write(r->log, FG_LOG_WARN, "%s %s did not work; `facegate sagemaker delete` tries again",
                     operation, name);
}

static fg_code create_model_and_config(fg_remote *r, const fg_remote_state *job, const char *name,
                                       fg_error *err)
{
    const fg_settings *s = r->settings;
    char threshold[32];
    snprintf(threshold, sizeof threshold, "%.9g", s->threshold);
    fg_code rc = fg_sagemaker_call(
        r->sagemaker, "CreateModel",
        json_pack("{s:s, s:{s:s, s:s, s:{s:s}}, s:s, s:b}", "ModelName", name, "PrimaryContainer", "Image",
                  s->image ? s->image : job->image, "ModelDataUrl", job->artifact, "Environment",
                  "FACEGATE_THRESHOLD", threshold, "ExecutionRoleArn",
                  *fg_remote_role(r) ? fg_remote_role(r) : job->role, "EnableNetworkIsolation", 1),
        NULL, err);
    if (rc != FG_OK)
        return rc;
    rc = fg_sagemaker_call(r->sagemaker, "CreateEndpointConfig",
                           json_pack("{s:s, s:[{s:s, s:s, s:i, s:s}]}", "EndpointConfigName", name,
                                     "ProductionVariants", "VariantName", "all", "ModelName", name,
                                     "InitialInstanceCount", s->instances, "InstanceType", s->instance),
                           NULL, err);
    if (rc != FG_OK)
        forget(r, "DeleteModel", "ModelName", name);
    return rc;
}

/* Until an endpoint is no longer being deleted, or created and updated by somebody else. */
static fg_code wait_while(fg_remote *r, const char *const *words, fg_remote_state *state, fg_error *err)
{
    char kind[96];
    const double start = fg_clock_monotonic_ms();
    snprintf(kind, sizeof kind, "endpoint %s", r->endpoint);
    for (;;) {
        fg_code rc = fg_remote_endpoint_state(r, state, err);
        bool busy = false;
        for (const char *const *w = words; *w && rc == FG_OK; w++)
            busy = busy || strcmp(state->status, *w) == 0;
        if (!busy || (rc = fg_remote_wait(r, kind, state->status, start, err)) != FG_OK)
            return rc;
    }
}

static const char *const deleting[] = {"Deleting", NULL};
static const char *const changing[] = {"Creating",    "Updating", "SystemUpdating",
                                       "RollingBack", "Deleting", NULL};

static fg_code delete_endpoint(fg_remote *r, bool wait, fg_error *err)
{
    fg_remote_state state = {0};
    fg_code rc = fg_sagemaker_call(r->sagemaker, "DeleteEndpoint",
                                   json_pack("{s:s}", "EndpointName", r->endpoint), NULL, err);
    if (rc != FG_OK || !wait)
        return rc;
    rc = wait_while(r, deleting, &state, err);
    if (rc == FG_OK)
        return FG_FAIL(err, FG_ERR_STATE, "endpoint %s: it was to be deleted, and is %s", r->endpoint,
                       state.status);
    return rc == FG_ERR_NOT_FOUND ? FG_OK : rc;
}

static fg_code wait_for_endpoint(fg_remote *r, const char *config, fg_remote_state *state, fg_error *err)
{
    const double start = fg_clock_monotonic_ms();
    fg_code rc = wait_while(r, changing, state, err);
    state->seconds = (fg_clock_monotonic_ms() - start) / 1000;
    if (rc != FG_OK)
        return rc;
    if (strcmp(state->status, "InService") != 0)
        return FG_FAIL(err, FG_ERR_STATE, "endpoint %s: %s%s%s", r->endpoint, state->status,
                       *state->reason ? ": " : "", state->reason);
    return strcmp(state->config, config) == 0
               ? FG_OK
               : FG_FAIL(err, FG_ERR_STATE, "endpoint %s: the update was rolled back%s%s", r->endpoint,
                         *state->reason ? ": " : "", state->reason);
}

/* What is there before: *there is false where it has to be created. */
static fg_code look_before(fg_remote *r, fg_remote_state *before, bool *there, fg_error *err)
{
    fg_code rc =
        r->settings->wait ? wait_while(r, changing, before, err) : fg_remote_endpoint_state(r, before, err);
    *there = rc == FG_OK;
    if (rc != FG_OK)
        return rc == FG_ERR_NOT_FOUND ? FG_OK : rc;
    if (strcmp(before->status, "Failed") == 0) { /* such a one cannot be updated */
        *there = false;
        return delete_endpoint(r, true, err);
    }
    if (strcmp(before->status, "InService") != 0)
        return FG_FAIL(err, FG_ERR_BUSY, "endpoint %s is %s; try again when it is in service", r->endpoint,
                       before->status);
    return FG_OK;
}

static fg_code deploy(fg_remote *r, fg_remote_state *endpoint, fg_error *err)
{
    char name[64];
    bool there = false;
    fg_remote_state job, before = {0};
    fg_code rc = choose_job(r, &job, err);
    if (rc != FG_OK || (rc = look_before(r, &before, &there, err)) != FG_OK)
        return rc;
    fg_remote_make_name(r, name);
    if (r->store && (rc = fg_store_endpoint_deploy(r->store, r->endpoint, name, job.name, err)) != FG_OK)
        return rc;
    if ((rc = create_model_and_config(r, &job, name, err)) != FG_OK)
        return rc;
    rc = fg_sagemaker_call(r->sagemaker, there ? "UpdateEndpoint" : "CreateEndpoint",
                           json_pack("{s:s, s:s}", "EndpointName", r->endpoint, "EndpointConfigName", name),
                           NULL, err);
    if (rc != FG_OK) {
        forget(r, "DeleteEndpointConfig", "EndpointConfigName", name);
        forget(r, "DeleteModel", "ModelName", name);
        return rc;
    }
    if (!r->settings->wait)
        return fg_remote_endpoint_state(r, endpoint, err);
    rc = wait_for_endpoint(r, name, endpoint, err);
    const fg_code took = take_names(r, endpoint, rc == FG_OK ? err : NULL); /* also of one rolled back */
    if (rc == FG_OK)
        rc = took;
    if (rc == FG_OK && there && fg_remote_is_ours(r, before.config)) {
        forget(r, "DeleteEndpointConfig", "EndpointConfigName", before.config);
        forget(r, "DeleteModel", "ModelName", before.config);
    }
    return rc;
}

fg_code fg_remote_deploy(fg_remote *r, const fg_progress *progress, fg_remote_state *endpoint, fg_error *err)
{
    *endpoint = (fg_remote_state){0};
    fg_remote_watch(r, progress, "deploying");
    fg_code rc = open_store(r, err);
    if (rc == FG_OK)
        rc = deploy(r, endpoint, err);
    close_store(r);
    fg_remote_watch(r, NULL, "");
    return rc;
}

/* -- delete -- */

typedef struct names {
    char (*all)[64];
    int count;
} names;

static bool add_name(void *context, const char *name)
{
    names *n = context;
    char(*more)[64] = realloc(n->all, (size_t)(n->count + 1) * sizeof *more);
    if (!more)
        return false;
    n->all = more;
    snprintf(n->all[n->count++], sizeof *n->all, "%s", name);
    return true;
}

static fg_code delete_all(fg_remote *r, const char *list_operation, const char *list, const char *field,
                          const char *operation, int *count, fg_error *err)
{
    names n = {0};
    fg_code rc = fg_remote_for_names(r, list_operation, list, field, NULL, add_name, &n, err);
    for (int i = 0; i < n.count && rc == FG_OK; i++) {
        rc = fg_sagemaker_call(r->sagemaker, operation, json_pack("{s:s}", field, n.all[i]), NULL, err);
        *count += rc == FG_OK;
        if (rc == FG_ERR_NOT_FOUND)
            rc = FG_OK;
    }
    free(n.all);
    return rc;
}

static fg_code delete_everything(fg_remote *r, int *count, fg_error *err)
{
    fg_code rc = delete_endpoint(r, r->settings->wait, err);
    *count += rc == FG_OK;
    if (rc == FG_ERR_NOT_FOUND)
        rc = FG_OK;
    if (rc == FG_OK)
        rc = delete_all(r, "ListEndpointConfigs", "EndpointConfigs", "EndpointConfigName",
                        "DeleteEndpointConfig", count, err);
    if (rc == FG_OK)
        rc = delete_all(r, "ListModels", "Models", "ModelName", "DeleteModel", count, err);
    if (rc == FG_OK && r->s3)
        rc = fg_s3_delete_prefix(r->s3, r->folder, err);
    return rc;
}

fg_code fg_remote_delete(fg_remote *r, const fg_progress *progress, int *count, fg_error *err)
{
    *count = 0;
    fg_remote_watch(r, progress, "deleting");
    fg_code rc = delete_everything(r, count, err);
    fg_remote_watch(r, NULL, "");
    return rc;
}
