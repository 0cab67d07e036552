#include "http/job.h"

#include "base/clock.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static const char *const state_names[] = {"queued", "running", "done", "failed", "cancelled"};
const char *const fg_job_kind_names[FG_JOB_KINDS] = {"enroll", "train", "sagemaker"};
enum { THUMBS_TOLD = 12 };

void fg_job_order_deinit(fg_job_order *order)
{
    for (int i = 0; i < order->file_count; i++) {
        if (order->files[i].path && !*order->files[i].upload)
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

static bool has_ended(const fg_job *job)
{
    return job->state >= FG_JOB_DONE;
}

static void forget_files(fg_job_order *order)
{
    for (int i = 0; i < order->file_count; i++) {
        free(order->files[i].path);
        order->files[i].path = NULL;
    }
}

static void free_job(fg_job *job)
{
    for (int i = 0; job->events && i < FG_JOB_EVENTS; i++)
        free(job->events[i].data);
    free(job->events);
    drop_thumbs(job);
    json_decref(job->result);
    json_decref(job->document);
    if (has_ended(job))
        fg_job_drop_files(job);
    else
        forget_files(&job->order); /* they stay on the disk, for the next server */
    if (job->lock_fd >= 0)
        close(job->lock_fd);
    fg_job_order_deinit(&job->order);
    free(job);
}

static fg_job *find(fg_jobs *jobs, const char *id)
{
    for (fg_job *j = jobs->newest; j; j = j->next)
        if (!j->forget && strcmp(j->id, id) == 0)
            return j;
    return NULL;
}

/* Addresses of the newest few thumbnails, oldest first. */
static json_t *thumbs_json(const fg_job *job)
{
    json_t *list = json_array();
    long from = job->thumb_count > THUMBS_TOLD ? job->thumb_count - THUMBS_TOLD : 0;
    for (long n = from; job->thumbs && n < job->thumb_count; n++) {
        char url[96];
        snprintf(url, sizeof url, "/api/v1/jobs/%s/thumbs/%ld", job->id, n);
        json_array_append_new(list, json_string(url));
    }
    return list;
}

/* Under the lock. */
static json_t *job_json(const fg_job *job)
{
    if (job->document)
        return json_incref(job->document);
    json_t *refused = json_object();
    for (int i = 1; i < FG_REASON_COUNT; i++)
        if (job->refused[i])
            json_object_set_new(refused, fg_reason_name((fg_reason)i), json_integer(job->refused[i]));
    json_t *problem = job->state == FG_JOB_FAILED || job->state == FG_JOB_CANCELLED
                          ? json_pack("{s:s, s:s}", "code", fg_code_name(job->error.code), "detail",
                                      fg_error_told(&job->error))
                          : json_null();
    return json_pack("{s:s, s:s, s:s, s:o, s:i, s:o, s:o, s:o, s:{s:s, s:I, s:I}, s:I, s:I, s:I, s:o, s:o, "
                     "s:I, s:o, s:O?}",
                     "id", job->id, "kind", fg_job_kind_names[job->order.kind], "state",
                     state_names[job->state], "subject",
                     job->order.name ? json_string(job->order.name) : json_null(), "attempts", job->attempts,
                     "created", fg_time_json(job->created_ms), "started", fg_time_json(job->started_ms),
                     "finished", fg_time_json(job->finished_ms), "progress", "what", job->progress_what,
                     "done", (json_int_t)job->progress_done, "total", (json_int_t)job->progress_total,
                     "frames_sampled", (json_int_t)job->sampled, "faces_found", (json_int_t)job->found,
                     "faces_used", (json_int_t)job->used, "refused", refused, "thumbs", thumbs_json(job),
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
    if (err->local && rc != FG_OK)
        fg_log_write(fg_app_log(job->jobs->app), FG_LOG_WARN, "job %s: %s", job->id, err->msg);
    job->state = rc == FG_OK ? FG_JOB_DONE : rc == FG_ERR_CANCELLED ? FG_JOB_CANCELLED : FG_JOB_FAILED;
    atomic_fetch_add(rc == FG_OK              ? &m->jobs_done
                     : rc == FG_ERR_CANCELLED ? &m->jobs_cancelled
                                              : &m->jobs_failed,
                     1);
    job->event_count++; /* so that the document knows its own number */
    json_t *document = job_json(job);
    job->event_count--;
    fg_error why = {0};
    const fg_code saved = fg_job_save(job, false, document, &why);
    if (saved == FG_ERR_NOT_FOUND)
        job->forget = true;
    else if (saved != FG_OK)
        fg_log_write(fg_app_log(job->jobs->app), FG_LOG_WARN,
                     "job %s has ended, but that cannot be written down: %s", job->id, why.msg);
    tell(job, "end", document);
}

/* Under the lock: back to where it was, for the next server. */
static void interrupt(fg_job *job)
{
    fg_error why = {0};
    job->state = FG_JOB_QUEUED;
    job->let_go++;
    if (fg_job_save(job, false, NULL, &why) != FG_OK)
        fg_log_write(fg_app_log(job->jobs->app), FG_LOG_WARN, "job %s: %s", job->id, why.msg);
    fg_log_write(fg_app_log(job->jobs->app), FG_LOG_INFO,
                 "job %s was interrupted; the next start does it again", job->id);
}

/* What has brought the server down again and again would do so with every start. */
static void give_up(fg_job *job)
{
    fg_error why = {0};
    fg_fail(
        &why, FG_ERR_INTERNAL, __func__,
        "the server was killed %d times while it ran this; see whether it has memory enough, and order it "
        "anew",
        job->attempts - job->let_go);
    fg_job_drop_files(job);
    end_job(job, why.code, &why, NULL);
}

/* The lane's oldest waiting job, under the lock. */
static fg_job *next_waiting(const fg_job_lane *lane)
{
    const bool elsewhere = lane != lane->jobs->lanes;
    fg_job *oldest = NULL;
    for (fg_job *j = lane->jobs->newest; j; j = j->next)
        if (j->state == FG_JOB_QUEUED && (j->order.kind == FG_JOB_SAGEMAKER) == elsewhere)
            oldest = j;
    return oldest;
}

/* Under the lock. */
static void remove_forgotten(fg_jobs *jobs)
{
    for (fg_job **at = &jobs->newest; *at;) {
        fg_job *job = *at;
        if (!job->forget || !has_ended(job)) {
            at = &job->next;
            continue;
        }
        *at = job->next;
        jobs->count--;
        free_job(job);
    }
}

/* Under the lock. The store decides which jobs are forgotten, whoever removes a member: this server, another
 * or the command line. */
static fg_code forget_gone(fg_jobs *jobs, fg_error *err)
{
    char **ids;
    long count;
    fg_code rc = fg_store_job_ids(fg_app_store(jobs->app), &ids, &count, err);
    if (rc != FG_OK)
        return rc;
    for (fg_job *j = jobs->newest; j; j = j->next) {
        bool there = j->forget;
        for (long i = 0; i < count && !there; i++)
            there = strcmp(ids[i], j->id) == 0;
        if (there)
            continue;
        j->forget = true;
        atomic_store(&j->cancel, true);
        pthread_cond_broadcast(&jobs->changed);
    }
    fg_keys_texts_free(ids, count);
    remove_forgotten(jobs);
    return FG_OK;
}

/* Under the lock. */
static fg_code find_job(fg_jobs *jobs, const char *id, fg_job **job, fg_error *err)
{
    fg_code rc = forget_gone(jobs, err);
    *job = rc == FG_OK ? find(jobs, id) : NULL;
    if (rc == FG_OK && !*job)
        rc = FG_FAIL(err, FG_ERR_NOT_FOUND, "there is no such job; only the newest are remembered");
    return rc;
}

/* Under the lock, which is given up while the work is done. */
static void run_job(fg_jobs *jobs, fg_job *job)
{
    fg_error err = {0};
    json_t *result = NULL;
    job->state = FG_JOB_RUNNING;
    job->started_ms = fg_clock_unix_ms();
    job->attempts++;
    tell(job, "start", json_pack("{s:s, s:i}", "state", "running", "attempt", job->attempts));
    pthread_mutex_unlock(&jobs->lock);
    fg_code rc = fg_job_save(job, false, NULL, &err);
    if (rc == FG_OK)
        rc = atomic_load(&job->cancel) ? FG_FAIL(&err, FG_ERR_CANCELLED, "cancelled before it began")
                                       : fg_job_run(job, &result, &err);
    pthread_mutex_lock(&jobs->lock);
    if (rc == FG_ERR_CANCELLED && job->interrupted && !job->forget) {
        json_decref(result);
        interrupt(job);
        return;
    }
    fg_job_drop_files(job);
    end_job(job, rc, &err, result);
    remove_forgotten(jobs);
}

static void *serve(void *context)
{
    const fg_job_lane *lane = context;
    fg_jobs *jobs = lane->jobs;
    /* On Linux this lowers the calling thread alone: a photo at the door goes before an enrolment. */
    (void)setpriority(PRIO_PROCESS, 0, 5);
    pthread_mutex_lock(&jobs->lock);
    while (!jobs->stopping) {
        fg_job *job = next_waiting(lane);
        if (!job) {
            pthread_cond_wait(&jobs->changed, &jobs->lock);
            continue;
        }
        run_job(jobs, job);
    }
    pthread_mutex_unlock(&jobs->lock);
    return NULL;
}

static fg_job *new_job(fg_jobs *jobs)
{
    fg_job *job = calloc(1, sizeof *job);
    if (!job)
        return NULL;
    job->jobs = jobs;
    job->lock_fd = -1;
    job->events = calloc(FG_JOB_EVENTS, sizeof *job->events);
    job->thumbs = calloc(FG_JOB_THUMBS, sizeof *job->thumbs);
    if (job->events && job->thumbs)
        return job;
    free_job(job);
    return NULL;
}

static void add_job(fg_jobs *jobs, fg_job *job)
{
    job->next = jobs->newest;
    jobs->newest = job;
    jobs->count++;
}

/* What earlier servers have done, and what they left undone. A record that cannot be read is reported and
 * left out: it must not keep the server from starting. */
static fg_code load_jobs(fg_jobs *jobs, fg_error *err)
{
    fg_job_record *records = NULL;
    long count = 0;
    fg_code rc = fg_store_jobs(fg_app_store(jobs->app), &records, &count, err);
    for (long i = 0; i < count && rc == FG_OK; i++) {
        bool mine = false;
        fg_error why = {0};
        fg_job *job = new_job(jobs);
        if (!job) {
            rc = FG_FAIL(err, FG_ERR_MEMORY, "out of memory");
            break;
        }
        if (fg_job_load(job, &records[i], &mine, &why) != FG_OK) {
            fg_log_write(fg_app_log(jobs->app), FG_LOG_WARN, "job %s is given up: %s", records[i].id,
                         why.msg);
            rc = fg_store_job_remove(fg_app_store(jobs->app), records[i].id, err);
        }
        if (!mine) {
            free_job(job);
            continue;
        }
        if (job->document)
            tell(job, "end", json_incref(job->document));
        else if (job->attempts - job->let_go >= FG_JOB_KILLED)
            give_up(job);
        add_job(jobs, job);
    }
    fg_job_records_free(records, count);
    return rc;
}

fg_code fg_jobs_open(fg_jobs **jobs, fg_app *app, fg_metrics *metrics, fg_uploads *uploads, fg_error *err)
{
    *jobs = NULL;
    fg_jobs *j = calloc(1, sizeof *j);
    if (!j)
        return FG_FAIL(err, FG_ERR_MEMORY, "out of memory");
    j->app = app;
    j->metrics = metrics;
    j->uploads = uploads;
    pthread_mutex_init(&j->lock, NULL);
    fg_clock_cond_init(&j->changed);
    fg_code rc = fg_path_join(j->folder, sizeof j->folder, fg_app_settings(app)->data, "jobs", err);
    if (rc == FG_OK)
        rc = fg_dir_create(j->folder, err);
    if (rc == FG_OK)
        rc = load_jobs(j, err);
    if (rc == FG_OK) {
        fg_jobs_sweep(j);
        for (int i = 0; i < FG_JOB_LANES && rc == FG_OK; i++) {
            fg_job_lane *lane = &j->lanes[i];
            lane->jobs = j;
            lane->has_thread = pthread_create(&lane->thread, NULL, serve, lane) == 0;
            if (!lane->has_thread)
                rc = FG_FAIL(err, FG_ERR_MEMORY, "cannot start the threads of the jobs");
        }
    }
    if (rc != FG_OK) {
        fg_jobs_close(j);
        return rc;
    }
    *jobs = j;
    return FG_OK;
}

void fg_jobs_stop(fg_jobs *jobs)
{
    pthread_mutex_lock(&jobs->lock);
    jobs->stopping = true;
    for (fg_job *j = jobs->newest; j; j = j->next)
        j->interrupted = !atomic_exchange(&j->cancel, true) || j->interrupted;
    pthread_cond_broadcast(&jobs->changed);
    pthread_mutex_unlock(&jobs->lock);
}

void fg_jobs_close(fg_jobs *jobs)
{
    if (!jobs)
        return;
    fg_jobs_stop(jobs);
    for (int i = 0; i < FG_JOB_LANES; i++)
        if (jobs->lanes[i].has_thread)
            pthread_join(jobs->lanes[i].thread, NULL);
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
        fg_code rc = fg_store_job_remove(fg_app_store(jobs->app), job->id, NULL);
        (void)rc; /* that it stays there does no harm */
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
    fg_job *job = new_job(jobs);
    *id = 0;
    pthread_mutex_lock(&jobs->lock);
    fg_job *same = same_order(jobs, order);
    for (fg_job *j = jobs->newest; j; j = j->next)
        waiting += j->state == FG_JOB_QUEUED;
    if (same && strcmp(same->order.asked, order->asked) != 0) {
        rc = FG_FAIL(err, FG_ERR_INPUT, "Idempotency-Key: it was used for another request; make a new one");
        goto done;
    }
    if (same) {
        memcpy(id, same->id, FG_JOB_ID);
        goto done;
    }
    if (jobs->stopping || waiting >= FG_JOBS_WAITING) {
        rc = FG_FAIL(err, FG_ERR_BUSY, "too much work is waiting; try again in a while");
        goto done;
    }
    if (!job) {
        rc = FG_FAIL(err, FG_ERR_MEMORY, "out of memory");
        goto done;
    }
    snprintf(job->id, sizeof job->id, "%08x%08x", randombytes_random(), randombytes_random());
    job->created_ms = fg_clock_unix_ms();
    job->order = *order;
    *order = (fg_job_order){0};
    if ((rc = fg_job_take_files(job, err)) != FG_OK)
        goto done;
    if ((rc = fg_job_save(job, true, NULL, err)) != FG_OK) {
        fg_job_put_back(job, job->order.file_count);
        goto done;
    }
    fg_job_files_taken(job);
    make_room(jobs);
    add_job(jobs, job);
    memcpy(id, job->id, FG_JOB_ID);
    job = NULL;
    pthread_cond_broadcast(&jobs->changed);
done:
    pthread_mutex_unlock(&jobs->lock);
    fg_job_order_deinit(order);
    if (job) {
        job->state = FG_JOB_FAILED; /* its files are not for the next server */
        free_job(job);
    }
    return rc;
}

fg_code fg_jobs_cancel(fg_jobs *jobs, const char *id, json_t **document, fg_error *err)
{
    fg_job *job;
    *document = NULL;
    pthread_mutex_lock(&jobs->lock);
    fg_code rc = find_job(jobs, id, &job, err);
    if (rc != FG_OK)
        goto done;
    if (job->state == FG_JOB_QUEUED) {
        fg_error why = {0};
        atomic_store(&job->cancel, true);
        fg_fail(&why, FG_ERR_CANCELLED, __func__, "cancelled before it began");
        fg_job_drop_files(job);
        end_job(job, FG_ERR_CANCELLED, &why, NULL);
    } else if (has_ended(job)) {
        if ((rc = fg_store_job_remove(fg_app_store(jobs->app), id, err)) != FG_OK)
            goto done;
        job->forget = true;
        drop_thumbs(job);
    } else {
        atomic_store(&job->cancel, true);
    }
    if (!(*document = job_json(job)))
        rc = FG_FAIL(err, FG_ERR_MEMORY, "out of memory");
    remove_forgotten(jobs);
done:
    pthread_mutex_unlock(&jobs->lock);
    return rc;
}

fg_code fg_jobs_json(fg_jobs *jobs, const char *id, json_t **document, fg_error *err)
{
    fg_job *job;
    *document = NULL;
    pthread_mutex_lock(&jobs->lock);
    fg_code rc = find_job(jobs, id, &job, err);
    if (rc == FG_OK && !(*document = job_json(job)))
        rc = FG_FAIL(err, FG_ERR_MEMORY, "out of memory");
    pthread_mutex_unlock(&jobs->lock);
    return rc;
}

fg_code fg_jobs_list_json(fg_jobs *jobs, bool open, json_t **list, fg_error *err)
{
    *list = NULL;
    pthread_mutex_lock(&jobs->lock);
    fg_code rc = forget_gone(jobs, err);
    if (rc == FG_OK && !(*list = json_array()))
        rc = FG_FAIL(err, FG_ERR_MEMORY, "out of memory");
    for (fg_job *j = jobs->newest; j && rc == FG_OK; j = j->next)
        if (!j->forget && (!open || !has_ended(j)))
            json_array_append_new(*list, job_json(j));
    pthread_mutex_unlock(&jobs->lock);
    return rc;
}

void fg_jobs_forget(fg_jobs *jobs)
{
    pthread_mutex_lock(&jobs->lock);
    fg_code rc = forget_gone(jobs, NULL);
    (void)rc; /* whoever asks for a job tries again */
    pthread_mutex_unlock(&jobs->lock);
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
    fg_job *job;
    *data = NULL;
    *size = 0;
    pthread_mutex_lock(&jobs->lock);
    fg_code rc = find_job(jobs, id, &job, err);
    if (rc != FG_OK)
        goto done;
    if (!job->thumbs || n < 0 || n >= job->thumb_count || n < job->thumb_count - FG_JOB_THUMBS) {
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
done:
    pthread_mutex_unlock(&jobs->lock);
    return rc;
}

fg_code fg_jobs_events(fg_jobs *jobs, const char *id, long *last, int wait_ms, fg_buf *out, bool *ended,
                       fg_error *err)
{
    const struct timespec until = fg_clock_cond_in_ms(wait_ms);
    fg_job *job;
    *ended = false;
    pthread_mutex_lock(&jobs->lock);
    fg_code rc;
    for (;;) {
        /* Looked up each time: the table may have dropped it while nobody held the lock. */
        if ((rc = find_job(jobs, id, &job, err)) != FG_OK)
            goto done;
        if (jobs->stopping || *last < job->event_count || has_ended(job))
            break;
        if (pthread_cond_timedwait(&jobs->changed, &jobs->lock, &until) == ETIMEDOUT)
            break;
    }
    if (*last < job->event_count - FG_JOB_EVENTS + 1)
        *last = job->event_count - FG_JOB_EVENTS + 1;
    while (rc == FG_OK && *last < job->event_count && out->size < out->max_size / 2) {
        const fg_job_event *event = &job->events[(*last + 1) % FG_JOB_EVENTS];
        /* Those of an earlier attempt, in an earlier server, are gone. */
        if (event->data)
            rc = fg_buf_printf(out, err, "id: %ld\nevent: %s\ndata: %s\n\n", *last + 1, event->type,
                               event->data);
        ++*last;
    }
    *ended = jobs->stopping || (has_ended(job) && *last >= job->event_count);
done:
    pthread_mutex_unlock(&jobs->lock);
    return rc;
}
