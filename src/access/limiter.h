/* Slowing down whoever asks too often, or tries keys.
 *
 * A token bucket per name (a key's id or an address): `burst` requests at once, `per_second` in the long run.
 * Wrong keys are counted apart: from the `lock_after`-th in a row on, a name is locked out, for lock_ms the
 * first time and twice as long with each further one, up to lock_max_ms; lock_max_ms without a wrong one
 * forgives all. So does the right key of who need not guess; another right key forgives one wrong one every
 * forgive_ms, or whoever has a key of few rights could guess one of more without end.
 *
 * The table has a fixed size. A full one forgets the name that was idle longest and is not locked out; where
 * all are locked out, the one whose lock ends first. Names are kept as a keyed hash (SipHash-2-4, a random
 * key a limiter), so that nobody can aim at a slot. Time is the caller's monotonic clock in milliseconds.
 * Safe to share between threads. */
#ifndef FG_ACCESS_LIMITER_H
#define FG_ACCESS_LIMITER_H

#include "base/error.h"

#include <stdbool.h>

typedef struct fg_limiter fg_limiter;

typedef struct fg_limiter_options {
    double per_second;                       /* > 0 */
    double burst;                            /* >= 1 */
    int lock_after;                          /* wrong keys in a row, >= 1 */
    double lock_ms, lock_max_ms, forgive_ms; /* forgive_ms > 0 */
    int names;                               /* slots of the table, 1..1 << 20 */
} fg_limiter_options;

extern const fg_limiter_options fg_limiter_options_default;

/* options NULL: the default. FG_ERR_USAGE where they make no sense. */
fg_code fg_limiter_new(fg_limiter **limiter, const fg_limiter_options *options, fg_error *err) FG_MUST_CHECK;
void fg_limiter_free(fg_limiter *limiter);

/* One request of name: FG_OK takes a token. FG_ERR_BUSY: too many, or locked out; *retry_ms (may be NULL) is
 * how long to wait, > 0. */
fg_code fg_limiter_ask(fg_limiter *limiter, const char *name, double now_ms, double *retry_ms,
                       fg_error *err) FG_MUST_CHECK;
/* The outcome of a key that name has tried. */
void fg_limiter_wrong(fg_limiter *limiter, const char *name, double now_ms);
void fg_limiter_right(fg_limiter *limiter, const char *name, bool forgives_all, double now_ms);

#endif
