/* Signature Version 4, the part that libcurl keeps to itself: canonical requests and their signatures, for
 * links that are signed in advance, requests that libcurl would sign wrongly, and those that come in
 * (access/aws_request.h). Whoever signs and whoever checks do it with the same code.
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html */
#ifndef FG_CLOUD_SIGV4_H
#define FG_CLOUD_SIGV4_H

#include "base/file.h"

#include <stdbool.h>
#include <stdint.h>

#define FG_SIGV4_ALGORITHM "AWS4-HMAC-SHA256"
#define FG_SIGV4_END "aws4_request" /* of every scope */
#define FG_SIGV4_TIME 17            /* "20260131T123456Z" with its NUL */
#define FG_SIGV4_EMPTY_SHA256 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

void fg_sigv4_time(int64_t unix_ms, char text[FG_SIGV4_TIME]);

typedef struct fg_sigv4_header {
    const char *name, *value; /* in the order in which they came; a name may come again */
} fg_sigv4_header;

typedef struct fg_sigv4_request {
    const char *method;
    const char *path;  /* as it is sent, still encoded */
    const char *query; /* as it is sent, without '?'; NULL for none */
    const fg_sigv4_header *headers;
    int header_count;
    const char *payload_sha256; /* of the body, in hex, or what stands for it */
    bool s3;                    /* S3 alone takes the path as it is */
} fg_sigv4_request;

/* Appends the canonical request: path normalised and encoded once more (but for s3), query decoded, encoded
 * and sorted, headers trimmed and joined. signed_headers: names in lower case, ascending, separated by ';'.
 */
fg_code fg_sigv4_canonical(const fg_sigv4_request *request, const char *signed_headers, fg_buf *out,
                           fg_error *err) FG_MUST_CHECK;

/* The signature in hex over canonical, which is canonical_size bytes: AWS4-HMAC-SHA256 for the scope
 * <day of time>/<region>/<service>/aws4_request. */
void fg_sigv4_sign(const char *secret_key, const char *time, const char *region, const char *service,
                   const void *canonical, size_t canonical_size, char signature[FG_SHA256_HEX]);

/* Appends the value of the Authorization header of a request with these header lines ("Name: value", all of
 * which are signed, and the URL's host with them). url is absolute, its path and query encoded. */
fg_code fg_sigv4_authorization(fg_buf *out, const char *method, const char *url, const char *const *headers,
                               size_t header_count, const char *payload_sha256, const char *access_key,
                               const char *secret_key, const char *region, const char *service,
                               const char *time, fg_error *err) FG_MUST_CHECK;

#endif
