/* The training job on SageMaker: the dataset there, the job, and its end. */
#include "flow/remote_parts.h"

#include "base/clock.h"
#include "blob/spool.h"
#include "flow/dataset.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FOLDER = 256, STOP_MS = 3000 };

static fg_code wait_for_job(fg_remote *r, fg_remote_state *job, fg_error *err)
{
    char kind[96];
    const double start = fg_clock_monotonic_ms();
    snprintf(kind, sizeof kind, "job %s", job->name);
    for (;;) {
        fg_code rc = fg_remote_describe_job(r, job->name, job, err);
        job->seconds = (fg_clock_monotonic_ms() - start) / 1000;
        if (rc != FG_OK)
            return rc;
        if (strcmp(job->status, "Completed") == 0)
            return *job->artifact ? FG_OK : FG_FAIL(err, FG_ERR_INPUT, "%s: completed without a model", kind);
        if (strcmp(job->status, "Failed") == 0 || strcmp(job->status, "Stopped") == 0)
            return FG_FAIL(err, FG_ERR_STATE, "%s: %s%s%s", kind, job->status, *job->reason ? ": " : "",
                           job->reason);
        rc = fg_remote_wait(r, kind, *job->secondary ? job->secondary : job->status, start, err);
        if (rc != FG_OK)
            return rc;
    }
}

static fg_code need(const char *value, const char *flag, const char *field, fg_error *err)
{
    return value && *value ? FG_OK
                           : FG_FAIL(err, FG_ERR_USAGE, "%s is missing%s%s", flag,
                                     *field ? "; the AWS file calls it " : "", field);
}

static json_t *hyperparameters(const fg_settings *s)
{
    char c[32], gamma[32], far[32];
    snprintf(c, sizeof c, "%.9g", s->c);
    snprintf(gamma, sizeof gamma, "%.9g", s->gamma);
    snprintf(far, sizeof far, "%.9g", s->far);
    return json_pack("{s:s, s:s, s:s, s:s, s:s}", "C", c, "kernel", s->kernel, "gamma",
                     s->gamma > 0 ? gamma : "auto", "far", far, "probability", "True");
}

static json_t *job_request(const fg_remote *r, const char *name, const char *input_url,
                           const char *output_url)
{
    const fg_settings *s = r->settings;
    return json_pack("{s:s, s:{s:s, s:s}, s:s, s:o, s:[{s:s, s:{s:{s:s, s:s, s:s}}}], s:{s:s}, s:{s:s, s:i, "
                     "s:i}, s:{s:i}, s:b}",
                     "TrainingJobName", name, "AlgorithmSpecification", "TrainingImage", s->image,
                     "TrainingInputMode", "File", "RoleArn", fg_remote_role(r), "HyperParameters",
                     hyperparameters(s), "InputDataConfig", "ChannelName", "train", "DataSource",
                     "S3DataSource", "S3DataType", "S3Prefix", "S3Uri", input_url, "S3DataDistributionType",
                     "FullyReplicated", "OutputDataConfig", "S3OutputPath", output_url, "ResourceConfig",
                     "InstanceType", s->instance, "InstanceCount", 1, "VolumeSizeInGB", 10,
                     "StoppingCondition", "MaxRuntimeInSeconds", 3600, "EnableNetworkIsolation", 1);
}

/* The dataset as a file of this machine for a moment, then in the bucket. */
static fg_code upload(fg_remote *r, fg_app *app, const fg_actor *actor, const char *key, long *rows,
                      fg_error *err)
{
    char path[FG_MAX_PATH];
    int members = 0, fd = -1;
    fg_spool *spool = NULL;
    fg_dataset_format format;
    fg_code rc = fg_dataset_format_parse(&format, r->settings->format, err);
    if (rc != FG_OK || (rc = fg_spool_one(&spool, r->settings->data, path, &fd, err)) != FG_OK)
        return rc;
    close(fd);
    rc = fg_export(app, format, path, actor, rows, &members, err);
    if (rc == FG_OK) {
        fd = open(path, O_RDONLY | O_CLOEXEC);
        rc = fd >= 0 ? fg_s3_put_fd(r->s3, key, fd, err) : FG_FAIL_ERRNO(err, "cannot read", path);
        if (fd >= 0)
            close(fd);
    }
    fg_spool_close(spool);
    return rc;
}

fg_code fg_remote_can_train(const fg_remote *r, fg_error *err)
{
    fg_code rc =
        r->s3 ? FG_OK : FG_FAIL(err, FG_ERR_USAGE, "--bucket is missing; the AWS file calls it BUCKET_NAME");
    if (rc == FG_OK)
        rc = need(fg_remote_role(r), "--aws-role", "ROLE", err);
    return rc == FG_OK ? need(r->settings->image, "--image", "", err) : rc;
}

static bool is_over(const fg_remote_state *job)
{
    return strcmp(job->status, "Completed") == 0 || strcmp(job->status, "Failed") == 0 ||
           strcmp(job->status, "Stopped") == 0;
}

/* Where a job's dataset is, below the bucket's prefix. */
static void folder_of(const fg_remote *r, const char *job, char folder[FOLDER])
{
    snprintf(folder, FOLDER, "%s%s/", r->folder, job);
}

/* Faces stay in the bucket no longer than the job needs them. */
static void delete_dataset(fg_remote *r, const char *job)
{
    char folder[FOLDER];
    folder_of(r, job, folder);
    if (fg_s3_delete_prefix(r->s3, folder, NULL) != FG_OK)
        fg_log_write(r->log, FG_LOG_WARN, "s3://%s/%s%s could not be deleted; delete it by hand",
                     fg_s3_bucket(r->s3), fg_s3_prefix(r->s3), folder);
}

/* Whoever has cancelled may be a server on its way out: a moment for this, and no longer. */
static bool tell_deadline(void *context, const char *what, long done, long total)
{
    const double *until_ms = context;
    (void)what, (void)done, (void)total;
    return fg_clock_monotonic_ms() < *until_ms;
}

/* No machine is paid for, and no face is kept, for a job that nobody waits for. stop: it may have begun. */
static void give_up(fg_remote *r, const fg_remote_state *job, bool stop)
{
    double until_ms = fg_clock_monotonic_ms() + STOP_MS;
    const fg_progress deadline = {tell_deadline, &until_ms};
    fg_remote_watch(r, &deadline, "stopping");
    const fg_code rc = stop ? fg_sagemaker_call(r->sagemaker, "StopTrainingJob",
                                                json_pack("{s:s}", "TrainingJobName", job->name), NULL, NULL)
                            : FG_OK;
    if (rc != FG_OK && rc != FG_ERR_NOT_FOUND)
        fg_log_write(r->log, FG_LOG_WARN,
                     "job %s could not be stopped; if it runs, it goes on for an hour at most", job->name);
    until_ms = fg_clock_monotonic_ms() + STOP_MS;
    delete_dataset(r, job->name);
    fg_remote_watch(r, NULL, "");
}

static fg_code start_job(fg_remote *r, fg_app *app, const fg_actor *actor, fg_remote_state *job,
                         fg_error *err)
{
    char folder[FOLDER], key[FOLDER + 16], input[FG_S3_KEY_MAX + 512], output[FG_S3_KEY_MAX + 512];
    fg_remote_make_name(r, job->name);
    folder_of(r, job->name, folder);
    snprintf(key, sizeof key, "%sdata.%s", folder, r->settings->format);
    snprintf(input, sizeof input, "s3://%s/%s%s", fg_s3_bucket(r->s3), fg_s3_prefix(r->s3), folder);
    snprintf(output, sizeof output, "s3://%s/%s%soutput", fg_s3_bucket(r->s3), fg_s3_prefix(r->s3),
             r->folder);
    fg_code rc = fg_store_training_begin(fg_app_store(app), job->name, err);
    if (rc == FG_OK)
        rc = upload(r, app, actor, key, &job->rows, err);
    const bool uploaded = rc == FG_OK;
    if (uploaded) {
        fg_log_write(r->log, FG_LOG_INFO, "dataset: %ld templates in %s", job->rows, input);
        rc = fg_sagemaker_call(r->sagemaker, "CreateTrainingJob", job_request(r, job->name, input, output),
                               NULL, err);
    }
    if (rc == FG_OK)
        snprintf(job->status, sizeof job->status, "InProgress");
    else if (uploaded || rc == FG_ERR_CANCELLED) /* the answer alone may be lost, and the job there */
        give_up(r, job, uploaded && (rc == FG_ERR_CANCELLED || rc == FG_ERR_IO));
    return rc;
}

fg_code fg_remote_train(fg_remote *r, fg_app *app, const fg_actor *actor, const fg_progress *progress,
                        fg_remote_state *job, fg_error *err)
{
    *job = (fg_remote_state){0};
    fg_code rc = fg_remote_can_train(r, err);
    if (rc != FG_OK)
        return rc;
    fg_remote_watch(r, progress, "uploading");
    rc = start_job(r, app, actor, job, err);
    if (rc == FG_OK && r->settings->wait)
        rc = wait_for_job(r, job, err);
    fg_remote_watch(r, NULL, "");
    if (is_over(job))
        delete_dataset(r, job->name);
    return rc;
}

fg_code fg_remote_train_and_deploy(fg_app *app, const fg_actor *actor, const fg_progress *progress,
                                   fg_remote_state *job, fg_remote_state *endpoint, fg_error *err)
{
    fg_remote *r = NULL;
    fg_settings settings = *fg_app_settings(app);
    settings.wait = true;
    *job = *endpoint = (fg_remote_state){0};
    fg_code rc = fg_remote_open(&r, &settings, fg_app_log(app), err);
    if (rc != FG_OK)
        return rc;
    rc = fg_remote_train(r, app, actor, progress, job, err);
    if (rc != FG_OK && *job->status && !is_over(job)) { /* cancelled, or nobody answers any more */
        give_up(r, job, true);
        if (rc == FG_ERR_CANCELLED)
            rc = FG_FAIL(err, rc, "cancelled; the training job %s was told to stop", job->name);
    }
    settings.job = job->name;
    if (rc == FG_OK)
        rc = fg_remote_deploy(r, progress, endpoint, err);
    if (rc == FG_OK)
        rc = fg_record(app, actor, "deploy", endpoint->name, err);
    fg_remote_close(r);
    return rc;
}
