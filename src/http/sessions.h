/* Browser sessions and one-time sign-in links, in memory alone: a restart signs everybody out.
 *
 * Only SHA-256 hashes of the tokens are kept; a token has 256 random bits, so looking its hash up leaks
 * nothing useful by its timing. */
#ifndef FG_HTTP_SESSIONS_H
#define FG_HTTP_SESSIONS_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct fg_sessions fg_sessions; /* safe to share between threads */

enum {
    FG_TOKEN_TEXT = 44,                   /* base64url of 32 bytes, with its NUL */
    FG_SESSION_MAX = 256,                 /* at once; beyond it the oldest is dropped */
    FG_SESSION_MS = 12 * 3600 * 1000,     /* whatever happens */
    FG_SESSION_IDLE_MS = 2 * 3600 * 1000, /* without a request */
    FG_LINK_MS = 10 * 60 * 1000
};

typedef struct fg_session_owner {
    char key_id[17]; /* of the key that it was opened with; "" for the preset key and for a sign-in link */
    unsigned
        scopes; /* fg_scope bits; a key's own are looked up again at each request, to notice a revocation */
} fg_session_owner;

fg_code fg_sessions_new(fg_sessions **sessions, fg_error *err) FG_MUST_CHECK;
void fg_sessions_free(fg_sessions *sessions);
void fg_sessions_start(fg_sessions *sessions, const fg_session_owner *owner, int64_t now_ms,
                       char token[FG_TOKEN_TEXT]);
/* False for no such session, or an expired one. */
bool fg_sessions_find(fg_sessions *sessions, const char *token, int64_t now_ms, fg_session_owner *owner);
void fg_sessions_end(fg_sessions *sessions, const char *token);
void fg_sessions_end_of_key(fg_sessions *sessions, const char *key_id);

/* For the audit: "web:<id>", or "web" where no key of the store has opened it. */
void fg_session_who(const fg_session_owner *owner, char *out, size_t out_size);

void fg_sessions_link_make(fg_sessions *sessions, int64_t now_ms, char token[FG_TOKEN_TEXT]);
/* True once. */
bool fg_sessions_link_use(fg_sessions *sessions, const char *token, int64_t now_ms);

#endif
