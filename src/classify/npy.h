/* NumPy's .npy format, versions 1.0, 2.0 and 3.0 (numpy.lib.format): numbers and text. Arrays of Python
 * objects, which hold pickled code, are refused. */
#ifndef FG_CLASSIFY_NPY_H
#define FG_CLASSIFY_NPY_H

#include "base/buf.h"

#include <stdbool.h>

enum { FG_NPY_DIMS = 4, FG_NPY_MAX_ITEMS = 1 << 30 };

typedef enum fg_npy_kind {
    FG_NPY_FLOAT, /* f2, f4, f8 */
    FG_NPY_INT,   /* i1 to i8 */
    FG_NPY_UINT,  /* u1 to u8, bool */
    FG_NPY_TEXT,  /* U: UCS-4, padded with zeros */
} fg_npy_kind;

/* An array that lies in somebody else's bytes, read as it is. */
typedef struct fg_npy {
    fg_npy_kind kind;
    size_t item_bytes;
    bool big_endian, fortran;
    int dims;
    long shape[FG_NPY_DIMS];
    long count; /* the product of shape */
    const uint8_t *items;
} fg_npy;

/* Borrows data. Bytes after the array are allowed and *used, which may be NULL, says how many belong to it.
 * FG_ERR_INPUT for damage, FG_ERR_UNSUPPORTED for a type that is not in fg_npy_kind, FG_ERR_LIMIT for too
 * many dimensions. */
fg_code fg_npy_view(fg_npy *npy, const void *data, size_t size, size_t *used, fg_error *err) FG_MUST_CHECK;

/* The descr alone ("<f4"), as pickles write it, too. */
fg_code fg_npy_type(fg_npy *npy, const char *descr, size_t size, fg_error *err) FG_MUST_CHECK;

/* index counts in C order, last dimension fastest, whatever the order in the file. */
double fg_npy_number(const fg_npy *npy, long index);
int64_t fg_npy_integer(const fg_npy *npy, long index); /* of INT and UINT; saturates */
/* All of a FLOAT, INT or UINT array; out: count. Numbers beyond float32 become infinite. */
void fg_npy_floats(const fg_npy *npy, float *out);
/* One text as UTF-8 with its NUL. FG_ERR_LIMIT if it does not fit, FG_ERR_INPUT if it is not Unicode. */
fg_code fg_npy_text(const fg_npy *npy, long index, char *out, size_t out_size, fg_error *err) FG_MUST_CHECK;

/* True where the items are float32 as this machine has them, in C order: items is then the matrix itself. */
bool fg_npy_is_native(const fg_npy *npy);

/* The header alone, for items that the caller writes after it. */
fg_code fg_npy_write_header(fg_buf *out, const char *descr, int dims, const long *shape,
                            fg_error *err) FG_MUST_CHECK;
/* Version 1.0, C order, little endian: '<f4', '<U...'. Append to out. */
fg_code fg_npy_write_floats(fg_buf *out, const float *data, int dims, const long *shape,
                            fg_error *err) FG_MUST_CHECK;
/* UTF-8 texts; FG_ERR_INPUT for one that is not. */
fg_code fg_npy_write_texts(fg_buf *out, const char *const *texts, long count, fg_error *err) FG_MUST_CHECK;

/* The letters (code points) of UTF-8 text, -1 where it is not; and the text as count code points of four
 * bytes, little endian, padded with zeros. The text must have no more letters than that. */
long fg_npy_letters(const char *text);
void fg_npy_put_text(uint8_t *out, const char *text, long count);

#endif
