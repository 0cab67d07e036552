#include "base/log.h"

#include "base/text.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>

enum { MAX_LINE = 1024 };

/* What comes from outside must not be able to forge a second line, nor to steer the terminal of who reads it.
 */
static void write_line(const fg_log *log, fg_log_level level, const char *text, const fg_log_field *fields,
                       int count)
{
    char line[MAX_LINE];
    fg_text_clean(line, sizeof line, text);
    if (log->write_fields)
        log->write_fields(log->context, level, line, fields, count);
    else
        log->write(log->context, level, line);
}

static bool is_wanted(const fg_log *log, fg_log_level level)
{
    return log && (log->write || log->write_fields) && level <= log->level;
}

void fg_log_write(const fg_log *log, fg_log_level level, const char *fmt, ...)
{
    char line[MAX_LINE];
    va_list args;
    if (!is_wanted(log, level))
        return;
    va_start(args, fmt);
    vsnprintf(line, sizeof line, fmt, args);
    va_end(args);
    write_line(log, level, line, NULL, 0);
}

void fg_log_fields(const fg_log *log, fg_log_level level, const char *message, const fg_log_field *fields,
                   int count)
{
    char line[MAX_LINE];
    if (!is_wanted(log, level))
        return;
    int n = snprintf(line, sizeof line, "%s", message);
    for (int i = 0; i < count && !log->write_fields && n >= 0 && (size_t)n < sizeof line; i++)
        n += fields[i].text
                 ? snprintf(line + n, sizeof line - (size_t)n, " %s=%s", fields[i].name, fields[i].text)
                 : snprintf(line + n, sizeof line - (size_t)n, " %s=%.10g", fields[i].name, fields[i].number);
    write_line(log, level, line, fields, count);
}
