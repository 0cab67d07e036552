#include "flow/dataset.h"

#include "base/text.h"
#include "flow/app.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* -- out -- */

/* The index of each row's member's name. The set is ordered by member. */
static fg_code take_names(fg_app *app, const fg_template_set *set, fg_dataset *d, fg_error *err)
{
    int members = 0;
    for (long i = 0; i < set->count; i++) {
        members += i == 0 || set->member_ids[i] != set->member_ids[i - 1];
        d->labels[i] = members - 1;
    }
    if (members == 0 || !(d->names = calloc((size_t)members, sizeof(char *))))
        return FG_FAIL(err, FG_ERR_MEMORY, "out of memory");
    for (long i = 0; i < set->count; i++) {
        if (d->labels[i] < d->name_count)
            continue;
        fg_member member = {0};
        fg_code rc = fg_store_member_by_id(app->store, set->member_ids[i], &member, err);
        if (rc != FG_OK)
            return rc;
        d->names[d->name_count++] = member.name; /* moved */
        member.name = NULL;
        fg_member_deinit(&member);
    }
    return FG_OK;
}

fg_code fg_dataset_of_team(fg_app *app, fg_dataset *d, fg_error *err)
{
    const fg_engine_info *model = fg_engine_info_view(app->engine);
    fg_template_set set = {0};
    long stale = 0;
    *d = (fg_dataset){0};
    fg_code rc = fg_store_templates(app->store, model->model_hash, &set, &stale, err);
    if (rc == FG_OK && set.count < 1)
        rc = stale ? FG_FAIL(err, FG_ERR_STATE, "every template (%ld) is of another embedder than %s", stale,
                             model->embedder)
                   : FG_FAIL(err, FG_ERR_STATE,
                             "nobody is enrolled yet; enrol a first member with `facegate enroll`");
    if (rc != FG_OK)
        goto done;
    d->count = set.count;
    d->size = set.embedding_size;
    d->labels = malloc((size_t)set.count * sizeof *d->labels);
    d->segments = malloc((size_t)set.count * sizeof *d->segments);
    memcpy(d->model_hash, model->model_hash, sizeof d->model_hash);
    if (!d->labels || !d->segments) {
        rc = FG_FAIL(err, FG_ERR_MEMORY, "out of memory");
        goto done;
    }
    /* Numbered anew: the store's own numbers say when and how often somebody was enrolled. */
    for (long i = 0, at = 0; i < set.count; i++) {
        at += i > 0 && fg_segment_of(set.source_ids[i], set.times_ms[i]) !=
                           fg_segment_of(set.source_ids[i - 1], set.times_ms[i - 1]);
        d->segments[i] = at;
    }
    rc = take_names(app, &set, d, err);
    d->data = set.embeddings; /* moved */
    set.embeddings = NULL;
done:
    fg_template_set_deinit(&set);
    if (rc != FG_OK)
        fg_dataset_deinit(d);
    return rc;
}

fg_code fg_export(fg_app *app, fg_dataset_format format, const char *path, const fg_actor *actor,
                  long *templates, int *members, fg_error *err)
{
    fg_dataset d = {0};
    *templates = 0;
    *members = 0;
    fg_code rc = fg_dataset_of_team(app, &d, err);
    /* First, so that nothing leaves without a trace. */
    if (rc == FG_OK)
        rc = fg_record(app, actor, "export", fg_dataset_format_name(format), err);
    if (rc == FG_OK)
        rc = fg_dataset_save(&d, format, path, err);
    if (rc == FG_OK) {
        *templates = d.count;
        *members = d.name_count;
    }
    fg_dataset_deinit(&d);
    return rc;
}

/* -- in -- */

fg_code fg_dataset_segments(const fg_dataset *d, int64_t *segments, fg_error *err)
{
    long *rows = calloc((size_t)d->name_count, sizeof *rows); /* of each member so far */
    if (!rows)
        return FG_FAIL(err, FG_ERR_MEMORY, "out of memory");
    for (long i = 0; i < d->count; i++)
        segments[i] = d->segments ? d->segments[i] : rows[d->labels[i]]++ / FG_DATASET_SEGMENT_ROWS;
    free(rows);
    return FG_OK;
}

typedef struct importing {
    fg_app *app;
    const fg_import_request *request;
    fg_dataset dataset;
    int64_t *segments, *last_segments,
        *times;             /* times: of each member, the last one's number in this import */
    fg_template *templates; /* grouped by member */
    long *firsts;           /* of each member, and the end */
    fg_source *sources;     /* of each member */
    fg_enrolment *enrolments;
    char (*prefixes)[FG_MAX_KEY_BYTES + 1]; /* of each member */
    int64_t *member_ids;
    int new_members;
} importing;

static fg_code allocate(importing *im, fg_error *err)
{
    const size_t rows = (size_t)im->dataset.count, members = (size_t)im->dataset.name_count;
    im->segments = calloc(rows, sizeof *im->segments);
    im->last_segments = calloc(members, sizeof *im->last_segments);
    im->times = calloc(members, sizeof *im->times);
    im->templates = calloc(rows, sizeof *im->templates);
    im->firsts = calloc(members + 1, sizeof *im->firsts);
    im->sources = calloc(members, sizeof *im->sources);
    im->enrolments = calloc(members, sizeof *im->enrolments);
    im->prefixes = calloc(members, sizeof *im->prefixes);
    im->member_ids = calloc(members, sizeof *im->member_ids);
    return im->segments && im->last_segments && im->times && im->templates && im->firsts && im->sources &&
                   im->enrolments && im->prefixes && im->member_ids
               ? FG_OK
               : FG_FAIL(err, FG_ERR_MEMORY, "out of memory for %ld rows", im->dataset.count);
}

static void deinit(importing *im)
{
    fg_dataset_deinit(&im->dataset);
    free(im->segments);
    free(im->last_segments);
    free(im->times);
    free(im->templates);
    free(im->firsts);
    free(im->sources);
    free(im->enrolments);
    free(im->prefixes);
    free(im->member_ids);
}

static fg_code check(const importing *im, fg_error *err)
{
    const fg_engine_info *model = fg_engine_info_view(im->app->engine);
    const char *hash = im->dataset.model_hash;
    fg_code rc = fg_embedder_check(im->app, err);
    if (rc != FG_OK)
        return rc;
    if (hash[0] && strcmp(hash, model->model_hash) != 0)
        return FG_FAIL(err, FG_ERR_STATE,
                       "it was made with another embedder (%.12s) than %s (%.12s): choose that one with "
                       "--embedder, or enrol anew; templates of two embedders never mix",
                       hash, model->embedder, model->model_hash);
    return fg_dataset_check(&im->dataset, model->embedding_size, err);
}

/* Rows to templates, member by member. A segment becomes a time, two seconds apart, which is how training
 * tells near copies. */
static fg_code group(importing *im, fg_error *err)
{
    const fg_dataset *d = &im->dataset;
    const fg_engine_info *model = fg_engine_info_view(im->app->engine);
    long *at = calloc((size_t)d->name_count, sizeof *at);
    if (!at)
        return FG_FAIL(err, FG_ERR_MEMORY, "out of memory");
    fg_code rc = fg_dataset_segments(d, im->segments, err);
    for (long i = 0; i < d->count; i++)
        im->firsts[d->labels[i] + 1]++;
    for (int m = 0; m < d->name_count; m++)
        im->firsts[m + 1] += im->firsts[m];
    for (long i = 0; i < d->count && rc == FG_OK; i++) {
        const int m = d->labels[i];
        if (at[m] > 0 && im->segments[i] != im->last_segments[m])
            im->times[m] += FG_SEGMENT_MS;
        im->last_segments[m] = im->segments[i];
        fg_template *t = &im->templates[im->firsts[m] + at[m]];
        *t = (fg_template){
            .frame_index = (int)at[m]++,
            .time_ms = im->times[m],
            .embedding_size = d->size,
            .embedding = d->data + i * d->size,
        };
        memcpy(t->model_hash, model->model_hash, sizeof t->model_hash);
    }
    free(at);
    return rc;
}

/* Whether the member is there already, and where its blobs are. */
static fg_code find_member(importing *im, int m, fg_error *err)
{
    fg_member member = {0};
    uint8_t random[16];
    char hex[2 * sizeof random + 1];
    fg_error ignored;
    const char *name = im->dataset.names[m];
    fg_code rc = fg_store_member_by_name(im->app->store, name, &member, &ignored);
    if (rc == FG_OK) {
        snprintf(im->prefixes[m], sizeof im->prefixes[m], "%s", member.blob_prefix);
        if (!im->request->add)
            rc = FG_FAIL(
                err, FG_ERR_EXISTS,
                "%s is enrolled already; add to what there is with --add, or remove the member first", name);
    } else if (rc == FG_ERR_NOT_FOUND) {
        im->new_members++;
        randombytes_buf(random, sizeof random);
        sodium_bin2hex(hex, sizeof hex, random, sizeof random);
        snprintf(im->prefixes[m], sizeof im->prefixes[m], "members/%s/", hex);
        rc = im->request->role
                 ? FG_OK
                 : FG_FAIL(err, FG_ERR_USAGE, "%s is new: give the new members' role with --role", name);
    } else if (err) {
        *err = ignored;
    }
    fg_member_deinit(&member);
    return rc;
}

static fg_code prepare(importing *im, const char *sha256, fg_error *err)
{
    const char *name = im->request->name, *slash = strrchr(im->request->path, '/');
    fg_code rc = FG_OK;
    if (!name)
        name = slash ? slash + 1 : im->request->path;
    for (int m = 0; m < im->dataset.name_count && rc == FG_OK; m++) {
        const long count = im->firsts[m + 1] - im->firsts[m];
        const int before = im->new_members;
        rc = find_member(im, m, err);
        const bool is_new = im->new_members > before; /* the others' role and rights stay */
        im->sources[m] = (fg_source){.name = (char *)name,
                                     .kind = (char *)"dataset",
                                     .every = 1,
                                     .frames_sampled = count,
                                     .faces_used = count};
        memcpy(im->sources[m].sha256, sha256, sizeof im->sources[m].sha256);
        im->enrolments[m] = (fg_enrolment){.name = im->dataset.names[m],
                                           .role = is_new ? im->request->role : NULL,
                                           .rights = im->request->rights,
                                           .right_count = is_new ? im->request->right_count : 0,
                                           .blob_prefix = im->prefixes[m],
                                           .add = im->request->add,
                                           .sources = &im->sources[m],
                                           .source_count = 1,
                                           .templates = im->templates + im->firsts[m],
                                           .template_count = count,
                                           .embedder = fg_engine_info_view(im->app->engine)->embedder};
    }
    return rc;
}

fg_code fg_import(fg_app *app, const fg_import_request *request, fg_import_report *report, fg_error *err)
{
    importing im = {.app = app, .request = request};
    char sha256[FG_SHA256_HEX];
    *report = (fg_import_report){0};
    fg_code rc = fg_dataset_load(&im.dataset, request->path, err);
    if (rc != FG_OK)
        return rc;
    rc = fg_file_sha256(request->path, sha256, NULL, err);
    if (rc == FG_OK && (rc = check(&im, err)) != FG_OK)
        rc = fg_error_prefix(err, rc, request->path);
    if (rc == FG_OK)
        rc = allocate(&im, err);
    if (rc == FG_OK)
        rc = group(&im, err);
    if (rc == FG_OK)
        rc = prepare(&im, sha256, err);
    if (rc == FG_OK)
        rc = fg_store_enroll_all(app->store, im.enrolments, im.dataset.name_count, im.member_ids, err);
    if (rc == FG_OK)
        rc = fg_record(app, &request->actor, "import", im.sources[0].name, err);
    if (rc == FG_OK)
        *report = (fg_import_report){im.dataset.count, im.dataset.name_count, im.new_members};
    deinit(&im);
    return rc;
}
