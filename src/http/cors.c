/* Pages of other sites: none, unless --cors-origin names them; and those by key alone, since a browser sends
 * our cookie with no request of another site's. */
#include "http/http.h"

#include <string.h>
#include <strings.h>

fg_code fg_cors_check(const fg_settings *settings, fg_error *err)
{
    for (int i = 0; i < settings->cors_origin.count; i++) {
        const char *origin = settings->cors_origin.items[i];
        const char *host = strncmp(origin, "https://", 8) == 0  ? origin + 8
                           : strncmp(origin, "http://", 7) == 0 ? origin + 7
                                                                : "";
        if (!*host || host[strcspn(host, "/*?#@ ,")])
            return FG_FAIL(err, FG_ERR_USAGE,
                           "--cors-origin %.100s: give a scheme and a host, such as https://example.org",
                           origin);
    }
    return FG_OK;
}

static bool is_allowed(const fg_request *r, const char *origin)
{
    const fg_setting_list *list = &r->server->settings->cors_origin;
    for (int i = 0; i < list->count; i++)
        if (strcasecmp(list->items[i], origin) == 0)
            return true;
    return false;
}

bool fg_cors_is_preflight(const fg_request *r)
{
    return strcmp(r->method, "OPTIONS") == 0 && fg_request_header(r, "Origin") &&
           fg_request_header(r, "Access-Control-Request-Method");
}

fg_code fg_cors_preflight(fg_request *r, fg_error *err)
{
    const char *origin = fg_request_header(r, "Origin");
    if (!is_allowed(r, origin))
        return FG_FAIL(err, FG_ERR_FORBIDDEN, "pages of this origin may not use the API; see --cors-origin");
    fg_code rc = fg_reply_empty(r, 204, err);
    fg_reply_header(r, "Access-Control-Allow-Methods", "GET, HEAD, POST, PATCH, DELETE");
    fg_reply_header(
        r, "Access-Control-Allow-Headers",
        "Authorization, Content-Type, Idempotency-Key, If-None-Match, Last-Event-ID, Tus-Resumable, "
        "Upload-Checksum, Upload-Length, Upload-Metadata, Upload-Offset, X-Api-Key, X-Facegate");
    fg_reply_header(r, "Access-Control-Max-Age", "600");
    return rc;
}

void fg_cors_headers(fg_request *r)
{
    const char *origin = fg_request_header(r, "Origin");
    if (r->server->settings->cors_origin.count == 0)
        return;
    fg_reply_header(r, "Vary", "Origin");
    if (!origin || !is_allowed(r, origin))
        return;
    fg_reply_header(r, "Access-Control-Allow-Origin", origin);
    fg_reply_header(r, "Access-Control-Expose-Headers",
                    "Content-Disposition, ETag, Link, Location, Retry-After, Tus-Extension, Tus-Max-Size, "
                    "Tus-Resumable, Tus-Version, Upload-Expires, Upload-Length, Upload-Offset, X-Request-Id");
}
