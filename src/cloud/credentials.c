/* The places on this machine: the JSON file, the environment, the profiles. */
#include "cloud/credentials.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/limits.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void fg_credentials_deinit(fg_credentials *c)
{
    if (c->token) {
        sodium_memzero(c->token, strlen(c->token));
        free(c->token);
    }
    sodium_memzero(c, sizeof *c);
}

static fg_code too_long(const char *what, const char *name, fg_error *err)
{
    return FG_FAIL(err, FG_ERR_INPUT, "%s: %s is too long or has bytes that do not belong there", what, name);
}

/* A word of printable ASCII without spaces: what a header and a log line may carry. */
static bool set_word(char *out, size_t out_size, const char *text, size_t size)
{
    if (size >= out_size)
        return false;
    for (size_t i = 0; i < size; i++)
        if (text[i] <= ' ' || text[i] >= 0x7f)
            return false;
    memcpy(out, text, size);
    out[size] = 0;
    return true;
}

static fg_code set_token(fg_credentials *c, const char *text, size_t size, const char *what, fg_error *err)
{
    if (size == 0)
        return FG_OK;
    if (size > FG_AWS_TOKEN_MAX)
        return too_long(what, "the session token", err);
    char *token = malloc(size + 1);
    if (!token)
        return FG_FAIL(err, FG_ERR_MEMORY, "out of memory");
    if (!set_word(token, size + 1, text, size)) {
        sodium_memzero(token, size);
        free(token);
        return too_long(what, "the session token", err);
    }
    free(c->token);
    c->token = token;
    return FG_OK;
}

/* Where a name goes; the token is not here, being of any length. */
typedef struct place {
    const char *name;
    size_t offset, size;
} place;
#define PLACE(name, field)                                                                                   \
    {                                                                                                        \
        name, offsetof(fg_credentials, field), sizeof((fg_credentials *)0)->field                            \
    }

static fg_code set_field(fg_credentials *c, const place *places, size_t count, const char *token_name,
                         const char *name, size_t name_size, const char *text, size_t size, const char *what,
                         fg_error *err)
{
    for (size_t i = 0; i < count; i++)
        if (strlen(places[i].name) == name_size && memcmp(places[i].name, name, name_size) == 0)
            return set_word((char *)c + places[i].offset, places[i].size, text, size)
                       ? FG_OK
                       : too_long(what, places[i].name, err);
    if (token_name && strlen(token_name) == name_size && memcmp(token_name, name, name_size) == 0)
        return set_token(c, text, size, what, err);
    return FG_OK;
}

/* -- JSON -- */

static fg_code parse_object(fg_credentials *c, const void *data, size_t size, const char *what,
                            const place *places, size_t count, const char *token_name, fg_error *err)
{
    const char *name;
    json_t *value;
    fg_code rc = FG_OK;
    json_error_t where;
    json_t *object = json_loadb(data, size, JSON_REJECT_DUPLICATES, &where);
    if (!json_is_object(object)) { /* jansson's own words would quote the file */
        json_decref(object);
        return FG_FAIL(err, FG_ERR_INPUT, "%s: line %d: not a JSON object", what, where.line);
    }
    json_object_foreach(object, name, value)
    {
        if (rc == FG_OK && json_is_string(value))
            rc = set_field(c, places, count, token_name, name, strlen(name), json_string_value(value),
                           json_string_length(value), what, err);
        if (json_is_string(value) && json_string_length(value))
            sodium_memzero((char *)(uintptr_t)json_string_value(value), json_string_length(value));
    }
    json_decref(object);
    return rc;
}

fg_code fg_credentials_parse_json(fg_credentials *c, const void *data, size_t size, const char *what,
                                  fg_error *err)
{
    static const place places[] = {
        PLACE("AWS_ACCESS_KEY_ID", access_key), PLACE("AWS_SECRET_ACCESS_KEY", secret_key),
        PLACE("REGION_NAME", region),           PLACE("ROLE", role),
        PLACE("ENDPOINT_NAME", endpoint_name),  PLACE("BUCKET_NAME", bucket_name),
    };
    fg_code rc =
        parse_object(c, data, size, what, places, sizeof places / sizeof places[0], "AWS_SESSION_TOKEN", err);
    if (rc == FG_OK && (!*c->access_key || !*c->secret_key))
        rc = FG_FAIL(err, FG_ERR_INPUT, "%s: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are needed in it",
                     what);
    if (rc == FG_OK)
        c->source = FG_CREDENTIALS_FILE;
    else
        fg_credentials_deinit(c);
    return rc;
}

fg_code fg_credentials_parse_answer(fg_credentials *c, const void *data, size_t size, const char *what,
                                    fg_error *err)
{
    typedef struct answer {
        fg_credentials credentials;
        char expiration[FG_AWS_WORD_MAX + 1];
    } answer;
    static const place places[] = {
        PLACE("AccessKeyId", access_key),
        PLACE("SecretAccessKey", secret_key),
        {"Expiration", offsetof(answer, expiration), sizeof((answer *)0)->expiration},
    };
    answer a = {0};
    fg_code rc = parse_object(&a.credentials, data, size, what, places, sizeof places / sizeof places[0],
                              "Token", err);
    if (rc == FG_OK && (!*a.credentials.access_key || !*a.credentials.secret_key))
        rc =
            FG_FAIL(err, FG_ERR_INPUT, "%s: AccessKeyId and SecretAccessKey are missing in its answer", what);
    if (rc == FG_OK && *a.expiration &&
        (!fg_clock_parse(a.expiration, &a.credentials.expires_ms) || a.credentials.expires_ms <= 0))
        rc = FG_FAIL(err, FG_ERR_INPUT, "%s: Expiration is not a time", what);
    if (rc == FG_OK) {
        *c = a.credentials;
    } else {
        fg_credentials_deinit(&a.credentials);
    }
    return rc;
}

/* -- files -- */

/* FG_ERR_NOT_FOUND where there is none. *shared: others than the owner may read it. */
static fg_code read_file(const char *path, fg_buf *out, bool *is_shared, fg_error *err)
{
    struct stat st;
    fg_buf_init(out, FG_MAX_JSON_BYTES);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return FG_FAIL_ERRNO(err, "cannot read", path);
    fg_code rc = fstat(fd, &st) == 0 ? FG_OK : FG_FAIL_ERRNO(err, "cannot read", path);
    if (rc == FG_OK && !S_ISREG(st.st_mode))
        rc = FG_FAIL(err, FG_ERR_INPUT, "%s: not a plain file", path);
    *is_shared = rc == FG_OK && (st.st_mode & 077) != 0;
    while (rc == FG_OK) {
        char chunk[4096];
        ssize_t n = read(fd, chunk, sizeof chunk);
        if (n < 0)
            rc = FG_FAIL_ERRNO(err, "cannot read", path);
        if (n <= 0)
            break;
        rc = fg_buf_append(out, chunk, (size_t)n, err);
        sodium_memzero(chunk, sizeof chunk);
    }
    close(fd);
    return rc;
}

static fg_code refuse_shared(const char *path, fg_error *err)
{
    return FG_FAIL(err, FG_ERR_FORBIDDEN, "%s: others can read this file of secret keys; run: chmod 600 %s",
                   path, path);
}

static fg_code from_file(fg_credentials *c, const char *path, fg_error *err)
{
    fg_buf data;
    bool is_shared = false;
    fg_code rc = read_file(path, &data, &is_shared, err);
    if (rc == FG_OK && is_shared)
        rc = refuse_shared(path, err);
    if (rc == FG_OK)
        rc = fg_credentials_parse_json(c, data.data, data.size, path, err);
    fg_buf_wipe(&data);
    return rc;
}

static fg_code from_environment(fg_credentials *c, fg_error *err)
{
    const char *id = getenv("AWS_ACCESS_KEY_ID"), *secret = getenv("AWS_SECRET_ACCESS_KEY"),
               *token = getenv("AWS_SESSION_TOKEN");
    if (!id || !*id)
        return FG_OK;
    if (!secret || !*secret)
        return FG_FAIL(err, FG_ERR_UNAUTHORIZED, "AWS_ACCESS_KEY_ID is set but AWS_SECRET_ACCESS_KEY is not");
    if (!set_word(c->access_key, sizeof c->access_key, id, strlen(id)))
        return too_long("the environment", "AWS_ACCESS_KEY_ID", err);
    if (!set_word(c->secret_key, sizeof c->secret_key, secret, strlen(secret)))
        return too_long("the environment", "AWS_SECRET_ACCESS_KEY", err);
    c->source = FG_CREDENTIALS_ENVIRONMENT;
    return set_token(c, token ? token : "", token ? strlen(token) : 0, "the environment", err);
}

/* -- profiles -- */

static void trim(const char **text, const char **end)
{
    while (*text < *end && strchr(" \t\r", **text))
        ++*text;
    while (*end > *text && strchr(" \t\r", (*end)[-1]))
        --*end;
}

fg_code fg_credentials_parse_profile(fg_credentials *c, const char *text, size_t size, const char *section,
                                     const char *what, bool *has_secret, fg_error *err)
{
    static const place places[] = {PLACE("aws_access_key_id", access_key),
                                   PLACE("aws_secret_access_key", secret_key), PLACE("region", region)};
    static const char secret_name[] = "aws_secret_access_key";
    bool inside = false;
    fg_code rc = FG_OK;
    *has_secret = false;
    for (const char *line = text, *end = text + size; line < end && rc == FG_OK;) {
        const char *stop = memchr(line, '\n', (size_t)(end - line));
        const char *from = line, *to = stop ? stop : end;
        line = stop ? stop + 1 : end;
        bool nested = from < to && (*from == ' ' || *from == '\t'); /* "s3 =" and what is indented below it */
        trim(&from, &to);
        if (from == to || *from == '#' || *from == ';')
            continue;
        if (*from == '[') {
            const char *close = memchr(from, ']', (size_t)(to - from));
            from++;
            to = close ? close : from;
            trim(&from, &to);
            inside = (size_t)(to - from) == strlen(section) && memcmp(from, section, strlen(section)) == 0;
            continue;
        }
        const char *equal = memchr(from, '=', (size_t)(to - from));
        if (!equal || nested)
            continue;
        const char *name_end = equal, *value = equal + 1;
        trim(&from, &name_end);
        trim(&value, &to);
        const size_t name_size = (size_t)(name_end - from);
        if (name_size == sizeof secret_name - 1 && memcmp(from, secret_name, name_size) == 0)
            *has_secret = true;
        if (inside)
            rc = set_field(c, places, sizeof places / sizeof places[0], "aws_session_token", from, name_size,
                           value, (size_t)(to - value), what, err);
    }
    return rc;
}

static fg_code default_path(char *out, size_t out_size, const char *variable, const char *name, fg_error *err)
{
    const char *given = getenv(variable), *home = getenv("HOME");
    if (given && *given)
        return snprintf(out, out_size, "%s", given) < (int)out_size
                   ? FG_OK
                   : FG_FAIL(err, FG_ERR_LIMIT, "%s: the path is too long", variable);
    *out = 0;
    return home && *home ? fg_path_join(out, out_size, home, name, err) : FG_OK;
}

static fg_code from_profile_file(fg_credentials *c, const char *path, const char *section, fg_error *err)
{
    fg_buf data;
    bool is_shared = false, has_secret = false;
    if (!*path || !fg_file_exists(path))
        return FG_OK;
    fg_code rc = read_file(path, &data, &is_shared, err);
    if (rc == FG_OK && data.size)
        rc = fg_credentials_parse_profile(c, (const char *)data.data, data.size, section, path, &has_secret,
                                          err);
    fg_buf_wipe(&data);
    return rc == FG_OK && has_secret && is_shared ? refuse_shared(path, err) : rc;
}

static fg_code from_profile(fg_credentials *c, fg_error *err)
{
    char credentials[FG_MAX_PATH], config[FG_MAX_PATH], section[FG_AWS_WORD_MAX + 16];
    const char *asked = getenv("AWS_PROFILE"), *profile = asked && *asked ? asked : "default";
    bool is_default = strcmp(profile, "default") == 0;
    fg_code rc =
        default_path(credentials, sizeof credentials, "AWS_SHARED_CREDENTIALS_FILE", ".aws/credentials", err);
    if (rc == FG_OK)
        rc = default_path(config, sizeof config, "AWS_CONFIG_FILE", ".aws/config", err);
    if (rc != FG_OK)
        return rc;
    snprintf(section, sizeof section, "%s%.*s", is_default ? "" : "profile ", FG_AWS_WORD_MAX, profile);
    if ((rc = from_profile_file(c, config, section, err)) != FG_OK ||
        (rc = from_profile_file(c, credentials, profile, err)) != FG_OK)
        return rc;
    if (*c->access_key && *c->secret_key)
        c->source = FG_CREDENTIALS_PROFILE;
    else if (asked && *asked)
        return FG_FAIL(err, FG_ERR_UNAUTHORIZED, "the profile %.64s has no keys in %s and %s", profile,
                       *credentials ? credentials : "~/.aws/credentials", *config ? config : "~/.aws/config");
    return FG_OK;
}

fg_code fg_credentials_find(fg_credentials *c, fg_http_client *http, const char *file, fg_error *err)
{
    char region[sizeof c->region] = "";
    fg_code rc = FG_OK;
    *c = (fg_credentials){0};
    if (file && *file) {
        rc = from_file(c, file, err);
        goto done;
    }
    if ((rc = from_environment(c, err)) != FG_OK || c->source)
        goto done;
    if ((rc = from_profile(c, err)) != FG_OK || c->source)
        goto done;
    memcpy(region, c->region, sizeof region); /* a profile may name the region alone */
    if ((rc = fg_credentials_from_container(c, http, err)) == FG_OK && !c->source)
        rc = fg_credentials_from_machine(c, http, err);
    memcpy(c->region, region, sizeof region);
    if (rc == FG_OK && !c->source)
        rc = FG_FAIL(err, FG_ERR_UNAUTHORIZED,
                     "no AWS credentials: give --aws-file FILE, or set AWS_ACCESS_KEY_ID and "
                     "AWS_SECRET_ACCESS_KEY, or write ~/.aws/credentials");
done:
    if (rc != FG_OK)
        fg_credentials_deinit(c);
    return rc;
}
