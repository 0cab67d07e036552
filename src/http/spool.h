/* Temporary files of uploads: DATA/tmp/http-<random>/, one folder a running server, locked while it lives.
 * A folder whose lock is free belongs to a server that was killed, and is swept at the next start. */
#ifndef FG_HTTP_SPOOL_H
#define FG_HTTP_SPOOL_H

#include "base/error.h"
#include "base/limits.h"

#include <stddef.h>

typedef struct fg_spool fg_spool; /* safe to share between threads */

/* parent is created (0700); what killed servers left below it is deleted. */
fg_code fg_spool_open(fg_spool **spool, const char *parent, fg_error *err) FG_MUST_CHECK;
void fg_spool_close(fg_spool *spool); /* deletes the folder and all that is in it */
/* A new empty file, mode 0600; the caller closes *fd and unlinks path. */
fg_code fg_spool_file(fg_spool *spool, char path[FG_MAX_PATH], int *fd, fg_error *err) FG_MUST_CHECK;

#endif
