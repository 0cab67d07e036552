/* The headers of the tus resumable upload protocol 1.0.0 (tus.io): pure parsing of foreign bytes. */
#ifndef FG_HTTP_TUS_H
#define FG_HTTP_TUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FG_TUS_VERSION "1.0.0"
#define FG_TUS_EXTENSIONS "creation,termination,expiration,checksum"
#define FG_TUS_ALGORITHMS "sha1,sha256"

enum { FG_TUS_DIGEST = 32 };

typedef enum fg_tus_algorithm { FG_TUS_NONE, FG_TUS_SHA1, FG_TUS_SHA256 } fg_tus_algorithm;

typedef struct fg_tus_checksum {
    fg_tus_algorithm algorithm;
    uint8_t digest[FG_TUS_DIGEST];
    size_t size; /* of the digest */
} fg_tus_checksum;

/* Decimal digits alone, at most 15 of them. */
bool fg_tus_number(const char *header, uint64_t *number);
/* "sha1 <base64>": false where the algorithm is not ours, or the digest not of its length. NULL is NONE. */
bool fg_tus_checksum_parse(const char *header, fg_tus_checksum *checksum);
/* "key base64,key,...": *found says whether there is the key; out its text, without its NULs cut to fit.
 * False where the header is malformed. */
bool fg_tus_metadata(const char *header, const char *key, char *out, size_t out_size, bool *found);

#endif
