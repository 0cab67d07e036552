/* Keys, sessions, the audit. */
#include "http/http.h"

#include "base/clock.h"
#include "http/credentials.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

static const int64_t day_ms = 24 * 3600 * 1000;

static json_t *time_text(int64_t ms)
{
    char text[FG_TIME_TEXT];
    if (ms == 0)
        return json_null();
    fg_clock_text(ms, text);
    return json_string(text);
}

static fg_code record(const fg_request *r, const char *action, const char *subject, fg_error *err)
{
    char act[32], sub[64], who[32], source[64], none[1] = "";
    snprintf(act, sizeof act, "%s", action);
    snprintf(sub, sizeof sub, "%s", subject);
    snprintf(who, sizeof who, "%s", r->who);
    snprintf(source, sizeof source, "%s", r->address);
    fg_audit_row row = {.time_ms = fg_clock_unix_ms(),
                        .actor = who,
                        .source = source,
                        .action = act,
                        .subject = sub,
                        .decision = none,
                        .reasons = none};
    return fg_store_audit_add(fg_app_store(r->server->app), &row, err);
}

/* -- keys -- */

static json_t *key_json(const fg_key *k)
{
    return json_pack("{s:s, s:s, s:s, s:o, s:o, s:o, s:o}", "id", k->id, "label", k->label ? k->label : "",
                     "scope", k->scope ? k->scope : "", "created", time_text(k->created_ms), "expires",
                     time_text(k->expires_ms), "revoked", time_text(k->revoked_ms), "used",
                     time_text(k->used_ms));
}

fg_code fg_api_keys_list(fg_request *r, fg_error *err)
{
    fg_key *keys = NULL;
    long count = 0;
    fg_code rc = fg_store_keys(fg_app_store(r->server->app), &keys, &count, err);
    if (rc != FG_OK)
        return rc;
    json_t *list = json_array();
    for (long i = 0; i < count; i++)
        json_array_append_new(list, key_json(&keys[i]));
    fg_keys_free(keys, count);
    return fg_reply_json(r, 200, json_pack("{s:o}", "keys", list), err);
}

fg_code fg_api_key_create(fg_request *r, fg_error *err)
{
    const char *label = NULL, *scope_name = NULL;
    char text[FG_KEY_TEXT] = "";
    json_t *object = NULL;
    fg_scope scope;
    fg_code rc = fg_request_json(r, &object, err);
    if (rc != FG_OK || (rc = fg_json_name(object, "label", &label, err)) != FG_OK ||
        (rc = fg_json_name(object, "scope", &scope_name, err)) != FG_OK)
        goto done;
    const json_t *days = json_object_get(object, "expires_days");
    json_int_t life = days && !json_is_null(days) ? json_integer_value(days) : 0;
    if ((days && !json_is_null(days) && !json_is_integer(days)) || life < 0 || life > 36500) {
        rc = FG_FAIL(err, FG_ERR_INPUT, "expires_days: give a whole number from 0 (never) to 36500");
        goto done;
    }
    if ((rc = fg_scope_parse(&scope, scope_name ? scope_name : "verify", err)) != FG_OK ||
        (rc = fg_access_key_create(fg_app_store(r->server->app), scope, label ? label : "",
                                   life ? fg_clock_unix_ms() + (int64_t)life * day_ms : 0, text, err)) !=
            FG_OK)
        goto done;
    char id[17] = "";
    (void)sscanf(text, "fg_%16[0-9a-f]", id);
    if ((rc = record(r, "key_create", id, err)) == FG_OK)
        rc = fg_reply_json(
            r, 201, json_pack("{s:s, s:s, s:s}", "id", id, "key", text, "scope", fg_scope_name(scope)), err);
done:
    sodium_memzero(text, sizeof text);
    json_decref(object);
    return rc;
}

fg_code fg_api_key_revoke(fg_request *r, fg_error *err)
{
    fg_key key = {0};
    fg_store *store = fg_app_store(r->server->app);
    fg_code rc = fg_store_key_by_id(store, r->params[0], &key, err);
    if (rc == FG_OK && !key.revoked_ms)
        rc = fg_store_key_revoke(store, r->params[0], fg_clock_unix_ms(), err);
    if (rc == FG_OK) {
        fg_sessions_end_of_key(r->server->sessions, r->params[0]);
        rc = record(r, "key_revoke", r->params[0], err);
    }
    fg_key_deinit(&key);
    return rc == FG_OK ? fg_reply_empty(r, 204, err) : rc;
}

/* -- sessions -- */

static void set_cookie(fg_request *r, const char *token, long seconds)
{
    char cookie[256];
    snprintf(cookie, sizeof cookie, "%s=%s; Path=/; HttpOnly; SameSite=Strict; Max-Age=%ld%s",
             r->server->cookie, token, seconds, r->server->tls ? "; Secure" : "");
    fg_reply_header(r, "Set-Cookie", cookie);
}

static json_t *scopes_json(unsigned scopes)
{
    json_t *list = json_array();
    for (unsigned bit = 1; bit <= FG_SCOPE_ADMIN; bit <<= 1)
        if (scopes & (bit | FG_SCOPE_ADMIN))
            json_array_append_new(list, json_string(fg_scope_name((fg_scope)bit)));
    return list;
}

/* Signing somebody in to an account of the attacker's choice is an attack too, so this asks for the same
 * header as every change by cookie does. */
static fg_code check_sign_in_origin(const fg_request *r, fg_error *err)
{
    const char *origin = fg_request_header(r, "Origin");
    if (!fg_request_header(r, "X-Facegate") ||
        (origin && !fg_origin_matches(origin, r->server->tls, fg_request_header(r, "Host"))))
        return FG_FAIL(err, FG_ERR_FORBIDDEN, "sign in from this site's own page");
    return FG_OK;
}

fg_code fg_api_sign_in(fg_request *r, fg_error *err)
{
    fg_server *server = r->server;
    fg_session_owner owner = {0};
    char token[FG_TOKEN_TEXT] = "";
    json_t *object = NULL;
    fg_code rc = check_sign_in_origin(r, err);
    if (rc != FG_OK || (rc = fg_request_limit(r, err)) != FG_OK ||
        (rc = fg_request_json(r, &object, err)) != FG_OK)
        return rc;
    const char *key = json_string_value(json_object_get(object, "key"));
    const char *link = json_string_value(json_object_get(object, "token"));
    if (link && fg_sessions_link_use(server->sessions, link, fg_clock_unix_ms()))
        owner.scopes = FG_SCOPE_ADMIN;
    else if (key && strlen(key) < 256)
        owner.scopes = fg_key_scopes(server, key, owner.key_id);
    if (!owner.scopes) {
        fg_request_tried(r, false);
        rc = FG_FAIL(err, FG_ERR_UNAUTHORIZED, "%s",
                     link ? "this sign-in link was used already or is too old; sign in with the key"
                          : "the key is not known, or was revoked, or has expired");
        goto done;
    }
    fg_request_tried(r, true);
    if (strcmp(owner.key_id, "preset") == 0)
        *owner.key_id = 0; /* it is not in the store, and lives as long as this server does */
    snprintf(r->who, sizeof r->who, "web");
    if ((rc = record(r, "sign_in", owner.key_id, err)) != FG_OK)
        goto done;
    fg_sessions_start(server->sessions, &owner, fg_clock_unix_ms(), token);
    rc = fg_reply_json(r, 200, json_pack("{s:o}", "scopes", scopes_json(owner.scopes)), err);
    if (rc == FG_OK)
        set_cookie(r, token, FG_SESSION_MS / 1000);
done:
    sodium_memzero(token, sizeof token);
    json_decref(object);
    return rc;
}

fg_code fg_api_sign_out(fg_request *r, fg_error *err)
{
    char token[FG_TOKEN_TEXT];
    fg_code rc = check_sign_in_origin(r, err);
    if (rc != FG_OK)
        return rc;
    if (fg_cookie_find(fg_request_header(r, "Cookie"), r->server->cookie, token, sizeof token))
        fg_sessions_end(r->server->sessions, token);
    if ((rc = fg_reply_empty(r, 204, err)) == FG_OK)
        set_cookie(r, "", 0);
    return rc;
}

fg_code fg_api_session(fg_request *r, fg_error *err)
{
    return fg_reply_json(r, 200,
                         json_pack("{s:s, s:o, s:b}", "who", r->who, "scopes", scopes_json(r->scopes),
                                   "session", r->by_session),
                         err);
}

/* -- audit -- */

fg_code fg_api_audit(fg_request *r, fg_error *err)
{
    fg_audit_row *rows = NULL;
    long count = 0;
    int64_t before = 0, limit = 100;
    fg_code rc = fg_request_query_int(r, "before", 0, INT64_MAX, &before, err);
    if (rc != FG_OK || (rc = fg_request_query_int(r, "limit", 1, 1000, &limit, err)) != FG_OK ||
        (rc = fg_store_audit(fg_app_store(r->server->app), before, (int)limit, &rows, &count, err)) != FG_OK)
        return rc;
    json_t *list = json_array();
    for (long i = 0; i < count; i++)
        json_array_append_new(list, fg_audit_json(&rows[i]));
    /* The next page begins where this one ends; null where there is none. */
    json_t *next = count == limit ? json_integer(rows[count - 1].id) : json_null();
    fg_audit_free(rows, count);
    return fg_reply_json(r, 200, json_pack("{s:o, s:o}", "rows", list, "next_before", next), err);
}
