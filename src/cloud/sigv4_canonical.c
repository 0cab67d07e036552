/* The canonical request of Signature Version 4, as sender and receiver both make it. */
#include "cloud/sigv4.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { MAX_CANONICAL = 256 << 10, MAX_PAIRS = 256 };

/* RFC 3986's dot segments and empty segments taken out, then encoded. */
static fg_code put_path(fg_buf *out, const char *path, fg_error *err)
{
    fg_buf clean;
    fg_code rc = FG_OK;
    size_t last = 1; /* where the last segment ends */
    fg_buf_init(&clean, MAX_CANONICAL);
    for (const char *p = path; rc == FG_OK;) {
        p += strspn(p, "/");
        size_t size = strcspn(p, "/");
        if (size == 0)
            break;
        if (size == 2 && memcmp(p, "..", 2) == 0) {
            while (clean.size > 0 && clean.data[--clean.size] != '/')
                ;
        } else if (!(size == 1 && *p == '.')) {
            rc = fg_buf_append(&clean, "/", 1, err);
            if (rc == FG_OK)
                rc = fg_buf_append(&clean, p, size, err);
        }
        p += size;
        last = (size_t)(p - path);
    }
    /* A slash at the end stays. */
    size_t whole = strlen(path);
    if (rc == FG_OK && (clean.size == 0 || (whole > last && path[whole - 1] == '/')))
        rc = fg_buf_append(&clean, "/", 1, err);
    if (rc == FG_OK)
        rc = fg_buf_append_uri(out, (const char *)clean.data, clean.size, true, err);
    fg_buf_deinit(&clean);
    return rc;
}

static int hex(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* One side of a pair, decoded and encoded again, in the one form that there is. */
static fg_code put_query_part(fg_buf *out, const char *text, size_t size, fg_error *err)
{
    fg_code rc = FG_OK;
    for (size_t i = 0; i < size && rc == FG_OK; i++) {
        char c = text[i];
        if (c == '%' && i + 2 < size && hex(text[i + 1]) >= 0 && hex(text[i + 2]) >= 0) {
            c = (char)(hex(text[i + 1]) << 4 | hex(text[i + 2]));
            i += 2;
        }
        rc = fg_buf_append_uri(out, &c, 1, false, err);
    }
    return rc;
}

/* By name, then by value. Both are encoded, so that the only '=' is the one between them: where it stands in
 * one, its name has ended, and comes before the longer name of the other. */
static int by_pair(const void *a, const void *b)
{
    const unsigned char *x = *(unsigned char *const *)a, *y = *(unsigned char *const *)b;
    while (*x && *x == *y)
        x++, y++;
    return (*x == '=' ? 1 : *x) - (*y == '=' ? 1 : *y);
}

static fg_code put_query(fg_buf *out, const char *query, fg_error *err)
{
    char *pairs[MAX_PAIRS];
    int count = 0;
    fg_code rc = FG_OK;
    for (const char *p = query ? query : ""; *p && rc == FG_OK;) {
        size_t size = strcspn(p, "&"), name = 0;
        while (name < size && p[name] != '=')
            name++;
        if (size && count == MAX_PAIRS) {
            rc = FG_FAIL(err, FG_ERR_LIMIT, "the query has more than %d parts", MAX_PAIRS);
        } else if (size) {
            fg_buf pair;
            fg_buf_init(&pair, MAX_CANONICAL);
            if ((rc = put_query_part(&pair, p, name, err)) == FG_OK &&
                (rc = fg_buf_append(&pair, "=", 1, err)) == FG_OK && name < size)
                rc = put_query_part(&pair, p + name + 1, size - name - 1, err);
            if (rc == FG_OK)
                pairs[count++] = (char *)pair.data;
            else
                fg_buf_deinit(&pair);
        }
        p += size;
        p += *p == '&';
    }
    if (rc == FG_OK && count > 1)
        qsort(pairs, (size_t)count, sizeof pairs[0], by_pair);
    for (int i = 0; i < count; i++) {
        if (rc == FG_OK)
            rc = fg_buf_printf(out, err, "%s%s", i ? "&" : "", pairs[i]);
        free(pairs[i]);
    }
    return rc;
}

/* Blanks around left out, and runs of them made one. */
static fg_code put_trimmed(fg_buf *out, const char *value, fg_error *err)
{
    fg_code rc = FG_OK;
    bool blank = false, any = false;
    for (const char *p = value; *p && rc == FG_OK; p++) {
        if (*p == ' ' || *p == '\t') {
            blank = any;
            continue;
        }
        if (blank)
            rc = fg_buf_append(out, " ", 1, err);
        if (rc == FG_OK)
            rc = fg_buf_append(out, p, 1, err);
        blank = false;
        any = true;
    }
    return rc;
}

/* "name:value,value\n" of every header of that name. */
static fg_code put_header(fg_buf *out, const fg_sigv4_request *r, const char *name, size_t size,
                          fg_error *err)
{
    bool found = false;
    fg_code rc = fg_buf_append(out, name, size, err);
    if (rc == FG_OK)
        rc = fg_buf_append(out, ":", 1, err);
    for (int i = 0; i < r->header_count && rc == FG_OK; i++) {
        if (strlen(r->headers[i].name) != size || strncasecmp(r->headers[i].name, name, size) != 0)
            continue;
        if (found)
            rc = fg_buf_append(out, ",", 1, err);
        if (rc == FG_OK)
            rc = put_trimmed(out, r->headers[i].value, err);
        found = true;
    }
    return rc == FG_OK ? fg_buf_append(out, "\n", 1, err) : rc;
}

fg_code fg_sigv4_canonical(const fg_sigv4_request *r, const char *signed_headers, fg_buf *out, fg_error *err)
{
    fg_code rc = fg_buf_printf(out, err, "%s\n", r->method);
    if (rc == FG_OK && r->s3)
        rc = fg_buf_append(out, *r->path ? r->path : "/", *r->path ? strlen(r->path) : 1, err);
    else if (rc == FG_OK)
        rc = put_path(out, r->path, err);
    if (rc == FG_OK)
        rc = fg_buf_append(out, "\n", 1, err);
    if (rc == FG_OK)
        rc = put_query(out, r->query, err);
    if (rc == FG_OK)
        rc = fg_buf_append(out, "\n", 1, err);
    for (const char *p = signed_headers; *p && rc == FG_OK;) {
        size_t size = strcspn(p, ";");
        rc = put_header(out, r, p, size, err);
        p += size;
        p += *p == ';';
    }
    return rc == FG_OK ? fg_buf_printf(out, err, "\n%s\n%s", signed_headers, r->payload_sha256) : rc;
}
