/* Blobs: originals and chips, by key. A back end is a table of functions; dir.c keeps them in a folder.
 *
 * A key is 1..200 bytes of [a-z0-9._/-], without empty parts, "." or "..", e.g.
 * "members/01ab.../chips/000120.png". A put is atomic: after a crash the whole blob is there or none. */
#ifndef FG_BLOB_BLOB_H
#define FG_BLOB_BLOB_H

#include "base/buf.h"

#include <stdbool.h>

typedef struct fg_blob fg_blob; /* safe to share between threads */

/* url: "dir:PATH" or a plain path. Creates the folder (mode 0700). */
fg_code fg_blob_open(fg_blob **blob, const char *url, fg_error *err) FG_MUST_CHECK;
void fg_blob_close(fg_blob *blob);
fg_code fg_blob_put(fg_blob *blob, const char *key, const void *data, size_t size,
                    fg_error *err) FG_MUST_CHECK;
/* From a file on this machine; take: the file may be moved rather than copied, and is gone on success. */
fg_code fg_blob_put_file(fg_blob *blob, const char *key, const char *path, bool take,
                         fg_error *err) FG_MUST_CHECK;
/* Appends to out, whose cap applies. FG_ERR_NOT_FOUND. */
fg_code fg_blob_get(fg_blob *blob, const char *key, fg_buf *out, fg_error *err) FG_MUST_CHECK;
/* For good: overwritten where the file system allows it, then unlinked. Fine if it is not there. */
fg_code fg_blob_delete(fg_blob *blob, const char *key, fg_error *err) FG_MUST_CHECK;
/* Every blob whose key starts with prefix, which must end in '/'. */
fg_code fg_blob_delete_prefix(fg_blob *blob, const char *prefix, fg_error *err) FG_MUST_CHECK;
/* Calls each for every key under prefix ("" for all), in byte order; a callback that returns false ends it.
 */
fg_code fg_blob_list(fg_blob *blob, const char *prefix,
                     bool (*each)(void *context, const char *key, uint64_t size), void *context,
                     fg_error *err) FG_MUST_CHECK;

#endif
