/* From the operators of a file to the canonical ones. */
#include "nn/graph.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct lowering {
    nn_graph *graph;
    nn_shape *shapes; /* of every value known so far, at the size given to nn_graph_lower */
    int *alias;       /* value that takes the place of this one, or -1 */
    size_t folded;    /* numbers in folded constants, capped: a small file could multiply them */
} lowering;

#define FAIL(l, node, code, ...) fg_failed(nn_node_fail((l)->graph, (node), err, (code), __VA_ARGS__))

static int resolve(const lowering *l, int value)
{
    while (value >= 0 && l->alias[value] >= 0)
        value = l->alias[value];
    return value;
}

static const nn_tensor *constant_of(const lowering *l, const nn_node *node, int input)
{
    if (input >= node->input_count || node->inputs[input] < 0)
        return NULL;
    return l->graph->values[node->inputs[input]].constant;
}

static const nn_tensor *floats_of(const lowering *l, const nn_node *node, int input)
{
    const nn_tensor *t = constant_of(l, node, input);
    return t && t->dtype == NN_F32 ? t : NULL;
}

static void become_alias(lowering *l, nn_node *node, int of)
{
    l->alias[node->output] = of;
    l->graph->values[node->output].producer = -1;
    node->op = NN_REMOVED;
}

/* A constant as one number for each channel of x. */
static fg_code per_channel(const lowering *l, const nn_node *node, const nn_tensor *t, const nn_shape *x,
                           bool first_is_channel, float **out, fg_error *err)
{
    *out = NULL;
    if (!t || t->dtype != NN_F32 || x->rank < 2)
        return FAIL(l, node, FG_ERR_UNSUPPORTED, "needs constants, one number per channel");
    int channels = x->dims[1];
    if (t->count != 1) {
        int shift = x->rank - t->shape.rank;
        if (t->shape.rank == 1 && first_is_channel)
            shift = 1;
        for (int k = 0; k < t->shape.rank; k++) {
            if (t->shape.dims[k] != 1 && (k + shift != 1 || t->shape.dims[k] != channels))
                return FAIL(l, node, FG_ERR_UNSUPPORTED, "has a constant that is not one number per channel");
        }
    }
    *out = nn_lanes_new((size_t)channels);
    if (!*out)
        return FAIL(l, node, FG_ERR_MEMORY, "found no memory");
    for (int c = 0; c < channels; c++)
        (*out)[c] = t->f32[t->count == 1 ? 0 : c];
    return FG_OK;
}

/* The integers that newer opsets give as an input instead of an attribute. */
static fg_code take_ints(const lowering *l, nn_node *node, fg_error *err)
{
    if (node->input_count < 2)
        return FG_OK;
    const nn_tensor *t = constant_of(l, node, 1);
    if (!t || t->dtype != NN_I64 || t->shape.rank > 1 || t->count > FG_MAX_MODEL_DIMS)
        return FAIL(l, node, FG_ERR_UNSUPPORTED,
                    "has an argument that is not a short constant row of integers");
    memcpy(node->ints, t->i64, t->count * sizeof *t->i64);
    node->int_count = (int)t->count;
    node->has_ints = true;
    node->input_count = 1;
    return FG_OK;
}

/* Dimensions that Reshape, Squeeze, Unsqueeze or Transpose make of in, into node->ints. */
static fg_code view_dims(const lowering *l, nn_node *node, const nn_shape *in, fg_error *err)
{
    int64_t dims[FG_MAX_MODEL_DIMS];
    int rank = 0;
    unsigned mask = 0;
    if (node->op == NN_RESHAPE) {
        int64_t known = 1;
        int64_t total = 1;
        int open = -1;
        for (int d = 0; d < in->rank; d++)
            total *= in->dims[d];
        for (; rank < node->int_count; rank++) {
            int64_t v = node->ints[rank];
            if (v == 0 && node->zero_copies && rank < in->rank)
                v = in->dims[rank];
            if (v == -1 && open < 0)
                open = rank;
            else if (v < 1 || v > NN_MAX_DIM || known > NN_MAX_ELEMENTS)
                return FAIL(l, node, FG_ERR_MODEL, "makes a dimension of %lld", (long long)v);
            else
                known *= v;
            dims[rank] = v;
        }
        if (open >= 0)
            dims[open] = known ? total / known : 0;
    } else if (node->op == NN_TRANSPOSE) {
        int64_t last = -1;
        if (node->has_ints && node->int_count != in->rank)
            return FAIL(l, node, FG_ERR_MODEL, "has a perm that does not fit");
        for (; rank < in->rank; rank++) {
            int64_t from = node->has_ints ? node->ints[rank] : in->rank - 1 - rank;
            if (from < 0 || from >= in->rank || mask >> from & 1)
                return FAIL(l, node, FG_ERR_MODEL, "has a perm that does not fit");
            mask |= 1u << from;
            dims[rank] = in->dims[from];
            if (in->dims[from] == 1)
                continue;
            if (from < last)
                return FAIL(l, node, FG_ERR_UNSUPPORTED, "moves data, which is known for constants only");
            last = from;
        }
    } else {
        int out_rank = in->rank + (node->op == NN_UNSQUEEZE ? node->int_count : 0);
        if (out_rank > FG_MAX_MODEL_DIMS)
            return FAIL(l, node, FG_ERR_LIMIT, "makes more than %d dimensions", FG_MAX_MODEL_DIMS);
        for (int i = 0; i < node->int_count; i++) {
            int64_t axis = node->ints[i] < 0 ? node->ints[i] + out_rank : node->ints[i];
            if (axis < 0 || axis >= out_rank || mask >> axis & 1)
                return FAIL(l, node, FG_ERR_MODEL, "has axes that do not fit");
            mask |= 1u << axis;
        }
        if (node->op == NN_UNSQUEEZE) {
            for (int from = 0; rank < out_rank; rank++)
                dims[rank] = mask >> rank & 1 ? 1 : in->dims[from++];
        } else {
            for (int d = 0; d < in->rank; d++) {
                bool drop = node->has_ints ? (mask >> d & 1) : in->dims[d] == 1;
                if (drop && in->dims[d] != 1)
                    return FAIL(l, node, FG_ERR_MODEL, "drops a dimension of %d", in->dims[d]);
                if (!drop)
                    dims[rank++] = in->dims[d];
            }
        }
    }
    node->int_count = rank;
    memcpy(node->ints, dims, (size_t)rank * sizeof *dims);
    return FG_OK;
}

static fg_code lower_view(lowering *l, nn_node *node, fg_error *err)
{
    const nn_shape *in = &l->shapes[node->inputs[0]];
    int64_t row = 1;
    bool same = node->int_count == in->rank;
    for (int d = 0; d < in->rank; d++) {
        row *= d ? in->dims[d] : 1;
        same = same && node->ints[d] == in->dims[d];
    }
    if (same)
        become_alias(l, node, node->inputs[0]);
    else if (node->int_count == 2 && node->ints[0] == in->dims[0] && node->ints[1] == row)
        node->op = NN_FLATTEN;
    else if (in->rank == 2 && node->int_count == 4 && node->ints[0] == in->dims[0] &&
             node->ints[1] == in->dims[1] && node->ints[2] == 1 && node->ints[3] == 1)
        node->op = NN_UNFLATTEN;
    else
        return FAIL(l, node, FG_ERR_UNSUPPORTED, "changes the shape otherwise than to one row per image");
    return FG_OK;
}

static fg_code lower_arithmetic(lowering *l, nn_node *node, fg_error *err)
{
    if (node->input_count != 2 || node->inputs[0] < 0 || node->inputs[1] < 0)
        return FAIL(l, node, FG_ERR_MODEL, "needs two inputs");
    bool first = constant_of(l, node, 0) != NULL;
    if (!first && !constant_of(l, node, 1)) {
        if (node->op == NN_SUB || node->op == NN_DIV)
            return FAIL(l, node, FG_ERR_UNSUPPORTED, "is known with constants only");
        const nn_shape *a = &l->shapes[node->inputs[0]];
        const nn_shape *b = &l->shapes[node->inputs[1]];
        if (a->rank == 4 && b->rank == 4 && a->dims[2] * a->dims[3] == 1 && b->dims[2] * b->dims[3] > 1) {
            int swap = node->inputs[0];
            node->inputs[0] = node->inputs[1];
            node->inputs[1] = swap;
        }
        return FG_OK;
    }
    int data = node->inputs[first ? 1 : 0];
    const nn_shape *x = &l->shapes[data];
    float *numbers = NULL;
    if (node->op == NN_DIV && first)
        return FAIL(l, node, FG_ERR_UNSUPPORTED, "divides a constant by data");
    fg_code rc = per_channel(l, node, constant_of(l, node, first ? 0 : 1), x, false, &numbers, err);
    if (rc || !numbers)
        return rc;
    node->channels = x->dims[1];
    node->scale = nn_lanes_new((size_t)node->channels);
    node->bias = nn_lanes_new((size_t)node->channels);
    if (!node->scale || !node->bias) {
        free(numbers);
        return FAIL(l, node, FG_ERR_MEMORY, "found no memory");
    }
    for (int c = 0; c < node->channels; c++) {
        float k = numbers[c];
        node->scale[c] = node->op == NN_MUL            ? k
                         : node->op == NN_DIV          ? 1.0f / k
                         : node->op == NN_SUB && first ? -1.0f
                                                       : 1.0f;
        node->bias[c] = node->op == NN_ADD ? k : node->op == NN_SUB ? (first ? k : -k) : 0.0f;
    }
    free(numbers);
    node->op = NN_AFFINE;
    node->inputs[0] = data;
    node->input_count = 1;
    return FG_OK;
}

static fg_code lower_batchnorm(lowering *l, nn_node *node, fg_error *err)
{
    const nn_shape *x = &l->shapes[node->inputs[0]];
    const nn_tensor *t[5] = {NULL};
    for (int i = 1; i < 5; i++) {
        t[i] = floats_of(l, node, i);
        if (x->rank < 2 || !t[i] || t[i]->count != (size_t)x->dims[1])
            return FAIL(l, node, FG_ERR_UNSUPPORTED, "needs four constants, one number per channel");
    }
    node->channels = x->dims[1];
    node->scale = nn_lanes_new((size_t)node->channels);
    node->bias = nn_lanes_new((size_t)node->channels);
    if (!node->scale || !node->bias)
        return FAIL(l, node, FG_ERR_MEMORY, "found no memory");
    for (int c = 0; c < node->channels; c++) {
        double scale = (double)t[1]->f32[c] / sqrt((double)t[4]->f32[c] + (double)node->epsilon);
        node->scale[c] = (float)scale;
        node->bias[c] = (float)((double)t[2]->f32[c] - (double)t[3]->f32[c] * scale);
    }
    node->op = NN_AFFINE;
    node->input_count = 1;
    return FG_OK;
}

/* The floats of a constant that so far has but integers. */
static fg_code widen(const lowering *l, const nn_node *node, int value, fg_error *err)
{
    const nn_value *v = &l->graph->values[value];
    nn_tensor *t = v->constant;
    if (t->data)
        return FG_OK;
    if (!(t->data = malloc(t->count * sizeof(float))))
        return FAIL(l, node, FG_ERR_MEMORY, "found no memory");
    nn_widen(t->f32, v->q->i8, t->count, v->q_scale->f32, v->q_scale->count);
    return FG_OK;
}

/* Takes the weights at its second input: integers as they are, with one scale per output channel, or floats.
 */
static fg_code take_weights(lowering *l, nn_node *node, int outputs, bool as_integers, fg_error *err)
{
    const nn_value *v = &l->graph->values[node->inputs[1]];
    const nn_tensor *scales = v->q_scale;
    node->weight_count = v->constant->count;
    if (v->q && as_integers && (scales->count == 1 || scales->count == (size_t)outputs)) {
        node->q_weights = malloc(node->weight_count);
        node->q_scale = nn_lanes_new((size_t)outputs);
        if (!node->q_weights || !node->q_scale)
            return FAIL(l, node, FG_ERR_MEMORY, "found no memory");
        memcpy(node->q_weights, v->q->i8, node->weight_count);
        for (int o = 0; o < outputs; o++)
            node->q_scale[o] = scales->f32[scales->count == 1 ? 0 : o];
        return FG_OK;
    }
    fg_code rc = widen(l, node, node->inputs[1], err);
    if (rc)
        return rc;
    node->weights = malloc(node->weight_count * sizeof(float));
    if (!node->weights)
        return FAIL(l, node, FG_ERR_MEMORY, "found no memory");
    memcpy(node->weights, v->constant->f32, node->weight_count * sizeof(float));
    return FG_OK;
}

static fg_code lower_conv(lowering *l, nn_node *node, fg_error *err)
{
    const nn_tensor *w = floats_of(l, node, 1);
    const nn_tensor *b = floats_of(l, node, 2);
    if (!w || node->input_count > 3 || (node->input_count == 3 && node->inputs[2] >= 0 && !b))
        return FAIL(l, node, FG_ERR_UNSUPPORTED, "needs constant weights");
    int dims[5] = {0};
    int rank = w->shape.rank;
    if (rank != (node->groups ? 4 : 5))
        return FAIL(l, node, FG_ERR_UNSUPPORTED, "has weights of %d dimensions; only images are known", rank);
    memcpy(dims, w->shape.dims, sizeof(int) * (size_t)rank);
    if (!node->groups) {
        node->groups = dims[0];
        if ((int64_t)dims[0] * dims[1] > NN_MAX_DIM)
            return FAIL(l, node, FG_ERR_LIMIT, "has too many channels");
        dims[0] *= dims[1];
        memmove(dims + 1, dims + 2, 3 * sizeof(int));
    }
    for (int d = 0; d < 2; d++) {
        if (node->window.kernel[d] && node->window.kernel[d] != dims[2 + d])
            return FAIL(l, node, FG_ERR_MODEL, "names another kernel than its weights have");
        node->window.kernel[d] = dims[2 + d];
    }
    if (node->groups < 1 || dims[0] % node->groups || (int64_t)dims[1] * node->groups > NN_MAX_DIM ||
        (b && b->count != (size_t)dims[0]))
        return FAIL(l, node, FG_ERR_MODEL, "has weights that do not fit its groups or its bias");
    memcpy(node->weight_dims, dims, 4 * sizeof(int));
    node->bias = nn_lanes_new((size_t)dims[0]);
    node->channels = dims[0];
    if (!node->bias)
        return FAIL(l, node, FG_ERR_MEMORY, "found no memory");
    if (b)
        memcpy(node->bias, b->f32, b->count * sizeof(float));
    fg_code rc = take_weights(l, node, dims[0], true, err);
    node->input_count = 1;
    return rc;
}

static fg_code lower_dense(lowering *l, nn_node *node, fg_error *err)
{
    bool gemm = node->op == NN_GEMM;
    const nn_tensor *w = floats_of(l, node, 1);
    const nn_tensor *b = floats_of(l, node, 2);
    bool has_bias = node->input_count == 3 && node->inputs[2] >= 0;
    float alpha = gemm ? node->alpha : 1.0f;
    float beta = gemm ? node->beta : 1.0f;
    if (!w || w->shape.rank != 2 || node->trans_a || (has_bias && !b))
        return FAIL(l, node, FG_ERR_UNSUPPORTED, "needs a constant matrix as its second factor");
    int outputs = w->shape.dims[node->trans_b ? 0 : 1];
    int inputs = w->shape.dims[node->trans_b ? 1 : 0];
    if (b && b->count != 1 && (b->count != (size_t)outputs || b->shape.dims[b->shape.rank - 1] != outputs))
        return FAIL(l, node, FG_ERR_UNSUPPORTED, "has a bias that is not one number per output");
    node->weight_dims[0] = outputs;
    node->weight_dims[1] = inputs;
    node->weight_dims[2] = node->weight_dims[3] = 1;
    node->channels = outputs;
    node->bias = nn_lanes_new((size_t)outputs);
    if (!node->bias)
        return FAIL(l, node, FG_ERR_MEMORY, "found no memory");
    const bool as_they_are = node->trans_b && alpha == 1.0f;
    fg_code rc = take_weights(l, node, outputs, as_they_are, err);
    if (rc)
        return rc;
    for (int o = 0; o < outputs; o++) {
        for (int i = 0; i < inputs && !as_they_are; i++) {
            size_t from = node->trans_b ? (size_t)o * (size_t)inputs + (size_t)i
                                        : (size_t)i * (size_t)outputs + (size_t)o;
            node->weights[(size_t)o * (size_t)inputs + (size_t)i] = alpha * w->f32[from];
        }
        if (b)
            node->bias[o] = beta * b->f32[b->count == 1 ? 0 : o];
    }
    node->op = NN_DENSE;
    node->input_count = 1;
    return rc;
}

static fg_code read_quant(const lowering *l, const nn_node *node, nn_quant *quant, fg_error *err)
{
    const nn_tensor *scale = floats_of(l, node, 1);
    const nn_tensor *zero = constant_of(l, node, 2);
    bool is_signed = zero && zero->dtype == NN_I8;
    if (!scale || scale->count != 1 || (node->input_count > 2 && (!zero || zero->count != 1)) ||
        (zero && zero->dtype != NN_I8 && zero->dtype != NN_U8))
        return FAIL(l, node, FG_ERR_UNSUPPORTED,
                    "needs one constant scale and one 8-bit zero point for the whole tensor");
    if (!(scale->f32[0] > 0.0f) || !isfinite(scale->f32[0]))
        return FAIL(l, node, FG_ERR_MODEL, "has a scale that is not a positive number");
    *quant = (nn_quant){.scale = scale->f32[0],
                        .zero = !zero       ? 0
                                : is_signed ? zero->i8[0]
                                            : zero->u8[0],
                        .low = is_signed ? -128 : 0,
                        .high = is_signed ? 127 : 255};
    /* Unsigned around 128 is signed around 0. */
    if (quant->low == 0 && quant->zero == 128)
        *quant = (nn_quant){.scale = quant->scale, .zero = 0, .low = -128, .high = 127};
    return FG_OK;
}

/* DequantizeLinear of stored weights: widened, unless their integers will do. */
static fg_code dequantise_constant(lowering *l, nn_node *node, fg_error *err)
{
    const nn_tensor *q = constant_of(l, node, 0);
    const nn_tensor *scale = floats_of(l, node, 1);
    const nn_tensor *zero = constant_of(l, node, 2);
    int axis = !node->has_axis ? 1 : node->axis;
    int64_t dims[FG_MAX_MODEL_DIMS];
    nn_tensor *out = NULL;
    bool symmetric = q->dtype == NN_I8;
    size_t inner = 1;
    if (!scale || (zero && zero->count != scale->count))
        return FAIL(l, node, FG_ERR_MODEL, "needs constant scales");
    if (q->dtype == NN_F32 || (zero && zero->dtype == NN_F32))
        return FAIL(l, node, FG_ERR_MODEL, "reads floats");
    axis = axis < 0 ? axis + q->shape.rank : axis;
    if (scale->count != 1 &&
        (axis < 0 || axis >= q->shape.rank || scale->count != (size_t)q->shape.dims[axis]))
        return FAIL(l, node, FG_ERR_MODEL, "has scales that do not fit its axis");
    for (int d = 0; d < q->shape.rank; d++) {
        dims[d] = q->shape.dims[d];
        if (d > axis)
            inner *= (size_t)dims[d];
    }
    for (size_t s = 0; zero && s < zero->count; s++)
        symmetric = symmetric &&
                    (zero->dtype == NN_I8 || zero->dtype == NN_U8 ? zero->u8[s] == 0 : zero->i64[s] == 0);
    nn_value *v = &l->graph->values[node->output];
    if (symmetric && (scale->count == 1 || axis == 0)) {
        if (!(out = calloc(1, sizeof *out)))
            return FAIL(l, node, FG_ERR_MEMORY, "found no memory");
        *out = (nn_tensor){.dtype = NN_F32, .shape = q->shape, .count = q->count};
        v->constant = out;
        v->q = q;
        v->q_scale = scale;
        return FG_OK;
    }
    fg_code rc = nn_tensor_new(&out, NN_F32, dims, (size_t)q->shape.rank, l->graph->path, err);
    if (rc)
        return rc;
    for (size_t i = 0; i < q->count; i++) {
        size_t s = scale->count == 1 ? 0 : i / inner % scale->count;
        int64_t z = !zero                  ? 0
                    : zero->dtype == NN_I8 ? zero->i8[s]
                    : zero->dtype == NN_U8 ? zero->u8[s]
                                           : zero->i64[s];
        int64_t x = q->dtype == NN_I8 ? q->i8[i] : q->dtype == NN_U8 ? q->u8[i] : q->i64[i];
        out->f32[i] = (float)(x - z) * scale->f32[s];
    }
    v->constant = out;
    return FG_OK;
}

static fg_code lower_dequantise(lowering *l, nn_node *node, fg_error *err)
{
    int producer = l->graph->values[node->inputs[0]].producer;
    const nn_node *quantise = producer < 0 ? NULL : l->graph->nodes[producer];
    nn_quant quant = {0};
    fg_code rc = read_quant(l, node, &quant, err);
    if (rc)
        return rc;
    if (!quantise || quantise->op != NN_QUANTIZE || quantise->quant.scale != quant.scale ||
        quantise->quant.zero != quant.zero || quantise->quant.low != quant.low)
        return FAIL(l, node, FG_ERR_UNSUPPORTED,
                    "does not undo a QuantizeLinear of the same scale and zero point");
    node->op = NN_FAKEQUANT;
    node->quant = quant;
    node->inputs[0] = quantise->inputs[0];
    node->input_count = 1;
    return FG_OK;
}

static fg_code lower_clip(lowering *l, nn_node *node, fg_error *err)
{
    for (int i = 1; i < node->input_count; i++) {
        const nn_tensor *t = floats_of(l, node, i);
        if (node->inputs[i] < 0)
            continue;
        if (!t || t->count != 1 || i > 2)
            return FAIL(l, node, FG_ERR_UNSUPPORTED, "needs constant limits");
        *(i == 1 ? &node->alpha : &node->beta) = t->f32[0];
        *(i == 1 ? &node->has_low : &node->has_high) = true;
    }
    if (!node->has_low)
        node->alpha = -3.4028234663852886e38f;
    if (!node->has_high)
        node->beta = 3.4028234663852886e38f;
    if (!(node->alpha <= node->beta))
        return FAIL(l, node, FG_ERR_MODEL, "has limits in the wrong order");
    node->input_count = 1;
    return FG_OK;
}

static fg_code lower_axis(lowering *l, nn_node *node, fg_error *err)
{
    int rank = l->shapes[node->inputs[0]].rank;
    int axis = node->axis < 0 ? node->axis + rank : node->axis;
    if (axis != 1)
        return FAIL(l, node, FG_ERR_UNSUPPORTED, "works on axis %d; only the channels are known", node->axis);
    return FG_OK;
}

static fg_code lower_node(lowering *l, nn_node *node, fg_error *err)
{
    const nn_shape *x = &l->shapes[node->inputs[0]];
    fg_code rc = FG_OK;
    switch (node->op) {
    case NN_IDENTITY:
        become_alias(l, node, node->inputs[0]);
        return FG_OK;
    case NN_CAST:
        if (node->to != NN_F32)
            return FAIL(l, node, FG_ERR_UNSUPPORTED, "casts data to integers");
        become_alias(l, node, node->inputs[0]);
        return FG_OK;
    case NN_RESHAPE:
    case NN_SQUEEZE:
    case NN_UNSQUEEZE:
    case NN_TRANSPOSE:
        rc = view_dims(l, node, x, err);
        if (!rc)
            rc = lower_view(l, node, err);
        if (rc || node->op == NN_REMOVED)
            return rc;
        break;
    case NN_ADD:
    case NN_SUB:
    case NN_MUL:
    case NN_DIV:
        rc = lower_arithmetic(l, node, err);
        break;
    case NN_BATCHNORM:
        rc = lower_batchnorm(l, node, err);
        break;
    case NN_PRELU:
        rc = per_channel(l, node, constant_of(l, node, 1), x, l->graph->prelu_by_channel || x->rank == 2,
                         &node->bias, err);
        node->channels = x->rank < 2 ? 0 : x->dims[1];
        node->input_count = 1;
        break;
    case NN_CONV:
        rc = lower_conv(l, node, err);
        break;
    case NN_GEMM:
    case NN_MATMUL:
        rc = lower_dense(l, node, err);
        break;
    case NN_CLIP:
        rc = lower_clip(l, node, err);
        break;
    case NN_REDUCEMEAN:
        if (x->rank != 4 || !node->keep_dims || node->int_count != 2 ||
            (node->ints[0] & 3) + (node->ints[1] & 3) != 5 || node->ints[0] == node->ints[1])
            return FAIL(l, node, FG_ERR_UNSUPPORTED,
                        "is known over height and width only, keeping the dimensions");
        node->op = NN_GLOBALAVG;
        break;
    case NN_FLATTEN:
    case NN_SOFTMAX:
    case NN_CONCAT:
        rc = lower_axis(l, node, err);
        break;
    case NN_QUANTIZE:
        rc = read_quant(l, node, &node->quant, err);
        if (!rc)
            l->shapes[node->output] = *x;
        return rc;
    case NN_DEQUANTIZE:
        rc = lower_dequantise(l, node, err);
        break;
    default:
        break;
    }
    if (!rc && node->op == NN_FLATTEN && x->rank == 2)
        become_alias(l, node, node->inputs[0]);
    else if (!rc)
        rc = nn_node_infer(l->graph, node, l->shapes, NULL, err);
    return rc;
}

static fg_code lower_constant(lowering *l, nn_node *node, fg_error *err)
{
    nn_tensor *folded = NULL;
    fg_code rc = FG_OK;
    nn_graph *graph = l->graph;
    if (node->op == NN_DEQUANTIZE) {
        rc = dequantise_constant(l, node, err);
    } else {
        if (node->op == NN_RESHAPE || node->op == NN_SQUEEZE || node->op == NN_UNSQUEEZE)
            rc = view_dims(l, node, &graph->values[node->inputs[0]].constant->shape, err);
        if (!rc)
            rc = nn_constant_fold(graph, node, &folded, err);
        graph->values[node->output].constant = folded;
    }
    if (rc)
        return rc;
    l->folded += graph->values[node->output].constant->count;
    if (l->folded > NN_MAX_ELEMENTS)
        return FAIL(l, node, FG_ERR_LIMIT, "takes the constants over %d numbers", NN_MAX_ELEMENTS);
    graph->values[node->output].producer = -1;
    node->op = NN_REMOVED;
    return FG_OK;
}

static fg_code lower_one(lowering *l, nn_node *node, fg_error *err)
{
    fg_code rc = FG_OK;
    bool all_constant = true;
    if (node->input_count < 1)
        return FAIL(l, node, FG_ERR_MODEL, "has no input");
    for (int i = 0; i < node->input_count; i++) {
        int value = node->inputs[i] = resolve(l, node->inputs[i]);
        if (value < 0 && i > 0)
            continue;
        if (value < 0)
            return FAIL(l, node, FG_ERR_MODEL, "lacks its first input");
        const nn_value *v = &l->graph->values[value];
        if (!v->constant && v->producer < 0 && value != l->graph->input)
            return FAIL(l, node, FG_ERR_MODEL, "reads '%.60s', which nothing writes", v->name);
        all_constant = all_constant && v->constant;
        const bool weights = i == 1 && (node->op == NN_CONV || node->op == NN_GEMM || node->op == NN_MATMUL);
        if (v->constant && !weights)
            rc = widen(l, node, value, err);
        if (rc)
            return rc;
    }
    if (node->op == NN_RESHAPE || node->op == NN_SQUEEZE || node->op == NN_UNSQUEEZE ||
        node->op == NN_TRANSPOSE || node->op == NN_REDUCEMEAN) {
        rc = take_ints(l, node, err);
        if (rc)
            return rc;
    }
    if (all_constant)
        return lower_constant(l, node, err);
    const nn_value *first = &l->graph->values[node->inputs[0]];
    bool arithmetic = node->op == NN_ADD || node->op == NN_SUB || node->op == NN_MUL || node->op == NN_DIV;
    if (first->constant && !arithmetic)
        return FAIL(l, node, FG_ERR_UNSUPPORTED, "has a constant where data is expected");
    for (int i = 1; node->op == NN_CONCAT && i < node->input_count; i++) {
        if (node->inputs[i] < 0 || l->graph->values[node->inputs[i]].constant)
            return FAIL(l, node, FG_ERR_UNSUPPORTED, "joins constants and data");
    }
    return lower_node(l, node, err);
}

fg_code nn_graph_lower(nn_graph *graph, int height, int width, fg_error *err)
{
    lowering l = {.graph = graph};
    fg_code rc = FG_OK;
    if (graph->input < 0 || graph->output_count < 1)
        return FG_FAIL(err, FG_ERR_MODEL, "%s: a network without input or output", graph->path);
    rc = nn_graph_sort(graph, err);
    if (rc)
        return rc;
    l.shapes = calloc((size_t)graph->value_count, sizeof *l.shapes);
    l.alias = malloc((size_t)graph->value_count * sizeof *l.alias);
    if (!l.shapes || !l.alias) {
        rc = FG_FAIL(err, FG_ERR_MEMORY, "%s: out of memory", graph->path);
        goto done;
    }
    for (int i = 0; i < graph->value_count; i++)
        l.alias[i] = -1;
    l.shapes[graph->input] = (nn_shape){4, {1, graph->input_dims[1], height, width}};
    size_t count = 0;
    rc = nn_shape_count(&l.shapes[graph->input], &count, graph->path, err);
    for (int i = 0; i < graph->node_count && !rc; i++)
        rc = lower_one(&l, graph->nodes[i], err);
    if (rc)
        goto done;
    for (int o = 0; o < graph->output_count; o++) {
        int value = graph->outputs[o] = resolve(&l, graph->outputs[o]);
        if (graph->values[value].producer < 0 || l.shapes[value].rank > 4) {
            rc = FG_FAIL(err, FG_ERR_UNSUPPORTED, "%s: output '%s' is not computed from the input",
                         graph->path, graph->output_names[o]);
            goto done;
        }
    }
    rc = nn_graph_sort(graph, err);
    for (int i = 0; i < graph->node_count && !rc; i++) {
        if (graph->nodes[i]->op >= NN_CANONICAL_COUNT)
            rc = nn_node_fail(graph, graph->nodes[i], err, FG_ERR_UNSUPPORTED,
                              "is an output or feeds an operator that is not DequantizeLinear");
    }
done:
    for (int i = 0; i < graph->value_count; i++) {
        nn_value *v = &graph->values[i];
        nn_tensor_free(v->constant);
        v->constant = NULL;
        v->q = v->q_scale = NULL;
    }
    free(l.shapes);
    free(l.alias);
    return rc;
}
