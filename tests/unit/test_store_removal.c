/* How members go, without a trace, and what becomes of blobs that nobody waits for any more. */
#include "store/owner.h"

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

#include "support/store_team.h"

/* -- removal -- */

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
    /* Nor does what was under way meanwhile put it back; it still says whom it was about, by number. */
    ok(fg_store_audit_add(
        f->store, &(fg_audit_row){.action = (char *)"invoke", .subject = (char *)"Anne", .member_id = ann},
        &f->err));
    ok(fg_store_audit(f->store, 0, 1, &rows, &count, &f->err));
    assert_string_equal(rows[0].subject, "");
    assert_int_equal(rows[0].member_id, ann);
    fg_audit_free(rows, count);
}

static void attempts_expire_and_what_was_done_stays(void **state)
{
    fixture *f = *state;
    long count = 0;
    static const char *const actions[] = {"verify", "invoke", "enroll", "train", "verify"};
    for (int i = 0; i < 5; i++)
        ok(fg_store_audit_add(f->store,
                              &(fg_audit_row){.action = (char *)actions[i], .time_ms = i < 4 ? 1000 : 5000},
                              &f->err));
    ok(fg_store_attempts_expire(f->store, 5000, 1, &count, &f->err));
    assert_int_equal(count, 1);
    ok(fg_store_attempts_expire(f->store, 5000, 10, &count, &f->err));
    assert_int_equal(count, 1);
    assert_int_equal(sql_count(f, "SELECT count(*) FROM audit WHERE action IN ('verify', 'invoke')"), 1);
    assert_int_equal(sql_count(f, "SELECT count(*) FROM audit"), 3);
}

static void removal_takes_the_jobs_along(void **state)
{
    fixture *f = *state;
    int64_t ann = enroll(f, "Ann", "members/a/", 1);
    enroll(f, "Ben", "members/b/", 1);
    const struct {
        const char *id, *subject, *end;
        int64_t member_id;
    } jobs[] = {
        {"0000000000000001", "Ann", "{}", 0},
        {"0000000000000002", "ann", "", ann},
        {"0000000000000003", "", "{\"m\":\"Anne\"}", 0},
        {"0000000000000004", "Annabel", "{\"m\":\"Ben\"}", 0},
        {"0000000000000005", "Ann", "", 0}, /* under way when the name gets free: somebody else's */
    };
    fg_job_record record = {.order_json = (char *)"{}"};
    for (size_t i = 0; i < sizeof jobs / sizeof *jobs; i++) {
        memcpy(record.id, jobs[i].id, sizeof record.id);
        record.subject = (char *)jobs[i].subject;
        record.end_json = (char *)jobs[i].end;
        record.member_id = jobs[i].member_id;
        ok(fg_store_job_add(f->store, &record, &f->err));
    }
    ok(fg_store_member_set(f->store, ann, &(fg_member_change){.name = "Anne"}, &f->err));
    ok(fg_store_member_remove(f->store, ann, &f->err));
    assert_int_equal(
        sql_count(f, "SELECT group_concat(+id, '') = '00000000000000040000000000000005' FROM job"), 1);
    memcpy(record.id, jobs[1].id, sizeof record.id);
    fails(fg_store_job_put(f->store, &record, &f->err), FG_ERR_NOT_FOUND, "job");
    assert_int_equal(sql_count(f, "SELECT count(*) FROM job"), 2);
}

static void job_knows_the_member_from_the_enrolment_on(void **state)
{
    fixture *f = *state;
    int64_t id = 0;
    fg_job_record record = {.id = "0000000000000001", .subject = (char *)"Ann", .order_json = (char *)"{}"};
    team_order order = {.name = "Ann", .role = "r", .prefix = "members/a/", .templates = 1, .job = record.id};
    ok(fg_store_job_add(f->store, &record, &f->err));
    ok(team_enroll(f->store, &order, &id, &f->err));
    ok(fg_store_member_set(f->store, id, &(fg_member_change){.name = "Anne"}, &f->err));
    ok(fg_store_member_remove(f->store, id, &f->err));
    assert_int_equal(sql_count(f, "SELECT count(*) FROM job"), 0);
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

static void place_stays_for_as_long_as_anything_is_there(void **state)
{
    fixture *f = *state;
    char *place = NULL;
    int64_t id = 0;
    ok(fg_store_pending_add(f->store, "members/a/", &f->err));
    ok(fg_store_place_keep(f->store, "dir:blobs", false, &f->err));
    const team_order order = {
        .name = "Ann", .role = "r", .prefix = "members/a/", .pending = "members/a/", .templates = 1};
    ok(team_enroll(f->store, &order, &id, &f->err));
    ok(fg_store_pending_add(f->store, "members/b/", &f->err));
    ok(fg_store_place_keep(f->store, "dir:blobs", false, &f->err));
    fails(fg_store_place_keep(f->store, "s3://faces", false, &f->err), FG_ERR_STATE, "dir:blobs");
    fails(fg_store_place_keep(f->store, "", false, &f->err), FG_ERR_INTERNAL, "no place");
    ok(fg_store_member_remove(f->store, id, &f->err));
    ok(fg_store_pending_remove(f->store, "members/b/", &f->err));
    ok(fg_store_place(f->store, &place, &f->err)); /* the removed one's pictures are still there */
    assert_string_equal(place, "dir:blobs");
    free(place);
    ok(fg_store_place_keep(f->store, "dir:/elsewhere", true, &f->err));
    ok(fg_store_pending_remove(f->store, "members/a/", &f->err));
    ok(fg_store_place(f->store, &place, &f->err));
    assert_null(place);
    ok(fg_store_pending_add(f->store, "members/c/", &f->err));
    ok(fg_store_place_keep(f->store, "s3://faces", false, &f->err));
    ok(fg_store_place(f->store, &place, &f->err));
    assert_string_equal(place, "s3://faces");
    free(place);
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

static void prefix_that_is_given_up_is_abandoned_at_once(void **state)
{
    fixture *f = *state;
    ok(fg_store_pending_add(f->store, "members/a/", &f->err));
    ok(fg_store_pending_add(f->store, "members/b/", &f->err));
    expect_abandoned(f, 0, NULL);
    ok(fg_store_pending_release(f->store, "members/b/", &f->err));
    expect_abandoned(f, 1, "members/b/");
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

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(removal_leaves_no_trace_in_the_files),
        TEST(removal_waits_for_readers_to_clean_the_wal),
        TEST(removal_leaves_its_blobs_pending),
        TEST(removal_stops_an_enrolment_under_way),
        TEST(removal_takes_the_name_out_of_the_audit),
        TEST(attempts_expire_and_what_was_done_stays),
        TEST(removal_takes_the_jobs_along),
        TEST(job_knows_the_member_from_the_enrolment_on),
        TEST(pending_needs_a_prefix_and_is_there_once),
        TEST(place_stays_for_as_long_as_anything_is_there),
        TEST(prefix_of_a_dead_process_is_abandoned),
        TEST(prefix_that_is_given_up_is_abandoned_at_once),
        TEST(new_process_with_the_id_of_a_dead_one_is_told_apart),
        TEST(prefix_from_elsewhere_is_given_a_day),
        TEST(prefix_with_live_rows_is_never_abandoned),
        cmocka_unit_test(owner_knows_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
