#include "blob/spool.h"

#include "base/file.h"
#include "blob/dir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static const char prefix[] = "spool-";
enum { UNLOCKED_GRACE_S = 60 }; /* between another process's mkdir and its lock */

struct fg_spool {
    char path[FG_MAX_PATH];
    int lock_fd;
};

/* True where no living process holds the folder. */
static bool is_abandoned(const char *path)
{
    char lock[FG_MAX_PATH];
    struct stat st;
    if (fg_path_join(lock, sizeof lock, path, "lock", NULL) != FG_OK)
        return false;
    int fd = open(lock, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return stat(path, &st) == 0 && time(NULL) - st.st_mtime > UNLOCKED_GRACE_S;
    bool free_lock = flock(fd, LOCK_EX | LOCK_NB) == 0;
    close(fd);
    return free_lock;
}

void fg_spool_sweep(const char *parent)
{
    char path[FG_MAX_PATH];
    DIR *dir = opendir(parent);
    if (!dir)
        return;
    for (struct dirent *d; (d = readdir(dir));)
        if (strncmp(d->d_name, prefix, sizeof prefix - 1) == 0 &&
            fg_path_join(path, sizeof path, parent, d->d_name, NULL) == FG_OK && is_abandoned(path))
            fg_blob_dir_wipe_folder(path);
    closedir(dir);
}

fg_code fg_spool_open(fg_spool **spool, const char *parent, fg_error *err)
{
    char name[64], lock[FG_MAX_PATH];
    fg_code rc;
    *spool = NULL;
    fg_spool *s = calloc(1, sizeof *s);
    if (!s)
        return FG_FAIL(err, FG_ERR_MEMORY, "out of memory");
    s->lock_fd = -1;
    if ((rc = fg_dir_create(parent, err)) != FG_OK)
        goto done;
    fg_spool_sweep(parent);
    snprintf(name, sizeof name, "%s%08x%08x", prefix, randombytes_random(), randombytes_random());
    if ((rc = fg_path_join(s->path, sizeof s->path, parent, name, err)) != FG_OK ||
        (rc = fg_dir_create(s->path, err)) != FG_OK ||
        (rc = fg_path_join(lock, sizeof lock, s->path, "lock", err)) != FG_OK)
        goto done;
    s->lock_fd = open(lock, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (s->lock_fd < 0 || flock(s->lock_fd, LOCK_EX | LOCK_NB) != 0) {
        rc = FG_FAIL_ERRNO(err, "cannot lock", lock);
        goto done;
    }
    *spool = s;
    s = NULL;
done:
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
