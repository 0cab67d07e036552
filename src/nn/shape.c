#include "nn/graph.h"

#include <stdlib.h>
#include <string.h>

fg_code nn_window_resolve(const nn_window *window, int d, int in, int *out, int *begin, int *end,
                          const nn_node *node, fg_error *err)
{
    int64_t kernel = window->kernel[d];
    int64_t stride = window->stride[d];
    int64_t dilation = window->dilation[d];
    int64_t before = window->begin[d];
    int64_t after = window->end[d];
    int64_t count = 0;
    *out = *begin = *end = 0;
    if (kernel < 1 || stride < 1 || dilation < 1 || before < 0 || after < 0 || kernel > NN_MAX_DIM ||
        stride > NN_MAX_DIM || dilation > NN_MAX_DIM || before > NN_MAX_DIM || after > NN_MAX_DIM)
        return FG_FAIL(err, FG_ERR_MODEL, "operator %.40s (node '%.60s'): its window makes no sense",
                       node->type, node->name);
    int64_t extent = (kernel - 1) * dilation + 1;
    if (window->autopad == NN_PAD_VALID) {
        before = after = 0;
    } else if (window->autopad != NN_PAD_EXPLICIT) {
        count = (in + stride - 1) / stride;
        int64_t pad = (count - 1) * stride + extent - in;
        pad = pad > 0 ? pad : 0;
        before = window->autopad == NN_PAD_SAME_UPPER ? pad / 2 : pad - pad / 2;
        after = pad - before;
    }
    int64_t room = in + before + after - extent;
    if (room < 0)
        return FG_FAIL(
            err, FG_ERR_MODEL,
            "operator %.40s (node '%.60s'): an input side of %d is smaller than its window of %lld",
            node->type, node->name, in, (long long)extent);
    count = room / stride + 1;
    if (window->ceil && room % stride) {
        /* A window that would start behind the input sees only padding and does not count. */
        if (count * stride < in + before) {
            after = count * stride + extent - in - before;
            count++;
        }
    }
    if (before >= extent || after >= extent + stride)
        return FG_FAIL(err, FG_ERR_UNSUPPORTED,
                       "operator %.40s (node '%.60s'): padding as wide as its window", node->type,
                       node->name);
    *out = (int)count;
    *begin = (int)before;
    *end = (int)after;
    return FG_OK;
}

static fg_code infer_window(const nn_graph *graph, const nn_node *node, const nn_shape *in, int channels,
                            nn_shape *out, fg_error *err)
{
    if (in->rank != 4)
        return nn_node_fail(graph, node, err, FG_ERR_UNSUPPORTED,
                            "has an input of %d dimensions; only 4 are known", in->rank);
    *out = (nn_shape){4, {in->dims[0], channels}};
    for (int d = 0; d < 2; d++) {
        int begin = 0;
        int end = 0;
        fg_code rc =
            nn_window_resolve(&node->window, d, in->dims[2 + d], &out->dims[2 + d], &begin, &end, node, err);
        if (rc)
            return fg_error_prefix(err, rc, graph->path);
    }
    return FG_OK;
}

static fg_code infer_residual(const nn_graph *graph, const nn_node *node, const nn_shape *shapes,
                              const nn_shape *out, fg_error *err)
{
    if (node->residual >= 0 && !nn_shape_equal(&shapes[node->residual], out))
        return nn_node_fail(graph, node, err, FG_ERR_MODEL, "adds tensors of different shapes");
    return FG_OK;
}

fg_code nn_node_infer(const nn_graph *graph, const nn_node *node, nn_shape *shapes, uint64_t *macs,
                      fg_error *err)
{
    fg_code rc = FG_OK;
    size_t count = 0;
    nn_shape *out = &shapes[node->output];
    const nn_shape *in = &shapes[node->inputs[0]];
    switch (node->op) {
    case NN_CONV:
        if (in->rank == 4 && in->dims[1] != node->weight_dims[1] * node->groups)
            return nn_node_fail(graph, node, err, FG_ERR_MODEL, "gets %d channels but its weights want %d",
                                in->dims[1], node->weight_dims[1] * node->groups);
        rc = infer_window(graph, node, in, node->weight_dims[0], out, err);
        if (!rc)
            rc = infer_residual(graph, node, shapes, out, err);
        if (!rc)
            rc = nn_shape_count(out, &count, graph->path, err);
        if (macs)
            *macs += (uint64_t)count * (uint64_t)(node->weight_count / (size_t)node->weight_dims[0]);
        break;
    case NN_DENSE:
        if (in->rank != 2 || in->dims[1] != node->weight_dims[1])
            return nn_node_fail(graph, node, err, FG_ERR_MODEL,
                                "gets an input that does not fit its weights (%d x %d)", node->weight_dims[0],
                                node->weight_dims[1]);
        *out = (nn_shape){2, {in->dims[0], node->weight_dims[0]}};
        rc = infer_residual(graph, node, shapes, out, err);
        if (macs)
            *macs += (uint64_t)in->dims[0] * (uint64_t)node->weight_count;
        break;
    case NN_PRELU:
    case NN_AFFINE:
        if (in->rank < 2 || in->dims[1] != node->channels)
            return nn_node_fail(graph, node, err, FG_ERR_MODEL, "does not fit the number of channels");
        *out = *in;
        break;
    case NN_RELU:
    case NN_SIGMOID:
    case NN_CLIP:
    case NN_FAKEQUANT:
        *out = *in;
        break;
    case NN_SOFTMAX:
        if (in->rank != 2 && in->rank != 4)
            return nn_node_fail(graph, node, err, FG_ERR_UNSUPPORTED, "is known for 2 and 4 dimensions only");
        if (in->rank == 4 && node->coerced && (in->dims[2] != 1 || in->dims[3] != 1))
            return nn_node_fail(graph, node, err, FG_ERR_UNSUPPORTED, "runs over more than the channels");
        *out = *in;
        break;
    case NN_MAXPOOL:
    case NN_AVGPOOL:
        rc = infer_window(graph, node, in, in->rank == 4 ? in->dims[1] : 0, out, err);
        break;
    case NN_GLOBALAVG:
        if (in->rank != 4)
            return nn_node_fail(graph, node, err, FG_ERR_UNSUPPORTED, "is known for 4 dimensions only");
        *out = (nn_shape){4, {in->dims[0], in->dims[1], 1, 1}};
        break;
    case NN_ADD:
    case NN_MUL: {
        const nn_shape *other = &shapes[node->inputs[1]];
        bool per_channel = in->rank == 4 && other->rank == 4 && other->dims[0] == in->dims[0] &&
                           other->dims[1] == in->dims[1] && other->dims[2] == 1 && other->dims[3] == 1;
        if (!nn_shape_equal(in, other) && !per_channel)
            return nn_node_fail(graph, node, err, FG_ERR_UNSUPPORTED,
                                "combines shapes that are neither equal nor one number per channel");
        *out = *in;
        break;
    }
    case NN_CONCAT: {
        int64_t channels = 0;
        for (int i = 0; i < node->input_count; i++) {
            nn_shape next = shapes[node->inputs[i]];
            if (next.rank != in->rank || next.rank < 2)
                return nn_node_fail(graph, node, err, FG_ERR_MODEL, "joins tensors of different shapes");
            channels += next.dims[1];
            next.dims[1] = in->dims[1];
            if (!nn_shape_equal(&next, in))
                return nn_node_fail(graph, node, err, FG_ERR_MODEL, "joins tensors of different shapes");
        }
        if (channels > NN_MAX_DIM)
            return nn_node_fail(graph, node, err, FG_ERR_LIMIT, "joins too many channels");
        nn_shape joined = *in;
        joined.dims[1] = (int)channels;
        *out = joined;
        break;
    }
    case NN_FLATTEN:
        rc = nn_shape_count(in, &count, graph->path, err);
        if (rc)
            return rc;
        count /= (size_t)in->dims[0];
        if (count > NN_MAX_DIM)
            return nn_node_fail(graph, node, err, FG_ERR_LIMIT, "makes too long a row");
        *out = (nn_shape){2, {in->dims[0], (int)count}};
        break;
    case NN_UNFLATTEN:
        *out = (nn_shape){4, {in->dims[0], in->dims[1], 1, 1}};
        break;
    default:
        return nn_node_fail(graph, node, err, FG_ERR_INTERNAL, "was not lowered");
    }
    if (!rc)
        rc = nn_shape_count(out, &count, graph->path, err);
    return rc;
}

fg_code nn_graph_infer(const nn_graph *graph, int batch, int height, int width, nn_shape *shapes,
                       uint64_t *macs, fg_error *err)
{
    memset(shapes, 0, (size_t)graph->value_count * sizeof *shapes);
    if (macs)
        *macs = 0;
    shapes[graph->input] = (nn_shape){4, {batch, graph->input_dims[1], height, width}};
    size_t count = 0;
    fg_code rc = nn_shape_count(&shapes[graph->input], &count, graph->path, err);
    for (int i = 0; i < graph->node_count && !rc; i++)
        rc = nn_node_infer(graph, graph->nodes[i], shapes, macs, err);
    return rc;
}
