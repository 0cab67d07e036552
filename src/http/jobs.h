/* Long work in the background: enrolments and trainings, one after the other on one thread of their own, with
 * progress that can be watched and a stop that is obeyed. Trainings on SageMaker, which are mostly waiting,
 * have another, so that enrolments do not wait for them.
 *
 * The table is bounded. Jobs are in the store and their files in DATA/jobs/<id>/, locked (flock) by the
 * server that has them: a server that ends, however it does, leaves its unfinished jobs to the next start,
 * which does them again from their beginning. An enrolment is one transaction, so nothing is left half done;
 * one that was through before its end could be written down is known by the hashes of its files. Events and
 * thumbnails are in memory alone. */
#ifndef FG_HTTP_JOBS_H
#define FG_HTTP_JOBS_H

#include "flow/flow.h"
#include "http/idempotency.h"
#include "http/metrics.h"
#include "http/uploads.h"

#include <jansson.h>

typedef struct fg_jobs fg_jobs; /* safe to share between threads */

enum {
    FG_JOB_ID = 17,          /* 16 hex digits and a NUL */
    FG_JOBS_WAITING = 16,    /* beyond it FG_ERR_BUSY */
    FG_JOBS_KEPT = 64,       /* in the table; the oldest that has ended goes first */
    FG_JOBS_WITH_THUMBS = 8, /* of the jobs that have ended, the newest */
    FG_JOB_EVENTS = 4096,    /* kept of one job, the newest */
    FG_JOB_THUMBS = 240,     /* kept of one job, the newest */
};

/* FG_JOB_SAGEMAKER: train and deploy there. */
typedef enum fg_job_kind { FG_JOB_ENROLL, FG_JOB_TRAIN, FG_JOB_SAGEMAKER, FG_JOB_KINDS } fg_job_kind;

typedef struct fg_job_file {
    char *path; /* moved into the job's folder when the job is taken, and unlinked with it */
    char *name;
    char upload[FG_UPLOAD_ID]; /* a resumable upload, which stays where the job is not taken; "" for none */
} fg_job_file;

typedef struct fg_job_order { /* everything owned */
    fg_job_kind kind;
    char *name, *role; /* role NULL: as it is (add) */
    int64_t member_id; /* where it adds to a member; else 0 */
    char **rights;
    int right_count;
    fg_job_file *files;
    int file_count;
    int every, rotate;
    bool add, keep_frames, keep_originals;
    char who[32], source[64];                 /* the actor */
    char idempotency_key[FG_IDEMPOTENCY_KEY]; /* "" for none */
    char asked[FG_IDEMPOTENCY_HASH];
} fg_job_order;

void fg_job_order_deinit(fg_job_order *order); /* also unlinks its files, save for uploads */

/* uploads are borrowed. Begins at once with what an earlier server left. */
fg_code fg_jobs_open(fg_jobs **jobs, fg_app *app, fg_metrics *metrics, fg_uploads *uploads,
                     fg_error *err) FG_MUST_CHECK;
/* Interrupts everything and wakes whoever waits for events; fg_jobs_close does too. */
void fg_jobs_stop(fg_jobs *jobs);
void fg_jobs_close(fg_jobs *jobs);

/* Takes what order holds, whatever is returned. An order with the idempotency key of a job of the same actor
 * gives that job's id and is dropped, or is FG_ERR_INPUT where it asks for something else. */
fg_code fg_jobs_add(fg_jobs *jobs, fg_job_order *order, char id[FG_JOB_ID], fg_error *err) FG_MUST_CHECK;
/* One that has ended already is erased for good. *document: what it comes to. */
fg_code fg_jobs_cancel(fg_jobs *jobs, const char *id, json_t **document, fg_error *err) FG_MUST_CHECK;
fg_code fg_jobs_json(fg_jobs *jobs, const char *id, json_t **document, fg_error *err) FG_MUST_CHECK;
/* Newest first; open: those alone that wait or run. */
fg_code fg_jobs_list_json(fg_jobs *jobs, bool open, json_t **list, fg_error *err) FG_MUST_CHECK;
/* A job whose record has gone from the store, with a member or by a reset, is not there for any of the calls
 * here. This frees what is still in memory, at once; work under way is cancelled and goes as it ends. */
void fg_jobs_forget(fg_jobs *jobs);
int fg_jobs_length(fg_jobs *jobs); /* that wait or run */
/* A copy of thumbnail n (JPEG), the caller's to free. */
fg_code fg_jobs_thumb(fg_jobs *jobs, const char *id, long n, uint8_t **data, size_t *size,
                      fg_error *err) FG_MUST_CHECK;
/* Appends the events after *last in the form of text/event-stream and moves *last; waits up to wait_ms for
 * the first. *ended where the job is over and all is told, or the server stops. */
fg_code fg_jobs_events(fg_jobs *jobs, const char *id, long *last, int wait_ms, fg_buf *out, bool *ended,
                       fg_error *err) FG_MUST_CHECK;

#endif
