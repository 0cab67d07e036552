#include "nn/plan.h"

#include <stdlib.h>
#include <string.h>

static fg_code no_memory(const nn_planner *p)
{
    return FG_FAIL(p->err, FG_ERR_MEMORY, "%s: out of memory", p->graph->path);
}

fg_code nn_plan_buffer(nn_planner *p, size_t size, int *buffer)
{
    nn_plan *plan = p->plan;
    if (plan->buffer_count == plan->buffer_capacity) {
        int capacity = plan->buffer_capacity ? plan->buffer_capacity * 2 : 32;
        nn_buffer *buffers = realloc(plan->buffers, (size_t)capacity * sizeof *buffers);
        if (!buffers)
            return no_memory(p);
        plan->buffers = buffers;
        plan->buffer_capacity = capacity;
    }
    *buffer = plan->buffer_count++;
    plan->buffers[*buffer] =
        (nn_buffer){.size = (size + 63) / 64 * 64, .first = plan->step_count, .last = plan->step_count};
    return FG_OK;
}

fg_code nn_plan_step(nn_planner *p, nn_step_kind kind, const nn_node *node, nn_step **step)
{
    nn_plan *plan = p->plan;
    if (plan->step_count == plan->step_capacity) {
        int capacity = plan->step_capacity ? plan->step_capacity * 2 : 32;
        nn_step *steps = realloc(plan->steps, (size_t)capacity * sizeof *steps);
        if (!steps)
            return no_memory(p);
        plan->steps = steps;
        plan->step_capacity = capacity;
    }
    *step = &plan->steps[plan->step_count++];
    **step = (nn_step){.kind = kind, .node = node, .src = -1, .src2 = -1, .dst = -1};
    return FG_OK;
}

void nn_plan_touch(nn_planner *p, int buffer)
{
    nn_buffer *b = &p->plan->buffers[buffer];
    int step = p->plan->step_count - 1;
    if (step < b->first)
        b->first = step;
    if (step > b->last)
        b->last = step;
}

fg_code nn_plan_arg(nn_planner *p, int arg, const dnnl_memory_desc_t *md, int buffer, void *data)
{
    nn_plan *plan = p->plan;
    nn_step *step = &plan->steps[plan->step_count - 1];
    if (plan->memory_count == plan->memory_capacity) {
        int capacity = plan->memory_capacity ? plan->memory_capacity * 2 : 64;
        nn_memory *memories = realloc(plan->memories, (size_t)capacity * sizeof *memories);
        if (!memories)
            return no_memory(p);
        plan->memories = memories;
        plan->memory_capacity = capacity;
    }
    if (step->arg_count == NN_STEP_ARGS)
        return FG_FAIL(p->err, FG_ERR_INTERNAL, "%s: a step with too many arguments", p->graph->path);
    nn_memory *memory = &plan->memories[plan->memory_count];
    memory->buffer = buffer;
    dnnl_status_t status =
        dnnl_memory_create(&memory->memory, md, p->run->net->engine, buffer < 0 ? data : DNNL_MEMORY_NONE);
    if (status != dnnl_success)
        return nn_dnnl_fail(p->err, status, p->graph, step->node, "made no memory");
    plan->memory_count++;
    step->args[step->arg_count++] = (dnnl_exec_arg_t){arg, memory->memory};
    if (buffer >= 0)
        nn_plan_touch(p, buffer);
    return FG_OK;
}

fg_code nn_plan_primitive(nn_planner *p, const nn_node *node, dnnl_primitive_desc_t pd, nn_step **step)
{
    fg_code rc = nn_plan_step(p, NN_STEP_PRIMITIVE, node, step);
    if (!rc) {
        dnnl_status_t status = dnnl_primitive_create(&(*step)->primitive, pd);
        if (status != dnnl_success)
            rc = nn_dnnl_fail(p->err, status, p->graph, node, "made no primitive");
    }
    const dnnl_memory_desc_t *scratch = dnnl_primitive_desc_query_md(pd, dnnl_query_scratchpad_md, 0);
    size_t bytes = scratch ? dnnl_memory_desc_get_size(scratch) : 0;
    if (!rc && bytes) {
        nn_buffer *b = &p->plan->buffers[NN_BUFFER_SCRATCH];
        b->size = bytes > b->size ? (bytes + 63) / 64 * 64 : b->size;
        rc = nn_plan_arg(p, DNNL_ARG_SCRATCHPAD, scratch, NN_BUFFER_SCRATCH, NULL);
    }
    dnnl_primitive_desc_destroy(pd);
    return rc;
}

fg_code nn_plan_copy(nn_planner *p, const nn_node *node, const nn_place *from, const nn_place *to)
{
    dnnl_primitive_desc_t pd = NULL;
    nn_step *step = NULL;
    dnnl_engine_t engine = p->run->net->engine;
    dnnl_status_t status =
        dnnl_reorder_primitive_desc_create(&pd, &from->md, engine, &to->md, engine, p->attr);
    if (status != dnnl_success)
        return nn_dnnl_fail(p->err, status, p->graph, node, "has no way between two layouts");
    fg_code rc = nn_plan_primitive(p, node, pd, &step);
    if (!rc)
        rc = nn_plan_arg(p, DNNL_ARG_FROM, &from->md, from->buffer, NULL);
    if (!rc)
        rc = nn_plan_arg(p, DNNL_ARG_TO, &to->md, to->buffer, NULL);
    return rc;
}

static int place_like(const nn_planned *v, const dnnl_memory_desc_t *md)
{
    for (int i = 0; i < 2; i++) {
        if (v->places[i].buffer >= 0 && dnnl_memory_desc_equal(&v->places[i].md, md))
            return i;
    }
    return -1;
}

bool nn_plan_is_bytes(const nn_planner *p, int value)
{
    nn_dtype type = nn_type_of(&p->values[value].places[0].md);
    return type == NN_I8 || type == NN_U8;
}

/* A copy in floats of a value that is there in 8-bit integers. */
static fg_code widen(nn_planner *p, int value)
{
    nn_planned *v = &p->values[value];
    nn_place from = v->places[0];
    nn_step *step = NULL;
    nn_layout layout;
    fg_code rc = FG_OK;
    if (v->places[1].buffer >= 0 && nn_type_of(&v->places[1].md) == p->type)
        return FG_OK;
    if (!nn_layout_of(&from.md, &layout)) {
        nn_shape shape = {
            4, {(int)from.md.dims[0], (int)from.md.dims[1], (int)from.md.dims[2], (int)from.md.dims[3]}};
        from.md = nn_md_nhwc(&shape, nn_type_of(&from.md));
        rc = nn_plan_want(p, value, &from.md, &from.buffer);
        if (!rc && !nn_layout_of(&from.md, &layout))
            rc = FG_FAIL(p->err, FG_ERR_INTERNAL, "%s: layout", p->graph->path);
    }
    nn_place to = {.md = from.md};
    to.md.data_type = nn_dnnl_type(p->type);
    if (!rc)
        rc = nn_plan_buffer(p, dnnl_memory_desc_get_size(&to.md), &to.buffer);
    if (!rc)
        rc = nn_plan_step(p, NN_STEP_DEQUANTISE, NULL, &step);
    if (rc || !step)
        return rc;
    step->layout = layout;
    step->src_type = nn_type_of(&from.md);
    step->dst_type = p->type;
    step->quant = v->quant;
    step->src = from.buffer;
    step->dst = to.buffer;
    nn_plan_touch(p, from.buffer);
    nn_plan_touch(p, to.buffer);
    p->plan->buffers[to.buffer].values = 1;
    v->places[1] = to;
    return FG_OK;
}

fg_code nn_plan_want(nn_planner *p, int value, const dnnl_memory_desc_t *md, int *buffer)
{
    nn_planned *v = &p->values[value];
    int at = place_like(v, md);
    *buffer = -1;
    if (at >= 0) {
        *buffer = v->places[at].buffer;
        return FG_OK;
    }
    nn_place copy = {.md = *md};
    fg_code rc = FG_OK;
    bool widened = nn_plan_is_bytes(p, value) && md->data_type != v->places[0].md.data_type;
    if (widened) {
        rc = widen(p, value);
        if (!rc && place_like(v, md) == 1) {
            *buffer = v->places[1].buffer;
            return FG_OK;
        }
    }
    if (!rc)
        rc = nn_plan_buffer(p, dnnl_memory_desc_get_size(md), &copy.buffer);
    nn_place from = v->places[widened ? 1 : 0];
    /* A flattened image is N x K in name only: its copy takes the same four dimensions. */
    if (!rc && from.md.ndims == 4 && md->ndims == 2) {
        nn_shape shape = {
            4, {(int)from.md.dims[0], (int)from.md.dims[1], (int)from.md.dims[2], (int)from.md.dims[3]}};
        copy.md = nn_md_nchw(&shape, nn_type_of(md));
    } else if (!rc && from.md.ndims == 2 && md->ndims == 4) {
        nn_shape shape = {4, {(int)md->dims[0], (int)md->dims[1], (int)md->dims[2], (int)md->dims[3]}};
        from.md = nn_md_nchw(&shape, nn_type_of(&from.md));
    }
    if (!rc)
        rc = nn_plan_copy(p, NULL, &from, &copy);
    copy.md = *md;
    p->plan->buffers[copy.buffer].values = 1;
    v->places[1] = copy;
    *buffer = copy.buffer;
    return rc;
}

fg_code nn_plan_want_simple(nn_planner *p, int value, nn_place *place, nn_layout *layout)
{
    const nn_planned *v = &p->values[value];
    const nn_shape *shape = &p->shapes[value];
    bool bytes = nn_plan_is_bytes(p, value);
    if (bytes) {
        fg_code wide = widen(p, value);
        if (wide)
            return wide;
    }
    for (int i = bytes ? 1 : 0; i < 2; i++) {
        const nn_place *at = &v->places[i];
        if (at->buffer < 0 || !nn_layout_of(&at->md, layout))
            continue;
        if (shape->rank == 2 && at->md.ndims == 4) {
            /* Flattened; in place as a row if it has only one pixel or lies in the file's order. */
            if (layout->area != 1 && layout->lanes != 1)
                continue;
            if (layout->area == 1 && layout->channels != layout->groups * layout->lanes)
                continue;
            *place = *at;
            place->md = nn_md(shape, nn_type_of(&at->md), dnnl_nc);
            return nn_layout_of(&place->md, layout)
                       ? FG_OK
                       : FG_FAIL(p->err, FG_ERR_INTERNAL, "%s: layout", p->graph->path);
        }
        *place = *at;
        return FG_OK;
    }
    place->md = nn_md_nhwc(shape, nn_type_of(&v->places[bytes ? 1 : 0].md));
    fg_code rc = nn_plan_want(p, value, &place->md, &place->buffer);
    if (!rc && !nn_layout_of(&place->md, layout))
        rc = FG_FAIL(p->err, FG_ERR_INTERNAL, "%s: layout", p->graph->path);
    return rc;
}

bool nn_plan_last_use(const nn_planner *p, int value, int buffer)
{
    return buffer != NN_BUFFER_INPUT && p->values[value].uses_left == 1 &&
           p->plan->buffers[buffer].values == 1;
}

void nn_plan_made(nn_planner *p, int value, const dnnl_memory_desc_t *md, int buffer)
{
    p->values[value].places[0] = (nn_place){*md, buffer};
    p->values[value].places[1].buffer = -1;
    p->plan->buffers[buffer].values++;
}

static void used(nn_planner *p, int value)
{
    nn_planned *v = &p->values[value];
    if (--v->uses_left > 0)
        return;
    for (int i = 0; i < 2; i++) {
        if (v->places[i].buffer >= 0)
            p->plan->buffers[v->places[i].buffer].values--;
    }
}

static void count_uses(nn_planner *p)
{
    const nn_graph *graph = p->graph;
    for (int i = 0; i < graph->value_count; i++) {
        p->values[i].only_f32 = true;
        p->values[i].reader = -1;
        p->values[i].places[0].buffer = p->values[i].places[1].buffer = -1;
    }
    for (int i = 0; i < graph->node_count; i++) {
        const nn_node *node = graph->nodes[i];
        for (int k = 0; k < node->input_count; k++) {
            p->values[node->inputs[k]].uses_left++;
            p->values[node->inputs[k]].only_f32 &= node->op == NN_SOFTMAX;
            p->values[node->inputs[k]].reader = i;
        }
        if (node->residual >= 0) {
            p->values[node->residual].uses_left++;
            p->values[node->residual].only_f32 = false;
        }
    }
    for (int o = 0; o < graph->output_count; o++)
        p->values[graph->outputs[o]].uses_left++;
    for (int i = 0; i < graph->value_count; i++) {
        if (p->values[i].uses_left != 1)
            p->values[i].reader = -1;
    }
    /* Backwards, from the layers with 8-bit weights through what leaves integers as they are. */
    for (int i = graph->node_count - 1; i >= 0 && p->int8; i--) {
        const nn_node *node = graph->nodes[i];
        bool keeps = node->op == NN_MAXPOOL || node->op == NN_FLATTEN || node->op == NN_FAKEQUANT;
        if (node->q_weights || (keeps && p->values[node->output].wants_bytes))
            p->values[node->inputs[0]].wants_bytes = true;
    }
}

static fg_code plan_outputs(nn_planner *p)
{
    fg_code rc = FG_OK;
    for (int o = 0; o < p->graph->output_count && !rc; o++) {
        int value = p->graph->outputs[o];
        dnnl_memory_desc_t md = nn_md_nchw(&p->shapes[value], NN_F32);
        int buffer = -1;
        rc = nn_plan_want(p, value, &md, &buffer);
        if (rc)
            break;
        /* Kept until the next run: its life ends behind the last step. */
        p->plan->outputs[o] = buffer;
        p->plan->output_shapes[o] = p->shapes[value];
        p->plan->buffers[buffer].last = INT32_MAX;
    }
    return rc;
}

static int larger_first(const void *a, const void *b)
{
    const nn_buffer *x = *(nn_buffer *const *)a;
    const nn_buffer *y = *(nn_buffer *const *)b;
    if (x->size != y->size)
        return x->size > y->size ? -1 : 1;
    return (x > y) - (x < y);
}

/* First fit, the largest first: each buffer goes to the lowest place that is free during its life. */
static fg_code place_buffers(nn_planner *p)
{
    nn_plan *plan = p->plan;
    size_t end = 0;
    int count = 0;
    nn_buffer **order = calloc((size_t)plan->buffer_count, sizeof(nn_buffer *));
    if (!order)
        return no_memory(p);
    plan->buffers[NN_BUFFER_SCRATCH].first = 0;
    plan->buffers[NN_BUFFER_SCRATCH].last = INT32_MAX;
    for (int i = NN_BUFFER_SCRATCH; i < plan->buffer_count; i++)
        order[count++] = &plan->buffers[i];
    qsort(order, (size_t)count, sizeof(nn_buffer *), larger_first);
    for (int i = 0; i < count; i++) {
        size_t at = 0;
        for (bool moved = true; moved;) {
            moved = false;
            for (int k = 0; k < i; k++) {
                const nn_buffer *other = order[k];
                bool alive = other->first <= order[i]->last && order[i]->first <= other->last;
                if (alive && at < other->offset + other->size && other->offset < at + order[i]->size) {
                    at = other->offset + other->size;
                    moved = true;
                }
            }
        }
        order[i]->offset = at;
        end = at + order[i]->size > end ? at + order[i]->size : end;
    }
    free(order);
    plan->arena_bytes = end;
    if (end > NN_MAX_ARENA_BYTES)
        return FG_FAIL(p->err, FG_ERR_LIMIT, "%s: an input of %d x %d x %d needs more than %llu MB",
                       p->graph->path, plan->batch, plan->height, plan->width, NN_MAX_ARENA_BYTES >> 20);
    return FG_OK;
}

static fg_code start(nn_planner *p)
{
    int buffer = -1;
    fg_code rc = FG_OK;
    dnnl_status_t status = dnnl_primitive_attr_create(&p->attr);
    if (status == dnnl_success)
        status = dnnl_primitive_attr_set_scratchpad_mode(p->attr, dnnl_scratchpad_mode_user);
    if (status != dnnl_success)
        return nn_dnnl_fail(p->err, status, p->graph, NULL, "made no attributes");
    count_uses(p);
    for (int i = 0; i < NN_BUFFER_FIRST && !rc; i++)
        rc = nn_plan_buffer(p, 0, &buffer);
    if (!rc) {
        dnnl_memory_desc_t md = nn_md_nhwc(&p->shapes[p->graph->input], NN_F32);
        nn_plan_made(p, p->graph->input, &md, NN_BUFFER_INPUT);
    }
    return rc;
}

fg_code nn_plan_new(nn_plan **plan, fg_net_run *run, int batch, int height, int width, fg_error *err)
{
    const nn_graph *graph = &run->net->graph;
    nn_planner p = {.run = run,
                    .graph = graph,
                    .err = err,
                    .type = run->net->info.precision == FG_PRECISION_BF16 ? NN_BF16 : NN_F32,
                    .int8 = run->net->info.precision == FG_PRECISION_INT8};
    fg_code rc = FG_OK;
    *plan = NULL;
    p.plan = calloc(1, sizeof *p.plan);
    p.values = calloc((size_t)graph->value_count, sizeof *p.values);
    p.shapes = calloc((size_t)graph->value_count, sizeof *p.shapes);
    if (!p.plan || !p.values || !p.shapes) {
        rc = no_memory(&p);
        goto done;
    }
    p.plan->batch = batch;
    p.plan->height = height;
    p.plan->width = width;
    rc = nn_graph_infer(graph, batch, height, width, p.shapes, &p.plan->macs, err);
    if (!rc && p.plan->macs > NN_MAX_MACS)
        rc = FG_FAIL(err, FG_ERR_LIMIT, "%s: an input of %d x %d x %d needs more than %llu multiplications",
                     graph->path, batch, height, width, NN_MAX_MACS);
    if (!rc)
        rc = start(&p);
    for (int i = 0; i < graph->node_count && !rc; i++) {
        const nn_node *node = graph->nodes[i];
        rc = nn_plan_node(&p, i);
        for (int k = 0; k < node->input_count && !rc; k++)
            used(&p, node->inputs[k]);
        if (!rc && node->residual >= 0)
            used(&p, node->residual);
    }
    if (!rc)
        rc = plan_outputs(&p);
    if (!rc)
        rc = place_buffers(&p);
    if (rc)
        goto done;
    *plan = p.plan;
    p.plan = NULL;
done:
    if (p.attr)
        dnnl_primitive_attr_destroy(p.attr);
    free(p.values);
    free(p.shapes);
    nn_plan_free(p.plan);
    return rc;
}

void nn_plan_free(nn_plan *plan)
{
    if (!plan)
        return;
    for (int i = 0; i < plan->step_count; i++) {
        if (plan->steps[i].primitive)
            dnnl_primitive_destroy(plan->steps[i].primitive);
    }
    for (int i = 0; i < plan->memory_count; i++)
        dnnl_memory_destroy(plan->memories[i].memory);
    for (int i = 0; i < plan->number_count; i++)
        free(plan->numbers[i]);
    free(plan->numbers);
    free(plan->steps);
    free(plan->buffers);
    free(plan->memories);
    free(plan);
}
