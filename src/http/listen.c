#include "http/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Whole decimal text of 0..65535, else -1. */
static int parse_port(const char *text)
{
    size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits > 5 || text[digits])
        return -1;
    long port = strtol(text, NULL, 10);
    return port <= 65535 ? (int)port : -1;
}

fg_code fg_listen_parse(fg_listen_address *address, const char *text, fg_error *err)
{
    const char *host = text, *port = NULL;
    size_t host_size = strlen(text);
    *address = (fg_listen_address){.port = -1};
    const char *colon = strrchr(text, ':');
    if (*text == '[') {
        const char *end = strchr(text, ']');
        if (!end || (end[1] && end[1] != ':'))
            goto bad;
        host = text + 1;
        host_size = (size_t)(end - host);
        port = end[1] ? end + 2 : NULL;
    } else if (colon && strchr(text, ':') == colon) { /* more than one colon: a bare IPv6 address */
        host_size = (size_t)(colon - text);
        port = colon + 1;
    }
    if (host_size >= sizeof address->host)
        goto bad;
    for (size_t i = 0; i < host_size; i++)
        if ((unsigned char)host[i] <= ' ' || (unsigned char)host[i] > '~' || strchr("[]/@", host[i]))
            goto bad;
    memcpy(address->host, host, host_size);
    if (port && (address->port = parse_port(port)) < 0)
        goto bad;
    if (host_size == 0 && !port)
        goto bad;
    if (host_size == 0)
        snprintf(address->host, sizeof address->host, "0.0.0.0");
    return FG_OK;
bad:
    *address = (fg_listen_address){.port = -1};
    return FG_FAIL(
        err, FG_ERR_USAGE,
        "--listen %.100s: give an address and perhaps a port, such as 127.0.0.1:8080 or [::1]:8080", text);
}

static bool is_loopback(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET)
        return (ntohl(((const struct sockaddr_in *)(const void *)address)->sin_addr.s_addr) >> 24) == 127;
    return address->sa_family == AF_INET6 &&
           IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)(const void *)address)->sin6_addr);
}

static int bound_port(int fd)
{
    struct sockaddr_storage address = {0};
    socklen_t size = sizeof address;
    if (getsockname(fd, (struct sockaddr *)&address, &size) != 0)
        return -1;
    if (address.ss_family == AF_INET6)
        return ntohs(((const struct sockaddr_in6 *)(const void *)&address)->sin6_port);
    return ntohs(((const struct sockaddr_in *)(const void *)&address)->sin_port);
}

fg_code fg_listen_open(const fg_listen_address *address, int *fd, int *port, bool *loopback, fg_error *err)
{
    char service[16], where[FG_LISTEN_HOST + 16];
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV}, *found;
    fg_code rc = FG_OK;
    int one = 1;
    *fd = -1;
    *port = 0;
    *loopback = false;
    snprintf(service, sizeof service, "%d", address->port);
    snprintf(where, sizeof where, "%s:%d", address->host, address->port);
    int failure = getaddrinfo(address->host, service, &hints, &found);
    if (failure)
        return FG_FAIL(err, FG_ERR_USAGE, "--listen %s: %s; give an address of this machine", address->host,
                       gai_strerror(failure));
    *fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (*fd < 0) {
        rc = FG_FAIL_ERRNO(err, "cannot make a socket", where);
        goto done;
    }
    /* So that a restarted server need not wait for the old connections' TIME_WAIT. */
    (void)setsockopt(*fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    (void)setsockopt(*fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (bind(*fd, found->ai_addr, found->ai_addrlen) != 0 || listen(*fd, 256) != 0) {
        rc = errno == EADDRNOTAVAIL
                 ? FG_FAIL(err, FG_ERR_USAGE, "--listen %s: not an address of this machine", address->host)
                 : FG_FAIL_ERRNO(err, "cannot listen", where);
        goto done;
    }
    *loopback = is_loopback(found->ai_addr);
    *port = bound_port(*fd);
done:
    freeaddrinfo(found);
    if (rc != FG_OK && *fd >= 0) {
        close(*fd);
        *fd = -1;
    }
    return rc;
}
