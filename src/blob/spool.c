#include "blob/spool.h"

#include "base/file.h"
#include "blob/dir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static const char prefix[] = "spool-";
enum { UNLOCKED_GRACE_S = 60, TRIES = 5 }; /* between another process's mkdir and its lock */

struct fg_spool {
    char path[FG_MAX_PATH];
    int lock_fd;
};

/* Deletes the folder if no living process holds it; its lock is held until it is gone. */
static void sweep_one(const char *path)
{
    char lock[FG_MAX_PATH];
    struct stat st;
    if (fg_path_join(lock, sizeof lock, path, "lock", NULL) != FG_OK)
        return;
    int fd = open(lock, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    bool abandoned = fd >= 0 ? flock(fd, LOCK_EX | LOCK_NB) == 0
                             : stat(path, &st) == 0 && time(NULL) - st.st_mtime > UNLOCKED_GRACE_S;
    if (abandoned)
        fg_blob_dir_wipe_folder(path);
    if (fd >= 0)
        close(fd);
}

void fg_spool_sweep(const char *parent)
{
    char path[FG_MAX_PATH];
    DIR *dir = opendir(parent);
    if (!dir)
        return;
    for (struct dirent *d; (d = readdir(dir));)
        if (strncmp(d->d_name, prefix, sizeof prefix - 1) == 0 &&
            fg_path_join(path, sizeof path, parent, d->d_name, NULL) == FG_OK)
            sweep_one(path);
    closedir(dir);
}

/* A new folder with its lock. FG_ERR_BUSY where another process took it for an abandoned one in between. */
static fg_code make_folder(fg_spool *s, const char *parent, fg_error *err)
{
    char name[64], lock[FG_MAX_PATH];
    struct stat st;
    fg_code rc;
    snprintf(name, sizeof name, "%s%08x%08x", prefix, randombytes_random(), randombytes_random());
    if ((rc = fg_path_join(s->path, sizeof s->path, parent, name, err)) != FG_OK ||
        (rc = fg_dir_create(s->path, err)) != FG_OK ||
        (rc = fg_path_join(lock, sizeof lock, s->path, "lock", err)) != FG_OK)
        return rc;
    s->lock_fd = open(lock, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (s->lock_fd < 0)
        return FG_FAIL_ERRNO(err, "cannot create", lock);
    if (flock(s->lock_fd, LOCK_EX | LOCK_NB) == 0 && fstat(s->lock_fd, &st) == 0 && st.st_nlink == 1)
        return FG_OK;
    rc = FG_FAIL(err, FG_ERR_BUSY, "%s: cannot lock it; try again", lock);
    close(s->lock_fd);
    s->lock_fd = -1;
    *s->path = 0;
    return rc;
}

fg_code fg_spool_open(fg_spool **spool, const char *parent, fg_error *err)
{
    fg_code rc;
    *spool = NULL;
    fg_spool *s = calloc(1, sizeof *s);
    if (!s)
        return FG_FAIL(err, FG_ERR_MEMORY, "out of memory");
    s->lock_fd = -1;
    if ((rc = fg_dir_create(parent, err)) == FG_OK) {
        fg_spool_sweep(parent);
        rc = FG_ERR_BUSY;
    }
    for (int i = 0; i < TRIES && rc == FG_ERR_BUSY; i++)
        rc = make_folder(s, parent, err);
    if (rc == FG_OK)
        *spool = s;
    else
        fg_spool_close(s);
    return rc;
}

void fg_spool_close(fg_spool *spool)
{
    if (!spool)
        return;
    if (*spool->path)
        fg_blob_dir_wipe_folder(spool->path);
    if (spool->lock_fd >= 0)
        close(spool->lock_fd);
    free(spool);
}

fg_code fg_spool_file(fg_spool *spool, char path[FG_MAX_PATH], int *fd, fg_error *err)
{
    char name[64];
    fg_code rc;
    *path = 0;
    *fd = -1;
    snprintf(name, sizeof name, "%08x%08x%08x%08x", randombytes_random(), randombytes_random(),
             randombytes_random(), randombytes_random());
    if ((rc = fg_path_join(path, FG_MAX_PATH, spool->path, name, err)) != FG_OK)
        return rc;
    *fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (*fd < 0) {
        rc = FG_FAIL_ERRNO(err, "cannot create", path);
        *path = 0;
    }
    return rc;
}

void fg_spool_wipe(const char *path)
{
    (void)fg_blob_dir_wipe(AT_FDCWD, path);
}

fg_code fg_spool_one(fg_spool **spool, const char *data, char path[FG_MAX_PATH], int *fd, fg_error *err)
{
    char parent[FG_MAX_PATH];
    *fd = -1;
    *spool = NULL;
    fg_code rc = fg_path_join(parent, sizeof parent, data, "tmp", err);
    if (rc == FG_OK && (rc = fg_spool_open(spool, parent, err)) == FG_OK)
        rc = fg_spool_file(*spool, path, fd, err);
    if (rc != FG_OK) {
        fg_spool_close(*spool);
        *spool = NULL;
    }
    return rc;
}
