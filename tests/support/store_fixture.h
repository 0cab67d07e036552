/* A store in a folder of the test's own. */
#ifndef FG_TESTS_STORE_FIXTURE_H
#define FG_TESTS_STORE_FIXTURE_H

#include "store/store.h"
#include "support/folder.h"

typedef struct fixture {
    char folder[FOLDER_PATH], path[FOLDER_PATH + 16];
    fg_store *store; /* NULL after setup_folder */
    fg_error err;
} fixture;

static inline int setup_folder(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    if (!f || !folder_make(f->folder))
        return -1;
    snprintf(f->path, sizeof f->path, "%s/facegate.db", f->folder);
    *state = f;
    return 0;
}

static inline int setup(void **state)
{
    if (setup_folder(state) != 0)
        return -1;
    fixture *f = *state;
    return fg_store_open(&f->store, f->path, false, &f->err) == FG_OK ? 0 : -1;
}

static inline int teardown(void **state)
{
    fixture *f = *state;
    fg_store_close(f->store);
    folder_remove(f->folder);
    free(f);
    return 0;
}

#endif
