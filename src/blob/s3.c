#include "blob/s3.h"

#include "base/text.h"
#include "blob/dir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct fg_blob_s3 {
    fg_blob base;
    fg_aws *aws;
    fg_s3 *s3;
} fg_blob_s3;

static fg_blob_s3 *s3_of(fg_blob *blob)
{
    return (fg_blob_s3 *)blob; /* base comes first */
}

static fg_code s3_put(fg_blob *blob, const char *key, const void *data, size_t size, fg_error *err)
{
    return fg_s3_put(s3_of(blob)->s3, key, data, size, err);
}

static fg_code s3_put_file(fg_blob *blob, const char *key, const char *path, bool take, fg_error *err)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return FG_FAIL_ERRNO(err, "cannot open", path);
    fg_code rc = FG_OK;
    if (fstat(fd, &st) != 0)
        rc = FG_FAIL_ERRNO(err, "cannot read", path);
    else if (S_ISDIR(st.st_mode))
        rc = fg_fail_errno(err, EISDIR, __func__, "cannot read", path);
    else if (!S_ISREG(st.st_mode))
        rc = FG_FAIL(err, FG_ERR_INPUT, "%s: not a plain file", path);
    if (rc == FG_OK)
        rc = fg_s3_put_fd(s3_of(blob)->s3, key, fd, err);
    close(fd);
    if (rc == FG_OK && take && fg_blob_dir_wipe(AT_FDCWD, path) != 0)
        rc = FG_FAIL_ERRNO(err, "cannot remove", path);
    return rc;
}

/* -- reading -- */

typedef struct target {
    fg_buf *out; /* or, where it is NULL ... */
    int fd;      /* ... a file */
    const char *name;
} target;

static fg_code target_begin(void *context, uint64_t size, fg_error *err)
{
    const target *t = context;
    if (t->out && (t->out->size > t->out->max_size || size > t->out->max_size - t->out->size))
        return FG_FAIL(err, FG_ERR_LIMIT, "%s: larger than %zu bytes", t->name, t->out->max_size);
    return FG_OK;
}

static fg_code target_write(void *context, uint64_t offset, const void *data, size_t size, fg_error *err)
{
    const target *t = context;
    if (t->out)
        return fg_buf_append(t->out, data, size, err);
    for (const char *at = data; size;) {
        ssize_t n = pwrite(t->fd, at, size, (off_t)offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return FG_FAIL_ERRNO(err, "cannot write", t->name);
        at += n;
        size -= (size_t)n;
        offset += (uint64_t)n;
    }
    return FG_OK;
}

static fg_code fetch(fg_blob *blob, const char *key, uint64_t offset, uint64_t size, target *t, fg_error *err)
{
    const fg_s3_sink sink = {target_write, target_begin, t};
    return fg_s3_get(s3_of(blob)->s3, key, offset, size, &sink, err);
}

static fg_code s3_get(fg_blob *blob, const char *key, fg_buf *out, fg_error *err)
{
    const size_t before = out->size;
    target t = {out, -1, key};
    fg_code rc = fetch(blob, key, 0, 0, &t, err);
    if (rc != FG_OK && out->data) { /* half of a photo is none */
        out->size = before;
        out->data[before] = 0;
    }
    return rc;
}

static fg_code s3_get_range(fg_blob *blob, const char *key, uint64_t offset, size_t size, fg_buf *out,
                            fg_error *err)
{
    target t = {out, -1, key};
    return fetch(blob, key, offset, size, &t, err);
}

static fg_code s3_get_fd(fg_blob *blob, const char *key, int fd, fg_error *err)
{
    target t = {NULL, fd, key};
    return fetch(blob, key, 0, 0, &t, err);
}

/* -- the rest of the table -- */

static fg_code s3_remove(fg_blob *blob, const char *key, fg_error *err)
{
    return fg_s3_delete(s3_of(blob)->s3, key, err);
}

static fg_code s3_remove_prefix(fg_blob *blob, const char *prefix, fg_error *err)
{
    return fg_s3_delete_prefix(s3_of(blob)->s3, prefix, err);
}

typedef struct lister {
    bool (*each)(void *context, const char *key, uint64_t size);
    void *context;
} lister;

static bool list_key(void *context, const char *key, uint64_t size)
{
    const lister *l = context;
    return fg_text_is_key(key) ? l->each(l->context, key, size) : true;
}

static fg_code s3_list(fg_blob *blob, const char *prefix,
                       bool (*each)(void *context, const char *key, uint64_t size), void *context,
                       fg_error *err)
{
    lister l = {each, context};
    return fg_s3_list(s3_of(blob)->s3, prefix, list_key, &l, err);
}

static fg_code s3_link(fg_blob *blob, const char *key, int seconds, fg_buf *url, fg_error *err)
{
    return fg_s3_link(s3_of(blob)->s3, key, seconds, url, err);
}

static void s3_close(fg_blob *blob)
{
    fg_blob_s3 *s = s3_of(blob);
    fg_s3_close(s->s3);
    fg_aws_close(s->aws);
    free(s);
}

static const fg_blob_backend s3_backend = {
    .close = s3_close,
    .put = s3_put,
    .put_file = s3_put_file,
    .get = s3_get,
    .get_range = s3_get_range,
    .get_fd = s3_get_fd,
    .remove = s3_remove,
    .remove_prefix = s3_remove_prefix,
    .list = s3_list,
    .link = s3_link,
};

fg_code fg_blob_s3_open(fg_blob **blob, const char *url, const fg_settings *settings, const fg_log *log,
                        fg_error *err)
{
    static const fg_settings none;
    *blob = NULL;
    const fg_settings *s = settings ? settings : &none;
    const fg_aws_options aws = {.file = s->aws_file, .region = s->region, .log = log};
    const fg_s3_options options = {.url = url,
                                   .endpoint = s->s3_endpoint,
                                   .style = s->s3_style,
                                   .sse = s->s3_sse,
                                   .kms_key = s->s3_kms_key};
    fg_blob_s3 *out = calloc(1, sizeof *out);
    if (!out)
        return FG_FAIL(err, FG_ERR_MEMORY, "out of memory");
    out->base.backend = &s3_backend;
    fg_code rc = fg_aws_open(&out->aws, &aws, err);
    if (rc == FG_OK)
        rc = fg_s3_open(&out->s3, out->aws, &options, err);
    if (rc == FG_OK)
        *blob = &out->base;
    else
        s3_close(&out->base);
    return rc;
}
