/* One request, from its headers to its answer: what libmicrohttpd calls, on the connection's own thread. */
#include "http/http.h"

#include "base/clock.h"

#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

static void find_address(fg_request *request)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(request->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    const struct sockaddr *address = info ? info->client_addr : NULL;
    socklen_t size =
        address && address->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
    if (!address ||
        getnameinfo(address, size, request->address, sizeof request->address, NULL, 0, NI_NUMERICHOST) != 0)
        snprintf(request->address, sizeof request->address, "?");
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
    snprintf(r->id, sizeof r->id, "%s-%lu", server->instance, atomic_fetch_add(&server->next_id, 1));
    find_address(r);
    atomic_fetch_add(&server->metrics.in_flight, 1);
    r->counted = true;
    return r;
}

static const fg_route web_route = {FG_GET, "(page)", 0, FG_BODY_NONE, SMALL_BODY, fg_web_reply};

/* Route, access, and what the body is to be: everything that the headers decide. */
static fg_code prepare(fg_request *r, fg_error *err)
{
    fg_server *server = r->server;
    fg_code rc;
    bool reads = strcmp(r->method, "GET") == 0 || strcmp(r->method, "HEAD") == 0;
    bool has_page = fg_web_has(server->web, r->url);
    r->route = reads && has_page ? &web_route
                                 : fg_route_find(r->method, r->url, r->params, r->allow, sizeof r->allow);
    if (!r->route && has_page) {
        size_t n = strlen(r->allow);
        snprintf(r->allow + n, sizeof r->allow - n, "%sGET, HEAD", n ? ", " : "");
    }
    if ((rc = fg_request_authorize(r, err)) != FG_OK)
        return rc;
    if (!r->route && *r->allow) {
        r->failed_status = 405;
        return FG_FAIL(err, FG_ERR_USAGE, "%s cannot be used here; see Allow", r->method);
    }
    if (!r->route)
        return FG_FAIL(err, FG_ERR_NOT_FOUND, "there is nothing at this address");
    uint64_t max = r->route->max_body ? r->route->max_body : (uint64_t)server->settings->max_upload_mb << 20;
    return fg_body_init(&r->body, r->route->body, r->connection, server->spool, max, err);
}

static enum MHD_Result answer(fg_request *r)
{
    fg_error err = r->failure;
    fg_code rc = r->failed;
    if (rc == FG_OK)
        rc = fg_body_finish(&r->body, &err);
    if (rc == FG_OK)
        rc = r->route->handle(r, &err);
    /* Now, not after the answer: who has it may count on the upload being gone. */
    fg_body_deinit(&r->body);
    if (rc != FG_OK) {
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
    if (!MHD_get_response_header(r->response, "Cache-Control"))
        fg_reply_header(r, "Cache-Control", "no-store");
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
        fg_guard_body(server->guard, guarded_of(connection), 0);
        return is_refused_at_once(r) ? answer(r) : MHD_YES;
    }
    if (*upload_data_size > 0) {
        atomic_fetch_add(&server->metrics.upload_bytes, *upload_data_size);
        bool go_on = fg_body_feed(&r->body, upload_data, *upload_data_size);
        fg_guard_body(server->guard, guarded_of(connection), r->body.received);
        *upload_data_size = 0;
        return go_on ? MHD_YES : MHD_NO;
    }
    fg_guard_busy(server->guard, guarded_of(connection));
    return answer(r);
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
    fg_log_write(server->log, r->status >= 400 ? FG_LOG_INFO : FG_LOG_DEBUG,
                 "request %s %s %.200s %u %.1f ms %s%s", r->id, r->method, r->route ? r->route->pattern : "-",
                 r->status, ms, r->address, why == MHD_REQUEST_TERMINATED_COMPLETED_OK ? "" : " cut off");
    if (r->response)
        MHD_destroy_response(r->response);
    fg_body_deinit(&r->body);
    free(r);
    *state = NULL;
}
