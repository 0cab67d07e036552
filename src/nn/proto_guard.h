/* A look over a serialised ONNX model before protobuf-c unpacks it: protobuf-c recurses once for each level
 * of nested messages and allocates for every field, both without a limit, and copies what it has when a
 * message comes again that is to come once, so a small hostile file could exhaust the stack, the memory or
 * the time. Wire format: https://protobuf.dev/programming-guides/encoding/ */
#ifndef FG_NN_PROTO_GUARD_H
#define FG_NN_PROTO_GUARD_H

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

/* FG_ERR_MODEL where the bytes are no protobuf or repeat what comes once, FG_ERR_LIMIT where they nest too
 * deep or hold too many fields. */
fg_code nn_proto_check(const uint8_t *data, size_t size, const char *path, fg_error *err) FG_MUST_CHECK;

#endif
