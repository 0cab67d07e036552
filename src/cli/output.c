#include "cli/cli.h"

#include "base/clock.h"
#include "base/text.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Of this process, as its output is. */
static bool json_failed;

void fg_cli_print_json(json_t *document)
{
    if (!document || json_dumpf(document, stdout, JSON_COMPACT | JSON_REAL_PRECISION(10)) != 0) {
        json_failed = true;
        fputs(document ? "" : "{\"error\":{\"code\":\"internal\",\"message\":\"no JSON could be made\"}}",
              stdout);
    }
    putchar('\n');
    json_decref(document);
    fflush(stdout);
}

bool fg_cli_json_failed(void)
{
    return json_failed;
}

json_t *fg_cli_json_number(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static void clear_bar(fg_cli *cli)
{
    if (atomic_exchange(&cli->bar_open, false))
        fprintf(stderr, "\r\033[K");
}

void fg_cli_error(fg_cli *cli, const char *input, const fg_error *err)
{
    clear_bar(cli);
    fprintf(stderr, "facegate: %s\n", err->msg);
    if (!cli->settings.json)
        return;
    json_t *document = json_object();
    if (input)
        json_object_set_new(document, "input", fg_text_json(input));
    json_object_set_new(
        document, "error",
        json_pack("{s:s, s:o}", "code", fg_code_name(err->code), "message", fg_text_json(err->msg)));
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
    atomic_store(&cli->bar_open, true);
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

static const char *const level_names[] = {"error", "warning", "info", "debug"};

void fg_cli_log_json(void *context, fg_log_level level, const char *line, const fg_log_field *fields,
                     int count)
{
    char time[FG_TIME_TEXT];
    fg_clock_text(fg_clock_unix_ms(), time);
    json_t *object = json_pack("{s:s, s:s, s:s}", "time", time, "level", level_names[level], "message", line);
    for (int i = 0; i < count; i++) {
        char clean[256] = "";
        fg_text_clean(clean, sizeof clean, fields[i].text);
        json_object_set_new(object, fields[i].name,
                            fields[i].text ? json_string(clean) : json_real(fields[i].number));
    }
    char *text = json_dumps(object, JSON_COMPACT | JSON_REAL_PRECISION(10));
    clear_bar(context);
    if (text)
        fprintf(stderr, "%s\n", text);
    free(text);
    json_decref(object);
}

fg_log_level fg_cli_log_level(const fg_settings *settings)
{
    if (settings->quiet)
        return FG_LOG_WARN;
    for (int i = 0; i < FG_LOG_DEBUG; i++)
        if (strcmp(settings->log_level, level_names[i]) == 0)
            return (fg_log_level)i;
    return FG_LOG_DEBUG;
}

void fg_cli_log_write(void *context, fg_log_level level, const char *line)
{
    clear_bar(context);
    fprintf(stderr, "facegate: %s: %s\n", level_names[level], line);
}
