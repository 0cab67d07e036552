/* Blobs: originals and chips, by key. A back end is a table of functions; dir.c keeps them in a folder,
 * s3.c in a bucket.
 *
 * A key is 1..200 bytes of [a-z0-9._/-], without empty parts, "." or ".." (fg_text_is_key), e.g.
 * "members/01ab.../chips/000120.png"; anything else is FG_ERR_USAGE. A put is atomic and durable: after a
 * crash or a power cut the whole blob is there or none, and all of it once the put has returned.
 *
 * Errors of every call: FG_ERR_FULL, FG_ERR_FORBIDDEN (read-only), FG_ERR_IO, FG_ERR_MEMORY; FG_ERR_INPUT
 * where the folder holds something that Facegate did not put there, such as a symbolic link, which is never
 * followed. */
#ifndef FG_BLOB_BLOB_H
#define FG_BLOB_BLOB_H

#include "base/buf.h"
#include "base/log.h"
#include "base/settings.h"

#include <stdbool.h>

typedef struct fg_blob fg_blob; /* safe to share between threads */

/* url: "dir:PATH" or a plain path, created (mode 0700); or "s3://BUCKET/PREFIX", where the bucket has to be
 * there, but nothing is asked of it yet. FG_ERR_UNSUPPORTED for any other scheme. */
fg_code fg_blob_open(fg_blob **blob, const char *url, fg_error *err) FG_MUST_CHECK;
/* With the settings that a bucket needs, and a log that is told of second tries; either may be NULL. */
fg_code fg_blob_open_with(fg_blob **blob, const char *url, const fg_settings *settings, const fg_log *log,
                          fg_error *err) FG_MUST_CHECK;
void fg_blob_close(fg_blob *blob);
fg_code fg_blob_put(fg_blob *blob, const char *key, const void *data, size_t size,
                    fg_error *err) FG_MUST_CHECK;
/* From a file on this machine, of any size; take: the file is moved where that is possible, else copied,
 * wiped and unlinked: it is gone on success. FG_ERR_NOT_FOUND, FG_ERR_INPUT (not a plain file). */
fg_code fg_blob_put_file(fg_blob *blob, const char *key, const char *path, bool take,
                         fg_error *err) FG_MUST_CHECK;
/* Appends to out, whose cap applies (FG_ERR_LIMIT, before anything is read). FG_ERR_NOT_FOUND. */
fg_code fg_blob_get(fg_blob *blob, const char *key, fg_buf *out, fg_error *err) FG_MUST_CHECK;
/* size bytes (more than 0) from offset on, or as many as there are; FG_ERR_LIMIT where the blob ends before
 * them. */
fg_code fg_blob_get_range(fg_blob *blob, const char *key, uint64_t offset, size_t size, fg_buf *out,
                          fg_error *err) FG_MUST_CHECK;
/* Into a file that is open for writing, from its start on, in the same memory for any size. The file's own
 * position is not moved. */
fg_code fg_blob_get_fd(fg_blob *blob, const char *key, int fd, fg_error *err) FG_MUST_CHECK;
/* Appends a link that lets whoever has it fetch the blob for that many seconds, up to a week: a secret.
 * FG_ERR_UNSUPPORTED for a folder. */
fg_code fg_blob_link(fg_blob *blob, const char *key, int seconds, fg_buf *url, fg_error *err) FG_MUST_CHECK;
/* For good: overwritten where the file system allows it, then unlinked. Fine if it is not there. */
fg_code fg_blob_delete(fg_blob *blob, const char *key, fg_error *err) FG_MUST_CHECK;
/* Every blob whose key starts with prefix, which must end in '/', and what puts that were killed left there.
 * Fine if there is none. */
fg_code fg_blob_delete_prefix(fg_blob *blob, const char *prefix, fg_error *err) FG_MUST_CHECK;
/* Calls each for every key under prefix ("" for all, else it must end in '/'), in byte order; a callback that
 * returns false ends it. The callback may put and delete; what changes meanwhile may be missed, and is never
 * reported twice. */
fg_code fg_blob_list(fg_blob *blob, const char *prefix,
                     bool (*each)(void *context, const char *key, uint64_t size), void *context,
                     fg_error *err) FG_MUST_CHECK;

#endif
