#include "nn/nn.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/model_folder.h"
#include "support/onnx_model.h"
#include "support/shared.h"

#include <unistd.h>

static om_image random_input(om_model *m, int n, int c, int h, int w)
{
    om_image x = om_image_new(m, n, c, h, w);
    const float *v = om_random(m, om_count(&x), 77);
    for (size_t i = 0; i < om_count(&x); i++)
        x.v[i] = (double)v[i];
    return x;
}

static float *pixels_of(om_model *m, om_image x)
{
    float *p = om_own(m, om_count(&x) * sizeof *p);
    float *at = p;
    for (int n = 0; n < x.n; n++)
        for (int y = 0; y < x.h; y++)
            for (int k = 0; k < x.w; k++)
                for (int c = 0; c < x.c; c++)
                    *at++ = (float)*om_at(&x, n, c, y, k);
    return p;
}

static void assert_close(const fg_tensor_view *got, const om_image *want, double tolerance)
{
    size_t count = 1;
    double scale = 1e-3;
    for (int d = 0; d < got->rank; d++)
        count *= (size_t)got->dims[d];
    assert_int_equal(got->dims[0], want->n);
    assert_int_equal(count, om_count(want));
    if (got->rank == 4) {
        assert_int_equal(got->dims[1], want->c);
        assert_int_equal(got->dims[2], want->h);
        assert_int_equal(got->dims[3], want->w);
    }
    for (size_t i = 0; i < count; i++)
        scale = fabs(want->v[i]) > scale ? fabs(want->v[i]) : scale;
    for (size_t i = 0; i < count; i++) {
        if (!(fabs((double)got->data[i] - want->v[i]) <= tolerance * scale))
            fail_msg("number %zu of %zu: %g, not %g (largest %g)", i, count, (double)got->data[i], want->v[i],
                     scale);
    }
}

/* Runs the model on x in every precision that it and this machine have; outputs has to hold what comes out.
 * Twice, since the second run meets buffers that are not fresh. */
static void check(om_model *m, om_image x, const om_image *want, int outputs)
{
    fg_error err = {0};
    float *pixels = pixels_of(m, x);
    om_save(m, model_path, NULL);
    for (fg_precision precision = FG_PRECISION_F32; precision <= FG_PRECISION_INT8; precision++) {
        fg_net_options options = {precision, x.h, x.w};
        fg_net *net = NULL;
        fg_net_run *run = NULL;
        fg_tensor_view got[FG_NET_MAX_OUTPUTS];
        fg_code rc = fg_net_open(&net, model_path, &options, &err);
        if (rc == FG_ERR_UNSUPPORTED && precision == FG_PRECISION_BF16 && strstr(err.msg, "processor"))
            continue;
        if (rc == FG_ERR_UNSUPPORTED && precision == FG_PRECISION_INT8 && strstr(err.msg, "not quantised"))
            continue;
        if (rc)
            fail_msg("%s: %s", fg_precision_name(precision), err.msg);
        assert_int_equal(fg_net_info_view(net)->precision, precision);
        assert_int_equal(fg_net_info_view(net)->outputs, outputs);
        assert_int_equal(fg_net_run_new(&run, net, &err), FG_OK);
        for (int round = 0; round < 2; round++) {
            rc = fg_net_exec(run, pixels, x.n, x.h, x.w, got, &err);
            if (rc)
                fail_msg("%s", err.msg);
            for (int o = 0; o < outputs; o++)
                assert_close(&got[o], &want[o], precision == FG_PRECISION_BF16 ? 2e-2 : 2e-6);
        }
        fg_net_run_free(run);
        fg_net_close(net);
    }
}

static const om_window same3 = {{3, 3}, {1, 1}, {1, 1}, {1, 1}, {1, 1}};
static const om_window point = {{1, 1}, {1, 1}, {0}, {0}, {1, 1}};

static Onnx__NodeProto *add_conv(om_model *m, const char *name, const char *in, const float *weights,
                                 const float *bias, int outputs, int inputs, int groups, om_window q)
{
    char text[224];
    char w[64];
    char b[64];
    snprintf(w, sizeof w, "%s.w", name);
    snprintf(b, sizeof b, "%s.b", name);
    snprintf(text, sizeof text, "%s %s %s", in, w, bias ? b : "");
    om_floats(m, w, weights, 4, outputs, inputs / groups, q.k[0], q.k[1]);
    if (bias)
        om_floats(m, b, bias, 1, outputs, 0, 0, 0);
    Onnx__NodeProto *n = om_node(m, "Conv", name, text);
    om_ints(m, n, "kernel_shape", 2, q.k[0], q.k[1]);
    om_ints(m, n, "strides", 2, q.stride[0], q.stride[1]);
    om_ints(m, n, "dilations", 2, q.dilation[0], q.dilation[1]);
    om_ints(m, n, "pads", 4, q.begin[0], q.begin[1], q.end[0], q.end[1]);
    om_int(m, n, "group", groups);
    return n;
}

/* The statistics of a batch norm, positive where they must be. */
static void add_batchnorm(om_model *m, const char *name, const char *in, int c, unsigned seed, float *scale,
                          float *shift)
{
    char text[224];
    char part[4][32];
    float *v[4];
    for (int i = 0; i < 4; i++) {
        v[i] = om_random(m, (size_t)c, seed + (unsigned)i);
        snprintf(part[i], sizeof part[i], "%s.%d", name, i);
    }
    for (int k = 0; k < c; k++) {
        v[3][k] = v[3][k] * v[3][k] + 0.5f;
        scale[k] = (float)((double)v[0][k] / sqrt((double)v[3][k] + 1e-3));
        shift[k] = v[1][k] - v[2][k] * scale[k];
    }
    for (int i = 0; i < 4; i++)
        om_floats(m, part[i], v[i], 1, c, 0, 0, 0);
    snprintf(text, sizeof text, "%s %s %s %s %s", in, part[0], part[1], part[2], part[3]);
    Onnx__NodeProto *n = om_node(m, "BatchNormalization", name, text);
    om_float(m, n, "epsilon", 1e-3f);
    om_float(m, n, "momentum", 0.9f);
}

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

static void add_same3(om_model *m, const char *name, const char *inputs)
{
    Onnx__NodeProto *n = om_node(m, "Conv", name, inputs);
    om_ints(m, n, "kernel_shape", 2, 3, 3);
    om_ints(m, n, "pads", 4, 1, 1, 1, 1);
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

static void test_conv_batchnorm_relu(void **state)
{
    om_window q = {{3, 5}, {2, 1}, {1, 0}, {0, 2}, {1, 2}};
    om_model *m = om_new(5, 0, 0, 13);
    float *w = om_random(m, 7 * 5 * 15, 1);
    float *b = om_random(m, 7, 2);
    float scale[7];
    float shift[7];
    (void)state;
    add_conv(m, "c", "x", w, b, 7, 5, 1, q);
    add_batchnorm(m, "bn", "c", 7, 3, scale, shift);
    om_node(m, "Relu", "r", "bn");
    om_output(m, "r");
    om_image x = random_input(m, 2, 5, 14, 17);
    om_image y = om_conv(m, x, w, b, 7, 1, q);
    om_affine(&y, scale, shift);
    om_prelu(&y, NULL, 0.0f);
    check(m, x, &y, 1);
    om_free(m);
}

static void test_residual(void **state)
{
    om_model *m = om_new(3, 12, 12, 13);
    float *w[4];
    float *slope = om_random(m, 20, 9);
    (void)state;
    for (unsigned i = 0; i < 4; i++)
        w[i] = om_random(m, 20 * 20 * 9, 20 + i);
    /* Two blocks; the first one's input is read twice more, and is an output too. */
    add_conv(m, "a", "x", w[0], NULL, 20, 3, 1, same3);
    om_floats(m, "slope", slope, 3, 20, 1, 1, 0);
    om_node(m, "PRelu", "p", "a slope");
    add_conv(m, "b", "p", w[1], NULL, 20, 20, 1, same3);
    om_node(m, "Add", "s", "b p");
    om_node(m, "Relu", "r", "s");
    add_conv(m, "c", "r", w[2], NULL, 20, 20, 1, same3);
    add_conv(m, "d", "r", w[3], NULL, 20, 20, 1, point);
    om_node(m, "Add", "t", "c d");
    om_node(m, "Add", "u", "t p");
    om_output(m, "u");
    om_output(m, "p");
    om_image x = random_input(m, 1, 3, 12, 12);
    om_image p = om_conv(m, x, w[0], NULL, 20, 1, same3);
    om_prelu(&p, slope, 0.0f);
    om_image r = om_conv(m, p, w[1], NULL, 20, 1, same3);
    for (size_t i = 0; i < om_count(&r); i++)
        r.v[i] = r.v[i] + p.v[i] > 0.0 ? r.v[i] + p.v[i] : 0.0;
    om_image u = om_conv(m, r, w[2], NULL, 20, 1, same3);
    om_image d = om_conv(m, r, w[3], NULL, 20, 1, point);
    for (size_t i = 0; i < om_count(&u); i++)
        u.v[i] += d.v[i] + p.v[i];
    om_image want[2] = {u, p};
    check(m, x, want, 2);
    om_free(m);
}

static void test_groups_and_depthwise(void **state)
{
    om_window q = {{3, 3}, {2, 2}, {1, 1}, {1, 1}, {1, 1}};
    om_window whole = {{5, 5}, {1, 1}, {0}, {0}, {1, 1}};
    om_model *m = om_new(16, 0, 0, 13);
    float *w[3];
    float *b = om_random(m, 32, 4);
    (void)state;
    for (unsigned i = 0; i < 3; i++)
        w[i] = om_random(m, 16 * 32 * 25, 30 + i);
    add_conv(m, "g", "x", w[0], b, 32, 16, 2, q);
    add_conv(m, "d", "g", w[1], b, 32, 32, 32, same3);
    om_node(m, "Relu", "r", "d");
    add_conv(m, "e", "r", w[2], NULL, 32, 32, 32, whole);
    om_output(m, "e");
    om_image x = random_input(m, 2, 16, 9, 10);
    om_image g = om_conv(m, x, w[0], b, 32, 2, q);
    om_image d = om_conv(m, g, w[1], b, 32, 32, same3);
    om_prelu(&d, NULL, 0.0f);
    om_image e = om_conv(m, d, w[2], NULL, 32, 32, whole);
    check(m, x, &e, 1);
    om_free(m);
}

/* Affine maps before a padded convolution must not be folded into it: the padding is not shifted. */
static void test_normalised_input(void **state)
{
    om_model *m = om_new(3, 0, 0, 13);
    float *w = om_random(m, 10 * 3 * 9, 5);
    float *v = om_random(m, 10, 6);
    float scale[3] = {0.5f, 2.0f, -1.0f};
    float shift[3] = {0.25f, -0.5f, 3.0f};
    float quarter = 0.25f;
    float minus[3] = {-0.25f, 0.5f, -3.0f};
    (void)state;
    om_floats(m, "scale", scale, 3, 3, 1, 1, 0);
    om_floats(m, "minus", minus, 4, 1, 3, 1, 1);
    om_floats(m, "quarter", &quarter, 0, 0, 0, 0, 0);
    om_node(m, "Mul", "a", "scale x");
    om_node(m, "Sub", "b", "a minus");
    add_conv(m, "c", "b", w, NULL, 10, 3, 1, same3);
    om_node(m, "Div", "d", "c quarter");
    om_floats(m, "v", v, 4, 1, 10, 1, 1);
    om_node(m, "Sub", "e", "v d");
    om_output(m, "e");
    om_image x = random_input(m, 1, 3, 8, 7);
    om_image b = om_image_new(m, 1, 3, 8, 7);
    memcpy(b.v, x.v, om_count(&x) * sizeof *b.v);
    om_affine(&b, scale, shift);
    om_image c = om_conv(m, b, w, NULL, 10, 1, same3);
    for (size_t i = 0; i < om_count(&c); i++)
        c.v[i] = (double)v[i / 56] - c.v[i] * 4.0;
    check(m, x, &c, 1);
    om_free(m);
}

/* The pooling of MTCNN: rounded up, where the last window hangs over the edge. */
static void test_pooling(void **state)
{
    om_window three = {{3, 3}, {2, 2}, {0}, {0}, {1, 1}};
    om_window padded = {{3, 3}, {2, 2}, {1, 1}, {1, 1}, {1, 1}};
    om_window skips = {{1, 1}, {3, 3}, {0}, {0}, {1, 1}};
    om_model *m = om_new(10, 0, 0, 13);
    (void)state;
    Onnx__NodeProto *n = om_node(m, "MaxPool", "a", "x");
    om_ints(m, n, "kernel_shape", 2, 3, 3);
    om_ints(m, n, "strides", 2, 2, 2);
    om_int(m, n, "ceil_mode", 1);
    n = om_node(m, "AveragePool", "b", "x");
    om_ints(m, n, "kernel_shape", 2, 3, 3);
    om_ints(m, n, "strides", 2, 2, 2);
    om_ints(m, n, "pads", 4, 1, 1, 1, 1);
    n = om_node(m, "AveragePool", "c", "x");
    om_ints(m, n, "kernel_shape", 2, 3, 3);
    om_ints(m, n, "strides", 2, 2, 2);
    om_ints(m, n, "pads", 4, 1, 1, 1, 1);
    om_int(m, n, "count_include_pad", 1);
    om_node(m, "GlobalAveragePool", "d", "x");
    n = om_node(m, "MaxPool", "e", "x");
    om_ints(m, n, "kernel_shape", 2, 1, 1);
    om_ints(m, n, "strides", 2, 3, 3);
    om_int(m, n, "ceil_mode", 1);
    n = om_node(m, "MaxPool", "f", "x");
    om_ints(m, n, "kernel_shape", 2, 3, 3);
    om_ints(m, n, "strides", 2, 2, 2);
    Onnx__AttributeProto *pad = om_attribute(m, n, "auto_pad");
    pad->has_s = 1;
    pad->s.data = (uint8_t *)om_text(m, "SAME_LOWER");
    pad->s.len = 10;
    for (char name[2] = "a"; name[0] <= 'f'; name[0]++)
        om_output(m, name);
    for (int h = 22; h <= 25; h++) {
        om_image x = random_input(m, 2, 10, h, 18);
        om_window whole = {{h, 18}, {1, 1}, {0}, {0}, {1, 1}};
        int same = (h + 1) / 2 * 2 - 2 + 3 - h; /* rows of padding, the larger half above */
        om_window lower = {{3, 3}, {2, 2}, {same - same / 2, 1}, {same / 2, 0}, {1, 1}};
        om_image want[6] = {om_pool(m, x, 'm', true, three),   om_pool(m, x, 'a', false, padded),
                            om_pool(m, x, 'p', false, padded), om_pool(m, x, 'a', false, whole),
                            om_pool(m, x, 'm', true, skips),   om_pool(m, x, 'm', false, lower)};
        check(m, x, want, 6);
    }
    om_free(m);
}

static void test_squeeze_and_excitation(void **state)
{
    om_model *m = om_new(24, 0, 0, 13);
    float *a = om_random(m, 6 * 24, 1);
    float *b = om_random(m, 6 * 24, 2);
    float *bias = om_random(m, 24, 3);
    (void)state;
    om_integers(m, "axes", 2, (int64_t[]){2, 3});
    Onnx__NodeProto *n = om_node(m, "ReduceMean", "mean", "x");
    om_ints(m, n, "axes", 2, -1, 2);
    add_conv(m, "squeeze", "mean", a, bias, 6, 24, 1, point);
    om_node(m, "LeakyRelu", "leaky", "squeeze");
    add_conv(m, "excite", "leaky", b, bias, 24, 6, 1, point);
    om_node(m, "Sigmoid", "gate", "excite");
    om_node(m, "Mul", "out", "gate x");
    om_node(m, "Sigmoid", "alone", "x");
    om_output(m, "out");
    om_output(m, "alone");
    om_image x = random_input(m, 2, 24, 6, 5);
    om_image mean = om_pool(m, x, 'a', false, (om_window){{6, 5}, {1, 1}, {0}, {0}, {1, 1}});
    om_image s = om_conv(m, mean, a, bias, 6, 1, point);
    om_prelu(&s, NULL, 0.01f);
    om_image e = om_conv(m, s, b, bias, 24, 1, point);
    om_image want[2] = {om_image_new(m, 2, 24, 6, 5), om_image_new(m, 2, 24, 6, 5)};
    for (size_t i = 0; i < om_count(&x); i++) {
        want[0].v[i] = x.v[i] / (1.0 + exp(-e.v[i / 30]));
        want[1].v[i] = 1.0 / (1.0 + exp(-x.v[i]));
    }
    check(m, x, want, 2);
    om_free(m);
}

static void test_dense_and_softmax(void **state)
{
    om_model *m = om_new(6, 4, 5, 13);
    float *w[3];
    float *b = om_random(m, 40, 3);
    float *slope = om_random(m, 40, 8);
    float *turned = om_random(m, 40 * 33, 0);
    (void)state;
    for (unsigned i = 0; i < 3; i++)
        w[i] = om_random(m, 40 * 120, 50 + i);
    for (int o = 0; o < 33; o++)
        for (int i = 0; i < 40; i++)
            turned[i * 33 + o] = w[1][o * 40 + i];
    om_node(m, "Relu", "r", "x");
    om_node(m, "Flatten", "flat", "r");
    om_floats(m, "w0", w[0], 2, 40, 120, 0, 0);
    om_floats(m, "b", b, 1, 40, 0, 0, 0);
    om_floats(m, "slope", slope, 1, 40, 0, 0, 0);
    Onnx__NodeProto *n = om_node(m, "Gemm", "fc", "flat w0 b");
    om_int(m, n, "transB", 1);
    om_float(m, n, "alpha", 0.5f);
    om_float(m, n, "beta", 2.0f);
    om_node(m, "PRelu", "p", "fc slope");
    om_floats(m, "w1", turned, 2, 40, 33, 0, 0);
    om_floats(m, "b1", b, 2, 1, 33, 0, 0);
    om_node(m, "MatMul", "mm", "p w1");
    om_node(m, "Add", "biased", "mm b1");
    om_node(m, "Softmax", "soft", "biased");
    om_floats(m, "w2", w[2], 2, 2, 40, 0, 0);
    n = om_node(m, "Gemm", "two", "p w2");
    om_int(m, n, "transB", 1);
    om_node(m, "Softmax", "prob", "two");
    om_output(m, "soft");
    om_output(m, "prob");
    om_image x = random_input(m, 3, 6, 4, 5);
    om_image r = om_image_new(m, 3, 6, 4, 5);
    memcpy(r.v, x.v, om_count(&x) * sizeof *r.v);
    om_prelu(&r, NULL, 0.0f);
    om_image f = om_dense(m, r, w[0], NULL, 40);
    for (size_t i = 0; i < om_count(&f); i++)
        f.v[i] = 0.5 * f.v[i] + 2.0 * (double)b[i % 40];
    om_prelu(&f, slope, 0.0f);
    om_image want[2] = {om_dense(m, f, w[1], b, 33), om_dense(m, f, w[2], NULL, 2)};
    om_softmax(&want[0]);
    om_softmax(&want[1]);
    check(m, x, want, 2);
    om_free(m);
}

/* The same in rows: what is added was an image and is read once more. */
static void test_dense_residual(void **state)
{
    enum { C = 6, H = 3, W = 2, K = C * H * W };
    om_model *m = om_new(C, H, W, 13);
    float *w[3];
    (void)state;
    for (unsigned i = 0; i < 3; i++)
        w[i] = om_random(m, (size_t)K * K, 70 + i);
    add_conv(m, "a", "x", w[0], NULL, C, C, 1, same3);
    om_node(m, "Flatten", "flat", "a");
    om_floats(m, "w1", w[1], 2, K, K, 0, 0);
    om_floats(m, "w2", w[2], 2, K, K, 0, 0);
    om_int(m, om_node(m, "Gemm", "b", "flat w1"), "transB", 1);
    om_node(m, "Add", "c", "b flat");
    om_int(m, om_node(m, "Gemm", "d", "flat w2"), "transB", 1);
    om_output(m, "c");
    om_output(m, "d");
    om_image x = random_input(m, 2, C, H, W);
    om_image a = om_conv(m, x, w[0], NULL, C, 1, same3);
    const om_image want[2] = {om_dense(m, a, w[1], NULL, K), om_dense(m, a, w[2], NULL, K)};
    for (size_t i = 0; i < om_count(&a); i++)
        want[0].v[i] += a.v[i];
    check(m, x, want, 2);
    om_free(m);
}

static void test_views_and_concat(void **state)
{
    om_model *m = om_new(4, 6, 6, 13);
    float *w = om_random(m, 5 * 4, 5);
    float low = -0.5f;
    float high = 0.75f;
    (void)state;
    add_conv(m, "c", "x", w, NULL, 5, 4, 1, point);
    om_floats(m, "low", &low, 0, 0, 0, 0, 0);
    om_floats(m, "high", &high, 0, 0, 0, 0, 0);
    om_node(m, "Clip", "clip", "c low high");
    om_node(m, "Identity", "same", "clip");
    om_node(m, "Dropout", "kept", "same");
    Onnx__NodeProto *n = om_node(m, "Concat", "both", "x kept x");
    om_int(m, n, "axis", 1);
    om_integers(m, "shape", 2, (int64_t[]){0, -1});
    om_node(m, "Reshape", "row", "both shape");
    om_node(m, "GlobalAveragePool", "mean", "both");
    om_integers(m, "axes", 2, (int64_t[]){2, 3});
    om_node(m, "Squeeze", "flat", "mean axes");
    om_node(m, "Unsqueeze", "back", "flat axes");
    om_node(m, "Mul", "scaled", "both back");
    n = om_node(m, "Softmax", "soft", "scaled");
    om_int(m, n, "axis", 1);
    om_output(m, "row");
    om_output(m, "soft");
    om_image x = random_input(m, 2, 4, 6, 6);
    om_image c = om_conv(m, x, w, NULL, 5, 1, point);
    om_image want[2] = {om_image_new(m, 2, 13, 6, 6), om_image_new(m, 2, 13, 6, 6)};
    for (size_t i = 0; i < om_count(&c); i++)
        c.v[i] = c.v[i] < -0.5 ? -0.5 : c.v[i] > 0.75 ? 0.75 : c.v[i];
    for (int k = 0; k < 2; k++) {
        memcpy(om_at(&want[0], k, 0, 0, 0), om_at(&x, k, 0, 0, 0), 4 * 36 * sizeof(double));
        memcpy(om_at(&want[0], k, 4, 0, 0), om_at(&c, k, 0, 0, 0), 5 * 36 * sizeof(double));
        memcpy(om_at(&want[0], k, 9, 0, 0), om_at(&x, k, 0, 0, 0), 4 * 36 * sizeof(double));
    }
    om_image mean = om_pool(m, want[0], 'a', false, (om_window){{6, 6}, {1, 1}, {0}, {0}, {1, 1}});
    for (size_t i = 0; i < om_count(&want[1]); i++)
        want[1].v[i] = want[0].v[i] * mean.v[i / 36];
    om_softmax(&want[1]);
    check(m, x, want, 2);
    om_free(m);
}

/* Every operator on what a convolution wrote, whose channels need not fill its last block of 8 or 16. */
static void test_odd_channels(void **state)
{
    static const int channels[] = {1, 2, 5, 6, 8, 9, 17};
    enum { H = 5, W = 4, AREA = H * W, MOST = 17 };
    (void)state;
    for (size_t k = 0; k < sizeof channels / sizeof channels[0]; k++) {
        const int c = channels[k];
        const size_t image = (size_t)c * AREA;
        om_model *m = om_new(c, 0, 0, 13);
        const float *w[3], *v = om_random(m, MOST * 4 * MOST, 80), *slope = om_random(m, (size_t)c, 81);
        const float *dense = om_random(m, 7 * image, 82), low = 0.25f, high = 0.75f;
        for (unsigned i = 0; i < 3; i++)
            w[i] = om_random(m, (size_t)c * (size_t)c * 9, 83 + i);
        om_image x = random_input(m, 3, c, H, W);
        for (size_t i = 0; i < om_count(&x); i++)
            x.v[i] /= 4; /* else the softmax would make much of what bf16 rounds off */
        om_image a = om_conv(m, x, w[0], NULL, c, 1, same3);
        om_image b = om_conv(m, x, w[1], NULL, c, 1, same3);
        const size_t count = om_count(&a);
        const om_image mean = om_pool(m, a, 'a', false, (om_window){{H, W}, {1, 1}, {0}, {0}, {1, 1}});
        add_conv(m, "a", "x", w[0], NULL, c, c, 1, same3);
        add_conv(m, "b", "x", w[1], NULL, c, c, 1, same3);
        om_node(m, "GlobalAveragePool", "mean", "a");
        om_node(m, "Sigmoid", "gate", "mean");
        om_node(m, "Mul", "gated", "a gate"); /* 0 */
        om_output(m, "gated");
        om_floats(m, "low", &low, 0, 0, 0, 0, 0);
        om_floats(m, "high", &high, 0, 0, 0, 0, 0);
        om_node(m, "Clip", "clip", "a low high");
        om_int(m, om_node(m, "Concat", "joined", "clip b clip gated"), "axis", 1);
        add_conv(m, "behind", "joined", v, NULL, c, 4 * c, 1, point); /* 1 */
        om_output(m, "behind");
        om_floats(m, "slope", slope, 3, c, 1, 1, 0);
        om_node(m, "PRelu", "prelu", "b slope");
        om_node(m, "Mul", "product", "a prelu");
        add_conv(m, "third", "clip", w[2], NULL, c, c, 1, same3);
        om_node(m, "Add", "sum", "third product"); /* 2 */
        om_output(m, "sum");
        om_int(m, om_node(m, "Softmax", "soft", "a"), "axis", 1); /* 3 */
        om_output(m, "soft");
        om_node(m, "Flatten", "row", "product");
        om_node(m, "Sigmoid", "rows", "row");
        om_floats(m, "dense.w", dense, 2, 7, c * AREA, 0, 0);
        om_int(m, om_node(m, "Gemm", "dense", "rows dense.w"), "transB", 1); /* 4 */
        om_output(m, "dense");
        Onnx__NodeProto *n = om_node(m, "AveragePool", "pooled", "prelu"); /* 5 */
        om_ints(m, n, "kernel_shape", 2, 2, 2);
        om_output(m, "pooled");
        om_node(m, "Flatten", "means", "mean");
        om_node(m, "Softmax", "point", "means"); /* 6 */
        om_output(m, "point");
        om_image joined = om_image_new(m, 3, 4 * c, H, W), clip = om_image_new(m, 3, c, H, W);
        om_image prelu = om_image_new(m, 3, c, H, W), rows = om_image_new(m, 3, c, H, W);
        om_image gated = om_image_new(m, 3, c, H, W), soft = om_image_new(m, 3, c, H, W), means = mean;
        memcpy(soft.v, a.v, count * sizeof *a.v);
        om_softmax(&soft);
        memcpy(prelu.v, b.v, count * sizeof *b.v);
        om_prelu(&prelu, slope, 0.0f);
        for (size_t i = 0; i < count; i++) {
            gated.v[i] = a.v[i] / (1.0 + exp(-mean.v[i / AREA]));
            clip.v[i] = fmin(fmax(a.v[i], 0.25), 0.75);
            rows.v[i] = 1.0 / (1.0 + exp(-a.v[i] * prelu.v[i]));
        }
        for (int i = 0; i < 3; i++) {
            const om_image *parts[4] = {&clip, &b, &clip, &gated};
            for (int part = 0; part < 4; part++)
                memcpy(om_at(&joined, i, part * c, 0, 0), om_at(parts[part], i, 0, 0, 0),
                       image * sizeof *a.v);
        }
        om_softmax(&means);
        const om_image sum = om_conv(m, clip, w[2], NULL, c, 1, same3);
        for (size_t i = 0; i < count; i++)
            sum.v[i] += a.v[i] * prelu.v[i];
        const om_image want[7] = {
            gated,
            om_conv(m, joined, v, NULL, c, 1, point),
            sum,
            soft,
            om_dense(m, rows, dense, NULL, 7),
            om_pool(m, prelu, 'a', false, (om_window){{2, 2}, {1, 1}, {0}, {0}, {1, 1}}),
            means};
        check(m, x, want, 7);
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

static void test_half_weights(void **state)
{
    /* 1, -2, 0.5, the smallest normal, a subnormal, 65504 */
    static const uint16_t halves[6] = {0x3c00, 0xc000, 0x3800, 0x0400, 0x0003, 0x7bff};
    static const float wide[6] = {1.0f, -2.0f, 0.5f, 0x1p-14f, 0x3p-24f, 65504.0f};
    om_model *m = om_new(1, 4, 4, 13);
    (void)state;
    om_tensor(m, "w", 10, halves, sizeof halves, 4, (int64_t[]){6, 1, 1, 1});
    om_node(m, "Conv", "c", "x w");
    om_output(m, "c");
    om_image x = random_input(m, 1, 1, 4, 4);
    om_image y = om_conv(m, x, wide, NULL, 6, 1, point);
    om_save(m, model_path, NULL);
    fg_error err;
    fg_net *net = NULL;
    fg_net_run *run = NULL;
    fg_tensor_view got[FG_NET_MAX_OUTPUTS];
    fg_net_options options = {.precision = FG_PRECISION_F32};
    assert_int_equal(fg_net_open(&net, model_path, &options, &err), FG_OK);
    assert_int_equal(fg_net_run_new(&run, net, &err), FG_OK);
    assert_int_equal(fg_net_exec(run, pixels_of(m, x), 1, 4, 4, got, &err), FG_OK);
    for (size_t i = 0; i < 96; i++)
        assert_true(fabs((double)got[0].data[i] - y.v[i]) <= 1e-6 * fabs(y.v[i]));
    fg_net_run_free(run);
    fg_net_close(net);
    om_free(m);
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_conv_batchnorm_relu),
        cmocka_unit_test(test_integer_weights),
        cmocka_unit_test(test_quantised),
        cmocka_unit_test(test_quantised_residual),
        cmocka_unit_test(test_residual),
        cmocka_unit_test(test_groups_and_depthwise),
        cmocka_unit_test(test_normalised_input),
        cmocka_unit_test(test_pooling),
        cmocka_unit_test(test_squeeze_and_excitation),
        cmocka_unit_test(test_dense_and_softmax),
        cmocka_unit_test(test_dense_residual),
        cmocka_unit_test(test_views_and_concat),
        cmocka_unit_test(test_odd_channels),
        cmocka_unit_test(test_odd_channels_quantised),
        cmocka_unit_test(test_half_weights),
    };
    (void)argc;
    (void)argv;
    return cmocka_run_group_tests(tests, setup, teardown);
}
