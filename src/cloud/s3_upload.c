/* Writing: at once, or in parts. */
#include "cloud/s3_internal.h"

#include "base/file.h"

#include <errno.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PARTS_MAX = 10000, CHUNK_BYTES = 1 << 16, HEADERS = 6 };

/* What every new object is given: its hash, and the encryption that was asked for. */
typedef struct object_headers {
    char meta[96], sum[96];
    const char *list[HEADERS];
} object_headers;

static void make_headers(const fg_s3 *s3, const char *hex, bool with_sum, object_headers *h)
{
    int n = 0;
    snprintf(h->meta, sizeof h->meta, "x-amz-meta-sha256: %s", hex);
    h->list[n++] = h->meta;
    h->list[n++] = "Content-Type: application/octet-stream";
    if (with_sum) {
        unsigned char hash[crypto_hash_sha256_BYTES];
        char text[sodium_base64_ENCODED_LEN(sizeof hash, sodium_base64_VARIANT_ORIGINAL)];
        size_t size = 0;
        if (sodium_hex2bin(hash, sizeof hash, hex, strlen(hex), NULL, &size, NULL) == 0 &&
            size == sizeof hash) {
            sodium_bin2base64(text, sizeof text, hash, sizeof hash, sodium_base64_VARIANT_ORIGINAL);
            snprintf(h->sum, sizeof h->sum, "x-amz-checksum-sha256: %s", text);
            h->list[n++] = h->sum;
        }
    }
    if (*s3->sse)
        h->list[n++] = s3->sse;
    if (*s3->kms)
        h->list[n++] = s3->kms;
    h->list[n] = NULL;
}

static fg_code put_whole(fg_s3 *s3, const char *key, const void *data, int fd, uint64_t size, const char *hex,
                         fg_error *err)
{
    object_headers headers = {0};
    fg_http_answer answer;
    make_headers(s3, hex, true, &headers);
    fg_http_answer_init(&answer, FG_S3_ANSWER_MAX);
    const fg_s3_request request = {.method = "PUT",
                                   .key = key,
                                   .headers = headers.list,
                                   .body = data,
                                   .fd = fd,
                                   .body_size = size,
                                   .payload_sha256 = hex};
    fg_code rc = fg_s3_send(s3, &request, &answer, err);
    fg_http_answer_deinit(&answer);
    return rc;
}

/* -- in parts -- */

typedef struct upload {
    fg_s3 *s3;
    const char *key;
    int fd;
    uint64_t size, part_size;
    int parts;
    char (*sums)[FG_SHA256_HEX]; /* of each part */
    char (*etags)[80];
    char sha256[FG_SHA256_HEX]; /* of the whole */
    char id[256];
} upload;

static uint64_t size_of_part(const upload *u, int part)
{
    const uint64_t rest = u->size - (uint64_t)part * u->part_size;
    return rest < u->part_size ? rest : u->part_size;
}

/* One pass over the file: the hashes have to be known before the first byte is sent. */
static fg_code hash_file(upload *u, fg_error *err)
{
    crypto_hash_sha256_state whole, part;
    unsigned char hash[crypto_hash_sha256_BYTES];
    uint64_t at = 0;
    fg_code rc = FG_OK;
    unsigned char *chunk = malloc(CHUNK_BYTES);
    if (!chunk)
        return FG_FAIL(err, FG_ERR_MEMORY, "out of memory");
    crypto_hash_sha256_init(&whole);
    for (int i = 0; i < u->parts && rc == FG_OK; i++) {
        const uint64_t end = at + size_of_part(u, i);
        crypto_hash_sha256_init(&part);
        while (at < end) {
            const size_t want = end - at < CHUNK_BYTES ? (size_t)(end - at) : CHUNK_BYTES;
            ssize_t n = pread(u->fd, chunk, want, (off_t)at);
            if (n < 0 && errno == EINTR)
                continue;
            if (n <= 0) {
                rc = n ? FG_FAIL_ERRNO(err, "cannot read for", u->key)
                       : FG_FAIL(err, FG_ERR_INPUT, "%s: the file has become shorter", u->key);
                break;
            }
            crypto_hash_sha256_update(&whole, chunk, (size_t)n);
            crypto_hash_sha256_update(&part, chunk, (size_t)n);
            at += (uint64_t)n;
        }
        crypto_hash_sha256_final(&part, hash);
        sodium_bin2hex(u->sums[i], sizeof u->sums[i], hash, sizeof hash);
    }
    crypto_hash_sha256_final(&whole, hash);
    sodium_bin2hex(u->sha256, sizeof u->sha256, hash, sizeof hash);
    free(chunk);
    return rc;
}

static fg_code start(upload *u, fg_error *err)
{
    char what[FG_S3_WHAT_MAX];
    object_headers headers = {0};
    fg_http_answer answer;
    fg_s3_what(u->s3, u->key, what);
    make_headers(u->s3, u->sha256, false, &headers);
    fg_http_answer_init(&answer, FG_S3_ANSWER_MAX);
    const fg_s3_request request = {
        .method = "POST", .key = u->key, .query = "uploads=", .headers = headers.list};
    fg_code rc = fg_s3_send(u->s3, &request, &answer, err);
    if (rc == FG_OK)
        rc = fg_s3_word_read(u->id, sizeof u->id, answer.body.data, answer.body.size,
                             "InitiateMultipartUploadResult/UploadId", what, err);
    fg_http_answer_deinit(&answer);
    return rc;
}

static fg_code id_query(const upload *u, fg_buf *query, int part, fg_error *err)
{
    fg_code rc = part ? fg_buf_printf(query, err, "partNumber=%d&uploadId=", part)
                      : fg_buf_printf(query, err, "uploadId=");
    return rc == FG_OK ? fg_buf_append_uri(query, u->id, strlen(u->id), false, err) : rc;
}

static fg_code send_part(upload *u, int part, fg_error *err)
{
    fg_buf query;
    fg_http_answer answer;
    fg_buf_init(&query, 1024);
    fg_http_answer_init(&answer, FG_S3_ANSWER_MAX);
    fg_code rc = id_query(u, &query, part + 1, err);
    if (rc == FG_OK) {
        const fg_s3_request request = {.method = "PUT",
                                       .key = u->key,
                                       .query = (const char *)query.data,
                                       .fd = u->fd,
                                       .fd_offset = (uint64_t)part * u->part_size,
                                       .body_size = size_of_part(u, part),
                                       .payload_sha256 = u->sums[part]};
        rc = fg_s3_send(u->s3, &request, &answer, err);
    }
    if (rc == FG_OK && (!fg_http_answer_header(&answer, "etag", u->etags[part], sizeof u->etags[part]) ||
                        strpbrk(u->etags[part], "<>&")))
        rc = FG_FAIL(err, FG_ERR_INPUT, "s3://%s/%s: a part without an ETag", u->s3->bucket, u->key);
    fg_buf_deinit(&query);
    fg_http_answer_deinit(&answer);
    return rc;
}

/* The answer to the last step can get lost after it has happened: is the object there, and this one? */
static bool is_there(const upload *u)
{
    char sha256[FG_SHA256_HEX];
    fg_http_answer answer;
    fg_http_answer_init(&answer, FG_S3_ANSWER_MAX);
    const fg_s3_request request = {.method = "HEAD", .key = u->key};
    bool there = fg_s3_send(u->s3, &request, &answer, NULL) == FG_OK &&
                 fg_http_answer_header(&answer, "x-amz-meta-sha256", sha256, sizeof sha256) &&
                 strcmp(sha256, u->sha256) == 0;
    fg_http_answer_deinit(&answer);
    return there;
}

static fg_code complete(upload *u, fg_error *err)
{
    static const char *const headers[] = {"Content-Type: application/xml", NULL};
    char what[FG_S3_WHAT_MAX], etag[80];
    fg_buf query, body;
    fg_http_answer answer;
    fg_s3_what(u->s3, u->key, what);
    fg_buf_init(&query, 1024);
    fg_buf_init(&body, PARTS_MAX * 160 + 256);
    fg_http_answer_init(&answer, FG_S3_ANSWER_MAX);
    fg_code rc = id_query(u, &query, 0, err);
    if (rc == FG_OK)
        rc = fg_buf_printf(&body, err,
                           "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">");
    for (int i = 0; i < u->parts && rc == FG_OK; i++)
        rc = fg_buf_printf(&body, err, "<Part><PartNumber>%d</PartNumber><ETag>%s</ETag></Part>", i + 1,
                           u->etags[i]);
    if (rc == FG_OK)
        rc = fg_buf_printf(&body, err, "</CompleteMultipartUpload>");
    if (rc == FG_OK) {
        const fg_s3_request request = {.method = "POST",
                                       .key = u->key,
                                       .query = (const char *)query.data,
                                       .headers = headers,
                                       .body = body.data,
                                       .body_size = body.size};
        rc = fg_s3_send(u->s3, &request, &answer, err);
        /* This call may say 200 first and fail afterwards, in its body. */
        if (rc == FG_OK && fg_s3_word_read(etag, sizeof etag, answer.body.data, answer.body.size,
                                           "CompleteMultipartUploadResult/ETag", what, err) != FG_OK) {
            fg_aws_failure failure;
            fg_aws_failure_read(&failure, &answer);
            rc = fg_aws_failure_code(&failure, &answer, what, err);
        }
        if (rc != FG_OK && is_there(u))
            rc = FG_OK;
    }
    fg_buf_deinit(&query);
    fg_buf_deinit(&body);
    fg_http_answer_deinit(&answer);
    return rc;
}

static void abandon(const upload *u)
{
    fg_buf query;
    fg_http_answer answer;
    fg_buf_init(&query, 1024);
    fg_http_answer_init(&answer, FG_S3_ANSWER_MAX);
    if (id_query(u, &query, 0, NULL) == FG_OK) {
        const fg_s3_request request = {.method = "DELETE", .key = u->key, .query = (const char *)query.data};
        /* What could not be ended here is ended when the prefix is deleted. */
        fg_code ignored = fg_s3_send(u->s3, &request, &answer, NULL);
        (void)ignored;
    }
    fg_buf_deinit(&query);
    fg_http_answer_deinit(&answer);
}

static fg_code put_parts(upload *u, fg_error *err)
{
    fg_code rc = start(u, err);
    if (rc != FG_OK)
        return rc;
    for (int i = 0; i < u->parts && rc == FG_OK; i++)
        rc = send_part(u, i, err);
    if (rc == FG_OK)
        rc = complete(u, err);
    if (rc != FG_OK)
        abandon(u);
    return rc;
}

fg_code fg_s3_put_fd(fg_s3 *s3, const char *key, int fd, fg_error *err)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return FG_FAIL_ERRNO(err, "cannot read for", key);
    upload u = {.s3 = s3, .key = key, .fd = fd, .size = (uint64_t)st.st_size, .part_size = FG_S3_PART_BYTES};
    while (u.size / u.part_size >= PARTS_MAX)
        u.part_size *= 2;
    u.parts = u.size ? (int)((u.size + u.part_size - 1) / u.part_size) : 1;
    u.sums = calloc((size_t)u.parts, sizeof *u.sums);
    u.etags = calloc((size_t)u.parts, sizeof *u.etags);
    fg_code rc = u.sums && u.etags ? hash_file(&u, err) : FG_FAIL(err, FG_ERR_MEMORY, "out of memory");
    if (rc == FG_OK)
        rc = u.parts == 1 ? put_whole(s3, key, NULL, fd, u.size, u.sha256, err) : put_parts(&u, err);
    free(u.sums);
    free(u.etags);
    return rc;
}

fg_code fg_s3_put(fg_s3 *s3, const char *key, const void *data, size_t size, fg_error *err)
{
    char hex[FG_SHA256_HEX];
    fg_sha256_hex(size ? data : "", size, hex);
    return put_whole(s3, key, size ? data : "", -1, size, hex, err);
}
