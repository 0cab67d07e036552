/* POST /endpoints/{name}/invocations: SageMaker's runtime as AWS's own clients speak it (InvokeEndpoint),
 * signed with Signature Version 4 and an access key of `facegate keys create --aws`. A bearer key will do,
 * too. Errors are AWS's: a name in x-amzn-ErrorType and a message; what the model itself refuses is a
 * ModelError. */
#include "http/http.h"

#include "access/aws_keys.h"
#include "access/aws_request.h"
#include "base/clock.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool fg_request_is_aws(const fg_request *r)
{
    return r->route && r->route->handle == fg_api_endpoint;
}

static fg_code load_key(fg_request *r, unsigned *scopes, char id[17], char secret[FG_AWS_SECRET],
                        fg_error *err)
{
    uint8_t master[FG_MASTER_KEY];
    const fg_settings *s = r->server->settings;
    fg_code rc = fg_master_key_load(master, s->data, s->master_key, false, err);
    if (rc == FG_OK)
        rc = fg_aws_key_find(fg_app_store(r->server->app), master, r->aws.access_key, fg_clock_unix_ms(),
                             scopes, id, secret, err);
    else if (rc == FG_ERR_STATE) /* no master key: nobody has an access key either */
        rc = FG_FAIL(err, FG_ERR_UNAUTHORIZED, "The security token included in the request is invalid.");
    sodium_memzero(master, sizeof master);
    if (rc == FG_ERR_UNAUTHORIZED)
        r->aws_fault = FG_AWS_UNRECOGNIZED;
    return rc;
}

fg_code fg_request_aws_begin(fg_request *r, fg_error *err)
{
    char id[17] = "", secret[FG_AWS_SECRET];
    fg_code rc = fg_request_limit(r, err);
    if (rc != FG_OK)
        return rc;
    rc = fg_aws_authorization_parse(&r->aws, fg_request_header(r, "Authorization"), &r->aws_fault, err);
    if (rc == FG_OK && fg_request_header(r, "X-Amz-Security-Token")) {
        r->aws_fault = FG_AWS_UNRECOGNIZED;
        rc = FG_FAIL(err, FG_ERR_UNAUTHORIZED, "The security token included in the request is invalid.");
    }
    if (rc == FG_OK)
        rc = fg_aws_check_time(&r->aws, fg_request_header(r, "X-Amz-Date"), fg_clock_unix_ms(), &r->aws_fault,
                               err);
    if (rc == FG_OK && strcmp(r->aws.service, "sagemaker") != 0) {
        r->aws_fault = FG_AWS_WRONG;
        rc =
            FG_FAIL(err, FG_ERR_UNAUTHORIZED, "Credential should be scoped to correct service: 'sagemaker'.");
    }
    if (rc == FG_OK)
        rc = load_key(r, &r->scopes, id, secret, err);
    sodium_memzero(secret, sizeof secret);
    if (rc == FG_ERR_UNAUTHORIZED)
        fg_request_tried(r, 0);
    snprintf(r->who, sizeof r->who, "key:%s", id);
    return rc;
}

/* -- the signature, once the body is there -- */

typedef struct collected {
    fg_sigv4_header headers[FG_AWS_HEADERS];
    int count;
    bool too_many;
    fg_buf query; /* encoded anew */
    fg_code rc;
} collected;

static enum MHD_Result add_header(void *context, enum MHD_ValueKind kind, const char *name, const char *value)
{
    collected *c = context;
    (void)kind;
    if (c->count == FG_AWS_HEADERS) {
        c->too_many = true;
        return MHD_NO;
    }
    c->headers[c->count++] = (fg_sigv4_header){name, value ? value : ""};
    return MHD_YES;
}

static void add_encoded(collected *c, const char *text)
{
    if (c->rc == FG_OK)
        c->rc = fg_buf_append_uri(&c->query, text, strlen(text), false, NULL);
}

static enum MHD_Result add_argument(void *context, enum MHD_ValueKind kind, const char *name,
                                    const char *value)
{
    collected *c = context;
    (void)kind;
    if (c->rc == FG_OK && c->query.size)
        c->rc = fg_buf_append(&c->query, "&", 1, NULL);
    add_encoded(c, name);
    if (c->rc == FG_OK)
        c->rc = fg_buf_append(&c->query, "=", 1, NULL);
    add_encoded(c, value ? value : "");
    return MHD_YES;
}

static fg_code hash_body(const fg_body *body, char sha256[FG_SHA256_HEX], fg_error *err)
{
    if (body->path)
        return fg_file_sha256(body->path, sha256, NULL, err);
    fg_sha256_hex(body->memory.data ? (const void *)body->memory.data : "", body->memory.size, sha256);
    return FG_OK;
}

static fg_code check_signature(fg_request *r, fg_error *err)
{
    char sha256[FG_SHA256_HEX], secret[FG_AWS_SECRET], id[17];
    unsigned scopes;
    collected *c = calloc(1, sizeof *c);
    if (!c)
        return FG_FAIL(err, FG_ERR_MEMORY, "out of memory");
    fg_buf_init(&c->query, 64 << 10);
    MHD_get_connection_values(r->connection, MHD_HEADER_KIND, add_header, c);
    MHD_get_connection_values(r->connection, MHD_GET_ARGUMENT_KIND, add_argument, c);
    const fg_sigv4_request request = {
        .method = r->method,
        .path = r->url, /* of the route's own characters, which need no encoding */
        .query = (const char *)c->query.data,
        .headers = c->headers,
        .header_count = c->count,
        .payload_sha256 = sha256,
    };
    fg_code rc = c->rc;
    if (rc != FG_OK)
        rc = FG_FAIL(err, rc, "the query is too long");
    if (rc == FG_OK && c->too_many)
        rc = FG_FAIL(err, FG_ERR_LIMIT, "the request has more than %d headers", FG_AWS_HEADERS);
    if (rc == FG_OK)
        rc = hash_body(&r->body, sha256, err);
    if (rc == FG_OK)
        rc = load_key(r, &scopes, id, secret, err);
    if (rc == FG_OK)
        rc = fg_aws_check_signature(&r->aws, &request, secret, &r->aws_fault, err);
    sodium_memzero(secret, sizeof secret);
    if (rc == FG_OK || rc == FG_ERR_UNAUTHORIZED)
        fg_request_tried(r, rc == FG_OK ? scopes : 0);
    fg_buf_deinit(&c->query);
    free(c);
    return rc;
}

fg_code fg_api_endpoint(fg_request *r, fg_error *err)
{
    fg_code rc = r->aws.access_key[0] ? check_signature(r, err) : FG_OK;
    if (rc != FG_OK)
        return rc;
    if (strcmp(r->params[0], r->server->settings->endpoint_name) != 0) {
        r->aws_fault = FG_AWS_INVALID;
        return FG_FAIL(err, FG_ERR_NOT_FOUND, "Endpoint %s of account facegate not found.", r->params[0]);
    }
    rc = fg_api_invocations(r, err);
    if (rc == FG_OK) {
        fg_reply_header(r, "x-Amzn-Invoked-Production-Variant", "AllTraffic");
        fg_reply_header(r, "x-amzn-RequestId", r->id);
    } else if (rc == FG_ERR_INPUT || rc == FG_ERR_UNSUPPORTED || rc == FG_ERR_LIMIT || rc == FG_ERR_STATE ||
               rc == FG_ERR_USAGE) {
        r->aws_fault = FG_AWS_MODEL;
    }
    return rc;
}

/* -- errors -- */

static fg_aws_fault fault_of(const fg_request *r, fg_code code)
{
    if (r->aws_fault != FG_AWS_GOOD)
        return r->aws_fault;
    switch (code) {
    case FG_ERR_UNAUTHORIZED:
        return fg_request_header(r, "Authorization") || fg_request_header(r, "x-api-key")
                   ? FG_AWS_UNRECOGNIZED
                   : FG_AWS_MISSING;
    case FG_ERR_FORBIDDEN:
        return FG_AWS_DENIED;
    case FG_ERR_BUSY:
        return r->failed_status == 429 ? FG_AWS_THROTTLED : FG_AWS_UNAVAILABLE;
    case FG_ERR_INPUT:
    case FG_ERR_UNSUPPORTED:
    case FG_ERR_LIMIT:
    case FG_ERR_USAGE:
    case FG_ERR_STATE:
    case FG_ERR_NOT_FOUND:
        return FG_AWS_INVALID;
    default:
        return FG_AWS_INTERNAL;
    }
}

void fg_reply_aws_fault(fg_request *r, fg_code code, const fg_error *err)
{
    const fg_aws_fault fault = fault_of(r, code);
    const unsigned original = r->failed_status ? r->failed_status : fg_code_http_status(code);
    const char *told = fg_error_told(err);
    char message[sizeof err->msg + 128];
    json_t *document;
    if (fault == FG_AWS_MODEL) {
        snprintf(message, sizeof message, "Received client error (%u) from model with message \"%s\".",
                 original, told);
        document = json_pack("{s:s, s:s, s:i, s:s}", "Message", message, "OriginalMessage", told,
                             "OriginalStatusCode", (int)original, "LogStreamArn", "");
    } else {
        /* What went wrong inside is for the log: it may name paths of this machine. */
        document = json_pack(
            "{s:s}", "message",
            fault == FG_AWS_INTERNAL ? "something went wrong in the server; its log says what" : told);
    }
    if (fg_reply_json(r, fg_aws_fault_status(fault), document, NULL) != FG_OK)
        return;
    fg_reply_header(r, "x-amzn-ErrorType", fg_aws_fault_name(fault));
    fg_reply_header(r, "x-amzn-RequestId", r->id);
}
