/* Faces: what a detector finds, and the engine that finds, aligns and embeds them.
 *
 * One immutable fg_engine holds the models and is shared by all threads; one fg_session per thread holds
 * everything mutable. Detection: MTCNN, Zhang et al. 2016, "Joint Face Detection and Alignment Using
 * Multitask Cascaded Convolutional Networks", with the pre- and post-processing of facenet-pytorch
 * (area-averaged pyramid, boxes of inclusive pixels); where the manifest says so, refined (see models.h). */
#ifndef FG_FACE_FACE_H
#define FG_FACE_FACE_H

#include "base/frame.h"
#include "nn/nn.h"

typedef struct fg_point {
    float x, y; /* pixels of the upright frame */
} fg_point;

/* The order of landmarks everywhere: as seen in the picture. */
enum { FG_LEFT_EYE, FG_RIGHT_EYE, FG_NOSE, FG_LEFT_MOUTH, FG_RIGHT_MOUTH, FG_LANDMARKS };

typedef struct fg_face {
    float x, y, width, height; /* the box in pixels, not clipped to the frame */
    float score;               /* of the last stage, 0..1 */
    fg_point points[FG_LANDMARKS];
} fg_face;

/* Landmarks in a frame count its pixels from 1, as the published cascade does: this is where the centre of
 * the first pixel is, either way. */
enum { FG_FIRST_PIXEL = 1 };

/* Why a face is not used; `retry` verdicts and enrolment reports say these words. */
typedef enum fg_reason {
    FG_REASON_NONE,
    FG_REASON_NO_FACE,
    FG_REASON_SEVERAL_FACES,
    FG_REASON_FACE_TOO_SMALL,
    FG_REASON_BLURRED,
    FG_REASON_POSE,
    FG_REASON_TOO_DARK,
    FG_REASON_TOO_BRIGHT,
    FG_REASON_UNCLEAR, /* the embedder finds little in the face: covered, or taken badly */
    FG_REASON_BELOW_PROBABILITY,
    FG_REASON_NOT_A_MEMBER,
    FG_REASON_AMBIGUOUS,
    FG_REASON_RIGHT_MISSING,
    FG_REASON_LIVENESS_FAILED,
    FG_REASON_COUNT
} fg_reason;

const char *fg_reason_name(fg_reason reason); /* "no_face": stable */
const char *fg_reason_text(fg_reason reason); /* a sentence for people, with what to do */

typedef struct fg_quality {
    float eye_distance; /* pixels */
    float sharpness; /* variance of the Laplacian (Pech-Pacheco et al. 2000) in thousandths of the variance of
                        luma itself, so that light and contrast do not matter; of the chip at 80 x 80, so that
                        its size does not either */
    float brightness;       /* mean luma of the face's part of the chip, 0..255 */
    float contrast;         /* standard deviation of luma there */
    float yaw, pitch, roll; /* degrees, rough, from the five points: 0 frontal; yaw > 0 looks to the picture's
                               right, pitch > 0 down, roll > 0 tilts clockwise */
} fg_quality;

typedef struct fg_quality_limits {
    float min_face; /* shorter side of the box, pixels */
    float min_sharpness;
    float min_brightness, max_brightness;
    float max_yaw, max_pitch, max_roll; /* degrees, absolute */
} fg_quality_limits;

extern const fg_quality_limits fg_quality_limits_default;

typedef struct fg_engine fg_engine;
typedef struct fg_session fg_session;

typedef struct fg_engine_options {
    const char *model_path; /* folders searched for manifest.json and model files, separated by ':'; the first
                               hit wins */
    const char *detector;   /* a name in the manifest; NULL for its default */
    const char *embedder;   /* likewise */
    fg_precision
        precision;  /* of the embedder; the detector always runs in f32, since its thresholds are sharp */
    float min_face; /* pixels, of the detector's pyramid; 0 for 40 */
} fg_engine_options;

typedef struct fg_engine_info {
    char embedder[64];   /* its name */
    char model_hash[65]; /* identity of the embeddings: a SHA-256 of the embedder's weights and of what is
                            done to a face before them; templates of two hashes never mix */
    char detector[64];
    float same_person;   /* cosine that one in 1,000 pairs of strangers exceeds; 0 where unknown */
    float common_look;   /* mean cosine of strangers taken in one way; negative where unknown */
    float unclear_below; /* a magnitude, see fg_embed; 0 where unknown */
    int embedding_size;  /* numbers in an embedding */
    int chip_size;       /* pixels, the embedder's input is chip_size x chip_size */
    fg_precision precision;
} fg_engine_info;

/* From the pixels of a scaled-down frame back to those of the picture, or the other way round. */
void fg_face_scale(fg_face *face, double factor);

/* Loads, checks and warms up everything. FG_ERR_MODEL with what to do when no weights are found. */
fg_code fg_engine_open(fg_engine **engine, const fg_engine_options *options, fg_error *err) FG_MUST_CHECK;
void fg_engine_close(fg_engine *engine);
const fg_engine_info *fg_engine_info_view(const fg_engine *engine);

fg_code fg_session_new(fg_session **session, const fg_engine *engine, fg_error *err) FG_MUST_CHECK;
void fg_session_free(fg_session *session);

/* Faces in the frame, largest box first, at most max_faces written; *count is what was found (<=
 * FG_MAX_FACES). Thresholds 0.6, 0.7, 0.7; factor 0.709; min_face of the engine's options. No face is FG_OK
 * with *count 0. */
fg_code fg_detect(fg_session *session, const fg_frame *frame, fg_face *faces, int max_faces, int *count,
                  fg_error *err) FG_MUST_CHECK;

/* What the session's last detection took, by stage; for `facegate bench`. */
typedef struct fg_detect_times {
    double total_ms;
    double sums_ms;   /* the summed-area table of the frame */
    double resize_ms; /* the pyramid's levels from it */
    double pnet_ms;   /* P-Net over the pyramid */
    double crop_ms;   /* the inputs of R-Net and O-Net */
    double rnet_ms, onet_ms;
    int levels, rnet_crops, onet_crops;
} fg_detect_times;

const fg_detect_times *fg_detect_times_view(const fg_session *session);

/* The least-squares similarity transform (Umeyama 1991, no reflection) from the landmarks to the embedder's
 * template, and the picture warped by it, bilinear, edges repeated: a square chip of chip_size pixels. The
 * caller deinits chip. */
fg_code fg_align(const fg_engine *engine, const fg_frame *frame, const fg_point points[FG_LANDMARKS],
                 fg_frame *chip, fg_error *err) FG_MUST_CHECK;

/* The chip that an enrolment keeps, of FG_KEPT_CHIP pixels whatever the embedder: large enough for all of
 * them, with a margin around what the shipped ones see. The caller deinits kept. */
enum { FG_KEPT_CHIP = 160 };
fg_code fg_kept_cut(const fg_frame *frame, const fg_point points[FG_LANDMARKS], fg_frame *kept,
                    fg_error *err) FG_MUST_CHECK;
/* From a kept chip to this engine's, nearly as if the frame were still there: the photo as it is with
 * variation 0, else that variation of it (see vary.h). A chip of another size, as an earlier Facegate kept
 * them, is taken for one of a shipped embedder. FG_ERR_INPUT: not square, or no such variation. */
fg_code fg_kept_align(const fg_engine *engine, const fg_frame *kept, int variation, fg_frame *chip,
                      fg_error *err) FG_MUST_CHECK;

/* Measures a face and its chip; pure. */
void fg_quality_measure(const fg_face *face, const fg_frame *chip, fg_quality *quality);
/* The first limit that it misses, or FG_REASON_NONE; pure. */
fg_reason fg_quality_judge(const fg_face *face, const fg_quality *quality, const fg_quality_limits *limits);

/* Embeddings of count chips, each chip_size square: count x embedding_size floats, each of unit length; of a
 * model with "mirror" (see models.h) the mean of the chip's and the mirrored chip's. magnitudes (count; or
 * NULL) is how long what the network gave was before, the mean of its looks: it falls with what covers, turns
 * or blurs a face, since then there is less to find (Meng et al. 2021, MagFace; Kim et al. 2022, AdaFace). In
 * the embedder's own units. */
fg_code fg_embed(fg_session *session, const fg_frame *chips, int count, float *embeddings, float *magnitudes,
                 fg_error *err) FG_MUST_CHECK;
/* One chip, alone (number -1: as fg_embed) or the number-th of a series that shows one face again and again,
 * as a video's sampled frames do. Of a model with "mirror" a chip of a series is looked at once, every second
 * one mirrored, in half the time: over a series the mean is nearly that of both looks at each. */
fg_code fg_embed_chip(fg_session *session, const fg_frame *chip, long number, float *embedding,
                      float *magnitude, fg_error *err) FG_MUST_CHECK;

#endif
