#include "cloud/download.h"

#include "base/file.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum { MAX_REDIRECTS = 5, MAX_TAG = 256, ANSWER_BYTES = 1 << 16 };

typedef struct state {
    const fg_download *download;
    char url[FG_DOWNLOAD_URL];
    char tag_path[FG_MAX_PATH];
    int fd;
    uint64_t have; /* bytes of the part */
    bool begun;    /* the answer's head was looked at */
} state;

static void tag_path_of(const char *part, char path[FG_MAX_PATH])
{
    snprintf(path, FG_MAX_PATH, "%.*s.tag", FG_MAX_PATH - 8, part);
}

void fg_download_forget(const char *part)
{
    char path[FG_MAX_PATH];
    tag_path_of(part, path);
    unlink(part);
    unlink(path);
}

static fg_code restart(state *s, fg_error *err)
{
    s->have = 0;
    return ftruncate(s->fd, 0) == 0 ? FG_OK : FG_FAIL_ERRNO(err, "cannot write", s->download->part);
}

static bool is_ours(int fd, struct stat *st)
{
    return fstat(fd, st) == 0 && S_ISREG(st->st_mode) && st->st_uid == geteuid() && st->st_nlink == 1 &&
           (st->st_mode & 077) == 0;
}

/* Its name can be guessed. What somebody else has put there, who could change it after it was checked, or who
 * means another file by it, is replaced by a new one. */
static fg_code open_part(state *s, fg_error *err)
{
    const int flags = O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
    const char *part = s->download->part;
    struct stat st;
    s->fd = open(part, flags, 0600);
    if (s->fd < 0 && errno != ELOOP && errno != ENXIO)
        return FG_FAIL_ERRNO(err, "cannot write", part);
    if (s->fd < 0 || !is_ours(s->fd, &st)) {
        if (s->fd >= 0)
            close(s->fd);
        fg_download_forget(part);
        s->fd = open(part, flags | O_EXCL, 0600);
        if (s->fd < 0 || fstat(s->fd, &st) != 0)
            return FG_FAIL_ERRNO(err, "cannot write", part);
    }
    s->have = (uint64_t)st.st_size;
    return FG_OK;
}

/* Before the first byte: a disk that is full to the brim is everybody's trouble. */
static fg_code check_room(const state *s, fg_error *err)
{
    const uint64_t needed = s->download->bytes - s->have;
    struct statvfs fs;
    if (fstatvfs(s->fd, &fs) != 0 || fs.f_frsize == 0 || fs.f_bavail >= needed / fs.f_frsize + 1)
        return FG_OK;
    return FG_FAIL(err, FG_ERR_FULL,
                   "%s: %" PRIu64 " more bytes do not fit on the disk; free some space and try again",
                   s->download->part, needed);
}

static bool is_printable(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (text[i] < ' ' || text[i] > '~')
            return false;
    return true;
}

/* A version on the server, to go on with that one alone. A tag that cannot be kept costs a check, not safety:
 * the hash has the last word. */
static void keep_tag(const state *s, const fg_http_answer *answer)
{
    char tag[MAX_TAG];
    if ((!fg_http_answer_header(answer, "etag", tag, sizeof tag) || strncmp(tag, "W/", 2) == 0) &&
        !fg_http_answer_header(answer, "last-modified", tag, sizeof tag))
        *tag = 0;
    unlink(s->tag_path);
    if (*tag && is_printable(tag, strlen(tag)) &&
        fg_file_write_atomic(s->tag_path, tag, strlen(tag), NULL) != FG_OK)
        unlink(s->tag_path);
}

/* Digits and nothing before them; *end is what follows. */
static bool read_number(const char *text, uint64_t *number, const char **end)
{
    char *rest = NULL;
    errno = 0;
    *number = isdigit((unsigned char)*text) ? strtoull(text, &rest, 10) : 0;
    *end = rest ? rest : text;
    return rest && errno == 0;
}

/* "bytes 100-199/200", also with '*' for the whole (RFC 9110, section 14.4), which is *whole then 0. */
static bool read_range(const char *text, uint64_t *from, uint64_t *to, uint64_t *whole)
{
    static const char unit[] = "bytes ";
    *whole = 0;
    if (strncmp(text, unit, sizeof unit - 1) != 0 || !read_number(text + sizeof unit - 1, from, &text) ||
        *text != '-' || !read_number(text + 1, to, &text) || *to < *from || *text != '/')
        return false;
    return strcmp(text + 1, "*") == 0 || (read_number(text + 1, whole, &text) && !*text && *whole > *to);
}

static fg_code wrong_size(const char *url, const char *what, uint64_t sent, uint64_t bytes, fg_error *err)
{
    return FG_FAIL(err, FG_ERR_MODEL,
                   "%s: the server sends %s%" PRIu64 " bytes, the manifest says %" PRIu64 "; not used", url,
                   what, sent, bytes);
}

fg_code fg_download_head(const fg_http_answer *answer, const char *url, uint64_t have, uint64_t bytes,
                         uint64_t *from, fg_error *err)
{
    char text[128];
    uint64_t length = 0, to = 0, whole = 0;
    const char *end = NULL;
    *from = 0;
    if (answer->status == 206) {
        if (!fg_http_answer_header(answer, "content-range", text, sizeof text) ||
            !read_range(text, from, &to, &whole) || *from != have)
            return FG_FAIL(err, FG_ERR_IO, "%s: the server sends another part than was asked for", url);
        if ((whole && whole != bytes) || to >= bytes)
            return wrong_size(url, "", whole ? whole : to, bytes, err);
    }
    if (!fg_http_answer_header(answer, "content-length", text, sizeof text))
        return FG_OK;
    if (!read_number(text, &length, &end) || *end)
        return FG_FAIL(err, FG_ERR_IO, "%s: the server does not say how many bytes it sends", url);
    if (length != bytes - *from) /* which is not below 0: a range ends within the file */
        return wrong_size(url, "", length <= UINT64_MAX - *from ? *from + length : length, bytes, err);
    return FG_OK;
}

static fg_code look_at_head(state *s, const fg_http_answer *answer, fg_error *err)
{
    uint64_t from = 0;
    fg_code rc = fg_download_head(answer, s->url, s->have, s->download->bytes, &from, err);
    s->begun = true;
    if (answer->status == 206 || (rc != FG_OK && rc != FG_ERR_MODEL))
        return rc;
    /* From the start: what is there is of another version. */
    if (rc == FG_OK && (rc = restart(s, err)) == FG_OK)
        keep_tag(s, answer);
    return rc;
}

static fg_code take(void *context, const fg_http_answer *answer, const void *data, size_t size, fg_error *err)
{
    state *s = context;
    const fg_download *d = s->download;
    fg_code rc = s->begun ? FG_OK : look_at_head(s, answer, err);
    if (rc != FG_OK)
        return rc;
    if (size > d->bytes - s->have)
        return wrong_size(s->url, "more than ", d->bytes, d->bytes, err);
    for (const char *p = data; size > 0;) {
        ssize_t n = pwrite(s->fd, p, size, (off_t)s->have);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return FG_FAIL_ERRNO(err, "cannot write", d->part);
        p += n;
        size -= (size_t)n;
        s->have += (uint64_t)n;
    }
    if (!fg_progress_tell(d->progress, "kB", (long)((d->before_bytes + s->have) / 1024),
                          (long)(d->whole_bytes / 1024)))
        return FG_FAIL(err, FG_ERR_CANCELLED, "cancelled; the next try goes on from here");
    return FG_OK;
}

/* Printable, and without a user name before the host: readers of addresses do not agree where that ends, and
 * it would only be there to deceive who reads the message. */
static bool is_plain_address(const char *address)
{
    const char *host = strstr(address, "://");
    if (!host || memchr(host + 3, '@', strcspn(host + 3, "/?#")))
        return false;
    for (const char *p = address; *p; p++)
        if (*p <= ' ' || *p > '~' || *p == '\\')
            return false;
    return true;
}

fg_code fg_download_redirect(const fg_http_answer *answer, const char *url, char *out, size_t out_size,
                             fg_error *err)
{
    char location[FG_DOWNLOAD_URL];
    bool same_host = false;
    *out = 0;
    if (!fg_http_answer_header(answer, "location", location, sizeof location) ||
        !fg_url_follow(url, location, out, out_size, &same_host) || !is_plain_address(out))
        return FG_FAIL(err, FG_ERR_IO, "%s: redirected nowhere (status %d)", url, answer->status);
    if (strncmp(out, "https://", 8) != 0)
        return FG_FAIL(err, FG_ERR_IO, "%s: redirects to %.200s, which is not https; not followed", url, out);
    if (!same_host)
        return FG_FAIL(err, FG_ERR_IO, "%s: redirects to another host, %.200s; not followed", url, out);
    return FG_OK;
}

static fg_code redirect(state *s, const fg_http_answer *answer, fg_error *err)
{
    char to[FG_DOWNLOAD_URL];
    fg_code rc = fg_download_redirect(answer, s->url, to, sizeof to, err);
    if (rc == FG_OK)
        memcpy(s->url, to, sizeof s->url);
    return rc;
}

/* One request. *again: for the same file, after a redirect or from the start. */
static fg_code ask(fg_http_client *client, state *s, bool *again, fg_error *err)
{
    char range[64], if_range[MAX_TAG + 16];
    const char *headers[3] = {NULL};
    fg_http_answer answer;
    fg_buf tag;
    *again = false;
    fg_buf_init(&tag, MAX_TAG);
    fg_http_answer_init(&answer, ANSWER_BYTES);
    if (s->have > 0) {
        snprintf(range, sizeof range, "Range: bytes=%" PRIu64 "-", s->have);
        headers[0] = range;
        if (fg_file_exists(s->tag_path) && fg_file_read(s->tag_path, &tag, NULL) == FG_OK && tag.size &&
            is_printable((const char *)tag.data, tag.size)) {
            snprintf(if_range, sizeof if_range, "If-Range: %.*s", (int)tag.size, (const char *)tag.data);
            headers[1] = if_range;
        }
    }
    const fg_http_request request = {.what = s->url,
                                     .method = "GET",
                                     .url = s->url,
                                     .headers = headers,
                                     .ca_file = s->download->ca_file,
                                     .sink = take,
                                     .context = s};
    s->begun = false;
    fg_code rc = fg_http_send(client, &request, &answer, err);
    const int status = answer.status;
    if (rc == FG_ERR_LIMIT &&
        status / 100 > 2) /* a long page to say that there is nothing: its head will do */
        rc = FG_OK;
    if (rc != FG_OK || status / 100 == 2)
        goto done;
    if (status == 416 && s->have > 0) {
        *again = true;
        rc = restart(s, err);
    } else if (status == 301 || status == 302 || status == 303 || status == 307 || status == 308) {
        *again = true;
        rc = redirect(s, &answer, err);
    } else {
        rc = FG_FAIL(err, status == 404 || status == 410 ? FG_ERR_NOT_FOUND : FG_ERR_IO,
                     "%s: the server has no such file or does not give it (status %d)", s->url, status);
    }
done:
    fg_http_answer_deinit(&answer);
    fg_buf_deinit(&tag);
    return rc;
}

static fg_code check(const state *s, fg_error *err)
{
    char sha256[FG_SHA256_HEX];
    uint64_t bytes = 0;
    fg_code rc = fg_file_sha256(s->download->part, sha256, &bytes, err);
    if (rc == FG_OK && bytes != s->download->bytes)
        rc = wrong_size(s->url, "", bytes, s->download->bytes, err);
    if (rc == FG_OK && strcmp(sha256, s->download->sha256) != 0)
        rc =
            FG_FAIL(err, FG_ERR_MODEL,
                    "%s: what the server sends has another SHA-256 than the manifest says; not used", s->url);
    return rc;
}

static fg_code fetch(fg_http_client *client, state *s, fg_error *err)
{
    bool again = true;
    fg_code rc = FG_OK;
    for (int i = 0; rc == FG_OK && again; i++) {
        if (i > MAX_REDIRECTS)
            return FG_FAIL(err, FG_ERR_IO, "%s: redirected more than %d times", s->download->url,
                           MAX_REDIRECTS);
        rc = ask(client, s, &again, err);
    }
    if (rc == FG_ERR_IO && s->have > 0 && err) {
        char message[sizeof err->msg];
        memcpy(message, err->msg, sizeof message);
        return FG_FAIL(err, FG_ERR_IO,
                       "%.600s; %" PRIu64 " of %" PRIu64
                       " bytes are kept, and the same command goes on from there",
                       message, s->have, s->download->bytes);
    }
    return rc;
}

fg_code fg_download_run(fg_http_client *client, const fg_download *d, uint64_t *resumed, fg_error *err)
{
    state s = {.download = d, .fd = -1};
    fg_code rc;
    *resumed = 0;
    if (strncmp(d->url, "https://", 8) != 0 || strlen(d->url) >= sizeof s.url)
        return FG_FAIL(err, FG_ERR_MODEL, "%.200s: not an https address", d->url);
    snprintf(s.url, sizeof s.url, "%s", d->url);
    tag_path_of(d->part, s.tag_path);
    if ((rc = open_part(&s, err)) != FG_OK)
        goto done;
    if (s.have > d->bytes || (s.have == d->bytes && check(&s, NULL) != FG_OK))
        rc = restart(&s, err);
    *resumed = s.have;
    if (rc == FG_OK && s.have < d->bytes && (rc = check_room(&s, err)) == FG_OK) {
        rc = fetch(client, &s, err);
        if (rc == FG_OK)
            rc = check(&s, err);
    }
    if (rc == FG_ERR_MODEL)
        fg_download_forget(d->part);
done:
    if (s.fd >= 0)
        close(s.fd);
    return rc;
}
