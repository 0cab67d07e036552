/* Calls to AWS and to what speaks its protocol: credentials found and renewed, requests signed, failures told
 * apart, and tried again with growing, random pauses where that can help. */
#ifndef FG_CLOUD_AWS_H
#define FG_CLOUD_AWS_H

#include "base/log.h"
#include "cloud/credentials.h"

typedef struct fg_aws fg_aws; /* safe to share between threads */

typedef struct fg_aws_options {
    const char *file;   /* --aws-file; NULL: the other places */
    const char *region; /* --region; NULL: AWS_REGION, AWS_DEFAULT_REGION, the file's or the profile's */
    const fg_log *log;  /* told of every second try; NULL: nobody */
    int attempts;       /* 0: 5 */
    /* Asked about once a second while a request is under way; false ends it with FG_ERR_CANCELLED. May be
     * NULL. */
    bool (*go_on)(void *context);
    void *context;
} fg_aws_options;

/* Finds the credentials, so that what is wrong with them is known at once. */
fg_code fg_aws_open(fg_aws **aws, const fg_aws_options *options, fg_error *err) FG_MUST_CHECK;
void fg_aws_close(fg_aws *aws);
const char *fg_aws_region(const fg_aws *aws); /* "" where nobody says */
/* What the credentials' file says besides; "" where it does not. */
const char *fg_aws_role(const fg_aws *aws);
const char *fg_aws_endpoint_name(const fg_aws *aws);
const char *fg_aws_bucket_name(const fg_aws *aws);

/* Signs with the current credentials, sends, tries again. FG_OK for a status of 2xx; else the failure that
 * the body or the headers name, as fg_aws_error_* tells. request->signer is not looked at. A request with a
 * sink is not tried again once the sink has been given something, unless resume is there: it then changes the
 * request so that it goes on from there. */
typedef struct fg_aws_call {
    const char *service; /* "s3", "sagemaker" */
    const char *region;  /* NULL: fg_aws_region */
    fg_http_request request;
    bool once; /* not repeated after the request may have been carried out */
    /* May be NULL. Called before each further try; anything but FG_OK ends them. */
    fg_code (*resume)(void *context, fg_http_request *request, fg_error *err);
} fg_aws_call;

fg_code fg_aws_send(fg_aws *aws, const fg_aws_call *call, fg_http_answer *answer,
                    fg_error *err) FG_MUST_CHECK;

/* A copy of the current credentials, renewed where they are about to end; for what signs by itself. Wipe it
 * with fg_credentials_deinit. */
fg_code fg_aws_credentials(fg_aws *aws, fg_credentials *copy, fg_error *err) FG_MUST_CHECK;

/* -- errors as AWS says them -- */

typedef struct fg_aws_failure {
    char name[96];     /* "NoSuchKey"; "" where the answer has none */
    char message[256]; /* presentable */
    char region[64];   /* of S3's redirects */
} fg_aws_failure;

/* From S3's XML, or the JSON services' body and headers. Never fails: what cannot be read is left empty. */
void fg_aws_failure_read(fg_aws_failure *failure, const fg_http_answer *answer);
/* Trying the same again later may help. */
bool fg_aws_failure_passes(const fg_aws_failure *failure, int status);
fg_code fg_aws_failure_code(const fg_aws_failure *failure, const fg_http_answer *answer, const char *what,
                            fg_error *err);

#endif
