#include "nn/exec.h"

#include "base/file.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const precision_names[FG_PRECISION_COUNT] = {"auto", "f32", "bf16", "int8"};

const char *fg_precision_name(fg_precision precision)
{
    return (unsigned)precision < FG_PRECISION_COUNT ? precision_names[precision] : "?";
}

fg_code fg_precision_parse(fg_precision *precision, const char *name, fg_error *err)
{
    *precision = FG_PRECISION_AUTO;
    for (int i = 0; i < FG_PRECISION_COUNT; i++) {
        if (strcmp(precision_names[i], name) == 0) {
            *precision = (fg_precision)i;
            return FG_OK;
        }
    }
    return FG_FAIL(err, FG_ERR_USAGE, "'%.40s' is no precision; use auto, f32, bf16 or int8", name);
}

static const struct {
    dnnl_cpu_isa_t isa;
    const char *name;
} isas[] = {
    {dnnl_cpu_isa_sse41, "sse41"},
    {dnnl_cpu_isa_avx, "avx"},
    {dnnl_cpu_isa_avx2, "avx2"},
    {dnnl_cpu_isa_avx2_vnni, "avx2_vnni"},
    {dnnl_cpu_isa_avx512_core, "avx512_core"},
    {dnnl_cpu_isa_avx512_core_vnni, "avx512_core_vnni"},
    {dnnl_cpu_isa_avx512_core_bf16, "avx512_core_bf16"},
    {dnnl_cpu_isa_avx512_core_amx, "avx512_core_amx"},
};

static bool has_bf16(void)
{
    return (dnnl_get_effective_cpu_isa() & dnnl_cpu_isa_avx512_core_bf16) == dnnl_cpu_isa_avx512_core_bf16;
}

static fg_code read_graph(fg_net *net, const char *path, fg_error *err)
{
    fg_buf buf;
    char weights_path[FG_MAX_PATH];
    size_t length = strlen(path);
    bool ir = length > 4 && strcmp(path + length - 4, ".xml") == 0;
    fg_buf_init(&buf, FG_MAX_MODEL_BYTES);
    fg_code rc = fg_file_read(path, &buf, err);
    size_t xml_size = buf.size;
    if (!rc && ir) {
        if (length >= sizeof weights_path) {
            rc = FG_FAIL(err, FG_ERR_LIMIT, "%.100s...: path too long", path);
        } else {
            memcpy(weights_path, path, length + 1);
            memcpy(weights_path + length - 3, "bin", 3);
            rc = fg_file_read(weights_path, &buf, err);
        }
    }
    if (!rc && buf.size == 0)
        rc = FG_FAIL(err, FG_ERR_MODEL, "%s: empty; fetch the model again", path);
    if (!rc) {
        fg_sha256_hex(buf.data, buf.size, net->info.sha256);
        rc = ir ? nn_ir_read(&net->graph, buf.data, xml_size, buf.data + xml_size, buf.size - xml_size, err)
                : nn_onnx_read(&net->graph, buf.data, buf.size, err);
    }
    fg_buf_deinit(&buf);
    return rc;
}

/* The size that is checked and warmed up. */
static fg_code pick_size(const fg_net *net, const fg_net_options *options, int *height, int *width,
                         fg_error *err)
{
    const nn_graph *graph = &net->graph;
    int want[2] = {options ? options->input_height : 0, options ? options->input_width : 0};
    for (int d = 0; d < 2; d++) {
        int own = graph->input_dims[2 + d];
        if (own && want[d] && own != want[d])
            return FG_FAIL(err, FG_ERR_USAGE, "%s: takes images of %d x %d only", graph->path,
                           graph->input_dims[3], graph->input_dims[2]);
        *(d ? width : height) = own ? own : want[d] > 0 ? want[d] : 64;
    }
    return FG_OK;
}

/* Makes every primitive and runs once on zeros: nothing is left to fail at the first photo. */
static fg_code warm_up(fg_net *net, int height, int width, fg_error *err)
{
    fg_net_run *run = NULL;
    fg_tensor_view outputs[FG_NET_MAX_OUTPUTS];
    float *zeros = calloc((size_t)height * (size_t)width * (size_t)net->info.channels, sizeof *zeros);
    fg_code rc = zeros ? fg_net_run_new(&run, net, err)
                       : FG_FAIL(err, FG_ERR_MEMORY, "%s: out of memory", net->graph.path);
    if (!rc && run)
        rc = fg_net_exec(run, zeros, 1, height, width, outputs, err);
    if (!rc && run)
        net->info.macs = run->plans[0]->macs;
    fg_net_run_free(run);
    free(zeros);
    return rc;
}

static void drop_packed(fg_net *net)
{
    for (int i = 0; net->packed && i < net->graph.node_count; i++) {
        free(net->packed[i].data);
        net->packed[i].data = NULL;
    }
}

/* Without VNNI two products are added in 16 bits first, and cut where they do not fit there, which is seldom:
 * see integers_give_what_floats_give in test_embed.c. */
static bool has_int8(void)
{
    return (dnnl_get_effective_cpu_isa() & dnnl_cpu_isa_sse41) == dnnl_cpu_isa_sse41;
}

static bool is_quantised(const nn_graph *graph)
{
    for (int i = 0; i < graph->node_count; i++) {
        int producer = graph->nodes[i]->q_weights ? graph->values[graph->nodes[i]->inputs[0]].producer : -1;
        if (producer >= 0)
            return true;
    }
    return false;
}

static fg_code prepare(fg_net *net, const fg_net_options *options, int height, int width, fg_error *err)
{
    static const fg_precision fastest[] = {FG_PRECISION_INT8, FG_PRECISION_BF16, FG_PRECISION_F32};
    fg_precision wanted = options ? options->precision : FG_PRECISION_AUTO;
    const char *path = net->graph.path;
    bool int8 = has_int8() && is_quantised(&net->graph);
    fg_code rc = FG_ERR_UNSUPPORTED;
    if ((unsigned)wanted >= FG_PRECISION_COUNT)
        return FG_FAIL(err, FG_ERR_USAGE, "%s: an unknown precision", path);
    if (wanted == FG_PRECISION_BF16 && !has_bf16())
        return FG_FAIL(err, FG_ERR_UNSUPPORTED, "%s: this processor has no bf16 arithmetic; use f32", path);
    if (wanted == FG_PRECISION_INT8 && !has_int8())
        return FG_FAIL(err, FG_ERR_UNSUPPORTED, "%s: this processor has no int8 arithmetic; use f32", path);
    if (wanted == FG_PRECISION_INT8 && !int8)
        return FG_FAIL(err, FG_ERR_UNSUPPORTED, "%s: not quantised to int8; use f32 or bf16", path);
    for (size_t i = 0; i < sizeof fastest / sizeof fastest[0] && rc == FG_ERR_UNSUPPORTED; i++) {
        if (wanted == FG_PRECISION_AUTO ? (fastest[i] == FG_PRECISION_INT8 && !int8) ||
                                              (fastest[i] == FG_PRECISION_BF16 && !has_bf16())
                                        : fastest[i] != wanted)
            continue;
        drop_packed(net);
        net->info.precision = fastest[i];
        rc = warm_up(net, height, width, err);
    }
    if (rc)
        return rc;
    net->sealed = true;
    for (int i = 0; i < net->graph.node_count; i++) {
        if (net->packed[i].data) {
            free(net->graph.nodes[i]->weights);
            net->graph.nodes[i]->weights = NULL;
        }
    }
    return FG_OK;
}

static void fill_info(fg_net *net)
{
    fg_net_info *info = &net->info;
    dnnl_cpu_isa_t isa = dnnl_get_effective_cpu_isa();
    info->channels = net->graph.input_dims[1];
    info->height = net->graph.input_dims[2];
    info->width = net->graph.input_dims[3];
    info->outputs = net->graph.output_count;
    memcpy(info->output_names, net->graph.output_names, sizeof info->output_names);
    snprintf(info->isa, sizeof info->isa, "0x%x", (unsigned)isa);
    for (size_t i = 0; i < sizeof isas / sizeof isas[0]; i++) {
        if (isas[i].isa == isa)
            snprintf(info->isa, sizeof info->isa, "%s", isas[i].name);
    }
}

fg_code fg_net_open(fg_net **net, const char *path, const fg_net_options *options, fg_error *err)
{
    fg_code rc = FG_OK;
    int height = 0;
    int width = 0;
    *net = NULL;
    fg_net *made = calloc(1, sizeof *made);
    if (!made)
        return FG_FAIL(err, FG_ERR_MEMORY, "%s: out of memory", path);
    nn_graph_init(&made->graph, path);
    rc = read_graph(made, path, err);
    if (!rc)
        rc = pick_size(made, options, &height, &width, err);
    if (!rc)
        rc = nn_graph_lower(&made->graph, height, width, err);
    if (!rc)
        rc = nn_graph_fuse(&made->graph, height, width, err);
    if (rc)
        goto done;
    made->packed = calloc((size_t)made->graph.node_count + 1, sizeof *made->packed);
    made->graph.path = strdup(path);
    if (!made->packed || !made->graph.path) {
        rc = FG_FAIL(err, FG_ERR_MEMORY, "%s: out of memory", path);
        goto done;
    }
    nn_one_thread();
    dnnl_status_t status = dnnl_engine_create(&made->engine, dnnl_cpu, 0);
    if (status != dnnl_success) {
        rc = nn_dnnl_fail(err, status, &made->graph, NULL, "did not start");
        goto done;
    }
    fill_info(made);
    rc = prepare(made, options, height, width, err);
    if (rc)
        goto done;
    *net = made;
    made = NULL;
done:
    if (made && made->graph.path == path)
        made->graph.path = NULL;
    fg_net_close(made);
#ifdef __GLIBC__
    malloc_trim(0); /* reading takes several times what stays, and malloc would keep it from everybody */
#endif
    return rc;
}

void fg_net_close(fg_net *net)
{
    if (!net)
        return;
    char *path = (char *)(uintptr_t)net->graph.path; /* a copy of our own, see fg_net_open */
    drop_packed(net);
    free(net->packed);
    nn_graph_deinit(&net->graph);
    if (net->engine)
        dnnl_engine_destroy(net->engine);
    free(path);
    free(net);
}

const fg_net_info *fg_net_info_view(const fg_net *net)
{
    return &net->info;
}

fg_code fg_net_run_new(fg_net_run **run, const fg_net *net, fg_error *err)
{
    *run = NULL;
    fg_net_run *made = calloc(1, sizeof *made);
    if (!made)
        return FG_FAIL(err, FG_ERR_MEMORY, "%s: out of memory", net->graph.path);
    /* Written to by nobody once it is sealed, which fg_net_open does before anyone else sees it. */
    made->net = (fg_net *)(uintptr_t)net;
    dnnl_status_t status = dnnl_stream_create(&made->stream, net->engine, dnnl_stream_default_flags);
    if (status != dnnl_success) {
        fg_net_run_free(made);
        return nn_dnnl_fail(err, status, &net->graph, NULL, "made no stream");
    }
    *run = made;
    return FG_OK;
}

void fg_net_run_free(fg_net_run *run)
{
    if (!run)
        return;
    for (int i = 0; i < run->plan_count; i++)
        nn_plan_free(run->plans[i]);
    for (int i = 0; i < run->packed_count; i++)
        free(run->packed[i].data);
    if (run->stream)
        dnnl_stream_destroy(run->stream);
    free(run->packed);
    free(run->arena);
    free(run);
}

static fg_code find_plan(fg_net_run *run, int batch, int height, int width, nn_plan **plan, fg_error *err)
{
    int oldest = 0;
    fg_code rc = FG_OK;
    *plan = NULL;
    for (int i = 0; i < run->plan_count; i++) {
        nn_plan *at = run->plans[i];
        if (at->batch == batch && at->height == height && at->width == width)
            *plan = at;
        if (at->used < run->plans[oldest]->used)
            oldest = i;
    }
    if (!*plan) {
        rc = nn_plan_new(plan, run, batch, height, width, err);
        if (rc)
            return rc;
        if (run->plan_count < NN_PLANS) {
            run->plans[run->plan_count++] = *plan;
        } else {
            nn_plan_free(run->plans[oldest]);
            run->plans[oldest] = *plan;
        }
    }
    (*plan)->used = ++run->clock;
    return FG_OK;
}

/* Grows the arena, and lets a large one go when a much smaller input follows. */
static fg_code fit_arena(fg_net_run *run, size_t bytes, fg_error *err)
{
    bool wasteful = run->arena_bytes > (32u << 20) && bytes < run->arena_bytes / 4;
    if (run->arena && run->arena_bytes >= bytes && !wasteful)
        return FG_OK;
    free(run->arena);
    run->arena_bytes = 0;
    run->arena = nn_aligned_new(bytes);
    if (!run->arena)
        return FG_FAIL(err, FG_ERR_MEMORY, "%s: no %zu bytes for its buffers", run->net->graph.path, bytes);
    run->arena_bytes = bytes;
    for (int i = 0; i < run->plan_count; i++)
        run->plans[i]->bound = NULL;
    return FG_OK;
}

static fg_code bind(fg_net_run *run, nn_plan *plan, const float *input, fg_error *err)
{
    for (int i = 0; i < plan->memory_count; i++) {
        const nn_memory *m = &plan->memories[i];
        dnnl_status_t status = dnnl_success;
        /* oneDNN reads its source through a pointer without const. */
        if (m->buffer == NN_BUFFER_INPUT)
            status = dnnl_memory_set_data_handle(m->memory, (void *)(uintptr_t)input);
        else if (m->buffer >= 0 && plan->bound != run->arena)
            status = dnnl_memory_set_data_handle(m->memory, run->arena + plan->buffers[m->buffer].offset);
        if (status != dnnl_success)
            return nn_dnnl_fail(err, status, &run->net->graph, NULL, "refused a buffer");
    }
    plan->bound = run->arena;
    return FG_OK;
}

static void run_kernel(const nn_step *step, const void *src, void *dst)
{
    const nn_node *node = step->node;
    const nn_layout *l = &step->layout;
    switch (node->op) {
    case NN_PRELU:
        nn_kernel_prelu(l, step->src_type, src, step->dst_type, dst, node->bias);
        break;
    case NN_AFFINE:
        nn_kernel_affine(l, step->src_type, src, step->dst_type, dst, node->scale, node->bias);
        break;
    case NN_RELU:
        nn_kernel_relu(l, step->src_type, src, step->dst_type, dst, node->alpha);
        break;
    case NN_CLIP:
        nn_kernel_clip(l, step->src_type, src, step->dst_type, dst, node->alpha, node->beta);
        break;
    case NN_SIGMOID:
        nn_kernel_sigmoid(l, step->src_type, src, step->dst_type, dst);
        break;
    default:
        nn_kernel_fakequant(l, step->src_type, src, step->dst_type, dst, &node->quant);
        break;
    }
}

static fg_code run_step(fg_net_run *run, const nn_plan *plan, const nn_step *step, const float *input,
                        fg_error *err)
{
    if (step->kind == NN_STEP_PRIMITIVE) {
        dnnl_status_t status =
            dnnl_primitive_execute(step->primitive, run->stream, step->arg_count, step->args);
        return status == dnnl_success ? FG_OK
                                      : nn_dnnl_fail(err, status, &run->net->graph, step->node, "failed");
    }
    const void *src =
        step->src == NN_BUFFER_INPUT ? (const void *)input : run->arena + plan->buffers[step->src].offset;
    void *dst = run->arena + plan->buffers[step->dst].offset;
    const void *src2 = step->src2 < 0                  ? NULL
                       : step->src2 == NN_BUFFER_INPUT ? (const void *)input
                                                       : run->arena + plan->buffers[step->src2].offset;
    switch (step->kind) {
    case NN_STEP_KERNEL:
        run_kernel(step, src, dst);
        break;
    case NN_STEP_QUANTISE:
        nn_kernel_quantise(&step->layout, step->src_type, src, step->dst_type, dst, &step->quant);
        break;
    case NN_STEP_DEQUANTISE:
        nn_kernel_dequantise(&step->layout, step->src_type, src, step->dst_type, dst, &step->quant);
        break;
    case NN_STEP_BINARY:
        nn_kernel_binary(&step->layout, step->node->op, step->src_type, src, src2, dst);
        break;
    case NN_STEP_BINARY_CHANNEL:
        nn_kernel_binary_channel(&step->layout, step->node->op, step->src_type, src, src2, dst);
        break;
    case NN_STEP_AVERAGE:
        nn_kernel_global_average(&step->layout, step->src_type, src, dst);
        break;
    case NN_STEP_SOFTMAX:
        nn_kernel_softmax(&step->layout, step->src_type, src, dst);
        break;
    default:
        nn_kernel_concat(&step->layout, step->src_type, src, dst, step->total, step->at);
        break;
    }
    return FG_OK;
}

fg_code fg_net_exec(fg_net_run *run, const float *input, int batch, int height, int width,
                    fg_tensor_view outputs[FG_NET_MAX_OUTPUTS], fg_error *err)
{
    nn_plan *plan = NULL;
    const fg_net_info *info = &run->net->info;
    memset(outputs, 0, FG_NET_MAX_OUTPUTS * sizeof *outputs);
    if (batch < 1 || height < 1 || width < 1 || batch > NN_MAX_DIM || height > NN_MAX_DIM ||
        width > NN_MAX_DIM)
        return FG_FAIL(err, FG_ERR_USAGE, "%s: an input of %d x %d x %d", run->net->graph.path, batch, height,
                       width);
    if ((info->height && info->height != height) || (info->width && info->width != width))
        return FG_FAIL(err, FG_ERR_USAGE, "%s: takes images of %d x %d, not %d x %d", run->net->graph.path,
                       info->width, info->height, width, height);
    nn_one_thread();
    fg_code rc = find_plan(run, batch, height, width, &plan, err);
    if (!rc)
        rc = fit_arena(run, plan->arena_bytes, err);
    if (!rc)
        rc = bind(run, plan, input, err);
    for (int i = 0; !rc && i < plan->step_count; i++)
        rc = run_step(run, plan, &plan->steps[i], input, err);
    if (!rc && dnnl_stream_wait(run->stream) != dnnl_success)
        rc = FG_FAIL(err, FG_ERR_INTERNAL, "%s: oneDNN failed", run->net->graph.path);
    for (int o = 0; o < info->outputs && !rc; o++) {
        outputs[o].data = (const float *)(const void *)(run->arena + plan->buffers[plan->outputs[o]].offset);
        outputs[o].rank = plan->output_shapes[o].rank;
        memcpy(outputs[o].dims, plan->output_shapes[o].dims, sizeof outputs[o].dims);
    }
    return rc;
}
