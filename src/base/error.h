/* Errors: see facegate.h for the rules. */
#ifndef FG_BASE_ERROR_H
#define FG_BASE_ERROR_H

#include "facegate.h"

/* Fills *err (which may be NULL) and returns code, so that a failing function can end with
 *     rc = FG_FAIL(err, FG_ERR_INPUT, "%s: not a photo", name); goto done; */
fg_code fg_fail(fg_error *err, fg_code code, const char *where, const char *fmt, ...) FG_PRINTF(4, 5);
/* Never FG_OK, and said here so that whoever reads one file alone (a static analyser) knows it too. */
static inline fg_code fg_failed(fg_code code)
{
    return code == FG_OK ? FG_ERR_INTERNAL : code;
}
#define FG_FAIL(err, code, ...) fg_failed(fg_fail((err), (code), __func__, __VA_ARGS__))

/* The code for an errno of the file system, with the message "<what> <path>: <strerror>" and advice. */
fg_code fg_fail_errno(fg_error *err, int errnum, const char *where, const char *what, const char *path);
#define FG_FAIL_ERRNO(err, what, path) fg_failed(fg_fail_errno((err), errno, __func__, (what), (path)))

/* Puts "<prefix>: " before the message of an error passed up; returns err's code (or code when err is NULL).
 */
fg_code fg_error_prefix(fg_error *err, fg_code code, const char *prefix);

/* Marks what a call that returned code has filled as local, where it failed; returns code. */
fg_code fg_error_local(fg_error *err, fg_code code);
/* What may be told to somebody at another machine: the message, unless it is local. */
const char *fg_error_told(const fg_error *err);
/* Says the name in place of the path: people do not know a file by where it lies here. */
void fg_error_rename(fg_error *err, const char *path, const char *name);

const char *fg_code_name(fg_code code); /* "not_found": stable, used in JSON and in problem documents */
int fg_code_exit_status(fg_code code);  /* 0, 1 or 2 */
unsigned fg_code_http_status(fg_code code);

#endif
