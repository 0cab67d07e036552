/* .npz: a zip container (libzip) of .npy arrays, as numpy.savez writes it and numpy.savez_compressed too. */
#include "classify/archive.h"
#include "classify/dataset_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zip.h>

/* -- reading -- */

/* An array of the container; bytes is what it lies in, the caller's to free. wanted: it must be there. */
static fg_code read_array(zip_t *zip, const char *name, bool wanted, uint8_t **bytes, fg_npy *array,
                          fg_error *err)
{
    size_t size, used;
    char member[32];
    *array = (fg_npy){0};
    snprintf(member, sizeof member, "%s.npy", name);
    fg_code rc = fg_archive_read(zip, member, FG_MAX_DATASET_BYTES, bytes, &size, err);
    if (rc == FG_OK && !*bytes && wanted)
        return FG_FAIL(err, FG_ERR_INPUT,
                       "the .npz has no array '%s': write it with numpy.savez(file, data=..., label=...)",
                       name);
    if (rc != FG_OK || !*bytes)
        return rc;
    rc = fg_npy_view(array, *bytes, size, &used, err);
    return rc == FG_OK ? rc : fg_error_prefix(err, rc, member);
}

static fg_code take_data(fg_dataset *d, uint8_t **bytes, const fg_npy *array, fg_error *err)
{
    if (array->dims != 2 || array->kind == FG_NPY_TEXT)
        return FG_FAIL(err, FG_ERR_INPUT, "'data' is not a matrix of numbers, a row for each template");
    fg_code rc = fg_dataset_check_shape(array->shape[0], array->shape[1], err);
    if (rc != FG_OK)
        return rc;
    d->count = array->shape[0];
    d->size = (int)array->shape[1];
    const size_t n = (size_t)array->count * sizeof *d->data;
    if (fg_npy_is_native(array)) { /* they are there already, behind the header */
        memmove(*bytes, array->items, n);
        d->data = (float *)(void *)*bytes;
        *bytes = NULL;
        return FG_OK;
    }
    if (!(d->data = malloc(n)))
        return FG_FAIL(err, FG_ERR_MEMORY, "out of memory for %ld rows", d->count);
    fg_npy_floats(array, d->data);
    return FG_OK;
}

static fg_code take_segments(fg_dataset *d, const fg_npy *array, fg_error *err)
{
    if ((array->kind != FG_NPY_INT && array->kind != FG_NPY_UINT) || array->count != d->count)
        return FG_FAIL(err, FG_ERR_INPUT,
                       "'segment' is not one whole number for each of the %ld rows of 'data'", d->count);
    if (!(d->segments = malloc((size_t)d->count * sizeof *d->segments)))
        return FG_FAIL(err, FG_ERR_MEMORY, "out of memory for %ld rows", d->count);
    for (long i = 0; i < d->count; i++)
        d->segments[i] = fg_npy_integer(array, i);
    return FG_OK;
}

static fg_code take_model(fg_dataset *d, const fg_npy *array, fg_error *err)
{
    if (array->kind != FG_NPY_TEXT || array->count != 1)
        return FG_FAIL(err, FG_ERR_INPUT, "'model' is not one text");
    fg_code rc = fg_npy_text(array, 0, d->model_hash, sizeof d->model_hash, err);
    if (rc == FG_OK && d->model_hash[strspn(d->model_hash, "0123456789abcdef")])
        rc = FG_FAIL(err, FG_ERR_INPUT, "'model' is not the hash of an embedder");
    return rc;
}

static fg_code read_arrays(fg_dataset *d, zip_t *zip, fg_names *names, fg_error *err)
{
    uint8_t *bytes = NULL;
    fg_npy array;
    fg_code rc = read_array(zip, "data", true, &bytes, &array, err);
    if (rc == FG_OK)
        rc = take_data(d, &bytes, &array, err);
    free(bytes);
    bytes = NULL;
    if (rc == FG_OK && !(d->labels = malloc((size_t)d->count * sizeof *d->labels)))
        rc = FG_FAIL(err, FG_ERR_MEMORY, "out of memory for %ld rows", d->count);
    if (rc == FG_OK && (rc = read_array(zip, "label", true, &bytes, &array, err)) == FG_OK)
        rc = fg_dataset_take_labels(d, names, &array, err);
    free(bytes);
    bytes = NULL;
    if (rc == FG_OK && (rc = read_array(zip, "segment", false, &bytes, &array, err)) == FG_OK && bytes)
        rc = take_segments(d, &array, err);
    free(bytes);
    bytes = NULL;
    if (rc == FG_OK && (rc = read_array(zip, "model", false, &bytes, &array, err)) == FG_OK && bytes)
        rc = take_model(d, &array, err);
    free(bytes);
    return rc;
}

fg_code fg_npz_read(fg_dataset *dataset, struct zip_source *source, fg_error *err)
{
    fg_names names = {0};
    zip_t *zip = NULL;
    fg_code opened = fg_archive_open(&zip, source, err);
    if (opened != FG_OK)
        return opened;
    fg_code rc = fg_names_init(&names, err);
    if (rc == FG_OK)
        rc = read_arrays(dataset, zip, &names, err);
    dataset->names = names.items; /* moved */
    dataset->name_count = names.count;
    names.items = NULL;
    names.count = 0;
    fg_names_deinit(&names);
    zip_discard(zip);
    return rc;
}

static fg_code no_source(zip_error_t *why, fg_error *err)
{
    fg_code rc = FG_FAIL(err, FG_ERR_IO, "cannot read: %s", zip_error_strerror(why));
    zip_error_fini(why);
    return rc;
}

fg_code fg_npz_load(fg_dataset *dataset, const char *path, fg_error *err)
{
    zip_error_t why;
    zip_error_init(&why);
    zip_source_t *source = zip_source_file_create(path, 0, -1, &why);
    return source ? fg_npz_read(dataset, source, err) : no_source(&why, err);
}

fg_code fg_npz_read_bytes(fg_dataset *dataset, const void *data, size_t size, fg_error *err)
{
    zip_error_t why;
    zip_error_init(&why);
    zip_source_t *source = zip_source_buffer_create(data, size, 0, &why);
    return source ? fg_npz_read(dataset, source, err) : no_source(&why, err);
}

/* -- writing -- */

/* A header and the items behind it, both borrowed until the container is closed. */
static fg_code add(zip_t *zip, const char *name, const fg_buf *head, const void *items, size_t size,
                   zip_buffer_fragment_t fragments[2], fg_error *err)
{
    zip_int64_t at = -1;
    void *data;
    memcpy(&data, &items, sizeof data); /* libzip only reads it */
    fragments[0] = (zip_buffer_fragment_t){head->data, head->size};
    fragments[1] = (zip_buffer_fragment_t){data, size};
    zip_source_t *source = zip_source_buffer_fragment(zip, fragments, size ? 2 : 1, 0);
    if (source && (at = zip_file_add(zip, name, source, ZIP_FL_ENC_UTF_8)) < 0)
        zip_source_free(source);
    /* Stored as it is, which is fast and what numpy.savez does; no time of day, so that the same dataset
     * gives the same bytes. */
    if (at < 0 || zip_set_file_compression(zip, (zip_uint64_t)at, ZIP_CM_STORE, 0) != 0 ||
        zip_file_set_dostime(zip, (zip_uint64_t)at, 0, 0x21, 0) != 0)
        return FG_FAIL(err, FG_ERR_IO, "cannot make the .npz: %s", zip_strerror(zip));
    return FG_OK;
}

/* Every label at the width of the longest. A name's letters are worked out once. */
static fg_code encode_labels(const fg_dataset *d, fg_buf *head, uint8_t **items, size_t *size, fg_error *err)
{
    long longest = 1;
    char descr[32];
    uint8_t *table = NULL;
    *items = NULL;
    *size = 0;
    for (int i = 0; i < d->name_count; i++) {
        long n = fg_npy_letters(d->names[i]);
        if (n < 0 || n > FG_MAX_NAME_BYTES)
            return FG_FAIL(err, FG_ERR_INPUT, "a name is not valid UTF-8, or longer than %d letters",
                           FG_MAX_NAME_BYTES);
        longest = n > longest ? n : longest;
    }
    snprintf(descr, sizeof descr, "<U%ld", longest);
    fg_code rc = fg_npy_write_header(head, descr, 1, &d->count, err);
    const size_t width = 4 * (size_t)longest;
    table = malloc((size_t)d->name_count * width + 1);
    *items = malloc((size_t)d->count * width + 1);
    if (rc == FG_OK && (!table || !*items))
        rc = FG_FAIL(err, FG_ERR_MEMORY, "out of memory for %ld labels", d->count);
    for (int i = 0; i < d->name_count && rc == FG_OK && table; i++)
        fg_npy_put_text(table + (size_t)i * width, d->names[i], longest);
    for (long i = 0; i < d->count && rc == FG_OK && table && *items; i++)
        memcpy(*items + (size_t)i * width, table + (size_t)d->labels[i] * width, width);
    *size = (size_t)d->count * width;
    free(table);
    return rc;
}

typedef struct parts { /* what libzip reads when it closes the container */
    fg_buf data, label, segment, model;
    uint8_t *labels;
    zip_buffer_fragment_t fragments[4][2];
} parts;

static fg_code add_all(zip_t *zip, const fg_dataset *d, parts *p, fg_error *err)
{
    const long shape[2] = {d->count, d->size};
    const char *model = d->model_hash;
    size_t size;
    fg_code rc = fg_npy_write_header(&p->data, "<f4", 2, shape, err);
    if (rc == FG_OK)
        rc = add(zip, "data.npy", &p->data, d->data, (size_t)d->count * (size_t)d->size * sizeof *d->data,
                 p->fragments[0], err);
    if (rc == FG_OK)
        rc = encode_labels(d, &p->label, &p->labels, &size, err);
    if (rc == FG_OK)
        rc = add(zip, "label.npy", &p->label, p->labels, size, p->fragments[1], err);
    if (rc == FG_OK && d->segments &&
        (rc = fg_npy_write_header(&p->segment, "<i8", 1, &d->count, err)) == FG_OK)
        rc = add(zip, "segment.npy", &p->segment, d->segments, (size_t)d->count * sizeof *d->segments,
                 p->fragments[2], err);
    if (rc == FG_OK && d->model_hash[0] && (rc = fg_npy_write_texts(&p->model, &model, 1, err)) == FG_OK)
        rc = add(zip, "model.npy", &p->model, NULL, 0, p->fragments[3], err);
    return rc;
}

fg_code fg_npz_write(const fg_dataset *dataset, const char *path, fg_error *err)
{
    parts p = {0};
    zip_error_t why;
    zip_t *zip = NULL;
    char tmp[FG_MAX_PATH];
    int fd, code = 0;
    fg_buf *const heads[] = {&p.data, &p.label, &p.segment, &p.model};
    for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++)
        fg_buf_init(heads[i], 4096);
    zip_error_init(&why);
    fg_code rc = fg_file_temp(path, tmp, &fd, err);
    if (rc != FG_OK)
        goto done;
    close(fd);
    if (!(zip = zip_open(tmp, ZIP_CREATE | ZIP_TRUNCATE, &code))) {
        zip_error_init_with_code(&why, code);
        rc = FG_FAIL(err, FG_ERR_IO, "%s: cannot write: %s", path, zip_error_strerror(&why));
    }
    if (rc == FG_OK)
        rc = add_all(zip, dataset, &p, err);
    if (rc == FG_OK && zip_close(zip) != 0) {
        zip_error_t *error = zip_get_error(zip);
        rc = zip_error_system_type(error) == ZIP_ET_SYS
                 ? fg_fail_errno(err, zip_error_code_system(error), __func__, "cannot write", path)
                 : FG_FAIL(err, FG_ERR_IO, "%s: cannot write: %s", path, zip_error_strerror(error));
    } else if (rc == FG_OK) {
        zip = NULL;
    }
    if (zip)
        zip_discard(zip);
    if (rc == FG_OK)
        rc = fg_file_commit(tmp, path, err);
    else
        unlink(tmp);
done:
    zip_error_fini(&why);
    for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++)
        fg_buf_deinit(heads[i]);
    free(p.labels);
    return rc;
}
