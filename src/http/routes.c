/* The table of routes, and nothing else decides what there is. docs/openapi.yaml says the same in words; a
 * test compares the two. */
#include "http/http.h"

#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ANY_TEAM (FG_SCOPE_ENROLL | FG_SCOPE_ADMIN)
#define ANY_AUDIT (FG_SCOPE_AUDIT | FG_SCOPE_ADMIN)
#define ANY_KEY (FG_SCOPE_VERIFY | FG_SCOPE_ENROLL | FG_SCOPE_AUDIT | FG_SCOPE_ADMIN)
enum { SMALL = 64 << 10 };

#define ENROLMENT "@video @photo upload every rotate keep_originals keep_frames"
#define AUDIT "action decision member source from to"

/* The last two: what it takes in the query, and as fields of a form or keys of JSON (http.h). Settings know
 * their own names; /look says itself that it wants no form; the address and the body of SageMaker's routes
 * and the probes are what their clients make them, but for a misspelt ?require, which would let in whom it
 * was to keep out. */
/* clang-format off */
static const fg_route routes[] = {
    {FG_GET,    "/api/v1/members",                 ANY_TEAM,        FG_BODY_NONE,  SMALL, fg_api_members_list, "limit offset", ""},
    {FG_POST,   "/api/v1/members",                 ANY_TEAM,        FG_BODY_FORM,  0,     fg_api_members_add, "", ENROLMENT " name role right"},
    {FG_GET,    "/api/v1/members/{}",              ANY_TEAM,        FG_BODY_NONE,  SMALL, fg_api_member_get, "", ""},
    {FG_PATCH,  "/api/v1/members/{}",              ANY_TEAM,        FG_BODY_JSON,  SMALL, fg_api_member_set, "", "name role rights"},
    {FG_DELETE, "/api/v1/members/{}",              ANY_TEAM,        FG_BODY_NONE,  SMALL, fg_api_member_remove, "", ""},
    {FG_GET,    "/api/v1/members/{}/sources",      ANY_TEAM,        FG_BODY_NONE,  SMALL, fg_api_member_sources, "limit offset", ""},
    {FG_POST,   "/api/v1/members/{}/sources",      ANY_TEAM,        FG_BODY_FORM,  0,     fg_api_member_enroll, "", ENROLMENT},
    {FG_GET,    "/api/v1/members/{}/chips",        ANY_TEAM,        FG_BODY_NONE,  SMALL, fg_api_member_chips, "limit offset", ""},
    {FG_GET,    "/api/v1/members/{}/chips/{}",     ANY_TEAM,        FG_BODY_NONE,  SMALL, fg_api_member_chip, "thumb", ""},
    {FG_GET,    "/api/v1/members/{}/chips.zip",    ANY_TEAM,        FG_BODY_NONE,  SMALL, fg_api_member_chips_zip, "", ""},
    {FG_GET,    "/api/v1/chips.zip",               ANY_TEAM,        FG_BODY_NONE,  SMALL, fg_api_chips_zip, "", ""},
    {FG_GET,    "/api/v1/members/{}/portrait",     ANY_TEAM,        FG_BODY_NONE,  SMALL, fg_api_member_portrait, "thumb of", ""},
    {FG_OPTIONS, "/api/v1/uploads",                0,               FG_BODY_NONE,  SMALL, fg_api_uploads_options, "", ""},
    {FG_POST,   "/api/v1/uploads",                 ANY_TEAM,        FG_BODY_NONE,  SMALL, fg_api_upload_create, "", ""},
    {FG_GET,    "/api/v1/uploads/{}",              ANY_TEAM,        FG_BODY_NONE,  SMALL, fg_api_upload_get, "", ""},
    {FG_PATCH,  "/api/v1/uploads/{}",              ANY_TEAM,        FG_BODY_UPLOAD, 0,    fg_api_upload_append, "", NULL},
    {FG_DELETE, "/api/v1/uploads/{}",              ANY_TEAM,        FG_BODY_NONE,  SMALL, fg_api_upload_remove, "", ""},
    {FG_GET,    "/api/v1/jobs",                    ANY_TEAM,        FG_BODY_NONE,  SMALL, fg_api_jobs_list, "open limit offset", ""},
    {FG_GET,    "/api/v1/jobs/{}",                 ANY_TEAM,        FG_BODY_NONE,  SMALL, fg_api_job_get, "", ""},
    {FG_DELETE, "/api/v1/jobs/{}",                 ANY_TEAM,        FG_BODY_NONE,  SMALL, fg_api_job_cancel, "", ""},
    {FG_GET,    "/api/v1/jobs/{}/events",          ANY_TEAM,        FG_BODY_NONE,  SMALL, fg_api_job_events, "after", ""},
    {FG_GET,    "/api/v1/jobs/{}/thumbs/{}",       ANY_TEAM,        FG_BODY_NONE,  SMALL, fg_api_job_thumb, "", ""},
    {FG_POST,   "/api/v1/train",                   ANY_TEAM,        FG_BODY_NONE,  SMALL, fg_api_train, "", ""},
    {FG_GET,    "/api/v1/classifiers",             ANY_TEAM,        FG_BODY_NONE,  SMALL, fg_api_classifiers, "brief limit offset", ""},
    {FG_GET,    "/api/v1/classifiers/{}",          ANY_TEAM,        FG_BODY_NONE,  SMALL, fg_api_classifier_get, "", ""},
    {FG_POST,   "/api/v1/classifiers/{}/activate", FG_SCOPE_ADMIN,  FG_BODY_NONE,  SMALL, fg_api_classifier_activate, "", ""},
    {FG_POST,   "/api/v1/verify",                  FG_SCOPE_VERIFY, FG_BODY_PHOTO, FG_MAX_PHOTO_BYTES, fg_api_verify, "require detail", "require @photo"},
    {FG_POST,   "/api/v1/look",                    FG_SCOPE_VERIFY | ANY_TEAM, FG_BODY_PHOTO, FG_MAX_PHOTO_BYTES, fg_api_look, "", NULL},
    {FG_GET,    "/api/v1/dataset.npz",             ANY_TEAM,        FG_BODY_NONE,  SMALL, fg_api_dataset_npz, "", ""},
    {FG_GET,    "/api/v1/dataset.pickle",          ANY_TEAM,        FG_BODY_NONE,  SMALL, fg_api_dataset_pickle, "", ""},
    {FG_GET,    "/api/v1/audit",                   ANY_AUDIT,       FG_BODY_NONE,  SMALL, fg_api_audit, AUDIT " before limit", ""},
    {FG_GET,    "/api/v1/audit.csv",               ANY_AUDIT,       FG_BODY_NONE,  SMALL, fg_api_audit_csv, AUDIT, ""},
    {FG_GET,    "/api/v1/keys",                    FG_SCOPE_ADMIN,  FG_BODY_NONE,  SMALL, fg_api_keys_list, "limit offset", ""},
    {FG_POST,   "/api/v1/keys",                    FG_SCOPE_ADMIN,  FG_BODY_JSON,  SMALL, fg_api_key_create, "", "label scopes scope expires_ms expires_days aws"},
    {FG_DELETE, "/api/v1/keys/{}",                 FG_SCOPE_ADMIN,  FG_BODY_NONE,  SMALL, fg_api_key_revoke, "", ""},
    {FG_GET,    "/api/v1/settings",                ANY_TEAM,        FG_BODY_NONE,  SMALL, fg_api_settings, "", ""},
    {FG_PATCH,  "/api/v1/settings",                FG_SCOPE_ADMIN,  FG_BODY_JSON,  SMALL, fg_api_settings_set, "", NULL},
    {FG_POST,   "/api/v1/reset",                   FG_SCOPE_ADMIN,  FG_BODY_JSON,  4096,  fg_api_reset, "", "confirm"},
    {FG_GET,    "/api/v1/session",                 ANY_KEY,         FG_BODY_NONE,  SMALL, fg_api_session, "", ""},
    {FG_GET,    "/api/v1/about",                   ANY_KEY,         FG_BODY_NONE,  SMALL, fg_api_about, "", ""},
    {FG_GET,    "/api/v1/openapi.json",            0,               FG_BODY_NONE,  SMALL, fg_api_openapi, "", ""},
    {FG_POST,   "/signin",                         0,               FG_BODY_JSON,  4096,  fg_api_sign_in, "", "key token renew"},
    {FG_POST,   "/signout",                        0,               FG_BODY_NONE,  SMALL, fg_api_sign_out, "", ""},
    {FG_GET,    "/ping",                           0,               FG_BODY_NONE,  SMALL, fg_api_ping, NULL, NULL},
    {FG_POST,   "/invocations",                    FG_SCOPE_VERIFY, FG_BODY_ANY,   FG_MAX_INVOCATION_BYTES, fg_api_invocations, "require", NULL},
    {FG_POST,   "/endpoints/{}/invocations",       FG_SCOPE_VERIFY, FG_BODY_ANY,   FG_MAX_ENDPOINT_BYTES, fg_api_endpoint, "require", NULL},
    {FG_GET,    "/healthz",                        0,               FG_BODY_NONE,  SMALL, fg_api_healthz, NULL, NULL},
    {FG_GET,    "/readyz",                         0,               FG_BODY_NONE,  SMALL, fg_api_readyz, NULL, NULL},
    {FG_GET,    "/metrics",                        ANY_AUDIT,       FG_BODY_NONE,  SMALL, fg_api_metrics, "", ""},
};
/* clang-format on */

static const struct {
    const char *name;
    fg_method method;
} methods[] = {{"GET", FG_GET},     {"HEAD", FG_GET},      {"POST", FG_POST},
               {"PATCH", FG_PATCH}, {"DELETE", FG_DELETE}, {"OPTIONS", FG_OPTIONS}};

static bool is_param_char(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '_';
}

static bool matches(const char *pattern, const char *path, char params[FG_HTTP_PARAMS][FG_HTTP_PARAM])
{
    int count = 0;
    while (*pattern) {
        if (*pattern != '{') {
            if (*pattern++ != *path++)
                return false;
            continue;
        }
        size_t n = 0;
        while (is_param_char(path[n]))
            n++;
        if (n == 0 || n >= FG_HTTP_PARAM || count == FG_HTTP_PARAMS)
            return false;
        memcpy(params[count], path, n);
        params[count++][n] = 0;
        path += n;
        pattern += 2;
    }
    return *path == 0;
}

const fg_route *fg_route_find(const char *method, const char *path,
                              char params[FG_HTTP_PARAMS][FG_HTTP_PARAM], char *allow, size_t allow_size)
{
    fg_method wanted = 0;
    unsigned allowed = 0;
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
        if (strcmp(method, methods[i].name) == 0)
            wanted = methods[i].method;
    *allow = 0;
    for (size_t i = 0; i < sizeof routes / sizeof *routes; i++) {
        if (!matches(routes[i].pattern, path, params))
            continue;
        if (routes[i].method == wanted)
            return &routes[i];
        allowed |= routes[i].method;
    }
    for (size_t i = 0; allowed && i < sizeof methods / sizeof *methods; i++)
        if (methods[i].method & allowed) {
            size_t n = strlen(allow);
            snprintf(allow + n, allow_size - n, "%s%s", n ? ", " : "", methods[i].name);
        }
    return NULL;
}

/* Whether the words have this one; a file is marked with '@' there. */
static bool has_word(const char *words, const char *word, bool file)
{
    size_t n;
    for (const char *p = words + strspn(words, " "); (n = strcspn(p, " ")) > 0; p += n + strspn(p + n, " ")) {
        const size_t mark = *p == '@';
        if (mark == file && n == mark + strlen(word) && memcmp(p + mark, word, n - mark) == 0)
            return true;
    }
    return false;
}

/* Says what is taken instead. */
static fg_code refuse_word(fg_code code, const char *kind, const char *words, const char *word, fg_error *err)
{
    char clean[64], list[256] = "nothing";
    size_t at = 0, n;
    fg_text_clean(clean, sizeof clean, word);
    for (const char *p = words + strspn(words, " "); (n = strcspn(p, " ")) > 0; p += n + strspn(p + n, " ")) {
        const bool file = *p == '@';
        int size = snprintf(list + at, sizeof list - at, "%s%.*s%s", at ? ", " : "", (int)n - file, p + file,
                            file ? " (a file)" : "");
        if (size < 0 || (at += (size_t)size) >= sizeof list)
            break;
    }
    return FG_FAIL(err, code, "%s: there is no such %s here; taken: %s", *clean ? clean : "''", kind, list);
}

typedef struct query {
    const fg_route *route;
    fg_code rc;
    fg_error *err;
} query;

static enum MHD_Result check_argument(void *context, enum MHD_ValueKind kind, const char *name,
                                      const char *value)
{
    query *q = context;
    (void)kind;
    (void)value;
    if (!has_word(q->route->query, name, false))
        q->rc = refuse_word(FG_ERR_USAGE, "parameter", q->route->query, name, q->err);
    return q->rc == FG_OK ? MHD_YES : MHD_NO;
}

fg_code fg_request_check_query(const fg_request *request, fg_error *err)
{
    query q = {.route = request->route, .err = err};
    if (q.route->query)
        MHD_get_connection_values(request->connection, MHD_GET_ARGUMENT_KIND, check_argument, &q);
    return q.rc;
}

fg_code fg_request_check_field(const fg_request *request, const char *name, bool file, fg_error *err)
{
    const char *fields = request->route ? request->route->fields : NULL;
    return !fields || has_word(fields, name, file) ? FG_OK
                                                   : refuse_word(FG_ERR_INPUT, "field", fields, name, err);
}

fg_code fg_request_check_body(const fg_request *request, fg_error *err)
{
    const fg_body *body = &request->body;
    fg_code rc = FG_OK;
    if (body->kind == FG_BODY_NONE && body->received && request->route->fields)
        return FG_FAIL(err, FG_ERR_INPUT, "this takes no body; send none");
    for (int i = 0; i < body->part_count && rc == FG_OK; i++)
        rc = fg_request_check_field(request, body->parts[i].name, body->parts[i].path != NULL, err);
    return rc;
}

bool fg_route_is_upload(const char *path)
{
    static const char prefix[] = "/api/v1/uploads";
    return strncmp(path, prefix, sizeof prefix - 1) == 0 &&
           (path[sizeof prefix - 1] == 0 || path[sizeof prefix - 1] == '/');
}

bool fg_path_in_container(const char *path)
{
    return strcmp(path, "/ping") == 0 || strcmp(path, "/invocations") == 0 || strcmp(path, "/healthz") == 0;
}

fg_code fg_request_id_param(const fg_request *request, int n, int64_t *id, fg_error *err)
{
    const char *text = request->params[n];
    size_t digits = strspn(text, "0123456789");
    *id = 0;
    if (digits == 0 || digits > 18 || text[digits] || (*id = strtoll(text, NULL, 10)) < 1) {
        *id = 0;
        return FG_FAIL(err, FG_ERR_NOT_FOUND, "%s: there is nothing of this number", text);
    }
    return FG_OK;
}
