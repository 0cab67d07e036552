/* What has been kept long enough, and what is to be forgotten altogether. Blobs go first and their rows say
 * so after, so that nothing is left behind without a row. */
#include "flow/app.h"

#include "base/clock.h"

#include <stdio.h>

enum { BATCH = 500, ATTEMPTS_BATCH = 5000 };
static const int64_t day_ms = 24LL * 3600 * 1000;

/* The sampled frames of an enrolment are as much an original as the video. */
static fg_code remove_frames(fg_app *app, const char *prefix, fg_error *err)
{
    char frames[FG_MAX_PATH];
    snprintf(frames, sizeof frames, "%sframes/", prefix);
    return fg_blob_delete_prefix(app->blob, frames, err);
}

static fg_code expire_blobs(fg_app *app, fg_expiring what, int64_t before_ms, long *deleted, fg_error *err)
{
    fg_code rc = FG_OK;
    long count = BATCH;
    while (rc == FG_OK && count == BATCH) {
        char **keys;
        rc = fg_store_expired(app->store, what, before_ms, BATCH, &keys, &count, err);
        for (long i = 0; i < count && rc == FG_OK; i++) {
            rc = fg_blob_delete(app->blob, keys[i], err);
            if (rc == FG_OK)
                rc = fg_store_blob_gone(app->store, what, keys[i], err);
            *deleted += rc == FG_OK;
        }
        fg_keys_texts_free(keys, count);
    }
    return rc;
}

static fg_code expire_frames(fg_app *app, int64_t before_ms, fg_error *err)
{
    char **prefixes;
    long count;
    fg_code rc = fg_store_expired(app->store, FG_EXPIRING_ENROLMENTS, before_ms, FG_MAX_TEMPLATES, &prefixes,
                                  &count, err);
    for (long i = 0; i < count && rc == FG_OK; i++)
        rc = remove_frames(app, prefixes[i], err);
    fg_keys_texts_free(prefixes, count);
    return rc;
}

static fg_code expire_attempts(fg_app *app, int64_t before_ms, long *deleted, fg_error *err)
{
    long count = ATTEMPTS_BATCH;
    fg_code rc = FG_OK;
    /* In portions, so that a photo at the door need not wait for all of it. */
    while (rc == FG_OK && count == ATTEMPTS_BATCH) {
        rc = fg_store_attempts_expire(app->store, before_ms, ATTEMPTS_BATCH, &count, err);
        *deleted += count;
    }
    return rc;
}

fg_code fg_retention_apply(fg_app *app, fg_retained *gone, fg_error *err)
{
    const int64_t now_ms = fg_clock_unix_ms();
    const double originals = fg_tuning_get(app, FG_TUNE_RETENTION_ORIGINALS),
                 chips = fg_tuning_get(app, FG_TUNE_RETENTION_CHIPS),
                 attempts = fg_tuning_get(app, FG_TUNE_RETENTION_ATTEMPTS);
    fg_code rc = FG_OK;
    *gone = (fg_retained){0};
    if (originals > 0) {
        int64_t before_ms = now_ms - (int64_t)originals * day_ms;
        rc = expire_blobs(app, FG_EXPIRING_ORIGINALS, before_ms, &gone->originals, err);
        if (rc == FG_OK)
            rc = expire_frames(app, before_ms, err);
    }
    if (rc == FG_OK && chips > 0)
        rc = expire_blobs(app, FG_EXPIRING_CHIPS, now_ms - (int64_t)chips * day_ms, &gone->chips, err);
    if (rc == FG_OK && attempts > 0)
        rc = expire_attempts(app, now_ms - (int64_t)attempts * day_ms, &gone->attempts, err);
    return rc;
}

fg_code fg_reset(fg_app *app, const fg_actor *actor, fg_error *err)
{
    long count = 0;
    fg_member *members = NULL;
    fg_code rc = fg_store_members(app->store, &members, &count, err);
    if (rc == FG_OK)
        rc = fg_store_reset(app->store, err);
    fg_active_forget(app);
    if (rc == FG_OK) /* also what enrolments under way have written, whose commit will now fail */
        rc = fg_blob_delete_prefix(app->blob, "members/", err);
    for (long i = 0; i < count && rc == FG_OK; i++)
        rc = fg_store_pending_remove(app->store, members[i].blob_prefix, err);
    if (rc == FG_OK)
        rc = fg_store_vacuum(app->store, err);
    if (rc == FG_OK)
        rc = fg_record(app, actor, "reset", "", err);
    fg_members_free(members, count);
    return rc;
}
