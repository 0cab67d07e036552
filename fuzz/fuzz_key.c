/* Texts from outside that decide about paths and access: keys of blobs, access keys, names. What they promise
 * is checked against plainer rules than those they are written by. */
#include "access/access.h"
#include "base/text.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool truth)
{
    if (!truth)
        abort();
}

static void blob_key(const char *text)
{
    const size_t size = strlen(text);
    if (fg_text_is_key(text)) {
        require(size >= 1 && size <= FG_MAX_KEY_BYTES && text[0] != '/' && text[size - 1] != '/');
        require(!strstr(text, "//") && strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789._/-") == size);
        require(strcmp(text, "..") != 0 && strncmp(text, "../", 3) != 0 && !strstr(text, "/../"));
        require(size < 3 || strcmp(text + size - 3, "/..") != 0);
        require(!fg_text_is_prefix(text));
    }
    if (fg_text_is_prefix(text))
        require(text[size - 1] == '/' && !fg_text_is_key(text));
}

static void access_key(const char *text)
{
    char id[17];
    if (fg_access_key_parse(text, id))
        require(strlen(id) == 16 && strlen(text) == 63 && strncmp(text + 3, id, 16) == 0);
    else
        require(id[0] == 0);
}

static void name(const char *text)
{
    char out[FG_MAX_NAME_BYTES + 1], again[FG_MAX_NAME_BYTES + 1], clean[64];
    if (fg_text_name(out, "name", text, NULL) == FG_OK) {
        require(*out && strlen(out) <= FG_MAX_NAME_BYTES && strstr(text, out));
        require(fg_text_name(again, "name", out, NULL) == FG_OK && strcmp(out, again) == 0);
        for (const char *p = out; *p; p++)
            require((unsigned char)*p >= ' ' && *p != 0x7f);
    } else {
        require(!*out);
    }
    fg_text_clean(clean, sizeof clean, text);
    require(strlen(clean) < sizeof clean);
    if (clean[strspn(clean, " ")])
        require(fg_text_name(out, "name", clean, NULL) == FG_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 4096)
        return 0;
    char *text = malloc(size + 1);
    if (!text)
        return 0;
    if (size)
        memcpy(text, data, size);
    text[size] = 0;
    blob_key(text);
    access_key(text);
    name(text);
    free(text);
    return 0;
}
