/* The places beside this machine: the container's credentials and the machine's own, both on link-local
 * addresses that are spoken to in plain HTTP by design. */
#include "cloud/credentials.h"

#include "base/file.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { ANSWER_MAX_BYTES = 64 << 10, URL_MAX = 1024 };

/* -- containers -- */

/* Whether credentials may be fetched from there in plain HTTP: this machine, and the two addresses that AWS's
 * container agents have. */
static bool may_be_plain(const char *url)
{
    static const char *const hosts[] = {"http://169.254.170.2", "http://169.254.170.23",
                                        "http://[fd00:ec2::23]"};
    for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++) {
        size_t n = strlen(hosts[i]);
        if (strncmp(url, hosts[i], n) == 0 && (url[n] == 0 || url[n] == '/' || url[n] == ':'))
            return true;
    }
    return false;
}

static fg_code container_url(char url[URL_MAX], fg_error *err)
{
    const char *relative = getenv("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
    const char *full = getenv("AWS_CONTAINER_CREDENTIALS_FULL_URI");
    *url = 0;
    if (relative && *relative) {
        if (*relative != '/' || snprintf(url, URL_MAX, "http://169.254.170.2%s", relative) >= URL_MAX)
            return FG_FAIL(err, FG_ERR_USAGE, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI: not a path");
        return FG_OK;
    }
    if (!full || !*full)
        return FG_OK;
    if (snprintf(url, URL_MAX, "%s", full) >= URL_MAX)
        return FG_FAIL(err, FG_ERR_USAGE, "AWS_CONTAINER_CREDENTIALS_FULL_URI: too long");
    if (may_be_plain(url))
        return FG_OK;
    char origin[URL_MAX];
    snprintf(origin, sizeof origin, "%s", url);
    char *host = strstr(origin, "://");
    char *path = host ? strchr(host + 3, '/') : NULL;
    if (path)
        *path = 0;
    return fg_url_check_endpoint(origin, "AWS_CONTAINER_CREDENTIALS_FULL_URI", err);
}

static fg_code container_token(fg_buf *header, fg_error *err)
{
    const char *file = getenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
    const char *token = getenv("AWS_CONTAINER_AUTHORIZATION_TOKEN");
    fg_code rc = FG_OK;
    if (file && *file) {
        if ((rc = fg_buf_printf(header, err, "Authorization: ")) == FG_OK)
            rc = fg_file_read(file, header, err);
    } else if (token && *token) {
        rc = fg_buf_printf(header, err, "Authorization: %s", token);
    }
    while (header->size && strchr("\r\n", header->data[header->size - 1]))
        header->data[--header->size] = 0;
    if (rc == FG_OK && header->size && strpbrk((const char *)header->data, "\r\n"))
        rc = FG_FAIL(err, FG_ERR_INPUT, "the container's authorization token is more than one line");
    return rc;
}

fg_code fg_credentials_from_container(fg_credentials *c, fg_http_client *http, fg_error *err)
{
    static const char what[] = "the container's credentials";
    char url[URL_MAX];
    fg_http_answer answer;
    fg_buf header;
    fg_http_answer_init(&answer, ANSWER_MAX_BYTES);
    fg_buf_init(&header, FG_AWS_TOKEN_MAX);
    fg_code rc = container_url(url, err);
    if (rc != FG_OK || !*url)
        goto done;
    if ((rc = container_token(&header, err)) != FG_OK)
        goto done;
    const char *const headers[] = {header.size ? (const char *)header.data : NULL, NULL};
    const fg_http_request request = {.what = what,
                                     .method = "GET",
                                     .url = url,
                                     .headers = headers,
                                     .direct = true,
                                     .timeout_ms = 5000,
                                     .connect_timeout_ms = 2000};
    if ((rc = fg_http_send(http, &request, &answer, err)) != FG_OK)
        goto done;
    if (answer.status != 200)
        rc = FG_FAIL(err, FG_ERR_UNAUTHORIZED, "%s: refused with status %d", what, answer.status);
    else
        rc = fg_credentials_parse_answer(c, answer.body.data, answer.body.size, what, err);
    if (rc == FG_OK)
        c->source = FG_CREDENTIALS_CONTAINER;
done:
    fg_buf_wipe(&header);
    fg_buf_wipe(&answer.body);
    fg_http_answer_deinit(&answer);
    return rc;
}

/* -- the machine: IMDSv2 -- */

static fg_code ask(fg_http_client *http, const char *method, const char *path, const char *header,
                   fg_http_answer *answer, fg_error *err)
{
    const char *given = getenv("AWS_EC2_METADATA_SERVICE_ENDPOINT");
    const char *const headers[] = {header, NULL};
    char url[URL_MAX];
    size_t n = given ? strlen(given) : 0;
    snprintf(url, sizeof url, "%.*s%s", (int)(n && given[n - 1] == '/' ? n - 1 : n), given ? given : "",
             path);
    if (n == 0)
        snprintf(url, sizeof url, "http://169.254.169.254%s", path);
    const fg_http_request request = {.what = "the machine's credentials",
                                     .method = method,
                                     .url = url,
                                     .headers = headers,
                                     .direct = true,
                                     .timeout_ms = 3000,
                                     .connect_timeout_ms = 1000};
    return fg_http_send(http, &request, answer, err);
}

static bool is_one_word(const fg_buf *body)
{
    if (body->size == 0 || body->size > 512)
        return false;
    for (size_t i = 0; i < body->size; i++)
        if (body->data[i] <= ' ' || body->data[i] >= 0x7f)
            return false;
    return true;
}

fg_code fg_credentials_from_machine(fg_credentials *c, fg_http_client *http, fg_error *err)
{
    static const char roles[] = "/latest/meta-data/iam/security-credentials/";
    static const char what[] = "the machine's credentials";
    const char *off = getenv("AWS_EC2_METADATA_DISABLED");
    fg_http_answer answer;
    char token[600] = "", path[700];
    fg_code rc = FG_OK;
    if (off && strcasecmp(off, "true") == 0)
        return FG_OK;
    fg_http_answer_init(&answer, ANSWER_MAX_BYTES);
    /* No such service means another kind of machine: nothing here, no error. */
    if (ask(http, "PUT", "/latest/api/token", "X-aws-ec2-metadata-token-ttl-seconds: 21600", &answer, NULL) !=
            FG_OK ||
        answer.status != 200 || !is_one_word(&answer.body))
        goto done;
    snprintf(token, sizeof token, "X-aws-ec2-metadata-token: %s", (const char *)answer.body.data);
    if ((rc = ask(http, "GET", roles, token, &answer, err)) != FG_OK)
        goto done;
    if (answer.status == 404) /* the machine has no role */
        goto done;
    /* The first line is the role's name. */
    char *end = answer.body.size ? strchr((char *)answer.body.data, '\n') : NULL;
    if (end) {
        *end = 0;
        answer.body.size = (size_t)(end - (char *)answer.body.data);
    }
    if (answer.status != 200 || !is_one_word(&answer.body)) {
        rc = FG_FAIL(err, FG_ERR_UNAUTHORIZED, "%s: refused with status %d", what, answer.status);
        goto done;
    }
    fg_buf role;
    fg_buf_init(&role, sizeof path);
    rc = fg_buf_append_uri(&role, (const char *)answer.body.data, strlen((const char *)answer.body.data),
                           false, err);
    snprintf(path, sizeof path, "%s%s", roles, role.data ? (const char *)role.data : "");
    fg_buf_deinit(&role);
    if (rc != FG_OK || (rc = ask(http, "GET", path, token, &answer, err)) != FG_OK)
        goto done;
    rc = answer.status == 200
             ? fg_credentials_parse_answer(c, answer.body.data, answer.body.size, what, err)
             : FG_FAIL(err, FG_ERR_UNAUTHORIZED, "%s: refused with status %d", what, answer.status);
    if (rc == FG_OK)
        c->source = FG_CREDENTIALS_MACHINE;
done:
    sodium_memzero(token, sizeof token);
    fg_buf_wipe(&answer.body);
    fg_http_answer_deinit(&answer);
    return rc;
}
