/* Convolutions and dense layers: the choice of implementation and layout, in floats or in 8-bit integers. */
#include "nn/plan.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A description of the operator, but for the layout of its input. */
typedef struct request {
    const nn_node *node;
    nn_shape src, weights, dst;
    nn_dtype src_type, dst_type;
    bool inner_product;
    int begin[2], end[2];
    dnnl_primitive_attr_t attr; /* owned */
    float *scales;              /* in integers: of the sums, one per output channel; owned */
    float *bias;                /* in integers: on the scale of the sums; owned */
} request;

static fg_code make_attr(const nn_planner *p, request *r)
{
    const nn_node *node = r->node;
    dnnl_post_ops_t ops = NULL;
    dnnl_status_t status = dnnl_primitive_attr_create(&r->attr);
    if (status == dnnl_success)
        status = dnnl_primitive_attr_set_scratchpad_mode(r->attr, dnnl_scratchpad_mode_user);
    if (status == dnnl_success && r->scales)
        status = dnnl_primitive_attr_set_output_scales(r->attr, node->channels, 1 << 1, r->scales);
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
        status = dnnl_primitive_attr_set_post_ops(r->attr, ops);
    if (ops)
        dnnl_post_ops_destroy(ops);
    return status == dnnl_success ? FG_OK
                                  : nn_dnnl_fail(p->err, status, p->graph, node, "made no attributes");
}

static void request_reset(request *r)
{
    if (r->attr)
        dnnl_primitive_attr_destroy(r->attr);
    free(r->scales);
    free(r->bias);
    r->attr = NULL;
    r->scales = NULL;
    r->bias = NULL;
}

/* Whether the node can be computed on its 8-bit weights and input as they are. */
static bool takes_bytes(const nn_planner *p, const nn_node *node)
{
    if (!p->int8 || !node->q_weights || !nn_plan_is_bytes(p, node->inputs[0]))
        return false;
    for (int o = 0; o < node->channels; o++) {
        float k = node->q_scale[o] * p->values[node->inputs[0]].quant.scale;
        if (!(fabsf(k) > 1e-30f && fabsf(k) < 1e30f))
            return false;
    }
    return true;
}

/* The rounding that alone reads the result, if it can be done by the same primitive. */
static const nn_node *rounding_behind(const nn_planner *p, const nn_node *node)
{
    int reader = p->values[node->output].reader;
    const nn_node *next = reader < 0 ? NULL : p->graph->nodes[reader];
    bool scalable = node->act == NN_ACT_NONE || (node->act == NN_ACT_RELU && node->alpha >= 0.0f);
    if (!next || next->op != NN_FAKEQUANT || next->quant.zero || !p->values[next->output].wants_bytes ||
        node->residual >= 0 || !scalable)
        return NULL;
    return next;
}

static fg_code request_bytes(const nn_planner *p, request *r)
{
    const nn_node *node = r->node;
    const nn_node *rounding = rounding_behind(p, node);
    float in_scale = p->values[node->inputs[0]].quant.scale;
    r->scales = nn_lanes_new((size_t)node->channels);
    r->bias = nn_lanes_new((size_t)node->channels);
    if (!r->scales || !r->bias)
        return FG_FAIL(p->err, FG_ERR_MEMORY, "%s: out of memory", p->graph->path);
    r->src_type = nn_type_of(&p->values[node->inputs[0]].places[0].md);
    if (rounding)
        r->dst_type = rounding->quant.low ? NN_I8 : NN_U8;
    for (int o = 0; o < node->channels; o++) {
        float k = node->q_scale[o] * in_scale;
        r->bias[o] = node->bias[o] / k;
        r->scales[o] = rounding ? k / rounding->quant.scale : k;
    }
    return FG_OK;
}

static dnnl_status_t describe(const nn_planner *p, const request *r, const dnnl_memory_desc_t *src,
                              dnnl_primitive_desc_t *pd)
{
    nn_shape bias_shape = {1, {r->node->channels}};
    dnnl_memory_desc_t bias = nn_md(&bias_shape, NN_F32, dnnl_a);
    dnnl_memory_desc_t weights = nn_md_any(&r->weights, r->scales ? NN_I8 : r->src_type);
    dnnl_memory_desc_t dst = nn_md_any(&r->dst, r->dst_type);
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
    dnnl_memory_desc_t src = nn_md_any(&r->src, r->src_type);
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
        return nn_dnnl_fail(p->err, status, p->graph, r->node, "has no implementation of it");
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
    nn_place from = v->places[0];
    nn_place to = {.md = *md};
    /* A plain copy neither scales integers nor makes rows of images. */
    bool plain = !nn_plan_is_bytes(p, node->residual) && from.md.ndims == md->ndims;
    if (there || v->uses_left == 1 || !plain) {
        rc = nn_plan_want(p, node->residual, md, buffer);
        if (rc || nn_plan_last_use(p, node->residual, *buffer))
            return rc;
        from = (nn_place){*md, *buffer};
    }
    rc = nn_plan_buffer(p, dnnl_memory_desc_get_size(md), &to.buffer);
    if (!rc)
        rc = nn_plan_copy(p, node, &from, &to);
    *buffer = to.buffer;
    return rc;
}

/* The plan takes over the numbers. */
static fg_code keep_numbers(nn_planner *p, float **numbers)
{
    nn_plan *plan = p->plan;
    float **kept = realloc(plan->numbers, (size_t)(plan->number_count + 1) * sizeof(float *));
    if (!kept)
        return FG_FAIL(p->err, FG_ERR_MEMORY, "%s: out of memory", p->graph->path);
    plan->numbers = kept;
    plan->numbers[plan->number_count++] = *numbers;
    *numbers = NULL;
    return FG_OK;
}

/* Takes pd, also on failure. */
static fg_code emit_weighted(nn_planner *p, int index, request *r, dnnl_primitive_desc_t pd)
{
    const nn_node *node = r->node;
    int input = node->inputs[0];
    nn_step *step = NULL;
    void *weights = NULL;
    int src = -1;
    int dst = -1;
    fg_code rc = FG_OK;
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
    float *bias = r->bias ? r->bias : node->bias;
    if (!rc && r->bias)
        rc = keep_numbers(p, &r->bias);
    if (!rc)
        rc = nn_plan_arg(p, DNNL_ARG_BIAS, &bias_md, -1, bias);
    if (!rc)
        rc = nn_plan_arg(p, DNNL_ARG_DST, &dst_md, dst, NULL);
    if (rc)
        return rc;
    nn_plan_made(p, node->output, &dst_md, dst);
    if (nn_plan_is_bytes(p, node->output))
        p->values[node->output].quant = p->graph->nodes[p->values[node->output].reader]->quant;
    return FG_OK;
}

/* Without VNNI oneDNN halves the weights of a layer with signed input, so that sums of two products fit into
 * 16 bits; the bit that they lose costs such a layer, the first of an embedder, more than floats cost time.
 */
static bool halves_weights(const_dnnl_primitive_desc_t pd)
{
    const dnnl_memory_desc_t *weights = dnnl_primitive_desc_query_md(pd, dnnl_query_weights_md, 0);
    return (weights->extra.flags & dnnl_memory_extra_flag_scale_adjust) && weights->extra.scale_adjust < 1.0f;
}

/* In integers if that is possible, exact, and oneDNN has more than reference code for it, else in floats. */
static fg_code plan_weighted(nn_planner *p, int index, request *r)
{
    fg_code rc = FG_ERR_UNSUPPORTED;
    nn_dtype src_type = r->src_type;
    nn_dtype dst_type = r->dst_type;
    dnnl_memory_desc_t here = p->values[r->node->inputs[0]].places[0].md;
    dnnl_primitive_desc_t pd = NULL;
    if (takes_bytes(p, r->node)) {
        rc = request_bytes(p, r);
        if (!rc)
            rc = make_attr(p, r);
        if (!rc)
            rc = choose(p, r, &here, &pd);
        if (!rc && halves_weights(pd)) {
            dnnl_primitive_desc_destroy(pd);
            rc = FG_ERR_UNSUPPORTED;
        }
    }
    if (rc == FG_ERR_UNSUPPORTED) {
        request_reset(r);
        r->src_type = src_type;
        r->dst_type = dst_type;
        rc = make_attr(p, r);
        if (!rc)
            rc = choose(p, r, &here, &pd);
    }
    if (!rc)
        rc = emit_weighted(p, index, r, pd);
    request_reset(r);
    return rc;
}

fg_code nn_plan_conv(nn_planner *p, int index)
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
    r.dst_type = nn_plan_out_type(p, node);
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
    return rc;
}

fg_code nn_plan_dense(nn_planner *p, int index)
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
    r.dst_type = nn_plan_out_type(p, node);
    return plan_weighted(p, index, &r);
}
