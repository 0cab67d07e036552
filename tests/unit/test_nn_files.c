/* What nn/ does with files that are damaged, hostile or foreign, and with several threads, sizes and
 * instruction sets. */
#include "nn/nn.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/model_files.h"
#include "support/onnx_model.h"

#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *program;

/* A small net of any size: convolution, PReLU, pooling, two heads. */
static om_model *small_model(void)
{
    om_model *m = om_new(3, 0, 0, 13);
    om_floats(m, "w", om_random(m, 270, 1), 4, 10, 3, 3, 3);
    om_floats(m, "b", om_random(m, 10, 2), 1, 10, 0, 0, 0);
    om_floats(m, "slope", om_random(m, 10, 3), 3, 10, 1, 1, 0);
    om_floats(m, "w2", om_random(m, 20, 4), 4, 2, 10, 1, 1);
    om_node(m, "Conv", "c", "x w b");
    om_node(m, "PRelu", "p", "c slope");
    Onnx__NodeProto *n = om_node(m, "MaxPool", "q", "p");
    om_ints(m, n, "kernel_shape", 2, 2, 2);
    om_ints(m, n, "strides", 2, 2, 2);
    om_int(m, n, "ceil_mode", 1);
    om_node(m, "Conv", "reg", "q w2");
    n = om_node(m, "Softmax", "prob", "reg");
    om_int(m, n, "axis", 1);
    om_output(m, "reg");
    om_output(m, "prob");
    return m;
}

static void assert_opens(om_model *m, fg_code want, const char *part)
{
    fg_error err;
    om_save(m, model_path, NULL);
    fg_code rc = open_model(model_path, &err);
    if (rc != want || (part && !strstr(err.msg, part)))
        fail_msg("%s, not %s with \"%s\": %s", fg_code_name(rc), fg_code_name(want), part ? part : "",
                 err.msg);
    if (rc)
        assert_non_null(strstr(err.msg, model_path));
    om_free(m);
}

static void test_info(void **state)
{
    om_model *m = small_model();
    uint8_t *bytes = NULL;
    size_t size = om_save(m, model_path, &bytes);
    fg_net *net = NULL;
    fg_error err;
    char sha[FG_SHA256_HEX];
    fg_net_options options = {.precision = FG_PRECISION_AUTO, .input_height = 12, .input_width = 14};
    (void)state;
    assert_int_equal(fg_net_open(&net, model_path, &options, &err), FG_OK);
    const fg_net_info *info = fg_net_info_view(net);
    assert_int_equal(info->channels, 3);
    assert_int_equal(info->height, 0);
    assert_int_equal(info->width, 0);
    assert_int_equal(info->outputs, 2);
    assert_string_equal(info->output_names[0], "reg");
    assert_string_equal(info->output_names[1], "prob");
    assert_int_equal(info->macs, 10 * 12 * 270 / 10 * 10 + 5 * 6 * 20);
    assert_true(info->precision == FG_PRECISION_F32 || info->precision == FG_PRECISION_BF16);
    assert_true(strlen(info->isa) > 2);
    fg_sha256_hex(bytes, size, sha);
    assert_string_equal(info->sha256, sha);
    fg_net_close(net);
    free(bytes);
    om_free(m);
}

static void test_precision_names(void **state)
{
    fg_precision p;
    fg_error err;
    (void)state;
    for (fg_precision i = FG_PRECISION_AUTO; i < FG_PRECISION_COUNT; i++) {
        assert_int_equal(fg_precision_parse(&p, fg_precision_name(i), &err), FG_OK);
        assert_int_equal(p, i);
    }
    assert_int_equal(fg_precision_parse(&p, "f64", &err), FG_ERR_USAGE);
}

static void test_unknown_operator(void **state)
{
    om_model *m = small_model();
    (void)state;
    om_node(m, "Erf", "strange", "q");
    om_output(m, "strange");
    assert_opens(m, FG_ERR_UNSUPPORTED, "operator Erf (node 'strange')");
    m = small_model();
    om_node(m, "Relu", "r", "q")->domain = om_text(m, "com.example");
    assert_opens(m, FG_ERR_UNSUPPORTED, "com.example.Relu");
    m = small_model();
    om_int(m, m->nodes[0], "newest_option", 1);
    assert_opens(m, FG_ERR_UNSUPPORTED, "newest_option");
    m = small_model();
    m->opset.version = 99;
    assert_opens(m, FG_ERR_UNSUPPORTED, "99");
}

static void test_operator_sets(void **state)
{
    (void)state;
    for (int opset = 6; opset <= 18; opset++) {
        om_model *m = om_new(3, 8, 8, opset);
        char number[32];
        snprintf(number, sizeof number, "operator set %d", opset);
        om_floats(m, "factor", (float[]){1, 2, 3}, 3, 3, 1, 1, 0);
        om_node(m, "Mul", "scaled", "x factor");
        om_node(m, "Relu", "r", "scaled");
        om_output(m, "r");
        if (opset < 7 || opset > 17)
            assert_opens(m, FG_ERR_UNSUPPORTED, number);
        else
            assert_opens(m, FG_OK, NULL);
    }
}

static void test_broken_graphs(void **state)
{
    (void)state;
    om_model *m = small_model(); /* a cycle */
    m->nodes[1]->input[0] = om_text(m, "reg");
    assert_opens(m, FG_ERR_MODEL, "its own output");
    m = small_model();
    m->nodes[0]->input[0] = om_text(m, "nothing");
    assert_opens(m, FG_ERR_MODEL, "'nothing'");
    m = small_model();
    m->graph.n_input = 0;
    assert_opens(m, FG_ERR_MODEL, NULL);
    m = small_model();
    m->graph.n_output = 0;
    assert_opens(m, FG_ERR_MODEL, NULL);
    m = small_model(); /* one name written twice */
    om_node(m, "Relu", "p", "c");
    assert_opens(m, FG_ERR_MODEL, "'p'");
    m = small_model();
    om_floats(m, "w", om_random(m, 4, 1), 1, 4, 0, 0, 0);
    assert_opens(m, FG_ERR_MODEL, "given twice");
    m = small_model();
    om_output(m, "w");
    assert_opens(m, FG_ERR_UNSUPPORTED, "'w'");
    m = small_model();
    for (int i = 0; i < 8; i++)
        om_output(m, "reg");
    assert_opens(m, FG_ERR_UNSUPPORTED, "10 outputs");
    m = small_model(); /* weights for other channels */
    m->tensors[0]->dims[1] = 9;
    m->tensors[0]->dims[2] = 1;
    assert_opens(m, FG_ERR_MODEL, "channels");
    m = small_model();
    m->nodes[2]->n_input = 0;
    assert_opens(m, FG_ERR_MODEL, "no input");
    m = small_model(); /* a window larger than any image */
    m->nodes[2]->attribute[0]->ints[0] = 1 << 20;
    assert_opens(m, FG_ERR_MODEL, "smaller than its window");
    m = small_model();
    m->nodes[2]->attribute[1]->ints[0] = 0;
    assert_opens(m, FG_ERR_MODEL, "window");
    m = small_model();
    m->nodes[2]->attribute[0]->ints[0] = -3;
    assert_opens(m, FG_ERR_UNSUPPORTED, "kernel_shape");
}

static void test_lying_tensors(void **state)
{
    (void)state;
    om_model *m = small_model();
    m->tensors[0]->dims[0] = 11;
    assert_opens(m, FG_ERR_MODEL, "dimensions do not fit");
    m = small_model(); /* the product wraps around to what is there */
    m->tensors[0]->dims[0] = (int64_t)1 << 62;
    m->tensors[0]->dims[1] = 4;
    assert_opens(m, FG_ERR_MODEL, "dimensions do not fit");
    m = small_model();
    m->tensors[0]->dims[0] = -10;
    assert_opens(m, FG_ERR_MODEL, "dimensions do not fit");
    m = small_model();
    m->tensors[0]->data_type = 14;
    assert_opens(m, FG_ERR_UNSUPPORTED, "type 14");
    m = small_model();
    m->tensors[0]->has_data_location = 1;
    m->tensors[0]->data_location = ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL;
    assert_opens(m, FG_ERR_UNSUPPORTED, "another file");
    m = small_model();
    m->inputs[0]->type->tensor_type->shape->dim[1]->dim_value = (int64_t)1 << 40;
    assert_opens(m, FG_ERR_LIMIT, NULL);
    m = om_new(3, 1 << 20, 1 << 20, 13);
    om_node(m, "Relu", "r", "x");
    om_output(m, "r");
    assert_opens(m, FG_ERR_LIMIT, NULL);
}

/* Weights of integers whose zero points are none. */
static void test_zero_points_of_floats(void **state)
{
    const int64_t dims[4] = {2, 3, 1, 1};
    om_model *m = om_new(3, 8, 8, 13);
    (void)state;
    om_tensor(m, "q", 3, "abcdef", 6, 4, dims);
    om_floats(m, "s", (float[]){1, 2}, 1, 2, 0, 0, 0);
    om_floats(m, "z", (float[]){0, 0}, 1, 2, 0, 0, 0);
    om_int(m, om_node(m, "DequantizeLinear", "w", "q s z"), "axis", 0);
    om_node(m, "Conv", "c", "x w");
    om_output(m, "c");
    assert_opens(m, FG_ERR_MODEL, "reads floats");
}

/* Small constants that broadcast to ever larger ones. */
static void test_constants_that_grow(void **state)
{
    om_model *m = om_new(3, 0, 0, 13);
    (void)state;
    om_floats(m, "a", om_random(m, 16384, 1), 2, 16384, 1, 0, 0);
    om_floats(m, "b", om_random(m, 16384, 1), 2, 1, 16384, 0, 0);
    om_node(m, "Add", "ab", "a b");
    om_node(m, "Mul", "x1", "x ab");
    om_output(m, "x1");
    assert_opens(m, FG_ERR_LIMIT, NULL);
}

/* A constant times the input, the constant being cast to floats first. */
static om_model *casting_model(Onnx__NodeProto **cast)
{
    om_model *m = om_new(3, 8, 8, 13);
    om_integers(m, "i", 1, (int64_t[]){2});
    *cast = om_node(m, "Cast", "c", "i");
    om_node(m, "Mul", "scaled", "x c");
    om_output(m, "scaled");
    return m;
}

/* To which type is said by `to` alone; an axis, which no Cast has, changes nothing. */
static void test_casts(void **state)
{
    static const int axes[] = {0, 1, 2, 5, 6, -1, -6, 1000000};
    Onnx__NodeProto *cast = NULL;
    om_model *m = casting_model(&cast);
    (void)state;
    assert_opens(m, FG_ERR_MODEL, "to which type");
    m = casting_model(&cast);
    om_int(m, cast, "to", 16384);
    assert_opens(m, FG_ERR_UNSUPPORTED, "unknown type 16384");
    for (size_t i = 0; i < sizeof axes / sizeof axes[0]; i++) {
        m = casting_model(&cast);
        om_int(m, cast, "to", 1);
        om_int(m, cast, "axis", axes[i]);
        assert_opens(m, FG_OK, NULL);
        m = casting_model(&cast);
        om_int(m, cast, "axis", axes[i]);
        assert_opens(m, FG_ERR_MODEL, "to which type");
    }
}

/* Operators on constants of which one is left out. */
static void test_constants_left_out(void **state)
{
    static const char *const sums[] = {"Add", "Sub", "Mul", "Div"};
    om_model *m;
    (void)state;
    for (size_t i = 0; i < sizeof sums / sizeof sums[0]; i++) {
        m = om_new(3, 8, 8, 13);
        om_floats(m, "c", (float[]){1}, 1, 1, 0, 0, 0);
        om_node(m, sums[i], "lonely", "c -");
        om_node(m, "Mul", "scaled", "x lonely");
        om_output(m, "scaled");
        assert_opens(m, FG_ERR_MODEL, "lacks an input");
    }
    m = om_new(3, 8, 8, 13);
    om_integers(m, "i", 1, (int64_t[]){0});
    om_int(m, om_node(m, "Concat", "shape", "i -"), "axis", 0);
    om_node(m, "Reshape", "row", "x shape");
    om_output(m, "row");
    assert_opens(m, FG_ERR_MODEL, "lacks an input");
}

static void test_damaged_bytes(void **state)
{
    om_model *m = small_model();
    uint8_t *bytes = NULL;
    size_t size = om_save(m, model_path, &bytes);
    fg_error err;
    (void)state;
    for (size_t cut = 0; cut < size; cut += cut < 64 || cut + 64 > size ? 1 : 37) {
        write_file(model_path, bytes, cut);
        assert_int_equal(open_model(model_path, &err), FG_ERR_MODEL);
    }
    /* Whatever comes of it, no crash; the sanitizers watch. */
    for (size_t i = 0; i < size; i += 3) {
        bytes[i] ^= 0x55;
        write_file(model_path, bytes, size);
        (void)!open_model(model_path, &err);
        bytes[i] ^= 0x55;
    }
    memset(bytes, 'A', size);
    write_file(model_path, bytes, size);
    assert_int_equal(open_model(model_path, &err), FG_ERR_MODEL);
    assert_int_equal(open_model(in_folder("absent.onnx"), &err), FG_ERR_NOT_FOUND);
    assert_int_equal(open_model(folder, &err), FG_ERR_INPUT);
    free(bytes);
    om_free(m);
}

/* protobuf-c would recurse once a level. */
static void test_deep_nesting(void **state)
{
    enum { LEVELS = 200000 };
    static const uint8_t tags[3] = {1 << 3 | 2, 5 << 3 | 2, 6 << 3 | 2}; /* graph.node.attribute.g ... */
    uint8_t *bytes = malloc(LEVELS * 6 + 16);
    size_t at = LEVELS * 6 + 16;
    size_t inner = 0;
    fg_error err;
    (void)state;
    assert_non_null(bytes);
    for (int level = LEVELS; level >= 0; level--) {
        size_t length = inner;
        uint8_t header[6];
        int n = 0;
        header[n++] = level ? tags[(level - 1) % 3] : 7 << 3 | 2;
        do {
            header[n++] = (uint8_t)((length & 127) | (length > 127 ? 128 : 0));
            length >>= 7;
        } while (length);
        at -= (size_t)n;
        memcpy(bytes + at, header, (size_t)n);
        inner += (size_t)n;
    }
    write_file(model_path, bytes + at, inner);
    assert_int_equal(open_model(model_path, &err), FG_ERR_LIMIT);
    free(bytes);
}

/* count times part, within messages of those fields of which the first is the outermost. */
static size_t in_messages(uint8_t **bytes, const char *part, size_t part_size, size_t count,
                          const char *fields)
{
    size_t inner = part_size * count;
    size_t room = 8 * strlen(fields);
    uint8_t *end = malloc(room + inner);
    assert_non_null(end);
    *bytes = end;
    end += room;
    for (size_t i = 0; i < count; i++)
        memcpy(end + i * part_size, part, part_size);
    for (size_t f = strlen(fields); f-- > 0;) {
        uint8_t header[8];
        size_t length = inner;
        size_t n = 0;
        header[n++] = (uint8_t)(fields[f] << 3 | 2);
        do {
            header[n++] = (uint8_t)((length & 127) | (length > 127 ? 128 : 0));
            length >>= 7;
        } while (length);
        end -= n;
        memcpy(end, header, n);
        inner += n;
    }
    memmove(*bytes, end, inner);
    return inner;
}

/* protobuf-c would make hundreds of bytes of the two of an empty message, wherever it stands, and of one that
 * it does not know; and it would copy what it has for each message that comes again. */
static void test_many_messages(void **state)
{
    static const struct {
        const char *part;
        size_t size, count;
        const char *fields;
        fg_code want;
    } cases[] = {
        {"\x0a\x00", 2, 600000, "\x07\x0b\x02\x01\x02", FG_ERR_LIMIT}, /* dimensions of a tensor's type */
        {"\x0a\x00", 2, 600000, "\x07\x0b\x02\x08\x02", FG_ERR_LIMIT}, /* of a sparse one's */
        {"\x72\x00", 2, 600000, "\x07", FG_ERR_LIMIT},                 /* annotations */
        {"\x12\x00", 2, 600000, "\x07\x0e", FG_ERR_LIMIT},             /* and what they hold */
        {"\x2a\x00", 2, 600000, "\x07\x01", FG_ERR_LIMIT},             /* attributes */
        {"\x18\x00", 2, 4100000, "\x07\x0e", FG_ERR_LIMIT},            /* unknown fields */
        {"\x18\x00", 2, 4100000, "\x0e", FG_ERR_LIMIT},
        {"\x18\x00", 2, 4100000, "\x08", FG_ERR_LIMIT},
        {"\x18\x00", 2, 4100000, "\x07\x05\x03", FG_ERR_LIMIT},
        {"\x3a\x02\x0a\x00", 4, 100000, "", FG_ERR_MODEL},                 /* graphs */
        {"\x12\x02\x0a\x00", 4, 100000, "\x07\x0b\x02\x01", FG_ERR_MODEL}, /* shapes of one type */
    };
    fg_error err;
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint8_t *bytes = NULL;
        size_t size = in_messages(&bytes, cases[i].part, cases[i].size, cases[i].count, cases[i].fields);
        write_file(model_path, bytes, size);
        free(bytes);
        if (open_model(model_path, &err) != cases[i].want)
            fail_msg("case %zu: %s", i, err.msg);
    }
}

typedef struct worker {
    const fg_net *net;
    const float *pixels;
    float first[64];
    bool same;
} worker;

/* Sizes in turn, more than a run keeps; each gives what it gave the first time. */
static void *work(void *context)
{
    worker *w = context;
    fg_net_run *run = NULL;
    fg_error err;
    fg_tensor_view out[FG_NET_MAX_OUTPUTS];
    float first[70] = {0};
    w->same = fg_net_run_new(&run, w->net, &err) == FG_OK;
    for (int round = 0; round < 3 && w->same; round++)
        for (int i = 0; i < 70 && w->same; i++) {
            w->same = fg_net_exec(run, w->pixels, 1 + i % 2, 10 + i, 40 - i / 2, out, &err) == FG_OK;
            if (!w->same)
                break;
            float last = out[1].data[out[1].dims[2] * out[1].dims[3] - 1];
            if (round == 0)
                first[i] = last;
            w->same = first[i] == last;
        }
    memcpy(w->first, first, sizeof w->first);
    fg_net_run_free(run);
    return NULL;
}

static void test_threads_and_sizes(void **state)
{
    om_model *m = small_model();
    fg_net *net = NULL;
    fg_error err;
    pthread_t threads[4];
    worker workers[4];
    const float *pixels = om_random(m, 2 * 80 * 40 * 3, 5);
    (void)state;
    om_save(m, model_path, NULL);
    assert_int_equal(fg_net_open(&net, model_path, NULL, &err), FG_OK);
    for (int i = 0; i < 4; i++) {
        workers[i] = (worker){.net = net, .pixels = pixels};
        assert_int_equal(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
    }
    for (int i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_true(workers[i].same);
        assert_memory_equal(workers[i].first, workers[0].first, sizeof workers[0].first);
    }
    fg_net_close(net);
    om_free(m);
}

static void test_wrong_sizes(void **state)
{
    om_model *m = om_new(3, 8, 8, 13);
    fg_net *net = NULL;
    fg_net_run *run = NULL;
    fg_error err;
    float pixels[8 * 8 * 3] = {0};
    fg_tensor_view out[FG_NET_MAX_OUTPUTS];
    fg_net_options options = {.precision = FG_PRECISION_F32, .input_height = 9, .input_width = 8};
    (void)state;
    om_node(m, "Relu", "r", "x");
    om_output(m, "r");
    om_save(m, model_path, NULL);
    assert_int_equal(fg_net_open(&net, model_path, &options, &err), FG_ERR_USAGE);
    assert_int_equal(fg_net_open(&net, model_path, NULL, &err), FG_OK);
    assert_int_equal(fg_net_run_new(&run, net, &err), FG_OK);
    assert_int_equal(fg_net_exec(run, pixels, 1, 9, 8, out, &err), FG_ERR_USAGE);
    assert_int_equal(fg_net_exec(run, pixels, 0, 8, 8, out, &err), FG_ERR_USAGE);
    assert_int_equal(fg_net_exec(run, pixels, 1 << 23, 8, 8, out, &err), FG_ERR_LIMIT);
    assert_null(out[0].data);
    assert_int_equal(fg_net_exec(run, pixels, 1, 8, 8, out, &err), FG_OK);
    assert_int_equal(out[0].rank, 4);
    fg_net_run_free(run);
    fg_net_close(net);
    om_free(m);
}

/* Child of the next test: the net in f32 on this process's instruction set, one output as raw floats to
 * stdout. */
static int print_output(const char *path, const char *pixels_path)
{
    static float pixels[2 * 33 * 29 * 3];
    fg_net *net = NULL;
    fg_net_run *run = NULL;
    fg_error err;
    fg_tensor_view out[FG_NET_MAX_OUTPUTS];
    fg_net_options options = {.precision = FG_PRECISION_F32};
    FILE *f = fopen(pixels_path, "rb");
    if (!f || fread(pixels, sizeof pixels, 1, f) != 1 || fclose(f) != 0)
        return 2;
    if (fg_net_open(&net, path, &options, &err) || fg_net_run_new(&run, net, &err) ||
        fg_net_exec(run, pixels, 2, 33, 29, out, &err)) {
        fprintf(stderr, "%s\n", err.msg);
        return 1;
    }
    size_t count =
        (size_t)out[0].dims[0] * (size_t)out[0].dims[1] * (size_t)out[0].dims[2] * (size_t)out[0].dims[3];
    printf("%-31s", fg_net_info_view(net)->isa);
    fwrite(out[0].data, sizeof(float), count, stdout);
    fg_net_run_free(run);
    fg_net_close(net);
    return 0;
}

static void test_instruction_sets(void **state)
{
    static const char *const isas[] = {"ALL", "AVX512_CORE", "AVX2", "AVX", "SSE41"};
    enum { COUNT = 2 * 2 * 16 * 14 };
    om_model *m = small_model();
    static float first[COUNT];
    char command[1024];
    char pixels_path[FOLDER_PATH + 16];
    (void)state;
    om_save(m, model_path, NULL);
    snprintf(pixels_path, sizeof pixels_path, "%s/pixels", folder);
    write_file(pixels_path, om_random(m, 2 * 33 * 29 * 3, 5), 2 * 33 * 29 * 3 * sizeof(float));
    for (size_t i = 0; i < sizeof isas / sizeof isas[0]; i++) {
        char isa[32] = "";
        static float got[COUNT];
        snprintf(command, sizeof command, "ONEDNN_MAX_CPU_ISA=%s %s --print %s %s", isas[i], program,
                 model_path, pixels_path);
        FILE *f = popen(command, "r");
        assert_non_null(f);
        assert_int_equal(fread(isa, 31, 1, f), 1);
        assert_int_equal(fread(got, sizeof(float), COUNT, f), COUNT);
        assert_int_equal(pclose(f), 0);
        if (i == 0)
            memcpy(first, got, sizeof first);
        for (int k = 0; k < COUNT; k++)
            assert_true(fabsf(got[k] - first[k]) <= 2e-5f);
        if (strcmp(isas[i], "SSE41") == 0)
            assert_int_equal(strncmp(isa, "sse41", 5), 0);
    }
    om_free(m);
}

static void test_peak(void **state)
{
    double f32 = 0.0;
    fg_error err;
    (void)state;
    assert_int_equal(fg_nn_measure_peak(FG_PRECISION_F32, &f32, &err), FG_OK);
    assert_true(f32 > 0.5 && f32 < 10000.0);
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_info),
        cmocka_unit_test(test_precision_names),
        cmocka_unit_test(test_unknown_operator),
        cmocka_unit_test(test_operator_sets),
        cmocka_unit_test(test_broken_graphs),
        cmocka_unit_test(test_lying_tensors),
        cmocka_unit_test(test_constants_that_grow),
        cmocka_unit_test(test_zero_points_of_floats),
        cmocka_unit_test(test_casts),
        cmocka_unit_test(test_constants_left_out),
        cmocka_unit_test(test_damaged_bytes),
        cmocka_unit_test(test_deep_nesting),
        cmocka_unit_test(test_many_messages),
        cmocka_unit_test(test_threads_and_sizes),
        cmocka_unit_test(test_wrong_sizes),
        cmocka_unit_test(test_instruction_sets),
        cmocka_unit_test(test_peak),
    };
    program = argv[0];
    if (argc == 4 && strcmp(argv[1], "--print") == 0)
        return print_output(argv[2], argv[3]);
    return cmocka_run_group_tests(tests, setup, teardown);
}
