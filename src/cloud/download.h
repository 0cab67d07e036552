/* One file from an HTTPS server, of which size and SHA-256 are known beforehand: what comes back is either
 * that file or an error, whoever answers. Goes on where an earlier try was cut off (RFC 9110, section 14:
 * Range with If-Range). A redirect is followed on the same host alone and never to plain HTTP: a login page
 * of some network, or a server that was taken over, shall be named instead of being asked. */
#ifndef FG_CLOUD_DOWNLOAD_H
#define FG_CLOUD_DOWNLOAD_H

#include "base/progress.h"
#include "cloud/http.h"

typedef struct fg_download {
    const char *url; /* https://... */
    /* The file that grows, readable to its owner alone; what is there of somebody else's is replaced. Beside
     * it PART.tag, which tells versions on the server apart. */
    const char *part;
    uint64_t bytes;
    const char *sha256;          /* lower-case hex */
    const char *ca_file;         /* PEM; NULL: the system's authorities */
    const fg_progress *progress; /* in kB, of the whole below; may be NULL */
    uint64_t before_bytes, whole_bytes;
} fg_download;

/* On FG_OK the part is whole and checked; it and its tag are the caller's to rename and remove. *resumed is
 * what an earlier try had left. FG_ERR_MODEL where the server's file is not the one that was asked for: the
 * part is deleted then. FG_ERR_IO (no network, cut off, redirected), FG_ERR_FULL, FG_ERR_CANCELLED: the part
 * stays, for the next try. FG_ERR_NOT_FOUND: status 404. */
fg_code fg_download_run(fg_http_client *client, const fg_download *download, uint64_t *resumed,
                        fg_error *err) FG_MUST_CHECK;
/* The part and its tag, once the part has been renamed or is of no use. */
void fg_download_forget(const char *part);

/* -- what the server says; pure, for the driver in fuzz/ -- */

enum { FG_DOWNLOAD_URL = 2048 };

/* Where in the file the body of an answer of status 2xx belongs, of which have bytes are there: with status
 * 206 at have, else at 0. FG_ERR_IO: a part that was not asked for, or no sensible length. FG_ERR_MODEL: of a
 * file that is not of this many bytes. */
fg_code fg_download_head(const fg_http_answer *answer, const char *url, uint64_t have, uint64_t bytes,
                         uint64_t *from, fg_error *err) FG_MUST_CHECK;
/* Where a redirect leads: to https, on the host and port of url, without a user name. FG_ERR_IO: anywhere
 * else. */
fg_code fg_download_redirect(const fg_http_answer *answer, const char *url, char *out, size_t out_size,
                             fg_error *err) FG_MUST_CHECK;

#endif
