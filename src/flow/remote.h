/* Training and deciding on SageMaker: the team's dataset goes to a bucket, a training job makes a classifier
 * of it, an endpoint serves that, and answers are taken from it. Everything that is made there is named after
 * the endpoint: NAME-YYYYMMDD-HHMMSS for jobs, models and endpoint configurations, PREFIX/NAME/... in the
 * bucket. */
#ifndef FG_FLOW_REMOTE_H
#define FG_FLOW_REMOTE_H

#include "flow/flow.h"

typedef struct fg_remote
    fg_remote; /* threads may share it to invoke, rank and describe; else one at a time */

/* settings: endpoint, aws-file, region, sagemaker-url and, for what makes something, bucket, aws-role, image,
 * instance, instances; all borrowed. Nothing is sent yet. */
fg_code fg_remote_open(fg_remote **remote, const fg_settings *settings, const fg_log *log,
                       fg_error *err) FG_MUST_CHECK;
void fg_remote_close(fg_remote *remote);
const char *fg_remote_endpoint(const fg_remote *remote);

typedef struct fg_remote_state { /* of a job or an endpoint; "" where it does not say */
    char name[64];
    char status[48];     /* "InProgress", "Completed", "Failed"; "Creating", "InService" */
    char secondary[48];  /* of a job: "Downloading", "Training" */
    char reason[256];    /* of a failure */
    char artifact[1100]; /* of a job: s3://.../model.tar.gz */
    char image[512];
    char role[256];
    char config[64]; /* of an endpoint */
    long rows;       /* of a job started here */
    double seconds;  /* waited */
} fg_remote_state;

/* Whether the settings have all that training needs; FG_ERR_USAGE names what is missing. */
fg_code fg_remote_can_train(const fg_remote *remote, fg_error *err) FG_MUST_CHECK;
/* Uploads the dataset and starts a job; with the setting `wait`, to its end: FG_ERR_STATE where it failed,
 * with the job's own reason, and the dataset is deleted from the bucket then. FG_ERR_CANCELLED leaves the job
 * running. The app needs its store and its engine. */
fg_code fg_remote_train(fg_remote *remote, fg_app *app, const fg_actor *actor, const fg_progress *progress,
                        fg_remote_state *job, fg_error *err) FG_MUST_CHECK;
/* Makes the endpoint serve a job's result, the setting `job` or the last one that completed: creates it, or
 * updates it without a gap. With the setting `wait`, the team in the data folder then lets it mean those whom
 * the job knew, as by fg_remote_take_names. */
fg_code fg_remote_deploy(fg_remote *remote, const fg_progress *progress, fg_remote_state *endpoint,
                         fg_error *err) FG_MUST_CHECK;
/* Both, to their end, by the app's settings: what the web app's "Train and deploy" does. Cancelled, the job
 * is told to stop and the dataset is deleted; an endpoint that is already changing goes on changing. */
fg_code fg_remote_train_and_deploy(fg_app *app, const fg_actor *actor, const fg_progress *progress,
                                   fg_remote_state *job, fg_remote_state *endpoint,
                                   fg_error *err) FG_MUST_CHECK;
/* FG_ERR_NOT_FOUND; job NULL: the last one there is. */
fg_code fg_remote_job(fg_remote *remote, const char *job, fg_remote_state *state,
                      fg_error *err) FG_MUST_CHECK;
fg_code fg_remote_endpoint_state(fg_remote *remote, fg_remote_state *state, fg_error *err) FG_MUST_CHECK;
/* Where this state of the endpoint says that a configuration of ours is in service, the team in the data
 * folder lets the endpoint mean those whom its training knew: see fg_store_endpoint_names. */
fg_code fg_remote_take_names(fg_remote *remote, const fg_remote_state *state, fg_error *err) FG_MUST_CHECK;
/* The endpoint, its configurations and models, and all that is in the bucket for it. Fine where there is
 * nothing; *count: what was deleted there, objects not counted. */
fg_code fg_remote_delete(fg_remote *remote, const fg_progress *progress, int *count,
                         fg_error *err) FG_MUST_CHECK;

/* Appends the endpoint's answer as it came. */
fg_code fg_remote_invoke(fg_remote *remote, const char *content_type, const void *data, size_t size,
                         fg_buf *answer, fg_error *err) FG_MUST_CHECK;

/* -- deciding by an endpoint's answer -- */

typedef struct fg_remote_score {
    char name[FG_MAX_NAME_BYTES + 1]; /* "" for nobody */
    double probability;
} fg_remote_score;

typedef struct fg_remote_ranking {
    fg_remote_score best, second;
    double similarity; /* NAN where the answer has none */
    bool refused;      /* the endpoint itself says that it is no member */
    fg_reason reason;  /* why; FG_REASON_NONE otherwise */
} fg_remote_ranking;

/* {"prediction":[NAME],"proba":[[P, ...]],"classes":[NAME, ...],"decisions":[...]} for one row. Without
 * classes, the prediction has the largest number. Whatever is missing, out of range or contradicts itself is
 * FG_ERR_INPUT: nobody gets in by half an answer. */
fg_code fg_remote_ranking_read(fg_remote_ranking *ranking, const void *data, size_t size, const char *what,
                               fg_error *err) FG_MUST_CHECK;
fg_code fg_remote_rank(fg_remote *remote, const float *probe, int embedding_size, fg_remote_ranking *ranking,
                       fg_error *err) FG_MUST_CHECK;

#endif
