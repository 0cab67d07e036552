#include "base/clock.h"
#include "store/sql.h"
#include "store/sqlite.h"

#include <stdlib.h>

#define VERSION_COLUMNS                                                                                      \
    "SELECT version, created_ms, model_hash, data_hash, settings_json, report_json, active, "                \
    "data IS NULL FROM version "

static fg_code read_info(const fg_sql *q, void *row, fg_error *err)
{
    fg_version_info *info = row;
    fg_code rc;
    info->version = fg_sql_column_int(q, 0);
    info->created_ms = fg_sql_column_int(q, 1);
    fg_sql_column_copy(q, 2, info->model_hash, sizeof info->model_hash);
    fg_sql_column_copy(q, 3, info->data_hash, sizeof info->data_hash);
    if ((rc = fg_sql_column_text(q, 4, &info->settings_json, err)) != FG_OK ||
        (rc = fg_sql_column_text(q, 5, &info->report_json, err)) != FG_OK)
        return rc;
    info->active = fg_sql_column_int(q, 6) != 0;
    info->withdrawn = fg_sql_column_int(q, 7) != 0;
    return FG_OK;
}

static void free_versions(void *rows, long count)
{
    fg_versions_free(rows, count);
}

static const fg_sql_kind versions_kind = {sizeof(fg_version_info), read_info, free_versions};

/* Are the model's templates still those that were read? A number is never given again, and what it names
 * changes only with the model. */
static fg_code still_there(fg_sqlite *s, const char *model_hash, const fg_template_set *set, bool *same,
                           fg_error *err)
{
    long i = 0;
    fg_sql q;
    fg_code rc;
    fg_sql_prepare(&q, s,
                   "SELECT id FROM template WHERE model_id = (SELECT id FROM model WHERE hash = ?) "
                   "ORDER BY member_id, source_id, frame_index, id");
    fg_sql_text(&q, model_hash);
    while ((rc = fg_sql_step(&q, err)) == FG_OK && q.row && i < set->count &&
           fg_sql_column_int(&q, 0) == set->ids[i])
        i++;
    *same = rc == FG_OK && !q.row && i == set->count;
    fg_sql_done(&q);
    return rc;
}

/* Which members the version knows, so that it can be withdrawn with any of them. */
static fg_code add_members(fg_sqlite *s, int64_t version, const char *model_hash, fg_error *err)
{
    fg_sql q;
    fg_sql_prepare(
        &q, s,
        "INSERT INTO version_member (version, member_id) SELECT DISTINCT ?, member_id FROM template "
        "WHERE model_id = (SELECT id FROM model WHERE hash = ?)");
    fg_sql_int(&q, version);
    fg_sql_text(&q, model_hash);
    return fg_sql_run(&q, err);
}

static fg_code activate_version(fg_sqlite *s, int64_t version, fg_error *err)
{
    fg_sql q;
    fg_sql_prepare(&q, s, "UPDATE version SET active = 0 WHERE active = 1");
    fg_code rc = fg_sql_run(&q, err);
    if (rc != FG_OK)
        return rc;
    fg_sql_prepare(&q, s, "UPDATE version SET active = 1 WHERE version = ?");
    fg_sql_int(&q, version);
    return fg_sql_run(&q, err);
}

fg_code fg_sqlite_version_add(fg_store *store, const fg_version_info *info, const fg_template_set *set,
                              const void *data, size_t size, bool activate, int64_t *version, fg_error *err)
{
    fg_sqlite *s = fg_sqlite_of(store);
    int64_t number = 0;
    bool same = false;
    fg_sql q;
    fg_code rc = fg_sql_begin(s, FG_SQL_WRITE, err);
    if (rc != FG_OK)
        return rc;
    if ((rc = still_there(s, info->model_hash, set, &same, err)) != FG_OK || !same)
        goto done;
    fg_sql_prepare(
        &q, s,
        "INSERT INTO version (created_ms, model_hash, data_hash, settings_json, report_json, data) "
        "VALUES (?, ?, ?, ?, ?, ?)");
    fg_sql_int(&q, info->created_ms ? info->created_ms : fg_clock_unix_ms());
    fg_sql_text(&q, info->model_hash);
    fg_sql_text(&q, info->data_hash);
    fg_sql_text(&q, info->settings_json ? info->settings_json : "{}");
    fg_sql_text(&q, info->report_json ? info->report_json : "{}");
    fg_sql_blob(&q, data, size);
    rc = fg_sql_run(&q, err);
    number = sqlite3_last_insert_rowid(s->db);
    if (rc == FG_OK)
        rc = add_members(s, number, info->model_hash, err);
    if (rc == FG_OK && activate)
        rc = activate_version(s, number, err);
done:
    rc = fg_sql_end(s, rc, err);
    if (rc == FG_OK)
        *version = number;
    return rc;
}

fg_code fg_sqlite_versions(fg_store *store, fg_version_info **infos, long *count, fg_error *err)
{
    fg_sql q;
    fg_code rc = fg_sql_start(&q, store, FG_SQL_READ, VERSION_COLUMNS "ORDER BY version DESC", err);
    if (rc != FG_OK)
        return rc;
    return fg_sql_finish_list(&q, &versions_kind, infos, count, err);
}

static fg_code withdrawn(int64_t version, fg_error *err)
{
    return FG_FAIL(
        err, FG_ERR_STATE,
        "classifier %lld knew a member who was removed since, and cannot be used; run `facegate train`",
        (long long)version);
}

static fg_code no_version(int64_t version, fg_error *err)
{
    return FG_FAIL(err, FG_ERR_NOT_FOUND, "there is no classifier %lld", (long long)version);
}

fg_code fg_sqlite_version_activate(fg_store *store, int64_t version, fg_error *err)
{
    enum { NONE, USABLE, WITHDRAWN };
    fg_sqlite *s = fg_sqlite_of(store);
    int64_t state = NONE;
    fg_sql q;
    fg_code rc = fg_sql_begin(s, FG_SQL_WRITE, err);
    if (rc != FG_OK)
        return rc;
    fg_sql_prepare(&q, s, "SELECT 1 + (data IS NULL) FROM version WHERE version = ?");
    fg_sql_int(&q, version);
    rc = fg_sql_run_int(&q, NONE, &state, err);
    if (rc == FG_OK)
        rc = state == USABLE      ? activate_version(s, version, err)
             : state == WITHDRAWN ? withdrawn(version, err)
                                  : no_version(version, err);
    return fg_sql_end(s, rc, err);
}

static fg_code read_members(fg_sqlite *s, fg_version_info *info, fg_error *err)
{
    long capacity = 0;
    void *ids = NULL;
    fg_sql q;
    fg_code rc;
    fg_sql_prepare(&q, s, "SELECT member_id FROM version_member WHERE version = ? ORDER BY member_id");
    fg_sql_int(&q, info->version);
    while ((rc = fg_sql_step(&q, err)) == FG_OK && q.row) {
        if ((rc = fg_sql_grow(&ids, info->member_count, &capacity, sizeof *info->member_ids, err)) != FG_OK)
            break;
        info->member_ids = ids;
        info->member_ids[info->member_count++] = fg_sql_column_int(&q, 0);
    }
    fg_sql_done(&q);
    return rc;
}

static fg_code read_data(fg_sqlite *s, int64_t version, fg_buf *data, fg_error *err)
{
    fg_sql q;
    fg_sql_prepare(&q, s, "SELECT data FROM version WHERE version = ?");
    fg_sql_int(&q, version);
    fg_code rc = fg_sql_step(&q, err);
    if (rc == FG_OK && q.row) {
        const void *bytes = sqlite3_column_blob(q.stmt, 0);
        int size = sqlite3_column_bytes(q.stmt, 0);
        rc = bytes ? fg_buf_append(data, bytes, (size_t)size, err)
                   : FG_FAIL(err, FG_ERR_MEMORY, "out of memory");
    }
    fg_sql_done(&q);
    return rc;
}

fg_code fg_sqlite_version_load(fg_store *store, int64_t version, fg_version_info *info, fg_buf *data,
                               fg_error *err)
{
    fg_sqlite *s = fg_sqlite_of(store);
    fg_sql q;
    fg_code rc = fg_sql_begin(s, FG_SQL_READ, err);
    if (rc != FG_OK)
        return rc;
    fg_sql_prepare(&q, s, VERSION_COLUMNS "WHERE version = ?1 OR (?1 = 0 AND active = 1)");
    fg_sql_int(&q, version);
    rc = fg_sql_step(&q, err);
    if (rc == FG_OK && q.row)
        rc = read_info(&q, info, err);
    else if (rc == FG_OK)
        rc = version ? no_version(version, err)
                     : FG_FAIL(err, FG_ERR_STATE, "no classifier is active; run `facegate train` first");
    fg_sql_done(&q);
    if (rc == FG_OK && info->withdrawn)
        rc = withdrawn(info->version, err);
    if (rc == FG_OK)
        rc = read_members(s, info, err);
    if (rc == FG_OK)
        rc = read_data(s, info->version, data, err);
    rc = fg_sql_end(s, rc, err);
    if (rc != FG_OK)
        fg_version_info_deinit(info);
    return rc;
}

fg_code fg_sqlite_version_active(fg_store *store, int64_t *version, fg_error *err)
{
    fg_sql q;
    fg_code rc = fg_sql_start(&q, store, FG_SQL_READ, "SELECT version FROM version WHERE active = 1", err);
    if (rc != FG_OK)
        return rc;
    return fg_sql_end(q.store, fg_sql_run_int(&q, 0, version, err), err);
}
