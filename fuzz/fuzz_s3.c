/* What S3 answers: listings, single words, errors. The first byte chooses; an error also as the JSON services
 * write it. */
#include "cloud/aws.h"
#include "cloud/s3.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool truth)
{
    if (!truth)
        abort();
}

static void one_line(const char *text)
{
    for (; *text; text++)
        require((unsigned char)*text >= ' ');
}

static void failure(const uint8_t *data, size_t size)
{
    fg_http_answer answer;
    fg_aws_failure f;
    fg_error err = {0};
    fg_http_answer_init(&answer, 1 << 20);
    answer.status = 400;
    if (fg_buf_append(&answer.body, data, size, NULL) == FG_OK) {
        fg_aws_failure_read(&f, &answer);
        one_line(f.name);
        one_line(f.message);
        one_line(f.region);
        require(fg_aws_failure_code(&f, &answer, "what", &err) != FG_OK);
        one_line(err.msg);
    }
    fg_http_answer_deinit(&answer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fg_s3_page page;
    char word[64];
    if (size == 0 || size > 1 << 18)
        return 0;
    switch (data[0]) {
    case 'l':
        if (fg_s3_page_read(&page, data + 1, size - 1, "list", NULL) == FG_OK) {
            require(page.count >= 0 && page.count <= page.capacity);
            require(!page.more || *page.next);
            for (int i = 0; i < page.count; i++)
                require(strlen(page.items[i].key) <= FG_S3_KEY_MAX);
        }
        fg_s3_page_deinit(&page);
        break;
    case 'w':
        if (fg_s3_word_read(word, sizeof word, data + 1, size - 1, "InitiateMultipartUploadResult/UploadId",
                            "start", NULL) == FG_OK)
            require(*word && strlen(word) < sizeof word);
        break;
    default:
        failure(data + 1, size - 1);
    }
    return 0;
}
