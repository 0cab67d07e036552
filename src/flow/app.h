/* What the files of flow/ share among themselves; not for the command line and the server. */
#ifndef FG_FLOW_APP_H
#define FG_FLOW_APP_H

#include "flow/flow.h"

#include <pthread.h>

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
    fg_engine *engine;
    char *model_path;
    pthread_mutex_t lock;
    fg_active *active; /* NULL until first asked for */
};

struct fg_worker {
    fg_app *app;
    fg_session *session;
};

/* The active version's classifier, for this embedder; give it back with fg_active_release. Notices a version
 * activated meanwhile, by this or another process. FG_ERR_STATE where nothing is trained, or for another
 * embedder. */
fg_code fg_active_acquire(fg_app *app, fg_active **active, fg_error *err) FG_MUST_CHECK;
void fg_active_release(fg_app *app, fg_active *active);

/* The side that pictures are scaled down to before faces are looked for; 0: never. */
int fg_app_max_side(const fg_app *app);
/* The limits of the quality gate: the settings', else the module's defaults. */
void fg_app_quality_limits(const fg_app *app, fg_quality_limits *limits);

/* The background cohort of the manifest, embedded by this engine: *embeddings is count x embedding_size, the
 * caller's to free. Computed once for each model and kept in the data folder. */
fg_code fg_cohort_load(fg_worker *worker, const fg_progress *progress, float **embeddings, long *count,
                       fg_error *err) FG_MUST_CHECK;

#endif
