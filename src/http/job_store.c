/* Jobs on the disk: their record in the store, their files in a folder of their own. */
#include "http/job.h"

#include "base/file.h"
#include "blob/dir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* -- the folder -- */

static fg_code folder_of(const fg_jobs *jobs, const char *id, char path[FG_MAX_PATH], fg_error *err)
{
    return fg_path_join(path, FG_MAX_PATH, jobs->folder, id, err);
}

static fg_code file_of(const fg_jobs *jobs, const char *id, int n, char path[FG_MAX_PATH], fg_error *err)
{
    char folder[FG_MAX_PATH], name[16];
    fg_code rc = folder_of(jobs, id, folder, err);
    snprintf(name, sizeof name, "%02d", n);
    return rc == FG_OK ? fg_path_join(path, FG_MAX_PATH, folder, name, err) : rc;
}

/* The lock says that a living server has this job; it goes with the process. -1 where another has it. */
static int lock_folder(const char *folder)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) != 0) {
        close(fd);
        fd = -1;
    }
    return fd;
}

static fg_code move_file(fg_job *job, int n, fg_error *err)
{
    fg_job_file *file = &job->order.files[n];
    char *path = malloc(FG_MAX_PATH);
    fg_code rc =
        path ? file_of(job->jobs, job->id, n, path, err) : FG_FAIL(err, FG_ERR_MEMORY, "out of memory");
    if (rc == FG_OK && rename(file->path, path) != 0)
        rc = FG_FAIL_ERRNO(err, "cannot take the upload", file->name);
    if (rc != FG_OK) {
        free(path);
        return rc;
    }
    free(file->path);
    file->path = path;
    return FG_OK;
}

void fg_job_put_back(fg_job *job, int count)
{
    for (int i = 0; i < count; i++) {
        fg_job_file *file = &job->order.files[i];
        fg_upload upload = {0};
        if (!*file->upload)
            continue;
        fg_code rc = fg_uploads_get(job->jobs->uploads, file->upload, &upload, NULL);
        (void)rc; /* its bytes are not there now, so it is "not found"; the path is filled all the same */
        if (*upload.path && rename(file->path, upload.path) != 0)
            fg_log_write(fg_app_log(job->jobs->app), FG_LOG_WARN, "an upload was lost on its way back");
    }
}

fg_code fg_job_take_files(fg_job *job, fg_error *err)
{
    char folder[FG_MAX_PATH];
    fg_code rc = folder_of(job->jobs, job->id, folder, err);
    if (rc != FG_OK || (rc = fg_dir_create(folder, err)) != FG_OK)
        return rc;
    if ((job->lock_fd = lock_folder(folder)) < 0)
        rc = FG_FAIL_ERRNO(err, "cannot lock", folder);
    for (int i = 0; i < job->order.file_count && rc == FG_OK; i++)
        if ((rc = move_file(job, i, err)) != FG_OK)
            fg_job_put_back(job, i);
    return rc;
}

void fg_job_files_taken(fg_job *job)
{
    for (int i = 0; i < job->order.file_count; i++) {
        char *id = job->order.files[i].upload;
        if (*id)
            fg_uploads_forget(job->jobs->uploads, id);
        *id = 0;
    }
}

void fg_job_drop_files(fg_job *job)
{
    char folder[FG_MAX_PATH];
    if (job->lock_fd < 0)
        return;
    if (folder_of(job->jobs, job->id, folder, NULL) == FG_OK)
        fg_blob_dir_wipe_folder(folder);
    close(job->lock_fd);
    job->lock_fd = -1;
}

void fg_jobs_sweep(fg_jobs *jobs)
{
    DIR *dir = opendir(jobs->folder);
    if (!dir)
        return;
    for (struct dirent *d; (d = readdir(dir));) {
        char folder[FG_MAX_PATH];
        bool known = *d->d_name == '.';
        for (const fg_job *j = jobs->newest; j && !known; j = j->next)
            known = strcmp(j->id, d->d_name) == 0;
        if (known || fg_path_join(folder, sizeof folder, jobs->folder, d->d_name, NULL) != FG_OK)
            continue;
        int fd = lock_folder(folder);
        if (fd < 0)
            continue; /* another server's */
        fg_blob_dir_wipe_folder(folder);
        close(fd);
    }
    closedir(dir);
}

/* -- the record -- */

static json_t *order_json(const fg_job *job)
{
    const fg_job_order *o = &job->order;
    json_t *rights = json_array(), *files = json_array();
    for (int i = 0; i < o->right_count; i++)
        json_array_append_new(rights, json_string(o->rights[i]));
    for (int i = 0; i < o->file_count; i++)
        json_array_append_new(files, json_string(o->files[i].name));
    return json_pack("{s:s, s:i, s:s?, s:s?, s:o, s:o, s:i, s:i, s:b, s:b, s:b, s:s, s:s, s:s, s:s}", "kind",
                     fg_job_kind_names[o->kind], "let_go", job->let_go, "name", o->name, "role", o->role,
                     "rights", rights, "files", files, "every", o->every, "rotate", o->rotate, "add", o->add,
                     "keep_frames", o->keep_frames, "keep_originals", o->keep_originals, "who", o->who,
                     "source", o->source, "idempotency_key", o->idempotency_key, "asked", o->asked);
}

fg_code fg_job_save(const fg_job *job, bool first, const json_t *document, fg_error *err)
{
    json_t *order = order_json(job);
    fg_job_record record = {
        .created_ms = job->created_ms,
        .member_id = job->order.member_id,
        .attempts = job->attempts,
        .subject = job->order.name,
        .order_json = order ? json_dumps(order, JSON_COMPACT) : NULL,
        .end_json = document ? json_dumps(document, JSON_COMPACT | JSON_REAL_PRECISION(15)) : NULL,
    };
    memcpy(record.id, job->id, sizeof record.id);
    fg_code rc =
        record.order_json && (record.end_json || !document)
            ? (first ? fg_store_job_add : fg_store_job_put)(fg_app_store(job->jobs->app), &record, err)
            : FG_FAIL(err, FG_ERR_MEMORY, "out of memory");
    free(record.order_json);
    free(record.end_json);
    json_decref(order);
    return rc;
}

static char *dup_text(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? strdup(text) : NULL;
}

static void copy_text(const json_t *object, const char *key, char *out, size_t out_size)
{
    const char *text = json_string_value(json_object_get(object, key));
    snprintf(out, out_size, "%s", text ? text : "");
}

static fg_code read_files(fg_job *job, const json_t *names, fg_error *err)
{
    fg_job_order *o = &job->order;
    const size_t count = json_array_size(names);
    o->files = calloc(count + 1, sizeof *o->files);
    if (!o->files)
        return FG_FAIL(err, FG_ERR_MEMORY, "out of memory");
    for (size_t i = 0; i < count; i++) {
        const char *name = json_string_value(json_array_get(names, i));
        fg_job_file *file = &o->files[o->file_count++];
        file->path = malloc(FG_MAX_PATH);
        file->name = strdup(name ? name : "upload");
        if (!file->path || !file->name)
            return FG_FAIL(err, FG_ERR_MEMORY, "out of memory");
        fg_code rc = file_of(job->jobs, job->id, (int)i, file->path, err);
        if (rc != FG_OK)
            return rc;
    }
    return FG_OK;
}

static fg_code read_order(fg_job *job, const json_t *order, fg_error *err)
{
    fg_job_order *o = &job->order;
    const char *kind = json_string_value(json_object_get(order, "kind"));
    const json_t *rights = json_object_get(order, "rights");
    const size_t count = json_array_size(rights);
    int at = 0;
    while (kind && at < FG_JOB_KINDS && strcmp(kind, fg_job_kind_names[at]) != 0)
        at++;
    if (!kind || at == FG_JOB_KINDS)
        return FG_FAIL(err, FG_ERR_INPUT, "its record is damaged");
    o->kind = (fg_job_kind)at;
    job->let_go = (int)json_integer_value(json_object_get(order, "let_go"));
    o->name = dup_text(order, "name");
    o->role = dup_text(order, "role");
    o->every = (int)json_integer_value(json_object_get(order, "every"));
    o->rotate = (int)json_integer_value(json_object_get(order, "rotate"));
    o->add = json_is_true(json_object_get(order, "add"));
    o->keep_frames = json_is_true(json_object_get(order, "keep_frames"));
    o->keep_originals = json_is_true(json_object_get(order, "keep_originals"));
    copy_text(order, "who", o->who, sizeof o->who);
    copy_text(order, "source", o->source, sizeof o->source);
    copy_text(order, "idempotency_key", o->idempotency_key, sizeof o->idempotency_key);
    copy_text(order, "asked", o->asked, sizeof o->asked);
    o->rights = calloc(count + 1, sizeof *o->rights);
    if (!o->rights)
        return FG_FAIL(err, FG_ERR_MEMORY, "out of memory");
    for (size_t i = 0; i < count && i < FG_MAX_RIGHTS; i++) {
        const char *right = json_string_value(json_array_get(rights, i));
        if (!(o->rights[o->right_count] = strdup(right ? right : "")))
            return FG_FAIL(err, FG_ERR_MEMORY, "out of memory");
        o->right_count++;
    }
    return read_files(job, json_object_get(order, "files"), err);
}

/* What is over: nothing but what was said of it. */
static fg_code read_end(fg_job *job, const char *text, fg_error *err)
{
    job->document = json_loads(text, 0, NULL);
    const char *state = json_string_value(json_object_get(job->document, "state"));
    if (!state)
        return FG_FAIL(err, FG_ERR_INPUT, "its record is damaged");
    job->state = strcmp(state, "done") == 0     ? FG_JOB_DONE
                 : strcmp(state, "failed") == 0 ? FG_JOB_FAILED
                                                : FG_JOB_CANCELLED;
    json_object_set_new(job->document, "thumbs", json_array());
    long last = (long)json_integer_value(json_object_get(job->document, "last_event"));
    job->event_count = last > 0 ? last - 1 : 0;
    return FG_OK;
}

fg_code fg_job_load(fg_job *job, const fg_job_record *record, bool *mine, fg_error *err)
{
    char folder[FG_MAX_PATH];
    json_t *order = json_loads(record->order_json, 0, NULL);
    *mine = false;
    memcpy(job->id, record->id, sizeof job->id);
    job->created_ms = record->created_ms;
    job->attempts = record->attempts;
    fg_code rc = read_order(job, order, err);
    json_decref(order);
    if (rc == FG_OK && *record->end_json) {
        rc = read_end(job, record->end_json, err);
        *mine = rc == FG_OK;
        return rc;
    }
    if (rc != FG_OK || (rc = folder_of(job->jobs, job->id, folder, err)) != FG_OK)
        return rc;
    job->event_count = (long)record->attempts * FG_JOB_EVENTS_APART;
    job->lock_fd = lock_folder(folder);
    if (job->lock_fd < 0 && errno == ENOENT)
        return FG_FAIL(err, FG_ERR_INPUT, "its files are gone");
    *mine = job->lock_fd >= 0;
    return FG_OK;
}
