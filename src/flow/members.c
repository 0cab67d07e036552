/* Changing and removing members. */
#include "flow/app.h"

fg_code fg_member_set(fg_app *app, int64_t member_id, const fg_member_change *change, const fg_actor *actor,
                      fg_error *err)
{
    fg_member member = {0};
    fg_code rc = fg_store_member_set(app->store, member_id, change, err);
    if (rc == FG_OK)
        rc = fg_store_member_by_id(app->store, member_id, &member, err);
    if (rc == FG_OK)
        rc = fg_record(app, actor, "member_set", member.name, err);
    fg_member_deinit(&member);
    return rc;
}

/* Those who stay are learnt anew. A failure does not undo the removal, which was what mattered. */
static int64_t retrain(fg_app *app, const fg_actor *actor)
{
    fg_worker *worker = NULL;
    fg_train_result result = {0};
    fg_error err = {0};
    fg_code rc = fg_worker_new(&worker, app, &err);
    if (rc == FG_OK)
        rc = fg_train(worker, actor, NULL, &result, &err);
    fg_worker_free(worker);
    if (rc != FG_OK && rc != FG_ERR_STATE) /* nobody is left to train */
        fg_log_write(app->log, FG_LOG_WARN, "nobody is recognised until `facegate train` succeeds: %s",
                     err.msg);
    return rc == FG_OK ? result.version : 0;
}

fg_code fg_member_remove(fg_app *app, int64_t member_id, const fg_actor *actor, int64_t *version,
                         fg_error *err)
{
    fg_member member = {0};
    int64_t before = 0, after = 0;
    *version = 0;
    fg_code rc = fg_store_member_by_id(app->store, member_id, &member, err);
    if (rc == FG_OK)
        rc = fg_store_version_active(app->store, &before, err);
    if (rc == FG_OK)
        rc = fg_store_member_remove(app->store, member_id, err);
    if (rc != FG_OK)
        goto done;
    /* The member is removed, and what follows is done whatever else fails. */
    const fg_code dropped = fg_app_drop_blobs(app, member.blob_prefix);
    /* The name goes too: an audit that remembers whom it forgot would be no deletion. */
    rc = fg_record(app, actor, "member_remove", "", err);
    if (before && app->engine && (fg_store_version_active(app->store, &after, NULL) != FG_OK || !after))
        *version = retrain(app, actor);
    if (dropped != FG_OK)
        rc =
            FG_FAIL(err, FG_ERR_IO,
                    "the member is removed, but some of the files could not be deleted yet; the server tries "
                    "again, and so does every command");
done:
    fg_member_deinit(&member);
    return rc;
}
