/* The passes that oneDNN lacks or would run by its reference code. Each gives the same numbers on every
 * processor: one operation a number, in a fixed order, no fused multiply-add. */
#ifndef FG_NN_KERNELS_H
#define FG_NN_KERNELS_H

#include "nn/graph.h"

/* Where number (n, channel, s) of a tensor lies: ((n * groups + channel / lanes) * area + s) * lanes +
 * channel % lanes. NHWC: groups 1, lanes C. NCHW: groups C, lanes 1. nChw16c: groups ceil(C / 16), lanes 16,
 * the numbers past C being zero. */
typedef struct nn_layout {
    int batch, channels, groups, lanes;
    size_t area; /* H x W */
} nn_layout;

static inline size_t nn_layout_count(const nn_layout *l)
{
    return (size_t)l->batch * (size_t)l->groups * l->area * (size_t)l->lanes;
}

/* slope, scale, shift: one number per channel, zero-padded to NN_LANES. dst may be src where the types are
 * the same. Types: NN_F32 and NN_BF16. */
void nn_kernel_prelu(const nn_layout *l, nn_dtype src_type, const void *src, nn_dtype dst_type, void *dst,
                     const float *slope);
void nn_kernel_affine(const nn_layout *l, nn_dtype src_type, const void *src, nn_dtype dst_type, void *dst,
                      const float *scale, const float *shift);
void nn_kernel_relu(const nn_layout *l, nn_dtype src_type, const void *src, nn_dtype dst_type, void *dst,
                    float alpha);
void nn_kernel_clip(const nn_layout *l, nn_dtype src_type, const void *src, nn_dtype dst_type, void *dst,
                    float low, float high);
void nn_kernel_sigmoid(const nn_layout *l, nn_dtype src_type, const void *src, nn_dtype dst_type, void *dst);
void nn_kernel_fakequant(const nn_layout *l, nn_dtype src_type, const void *src, nn_dtype dst_type, void *dst,
                         const nn_quant *quant);
/* dst: NN_I8 or NN_U8, round(x / scale) within low..high, ties to even; quant->zero is 0. */
void nn_kernel_quantise(const nn_layout *l, nn_dtype src_type, const void *src, nn_dtype dst_type, void *dst,
                        const nn_quant *quant);
/* src: NN_I8 or NN_U8. */
void nn_kernel_dequantise(const nn_layout *l, nn_dtype src_type, const void *src, nn_dtype dst_type,
                          void *dst, const nn_quant *quant);
/* a and b of one layout and type; dst may be either. */
void nn_kernel_binary(const nn_layout *l, nn_op op, nn_dtype type, const void *a, const void *b, void *dst);
/* b: batch x channels x 1 x 1 in the layout's own lanes. */
void nn_kernel_binary_channel(const nn_layout *l, nn_op op, nn_dtype type, const void *a, const void *b,
                              void *dst);
/* dst: batch x channels x 1 x 1 in the layout's own lanes. */
void nn_kernel_global_average(const nn_layout *l, nn_dtype type, const void *src, void *dst);
/* dst: plain f32 N C H W. */
void nn_kernel_softmax(const nn_layout *l, nn_dtype type, const void *src, float *dst);
/* Copies src's channels to dst's from channel `at` on; both NHWC, of one type. */
void nn_kernel_concat(const nn_layout *src_layout, nn_dtype type, const void *src, void *dst,
                      int dst_channels, int at);

#endif
