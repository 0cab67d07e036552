#include "http/body.h"

#include "base/file.h"
#include "base/limits.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

/* A client whose body is refused but still comes is read this far, so that it sees the answer. */
static const uint64_t discard_bytes = 64u << 20;
enum { POST_BUFFER = 64 << 10 };

char *fg_body_safe_name(const char *name)
{
    char *out = malloc(FG_MAX_NAME_BYTES + 1);
    if (!out)
        return NULL;
    for (const char *p = name ? name : ""; *p; p++)
        if (*p == '/' || *p == '\\')
            name = p + 1;
    fg_text_clean(out, FG_MAX_NAME_BYTES + 1, name);
    if (!*out || strcmp(out, ".") == 0 || strcmp(out, "..") == 0)
        memcpy(out, "upload", sizeof "upload");
    return out;
}

static fg_part *add_part(fg_body *body, const char *key, const char *filename)
{
    fg_error *err = &body->failure;
    if (!body->parts || body->part_count == FG_BODY_PARTS ||
        (filename && body->file_count == FG_BODY_FILES)) {
        FG_FAIL(err, FG_ERR_LIMIT, "the form has too many parts; send at most %d files at once",
                FG_BODY_FILES);
        return NULL;
    }
    if (strlen(key) >= sizeof body->parts->name) {
        FG_FAIL(err, FG_ERR_INPUT, "the form has a field of an unknown name");
        return NULL;
    }
    fg_part *part = &body->parts[body->part_count];
    *part = (fg_part){.fd = -1};
    memcpy(part->name, key, strlen(key) + 1);
    if (!filename) {
        part->text = calloc(1, FG_BODY_FIELD + 1);
    } else {
        part->filename = fg_body_safe_name(filename);
        part->sent = strdup(filename);
        part->path = malloc(FG_MAX_PATH);
    }
    body->part_count++;
    if (filename ? !part->filename || !part->sent || !part->path : !part->text) {
        FG_FAIL(err, FG_ERR_MEMORY, "out of memory");
        return NULL;
    }
    if (filename) {
        body->file_count++;
        if (fg_spool_file(body->spool, part->path, &part->fd, err) != FG_OK)
            return NULL;
    }
    return part;
}

static void close_part(fg_part *part)
{
    if (part->fd >= 0)
        close(part->fd);
    part->fd = -1;
}

/* libmicrohttpd announces a part with off 0, possibly twice: once without data, once with the first of it. */
static bool is_same_part(const fg_part *part, const char *key, const char *filename, uint64_t off,
                         size_t size)
{
    return off > 0 || (part->size == 0 && size > 0 && strcmp(part->name, key) == 0 &&
                       (filename ? part->fd >= 0 && strcmp(part->sent, filename) == 0 : part->text != NULL));
}

static enum MHD_Result on_part(void *context, enum MHD_ValueKind kind, const char *key, const char *filename,
                               const char *content_type, const char *transfer_encoding, const char *data,
                               uint64_t off, size_t size)
{
    fg_body *body = context;
    (void)kind;
    (void)content_type;
    (void)transfer_encoding;
    if (body->failed)
        return MHD_NO;
    fg_part *part = body->part_count ? &body->parts[body->part_count - 1] : NULL;
    if (!key) {
        FG_FAIL(&body->failure, FG_ERR_INPUT, "the form has a part without a name");
        goto failed;
    }
    if (!part || !is_same_part(part, key, filename, off, size)) {
        if (part)
            close_part(part);
        part = add_part(body, key, filename);
    }
    if (!part)
        goto failed;
    if (part->path) {
        if (fg_fd_write(part->fd, part->path, data, size, &body->failure) != FG_OK)
            goto failed;
    } else if (part->size + size > FG_BODY_FIELD) {
        FG_FAIL(&body->failure, FG_ERR_LIMIT, "%s: the field is too long", part->name);
        goto failed;
    } else if (size && memchr(data, 0, size)) {
        FG_FAIL(&body->failure, FG_ERR_INPUT, "%s: the field has a NUL in it", part->name);
        goto failed;
    } else if (size) {
        memcpy(part->text + part->size, data, size);
    }
    part->size += size;
    return MHD_YES;
failed:
    body->failed = true;
    return MHD_NO;
}

static bool has_type(const char *header, const char *type)
{
    size_t n = strlen(type);
    return header && strncasecmp(header, type, n) == 0 && (!header[n] || strchr("; \t", header[n]));
}

fg_code fg_body_init(fg_body *body, fg_body_kind kind, struct MHD_Connection *connection, fg_spool *spool,
                     uint64_t max_bytes, fg_error *err)
{
    const char *type = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Content-Type");
    const char *length = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Content-Length");
    *body = (fg_body){.kind = kind, .spool = spool, .max_bytes = max_bytes, .fd = -1};
    fg_buf_init(&body->memory, FG_BODY_MEMORY);
    if (kind == FG_BODY_NONE)
        return FG_OK;
    if (length && strtoull(length, NULL, 10) > max_bytes)
        return FG_FAIL(err, FG_ERR_LIMIT, "the upload is larger than the %llu MB that are taken",
                       (unsigned long long)(max_bytes >> 20));
    bool form = has_type(type, "multipart/form-data"), json = has_type(type, "application/json");
    if (kind == FG_BODY_PHOTO && form)
        body->kind = FG_BODY_FORM;
    if (kind == FG_BODY_JSON && !json)
        return FG_FAIL(err, FG_ERR_UNSUPPORTED, "send this as application/json");
    if (kind == FG_BODY_PHOTO && json)
        return FG_FAIL(err, FG_ERR_UNSUPPORTED, "send the photo itself, or a form with it");
    if (kind == FG_BODY_FORM && !form)
        return FG_FAIL(err, FG_ERR_UNSUPPORTED, "send this as multipart/form-data");
    if (kind == FG_BODY_UPLOAD && !has_type(type, "application/offset+octet-stream"))
        return FG_FAIL(err, FG_ERR_UNSUPPORTED, "send this as application/offset+octet-stream");
    if (body->kind != FG_BODY_FORM)
        return FG_OK;
    body->parts = calloc(FG_BODY_PARTS, sizeof *body->parts);
    if (!body->parts)
        return FG_FAIL(err, FG_ERR_MEMORY, "out of memory");
    body->post = MHD_create_post_processor(connection, POST_BUFFER, on_part, body);
    if (!body->post)
        return FG_FAIL(err, FG_ERR_INPUT, "the form's Content-Type has no usable boundary");
    return FG_OK;
}

void fg_body_deinit(fg_body *body)
{
    if (body->post)
        MHD_destroy_post_processor(body->post);
    if (body->upload) {
        uint64_t offset; /* cut off: what has come stays, unless there is a checksum to say otherwise */
        fg_code rc = fg_upload_end(body->upload, false, &offset, NULL);
        (void)rc;
    }
    for (int i = 0; i < body->part_count; i++) {
        fg_part *part = &body->parts[i];
        close_part(part);
        if (part->path && *part->path)
            unlink(part->path);
        free(part->text);
        free(part->path);
        free(part->filename);
        free(part->sent);
    }
    free(body->parts);
    if (body->path) {
        close(body->fd);
        unlink(body->path);
        free(body->path);
    }
    fg_buf_deinit(&body->memory);
    *body = (fg_body){.fd = -1};
}

/* Moves a photo that has outgrown the memory to a file. */
static fg_code spill(fg_body *body, fg_error *err)
{
    fg_code rc;
    char *path = malloc(FG_MAX_PATH);
    if (!path)
        return FG_FAIL(err, FG_ERR_MEMORY, "out of memory");
    if ((rc = fg_spool_file(body->spool, path, &body->fd, err)) != FG_OK) {
        free(path);
        return rc;
    }
    body->path = path;
    if ((rc = fg_fd_write(body->fd, path, body->memory.data, body->memory.size, err)) == FG_OK)
        fg_buf_deinit(&body->memory);
    return rc;
}

static fg_code feed_plain(fg_body *body, const char *data, size_t size, fg_error *err)
{
    fg_code rc = FG_OK;
    if ((body->kind == FG_BODY_PHOTO || body->kind == FG_BODY_ANY) && !body->path &&
        body->memory.size + size > FG_BODY_MEMORY && (rc = spill(body, err)) != FG_OK)
        return rc;
    return body->path ? fg_fd_write(body->fd, body->path, data, size, err)
                      : fg_buf_append(&body->memory, data, size, err);
}

bool fg_body_feed(fg_body *body, const char *data, size_t size)
{
    body->received += size;
    if (body->received > body->max_bytes) {
        if (!body->failed && body->kind != FG_BODY_NONE)
            FG_FAIL(&body->failure, FG_ERR_LIMIT, "the upload is larger than the %llu MB that are taken",
                    (unsigned long long)(body->max_bytes >> 20));
        body->failed = true;
        return body->received - body->max_bytes < discard_bytes;
    }
    if (body->failed || body->kind == FG_BODY_NONE)
        return true;
    if (body->upload) {
        body->failed = fg_upload_write(body->upload, data, size, &body->failure) != FG_OK;
    } else if (body->kind == FG_BODY_FORM) {
        if (MHD_post_process(body->post, data, size) != MHD_YES && !body->failed) {
            FG_FAIL(&body->failure, FG_ERR_INPUT, "the form is malformed");
            body->failed = true;
        }
    } else if (feed_plain(body, data, size, &body->failure) != FG_OK) {
        body->failed = true;
    }
    return true;
}

fg_code fg_body_finish(fg_body *body, fg_error *err)
{
    if (body->post) {
        enum MHD_Result whole = MHD_destroy_post_processor(body->post);
        body->post = NULL;
        if (whole != MHD_YES && !body->failed) {
            FG_FAIL(&body->failure, FG_ERR_INPUT, "the form ends before its last boundary");
            body->failed = true;
        }
    }
    for (int i = 0; i < body->part_count; i++)
        close_part(&body->parts[i]);
    if (!body->failed)
        return FG_OK;
    if (err)
        *err = body->failure;
    return body->failure.code ? body->failure.code : FG_ERR_LIMIT;
}

const char *fg_body_field(const fg_body *body, const char *name)
{
    for (int i = 0; i < body->part_count; i++)
        if (body->parts[i].text && strcmp(body->parts[i].name, name) == 0)
            return body->parts[i].text;
    return NULL;
}
