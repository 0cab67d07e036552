#include "nn/plan.h"

nn_dtype nn_plan_out_type(const nn_planner *p, const nn_node *node)
{
    return p->values[node->output].only_f32 ? NN_F32 : p->type;
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
    /* The largest of integers is the integer of the largest: they stay as they are. */
    bool bytes = node->op == NN_MAXPOOL && nn_plan_is_bytes(p, input);
    nn_dtype type = bytes ? nn_type_of(&p->values[input].places[0].md) : p->type;
    dnnl_memory_desc_t src_md = p->values[input].places[0].md;
    dnnl_memory_desc_t dst_md = nn_md_any(&p->shapes[node->output], type);
    dnnl_alg_kind_t alg = node->op == NN_MAXPOOL ? dnnl_pooling_max
                          : w->count_pad         ? dnnl_pooling_avg_include_padding
                                                 : dnnl_pooling_avg_exclude_padding;
    src_md.data_type = nn_dnnl_type(type);
    for (size_t i = 0; i <= sizeof others / sizeof others[0]; i++) {
        dnnl_pooling_v2_desc_t desc;
        if (i)
            src_md = nn_md(in, type, others[i - 1]);
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
        return nn_dnnl_fail(p->err, dnnl_unimplemented, p->graph, node,
                            "has only a reference implementation of it");
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
    if (rc)
        return rc;
    nn_plan_made(p, node->output, &dst_md, dst);
    p->values[node->output].quant = p->values[input].quant;
    return FG_OK;
}

/* The step reads one buffer and writes another, or the same: all that its node makes. */
static fg_code one_to_one(nn_planner *p, nn_step *step, int src, int dst, const dnnl_memory_desc_t *made)
{
    step->src = src;
    step->dst = dst;
    nn_plan_touch(p, src);
    nn_plan_touch(p, dst);
    nn_plan_made(p, step->node->output, made, dst);
    return FG_OK;
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
    nn_dtype dst_type = nn_plan_out_type(p, node);
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
    return one_to_one(p, step, src.buffer, dst, &dst_md);
}

/* To 8-bit integers, if a reader computes on them; else the rounding alone, in floats. */
static fg_code plan_rounding(nn_planner *p, const nn_node *node)
{
    int input = node->inputs[0];
    const nn_quant *have = &p->values[input].quant;
    const nn_quant *want = &node->quant;
    nn_planned *out = &p->values[node->output];
    nn_place src;
    nn_layout layout;
    nn_step *step = NULL;
    int dst = -1;
    out->quant = *want;
    if (nn_plan_is_bytes(p, input) && have->scale == want->scale && have->zero == want->zero &&
        have->low == want->low) {
        nn_place place = p->values[input].places[0];
        nn_plan_made(p, node->output, &place.md, place.buffer);
        return FG_OK;
    }
    if (!p->int8 || want->zero || !out->wants_bytes)
        return plan_elementwise(p, node);
    fg_code rc = nn_plan_want_simple(p, input, &src, &layout);
    if (rc)
        return rc;
    dnnl_memory_desc_t dst_md = src.md;
    dst_md.data_type = want->low ? dnnl_s8 : dnnl_u8;
    rc = nn_plan_buffer(p, dnnl_memory_desc_get_size(&dst_md), &dst);
    if (!rc)
        rc = nn_plan_step(p, NN_STEP_QUANTISE, node, &step);
    if (rc)
        return rc;
    step->layout = layout;
    step->src_type = nn_type_of(&src.md);
    step->dst_type = nn_type_of(&dst_md);
    step->quant = *want;
    return one_to_one(p, step, src.buffer, dst, &dst_md);
}

/* How one pixel of all channels lies beside images of this layout: NHWC, unless its last block is filled up.
 */
static dnnl_format_tag_t tag_of_point(const nn_layout *layout)
{
    return layout->lanes == 1 || layout->lanes == layout->channels ? dnnl_nhwc
           : layout->lanes == 16                                   ? dnnl_nChw16c
                                                                   : dnnl_nChw8c;
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
        b_md = nn_md(b_shape, p->type, tag_of_point(&layout));
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
    dnnl_memory_desc_t dst_md =
        kind == NN_STEP_SOFTMAX ? nn_md_nchw(shape, NN_F32) : nn_md(shape, type, tag_of_point(&layout));
    rc = nn_plan_buffer(p, dnnl_memory_desc_get_size(&dst_md), &dst);
    if (!rc)
        rc = nn_plan_step(p, kind, node, &step);
    if (rc)
        return rc;
    step->layout = layout;
    step->src_type = nn_type_of(&src.md);
    step->dst_type = type;
    return one_to_one(p, step, src.buffer, dst, &dst_md);
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
    p->values[node->output].quant = p->values[node->inputs[0]].quant;
    return FG_OK;
}

fg_code nn_plan_node(nn_planner *p, int index)
{
    const nn_node *node = p->graph->nodes[index];
    switch (node->op) {
    case NN_CONV:
        return nn_plan_conv(p, index);
    case NN_DENSE:
        return nn_plan_dense(p, index);
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
    case NN_FAKEQUANT:
        return plan_rounding(p, node);
    case NN_FLATTEN:
    case NN_UNFLATTEN:
        return plan_view(p, node);
    default:
        return plan_elementwise(p, node);
    }
}
