/* What is sent to /invocations: the first byte chooses the form, the rest is the body; and hyperparameters.
 */
#include "flow/container.h"
#include "flow/invoke.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fg_rows rows;
    fg_error err;
    fg_container_options options;
    if (size < 1)
        return 0;
    char *text = malloc(size); /* the body and a NUL, exactly */
    if (!text)
        return 0;
    memcpy(text, data + 1, size - 1);
    text[size - 1] = 0;
    if (data[0] == 'h') {
        fg_code rc = fg_container_options_parse(&options, text, size - 1, &err);
        if (rc == FG_OK && !(options.c > 0))
            abort();
    } else {
        fg_invoke_kind kind = data[0] == 'n'   ? FG_INVOKE_NPY
                              : data[0] == 'c' ? FG_INVOKE_CSV
                                               : FG_INVOKE_JSON;
        if (fg_rows_parse(&rows, kind, text, size - 1, &err) == FG_OK) {
            volatile float last = 0;
            if (rows.count < 1 || rows.size < 1)
                abort();
            for (long i = 0; i < rows.count * rows.size; i++)
                last = rows.data[i];
            (void)last;
            fg_rows_deinit(&rows);
        }
    }
    free(text);
    return 0;
}
