/* What the store keeps and answers. Locks, damage, full disks and killed processes: test_store_trouble.c. */
#include "base/clock.h"
#include "store/owner.h"
#include "store/sqlite.h"

#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/expect.h"
#include "support/store_fixture.h"
#include "support/team.h"

#define OTHER_MODEL "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

static const char *const lab_office[] = {"office", " lab ", "office"};

static int64_t enroll(fixture *f, const char *name, const char *prefix, int templates)
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

static long sql_count(fixture *f, const char *sql)
{
    sqlite3_stmt *stmt = NULL;
    assert_int_equal(sqlite3_prepare_v2(fg_sqlite_connection(f->store), sql, -1, &stmt, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    long value = (long)sqlite3_column_int64(stmt, 0);
    sqlite3_finalize(stmt);
    return value;
}

static void sql_run(fixture *f, const char *sql)
{
    assert_int_equal(sqlite3_exec(fg_sqlite_connection(f->store), sql, NULL, NULL, NULL), SQLITE_OK);
}

/* -- opening -- */

static void file_is_private_and_safe(void **state)
{
    fixture *f = *state;
    char wal[sizeof f->path + 8];
    struct stat st;
    enroll(f, "Ann", "members/a/", 2);
    assert_int_equal(stat(f->path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    snprintf(wal, sizeof wal, "%s-wal", f->path);
    assert_int_equal(stat(wal, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(sql_count(f, "PRAGMA foreign_keys"), 1);
    assert_int_equal(sql_count(f, "PRAGMA secure_delete"), 1);
    assert_int_equal(sql_count(f, "PRAGMA synchronous"), 2);
    const fg_embedded *last = fg_sqlite_migrations;
    while (last[1].name)
        last++;
    assert_int_equal(sql_count(f, "PRAGMA user_version"), strtol(last->name, NULL, 10));
    assert_int_equal(sql_count(f, "SELECT journal_mode = 'wal' FROM pragma_journal_mode"), 1);
    assert_int_equal(
        sql_count(f, "SELECT count(*) FROM pragma_table_list WHERE type = 'table' AND strict = 0 AND "
                     "name NOT LIKE 'sqlite_%'"),
        0);
    ok(fg_store_check(f->store, &f->err));
}

static void reopening_finds_what_was_stored(void **state)
{
    fixture *f = *state;
    char url[sizeof f->path + 8];
    fg_member member = {0};
    int64_t id = enroll(f, "Ann", "members/a/", 3);
    fg_store_close(f->store);
    snprintf(url, sizeof url, "sqlite:%s", f->path);
    ok(fg_store_open(&f->store, url, false, &f->err));
    ok(fg_store_member_by_id(f->store, id, &member, &f->err));
    assert_int_equal(member.templates, 3);
    fg_member_deinit(&member);
}

static void read_only_reads_and_does_not_write(void **state)
{
    fixture *f = *state;
    fg_member *members = NULL;
    fg_store *reader = NULL;
    long count = 0;
    int64_t id = enroll(f, "Ann", "members/a/", 1);
    ok(fg_store_open(&reader, f->path, true, &f->err));
    ok(fg_store_members(reader, &members, &count, &f->err));
    assert_int_equal(count, 1);
    fg_members_free(members, count);
    fails(fg_store_member_seen(reader, id, 5, &f->err), FG_ERR_FORBIDDEN, f->path);
    fg_store_close(reader);
}

static void odd_names_of_files_are_files(void **state)
{
    fixture *f = *state;
    static const char *const names[] = {":memory:", "file:x?mode=memory", "a b", "f\xc3\xa9"};
    char here[4096];
    assert_non_null(getcwd(here, sizeof here));
    assert_int_equal(chdir(f->folder), 0);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        fg_store *store = NULL;
        ok(fg_store_open(&store, names[i], false, &f->err));
        fg_store_close(store);
        assert_int_equal(access(names[i], F_OK), 0);
        assert_int_not_equal(unlink(names[i]), -1);
    }
    assert_int_equal(chdir(here), 0);
}

static void close_takes_null(void **state)
{
    (void)state;
    fg_store_close(NULL);
}

/* -- enrolment and members -- */

static void enrolment_stores_everything(void **state)
{
    fixture *f = *state;
    fg_member m = {0};
    fg_source *sources = NULL;
    long count = 0;
    const int64_t before = fg_clock_unix_ms();
    int64_t id = enroll(f, "  Ann Lee ", "members/a/", 5);
    ok(fg_store_member_by_id(f->store, id, &m, &f->err));
    assert_int_equal(m.id, id);
    assert_string_equal(m.name, "Ann Lee");
    assert_string_equal(m.role, "engineer");
    assert_int_equal(m.right_count, 2);
    assert_string_equal(m.rights[0], "lab");
    assert_string_equal(m.rights[1], "office");
    assert_string_equal(m.blob_prefix, "members/a/");
    assert_true(m.created_ms >= before && m.created_ms <= fg_clock_unix_ms());
    assert_true(m.updated_ms == m.created_ms);
    assert_int_equal(m.last_seen_ms, 0);
    assert_int_equal(m.sources, 2);
    assert_int_equal(m.templates, 5);
    fg_member_deinit(&m);

    ok(fg_store_sources(f->store, id, &sources, &count, &f->err));
    assert_int_equal(count, 2);
    assert_string_equal(sources[0].name, "clip.mp4");
    assert_string_equal(sources[0].kind, "video");
    assert_string_equal(sources[0].blob_key, "members/a/originals/00");
    assert_string_equal(sources[0].sha256, TEAM_MODEL);
    assert_int_equal(sources[0].member_id, id);
    assert_int_equal(sources[0].every, 5);
    assert_int_equal(sources[0].rotation, 90);
    assert_int_equal(sources[0].frames_sampled, 20);
    assert_int_equal(sources[0].faces_used, 5);
    assert_int_equal(sources[0].created_ms, 1234);
    assert_string_equal(sources[1].kind, "photo");
    assert_null(sources[1].blob_key);
    assert_string_equal(sources[1].sha256, "");
    assert_true(sources[1].created_ms >= before); /* not given: now */
    fg_sources_free(sources, count);
    ok(fg_store_sources(f->store, id + 1, &sources, &count, &f->err));
    assert_int_equal(count, 0);
    assert_null(sources);
}

static void templates_come_back_bit_for_bit(void **state)
{
    fixture *f = *state;
    fg_template_set set = {0};
    long stale = -1;
    int64_t b = enroll(f, "Ben", "members/b/", 4), a = enroll(f, "Ann", "members/a/", 3);
    enroll(f, "Cy", "members/c/", 2);
    /* As an earlier Facegate may have left it. */
    sql_run(f, "INSERT INTO model (hash) VALUES ('" OTHER_MODEL "');"
               "UPDATE template SET model_id = (SELECT id FROM model WHERE hash = '" OTHER_MODEL "') "
               "WHERE member_id = (SELECT id FROM member WHERE name = 'Cy')");
    ok(fg_store_templates(f->store, TEAM_MODEL, &set, &stale, &f->err));
    assert_int_equal(set.count, 7);
    assert_int_equal(stale, 2);
    assert_int_equal(set.embedding_size, TEAM_SIZE);
    for (long i = 0; i < set.count; i++) {
        assert_int_equal(set.member_ids[i], i < 4 ? b : a);
        if (i && set.member_ids[i] == set.member_ids[i - 1]) {
            assert_true(set.source_ids[i] >= set.source_ids[i - 1]);
            if (set.source_ids[i] == set.source_ids[i - 1])
                assert_true(set.times_ms[i] < set.times_ms[i - 1]); /* by frame, which falls as time grows */
        }
        float expected[TEAM_SIZE];
        team_embedding(expected, (int)(set.times_ms[i] / 40));
        assert_memory_equal(expected, set.embeddings + i * TEAM_SIZE, sizeof expected);
    }
    fg_template_set_deinit(&set);
    ok(fg_store_templates(f->store, "nosuchmodel", &set, &stale, &f->err));
    assert_int_equal(set.count, 0);
    assert_null(set.embeddings);
    assert_int_equal(stale, 9);
    ok(fg_store_templates(f->store, OTHER_MODEL, &set, NULL, &f->err));
    assert_int_equal(set.count, 2);
    fg_template_set_deinit(&set);
}

static void chips_are_listed(void **state)
{
    fixture *f = *state;
    fg_template *chips = NULL;
    long count = 0;
    int64_t a = enroll(f, "Ann", "members/a/", 3);
    enroll(f, "Ben", "members/b/", 2);
    ok(fg_store_template_chips(f->store, a, &chips, &count, &f->err));
    assert_int_equal(count, 3);
    for (long i = 0; i < count; i++) {
        assert_int_equal(chips[i].member_id, a);
        assert_string_equal(chips[i].model_hash, TEAM_MODEL);
        /* Of the photo, which is every second one, and never of the video. */
        assert_int_equal(chips[i].variation, chips[i].frame_index % 2 ? chips[i].frame_index : 0);
        assert_int_equal(strncmp(chips[i].chip_key, "members/a/chips/", 16), 0);
        assert_int_equal(chips[i].embedding_size, TEAM_SIZE);
        assert_null(chips[i].embedding);
        assert_true(chips[i].score == 0.99f && chips[i].sharpness == 50);
    }
    fg_templates_free(chips, count);
    ok(fg_store_template_chips(f->store, 0, &chips, &count, &f->err));
    assert_int_equal(count, 5);
    fg_templates_free(chips, count);
}

/* -- the embedder -- */

static const float fresh[4] = {0.6f, 0.8f, 0, 0};

/* Stages up to limit of what is to do. */
static long stage(fixture *f, const char *model, long limit)
{
    fg_template *todo = NULL;
    long count = 0;
    ok(fg_store_reembed_todo(f->store, model, &todo, &count, &f->err));
    for (long i = 0; i < count && i < limit; i++)
        ok(fg_store_reembed_stage(f->store, model, 4, &todo[i].id, fresh, 1, &f->err));
    fg_templates_free(todo, count);
    return count;
}

static void check_team(fixture *f, const char *model, long count, int size)
{
    fg_template_set set = {0};
    long stale = -1;
    ok(fg_store_templates(f->store, model, &set, &stale, &f->err));
    assert_int_equal(set.count, count);
    assert_int_equal(stale, 0);
    assert_int_equal(set.embedding_size, size);
    fg_template_set_deinit(&set);
}

static void the_embedder_is_switched_at_once_or_not_at_all(void **state)
{
    fixture *f = *state;
    fg_reembedded r;
    fg_embedder e;
    long staged = -1;
    int64_t ann = enroll(f, "Ann", "members/a/", 3);
    enroll(f, "Ben", "members/b/", 2);
    ok(fg_store_reembed_begin(f->store, OTHER_MODEL, &staged, &f->err));
    assert_int_equal(staged, 0);
    assert_int_equal(stage(f, OTHER_MODEL, 2), 5);
    ok(fg_store_reembed_switch(f->store, "other", OTHER_MODEL, &r, &f->err));
    assert_int_equal(r.left, 3);
    assert_int_equal(r.switched, 0);
    check_team(f, TEAM_MODEL, 5, TEAM_SIZE);
    ok(fg_store_embedder(f->store, &e, &f->err));
    assert_string_equal(e.name, "");

    /* Another process goes on. */
    fg_store_close(f->store);
    ok(fg_store_open(&f->store, f->path, false, &f->err));
    ok(fg_store_reembed_begin(f->store, OTHER_MODEL, &staged, &f->err));
    assert_int_equal(staged, 2);
    assert_int_equal(stage(f, OTHER_MODEL, 99), 3);
    /* Somebody is enrolled meanwhile, and somebody leaves. */
    enroll(f, "Cy", "members/c/", 1);
    ok(fg_store_member_remove(f->store, ann, &f->err));
    assert_int_equal(sql_count(f, "SELECT count(*) FROM reembedding"), 2);
    ok(fg_store_reembed_switch(f->store, "other", OTHER_MODEL, &r, &f->err));
    assert_int_equal(r.left, 1);
    assert_int_equal(stage(f, OTHER_MODEL, 99), 1);
    ok(fg_store_reembed_switch(f->store, "other", OTHER_MODEL, &r, &f->err));
    assert_int_equal(r.left, 0);
    assert_int_equal(r.switched, 3);
    assert_int_equal(r.dropped, 0);
    check_team(f, OTHER_MODEL, 3, 4);
    assert_int_equal(sql_count(f, "SELECT count(*) FROM reembedding"), 0);
    ok(fg_store_embedder(f->store, &e, &f->err));
    assert_string_equal(e.name, "other");
    assert_string_equal(e.model_hash, OTHER_MODEL);
    /* Once more: nothing to do. */
    ok(fg_store_reembed_begin(f->store, OTHER_MODEL, &staged, &f->err));
    assert_int_equal(stage(f, OTHER_MODEL, 99), 0);
    ok(fg_store_reembed_switch(f->store, "other", OTHER_MODEL, &r, &f->err));
    assert_int_equal(r.left + r.switched + r.dropped, 0);
    ok(fg_store_check(f->store, &f->err));
}

static void templates_without_a_picture_are_given_up_only_when_told(void **state)
{
    fixture *f = *state;
    fg_template *todo = NULL;
    fg_reembedded r;
    fg_member m = {0};
    long count = 0, staged = -1;
    int64_t ann = enroll(f, "Ann", "members/a/", 2);
    int64_t ben = enroll(f, "Ben", "members/b/", 2);
    ok(fg_store_blob_gone(f->store, FG_EXPIRING_CHIPS, "members/a/chips/000000.png", &f->err));
    ok(fg_store_blob_gone(f->store, FG_EXPIRING_CHIPS, "members/a/chips/000001.png", &f->err));
    ok(fg_store_reembed_begin(f->store, OTHER_MODEL, &staged, &f->err));
    ok(fg_store_reembed_todo(f->store, OTHER_MODEL, &todo, &count, &f->err));
    assert_int_equal(count, 4);
    for (long i = 0; i < count; i++) {
        assert_int_equal(todo[i].chip_key == NULL, todo[i].member_id == ann);
        if (todo[i].chip_key)
            ok(fg_store_reembed_stage(f->store, OTHER_MODEL, 4, &todo[i].id, fresh, 1, &f->err));
    }
    ok(fg_store_reembed_switch(f->store, "other", OTHER_MODEL, &r, &f->err));
    assert_int_equal(r.left, 2);
    const int64_t lost[] = {todo[0].id, todo[1].id, 999999}; /* the last was never there */
    fg_templates_free(todo, count);
    ok(fg_store_reembed_stage(f->store, OTHER_MODEL, 4, lost, NULL, 3, &f->err));
    /* Begun anew, what was given up is not. */
    ok(fg_store_reembed_begin(f->store, OTHER_MODEL, &staged, &f->err));
    assert_int_equal(staged, 2);
    ok(fg_store_reembed_stage(f->store, OTHER_MODEL, 4, lost, NULL, 3, &f->err));
    ok(fg_store_reembed_switch(f->store, "other", OTHER_MODEL, &r, &f->err));
    assert_int_equal(r.left, 0);
    assert_int_equal(r.switched, 2);
    assert_int_equal(r.dropped, 2);
    check_team(f, OTHER_MODEL, 2, 4);
    ok(fg_store_member_by_id(f->store, ann, &m, &f->err));
    assert_int_equal(m.templates, 0);
    fg_member_deinit(&m);
    ok(fg_store_member_by_id(f->store, ben, &m, &f->err));
    assert_int_equal(m.templates, 2);
    fg_member_deinit(&m);
}

static void embeddings_of_two_models_never_mix(void **state)
{
    fixture *f = *state;
    int64_t id = 0;
    fg_embedder e;
    fg_reembedded r;
    team_order order = {
        .name = "Ann", .role = "r", .prefix = "members/a/", .templates = 1, .embedder = "first"};
    ok(team_enroll(f->store, &order, &id, &f->err));
    ok(fg_store_embedder(f->store, &e, &f->err));
    assert_string_equal(e.name, "first");
    assert_string_equal(e.model_hash, TEAM_MODEL);
    order = (team_order){.name = "Ben",
                         .role = "r",
                         .prefix = "members/b/",
                         .templates = 1,
                         .model = OTHER_MODEL,
                         .embedder = "other"};
    fails(team_enroll(f->store, &order, &id, &f->err), FG_ERR_STATE, "first");
    order.embedder = "first"; /* new weights under the old name are another model too */
    fails(team_enroll(f->store, &order, &id, &f->err), FG_ERR_STATE, "models use");
    order.embedder = NULL;
    fails(team_enroll(f->store, &order, &id, &f->err), FG_ERR_STATE, "models use");
    check_team(f, TEAM_MODEL, 1, TEAM_SIZE);
    /* A team of nobody keeps its embedder, but follows new weights of it. */
    ok(fg_store_reset(f->store, &f->err));
    order.embedder = "other";
    fails(team_enroll(f->store, &order, &id, &f->err), FG_ERR_STATE, "first");
    order.embedder = "first";
    ok(team_enroll(f->store, &order, &id, &f->err));
    ok(fg_store_embedder(f->store, &e, &f->err));
    assert_string_equal(e.model_hash, OTHER_MODEL);
    /* The switch of a team whose enrolments are refused meanwhile. */
    ok(fg_store_reset(f->store, &f->err));
    ok(fg_store_reembed_switch(f->store, "third", TEAM_MODEL, &r, &f->err));
    assert_int_equal(r.left, 0);
    order.prefix = "members/c/";
    fails(team_enroll(f->store, &order, &id, &f->err), FG_ERR_STATE, "third");

    const float bad[] = {0.5f, 0, 0, 0};
    fails(fg_store_reembed_stage(f->store, OTHER_MODEL, 4, &id, bad, 1, &f->err), FG_ERR_INPUT,
          "unit length");
    fails(fg_store_reembed_stage(f->store, "", 4, &id, fresh, 1, &f->err), FG_ERR_INTERNAL, "no model");
    fails(fg_store_reembed_switch(f->store, "", TEAM_MODEL, &r, &f->err), FG_ERR_INTERNAL, "without a name");
}

static void names_are_unique_whatever_their_case(void **state)
{
    fixture *f = *state;
    fg_member m = {0};
    int64_t id = 0;
    int64_t ann = enroll(f, "Ann", "members/a/", 1);
    const team_order again = {.name = " ANN ", .role = "r", .prefix = "members/b/", .templates = 1};
    fails(team_enroll(f->store, &again, &id, &f->err), FG_ERR_EXISTS, "ANN is enrolled already");
    assert_int_equal(id, 0);
    assert_int_equal(sql_count(f, "SELECT count(*) FROM template"), 1);
    ok(fg_store_member_by_name(f->store, "\taNN ", &m, &f->err));
    assert_int_equal(m.id, ann);
    assert_string_equal(m.name, "Ann");
    fg_member_deinit(&m);
    fails(fg_store_member_by_name(f->store, "An", &m, &f->err), FG_ERR_NOT_FOUND, "An");
    fails(fg_store_member_by_name(f->store, " ", &m, &f->err), FG_ERR_USAGE, "empty");
    fails(fg_store_member_by_id(f->store, 77, &m, &f->err), FG_ERR_NOT_FOUND, "77");
    assert_null(m.name);
}

static void members_come_by_name(void **state)
{
    fixture *f = *state;
    fg_member *members = NULL;
    long count = 0;
    static const char *const names[] = {"bob", "Ann", "Cy", "ada", "Bea"}, *const sorted[] = {"ada", "Ann",
                                                                                              "Bea", "bob",
                                                                                              "Cy"};
    ok(fg_store_members(f->store, &members, &count, &f->err));
    assert_int_equal(count, 0);
    for (int i = 0; i < 5; i++) {
        char prefix[32];
        snprintf(prefix, sizeof prefix, "members/%d/", i);
        enroll(f, names[i], prefix, 1);
    }
    ok(fg_store_members(f->store, &members, &count, &f->err));
    assert_int_equal(count, 5);
    for (int i = 0; i < 5; i++) {
        assert_string_equal(members[i].name, sorted[i]);
        assert_int_equal(members[i].right_count, 2);
    }
    fg_members_free(members, count);
}

static void adding_keeps_what_is_not_given(void **state)
{
    fixture *f = *state;
    fg_member m = {0};
    int64_t id = 0;
    static const char *const roof[] = {"roof"};
    int64_t ann = enroll(f, "Ann", "members/a/", 2);
    team_order more = {
        .name = "ann", .prefix = "members/a/", .pending = "members/a/2/", .templates = 3, .add = 1};
    ok(fg_store_pending_add(f->store, "members/a/2/", &f->err));
    ok(team_enroll(f->store, &more, &id, &f->err));
    assert_int_equal(id, ann);
    ok(fg_store_member_by_id(f->store, ann, &m, &f->err));
    assert_int_equal(m.templates, 5);
    assert_int_equal(m.sources, 4);
    assert_string_equal(m.name, "Ann");
    assert_string_equal(m.role, "engineer");
    assert_int_equal(m.right_count, 2);
    fg_member_deinit(&m);
    more = (team_order){.name = "ann",
                        .role = "boss",
                        .rights = roof,
                        .right_count = 1,
                        .prefix = "members/a/",
                        .pending = "members/a/3/",
                        .templates = 1,
                        .add = 1};
    ok(fg_store_pending_add(f->store, "members/a/3/", &f->err));
    ok(team_enroll(f->store, &more, &id, &f->err));
    ok(fg_store_member_by_id(f->store, ann, &m, &f->err));
    assert_string_equal(m.role, "boss");
    assert_int_equal(m.right_count, 1);
    assert_string_equal(m.rights[0], "roof");
    fg_member_deinit(&m);
    /* add, and nobody of that name: a new member, who needs a role */
    more = (team_order){.name = "Ben", .prefix = "members/b/", .templates = 1, .add = 1};
    fails(team_enroll(f->store, &more, &id, &f->err), FG_ERR_USAGE, "role");
    more.role = "r";
    ok(team_enroll(f->store, &more, &id, &f->err));
    assert_int_not_equal(id, ann);
    /* somebody else's folder */
    more = (team_order){.name = "Ben", .prefix = "members/x/", .templates = 1, .add = 1};
    fails(team_enroll(f->store, &more, &id, &f->err), FG_ERR_STATE, "anew");
}

static void bad_enrolments_leave_nothing(void **state)
{
    fixture *f = *state;
    int64_t id = 0;
    float unit[TEAM_SIZE], bad[TEAM_SIZE] = {NAN};
    char long_name[300];
    memset(long_name, 'x', sizeof long_name);
    long_name[299] = 0;
    const char *many[FG_MAX_RIGHTS + 1];
    for (int i = 0; i <= FG_MAX_RIGHTS; i++)
        many[i] = "r";
    const char *const bad_right[] = {""};
    team_embedding(unit, 1);
    const fg_source source = {.name = (char *)"n", .kind = (char *)"photo"};
    const fg_source bad_kind = {.name = (char *)"n", .kind = (char *)"audio"};
    const fg_source bad_key = {
        .name = (char *)"n", .kind = (char *)"photo", .blob_key = (char *)"members/b/x"};
    const fg_template good = {
        .model_hash = "m", .embedding_size = TEAM_SIZE, .embedding = unit, .chip_key = (char *)"members/a/1"};
    fg_template orphan = good, wild = good, nan_ = good, huge = good, nobody = good;
    orphan.source_id = 1;
    wild.chip_key = (char *)"members/a/../../x";
    nan_.embedding = bad;
    huge.embedding_size = FG_MAX_EMBEDDING + 1;
    nobody.model_hash[0] = 0;
    const fg_enrolment base = {.name = "Ann",
                               .role = "r",
                               .blob_prefix = "members/a/",
                               .sources = &source,
                               .source_count = 1,
                               .templates = &good,
                               .template_count = 1};
    struct {
        fg_enrolment e;
        fg_code code;
        const char *says;
    } cases[15];
    int n = 0;
#define CASE(code_, says_, ...)                                                                              \
    do {                                                                                                     \
        fg_enrolment e = base;                                                                               \
        __VA_ARGS__;                                                                                         \
        cases[n].e = e;                                                                                      \
        cases[n].code = (code_);                                                                             \
        cases[n++].says = (says_);                                                                           \
    } while (0)
    CASE(FG_ERR_USAGE, "name", e.name = NULL);
    CASE(FG_ERR_LIMIT, "name", e.name = long_name);
    CASE(FG_ERR_USAGE, "role", e.role = " ");
    CASE(FG_ERR_USAGE, "role", e.role = NULL);
    CASE(FG_ERR_LIMIT, "rights", e.rights = many; e.right_count = FG_MAX_RIGHTS + 1);
    CASE(FG_ERR_USAGE, "right", e.rights = bad_right; e.right_count = 1);
    CASE(FG_ERR_INTERNAL, "prefix", e.blob_prefix = "../");
    CASE(FG_ERR_INTERNAL, "prefix", e.pending_prefix = "members/b/");
    CASE(FG_ERR_INTERNAL, "photo", e.sources = &bad_kind);
    CASE(FG_ERR_INTERNAL, "key", e.sources = &bad_key);
    CASE(FG_ERR_INTERNAL, "source", e.templates = &orphan);
    CASE(FG_ERR_INTERNAL, "key", e.templates = &wild);
    CASE(FG_ERR_INPUT, "unit length", e.templates = &nan_);
    CASE(FG_ERR_INTERNAL, "model", e.templates = &huge);
    CASE(FG_ERR_INTERNAL, "model", e.templates = &nobody);
#undef CASE
    for (int i = 0; i < n; i++) {
        fails(fg_store_enroll(f->store, &cases[i].e, &id, &f->err), cases[i].code, cases[i].says);
        assert_int_equal(id, 0);
    }
    /* found out in the middle of the transaction: the same chip twice */
    const fg_template twice[] = {good, good};
    fg_enrolment e = base;
    e.templates = twice;
    e.template_count = 2;
    fails(fg_store_enroll(f->store, &e, &id, &f->err), FG_ERR_INTERNAL, "members/a/1");
    assert_int_equal(sql_count(f, "SELECT (SELECT count(*) FROM member) + (SELECT count(*) FROM source) + "
                                  "(SELECT count(*) FROM template)"),
                     0);
    e = base;
    ok(fg_store_enroll(f->store, &e, &id, &f->err));
}

static void caps_hold(void **state)
{
    fixture *f = *state;
    int64_t id = 0;
    enroll(f, "Ann", "members/a/", 1);
    sql_run(f, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1999) "
               "INSERT INTO template (member_id, source_id, frame_index, time_ms, model_id, embedding_size, "
               "embedding, "
               "chip_key, score, sharpness) SELECT 1, 1, i, i, 1, 1, x'00000000', 'members/a/' || i, 1.0, "
               "1.0 FROM n");
    team_order more = {
        .name = "Ann", .prefix = "members/a/", .pending = "members/a/2/", .templates = 1, .add = 1};
    ok(fg_store_pending_add(f->store, "members/a/2/", &f->err));
    fails(team_enroll(f->store, &more, &id, &f->err), FG_ERR_LIMIT, "--every");
    sql_run(f, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 9999) "
               "INSERT INTO member (name, role, blob_prefix, created_ms, updated_ms) SELECT 'm' || i, 'r', "
               "'x' || i || '/', "
               "0, 0 FROM n");
    more = (team_order){.name = "Ben", .role = "r", .prefix = "members/b/", .templates = 1};
    fails(team_enroll(f->store, &more, &id, &f->err), FG_ERR_LIMIT, "10000 members");
}

static void members_are_changed(void **state)
{
    fixture *f = *state;
    fg_member m = {0};
    static const char *const rights[] = {"roof", "attic"};
    int64_t ann = enroll(f, "Ann", "members/a/", 1), ben = enroll(f, "Ben", "members/b/", 1);
    fg_member_change change = {.role = " boss "};
    ok(fg_store_member_set(f->store, ann, &change, &f->err));
    change = (fg_member_change){.name = "Anna"};
    ok(fg_store_member_set(f->store, ann, &change, &f->err));
    ok(fg_store_member_by_id(f->store, ann, &m, &f->err));
    assert_string_equal(m.name, "Anna");
    assert_string_equal(m.role, "boss");
    assert_int_equal(m.right_count, 2);
    assert_true(m.updated_ms >= m.created_ms);
    fg_member_deinit(&m);
    change = (fg_member_change){.rights = rights, .right_count = 2};
    ok(fg_store_member_set(f->store, ann, &change, &f->err));
    ok(fg_store_member_by_id(f->store, ann, &m, &f->err));
    assert_string_equal(m.rights[0], "attic");
    assert_string_equal(m.rights[1], "roof");
    fg_member_deinit(&m);
    change = (fg_member_change){.rights = rights, .right_count = 0};
    ok(fg_store_member_set(f->store, ann, &change, &f->err));
    ok(fg_store_member_by_id(f->store, ann, &m, &f->err));
    assert_int_equal(m.right_count, 0);
    fg_member_deinit(&m);
    change = (fg_member_change){.name = "ANNA"}; /* its own name */
    ok(fg_store_member_set(f->store, ann, &change, &f->err));
    fails(fg_store_member_set(f->store, ben, &change, &f->err), FG_ERR_EXISTS, "ANNA");
    fails(fg_store_member_set(f->store, 99, &(fg_member_change){.role = "x"}, &f->err), FG_ERR_NOT_FOUND,
          "99");
    fails(fg_store_member_set(f->store, ann, &(fg_member_change){.name = "\n"}, &f->err), FG_ERR_USAGE,
          "name");
    fails(fg_store_member_set(f->store, ann, &(fg_member_change){.role = ""}, &f->err), FG_ERR_USAGE, "role");
    /* A refused change changes nothing, also not the part that was fine. */
    fails(fg_store_member_set(f->store, ben, &(fg_member_change){.name = "anna", .role = "thief"}, &f->err),
          FG_ERR_EXISTS, "anna");
    ok(fg_store_member_by_id(f->store, ben, &m, &f->err));
    assert_string_equal(m.role, "engineer");
    fg_member_deinit(&m);
}

static void last_seen_only_grows(void **state)
{
    fixture *f = *state;
    fg_member m = {0};
    int64_t ann = enroll(f, "Ann", "members/a/", 1);
    ok(fg_store_member_seen(f->store, ann, 5000, &f->err));
    ok(fg_store_member_seen(f->store, ann, 4000, &f->err));
    ok(fg_store_member_by_id(f->store, ann, &m, &f->err));
    assert_int_equal(m.last_seen_ms, 5000);
    fg_member_deinit(&m);
    fails(fg_store_member_seen(f->store, 99, 5000, &f->err), FG_ERR_NOT_FOUND, "99");
}

/* -- removal -- */

static int file_contains(const char *path, const char *text, size_t size)
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

static void removal_leaves_no_trace_in_the_files(void **state)
{
    fixture *f = *state;
    char wal[sizeof f->path + 8];
    float embedding[TEAM_SIZE];
    team_embedding(embedding, 17);
    snprintf(wal, sizeof wal, "%s-wal", f->path);
    enroll(f, "Ben", "members/b/", 1);
    int64_t id = enroll(f, "Wilhelmina", "members/wilhelmina/", 20);
    ok(fg_store_audit_add(
        f->store, &(fg_audit_row){.action = (char *)"enroll", .subject = (char *)"Wilhelmina"}, &f->err));
    ok(fg_store_audit_add(
        f->store,
        &(fg_audit_row){.action = (char *)"verify", .subject = (char *)"Wilhelmina", .member_id = id},
        &f->err));
    assert_true(file_contains(wal, "Wilhelmina", 10) || file_contains(f->path, "Wilhelmina", 10));
    assert_true(file_contains(wal, (const char *)embedding, sizeof embedding) ||
                file_contains(f->path, (const char *)embedding, sizeof embedding));
    ok(fg_store_member_remove(f->store, id, &f->err));
    for (int i = 0; i < 2; i++) {
        const char *path = i ? wal : f->path;
        assert_false(file_contains(path, "Wilhelmina", 10));
        assert_false(file_contains(path, (const char *)embedding, sizeof embedding));
    }
    fails(fg_store_member_remove(f->store, id, &f->err), FG_ERR_NOT_FOUND, "member");
    ok(fg_store_check(f->store, &f->err));
}

static void removal_waits_for_readers_to_clean_the_wal(void **state)
{
    fixture *f = *state;
    char wal[sizeof f->path + 8];
    struct stat st;
    fg_store *reader = NULL;
    snprintf(wal, sizeof wal, "%s-wal", f->path);
    int64_t id = enroll(f, "Ann", "members/a/", 20);
    ok(fg_store_open(&reader, f->path, false, &f->err));
    assert_int_equal(
        sqlite3_exec(fg_sqlite_connection(reader), "BEGIN; SELECT count(*) FROM member", NULL, NULL, NULL),
        SQLITE_OK);
    ok(fg_store_member_remove(f->store, id, &f->err));
    assert_int_equal(stat(wal, &st), 0);
    assert_true(st.st_size > 0);
    assert_int_equal(sqlite3_exec(fg_sqlite_connection(reader), "COMMIT", NULL, NULL, NULL), SQLITE_OK);
    ok(fg_store_pending_remove(f->store, "members/a/", &f->err)); /* the next write, whatever it is */
    assert_int_equal(stat(wal, &st), 0);
    assert_int_equal(st.st_size, 0);
    fg_store_close(reader);
}

static void removal_leaves_its_blobs_pending(void **state)
{
    fixture *f = *state;
    char **prefixes = NULL;
    long count = 0;
    int64_t id = enroll(f, "Ann", "members/a/", 2);
    ok(fg_store_member_remove(f->store, id, &f->err));
    assert_int_equal(sql_count(f, "SELECT count(*) FROM pending WHERE blob_prefix = 'members/a/'"), 1);
    ok(fg_store_pending_abandoned(f->store, &prefixes, &count, &f->err));
    assert_int_equal(count, 0); /* this process is at it */
    ok(fg_store_pending_remove(f->store, "members/a/", &f->err));
    assert_int_equal(sql_count(f, "SELECT count(*) FROM pending"), 0);
}

static void removal_stops_an_enrolment_under_way(void **state)
{
    fixture *f = *state;
    int64_t id = enroll(f, "Ann", "members/a/", 2), again = 0;
    team_order more = {.name = "Ann",
                       .role = "r",
                       .prefix = "members/a/",
                       .pending = "members/a/2/",
                       .templates = 1,
                       .add = 1};
    ok(fg_store_pending_add(f->store, "members/a/2/", &f->err));
    ok(fg_store_pending_add(f->store, "members/ab/1/", &f->err)); /* somebody else's */
    ok(fg_store_member_remove(f->store, id, &f->err));
    fails(team_enroll(f->store, &more, &again, &f->err), FG_ERR_STATE, "removed");
    assert_int_equal(sql_count(f, "SELECT count(*) FROM member"), 0);
    more = (team_order){
        .name = "Abe", .role = "r", .prefix = "members/ab/", .pending = "members/ab/1/", .templates = 1};
    ok(team_enroll(f->store, &more, &again, &f->err));
    /* Nor does an id come back, under which versions and audit would know somebody else. */
    assert_true(again > id);
}

static void removal_takes_the_name_out_of_the_audit(void **state)
{
    fixture *f = *state;
    fg_audit_row *rows = NULL;
    long count = 0;
    int64_t ann = enroll(f, "Ann", "members/a/", 1);
    enroll(f, "Ben", "members/b/", 1);
    static const char *const subjects[] = {"Ann", "ann", "Ben", "Annabel", ""};
    for (int i = 0; i < 5; i++)
        ok(fg_store_audit_add(
            f->store, &(fg_audit_row){.action = (char *)"verify", .subject = (char *)subjects[i]}, &f->err));
    ok(fg_store_member_set(f->store, ann, &(fg_member_change){.name = "Anne"}, &f->err));
    ok(fg_store_audit_add(f->store, &(fg_audit_row){.action = (char *)"verify", .subject = (char *)"Anne"},
                          &f->err));
    ok(fg_store_member_remove(f->store, ann, &f->err));
    ok(fg_store_audit(f->store, 0, 10, &rows, &count, &f->err));
    assert_int_equal(count, 6);
    static const char *const after[] = {"", "", "Annabel", "Ben", "", ""};
    for (int i = 0; i < 6; i++)
        assert_string_equal(rows[i].subject, after[i]);
    assert_int_equal(rows[0].member_id, ann);
    assert_int_equal(rows[5].member_id, ann);
    assert_int_equal(rows[2].member_id, 0);
    fg_audit_free(rows, count);
}

/* -- pending -- */

static void pending_needs_a_prefix_and_is_there_once(void **state)
{
    fixture *f = *state;
    int64_t id = 0;
    ok(fg_store_pending_add(f->store, "members/a/", &f->err));
    fails(fg_store_pending_add(f->store, "members/a/", &f->err), FG_ERR_EXISTS, "members/a/");
    fails(fg_store_pending_add(f->store, "members/../", &f->err), FG_ERR_INTERNAL, "prefix");
    fails(fg_store_pending_add(f->store, "members/a", &f->err), FG_ERR_INTERNAL, "prefix");
    const team_order order = {
        .name = "Ann", .role = "r", .prefix = "members/a/", .pending = "members/a/", .templates = 1};
    ok(team_enroll(f->store, &order, &id, &f->err));
    assert_int_equal(sql_count(f, "SELECT count(*) FROM pending"), 0);
    ok(fg_store_pending_remove(f->store, "members/none/", &f->err));
}

/* What a process leaves that adds a prefix and ends. */
static void add_in_child(fixture *f, const char *prefix, int reap)
{
    fg_store_close(f->store);
    f->store = NULL;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        fg_store *store = NULL;
        _exit(fg_store_open(&store, f->path, false, NULL) == FG_OK &&
                      fg_store_pending_add(store, prefix, NULL) == FG_OK
                  ? 0
                  : 1);
    }
    siginfo_t info = {0};
    assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | (reap ? 0 : WNOWAIT)), 0);
    assert_int_equal(info.si_status, 0);
    ok(fg_store_open(&f->store, f->path, false, &f->err));
    if (!reap) { /* a zombie has a pid and a start time still */
        char **prefixes = NULL;
        long count = 0;
        ok(fg_store_pending_abandoned(f->store, &prefixes, &count, &f->err));
        assert_int_equal(count, 1);
        free(prefixes[0]);
        free(prefixes);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
    }
}

static void expect_abandoned(fixture *f, long expected, const char *first)
{
    char **prefixes = NULL;
    long count = 0;
    ok(fg_store_pending_abandoned(f->store, &prefixes, &count, &f->err));
    assert_int_equal(count, expected);
    if (first)
        assert_string_equal(prefixes[0], first);
    for (long i = 0; i < count; i++)
        free(prefixes[i]);
    free(prefixes);
}

static void prefix_of_a_dead_process_is_abandoned(void **state)
{
    fixture *f = *state;
    ok(fg_store_pending_add(f->store, "members/mine/", &f->err));
    add_in_child(f, "members/dead/", 1);
    expect_abandoned(f, 1, "members/dead/");
    ok(fg_store_pending_remove(f->store, "members/dead/", &f->err));
    expect_abandoned(f, 0, NULL);
    add_in_child(f, "members/zombie/", 0);
    expect_abandoned(f, 1, "members/zombie/");
}

static void new_process_with_the_id_of_a_dead_one_is_told_apart(void **state)
{
    fixture *f = *state;
    ok(fg_store_pending_add(f->store, "members/a/", &f->err));
    expect_abandoned(f, 0, NULL);
    sql_run(f, "UPDATE pending SET start = start - 1");
    expect_abandoned(f, 1, "members/a/");
}

static void prefix_from_elsewhere_is_given_a_day(void **state)
{
    fixture *f = *state;
    ok(fg_store_pending_add(f->store, "members/a/", &f->err));
    sql_run(f, "UPDATE pending SET host = 'another boot', pid = 1, start = 1");
    expect_abandoned(f, 0, NULL);
    sql_run(f, "UPDATE pending SET created_ms = created_ms - 86400001");
    expect_abandoned(f, 1, "members/a/");
}

static void prefix_with_live_rows_is_never_abandoned(void **state)
{
    fixture *f = *state;
    enroll(f, "Ann", "members/a/", 2);
    sql_run(
        f,
        "INSERT INTO pending (blob_prefix, host, pid, start, created_ms) VALUES ('members/a/', '', 1, 1, 1), "
        "('members/a/chips/', '', 1, 1, 1), ('members/a/originals/', '', 1, 1, 1), ('members/', '', 1, 1, "
        "1), "
        "('members/a/other/', '', 1, 1, 1), ('members/ab/', '', 1, 1, 1)");
    expect_abandoned(f, 2, "members/a/other/");
}

static void owner_knows_itself(void **state)
{
    (void)state;
    fg_owner self;
    fg_owner_self(&self);
    assert_int_equal(self.pid, getpid());
    assert_true(self.start > 0);
    assert_non_null(strchr(self.host, ' '));
    assert_int_equal(fg_owner_look(&self), FG_OWNER_ALIVE);
    self.start++;
    assert_int_equal(fg_owner_look(&self), FG_OWNER_GONE);
    self.host[0] ^= 1;
    assert_int_equal(fg_owner_look(&self), FG_OWNER_UNKNOWN);
}

/* -- classifier versions -- */

static fg_code add_version(fixture *f, const char *data, bool activate, int64_t *version)
{
    fg_version_info info = {.created_ms = 7,
                            .model_hash = TEAM_MODEL,
                            .data_hash = OTHER_MODEL,
                            .settings_json = (char *)"{\"c\":1}",
                            .report_json = (char *)"{\"who\":\"Ann\"}"};
    return fg_store_version_add(f->store, &info, data, strlen(data), activate, version, &f->err);
}

static void versions_are_stored_and_activated(void **state)
{
    fixture *f = *state;
    int64_t one = 0, two = 0, active = -1;
    fg_version_info *infos = NULL, info = {0};
    long count = 0;
    fg_buf data;
    int64_t ann = enroll(f, "Ann", "members/a/", 1);
    fg_buf_init(&data, 1000);
    ok(fg_store_version_active(f->store, &active, &f->err));
    assert_int_equal(active, 0);
    fails(fg_store_version_load(f->store, 0, &info, &data, &f->err), FG_ERR_STATE, "train");
    ok(add_version(f, "first", true, &one));
    ok(add_version(f, "second", false, &two));
    assert_int_equal(one, 1);
    assert_int_equal(two, 2);
    ok(fg_store_version_active(f->store, &active, &f->err));
    assert_int_equal(active, one);
    ok(fg_store_version_activate(f->store, two, &f->err));
    ok(fg_store_version_active(f->store, &active, &f->err));
    assert_int_equal(active, two);
    fails(fg_store_version_activate(f->store, 9, &f->err), FG_ERR_NOT_FOUND, "9");
    ok(fg_store_version_active(f->store, &active, &f->err));
    assert_int_equal(active, two);

    ok(fg_store_versions(f->store, &infos, &count, &f->err));
    assert_int_equal(count, 2);
    assert_int_equal(infos[0].version, two);
    assert_true(infos[0].active && !infos[1].active && !infos[0].withdrawn);
    fg_versions_free(infos, count);

    ok(fg_buf_append(&data, "x", 1, &f->err));
    ok(fg_store_version_load(f->store, 0, &info, &data, &f->err));
    assert_string_equal((char *)data.data, "xsecond");
    assert_int_equal(info.version, two);
    assert_int_equal(info.created_ms, 7);
    assert_string_equal(info.model_hash, TEAM_MODEL);
    assert_string_equal(info.data_hash, OTHER_MODEL);
    assert_string_equal(info.settings_json, "{\"c\":1}");
    assert_string_equal(info.report_json, "{\"who\":\"Ann\"}");
    assert_int_equal(info.member_count, 1);
    assert_int_equal(info.member_ids[0], ann);
    fg_version_info_deinit(&info);
    fg_buf_clear(&data);
    ok(fg_store_version_load(f->store, one, &info, &data, &f->err));
    assert_string_equal((char *)data.data, "first");
    fg_version_info_deinit(&info);
    fails(fg_store_version_load(f->store, 9, &info, &data, &f->err), FG_ERR_NOT_FOUND, "9");
    fg_buf_deinit(&data);
    fg_buf_init(&data, 3);
    fails(fg_store_version_load(f->store, one, &info, &data, &f->err), FG_ERR_LIMIT, "3 bytes");
    assert_null(info.settings_json);
    fg_buf_deinit(&data);
    fails(fg_store_version_add(f->store, &info, "x", 1, true, &one, &f->err), FG_ERR_INTERNAL, "model");
    snprintf(info.model_hash, sizeof info.model_hash, "m");
    fails(fg_store_version_add(f->store, &info, "", 0, true, &one, &f->err), FG_ERR_INTERNAL, "data");
    fails(
        fg_store_version_add(f->store, &info, "x", (size_t)FG_MAX_CLASSIFIER_BYTES + 1, true, &one, &f->err),
        FG_ERR_LIMIT, "512 MB");
}

static void version_is_withdrawn_with_its_member(void **state)
{
    fixture *f = *state;
    int64_t early = 0, version = 0, active = -1, late = 0;
    fg_version_info *infos = NULL, info = {0};
    long count = 0;
    fg_buf data;
    fg_buf_init(&data, 1000);
    int64_t ben = enroll(f, "Ben", "members/b/", 1);
    ok(add_version(f, "only Ben", false, &early));
    int64_t ann = enroll(f, "Ann", "members/a/", 1);
    ok(add_version(f, "both of them", true, &version));
    ok(fg_store_member_remove(f->store, ann, &f->err));
    ok(fg_store_version_active(f->store, &active, &f->err));
    assert_int_equal(active, 0);
    fails(fg_store_version_activate(f->store, version, &f->err), FG_ERR_STATE, "removed");
    fails(fg_store_version_load(f->store, version, &info, &data, &f->err), FG_ERR_STATE, "removed");
    assert_false(file_contains(f->path, "both of them", 12));
    ok(fg_store_versions(f->store, &infos, &count, &f->err));
    assert_true(infos[0].withdrawn && !infos[0].active);
    assert_string_equal(infos[0].report_json, "{}");
    assert_false(infos[1].withdrawn);
    fg_versions_free(infos, count);
    ok(fg_store_version_activate(f->store, early, &f->err));
    ok(add_version(f, "again", false, &late)); /* numbers go on */
    assert_int_equal(late, version + 1);
    /* trained while its member was removed */
    int64_t *ids = malloc(2 * sizeof *ids);
    assert_non_null(ids);
    ids[0] = ann;
    ids[1] = ben;
    fg_version_info given = {.model_hash = TEAM_MODEL, .member_ids = ids, .member_count = 2};
    fails(fg_store_version_add(f->store, &given, "x", 1, true, &version, &f->err), FG_ERR_STATE, "removed");
    assert_int_equal(version, 0);
    ids[0] = ben;
    given.member_count = 1;
    ok(fg_store_version_add(f->store, &given, "x", 1, true, &version, &f->err));
    ok(fg_store_version_load(f->store, version, &info, &data, &f->err));
    assert_int_equal(info.member_count, 1);
    assert_int_equal(info.member_ids[0], ben);
    assert_string_equal(info.settings_json, "{}");
    fg_version_info_deinit(&info);
    fg_version_info_deinit(&given);
    fg_buf_deinit(&data);
}

/* -- keys and audit -- */

static void keys_are_stored_and_revoked(void **state)
{
    fixture *f = *state;
    fg_key key = {.id = "0123456789abcdef",
                  .label = (char *)"front\ndoor",
                  .scope = (char *)"verify",
                  .created_ms = 5,
                  .expires_ms = 6,
                  .hash = {1, 2, 3}};
    fg_key got = {0}, *keys = NULL;
    long count = 0;
    ok(fg_store_key_add(f->store, &key, &f->err));
    fails(fg_store_key_add(f->store, &key, &f->err), FG_ERR_EXISTS, key.id);
    ok(fg_store_key_by_id(f->store, key.id, &got, &f->err));
    assert_string_equal(got.id, key.id);
    assert_string_equal(got.label, "front?door");
    assert_string_equal(got.scope, "verify");
    assert_true(got.created_ms == 5 && got.expires_ms == 6 && got.revoked_ms == 0 && got.used_ms == 0);
    assert_memory_equal(got.hash, key.hash, sizeof key.hash);
    fg_key_deinit(&got);
    ok(fg_store_key_used(f->store, key.id, 9, &f->err));
    ok(fg_store_key_used(f->store, key.id, 8, &f->err));
    ok(fg_store_key_revoke(f->store, key.id, 10, &f->err));
    ok(fg_store_key_revoke(f->store, key.id, 11, &f->err));
    memcpy(key.id, "1123456789abcdef", 17);
    key.created_ms = 4;
    ok(fg_store_key_add(f->store, &key, &f->err));
    ok(fg_store_keys(f->store, &keys, &count, &f->err));
    assert_int_equal(count, 2);
    assert_int_equal(keys[0].created_ms, 4);
    assert_true(keys[1].used_ms == 9 && keys[1].revoked_ms == 10);
    fg_keys_free(keys, count);
    fails(fg_store_key_by_id(f->store, "none", &got, &f->err), FG_ERR_NOT_FOUND, "none");
    fails(fg_store_key_revoke(f->store, "none", 1, &f->err), FG_ERR_NOT_FOUND, "none");
    fails(fg_store_key_used(f->store, "none", 1, &f->err), FG_ERR_NOT_FOUND, "none");
    memcpy(key.id, "short", 6);
    fails(fg_store_key_add(f->store, &key, &f->err), FG_ERR_INTERNAL, "id");
    memcpy(key.id, "2123456789abcdef", 17);
    key.scope = (char *)"root";
    fails(fg_store_key_add(f->store, &key, &f->err), FG_ERR_INTERNAL, "CHECK");
}

static void audit_comes_newest_first_in_pages(void **state)
{
    fixture *f = *state;
    fg_audit_row *rows = NULL;
    long count = 0;
    for (int i = 0; i < 5; i++) {
        char subject[8];
        snprintf(subject, sizeof subject, "s%d", i);
        fg_audit_row row = {.time_ms = i,
                            .actor = (char *)"cli",
                            .source = (char *)"1.2.3.4\n",
                            .action = (char *)"verify",
                            .subject = subject,
                            .decision = (char *)"granted",
                            .reasons = (char *)"",
                            .probability = i == 4 ? NAN : 0.5};
        ok(fg_store_audit_add(f->store, &row, &f->err));
    }
    ok(fg_store_audit_add(f->store, &(fg_audit_row){.action = (char *)"train"}, &f->err));
    ok(fg_store_audit(f->store, 0, 3, &rows, &count, &f->err));
    assert_int_equal(count, 3);
    assert_string_equal(rows[0].action, "train");
    assert_string_equal(rows[0].actor, "");
    assert_string_equal(rows[1].subject, "s4");
    assert_true(isnan(rows[1].probability));
    assert_string_equal(rows[2].subject, "s3");
    assert_true(rows[2].probability == 0.5);
    assert_int_equal(rows[2].time_ms, 3);
    assert_string_equal(rows[2].source, "1.2.3.4?");
    assert_string_equal(rows[2].decision, "granted");
    int64_t before = rows[2].id;
    fg_audit_free(rows, count);
    ok(fg_store_audit(f->store, before, 1000, &rows, &count, &f->err));
    assert_int_equal(count, 3);
    assert_string_equal(rows[0].subject, "s2");
    fg_audit_free(rows, count);
    ok(fg_store_audit(f->store, 1, 1, &rows, &count, &f->err));
    assert_int_equal(count, 0);
    fails(fg_store_audit(f->store, 0, 0, &rows, &count, &f->err), FG_ERR_USAGE, "limit");
    fails(fg_store_audit(f->store, 0, 1001, &rows, &count, &f->err), FG_ERR_USAGE, "limit");
}

/* -- threads -- */

typedef struct crew {
    fixture *f;
    int number, failures;
} crew;

static void *work(void *argument)
{
    crew *c = argument;
    for (int i = 0; i < 12; i++) {
        char name[32], prefix[32];
        int64_t id = 0;
        fg_error err = {0};
        fg_member *members = NULL;
        fg_template_set set = {0};
        long count = 0;
        snprintf(name, sizeof name, "m%d-%d", c->number, i);
        snprintf(prefix, sizeof prefix, "members/%d-%d/", c->number, i);
        float unit[TEAM_SIZE];
        team_embedding(unit, i);
        char key[64];
        snprintf(key, sizeof key, "%schip", prefix);
        const fg_source source = {.name = (char *)"n", .kind = (char *)"photo"};
        const fg_template tmpl = {
            .model_hash = TEAM_MODEL, .embedding_size = TEAM_SIZE, .embedding = unit, .chip_key = key};
        const fg_enrolment e = {.name = name,
                                .role = "r",
                                .blob_prefix = prefix,
                                .pending_prefix = prefix,
                                .sources = &source,
                                .source_count = 1,
                                .templates = &tmpl,
                                .template_count = 1};
        c->failures += fg_store_pending_add(c->f->store, prefix, &err) != FG_OK;
        c->failures += fg_store_enroll(c->f->store, &e, &id, &err) != FG_OK;
        c->failures += fg_store_members(c->f->store, &members, &count, &err) != FG_OK || count < 1;
        fg_members_free(members, count);
        c->failures +=
            fg_store_templates(c->f->store, TEAM_MODEL, &set, NULL, &err) != FG_OK || set.count < 1;
        fg_template_set_deinit(&set);
        c->failures += fg_store_member_seen(c->f->store, id, i, &err) != FG_OK;
        c->failures += fg_store_audit_add(c->f->store, &(fg_audit_row){.subject = name}, &err) != FG_OK;
        if (i % 3 == 2)
            c->failures += fg_store_member_remove(c->f->store, id, &err) != FG_OK;
        if (c->failures) {
            fprintf(stderr, "%s: %s\n", err.where, err.msg);
            return NULL;
        }
    }
    return NULL;
}

static void threads_share_one_store(void **state)
{
    enum { CREW = 4 };
    fixture *f = *state;
    pthread_t threads[CREW];
    crew crews[CREW];
    for (int i = 0; i < CREW; i++) {
        crews[i] = (crew){.f = f, .number = i};
        assert_int_equal(pthread_create(&threads[i], NULL, work, &crews[i]), 0);
    }
    for (int i = 0; i < CREW; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(crews[i].failures, 0);
    }
    assert_int_equal(sql_count(f, "SELECT count(*) FROM member"), CREW * 8);
    assert_int_equal(sql_count(f, "SELECT count(*) FROM audit"), CREW * 12);
    ok(fg_store_check(f->store, &f->err));
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(file_is_private_and_safe),
        TEST(reopening_finds_what_was_stored),
        TEST(read_only_reads_and_does_not_write),
        TEST(odd_names_of_files_are_files),
        cmocka_unit_test(close_takes_null),
        TEST(enrolment_stores_everything),
        TEST(templates_come_back_bit_for_bit),
        TEST(chips_are_listed),
        TEST(the_embedder_is_switched_at_once_or_not_at_all),
        TEST(templates_without_a_picture_are_given_up_only_when_told),
        TEST(embeddings_of_two_models_never_mix),
        TEST(names_are_unique_whatever_their_case),
        TEST(members_come_by_name),
        TEST(adding_keeps_what_is_not_given),
        TEST(bad_enrolments_leave_nothing),
        TEST(caps_hold),
        TEST(members_are_changed),
        TEST(last_seen_only_grows),
        TEST(removal_leaves_no_trace_in_the_files),
        TEST(removal_waits_for_readers_to_clean_the_wal),
        TEST(removal_leaves_its_blobs_pending),
        TEST(removal_stops_an_enrolment_under_way),
        TEST(removal_takes_the_name_out_of_the_audit),
        TEST(pending_needs_a_prefix_and_is_there_once),
        TEST(prefix_of_a_dead_process_is_abandoned),
        TEST(new_process_with_the_id_of_a_dead_one_is_told_apart),
        TEST(prefix_from_elsewhere_is_given_a_day),
        TEST(prefix_with_live_rows_is_never_abandoned),
        cmocka_unit_test(owner_knows_itself),
        TEST(versions_are_stored_and_activated),
        TEST(version_is_withdrawn_with_its_member),
        TEST(keys_are_stored_and_revoked),
        TEST(audit_comes_newest_first_in_pages),
        TEST(threads_share_one_store),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
