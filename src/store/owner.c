#include "store/owner.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void read_host(char *out, size_t out_size)
{
    char boot[48] = "", space[40] = "";
    out[0] = 0;
    FILE *f = fopen("/proc/sys/kernel/random/boot_id", "re");
    if (!f)
        return;
    bool ok = fgets(boot, sizeof boot, f) != NULL;
    fclose(f);
    boot[strcspn(boot, "\n")] = 0;
    ssize_t n = readlink("/proc/self/ns/pid", space, sizeof space - 1);
    if (ok && *boot && n > 0)
        snprintf(out, out_size, "%s %s", boot, space);
}

/* Fields 3 and 22 of proc_pid_stat(5); field 2, the program's name, may hold anything, also ')'. */
static bool read_stat(int64_t pid, char *state, int64_t *start)
{
    enum { STATE = 3, START = 22 };
    char path[48], line[1024];
    snprintf(path, sizeof path, "/proc/%lld/stat", (long long)pid);
    FILE *f = fopen(path, "re");
    if (!f)
        return false;
    size_t n = fread(line, 1, sizeof line - 1, f);
    fclose(f);
    line[n] = 0;
    const char *at = strrchr(line, ')');
    for (int field = STATE; at && field <= START; field++) {
        at = strchr(at, ' ');
        if (at && field == STATE)
            *state = at[1];
        at = at ? at + 1 : NULL;
    }
    *start = at ? strtoll(at, NULL, 10) : 0;
    return *start > 0;
}

void fg_owner_self(fg_owner *owner)
{
    char state = 0;
    *owner = (fg_owner){.pid = getpid()};
    if (read_stat(owner->pid, &state, &owner->start))
        read_host(owner->host, sizeof owner->host);
}

fg_owner_state fg_owner_look(const fg_owner *owner)
{
    char state = 0;
    int64_t start = 0;
    fg_owner self;
    fg_owner_self(&self);
    if (!*self.host || strcmp(self.host, owner->host) != 0)
        return FG_OWNER_UNKNOWN;
    if (!read_stat(owner->pid, &state, &start) || start != owner->start)
        return FG_OWNER_GONE;
    return state == 'Z' || state == 'X' ? FG_OWNER_GONE : FG_OWNER_ALIVE;
}
