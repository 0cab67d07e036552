/* The contract of a model server on SageMaker: GET /ping and POST /invocations. */
#include "http/http.h"

#include "base/clock.h"
#include "flow/invoke.h"

#include <stdlib.h>
#include <string.h>

/* Answered at once by the connection's own thread, however many photos wait. */
fg_code fg_api_ping(fg_request *r, fg_error *err)
{
    int64_t active;
    if (atomic_load(&r->server->stopping))
        return FG_FAIL(err, FG_ERR_BUSY, "the server is stopping");
    if (!r->server->artifact && fg_store_version_active(fg_app_store(r->server->app), &active, NULL) != FG_OK)
        return FG_FAIL(err, FG_ERR_BUSY, "the store does not answer");
    return fg_reply_empty(r, 200, err);
}

typedef struct photo {
    const fg_body *body;
    const fg_invocation *invocation;
    json_t *answer;
    fg_code rc;
    fg_error err;
} photo;

static void invoke_photo(fg_worker *worker, void *context)
{
    photo *p = context;
    const fg_body *b = p->body;
    p->rc = fg_invoke_photo(worker, p->invocation, b->path ? NULL : b->memory.data, b->memory.size, b->path,
                            &p->answer, &p->err);
}

/* The rows of the body, wherever that is. */
static fg_code read_rows(const fg_body *body, fg_invoke_kind kind, fg_rows *rows, fg_error *err)
{
    fg_buf bytes;
    if (!body->path)
        return fg_rows_parse(rows, kind, body->memory.data, body->memory.size, err);
    fg_buf_init(&bytes, FG_MAX_INVOCATION_BYTES);
    fg_code rc = fg_file_read(body->path, &bytes, err);
    if (rc == FG_OK)
        rc = fg_rows_parse(rows, kind, bytes.data, bytes.size, err);
    fg_buf_deinit(&bytes);
    return rc;
}

static bool accepts_json(const fg_request *r)
{
    const char *accept = fg_request_header(r, "Accept");
    return !accept || !*accept || strstr(accept, "*/*") || strstr(accept, "application/*") ||
           strstr(accept, "application/json");
}

static fg_code invoke(fg_request *r, json_t **answer, fg_error *err)
{
    const fg_body *body = &r->body;
    fg_invocation invocation = {.artifact = r->server->artifact, .actor = {r->who, r->address}};
    fg_invoke_kind kind;
    fg_rows rows = {0};
    fg_code rc = fg_invoke_kind_parse(&kind, fg_request_header(r, "Content-Type"), err);
    *answer = NULL;
    if (rc != FG_OK)
        return rc;
    if (!body->path && body->memory.size == 0)
        return FG_FAIL(err, FG_ERR_INPUT, "the body is empty");
    if ((rc = fg_request_required_right(r, &invocation.required_right, err)) != FG_OK)
        return rc;
    if (!accepts_json(r)) {
        r->failed_status = 406;
        return FG_FAIL(err, FG_ERR_UNSUPPORTED, "the answer is application/json; ask for that in Accept");
    }
    if (kind == FG_INVOKE_PHOTO) {
        photo p = {.body = body, .invocation = &invocation};
        if ((rc = fg_pool_run(r->server->pool, invoke_photo, &p, err)) != FG_OK)
            return rc;
        *answer = p.answer;
        if (p.rc != FG_OK && err)
            *err = p.err;
        return p.rc;
    }
    rc = read_rows(body, kind, &rows, err);
    if (rc == FG_OK)
        rc = fg_invoke_rows(r->server->app, &invocation, &rows, answer, err);
    fg_rows_deinit(&rows);
    return rc;
}

fg_code fg_api_invocations(fg_request *r, fg_error *err)
{
    json_t *answer;
    fg_code rc = invoke(r, &answer, err);
    return rc == FG_OK ? fg_reply_json(r, 200, answer, err) : rc;
}
