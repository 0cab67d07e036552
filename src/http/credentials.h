/* What a request says about who sends it: pure parsing of header values, foreign bytes all. */
#ifndef FG_HTTP_CREDENTIALS_H
#define FG_HTTP_CREDENTIALS_H

#include <stdbool.h>
#include <stddef.h>

/* RFC 6750: the token of "Bearer TOKEN" (any case, one or more spaces), of at most out_size - 1 characters of
 * the token68 alphabet; false for anything else, with *out empty. */
bool fg_bearer_parse(const char *header, char *out, size_t out_size);

/* RFC 6265: the value of the first cookie of that name in a Cookie header; false where there is none, or
 * where it is too long or has characters that we never set. */
bool fg_cookie_find(const char *header, const char *name, char *out, size_t out_size);

/* The host part of a Host header, in lower case and without its port and brackets; false where malformed. */
bool fg_host_parse(const char *header, char *out, size_t out_size);

/* RFC 6454: an Origin header that is exactly scheme://host of this request. */
bool fg_origin_matches(const char *origin, bool tls, const char *host_header);

/* Who counts as one when requests are counted: an IPv4 address, but of IPv6 the network (/64), since whoever
 * has one address has all of it. Anything else as it is. */
void fg_client_network(const char *address, char *out, size_t out_size);

#endif
