#include "base/file.h"
#include "classify/npy.h"
#include "classify/svm.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "support/shared.h"
/* An array of the development data as floats, with its shape; the caller frees. */
static float *load(const char *name, long *rows, int *columns)
{
    fg_buf buf;
    fg_npy npy = {0};
    fg_error err = {0};
    fg_buf_init(&buf, 1 << 24);
    if (fg_file_read(shared_path(name), &buf, &err) || fg_npy_view(&npy, buf.data, buf.size, NULL, &err))
        fail_msg("%s", err.msg);
    float *data = calloc((size_t)npy.count, sizeof *data);
    assert_non_null(data);
    fg_npy_floats(&npy, data);
    *rows = npy.shape[0];
    *columns = npy.dims > 1 ? (int)npy.shape[1] : 1;
    fg_buf_deinit(&buf);
    return data;
}

/* scikit-learn's SVC is the same library: the same predictions, and decision values within 1e-3. */
static void equals_scikit_learn(void **state)
{
    (void)state;
    NEED_SHARED("vectors/svc.json");
    long train_rows, test_rows, n;
    int size, one;
    float *train_x = load("vectors/svc_train_x.npy", &train_rows, &size);
    float *train_y = load("vectors/svc_train_y.npy", &n, &one);
    float *test_x = load("vectors/svc_test_x.npy", &test_rows, &size);
    int *labels = calloc((size_t)train_rows, sizeof *labels);
    assert_int_equal(n, train_rows);
    double mean = 0, variance = 0;
    for (long i = 0; i < train_rows * size; i++)
        mean += (double)train_x[i] / (double)(train_rows * size);
    for (long i = 0; i < train_rows * size; i++)
        variance += ((double)train_x[i] - mean) * ((double)train_x[i] - mean) / (double)(train_rows * size);
    for (long i = 0; i < train_rows; i++)
        labels[i] = (int)train_y[i];
    json_t *document = json_load_file(shared_path("vectors/svc.json"), 0, NULL);
    assert_non_null(document);
    const char *name;
    json_t *result;
    int settings = 0;
    json_object_foreach(json_object_get(document, "results"), name, result)
    {
        json_t *params = json_object_get(result, "params");
        bool rbf = strcmp(json_string_value(json_object_get(params, "kernel")), "rbf") == 0;
        /* gamma='scale' is scikit-learn's 1 / (features x variance) */
        fg_svm_options options = {.kernel = rbf ? FG_KERNEL_RBF : FG_KERNEL_LINEAR,
                                  .c = json_number_value(json_object_get(params, "C")),
                                  .gamma = 1 / (size * variance)};
        fg_svm *svm;
        fg_error err;
        if (fg_svm_train(&svm, train_x, labels, train_rows, size, &options, &err))
            fail_msg("%s: %s", name, err.msg);
        assert_int_equal(fg_svm_classes(svm), 12);
        double worst = 0, values[66];
        int label;
        for (long i = 0; i < test_rows; i++) {
            if (fg_svm_decide(svm, test_x + i * size, size, values, &label, &err))
                fail_msg("%s: %s", name, err.msg);
            assert_int_equal(
                label, json_integer_value(json_array_get(json_object_get(result, "predict"), (size_t)i)));
            json_t *expected = json_array_get(json_object_get(result, "decision_ovo"), (size_t)i);
            assert_int_equal(json_array_size(expected), 66);
            for (size_t k = 0; k < 66; k++)
                worst = fmax(worst, fabs(values[k] - json_number_value(json_array_get(expected, k))));
        }
        print_message("%s: decision values within %.2e\n", name, worst);
        assert_true(worst < 1e-3);
        fg_svm_free(svm);
        settings++;
    }
    assert_int_equal(settings, 3);
    json_decref(document);
    free(train_x);
    free(train_y);
    free(test_x);
    free(labels);
}

/* Three clouds on the axes of a plane, in an order of labels that libsvm would turn around. */
static const float plane[][2] = {{1, 0.1f},     {-0.1f, 1},   {-1, -0.1f},
                                 {0.9f, -0.1f}, {0.1f, 0.9f}, {-0.9f, 0.1f}};
static const int plane_labels[] = {30, -10, 20, 30, -10, 20};

static void orders_classes_by_label(void **state)
{
    (void)state;
    fg_svm *svm;
    fg_error err;
    double values[3];
    int label;
    fg_svm_options options = {.kernel = FG_KERNEL_LINEAR, .c = 10};
    assert_int_equal(fg_svm_train(&svm, plane[0], plane_labels, 6, 2, &options, &err), FG_OK);
    assert_int_equal(fg_svm_label(svm, 0), -10);
    assert_int_equal(fg_svm_label(svm, 1), 20);
    assert_int_equal(fg_svm_label(svm, 2), 30);
    for (int i = 0; i < 6; i++) {
        assert_int_equal(fg_svm_decide(svm, plane[i], 2, values, &label, &err), FG_OK);
        assert_int_equal(label, plane_labels[i]);
        assert_true(label != -10 || (values[0] > 0 && values[1] > 0));
        assert_true(label != 20 || (values[0] < 0 && values[2] > 0));
        assert_true(label != 30 || (values[1] < 0 && values[2] < 0));
    }
    assert_int_equal(fg_svm_decide(svm, plane[0], 3, values, &label, &err), FG_ERR_INPUT);
    fg_svm_free(svm);
}

static void class_weights_move_the_border(void **state)
{
    (void)state;
    const float line[][1] = {{-1}, {-0.2f}, {0.2f}, {1}};
    const int labels[] = {0, 1, 0, 1}; /* not separable */
    const double weights[2][2] = {{10, 1}, {1, 10}};
    const float zero[1] = {0};
    double value[2];
    int label;
    fg_error err;
    for (int k = 0; k < 2; k++) {
        fg_svm *svm;
        fg_svm_options options = {.kernel = FG_KERNEL_LINEAR, .c = 1, .weights = weights[k]};
        assert_int_equal(fg_svm_train(&svm, line[0], labels, 4, 1, &options, &err), FG_OK);
        assert_int_equal(fg_svm_decide(svm, zero, 1, &value[k], &label, &err), FG_OK);
        fg_svm_free(svm);
    }
    assert_true(value[0] > 0.1 && value[1] < -0.1);
}

static void refuses_nonsense(void **state)
{
    (void)state;
    fg_svm *svm = (fg_svm *)&svm;
    fg_error err;
    fg_svm_options options = {.kernel = FG_KERNEL_RBF, .c = 1, .gamma = 0};
    const int same[] = {4, 4, 4, 4, 4, 4};
    float bad[6][2];
    memcpy(bad, plane, sizeof bad);
    bad[3][1] = NAN;
    assert_int_equal(fg_svm_train(&svm, plane[0], plane_labels, 6, 2, &options, &err), FG_ERR_USAGE);
    assert_null(svm);
    options.gamma = 1;
    options.c = -1;
    assert_int_equal(fg_svm_train(&svm, plane[0], plane_labels, 6, 2, &options, &err), FG_ERR_USAGE);
    options.c = NAN;
    assert_int_equal(fg_svm_train(&svm, plane[0], plane_labels, 6, 2, &options, &err), FG_ERR_USAGE);
    options.c = 1;
    assert_int_equal(fg_svm_train(&svm, plane[0], same, 6, 2, &options, &err), FG_ERR_STATE);
    assert_int_equal(fg_svm_train(&svm, bad[0], plane_labels, 6, 2, &options, &err), FG_ERR_INPUT);
    assert_int_equal(fg_svm_train(&svm, plane[0], plane_labels, 0, 2, &options, &err), FG_ERR_INPUT);
    assert_null(svm);
}

/* The two ways into libsvm give one machine. */
static void a_kernel_matrix_gives_the_same_machine(void **state)
{
    (void)state;
    enum { ROWS = 40, SIZE = 8 };
    float rows[ROWS][SIZE];
    int labels[ROWS], subset[ROWS];
    unsigned char positive[ROWS];
    unsigned seed = 12345;
    for (int i = 0; i < ROWS; i++) {
        double length = 0;
        for (int k = 0; k < SIZE; k++) {
            seed = seed * 1103515245u + 12345u;
            rows[i][k] =
                (float)((double)(seed >> 8 & 0xffff) / 65536 - 0.5) + (i % 3 == 0 && k == 2 ? 0.4f : 0);
            length += (double)(rows[i][k] * rows[i][k]);
        }
        for (int k = 0; k < SIZE; k++)
            rows[i][k] = (float)((double)rows[i][k] / sqrt(length));
        positive[i] = i % 3 == 0;
        labels[i] = i % 3 == 0 ? 0 : 1;
        subset[i] = i;
    }
    for (int kernel = 0; kernel < 2; kernel++) {
        fg_svm *svm;
        fg_gram *gram;
        fg_error err;
        const double weights[2] = {2, 1};
        double alpha[ROWS], bias, value;
        fg_svm_options options = {.kernel = (fg_kernel)kernel, .c = 3, .gamma = 0.7, .weights = weights};
        assert_int_equal(fg_svm_train(&svm, rows[0], labels, ROWS, SIZE, &options, &err), FG_OK);
        assert_int_equal(fg_gram_new(&gram, rows[0], ROWS, SIZE, (fg_kernel)kernel, 0.7, &err), FG_OK);
        assert_int_equal(fg_gram_train(gram, subset, positive, ROWS, 3, 2, 1, alpha, &bias, &err), FG_OK);
        for (int i = 0; i < ROWS; i++) {
            double sum = bias;
            for (int k = 0; k < ROWS; k++)
                sum += alpha[k] * fg_gram_at(gram, k, i);
            assert_int_equal(fg_svm_decide(svm, rows[i], SIZE, &value, NULL, &err), FG_OK);
            assert_true(fabs(sum - value) < 1e-2);
        }
        fg_gram_free(gram);
        fg_svm_free(svm);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equals_scikit_learn),
        cmocka_unit_test(orders_classes_by_label),
        cmocka_unit_test(class_weights_move_the_border),
        cmocka_unit_test(refuses_nonsense),
        cmocka_unit_test(a_kernel_matrix_gives_the_same_machine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
