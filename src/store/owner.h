/* Who works on something: a process, known well enough that another one with its id does not pass for it. */
#ifndef FG_STORE_OWNER_H
#define FG_STORE_OWNER_H

#include <stdint.h>

typedef struct fg_owner {
    char host[96]; /* "<boot id> <process namespace>"; "" where the system does not tell */
    int64_t pid;
    int64_t start; /* clock ticks from boot; 0 where the system does not tell */
} fg_owner;

typedef enum fg_owner_state {
    FG_OWNER_UNKNOWN, /* from another boot, host or container: this process cannot see it */
    FG_OWNER_ALIVE,
    FG_OWNER_GONE,
} fg_owner_state;

/* This process. */
void fg_owner_self(fg_owner *owner);
fg_owner_state fg_owner_look(const fg_owner *owner);

#endif
