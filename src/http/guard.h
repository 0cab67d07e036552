/* Slow clients: cuts connections that take too long to say what they want, whose body only trickles, or that
 * take their answer as slowly. libmicrohttpd's own timeout sees silence, not a byte now and then. */
#ifndef FG_HTTP_GUARD_H
#define FG_HTTP_GUARD_H

#include "base/error.h"

#include <stdint.h>

typedef struct fg_guard fg_guard; /* safe to share between threads */
typedef struct fg_guarded fg_guarded;

enum {
    FG_GUARD_HEADERS_MS = 30000,      /* from the connection, or the last answer, to whole headers */
    FG_GUARD_BODY_GRACE_MS = 20000,   /* of a body, before its speed counts */
    FG_GUARD_BODY_BYTES_PER_S = 1000, /* on average */
    FG_GUARD_REPLY_GRACE_MS = 20000,
    FG_GUARD_REPLY_BYTES_PER_S = 4000
};

fg_code fg_guard_open(fg_guard **guard, fg_error *err) FG_MUST_CHECK;
void fg_guard_close(fg_guard *guard);
/* fd is borrowed from the connection and not touched after fg_guard_remove. NULL when out of memory, which
 * the others take. */
fg_guarded *fg_guard_add(fg_guard *guard, int fd);
void fg_guard_remove(fg_guard *guard, fg_guarded *guarded);
void fg_guard_body(fg_guard *guard, fg_guarded *guarded,
                   uint64_t received);                    /* headers are there; so much body */
void fg_guard_busy(fg_guard *guard, fg_guarded *guarded); /* the request is whole: it is our turn */
/* The answer is on its way, and is so long. Without it, as with a stream, nobody waits for its end. */
void fg_guard_reply(fg_guard *guard, fg_guarded *guarded, uint64_t size);
void fg_guard_idle(fg_guard *guard, fg_guarded *guarded); /* answered */

#endif
