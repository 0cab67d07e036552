#include "blob/dir.h"

#include "base/text.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CHUNK_BYTES = 1 << 16, ATTEMPTS = 100, TEMPORARY = 24 };

static fg_blob_dir *dir_of(fg_blob *blob)
{
    return (fg_blob_dir *)blob; /* base comes first */
}

fg_code fg_blob_dir_fail(const fg_blob_dir *dir, const char *what, const char *key, fg_error *err)
{
    const int errnum = errno;
    char path[FG_MAX_PATH + FG_MAX_KEY_BYTES];
    snprintf(path, sizeof path, "%s/%s", dir->path, key);
    if (errnum == ELOOP || errnum == ENOTDIR)
        return FG_FAIL(err, FG_ERR_INPUT, "%s: %s: something else than a blob is in its place; remove it",
                       path, what);
    return fg_fail_errno(err, errnum, __func__, what, path);
}

int fg_blob_dir_enter(int fd, const char *name)
{
    return openat(fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* Some file systems cannot sync a folder; the change has happened either way. */
static void sync_folder(int fd)
{
    (void)fsync(fd);
}

/* Down to the folder of a key, whose last part is leaf then. -1 and errno: ENOENT also where a folder on the
 * way was removed meanwhile. */
static int walk_down(const fg_blob_dir *dir, const char *key, bool create, const char **leaf)
{
    char part[FG_MAX_KEY_BYTES + 1];
    const char *at = key;
    int fd = fcntl(dir->fd, F_DUPFD_CLOEXEC, 0);
    for (const char *slash; fd >= 0 && (slash = strchr(at, '/')); at = slash + 1) {
        memcpy(part, at, (size_t)(slash - at));
        part[slash - at] = 0;
        int next = fg_blob_dir_enter(fd, part);
        if (next < 0 && errno == ENOENT && create) {
            const bool made = mkdirat(fd, part, 0700) == 0;
            if (made)
                sync_folder(fd);
            if (made || errno == EEXIST)
                next = fg_blob_dir_enter(fd, part);
        }
        const int errnum = errno;
        close(fd);
        fd = next;
        errno = errnum;
    }
    *leaf = at;
    return fd;
}

fg_code fg_blob_dir_parent(const fg_blob_dir *dir, const char *key, int *fd, const char **leaf, fg_error *err)
{
    *fd = walk_down(dir, key, false, leaf);
    return *fd >= 0 || errno == ENOENT ? FG_OK : fg_blob_dir_fail(dir, "cannot open", key, err);
}

static int write_all(int fd, const void *data, size_t size)
{
    const char *at = data;
    while (size) {
        ssize_t n = write(fd, at, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        at += n;
        size -= (size_t)n;
    }
    return 0;
}

static int overwrite(int fd, uint64_t size)
{
    static const char zeros[CHUNK_BYTES];
    for (; size; size -= size < sizeof zeros ? size : sizeof zeros)
        if (write_all(fd, zeros, size < sizeof zeros ? (size_t)size : sizeof zeros) != 0)
            return -1;
    return fsync(fd);
}

int fg_blob_dir_wipe(int fd, const char *name)
{
    struct stat st;
    int file = openat(fd, name, O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (file >= 0) {
        /* A second name of the file is somebody else's copy. What cannot be overwritten is still unlinked. */
        if (fstat(file, &st) == 0 && S_ISREG(st.st_mode) && st.st_nlink == 1)
            (void)overwrite(file, (uint64_t)st.st_size);
        close(file);
    }
    return unlinkat(fd, name, 0);
}

void fg_blob_dir_wipe_folder(const char *path)
{
    DIR *folder = opendir(path);
    if (!folder)
        return;
    for (struct dirent *d; (d = readdir(folder));)
        if (strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0)
            (void)fg_blob_dir_wipe(dirfd(folder), d->d_name);
    closedir(folder);
    rmdir(path);
}

/* -- puts -- */

/* What a put writes before it has its name: '~' is in no key, so a leftover is never taken for a blob. */
static int create_temporary(int fd, char name[TEMPORARY])
{
    uint8_t bytes[10];
    name[0] = '~';
    randombytes_buf(bytes, sizeof bytes);
    sodium_bin2hex(name + 1, TEMPORARY - 1, bytes, sizeof bytes);
    return openat(fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
}

static int rename_synced(int from_fd, const char *from, int fd, const char *leaf)
{
    if (renameat(from_fd, from, fd, leaf) != 0)
        return -1;
    sync_folder(fd);
    return 0;
}

typedef struct content {
    int source;       /* a file, all of it; or -1 */
    const void *data; /* else: size bytes */
    size_t size;
    const char *move; /* where source is, if it may be moved from there instead of copied */
    bool moved;
} content;

static int copy_all(int source, int file)
{
    char *chunk = malloc(CHUNK_BYTES);
    ssize_t n = chunk && lseek(source, 0, SEEK_SET) == 0 ? 1 : -1;
    while (n > 0) {
        n = read(source, chunk, CHUNK_BYTES);
        if (n < 0 && errno == EINTR)
            n = 1;
        else if (n > 0 && write_all(file, chunk, (size_t)n) != 0)
            n = -1;
    }
    const int errnum = errno;
    free(chunk);
    errno = errnum;
    return (int)n;
}

/* Writes the content as leaf. -1 and errno. */
static int write_blob(int fd, const char *leaf, const content *c)
{
    char name[TEMPORARY];
    int rc = -1;
    int file = create_temporary(fd, name);
    if (file < 0)
        return -1;
    if ((c->source >= 0 ? copy_all(c->source, file) : write_all(file, c->data, c->size)) == 0 &&
        fsync(file) == 0 && rename_synced(fd, name, fd, leaf) == 0)
        rc = 0;
    const int errnum = errno;
    close(file);
    if (rc != 0)
        unlinkat(fd, name, 0);
    errno = errnum;
    return rc;
}

static int place(int fd, const char *leaf, content *c)
{
    c->moved = c->move && rename_synced(AT_FDCWD, c->move, fd, leaf) == 0;
    return c->moved ? 0 : write_blob(fd, leaf, c);
}

static fg_code put(const fg_blob_dir *dir, const char *key, content *c, fg_error *err)
{
    int result = -1;
    /* A folder that another thread, or another process, has just emptied and removed: make it again. */
    for (int i = 0; i < ATTEMPTS; i++) {
        const char *leaf = NULL;
        int fd = walk_down(dir, key, true, &leaf);
        result = fd >= 0 ? place(fd, leaf, c) : -1;
        const int errnum = errno;
        if (fd >= 0)
            close(fd);
        errno = errnum;
        if (result == 0 || errnum != ENOENT)
            break;
    }
    return result == 0 ? FG_OK : fg_blob_dir_fail(dir, "cannot write", key, err);
}

static fg_code dir_put(fg_blob *blob, const char *key, const void *data, size_t size, fg_error *err)
{
    return put(dir_of(blob), key, &(content){.data = data, .size = size, .source = -1}, err);
}

static fg_code open_source(const char *path, int *fd, bool *movable, fg_error *err)
{
    struct stat link, st;
    *fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (*fd < 0)
        return FG_FAIL_ERRNO(err, "cannot open", path);
    if (fstat(*fd, &st) != 0 || lstat(path, &link) != 0)
        return FG_FAIL_ERRNO(err, "cannot read", path);
    if (S_ISDIR(st.st_mode))
        return fg_fail_errno(err, EISDIR, __func__, "cannot read", path);
    if (!S_ISREG(st.st_mode))
        return FG_FAIL(err, FG_ERR_INPUT, "%s: not a plain file", path);
    /* Moving a link would move its name only, and a file of two names would stay open to change. */
    *movable =
        S_ISREG(link.st_mode) && link.st_ino == st.st_ino && link.st_dev == st.st_dev && st.st_nlink == 1;
    return FG_OK;
}

static fg_code dir_put_file(fg_blob *blob, const char *key, const char *path, bool take, fg_error *err)
{
    content c = {.source = -1};
    bool movable = false;
    fg_code rc = open_source(path, &c.source, &movable, err);
    if (rc == FG_OK) {
        if (take && movable && fchmod(c.source, 0600) == 0 && fsync(c.source) == 0)
            c.move = path;
        rc = put(dir_of(blob), key, &c, err);
        if (rc == FG_OK && take && !c.moved && fg_blob_dir_wipe(AT_FDCWD, path) != 0)
            rc = FG_FAIL_ERRNO(err, "cannot remove", path);
    }
    if (c.source >= 0)
        close(c.source);
    return rc;
}

/* -- the rest of the table -- */

static fg_code no_blob(const fg_blob_dir *dir, const char *key, fg_error *err)
{
    return FG_FAIL(err, FG_ERR_NOT_FOUND, "%s/%s: there is no such blob", dir->path, key);
}

/* Where a read goes: a buffer, or a file. */
typedef struct target {
    fg_buf *out;
    int fd;
    uint64_t offset, size; /* of the blob: what is wanted */
} target;

static fg_code give(const target *t, uint64_t at, const void *data, size_t size, fg_error *err)
{
    if (t->out)
        return fg_buf_append(t->out, data, size, err);
    for (const char *from = data; size;) {
        ssize_t n = pwrite(t->fd, from, size, (off_t)at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return FG_FAIL_ERRNO(err, "cannot write", "the copy of a blob");
        from += n;
        size -= (size_t)n;
        at += (uint64_t)n;
    }
    return FG_OK;
}

static fg_code read_blob(const fg_blob_dir *dir, int file, const char *key, target *t, fg_error *err)
{
    struct stat st;
    char *chunk = NULL;
    fg_code rc = FG_OK;
    uint64_t got = 0;
    if (fstat(file, &st) != 0)
        return fg_blob_dir_fail(dir, "cannot read", key, err);
    if (!S_ISREG(st.st_mode))
        return FG_FAIL(err, FG_ERR_INPUT, "%s/%s: not a plain file; remove it", dir->path, key);
    const uint64_t size = (uint64_t)st.st_size;
    if (t->offset && t->offset >= size)
        return FG_FAIL(err, FG_ERR_LIMIT, "%s/%s: ends before byte %llu", dir->path, key,
                       (unsigned long long)t->offset);
    const uint64_t want = size - t->offset < t->size ? size - t->offset : t->size;
    if (t->out && (t->out->size > t->out->max_size || want > t->out->max_size - t->out->size))
        return FG_FAIL(err, FG_ERR_LIMIT, "%s/%s: larger than %zu bytes", dir->path, key, t->out->max_size);
    if (!(chunk = malloc(CHUNK_BYTES)))
        return FG_FAIL(err, FG_ERR_MEMORY, "out of memory");
    while (rc == FG_OK && got < t->size) {
        const size_t next = t->size - got < CHUNK_BYTES ? (size_t)(t->size - got) : CHUNK_BYTES;
        ssize_t n = pread(file, chunk, next, (off_t)(t->offset + got));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            rc = fg_blob_dir_fail(dir, "cannot read", key, err);
        if (n <= 0)
            break;
        rc = give(t, got, chunk, (size_t)n, err);
        got += (uint64_t)n;
    }
    free(chunk);
    return rc;
}

static fg_code fetch(fg_blob *blob, const char *key, target *t, fg_error *err)
{
    const fg_blob_dir *dir = dir_of(blob);
    const char *leaf = NULL;
    int fd = -1;
    fg_code rc = fg_blob_dir_parent(dir, key, &fd, &leaf, err);
    if (rc != FG_OK)
        return rc;
    if (fd < 0)
        return no_blob(dir, key, err);
    int file = openat(fd, leaf, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (file >= 0) {
        rc = read_blob(dir, file, key, t, err);
        close(file);
    } else {
        rc = errno == ENOENT ? no_blob(dir, key, err) : fg_blob_dir_fail(dir, "cannot read", key, err);
    }
    close(fd);
    return rc;
}

static fg_code dir_get(fg_blob *blob, const char *key, fg_buf *out, fg_error *err)
{
    target t = {.out = out, .size = UINT64_MAX};
    return fetch(blob, key, &t, err);
}

static fg_code dir_get_range(fg_blob *blob, const char *key, uint64_t offset, size_t size, fg_buf *out,
                             fg_error *err)
{
    target t = {.out = out, .offset = offset, .size = size};
    return fetch(blob, key, &t, err);
}

static fg_code dir_get_fd(fg_blob *blob, const char *key, int fd, fg_error *err)
{
    target t = {.fd = fd, .size = UINT64_MAX};
    return fetch(blob, key, &t, err);
}

static fg_code dir_link(fg_blob *blob, const char *key, int seconds, fg_buf *url, fg_error *err)
{
    (void)seconds, (void)url;
    return FG_FAIL(err, FG_ERR_UNSUPPORTED, "%s/%s: a folder has no links; fetch the blob from the server",
                   dir_of(blob)->path, key);
}

static fg_code dir_remove(fg_blob *blob, const char *key, fg_error *err)
{
    const fg_blob_dir *dir = dir_of(blob);
    const char *leaf = NULL;
    int fd = -1;
    fg_code rc = fg_blob_dir_parent(dir, key, &fd, &leaf, err);
    if (rc != FG_OK || fd < 0)
        return rc;
    if (fg_blob_dir_wipe(fd, leaf) == 0)
        sync_folder(fd);
    else if (errno != ENOENT)
        rc = fg_blob_dir_fail(dir, "cannot remove", key, err);
    close(fd);
    return rc;
}

static void dir_close(fg_blob *blob)
{
    fg_blob_dir *dir = dir_of(blob);
    if (dir->fd >= 0)
        close(dir->fd);
    free(dir->path);
    free(dir);
}

static const fg_blob_backend dir_backend = {
    .close = dir_close,
    .put = dir_put,
    .put_file = dir_put_file,
    .get = dir_get,
    .get_range = dir_get_range,
    .get_fd = dir_get_fd,
    .remove = dir_remove,
    .remove_prefix = fg_blob_dir_remove_prefix,
    .list = fg_blob_dir_list,
    .link = dir_link,
};

fg_code fg_blob_dir_open(fg_blob **blob, const char *path, fg_error *err)
{
    *blob = NULL;
    if (sodium_init() < 0)
        return FG_FAIL(err, FG_ERR_INTERNAL, "no source of random numbers");
    fg_code rc = fg_dir_create(path, err);
    if (rc != FG_OK)
        return rc;
    fg_blob_dir *dir = calloc(1, sizeof *dir);
    if (!dir)
        return FG_FAIL(err, FG_ERR_MEMORY, "out of memory");
    dir->base.backend = &dir_backend;
    dir->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    dir->path = strdup(path);
    if (dir->fd < 0)
        rc = FG_FAIL_ERRNO(err, "cannot open the folder", path);
    else if (!dir->path)
        rc = FG_FAIL(err, FG_ERR_MEMORY, "out of memory");
    if (rc == FG_OK)
        *blob = &dir->base;
    else
        dir_close(&dir->base);
    return rc;
}
