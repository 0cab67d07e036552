/* What a request asks with, and what it is answered with. */
#include "http/http.h"

#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

const char *fg_request_header(const fg_request *request, const char *name)
{
    return MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, name);
}

const char *fg_request_query(const fg_request *request, const char *name)
{
    const char *value = NULL;
    size_t size;
    if (MHD_lookup_connection_value_n(request->connection, MHD_GET_ARGUMENT_KIND, name, strlen(name), &value,
                                      &size) != MHD_YES)
        return NULL;
    return value ? value : "";
}

bool fg_request_flag(const fg_request *request, const char *name)
{
    const char *value = fg_request_query(request, name);
    return value && (!*value || strcmp(value, "1") == 0 || strcmp(value, "true") == 0);
}

fg_code fg_request_query_int(const fg_request *request, const char *name, int64_t min, int64_t max,
                             int64_t *value, fg_error *err)
{
    const char *text = fg_request_query(request, name);
    if (!text)
        return FG_OK;
    size_t digits = strspn(text, "0123456789");
    int64_t number = digits && digits <= 18 && !text[digits] ? strtoll(text, NULL, 10) : -1;
    if (number < min || number > max)
        return FG_FAIL(err, FG_ERR_USAGE, "%s: give a whole number from %lld to %lld", name, (long long)min,
                       (long long)max);
    *value = number;
    return FG_OK;
}

typedef struct required {
    const char *right;
    int count;
} required;

static enum MHD_Result count_required(void *cls, enum MHD_ValueKind kind, const char *key, const char *value)
{
    required *found = cls;
    (void)kind;
    if (strcmp(key, "require") == 0) {
        found->right = value ? value : "";
        found->count++;
    }
    return MHD_YES;
}

fg_code fg_request_required_right(fg_request *request, const char **right, fg_error *err)
{
    required found = {0};
    *right = NULL;
    MHD_get_connection_values(request->connection, MHD_GET_ARGUMENT_KIND, count_required, &found);
    for (int i = 0; i < request->body.part_count; i++) /* a file of that name is no right */
        count_required(&found, MHD_POSTDATA_KIND, request->body.parts[i].name, request->body.parts[i].text);
    if (found.count > 1)
        return FG_FAIL(err, FG_ERR_USAGE, "require: give one right alone");
    if (!found.count)
        return FG_OK;
    if (!found.right || fg_text_name(request->required_right, "right", found.right, NULL) != FG_OK)
        return FG_FAIL(err, FG_ERR_USAGE, "require: give the name of a right");
    *right = request->required_right;
    return FG_OK;
}

static fg_code take_response(fg_request *request, unsigned status, const char *type,
                             struct MHD_Response *response, fg_error *err)
{
    if (!response)
        return FG_FAIL(err, FG_ERR_MEMORY, "out of memory");
    if (request->response)
        MHD_destroy_response(request->response);
    request->response = response;
    request->status = status;
    if (type)
        fg_reply_header(request, "Content-Type", type);
    return FG_OK;
}

fg_code fg_reply_bytes(fg_request *request, unsigned status, const char *type, void *data, size_t size,
                       fg_error *err)
{
    struct MHD_Response *response = MHD_create_response_from_buffer(size, data, MHD_RESPMEM_MUST_FREE);
    if (!response)
        free(data);
    request->reply_data = response ? data : NULL;
    request->reply_size = response ? size : 0;
    return take_response(request, status, type, response, err);
}

fg_code fg_reply_static(fg_request *request, unsigned status, const char *type, const void *data, size_t size,
                        fg_error *err)
{
    /* The library takes a pointer to non-const but only reads what is PERSISTENT. */
    void *bytes;
    memcpy(&bytes, &data, sizeof bytes);
    request->reply_data = data;
    request->reply_size = size;
    return take_response(request, status, type,
                         MHD_create_response_from_buffer(size, bytes, MHD_RESPMEM_PERSISTENT), err);
}

fg_code fg_reply_empty(fg_request *request, unsigned status, fg_error *err)
{
    return fg_reply_static(request, status, NULL, "", 0, err);
}

fg_code fg_reply_download(fg_request *request, fg_code rc, const char *path, const char *type,
                          const char *name, fg_error *err)
{
    char disposition[96];
    struct stat st = {0};
    int fd = rc == FG_OK ? open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW) : -1;
    if (rc == FG_OK && (fd < 0 || fstat(fd, &st) != 0))
        rc = FG_FAIL_ERRNO(err, "cannot read", path);
    unlink(path); /* what is open stays readable */
    if (rc == FG_OK)
        rc = take_response(request, 200, type, MHD_create_response_from_fd64((uint64_t)st.st_size, fd), err);
    if (rc != FG_OK) {
        if (fd >= 0)
            close(fd);
        return rc;
    }
    snprintf(disposition, sizeof disposition, "attachment; filename=\"%s\"", name);
    fg_reply_header(request, "Content-Disposition", disposition);
    return FG_OK;
}

char *fg_json_text(json_t *document)
{
    char *text = document ? json_dumps(document, JSON_COMPACT | JSON_REAL_PRECISION(15)) : NULL;
    json_decref(document);
    return text;
}

static fg_code reply_document(fg_request *request, unsigned status, const char *type, json_t *document,
                              fg_error *err)
{
    char *text = fg_json_text(document);
    if (!text)
        return FG_FAIL(err, FG_ERR_MEMORY, "out of memory");
    return fg_reply_bytes(request, status, type, text, strlen(text), err);
}

fg_code fg_reply_json(fg_request *request, unsigned status, json_t *document, fg_error *err)
{
    return reply_document(request, status, "application/json", document, err);
}

/* A list of entity tags (RFC 9110), compared weakly. */
bool fg_request_knows(const fg_request *request, const char *quoted)
{
    const char *header = fg_request_header(request, "If-None-Match");
    while (header && *header) {
        header += strspn(header, " \t,");
        if (*header == '*')
            return true;
        if (strncmp(header, "W/", 2) == 0)
            header += 2;
        if (strncmp(header, quoted, strlen(quoted)) == 0)
            return true;
        header += strcspn(header, ",");
    }
    return false;
}

/* True where the client has these bytes already. */
static bool tag_bytes(const fg_request *request, const void *data, size_t size, char quoted[40])
{
    char tag[FG_SHA256_HEX];
    fg_sha256_hex(data, size, tag);
    snprintf(quoted, 40, "\"%.32s\"", tag);
    return fg_request_knows(request, quoted);
}

static void add_tag(fg_request *request, const char *quoted)
{
    fg_reply_header(request, "ETag", quoted);
    fg_reply_header(request, "Cache-Control", "no-cache");
}

fg_code fg_reply_tagged_static(fg_request *request, const char *type, const void *data, size_t size,
                               fg_error *err)
{
    char quoted[40];
    fg_code rc = tag_bytes(request, data, size, quoted)
                     ? fg_reply_empty(request, 304, err)
                     : fg_reply_static(request, 200, type, data, size, err);
    if (rc == FG_OK)
        add_tag(request, quoted);
    return rc;
}

fg_code fg_reply_tagged(fg_request *request, json_t *document, fg_error *err)
{
    char quoted[40];
    char *text = fg_json_text(document);
    fg_code rc;
    if (!text)
        return FG_FAIL(err, FG_ERR_MEMORY, "out of memory");
    if (tag_bytes(request, text, strlen(text), quoted)) {
        free(text);
        rc = fg_reply_empty(request, 304, err);
    } else {
        rc = fg_reply_bytes(request, 200, "application/json", text, strlen(text), err);
    }
    if (rc == FG_OK)
        add_tag(request, quoted);
    return rc;
}

fg_code fg_request_page(const fg_request *request, long total, long limit, long *from, long *to,
                        fg_error *err)
{
    int64_t most = limit, offset = 0;
    *from = *to = 0;
    fg_code rc = fg_request_query_int(request, "limit", 1, FG_MAX_MEMBERS, &most, err);
    if (rc == FG_OK)
        rc = fg_request_query_int(request, "offset", 0, INT32_MAX, &offset, err);
    if (rc != FG_OK)
        return rc;
    *from = offset < total ? (long)offset : total;
    *to = total - *from > most ? *from + (long)most : total;
    return FG_OK;
}

typedef struct next_link {
    fg_buf text;
    const char *name;
    fg_code rc;
} next_link;

static void add_encoded(next_link *link, const char *text)
{
    if (link->rc == FG_OK)
        link->rc = fg_buf_append_uri(&link->text, text, strlen(text), false, NULL);
}

static enum MHD_Result add_argument(void *context, enum MHD_ValueKind kind, const char *name,
                                    const char *value)
{
    next_link *link = context;
    (void)kind;
    if (strcmp(name, link->name) == 0)
        return MHD_YES;
    add_encoded(link, name);
    if (link->rc == FG_OK)
        link->rc = fg_buf_append(&link->text, "=", 1, NULL);
    add_encoded(link, value ? value : "");
    if (link->rc == FG_OK)
        link->rc = fg_buf_append(&link->text, "&", 1, NULL);
    return MHD_YES;
}

void fg_reply_next(fg_request *request, const char *name, int64_t value)
{
    next_link link = {.name = name};
    fg_buf_init(&link.text, 8192);
    link.rc = fg_buf_printf(&link.text, NULL, "<%s?", request->url);
    MHD_get_connection_values(request->connection, MHD_GET_ARGUMENT_KIND, add_argument, &link);
    if (link.rc == FG_OK)
        link.rc = fg_buf_printf(&link.text, NULL, "%s=%lld>; rel=\"next\"", name, (long long)value);
    if (link.rc == FG_OK)
        fg_reply_header(request, "Link", (const char *)link.text.data);
    fg_buf_deinit(&link.text);
}

void fg_reply_header(fg_request *request, const char *name, const char *value)
{
    if (request->response)
        (void)MHD_add_response_header(request->response, name, value);
}

void fg_reply_problem(fg_request *request, fg_code code, unsigned status, const fg_error *err)
{
    static const char fallback[] = "{\"type\":\"about:blank\",\"status\":503,\"code\":\"out_of_memory\"}";
    static const char type[] = "application/problem+json";
    if (status == 0)
        status = fg_code_http_status(code);
    /* What went wrong inside is for the log: it may name paths of this machine. */
    fg_error told = *err;
    told.local = told.local || (status == 500 && !request->fault_told);
    if (told.local && status < 500) { /* no fault of the client's */
        code = FG_ERR_IO;
        status = 500;
    }
    const char *detail = fg_error_told(&told);
    json_t *problem =
        json_pack("{s:s, s:s, s:i, s:s, s:s, s:s}", "type", "about:blank", "title",
                  status == 460 ? "Checksum Mismatch" : MHD_get_reason_phrase_for(status), "status",
                  (int)status, "detail", detail, "code", fg_code_name(code), "request_id", request->id);
    if (reply_document(request, status, type, problem, NULL) != FG_OK &&
        fg_reply_static(request, 503, type, fallback, sizeof fallback - 1, NULL) != FG_OK)
        return;
    if (status == 401)
        fg_reply_header(request, "WWW-Authenticate", "Bearer realm=\"facegate\"");
    if (status == 405)
        fg_reply_header(request, "Allow", request->allow);
    if (status == 423 || status == 429 || status == 503) {
        char seconds[16];
        snprintf(seconds, sizeof seconds, "%d", request->retry_after_s ? request->retry_after_s : 1);
        fg_reply_header(request, "Retry-After", seconds);
    }
}

fg_code fg_request_json(const fg_request *request, json_t **object, fg_error *err)
{
    json_error_t where;
    const fg_buf *body = &request->body.memory;
    *object = json_loadb((const char *)body->data, body->size, JSON_REJECT_DUPLICATES, &where);
    if (!*object)
        return FG_FAIL(err, FG_ERR_INPUT, "the JSON is malformed: line %d, column %d: %.100s", where.line,
                       where.column, where.text);
    if (!json_is_object(*object)) {
        json_decref(*object);
        *object = NULL;
        return FG_FAIL(err, FG_ERR_INPUT, "the JSON must be an object");
    }
    const char *name;
    json_t *value;
    fg_code rc = FG_OK;
    json_object_foreach(*object, name, value)
    {
        if ((rc = fg_request_check_field(request, name, false, err)) != FG_OK)
            break;
    }
    if (rc != FG_OK) {
        json_decref(*object);
        *object = NULL;
    }
    return rc;
}

fg_code fg_request_name(char out[FG_MAX_NAME_BYTES + 1], const char *what, const char *text, fg_error *err)
{
    if (fg_text_name(out, what, text, err) == FG_OK)
        return FG_OK;
    if (err)
        err->code = FG_ERR_INPUT;
    return FG_ERR_INPUT;
}

fg_code fg_json_name(const json_t *object, const char *key, char out[FG_MAX_NAME_BYTES + 1], fg_error *err)
{
    const json_t *value = json_object_get(object, key);
    *out = 0;
    if (!value || json_is_null(value))
        return FG_OK;
    if (!json_is_string(value))
        return FG_FAIL(err, FG_ERR_INPUT, "%s: give a text", key);
    return fg_request_name(out, key, json_string_value(value), err);
}
