#include "nn/graph.h"

#include <stdlib.h>

typedef struct fusing {
    nn_graph *graph;
    int *uses; /* of each value, by nodes and as outputs */
    const nn_shape *shapes;
} fusing;

static nn_node *producer_of(const fusing *f, int value)
{
    int producer = f->graph->values[value].producer;
    return producer < 0 ? NULL : f->graph->nodes[producer];
}

/* The convolution or dense layer that makes this value for one reader only and is open for an addition behind
 * it. */
static nn_node *open_producer(const fusing *f, int value)
{
    nn_node *p = producer_of(f, value);
    if (!p || (p->op != NN_CONV && p->op != NN_DENSE) || p->act != NN_ACT_NONE || f->uses[value] != 1)
        return NULL;
    return p;
}

/* The producer takes over the node's output. */
static void absorb(fusing *f, nn_node *producer, int producer_index, nn_node *node)
{
    f->graph->values[producer->output].producer = -1;
    producer->output = node->output;
    f->graph->values[node->output].producer = producer_index;
    node->op = NN_REMOVED;
    node->output = -1;
    node->input_count = 0;
    node->residual = -1;
}

static void fold_behind(const nn_node *affine, nn_node *target)
{
    size_t row = target->weight_count / (size_t)target->weight_dims[0];
    for (int o = 0; o < target->weight_dims[0]; o++) {
        for (size_t i = 0; i < row && target->weights; i++)
            target->weights[(size_t)o * row + i] *= affine->scale[o];
        if (target->q_scale)
            target->q_scale[o] *= affine->scale[o];
        target->bias[o] = target->bias[o] * affine->scale[o] + affine->bias[o];
    }
}

/* Zeros that pad the input are not shifted, so a shift can only pass a window without padding. */
static fg_code fold_before(const nn_graph *graph, const nn_node *affine, nn_node *target, bool *folded,
                           fg_error *err)
{
    const nn_window *w = &target->window;
    bool padded = target->op == NN_CONV && (w->begin[0] || w->begin[1] || w->end[0] || w->end[1] ||
                                            (w->autopad != NN_PAD_EXPLICIT && w->autopad != NN_PAD_VALID));
    *folded = false;
    for (int c = 0; padded && c < affine->channels; c++) {
        if (affine->bias[c] != 0.0f)
            return FG_OK;
    }
    fg_code rc = nn_node_widen(graph, target, err); /* integers have no scale for each input */
    if (rc)
        return rc;
    size_t inputs = (size_t)target->weight_dims[1];
    size_t window = target->weight_count / (size_t)target->weight_dims[0] / inputs;
    size_t group_outputs = (size_t)(target->weight_dims[0] / target->groups);
    float *weight = target->weights;
    for (size_t o = 0; o < (size_t)target->weight_dims[0]; o++) {
        double shift = 0.0;
        for (size_t i = 0; i < inputs; i++) {
            size_t c = o / group_outputs * inputs + i;
            for (size_t k = 0; k < window; k++, weight++) {
                shift += (double)*weight * (double)affine->bias[c];
                *weight *= affine->scale[c];
            }
        }
        target->bias[o] += (float)shift;
    }
    free(target->q_weights);
    target->q_weights = NULL;
    *folded = true;
    return FG_OK;
}

static bool uniform(const nn_node *prelu)
{
    for (int c = 1; c < prelu->channels; c++) {
        if (prelu->bias[c] != prelu->bias[0])
            return false;
    }
    return true;
}

static void fuse_sum(fusing *f, nn_node *add)
{
    int best = -1;
    if (!nn_shape_equal(&f->shapes[add->inputs[0]], &f->shapes[add->inputs[1]]) ||
        add->inputs[0] == add->inputs[1])
        return;
    /* Of two candidates the later one: it takes the place of the sum, and the other is computed by then. */
    for (int i = 0; i < 2; i++) {
        const nn_node *p = open_producer(f, add->inputs[i]);
        if (p && p->residual < 0 &&
            (best < 0 || f->graph->values[p->output].producer > f->graph->values[add->inputs[best]].producer))
            best = i;
    }
    if (best < 0)
        return;
    int conv_index = f->graph->values[add->inputs[best]].producer;
    int add_index = f->graph->values[add->output].producer;
    nn_node *conv = f->graph->nodes[conv_index];
    conv->residual = add->inputs[1 - best];
    absorb(f, conv, add_index, add);
    f->graph->nodes[conv_index] = add;
    f->graph->nodes[add_index] = conv;
}

static fg_code fuse_node(fusing *f, nn_node *node, fg_error *err)
{
    nn_node *p = NULL;
    bool folded = false;
    fg_code rc = FG_OK;
    switch (node->op) {
    case NN_AFFINE:
        p = open_producer(f, node->inputs[0]);
        if (p && p->residual < 0) {
            fold_behind(node, p);
            absorb(f, p, f->graph->values[p->output].producer, node);
        }
        break;
    case NN_PRELU:
        if (uniform(node)) {
            node->op = NN_RELU;
            node->alpha = node->bias[0];
        } else {
            break;
        }
        /* fall through */
    case NN_RELU:
    case NN_SIGMOID:
    case NN_CLIP:
        p = open_producer(f, node->inputs[0]);
        if (p) {
            p->act = node->op == NN_RELU      ? NN_ACT_RELU
                     : node->op == NN_SIGMOID ? NN_ACT_SIGMOID
                                              : NN_ACT_CLIP;
            p->alpha = node->alpha;
            p->beta = node->beta;
            absorb(f, p, f->graph->values[p->output].producer, node);
        }
        break;
    case NN_ADD:
        fuse_sum(f, node);
        break;
    case NN_CONV:
    case NN_DENSE:
        p = producer_of(f, node->inputs[0]);
        if (p && p->op == NN_AFFINE && f->uses[node->inputs[0]] == 1)
            rc = fold_before(f->graph, p, node, &folded, err);
        if (folded)
            node->inputs[0] = p->inputs[0];
        break;
    default:
        break;
    }
    return rc;
}

fg_code nn_graph_fuse(nn_graph *graph, int height, int width, fg_error *err)
{
    fusing f = {.graph = graph};
    fg_code rc = FG_OK;
    nn_shape *shapes = calloc((size_t)graph->value_count, sizeof *shapes);
    f.uses = calloc((size_t)graph->value_count, sizeof *f.uses);
    if (!shapes || !f.uses) {
        rc = FG_FAIL(err, FG_ERR_MEMORY, "%s: out of memory", graph->path);
        goto done;
    }
    f.shapes = shapes;
    rc = nn_graph_infer(graph, 1, height, width, shapes, NULL, err);
    if (rc)
        goto done;
    for (int i = 0; i < graph->node_count; i++) {
        for (int k = 0; k < graph->nodes[i]->input_count; k++)
            f.uses[graph->nodes[i]->inputs[k]]++;
    }
    for (int o = 0; o < graph->output_count; o++)
        f.uses[graph->outputs[o]]++;
    for (int i = 0; i < graph->node_count && !rc; i++)
        rc = fuse_node(&f, graph->nodes[i], err);
    if (!rc)
        rc = nn_graph_sort(graph, err);
done:
    free(shapes);
    free(f.uses);
    return rc;
}
