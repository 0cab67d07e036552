/* Walking the folder, without recursion: a level is one open folder. Keys are at most FG_MAX_KEY_BYTES long,
 * which bounds the depth. */
#include "blob/dir.h"

#include "base/text.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_DEPTH = FG_MAX_KEY_BYTES / 2 + 1 };

/* A folder's names, read at once, so that callbacks and removals do not disturb the reading. Folders end in
 * '/', which makes the byte order of names that of the keys below them. */
typedef struct level {
    int fd;
    char **names;
    long count, next;
    size_t key_size; /* of the part of the walk's key that leads here */
} level;

typedef struct walk {
    const fg_blob_dir *dir;
    level levels[MAX_DEPTH];
    int depth;
    char key[FG_MAX_KEY_BYTES + 256 + 2];
} walk;

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool is_folder(int fd, const struct dirent *entry)
{
    struct stat st;
    return fstatat(fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
}

static int read_names(level *l)
{
    long capacity = 0;
    int copy = fg_blob_dir_enter(l->fd, "."); /* a duplicate would share its place in the folder with l->fd */
    DIR *stream = copy >= 0 ? fdopendir(copy) : NULL;
    int rc = -1;
    if (!stream) {
        if (copy >= 0)
            close(copy);
        return -1;
    }
    for (struct dirent *e; errno = 0, (e = readdir(stream));) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        if (l->count == capacity) {
            capacity = capacity ? 2 * capacity : 32;
            char **more = realloc(l->names, (size_t)capacity * sizeof *more);
            if (!more)
                goto done;
            l->names = more;
        }
        size_t size = strlen(e->d_name);
        char *name = malloc(size + 2);
        if (!name)
            goto done;
        memcpy(name, e->d_name, size + 1);
        if (is_folder(l->fd, e))
            memcpy(name + size, "/", 2);
        l->names[l->count++] = name;
    }
    rc = errno ? -1 : 0;
done:;
    const int errnum = errno;
    closedir(stream);
    errno = errnum;
    if (l->count)
        qsort(l->names, (size_t)l->count, sizeof *l->names, compare_names);
    return rc;
}

/* Takes fd, also on failure. The walk's key leads to it. */
static fg_code push(walk *w, int fd, fg_error *err)
{
    if (w->depth == MAX_DEPTH) {
        close(fd);
        return FG_FAIL(err, FG_ERR_INPUT, "%s/%.40s...: folders nested too deeply; remove them", w->dir->path,
                       w->key);
    }
    level *l = &w->levels[w->depth++];
    *l = (level){.fd = fd, .key_size = strlen(w->key)};
    return read_names(l) == 0 ? FG_OK : fg_blob_dir_fail(w->dir, "cannot read the folder", w->key, err);
}

static void pop(walk *w)
{
    level *l = &w->levels[--w->depth];
    for (long i = 0; i < l->count; i++)
        free(l->names[i]);
    free(l->names);
    close(l->fd);
}

static fg_code begin(walk *w, const fg_blob_dir *dir, const char *prefix, fg_error *err)
{
    const char *leaf = NULL;
    int fd = -1;
    w->dir = dir;
    w->depth = 0;
    snprintf(w->key, sizeof w->key, "%s", prefix);
    fg_code rc = fg_blob_dir_parent(dir, prefix, &fd, &leaf, err); /* leaf is "" behind the last '/' */
    return rc == FG_OK && fd >= 0 ? push(w, fd, err) : rc;
}

static void end(walk *w)
{
    while (w->depth)
        pop(w);
}

/* Sets the walk's key to that of name in level l; false where no key is that long. */
static bool set_key(walk *w, const level *l, const char *name)
{
    return (size_t)snprintf(w->key + l->key_size, sizeof w->key - l->key_size, "%s", name) <
           sizeof w->key - l->key_size;
}

/* -- list -- */

/* One name of the topmost level; a name that is no part of a key (a put under way) is passed over. */
static fg_code list_one(walk *w, level *l, const char *name,
                        bool (*each)(void *context, const char *key, uint64_t size), void *context,
                        bool *more, fg_error *err)
{
    struct stat st;
    bool folder = name[strlen(name) - 1] == '/';
    if (!set_key(w, l, name) || !(folder ? fg_text_is_prefix(w->key) : fg_text_is_key(w->key)))
        return FG_OK;
    if (folder) {
        char part[256];
        snprintf(part, sizeof part, "%.*s", (int)strlen(name) - 1, name);
        int fd = fg_blob_dir_enter(l->fd, part);
        if (fd >= 0)
            return push(w, fd, err);
        return errno == ENOENT ? FG_OK : fg_blob_dir_fail(w->dir, "cannot open", w->key, err);
    }
    if (fstatat(l->fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode))
        *more = each(context, w->key, (uint64_t)st.st_size);
    return FG_OK;
}

fg_code fg_blob_dir_list(fg_blob *blob, const char *prefix,
                         bool (*each)(void *context, const char *key, uint64_t size), void *context,
                         fg_error *err)
{
    bool more = true;
    walk *w = malloc(sizeof *w);
    if (!w)
        return FG_FAIL(err, FG_ERR_MEMORY, "out of memory");
    fg_code rc = begin(w, (const fg_blob_dir *)blob, prefix, err);
    while (rc == FG_OK && more && w->depth) {
        level *l = &w->levels[w->depth - 1];
        if (l->next == l->count)
            pop(w);
        else
            rc = list_one(w, l, l->names[l->next++], each, context, &more, err);
    }
    end(w);
    free(w);
    return rc;
}

/* -- remove -- */

static fg_code remove_one(walk *w, level *l, const char *name, fg_error *err)
{
    char part[256 + 1];
    size_t size = strlen(name);
    bool folder = name[size - 1] == '/';
    bool fits = set_key(w, l, name);
    snprintf(part, sizeof part, "%.*s", (int)(size - folder), name);
    if (folder && fits) {
        int fd = fg_blob_dir_enter(l->fd, part);
        if (fd >= 0)
            return push(w, fd, err);
    } else if (fg_blob_dir_wipe(l->fd, part) == 0) {
        return FG_OK;
    }
    return errno == ENOENT ? FG_OK : fg_blob_dir_fail(w->dir, "cannot remove", w->key, err);
}

/* Removes the folder of a key and those above it that are empty now, but for the outermost. */
static void remove_empty(const fg_blob_dir *dir, const char *prefix)
{
    char key[FG_MAX_KEY_BYTES + 2];
    snprintf(key, sizeof key, "%s", prefix);
    for (char *slash; (slash = strrchr(key, '/'));) {
        const char *leaf = NULL;
        int fd = -1;
        *slash = 0;
        if (fg_blob_dir_parent(dir, key, &fd, &leaf, NULL) != FG_OK || fd < 0)
            return;
        int result = unlinkat(fd, leaf, AT_REMOVEDIR);
        if (result == 0)
            (void)fsync(fd);
        close(fd);
        if (result != 0 && errno != ENOENT)
            return;
    }
}

fg_code fg_blob_dir_remove_prefix(fg_blob *blob, const char *prefix, fg_error *err)
{
    const fg_blob_dir *dir = (const fg_blob_dir *)blob;
    walk *w = malloc(sizeof *w);
    if (!w)
        return FG_FAIL(err, FG_ERR_MEMORY, "out of memory");
    fg_code rc = begin(w, dir, prefix, err);
    while (rc == FG_OK && w->depth) {
        level *l = &w->levels[w->depth - 1];
        if (l->next < l->count) {
            rc = remove_one(w, l, l->names[l->next++], err);
            continue;
        }
        (void)fsync(l->fd);
        pop(w);
        if (w->depth) { /* the folder just emptied, which may have got a new blob meanwhile */
            level *up = &w->levels[w->depth - 1];
            char *name = up->names[up->next - 1];
            name[strlen(name) - 1] = 0;
            (void)unlinkat(up->fd, name, AT_REMOVEDIR);
        }
    }
    end(w);
    free(w);
    if (rc == FG_OK)
        remove_empty(dir, prefix);
    return rc;
}
