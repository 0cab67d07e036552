/* Small ONNX models made at test time, and the plain C that says what they should compute . */
#ifndef FG_TESTS_ONNX_MODEL_H
#define FG_TESTS_ONNX_MODEL_H

#include "onnx.pb-c.h"

#include <assert.h>
#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OM_MOST = 96 };

typedef struct om_model {
    Onnx__ModelProto proto;
    Onnx__GraphProto graph;
    Onnx__OperatorSetIdProto opset;
    Onnx__OperatorSetIdProto *opsets[1];
    Onnx__NodeProto *nodes[OM_MOST];
    Onnx__TensorProto *tensors[OM_MOST];
    Onnx__ValueInfoProto *inputs[4];
    Onnx__ValueInfoProto *outputs[12];
    void *owned[4096];
    int owned_count;
} om_model;

static inline void *om_own(om_model *m, size_t bytes)
{
    assert(m->owned_count < 4096);
    void *p = calloc(1, bytes + 1);
    assert(p);
    return m->owned[m->owned_count++] = p;
}

static inline char *om_text(om_model *m, const char *text)
{
    char *copy = om_own(m, strlen(text));
    strcpy(copy, text);
    return copy;
}

static inline Onnx__ValueInfoProto *om_value(om_model *m, const char *name, const int64_t *dims, int rank)
{
    Onnx__ValueInfoProto *v = om_own(m, sizeof *v);
    onnx__value_info_proto__init(v);
    v->name = om_text(m, name);
    if (!rank)
        return v;
    v->type = om_own(m, sizeof *v->type);
    onnx__type_proto__init(v->type);
    v->type->value_case = ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE;
    Onnx__TypeProto__Tensor *t = v->type->tensor_type = om_own(m, sizeof *t);
    onnx__type_proto__tensor__init(t);
    t->has_elem_type = 1;
    t->elem_type = 1;
    t->shape = om_own(m, sizeof *t->shape);
    onnx__tensor_shape_proto__init(t->shape);
    t->shape->n_dim = (size_t)rank;
    t->shape->dim = om_own(m, (size_t)rank * sizeof(void *));
    for (int d = 0; d < rank; d++) {
        Onnx__TensorShapeProto__Dimension *dim = t->shape->dim[d] = om_own(m, sizeof *dim);
        onnx__tensor_shape_proto__dimension__init(dim);
        dim->value_case = dims[d] ? ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE
                                  : ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM;
        if (dims[d])
            dim->dim_value = dims[d];
        else
            dim->dim_param = om_text(m, "any");
    }
    return v;
}

/* Input "x": any batch, h x w (0: any). */
static inline om_model *om_new(int channels, int h, int w, int opset)
{
    om_model *m = calloc(1, sizeof *m);
    assert(m);
    onnx__model_proto__init(&m->proto);
    onnx__graph_proto__init(&m->graph);
    onnx__operator_set_id_proto__init(&m->opset);
    m->proto.has_ir_version = 1;
    m->proto.ir_version = 7;
    m->proto.graph = &m->graph;
    m->opset.has_version = 1;
    m->opset.version = opset;
    m->opsets[0] = &m->opset;
    m->proto.opset_import = m->opsets;
    m->proto.n_opset_import = 1;
    m->graph.name = om_text(m, "test");
    m->graph.node = m->nodes;
    m->graph.initializer = m->tensors;
    m->graph.input = m->inputs;
    m->graph.output = m->outputs;
    m->inputs[m->graph.n_input++] = om_value(m, "x", (int64_t[]){0, channels, h, w}, 4);
    return m;
}

static inline void om_free(om_model *m)
{
    for (int i = 0; i < m->owned_count; i++)
        free(m->owned[i]);
    free(m);
}

static inline void om_output(om_model *m, const char *name)
{
    m->outputs[m->graph.n_output++] = om_value(m, name, NULL, 0);
}

static inline Onnx__TensorProto *om_tensor(om_model *m, const char *name, int type, const void *data,
                                           size_t bytes, int rank, const int64_t *dims)
{
    Onnx__TensorProto *t = om_own(m, sizeof *t);
    assert(m->graph.n_initializer < OM_MOST);
    m->tensors[m->graph.n_initializer++] = t;
    onnx__tensor_proto__init(t);
    t->name = om_text(m, name);
    t->has_data_type = 1;
    t->data_type = type;
    t->n_dims = (size_t)rank;
    t->dims = om_own(m, (size_t)rank * sizeof(int64_t));
    memcpy(t->dims, dims, (size_t)rank * sizeof(int64_t));
    t->has_raw_data = 1;
    t->raw_data.len = bytes;
    t->raw_data.data = om_own(m, bytes);
    memcpy(t->raw_data.data, data, bytes);
    return t;
}

/* dims: as many as rank says, 1..4. */
static inline void om_floats(om_model *m, const char *name, const float *data, int rank, int a, int b, int c,
                             int d)
{
    int64_t dims[4] = {a, b, c, d};
    size_t count = 1;
    for (int i = 0; i < rank; i++)
        count *= (size_t)dims[i];
    om_tensor(m, name, 1, data, count * sizeof(float), rank, dims);
}

static inline void om_integers(om_model *m, const char *name, int count, const int64_t *data)
{
    om_tensor(m, name, 7, data, (size_t)count * sizeof(int64_t), 1, (int64_t[]){count});
}

/* inputs: names with spaces between; "-" is one that is left out. The output has the node's name. */
static inline Onnx__NodeProto *om_node(om_model *m, const char *type, const char *name, const char *inputs)
{
    Onnx__NodeProto *n = om_own(m, sizeof *n);
    char *copy = om_text(m, inputs);
    char *rest = NULL;
    assert(m->graph.n_node < OM_MOST);
    m->nodes[m->graph.n_node++] = n;
    onnx__node_proto__init(n);
    n->op_type = om_text(m, type);
    n->name = om_text(m, name);
    n->input = om_own(m, 64 * sizeof(char *));
    for (char *word = strtok_r(copy, " ", &rest); word; word = strtok_r(NULL, " ", &rest))
        n->input[n->n_input++] = strcmp(word, "-") == 0 ? om_text(m, "") : word;
    n->output = om_own(m, sizeof(char *));
    n->output[n->n_output++] = n->name;
    n->attribute = om_own(m, 16 * sizeof(void *));
    return n;
}

static inline Onnx__AttributeProto *om_attribute(om_model *m, Onnx__NodeProto *n, const char *name)
{
    Onnx__AttributeProto *a = om_own(m, sizeof *a);
    onnx__attribute_proto__init(a);
    a->name = om_text(m, name);
    n->attribute[n->n_attribute++] = a;
    return a;
}

static inline void om_int(om_model *m, Onnx__NodeProto *n, const char *name, int64_t value)
{
    Onnx__AttributeProto *a = om_attribute(m, n, name);
    a->has_i = 1;
    a->i = value;
}

static inline void om_float(om_model *m, Onnx__NodeProto *n, const char *name, float value)
{
    Onnx__AttributeProto *a = om_attribute(m, n, name);
    a->has_f = 1;
    a->f = value;
}

static inline void om_ints(om_model *m, Onnx__NodeProto *n, const char *name, int count, ...)
{
    Onnx__AttributeProto *a = om_attribute(m, n, name);
    va_list args;
    a->ints = om_own(m, (size_t)count * sizeof(int64_t));
    a->n_ints = (size_t)count;
    va_start(args, count);
    for (int i = 0; i < count; i++)
        a->ints[i] = va_arg(args, int);
    va_end(args);
}

/* Numbers in -1..1 that are the same on every machine. */
static inline float *om_random(om_model *m, size_t count, unsigned seed)
{
    float *p = om_own(m, count * sizeof *p);
    unsigned state = seed * 2654435761u + 12345u;
    for (size_t i = 0; i < count; i++) {
        state = state * 1664525u + 1013904223u;
        p[i] = (float)(int)(state >> 8) / 8388608.0f - 1.0f;
    }
    return p;
}

/* Serialised, to a file and (to be freed) to *bytes, either of which may be NULL. */
static inline size_t om_save(om_model *m, const char *path, uint8_t **bytes)
{
    size_t size = onnx__model_proto__get_packed_size(&m->proto);
    uint8_t *data = malloc(size);
    assert(data);
    onnx__model_proto__pack(&m->proto, data);
    if (path) {
        FILE *f = fopen(path, "wb");
        assert(f && fwrite(data, 1, size, f) == size);
        fclose(f);
    }
    if (bytes)
        *bytes = data;
    else
        free(data);
    return size;
}

/* What should come out, computed in double by the definition. Images are N C H W. */
typedef struct om_image {
    int n, c, h, w;
    double *v;
} om_image;

static inline om_image om_image_new(om_model *m, int n, int c, int h, int w)
{
    return (om_image){n, c, h, w, om_own(m, (size_t)n * (size_t)c * (size_t)h * (size_t)w * sizeof(double))};
}

static inline size_t om_count(const om_image *i)
{
    return (size_t)i->n * (size_t)i->c * (size_t)i->h * (size_t)i->w;
}

static inline double *om_at(const om_image *i, int n, int c, int y, int x)
{
    return &i->v[(((size_t)n * (size_t)i->c + (size_t)c) * (size_t)i->h + (size_t)y) * (size_t)i->w +
                 (size_t)x];
}

typedef struct om_window {
    int k[2], stride[2], begin[2], end[2], dilation[2];
} om_window;

static inline om_image om_conv(om_model *m, om_image in, const float *weights, const float *bias, int outputs,
                               int groups, om_window q)
{
    int oh = (in.h + q.begin[0] + q.end[0] - (q.k[0] - 1) * q.dilation[0] - 1) / q.stride[0] + 1;
    int ow = (in.w + q.begin[1] + q.end[1] - (q.k[1] - 1) * q.dilation[1] - 1) / q.stride[1] + 1;
    om_image out = om_image_new(m, in.n, outputs, oh, ow);
    int ig = in.c / groups;
    for (int n = 0; n < in.n; n++)
        for (int o = 0; o < outputs; o++)
            for (int y = 0; y < oh; y++)
                for (int x = 0; x < ow; x++) {
                    double sum = bias ? (double)bias[o] : 0.0;
                    for (int i = 0; i < ig; i++)
                        for (int ky = 0; ky < q.k[0]; ky++)
                            for (int kx = 0; kx < q.k[1]; kx++) {
                                int sy = y * q.stride[0] - q.begin[0] + ky * q.dilation[0];
                                int sx = x * q.stride[1] - q.begin[1] + kx * q.dilation[1];
                                if (sy < 0 || sx < 0 || sy >= in.h || sx >= in.w)
                                    continue;
                                int c = o / (outputs / groups) * ig + i;
                                sum += *om_at(&in, n, c, sy, sx) *
                                       (double)weights[((o * ig + i) * q.k[0] + ky) * q.k[1] + kx];
                            }
                    *om_at(&out, n, o, y, x) = sum;
                }
    return out;
}

/* kind: 'm' maximum, 'a' average without padding, 'p' average with it. */
static inline om_image om_pool(om_model *m, om_image in, char kind, bool ceil_mode, om_window q)
{
    int size[2] = {in.h, in.w};
    int out_size[2];
    for (int d = 0; d < 2; d++) {
        int room = size[d] + q.begin[d] + q.end[d] - q.k[d];
        out_size[d] = (ceil_mode ? (room + q.stride[d] - 1) / q.stride[d] : room / q.stride[d]) + 1;
        if (ceil_mode && (out_size[d] - 1) * q.stride[d] >= size[d] + q.begin[d])
            out_size[d]--;
    }
    om_image out = om_image_new(m, in.n, in.c, out_size[0], out_size[1]);
    for (int n = 0; n < in.n; n++)
        for (int c = 0; c < in.c; c++)
            for (int y = 0; y < out.h; y++)
                for (int x = 0; x < out.w; x++) {
                    double sum = 0.0;
                    double top = -1e300;
                    int count = 0;
                    for (int ky = 0; ky < q.k[0]; ky++)
                        for (int kx = 0; kx < q.k[1]; kx++) {
                            int sy = y * q.stride[0] - q.begin[0] + ky;
                            int sx = x * q.stride[1] - q.begin[1] + kx;
                            if (sy < 0 || sx < 0 || sy >= in.h || sx >= in.w)
                                continue;
                            double v = *om_at(&in, n, c, sy, sx);
                            sum += v;
                            top = v > top ? v : top;
                            count++;
                        }
                    *om_at(&out, n, c, y, x) =
                        kind == 'm' ? top : sum / (kind == 'p' ? q.k[0] * q.k[1] : count);
                }
    return out;
}

/* x * scale + shift per channel; either may be NULL. */
static inline void om_affine(om_image *i, const float *scale, const float *shift)
{
    size_t area = (size_t)i->h * (size_t)i->w;
    for (size_t k = 0; k < om_count(i); k++) {
        size_t c = k / area % (size_t)i->c;
        i->v[k] = i->v[k] * (scale ? (double)scale[c] : 1.0) + (shift ? (double)shift[c] : 0.0);
    }
}

static inline void om_prelu(om_image *i, const float *slope, float same)
{
    size_t area = (size_t)i->h * (size_t)i->w;
    for (size_t k = 0; k < om_count(i); k++) {
        double a = slope ? (double)slope[k / area % (size_t)i->c] : (double)same;
        i->v[k] = i->v[k] > 0.0 ? i->v[k] : i->v[k] * a;
    }
}

static inline om_image om_dense(om_model *m, om_image in, const float *weights, const float *bias,
                                int outputs)
{
    om_image flat = {in.n, in.c * in.h * in.w, 1, 1, in.v};
    return om_conv(m, flat, weights, bias, outputs, 1, (om_window){{1, 1}, {1, 1}, {0}, {0}, {1, 1}});
}

static inline void om_softmax(om_image *i)
{
    for (int n = 0; n < i->n; n++)
        for (int y = 0; y < i->h; y++)
            for (int x = 0; x < i->w; x++) {
                double sum = 0.0;
                for (int c = 0; c < i->c; c++)
                    sum += exp(*om_at(i, n, c, y, x));
                for (int c = 0; c < i->c; c++)
                    *om_at(i, n, c, y, x) = exp(*om_at(i, n, c, y, x)) / sum;
            }
}

#endif
