#include "base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void name_is_trimmed(void **state)
{
    (void)state;
    char out[FG_MAX_NAME_BYTES + 1];
    fg_error err = {0};
    assert_int_equal(fg_text_name(out, "name", " \t Jo\xc3\xa3o  Silva \r\n", &err), FG_OK);
    assert_string_equal(out, "Jo\xc3\xa3o  Silva");
    assert_int_equal(fg_text_name(out, "name", "\xf0\x9f\x99\x82", &err), FG_OK);
    assert_int_equal(fg_text_name(out, "name", "\xef\xbf\xbd", &err), FG_OK);
}

static void name_that_is_no_name_is_refused(void **state)
{
    (void)state;
    static const char turned[] = {'a',    '\xe2', '\x80',
                                  '\xae', 'b',    0}; /* as a literal it would turn this line */
    static const struct {
        const char *text;
        fg_code code;
        const char *says;
    } bad[] = {
        {NULL, FG_ERR_USAGE, "missing"},
        {"", FG_ERR_USAGE, "empty"},
        {" \n ", FG_ERR_USAGE, "empty"},
        {"a\nb", FG_ERR_USAGE, "U+000A"},
        {"a\x7f", FG_ERR_USAGE, "U+007F"},
        {"a\xc2\x85", FG_ERR_USAGE, "U+0085"},
        {turned, FG_ERR_USAGE, "U+202E"},
        {"a\xd8\x9c", FG_ERR_USAGE, "U+061C"},
        {"a\xef\xbb\xbf", FG_ERR_USAGE, "U+FEFF"},
        {"\xff", FG_ERR_USAGE, "UTF-8"},
        {"\xc3", FG_ERR_USAGE, "UTF-8"},             /* cut off */
        {"\xc3(", FG_ERR_USAGE, "UTF-8"},            /* no continuation */
        {"\xc0\xaf", FG_ERR_USAGE, "UTF-8"},         /* overlong */
        {"\xe0\x80\xaf", FG_ERR_USAGE, "UTF-8"},     /* overlong */
        {"\xf0\x80\x80\xaf", FG_ERR_USAGE, "UTF-8"}, /* overlong */
        {"\xed\xa0\x80", FG_ERR_USAGE, "UTF-8"},     /* surrogate */
        {"\xf4\x90\x80\x80", FG_ERR_USAGE, "UTF-8"}, /* beyond Unicode */
        {"\x80", FG_ERR_USAGE, "UTF-8"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char out[FG_MAX_NAME_BYTES + 1] = "x";
        fg_error err = {0};
        assert_int_equal(fg_text_name(out, "role", bad[i].text, &err), bad[i].code);
        assert_string_equal(out, "");
        assert_non_null(strstr(err.msg, "role"));
        assert_non_null(strstr(err.msg, bad[i].says));
    }
}

static void name_has_a_longest_length(void **state)
{
    (void)state;
    char text[FG_MAX_NAME_BYTES + 2], out[FG_MAX_NAME_BYTES + 1];
    memset(text, 'a', sizeof text);
    text[FG_MAX_NAME_BYTES] = 0;
    assert_int_equal(fg_text_name(out, "name", text, NULL), FG_OK);
    assert_int_equal(strlen(out), FG_MAX_NAME_BYTES);
    text[FG_MAX_NAME_BYTES] = 'a';
    text[FG_MAX_NAME_BYTES + 1] = 0;
    assert_int_equal(fg_text_name(out, "name", text, NULL), FG_ERR_LIMIT);
}

static void clean_makes_anything_presentable(void **state)
{
    (void)state;
    char out[32], small[4];
    fg_text_clean(out, sizeof out, "a\nb\xff\xc3\xa9\xe2\x80\xa8z");
    assert_string_equal(out, "a?b?\xc3\xa9?z");
    fg_text_clean(out, sizeof out, NULL);
    assert_string_equal(out, "");
    fg_text_clean(small, sizeof small, "ab\xc3\xa9"); /* the last character does not fit */
    assert_string_equal(small, "ab");
    fg_text_clean(small, sizeof small, "a\xc3\xa9zz");
    assert_string_equal(small, "a\xc3\xa9");
    fg_text_clean(small, 1, "abc");
    assert_string_equal(small, "");
    snprintf(out, sizeof out, "\xc2\x85\xe2\x82\xac\xf0\x9f\x99\x82z"); /* what follows moves by one */
    fg_text_clean(out, sizeof out, out);
    assert_string_equal(out, "?\xe2\x82\xac\xf0\x9f\x99\x82z");
}

static void key_cannot_leave_its_folder(void **state)
{
    (void)state;
    static const char *const good[] = {
        "a", "members/01ab/chips/000120.png", "a.b", "a..b", ".a", "...", "-_", "0/1"};
    static const char *const bad[] = {"",     "/",    "/a",  "a/",        "a//b",   ".",    "..",
                                      "../a", "a/..", "a/.", "./a",       "a/../b", "A",    "a b",
                                      "a\\b", "a\n",  "~a",  "a\xc3\xa9", "a:b",    "a%2f", "a*"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        char prefix[64];
        assert_true(fg_text_is_key(good[i]));
        assert_false(fg_text_is_prefix(good[i]));
        snprintf(prefix, sizeof prefix, "%s/", good[i]);
        assert_true(fg_text_is_prefix(prefix));
        assert_false(fg_text_is_key(prefix));
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char prefix[64];
        assert_false(fg_text_is_key(bad[i]));
        snprintf(prefix, sizeof prefix, "%s/", bad[i]);
        assert_false(fg_text_is_prefix(prefix));
    }
    assert_false(fg_text_is_key(NULL));
    assert_false(fg_text_is_prefix(NULL));
}

static void key_has_a_longest_length(void **state)
{
    (void)state;
    char text[FG_MAX_KEY_BYTES + 3];
    memset(text, 'a', sizeof text);
    text[FG_MAX_KEY_BYTES] = 0;
    assert_true(fg_text_is_key(text));
    text[FG_MAX_KEY_BYTES] = '/';
    text[FG_MAX_KEY_BYTES + 1] = 0;
    assert_true(fg_text_is_prefix(text));
    text[FG_MAX_KEY_BYTES] = 'a';
    assert_false(fg_text_is_key(text));
    text[FG_MAX_KEY_BYTES + 1] = '/';
    text[FG_MAX_KEY_BYTES + 2] = 0;
    assert_false(fg_text_is_prefix(text));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(name_is_trimmed),
        cmocka_unit_test(name_that_is_no_name_is_refused),
        cmocka_unit_test(name_has_a_longest_length),
        cmocka_unit_test(clean_makes_anything_presentable),
        cmocka_unit_test(key_cannot_leave_its_folder),
        cmocka_unit_test(key_has_a_longest_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
