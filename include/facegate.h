/* Facegate: codes and errors shared by the library and everything built on it.
 *
 * Every function that can fail returns an fg_code and takes, as its last argument, an fg_error owned by the
 * caller (or NULL, if only the code matters). Outputs are cleared before anything else is done, so they are
 * safe to free after a failure. A face that is not recognised is a verdict, never an error. */
#ifndef FACEGATE_H
#define FACEGATE_H

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define FG_MUST_CHECK __attribute__((warn_unused_result))
#define FG_PRINTF(format_at, args_at) __attribute__((format(printf, format_at, args_at)))
#else
#define FG_MUST_CHECK
#define FG_PRINTF(format_at, args_at)
#endif

/* base/error.c holds the one table that gives each code its name, its exit status and its HTTP status. */
typedef enum fg_code {
    FG_OK = 0,
    FG_ERR_USAGE,        /* a flag, a setting or a request that makes no sense */
    FG_ERR_INPUT,        /* a broken, empty, truncated or mislabelled file or body */
    FG_ERR_UNSUPPORTED,  /* well formed, but a format, codec or operator Facegate does not take */
    FG_ERR_LIMIT,        /* larger or longer than a cap of base/limits.h */
    FG_ERR_NOT_FOUND,    /* no such file, member, version, model */
    FG_ERR_EXISTS,       /* a name that is already taken */
    FG_ERR_STATE,        /* the right request at the wrong time: nothing enrolled, nothing trained */
    FG_ERR_UNAUTHORIZED, /* no key, or a wrong one */
    FG_ERR_FORBIDDEN,    /* a key without the scope; a folder without the permission */
    FG_ERR_BUSY,         /* locked, port taken, queue full: try again */
    FG_ERR_FULL,         /* no space left */
    FG_ERR_IO,           /* any other failure of the file system or the network */
    FG_ERR_MODEL,        /* a model file that is missing, damaged or not what its manifest says */
    FG_ERR_CANCELLED,    /* the caller asked to stop */
    FG_ERR_MEMORY,       /* out of memory */
    FG_ERR_INTERNAL,     /* a bug in Facegate */
    FG_CODE_COUNT
} fg_code;

typedef struct fg_error {
    fg_code code;
    char where[48]; /* the function that failed, for logs */
    char msg[464];  /* one line for people: what is wrong, with which file, and what to do; never biometric
                       data */
    bool local; /* told of the files of this machine, which msg may name: not for those at other machines */
} fg_error;

const char *fg_version(void);

#ifdef __cplusplus
}
#endif
#endif
