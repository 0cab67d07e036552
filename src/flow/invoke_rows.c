/* What an invocation sends, as rows of numbers. */
#include "flow/invoke.h"

#include "classify/npy.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const struct {
    const char *type;
    fg_invoke_kind kind;
} kinds[] = {
    {"application/x-npy", FG_INVOKE_NPY}, {"text/csv", FG_INVOKE_CSV},
    {"application/json", FG_INVOKE_JSON}, {"image/jpeg", FG_INVOKE_PHOTO},
    {"image/png", FG_INVOKE_PHOTO},
};

fg_code fg_invoke_kind_parse(fg_invoke_kind *kind, const char *content_type, fg_error *err)
{
    *kind = FG_INVOKE_NPY;
    for (size_t i = 0; content_type && i < sizeof kinds / sizeof kinds[0]; i++) {
        size_t n = strlen(kinds[i].type);
        if (strncasecmp(content_type, kinds[i].type, n) == 0 &&
            (!content_type[n] || strchr("; \t", content_type[n]))) {
            *kind = kinds[i].kind;
            return FG_OK;
        }
    }
    return FG_FAIL(
        err, FG_ERR_UNSUPPORTED,
        "Content-Type %.60s is not taken; send application/x-npy, text/csv, application/json, image/jpeg "
        "or image/png",
        content_type ? content_type : "(none)");
}

void fg_rows_deinit(fg_rows *rows)
{
    free(rows->data);
    *rows = (fg_rows){0};
}

static fg_code check_shape(long count, long size, fg_error *err)
{
    if (count < 1 || size < 1)
        return FG_FAIL(err, FG_ERR_INPUT, "there are no numbers in the request");
    if (count > FG_MAX_INVOCATION_ROWS || size > FG_MAX_EMBEDDING)
        return FG_FAIL(err, FG_ERR_LIMIT, "%ld rows of %ld numbers; at most %d rows of %d are taken at once",
                       count, size, FG_MAX_INVOCATION_ROWS, FG_MAX_EMBEDDING);
    return FG_OK;
}

static fg_code parse_npy(fg_rows *rows, const void *data, size_t size, fg_error *err)
{
    fg_npy array;
    size_t used;
    fg_code rc = fg_npy_view(&array, data, size, &used, err);
    if (rc != FG_OK)
        return rc;
    if (array.kind == FG_NPY_TEXT || array.dims < 1 || array.dims > 2 || used != size)
        return FG_FAIL(err, FG_ERR_INPUT,
                       "the array must be one row of numbers, or rows x numbers, and nothing behind it");
    rows->count = array.dims == 2 ? array.shape[0] : 1;
    const long columns = array.shape[array.dims - 1];
    if ((rc = check_shape(rows->count, columns, err)) != FG_OK)
        return rc;
    rows->size = (int)columns;
    if (!(rows->data = malloc((size_t)array.count * sizeof *rows->data)))
        return FG_FAIL(err, FG_ERR_MEMORY, "out of memory for %ld rows", rows->count);
    fg_npy_floats(&array, rows->data);
    return FG_OK;
}

/* One more number of the current row. */
static fg_code add_number(fg_buf *numbers, double value, fg_error *err)
{
    float f = (float)value;
    return fg_buf_append(numbers, &f, sizeof f, err);
}

/* A line of a CSV; *at is moved behind it. Gives its numbers, 0 for an empty line. */
static fg_code parse_line(const char **at, long line, fg_buf *numbers, long *count, fg_error *err)
{
    const char *p = *at + strspn(*at, " \t\r");
    fg_code rc = FG_OK;
    *count = 0;
    while (*p && *p != '\n' && rc == FG_OK) {
        char *end;
        double value = strtod(p, &end);
        if (end == p || ++*count > FG_MAX_EMBEDDING)
            return FG_FAIL(err, FG_ERR_INPUT,
                           "line %ld, column %ld of the CSV is not a number (no header is taken)", line,
                           *count + (end == p));
        rc = add_number(numbers, value, err);
        p = end + strspn(end, " \t\r");
        if (*p == ',')
            p += 1 + strspn(p + 1, " \t");
        else if (*p && *p != '\n')
            return FG_FAIL(err, FG_ERR_INPUT,
                           "line %ld of the CSV has something else than a comma behind number %ld", line,
                           *count);
        else
            break;
        if (!*p || *p == '\n' || *p == '\r')
            return FG_FAIL(err, FG_ERR_INPUT, "line %ld of the CSV ends with a comma", line);
    }
    *at = *p == '\n' ? p + 1 : p;
    return rc;
}

static fg_code parse_csv(fg_rows *rows, const char *text, size_t size, fg_error *err)
{
    fg_buf numbers;
    fg_code rc = FG_OK;
    long line = 0, count;
    if (strlen(text) != size)
        return FG_FAIL(err, FG_ERR_INPUT, "the CSV has a NUL in it");
    fg_buf_init(&numbers, sizeof(float) * FG_MAX_INVOCATION_ROWS * FG_MAX_EMBEDDING);
    while (*text && rc == FG_OK) {
        rc = parse_line(&text, ++line, &numbers, &count, err);
        if (rc != FG_OK || count == 0)
            continue;
        if (rows->count++ == 0)
            rows->size = (int)count;
        if (count != rows->size)
            rc = FG_FAIL(err, FG_ERR_INPUT, "line %ld of the CSV has %ld numbers, the first one %d", line,
                         count, rows->size);
        else if (rows->count > FG_MAX_INVOCATION_ROWS)
            rc = check_shape(rows->count, rows->size, err);
    }
    if (rc == FG_OK)
        rc = check_shape(rows->count, rows->size, err);
    rows->data = (float *)(void *)numbers.data; /* malloc'ed, so aligned */
    return rc;
}

static fg_code add_row(fg_rows *rows, const json_t *row, fg_error *err)
{
    if (json_is_object(row))
        row = json_object_get(row, "features");
    if (!json_is_array(row) || json_array_size(row) != (size_t)rows->size)
        return FG_FAIL(err, FG_ERR_INPUT, "row %ld is not an array of %d numbers like the first one",
                       rows->count, rows->size);
    for (size_t k = 0; k < json_array_size(row); k++) {
        const json_t *number = json_array_get(row, k);
        if (!json_is_number(number))
            return FG_FAIL(err, FG_ERR_INPUT, "row %ld, number %zu is not a number", rows->count, k);
        rows->data[(size_t)rows->count * (size_t)rows->size + k] = (float)json_number_value(number);
    }
    rows->count++;
    return FG_OK;
}

static fg_code parse_json(fg_rows *rows, const char *text, size_t size, fg_error *err)
{
    json_error_t where;
    fg_code rc;
    if (size > FG_MAX_JSON_ROWS_BYTES)
        return FG_FAIL(err, FG_ERR_LIMIT, "the JSON is larger than %u MB; send application/x-npy",
                       FG_MAX_JSON_ROWS_BYTES >> 20);
    json_t *document = json_loadb(text, size, JSON_REJECT_DUPLICATES, &where);
    const json_t *list = json_is_object(document) ? json_object_get(document, "instances") : document;
    if (!document) {
        return FG_FAIL(err, FG_ERR_INPUT, "the JSON is malformed: line %d, column %d: %.100s", where.line,
                       where.column, where.text);
    }
    const json_t *first = json_array_get(list, 0);
    bool flat = json_is_number(first); /* one row by itself */
    const json_t *sample = flat ? list : json_is_object(first) ? json_object_get(first, "features") : first;
    const long count = flat ? 1 : (long)json_array_size(list);
    if (!json_is_array(list) || !json_is_array(sample))
        rc = FG_FAIL(err, FG_ERR_INPUT,
                     "send [numbers], [[numbers], ...] or {\"instances\": [[numbers], ...]}");
    else if ((rc = check_shape(count, (long)json_array_size(sample), err)) == FG_OK) {
        rows->size = (int)json_array_size(sample);
        if (!(rows->data = calloc((size_t)count * (size_t)rows->size, sizeof *rows->data)))
            rc = FG_FAIL(err, FG_ERR_MEMORY, "out of memory for %ld rows", count);
    }
    for (long i = 0; i < count && rc == FG_OK; i++)
        rc = add_row(rows, flat ? list : json_array_get(list, (size_t)i), err);
    json_decref(document);
    return rc;
}

fg_code fg_rows_parse(fg_rows *rows, fg_invoke_kind kind, const void *text, size_t size, fg_error *err)
{
    fg_code rc;
    *rows = (fg_rows){0};
    switch (kind) {
    case FG_INVOKE_NPY:
        rc = parse_npy(rows, text, size, err);
        break;
    case FG_INVOKE_CSV:
        rc = parse_csv(rows, text, size, err);
        break;
    case FG_INVOKE_JSON:
        rc = parse_json(rows, text, size, err);
        break;
    default:
        rc = FG_FAIL(err, FG_ERR_INTERNAL, "a photo has no rows");
        break;
    }
    if (rc != FG_OK)
        fg_rows_deinit(rows);
    return rc;
}
