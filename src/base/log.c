#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>

void fg_log_write(const fg_log *log, fg_log_level level, const char *fmt, ...)
{
    char line[1024];
    va_list args;
    if (!log || !log->write || level > log->level)
        return;
    va_start(args, fmt);
    vsnprintf(line, sizeof line, fmt, args);
    va_end(args);
    /* A name or a path must not be able to forge a second line. */
    for (char *p = line; *p; p++)
        if ((unsigned char)*p < ' ')
            *p = '?';
    log->write(log->context, level, line);
}
