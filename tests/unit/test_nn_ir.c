/* OpenVINO IR, and the published networks that come as such. */
#include "nn/nn.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/model_files.h"
#include "support/shared.h"

#include <unistd.h>

/* OpenVINO IR: y = prelu(conv(x * k) + b). */
static const char ir_head[] =
    "<?xml version=\"1.0\"?>\n<net name=\"t\" version=\"11\"><layers>"
    "<layer id=\"0\" name=\"in\" type=\"Parameter\" version=\"opset1\"><data shape=\"1,2,4,4\" "
    "element_type=\"f32\"/><output><port id=\"0\"/></output></layer>"
    "<layer id=\"1\" name=\"k\" type=\"Const\" version=\"opset1\"><data element_type=\"f16\" shape=\"\" "
    "offset=\"0\" size=\"2\"/><output><port id=\"0\"/></output></layer>"
    "<layer id=\"2\" name=\"kk\" type=\"Convert\" version=\"opset1\"><data "
    "destination_type=\"f32\"/><input><port id=\"0\"/></input><output><port id=\"1\"/></output></layer>"
    "<layer id=\"3\" name=\"mul\" type=\"Multiply\" version=\"opset1\"><input><port id=\"0\"/><port "
    "id=\"1\"/></input><output><port id=\"2\"/></output></layer>"
    "<layer id=\"4\" name=\"w\" type=\"Const\" version=\"opset1\"><data element_type=\"f32\" shape=\"2, 1, "
    "1, 1, 1\" offset=\"4\" size=\"8\"/><output><port id=\"0\"/></output></layer>"
    "<layer id=\"5\" name=\"conv\" type=\"GroupConvolution\" version=\"opset1\"><data strides=\"1, 1\" "
    "dilations=\"1, 1\" pads_begin=\"0, 0\" pads_end=\"0, 0\" auto_pad=\"explicit\"/><input><port "
    "id=\"0\"/><port id=\"1\"/></input><output><port id=\"2\"/></output></layer>"
    "<layer id=\"6\" name=\"s\" type=\"Const\" version=\"opset1\"><data element_type=\"f32\" shape=\"2\" "
    "offset=\"12\" size=\"8\"/><output><port id=\"0\"/></output></layer>";
static const char ir_tail[] = "<layer id=\"7\" name=\"prelu\" type=\"PReLU\" version=\"opset1\"><input><port "
                              "id=\"0\"/><port id=\"1\"/></input><output><port id=\"2\"/></output></layer>"
                              "<layer id=\"8\" name=\"out\" type=\"Result\" version=\"opset1\"><input><port "
                              "id=\"0\"/></input></layer></layers><edges>"
                              "<edge from-layer=\"0\" from-port=\"0\" to-layer=\"3\" to-port=\"0\"/><edge "
                              "from-layer=\"1\" from-port=\"0\" to-layer=\"2\" to-port=\"0\"/>"
                              "<edge from-layer=\"2\" from-port=\"1\" to-layer=\"3\" to-port=\"1\"/><edge "
                              "from-layer=\"3\" from-port=\"2\" to-layer=\"5\" to-port=\"0\"/>"
                              "<edge from-layer=\"4\" from-port=\"0\" to-layer=\"5\" to-port=\"1\"/><edge "
                              "from-layer=\"5\" from-port=\"2\" to-layer=\"7\" to-port=\"0\"/>"
                              "<edge from-layer=\"6\" from-port=\"0\" to-layer=\"7\" to-port=\"1\"/><edge "
                              "from-layer=\"7\" from-port=\"2\" to-layer=\"8\" to-port=\"0\"/></edges></net>";

/* from and to: what to replace in the text, once. */
static fg_code open_ir(const char *from, const char *to, size_t weights_size, fg_error *err)
{
    static char text[8192];
    static const struct {
        uint16_t k[2];
        float w[2], s[2];
    } weights = {{0x4000, 0}, {3.0f, -1.0f}, {0.5f, 0.25f}}; /* k = 2 */
    char changed[8192];
    snprintf(text, sizeof text, "%s%s", ir_head, ir_tail);
    char *at = from ? strstr(text, from) : NULL;
    assert_true(!from || at);
    if (at) {
        snprintf(changed, sizeof changed, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
        strcpy(text, changed);
    }
    write_file(in_folder("ir.xml"), text, strlen(text));
    write_file(in_folder("ir.bin"), &weights, weights_size);
    return open_model(in_folder("ir.xml"), err);
}

static void test_ir(void **state)
{
    fg_error err;
    fg_net *net = NULL;
    fg_net_run *run = NULL;
    float pixels[32];
    fg_tensor_view out[FG_NET_MAX_OUTPUTS];
    (void)state;
    assert_int_equal(open_ir(NULL, NULL, 20, &err), FG_OK);
    assert_int_equal(
        fg_net_open(&net, in_folder("ir.xml"), &(fg_net_options){.precision = FG_PRECISION_F32}, &err),
        FG_OK);
    assert_int_equal(fg_net_info_view(net)->height, 4);
    assert_int_equal(fg_net_run_new(&run, net, &err), FG_OK);
    for (int i = 0; i < 32; i++)
        pixels[i] = (float)(i - 16);
    assert_int_equal(fg_net_exec(run, pixels, 1, 4, 4, out, &err), FG_OK);
    assert_string_equal(fg_net_info_view(net)->output_names[0], "out");
    for (int i = 0; i < 16; i++) {
        float a = 6.0f * pixels[2 * i];
        float b = -2.0f * pixels[2 * i + 1];
        assert_true(out[0].data[i] == (a > 0 ? a : a * 0.5f));
        assert_true(out[0].data[16 + i] == (b > 0 ? b : b * 0.25f));
    }
    fg_net_run_free(run);
    fg_net_close(net);
}

static void test_broken_ir(void **state)
{
    static const struct {
        const char *from, *to;
        fg_code code;
        const char *part;
    } cases[] = {
        {"offset=\"12\"", "offset=\"13\"", FG_ERR_MODEL, "outside the .bin"},
        {"offset=\"12\"", "offset=\"-4\"", FG_ERR_MODEL, "outside the .bin"},
        {"offset=\"12\"", "offset=\"9223372036854775807\"", FG_ERR_MODEL, "outside the .bin"},
        {"size=\"8\"", "size=\"-8\"", FG_ERR_MODEL, "node 'w'"},
        {"shape=\"2, 1, 1, 1, 1\"", "shape=\"4294967298, 4294967296\"", FG_ERR_MODEL, "node 'w'"},
        {"shape=\"2, 1, 1, 1, 1\"", "shape=\"2, 1, 1, 1, 1, 1, 1\"", FG_ERR_MODEL, "node 'w'"},
        {"type=\"PReLU\"", "type=\"Gelu\"", FG_ERR_UNSUPPORTED, "operator Gelu (node 'prelu')"},
        {"version=\"11\"", "version=\"7\"", FG_ERR_UNSUPPORTED, "version"},
        {"<net ", "<!DOCTYPE net [<!ENTITY a \"b\">]><net ", FG_ERR_MODEL, "document type"},
        {"</net>", "", FG_ERR_MODEL, NULL},
        {"<net ", "<graph ", FG_ERR_MODEL, NULL},
        {"from-layer=\"3\"", "from-layer=\"33\"", FG_ERR_MODEL, "no edge"},
        {"from-layer=\"3\"", "from-layer=\"7\"", FG_ERR_MODEL, "its own output"},
        {"id=\"4\" name", "id=\"5\" name", FG_ERR_MODEL, "id of another"},
        {"shape=\"1,2,4,4\"", "shape=\"1,2,4\"", FG_ERR_UNSUPPORTED, "N,C,H,W"},
        {"shape=\"1,2,4,4\"", "shape=\"1,3,4,4\"", FG_ERR_MODEL, "channels"},
        {"strides=\"1, 1\"", "strides=\"1, 0\"", FG_ERR_MODEL, "window"},
        {"strides=\"1, 1\"", "strides=\"1\"", FG_ERR_UNSUPPORTED, "window"},
        {"auto_pad=\"explicit\"", "auto_pad=\"strange\"", FG_ERR_UNSUPPORTED, "auto_pad"},
        {"name=\"k\"", "nome=\"k\"", FG_ERR_MODEL, NULL},
    };
    fg_error err;
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        fg_code rc = open_ir(cases[i].from, cases[i].to, 20, &err);
        if (rc != cases[i].code || (cases[i].part && !strstr(err.msg, cases[i].part)))
            fail_msg("%s -> %s: %s: %s", cases[i].from, cases[i].to, fg_code_name(rc), err.msg);
    }
    assert_int_equal(open_ir(NULL, NULL, 19, &err), FG_ERR_MODEL);
    unlink(in_folder("ir.bin"));
    assert_int_equal(open_model(in_folder("ir.xml"), &err), FG_ERR_NOT_FOUND);
    assert_non_null(strstr(err.msg, "ir.bin"));
}

static void *read_npy(const char *name, size_t size)
{
    uint8_t head[10];
    FILE *f = fopen(shared_path(name), "rb");
    void *data = malloc(size);
    assert_non_null(f);
    assert_non_null(data);
    assert_int_equal(fread(head, 10, 1, f), 1);
    assert_int_equal(fseek(f, 10 + head[8] + 256 * head[9], SEEK_SET), 0);
    assert_int_equal(fread(data, 1, size, f), size);
    fclose(f);
    return data;
}

static void test_published_embedder(void **state)
{
    enum { CHIPS = 24, PIXELS = 128 * 128, NUMBERS = 256 };
    (void)state;
    NEED_SHARED("models/openvino/face-reidentification-retail-0095.xml");
    NEED_SHARED("vectors/retail0095_chips_rgb_u8.npy");
    uint8_t *chips = read_npy("vectors/retail0095_chips_rgb_u8.npy", (size_t)CHIPS * PIXELS * 3);
    float *wanted = read_npy("vectors/retail0095_embeddings_f32.npy", sizeof(float) * CHIPS * NUMBERS);
    float *pixels = malloc(sizeof(float) * PIXELS * 3);
    assert_non_null(pixels);
    for (fg_precision precision = FG_PRECISION_F32; precision <= FG_PRECISION_BF16; precision++) {
        fg_net *net = NULL;
        fg_net_run *run = NULL;
        fg_error err;
        fg_net_options options = {.precision = precision};
        fg_tensor_view out[FG_NET_MAX_OUTPUTS];
        double worst = 1.0;
        fg_code rc = fg_net_open(&net, shared_path("models/openvino/face-reidentification-retail-0095.xml"),
                                 &options, &err);
        if (rc == FG_ERR_UNSUPPORTED && precision == FG_PRECISION_BF16)
            continue;
        assert_int_equal(rc, FG_OK);
        assert_int_equal(fg_net_run_new(&run, net, &err), FG_OK);
        for (int chip = 0; chip < CHIPS; chip++) {
            double dot = 0.0;
            double a = 0.0;
            double b = 0.0;
            for (int i = 0; i < PIXELS; i++)
                for (int c = 0; c < 3; c++)
                    pixels[i * 3 + c] = chips[((size_t)chip * PIXELS + (size_t)i) * 3 + (size_t)(2 - c)];
            assert_int_equal(fg_net_exec(run, pixels, 1, 128, 128, out, &err), FG_OK);
            for (int i = 0; i < NUMBERS; i++) {
                double x = (double)out[0].data[i];
                double y = (double)wanted[chip * NUMBERS + i];
                dot += x * y;
                a += x * x;
                b += y * y;
            }
            worst = fmin(worst, dot / sqrt(a * b));
        }
        print_message("retail-0095 in %s: cosine >= %.6f\n", fg_precision_name(precision), worst);
        assert_true(worst >= (precision == FG_PRECISION_F32 ? 0.9999 : 0.999));
        fg_net_run_free(run);
        fg_net_close(net);
    }
    free(chips);
    free(wanted);
    free(pixels);
}

static void test_foreign_networks(void **state)
{
    fg_error err;
    (void)state;
    NEED_SHARED("models/openvino/landmarks-regression-retail-0009.xml");
    assert_int_equal(open_model(shared_path("models/openvino/landmarks-regression-retail-0009.xml"), &err),
                     FG_OK);
    assert_int_equal(open_model(shared_path("models/yunet/yunet_n_dynamic.onnx"), &err), FG_ERR_UNSUPPORTED);
    assert_non_null(strstr(err.msg, "operator Resize (node 'Resize_43')"));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ir),
        cmocka_unit_test(test_broken_ir),
        cmocka_unit_test(test_published_embedder),
        cmocka_unit_test(test_foreign_networks),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
