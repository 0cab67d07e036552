/* A dataset as Python's pickle, protocol 4 (PEP 3154): what numpy.ndarray.__reduce__ gives for each row, with
 * what the rows have in common written once and memoized. Python unpickles it with numpy alone, 1.x or 2.x.
 */
#include "classify/dataset_parts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BATCH = 1000 }; /* items between MARK and APPENDS, as Python's own pickler has it */

typedef struct writer {
    FILE *file;
    int memo; /* next free slot */
} writer;

static void put(writer *w, const void *data, size_t size)
{
    (void)fwrite(data, 1, size,
                 w->file); /* an error stays in the stream, and is looked for once at the end */
}

static void op(writer *w, char code)
{
    put(w, &code, 1);
}

static void put_le(writer *w, uint64_t v, int bytes)
{
    uint8_t p[8];
    for (int k = 0; k < bytes; k++)
        p[k] = (uint8_t)(v >> 8 * k);
    put(w, p, (size_t)bytes);
}

static void text(writer *w, const char *s)
{
    op(w, '\x8c'); /* SHORT_BINUNICODE */
    put_le(w, strlen(s), 1);
    put(w, s, strlen(s));
}

static int memoize(writer *w)
{
    op(w, '\x94');
    return w->memo++;
}

static void get(writer *w, int memo)
{
    op(w, memo < 256 ? 'h' : 'j');
    put_le(w, (uint64_t)memo, memo < 256 ? 1 : 4);
}

static void global(writer *w, const char *module, const char *name)
{
    text(w, module);
    text(w, name);
    op(w, '\x93'); /* STACK_GLOBAL */
}

static void integer(writer *w, int v)
{
    op(w, 'J');
    put_le(w, (uint32_t)v, 4);
}

typedef struct shared { /* memo slots */
    int reconstruct, arguments, shape, type;
} shared;

/* One array; the first time, what all have in common is written out. */
static void array(writer *w, const fg_dataset *d, long row, shared *s)
{
    const size_t bytes = (size_t)d->size * sizeof *d->data;
    bool first = row == 0;
    if (first) {
        global(w, "numpy.core.multiarray", "_reconstruct");
        s->reconstruct = memoize(w);
        global(w, "numpy", "ndarray");
        put(w, "K\0\x85" /* (0,) */ "C\1b" /* b'b' */ "\x87", 7);
        s->arguments = memoize(w);
    } else {
        get(w, s->reconstruct);
        get(w, s->arguments);
    }
    put(w, "R(K\1", 4); /* REDUCE, MARK, the state's version */
    if (first) {
        integer(w, d->size);
        op(w, '\x85');
        s->shape = memoize(w);
        global(w, "numpy", "dtype");
        text(w, "f4");
        put(w, "\x89\x88\x87R", 4); /* dtype('f4', False, True) */
        s->type = memoize(w);
        put(w, "(K\3", 3);
        text(w, "<");
        put(w, "NNN", 3);
        integer(w, -1);
        integer(w, -1);
        put(w, "K\0tb", 4);
    } else {
        get(w, s->shape);
        get(w, s->type);
    }
    put(w,
        "\x89"
        "B",
        2); /* C order; BINBYTES */
    put_le(w, bytes, 4);
    put(w, d->data + (size_t)row * (size_t)d->size, bytes);
    put(w, "tb", 2);
}

static fg_code write_all(writer *w, const fg_dataset *d, fg_error *err)
{
    shared s = {0};
    int *slots = calloc((size_t)d->name_count + 1, sizeof *slots); /* memo slot + 1 of each name */
    if (!slots)
        return FG_FAIL(err, FG_ERR_MEMORY, "out of memory");
    put(w, "\x80\4}(", 4);
    text(w, "data");
    op(w, ']');
    for (long i = 0; i < d->count; i++) {
        if (i % BATCH == 0)
            op(w, '(');
        array(w, d, i, &s);
        if (i % BATCH == BATCH - 1 || i == d->count - 1)
            op(w, 'e');
    }
    text(w, "label");
    op(w, ']');
    for (long i = 0; i < d->count; i++) {
        int *slot = &slots[d->labels[i]];
        if (i % BATCH == 0)
            op(w, '(');
        if (*slot) {
            get(w, *slot - 1);
        } else {
            text(w, d->names[d->labels[i]]);
            *slot = memoize(w) + 1;
        }
        if (i % BATCH == BATCH - 1 || i == d->count - 1)
            op(w, 'e');
    }
    put(w, "u.", 2);
    free(slots);
    return FG_OK;
}

fg_code fg_pickle_write(const fg_dataset *dataset, const char *path, fg_error *err)
{
    writer w = {0};
    char tmp[FG_MAX_PATH];
    int fd;
    for (int i = 0; i < dataset->name_count; i++)
        if (strlen(dataset->names[i]) > 255 || fg_npy_letters(dataset->names[i]) < 0)
            return FG_FAIL(err, FG_ERR_INPUT, "a name is not valid UTF-8, or longer than 255 bytes");
    fg_code rc = fg_file_temp(path, tmp, &fd, err);
    if (rc != FG_OK)
        return rc;
    w.file = fdopen(fd, "wb");
    if (!w.file) {
        close(fd);
        rc = FG_FAIL(err, FG_ERR_MEMORY, "out of memory");
    } else {
        rc = write_all(&w, dataset, err);
        bool failed = ferror(w.file) != 0;
        if ((fclose(w.file) != 0 || failed) && rc == FG_OK)
            rc = FG_FAIL_ERRNO(err, "cannot write", path);
    }
    if (rc == FG_OK)
        return fg_file_commit(tmp, path, err);
    unlink(tmp);
    return rc;
}
