/* Networks: ONNX (onnx.ai, opsets 7..17) and OpenVINO IR (versions 10 and 11) into one graph, run by oneDNN.
 *
 * An fg_net is immutable and shared by threads; an fg_net_run belongs to one thread and holds its buffers and
 * the primitives made for the input sizes it has met. A run uses one thread (omp_set_num_threads(1) on the
 * calling thread): parallelism belongs to requests and frames. Weights stored as FLOAT16, or as int8 with
 * DequantizeLinear, are widened or used as they are. An operator that is not known is FG_ERR_UNSUPPORTED and
 * names the operator and its node. A primitive for which oneDNN offers only its reference implementation is
 * refused at load (FG_ERR_UNSUPPORTED), since it would be 100 times slower. */
#ifndef FG_NN_NN_H
#define FG_NN_NN_H

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

typedef struct fg_net fg_net;
typedef struct fg_net_run fg_net_run;

typedef enum fg_precision {
    FG_PRECISION_AUTO, /* int8 for a network that was quantised for it (SSE4.1 or more), else bf16 where the
                          processor computes it natively (AVX-512 BF16 or AMX), else f32 */
    FG_PRECISION_F32,
    FG_PRECISION_BF16, /* weights and activations in bf16, sums in f32; FG_ERR_UNSUPPORTED without hardware
                          for it */
    FG_PRECISION_INT8, /* convolutions with 8-bit weights and inputs (ONNX QDQ) in int8 with 32-bit sums, the
                          rest in f32, where VNNI is missing those with signed input too; FG_ERR_UNSUPPORTED
                          without such convolutions or hardware for it */
    FG_PRECISION_COUNT
} fg_precision;

/* "auto", "f32", "bf16", "int8". */
const char *fg_precision_name(fg_precision precision);
fg_code fg_precision_parse(fg_precision *precision, const char *name, fg_error *err) FG_MUST_CHECK;

typedef struct fg_net_options {
    fg_precision precision;
    int input_height, input_width; /* of the size that is checked and warmed up at load; 0: the file's own, or
                                      64 if dynamic */
} fg_net_options;

enum { FG_NET_MAX_OUTPUTS = 8 };

typedef struct fg_net_info {
    fg_precision precision; /* what it runs in, never AUTO */
    int channels;           /* of the input */
    int height, width;      /* of the input; 0 where any size is taken */
    int outputs;
    char output_names[FG_NET_MAX_OUTPUTS][64];
    char sha256[65]; /* of the file's bytes (for IR: of .xml followed by .bin); part of a model's identity */
    uint64_t macs;   /* multiply-adds of one input of the size given by the options */
    char isa[32];    /* instruction set that oneDNN dispatches to, e.g. "avx512_core_bf16" */
} fg_net_info;

/* path: an .onnx file, or the .xml of an IR whose .bin lies beside it. options may be NULL.
 * Errors: FG_ERR_NOT_FOUND, FG_ERR_MODEL (damaged), FG_ERR_UNSUPPORTED, FG_ERR_LIMIT. */
fg_code fg_net_open(fg_net **net, const char *path, const fg_net_options *options,
                    fg_error *err) FG_MUST_CHECK;
void fg_net_close(fg_net *net); /* NULL is fine; every run of it must be freed before */
const fg_net_info *fg_net_info_view(const fg_net *net);

fg_code fg_net_run_new(fg_net_run **run, const fg_net *net, fg_error *err) FG_MUST_CHECK;
void fg_net_run_free(fg_net_run *run);

/* One output, plain f32, row-major in the network's own order of dimensions (N C H W, or N C). Valid until
 * the next exec of the same run. */
typedef struct fg_tensor_view {
    const float *data;
    int rank;
    int dims[4];
} fg_tensor_view;

/* input: batch x height x width x channels, f32, channels innermost (the order of pixels in a picture),
 * already preprocessed. outputs: as many as fg_net_info.outputs, in that order. A size met for the first time
 * costs milliseconds; the run keeps the primitives of the last 64 sizes. */
fg_code fg_net_exec(fg_net_run *run, const float *input, int batch, int height, int width,
                    fg_tensor_view outputs[FG_NET_MAX_OUTPUTS], fg_error *err) FG_MUST_CHECK;

/* The processor's measured arithmetic peak on one thread, in GFLOP/s (multiply and add counted as two), from
 * a large matrix product and a convolution of that precision, whichever is faster; what `facegate bench`
 * compares with. Takes about 0.4 s. */
fg_code fg_nn_measure_peak(fg_precision precision, double *gflops, fg_error *err) FG_MUST_CHECK;

#endif
