/* The cropped faces as a .zip: written to a temporary file entry by entry, so that one chip at a time is in
 * memory, and sent from there. */
#include "http/http.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zip.h>

/* One entry: its chip is read from the blobs when libzip comes to it. */
typedef struct entry {
    fg_blob *blob;
    char *key;
    fg_buf data;
    size_t at;
    zip_error_t error;
} entry;

static void free_entry(entry *e)
{
    fg_buf_deinit(&e->data);
    free(e->key);
    free(e);
}

static zip_int64_t read_entry(void *context, void *out, zip_uint64_t room, zip_source_cmd_t command)
{
    entry *e = context;
    switch (command) {
    case ZIP_SOURCE_OPEN: {
        fg_buf_clear(&e->data);
        e->at = 0;
        fg_code rc = fg_blob_get(e->blob, e->key, &e->data, NULL);
        if (rc == FG_OK || rc == FG_ERR_NOT_FOUND) /* deleted meanwhile: an empty entry */
            return 0;
        zip_error_set(&e->error, ZIP_ER_READ, EIO);
        return -1;
    }
    case ZIP_SOURCE_READ: {
        size_t n = e->data.size - e->at < room ? e->data.size - e->at : (size_t)room;
        if (n)
            memcpy(out, e->data.data + e->at, n);
        e->at += n;
        return (zip_int64_t)n;
    }
    case ZIP_SOURCE_CLOSE:
        fg_buf_deinit(&e->data);
        fg_buf_init(&e->data, FG_MAX_PHOTO_BYTES);
        return 0;
    case ZIP_SOURCE_STAT: {
        zip_stat_t *st = ZIP_SOURCE_GET_ARGS(zip_stat_t, out, room, &e->error);
        if (!st)
            return -1;
        zip_stat_init(st); /* neither size nor time: what a member looked like when is nobody's business */
        return sizeof *st;
    }
    case ZIP_SOURCE_ERROR:
        return zip_error_to_data(&e->error, out, room);
    case ZIP_SOURCE_FREE:
        free_entry(e);
        return 0;
    case ZIP_SOURCE_SUPPORTS:
        return zip_source_make_command_bitmap(ZIP_SOURCE_OPEN, ZIP_SOURCE_READ, ZIP_SOURCE_CLOSE,
                                              ZIP_SOURCE_STAT, ZIP_SOURCE_ERROR, ZIP_SOURCE_FREE, -1);
    default:
        zip_error_set(&e->error, ZIP_ER_OPNOTSUPP, 0);
        return -1;
    }
}

static fg_code zip_failed(zip_t *zip, fg_error *err)
{
    return FG_FAIL(err, zip_error_system_type(zip_get_error(zip)) == ZIP_ET_SYS ? FG_ERR_IO : FG_ERR_INTERNAL,
                   "the .zip cannot be written: %s", zip_strerror(zip));
}

static fg_code add_chip(zip_t *zip, fg_blob *blob, const char *folder, const fg_template *chip, fg_error *err)
{
    char name[FG_MAX_NAME_BYTES + 64];
    entry *e = calloc(1, sizeof *e);
    if (!e || !(e->key = strdup(chip->chip_key))) {
        free(e);
        return FG_FAIL(err, FG_ERR_MEMORY, "out of memory");
    }
    e->blob = blob;
    fg_buf_init(&e->data, FG_MAX_PHOTO_BYTES);
    snprintf(name, sizeof name, "%s/%lld.png", folder, (long long)chip->id);
    zip_source_t *source = zip_source_function(zip, read_entry, e);
    if (!source) {
        free_entry(e);
        return zip_failed(zip, err);
    }
    zip_int64_t index = zip_file_add(zip, name, source, ZIP_FL_ENC_UTF_8);
    if (index < 0) {
        zip_source_free(source); /* frees e too */
        return zip_failed(zip, err);
    }
    /* PNG is packed already. */
    return zip_set_file_compression(zip, (zip_uint64_t)index, ZIP_CM_STORE, 0) == 0 ? FG_OK
                                                                                    : zip_failed(zip, err);
}

/* A folder a member: the id makes it unique, the name readable; nothing in it leads anywhere. */
static fg_code add_member(zip_t *zip, fg_app *app, const fg_member *member, fg_error *err)
{
    fg_template *chips = NULL;
    long count = 0;
    char folder[FG_MAX_NAME_BYTES + 32];
    fg_code rc = fg_store_template_chips(fg_app_store(app), member->id, &chips, &count, err);
    snprintf(folder, sizeof folder, "%lld-%s", (long long)member->id, member->name);
    for (char *p = folder; *p; p++)
        if (strchr("/\\:*?\"<>|", *p))
            *p = '_';
    for (long i = 0; i < count && rc == FG_OK; i++)
        rc = add_chip(zip, fg_app_blob(app), folder, &chips[i], err);
    fg_templates_free(chips, count);
    return rc;
}

static fg_code write_zip(const char *path, fg_app *app, const fg_member *members, long count, fg_error *err)
{
    int code = 0;
    long chips = 0;
    fg_code rc = FG_OK;
    zip_t *zip = zip_open(path, ZIP_CREATE | ZIP_TRUNCATE, &code);
    if (!zip)
        return FG_FAIL(err, FG_ERR_IO, "the .zip cannot be made (libzip: %d)", code);
    for (long i = 0; i < count && rc == FG_OK; i++) {
        rc = add_member(zip, app, &members[i], err);
        chips += members[i].templates;
    }
    if (rc == FG_OK && zip_get_num_entries(zip, 0) == 0)
        rc = chips ? FG_FAIL(err, FG_ERR_NOT_FOUND, "the cropped faces were deleted, as the settings ask")
                   : FG_FAIL(err, FG_ERR_NOT_FOUND, "nobody is enrolled yet: there are no faces");
    if (rc == FG_OK && zip_close(zip) != 0)
        rc = zip_failed(zip, err);
    else if (rc == FG_OK)
        return FG_OK;
    zip_discard(zip);
    return rc;
}

/* subject: for the audit. */
static fg_code reply_zip(fg_request *r, const fg_member *members, long count, const char *subject,
                         const char *name, fg_error *err)
{
    const fg_actor actor = {r->who, r->address};
    char path[FG_MAX_PATH];
    int fd = -1;
    fg_code rc =
        fg_record(r->server->app, &actor, "export", subject, err); /* before, so that none goes unseen */
    if (rc != FG_OK || (rc = fg_spool_file(r->server->spool, path, &fd, err)) != FG_OK)
        return rc;
    close(fd);
    /* libzip writes a neighbour and renames it over this one, so it is opened anew. */
    rc = write_zip(path, r->server->app, members, count, err);
    return fg_reply_download(r, rc, path, "application/zip", name, err);
}

fg_code fg_api_chips_zip(fg_request *r, fg_error *err)
{
    fg_member *members = NULL;
    long count = 0;
    fg_code rc = fg_store_members(fg_app_store(r->server->app), &members, &count, err);
    if (rc == FG_OK)
        rc = reply_zip(r, members, count, "chips", "facegate-chips.zip", err);
    fg_members_free(members, count);
    return rc;
}

fg_code fg_api_member_chips_zip(fg_request *r, fg_error *err)
{
    fg_member member = {0};
    char name[64];
    int64_t id;
    fg_code rc = fg_request_id_param(r, 0, &id, err);
    if (rc == FG_OK)
        rc = fg_store_member_by_id(fg_app_store(r->server->app), id, &member, err);
    snprintf(name, sizeof name, "facegate-chips-%lld.zip", (long long)id);
    if (rc == FG_OK)
        rc = reply_zip(r, &member, 1, member.name, name, err);
    fg_member_deinit(&member);
    return rc;
}
