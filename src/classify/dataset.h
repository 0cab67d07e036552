/* The labelled dataset: templates with the names of their members, as it leaves Facegate and comes back.
 *
 * Two forms. npz, the safe one: numpy.savez of
 *     data     float32, count x size
 *     label    unicode text, count
 *     segment  int64, count: rows of one photo, or of a second or two of a video, have one number (optional)
 *     model    unicode text, 1: the hash of the embedder (optional)
 * and pickle, protocol 4: {'data': [float32 arrays of size numbers], 'label': [names]}. Python unpickles it
 * with numpy alone. What other programs write is read from protocol 2 on, by a machine that knows
 * dictionaries, lists, numbers, text and numpy's arrays of numbers and text: anything else is refused, and
 * nothing is ever executed.
 *
 * A round trip is exact, to the bit. Reading needs little more memory than the file has bytes. */
#ifndef FG_CLASSIFY_DATASET_H
#define FG_CLASSIFY_DATASET_H

#include "base/buf.h"
#include "base/file.h"
#include "base/limits.h"

typedef enum fg_dataset_format { FG_DATASET_NPZ, FG_DATASET_PICKLE } fg_dataset_format;

typedef struct fg_dataset {
    long count; /* rows */
    int size;   /* numbers in a row */
    float *data;
    int *labels;  /* count: index into names */
    char **names; /* unique, by first appearance */
    int name_count;
    int64_t *segments;              /* count; NULL where the file does not say */
    char model_hash[FG_SHA256_HEX]; /* "" where the file does not say */
} fg_dataset;

void fg_dataset_deinit(fg_dataset *dataset); /* also fine on a zeroed fg_dataset */

fg_code fg_dataset_format_parse(fg_dataset_format *format, const char *name, fg_error *err) FG_MUST_CHECK;
const char *fg_dataset_format_name(fg_dataset_format format); /* "npz", "pickle" */

/* Of either form; the content tells which. The dataset is free of contradictions, but what its numbers and
 * names are worth is for fg_dataset_check. Messages begin with the path. FG_ERR_INPUT for damage,
 * FG_ERR_UNSUPPORTED for what is refused, FG_ERR_LIMIT. */
fg_code fg_dataset_load(fg_dataset *dataset, const char *path, fg_error *err) FG_MUST_CHECK;
/* The same of bytes in memory, which it takes: bytes is empty afterwards, also on failure. */
fg_code fg_dataset_read(fg_dataset *dataset, fg_buf *bytes, fg_error *err) FG_MUST_CHECK;

/* Every row finite and of unit length, every name a member's name (fg_text_name), and size numbers a row
 * where size is not 0. The message names the row. */
fg_code fg_dataset_check(const fg_dataset *dataset, int size, fg_error *err) FG_MUST_CHECK;

/* Atomically. names, labels and data are borrowed; model_hash and segments are left out of a pickle. */
fg_code fg_dataset_save(const fg_dataset *dataset, fg_dataset_format format, const char *path,
                        fg_error *err) FG_MUST_CHECK;

#endif
