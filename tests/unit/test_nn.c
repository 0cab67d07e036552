#include "nn/nn.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/nn_check.h"
#include "support/shared.h"

#include <unistd.h>

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
        cmocka_unit_test(test_residual),
        cmocka_unit_test(test_groups_and_depthwise),
        cmocka_unit_test(test_normalised_input),
        cmocka_unit_test(test_pooling),
        cmocka_unit_test(test_squeeze_and_excitation),
        cmocka_unit_test(test_dense_and_softmax),
        cmocka_unit_test(test_dense_residual),
        cmocka_unit_test(test_views_and_concat),
        cmocka_unit_test(test_odd_channels),
        cmocka_unit_test(test_half_weights),
    };
    (void)argc;
    (void)argv;
    return cmocka_run_group_tests(tests, setup, teardown);
}
