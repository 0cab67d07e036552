/* Datasets in a bucket: by way of a file in the data folder, which is wiped. */
#include "flow/dataset.h"

#include "blob/blob.h"
#include "blob/spool.h"
#include "flow/app.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char scheme[] = "s3://";

bool fg_dataset_is_s3(const char *path)
{
    return strncmp(path, scheme, sizeof scheme - 1) == 0;
}

/* s3://BUCKET/PREFIX/KEY: all but the last part is the place, which is opened. */
static fg_code open_place(fg_app *app, const char *url, fg_blob **blob, const char **key, fg_error *err)
{
    char place[FG_MAX_PATH];
    const char *slash = strrchr(url + sizeof scheme - 1, '/');
    *blob = NULL;
    if (!slash || !slash[1] || (size_t)(slash - url) >= sizeof place)
        return FG_FAIL(err, FG_ERR_USAGE, "%.200s: give s3://BUCKET/NAME", url);
    snprintf(place, sizeof place, "%.*s", (int)(slash - url), url);
    *key = slash + 1;
    return fg_blob_open_with(blob, place, app->settings, app->log, err);
}

fg_code fg_export_s3(fg_app *app, fg_dataset_format format, const char *url, int link_minutes,
                     const fg_actor *actor, long *templates, int *members, fg_buf *link, fg_error *err)
{
    char path[FG_MAX_PATH];
    const char *key = NULL;
    fg_blob *blob = NULL;
    fg_spool *spool = NULL;
    int fd = -1;
    *templates = 0;
    *members = 0;
    fg_code rc = open_place(app, url, &blob, &key, err);
    if (rc == FG_OK && (rc = fg_spool_one(&spool, app->settings->data, path, &fd, err)) == FG_OK) {
        close(fd);
        rc = fg_export(app, format, path, actor, templates, members, err);
        if (rc == FG_OK)
            rc = fg_blob_put_file(blob, key, path, false, err);
        fg_spool_close(spool);
    }
    if (rc == FG_OK && link_minutes > 0)
        rc = fg_blob_link(blob, key, link_minutes * 60, link, err);
    fg_blob_close(blob);
    return rc;
}

fg_code fg_import_s3(fg_app *app, const fg_import_request *request, fg_import_report *report, fg_error *err)
{
    char path[FG_MAX_PATH];
    fg_import_request local = *request;
    fg_blob *blob = NULL;
    fg_spool *spool = NULL;
    int fd = -1;
    *report = (fg_import_report){0};
    fg_code rc = open_place(app, request->path, &blob, &local.name, err);
    if (rc == FG_OK && (rc = fg_spool_one(&spool, app->settings->data, path, &fd, err)) == FG_OK) {
        rc = fg_blob_get_fd(blob, local.name, fd, err);
        if (close(fd) != 0 && rc == FG_OK)
            rc = FG_FAIL_ERRNO(err, "cannot write", path);
        local.path = path;
        if (rc == FG_OK && (rc = fg_import(app, &local, report, err)) != FG_OK)
            rc = fg_error_prefix(err, rc, request->path);
        fg_spool_close(spool);
    }
    fg_blob_close(blob);
    return rc;
}
