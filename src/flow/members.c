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

fg_code fg_member_remove(fg_app *app, int64_t member_id, const fg_actor *actor, fg_error *err)
{
    fg_member member = {0};
    fg_code rc = fg_store_member_by_id(app->store, member_id, &member, err);
    if (rc == FG_OK)
        rc = fg_store_member_remove(app->store, member_id, err);
    if (rc == FG_OK)
        rc = fg_blob_delete_prefix(app->blob, member.blob_prefix, err);
    if (rc == FG_OK)
        rc = fg_store_pending_remove(app->store, member.blob_prefix, err);
    /* The name goes too: an audit that remembers whom it forgot would be no deletion. */
    if (rc == FG_OK)
        rc = fg_record(app, actor, "member_remove", "", err);
    fg_member_deinit(&member);
    return rc;
}
