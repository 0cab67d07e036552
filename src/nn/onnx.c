/* ONNX (onnx.ai, IR versions 3..8): the protobuf is unpacked by protobuf-c from the onnx.proto that ONNX
 * itself ships. */
#include "base/half.h"
#include "nn/graph.h"
#include "nn/proto_guard.h"

#include "onnx.pb-c.h"

#include <stdlib.h>
#include <string.h>

/* TensorProto.DataType */
enum {
    T_FLOAT = 1,
    T_UINT8 = 2,
    T_INT8 = 3,
    T_INT32 = 6,
    T_INT64 = 7,
    T_BOOL = 9,
    T_FLOAT16 = 10,
    T_DOUBLE = 11,
    T_BFLOAT16 = 16
};

static const struct {
    const char *name;
    nn_op op;
    int max_inputs;
} operators[] = {
    {"Add", NN_ADD, 2},
    {"AveragePool", NN_AVGPOOL, 1},
    {"BatchNormalization", NN_BATCHNORM, 5},
    {"Cast", NN_CAST, 1},
    {"Clip", NN_CLIP, 3},
    {"Concat", NN_CONCAT, NN_MAX_INPUTS},
    {"Constant", NN_CONSTANT, 0},
    {"Conv", NN_CONV, 3},
    {"DequantizeLinear", NN_DEQUANTIZE, 3},
    {"Div", NN_DIV, 2},
    {"Dropout", NN_IDENTITY, 3},
    {"Flatten", NN_FLATTEN, 1},
    {"Gemm", NN_GEMM, 3},
    {"GlobalAveragePool", NN_GLOBALAVG, 1},
    {"Identity", NN_IDENTITY, 1},
    {"LeakyRelu", NN_RELU, 1},
    {"MatMul", NN_MATMUL, 2},
    {"MaxPool", NN_MAXPOOL, 1},
    {"Mul", NN_MUL, 2},
    {"PRelu", NN_PRELU, 2},
    {"QuantizeLinear", NN_QUANTIZE, 3},
    {"ReduceMean", NN_REDUCEMEAN, 2},
    {"Relu", NN_RELU, 1},
    {"Reshape", NN_RESHAPE, 2},
    {"Sigmoid", NN_SIGMOID, 1},
    {"Softmax", NN_SOFTMAX, 1},
    {"Squeeze", NN_SQUEEZE, 2},
    {"Sub", NN_SUB, 2},
    {"Transpose", NN_TRANSPOSE, 1},
    {"Unsqueeze", NN_UNSQUEEZE, 2},
};

static const char *text(const char *s)
{
    return s ? s : "";
}

static size_t element_size(int32_t type)
{
    switch (type) {
    case T_FLOAT:
    case T_INT32:
        return 4;
    case T_UINT8:
    case T_INT8:
    case T_BOOL:
        return 1;
    case T_INT64:
    case T_DOUBLE:
        return 8;
    case T_FLOAT16:
    case T_BFLOAT16:
        return 2;
    default:
        return 0;
    }
}

/* ONNX keeps numbers little-endian. */
static uint64_t little(const uint8_t *p, size_t bytes)
{
    uint64_t v = 0;
    for (size_t i = bytes; i-- > 0;)
        v = v << 8 | p[i];
    return v;
}

static float float_of_bits(uint32_t bits)
{
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

static void store_raw(nn_tensor *t, size_t i, int32_t type, uint64_t bits)
{
    double d;
    switch (type) {
    case T_FLOAT:
        t->f32[i] = float_of_bits((uint32_t)bits);
        break;
    case T_FLOAT16:
        t->f32[i] = fg_half_to_float((uint16_t)bits);
        break;
    case T_BFLOAT16:
        t->f32[i] = float_of_bits((uint32_t)bits << 16);
        break;
    case T_DOUBLE:
        memcpy(&d, &bits, sizeof d);
        t->f32[i] = (float)d;
        break;
    case T_INT32:
        t->i64[i] = (int32_t)(uint32_t)bits;
        break;
    case T_INT64:
        t->i64[i] = (int64_t)bits;
        break;
    default: /* UINT8, INT8, BOOL */
        t->u8[i] = (uint8_t)bits;
        break;
    }
}

static fg_code read_tensor(const nn_graph *graph, const Onnx__TensorProto *proto, nn_tensor **tensor,
                           fg_error *err)
{
    int32_t type = proto->data_type;
    size_t size = element_size(type);
    const char *name = text(proto->name);
    *tensor = NULL;
    if (!size)
        return FG_FAIL(err, FG_ERR_UNSUPPORTED, "%s: tensor '%.60s' has the unknown type %d", graph->path,
                       name, (int)type);
    if (proto->data_location == ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL || proto->n_external_data)
        return FG_FAIL(err, FG_ERR_UNSUPPORTED,
                       "%s: tensor '%.60s' lies in another file; save the model as one file", graph->path,
                       name);
    /* Which field holds the numbers depends on their type; see TensorProto in onnx.proto. */
    size_t have = proto->has_raw_data ? proto->raw_data.len / size
                  : type == T_FLOAT   ? proto->n_float_data
                  : type == T_DOUBLE  ? proto->n_double_data
                  : type == T_INT64   ? proto->n_int64_data
                                      : proto->n_int32_data;
    size_t want = 1;
    for (size_t d = 0; d < proto->n_dims; d++) {
        if (proto->dims[d] < 1 || proto->dims[d] > NN_MAX_DIM || want > have)
            return FG_FAIL(err, FG_ERR_MODEL,
                           "%s: tensor '%.60s' is damaged: its dimensions do not fit its data", graph->path,
                           name);
        want *= (size_t)proto->dims[d];
    }
    if (want != have || (proto->has_raw_data && proto->raw_data.len % size))
        return FG_FAIL(err, FG_ERR_MODEL, "%s: tensor '%.60s' is damaged: its dimensions do not fit its data",
                       graph->path, name);
    nn_dtype dtype = type == T_INT8                       ? NN_I8
                     : type == T_UINT8 || type == T_BOOL  ? NN_U8
                     : type == T_INT32 || type == T_INT64 ? NN_I64
                                                          : NN_F32;
    fg_code rc = nn_tensor_new(tensor, dtype, proto->dims, proto->n_dims, graph->path, err);
    if (rc)
        return rc;
    nn_tensor *t = *tensor;
    if (proto->has_raw_data && size == 1) {
        memcpy(t->u8, proto->raw_data.data, t->count);
        return FG_OK;
    }
    for (size_t i = 0; i < t->count; i++) {
        if (proto->has_raw_data)
            store_raw(t, i, type, little(proto->raw_data.data + i * size, size));
        else if (type == T_FLOAT)
            t->f32[i] = proto->float_data[i];
        else if (type == T_DOUBLE)
            t->f32[i] = (float)proto->double_data[i];
        else if (type == T_INT64)
            t->i64[i] = proto->int64_data[i];
        else
            store_raw(t, i, type, (uint32_t)proto->int32_data[i]);
    }
    return FG_OK;
}

static fg_code set_constant(nn_graph *graph, const char *name, const Onnx__TensorProto *proto, fg_error *err)
{
    int value = -1;
    fg_code rc = nn_graph_value(graph, name, &value, err);
    if (rc)
        return rc;
    nn_value *v = &graph->values[value];
    for (size_t d = 0; d < proto->n_dims; d++) {
        if (proto->dims[d] == 0)
            return FG_OK; /* no numbers: an optional argument that was left out, as Resize has them */
    }
    if (v->constant || v->producer >= 0)
        return FG_FAIL(err, FG_ERR_MODEL, "%s: tensor '%.60s' is given twice", graph->path, name);
    return read_tensor(graph, proto, &v->constant, err);
}

static fg_code take_pair(const nn_graph *graph, const nn_node *node, const Onnx__AttributeProto *a,
                         int pair[2], size_t at, fg_error *err)
{
    for (size_t d = 0; d < 2; d++) {
        int64_t v = at + d < a->n_ints ? a->ints[at + d] : -1;
        if (v < 0 || v > NN_MAX_DIM)
            return nn_node_fail(graph, node, err, FG_ERR_UNSUPPORTED, "has a '%.30s' that is not of an image",
                                text(a->name));
        pair[d] = (int)v;
    }
    return FG_OK;
}

static fg_code take_autopad(const nn_graph *graph, nn_node *node, const Onnx__AttributeProto *a,
                            fg_error *err)
{
    static const struct {
        const char *name;
        nn_autopad pad;
    } names[] = {{"NOTSET", NN_PAD_EXPLICIT},
                 {"VALID", NN_PAD_VALID},
                 {"SAME_UPPER", NN_PAD_SAME_UPPER},
                 {"SAME_LOWER", NN_PAD_SAME_LOWER}};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (a->s.len == strlen(names[i].name) && memcmp(a->s.data, names[i].name, a->s.len) == 0) {
            node->window.autopad = names[i].pad;
            return FG_OK;
        }
    }
    return nn_node_fail(graph, node, err, FG_ERR_MODEL, "has an unknown auto_pad");
}

static fg_code take_cast(const nn_graph *graph, nn_node *node, const Onnx__AttributeProto *a, fg_error *err)
{
    switch (a->i) {
    case T_FLOAT:
    case T_FLOAT16:
    case T_BFLOAT16:
    case T_DOUBLE:
        node->to = NN_F32;
        break;
    case T_INT32:
    case T_INT64:
        node->to = NN_I64;
        break;
    default:
        return nn_node_fail(graph, node, err, FG_ERR_UNSUPPORTED, "casts to the unknown type %lld",
                            (long long)a->i);
    }
    node->has_to = true;
    return FG_OK;
}

static fg_code take_ints(const nn_graph *graph, nn_node *node, const Onnx__AttributeProto *a, fg_error *err)
{
    if (a->n_ints > FG_MAX_MODEL_DIMS)
        return nn_node_fail(graph, node, err, FG_ERR_LIMIT, "has more than %d dimensions", FG_MAX_MODEL_DIMS);
    for (size_t i = 0; i < a->n_ints; i++)
        node->ints[i] = a->ints[i];
    node->int_count = (int)a->n_ints;
    node->has_ints = true;
    return FG_OK;
}

/* Attributes that training left behind or that do not change the result. */
static bool ignored(const char *name)
{
    static const char *const names[] = {"momentum", "ratio",           "seed",    "storage_order", "spatial",
                                        "is_test",  "consumed_inputs", "saturate"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(name, names[i]) == 0)
            return true;
    }
    return false;
}

static fg_code take_attribute(nn_graph *graph, nn_node *node, const Onnx__AttributeProto *a, fg_error *err)
{
    const char *name = text(a->name);
    nn_window *w = &node->window;
    fg_code rc = FG_OK;
    int64_t i = a->i;
#define IS(word) (strcmp(name, word) == 0)
    if (IS("kernel_shape"))
        rc = a->n_ints == 2 ? take_pair(graph, node, a, w->kernel, 0, err)
                            : take_pair(graph, node, a, w->kernel, 9, err);
    else if (IS("strides"))
        rc = take_pair(graph, node, a, w->stride, a->n_ints == 2 ? 0 : 9, err);
    else if (IS("dilations"))
        rc = take_pair(graph, node, a, w->dilation, a->n_ints == 2 ? 0 : 9, err);
    else if (IS("pads")) {
        rc = take_pair(graph, node, a, w->begin, a->n_ints == 4 ? 0 : 9, err);
        if (!rc)
            rc = take_pair(graph, node, a, w->end, 2, err);
    } else if (IS("auto_pad"))
        rc = take_autopad(graph, node, a, err);
    else if (IS("group"))
        node->groups = i >= 1 && i <= NN_MAX_DIM ? (int)i : -1;
    else if (IS("ceil_mode"))
        w->ceil = i != 0;
    else if (IS("count_include_pad"))
        w->count_pad = i != 0;
    else if (IS("axis")) {
        node->axis = i >= -FG_MAX_MODEL_DIMS && i <= FG_MAX_MODEL_DIMS ? (int)i : FG_MAX_MODEL_DIMS;
        node->has_axis = true;
    } else if (IS("alpha"))
        node->alpha = a->f;
    else if (IS("beta"))
        node->beta = a->f;
    else if (IS("epsilon"))
        node->epsilon = a->f;
    else if (IS("min")) {
        node->alpha = a->f;
        node->has_low = true;
    } else if (IS("max")) {
        node->beta = a->f;
        node->has_high = true;
    } else if (IS("transA"))
        node->trans_a = i != 0;
    else if (IS("transB"))
        node->trans_b = i != 0;
    else if (IS("keepdims"))
        node->keep_dims = i != 0;
    else if (IS("perm") || IS("axes") || IS("shape"))
        rc = take_ints(graph, node, a, err);
    else if (IS("allowzero"))
        node->zero_copies = i == 0;
    else if (IS("to"))
        rc = take_cast(graph, node, a, err);
    else if (IS("training_mode")) {
        if (i)
            rc = nn_node_fail(graph, node, err, FG_ERR_UNSUPPORTED,
                              "is in training mode; export the model for inference");
    } else if (!ignored(name))
        rc = nn_node_fail(graph, node, err, FG_ERR_UNSUPPORTED, "has the unknown attribute '%.40s'", name);
#undef IS
    return rc;
}

static void set_defaults(nn_node *node, int64_t opset, const char *type)
{
    nn_window *w = &node->window;
    w->stride[0] = w->stride[1] = w->dilation[0] = w->dilation[1] = 1;
    node->epsilon = 1e-5f;
    node->axis = node->op == NN_SOFTMAX && opset >= 13 ? -1 : 1;
    node->coerced = node->op == NN_SOFTMAX && opset < 13;
    node->keep_dims = true;
    node->zero_copies = true;
    node->alpha = node->op == NN_GEMM ? 1.0f : strcmp(type, "LeakyRelu") == 0 ? 0.01f : 0.0f;
    node->beta = 1.0f;
}

static fg_code read_constant(nn_graph *graph, const Onnx__NodeProto *proto, fg_error *err)
{
    if (proto->n_output != 1 || proto->n_attribute != 1 ||
        strcmp(text(proto->attribute[0]->name), "value") != 0 || !proto->attribute[0]->t)
        return FG_FAIL(err, FG_ERR_UNSUPPORTED,
                       "%s: operator Constant (node '%.60s') holds something other than one tensor",
                       graph->path, text(proto->name));
    return set_constant(graph, text(proto->output[0]), proto->attribute[0]->t, err);
}

static fg_code read_node(nn_graph *graph, const Onnx__NodeProto *proto, int64_t opset, fg_error *err)
{
    const char *type = text(proto->op_type);
    const char *name = text(proto->name);
    const char *domain = text(proto->domain);
    nn_op op = NN_REMOVED;
    int max_inputs = 0;
    nn_node *node = NULL;
    fg_code rc = FG_OK;
    if (!*name && proto->n_output)
        name = text(proto->output[0]);
    for (size_t i = 0; i < sizeof operators / sizeof operators[0]; i++) {
        if (strcmp(operators[i].name, type) == 0) {
            op = operators[i].op;
            max_inputs = operators[i].max_inputs;
        }
    }
    if (op == NN_REMOVED || (*domain && strcmp(domain, "ai.onnx") != 0))
        return FG_FAIL(err, FG_ERR_UNSUPPORTED, "%s: operator %.40s%s%.40s (node '%.60s') is not known",
                       graph->path, domain, *domain ? "." : "", type, name);
    if (op == NN_CONSTANT)
        return read_constant(graph, proto, err);
    rc = nn_graph_node(graph, op, type, name, &node, err);
    if (rc)
        return rc;
    int index = graph->node_count - 1;
    set_defaults(node, opset, type);
    for (size_t i = 0; i < proto->n_attribute && !rc; i++)
        rc = take_attribute(graph, node, proto->attribute[i], err);
    if (rc)
        return rc;
    if (proto->n_input > (size_t)max_inputs || proto->n_output < 1)
        return nn_node_fail(graph, node, err, FG_ERR_MODEL, "has %zu inputs and %zu outputs", proto->n_input,
                            proto->n_output);
    if (op == NN_CAST && !node->has_to)
        return nn_node_fail(graph, node, err, FG_ERR_MODEL, "does not say to which type");
    for (size_t i = 0; i < proto->n_input && !rc; i++) {
        int value = -1;
        if (*text(proto->input[i]))
            rc = nn_graph_value(graph, proto->input[i], &value, err);
        if (!rc && i == 0 && op == NN_IDENTITY) {
            rc = nn_graph_input(graph, node, value, err);
            break; /* Dropout's ratio and mode do not matter when nothing is trained */
        }
        if (!rc)
            rc = nn_graph_input(graph, node, value, err);
    }
    int output = -1;
    if (!rc)
        rc = nn_graph_value(graph, text(proto->output[0]), &output, err);
    return rc ? rc : nn_graph_output(graph, index, output, err);
}

static fg_code read_input(nn_graph *graph, const Onnx__ValueInfoProto *info, fg_error *err)
{
    int value = -1;
    fg_code rc = nn_graph_value(graph, text(info->name), &value, err);
    if (rc || graph->values[value].constant)
        return rc; /* before IR version 4, initialisers are inputs too */
    if (graph->input >= 0)
        return FG_FAIL(err, FG_ERR_UNSUPPORTED, "%s: more than one input ('%.60s')", graph->path,
                       text(info->name));
    const Onnx__TypeProto *type = info->type;
    const Onnx__TensorShapeProto *shape =
        type && type->value_case == ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE && type->tensor_type
            ? type->tensor_type->shape
            : NULL;
    if (!shape || type->tensor_type->elem_type != T_FLOAT || shape->n_dim != 4)
        return FG_FAIL(err, FG_ERR_UNSUPPORTED, "%s: input '%.60s' is not a float tensor of N x C x H x W",
                       graph->path, text(info->name));
    for (size_t d = 0; d < 4; d++) {
        const Onnx__TensorShapeProto__Dimension *dim = shape->dim[d];
        bool known =
            dim->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE && dim->dim_value > 0;
        if (known && dim->dim_value > NN_MAX_DIM)
            return FG_FAIL(err, FG_ERR_LIMIT, "%s: input '%.60s' is too large", graph->path,
                           text(info->name));
        graph->input_dims[d] = known ? (int)dim->dim_value : 0;
    }
    if (!graph->input_dims[1])
        return FG_FAIL(err, FG_ERR_UNSUPPORTED, "%s: input '%.60s' leaves its number of channels open",
                       graph->path, text(info->name));
    graph->input = value;
    return FG_OK;
}

static fg_code read_graph(nn_graph *graph, const Onnx__GraphProto *proto, int64_t opset, fg_error *err)
{
    fg_code rc = FG_OK;
    if (proto->n_sparse_initializer)
        return FG_FAIL(err, FG_ERR_UNSUPPORTED, "%s: sparse tensors are not known", graph->path);
    for (size_t i = 0; i < proto->n_initializer && !rc; i++)
        rc = set_constant(graph, text(proto->initializer[i]->name), proto->initializer[i], err);
    for (size_t i = 0; i < proto->n_input && !rc; i++)
        rc = read_input(graph, proto->input[i], err);
    for (size_t i = 0; i < proto->n_node && !rc; i++)
        rc = read_node(graph, proto->node[i], opset, err);
    if (!rc && proto->n_output > sizeof graph->outputs / sizeof graph->outputs[0])
        return FG_FAIL(err, FG_ERR_UNSUPPORTED, "%s: %zu outputs; at most 8 are known", graph->path,
                       proto->n_output);
    for (size_t i = 0; i < proto->n_output && !rc; i++) {
        const char *name = text(proto->output[i]->name);
        rc = nn_graph_value(graph, name, &graph->outputs[i], err);
        if (rc)
            break;
        strncat(graph->output_names[i], name, sizeof graph->output_names[i] - 1);
        graph->output_count++;
    }
    return rc;
}

fg_code nn_onnx_read(nn_graph *graph, const uint8_t *data, size_t size, fg_error *err)
{
    int64_t opset = 0;
    fg_code rc = nn_proto_check(data, size, graph->path, err);
    if (rc)
        return rc;
    Onnx__ModelProto *model = onnx__model_proto__unpack(NULL, size, data);
    if (!model)
        return FG_FAIL(err, FG_ERR_MODEL, "%s: not an ONNX model, or a damaged one; fetch it again",
                       graph->path);
    for (size_t i = 0; i < model->n_opset_import; i++) {
        const char *domain = text(model->opset_import[i]->domain);
        if (!*domain || strcmp(domain, "ai.onnx") == 0)
            opset = model->opset_import[i]->version;
    }
    if (!model->graph || opset < 1)
        rc = FG_FAIL(err, FG_ERR_MODEL, "%s: not an ONNX model, or a damaged one; fetch it again",
                     graph->path);
    else if (opset < 7 || opset > 17)
        rc = FG_FAIL(err, FG_ERR_UNSUPPORTED, "%s: ONNX operator set %lld; 7 to 17 are known", graph->path,
                     (long long)opset);
    else
        rc = read_graph(graph, model->graph, opset, err);
    onnx__model_proto__free_unpacked(model, NULL);
    return rc;
}
