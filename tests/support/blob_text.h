/* Blobs that are texts. Needs cmocka.h. */
#ifndef FG_TESTS_BLOB_TEXT_H
#define FG_TESTS_BLOB_TEXT_H

#include "blob/blob.h"

#include <string.h>

static inline void put(fg_blob *blob, const char *key, const char *text)
{
    fg_error err = {0};
    if (fg_blob_put(blob, key, text, strlen(text), &err) != FG_OK)
        fail_msg("%s", err.msg);
}

static inline void expect(fg_blob *blob, const char *key, const char *text)
{
    fg_error err = {0};
    fg_buf out;
    fg_buf_init(&out, 1 << 20);
    if (fg_blob_get(blob, key, &out, &err) != FG_OK)
        fail_msg("%s", err.msg);
    assert_int_equal(out.size, strlen(text));
    if (out.size)
        assert_memory_equal(out.data, text, out.size);
    fg_buf_deinit(&out);
}

#endif
