/* Signature Version 4, the part that libcurl keeps to itself: the signature of a canonical request, as needed
 * for links that are signed in advance and for requests that come in.
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html */
#ifndef FG_CLOUD_SIGV4_H
#define FG_CLOUD_SIGV4_H

#include "base/file.h"

#include <stdbool.h>
#include <stdint.h>

#define FG_SIGV4_TIME 17 /* "20260131T123456Z" with its NUL */
#define FG_SIGV4_EMPTY_SHA256 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

void fg_sigv4_time(int64_t unix_ms, char text[FG_SIGV4_TIME]);
/* The signature in hex over canonical, which is canonical_size bytes: AWS4-HMAC-SHA256 for the scope
 * <day of time>/<region>/<service>/aws4_request. */
void fg_sigv4_sign(const char *secret_key, const char *time, const char *region, const char *service,
                   const void *canonical, size_t canonical_size, char signature[FG_SHA256_HEX]);

/* Appends the value of the Authorization header of a request with these header lines ("Name: value", all of
 * which are signed, and the URL's host with them). url is absolute, its path and query encoded, the query
 * sorted. */
fg_code fg_sigv4_authorization(fg_buf *out, const char *method, const char *url, const char *const *headers,
                               size_t header_count, const char *payload_sha256, const char *access_key,
                               const char *secret_key, const char *region, const char *service,
                               const char *time, fg_error *err) FG_MUST_CHECK;

#endif
