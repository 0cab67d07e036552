/* A model artifact: a trained classifier with its members' names in one file, to serve where there is no
 * store. The file is a zip archive of model.json   {"format":1, "embedder":..., "model_hash":...,
 * "probability":..., "classes":[{"id":..,"name":..}], "classifier_sha256":..., "report":{...}, ...}
 *     classifier   the classifier's own checked binary form
 * Nothing in it is ever executed. */
#ifndef FG_FLOW_ARTIFACT_H
#define FG_FLOW_ARTIFACT_H

#include "base/file.h"
#include "classify/classify.h"

#include <stdbool.h>

#define FG_ARTIFACT_NAME "model.facegate"

typedef struct fg_artifact {
    fg_classifier *classifier;
    char **names; /* of the classifier's members, in its order */
    int members;
    char *embedder; /* by name, for messages */
    char model_hash[FG_SHA256_HEX];
    bool probability; /* answers have `proba` */
} fg_artifact;

void fg_artifact_deinit(fg_artifact *artifact); /* also fine on a zeroed fg_artifact */
struct json_t;
/* Atomically; report is borrowed and goes in as it is. */
fg_code fg_artifact_save(const fg_artifact *artifact, const struct json_t *report, const char *path,
                         fg_error *err) FG_MUST_CHECK;
/* FG_ERR_INPUT for damage, FG_ERR_UNSUPPORTED for a newer form. The message begins with the path. */
fg_code fg_artifact_load(fg_artifact *artifact, const char *path, fg_error *err) FG_MUST_CHECK;
fg_code fg_artifact_read(fg_artifact *artifact, const void *data, size_t size, fg_error *err) FG_MUST_CHECK;

#endif
