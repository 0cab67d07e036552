#include "nn/plan.h"

#include <stdlib.h>
#include <string.h>

static fg_code fail(const nn_planner *p, const nn_node *node, dnnl_status_t status, const char *what)
{
    return nn_dnnl_fail(p->err, status, p->graph, node, what);
}

/* The type of what a node writes: f32 where only outputs and the softmax read it. */
static nn_dtype out_type(const nn_planner *p, const nn_node *node)
{
    return p->values[node->output].only_f32 ? NN_F32 : p->type;
}

static fg_code make_attr(const nn_planner *p, const nn_node *node, dnnl_primitive_attr_t *attr)
{
    dnnl_post_ops_t ops = NULL;
    dnnl_status_t status = dnnl_primitive_attr_create(attr);
    if (status == dnnl_success)
        status = dnnl_primitive_attr_set_scratchpad_mode(*attr, dnnl_scratchpad_mode_user);
    if (status == dnnl_success)
        status = dnnl_post_ops_create(&ops);
    if (status == dnnl_success && node->residual >= 0)
        status = dnnl_post_ops_append_sum(ops, 1.0f);
    if (status == dnnl_success && node->act != NN_ACT_NONE)
        status = dnnl_post_ops_append_eltwise(ops, 1.0f,
                                              node->act == NN_ACT_RELU      ? dnnl_eltwise_relu
                                              : node->act == NN_ACT_SIGMOID ? dnnl_eltwise_logistic
                                                                            : dnnl_eltwise_clip,
                                              node->act == NN_ACT_SIGMOID ? 0.0f : node->alpha,
                                              node->act == NN_ACT_CLIP ? node->beta : 0.0f);
    if (status == dnnl_success)
        status = dnnl_primitive_attr_set_post_ops(*attr, ops);
    if (ops)
        dnnl_post_ops_destroy(ops);
    return status == dnnl_success ? FG_OK : fail(p, node, status, "made no attributes");
}

static dnnl_memory_desc_t any(const nn_shape *shape, nn_dtype type)
{
    return nn_md(shape, type, dnnl_format_tag_any);
}

/* A description of the operator, but for the layout of its input. */
typedef struct request {
    const nn_node *node;
    nn_shape src, weights, dst;
    nn_dtype src_type, dst_type;
    bool inner_product;
    dnnl_primitive_attr_t attr;
    int begin[2], end[2];
} request;

static dnnl_status_t describe(const nn_planner *p, const request *r, const dnnl_memory_desc_t *src,
                              dnnl_primitive_desc_t *pd)
{
    nn_shape bias_shape = {1, {r->node->channels}};
    dnnl_memory_desc_t bias = nn_md(&bias_shape, NN_F32, dnnl_a);
    dnnl_memory_desc_t weights = any(&r->weights, r->src_type);
    dnnl_memory_desc_t dst = any(&r->dst, r->dst_type);
    dnnl_status_t status;
    *pd = NULL;
    if (r->inner_product) {
        dnnl_inner_product_desc_t desc;
        status =
            dnnl_inner_product_forward_desc_init(&desc, dnnl_forward_inference, src, &weights, &bias, &dst);
        return status == dnnl_success
                   ? dnnl_primitive_desc_create(pd, &desc, r->attr, p->run->net->engine, NULL)
                   : status;
    }
    const nn_window *w = &r->node->window;
    dnnl_dims_t strides = {w->stride[0], w->stride[1]};
    dnnl_dims_t dilates = {w->dilation[0] - 1, w->dilation[1] - 1};
    dnnl_dims_t begin = {r->begin[0], r->begin[1]};
    dnnl_dims_t end = {r->end[0], r->end[1]};
    dnnl_convolution_desc_t desc;
    status =
        dnnl_dilated_convolution_forward_desc_init(&desc, dnnl_forward_inference, dnnl_convolution_direct,
                                                   src, &weights, &bias, &dst, strides, dilates, begin, end);
    return status == dnnl_success ? dnnl_primitive_desc_create(pd, &desc, r->attr, p->run->net->engine, NULL)
                                  : status;
}

/* oneDNN's favourite among all layouts; if the one at hand is served by the same implementation, that one,
 * without a copy. */
static fg_code choose(const nn_planner *p, const request *r, const dnnl_memory_desc_t *here,
                      dnnl_primitive_desc_t *pd)
{
    static const dnnl_format_tag_t others[] = {dnnl_nhwc, dnnl_nChw16c, dnnl_nChw8c};
    dnnl_primitive_desc_t favourite = NULL;
    dnnl_primitive_desc_t local = NULL;
    dnnl_memory_desc_t src = any(&r->src, r->src_type);
    dnnl_memory_desc_t same = *here;
    dnnl_status_t status = describe(p, r, &src, &favourite);
    *pd = NULL;
    same.data_type = nn_dnnl_type(r->src_type);
    if (describe(p, r, &same, &local) == dnnl_success && !nn_is_reference(local) &&
        (status != dnnl_success || nn_is_reference(favourite) ||
         strcmp(nn_impl(local), nn_impl(favourite)) == 0)) {
        if (favourite)
            dnnl_primitive_desc_destroy(favourite);
        *pd = local;
        return FG_OK;
    }
    if (local)
        dnnl_primitive_desc_destroy(local);
    for (size_t i = 0; r->src.rank == 4 && i < sizeof others / sizeof others[0] &&
                       (!favourite || nn_is_reference(favourite));
         i++) {
        if (favourite)
            dnnl_primitive_desc_destroy(favourite);
        favourite = NULL;
        src = nn_md(&r->src, r->src_type, others[i]);
        status = describe(p, r, &src, &favourite);
    }
    if (!favourite)
        return fail(p, r->node, status, "has no implementation of it");
    if (nn_is_reference(favourite)) {
        dnnl_primitive_desc_destroy(favourite);
        return nn_node_fail(p->graph, r->node, p->err, FG_ERR_UNSUPPORTED,
                            "has only a reference implementation in oneDNN, 100 times too slow");
    }
    *pd = favourite;
    return FG_OK;
}

/* The buffer that the result goes to; with a residual it holds that one before. */
static fg_code weighted_dst(nn_planner *p, const nn_node *node, const dnnl_memory_desc_t *md, int *buffer)
{
    fg_code rc = FG_OK;
    if (node->residual < 0)
        return nn_plan_buffer(p, dnnl_memory_desc_get_size(md), buffer);
    const nn_planned *v = &p->values[node->residual];
    bool there = dnnl_memory_desc_equal(&v->places[0].md, md) ||
                 (v->places[1].buffer >= 0 && dnnl_memory_desc_equal(&v->places[1].md, md));
    if (there || v->uses_left == 1) {
        rc = nn_plan_want(p, node->residual, md, buffer);
        if (rc || nn_plan_last_use(p, node->residual, *buffer))
            return rc;
    }
    nn_place from = v->places[0];
    nn_place to = {.md = *md};
    rc = nn_plan_buffer(p, dnnl_memory_desc_get_size(md), &to.buffer);
    if (!rc)
        rc = nn_plan_copy(p, node, &from, &to);
    *buffer = to.buffer;
    return rc;
}

static fg_code plan_weighted(nn_planner *p, int index, const request *r)
{
    const nn_node *node = r->node;
    int input = node->inputs[0];
    dnnl_memory_desc_t here = p->values[input].places[0].md;
    dnnl_primitive_desc_t pd = NULL;
    nn_step *step = NULL;
    void *weights = NULL;
    int src = -1;
    int dst = -1;
    fg_code rc = choose(p, r, &here, &pd);
    if (rc)
        return rc;
    dnnl_memory_desc_t src_md = *dnnl_primitive_desc_query_md(pd, dnnl_query_src_md, 0);
    dnnl_memory_desc_t weights_md = *dnnl_primitive_desc_query_md(pd, dnnl_query_weights_md, 0);
    dnnl_memory_desc_t bias_md = *dnnl_primitive_desc_query_md(pd, dnnl_query_weights_md, 1);
    dnnl_memory_desc_t dst_md = *dnnl_primitive_desc_query_md(pd, dnnl_query_dst_md, 0);
    rc = nn_weights_get(p->run, index, &weights_md, &weights, p->err);
    if (!rc)
        rc = nn_plan_want(p, input, &src_md, &src);
    if (!rc)
        rc = weighted_dst(p, node, &dst_md, &dst);
    if (rc) {
        dnnl_primitive_desc_destroy(pd);
        return rc;
    }
    rc = nn_plan_primitive(p, node, pd, &step);
    if (!rc)
        rc = nn_plan_arg(p, DNNL_ARG_SRC, &src_md, src, NULL);
    if (!rc)
        rc = nn_plan_arg(p, DNNL_ARG_WEIGHTS, &weights_md, -1, weights);
    if (!rc)
        rc = nn_plan_arg(p, DNNL_ARG_BIAS, &bias_md, -1, node->bias);
    if (!rc)
        rc = nn_plan_arg(p, DNNL_ARG_DST, &dst_md, dst, NULL);
    if (rc)
        return rc;
    nn_plan_made(p, node->output, &dst_md, dst);
    return FG_OK;
}

static fg_code plan_conv(nn_planner *p, int index)
{
    const nn_node *node = p->graph->nodes[index];
    const int *w = node->weight_dims;
    request r = {
        .node = node, .src = p->shapes[node->inputs[0]], .dst = p->shapes[node->output], .src_type = p->type};
    fg_code rc = FG_OK;
    for (int d = 0; d < 2 && !rc; d++) {
        int out = 0;
        rc = nn_window_resolve(&node->window, d, r.src.dims[2 + d], &out, &r.begin[d], &r.end[d], node,
                               p->err);
    }
    if (node->groups > 1)
        r.weights = (nn_shape){5, {node->groups, w[0] / node->groups, w[1], w[2], w[3]}};
    else
        r.weights = (nn_shape){4, {w[0], w[1], w[2], w[3]}};
    /* A window over the whole image is a matrix product. */
    r.inner_product = node->groups == 1 && node->residual < 0 && r.src.dims[2] == w[2] &&
                      r.src.dims[3] == w[3] && r.begin[0] + r.begin[1] + r.end[0] + r.end[1] == 0;
    if (r.inner_product)
        r.dst.rank = 2;
    r.dst_type = out_type(p, node);
    if (!rc)
        rc = make_attr(p, node, &r.attr);
    if (!rc)
        rc = plan_weighted(p, index, &r);
    if (!rc && r.inner_product) {
        /* N x C is N x C x 1 x 1 in NHWC. */
        nn_place *place = &p->values[node->output].places[0];
        nn_layout layout;
        if (!nn_layout_of(&place->md, &layout))
            return FG_FAIL(p->err, FG_ERR_INTERNAL, "%s: layout", p->graph->path);
        place->md = nn_md_nhwc(&p->shapes[node->output], nn_type_of(&place->md));
    }
    if (r.attr)
        dnnl_primitive_attr_destroy(r.attr);
    return rc;
}

static fg_code plan_dense(nn_planner *p, int index)
{
    const nn_node *node = p->graph->nodes[index];
    const nn_place *place = &p->values[node->inputs[0]].places[0];
    request r = {.node = node,
                 .src = p->shapes[node->inputs[0]],
                 .dst = p->shapes[node->output],
                 .src_type = p->type,
                 .inner_product = true};
    r.weights = (nn_shape){2, {node->weight_dims[0], node->weight_dims[1]}};
    if (place->md.ndims == 4) {
        r.src = (nn_shape){
            4,
            {(int)place->md.dims[0], (int)place->md.dims[1], (int)place->md.dims[2], (int)place->md.dims[3]}};
        r.weights = r.src;
        r.weights.dims[0] = node->weight_dims[0];
    }
    r.dst_type = out_type(p, node);
    fg_code rc = make_attr(p, node, &r.attr);
    if (!rc)
        rc = plan_weighted(p, index, &r);
    if (r.attr)
        dnnl_primitive_attr_destroy(r.attr);
    return rc;
}

static fg_code plan_pool(nn_planner *p, const nn_node *node)
{
    static const dnnl_format_tag_t others[] = {dnnl_nhwc, dnnl_nChw16c, dnnl_nChw8c};
    int input = node->inputs[0];
    const nn_window *w = &node->window;
    const nn_shape *in = &p->shapes[input];
    dnnl_dims_t kernel = {w->kernel[0], w->kernel[1]};
    dnnl_dims_t strides = {w->stride[0], w->stride[1]};
    dnnl_dims_t dilates = {w->dilation[0] - 1, w->dilation[1] - 1};
    dnnl_dims_t begin = {0};
    dnnl_dims_t end = {0};
    dnnl_primitive_desc_t pd = NULL;
    dnnl_status_t status = dnnl_unimplemented;
    nn_step *step = NULL;
    int src = -1;
    int dst = -1;
    fg_code rc = FG_OK;
    for (int d = 0; d < 2 && !rc; d++) {
        int out = 0;
        int before = 0;
        int after = 0;
        rc = nn_window_resolve(w, d, in->dims[2 + d], &out, &before, &after, node, p->err);
        begin[d] = before;
        end[d] = after;
        if (!rc && node->op == NN_AVGPOOL && w->count_pad && w->ceil && after != w->end[d])
            rc = nn_node_fail(p->graph, node, p->err, FG_ERR_UNSUPPORTED,
                              "averages over padding with its size rounded up");
    }
    if (rc)
        return rc;
    dnnl_memory_desc_t src_md = p->values[input].places[0].md;
    dnnl_memory_desc_t dst_md = any(&p->shapes[node->output], p->type);
    dnnl_alg_kind_t alg = node->op == NN_MAXPOOL ? dnnl_pooling_max
                          : w->count_pad         ? dnnl_pooling_avg_include_padding
                                                 : dnnl_pooling_avg_exclude_padding;
    src_md.data_type = nn_dnnl_type(p->type);
    for (size_t i = 0; i <= sizeof others / sizeof others[0]; i++) {
        dnnl_pooling_v2_desc_t desc;
        if (i)
            src_md = nn_md(in, p->type, others[i - 1]);
        status = dnnl_pooling_v2_forward_desc_init(&desc, dnnl_forward_inference, alg, &src_md, &dst_md,
                                                   strides, kernel, dilates, begin, end);
        if (status == dnnl_success)
            status = dnnl_primitive_desc_create(&pd, &desc, p->attr, p->run->net->engine, NULL);
        if (status == dnnl_success && !nn_is_reference(pd))
            break;
        if (pd)
            dnnl_primitive_desc_destroy(pd);
        pd = NULL;
    }
    if (!pd)
        return fail(p, node, dnnl_unimplemented, "has only a reference implementation of it");
    src_md = *dnnl_primitive_desc_query_md(pd, dnnl_query_src_md, 0);
    dst_md = *dnnl_primitive_desc_query_md(pd, dnnl_query_dst_md, 0);
    rc = nn_plan_want(p, input, &src_md, &src);
    if (!rc)
        rc = nn_plan_buffer(p, dnnl_memory_desc_get_size(&dst_md), &dst);
    if (rc) {
        dnnl_primitive_desc_destroy(pd);
        return rc;
    }
    rc = nn_plan_primitive(p, node, pd, &step);
    if (!rc)
        rc = nn_plan_arg(p, DNNL_ARG_SRC, &src_md, src, NULL);
    if (!rc)
        rc = nn_plan_arg(p, DNNL_ARG_DST, &dst_md, dst, NULL);
    if (!rc)
        nn_plan_made(p, node->output, &dst_md, dst);
    return rc;
}

/* One number in, one out: in place wherever nobody else needs the old ones. */
static fg_code plan_elementwise(nn_planner *p, const nn_node *node)
{
    nn_place src;
    nn_layout layout;
    nn_step *step = NULL;
    int dst = -1;
    int input = node->inputs[0];
    fg_code rc = nn_plan_want_simple(p, input, &src, &layout);
    if (rc)
        return rc;
    nn_dtype src_type = nn_type_of(&src.md);
    nn_dtype dst_type = out_type(p, node);
    dnnl_memory_desc_t dst_md = src.md;
    dst_md.data_type = nn_dnnl_type(dst_type);
    if (src_type == dst_type && nn_plan_last_use(p, input, src.buffer))
        dst = src.buffer;
    else
        rc = nn_plan_buffer(p, dnnl_memory_desc_get_size(&dst_md), &dst);
    if (!rc)
        rc = nn_plan_step(p, NN_STEP_KERNEL, node, &step);
    if (rc)
        return rc;
    step->layout = layout;
    step->src_type = src_type;
    step->dst_type = dst_type;
    step->src = src.buffer;
    step->dst = dst;
    nn_plan_touch(p, src.buffer);
    nn_plan_touch(p, dst);
    nn_plan_made(p, node->output, &dst_md, dst);
    return FG_OK;
}

static fg_code plan_binary(nn_planner *p, const nn_node *node)
{
    nn_place a;
    nn_layout layout;
    nn_step *step = NULL;
    int b = -1;
    int dst = -1;
    const nn_shape *b_shape = &p->shapes[node->inputs[1]];
    bool equal = nn_shape_equal(&p->shapes[node->inputs[0]], b_shape);
    fg_code rc = nn_plan_want_simple(p, node->inputs[0], &a, &layout);
    if (rc)
        return rc;
    if (nn_type_of(&a.md) != p->type) {
        a.md.data_type = nn_dnnl_type(p->type);
        rc = nn_plan_want(p, node->inputs[0], &a.md, &a.buffer);
        if (rc)
            return rc;
    }
    dnnl_memory_desc_t b_md = a.md;
    if (!equal)
        b_md = nn_md(b_shape, p->type,
                     layout.groups == 1 || layout.lanes == 1 ? dnnl_nhwc
                     : layout.lanes == 16                    ? dnnl_nChw16c
                                                             : dnnl_nChw8c);
    rc = nn_plan_want(p, node->inputs[1], &b_md, &b);
    if (!rc && nn_plan_last_use(p, node->inputs[0], a.buffer))
        dst = a.buffer;
    else if (!rc && equal && nn_plan_last_use(p, node->inputs[1], b))
        dst = b;
    else if (!rc)
        rc = nn_plan_buffer(p, dnnl_memory_desc_get_size(&a.md), &dst);
    if (!rc)
        rc = nn_plan_step(p, equal ? NN_STEP_BINARY : NN_STEP_BINARY_CHANNEL, node, &step);
    if (rc)
        return rc;
    step->layout = layout;
    step->src_type = step->dst_type = p->type;
    step->src = a.buffer;
    step->src2 = b;
    step->dst = dst;
    nn_plan_touch(p, a.buffer);
    nn_plan_touch(p, b);
    nn_plan_touch(p, dst);
    nn_plan_made(p, node->output, &a.md, dst);
    return FG_OK;
}

static fg_code plan_to(nn_planner *p, const nn_node *node, nn_step_kind kind)
{
    nn_place src;
    nn_layout layout;
    nn_step *step = NULL;
    int dst = -1;
    const nn_shape *shape = &p->shapes[node->output];
    fg_code rc = nn_plan_want_simple(p, node->inputs[0], &src, &layout);
    if (rc)
        return rc;
    nn_dtype type = kind == NN_STEP_SOFTMAX ? NN_F32 : nn_type_of(&src.md);
    dnnl_format_tag_t tag = layout.groups == 1 || layout.lanes == 1 ? dnnl_nhwc
                            : layout.lanes == 16                    ? dnnl_nChw16c
                                                                    : dnnl_nChw8c;
    dnnl_memory_desc_t dst_md = kind == NN_STEP_SOFTMAX ? nn_md_nchw(shape, NN_F32) : nn_md(shape, type, tag);
    rc = nn_plan_buffer(p, dnnl_memory_desc_get_size(&dst_md), &dst);
    if (!rc)
        rc = nn_plan_step(p, kind, node, &step);
    if (rc)
        return rc;
    step->layout = layout;
    step->src_type = nn_type_of(&src.md);
    step->dst_type = type;
    step->src = src.buffer;
    step->dst = dst;
    nn_plan_touch(p, src.buffer);
    nn_plan_touch(p, dst);
    nn_plan_made(p, node->output, &dst_md, dst);
    return FG_OK;
}

static fg_code plan_concat(nn_planner *p, const nn_node *node)
{
    dnnl_memory_desc_t dst_md = nn_md_nhwc(&p->shapes[node->output], p->type);
    int dst = -1;
    int at = 0;
    fg_code rc = nn_plan_buffer(p, dnnl_memory_desc_get_size(&dst_md), &dst);
    for (int i = 0; i < node->input_count && !rc; i++) {
        dnnl_memory_desc_t md = nn_md_nhwc(&p->shapes[node->inputs[i]], p->type);
        nn_layout layout;
        nn_step *step = NULL;
        int src = -1;
        rc = nn_plan_want(p, node->inputs[i], &md, &src);
        if (!rc && !nn_layout_of(&md, &layout))
            rc = FG_FAIL(p->err, FG_ERR_INTERNAL, "%s: layout", p->graph->path);
        if (!rc)
            rc = nn_plan_step(p, NN_STEP_CONCAT, node, &step);
        if (rc)
            return rc;
        step->layout = layout;
        step->src_type = step->dst_type = p->type;
        step->src = src;
        step->dst = dst;
        step->at = at;
        step->total = p->shapes[node->output].dims[1];
        at += layout.channels;
        nn_plan_touch(p, src);
        nn_plan_touch(p, dst);
    }
    if (!rc)
        nn_plan_made(p, node->output, &dst_md, dst);
    return rc;
}

/* The same numbers in the same place, under other dimensions. */
static fg_code plan_view(nn_planner *p, const nn_node *node)
{
    nn_place place = p->values[node->inputs[0]].places[0];
    if (node->op == NN_UNFLATTEN) {
        nn_layout layout;
        fg_code rc = nn_plan_want_simple(p, node->inputs[0], &place, &layout);
        if (rc)
            return rc;
        place.md = nn_md_nhwc(&p->shapes[node->output], nn_type_of(&place.md));
    }
    nn_plan_made(p, node->output, &place.md, place.buffer);
    return FG_OK;
}

fg_code nn_plan_node(nn_planner *p, int index)
{
    const nn_node *node = p->graph->nodes[index];
    switch (node->op) {
    case NN_CONV:
        return plan_conv(p, index);
    case NN_DENSE:
        return plan_dense(p, index);
    case NN_MAXPOOL:
    case NN_AVGPOOL:
        return plan_pool(p, node);
    case NN_ADD:
    case NN_MUL:
        return plan_binary(p, node);
    case NN_GLOBALAVG:
        return plan_to(p, node, NN_STEP_AVERAGE);
    case NN_SOFTMAX:
        return plan_to(p, node, NN_STEP_SOFTMAX);
    case NN_CONCAT:
        return plan_concat(p, node);
    case NN_FLATTEN:
    case NN_UNFLATTEN:
        return plan_view(p, node);
    default:
        return plan_elementwise(p, node);
    }
}
