/* What the files of http/ share: the server, one request, the table of routes. */
#ifndef FG_HTTP_HTTP_H
#define FG_HTTP_HTTP_H

#include "access/access.h"
#include "access/aws_request.h"
#include "access/limiter.h"
#include "blob/spool.h"
#include "http/body.h"
#include "http/guard.h"
#include "http/idempotency.h"
#include "http/janitor.h"
#include "http/jobs.h"
#include "http/metrics.h"
#include "http/pool.h"
#include "http/server.h"
#include "http/sessions.h"
#include "http/uploads.h"

#include <jansson.h>
#include <microhttpd.h>

enum {
    FG_HTTP_CONNECTIONS = 256,
    FG_HTTP_PER_ADDRESS = 192,
    FG_HTTP_STREAMS = 48,            /* event streams, of the connections */
    FG_HTTP_IDLE_S = 30,             /* of silence on a connection */
    FG_HTTP_HEADER_BYTES = 32 << 10, /* of a request's line and headers */
    FG_HTTP_STACK_BYTES = 512 << 10,
    FG_HTTP_DRAIN_MS = 5000, /* for requests under way, at the end */
    FG_HTTP_PAGE = 1000,     /* of a list, where nobody says how much of it */
    FG_HTTP_PARAMS = 2,
    FG_HTTP_PARAM = 64,
};

typedef struct fg_web fg_web;

struct fg_server {
    fg_app *app;
    const fg_artifact
        *artifact; /* what answers in a container: then there is no store, and no key is asked for */
    const fg_settings *settings;
    const fg_log *log;
    struct MHD_Daemon *daemon;
    int listen_fd;
    int stop_pipe[2];
    char url[320];
    char cookie[32]; /* its name; cookies know no ports, so the port is in the name */
    bool tls, loopback;
    fg_buf tls_cert, tls_key;
    fg_spool *spool;
    fg_uploads *uploads;
    fg_sessions *sessions;
    fg_limiter *limiter;     /* by address, of those who try keys */
    fg_limiter *key_limiter; /* by key, and by address of a session */
    fg_idempotency *idempotency;
    fg_guard *guard;
    fg_pool *pool;
    fg_jobs *jobs;
    fg_janitor *janitor;
    fg_web *web;
    fg_metrics metrics;
    atomic_ulong next_id;
    char instance[9]; /* of this run, in request ids */
    atomic_bool stopping;
};

typedef enum fg_method {
    FG_GET = 1, /* and HEAD */
    FG_POST = 2,
    FG_PATCH = 4,
    FG_DELETE = 8,
    FG_OPTIONS = 16
} fg_method;

typedef struct fg_request fg_request;
/* Fills the request's reply by one of the functions below, or fails: then the reply is a problem document. */
typedef fg_code (*fg_handler)(fg_request *request, fg_error *err);

typedef struct fg_route {
    fg_method method;
    const char *pattern; /* "/api/v1/members/{}": each {} is one part of the path, 1..63 of [A-Za-z0-9_-] */
    unsigned scopes;     /* fg_scope bits, any of which will do; 0: open to all */
    fg_body_kind body;
    uint64_t max_body; /* 0: the setting max_upload_mb */
    fg_handler handle;
    /* Words apart by spaces: the parameters of its query, and the fields of its form ('@' before those that
     * are files) or keys of its JSON; "": none. What is not among them is refused, since a misspelt word that
     * went unnoticed would be a wish that was not granted. NULL: whatever comes is let through. */
    const char *query, *fields;
} fg_route;

struct fg_request {
    fg_server *server;
    struct MHD_Connection *connection;
    const fg_route *route;
    const char *url; /* libmicrohttpd's, while the request lasts */
    char method[12];
    char id[32];
    char params[FG_HTTP_PARAMS][FG_HTTP_PARAM];
    char required_right[FG_MAX_NAME_BYTES + 1];
    char address[64];
    char who[32]; /* "web:<id of the key that opened the session>", "web", "key:<id>", "key:preset" */
    bool by_session;
    bool secure; /* by TLS, here or at the proxy */
    char session[FG_TOKEN_TEXT];
    fg_session_owner owner;   /* of the session, or what one would have that the key opens */
    unsigned scopes;          /* that it has */
    fg_aws_authorization aws; /* of a request that an AWS client has signed */
    fg_aws_fault aws_fault;
    fg_body body;
    bool prepared, counted;
    fg_code failed; /* decided before the body was read */
    fg_error failure;
    unsigned failed_status; /* instead of the code's own; 0: the code's */
    bool fault_told;        /* the message of a 500 is for the client, too, unless it is local */
    char allow[64];         /* of a 405 */
    int retry_after_s;
    double started_ms;
    uint64_t received; /* bytes of the body */
    unsigned status;
    struct MHD_Response *response;
    const void *reply_data; /* where the response is bytes: they live as long as it does */
    size_t reply_size;
    char asked[FG_IDEMPOTENCY_HASH]; /* a hash of it, where it has an Idempotency-Key; else "" */
};

/* -- routes.c -- */

/* Where the path is known but not with this method, NULL with allow filled ("GET, POST"). */
const fg_route *fg_route_find(const char *method, const char *path,
                              char params[FG_HTTP_PARAMS][FG_HTTP_PARAM], char *allow, size_t allow_size);
/* That the route takes every parameter of the query: FG_ERR_USAGE names the first that it does not. */
fg_code fg_request_check_query(const fg_request *request, fg_error *err) FG_MUST_CHECK;
/* The same of one field or key, FG_ERR_INPUT, and of all parts of a form; also that there is no body where
 * none is taken. */
fg_code fg_request_check_field(const fg_request *request, const char *name, bool file,
                               fg_error *err) FG_MUST_CHECK;
fg_code fg_request_check_body(const fg_request *request, fg_error *err) FG_MUST_CHECK;
/* Whether the address is one of the resumable uploads, whose protocol has rules of its own. */
bool fg_route_is_upload(const char *path);
/* Whether the path is there in a container, too: the platform's own contract and nothing else. */
bool fg_path_in_container(const char *path);
/* Whole and positive; FG_ERR_NOT_FOUND for anything else, since it is part of a path. */
fg_code fg_request_id_param(const fg_request *request, int n, int64_t *id, fg_error *err) FG_MUST_CHECK;

/* -- auth.c -- */

/* Who sends this and whether they may: fills who, scopes, by_session. Host, Origin and the key or cookie. */
fg_code fg_request_authorize(fg_request *request, fg_error *err) FG_MUST_CHECK;
/* Before a key is tried: FG_ERR_BUSY, and a reply of 429, where this address tries too many. */
fg_code fg_request_limit(fg_request *request, fg_error *err) FG_MUST_CHECK;
/* What came of the key: its scopes, 0 for a wrong one. */
void fg_request_tried(fg_request *request, unsigned scopes);
/* The scopes of a live key, 0 for none. */
unsigned fg_key_scopes(fg_server *server, const char *key, char id[17]);
/* The scopes that a session still has: those of its key, which may have been revoked since. */
unsigned fg_session_scopes(fg_server *server, const fg_session_owner *owner);

/* -- cors.c -- */

fg_code fg_cors_check(const fg_settings *settings, fg_error *err) FG_MUST_CHECK; /* at the start */
bool fg_cors_is_preflight(const fg_request *request);
fg_code fg_cors_preflight(fg_request *request, fg_error *err) FG_MUST_CHECK;
void fg_cors_headers(fg_request *request);

/* -- reply.c -- */

const char *fg_request_header(const fg_request *request, const char *name);
const char *fg_request_query(const fg_request *request, const char *name); /* NULL where it is not there */
bool fg_request_flag(const fg_request *request, const char *name);         /* ?name, ?name=1, ?name=true */
/* *value is left as it is where the query has none. FG_ERR_USAGE outside min..max. */
fg_code fg_request_query_int(const fg_request *request, const char *name, int64_t min, int64_t max,
                             int64_t *value, fg_error *err) FG_MUST_CHECK;
/* The right that a decision is to need: ?require or a field of the form, NULL where there is neither. Only
 * one is taken, and none that is empty: a right that went unnoticed would let in whom it was to keep out.
 * It lives as long as the request. FG_ERR_USAGE. */
fg_code fg_request_required_right(fg_request *request, const char **right, fg_error *err) FG_MUST_CHECK;
char *fg_json_text(json_t *document); /* takes the document; NULL where there is no memory */
/* Takes the document; NULL is FG_ERR_MEMORY. */
fg_code fg_reply_json(fg_request *request, unsigned status, json_t *document, fg_error *err) FG_MUST_CHECK;
/* With an ETag, and as 304 where If-None-Match has it: who polls pays for what has changed alone. Takes the
 * document. */
fg_code fg_reply_tagged(fg_request *request, json_t *document, fg_error *err) FG_MUST_CHECK;
/* The same for bytes that live for ever. */
fg_code fg_reply_tagged_static(fg_request *request, const char *type, const void *data, size_t size,
                               fg_error *err) FG_MUST_CHECK;
/* Whether If-None-Match has this tag, which is quoted. */
bool fg_request_knows(const fg_request *request, const char *quoted);
/* ?limit and ?offset of a list of so many, limit where there is none in the query: those from *from on, up to
 * *to. */
fg_code fg_request_page(const fg_request *request, long total, long limit, long *from, long *to,
                        fg_error *err) FG_MUST_CHECK;
/* RFC 8288: a Link header to the same address with name=value in its query, rel="next". */
void fg_reply_next(fg_request *request, const char *name, int64_t value);
/* Takes data (malloc'ed). */
fg_code fg_reply_bytes(fg_request *request, unsigned status, const char *type, void *data, size_t size,
                       fg_error *err) FG_MUST_CHECK;
fg_code fg_reply_static(fg_request *request, unsigned status, const char *type, const void *data, size_t size,
                        fg_error *err) FG_MUST_CHECK;
/* The file at path, for the browser to keep as name; it is unlinked in any case. rc is how the file was made:
 * where that failed, it is returned. */
fg_code fg_reply_download(fg_request *request, fg_code rc, const char *path, const char *type,
                          const char *name, fg_error *err) FG_MUST_CHECK;
fg_code fg_reply_empty(fg_request *request, unsigned status, fg_error *err) FG_MUST_CHECK; /* 204, 304 */
void fg_reply_header(fg_request *request, const char *name, const char *value); /* after one of these */
/* An RFC 9457 problem document. */
void fg_reply_problem(fg_request *request, fg_code code, unsigned status, const fg_error *err);
/* The body as a JSON object, of the route's keys alone; FG_ERR_INPUT. */
fg_code fg_request_json(const fg_request *request, json_t **object, fg_error *err) FG_MUST_CHECK;
/* As fg_text_name has it, but always FG_ERR_INPUT: of what was sent. */
fg_code fg_request_name(char out[FG_MAX_NAME_BYTES + 1], const char *what, const char *text,
                        fg_error *err) FG_MUST_CHECK;
/* The same of a key's text; "" where the object has none, or null. */
fg_code fg_json_name(const json_t *object, const char *key, char out[FG_MAX_NAME_BYTES + 1],
                     fg_error *err) FG_MUST_CHECK;

/* -- api_audit.c -- */

/* RFC 4180, and nothing that a spreadsheet would take for a formula. */
fg_code fg_csv_field(fg_buf *out, const char *text, bool last, fg_error *err) FG_MUST_CHECK;

/* -- api_jobs.c -- */

/* Who orders, and the request's Idempotency-Key. */
void fg_request_order(const fg_request *request, fg_job_order *order);
/* Takes the order (see fg_jobs_add) and answers 202 with the job, or 429. */
fg_code fg_reply_job(fg_request *request, fg_job_order *order, fg_error *err) FG_MUST_CHECK;

/* -- api_endpoint.c: requests of AWS clients -- */

bool fg_request_is_aws(const fg_request *request); /* at an address that AWS clients know */
/* What the headers say: the key and its scopes. The signature is over the body too, and checked by the
 * handler. */
fg_code fg_request_aws_begin(fg_request *request, fg_error *err) FG_MUST_CHECK;
void fg_reply_aws_fault(fg_request *request, fg_code code, const fg_error *err);

/* -- web.c -- */

/* folder: NULL for the built-in files. */
fg_code fg_web_open(fg_web **web, const char *folder, fg_error *err) FG_MUST_CHECK;
void fg_web_close(fg_web *web);
bool fg_web_has(const fg_web *web, const char *path);
fg_code fg_web_reply(fg_request *request, fg_error *err) FG_MUST_CHECK;
bool fg_web_says_missing(const fg_request *request);
fg_code fg_web_reply_missing(fg_request *request, fg_error *err) FG_MUST_CHECK;

/* -- request.c: what libmicrohttpd calls -- */

enum MHD_Result fg_http_access(void *server, struct MHD_Connection *connection, const char *url,
                               const char *method, const char *version, const char *upload_data,
                               size_t *upload_data_size, void **state);
size_t fg_http_unescape(void *server, struct MHD_Connection *connection, char *text);
void fg_http_completed(void *server, struct MHD_Connection *connection, void **state,
                       enum MHD_RequestTerminationCode why);
void fg_http_connected(void *server, struct MHD_Connection *connection, void **state,
                       enum MHD_ConnectionNotificationCode what);

/* -- the handlers, by file -- */

fg_code fg_api_members_list(fg_request *, fg_error *);
fg_code fg_api_members_add(fg_request *, fg_error *);
fg_code fg_api_member_get(fg_request *, fg_error *);
fg_code fg_api_member_set(fg_request *, fg_error *);
fg_code fg_api_member_remove(fg_request *, fg_error *);
fg_code fg_api_member_sources(fg_request *, fg_error *);
fg_code fg_api_member_chips(fg_request *, fg_error *);
fg_code fg_api_member_chip(fg_request *, fg_error *);
fg_code fg_api_member_portrait(fg_request *, fg_error *);
fg_code fg_api_member_enroll(fg_request *, fg_error *);

fg_code fg_api_uploads_options(fg_request *, fg_error *);
fg_code fg_api_upload_create(fg_request *, fg_error *);
fg_code fg_api_upload_get(fg_request *, fg_error *);
/* Before the body of an append; what fails here is the answer. */
fg_code fg_api_upload_begin(fg_request *, fg_error *);
fg_code fg_api_upload_append(fg_request *, fg_error *);
fg_code fg_api_upload_remove(fg_request *, fg_error *);

fg_code fg_api_jobs_list(fg_request *, fg_error *);
fg_code fg_api_job_get(fg_request *, fg_error *);
fg_code fg_api_job_cancel(fg_request *, fg_error *);
fg_code fg_api_job_events(fg_request *, fg_error *);
fg_code fg_api_job_thumb(fg_request *, fg_error *);

fg_code fg_api_train(fg_request *, fg_error *);
fg_code fg_api_classifiers(fg_request *, fg_error *);
fg_code fg_api_classifier_get(fg_request *, fg_error *);
fg_code fg_api_classifier_activate(fg_request *, fg_error *);
fg_code fg_api_look(fg_request *, fg_error *);
fg_code fg_api_verify(fg_request *, fg_error *);

fg_code fg_api_endpoint(fg_request *, fg_error *);
fg_code fg_api_ping(fg_request *, fg_error *);
fg_code fg_api_invocations(fg_request *, fg_error *);

fg_code fg_api_dataset_npz(fg_request *, fg_error *);
fg_code fg_api_dataset_pickle(fg_request *, fg_error *);

fg_code fg_api_audit(fg_request *, fg_error *);
fg_code fg_api_audit_csv(fg_request *, fg_error *);
fg_code fg_api_settings(fg_request *, fg_error *);
fg_code fg_api_settings_set(fg_request *, fg_error *);
fg_code fg_api_reset(fg_request *, fg_error *);
fg_code fg_api_chips_zip(fg_request *, fg_error *);
fg_code fg_api_member_chips_zip(fg_request *, fg_error *);
fg_code fg_api_keys_list(fg_request *, fg_error *);
fg_code fg_api_key_create(fg_request *, fg_error *);
fg_code fg_api_key_revoke(fg_request *, fg_error *);

fg_code fg_api_sign_in(fg_request *, fg_error *);
fg_code fg_api_sign_out(fg_request *, fg_error *);
fg_code fg_api_session(fg_request *, fg_error *);
fg_code fg_api_about(fg_request *, fg_error *);
fg_code fg_api_openapi(fg_request *, fg_error *);
fg_code fg_api_healthz(fg_request *, fg_error *);
fg_code fg_api_readyz(fg_request *, fg_error *);
fg_code fg_api_metrics(fg_request *, fg_error *);

#endif
