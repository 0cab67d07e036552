/* Files and answers with AWS credentials. The first byte chooses the form. */
#include "cloud/credentials.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Whatever is taken goes into headers. */
static void word(const char *text, size_t max)
{
    if (strlen(text) > max)
        abort();
    for (; *text; text++)
        if (*text <= ' ' || *text >= 0x7f)
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fg_credentials c = {0};
    fg_error err = {0};
    bool has_secret = false;
    if (size == 0 || size > 1 << 18)
        return 0;
    const char *text = (const char *)data + 1;
    fg_code rc = data[0] == 'j' ? fg_credentials_parse_json(&c, text, size - 1, "file", &err)
                 : data[0] == 'a'
                     ? fg_credentials_parse_answer(&c, text, size - 1, "answer", &err)
                     : fg_credentials_parse_profile(&c, text, size - 1, "default", "file", &has_secret, &err);
    word(c.access_key, FG_AWS_ID_MAX);
    word(c.secret_key, FG_AWS_ID_MAX);
    word(c.region, FG_AWS_WORD_MAX);
    word(c.role, FG_AWS_WORD_MAX);
    if (c.token)
        word(c.token, FG_AWS_TOKEN_MAX);
    if (rc == FG_OK && (data[0] == 'j' || data[0] == 'a') && (!*c.access_key || !*c.secret_key))
        abort();
    fg_credentials_deinit(&c);
    return 0;
}
