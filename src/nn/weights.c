#include "nn/exec.h"

#include <stdlib.h>
#include <string.h>

static fg_code reorder(fg_net_run *run, const nn_node *node, const dnnl_memory_desc_t *from_md, void *from,
                       const dnnl_memory_desc_t *to_md, void *to, fg_error *err)
{
    const nn_graph *graph = &run->net->graph;
    dnnl_primitive_desc_t pd = NULL;
    dnnl_primitive_t primitive = NULL;
    dnnl_memory_t memories[2] = {NULL, NULL};
    dnnl_status_t status =
        dnnl_reorder_primitive_desc_create(&pd, from_md, run->net->engine, to_md, run->net->engine, NULL);
    if (status == dnnl_success)
        status = dnnl_primitive_create(&primitive, pd);
    if (status == dnnl_success)
        status = dnnl_memory_create(&memories[0], from_md, run->net->engine, from);
    if (status == dnnl_success)
        status = dnnl_memory_create(&memories[1], to_md, run->net->engine, to);
    if (status == dnnl_success) {
        dnnl_exec_arg_t args[2] = {{DNNL_ARG_FROM, memories[0]}, {DNNL_ARG_TO, memories[1]}};
        status = dnnl_primitive_execute(primitive, run->stream, 2, args);
    }
    if (status == dnnl_success)
        status = dnnl_stream_wait(run->stream);
    if (memories[0])
        dnnl_memory_destroy(memories[0]);
    if (memories[1])
        dnnl_memory_destroy(memories[1]);
    if (primitive)
        dnnl_primitive_destroy(primitive);
    if (pd)
        dnnl_primitive_desc_destroy(pd);
    return status == dnnl_success ? FG_OK
                                  : nn_dnnl_fail(err, status, graph, node, "could not reorder the weights");
}

/* The same numbers, row-major. */
static dnnl_memory_desc_t plain_like(const dnnl_memory_desc_t *md, nn_dtype type)
{
    static const dnnl_format_tag_t tags[] = {dnnl_a, dnnl_ab, dnnl_abc, dnnl_abcd, dnnl_abcde};
    nn_shape shape = {md->ndims, {0}};
    for (int d = 0; d < md->ndims; d++)
        shape.dims[d] = (int)md->dims[d];
    return nn_md(&shape, type, tags[md->ndims - 1]);
}

static fg_code pack(fg_net_run *run, int index, const dnnl_memory_desc_t *md, void **data, fg_error *err)
{
    nn_node *node = run->net->graph.nodes[index];
    const nn_packed *base = &run->net->packed[index];
    float *wide = NULL, *source = node->weights;
    fg_code rc = FG_OK;
    bool integers = md->data_type == dnnl_s8;
    dnnl_memory_desc_t plain = plain_like(md, integers ? NN_I8 : NN_F32);
    void *made = nn_aligned_new(dnnl_memory_desc_get_size(md));
    if (!made)
        return nn_node_fail(&run->net->graph, node, err, FG_ERR_MEMORY, "found no memory for its weights");
    if (!source && !integers) {
        source = wide = nn_aligned_new(dnnl_memory_desc_get_size(&plain));
        if (!wide)
            rc = nn_node_fail(&run->net->graph, node, err, FG_ERR_MEMORY, "found no memory for its weights");
        else if (node->q_weights)
            nn_widen(wide, node->q_weights, node->weight_count, node->q_scale, (size_t)node->weight_dims[0]);
        else /* The file's own numbers are gone; the net's copy has them, in another layout. */
            rc = reorder(run, node, &base->md, base->data, &plain, wide, err);
    }
    if (!rc)
        rc = reorder(run, node, &plain, integers ? (void *)node->q_weights : (void *)source, md, made, err);
    free(wide);
    if (rc) {
        free(made);
        return rc;
    }
    *data = made;
    return FG_OK;
}

fg_code nn_weights_get(fg_net_run *run, int node, const dnnl_memory_desc_t *md, void **data, fg_error *err)
{
    nn_packed *own = &run->net->packed[node];
    void *made = NULL;
    *data = NULL;
    if (own->data && dnnl_memory_desc_equal(&own->md, md)) {
        *data = own->data;
        return FG_OK;
    }
    for (int i = 0; i < run->packed_count; i++) {
        if (run->packed[i].node == node && dnnl_memory_desc_equal(&run->packed[i].md, md)) {
            *data = run->packed[i].data;
            return FG_OK;
        }
    }
    fg_code rc = pack(run, node, md, &made, err);
    if (rc)
        return rc;
    if (!own->data && !run->net->sealed) {
        *own = (nn_packed){node, *md, made};
    } else {
        nn_packed *grown = realloc(run->packed, (size_t)(run->packed_count + 1) * sizeof *grown);
        if (!grown) {
            free(made);
            return FG_FAIL(err, FG_ERR_MEMORY, "%s: out of memory", run->net->graph.path);
        }
        run->packed = grown;
        run->packed[run->packed_count++] = (nn_packed){node, *md, made};
    }
    *data = made;
    return FG_OK;
}
