/* Messages for whoever runs the program: to stderr, one line each. No biometric data, no secret ever. */
#ifndef FG_BASE_LOG_H
#define FG_BASE_LOG_H

#include "facegate.h"

typedef enum fg_log_level { FG_LOG_ERROR, FG_LOG_WARN, FG_LOG_INFO, FG_LOG_DEBUG } fg_log_level;

/* Beside a message: what a program may look for. Never a name, a score, a picture or a secret. */
typedef struct fg_log_field {
    const char *name;
    const char *text; /* NULL: number */
    double number;
} fg_log_field;

/* The library itself never prints: it is given one of these, or NULL for silence. */
typedef struct fg_log {
    fg_log_level level; /* the most talkative level that is written */
    void (*write)(void *context, fg_log_level level, const char *line);
    /* NULL: fields become words of the line, name=value */
    void (*write_fields)(void *context, fg_log_level level, const char *line, const fg_log_field *fields,
                         int count);
    void *context;
} fg_log;

void fg_log_write(const fg_log *log, fg_log_level level, const char *fmt, ...) FG_PRINTF(3, 4);
void fg_log_fields(const fg_log *log, fg_log_level level, const char *message, const fg_log_field *fields,
                   int count);

#endif
