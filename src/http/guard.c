#include "http/guard.h"

#include "base/clock.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>

struct fg_guarded {
    int fd;
    enum { HEADERS, BODY, BUSY, REPLY, CUT } phase;
    double since_ms;
    uint64_t bytes; /* of the body so far; of the whole answer */
    fg_guarded *next, **at;
};

struct fg_guard {
    pthread_mutex_t lock;
    pthread_cond_t stop;
    fg_guarded *all;
    pthread_t thread;
    bool stopping, has_thread;
};

static bool is_too_slow(const fg_guarded *g, double now_ms)
{
    double ms = now_ms - g->since_ms;
    if (g->phase == HEADERS)
        return ms > FG_GUARD_HEADERS_MS;
    if (g->phase == REPLY)
        return ms > FG_GUARD_REPLY_GRACE_MS + (double)g->bytes * 1000 / FG_GUARD_REPLY_BYTES_PER_S;
    return g->phase == BODY && ms > FG_GUARD_BODY_GRACE_MS &&
           (double)g->bytes < ms / 1000 * FG_GUARD_BODY_BYTES_PER_S;
}

static void *watch(void *context)
{
    fg_guard *guard = context;
    pthread_mutex_lock(&guard->lock);
    while (!guard->stopping) {
        double now_ms = fg_clock_monotonic_ms();
        for (fg_guarded *g = guard->all; g; g = g->next)
            if (is_too_slow(g, now_ms)) {
                shutdown(g->fd, SHUT_RDWR); /* its own thread notices and cleans up */
                g->phase = CUT;
            }
        const struct timespec until = fg_clock_cond_in_ms(1000);
        pthread_cond_timedwait(&guard->stop, &guard->lock, &until);
    }
    pthread_mutex_unlock(&guard->lock);
    return NULL;
}

fg_code fg_guard_open(fg_guard **guard, fg_error *err)
{
    *guard = NULL;
    fg_guard *g = calloc(1, sizeof *g);
    if (!g)
        return FG_FAIL(err, FG_ERR_MEMORY, "out of memory");
    pthread_mutex_init(&g->lock, NULL);
    fg_clock_cond_init(&g->stop);
    g->has_thread = pthread_create(&g->thread, NULL, watch, g) == 0;
    if (!g->has_thread) {
        fg_guard_close(g);
        return FG_FAIL(err, FG_ERR_MEMORY, "cannot start a thread");
    }
    *guard = g;
    return FG_OK;
}

void fg_guard_close(fg_guard *guard)
{
    if (!guard)
        return;
    pthread_mutex_lock(&guard->lock);
    guard->stopping = true;
    pthread_cond_signal(&guard->stop);
    pthread_mutex_unlock(&guard->lock);
    if (guard->has_thread)
        pthread_join(guard->thread, NULL);
    while (guard->all)
        fg_guard_remove(guard, guard->all);
    pthread_cond_destroy(&guard->stop);
    pthread_mutex_destroy(&guard->lock);
    free(guard);
}

fg_guarded *fg_guard_add(fg_guard *guard, int fd)
{
    fg_guarded *g = calloc(1, sizeof *g);
    if (!g)
        return NULL;
    g->fd = fd;
    g->since_ms = fg_clock_monotonic_ms();
    pthread_mutex_lock(&guard->lock);
    g->next = guard->all;
    g->at = &guard->all;
    if (g->next)
        g->next->at = &g->next;
    guard->all = g;
    pthread_mutex_unlock(&guard->lock);
    return g;
}

void fg_guard_remove(fg_guard *guard, fg_guarded *guarded)
{
    if (!guarded)
        return;
    pthread_mutex_lock(&guard->lock);
    *guarded->at = guarded->next;
    if (guarded->next)
        guarded->next->at = guarded->at;
    pthread_mutex_unlock(&guard->lock);
    free(guarded);
}

static void enter(fg_guard *guard, fg_guarded *g, int phase, uint64_t bytes)
{
    if (!g)
        return;
    pthread_mutex_lock(&guard->lock);
    if (g->phase != CUT) {
        if ((int)g->phase != phase)
            g->since_ms = fg_clock_monotonic_ms();
        g->phase = phase;
        g->bytes = bytes;
    }
    pthread_mutex_unlock(&guard->lock);
}

void fg_guard_body(fg_guard *guard, fg_guarded *guarded, uint64_t received)
{
    enter(guard, guarded, BODY, received);
}

void fg_guard_busy(fg_guard *guard, fg_guarded *guarded)
{
    enter(guard, guarded, BUSY, 0);
}

void fg_guard_reply(fg_guard *guard, fg_guarded *guarded, uint64_t size)
{
    enter(guard, guarded, REPLY, size);
}

void fg_guard_idle(fg_guard *guard, fg_guarded *guarded)
{
    enter(guard, guarded, HEADERS, 0);
}
