#include "http/credentials.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static bool is_token68(char c)
{
    return isalnum((unsigned char)c) || (c && strchr("-._~+/=", c));
}

bool fg_bearer_parse(const char *header, char *out, size_t out_size)
{
    size_t n = 0;
    *out = 0;
    if (!header || strncasecmp(header, "bearer", 6) != 0 || header[6] != ' ')
        return false;
    for (header += 6; *header == ' '; header++)
        ;
    while (is_token68(header[n]))
        n++;
    if (n == 0 || n >= out_size || header[n + strspn(header + n, " ")])
        return false;
    memcpy(out, header, n);
    out[n] = 0;
    return true;
}

bool fg_cookie_find(const char *header, const char *name, char *out, size_t out_size)
{
    size_t name_size = strlen(name);
    *out = 0;
    while (header && *header) {
        header += strspn(header, " ;\t");
        size_t n = strcspn(header, ";");
        if (n > name_size && header[name_size] == '=' && strncmp(header, name, name_size) == 0) {
            const char *value = header + name_size + 1;
            size_t size = 0;
            while (size < n - name_size - 1 && is_token68(value[size]))
                size++;
            if (size == 0 || size >= out_size || size != n - name_size - 1)
                return false;
            memcpy(out, value, size);
            out[size] = 0;
            return true;
        }
        header += n;
    }
    return false;
}

bool fg_host_parse(const char *header, char *out, size_t out_size)
{
    size_t n;
    *out = 0;
    if (!header)
        return false;
    const char *rest;
    if (*header == '[') {
        n = strcspn(++header, "]");
        rest = header[n] ? header + n + 1 : NULL;
    } else {
        n = strcspn(header, ":");
        rest = header + n;
    }
    if (!rest || n == 0 || n >= out_size)
        return false;
    if (*rest && (*rest != ':' || !rest[1] || rest[1 + strspn(rest + 1, "0123456789")]))
        return false;
    for (size_t i = 0; i < n; i++) {
        if (!isalnum((unsigned char)header[i]) && !strchr("-._:", header[i])) {
            *out = 0;
            return false;
        }
        out[i] = (char)tolower((unsigned char)header[i]);
    }
    out[n] = 0;
    return true;
}

void fg_client_network(const char *address, char *out, size_t out_size)
{
    struct in6_addr v6;
    snprintf(out, out_size, "%s", address);
    if (inet_pton(AF_INET6, address, &v6) != 1 || IN6_IS_ADDR_V4MAPPED(&v6))
        return;
    memset(v6.s6_addr + 8, 0, 8);
    if (!inet_ntop(AF_INET6, &v6, out, (socklen_t)out_size))
        snprintf(out, out_size, "%s", address);
}

bool fg_origin_matches(const char *origin, bool tls, const char *host_header)
{
    const char *scheme = tls ? "https://" : "http://";
    size_t n = strlen(scheme);
    return origin && host_header && strncmp(origin, scheme, n) == 0 &&
           strcasecmp(origin + n, host_header) == 0;
}
