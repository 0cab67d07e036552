/* Every setting, in one table: flag --name, variable FACEGATE_NAME, kind, default, range, help. What --help
 * prints and what docs/settings.md says come from it. Order of force: flag, variable, default. */
#ifndef FG_BASE_SETTINGS_H
#define FG_BASE_SETTINGS_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

enum { FG_SETTING_LIST_MAX = 64 };

typedef struct fg_setting_list {
    const char *items[FG_SETTING_LIST_MAX]; /* borrowed */
    int count;
} fg_setting_list;

/* Strings are borrowed from argv, the environment and the table; NULL where not given and without a default.
 */
typedef struct fg_settings {
    /* everywhere */
    const char *data;
    bool json;
    bool quiet;
    /* where blobs are kept, and AWS */
    const char *blob, *aws_file, *region, *s3_endpoint, *s3_style, *s3_sse, *s3_kms_key;
    /* SageMaker */
    const char *endpoint, *sagemaker_url, *bucket, *aws_role, *image, *instance, *job, *train_on;
    int instances, wait_minutes;
    double poll_seconds;
    bool wait;
    /* models */
    const char *model_path, *detector, *embedder, *precision, *ca_file;
    /* detection and quality */
    double min_face, min_sharpness, min_brightness, max_brightness, max_yaw, max_pitch, max_roll;
    int max_side;
    /* enrolment */
    const char *name, *role, *rotate;
    fg_setting_list right;
    int every;
    bool add, keep_frames, keep_originals;
    /* training */
    const char *kernel;
    double c, gamma, far;
    bool force, dry_run;
    const char *cohort;
    /* decisions */
    double threshold;
    const char *require;
    /* files */
    const char *out, *format;
    int link_minutes;
    /* keys */
    const char *scope, *label;
    bool aws;
    int expires_days;
    /* server */
    const char *listen, *admin_key, *tls_cert, *tls_key, *web, *log_format, *log_level;
    int port, workers, max_upload_mb, rate_limit;
    bool trust_proxy;
    fg_setting_list cors_origin;
    const char *sagemaker_root, *endpoint_name, *master_key;
    /* evaluation and benchmarks */
    const char *images, *pairs, *boxes, *plots, *video;
    bool perturb;
    int limit, photos, seed, rounds;
} fg_settings;

typedef enum fg_setting_kind {
    FG_SETTING_SWITCH,
    FG_SETTING_INT,
    FG_SETTING_NUMBER,
    FG_SETTING_TEXT,
    FG_SETTING_WORD, /* one of the words of `values` */
    FG_SETTING_LIST, /* may be given many times */
} fg_setting_kind;

typedef struct fg_setting {
    const char *name; /* "min-face": flag --min-face, variable FACEGATE_MIN_FACE */
    fg_setting_kind kind;
    size_t offset;        /* in fg_settings */
    const char *fallback; /* as text; NULL: none */
    double min, max;      /* of INT and NUMBER */
    const char
        *values; /* of WORD: "auto|f32|bf16"; of the others: what stands for the value in --help ("DIR") */
    const char *help; /* one line */
    bool secret;      /* taken from the environment alone: the process list shows flags */
} fg_setting;

extern const fg_setting fg_setting_table[];
extern const size_t fg_setting_count;

/* Defaults, then the environment. */
fg_code fg_settings_init(fg_settings *settings, fg_error *err) FG_MUST_CHECK;
/* text: NULL for a switch. FG_ERR_USAGE says what is allowed. */
fg_code fg_settings_set(fg_settings *settings, const char *name, const char *text,
                        fg_error *err) FG_MUST_CHECK;
/* A list begins anew. */
void fg_settings_empty(fg_settings *settings, const char *name);
/* Whether a text is the table's own, given neither as a flag nor as a variable. */
bool fg_settings_is_default(const fg_settings *settings, const char *name);
const fg_setting *fg_setting_find(const char *name);
/* "FACEGATE_MIN_FACE". */
void fg_setting_variable(const fg_setting *setting, char *out, size_t out_size);

#endif
