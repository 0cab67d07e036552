/* A folder of a test's own, and a team in it. */
#ifndef FG_TESTS_FOLDER_H
#define FG_TESTS_FOLDER_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

enum { FOLDER_PATH = 256 };

/* Makes it; false where that is impossible. */
static inline int folder_make(char path[FOLDER_PATH])
{
    const char *root = getenv("TMPDIR");
    snprintf(path, FOLDER_PATH, "%.200s/facegate-test-XXXXXX", root && *root ? root : "/tmp");
    return mkdtemp(path) != NULL;
}

static inline void folder_remove(const char *path)
{
    char command[2 * FOLDER_PATH + 64];
    snprintf(command, sizeof command, "chmod -R u+rwx '%s' && rm -rf '%s'", path, path);
    if (system(command) != 0)
        fprintf(stderr, "cannot remove %s\n", path);
}

/* Runs what permissions must stop as nobody, where the tests run as root, whom nothing stops. */
static inline int become_nobody(void)
{
    return geteuid() != 0 || seteuid(65534) == 0;
}

static inline void become_again(void)
{
    if (getuid() == 0 && seteuid(0) != 0)
        abort();
}

#endif
