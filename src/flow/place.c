/* Where the team's pictures are. The store remembers it from the first enrolment on: a removal with another
 * --blob would leave them behind. In the store's words a folder inside the data folder is relative to that,
 * so that the data folder can be moved. */
#define _XOPEN_SOURCE 700 /* realpath */
#include "flow/app.h"

#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char dir_scheme[] = "dir:", s3_scheme[] = "s3://", usual[] = "dir:blobs";

static bool starts_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* Without links and dots, also of a folder that is not there yet. */
static fg_code real(const char *path, fg_buf *out, fg_error *err)
{
    char *whole = realpath(path, NULL);
    if (!whole && *path != '/' && (whole = getcwd(NULL, 0))) {
        fg_code rc = fg_buf_printf(out, err, "%s/%s", whole, path);
        free(whole);
        return rc;
    }
    fg_code rc = fg_buf_printf(out, err, "%s", whole ? whole : path);
    free(whole);
    return rc;
}

/* The address of the settings in the store's words. */
static fg_code name_dir(const fg_app *app, const char *path, fg_buf *out, fg_error *err)
{
    fg_buf folder, data;
    fg_buf_init(&folder, 2 * FG_MAX_PATH);
    fg_buf_init(&data, 2 * FG_MAX_PATH);
    fg_code rc = real(path, &folder, err);
    if (rc == FG_OK)
        rc = real(app->settings->data, &data, err);
    if (rc == FG_OK) {
        const char *name = (const char *)folder.data;
        if (starts_with(name, (const char *)data.data) && name[data.size] == '/')
            name += data.size + 1;
        rc = fg_buf_printf(out, err, "%s%s", dir_scheme, name);
    }
    fg_buf_deinit(&folder);
    fg_buf_deinit(&data);
    return rc;
}

static fg_code name_place(const fg_app *app, fg_buf *out, fg_error *err)
{
    const char *url = app->settings->blob;
    if (!url)
        return fg_buf_printf(out, err, "%s", usual);
    if (starts_with(url, dir_scheme) && url[sizeof dir_scheme - 1])
        return name_dir(app, url + sizeof dir_scheme - 1, out, err);
    if (!starts_with(url, s3_scheme))
        return FG_FAIL(err, FG_ERR_USAGE, "--blob %.200s: give dir:PATH or s3://BUCKET/PREFIX", url);
    size_t n = strlen(url);
    while (n > sizeof s3_scheme && url[n - 1] == '/')
        n--;
    return fg_buf_printf(out, err, "%.*s", (int)n, url);
}

/* The store's words as an address. */
static fg_code open_place(fg_app *app, const char *place, fg_error *err)
{
    char path[FG_MAX_PATH];
    const char *url = place, *folder = place + sizeof dir_scheme - 1;
    fg_code rc = FG_OK;
    if (starts_with(place, dir_scheme) && *folder != '/') {
        rc = fg_path_join(path, sizeof path, app->settings->data, folder, err);
        url = path;
    }
    if (rc == FG_OK)
        rc = fg_blob_open_with(&app->blob, url, app->settings, app->log, err);
    return rc;
}

static bool take_first(void *context, const char *key, uint64_t size)
{
    bool *found = context;
    (void)key;
    (void)size;
    *found = true;
    return false;
}

/* Whether the team's pictures are in the open place: those of one member are. */
static fg_code has_pictures(fg_app *app, bool *has, fg_error *err)
{
    fg_template *chips = NULL;
    long count = 0;
    char prefix[FG_MAX_KEY_BYTES + 1] = "";
    *has = false;
    fg_code rc = fg_store_template_chips(app->store, 0, &chips, &count, err);
    for (long i = 0; rc == FG_OK && i < count && !*prefix; i++)
        if (chips[i].chip_key) {
            snprintf(prefix, sizeof prefix, "%s", chips[i].chip_key);
            strrchr(prefix, '/')[1] = 0;
        }
    fg_templates_free(chips, count);
    return rc == FG_OK && *prefix ? fg_blob_list(app->blob, prefix, take_first, has, err) : rc;
}

/* Another place than before: only if the pictures have been moved there. */
static fg_code open_moved(fg_app *app, const char *before, fg_error *err)
{
    const char *folder = app->place + sizeof dir_scheme - 1;
    bool moved = false;
    fg_code rc = FG_OK;
    /* A folder that is not there is not made only to be found empty. */
    if (starts_with(app->place, s3_scheme) || *folder != '/' || fg_file_exists(folder))
        rc = open_place(app, app->place, err);
    if (rc == FG_OK && app->blob)
        rc = has_pictures(app, &moved, err);
    if (rc != FG_OK)
        return rc;
    if (!moved)
        return FG_FAIL(err, FG_ERR_STATE,
                       "this team's pictures are in %s, not in %s: leave --blob (FACEGATE_BLOB) out, or move "
                       "the pictures there first",
                       before, app->place);
    fg_log_write(app->log, FG_LOG_WARN,
                 "the team's pictures are in %s from now on; what is left of them in %s, nobody deletes",
                 app->place, before);
    return fg_store_place_keep(app->store, app->place, true, err);
}

/* A folder has its final name once it is there. */
static fg_code open_first(fg_app *app, fg_error *err)
{
    fg_buf name;
    fg_buf_init(&name, 2 * FG_MAX_PATH);
    fg_code rc = open_place(app, app->place, err);
    if (rc == FG_OK && (rc = name_place(app, &name, err)) == FG_OK) {
        free(app->place);
        app->place = (char *)name.data;
    } else {
        fg_buf_deinit(&name);
    }
    return rc;
}

fg_code fg_place_open(fg_app *app, fg_error *err)
{
    fg_buf name;
    char *before = NULL;
    fg_buf_init(&name, 2 * FG_MAX_PATH);
    fg_code rc = name_place(app, &name, err);
    app->place = (char *)name.data;
    if (rc == FG_OK)
        rc = fg_store_place(app->store, &before, err);
    if (rc == FG_OK && before && !app->settings->blob) {
        free(app->place);
        app->place = before;
        rc = open_place(app, before, err);
        return rc == FG_OK ? FG_OK : fg_error_prefix(err, rc, "the team's pictures");
    }
    if (rc == FG_OK && !before)
        rc = open_first(app, err);
    else if (rc == FG_OK)
        rc = strcmp(before, app->place) == 0 ? open_place(app, before, err) : open_moved(app, before, err);
    free(before);
    return rc;
}
