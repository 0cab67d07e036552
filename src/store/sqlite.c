/* Opening: the file, its identity, its schema; and the table of the back end. */
#define _XOPEN_SOURCE 700 /* mknod */
#include "store/sqlite.h"

#include "base/clock.h"
#include "store/sql.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* "FaGa", so that another program's database is not taken for an empty store. */
enum { APPLICATION_ID = 0x46614761 };

static void sqlite_close(fg_store *store)
{
    fg_sqlite *s = fg_sqlite_of(store);
    for (int i = 0; i < FG_SQL_CACHE; i++)
        sqlite3_finalize(s->cache[i].stmt);
    sqlite3_close_v2(s->db);
    pthread_mutex_destroy(&s->lock);
    free(s->path);
    free(s);
}

static fg_code sqlite_check(fg_store *store, fg_error *err)
{
    fg_sqlite *s = fg_sqlite_of(store);
    char finding[128] = "";
    fg_sql q;
    fg_code rc = fg_sql_begin(s, FG_SQL_READ, err);
    if (rc != FG_OK)
        return rc;
    fg_sql_prepare(&q, s, "PRAGMA integrity_check(1)");
    if ((rc = fg_sql_step(&q, err)) == FG_OK && q.row)
        fg_sql_column_copy(&q, 0, finding, sizeof finding);
    fg_sql_done(&q);
    if (rc == FG_OK && strcmp(finding, "ok") != 0)
        rc = FG_FAIL(err, FG_ERR_INPUT, "%s: damaged (%s); restore a backup", s->path, finding);
    if (rc != FG_OK)
        goto done;
    fg_sql_prepare(&q, s, "PRAGMA foreign_key_check");
    if ((rc = fg_sql_step(&q, err)) == FG_OK && q.row)
        rc = FG_FAIL(err, FG_ERR_INPUT, "%s: damaged (rows that point nowhere); restore a backup", s->path);
    fg_sql_done(&q);
done:
    return fg_sql_end(s, rc, err);
}

static const fg_store_backend sqlite_backend = {
    .close = sqlite_close,
    .check = sqlite_check,
    .members = fg_sqlite_members,
    .member_names = fg_sqlite_member_names,
    .member_by_id = fg_sqlite_member_by_id,
    .member_by_name = fg_sqlite_member_by_name,
    .member_set = fg_sqlite_member_set,
    .member_remove = fg_sqlite_member_remove,
    .member_seen = fg_sqlite_member_seen,
    .enroll = fg_sqlite_enroll,
    .sources = fg_sqlite_sources,
    .pending_add = fg_sqlite_pending_add,
    .pending_release = fg_sqlite_pending_release,
    .pending_remove = fg_sqlite_pending_remove,
    .pending_abandoned = fg_sqlite_pending_abandoned,
    .place = fg_sqlite_place,
    .place_keep = fg_sqlite_place_keep,
    .templates = fg_sqlite_templates,
    .template_chips = fg_sqlite_template_chips,
    .embedder = fg_sqlite_embedder,
    .reembed_begin = fg_sqlite_reembed_begin,
    .reembed_todo = fg_sqlite_reembed_todo,
    .reembed_stage = fg_sqlite_reembed_stage,
    .reembed_switch = fg_sqlite_reembed_switch,
    .training_begin = fg_sqlite_training_begin,
    .endpoint_deploy = fg_sqlite_endpoint_deploy,
    .endpoint_serves = fg_sqlite_endpoint_serves,
    .endpoint_names = fg_sqlite_endpoint_names,
    .endpoint_asked = fg_sqlite_endpoint_asked,
    .version_add = fg_sqlite_version_add,
    .versions = fg_sqlite_versions,
    .version_activate = fg_sqlite_version_activate,
    .version_load = fg_sqlite_version_load,
    .version_active = fg_sqlite_version_active,
    .key_add = fg_sqlite_key_add,
    .key_by_id = fg_sqlite_key_by_id,
    .keys = fg_sqlite_keys,
    .key_revoke = fg_sqlite_key_revoke,
    .key_used = fg_sqlite_key_used,
    .audit_add = fg_sqlite_audit_add,
    .audit_find = fg_sqlite_audit_find,
    .settings = fg_sqlite_settings,
    .settings_set = fg_sqlite_settings_set,
    .jobs = fg_sqlite_jobs,
    .job_ids = fg_sqlite_job_ids,
    .job_add = fg_sqlite_job_add,
    .job_put = fg_sqlite_job_put,
    .job_remove = fg_sqlite_job_remove,
    .expired = fg_sqlite_expired,
    .blob_gone = fg_sqlite_blob_gone,
    .attempts_expire = fg_sqlite_attempts_expire,
    .reset = fg_sqlite_reset,
    .vacuum = fg_sqlite_vacuum,
};

sqlite3 *fg_sqlite_connection(fg_store *store)
{
    return fg_sqlite_of(store)->db;
}

/* The file is never opened here: closing a descriptor would drop the POSIX locks that another connection of
 * this process holds on it. mknod creates a private file without one; SQLite gives its WAL the same mode. */
static fg_code prepare_file(const char *path, bool read_only, fg_error *err)
{
    struct stat st;
    if (!read_only && mknod(path, S_IFREG | 0600, 0) != 0 && errno != EEXIST)
        return FG_FAIL_ERRNO(err, "cannot create the database", path);
    if (stat(path, &st) != 0)
        return FG_FAIL_ERRNO(err, "cannot open the database", path);
    if (S_ISDIR(st.st_mode))
        return fg_fail_errno(err, EISDIR, __func__, "cannot open the database", path);
    if (!S_ISREG(st.st_mode))
        return FG_FAIL(err, FG_ERR_INPUT, "%s: not a plain file; give the path of a database", path);
    if (access(path, read_only ? R_OK : R_OK | W_OK) != 0)
        return FG_FAIL_ERRNO(err, "cannot open the database", path);
    return FG_OK;
}

static fg_code pragma_int(fg_sqlite *s, const char *sql, int64_t *value, fg_error *err)
{
    fg_sql q;
    fg_sql_prepare(&q, s, sql);
    return fg_sql_run_int(&q, 0, value, err);
}

static int64_t migration_version(const fg_embedded *migration)
{
    return strtol(migration->name, NULL, 10);
}

/* Inside a transaction: which schema this is, after making sure that it is one of ours. */
static fg_code read_version(fg_sqlite *s, int64_t latest, int64_t *version, fg_error *err)
{
    int64_t application = 0, tables = 0;
    fg_code rc = pragma_int(s, "PRAGMA application_id", &application, err);
    if (rc == FG_OK)
        rc = pragma_int(s, "PRAGMA user_version", version, err);
    if (rc == FG_OK)
        rc = pragma_int(s, "SELECT count(*) FROM sqlite_schema", &tables, err);
    if (rc != FG_OK)
        return rc;
    if (application != APPLICATION_ID && (application != 0 || *version != 0 || tables != 0))
        return FG_FAIL(err, FG_ERR_INPUT, "%s: the database of another program; choose another file",
                       s->path);
    if (*version > latest)
        return FG_FAIL(err, FG_ERR_UNSUPPORTED,
                       "%s: made by a newer Facegate (schema %lld, this one knows %lld); upgrade Facegate",
                       s->path, (long long)*version, (long long)latest);
    return FG_OK;
}

static fg_code apply(fg_sqlite *s, const fg_embedded *migration, fg_error *err)
{
    char sql[64];
    int result = sqlite3_exec(s->db, (const char *)migration->data, NULL, NULL, NULL);
    snprintf(sql, sizeof sql, "PRAGMA user_version = %lld", (long long)migration_version(migration));
    if (result == SQLITE_OK)
        result = sqlite3_exec(s->db, sql, NULL, NULL, NULL);
    if (result == SQLITE_OK)
        return FG_OK;
    fg_code rc = fg_sql_fail(s, result, err);
    return fg_error_prefix(err, rc, migration->name);
}

/* All missing migrations in one transaction: killed in between, the old schema is still there. */
static fg_code migrate(fg_sqlite *s, const fg_embedded *migrations, int64_t latest, fg_error *err)
{
    char sql[64];
    int64_t version = 0;
    fg_code rc = fg_sql_begin(s, FG_SQL_WRITE, err);
    if (rc != FG_OK)
        return rc;
    rc = read_version(s, latest, &version, err); /* again: another process may have been first */
    for (const fg_embedded *m = migrations; m->name && rc == FG_OK; m++)
        if (migration_version(m) > version)
            rc = apply(s, m, err);
    snprintf(sql, sizeof sql, "PRAGMA application_id = %d", APPLICATION_ID);
    if (rc == FG_OK) {
        int result = sqlite3_exec(s->db, sql, NULL, NULL, NULL);
        if (result != SQLITE_OK)
            rc = fg_sql_fail(s, result, err);
    }
    return fg_sql_end(s, rc, err);
}

/* Changing the journal mode does not wait for locks as other statements do. */
static fg_code switch_to_wal(fg_sqlite *s, int busy_ms, fg_error *err)
{
    const double end = fg_clock_monotonic_ms() + busy_ms;
    for (;;) {
        char mode[16] = "";
        fg_sql q;
        fg_sql_prepare(&q, s, "PRAGMA journal_mode = WAL");
        fg_code rc = fg_sql_step(&q, err);
        if (rc == FG_OK && q.row)
            fg_sql_column_copy(&q, 0, mode, sizeof mode);
        fg_sql_done(&q);
        if (rc == FG_OK && strcmp(mode, "wal") != 0)
            rc = FG_FAIL(err, FG_ERR_IO, "%s: this file system has no shared memory; choose a local folder",
                         s->path);
        if (rc != FG_ERR_BUSY || fg_clock_monotonic_ms() >= end)
            return rc;
        nanosleep(&(struct timespec){.tv_nsec = 10L * 1000 * 1000}, NULL);
    }
}

static fg_code open_connection(fg_sqlite *s, bool read_only, int busy_ms, fg_error *err)
{
    /* FULL is set per transaction; temporary tables would put templates into /tmp; a hostile file must not
     * bring functions or views that run. */
    static const char settings[] = "PRAGMA foreign_keys = ON; PRAGMA secure_delete = ON; "
                                   "PRAGMA temp_store = MEMORY; PRAGMA trusted_schema = OFF; "
                                   "PRAGMA cell_size_check = ON; PRAGMA synchronous = FULL;";
    /* "./" keeps a name such as ":memory:" or "file:..." from meaning something else to SQLite. */
    char plain[FG_MAX_PATH];
    int flags = SQLITE_OPEN_NOMUTEX | (read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE);
    fg_code rc =
        fg_path_join(plain, sizeof plain, *s->path == '/' ? "/" : "./", s->path + (*s->path == '/'), err);
    if (rc != FG_OK)
        return rc;
    int result = sqlite3_open_v2(plain, &s->db, flags, NULL);
    if (result == SQLITE_OK)
        result = sqlite3_extended_result_codes(s->db, 1);
    if (result == SQLITE_OK)
        result = sqlite3_db_config(s->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    if (result == SQLITE_OK)
        result = sqlite3_busy_timeout(s->db, busy_ms);
    if (result == SQLITE_OK)
        result = sqlite3_exec(s->db, settings, NULL, NULL, NULL);
    return result == SQLITE_OK ? FG_OK : fg_sql_fail(s, result, err);
}

fg_code fg_sqlite_open_with(fg_store **store, const char *path, bool read_only, int busy_ms,
                            const fg_embedded *migrations, fg_error *err)
{
    int64_t version = 0, latest = 0;
    *store = NULL;
    for (const fg_embedded *m = migrations; m->name; m++)
        latest = migration_version(m);
    fg_code rc = prepare_file(path, read_only, err);
    if (rc != FG_OK)
        return rc;
    fg_sqlite *s = calloc(1, sizeof *s);
    if (!s || !(s->path = strdup(path)) || pthread_mutex_init(&s->lock, NULL) != 0) {
        if (s)
            free(s->path);
        free(s);
        return FG_FAIL(err, FG_ERR_MEMORY, "out of memory");
    }
    s->base.backend = &sqlite_backend;
    s->busy_ms = busy_ms;
    if ((rc = open_connection(s, read_only, busy_ms, err)) != FG_OK)
        goto done;
    if ((rc = fg_sql_begin(s, FG_SQL_READ, err)) == FG_OK)
        rc = fg_sql_end(s, read_version(s, latest, &version, err), err);
    if (rc != FG_OK)
        goto done;
    if (read_only) {
        if (version < latest)
            rc = FG_FAIL(err, FG_ERR_STATE,
                         "%s: made by an older Facegate; open it once with a command that writes", path);
        goto done;
    }
    if ((rc = switch_to_wal(s, busy_ms, err)) == FG_OK && version < latest)
        rc = migrate(s, migrations, latest, err);
done:
    if (rc == FG_OK)
        *store = &s->base;
    else
        sqlite_close(&s->base);
    return rc;
}

fg_code fg_sqlite_open(fg_store **store, const char *path, bool read_only, int busy_ms, fg_error *err)
{
    return fg_sqlite_open_with(store, path, read_only, busy_ms, fg_sqlite_migrations, err);
}
