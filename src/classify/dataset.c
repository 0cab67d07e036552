#include "classify/dataset_parts.h"

#include "base/text.h"
#include "classify/gallery.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const format_names[] = {[FG_DATASET_NPZ] = "npz", [FG_DATASET_PICKLE] = "pickle"};

fg_code fg_dataset_format_parse(fg_dataset_format *format, const char *name, fg_error *err)
{
    *format = FG_DATASET_NPZ;
    for (size_t i = 0; i < sizeof format_names / sizeof format_names[0]; i++)
        if (name && strcmp(name, format_names[i]) == 0) {
            *format = (fg_dataset_format)i;
            return FG_OK;
        }
    return FG_FAIL(err, FG_ERR_USAGE, "%.40s: no form of a dataset; give npz or pickle", name ? name : "");
}

const char *fg_dataset_format_name(fg_dataset_format format)
{
    return format_names[format == FG_DATASET_PICKLE];
}

void fg_dataset_deinit(fg_dataset *dataset)
{
    free(dataset->data);
    free(dataset->labels);
    for (int i = 0; dataset->names && i < dataset->name_count; i++)
        free(dataset->names[i]);
    free(dataset->names);
    free(dataset->segments);
    *dataset = (fg_dataset){0};
}

/* -- names -- */

fg_code fg_names_init(fg_names *names, fg_error *err)
{
    *names = (fg_names){.slot_count = 64};
    if (sodium_init() < 0)
        return FG_FAIL(err, FG_ERR_INTERNAL, "no source of random numbers");
    crypto_shorthash_keygen(names->key);
    names->slots = calloc((size_t)names->slot_count, sizeof *names->slots);
    return names->slots ? FG_OK : FG_FAIL(err, FG_ERR_MEMORY, "out of memory");
}

void fg_names_deinit(fg_names *names)
{
    for (int i = 0; i < names->count; i++)
        free(names->items[i]);
    free(names->items);
    free(names->slots);
    *names = (fg_names){0};
}

/* The slot that holds the text, or the free one where it belongs. */
static int *find_slot(const fg_names *names, const char *text, size_t size)
{
    unsigned char hash[crypto_shorthash_BYTES];
    uint64_t at;
    crypto_shorthash(hash, (const unsigned char *)text, size, names->key);
    memcpy(&at, hash, sizeof at);
    const uint64_t mask = (uint64_t)names->slot_count - 1;
    for (;; at++) {
        int *slot = &names->slots[at & mask];
        if (*slot == 0)
            return slot;
        const char *item = names->items[*slot - 1];
        if (strlen(item) == size && memcmp(item, text, size) == 0)
            return slot;
    }
}

static fg_code grow(fg_names *names, fg_error *err)
{
    if (names->count == names->capacity) {
        int capacity = names->capacity ? 2 * names->capacity : 16;
        char **items = realloc(names->items, (size_t)capacity * sizeof(char *));
        if (!items)
            return FG_FAIL(err, FG_ERR_MEMORY, "out of memory");
        names->items = items;
        names->capacity = capacity;
    }
    if (2 * (names->count + 1) <= names->slot_count)
        return FG_OK;
    int *old = names->slots;
    int *slots = calloc((size_t)names->slot_count * 2, sizeof *slots);
    if (!slots)
        return FG_FAIL(err, FG_ERR_MEMORY, "out of memory");
    names->slots = slots;
    names->slot_count *= 2;
    free(old);
    for (int i = 0; i < names->count; i++)
        *find_slot(names, names->items[i], strlen(names->items[i])) = i + 1;
    return FG_OK;
}

fg_code fg_names_add(fg_names *names, const char *text, size_t size, int *index, fg_error *err)
{
    *index = 0;
    if (size == 0 || size > FG_MAX_NAME_BYTES || memchr(text, 0, size))
        return FG_FAIL(err, FG_ERR_INPUT, "a label is empty, longer than %d bytes, or has a NUL in it",
                       FG_MAX_NAME_BYTES);
    int *slot = find_slot(names, text, size);
    if (*slot == 0) {
        if (names->count == FG_MAX_MEMBERS)
            return FG_FAIL(err, FG_ERR_LIMIT, "more than %d different labels", FG_MAX_MEMBERS);
        fg_code rc = grow(names, err);
        if (rc != FG_OK)
            return rc;
        char *item = malloc(size + 1);
        if (!item)
            return FG_FAIL(err, FG_ERR_MEMORY, "out of memory");
        memcpy(item, text, size);
        item[size] = 0;
        slot = find_slot(names, text, size);
        names->items[names->count++] = item;
        *slot = names->count;
    }
    *index = *slot - 1;
    return FG_OK;
}

fg_code fg_dataset_take_labels(fg_dataset *dataset, fg_names *names, const fg_npy *labels, fg_error *err)
{
    char text[FG_MAX_NAME_BYTES + 1];
    fg_code rc = FG_OK;
    if (labels->kind != FG_NPY_TEXT || labels->count != dataset->count)
        return FG_FAIL(err, FG_ERR_INPUT, "'label' is not one text for each of the %ld rows of 'data'",
                       dataset->count);
    for (long i = 0; i < labels->count && rc == FG_OK; i++)
        if ((rc = fg_npy_text(labels, i, text, sizeof text, err)) == FG_OK)
            rc = fg_names_add(names, text, strlen(text), &dataset->labels[i], err);
    return rc;
}

/* -- checks -- */

fg_code fg_dataset_check_shape(long count, long size, fg_error *err)
{
    if (count < 1)
        return FG_FAIL(err, FG_ERR_INPUT, "the dataset has no rows");
    if (count > FG_MAX_TEMPLATES || size < 2 || size > FG_MAX_EMBEDDING)
        return FG_FAIL(err, FG_ERR_LIMIT,
                       "%ld rows of %ld numbers; at most %d rows of 2 to %d numbers are taken", count, size,
                       FG_MAX_TEMPLATES, FG_MAX_EMBEDDING);
    return FG_OK;
}

fg_code fg_dataset_check(const fg_dataset *dataset, int size, fg_error *err)
{
    char name[FG_MAX_NAME_BYTES + 1];
    fg_code rc = FG_OK;
    if (size && dataset->size != size)
        return FG_FAIL(err, FG_ERR_INPUT,
                       "its rows have %d numbers, and this embedder's have %d: choose the embedder that made "
                       "them with --embedder, or enrol anew",
                       dataset->size, size);
    for (int i = 0; i < dataset->name_count && rc == FG_OK; i++)
        rc = fg_text_name(name, "label", dataset->names[i], err);
    return rc == FG_OK ? fg_check_units(dataset->data, dataset->count, dataset->size, "row", err) : rc;
}

/* -- reading and writing -- */

static bool is_zip(const uint8_t *head, size_t size)
{
    return size >= 4 && head[0] == 'P' && head[1] == 'K' && (head[2] == 3 || head[2] == 5);
}

static fg_code neither(fg_error *err)
{
    return FG_FAIL(err, FG_ERR_INPUT,
                   "neither an .npz nor a pickle: export the dataset with `facegate export`, or write one "
                   "with numpy.savez(file, data=..., label=...)");
}

fg_code fg_dataset_read(fg_dataset *dataset, fg_buf *bytes, fg_error *err)
{
    fg_code rc;
    *dataset = (fg_dataset){0};
    if (is_zip(bytes->data, bytes->size))
        rc = fg_npz_read_bytes(dataset, bytes->data, bytes->size, err);
    else if (bytes->size >= 2 && bytes->data[0] == 0x80)
        rc = fg_pickle_read(dataset, bytes, err);
    else
        rc = neither(err);
    fg_buf_deinit(bytes);
    if (rc != FG_OK)
        fg_dataset_deinit(dataset);
    return rc;
}

fg_code fg_dataset_load(fg_dataset *dataset, const char *path, fg_error *err)
{
    uint8_t head[4];
    fg_buf bytes;
    *dataset = (fg_dataset){0};
    fg_buf_init(&bytes, FG_MAX_DATASET_BYTES);
    /* Without O_NONBLOCK the open of a FIFO would wait for a writer for ever. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return FG_FAIL_ERRNO(err, "cannot open", path);
    ssize_t n = read(fd, head, sizeof head);
    close(fd);
    if (n > 0 && is_zip(head, (size_t)n)) { /* libzip reads it from the file, piece by piece */
        fg_code rc = fg_npz_load(dataset, path, err);
        if (rc != FG_OK)
            fg_dataset_deinit(dataset);
        return rc == FG_OK ? rc : fg_error_prefix(err, rc, path);
    }
    fg_code rc = fg_file_read(path, &bytes, err);
    if (rc != FG_OK) {
        fg_buf_deinit(&bytes);
        return rc;
    }
    rc = fg_dataset_read(dataset, &bytes, err);
    return rc == FG_OK ? rc : fg_error_prefix(err, rc, path);
}

fg_code fg_dataset_save(const fg_dataset *dataset, fg_dataset_format format, const char *path, fg_error *err)
{
    return format == FG_DATASET_PICKLE ? fg_pickle_write(dataset, path, err)
                                       : fg_npz_write(dataset, path, err);
}
