/* The team's embedder, and the switch to another: every kept chip is embedded again, batch by batch beside
 * the old embeddings, and when there are all they take their place at once. Killed on the way, the old ones
 * are in force, and the next try goes on where this one stopped. */
#include "flow/app.h"

#include "base/clock.h"
#include "media/image.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Somebody enrolled while this ran: once more for theirs. More often than this is no chance. */
enum { BATCH = 32, MAX_ROUNDS = 10, MAX_NAMED = 5, MAX_CHIP_BYTES = 4 << 20 };

fg_code fg_embedder_check(fg_app *app, fg_error *err)
{
    const fg_engine_info *info = fg_engine_info_view(app->engine);
    fg_embedder team;
    fg_code rc = fg_store_embedder(app->store, &team, err);
    if (rc != FG_OK || !*team.name || strcmp(team.model_hash, info->model_hash) == 0)
        return rc;
    if (strcmp(team.name, info->embedder) == 0)
        return FG_FAIL(
            err, FG_ERR_STATE,
            "the team's templates are of an earlier %s than this one; run `facegate models use %s`",
            team.name, team.name);
    return FG_FAIL(err, FG_ERR_STATE,
                   "the team's embedder is %s, and %s is loaded: start again without --embedder "
                   "(FACEGATE_EMBEDDER), or switch the team with `facegate models use %s`",
                   team.name, info->embedder, info->embedder);
}

typedef struct using
{
    fg_worker *worker;
    fg_app *app;
    const fg_progress *progress;
    fg_use_result *result;
    const fg_engine_info *info;
    int64_t ids[BATCH];
    float *embeddings; /* BATCH of them */
    long batch;
    long done, total;
}
using;

/* -- what cannot be embedded again -- */

/* Names of those who would be left with nothing. */
static fg_code name_the_lost(using *u, const fg_template *todo, long count, char *names, size_t size,
                             fg_error *err)
{
    fg_member *members = NULL;
    long n = 0, named = 0, more = 0;
    size_t at = 0;
    *names = 0;
    fg_code rc = fg_store_members(u->app->store, &members, &n, err);
    for (long m = 0; m < n; m++) {
        long lost = 0;
        for (long i = 0; i < count; i++) /* ordered by member, but few: read once a member */
            lost += todo[i].member_id == members[m].id && !todo[i].chip_key;
        if (lost == 0 || lost < members[m].templates)
            continue;
        if (named == MAX_NAMED || at + strlen(members[m].name) + 3 > size) {
            more++;
            continue;
        }
        at += (size_t)snprintf(names + at, size - at, "%s%s", named++ ? ", " : "", members[m].name);
    }
    if (more)
        snprintf(names + at, size - at, " and %ld more", more);
    fg_members_free(members, n);
    return rc;
}

static fg_code refuse_loss(using *u, const fg_template *todo, long count, long lost, fg_error *err)
{
    char names[MAX_NAMED * (FG_MAX_NAME_BYTES + 2) + 32];
    fg_code rc = name_the_lost(u, todo, count, names, sizeof names, err);
    if (rc != FG_OK)
        return rc;
    return FG_FAIL(err, FG_ERR_STATE,
                   "%ld of the templates have no picture to embed again (retention has deleted it, or they "
                   "were imported)%s%s; nothing was changed; --force goes on without them",
                   lost, *names ? ", and would be all of: " : "", names);
}

/* -- embedding -- */

static fg_code flush(using *u, fg_error *err)
{
    fg_code rc = u->batch
                     ? fg_store_reembed_stage(u->app->store, u->info->model_hash, u->info->embedding_size,
                                              u->ids, u->embeddings, u->batch, err)
                     : FG_OK;
    u->batch = 0;
    return rc;
}

static fg_code embed_chip(using *u, const fg_template *t, fg_error *err)
{
    fg_frame kept = {0}, chip = {0};
    fg_buf png;
    fg_buf_init(&png, MAX_CHIP_BYTES);
    fg_code rc = fg_blob_get(u->app->blob, t->chip_key, &png, err);
    if (rc == FG_OK)
        rc = fg_image_decode(&kept, png.data, png.size, 0, NULL, t->chip_key, err);
    if (rc == FG_OK)
        rc = fg_kept_align(u->app->engine, &kept, t->variation, &chip, err);
    if (rc == FG_OK)
        rc = fg_embed_chip(u->worker->session, &chip, t->sampled,
                           u->embeddings + (size_t)u->batch * (size_t)u->info->embedding_size, NULL, err);
    if (rc == FG_OK)
        u->ids[u->batch++] = t->id;
    fg_buf_deinit(&png);
    fg_frame_deinit(&kept);
    fg_frame_deinit(&chip);
    return rc;
}

static bool is_unreadable(fg_code rc)
{
    return rc == FG_ERR_NOT_FOUND || rc == FG_ERR_INPUT || rc == FG_ERR_UNSUPPORTED || rc == FG_ERR_LIMIT;
}

static fg_code embed_all(using *u, const fg_template *todo, long count, fg_error *err)
{
    const bool force = u->app->settings->force;
    fg_error why = {0};
    fg_code rc = FG_OK;
    for (long i = 0; i < count && rc == FG_OK; i++) {
        rc = todo[i].chip_key ? embed_chip(u, &todo[i], &why) : FG_ERR_NOT_FOUND;
        if (rc != FG_OK && is_unreadable(rc) && force)
            rc = fg_store_reembed_stage(u->app->store, u->info->model_hash, u->info->embedding_size,
                                        &todo[i].id, NULL, 1, err);
        else if (rc != FG_OK)
            rc = FG_FAIL(err, rc, "%s%s", why.msg,
                         is_unreadable(rc) ? "; the old embedder stays; --force goes on without this picture"
                                           : "");
        if (rc == FG_OK && u->batch == BATCH)
            rc = flush(u, err);
        u->done++;
        if (rc == FG_OK && !fg_progress_tell(u->progress, "templates", u->done, u->total))
            rc = FG_FAIL(err, FG_ERR_CANCELLED,
                         "cancelled; the old embedder stays, and the next try goes on from here");
    }
    fg_code flushed = flush(u, rc == FG_OK ? err : NULL);
    return rc == FG_OK ? flushed : rc;
}

/* What is still to do, done. */
static fg_code one_round(using *u, fg_error *err)
{
    fg_template *todo = NULL;
    long count = 0, lost = 0;
    fg_code rc = fg_store_reembed_todo(u->app->store, u->info->model_hash, &todo, &count, err);
    for (long i = 0; i < count; i++)
        lost += todo[i].chip_key == NULL;
    u->total = u->done + count;
    if (rc == FG_OK && lost && !u->app->settings->force)
        rc = refuse_loss(u, todo, count, lost, err);
    if (rc == FG_OK)
        rc = embed_all(u, todo, count, err);
    fg_templates_free(todo, count);
    return rc;
}

static fg_code reembed(using *u, fg_error *err)
{
    fg_reembedded switched = {.left = 1};
    fg_code rc = fg_store_reembed_begin(u->app->store, u->info->model_hash, &u->result->resumed, err);
    u->done = u->result->resumed;
    for (int round = 0; round < MAX_ROUNDS && rc == FG_OK && switched.left; round++) {
        if ((rc = one_round(u, err)) == FG_OK)
            rc = fg_store_reembed_switch(u->app->store, u->info->embedder, u->info->model_hash, &switched,
                                         err);
    }
    if (rc == FG_OK && switched.left)
        rc = FG_FAIL(err, FG_ERR_BUSY,
                     "new members are enrolled faster than they can be embedded; try again when it is quiet");
    u->result->embedded = switched.switched;
    u->result->lost = switched.dropped;
    return rc;
}

/* -- training -- */

/* Was a classifier in force that this embedder cannot use? */
static fg_code needs_training(using *u, bool *needs, fg_error *err)
{
    fg_version_info *infos = NULL;
    long count = 0;
    *needs = false;
    fg_code rc = fg_store_versions(u->app->store, &infos, &count, err);
    for (long i = 0; i < count; i++)
        *needs |= infos[i].active && strcmp(infos[i].model_hash, u->info->model_hash) != 0;
    fg_versions_free(infos, count);
    return rc;
}

static fg_code train(using *u, const fg_actor *actor, fg_error *err)
{
    bool needs = false;
    fg_code rc = needs_training(u, &needs, err);
    fg_train_result *trained = needs && rc == FG_OK ? calloc(1, sizeof *trained) : NULL;
    if (rc != FG_OK || !needs)
        return rc;
    if (!trained)
        return FG_FAIL(err, FG_ERR_MEMORY, "out of memory");
    rc = fg_train(u->worker, actor, u->progress, trained, err);
    u->result->version = trained->version;
    free(trained);
    if (rc != FG_OK) {
        char prefix[128];
        snprintf(prefix, sizeof prefix, "the embedder is %s now, but the training failed", u->info->embedder);
        rc = fg_error_prefix(err, rc, prefix);
    }
    return rc;
}

fg_code fg_use_embedder(fg_worker *worker, const fg_actor *actor, const fg_progress *progress,
                        fg_use_result *result, fg_error *err)
{
    using u = {.worker = worker, .app = worker->app, .progress = progress, .result = result};
    double start = fg_clock_monotonic_ms();
    *result = (fg_use_result){0};
    u.info = fg_engine_info_view(u.app->engine);
    u.embeddings = malloc(BATCH * (size_t)u.info->embedding_size * sizeof *u.embeddings);
    fg_code rc = u.embeddings ? fg_store_embedder(u.app->store, &result->before, err)
                              : FG_FAIL(err, FG_ERR_MEMORY, "out of memory");
    if (rc == FG_OK)
        rc = reembed(&u, err);
    if (rc == FG_OK && strcmp(result->before.model_hash, u.info->model_hash) != 0)
        rc = fg_record(u.app, actor, "embedder", u.info->embedder, err);
    if (rc == FG_OK)
        rc = train(&u, actor, err);
    result->elapsed_ms = fg_clock_monotonic_ms() - start;
    free(u.embeddings);
    return rc;
}
