/* What the store keeps and answers of a team. Its removal: test_store_removal.c; its embedder, classifiers,
 * keys and audit: test_store_records.c; locks, damage, full disks and killed processes: test_store_trouble.c.
 */
#include "base/clock.h"

#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/store_team.h"

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
        const bool photo = chips[i].frame_index % 2;
        assert_int_equal(chips[i].variation, photo ? chips[i].frame_index : 0);
        assert_int_equal(chips[i].sampled, photo ? -1 : chips[i].frame_index / 5);
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

static int64_t named(fixture *f, int64_t id)
{
    fg_member m = {0};
    ok(fg_store_member_by_id(f->store, id, &m, &f->err));
    const int64_t ms = m.named_ms;
    fg_member_deinit(&m);
    return ms;
}

static int64_t known_names(fixture *f, const char *endpoint, bool want_known)
{
    int64_t ms = 0;
    bool known = !want_known;
    ok(fg_store_endpoint_names(f->store, endpoint, &ms, &known, &f->err));
    assert_int_equal(known, want_known);
    return ms;
}

static void names_are_dated(void **state)
{
    fixture *f = *state;
    int64_t ann = enroll(f, "Ann", "members/a/", 1), ben = enroll(f, "Ben", "members/b/", 1);
    assert_true(named(f, ann) > 0);
    sql_run(f, "UPDATE member SET named_ms = 7");
    ok(fg_store_training_begin(f->store, "e-1", &f->err));
    ok(fg_store_member_set(f->store, ann, &(fg_member_change){.name = " ANN ", .role = "r"}, &f->err));
    ok(fg_store_member_set(f->store, ann, &(fg_member_change){.role = "boss"}, &f->err));
    const team_order more = {
        .name = "ann", .prefix = "members/a/", .pending = "members/a/2/", .templates = 1, .add = true};
    int64_t id = 0;
    ok(fg_store_pending_add(f->store, more.pending, &f->err));
    ok(team_enroll(f->store, &more, &id, &f->err));
    assert_int_equal(id, ann);
    assert_int_equal(named(f, ann), 7); /* the same name, and the same face */

    /* Somebody else's now: later than the training, though the clock has been set back since. */
    sql_run(f, "UPDATE trained SET names_ms = 9000000000000");
    ok(fg_store_member_remove(f->store, ann, &f->err));
    ok(fg_store_member_set(f->store, ben, &(fg_member_change){.name = "Ann"}, &f->err));
    assert_int_equal(named(f, ben), 9000000000001);
    ben = enroll(f, "Ben", "members/c/", 1);
    assert_int_equal(named(f, ben), 9000000000001);
    assert_int_equal(known_names(f, "e", false), 9000000000001); /* whoever asks first means everybody */
    ok(fg_store_training_begin(f->store, "e-2", &f->err));
    ok(fg_store_endpoint_deploy(f->store, "e", "c-2", "e-2", &f->err));
    assert_int_equal(known_names(f, "e", true), 9000000000001); /* and who trains, too */
    ok(fg_store_reset(f->store, &f->err));
    assert_int_equal(named(f, enroll(f, "Ann", "members/d/", 1)), 9000000000002);
}

static void an_endpoint_knows_the_names_of_its_job(void **state)
{
    fixture *f = *state;
    enroll(f, "Ann", "members/a/", 1);
    const int64_t first = known_names(f, "e", false);
    assert_true(first > 0);
    ok(fg_store_endpoint_asked(f->store, "e", first, &f->err));
    ok(fg_store_endpoint_asked(f->store, "e", first + 9999, &f->err)); /* another was first */
    assert_int_equal(known_names(f, "e", true), first);
    (void)known_names(f, "d", false);

    ok(fg_store_training_begin(f->store, "e-1", &f->err));
    ok(fg_store_training_begin(f->store, "e-2", &f->err));
    sql_run(f, "UPDATE trained SET names_ms = 100 WHERE name = 'e-1'");
    sql_run(f, "UPDATE trained SET names_ms = 200 WHERE name = 'e-2'");
    ok(fg_store_training_begin(f->store, "e-1",
                               &f->err)); /* a name that is given twice: the older one stays */

    /* An older one is known at once, a newer one once it answers. */
    ok(fg_store_endpoint_deploy(f->store, "e", "c-1", "e-1", &f->err));
    assert_int_equal(known_names(f, "e", true), 100);
    ok(fg_store_endpoint_deploy(f->store, "e", "c-2", "e-2", &f->err));
    assert_int_equal(known_names(f, "e", true), 100);
    ok(fg_store_endpoint_serves(f->store, "e", "c-1", &f->err)); /* rolled back */
    assert_int_equal(known_names(f, "e", true), 100);
    ok(fg_store_endpoint_serves(f->store, "e", "c-2", &f->err));
    assert_int_equal(known_names(f, "e", true), 200);

    /* What was trained or deployed elsewhere changes nothing. */
    ok(fg_store_endpoint_deploy(f->store, "e", "c-3", "e-3", &f->err));
    ok(fg_store_endpoint_serves(f->store, "e", "c-3", &f->err));
    ok(fg_store_endpoint_serves(f->store, "d", "c-3", &f->err));
    assert_int_equal(known_names(f, "e", true), 200);
    (void)known_names(f, "d", false);
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
        TEST(names_are_unique_whatever_their_case),
        TEST(members_come_by_name),
        TEST(adding_keeps_what_is_not_given),
        TEST(bad_enrolments_leave_nothing),
        TEST(caps_hold),
        TEST(members_are_changed),
        TEST(names_are_dated),
        TEST(an_endpoint_knows_the_names_of_its_job),
        TEST(last_seen_only_grows),
        TEST(threads_share_one_store),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
