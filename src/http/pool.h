/* The threads that look at photos: each owns an fg_worker; a bounded queue stands before them. */
#ifndef FG_HTTP_POOL_H
#define FG_HTTP_POOL_H

#include "flow/flow.h"

typedef struct fg_pool fg_pool;

enum {
    FG_POOL_QUEUE = 192,     /* waiting; beyond it FG_ERR_BUSY */
    FG_POOL_WAIT_MS = 15000, /* in the queue; beyond it FG_ERR_BUSY */
};

/* workers: 1 at least. Every worker is made, or the error says why not. */
fg_code fg_pool_open(fg_pool **pool, fg_app *app, int workers, fg_error *err) FG_MUST_CHECK;
void fg_pool_close(fg_pool *pool); /* what waits is answered with FG_ERR_BUSY */
/* Runs work(worker, context) on one of the threads and returns when it has. */
fg_code fg_pool_run(fg_pool *pool, void (*work)(fg_worker *worker, void *context), void *context,
                    fg_error *err) FG_MUST_CHECK;
int fg_pool_queue_length(fg_pool *pool);
int fg_pool_workers(const fg_pool *pool);

#endif
