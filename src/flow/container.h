/* Training under SageMaker's layout: what the platform gives and takes in files below one folder (/opt/ml).
 *
 *     input/config/hyperparameters.json      {"C":"1","kernel":"linear","gamma":"scale","probability":"True"}
 *     input/config/inputdataconfig.json      the channels: "train" (or "training")
 *     input/config/resourceconfig.json       which hosts there are, and which this is
 *     input/data/train/                      data.npz or data.pickle
 *     model/                                 gets the artifact
 *     output/failure                         gets the reason, where training fails
 *
 * Hyperparameters have the names and the meaning that scikit-learn's SVC gives them, and `far`, how rarely a
 * stranger may be accepted. All are text, as SageMaker has them, also quoted as its SDK sends text. */
#ifndef FG_FLOW_CONTAINER_H
#define FG_FLOW_CONTAINER_H

#include "flow/artifact.h"
#include "flow/flow.h"

typedef struct fg_container_options {
    fg_kernel kernel;
    double c;
    enum {
        FG_GAMMA_AUTO,
        FG_GAMMA_SCALE,
        FG_GAMMA_NUMBER
    } gamma_kind; /* auto: 1 / size; scale: 1 / (size x variance) */
    double gamma;
    double far;
    bool probability;
} fg_container_options;

typedef struct fg_container_result {
    bool idle; /* another host trains; there was nothing to do */
    long rows;
    int classes;
    char model[FG_MAX_PATH];
    fg_train_report report;
} fg_container_result;

bool fg_container_is_training(const char *root); /* input/config is there */
bool fg_container_is_serving(const char *root);  /* model is there */

/* The parameters of a JSON object; the rest are the defaults. FG_ERR_USAGE names the one that is wrong. */
fg_code fg_container_options_parse(fg_container_options *options, const char *json, size_t size,
                                   fg_error *err) FG_MUST_CHECK;

/* Reads, trains, writes the artifact. The app needs its engine alone. */
fg_code fg_container_train(fg_worker *worker, const char *root, const fg_progress *progress,
                           fg_container_result *result, fg_error *err) FG_MUST_CHECK;
/* Writes output/failure; what cannot be written is not worth another error. */
void fg_container_failure(const char *root, const fg_error *why);

#endif
