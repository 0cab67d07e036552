/* GET /api/v1/dataset.npz and .pickle: the team's templates as a labelled dataset, streamed from a file, so
 * that a download holds no copy in memory. */
#include "http/http.h"

#include "flow/dataset.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static fg_code reply_dataset(fg_request *r, fg_dataset_format format, const char *type, fg_error *err)
{
    char path[FG_MAX_PATH], disposition[64];
    const fg_actor actor = {r->who, r->address};
    struct stat st = {0};
    long templates;
    int fd, members;
    fg_code rc = fg_spool_file(r->server->spool, path, &fd, err);
    if (rc != FG_OK)
        return rc;
    close(fd); /* the export replaces it */
    rc = fg_export(r->server->app, format, path, &actor, &templates, &members, err);
    fd = rc == FG_OK ? open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW) : -1;
    if (rc == FG_OK && (fd < 0 || fstat(fd, &st) != 0))
        rc = FG_FAIL(err, FG_ERR_IO, "%s: cannot be read", path);
    unlink(path); /* what is open stays readable */
    if (rc == FG_OK && fd >= 0 && !(r->response = MHD_create_response_from_fd64((uint64_t)st.st_size, fd)))
        rc = FG_FAIL(err, FG_ERR_MEMORY, "out of memory");
    if (rc != FG_OK) {
        if (fd >= 0)
            close(fd);
        return rc;
    }
    r->status = 200;
    fg_reply_header(r, "Content-Type", type);
    snprintf(disposition, sizeof disposition, "attachment; filename=\"data.%s\"",
             fg_dataset_format_name(format));
    fg_reply_header(r, "Content-Disposition", disposition);
    return FG_OK;
}

fg_code fg_api_dataset_npz(fg_request *r, fg_error *err)
{
    return reply_dataset(r, FG_DATASET_NPZ, "application/zip", err);
}

fg_code fg_api_dataset_pickle(fg_request *r, fg_error *err)
{
    return reply_dataset(r, FG_DATASET_PICKLE, "application/octet-stream", err);
}
