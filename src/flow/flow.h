/* The flow: from files to members, from members to a classifier, from a photo to a decision.
 *
 * enroll.c, train.c and verify.c each read as one page, a line a stage; start there. An fg_app is shared by
 * all threads; an fg_worker belongs to one. The command line and the HTTP server are two ways to call what is
 * here, and neither has a way of its own. */
#ifndef FG_FLOW_FLOW_H
#define FG_FLOW_FLOW_H

#include "base/log.h"
#include "base/progress.h"
#include "base/settings.h"
#include "blob/blob.h"
#include "classify/classify.h"
#include "decide/decide.h"
#include "face/face.h"
#include "store/store.h"

/* -- app and workers -- */

typedef struct fg_app fg_app;
typedef struct fg_worker fg_worker;

/* What a command needs opened; MODELS: their path alone; TRY_ENGINE: the engine, if it can be; TEAM_EMBEDDER:
 * the engine is the team's, where there is a team, although the store is not needed. Without CREATE, a data
 * folder that is not there is FG_ERR_STATE, and none is made. The embedder is that of the settings, else the
 * team's, else the manifest's default. */
enum {
    FG_APP_STORE = 1,
    FG_APP_ENGINE = 2,
    FG_APP_CREATE = 4,
    FG_APP_MODELS = 8,
    FG_APP_TRY_ENGINE = 16,
    FG_APP_TEAM_EMBEDDER = 32
};

/* settings and log are borrowed until the close. Sweeps, with a store. */
fg_code fg_app_open(fg_app **app, const fg_settings *settings, unsigned parts, const fg_log *log,
                    fg_error *err) FG_MUST_CHECK;
void fg_app_close(fg_app *app);
/* Deletes what an enrolment or a removal left behind that was killed or could not delete it. What cannot be
 * deleted now either is logged and left to the next time. */
void fg_app_sweep(fg_app *app);
const fg_settings *fg_app_settings(const fg_app *app);
fg_store *fg_app_store(fg_app *app); /* NULL where not asked for; likewise the others */
fg_blob *fg_app_blob(fg_app *app);
const fg_engine *fg_app_engine(const fg_app *app);
const char *fg_app_model_path(const fg_app *app); /* folders separated by ':' */
const fg_log *fg_app_log(const fg_app *app);
int fg_app_workers(const fg_app *app); /* threads to use: the setting, else one a core */
/* The SVM's settings, the target rate, and what is known of the embedder. */
void fg_app_train_options(const fg_app *app, fg_train_options *options);

fg_code fg_worker_new(fg_worker **worker, fg_app *app, fg_error *err) FG_MUST_CHECK;
void fg_worker_free(fg_worker *worker);
fg_app *fg_worker_app(fg_worker *worker);
fg_session *fg_worker_session(fg_worker *worker);

/* Who asks, for the audit. */
typedef struct fg_actor {
    const char *who;    /* "cli", "web:<id>", "web", "key:<id>" */
    const char *source; /* an address or a user; "" */
} fg_actor;

/* Writes a line of the audit. */
fg_code fg_record(fg_app *app, const fg_actor *actor, const char *action, const char *subject,
                  fg_error *err) FG_MUST_CHECK;

/* -- one picture -- */

typedef struct fg_look { /* what is seen in one picture */
    int faces;           /* that count: see fg_look_at */
    fg_reason reason;    /* FG_REASON_NONE: one usable face */
    fg_face face;        /* the largest; zero where there is none */
    fg_quality quality;
    fg_frame chip; /* aligned; empty where there is no face */
} fg_look;

/* Detects, picks the one face, aligns it, judges its quality. A second face counts only where it is at least
 * half as wide as the largest: passers-by behind do not stop a decision, a second person in front of the
 * camera does. */
fg_code fg_look_at(fg_worker *worker, const fg_frame *frame, fg_look *look, fg_error *err) FG_MUST_CHECK;
void fg_look_deinit(fg_look *look);

/* -- enrol -- */

typedef struct fg_enroll_file {
    const char *path;
    const char *name; /* what it was called where it came from; NULL: the path's own base name */
} fg_enroll_file;

typedef struct fg_enroll_request {
    const char *name, *role;
    const char *const *rights;
    int right_count;
    const fg_enroll_file *files; /* videos and photos */
    int file_count;
    int every;  /* of videos */
    int rotate; /* FG_ROTATE_AUTO or degrees */
    bool add, keep_frames, keep_originals;
    fg_actor actor;
    const char *job; /* the server's job that this is; NULL: none */
    /* Called for every sampled frame, in order; all borrowed. NULL: nobody looks. */
    void (*seen)(void *context, int file, const fg_frame *frame, const fg_look *look);
    void *seen_context;
    fg_progress progress; /* "frames" */
} fg_enroll_request;

typedef struct fg_enroll_file_report {
    long frames_sampled, faces_used;
    long refused[FG_REASON_COUNT]; /* by reason; [NONE] is 0 */
    int rotation;                  /* degrees clockwise that were applied */
    int width, height;             /* upright */
    double seconds;                /* of video; 0 for a photo */
} fg_enroll_file_report;

typedef struct fg_enroll_report {
    int64_t member_id;
    long frames_sampled, faces_used, refused[FG_REASON_COUNT];
    long odd;            /* usable, but of somebody else than the rest: dropped */
    long unclear;        /* usable, but they can hardly be made out (see fg_evidence) ... */
    bool mostly_unclear; /* ... and are so many that not the head turns, but something covers the face */
    fg_enroll_file_report *files; /* file_count of them */
    int file_count;
    char look_alike[FG_MAX_NAME_BYTES + 1]; /* an enrolled member of nearly the same face; "" for none */
    double look_alike_similarity;
    double elapsed_ms, decode_ms, detect_ms, embed_ms;
} fg_enroll_report;

/* One transaction: the member is enrolled with everything, or nothing has changed. FG_ERR_INPUT where no file
 * has a usable face, with the reasons counted. The report is filled as far as it got also on failure; free it
 * with _deinit. */
fg_code fg_enroll(fg_worker *worker, const fg_enroll_request *request, fg_enroll_report *report,
                  fg_error *err) FG_MUST_CHECK;
void fg_enroll_report_deinit(fg_enroll_report *report);

fg_code fg_member_set(fg_app *app, int64_t member_id, const fg_member_change *change, const fg_actor *actor,
                      fg_error *err) FG_MUST_CHECK;
/* Rows, chips, originals and the classifier versions that were learnt from them, for good. Where a version
 * was active and the engine is open, the members who stay are trained anew at once, so that they go on being
 * recognised; *version is that version's number, 0 where there is none (nobody is left, or the training
 * failed, which the log says). FG_ERR_IO, and not local: the member is removed, but files could not be
 * deleted; fg_app_sweep will. */
fg_code fg_member_remove(fg_app *app, int64_t member_id, const fg_actor *actor, int64_t *version,
                         fg_error *err) FG_MUST_CHECK;

/* -- train -- */

/* A member as training saw them. All but the count are cosines to a mean of templates, as the gate measures;
 * NAN where there is nothing to compare with. */
typedef struct fg_train_person {
    int64_t member_id, nearest_id; /* 0: the only member */
    long templates;
    double own, own_low;      /* each template to the mean of the others: the mean, the lowest */
    double nearest, stranger; /* the member's mean to that of the nearest member; to the nearest stranger */
} fg_train_person;

enum { FG_TRAIN_PEOPLE = 100 };

typedef struct fg_train_result {
    int64_t version; /* 0 after a dry run */
    bool activated;
    fg_train_report report;
    char data_hash[FG_SHA256_HEX];
    long stale_templates;                    /* of another model: not used; see `facegate models use` */
    fg_train_person people[FG_TRAIN_PEOPLE]; /* those with the least room to others, worst first; none in a
                                                team of more than 1000 */
    int people_count;
} fg_train_result;

/* People who are in no team, embedded by this engine: either the manifest's cohort, computed once for each
 * embedder and kept in the data folder, or, where the setting names a folder, one face of each person in it
 * (see fg_people_load). The embeddings are the cohort's own: free with _deinit, also after a failure. */
fg_code fg_cohort_load(fg_cohort *cohort, fg_worker *worker, const fg_progress *progress,
                       fg_error *err) FG_MUST_CHECK;
void fg_cohort_deinit(fg_cohort *cohort);

/* dry_run, force and the SVM's settings come from the app's settings. What is stored has learnt from all who
 * are members then: where somebody is enrolled or removed meanwhile, it trains anew, and after a few times it
 * is FG_ERR_BUSY. */
fg_code fg_train(fg_worker *worker, const fg_actor *actor, const fg_progress *progress,
                 fg_train_result *result, fg_error *err) FG_MUST_CHECK;

/* Makes a stored version the active one. FG_ERR_NOT_FOUND. */
fg_code fg_activate(fg_app *app, int64_t version, const fg_actor *actor, fg_error *err) FG_MUST_CHECK;

/* -- models -- */

typedef struct fg_pull_result {
    int files;                /* that are new; 0: everything was here */
    uint64_t fetched_bytes;   /* now */
    uint64_t resumed_bytes;   /* by an earlier try */
    char folder[FG_MAX_PATH]; /* "" with files 0 */
    double elapsed_ms;
} fg_pull_result;

/* Fetches what of a model is not on the model path, as the manifest says and from where it says.
 * FG_ERR_MODEL: the server's file or the manifest is wrong; FG_ERR_BUSY: another pull is at it; else as
 * fg_download_run. What was there before is as it was, unless all went well. */
fg_code fg_models_pull(fg_app *app, const char *name, const fg_progress *progress, fg_pull_result *result,
                       fg_error *err) FG_MUST_CHECK;

/* -- the team's embedder -- */

/* Opens the engine with this embedder of the manifest, whatever the settings say. FG_ERR_NOT_FOUND,
 * FG_ERR_MODEL. */
fg_code fg_app_open_engine(fg_app *app, const char *embedder, fg_error *err) FG_MUST_CHECK;

/* The team's embedder, "" where none is remembered or there is no team; the app's parts say STORE or
 * TEAM_EMBEDDER. */
fg_code fg_app_embedder(fg_app *app, fg_embedder *team, fg_error *err) FG_MUST_CHECK;

typedef struct fg_use_result {
    fg_embedder before; /* "" where none was remembered */
    long embedded;      /* templates that are of the new embedder now, and were not before */
    long resumed;       /* of these, made by an earlier try */
    long lost;          /* templates that were given up, with force */
    int64_t version;    /* of the training that followed; 0: none was needed */
    double elapsed_ms;
} fg_use_result;

/* Makes the engine's embedder the team's: embeds every template's picture again, replaces the old embeddings
 * in one transaction, and trains anew where a classifier was in force. FG_ERR_STATE where templates have no
 * picture any more, unless the settings say force. Whatever fails or kills it before that transaction, the
 * old embedder stays in force, and the next try goes on from there; afterwards, the next try trains. */
fg_code fg_use_embedder(fg_worker *worker, const fg_actor *actor, const fg_progress *progress,
                        fg_use_result *result, fg_error *err) FG_MUST_CHECK;

/* -- verify -- */

typedef struct fg_verification {
    fg_decision decision;
    fg_ranking ranking;   /* zero where no face was usable */
    bool ranked, unclear; /* unclear: the embedder found little in the face */
    fg_member member;     /* of the best score, filled where the verdict is granted or denied; else zero */
    int faces;
    fg_face face; /* the largest, in pixels of the upright original; width 0 where there is none */
    fg_quality quality;
    fg_frame chip;        /* aligned; empty where there is no face */
    int width, height;    /* of the upright original */
    int64_t classifier;   /* version; 0 where an endpoint has decided */
    const char *endpoint; /* its name, borrowed from the app; else NULL */
    double threshold;
    double decode_ms, detect_ms, embed_ms, decide_ms, record_ms, elapsed_ms;
} fg_verification;

typedef struct fg_verify_request {
    const void *data; /* an encoded photo ... */
    size_t size;
    const char *path;           /* ... or, where data is NULL, a file */
    const char *name;           /* for messages and `input`; NULL: the path */
    const char *required_right; /* NULL: the settings' */
    fg_actor actor;             /* who NULL: not audited */
} fg_verify_request;

/* FG_ERR_STATE where nothing is trained, or the active version is of another embedder. A face that is
 * nobody's is a verdict, not an error. */
fg_code fg_verify(fg_worker *worker, const fg_verify_request *request, fg_verification *verification,
                  fg_error *err) FG_MUST_CHECK;
void fg_verification_deinit(fg_verification *verification);

/* -- photos without a team -- */

/* The embedding of the one face of a photo: embedding_size floats. FG_ERR_INPUT names the photo without a
 * usable face, and why. magnitude: see fg_embed; or NULL. */
fg_code fg_embed_photo(fg_worker *worker, const char *path, float *embedding, float *magnitude,
                       fg_error *err) FG_MUST_CHECK;

/* A matrix as .npy, written atomically. */
fg_code fg_floats_save(const char *path, const float *data, long rows, int columns,
                       fg_error *err) FG_MUST_CHECK;

typedef struct fg_comparison {
    double similarity; /* cosine */
    double threshold;  /* of the embedder's manifest entry: one in 1,000 pairs of strangers is above it */
    bool same;
} fg_comparison;

/* 1:1. */
fg_code fg_compare(fg_worker *worker, const char *path_a, const char *path_b, fg_comparison *comparison,
                   fg_error *err) FG_MUST_CHECK;

/* -- settings that are changed while the server runs: kept in the store, before flags and defaults -- */

typedef enum fg_tune {
    FG_TUNE_EVERY,
    FG_TUNE_KEEP_ORIGINALS,
    FG_TUNE_MIN_FACE,
    FG_TUNE_MIN_SHARPNESS,
    FG_TUNE_MIN_BRIGHTNESS,
    FG_TUNE_MAX_BRIGHTNESS,
    FG_TUNE_MAX_YAW,
    FG_TUNE_MAX_PITCH,
    FG_TUNE_MAX_ROLL,
    FG_TUNE_RETENTION_ORIGINALS, /* days; 0: for ever */
    FG_TUNE_RETENTION_CHIPS,
    FG_TUNE_RETENTION_ATTEMPTS,
    FG_TUNE_SAGEMAKER, /* train there, and let its endpoint decide */
    FG_TUNE_COUNT
} fg_tune;

typedef struct fg_tuning {
    const char *name;
    double min, max;
    enum { FG_TUNING_NUMBER, FG_TUNING_WHOLE, FG_TUNING_SWITCH } kind;
} fg_tuning;

extern const fg_tuning fg_tunings[FG_TUNE_COUNT];

/* Reads what is stored; until then everything is as the flags and defaults say. */
fg_code fg_tuning_load(fg_app *app, fg_error *err) FG_MUST_CHECK;
double fg_tuning_get(const fg_app *app, fg_tune which);     /* in force; safe from any thread */
double fg_tuning_default(const fg_app *app, fg_tune which); /* where nothing is stored */
double fg_tuning_min(const fg_app *app, fg_tune which);
/* Whether this server can have it at all: SageMaker only where it was started with an image. */
bool fg_tuning_is_offered(const fg_app *app, fg_tune which);
/* Those that are marked as changed, all or none; NaN: back to the default. FG_ERR_INPUT names the setting. */
fg_code fg_tuning_set(fg_app *app, const double values[FG_TUNE_COUNT], const bool changed[FG_TUNE_COUNT],
                      const fg_actor *actor, fg_error *err) FG_MUST_CHECK;

typedef struct fg_retained {
    long originals, chips, attempts;
} fg_retained;

/* Deletes for good what is older than the settings say; *gone counts it. */
fg_code fg_retention_apply(fg_app *app, fg_retained *gone, fg_error *err) FG_MUST_CHECK;
/* Members, chips, originals, classifier versions, jobs and attempts, for good; keys and settings stay. */
fg_code fg_reset(fg_app *app, const fg_actor *actor, fg_error *err) FG_MUST_CHECK;

/* Whether training on SageMaker has all it needs: credentials, image, role, bucket. */
fg_code fg_app_can_train_remote(fg_app *app, fg_error *err) FG_MUST_CHECK;
/* The name of the endpoint that decides; "" where the active classifier does, or nobody can be asked. Valid
 * as long as the app. */
const char *fg_app_endpoint(fg_app *app);

/* -- JSON, the same documents on the command line and over HTTP (needs jansson.h) -- */

struct json_t;
/* NULL only when out of memory; the caller decrefs. */
struct json_t *fg_verification_json(const fg_verification *verification, const fg_app *app,
                                    const char *input);
struct json_t *fg_time_json(int64_t unix_ms); /* RFC 3339; null for 0 */
/* Rounded, so that a document does not claim more digits than there are; null for what is not finite. */
struct json_t *fg_number_json(double value, int decimals);
struct json_t *fg_text_json(const char *text); /* a path, say, that may be no UTF-8: made that */
struct json_t *fg_face_json(const fg_face *face);
struct json_t *fg_member_json(const fg_member *member);
struct json_t *fg_enroll_report_json(const fg_enroll_report *report, const char *member);
/* With the people. */
struct json_t *fg_train_report_json(const fg_train_result *result, fg_app *app);
struct json_t *fg_train_result_json(const fg_train_result *result, fg_app *app);
struct json_t *fg_version_json(const fg_version_info *info);
struct json_t *fg_audit_json(const fg_audit_row *row);

#endif
