#include "flow/remote_parts.h"

#include "base/clock.h"
#include "base/text.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { NAME_MAX_BYTES = 46, STAMP = 17 /* "-20260131-123456" and its NUL */, LIST_MAX = 100 };

/* Asked about once a second while a request is under way. */
static bool go_on(void *context)
{
    const fg_remote *r = context;
    return fg_progress_tell(r->progress, r->doing, (long)((fg_clock_monotonic_ms() - r->since_ms) / 1000), 0);
}

void fg_remote_watch(fg_remote *r, const fg_progress *progress, const char *doing)
{
    snprintf(r->doing, sizeof r->doing, "%s", doing);
    r->since_ms = fg_clock_monotonic_ms();
    r->progress = progress;
}

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
    const fg_aws_options options = {
        .file = settings->aws_file, .region = settings->region, .log = log, .go_on = go_on, .context = r};
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

fg_code fg_remote_describe_job(fg_remote *r, const char *name, fg_remote_state *state, fg_error *err)
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

bool fg_remote_is_ours(const fg_remote *r, const char *name)
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

void fg_remote_make_name(const fg_remote *r, char name[64])
{
    struct tm tm = {0};
    time_t now = (time_t)(fg_clock_unix_ms() / 1000);
    char stamp[STAMP];
    gmtime_r(&now, &tm);
    if (strftime(stamp, sizeof stamp, "-%Y%m%d-%H%M%S", &tm) == 0)
        stamp[0] = 0;
    snprintf(name, 64, "%.*s%s", NAME_MAX_BYTES, r->endpoint, stamp);
}

fg_code fg_remote_for_names(fg_remote *r, const char *operation, const char *list, const char *field,
                            const char *status, fg_remote_name_each each, void *context, fg_error *err)
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
            if (more && name && fg_remote_is_ours(r, name))
                more = each(context, name);
        }
        copy(token, sizeof token, document, "NextToken");
        more = more && *token;
        json_decref(document);
    }
    return rc;
}

bool fg_remote_take_first(void *context, const char *name)
{
    snprintf(context, 64, "%s", name);
    return false;
}

fg_code fg_remote_job(fg_remote *r, const char *job, fg_remote_state *state, fg_error *err)
{
    char last[64] = "";
    *state = (fg_remote_state){0};
    if (!job) {
        fg_code rc = fg_remote_for_names(r, "ListTrainingJobs", "TrainingJobSummaries", "TrainingJobName",
                                         NULL, fg_remote_take_first, last, err);
        if (rc != FG_OK)
            return rc;
        if (!*last)
            return FG_FAIL(err, FG_ERR_NOT_FOUND, "no training job for the endpoint %s", r->endpoint);
    }
    return fg_remote_describe_job(r, job ? job : last, state, err);
}

/* -- waiting -- */

/* In short pieces, so that whoever cancels does not wait for the rest. */
static bool rest(fg_remote *r)
{
    enum { PIECE_MS = 200 };
    const double until = fg_clock_monotonic_ms() + r->settings->poll_seconds * 1000;
    for (double left; (left = until - fg_clock_monotonic_ms()) > 0;) {
        (void)poll(NULL, 0, left < PIECE_MS ? (int)left + 1 : PIECE_MS);
        if (!go_on(r))
            return false;
    }
    return true;
}

fg_code fg_remote_wait(fg_remote *r, const char *kind, const char *word, double start_ms, fg_error *err)
{
    if (strcmp(r->doing, word) != 0)
        fg_log_write(r->log, FG_LOG_INFO, "%s: %s", kind, word);
    snprintf(r->doing, sizeof r->doing, "%s", word);
    r->since_ms = start_ms;
    if (fg_clock_monotonic_ms() - start_ms > r->settings->wait_minutes * 60000.0)
        return FG_FAIL(err, FG_ERR_BUSY,
                       "%s: still %s after %d minutes; look with `facegate sagemaker status`", kind, word,
                       r->settings->wait_minutes);
    if (!go_on(r) || !rest(r))
        return FG_FAIL(err, FG_ERR_CANCELLED, "no longer waited for; it goes on without us");
    return FG_OK;
}

const char *fg_remote_role(const fg_remote *r)
{
    return r->settings->aws_role ? r->settings->aws_role : fg_aws_role(r->aws);
}

fg_code fg_remote_invoke(fg_remote *r, const char *content_type, const void *data, size_t size,
                         fg_buf *answer, fg_error *err)
{
    return fg_sagemaker_invoke(r->sagemaker, r->endpoint, content_type, data, size, answer, err);
}
