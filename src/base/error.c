#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    int exit_status;
    unsigned http_status;
} codes[FG_CODE_COUNT] = {
    [FG_OK] = {"ok", 0, 200},
    [FG_ERR_USAGE] = {"usage", 2, 400},
    [FG_ERR_INPUT] = {"bad_input", 1, 422},
    [FG_ERR_UNSUPPORTED] = {"unsupported", 1, 415},
    [FG_ERR_LIMIT] = {"too_large", 1, 413},
    [FG_ERR_NOT_FOUND] = {"not_found", 1, 404},
    [FG_ERR_EXISTS] = {"exists", 1, 409},
    [FG_ERR_STATE] = {"wrong_state", 1, 409},
    [FG_ERR_UNAUTHORIZED] = {"unauthorized", 1, 401},
    [FG_ERR_FORBIDDEN] = {"forbidden", 1, 403},
    [FG_ERR_BUSY] = {"busy", 1, 503},
    [FG_ERR_FULL] = {"no_space", 1, 507},
    [FG_ERR_IO] = {"io", 1, 500},
    [FG_ERR_MODEL] = {"model", 1, 500},
    [FG_ERR_CANCELLED] = {"cancelled", 1, 409},
    [FG_ERR_MEMORY] = {"out_of_memory", 1, 503},
    [FG_ERR_INTERNAL] = {"internal", 1, 500},
};

const char *fg_version(void)
{
    return FG_VERSION;
}

static unsigned slot(fg_code code)
{
    return (unsigned)code < FG_CODE_COUNT ? (unsigned)code : FG_ERR_INTERNAL;
}

const char *fg_code_name(fg_code code)
{
    return codes[slot(code)].name;
}

int fg_code_exit_status(fg_code code)
{
    return codes[slot(code)].exit_status;
}

unsigned fg_code_http_status(fg_code code)
{
    return codes[slot(code)].http_status;
}

fg_code fg_fail(fg_error *err, fg_code code, const char *where, const char *fmt, ...)
{
    if (err) {
        va_list args;
        err->code = code;
        err->local = false;
        snprintf(err->where, sizeof err->where, "%s", where);
        va_start(args, fmt);
        vsnprintf(err->msg, sizeof err->msg, fmt, args);
        va_end(args);
    }
    return code;
}

/* What a user can do about an errno; anything not listed is a plain FG_ERR_IO without advice. */
static const struct {
    int errnum;
    fg_code code;
    const char *advice;
} errnos[] = {
    {ENOENT, FG_ERR_NOT_FOUND, "check the path"},
    {ENOTDIR, FG_ERR_NOT_FOUND, "check the path"},
    {EISDIR, FG_ERR_INPUT, "give a file, not a folder"},
    {EACCES, FG_ERR_FORBIDDEN, "change its permissions or run as its owner"},
    {EPERM, FG_ERR_FORBIDDEN, "change its permissions or run as its owner"},
    {EROFS, FG_ERR_FORBIDDEN, "choose a folder that can be written to"},
    {EEXIST, FG_ERR_EXISTS, "choose another name"},
    {ENOSPC, FG_ERR_FULL, "free some space and try again; nothing was lost"},
    {EDQUOT, FG_ERR_FULL, "free some space and try again; nothing was lost"},
    {EFBIG, FG_ERR_FULL, "free some space and try again; nothing was lost"},
    {EADDRINUSE, FG_ERR_BUSY, "choose another port"},
    {EMFILE, FG_ERR_BUSY, "raise the limit of open files"},
    {ENOMEM, FG_ERR_MEMORY, "free some memory"},
};

fg_code fg_fail_errno(fg_error *err, int errnum, const char *where, const char *what, const char *path)
{
    char text[128] = "";
    fg_code code = FG_ERR_IO;
    const char *advice = "";
    for (size_t i = 0; i < sizeof errnos / sizeof errnos[0]; i++) {
        if (errnos[i].errnum == errnum) {
            code = errnos[i].code;
            advice = errnos[i].advice;
        }
    }
    if (strerror_r(errnum, text, sizeof text) != 0)
        snprintf(text, sizeof text, "error %d", errnum);
    fg_fail(err, code, where, "%s: %s: %s%s%s", path, what, text, *advice ? "; " : "", advice);
    return fg_error_local(err, code);
}

fg_code fg_error_local(fg_error *err, fg_code code)
{
    if (err && code != FG_OK)
        err->local = true;
    return code;
}

const char *fg_error_told(const fg_error *err)
{
    if (!err->local)
        return err->msg;
    return err->code == FG_ERR_FULL   ? "the server has no space left; try again later"
           : err->code == FG_ERR_BUSY ? "the server is busy; try again in a while"
                                      : "something went wrong in the server; its log says what";
}

enum { MAX_PREFIX = 200 };

fg_code fg_error_prefix(fg_error *err, fg_code code, const char *prefix)
{
    if (err) {
        char msg[sizeof err->msg];
        memcpy(msg, err->msg, sizeof msg);
        size_t room = sizeof err->msg;
        int n = snprintf(err->msg, room, "%.*s: ", MAX_PREFIX, prefix);
        if (n > 0 && (size_t)n < room)
            snprintf(err->msg + n, room - (size_t)n, "%s", msg);
        code = err->code;
    }
    return code;
}

void fg_error_rename(fg_error *err, const char *path, const char *name)
{
    char key[sizeof err->msg], rest[sizeof err->msg];
    snprintf(key, sizeof key, "%s", path);
    char *at = *key ? strstr(err->msg, key) : NULL;
    if (!at && strlen(key) > MAX_PREFIX) {
        key[MAX_PREFIX] = 0;
        at = strstr(err->msg, key);
    }
    if (!at)
        return;
    const size_t room = sizeof err->msg - (size_t)(at - err->msg);
    snprintf(rest, sizeof rest, "%s", at + strlen(key));
    snprintf(at, room, "%s", name);
    const size_t n = strlen(at);
    snprintf(at + n, room - n, "%s", rest);
}
