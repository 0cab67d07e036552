/* Invocations: rows of numbers or a photo in, a prediction for each out, in the form that the clients of a
 * scikit-learn model on SageMaker know:
 *
 *     {"prediction":["Ada"],"proba":[[0.99,0.003]],"classes":["Ada","Bruno"],
 *      "decisions":[{"decision":"granted","member":"Ada","probability":0.99,"threshold":0.9,"similarity":0.8,...}]}
 *
 * prediction is the likeliest member whatever the probability, as a classifier of a closed set has it; a row
 * of proba adds up to less than 1, and what is missing is the chance that it is nobody of them. decisions is
 * Facegate's own answer: the fields of a verification. A photo without a usable face is no error: prediction
 * null, proba zeros. */
#ifndef FG_FLOW_INVOKE_H
#define FG_FLOW_INVOKE_H

#include "flow/artifact.h"
#include "flow/flow.h"

typedef enum fg_invoke_kind { FG_INVOKE_NPY, FG_INVOKE_CSV, FG_INVOKE_JSON, FG_INVOKE_PHOTO } fg_invoke_kind;

/* By Content-Type: application/x-npy, text/csv, application/json, image/jpeg, image/png. FG_ERR_UNSUPPORTED.
 */
fg_code fg_invoke_kind_parse(fg_invoke_kind *kind, const char *content_type, fg_error *err) FG_MUST_CHECK;

typedef struct fg_rows {
    float *data; /* count x size, owned */
    long count;
    int size;
} fg_rows;

/* text: size bytes and a NUL behind them. npy: one row (size) or many (count x size), of any float type. csv:
 * a row a line. json: [..], [[..],..], or {"instances":[[..] or {"features":[..]},..]}. FG_ERR_INPUT says
 * where it is wrong, FG_ERR_LIMIT beyond FG_MAX_INVOCATION_ROWS or, of json,
 * FG_MAX_JSON_ROWS_BYTES. */
fg_code fg_rows_parse(fg_rows *rows, fg_invoke_kind kind, const void *text, size_t size,
                      fg_error *err) FG_MUST_CHECK;
void fg_rows_deinit(fg_rows *rows);

typedef struct fg_invocation {
    const fg_artifact
        *artifact;              /* NULL: the app's active classifier, with a line in the audit for each row */
    const char *required_right; /* NULL: the settings' */
    fg_actor actor;
} fg_invocation;

struct json_t;
/* *answer: the caller's to decref. Rows of another length, not finite or not of unit length are FG_ERR_INPUT.
 */
fg_code fg_invoke_rows(fg_app *app, const fg_invocation *invocation, const fg_rows *rows,
                       struct json_t **answer, fg_error *err) FG_MUST_CHECK;
/* data or, where it is NULL, path: an encoded photo. */
fg_code fg_invoke_photo(fg_worker *worker, const fg_invocation *invocation, const void *data, size_t size,
                        const char *path, struct json_t **answer, fg_error *err) FG_MUST_CHECK;

#endif
