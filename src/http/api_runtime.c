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

typedef struct work {
    const fg_body *body;
    fg_invocation invocation;
    fg_invoke_kind kind;
    char *text; /* the answer */
    fg_code rc;
    fg_error err;
} work;

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

/* From bytes to bytes: what lies between may be twenty times as large, so that only the few workers may hold
 * it, and not every connection. */
static void invoke_body(fg_worker *worker, void *context)
{
    work *w = context;
    const fg_body *b = w->body;
    fg_rows rows = {0};
    json_t *answer = NULL;
    if (w->kind == FG_INVOKE_PHOTO)
        w->rc = fg_invoke_photo(worker, &w->invocation, b->path ? NULL : b->memory.data, b->memory.size,
                                b->path, &answer, &w->err);
    else if ((w->rc = read_rows(b, w->kind, &rows, &w->err)) == FG_OK)
        w->rc = fg_invoke_rows(fg_worker_app(worker), &w->invocation, &rows, &answer, &w->err);
    fg_rows_deinit(&rows);
    if (w->rc == FG_OK && !(w->text = fg_json_text(answer)))
        w->rc = FG_FAIL(&w->err, FG_ERR_MEMORY, "out of memory");
}

static bool accepts_json(const fg_request *r)
{
    const char *accept = fg_request_header(r, "Accept");
    return !accept || !*accept || strstr(accept, "*/*") || strstr(accept, "application/*") ||
           strstr(accept, "application/json");
}

fg_code fg_api_invocations(fg_request *r, fg_error *err)
{
    const fg_body *body = &r->body;
    work w = {.body = body, .invocation = {.artifact = r->server->artifact, .actor = {r->who, r->address}}};
    fg_code rc = fg_invoke_kind_parse(&w.kind, fg_request_header(r, "Content-Type"), err);
    if (rc != FG_OK)
        return rc;
    if (!body->path && body->memory.size == 0)
        return FG_FAIL(err, FG_ERR_INPUT, "the body is empty");
    if ((rc = fg_request_required_right(r, &w.invocation.required_right, err)) != FG_OK)
        return rc;
    if (!accepts_json(r)) {
        r->failed_status = 406;
        return FG_FAIL(err, FG_ERR_UNSUPPORTED, "the answer is application/json; ask for that in Accept");
    }
    if ((rc = fg_pool_run(r->server->pool, invoke_body, &w, err)) != FG_OK)
        return rc;
    if (w.rc != FG_OK) {
        if (err)
            *err = w.err;
        return w.rc;
    }
    return fg_reply_bytes(r, 200, "application/json", w.text, strlen(w.text), err);
}
