/* models/manifest.json: which models there are, their files, hashes and preprocessing.
 *
 *     {"version": 1, "default_embedder": NAME, "default_detector": NAME, "default_KIND": ...,
 *      "models": [{"name", "kind", "licence", "description"?,
 *                  "files": [{"file", "bytes"?, "sha256"?, "url"?}],
 *                  "input": {"width", "height", "color": "rgb" | "bgr", "mean", "scale"},
 *                  "dim", "template": [[x, y] x 5], "mirror"?, "refine"?}]}
 *
 * input is needed for an embedder and a detector, dim and template for an embedder; an embedder's input is
 * square. An embedder with "mirror": true gives the mean of a chip's embedding and of the mirrored chip's:
 * what a trained network gets wrong on the two is not the same, and part of it goes. A detector with
 * "refine": true departs from the published cascade likewise. R-Net looks twice at what may be a face, the
 * second time mirrored; O-Net three times, at R-Net's box, at the box that it found there itself, and at that
 * one mirrored; and a box that reaches out of the picture is cut to it before it is looked at. (The published
 * cascade cuts the crop alone, and so misplaces what it finds there.) An embedder's "same_person" is the
 * cosine that one in 1,000 pairs of strangers exceeds, its "common_look" the mean cosine of strangers whose
 * pictures were taken in one way, its "unclear_below" the magnitude (see fg_embed in face.h) below which a
 * face that nobody resembles is rather called unclear. A cohort is a contact sheet of aligned chips: "chip"
 * (its side in pixels), "columns", "count" and "template"; its further files are embeddings of the sheet,
 * cohort-HASH-HASH.npy after the sheet and the embedder (see flow/cohort.c). */
#ifndef FG_FACE_MODELS_H
#define FG_FACE_MODELS_H

#include "base/error.h"
#include "base/file.h"
#include "base/limits.h"

#include <stdbool.h>

enum { FG_MODEL_MAX_FILES = 4, FG_MODELS_MAX = 32 };

typedef struct fg_model_file {
    char name[96];
    char sha256[FG_SHA256_HEX]; /* "" likewise */
    uint64_t bytes;             /* 0 where the manifest does not say */
    char url[256];              /* "" for a built-in */
    char path[FG_MAX_PATH];     /* where it was found; "" if it was not */
} fg_model_file;

typedef struct fg_model {
    char name[64];
    char kind[16]; /* "embedder", "detector", "cohort" */
    char licence[64];
    char description[256];
    fg_model_file files[FG_MODEL_MAX_FILES];
    int file_count;
    int input_size;    /* pixels, square; of an embedder's input, of a cohort's chip */
    bool bgr;          /* channel order that the network takes */
    float mean, scale; /* network input = (byte - mean) * scale */
    bool mirror;       /* of an embedder: see above */
    bool refine;       /* of a detector: see above */
    int embedding_size;
    float points[5][2];  /* alignment template, fractions of input_size */
    float same_person;   /* cosine; 0 where the manifest does not say */
    float common_look;   /* cosine; negative where the manifest does not say */
    float unclear_below; /* magnitude; 0 where the manifest does not say */
    int columns, count;  /* of a cohort's sheet: chips in a row, chips in all */
    bool is_default;
} fg_model;

typedef struct fg_models {
    fg_model models[FG_MODELS_MAX];
    int count;
} fg_models;

/* Reads every manifest.json on model_path (folders separated by ':'); where two define a name, the first
 * wins, and so does the first default of a kind. A model's files are looked for in the folder of its
 * manifest, then along the whole path. The caller frees. Errors: FG_ERR_MODEL (no manifest, damaged
 * manifest), FG_ERR_LIMIT. */
fg_code fg_models_load(fg_models **models, const char *model_path, fg_error *err) FG_MUST_CHECK;
/* Adds what one manifest defines to *models; no file is looked for. name is for messages only. Unknown
 * members are ignored, so that an older Facegate reads a newer manifest of the same version; what it knows
 * must be right. On failure *models is unchanged. */
fg_code fg_models_parse(fg_models *models, const void *json, size_t size, const char *name,
                        fg_error *err) FG_MUST_CHECK;
void fg_models_free(fg_models *models);
/* NULL name: the default of that kind, or the first of it. FG_ERR_NOT_FOUND lists the names there are. */
fg_code fg_models_find(const fg_models *models, const char *kind, const char *name, const fg_model **model,
                       fg_error *err) FG_MUST_CHECK;
/* Every file is there and has the size and the SHA-256 that the manifest gives (where it gives them); else
 * FG_ERR_MODEL with what to do. Reads the files. */
fg_code fg_model_verify(const fg_model *model, fg_error *err) FG_MUST_CHECK;

#endif
