/* Support vector machines: a thin, memory-safe face of libsvm's C-SVC (Chang & Lin 2011, "LIBSVM: a library
 * for support vector machines"), the library inside scikit-learn's SVC. Rows are dense float32 vectors.
 *
 * Deterministic: libsvm draws random numbers only for its own probability estimates, which are not used here.
 */
#ifndef FG_CLASSIFY_SVM_H
#define FG_CLASSIFY_SVM_H

#include "base/error.h"
#include "classify/classify.h"

typedef struct fg_svm fg_svm; /* immutable: shared by threads */

typedef struct fg_svm_options {
    fg_kernel kernel;
    double c;              /* > 0 */
    double gamma;          /* of rbf, > 0 */
    const double *weights; /* one for each class in ascending order of label, multiplying c; NULL for 1 */
} fg_svm_options;

enum { FG_SVM_MAX_CLASSES = 512 };

/* rows: count x size; labels: count, any integers, at least two different ones. Both are copied.
 * Errors: FG_ERR_STATE with one class only, FG_ERR_INPUT for a number that is not finite, FG_ERR_USAGE for
 * options, FG_ERR_LIMIT for too many classes, FG_ERR_MEMORY. */
fg_code fg_svm_train(fg_svm **svm, const float *rows, const int *labels, long count, int size,
                     const fg_svm_options *options, fg_error *err) FG_MUST_CHECK;
void fg_svm_free(fg_svm *svm);

int fg_svm_classes(const fg_svm *svm);
int fg_svm_label(const fg_svm *svm, int class_index); /* ascending */

/* One decision value for each pair of classes i < j in ascending order of label, (0,1) (0,2) ... (1,2) ...,
 * positive for class i: scikit-learn's decision_function with decision_function_shape='ovo' and more than two
 * classes. (For two classes scikit-learn gives the opposite sign.) values: classes * (classes - 1) / 2;
 * label, which may be NULL: the class with most votes, the lowest of equals. */
fg_code fg_svm_decide(const fg_svm *svm, const float *row, int size, double *values, int *label,
                      fg_error *err) FG_MUST_CHECK;

/* Two-class training on a kernel matrix that the caller has already computed, for many machines over one set
 * of rows: an opaque matrix, and then each machine on a subset of it. */
typedef struct fg_gram fg_gram;

/* Products of all pairs of rows (count x size, unit length): linear x.y, or rbf exp(-gamma |x - y|^2). */
fg_code fg_gram_new(fg_gram **gram, const float *rows, int count, int size, fg_kernel kernel, double gamma,
                    fg_error *err) FG_MUST_CHECK;
void fg_gram_free(fg_gram *gram);
double fg_gram_at(const fg_gram *gram, int i, int j);

/* subset: count row numbers; positive: count flags, of both kinds. The weight of each side multiplies c.
 * f(x) = sum over k of alpha[k] * kernel(x, row subset[k]) + *bias, positive for the flagged side; alpha:
 * count. */
fg_code fg_gram_train(const fg_gram *gram, const int *subset, const unsigned char *positive, int count,
                      double c, double weight_positive, double weight_negative, double *alpha, double *bias,
                      fg_error *err) FG_MUST_CHECK;

#endif
