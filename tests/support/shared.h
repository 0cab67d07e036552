/* The folder of development data, which most machines do not have: such tests skip there, visibly. It is
 * FACEGATE_SHARED, or else `shared` beside the source. */
#ifndef FG_TESTS_SHARED_H
#define FG_TESTS_SHARED_H

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

/* The path of a file or folder in it, in a buffer that each call overwrites; NULL where it is absent. */
static inline const char *shared_path(const char *name)
{
    static char path[4096];
    struct stat st;
    const char *root = getenv("FACEGATE_SHARED"), *source = getenv("FACEGATE_SOURCE");
    if (root && *root)
        snprintf(path, sizeof path, "%s/%s", root, name);
    else
        snprintf(path, sizeof path, "%s/../shared/%s", source ? source : ".", name);
    return stat(path, &st) == 0 ? path : NULL;
}

/* First line of a test that needs it (needs cmocka.h). */
#define NEED_SHARED(name)                                                                                    \
    do {                                                                                                     \
        if (!shared_path(name)) {                                                                            \
            print_message("skipped: no %s in the development data\n", name);                                 \
            skip();                                                                                          \
        }                                                                                                    \
    } while (0)

#endif
