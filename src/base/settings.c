#include "base/settings.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AT(field) offsetof(fg_settings, field)

/* A table reads best as a table. */
/* clang-format off */
const fg_setting fg_setting_table[] = {
    {"data",            FG_SETTING_TEXT,     AT(data),           "facegate-data", 0,    0,     "DIR", "folder of this team's data", false},
    {"json",            FG_SETTING_SWITCH,   AT(json),           NULL,            0,    0,     NULL, "print JSON and nothing else: a document for each input, and of a video for each frame", false},
    {"quiet",           FG_SETTING_SWITCH,   AT(quiet),          NULL,            0,    0,     NULL, "no progress and no advice on stderr, errors only", false},
    {"blob",            FG_SETTING_TEXT,     AT(blob),           NULL,            0,    0,     "URL", "where chips and originals are kept: dir:PATH or s3://BUCKET/PREFIX (where the team has them; at first, blobs in the data folder)", false},
    {"aws-file",        FG_SETTING_TEXT,     AT(aws_file),       NULL,            0,    0,     "FILE", "JSON with AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, for its owner alone (else as the AWS tools find them)", false},
    {"region",          FG_SETTING_TEXT,     AT(region),         NULL,            0,    0,     "REGION", "the AWS region (else AWS_REGION, or as the credentials say)", false},
    {"s3-endpoint",     FG_SETTING_TEXT,     AT(s3_endpoint),    NULL,            0,    0,     "URL", "address of an S3 service other than AWS", false},
    {"s3-style",        FG_SETTING_WORD,     AT(s3_style),       "auto",          0,    0,     "auto|path|virtual", "whether the bucket stands in the path or before the host; auto: path with --s3-endpoint", false},
    {"s3-sse",          FG_SETTING_WORD,     AT(s3_sse),         "none",          0,    0,     "none|AES256|aws:kms", "encryption that S3 is asked for; none: as the bucket is set", false},
    {"s3-kms-key",      FG_SETTING_TEXT,     AT(s3_kms_key),     NULL,            0,    0,     "KEY", "name of the key for aws:kms", false},
    {"endpoint",        FG_SETTING_TEXT,     AT(endpoint),       NULL,            0,    0,     "NAME", "the SageMaker endpoint; verify and serve then decide by its answers (for the sagemaker commands: facegate)", false},
    {"sagemaker-url",   FG_SETTING_TEXT,     AT(sagemaker_url),  NULL,            0,    0,     "URL", "address of a service other than AWS that speaks SageMaker's protocol", false},
    {"bucket",          FG_SETTING_TEXT,     AT(bucket),         NULL,            0,    0,     "URL", "s3://BUCKET/PREFIX for datasets and models (else facegate in the AWS file's BUCKET_NAME)", false},
    {"aws-role",        FG_SETTING_TEXT,     AT(aws_role),       NULL,            0,    0,     "ARN", "role that SageMaker takes to read and write the bucket (else the AWS file's ROLE)", false},
    {"image",           FG_SETTING_TEXT,     AT(image),          NULL,            0,    0,     "URI", "Facegate's image in ECR", false},
    {"instance",        FG_SETTING_TEXT,     AT(instance),       "ml.m5.large",   0,    0,     "TYPE", "type of the machines that train and serve", false},
    {"train-on",        FG_SETTING_WORD,     AT(train_on),       "here",          0,    0,     "here|sagemaker", "where the server trains; sagemaker: there, with an endpoint that then decides (needs --image, a role and a bucket)", false},
    {"instances",       FG_SETTING_INT,      AT(instances),      "1",             1,    1000,  "N", "machines that serve", false},
    {"job",             FG_SETTING_TEXT,     AT(job),            NULL,            0,    0,     "NAME", "a training job (the last one)", false},
    {"wait",            FG_SETTING_SWITCH,   AT(wait),           NULL,            0,    0,     NULL, "wait for the end, showing the state", false},
    {"wait-minutes",    FG_SETTING_INT,      AT(wait_minutes),   "120",           1,    10000, "N", "how long --wait waits at most", false},
    {"poll-seconds",    FG_SETTING_NUMBER,   AT(poll_seconds),   "10",            0.05, 600,   "N", "how often --wait asks", false},
    {"model-path",      FG_SETTING_TEXT,     AT(model_path),     NULL,            0,    0,     "DIR[:DIR]...", "folders searched for models before the built-in ones", false},
    {"ca-file",         FG_SETTING_TEXT,     AT(ca_file),        NULL,            0,    0,     "FILE", "certificates of the authorities that a download may trust, PEM (else CURL_CA_BUNDLE, SSL_CERT_FILE, the system's)", false},
    {"detector",        FG_SETTING_TEXT,     AT(detector),       NULL,            0,    0,     "MODEL", "name of the face detector (see: facegate models list)", false},
    {"embedder",        FG_SETTING_TEXT,     AT(embedder),       NULL,            0,    0,     "MODEL", "name of the embedding network (see: facegate models list; else the team's, see: facegate models use)", false},
    {"precision",       FG_SETTING_WORD,     AT(precision),      "auto",          0,    0,     "auto|f32|bf16|int8", "arithmetic of the embedder; auto: int8 if its file is made for it, else bf16 where the processor has it, else f32", false},
    {"min-face",        FG_SETTING_NUMBER,   AT(min_face),       "40",            20,   2000,  "PIXELS", "smallest face that is looked for", false},
    {"min-sharpness",   FG_SETTING_NUMBER,   AT(min_sharpness),  NULL,            0,    1e6,   "VARIANCE", "sharpness below which a face is 'blurred'", false},
    {"min-brightness",  FG_SETTING_NUMBER,   AT(min_brightness), NULL,            0,    255,   "LUMA", "mean brightness below which a face is 'too_dark'", false},
    {"max-brightness",  FG_SETTING_NUMBER,   AT(max_brightness), NULL,            0,    255,   "LUMA", "mean brightness above which a face is 'too_bright'", false},
    {"max-yaw",         FG_SETTING_NUMBER,   AT(max_yaw),        NULL,            0,    90,    "DEGREES", "turn to the side beyond which a face is refused as 'pose'", false},
    {"max-pitch",       FG_SETTING_NUMBER,   AT(max_pitch),      NULL,            0,    90,    "DEGREES", "nod beyond which a face is refused as 'pose'", false},
    {"max-roll",        FG_SETTING_NUMBER,   AT(max_roll),       NULL,            0,    180,   "DEGREES", "tilt beyond which a face is refused as 'pose'", false},
    {"max-side",        FG_SETTING_INT,      AT(max_side),       NULL,            0,    32768, "PIXELS", "larger pictures are scaled down to this side first; 0: never (1280 for enroll and verify, else 0)", false},
    {"name",            FG_SETTING_TEXT,     AT(name),           NULL,            0,    0,     "NAME", "the member's name", false},
    {"role",            FG_SETTING_TEXT,     AT(role),           NULL,            0,    0,     "ROLE", "the member's role", false},
    {"right",           FG_SETTING_LIST,     AT(right),          NULL,            0,    0,     "RIGHT", "a right of the member, such as a door; may be repeated", false},
    {"every",           FG_SETTING_INT,      AT(every),          "5",             1,    10000, "N", "use every N-th frame of a video", false},
    {"rotate",          FG_SETTING_WORD,     AT(rotate),         "auto",          0,    0,     "auto|0|90|180|270", "degrees clockwise to turn a video; auto: as the file says", false},
    {"add",             FG_SETTING_SWITCH,   AT(add),            NULL,            0,    0,     NULL, "the member is enrolled already: add to what there is", false},
    {"keep-frames",     FG_SETTING_SWITCH,   AT(keep_frames),    NULL,            0,    0,     NULL, "also store the sampled frames", false},
    {"keep-originals",  FG_SETTING_SWITCH,   AT(keep_originals), NULL,            0,    0,     NULL, "also store the enrolled files themselves", false},
    {"kernel",          FG_SETTING_WORD,     AT(kernel),         "linear",        0,    0,     "linear|rbf", "kernel of the SVM", false},
    {"c",               FG_SETTING_NUMBER,   AT(c),              "1",             1e-6, 1e6,   "C", "penalty of the SVM", false},
    {"gamma",           FG_SETTING_NUMBER,   AT(gamma),          "0",             0,    1e6,   "GAMMA", "width of the rbf kernel; 0: 1 / size of an embedding", false},
    {"far",             FG_SETTING_NUMBER,   AT(far),            "0.001",         1e-6, 0.5,   "RATE", "how rarely a stranger may be accepted", false},
    {"force",           FG_SETTING_SWITCH,   AT(force),          NULL,            0,    0,     NULL, "go on in spite of a warning", false},
    {"dry-run",         FG_SETTING_SWITCH,   AT(dry_run),        NULL,            0,    0,     NULL, "report only, change nothing", false},
    {"cohort",          FG_SETTING_TEXT,     AT(cohort),         NULL,            0,    0,     "MODEL", "the people in no team that training sets members against: a name in the manifest, or a folder (with a / in it) of photos of 50 people at least", false},
    {"threshold",       FG_SETTING_NUMBER,   AT(threshold),      "0.9",           0.5,  1,     "PROBABILITY", "access is granted at this probability or above", false},
    {"require",         FG_SETTING_TEXT,     AT(require),        NULL,            0,    0,     "RIGHT", "the right that access needs", false},
    {"out",             FG_SETTING_TEXT,     AT(out),            NULL,            0,    0,     "FILE", "file to write", false},
    {"format",          FG_SETTING_WORD,     AT(format),         "npz",           0,    0,     "npz|pickle", "form of the dataset", false},
    {"link-minutes",    FG_SETTING_INT,      AT(link_minutes),   "0",             0,    10080, "N", "with --out s3://...: also print a link that lets whoever has it fetch the file for so long; 0: none", false},
    {"scope",           FG_SETTING_WORD,     AT(scope),          "verify",        0,    0,     "verify|enroll|audit|admin", "what a key allows", false},
    {"label",           FG_SETTING_TEXT,     AT(label),          "",              0,    0,     "TEXT", "a note on what a key is for", false},
    {"expires-days",    FG_SETTING_INT,      AT(expires_days),   "0",             0,    36500, "DAYS", "days that a key lives; 0: until it is revoked", false},
    {"aws",             FG_SETTING_SWITCH,   AT(aws),            NULL,            0,    0,     NULL, "make an access key id and a secret for AWS clients", false},
    {"listen",          FG_SETTING_TEXT,     AT(listen),         "127.0.0.1",     0,    0,     "ADDR[:PORT]", "address to listen on; 0.0.0.0 for every one", false},
    {"port",            FG_SETTING_INT,      AT(port),           NULL,            0,    65535, "PORT", "port to listen on; 0: any free one ($PORT, else 8080)", false},
    {"admin-key",       FG_SETTING_TEXT,     AT(admin_key),      NULL,            0,    0,     "KEY", "an admin key from outside, for containers", true},
    {"tls-cert",        FG_SETTING_TEXT,     AT(tls_cert),       NULL,            0,    0,     "FILE", "PEM certificate chain, to serve HTTPS", false},
    {"tls-key",         FG_SETTING_TEXT,     AT(tls_key),        NULL,            0,    0,     "FILE", "PEM private key of the certificate", false},
    {"web",             FG_SETTING_TEXT,     AT(web),            NULL,            0,    0,     "DIR", "serve the web app from this folder instead of the built-in one", false},
    {"workers",         FG_SETTING_INT,      AT(workers),        "0",             0,    256,   "N", "threads that look at photos; 0: one per core", false},
    {"max-upload-mb",   FG_SETTING_INT,      AT(max_upload_mb),  "500",           1,    500,   "MB", "largest upload that is taken", false},
    {"rate-limit",      FG_SETTING_INT,      AT(rate_limit),     "2000",          1,    1e6,   "N", "requests a second that one key, or one address, may make; twice as many at once", false},
    {"trust-proxy",     FG_SETTING_SWITCH,   AT(trust_proxy),    NULL,            0,    0,     NULL, "behind a proxy: believe its X-Forwarded-For and X-Forwarded-Proto", false},
    {"cors-origin",     FG_SETTING_LIST,     AT(cors_origin),    NULL,            0,    0,     "ORIGIN", "a site whose pages may use the API, by key, such as https://example.org; may be repeated", false},
    {"log-format",      FG_SETTING_WORD,     AT(log_format),     "text",          0,    0,     "text|json", "form of the messages on stderr", false},
    {"log-level",       FG_SETTING_WORD,     AT(log_level),      "info",          0,    0,     "error|warning|info|debug", "the least important messages that are written", false},
    {"endpoint-name",   FG_SETTING_TEXT,     AT(endpoint_name),  "facegate",      0,    0,     "NAME", "name by which AWS clients invoke this server: /endpoints/NAME/invocations", false},
    {"master-key",      FG_SETTING_TEXT,     AT(master_key),     NULL,            0,    0,     "TEXT", "what the secrets of AWS access keys are made from; without it, a file of the data folder", true},
    {"sagemaker-root",  FG_SETTING_TEXT,     AT(sagemaker_root), "/opt/ml",       0,    0,     "DIR", "folder of SageMaker's container layout; where it is there, train and serve follow it", false},
    {"images",          FG_SETTING_TEXT,     AT(images),         NULL,            0,    0,     "DIR", "folder of labelled images: DIR/<person>/<photo>", false},
    {"pairs",           FG_SETTING_TEXT,     AT(pairs),          NULL,            0,    0,     "FILE", "pairs in the form of LFW's pairs.txt", false},
    {"boxes",           FG_SETTING_TEXT,     AT(boxes),          NULL,            0,    0,     "FILE", "JSON of {image: [{box: [x1, y1, x2, y2]}]}", false},
    {"plots",           FG_SETTING_TEXT,     AT(plots),          NULL,            0,    0,     "DIR", "folder to write plots to, as SVG", false},
    {"perturb",         FG_SETTING_SWITCH,   AT(perturb),        NULL,            0,    0,     NULL, "also count the decisions that a mirrored, a cropped and a coarse JPEG of each photo change", false},
    {"video",           FG_SETTING_TEXT,     AT(video),          NULL,            0,    0,     "FILE", "a video of a face to measure on", false},
    {"limit",           FG_SETTING_INT,      AT(limit),          "0",             0,    1e9,   "N", "use the first N only; 0: all", false},
    {"photos",          FG_SETTING_INT,      AT(photos),         "3",             1,    1000,  "N", "photos that a member is enrolled from", false},
    {"seed",            FG_SETTING_INT,      AT(seed),           "1",             0,    1e9,   "N", "of the random draws", false},
    {"rounds",          FG_SETTING_INT,      AT(rounds),         "20",            1,    100000, "N", "repetitions that the median is taken of", false},
};
/* clang-format on */
const size_t fg_setting_count = sizeof fg_setting_table / sizeof fg_setting_table[0];

const fg_setting *fg_setting_find(const char *name)
{
    for (size_t i = 0; i < fg_setting_count; i++)
        if (strcmp(fg_setting_table[i].name, name) == 0)
            return &fg_setting_table[i];
    return NULL;
}

void fg_setting_variable(const fg_setting *setting, char *out, size_t out_size)
{
    snprintf(out, out_size, "FACEGATE_%s", setting->name);
    for (char *p = out; *p; p++)
        *p = *p == '-' ? '_' : (char)toupper((unsigned char)*p);
}

/* True where text is one of the words of "a|b|c". */
static bool is_word(const char *words, const char *text)
{
    size_t n = strlen(text);
    for (const char *p = words; p; p = strchr(p, '|') ? strchr(p, '|') + 1 : NULL)
        if (n && !strchr(text, '|') && strncmp(p, text, n) == 0 && (p[n] == '|' || p[n] == 0))
            return true;
    return false;
}

static fg_code parse_number(const fg_setting *s, const char *text, double *value, fg_error *err)
{
    char *end = NULL;
    *value = strtod(text, &end);
    bool whole = s->kind != FG_SETTING_INT || *value == floor(*value);
    if (end == text || *end || !isfinite(*value) || !whole || *value < s->min || *value > s->max)
        return FG_FAIL(err, FG_ERR_USAGE, "--%s %s: give a %snumber from %.10g to %.10g", s->name, text,
                       s->kind == FG_SETTING_INT ? "whole " : "", s->min, s->max);
    return FG_OK;
}

static fg_code assign(fg_settings *settings, const fg_setting *s, const char *text, fg_error *err)
{
    void *at = (char *)settings + s->offset;
    double value;
    fg_code rc;
    switch (s->kind) {
    case FG_SETTING_SWITCH:
        if (text && strcmp(text, "0") != 0 && strcmp(text, "1") != 0)
            return FG_FAIL(err, FG_ERR_USAGE, "--%s %s: give 1 or 0", s->name, text);
        *(bool *)at = !text || *text == '1';
        return FG_OK;
    case FG_SETTING_INT:
        if ((rc = parse_number(s, text, &value, err)) == FG_OK)
            *(int *)at = (int)value;
        return rc;
    case FG_SETTING_NUMBER:
        if ((rc = parse_number(s, text, &value, err)) == FG_OK)
            *(double *)at = value;
        return rc;
    case FG_SETTING_WORD:
        if (!is_word(s->values, text))
            return FG_FAIL(err, FG_ERR_USAGE, "--%s %s: give one of %s", s->name, text, s->values);
        break;
    case FG_SETTING_LIST: {
        fg_setting_list *list = (fg_setting_list *)at;
        if (list->count == FG_SETTING_LIST_MAX)
            return FG_FAIL(err, FG_ERR_USAGE, "--%s: at most %d of them", s->name, FG_SETTING_LIST_MAX);
        list->items[list->count++] = text;
        return FG_OK;
    }
    case FG_SETTING_TEXT:
        break;
    }
    *(const char **)at = text;
    return FG_OK;
}

fg_code fg_settings_set(fg_settings *settings, const char *name, const char *text, fg_error *err)
{
    const fg_setting *s = fg_setting_find(name);
    if (!s)
        return FG_FAIL(err, FG_ERR_USAGE, "--%s: there is no such setting", name);
    if (!text && s->kind != FG_SETTING_SWITCH)
        return FG_FAIL(err, FG_ERR_USAGE, "--%s: its value is missing", name);
    return assign(settings, s, text, err);
}

void fg_settings_empty(fg_settings *settings, const char *name)
{
    const fg_setting *s = fg_setting_find(name);
    if (s && s->kind == FG_SETTING_LIST)
        ((fg_setting_list *)(void *)((char *)settings + s->offset))->count = 0;
}

bool fg_settings_is_default(const fg_settings *settings, const char *name)
{
    const fg_setting *s = fg_setting_find(name);
    const char *const *at = (const char *const *)(const void *)((const char *)settings + (s ? s->offset : 0));
    /* Texts are borrowed, so one that was given is at another address, even where it reads the same. */
    return s && (s->kind == FG_SETTING_TEXT || s->kind == FG_SETTING_WORD) && *at == s->fallback;
}

fg_code fg_settings_init(fg_settings *settings, fg_error *err)
{
    *settings = (fg_settings){0};
    for (size_t i = 0; i < fg_setting_count; i++) {
        const fg_setting *s = &fg_setting_table[i];
        char variable[64];
        fg_setting_variable(s, variable, sizeof variable);
        const char *text = getenv(variable);
        if (!text && s->kind == FG_SETTING_NUMBER && !s->fallback) {
            void *at = (char *)settings + s->offset;
            *(double *)at = NAN; /* not given: the module's own default */
            continue;
        }
        if (!text && s->kind == FG_SETTING_INT && !s->fallback) {
            void *at = (char *)settings + s->offset;
            *(int *)at = -1;
            continue;
        }
        fg_code rc = FG_OK;
        if (text || s->fallback)
            rc = assign(settings, s, text ? text : s->fallback, err);
        if (rc != FG_OK)
            return fg_error_prefix(err, rc, variable);
    }
    return FG_OK;
}
