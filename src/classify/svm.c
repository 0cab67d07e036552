#include "classify/svm.h"

#include <libsvm/svm.h>

#include <math.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct fg_svm {
    struct svm_model *model; /* its support vectors point into nodes */
    struct svm_node *nodes;  /* count rows of size + 1 */
    struct svm_node **rows;  /* count */
    int size, classes;
    int labels[FG_SVM_MAX_CLASSES]; /* ascending */
    int place[FG_SVM_MAX_CLASSES];  /* of libsvm's class in labels; libsvm orders by first appearance */
};

struct fg_gram {
    int count;
    struct svm_node
        *nodes; /* count rows of count + 1: libsvm's form of a precomputed kernel, numbered from 1 */
};

static void swallow(const char *text)
{
    (void)text;
}

static void silence(void)
{
    svm_set_print_string_function(swallow);
}

/* libsvm has one print function a process; it is set once, whichever thread comes first. */
static void silence_libsvm(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, silence);
}

static struct svm_parameter parameters(int kernel_type, double c, double gamma)
{
    struct svm_parameter p;
    memset(&p, 0, sizeof p);
    p.svm_type = C_SVC;
    p.kernel_type = kernel_type;
    p.gamma = gamma;
    p.C = c;
    p.eps = 1e-3;
    p.cache_size = 64;
    p.shrinking = 1;
    return p;
}

static void fill_row(struct svm_node *nodes, const float *row, int size)
{
    for (int k = 0; k < size; k++)
        nodes[k] = (struct svm_node){.index = k + 1, .value = (double)row[k]};
    nodes[size] = (struct svm_node){.index = -1, .value = 0};
}

/* Inserts label into the ascending labels; false where there are too many. */
static bool add_label(fg_svm *svm, int label)
{
    int at = 0;
    while (at < svm->classes && svm->labels[at] < label)
        at++;
    if (at < svm->classes && svm->labels[at] == label)
        return true;
    if (svm->classes == FG_SVM_MAX_CLASSES)
        return false;
    memmove(svm->labels + at + 1, svm->labels + at, sizeof svm->labels[0] * (size_t)(svm->classes - at));
    svm->labels[at] = label;
    svm->classes++;
    return true;
}

static int place_of(const fg_svm *svm, int label)
{
    int at = 0;
    while (at < svm->classes && svm->labels[at] != label)
        at++;
    return at;
}

fg_code fg_svm_train(fg_svm **out, const float *rows, const int *labels, long count, int size,
                     const fg_svm_options *options, fg_error *err)
{
    fg_code rc = FG_OK;
    fg_svm *svm = NULL;
    struct svm_problem problem = {0};
    struct svm_parameter parameter;
    int native[FG_SVM_MAX_CLASSES];
    const char *complaint;

    *out = NULL;
    if (count < 1 || count > FG_MAX_TEMPLATES || size < 1 || size > FG_MAX_EMBEDDING)
        return FG_FAIL(err, FG_ERR_INPUT, "an SVM needs 1 to %d rows of 1 to %d numbers, got %ld of %d",
                       FG_MAX_TEMPLATES, FG_MAX_EMBEDDING, count, size);
    silence_libsvm();
    svm = calloc(1, sizeof *svm);
    problem.y = calloc((size_t)count, sizeof *problem.y);
    if (!svm || !problem.y) {
        rc = FG_FAIL(err, FG_ERR_MEMORY, "out of memory for an SVM of %ld rows", count);
        goto done;
    }
    svm->size = size;
    svm->nodes = calloc((size_t)count * (size_t)(size + 1), sizeof *svm->nodes);
    svm->rows = calloc((size_t)count, sizeof(struct svm_node *));
    if (!svm->nodes || !svm->rows) {
        rc = FG_FAIL(err, FG_ERR_MEMORY, "out of memory for an SVM of %ld rows", count);
        goto done;
    }
    for (long i = 0; i < count; i++) {
        for (int k = 0; k < size; k++)
            if (!isfinite(rows[i * size + k])) {
                rc = FG_FAIL(err, FG_ERR_INPUT, "row %ld of the SVM's data has a number that is not finite",
                             i);
                goto done;
            }
        svm->rows[i] = svm->nodes + (size_t)i * (size_t)(size + 1);
        fill_row(svm->rows[i], rows + i * size, size);
        problem.y[i] = labels[i];
        if (!add_label(svm, labels[i])) {
            rc = FG_FAIL(err, FG_ERR_LIMIT, "more than %d classes in one SVM", FG_SVM_MAX_CLASSES);
            goto done;
        }
    }
    if (svm->classes < 2) {
        rc = FG_FAIL(err, FG_ERR_STATE, "an SVM needs two classes at least");
        goto done;
    }
    problem.l = (int)count;
    problem.x = svm->rows;
    parameter = parameters(options->kernel == FG_KERNEL_RBF ? RBF : LINEAR, options->c, options->gamma);
    double weights[FG_SVM_MAX_CLASSES];
    if (options->weights) {
        memcpy(weights, options->weights, sizeof weights[0] * (size_t)svm->classes);
        parameter.nr_weight = svm->classes;
        parameter.weight_label = svm->labels;
        parameter.weight = weights;
    }
    if (!(options->c > 0) || !isfinite(options->c) ||
        (options->kernel == FG_KERNEL_RBF && (!(options->gamma > 0) || !isfinite(options->gamma)))) {
        rc = FG_FAIL(err, FG_ERR_USAGE, "an SVM's C and gamma must be positive numbers");
        goto done;
    }
    if ((complaint = svm_check_parameter(&problem, &parameter))) {
        rc = FG_FAIL(err, FG_ERR_USAGE, "the SVM's settings are refused: %s", complaint);
        goto done;
    }
    svm->model = svm_train(&problem, &parameter);
    if (!svm->model) {
        rc = FG_FAIL(err, FG_ERR_MEMORY, "out of memory while training an SVM");
        goto done;
    }
    /* The model keeps a copy of parameter, whose weights are this function's. */
    svm->model->param.nr_weight = 0;
    svm->model->param.weight_label = NULL;
    svm->model->param.weight = NULL;
    svm_get_labels(svm->model, native);
    for (int i = 0; i < svm->classes; i++)
        svm->place[i] = place_of(svm, native[i]);
    *out = svm;
    svm = NULL;
done:
    free(problem.y);
    fg_svm_free(svm);
    return rc;
}

void fg_svm_free(fg_svm *svm)
{
    if (!svm)
        return;
    if (svm->model)
        svm_free_and_destroy_model(&svm->model);
    free(svm->nodes);
    free(svm->rows);
    free(svm);
}

int fg_svm_classes(const fg_svm *svm)
{
    return svm->classes;
}

int fg_svm_label(const fg_svm *svm, int class_index)
{
    return svm->labels[class_index];
}

fg_code fg_svm_decide(const fg_svm *svm, const float *row, int size, double *values, int *label,
                      fg_error *err)
{
    fg_code rc = FG_OK;
    int n = svm->classes, votes[FG_SVM_MAX_CLASSES] = {0};
    struct svm_node *nodes = NULL;
    double *native = NULL;

    if (label)
        *label = 0;
    memset(values, 0, sizeof *values * (size_t)(n * (n - 1) / 2));
    if (size != svm->size)
        return FG_FAIL(err, FG_ERR_INPUT, "the SVM takes %d numbers, not %d", svm->size, size);
    nodes = calloc((size_t)size + 1, sizeof *nodes);
    native = calloc((size_t)(n * (n - 1) / 2), sizeof *native);
    if (!nodes || !native) {
        rc = FG_FAIL(err, FG_ERR_MEMORY, "out of memory for an SVM's decision");
        goto done;
    }
    fill_row(nodes, row, size);
    (void)svm_predict_values(svm->model, nodes, native);
    for (int i = 0, k = 0; i < n; i++)
        for (int j = i + 1; j < n; j++, k++) {
            int a = svm->place[i], b = svm->place[j];
            int low = a < b ? a : b, high = a < b ? b : a;
            double value = a < b ? native[k] : -native[k];
            values[low * (2 * n - low - 1) / 2 + (high - low - 1)] = value;
            votes[value > 0 ? low : high]++;
        }
    if (label) {
        int best = 0;
        for (int i = 1; i < n; i++)
            if (votes[i] > votes[best])
                best = i;
        *label = svm->labels[best];
    }
done:
    free(nodes);
    free(native);
    return rc;
}

fg_code fg_gram_new(fg_gram **out, const float *rows, int count, int size, fg_kernel kernel, double gamma,
                    fg_error *err)
{
    fg_code rc = FG_OK;
    fg_gram *gram = NULL;
    size_t width = (size_t)count + 1;

    *out = NULL;
    gram = calloc(1, sizeof *gram);
    if (gram)
        gram->nodes = malloc(width * (size_t)count * sizeof *gram->nodes);
    if (!gram || !gram->nodes) {
        rc = FG_FAIL(err, FG_ERR_MEMORY, "out of memory for the kernel of %d rows", count);
        goto done;
    }
    gram->count = count;
    for (int i = 0; i < count; i++) {
        struct svm_node *node = gram->nodes + width * (size_t)i;
        node[0] = (struct svm_node){.index = 0, .value = i + 1};
        for (int j = 0; j <= i; j++) {
            double value = fg_cosine(rows + (size_t)i * (size_t)size, rows + (size_t)j * (size_t)size, size);
            if (kernel == FG_KERNEL_RBF)
                value = exp(-2 * gamma * (1 - value));
            node[j + 1] = (struct svm_node){.index = j + 1, .value = value};
            gram->nodes[width * (size_t)j + (size_t)i + 1] =
                (struct svm_node){.index = i + 1, .value = value};
        }
    }
    *out = gram;
    gram = NULL;
done:
    fg_gram_free(gram);
    return rc;
}

void fg_gram_free(fg_gram *gram)
{
    if (gram)
        free(gram->nodes);
    free(gram);
}

double fg_gram_at(const fg_gram *gram, int i, int j)
{
    return gram->nodes[(size_t)i * ((size_t)gram->count + 1) + (size_t)j + 1].value;
}

fg_code fg_gram_train(const fg_gram *gram, const int *subset, const unsigned char *positive, int count,
                      double c, double weight_positive, double weight_negative, double *alpha, double *bias,
                      fg_error *err)
{
    fg_code rc = FG_OK;
    struct svm_problem problem = {0};
    struct svm_parameter parameter = parameters(PRECOMPUTED, c, 0);
    struct svm_model *model = NULL;
    int weight_labels[2] = {1, -1};
    double weights[2] = {weight_positive, weight_negative};
    int positives = 0;

    memset(alpha, 0, sizeof *alpha * (size_t)count);
    *bias = 0;
    for (int k = 0; k < count; k++)
        positives += positive[k] != 0;
    if (positives == 0 || positives == count)
        return FG_FAIL(err, FG_ERR_STATE, "an SVM needs two classes at least");
    silence_libsvm();
    problem.l = count;
    problem.y = calloc((size_t)count, sizeof *problem.y);
    problem.x = calloc((size_t)count, sizeof(struct svm_node *));
    if (!problem.y || !problem.x) {
        rc = FG_FAIL(err, FG_ERR_MEMORY, "out of memory for an SVM of %d rows", count);
        goto done;
    }
    for (int k = 0; k < count; k++) {
        problem.y[k] = positive[k] ? 1 : -1;
        problem.x[k] = gram->nodes + (size_t)subset[k] * ((size_t)gram->count + 1);
    }
    parameter.nr_weight = 2;
    parameter.weight_label = weight_labels;
    parameter.weight = weights;
    model = svm_train(&problem, &parameter);
    if (!model) {
        rc = FG_FAIL(err, FG_ERR_MEMORY, "out of memory while training an SVM");
        goto done;
    }
    /* libsvm's first class is that of its first row. */
    double sign = model->label[0] == 1 ? 1 : -1;
    for (int k = 0; k < model->l; k++)
        alpha[model->sv_indices[k] - 1] = sign * model->sv_coef[0][k];
    *bias = -sign * model->rho[0];
done:
    if (model) {
        model->param.nr_weight = 0;
        model->param.weight_label = NULL;
        model->param.weight = NULL;
        svm_free_and_destroy_model(&model);
    }
    free(problem.y);
    free(problem.x);
    return rc;
}
