/* Folding of nodes whose inputs are all constants. */
#include "nn/graph.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_BROADCAST = 1 << 20 };

static fg_code like(nn_tensor **out, const nn_tensor *in, nn_dtype dtype, const char *what, fg_error *err)
{
    int64_t dims[FG_MAX_MODEL_DIMS];
    for (int d = 0; d < in->shape.rank; d++)
        dims[d] = in->shape.dims[d];
    return nn_tensor_new(out, dtype, dims, (size_t)in->shape.rank, what, err);
}

static fg_code copy_tensor(nn_tensor **out, const nn_tensor *in, const char *what, fg_error *err)
{
    fg_code rc = like(out, in, in->dtype, what, err);
    if (!rc)
        memcpy((*out)->data, in->data, in->count * (in->dtype == NN_F32 ? 4 : in->dtype == NN_I64 ? 8 : 1));
    return rc;
}

static double number(const nn_tensor *t, size_t i)
{
    switch (t->dtype) {
    case NN_F32:
        return (double)t->f32[i];
    case NN_I64:
        return (double)t->i64[i];
    case NN_I8:
        return t->i8[i];
    default:
        return t->u8[i];
    }
}

static fg_code fold_cast(const nn_graph *graph, const nn_node *node, const nn_tensor *in, nn_tensor **out,
                         fg_error *err)
{
    fg_code rc = like(out, in, node->to, graph->path, err);
    if (rc)
        return rc;
    for (size_t i = 0; i < in->count; i++) {
        double x = number(in, i);
        if (node->to == NN_F32)
            (*out)->f32[i] = (float)x;
        else if (!(fabs(x) < 0x1p62))
            return nn_node_fail(graph, node, err, FG_ERR_MODEL, "casts a number that is out of range");
        else
            (*out)->i64[i] = (int64_t)x;
    }
    return FG_OK;
}

/* The constant's data with other dimensions, of the same count. */
static fg_code fold_view(const nn_graph *graph, const nn_node *node, const nn_tensor *in, const int64_t *dims,
                         size_t rank, nn_tensor **out, fg_error *err)
{
    nn_shape shape = in->shape;
    fg_code rc = copy_tensor(out, in, graph->path, err);
    if (rc)
        return rc;
    size_t count = 1;
    shape.rank = (int)rank;
    for (size_t d = 0; d < rank; d++) {
        if (dims[d] < 1 || dims[d] > NN_MAX_DIM)
            return nn_node_fail(graph, node, err, FG_ERR_MODEL, "makes a dimension of %lld",
                                (long long)dims[d]);
        shape.dims[d] = (int)dims[d];
        count *= (size_t)dims[d];
        if (count > in->count)
            break;
    }
    if (count != in->count)
        return nn_node_fail(graph, node, err, FG_ERR_MODEL, "changes the number of elements");
    (*out)->shape = shape;
    return FG_OK;
}

/* Offset of element i of shape out in a tensor that is broadcast to it, as numpy does. */
static size_t broadcast_offset(size_t i, const nn_shape *out, const nn_shape *in)
{
    size_t offset = 0;
    size_t step = 1;
    for (int d = out->rank - 1, k = in->rank - 1; k >= 0; d--, k--) {
        size_t at = i % (size_t)out->dims[d];
        i /= (size_t)out->dims[d];
        if (in->dims[k] != 1)
            offset += at * step;
        step *= (size_t)in->dims[k];
    }
    return offset;
}

static fg_code fold_binary(const nn_graph *graph, const nn_node *node, const nn_tensor *a, const nn_tensor *b,
                           nn_tensor **out, fg_error *err)
{
    int64_t dims[FG_MAX_MODEL_DIMS];
    int rank = a->shape.rank > b->shape.rank ? a->shape.rank : b->shape.rank;
    if (a->dtype != b->dtype || (a->dtype != NN_F32 && a->dtype != NN_I64))
        return nn_node_fail(graph, node, err, FG_ERR_UNSUPPORTED, "mixes types of constants");
    for (int d = 0; d < rank; d++) {
        int ka = d - (rank - a->shape.rank);
        int kb = d - (rank - b->shape.rank);
        int da = ka < 0 ? 1 : a->shape.dims[ka];
        int db = kb < 0 ? 1 : b->shape.dims[kb];
        if (da != db && da != 1 && db != 1)
            return nn_node_fail(graph, node, err, FG_ERR_MODEL, "combines constants of different shapes");
        dims[d] = da > db ? da : db;
    }
    /* A row and a column of a few bytes would make a matrix of gigabytes; no network needs that. */
    uint64_t count = 1;
    for (int d = 0; d < rank && count <= MAX_BROADCAST; d++)
        count *= (uint64_t)dims[d];
    if (count > MAX_BROADCAST && count > a->count && count > b->count)
        return nn_node_fail(graph, node, err, FG_ERR_LIMIT, "makes too large a constant of small ones");
    fg_code rc = nn_tensor_new(out, a->dtype, dims, (size_t)rank, graph->path, err);
    if (rc)
        return rc;
    nn_tensor *t = *out;
    for (size_t i = 0; i < t->count; i++) {
        size_t ia = broadcast_offset(i, &t->shape, &a->shape);
        size_t ib = broadcast_offset(i, &t->shape, &b->shape);
        if (t->dtype == NN_F32) {
            float x = a->f32[ia];
            float y = b->f32[ib];
            t->f32[i] = node->op == NN_ADD   ? x + y
                        : node->op == NN_SUB ? x - y
                        : node->op == NN_MUL ? x * y
                                             : x / y;
        } else {
            int64_t y = b->i64[ib];
            bool bad = node->op == NN_ADD   ? __builtin_add_overflow(a->i64[ia], y, &t->i64[i])
                       : node->op == NN_SUB ? __builtin_sub_overflow(a->i64[ia], y, &t->i64[i])
                       : node->op == NN_MUL ? __builtin_mul_overflow(a->i64[ia], y, &t->i64[i])
                                            : y <= 0;
            if (bad)
                return nn_node_fail(graph, node, err, FG_ERR_MODEL, "overflows on its constants");
            if (node->op == NN_DIV)
                t->i64[i] = a->i64[ia] / y;
        }
    }
    return FG_OK;
}

static fg_code fold_transpose(const nn_graph *graph, const nn_node *node, const nn_tensor *in,
                              nn_tensor **out, fg_error *err)
{
    int rank = in->shape.rank;
    int64_t dims[FG_MAX_MODEL_DIMS];
    size_t steps[FG_MAX_MODEL_DIMS];
    size_t out_steps[FG_MAX_MODEL_DIMS];
    unsigned seen = 0;
    size_t step = 1;
    if (in->dtype != NN_F32)
        return nn_node_fail(graph, node, err, FG_ERR_UNSUPPORTED, "transposes integers");
    if (node->has_ints && node->int_count != rank)
        return nn_node_fail(graph, node, err, FG_ERR_MODEL, "has a perm that does not fit");
    for (int d = rank - 1; d >= 0; d--) {
        steps[d] = step;
        step *= (size_t)in->shape.dims[d];
    }
    for (int d = 0; d < rank; d++) {
        int64_t from = node->has_ints ? node->ints[d] : rank - 1 - d;
        if (from < 0 || from >= rank || seen >> from & 1)
            return nn_node_fail(graph, node, err, FG_ERR_MODEL, "has a perm that does not fit");
        seen |= 1u << from;
        dims[d] = in->shape.dims[from];
        out_steps[d] = steps[from];
    }
    fg_code rc = nn_tensor_new(out, NN_F32, dims, (size_t)rank, graph->path, err);
    if (rc)
        return rc;
    for (size_t i = 0; i < in->count; i++) {
        size_t rest = i;
        size_t from = 0;
        for (int d = rank - 1; d >= 0; d--) {
            from += rest % (size_t)dims[d] * out_steps[d];
            rest /= (size_t)dims[d];
        }
        (*out)->f32[i] = in->f32[from];
    }
    return FG_OK;
}

static fg_code fold_concat(const nn_graph *graph, const nn_node *node, nn_tensor **out, fg_error *err)
{
    const nn_tensor *first = graph->values[node->inputs[0]].constant;
    int64_t total = 0;
    for (int i = 0; i < node->input_count; i++) {
        const nn_tensor *t = graph->values[node->inputs[i]].constant;
        if (t->shape.rank != 1 || t->dtype != NN_I64 || node->axis != 0)
            return nn_node_fail(graph, node, err, FG_ERR_UNSUPPORTED,
                                "joins constants other than rows of integers");
        total += (int64_t)t->count;
    }
    fg_code rc = nn_tensor_new(out, first->dtype, &total, 1, graph->path, err);
    if (rc)
        return rc;
    size_t at = 0;
    for (int i = 0; i < node->input_count; i++) {
        const nn_tensor *t = graph->values[node->inputs[i]].constant;
        memcpy((*out)->i64 + at, t->i64, t->count * sizeof *t->i64);
        at += t->count;
    }
    return FG_OK;
}

fg_code nn_constant_fold(nn_graph *graph, const nn_node *node, nn_tensor **result, fg_error *err)
{
    const nn_tensor *a = graph->values[node->inputs[0]].constant;
    nn_tensor *out = NULL;
    int64_t dims[FG_MAX_MODEL_DIMS] = {0};
    int rank = 0;
    fg_code rc = FG_OK;
    *result = NULL;
    for (int i = 0; i < node->input_count; i++) {
        if (node->inputs[i] < 0)
            return nn_node_fail(graph, node, err, FG_ERR_MODEL, "lacks an input");
    }
    switch (node->op) {
    case NN_IDENTITY:
        rc = copy_tensor(&out, a, graph->path, err);
        break;
    case NN_CAST:
        rc = fold_cast(graph, node, a, &out, err);
        break;
    case NN_ADD:
    case NN_SUB:
    case NN_MUL:
    case NN_DIV:
        if (node->input_count != 2)
            return nn_node_fail(graph, node, err, FG_ERR_MODEL, "needs two inputs");
        rc = fold_binary(graph, node, a, graph->values[node->inputs[1]].constant, &out, err);
        break;
    case NN_TRANSPOSE:
        rc = fold_transpose(graph, node, a, &out, err);
        break;
    case NN_CONCAT:
        rc = fold_concat(graph, node, &out, err);
        break;
    case NN_RESHAPE:
    case NN_SQUEEZE:
    case NN_UNSQUEEZE:
        /* nn_graph_lower has turned the wanted dimensions into ints. */
        for (; rank < node->int_count; rank++)
            dims[rank] = node->ints[rank];
        rc = fold_view(graph, node, a, dims, (size_t)rank, &out, err);
        break;
    default:
        return nn_node_fail(graph, node, err, FG_ERR_UNSUPPORTED,
                            "has only constant inputs, which is not known for it");
    }
    if (rc) {
        nn_tensor_free(out);
        return rc;
    }
    *result = out;
    return FG_OK;
}
