/* Files, whole: read with a cap, written so that a reader never sees half of one. */
#ifndef FG_BASE_FILE_H
#define FG_BASE_FILE_H

#include "base/buf.h"
#include "base/limits.h"

#include <stdbool.h>

#define FG_SHA256_HEX 65 /* bytes of a SHA-256 in lower-case hex, with its NUL */

/* Appends the file to buf; buf->max_size is the cap. The message names the path. */
fg_code fg_file_read(const char *path, fg_buf *buf, fg_error *err) FG_MUST_CHECK;
/* Writes a temporary neighbour, fsyncs it and renames it over path: after a crash the old or the new file is
 * there, never a mixture. Mode 0600. */
fg_code fg_file_write_atomic(const char *path, const void *data, size_t size, fg_error *err) FG_MUST_CHECK;
/* The same in two steps, for what is written piece by piece: an empty neighbour of path, mode 0600 (the
 * caller closes *fd), and then the fsync and the renaming. A commit that fails removes tmp. */
fg_code fg_file_temp(const char *path, char tmp[FG_MAX_PATH], int *fd, fg_error *err) FG_MUST_CHECK;
fg_code fg_file_commit(const char *tmp, const char *path, fg_error *err) FG_MUST_CHECK;
/* The folder that path is in, so that a name given in it lasts; fg_file_commit does that by itself. */
void fg_file_sync_folder(const char *path);
/* All of it, to an open file; path is for the message. */
fg_code fg_fd_write(int fd, const char *path, const void *data, size_t size, fg_error *err) FG_MUST_CHECK;
/* Creates the folder and its parents, mode 0700. Fine if it is there. */
fg_code fg_dir_create(const char *path, fg_error *err) FG_MUST_CHECK;
bool fg_file_exists(const char *path);
/* Not merely somewhere that may not be looked into. */
bool fg_file_is_missing(const char *path);
/* SHA-256 (FIPS 180-4) of a file, read in pieces; *size_bytes may be NULL. */
fg_code fg_file_sha256(const char *path, char hex[FG_SHA256_HEX], uint64_t *size_bytes,
                       fg_error *err) FG_MUST_CHECK;
void fg_sha256_hex(const void *data, size_t size, char hex[FG_SHA256_HEX]);
/* Joins with one '/'; FG_ERR_LIMIT if the result does not fit. */
fg_code fg_path_join(char *out, size_t out_size, const char *dir, const char *name,
                     fg_error *err) FG_MUST_CHECK;

#endif
