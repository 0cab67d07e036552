#include "base/text.h"

#include <arpa/inet.h>
#include <stdint.h>
#include <string.h>

size_t fg_text_character(const void *text, uint32_t *code)
{
    const unsigned char *p = text;
    static const struct {
        uint8_t mask, lead;
        uint32_t least; /* below it the form is overlong */
    } forms[] = {{0x80, 0x00, 0}, {0xe0, 0xc0, 0x80}, {0xf0, 0xe0, 0x800}, {0xf8, 0xf0, 0x10000}};
    for (size_t extra = 0; extra < 4; extra++) {
        if ((p[0] & forms[extra].mask) != forms[extra].lead)
            continue;
        uint32_t c = p[0] & (uint8_t)~forms[extra].mask;
        for (size_t i = 1; i <= extra; i++) {
            if ((p[i] & 0xc0) != 0x80) /* also stops at the NUL */
                return 0;
            c = c << 6 | (p[i] & 0x3f);
        }
        *code = c;
        return c < forms[extra].least || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff) ? 0 : extra + 1;
    }
    return 0;
}

static bool is_hidden(uint32_t c)
{
    static const struct {
        uint32_t first, last;
    } ranges[] = {
        {0x00, 0x1f},     {0x7f, 0x9f},     {0x061c, 0x061c}, {0x200e, 0x200f},
        {0x2028, 0x202e}, {0x2066, 0x2069}, {0xfeff, 0xfeff}, {0xfff9, 0xfffb},
    };
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++)
        if (c >= ranges[i].first && c <= ranges[i].last)
            return true;
    return false;
}

fg_code fg_text_name(char out[FG_MAX_NAME_BYTES + 1], const char *what, const char *text, fg_error *err)
{
    static const char around[] = " \t\r\n";
    out[0] = 0;
    if (!text)
        return FG_FAIL(err, FG_ERR_USAGE, "the %s is missing", what);
    text += strspn(text, around);
    size_t size = strlen(text);
    while (size && strchr(around, text[size - 1]))
        size--;
    if (size == 0)
        return FG_FAIL(err, FG_ERR_USAGE, "the %s is empty", what);
    if (size > FG_MAX_NAME_BYTES)
        return FG_FAIL(err, FG_ERR_LIMIT, "the %s is longer than %d bytes", what, FG_MAX_NAME_BYTES);
    for (size_t i = 0, n; i < size; i += n) {
        uint32_t code = 0;
        n = fg_text_character(text + i, &code);
        if (n == 0)
            return FG_FAIL(err, FG_ERR_USAGE, "the %s is not UTF-8", what);
        if (is_hidden(code))
            return FG_FAIL(err, FG_ERR_USAGE, "the %s has a control character (U+%04X) in it", what,
                           (unsigned)code);
    }
    memcpy(out, text, size);
    out[size] = 0;
    return FG_OK;
}

void fg_text_clean(char *out, size_t out_size, const char *text)
{
    size_t used = 0;
    for (const unsigned char *p = (const unsigned char *)(text ? text : ""); *p;) {
        uint32_t code = 0;
        size_t n = fg_text_character(p, &code);
        bool good = n > 0 && !is_hidden(code);
        size_t need = good ? n : 1;
        if (used + need >= out_size)
            break;
        if (good)
            memmove(out + used, p, n);
        else
            out[used] = '?';
        used += need;
        p += n ? n : 1;
    }
    if (out_size)
        out[used] = 0;
}

static bool is_key(const char *text, size_t size)
{
    size_t part = 0; /* where it starts */
    if (size == 0 || size > FG_MAX_KEY_BYTES)
        return false;
    for (size_t i = 0; i <= size; i++) {
        if (i < size && text[i] != '/') {
            char c = text[i];
            if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-'))
                return false;
            continue;
        }
        size_t n = i - part;
        if (n == 0 || (n == 1 && text[part] == '.') || (n == 2 && text[part] == '.' && text[part + 1] == '.'))
            return false;
        part = i + 1;
    }
    return true;
}

bool fg_text_is_key(const char *text)
{
    return text && is_key(text, strlen(text));
}

bool fg_text_is_prefix(const char *text)
{
    size_t size = text ? strlen(text) : 0;
    return size > 1 && text[size - 1] == '/' && is_key(text, size - 1);
}

bool fg_text_is_loopback(const char *host)
{
    static const char suffix[] = ".localhost";
    struct in_addr v4;
    struct in6_addr v6;
    size_t n = strlen(host);
    if (strcmp(host, "localhost") == 0)
        return true;
    if (n >= sizeof suffix && strcmp(host + n - (sizeof suffix - 1), suffix) == 0)
        return true;
    if (inet_pton(AF_INET, host, &v4) == 1)
        return (ntohl(v4.s_addr) >> 24) == 127;
    return inet_pton(AF_INET6, host, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}
