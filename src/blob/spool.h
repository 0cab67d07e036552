/* Temporary files, of uploads and of datasets on their way: DATA/tmp/spool-<random>/, a folder for each
 * server or command that needs one, locked while it lives. A folder whose lock is free belongs to a process
 * that was killed, and is swept by the next one. What is still in it then is overwritten, as
 * blobs are. */
#ifndef FG_BLOB_SPOOL_H
#define FG_BLOB_SPOOL_H

#include "base/error.h"
#include "base/limits.h"

#include <stddef.h>

typedef struct fg_spool fg_spool; /* safe to share between threads */

/* Deletes what killed processes left below parent, which need not be there. */
void fg_spool_sweep(const char *parent);
/* parent is created (0700), and swept. */
fg_code fg_spool_open(fg_spool **spool, const char *parent, fg_error *err) FG_MUST_CHECK;
void fg_spool_close(fg_spool *spool); /* deletes the folder and all that is in it */
/* A new empty file, mode 0600; the caller closes *fd, and may unlink path or rename another file to it. */
fg_code fg_spool_file(fg_spool *spool, char path[FG_MAX_PATH], int *fd, fg_error *err) FG_MUST_CHECK;
/* A spool in data/tmp with one such file; *spool is NULL on failure. */
fg_code fg_spool_one(fg_spool **spool, const char *data, char path[FG_MAX_PATH], int *fd,
                     fg_error *err) FG_MUST_CHECK;

/* Overwrites a file that held faces for long enough to reach the disk, as far as possible, and unlinks it. */
void fg_spool_wipe(const char *path);

#endif
