#include "access/limiter.h"

#include <math.h>
#include <pthread.h>
#include <sodium.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* A name can be in any of the few slots that its hash leads to; only among these is one forgotten. */
enum { WAYS = 8, MAX_NAMES = 1 << 20 };

typedef struct slot {
    uint64_t hash;                    /* 0: free */
    double tokens, filled_ms;         /* tokens there were at filled_ms, the time last heard of */
    double locked_until_ms, wrong_ms; /* wrong_ms: of the last wrong key */
    double forgiven_ms;               /* when a right key last forgave some; at first, when heard of first */
    int wrong;                        /* not forgiven yet */
} slot;

struct fg_limiter {
    fg_limiter_options options;
    pthread_mutex_t lock;
    uint8_t key[crypto_shorthash_KEYBYTES];
    size_t sets;
    slot *slots; /* sets x WAYS */
};

const fg_limiter_options fg_limiter_options_default = {
    .per_second = 20,
    .burst = 60,
    .lock_after = 5,
    .lock_ms = 1000,
    .lock_max_ms = 15 * 60 * 1000,
    .forgive_ms = 6000,
    .names = 4096,
};

fg_code fg_limiter_new(fg_limiter **limiter, const fg_limiter_options *options, fg_error *err)
{
    const fg_limiter_options o = options ? *options : fg_limiter_options_default;
    *limiter = NULL;
    if (!(o.per_second > 0) || !(o.burst >= 1) || o.lock_after < 1 || !(o.lock_ms > 0) ||
        !(o.lock_max_ms >= o.lock_ms) || !(o.forgive_ms > 0) || o.names < 1 || o.names > MAX_NAMES)
        return FG_FAIL(err, FG_ERR_USAGE, "the limits on requests make no sense");
    if (sodium_init() < 0)
        return FG_FAIL(err, FG_ERR_INTERNAL, "no source of random numbers");
    fg_limiter *l = calloc(1, sizeof *l);
    if (!l)
        return FG_FAIL(err, FG_ERR_MEMORY, "out of memory");
    l->options = o;
    l->sets = ((size_t)o.names + WAYS - 1) / WAYS;
    l->slots = calloc(l->sets * WAYS, sizeof *l->slots);
    if (!l->slots || pthread_mutex_init(&l->lock, NULL) != 0) {
        free(l->slots);
        free(l);
        return FG_FAIL(err, FG_ERR_MEMORY, "out of memory");
    }
    randombytes_buf(l->key, sizeof l->key);
    *limiter = l;
    return FG_OK;
}

void fg_limiter_free(fg_limiter *limiter)
{
    if (!limiter)
        return;
    pthread_mutex_destroy(&limiter->lock);
    free(limiter->slots);
    free(limiter);
}

/* Whether a is the better one to forget. */
static bool is_worth_less(const slot *a, const slot *b, double now_ms)
{
    if (!a->hash || !b->hash)
        return !a->hash && b->hash;
    const bool a_locked = a->locked_until_ms > now_ms, b_locked = b->locked_until_ms > now_ms;
    if (a_locked != b_locked)
        return b_locked;
    return a_locked ? a->locked_until_ms < b->locked_until_ms : a->filled_ms < b->filled_ms;
}

static slot *find(fg_limiter *l, const char *name, double now_ms)
{
    uint64_t hash = 0;
    crypto_shorthash((unsigned char *)&hash, (const unsigned char *)name, strlen(name), l->key);
    slot *set = l->slots + (size_t)(hash % l->sets) * WAYS, *least = set;
    hash |= (uint64_t)1 << 63; /* never the mark of a free slot */
    for (int i = 0; i < WAYS; i++)
        if (set[i].hash == hash)
            return &set[i];
    for (int i = 1; i < WAYS; i++)
        if (is_worth_less(&set[i], least, now_ms))
            least = &set[i];
    *least = (slot){.hash = hash, .tokens = l->options.burst, .filled_ms = now_ms, .forgiven_ms = now_ms};
    return least;
}

fg_code fg_limiter_ask(fg_limiter *limiter, const char *name, double now_ms, double *retry_ms, fg_error *err)
{
    const fg_limiter_options *o = &limiter->options;
    double wait_ms = 0;
    bool locked = false;
    pthread_mutex_lock(&limiter->lock);
    slot *s = find(limiter, name, now_ms);
    const double idle_ms = now_ms > s->filled_ms ? now_ms - s->filled_ms : 0;
    s->tokens = fmin(o->burst, s->tokens + idle_ms * o->per_second / 1000);
    s->filled_ms = now_ms;
    if (s->locked_until_ms > now_ms) {
        locked = true;
        wait_ms = s->locked_until_ms - now_ms;
    } else if (s->tokens >= 1) {
        s->tokens -= 1;
    } else {
        wait_ms = (1 - s->tokens) * 1000 / o->per_second;
    }
    pthread_mutex_unlock(&limiter->lock);
    if (retry_ms)
        *retry_ms = wait_ms;
    if (wait_ms <= 0)
        return FG_OK;
    return FG_FAIL(err, FG_ERR_BUSY, "%s; try again in %.0f s",
                   locked ? "too many wrong keys" : "too many requests", ceil(wait_ms / 1000));
}

void fg_limiter_wrong(fg_limiter *limiter, const char *name, double now_ms)
{
    const fg_limiter_options *o = &limiter->options;
    pthread_mutex_lock(&limiter->lock);
    slot *s = find(limiter, name, now_ms);
    if (now_ms - s->wrong_ms > o->lock_max_ms)
        s->wrong = 0;
    if (s->wrong < 1000)
        s->wrong++;
    s->wrong_ms = now_ms;
    if (s->wrong >= o->lock_after)
        s->locked_until_ms = now_ms + fmin(o->lock_max_ms, o->lock_ms * exp2(s->wrong - o->lock_after));
    pthread_mutex_unlock(&limiter->lock);
}

void fg_limiter_right(fg_limiter *limiter, const char *name, bool forgives_all, double now_ms)
{
    pthread_mutex_lock(&limiter->lock);
    slot *s = find(limiter, name, now_ms);
    const double earned = floor((now_ms - s->forgiven_ms) / limiter->options.forgive_ms);
    if (forgives_all || earned >= s->wrong)
        s->wrong = 0;
    else if (earned > 0)
        s->wrong -= (int)earned;
    if (earned > 0)
        s->forgiven_ms = now_ms;
    s->locked_until_ms = 0;
    pthread_mutex_unlock(&limiter->lock);
}
