/* One request, from its headers to its answer: what libmicrohttpd calls, on the connection's own thread. */
#include "http/http.h"

#include "base/clock.h"

#include <arpa/inet.h>
#include <math.h>
#include <netdb.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

/* A refused body that is no larger than this is read and forgotten, so that the connection can be used again.
 */
enum { SMALL_BODY = 64 << 10 };

/* Said with every answer. Scripts, styles and connections from this server alone, no frames, nothing inline.
 */
static const char *const common_headers[][2] = {
    {"Content-Security-Policy",
     "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; media-src 'self' "
     "blob:; "
     "connect-src 'self'; manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"},
    {"X-Content-Type-Options", "nosniff"},
    {"X-Frame-Options", "DENY"},
    {"Referrer-Policy", "no-referrer"},
    {"Cross-Origin-Opener-Policy", "same-origin"},
    {"Cross-Origin-Resource-Policy", "same-origin"},
    {"Permissions-Policy", "camera=(self), microphone=(), geolocation=()"},
};

/* An encoded NUL would end the text early, and make one address out of another; what is left of it matches
 * none. */
size_t fg_http_unescape(void *server, struct MHD_Connection *connection, char *text)
{
    (void)server;
    (void)connection;
    for (char *p = text; (p = strstr(p, "%00")); p += 3)
        p[2] = '1';
    return MHD_http_unescape(text);
}

static fg_guarded *guarded_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info ? info->socket_context : NULL;
}

void fg_http_connected(void *context, struct MHD_Connection *connection, void **state,
                       enum MHD_ConnectionNotificationCode what)
{
    fg_server *server = context;
    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        const union MHD_ConnectionInfo *info =
            MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
        atomic_fetch_add(&server->metrics.connections, 1);
        *state = info ? fg_guard_add(server->guard, info->connect_fd) : NULL;
    } else {
        atomic_fetch_sub(&server->metrics.connections, 1);
        fg_guard_remove(server->guard, *state);
        *state = NULL;
    }
}

/* An IPv4 client of a socket for both kinds is still that. */
static const struct sockaddr *unmapped(const struct sockaddr *address, struct sockaddr_in *v4)
{
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)address;
    if (!address || address->sa_family != AF_INET6 || !IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr))
        return address;
    *v4 = (struct sockaddr_in){.sin_family = AF_INET};
    memcpy(&v4->sin_addr, v6->sin6_addr.s6_addr + 12, sizeof v4->sin_addr);
    return (const struct sockaddr *)(const void *)v4;
}

static void find_address(fg_request *request)
{
    struct sockaddr_in v4;
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(request->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    const struct sockaddr *address = unmapped(info ? info->client_addr : NULL, &v4);
    socklen_t size =
        address && address->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
    if (!address ||
        getnameinfo(address, size, request->address, sizeof request->address, NULL, 0, NI_NUMERICHOST) != 0)
        snprintf(request->address, sizeof request->address, "?");
}

typedef struct forwarded {
    const char *last;
} forwarded;

static enum MHD_Result find_forwarded(void *context, enum MHD_ValueKind kind, const char *name,
                                      const char *value)
{
    forwarded *f = context;
    (void)kind;
    if (strcasecmp(name, "X-Forwarded-For") == 0)
        f->last = value;
    return MHD_YES;
}

/* The last address is the proxy's own word; what stands before it is the client's. */
static void believe_proxy(fg_request *r)
{
    forwarded f = {0};
    char address[sizeof r->address];
    struct in6_addr parsed;
    const char *scheme = fg_request_header(r, "X-Forwarded-Proto");
    r->secure = r->secure || (scheme && strcasecmp(scheme, "https") == 0);
    MHD_get_connection_values(r->connection, MHD_HEADER_KIND, find_forwarded, &f);
    if (!f.last)
        return;
    const char *comma = strrchr(f.last, ',');
    const char *text = comma ? comma + 1 : f.last;
    text += strspn(text, " \t");
    size_t n = strcspn(text, " \t");
    if (n == 0 || n >= sizeof address || text[n + strspn(text + n, " \t")])
        return;
    memcpy(address, text, n);
    address[n] = 0;
    if (inet_pton(AF_INET, address, &parsed) == 1 || inet_pton(AF_INET6, address, &parsed) == 1)
        memcpy(r->address, address, n + 1);
}

static fg_request *new_request(fg_server *server, struct MHD_Connection *connection, const char *url,
                               const char *method)
{
    fg_request *r = calloc(1, sizeof *r);
    if (!r)
        return NULL;
    r->server = server;
    r->connection = connection;
    r->url = url;
    r->started_ms = fg_clock_monotonic_ms();
    snprintf(r->method, sizeof r->method, "%s", method);
    /* The protocol's way through proxies that know only POST. */
    const char *meant = fg_route_is_upload(url) ? fg_request_header(r, "X-HTTP-Method-Override") : NULL;
    if (meant && strcmp(method, "POST") == 0)
        snprintf(r->method, sizeof r->method, "%s", meant);
    snprintf(r->id, sizeof r->id, "%s-%lu", server->instance, atomic_fetch_add(&server->next_id, 1));
    find_address(r);
    r->secure = server->tls;
    if (server->settings->trust_proxy)
        believe_proxy(r);
    atomic_fetch_add(&server->metrics.in_flight, 1);
    r->counted = true;
    return r;
}

static const fg_route preflight_route = {FG_OPTIONS, "(preflight)",     0,    FG_BODY_NONE,
                                         SMALL_BODY, fg_cors_preflight, NULL, NULL};
static const fg_route web_route = {FG_GET, "(page)", 0, FG_BODY_NONE, SMALL_BODY, fg_web_reply, NULL, NULL};
static const fg_route missing_route = {FG_GET,     "(no page)",          0,    FG_BODY_NONE,
                                       SMALL_BODY, fg_web_reply_missing, NULL, NULL};

/* Route, access, and what the body is to be: everything that the headers decide. */
static fg_code prepare(fg_request *r, fg_error *err)
{
    fg_server *server = r->server;
    fg_code rc;
    bool reads = strcmp(r->method, "GET") == 0 || strcmp(r->method, "HEAD") == 0;
    bool has_page = fg_web_has(server->web, r->url);
    r->route = reads && has_page ? &web_route
               : fg_cors_is_preflight(r)
                   ? &preflight_route
                   : fg_route_find(r->method, r->url, r->params, r->allow, sizeof r->allow);
    if (!r->route && has_page) {
        size_t n = strlen(r->allow);
        snprintf(r->allow + n, sizeof r->allow - n, "%sGET, HEAD", n ? ", " : "");
    }
    if (reads && !r->route && !*r->allow && fg_web_says_missing(r))
        r->route = &missing_route;
    if (server->artifact && !fg_path_in_container(r->url)) {
        r->route = NULL;
        *r->allow = 0;
    }
    if ((rc = fg_request_authorize(r, err)) != FG_OK)
        return rc;
    if (!r->route && *r->allow) {
        r->failed_status = 405;
        return FG_FAIL(err, FG_ERR_USAGE, "%s cannot be used here; see Allow", r->method);
    }
    if (!r->route)
        return FG_FAIL(err, FG_ERR_NOT_FOUND, "there is nothing at this address");
    if ((rc = fg_request_check_query(r, err)) != FG_OK)
        return rc;
    uint64_t max = r->route->max_body ? r->route->max_body : (uint64_t)server->settings->max_upload_mb << 20;
    rc = fg_body_init(&r->body, r->route->body, r->connection, server->spool, max, err);
    return rc == FG_OK && r->route->body == FG_BODY_UPLOAD ? fg_api_upload_begin(r, err) : rc;
}

/* What is asked, as a hash: of a form the parts, since its sending anew has another boundary. Files are read
 * whole: two photos of a camera may be of one name and size, and begin and end alike. */
static fg_code hash_asked(fg_request *r, fg_error *err)
{
    crypto_hash_sha256_state state;
    uint8_t digest[crypto_hash_sha256_BYTES];
    const fg_body *b = &r->body;
    crypto_hash_sha256_init(&state);
    crypto_hash_sha256_update(&state, (const uint8_t *)r->url, strlen(r->url) + 1);
    crypto_hash_sha256_update(&state, b->memory.data ? b->memory.data : (const uint8_t *)"", b->memory.size);
    for (int i = 0; i < b->part_count; i++) {
        const fg_part *part = &b->parts[i];
        const char *value = part->text ? part->text : part->filename;
        crypto_hash_sha256_update(&state, (const uint8_t *)part->name, strlen(part->name) + 1);
        crypto_hash_sha256_update(&state, (const uint8_t *)value, strlen(value) + 1);
        crypto_hash_sha256_update(&state, (const uint8_t *)&part->size, sizeof part->size);
        char hex[FG_SHA256_HEX] = "";
        fg_code rc = part->path ? fg_file_sha256(part->path, hex, NULL, err) : FG_OK;
        if (rc != FG_OK)
            return rc;
        crypto_hash_sha256_update(&state, (const uint8_t *)hex, strlen(hex));
    }
    crypto_hash_sha256_final(&state, digest);
    sodium_bin2hex(r->asked, sizeof r->asked, digest, sizeof digest);
    return FG_OK;
}

/* Photos are looked at anew each time, since an old verdict must open no door; uploads have a protocol of
 * their own. */
static bool may_be_repeated(const fg_request *r)
{
    return r->route->method == FG_POST && r->route->scopes && r->route->body != FG_BODY_PHOTO &&
           r->route->body != FG_BODY_ANY && !fg_route_is_upload(r->url);
}

static void end_repeatable(fg_request *r, const char *key, fg_code rc)
{
    fg_replay answer = {.status = r->status};
    if (rc != FG_OK || r->status >= 300) {
        fg_idempotency_end(r->server->idempotency, r->who, key, NULL);
        return;
    }
    const char *type = MHD_get_response_header(r->response, "Content-Type"),
               *location = MHD_get_response_header(r->response, "Location");
    snprintf(answer.type, sizeof answer.type, "%s", type ? type : "");
    snprintf(answer.location, sizeof answer.location, "%s", location ? location : "");
    memcpy(&answer.body, &r->reply_data, sizeof answer.body); /* only read */
    answer.size = r->reply_size;
    fg_idempotency_end(r->server->idempotency, r->who, key, &answer);
}

/* The work itself, or with an Idempotency-Key what came of it the first time. */
static fg_code handle(fg_request *r, fg_error *err)
{
    const char *key = fg_request_header(r, "Idempotency-Key");
    fg_replay replay;
    if (!key || !may_be_repeated(r))
        return r->route->handle(r, err);
    if (!fg_idempotency_is_key(key))
        return FG_FAIL(err, FG_ERR_USAGE, "Idempotency-Key: give 1 to %d visible characters",
                       FG_IDEMPOTENCY_KEY - 1);
    fg_code rc = hash_asked(r, err);
    if (rc != FG_OK)
        return rc;
    rc =
        fg_idempotency_begin(r->server->idempotency, r->who, key, r->asked, fg_clock_unix_ms(), &replay, err);
    if (rc == FG_ERR_BUSY) {
        r->failed_status = 409;
        return rc;
    }
    if (rc != FG_OK)
        return rc;
    if (!replay.status) {
        rc = r->route->handle(r, err);
        end_repeatable(r, key, rc);
        return rc;
    }
    rc = fg_reply_bytes(r, replay.status, *replay.type ? replay.type : NULL, replay.body, replay.size, err);
    if (*replay.location)
        fg_reply_header(r, "Location", replay.location);
    fg_reply_header(r, "Idempotency-Replayed", "true");
    return rc;
}

static enum MHD_Result answer(fg_request *r)
{
    fg_error err = r->failure;
    fg_code rc = r->failed;
    if (rc == FG_OK)
        rc = fg_body_finish(&r->body, &err);
    if (rc == FG_OK)
        rc = fg_request_check_body(r, &err);
    if (rc == FG_OK)
        rc = handle(r, &err);
    /* Now, not after the answer: who has it may count on the upload being gone. */
    fg_body_deinit(&r->body);
    if (rc != FG_OK) {
        if (fg_request_is_aws(r))
            fg_reply_aws_fault(r, rc, &err);
        else
            fg_reply_problem(r, rc, r->failed_status, &err);
        if (rc == FG_ERR_BUSY)
            atomic_fetch_add(&r->server->metrics.turned_away, 1);
        if (r->status >= 500)
            fg_log_write(r->server->log, FG_LOG_WARN, "request %s: %s: %s (%s)", r->id, fg_code_name(rc),
                         err.msg, err.where);
    }
    if (!r->response)
        return MHD_NO;
    for (size_t i = 0; i < sizeof common_headers / sizeof *common_headers; i++)
        fg_reply_header(r, common_headers[i][0], common_headers[i][1]);
    fg_reply_header(r, "X-Request-Id", r->id);
    if (fg_route_is_upload(r->url))
        fg_reply_header(r, "Tus-Resumable", FG_TUS_VERSION);
    fg_cors_headers(r);
    if (!MHD_get_response_header(r->response, "Cache-Control"))
        fg_reply_header(r, "Cache-Control", "no-store");
    if (r->reply_data) /* whoever may ask for a stream or a file may also take it slowly */
        fg_guard_reply(r->server->guard, guarded_of(r->connection), r->reply_size);
    enum MHD_Result queued = MHD_queue_response(r->connection, r->status, r->response);
    MHD_destroy_response(r->response);
    r->response = NULL;
    return queued;
}

/* Whether the body is not worth waiting for: it is refused already, and it is large or of unknown size. */
static bool is_refused_at_once(const fg_request *r)
{
    const char *length = fg_request_header(r, "Content-Length");
    const char *coding = fg_request_header(r, "Transfer-Encoding");
    return r->failed != FG_OK && (coding || (length && strtoull(length, NULL, 10) > SMALL_BODY));
}

enum MHD_Result fg_http_access(void *context, struct MHD_Connection *connection, const char *url,
                               const char *method, const char *version, const char *upload_data,
                               size_t *upload_data_size, void **state)
{
    fg_server *server = context;
    fg_request *r = *state;
    (void)version;
    if (!r && !(r = *state = new_request(server, connection, url, method)))
        return MHD_NO;
    if (!r->prepared) {
        r->prepared = true;
        r->failed = prepare(r, &r->failure);
        if (r->failed != FG_OK && !r->body.max_bytes)
            r->body.max_bytes = SMALL_BODY;
        r->body.failed = r->failed != FG_OK; /* what comes is read and forgotten */
        fg_guard_body(server->guard, guarded_of(connection), 0);
        return is_refused_at_once(r) ? answer(r) : MHD_YES;
    }
    if (*upload_data_size > 0) {
        atomic_fetch_add(&server->metrics.upload_bytes, *upload_data_size);
        bool go_on = fg_body_feed(&r->body, upload_data, *upload_data_size);
        r->received = r->body.received;
        fg_guard_body(server->guard, guarded_of(connection), r->received);
        *upload_data_size = 0;
        return go_on ? MHD_YES : MHD_NO;
    }
    fg_guard_busy(server->guard, guarded_of(connection));
    return answer(r);
}

/* The pattern of the address, not the address itself: that may hold anything. */
static void log_request(const fg_request *r, double ms, bool whole)
{
    const fg_log_field fields[] = {
        {"id", r->id, 0},
        {"method", r->method, 0},
        {"route", r->route ? r->route->pattern : "-", 0},
        {"status", NULL, r->status},
        {"ms", NULL, round(ms * 100) / 100},
        {"address", r->address, 0},
        {"who", *r->who ? r->who : "-", 0},
        {"bytes_in", NULL, (double)r->received},
        {"cut_off", "yes", 0},
    };
    const int count = (int)(sizeof fields / sizeof *fields);
    fg_log_fields(r->server->log, r->status >= 400 || !whole ? FG_LOG_INFO : FG_LOG_DEBUG, "request", fields,
                  whole ? count - 1 : count);
}

void fg_http_completed(void *context, struct MHD_Connection *connection, void **state,
                       enum MHD_RequestTerminationCode why)
{
    fg_server *server = context;
    fg_request *r = *state;
    fg_guard_idle(server->guard, guarded_of(connection));
    if (!r)
        return;
    double ms = fg_clock_monotonic_ms() - r->started_ms;
    if (r->status >= 100 && r->status < 600)
        atomic_fetch_add(&server->metrics.requests[r->status / 100], 1);
    if (r->counted)
        atomic_fetch_sub(&server->metrics.in_flight, 1);
    log_request(r, ms, why == MHD_REQUEST_TERMINATED_COMPLETED_OK);
    if (r->response)
        MHD_destroy_response(r->response);
    fg_body_deinit(&r->body);
    free(r);
    *state = NULL;
}
