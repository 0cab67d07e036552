#define _GNU_SOURCE
#include "base/clock.h"
#include "base/file.h"
#include "blob/blob.h"
#include "cloud/s3.h"
#include "cloud/sigv4.h"
#include "cloud/xml.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "support/canned.h"
#include "support/folder.h"

#define SECRET "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"

static const char *const variables[] = {"AWS_ACCESS_KEY_ID",
                                        "AWS_SECRET_ACCESS_KEY",
                                        "AWS_SESSION_TOKEN",
                                        "AWS_PROFILE",
                                        "AWS_SHARED_CREDENTIALS_FILE",
                                        "AWS_CONFIG_FILE",
                                        "AWS_REGION",
                                        "AWS_DEFAULT_REGION",
                                        "AWS_ENDPOINT_URL",
                                        "AWS_ENDPOINT_URL_S3",
                                        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
                                        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
                                        "AWS_CONTAINER_AUTHORIZATION_TOKEN",
                                        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
                                        "AWS_EC2_METADATA_SERVICE_ENDPOINT",
                                        "http_proxy",
                                        "https_proxy",
                                        "ALL_PROXY"};

typedef struct fixture {
    char folder[FOLDER_PATH], path[FOLDER_PATH + 64];
    canned server, second;
    fg_http_client *http;
    fg_credentials credentials;
    fg_error err;
} fixture;

static int setup(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    if (!f || !folder_make(f->folder))
        return -1;
    for (size_t i = 0; i < sizeof variables / sizeof variables[0]; i++)
        unsetenv(variables[i]);
    setenv("HOME", f->folder, 1);
    setenv("AWS_EC2_METADATA_DISABLED", "true", 1);
    *state = f;
    return canned_start(&f->server) && canned_start(&f->second) &&
                   fg_http_client_new(&f->http, &f->err) == FG_OK
               ? 0
               : -1;
}

static int teardown(void **state)
{
    fixture *f = *state;
    canned_stop(&f->server);
    canned_stop(&f->second);
    fg_http_client_free(f->http);
    fg_credentials_deinit(&f->credentials);
    folder_remove(f->folder);
    free(f);
    return 0;
}

#define ok(call)                                                                                             \
    do {                                                                                                     \
        if ((call) != FG_OK)                                                                                 \
            fail_msg("%s", f->err.msg);                                                                      \
    } while (0)
#define fails(call, code_, says)                                                                             \
    do {                                                                                                     \
        fg_code code__ = (call);                                                                             \
        if (code__ != (code_) || !strstr(f->err.msg, (says)))                                                \
            fail_msg("%d \"%s\" is not %d \"%s\"", code__, f->err.msg, (code_), (says));                     \
        assert_null(strstr(f->err.msg, "wJalr"));                                                            \
        assert_null(strchr(f->err.msg, '\n'));                                                               \
    } while (0)

static const char *write_file(fixture *f, const char *name, const char *text, mode_t mode)
{
    snprintf(f->path, sizeof f->path, "%s/%s", f->folder, name);
    FILE *file = fopen(f->path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(f->path, mode), 0);
    return f->path;
}

static fg_code find(fixture *f, const char *file)
{
    fg_credentials_deinit(&f->credentials);
    return fg_credentials_find(&f->credentials, f->http, file, &f->err);
}

/* -- credentials -- */

static void the_json_file(void **state)
{
    fixture *f = *state;
    static const char good[] = "{\"AWS_ACCESS_KEY_ID\": \"AKIDEXAMPLE\", \"AWS_SECRET_ACCESS_KEY\": \"" SECRET
                               "\", \"REGION_NAME\": "
                               "\"eu-west-1\", \"ROLE\": \"arn:aws:iam::1:role/sm\", \"ENDPOINT_NAME\": "
                               "\"faces\", \"BUCKET_NAME\": \"b\"}";
    ok(find(f, write_file(f, "aws.json", good, 0600)));
    assert_string_equal(f->credentials.access_key, "AKIDEXAMPLE");
    assert_string_equal(f->credentials.secret_key, SECRET);
    assert_string_equal(f->credentials.region, "eu-west-1");
    assert_string_equal(f->credentials.role, "arn:aws:iam::1:role/sm");
    assert_string_equal(f->credentials.endpoint_name, "faces");
    assert_string_equal(f->credentials.bucket_name, "b");
    assert_null(f->credentials.token);
    fails(find(f, write_file(f, "aws.json", good, 0640)), FG_ERR_FORBIDDEN, "chmod 600");
    fails(find(f, write_file(f, "aws.json", good, 0604)), FG_ERR_FORBIDDEN, "others can read");
    chmod(f->path, 0600);
    fails(find(f, write_file(f, "aws.json", "{\"AWS_SECRET_ACCESS_KEY\": \"" SECRET "\"}", 0600)),
          FG_ERR_INPUT, "AWS_ACCESS_KEY_ID");
    fails(find(f, write_file(f, "aws.json", "{\"AWS_SECRET_ACCESS_KEY\": \"" SECRET "\"", 0600)),
          FG_ERR_INPUT, "not a JSON object");
    fails(find(f, write_file(f, "aws.json", SECRET, 0600)), FG_ERR_INPUT, "not a JSON object");
    fails(
        find(f, write_file(f, "aws.json",
                           "{\"AWS_ACCESS_KEY_ID\": \"A\", \"AWS_SECRET_ACCESS_KEY\": \"" SECRET "\\nX: y\"}",
                           0600)),
        FG_ERR_INPUT, "AWS_SECRET_ACCESS_KEY");
    fails(find(f, "/nowhere/aws.json"), FG_ERR_NOT_FOUND, "/nowhere/aws.json");
}

static void the_environment_and_the_profiles(void **state)
{
    fixture *f = *state;
    char aws[FOLDER_PATH + 8];
    fails(find(f, NULL), FG_ERR_UNAUTHORIZED, "no AWS credentials");
    snprintf(aws, sizeof aws, "%s/.aws", f->folder);
    assert_int_equal(mkdir(aws, 0700), 0);
    write_file(f, ".aws/config",
               "[default]\nregion = eu-north-1\ns3 =\n    region = no\n[profile work]\nregion=us-west-2\n",
               0644);
    write_file(f, ".aws/credentials",
               "# mine\n[work]\naws_access_key_id = AKWORK\naws_secret_access_key = " SECRET
               "\naws_session_token = tok\n[ default "
               "]\r\naws_access_key_id=AKDEFAULT\r\naws_secret_access_key=x\r\n",
               0600);
    ok(find(f, NULL));
    assert_string_equal(f->credentials.access_key, "AKDEFAULT");
    assert_string_equal(f->credentials.secret_key, "x");
    assert_string_equal(f->credentials.region, "eu-north-1");
    setenv("AWS_PROFILE", "work", 1);
    ok(find(f, NULL));
    assert_string_equal(f->credentials.access_key, "AKWORK");
    assert_string_equal(f->credentials.token, "tok");
    assert_string_equal(f->credentials.region, "us-west-2");
    setenv("AWS_PROFILE", "nobody", 1);
    fails(find(f, NULL), FG_ERR_UNAUTHORIZED, "nobody has no keys");
    unsetenv("AWS_PROFILE");
    chmod(f->path, 0644);
    fails(find(f, NULL), FG_ERR_FORBIDDEN, "chmod 600");

    setenv("AWS_ACCESS_KEY_ID", "AKENV", 1);
    fails(find(f, NULL), FG_ERR_UNAUTHORIZED, "AWS_SECRET_ACCESS_KEY is not");
    setenv("AWS_SECRET_ACCESS_KEY", SECRET, 1);
    setenv("AWS_SESSION_TOKEN", "session", 1);
    ok(find(f, NULL));
    assert_string_equal(f->credentials.access_key, "AKENV");
    assert_string_equal(f->credentials.token, "session");
}

#define ANSWER(id, when)                                                                                     \
    "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{\"AccessKeyId\": \"" id                                    \
    "\", \"SecretAccessKey\": \"" SECRET "\", \"Token\": \"t0k\", \"Expiration\": \"" when "\"}"

static void the_container(void **state)
{
    fixture *f = *state;
    char url[128];
    snprintf(url, sizeof url, "%s/v2/creds?id=1", f->server.url);
    setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", url, 1);
    setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", write_file(f, "token", "Bearer abc\n", 0600), 1);
    f->server.answers[f->server.count++] = ANSWER("AKC", "2030-01-02T03:04:05Z");
    f->server.answers[f->server.count++] = "HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n";
    f->server.answers[f->server.count++] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";
    f->server.answers[f->server.count++] = ANSWER("AKC", "2030-01-02T03:04:05.5+05:00");
    f->server.answers[f->server.count++] = ANSWER("AKC", "2030-02-30T03:04:05Z");
    ok(find(f, NULL));
    assert_string_equal(f->credentials.access_key, "AKC");
    assert_string_equal(f->credentials.token, "t0k");
    assert_int_equal(f->credentials.expires_ms, 1893553445000);
    assert_non_null(strstr(f->server.requests[0], "GET /v2/creds?id=1 "));
    assert_non_null(strstr(f->server.requests[0], "Authorization: Bearer abc\r\n"));
    fails(find(f, NULL), FG_ERR_UNAUTHORIZED, "status 403");
    fails(find(f, NULL), FG_ERR_INPUT, "AccessKeyId");
    ok(find(f, NULL));
    assert_int_equal(f->credentials.expires_ms, 1893553445500 - 5 * 3600000);
    fails(find(f, NULL), FG_ERR_INPUT, "Expiration is not a time");
    setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://example.com/creds", 1);
    fails(find(f, NULL), FG_ERR_USAGE, "in the clear");
}

static void the_machine(void **state)
{
    fixture *f = *state;
    unsetenv("AWS_EC2_METADATA_DISABLED");
    setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", f->server.url, 1);
    f->server.answers[f->server.count++] = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nSECTOK";
    f->server.answers[f->server.count++] = "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nmy-role\n";
    f->server.answers[f->server.count++] = ANSWER("AKM", "2030-01-02T03:04:05Z");
    f->server.answers[f->server.count++] = "HTTP/1.1 404 Not here\r\nContent-Length: 0\r\n\r\n";
    ok(find(f, NULL));
    assert_string_equal(f->credentials.access_key, "AKM");
    assert_non_null(strstr(f->server.requests[0], "PUT /latest/api/token "));
    assert_non_null(strstr(f->server.requests[0], "X-aws-ec2-metadata-token-ttl-seconds: 21600"));
    assert_non_null(strstr(f->server.requests[2], "GET /latest/meta-data/iam/security-credentials/my-role "));
    assert_non_null(strstr(f->server.requests[2], "X-aws-ec2-metadata-token: SECTOK"));
    fails(find(f, NULL), FG_ERR_UNAUTHORIZED, "no AWS credentials");
}

/* -- calls -- */

typedef struct bucket {
    fg_aws *aws;
    fg_s3 *s3;
} bucket;

static bucket open_bucket(fixture *f, int attempts)
{
    bucket b = {0};
    const fg_aws_options options = {.region = "eu-west-1", .attempts = attempts};
    const fg_s3_options s3 = {.url = "s3://faces/p q/", .endpoint = f->server.url};
    setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE", 1);
    setenv("AWS_SECRET_ACCESS_KEY", SECRET, 1);
    ok(fg_aws_open(&b.aws, &options, &f->err));
    ok(fg_s3_open(&b.s3, b.aws, &s3, &f->err));
    return b;
}

static void close_bucket(bucket *b)
{
    fg_s3_close(b->s3);
    fg_aws_close(b->aws);
}

static void answers(fixture *f, const char *text)
{
    f->server.answers[f->server.count++] = text;
}

#define EMPTY "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
#define XML(status, body)                                                                                    \
    "HTTP/1.1 " status "\r\nConnection: close\r\n\r\n<?xml version=\"1.0\"?><Error>" body "</Error>"

static void what_may_pass_is_tried_again(void **state)
{
    fixture *f = *state;
    bucket b = open_bucket(f, 4);
    answers(f,
            XML("503 Slow Down", "<Code>SlowDown</Code><Message>Please reduce your request rate.</Message>"));
    answers(f, ""); /* cut off */
    answers(f, XML("500 Internal", "<Code>InternalError</Code>"));
    answers(f, EMPTY);
    ok(fg_s3_put(b.s3, "a b/ü", "text", 4, &f->err));
    assert_int_equal(f->server.served, 4);
    for (int i = 0; i < 4; i++) {
        const char *r = f->server.requests[i];
        assert_non_null(strstr(r, "PUT /faces/p%20q/a%20b/%C3%BC HTTP/1.1\r\n"));
        assert_non_null(strstr(r, "Credential=AKIDEXAMPLE/"));
        assert_non_null(strstr(r, "/eu-west-1/s3/aws4_request"));
        assert_non_null(strstr(r, "\r\n\r\ntext"));
        assert_null(strstr(r, SECRET));
    }
    /* In the end it is given up, and said why. */
    for (int i = 0; i < 4; i++)
        answers(f, XML("503 Slow Down", "<Code>SlowDown</Code><Message>Please reduce.</Message>"));
    fails(fg_s3_put(b.s3, "k", "text", 4, &f->err), FG_ERR_BUSY, "SlowDown: Please reduce.");
    assert_int_equal(f->server.served, 8);
    close_bucket(&b);
}

static void what_cannot_pass_is_not(void **state)
{
    fixture *f = *state;
    bucket b = open_bucket(f, 4);
    static const struct {
        const char *answer;
        fg_code code;
        const char *says;
    } cases[] = {
        {XML("403 No", "<Code>AccessDenied</Code><Message>No.</Message>"), FG_ERR_FORBIDDEN,
         "s3://faces/p q/k: access denied"},
        {XML("403 No", "<Code>InvalidAccessKeyId</Code>"), FG_ERR_UNAUTHORIZED, "access key is not known"},
        {XML("403 No", "<Code>SignatureDoesNotMatch</Code><StringToSign>wJalr</StringToSign>"),
         FG_ERR_UNAUTHORIZED, "signature does not match"},
        {XML("400 No", "<Code>ExpiredToken</Code>"), FG_ERR_UNAUTHORIZED, "have expired"},
        {"HTTP/1.1 403 No\r\nDate: Fri, 01 Jan 2021 00:00:00 GMT\r\nConnection: "
         "close\r\n\r\n<Error><Code>RequestTimeTooSkewed</Code></Error>",
         FG_ERR_UNAUTHORIZED, "minutes fast; set it"},
        {XML("404 No", "<Code>NoSuchBucket</Code>"), FG_ERR_NOT_FOUND, "no such bucket"},
        {"HTTP/1.1 301 Moved\r\nLocation: http://127.0.0.1:1/\r\nx-amz-bucket-region: "
         "us-west-2\r\nContent-Length: 0\r\n\r\n",
         FG_ERR_USAGE, "--region us-west-2"},
        {"HTTP/1.1 404 No\r\nContent-Length: 4\r\n\r\nhtml", FG_ERR_NOT_FOUND, "no such thing"},
        {"HTTP/1.1 418 Tea\r\nContent-Length: 1\r\n\r\n<", FG_ERR_IO, "s3://faces/p q/k: status 418"},
        {XML("400 No", "<Code>Odd</Code><Message>a\nb</Message>"), FG_ERR_IO, "Odd: a?b"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        answers(f, cases[i].answer);
        fails(fg_s3_put(b.s3, "k", "", 0, &f->err), cases[i].code, cases[i].says);
        assert_int_equal(f->server.served, i + 1);
    }
    close_bucket(&b);
}

static void a_redirect_gets_no_credentials(void **state)
{
    fixture *f = *state;
    bucket b = open_bucket(f, 4);
    char answer[256];
    snprintf(answer, sizeof answer, "HTTP/1.1 307 Go\r\nLocation: %s/faces/k\r\nContent-Length: 0\r\n\r\n",
             f->second.url);
    answers(f, answer);
    fails(fg_s3_put(b.s3, "k", "x", 1, &f->err), FG_ERR_USAGE, "not followed");
    assert_int_equal(f->second.served, 0);
    close_bucket(&b);
}

static bool three_times(void *context)
{
    int *left = context;
    return (*left)-- > 0;
}

/* In a pause that the service asks for, and while a service that took the connection says nothing. */
static void whoever_cancels_does_not_wait(void **state)
{
    fixture *f = *state;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    char silent[64];
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(fd >= 0 && bind(fd, (struct sockaddr *)&address, size) == 0 && listen(fd, 1) == 0 &&
                getsockname(fd, (struct sockaddr *)&address, &size) == 0);
    snprintf(silent, sizeof silent, "http://127.0.0.1:%d", ntohs(address.sin_port));
    setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE", 1);
    setenv("AWS_SECRET_ACCESS_KEY", SECRET, 1);
    answers(f, "HTTP/1.1 503 Slow Down\r\nRetry-After: 99999999999999999999\r\nContent-Length: "
               "0\r\nConnection: close\r\n\r\n");
    for (int i = 0; i < 2; i++) {
        int left = 3;
        fg_aws *aws = NULL;
        fg_s3 *s3 = NULL;
        const fg_aws_options options = {.region = "eu-west-1", .go_on = three_times, .context = &left};
        ok(fg_aws_open(&aws, &options, &f->err));
        ok(fg_s3_open(&s3, aws, &(fg_s3_options){.url = "s3://faces", .endpoint = i ? silent : f->server.url},
                      &f->err));
        const double start = fg_clock_monotonic_ms();
        fails(fg_s3_put(s3, "k", "x", 1, &f->err), FG_ERR_CANCELLED, "s3://faces/k: cancelled");
        assert_true(fg_clock_monotonic_ms() - start < 9000);
        assert_true(left < 0);
        fg_s3_close(s3);
        fg_aws_close(aws);
    }
    assert_int_equal(f->server.served, 1);
    close(fd);
}

static void expired_credentials_are_renewed_once(void **state)
{
    fixture *f = *state;
    fg_aws *aws = NULL;
    fg_s3 *s3 = NULL;
    setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f->second.url, 1);
    f->second.answers[f->second.count++] = ANSWER("AKOLD", "2130-01-02T03:04:05Z");
    f->second.answers[f->second.count++] = ANSWER("AKNEW", "2130-01-02T03:04:05Z");
    f->second.answers[f->second.count++] = ANSWER("AKLAST", "2130-01-02T03:04:05Z");
    answers(f, XML("400 No", "<Code>ExpiredToken</Code>"));
    answers(f, EMPTY);
    answers(f, XML("400 No", "<Code>ExpiredToken</Code>"));
    answers(f, XML("400 No", "<Code>ExpiredToken</Code>"));
    ok(fg_aws_open(&aws, &(fg_aws_options){.region = "eu-west-1"}, &f->err));
    ok(fg_s3_open(&s3, aws, &(fg_s3_options){.url = "s3://faces", .endpoint = f->server.url}, &f->err));
    ok(fg_s3_put(s3, "k", "x", 1, &f->err));
    assert_non_null(strstr(f->server.requests[0], "Credential=AKOLD/"));
    assert_non_null(strstr(f->server.requests[1], "Credential=AKNEW/"));
    assert_non_null(strstr(f->server.requests[1], "x-amz-security-token: t0k\r\n"));
    assert_non_null(strstr(f->server.requests[1], ";x-amz-security-token,"));
    fails(fg_s3_put(s3, "k", "x", 1, &f->err), FG_ERR_UNAUTHORIZED, "expired");
    assert_int_equal(f->server.served, 4);
    fg_s3_close(s3);
    fg_aws_close(aws);
}

/* About to end and not to be had anew: they are used while they last, and not every request asks again. */
static void credentials_that_cannot_be_renewed(void **state)
{
    fixture *f = *state;
    fg_aws *aws = NULL;
    fg_s3 *s3 = NULL;
    char ends[FG_TIME_TEXT], answer[512];
    setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f->second.url, 1);
    fg_clock_text(fg_clock_unix_ms() + 60000, ends);
    snprintf(answer, sizeof answer, ANSWER("AKENDS", "%s"), ends);
    f->second.answers[f->second.count++] = answer;
    f->second.answers[f->second.count++] = "HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n";
    ok(fg_aws_open(&aws, &(fg_aws_options){.region = "eu-west-1"}, &f->err));
    ok(fg_s3_open(&s3, aws, &(fg_s3_options){.url = "s3://faces", .endpoint = f->server.url}, &f->err));
    for (int i = 0; i < 3; i++) {
        answers(f, EMPTY);
        ok(fg_s3_put(s3, "k", "x", 1, &f->err));
        assert_non_null(strstr(f->server.requests[i], "Credential=AKENDS/"));
    }
    assert_int_equal(f->second.served, 2);
    fg_s3_close(s3);
    fg_aws_close(aws);
}

/* -- reading -- */

typedef struct got {
    char text[64];
    size_t size;
} got;

static fg_code take(void *context, uint64_t offset, const void *data, size_t size, fg_error *err)
{
    got *g = context;
    (void)err;
    assert_int_equal(offset, g->size);
    assert_true(size < sizeof g->text - g->size);
    memcpy(g->text + g->size, data, size);
    g->size += size;
    return FG_OK;
}

static void a_broken_download_goes_on(void **state)
{
    fixture *f = *state;
    bucket b = open_bucket(f, 4);
    got g = {0};
    const fg_s3_sink sink = {take, NULL, &g};
    answers(f, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\nETag: \"e1\"\r\nx-amz-meta-sha256: "
               "84d89877f0d4041efb6bf91a16f0248f2fd573e6af05c19f96bedb9f882f7882\r\n\r\n0123");
    answers(f, XML("503 Slow Down", "<Code>SlowDown</Code>"));
    answers(f, "HTTP/1.1 206 Partial\r\nContent-Length: 6\r\nETag: \"e1\"\r\n\r\n456789");
    ok(fg_s3_get(b.s3, "k", 0, 0, &sink, &f->err));
    assert_string_equal(g.text, "0123456789");
    assert_null(strcasestr(f->server.requests[0], "Range:"));
    assert_non_null(strstr(f->server.requests[2], "Range: bytes=4-\r\n"));
    assert_non_null(strstr(f->server.requests[2], "If-Match: \"e1\"\r\n"));

    /* Another object in its place is not the same one's rest. */
    g = (got){0};
    answers(f, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\nETag: \"e1\"\r\n\r\n0123");
    answers(f, XML("412 No", "<Code>PreconditionFailed</Code>"));
    fails(fg_s3_get(b.s3, "k", 0, 0, &sink, &f->err), FG_ERR_BUSY, "changed meanwhile");
    close_bucket(&b);
}

static void what_comes_is_checked(void **state)
{
    fixture *f = *state;
    bucket b = open_bucket(f, 2);
    got g = {0};
    const fg_s3_sink sink = {take, NULL, &g};
    answers(f, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\nx-amz-meta-sha256: "
               "84d89877f0d4041efb6bf91a16f0248f2fd573e6af05c19f96bedb9f882f7882\r\n\r\n0123");
    fails(fg_s3_get(b.s3, "k", 0, 0, &sink, &f->err), FG_ERR_INPUT, "damaged");
    g = (got){0};
    answers(f, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\n0123");
    fails(fg_s3_get(b.s3, "k", 2, 2, &sink, &f->err), FG_ERR_INPUT, "to a request for a part");
    answers(f, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n0123");
    fails(fg_s3_get(b.s3, "k", 0, 0, &sink, &f->err), FG_ERR_INPUT, "without a length");
    close_bucket(&b);
}

static void nobody_there(void **state)
{
    fixture *f = *state;
    bucket b = open_bucket(f, 2);
    fg_s3 *s3 = NULL;
    ok(fg_s3_open(&s3, b.aws, &(fg_s3_options){.url = "s3://faces", .endpoint = "http://127.0.0.1:1"},
                  &f->err));
    fails(fg_s3_put(s3, "k", "x", 1, &f->err), FG_ERR_IO, "cannot connect");
    fg_s3_close(s3);
    close_bucket(&b);
}

/* -- addresses -- */

static void addresses(void **state)
{
    fixture *f = *state;
    bucket b = open_bucket(f, 1);
    fg_aws *nowhere = NULL;
    static const struct {
        const char *url, *endpoint, *style, *link;
    } good[] = {
        {"s3://faces", NULL, NULL, "https://faces.s3.eu-west-1.amazonaws.com/k?"},
        {"s3://faces/a/b//", NULL, "virtual", "https://faces.s3.eu-west-1.amazonaws.com/a/b/k?"},
        {"s3://faces/a", NULL, "path", "https://s3.eu-west-1.amazonaws.com/faces/a/k?"},
        {"s3://my.faces/a", NULL, "auto", "https://s3.eu-west-1.amazonaws.com/my.faces/a/k?"},
        {"s3://faces", "https://minio.example:9000", NULL, "https://minio.example:9000/faces/k?"},
        {"s3://faces", "https://minio.example:9000/", "virtual", "https://faces.minio.example:9000/k?"},
        {"s3://faces", "http://localhost:9000", NULL, "http://localhost:9000/faces/k?"},
        {"s3://faces", "http://[::1]:9000", NULL, "http://[::1]:9000/faces/k?"},
    };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        fg_s3 *s3 = NULL;
        fg_buf link;
        const fg_s3_options o = {.url = good[i].url, .endpoint = good[i].endpoint, .style = good[i].style};
        fg_buf_init(&link, 8192);
        ok(fg_s3_open(&s3, b.aws, &o, &f->err));
        ok(fg_s3_link(s3, "k", 5, &link, &f->err));
        if (strncmp((char *)link.data, good[i].link, strlen(good[i].link)) != 0)
            fail_msg("%s does not begin with %s", (char *)link.data, good[i].link);
        fg_buf_deinit(&link);
        fg_s3_close(s3);
    }
    static const struct {
        const char *url, *endpoint, *sse, *key, *says;
    } bad[] = {
        {"s3:/faces", NULL, NULL, NULL, "s3://BUCKET"},
        {"s3://", NULL, NULL, NULL, "s3://BUCKET"},
        {"s3://Faces/x", NULL, NULL, NULL, "s3://BUCKET"},
        {"s3://a..b/x", NULL, NULL, NULL, "s3://BUCKET"},
        {"s3://faces/a\nb", NULL, NULL, NULL, "control character"},
        {"s3://faces", "http://minio.example:9000", NULL, NULL, "in the clear"},
        {"s3://faces", "http://[::2]:9000", NULL, NULL, "in the clear"},
        {"s3://faces", "http://127.0.0.1.example.com", NULL, NULL, "in the clear"},
        {"s3://faces", "https://u:p@minio.example", NULL, NULL, "not an address"},
        {"s3://faces", "https://minio.example/path", NULL, NULL, "not an address"},
        {"s3://faces", "ftp://minio.example", NULL, NULL, "not an address"},
        {"s3://faces", NULL, "rot13", NULL, "no such encryption"},
        {"s3://faces", NULL, "AES256", "k", "aws:kms"},
        {"s3://faces", NULL, "aws:kms", "a b", "KMS key"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        fg_s3 *s3 = NULL;
        const fg_s3_options o = {
            .url = bad[i].url, .endpoint = bad[i].endpoint, .sse = bad[i].sse, .kms_key = bad[i].key};
        fails(fg_s3_open(&s3, b.aws, &o, &f->err), FG_ERR_USAGE, bad[i].says);
        assert_null(s3);
    }
    close_bucket(&b);
    fails(fg_aws_open(&nowhere, &(fg_aws_options){.region = "eu west"}, &f->err), FG_ERR_USAGE,
          "not a region");
    ok(fg_aws_open(&nowhere, &(fg_aws_options){0}, &f->err));
    fg_s3 *s3 = NULL;
    fails(fg_s3_open(&s3, nowhere, &(fg_s3_options){.url = "s3://faces"}, &f->err), FG_ERR_USAGE, "--region");
    fg_aws_close(nowhere);
}

static void a_signature_that_is_known(void **state)
{
    (void)state;
    /* The example of AWS's documentation on presigned URLs. */
    static const char canonical[] =
        "GET\n/"
        "test.txt\nX-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-"
        "east-1%2Fs3"
        "%2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host\n"
        "host:examplebucket.s3.amazonaws.com\n\nhost\nUNSIGNED-PAYLOAD";
    char signature[FG_SHA256_HEX], time[FG_SIGV4_TIME];
    fg_sigv4_time(1369353600999, time);
    assert_string_equal(time, "20130524T000000Z");
    fg_sigv4_sign(SECRET, time, "us-east-1", "s3", canonical, sizeof canonical - 1, signature);
    assert_string_equal(signature, "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404");
}

static void a_request_that_is_known(void **state)
{
    fixture *f = *state;
    /* The example "GET Object" of AWS's documentation on S3. */
    static const char *const headers[] = {"x-amz-date: 20130524T000000Z", "Range: bytes=0-9",
                                          "x-amz-content-sha256: " FG_SIGV4_EMPTY_SHA256};
    fg_buf out;
    fg_buf_init(&out, 1024);
    ok(fg_sigv4_authorization(&out, "GET", "https://examplebucket.s3.amazonaws.com/test.txt", headers, 3,
                              FG_SIGV4_EMPTY_SHA256, "AKIAIOSFODNN7EXAMPLE", SECRET, "us-east-1", "s3",
                              "20130524T000000Z", &f->err));
    assert_string_equal(
        (char *)out.data,
        "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, "
        "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date, "
        "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
    fg_buf_deinit(&out);
}

/* -- XML -- */

static fg_code page(fg_s3_page *out, const char *text, fg_error *err)
{
    return fg_s3_page_read(out, text, strlen(text), "list", err);
}

static void listings(void **state)
{
    fixture *f = *state;
    fg_s3_page p;
    char word[8];
    ok(page(&p,
            "<?xml version=\"1.0\"?><ListBucketResult "
            "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Contents><Key>a%2Fb+c"
            "%25</Key><Size>12345678901</Size><Owner><ID>x</ID></Owner></Contents><Contents><Key>&lt;d</"
            "Key><Size>0</Size>"
            "</Contents><IsTruncated>true</IsTruncated><NextContinuationToken>t%3D</"
            "NextContinuationToken><EncodingType>url"
            "</EncodingType></ListBucketResult>",
            &f->err));
    assert_int_equal(p.count, 2);
    assert_string_equal(p.items[0].key, "a/b c%");
    assert_int_equal(p.items[0].size, 12345678901);
    assert_string_equal(p.items[1].key, "<d");
    assert_true(p.more);
    assert_string_equal(p.next, "t%3D"); /* a token is passed on as it is */
    fg_s3_page_deinit(&p);
    ok(page(&p,
            "<ListVersionsResult><Version><Key>a+%2B</Key><VersionId>v1</VersionId></"
            "Version><DeleteMarker><Key>a</Key>"
            "<VersionId>v2</VersionId></DeleteMarker></ListVersionsResult>",
            &f->err));
    assert_int_equal(p.count, 2);
    assert_string_equal(p.items[0].key, "a+%2B");
    assert_string_equal(p.items[1].id, "v2");
    fg_s3_page_deinit(&p);
    static const char *const bad[] = {
        "",
        "text",
        "<ListBucketResult>",
        "<!DOCTYPE a [<!ENTITY b "
        "\"c\">]><ListBucketResult><Contents><Key>&b;</Key></Contents></ListBucketResult>",
        "<ListBucketResult><Contents><Size>1</Size></Contents></ListBucketResult>",
        "<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>",
        "<ListBucketResult><EncodingType>url</EncodingType><Contents><Key>a%0</Key></Contents></"
        "ListBucketResult>",
        "<ListBucketResult><EncodingType>url</EncodingType><Contents><Key>a%00b</Key></Contents></"
        "ListBucketResult>",
        "<a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a></a></a></a></a></a></a></a></a></a></a></a></"
        "a></a></a></a></a></a>",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        fails(page(&p, bad[i], &f->err), FG_ERR_INPUT, "list: ");
    static const char started[] = "<I><UploadId>1234567</UploadId></I>";
    ok(fg_s3_word_read(word, sizeof word, started, sizeof started - 1, "I/UploadId", "up", &f->err));
    assert_string_equal(word, "1234567");
    fails(fg_s3_word_read(word, 7, started, sizeof started - 1, "I/UploadId", "up", &f->err), FG_ERR_INPUT,
          "missing");
    fails(fg_s3_word_read(word, 7, started, sizeof started - 1, "UploadId", "up", &f->err), FG_ERR_INPUT,
          "missing");
}

static void a_listing_that_does_not_end(void **state)
{
    fixture *f = *state;
    bucket b = open_bucket(f, 1);
    for (int i = 0; i < 4; i++)
        answers(
            f,
            "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n<ListVersionsResult><IsTruncated>true</IsTruncated>"
            "<NextKeyMarker>same</NextKeyMarker></ListVersionsResult>");
    fails(fg_s3_delete_prefix(b.s3, "x/", &f->err), FG_ERR_INPUT, "does not end");
    assert_non_null(strstr(f->server.requests[1],
                           "GET /faces?encoding-type=url&key-marker=same&prefix=p%20q%2Fx%2F&versions= "));
    close_bucket(&b);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(the_json_file),
        TEST(the_environment_and_the_profiles),
        TEST(the_container),
        TEST(the_machine),
        TEST(what_may_pass_is_tried_again),
        TEST(what_cannot_pass_is_not),
        TEST(a_redirect_gets_no_credentials),
        TEST(whoever_cancels_does_not_wait),
        TEST(expired_credentials_are_renewed_once),
        TEST(credentials_that_cannot_be_renewed),
        TEST(a_broken_download_goes_on),
        TEST(what_comes_is_checked),
        TEST(nobody_there),
        TEST(addresses),
        TEST(a_signature_that_is_known),
        TEST(a_request_that_is_known),
        TEST(listings),
        TEST(a_listing_that_does_not_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
