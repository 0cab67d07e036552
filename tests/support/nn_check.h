/* A network of a few nodes, run and compared with what the operators' own definitions give. */
#ifndef FG_TESTS_NN_CHECK_H
#define FG_TESTS_NN_CHECK_H

#include "nn/nn.h"

#include "support/model_folder.h"
#include "support/onnx_model.h"

static inline om_image random_input(om_model *m, int n, int c, int h, int w)
{
    om_image x = om_image_new(m, n, c, h, w);
    const float *v = om_random(m, om_count(&x), 77);
    for (size_t i = 0; i < om_count(&x); i++)
        x.v[i] = (double)v[i];
    return x;
}

static inline float *pixels_of(om_model *m, om_image x)
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

static inline void assert_close(const fg_tensor_view *got, const om_image *want, double tolerance)
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
static inline void check(om_model *m, om_image x, const om_image *want, int outputs)
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

static inline Onnx__NodeProto *add_conv(om_model *m, const char *name, const char *in, const float *weights,
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
static inline void add_batchnorm(om_model *m, const char *name, const char *in, int c, unsigned seed,
                                 float *scale, float *shift)
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

static inline void add_same3(om_model *m, const char *name, const char *inputs)
{
    Onnx__NodeProto *n = om_node(m, "Conv", name, inputs);
    om_ints(m, n, "kernel_shape", 2, 3, 3);
    om_ints(m, n, "pads", 4, 1, 1, 1, 1);
}

#endif
