#include "nn/exec.h"

#include "base/clock.h"

#include <stdlib.h>
#include <string.h>

/* A product of two squares: large enough that arithmetic hides memory, small enough for the second-level
 * cache to help. */
enum { SIDE = 512, MIN_RUNS = 4 };

fg_code fg_nn_measure_peak(fg_precision precision, double *gflops, fg_error *err)
{
    fg_code rc = FG_OK;
    nn_graph nothing = {.path = "peak"};
    dnnl_engine_t engine = NULL;
    dnnl_stream_t stream = NULL;
    dnnl_primitive_desc_t pd = NULL;
    dnnl_primitive_t primitive = NULL;
    dnnl_memory_t memories[3] = {NULL};
    void *data[3] = {NULL};
    dnnl_exec_arg_t args[3];
    static const int names[3] = {DNNL_ARG_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_DST};
    static const dnnl_query_t queries[3] = {dnnl_query_src_md, dnnl_query_weights_md, dnnl_query_dst_md};
    nn_shape shape = {2, {SIDE, SIDE}};
    nn_dtype type = precision == FG_PRECISION_BF16   ? NN_BF16
                    : precision == FG_PRECISION_INT8 ? NN_U8
                                                     : NN_F32;
    dnnl_memory_desc_t any = nn_md_any(&shape, type);
    dnnl_memory_desc_t weights = nn_md_any(&shape, type == NN_U8 ? NN_I8 : type);
    dnnl_matmul_desc_t desc;
    *gflops = 0.0;
    nn_one_thread();
    dnnl_status_t status = dnnl_engine_create(&engine, dnnl_cpu, 0);
    if (status == dnnl_success)
        status = dnnl_stream_create(&stream, engine, dnnl_stream_default_flags);
    if (status == dnnl_success)
        status = dnnl_matmul_desc_init(&desc, &any, &weights, NULL, &any);
    if (status == dnnl_success)
        status = dnnl_primitive_desc_create(&pd, &desc, NULL, engine, NULL);
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
    double until = fg_clock_monotonic_ms() + 300.0;
    for (int n = 0; status == dnnl_success && (n < MIN_RUNS || fg_clock_monotonic_ms() < until); n++) {
        double from = fg_clock_thread_ms();
        status = dnnl_primitive_execute(primitive, stream, 3, args);
        if (status == dnnl_success)
            status = dnnl_stream_wait(stream);
        double took = fg_clock_thread_ms() - from;
        best_ms = took < best_ms ? took : best_ms;
    }
    if (status != dnnl_success)
        rc = nn_dnnl_fail(err, status, &nothing, NULL, "multiplied no matrices");
    else
        *gflops = 2.0 * SIDE * SIDE * SIDE / best_ms * 1e-6;
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
    if (stream)
        dnnl_stream_destroy(stream);
    if (engine)
        dnnl_engine_destroy(engine);
    return rc;
}
