/* train and serve as SageMaker starts them: IMAGE train, IMAGE serve, everything else in files below /opt/ml.
 */
#define _XOPEN_SOURCE 700 /* nftw */
#include "cli/cli.h"

#include "flow/container.h"
#include "http/server.h"

#include <errno.h>
#include <ftw.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const fg_command *fg_cli_in_container(const fg_command *command, const fg_settings *settings)
{
    const char *name = NULL;
    if (command->run == fg_cmd_train && fg_container_is_training(settings->sagemaker_root))
        name = "container train";
    else if (command->run == fg_cmd_serve && fg_container_is_serving(settings->sagemaker_root))
        name = "container serve";
    for (int i = 0; name && i < fg_command_count; i++)
        if (strcmp(fg_commands[i].name, name) == 0)
            return &fg_commands[i];
    return command;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *where)
{
    (void)st;
    (void)type;
    (void)where;
    return remove(path);
}

/* A data folder of this process's own: there is no other in a container. */
static fg_code make_folder(fg_cli *cli, char path[FG_MAX_PATH], fg_error *err)
{
    const char *tmp = getenv("TMPDIR");
    fg_code rc = fg_path_join(path, FG_MAX_PATH, tmp && *tmp ? tmp : "/tmp", "facegate-XXXXXX", err);
    if (rc == FG_OK && !mkdtemp(path)) {
        rc = FG_FAIL_ERRNO(err, "cannot make a folder", path);
        path[0] = 0;
    }
    if (rc == FG_OK)
        cli->settings.data = path;
    return rc;
}

static void remove_folder(const char *path)
{
    if (*path)
        (void)nftw(path, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

/* A signal handler has no argument of its own. */
static volatile sig_atomic_t stopped;
static fg_server *running;

static void on_signal(int signum)
{
    stopped = signum;
    if (running)
        fg_server_stop(running);
}

/* As the first process of a container, which has no other handlers, and would not even die without one. */
static void catch_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

static bool goes_on(void *context, const char *what, long done, long total)
{
    const fg_progress *shown = context;
    return fg_progress_tell(shown, what, done, total) && !stopped;
}

static void print_result(fg_cli *cli, const fg_container_result *result)
{
    const fg_train_report *r = &result->report;
    if (cli->settings.json) {
        fg_cli_print_json(json_pack("{s:o, s:I, s:i, s:o, s:o, s:o, s:f}", "model",
                                    fg_text_json(result->model), "rows", (json_int_t)result->rows, "classes",
                                    result->classes, "similarity_gate",
                                    fg_cli_json_number(r->similarity_gate), "far", fg_cli_json_number(r->far),
                                    "frr", fg_cli_json_number(r->frr), "seconds", r->seconds));
    } else { /* one metric a word, so that a job's MetricDefinitions find them */
        printf("%s: %ld row%s of %d member%s; far=%.6f; similarity_gate=%.4f; seconds=%.2f", result->model,
               result->rows, fg_cli_s(result->rows), result->classes, fg_cli_s(result->classes), r->far,
               r->similarity_gate, r->seconds);
        if (isfinite(r->frr))
            printf("; frr=%.6f", r->frr);
        putchar('\n');
    }
}

fg_code fg_cmd_container_train(fg_cli *cli, fg_error *err)
{
    const char *root = cli->settings.sagemaker_root;
    const fg_progress progress = {goes_on, &cli->progress};
    char folder[FG_MAX_PATH] = "";
    fg_worker *worker = NULL;
    fg_container_result result = {0};
    catch_signals();
    fg_code rc = make_folder(cli, folder, err);
    if (rc == FG_OK)
        rc = fg_worker_new(&worker, cli->app, err);
    if (rc == FG_OK)
        rc = fg_container_train(worker, root, &progress, &result, err);
    fg_cli_progress_end(cli);
    fg_worker_free(worker);
    remove_folder(folder);
    if (rc == FG_OK && result.idle)
        fg_cli_note(cli, "another host trains; there is nothing to do here");
    else if (rc == FG_OK)
        print_result(cli, &result);
    if (rc == FG_OK || !err)
        return rc;
    fg_container_failure(root, err);
    if (rc == FG_ERR_CANCELLED && stopped) {
        fg_cli_error(cli, NULL, err);
        cli->status = 128 + stopped;
        return FG_OK;
    }
    return rc;
}

/* Every address, unless one was chosen; the port that the platform names. */
static fg_code choose_address(fg_cli *cli, fg_error *err)
{
    const char *port = getenv("SAGEMAKER_BIND_TO_PORT");
    if (fg_settings_is_default(&cli->settings, "listen"))
        cli->settings.listen = "0.0.0.0";
    return port && *port && cli->settings.port < 0 ? fg_settings_set(&cli->settings, "port", port, err)
                                                   : FG_OK;
}

fg_code fg_cmd_container_serve(fg_cli *cli, fg_error *err)
{
    char folder[FG_MAX_PATH] = "", model[FG_MAX_PATH];
    fg_artifact artifact = {0};
    fg_server *server = NULL;
    catch_signals();
    fg_code rc = choose_address(cli, err);
    if (rc == FG_OK)
        rc = fg_path_join(model, sizeof model, cli->settings.sagemaker_root, "model/" FG_ARTIFACT_NAME, err);
    if (rc == FG_OK)
        rc = fg_artifact_load(&artifact, model, err);
    if (rc == FG_OK)
        rc = make_folder(cli, folder, err);
    if (rc == FG_OK)
        rc = fg_server_open_artifact(&server, cli->app, &artifact, err);
    if (rc == FG_OK) {
        running = server;
        if (cli->settings.json)
            fg_cli_print_json(json_pack("{s:s, s:s, s:i}", "url", fg_server_url(server), "model", model,
                                        "classes", artifact.members));
        else
            printf("Facegate serves %s (%d member%s) at %s\n", model, artifact.members,
                   fg_cli_s(artifact.members), fg_server_url(server));
        fflush(stdout);
        if (!stopped)
            rc = fg_server_run(server, err);
    }
    running = NULL;
    fg_server_close(server);
    fg_artifact_deinit(&artifact);
    remove_folder(folder);
    return rc;
}
