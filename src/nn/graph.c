#include "nn/graph.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void nn_graph_init(nn_graph *graph, const char *path)
{
    *graph = (nn_graph){.path = path, .input = -1};
}

void nn_node_free(nn_node *node)
{
    if (!node)
        return;
    free(node->name);
    free(node->type);
    free(node->weights);
    free(node->bias);
    free(node->scale);
    free(node->q_weights);
    free(node->q_scale);
    free(node);
}

void nn_graph_deinit(nn_graph *graph)
{
    for (int i = 0; i < graph->node_count; i++)
        nn_node_free(graph->nodes[i]);
    for (int i = 0; i < graph->value_count; i++) {
        nn_value *value = &graph->values[i];
        free(value->name);
        nn_tensor_free(value->constant);
    }
    free(graph->nodes);
    free(graph->values);
    free(graph->buckets);
    nn_graph_init(graph, graph->path);
}

void nn_widen(float *out, const int8_t *q, size_t count, const float *scales, size_t rows)
{
    const size_t row = count / rows;
    for (size_t r = 0; r < rows; r++)
        for (size_t i = 0; i < row; i++)
            *out++ = (float)*q++ * scales[r];
}

fg_code nn_node_widen(const nn_graph *graph, nn_node *node, fg_error *err)
{
    if (node->weights || !node->q_weights)
        return FG_OK;
    node->weights = malloc(node->weight_count * sizeof(float));
    if (!node->weights)
        return nn_node_fail(graph, node, err, FG_ERR_MEMORY, "found no memory");
    nn_widen(node->weights, node->q_weights, node->weight_count, node->q_scale, (size_t)node->weight_dims[0]);
    return FG_OK;
}

static uint32_t hash_text(const char *text)
{
    uint32_t h = 2166136261u;
    for (; *text; text++)
        h = (h ^ (uint8_t)*text) * 16777619u;
    return h;
}

/* Open addressing; the table is never more than half full. */
static int *bucket_of(const nn_graph *graph, const char *name)
{
    uint32_t mask = (uint32_t)graph->bucket_count - 1;
    uint32_t at = hash_text(name) & mask;
    while (graph->buckets[at] >= 0 && strcmp(graph->values[graph->buckets[at]].name, name) != 0)
        at = (at + 1) & mask;
    return &graph->buckets[at];
}

static bool grow_buckets(nn_graph *graph)
{
    int count = graph->bucket_count ? graph->bucket_count * 2 : 256;
    int *old = graph->buckets;
    int *buckets = malloc((size_t)count * sizeof *buckets);
    if (!buckets)
        return false;
    memset(buckets, -1, (size_t)count * sizeof *buckets);
    graph->buckets = buckets;
    graph->bucket_count = count;
    for (int i = 0; i < graph->value_count; i++) {
        if (graph->values[i].name[0])
            *bucket_of(graph, graph->values[i].name) = i;
    }
    free(old);
    return true;
}

static fg_code value_add(nn_graph *graph, const char *name, int *value, fg_error *err)
{
    if (graph->value_count >= NN_MAX_VALUES)
        return FG_FAIL(err, FG_ERR_LIMIT, "%s: more than %d tensors", graph->path, NN_MAX_VALUES);
    if (graph->value_count == graph->value_capacity) {
        int capacity = graph->value_capacity ? graph->value_capacity * 2 : 128;
        nn_value *values = realloc(graph->values, (size_t)capacity * sizeof *values);
        if (!values)
            return FG_FAIL(err, FG_ERR_MEMORY, "%s: out of memory", graph->path);
        graph->values = values;
        graph->value_capacity = capacity;
    }
    char *copy = strdup(name);
    if (!copy)
        return FG_FAIL(err, FG_ERR_MEMORY, "%s: out of memory", graph->path);
    *value = graph->value_count++;
    graph->values[*value] = (nn_value){.name = copy, .producer = -1};
    return FG_OK;
}

fg_code nn_graph_value(nn_graph *graph, const char *name, int *value, fg_error *err)
{
    *value = -1;
    if (!*name)
        return FG_FAIL(err, FG_ERR_MODEL, "%s: a tensor without a name", graph->path);
    if (graph->value_count * 2 >= graph->bucket_count && !grow_buckets(graph))
        return FG_FAIL(err, FG_ERR_MEMORY, "%s: out of memory", graph->path);
    int *bucket = bucket_of(graph, name);
    if (*bucket < 0) {
        fg_code rc = value_add(graph, name, value, err);
        if (rc)
            return rc;
        *bucket = *value;
    }
    *value = *bucket;
    return FG_OK;
}

fg_code nn_graph_value_new(nn_graph *graph, int *value, fg_error *err)
{
    *value = -1;
    return value_add(graph, "", value, err);
}

fg_code nn_graph_node(nn_graph *graph, nn_op op, const char *type, const char *name, nn_node **node,
                      fg_error *err)
{
    *node = NULL;
    if (graph->node_count >= FG_MAX_MODEL_NODES)
        return FG_FAIL(err, FG_ERR_LIMIT, "%s: more than %d nodes", graph->path, FG_MAX_MODEL_NODES);
    if (graph->node_count == graph->node_capacity) {
        int capacity = graph->node_capacity ? graph->node_capacity * 2 : 128;
        nn_node **nodes = realloc(graph->nodes, (size_t)capacity * sizeof(nn_node *));
        if (!nodes)
            return FG_FAIL(err, FG_ERR_MEMORY, "%s: out of memory", graph->path);
        graph->nodes = nodes;
        graph->node_capacity = capacity;
    }
    nn_node *made = calloc(1, sizeof *made);
    if (!made)
        return FG_FAIL(err, FG_ERR_MEMORY, "%s: out of memory", graph->path);
    graph->nodes[graph->node_count++] = made;
    made->op = op;
    made->output = -1;
    made->residual = -1;
    made->groups = 1;
    made->name = strdup(name);
    made->type = strdup(type);
    if (!made->name || !made->type)
        return FG_FAIL(err, FG_ERR_MEMORY, "%s: out of memory", graph->path);
    *node = made;
    return FG_OK;
}

fg_code nn_graph_input(nn_graph *graph, nn_node *node, int value, fg_error *err)
{
    if (node->input_count == NN_MAX_INPUTS)
        return nn_node_fail(graph, node, err, FG_ERR_LIMIT, "has more than %d inputs", NN_MAX_INPUTS);
    node->inputs[node->input_count++] = value;
    return FG_OK;
}

fg_code nn_graph_output(nn_graph *graph, int node_index, int value, fg_error *err)
{
    nn_node *node = graph->nodes[node_index];
    nn_value *v = &graph->values[value];
    if (v->producer >= 0 || v->constant || value == graph->input)
        return nn_node_fail(graph, node, err, FG_ERR_MODEL, "writes '%.60s', which something else writes too",
                            v->name);
    node->output = value;
    v->producer = node_index;
    return FG_OK;
}

fg_code nn_node_fail(const nn_graph *graph, const nn_node *node, fg_error *err, fg_code code, const char *fmt,
                     ...)
{
    char what[256];
    va_list args;
    va_start(args, fmt);
    vsnprintf(what, sizeof what, fmt, args);
    va_end(args);
    return fg_fail(err, code, "nn", "%.120s: operator %.40s (node '%.60s') %s", graph->path, node->type,
                   node->name, what);
}

bool nn_shape_equal(const nn_shape *a, const nn_shape *b)
{
    return a->rank == b->rank && memcmp(a->dims, b->dims, (size_t)a->rank * sizeof a->dims[0]) == 0;
}

fg_code nn_shape_count(const nn_shape *shape, size_t *count, const char *what, fg_error *err)
{
    size_t n = 1;
    *count = 0;
    for (int d = 0; d < shape->rank; d++) {
        if (shape->dims[d] < 1 || shape->dims[d] > NN_MAX_DIM)
            return FG_FAIL(err, FG_ERR_MODEL, "%.200s: a dimension of %d; damaged or not for this program",
                           what, shape->dims[d]);
        n *= (size_t)shape->dims[d];
        if (n > NN_MAX_ELEMENTS)
            return FG_FAIL(err, FG_ERR_LIMIT, "%.200s: a tensor of more than %d numbers", what,
                           NN_MAX_ELEMENTS);
    }
    *count = n;
    return FG_OK;
}

static size_t dtype_size(nn_dtype dtype)
{
    static const size_t sizes[] = {[NN_F32] = 4, [NN_I64] = 8, [NN_I8] = 1, [NN_U8] = 1, [NN_BF16] = 2};
    return sizes[dtype];
}

fg_code nn_tensor_new(nn_tensor **tensor, nn_dtype dtype, const int64_t *dims, size_t rank, const char *what,
                      fg_error *err)
{
    nn_tensor *t = NULL;
    nn_shape shape = {0};
    size_t count = 1;
    *tensor = NULL;
    if (rank > FG_MAX_MODEL_DIMS)
        return FG_FAIL(err, FG_ERR_LIMIT, "%.200s: a tensor of more than %d dimensions", what,
                       FG_MAX_MODEL_DIMS);
    shape.rank = (int)rank;
    for (size_t d = 0; d < rank; d++) {
        if (dims[d] < 1 || dims[d] > NN_MAX_DIM)
            return FG_FAIL(err, FG_ERR_MODEL, "%.200s: a dimension of %lld; damaged or not for this program",
                           what, (long long)dims[d]);
        shape.dims[d] = (int)dims[d];
    }
    fg_code rc = nn_shape_count(&shape, &count, what, err);
    if (rc)
        return rc;
    t = calloc(1, sizeof *t);
    if (!t)
        return FG_FAIL(err, FG_ERR_MEMORY, "%.200s: out of memory", what);
    t->dtype = dtype;
    t->shape = shape;
    t->count = count;
    t->data = malloc(count * dtype_size(dtype));
    if (!t->data) {
        free(t);
        return FG_FAIL(err, FG_ERR_MEMORY, "%.200s: out of memory", what);
    }
    *tensor = t;
    return FG_OK;
}

void nn_tensor_free(nn_tensor *tensor)
{
    if (tensor)
        free(tensor->data);
    free(tensor);
}

float *nn_lanes_new(size_t count)
{
    size_t padded = (count + NN_LANES - 1) / NN_LANES * NN_LANES;
    return calloc(padded, sizeof(float));
}

fg_code nn_graph_sort(nn_graph *graph, fg_error *err)
{
    fg_code rc = FG_OK;
    int n = graph->node_count;
    int made = 0;
    int kept = 0;
    int top = 0;
    nn_node **order = calloc((size_t)n + 1, sizeof(nn_node *));
    int *stack = calloc((size_t)n + 1, sizeof *stack);
    int *next = calloc((size_t)n + 1, sizeof *next); /* the input to look at next */
    uint8_t *state = calloc((size_t)n + 1, 1);       /* 0 not seen, 1 on the stack, 2 placed */
    if (!order || !stack || !next || !state) {
        rc = FG_FAIL(err, FG_ERR_MEMORY, "%s: out of memory", graph->path);
        goto done;
    }
    /* Depth first from the outputs, with a stack of our own: a file can chain thousands of nodes. */
    for (int o = 0; o < graph->output_count; o++) {
        int root = graph->values[graph->outputs[o]].producer;
        if (root < 0 || state[root])
            continue;
        stack[top++] = root;
        state[root] = 1;
        while (top) {
            int at = stack[top - 1];
            const nn_node *node = graph->nodes[at];
            int count = node->input_count + (node->residual >= 0);
            if (next[at] == count) {
                state[at] = 2;
                order[made++] = graph->nodes[at];
                top--;
                continue;
            }
            int value = next[at] < node->input_count ? node->inputs[next[at]] : node->residual;
            next[at]++;
            int producer = value < 0 ? -1 : graph->values[value].producer;
            if (producer < 0 || state[producer] == 2)
                continue;
            if (state[producer] == 1) {
                rc = nn_node_fail(graph, graph->nodes[producer], err, FG_ERR_MODEL,
                                  "depends on its own output");
                goto done;
            }
            state[producer] = 1;
            stack[top++] = producer;
        }
    }
    for (int i = 0; i < n; i++) {
        if (state[i] == 2)
            continue;
        if (graph->nodes[i]->output >= 0)
            graph->values[graph->nodes[i]->output].producer = -1;
        nn_node_free(graph->nodes[i]);
    }
    for (; kept < made; kept++) {
        graph->nodes[kept] = order[kept];
        graph->values[order[kept]->output].producer = kept;
    }
    graph->node_count = kept;
done:
    free(order);
    free(stack);
    free(next);
    free(state);
    return rc;
}
