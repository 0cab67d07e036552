/* Files of models in a folder of the test's own, and how they open. */
#ifndef FG_TESTS_MODEL_FILES_H
#define FG_TESTS_MODEL_FILES_H

#include "base/file.h"
#include "nn/nn.h"

#include "support/model_folder.h"

#include <string.h>

static inline const char *in_folder(const char *name)
{
    static char path[FOLDER_PATH + 64];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static inline void write_file(const char *path, const void *data, size_t size)
{
    fg_error err;
    assert_int_equal(fg_file_write_atomic(path, data, size, &err), FG_OK);
}

/* FG_OK, or a failure that has left nothing open and says why in a line. */
static inline fg_code open_model(const char *path, fg_error *err)
{
    fg_net *net = NULL;
    fg_net_options options = {.precision = FG_PRECISION_F32};
    *err = (fg_error){0};
    fg_code rc = fg_net_open(&net, path, &options, err);
    if (rc) {
        assert_null(net);
        assert_int_equal(err->code, rc);
        assert_true(strlen(err->msg) > 0);
        assert_null(strchr(err->msg, '\n'));
    }
    fg_net_close(net);
    return rc;
}

#endif
