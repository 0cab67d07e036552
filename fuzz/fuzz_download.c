/* What a server says of a file that is fetched from it: the first line is the status, the bytes that are
 * there and the bytes of the file; the rest is header lines. */
#include "cloud/download.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char url[] = "https://models.example.org/a/b.onnx?x=1";

static void require(bool truth)
{
    if (!truth)
        abort();
}

/* Read by hand, not by what is tested: no other host, whatever stands around it. */
static bool is_same_host(const char *to)
{
    static const char host[] = "models.example.org";
    if (strncmp(to, "https://", 8) != 0)
        return false;
    const char *at = to + 8, *end = at + strcspn(at, "/?#\\");
    const char *rest = at + sizeof host - 1;
    return (size_t)(end - at) >= sizeof host - 1 && strncasecmp(at, host, sizeof host - 1) == 0 &&
           (rest == end || strncmp(rest, ":443", (size_t)(end - rest)) == 0 ||
            (*rest == ':' && end - rest == 1));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char to[FG_DOWNLOAD_URL], *text = malloc(size + 2), *next;
    unsigned long long numbers[2] = {0, 0};
    uint64_t from = 1;
    fg_http_answer answer;
    fg_error err = {0};
    if (!text)
        return 0;
    for (size_t i = 0; i < size; i++)
        text[i] = (char)(data[i] ? data[i] : ' ');
    text[size] = '\n'; /* as the client leaves headers: each line has its end, and none has a NUL */
    text[size + 1] = 0;
    fg_http_answer_init(&answer, 1 << 16);
    answer.status = (int)strtol(text, &next, 10);
    for (int i = 0; i < 2; i++)
        numbers[i] = strtoull(next, &next, 10);
    const uint64_t have = numbers[0], bytes = numbers[1];
    const char *headers = strchr(text, '\n');
    headers += *headers == '\n';
    if (fg_buf_append(&answer.headers, headers, strlen(headers), NULL) != FG_OK)
        goto done;
    if (have <= bytes && fg_download_head(&answer, url, have, bytes, &from, &err) == FG_OK)
        require(from == (answer.status == 206 ? have : 0));
    else
        require(have > bytes || err.msg[0]);
    err = (fg_error){0};
    if (fg_download_redirect(&answer, url, to, sizeof to, &err) == FG_OK) {
        require(strlen(to) < sizeof to && is_same_host(to));
        for (const char *p = to; *p; p++)
            require(*p > ' ' && *p <= '~');
    } else {
        require(err.msg[0]);
    }
done:
    fg_http_answer_deinit(&answer);
    free(text);
    return 0;
}
