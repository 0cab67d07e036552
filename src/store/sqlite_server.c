/* Settings, jobs, retention, and the end of it all. */
#include "store/sql.h"
#include "store/sqlite.h"

#include <math.h>
#include <stdlib.h>

/* -- settings -- */

static fg_code read_setting(const fg_sql *q, void *row, fg_error *err)
{
    fg_setting_value *value = row;
    (void)err;
    fg_sql_column_copy(q, 0, value->name, sizeof value->name);
    value->value = fg_sql_column_real(q, 1);
    return FG_OK;
}

static void free_settings(void *rows, long count)
{
    (void)count;
    free(rows);
}

static const fg_sql_kind settings_kind = {sizeof(fg_setting_value), read_setting, free_settings};

fg_code fg_sqlite_settings(fg_store *store, fg_setting_value **values, long *count, fg_error *err)
{
    fg_sql q;
    fg_code rc = fg_sql_start(&q, store, FG_SQL_READ, "SELECT name, value FROM setting ORDER BY name", err);
    if (rc != FG_OK)
        return rc;
    return fg_sql_finish_list(&q, &settings_kind, values, count, err);
}

fg_code fg_sqlite_settings_set(fg_store *store, const fg_setting_value *values, long count, fg_error *err)
{
    fg_sqlite *s = fg_sqlite_of(store);
    fg_sql q;
    fg_code rc = fg_sql_begin(s, FG_SQL_WRITE, err);
    if (rc != FG_OK)
        return rc;
    for (long i = 0; i < count && rc == FG_OK; i++) {
        bool unset = isnan(values[i].value);
        fg_sql_prepare(&q, s,
                       unset ? "DELETE FROM setting WHERE name = ?"
                             : "INSERT INTO setting (name, value) VALUES (?, ?) "
                               "ON CONFLICT (name) DO UPDATE SET value = excluded.value");
        fg_sql_text(&q, values[i].name);
        if (!unset)
            fg_sql_real(&q, values[i].value);
        rc = fg_sql_run(&q, err);
    }
    return fg_sql_end(s, rc, err);
}

/* -- jobs -- */

fg_code fg_sqlite_job_ids(fg_store *store, char ***ids, long *count, fg_error *err)
{
    fg_sql q;
    fg_code rc = fg_sql_start(&q, store, FG_SQL_READ, "SELECT id FROM job", err);
    return rc == FG_OK ? fg_sql_finish_list(&q, &fg_sql_texts, ids, count, err) : rc;
}

fg_code fg_sqlite_job_add(fg_store *store, const fg_job_record *job, fg_error *err)
{
    fg_sql q;
    fg_code rc =
        fg_sql_start(&q, store, FG_SQL_WRITE,
                     "INSERT INTO job (id, created_ms, attempts, subject, order_json, end_json, member_id) "
                     "VALUES (?, ?, ?, ?, ?, ?, nullif(?, 0))",
                     err);
    if (rc != FG_OK)
        return rc;
    fg_sql_text(&q, job->id);
    fg_sql_int(&q, job->created_ms);
    fg_sql_int(&q, job->attempts);
    fg_sql_text(&q, job->subject ? job->subject : "");
    fg_sql_text(&q, job->order_json);
    fg_sql_text(&q, job->end_json ? job->end_json : "");
    fg_sql_int(&q, job->member_id);
    return fg_sql_finish(&q, err);
}

fg_code fg_sqlite_job_put(fg_store *store, const fg_job_record *job, fg_error *err)
{
    fg_sql q;
    fg_code rc = fg_sql_start(&q, store, FG_SQL_WRITE,
                              "UPDATE job SET attempts = ?, order_json = ?, end_json = ? WHERE id = ?", err);
    if (rc != FG_OK)
        return rc;
    fg_sql_int(&q, job->attempts);
    fg_sql_text(&q, job->order_json);
    fg_sql_text(&q, job->end_json ? job->end_json : "");
    fg_sql_text(&q, job->id);
    rc = fg_sql_run(&q, err);
    if (rc == FG_OK && sqlite3_changes64(q.store->db) == 0)
        rc = FG_FAIL(err, FG_ERR_NOT_FOUND, "there is no such job any more");
    return fg_sql_end(q.store, rc, err);
}

fg_code fg_sqlite_job_remove(fg_store *store, const char *id, fg_error *err)
{
    fg_sql q;
    fg_code rc = fg_sql_start(&q, store, FG_SQL_WRITE, "DELETE FROM job WHERE id = ?", err);
    if (rc != FG_OK)
        return rc;
    q.store->wipe_due = true; /* it may name somebody */
    fg_sql_text(&q, id);
    return fg_sql_finish(&q, err);
}

static fg_code read_job(const fg_sql *q, void *row, fg_error *err)
{
    fg_job_record *job = row;
    fg_code rc;
    fg_sql_column_copy(q, 0, job->id, sizeof job->id);
    job->created_ms = fg_sql_column_int(q, 1);
    job->attempts = (int)fg_sql_column_int(q, 2);
    if ((rc = fg_sql_column_text(q, 3, &job->subject, err)) != FG_OK ||
        (rc = fg_sql_column_text(q, 4, &job->order_json, err)) != FG_OK)
        return rc;
    job->member_id = fg_sql_column_int(q, 6);
    return fg_sql_column_text(q, 5, &job->end_json, err);
}

static void free_jobs(void *rows, long count)
{
    fg_job_records_free(rows, count);
}

static const fg_sql_kind jobs_kind = {sizeof(fg_job_record), read_job, free_jobs};

fg_code fg_sqlite_jobs(fg_store *store, fg_job_record **jobs, long *count, fg_error *err)
{
    fg_sql q;
    fg_code rc =
        fg_sql_start(&q, store, FG_SQL_READ,
                     "SELECT id, created_ms, attempts, subject, order_json, end_json, member_id FROM job "
                     "ORDER BY created_ms, id",
                     err);
    if (rc != FG_OK)
        return rc;
    return fg_sql_finish_list(&q, &jobs_kind, jobs, count, err);
}

/* -- retention -- */

fg_code fg_sqlite_expired(fg_store *store, fg_expiring what, int64_t before_ms, int limit, char ***keys,
                          long *count, fg_error *err)
{
    fg_sql q;
    fg_code rc =
        fg_sql_start(&q, store, FG_SQL_READ,
                     what == FG_EXPIRING_CHIPS
                         ? "SELECT chip_key FROM template JOIN source ON source.id = source_id "
                           "WHERE chip_gone = 0 AND chip_key IS NOT NULL AND source.created_ms < ? LIMIT ?"
                     : what == FG_EXPIRING_ORIGINALS
                         ? "SELECT blob_key FROM source WHERE blob_key IS NOT NULL AND created_ms < ? LIMIT ?"
                         : "SELECT DISTINCT substr(chip_key, 1, instr(chip_key, '/chips/')) FROM template "
                           "JOIN source ON source.id = source_id WHERE chip_key IS NOT NULL AND "
                           "source.created_ms < ? LIMIT ?",
                     err);
    if (rc != FG_OK)
        return rc;
    fg_sql_int(&q, before_ms);
    fg_sql_int(&q, limit);
    return fg_sql_finish_list(&q, &fg_sql_texts, keys, count, err);
}

fg_code fg_sqlite_blob_gone(fg_store *store, fg_expiring what, const char *key, fg_error *err)
{
    fg_sql q;
    fg_code rc =
        fg_sql_start(&q, store, FG_SQL_WRITE,
                     what == FG_EXPIRING_CHIPS ? "UPDATE template SET chip_gone = 1 WHERE chip_key = ?"
                                               : "UPDATE source SET blob_key = NULL WHERE blob_key = ?",
                     err);
    if (rc != FG_OK)
        return rc;
    fg_sql_text(&q, key);
    return fg_sql_finish(&q, err);
}

fg_code fg_sqlite_attempts_expire(fg_store *store, int64_t before_ms, int limit, long *count, fg_error *err)
{
    fg_sql q;
    fg_code rc = fg_sql_start(&q, store, FG_SQL_WRITE,
                              "DELETE FROM audit WHERE id IN "
                              "(SELECT id FROM audit WHERE time_ms < ? AND action IN ('verify', 'invoke') "
                              "LIMIT ?)",
                              err);
    if (rc != FG_OK)
        return rc;
    fg_sql_int(&q, before_ms);
    fg_sql_int(&q, limit);
    rc = fg_sql_run(&q, err);
    long deleted = rc == FG_OK ? (long)sqlite3_changes64(q.store->db) : 0;
    if (deleted)
        q.store->wipe_due = true;
    rc = fg_sql_end(q.store, rc, err);
    if (rc == FG_OK)
        *count = deleted;
    return rc;
}

/* -- reset -- */

/* In order; what is deleted is also zeroed (secure_delete). Who holds or held a key is no biometric datum and
 * stays, so that nobody covers their tracks by a reset. */
static const char *const reset[] = {
    "UPDATE pending SET cancelled = 1",
    "DELETE FROM version",
    "DELETE FROM member", /* and by cascade its rights, sources and templates */
    "DELETE FROM model",
    "DELETE FROM job",
    "DELETE FROM audit WHERE action NOT IN ('sign_in', 'key_create', 'key_revoke', 'settings', 'reset')",
};

fg_code fg_sqlite_reset(fg_store *store, fg_error *err)
{
    fg_sqlite *s = fg_sqlite_of(store);
    long n = 0;
    void *items = NULL;
    fg_sql q;
    fg_code rc = fg_sql_begin(s, FG_SQL_WRITE, err);
    if (rc != FG_OK)
        return rc;
    /* Whatever happens to this process, the next start deletes their blobs. */
    fg_sql_prepare(&q, s, "SELECT blob_prefix FROM member");
    rc = fg_sql_list(&q, sizeof(char *), fg_sql_texts.read, &items, &n, err);
    for (size_t i = 0; i < sizeof reset / sizeof reset[0] && rc == FG_OK; i++) {
        fg_sql_prepare(&q, s, reset[i]);
        rc = fg_sql_run(&q, err);
    }
    for (long i = 0; i < n && rc == FG_OK; i++)
        rc = fg_sqlite_pending_insert(s, ((char **)items)[i], err);
    if (rc == FG_OK)
        s->wipe_due = true;
    rc = fg_sql_end(s, rc, err);
    fg_keys_texts_free(items, n);
    return rc;
}

fg_code fg_sqlite_vacuum(fg_store *store, fg_error *err)
{
    fg_sqlite *s = fg_sqlite_of(store);
    pthread_mutex_lock(&s->lock);
    int result = sqlite3_exec(s->db, "VACUUM", NULL, NULL, NULL);
    fg_code rc = result == SQLITE_OK ? FG_OK : fg_sql_fail(s, result, err);
    if (rc == FG_OK)
        s->wipe_due = true;
    pthread_mutex_unlock(&s->lock);
    return rc;
}
