/* A signed request: the Authorization header, then, each on a line of its own, date, path, query and headers.
 */
#include "access/aws_keys.h"
#include "access/aws_request.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fg_sigv4_header headers[FG_AWS_HEADERS];
    fg_sigv4_request request = {.method = "POST", .path = "", .headers = headers, .payload_sha256 = "00"};
    fg_aws_authorization a;
    fg_aws_fault fault;
    fg_error err;
    fg_buf canonical;
    char id[17], *text = malloc(size + 1);
    const char *authorization = text, *date = "";
    if (!text)
        return 0;
    memcpy(text, data, size);
    text[size] = 0;
    int n = 0;
    for (char *line = text, *next; line; line = next, n++) {
        next = strchr(line, '\n');
        if (next)
            *next++ = 0;
        if (n == 1)
            date = line;
        else if (n == 2)
            request.path = line;
        else if (n == 3)
            request.query = line;
        else if (n > 3 && request.header_count < FG_AWS_HEADERS) {
            char *colon = strchr(line, ':');
            if (colon)
                *colon = 0;
            headers[request.header_count++] = (fg_sigv4_header){line, colon ? colon + 1 : ""};
        }
    }
    fg_code rc = fg_aws_authorization_parse(&a, authorization, &fault, &err);
    if ((rc == FG_OK) != (fault == FG_AWS_GOOD))
        abort();
    if (rc == FG_OK && strlen(a.signature) != 64)
        abort();
    fg_buf_init(&canonical, 1 << 20);
    if (rc == FG_OK) {
        if (fg_sigv4_canonical(&request, a.signed_headers, &canonical, &err) != FG_OK && !err.msg[0])
            abort();
        if (fg_aws_check_time(&a, date, 1440938160000, &fault, &err) != FG_OK && fault == FG_AWS_GOOD)
            abort();
        rc = fg_aws_check_signature(&a, &request, "secret", &fault, &err);
        if (rc == FG_OK && fault != FG_AWS_GOOD)
            abort();
        (void)fg_aws_key_parse(a.access_key, id);
    }
    fg_buf_deinit(&canonical);
    free(text);
    return 0;
}
