/* Objects of one S3 bucket below one prefix, at AWS or at anything that speaks its protocol.
 * https://docs.aws.amazon.com/AmazonS3/latest/API/
 *
 * Every body is signed with its SHA-256, which the service checks; the whole object's is kept in its metadata
 * (x-amz-meta-sha256) and checked when the object is read whole: FG_ERR_INPUT where it differs. An object is
 * there whole or not at all. Memory stays the same whatever an object's size. */
#ifndef FG_CLOUD_S3_H
#define FG_CLOUD_S3_H

#include "cloud/aws.h"

typedef struct fg_s3 fg_s3; /* safe to share between threads */

typedef struct fg_s3_options {
    const char *url;      /* s3://BUCKET[/PREFIX] */
    const char *endpoint; /* NULL: AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL, else AWS's own of the region */
    const char *style;    /* "path", "virtual", NULL or "auto": virtual at AWS, path elsewhere */
    const char *sse;      /* "AES256", "aws:kms"; NULL or "none": as the bucket is set */
    const char *kms_key;  /* of aws:kms; NULL: the account's own */
} fg_s3_options;

enum { FG_S3_PART_BYTES = 8 << 20, FG_S3_KEY_MAX = 1024 };

/* aws is borrowed. Nothing is sent yet. FG_ERR_USAGE: not such an address; a region is missing. */
fg_code fg_s3_open(fg_s3 **s3, fg_aws *aws, const fg_s3_options *options, fg_error *err) FG_MUST_CHECK;
void fg_s3_close(fg_s3 *s3);
const char *fg_s3_bucket(const fg_s3 *s3);
const char *fg_s3_prefix(const fg_s3 *s3); /* "" or ending in '/' */

/* Keys are below the prefix. */
fg_code fg_s3_put(fg_s3 *s3, const char *key, const void *data, size_t size, fg_error *err) FG_MUST_CHECK;
/* All that fd holds from its start on; in parts of FG_S3_PART_BYTES where it is more than one. */
fg_code fg_s3_put_fd(fg_s3 *s3, const char *key, int fd, fg_error *err) FG_MUST_CHECK;

typedef struct fg_s3_sink {
    /* offset counts from the first byte asked for; each byte comes once, in order. */
    fg_code (*write)(void *context, uint64_t offset, const void *data, size_t size, fg_error *err);
    /* May be NULL: told the size before the first write. */
    fg_code (*begin)(void *context, uint64_t size, fg_error *err);
    void *context;
} fg_s3_sink;

/* size 0: to the end; offset and size may go beyond the end, where FG_ERR_LIMIT means that nothing is there.
 * A transfer that breaks goes on where it stopped, of the same object. FG_ERR_NOT_FOUND. */
fg_code fg_s3_get(fg_s3 *s3, const char *key, uint64_t offset, uint64_t size, const fg_s3_sink *sink,
                  fg_error *err) FG_MUST_CHECK;
/* Fine where there is none. Every version of it, where the bucket keeps versions. */
fg_code fg_s3_delete(fg_s3 *s3, const char *key, fg_error *err) FG_MUST_CHECK;
/* Everything below prefix (which ends in '/'), with its versions, and uploads that were never completed. */
fg_code fg_s3_delete_prefix(fg_s3 *s3, const char *prefix, fg_error *err) FG_MUST_CHECK;
/* In byte order, page after page. each may put and delete; false ends it. */
fg_code fg_s3_list(fg_s3 *s3, const char *prefix, bool (*each)(void *context, const char *key, uint64_t size),
                   void *context, fg_error *err) FG_MUST_CHECK;
/* A link that lets whoever has it read the object for that long, 1 to 604800 s: it is a secret. */
fg_code fg_s3_link(fg_s3 *s3, const char *key, int seconds, fg_buf *url, fg_error *err) FG_MUST_CHECK;

/* -- the XML, for s3.c and the fuzz driver -- */

typedef struct fg_s3_item {
    char key[FG_S3_KEY_MAX + 1];
    char id[256]; /* of a version, or of an upload */
    uint64_t size;
} fg_s3_item;

typedef struct fg_s3_page {
    fg_s3_item *items; /* owned */
    int count, capacity;
    bool more;
    char next[FG_S3_KEY_MAX + 256]; /* where the next page starts: a token, or a key */
    char next_id[256];
} fg_s3_page;

void fg_s3_page_deinit(fg_s3_page *page);
/* ListBucketResult, ListVersionsResult, ListMultipartUploadsResult; keys decoded. */
fg_code fg_s3_page_read(fg_s3_page *page, const void *data, size_t size, const char *what,
                        fg_error *err) FG_MUST_CHECK;
/* The text of one element: "InitiateMultipartUploadResult/UploadId". FG_ERR_INPUT where it is missing or
 * longer. */
fg_code fg_s3_word_read(char *out, size_t out_size, const void *data, size_t size, const char *path,
                        const char *what, fg_error *err) FG_MUST_CHECK;

#endif
