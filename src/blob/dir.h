/* Blobs in a folder: the folder's descriptor, and what dir.c and dir_walk.c share. Every path below the
 * folder is opened part by part, without following symbolic links, so nothing outside it can be reached. */
#ifndef FG_BLOB_DIR_H
#define FG_BLOB_DIR_H

#include "blob/backend.h"

typedef struct fg_blob_dir {
    fg_blob base;
    int fd;     /* of the folder */
    char *path; /* for messages */
} fg_blob_dir;

/* The error of errno for what is stored under key. */
fg_code fg_blob_dir_fail(const fg_blob_dir *dir, const char *what, const char *key, fg_error *err);
/* The folder of a key, and its last part, which points into key. *fd is -1 where there is no such folder;
 * else the caller closes it. */
fg_code fg_blob_dir_parent(const fg_blob_dir *dir, const char *key, int *fd, const char **leaf,
                           fg_error *err) FG_MUST_CHECK;
/* Opens a folder in another, whatever it is called: -1 and errno (ENOTDIR for a symbolic link). */
int fg_blob_dir_enter(int fd, const char *name);
/* Overwrites a plain file with zeros, where this is possible, and unlinks it. -1 and errno. */
int fg_blob_dir_wipe(int fd, const char *name);
/* The same for all files of a folder with no folders in it, and the folder goes, too, as far as possible. */
void fg_blob_dir_wipe_folder(const char *path);

/* dir_walk.c */
fg_code fg_blob_dir_remove_prefix(fg_blob *blob, const char *prefix, fg_error *err);
fg_code fg_blob_dir_list(fg_blob *blob, const char *prefix,
                         bool (*each)(void *context, const char *key, uint64_t size), void *context,
                         fg_error *err);

#endif
