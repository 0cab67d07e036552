/* What the files of http/ share: the server, one request, the table of routes. */
#ifndef FG_HTTP_HTTP_H
#define FG_HTTP_HTTP_H

#include "access/access.h"
#include "access/limiter.h"
#include "http/body.h"
#include "http/guard.h"
#include "http/jobs.h"
#include "http/metrics.h"
#include "http/pool.h"
#include "http/server.h"
#include "http/sessions.h"
#include "http/spool.h"

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
    FG_HTTP_PARAMS = 2,
    FG_HTTP_PARAM = 32,
};

typedef struct fg_web fg_web;

struct fg_server {
    fg_app *app;
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
    fg_sessions *sessions;
    fg_limiter *limiter; /* by address */
    fg_guard *guard;
    fg_pool *pool;
    fg_jobs *jobs;
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
    FG_DELETE = 8
} fg_method;

typedef struct fg_request fg_request;
/* Fills the request's reply by one of the functions below, or fails: then the reply is a problem document. */
typedef fg_code (*fg_handler)(fg_request *request, fg_error *err);

typedef struct fg_route {
    fg_method method;
    const char *pattern; /* "/api/v1/members/{}": each {} is one part of the path, 1..31 of [A-Za-z0-9_-] */
    unsigned scopes;     /* fg_scope bits, any of which will do; 0: open to all */
    fg_body_kind body;
    uint64_t max_body; /* 0: the setting max_upload_mb */
    fg_handler handle;
} fg_route;

struct fg_request {
    fg_server *server;
    struct MHD_Connection *connection;
    const fg_route *route;
    const char *url; /* libmicrohttpd's, while the request lasts */
    char method[12];
    char id[32];
    char params[FG_HTTP_PARAMS][FG_HTTP_PARAM];
    char address[64];
    char who[32]; /* "web", "key:<id>", "admin" */
    bool by_session;
    char session[FG_TOKEN_TEXT];
    unsigned scopes; /* that it has */
    fg_body body;
    bool prepared, counted;
    fg_code failed; /* decided before the body was read */
    fg_error failure;
    unsigned failed_status; /* instead of the code's own; 0: the code's */
    char allow[64];         /* of a 405 */
    int retry_after_s;
    double started_ms;
    unsigned status;
    struct MHD_Response *response;
};

/* -- routes.c -- */

/* Where the path is known but not with this method, NULL with allow filled ("GET, POST"). */
const fg_route *fg_route_find(const char *method, const char *path,
                              char params[FG_HTTP_PARAMS][FG_HTTP_PARAM], char *allow, size_t allow_size);
/* Whole and positive; FG_ERR_NOT_FOUND for anything else, since it is part of a path. */
fg_code fg_request_id_param(const fg_request *request, int n, int64_t *id, fg_error *err) FG_MUST_CHECK;

/* -- auth.c -- */

/* Who sends this and whether they may: fills who, scopes, by_session. Host, Origin and the key or cookie. */
fg_code fg_request_authorize(fg_request *request, fg_error *err) FG_MUST_CHECK;
/* Before a key is tried: FG_ERR_BUSY, and a reply of 429, where this address tries too many. */
fg_code fg_request_limit(fg_request *request, fg_error *err) FG_MUST_CHECK;
/* What came of the key. */
void fg_request_tried(fg_request *request, bool right);
/* The scopes of a live key, 0 for none. */
unsigned fg_key_scopes(fg_server *server, const char *key, char id[17]);

/* -- reply.c -- */

const char *fg_request_header(const fg_request *request, const char *name);
const char *fg_request_query(const fg_request *request, const char *name); /* NULL where it is not there */
bool fg_request_flag(const fg_request *request, const char *name);         /* ?name, ?name=1, ?name=true */
/* *value is left as it is where the query has none. FG_ERR_USAGE outside min..max. */
fg_code fg_request_query_int(const fg_request *request, const char *name, int64_t min, int64_t max,
                             int64_t *value, fg_error *err) FG_MUST_CHECK;
/* Takes the document; NULL is FG_ERR_MEMORY. */
fg_code fg_reply_json(fg_request *request, unsigned status, json_t *document, fg_error *err) FG_MUST_CHECK;
/* Takes data (malloc'ed). */
fg_code fg_reply_bytes(fg_request *request, unsigned status, const char *type, void *data, size_t size,
                       fg_error *err) FG_MUST_CHECK;
fg_code fg_reply_static(fg_request *request, unsigned status, const char *type, const void *data, size_t size,
                        fg_error *err) FG_MUST_CHECK;
fg_code fg_reply_empty(fg_request *request, unsigned status, fg_error *err) FG_MUST_CHECK; /* 204, 304 */
void fg_reply_header(fg_request *request, const char *name, const char *value); /* after one of these */
/* An RFC 9457 problem document. */
void fg_reply_problem(fg_request *request, fg_code code, unsigned status, const fg_error *err);
/* The body as a JSON object; FG_ERR_INPUT. */
fg_code fg_request_json(const fg_request *request, json_t **object, fg_error *err) FG_MUST_CHECK;
/* A text of 1..FG_MAX_NAME_BYTES bytes of UTF-8 without control characters, not all spaces; *text is
 * borrowed, NULL where the object has none. FG_ERR_INPUT names the key. */
fg_code fg_json_name(const json_t *object, const char *key, const char **text, fg_error *err) FG_MUST_CHECK;
bool fg_is_name(const char *text);

/* -- web.c -- */

/* folder: NULL for the built-in files. */
fg_code fg_web_open(fg_web **web, const char *folder, fg_error *err) FG_MUST_CHECK;
void fg_web_close(fg_web *web);
bool fg_web_has(const fg_web *web, const char *path);
fg_code fg_web_reply(fg_request *request, fg_error *err) FG_MUST_CHECK;

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

fg_code fg_api_jobs_list(fg_request *, fg_error *);
fg_code fg_api_job_get(fg_request *, fg_error *);
fg_code fg_api_job_cancel(fg_request *, fg_error *);
fg_code fg_api_job_events(fg_request *, fg_error *);
fg_code fg_api_job_thumb(fg_request *, fg_error *);

fg_code fg_api_train(fg_request *, fg_error *);
fg_code fg_api_classifiers(fg_request *, fg_error *);
fg_code fg_api_classifier_activate(fg_request *, fg_error *);
fg_code fg_api_verify(fg_request *, fg_error *);

fg_code fg_api_audit(fg_request *, fg_error *);
fg_code fg_api_keys_list(fg_request *, fg_error *);
fg_code fg_api_key_create(fg_request *, fg_error *);
fg_code fg_api_key_revoke(fg_request *, fg_error *);

fg_code fg_api_sign_in(fg_request *, fg_error *);
fg_code fg_api_sign_out(fg_request *, fg_error *);
fg_code fg_api_session(fg_request *, fg_error *);
fg_code fg_api_about(fg_request *, fg_error *);
fg_code fg_api_healthz(fg_request *, fg_error *);
fg_code fg_api_readyz(fg_request *, fg_error *);
fg_code fg_api_metrics(fg_request *, fg_error *);

#endif
