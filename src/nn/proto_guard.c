#include "nn/proto_guard.h"

#include <stdbool.h>

/* A network of FG_MAX_MODEL_NODES has a tenth of these messages, of up to 300 bytes each in memory. */
enum { MAX_DEPTH = 24, MAX_FIELDS = 4000000, MAX_MESSAGES = 500000 };

/* The messages of onnx.proto. */
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
    TENSOR_TYPE,
    SHAPE,
    WRAPPED_TYPE,
    MAP,
    TRAINING,
    FUNCTION,
    ANNOTATION,
    LEAF /* has no messages in it */
} message;

static const struct {
    message in;
    uint64_t field;
    message is;
    bool once;
} children[] = {
    {MODEL, 7, GRAPH, true},        {MODEL, 8, LEAF, false},        {MODEL, 14, LEAF, false},
    {MODEL, 20, TRAINING, false},   {MODEL, 25, FUNCTION, false},   {GRAPH, 1, NODE, false},
    {GRAPH, 5, TENSOR, false},      {GRAPH, 11, VALUE_INFO, false}, {GRAPH, 12, VALUE_INFO, false},
    {GRAPH, 13, VALUE_INFO, false}, {GRAPH, 14, ANNOTATION, false}, {GRAPH, 15, SPARSE, false},
    {NODE, 5, ATTRIBUTE, false},    {ATTRIBUTE, 5, TENSOR, true},   {ATTRIBUTE, 6, GRAPH, true},
    {ATTRIBUTE, 10, TENSOR, false}, {ATTRIBUTE, 11, GRAPH, false},  {ATTRIBUTE, 14, TYPE, true},
    {ATTRIBUTE, 15, TYPE, false},   {ATTRIBUTE, 22, SPARSE, true},  {ATTRIBUTE, 23, SPARSE, false},
    {TENSOR, 3, LEAF, true},        {TENSOR, 13, LEAF, false},      {SPARSE, 1, TENSOR, true},
    {SPARSE, 2, TENSOR, true},      {VALUE_INFO, 2, TYPE, true},    {TYPE, 1, TENSOR_TYPE, true},
    {TYPE, 4, WRAPPED_TYPE, true},  {TYPE, 5, MAP, true},           {TYPE, 8, TENSOR_TYPE, true},
    {TYPE, 9, WRAPPED_TYPE, true},  {TENSOR_TYPE, 2, SHAPE, true},  {SHAPE, 1, LEAF, false},
    {WRAPPED_TYPE, 1, TYPE, true},  {MAP, 2, TYPE, true},           {TRAINING, 1, GRAPH, true},
    {TRAINING, 2, GRAPH, true},     {TRAINING, 3, LEAF, false},     {TRAINING, 4, LEAF, false},
    {FUNCTION, 7, NODE, false},     {FUNCTION, 9, LEAF, false},     {ANNOTATION, 2, LEAF, false},
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
        uint32_t seen; /* the messages in it that come once; bits of field numbers */
    } stack[MAX_DEPTH];
    const uint8_t *p = data;
    int depth = 0;
    long fields = 0;
    long messages = 0;
    stack[0].end = data + size;
    stack[0].is = MODEL;
    stack[0].seen = 0;
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
            uint32_t once = 0;
            ok = varint(&p, end, &length) && (uint64_t)(end - p) >= length;
            if (!ok)
                break;
            for (size_t i = 0; i < sizeof children / sizeof children[0]; i++) {
                if (children[i].in == stack[depth].is && children[i].field == key >> 3) {
                    is = children[i].is;
                    once = children[i].once ? UINT32_C(1) << children[i].field : 0;
                }
            }
            if (is == NONE) {
                p += length;
                break;
            }
            /* protobuf-c would merge the two, and copy all that the first one holds. */
            ok = !(stack[depth].seen & once);
            if (!ok)
                break;
            stack[depth].seen |= once;
            if (++messages > MAX_MESSAGES)
                return FG_FAIL(err, FG_ERR_LIMIT, "%s: a model of more than %d messages", path, MAX_MESSAGES);
            if (++depth == MAX_DEPTH)
                return FG_FAIL(err, FG_ERR_LIMIT, "%s: a model nested deeper than %d levels", path,
                               MAX_DEPTH);
            stack[depth].end = p + length;
            stack[depth].is = is;
            stack[depth].seen = 0;
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
