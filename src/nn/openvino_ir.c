/* OpenVINO IR, versions 10 and 11: layers and edges in XML, numbers in a .bin file beside it
 * (docs.openvino.ai, "Operation Sets"). No document type is accepted, so no entity can expand. */
#include "base/half.h"
#include "nn/graph.h"

#include <errno.h>
#include <expat.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    MAX_DEPTH = 16,
    MAX_LAYERS = 4 * FG_MAX_MODEL_NODES,
    MAX_PORTS = NN_MAX_INPUTS,
    MAX_EDGES = 4 * MAX_LAYERS
};

typedef struct data_attribute {
    char *name, *value;
} data_attribute;

typedef struct layer {
    long id;
    char *name, *type;
    data_attribute attributes[20];
    int attribute_count;
    int value; /* in the graph; -1 until made */
    long inputs[MAX_PORTS];
    int input_count;
} layer;

typedef struct edge {
    long from, to, to_port;
} edge;

typedef struct reader {
    nn_graph *graph;
    XML_Parser parser;
    fg_error *err;
    fg_code rc;
    int depth;
    char path[MAX_DEPTH * 16]; /* names of the open elements: net/layers/layer */
    size_t ends[MAX_DEPTH];    /* of each name in it */
    layer **layers;
    int layer_count, layer_capacity;
    edge *edges;
    int edge_count, edge_capacity;
    bool named; /* the document is a <net> */
    const uint8_t *weights;
    size_t weights_size;
} reader;

static const struct {
    const char *name;
    nn_op op;
    int min_inputs, max_inputs;
} operators[] = {
    {"Add", NN_ADD, 2, 2},
    {"AvgPool", NN_AVGPOOL, 1, 1},
    {"Clamp", NN_CLIP, 1, 1},
    {"Concat", NN_CONCAT, 1, NN_MAX_INPUTS},
    {"Convert", NN_CAST, 1, 1},
    {"Convolution", NN_CONV, 2, 2},
    {"Divide", NN_DIV, 2, 2},
    {"GroupConvolution", NN_CONV, 2, 2},
    {"MatMul", NN_MATMUL, 2, 2},
    {"MaxPool", NN_MAXPOOL, 1, 1},
    {"Multiply", NN_MUL, 2, 2},
    {"PReLU", NN_PRELU, 2, 2},
    {"ReLU", NN_RELU, 1, 1},
    {"ReduceMean", NN_REDUCEMEAN, 2, 2},
    {"Reshape", NN_RESHAPE, 2, 2},
    {"Sigmoid", NN_SIGMOID, 1, 1},
    {"SoftMax", NN_SOFTMAX, 1, 1},
    {"Softmax", NN_SOFTMAX, 1, 1},
    {"Squeeze", NN_SQUEEZE, 1, 2},
    {"Subtract", NN_SUB, 2, 2},
    {"Transpose", NN_TRANSPOSE, 2, 2},
    {"Unsqueeze", NN_UNSQUEEZE, 2, 2},
};

#define DAMAGED(path) "%s: not an OpenVINO IR, or a damaged one (%s); fetch it again", (path)

static void layer_free(layer *l)
{
    if (!l)
        return;
    for (int i = 0; i < l->attribute_count; i++) {
        free(l->attributes[i].name);
        free(l->attributes[i].value);
    }
    free(l->name);
    free(l->type);
    free(l);
}

static void stop(reader *r, fg_code rc)
{
    if (!r->rc)
        r->rc = rc;
    XML_StopParser(r->parser, XML_FALSE);
}

static const char *xml_attribute(const XML_Char **attributes, const char *name)
{
    for (; *attributes; attributes += 2) {
        if (strcmp(attributes[0], name) == 0)
            return attributes[1];
    }
    return NULL;
}

static bool number_of(const char *text, long low, long high, long *number)
{
    char *end = NULL;
    if (!text)
        return false;
    errno = 0;
    *number = strtol(text, &end, 10);
    return end != text && !*end && !errno && *number >= low && *number <= high;
}

static fg_code add_layer(reader *r, const XML_Char **attributes)
{
    const char *name = xml_attribute(attributes, "name");
    const char *type = xml_attribute(attributes, "type");
    long id = 0;
    const char *path = r->graph->path;
    if (!name || !type || !number_of(xml_attribute(attributes, "id"), 0, 1L << 30, &id))
        return FG_FAIL(r->err, FG_ERR_MODEL, DAMAGED(path), "a layer without id, name or type");
    if (r->layer_count >= MAX_LAYERS)
        return FG_FAIL(r->err, FG_ERR_LIMIT, "%s: more than %d layers", path, MAX_LAYERS);
    if (r->layer_count == r->layer_capacity) {
        int capacity = r->layer_capacity ? r->layer_capacity * 2 : 64;
        layer **layers = realloc(r->layers, (size_t)capacity * sizeof(layer *));
        if (!layers)
            return FG_FAIL(r->err, FG_ERR_MEMORY, "%s: out of memory", path);
        r->layers = layers;
        r->layer_capacity = capacity;
    }
    layer *l = calloc(1, sizeof *l);
    if (!l)
        return FG_FAIL(r->err, FG_ERR_MEMORY, "%s: out of memory", path);
    r->layers[r->layer_count++] = l;
    l->id = id;
    l->value = -1;
    l->name = strdup(name);
    l->type = strdup(type);
    if (!l->name || !l->type)
        return FG_FAIL(r->err, FG_ERR_MEMORY, "%s: out of memory", path);
    return FG_OK;
}

static fg_code add_data(reader *r, const XML_Char **attributes)
{
    layer *l = r->layers[r->layer_count - 1];
    for (; *attributes; attributes += 2) {
        if (l->attribute_count == (int)(sizeof l->attributes / sizeof l->attributes[0]))
            return FG_FAIL(r->err, FG_ERR_LIMIT, "%s: layer '%.60s' has too many attributes", r->graph->path,
                           l->name);
        data_attribute *a = &l->attributes[l->attribute_count++];
        a->name = strdup(attributes[0]);
        a->value = strdup(attributes[1]);
        if (!a->name || !a->value)
            return FG_FAIL(r->err, FG_ERR_MEMORY, "%s: out of memory", r->graph->path);
    }
    return FG_OK;
}

static fg_code add_port(reader *r, const XML_Char **attributes)
{
    layer *l = r->layers[r->layer_count - 1];
    long id = 0;
    if (!number_of(xml_attribute(attributes, "id"), 0, 1L << 30, &id))
        return FG_FAIL(r->err, FG_ERR_MODEL, DAMAGED(r->graph->path), "a port without id");
    if (l->input_count == MAX_PORTS)
        return FG_FAIL(r->err, FG_ERR_LIMIT, "%s: layer '%.60s' has more than %d inputs", r->graph->path,
                       l->name, MAX_PORTS);
    l->inputs[l->input_count++] = id;
    return FG_OK;
}

static fg_code add_edge(reader *r, const XML_Char **attributes)
{
    edge e;
    if (!number_of(xml_attribute(attributes, "from-layer"), 0, 1L << 30, &e.from) ||
        !number_of(xml_attribute(attributes, "to-layer"), 0, 1L << 30, &e.to) ||
        !number_of(xml_attribute(attributes, "to-port"), 0, 1L << 30, &e.to_port))
        return FG_FAIL(r->err, FG_ERR_MODEL, DAMAGED(r->graph->path), "an edge without ends");
    if (r->edge_count >= MAX_EDGES)
        return FG_FAIL(r->err, FG_ERR_LIMIT, "%s: more than %d edges", r->graph->path, MAX_EDGES);
    if (r->edge_count == r->edge_capacity) {
        int capacity = r->edge_capacity ? r->edge_capacity * 2 : 256;
        edge *edges = realloc(r->edges, (size_t)capacity * sizeof *edges);
        if (!edges)
            return FG_FAIL(r->err, FG_ERR_MEMORY, "%s: out of memory", r->graph->path);
        r->edges = edges;
        r->edge_capacity = capacity;
    }
    r->edges[r->edge_count++] = e;
    return FG_OK;
}

static void XMLCALL on_start(void *context, const XML_Char *name, const XML_Char **attributes)
{
    reader *r = context;
    fg_code rc = FG_OK;
    if (r->depth == MAX_DEPTH) {
        stop(r,
             FG_FAIL(r->err, FG_ERR_LIMIT, "%s: elements nested deeper than %d", r->graph->path, MAX_DEPTH));
        return;
    }
    if (r->depth == 0) {
        long version = 0;
        r->named = strcmp(name, "net") == 0;
        if (!r->named)
            rc = FG_FAIL(r->err, FG_ERR_MODEL, DAMAGED(r->graph->path), "no <net>");
        else if (!number_of(xml_attribute(attributes, "version"), 10, 11, &version))
            rc = FG_FAIL(r->err, FG_ERR_UNSUPPORTED, "%s: an OpenVINO IR of another version than 10 or 11",
                         r->graph->path);
    } else if (strcmp(name, "layer") == 0 && strcmp(r->path, "net/layers") == 0) {
        rc = add_layer(r, attributes);
    } else if (strcmp(name, "data") == 0 && strcmp(r->path, "net/layers/layer") == 0) {
        rc = add_data(r, attributes);
    } else if (strcmp(name, "port") == 0 && strcmp(r->path, "net/layers/layer/input") == 0) {
        rc = add_port(r, attributes);
    } else if (strcmp(name, "edge") == 0 && strcmp(r->path, "net/edges") == 0) {
        rc = add_edge(r, attributes);
    }
    size_t end = r->depth ? r->ends[r->depth - 1] : 0;
    int added = snprintf(r->path + end, 16, "%s%.14s", r->depth ? "/" : "", name);
    r->ends[r->depth++] = end + (size_t)added;
    if (rc)
        stop(r, rc);
}

static void XMLCALL on_end(void *context, const XML_Char *name)
{
    reader *r = context;
    (void)name;
    r->depth--;
    r->path[r->depth ? r->ends[r->depth - 1] : 0] = '\0';
}

static void XMLCALL on_doctype(void *context, const XML_Char *name, const XML_Char *system,
                               const XML_Char *public, int internal)
{
    reader *r = context;
    (void)name;
    (void)system;
    (void)public;
    (void)internal;
    stop(r, FG_FAIL(r->err, FG_ERR_MODEL, DAMAGED(r->graph->path), "a document type"));
}

static const char *data_of(const layer *l, const char *name)
{
    for (int i = 0; i < l->attribute_count; i++) {
        if (strcmp(l->attributes[i].name, name) == 0)
            return l->attributes[i].value;
    }
    return "";
}

/* "1, 3, 128, 128"; an empty text is no number at all. Returns -1 where it is not such a list. */
static int number_list(const char *text, int64_t *out, int capacity)
{
    int count = 0;
    while (*text == ' ')
        text++;
    while (*text) {
        char *end = NULL;
        errno = 0;
        long long v = strtoll(text, &end, 10);
        if (end == text || errno || count == capacity)
            return -1;
        out[count++] = v;
        text = end + strspn(end, " ,");
    }
    return count;
}

static fg_code layer_fail(const reader *r, const layer *l, fg_code code, const char *what)
{
    return FG_FAIL(r->err, code, "%s: operator %.40s (node '%.60s') %s", r->graph->path, l->type, l->name,
                   what);
}

static fg_code read_const(reader *r, const layer *l, nn_tensor **tensor)
{
    static const struct {
        const char *name;
        size_t size;
        nn_dtype dtype;
    } types[] = {{"f32", 4, NN_F32}, {"f16", 2, NN_F32}, {"i64", 8, NN_I64},
                 {"i32", 4, NN_I64}, {"i8", 1, NN_I8},   {"u8", 1, NN_U8}};
    int64_t dims[FG_MAX_MODEL_DIMS];
    int64_t offset = 0;
    int64_t size = 0;
    int rank = number_list(data_of(l, "shape"), dims, FG_MAX_MODEL_DIMS);
    size_t type = 0;
    while (type < sizeof types / sizeof types[0] && strcmp(types[type].name, data_of(l, "element_type")) != 0)
        type++;
    if (type == sizeof types / sizeof types[0])
        return layer_fail(r, l, FG_ERR_UNSUPPORTED, "has an unknown element_type");
    if (rank < 0 || number_list(data_of(l, "offset"), &offset, 1) != 1 ||
        number_list(data_of(l, "size"), &size, 1) != 1)
        return layer_fail(r, l, FG_ERR_MODEL, "lacks shape, offset or size");
    if (offset < 0 || size < 0 || (uint64_t)offset > r->weights_size ||
        (uint64_t)size > r->weights_size - (uint64_t)offset)
        return layer_fail(r, l, FG_ERR_MODEL, "points outside the .bin file; fetch both files again");
    uint64_t count = 1;
    for (int d = 0; d < rank; d++) {
        if (dims[d] < 1 || dims[d] > NN_MAX_DIM || count > (uint64_t)size)
            return layer_fail(r, l, FG_ERR_MODEL, "has a shape that does not fit its size");
        count *= (uint64_t)dims[d];
    }
    if (count * types[type].size != (uint64_t)size)
        return layer_fail(r, l, FG_ERR_MODEL, "has a shape that does not fit its size");
    fg_code rc = nn_tensor_new(tensor, types[type].dtype, dims, (size_t)rank, r->graph->path, r->err);
    if (rc)
        return rc;
    nn_tensor *t = *tensor;
    const uint8_t *p = r->weights + offset;
    for (size_t i = 0; i < t->count; i++, p += types[type].size) {
        uint64_t bits = 0;
        for (size_t b = types[type].size; b-- > 0;)
            bits = bits << 8 | p[b];
        uint32_t low = (uint32_t)bits;
        if (types[type].size == 1)
            t->u8[i] = (uint8_t)bits;
        else if (types[type].dtype == NN_I64)
            t->i64[i] = types[type].size == 8 ? (int64_t)bits : (int32_t)low;
        else if (types[type].size == 2)
            t->f32[i] = fg_half_to_float((uint16_t)bits);
        else
            memcpy(&t->f32[i], &low, sizeof low);
    }
    return FG_OK;
}

static bool pair_of(const layer *l, const char *name, int pair[2])
{
    int64_t v[2];
    if (!*data_of(l, name))
        return true;
    if (number_list(data_of(l, name), v, 2) != 2 || v[0] < 0 || v[1] < 0 || v[0] > NN_MAX_DIM ||
        v[1] > NN_MAX_DIM)
        return false;
    pair[0] = (int)v[0];
    pair[1] = (int)v[1];
    return true;
}

static fg_code read_attributes(const reader *r, const layer *l, nn_node *node)
{
    nn_window *w = &node->window;
    const char *autopad = data_of(l, "auto_pad");
    int64_t axis = 1;
    w->stride[0] = w->stride[1] = w->dilation[0] = w->dilation[1] = 1;
    if (!pair_of(l, "kernel", w->kernel) || !pair_of(l, "strides", w->stride) ||
        !pair_of(l, "dilations", w->dilation) || !pair_of(l, "pads_begin", w->begin) ||
        !pair_of(l, "pads_end", w->end))
        return layer_fail(r, l, FG_ERR_UNSUPPORTED, "has a window that is not of an image");
    if (strcmp(autopad, "valid") == 0)
        w->autopad = NN_PAD_VALID;
    else if (strcmp(autopad, "same_upper") == 0)
        w->autopad = NN_PAD_SAME_UPPER;
    else if (strcmp(autopad, "same_lower") == 0)
        w->autopad = NN_PAD_SAME_LOWER;
    else if (*autopad && strcmp(autopad, "explicit") != 0 && strcmp(autopad, "notset") != 0)
        return layer_fail(r, l, FG_ERR_UNSUPPORTED, "has an unknown auto_pad");
    w->ceil = strcmp(data_of(l, "rounding_type"), "ceil") == 0;
    w->count_pad = strcmp(data_of(l, "exclude-pad"), "false") == 0;
    node->groups = strcmp(l->type, "GroupConvolution") == 0 ? 0 : 1;
    if (*data_of(l, "axis") && (number_list(data_of(l, "axis"), &axis, 1) != 1 || axis < -FG_MAX_MODEL_DIMS ||
                                axis > FG_MAX_MODEL_DIMS))
        return layer_fail(r, l, FG_ERR_MODEL, "has an axis that makes no sense");
    node->axis = (int)axis;
    node->trans_a = strcmp(data_of(l, "transpose_a"), "true") == 0;
    node->trans_b = strcmp(data_of(l, "transpose_b"), "true") == 0;
    node->keep_dims = strcmp(data_of(l, "keep_dims"), "true") == 0;
    node->zero_copies = strcmp(data_of(l, "special_zero"), "true") == 0;
    if (node->op == NN_CLIP) {
        node->alpha = strtof(data_of(l, "min"), NULL);
        node->beta = strtof(data_of(l, "max"), NULL);
        node->has_low = node->has_high = true;
    }
    if (node->op == NN_CAST) {
        const char *to = data_of(l, "destination_type");
        if (to[0] != 'f' && strcmp(to, "i64") != 0 && strcmp(to, "i32") != 0)
            return layer_fail(r, l, FG_ERR_UNSUPPORTED, "converts to an unknown type");
        node->to = to[0] == 'f' ? NN_F32 : NN_I64;
        node->has_to = true;
    }
    return FG_OK;
}

static fg_code read_parameter(reader *r, const layer *l)
{
    nn_graph *graph = r->graph;
    int64_t dims[4];
    if (graph->input >= 0)
        return layer_fail(r, l, FG_ERR_UNSUPPORTED, "is a second input; only one is known");
    if (number_list(data_of(l, "shape"), dims, 4) != 4 || dims[1] < 1)
        return layer_fail(r, l, FG_ERR_UNSUPPORTED, "is an input that is not N,C,H,W");
    for (int d = 0; d < 4; d++) {
        if (dims[d] > NN_MAX_DIM)
            return layer_fail(r, l, FG_ERR_LIMIT, "is too large");
        graph->input_dims[d] = dims[d] > 0 ? (int)dims[d] : 0;
    }
    graph->input = l->value;
    return FG_OK;
}

static int by_id(const void *a, const void *b)
{
    long x = (*(layer *const *)a)->id;
    long y = (*(layer *const *)b)->id;
    return (x > y) - (x < y);
}

static int by_target(const void *a, const void *b)
{
    const edge *x = a;
    const edge *y = b;
    if (x->to != y->to)
        return x->to < y->to ? -1 : 1;
    return (x->to_port > y->to_port) - (x->to_port < y->to_port);
}

static layer *find_layer(const reader *r, long id)
{
    layer key = {.id = id};
    const layer *k = &key;
    layer **found = bsearch(&k, r->layers, (size_t)r->layer_count, sizeof(layer *), by_id);
    return found ? *found : NULL;
}

/* The value that arrives at an input port. */
static fg_code input_value(const reader *r, const layer *l, int port, int *value)
{
    edge key = {.to = l->id, .to_port = l->inputs[port]};
    const edge *e = bsearch(&key, r->edges, (size_t)r->edge_count, sizeof key, by_target);
    const layer *from = e ? find_layer(r, e->from) : NULL;
    if (!from || from->value < 0)
        return layer_fail(r, l, FG_ERR_MODEL, "has an input that no edge leads to");
    *value = from->value;
    return FG_OK;
}

static fg_code read_layer(reader *r, const layer *l)
{
    nn_graph *graph = r->graph;
    nn_node *node = NULL;
    size_t at = 0;
    int value = -1;
    fg_code rc = FG_OK;
    if (strcmp(l->type, "Parameter") == 0)
        return read_parameter(r, l);
    if (strcmp(l->type, "Const") == 0)
        return read_const(r, l, &graph->values[l->value].constant);
    if (strcmp(l->type, "Result") == 0) {
        if (l->input_count != 1)
            return layer_fail(r, l, FG_ERR_MODEL, "needs one input");
        if (graph->output_count == (int)(sizeof graph->outputs / sizeof graph->outputs[0]))
            return layer_fail(r, l, FG_ERR_UNSUPPORTED, "is one output too many; at most 8 are known");
        rc = input_value(r, l, 0, &value);
        if (rc)
            return rc;
        graph->outputs[graph->output_count] = value;
        snprintf(graph->output_names[graph->output_count++], sizeof graph->output_names[0], "%s", l->name);
        return FG_OK;
    }
    while (at < sizeof operators / sizeof operators[0] && strcmp(operators[at].name, l->type) != 0)
        at++;
    if (at == sizeof operators / sizeof operators[0])
        return layer_fail(r, l, FG_ERR_UNSUPPORTED, "is not known");
    if (l->input_count < operators[at].min_inputs || l->input_count > operators[at].max_inputs)
        return layer_fail(r, l, FG_ERR_MODEL, "has another number of inputs than it needs");
    rc = nn_graph_node(graph, operators[at].op, l->type, l->name, &node, r->err);
    if (!rc)
        rc = read_attributes(r, l, node);
    for (int i = 0; i < l->input_count && !rc; i++) {
        rc = input_value(r, l, i, &value);
        if (!rc)
            rc = nn_graph_input(graph, node, value, r->err);
    }
    return rc ? rc : nn_graph_output(graph, graph->node_count - 1, l->value, r->err);
}

static fg_code build(reader *r)
{
    fg_code rc = FG_OK;
    r->graph->prelu_by_channel = true;
    if (!r->layer_count || !r->edge_count)
        return FG_FAIL(r->err, FG_ERR_MODEL, DAMAGED(r->graph->path), "no layers or no edges");
    qsort(r->layers, (size_t)r->layer_count, sizeof(layer *), by_id);
    for (int i = 1; i < r->layer_count; i++) {
        if (r->layers[i]->id == r->layers[i - 1]->id)
            return layer_fail(r, r->layers[i], FG_ERR_MODEL, "has the id of another layer");
    }
    qsort(r->edges, (size_t)r->edge_count, sizeof *r->edges, by_target);
    for (int i = 0; i < r->layer_count && !rc; i++)
        rc = nn_graph_value_new(r->graph, &r->layers[i]->value, r->err);
    for (int i = 0; i < r->layer_count && !rc; i++)
        rc = read_layer(r, r->layers[i]);
    return rc;
}

fg_code nn_ir_read(nn_graph *graph, const uint8_t *xml, size_t xml_size, const uint8_t *weights,
                   size_t weights_size, fg_error *err)
{
    reader r = {.graph = graph, .err = err, .weights = weights, .weights_size = weights_size};
    fg_code rc = FG_OK;
    if (xml_size > (64u << 20))
        return FG_FAIL(err, FG_ERR_LIMIT, "%s: an XML file of more than 64 MB", graph->path);
    r.parser = XML_ParserCreate(NULL);
    if (!r.parser)
        return FG_FAIL(err, FG_ERR_MEMORY, "%s: out of memory", graph->path);
    XML_SetUserData(r.parser, &r);
    XML_SetElementHandler(r.parser, on_start, on_end);
    XML_SetStartDoctypeDeclHandler(r.parser, on_doctype);
    if (XML_Parse(r.parser, (const char *)xml, (int)xml_size, XML_TRUE) != XML_STATUS_OK)
        rc = r.rc ? r.rc
                  : FG_FAIL(err, FG_ERR_MODEL, DAMAGED(graph->path),
                            XML_ErrorString(XML_GetErrorCode(r.parser)));
    if (!rc)
        rc = build(&r);
    XML_ParserFree(r.parser);
    for (int i = 0; i < r.layer_count; i++)
        layer_free(r.layers[i]);
    free(r.layers);
    free(r.edges);
    return rc;
}
