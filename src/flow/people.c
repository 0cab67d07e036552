/* A folder of people into embeddings: who is there, then every photo looked at once, by several threads. */
#include "flow/openset.h"

#include "flow/app.h"
#include "media/image.h"
#include "media/sniff.h"

#include <dirent.h>
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_WORKERS = 64, JPEG_QUALITY = 50, MAX_GROUPS_BYTES = 16 << 20 };
static const char groups_file[] = "groups.json";
static const double crop_share = 0.06; /* of width and height, off the upper left corner */

static const char *const perturbation_names[FG_PERTURBATIONS] = {
    [FG_PERTURB_FLIP] = "flip", [FG_PERTURB_CROP] = "crop", [FG_PERTURB_JPEG] = "jpeg"};

const char *fg_perturbation_name(fg_perturbation perturbation)
{
    return perturbation_names[perturbation];
}

/* -- who is there
 * ------------------------------------------------------------------------------------------------------ */

typedef struct names {
    char **items;
    long count;
} names;

static void names_free(names *n)
{
    for (long i = 0; i < n->count; i++)
        free(n->items[i]);
    free(n->items);
    *n = (names){0};
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The files of a folder in the order of names, on request with its folders; hidden entries are passed over.
 */
static fg_code list(const char *dir, bool folders_too, long most, names *found, fg_error *err)
{
    fg_code rc = FG_OK;
    long room = 0;
    DIR *d = opendir(dir);
    if (!d)
        return FG_FAIL_ERRNO(err, "cannot read the folder", dir);
    for (struct dirent *entry; rc == FG_OK && (entry = readdir(d));) {
        char path[FG_MAX_PATH];
        struct stat st;
        if (entry->d_name[0] == '.')
            continue;
        if ((rc = fg_path_join(path, sizeof path, dir, entry->d_name, err)) != FG_OK)
            break;
        if (stat(path, &st) != 0 || !(S_ISREG(st.st_mode) || (folders_too && S_ISDIR(st.st_mode))))
            continue;
        if (found->count == room) {
            room = room ? 2 * room : 64;
            char **more = room <= 2 * most ? realloc(found->items, (size_t)room * sizeof *more) : NULL;
            if (!more) {
                rc = FG_FAIL(err, FG_ERR_LIMIT, "%s: more than %ld entries", dir, most);
                break;
            }
            found->items = more;
        }
        if (!(found->items[found->count] = strdup(entry->d_name)))
            rc = FG_FAIL(err, FG_ERR_MEMORY, "out of memory");
        else
            found->count++;
    }
    closedir(d);
    if (rc == FG_OK && found->count)
        qsort(found->items, (size_t)found->count, sizeof *found->items, by_text);
    return rc;
}

typedef struct loading {
    fg_people *people;
    fg_app *app;
    names paths; /* photos */
    /* under lock */
    pthread_mutex_t lock;
    long next, done;
    fg_code rc;
    fg_error err;
} loading;

static fg_code add_photo(loading *l, const char *path, int person, long *room, fg_error *err)
{
    fg_people *p = l->people;
    fg_sniffed sniffed;
    fg_code rc = fg_media_sniff_file(path, &sniffed, err);
    if (rc != FG_OK)
        return rc;
    if (sniffed.kind != FG_MEDIA_PHOTO) {
        p->unreadable++;
        return FG_OK;
    }
    if (p->photos == FG_MAX_EVAL_PHOTOS)
        return FG_FAIL(err, FG_ERR_LIMIT, "%s: more than %d photos; use --limit", path, FG_MAX_EVAL_PHOTOS);
    if (p->photos == *room || !l->paths.items || !p->faces) {
        *room = *room ? 2 * *room : 256;
        char **paths = realloc(l->paths.items, (size_t)*room * sizeof *paths);
        if (!paths)
            return FG_FAIL(err, FG_ERR_MEMORY, "out of memory");
        l->paths.items = paths;
        fg_photo_face *faces = realloc(p->faces, (size_t)*room * sizeof *faces);
        if (!faces)
            return FG_FAIL(err, FG_ERR_MEMORY, "out of memory");
        p->faces = faces;
    }
    if (!(l->paths.items[p->photos] = strdup(path)))
        return FG_FAIL(err, FG_ERR_MEMORY, "out of memory");
    p->faces[p->photos] = (fg_photo_face){.person = person, .reason = FG_REASON_NO_FACE};
    l->paths.count = ++p->photos;
    return FG_OK;
}

/* A folder of photos, or one photo. */
static fg_code add_person(loading *l, const char *dir, int person, long *room, fg_error *err)
{
    char entry[FG_MAX_PATH], path[FG_MAX_PATH];
    struct stat st;
    names files = {0};
    fg_code rc = fg_path_join(entry, sizeof entry, dir, l->people->names[person], err);
    if (rc != FG_OK)
        return rc;
    if (stat(entry, &st) == 0 && S_ISREG(st.st_mode))
        return add_photo(l, entry, person, room, err);
    rc = list(entry, false, FG_MAX_EVAL_PHOTOS, &files, err);
    for (long i = 0; i < files.count && rc == FG_OK; i++)
        if ((rc = fg_path_join(path, sizeof path, entry, files.items[i], err)) == FG_OK)
            rc = add_photo(l, path, person, room, err);
    names_free(&files);
    return rc;
}

static fg_code find_people(loading *l, const char *dir, int limit, fg_error *err)
{
    fg_people *p = l->people;
    names found = {0};
    long room = 0;
    fg_code rc = list(dir, true, FG_MAX_EVAL_PHOTOS, &found, err);
    for (long i = 0; i < found.count; i++) /* no person */
        if (strcmp(found.items[i], groups_file) == 0) {
            free(found.items[i]);
            memmove(found.items + i, found.items + i + 1, (size_t)(--found.count - i) * sizeof *found.items);
        }
    p->names = found.items;
    p->people = (int)found.count;
    if (rc == FG_OK && p->people == 0)
        rc = FG_FAIL(err, FG_ERR_INPUT, "%s: an empty folder; give DIR of DIR/<person>/<photo>", dir);
    if (rc != FG_OK || !p->names)
        return rc;
    while (limit && p->people > limit)
        free(p->names[--p->people]);
    for (int i = 0; i < p->people && rc == FG_OK; i++)
        rc = add_person(l, dir, i, &room, err);
    if (rc == FG_OK && p->photos == 0)
        rc = FG_FAIL(err, FG_ERR_INPUT, "%s: no photos in it; give DIR of DIR/<person>/<photo>", dir);
    return rc;
}

static int group_number(fg_people *p, const char *name)
{
    for (int g = 0; g < p->group_count; g++)
        if (strcmp(p->groups[g], name) == 0)
            return g;
    if (p->group_count == FG_MAX_EVAL_GROUPS || !(p->groups[p->group_count] = strdup(name)))
        return -1;
    return p->group_count++;
}

static fg_code read_groups(fg_people *p, const char *dir, fg_error *err)
{
    char path[FG_MAX_PATH];
    fg_buf text;
    json_t *document = NULL;
    json_error_t problem;
    p->group = malloc((size_t)p->people * sizeof *p->group);
    if (!p->group)
        return FG_FAIL(err, FG_ERR_MEMORY, "out of memory");
    for (int i = 0; i < p->people; i++)
        p->group[i] = -1;
    fg_code rc = fg_path_join(path, sizeof path, dir, groups_file, err);
    if (rc != FG_OK || !fg_file_exists(path))
        return rc;
    fg_buf_init(&text, MAX_GROUPS_BYTES);
    rc = fg_file_read(path, &text, err);
    if (rc == FG_OK)
        document = json_loadb((char *)text.data, text.size, 0, &problem); /* json_is_object() looks twice */
    if (rc == FG_OK && !json_is_object(document))
        rc = FG_FAIL(err, FG_ERR_INPUT, "%s: not a JSON object of {\"person\": \"group\"}", path);
    for (int i = 0; i < p->people && rc == FG_OK; i++) {
        const json_t *group = json_object_get(document, p->names[i]);
        if (!group)
            continue;
        if (!json_is_string(group) || (p->group[i] = group_number(p, json_string_value(group))) < 0)
            rc = FG_FAIL(err, FG_ERR_INPUT, "%s: the group of %s must be one of at most %d words", path,
                         p->names[i], FG_MAX_EVAL_GROUPS);
    }
    json_decref(document);
    fg_buf_deinit(&text);
    return rc;
}

/* -- what the photos show
 * ------------------------------------------------------------------------------------------------------ */

static fg_code crop(fg_frame *out, const fg_frame *frame, fg_error *err)
{
    int left = (int)(crop_share * frame->width), top = (int)(crop_share * frame->height);
    fg_code rc = fg_frame_init(out, frame->width - left, frame->height - top, err);
    for (int y = 0; rc == FG_OK && y < out->height; y++)
        memcpy(out->rgb + (size_t)y * out->stride,
               frame->rgb + (size_t)(y + top) * frame->stride + 3 * (size_t)left, 3 * (size_t)out->width);
    return rc;
}

static fg_code recode(fg_frame *out, const fg_frame *frame, fg_error *err)
{
    uint8_t *jpeg = NULL;
    size_t size = 0;
    fg_code rc = fg_image_encode_jpeg(frame, JPEG_QUALITY, &jpeg, &size, err);
    if (rc == FG_OK)
        rc = fg_image_decode(out, jpeg, size, 0, NULL, "a photo", err);
    free(jpeg);
    return rc;
}

static fg_code perturb(fg_frame *out, const fg_frame *frame, fg_perturbation how, fg_error *err)
{
    *out = (fg_frame){0};
    if (how == FG_PERTURB_CROP)
        return crop(out, frame, err);
    if (how == FG_PERTURB_JPEG)
        return recode(out, frame, err);
    fg_code rc = fg_frame_dup(out, frame, err);
    if (rc == FG_OK)
        fg_frame_mirror(out);
    return rc;
}

/* One picture as `verify` sees it: its reason, and where it is usable its embedding and variations. unclear
 * may be NULL. */
static fg_code look(fg_worker *worker, const fg_frame *frame, int variations, fg_reason *reason,
                    bool *unclear, float *embeddings, fg_error *err)
{
    float magnitudes[FG_VARIATIONS] = {0};
    fg_frame chips[FG_VARIATIONS] = {{0}};
    fg_look seen = {0};
    fg_code rc = fg_look_at(worker, frame, &seen, err);
    *reason = rc == FG_OK ? seen.reason : FG_REASON_NO_FACE;
    for (int v = 1; v < variations && rc == FG_OK && *reason == FG_REASON_NONE; v++)
        rc = fg_vary(worker->app->engine, frame, seen.face.points, v, &chips[v], err);
    if (rc == FG_OK && *reason == FG_REASON_NONE) {
        chips[0] = seen.chip; /* moved */
        seen.chip = (fg_frame){0};
        rc = fg_embed(worker->session, chips, variations, embeddings, magnitudes, err);
        if (unclear)
            *unclear = magnitudes[0] < fg_engine_info_view(worker->app->engine)->unclear_below;
    }
    for (int v = 0; v < variations; v++)
        fg_frame_deinit(&chips[v]);
    fg_look_deinit(&seen);
    return rc;
}

static fg_code take_photo(const loading *l, fg_worker *worker, long photo, fg_error *err)
{
    fg_people *p = l->people;
    fg_photo_face *face = &p->faces[photo];
    float *embeddings = p->embeddings + (size_t)photo * (size_t)p->views * (size_t)p->size;
    fg_frame frame = {0};
    fg_code rc = fg_image_load(&frame, l->paths.items[photo], fg_app_max_side(l->app), NULL, err);
    if (rc == FG_OK)
        rc = look(worker, &frame, p->variations, &face->reason, &face->unclear, embeddings, err);
    for (int k = 0; k < FG_PERTURBATIONS && rc == FG_OK && p->perturbed && face->reason == FG_REASON_NONE;
         k++) {
        fg_frame changed;
        if ((rc = perturb(&changed, &frame, (fg_perturbation)k, err)) == FG_OK)
            rc = look(worker, &changed, 1, &face->perturbed[k], NULL,
                      embeddings + (size_t)(p->variations + k) * (size_t)p->size, err);
        fg_frame_deinit(&changed);
    }
    fg_frame_deinit(&frame);
    return rc;
}

/* progress: NULL in all threads but the caller's. A photo that cannot be read is counted, not fatal: an
 * hour's work does not end at one broken file. */
static void take_photos(loading *l, fg_worker *worker, const fg_progress *progress)
{
    for (;;) {
        fg_error err;
        pthread_mutex_lock(&l->lock);
        long photo = l->rc == FG_OK && l->next < l->people->photos ? l->next++ : -1;
        pthread_mutex_unlock(&l->lock);
        if (photo < 0)
            return;
        fg_code rc = take_photo(l, worker, photo, &err);
        bool broken = rc == FG_ERR_INPUT || rc == FG_ERR_UNSUPPORTED || rc == FG_ERR_LIMIT;
        pthread_mutex_lock(&l->lock);
        long done = ++l->done;
        l->people->unreadable += broken;
        pthread_mutex_unlock(&l->lock);
        if (broken)
            rc = FG_OK;
        if (rc == FG_OK && !fg_progress_tell(progress, "photos", done, l->people->photos))
            rc = FG_FAIL(&err, FG_ERR_CANCELLED, "cancelled");
        if (rc != FG_OK) {
            pthread_mutex_lock(&l->lock);
            if (l->rc == FG_OK) {
                l->rc = rc;
                l->err = err;
            }
            pthread_mutex_unlock(&l->lock);
        }
    }
}

static void *helper(void *context)
{
    loading *l = context;
    fg_worker *worker = NULL;
    if (fg_worker_new(&worker, l->app, NULL) == FG_OK) /* else the others do it */
        take_photos(l, worker, NULL);
    fg_worker_free(worker);
    return NULL;
}

fg_code fg_people_load(fg_people *people, fg_worker *worker, const char *images_dir, bool vary,
                       bool perturbed, int limit, int workers, const fg_progress *progress, fg_error *err)
{
    pthread_t threads[MAX_WORKERS];
    struct stat st;
    int started = 0;
    if (stat(images_dir, &st) == 0 && S_ISREG(st.st_mode)) {
        *people = (fg_people){0};
        return perturbed ? FG_FAIL(err, FG_ERR_USAGE, "%s: photos are needed to change them; give a folder",
                                   images_dir)
                         : fg_people_take(people, worker->app, images_dir, vary, limit, err);
    }
    loading l = {.people = people, .app = worker->app, .lock = PTHREAD_MUTEX_INITIALIZER};
    *people = (fg_people){.size = fg_engine_info_view(worker->app->engine)->embedding_size,
                          .variations = vary ? FG_VARIATIONS : 1,
                          .perturbed = perturbed};
    people->views = people->variations + (perturbed ? FG_PERTURBATIONS : 0);
    fg_code rc = find_people(&l, images_dir, limit, err);
    if (rc == FG_OK)
        rc = read_groups(people, images_dir, err);
    if (rc != FG_OK)
        goto done;
    people->embeddings =
        calloc((size_t)people->photos, (size_t)people->views * (size_t)people->size * sizeof(float));
    if (!people->embeddings) {
        rc = FG_FAIL(err, FG_ERR_MEMORY, "out of memory for %ld photos", people->photos);
        goto done;
    }
    while (started < workers - 1 && started < MAX_WORKERS &&
           pthread_create(&threads[started], NULL, helper, &l) == 0)
        started++;
    take_photos(&l, worker, progress);
    for (int i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    rc = l.rc;
    if (rc != FG_OK && err)
        *err = l.err;
done:
    names_free(&l.paths);
    if (rc != FG_OK)
        fg_people_deinit(people);
    return rc;
}

void fg_people_deinit(fg_people *people)
{
    for (int i = 0; i < people->people; i++)
        free(people->names[i]);
    for (int g = 0; g < people->group_count; g++)
        free(people->groups[g]);
    free(people->names);
    free(people->group);
    free(people->faces);
    free(people->embeddings);
    *people = (fg_people){0};
}
