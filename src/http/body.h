/* Request bodies, as they arrive: JSON in memory, photos in memory up to a megabyte and then on disk, forms
 * (multipart/form-data, RFC 7578, parsed by libmicrohttpd) with their files straight to disk.
 *
 * Never more than FG_BODY_MEMORY of one body is in memory. What was written to disk is deleted by _deinit. */
#ifndef FG_HTTP_BODY_H
#define FG_HTTP_BODY_H

#include "base/buf.h"
#include "blob/spool.h"
#include "http/uploads.h"

#include <microhttpd.h>
#include <stdbool.h>

enum {
    FG_BODY_MEMORY = 1 << 20, /* also of a body of any type, which goes to disk beyond it as a photo does */
    FG_BODY_FIELD = 4096,     /* bytes of one text field of a form */
    FG_BODY_PARTS = 192,
    FG_BODY_FILES = 32,
};

typedef enum fg_body_kind {
    FG_BODY_NONE,
    FG_BODY_JSON,
    FG_BODY_PHOTO,
    FG_BODY_FORM,
    FG_BODY_UPLOAD,
    FG_BODY_ANY
} fg_body_kind;

typedef struct fg_part {
    char name[32];
    char *text;     /* of a field; NULL for a file */
    char *path;     /* of a file; NULL for a field */
    char *filename; /* what the client called it, made harmless; for messages and records alone */
    char *sent;     /* the same as it came, to tell two files apart */
    int fd;
    uint64_t size;
} fg_part;

typedef struct fg_body {
    fg_body_kind kind;
    fg_spool *spool;
    uint64_t max_bytes, received;
    fg_buf memory;
    char *path; /* where a photo larger than FG_BODY_MEMORY is */
    int fd;
    struct MHD_PostProcessor *post;
    fg_upload_writer *upload; /* of FG_BODY_UPLOAD: where the bytes go */
    fg_part *parts;           /* FG_BODY_PARTS of them */
    int part_count, file_count;
    bool failed; /* failure says why; the rest is read and forgotten */
    fg_error failure;
} fg_body;

/* kind is what the route takes; a photo sent as a form becomes FG_BODY_FORM. FG_ERR_UNSUPPORTED for another
 * Content-Type, FG_ERR_LIMIT for a Content-Length beyond max_bytes. */
fg_code fg_body_init(fg_body *body, fg_body_kind kind, struct MHD_Connection *connection, fg_spool *spool,
                     uint64_t max_bytes, fg_error *err) FG_MUST_CHECK;
void fg_body_deinit(fg_body *body); /* also fine on a zeroed fg_body */
/* A failure is kept for fg_body_finish, since a response can only be sent after the whole body. False: the
 * client sends so far beyond what it may that the connection is to be cut. */
bool fg_body_feed(fg_body *body, const char *data, size_t size);
/* After the last byte: whether all is well. */
fg_code fg_body_finish(fg_body *body, fg_error *err) FG_MUST_CHECK;

/* The first field of that name, NULL where there is none. */
const char *fg_body_field(const fg_body *body, const char *name);
/* A base name: what follows the last slash of either kind, as fg_text_clean makes it, at most
 * FG_MAX_NAME_BYTES; "upload" where nothing is left. Owned by the caller; NULL when out of memory. */
char *fg_body_safe_name(const char *name);

#endif
