#include "cloud/sigv4.h"

#include <ctype.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

void fg_sigv4_time(int64_t unix_ms, char text[FG_SIGV4_TIME])
{
    time_t seconds = (time_t)(unix_ms / 1000);
    struct tm tm = {0};
    gmtime_r(&seconds, &tm);
    if (strftime(text, FG_SIGV4_TIME, "%Y%m%dT%H%M%SZ", &tm) != FG_SIGV4_TIME - 1)
        text[0] = 0;
}

typedef unsigned char digest[crypto_auth_hmacsha256_BYTES];

static void hmac(digest out, const void *key, size_t key_size, const void *data, size_t size)
{
    crypto_auth_hmacsha256_state state;
    crypto_auth_hmacsha256_init(&state, key, key_size);
    crypto_auth_hmacsha256_update(&state, data, size);
    crypto_auth_hmacsha256_final(&state, out);
    sodium_memzero(&state, sizeof state);
}

void fg_sigv4_sign(const char *secret_key, const char *time, const char *region, const char *service,
                   const void *canonical, size_t canonical_size, char signature[FG_SHA256_HEX])
{
    static const char end[] = "aws4_request";
    char hash[FG_SHA256_HEX], text[512], secret[256];
    digest key;
    fg_sha256_hex(canonical, canonical_size, hash);
    int size = snprintf(text, sizeof text, "AWS4-HMAC-SHA256\n%.16s\n%.8s/%.64s/%.64s/%s\n%s", time, time,
                        region, service, end, hash);
    snprintf(secret, sizeof secret, "AWS4%.200s", secret_key);
    hmac(key, secret, strlen(secret), time, strnlen(time, 8));
    hmac(key, key, sizeof key, region, strnlen(region, 64));
    hmac(key, key, sizeof key, service, strnlen(service, 64));
    hmac(key, key, sizeof key, end, sizeof end - 1);
    hmac(key, key, sizeof key, text, (size_t)size);
    sodium_bin2hex(signature, FG_SHA256_HEX, key, sizeof key);
    sodium_memzero(secret, sizeof secret);
    sodium_memzero(key, sizeof key);
}

/* -- whole requests -- */

enum { HEADERS_MAX = 32, NAME_MAX_BYTES = 64 };

typedef struct header {
    char name[NAME_MAX_BYTES];
    const char *value;
    size_t size;
} header;

static int by_name(const void *a, const void *b)
{
    return strcmp(((const header *)a)->name, ((const header *)b)->name);
}

static bool split(header *h, const char *line)
{
    const char *colon = strchr(line, ':');
    if (!colon || (size_t)(colon - line) >= sizeof h->name)
        return false;
    for (size_t i = 0; i < (size_t)(colon - line); i++)
        h->name[i] = (char)tolower((unsigned char)line[i]);
    h->name[colon - line] = 0;
    h->value = colon + 1 + strspn(colon + 1, " ");
    h->size = strlen(h->value);
    while (h->size && h->value[h->size - 1] == ' ')
        h->size--;
    return true;
}

static fg_code join_names(fg_buf *out, const header *all, size_t count, fg_error *err)
{
    fg_code rc = FG_OK;
    for (size_t i = 0; i < count && rc == FG_OK; i++)
        rc = fg_buf_printf(out, err, "%s%s", i ? ";" : "", all[i].name);
    return rc;
}

fg_code fg_sigv4_authorization(fg_buf *out, const char *method, const char *url, const char *const *headers,
                               size_t header_count, const char *payload_sha256, const char *access_key,
                               const char *secret_key, const char *region, const char *service,
                               const char *time, fg_error *err)
{
    header all[HEADERS_MAX];
    char signature[FG_SHA256_HEX];
    fg_buf text;
    const char *scheme = strstr(url, "://");
    const char *host = scheme ? scheme + 3 : url;
    const size_t host_size = strcspn(host, "/?");
    const char *path = host + host_size;
    const size_t path_size = strcspn(path, "?");
    const char *query = path[path_size] == '?' ? path + path_size + 1 : "";
    size_t count = 0;
    if (header_count + 1 > HEADERS_MAX)
        return FG_FAIL(err, FG_ERR_LIMIT, "too many headers to sign");
    all[count++] = (header){"host", host, host_size};
    for (size_t i = 0; i < header_count; i++)
        if (!split(&all[count++], headers[i]))
            return FG_FAIL(err, FG_ERR_INTERNAL, "a header that cannot be signed");
    qsort(all, count, sizeof *all, by_name);
    fg_buf_init(&text, 1 << 17);
    fg_code rc = fg_buf_printf(&text, err, "%s\n%.*s\n%s\n", method, path_size ? (int)path_size : 1,
                               path_size ? path : "/", query);
    for (size_t i = 0; i < count && rc == FG_OK; i++)
        rc = fg_buf_printf(&text, err, "%s:%.*s\n", all[i].name, (int)all[i].size, all[i].value);
    if (rc != FG_OK || (rc = fg_buf_printf(&text, err, "\n")) != FG_OK ||
        (rc = join_names(&text, all, count, err)) != FG_OK ||
        (rc = fg_buf_printf(&text, err, "\n%s", payload_sha256)) != FG_OK)
        goto done;
    fg_sigv4_sign(secret_key, time, region, service, text.data, text.size, signature);
    rc = fg_buf_printf(out, err,
                       "AWS4-HMAC-SHA256 Credential=%s/%.8s/%s/%s/aws4_request, SignedHeaders=", access_key,
                       time, region, service);
    if (rc == FG_OK)
        rc = join_names(out, all, count, err);
    if (rc == FG_OK)
        rc = fg_buf_printf(out, err, ", Signature=%s", signature);
done:
    if (text.data)
        sodium_memzero(text.data, text.size); /* a session token may be among them */
    fg_buf_deinit(&text);
    return rc;
}
