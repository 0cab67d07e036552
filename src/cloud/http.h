/* One HTTP exchange with a service outside, over libcurl: TLS verified, no redirect followed, caps on what
 * comes back, connections kept and reused. Signing for AWS (Signature Version 4) is libcurl's wherever it
 * gets it right; the retries are cloud/aws.h's. The only user of libcurl. */
#ifndef FG_CLOUD_HTTP_H
#define FG_CLOUD_HTTP_H

#include "base/buf.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct fg_http_client fg_http_client; /* safe to share between threads */

fg_code fg_http_client_new(fg_http_client **client, fg_error *err) FG_MUST_CHECK;
void fg_http_client_free(fg_http_client *client);

typedef struct fg_http_signer { /* all borrowed; the secrets go to libcurl alone */
    const char *access_key, *secret_key;
    const char *token; /* NULL: none */
    const char *region, *service;
} fg_http_signer;

/* What came back. Zero it with fg_http_answer_init, free it with _deinit. */
typedef struct fg_http_answer {
    int status;      /* 0: no answer at all */
    fg_buf headers;  /* "name: value\n" each, names in lower case */
    fg_buf body;     /* where there is no sink, and of every status but 2xx */
    bool whole;      /* the headers came to their end */
    bool connected;  /* false: not a byte of the request has left */
    bool sink_ended; /* the sink said stop: trying again makes no sense */
} fg_http_answer;

void fg_http_answer_init(fg_http_answer *answer, size_t max_body_bytes);
void fg_http_answer_deinit(fg_http_answer *answer);
/* Copies a header's value, "" where there is none; false where it is missing or does not fit. */
bool fg_http_answer_header(const fg_http_answer *answer, const char *name, char *out, size_t out_size);

typedef struct fg_http_request {
    const char *what;   /* for messages: "s3://bucket/key", "sagemaker CreateModel" */
    const char *method; /* GET, HEAD, PUT, POST, DELETE */
    const char *url;    /* absolute; path and query encoded, the query sorted: it is signed as it stands */
    const char *const *headers; /* "Name: value"; NULL at the end; may be NULL */
    const void *body;           /* body_size bytes in memory; or, where it is NULL ... */
    int fd;                     /* ... body_size bytes of this file from fd_offset on */
    uint64_t fd_offset, body_size;
    const char *ca_file; /* PEM, trusted instead of the system's authorities; NULL: AWS_CA_BUNDLE's */
    const fg_http_signer *signer; /* NULL: not signed */
    const char *payload_sha256;   /* of a signed body in hex; NULL: computed, of a body in memory */
    bool direct;                  /* never through a proxy: addresses of this machine's own network */
    long timeout_ms;              /* of all of it; 0: ends only when nothing has moved for 30 s */
    long connect_timeout_ms;      /* 0: 10 s */
    /* Takes the body of a 2xx piece by piece; anything but FG_OK ends the transfer with that error. */
    fg_code (*sink)(void *context, const fg_http_answer *answer, const void *data, size_t size,
                    fg_error *err);
    void *context;
    /* Asked about once a second; false ends the transfer with FG_ERR_CANCELLED. NULL: nobody cancels. */
    bool (*go_on)(void *context);
    void *go_on_context;
} fg_http_request;

/* FG_OK where an answer came, whatever its status. FG_ERR_IO: no network, no such host, a certificate that is
 * not trusted, cut off; FG_ERR_LIMIT: more than the answer's cap. The body is sent by pread: the file's own
 * position does not move. */
fg_code fg_http_send(fg_http_client *client, const fg_http_request *request, fg_http_answer *answer,
                     fg_error *err) FG_MUST_CHECK;

/* A Date header (RFC 9110) as Unix time; 0 where it is not one. */
int64_t fg_http_date_ms(const char *text);
/* Where a Location header (RFC 9110, section 10.2.2) leads from url: absolute, with its scheme in lower case.
 * False where it is not an address or does not fit. */
bool fg_url_follow(const char *url, const char *location, char *out, size_t out_size, bool *same_host);
/* "https://host[:port]" without a path, or "http://" where the host is this machine's own: what goes there
 * is biometric and must not travel in the clear. FG_ERR_USAGE. */
fg_code fg_url_check_endpoint(const char *url, const char *what, fg_error *err) FG_MUST_CHECK;

#endif
