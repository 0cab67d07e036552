#include "http/pool.h"

#include "base/clock.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

typedef enum task_state { WAITING, RUNNING, DONE, TURNED_AWAY } task_state;

typedef struct task { /* on the stack of the thread that waits for it */
    void (*work)(fg_worker *, void *);
    void *context;
    task_state state;
    pthread_cond_t done;
    struct task *next;
} task;

struct fg_pool {
    fg_app *app;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    task *first, **last;
    int length, workers, started;
    bool closing;
    fg_code failed;
    fg_error failure;
    pthread_t *threads;
};

static void *serve(void *context)
{
    fg_pool *pool = context;
    fg_worker *worker = NULL;
    fg_error err = {0};
    fg_code rc = fg_worker_new(&worker, pool->app, &err);
    pthread_mutex_lock(&pool->lock);
    pool->started++;
    if (rc != FG_OK && pool->failed == FG_OK) {
        pool->failed = rc;
        pool->failure = err;
    }
    pthread_cond_broadcast(&pool->wake);
    while (rc == FG_OK) {
        task *t = pool->first;
        if (!t) {
            if (pool->closing)
                break;
            pthread_cond_wait(&pool->wake, &pool->lock);
            continue;
        }
        if (!(pool->first = t->next))
            pool->last = &pool->first;
        pool->length--;
        t->state = pool->closing ? TURNED_AWAY : RUNNING;
        if (t->state == RUNNING) {
            pthread_mutex_unlock(&pool->lock);
            t->work(worker, t->context);
            pthread_mutex_lock(&pool->lock);
            t->state = DONE;
        }
        pthread_cond_signal(&t->done);
    }
    pthread_mutex_unlock(&pool->lock);
    fg_worker_free(worker);
    return NULL;
}

fg_code fg_pool_open(fg_pool **pool, fg_app *app, int workers, fg_error *err)
{
    fg_code rc = FG_OK;
    *pool = NULL;
    fg_pool *p = calloc(1, sizeof *p);
    if (!p)
        return FG_FAIL(err, FG_ERR_MEMORY, "out of memory");
    p->app = app;
    p->last = &p->first;
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->wake, NULL);
    p->threads = calloc((size_t)workers, sizeof *p->threads);
    if (!p->threads) {
        rc = FG_FAIL(err, FG_ERR_MEMORY, "out of memory");
        goto done;
    }
    for (; p->workers < workers; p->workers++) {
        if (pthread_create(&p->threads[p->workers], NULL, serve, p) != 0) {
            rc = FG_FAIL(err, FG_ERR_MEMORY, "cannot start %d threads; use a smaller --workers", workers);
            goto done;
        }
    }
    pthread_mutex_lock(&p->lock);
    while (p->started < workers)
        pthread_cond_wait(&p->wake, &p->lock);
    if ((rc = p->failed) != FG_OK && err)
        *err = p->failure;
    pthread_mutex_unlock(&p->lock);
done:
    if (rc != FG_OK) {
        fg_pool_close(p);
        return rc;
    }
    *pool = p;
    return FG_OK;
}

void fg_pool_close(fg_pool *pool)
{
    if (!pool)
        return;
    pthread_mutex_lock(&pool->lock);
    pool->closing = true;
    pthread_cond_broadcast(&pool->wake);
    pthread_mutex_unlock(&pool->lock);
    for (int i = 0; i < pool->workers; i++)
        pthread_join(pool->threads[i], NULL);
    pthread_cond_destroy(&pool->wake);
    pthread_mutex_destroy(&pool->lock);
    free(pool->threads);
    free(pool);
}

/* Under the lock. */
static void take_out(fg_pool *pool, const task *t)
{
    for (task **at = &pool->first; *at; at = &(*at)->next) {
        if (*at == t) {
            *at = t->next;
            if (!*at)
                pool->last = at;
            pool->length--;
            return;
        }
    }
}

fg_code fg_pool_run(fg_pool *pool, void (*work)(fg_worker *, void *), void *context, fg_error *err)
{
    task t = {.work = work, .context = context, .state = WAITING};
    pthread_mutex_lock(&pool->lock);
    if (pool->closing || pool->length >= FG_POOL_QUEUE) {
        pthread_mutex_unlock(&pool->lock);
        return FG_FAIL(err, FG_ERR_BUSY, "too many photos are waiting; try again in a moment");
    }
    fg_clock_cond_init(&t.done);
    const struct timespec until = fg_clock_cond_in_ms(FG_POOL_WAIT_MS);
    *pool->last = &t;
    /* t leaves the queue before this function returns. */
    /* cppcheck-suppress autoVariables */
    pool->last = &t.next;
    pool->length++;
    pthread_cond_signal(&pool->wake);
    while (t.state == WAITING || t.state == RUNNING) {
        if (t.state == RUNNING) {
            pthread_cond_wait(&t.done, &pool->lock);
        } else if (pthread_cond_timedwait(&t.done, &pool->lock, &until) == ETIMEDOUT && t.state == WAITING) {
            take_out(pool, &t);
            t.state = TURNED_AWAY;
        }
    }
    pthread_mutex_unlock(&pool->lock);
    pthread_cond_destroy(&t.done);
    if (t.state == DONE)
        return FG_OK;
    return FG_FAIL(err, FG_ERR_BUSY, "too many photos are waiting; try again in a moment");
}

int fg_pool_queue_length(fg_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    int length = pool->length;
    pthread_mutex_unlock(&pool->lock);
    return length;
}

int fg_pool_workers(const fg_pool *pool)
{
    return pool->workers;
}
