/* Access to Facegate itself: keys with a scope.
 *
 * A key reads "fg_<id>_<secret>": 16 hex digits that may be shown, and 43 characters of base64url, 256 random
 * bits, shown once. Only the SHA-256 of the whole is stored; comparison takes the same time whatever is wrong
 * (libsodium's sodium_memcmp). Whoever tries keys is slowed down by limiter.h, not here. */
#ifndef FG_ACCESS_ACCESS_H
#define FG_ACCESS_ACCESS_H

#include "store/store.h"

enum { FG_KEY_TEXT = 80, FG_KEY_USED_EVERY_MS = 60000 /* how often the time of use is noted */ };

typedef enum fg_scope {
    FG_SCOPE_VERIFY = 1,
    FG_SCOPE_ENROLL = 2,
    FG_SCOPE_AUDIT = 4,
    FG_SCOPE_ADMIN = 8
} fg_scope;

fg_code fg_scope_parse(fg_scope *scope, const char *name, fg_error *err) FG_MUST_CHECK; /* "verify" ... */
const char *fg_scope_name(fg_scope scope);

enum { FG_SCOPES_TEXT = 32 }; /* all their names, with spaces and a NUL */

/* "verify enroll": the bits of several, in words separated by single spaces, and back; 0 gives "". */
fg_code fg_scopes_parse(unsigned *scopes, const char *words, fg_error *err) FG_MUST_CHECK;
void fg_scopes_text(unsigned scopes, char text[FG_SCOPES_TEXT]);

/* A new key for one or more scopes; text is the only copy of the secret, to be shown once and wiped.
 * expires_ms 0: never. */
fg_code fg_access_key_create(fg_store *store, unsigned scopes, const char *label, int64_t expires_ms,
                             char text[FG_KEY_TEXT], fg_error *err) FG_MUST_CHECK;
/* Whether text has the form of a key; id gets its public part. Pure: for foreign bytes. */
bool fg_access_key_parse(const char *text, char id[17]);

/* The scopes of a living key: else FG_ERR_UNAUTHORIZED, with one message for a key that never was and one
 * that is wrong, revoked or expired. id and preset as below. */
fg_code fg_access_find(fg_store *store, const char *text, const char *preset, int64_t now_ms,
                       unsigned *scopes, char *id, fg_error *err) FG_MUST_CHECK;

/* The key given must be alive and have `needed` (admin has all): else FG_ERR_UNAUTHORIZED, with one message
 * for a key that never was and one that is wrong, revoked or expired, or FG_ERR_FORBIDDEN. id (may be NULL,
 * 17 bytes) gets its public part, "preset" for the preset; "" on failure, save for FG_ERR_FORBIDDEN. preset
 * (may be NULL or "") is a further admin key of any form, given from outside, that is not in the store. Notes
 * the time of use, to the minute, where the store can be written to. text NULL or "": no key. */
fg_code fg_access_check(fg_store *store, const char *text, const char *preset, fg_scope needed,
                        int64_t now_ms, char *id, fg_error *err) FG_MUST_CHECK;

#endif
