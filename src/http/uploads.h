/* Resumable uploads: DATA/uploads/<id>.bin grows as the bytes come, <id>.json says what it is to become. They
 * survive a restart of the server, and are deleted a day after the last byte.
 *
 * How much has arrived is the size of the file, and nothing else; who writes holds a lock on it (flock), so
 * that two clients, or two servers, cannot mix their bytes. */
#ifndef FG_HTTP_UPLOADS_H
#define FG_HTTP_UPLOADS_H

#include "base/error.h"
#include "base/limits.h"
#include "http/tus.h"

enum {
    FG_UPLOAD_ID = 25,    /* 24 hex digits and a NUL */
    FG_UPLOADS_MAX = 128, /* at once, finished or not; beyond it FG_ERR_BUSY */
    FG_UPLOAD_MS = 24 * 3600 * 1000
};

typedef struct fg_uploads fg_uploads; /* safe to share between threads */
typedef struct fg_upload_writer fg_upload_writer;

typedef struct fg_upload {
    char id[FG_UPLOAD_ID];
    char name[FG_MAX_NAME_BYTES + 1]; /* of the file where it came from, made harmless */
    uint64_t length, offset;          /* whole, and arrived */
    int64_t expires_ms;
    char path[FG_MAX_PATH];
} fg_upload;

fg_code fg_uploads_open(fg_uploads **uploads, const char *folder, uint64_t max_bytes,
                        fg_error *err) FG_MUST_CHECK;
void fg_uploads_close(fg_uploads *uploads);
/* FG_ERR_LIMIT: too large; FG_ERR_BUSY: too many; FG_ERR_FULL: the disk has no room for it. */
fg_code fg_uploads_create(fg_uploads *uploads, uint64_t length, const char *name, fg_upload *upload,
                          fg_error *err) FG_MUST_CHECK;
/* FG_ERR_NOT_FOUND, also where it has expired. */
fg_code fg_uploads_get(fg_uploads *uploads, const char *id, fg_upload *upload, fg_error *err) FG_MUST_CHECK;
fg_code fg_uploads_remove(fg_uploads *uploads, const char *id, fg_error *err) FG_MUST_CHECK;
/* Its file has been moved away. */
void fg_uploads_forget(fg_uploads *uploads, const char *id);
void fg_uploads_remove_all(fg_uploads *uploads);
void fg_uploads_sweep(fg_uploads *uploads); /* those that have expired */

/* To append at offset. FG_ERR_BUSY: somebody else does; FG_ERR_STATE: so much has not arrived, or more. */
fg_code fg_upload_begin(fg_uploads *uploads, const char *id, uint64_t offset, const fg_tus_checksum *checksum,
                        fg_upload_writer **writer, fg_upload *upload, fg_error *err) FG_MUST_CHECK;
fg_code fg_upload_write(fg_upload_writer *writer, const void *data, size_t size, fg_error *err) FG_MUST_CHECK;
/* whole: the client has sent all that it wanted to. With a checksum, what does not match it, or was cut off,
 * is thrown away: FG_ERR_INPUT. Else everything that came stays. Frees the writer. */
fg_code fg_upload_end(fg_upload_writer *writer, bool whole, uint64_t *offset, fg_error *err) FG_MUST_CHECK;

#endif
