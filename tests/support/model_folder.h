/* A folder of the test's own, and the path of a model in it. */
#ifndef FG_TESTS_MODEL_FOLDER_H
#define FG_TESTS_MODEL_FOLDER_H

#include "support/folder.h"

static char folder[FOLDER_PATH], model_path[FOLDER_PATH + 16];

static int setup(void **state)
{
    (void)state;
    if (!folder_make(folder))
        return -1;
    snprintf(model_path, sizeof model_path, "%s/model.onnx", folder);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    folder_remove(folder);
    return 0;
}

#endif
