/* Addresses, reading, links. */
#include "cloud/s3_internal.h"

#include "base/clock.h"
#include "cloud/sigv4.h"

#include <ctype.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* -- addresses -- */

static bool is_bucket(const char *text)
{
    size_t n = strlen(text);
    return n >= 3 && n <= 63 && strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789.-") == n &&
           isalnum((unsigned char)text[0]) && isalnum((unsigned char)text[n - 1]) && !strstr(text, "..");
}

static fg_code set_place(fg_s3 *s3, const char *url, fg_error *err)
{
    const char *bucket = strncmp(url, "s3://", 5) == 0 ? url + 5 : NULL;
    const char *slash = bucket ? strchr(bucket, '/') : NULL;
    const char *prefix = slash ? slash + 1 : "";
    size_t n = !bucket ? 0 : slash ? (size_t)(slash - bucket) : strlen(bucket);
    size_t m = strlen(prefix);
    while (m && prefix[m - 1] == '/')
        m--;
    if (n < sizeof s3->bucket && n) {
        memcpy(s3->bucket, bucket, n);
        s3->bucket[n] = 0;
    }
    if (!is_bucket(s3->bucket))
        return FG_FAIL(err, FG_ERR_USAGE,
                       "%.100s: not a place for blobs; give s3://BUCKET or s3://BUCKET/PREFIX", url);
    if (m > FG_S3_KEY_MAX - 300)
        return FG_FAIL(err, FG_ERR_USAGE, "%.100s...: the prefix is too long", url);
    for (size_t i = 0; i < m; i++)
        if ((unsigned char)prefix[i] < ' ' || prefix[i] == 0x7f)
            return FG_FAIL(err, FG_ERR_USAGE, "s3://%s: the prefix has a control character in it",
                           s3->bucket);
    memcpy(s3->prefix, prefix, m);
    snprintf(s3->prefix + m, sizeof s3->prefix - m, "%s", m ? "/" : "");
    return FG_OK;
}

static const char *given_endpoint(const fg_s3_options *o)
{
    const char *const places[] = {o->endpoint, getenv("AWS_ENDPOINT_URL_S3"), getenv("AWS_ENDPOINT_URL")};
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++)
        if (places[i] && *places[i])
            return places[i];
    return NULL;
}

static fg_code set_origin(fg_s3 *s3, const fg_s3_options *o, fg_error *err)
{
    const char *endpoint = given_endpoint(o), *style = o->style ? o->style : "auto";
    const bool china = strncmp(s3->region, "cn-", 3) == 0;
    char own[160];
    int n;
    snprintf(own, sizeof own, "https://s3.%s.amazonaws.com%s", s3->region, china ? ".cn" : "");
    if (endpoint) {
        fg_code rc = fg_url_check_endpoint(endpoint, endpoint, err);
        if (rc != FG_OK)
            return rc;
    } else if (!*s3->region) {
        return FG_FAIL(err, FG_ERR_USAGE, "which region is the bucket %s in? give --region", s3->bucket);
    }
    if (!*s3->region)
        snprintf(s3->region, sizeof s3->region, "us-east-1");
    const char *base = endpoint ? endpoint : own;
    const char *host = strstr(base, "://") + 3;
    size_t host_size = strcspn(host, "/");
    /* A bucket with dots in it is no name that the certificate of *.s3.amazonaws.com stands for. */
    s3->in_path = strcmp(style, "path") == 0 ||
                  (strcmp(style, "virtual") != 0 && (endpoint || strchr(s3->bucket, '.')));
    if (s3->in_path)
        n = snprintf(s3->origin, sizeof s3->origin, "%.*s%.*s", (int)(host - base), base, (int)host_size,
                     host);
    else
        n = snprintf(s3->origin, sizeof s3->origin, "%.*s%s.%.*s", (int)(host - base), base, s3->bucket,
                     (int)host_size, host);
    return n < (int)sizeof s3->origin ? FG_OK : FG_FAIL(err, FG_ERR_USAGE, "%.100s...: too long", base);
}

static fg_code set_encryption(fg_s3 *s3, const fg_s3_options *o, fg_error *err)
{
    const char *sse = o->sse && strcmp(o->sse, "none") != 0 ? o->sse : "";
    if (*sse && strcmp(sse, "AES256") != 0 && strcmp(sse, "aws:kms") != 0)
        return FG_FAIL(err, FG_ERR_USAGE, "%.40s: no such encryption; give AES256 or aws:kms", sse);
    if (o->kms_key && *o->kms_key && strcmp(sse, "aws:kms") != 0)
        return FG_FAIL(err, FG_ERR_USAGE, "a KMS key needs the encryption aws:kms");
    if (*sse)
        snprintf(s3->sse, sizeof s3->sse, "x-amz-server-side-encryption: %s", sse);
    if (o->kms_key && *o->kms_key) {
        if (strlen(o->kms_key) > 256 || strpbrk(o->kms_key, " \t\r\n"))
            return FG_FAIL(err, FG_ERR_USAGE, "not the name of a KMS key");
        snprintf(s3->kms, sizeof s3->kms, "x-amz-server-side-encryption-aws-kms-key-id: %s", o->kms_key);
    }
    return FG_OK;
}

fg_code fg_s3_open(fg_s3 **out, fg_aws *aws, const fg_s3_options *options, fg_error *err)
{
    *out = NULL;
    fg_s3 *s3 = calloc(1, sizeof *s3);
    if (!s3)
        return FG_FAIL(err, FG_ERR_MEMORY, "out of memory");
    s3->aws = aws;
    snprintf(s3->region, sizeof s3->region, "%s", fg_aws_region(aws));
    fg_code rc = set_place(s3, options->url, err);
    if (rc == FG_OK)
        rc = set_origin(s3, options, err);
    if (rc == FG_OK)
        rc = set_encryption(s3, options, err);
    if (rc == FG_OK)
        *out = s3;
    else
        fg_s3_close(s3);
    return rc;
}

void fg_s3_close(fg_s3 *s3)
{
    free(s3);
}

const char *fg_s3_bucket(const fg_s3 *s3)
{
    return s3->bucket;
}

const char *fg_s3_prefix(const fg_s3 *s3)
{
    return s3->prefix;
}

void fg_s3_what(const fg_s3 *s3, const char *key, char what[FG_S3_WHAT_MAX])
{
    snprintf(what, FG_S3_WHAT_MAX, "s3://%s/%.100s%.140s", s3->bucket, s3->prefix, key ? key : "");
}

fg_code fg_s3_url(const fg_s3 *s3, const char *key, const char *query, fg_buf *url, fg_error *err)
{
    fg_buf_clear(url);
    fg_code rc = fg_buf_printf(url, err, "%s/%s%s", s3->origin, s3->in_path ? s3->bucket : "",
                               s3->in_path && key ? "/" : "");
    if (rc == FG_OK && key)
        rc = fg_buf_append_uri(url, s3->prefix, strlen(s3->prefix), true, err);
    if (rc == FG_OK && key)
        rc = fg_buf_append_uri(url, key, strlen(key), true, err);
    if (rc == FG_OK && query && *query)
        rc = fg_buf_printf(url, err, "?%s", query);
    return rc;
}

fg_code fg_s3_send(fg_s3 *s3, const fg_s3_request *r, fg_http_answer *answer, fg_error *err)
{
    char what[FG_S3_WHAT_MAX];
    fg_buf url;
    fg_s3_what(s3, r->key, what);
    fg_buf_init(&url, FG_S3_URL_MAX);
    fg_code rc = fg_s3_url(s3, r->key, r->query, &url, err);
    if (rc == FG_OK) {
        const fg_aws_call call = {.service = "s3",
                                  .region = s3->region,
                                  .request = {.what = what,
                                              .method = r->method,
                                              .url = (const char *)url.data,
                                              .headers = r->headers,
                                              .body = r->body,
                                              .fd = r->fd,
                                              .fd_offset = r->fd_offset,
                                              .body_size = r->body_size,
                                              .payload_sha256 = r->payload_sha256}};
        rc = fg_aws_send(s3->aws, &call, answer, err);
    }
    fg_buf_deinit(&url);
    return rc;
}

/* -- reading -- */

typedef struct download {
    const fg_s3_sink *sink;
    const char *what;
    uint64_t offset, size;      /* asked for; size 0: to the end */
    uint64_t got, total;        /* of that */
    char etag[160];             /* of the object that the first byte came from */
    char sha256[FG_SHA256_HEX]; /* of the whole, from its metadata; "" */
    char range[64], match[176];
    const char *headers[3];
    bool begun;
    crypto_hash_sha256_state hash;
} download;

static void ask_for_rest(download *d)
{
    int n = 0;
    const uint64_t from = d->offset + d->got;
    if (d->size)
        snprintf(d->range, sizeof d->range, "Range: bytes=%" PRIu64 "-%" PRIu64, from,
                 d->offset + d->size - 1);
    else
        snprintf(d->range, sizeof d->range, "Range: bytes=%" PRIu64 "-", from);
    if (d->size || from)
        d->headers[n++] = d->range;
    if (*d->etag) {
        snprintf(d->match, sizeof d->match, "If-Match: %s", d->etag);
        d->headers[n++] = d->match;
    }
    d->headers[n] = NULL;
}

static fg_code begin(download *d, const fg_http_answer *answer, fg_error *err)
{
    char length[32];
    char *end = NULL;
    if (!fg_http_answer_header(answer, "content-length", length, sizeof length))
        return FG_FAIL(err, FG_ERR_INPUT, "%s: an answer without a length", d->what);
    d->total = strtoull(length, &end, 10);
    if (end == length || *end || length[0] == '-')
        return FG_FAIL(err, FG_ERR_INPUT, "%s: an answer without a length", d->what);
    fg_http_answer_header(answer, "etag", d->etag, sizeof d->etag);
    fg_http_answer_header(answer, "x-amz-meta-sha256", d->sha256, sizeof d->sha256);
    d->begun = true;
    crypto_hash_sha256_init(&d->hash);
    return d->sink->begin ? d->sink->begin(d->sink->context, d->total, err) : FG_OK;
}

static fg_code on_data(void *context, const fg_http_answer *answer, const void *data, size_t size,
                       fg_error *err)
{
    download *d = context;
    fg_code rc = FG_OK;
    const bool partial = d->headers[0] == d->range;
    if (answer->status != (partial ? 206 : 200))
        return FG_FAIL(err, FG_ERR_INPUT, "%s: answered with status %d to a request for %s", d->what,
                       answer->status, partial ? "a part" : "the whole");
    if (!d->begun && (rc = begin(d, answer, err)) != FG_OK)
        return rc;
    if (size > d->total - d->got)
        return FG_FAIL(err, FG_ERR_INPUT, "%s: more came than was asked for", d->what);
    crypto_hash_sha256_update(&d->hash, data, size);
    rc = d->sink->write(d->sink->context, d->got, data, size, err);
    if (rc == FG_OK)
        d->got += size;
    return rc;
}

static fg_code resume(void *context, fg_http_request *request, fg_error *err)
{
    download *d = context;
    (void)err;
    ask_for_rest(d);
    request->headers = d->headers;
    return FG_OK;
}

static fg_code finish(download *d, const fg_http_answer *answer, fg_error *err)
{
    unsigned char hash[crypto_hash_sha256_BYTES];
    char hex[FG_SHA256_HEX];
    fg_code rc = d->begun ? FG_OK : begin(d, answer, err); /* an empty object */
    if (rc != FG_OK)
        return rc;
    if (d->got != d->total)
        return FG_FAIL(err, FG_ERR_IO, "%s: the transfer ended early", d->what);
    crypto_hash_sha256_final(&d->hash, hash);
    sodium_bin2hex(hex, sizeof hex, hash, sizeof hash);
    if (d->offset == 0 && d->size == 0 && strlen(d->sha256) == sizeof hex - 1 && strcmp(d->sha256, hex) != 0)
        return FG_FAIL(err, FG_ERR_INPUT, "%s: damaged: its SHA-256 is not the one that was written",
                       d->what);
    return FG_OK;
}

fg_code fg_s3_get(fg_s3 *s3, const char *key, uint64_t offset, uint64_t size, const fg_s3_sink *sink,
                  fg_error *err)
{
    char what[FG_S3_WHAT_MAX];
    fg_buf url;
    fg_http_answer answer;
    download d = {.sink = sink, .what = what, .offset = offset, .size = size};
    fg_s3_what(s3, key, what);
    fg_buf_init(&url, FG_S3_URL_MAX);
    fg_http_answer_init(&answer, FG_S3_ANSWER_MAX);
    ask_for_rest(&d);
    fg_code rc = fg_s3_url(s3, key, "", &url, err);
    if (rc == FG_OK) {
        const fg_aws_call call = {.service = "s3",
                                  .region = s3->region,
                                  .resume = resume,
                                  .request = {.what = what,
                                              .method = "GET",
                                              .url = (const char *)url.data,
                                              .headers = d.headers,
                                              .sink = on_data,
                                              .context = &d}};
        rc = fg_aws_send(s3->aws, &call, &answer, err);
    }
    if (rc == FG_OK)
        rc = finish(&d, &answer, err);
    fg_buf_deinit(&url);
    fg_http_answer_deinit(&answer);
    return rc;
}

/* -- links -- */

fg_code fg_s3_link(fg_s3 *s3, const char *key, int seconds, fg_buf *url, fg_error *err)
{
    char time[FG_SIGV4_TIME], signature[FG_SHA256_HEX], host[FG_S3_URL_MAX];
    fg_credentials c;
    fg_buf query, canonical;
    if (seconds < 1 || seconds > 604800)
        return FG_FAIL(err, FG_ERR_USAGE, "a link lasts from 1 to 604800 seconds");
    fg_buf_init(&query, 3 * FG_AWS_TOKEN_MAX + 1024);
    fg_buf_init(&canonical, query.max_size + FG_S3_URL_MAX);
    fg_sigv4_time(fg_clock_unix_ms(), time);
    fg_code rc = fg_aws_credentials(s3->aws, &c, err);
    if (rc != FG_OK)
        return rc;
    if ((rc = fg_buf_printf(&query, err, "X-Amz-Algorithm=" FG_SIGV4_ALGORITHM "&X-Amz-Credential=")) !=
            FG_OK ||
        (rc = fg_buf_append_uri(&query, c.access_key, strlen(c.access_key), false, err)) != FG_OK ||
        (rc = fg_buf_printf(&query, err,
                            "%%2F%.8s%%2F%s%%2Fs3%%2F" FG_SIGV4_END "&X-Amz-Date=%s&X-Amz-Expires=%d", time,
                            s3->region, time, seconds)) != FG_OK ||
        (c.token && (rc = fg_buf_printf(&query, err, "&X-Amz-Security-Token=")) != FG_OK) ||
        (c.token && (rc = fg_buf_append_uri(&query, c.token, strlen(c.token), false, err)) != FG_OK) ||
        (rc = fg_buf_printf(&query, err, "&X-Amz-SignedHeaders=host")) != FG_OK ||
        (rc = fg_s3_url(s3, key, "", url, err)) != FG_OK)
        goto done;
    const char *at = strstr((const char *)url->data, "://") + 3;
    const char *path = strchr(at, '/');
    snprintf(host, sizeof host, "%.*s", (int)(path - at), at);
    const fg_sigv4_request request = {.method = "GET",
                                      .path = path,
                                      .query = (const char *)query.data,
                                      .headers = &(fg_sigv4_header){"host", host},
                                      .header_count = 1,
                                      .payload_sha256 = "UNSIGNED-PAYLOAD",
                                      .s3 = true};
    if ((rc = fg_sigv4_canonical(&request, "host", &canonical, err)) != FG_OK)
        goto done;
    fg_sigv4_sign(c.secret_key, time, s3->region, "s3", canonical.data, canonical.size, signature);
    rc = fg_buf_printf(url, err, "?%s&X-Amz-Signature=%s", (const char *)query.data, signature);
done:
    fg_credentials_deinit(&c);
    fg_buf_deinit(&query);
    fg_buf_deinit(&canonical);
    return rc;
}
