/* A byte buffer that grows up to a cap and no further. */
#ifndef FG_BASE_BUF_H
#define FG_BASE_BUF_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct fg_buf {
    uint8_t *data; /* owned; always one NUL past the end, so that text can be used as it is */
    size_t size;
    size_t capacity;
    size_t max_size; /* FG_ERR_LIMIT beyond it */
} fg_buf;

void fg_buf_init(fg_buf *buf, size_t max_size);
void fg_buf_deinit(fg_buf *buf); /* also fine on a zeroed fg_buf */
void fg_buf_wipe(fg_buf *buf);   /* the same, of a secret: overwritten first */
void fg_buf_clear(fg_buf *buf);
fg_code fg_buf_append(fg_buf *buf, const void *data, size_t size, fg_error *err) FG_MUST_CHECK;
fg_code fg_buf_printf(fg_buf *buf, fg_error *err, const char *fmt, ...) FG_MUST_CHECK FG_PRINTF(3, 4);
/* Appends text with every byte but A-Z a-z 0-9 - . _ ~ (RFC 3986's unreserved ones; and '/', where kept) as
 * %XX: what AWS calls UriEncode. */
fg_code fg_buf_append_uri(fg_buf *buf, const char *text, size_t size, bool keep_slash,
                          fg_error *err) FG_MUST_CHECK;

#endif
