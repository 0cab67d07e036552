/* The store under bad conditions: what is no store, damage, locks, permissions, full disks, killed processes.
 */
#include "base/embedded.h"
#include "blob/blob.h"
#include "store/sqlite.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/expect.h"
#include "support/store_fixture.h"
#include "support/team.h"

static fg_code enroll(fixture *f, const char *name, const char *prefix, int templates)
{
    int64_t id = 0;
    const team_order order = {.name = name, .role = "r", .prefix = prefix, .templates = templates};
    return team_enroll(f->store, &order, &id, &f->err);
}

static void write_file(const char *path, const void *data, size_t size)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static void read_file(const char *path, fg_buf *buf)
{
    fg_buf_init(buf, 64 << 20);
    ok(fg_file_read(path, buf, NULL));
}

/* -- what is no store -- */

static void addresses_that_lead_nowhere(void **state)
{
    fixture *f = *state;
    char path[sizeof f->folder + 32];
    fails(fg_store_open(&f->store, NULL, false, &f->err), FG_ERR_USAGE, "empty");
    fails(fg_store_open(&f->store, "", false, &f->err), FG_ERR_USAGE, "empty");
    fails(fg_store_open(&f->store, "sqlite:", false, &f->err), FG_ERR_USAGE, "empty");
    fails(fg_store_open(&f->store, "postgresql://h/d", false, &f->err), FG_ERR_UNSUPPORTED,
          "postgresql://h/d");
    fails(fg_store_open(&f->store, f->folder, false, &f->err), FG_ERR_INPUT, f->folder);
    fails(fg_store_open(&f->store, f->path, true, &f->err), FG_ERR_NOT_FOUND, f->path);
    assert_int_equal(access(f->path, F_OK), -1); /* nor was it made */
    snprintf(path, sizeof path, "%s/none/db", f->folder);
    fails(fg_store_open(&f->store, path, false, &f->err), FG_ERR_NOT_FOUND, path);
    assert_int_equal(mkfifo(f->path, 0600), 0);
    fails(fg_store_open(&f->store, f->path, false, &f->err), FG_ERR_INPUT, "plain file");
    assert_null(f->store);
}

static void other_files_are_refused_and_left_alone(void **state)
{
    fixture *f = *state;
    static const char text[] =
        "Dear diary, this is a text file that somebody called facegate.db, and it is longer than a page "
        "header of SQLite, which has one hundred bytes.";
    fg_buf before, after;
    write_file(f->path, text, sizeof text);
    fails(fg_store_open(&f->store, f->path, false, &f->err), FG_ERR_INPUT, f->path);
    read_file(f->path, &after);
    assert_int_equal(after.size, sizeof text);
    assert_memory_equal(after.data, text, sizeof text);
    fg_buf_deinit(&after);
    assert_int_equal(unlink(f->path), 0);

    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "CREATE TABLE bookmarks (url)", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    read_file(f->path, &before);
    fails(fg_store_open(&f->store, f->path, false, &f->err), FG_ERR_INPUT, "another program");
    read_file(f->path, &after);
    assert_int_equal(after.size, before.size);
    assert_memory_equal(after.data, before.data, before.size);
    fg_buf_deinit(&before);
    fg_buf_deinit(&after);
}

static void empty_file_is_a_new_store(void **state)
{
    /* What a process leaves that is killed right after it made the file. */
    fixture *f = *state;
    write_file(f->path, "", 0);
    ok(fg_store_open(&f->store, f->path, false, &f->err));
    ok(enroll(f, "Ann", "members/a/", 1));
}

static void newer_schema_is_refused(void **state)
{
    fixture *f = *state;
    ok(fg_store_open(&f->store, f->path, false, &f->err));
    assert_int_equal(
        sqlite3_exec(fg_sqlite_connection(f->store), "PRAGMA user_version = 99", NULL, NULL, NULL),
        SQLITE_OK);
    fg_store_close(f->store);
    fails(fg_store_open(&f->store, f->path, false, &f->err), FG_ERR_UNSUPPORTED, "upgrade Facegate");
    fails(fg_store_open(&f->store, f->path, true, &f->err), FG_ERR_UNSUPPORTED, "schema 99");
}

#define MIGRATION(name_, text)                                                                               \
    {                                                                                                        \
        name_, (const unsigned char *)(text), sizeof(text) - 1                                               \
    }

static void migrations_run_in_order_or_not_at_all(void **state)
{
    fixture *f = *state;
    const fg_embedded good =
        MIGRATION("9002_notes.sql", "CREATE TABLE note (text TEXT) STRICT; INSERT INTO note VALUES ('kept')");
    const fg_embedded bad =
        MIGRATION("9003_bad.sql", "CREATE TABLE third (x INTEGER) STRICT; CREATE TABLE third (y INTEGER)");
    const fg_embedded third = MIGRATION("9003_third.sql", "ALTER TABLE note ADD COLUMN n INTEGER DEFAULT 3");
    fg_embedded two[32] = {0}, broken[32] = {0}, three[32] = {0};
    int n = 0;
    for (; fg_sqlite_migrations[n].name; n++)
        two[n] = broken[n] = three[n] = fg_sqlite_migrations[n];
    assert_true(n + 3 <= 32);
    two[n] = broken[n] = three[n] = good;
    broken[n + 1] = bad;
    three[n + 1] = third;
    fg_store *store = NULL;
    sqlite3_stmt *stmt = NULL;

    ok(fg_store_open(&f->store, f->path, false, &f->err));
    ok(enroll(f, "Ann", "members/a/", 1));
    fails(fg_sqlite_open_with(&store, f->path, true, 100, two, &f->err), FG_ERR_STATE, "older Facegate");
    fails(fg_sqlite_open_with(&store, f->path, false, 100, broken, &f->err), FG_ERR_INTERNAL, "9003_bad.sql");
    ok(fg_store_check(f->store, &f->err)); /* the old schema is whole */
    ok(enroll(f, "Ben", "members/b/", 1));
    fg_store_close(f->store);
    ok(fg_store_open(&f->store, f->path, false, &f->err));
    fg_store_close(f->store);
    f->store = NULL;

    ok(fg_sqlite_open_with(&store, f->path, false, 100, two, &f->err));
    fg_store_close(store);
    ok(fg_sqlite_open_with(&store, f->path, false, 100, three, &f->err));
    assert_int_equal(sqlite3_prepare_v2(fg_sqlite_connection(store), "SELECT n FROM note WHERE text = 'kept'",
                                        -1, &stmt, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    assert_int_equal(sqlite3_column_int(stmt, 0), 3);
    sqlite3_finalize(stmt);
    fg_store_close(store);
    fails(fg_store_open(&f->store, f->path, false, &f->err), FG_ERR_UNSUPPORTED, "upgrade");
}

/* 0003_datasets makes two tables anew: rows, references and the numbers that may not be given again survive
 * it. */
static void datasets_migration_keeps_everything(void **state)
{
    static const char old_rows[] =
        "INSERT INTO member (name, role, blob_prefix, created_ms, updated_ms) VALUES ('Ann', 'r', 'a/', 1, "
        "1);"
        "INSERT INTO model (hash) VALUES ('" TEAM_MODEL "');"
        "INSERT INTO source (id, member_id, name, kind, sha256, every, rotation, frames_sampled, faces_used, "
        "created_ms) VALUES (7, 1, 'v.mp4', 'video', '', 5, 0, 3, 2, 1), (9, 1, 'p.jpg', 'photo', '', 5, 0, "
        "1, 1, 1);"
        "DELETE FROM source WHERE id = 9;"
        "INSERT INTO template (id, member_id, source_id, frame_index, time_ms, model_id, embedding_size, "
        "embedding, chip_key, score, sharpness) VALUES (5, 1, 7, 3, 40, 1, 2, x'0000803f00000000', "
        "'a/5.png', 1, 2);";
    fixture *f = *state;
    const fg_embedded first[] = {fg_sqlite_migrations[0], {0}};
    fg_template *templates = NULL;
    fg_source *sources = NULL;
    fg_store *store = NULL;
    int64_t id = 0;
    long count = 0;
    ok(fg_sqlite_open_with(&store, f->path, false, 100, first, &f->err));
    assert_int_equal(sqlite3_exec(fg_sqlite_connection(store), old_rows, NULL, NULL, NULL), SQLITE_OK);
    fg_store_close(store);
    ok(fg_store_open(&f->store, f->path, false, &f->err));
    ok(fg_store_check(f->store, &f->err));
    ok(fg_store_template_chips(f->store, 0, &templates, &count, &f->err));
    assert_int_equal(count, 1);
    assert_int_equal(templates[0].id, 5);
    assert_int_equal(templates[0].source_id, 7);
    assert_string_equal(templates[0].chip_key, "a/5.png");
    fg_templates_free(templates, count);
    float embedding[2] = {0, 1};
    fg_template imported = {.embedding_size = 2, .embedding = embedding, .model_hash = TEAM_MODEL};
    const fg_source file = {.name = (char *)"data.npz", .kind = (char *)"dataset"};
    const fg_enrolment enrolment = {.name = "Ann",
                                    .blob_prefix = "a/",
                                    .add = true,
                                    .sources = &file,
                                    .source_count = 1,
                                    .templates = &imported,
                                    .template_count = 1};
    ok(fg_store_enroll(f->store, &enrolment, &id, &f->err));
    ok(fg_store_sources(f->store, id, &sources, &count, &f->err));
    assert_int_equal(count, 2);
    assert_int_equal(sources[1].id, 10);
    assert_string_equal(sources[1].kind, "dataset");
    fg_sources_free(sources, count);
    ok(fg_store_template_chips(f->store, 0, &templates, &count, &f->err));
    assert_int_equal(count, 1); /* an imported one has no picture */
    fg_templates_free(templates, count);
    fg_template_set set;
    ok(fg_store_templates(f->store, TEAM_MODEL, &set, NULL, &f->err));
    assert_int_equal(set.count, 2);
    fg_template_set_deinit(&set);
    ok(fg_store_member_remove(f->store, id, &f->err)); /* cascades through the new tables */
    ok(fg_store_template_chips(f->store, 0, &templates, &count, &f->err));
    assert_int_equal(count, 0);
    ok(fg_store_check(f->store, &f->err));
}

static void many_members_are_enrolled_or_none(void **state)
{
    enum { MEMBERS = 300 };
    fixture *f = *state;
    static char names[MEMBERS][16], prefixes[MEMBERS][32];
    static fg_enrolment enrolments[MEMBERS];
    static int64_t ids[MEMBERS];
    float embedding[2] = {0, 1};
    fg_template t = {.embedding_size = 2, .embedding = embedding, .model_hash = TEAM_MODEL};
    const fg_source file = {.name = (char *)"data.npz", .kind = (char *)"dataset"};
    fg_member *members = NULL;
    long count = 0;
    ok(fg_store_open(&f->store, f->path, false, &f->err));
    for (int i = 0; i < MEMBERS; i++) {
        snprintf(names[i], sizeof names[i], "m%d",
                 i == MEMBERS - 1 ? 0 : i); /* the last one is there twice */
        snprintf(prefixes[i], sizeof prefixes[i], "members/%d/", i);
        enrolments[i] = (fg_enrolment){.name = names[i],
                                       .role = "r",
                                       .blob_prefix = prefixes[i],
                                       .sources = &file,
                                       .source_count = 1,
                                       .templates = &t,
                                       .template_count = 1};
    }
    fails(fg_store_enroll_all(f->store, enrolments, MEMBERS, ids, &f->err), FG_ERR_EXISTS, "m0");
    assert_int_equal(ids[0], 0);
    ok(fg_store_members(f->store, &members, &count, &f->err));
    assert_int_equal(count, 0);
    fg_members_free(members, count);
    ok(fg_store_enroll_all(f->store, enrolments, MEMBERS - 1, ids, &f->err));
    assert_int_equal(ids[MEMBERS - 2], MEMBERS - 1);
    ok(fg_store_members(f->store, &members, &count, &f->err));
    assert_int_equal(count, MEMBERS - 1);
    fg_members_free(members, count);
    /* retention finds nothing to delete of templates without pictures */
    const fg_expiring kinds[] = {FG_EXPIRING_CHIPS, FG_EXPIRING_ORIGINALS, FG_EXPIRING_ENROLMENTS};
    for (int i = 0; i < 3; i++) {
        char **keys = NULL;
        ok(fg_store_expired(f->store, kinds[i], INT64_MAX, 100, &keys, &count, &f->err));
        assert_int_equal(count, 0);
        fg_keys_texts_free(keys, count);
    }
    embedding[0] = 1;
    for (int i = 0; i < MEMBERS; i++)
        enrolments[i].add = true;
    fails(fg_store_enroll_all(f->store, enrolments, MEMBERS, ids, &f->err), FG_ERR_INPUT, "unit length");
}

static void processes_open_a_new_store_at_once(void **state)
{
    enum { PROCESSES = 6 };
    fixture *f = *state;
    pid_t pids[PROCESSES];
    for (int i = 0; i < PROCESSES; i++) {
        pids[i] = fork();
        assert_true(pids[i] >= 0);
        if (pids[i] == 0) {
            char name[16], prefix[32];
            snprintf(name, sizeof name, "m%d", i);
            snprintf(prefix, sizeof prefix, "members/%d/", i);
            fg_code rc = fg_store_open(&f->store, f->path, false, &f->err);
            if (rc == FG_OK)
                rc = enroll(f, name, prefix, 3);
            if (rc != FG_OK)
                fprintf(stderr, "%s\n", f->err.msg);
            fg_store_close(f->store);
            _exit(rc == FG_OK ? 0 : 1);
        }
    }
    for (int i = 0; i < PROCESSES; i++) {
        int status = -1;
        assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
        assert_int_equal(status, 0);
    }
    fg_member *members = NULL;
    long count = 0;
    ok(fg_store_open(&f->store, f->path, false, &f->err));
    ok(fg_store_members(f->store, &members, &count, &f->err));
    assert_int_equal(count, PROCESSES);
    fg_members_free(members, count);
}

/* -- damage -- */

/* Every call on a store of which anything may be wrong: an error is fine, a crash or a hang is not. */
static int use_everything(const char *path, fg_error *err)
{
    fg_store *store = NULL;
    fg_member *members = NULL;
    fg_template_set set = {0};
    fg_template *chips = NULL;
    fg_version_info *infos = NULL;
    fg_key *keys = NULL;
    fg_audit_row *rows = NULL;
    char **prefixes = NULL;
    long count = 0;
    int64_t id = 0;
    const team_order order = {.name = "New", .role = "r", .prefix = "members/new/", .templates = 5};
    int errors = 0;
    if (fg_sqlite_open(&store, path, false, 100, err) != FG_OK)
        return 1;
    errors += fg_store_check(store, err) != FG_OK;
    errors += fg_store_members(store, &members, &count, err) != FG_OK;
    fg_members_free(members, count);
    errors += fg_store_templates(store, TEAM_MODEL, &set, NULL, err) != FG_OK;
    fg_template_set_deinit(&set);
    errors += fg_store_template_chips(store, 0, &chips, &count, err) != FG_OK;
    fg_templates_free(chips, count);
    errors += fg_store_versions(store, &infos, &count, err) != FG_OK;
    fg_versions_free(infos, count);
    errors += fg_store_keys(store, &keys, &count, err) != FG_OK;
    fg_keys_free(keys, count);
    errors += fg_store_audit(store, 0, 10, &rows, &count, err) != FG_OK;
    fg_audit_free(rows, count);
    errors += fg_store_pending_abandoned(store, &prefixes, &count, err) != FG_OK;
    for (long i = 0; i < count; i++)
        free(prefixes[i]);
    free(prefixes);
    errors += team_enroll(store, &order, &id, err) != FG_OK;
    errors += fg_store_member_remove(store, 1, err) != FG_OK;
    fg_store_close(store);
    return errors;
}

static void make_original(fixture *f, fg_buf *original)
{
    ok(fg_store_open(&f->store, f->path, false, &f->err));
    ok(enroll(f, "Ann", "members/a/", 60));
    ok(enroll(f, "Ben", "members/b/", 60));
    fg_store_close(f->store); /* checkpoints */
    f->store = NULL;
    read_file(f->path, original);
    assert_true(original->size > 20000);
}

static void cut_off_store_is_an_error(void **state)
{
    fixture *f = *state;
    fg_buf original;
    make_original(f, &original);
    for (size_t size = original.size - 4096; size > 1; size = size > 8192 ? size - 8192 : size / 2) {
        write_file(f->path, original.data, size);
        fails(fg_store_open(&f->store, f->path, false, &f->err), FG_ERR_INPUT, f->path);
        assert_non_null(strstr(f->err.msg, "restore a backup"));
    }
    fg_buf_deinit(&original);
}

static void damaged_store_never_crashes(void **state)
{
    fixture *f = *state;
    fg_buf original;
    unsigned random = 12345, seen = 0;
    make_original(f, &original);
    for (int round = 0; round < 60; round++) {
        uint8_t *copy = malloc(original.size);
        assert_non_null(copy);
        memcpy(copy, original.data, original.size);
        for (int i = 0; i < 1 + round % 30; i++) {
            random = random * 1103515245u + 12345u;
            /* Mostly the pages' heads, where the structure is. */
            size_t at = (random >> 8) % (original.size / 4096) * 4096 +
                        (round % 2 ? (random >> 4) % 4096 : (random >> 4) % 64);
            copy[at] = (uint8_t)(random >> 16);
        }
        write_file(f->path, copy, original.size);
        seen += use_everything(f->path, &f->err) > 0;
        free(copy);
        char wal[sizeof f->path + 8];
        snprintf(wal, sizeof wal, "%s-wal", f->path);
        unlink(wal);
    }
    assert_true(seen > 30); /* the damage is noticed where it matters */
    fg_buf_deinit(&original);
}

static void damage_that_sql_can_make_is_noticed(void **state)
{
    fixture *f = *state;
    fg_template_set set = {0};
    ok(fg_store_open(&f->store, f->path, false, &f->err));
    ok(enroll(f, "Ann", "members/a/", 2));
    sqlite3 *db = fg_sqlite_connection(f->store);
    assert_int_equal(
        sqlite3_exec(db,
                     "UPDATE template SET embedding_size = 2, embedding = x'0000000000000000' WHERE id = 2",
                     NULL, NULL, NULL),
        SQLITE_OK);
    fails(fg_store_templates(f->store, TEAM_MODEL, &set, NULL, &f->err), FG_ERR_INPUT, "wrong size");
    assert_null(set.embeddings);
    assert_int_equal(sqlite3_exec(db, "UPDATE template SET embedding_size = 2000, embedding = zeroblob(8000)",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    fails(fg_store_templates(f->store, TEAM_MODEL, &set, NULL, &f->err), FG_ERR_INPUT, "2000 numbers");
    assert_int_equal(sqlite3_exec(db, "PRAGMA foreign_keys = OFF; DELETE FROM member", NULL, NULL, NULL),
                     SQLITE_OK);
    fails(fg_store_check(f->store, &f->err), FG_ERR_INPUT, "point nowhere");
}

/* -- locks, permissions, space -- */

static void locked_store_is_busy(void **state)
{
    fixture *f = *state;
    fg_store *other = NULL;
    fg_member *members = NULL;
    long count = 0;
    ok(fg_sqlite_open(&f->store, f->path, false, 50, &f->err));
    ok(enroll(f, "Ann", "members/a/", 1));
    ok(fg_store_open(&other, f->path, false, &f->err));
    assert_int_equal(sqlite3_exec(fg_sqlite_connection(other),
                                  "BEGIN IMMEDIATE; UPDATE member SET role = 'x'", NULL, NULL, NULL),
                     SQLITE_OK);
    fails(enroll(f, "Ben", "members/b/", 1), FG_ERR_BUSY, f->path);
    ok(fg_store_members(f->store, &members, &count, &f->err)); /* readers go on */
    assert_string_equal(members[0].role, "r");
    fg_members_free(members, count);
    assert_int_equal(sqlite3_exec(fg_sqlite_connection(other), "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    ok(enroll(f, "Ben", "members/b/", 1));
    fg_store_close(other);
}

static void exclusively_locked_store_is_busy_at_the_opening(void **state)
{
    fixture *f = *state;
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "BEGIN EXCLUSIVE; CREATE TABLE t (x)", NULL, NULL, NULL), SQLITE_OK);
    fails(fg_sqlite_open(&f->store, f->path, false, 100, &f->err), FG_ERR_BUSY, "try again");
    sqlite3_close(db);
}

static void folder_without_permission_is_forbidden(void **state)
{
    fixture *f = *state;
    ok(fg_store_open(&f->store, f->path, false, &f->err));
    ok(enroll(f, "Ann", "members/a/", 1));
    fg_store_close(f->store);
    f->store = NULL;
    char fresh[sizeof f->path + 8];
    snprintf(fresh, sizeof fresh, "%s.new", f->path);

    assert_int_equal(chmod(f->folder, 0555), 0);
    assert_int_equal(chmod(f->path, 0444), 0);
    if (!become_nobody())
        skip();
    fg_code made = fg_store_open(&f->store, fresh, false, &f->err);
    fg_error make_err = f->err;
    fg_code opened = made == FG_OK ? FG_OK : fg_store_open(&f->store, f->path, false, &f->err);
    fg_error open_err = f->err;
    become_again();
    assert_int_equal(made, FG_ERR_FORBIDDEN);
    assert_non_null(strstr(make_err.msg, fresh));
    assert_int_equal(opened, FG_ERR_FORBIDDEN);
    assert_non_null(strstr(open_err.msg, f->path));

    /* A file that may be written, in a folder that may not, has no place for its WAL. */
    assert_int_equal(chmod(f->path, 0666), 0);
    assert_true(become_nobody());
    opened = fg_store_open(&f->store, f->path, false, &f->err);
    become_again();
    assert_int_equal(opened, FG_ERR_FORBIDDEN);
    assert_int_equal(chmod(f->folder, 0700), 0);
}

static void full_store_keeps_what_it_has(void **state)
{
    fixture *f = *state;
    char sql[64];
    fg_member *members = NULL;
    long count = 0;
    sqlite3_stmt *stmt = NULL;
    ok(fg_store_open(&f->store, f->path, false, &f->err));
    ok(enroll(f, "Ann", "members/a/", 5));
    sqlite3 *db = fg_sqlite_connection(f->store);
    /* no free pages left over from the making of the schema */
    assert_int_equal(sqlite3_exec(db, "VACUUM", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, "PRAGMA page_count", -1, &stmt, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    snprintf(sql, sizeof sql, "PRAGMA max_page_count = %d", sqlite3_column_int(stmt, 0));
    sqlite3_finalize(stmt);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    fails(enroll(f, "Ben", "members/b/", 64), FG_ERR_FULL, "no space left");
    ok(fg_store_members(f->store, &members, &count, &f->err));
    assert_int_equal(count, 1);
    fg_members_free(members, count);
    assert_int_equal(sqlite3_exec(db, "PRAGMA max_page_count = 100000", NULL, NULL, NULL), SQLITE_OK);
    ok(enroll(f, "Ben", "members/b/", 64));
    ok(fg_store_check(f->store, &f->err));
}

/* A disk that has no more room, as a limit on the size of files: write fails with EFBIG. */
static void full_disk_is_told_and_loses_nothing(void **state)
{
    fixture *f = *state;
    ok(fg_store_open(&f->store, f->path, false, &f->err));
    ok(enroll(f, "Ann", "members/a/", 5));
    fg_store_close(f->store);
    f->store = NULL;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        const struct rlimit limit = {.rlim_cur = 262144, .rlim_max = 262144};
        fg_code rc = FG_OK;
        signal(SIGXFSZ, SIG_IGN);
        if (setrlimit(RLIMIT_FSIZE, &limit) != 0 ||
            fg_store_open(&f->store, f->path, false, &f->err) != FG_OK)
            _exit(100);
        for (int i = 0; i < 200 && rc == FG_OK; i++) {
            char name[16], prefix[32];
            snprintf(name, sizeof name, "m%d", i);
            snprintf(prefix, sizeof prefix, "members/m%d/", i);
            rc = enroll(f, name, prefix, 60);
        }
        if (rc != FG_ERR_FULL || !strstr(f->err.msg, "free some"))
            fprintf(stderr, "%d: %s\n", (int)rc, f->err.msg);
        fg_member ann = {0};
        if (fg_store_member_by_name(f->store, "Ann", &ann, &f->err) != FG_OK)
            rc = FG_ERR_INTERNAL;
        fg_member_deinit(&ann);
        fg_store_close(f->store);
        _exit((int)rc);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), FG_ERR_FULL);
    ok(fg_store_open(&f->store, f->path, false, &f->err));
    ok(fg_store_check(f->store, &f->err));
    fg_member *members = NULL;
    long count = 0;
    ok(fg_store_members(f->store, &members, &count, &f->err));
    assert_true(count > 1);
    for (long i = 0; i < count; i++)
        assert_int_equal(members[i].templates, strcmp(members[i].name, "Ann") == 0 ? 5 : 60);
    fg_members_free(members, count);
}

/* -- kills -- */

enum { CHIPS = 4 };

/* Enrols, adds and removes for ever, as flow/ does: pending first, then blobs, then rows. After so many
 * enrolments, by the round, it says so through fd. */
static void child_works(const char *path, const char *folder, int round, int fd)
{
    fg_store *store = NULL;
    fg_blob *blob = NULL;
    int64_t previous = 0;
    char previous_prefix[64] = "";
    if (fg_store_open(&store, path, false, NULL) != FG_OK || fg_blob_open(&blob, folder, NULL) != FG_OK)
        _exit(1);
    for (int i = 0;; i++) {
        char name[32], prefix[64], pending[80], key[128];
        int64_t id = 0;
        snprintf(name, sizeof name, "m%d-%d", round, i);
        snprintf(prefix, sizeof prefix, "members/%d-%d/", round, i);
        snprintf(pending, sizeof pending, "%sfirst/", prefix);
        const team_order order = {
            .name = name, .role = "r", .prefix = prefix, .pending = pending, .templates = CHIPS};
        bool good = fg_store_pending_add(store, pending, NULL) == FG_OK;
        for (int k = 0; k < CHIPS && good; k++) {
            snprintf(key, sizeof key, "%schips/%06d.png", pending, k);
            good = fg_blob_put(blob, key, "chip", 4, NULL) == FG_OK;
        }
        snprintf(key, sizeof key, "%soriginals/00", pending);
        good = good && fg_blob_put(blob, key, "clip", 4, NULL) == FG_OK &&
               team_enroll(store, &order, &id, NULL) == FG_OK;
        if (good && previous && i % 2)
            good = fg_store_member_remove(store, previous, NULL) == FG_OK &&
                   fg_blob_delete_prefix(blob, previous_prefix, NULL) == FG_OK &&
                   fg_store_pending_remove(store, previous_prefix, NULL) == FG_OK;
        if (!good || (i == round % 4 && write(fd, "", 1) != 1))
            _exit(2);
        previous = id;
        memcpy(previous_prefix, prefix, sizeof prefix);
    }
}

typedef struct seen {
    fg_template *chips;
    long count, found, strays;
} seen;

static bool look_at_blob(void *context, const char *key, uint64_t size)
{
    seen *s = context;
    assert_int_equal(size, 4);
    for (long i = 0; i < s->count; i++) {
        if (strcmp(s->chips[i].chip_key, key) == 0) {
            s->found++;
            return true;
        }
    }
    if (!strstr(key, "/originals/"))
        s->strays++;
    return true;
}

static long sweep(fixture *f, fg_blob *blob)
{
    char **prefixes = NULL;
    long count = 0;
    ok(fg_store_pending_abandoned(f->store, &prefixes, &count, &f->err));
    for (long i = 0; i < count; i++) {
        ok(fg_blob_delete_prefix(blob, prefixes[i], &f->err));
        ok(fg_store_pending_remove(f->store, prefixes[i], &f->err));
        free(prefixes[i]);
    }
    free(prefixes);
    return count;
}

static void kill_leaves_no_half_enrolled_member(void **state)
{
    enum { ROUNDS = 40 };
    fixture *f = *state;
    char folder[sizeof f->folder + 8];
    fg_blob *blob = NULL;
    long swept = 0, enrolled = 0;
    unsigned random = (unsigned)time(NULL);
    snprintf(folder, sizeof folder, "%s/blobs", f->folder);
    for (int round = 0; round < ROUNDS; round++) {
        int ends[2], status = 0;
        char byte;
        assert_int_equal(pipe(ends), 0);
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0)
            child_works(f->path, folder, round, ends[1]);
        close(ends[1]);
        /* Anywhere in its work, however slow the machine is. */
        assert_int_equal(read(ends[0], &byte, 1), 1);
        close(ends[0]);
        random = random * 1103515245u + 12345u;
        nanosleep(&(struct timespec){.tv_nsec = (long)((random >> 16) % 60) * 1000 * 1000}, NULL);
        assert_int_equal(kill(pid, SIGKILL), 0);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status)); /* it never fails by itself */

        ok(fg_store_open(&f->store, f->path, false, &f->err));
        ok(fg_blob_open(&blob, folder, &f->err));
        ok(fg_store_check(f->store, &f->err));
        swept += sweep(f, blob);
        fg_member *members = NULL;
        long count = 0;
        ok(fg_store_members(f->store, &members, &count, &f->err));
        for (long i = 0; i < count; i++) {
            assert_int_equal(members[i].templates, CHIPS);
            assert_int_equal(members[i].sources, 2);
        }
        fg_members_free(members, count);
        seen s = {0};
        ok(fg_store_template_chips(f->store, 0, &s.chips, &s.count, &f->err));
        ok(fg_blob_list(blob, "", look_at_blob, &s, &f->err));
        assert_int_equal(s.found, s.count);
        assert_int_equal(s.strays, 0);
        enrolled = s.count / CHIPS;
        fg_templates_free(s.chips, s.count);
        assert_int_equal(sweep(f, blob), 0);
        fg_blob_close(blob);
        fg_store_close(f->store);
        f->store = NULL;
    }
    print_message("%d kills: %ld members enrolled, %ld left-overs swept\n", ROUNDS, enrolled, swept);
    assert_true(enrolled > 0);
    assert_true(swept > 0);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup_folder, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(addresses_that_lead_nowhere),
        TEST(other_files_are_refused_and_left_alone),
        TEST(empty_file_is_a_new_store),
        TEST(newer_schema_is_refused),
        TEST(migrations_run_in_order_or_not_at_all),
        TEST(datasets_migration_keeps_everything),
        TEST(many_members_are_enrolled_or_none),
        TEST(processes_open_a_new_store_at_once),
        TEST(cut_off_store_is_an_error),
        TEST(damaged_store_never_crashes),
        TEST(damage_that_sql_can_make_is_noticed),
        TEST(locked_store_is_busy),
        TEST(exclusively_locked_store_is_busy_at_the_opening),
        TEST(folder_without_permission_is_forbidden),
        TEST(full_store_keeps_what_it_has),
        TEST(full_disk_is_told_and_loses_nothing),
        TEST(kill_leaves_no_half_enrolled_member),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
