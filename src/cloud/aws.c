#include "cloud/aws.h"

#include "base/clock.h"

#include <poll.h>
#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    ATTEMPTS = 5,
    PAUSE_MS = 200, /* the first one's most; doubled for each further one */
    PAUSE_MAX_MS = 10000,
    PIECE_MS = 200,           /* of a pause, between two questions whether to go on */
    RENEW_MS = 5 * 60 * 1000, /* credentials that end within this are renewed before they are used */
    RENEW_AGAIN_MS = 10000,   /* after a failure */
};

struct fg_aws {
    fg_http_client *http;
    const fg_log *log;
    char *file;
    char region[FG_AWS_WORD_MAX + 1];
    int attempts;
    bool (*go_on)(void *context);
    void *context;
    bool renewable; /* the first credentials came from a place that gives new ones */
    pthread_mutex_t lock;
    /* Under lock: */
    fg_credentials credentials;
    fg_error failure; /* to get new ones, the last time */
    double failed_ms;
};

static void set_region(fg_aws *aws, const char *asked)
{
    const char *const places[] = {asked, getenv("AWS_REGION"), getenv("AWS_DEFAULT_REGION"),
                                  aws->credentials.region};
    for (size_t i = 0; i < sizeof places / sizeof places[0] && !*aws->region; i++)
        if (places[i])
            snprintf(aws->region, sizeof aws->region, "%s", places[i]);
}

static bool is_region(const char *text)
{
    return strlen(text) <= 40 && strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-") == strlen(text);
}

fg_code fg_aws_open(fg_aws **out, const fg_aws_options *options, fg_error *err)
{
    *out = NULL;
    fg_aws *aws = calloc(1, sizeof *aws);
    if (!aws)
        return FG_FAIL(err, FG_ERR_MEMORY, "out of memory");
    if (pthread_mutex_init(&aws->lock, NULL) != 0) {
        free(aws);
        return FG_FAIL(err, FG_ERR_MEMORY, "out of memory");
    }
    aws->log = options->log;
    aws->attempts = options->attempts > 0 ? options->attempts : ATTEMPTS;
    aws->go_on = options->go_on;
    aws->context = options->context;
    fg_code rc = FG_OK;
    if (options->file && *options->file && !(aws->file = strdup(options->file)))
        rc = FG_FAIL(err, FG_ERR_MEMORY, "out of memory");
    if (rc == FG_OK)
        rc = fg_http_client_new(&aws->http, err);
    if (rc == FG_OK)
        rc = fg_credentials_find(&aws->credentials, aws->http, aws->file, err);
    if (rc == FG_OK) {
        aws->renewable = aws->credentials.source == FG_CREDENTIALS_CONTAINER ||
                         aws->credentials.source == FG_CREDENTIALS_MACHINE;
        set_region(aws, options->region);
        if (!is_region(aws->region))
            rc =
                FG_FAIL(err, FG_ERR_USAGE, "%.60s: not a region; give one such as eu-central-1", aws->region);
    }
    if (rc == FG_OK)
        *out = aws;
    else
        fg_aws_close(aws);
    return rc;
}

void fg_aws_close(fg_aws *aws)
{
    if (!aws)
        return;
    fg_http_client_free(aws->http);
    fg_credentials_deinit(&aws->credentials);
    pthread_mutex_destroy(&aws->lock);
    free(aws->file);
    free(aws);
}

const char *fg_aws_region(const fg_aws *aws)
{
    return aws->region;
}

/* These three come from the file or the profile alone, which are not read again. */
const char *fg_aws_role(const fg_aws *aws)
{
    return aws->credentials.role;
}

const char *fg_aws_endpoint_name(const fg_aws *aws)
{
    return aws->credentials.endpoint_name;
}

const char *fg_aws_bucket_name(const fg_aws *aws)
{
    return aws->credentials.bucket_name;
}

/* -- credentials that end -- */

/* Under the lock. Old credentials stay in use while they last and no new ones can be had. Whoever waits for
 * the lock does not ask once more what has just failed: that may have taken seconds. */
static fg_code renew(fg_aws *aws, fg_error *err)
{
    if (aws->failure.code == FG_OK || fg_clock_monotonic_ms() - aws->failed_ms >= RENEW_AGAIN_MS) {
        fg_credentials fresh;
        if (fg_credentials_find(&fresh, aws->http, aws->file, &aws->failure) == FG_OK) {
            fg_credentials_deinit(&aws->credentials);
            aws->credentials = fresh;
            aws->failure.code = FG_OK;
            return FG_OK;
        }
        aws->failed_ms = fg_clock_monotonic_ms();
    }
    if (aws->credentials.expires_ms > fg_clock_unix_ms())
        return FG_OK;
    if (err)
        *err = aws->failure;
    return fg_failed(aws->failure.code);
}

static fg_code copy_credentials(fg_aws *aws, bool force, fg_credentials *copy, fg_error *err)
{
    fg_code rc = FG_OK;
    *copy = (fg_credentials){0};
    pthread_mutex_lock(&aws->lock);
    const int64_t ends = aws->credentials.expires_ms;
    if (aws->renewable && (force || (ends && ends - fg_clock_unix_ms() < RENEW_MS)))
        rc = renew(aws, err);
    if (rc == FG_OK) {
        *copy = aws->credentials;
        copy->token = copy->token ? strdup(copy->token) : NULL;
        if (aws->credentials.token && !copy->token)
            rc = FG_FAIL(err, FG_ERR_MEMORY, "out of memory");
    }
    pthread_mutex_unlock(&aws->lock);
    return rc;
}

fg_code fg_aws_credentials(fg_aws *aws, fg_credentials *copy, fg_error *err)
{
    return copy_credentials(aws, false, copy, err);
}

/* -- calls -- */

/* Full jitter: any time up to a limit that doubles; but as long as the service asks for. */
static fg_code pause_before(const fg_aws *aws, int attempt, const fg_http_answer *answer, const char *what,
                            fg_error *err)
{
    char text[32];
    uint32_t limit_ms = PAUSE_MS;
    for (int i = 1; i < attempt && limit_ms < PAUSE_MAX_MS; i++)
        limit_ms *= 2;
    long wait_ms = randombytes_uniform(limit_ms) + 20;
    if (fg_http_answer_header(answer, "retry-after", text, sizeof text)) {
        const long asked = strtol(text, NULL, 10);
        const long asked_ms = asked >= PAUSE_MAX_MS / 1000 ? PAUSE_MAX_MS : asked > 0 ? asked * 1000 : 0;
        if (asked_ms > wait_ms)
            wait_ms = asked_ms;
    }
    for (long piece; wait_ms > 0; wait_ms -= piece) {
        piece = wait_ms < PIECE_MS ? wait_ms : PIECE_MS;
        (void)poll(NULL, 0, (int)piece); /* a signal may cut it short, which does no harm */
        if (aws->go_on && !aws->go_on(aws->context))
            return FG_FAIL(err, FG_ERR_CANCELLED, "%s: cancelled", what);
    }
    return FG_OK;
}

static bool has_expired(const fg_aws_failure *f)
{
    return strncmp(f->name, "ExpiredToken", 12) == 0 || strcmp(f->name, "TokenRefreshRequired") == 0;
}

static fg_code attempt_once(fg_aws *aws, const fg_aws_call *call, const fg_http_request *base,
                            bool renew_first, fg_http_answer *answer, fg_error *err)
{
    fg_credentials credentials;
    fg_code rc = copy_credentials(aws, renew_first, &credentials, err);
    if (rc == FG_OK) {
        fg_http_request request = *base;
        const char *region = call->region ? call->region : aws->region;
        const fg_http_signer signer = {credentials.access_key, credentials.secret_key, credentials.token,
                                       region, call->service};
        request.signer = &signer;
        request.go_on = aws->go_on;
        request.go_on_context = aws->context;
        answer->connected = false;
        rc = fg_http_send(aws->http, &request, answer, err);
    }
    fg_credentials_deinit(&credentials);
    return rc;
}

fg_code fg_aws_send(fg_aws *aws, const fg_aws_call *call, fg_http_answer *answer, fg_error *err)
{
    fg_http_request request = call->request;
    fg_aws_failure failure = {0};
    bool renewed = false, renew_first = false;
    for (int attempt = 1;; attempt++) {
        fg_code rc = attempt_once(aws, call, &request, renew_first, answer, err);
        if (rc == FG_OK && answer->status / 100 == 2)
            return FG_OK;
        bool again = false;
        if (rc == FG_OK) {
            fg_aws_failure_read(&failure, answer);
            rc = fg_aws_failure_code(&failure, answer, request.what, err);
            again = fg_aws_failure_passes(&failure, answer->status) &&
                    (!call->once || answer->status == 429 || answer->status == 503 || rc == FG_ERR_BUSY);
            renew_first = has_expired(&failure) && aws->renewable && !renewed;
            if (renew_first) {
                renewed = again = true;
            }
        } else if (rc == FG_ERR_IO && !answer->sink_ended) {
            again = !call->once || !answer->connected;
        }
        if (!again || attempt >= aws->attempts ||
            (request.sink && answer->status / 100 == 2 && !call->resume))
            return rc;
        fg_log_write(aws->log, FG_LOG_INFO, "%s; trying again, %d of %d", err ? err->msg : request.what,
                     attempt + 1, aws->attempts);
        if ((rc = pause_before(aws, attempt, answer, request.what, err)) != FG_OK ||
            (call->resume && (rc = call->resume(request.context, &request, err)) != FG_OK))
            return rc;
    }
}
