#include "store/sql.h"

#include "base/text.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    CLEAN_BYTES = 1024,
    WIPE_BUSY_MS = 100, /* readers elsewhere are brief; else it is done with a later write */
};

static fg_code describe(fg_sqlite *s, int result, fg_error *err)
{
    /* SQLite notes the errno of failed opens only; that of a failed write is still there. */
    const int noted = s->db ? sqlite3_system_errno(s->db) : 0, errnum = noted ? noted : errno;
    const char *path = s->path;
    switch (result & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_PROTOCOL:
        return FG_FAIL(err, FG_ERR_BUSY, "%s: another process has it locked; try again, or stop that process",
                       path);
    case SQLITE_FULL:
        return FG_FAIL(err, FG_ERR_FULL, "%s: no space left; free some and try again; nothing was lost",
                       path);
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
        return FG_FAIL(
            err, FG_ERR_FORBIDDEN,
            "%s: cannot be written to; change the permissions of the file and its folder, or choose "
            "a folder that can be written to",
            path);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return FG_FAIL(
            err, FG_ERR_INPUT,
            "%s: damaged, or no Facegate database; restore a backup, or move the file away to start "
            "anew",
            path);
    case SQLITE_NOMEM:
        return FG_FAIL(err, FG_ERR_MEMORY, "%s: out of memory", path);
    case SQLITE_TOOBIG:
        return FG_FAIL(err, FG_ERR_LIMIT, "%s: too large to store", path);
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
        if (errnum == ENOSPC || errnum == EDQUOT || errnum == EFBIG || errnum == EACCES || errnum == EPERM ||
            errnum == EROFS || errnum == ENOENT || errnum == EMFILE)
            return fg_fail_errno(err, errnum, __func__, "cannot use the database", path);
        return FG_FAIL(err, FG_ERR_IO, "%s: cannot be read or written (%s); check the disk", path,
                       sqlite3_errstr(result));
    default:
        return FG_FAIL(err, FG_ERR_INTERNAL, "%s: %s (%d)", path, s->db ? sqlite3_errmsg(s->db) : "SQLite",
                       result);
    }
}

fg_code fg_sql_fail(fg_sqlite *s, int result, fg_error *err)
{
    return fg_error_local(err, describe(s, result, err));
}

/* -- statements -- */

void fg_sql_prepare(fg_sql *q, fg_sqlite *s, const char *sql)
{
    *q = (fg_sql){.store = s, .sql = sql};
    for (int i = 0; i < FG_SQL_CACHE; i++) {
        if (s->cache[i].sql == sql && s->cache[i].stmt) {
            q->stmt = s->cache[i].stmt;
            s->cache[i].stmt = NULL;
            return;
        }
    }
    q->result = sqlite3_prepare_v3(s->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &q->stmt, NULL);
}

static void keep(fg_sql *q, int result)
{
    if (q->result == SQLITE_OK)
        q->result = result;
}

void fg_sql_int(fg_sql *q, int64_t value)
{
    keep(q, sqlite3_bind_int64(q->stmt, ++q->bound, value));
}

void fg_sql_real(fg_sql *q, double value)
{
    ++q->bound;
    keep(q,
         isnan(value) ? sqlite3_bind_null(q->stmt, q->bound) : sqlite3_bind_double(q->stmt, q->bound, value));
}

void fg_sql_text(fg_sql *q, const char *text)
{
    keep(q, sqlite3_bind_text(q->stmt, ++q->bound, text, -1, SQLITE_STATIC));
}

void fg_sql_clean(fg_sql *q, const char *text)
{
    char clean[CLEAN_BYTES];
    fg_text_clean(clean, sizeof clean, text);
    keep(q, sqlite3_bind_text(q->stmt, ++q->bound, clean, -1, SQLITE_TRANSIENT));
}

void fg_sql_blob(fg_sql *q, const void *data, size_t size)
{
    keep(q, sqlite3_bind_blob64(q->stmt, ++q->bound, data, size, SQLITE_STATIC));
}

fg_code fg_sql_step(fg_sql *q, fg_error *err)
{
    q->row = false;
    errno = 0;
    if (q->result == SQLITE_OK || q->result == SQLITE_ROW)
        q->result = sqlite3_step(q->stmt);
    if (q->result == SQLITE_ROW || q->result == SQLITE_DONE) {
        q->row = q->result == SQLITE_ROW;
        return FG_OK;
    }
    return fg_sql_fail(q->store, q->result, err);
}

void fg_sql_reset(fg_sql *q)
{
    if (q->stmt) {
        sqlite3_reset(q->stmt);
        sqlite3_clear_bindings(q->stmt);
        q->result = SQLITE_OK;
    }
    q->bound = 0;
    q->row = false;
}

void fg_sql_done(fg_sql *q)
{
    fg_sqlite *s = q->store;
    int place = -1;
    if (!q->stmt)
        return;
    int result = q->result;
    fg_sql_reset(q);
    q->result = result; /* fg_sql_is_duplicate still wants it */
    for (int i = 0; i < FG_SQL_CACHE && place < 0; i++)
        if (!s->cache[i].stmt && (!s->cache[i].sql || s->cache[i].sql == q->sql))
            place = i;
    for (int i = 0; i < FG_SQL_CACHE && place < 0; i++)
        if (!s->cache[i].stmt)
            place = i;
    if (place >= 0) {
        s->cache[place].sql = q->sql;
        s->cache[place].stmt = q->stmt;
    } else {
        sqlite3_finalize(q->stmt);
    }
    q->stmt = NULL;
}

fg_code fg_sql_run(fg_sql *q, fg_error *err)
{
    fg_code rc = fg_sql_step(q, err);
    fg_sql_done(q);
    return rc;
}

fg_code fg_sql_run_int(fg_sql *q, int64_t otherwise, int64_t *value, fg_error *err)
{
    fg_code rc = fg_sql_step(q, err);
    *value = rc == FG_OK && q->row ? fg_sql_column_int(q, 0) : otherwise;
    fg_sql_done(q);
    return rc;
}

bool fg_sql_is_duplicate(const fg_sql *q)
{
    return q->result == SQLITE_CONSTRAINT_UNIQUE || q->result == SQLITE_CONSTRAINT_PRIMARYKEY;
}

int64_t fg_sql_column_int(const fg_sql *q, int column)
{
    return sqlite3_column_int64(q->stmt, column);
}

double fg_sql_column_real(const fg_sql *q, int column)
{
    return sqlite3_column_type(q->stmt, column) == SQLITE_NULL ? NAN : sqlite3_column_double(q->stmt, column);
}

fg_code fg_sql_column_text(const fg_sql *q, int column, char **text, fg_error *err)
{
    const char *value = (const char *)sqlite3_column_text(q->stmt, column);
    *text = strdup(value ? value : "");
    return *text ? FG_OK : FG_FAIL(err, FG_ERR_MEMORY, "out of memory");
}

void fg_sql_column_copy(const fg_sql *q, int column, char *out, size_t out_size)
{
    const char *value = (const char *)sqlite3_column_text(q->stmt, column);
    size_t size = value ? strnlen(value, out_size - 1) : 0;
    if (size)
        memcpy(out, value, size);
    out[size] = 0;
}

fg_code fg_sql_grow(void **items, long count, long *capacity, size_t size, fg_error *err)
{
    if (count < *capacity)
        return FG_OK;
    long more = *capacity ? *capacity * 2 : 16;
    char *grown = realloc(*items, (size_t)more * size);
    if (!grown)
        return FG_FAIL(err, FG_ERR_MEMORY, "out of memory");
    memset(grown + (size_t)count * size, 0, (size_t)(more - count) * size);
    *items = grown;
    *capacity = more;
    return FG_OK;
}

fg_code fg_sql_list(fg_sql *q, size_t row_size, fg_sql_reader read, void **rows, long *count, fg_error *err)
{
    long capacity = 0;
    fg_code rc;
    *rows = NULL;
    *count = 0;
    while ((rc = fg_sql_step(q, err)) == FG_OK && q->row) {
        if ((rc = fg_sql_grow(rows, *count, &capacity, row_size, err)) != FG_OK)
            break;
        if ((rc = read(q, (char *)*rows + (size_t)(*count)++ * row_size, err)) != FG_OK)
            break;
    }
    fg_sql_done(q);
    return rc;
}

/* -- transactions -- */

static fg_code execute(fg_sqlite *s, const char *sql, fg_error *err)
{
    fg_sql q;
    fg_sql_prepare(&q, s, sql);
    return fg_sql_run(&q, err);
}

/* Rows are zeroed where they are deleted (secure_delete); this takes their old images out of the WAL. */
static void wipe_wal(fg_sqlite *s)
{
    sqlite3_busy_timeout(s->db, WIPE_BUSY_MS);
    int result = sqlite3_wal_checkpoint_v2(s->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    sqlite3_busy_timeout(s->db, s->busy_ms);
    s->wipe_due = result != SQLITE_OK;
}

fg_code fg_sql_begin(fg_sqlite *s, fg_sql_mode mode, fg_error *err)
{
    fg_code rc = FG_OK;
    pthread_mutex_lock(&s->lock);
    if (mode != FG_SQL_READ)
        rc = execute(s, mode == FG_SQL_WRITE ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL",
                     err);
    /* A read that turned into a write could fail half way with another writer's lock: writers queue up front.
     */
    if (rc == FG_OK)
        rc = execute(s, mode == FG_SQL_READ ? "BEGIN" : "BEGIN IMMEDIATE", err);
    if (rc != FG_OK)
        pthread_mutex_unlock(&s->lock);
    return rc;
}

fg_code fg_sql_end(fg_sqlite *s, fg_code rc, fg_error *err)
{
    bool wrote = sqlite3_txn_state(s->db, NULL) == SQLITE_TXN_WRITE;
    if (rc == FG_OK)
        rc = execute(s, "COMMIT", err);
    /* Some failures, a full disk among them, have rolled back already. */
    if (!sqlite3_get_autocommit(s->db) && execute(s, "ROLLBACK", NULL) != FG_OK && rc == FG_OK)
        rc = FG_FAIL(err, FG_ERR_INTERNAL, "%s: cannot roll back", s->path);
    if (rc == FG_OK && wrote && s->wipe_due)
        wipe_wal(s);
    pthread_mutex_unlock(&s->lock);
    return rc;
}

/* -- transactions of one statement -- */

fg_code fg_sql_start(fg_sql *q, fg_store *store, fg_sql_mode mode, const char *sql, fg_error *err)
{
    fg_sqlite *s = fg_sqlite_of(store);
    fg_code rc = fg_sql_begin(s, mode, err);
    if (rc == FG_OK)
        fg_sql_prepare(q, s, sql);
    return rc;
}

fg_code fg_sql_finish(fg_sql *q, fg_error *err)
{
    return fg_sql_end(q->store, fg_sql_run(q, err), err);
}

fg_code fg_sql_finish_list(fg_sql *q, const fg_sql_kind *kind, void *rows, long *count, fg_error *err)
{
    void *items = NULL;
    long n = 0;
    fg_code rc = fg_sql_end(q->store, fg_sql_list(q, kind->row_size, kind->read, &items, &n, err), err);
    if (rc != FG_OK) {
        kind->free(items, n);
        return rc;
    }
    memcpy(rows, &items, sizeof items); /* the caller's pointer has a type of its own */
    *count = n;
    return FG_OK;
}

static fg_code read_text(const fg_sql *q, void *row, fg_error *err)
{
    return fg_sql_column_text(q, 0, row, err);
}

static void free_texts(void *rows, long count)
{
    fg_keys_texts_free(rows, count);
}

const fg_sql_kind fg_sql_texts = {sizeof(char *), read_text, free_texts};
