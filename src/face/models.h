/* models/manifest.json: which models there are, their files, hashes and preprocessing. */
#ifndef FG_FACE_MODELS_H
#define FG_FACE_MODELS_H

#include "base/error.h"
#include "base/file.h"
#include "base/limits.h"

#include <stdbool.h>

enum { FG_MODEL_MAX_FILES = 4, FG_MODELS_MAX = 32 };

typedef struct fg_model_file {
    char name[96];
    char sha256[FG_SHA256_HEX];
    uint64_t bytes;
    char url[256];          /* "" for a built-in */
    char path[FG_MAX_PATH]; /* where it was found; "" if it was not */
} fg_model_file;

typedef struct fg_model {
    char name[64];
    char kind[16]; /* "embedder", "detector", "cohort" */
    char licence[64];
    char description[256];
    fg_model_file files[FG_MODEL_MAX_FILES];
    int file_count;
    int input_size;    /* pixels, square; embedders */
    bool bgr;          /* channel order that the network takes */
    float mean, scale; /* network input = (byte - mean) * scale */
    int embedding_size;
    float points[5][2]; /* alignment template, fractions of input_size */
    bool is_default;
} fg_model;

typedef struct fg_models {
    fg_model models[FG_MODELS_MAX];
    int count;
} fg_models;

/* Reads the first manifest.json on model_path (folders separated by ':') and looks for every file on the
 * whole path. The caller frees. Errors: FG_ERR_MODEL (no manifest, damaged manifest). */
fg_code fg_models_load(fg_models **models, const char *model_path, fg_error *err) FG_MUST_CHECK;
void fg_models_free(fg_models *models);
/* NULL name: the default of that kind. FG_ERR_NOT_FOUND lists the names there are. */
fg_code fg_models_find(const fg_models *models, const char *kind, const char *name, const fg_model **model,
                       fg_error *err) FG_MUST_CHECK;
/* Every file is there, of the manifest's size and SHA-256; else FG_ERR_MODEL with what to do. */
fg_code fg_model_verify(const fg_model *model, fg_error *err) FG_MUST_CHECK;

#endif
