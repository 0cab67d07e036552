#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static fg_code open_plain(const char *path, int *fd, fg_error *err)
{
    struct stat st;
    /* Without O_NONBLOCK the open of a FIFO would wait for a writer for ever. */
    *fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (*fd < 0)
        return FG_FAIL_ERRNO(err, "cannot open", path);
    if (fstat(*fd, &st) != 0)
        return FG_FAIL_ERRNO(err, "cannot read", path);
    if (S_ISDIR(st.st_mode))
        return fg_fail_errno(err, EISDIR, __func__, "cannot read", path);
    if (!S_ISREG(st.st_mode))
        return FG_FAIL(err, FG_ERR_INPUT, "%s: not a plain file", path);
    return FG_OK;
}

fg_code fg_file_read(const char *path, fg_buf *buf, fg_error *err)
{
    uint8_t chunk[65536];
    int fd = -1;
    fg_code rc = open_plain(path, &fd, err);
    while (rc == FG_OK) {
        ssize_t n = read(fd, chunk, sizeof chunk);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            rc = FG_FAIL_ERRNO(err, "cannot read", path);
        else if (n == 0)
            break;
        else if ((rc = fg_buf_append(buf, chunk, (size_t)n, err)) != FG_OK)
            rc = fg_error_prefix(err, rc, path);
    }
    if (fd >= 0)
        close(fd);
    return rc;
}

fg_code fg_fd_write(int fd, const char *path, const void *data, size_t size, fg_error *err)
{
    const uint8_t *p = data;
    while (size) {
        ssize_t n = write(fd, p, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return FG_FAIL_ERRNO(err, "cannot write", path);
        p += n;
        size -= (size_t)n;
    }
    return FG_OK;
}

void fg_file_sync_folder(const char *path)
{
    char dir[FG_MAX_PATH];
    snprintf(dir, sizeof dir, "%s", path);
    char *slash = strrchr(dir, '/');
    if (slash)
        slash[slash == dir] = 0;
    int fd = open(slash ? dir : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        /* Some file systems cannot sync a folder; the rename has happened either way. */
        (void)fsync(fd);
        close(fd);
    }
}

fg_code fg_file_temp(const char *path, char tmp[FG_MAX_PATH], int *fd, fg_error *err)
{
    *fd = -1;
    if ((size_t)snprintf(tmp, FG_MAX_PATH, "%s.XXXXXX", path) >= FG_MAX_PATH) {
        tmp[0] = 0;
        return FG_FAIL(err, FG_ERR_LIMIT, "%.100s...: the path is too long", path);
    }
    *fd = mkstemp(tmp);
    if (*fd >= 0)
        return FG_OK;
    tmp[0] = 0;
    return FG_FAIL_ERRNO(err, "cannot write", path);
}

fg_code fg_file_commit(const char *tmp, const char *path, fg_error *err)
{
    fg_code rc = FG_OK;
    int fd = open(tmp, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) != 0)
        rc = FG_FAIL_ERRNO(err, "cannot write", path);
    if (fd >= 0 && close(fd) != 0 && rc == FG_OK)
        rc = FG_FAIL_ERRNO(err, "cannot write", path);
    if (rc == FG_OK && rename(tmp, path) != 0)
        rc = FG_FAIL_ERRNO(err, "cannot write", path);
    if (rc != FG_OK)
        unlink(tmp);
    else
        fg_file_sync_folder(path);
    return rc;
}

fg_code fg_file_write_atomic(const char *path, const void *data, size_t size, fg_error *err)
{
    char tmp[FG_MAX_PATH];
    int fd;
    fg_code rc = fg_file_temp(path, tmp, &fd, err);
    if (rc != FG_OK)
        return rc;
    rc = fg_fd_write(fd, path, data, size, err);
    if (close(fd) != 0 && rc == FG_OK)
        rc = FG_FAIL_ERRNO(err, "cannot write", path);
    if (rc == FG_OK)
        return fg_file_commit(tmp, path, err);
    unlink(tmp);
    return rc;
}

fg_code fg_dir_create(const char *path, fg_error *err)
{
    char part[FG_MAX_PATH];
    struct stat st;
    if ((size_t)snprintf(part, sizeof part, "%s", path) >= sizeof part)
        return FG_FAIL(err, FG_ERR_LIMIT, "%.100s...: the path is too long", path);
    for (char *p = part + 1;; p++) {
        char c = *p;
        if (c != '/' && c != 0)
            continue;
        *p = 0;
        if (mkdir(part, 0700) != 0 && errno != EEXIST && !(errno == EROFS && stat(part, &st) == 0))
            return FG_FAIL_ERRNO(err, "cannot create the folder", part);
        *p = c;
        if (c == 0)
            break;
    }
    if (stat(path, &st) != 0)
        return FG_FAIL_ERRNO(err, "cannot create the folder", path);
    if (!S_ISDIR(st.st_mode))
        return FG_FAIL(err, FG_ERR_EXISTS, "%s: there is a file of this name; choose another folder", path);
    return FG_OK;
}

bool fg_file_exists(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0;
}

bool fg_file_is_missing(const char *path)
{
    struct stat st;
    return stat(path, &st) != 0 && (errno == ENOENT || errno == ENOTDIR);
}

static void to_hex(const uint8_t digest[crypto_hash_sha256_BYTES], char hex[FG_SHA256_HEX])
{
    sodium_bin2hex(hex, FG_SHA256_HEX, digest, crypto_hash_sha256_BYTES);
}

fg_code fg_file_sha256(const char *path, char hex[FG_SHA256_HEX], uint64_t *size_bytes, fg_error *err)
{
    uint8_t chunk[65536], digest[crypto_hash_sha256_BYTES];
    crypto_hash_sha256_state state;
    uint64_t total = 0;
    int fd = -1;
    hex[0] = 0;
    fg_code rc = open_plain(path, &fd, err);
    crypto_hash_sha256_init(&state);
    while (rc == FG_OK) {
        ssize_t n = read(fd, chunk, sizeof chunk);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            rc = FG_FAIL_ERRNO(err, "cannot read", path);
        if (n <= 0)
            break;
        crypto_hash_sha256_update(&state, chunk, (unsigned long long)n);
        total += (uint64_t)n;
    }
    if (rc == FG_OK) {
        crypto_hash_sha256_final(&state, digest);
        to_hex(digest, hex);
        if (size_bytes)
            *size_bytes = total;
    }
    if (fd >= 0)
        close(fd);
    return rc;
}

void fg_sha256_hex(const void *data, size_t size, char hex[FG_SHA256_HEX])
{
    uint8_t digest[crypto_hash_sha256_BYTES];
    crypto_hash_sha256(digest, data, size);
    to_hex(digest, hex);
}

fg_code fg_path_join(char *out, size_t out_size, const char *dir, const char *name, fg_error *err)
{
    size_t n = strlen(dir);
    const char *slash = n && dir[n - 1] == '/' ? "" : "/";
    if ((size_t)snprintf(out, out_size, "%s%s%s", dir, slash, name) >= out_size) {
        out[0] = 0;
        return FG_FAIL(err, FG_ERR_LIMIT, "%.100s...: the path is too long", dir);
    }
    return FG_OK;
}
