#include "nn/proto_guard.h"

#include <stdbool.h>

enum { MAX_DEPTH = 24, MAX_FIELDS = 4000000 };

/* The messages of onnx.proto that can contain themselves, and those on the way to them. */
typedef enum message {
    NONE,
    MODEL,
    GRAPH,
    NODE,
    ATTRIBUTE,
    TENSOR,
    SPARSE,
    VALUE_INFO,
    TYPE,
    WRAPPED_TYPE,
    MAP,
    TRAINING,
    FUNCTION
} message;

static const struct {
    message in;
    uint64_t field;
    message is;
} children[] = {
    {MODEL, 7, GRAPH},       {MODEL, 20, TRAINING},   {MODEL, 25, FUNCTION},   {GRAPH, 1, NODE},
    {GRAPH, 5, TENSOR},      {GRAPH, 15, SPARSE},     {GRAPH, 11, VALUE_INFO}, {GRAPH, 12, VALUE_INFO},
    {GRAPH, 13, VALUE_INFO}, {NODE, 5, ATTRIBUTE},    {ATTRIBUTE, 5, TENSOR},  {ATTRIBUTE, 6, GRAPH},
    {ATTRIBUTE, 10, TENSOR}, {ATTRIBUTE, 11, GRAPH},  {ATTRIBUTE, 14, TYPE},   {ATTRIBUTE, 15, TYPE},
    {ATTRIBUTE, 22, SPARSE}, {ATTRIBUTE, 23, SPARSE}, {SPARSE, 1, TENSOR},     {SPARSE, 2, TENSOR},
    {VALUE_INFO, 2, TYPE},   {TYPE, 4, WRAPPED_TYPE}, {TYPE, 9, WRAPPED_TYPE}, {TYPE, 5, MAP},
    {WRAPPED_TYPE, 1, TYPE}, {MAP, 2, TYPE},          {TRAINING, 1, GRAPH},    {TRAINING, 2, GRAPH},
    {FUNCTION, 7, NODE},
};

static bool varint(const uint8_t **p, const uint8_t *end, uint64_t *value)
{
    *value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        if (*p == end)
            return false;
        uint8_t byte = *(*p)++;
        *value |= (uint64_t)(byte & 127) << shift;
        if (byte < 128)
            return true;
    }
    return false;
}

fg_code nn_proto_check(const uint8_t *data, size_t size, const char *path, fg_error *err)
{
    struct {
        const uint8_t *end;
        message is;
    } stack[MAX_DEPTH];
    const uint8_t *p = data;
    int depth = 0;
    long fields = 0;
    stack[0].end = data + size;
    stack[0].is = MODEL;
    while (depth >= 0) {
        const uint8_t *end = stack[depth].end;
        uint64_t key = 0;
        uint64_t length = 0;
        bool ok = true;
        if (p == end) {
            depth--;
            continue;
        }
        if (++fields > MAX_FIELDS)
            return FG_FAIL(err, FG_ERR_LIMIT, "%s: a model of more than %d fields", path, MAX_FIELDS);
        ok = varint(&p, end, &key);
        switch (ok ? key & 7 : 7) {
        case 0:
            ok = varint(&p, end, &length);
            break;
        case 1:
        case 5:
            length = (key & 7) == 1 ? 8 : 4;
            ok = (uint64_t)(end - p) >= length;
            p += ok ? length : 0;
            break;
        case 2: {
            message is = NONE;
            ok = varint(&p, end, &length) && (uint64_t)(end - p) >= length;
            if (!ok)
                break;
            for (size_t i = 0; i < sizeof children / sizeof children[0]; i++) {
                if (children[i].in == stack[depth].is && children[i].field == key >> 3)
                    is = children[i].is;
            }
            if (is == NONE) {
                p += length;
                break;
            }
            if (++depth == MAX_DEPTH)
                return FG_FAIL(err, FG_ERR_LIMIT, "%s: a model nested deeper than %d levels", path,
                               MAX_DEPTH);
            stack[depth].end = p + length;
            stack[depth].is = is;
            break;
        }
        default:
            ok = false;
        }
        if (!ok)
            return FG_FAIL(err, FG_ERR_MODEL, "%s: not an ONNX model, or a damaged one; fetch it again",
                           path);
    }
    return FG_OK;
}
