/* Keys and sessions. */
#include "http/http.h"

#include "access/aws_keys.h"
#include "base/clock.h"
#include "http/credentials.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

static const int64_t day_ms = 24 * 3600 * 1000;

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

static json_t *scopes_json(unsigned scopes)
{
    json_t *list = json_array();
    for (unsigned bit = 1; bit <= FG_SCOPE_ADMIN; bit <<= 1)
        if (scopes & (bit | FG_SCOPE_ADMIN))
            json_array_append_new(list, json_string(fg_scope_name((fg_scope)bit)));
    return list;
}

/* As it was given: an admin's scope is one word here, not all four. */
static json_t *given_scopes_json(unsigned scopes)
{
    return scopes & FG_SCOPE_ADMIN ? json_pack("[s]", "admin") : scopes_json(scopes);
}

static json_t *key_json(const fg_key *k)
{
    unsigned scopes;
    if (fg_scopes_parse(&scopes, k->scope, NULL) != FG_OK)
        scopes = 0;
    char key_id[FG_AWS_KEY_ID];
    fg_aws_key_name(k->id, key_id);
    return json_pack("{s:s, s:o, s:s, s:s, s:o, s:o, s:o, s:o, s:o}", "id", k->id, "access_key_id",
                     k->aws ? json_string(key_id) : json_null(), "label", k->label ? k->label : "", "scope",
                     k->scope ? k->scope : "", "scopes", given_scopes_json(scopes), "created",
                     fg_time_json(k->created_ms), "expires", fg_time_json(k->expires_ms), "revoked",
                     fg_time_json(k->revoked_ms), "used", fg_time_json(k->used_ms));
}

fg_code fg_api_keys_list(fg_request *r, fg_error *err)
{
    fg_key *keys = NULL;
    long count = 0, from, to;
    fg_code rc = fg_store_keys(fg_app_store(r->server->app), &keys, &count, err);
    if (rc != FG_OK || (rc = fg_request_page(r, count, FG_HTTP_PAGE, &from, &to, err)) != FG_OK)
        goto done;
    json_t *list = json_array();
    for (long i = from; i < to; i++)
        json_array_append_new(list, key_json(&keys[i]));
    rc = fg_reply_tagged(r, json_pack("{s:o}", "keys", list), err);
    if (rc == FG_OK && to < count)
        fg_reply_next(r, "offset", to);
done:
    fg_keys_free(keys, count);
    return rc;
}

/* `scopes` is a list; `scope` is one. Neither: verify, which can do least harm. */
static fg_code read_scopes(const json_t *object, unsigned *scopes, fg_error *err)
{
    char one[FG_MAX_NAME_BYTES + 1];
    const json_t *list = json_object_get(object, "scopes");
    fg_code rc = fg_json_name(object, "scope", one, err);
    *scopes = 0;
    if (rc != FG_OK)
        return rc;
    if (!list || json_is_null(list))
        return fg_scopes_parse(scopes, *one ? one : "verify", err);
    if (!json_is_array(list) || json_array_size(list) == 0 || *one)
        return FG_FAIL(err, FG_ERR_INPUT, "scopes: give a list of verify, enroll, audit, admin");
    for (size_t i = 0; i < json_array_size(list); i++) {
        fg_scope scope;
        if ((rc = fg_scope_parse(&scope, json_string_value(json_array_get(list, i)), err)) != FG_OK)
            return rc;
        *scopes |= (unsigned)scope;
    }
    return FG_OK;
}

/* `expires_ms` is a time, `expires_days` a distance; 0 or neither: never. */
static fg_code read_expiry(const json_t *object, int64_t *expires_ms, fg_error *err)
{
    const int64_t now_ms = fg_clock_unix_ms(), most_ms = now_ms + 36500 * day_ms;
    const json_t *days = json_object_get(object, "expires_days"), *ms = json_object_get(object, "expires_ms");
    json_int_t n = json_integer_value(days), at = json_integer_value(ms);
    *expires_ms = 0;
    if ((days && !json_is_null(days) && !json_is_integer(days)) || n < 0 || n > 36500)
        return FG_FAIL(err, FG_ERR_INPUT, "expires_days: give a whole number from 0 (never) to 36500");
    if ((ms && !json_is_null(ms) && !json_is_integer(ms)) || (at != 0 && at <= now_ms) || at > most_ms)
        return FG_FAIL(err, FG_ERR_INPUT,
                       "expires_ms: give a time to come, in milliseconds since 1970, or 0 for never");
    *expires_ms = at ? at : n ? now_ms + n * day_ms : 0;
    return FG_OK;
}

/* `aws`: an access key id and a secret, for clients that sign their requests. */
static fg_code create_aws(fg_request *r, unsigned scopes, const char *label, int64_t expires_ms,
                          fg_error *err)
{
    const fg_settings *s = r->server->settings;
    char key_id[FG_AWS_KEY_ID] = "", secret[FG_AWS_SECRET] = "", id[17], scope[FG_SCOPES_TEXT];
    uint8_t master[FG_MASTER_KEY];
    fg_code rc = fg_master_key_load(master, s->data, s->master_key, true, err);
    if (rc == FG_OK)
        rc = fg_aws_key_create(fg_app_store(r->server->app), master, scopes, label, expires_ms, key_id,
                               secret, err);
    fg_scopes_text(scopes, scope);
    if (rc == FG_OK && fg_aws_key_parse(key_id, id) && (rc = record(r, "key_create", id, err)) == FG_OK)
        rc = fg_reply_json(r, 201,
                           json_pack("{s:s, s:s, s:s, s:s, s:o, s:s, s:o}", "id", id, "access_key_id", key_id,
                                     "secret_access_key", secret, "scope", scope, "scopes",
                                     given_scopes_json(scopes), "label", label, "expires",
                                     fg_time_json(expires_ms)),
                           err);
    sodium_memzero(secret, sizeof secret);
    sodium_memzero(master, sizeof master);
    return rc;
}

fg_code fg_api_key_create(fg_request *r, fg_error *err)
{
    char label[FG_MAX_NAME_BYTES + 1];
    char text[FG_KEY_TEXT] = "", id[17] = "", scope[FG_SCOPES_TEXT];
    json_t *object = NULL;
    unsigned scopes;
    int64_t expires_ms;
    fg_code rc = fg_request_json(r, &object, err);
    if (rc != FG_OK || (rc = fg_json_name(object, "label", label, err)) != FG_OK ||
        (rc = read_scopes(object, &scopes, err)) != FG_OK ||
        (rc = read_expiry(object, &expires_ms, err)) != FG_OK)
        goto done;
    const json_t *aws = json_object_get(object, "aws");
    if (aws && !json_is_boolean(aws)) {
        rc = FG_FAIL(err, FG_ERR_INPUT, "aws: give true or false");
        goto done;
    }
    if (json_is_true(aws)) {
        rc = create_aws(r, scopes, label, expires_ms, err);
        goto done;
    }
    if ((rc = fg_access_key_create(fg_app_store(r->server->app), scopes, label, expires_ms, text, err)) !=
        FG_OK)
        goto done;
    (void)sscanf(text, "fg_%16[0-9a-f]", id);
    fg_scopes_text(scopes, scope);
    if ((rc = record(r, "key_create", id, err)) == FG_OK)
        rc = fg_reply_json(r, 201,
                           json_pack("{s:s, s:s, s:s, s:o, s:s, s:o}", "id", id, "key", text, "scope", scope,
                                     "scopes", given_scopes_json(scopes), "label", label, "expires",
                                     fg_time_json(expires_ms)),
                           err);
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
             r->server->cookie, token, seconds, r->secure ? "; Secure" : "");
    fg_reply_header(r, "Set-Cookie", cookie);
}

/* Signing somebody in to an account of the attacker's choice is an attack too, so this asks for the same
 * header as every change by cookie does. */
static fg_code check_sign_in_origin(const fg_request *r, fg_error *err)
{
    const char *origin = fg_request_header(r, "Origin");
    if (!fg_request_header(r, "X-Facegate") ||
        (origin && !fg_origin_matches(origin, r->secure, fg_request_header(r, "Host"))))
        return FG_FAIL(err, FG_ERR_FORBIDDEN, "sign in from this site's own page");
    return FG_OK;
}

/* A door's session goes on for as long as its key: it can do nothing but ask. All others end in time. */
static unsigned renewable(fg_request *r, const char *old, fg_session_owner *owner)
{
    fg_session_owner found;
    if (!*old || !fg_sessions_find(r->server->sessions, old, fg_clock_unix_ms(), &found) || !*found.key_id ||
        fg_session_scopes(r->server, &found) != FG_SCOPE_VERIFY)
        return 0;
    *owner = found;
    return FG_SCOPE_VERIFY;
}

fg_code fg_api_sign_in(fg_request *r, fg_error *err)
{
    fg_server *server = r->server;
    fg_session_owner owner = {0};
    char token[FG_TOKEN_TEXT] = "", old[FG_TOKEN_TEXT];
    json_t *object = NULL;
    fg_code rc = check_sign_in_origin(r, err);
    if (rc != FG_OK || (rc = fg_request_limit(r, err)) != FG_OK ||
        (rc = fg_request_json(r, &object, err)) != FG_OK)
        return rc;
    const char *key = json_string_value(json_object_get(object, "key"));
    const char *link = json_string_value(json_object_get(object, "token"));
    const bool renew = json_is_true(json_object_get(object, "renew"));
    (void)fg_cookie_find(fg_request_header(r, "Cookie"), server->cookie, old, sizeof old);
    if (renew)
        owner.scopes = renewable(r, old, &owner);
    else if (link && fg_sessions_link_use(server->sessions, link, fg_clock_unix_ms()))
        owner.scopes = FG_SCOPE_ADMIN;
    else if (key && strlen(key) < 256)
        owner.scopes = fg_key_scopes(server, key, owner.key_id);
    if (!owner.scopes) {
        fg_request_tried(r, 0);
        rc = FG_FAIL(err, FG_ERR_UNAUTHORIZED, "%s",
                     renew  ? "this session cannot be renewed; sign in with the key"
                     : link ? "this sign-in link was used already or is too old; sign in with the key"
                            : "the key is not known, or was revoked, or has expired");
        goto done;
    }
    fg_request_tried(r, owner.scopes);
    if (strcmp(owner.key_id, "preset") == 0)
        *owner.key_id = 0; /* it is not in the store, and lives as long as this server does */
    fg_session_who(&owner, r->who, sizeof r->who);
    if (!renew && (rc = record(r, "sign_in", owner.key_id, err)) != FG_OK)
        goto done;
    if (*old) /* whoever knows the one before, or has planted it, has nothing of this one */
        fg_sessions_end(server->sessions, old);
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
