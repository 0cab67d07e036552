/* A server on loopback that gives prepared answers, one a connection, in order, and keeps what it was asked.
 * An answer that is cut shorter than its Content-Length is a broken connection. */
#ifndef TESTS_SUPPORT_CANNED_H
#define TESTS_SUPPORT_CANNED_H

#include <arpa/inet.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CANNED_MAX = 16, CANNED_REQUEST = 1 << 14 };

typedef struct canned {
    const char
        *answers[CANNED_MAX]; /* whole, with status line and headers; the caller fills these, in order */
    int count;
    char requests[CANNED_MAX][CANNED_REQUEST];
    int served;
    int fd;
    char url[64]; /* "http://127.0.0.1:PORT" */
    pthread_t thread;
} canned;

static void canned_read(int fd, char *out)
{
    size_t size = 0, want = 0;
    for (;;) {
        ssize_t n = read(fd, out + size, CANNED_REQUEST - 1 - size);
        if (n <= 0)
            break;
        size += (size_t)n;
        out[size] = 0;
        const char *body = strstr(out, "\r\n\r\n");
        if (!body)
            continue;
        const char *length = strcasestr(out, "\r\nContent-Length:");
        want = (size_t)(body + 4 - out) + (length ? (size_t)strtol(length + 17, NULL, 10) : 0);
        if (strcasestr(out, "\r\nExpect: 100-continue") && size < want)
            (void)!write(fd, "HTTP/1.1 100 Continue\r\n\r\n", 25);
        if (size >= want || size >= CANNED_REQUEST - 1)
            break;
    }
}

static void *canned_work(void *context)
{
    canned *c = context;
    for (;;) {
        int fd = accept(c->fd, NULL, NULL);
        if (fd < 0)
            return NULL;
        if (c->served < CANNED_MAX) {
            const int turn = c->served;
            canned_read(fd, c->requests[turn]);
            c->served++; /* before the answer: whoever has that may look at once */
            if (turn < c->count)
                (void)!write(fd, c->answers[turn], strlen(c->answers[turn]));
        }
        shutdown(fd, SHUT_WR);
        close(fd);
    }
}

static inline bool canned_start(canned *c)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    c->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (c->fd < 0 || bind(c->fd, (struct sockaddr *)&address, size) != 0 || listen(c->fd, 8) != 0 ||
        getsockname(c->fd, (struct sockaddr *)&address, &size) != 0)
        return false;
    snprintf(c->url, sizeof c->url, "http://127.0.0.1:%d", ntohs(address.sin_port));
    return pthread_create(&c->thread, NULL, canned_work, c) == 0;
}

static inline void canned_stop(canned *c)
{
    shutdown(c->fd, SHUT_RDWR);
    close(c->fd);
    pthread_join(c->thread, NULL);
}

#endif
