/* /api/v1/uploads: the tus protocol 1.0.0, with creation, termination, expiration and checksum. */
#include "http/http.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static void add_number(fg_request *r, const char *name, uint64_t value)
{
    char text[24];
    snprintf(text, sizeof text, "%llu", (unsigned long long)value);
    fg_reply_header(r, name, text);
}

/* RFC 9110's date, in English whatever the locale. */
static void add_expires(fg_request *r, int64_t ms)
{
    static const char *const days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    time_t seconds = (time_t)(ms / 1000);
    struct tm t;
    char text[48];
    if (!gmtime_r(&seconds, &t))
        return;
    snprintf(text, sizeof text, "%s, %02d %s %04d %02d:%02d:%02d GMT", days[t.tm_wday], t.tm_mday,
             months[t.tm_mon], t.tm_year + 1900, t.tm_hour, t.tm_min, t.tm_sec);
    fg_reply_header(r, "Upload-Expires", text);
}

static fg_code check_version(fg_request *r, fg_error *err)
{
    const char *version = fg_request_header(r, "Tus-Resumable");
    if (version && strcmp(version, FG_TUS_VERSION) == 0)
        return FG_OK;
    r->failed_status = 412;
    return FG_FAIL(err, FG_ERR_USAGE, "Tus-Resumable: this server speaks %s", FG_TUS_VERSION);
}

fg_code fg_api_uploads_options(fg_request *r, fg_error *err)
{
    fg_code rc = fg_reply_empty(r, 204, err);
    fg_reply_header(r, "Tus-Version", FG_TUS_VERSION);
    fg_reply_header(r, "Tus-Extension", FG_TUS_EXTENSIONS);
    fg_reply_header(r, "Tus-Checksum-Algorithm", FG_TUS_ALGORITHMS);
    add_number(r, "Tus-Max-Size", (uint64_t)r->server->settings->max_upload_mb << 20);
    return rc;
}

fg_code fg_api_upload_create(fg_request *r, fg_error *err)
{
    const char *metadata = fg_request_header(r, "Upload-Metadata");
    char name[FG_MAX_NAME_BYTES + 1], location[64];
    fg_upload upload;
    uint64_t length;
    bool found;
    fg_code rc = check_version(r, err);
    if (rc != FG_OK)
        return rc;
    if (!fg_tus_number(fg_request_header(r, "Upload-Length"), &length))
        return FG_FAIL(err, FG_ERR_USAGE, "Upload-Length: give the size of the file in bytes");
    if (length == 0)
        return FG_FAIL(err, FG_ERR_INPUT, "Upload-Length: the file is empty; choose a video or photos");
    if (!fg_tus_metadata(metadata, "filename", name, sizeof name, &found))
        return FG_FAIL(err, FG_ERR_USAGE, "Upload-Metadata: give pairs of a key and base64");
    if ((rc = fg_uploads_create(r->server->uploads, length, name, &upload, err)) != FG_OK) {
        if (rc == FG_ERR_BUSY) {
            r->failed_status = 429;
            r->retry_after_s = 60;
        }
        return rc;
    }
    if ((rc = fg_reply_empty(r, 201, err)) != FG_OK)
        return rc;
    snprintf(location, sizeof location, "/api/v1/uploads/%s", upload.id);
    fg_reply_header(r, "Location", location);
    add_expires(r, upload.expires_ms);
    return FG_OK;
}

fg_code fg_api_upload_get(fg_request *r, fg_error *err)
{
    fg_upload u;
    fg_code rc = fg_uploads_get(r->server->uploads, r->params[0], &u, err);
    if (rc != FG_OK)
        return rc;
    rc = fg_reply_json(r, 200,
                       json_pack("{s:s, s:s, s:I, s:I, s:b}", "id", u.id, "name", u.name, "length",
                                 (json_int_t)u.length, "offset", (json_int_t)u.offset, "complete",
                                 u.offset == u.length),
                       err);
    add_number(r, "Upload-Offset", u.offset);
    add_number(r, "Upload-Length", u.length);
    add_expires(r, u.expires_ms);
    return rc;
}

/* Before the body: from here on its bytes go to the end of the file. */
fg_code fg_api_upload_begin(fg_request *r, fg_error *err)
{
    const char *length = fg_request_header(r, "Content-Length");
    fg_tus_checksum checksum;
    fg_upload upload;
    uint64_t offset, size = 0;
    fg_code rc = check_version(r, err);
    if (rc != FG_OK)
        return rc;
    if (!fg_tus_number(fg_request_header(r, "Upload-Offset"), &offset))
        return FG_FAIL(err, FG_ERR_USAGE, "Upload-Offset: give the number of bytes that have arrived");
    if (!fg_tus_checksum_parse(fg_request_header(r, "Upload-Checksum"), &checksum))
        return FG_FAIL(err, FG_ERR_USAGE, "Upload-Checksum: give one of %s and its digest in base64",
                       FG_TUS_ALGORITHMS);
    rc = fg_upload_begin(r->server->uploads, r->params[0], offset, &checksum, &r->body.upload, &upload, err);
    if (rc == FG_ERR_BUSY) {
        r->failed_status = 423;
        r->retry_after_s = 1;
    }
    if (rc != FG_OK)
        return rc;
    r->body.max_bytes = upload.length - offset;
    if (fg_tus_number(length, &size) && size > r->body.max_bytes)
        return FG_FAIL(err, FG_ERR_LIMIT, "this is more than Upload-Length said");
    return FG_OK;
}

fg_code fg_api_upload_append(fg_request *r, fg_error *err)
{
    uint64_t offset;
    fg_upload upload;
    fg_upload_writer *writer = r->body.upload;
    r->body.upload = NULL;
    fg_code rc = fg_upload_end(writer, true, &offset, err);
    if (rc == FG_ERR_INPUT)
        r->failed_status = 460; /* the protocol's own "Checksum Mismatch" */
    if (rc != FG_OK || (rc = fg_reply_empty(r, 204, err)) != FG_OK)
        return rc;
    add_number(r, "Upload-Offset", offset);
    if (fg_uploads_get(r->server->uploads, r->params[0], &upload, NULL) == FG_OK)
        add_expires(r, upload.expires_ms);
    return FG_OK;
}

fg_code fg_api_upload_remove(fg_request *r, fg_error *err)
{
    fg_code rc = check_version(r, err);
    if (rc == FG_OK)
        rc = fg_uploads_remove(r->server->uploads, r->params[0], err);
    return rc == FG_OK ? fg_reply_empty(r, 204, err) : rc;
}
