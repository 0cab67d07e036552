/* A multipart form as the server takes it: through libmicrohttpd, into fields and files. The first byte is
 * the length of the boundary, which follows; the rest is the body. */
#include "base/file.h"
#include "http/body.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char folder[64]; /* of the files, while the driver runs */
static fg_spool *spool;

enum { MAX_BODY = 256 << 10, ROUNDS = 10000 };

static void check(bool holds)
{
    if (!holds)
        abort();
}

typedef struct form {
    fg_spool *spool;
    fg_body body;
    bool begun, answered;
} form;

static void check_parts(const fg_body *body)
{
    int files = 0;
    check(body->part_count <= FG_BODY_PARTS);
    for (int i = 0; i < body->part_count; i++) {
        const fg_part *part = &body->parts[i];
        struct stat st;
        check(memchr(part->name, 0, sizeof part->name) != NULL);
        check(!part->text != !part->path);
        if (part->text) {
            check(part->size <= FG_BODY_FIELD && strlen(part->text) == part->size);
        } else {
            files++;
            check(*part->filename && !strpbrk(part->filename, "/\\\n"));
            check(stat(part->path, &st) == 0 && (uint64_t)st.st_size == part->size);
            check((st.st_mode & 0777) == 0600);
        }
    }
    check(files == body->file_count && files <= FG_BODY_FILES);
}

static enum MHD_Result on_request(void *context, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *data, size_t *size,
                                  void **state)
{
    form *f = context;
    (void)url;
    (void)method;
    (void)version;
    (void)state;
    if (!f->begun) {
        f->begun = true;
        return fg_body_init(&f->body, FG_BODY_FORM, connection, f->spool, MAX_BODY, NULL) == FG_OK ? MHD_YES
                                                                                                   : MHD_NO;
    }
    if (*size) {
        bool go_on = fg_body_feed(&f->body, data, *size);
        *size = 0;
        return go_on ? MHD_YES : MHD_NO;
    }
    if (fg_body_finish(&f->body, NULL) == FG_OK)
        check_parts(&f->body);
    f->answered = true;
    struct MHD_Response *response = MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
    enum MHD_Result queued = MHD_queue_response(connection, 204, response);
    MHD_destroy_response(response);
    return queued;
}

static void on_log(void *context, const char *fmt, va_list args)
{
    (void)context;
    (void)fmt;
    (void)args;
}

/* Until the client's end has heard an answer, or has nothing more to hear. */
static void converse(struct MHD_Daemon *daemon, int fd, const char *request, size_t size)
{
    char answer[4096];
    size_t sent = 0;
    for (int i = 0; i < ROUNDS; i++) {
        if (sent < size) {
            ssize_t n = send(fd, request + sent, size - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
            sent += n > 0 ? (size_t)n : 0;
        } else {
            shutdown(fd, SHUT_WR);
        }
        MHD_run(daemon);
        if (recv(fd, answer, sizeof answer, MSG_DONTWAIT) == 0)
            return;
    }
}

static void serve(form *f, const char *request, size_t size)
{
    int pair[2];
    struct sockaddr address = {.sa_family = AF_UNIX};
    struct MHD_Daemon *daemon =
        MHD_start_daemon(MHD_USE_NO_LISTEN_SOCKET | MHD_USE_EPOLL | MHD_USE_ERROR_LOG, 0, NULL, NULL,
                         on_request, f, MHD_OPTION_EXTERNAL_LOGGER, on_log, NULL, MHD_OPTION_END);
    if (!daemon || socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0)
        abort();
    if (MHD_add_connection(daemon, pair[0], &address, sizeof address) == MHD_YES)
        converse(daemon, pair[1], request, size);
    MHD_stop_daemon(daemon);
    close(pair[1]);
}

static void check_empty(void)
{
    char path[FG_MAX_PATH];
    DIR *dir = opendir(folder);
    check(dir != NULL);
    for (struct dirent *d; dir && (d = readdir(dir));) {
        if (*d->d_name == '.')
            continue;
        snprintf(path, sizeof path, "%s/%s/lock", folder, d->d_name);
        check(access(path, F_OK) == 0);
        snprintf(path, sizeof path, "%s/%s", folder, d->d_name);
        struct stat st;
        check(stat(path, &st) == 0 && st.st_nlink == 2);
        DIR *inner = opendir(path);
        check(inner != NULL);
        if (!inner)
            continue;
        int files = 0;
        for (struct dirent *e; (e = readdir(inner));)
            files += *e->d_name != '.';
        closedir(inner);
        check(files == 1);
    }
    closedir(dir);
}

static void clean_up(void)
{
    fg_spool_close(spool);
    rmdir(folder);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2 || size > MAX_BODY)
        return 0;
    if (!spool) {
        snprintf(folder, sizeof folder, "/tmp/facegate-fuzz-%ld", (long)getpid());
        if (fg_spool_open(&spool, folder, NULL) != FG_OK)
            abort();
        atexit(clean_up);
    }
    form f = {.spool = spool};
    size_t boundary = data[0] % 71 < size - 1 ? data[0] % 71 : size - 1;
    const char *text = (const char *)data + 1;
    for (size_t i = 0; i < boundary; i++)
        if (text[i] == '\r' || text[i] == '\n' || !text[i])
            return 0;
    const size_t body = size - 1 - boundary;
    char *request = malloc(size + 512);
    if (!request)
        return 0;
    int n = snprintf(request, 512,
                     "POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %zu\r\n"
                     "Content-Type: multipart/form-data; boundary=%.*s\r\n\r\n",
                     body, (int)boundary, text);
    memcpy(request + n, text + boundary, body);
    serve(&f, request, (size_t)n + body);
    if (f.begun)
        fg_body_deinit(&f.body);
    check_empty(); /* whatever happened, no file is left */
    free(request);
    return 0;
}
