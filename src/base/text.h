/* Text from outside: names that people give, the keys that Facegate makes, and hosts. */
#ifndef FG_BASE_TEXT_H
#define FG_BASE_TEXT_H

#include "base/error.h"
#include "base/limits.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { FG_MAX_KEY_BYTES = 200 };

/* The size in bytes of the character of well-formed UTF-8 (RFC 3629) at p, and its code point; 0 where there
 * is none. */
size_t fg_text_character(const void *p, uint32_t *code);

/* A name, a role or a right: spaces, tabs and line ends around it are left out; what remains is 1 to
 * FG_MAX_NAME_BYTES bytes of UTF-8 (RFC 3629) without control characters (C0, DEL, C1, line and paragraph
 * separators), marks that turn the direction of writing, and byte order marks, since a name must look like
 * what it is. what is for the message: "name". FG_ERR_USAGE, FG_ERR_LIMIT; out is "" then. */
fg_code fg_text_name(char out[FG_MAX_NAME_BYTES + 1], const char *what, const char *text,
                     fg_error *err) FG_MUST_CHECK;

/* Any bytes made presentable, such as a file's name: what fg_text_name would refuse becomes '?', and what
 * does not fit is cut between characters. text NULL gives ""; text may be out itself. */
void fg_text_clean(char *out, size_t out_size, const char *text);

/* A blob's key: 1 to FG_MAX_KEY_BYTES bytes of [a-z0-9._/-], no part between '/' empty, "." or "..". */
bool fg_text_is_key(const char *text);
/* A key followed by '/'. */
bool fg_text_is_prefix(const char *text);

/* The names by which a machine calls itself: localhost, *.localhost, 127.0.0.0/8, ::1, in lower case and
 * without brackets. */
bool fg_text_is_loopback(const char *host);

#endif
