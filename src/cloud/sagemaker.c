#include "cloud/sagemaker.h"

#include "base/limits.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ORIGIN_MAX = 512, TIMEOUT_MS = 70000 }; /* an endpoint may think for 60 s */

struct fg_sagemaker {
    fg_aws *aws;
    char control[ORIGIN_MAX], runtime[ORIGIN_MAX]; /* without '/' at the end */
    char region[64];
};

static fg_code set_origin(char *out, const fg_sagemaker *s, const char *url, const char *variable,
                          const char *host, fg_error *err)
{
    const char *const places[] = {url, getenv(variable), getenv("AWS_ENDPOINT_URL")};
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        if (!places[i] || !*places[i])
            continue;
        size_t size = strlen(places[i]);
        size -= places[i][size - 1] == '/';
        if (size >= ORIGIN_MAX)
            return FG_FAIL(err, FG_ERR_USAGE, "SageMaker's address is too long");
        snprintf(out, ORIGIN_MAX, "%.*s", (int)size, places[i]);
        return fg_url_check_endpoint(out, out, err);
    }
    if (!*fg_aws_region(s->aws))
        return FG_FAIL(err, FG_ERR_USAGE, "which region is SageMaker to be used in? give --region");
    snprintf(out, ORIGIN_MAX, "https://%s.sagemaker.%s.amazonaws.com%s", host, s->region,
             strncmp(s->region, "cn-", 3) == 0 ? ".cn" : "");
    return FG_OK;
}

fg_code fg_sagemaker_open(fg_sagemaker **out, fg_aws *aws, const char *url, fg_error *err)
{
    *out = NULL;
    fg_sagemaker *s = calloc(1, sizeof *s);
    if (!s)
        return FG_FAIL(err, FG_ERR_MEMORY, "out of memory");
    s->aws = aws;
    snprintf(s->region, sizeof s->region, "%s", *fg_aws_region(aws) ? fg_aws_region(aws) : "us-east-1");
    fg_code rc = set_origin(s->control, s, url, "AWS_ENDPOINT_URL_SAGEMAKER", "api", err);
    if (rc == FG_OK)
        rc = set_origin(s->runtime, s, url, "AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME", "runtime", err);
    if (rc == FG_OK)
        *out = s;
    else
        fg_sagemaker_close(s);
    return rc;
}

void fg_sagemaker_close(fg_sagemaker *s)
{
    free(s);
}

bool fg_sagemaker_is_name(const char *text, size_t max)
{
    size_t size = strlen(text);
    if (size == 0 || size > max || text[0] == '-' || text[size - 1] == '-')
        return false;
    return strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-") == size;
}

fg_code fg_sagemaker_json(json_t **document, const void *data, size_t size, const char *what, fg_error *err)
{
    json_error_t where;
    *document =
        size <= FG_MAX_JSON_BYTES ? json_loadb(size ? data : "", size, JSON_REJECT_DUPLICATES, &where) : NULL;
    if (json_is_object(*document))
        return FG_OK;
    json_decref(*document);
    *document = NULL;
    return FG_FAIL(err, FG_ERR_INPUT, "%s: the answer is not the JSON that it should be", what);
}

fg_code fg_sagemaker_call(fg_sagemaker *s, const char *operation, json_t *input, json_t **output,
                          fg_error *err)
{
    char what[96], target[128], url[ORIGIN_MAX + 2];
    fg_http_answer answer;
    json_t *document = NULL;
    if (output)
        *output = NULL;
    char *body = input ? json_dumps(input, JSON_COMPACT) : NULL;
    json_decref(input);
    if (!body)
        return FG_FAIL(err, FG_ERR_MEMORY, "out of memory");
    fg_http_answer_init(&answer, FG_MAX_JSON_BYTES);
    snprintf(what, sizeof what, "sagemaker %s", operation);
    snprintf(target, sizeof target, "X-Amz-Target: SageMaker.%s", operation);
    snprintf(url, sizeof url, "%s/", s->control);
    const char *const headers[] = {"Content-Type: application/x-amz-json-1.1", target, NULL};
    const fg_aws_call call = {.service = "sagemaker",
                              .region = s->region,
                              .once = strncmp(operation, "Create", 6) == 0,
                              .request = {.what = what,
                                          .method = "POST",
                                          .url = url,
                                          .headers = headers,
                                          .body = body,
                                          .body_size = strlen(body),
                                          .timeout_ms = TIMEOUT_MS}};
    fg_code rc = fg_aws_send(s->aws, &call, &answer, err);
    /* What deletes or starts answers with nothing. */
    if (rc == FG_OK && (answer.body.size || output))
        rc = fg_sagemaker_json(&document, answer.body.data, answer.body.size, what, err);
    if (output)
        *output = document;
    else
        json_decref(document);
    fg_http_answer_deinit(&answer);
    free(body);
    return rc;
}

fg_code fg_sagemaker_invoke(fg_sagemaker *s, const char *endpoint, const char *content_type, const void *body,
                            size_t size, fg_buf *out, fg_error *err)
{
    char what[96], type[128], url[ORIGIN_MAX + 128];
    fg_http_answer answer;
    if (!fg_sagemaker_is_name(endpoint, 63))
        return FG_FAIL(err, FG_ERR_USAGE, "%.64s: not the name of an endpoint", endpoint);
    fg_http_answer_init(&answer, FG_MAX_JSON_BYTES);
    snprintf(what, sizeof what, "endpoint %s", endpoint);
    snprintf(type, sizeof type, "Content-Type: %s", content_type);
    snprintf(url, sizeof url, "%s/endpoints/%s/invocations", s->runtime, endpoint);
    const char *const headers[] = {type, "Accept: application/json", NULL};
    const fg_aws_call call = {.service = "sagemaker",
                              .region = s->region,
                              .request = {.what = what,
                                          .method = "POST",
                                          .url = url,
                                          .headers = headers,
                                          .body = body,
                                          .body_size = size,
                                          .timeout_ms = TIMEOUT_MS}};
    fg_code rc = fg_aws_send(s->aws, &call, &answer, err);
    if (rc == FG_OK)
        rc = fg_buf_append(out, answer.body.data, answer.body.size, err);
    fg_http_answer_deinit(&answer);
    return rc;
}
