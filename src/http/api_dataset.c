/* GET /api/v1/dataset.npz and .pickle: the team's templates as a labelled dataset, streamed from a file, so
 * that a download holds no copy in memory. */
#include "http/http.h"

#include "flow/dataset.h"

#include <stdio.h>
#include <unistd.h>

static fg_code reply_dataset(fg_request *r, fg_dataset_format format, const char *type, fg_error *err)
{
    char path[FG_MAX_PATH], name[32];
    const fg_actor actor = {r->who, r->address};
    long templates;
    int fd, members;
    fg_code rc = fg_spool_file(r->server->spool, path, &fd, err);
    if (rc != FG_OK)
        return rc;
    close(fd); /* the export replaces it */
    rc = fg_export(r->server->app, format, path, &actor, &templates, &members, err);
    snprintf(name, sizeof name, "data.%s", fg_dataset_format_name(format));
    return fg_reply_download(r, rc, path, type, name, err);
}

fg_code fg_api_dataset_npz(fg_request *r, fg_error *err)
{
    return reply_dataset(r, FG_DATASET_NPZ, "application/zip", err);
}

fg_code fg_api_dataset_pickle(fg_request *r, fg_error *err)
{
    return reply_dataset(r, FG_DATASET_PICKLE, "application/octet-stream", err);
}
