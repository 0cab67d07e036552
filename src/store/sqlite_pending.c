#include "base/clock.h"
#include "store/owner.h"
#include "store/sql.h"
#include "store/sqlite.h"

#include <stdlib.h>
#include <string.h>

/* Whose process cannot be seen from here is given up after this. */
static const int64_t patience_ms = 24LL * 3600 * 1000;

fg_code fg_sqlite_pending_insert(fg_sqlite *s, const char *blob_prefix, fg_error *err)
{
    fg_owner self;
    fg_sql q;
    fg_owner_self(&self);
    fg_sql_prepare(&q, s,
                   "INSERT INTO pending (blob_prefix, host, pid, start, created_ms) VALUES (?, ?, ?, ?, ?)");
    fg_sql_text(&q, blob_prefix);
    fg_sql_text(&q, self.host);
    fg_sql_int(&q, self.pid);
    fg_sql_int(&q, self.start);
    fg_sql_int(&q, fg_clock_unix_ms());
    fg_code rc = fg_sql_run(&q, err);
    if (rc != FG_OK && fg_sql_is_duplicate(&q))
        rc = FG_FAIL(err, FG_ERR_EXISTS, "%s: pending already", blob_prefix);
    return rc;
}

fg_code fg_sqlite_pending_add(fg_store *store, const char *blob_prefix, fg_error *err)
{
    fg_sqlite *s = fg_sqlite_of(store);
    fg_code rc = fg_sql_begin(s, FG_SQL_WRITE, err);
    if (rc != FG_OK)
        return rc;
    return fg_sql_end(s, fg_sqlite_pending_insert(s, blob_prefix, err), err);
}

fg_code fg_sqlite_pending_remove(fg_store *store, const char *blob_prefix, fg_error *err)
{
    fg_sql q;
    fg_code rc = fg_sql_start(&q, store, FG_SQL_WRITE, "DELETE FROM pending WHERE blob_prefix = ?", err);
    if (rc != FG_OK)
        return rc;
    fg_sql_text(&q, blob_prefix);
    return fg_sql_finish(&q, err);
}

fg_code fg_sqlite_pending_release(fg_store *store, const char *blob_prefix, fg_error *err)
{
    fg_sql q;
    fg_code rc = fg_sql_start(&q, store, FG_SQL_WRITE,
                              "UPDATE pending SET host = '', created_ms = 0 WHERE blob_prefix = ?", err);
    if (rc != FG_OK)
        return rc;
    fg_sql_text(&q, blob_prefix);
    return fg_sql_finish(&q, err);
}

/* Keys below a prefix are those from "p/" up to "p0", since '0' follows '/'. */
fg_code fg_sqlite_pending_abandoned(fg_store *store, char ***prefixes, long *count, fg_error *err)
{
    fg_sqlite *s = fg_sqlite_of(store);
    const int64_t now_ms = fg_clock_unix_ms();
    long capacity = 0, n = 0;
    void *items = NULL;
    fg_sql q;
    fg_code rc = fg_sql_begin(s, FG_SQL_READ, err);
    if (rc != FG_OK)
        return rc;
    fg_sql_prepare(
        &q, s,
        "WITH range AS (SELECT *, substr(blob_prefix, 1, length(blob_prefix) - 1) || '0' AS past "
        "FROM pending) "
        "SELECT blob_prefix, host, pid, start, created_ms FROM range WHERE "
        "NOT EXISTS (SELECT 1 FROM template WHERE chip_key >= blob_prefix AND chip_key < past) AND "
        "NOT EXISTS (SELECT 1 FROM source WHERE blob_key >= blob_prefix AND blob_key < past) AND "
        "NOT EXISTS (SELECT 1 FROM member WHERE member.blob_prefix >= range.blob_prefix "
        "AND member.blob_prefix < past) ORDER BY blob_prefix");
    while ((rc = fg_sql_step(&q, err)) == FG_OK && q.row) {
        fg_owner owner;
        fg_sql_column_copy(&q, 1, owner.host, sizeof owner.host);
        owner.pid = fg_sql_column_int(&q, 2);
        owner.start = fg_sql_column_int(&q, 3);
        fg_owner_state state = fg_owner_look(&owner);
        bool old = fg_sql_column_int(&q, 4) < now_ms - patience_ms;
        if (state == FG_OWNER_ALIVE || (state == FG_OWNER_UNKNOWN && !old))
            continue;
        if ((rc = fg_sql_grow(&items, n, &capacity, sizeof(char *), err)) != FG_OK ||
            (rc = fg_sql_column_text(&q, 0, (char **)items + n, err)) != FG_OK)
            break;
        n++;
    }
    fg_sql_done(&q);
    rc = fg_sql_end(s, rc, err);
    if (rc != FG_OK) {
        for (long i = 0; i < n; i++)
            free(((char **)items)[i]);
        free(items);
        return rc;
    }
    *prefixes = items;
    *count = n;
    return FG_OK;
}

/* -- the place of the blobs -- */

/* With more than that many pending: somebody besides the caller needs it. */
static fg_code read_place(fg_sqlite *s, int pending, char **place, fg_error *err)
{
    fg_sql q;
    fg_sql_prepare(&q, s,
                   "SELECT place FROM place WHERE EXISTS (SELECT 1 FROM member) OR "
                   "(SELECT count(*) FROM pending) > ?");
    fg_sql_int(&q, pending);
    fg_code rc = fg_sql_step(&q, err);
    if (rc == FG_OK && q.row)
        rc = fg_sql_column_text(&q, 0, place, err);
    fg_sql_done(&q);
    return rc;
}

fg_code fg_sqlite_place(fg_store *store, char **place, fg_error *err)
{
    fg_sqlite *s = fg_sqlite_of(store);
    fg_code rc = fg_sql_begin(s, FG_SQL_READ, err);
    return rc == FG_OK ? fg_sql_end(s, read_place(s, 0, place, err), err) : rc;
}

fg_code fg_sqlite_place_keep(fg_store *store, const char *place, bool moved, fg_error *err)
{
    fg_sqlite *s = fg_sqlite_of(store);
    char *kept = NULL;
    fg_sql q;
    fg_code rc = fg_sql_begin(s, FG_SQL_WRITE, err);
    if (rc != FG_OK)
        return rc;
    if ((rc = read_place(s, 1, &kept, err)) == FG_OK && kept && !moved && strcmp(kept, place) != 0)
        rc = FG_FAIL(err, FG_ERR_STATE, "the team's pictures are in %s, not in %s", kept, place);
    if (rc == FG_OK && (!kept || strcmp(kept, place) != 0)) {
        fg_sql_prepare(&q, s, "INSERT OR REPLACE INTO place (one, place) VALUES (1, ?)");
        fg_sql_text(&q, place);
        rc = fg_sql_run(&q, err);
    }
    free(kept);
    return fg_sql_end(s, rc, err);
}
