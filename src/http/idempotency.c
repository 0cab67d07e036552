#include "http/idempotency.h"

#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct entry {
    char who[32], key[FG_IDEMPOTENCY_KEY], asked[FG_IDEMPOTENCY_HASH];
    int64_t since_ms; /* 0: free */
    fg_replay answer; /* status 0: under way */
} entry;

struct fg_idempotency {
    pthread_mutex_t lock;
    entry entries[FG_IDEMPOTENCY_MAX];
};

fg_code fg_idempotency_new(fg_idempotency **cache, fg_error *err)
{
    *cache = calloc(1, sizeof **cache);
    if (!*cache)
        return FG_FAIL(err, FG_ERR_MEMORY, "out of memory");
    pthread_mutex_init(&(*cache)->lock, NULL);
    return FG_OK;
}

/* An answer may hold a new key. */
static void forget(entry *e)
{
    if (e->answer.body)
        sodium_memzero(e->answer.body, e->answer.size);
    free(e->answer.body);
    *e = (entry){0};
}

void fg_idempotency_free(fg_idempotency *cache)
{
    if (!cache)
        return;
    for (int i = 0; i < FG_IDEMPOTENCY_MAX; i++)
        forget(&cache->entries[i]);
    pthread_mutex_destroy(&cache->lock);
    free(cache);
}

int fg_idempotency_is_key(const char *text)
{
    size_t n = 0;
    while (text[n] > ' ' && text[n] < 0x7f)
        n++;
    return n > 0 && n < FG_IDEMPOTENCY_KEY && !text[n];
}

/* Under the lock. */
static entry *find(fg_idempotency *cache, const char *who, const char *key)
{
    for (int i = 0; i < FG_IDEMPOTENCY_MAX; i++) {
        entry *e = &cache->entries[i];
        if (e->since_ms && strcmp(e->key, key) == 0 && strcmp(e->who, who) == 0)
            return e;
    }
    return NULL;
}

/* A free place, else that of the oldest answer; NULL where all are under way. */
static entry *make_room(fg_idempotency *cache, int64_t now_ms)
{
    entry *oldest = NULL;
    for (int i = 0; i < FG_IDEMPOTENCY_MAX; i++) {
        entry *e = &cache->entries[i];
        if (!e->since_ms)
            return e;
        if (e->answer.status && now_ms - e->since_ms > FG_IDEMPOTENCY_MS) {
            forget(e);
            return e;
        }
        if (e->answer.status && (!oldest || e->since_ms < oldest->since_ms))
            oldest = e;
    }
    if (oldest)
        forget(oldest);
    return oldest;
}

static fg_code copy_answer(const fg_replay *from, fg_replay *to, fg_error *err)
{
    *to = *from;
    to->body = malloc(from->size ? from->size : 1);
    if (!to->body) {
        *to = (fg_replay){0};
        return FG_FAIL(err, FG_ERR_MEMORY, "out of memory");
    }
    if (from->size)
        memcpy(to->body, from->body, from->size);
    return FG_OK;
}

fg_code fg_idempotency_begin(fg_idempotency *cache, const char *who, const char *key,
                             const char asked[FG_IDEMPOTENCY_HASH], int64_t now_ms, fg_replay *replay,
                             fg_error *err)
{
    fg_code rc = FG_OK;
    *replay = (fg_replay){0};
    pthread_mutex_lock(&cache->lock);
    entry *e = find(cache, who, key);
    if (e && e->answer.status && now_ms - e->since_ms > FG_IDEMPOTENCY_MS) {
        forget(e);
        e = NULL;
    }
    if (e && strcmp(e->asked, asked) != 0) {
        rc = FG_FAIL(err, FG_ERR_INPUT, "Idempotency-Key: it was used for another request; make a new one");
    } else if (e && !e->answer.status) {
        rc = FG_FAIL(err, FG_ERR_BUSY, "Idempotency-Key: the first request is still under way");
    } else if (e) {
        rc = copy_answer(&e->answer, replay, err);
    } else if (!(e = make_room(cache, now_ms))) {
        rc = FG_FAIL(err, FG_ERR_BUSY, "too many requests are under way");
    } else {
        snprintf(e->who, sizeof e->who, "%s", who);
        memcpy(e->key, key, strlen(key) + 1);
        memcpy(e->asked, asked, FG_IDEMPOTENCY_HASH);
        e->since_ms = now_ms;
    }
    pthread_mutex_unlock(&cache->lock);
    return rc;
}

void fg_idempotency_end(fg_idempotency *cache, const char *who, const char *key, const fg_replay *answer)
{
    pthread_mutex_lock(&cache->lock);
    entry *e = find(cache, who, key);
    if (e &&
        (!answer || answer->size > FG_IDEMPOTENCY_BODY || copy_answer(answer, &e->answer, NULL) != FG_OK))
        forget(e);
    pthread_mutex_unlock(&cache->lock);
}
