/* The command line: a table of commands, each with the settings it takes. See commands.c. */
#ifndef FG_CLI_CLI_H
#define FG_CLI_CLI_H

#include "flow/flow.h"

#include <jansson.h>
#include <stdatomic.h>
#include <stdbool.h>

/* Exit statuses, part of the contract with scripts. */
enum { FG_EXIT_OK = 0, FG_EXIT_ERROR = 1, FG_EXIT_USAGE = 2, FG_EXIT_NOT_GRANTED = 3 };

typedef struct fg_cli {
    fg_settings settings;
    fg_log log;
    char *const *args; /* after the command's own words */
    int arg_count;
    const bool *given; /* by index in fg_setting_table: as a flag, not in a variable */
    fg_app *app;       /* opened as the command's parts say */
    fg_progress progress;
    int status;           /* exit status where the command succeeds as such: a photo that is not granted */
    atomic_bool bar_open; /* a bar stands on the terminal's line; the server's threads all write there */
} fg_cli;

typedef struct fg_command {
    const char *name;       /* "verify", "members list" */
    const char *args;       /* "PHOTO..." */
    const char *summary;    /* one line */
    const char *help;       /* more, with examples; may be NULL */
    int min_args, max_args; /* max -1: any number */
    unsigned parts;         /* FG_APP_* */
    const char *settings;   /* names, separated by spaces, besides those that every command takes */
    fg_code (*run)(fg_cli *cli, fg_error *err);
} fg_command;

extern const fg_command fg_commands[];
extern const int fg_command_count;
extern const char fg_common_settings[]; /* names that every command takes */

/* cmd_container.c: what `train` and `serve` mean where SageMaker's layout is there; else the same command. */
const fg_command *fg_cli_in_container(const fg_command *command, const fg_settings *settings);

/* main.c: whether the setting was given as a flag. */
bool fg_cli_given(const fg_cli *cli, const char *setting);

/* help.c */
void fg_cli_help(void);
/* The commands that begin with that word, such as "members"; false where there is none. */
bool fg_cli_help_group(const char *word);
void fg_cli_help_command(const fg_command *command);
/* Markdown of every command and setting, for docs/: `facegate help --markdown`. */
void fg_cli_help_markdown(void);
bool fg_cli_takes(const fg_command *command, const char *setting);

/* output.c: results to stdout, everything else to stderr */
void fg_cli_print_json(json_t *document); /* one line; takes the reference; NULL could not be made */
bool fg_cli_json_failed(void);            /* a document could not be made or written: no success then */
json_t *fg_cli_json_number(double value); /* null for what is not finite */
void fg_cli_error(fg_cli *cli, const char *input,
                  const fg_error *err); /* to stderr, and as JSON where asked for */
void fg_cli_note(fg_cli *cli, const char *fmt, ...) FG_PRINTF(2, 3); /* advice on stderr, unless --quiet */
/* The end of the word that is counted: "%ld file%s". */
static inline const char *fg_cli_s(long count)
{
    return count == 1 ? "" : "s";
}
void fg_cli_progress_init(fg_cli *cli);
void fg_cli_progress_end(fg_cli *cli);
void fg_cli_log_json(void *context, fg_log_level level, const char *line, const fg_log_field *fields,
                     int count);
fg_log_level fg_cli_log_level(const fg_settings *settings);
void fg_cli_log_write(void *context, fg_log_level level, const char *line);

/* The commands */
fg_code fg_cmd_enroll(fg_cli *cli, fg_error *err);
fg_code fg_cmd_enroll_check(const fg_cli *cli, fg_error *err);
fg_code fg_cmd_import_check(const fg_cli *cli, fg_error *err);
fg_code fg_cmd_members_list(fg_cli *cli, fg_error *err);
fg_code fg_cmd_members_show(fg_cli *cli, fg_error *err);
fg_code fg_cmd_members_set(fg_cli *cli, fg_error *err);
fg_code fg_cmd_members_remove(fg_cli *cli, fg_error *err);
fg_code fg_cmd_train(fg_cli *cli, fg_error *err);
fg_code fg_cmd_classifiers_list(fg_cli *cli, fg_error *err);
fg_code fg_cmd_classifiers_show(fg_cli *cli, fg_error *err);
fg_code fg_cmd_classifiers_activate(fg_cli *cli, fg_error *err);
fg_code fg_cmd_verify(fg_cli *cli, fg_error *err);
fg_code fg_cmd_compare(fg_cli *cli, fg_error *err);
fg_code fg_cmd_detect(fg_cli *cli, fg_error *err);
fg_code fg_cmd_embed(fg_cli *cli, fg_error *err);
fg_code fg_cmd_export(fg_cli *cli, fg_error *err);
fg_code fg_cmd_import(fg_cli *cli, fg_error *err);
fg_code fg_cmd_container_train(fg_cli *cli, fg_error *err);
fg_code fg_cmd_container_serve(fg_cli *cli, fg_error *err);
fg_code fg_cmd_models_list(fg_cli *cli, fg_error *err);
fg_code fg_cmd_models_show(fg_cli *cli, fg_error *err);
fg_code fg_cmd_models_verify(fg_cli *cli, fg_error *err);
fg_code fg_cmd_models_pull(fg_cli *cli, fg_error *err);
fg_code fg_cmd_models_use(fg_cli *cli, fg_error *err);
fg_code fg_cmd_eval_lfw(fg_cli *cli, fg_error *err);
fg_code fg_cmd_eval_openset(fg_cli *cli, fg_error *err);
fg_code fg_cmd_eval_detect(fg_cli *cli, fg_error *err);
fg_code fg_cmd_bench(fg_cli *cli, fg_error *err);
fg_code fg_cmd_keys_create(fg_cli *cli, fg_error *err);
fg_code fg_cmd_keys_list(fg_cli *cli, fg_error *err);
fg_code fg_cmd_keys_revoke(fg_cli *cli, fg_error *err);
fg_code fg_cmd_serve(fg_cli *cli, fg_error *err);
fg_code fg_cmd_sagemaker_train(fg_cli *cli, fg_error *err);
fg_code fg_cmd_sagemaker_deploy(fg_cli *cli, fg_error *err);
fg_code fg_cmd_sagemaker_status(fg_cli *cli, fg_error *err);
fg_code fg_cmd_sagemaker_invoke(fg_cli *cli, fg_error *err);
fg_code fg_cmd_sagemaker_delete(fg_cli *cli, fg_error *err);
fg_code fg_cmd_version(fg_cli *cli, fg_error *err);

#endif
