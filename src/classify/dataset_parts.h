/* What the files of the dataset share among themselves. */
#ifndef FG_CLASSIFY_DATASET_PARTS_H
#define FG_CLASSIFY_DATASET_PARTS_H

#include "classify/dataset.h"
#include "classify/npy.h"

#include <sodium.h>

/* The names of a dataset under construction, each once. */
typedef struct fg_names {
    char **items;
    int count, capacity;
    int *slots; /* index + 1 into items, 0 for free; open addressing, a power of two */
    int slot_count;
    unsigned char key[crypto_shorthash_KEYBYTES]; /* random: names come from outside */
} fg_names;

fg_code fg_names_init(fg_names *names, fg_error *err) FG_MUST_CHECK;
void fg_names_deinit(fg_names *names);
/* The index of the text, which is added where it is new. FG_ERR_LIMIT beyond FG_MAX_MEMBERS names or
 * FG_MAX_NAME_BYTES bytes. */
fg_code fg_names_add(fg_names *names, const char *text, size_t size, int *index, fg_error *err) FG_MUST_CHECK;

/* Whether count rows of size numbers are within the limits. */
fg_code fg_dataset_check_shape(long count, long size, fg_error *err) FG_MUST_CHECK;
/* Every label of an array of text; dataset->labels has room for count. */
fg_code fg_dataset_take_labels(fg_dataset *dataset, fg_names *names, const fg_npy *labels,
                               fg_error *err) FG_MUST_CHECK;

struct zip_source;
/* npz.c; source: libzip's, taken. */
fg_code fg_npz_read(fg_dataset *dataset, struct zip_source *source, fg_error *err) FG_MUST_CHECK;
fg_code fg_npz_load(fg_dataset *dataset, const char *path, fg_error *err) FG_MUST_CHECK;
fg_code fg_npz_read_bytes(fg_dataset *dataset, const void *data, size_t size, fg_error *err) FG_MUST_CHECK;
fg_code fg_npz_write(const fg_dataset *dataset, const char *path, fg_error *err) FG_MUST_CHECK;

/* pickle_read.c: takes the bytes. pickle_write.c */
fg_code fg_pickle_read(fg_dataset *dataset, fg_buf *bytes, fg_error *err) FG_MUST_CHECK;
fg_code fg_pickle_write(const fg_dataset *dataset, const char *path, fg_error *err) FG_MUST_CHECK;

#endif
