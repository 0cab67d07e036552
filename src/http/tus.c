#include "http/tus.h"

#include <sodium.h>
#include <string.h>

enum { MAX_METADATA = 4096 };

bool fg_tus_number(const char *header, uint64_t *number)
{
    size_t digits = header ? strspn(header, "0123456789") : 0;
    *number = 0;
    if (digits == 0 || digits > 15 || header[digits])
        return false;
    for (size_t i = 0; i < digits; i++)
        *number = *number * 10 + (uint64_t)(header[i] - '0');
    return true;
}

bool fg_tus_checksum_parse(const char *header, fg_tus_checksum *checksum)
{
    static const struct {
        const char *name;
        fg_tus_algorithm algorithm;
        size_t size;
    } known[] = {{"sha1", FG_TUS_SHA1, 20}, {"sha256", FG_TUS_SHA256, 32}};
    *checksum = (fg_tus_checksum){0};
    if (!header)
        return true;
    size_t name = strcspn(header, " ");
    const char *text = header + name + (header[name] == ' ');
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        const char *end;
        if (strlen(known[i].name) != name || memcmp(known[i].name, header, name) != 0)
            continue;
        if (sodium_base642bin(checksum->digest, sizeof checksum->digest, text, strlen(text), NULL,
                              &checksum->size, &end, sodium_base64_VARIANT_ORIGINAL) != 0 ||
            *end || checksum->size != known[i].size)
            break;
        checksum->algorithm = known[i].algorithm;
        return true;
    }
    *checksum = (fg_tus_checksum){0};
    return false;
}

static bool is_key_char(char c)
{
    return c > ' ' && c < 0x7f && c != ',';
}

bool fg_tus_metadata(const char *header, const char *key, char *out, size_t out_size, bool *found)
{
    uint8_t value[MAX_METADATA];
    const size_t key_size = strlen(key);
    *out = 0;
    *found = false;
    if (!header || !*header)
        return true;
    if (strlen(header) > MAX_METADATA)
        return false;
    for (const char *p = header;;) {
        size_t n = 0, size = 0;
        const char *end;
        p += strspn(p, " ");
        while (is_key_char(p[n]))
            n++;
        const char *text = p + n + strspn(p + n, " ");
        size_t text_size = strcspn(text, ", ");
        if (n == 0 ||
            sodium_base642bin(value, sizeof value, text, text_size, NULL, &size, &end,
                              sodium_base64_VARIANT_ORIGINAL) != 0 ||
            end != text + text_size)
            return false;
        if (n == key_size && memcmp(p, key, n) == 0 && !*found) {
            size_t kept = 0;
            for (size_t i = 0; i < size && kept + 1 < out_size; i++)
                if (value[i])
                    out[kept++] = (char)value[i];
            out[kept] = 0;
            *found = true;
        }
        p = text + text_size + strspn(text + text_size, " ");
        if (!*p)
            return true;
        if (*p++ != ',')
            return false;
    }
}
