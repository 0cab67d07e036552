/* Keys and audit. */
#include "store/sql.h"
#include "store/sqlite.h"

#include <stdlib.h>
#include <string.h>

#define KEY_COLUMNS                                                                                          \
    "SELECT id, label, scope, created_ms, expires_ms, revoked_ms, used_ms, hash, aws FROM access_key "

fg_code fg_sqlite_key_add(fg_store *store, const fg_key *key, fg_error *err)
{
    fg_sql q;
    fg_code rc = fg_sql_start(
        &q, store, FG_SQL_WRITE,
        "INSERT INTO access_key (id, label, scope, created_ms, expires_ms, revoked_ms, used_ms, hash, "
        "aws) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        err);
    if (rc != FG_OK)
        return rc;
    fg_sql_text(&q, key->id);
    fg_sql_clean(&q, key->label);
    fg_sql_text(&q, key->scope);
    fg_sql_int(&q, key->created_ms);
    fg_sql_int(&q, key->expires_ms);
    fg_sql_int(&q, key->revoked_ms);
    fg_sql_int(&q, key->used_ms);
    fg_sql_blob(&q, key->hash, sizeof key->hash);
    fg_sql_int(&q, key->aws);
    rc = fg_sql_run(&q, err);
    if (rc != FG_OK && fg_sql_is_duplicate(&q))
        rc = FG_FAIL(err, FG_ERR_EXISTS, "there is a key %s already", key->id);
    return fg_sql_end(q.store, rc, err);
}

static fg_code read_key(const fg_sql *q, void *row, fg_error *err)
{
    fg_key *key = row;
    fg_code rc;
    fg_sql_column_copy(q, 0, key->id, sizeof key->id);
    if ((rc = fg_sql_column_text(q, 1, &key->label, err)) != FG_OK ||
        (rc = fg_sql_column_text(q, 2, &key->scope, err)) != FG_OK)
        return rc;
    key->created_ms = fg_sql_column_int(q, 3);
    key->expires_ms = fg_sql_column_int(q, 4);
    key->revoked_ms = fg_sql_column_int(q, 5);
    key->used_ms = fg_sql_column_int(q, 6);
    key->aws = fg_sql_column_int(q, 8) != 0;
    const void *hash = sqlite3_column_blob(q->stmt, 7);
    if (!hash || (size_t)sqlite3_column_bytes(q->stmt, 7) != sizeof key->hash)
        return FG_FAIL(err, FG_ERR_INPUT, "%s: damaged (a key has no hash); restore a backup",
                       q->store->path);
    memcpy(key->hash, hash, sizeof key->hash);
    return FG_OK;
}

static void free_keys(void *rows, long count)
{
    fg_keys_free(rows, count);
}

static const fg_sql_kind keys_kind = {sizeof(fg_key), read_key, free_keys};

static fg_code no_key(const char *id, fg_error *err)
{
    return FG_FAIL(err, FG_ERR_NOT_FOUND, "there is no key %.40s; see `facegate keys list`", id);
}

fg_code fg_sqlite_key_by_id(fg_store *store, const char *id, fg_key *key, fg_error *err)
{
    fg_sql q;
    fg_code rc = fg_sql_start(&q, store, FG_SQL_READ, KEY_COLUMNS "WHERE id = ?", err);
    if (rc != FG_OK)
        return rc;
    fg_sql_text(&q, id);
    if ((rc = fg_sql_step(&q, err)) == FG_OK)
        rc = q.row ? read_key(&q, key, err) : no_key(id, err);
    fg_sql_done(&q);
    rc = fg_sql_end(q.store, rc, err);
    if (rc != FG_OK)
        fg_key_deinit(key);
    return rc;
}

fg_code fg_sqlite_keys(fg_store *store, fg_key **keys, long *count, fg_error *err)
{
    fg_sql q;
    fg_code rc = fg_sql_start(&q, store, FG_SQL_READ, KEY_COLUMNS "ORDER BY created_ms, id", err);
    if (rc != FG_OK)
        return rc;
    return fg_sql_finish_list(&q, &keys_kind, keys, count, err);
}

/* sql sets one time of one key. */
static fg_code set_key_time(fg_store *store, fg_sql_mode mode, const char *sql, const char *id,
                            int64_t when_ms, fg_error *err)
{
    fg_sql q;
    fg_code rc = fg_sql_start(&q, store, mode, sql, err);
    if (rc != FG_OK)
        return rc;
    fg_sql_int(&q, when_ms);
    fg_sql_text(&q, id);
    rc = fg_sql_run(&q, err);
    if (rc == FG_OK && sqlite3_changes64(q.store->db) == 0)
        rc = no_key(id, err);
    return fg_sql_end(q.store, rc, err);
}

fg_code fg_sqlite_key_revoke(fg_store *store, const char *id, int64_t when_ms, fg_error *err)
{
    return set_key_time(store, FG_SQL_WRITE,
                        "UPDATE access_key SET revoked_ms = iif(revoked_ms = 0, ?, revoked_ms) WHERE id = ?",
                        id, when_ms, err);
}

fg_code fg_sqlite_key_used(fg_store *store, const char *id, int64_t when_ms, fg_error *err)
{
    return set_key_time(store, FG_SQL_WRITE_LAZY,
                        "UPDATE access_key SET used_ms = max(used_ms, ?) WHERE id = ?", id, when_ms, err);
}

fg_code fg_sqlite_audit_add(fg_store *store, const fg_audit_row *row, fg_error *err)
{
    fg_sql q;
    fg_code rc = fg_sql_start(
        &q, store, FG_SQL_WRITE_LAZY,
        /* Who was removed while they were recognised is named no more. */
        "INSERT INTO audit (time_ms, actor, source, action, subject, decision, reasons, probability, "
        "member_id) VALUES (?1, ?2, ?3, ?4, "
        "iif(?9 > 0 AND NOT EXISTS (SELECT 1 FROM member WHERE id = ?9), '', ?5), ?6, ?7, ?8, "
        "coalesce(nullif(?9, 0), (SELECT id FROM member WHERE name = ?5)))",
        err);
    if (rc != FG_OK)
        return rc;
    fg_sql_int(&q, row->time_ms);
    fg_sql_clean(&q, row->actor);
    fg_sql_clean(&q, row->source);
    fg_sql_clean(&q, row->action);
    fg_sql_clean(&q, row->subject);
    fg_sql_clean(&q, row->decision);
    fg_sql_clean(&q, row->reasons);
    fg_sql_real(&q, row->probability);
    fg_sql_int(&q, row->member_id);
    return fg_sql_finish(&q, err);
}

static fg_code read_audit(const fg_sql *q, void *out, fg_error *err)
{
    fg_audit_row *row = out;
    char **const texts[] = {&row->actor,   &row->source,   &row->action,
                            &row->subject, &row->decision, &row->reasons};
    row->id = fg_sql_column_int(q, 0);
    row->time_ms = fg_sql_column_int(q, 1);
    for (int i = 0; i < 6; i++) {
        fg_code rc = fg_sql_column_text(q, 2 + i, texts[i], err);
        if (rc != FG_OK)
            return rc;
    }
    row->probability = fg_sql_column_real(q, 8);
    row->member_id = fg_sql_column_int(q, 9);
    return FG_OK;
}

static void free_audit(void *rows, long count)
{
    fg_audit_free(rows, count);
}

static const fg_sql_kind audit_kind = {sizeof(fg_audit_row), read_audit, free_audit};

fg_code fg_sqlite_audit_find(fg_store *store, const fg_audit_filter *f, fg_audit_row **rows, long *count,
                             fg_error *err)
{
    fg_sql q;
    fg_code rc = fg_sql_start(
        &q, store, FG_SQL_READ,
        "SELECT id, time_ms, actor, source, action, subject, decision, reasons, probability, member_id "
        "FROM audit WHERE id < ?1 AND time_ms >= ?2 AND time_ms < ?3 AND (?4 = '' OR action = ?4) AND "
        "(?5 = '' OR decision = ?5) AND (?6 = '' OR source = ?6) AND (?7 = '' OR subject = ?7 COLLATE NOCASE "
        "OR member_id = (SELECT id FROM member WHERE name = ?7) OR CAST(member_id AS TEXT) = ?7) "
        "ORDER BY id DESC LIMIT ?8",
        err);
    if (rc != FG_OK)
        return rc;
    fg_sql_int(&q, f->before_id > 0 ? f->before_id : INT64_MAX);
    fg_sql_int(&q, f->from_ms);
    fg_sql_int(&q, f->to_ms > 0 ? f->to_ms : INT64_MAX);
    fg_sql_text(&q, f->action ? f->action : "");
    fg_sql_text(&q, f->decision ? f->decision : "");
    fg_sql_text(&q, f->source ? f->source : "");
    fg_sql_text(&q, f->member ? f->member : "");
    fg_sql_int(&q, f->limit);
    return fg_sql_finish_list(&q, &audit_kind, rows, count, err);
}
