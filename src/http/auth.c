/* Who sends a request, and may they? */
#include "http/credentials.h"
#include "http/http.h"

#include "base/clock.h"
#include "base/text.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

unsigned fg_key_scopes(fg_server *server, const char *key, char id[17])
{
    unsigned scopes;
    fg_code rc = fg_access_find(fg_app_store(server->app), key, server->settings->admin_key,
                                fg_clock_unix_ms(), &scopes, id, NULL);
    return rc == FG_OK ? scopes : 0;
}

unsigned fg_session_scopes(fg_server *server, const fg_session_owner *owner)
{
    fg_key key = {0};
    unsigned scopes = owner->scopes, now;
    int64_t now_ms = fg_clock_unix_ms();
    if (!*owner->key_id)
        return scopes;
    if (fg_store_key_by_id(fg_app_store(server->app), owner->key_id, &key, NULL) != FG_OK || key.revoked_ms ||
        (key.expires_ms && key.expires_ms <= now_ms) || fg_scopes_parse(&now, key.scope, NULL) != FG_OK)
        scopes = 0;
    if (scopes && now_ms - key.used_ms >= FG_KEY_USED_EVERY_MS) {
        /* Through its session it is in use, too; not worth refusing anybody on a full disk. */
        fg_code noted = fg_store_key_used(fg_app_store(server->app), owner->key_id, now_ms, NULL);
        (void)noted;
    }
    fg_key_deinit(&key);
    return scopes;
}

/* A page of another site can make a browser send our cookie, but it cannot set this header, nor choose
 * Origin. Reading is safe without it, since the answer cannot be read across origins. */
static bool is_same_site(const fg_request *request)
{
    const char *origin = fg_request_header(request, "Origin");
    if (origin && !fg_origin_matches(origin, request->secure, fg_request_header(request, "Host")))
        return false;
    return request->route->method == FG_GET || fg_request_header(request, "X-Facegate") != NULL;
}

/* A page of another site whose name was made to point here (DNS rebinding) still sends its own name. */
static fg_code check_host(const fg_request *request, fg_error *err)
{
    char host[256];
    const char *header = fg_request_header(request, "Host");
    if (!fg_host_parse(header, host, sizeof host))
        return FG_FAIL(err, FG_ERR_USAGE, "the Host header is missing or malformed");
    /* A proxy on this machine passes on the name that it is known by. */
    if (request->server->loopback && !request->server->settings->trust_proxy && !fg_text_is_loopback(host))
        return FG_FAIL(err, FG_ERR_FORBIDDEN,
                       "this server answers to localhost only; start it with --listen to be reached by name");
    return FG_OK;
}

static fg_code ask(fg_request *request, fg_limiter *limiter, const char *name, fg_error *err)
{
    double retry_ms = 0;
    fg_code rc = fg_limiter_ask(limiter, name, fg_clock_monotonic_ms(), &retry_ms, err);
    if (rc == FG_ERR_BUSY) {
        request->failed_status = 429;
        request->retry_after_s = retry_ms < 3.6e6 ? (int)(retry_ms / 1000) + 1 : 3600;
    }
    return rc;
}

fg_code fg_request_limit(fg_request *request, fg_error *err)
{
    char network[sizeof request->address];
    fg_client_network(request->address, network, sizeof network);
    return ask(request, request->server->limiter, network, err);
}

void fg_request_tried(fg_request *request, unsigned scopes)
{
    char network[sizeof request->address];
    double now_ms = fg_clock_monotonic_ms();
    fg_client_network(request->address, network, sizeof network);
    if (scopes) {
        fg_limiter_right(request->server->limiter, network, scopes & FG_SCOPE_ADMIN, now_ms);
    } else {
        fg_limiter_wrong(request->server->limiter, network, now_ms);
        atomic_fetch_add(&request->server->metrics.wrong_keys, 1);
    }
}

static fg_code by_key(fg_request *request, const char *key, fg_error *err)
{
    fg_server *server = request->server;
    char id[17] = "";
    fg_code rc = fg_request_limit(request, err);
    if (rc != FG_OK)
        return rc;
    rc = fg_access_find(fg_app_store(server->app), key, server->settings->admin_key, fg_clock_unix_ms(),
                        &request->scopes, id, err);
    if (rc == FG_OK || rc == FG_ERR_UNAUTHORIZED)
        fg_request_tried(request, rc == FG_OK ? request->scopes : 0);
    snprintf(request->who, sizeof request->who, "key:%s", id);
    request->owner.scopes = request->scopes;
    if (strcmp(id, "preset") != 0)
        memcpy(request->owner.key_id, id, sizeof id);
    return rc == FG_OK ? ask(request, server->key_limiter, request->who, err) : rc;
}

static fg_code by_cookie(fg_request *request, const char *token, fg_error *err)
{
    fg_session_owner *owner = &request->owner;
    fg_server *server = request->server;
    char network[sizeof request->address];
    if (fg_sessions_find(server->sessions, token, fg_clock_unix_ms(), owner))
        request->scopes = fg_session_scopes(server, owner);
    if (request->scopes == 0)
        return FG_FAIL(err, FG_ERR_UNAUTHORIZED, "the session has ended; sign in again");
    if (!is_same_site(request))
        return FG_FAIL(err, FG_ERR_FORBIDDEN, "a request by cookie must come from this site's own pages");
    request->by_session = true;
    snprintf(request->session, sizeof request->session, "%s", token);
    fg_session_who(owner, request->who, sizeof request->who);
    fg_client_network(request->address, network, sizeof network);
    return ask(request, server->key_limiter, network, err);
}

fg_code fg_request_authorize(fg_request *request, fg_error *err)
{
    char key[256], token[FG_TOKEN_TEXT];
    fg_code rc;
    const char *authorization = fg_request_header(request, "Authorization");
    const char *api_key = fg_request_header(request, "x-api-key");
    if ((rc = check_host(request, err)) != FG_OK)
        return rc;
    if (!request->route || request->server->artifact)
        return FG_OK;
    if (request->route->scopes == 0) /* signing in asks for itself, and pages and health are cheap */
        return FG_OK;
    if (fg_request_is_aws(request) && fg_aws_is_signed(authorization))
        rc = fg_request_aws_begin(request, err);
    else if (authorization && fg_bearer_parse(authorization, key, sizeof key))
        rc = by_key(request, key, err);
    else if (!authorization && api_key)
        rc = by_key(request, api_key, err);
    else if (!authorization && fg_cookie_find(fg_request_header(request, "Cookie"), request->server->cookie,
                                              token, sizeof token))
        rc = by_cookie(request, token, err);
    else
        rc = FG_FAIL(err, FG_ERR_UNAUTHORIZED,
                     "give a key, as Authorization: Bearer KEY or as x-api-key: KEY, or sign in");
    sodium_memzero(key, sizeof key);
    if (rc == FG_OK && !(request->scopes & (request->route->scopes | FG_SCOPE_ADMIN))) {
        char have[FG_SCOPES_TEXT], need[FG_SCOPES_TEXT];
        fg_scopes_text(request->scopes, have);
        fg_scopes_text(request->route->scopes, need);
        rc = FG_FAIL(err, FG_ERR_FORBIDDEN, "this key is for %s; what you ask needs one of: %s", have, need);
    }
    return rc;
}
