/* Access keys for AWS clients, beside the API's own keys and with the same scopes, lives and revocation.
 *
 * To verify a Signature Version 4 a server must know the secret itself: a hash of it will not do. So that no
 * secret lies in the database, each is made from its key's id by HMAC-SHA256 under one master key, and the
 * database has the id and a hash alone. The master key comes from outside (FACEGATE_MASTER_KEY), or else lies
 * in the data folder as master.key, readable to its owner alone. What that is worth: a copy of the database
 * (a backup, a leaked file) gives no secret away; a copy of the whole data folder does, unless the master key
 * comes from outside; whoever can read this process's memory has them in any case. */
#ifndef FG_ACCESS_AWS_KEYS_H
#define FG_ACCESS_AWS_KEYS_H

#include "access/access.h"

enum {
    FG_AWS_KEY_ID = 21,     /* "FGAK" and 16 upper-case hex digits, with its NUL */
    FG_AWS_SECRET = 41,     /* 40 characters of base64, with its NUL */
    FG_MASTER_KEY = 32,     /* bytes */
    FG_MASTER_KEY_MIN = 16, /* characters of one that is given */
};

/* preset: from outside; NULL or "" for the file of the folder, which is made where create is set.
 * FG_ERR_FORBIDDEN where others can read the file, FG_ERR_STATE where there is none, FG_ERR_USAGE for a
 * preset that is too short. */
fg_code fg_master_key_load(uint8_t master[FG_MASTER_KEY], const char *folder, const char *preset, bool create,
                           fg_error *err) FG_MUST_CHECK;

/* A new key; secret is to be shown once and wiped. */
fg_code fg_aws_key_create(fg_store *store, const uint8_t master[FG_MASTER_KEY], unsigned scopes,
                          const char *label, int64_t expires_ms, char key_id[FG_AWS_KEY_ID],
                          char secret[FG_AWS_SECRET], fg_error *err) FG_MUST_CHECK;
/* "FGAK0123456789ABCDEF" and "0123456789abcdef", each the other's name. Pure: for foreign bytes. */
bool fg_aws_key_parse(const char *key_id, char id[17]);
void fg_aws_key_name(const char id[17], char key_id[FG_AWS_KEY_ID]);

/* The scopes and the secret of a living key; id gets its name in the store. FG_ERR_UNAUTHORIZED for one that
 * is not known, is revoked or has expired, or was made under another master key. */
fg_code fg_aws_key_find(fg_store *store, const uint8_t master[FG_MASTER_KEY], const char *key_id,
                        int64_t now_ms, unsigned *scopes, char id[17], char secret[FG_AWS_SECRET],
                        fg_error *err) FG_MUST_CHECK;

#endif
