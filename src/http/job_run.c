#include "http/job.h"

#include "flow/remote.h"
#include "http/thumb.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One sampled frame, as an event with a thumbnail: the face where there is one, else the picture itself. */
static void on_frame(void *context, int file, const fg_frame *frame, const fg_look *look)
{
    fg_job *job = context;
    uint8_t *data = NULL;
    size_t size = 0;
    char thumb[96] = "";
    if (fg_thumb_make(look->chip.rgb ? &look->chip : frame, &data, &size, NULL) == FG_OK)
        snprintf(thumb, sizeof thumb, "/api/v1/jobs/%s/thumbs/%ld", job->id,
                 fg_job_keep_thumb(job, data, size));
    bool used = look->reason == FG_REASON_NONE;
    pthread_mutex_lock(&job->jobs->lock);
    job->sampled++;
    job->found += look->faces > 0;
    if (used)
        job->used++;
    else if (look->reason < FG_REASON_COUNT)
        job->refused[look->reason]++;
    pthread_mutex_unlock(&job->jobs->lock);
    fg_job_tell(job, "frame",
                json_pack("{s:i, s:i, s:I, s:i, s:b, s:o, s:o, s:o}", "file", file, "frame", frame->index,
                          "time_ms", (json_int_t)frame->time_ms, "faces", look->faces, "used", used, "reason",
                          used ? json_null() : json_string(fg_reason_name(look->reason)), "text",
                          used ? json_null() : json_string(fg_reason_text(look->reason)), "thumb",
                          *thumb ? json_string(thumb) : json_null()));
}

/* Told often by the work, but told on only when it shows: every percent, and every change of what is done. */
static bool on_progress(void *context, const char *what, long done, long total)
{
    fg_job *job = context;
    pthread_mutex_lock(&job->jobs->lock);
    const bool other = strcmp(what, job->progress_what) != 0;
    const bool changed = other || done != job->progress_done || total != job->progress_total;
    const bool shows = changed && (other || total <= 100 || done == total ||
                                   done * 100 / total != job->progress_done * 100 / total);
    snprintf(job->progress_what, sizeof job->progress_what, "%s", what);
    job->progress_done = done;
    job->progress_total = total;
    pthread_mutex_unlock(&job->jobs->lock);
    if (shows)
        fg_job_tell(
            job, "progress",
            json_pack("{s:s, s:I, s:I}", "what", what, "done", (json_int_t)done, "total", (json_int_t)total));
    return !atomic_load(&job->cancel);
}

static fg_code run_enroll(fg_job *job, fg_worker *worker, json_t **result, fg_error *err)
{
    const fg_job_order *o = &job->order;
    fg_enroll_report report = {0};
    fg_code rc;
    fg_enroll_file *files = calloc((size_t)o->file_count, sizeof *files);
    if (!files)
        return FG_FAIL(err, FG_ERR_MEMORY, "out of memory");
    for (int i = 0; i < o->file_count; i++)
        files[i] = (fg_enroll_file){o->files[i].path, o->files[i].name};
    fg_enroll_request request = {
        .name = o->name,
        .role = o->add ? NULL : o->role, /* a member's own may have been changed since the order */
        .rights = o->right_count ? (const char *const *)o->rights : NULL,
        .right_count = o->add ? 0 : o->right_count,
        .files = files,
        .file_count = o->file_count,
        .every = o->every,
        .rotate = o->rotate,
        .add = o->add,
        .keep_frames = o->keep_frames,
        .keep_originals = o->keep_originals,
        .actor = {o->who, o->source},
        .job = job->id,
        .seen = on_frame,
        .seen_context = job,
        .progress = {on_progress, job},
    };
    rc = fg_enroll(worker, &request, &report, err);
    for (int i = 0; i < o->file_count && rc != FG_OK && err; i++)
        if (o->files[i].path)
            fg_error_rename(err, o->files[i].path, o->files[i].name);
    *result = fg_enroll_report_json(&report, o->name);
    fg_enroll_report_deinit(&report);
    free(files);
    return rc;
}

/* Whether an earlier attempt got through before its end could be written down: the member has every file of
 * the order already. */
static fg_code was_done(const fg_job *job, int64_t *member_id, fg_error *err)
{
    fg_store *store = fg_app_store(job->jobs->app);
    const fg_job_order *o = &job->order;
    fg_member member = {0};
    fg_source *sources = NULL;
    long count = 0;
    int found = 0;
    *member_id = 0;
    fg_code rc = fg_store_member_by_name(store, o->name, &member, err);
    if (rc == FG_OK)
        rc = fg_store_sources(store, member.id, &sources, &count, err);
    for (int i = 0; i < o->file_count && rc == FG_OK; i++) {
        char hash[FG_SHA256_HEX];
        bool known = false;
        rc = fg_file_sha256(o->files[i].path, hash, NULL, err);
        for (long k = 0; k < count && rc == FG_OK; k++)
            known =
                known || (sources[k].created_ms >= job->created_ms && strcmp(sources[k].sha256, hash) == 0);
        found += known;
    }
    if (rc == FG_OK && found == o->file_count)
        *member_id = member.id;
    fg_sources_free(sources, count);
    fg_member_deinit(&member);
    return rc == FG_ERR_NOT_FOUND ? FG_OK : rc;
}

static fg_code enroll_again(fg_job *job, fg_worker *worker, json_t **result, fg_error *err)
{
    fg_enroll_report report = {0};
    fg_code rc = job->attempts > 1 ? was_done(job, &report.member_id, err) : FG_OK;
    if (rc != FG_OK)
        return rc;
    if (!report.member_id)
        return run_enroll(job, worker, result, err);
    *result = fg_enroll_report_json(&report, job->order.name);
    return FG_OK;
}

static fg_code run_train(fg_job *job, fg_worker *worker, json_t **result, fg_error *err)
{
    fg_train_result trained = {0};
    fg_actor actor = {job->order.who, job->order.source};
    fg_progress progress = {on_progress, job};
    fg_code rc = fg_train(worker, &actor, &progress, &trained, err);
    if (rc == FG_OK)
        *result = fg_train_result_json(&trained, job->jobs->app);
    return rc;
}

static fg_code run_sagemaker(fg_job *job, json_t **result, fg_error *err)
{
    fg_remote_state trained, endpoint;
    const fg_actor actor = {job->order.who, job->order.source};
    const fg_progress progress = {on_progress, job};
    fg_code rc = fg_remote_train_and_deploy(job->jobs->app, &actor, &progress, &trained, &endpoint, err);
    if (rc == FG_OK)
        *result =
            json_pack("{s:s, s:s, s:s, s:I, s:f, s:f}", "endpoint", endpoint.name, "status", endpoint.status,
                      "training_job", trained.name, "templates", (json_int_t)trained.rows, "train_seconds",
                      trained.seconds, "deploy_seconds", endpoint.seconds);
    return rc;
}

fg_code fg_job_run(fg_job *job, json_t **result, fg_error *err)
{
    fg_worker *worker = NULL;
    *result = NULL;
    if (job->order.kind == FG_JOB_SAGEMAKER)
        return run_sagemaker(job, result, err);
    /* For this job alone, so that an idle server does not hold the memory of one more network. */
    fg_code rc = fg_worker_new(&worker, job->jobs->app, err);
    if (rc == FG_OK)
        rc = job->order.kind == FG_JOB_ENROLL ? enroll_again(job, worker, result, err)
                                              : run_train(job, worker, result, err);
    fg_worker_free(worker);
    return rc;
}
