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
    static const char end[] = FG_SIGV4_END;
    char hash[FG_SHA256_HEX], text[512], secret[256];
    digest key;
    fg_sha256_hex(canonical, canonical_size, hash);
    int size = snprintf(text, sizeof text, FG_SIGV4_ALGORITHM "\n%.16s\n%.8s/%.64s/%.64s/%s\n%s", time, time,
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

enum { HEADERS_MAX = 64, NAME_MAX_BYTES = 64, HOST_MAX = 256, PATH_MAX_BYTES = 8192 };

typedef struct signing {
    fg_sigv4_header headers[HEADERS_MAX];
    char names[HEADERS_MAX][NAME_MAX_BYTES]; /* of the headers, in lower case */
    int count;
    char host[HOST_MAX], path[PATH_MAX_BYTES];
    fg_buf list; /* names, sorted, each once */
} signing;

static int by_name(const void *a, const void *b)
{
    return strcmp(((const fg_sigv4_header *)a)->name, ((const fg_sigv4_header *)b)->name);
}

static bool add_line(signing *s, const char *line)
{
    char *name = s->names[s->count];
    const size_t size = strcspn(line, ":");
    if (!line[size] || size >= NAME_MAX_BYTES)
        return false;
    for (size_t i = 0; i < size; i++)
        name[i] = (char)tolower((unsigned char)line[i]);
    name[size] = 0;
    s->headers[s->count++] = (fg_sigv4_header){name, line + size + 1};
    return true;
}

static fg_code list_names(signing *s, fg_error *err)
{
    fg_sigv4_header sorted[HEADERS_MAX];
    fg_code rc = FG_OK;
    memcpy(sorted, s->headers, (size_t)s->count * sizeof *sorted);
    qsort(sorted, (size_t)s->count, sizeof *sorted, by_name); /* a copy: values keep their order */
    for (int i = 0; i < s->count && rc == FG_OK; i++)
        if (i == 0 || strcmp(sorted[i].name, sorted[i - 1].name) != 0)
            rc = fg_buf_printf(&s->list, err, "%s%s", i ? ";" : "", sorted[i].name);
    return rc;
}

static fg_code collect(signing *s, const char *url, const char *const *lines, size_t count,
                       const char **query, fg_error *err)
{
    const char *scheme = strstr(url, "://");
    const char *host = scheme ? scheme + 3 : url;
    const size_t host_size = strcspn(host, "/?");
    const char *path = host + host_size;
    const size_t path_size = strcspn(path, "?");
    if (count + 1 > HEADERS_MAX || host_size >= sizeof s->host || path_size >= sizeof s->path)
        return FG_FAIL(err, FG_ERR_LIMIT, "too many headers or too long an address to sign");
    snprintf(s->host, sizeof s->host, "%.*s", (int)host_size, host);
    snprintf(s->path, sizeof s->path, "%.*s", (int)path_size, path);
    *query = path[path_size] == '?' ? path + path_size + 1 : NULL;
    s->headers[s->count++] = (fg_sigv4_header){"host", s->host};
    for (size_t i = 0; i < count; i++)
        if (!add_line(s, lines[i]))
            return FG_FAIL(err, FG_ERR_INTERNAL, "a header that cannot be signed");
    return list_names(s, err);
}

fg_code fg_sigv4_authorization(fg_buf *out, const char *method, const char *url, const char *const *headers,
                               size_t header_count, const char *payload_sha256, const char *access_key,
                               const char *secret_key, const char *region, const char *service,
                               const char *time, fg_error *err)
{
    char signature[FG_SHA256_HEX];
    const char *query = NULL;
    fg_buf text;
    signing *s = calloc(1, sizeof *s);
    if (!s)
        return FG_FAIL(err, FG_ERR_MEMORY, "out of memory");
    fg_buf_init(&s->list, (size_t)HEADERS_MAX * NAME_MAX_BYTES);
    fg_buf_init(&text, 1 << 17);
    fg_code rc = collect(s, url, headers, header_count, &query, err);
    if (rc != FG_OK)
        goto done;
    const char *names = (const char *)s->list.data;
    const fg_sigv4_request request = {.method = method,
                                      .path = s->path,
                                      .query = query,
                                      .headers = s->headers,
                                      .header_count = s->count,
                                      .payload_sha256 = payload_sha256,
                                      .s3 = strcmp(service, "s3") == 0};
    if ((rc = fg_sigv4_canonical(&request, names, &text, err)) != FG_OK)
        goto done;
    fg_sigv4_sign(secret_key, time, region, service, text.data, text.size, signature);
    rc = fg_buf_printf(out, err,
                       FG_SIGV4_ALGORITHM " Credential=%s/%.8s/%s/%s/" FG_SIGV4_END
                                          ", SignedHeaders=%s, Signature=%s",
                       access_key, time, region, service, names, signature);
done:
    if (text.data)
        sodium_memzero(text.data, text.size); /* a session token may be among them */
    fg_buf_deinit(&text);
    fg_buf_deinit(&s->list);
    free(s);
    return rc;
}
