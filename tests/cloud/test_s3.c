/* The blobs in a bucket of a real S3 service: FACEGATE_TEST_S3 is s3://BUCKET/PREFIX; where it is and with
 * which keys, the usual variables say. Run by tests/cloud/s3.sh. */
#include "base/file.h"
#include "blob/blob.h"
#include "cloud/http.h"

#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/blob_text.h"
#include "support/folder.h"

typedef struct fixture {
    char folder[FOLDER_PATH], path[FOLDER_PATH + 32], copy[FOLDER_PATH + 32], url[512];
    fg_settings settings;
    fg_blob *blob;
    fg_error err;
} fixture;

#define ok(call)                                                                                             \
    do {                                                                                                     \
        if ((call) != FG_OK)                                                                                 \
            fail_msg("%s", f->err.msg);                                                                      \
    } while (0)
#define fails(call, code_, says)                                                                             \
    do {                                                                                                     \
        assert_int_equal((call), (code_));                                                                   \
        if (!strstr(f->err.msg, (says)))                                                                     \
            fail_msg("\"%s\" does not say \"%s\"", f->err.msg, (says));                                      \
    } while (0)

/* Each test has a prefix of its own, so that they do not see each other. */
static int setup(void **state)
{
    static int count;
    fixture *f = calloc(1, sizeof *f);
    if (!f || !folder_make(f->folder))
        return -1;
    snprintf(f->path, sizeof f->path, "%s/file", f->folder);
    snprintf(f->copy, sizeof f->copy, "%s/copy", f->folder);
    snprintf(f->url, sizeof f->url, "%s/%d", getenv("FACEGATE_TEST_S3"), count++);
    *state = f;
    if (fg_settings_init(&f->settings, &f->err) != FG_OK ||
        fg_blob_open_with(&f->blob, f->url, &f->settings, NULL, &f->err) != FG_OK) {
        print_message("%s\n", f->err.msg);
        return -1;
    }
    return 0;
}

static int teardown(void **state)
{
    fixture *f = *state;
    fg_blob_close(f->blob);
    folder_remove(f->folder);
    free(f);
    return 0;
}

static void put_and_get(void **state)
{
    fixture *f = *state;
    fg_buf out;
    put(f->blob, "members/a/chips/1.png", "one");
    put(f->blob, "members/a/chips/2.png", "");
    put(f->blob, "top", "t");
    expect(f->blob, "members/a/chips/1.png", "one");
    expect(f->blob, "members/a/chips/2.png", "");
    put(f->blob, "top", "over");
    expect(f->blob, "top", "over");
    put(f->blob, "a.b_c-d/1.0", "odd");
    expect(f->blob, "a.b_c-d/1.0", "odd");
    fails(fg_blob_put(f->blob, "../x", "1", 1, &f->err), FG_ERR_USAGE, "not the key");

    fg_buf_init(&out, 10);
    ok(fg_buf_append(&out, "<", 1, NULL));
    fails(fg_blob_get(f->blob, "missing", &out, &f->err), FG_ERR_NOT_FOUND,
          "/missing: there is no such object");
    ok(fg_blob_get(f->blob, "top", &out, &f->err));
    assert_string_equal((char *)out.data, "<over");
    put(f->blob, "long", "0123456789");
    fails(fg_blob_get(f->blob, "long", &out, &f->err), FG_ERR_LIMIT, "larger than 10 bytes");
    assert_string_equal((char *)out.data, "<over");
    fg_buf_deinit(&out);
}

/* Bytes that tell their place, so that a part in the wrong one is noticed. */
static void make_file(const char *path, size_t size, unsigned seed)
{
    FILE *file = fopen(path, "wb");
    uint32_t x = 2463534242u + seed;
    assert_non_null(file);
    for (size_t i = 0; i < size; i += sizeof x) {
        x ^= x << 13, x ^= x >> 17, x ^= x << 5;
        assert_int_equal(fwrite(&x, 1, size - i < sizeof x ? size - i : sizeof x, file),
                         size - i < sizeof x ? size - i : sizeof x);
    }
    assert_int_equal(fclose(file), 0);
}

static void fetch(fixture *f, const char *key)
{
    char sent[FG_SHA256_HEX], got[FG_SHA256_HEX];
    int fd = open(f->copy, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    ok(fg_blob_get_fd(f->blob, key, fd, &f->err));
    close(fd);
    ok(fg_file_sha256(f->path, sent, NULL, &f->err));
    ok(fg_file_sha256(f->copy, got, NULL, &f->err));
    assert_string_equal(sent, got);
}

static void files_of_every_size(void **state)
{
    fixture *f = *state;
    const size_t part = 8 << 20;
    const size_t sizes[] = {0, 1, 65536, part - 1, part, part + 1, 2 * part, 2 * part + 12345};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        make_file(f->path, sizes[i], (unsigned)i);
        ok(fg_blob_put_file(f->blob, "file", f->path, false, &f->err));
        fetch(f, "file");
    }
    ok(fg_blob_put_file(f->blob, "taken", f->path, true, &f->err));
    assert_int_not_equal(access(f->path, F_OK), 0);
    fails(fg_blob_put_file(f->blob, "taken", f->path, true, &f->err), FG_ERR_NOT_FOUND, f->path);
    fails(fg_blob_put_file(f->blob, "taken", f->folder, false, &f->err), FG_ERR_INPUT, "give a file");
}

static void ranges(void **state)
{
    fixture *f = *state;
    const size_t size = (8 << 20) + 1000;
    fg_buf out;
    uint8_t *all = malloc(size);
    make_file(f->path, size, 7);
    FILE *file = fopen(f->path, "rb");
    assert_true(all && file && fread(all, 1, size, file) == size);
    fclose(file);
    ok(fg_blob_put_file(f->blob, "big", f->path, false, &f->err));
    const struct {
        size_t offset, size, want;
    } cases[] = {
        {0, 1, 1}, {0, 100, 100}, {(8 << 20) - 10, 20, 20}, {size - 5, 100, 5}, {12345, 70000, 70000}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        fg_buf_init(&out, size);
        ok(fg_blob_get_range(f->blob, "big", cases[i].offset, cases[i].size, &out, &f->err));
        assert_int_equal(out.size, cases[i].want);
        assert_memory_equal(out.data, all + cases[i].offset, out.size);
        fg_buf_deinit(&out);
    }
    fg_buf_init(&out, size);
    assert_int_equal(fg_blob_get_range(f->blob, "big", size, 1, &out, &f->err), FG_ERR_LIMIT);
    assert_int_equal(fg_blob_get_range(f->blob, "big", 0, 0, &out, &f->err), FG_ERR_USAGE);
    fg_buf_deinit(&out);
    free(all);
}

typedef struct listing {
    char last[256];
    int count, stop_at;
    uint64_t bytes;
    fixture *deletes;
} listing;

static bool note(void *context, const char *key, uint64_t size)
{
    listing *l = context;
    assert_true(strcmp(l->last, key) < 0); /* in byte order, nothing twice */
    snprintf(l->last, sizeof l->last, "%s", key);
    l->bytes += size;
    if (l->deletes)
        assert_int_equal(fg_blob_delete(l->deletes->blob, key, NULL), FG_OK);
    return ++l->count != l->stop_at;
}

static int count_all(fixture *f, const char *prefix)
{
    listing l = {0};
    ok(fg_blob_list(f->blob, prefix, note, &l, &f->err));
    return l.count;
}

static void lists_and_deletes(void **state)
{
    fixture *f = *state;
    listing l = {0};
    put(f->blob, "b/2", "22");
    put(f->blob, "b/10", "1");
    put(f->blob, "a", "333");
    put(f->blob, "b-x", "4444");
    put(f->blob, "b.y/z", "");
    ok(fg_blob_list(f->blob, "", note, &l, &f->err));
    assert_int_equal(l.count, 5);
    assert_int_equal(l.bytes, 10);
    assert_int_equal(count_all(f, "b/"), 2);
    assert_int_equal(count_all(f, "c/"), 0);
    l = (listing){.stop_at = 2};
    ok(fg_blob_list(f->blob, "", note, &l, &f->err));
    assert_int_equal(l.count, 2);
    ok(fg_blob_delete(f->blob, "a", &f->err));
    ok(fg_blob_delete(f->blob, "a", &f->err));
    ok(fg_blob_delete_prefix(f->blob, "b/", &f->err));
    ok(fg_blob_delete_prefix(f->blob, "b/", &f->err));
    assert_int_equal(count_all(f, ""), 2);
    l = (listing){.deletes = f};
    ok(fg_blob_list(f->blob, "", note, &l, &f->err));
    assert_int_equal(l.count, 2);
    assert_int_equal(count_all(f, ""), 0);
}

static void more_than_a_page(void **state)
{
    fixture *f = *state;
    char key[32];
    for (int i = 0; i < 1234; i++) {
        snprintf(key, sizeof key, "many/%d.png", i);
        put(f->blob, key, "x");
    }
    assert_int_equal(count_all(f, "many/"), 1234);
    assert_int_equal(count_all(f, ""), 1234);
    ok(fg_blob_delete_prefix(f->blob, "many/", &f->err));
    assert_int_equal(count_all(f, ""), 0);
}

static void links(void **state)
{
    fixture *f = *state;
    fg_http_client *http = NULL;
    fg_http_answer answer;
    fg_buf url;
    put(f->blob, "photo.jpg", "smile");
    fg_buf_init(&url, 8192);
    ok(fg_blob_link(f->blob, "photo.jpg", 60, &url, &f->err));
    const char *secret = getenv("AWS_SECRET_ACCESS_KEY");
    assert_true(secret && !strstr((char *)url.data, secret));
    ok(fg_http_client_new(&http, &f->err));
    fg_http_answer_init(&answer, 1000);
    fg_http_request request = {.what = "link", .method = "GET", .url = (char *)url.data};
    ok(fg_http_send(http, &request, &answer, &f->err));
    assert_int_equal(answer.status, 200);
    assert_string_equal((char *)answer.body.data, "smile");
    url.data[url.size - 1] ^= 1; /* of the signature */
    ok(fg_http_send(http, &request, &answer, &f->err));
    assert_int_equal(answer.status, 403);
    fails(fg_blob_link(f->blob, "photo.jpg", 700000, &url, &f->err), FG_ERR_USAGE, "604800");
    fg_http_answer_deinit(&answer);
    fg_http_client_free(http);
    fg_buf_deinit(&url);
}

static void *work(void *context)
{
    fixture *f = context;
    char key[64], text[80];
    for (int i = 0; i < 20; i++) {
        fg_buf out;
        snprintf(key, sizeof key, "t/%llx-%d", (unsigned long long)pthread_self(), i);
        snprintf(text, sizeof text, "text %s", key);
        fg_buf_init(&out, 100);
        if (fg_blob_put(f->blob, key, text, strlen(text), NULL) != FG_OK ||
            fg_blob_get(f->blob, key, &out, NULL) != FG_OK || out.size != strlen(text) ||
            memcmp(out.data ? (char *)out.data : "", text, out.size) != 0)
            return "failed";
        fg_buf_deinit(&out);
    }
    return NULL;
}

static void threads_share_one(void **state)
{
    fixture *f = *state;
    pthread_t threads[4];
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, work, f), 0);
    for (size_t i = 0; i < 4; i++) {
        void *result = NULL;
        pthread_join(threads[i], &result);
        assert_null(result);
    }
    assert_int_equal(count_all(f, "t/"), 80);
}

static long peak_kb(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;
}

/* Last: peak memory only grows. */
static void half_a_gigabyte_in_the_same_memory(void **state)
{
    fixture *f = *state;
    const char *mb = getenv("FACEGATE_TEST_S3_MB");
    if (!mb) {
        print_message("skipped: FACEGATE_TEST_S3_MB is not set\n");
        skip();
    }
    make_file(f->path, (size_t)strtol(mb ? mb : "0", NULL, 10) << 20, 1);
    const long before = peak_kb();
    ok(fg_blob_put_file(f->blob, "huge", f->path, false, &f->err));
    fetch(f, "huge");
    const long more = peak_kb() - before;
    print_message("%s MB up and down: the process's peak memory is %ld KB, %ld KB more than before\n", mb,
                  before + more, more);
    assert_true(more < 8192);
    ok(fg_blob_delete(f->blob, "huge", &f->err));
}

int main(void)
{
    if (!getenv("FACEGATE_TEST_S3")) {
        fprintf(stderr, "FACEGATE_TEST_S3 is not set; see tests/cloud/s3.sh\n");
        return 77;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(put_and_get, setup, teardown),
        cmocka_unit_test_setup_teardown(files_of_every_size, setup, teardown),
        cmocka_unit_test_setup_teardown(ranges, setup, teardown),
        cmocka_unit_test_setup_teardown(lists_and_deletes, setup, teardown),
        cmocka_unit_test_setup_teardown(more_than_a_page, setup, teardown),
        cmocka_unit_test_setup_teardown(links, setup, teardown),
        cmocka_unit_test_setup_teardown(threads_share_one, setup, teardown),
        cmocka_unit_test_setup_teardown(half_a_gigabyte_in_the_same_memory, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
