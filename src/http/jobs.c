#include "http/job.h"

#include "base/clock.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static const char *const state_names[] = {"queued", "running", "done", "failed", "cancelled"};
static const char *const kind_names[] = {"enroll", "train"};

void fg_job_order_deinit(fg_job_order *order)
{
    for (int i = 0; i < order->file_count; i++) {
        if (order->files[i].path)
            unlink(order->files[i].path);
        free(order->files[i].path);
        free(order->files[i].name);
    }
    for (int i = 0; i < order->right_count; i++)
        free(order->rights[i]);
    free(order->files);
    free(order->rights);
    free(order->name);
    free(order->role);
    *order = (fg_job_order){0};
}

static void drop_thumbs(fg_job *job)
{
    for (int i = 0; job->thumbs && i < FG_JOB_THUMBS; i++)
        free(job->thumbs[i].data);
    free(job->thumbs);
    job->thumbs = NULL;
}

static void free_job(fg_job *job)
{
    for (int i = 0; job->events && i < FG_JOB_EVENTS; i++)
        free(job->events[i].data);
    free(job->events);
    drop_thumbs(job);
    json_decref(job->result);
    fg_job_order_deinit(&job->order);
    free(job);
}

static bool has_ended(const fg_job *job)
{
    return job->state >= FG_JOB_DONE;
}

static fg_job *find(fg_jobs *jobs, const char *id)
{
    for (fg_job *j = jobs->newest; j; j = j->next)
        if (strcmp(j->id, id) == 0)
            return j;
    return NULL;
}

static json_t *time_text(int64_t ms)
{
    char text[FG_TIME_TEXT];
    if (ms == 0)
        return json_null();
    fg_clock_text(ms, text);
    return json_string(text);
}

/* Under the lock. */
static json_t *job_json(const fg_job *job)
{
    json_t *refused = json_object();
    for (int i = 1; i < FG_REASON_COUNT; i++)
        if (job->refused[i])
            json_object_set_new(refused, fg_reason_name((fg_reason)i), json_integer(job->refused[i]));
    json_t *problem =
        job->state == FG_JOB_FAILED || job->state == FG_JOB_CANCELLED
            ? json_pack("{s:s, s:s}", "code", fg_code_name(job->error.code), "detail", job->error.msg)
            : json_null();
    return json_pack(
        "{s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:{s:s, s:I, s:I}, s:I, s:I, s:o, s:I, s:o, s:O?}", "id",
        job->id, "kind", kind_names[job->order.kind], "state", state_names[job->state], "subject",
        job->order.name ? json_string(job->order.name) : json_null(), "created", time_text(job->created_ms),
        "started", time_text(job->started_ms), "finished", time_text(job->finished_ms), "progress", "what",
        job->progress_what, "done", (json_int_t)job->progress_done, "total", (json_int_t)job->progress_total,
        "frames_sampled", (json_int_t)job->sampled, "faces_used", (json_int_t)job->used, "refused", refused,
        "last_event", (json_int_t)job->event_count, "problem", problem, "result", job->result);
}

/* Under the lock. */
static void tell(fg_job *job, const char *type, json_t *data)
{
    char *text = data ? json_dumps(data, JSON_COMPACT | JSON_REAL_PRECISION(15)) : NULL;
    json_decref(data);
    if (!text)
        return;
    fg_job_event *event = &job->events[++job->event_count % FG_JOB_EVENTS];
    free(event->data);
    *event = (fg_job_event){type, text};
    pthread_cond_broadcast(&job->jobs->changed);
}

void fg_job_tell(fg_job *job, const char *type, json_t *data)
{
    pthread_mutex_lock(&job->jobs->lock);
    tell(job, type, data);
    pthread_mutex_unlock(&job->jobs->lock);
}

long fg_job_keep_thumb(fg_job *job, uint8_t *data, size_t size)
{
    pthread_mutex_lock(&job->jobs->lock);
    long n = job->thumb_count++;
    fg_job_thumb *thumb = &job->thumbs[n % FG_JOB_THUMBS];
    free(thumb->data);
    *thumb = (fg_job_thumb){data, size};
    pthread_mutex_unlock(&job->jobs->lock);
    return n;
}

/* Under the lock. */
static void end_job(fg_job *job, fg_code rc, const fg_error *err, json_t *result)
{
    fg_metrics *m = job->jobs->metrics;
    job->result = result;
    job->finished_ms = fg_clock_unix_ms();
    job->error = *err;
    job->state = rc == FG_OK ? FG_JOB_DONE : rc == FG_ERR_CANCELLED ? FG_JOB_CANCELLED : FG_JOB_FAILED;
    atomic_fetch_add(rc == FG_OK              ? &m->jobs_done
                     : rc == FG_ERR_CANCELLED ? &m->jobs_cancelled
                                              : &m->jobs_failed,
                     1);
    tell(job, "end", job_json(job));
}

/* The oldest waiting job, under the lock. */
static fg_job *next_waiting(fg_jobs *jobs)
{
    fg_job *oldest = NULL;
    for (fg_job *j = jobs->newest; j; j = j->next)
        if (j->state == FG_JOB_QUEUED)
            oldest = j;
    return oldest;
}

static void forget_files(fg_job_order *order)
{
    for (int i = 0; i < order->file_count; i++)
        if (order->files[i].path) {
            unlink(order->files[i].path);
            free(order->files[i].path);
            order->files[i].path = NULL;
        }
}

static void *serve(void *context)
{
    fg_jobs *jobs = context;
    /* On Linux this lowers the calling thread alone: a photo at the door goes before an enrolment. */
    (void)setpriority(PRIO_PROCESS, 0, 5);
    pthread_mutex_lock(&jobs->lock);
    while (!jobs->stopping) {
        fg_job *job = next_waiting(jobs);
        if (!job) {
            pthread_cond_wait(&jobs->changed, &jobs->lock);
            continue;
        }
        job->state = FG_JOB_RUNNING;
        job->started_ms = fg_clock_unix_ms();
        tell(job, "start", json_pack("{s:s}", "state", "running"));
        pthread_mutex_unlock(&jobs->lock);
        fg_error err = {0};
        json_t *result = NULL;
        fg_code rc = fg_job_run(job, &result, &err);
        forget_files(&job->order);
        pthread_mutex_lock(&jobs->lock);
        end_job(job, rc, &err, result);
    }
    pthread_mutex_unlock(&jobs->lock);
    return NULL;
}

fg_code fg_jobs_open(fg_jobs **jobs, fg_app *app, fg_metrics *metrics, fg_error *err)
{
    *jobs = NULL;
    fg_jobs *j = calloc(1, sizeof *j);
    if (!j)
        return FG_FAIL(err, FG_ERR_MEMORY, "out of memory");
    j->app = app;
    j->metrics = metrics;
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_mutex_init(&j->lock, NULL);
    pthread_cond_init(&j->changed, &attr);
    pthread_condattr_destroy(&attr);
    j->has_thread = pthread_create(&j->thread, NULL, serve, j) == 0;
    if (!j->has_thread) {
        fg_jobs_close(j);
        return FG_FAIL(err, FG_ERR_MEMORY, "cannot start the thread of the jobs");
    }
    *jobs = j;
    return FG_OK;
}

void fg_jobs_stop(fg_jobs *jobs)
{
    pthread_mutex_lock(&jobs->lock);
    jobs->stopping = true;
    for (fg_job *j = jobs->newest; j; j = j->next)
        atomic_store(&j->cancel, true);
    pthread_cond_broadcast(&jobs->changed);
    pthread_mutex_unlock(&jobs->lock);
}

void fg_jobs_close(fg_jobs *jobs)
{
    if (!jobs)
        return;
    fg_jobs_stop(jobs);
    if (jobs->has_thread)
        pthread_join(jobs->thread, NULL);
    for (fg_job *j = jobs->newest, *next; j; j = next) {
        next = j->next;
        free_job(j);
    }
    pthread_cond_destroy(&jobs->changed);
    pthread_mutex_destroy(&jobs->lock);
    free(jobs);
}

/* Under the lock: the table stays bounded, and of the jobs that have ended only the newest few keep their
 * thumbnails. */
static void make_room(fg_jobs *jobs)
{
    int ended = 0;
    fg_job **oldest = NULL;
    for (fg_job **at = &jobs->newest; *at; at = &(*at)->next) {
        if (!has_ended(*at))
            continue;
        if (++ended > FG_JOBS_WITH_THUMBS)
            drop_thumbs(*at);
        oldest = at;
    }
    if (jobs->count >= FG_JOBS_KEPT && oldest) {
        fg_job *job = *oldest;
        *oldest = job->next;
        jobs->count--;
        free_job(job);
    }
}

static fg_job *same_order(fg_jobs *jobs, const fg_job_order *order)
{
    for (fg_job *j = jobs->newest; j && *order->idempotency_key; j = j->next)
        if (strcmp(j->order.idempotency_key, order->idempotency_key) == 0 &&
            strcmp(j->order.who, order->who) == 0 && j->order.kind == order->kind)
            return j;
    return NULL;
}

fg_code fg_jobs_add(fg_jobs *jobs, fg_job_order *order, char id[FG_JOB_ID], fg_error *err)
{
    fg_code rc = FG_OK;
    int waiting = 0;
    fg_job *job = calloc(1, sizeof *job);
    *id = 0;
    pthread_mutex_lock(&jobs->lock);
    fg_job *same = same_order(jobs, order);
    for (fg_job *j = jobs->newest; j; j = j->next)
        waiting += j->state == FG_JOB_QUEUED;
    if (same) {
        memcpy(id, same->id, FG_JOB_ID);
        goto done;
    }
    if (jobs->stopping || waiting >= FG_JOBS_WAITING) {
        rc = FG_FAIL(err, FG_ERR_BUSY, "too much work is waiting; try again in a while");
        goto done;
    }
    if (job) {
        job->events = calloc(FG_JOB_EVENTS, sizeof *job->events);
        job->thumbs = calloc(FG_JOB_THUMBS, sizeof *job->thumbs);
    }
    if (!job || !job->events || !job->thumbs) {
        rc = FG_FAIL(err, FG_ERR_MEMORY, "out of memory");
        goto done;
    }
    make_room(jobs);
    snprintf(job->id, sizeof job->id, "%08x%08x", randombytes_random(), randombytes_random());
    job->jobs = jobs;
    job->created_ms = fg_clock_unix_ms();
    job->order = *order;
    *order = (fg_job_order){0};
    job->next = jobs->newest;
    jobs->newest = job;
    jobs->count++;
    memcpy(id, job->id, FG_JOB_ID);
    job = NULL;
    pthread_cond_broadcast(&jobs->changed);
done:
    pthread_mutex_unlock(&jobs->lock);
    fg_job_order_deinit(order);
    if (job)
        free_job(job);
    return rc;
}

static fg_code no_such_job(fg_error *err)
{
    return FG_FAIL(err, FG_ERR_NOT_FOUND,
                   "there is no such job; jobs are forgotten when the server restarts");
}

fg_code fg_jobs_cancel(fg_jobs *jobs, const char *id, fg_error *err)
{
    fg_code rc = FG_OK;
    pthread_mutex_lock(&jobs->lock);
    fg_job *job = find(jobs, id);
    if (!job) {
        rc = no_such_job(err);
    } else if (job->state == FG_JOB_QUEUED) {
        fg_error why = {0};
        atomic_store(&job->cancel, true);
        fg_fail(&why, FG_ERR_CANCELLED, __func__, "cancelled before it began");
        forget_files(&job->order);
        end_job(job, FG_ERR_CANCELLED, &why, NULL);
    } else {
        atomic_store(&job->cancel, true); /* of one that has ended: nothing to do */
    }
    pthread_mutex_unlock(&jobs->lock);
    return rc;
}

fg_code fg_jobs_json(fg_jobs *jobs, const char *id, json_t **document, fg_error *err)
{
    fg_code rc = FG_OK;
    *document = NULL;
    pthread_mutex_lock(&jobs->lock);
    fg_job *job = find(jobs, id);
    if (!job)
        rc = no_such_job(err);
    else if (!(*document = job_json(job)))
        rc = FG_FAIL(err, FG_ERR_MEMORY, "out of memory");
    pthread_mutex_unlock(&jobs->lock);
    return rc;
}

json_t *fg_jobs_list_json(fg_jobs *jobs)
{
    json_t *list = json_array();
    pthread_mutex_lock(&jobs->lock);
    for (fg_job *j = jobs->newest; j; j = j->next)
        json_array_append_new(list, job_json(j));
    pthread_mutex_unlock(&jobs->lock);
    return list;
}

int fg_jobs_length(fg_jobs *jobs)
{
    int length = 0;
    pthread_mutex_lock(&jobs->lock);
    for (fg_job *j = jobs->newest; j; j = j->next)
        length += !has_ended(j);
    pthread_mutex_unlock(&jobs->lock);
    return length;
}

fg_code fg_jobs_thumb(fg_jobs *jobs, const char *id, long n, uint8_t **data, size_t *size, fg_error *err)
{
    fg_code rc = FG_OK;
    *data = NULL;
    *size = 0;
    pthread_mutex_lock(&jobs->lock);
    fg_job *job = find(jobs, id);
    if (!job) {
        rc = no_such_job(err);
    } else if (!job->thumbs || n < 0 || n >= job->thumb_count || n < job->thumb_count - FG_JOB_THUMBS) {
        rc = FG_FAIL(err, FG_ERR_NOT_FOUND, "this thumbnail is not kept any more");
    } else {
        const fg_job_thumb *thumb = &job->thumbs[n % FG_JOB_THUMBS];
        if (!(*data = malloc(thumb->size ? thumb->size : 1))) {
            rc = FG_FAIL(err, FG_ERR_MEMORY, "out of memory");
        } else {
            memcpy(*data, thumb->data, thumb->size);
            *size = thumb->size;
        }
    }
    pthread_mutex_unlock(&jobs->lock);
    return rc;
}

fg_code fg_jobs_events(fg_jobs *jobs, const char *id, long *last, int wait_ms, fg_buf *out, bool *ended,
                       fg_error *err)
{
    struct timespec until;
    fg_code rc = FG_OK;
    *ended = false;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += wait_ms / 1000;
    pthread_mutex_lock(&jobs->lock);
    fg_job *job;
    for (;;) {
        /* Looked up each time: the table may have dropped it while nobody held the lock. */
        if (!(job = find(jobs, id))) {
            rc = no_such_job(err);
            goto done;
        }
        if (jobs->stopping || *last < job->event_count || has_ended(job))
            break;
        if (pthread_cond_timedwait(&jobs->changed, &jobs->lock, &until) == ETIMEDOUT)
            break;
    }
    if (*last < job->event_count - FG_JOB_EVENTS + 1)
        *last = job->event_count - FG_JOB_EVENTS + 1;
    while (rc == FG_OK && *last < job->event_count && out->size < out->max_size / 2) {
        const fg_job_event *event = &job->events[(*last + 1) % FG_JOB_EVENTS];
        rc = fg_buf_printf(out, err, "id: %ld\nevent: %s\ndata: %s\n\n", *last + 1, event->type, event->data);
        ++*last;
    }
    *ended = jobs->stopping || (has_ended(job) && *last >= job->event_count);
done:
    pthread_mutex_unlock(&jobs->lock);
    return rc;
}
