/* What jobs.c (the table) and job_run.c (the work) share. */
#ifndef FG_HTTP_JOB_H
#define FG_HTTP_JOB_H

#include "http/jobs.h"

#include <pthread.h>
#include <stdatomic.h>

typedef enum fg_job_state {
    FG_JOB_QUEUED,
    FG_JOB_RUNNING,
    FG_JOB_DONE,
    FG_JOB_FAILED,
    FG_JOB_CANCELLED
} fg_job_state;

typedef struct fg_job_event {
    const char *type; /* static */
    char *data;       /* one line of JSON, owned */
} fg_job_event;

typedef struct fg_job_thumb {
    uint8_t *data;
    size_t size;
} fg_job_thumb;

typedef struct fg_job {
    char id[FG_JOB_ID];
    struct fg_jobs *jobs;
    fg_job_order order;
    fg_job_state state;
    int64_t created_ms, started_ms, finished_ms;
    atomic_bool cancel;
    char progress_what[32];
    long progress_done, progress_total;
    long sampled, used, refused[FG_REASON_COUNT];
    fg_job_event *events; /* ring of FG_JOB_EVENTS: event n (from 1) is at n % FG_JOB_EVENTS */
    long event_count;
    fg_job_thumb *thumbs; /* ring likewise, from 0 */
    long thumb_count;
    json_t *result;
    fg_error error;      /* where failed or cancelled */
    struct fg_job *next; /* older */
} fg_job;

struct fg_jobs {
    fg_app *app;
    fg_metrics *metrics;
    pthread_mutex_t lock; /* of everything below and in the jobs, but order, which only the thread uses */
    pthread_cond_t changed;
    fg_job *newest;
    int count;
    bool stopping;
    pthread_t thread;
    bool has_thread;
};

/* data is taken; frees it where there is no room. Takes the lock. */
void fg_job_tell(fg_job *job, const char *type, json_t *data);
/* Index of the new thumbnail; takes the data. */
long fg_job_keep_thumb(fg_job *job, uint8_t *data, size_t size);
/* Does the order; *result is the document of the outcome, NULL where there is none. */
fg_code fg_job_run(fg_job *job, json_t **result, fg_error *err) FG_MUST_CHECK;

#endif
