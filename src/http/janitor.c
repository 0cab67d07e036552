#include "http/janitor.h"

#include "base/clock.h"

#include <pthread.h>
#include <stdlib.h>

struct fg_janitor {
    fg_app *app;
    void (*also)(void *context);
    void *context;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    pthread_t thread;
    bool has_thread, due, stopping;
};

static void make_round(fg_janitor *j)
{
    fg_retained gone;
    fg_error err = {0};
    fg_code rc = fg_retention_apply(j->app, &gone, &err);
    if (rc != FG_OK)
        fg_log_write(fg_app_log(j->app), FG_LOG_WARN, "retention: %s", err.msg);
    if (gone.originals || gone.chips || gone.attempts)
        fg_log_write(fg_app_log(j->app), FG_LOG_INFO,
                     "retention: deleted %ld originals, %ld chips and %ld attempts for good", gone.originals,
                     gone.chips, gone.attempts);
    fg_app_sweep(j->app);
    if (j->also)
        j->also(j->context);
}

static void *serve(void *context)
{
    fg_janitor *j = context;
    pthread_mutex_lock(&j->lock);
    while (!j->stopping) {
        j->due = false;
        pthread_mutex_unlock(&j->lock);
        make_round(j);
        const struct timespec until = fg_clock_cond_in_ms(FG_JANITOR_S * 1000);
        pthread_mutex_lock(&j->lock);
        while (!j->stopping && !j->due && pthread_cond_timedwait(&j->changed, &j->lock, &until) == 0)
            ;
    }
    pthread_mutex_unlock(&j->lock);
    return NULL;
}

fg_code fg_janitor_open(fg_janitor **janitor, fg_app *app, void (*also)(void *), void *context, fg_error *err)
{
    *janitor = NULL;
    fg_janitor *j = calloc(1, sizeof *j);
    if (!j)
        return FG_FAIL(err, FG_ERR_MEMORY, "out of memory");
    j->app = app;
    j->also = also;
    j->context = context;
    pthread_mutex_init(&j->lock, NULL);
    fg_clock_cond_init(&j->changed);
    j->has_thread = pthread_create(&j->thread, NULL, serve, j) == 0;
    if (!j->has_thread) {
        fg_janitor_close(j);
        return FG_FAIL(err, FG_ERR_MEMORY, "cannot start a thread");
    }
    *janitor = j;
    return FG_OK;
}

static void tell(fg_janitor *j, bool *what)
{
    pthread_mutex_lock(&j->lock);
    *what = true;
    pthread_cond_signal(&j->changed);
    pthread_mutex_unlock(&j->lock);
}

void fg_janitor_wake(fg_janitor *janitor)
{
    tell(janitor, &janitor->due);
}

void fg_janitor_close(fg_janitor *janitor)
{
    if (!janitor)
        return;
    tell(janitor, &janitor->stopping);
    if (janitor->has_thread)
        pthread_join(janitor->thread, NULL);
    pthread_cond_destroy(&janitor->changed);
    pthread_mutex_destroy(&janitor->lock);
    free(janitor);
}
