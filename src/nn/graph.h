/* A network in memory, independent of the file format it came from and of the library that runs it.
 *
 * A front end (onnx.c, openvino_ir.c) fills the graph with nodes in its own order. nn_graph_lower sorts them,
 * folds constants and rewrites every node into one of the few canonical operators; nn_graph_fuse then merges
 * neighbours. After that only canonical operators are left, in an order of execution, and nn_graph_infer
 * gives the shapes for any input size.
 *
 * Everything here may come from a hostile file: dimensions are ints in 1..NN_MAX_DIM, products are checked,
 * and a tensor has at most NN_MAX_ELEMENTS numbers. */
#ifndef FG_NN_GRAPH_H
#define FG_NN_GRAPH_H

#include "base/error.h"
#include "base/limits.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    NN_MAX_DIM = 1 << 24,
    NN_MAX_ELEMENTS = 1 << 28, /* of one tensor, constant or not */
    NN_MAX_INPUTS = 64,        /* of one node */
    NN_MAX_VALUES = 8 * FG_MAX_MODEL_NODES,
    NN_LANES = 16, /* per-channel parameters are padded with zeros to a multiple of it */
};

typedef enum nn_dtype { NN_F32, NN_I64, NN_I8, NN_U8, NN_BF16 } nn_dtype; /* BF16 only while running */

typedef struct nn_shape {
    int rank;
    int dims[FG_MAX_MODEL_DIMS];
} nn_shape;

typedef struct nn_tensor {
    nn_dtype dtype; /* FLOAT16, BFLOAT16 and DOUBLE are widened or narrowed to F32 at load, integers but bytes
                       to I64 */
    nn_shape shape;
    size_t count;
    union {
        void *data; /* owned */
        float *f32;
        int64_t *i64;
        int8_t *i8;
        uint8_t *u8;
    };
} nn_tensor;

typedef enum nn_op {
    /* canonical: what nn_graph_lower leaves */
    NN_CONV,   /* weights O x I/groups x KH x KW, bias O */
    NN_DENSE,  /* weights O x K, bias O; input N x K */
    NN_PRELU,  /* slope per channel */
    NN_AFFINE, /* x * scale + shift, per channel */
    NN_RELU,   /* alpha: slope below zero */
    NN_SIGMOID,
    NN_CLIP, /* alpha..beta */
    NN_MAXPOOL,
    NN_AVGPOOL,
    NN_GLOBALAVG, /* N x C x H x W to N x C x 1 x 1 */
    NN_ADD,       /* two tensors of one shape, or the second N x C x 1 x 1 */
    NN_MUL,
    NN_SOFTMAX,   /* over the channels */
    NN_CONCAT,    /* of channels */
    NN_FLATTEN,   /* N x C x H x W to N x CHW */
    NN_UNFLATTEN, /* N x C to N x C x 1 x 1 */
    NN_FAKEQUANT, /* QuantizeLinear followed by DequantizeLinear: rounds to the steps of an 8-bit integer */
    /* only as read from a file */
    NN_CANONICAL_COUNT,
    NN_SUB = NN_CANONICAL_COUNT,
    NN_DIV,
    NN_BATCHNORM,
    NN_GEMM,
    NN_MATMUL,
    NN_RESHAPE,
    NN_SQUEEZE,
    NN_UNSQUEEZE,
    NN_TRANSPOSE,
    NN_IDENTITY,
    NN_CAST,
    NN_CONSTANT,
    NN_REDUCEMEAN,
    NN_QUANTIZE,
    NN_DEQUANTIZE,
    NN_REMOVED,
} nn_op;

typedef enum nn_autopad { NN_PAD_EXPLICIT, NN_PAD_VALID, NN_PAD_SAME_UPPER, NN_PAD_SAME_LOWER } nn_autopad;

typedef struct nn_window { /* index 0: height, 1: width */
    int kernel[2], stride[2], dilation[2], begin[2], end[2];
    nn_autopad autopad;
    bool ceil;      /* the number of outputs is rounded up */
    bool count_pad; /* an average counts the padding too */
} nn_window;

typedef enum nn_act { NN_ACT_NONE, NN_ACT_RELU, NN_ACT_SIGMOID, NN_ACT_CLIP } nn_act;

typedef struct nn_quant { /* real = (q - zero) * scale */
    float scale;
    int zero;
    int low, high; /* of q: -128..127 or 0..255 */
} nn_quant;

typedef struct nn_node {
    nn_op op;
    char *name; /* owned */
    char *type; /* owned; the operator's name in the file, for messages */
    int inputs[NN_MAX_INPUTS];
    int input_count;
    int output; /* a value */

    nn_window window;
    int groups; /* 0 as read from an IR GroupConvolution: the weights have a fifth dimension, first */
    int axis;
    bool has_axis;
    nn_dtype to; /* NN_CAST */
    bool has_to;
    float alpha, beta;
    bool has_low, has_high; /* Clip's limits are in alpha and beta */
    float epsilon;
    bool trans_a, trans_b, keep_dims;
    bool coerced;                    /* softmax over everything behind the axis: ONNX before opset 13 */
    int64_t ints[FG_MAX_MODEL_DIMS]; /* perm, axes, shape */
    int int_count;
    bool has_ints;
    bool zero_copies; /* Reshape: 0 keeps the dimension */

    /* canonical nodes; owned */
    float *weights; /* NULL where q_weights hold them, see nn_node_widen */
    size_t weight_count;
    int weight_dims[4]; /* of NN_CONV; NN_DENSE uses the first two */
    float *bias;        /* O numbers padded to NN_LANES; NN_PRELU: the slopes; NN_AFFINE: the shifts */
    float *scale;       /* NN_AFFINE */
    int channels;       /* numbers in bias and scale that count */
    int residual;       /* NN_CONV and NN_DENSE: a value added before the activation; -1 */
    nn_act act;         /* NN_CONV and NN_DENSE: after bias and residual; alpha and beta are its parameters */
    nn_quant quant;     /* NN_FAKEQUANT */
    int8_t *q_weights;  /* NN_CONV and NN_DENSE whose weights came as 8-bit integers: symmetric ... */
    float *q_scale;     /* ... with one scale per output channel */
} nn_node;

typedef struct nn_value {
    char *name;          /* owned; "" for values the front end has no name for */
    nn_tensor *constant; /* owned; NULL if it is computed */
    int producer;        /* node, or -1 */
    /* Of a constant that came from DequantizeLinear, symmetric and with one scale or one for each of its
     * first dimension: the integers and the scales, borrowed from other values. Its data is NULL until
     * somebody needs floats, who are four times as many bytes and mostly nobody. */
    const nn_tensor *q, *q_scale;
} nn_value;

typedef struct nn_graph {
    const char *path; /* for messages; borrowed */
    nn_node **nodes;  /* owned */
    int node_count, node_capacity;
    nn_value *values; /* owned */
    int value_count, value_capacity;
    int *buckets; /* hash of names */
    int bucket_count;
    int input;         /* value, -1 until set */
    int input_dims[4]; /* N C H W as the file says; 0 where it leaves them open */
    int outputs[8];
    char output_names[8][64];
    int output_count;
    bool prelu_by_channel; /* a one-dimensional slope belongs to the channels (IR) and not to the last
                              dimension (ONNX) */
} nn_graph;

void nn_graph_init(nn_graph *graph, const char *path);
void nn_graph_deinit(nn_graph *graph);
/* The value of that name, made if it is new. */
fg_code nn_graph_value(nn_graph *graph, const char *name, int *value, fg_error *err) FG_MUST_CHECK;
/* A value without a name. */
fg_code nn_graph_value_new(nn_graph *graph, int *value, fg_error *err) FG_MUST_CHECK;
/* The graph owns the node, which has no inputs and no output yet. */
fg_code nn_graph_node(nn_graph *graph, nn_op op, const char *type, const char *name, nn_node **node,
                      fg_error *err) FG_MUST_CHECK;
fg_code nn_graph_input(nn_graph *graph, nn_node *node, int value, fg_error *err) FG_MUST_CHECK;
fg_code nn_graph_output(nn_graph *graph, int node_index, int value, fg_error *err) FG_MUST_CHECK;
void nn_node_free(nn_node *node);

/* dims: file's own, not yet checked. data is allocated, not filled. */
fg_code nn_tensor_new(nn_tensor **tensor, nn_dtype dtype, const int64_t *dims, size_t rank, const char *what,
                      fg_error *err) FG_MUST_CHECK;
void nn_tensor_free(nn_tensor *tensor);

/* Integers times their scales, one for each rows-th part of them. */
void nn_widen(float *out, const int8_t *q, size_t count, const float *scales, size_t rows);
/* The floats of a node that has but integers; nothing to do for others. */
fg_code nn_node_widen(const nn_graph *graph, nn_node *node, fg_error *err) FG_MUST_CHECK;

/* count numbers, zeroed and padded to NN_LANES. */
float *nn_lanes_new(size_t count);
/* Product of the dims; FG_ERR_LIMIT above NN_MAX_ELEMENTS. */
fg_code nn_shape_count(const nn_shape *shape, size_t *count, const char *what, fg_error *err) FG_MUST_CHECK;
bool nn_shape_equal(const nn_shape *a, const nn_shape *b);

/* Output size and padding of a window over an input of size in (one of the two dimensions, d). Also of ceil
 * mode, where the padding behind is what makes the last window fit; FG_ERR_MODEL if no output is left. */
fg_code nn_window_resolve(const nn_window *window, int d, int in, int *out, int *begin, int *end,
                          const nn_node *node, fg_error *err) FG_MUST_CHECK;
/* Shape of a canonical node's output; shapes holds those of its inputs. macs may be NULL. */
fg_code nn_node_infer(const nn_graph *graph, const nn_node *node, nn_shape *shapes, uint64_t *macs,
                      fg_error *err) FG_MUST_CHECK;
/* All shapes of a lowered graph; shapes has value_count entries. */
fg_code nn_graph_infer(const nn_graph *graph, int batch, int height, int width, nn_shape *shapes,
                       uint64_t *macs, fg_error *err) FG_MUST_CHECK;

/* height, width: a size that the network takes. */
fg_code nn_graph_lower(nn_graph *graph, int height, int width, fg_error *err) FG_MUST_CHECK;
/* Merges neighbours: per-channel factors into weights, activations and residual sums into the operator
 * before. */
fg_code nn_graph_fuse(nn_graph *graph, int height, int width, fg_error *err) FG_MUST_CHECK;
/* Drops nodes that no output needs and sorts the others; FG_ERR_MODEL if they form a cycle. */
fg_code nn_graph_sort(nn_graph *graph, fg_error *err) FG_MUST_CHECK;

/* Constant folding (constant.c): nodes all of whose inputs are constants. FG_ERR_UNSUPPORTED for an operator
 * that is not folded. */
fg_code nn_constant_fold(nn_graph *graph, const nn_node *node, nn_tensor **result,
                         fg_error *err) FG_MUST_CHECK;

/* Front ends. size bytes of a whole file; the graph comes initialised. */
fg_code nn_onnx_read(nn_graph *graph, const uint8_t *data, size_t size, fg_error *err) FG_MUST_CHECK;
/* weights: the .bin file, or nothing. */
fg_code nn_ir_read(nn_graph *graph, const uint8_t *xml, size_t xml_size, const uint8_t *weights,
                   size_t weights_size, fg_error *err) FG_MUST_CHECK;

/* "conv 'conv1' in p.onnx", for messages about a node. */
fg_code nn_node_fail(const nn_graph *graph, const nn_node *node, fg_error *err, fg_code code, const char *fmt,
                     ...) FG_PRINTF(5, 6);

#endif
