#include "access/access.h"

#include "base/clock.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

enum { ID_BYTES = 8, SECRET_BYTES = 32, SECRET_TEXT = 43 };

static const char key_lead[] = "fg_";

static const struct {
    const char *name;
    fg_scope scope;
} scopes[] = {
    {"verify", FG_SCOPE_VERIFY},
    {"enroll", FG_SCOPE_ENROLL},
    {"audit", FG_SCOPE_AUDIT},
    {"admin", FG_SCOPE_ADMIN},
};
enum { SCOPES = sizeof scopes / sizeof scopes[0] };

fg_code fg_scope_parse(fg_scope *scope, const char *name, fg_error *err)
{
    *scope = (fg_scope)0;
    for (int i = 0; name && i < SCOPES; i++)
        if (strcmp(scopes[i].name, name) == 0)
            *scope = scopes[i].scope;
    return *scope ? FG_OK
                  : FG_FAIL(err, FG_ERR_USAGE, "%.40s: no scope; give verify, enroll, audit or admin",
                            name ? name : "");
}

const char *fg_scope_name(fg_scope scope)
{
    for (int i = 0; i < SCOPES; i++)
        if (scopes[i].scope == scope)
            return scopes[i].name;
    return "";
}

fg_code fg_scopes_parse(unsigned *out, const char *words, fg_error *err)
{
    unsigned all = 0;
    *out = 0;
    while (words && *words) {
        char word[16];
        size_t n = strcspn(words, " ");
        fg_scope scope;
        snprintf(word, sizeof word, "%.*s", (int)(n < sizeof word ? n : sizeof word), words);
        fg_code rc = fg_scope_parse(&scope, word, err);
        if (rc != FG_OK)
            return rc;
        all |= (unsigned)scope;
        words += words[n] ? n + 1 : n;
    }
    if (!all)
        return FG_FAIL(err, FG_ERR_USAGE, "give a scope: verify, enroll, audit or admin");
    *out = all;
    return FG_OK;
}

void fg_scopes_text(unsigned set, char text[FG_SCOPES_TEXT])
{
    size_t n = 0;
    *text = 0;
    for (int i = 0; i < SCOPES; i++)
        if (set & (unsigned)scopes[i].scope)
            n += (size_t)snprintf(text + n, FG_SCOPES_TEXT - n, "%s%s", n ? " " : "", scopes[i].name);
}

static void hash_key(const char *text, uint8_t hash[crypto_hash_sha256_BYTES])
{
    crypto_hash_sha256(hash, (const unsigned char *)text, strlen(text));
}

fg_code fg_access_key_create(fg_store *store, unsigned set, const char *label, int64_t expires_ms,
                             char text[FG_KEY_TEXT], fg_error *err)
{
    uint8_t id[ID_BYTES], secret[SECRET_BYTES];
    char secret_text[SECRET_TEXT + 1], scope_text[FG_SCOPES_TEXT];
    fg_key key = {
        .label = (char *)(label ? label : ""),
        .scope = scope_text,
        .created_ms = fg_clock_unix_ms(),
        .expires_ms = expires_ms,
    };
    text[0] = 0;
    fg_scopes_text(set, scope_text);
    if (!*key.scope)
        return FG_FAIL(err, FG_ERR_USAGE, "a key needs a scope");
    if (expires_ms < 0 || (expires_ms > 0 && expires_ms <= key.created_ms))
        return FG_FAIL(err, FG_ERR_USAGE, "a key cannot expire in the past");
    if (sodium_init() < 0)
        return FG_FAIL(err, FG_ERR_INTERNAL, "no source of random numbers");
    randombytes_buf(id, sizeof id);
    randombytes_buf(secret, sizeof secret);
    sodium_bin2hex(key.id, sizeof key.id, id, sizeof id);
    sodium_bin2base64(secret_text, sizeof secret_text, secret, sizeof secret,
                      sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    snprintf(text, FG_KEY_TEXT, "%s%s_%s", key_lead, key.id, secret_text);
    hash_key(text, key.hash);
    fg_code rc = fg_store_key_add(store, &key, err);
    if (rc != FG_OK)
        sodium_memzero(text, FG_KEY_TEXT);
    sodium_memzero(secret, sizeof secret);
    sodium_memzero(secret_text, sizeof secret_text);
    return rc;
}

static bool is_base64url(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

bool fg_access_key_parse(const char *text, char id[17])
{
    const size_t lead = sizeof key_lead - 1, id_size = 2 * (size_t)ID_BYTES;
    id[0] = 0;
    if (!text || strnlen(text, FG_KEY_TEXT) != lead + id_size + 1 + SECRET_TEXT ||
        memcmp(text, key_lead, lead) != 0 || text[lead + id_size] != '_')
        return false;
    for (size_t i = 0; i < id_size; i++)
        if (!strchr("0123456789abcdef", text[lead + i]))
            return false;
    for (size_t i = 0; i < SECRET_TEXT; i++)
        if (!is_base64url(text[lead + id_size + 1 + i]))
            return false;
    memcpy(id, text + lead, id_size);
    id[id_size] = 0;
    return true;
}

/* Hashing first makes the lengths equal, so that the comparison says nothing about the preset's. */
static bool is_preset(const char *text, const char *preset)
{
    uint8_t given[crypto_hash_sha256_BYTES], wanted[crypto_hash_sha256_BYTES];
    if (!preset || !*preset)
        return false;
    hash_key(text, given);
    hash_key(preset, wanted);
    return sodium_memcmp(given, wanted, sizeof given) == 0;
}

fg_code fg_access_find(fg_store *store, const char *text, const char *preset, int64_t now_ms, unsigned *set,
                       char *id, fg_error *err)
{
    static const char refused[] = "this key is not valid; ask the team lead for one (facegate keys create)";
    uint8_t hash[crypto_hash_sha256_BYTES];
    fg_key key = {0};
    char public_id[17];
    *set = 0;
    if (id)
        id[0] = 0;
    if (!text || !*text)
        return FG_FAIL(err, FG_ERR_UNAUTHORIZED,
                       "a key is needed: send it as Authorization: Bearer KEY, or as x-api-key: KEY");
    if (is_preset(text, preset)) {
        if (id)
            memcpy(id, "preset", sizeof "preset");
        *set = FG_SCOPE_ADMIN;
        return FG_OK;
    }
    if (!fg_access_key_parse(text, public_id))
        return FG_FAIL(err, FG_ERR_UNAUTHORIZED, "%s", refused);
    fg_code rc = fg_store_key_by_id(store, public_id, &key, err);
    /* A key that never was goes the same way, against a hash that nothing has. */
    const bool known = rc == FG_OK;
    if (rc == FG_ERR_NOT_FOUND)
        rc = FG_OK;
    if (rc != FG_OK)
        goto done;
    hash_key(text, hash);
    const bool right = sodium_memcmp(hash, key.hash, sizeof hash) == 0;
    if (!known || !right || key.aws || key.revoked_ms || (key.expires_ms && key.expires_ms <= now_ms)) {
        rc = FG_FAIL(err, FG_ERR_UNAUTHORIZED, "%s", refused);
        goto done;
    }
    if ((rc = fg_scopes_parse(set, key.scope, err)) != FG_OK)
        goto done;
    if (id)
        memcpy(id, public_id, sizeof public_id);
    if (now_ms - key.used_ms >= FG_KEY_USED_EVERY_MS) {
        /* Knowing when a key was used is not worth refusing its owner on a full disk. */
        fg_code noted = fg_store_key_used(store, public_id, now_ms, NULL);
        (void)noted;
    }
done:
    fg_key_deinit(&key);
    return rc;
}

fg_code fg_access_check(fg_store *store, const char *text, const char *preset, fg_scope needed,
                        int64_t now_ms, char *id, fg_error *err)
{
    unsigned set;
    char names[FG_SCOPES_TEXT];
    fg_code rc = fg_access_find(store, text, preset, now_ms, &set, id, err);
    if (rc != FG_OK || (set & ((unsigned)needed | FG_SCOPE_ADMIN)))
        return rc;
    fg_scopes_text(set, names);
    return FG_FAIL(err, FG_ERR_FORBIDDEN, "this key is for %s; what you ask needs one for %s", names,
                   fg_scope_name(needed));
}
