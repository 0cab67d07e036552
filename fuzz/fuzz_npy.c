/* A NumPy array: header and items. */
#include "classify/npy.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fg_npy array;
    fg_error err;
    size_t used;
    char text[64];
    if (fg_npy_view(&array, data, size, &used, &err) != FG_OK)
        return 0;
    if (used > size || array.count < 0)
        abort();
    for (long i = 0; i < array.count && i < 64; i++) {
        double number = fg_npy_number(&array, i);
        (void)number;
        fg_code rc = fg_npy_text(&array, i, text, sizeof text, &err);
        (void)rc;
    }
    if (array.kind != FG_NPY_TEXT && array.count < 1 << 20) {
        float *out = malloc((size_t)array.count * sizeof *out + 1);
        if (out)
            fg_npy_floats(&array, out);
        free(out);
    }
    return 0;
}
