/* Making a plan: shared by plan.c (values, buffers, order) and plan_ops.c (one function an operator). */
#ifndef FG_NN_PLAN_H
#define FG_NN_PLAN_H

#include "nn/exec.h"

typedef struct nn_place { /* where a value's numbers are, and how */
    dnnl_memory_desc_t md;
    int buffer; /* -1: nowhere */
} nn_place;

typedef struct nn_planned { /* a value while the plan is made */
    nn_place places[2];     /* as it was made, and a copy in another layout */
    int uses_left;          /* readers to come, outputs included */
    bool only_f32;          /* whoever reads it wants f32 */
    bool wants_bytes;       /* some reader computes on 8-bit integers */
    int reader;             /* the node that reads it, where there is only one; -1 */
    nn_quant quant;         /* where places[0] holds 8-bit integers: what they stand for */
} nn_planned;

typedef struct nn_planner {
    fg_net_run *run;
    const nn_graph *graph;
    nn_plan *plan;
    nn_planned *values;
    nn_shape *shapes;
    dnnl_primitive_attr_t attr; /* scratchpad by the user, nothing else */
    nn_dtype type;              /* that the network computes in */
    bool int8;                  /* but for what was quantised */
    fg_error *err;
} nn_planner;

/* plan.c */
fg_code nn_plan_buffer(nn_planner *p, size_t size, int *buffer) FG_MUST_CHECK;
fg_code nn_plan_step(nn_planner *p, nn_step_kind kind, const nn_node *node, nn_step **step) FG_MUST_CHECK;
/* Adds an argument living in a buffer (or, where buffer is -1, at data) to the newest step, and marks the
 * buffer as used by it. */
fg_code nn_plan_arg(nn_planner *p, int arg, const dnnl_memory_desc_t *md, int buffer,
                    void *data) FG_MUST_CHECK;
void nn_plan_touch(nn_planner *p, int buffer); /* by the newest step */
/* Takes pd, also on failure. */
fg_code nn_plan_primitive(nn_planner *p, const nn_node *node, dnnl_primitive_desc_t pd,
                          nn_step **step) FG_MUST_CHECK;
/* The value's numbers as md says, copied there if they are not. */
fg_code nn_plan_want(nn_planner *p, int value, const dnnl_memory_desc_t *md, int *buffer) FG_MUST_CHECK;
/* Floats in a layout for our own kernels, NHWC if it has none of them. */
fg_code nn_plan_want_simple(nn_planner *p, int value, nn_place *place, nn_layout *layout) FG_MUST_CHECK;
/* Copies from place to place, converting. */
fg_code nn_plan_copy(nn_planner *p, const nn_node *node, const nn_place *from,
                     const nn_place *to) FG_MUST_CHECK;
/* Whether places[0] holds 8-bit integers. */
bool nn_plan_is_bytes(const nn_planner *p, int value);
/* Whether what lies in the buffer is read by nobody after the node that is being planned. */
bool nn_plan_last_use(const nn_planner *p, int value, int buffer);
void nn_plan_made(nn_planner *p, int value, const dnnl_memory_desc_t *md, int buffer);

/* plan_weighted.c */
fg_code nn_plan_conv(nn_planner *p, int index) FG_MUST_CHECK;
fg_code nn_plan_dense(nn_planner *p, int index) FG_MUST_CHECK;

/* plan_ops.c */
/* The type of what a node writes: f32 where only outputs and the softmax read it. */
nn_dtype nn_plan_out_type(const nn_planner *p, const nn_node *node);
/* Emits the steps of one node. */
fg_code nn_plan_node(nn_planner *p, int index) FG_MUST_CHECK;

#endif
