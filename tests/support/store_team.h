/* What the tests of the store share: a team in it, and its database directly. Needs cmocka.h. */
#ifndef FG_TESTS_STORE_TEAM_H
#define FG_TESTS_STORE_TEAM_H

#include "store/sqlite.h"
#include "support/expect.h"
#include "support/store_fixture.h"
#include "support/team.h"

#define OTHER_MODEL "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

static const char *const lab_office[] = {"office", " lab ", "office"};

static inline int64_t enroll(fixture *f, const char *name, const char *prefix, int templates)
{
    int64_t id = 0;
    const team_order order = {.name = name,
                              .role = "engineer",
                              .rights = lab_office,
                              .right_count = 3,
                              .prefix = prefix,
                              .templates = templates};
    ok(team_enroll(f->store, &order, &id, &f->err));
    return id;
}

static inline long sql_count(fixture *f, const char *sql)
{
    sqlite3_stmt *stmt = NULL;
    assert_int_equal(sqlite3_prepare_v2(fg_sqlite_connection(f->store), sql, -1, &stmt, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    long value = (long)sqlite3_column_int64(stmt, 0);
    sqlite3_finalize(stmt);
    return value;
}

static inline void sql_run(fixture *f, const char *sql)
{
    assert_int_equal(sqlite3_exec(fg_sqlite_connection(f->store), sql, NULL, NULL, NULL), SQLITE_OK);
}

static inline int file_contains(const char *path, const char *text, size_t size)
{
    fg_buf buf;
    fg_buf_init(&buf, 64 << 20);
    int found = 0;
    if (fg_file_read(path, &buf, NULL) == FG_OK)
        for (size_t i = 0; i + size <= buf.size && !found; i++)
            found = memcmp(buf.data + i, text, size) == 0;
    fg_buf_deinit(&buf);
    return found;
}

#endif
