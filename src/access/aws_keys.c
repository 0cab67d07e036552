#include "access/aws_keys.h"

#include "base/clock.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ID_BYTES = 8, SECRET_BYTES = 30 };

static const char lead[] = "FGAK";
static const char file_name[] = "master.key";

/* -- the master key -- */

/* Two processes may want it first: whoever links it first has made it. */
static fg_code make_file(const char *path, fg_error *err)
{
    uint8_t bytes[FG_MASTER_KEY];
    char text[2 * FG_MASTER_KEY + 2], tmp[FG_MAX_PATH];
    int fd;
    fg_code rc = fg_file_temp(path, tmp, &fd, err);
    if (rc != FG_OK)
        return rc;
    randombytes_buf(bytes, sizeof bytes);
    sodium_bin2hex(text, sizeof text, bytes, sizeof bytes);
    text[sizeof text - 2] = '\n';
    rc = fg_fd_write(fd, path, text, sizeof text - 1, err);
    if (rc == FG_OK && (fsync(fd) != 0 || (link(tmp, path) != 0 && errno != EEXIST)))
        rc = FG_FAIL_ERRNO(err, "cannot write", path);
    if (rc == FG_OK)
        fg_file_sync_folder(path);
    close(fd);
    unlink(tmp);
    sodium_memzero(bytes, sizeof bytes);
    sodium_memzero(text, sizeof text);
    return rc;
}

static fg_code read_file(uint8_t master[FG_MASTER_KEY], const char *path, fg_error *err)
{
    struct stat st;
    fg_buf text;
    size_t size = 0;
    if (stat(path, &st) != 0)
        return FG_FAIL_ERRNO(err, "cannot open", path);
    if (st.st_mode & 077)
        return FG_FAIL(err, FG_ERR_FORBIDDEN,
                       "%s: others can read it; `chmod 600` it, and make new access keys", path);
    fg_buf_init(&text, 4096);
    fg_code rc = fg_file_read(path, &text, err);
    if (rc == FG_OK &&
        (sodium_hex2bin(master, FG_MASTER_KEY, (const char *)text.data, text.size, "\n", &size, NULL) != 0 ||
         size != FG_MASTER_KEY))
        rc = FG_FAIL(err, FG_ERR_INPUT,
                     "%s: not a master key; restore it from a backup, or delete it and make new access keys",
                     path);
    fg_buf_wipe(&text);
    return rc;
}

fg_code fg_master_key_load(uint8_t master[FG_MASTER_KEY], const char *folder, const char *preset, bool create,
                           fg_error *err)
{
    char path[FG_MAX_PATH];
    memset(master, 0, FG_MASTER_KEY);
    if (sodium_init() < 0)
        return FG_FAIL(err, FG_ERR_INTERNAL, "no source of random numbers");
    if (preset && *preset) {
        if (strlen(preset) < FG_MASTER_KEY_MIN)
            return FG_FAIL(err, FG_ERR_USAGE, "FACEGATE_MASTER_KEY: give %d characters at least",
                           FG_MASTER_KEY_MIN);
        crypto_hash_sha256(master, (const unsigned char *)preset, strlen(preset));
        return FG_OK;
    }
    fg_code rc = fg_path_join(path, sizeof path, folder, file_name, err);
    if (rc == FG_OK && !fg_file_exists(path))
        rc = create ? make_file(path, err)
                    : FG_FAIL(err, FG_ERR_STATE,
                              "no access key was made here yet; see `facegate keys create --aws`");
    return rc == FG_OK ? read_file(master, path, err) : rc;
}

/* -- keys -- */

/* The id names the purpose too, so that nothing else made from the master key could ever be the same. */
static void make_secret(const uint8_t master[FG_MASTER_KEY], const char id[17], char secret[FG_AWS_SECRET])
{
    char text[64];
    uint8_t mac[crypto_auth_hmacsha256_BYTES];
    int n = snprintf(text, sizeof text, "facegate aws secret 1 %.16s", id);
    crypto_auth_hmacsha256(mac, (const unsigned char *)text, (unsigned long long)n, master);
    sodium_bin2base64(secret, FG_AWS_SECRET, mac, SECRET_BYTES, sodium_base64_VARIANT_ORIGINAL);
    sodium_memzero(mac, sizeof mac);
}

bool fg_aws_key_parse(const char *key_id, char id[17])
{
    const size_t n = sizeof lead - 1;
    id[0] = 0;
    if (!key_id || strnlen(key_id, FG_AWS_KEY_ID) != FG_AWS_KEY_ID - 1 || memcmp(key_id, lead, n) != 0 ||
        strspn(key_id + n, "0123456789ABCDEF") != 16)
        return false;
    for (size_t i = 0; i < 16; i++)
        id[i] = (char)tolower((unsigned char)key_id[n + i]);
    id[16] = 0;
    return true;
}

void fg_aws_key_name(const char id[17], char key_id[FG_AWS_KEY_ID])
{
    snprintf(key_id, FG_AWS_KEY_ID, "%s%.16s", lead, id);
    for (char *p = key_id; *p; p++)
        *p = (char)toupper((unsigned char)*p);
}

fg_code fg_aws_key_create(fg_store *store, const uint8_t master[FG_MASTER_KEY], unsigned scopes,
                          const char *label, int64_t expires_ms, char key_id[FG_AWS_KEY_ID],
                          char secret[FG_AWS_SECRET], fg_error *err)
{
    uint8_t id[ID_BYTES];
    char scope_text[FG_SCOPES_TEXT];
    fg_key key = {
        .label = (char *)(label ? label : ""),
        .scope = scope_text,
        .created_ms = fg_clock_unix_ms(),
        .expires_ms = expires_ms,
        .aws = true,
    };
    key_id[0] = secret[0] = 0;
    fg_scopes_text(scopes, scope_text);
    if (!*key.scope)
        return FG_FAIL(err, FG_ERR_USAGE, "a key needs a scope");
    if (expires_ms < 0 || (expires_ms > 0 && expires_ms <= key.created_ms))
        return FG_FAIL(err, FG_ERR_USAGE, "a key cannot expire in the past");
    randombytes_buf(id, sizeof id);
    sodium_bin2hex(key.id, sizeof key.id, id, sizeof id);
    make_secret(master, key.id, secret);
    crypto_hash_sha256(key.hash, (const unsigned char *)secret, strlen(secret));
    fg_code rc = fg_store_key_add(store, &key, err);
    if (rc == FG_OK)
        fg_aws_key_name(key.id, key_id);
    else
        sodium_memzero(secret, FG_AWS_SECRET);
    return rc;
}

fg_code fg_aws_key_find(fg_store *store, const uint8_t master[FG_MASTER_KEY], const char *key_id,
                        int64_t now_ms, unsigned *scopes, char id[17], char secret[FG_AWS_SECRET],
                        fg_error *err)
{
    static const char refused[] = "The security token included in the request is invalid.";
    uint8_t hash[crypto_hash_sha256_BYTES];
    fg_key key = {0};
    *scopes = 0;
    secret[0] = 0;
    if (!fg_aws_key_parse(key_id, id))
        return FG_FAIL(err, FG_ERR_UNAUTHORIZED, "%s", refused);
    fg_code rc = fg_store_key_by_id(store, id, &key, err);
    if (rc == FG_ERR_NOT_FOUND)
        return FG_FAIL(err, FG_ERR_UNAUTHORIZED, "%s", refused);
    if (rc != FG_OK)
        return rc;
    make_secret(master, id, secret);
    crypto_hash_sha256(hash, (const unsigned char *)secret, strlen(secret));
    if (!key.aws || key.revoked_ms || (key.expires_ms && key.expires_ms <= now_ms) ||
        sodium_memcmp(hash, key.hash, sizeof hash) != 0)
        rc = FG_FAIL(err, FG_ERR_UNAUTHORIZED, "%s", refused);
    else
        rc = fg_scopes_parse(scopes, key.scope, err);
    if (rc != FG_OK)
        sodium_memzero(secret, FG_AWS_SECRET);
    else if (now_ms - key.used_ms >= FG_KEY_USED_EVERY_MS) {
        /* Knowing when a key was used is not worth refusing its owner on a full disk. */
        fg_code noted = fg_store_key_used(store, id, now_ms, NULL);
        (void)noted;
    }
    fg_key_deinit(&key);
    return rc;
}
