/* What AWS's errors mean: one table from their names to Facegate's codes and to what can be done. */
#include "cloud/aws.h"

#include "base/clock.h"
#include "base/text.h"
#include "cloud/xml.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* PASSES: it may work when tried again. OWN: only the advice is said, since the service's own words may quote
 * what was signed. */
enum { PASSES = 1, OWN = 2 };

/* clang-format off */
static const struct {
    const char *name;
    fg_code code;
    int flags;
    const char *advice;
} meanings[] = {
    {"NoSuchKey",                   FG_ERR_NOT_FOUND,    OWN,    "there is no such object"},
    {"NotFound",                    FG_ERR_NOT_FOUND,    OWN,    "there is no such object"},
    {"NoSuchBucket",                FG_ERR_NOT_FOUND,    OWN,    "there is no such bucket; create it, or check its name and region"},
    {"NoSuchUpload",                FG_ERR_NOT_FOUND,    OWN,    "the upload was ended from elsewhere; try again"},
    {"ResourceNotFound",            FG_ERR_NOT_FOUND,    0,      ""},
    {"ResourceNotFoundException",   FG_ERR_NOT_FOUND,    0,      ""},
    {"InvalidRange",                FG_ERR_LIMIT,        OWN,    "the range is beyond the object's end"},
    {"PreconditionFailed",          FG_ERR_BUSY,         OWN,    "the object was changed meanwhile; try again"},
    {"AccessDenied",                FG_ERR_FORBIDDEN,    OWN,    "access denied; give the credentials this permission"},
    {"AccessDeniedException",       FG_ERR_FORBIDDEN,    0,      "give the credentials this permission"},
    {"AllAccessDisabled",           FG_ERR_FORBIDDEN,    OWN,    "access denied; the bucket is closed"},
    {"InvalidAccessKeyId",          FG_ERR_UNAUTHORIZED, OWN,    "the access key is not known there; check the credentials"},
    {"UnrecognizedClientException", FG_ERR_UNAUTHORIZED, OWN,    "the access key is not known there; check the credentials"},
    {"InvalidClientTokenId",        FG_ERR_UNAUTHORIZED, OWN,    "the access key is not known there; check the credentials"},
    {"SignatureDoesNotMatch",       FG_ERR_UNAUTHORIZED, OWN,    "the signature does not match; check the secret key, the region and the address"},
    {"InvalidSignatureException",   FG_ERR_UNAUTHORIZED, OWN,    "the signature does not match; check the secret key, the region and the address"},
    {"IncompleteSignature",         FG_ERR_UNAUTHORIZED, OWN,    "the signature is not taken there"},
    {"MissingAuthenticationToken",  FG_ERR_UNAUTHORIZED, OWN,    "the request was not signed"},
    {"InvalidToken",                FG_ERR_UNAUTHORIZED, OWN,    "the session token is not valid; get new credentials"},
    {"ExpiredToken",                FG_ERR_UNAUTHORIZED, OWN,    "the credentials have expired; get new ones"},
    {"ExpiredTokenException",       FG_ERR_UNAUTHORIZED, OWN,    "the credentials have expired; get new ones"},
    {"TokenRefreshRequired",        FG_ERR_UNAUTHORIZED, OWN,    "the credentials have expired; get new ones"},
    {"RequestTimeTooSkewed",        FG_ERR_UNAUTHORIZED, OWN,    "the clocks disagree"},
    {"RequestExpired",              FG_ERR_UNAUTHORIZED, OWN,    "the clocks disagree"},
    {"SlowDown",                    FG_ERR_BUSY,         PASSES, ""},
    {"Throttling",                  FG_ERR_BUSY,         PASSES, ""},
    {"ThrottlingException",         FG_ERR_BUSY,         PASSES, ""},
    {"ThrottledException",          FG_ERR_BUSY,         PASSES, ""},
    {"RequestLimitExceeded",        FG_ERR_BUSY,         PASSES, ""},
    {"TooManyRequestsException",    FG_ERR_BUSY,         PASSES, ""},
    {"BandwidthLimitExceeded",      FG_ERR_BUSY,         PASSES, ""},
    {"OperationAborted",            FG_ERR_BUSY,         PASSES, ""},
    {"ModelNotReadyException",      FG_ERR_BUSY,         PASSES, ""},
    {"RequestTimeout",              FG_ERR_IO,           PASSES, ""},
    {"RequestTimeoutException",     FG_ERR_IO,           PASSES, ""},
    {"InternalError",               FG_ERR_IO,           PASSES, ""},
    {"InternalFailure",             FG_ERR_IO,           PASSES, ""},
    {"InternalServerException",     FG_ERR_IO,           PASSES, ""},
    {"ServiceUnavailable",          FG_ERR_BUSY,         PASSES, ""},
    {"ServiceUnavailableException", FG_ERR_BUSY,         PASSES, ""},
    {"BadDigest",                   FG_ERR_IO,           PASSES, "damaged on its way"},
    {"XAmzContentSHA256Mismatch",   FG_ERR_IO,           PASSES, "damaged on its way"},
    {"ModelError",                  FG_ERR_MODEL,        0,      "the model answered with an error"},
    {"EntityTooLarge",              FG_ERR_LIMIT,        OWN,    "too large for one object there"},
    {"QuotaExceeded",               FG_ERR_FULL,         OWN,    "the quota is used up"},
    {"ResourceLimitExceeded",       FG_ERR_FULL,         0,      "ask for a higher quota, or choose another instance type"},
    {"ResourceInUse",               FG_ERR_EXISTS,       0,      ""},
    {"PermanentRedirect",           FG_ERR_USAGE,        OWN,    "the bucket is in another region"},
    {"TemporaryRedirect",           FG_ERR_USAGE,        OWN,    "the bucket is in another region"},
    {"AuthorizationHeaderMalformed",FG_ERR_USAGE,        OWN,    "the bucket is in another region"},
    {"InvalidBucketName",           FG_ERR_USAGE,        OWN,    "not the name of a bucket"},
    {"ValidationException",         FG_ERR_USAGE,        0,      ""},
    {"ValidationError",             FG_ERR_USAGE,        0,      ""},
};
/* clang-format on */

static int find(const char *name)
{
    for (size_t i = 0; i < sizeof meanings / sizeof meanings[0]; i++)
        if (strcmp(meanings[i].name, name) == 0)
            return (int)i;
    return -1;
}

static bool read_element(void *context, const char *path, const char *text)
{
    fg_aws_failure *f = context;
    if (strcmp(path, "Error/Code") == 0)
        fg_text_clean(f->name, sizeof f->name, text);
    else if (strcmp(path, "Error/Message") == 0)
        fg_text_clean(f->message, sizeof f->message, text);
    else if (strcmp(path, "Error/Region") == 0)
        fg_text_clean(f->region, sizeof f->region, text);
    return true;
}

/* "com.amazonaws.sagemaker#ResourceLimitExceeded:http://..." is ResourceLimitExceeded. */
static void set_name(fg_aws_failure *f, const char *text)
{
    const char *hash = strrchr(text, '#');
    if (hash)
        text = hash + 1;
    fg_text_clean(f->name, sizeof f->name, text);
    f->name[strcspn(f->name, ":")] = 0;
}

static void read_json(fg_aws_failure *f, const fg_http_answer *answer)
{
    char header[256];
    json_t *body = json_loadb((const char *)answer->body.data, answer->body.size, 0, NULL);
    const char *type = json_string_value(json_object_get(body, "__type"));
    const char *message = json_string_value(json_object_get(body, "message"));
    if (!message)
        message = json_string_value(json_object_get(body, "Message"));
    if (fg_http_answer_header(answer, "x-amzn-errortype", header, sizeof header))
        set_name(f, header);
    else if (type)
        set_name(f, type);
    if (message)
        fg_text_clean(f->message, sizeof f->message, message);
    json_decref(body);
}

void fg_aws_failure_read(fg_aws_failure *f, const fg_http_answer *answer)
{
    *f = (fg_aws_failure){0};
    const char *body = (const char *)answer->body.data;
    size_t at = 0;
    while (at < answer->body.size && strchr(" \t\r\n", body[at]))
        at++;
    if (at < answer->body.size && body[at] == '<') {
        if (fg_xml_read(body + at, answer->body.size - at, "", read_element, f, NULL) != FG_OK)
            *f = (fg_aws_failure){0};
    } else {
        read_json(f, answer);
    }
    if (!*f->region)
        fg_http_answer_header(answer, "x-amz-bucket-region", f->region, sizeof f->region);
    fg_text_clean(f->region, sizeof f->region, f->region);
}

bool fg_aws_failure_passes(const fg_aws_failure *f, int status)
{
    int i = find(f->name);
    return (i >= 0 && (meanings[i].flags & PASSES)) || status == 429 || status == 500 || status == 502 ||
           status == 503 || status == 504;
}

/* Minutes that this machine's clock is ahead of the service's, by the answer's Date; 0 where it has none. */
static long minutes_ahead(const fg_http_answer *answer)
{
    char date[64];
    if (!fg_http_answer_header(answer, "date", date, sizeof date))
        return 0;
    const int64_t theirs = fg_http_date_ms(date);
    return theirs ? lround((double)(fg_clock_unix_ms() - theirs) / 60000) : 0;
}

static bool is_about_time(const fg_aws_failure *f)
{
    return strcmp(f->name, "RequestTimeTooSkewed") == 0 || strcmp(f->name, "RequestExpired") == 0 ||
           strstr(f->message, "Signature expired") || strstr(f->message, "Signature not yet current");
}

fg_code fg_aws_failure_code(const fg_aws_failure *f, const fg_http_answer *answer, const char *what,
                            fg_error *err)
{
    const int status = answer->status;
    const int i = find(f->name);
    fg_code code = i >= 0 ? meanings[i].code : FG_ERR_IO;
    const char *advice = i >= 0 ? meanings[i].advice : "";
    if (i < 0 && (status == 401 || status == 403 || status == 404 || status == 301 || status == 307))
        return status == 404   ? FG_FAIL(err, FG_ERR_NOT_FOUND, "%s: there is no such thing", what)
               : status == 401 ? FG_FAIL(err, FG_ERR_UNAUTHORIZED, "%s: the credentials are not taken", what)
               : status == 403 ? FG_FAIL(err, FG_ERR_FORBIDDEN, "%s: access denied", what)
               : *f->region
                   ? FG_FAIL(err, FG_ERR_USAGE, "%s: it is in another region; give --region %s", what,
                             f->region)
                   : FG_FAIL(err, FG_ERR_USAGE, "%s: it is at another address, which is not followed", what);
    if (is_about_time(f)) {
        long minutes = minutes_ahead(answer);
        if (minutes)
            return FG_FAIL(err, FG_ERR_UNAUTHORIZED,
                           "%s: this machine's clock is %ld minutes %s; set it and try again", what,
                           labs(minutes), minutes > 0 ? "fast" : "slow");
        return FG_FAIL(err, FG_ERR_UNAUTHORIZED,
                       "%s: this machine's clock and the service's disagree; set it and try again", what);
    }
    if (code == FG_ERR_USAGE && *f->region)
        return FG_FAIL(err, code, "%s: the bucket is in another region; give --region %s", what, f->region);
    /* SageMaker has no name of its own for "there is none". */
    if (strncmp(f->name, "Validation", 10) == 0 &&
        (strstr(f->message, "Could not find") || strstr(f->message, "does not exist") ||
         strstr(f->message, "not found")))
        code = FG_ERR_NOT_FOUND;
    if (i >= 0 && (meanings[i].flags & OWN))
        return FG_FAIL(err, code, "%s: %s", what, advice);
    char number[32];
    snprintf(number, sizeof number, "status %d", status);
    return FG_FAIL(err, code, "%s: %s%s%.200s%s%s", what, *f->name ? f->name : number,
                   *f->message ? ": " : "", f->message, *advice ? "; " : "", advice);
}
