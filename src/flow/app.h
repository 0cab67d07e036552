/* What the files of flow/ share among themselves; not for the command line and the server. */
#ifndef FG_FLOW_APP_H
#define FG_FLOW_APP_H

#include "flow/flow.h"
#include "flow/remote.h"

#include <pthread.h>
#include <stdatomic.h>

/* The active classifier, loaded once and shared by whoever decides at the moment. */
typedef struct fg_active {
    fg_classifier *classifier;
    fg_version_info info;
    int users; /* under fg_app.lock; the app itself is one */
} fg_active;

struct fg_app {
    const fg_settings *settings;
    const fg_log *log;
    fg_store *store;
    fg_blob *blob;
    char *place; /* what the store calls it */
    fg_engine *engine;
    char *model_path;
    pthread_mutex_t lock;
    fg_active *active;           /* NULL until first asked for */
    pthread_mutex_t remote_lock; /* apart, since to open one may mean to wait for the network */
    fg_remote *remote;           /* NULL until first asked for; under remote_lock, as the next two */
    fg_error remote_failure;     /* of the last try */
    double remote_failed_ms;
    _Atomic double tuning[FG_TUNE_COUNT]; /* NaN: the default */
};

struct fg_worker {
    fg_app *app;
    fg_session *session;
};

/* Deletes the blobs of a pending prefix that no row names, and ends its pending state. What cannot be deleted
 * is logged, and left to fg_app_sweep. */
fg_code fg_app_drop_blobs(fg_app *app, const char *prefix);

/* The active version's classifier, for this embedder; give it back with fg_active_release. Notices a version
 * activated meanwhile, by this or another process. FG_ERR_STATE where nothing is trained, or for another
 * embedder. */
fg_code fg_active_acquire(fg_app *app, fg_active **active, fg_error *err) FG_MUST_CHECK;
void fg_active_release(fg_app *app, fg_active *active);
/* Frees it, as soon as nobody uses it: it holds templates. */
void fg_active_forget(fg_app *app);
void fg_tuning_init(fg_app *app);
/* FG_ERR_STATE where the team's embedder is another than the engine's: new templates would be of no use. */
fg_code fg_embedder_check(fg_app *app, fg_error *err) FG_MUST_CHECK;

/* Templates of one source within this time are near copies: one segment. */
enum { FG_SEGMENT_MS = 2000 };
static inline int64_t fg_segment_of(int64_t source_id, int64_t time_ms)
{
    return source_id * 1000000 + time_ms / FG_SEGMENT_MS;
}

/* The endpoint that decides, opened once; *remote is NULL where the active classifier does. */
fg_code fg_app_remote(fg_app *app, fg_remote **remote, fg_error *err) FG_MUST_CHECK;

/* Opens the blobs: where the team's are, or, of a team that has none yet, where the settings say. */
fg_code fg_place_open(fg_app *app, fg_error *err) FG_MUST_CHECK;

/* The side that pictures are scaled down to before faces are looked for; 0: never. */
int fg_app_max_side(const fg_app *app);
/* The limits of the quality gate: the settings', else the module's defaults. */
void fg_app_quality_limits(const fg_app *app, fg_quality_limits *limits);

/* Fills the result's people. */
fg_code fg_train_look_at_people(const fg_gallery *gallery, const fg_cohort *cohort, fg_train_result *result,
                                fg_error *err) FG_MUST_CHECK;

#endif
