/* The headers of the tus protocol. The first byte chooses. */
#include "http/tus.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds)
        abort();
}

static void read_number(const char *text)
{
    uint64_t number;
    if (fg_tus_number(text, &number))
        check(number < 1000000000000000u && strspn(text, "0123456789") == strlen(text));
    else
        check(number == 0 || strlen(text) > 0);
}

static void read_checksum(const char *text)
{
    fg_tus_checksum c;
    if (fg_tus_checksum_parse(text, &c))
        check((c.algorithm == FG_TUS_SHA1 && c.size == 20) || (c.algorithm == FG_TUS_SHA256 && c.size == 32));
    else
        check(c.algorithm == FG_TUS_NONE && c.size == 0);
}

static void read_metadata(const char *text)
{
    char out[16];
    bool found;
    memset(out, 'x', sizeof out);
    bool good = fg_tus_metadata(text, "filename", out, sizeof out, &found);
    check(memchr(out, 0, sizeof out) != NULL);
    check(found || *out == 0);
    check(!good || strlen(text) <= 4096);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    char *text = malloc(size);
    if (!text)
        return 0;
    memcpy(text, data + 1, size - 1);
    text[size - 1] = 0;
    switch (data[0] % 3) {
    case 0:
        read_number(text);
        break;
    case 1:
        read_checksum(text);
        break;
    default:
        read_metadata(text);
    }
    free(text);
    return 0;
}
