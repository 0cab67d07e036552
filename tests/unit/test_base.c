#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/frame.h"
#include "base/half.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/settings.h"

#include <math.h>
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

static void error_has_code_text_and_status(void **state)
{
    (void)state;
    fg_error err = {0};
    assert_int_equal(FG_FAIL(&err, FG_ERR_LIMIT, "%s: %d", "x", 5), FG_ERR_LIMIT);
    assert_int_equal(err.code, FG_ERR_LIMIT);
    assert_string_equal(err.msg, "x: 5");
    assert_string_equal(err.where, __func__);
    assert_int_equal(FG_FAIL(NULL, FG_ERR_IO, "no error wanted"), FG_ERR_IO);
    for (int c = 0; c < FG_CODE_COUNT; c++) {
        assert_non_null(fg_code_name((fg_code)c));
        assert_true(c == FG_OK ? fg_code_exit_status((fg_code)c) == 0 : fg_code_exit_status((fg_code)c) > 0);
        assert_true(c == FG_OK ? fg_code_http_status((fg_code)c) == 200
                               : fg_code_http_status((fg_code)c) >= 400);
    }
    assert_int_equal(fg_code_exit_status(FG_ERR_USAGE), 2);
    assert_string_equal(fg_code_name((fg_code)999), "internal");
}

static void error_prefix_keeps_code_and_never_overflows(void **state)
{
    (void)state;
    fg_error err;
    char longer[1000];
    memset(longer, 'a', sizeof longer);
    longer[sizeof longer - 1] = 0;
    (void)FG_FAIL(&err, FG_ERR_INPUT, "%s", longer);
    assert_int_equal(fg_error_prefix(&err, FG_ERR_INPUT, "file.png"), FG_ERR_INPUT);
    assert_memory_equal(err.msg, "file.png: aaa", 13);
    assert_true(strlen(err.msg) < sizeof err.msg);
}

static void a_path_in_an_error_becomes_a_name(void **state)
{
    fg_error err;
    char path[300], *longer = path + 1;
    (void)state;
    memset(path, 'a', sizeof path - 1);
    path[0] = '/';
    path[sizeof path - 1] = 0;
    fg_fail(&err, FG_ERR_INPUT, "f", "/tmp/x: not a photo");
    fg_error_rename(&err, "/tmp/x", "me.jpg");
    assert_string_equal(err.msg, "me.jpg: not a photo");
    fg_error_rename(&err, "/tmp/x", "else.jpg");
    fg_error_rename(&err, "", "else.jpg");
    assert_string_equal(err.msg, "me.jpg: not a photo");
    fg_error_prefix(&err, FG_ERR_INPUT, path); /* which cuts it */
    fg_error_rename(&err, path, "me");
    assert_string_equal(err.msg, "me: me.jpg: not a photo");
    fg_error_rename(&err, "me.jpg", longer);
    assert_true(strlen(err.msg) < sizeof err.msg);
}

static void buf_stops_at_its_cap(void **state)
{
    (void)state;
    fg_buf buf;
    fg_error err;
    fg_buf_init(&buf, 10);
    assert_int_equal(fg_buf_append(&buf, "01234", 5, &err), FG_OK);
    assert_int_equal(fg_buf_printf(&buf, &err, "%s", "56789"), FG_OK);
    assert_string_equal((char *)buf.data, "0123456789");
    assert_int_equal(fg_buf_append(&buf, "x", 1, &err), FG_ERR_LIMIT);
    assert_int_equal(fg_buf_append(&buf, "x", SIZE_MAX, &err), FG_ERR_LIMIT);
    assert_int_equal(buf.size, 10);
    fg_buf_clear(&buf);
    assert_int_equal(buf.size, 0);
    assert_string_equal((char *)buf.data, "");
    fg_buf_deinit(&buf);
}

static void frame_refuses_what_is_too_large(void **state)
{
    (void)state;
    fg_frame frame, copy;
    fg_error err;
    assert_int_equal(fg_frame_init(&frame, 0, 5, &err), FG_ERR_INPUT);
    assert_int_equal(fg_frame_init(&frame, 60000, 60000, &err), FG_ERR_LIMIT);
    assert_null(frame.rgb);
    assert_int_equal(fg_frame_init(&frame, 3, 2, &err), FG_OK);
    memset(frame.rgb, 7, frame.stride * 2);
    frame.index = 9;
    assert_int_equal(fg_frame_dup(&copy, &frame, &err), FG_OK);
    assert_memory_equal(copy.rgb, frame.rgb, 18);
    assert_int_equal(copy.index, 9);
    fg_frame_deinit(&frame);
    fg_frame_deinit(&copy);
}

static void file_round_trip_is_atomic_and_private(void **state)
{
    (void)state;
    char dir[] = "/tmp/fg-base-XXXXXX", path[200], hex[FG_SHA256_HEX];
    fg_error err;
    fg_buf buf;
    struct stat st;
    uint64_t size;
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/a/b", dir);
    assert_int_equal(fg_dir_create(path, &err), FG_OK);
    assert_int_equal(fg_dir_create(path, &err), FG_OK);
    snprintf(path, sizeof path, "%s/a/b/file", dir);
    assert_int_equal(fg_file_write_atomic(path, "abc", 3, &err), FG_OK);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(fg_file_sha256(path, hex, &size, &err), FG_OK);
    /* FIPS 180-4's own example */
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_int_equal(size, 3);
    fg_buf_init(&buf, 100);
    assert_int_equal(fg_file_read(path, &buf, &err), FG_OK);
    assert_string_equal((char *)buf.data, "abc");
    fg_buf_deinit(&buf);
    fg_buf_init(&buf, 2);
    assert_int_equal(fg_file_read(path, &buf, &err), FG_ERR_LIMIT);
    assert_non_null(strstr(err.msg, path));
    fg_buf_deinit(&buf);
    fg_buf_init(&buf, 2);
    assert_int_equal(fg_file_read(dir, &buf, &err), FG_ERR_INPUT);
    assert_int_equal(fg_file_read("/no/such/file", &buf, &err), FG_ERR_NOT_FOUND);
    assert_non_null(strstr(err.msg, "/no/such/file"));
    assert_int_equal(fg_file_write_atomic("/no/such/file", "x", 1, &err), FG_ERR_NOT_FOUND);
    assert_int_equal(fg_dir_create(path, &err), FG_ERR_EXISTS);
    unlink(path);
    snprintf(path, sizeof path, "rm -r %s", dir);
    assert_int_equal(system(path), 0);
}

static void clock_writes_rfc3339(void **state)
{
    (void)state;
    char text[FG_TIME_TEXT];
    fg_clock_text(1700000000123, text);
    assert_string_equal(text, "2023-11-14T22:13:20.123Z");
    fg_clock_text(0, text);
    assert_string_equal(text, "1970-01-01T00:00:00.000Z");
}

static void settings_come_from_flag_then_variable_then_default(void **state)
{
    (void)state;
    fg_settings s;
    fg_error err;
    unsetenv("FACEGATE_EVERY");
    assert_int_equal(fg_settings_init(&s, &err), FG_OK);
    assert_int_equal(s.every, 5);
    assert_string_equal(s.data, "facegate-data");
    setenv("FACEGATE_EVERY", "7", 1);
    assert_int_equal(fg_settings_init(&s, &err), FG_OK);
    assert_int_equal(s.every, 7);
    assert_int_equal(fg_settings_set(&s, "every", "9", &err), FG_OK);
    assert_int_equal(s.every, 9);
    setenv("FACEGATE_EVERY", "0", 1);
    assert_int_equal(fg_settings_init(&s, &err), FG_ERR_USAGE);
    assert_non_null(strstr(err.msg, "FACEGATE_EVERY"));
    unsetenv("FACEGATE_EVERY");
}

static void settings_refuse_nonsense(void **state)
{
    (void)state;
    fg_settings s;
    fg_error err;
    static const struct {
        const char *name, *text;
    } bad[] = {
        {"every", "0"},   {"every", "-1"},      {"every", "1.5"},    {"every", "5x"},
        {"every", ""},    {"every", NULL},      {"c", "nan"},        {"c", "inf"},
        {"far", "0.9"},   {"precision", "f16"}, {"precision", "f3"}, {"precision", ""},
        {"rotate", "45"}, {"rotate", "auto|0"}, {"nothing", "1"},    {"json", "yes"},
    };
    assert_int_equal(fg_settings_init(&s, &err), FG_OK);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(fg_settings_set(&s, bad[i].name, bad[i].text, &err), FG_ERR_USAGE);
    for (int i = 0; i < FG_SETTING_LIST_MAX; i++)
        assert_int_equal(fg_settings_set(&s, "right", "door", &err), FG_OK);
    assert_int_equal(fg_settings_set(&s, "right", "door", &err), FG_ERR_USAGE);
}

static void settings_table_is_sound(void **state)
{
    (void)state;
    for (size_t i = 0; i < fg_setting_count; i++) {
        const fg_setting *s = &fg_setting_table[i];
        assert_ptr_equal(fg_setting_find(s->name), s); /* no name twice */
        assert_true(s->offset < sizeof(fg_settings));
        assert_true(s->kind == FG_SETTING_SWITCH || s->values);
        assert_non_null(s->help);
    }
}

static char logged[2000];

static void keep(void *context, fg_log_level level, const char *line)
{
    (void)context;
    (void)level;
    snprintf(logged, sizeof logged, "%s", line);
}

static void log_cannot_be_made_to_forge_a_line(void **state)
{
    (void)state;
    fg_log log = {.level = FG_LOG_INFO, .write = keep};
    fg_log_write(&log, FG_LOG_INFO, "name %s", "a\nERROR b");
    assert_string_equal(logged, "name a?ERROR b");
    fg_log_write(&log, FG_LOG_INFO,
                 "\x1b[2J \xc2\x9b"
                 "2J \x7f \xff caf\xc3\xa9");
    assert_string_equal(logged, "?[2J ?2J ? ? caf\xc3\xa9");
    fg_log_write(&log, FG_LOG_DEBUG, "not written");
    assert_string_equal(logged, "?[2J ?2J ? ? caf\xc3\xa9");
    fg_log_write(NULL, FG_LOG_ERROR, "nobody listens");
    const fg_log_field fields[] = {{"id", "7\n8", 0}, {"ms", NULL, 1.5}};
    fg_log_fields(&log, FG_LOG_INFO, "request", fields, 2);
    assert_string_equal(logged, "request id=7?8 ms=1.5");
}

static void clock_reads_rfc3339(void **state)
{
    static const struct {
        const char *text;
        int64_t ms;
    } good[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"1970-01-01", 0},
        {"2026-01-31T12:34:56.789Z", 1769862896789},
        {"2026-01-31T13:34:56.7891234+01:00", 1769862896789},
        {"2026-01-31t11:04:56.789-01:30", 1769862896789},
        {"2024-02-29", 1709164800000},
        {"2000-02-29T00:00:00z", 951782400000},
        {"1969-12-31T23:59:59Z", -1000},
        {"9999-12-31T23:59:60Z", 253402300800000},
    };
    static const char *const bad[] = {
        "",
        "2026",
        "2026-13-01",
        "2026-00-01",
        "2026-02-30",
        "2023-02-29",
        "1900-02-29",
        "2026-01-01T",
        "2026-1-1",
        "2026-01-01 ",
        "2026-01-01T24:00:00Z",
        "2026-01-01T00:60:00Z",
        "yesterday",
        "2026-01-01T00:00:00",
        "2026-01-01T00:00:00.Z",
        "2026-01-01T00:00:00+1:00",
        "2026-01-01T00:00:00Zx",
        "2026-01-01T00:00:00+24:00",
        "2026-01-01T00:00:00+01:00x",
    };
    int64_t ms;
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_true(fg_clock_parse(good[i].text, &ms));
        assert_true(ms == good[i].ms);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(fg_clock_parse(bad[i], &ms));
}

static void half_is_what_ieee_754_says(void **state)
{
    (void)state;
    for (unsigned half = 0; half < 65536; half++) {
        int exponent = half >> 10 & 31;
        int fraction = half & 1023;
        float x = fg_half_to_float((uint16_t)half);
        double size = exponent == 31 ? (double)INFINITY
                      : exponent     ? ldexp(1024 + fraction, exponent - 25)
                                     : ldexp(fraction, -24);
        if (exponent == 31 && fraction)
            assert_true(isnan(x));
        else
            assert_true((double)x == (half >> 15 ? -size : size));
        assert_int_equal(signbit(x) != 0, half >> 15);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(error_has_code_text_and_status),
        cmocka_unit_test(error_prefix_keeps_code_and_never_overflows),
        cmocka_unit_test(a_path_in_an_error_becomes_a_name),
        cmocka_unit_test(buf_stops_at_its_cap),
        cmocka_unit_test(frame_refuses_what_is_too_large),
        cmocka_unit_test(file_round_trip_is_atomic_and_private),
        cmocka_unit_test(clock_writes_rfc3339),
        cmocka_unit_test(settings_come_from_flag_then_variable_then_default),
        cmocka_unit_test(settings_refuse_nonsense),
        cmocka_unit_test(settings_table_is_sound),
        cmocka_unit_test(clock_reads_rfc3339),
        cmocka_unit_test(half_is_what_ieee_754_says),
        cmocka_unit_test(log_cannot_be_made_to_forge_a_line),
    };
    return cmocka_run_group_tests_name("base", tests, NULL, NULL);
}
