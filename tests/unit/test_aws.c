#define _GNU_SOURCE /* memmem */
/* Signature Version 4 from the server's side: AWS's published vectors, and what is refused. */
#include "access/aws_keys.h"
#include "access/aws_request.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "support/folder.h"

/* The credentials and the time of AWS's own test suite and of the example in its documentation. */
#define EXAMPLE_KEY "AKIDEXAMPLE"
#define EXAMPLE_SECRET "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
#define EXAMPLE_TIME "20150830T123600Z"
#define EMPTY_SHA256 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define UNRESERVED "-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
static const int64_t example_ms = 1440938160000;

static fg_error err;

typedef struct vector {
    const char *name, *method, *path, *query;
    const char *extra[8]; /* header names and values, besides Host and X-Amz-Date */
    const char *signed_headers, *payload_sha256, *signature;
} vector;

static const vector vectors[] = {
    {"get-vanilla",
     "GET",
     "/",
     NULL,
     {NULL},
     "host;x-amz-date",
     EMPTY_SHA256,
     "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
    {"get-relative",
     "GET",
     "/example/..",
     NULL,
     {NULL},
     "host;x-amz-date",
     EMPTY_SHA256,
     "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
    {"get-relative-relative",
     "GET",
     "/example1/example2/../..",
     NULL,
     {NULL},
     "host;x-amz-date",
     EMPTY_SHA256,
     "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
    {"get-slash",
     "GET",
     "//",
     NULL,
     {NULL},
     "host;x-amz-date",
     EMPTY_SHA256,
     "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
    {"get-slash-dot-slash",
     "GET",
     "/./",
     NULL,
     {NULL},
     "host;x-amz-date",
     EMPTY_SHA256,
     "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
    {"get-slashes",
     "GET",
     "//example//",
     NULL,
     {NULL},
     "host;x-amz-date",
     EMPTY_SHA256,
     "9a624bd73a37c9a373b5312afbebe7a714a789de108f0bdfe846570885f57e84"},
    {"get-slash-pointless-dot",
     "GET",
     "/./example",
     NULL,
     {NULL},
     "host;x-amz-date",
     EMPTY_SHA256,
     "ef75d96142cf21edca26f06005da7988e4f8dc83a165a80865db7089db637ec5"},
    {"get-space",
     "GET",
     "/example space/",
     NULL,
     {NULL},
     "host;x-amz-date",
     EMPTY_SHA256,
     "652487583200325589f1fba4c7e578f72c47cb61beeca81406b39ddec1366741"},
    {"get-utf8",
     "GET",
     "/\xe1\x88\xb4",
     NULL,
     {NULL},
     "host;x-amz-date",
     EMPTY_SHA256,
     "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85"},
    {"get-vanilla-empty-query-key",
     "GET",
     "/",
     "Param1=value1",
     {NULL},
     "host;x-amz-date",
     EMPTY_SHA256,
     "a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb"},
    {"get-vanilla-query-order-key-case",
     "GET",
     "/",
     "Param2=value2&Param1=value1",
     {NULL},
     "host;x-amz-date",
     EMPTY_SHA256,
     "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"},
    {"get-vanilla-query-unreserved",
     "GET",
     "/",
     UNRESERVED "=" UNRESERVED,
     {NULL},
     "host;x-amz-date",
     EMPTY_SHA256,
     "9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197"},
    {"get-vanilla-utf8-query",
     "GET",
     "/",
     "\xe1\x88\xb4=bar",
     {NULL},
     "host;x-amz-date",
     EMPTY_SHA256,
     "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04"},
    {"get-header-value-trim",
     "GET",
     "/",
     NULL,
     {"My-Header1", " value1", "My-Header2", " \"a   b   c\""},
     "host;my-header1;my-header2;x-amz-date",
     EMPTY_SHA256,
     "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736"},
    {"get-header-value-order",
     "GET",
     "/",
     NULL,
     {"My-Header1", "value4", "My-Header1", "value1", "My-Header1", "value3", "My-Header1", "value2"},
     "host;my-header1;x-amz-date",
     EMPTY_SHA256,
     "08c7e5a9acfcfeb3ab6b2185e75ce8b1deb5e634ec47601a50643f830c755c01"},
    {"post-vanilla",
     "POST",
     "/",
     NULL,
     {NULL},
     "host;x-amz-date",
     EMPTY_SHA256,
     "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"},
    {"post-vanilla-query",
     "POST",
     "/",
     "Param1=value1",
     {NULL},
     "host;x-amz-date",
     EMPTY_SHA256,
     "28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11"},
    {"post-header-key-sort",
     "POST",
     "/",
     NULL,
     {"My-Header1", "value1"},
     "host;my-header1;x-amz-date",
     EMPTY_SHA256,
     "c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c"},
    {"post-header-value-case",
     "POST",
     "/",
     NULL,
     {"My-Header1", "VALUE1"},
     "host;my-header1;x-amz-date",
     EMPTY_SHA256,
     "cdbc9802e29d2942e5e10b5bccfdd67c5f22c7c4e8ae67b53629efa58b974b7d"},
};

typedef struct fixture {
    fg_sigv4_header headers[16];
    fg_sigv4_request request;
    fg_aws_authorization authorization;
} fixture;

static void fill(fixture *f, const vector *v)
{
    char header[2048];
    fg_aws_fault fault;
    int n = 0;
    f->headers[n++] = (fg_sigv4_header){"Host", "example.amazonaws.com"};
    for (int i = 0; i < 8 && v->extra[i]; i += 2)
        f->headers[n++] = (fg_sigv4_header){v->extra[i], v->extra[i + 1]};
    f->headers[n++] = (fg_sigv4_header){"X-Amz-Date", EXAMPLE_TIME};
    f->request = (fg_sigv4_request){.method = v->method,
                                    .path = v->path,
                                    .query = v->query,
                                    .headers = f->headers,
                                    .header_count = n,
                                    .payload_sha256 = v->payload_sha256};
    snprintf(header, sizeof header,
             "AWS4-HMAC-SHA256 Credential=" EXAMPLE_KEY
             "/20150830/us-east-1/service/aws4_request, SignedHeaders=%s, "
             "Signature=%s",
             v->signed_headers, v->signature);
    if (fg_aws_authorization_parse(&f->authorization, header, &fault, &err))
        fail_msg("%s: %s", v->name, err.msg);
    assert_string_equal(f->authorization.access_key, EXAMPLE_KEY);
}

static void published_vectors(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
        fixture f;
        fg_aws_fault fault;
        fill(&f, &vectors[i]);
        if (fg_aws_check_time(&f.authorization, EXAMPLE_TIME, example_ms, &fault, &err) ||
            fg_aws_check_signature(&f.authorization, &f.request, EXAMPLE_SECRET, &fault, &err)) {
            fg_buf canonical;
            fg_error more;
            fg_buf_init(&canonical, 1 << 16);
            if (fg_sigv4_canonical(&f.request, f.authorization.signed_headers, &canonical, &more) == FG_OK)
                print_message("%s\n", (const char *)canonical.data);
            fail_msg("%s: %s", vectors[i].name, err.msg);
        }
    }
}

/* The same vectors from the sender's side: who signs makes what they say. */
static void published_vectors_are_signed(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
        const vector *v = &vectors[i];
        char url[512], lines[5][128], wanted[512];
        const char *headers[5];
        size_t n = 0;
        fg_buf out;
        fg_buf_init(&out, 4096);
        snprintf(url, sizeof url, "https://example.amazonaws.com%s%s%s", v->path, v->query ? "?" : "",
                 v->query ? v->query : "");
        for (int k = 0; k < 8 && v->extra[k]; k += 2, n++)
            snprintf(lines[n], sizeof lines[n], "%s:%s", v->extra[k], v->extra[k + 1]);
        snprintf(lines[n++], sizeof lines[0], "X-Amz-Date: %s", EXAMPLE_TIME);
        for (size_t k = 0; k < n; k++)
            headers[k] = lines[k];
        snprintf(wanted, sizeof wanted,
                 "AWS4-HMAC-SHA256 Credential=" EXAMPLE_KEY
                 "/20150830/us-east-1/service/aws4_request, SignedHeaders=%s, Signature=%s",
                 v->signed_headers, v->signature);
        assert_int_equal(fg_sigv4_authorization(&out, v->method, url, headers, n, v->payload_sha256,
                                                EXAMPLE_KEY, EXAMPLE_SECRET, "us-east-1", "service",
                                                EXAMPLE_TIME, &err),
                         FG_OK);
        if (strcmp((const char *)out.data, wanted) != 0)
            fail_msg("%s: %s", v->name, (const char *)out.data);
        fg_buf_deinit(&out);
    }
}

/* What the published vectors leave open: parameters are in order by their names alone, then by value; and S3
 * takes paths as they are. */
static void canonical_forms(void **state)
{
    (void)state;
    const struct {
        const char *path, *query;
        bool s3;
        const char *wanted;
    } cases[] = {
        {"/", "a1=x&a=y&a-b=z", false, "GET\n/\na=y&a-b=z&a1=x\n"},
        {"/", "a=2&b=1&a=10&a=1", false, "GET\n/\na=1&a=10&a=2&b=1\n"},
        {"/", "b&a=%3d&&a=", false, "GET\n/\na=&a=%3D&b=\n"},
        {"/a%20b/../c//d/", NULL, false, "GET\n/c/d/\n\n"},
        {"/a%20b", NULL, false, "GET\n/a%2520b\n\n"},
        {"/a%20b/../c//d/", NULL, true, "GET\n/a%20b/../c//d/\n\n"},
        {"", "", true, "GET\n/\n\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const fg_sigv4_header host = {"Host", "  h "};
        const fg_sigv4_request request = {.method = "GET",
                                          .path = cases[i].path,
                                          .query = cases[i].query,
                                          .headers = &host,
                                          .header_count = 1,
                                          .payload_sha256 = EMPTY_SHA256,
                                          .s3 = cases[i].s3};
        char wanted[256];
        fg_buf out;
        fg_buf_init(&out, 4096);
        snprintf(wanted, sizeof wanted, "%shost:h\n\nhost\n" EMPTY_SHA256, cases[i].wanted);
        assert_int_equal(fg_sigv4_canonical(&request, "host", &out, &err), FG_OK);
        assert_string_equal((const char *)out.data, wanted);
        fg_buf_deinit(&out);
    }
}

/* "Create a signed AWS API request" of the IAM User Guide: the ListUsers example, with its canonical request.
 */
static void documented_example(void **state)
{
    (void)state;
    static const char header[] =
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, "
        "SignedHeaders=content-type;host;x-amz-date, "
        "Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7";
    static const char canonical[] = "GET\n/\nAction=ListUsers&Version=2010-05-08\n"
                                    "content-type:application/x-www-form-urlencoded; charset=utf-8\n"
                                    "host:iam.amazonaws.com\nx-amz-date:20150830T123600Z\n\n"
                                    "content-type;host;x-amz-date\n" EMPTY_SHA256;
    const fg_sigv4_header headers[] = {{"Host", "iam.amazonaws.com"},
                                       {"Content-Type", "application/x-www-form-urlencoded; charset=utf-8"},
                                       {"X-Amz-Date", EXAMPLE_TIME}};
    const fg_sigv4_request request = {.method = "GET",
                                      .path = "/",
                                      .query = "Version=2010-05-08&Action=ListUsers",
                                      .headers = headers,
                                      .header_count = 3,
                                      .payload_sha256 = EMPTY_SHA256};
    fg_aws_authorization a;
    fg_aws_fault fault;
    fg_buf text;
    fg_buf_init(&text, 4096);
    assert_int_equal(fg_aws_authorization_parse(&a, header, &fault, &err), FG_OK);
    assert_string_equal(a.service, "iam");
    assert_int_equal(fg_sigv4_canonical(&request, a.signed_headers, &text, &err), FG_OK);
    assert_string_equal((const char *)text.data, canonical);
    assert_int_equal(fg_aws_check_signature(&a, &request, EXAMPLE_SECRET, &fault, &err), FG_OK);
    fg_buf_deinit(&text);
}

/* Whatever is changed on the way is noticed. */
static void any_change_breaks_the_signature(void **state)
{
    (void)state;
    const vector *v = &vectors[13];
    for (int change = 0; change < 12; change++) {
        fixture f;
        fg_aws_fault fault = FG_AWS_GOOD;
        const char *secret = EXAMPLE_SECRET;
        fill(&f, v);
        switch (change) {
        case 0:
            f.request.method = "POST";
            break;
        case 1:
            f.request.path = "/x";
            break;
        case 2:
            f.request.query = "a=b";
            break;
        case 3:
            f.headers[0].value = "example.org";
            break;
        case 4:
            f.headers[1].value = "value2";
            break;
        case 5:
            f.request.payload_sha256 = "1" EMPTY_SHA256;
            break;
        case 6:
            f.authorization.signature[10] ^= 1;
            break;
        case 7:
            secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEZ";
            break;
        case 8: /* a header that decides, and is not signed */
            f.headers[1] = (fg_sigv4_header){"Content-Type", "text/csv"};
            break;
        case 9:
            f.headers[2] = (fg_sigv4_header){"X-Amz-Target", "other"};
            break;
        case 10: /* a signed header that did not come */
            f.headers[1].name = "My-Header3";
            break;
        case 11:
            f.authorization.region[0] = 'e';
            break;
        }
        if (fg_aws_check_signature(&f.authorization, &f.request, secret, &fault, &err) != FG_ERR_UNAUTHORIZED)
            fail_msg("change %d was not noticed", change);
        assert_int_equal(fault, FG_AWS_WRONG);
        assert_null(strstr(err.msg, "wJalr"));
    }
}

static void malformed_headers(void **state)
{
    (void)state;
#define SIGNATURE "Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"
#define CREDENTIAL "Credential=AKID/20150830/us-east-1/iam/aws4_request"
    const struct {
        const char *header;
        int fault;
    } cases[] = {
        {NULL, FG_AWS_MISSING},
        {"", FG_AWS_MISSING},
        {"Bearer x", FG_AWS_INCOMPLETE},
        {"AWS4-HMAC-SHA256", FG_AWS_INCOMPLETE},
        {"AWS4-HMAC-SHA256 ", FG_AWS_INCOMPLETE},
        {"AWS4-ECDSA-P256-SHA256 " CREDENTIAL, FG_AWS_INCOMPLETE},
        {"AWS4-HMAC-SHA256 " CREDENTIAL, FG_AWS_INCOMPLETE},
        {"AWS4-HMAC-SHA256 " CREDENTIAL ", SignedHeaders=host", FG_AWS_INCOMPLETE},
        {"AWS4-HMAC-SHA256 " CREDENTIAL ", " SIGNATURE, FG_AWS_INCOMPLETE},
        {"AWS4-HMAC-SHA256 SignedHeaders=host, " SIGNATURE, FG_AWS_INCOMPLETE},
        {"AWS4-HMAC-SHA256 Credential=AKID/2015083/us-east-1/iam/aws4_request, "
         "SignedHeaders=host, " SIGNATURE,
         FG_AWS_INCOMPLETE},
        {"AWS4-HMAC-SHA256 Credential=AKID/20150830/us-east-1/aws4_request, SignedHeaders=host, " SIGNATURE,
         FG_AWS_INCOMPLETE},
        {"AWS4-HMAC-SHA256 Credential=AKID/20150830/us-east-1/iam/aws4_request/x, "
         "SignedHeaders=host, " SIGNATURE,
         FG_AWS_INCOMPLETE},
        {"AWS4-HMAC-SHA256 Credential=AKID/20150830/us-east-1/iam/aws4_request/, "
         "SignedHeaders=host, " SIGNATURE,
         FG_AWS_INCOMPLETE},
        {"AWS4-HMAC-SHA256 Credential=AKID/20150830/us east/iam/aws4_request, SignedHeaders=host, " SIGNATURE,
         FG_AWS_INCOMPLETE},
        {"AWS4-HMAC-SHA256 " CREDENTIAL ", SignedHeaders=Host, " SIGNATURE, FG_AWS_INCOMPLETE},
        {"AWS4-HMAC-SHA256 " CREDENTIAL ", SignedHeaders=x;host, " SIGNATURE, FG_AWS_INCOMPLETE},
        {"AWS4-HMAC-SHA256 " CREDENTIAL ", SignedHeaders=host;host, " SIGNATURE, FG_AWS_INCOMPLETE},
        {"AWS4-HMAC-SHA256 " CREDENTIAL ", SignedHeaders=host;, " SIGNATURE, FG_AWS_INCOMPLETE},
        {"AWS4-HMAC-SHA256 " CREDENTIAL ", SignedHeaders=;host, " SIGNATURE, FG_AWS_INCOMPLETE},
        {"AWS4-HMAC-SHA256 " CREDENTIAL ", SignedHeaders=, " SIGNATURE, FG_AWS_INCOMPLETE},
        {"AWS4-HMAC-SHA256 " CREDENTIAL ", SignedHeaders=host, Signature=12", FG_AWS_INCOMPLETE},
        {"AWS4-HMAC-SHA256 " CREDENTIAL ", SignedHeaders=host, " SIGNATURE "0", FG_AWS_INCOMPLETE},
        {"AWS4-HMAC-SHA256 " CREDENTIAL
         ", SignedHeaders=host, Signature=5D672D79C15B13162D9279B0855CFBA6789A8EDB4C82C400E06B5924A6F2B5D7",
         FG_AWS_INCOMPLETE},
        {"AWS4-HMAC-SHA256 " CREDENTIAL ",SignedHeaders=host;x-amz-date," SIGNATURE, FG_AWS_GOOD},
        {"aws4-hmac-sha256  " SIGNATURE " ,  SignedHeaders=host , " CREDENTIAL, FG_AWS_GOOD},
        {"AWS4-HMAC-SHA256 " CREDENTIAL ", SignedHeaders=content-type;host;host2;x-amz-date, " SIGNATURE,
         FG_AWS_GOOD},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        fg_aws_authorization a;
        fg_aws_fault fault;
        fg_code rc = fg_aws_authorization_parse(&a, cases[i].header, &fault, &err);
        if (fault != (fg_aws_fault)cases[i].fault || (rc == FG_OK) != (fault == FG_AWS_GOOD))
            fail_msg("%s: %s", cases[i].header, rc ? err.msg : "was taken");
    }
    assert_true(fg_aws_is_signed("AWS4-HMAC-SHA256 x"));
    assert_false(fg_aws_is_signed("AWS4-HMAC-SHA256x"));
    assert_false(fg_aws_is_signed("Bearer AWS4-HMAC-SHA256"));
    assert_false(fg_aws_is_signed(NULL));
}

static void clocks(void **state)
{
    (void)state;
    fg_aws_authorization a = {.day = "20150830"};
    fg_aws_fault fault;
    const struct {
        const char *date;
        int64_t now_ms;
        const char *says; /* NULL: good */
    } cases[] = {
        {EXAMPLE_TIME, example_ms, NULL},
        {EXAMPLE_TIME, example_ms + 299999, NULL},
        {EXAMPLE_TIME, example_ms - 299999, NULL},
        {EXAMPLE_TIME, example_ms + 300001,
         "Signature expired: 20150830T123600Z is now earlier than 20150830T123600Z"},
        {EXAMPLE_TIME, example_ms + 1200000, "(20150830T125600Z - 5 min.)"},
        {EXAMPLE_TIME, example_ms - 1200000,
         "Signature not yet current: 20150830T123600Z is still later than 20150830T122100Z"},
        {"20150831T123600Z", example_ms, "Date in Credential scope"},
        {NULL, example_ms, "'X-Amz-Date'"},
        {"", example_ms, "'X-Amz-Date'"},
        {"2015-08-30T12:36", example_ms, "'X-Amz-Date'"},
        {"20150830T123600", example_ms, "'X-Amz-Date'"},
        {"20150830T1236 0Z", example_ms, "'X-Amz-Date'"},
        {"20151330T123600Z", example_ms, "'X-Amz-Date'"},
        {"20150631T123600Z", example_ms, "'X-Amz-Date'"},
        {"20150830T243600Z", example_ms, "'X-Amz-Date'"},
        {"20150830T123600Z0", example_ms, "'X-Amz-Date'"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        fg_code rc = fg_aws_check_time(&a, cases[i].date, cases[i].now_ms, &fault, &err);
        if ((rc == FG_OK) != (cases[i].says == NULL) || (rc && !strstr(err.msg, cases[i].says)))
            fail_msg("%s: %s", cases[i].date, rc ? err.msg : "was taken");
        assert_int_equal(fault == FG_AWS_GOOD, rc == FG_OK);
    }
    /* leap days, and the end of a century that is none */
    const struct {
        const char *day, *date;
        int64_t seconds;
    } days[] = {
        {"19700101", "19700101T000000Z", 0},          {"20000229", "20000229T235959Z", 951868799},
        {"20000301", "20000301T000000Z", 951868800},  {"20240229", "20240229T120000Z", 1709208000},
        {"21000301", "21000301T000000Z", 4107542400}, {"20261231", "20261231T235959Z", 1798761599},
    };
    for (size_t i = 0; i < sizeof days / sizeof days[0]; i++) {
        memcpy(a.day, days[i].day, 9);
        if (fg_aws_check_time(&a, days[i].date, days[i].seconds * 1000, &fault, &err) ||
            !fg_aws_check_time(&a, days[i].date, days[i].seconds * 1000 + 301000, &fault, &err))
            fail_msg("%s", days[i].date);
    }
}

static void access_keys_live_and_end(void **state)
{
    (void)state;
    char folder[FOLDER_PATH], path[FOLDER_PATH + 32], key_id[FG_AWS_KEY_ID], secret[FG_AWS_SECRET];
    char other_id[FG_AWS_KEY_ID], other[FG_AWS_SECRET], found[FG_AWS_SECRET], id[17];
    uint8_t master[FG_MASTER_KEY], again[FG_MASTER_KEY], preset[FG_MASTER_KEY];
    unsigned scopes;
    struct stat st;
    fg_store *store;
    fg_buf file;
    assert_true(folder_make(folder));
    snprintf(path, sizeof path, "%s/facegate.db", folder);
    assert_int_equal(fg_store_open(&store, path, false, &err), FG_OK);
    assert_int_equal(fg_master_key_load(master, folder, NULL, false, &err), FG_ERR_STATE);
    assert_int_equal(fg_master_key_load(master, folder, NULL, true, &err), FG_OK);
    assert_int_equal(fg_master_key_load(again, folder, "", true, &err), FG_OK);
    assert_memory_equal(master, again, sizeof master);
    snprintf(path, sizeof path, "%s/master.key", folder);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);

    assert_int_equal(fg_aws_key_create(store, master, FG_SCOPE_VERIFY, "door", 0, key_id, secret, &err),
                     FG_OK);
    assert_int_equal(
        fg_aws_key_create(store, master, FG_SCOPE_ADMIN, "", 2000000000000, other_id, other, &err), FG_OK);
    assert_int_equal(strlen(key_id), 20);
    assert_int_equal(strlen(secret), 40);
    assert_string_not_equal(secret, other);
    assert_int_equal(fg_aws_key_find(store, master, key_id, 1, &scopes, id, found, &err), FG_OK);
    assert_int_equal(scopes, FG_SCOPE_VERIFY);
    assert_string_equal(found, secret);
    assert_int_equal(fg_aws_key_find(store, master, other_id, 1999999999999, &scopes, id, found, &err),
                     FG_OK);
    assert_int_equal(scopes, FG_SCOPE_ADMIN);
    assert_int_equal(fg_aws_key_find(store, master, other_id, 2000000000000, &scopes, id, found, &err),
                     FG_ERR_UNAUTHORIZED);
    assert_string_equal(found, "");
    assert_int_equal(fg_aws_key_find(store, master, "FGAK0123456789ABCDEF", 1, &scopes, id, found, &err),
                     FG_ERR_UNAUTHORIZED);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(fg_aws_key_find(store, master,
                                         (const char *[]){"", "AKIDEXAMPLE", "FGAK0123456789abcdef"}[i], 1,
                                         &scopes, id, found, &err),
                         FG_ERR_UNAUTHORIZED);

    /* under another master key there is no such key, and its holder is no bearer of anything */
    assert_int_equal(fg_master_key_load(preset, folder, "a master key from outside", false, &err), FG_OK);
    assert_int_equal(fg_aws_key_find(store, preset, key_id, 1, &scopes, id, found, &err),
                     FG_ERR_UNAUTHORIZED);
    assert_int_equal(fg_master_key_load(preset, folder, "short", false, &err), FG_ERR_USAGE);
    char bearer[128];
    assert_true(fg_aws_key_parse(key_id, id));
    snprintf(bearer, sizeof bearer, "fg_%s_%s", id, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
    assert_int_equal(fg_access_find(store, bearer, NULL, 1, &scopes, NULL, &err), FG_ERR_UNAUTHORIZED);

    assert_int_equal(fg_store_key_revoke(store, id, 1, &err), FG_OK);
    assert_int_equal(fg_aws_key_find(store, master, key_id, 2, &scopes, id, found, &err),
                     FG_ERR_UNAUTHORIZED);
    fg_store_close(store);

    /* the secret is nowhere in the folder but in what the master key makes */
    const char *const files[] = {"facegate.db", "master.key"};
    for (int i = 0; i < 2; i++) {
        char name[FOLDER_PATH + 32];
        snprintf(name, sizeof name, "%s/%s", folder, files[i]);
        fg_buf_init(&file, 1 << 24);
        assert_int_equal(fg_file_read(name, &file, &err), FG_OK);
        assert_null(memmem(file.data, file.size, secret, strlen(secret)));
        fg_buf_deinit(&file);
    }
    assert_int_equal(chmod(path, 0640), 0);
    assert_int_equal(fg_master_key_load(again, folder, NULL, true, &err), FG_ERR_FORBIDDEN);
    assert_int_equal(chmod(path, 0600), 0);
    assert_int_equal(fg_file_write_atomic(path, "not hex", 7, &err), FG_OK);
    assert_int_equal(fg_master_key_load(again, folder, NULL, true, &err), FG_ERR_INPUT);
    folder_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_vectors),
        cmocka_unit_test(published_vectors_are_signed),
        cmocka_unit_test(canonical_forms),
        cmocka_unit_test(documented_example),
        cmocka_unit_test(any_change_breaks_the_signature),
        cmocka_unit_test(malformed_headers),
        cmocka_unit_test(clocks),
        cmocka_unit_test(access_keys_live_and_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
