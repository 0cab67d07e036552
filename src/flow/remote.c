#include "flow/remote.h"

#include "base/clock.h"
#include "base/text.h"
#include "blob/dir.h"
#include "cloud/s3.h"
#include "cloud/sagemaker.h"
#include "flow/dataset.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { NAME_MAX_BYTES = 46, STAMP = 17 /* "-20260131-123456" and its NUL */, LIST_MAX = 100 };

struct fg_remote {
    const fg_settings *settings;
    const fg_log *log;
    fg_aws *aws;
    fg_sagemaker *sagemaker;
    fg_s3 *s3; /* NULL where no bucket is named */
    char endpoint[64];
    char folder[80]; /* of this endpoint in the bucket, below the prefix: "NAME/" */
};

static fg_code open_bucket(fg_remote *r, fg_error *err)
{
    const fg_settings *s = r->settings;
    char url[FG_S3_KEY_MAX];
    snprintf(url, sizeof url, "s3://%s/facegate", fg_aws_bucket_name(r->aws));
    if (!s->bucket && !*fg_aws_bucket_name(r->aws))
        return FG_OK;
    const fg_s3_options options = {.url = s->bucket ? s->bucket : url,
                                   .endpoint = s->s3_endpoint,
                                   .style = s->s3_style,
                                   .sse = s->s3_sse,
                                   .kms_key = s->s3_kms_key};
    return fg_s3_open(&r->s3, r->aws, &options, err);
}

fg_code fg_remote_open(fg_remote **out, const fg_settings *settings, const fg_log *log, fg_error *err)
{
    *out = NULL;
    fg_remote *r = calloc(1, sizeof *r);
    if (!r)
        return FG_FAIL(err, FG_ERR_MEMORY, "out of memory");
    r->settings = settings;
    r->log = log;
    const fg_aws_options options = {.file = settings->aws_file, .region = settings->region, .log = log};
    fg_code rc = fg_aws_open(&r->aws, &options, err);
    if (rc == FG_OK) {
        const char *from_file = fg_aws_endpoint_name(r->aws);
        snprintf(r->endpoint, sizeof r->endpoint, "%s",
                 settings->endpoint ? settings->endpoint
                 : *from_file       ? from_file
                                    : "facegate");
        snprintf(r->folder, sizeof r->folder, "%s/", r->endpoint);
        if (!fg_sagemaker_is_name(r->endpoint, NAME_MAX_BYTES))
            rc = FG_FAIL(err, FG_ERR_USAGE,
                         "--endpoint %.64s: not a name; give 1 to %d letters, digits and '-' between them",
                         r->endpoint, NAME_MAX_BYTES);
    }
    if (rc == FG_OK)
        rc = fg_sagemaker_open(&r->sagemaker, r->aws, settings->sagemaker_url, err);
    if (rc == FG_OK)
        rc = open_bucket(r, err);
    if (rc == FG_OK)
        *out = r;
    else
        fg_remote_close(r);
    return rc;
}

void fg_remote_close(fg_remote *r)
{
    if (!r)
        return;
    fg_s3_close(r->s3);
    fg_sagemaker_close(r->sagemaker);
    fg_aws_close(r->aws);
    free(r);
}

const char *fg_remote_endpoint(const fg_remote *r)
{
    return r->endpoint;
}

/* -- what the services say -- */

static void copy(char *out, size_t out_size, const json_t *object, const char *key)
{
    fg_text_clean(out, out_size, json_string_value(json_object_get(object, key)));
}

static void read_job(fg_remote_state *state, const json_t *document)
{
    copy(state->name, sizeof state->name, document, "TrainingJobName");
    copy(state->status, sizeof state->status, document, "TrainingJobStatus");
    copy(state->secondary, sizeof state->secondary, document, "SecondaryStatus");
    copy(state->reason, sizeof state->reason, document, "FailureReason");
    copy(state->role, sizeof state->role, document, "RoleArn");
    copy(state->artifact, sizeof state->artifact, json_object_get(document, "ModelArtifacts"),
         "S3ModelArtifacts");
    copy(state->image, sizeof state->image, json_object_get(document, "AlgorithmSpecification"),
         "TrainingImage");
}

static fg_code describe_job(fg_remote *r, const char *name, fg_remote_state *state, fg_error *err)
{
    json_t *document = NULL;
    fg_code rc = fg_sagemaker_call(r->sagemaker, "DescribeTrainingJob",
                                   json_pack("{s:s}", "TrainingJobName", name), &document, err);
    if (rc == FG_OK)
        read_job(state, document);
    json_decref(document);
    return rc;
}

fg_code fg_remote_endpoint_state(fg_remote *r, fg_remote_state *state, fg_error *err)
{
    json_t *document = NULL;
    const double seconds = state->seconds;
    *state = (fg_remote_state){.seconds = seconds};
    fg_code rc = fg_sagemaker_call(r->sagemaker, "DescribeEndpoint",
                                   json_pack("{s:s}", "EndpointName", r->endpoint), &document, err);
    if (rc == FG_OK) {
        copy(state->name, sizeof state->name, document, "EndpointName");
        copy(state->status, sizeof state->status, document, "EndpointStatus");
        copy(state->reason, sizeof state->reason, document, "FailureReason");
        copy(state->config, sizeof state->config, document, "EndpointConfigName");
    }
    json_decref(document);
    return rc;
}

/* Is it "<endpoint>-YYYYMMDD-HHMMSS", and so made here? */
static bool is_ours(const fg_remote *r, const char *name)
{
    static const char form[] = "-dddddddd-dddddd";
    const size_t n = strlen(r->endpoint);
    if (strncmp(name, r->endpoint, n) != 0 || strlen(name) != n + sizeof form - 1)
        return false;
    for (size_t i = 0; form[i]; i++)
        if (form[i] == 'd' ? name[n + i] < '0' || name[n + i] > '9' : name[n + i] != form[i])
            return false;
    return true;
}

static void make_name(const fg_remote *r, char name[64])
{
    struct tm tm = {0};
    time_t now = (time_t)(fg_clock_unix_ms() / 1000);
    char stamp[STAMP];
    gmtime_r(&now, &tm);
    if (strftime(stamp, sizeof stamp, "-%Y%m%d-%H%M%S", &tm) == 0)
        stamp[0] = 0;
    snprintf(name, 64, "%.*s%s", NAME_MAX_BYTES, r->endpoint, stamp);
}

/* Calls each for all of ours that a List operation gives, newest first; each returns false to stop. */
typedef bool (*name_each)(void *context, const char *name);

static fg_code for_names(fg_remote *r, const char *operation, const char *list, const char *field,
                         const char *status, name_each each, void *context, fg_error *err)
{
    char token[8192] = "";
    bool more = true;
    fg_code rc = FG_OK;
    for (int page = 0; rc == FG_OK && more && page < LIST_MAX; page++) {
        json_t *document = NULL, *item = NULL;
        size_t i;
        json_t *input = json_pack("{s:s, s:s, s:s, s:i}", "NameContains", r->endpoint, "SortBy",
                                  "CreationTime", "SortOrder", "Descending", "MaxResults", 100);
        if (input && status)
            json_object_set_new(input, "StatusEquals", json_string(status));
        if (input && *token)
            json_object_set_new(input, "NextToken", json_string(token));
        if ((rc = fg_sagemaker_call(r->sagemaker, operation, input, &document, err)) != FG_OK)
            break;
        json_array_foreach(json_object_get(document, list), i, item)
        {
            const char *name = json_string_value(json_object_get(item, field));
            if (more && name && is_ours(r, name))
                more = each(context, name);
        }
        copy(token, sizeof token, document, "NextToken");
        more = more && *token;
        json_decref(document);
    }
    return rc;
}

static bool take_first(void *context, const char *name)
{
    snprintf(context, 64, "%s", name);
    return false;
}

fg_code fg_remote_job(fg_remote *r, const char *job, fg_remote_state *state, fg_error *err)
{
    char last[64] = "";
    *state = (fg_remote_state){0};
    if (!job) {
        fg_code rc = for_names(r, "ListTrainingJobs", "TrainingJobSummaries", "TrainingJobName", NULL,
                               take_first, last, err);
        if (rc != FG_OK)
            return rc;
        if (!*last)
            return FG_FAIL(err, FG_ERR_NOT_FOUND, "no training job for the endpoint %s", r->endpoint);
    }
    return describe_job(r, job ? job : last, state, err);
}

/* -- waiting -- */

static void rest(const fg_remote *r)
{
    const double seconds = r->settings->poll_seconds > 0 ? r->settings->poll_seconds : 10;
    struct timespec left = {(time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9)};
    nanosleep(&left, NULL); /* a signal cuts it short, and whoever sent it is asked next */
}

/* Tells the state and waits. Says so in the log where it changes, for those who see no bar. */
static fg_code wait_more(const fg_remote *r, const char *kind, const char *word, char last[48], double start,
                         const fg_progress *progress, fg_error *err)
{
    const double seconds = (fg_clock_monotonic_ms() - start) / 1000;
    if (strcmp(last, word) != 0)
        fg_log_write(r->log, FG_LOG_INFO, "%s: %s", kind, word);
    snprintf(last, 48, "%s", word);
    if (!fg_progress_tell(progress, word, (long)seconds, 0))
        return FG_FAIL(err, FG_ERR_CANCELLED, "no longer waited for; it goes on without us");
    if (seconds > r->settings->wait_minutes * 60.0)
        return FG_FAIL(err, FG_ERR_BUSY,
                       "%s: still %s after %d minutes; look with `facegate sagemaker status`", kind, word,
                       r->settings->wait_minutes);
    rest(r);
    return FG_OK;
}

static fg_code wait_for_job(fg_remote *r, const fg_progress *progress, fg_remote_state *job, fg_error *err)
{
    char last[48] = "", kind[96];
    const double start = fg_clock_monotonic_ms();
    snprintf(kind, sizeof kind, "job %s", job->name);
    for (;;) {
        fg_code rc = describe_job(r, job->name, job, err);
        job->seconds = (fg_clock_monotonic_ms() - start) / 1000;
        if (rc != FG_OK)
            return rc;
        if (strcmp(job->status, "Completed") == 0)
            return *job->artifact ? FG_OK : FG_FAIL(err, FG_ERR_INPUT, "%s: completed without a model", kind);
        if (strcmp(job->status, "Failed") == 0 || strcmp(job->status, "Stopped") == 0)
            return FG_FAIL(err, FG_ERR_STATE, "%s: %s%s%s", kind, job->status, *job->reason ? ": " : "",
                           job->reason);
        rc = wait_more(r, kind, *job->secondary ? job->secondary : job->status, last, start, progress, err);
        if (rc != FG_OK)
            return rc;
    }
}

/* -- train -- */

static fg_code need(const char *value, const char *flag, const char *field, fg_error *err)
{
    return value && *value ? FG_OK
                           : FG_FAIL(err, FG_ERR_USAGE, "%s is missing%s%s", flag,
                                     *field ? "; the AWS file calls it " : "", field);
}

static const char *role_of(const fg_remote *r)
{
    return r->settings->aws_role ? r->settings->aws_role : fg_aws_role(r->aws);
}

static json_t *hyperparameters(const fg_settings *s)
{
    char c[32], gamma[32], far[32];
    snprintf(c, sizeof c, "%.9g", s->c);
    snprintf(gamma, sizeof gamma, "%.9g", s->gamma);
    snprintf(far, sizeof far, "%.9g", s->far);
    return json_pack("{s:s, s:s, s:s, s:s, s:s}", "C", c, "kernel", s->kernel, "gamma",
                     s->gamma > 0 ? gamma : "auto", "far", far, "probability", "True");
}

static json_t *job_request(const fg_remote *r, const char *name, const char *input_url,
                           const char *output_url)
{
    const fg_settings *s = r->settings;
    return json_pack("{s:s, s:{s:s, s:s}, s:s, s:o, s:[{s:s, s:{s:{s:s, s:s, s:s}}}], s:{s:s}, s:{s:s, s:i, "
                     "s:i}, s:{s:i}, s:b}",
                     "TrainingJobName", name, "AlgorithmSpecification", "TrainingImage", s->image,
                     "TrainingInputMode", "File", "RoleArn", role_of(r), "HyperParameters",
                     hyperparameters(s), "InputDataConfig", "ChannelName", "train", "DataSource",
                     "S3DataSource", "S3DataType", "S3Prefix", "S3Uri", input_url, "S3DataDistributionType",
                     "FullyReplicated", "OutputDataConfig", "S3OutputPath", output_url, "ResourceConfig",
                     "InstanceType", s->instance, "InstanceCount", 1, "VolumeSizeInGB", 10,
                     "StoppingCondition", "MaxRuntimeInSeconds", 3600, "EnableNetworkIsolation", 1);
}

/* The dataset as a file of this machine for a moment, then in the bucket. */
static fg_code upload(fg_remote *r, fg_app *app, const fg_actor *actor, const char *key, long *rows,
                      fg_error *err)
{
    char path[FG_MAX_PATH];
    int members = 0, fd = -1;
    fg_dataset_format format;
    fg_code rc = fg_dataset_format_parse(&format, r->settings->format, err);
    if (rc == FG_OK)
        rc = fg_path_join(path, sizeof path, r->settings->data, "dataset-XXXXXX", err);
    if (rc != FG_OK)
        return rc;
    if ((fd = mkstemp(path)) < 0)
        return FG_FAIL_ERRNO(err, "cannot make a file", path);
    close(fd);
    rc = fg_export(app, format, path, actor, rows, &members, err);
    if (rc == FG_OK) {
        fd = open(path, O_RDONLY | O_CLOEXEC);
        rc = fd >= 0 ? fg_s3_put_fd(r->s3, key, fd, err) : FG_FAIL_ERRNO(err, "cannot read", path);
        if (fd >= 0)
            close(fd);
    }
    if (fg_blob_dir_wipe(AT_FDCWD, path) != 0 && rc == FG_OK)
        rc = FG_FAIL_ERRNO(err, "cannot remove", path);
    return rc;
}

fg_code fg_remote_train(fg_remote *r, fg_app *app, const fg_actor *actor, const fg_progress *progress,
                        fg_remote_state *job, fg_error *err)
{
    char folder[256], key[300], input[FG_S3_KEY_MAX + 512], output[FG_S3_KEY_MAX + 512];
    *job = (fg_remote_state){0};
    fg_code rc =
        r->s3 ? FG_OK : FG_FAIL(err, FG_ERR_USAGE, "--bucket is missing; the AWS file calls it BUCKET_NAME");
    if (rc != FG_OK || (rc = need(role_of(r), "--aws-role", "ROLE", err)) != FG_OK ||
        (rc = need(r->settings->image, "--image", "", err)) != FG_OK)
        return rc;
    make_name(r, job->name);
    snprintf(folder, sizeof folder, "%s%s/", r->folder, job->name);
    snprintf(key, sizeof key, "%sdata.%s", folder, r->settings->format);
    snprintf(input, sizeof input, "s3://%s/%s%s", fg_s3_bucket(r->s3), fg_s3_prefix(r->s3), folder);
    snprintf(output, sizeof output, "s3://%s/%s%soutput", fg_s3_bucket(r->s3), fg_s3_prefix(r->s3),
             r->folder);
    if ((rc = upload(r, app, actor, key, &job->rows, err)) != FG_OK)
        return rc;
    fg_log_write(r->log, FG_LOG_INFO, "dataset: %ld templates in %s", job->rows, input);
    rc = fg_sagemaker_call(r->sagemaker, "CreateTrainingJob", job_request(r, job->name, input, output), NULL,
                           err);
    const bool started = rc == FG_OK;
    snprintf(job->status, sizeof job->status, "%s", started ? "InProgress" : "");
    if (started && r->settings->wait)
        rc = wait_for_job(r, progress, job, err);
    /* Faces stay in the bucket no longer than the job needs them. */
    const bool over = !started || strcmp(job->status, "Completed") == 0 ||
                      strcmp(job->status, "Failed") == 0 || strcmp(job->status, "Stopped") == 0;
    if (over && fg_s3_delete_prefix(r->s3, folder, NULL) != FG_OK)
        fg_log_write(r->log, FG_LOG_WARN, "%s could not be deleted; delete it by hand", input);
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
        fg_code rc = for_names(r, "ListTrainingJobs", "TrainingJobSummaries", "TrainingJobName", "Completed",
                               take_first, name, err);
        if (rc != FG_OK)
            return rc;
        if (!*name)
            return FG_FAIL(err, FG_ERR_STATE,
                           "no completed training job for %s; run `facegate sagemaker train --wait`",
                           r->endpoint);
    }
    fg_code rc = describe_job(r, name, job, err);
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
                  "FACEGATE_THRESHOLD", threshold, "ExecutionRoleArn", *role_of(r) ? role_of(r) : job->role,
                  "EnableNetworkIsolation", 1),
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

/* Deleting takes a while, and until then the name is taken. */
static fg_code wait_until_gone(fg_remote *r, const fg_progress *progress, fg_error *err)
{
    char last[48] = "", kind[96];
    const double start = fg_clock_monotonic_ms();
    snprintf(kind, sizeof kind, "endpoint %s", r->endpoint);
    for (;;) {
        fg_remote_state state = {0};
        fg_code rc = fg_remote_endpoint_state(r, &state, err);
        if (rc == FG_ERR_NOT_FOUND)
            return FG_OK;
        if (rc != FG_OK || (rc = wait_more(r, kind, state.status, last, start, progress, err)) != FG_OK)
            return rc;
    }
}

static fg_code wait_for_endpoint(fg_remote *r, const char *config, const fg_progress *progress,
                                 fg_remote_state *state, fg_error *err)
{
    char last[48] = "", kind[96];
    const double start = fg_clock_monotonic_ms();
    snprintf(kind, sizeof kind, "endpoint %s", r->endpoint);
    for (;;) {
        fg_code rc = fg_remote_endpoint_state(r, state, err);
        state->seconds = (fg_clock_monotonic_ms() - start) / 1000;
        if (rc != FG_OK)
            return rc;
        if (strcmp(state->status, "InService") == 0)
            return strcmp(state->config, config) == 0
                       ? FG_OK
                       : FG_FAIL(err, FG_ERR_STATE, "%s: the update was rolled back%s%s", kind,
                                 *state->reason ? ": " : "", state->reason);
        if (strcmp(state->status, "Failed") == 0 || strcmp(state->status, "OutOfService") == 0 ||
            strcmp(state->status, "UpdateRollbackFailed") == 0)
            return FG_FAIL(err, FG_ERR_STATE, "%s: %s%s%s", kind, state->status, *state->reason ? ": " : "",
                           state->reason);
        if ((rc = wait_more(r, kind, state->status, last, start, progress, err)) != FG_OK)
            return rc;
    }
}

fg_code fg_remote_deploy(fg_remote *r, const fg_progress *progress, fg_remote_state *endpoint, fg_error *err)
{
    char name[64];
    fg_remote_state job, before = {0};
    *endpoint = (fg_remote_state){0};
    fg_code rc = choose_job(r, &job, err);
    if (rc != FG_OK)
        return rc;
    rc = fg_remote_endpoint_state(r, &before, err);
    bool there = rc == FG_OK;
    if (rc != FG_OK && rc != FG_ERR_NOT_FOUND)
        return rc;
    if (there && strcmp(before.status, "Failed") == 0) { /* such a one cannot be updated */
        rc = fg_sagemaker_call(r->sagemaker, "DeleteEndpoint",
                               json_pack("{s:s}", "EndpointName", r->endpoint), NULL, err);
        if (rc != FG_OK || (rc = wait_until_gone(r, progress, err)) != FG_OK)
            return rc;
        there = false;
    }
    if (there && strcmp(before.status, "InService") != 0)
        return FG_FAIL(err, FG_ERR_BUSY, "endpoint %s is %s; try again when it is in service", r->endpoint,
                       before.status);
    make_name(r, name);
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
    rc = wait_for_endpoint(r, name, progress, endpoint, err);
    if (rc == FG_OK && there && is_ours(r, before.config)) {
        forget(r, "DeleteEndpointConfig", "EndpointConfigName", before.config);
        forget(r, "DeleteModel", "ModelName", before.config);
    }
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
    fg_code rc = for_names(r, list_operation, list, field, NULL, add_name, &n, err);
    for (int i = 0; i < n.count && rc == FG_OK; i++) {
        rc = fg_sagemaker_call(r->sagemaker, operation, json_pack("{s:s}", field, n.all[i]), NULL, err);
        *count += rc == FG_OK;
        if (rc == FG_ERR_NOT_FOUND)
            rc = FG_OK;
    }
    free(n.all);
    return rc;
}

fg_code fg_remote_delete(fg_remote *r, const fg_progress *progress, int *count, fg_error *err)
{
    *count = 0;
    fg_code rc = fg_sagemaker_call(r->sagemaker, "DeleteEndpoint",
                                   json_pack("{s:s}", "EndpointName", r->endpoint), NULL, err);
    *count += rc == FG_OK;
    if (rc == FG_OK && r->settings->wait)
        rc = wait_until_gone(r, progress, err);
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

fg_code fg_remote_invoke(fg_remote *r, const char *content_type, const void *data, size_t size,
                         fg_buf *answer, fg_error *err)
{
    return fg_sagemaker_invoke(r->sagemaker, r->endpoint, content_type, data, size, answer, err);
}
