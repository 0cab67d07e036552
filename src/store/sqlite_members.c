#include "base/clock.h"
#include "store/sql.h"
#include "store/sqlite.h"

#include <stdlib.h>

#define MEMBER_COLUMNS                                                                                       \
    "SELECT id, name, role, blob_prefix, created_ms, updated_ms, last_seen_ms, "                             \
    "(SELECT count(*) FROM source WHERE member_id = member.id), "                                            \
    "(SELECT count(*) FROM template WHERE member_id = member.id), "                                          \
    "(SELECT max(created_ms) FROM source WHERE member_id = member.id), named_ms FROM member "

static fg_code read_rights(fg_sqlite *s, fg_member *member, fg_error *err)
{
    long capacity = 0;
    void *rights = NULL;
    fg_sql q;
    fg_code rc;
    fg_sql_prepare(&q, s, "SELECT name FROM member_right WHERE member_id = ? ORDER BY name");
    fg_sql_int(&q, member->id);
    while ((rc = fg_sql_step(&q, err)) == FG_OK && q.row) {
        if ((rc = fg_sql_grow(&rights, member->right_count, &capacity, sizeof(char *), err)) != FG_OK)
            break;
        member->rights = rights;
        if ((rc = fg_sql_column_text(&q, 0, &member->rights[member->right_count], err)) != FG_OK)
            break;
        member->right_count++;
    }
    fg_sql_done(&q);
    return rc;
}

/* On failure the caller deinits what has been read so far. */
static fg_code read_member(const fg_sql *q, void *row, fg_error *err)
{
    fg_member *member = row;
    fg_code rc;
    member->id = fg_sql_column_int(q, 0);
    if ((rc = fg_sql_column_text(q, 1, &member->name, err)) != FG_OK ||
        (rc = fg_sql_column_text(q, 2, &member->role, err)) != FG_OK ||
        (rc = fg_sql_column_text(q, 3, &member->blob_prefix, err)) != FG_OK)
        return rc;
    member->created_ms = fg_sql_column_int(q, 4);
    member->updated_ms = fg_sql_column_int(q, 5);
    member->last_seen_ms = fg_sql_column_int(q, 6);
    member->sources = (long)fg_sql_column_int(q, 7);
    member->templates = (long)fg_sql_column_int(q, 8);
    member->added_ms = fg_sql_column_int(q, 9);
    member->named_ms = fg_sql_column_int(q, 10);
    return read_rights(q->store, member, err);
}

static void free_members(void *rows, long count)
{
    fg_members_free(rows, count);
}

static const fg_sql_kind members_kind = {sizeof(fg_member), read_member, free_members};

fg_code fg_sqlite_members(fg_store *store, fg_member **members, long *count, fg_error *err)
{
    fg_sql q;
    fg_code rc = fg_sql_start(&q, store, FG_SQL_READ, MEMBER_COLUMNS "ORDER BY name, id", err);
    if (rc != FG_OK)
        return rc;
    return fg_sql_finish_list(&q, &members_kind, members, count, err);
}

fg_code fg_sqlite_member_names(fg_store *store, int64_t **ids, char ***names, long *count, fg_error *err)
{
    fg_sqlite *s = fg_sqlite_of(store);
    void *id_items = NULL, *name_items = NULL;
    long n = 0, id_capacity = 0, name_capacity = 0;
    fg_sql q;
    fg_code rc = fg_sql_begin(s, FG_SQL_READ, err);
    if (rc != FG_OK)
        return rc;
    fg_sql_prepare(&q, s, "SELECT id, name FROM member ORDER BY id");
    while ((rc = fg_sql_step(&q, err)) == FG_OK && q.row) {
        if ((rc = fg_sql_grow(&id_items, n, &id_capacity, sizeof **ids, err)) != FG_OK ||
            (rc = fg_sql_grow(&name_items, n, &name_capacity, sizeof(char *), err)) != FG_OK)
            break;
        ((int64_t *)id_items)[n] = fg_sql_column_int(&q, 0);
        if ((rc = fg_sql_column_text(&q, 1, &((char **)name_items)[n], err)) != FG_OK)
            break;
        n++;
    }
    fg_sql_done(&q);
    rc = fg_sql_end(s, rc, err);
    if (rc != FG_OK) {
        fg_member_names_free(id_items, name_items, n);
        return rc;
    }
    *ids = id_items;
    *names = name_items;
    *count = n;
    return FG_OK;
}

/* q, bound, selects at most one member. */
static fg_code find_member(fg_sql *q, fg_member *member, bool *found, fg_error *err)
{
    fg_code rc = fg_sql_step(q, err);
    *found = rc == FG_OK && q->row;
    if (*found)
        rc = read_member(q, member, err);
    fg_sql_done(q);
    if (rc != FG_OK)
        fg_member_deinit(member);
    return rc;
}

static fg_code no_member(int64_t id, fg_error *err)
{
    return FG_FAIL(err, FG_ERR_NOT_FOUND, "there is no member with the id %lld", (long long)id);
}

fg_code fg_sqlite_member_by_id(fg_store *store, int64_t id, fg_member *member, fg_error *err)
{
    bool found = false;
    fg_sql q;
    fg_code rc = fg_sql_start(&q, store, FG_SQL_READ, MEMBER_COLUMNS "WHERE id = ?", err);
    if (rc != FG_OK)
        return rc;
    fg_sql_int(&q, id);
    rc = fg_sql_end(q.store, find_member(&q, member, &found, err), err);
    return rc == FG_OK && !found ? no_member(id, err) : rc;
}

fg_code fg_sqlite_member_by_name(fg_store *store, const char *name, fg_member *member, fg_error *err)
{
    bool found = false;
    fg_sql q;
    fg_code rc = fg_sql_start(&q, store, FG_SQL_READ, MEMBER_COLUMNS "WHERE name = ?", err);
    if (rc != FG_OK)
        return rc;
    fg_sql_text(&q, name);
    rc = fg_sql_end(q.store, find_member(&q, member, &found, err), err);
    return rc == FG_OK && !found ? FG_FAIL(err, FG_ERR_NOT_FOUND,
                                           "there is no member called %s; see `facegate members list`", name)
                                 : rc;
}

fg_code fg_sqlite_rights_replace(fg_sqlite *s, int64_t member_id, const char *const *rights, int count,
                                 fg_error *err)
{
    fg_sql q;
    fg_sql_prepare(&q, s, "DELETE FROM member_right WHERE member_id = ?");
    fg_sql_int(&q, member_id);
    fg_code rc = fg_sql_run(&q, err);
    for (int i = 0; i < count && rc == FG_OK; i++) {
        fg_sql_prepare(&q, s, "INSERT INTO member_right (member_id, name) VALUES (?, ?)");
        fg_sql_int(&q, member_id);
        fg_sql_text(&q, rights[i]);
        rc = fg_sql_run(&q, err);
    }
    return rc;
}

/* What bears the old name stays with the member, so that a removal finds it; each has the member's id as its
 * only parameter. */
static const char *const renaming[] = {
    "UPDATE audit SET member_id = ?1 WHERE member_id IS NULL AND subject <> '' AND "
    "subject = (SELECT name FROM member WHERE id = ?1) COLLATE NOCASE",
    "UPDATE job SET member_id = ?1 WHERE member_id IS NULL AND end_json <> '' AND "
    "subject = (SELECT name FROM member WHERE id = ?1) COLLATE NOCASE",
};

fg_code fg_sqlite_member_set(fg_store *store, int64_t id, const fg_member_change *change, fg_error *err)
{
    fg_sqlite *s = fg_sqlite_of(store);
    fg_sql q;
    fg_code rc = fg_sql_begin(s, FG_SQL_WRITE, err);
    if (rc != FG_OK)
        return rc;
    for (size_t i = 0; change->name && i < sizeof renaming / sizeof renaming[0] && rc == FG_OK; i++) {
        fg_sql_prepare(&q, s, renaming[i]);
        fg_sql_int(&q, id);
        rc = fg_sql_run(&q, err);
    }
    if (rc != FG_OK)
        goto done;
    fg_sql_prepare(&q, s,
                   "UPDATE member SET updated_ms = ?1, name = coalesce(?2, name), role = coalesce(?3, role), "
                   "named_ms = iif(?2 IS NULL OR name = ?2, named_ms, " FG_SQL_NAMED_MS ") WHERE id = ?4");
    fg_sql_int(&q, fg_clock_unix_ms());
    fg_sql_text(&q, change->name);
    fg_sql_text(&q, change->role);
    fg_sql_int(&q, id);
    rc = fg_sql_run(&q, err);
    if (rc != FG_OK && fg_sql_is_duplicate(&q))
        rc = FG_FAIL(err, FG_ERR_EXISTS, "there is a member called %s already; choose another name",
                     change->name);
    else if (rc == FG_OK && sqlite3_changes64(s->db) == 0)
        rc = no_member(id, err);
    if (rc == FG_OK && change->rights)
        rc = fg_sqlite_rights_replace(s, id, change->rights, change->right_count, err);
done:
    return fg_sql_end(s, rc, err);
}

fg_code fg_sqlite_member_seen(fg_store *store, int64_t id, int64_t when_ms, fg_error *err)
{
    fg_sql q;
    fg_code rc = fg_sql_start(&q, store, FG_SQL_WRITE_LAZY,
                              "UPDATE member SET last_seen_ms = max(last_seen_ms, ?) WHERE id = ?", err);
    if (rc != FG_OK)
        return rc;
    fg_sql_int(&q, when_ms);
    fg_sql_int(&q, id);
    rc = fg_sql_run(&q, err);
    if (rc == FG_OK && sqlite3_changes64(q.store->db) == 0)
        rc = no_member(id, err);
    return fg_sql_end(q.store, rc, err);
}

/* What a removal does, in order; each has the member's id as its only parameter. */
static const char *const removal[] = {
    /* A classifier is made of templates, and its report names members. */
    "UPDATE version SET active = 0, data = NULL, report_json = '{}' WHERE version IN "
    "(SELECT version FROM version_member WHERE member_id = ?1)",
    "UPDATE pending SET cancelled = 1 WHERE substr(blob_prefix, 1, "
    "(SELECT length(blob_prefix) FROM member WHERE id = ?1)) = (SELECT blob_prefix FROM member WHERE id = "
    "?1)",
    "UPDATE audit SET subject = '' WHERE member_id = ?1 OR (member_id IS NULL AND subject <> '' AND "
    "subject = (SELECT name FROM member WHERE id = ?1) COLLATE NOCASE)",
    /* Reports of trainings name members too. A job under way finds its row gone, and is forgotten. */
    "DELETE FROM job WHERE member_id = ?1 OR subject = (SELECT name FROM member WHERE id = ?1) COLLATE "
    "NOCASE "
    "OR instr(end_json, json_quote((SELECT name FROM member WHERE id = ?1))) > 0",
    "DELETE FROM member WHERE id = ?1",
};

fg_code fg_sqlite_member_remove(fg_store *store, int64_t id, fg_error *err)
{
    fg_sqlite *s = fg_sqlite_of(store);
    char *prefix = NULL;
    fg_sql q;
    fg_code rc = fg_sql_begin(s, FG_SQL_WRITE, err);
    if (rc != FG_OK)
        return rc;
    fg_sql_prepare(&q, s, "SELECT blob_prefix FROM member WHERE id = ?");
    fg_sql_int(&q, id);
    if ((rc = fg_sql_step(&q, err)) == FG_OK)
        rc = q.row ? fg_sql_column_text(&q, 0, &prefix, err) : no_member(id, err);
    fg_sql_done(&q);
    for (size_t i = 0; i < sizeof removal / sizeof removal[0] && rc == FG_OK; i++) {
        fg_sql_prepare(&q, s, removal[i]);
        fg_sql_int(&q, id);
        rc = fg_sql_run(&q, err);
    }
    if (rc == FG_OK)
        rc = fg_sqlite_pending_insert(s, prefix, err);
    if (rc == FG_OK)
        s->wipe_due = true;
    free(prefix);
    return fg_sql_end(s, rc, err);
}
