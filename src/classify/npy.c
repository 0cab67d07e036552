#include "classify/npy.h"

#include "base/half.h"
#include "base/text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const uint8_t magic[6] = {0x93, 'N', 'U', 'M', 'P', 'Y'};
enum { MAX_HEADER = 1 << 16, MAX_TEXT = 4096 };

/* -- reading
 * ---------------------------------------------------------------------------------------------------- */

fg_code fg_npy_type(fg_npy *npy, const char *descr, size_t size, fg_error *err)
{
    size_t at = 0, digits = 0;
    char order = '|', kind;
    unsigned long bytes = 0;

    if (size > 0 && strchr("<>=|", descr[0]) && descr[0])
        order = descr[at++];
    kind = at < size ? descr[at++] : '\0';
    for (; at < size && descr[at] >= '0' && descr[at] <= '9' && digits < 6; at++, digits++)
        bytes = bytes * 10 + (unsigned long)(descr[at] - '0');
    if (at != size || digits == 0)
        return FG_FAIL(
            err, FG_ERR_UNSUPPORTED,
            "an array of type '%.*s' is not taken: save it as float32 or as text (no object arrays)",
            (int)(size > 16 ? 16 : size), descr);
    npy->big_endian = order == '>';
    npy->item_bytes = bytes;
    switch (kind) {
    case 'f':
        npy->kind = FG_NPY_FLOAT;
        if (bytes == 2 || bytes == 4 || bytes == 8)
            return FG_OK;
        break;
    case 'i':
    case 'u':
        npy->kind = kind == 'i' ? FG_NPY_INT : FG_NPY_UINT;
        if (bytes == 1 || bytes == 2 || bytes == 4 || bytes == 8)
            return FG_OK;
        break;
    case 'b':
        npy->kind = FG_NPY_UINT;
        if (bytes == 1)
            return FG_OK;
        break;
    case 'U':
        npy->kind = FG_NPY_TEXT;
        npy->item_bytes = bytes * 4;
        if (bytes <= MAX_TEXT)
            return FG_OK;
        break;
    default:
        break;
    }
    return FG_FAIL(err, FG_ERR_UNSUPPORTED,
                   "an array of type '%.*s' is not taken: save it as float32 or as text (no object arrays)",
                   (int)(size > 16 ? 16 : size), descr);
}

/* A cursor over the header, which is a Python literal: {'descr': '<f4', 'fortran_order': False, 'shape': (3,
 * 4), } */
typedef struct cursor {
    const char *at, *end;
} cursor;

static void skip_space(cursor *c)
{
    while (c->at < c->end && (*c->at == ' ' || *c->at == '\n' || *c->at == '\t'))
        c->at++;
}

static bool take(cursor *c, char wanted)
{
    skip_space(c);
    if (c->at == c->end || *c->at != wanted)
        return false;
    c->at++;
    return true;
}

static bool take_word(cursor *c, const char *word)
{
    size_t n = strlen(word);
    skip_space(c);
    if ((size_t)(c->end - c->at) < n || memcmp(c->at, word, n) != 0)
        return false;
    c->at += n;
    return true;
}

static bool take_string(cursor *c, const char **text, size_t *size)
{
    skip_space(c);
    if (c->at == c->end || (*c->at != '\'' && *c->at != '"'))
        return false;
    const char *end = memchr(c->at + 1, *c->at, (size_t)(c->end - c->at - 1));
    if (!end)
        return false;
    *text = c->at + 1;
    *size = (size_t)(end - c->at - 1);
    c->at = end + 1;
    return true;
}

static bool take_shape(cursor *c, fg_npy *npy)
{
    if (!take(c, '('))
        return false;
    npy->dims = 0;
    while (!take(c, ')')) {
        long value = 0;
        int digits = 0;
        skip_space(c);
        for (; c->at < c->end && *c->at >= '0' && *c->at <= '9' && digits < 12; c->at++, digits++)
            value = value * 10 + (*c->at - '0');
        if (digits == 0 || digits == 12 || npy->dims == FG_NPY_DIMS)
            return false;
        npy->shape[npy->dims++] = value;
        if (!take(c, ',')) {
            if (!take(c, ')'))
                return false;
            break;
        }
    }
    return true;
}

static fg_code read_header(fg_npy *npy, const char *text, size_t size, fg_error *err)
{
    cursor c = {text, text + size};
    bool descr = false, order = false, shape = false;

    if (!take(&c, '{'))
        goto damaged;
    while (!take(&c, '}')) {
        const char *key, *value;
        size_t key_size, value_size;
        if (!take_string(&c, &key, &key_size) || !take(&c, ':'))
            goto damaged;
        if (!descr && key_size == 5 && memcmp(key, "descr", 5) == 0) {
            if (!take_string(&c, &value, &value_size))
                return FG_FAIL(err, FG_ERR_UNSUPPORTED,
                               "an array of records is not taken: save plain numbers");
            fg_code rc = fg_npy_type(npy, value, value_size, err);
            if (rc)
                return rc;
            descr = true;
        } else if (!order && key_size == 13 && memcmp(key, "fortran_order", 13) == 0) {
            npy->fortran = take_word(&c, "True");
            if (!npy->fortran && !take_word(&c, "False"))
                goto damaged;
            order = true;
        } else if (!shape && key_size == 5 && memcmp(key, "shape", 5) == 0) {
            if (!take_shape(&c, npy))
                goto damaged;
            shape = true;
        } else {
            goto damaged;
        }
        if (!take(&c, ',')) {
            if (!take(&c, '}'))
                goto damaged;
            break;
        }
    }
    skip_space(&c);
    if (c.at == c.end && descr && order && shape)
        return FG_OK;
damaged:
    return FG_FAIL(err, FG_ERR_INPUT, "the header of the array is damaged, or has more than %d dimensions",
                   FG_NPY_DIMS);
}

fg_code fg_npy_view(fg_npy *npy, const void *data, size_t size, size_t *used, fg_error *err)
{
    const uint8_t *bytes = data;
    size_t start, header;

    memset(npy, 0, sizeof *npy);
    if (used)
        *used = 0;
    if (size < 10 || memcmp(bytes, magic, sizeof magic) != 0)
        return FG_FAIL(err, FG_ERR_INPUT, "not a NumPy array (.npy)");
    if (bytes[6] < 1 || bytes[6] > 3)
        return FG_FAIL(err, FG_ERR_UNSUPPORTED, "a .npy of version %d is not known", bytes[6]);
    start = bytes[6] == 1 ? 10 : 12;
    if (size < start)
        return FG_FAIL(err, FG_ERR_INPUT, "the NumPy array is cut short");
    header = (size_t)bytes[8] | (size_t)bytes[9] << 8;
    if (bytes[6] > 1)
        header |= (size_t)bytes[10] << 16 | (size_t)bytes[11] << 24;
    if (header > MAX_HEADER || header > size - start)
        return FG_FAIL(err, FG_ERR_INPUT, "the NumPy array is cut short");
    fg_code rc = read_header(npy, (const char *)bytes + start, header, err);
    if (rc) {
        memset(npy, 0, sizeof *npy);
        return rc;
    }
    size_t room = size - start - header, count = 1;
    for (int d = 0; d < npy->dims; d++) {
        size_t n = (size_t)npy->shape[d];
        if (n && count > SIZE_MAX / 8 / n)
            count = SIZE_MAX / 8; /* more than any file holds; a later 0 still empties it */
        else
            count *= n;
    }
    if (count > 0 && npy->item_bytes > 0 && count > room / npy->item_bytes) {
        memset(npy, 0, sizeof *npy);
        return FG_FAIL(err, FG_ERR_INPUT, "the NumPy array is cut short");
    }
    if (count > FG_NPY_MAX_ITEMS) {
        memset(npy, 0, sizeof *npy);
        return FG_FAIL(err, FG_ERR_LIMIT, "the NumPy array has too many items");
    }
    npy->count = (long)count;
    npy->items = bytes + start + header;
    if (used)
        *used = start + header + count * npy->item_bytes;
    return FG_OK;
}

/* -- items
 * ------------------------------------------------------------------------------------------------------ */

static long place(const fg_npy *npy, long index)
{
    if (!npy->fortran)
        return index;
    long at[FG_NPY_DIMS] = {0}, place = 0;
    for (int d = npy->dims - 1; d >= 0; d--) {
        at[d] = index % npy->shape[d];
        index /= npy->shape[d];
    }
    for (int d = npy->dims - 1; d >= 0; d--)
        place = place * npy->shape[d] + at[d];
    return place;
}

static uint64_t bits(const fg_npy *npy, const uint8_t *p)
{
    uint64_t v = 0;
    for (size_t k = 0; k < npy->item_bytes; k++)
        v |= (uint64_t)p[k] << 8 * (npy->big_endian ? npy->item_bytes - 1 - k : k);
    return v;
}

int64_t fg_npy_integer(const fg_npy *npy, long index)
{
    uint64_t v = bits(npy, npy->items + (size_t)place(npy, index) * npy->item_bytes);
    if (npy->kind == FG_NPY_UINT)
        return v > INT64_MAX ? INT64_MAX : (int64_t)v;
    uint64_t sign = UINT64_C(1) << (8 * npy->item_bytes - 1);
    /* Two's complement by arithmetic: no implementation-defined conversion. */
    return v & sign ? -(int64_t)(sign - 1 - (v & (sign - 1))) - 1 : (int64_t)v;
}

double fg_npy_number(const fg_npy *npy, long index)
{
    if (npy->kind == FG_NPY_TEXT)
        return NAN;
    if (npy->kind != FG_NPY_FLOAT)
        return (double)fg_npy_integer(npy, index);
    uint64_t v = bits(npy, npy->items + (size_t)place(npy, index) * npy->item_bytes);
    if (npy->item_bytes == 2)
        return (double)fg_half_to_float((uint16_t)v);
    if (npy->item_bytes == 4) {
        uint32_t narrow = (uint32_t)v;
        float f;
        memcpy(&f, &narrow, sizeof f);
        return (double)f;
    }
    double d;
    memcpy(&d, &v, sizeof d);
    return d;
}

/* Every machine that Facegate is built for keeps the lowest byte first. */
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "floats would have to be swapped");

bool fg_npy_is_native(const fg_npy *npy)
{
    return npy->kind == FG_NPY_FLOAT && npy->item_bytes == 4 && !npy->big_endian &&
           (!npy->fortran || npy->dims < 2);
}

void fg_npy_floats(const fg_npy *npy, float *out)
{
    if (fg_npy_is_native(npy)) {
        if (npy->count > 0)
            memcpy(out, npy->items, (size_t)npy->count * sizeof *out);
        return;
    }
    for (long i = 0; i < npy->count; i++) {
        if (npy->kind == FG_NPY_FLOAT && npy->item_bytes == 4) {
            /* Bits, not values: a signalling NaN stays what it was. */
            uint32_t v = (uint32_t)bits(npy, npy->items + (size_t)place(npy, i) * 4);
            memcpy(out + i, &v, sizeof v);
        } else {
            double v = fg_npy_number(npy, i);
            out[i] = fabs(v) > 3.4028235677973366e38 ? (v > 0 ? INFINITY : -INFINITY) : (float)v;
        }
    }
}

fg_code fg_npy_text(const fg_npy *npy, long index, char *out, size_t out_size, fg_error *err)
{
    const uint8_t *p;
    size_t used = 0, letters = npy->item_bytes / 4;
    fg_npy letter = {.kind = FG_NPY_UINT, .item_bytes = 4, .big_endian = npy->big_endian};

    if (out_size > 0)
        out[0] = '\0';
    if (npy->kind != FG_NPY_TEXT)
        return FG_FAIL(err, FG_ERR_INPUT, "the NumPy array is not of text");
    if (npy->item_bytes == 0)
        return FG_OK;
    p = npy->items + (size_t)place(npy, index) * npy->item_bytes;
    while (letters > 0 && bits(&letter, p + 4 * (letters - 1)) == 0)
        letters--;
    for (size_t k = 0; k < letters; k++) {
        uint64_t u = bits(&letter, p + 4 * k);
        char utf8[4];
        size_t n;
        if (u == 0 || u > 0x10ffff || (u >= 0xd800 && u < 0xe000))
            goto not_unicode;
        if (u < 0x80) {
            utf8[0] = (char)u;
            n = 1;
        } else if (u < 0x800) {
            utf8[0] = (char)(0xc0 | u >> 6);
            n = 2;
        } else if (u < 0x10000) {
            utf8[0] = (char)(0xe0 | u >> 12);
            n = 3;
        } else {
            utf8[0] = (char)(0xf0 | u >> 18);
            n = 4;
        }
        for (size_t j = 1; j < n; j++)
            utf8[j] = (char)(0x80 | (u >> 6 * (n - 1 - j) & 0x3f));
        if (used + n + 1 > out_size) {
            if (out_size > 0)
                out[0] = '\0';
            return FG_FAIL(err, FG_ERR_LIMIT, "text %ld of the NumPy array is longer than %zu bytes", index,
                           out_size ? out_size - 1 : 0);
        }
        memcpy(out + used, utf8, n);
        used += n;
        out[used] = '\0';
    }
    return FG_OK;
not_unicode:
    out[0] = '\0';
    return FG_FAIL(err, FG_ERR_INPUT, "text %ld of the NumPy array is not Unicode", index);
}

/* -- writing
 * ---------------------------------------------------------------------------------------------------- */

fg_code fg_npy_write_header(fg_buf *out, const char *descr, int dims, const long *shape, fg_error *err)
{
    char text[256];
    int n = snprintf(text, sizeof text, "{'descr': '%s', 'fortran_order': False, 'shape': (", descr);
    for (int d = 0; d < dims; d++)
        n += snprintf(text + n, sizeof text - (size_t)n, d || dims > 1 ? "%ld%s" : "%ld,%s", shape[d],
                      d + 1 < dims ? ", " : "");
    n += snprintf(text + n, sizeof text - (size_t)n, "), }");
    /* Padded so that the items start at a multiple of 64, as NumPy does. */
    while ((10 + n + 1) % 64 != 0)
        text[n++] = ' ';
    text[n++] = '\n';
    uint8_t head[10] = {0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0, (uint8_t)(n & 255), (uint8_t)(n >> 8)};
    fg_code rc = fg_buf_append(out, head, sizeof head, err);
    return rc ? rc : fg_buf_append(out, text, (size_t)n, err);
}

static void put_le(uint8_t *p, uint64_t v, int bytes)
{
    for (int k = 0; k < bytes; k++)
        p[k] = (uint8_t)(v >> 8 * k);
}

fg_code fg_npy_write_floats(fg_buf *out, const float *data, int dims, const long *shape, fg_error *err)
{
    long count = 1;
    for (int d = 0; d < dims; d++)
        count *= shape[d];
    fg_code rc = fg_npy_write_header(out, "<f4", dims, shape, err);
    return rc ? rc : fg_buf_append(out, data, (size_t)count * sizeof *data, err);
}

/* One code point of UTF-8, strictly; 0 at the end, -1 where it is not UTF-8. */
static int32_t next_letter(const char **text)
{
    uint32_t code = 0;
    size_t size = fg_text_character(*text, &code);
    if (size == 0)
        return -1;
    if (code)
        *text += size;
    return (int32_t)code;
}

long fg_npy_letters(const char *text)
{
    long letters = 0;
    int32_t u;
    while ((u = next_letter(&text)) > 0)
        letters++;
    return u < 0 ? -1 : letters;
}

void fg_npy_put_text(uint8_t *out, const char *text, long count)
{
    for (long k = 0; k < count; k++)
        put_le(out + 4 * k, (uint64_t)next_letter(&text), 4);
}

fg_code fg_npy_write_texts(fg_buf *out, const char *const *texts, long count, fg_error *err)
{
    long longest = 1;
    char descr[32];
    uint8_t letters[4 * MAX_TEXT];

    for (long i = 0; i < count; i++) {
        long n = fg_npy_letters(texts[i]);
        if (n < 0)
            return FG_FAIL(err, FG_ERR_INPUT, "a name is not valid UTF-8");
        if (n > MAX_TEXT)
            return FG_FAIL(err, FG_ERR_LIMIT, "a name is longer than %d letters", MAX_TEXT);
        longest = n > longest ? n : longest;
    }
    snprintf(descr, sizeof descr, "<U%ld", longest);
    fg_code rc = fg_npy_write_header(out, descr, 1, &count, err);
    for (long i = 0; !rc && i < count; i++) {
        fg_npy_put_text(letters, texts[i], longest);
        rc = fg_buf_append(out, letters, 4 * (size_t)longest, err);
    }
    return rc;
}
