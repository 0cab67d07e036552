/* What the drivers of the two forms of a dataset share: read, and what is taken must be sound and come back
 * the same. */
#ifndef FG_FUZZ_DATASET_DRIVER_H
#define FG_FUZZ_DATASET_DRIVER_H

#include "classify/dataset.h"

#include <stdlib.h>

static inline void read_dataset(const uint8_t *data, size_t size)
{
    fg_dataset d;
    fg_error err;
    fg_buf bytes;
    fg_buf_init(&bytes, 64u << 20);
    if (fg_buf_append(&bytes, data, size, &err) != FG_OK) {
        fg_buf_deinit(&bytes);
        return;
    }
    if (fg_dataset_read(&d, &bytes, &err) == FG_OK) {
        volatile float last = 0; /* every number is looked at */
        if (d.count < 1 || d.size < 2 || d.name_count < 1)
            abort();
        for (long i = 0; i < d.count; i++) {
            if (d.labels[i] < 0 || d.labels[i] >= d.name_count)
                abort();
            for (int k = 0; k < d.size; k++)
                last = d.data[i * d.size + k];
        }
        fg_code rc = fg_dataset_check(&d, 0, &err);
        (void)rc;
        (void)last;
    } else if (d.data || d.names || err.msg[0] == 0) {
        abort();
    }
    fg_dataset_deinit(&d);
}

#endif
