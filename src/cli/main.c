#include "cli/cli.h"

#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { OPT_SETTING = 1000, OPT_HELP, OPT_VERSION, OPT_MARKDOWN, MAX_OPTIONS = 128 };

typedef struct given {
    bool seen[MAX_OPTIONS]; /* by index in fg_setting_table */
    bool help, version, markdown;
} given;

static fg_code parse(int argc, char **argv, fg_cli *cli, given *g, fg_error *err)
{
    struct option options[MAX_OPTIONS + 4] = {0};
    size_t n = 0;
    for (; n < fg_setting_count && n < MAX_OPTIONS; n++)
        options[n] =
            (struct option){fg_setting_table[n].name,
                            fg_setting_table[n].kind == FG_SETTING_SWITCH ? no_argument : required_argument,
                            NULL, OPT_SETTING};
    options[n++] = (struct option){"help", no_argument, NULL, OPT_HELP};
    options[n++] = (struct option){"version", no_argument, NULL, OPT_VERSION};
    options[n++] = (struct option){"markdown", no_argument, NULL, OPT_MARKDOWN};
    opterr = 0;
    for (int option, at; (option = getopt_long(argc, argv, ":h", options, &at)) != -1;) {
        const char *text = argv[optind - 1];
        switch (option) {
        case OPT_SETTING:
            if (fg_setting_table[at].secret) {
                char variable[64];
                fg_setting_variable(&fg_setting_table[at], variable, sizeof variable);
                return FG_FAIL(err, FG_ERR_USAGE,
                               "--%s: other users can see flags; give it in the variable %s",
                               options[at].name, variable);
            }
            if (!g->seen[at] && fg_setting_table[at].kind == FG_SETTING_LIST)
                fg_settings_empty(&cli->settings, options[at].name); /* of what the variable gave */
            fg_code rc = fg_settings_set(&cli->settings, options[at].name, optarg, err);
            if (rc != FG_OK)
                return rc;
            g->seen[at] = true;
            break;
        case 'h':
        case OPT_HELP:
            g->help = true;
            break;
        case OPT_VERSION:
            g->version = true;
            break;
        case OPT_MARKDOWN:
            g->markdown = true;
            break;
        case ':':
            return FG_FAIL(err, FG_ERR_USAGE, "%s: its value is missing", text);
        default:
            return FG_FAIL(err, FG_ERR_USAGE, "%s: no such flag; `facegate --help` lists them", text);
        }
    }
    return FG_OK;
}

bool fg_cli_given(const fg_cli *cli, const char *setting)
{
    const fg_setting *s = fg_setting_find(setting);
    return s && cli->given && cli->given[s - fg_setting_table];
}

/* The command whose words the arguments start with; its own arguments begin at *used. */
static const fg_command *find(char *const *words, int count, int *used)
{
    char two[64] = "";
    if (count > 1)
        snprintf(two, sizeof two, "%s %s", words[0], words[1]);
    for (int i = 0; i < fg_command_count; i++) {
        bool is_two = strchr(fg_commands[i].name, ' ') != NULL;
        if (strcmp(fg_commands[i].name, is_two ? two : words[0]) == 0) {
            *used = is_two ? 2 : 1;
            return &fg_commands[i];
        }
    }
    return NULL;
}

/* "members": which commands there are. */
static void list_group(const char *word, char *out, size_t out_size)
{
    const size_t n = strlen(word);
    size_t used = 0;
    *out = 0;
    for (int i = 0; i < fg_command_count; i++)
        if (strncmp(fg_commands[i].name, word, n) == 0 && fg_commands[i].name[n] == ' ' && used < out_size)
            used += (size_t)snprintf(out + used, out_size - used, "%s%s", used ? ", " : "",
                                     fg_commands[i].name + n + 1);
}

/* "members" alone, or with a word that it does not know: says which there are. */
static fg_code unknown(char *const *words, int count, fg_error *err)
{
    char known[256];
    list_group(words[0], known, sizeof known);
    if (*known && count > 1)
        return FG_FAIL(err, FG_ERR_USAGE, "%s %s: no such command; there are %s", words[0], words[1], known);
    if (*known)
        return FG_FAIL(err, FG_ERR_USAGE, "%s: say what to do: %s", words[0], known);
    return FG_FAIL(err, FG_ERR_USAGE, "%s: no such command; `facegate --help` lists them", words[0]);
}

/* What can be seen to be wrong before a data folder is made for it. */
static const struct {
    fg_code (*run)(fg_cli *cli, fg_error *err);
    fg_code (*check)(const fg_cli *cli, fg_error *err);
} checks[] = {{fg_cmd_enroll, fg_cmd_enroll_check}, {fg_cmd_import, fg_cmd_import_check}};

static fg_code check(const fg_command *command, const fg_cli *cli, const given *g, fg_error *err)
{
    for (size_t i = 0; i < fg_setting_count; i++)
        if (g->seen[i] && !fg_cli_takes(command, fg_setting_table[i].name))
            return FG_FAIL(err, FG_ERR_USAGE,
                           "%s does not take --%s; `facegate %s --help` lists what it takes", command->name,
                           fg_setting_table[i].name, command->name);
    for (int i = 0; fg_cli_takes(command, "right") && i < cli->settings.right.count; i++)
        if (strchr(cli->settings.right.items[i], ','))
            return FG_FAIL(err, FG_ERR_USAGE, "--right %s: one right each; give --right once for every right",
                           cli->settings.right.items[i]);
    if (cli->settings.out && strcmp(cli->settings.out, "-") == 0 && fg_cli_takes(command, "out"))
        return FG_FAIL(err, FG_ERR_USAGE,
                       "--out -: standard output is not written to; give the name of a file");
    if (cli->arg_count < command->min_args)
        return FG_FAIL(err, FG_ERR_USAGE, "%s: %s is missing", command->name, command->args);
    if (command->max_args >= 0 && cli->arg_count > command->max_args)
        return FG_FAIL(err, FG_ERR_USAGE, "%s: one argument too many for `facegate %s`",
                       cli->args[command->max_args], command->name);
    for (size_t i = 0; i < sizeof checks / sizeof checks[0]; i++)
        if (command->run == checks[i].run)
            return checks[i].check(cli, err);
    return FG_OK;
}

/* As `| head` does: nothing is wrong then, and there is nothing to say. */
static bool reader_is_gone(void)
{
    struct pollfd out = {.fd = STDOUT_FILENO, .events = POLLOUT};
    return poll(&out, 1, 0) == 1 && (out.revents & POLLERR);
}

static int finish(fg_cli *cli, const fg_error *err, fg_code rc)
{
    fg_cli_progress_end(cli);
    fg_app_close(cli->app);
    if (rc != FG_OK) {
        if (err->msg[0])
            fg_cli_error(cli, NULL, err);
        return fg_code_exit_status(rc);
    }
    /* What could not be written was not said: a full disk behind a redirection must not look like success. */
    if (fflush(stdout) != 0 || ferror(stdout)) {
        if (!reader_is_gone())
            fprintf(stderr,
                    "facegate: cannot write to standard output; free some space or choose another place\n");
        return FG_EXIT_ERROR;
    }
    if (fg_cli_json_failed()) {
        fprintf(stderr, "facegate: no JSON could be made of a result\n");
        return FG_EXIT_ERROR;
    }
    return cli->status;
}

int main(int argc, char **argv)
{
    fg_cli cli = {0};
    fg_error err = {0};
    given g = {0};
    int used = 0;
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a file size limit is then an error of the write, with nothing lost */
    if (sodium_init() < 0) {
        fprintf(stderr, "facegate: no source of random numbers\n");
        return FG_EXIT_ERROR;
    }
    fg_code rc = fg_settings_init(&cli.settings, &err);
    if (rc == FG_OK)
        rc = parse(argc, argv, &cli, &g, &err);
    if (rc != FG_OK)
        return finish(&cli, &err, rc);
    char *const *words = argv + optind;
    int count = argc - optind;
    if (g.version)
        return finish(&cli, &err, fg_cmd_version(&cli, &err));
    if (count > 0 && strcmp(words[0], "help") == 0) {
        g.help = true;
        words++;
        count--;
    }
    if (g.markdown) {
        fg_cli_help_markdown();
        return finish(&cli, &err, FG_OK);
    }
    if (count == 0) {
        if (!g.help)
            return finish(
                &cli, &err,
                FG_FAIL(&err, FG_ERR_USAGE, "say what to do; `facegate --help` lists the commands"));
        fg_cli_help();
        return finish(&cli, &err, FG_OK);
    }
    const fg_command *command = find(words, count, &used);
    if (!command && g.help && count == 1 && fg_cli_help_group(words[0]))
        return finish(&cli, &err, FG_OK);
    if (!command)
        return finish(&cli, &err, unknown(words, count, &err));
    if (!g.help)
        command = fg_cli_in_container(command, &cli.settings);
    if (g.help) {
        fg_cli_help_command(command);
        return finish(&cli, &err, FG_OK);
    }
    cli.given = g.seen;
    cli.args = words + used;
    cli.arg_count = count - used;
    cli.log = (fg_log){.level = fg_cli_log_level(&cli.settings), .write = fg_cli_log_write, .context = &cli};
    if (strcmp(cli.settings.log_format, "json") == 0)
        cli.log.write_fields = fg_cli_log_json;
    fg_cli_progress_init(&cli);
    rc = check(command, &cli, &g, &err);
    if (rc == FG_OK && command->parts)
        rc = fg_app_open(&cli.app, &cli.settings, command->parts, &cli.log, &err);
    if (rc == FG_OK)
        rc = command->run(&cli, &err);
    return finish(&cli, &err, rc);
}
