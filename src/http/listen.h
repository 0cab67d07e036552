/* Where the server listens: "ADDR[:PORT]" as people write it, and the socket. */
#ifndef FG_HTTP_LISTEN_H
#define FG_HTTP_LISTEN_H

#include "base/error.h"

#include <stdbool.h>

enum { FG_LISTEN_HOST = 256 };

typedef struct fg_listen_address {
    char host[FG_LISTEN_HOST]; /* without brackets; a number or a name */
    int port;                  /* -1 where the text has none */
} fg_listen_address;

/* "127.0.0.1", "127.0.0.1:80", "localhost:0", "::1", "[::1]:80", ":80" (every address). FG_ERR_USAGE. */
fg_code fg_listen_parse(fg_listen_address *address, const char *text, fg_error *err) FG_MUST_CHECK;

/* A listening socket; *port is the one really bound, *loopback whether only this machine can reach it. */
fg_code fg_listen_open(const fg_listen_address *address, int *fd, int *port, bool *loopback,
                       fg_error *err) FG_MUST_CHECK;

#endif
