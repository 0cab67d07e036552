/* From the values of a pickle to a dataset. */
#include "classify/dataset_parts.h"
#include "classify/pickle.h"

#include <stdlib.h>
#include <string.h>

static const char wanted[] = "the pickle is not {'data': [arrays], 'label': [names]}";

/* Whether the rows' floats lie in the file as they are needed, one after the other: then they are moved
 * together where they are, and the file's own memory becomes the matrix. */
static bool in_order(const fg_pickle *p, const fg_pickle_list *rows, size_t row_bytes)
{
    size_t at = 0;
    for (long i = 0; i < rows->count; i++) {
        const fg_pickle_array *a = &p->arrays[rows->items[i].at];
        fg_npy type = p->types[a->type];
        type.dims = (int)a->dims;
        type.fortran = a->fortran;
        if (!fg_npy_is_native(&type) || a->latin1 || a->size != row_bytes || (size_t)a->at < at)
            return false;
        at = (size_t)a->at + row_bytes;
    }
    return true;
}

static fg_code rows_of_list(const fg_pickle *p, const fg_pickle_list *rows, fg_dataset *d, fg_buf *bytes,
                            fg_error *err)
{
    fg_npy row;
    fg_buf scratch;
    fg_code rc = FG_OK;
    fg_buf_init(&scratch, 64u << 10);
    for (long i = 0; i < rows->count && rc == FG_OK; i++) {
        if ((rc = fg_pickle_view(p, &rows->items[i], &row, &scratch, err)) != FG_OK)
            break;
        /* One row, whatever its dimensions: (256,) and (1, 256) are both met. */
        if (row.kind == FG_NPY_TEXT || row.dims < 1 || (row.dims > 1 && row.shape[row.dims - 1] != row.count))
            rc = FG_FAIL(err, FG_ERR_INPUT, "row %ld of 'data' is not an array of numbers", i);
        else if (i == 0 && (rc = fg_dataset_check_shape(rows->count, row.count, err)) == FG_OK)
            d->size = (int)row.count;
        if (rc == FG_OK && row.count != d->size)
            rc = FG_FAIL(err, FG_ERR_INPUT, "row %ld of 'data' has %ld numbers, the first one %d", i,
                         row.count, d->size);
        if (rc == FG_OK && i == 0) {
            const size_t n = (size_t)d->size * sizeof *d->data;
            bool borrowed = false;
            for (long k = 0; k < rows->count && rc == FG_OK; k++)
                if (rows->items[k].kind != FG_PICKLE_ARRAY || !p->arrays[rows->items[k].at].built)
                    rc = FG_FAIL(err, FG_ERR_INPUT, "row %ld of 'data' is not an array of numbers", k);
            if (rc == FG_OK && in_order(p, rows, n))
                borrowed = true;
            if (rc == FG_OK && !borrowed && !(d->data = malloc((size_t)rows->count * n)))
                rc = FG_FAIL(err, FG_ERR_MEMORY, "out of memory for %ld rows", rows->count);
        }
        if (rc == FG_OK && d->data)
            fg_npy_floats(&row, d->data + (size_t)i * (size_t)d->size);
    }
    fg_buf_deinit(&scratch);
    if (rc != FG_OK || d->data)
        return rc;
    const size_t n = (size_t)d->size * sizeof *d->data;
    for (long i = 0; i < rows->count; i++)
        memmove(bytes->data + (size_t)i * n, bytes->data + p->arrays[rows->items[i].at].at, n);
    d->data = (float *)(void *)bytes->data; /* malloc'ed, so aligned */
    *bytes = (fg_buf){0};
    return FG_OK;
}

static fg_code rows_of_matrix(const fg_pickle *p, const fg_pickle_value *value, fg_dataset *d, fg_error *err)
{
    fg_npy matrix;
    fg_buf scratch;
    fg_buf_init(&scratch, FG_MAX_DATASET_BYTES);
    fg_code rc = fg_pickle_view(p, value, &matrix, &scratch, err);
    if (rc == FG_OK && (matrix.dims != 2 || matrix.kind == FG_NPY_TEXT || matrix.shape[0] != d->count))
        rc = FG_FAIL(err, FG_ERR_INPUT, "'data' is not a matrix of numbers with a row for each label");
    if (rc == FG_OK)
        rc = fg_dataset_check_shape(matrix.shape[0], matrix.shape[1], err);
    if (rc == FG_OK) {
        d->size = (int)matrix.shape[1];
        if ((d->data = malloc((size_t)matrix.count * sizeof *d->data)))
            fg_npy_floats(&matrix, d->data);
        else
            rc = FG_FAIL(err, FG_ERR_MEMORY, "out of memory for %ld rows", d->count);
    }
    fg_buf_deinit(&scratch);
    return rc;
}

/* A list of str or numpy.str_. */
static fg_code labels_of_list(const fg_pickle *p, const fg_pickle_list *list, fg_dataset *d, fg_names *names,
                              fg_error *err)
{
    char text[FG_MAX_NAME_BYTES + 1];
    fg_buf scratch;
    fg_code rc = FG_OK;
    fg_buf_init(&scratch, 64u << 10);
    for (long i = 0; i < list->count && rc == FG_OK; i++) {
        const fg_pickle_value *v = &list->items[i];
        fg_npy scalar;
        if (v->kind == FG_PICKLE_TEXT) {
            rc = fg_names_add(names, (const char *)p->data + v->at, v->size, &d->labels[i], err);
        } else if ((rc = fg_pickle_view(p, v, &scalar, &scratch, err)) == FG_OK) {
            if (scalar.kind != FG_NPY_TEXT || scalar.count != 1)
                rc = FG_FAIL(err, FG_ERR_INPUT, "label %ld is not a text", i);
            else if ((rc = fg_npy_text(&scalar, 0, text, sizeof text, err)) == FG_OK)
                rc = fg_names_add(names, text, strlen(text), &d->labels[i], err);
        }
    }
    for (int i = 0; i < names->count && rc == FG_OK; i++)
        if (fg_npy_letters(names->items[i]) < 0)
            rc = FG_FAIL(err, FG_ERR_INPUT, "a label is not UTF-8");
    fg_buf_deinit(&scratch);
    return rc;
}

static fg_code labels_of(const fg_pickle *p, const fg_pickle_value *value, fg_dataset *d, fg_names *names,
                         fg_error *err)
{
    fg_npy array;
    fg_buf scratch;
    fg_code rc = FG_OK;
    fg_buf_init(&scratch, FG_MAX_DATASET_BYTES);
    d->count = value->kind == FG_PICKLE_LIST ? p->lists[value->at].count : 0;
    if (value->kind != FG_PICKLE_LIST && (rc = fg_pickle_view(p, value, &array, &scratch, err)) == FG_OK)
        d->count = array.count;
    if (rc == FG_OK && (rc = fg_dataset_check_shape(d->count, 2, err)) == FG_OK &&
        !(d->labels = calloc((size_t)d->count, sizeof *d->labels)))
        rc = FG_FAIL(err, FG_ERR_MEMORY, "out of memory for %ld labels", d->count);
    if (rc == FG_OK)
        rc = value->kind == FG_PICKLE_LIST ? labels_of_list(p, &p->lists[value->at], d, names, err)
                                           : fg_dataset_take_labels(d, names, &array, err);
    fg_buf_deinit(&scratch);
    return rc;
}

fg_code fg_pickle_read(fg_dataset *dataset, fg_buf *bytes, fg_error *err)
{
    fg_pickle p = {0};
    fg_pickle_value result;
    fg_names names = {0};
    const fg_pickle_value *data = NULL, *labels = NULL;
    fg_code rc = fg_pickle_run(&p, bytes->data, bytes->size, &result, err);
    if (rc != FG_OK)
        goto done;
    data = fg_pickle_find(&p, &result, "data");
    labels = fg_pickle_find(&p, &result, "label");
    if (!data || !labels) {
        rc = FG_FAIL(err, FG_ERR_INPUT, "%s", wanted);
        goto done;
    }
    rc = fg_names_init(&names, err);
    /* The labels first: the rows may take the file's memory. */
    if (rc == FG_OK)
        rc = labels_of(&p, labels, dataset, &names, err);
    if (rc == FG_OK && data->kind == FG_PICKLE_LIST && p.lists[data->at].count != dataset->count)
        rc = FG_FAIL(err, FG_ERR_INPUT, "'data' has %ld rows and 'label' %ld names", p.lists[data->at].count,
                     dataset->count);
    if (rc == FG_OK)
        rc = data->kind == FG_PICKLE_LIST ? rows_of_list(&p, &p.lists[data->at], dataset, bytes, err)
                                          : rows_of_matrix(&p, data, dataset, err);
    dataset->names = names.items; /* moved */
    dataset->name_count = names.count;
    names.items = NULL;
    names.count = 0;
done:
    fg_names_deinit(&names);
    fg_pickle_deinit(&p);
    return rc;
}
