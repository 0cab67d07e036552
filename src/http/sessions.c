#include "http/sessions.h"

#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct entry {
    uint8_t hash[32];
    fg_session_owner owner;
    int64_t started_ms, used_ms; /* 0: free */
} entry;

struct fg_sessions {
    pthread_mutex_t lock;
    entry entries[FG_SESSION_MAX];
    uint8_t link_hash[32];
    int64_t link_until_ms; /* 0: no link */
};

fg_code fg_sessions_new(fg_sessions **sessions, fg_error *err)
{
    *sessions = calloc(1, sizeof **sessions);
    if (!*sessions)
        return FG_FAIL(err, FG_ERR_MEMORY, "out of memory");
    pthread_mutex_init(&(*sessions)->lock, NULL);
    return FG_OK;
}

void fg_sessions_free(fg_sessions *sessions)
{
    if (!sessions)
        return;
    pthread_mutex_destroy(&sessions->lock);
    sodium_memzero(sessions, sizeof *sessions);
    free(sessions);
}

static void make_token(char token[FG_TOKEN_TEXT], uint8_t hash[32])
{
    uint8_t bytes[32];
    randombytes_buf(bytes, sizeof bytes);
    sodium_bin2base64(token, FG_TOKEN_TEXT, bytes, sizeof bytes, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    crypto_hash_sha256(hash, (const uint8_t *)token, strlen(token));
    sodium_memzero(bytes, sizeof bytes);
}

static bool is_alive(const entry *e, int64_t now_ms)
{
    return e->used_ms && now_ms - e->started_ms < FG_SESSION_MS && now_ms - e->used_ms < FG_SESSION_IDLE_MS;
}

void fg_sessions_start(fg_sessions *sessions, const fg_session_owner *owner, int64_t now_ms,
                       char token[FG_TOKEN_TEXT])
{
    pthread_mutex_lock(&sessions->lock);
    entry *slot = &sessions->entries[0];
    for (int i = 0; i < FG_SESSION_MAX; i++) {
        entry *e = &sessions->entries[i];
        if (!is_alive(e, now_ms)) {
            slot = e;
            break;
        }
        if (e->used_ms < slot->used_ms)
            slot = e;
    }
    make_token(token, slot->hash);
    slot->owner = *owner;
    slot->started_ms = slot->used_ms = now_ms;
    pthread_mutex_unlock(&sessions->lock);
}

/* Under the lock. */
static entry *find(fg_sessions *sessions, const char *token)
{
    uint8_t hash[32];
    crypto_hash_sha256(hash, (const uint8_t *)token, strlen(token));
    for (int i = 0; i < FG_SESSION_MAX; i++)
        if (sessions->entries[i].used_ms && sodium_memcmp(sessions->entries[i].hash, hash, sizeof hash) == 0)
            return &sessions->entries[i];
    return NULL;
}

bool fg_sessions_find(fg_sessions *sessions, const char *token, int64_t now_ms, fg_session_owner *owner)
{
    bool found = false;
    *owner = (fg_session_owner){0};
    pthread_mutex_lock(&sessions->lock);
    entry *e = find(sessions, token);
    if (e && is_alive(e, now_ms)) {
        e->used_ms = now_ms;
        *owner = e->owner;
        found = true;
    } else if (e) {
        sodium_memzero(e, sizeof *e);
    }
    pthread_mutex_unlock(&sessions->lock);
    return found;
}

void fg_sessions_end(fg_sessions *sessions, const char *token)
{
    pthread_mutex_lock(&sessions->lock);
    entry *e = find(sessions, token);
    if (e)
        sodium_memzero(e, sizeof *e);
    pthread_mutex_unlock(&sessions->lock);
}

void fg_sessions_end_of_key(fg_sessions *sessions, const char *key_id)
{
    pthread_mutex_lock(&sessions->lock);
    for (int i = 0; i < FG_SESSION_MAX; i++)
        if (sessions->entries[i].used_ms && strcmp(sessions->entries[i].owner.key_id, key_id) == 0)
            sodium_memzero(&sessions->entries[i], sizeof sessions->entries[i]);
    pthread_mutex_unlock(&sessions->lock);
}

void fg_session_who(const fg_session_owner *owner, char *out, size_t out_size)
{
    snprintf(out, out_size, "web%s%s", *owner->key_id ? ":" : "", owner->key_id);
}

void fg_sessions_link_make(fg_sessions *sessions, int64_t now_ms, char token[FG_TOKEN_TEXT])
{
    pthread_mutex_lock(&sessions->lock);
    make_token(token, sessions->link_hash);
    sessions->link_until_ms = now_ms + FG_LINK_MS;
    pthread_mutex_unlock(&sessions->lock);
}

bool fg_sessions_link_use(fg_sessions *sessions, const char *token, int64_t now_ms)
{
    uint8_t hash[32];
    crypto_hash_sha256(hash, (const uint8_t *)token, strlen(token));
    pthread_mutex_lock(&sessions->lock);
    bool good =
        now_ms < sessions->link_until_ms && sodium_memcmp(hash, sessions->link_hash, sizeof hash) == 0;
    if (good)
        sessions->link_until_ms = 0;
    pthread_mutex_unlock(&sessions->lock);
    return good;
}
