#include "nn/exec.h"

#include "base/clock.h"

#include <stdlib.h>
#include <string.h>

/* A product of two squares, and a 3x3 convolution: large enough that arithmetic hides memory, small enough
 * for the second-level cache to help. Which of the two oneDNN does better depends on the processor. */
enum { SIDE = 512, CHANNELS = 256, PIXELS = 28, MIN_RUNS = 4, KINDS = 2 };
static const double kind_gflop[KINDS] = {2e-9 * SIDE * SIDE * SIDE,
                                         2e-9 * CHANNELS *CHANNELS * 9 * PIXELS *PIXELS};

static dnnl_status_t describe(int kind, nn_dtype type, dnnl_engine_t engine, dnnl_primitive_desc_t *pd)
{
    const nn_dtype weights_type = type == NN_U8 ? NN_I8 : type;
    const nn_shape square = {2, {SIDE, SIDE}}, image = {4, {1, CHANNELS, PIXELS, PIXELS}},
                   kernels = {4, {CHANNELS, CHANNELS, 3, 3}};
    const dnnl_dims_t ones = {1, 1};
    dnnl_memory_desc_t any = nn_md_any(kind ? &image : &square, type);
    dnnl_memory_desc_t weights = nn_md_any(kind ? &kernels : &square, weights_type);
    dnnl_convolution_desc_t convolution;
    dnnl_matmul_desc_t product;
    dnnl_status_t status = kind ? dnnl_convolution_forward_desc_init(&convolution, dnnl_forward_inference,
                                                                     dnnl_convolution_direct, &any, &weights,
                                                                     NULL, &any, ones, ones, ones)
                                : dnnl_matmul_desc_init(&product, &any, &weights, NULL, &any);
    const void *desc = kind ? (const void *)&convolution : (const void *)&product;
    return status == dnnl_success ? dnnl_primitive_desc_create(pd, desc, NULL, engine, NULL) : status;
}

static fg_code measure(int kind, nn_dtype type, dnnl_engine_t engine, dnnl_stream_t stream, double *gflops,
                       fg_error *err)
{
    fg_code rc = FG_OK;
    nn_graph nothing = {.path = "peak"};
    dnnl_primitive_desc_t pd = NULL;
    dnnl_primitive_t primitive = NULL;
    dnnl_memory_t memories[3] = {NULL};
    void *data[3] = {NULL};
    dnnl_exec_arg_t args[3];
    static const int names[3] = {DNNL_ARG_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_DST};
    static const dnnl_query_t queries[3] = {dnnl_query_src_md, dnnl_query_weights_md, dnnl_query_dst_md};
    dnnl_status_t status = describe(kind, type, engine, &pd);
    if (status == dnnl_success)
        status = dnnl_primitive_create(&primitive, pd);
    for (int i = 0; i < 3 && status == dnnl_success; i++) {
        const dnnl_memory_desc_t *md = dnnl_primitive_desc_query_md(pd, queries[i], 0);
        size_t bytes = dnnl_memory_desc_get_size(md);
        data[i] = nn_aligned_new(bytes);
        if (!data[i]) {
            rc = FG_FAIL(err, FG_ERR_MEMORY, "peak: out of memory");
            goto done;
        }
        /* Zeros are multiplied as slowly as anything else. */
        memset(data[i], 0, bytes);
        status = dnnl_memory_create(&memories[i], md, engine, data[i]);
        args[i] = (dnnl_exec_arg_t){names[i], memories[i]};
    }
    double best_ms = 1e30;
    double until = fg_clock_monotonic_ms() + 200.0;
    for (int n = 0; status == dnnl_success && (n < MIN_RUNS || fg_clock_monotonic_ms() < until); n++) {
        double from = fg_clock_thread_ms();
        status = dnnl_primitive_execute(primitive, stream, 3, args);
        if (status == dnnl_success)
            status = dnnl_stream_wait(stream);
        double took = fg_clock_thread_ms() - from;
        best_ms = took < best_ms ? took : best_ms;
    }
    if (status != dnnl_success)
        rc = nn_dnnl_fail(err, status, &nothing, NULL, "multiplied no numbers");
    else
        *gflops = kind_gflop[kind] / best_ms * 1e3;
done:
    for (int i = 0; i < 3; i++) {
        if (memories[i])
            dnnl_memory_destroy(memories[i]);
        free(data[i]);
    }
    if (primitive)
        dnnl_primitive_destroy(primitive);
    if (pd)
        dnnl_primitive_desc_destroy(pd);
    return rc;
}

fg_code fg_nn_measure_peak(fg_precision precision, double *gflops, fg_error *err)
{
    nn_graph nothing = {.path = "peak"};
    nn_dtype type = precision == FG_PRECISION_BF16   ? NN_BF16
                    : precision == FG_PRECISION_INT8 ? NN_U8
                                                     : NN_F32;
    dnnl_engine_t engine = NULL;
    dnnl_stream_t stream = NULL;
    fg_code rc = FG_OK;
    *gflops = 0.0;
    nn_one_thread();
    dnnl_status_t status = dnnl_engine_create(&engine, dnnl_cpu, 0);
    if (status == dnnl_success)
        status = dnnl_stream_create(&stream, engine, dnnl_stream_default_flags);
    if (status != dnnl_success)
        rc = nn_dnnl_fail(err, status, &nothing, NULL, "did not start");
    for (int kind = 0; kind < KINDS && rc == FG_OK; kind++) {
        double here = 0.0;
        rc = measure(kind, type, engine, stream, &here, err);
        *gflops = here > *gflops ? here : *gflops;
    }
    if (stream)
        dnnl_stream_destroy(stream);
    if (engine)
        dnnl_engine_destroy(engine);
    return rc;
}
