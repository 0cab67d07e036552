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
    bool interrupted; /* by the end of the server: the next one does it again */
    bool forget;      /* its record has gone: nobody sees it any more, and it goes as soon as it ends */
    int attempts;     /* how often it was begun */
    int let_go;       /* how often of these a server let go of it that was stopped, not killed */
    int lock_fd;      /* of its folder; -1: none */
    char progress_what[32];
    long progress_done, progress_total;
    long sampled, found, used, refused[FG_REASON_COUNT];
    fg_job_event *events; /* ring of FG_JOB_EVENTS: event n (from 1) is at n % FG_JOB_EVENTS */
    long event_count;
    fg_job_thumb *thumbs; /* ring likewise, from 0 */
    long thumb_count;
    json_t *result;
    fg_error error;      /* where failed or cancelled */
    json_t *document;    /* of a job that ended in an earlier server: all that is known of it */
    struct fg_job *next; /* older */
} fg_job;

extern const char *const fg_job_kind_names[FG_JOB_KINDS];

enum { FG_JOB_LANES = 2 }; /* work of this machine, and of others */
typedef struct fg_job_lane {
    struct fg_jobs *jobs;
    pthread_t thread;
    bool has_thread;
} fg_job_lane;

struct fg_jobs {
    fg_app *app;
    fg_metrics *metrics;
    fg_uploads *uploads;
    char folder[FG_MAX_PATH];
    pthread_mutex_t lock; /* of everything below and in the jobs, but order, which only the thread uses */
    pthread_cond_t changed;
    fg_job *newest;
    int count;
    bool stopping;
    fg_job_lane lanes[FG_JOB_LANES];
};

enum { FG_JOB_KILLED = 3 }; /* how often the server may be killed at one job before that is given up */
enum { FG_JOB_EVENTS_APART = 1000000 }; /* between the event numbers of two attempts */

/* -- job_store.c -- */

/* Makes the job's folder, locks it and moves its files there; on failure all is where it was. */
fg_code fg_job_take_files(fg_job *job, fg_error *err) FG_MUST_CHECK;
/* Uploads among the first count files go back to where they were: the job is not taken after all. */
void fg_job_put_back(fg_job *job, int count);
/* Gives the uploads' remains up, once nothing can fail any more. */
void fg_job_files_taken(fg_job *job);
void fg_job_drop_files(fg_job *job); /* and the folder */
/* Writes the job down, the first time or again; document: of its end, NULL where it has not ended.
 * FG_ERR_NOT_FOUND, again: see fg_store_job_put. */
fg_code fg_job_save(const fg_job *job, bool first, const json_t *document, fg_error *err) FG_MUST_CHECK;
/* Fills an empty job from its record. *mine is false where another server has it. */
fg_code fg_job_load(fg_job *job, const fg_job_record *record, bool *mine, fg_error *err) FG_MUST_CHECK;
/* Folders that belong to no job. */
void fg_jobs_sweep(fg_jobs *jobs);

/* data is taken; frees it where there is no room. Takes the lock. */
void fg_job_tell(fg_job *job, const char *type, json_t *data);
/* Index of the new thumbnail; takes the data. */
long fg_job_keep_thumb(fg_job *job, uint8_t *data, size_t size);
/* Does the order; *result is the document of the outcome, NULL where there is none. */
fg_code fg_job_run(fg_job *job, json_t **result, fg_error *err) FG_MUST_CHECK;

#endif
