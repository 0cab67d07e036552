#include "nn/kernels.h"

#include <float.h>
#include <math.h>
#include <string.h>

/* Clones are chosen when the program is loaded, which ThreadSanitizer's start-up does not survive; and clang
 * 14 names the function that chooses such that no other file finds it. */
#if defined(__x86_64__) && !defined(__SANITIZE_THREAD__) && !defined(__clang__)
#define MULTI __attribute__((target_clones("arch=x86-64-v4", "avx2", "default")))
#else
#define MULTI
#endif
#define INLINE static inline __attribute__((always_inline))

INLINE float load(const void *p, size_t i, nn_dtype type)
{
    if (type == NN_F32)
        return ((const float *)p)[i];
    uint32_t bits = (uint32_t)((const uint16_t *)p)[i] << 16;
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

INLINE void store(void *p, size_t i, nn_dtype type, float f)
{
    if (type == NN_F32) {
        ((float *)p)[i] = f;
        return;
    }
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    /* To nearest, ties to even; a NaN must not round up to infinity. */
    uint32_t rounded = (bits + 0x7fffu + (bits >> 16 & 1u)) >> 16;
    ((uint16_t *)p)[i] = (uint16_t)(f == f ? rounded : 0x7fc0u);
}

/* A NaN becomes low; fminf and fmaxf would keep compilers from using vectors. */
INLINE float clamp(float x, float low, float high)
{
    x = x > low ? x : low;
    return x < high ? x : high;
}

/* e^x by Cody and Waite's reduction and a polynomial (Cephes), about 1 ulp over the range of a float. */
INLINE float exp_of(float x)
{
    x = x > 88.0f ? 88.0f : x;
    x = x < -87.0f ? -87.0f : x;
    float n = floorf(x * 1.44269504088896341f + 0.5f);
    float r = x - n * 0.693359375f;
    r = r - n * -2.12194440e-4f;
    float y = 1.9875691500e-4f;
    y = y * r + 1.3981999507e-3f;
    y = y * r + 8.3334519073e-3f;
    y = y * r + 4.1665795894e-2f;
    y = y * r + 1.6666665459e-1f;
    y = y * r + 5.0000001201e-1f;
    y = y * (r * r) + r + 1.0f;
    int32_t bits = ((int32_t)n + 127) << 23;
    float power;
    memcpy(&power, &bits, sizeof power);
    return y * power;
}

/* dst may be src, which a compiler would otherwise answer with a loop of single steps. */
#if defined(__clang__)
#define IN_PLACE _Pragma("clang loop vectorize(assume_safety)")
#else
#define IN_PLACE _Pragma("GCC ivdep")
#endif

/* EXPR makes the new number of the old one, x, and of the channel's parameters a[k] and b[k]. */
#define PER_CHANNEL_BODY(name, EXPR)                                                                         \
    INLINE void name##_body(const nn_layout *l, nn_dtype st, const void *src, nn_dtype dt, void *dst,        \
                            const float *a, const float *b)                                                  \
    {                                                                                                        \
        size_t lanes = (size_t)l->lanes;                                                                     \
        (void)b;                                                                                             \
        for (size_t row = 0; row < (size_t)l->batch * (size_t)l->groups; row++) {                            \
            size_t first = row % (size_t)l->groups * lanes;                                                  \
            size_t base = row * l->area * lanes;                                                             \
            if (lanes == 1) {                                                                                \
                size_t k = first;                                                                            \
                IN_PLACE for (size_t i = base; i < base + l->area; i++)                                      \
                {                                                                                            \
                    float x = load(src, i, st);                                                              \
                    store(dst, i, dt, EXPR);                                                                 \
                }                                                                                            \
                continue;                                                                                    \
            }                                                                                                \
            for (size_t s = 0; s < l->area; s++) {                                                           \
                size_t at = base + s * lanes;                                                                \
                IN_PLACE for (size_t j = 0; j < lanes; j++)                                                  \
                {                                                                                            \
                    size_t k = first + j;                                                                    \
                    float x = load(src, at + j, st);                                                         \
                    store(dst, at + j, dt, EXPR);                                                            \
                }                                                                                            \
            }                                                                                                \
        }                                                                                                    \
    }
#define FLAT_BODY(name, EXPR)                                                                                \
    INLINE void name##_body(const nn_layout *l, nn_dtype st, const void *src, nn_dtype dt, void *dst,        \
                            float a, float b, float c, float d)                                              \
    {                                                                                                        \
        size_t count = nn_layout_count(l);                                                                   \
        (void)b, (void)c, (void)d;                                                                           \
        IN_PLACE for (size_t i = 0; i < count; i++)                                                          \
        {                                                                                                    \
            float x = load(src, i, st);                                                                      \
            store(dst, i, dt, EXPR);                                                                         \
        }                                                                                                    \
    }
/* One copy of the loop for each pair of types. */
#define DISPATCH(name, layout, ...)                                                                          \
    do {                                                                                                     \
        if (st == NN_F32 && dt == NN_F32)                                                                    \
            name##_body(layout, NN_F32, src, NN_F32, dst, __VA_ARGS__);                                      \
        else if (st == NN_F32)                                                                               \
            name##_body(layout, NN_F32, src, NN_BF16, dst, __VA_ARGS__);                                     \
        else if (dt == NN_F32)                                                                               \
            name##_body(layout, NN_BF16, src, NN_F32, dst, __VA_ARGS__);                                     \
        else                                                                                                 \
            name##_body(layout, NN_BF16, src, NN_BF16, dst, __VA_ARGS__);                                    \
    } while (0)

PER_CHANNEL_BODY(prelu, x > 0.0f ? x : x * a[k])
PER_CHANNEL_BODY(affine, x *a[k] + b[k])
FLAT_BODY(relu, x > 0.0f ? x : x * a)
FLAT_BODY(clip, x<a ? a : x> b ? b : x)
FLAT_BODY(fakequant, (clamp(rintf(x / a) + b, c, d) - b) * a)

MULTI static void prelu_run(const nn_layout *l, nn_dtype st, const void *src, nn_dtype dt, void *dst,
                            const float *a, const float *b)
{
    DISPATCH(prelu, l, a, b);
}

MULTI static void affine_run(const nn_layout *l, nn_dtype st, const void *src, nn_dtype dt, void *dst,
                             const float *a, const float *b)
{
    DISPATCH(affine, l, a, b);
}

typedef void per_channel_run(const nn_layout *l, nn_dtype st, const void *src, nn_dtype dt, void *dst,
                             const float *a, const float *b);

/* Few channels side by side would leave most of a vector empty: then the parameters are repeated until their
 * number is a multiple of a vector, and the pixels are taken as rows of that length. */
static void per_channel(per_channel_run *run, const nn_layout *l, nn_dtype st, const void *src, nn_dtype dt,
                        void *dst, const float *a, const float *b)
{
    enum { MOST_LANES = 64 };
    float wide_a[MOST_LANES * NN_LANES] = {0};
    float wide_b[MOST_LANES * NN_LANES] = {0};
    int lanes = l->lanes;
    if (l->groups != 1 || lanes == 1 || lanes >= MOST_LANES || lanes % NN_LANES == 0) {
        run(l, st, src, dt, dst, a, b);
        return;
    }
    int period = lanes;
    while (period % NN_LANES)
        period += lanes;
    for (int i = 0; i < period; i++) {
        wide_a[i] = a[i % lanes];
        wide_b[i] = b[i % lanes];
    }
    size_t count = nn_layout_count(l);
    size_t rows = count / (size_t)period;
    size_t done = rows * (size_t)period;
    nn_layout body = {1, period, 1, period, rows};
    nn_layout tail = {1, (int)(count - done), 1, (int)(count - done), 1};
    run(&body, st, src, dt, dst, wide_a, wide_b);
    if (count > done)
        run(&tail, st, (const uint8_t *)src + done * (st == NN_F32 ? 4 : 2), dt,
            (uint8_t *)dst + done * (dt == NN_F32 ? 4 : 2), wide_a, wide_b);
}

void nn_kernel_prelu(const nn_layout *l, nn_dtype st, const void *src, nn_dtype dt, void *dst,
                     const float *slope)
{
    per_channel(prelu_run, l, st, src, dt, dst, slope, slope);
}

void nn_kernel_affine(const nn_layout *l, nn_dtype st, const void *src, nn_dtype dt, void *dst,
                      const float *scale, const float *shift)
{
    per_channel(affine_run, l, st, src, dt, dst, scale, shift);
}

MULTI void nn_kernel_relu(const nn_layout *l, nn_dtype st, const void *src, nn_dtype dt, void *dst,
                          float alpha)
{
    DISPATCH(relu, l, alpha, 0.0f, 0.0f, 0.0f);
}

MULTI void nn_kernel_clip(const nn_layout *l, nn_dtype st, const void *src, nn_dtype dt, void *dst, float low,
                          float high)
{
    DISPATCH(clip, l, low, high, 0.0f, 0.0f);
}

MULTI void nn_kernel_fakequant(const nn_layout *l, nn_dtype st, const void *src, nn_dtype dt, void *dst,
                               const nn_quant *quant)
{
    DISPATCH(fakequant, l, quant->scale, (float)quant->zero, (float)quant->low, (float)quant->high);
}

INLINE void quantise_body(const nn_layout *l, nn_dtype st, const void *src, void *dst, float scale, float low,
                          float high)
{
    size_t count = nn_layout_count(l);
    /* The byte is the same for both signs once the number is in range. */
    for (size_t i = 0; i < count; i++)
        ((uint8_t *)dst)[i] = (uint8_t)(int32_t)clamp(rintf(load(src, i, st) / scale), low, high);
}

MULTI void nn_kernel_quantise(const nn_layout *l, nn_dtype st, const void *src, nn_dtype dt, void *dst,
                              const nn_quant *quant)
{
    (void)dt;
    if (st == NN_F32)
        quantise_body(l, NN_F32, src, dst, quant->scale, (float)quant->low, (float)quant->high);
    else
        quantise_body(l, NN_BF16, src, dst, quant->scale, (float)quant->low, (float)quant->high);
}

INLINE void dequantise_body(const nn_layout *l, bool is_signed, const void *src, nn_dtype dt, void *dst,
                            float scale)
{
    size_t count = nn_layout_count(l);
    for (size_t i = 0; i < count; i++) {
        int q = is_signed ? ((const int8_t *)src)[i] : ((const uint8_t *)src)[i];
        store(dst, i, dt, (float)q * scale);
    }
}

MULTI void nn_kernel_dequantise(const nn_layout *l, nn_dtype st, const void *src, nn_dtype dt, void *dst,
                                const nn_quant *quant)
{
    if (st == NN_I8 && dt == NN_F32)
        dequantise_body(l, true, src, NN_F32, dst, quant->scale);
    else if (st == NN_I8)
        dequantise_body(l, true, src, NN_BF16, dst, quant->scale);
    else if (dt == NN_F32)
        dequantise_body(l, false, src, NN_F32, dst, quant->scale);
    else
        dequantise_body(l, false, src, NN_BF16, dst, quant->scale);
}

/* The lanes past the last channel have to stay zero, which a sigmoid would not leave them. */
MULTI void nn_kernel_sigmoid(const nn_layout *l, nn_dtype st, const void *src, nn_dtype dt, void *dst)
{
    size_t lanes = (size_t)l->lanes;
    for (size_t row = 0; row < (size_t)l->batch * (size_t)l->groups; row++) {
        size_t first = row % (size_t)l->groups * lanes;
        size_t used = (size_t)l->channels - first < lanes ? (size_t)l->channels - first : lanes;
        for (size_t s = 0; s < l->area; s++) {
            size_t base = (row * l->area + s) * lanes;
            IN_PLACE for (size_t j = 0; j < lanes; j++)
            {
                float y = 1.0f / (1.0f + exp_of(-load(src, base + j, st)));
                store(dst, base + j, dt, j < used ? y : 0.0f);
            }
        }
    }
}

INLINE void binary_body(size_t count, bool add, nn_dtype type, const void *a, const void *b, void *dst)
{
    IN_PLACE for (size_t i = 0; i < count; i++)
    {
        float x = load(a, i, type);
        float y = load(b, i, type);
        store(dst, i, type, add ? x + y : x * y);
    }
}

MULTI void nn_kernel_binary(const nn_layout *l, nn_op op, nn_dtype type, const void *a, const void *b,
                            void *dst)
{
    size_t count = nn_layout_count(l);
    if (type == NN_F32 && op == NN_ADD)
        binary_body(count, true, NN_F32, a, b, dst);
    else if (type == NN_F32)
        binary_body(count, false, NN_F32, a, b, dst);
    else if (op == NN_ADD)
        binary_body(count, true, NN_BF16, a, b, dst);
    else
        binary_body(count, false, NN_BF16, a, b, dst);
}

INLINE void binary_channel_body(const nn_layout *l, bool add, nn_dtype type, const void *a, const void *b,
                                void *dst)
{
    size_t lanes = (size_t)l->lanes;
    for (size_t row = 0; row < (size_t)l->batch * (size_t)l->groups; row++) {
        size_t base = row * l->area * lanes;
        for (size_t s = 0; s < l->area; s++) {
            IN_PLACE for (size_t j = 0; j < lanes; j++)
            {
                float x = load(a, base + s * lanes + j, type);
                float y = load(b, row * lanes + j, type);
                store(dst, base + s * lanes + j, type, add ? x + y : x * y);
            }
        }
    }
}

MULTI void nn_kernel_binary_channel(const nn_layout *l, nn_op op, nn_dtype type, const void *a, const void *b,
                                    void *dst)
{
    if (type == NN_F32)
        binary_channel_body(l, op == NN_ADD, NN_F32, a, b, dst);
    else
        binary_channel_body(l, op == NN_ADD, NN_BF16, a, b, dst);
}

/* In pieces of a few lanes, so that the sums stay in registers. */
INLINE void global_average_body(const nn_layout *l, nn_dtype type, const void *src, void *dst)
{
    enum { PIECE = 64 };
    size_t lanes = (size_t)l->lanes;
    float sum[PIECE];
    for (size_t row = 0; row < (size_t)l->batch * (size_t)l->groups; row++) {
        for (size_t from = 0; from < lanes; from += PIECE) {
            size_t width = lanes - from < PIECE ? lanes - from : PIECE;
            for (size_t j = 0; j < width; j++)
                sum[j] = 0.0f;
            for (size_t s = 0; s < l->area; s++) {
                for (size_t j = 0; j < width; j++)
                    sum[j] += load(src, (row * l->area + s) * lanes + from + j, type);
            }
            for (size_t j = 0; j < width; j++)
                store(dst, row * lanes + from + j, type, sum[j] / (float)l->area);
        }
    }
}

MULTI void nn_kernel_global_average(const nn_layout *l, nn_dtype type, const void *src, void *dst)
{
    if (type == NN_F32)
        global_average_body(l, NN_F32, src, dst);
    else
        global_average_body(l, NN_BF16, src, dst);
}

INLINE size_t offset_of(const nn_layout *l, size_t n, size_t c, size_t s)
{
    size_t lanes = (size_t)l->lanes;
    return ((n * (size_t)l->groups + c / lanes) * l->area + s) * lanes + c % lanes;
}

/* Two classes, as in every detector: one exponential a position. */
INLINE void softmax_two(const nn_layout *l, nn_dtype type, const void *src, float *dst)
{
    size_t step = l->lanes > 1 ? (size_t)l->lanes : 1;
    size_t other = l->lanes > 1 ? 1 : l->area;
    for (size_t n = 0; n < (size_t)l->batch; n++) {
        size_t base = offset_of(l, n, 0, 0);
        float *first = dst + n * 2 * l->area;
        IN_PLACE for (size_t s = 0; s < l->area; s++)
        {
            float difference = load(src, base + s * step + other, type) - load(src, base + s * step, type);
            float e = exp_of(difference < 0.0f ? difference : -difference);
            float small = e / (1.0f + e);
            float large = 1.0f / (1.0f + e);
            first[s] = difference < 0.0f ? large : small;
            first[l->area + s] = difference < 0.0f ? small : large;
        }
    }
}

INLINE void softmax_body(const nn_layout *l, nn_dtype type, const void *src, float *dst)
{
    size_t channels = (size_t)l->channels;
    if (channels == 2) {
        softmax_two(l, type, src, dst);
        return;
    }
    for (size_t n = 0; n < (size_t)l->batch; n++) {
        for (size_t s = 0; s < l->area; s++) {
            float *out = dst + n * channels * l->area + s;
            float top = -FLT_MAX;
            float sum = 0.0f;
            for (size_t c = 0; c < channels; c++) {
                float x = load(src, offset_of(l, n, c, s), type);
                top = x > top ? x : top;
            }
            for (size_t c = 0; c < channels; c++) {
                float e = exp_of(load(src, offset_of(l, n, c, s), type) - top);
                out[c * l->area] = e;
                sum += e;
            }
            for (size_t c = 0; c < channels; c++)
                out[c * l->area] /= sum;
        }
    }
}

MULTI void nn_kernel_softmax(const nn_layout *l, nn_dtype type, const void *src, float *dst)
{
    if (type == NN_F32)
        softmax_body(l, NN_F32, src, dst);
    else
        softmax_body(l, NN_BF16, src, dst);
}

void nn_kernel_concat(const nn_layout *src_layout, nn_dtype type, const void *src, void *dst,
                      int dst_channels, int at)
{
    size_t size = type == NN_F32 ? 4 : 2;
    size_t width = (size_t)src_layout->channels * size;
    size_t count = (size_t)src_layout->batch * src_layout->area;
    for (size_t i = 0; i < count; i++)
        memcpy((uint8_t *)dst + (i * (size_t)dst_channels + (size_t)at) * size,
               (const uint8_t *)src + i * width, width);
}
