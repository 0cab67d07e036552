/* Weights that come as integers, and networks that compute in them. */
#include "nn/nn.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/nn_check.h"
#include "support/shared.h"

#include <unistd.h>

/* Integers that a DequantizeLinear of that name makes floats: so many scales, each for a part of them, and
 * one zero. */
static void add_dequantised(om_model *m, const char *name, const uint8_t *bytes, bool is_unsigned, int rank,
                            const int64_t *dims, const float *scale, size_t scales, int zero)
{
    const int type = is_unsigned ? 2 : 3;
    const int64_t scale_dims[1] = {(int64_t)scales};
    uint8_t *zeros = om_own(m, scales);
    size_t count = 1;
    char part[3][32], inputs[128];
    static const char *const parts[3] = {"q", "s", "z"};
    for (int i = 0; i < 3; i++)
        snprintf(part[i], sizeof part[i], "%s.%s", name, parts[i]);
    for (int d = 0; d < rank; d++)
        count *= (size_t)dims[d];
    memset(zeros, zero, scales);
    om_tensor(m, part[0], type, bytes, count, rank, dims);
    om_tensor(m, part[1], 1, scale, scales * sizeof *scale, scales > 1, scale_dims);
    om_tensor(m, part[2], type, zeros, scales, scales > 1, scale_dims);
    snprintf(inputs, sizeof inputs, "%s %s %s", part[0], part[1], part[2]);
    Onnx__NodeProto *n = om_node(m, "DequantizeLinear", name, inputs);
    om_int(m, n, "axis", 0);
}

/* Weights as QuantizeLinear leaves them, made floats again by a DequantizeLinear of that name: signed around
 * 0 with one scale for each of the first dimension or for all, or unsigned around 100. Returns the floats. */
static float *add_integer_weights(om_model *m, const char *name, int rank, int a, int b, int c, int d,
                                  unsigned seed, bool per_channel, bool is_unsigned)
{
    const size_t count = (size_t)a * (size_t)(b ? b : 1) * (size_t)(c ? c : 1) * (size_t)(d ? d : 1),
                 scales = per_channel ? (size_t)a : 1;
    const int64_t dims[4] = {a, b, c, d};
    const float *random = om_random(m, count, seed), *steps = om_random(m, scales, seed + 1);
    float *floats = om_own(m, count * sizeof *floats), *scale = om_own(m, scales * sizeof *scale);
    uint8_t *bytes = om_own(m, count);
    const int zero = is_unsigned ? 100 : 0;
    for (size_t s = 0; s < scales; s++)
        scale[s] = 0.01f + 0.005f * steps[s];
    for (size_t i = 0; i < count; i++) {
        const int q = (int)(random[i] * 100);
        bytes[i] = (uint8_t)(q + zero);
        floats[i] = (float)q * scale[i * scales / count];
    }
    add_dequantised(m, name, bytes, is_unsigned, rank, dims, scale, scales, zero);
    return floats;
}

/* Whoever can use integers gets them, whoever cannot gets floats, of the same weights. */
static void test_integer_weights(void **state)
{
    om_model *m = om_new(4, 8, 7, 13);
    float factors[4] = {0.5f, 2.0f, -1.0f, 3.0f}, none[4] = {0}, scale[6], shift[6];
    (void)state;
    const float *w = add_integer_weights(m, "w", 4, 6, 4, 3, 3, 50, true, false);
    const float *u = add_integer_weights(m, "u", 4, 5, 4, 3, 3, 52, false, true);
    const float *rows = add_integer_weights(m, "rows", 2, 9, 6, 0, 0, 54, true, false);
    const float *columns = add_integer_weights(m, "columns", 2, 6, 9, 0, 0, 56, false, false);
    om_floats(m, "factors", factors, 4, 1, 4, 1, 1);
    add_same3(m, "conv", "x w");
    add_batchnorm(m, "normed", "conv", 6, 60, scale, shift); /* into the scales */
    om_node(m, "Mul", "scaled", "x factors");
    add_same3(m, "behind", "scaled w"); /* no scale for each input: floats */
    add_same3(m, "unsigned", "x u");
    om_node(m, "GlobalAveragePool", "mean", "normed");
    om_node(m, "Flatten", "flat", "mean");
    Onnx__NodeProto *n = om_node(m, "Gemm", "by_rows", "flat rows");
    om_int(m, n, "transB", 1);
    om_node(m, "MatMul", "by_columns", "flat columns");
    static const char *const outputs[] = {"normed", "behind", "unsigned", "by_rows", "by_columns"};
    for (size_t i = 0; i < sizeof outputs / sizeof outputs[0]; i++)
        om_output(m, outputs[i]);
    om_image x = random_input(m, 2, 4, 8, 7), scaled = om_image_new(m, 2, 4, 8, 7);
    memcpy(scaled.v, x.v, om_count(&x) * sizeof *x.v);
    om_affine(&scaled, factors, none);
    om_image normed = om_conv(m, x, w, NULL, 6, 1, same3);
    om_affine(&normed, scale, shift);
    const om_window whole = {{8, 7}, {1, 1}, {0}, {0}, {1, 1}};
    om_image mean = om_pool(m, normed, 'a', false, whole);
    float *turned = om_own(m, 9 * 6 * sizeof *turned);
    for (int o = 0; o < 9; o++)
        for (int i = 0; i < 6; i++)
            turned[o * 6 + i] = columns[i * 9 + o];
    const om_image want[] = {normed, om_conv(m, scaled, w, NULL, 6, 1, same3),
                             om_conv(m, x, u, NULL, 5, 1, same3), om_dense(m, mean, rows, NULL, 9),
                             om_dense(m, mean, turned, NULL, 9)};
    check(m, x, want, 5);
    om_free(m);
}

/* QuantizeLinear and DequantizeLinear behind `in`; what comes out is called `name`. */
static void add_rounding(om_model *m, const char *name, const char *in, float step, bool is_signed)
{
    const uint8_t zero = 0;
    char parts[3][32], inputs[128];
    static const char *const ends[3] = {"step", "zero", "q"};
    for (int i = 0; i < 3; i++)
        snprintf(parts[i], sizeof parts[i], "%s.%s", name, ends[i]);
    om_floats(m, parts[0], &step, 0, 0, 0, 0, 0);
    om_tensor(m, parts[1], is_signed ? 3 : 2, &zero, 1, 0, (int64_t[]){0});
    snprintf(inputs, sizeof inputs, "%s %s %s", in, parts[0], parts[1]);
    om_node(m, "QuantizeLinear", parts[2], inputs);
    snprintf(inputs, sizeof inputs, "%s %s %s", parts[2], parts[0], parts[1]);
    om_node(m, "DequantizeLinear", name, inputs);
}

/* Weights of a 3x3 convolution, in steps of that size. Returns the floats. */
static float *add_steps(om_model *m, const char *name, const int8_t *steps, int outputs, int inputs,
                        float size)
{
    const size_t count = (size_t)outputs * (size_t)inputs * 9;
    float *floats = om_own(m, count * sizeof *floats);
    for (size_t i = 0; i < count; i++)
        floats[i] = (float)steps[i] * size;
    add_dequantised(m, name, (const uint8_t *)steps, false, 4, (int64_t[]){outputs, inputs, 3, 3}, &size, 1,
                    0);
    return floats;
}

/* As training/quantise.py writes an embedder: a signed input, unsigned ones behind each ReLU. The numbers are
 * such that nothing lies between two steps, and no pair of products leaves 16 bits: integers give what floats
 * give, on any processor. Odd weights that are all small, since half of them would be others (see
 * halves_weights). */
static void test_quantised(void **state)
{
    enum { C = 3, D = 20, E = 18, H = 12, W = 10 };
    const float unit = 1.0f / 512, step = 8 * unit;
    om_model *m = om_new(C, H, W, 13);
    const float *random = om_random(m, (D * C + E * D) * 9, 90);
    int8_t *first = om_own(m, D * C * 9), *second = om_own(m, E * D * 9);
    float *bias = om_own(m, D * sizeof *bias);
    (void)state;
    for (size_t i = 0; i < D * C * 9; i++)
        first[i] = (int8_t)(2 * (int)(random[i] * 4) + 1);
    for (size_t i = 0; i < E * D * 9; i++)
        second[i] = (int8_t)(random[D * C * 9 + i] * 64);
    for (int i = 0; i < D; i++)
        bias[i] = 0.25f * unit;
    const float *v = add_steps(m, "v", first, D, C, 1.0f / 8), *w = add_steps(m, "w", second, E, D, 0.03f);
    om_floats(m, "bias", bias, 1, D, 0, 0, 0);
    add_rounding(m, "rounded", "x", 1.0f / 64, true);
    add_same3(m, "first", "rounded v bias");
    om_node(m, "Relu", "relu", "first");
    add_rounding(m, "kept", "relu", step, false);
    Onnx__NodeProto *n = om_node(m, "MaxPool", "pool", "kept");
    om_ints(m, n, "kernel_shape", 2, 2, 2);
    om_ints(m, n, "strides", 2, 2, 2);
    add_rounding(m, "again", "pool", step, false);
    add_same3(m, "second", "again w");
    om_output(m, "second");
    om_image x = random_input(m, 2, C, H, W);
    for (size_t i = 0; i < om_count(&x); i++)
        x.v[i] = rint(x.v[i] * 100) / 64;
    om_image y = om_conv(m, x, v, bias, D, 1, same3);
    om_prelu(&y, NULL, 0.0f);
    for (size_t i = 0; i < om_count(&y); i++)
        y.v[i] = fmin(rint(y.v[i] / (double)step), 255) * (double)step;
    om_image pooled = om_pool(m, y, 'm', false, (om_window){{2, 2}, {2, 2}, {0}, {0}, {1, 1}});
    om_image want = om_conv(m, pooled, w, NULL, E, 1, same3);
    check(m, x, &want, 1);
    om_free(m);
}

/* A block whose input is rounded: integers for its convolution and another one, a float for the sum. */
static void test_quantised_residual(void **state)
{
    enum { C = 20, H = 7, W = 6 };
    (void)state;
    for (int is_signed = 0; is_signed < 2; is_signed++) {
        om_model *m = om_new(C, H, W, 13);
        const float *random = om_random(m, 2 * C * C * 9, 91);
        int8_t *steps = om_own(m, 2 * C * C * 9);
        for (size_t i = 0; i < 2 * C * C * 9; i++)
            steps[i] = (int8_t)(random[i] * 8);
        const float *v = add_steps(m, "v", steps, C, C, 1.0f / 8);
        const float *w = add_steps(m, "w", steps + C * C * 9, C, C, 1.0f / 8);
        add_rounding(m, "a", "x", 1.0f / 64, is_signed);
        add_same3(m, "b", "a v");
        om_node(m, "Add", "c", "b a");
        add_same3(m, "d", "a w");
        om_output(m, "c");
        om_output(m, "d");
        om_image x = random_input(m, 2, C, H, W);
        for (size_t i = 0; i < om_count(&x); i++)
            x.v[i] = rint((is_signed ? x.v[i] : fabs(x.v[i])) * 100) / 64;
        const om_image want[2] = {om_conv(m, x, v, NULL, C, 1, same3), om_conv(m, x, w, NULL, C, 1, same3)};
        for (size_t i = 0; i < om_count(&x); i++)
            want[0].v[i] += x.v[i];
        check(m, x, want, 2);
        om_free(m);
    }
}

/* The same with integers, which begin in the layout of floats; numbers that sums in any order and, mostly,
 * bf16 hold as they are. */
static void test_odd_channels_quantised(void **state)
{
    static const int channels[] = {1, 5, 6, 9, 17};
    enum { H = 4, W = 6, AREA = H * W, ROWS = 7 };
    (void)state;
    for (int k = 0; k < 2 * (int)(sizeof channels / sizeof channels[0]); k++) {
        const int c = channels[k / 2];
        const bool is_signed = k % 2;
        const size_t many = (size_t)c * (size_t)c * 9, long_row = (size_t)c * AREA;
        om_model *m = om_new(c, H, W, 13);
        const float *random = om_random(m, 2 * many + ROWS * long_row, 95), eighth = 1.0f / 8;
        float *first = om_own(m, many * sizeof *first), *last = om_own(m, ROWS * long_row * sizeof *last);
        int8_t *steps = om_own(m, many), *row_steps = om_own(m, ROWS * long_row);
        for (size_t i = 0; i < many; i++) {
            first[i] = rintf(random[i] * 8) / 8;
            steps[i] = (int8_t)(random[many + i] * 64);
        }
        for (size_t i = 0; i < ROWS * long_row; i++) {
            row_steps[i] = (int8_t)(random[2 * many + i] * 64);
            last[i] = (float)row_steps[i] * eighth;
        }
        add_conv(m, "a", "x", first, NULL, c, c, 1, same3);
        add_rounding(m, "q", "a", 0.5f, is_signed);
        const float *w = add_steps(m, "w", steps, c, c, eighth);
        add_same3(m, "b", "q w");
        om_node(m, "Add", "sum", "b q"); /* 0 */
        om_output(m, "sum");
        om_node(m, "Mul", "product", "q a"); /* 1 */
        om_output(m, "product");
        Onnx__NodeProto *n = om_node(m, "MaxPool", "pool", "q");
        om_ints(m, n, "kernel_shape", 2, 2, 2);
        om_ints(m, n, "strides", 2, 1, 1);
        om_ints(m, n, "pads", 4, 0, 0, 1, 1);
        om_node(m, "Flatten", "row", "pool");
        add_dequantised(m, "rows", (const uint8_t *)row_steps, false, 2, (int64_t[]){ROWS, c * AREA}, &eighth,
                        1, 0);
        om_int(m, om_node(m, "Gemm", "dense", "row rows"), "transB", 1); /* 2 */
        om_output(m, "dense");
        om_int(m, om_node(m, "Concat", "joined", "q pool"), "axis", 1); /* 3 */
        om_output(m, "joined");
        om_image x = random_input(m, 2, c, H, W);
        for (size_t i = 0; i < om_count(&x); i++)
            x.v[i] = rint(x.v[i] * 4);
        const om_image a = om_conv(m, x, first, NULL, c, 1, same3), q = om_image_new(m, 2, c, H, W);
        for (size_t i = 0; i < om_count(&q); i++)
            q.v[i] = fmin(fmax(rint(a.v[i] * 2), is_signed ? -128 : 0), is_signed ? 127 : 255) / 2;
        const om_image pool = om_pool(m, q, 'm', false, (om_window){{2, 2}, {1, 1}, {0}, {1, 1}, {1, 1}});
        const om_image want[4] = {om_conv(m, q, w, NULL, c, 1, same3), om_image_new(m, 2, c, H, W),
                                  om_dense(m, pool, last, NULL, ROWS), om_image_new(m, 2, 2 * c, H, W)};
        for (size_t i = 0; i < om_count(&q); i++) {
            want[0].v[i] += q.v[i];
            want[1].v[i] = q.v[i] * a.v[i];
        }
        for (int i = 0; i < 2; i++) {
            memcpy(om_at(&want[3], i, 0, 0, 0), om_at(&q, i, 0, 0, 0), long_row * sizeof *q.v);
            memcpy(om_at(&want[3], i, c, 0, 0), om_at(&pool, i, 0, 0, 0), long_row * sizeof *q.v);
        }
        check(m, x, want, 4);
        om_free(m);
    }
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_integer_weights),
        cmocka_unit_test(test_quantised),
        cmocka_unit_test(test_quantised_residual),
        cmocka_unit_test(test_odd_channels_quantised),
    };
    (void)argc;
    (void)argv;
    return cmocka_run_group_tests(tests, setup, teardown);
}
