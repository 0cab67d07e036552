/* What the store keeps beside the members: the embedder and the switch to another, classifiers, keys and the
 * audit. */

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/store_team.h"

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

/* -- classifier versions -- */

static fg_code add_version_of(fixture *f, const fg_template_set *set, const char *data, bool activate,
                              int64_t *version)
{
    fg_version_info info = {.created_ms = 7,
                            .model_hash = TEAM_MODEL,
                            .data_hash = OTHER_MODEL,
                            .settings_json = (char *)"{\"c\":1}",
                            .report_json = (char *)"{\"who\":\"Ann\"}"};
    return fg_store_version_add(f->store, &info, set, data, strlen(data), activate, version, &f->err);
}

/* Of the templates that there are. */
static fg_code add_version(fixture *f, const char *data, bool activate, int64_t *version)
{
    fg_template_set set = {0};
    ok(fg_store_templates(f->store, TEAM_MODEL, &set, NULL, &f->err));
    fg_code rc = add_version_of(f, &set, data, activate, version);
    fg_template_set_deinit(&set);
    return rc;
}

static void versions_are_stored_and_activated(void **state)
{
    fixture *f = *state;
    int64_t one = 0, two = 0, active = -1;
    fg_version_info *infos = NULL, info = {0};
    const fg_template_set none = {0};
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
    fails(fg_store_version_add(f->store, &info, &none, "x", 1, true, &one, &f->err), FG_ERR_INTERNAL,
          "model");
    snprintf(info.model_hash, sizeof info.model_hash, "m");
    fails(fg_store_version_add(f->store, &info, &none, "", 0, true, &one, &f->err), FG_ERR_INTERNAL, "data");
    fails(fg_store_version_add(f->store, &info, &none, "x", (size_t)FG_MAX_CLASSIFIER_BYTES + 1, true, &one,
                               &f->err),
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
    enroll(f, "Ben", "members/b/", 1);
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
    fg_buf_deinit(&data);
}

static void version_of_other_templates_is_not_stored(void **state)
{
    fixture *f = *state;
    int64_t version = 0, active = 0, ids[3];
    fg_template_set two = {0}, three = {0};
    fg_version_info info = {0};
    fg_buf data;
    fg_buf_init(&data, 1000);
    ids[0] = enroll(f, "Ann", "members/a/", 2);
    ids[1] = enroll(f, "Ben", "members/b/", 2);
    ok(fg_store_templates(f->store, TEAM_MODEL, &two, NULL, &f->err));
    ids[2] = enroll(f, "Cy", "members/c/", 2);
    ok(fg_store_templates(f->store, TEAM_MODEL, &three, NULL, &f->err));
    ok(add_version_of(f, &three, "all", true, &active));
    /* trained when somebody was still missing, active or not */
    ok(add_version_of(f, &two, "older", true, &version));
    assert_int_equal(version, 0);
    ok(add_version_of(f, &two, "older", false, &version));
    assert_int_equal(version, 0);
    assert_int_equal(sql_count(f, "SELECT count(*) FROM version"), 1);
    ok(fg_store_version_load(f->store, 0, &info, &data, &f->err));
    assert_int_equal(info.version, active);
    assert_int_equal(info.member_count, 3);
    assert_memory_equal(info.member_ids, ids, sizeof ids);
    fg_version_info_deinit(&info);
    /* trained while a member was removed, and when another came in between */
    ok(fg_store_member_remove(f->store, ids[1], &f->err));
    ok(add_version_of(f, &three, "with the removed", true, &version));
    assert_int_equal(version, 0);
    enroll(f, "Ben", "members/b2/", 2);
    ok(add_version_of(f, &three, "with the removed", true, &version));
    assert_int_equal(version, 0);
    ok(fg_store_version_active(f->store, &active, &f->err));
    assert_int_equal(active, 0);
    fg_template_set_deinit(&two);
    fg_template_set_deinit(&three);
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

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_embedder_is_switched_at_once_or_not_at_all),
        TEST(templates_without_a_picture_are_given_up_only_when_told),
        TEST(embeddings_of_two_models_never_mix),
        TEST(versions_are_stored_and_activated),
        TEST(version_is_withdrawn_with_its_member),
        TEST(version_of_other_templates_is_not_stored),
        TEST(keys_are_stored_and_revoked),
        TEST(audit_comes_newest_first_in_pages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
