#include "access/access.h"
#include "access/limiter.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/expect.h"
#include "support/store_fixture.h"

/* -- scopes and keys -- */

static void scopes_have_names(void **state)
{
    fixture *f = *state;
    static const fg_scope all[] = {FG_SCOPE_VERIFY, FG_SCOPE_ENROLL, FG_SCOPE_AUDIT, FG_SCOPE_ADMIN};
    fg_scope scope;
    for (size_t i = 0; i < 4; i++) {
        ok(fg_scope_parse(&scope, fg_scope_name(all[i]), &f->err));
        assert_int_equal(scope, all[i]);
    }
    assert_string_equal(fg_scope_name((fg_scope)3), "");
    fails(fg_scope_parse(&scope, "root", &f->err), FG_ERR_USAGE, "root");
    fails(fg_scope_parse(&scope, "", &f->err), FG_ERR_USAGE, "verify, enroll");
    fails(fg_scope_parse(&scope, NULL, &f->err), FG_ERR_USAGE, "scope");
    assert_int_equal(scope, 0);
}

static int file_contains(const char *path, const char *text)
{
    fg_buf buf;
    size_t size = strlen(text);
    int found = 0;
    fg_buf_init(&buf, 64 << 20);
    if (fg_file_read(path, &buf, NULL) == FG_OK)
        for (size_t i = 0; i + size <= buf.size && !found; i++)
            found = memcmp(buf.data + i, text, size) == 0;
    fg_buf_deinit(&buf);
    return found;
}

static void key_is_shown_once_and_stored_as_a_hash(void **state)
{
    fixture *f = *state;
    char text[FG_KEY_TEXT], other[FG_KEY_TEXT], id[17], wal[sizeof f->path + 8];
    fg_key key = {0};
    snprintf(wal, sizeof wal, "%s-wal", f->path);
    ok(fg_access_key_create(f->store, FG_SCOPE_ENROLL, "gate", 0, text, &f->err));
    ok(fg_access_key_create(f->store, FG_SCOPE_ENROLL, NULL, 0, other, &f->err));
    assert_string_not_equal(text, other);
    assert_int_equal(strlen(text), 3 + 16 + 1 + 43);
    assert_true(fg_access_key_parse(text, id));
    assert_memory_equal(id, text + 3, 16);
    ok(fg_store_key_by_id(f->store, id, &key, &f->err));
    assert_string_equal(key.label, "gate");
    assert_string_equal(key.scope, "enroll");
    assert_true(key.created_ms > 0 && key.expires_ms == 0 && key.revoked_ms == 0);
    fg_key_deinit(&key);
    assert_true(file_contains(wal, id)); /* so the search does find things */
    assert_false(file_contains(wal, text + 20));
    assert_false(file_contains(f->path, text + 20));
    fails(fg_access_key_create(f->store, (fg_scope)0, "x", 0, text, &f->err), FG_ERR_USAGE, "scope");
    assert_string_equal(text, "");
    fails(fg_access_key_create(f->store, FG_SCOPE_ADMIN, "x", 5, text, &f->err), FG_ERR_USAGE, "past");
    fails(fg_access_key_create(f->store, FG_SCOPE_ADMIN, "x", -1, text, &f->err), FG_ERR_USAGE, "past");
}

static void key_that_cannot_be_stored_is_not_shown(void **state)
{
    fixture *f = *state;
    char text[FG_KEY_TEXT] = "x";
    fg_store *reader = NULL;
    ok(fg_store_open(&reader, f->path, true, &f->err));
    fails(fg_access_key_create(reader, FG_SCOPE_ADMIN, "", 0, text, &f->err), FG_ERR_FORBIDDEN, f->path);
    for (size_t i = 0; i < sizeof text; i++)
        assert_int_equal(text[i], 0);
    fg_store_close(reader);
}

static void key_has_one_form(void **state)
{
    (void)state;
    static const char good[] = "fg_0123456789abcdef_ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklm0-_z";
    char id[17], text[sizeof good + 2];
    assert_int_equal(strlen(good), 63);
    assert_true(fg_access_key_parse(good, id));
    assert_string_equal(id, "0123456789abcdef");
    assert_false(fg_access_key_parse(NULL, id));
    assert_false(fg_access_key_parse("", id));
    /* Any one character that is wrong, missing or too many. */
    for (size_t i = 0; i < strlen(good); i++) {
        memcpy(text, good, sizeof good);
        text[i] = '!';
        assert_false(fg_access_key_parse(text, id));
        assert_string_equal(id, "");
        text[i] = 0;
        assert_false(fg_access_key_parse(text, id));
    }
    snprintf(text, sizeof text, "%sx", good);
    assert_false(fg_access_key_parse(text, id));
    memcpy(text, good, sizeof good);
    text[3] = 'A'; /* hex digits are lower-case */
    assert_false(fg_access_key_parse(text, id));
}

/* -- checks -- */

static fg_code check(fixture *f, const char *text, fg_scope needed, int64_t now_ms, char *id)
{
    return fg_access_check(f->store, text, NULL, needed, now_ms, id, &f->err);
}

static void key_opens_what_its_scope_says(void **state)
{
    fixture *f = *state;
    static const fg_scope all[] = {FG_SCOPE_VERIFY, FG_SCOPE_ENROLL, FG_SCOPE_AUDIT, FG_SCOPE_ADMIN};
    for (size_t i = 0; i < 4; i++) {
        char text[FG_KEY_TEXT], id[17];
        ok(fg_access_key_create(f->store, all[i], "", 0, text, &f->err));
        for (size_t k = 0; k < 4; k++) {
            memset(id, 'x', sizeof id);
            if (i == k || all[i] == FG_SCOPE_ADMIN)
                ok(check(f, text, all[k], 1000, id));
            else
                fails(check(f, text, all[k], 1000, id), FG_ERR_FORBIDDEN, fg_scope_name(all[k]));
            assert_memory_equal(id, text + 3, 16);
        }
        ok(check(f, text, all[i], 1000, NULL));
    }
}

static void wrong_keys_are_all_told_the_same(void **state)
{
    fixture *f = *state;
    char text[FG_KEY_TEXT], revoked[FG_KEY_TEXT], expired[FG_KEY_TEXT], id[17], first[sizeof f->err.msg];
    ok(fg_access_key_create(f->store, FG_SCOPE_VERIFY, "", 0, text, &f->err));
    ok(fg_access_key_create(f->store, FG_SCOPE_VERIFY, "", 0, revoked, &f->err));
    ok(fg_access_key_create(f->store, FG_SCOPE_VERIFY, "", INT64_MAX / 2, expired, &f->err));
    assert_true(fg_access_key_parse(revoked, id));
    ok(fg_store_key_revoke(f->store, id, 5, &f->err));
    ok(check(f, expired, FG_SCOPE_VERIFY, INT64_MAX / 2 - 1, id));

    fails(check(f, revoked, FG_SCOPE_VERIFY, 1000, id), FG_ERR_UNAUTHORIZED, "not valid");
    assert_string_equal(id, "");
    memcpy(first, f->err.msg, sizeof first);
    fails(check(f, expired, FG_SCOPE_VERIFY, INT64_MAX / 2, id), FG_ERR_UNAUTHORIZED, first);
    text[62] = text[62] == 'A' ? 'B' : 'A';
    fails(check(f, text, FG_SCOPE_VERIFY, 1000, id), FG_ERR_UNAUTHORIZED, first);
    text[4] = text[4] == 'a' ? 'b' : 'a';
    fails(check(f, text, FG_SCOPE_VERIFY, 1000, id), FG_ERR_UNAUTHORIZED, first);
    fails(check(f, "letmein", FG_SCOPE_VERIFY, 1000, id), FG_ERR_UNAUTHORIZED, first);
    fails(check(f, "' OR 1=1 --", FG_SCOPE_VERIFY, 1000, id), FG_ERR_UNAUTHORIZED, first);
    fails(check(f, NULL, FG_SCOPE_VERIFY, 1000, id), FG_ERR_UNAUTHORIZED, "x-api-key");
    fails(check(f, "", FG_SCOPE_VERIFY, 1000, id), FG_ERR_UNAUTHORIZED, "x-api-key");
}

static void preset_is_an_admin_key(void **state)
{
    fixture *f = *state;
    char id[17];
    ok(fg_access_check(f->store, "swordfish", "swordfish", FG_SCOPE_ADMIN, 1, id, &f->err));
    assert_string_equal(id, "preset");
    ok(fg_access_check(f->store, "swordfish", "swordfish", FG_SCOPE_AUDIT, 1, NULL, &f->err));
    fails(fg_access_check(f->store, "swordfis", "swordfish", FG_SCOPE_VERIFY, 1, id, &f->err),
          FG_ERR_UNAUTHORIZED, "not valid");
    fails(fg_access_check(f->store, "swordfish1", "swordfish", FG_SCOPE_VERIFY, 1, id, &f->err),
          FG_ERR_UNAUTHORIZED, "not valid");
    /* An empty preset must not make an empty key good. */
    fails(fg_access_check(f->store, "", "", FG_SCOPE_VERIFY, 1, id, &f->err), FG_ERR_UNAUTHORIZED, "needed");
    fails(fg_access_check(f->store, "x", "", FG_SCOPE_VERIFY, 1, id, &f->err), FG_ERR_UNAUTHORIZED,
          "not valid");
}

static int64_t used_ms(fixture *f, const char *id)
{
    fg_key key = {0};
    ok(fg_store_key_by_id(f->store, id, &key, &f->err));
    int64_t used = key.used_ms;
    fg_key_deinit(&key);
    return used;
}

static void use_is_noted_to_the_minute(void **state)
{
    fixture *f = *state;
    char text[FG_KEY_TEXT], id[17];
    fg_store *reader = NULL;
    ok(fg_access_key_create(f->store, FG_SCOPE_VERIFY, "", 0, text, &f->err));
    ok(check(f, text, FG_SCOPE_VERIFY, 100000, id));
    assert_int_equal(used_ms(f, id), 100000);
    ok(check(f, text, FG_SCOPE_VERIFY, 159999, id));
    assert_int_equal(used_ms(f, id), 100000);
    ok(check(f, text, FG_SCOPE_VERIFY, 160000, id));
    assert_int_equal(used_ms(f, id), 160000);
    /* A store that cannot be written to still lets its owner in. */
    ok(fg_store_open(&reader, f->path, true, &f->err));
    ok(fg_access_check(reader, text, NULL, FG_SCOPE_VERIFY, 900000, id, &f->err));
    fg_store_close(reader);
    assert_int_equal(used_ms(f, id), 160000);
}

/* -- limiter -- */

static const fg_limiter_options strict = {.per_second = 2,
                                          .burst = 3,
                                          .lock_after = 3,
                                          .lock_ms = 1000,
                                          .lock_max_ms = 5000,
                                          .forgive_ms = 1000,
                                          .names = 64};

static void bucket_gives_a_burst_and_then_a_rate(void **state)
{
    fixture *f = *state;
    fg_limiter *l = NULL;
    double retry_ms = -1;
    ok(fg_limiter_new(&l, &strict, &f->err));
    for (int i = 0; i < 3; i++)
        ok(fg_limiter_ask(l, "a", 1000, &retry_ms, &f->err));
    assert_true(retry_ms == 0);
    fails(fg_limiter_ask(l, "a", 1000, &retry_ms, &f->err), FG_ERR_BUSY,
          "too many requests; try again in 1 s");
    assert_true(retry_ms == 500);
    fails(fg_limiter_ask(l, "a", 1250, &retry_ms, &f->err), FG_ERR_BUSY, "requests");
    assert_true(retry_ms == 250);
    ok(fg_limiter_ask(l, "b", 1250, NULL, &f->err)); /* others are not held up */
    ok(fg_limiter_ask(l, "a", 1500, NULL, &f->err));
    assert_int_equal(fg_limiter_ask(l, "a", 1500, NULL, NULL), FG_ERR_BUSY);
    /* Idleness fills the bucket, but not beyond the burst; a clock that goes back does no harm. */
    for (int i = 0; i < 3; i++)
        ok(fg_limiter_ask(l, "a", 1e9, NULL, &f->err));
    assert_int_equal(fg_limiter_ask(l, "a", 1e9, NULL, NULL), FG_ERR_BUSY);
    assert_int_equal(fg_limiter_ask(l, "a", 5, NULL, NULL), FG_ERR_BUSY);
    fg_limiter_free(l);
    fg_limiter_free(NULL);
}

static void long_run_rate_is_what_it_says(void **state)
{
    fixture *f = *state;
    fg_limiter *l = NULL;
    int passed = 0;
    ok(fg_limiter_new(&l, &strict, &f->err));
    for (int ms = 0; ms < 100000; ms += 10)
        passed += fg_limiter_ask(l, "a", ms, NULL, NULL) == FG_OK;
    assert_in_range(passed, 200, 203); /* 2 a second for 100 s, and the burst */
    fg_limiter_free(l);
}

static void wrong_keys_lock_out_for_longer_and_longer(void **state)
{
    fixture *f = *state;
    fg_limiter *l = NULL;
    double retry_ms = 0;
    ok(fg_limiter_new(&l, &strict, &f->err));
    fg_limiter_wrong(l, "a", 0);
    fg_limiter_wrong(l, "a", 0);
    ok(fg_limiter_ask(l, "a", 0, NULL, &f->err));
    static const double locks[] = {1000, 2000, 4000, 5000, 5000};
    double now = 0;
    for (int i = 0; i < 5; i++) {
        fg_limiter_wrong(l, "a", now);
        fails(fg_limiter_ask(l, "a", now, &retry_ms, &f->err), FG_ERR_BUSY, "wrong keys");
        assert_true(retry_ms == locks[i]);
        fails(fg_limiter_ask(l, "a", now + locks[i] - 1, &retry_ms, &f->err), FG_ERR_BUSY, "in 1 s");
        now += locks[i];
        ok(fg_limiter_ask(l, "a", now, NULL, &f->err));
    }
    ok(fg_limiter_ask(l, "b", now, NULL, &f->err));
    fg_limiter_right(l, "a", true, now);
    fg_limiter_wrong(l, "a", now);
    fg_limiter_wrong(l, "a", now);
    ok(fg_limiter_ask(l, "a", now + 1000, NULL, &f->err));
    /* So does time. */
    fg_limiter_wrong(l, "a", now + 1000 + 5001);
    ok(fg_limiter_ask(l, "a", now + 1000 + 5001, NULL, &f->err));
    fg_limiter_free(l);
}

static void a_key_of_few_rights_does_not_pay_for_guesses(void **state)
{
    fixture *f = *state;
    fg_limiter *l = NULL;
    int guesses = 0, locks = 0;
    ok(fg_limiter_new(&l, &strict, &f->err));
    for (int now = 0; now < 60000; now += 100) { /* the door's own key before each guess */
        if (fg_limiter_ask(l, "nat", now, NULL, NULL) == FG_OK) {
            fg_limiter_right(l, "nat", false, now);
            fg_limiter_wrong(l, "nat", now);
            guesses++;
        } else {
            locks++;
        }
    }
    assert_in_range(guesses, 10, 63); /* one a second, and those before the first lock */
    assert_true(locks > 0);
    /* One mistake now and then locks nobody out. */
    for (int now = 100000; now < 200000; now += 1500) {
        ok(fg_limiter_ask(l, "office", now, NULL, &f->err));
        fg_limiter_wrong(l, "office", now);
        fg_limiter_right(l, "office", false, now + 100);
    }
    fg_limiter_free(l);
}

static void table_is_bounded_and_keeps_the_locked_out(void **state)
{
    fixture *f = *state;
    fg_limiter *l = NULL;
    int still = 0;
    ok(fg_limiter_new(&l, &strict, &f->err));
    for (int i = 0; i < 3; i++)
        fg_limiter_wrong(l, "attacker", 0);
    for (int i = 0; i < 10000; i++) {
        char name[32];
        snprintf(name, sizeof name, "10.0.%d.%d", i / 256, i % 256);
        ok(fg_limiter_ask(l, name, 1, NULL, &f->err));
        still += fg_limiter_ask(l, "attacker", 1, NULL, NULL) == FG_ERR_BUSY;
    }
    assert_int_equal(still, 10000);
    fg_limiter_free(l);
    /* More attackers than slots: somebody is forgotten, nothing breaks. */
    fg_limiter_options tiny = strict;
    tiny.names = 1;
    ok(fg_limiter_new(&l, &tiny, &f->err));
    for (int i = 0; i < 1000; i++) {
        char name[32];
        snprintf(name, sizeof name, "n%d", i % 20);
        fg_limiter_wrong(l, name, i);
    }
    ok(fg_limiter_ask(l, "new", 1000, NULL, &f->err));
    fg_limiter_free(l);
}

static void limits_that_make_no_sense_are_refused(void **state)
{
    fixture *f = *state;
    fg_limiter *l = NULL;
    for (int i = 0; i < 9; i++) {
        fg_limiter_options o = strict;
        switch (i) {
        case 0:
            o.per_second = 0;
            break;
        case 1:
            o.per_second = -1;
            break;
        case 2:
            o.burst = 0.5;
            break;
        case 3:
            o.lock_after = 0;
            break;
        case 4:
            o.lock_ms = 0;
            break;
        case 5:
            o.lock_max_ms = o.lock_ms - 1;
            break;
        case 6:
            o.names = 0;
            break;
        case 7:
            o.names = (1 << 20) + 1;
            break;
        default:
            o.per_second = 0.0 / 0.0;
            break;
        }
        fails(fg_limiter_new(&l, &o, &f->err), FG_ERR_USAGE, "limits");
        assert_null(l);
    }
    ok(fg_limiter_new(&l, NULL, &f->err));
    ok(fg_limiter_ask(l, "", 0, NULL, &f->err));
    fg_limiter_free(l);
}

static void *ask_often(void *argument)
{
    fg_limiter *l = argument;
    uintptr_t passed = 0;
    for (int i = 0; i < 5000; i++) {
        passed += fg_limiter_ask(l, "shared", 0, NULL, NULL) == FG_OK;
        fg_limiter_right(l, "shared", true, 0);
    }
    return (void *)passed; /* NOLINT: a number through pthread_join */
}

static void threads_share_one_limiter(void **state)
{
    fixture *f = *state;
    fg_limiter *l = NULL;
    pthread_t threads[4];
    uintptr_t passed = 0;
    fg_limiter_options o = strict;
    o.burst = 100;
    ok(fg_limiter_new(&l, &o, &f->err));
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, ask_often, l), 0);
    for (int i = 0; i < 4; i++) {
        void *mine = NULL;
        pthread_join(threads[i], &mine);
        passed += (uintptr_t)mine;
    }
    assert_int_equal(passed, 100); /* not one token twice */
    fg_limiter_free(l);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(scopes_have_names),
        TEST(key_is_shown_once_and_stored_as_a_hash),
        TEST(key_that_cannot_be_stored_is_not_shown),
        TEST(key_has_one_form),
        TEST(key_opens_what_its_scope_says),
        TEST(wrong_keys_are_all_told_the_same),
        TEST(preset_is_an_admin_key),
        TEST(use_is_noted_to_the_minute),
        TEST(bucket_gives_a_burst_and_then_a_rate),
        TEST(long_run_rate_is_what_it_says),
        TEST(wrong_keys_lock_out_for_longer_and_longer),
        TEST(a_key_of_few_rights_does_not_pay_for_guesses),
        TEST(table_is_bounded_and_keeps_the_locked_out),
        TEST(limits_that_make_no_sense_are_refused),
        TEST(threads_share_one_limiter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
