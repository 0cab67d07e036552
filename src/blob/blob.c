/* The entry points: keys checked, then the back end. */
#include "blob/s3.h"

#include "base/text.h"

#include <string.h>

fg_code fg_blob_open_with(fg_blob **blob, const char *url, const fg_settings *settings, const fg_log *log,
                          fg_error *err)
{
    static const char scheme[] = "dir:";
    *blob = NULL;
    if (url && strncmp(url, "s3://", 5) == 0)
        return fg_blob_s3_open(blob, url, settings, log, err);
    const char *path = url && strncmp(url, scheme, sizeof scheme - 1) == 0 ? url + sizeof scheme - 1 : url;
    if (!path || !*path)
        return FG_FAIL(err, FG_ERR_USAGE,
                       "the address of the blobs is empty; give dir:PATH or s3://BUCKET/PREFIX");
    if (path == url && strstr(path, "://"))
        return FG_FAIL(err, FG_ERR_UNSUPPORTED,
                       "%.100s: there is no such place for blobs; give dir:PATH or s3://BUCKET/PREFIX", url);
    return fg_blob_dir_open(blob, path, err);
}

fg_code fg_blob_open(fg_blob **blob, const char *url, fg_error *err)
{
    return fg_blob_open_with(blob, url, NULL, NULL, err);
}

void fg_blob_close(fg_blob *blob)
{
    if (blob)
        blob->backend->close(blob);
}

static fg_code check_key(const char *key, fg_error *err)
{
    return fg_text_is_key(key) ? FG_OK : FG_FAIL(err, FG_ERR_USAGE, "not the key of a blob");
}

static fg_code check_prefix(const char *prefix, fg_error *err)
{
    return fg_text_is_prefix(prefix) ? FG_OK : FG_FAIL(err, FG_ERR_USAGE, "not a prefix of blobs");
}

fg_code fg_blob_put(fg_blob *blob, const char *key, const void *data, size_t size, fg_error *err)
{
    fg_code rc = check_key(key, err);
    return rc == FG_OK ? fg_error_local(err, blob->backend->put(blob, key, data, size, err)) : rc;
}

fg_code fg_blob_put_file(fg_blob *blob, const char *key, const char *path, bool take, fg_error *err)
{
    fg_code rc = check_key(key, err);
    return rc == FG_OK ? fg_error_local(err, blob->backend->put_file(blob, key, path, take, err)) : rc;
}

fg_code fg_blob_get(fg_blob *blob, const char *key, fg_buf *out, fg_error *err)
{
    fg_code rc = check_key(key, err);
    return rc == FG_OK ? fg_error_local(err, blob->backend->get(blob, key, out, err)) : rc;
}

fg_code fg_blob_get_range(fg_blob *blob, const char *key, uint64_t offset, size_t size, fg_buf *out,
                          fg_error *err)
{
    fg_code rc = check_key(key, err);
    if (rc == FG_OK && (size == 0 || offset > INT64_MAX - size))
        rc = FG_FAIL(err, FG_ERR_USAGE, "not a range of a blob");
    return rc == FG_OK ? fg_error_local(err, blob->backend->get_range(blob, key, offset, size, out, err))
                       : rc;
}

fg_code fg_blob_get_fd(fg_blob *blob, const char *key, int fd, fg_error *err)
{
    fg_code rc = check_key(key, err);
    return rc == FG_OK ? fg_error_local(err, blob->backend->get_fd(blob, key, fd, err)) : rc;
}

fg_code fg_blob_link(fg_blob *blob, const char *key, int seconds, fg_buf *url, fg_error *err)
{
    fg_code rc = check_key(key, err);
    return rc == FG_OK ? fg_error_local(err, blob->backend->link(blob, key, seconds, url, err)) : rc;
}

fg_code fg_blob_delete(fg_blob *blob, const char *key, fg_error *err)
{
    fg_code rc = check_key(key, err);
    return rc == FG_OK ? fg_error_local(err, blob->backend->remove(blob, key, err)) : rc;
}

fg_code fg_blob_delete_prefix(fg_blob *blob, const char *prefix, fg_error *err)
{
    fg_code rc = check_prefix(prefix, err);
    return rc == FG_OK ? fg_error_local(err, blob->backend->remove_prefix(blob, prefix, err)) : rc;
}

fg_code fg_blob_list(fg_blob *blob, const char *prefix,
                     bool (*each)(void *context, const char *key, uint64_t size), void *context,
                     fg_error *err)
{
    fg_code rc = *prefix ? check_prefix(prefix, err) : FG_OK;
    return rc == FG_OK ? fg_error_local(err, blob->backend->list(blob, prefix, each, context, err)) : rc;
}
