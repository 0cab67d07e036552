/* What the files of S3 share among themselves. */
#ifndef FG_CLOUD_S3_INTERNAL_H
#define FG_CLOUD_S3_INTERNAL_H

#include "cloud/s3.h"

enum { FG_S3_URL_MAX = 4 * FG_S3_KEY_MAX + 2048, FG_S3_WHAT_MAX = 320, FG_S3_ANSWER_MAX = 4 << 20 };

struct fg_s3 {
    fg_aws *aws;
    char bucket[64], prefix[FG_S3_KEY_MAX];
    char origin[512];   /* "https://bucket.s3.region.amazonaws.com" */
    bool in_path;       /* the bucket is the path's first part */
    char region[64];    /* that is signed */
    char sse[96];       /* whole headers; "" */
    char kms[256 + 64]; /* likewise */
};

/* "s3://bucket/prefix/key", for messages. */
void fg_s3_what(const fg_s3 *s3, const char *key, char what[FG_S3_WHAT_MAX]);
/* query is encoded and sorted, without '?'; "" for none. key NULL: the bucket itself. */
fg_code fg_s3_url(const fg_s3 *s3, const char *key, const char *query, fg_buf *url,
                  fg_error *err) FG_MUST_CHECK;

typedef struct fg_s3_request {
    const char *method, *key, *query;
    const char *const *headers;
    const void *body;
    int fd;
    uint64_t fd_offset, body_size;
    const char *payload_sha256;
} fg_s3_request;

fg_code fg_s3_send(fg_s3 *s3, const fg_s3_request *request, fg_http_answer *answer,
                   fg_error *err) FG_MUST_CHECK;

#endif
