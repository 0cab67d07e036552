/* The dataset in its two forms, against numpy itself. */
#include "classify/dataset.h"
#include "classify/npy.h"

#include <dirent.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "support/folder.h"
#include "support/shared.h"

enum { ROWS = 5, SIZE = 8 };
static const char *const expected_labels[ROWS] = {"Ada", "Ada", "Zo\xc3\xab \xf0\x9f\x98\x80", "Bruno",
                                                  "Ada"};

static char folder[FOLDER_PATH];

static float expected(int i, int j)
{
    return (float)((i * 31 + j * 7) % 64 - 32) / 64;
}

/* The output of the helper, "" where there is no numpy. */
static void helper(const char *what, const char *path, char *out, size_t out_size)
{
    char command[1024];
    out[0] = 0;
    snprintf(command, sizeof command, "/usr/bin/python3 -B '%s/tests/support/datasets.py' %s '%s' 2>&1",
             getenv("FACEGATE_SOURCE"), what, path);
    FILE *p = popen(command, "r");
    assert_non_null(p);
    size_t n = fread(out, 1, out_size - 1, p);
    out[n] = 0;
    if (pclose(p) != 0)
        fail_msg("%s: %s", command, out);
}

static bool has_numpy(void)
{
    return system("/usr/bin/python3 -c 'import numpy' 2>/dev/null") == 0;
}

#define NEED_NUMPY()                                                                                         \
    do {                                                                                                     \
        if (!has_numpy()) {                                                                                  \
            print_message("skipped: /usr/bin/python3 has no numpy\n");                                       \
            skip();                                                                                          \
        }                                                                                                    \
    } while (0)

static int set_up(void **state)
{
    (void)state;
    return folder_make(folder) ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    folder_remove(folder);
    return 0;
}

/* A dataset on the heap of n rows: what free would not find, the sanitizer does. */
static void fill(fg_dataset *d, long n, int size, int names)
{
    *d = (fg_dataset){.count = n, .size = size, .name_count = names};
    d->data = malloc((size_t)n * (size_t)size * sizeof(float));
    d->labels = malloc((size_t)n * sizeof(int));
    d->names = calloc((size_t)names, sizeof(char *));
    d->segments = malloc((size_t)n * sizeof(int64_t));
    assert_true(d->data && d->labels && d->names && d->segments);
    uint32_t bits = 12345;
    for (long i = 0; i < n * size; i++) { /* every kind of float, NaNs with a payload among them */
        bits = bits * 1664525 + 1013904223;
        memcpy(d->data + i, &bits, sizeof bits);
    }
    for (long i = 0; i < n; i++) {
        d->labels[i] = (int)(i < names ? i : i * 7 % names);
        d->segments[i] = i / 3 - 5;
    }
    for (int i = 0; i < names; i++) {
        char name[64];
        snprintf(name, sizeof name, "%s %d", expected_labels[i % ROWS], i);
        d->names[i] = strdup(name);
    }
    memset(d->model_hash, 'c', FG_SHA256_HEX - 1);
}

static void same(const fg_dataset *a, const fg_dataset *b, bool all)
{
    assert_int_equal(a->count, b->count);
    assert_int_equal(a->size, b->size);
    assert_memory_equal(a->data, b->data, (size_t)a->count * (size_t)a->size * sizeof(float));
    for (long i = 0; i < a->count; i++)
        assert_string_equal(a->names[a->labels[i]], b->names[b->labels[i]]);
    assert_int_equal(a->name_count, b->name_count);
    if (all) {
        assert_string_equal(a->model_hash, b->model_hash);
        assert_memory_equal(a->segments, b->segments, (size_t)a->count * sizeof(int64_t));
    } else {
        assert_null(b->segments);
        assert_string_equal(b->model_hash, "");
    }
}

static void round_trips_are_exact(void **state)
{
    (void)state;
    const struct {
        long count;
        int size, names;
    } cases[] = {{1, 2, 1}, {7, 256, 3}, {2500, 16, 300}, {1000, 1024, 1000}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        for (int f = 0; f < 2; f++) {
            fg_dataset d, back;
            fg_error err;
            char path[FOLDER_PATH + 32];
            struct stat st;
            fill(&d, cases[i].count, cases[i].size, cases[i].names);
            snprintf(path, sizeof path, "%s/round", folder);
            assert_int_equal(fg_dataset_save(&d, (fg_dataset_format)f, path, &err), FG_OK);
            assert_int_equal(stat(path, &st), 0);
            assert_int_equal(st.st_mode & 0777, 0600); /* biometric data: nobody else's */
            if (fg_dataset_load(&back, path, &err))
                fail_msg("%s", err.msg);
            same(&d, &back, f == FG_DATASET_NPZ);
            fg_dataset_deinit(&back);
            fg_buf bytes, again;
            fg_buf_init(&bytes, 1 << 26);
            fg_buf_init(&again, 1 << 26);
            assert_int_equal(fg_file_read(path, &bytes, &err), FG_OK);
            /* the same dataset gives the same bytes */
            assert_int_equal(fg_dataset_save(&d, (fg_dataset_format)f, path, &err), FG_OK);
            assert_int_equal(fg_file_read(path, &again, &err), FG_OK);
            assert_int_equal(bytes.size, again.size);
            assert_memory_equal(bytes.data, again.data, again.size);
            fg_buf_deinit(&again);
            assert_int_equal(fg_dataset_read(&back, &bytes, &err), FG_OK);
            assert_null(bytes.data);
            same(&d, &back, f == FG_DATASET_NPZ);
            fg_dataset_deinit(&back);
            fg_dataset_deinit(&d);
        }
}

static void numpy_reads_what_is_written(void **state)
{
    (void)state;
    NEED_NUMPY();
    static const char *const suffixes[] = {"npz", "pickle"};
    for (int f = 0; f < 2; f++) {
        fg_dataset d;
        fg_error err;
        char path[FOLDER_PATH + 32], said[4096], wanted[4096], hex[FG_SHA256_HEX];
        fill(&d, 4, 16, 3);
        snprintf(path, sizeof path, "%s/written.%s", folder, suffixes[f]);
        assert_int_equal(fg_dataset_save(&d, (fg_dataset_format)f, path, &err), FG_OK);
        helper("check", path, said, sizeof said);
        fg_sha256_hex(d.data, sizeof(float) * 4 * 16, hex);
        snprintf(wanted, sizeof wanted, "(4, 16) <f4 ['Ada 0', 'Ada 1', '%s 2', 'Ada 0'] %s\n",
                 expected_labels[2], hex);
        assert_string_equal(said, wanted);
        fg_dataset_deinit(&d);
    }
}

/* Calls with every file of the folder whose name begins so; returns their number. */
static int each(const char *prefix, void (*call)(const char *path))
{
    int count = 0;
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    for (struct dirent *e; (e = readdir(dir));)
        if (strncmp(e->d_name, prefix, strlen(prefix)) == 0) {
            char path[FOLDER_PATH + 260];
            snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
            call(path);
            count++;
        }
    closedir(dir);
    return count;
}

static void check_good(const char *path)
{
    fg_dataset d;
    fg_error err;
    if (fg_dataset_load(&d, path, &err))
        fail_msg("%s: %s", path, err.msg);
    assert_int_equal(d.count, ROWS);
    assert_int_equal(d.size, SIZE);
    assert_int_equal(d.name_count, 3);
    for (int i = 0; i < ROWS; i++) {
        assert_string_equal(d.names[d.labels[i]], expected_labels[i]);
        for (int j = 0; j < SIZE; j++)
            if (d.data[i * SIZE + j] != expected(i, j))
                fail_msg("%s: row %d, %d is %g", path, i, j, (double)d.data[i * SIZE + j]);
    }
    if (strstr(path, "good-compressed")) {
        assert_int_equal(d.segments[4], 4);
        assert_int_equal(strlen(d.model_hash), 64);
    }
    fg_dataset_deinit(&d);
}

static void check_bad(const char *path)
{
    fg_dataset d;
    fg_error err;
    fg_code rc = fg_dataset_load(&d, path, &err);
    if (rc != FG_ERR_INPUT && rc != FG_ERR_UNSUPPORTED && rc != FG_ERR_LIMIT)
        fail_msg("%s: %s", path, rc ? err.msg : "was taken");
    if (strncmp(err.msg, folder, strlen(folder)) != 0)
        fail_msg("%s: the message does not name it: %s", path, err.msg);
    assert_null(d.data);
    assert_null(d.names);
}

static void numpy_writes_what_is_read(void **state)
{
    (void)state;
    char said[4096], marker[FOLDER_PATH + 32];
    NEED_NUMPY();
    helper("make", folder, said, sizeof said);
    assert_string_equal(said, "");
    assert_int_equal(each("good-", check_good), 12 + 6 * 4 * 4 + 3);
    assert_true(each("bad-", check_bad) >= 30);
    snprintf(marker, sizeof marker, "%s/executed", folder);
    assert_false(fg_file_exists(marker));
}

/* Cut at every byte, and with every byte changed: an error or a sound dataset, and nothing else. */
static void damage_is_found_or_harmless(void **state)
{
    (void)state;
    for (int f = 0; f < 2; f++) {
        fg_dataset d, back;
        fg_error err;
        fg_buf whole, part;
        char path[FOLDER_PATH + 32];
        fill(&d, 3, 4, 2);
        snprintf(path, sizeof path, "%s/damaged", folder);
        fg_buf_init(&whole, 1 << 20);
        assert_int_equal(fg_dataset_save(&d, (fg_dataset_format)f, path, &err), FG_OK);
        assert_int_equal(fg_file_read(path, &whole, &err), FG_OK);
        for (size_t n = 0; n < whole.size; n++) {
            fg_buf_init(&part, 1 << 20);
            assert_int_equal(fg_buf_append(&part, whole.data, n, &err), FG_OK);
            if (fg_dataset_read(&back, &part, &err) == FG_OK)
                fail_msg("format %d cut at %zu was taken", f, n);
            fg_dataset_deinit(&back);
        }
        for (size_t n = 0; n < 2 * whole.size; n++) {
            fg_buf_init(&part, 1 << 20);
            assert_int_equal(fg_buf_append(&part, whole.data, whole.size, &err), FG_OK);
            part.data[n / 2] ^= n % 2 ? 0xff : 1;
            if (fg_dataset_read(&back, &part, &err) == FG_OK) {
                assert_true(back.count > 0 && back.size > 0);
                for (long i = 0; i < back.count; i++)
                    assert_in_range(back.labels[i], 0, back.name_count - 1);
            }
            fg_dataset_deinit(&back);
        }
        fg_buf_deinit(&whole);
        fg_dataset_deinit(&d);
    }
}

static void checks_name_the_row(void **state)
{
    (void)state;
    fg_dataset d;
    fg_error err;
    fill(&d, 4, 16, 2);
    for (int i = 0; i < 64; i++)
        d.data[i] = i % 16 == 3 ? -1 : 0;
    assert_int_equal(fg_dataset_check(&d, 16, &err), FG_OK);
    assert_int_equal(fg_dataset_check(&d, 0, &err), FG_OK);
    assert_int_equal(fg_dataset_check(&d, 128, &err), FG_ERR_INPUT);
    assert_non_null(strstr(err.msg, "16 numbers"));
    d.data[2 * 16 + 5] = NAN;
    assert_int_equal(fg_dataset_check(&d, 16, &err), FG_ERR_INPUT);
    assert_non_null(strstr(err.msg, "row 2 has a number that is not finite"));
    d.data[2 * 16 + 5] = 1;
    assert_int_equal(fg_dataset_check(&d, 16, &err), FG_ERR_INPUT);
    assert_non_null(strstr(err.msg, "row 2 is not of unit length"));
    d.data[2 * 16 + 5] = 0;
    d.names[1][0] = '\x01';
    assert_int_equal(fg_dataset_check(&d, 16, &err), FG_ERR_USAGE);
    fg_dataset_deinit(&d);
}

static void bad_paths_are_errors(void **state)
{
    (void)state;
    fg_dataset d;
    fg_error err;
    char path[FOLDER_PATH + 32];
    snprintf(path, sizeof path, "%s/nowhere/x.npz", folder);
    assert_int_equal(fg_dataset_load(&d, path, &err), FG_ERR_NOT_FOUND);
    assert_int_equal(fg_dataset_load(&d, folder, &err), FG_ERR_INPUT);
    fill(&d, 3, 4, 2);
    for (int f = 0; f < 2; f++)
        assert_int_equal(fg_dataset_save(&d, (fg_dataset_format)f, path, &err), FG_ERR_NOT_FOUND);
    fg_dataset_deinit(&d);
}

static void the_original_pickle_is_read(void **state)
{
    (void)state;
    NEED_SHARED("vectors/data.pickle");
    fg_dataset d;
    fg_error err;
    if (fg_dataset_load(&d, shared_path("vectors/data.pickle"), &err))
        fail_msg("%s", err.msg);
    assert_int_equal(d.count, 6);
    assert_int_equal(d.size, 256);
    assert_int_equal(d.name_count, 1);
    assert_string_equal(d.names[0], "Abdullah_Gul");
    assert_int_equal(fg_dataset_check(&d, 256, &err), FG_OK);
    fg_dataset_deinit(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trips_are_exact),       cmocka_unit_test(numpy_reads_what_is_written),
        cmocka_unit_test(numpy_writes_what_is_read),   cmocka_unit_test(damage_is_found_or_harmless),
        cmocka_unit_test(checks_name_the_row),         cmocka_unit_test(bad_paths_are_errors),
        cmocka_unit_test(the_original_pickle_is_read),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
