#include "cli/cli.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

void fg_cli_print_json(json_t *document)
{
    if (document && json_dumpf(document, stdout, JSON_COMPACT | JSON_REAL_PRECISION(10)) == 0)
        putchar('\n');
    json_decref(document);
    fflush(stdout);
}

static void clear_bar(fg_cli *cli)
{
    if (cli->bar_open)
        fprintf(stderr, "\r\033[K");
    cli->bar_open = false;
}

void fg_cli_error(fg_cli *cli, const char *input, const fg_error *err)
{
    clear_bar(cli);
    fprintf(stderr, "facegate: %s\n", err->msg);
    if (!cli->settings.json)
        return;
    json_t *document = json_object();
    if (input)
        json_object_set_new(document, "input", json_string(input));
    json_object_set_new(document, "error",
                        json_pack("{s:s, s:s}", "code", fg_code_name(err->code), "message", err->msg));
    fg_cli_print_json(document);
}

void fg_cli_note(fg_cli *cli, const char *fmt, ...)
{
    va_list args;
    if (cli->settings.quiet)
        return;
    clear_bar(cli);
    va_start(args, fmt);
    vfprintf(stderr, fmt, args);
    va_end(args);
    fputc('\n', stderr);
}

static bool draw(void *context, const char *what, long done, long total)
{
    fg_cli *cli = context;
    enum { WIDTH = 30 };
    if (total > 0) {
        int filled = (int)(done >= total ? WIDTH : done * WIDTH / total);
        fprintf(stderr, "\r\033[K%-10s [%.*s%*s] %ld/%ld", what, filled, "##############################",
                WIDTH - filled, "", done, total);
    } else {
        fprintf(stderr, "\r\033[K%-10s %ld", what, done);
    }
    fflush(stderr);
    cli->bar_open = true;
    return true;
}

void fg_cli_progress_init(fg_cli *cli)
{
    cli->progress = (fg_progress){0};
    if (!cli->settings.quiet && isatty(STDERR_FILENO))
        cli->progress = (fg_progress){draw, cli};
}

void fg_cli_progress_end(fg_cli *cli)
{
    clear_bar(cli);
}

void fg_cli_log_write(void *context, fg_log_level level, const char *line)
{
    static const char *const names[] = {"error", "warning", "info", "debug"};
    clear_bar(context);
    fprintf(stderr, "facegate: %s: %s\n", names[level], line);
}
