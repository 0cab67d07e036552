#include "base/buf.h"

#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void fg_buf_init(fg_buf *buf, size_t max_size)
{
    *buf = (fg_buf){.max_size = max_size};
}

void fg_buf_deinit(fg_buf *buf)
{
    free(buf->data);
    *buf = (fg_buf){0};
}

void fg_buf_wipe(fg_buf *buf)
{
    if (buf->data)
        sodium_memzero(buf->data, buf->capacity);
    fg_buf_deinit(buf);
}

void fg_buf_clear(fg_buf *buf)
{
    buf->size = 0;
    if (buf->data)
        buf->data[0] = 0;
}

static fg_code reserve(fg_buf *buf, size_t extra, fg_error *err)
{
    if (extra > buf->max_size || buf->size > buf->max_size - extra)
        return FG_FAIL(err, FG_ERR_LIMIT, "more than %zu bytes", buf->max_size);
    size_t need = buf->size + extra + 1;
    if (need <= buf->capacity)
        return FG_OK;
    size_t capacity = buf->capacity ? buf->capacity : 256;
    while (capacity < need)
        capacity *= 2;
    uint8_t *data = realloc(buf->data, capacity);
    if (!data)
        return FG_FAIL(err, FG_ERR_MEMORY, "out of memory (%zu bytes)", capacity);
    buf->data = data;
    buf->capacity = capacity;
    return FG_OK;
}

fg_code fg_buf_append(fg_buf *buf, const void *data, size_t size, fg_error *err)
{
    fg_code rc = reserve(buf, size, err);
    if (rc != FG_OK)
        return rc;
    if (size)
        memcpy(buf->data + buf->size, data, size);
    buf->size += size;
    buf->data[buf->size] = 0;
    return FG_OK;
}

fg_code fg_buf_printf(fg_buf *buf, fg_error *err, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    if (n < 0)
        return FG_FAIL(err, FG_ERR_INTERNAL, "cannot format text");
    fg_code rc = reserve(buf, (size_t)n, err);
    if (rc != FG_OK)
        return rc;
    va_start(args, fmt);
    vsnprintf((char *)buf->data + buf->size, (size_t)n + 1, fmt, args);
    va_end(args);
    buf->size += (size_t)n;
    return FG_OK;
}

static bool is_unreserved(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

fg_code fg_buf_append_uri(fg_buf *buf, const char *text, size_t size, bool keep_slash, fg_error *err)
{
    fg_code rc = FG_OK;
    for (size_t i = 0; i < size && rc == FG_OK; i++)
        rc = is_unreserved(text[i]) || (keep_slash && text[i] == '/')
                 ? fg_buf_append(buf, text + i, 1, err)
                 : fg_buf_printf(buf, err, "%%%02X", (unsigned char)text[i]);
    return rc;
}
