/* Listing, page after page, and deleting for good. */
#include "cloud/s3_internal.h"

#include "cloud/xml.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* -- the XML -- */

void fg_s3_page_deinit(fg_s3_page *page)
{
    free(page->items);
    *page = (fg_s3_page){0};
}

enum { ITEMS_MAX = 2000 }; /* of a page; the service sends 1000 */

typedef struct page_reader {
    fg_s3_page *page;
    fg_s3_item item;
    bool encoded, bad, has_key;
} page_reader;

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                  : -1;
}

/* %XX and '+', as encoding-type=url writes them. False where it does not fit or hides a NUL. */
static bool decode(char *out, size_t out_size, const char *text, bool encoded)
{
    size_t n = 0;
    for (const char *p = text; *p; p++) {
        char c = *p;
        if (encoded && c == '+') {
            c = ' ';
        } else if (encoded && c == '%') {
            int high = hex_digit(p[1]), low = high < 0 ? -1 : hex_digit(p[2]);
            if (low < 0 || (c = (char)(high * 16 + low)) == 0)
                return false;
            p += 2;
        }
        if (n + 1 >= out_size)
            return false;
        out[n++] = c;
    }
    out[n] = 0;
    return true;
}

static bool add_item(page_reader *r)
{
    fg_s3_page *page = r->page;
    if (page->count == page->capacity) {
        int capacity = page->capacity ? 2 * page->capacity : 64;
        fg_s3_item *items =
            page->count < ITEMS_MAX ? realloc(page->items, (size_t)capacity * sizeof *items) : NULL;
        if (!items)
            return false;
        page->items = items;
        page->capacity = capacity;
    }
    page->items[page->count++] = r->item;
    return true;
}

static bool ends_item(const char *leaf)
{
    return strcmp(leaf, "Contents") == 0 || strcmp(leaf, "Version") == 0 ||
           strcmp(leaf, "DeleteMarker") == 0 || strcmp(leaf, "Upload") == 0;
}

static bool read_page(void *context, const char *path, const char *text)
{
    page_reader *r = context;
    fg_s3_page *page = r->page;
    const char *leaf = strchr(path, '/');
    bool good = true;
    if (!leaf) /* the root */
        return true;
    leaf++;
    const char *slash = strchr(leaf, '/');
    if (slash && !strchr(slash + 1, '/')) {
        const char *field = slash + 1;
        if (strcmp(field, "Key") == 0) {
            good = decode(r->item.key, sizeof r->item.key, text, r->encoded);
            r->has_key = true;
        } else if (strcmp(field, "VersionId") == 0 || strcmp(field, "UploadId") == 0) {
            good = decode(r->item.id, sizeof r->item.id, text, false);
        } else if (strcmp(field, "Size") == 0) {
            r->item.size = strtoull(text, NULL, 10);
        }
    } else if (!slash && ends_item(leaf)) {
        good = r->has_key && add_item(r);
        r->item = (fg_s3_item){0};
        r->has_key = false;
    } else if (strcmp(leaf, "EncodingType") == 0) {
        r->encoded = strcmp(text, "url") == 0;
    } else if (strcmp(leaf, "IsTruncated") == 0) {
        page->more = strcmp(text, "true") == 0;
    } else if (strcmp(leaf, "NextContinuationToken") == 0) {
        good = decode(page->next, sizeof page->next, text, false);
    } else if (strcmp(leaf, "NextKeyMarker") == 0) {
        good = decode(page->next, sizeof page->next, text, r->encoded);
    } else if (strcmp(leaf, "NextVersionIdMarker") == 0 || strcmp(leaf, "NextUploadIdMarker") == 0) {
        good = decode(page->next_id, sizeof page->next_id, text, false);
    }
    r->bad = !good;
    return good;
}

/* Keys may come before the word that says how they are written. */
static bool find_encoding(void *context, const char *path, const char *text)
{
    page_reader *r = context;
    const char *leaf = strchr(path, '/');
    if (leaf && strcmp(leaf + 1, "EncodingType") == 0)
        r->encoded = strcmp(text, "url") == 0;
    return true;
}

fg_code fg_s3_page_read(fg_s3_page *page, const void *data, size_t size, const char *what, fg_error *err)
{
    page_reader r = {.page = page};
    *page = (fg_s3_page){0};
    fg_code rc = fg_xml_read(data, size, what, find_encoding, &r, err);
    if (rc == FG_OK)
        rc = fg_xml_read(data, size, what, read_page, &r, err);
    if (rc == FG_OK && (r.bad || (page->more && !*page->next)))
        rc = FG_FAIL(err, FG_ERR_INPUT, "%s: the listing is not as it should be", what);
    if (rc != FG_OK)
        fg_s3_page_deinit(page);
    return rc;
}

typedef struct word_reader {
    const char *path;
    char *out;
    size_t size;
    bool found;
} word_reader;

static bool read_word(void *context, const char *path, const char *text)
{
    word_reader *r = context;
    if (strcmp(path, r->path) != 0)
        return true;
    r->found = *text && strlen(text) < r->size;
    if (r->found)
        snprintf(r->out, r->size, "%s", text);
    return false;
}

fg_code fg_s3_word_read(char *out, size_t out_size, const void *data, size_t size, const char *path,
                        const char *what, fg_error *err)
{
    word_reader r = {path, out, out_size, false};
    *out = 0;
    fg_code rc = fg_xml_read(data, size, what, read_word, &r, err);
    if (rc == FG_OK && !r.found)
        rc = FG_FAIL(err, FG_ERR_INPUT, "%s: %s is missing in the answer", what, path);
    return rc;
}

/* -- pages -- */

typedef enum listing { OBJECTS, VERSIONS, UPLOADS } listing;

static fg_code add_parameter(fg_buf *query, const char *name, const char *value, fg_error *err)
{
    fg_code rc = fg_buf_printf(query, err, "%s%s=", query->size ? "&" : "", name);
    return rc == FG_OK ? fg_buf_append_uri(query, value, strlen(value), false, err) : rc;
}

/* The parameters, in the order of their names. */
static fg_code page_query(const fg_s3 *s3, listing kind, const char *prefix, const fg_s3_page *last,
                          fg_buf *query, fg_error *err)
{
    char whole[2 * FG_S3_KEY_MAX];
    fg_code rc = FG_OK;
    snprintf(whole, sizeof whole, "%s%s", s3->prefix, prefix);
    const char *next = last ? last->next : NULL, *next_id = last && *last->next_id ? last->next_id : NULL;
    const struct {
        const char *name, *value;
    } all[] = {
        {"continuation-token", kind == OBJECTS ? next : NULL},
        {"encoding-type", "url"},
        {"key-marker", kind != OBJECTS ? next : NULL},
        {"list-type", kind == OBJECTS ? "2" : NULL},
        {"prefix", whole},
        {"upload-id-marker", kind == UPLOADS ? next_id : NULL},
        {"uploads", kind == UPLOADS ? "" : NULL},
        {"version-id-marker", kind == VERSIONS ? next_id : NULL},
        {"versions", kind == VERSIONS ? "" : NULL},
    };
    for (size_t i = 0; i < sizeof all / sizeof all[0] && rc == FG_OK; i++)
        if (all[i].value)
            rc = add_parameter(query, all[i].name, all[i].value, err);
    return rc;
}

static fg_code fetch_page(fg_s3 *s3, listing kind, const char *prefix, const fg_s3_page *last,
                          fg_s3_page *page, fg_error *err)
{
    char what[FG_S3_WHAT_MAX];
    fg_buf query;
    fg_http_answer answer;
    *page = (fg_s3_page){0};
    fg_s3_what(s3, prefix, what);
    fg_buf_init(&query, FG_S3_URL_MAX);
    fg_http_answer_init(&answer, FG_S3_ANSWER_MAX);
    fg_code rc = page_query(s3, kind, prefix, last, &query, err);
    if (rc == FG_OK) {
        const fg_s3_request request = {.method = "GET", .query = (const char *)query.data};
        rc = fg_s3_send(s3, &request, &answer, err);
    }
    if (rc == FG_OK)
        rc = fg_s3_page_read(page, answer.body.data, answer.body.size, what, err);
    fg_buf_deinit(&query);
    fg_http_answer_deinit(&answer);
    return rc;
}

/* Calls each for every item of every page; each sets *more to false to end it. */
typedef fg_code (*page_each)(fg_s3 *s3, const fg_s3_page *page, void *context, bool *more, fg_error *err);

static fg_code for_pages(fg_s3 *s3, listing kind, const char *prefix, page_each each, void *context,
                         fg_error *err)
{
    fg_s3_page page, last = {0};
    bool more = true, is_first = true;
    fg_code rc = FG_OK;
    while (rc == FG_OK && more) {
        rc = fetch_page(s3, kind, prefix, is_first ? NULL : &last, &page, err);
        if (rc != FG_OK)
            break;
        rc = each(s3, &page, context, &more, err);
        more = more && page.more;
        /* A service that says the same again and again would keep this going for ever. */
        if (rc == FG_OK && more && !is_first && strcmp(page.next, last.next) == 0 &&
            strcmp(page.next_id, last.next_id) == 0)
            rc = FG_FAIL(err, FG_ERR_INPUT, "s3://%s: a listing that does not end", s3->bucket);
        is_first = false;
        fg_s3_page_deinit(&last);
        last = page;
    }
    fg_s3_page_deinit(&last);
    return rc;
}

typedef struct list_context {
    bool (*each)(void *context, const char *key, uint64_t size);
    void *context;
} list_context;

static fg_code list_page(fg_s3 *s3, const fg_s3_page *page, void *context, bool *more, fg_error *err)
{
    const list_context *l = context;
    const size_t skip = strlen(s3->prefix);
    (void)err;
    for (int i = 0; i < page->count && *more; i++)
        if (strncmp(page->items[i].key, s3->prefix, skip) == 0 && page->items[i].key[skip])
            *more = l->each(l->context, page->items[i].key + skip, page->items[i].size);
    return FG_OK;
}

fg_code fg_s3_list(fg_s3 *s3, const char *prefix, bool (*each)(void *context, const char *key, uint64_t size),
                   void *context, fg_error *err)
{
    list_context l = {each, context};
    return for_pages(s3, OBJECTS, prefix, list_page, &l, err);
}

/* -- deleting -- */

static fg_code delete_version(fg_s3 *s3, const char *key, const char *id, bool *left_marker, fg_error *err)
{
    char marker[8];
    fg_buf query;
    fg_http_answer answer;
    fg_buf_init(&query, FG_S3_URL_MAX);
    fg_http_answer_init(&answer, FG_S3_ANSWER_MAX);
    fg_code rc = id ? add_parameter(&query, "versionId", id, err) : FG_OK;
    if (rc == FG_OK) {
        const fg_s3_request request = {
            .method = "DELETE", .key = key, .query = id ? (const char *)query.data : ""};
        rc = fg_s3_send(s3, &request, &answer, err);
        if (rc == FG_ERR_NOT_FOUND && answer.status == 404)
            rc = FG_OK;
    }
    if (left_marker)
        *left_marker = rc == FG_OK &&
                       fg_http_answer_header(&answer, "x-amz-delete-marker", marker, sizeof marker) &&
                       strcmp(marker, "true") == 0;
    fg_buf_deinit(&query);
    fg_http_answer_deinit(&answer);
    return rc;
}

static fg_code delete_items(fg_s3 *s3, const fg_s3_page *page, void *context, bool *more, fg_error *err)
{
    const size_t skip = strlen(s3->prefix);
    const char *only = context; /* this key alone; NULL: every one */
    fg_code rc = FG_OK;
    (void)more;
    for (int i = 0; i < page->count && rc == FG_OK; i++) {
        const fg_s3_item *item = &page->items[i];
        if (strncmp(item->key, s3->prefix, skip) == 0 && (!only || strcmp(item->key + skip, only) == 0))
            rc = delete_version(s3, item->key + skip, *item->id ? item->id : NULL, NULL, err);
    }
    return rc;
}

static fg_code end_uploads(fg_s3 *s3, const fg_s3_page *page, void *context, bool *more, fg_error *err)
{
    const size_t skip = strlen(s3->prefix);
    fg_code rc = FG_OK;
    (void)context, (void)more;
    for (int i = 0; i < page->count && rc == FG_OK; i++) {
        const fg_s3_item *item = &page->items[i];
        fg_buf query;
        fg_http_answer answer;
        if (strncmp(item->key, s3->prefix, skip) != 0 || !*item->id)
            continue;
        fg_buf_init(&query, FG_S3_URL_MAX);
        fg_http_answer_init(&answer, FG_S3_ANSWER_MAX);
        if ((rc = add_parameter(&query, "uploadId", item->id, err)) == FG_OK) {
            const fg_s3_request request = {
                .method = "DELETE", .key = item->key + skip, .query = (const char *)query.data};
            rc = fg_s3_send(s3, &request, &answer, err);
            if (rc == FG_ERR_NOT_FOUND)
                rc = FG_OK;
        }
        fg_buf_deinit(&query);
        fg_http_answer_deinit(&answer);
    }
    return rc;
}

fg_code fg_s3_delete(fg_s3 *s3, const char *key, fg_error *err)
{
    bool keeps_versions = false;
    fg_code rc = delete_version(s3, key, NULL, &keeps_versions, err);
    if (rc == FG_OK && keeps_versions)
        rc = for_pages(s3, VERSIONS, key, delete_items, (void *)(uintptr_t)key, err);
    return rc;
}

/* A plain listing shows no versions that a delete has hidden, so the versions are what is gone through. */
fg_code fg_s3_delete_prefix(fg_s3 *s3, const char *prefix, fg_error *err)
{
    fg_code rc = for_pages(s3, VERSIONS, prefix, delete_items, NULL, err);
    if (rc == FG_OK)
        rc = for_pages(s3, UPLOADS, prefix, end_uploads, NULL, err);
    return rc;
}
