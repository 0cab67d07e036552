#include "nn/exec.h"

#include <stdlib.h>
#include <string.h>

/* libgomp's; its header belongs to GCC and is missing under clang. */
void omp_set_num_threads(int count);

void nn_one_thread(void)
{
    omp_set_num_threads(1);
}

void *nn_aligned_new(size_t bytes)
{
    void *p = NULL;
    return posix_memalign(&p, 64, bytes ? bytes : 64) == 0 ? p : NULL;
}

fg_code nn_dnnl_fail(fg_error *err, dnnl_status_t status, const nn_graph *graph, const nn_node *node,
                     const char *what)
{
    fg_code code = status == dnnl_out_of_memory   ? FG_ERR_MEMORY
                   : status == dnnl_unimplemented ? FG_ERR_UNSUPPORTED
                                                  : FG_ERR_INTERNAL;
    if (node)
        return nn_node_fail(graph, node, err, code, "cannot run here: oneDNN %s (status %d)", what,
                            (int)status);
    return FG_FAIL(err, code, "%s: oneDNN %s (status %d)", graph ? graph->path : "nn", what, (int)status);
}

dnnl_data_type_t nn_dnnl_type(nn_dtype type)
{
    switch (type) {
    case NN_BF16:
        return dnnl_bf16;
    case NN_I8:
        return dnnl_s8;
    case NN_U8:
        return dnnl_u8;
    default:
        return dnnl_f32;
    }
}

nn_dtype nn_type_of(const dnnl_memory_desc_t *md)
{
    return md->data_type == dnnl_bf16 ? NN_BF16
           : md->data_type == dnnl_s8 ? NN_I8
           : md->data_type == dnnl_u8 ? NN_U8
                                      : NN_F32;
}

/* Dimensions were checked before and the tags are ours, so the call cannot fail; a zeroed descriptor would be
 * refused later. */
dnnl_memory_desc_t nn_md(const nn_shape *shape, nn_dtype type, dnnl_format_tag_t tag)
{
    dnnl_memory_desc_t md;
    dnnl_dims_t dims = {0};
    for (int d = 0; d < shape->rank; d++)
        dims[d] = shape->dims[d];
    if (dnnl_memory_desc_init_by_tag(&md, shape->rank, dims, nn_dnnl_type(type), tag) != dnnl_success)
        memset(&md, 0, sizeof md);
    return md;
}

dnnl_memory_desc_t nn_md_any(const nn_shape *shape, nn_dtype type)
{
    return nn_md(shape, type, dnnl_format_tag_any);
}

dnnl_memory_desc_t nn_md_nhwc(const nn_shape *shape, nn_dtype type)
{
    return nn_md(shape, type, shape->rank == 4 ? dnnl_nhwc : dnnl_nc);
}

dnnl_memory_desc_t nn_md_nchw(const nn_shape *shape, nn_dtype type)
{
    return nn_md(shape, type, shape->rank == 4 ? dnnl_nchw : dnnl_nc);
}

bool nn_layout_of(const dnnl_memory_desc_t *md, nn_layout *layout)
{
    nn_shape shape = {md->ndims, {0}};
    const dnnl_blocking_desc_t *blocking = &md->format_desc.blocking;
    dnnl_format_tag_t tags[4] = {dnnl_nhwc, dnnl_nchw, dnnl_nChw16c, dnnl_nChw8c};
    if (md->format_kind != dnnl_blocked || (md->ndims != 2 && md->ndims != 4))
        return false;
    for (int d = 0; d < md->ndims; d++)
        shape.dims[d] = (int)md->dims[d];
    *layout = (nn_layout){shape.dims[0], shape.dims[1], 1, shape.dims[1], 1};
    if (md->ndims == 2) {
        dnnl_memory_desc_t plain = nn_md(&shape, nn_type_of(md), dnnl_nc);
        return dnnl_memory_desc_equal(md, &plain) != 0;
    }
    layout->area = (size_t)shape.dims[2] * (size_t)shape.dims[3];
    for (int i = 0; i < 4; i++) {
        dnnl_memory_desc_t candidate = nn_md(&shape, nn_type_of(md), tags[i]);
        if (!dnnl_memory_desc_equal(md, &candidate))
            continue;
        if (i == 1) {
            layout->groups = shape.dims[1];
            layout->lanes = 1;
        } else if (i > 1) {
            layout->lanes = (int)blocking->inner_blks[0];
            layout->groups = (shape.dims[1] + layout->lanes - 1) / layout->lanes;
        }
        return true;
    }
    return false;
}

const char *nn_impl(const_dnnl_primitive_desc_t pd)
{
    const char *info = NULL;
    return dnnl_primitive_desc_query(pd, dnnl_query_impl_info_str, 0, (void *)&info) == dnnl_success && info
               ? info
               : "?";
}

bool nn_is_reference(const_dnnl_primitive_desc_t pd)
{
    return strstr(nn_impl(pd), "ref") != NULL;
}
