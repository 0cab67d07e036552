/* The team's templates as a labelled dataset, out and in. */
#ifndef FG_FLOW_DATASET_H
#define FG_FLOW_DATASET_H

#include "classify/dataset.h"
#include "flow/flow.h"

/* The templates of this embedder, a row each, ordered by member, source and frame. FG_ERR_STATE where there
 * are none. Free with fg_dataset_deinit. */
fg_code fg_dataset_of_team(fg_app *app, fg_dataset *dataset, fg_error *err) FG_MUST_CHECK;

/* Writes them to a file, atomically, with a line in the audit. */
fg_code fg_export(fg_app *app, fg_dataset_format format, const char *path, const fg_actor *actor,
                  long *templates, int *members, fg_error *err) FG_MUST_CHECK;

/* The same to s3://BUCKET/NAME. With link_minutes, up to a week, appends a link that lets whoever has it
 * fetch the dataset for so long: a secret. */
fg_code fg_export_s3(fg_app *app, fg_dataset_format format, const char *url, int link_minutes,
                     const fg_actor *actor, long *templates, int *members, fg_buf *link,
                     fg_error *err) FG_MUST_CHECK;
bool fg_dataset_is_s3(const char *path);

typedef struct fg_import_request {
    const char *path;
    const char *name; /* what it was called where it came from; NULL: the path's own base name */
    const char *role; /* of members that are new, as the rights */
    const char *const *rights;
    int right_count;
    bool add; /* members that are there already get the new templates too; else they are FG_ERR_EXISTS */
    fg_actor actor;
} fg_import_request;

typedef struct fg_import_report {
    long templates;
    int members, new_members;
} fg_import_report;

/* One transaction: everybody of the file is enrolled, or nothing has changed. The rows must be of this
 * embedder: FG_ERR_INPUT for another length, a number that is not finite, a vector not of unit length;
 * FG_ERR_STATE where the file says that they are of another one. */
fg_code fg_import(fg_app *app, const fg_import_request *request, fg_import_report *report,
                  fg_error *err) FG_MUST_CHECK;

/* The path is s3://BUCKET/NAME. */
fg_code fg_import_s3(fg_app *app, const fg_import_request *request, fg_import_report *report,
                     fg_error *err) FG_MUST_CHECK;

/* Rows of one member that follow one another and whose segment nobody knows: as many count as near copies as
 * come of two seconds of video at every 5th frame. */
enum { FG_DATASET_SEGMENT_ROWS = 12 };
/* Fills segments (count) with numbers from 0 on, those of one member growing: the file's own, or runs of
 * rows. */
fg_code fg_dataset_segments(const fg_dataset *dataset, int64_t *segments, fg_error *err) FG_MUST_CHECK;

#endif
