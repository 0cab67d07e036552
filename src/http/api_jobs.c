/* /api/v1/jobs and /api/v1/train */
#include "http/http.h"

#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEEP_ALIVE_MS = 10000, EVENT_BLOCK = 16 << 10, EVENT_BUFFER = 64 << 10 };

fg_code fg_api_jobs_list(fg_request *r, fg_error *err)
{
    json_t *all, *list = json_array();
    long from = 0, to = 0;
    fg_code rc = fg_jobs_list_json(r->server->jobs, fg_request_flag(r, "open"), &all, err);
    const long count = (long)json_array_size(all);
    if (rc == FG_OK)
        rc = fg_request_page(r, count, FG_JOBS_KEPT, &from, &to, err);
    for (long i = from; i < to; i++)
        json_array_append(list, json_array_get(all, (size_t)i));
    json_decref(all);
    if (rc != FG_OK) {
        json_decref(list);
        return rc;
    }
    rc = fg_reply_tagged(r, json_pack("{s:o}", "jobs", list), err);
    if (rc == FG_OK && to < count)
        fg_reply_next(r, "offset", to);
    return rc;
}

fg_code fg_api_job_get(fg_request *r, fg_error *err)
{
    json_t *document;
    fg_code rc = fg_jobs_json(r->server->jobs, r->params[0], &document, err);
    return rc == FG_OK ? fg_reply_tagged(r, document, err) : rc;
}

fg_code fg_api_job_cancel(fg_request *r, fg_error *err)
{
    json_t *document;
    fg_code rc = fg_jobs_cancel(r->server->jobs, r->params[0], &document, err);
    return rc == FG_OK ? fg_reply_json(r, 200, document, err) : rc;
}

fg_code fg_api_job_thumb(fg_request *r, fg_error *err)
{
    uint8_t *data;
    size_t size;
    const char *text = r->params[1];
    size_t digits = strspn(text, "0123456789");
    long n = digits && digits < 9 && !text[digits] ? strtol(text, NULL, 10) : -1;
    fg_code rc = fg_jobs_thumb(r->server->jobs, r->params[0], n, &data, &size, err);
    return rc == FG_OK ? fg_reply_bytes(r, 200, "image/jpeg", data, size, err) : rc;
}

/* -- events: text/event-stream, as the HTML standard has it -- */

typedef struct stream {
    fg_server *server;
    char id[FG_HTTP_PARAM];
    char session[FG_TOKEN_TEXT]; /* "": by the key */
    fg_session_owner owner;      /* who reads; of a session, looked up anew each time */
    unsigned scopes;             /* that the route asks for */
    long last;
    fg_buf text; /* not yet sent from `sent` on */
    size_t sent;
    bool ended;
} stream;

static void close_stream(void *context)
{
    stream *s = context;
    atomic_fetch_sub(&s->server->metrics.streams, 1);
    fg_buf_deinit(&s->text);
    free(s);
}

/* A stream lives longer than what is looked at when a request comes. */
static bool may_read_on(stream *s)
{
    if (*s->session && !fg_sessions_find(s->server->sessions, s->session, fg_clock_unix_ms(), &s->owner))
        return false;
    return fg_session_scopes(s->server, &s->owner) & s->scopes;
}

/* On the connection's own thread, which may wait. The comment of an idle stream is what finds out that the
 * client has gone. */
static ssize_t read_stream(void *context, uint64_t at, char *out, size_t room)
{
    stream *s = context;
    (void)at;
    if (s->sent == s->text.size) {
        fg_buf_clear(&s->text);
        s->sent = 0;
        if (s->ended)
            return MHD_CONTENT_READER_END_OF_STREAM;
        if (fg_jobs_events(s->server->jobs, s->id, &s->last, KEEP_ALIVE_MS, &s->text, &s->ended, NULL) !=
                FG_OK ||
            !may_read_on(s))
            return MHD_CONTENT_READER_END_OF_STREAM;
        if (s->text.size == 0 && s->ended)
            return MHD_CONTENT_READER_END_OF_STREAM;
        if (s->text.size == 0 && fg_buf_printf(&s->text, NULL, ": still here\n\n") != FG_OK)
            return MHD_CONTENT_READER_END_WITH_ERROR;
    }
    size_t n = s->text.size - s->sent < room ? s->text.size - s->sent : room;
    memcpy(out, s->text.data + s->sent, n);
    s->sent += n;
    return (ssize_t)n;
}

fg_code fg_api_job_events(fg_request *r, fg_error *err)
{
    json_t *document;
    int64_t after = 0;
    fg_code rc = fg_jobs_json(r->server->jobs, r->params[0], &document, err); /* that there is one */
    json_decref(document);
    if (rc != FG_OK || (rc = fg_request_query_int(r, "after", 0, 1000000000, &after, err)) != FG_OK)
        return rc;
    const char *seen = fg_request_header(r, "Last-Event-ID");
    if (seen && strspn(seen, "0123456789") == strlen(seen) && strlen(seen) < 10)
        after = strtol(seen, NULL, 10);
    if (atomic_fetch_add(&r->server->metrics.streams, 1) >= FG_HTTP_STREAMS) {
        atomic_fetch_sub(&r->server->metrics.streams, 1);
        return FG_FAIL(err, FG_ERR_BUSY, "too many event streams are open; poll the job instead");
    }
    stream *s = calloc(1, sizeof *s);
    if (s) {
        s->server = r->server;
        memcpy(s->id, r->params[0], sizeof s->id);
        s->last = (long)after;
        memcpy(s->session, r->session, sizeof s->session);
        s->owner = r->owner;
        s->scopes = r->route->scopes | FG_SCOPE_ADMIN;
        fg_buf_init(&s->text, EVENT_BUFFER);
        r->response =
            MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, EVENT_BLOCK, read_stream, s, close_stream);
    }
    if (!r->response) {
        atomic_fetch_sub(&r->server->metrics.streams, 1);
        free(s);
        return FG_FAIL(err, FG_ERR_MEMORY, "out of memory");
    }
    r->status = 200;
    fg_reply_header(r, "Content-Type", "text/event-stream");
    fg_reply_header(r, "X-Accel-Buffering", "no");
    return FG_OK;
}

/* -- training and its versions -- */

void fg_request_order(const fg_request *r, fg_job_order *order)
{
    const char *key = *r->asked ? fg_request_header(r, "Idempotency-Key") : NULL;
    snprintf(order->who, sizeof order->who, "%s", r->who);
    snprintf(order->source, sizeof order->source, "%s", r->address);
    snprintf(order->idempotency_key, sizeof order->idempotency_key, "%s", key ? key : "");
    memcpy(order->asked, r->asked, sizeof order->asked);
}

fg_code fg_reply_job(fg_request *r, fg_job_order *order, fg_error *err)
{
    char id[FG_JOB_ID], location[64];
    json_t *document;
    fg_code rc = fg_jobs_add(r->server->jobs, order, id, err);
    if (rc == FG_ERR_BUSY) {
        r->failed_status = 429;
        r->retry_after_s = 10;
    }
    if (rc != FG_OK || (rc = fg_jobs_json(r->server->jobs, id, &document, err)) != FG_OK)
        return rc;
    if ((rc = fg_reply_json(r, 202, json_pack("{s:o}", "job", document), err)) == FG_OK) {
        snprintf(location, sizeof location, "/api/v1/jobs/%s", id);
        fg_reply_header(r, "Location", location);
    }
    return rc;
}

fg_code fg_api_train(fg_request *r, fg_error *err)
{
    fg_job_order order = {.kind = FG_JOB_TRAIN};
    if (fg_tuning_get(r->server->app, FG_TUNE_SAGEMAKER) != 0)
        order.kind = FG_JOB_SAGEMAKER;
    fg_request_order(r, &order);
    return fg_reply_job(r, &order, err);
}

fg_code fg_api_classifiers(fg_request *r, fg_error *err)
{
    fg_version_info *infos = NULL;
    long count = 0, from, to;
    fg_code rc = fg_store_versions(fg_app_store(r->server->app), &infos, &count, err);
    if (rc != FG_OK || (rc = fg_request_page(r, count, FG_HTTP_PAGE, &from, &to, err)) != FG_OK)
        goto done;
    json_t *list = json_array();
    for (long i = from; i < to; i++) {
        json_t *version = fg_version_json(&infos[i]);
        if (fg_request_flag(r, "brief"))
            json_object_del(json_object_get(version, "report"), "people");
        json_array_append_new(list, version);
    }
    rc = fg_reply_tagged(r, json_pack("{s:o}", "classifiers", list), err);
    if (rc == FG_OK && to < count)
        fg_reply_next(r, "offset", to);
done:
    fg_versions_free(infos, count);
    return rc;
}

fg_code fg_api_classifier_get(fg_request *r, fg_error *err)
{
    fg_version_info *infos = NULL;
    long count = 0;
    int64_t version;
    fg_code rc = fg_request_id_param(r, 0, &version, err);
    if (rc != FG_OK || (rc = fg_store_versions(fg_app_store(r->server->app), &infos, &count, err)) != FG_OK)
        return rc;
    rc = FG_FAIL(err, FG_ERR_NOT_FOUND, "there is no version %s", r->params[0]);
    for (long i = 0; i < count; i++)
        if (infos[i].version == version)
            rc = fg_reply_tagged(r, fg_version_json(&infos[i]), err);
    fg_versions_free(infos, count);
    return rc;
}

fg_code fg_api_classifier_activate(fg_request *r, fg_error *err)
{
    fg_actor actor = {r->who, r->address};
    int64_t version;
    fg_code rc = fg_request_id_param(r, 0, &version, err);
    if (rc != FG_OK || (rc = fg_activate(r->server->app, version, &actor, err)) != FG_OK)
        return rc;
    return fg_api_classifiers(r, err);
}
