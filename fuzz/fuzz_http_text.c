/* What the server reads of a request by hand: header values, addresses, paths, file names. The first byte
 * chooses. */
#include "base/text.h"
#include "http/credentials.h"
#include "http/http.h"
#include "http/listen.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is accepted must be what is allowed, not merely free of crashes. */
static void check(bool holds)
{
    if (!holds)
        abort();
}

static void read_listen(const char *text)
{
    fg_listen_address address;
    if (fg_listen_parse(&address, text, NULL) == FG_OK)
        check(*address.host && address.port >= -1 && address.port <= 65535);
}

static void read_headers(const char *text)
{
    char out[64];
    check(!fg_bearer_parse(text, out, sizeof out) || (*out && !strpbrk(out, " \t\r\n\"")));
    check(!fg_cookie_find(text, "facegate_8080", out, sizeof out) || (*out && !strpbrk(out, " ;,\t\r\n")));
    if (fg_host_parse(text, out, sizeof out)) {
        check(*out && !strpbrk(out, " /\\@[]"));
        (void)fg_text_is_loopback(out);
    }
    fg_client_network(text, out, sizeof out);
    check(memchr(out, 0, sizeof out) != NULL && (!*text || *out));
    check(!fg_origin_matches(text, false, "localhost") || strlen(text) == strlen("http://localhost"));
}

static void read_path(const char *text)
{
    char params[FG_HTTP_PARAMS][FG_HTTP_PARAM] = {0}, allow[64];
    const fg_route *route = fg_route_find("GET", text, params, allow, sizeof allow);
    if (route)
        for (int i = 0; i < FG_HTTP_PARAMS; i++)
            check(memchr(params[i], 0, FG_HTTP_PARAM) && !strpbrk(params[i], "/.%\\ "));
    fg_request request = {0};
    int64_t id;
    memcpy(request.params, params, sizeof params);
    if (fg_request_id_param(&request, 0, &id, NULL) == FG_OK)
        check(id > 0);
}

static void read_name(const char *text)
{
    char *name = fg_body_safe_name(text);
    check(name && *name && strlen(name) <= FG_MAX_NAME_BYTES && !strpbrk(name, "/\\\n\r\x7f"));
    check(strcmp(name, "..") != 0 && strcmp(name, ".") != 0);
    json_t *encodable = json_string(name);
    check(encodable != NULL);
    json_decref(encodable);
    free(name);
}

static void read_body(const uint8_t *data, size_t size)
{
    fg_request request = {0};
    json_t *object = NULL;
    char name[FG_MAX_NAME_BYTES + 1], again[FG_MAX_NAME_BYTES + 1];
    fg_buf_init(&request.body.memory, FG_BODY_MEMORY);
    if (fg_buf_append(&request.body.memory, data, size, NULL) == FG_OK &&
        fg_request_json(&request, &object, NULL) == FG_OK) {
        check(json_is_object(object));
        if (fg_json_name(object, "name", name, NULL) == FG_OK && *name)
            check(fg_text_name(again, "name", name, NULL) == FG_OK && strcmp(again, name) == 0);
    }
    json_decref(object);
    fg_buf_deinit(&request.body.memory);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    char *text = malloc(size);
    if (!text)
        return 0;
    memcpy(text, data + 1, size - 1);
    text[size - 1] = 0;
    switch (data[0] % 5) {
    case 0:
        read_listen(text);
        break;
    case 1:
        read_headers(text);
        break;
    case 2:
        read_path(text);
        break;
    case 3:
        read_name(text);
        break;
    default:
        read_body(data + 1, size - 1);
    }
    free(text);
    return 0;
}
