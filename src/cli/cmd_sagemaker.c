#include "cli/cli.h"

#include "base/file.h"
#include "flow/remote.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static json_t *text(const char *value)
{
    return *value ? json_string(value) : json_null();
}

static json_t *job_json(const fg_remote_state *job)
{
    return json_pack("{s:s, s:o, s:o, s:o, s:o}", "job", job->name, "status", text(job->status), "secondary",
                     text(job->secondary), "reason", text(job->reason), "artifact", text(job->artifact));
}

static json_t *endpoint_json(const fg_remote_state *endpoint)
{
    return json_pack("{s:s, s:o, s:o, s:o}", "endpoint", endpoint->name, "status", text(endpoint->status),
                     "reason", text(endpoint->reason), "config", text(endpoint->config));
}

static void print_state(const char *kind, const fg_remote_state *state)
{
    printf("%s %s: %s", kind, state->name, state->status);
    if (*state->secondary && strcmp(state->secondary, state->status) != 0)
        printf(" (%s)", state->secondary);
    printf("%s%s%s%s\n", *state->reason ? ": " : "", state->reason, *state->artifact ? ", model in " : "",
           state->artifact);
}

fg_code fg_cmd_sagemaker_train(fg_cli *cli, fg_error *err)
{
    const fg_actor actor = {"cli", getenv("USER")};
    fg_remote *remote = NULL;
    fg_remote_state job = {0};
    fg_code rc = fg_remote_open(&remote, &cli->settings, &cli->log, err);
    if (rc == FG_OK)
        rc = fg_remote_train(remote, cli->app, &actor, &cli->progress, &job, err);
    fg_cli_progress_end(cli);
    fg_remote_close(remote);
    if (rc != FG_OK)
        return rc;
    if (cli->settings.json) {
        json_t *document = job_json(&job);
        json_object_set_new(document, "rows", json_integer(job.rows));
        fg_cli_print_json(document);
    } else {
        print_state("job", &job);
    }
    fg_cli_note(cli, cli->settings.wait ? "next: facegate sagemaker deploy --wait"
                                        : "next: facegate sagemaker status, until it is Completed");
    return FG_OK;
}

fg_code fg_cmd_sagemaker_deploy(fg_cli *cli, fg_error *err)
{
    fg_remote *remote = NULL;
    fg_remote_state endpoint = {0};
    fg_code rc = fg_remote_open(&remote, &cli->settings, &cli->log, err);
    if (rc == FG_OK)
        rc = fg_remote_deploy(remote, &cli->progress, &endpoint, err);
    fg_cli_progress_end(cli);
    fg_remote_close(remote);
    if (rc != FG_OK)
        return rc;
    if (cli->settings.json)
        fg_cli_print_json(endpoint_json(&endpoint));
    else
        print_state("endpoint", &endpoint);
    if (cli->settings.wait)
        fg_cli_note(cli, "next: facegate verify --endpoint %s PHOTO", endpoint.name);
    return FG_OK;
}

fg_code fg_cmd_sagemaker_status(fg_cli *cli, fg_error *err)
{
    fg_remote *remote = NULL;
    fg_error why = {0};
    fg_remote_state job = {0}, endpoint = {0};
    fg_code rc = fg_remote_open(&remote, &cli->settings, &cli->log, err);
    if (rc == FG_OK)
        rc = fg_remote_job(remote, cli->settings.job, &job, err);
    if (rc == FG_ERR_NOT_FOUND && !cli->settings.job)
        rc = FG_OK;
    if (rc == FG_OK)
        rc = fg_remote_endpoint_state(remote, &endpoint, err);
    if (rc == FG_OK && fg_remote_take_names(remote, &endpoint, &why) != FG_OK)
        fg_log_write(&cli->log, FG_LOG_WARN, "the team's renamed members stay unknown to %s: %s",
                     endpoint.name, why.msg);
    if (rc == FG_ERR_NOT_FOUND && *job.name)
        rc = FG_OK;
    fg_remote_close(remote);
    if (rc != FG_OK)
        return rc;
    if (cli->settings.json) {
        fg_cli_print_json(json_pack("{s:o, s:o}", "job", *job.name ? job_json(&job) : json_null(), "endpoint",
                                    *endpoint.name ? endpoint_json(&endpoint) : json_null()));
        return FG_OK;
    }
    if (*job.name)
        print_state("job", &job);
    if (*endpoint.name)
        print_state("endpoint", &endpoint);
    return FG_OK;
}

/* By the file's ending: what the endpoint takes. */
static const char *type_of(const char *path)
{
    static const struct {
        const char *ending, *type;
    } types[] = {{".npy", "application/x-npy"}, {".csv", "text/csv"},    {".json", "application/json"},
                 {".jpg", "image/jpeg"},        {".jpeg", "image/jpeg"}, {".png", "image/png"}};
    const char *dot = strrchr(path, '.');
    for (size_t i = 0; dot && i < sizeof types / sizeof types[0]; i++)
        if (strcasecmp(dot, types[i].ending) == 0)
            return types[i].type;
    return NULL;
}

static fg_code invoke(fg_remote *remote, const char *path, fg_error *err)
{
    enum { REQUEST_MAX = 6 << 20 }; /* what SageMaker takes */
    fg_buf data, answer;
    const char *type = type_of(path);
    if (!type)
        return FG_FAIL(err, FG_ERR_UNSUPPORTED, "%s: give a .npy, .csv, .json, .jpg or .png file", path);
    fg_buf_init(&data, REQUEST_MAX);
    fg_buf_init(&answer, FG_MAX_JSON_BYTES);
    fg_code rc = fg_file_read(path, &data, err);
    if (rc == FG_OK)
        rc = fg_remote_invoke(remote, type, data.data, data.size, &answer, err);
    if (rc == FG_OK) {
        while (answer.size && answer.data[answer.size - 1] == '\n')
            answer.size--;
        fwrite(answer.data ? (const char *)answer.data : "", 1, answer.size, stdout);
        putchar('\n');
    } else {
        fg_error_prefix(err, rc, path);
    }
    fg_buf_deinit(&data);
    fg_buf_deinit(&answer);
    return rc;
}

fg_code fg_cmd_sagemaker_invoke(fg_cli *cli, fg_error *err)
{
    fg_remote *remote = NULL;
    fg_code rc = fg_remote_open(&remote, &cli->settings, &cli->log, err);
    for (int i = 0; i < cli->arg_count && rc == FG_OK; i++)
        rc = invoke(remote, cli->args[i], err);
    fg_remote_close(remote);
    return rc;
}

fg_code fg_cmd_sagemaker_delete(fg_cli *cli, fg_error *err)
{
    fg_remote *remote = NULL;
    int count = 0;
    fg_code rc = fg_remote_open(&remote, &cli->settings, &cli->log, err);
    if (rc == FG_OK)
        rc = fg_remote_delete(remote, &cli->progress, &count, err);
    fg_cli_progress_end(cli);
    if (rc == FG_OK && cli->settings.json)
        fg_cli_print_json(json_pack("{s:s, s:i}", "endpoint", fg_remote_endpoint(remote), "deleted", count));
    else if (rc == FG_OK)
        printf("%s: %d deleted\n", fg_remote_endpoint(remote), count);
    fg_remote_close(remote);
    return rc;
}
