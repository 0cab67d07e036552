/* Answers to requests that carry an Idempotency-Key, so that a client that did not hear one may ask again and
 * nothing is done twice (as draft-ietf-httpapi-idempotency-key-header has it). In memory, bounded, for an
 * hour; jobs know their keys for longer (jobs.h). */
#ifndef FG_HTTP_IDEMPOTENCY_H
#define FG_HTTP_IDEMPOTENCY_H

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

enum {
    FG_IDEMPOTENCY_KEY = 80, /* with its NUL */
    FG_IDEMPOTENCY_MAX = 256,
    FG_IDEMPOTENCY_MS = 3600 * 1000,
    FG_IDEMPOTENCY_BODY = 64 << 10, /* of an answer; a longer one is not kept */
    FG_IDEMPOTENCY_HASH = 65        /* hex of what a request asks for, with its NUL */
};

typedef struct fg_idempotency fg_idempotency; /* safe to share between threads */

typedef struct fg_replay {
    unsigned status; /* 0: this is the first time, and the caller must end it */
    char type[64], location[96];
    void *body; /* malloc'ed */
    size_t size;
} fg_replay;

fg_code fg_idempotency_new(fg_idempotency **cache, fg_error *err) FG_MUST_CHECK;
void fg_idempotency_free(fg_idempotency *cache);
/* 1 to FG_IDEMPOTENCY_KEY - 1 visible characters. Pure. */
int fg_idempotency_is_key(const char *text);
/* who and key name the request; asked is a hash of it. FG_ERR_BUSY: the first one is still under way;
 * FG_ERR_INPUT: the key was used for something else. */
fg_code fg_idempotency_begin(fg_idempotency *cache, const char *who, const char *key,
                             const char asked[FG_IDEMPOTENCY_HASH], int64_t now_ms, fg_replay *replay,
                             fg_error *err) FG_MUST_CHECK;
/* answer NULL: it failed, and may be tried again. */
void fg_idempotency_end(fg_idempotency *cache, const char *who, const char *key, const fg_replay *answer);

#endif
