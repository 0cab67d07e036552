/* What the files remote*.c share. */
#ifndef FG_FLOW_REMOTE_PARTS_H
#define FG_FLOW_REMOTE_PARTS_H

#include "cloud/s3.h"
#include "cloud/sagemaker.h"
#include "flow/remote.h"

struct fg_remote {
    const fg_settings *settings;
    const fg_log *log;
    fg_aws *aws;
    fg_sagemaker *sagemaker;
    fg_s3 *s3; /* NULL where no bucket is named */
    char endpoint[64];
    char folder[80]; /* of this endpoint in the bucket, below the prefix: "NAME/" */
    fg_store *store; /* of the data folder, while its names are at stake; NULL: there is none */
    /* Of the work under way, for those who watch it and may cancel it. */
    const fg_progress *progress;
    char doing[48];
    double since_ms;
};

/* From here on progress is told, also in the midst of a request; NULL: nobody any more. */
void fg_remote_watch(fg_remote *remote, const fg_progress *progress, const char *doing);
/* Tells the state and rests. Says so in the log where it changes, for those who see no bar. FG_ERR_CANCELLED;
 * FG_ERR_BUSY after the setting wait-minutes. */
fg_code fg_remote_wait(fg_remote *remote, const char *kind, const char *word, double start_ms,
                       fg_error *err) FG_MUST_CHECK;

const char *fg_remote_role(const fg_remote *remote); /* "" where nobody says */
fg_code fg_remote_describe_job(fg_remote *remote, const char *name, fg_remote_state *state,
                               fg_error *err) FG_MUST_CHECK;

/* "<endpoint>-YYYYMMDD-HHMMSS": what is made now, and whether something was made here. */
void fg_remote_make_name(const fg_remote *remote, char name[64]);
bool fg_remote_is_ours(const fg_remote *remote, const char *name);

/* Returns false to stop. */
typedef bool (*fg_remote_name_each)(void *context, const char *name);
/* Calls each for all of ours that a List operation gives, newest first. status NULL: any. */
fg_code fg_remote_for_names(fg_remote *remote, const char *operation, const char *list, const char *field,
                            const char *status, fg_remote_name_each each, void *context,
                            fg_error *err) FG_MUST_CHECK;
bool fg_remote_take_first(void *context, const char *name); /* context: char[64] */

#endif
