/* Files that are part of the program: tables made at build time by tools/embed.c. */
#ifndef FG_BASE_EMBEDDED_H
#define FG_BASE_EMBEDDED_H

#include <stddef.h>

typedef struct fg_embedded {
    const char *name;          /* NULL ends a table */
    const unsigned char *data; /* size bytes and a NUL, so that text can be used as it is */
    size_t size;
} fg_embedded;

#endif
