#include "flow/app.h"

/* A face counts as a second person only from this share of the first one's width. */
static const float second_face_width = 0.5f;
/* Doubtful boxes do not compete with a clear face. */
static const float clear_score = 0.9f;

static int pick(const fg_face *faces, int count, int *others)
{
    int best = 0;
    for (int i = 0; i < count; i++) {
        if (faces[i].score >= clear_score) {
            best = i; /* the largest clear one: they come largest first */
            break;
        }
    }
    *others = 0;
    for (int i = 0; i < count; i++)
        if (i != best && faces[i].score >= clear_score &&
            faces[i].width >= second_face_width * faces[best].width)
            ++*others;
    return best;
}

fg_code fg_look_at(fg_worker *worker, const fg_frame *frame, fg_look *look, fg_error *err)
{
    fg_face faces[FG_MAX_FACES];
    fg_quality_limits limits;
    int count = 0, others = 0;
    *look = (fg_look){.reason = FG_REASON_NO_FACE};
    fg_code rc = fg_detect(worker->session, frame, faces, FG_MAX_FACES, &count, err);
    if (rc != FG_OK || count == 0)
        return rc;
    look->face = faces[pick(faces, count, &others)];
    look->faces = 1 + others;
    rc = fg_align(worker->app->engine, frame, look->face.points, &look->chip, err);
    if (rc != FG_OK)
        return rc;
    fg_quality_measure(&look->face, &look->chip, &look->quality);
    fg_app_quality_limits(worker->app, &limits);
    look->reason = others ? FG_REASON_SEVERAL_FACES : fg_quality_judge(&look->face, &look->quality, &limits);
    return FG_OK;
}

void fg_look_deinit(fg_look *look)
{
    fg_frame_deinit(&look->chip);
}
