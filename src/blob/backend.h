/* What a back end of the blobs provides. blob.c checks keys before it calls these; a contract is the one of
 * the function of the same name in blob.h. */
#ifndef FG_BLOB_BACKEND_H
#define FG_BLOB_BACKEND_H

#include "base/file.h"
#include "blob/blob.h"

typedef struct fg_blob_backend {
    void (*close)(fg_blob *blob);
    fg_code (*put)(fg_blob *blob, const char *key, const void *data, size_t size, fg_error *err);
    fg_code (*put_file)(fg_blob *blob, const char *key, const char *path, bool take, fg_error *err);
    fg_code (*get)(fg_blob *blob, const char *key, fg_buf *out, fg_error *err);
    fg_code (*get_range)(fg_blob *blob, const char *key, uint64_t offset, size_t size, fg_buf *out,
                         fg_error *err);
    fg_code (*get_fd)(fg_blob *blob, const char *key, int fd, fg_error *err);
    fg_code (*remove)(fg_blob *blob, const char *key, fg_error *err);
    fg_code (*remove_prefix)(fg_blob *blob, const char *prefix, fg_error *err);
    fg_code (*list)(fg_blob *blob, const char *prefix,
                    bool (*each)(void *context, const char *key, uint64_t size), void *context,
                    fg_error *err);
    fg_code (*link)(fg_blob *blob, const char *key, int seconds, fg_buf *url, fg_error *err);
} fg_blob_backend;

/* The first member of each back end's own structure. */
struct fg_blob {
    const fg_blob_backend *backend;
};

/* dir.c */
fg_code fg_blob_dir_open(fg_blob **blob, const char *path, fg_error *err) FG_MUST_CHECK;

#endif
