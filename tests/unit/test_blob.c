#include "base/file.h"
#include "blob/blob.h"
#include "blob/spool.h"

#include <fcntl.h>
#include <glob.h>
#include <pthread.h>
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
#include <unistd.h>

#include <cmocka.h>

#include "support/blob_text.h"
#include "support/expect.h"
#include "support/folder.h"

typedef struct fixture {
    char folder[FOLDER_PATH], root[FOLDER_PATH + 16], path[2 * FOLDER_PATH];
    fg_blob *blob;
    fg_error err;
} fixture;

static int setup(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    if (!f || !folder_make(f->folder))
        return -1;
    snprintf(f->root, sizeof f->root, "%s/a/blobs", f->folder);
    *state = f;
    return fg_blob_open(&f->blob, f->root, &f->err) == FG_OK ? 0 : -1;
}

static int teardown(void **state)
{
    fixture *f = *state;
    fg_blob_close(f->blob);
    folder_remove(f->folder);
    free(f);
    return 0;
}

static const char *at(fixture *f, const char *name)
{
    snprintf(f->path, sizeof f->path, "%s/%s", f->root, name);
    return f->path;
}

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
    assert_int_equal(fclose(file), 0);
}

typedef struct listing {
    char keys[64][210];
    uint64_t sizes[64];
    int count, stop_at;
    fixture *deletes; /* each blob, while it is listed */
} listing;

static bool note(void *context, const char *key, uint64_t size)
{
    listing *l = context;
    assert_true(l->count < 64);
    l->sizes[l->count] = size;
    snprintf(l->keys[l->count++], sizeof l->keys[0], "%s", key);
    if (l->deletes)
        ok(fg_blob_delete(l->deletes->blob, key, NULL));
    return l->count != l->stop_at;
}

static int count_all(fixture *f)
{
    listing *l = calloc(1, sizeof *l);
    assert_non_null(l);
    ok(fg_blob_list(f->blob, "", note, l, &f->err));
    int count = l->count;
    free(l);
    return count;
}

static void open_makes_a_private_folder(void **state)
{
    fixture *f = *state;
    struct stat st;
    char url[sizeof f->root + 8];
    fg_blob *blob = NULL;
    assert_int_equal(stat(f->root, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    snprintf(url, sizeof url, "dir:%s", f->root);
    put(f->blob, "x", "1");
    ok(fg_blob_open(&blob, url, &f->err));
    fg_blob_close(blob);
    fg_blob_close(NULL);
    expect(f->blob, "x", "1");
    fails(fg_blob_open(&blob, "", &f->err), FG_ERR_USAGE, "empty");
    fails(fg_blob_open(&blob, NULL, &f->err), FG_ERR_USAGE, "empty");
    fails(fg_blob_open(&blob, "dir:", &f->err), FG_ERR_USAGE, "empty");
    fails(fg_blob_open(&blob, "gs://bucket", &f->err), FG_ERR_UNSUPPORTED, "gs://bucket");
    write_file(at(f, "file"), "");
    fails(fg_blob_open(&blob, f->path, &f->err), FG_ERR_EXISTS, f->path);
    assert_null(blob);
}

static void put_and_get(void **state)
{
    fixture *f = *state;
    struct stat st;
    fg_buf out;
    put(f->blob, "members/a/chips/1.png", "one");
    put(f->blob, "members/a/chips/2.png", "");
    put(f->blob, "top", "t");
    expect(f->blob, "members/a/chips/1.png", "one");
    expect(f->blob, "members/a/chips/2.png", "");
    expect(f->blob, "top", "t");
    put(f->blob, "top", "over");
    expect(f->blob, "top", "over");
    assert_int_equal(stat(at(f, "members/a/chips/1.png"), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(stat(at(f, "members/a"), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    ok(fg_blob_put(f->blob, "bytes", "a\0b", 3, &f->err));
    fg_buf_init(&out, 6);
    ok(fg_blob_get(f->blob, "bytes", &out, &f->err));
    ok(fg_blob_get(f->blob, "bytes", &out, &f->err)); /* appends */
    assert_int_equal(out.size, 6);
    assert_memory_equal(out.data, "a\0ba\0b", 6);
    fails(fg_blob_get(f->blob, "bytes", &out, &f->err), FG_ERR_LIMIT, "bytes");
    assert_int_equal(out.size, 6);
    fg_buf_deinit(&out);
    fg_buf_init(&out, 10);
    fails(fg_blob_get(f->blob, "none", &out, &f->err), FG_ERR_NOT_FOUND, "none");
    fails(fg_blob_get(f->blob, "no/such/folder", &out, &f->err), FG_ERR_NOT_FOUND, "no/such/folder");
    fails(fg_blob_get(f->blob, "members/a", &out, &f->err), FG_ERR_INPUT, "plain file");
    fg_buf_deinit(&out);
    /* A blob where a folder would have to be, and the other way round. */
    fails(fg_blob_put(f->blob, "top/below", "x", 1, &f->err), FG_ERR_INPUT, "top/below");
    fails(fg_blob_put(f->blob, "members", "x", 1, &f->err), FG_ERR_INPUT, "members");
    assert_int_equal(count_all(f), 4); /* and no half-written file */
}

static void keys_that_are_none_are_refused(void **state)
{
    fixture *f = *state;
    static const char *const bad[] = {"", "/etc/passwd", "../x", "a/../../x", "a//b", "A", "a/", "~0123"};
    fg_buf out;
    fg_buf_init(&out, 10);
    write_file(at(f, "../outside"), "secret");
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        fails(fg_blob_put(f->blob, bad[i], "x", 1, &f->err), FG_ERR_USAGE, "key");
        fails(fg_blob_put_file(f->blob, bad[i], "/etc/hostname", false, &f->err), FG_ERR_USAGE, "key");
        fails(fg_blob_get(f->blob, bad[i], &out, &f->err), FG_ERR_USAGE, "key");
        fails(fg_blob_delete(f->blob, bad[i], &f->err), FG_ERR_USAGE, "key");
    }
    fails(fg_blob_delete_prefix(f->blob, "", &f->err), FG_ERR_USAGE, "prefix");
    fails(fg_blob_delete_prefix(f->blob, "../", &f->err), FG_ERR_USAGE, "prefix");
    fails(fg_blob_delete_prefix(f->blob, "a", &f->err), FG_ERR_USAGE, "prefix");
    fails(fg_blob_list(f->blob, "a", note, NULL, &f->err), FG_ERR_USAGE, "prefix");
    fails(fg_blob_list(f->blob, "../", note, NULL, &f->err), FG_ERR_USAGE, "prefix");
    assert_true(fg_file_exists(at(f, "../outside")));
    fg_buf_deinit(&out);
}

static void links_are_never_followed(void **state)
{
    fixture *f = *state;
    char outside[sizeof f->folder + 16], target[sizeof f->folder + 32];
    fg_buf out;
    fg_buf_init(&out, 100);
    snprintf(outside, sizeof outside, "%s/outside", f->folder);
    snprintf(target, sizeof target, "%s/secret", outside);
    assert_int_equal(mkdir(outside, 0700), 0);
    write_file(target, "secret");
    put(f->blob, "m/x", "x");
    assert_int_equal(symlink(outside, at(f, "m/folder")), 0);
    assert_int_equal(symlink(target, at(f, "m/link")), 0);
    fails(fg_blob_get(f->blob, "m/folder/secret", &out, &f->err), FG_ERR_INPUT, "m/folder/secret");
    fails(fg_blob_get(f->blob, "m/link", &out, &f->err), FG_ERR_INPUT, "m/link");
    fails(fg_blob_put(f->blob, "m/folder/secret", "y", 1, &f->err), FG_ERR_INPUT, "m/folder");
    fails(fg_blob_delete(f->blob, "m/folder/secret", &f->err), FG_ERR_INPUT, "m/folder");
    ok(fg_blob_delete(f->blob, "m/link", &f->err)); /* the link itself */
    assert_int_equal(symlink(target, at(f, "m/link")), 0);
    put(f->blob, "m/link", "mine"); /* takes the link's place */
    expect(f->blob, "m/link", "mine");
    assert_int_equal(unlink(at(f, "m/link")), 0);
    assert_int_equal(symlink(target, at(f, "m/link")), 0);
    assert_int_equal(count_all(f), 1);
    ok(fg_blob_delete_prefix(f->blob, "m/", &f->err));
    assert_false(fg_file_exists(at(f, "m")));
    fg_buf_clear(&out);
    ok(fg_file_read(target, &out, &f->err));
    assert_string_equal((char *)out.data, "secret");
    fg_buf_deinit(&out);
}

static void file_is_copied_or_taken(void **state)
{
    fixture *f = *state;
    char path[sizeof f->folder + 16], other[sizeof f->folder + 16];
    struct stat before, after;
    snprintf(path, sizeof path, "%s/upload", f->folder);
    snprintf(other, sizeof other, "%s/other", f->folder);
    write_file(path, "video");
    ok(fg_blob_put_file(f->blob, "v/copy", path, false, &f->err));
    assert_true(fg_file_exists(path));
    expect(f->blob, "v/copy", "video");
    assert_int_equal(chmod(path, 0644), 0);
    assert_int_equal(stat(path, &before), 0);
    ok(fg_blob_put_file(f->blob, "v/taken", path, true, &f->err));
    assert_false(fg_file_exists(path));
    expect(f->blob, "v/taken", "video");
    assert_int_equal(stat(at(f, "v/taken"), &after), 0);
    assert_true(before.st_ino == after.st_ino); /* moved */
    assert_int_equal(after.st_mode & 07777, 0600);
    /* A link is copied, and goes; what it points to stays. */
    write_file(other, "linked");
    assert_int_equal(symlink(other, path), 0);
    ok(fg_blob_put_file(f->blob, "v/link", path, true, &f->err));
    expect(f->blob, "v/link", "linked");
    assert_int_equal(lstat(path, &after), -1);
    assert_true(fg_file_exists(other));
    assert_int_equal(lstat(at(f, "v/link"), &after), 0);
    assert_true(S_ISREG(after.st_mode));
    /* A file with a second name is copied too, so that the other name cannot change the blob. */
    assert_int_equal(link(other, path), 0);
    ok(fg_blob_put_file(f->blob, "v/hard", path, true, &f->err));
    write_file(other, "changed");
    expect(f->blob, "v/hard", "linked");
    fails(fg_blob_put_file(f->blob, "v/none", path, true, &f->err), FG_ERR_NOT_FOUND, path);
    fails(fg_blob_put_file(f->blob, "v/dir", f->folder, true, &f->err), FG_ERR_INPUT, f->folder);
    assert_int_equal(mkfifo(path, 0600), 0);
    fails(fg_blob_put_file(f->blob, "v/fifo", path, false, &f->err), FG_ERR_INPUT, "plain file");
    fails(fg_blob_put_file(f->blob, "v/copy/below", other, false, &f->err), FG_ERR_INPUT, "v/copy/below");
    assert_true(fg_file_exists(other));
}

static void file_from_another_file_system_is_copied_and_gone(void **state)
{
    fixture *f = *state;
    char path[] = "/dev/shm/facegate-test-XXXXXX";
    struct stat here, there;
    int fd = mkstemp(path);
    if (fd < 0)
        skip();
    static char big[300000];
    memset(big, 'v', sizeof big);
    assert_int_equal(write(fd, big, sizeof big), sizeof big);
    close(fd);
    if (stat(path, &there) != 0 || stat(f->root, &here) != 0 || here.st_dev == there.st_dev) {
        unlink(path);
        skip();
    }
    ok(fg_blob_put_file(f->blob, "v/far", path, true, &f->err));
    assert_false(fg_file_exists(path));
    fg_buf out;
    fg_buf_init(&out, 300000);
    ok(fg_blob_get(f->blob, "v/far", &out, &f->err));
    assert_int_equal(out.size, 300000);
    assert_memory_equal(out.data, big, 300000);
    fg_buf_deinit(&out);
}

static void delete_overwrites_first(void **state)
{
    fixture *f = *state;
    char text[100] = "";
    put(f->blob, "d/face", "biometric");
    int fd = open(at(f, "d/face"), O_RDONLY); /* keeps the content readable after the unlink */
    assert_true(fd >= 0);
    ok(fg_blob_delete(f->blob, "d/face", &f->err));
    assert_int_equal(read(fd, text, sizeof text), 9);
    assert_memory_equal(text, "\0\0\0\0\0\0\0\0\0", 9);
    close(fd);
    ok(fg_blob_delete(f->blob, "d/face", &f->err)); /* gone already */
    ok(fg_blob_delete(f->blob, "no/such", &f->err));
    /* A second name is somebody else's copy. */
    put(f->blob, "d/face", "biometric");
    char other[sizeof f->folder + 16];
    snprintf(other, sizeof other, "%s/other", f->folder);
    assert_int_equal(link(at(f, "d/face"), other), 0);
    ok(fg_blob_delete(f->blob, "d/face", &f->err));
    fg_buf out;
    fg_buf_init(&out, 100);
    ok(fg_file_read(other, &out, &f->err));
    assert_string_equal((char *)out.data, "biometric");
    fg_buf_deinit(&out);
    put(f->blob, "d/sub/x", "x");
    fails(fg_blob_delete(f->blob, "d/sub", &f->err), FG_ERR_INPUT, "d/sub");
    expect(f->blob, "d/sub/x", "x");
}

static void prefix_goes_with_everything_below(void **state)
{
    fixture *f = *state;
    put(f->blob, "members/a/1/chips/x", "1");
    put(f->blob, "members/a/1/chips/y", "2");
    put(f->blob, "members/a/2/z", "3");
    put(f->blob, "members/ab/z", "4");
    put(f->blob, "members/a.b", "5");
    write_file(at(f, "members/a/1/~0123456789"), "a put that was killed");
    int fd = open(at(f, "members/a/1/chips/x"), O_RDONLY);
    assert_true(fd >= 0);
    ok(fg_blob_delete_prefix(f->blob, "members/a/1/", &f->err));
    char c = 'q';
    assert_int_equal(read(fd, &c, 1), 1);
    assert_int_equal(c, 0);
    close(fd);
    assert_false(fg_file_exists(at(f, "members/a/1")));
    expect(f->blob, "members/a/2/z", "3");
    ok(fg_blob_delete_prefix(f->blob, "members/a/", &f->err));
    ok(fg_blob_delete_prefix(f->blob, "members/a/", &f->err));
    ok(fg_blob_delete_prefix(f->blob, "none/at/all/", &f->err));
    assert_false(fg_file_exists(at(f, "members/a")));
    expect(f->blob, "members/ab/z", "4");
    expect(f->blob, "members/a.b", "5");
    /* Folders left empty go too, but never the outermost. */
    ok(fg_blob_delete(f->blob, "members/a.b", &f->err));
    ok(fg_blob_delete_prefix(f->blob, "members/ab/", &f->err));
    assert_false(fg_file_exists(at(f, "members")));
    assert_true(fg_file_exists(f->root));
    put(f->blob, "top", "t");
    fails(fg_blob_delete_prefix(f->blob, "top/", &f->err), FG_ERR_INPUT, "top");
}

static void list_is_in_byte_order(void **state)
{
    fixture *f = *state;
    static const char *const sorted[] = {"a-b", "a.b", "a/0/1", "a/1", "a/b/c", "a/c", "a0", "ab/x", "b"};
    enum { COUNT = sizeof sorted / sizeof sorted[0] };
    listing *l = calloc(1, sizeof *l);
    assert_non_null(l);
    for (int i = COUNT - 1; i >= 0; i--)
        put(f->blob, sorted[i], sorted[i]);
    write_file(at(f, "a/~temporary"), "x");
    write_file(at(f, "a/Alien"), "x");
    ok(fg_blob_list(f->blob, "", note, l, &f->err));
    assert_int_equal(l->count, COUNT);
    for (int i = 0; i < COUNT; i++) {
        assert_string_equal(l->keys[i], sorted[i]);
        assert_int_equal(l->sizes[i], strlen(sorted[i]));
    }
    *l = (listing){0};
    ok(fg_blob_list(f->blob, "a/", note, l, &f->err));
    assert_int_equal(l->count, 4);
    assert_string_equal(l->keys[0], "a/0/1");
    *l = (listing){.stop_at = 2};
    ok(fg_blob_list(f->blob, "", note, l, &f->err));
    assert_int_equal(l->count, 2);
    *l = (listing){0};
    ok(fg_blob_list(f->blob, "none/", note, l, &f->err));
    assert_int_equal(l->count, 0);
    *l = (listing){.deletes = f};
    ok(fg_blob_list(f->blob, "", note, l, &f->err));
    assert_int_equal(l->count, COUNT);
    assert_int_equal(count_all(f), 0);
    free(l);
}

static void deepest_key_works(void **state)
{
    fixture *f = *state;
    char key[201], prefix[201];
    for (int i = 0; i < 200; i++)
        key[i] = i % 2 ? '/' : 'd';
    key[199] = 0; /* 100 parts */
    put(f->blob, key, "deep");
    expect(f->blob, key, "deep");
    assert_int_equal(count_all(f), 1);
    snprintf(prefix, sizeof prefix, "d/");
    ok(fg_blob_delete_prefix(f->blob, prefix, &f->err));
    assert_int_equal(count_all(f), 0);
    memset(key, 'x', 200);
    key[200] = 0;
    put(f->blob, key, "long");
    expect(f->blob, key, "long");
    key[100] = '/';
    put(f->blob, key, "both");
    assert_int_equal(count_all(f), 2);
}

static void folders_nested_by_others_end_the_walk(void **state)
{
    fixture *f = *state;
    char here[4096];
    assert_non_null(getcwd(here, sizeof here));
    put(f->blob, "m/x", "x");
    assert_int_equal(chdir(at(f, "m")), 0);
    for (int i = 0; i < 150; i++) {
        assert_int_equal(mkdir("d", 0700), 0);
        assert_int_equal(chdir("d"), 0);
    }
    assert_int_equal(chdir(here), 0);
    assert_int_equal(count_all(f), 1); /* what cannot be a key is not listed */
    fails(fg_blob_delete_prefix(f->blob, "m/", &f->err), FG_ERR_INPUT, "nested too deeply");
}

static void folder_without_permission_is_forbidden(void **state)
{
    fixture *f = *state;
    fg_buf out;
    fg_blob *blob = NULL;
    fg_buf_init(&out, 100);
    put(f->blob, "m/x", "x");
    assert_int_equal(chmod(f->folder, 0755), 0);
    assert_int_equal(chmod(at(f, ".."), 0755), 0);
    assert_int_equal(chmod(f->root, 0555), 0);
    assert_int_equal(chmod(at(f, "m"), 0555), 0);
    if (!become_nobody())
        skip();
    fg_error errs[4];
    fg_code codes[4] = {
        fg_blob_put(f->blob, "m/y", "y", 1, &errs[0]),
        fg_blob_put(f->blob, "n/y", "y", 1, &errs[1]),
        fg_blob_delete_prefix(f->blob, "m/", &errs[2]),
        fg_blob_open(&blob, at(f, "new"), &errs[3]),
    };
    become_again();
    for (int i = 0; i < 4; i++) {
        assert_int_equal(codes[i], FG_ERR_FORBIDDEN);
        assert_non_null(strstr(errs[i].msg, f->root));
    }
    expect(f->blob, "m/x", "x");
    fg_buf_deinit(&out);
}

/* A limit on the size of files stands for a disk without space: the write fails with EFBIG. */
static void full_disk_leaves_nothing_half_written(void **state)
{
    fixture *f = *state;
    put(f->blob, "x", "old");
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        const struct rlimit limit = {.rlim_cur = 100000, .rlim_max = 100000};
        char *big = calloc(1, 200000);
        signal(SIGXFSZ, SIG_IGN);
        if (!big || setrlimit(RLIMIT_FSIZE, &limit) != 0)
            _exit(100);
        fg_code rc = fg_blob_put(f->blob, "x", big, 200000, &f->err);
        free(big);
        fg_blob_close(f->blob);
        _exit((int)rc);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(WEXITSTATUS(status), FG_ERR_FULL);
    expect(f->blob, "x", "old");
    char command[sizeof f->root + 64];
    snprintf(command, sizeof command, "test $(ls -A %s | wc -l) = 1", f->root);
    assert_int_equal(system(command), 0);
}

/* -- threads -- */

typedef struct crew {
    fixture *f;
    int number, failures;
} crew;

static bool ignore(void *context, const char *key, uint64_t size)
{
    (void)context;
    (void)key;
    (void)size;
    return true;
}

/* All work in folders that the others empty and remove again and again. */
static void *work(void *argument)
{
    crew *c = argument;
    fg_error err = {0};
    for (int i = 0; i < 60; i++) {
        char key[64], path[FOLDER_PATH + 32];
        fg_buf out;
        fg_buf_init(&out, 100);
        snprintf(key, sizeof key, "shared/%d/m/%d", c->number, i);
        snprintf(path, sizeof path, "%s/upload-%d", c->f->folder, c->number);
        if (i % 2) {
            FILE *file = fopen(path, "wb");
            c->failures += !file || fputs(key, file) < 0 || fclose(file) != 0 ||
                           fg_blob_put_file(c->f->blob, key, path, i % 4 == 1, &err) != FG_OK;
        } else {
            c->failures += fg_blob_put(c->f->blob, key, key, strlen(key), &err) != FG_OK;
        }
        c->failures +=
            fg_blob_get(c->f->blob, key, &out, &err) != FG_OK || strcmp((char *)out.data, key) != 0;
        fg_buf_deinit(&out);
        c->failures += fg_blob_list(c->f->blob, "", ignore, NULL, &err) != FG_OK;
        snprintf(key, sizeof key, "shared/%d/", c->number);
        c->failures += fg_blob_delete_prefix(c->f->blob, key, &err) != FG_OK;
        if (c->failures) {
            fprintf(stderr, "%s\n", err.msg);
            return NULL;
        }
    }
    return NULL;
}

static void threads_share_one_folder(void **state)
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
    assert_int_equal(count_all(f), 0);
}

/* Another process that is killed while it holds a spool with a file in it. */
static void leave_a_spool(const char *data)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        char path[FG_MAX_PATH];
        fg_spool *spool;
        int fd;
        if (fg_spool_one(&spool, data, path, &fd, NULL) == FG_OK && write(fd, "a face", 6) == 6)
            raise(SIGKILL);
        _exit(1);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
}

static int spools(const char *data)
{
    char pattern[FG_MAX_PATH];
    glob_t found;
    snprintf(pattern, sizeof pattern, "%.4000s/tmp/spool-*", data);
    int count = glob(pattern, 0, NULL, &found) == 0 ? (int)found.gl_pathc : 0;
    globfree(&found);
    return count;
}

static void a_spool_goes_with_its_process(void **state)
{
    fixture *f = *state;
    char path[FG_MAX_PATH], parent[FG_MAX_PATH];
    fg_spool *living;
    int fd;
    ok(fg_spool_one(&living, f->folder, path, &fd, &f->err));
    close(fd);
    leave_a_spool(f->folder);
    assert_int_equal(spools(f->folder), 2);
    snprintf(parent, sizeof parent, "%.4000s/tmp", f->folder);
    fg_spool_sweep(parent);
    assert_int_equal(spools(f->folder), 1); /* the living one's */
    assert_int_equal(access(path, F_OK), 0);
    fg_spool_close(living);
    assert_int_equal(spools(f->folder), 0);
    fg_spool_sweep("/no/such/folder");
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(open_makes_a_private_folder),
        TEST(put_and_get),
        TEST(keys_that_are_none_are_refused),
        TEST(links_are_never_followed),
        TEST(file_is_copied_or_taken),
        TEST(file_from_another_file_system_is_copied_and_gone),
        TEST(delete_overwrites_first),
        TEST(prefix_goes_with_everything_below),
        TEST(list_is_in_byte_order),
        TEST(deepest_key_works),
        TEST(folders_nested_by_others_end_the_walk),
        TEST(folder_without_permission_is_forbidden),
        TEST(full_disk_leaves_nothing_half_written),
        TEST(threads_share_one_folder),
        TEST(a_spool_goes_with_its_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
