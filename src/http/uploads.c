#include "http/uploads.h"

#include "base/clock.h"
#include "base/file.h"
#include "blob/spool.h"
#include "http/body.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <nettle/sha1.h>
#include <nettle/sha2.h>
#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum { MAX_SIDECAR = 4096 };
/* Left free beside an upload, for the store. */
static const uint64_t spare_bytes = 16u << 20;

struct fg_uploads {
    char folder[FG_MAX_PATH];
    uint64_t max_bytes;
    pthread_mutex_t lock; /* of those that are begun: half of one is nothing to sweep */
};

struct fg_upload_writer {
    int fd;
    uint64_t start, written;
    char path[FG_MAX_PATH];
    fg_tus_checksum wanted;
    struct sha1_ctx sha1;
    struct sha256_ctx sha256;
};

static bool is_id(const char *text)
{
    return strlen(text) == FG_UPLOAD_ID - 1 && strspn(text, "0123456789abcdef") == FG_UPLOAD_ID - 1;
}

static fg_code path_of(const fg_uploads *u, const char *id, const char *suffix, char path[FG_MAX_PATH],
                       fg_error *err)
{
    char name[FG_UPLOAD_ID + 8];
    snprintf(name, sizeof name, "%s%s", id, suffix);
    return fg_path_join(path, FG_MAX_PATH, u->folder, name, err);
}

fg_code fg_uploads_open(fg_uploads **uploads, const char *folder, uint64_t max_bytes, fg_error *err)
{
    *uploads = NULL;
    fg_uploads *u = calloc(1, sizeof *u);
    if (!u)
        return FG_FAIL(err, FG_ERR_MEMORY, "out of memory");
    u->max_bytes = max_bytes;
    fg_code rc = fg_path_join(u->folder, sizeof u->folder, folder, "", err);
    if (rc == FG_OK)
        rc = fg_dir_create(u->folder, err);
    if (rc == FG_OK) {
        pthread_mutex_init(&u->lock, NULL);
        *uploads = u;
    } else {
        free(u);
    }
    return rc;
}

void fg_uploads_close(fg_uploads *uploads)
{
    if (uploads)
        pthread_mutex_destroy(&uploads->lock);
    free(uploads);
}

static fg_code no_upload(fg_error *err)
{
    return FG_FAIL(err, FG_ERR_NOT_FOUND, "there is no such upload, or it was given up: begin it anew");
}

static fg_code read_sidecar(const char *path, fg_upload *upload, fg_error *err)
{
    fg_buf text;
    fg_buf_init(&text, MAX_SIDECAR);
    fg_code rc = fg_file_read(path, &text, err);
    json_t *object = rc == FG_OK ? json_loadb((const char *)text.data, text.size, 0, NULL) : NULL;
    const char *name = json_string_value(json_object_get(object, "name"));
    const json_t *length = json_object_get(object, "length");
    if (rc == FG_OK && (!name || !json_is_integer(length) || json_integer_value(length) < 0))
        rc = FG_FAIL(err, FG_ERR_INPUT, "%s: damaged; remove it", path);
    if (rc == FG_OK) {
        snprintf(upload->name, sizeof upload->name, "%s", name);
        upload->length = (uint64_t)json_integer_value(length);
    }
    json_decref(object);
    fg_buf_deinit(&text);
    return rc == FG_ERR_NOT_FOUND ? no_upload(err) : rc;
}

fg_code fg_uploads_get(fg_uploads *u, const char *id, fg_upload *upload, fg_error *err)
{
    char sidecar[FG_MAX_PATH];
    struct stat st;
    *upload = (fg_upload){0};
    if (!is_id(id))
        return no_upload(err);
    memcpy(upload->id, id, FG_UPLOAD_ID);
    fg_code rc = path_of(u, id, ".bin", upload->path, err);
    if (rc != FG_OK || (rc = path_of(u, id, ".json", sidecar, err)) != FG_OK ||
        (rc = read_sidecar(sidecar, upload, err)) != FG_OK)
        return rc;
    if (lstat(upload->path, &st) != 0 || !S_ISREG(st.st_mode))
        return no_upload(err);
    upload->offset = (uint64_t)st.st_size;
    upload->expires_ms = (int64_t)st.st_mtime * 1000 + FG_UPLOAD_MS;
    return upload->expires_ms > fg_clock_unix_ms() ? FG_OK : no_upload(err);
}

typedef void visit(fg_uploads *u, const char *id, void *context);

/* Calls each with every id there is; returns their number. */
static long for_each(fg_uploads *u, visit *each, void *context)
{
    long count = 0;
    DIR *dir = opendir(u->folder);
    if (!dir)
        return 0;
    for (struct dirent *d; (d = readdir(dir));) {
        char id[FG_UPLOAD_ID];
        snprintf(id, sizeof id, "%.24s", d->d_name);
        if (!is_id(id) || strcmp(d->d_name + FG_UPLOAD_ID - 1, ".bin") != 0)
            continue;
        count++;
        each(u, id, context);
    }
    closedir(dir);
    return count;
}

static void add_outstanding(fg_uploads *u, const char *id, void *context)
{
    fg_upload upload;
    uint64_t *bytes = context;
    if (fg_uploads_get(u, id, &upload, NULL) == FG_OK && upload.offset < upload.length)
        *bytes += upload.length - upload.offset;
}

/* Whether so many bytes leave the store what it needs. True where nobody knows. */
static bool has_room(const char *path, uint64_t bytes)
{
    struct statvfs disk;
    return statvfs(path, &disk) != 0 || disk.f_frsize * disk.f_bavail >= bytes + spare_bytes;
}

static fg_code no_room(fg_error *err)
{
    return FG_FAIL(err, FG_ERR_FULL, "there is no room for the upload; free some space and try again");
}

static fg_code create(fg_uploads *u, uint64_t length, const char *name, fg_upload *upload, fg_error *err)
{
    char sidecar[FG_MAX_PATH];
    uint8_t bytes[FG_UPLOAD_ID / 2];
    uint64_t outstanding = 0; /* what the others will still take */
    *upload = (fg_upload){.length = length};
    if (length > u->max_bytes)
        return FG_FAIL(err, FG_ERR_LIMIT, "the upload is larger than the %llu MB that are taken",
                       (unsigned long long)(u->max_bytes >> 20));
    if (for_each(u, add_outstanding, &outstanding) >= FG_UPLOADS_MAX)
        return FG_FAIL(err, FG_ERR_BUSY, "too many uploads are unfinished; end some of them");
    if (!has_room(u->folder, outstanding + length))
        return no_room(err);
    char *safe = fg_body_safe_name(name);
    if (!safe)
        return FG_FAIL(err, FG_ERR_MEMORY, "out of memory");
    snprintf(upload->name, sizeof upload->name, "%s", safe);
    free(safe);
    randombytes_buf(bytes, sizeof bytes);
    sodium_bin2hex(upload->id, sizeof upload->id, bytes, sizeof bytes);
    fg_code rc = path_of(u, upload->id, ".bin", upload->path, err);
    if (rc == FG_OK)
        rc = path_of(u, upload->id, ".json", sidecar, err);
    if (rc != FG_OK)
        return rc;
    /* First, since by it an upload is found: what is cut short here goes with the next sweep. */
    int fd = open(upload->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return FG_FAIL_ERRNO(err, "cannot create", upload->path);
    close(fd);
    json_t *object = json_pack("{s:s, s:I}", "name", upload->name, "length", (json_int_t)length);
    char *text = object ? json_dumps(object, JSON_COMPACT) : NULL;
    json_decref(object);
    rc = text ? fg_file_write_atomic(sidecar, text, strlen(text), err)
              : FG_FAIL(err, FG_ERR_MEMORY, "out of memory");
    free(text);
    if (rc != FG_OK)
        unlink(upload->path);
    upload->expires_ms = fg_clock_unix_ms() + FG_UPLOAD_MS;
    return rc;
}

fg_code fg_uploads_create(fg_uploads *u, uint64_t length, const char *name, fg_upload *upload, fg_error *err)
{
    pthread_mutex_lock(&u->lock);
    fg_code rc = create(u, length, name, upload, err);
    pthread_mutex_unlock(&u->lock);
    return rc;
}

void fg_uploads_forget(fg_uploads *u, const char *id)
{
    char path[FG_MAX_PATH];
    if (!is_id(id))
        return;
    if (path_of(u, id, ".json", path, NULL) == FG_OK)
        fg_spool_wipe(path); /* it tells what the file was called */
    /* Last, since by it an upload is found: what is cut short here goes with the next sweep. */
    if (path_of(u, id, ".bin", path, NULL) == FG_OK)
        fg_spool_wipe(path);
}

fg_code fg_uploads_remove(fg_uploads *u, const char *id, fg_error *err)
{
    fg_upload upload;
    fg_code rc = fg_uploads_get(u, id, &upload, err);
    if (rc == FG_OK)
        fg_uploads_forget(u, id);
    return rc;
}

static void forget_one(fg_uploads *u, const char *id, void *context)
{
    (void)context;
    fg_uploads_forget(u, id);
}

void fg_uploads_remove_all(fg_uploads *u)
{
    pthread_mutex_lock(&u->lock);
    (void)for_each(u, forget_one, NULL);
    pthread_mutex_unlock(&u->lock);
}

static void sweep_one(fg_uploads *u, const char *id, void *context)
{
    fg_upload upload;
    (void)context;
    if (fg_uploads_get(u, id, &upload, NULL) == FG_ERR_NOT_FOUND)
        fg_uploads_forget(u, id);
}

void fg_uploads_sweep(fg_uploads *u)
{
    pthread_mutex_lock(&u->lock);
    (void)for_each(u, sweep_one, NULL);
    pthread_mutex_unlock(&u->lock);
}

/* -- writing -- */

fg_code fg_upload_begin(fg_uploads *u, const char *id, uint64_t offset, const fg_tus_checksum *checksum,
                        fg_upload_writer **writer, fg_upload *upload, fg_error *err)
{
    *writer = NULL;
    fg_code rc = fg_uploads_get(u, id, upload, err);
    if (rc != FG_OK)
        return rc;
    fg_upload_writer *w = calloc(1, sizeof *w);
    if (!w)
        return FG_FAIL(err, FG_ERR_MEMORY, "out of memory");
    memcpy(w->path, upload->path, sizeof w->path);
    w->start = offset;
    w->wanted = *checksum;
    sha1_init(&w->sha1);
    sha256_init(&w->sha256);
    w->fd = open(w->path, O_WRONLY | O_APPEND | O_CLOEXEC | O_NOFOLLOW);
    if (w->fd < 0) {
        rc = no_upload(err);
    } else if (flock(w->fd, LOCK_EX | LOCK_NB) != 0) {
        rc = FG_FAIL(err, FG_ERR_BUSY, "this upload is being written to already; try again in a moment");
    } else {
        struct stat st; /* again: under the lock it stays so */
        if (fstat(w->fd, &st) != 0)
            rc = FG_FAIL_ERRNO(err, "cannot read", w->path);
        else if ((uint64_t)st.st_size != offset)
            rc = FG_FAIL(err, FG_ERR_STATE, "Upload-Offset: %lld bytes have arrived; go on from there",
                         (long long)st.st_size);
    }
    if (rc == FG_OK) {
        *writer = w;
        return FG_OK;
    }
    if (w->fd >= 0)
        close(w->fd);
    free(w);
    return rc;
}

fg_code fg_upload_write(fg_upload_writer *w, const void *data, size_t size, fg_error *err)
{
    fg_code rc = has_room(w->path, size) ? fg_fd_write(w->fd, w->path, data, size, err) : no_room(err);
    if (rc != FG_OK)
        return rc;
    if (w->wanted.algorithm == FG_TUS_SHA1)
        sha1_update(&w->sha1, size, data);
    else if (w->wanted.algorithm == FG_TUS_SHA256)
        sha256_update(&w->sha256, size, data);
    w->written += size;
    return FG_OK;
}

static bool is_as_wanted(fg_upload_writer *w)
{
    uint8_t digest[FG_TUS_DIGEST];
    if (w->wanted.algorithm == FG_TUS_SHA1)
        sha1_digest(&w->sha1, SHA1_DIGEST_SIZE, digest);
    else
        sha256_digest(&w->sha256, SHA256_DIGEST_SIZE, digest);
    return memcmp(digest, w->wanted.digest, w->wanted.size) == 0;
}

fg_code fg_upload_end(fg_upload_writer *w, bool whole, uint64_t *offset, fg_error *err)
{
    fg_code rc = FG_OK;
    *offset = w->start + w->written;
    if (w->wanted.algorithm != FG_TUS_NONE && (!whole || !is_as_wanted(w))) {
        rc = FG_FAIL(err, FG_ERR_INPUT,
                     "Upload-Checksum: these are not the bytes that it is of; send them again");
        *offset = w->start;
        if (ftruncate(w->fd, (off_t)w->start) != 0)
            rc = FG_FAIL_ERRNO(err, "cannot shorten", w->path);
    }
    close(w->fd); /* and with it the lock */
    free(w);
    return rc;
}
