/* A pickle machine that knows only what a dataset of numpy's is made of (PEP 307, 3154, 574; numpy's
 * ndarray.__reduce__ and __reduce_ex__). It reads protocols 2 to 5, calls nothing, and refuses every class
 * and function but the few of pickle_machine.c, which it understands itself. Values are kept in tables and
 * name one another by index, so that a list that contains itself is as harmless as any. */
#ifndef FG_CLASSIFY_PICKLE_H
#define FG_CLASSIFY_PICKLE_H

#include "classify/npy.h"

typedef enum fg_pickle_kind {
    FG_PICKLE_NONE, /* also what is of no use here, such as a float */
    FG_PICKLE_BOOL,
    FG_PICKLE_INT,
    FG_PICKLE_TEXT,  /* UTF-8 in the pickle's own bytes, not checked yet */
    FG_PICKLE_BYTES, /* in the pickle's own bytes */
    FG_PICKLE_TUPLE, /* index into runs */
    FG_PICKLE_LIST,  /* index into lists */
    FG_PICKLE_DICT,  /* index into lists: key, value, key, value ... */
    FG_PICKLE_GLOBAL,
    FG_PICKLE_TYPE,  /* index into types */
    FG_PICKLE_ARRAY, /* index into arrays */
} fg_pickle_kind;

typedef struct fg_pickle_value {
    uint32_t kind; /* fg_pickle_kind */
    uint32_t size; /* of TEXT and BYTES; the items of a TUPLE; of BYTES, see latin1 in arrays */
    int64_t at;    /* INT, BOOL: the number; TEXT, BYTES: the offset; else the index */
} fg_pickle_value;

typedef struct fg_pickle_list {
    fg_pickle_value *items;
    long count, capacity;
} fg_pickle_list;

typedef struct fg_pickle_array {
    int64_t at;          /* of the bytes, in the pickle */
    uint32_t size;       /* of the bytes */
    uint32_t type;       /* index into types */
    uint32_t latin1 : 1, /* the bytes are UTF-8 of characters below 256, as protocol 2 has it */
        fortran : 1, built : 1;
    uint32_t dims;
    int64_t shape[FG_NPY_DIMS];
} fg_pickle_array;

typedef struct fg_pickle {
    const uint8_t *data;
    size_t size;
    fg_pickle_value *stack, *memo, *runs; /* runs: the items of tuples */
    long stack_count, stack_capacity, memo_count, memo_capacity, run_count, run_capacity;
    long *marks;
    long mark_count, mark_capacity;
    fg_pickle_list *lists;
    long list_count, list_capacity;
    fg_npy *types; /* kind, item_bytes and big_endian alone */
    long type_count, type_capacity;
    fg_pickle_array *arrays;
    long array_count, array_capacity;
    long work; /* values made so far, of a cap */
} fg_pickle;

/* Borrows data. *result: what the pickle holds. Free with _deinit, also after a failure. */
fg_code fg_pickle_run(fg_pickle *pickle, const void *data, size_t size, fg_pickle_value *result,
                      fg_error *err) FG_MUST_CHECK;
void fg_pickle_deinit(fg_pickle *pickle);

/* The value of a text key of a dictionary; NULL where there is none. Borrowed. */
const fg_pickle_value *fg_pickle_find(const fg_pickle *pickle, const fg_pickle_value *dict, const char *key);
/* An array as a view, its sizes checked. scratch: where its bytes are unpacked to where they must be
 * (latin1), else left alone. */
fg_code fg_pickle_view(const fg_pickle *pickle, const fg_pickle_value *array, fg_npy *npy, fg_buf *scratch,
                       fg_error *err) FG_MUST_CHECK;

#endif
