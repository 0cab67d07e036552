/* How oneDNN runs a graph; shared by exec_onednn.c, plan.c, weights.c and layout.c.
 *
 * A plan is made for one input size: a list of steps (a oneDNN primitive or one of our kernels) over buffers
 * that lie in one block of memory, where those whose lifetimes do not meet share their place. Layouts are
 * oneDNN's own choice (format_tag_any) for convolutions and dense layers; everything else works in the layout
 * that it finds. */
#ifndef FG_NN_EXEC_H
#define FG_NN_EXEC_H

#include "nn/kernels.h"
#include "nn/nn.h"

#include <oneapi/dnnl/dnnl.h>

enum { NN_PLANS = 64, NN_STEP_ARGS = 6 };
#define NN_MAX_ARENA_BYTES (3ull << 30)
#define NN_MAX_MACS (1ull << 38)

/* Weights in the layout that a primitive wants. */
typedef struct nn_packed {
    int node;
    dnnl_memory_desc_t md;
    void *data; /* owned; NULL until made */
} nn_packed;

struct fg_net {
    nn_graph graph;
    fg_net_info info;
    dnnl_engine_t engine;
    nn_packed *packed; /* one a node; made while the network is opened and never changed after */
    bool sealed;
};

typedef enum nn_step_kind {
    NN_STEP_PRIMITIVE,
    NN_STEP_KERNEL,
    NN_STEP_QUANTISE,
    NN_STEP_DEQUANTISE,
    NN_STEP_BINARY,
    NN_STEP_BINARY_CHANNEL,
    NN_STEP_AVERAGE,
    NN_STEP_SOFTMAX,
    NN_STEP_CONCAT
} nn_step_kind;

typedef struct nn_step {
    nn_step_kind kind;
    const nn_node *node;
    dnnl_primitive_t primitive; /* owned */
    dnnl_exec_arg_t args[NN_STEP_ARGS];
    int arg_count;
    nn_layout layout;
    nn_dtype src_type, dst_type;
    nn_quant quant;     /* NN_STEP_QUANTISE and NN_STEP_DEQUANTISE */
    int src, src2, dst; /* buffers */
    int at, total;      /* NN_STEP_CONCAT: first channel, and all */
} nn_step;

typedef struct nn_buffer {
    size_t size, offset;
    int first, last; /* steps that use it */
    int values;      /* values living in it that somebody still reads; while the plan is made */
} nn_buffer;

enum {
    NN_BUFFER_INPUT,
    NN_BUFFER_SCRATCH,
    NN_BUFFER_FIRST
}; /* the caller's input; the primitives' scratchpad */

typedef struct nn_memory {
    dnnl_memory_t memory; /* owned */
    int buffer;           /* -1: fixed data, bound once */
} nn_memory;

typedef struct nn_plan {
    int batch, height, width;
    uint64_t used; /* for the choice of the plan to drop */
    nn_step *steps;
    int step_count, step_capacity;
    nn_buffer *buffers;
    int buffer_count, buffer_capacity;
    nn_memory *memories;
    int memory_count, memory_capacity;
    float **numbers; /* owned: biases on the scale of integer sums */
    int number_count;
    size_t arena_bytes;
    const uint8_t *bound;            /* arena that the memories point into */
    int outputs[FG_NET_MAX_OUTPUTS]; /* buffers */
    nn_shape output_shapes[FG_NET_MAX_OUTPUTS];
    uint64_t macs;
} nn_plan;

struct fg_net_run {
    fg_net *net; /* changed only until it is sealed */
    dnnl_stream_t stream;
    uint8_t *arena;
    size_t arena_bytes;
    nn_plan *plans[NN_PLANS];
    int plan_count;
    uint64_t clock;
    nn_packed *packed; /* weights in layouts that the net's own copy does not have */
    int packed_count;
};

/* layout.c */
fg_code nn_dnnl_fail(fg_error *err, dnnl_status_t status, const nn_graph *graph, const nn_node *node,
                     const char *what);
dnnl_data_type_t nn_dnnl_type(nn_dtype type);
nn_dtype nn_type_of(const dnnl_memory_desc_t *md);
dnnl_memory_desc_t nn_md(const nn_shape *shape, nn_dtype type, dnnl_format_tag_t tag);
dnnl_memory_desc_t nn_md_any(const nn_shape *shape, nn_dtype type);
dnnl_memory_desc_t nn_md_nhwc(const nn_shape *shape, nn_dtype type); /* nc where rank is 2 */
dnnl_memory_desc_t nn_md_nchw(const nn_shape *shape, nn_dtype type);
/* False for a layout that our kernels do not read. */
bool nn_layout_of(const dnnl_memory_desc_t *md, nn_layout *layout);
bool nn_is_reference(const_dnnl_primitive_desc_t pd);
const char *nn_impl(const_dnnl_primitive_desc_t pd);

/* weights.c: node's weights as md describes, from the net's copy or the run's; borrowed. */
fg_code nn_weights_get(fg_net_run *run, int node, const dnnl_memory_desc_t *md, void **data,
                       fg_error *err) FG_MUST_CHECK;

/* plan.c */
fg_code nn_plan_new(nn_plan **plan, fg_net_run *run, int batch, int height, int width,
                    fg_error *err) FG_MUST_CHECK;
void nn_plan_free(nn_plan *plan);

void *nn_aligned_new(size_t bytes); /* free() */
/* On the calling thread, before oneDNN makes or runs anything. */
void nn_one_thread(void);

#endif
