/* From a photo to a decision: decode, look (detect, align, judge), embed, rank, decide, record. */
#include "flow/app.h"

#include "base/clock.h"
#include "media/image.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static fg_code decode(fg_worker *worker, const fg_verify_request *request, fg_frame *frame, double *scale,
                      fg_error *err)
{
    int max_side = fg_app_max_side(worker->app);
    if (!request->data) {
        fg_code rc = fg_image_load(frame, request->path, max_side, scale, err);
        if (rc != FG_OK && request->name && err)
            fg_error_rename(err, request->path, request->name);
        return rc;
    }
    return fg_image_decode(frame, request->data, request->size, max_side, scale,
                           request->name ? request->name : "photo", err);
}

/* Who decides: the active classifier, or the endpoint of the settings. */
typedef struct judge {
    fg_active *active;
    fg_remote *remote;         /* NULL: the active one */
    fg_remote_ranking verdict; /* of the remote one */
} judge;

static fg_code find_judge(fg_app *app, judge *j, fg_verification *v, fg_error *err)
{
    fg_code rc = fg_app_remote(app, &j->remote, err);
    if (rc == FG_OK && !j->remote)
        rc = fg_active_acquire(app, &j->active, err);
    if (rc == FG_OK && j->remote)
        v->endpoint = fg_remote_endpoint(j->remote);
    else if (rc == FG_OK)
        v->classifier = j->active->info.version;
    return rc;
}

/* Names into members; a name that is nobody's here, or somebody else's since the endpoint was trained, is
 * nobody. */
static fg_code find_named(fg_app *app, const fg_remote_score *named, int64_t names_ms, double similarity,
                          fg_score *score, fg_error *err)
{
    fg_member member = {0};
    *score = (fg_score){.probability = named->probability, .similarity = similarity};
    fg_code rc = *named->name ? fg_store_member_by_name(app->store, named->name, &member, err) : FG_OK;
    const bool theirs = rc == FG_OK && member.named_ms <= names_ms;
    score->member_id = theirs ? member.id : 0;
    if (rc == FG_ERR_NOT_FOUND || (rc == FG_OK && !theirs)) {
        score->probability = 0;
        rc = FG_OK;
    }
    fg_member_deinit(&member);
    return rc;
}

static fg_code rank_remote(fg_app *app, judge *j, const float *probe, int size, fg_ranking *ranking,
                           fg_error *err)
{
    fg_error why = {0};
    int64_t names_ms = 0;
    bool known = false;
    const char *endpoint = fg_remote_endpoint(j->remote);
    fg_code rc = fg_store_endpoint_names(app->store, endpoint, &names_ms, &known, err);
    if (rc != FG_OK)
        return rc;
    rc = fg_remote_rank(j->remote, probe, size, &j->verdict, &why);
    if (rc == FG_ERR_NOT_FOUND) /* as where nothing is trained */
        rc = FG_FAIL(err, FG_ERR_STATE, "%s; train and deploy first", why.msg);
    else if (rc != FG_OK && err)
        *err = why;
    const double similarity = isfinite(j->verdict.similarity) ? j->verdict.similarity : 0;
    if (rc == FG_OK && !known)
        rc = fg_store_endpoint_asked(app->store, endpoint, names_ms, err);
    if (rc == FG_OK)
        rc = find_named(app, &j->verdict.best, names_ms, similarity, &ranking->best, err);
    if (rc == FG_OK)
        rc = find_named(app, &j->verdict.second, names_ms, 0, &ranking->second, err);
    ranking->nobody = fmax(0, 1 - j->verdict.best.probability - j->verdict.second.probability);
    ranking->similarity_gate = -1; /* the endpoint's own gate has been passed, or `refused` says not */
    return rc;
}

static fg_code rank(fg_worker *worker, judge *j, fg_verification *v, fg_error *err)
{
    float probe[FG_MAX_EMBEDDING], magnitude = 0;
    const fg_engine_info *info = fg_engine_info_view(worker->app->engine);
    const int size = info->embedding_size;
    double start = fg_clock_monotonic_ms();
    fg_code rc = fg_embed(worker->session, &v->chip, 1, probe, &magnitude, err);
    v->embed_ms = fg_clock_monotonic_ms() - start;
    if (rc == FG_OK)
        rc = j->remote ? rank_remote(worker->app, j, probe, size, &v->ranking, err)
                       : fg_classifier_rank(j->active->classifier, probe, size, &v->ranking, err);
    v->unclear = magnitude < info->unclear_below;
    v->ranked = rc == FG_OK;
    return rc;
}

/* A member removed since the training is nobody. */
static fg_code find_member(fg_app *app, fg_verification *v, fg_error *err)
{
    if (v->ranking.best.member_id == 0)
        return FG_OK;
    fg_code rc = fg_store_member_by_id(app->store, v->ranking.best.member_id, &v->member, err);
    if (rc != FG_ERR_NOT_FOUND)
        return rc;
    v->ranking.best = (fg_score){0};
    v->ranking.nobody = 1;
    return FG_OK;
}

static fg_code record(fg_app *app, const fg_verify_request *request, const fg_verification *v, fg_error *err)
{
    char reasons[256] = "";
    size_t at = 0;
    bool known = v->decision.verdict == FG_GRANTED || v->decision.verdict == FG_DENIED;
    for (int i = 0; i < v->decision.reason_count && at < sizeof reasons; i++)
        at += (size_t)snprintf(reasons + at, sizeof reasons - at, "%s%s", i ? " " : "",
                               fg_reason_name(v->decision.reasons[i]));
    const fg_audit_row row = {
        .time_ms = fg_clock_unix_ms(),
        .actor = (char *)request->actor.who,
        .source = (char *)(request->actor.source ? request->actor.source : ""),
        .action = (char *)"verify",
        .subject = known ? v->member.name : (char *)"",
        .decision = (char *)fg_verdict_name(v->decision.verdict),
        .reasons = reasons,
        .probability = v->ranked ? v->ranking.best.probability : 0,
        .member_id = known ? v->member.id : 0,
    };
    fg_code rc = fg_store_audit_add(app->store, &row, err);
    if (rc == FG_OK && v->decision.verdict == FG_GRANTED)
        rc = fg_store_member_seen(app->store, v->member.id, row.time_ms, err);
    return rc;
}

fg_code fg_verify(fg_worker *worker, const fg_verify_request *request, fg_verification *v, fg_error *err)
{
    fg_app *app = worker->app;
    judge j = {0};
    fg_frame frame = {0};
    fg_look look = {0};
    double scale = 1, start = fg_clock_monotonic_ms(), decoded, looked;
    *v = (fg_verification){.threshold = app->settings->threshold};

    fg_code rc = find_judge(app, &j, v, err);
    if (rc != FG_OK)
        goto done;
    if ((rc = decode(worker, request, &frame, &scale, err)) != FG_OK)
        goto done;
    decoded = fg_clock_monotonic_ms();
    if ((rc = fg_look_at(worker, &frame, &look, err)) != FG_OK)
        goto done;
    looked = fg_clock_monotonic_ms();
    v->faces = look.faces;
    v->face = look.face;
    v->quality = look.quality;
    v->chip = look.chip; /* moved */
    look.chip = (fg_frame){0};
    fg_face_scale(&v->face, scale);
    v->width = (int)((double)frame.width * scale + 0.5);
    v->height = (int)((double)frame.height * scale + 0.5);
    if (look.reason == FG_REASON_NONE) {
        if ((rc = rank(worker, &j, v, err)) != FG_OK || (rc = find_member(app, v, err)) != FG_OK)
            goto done;
    }

    const fg_policy policy = {
        .threshold = app->settings->threshold,
        .required_right = request->required_right ? request->required_right : app->settings->require,
    };
    const fg_evidence evidence = {
        .faces = look.faces,
        .quality = look.reason,
        .unclear = v->unclear,
        .ranking = v->ranked ? &v->ranking : NULL,
        .rights = (const char *const *)v->member.rights,
        .right_count = v->member.right_count,
    };
    fg_decide(&evidence, &policy, &v->decision);
    if (v->ranked && j.remote && j.verdict.refused)
        v->decision = (fg_decision){.verdict = v->unclear ? FG_RETRY : FG_UNKNOWN,
                                    .reasons = {v->unclear ? FG_REASON_UNCLEAR : j.verdict.reason},
                                    .reason_count = 1};

    /* An attempt that cannot be recorded is not answered: no entry without a trace. */
    const double decided = fg_clock_monotonic_ms();
    if (request->actor.who)
        rc = record(app, request, v, err);
    const double recorded = fg_clock_monotonic_ms();
    v->decode_ms = decoded - start;
    v->detect_ms = looked - decoded;
    v->decide_ms = decided - looked - v->embed_ms;
    v->record_ms = recorded - decided;
    v->elapsed_ms = recorded - start;
    if (rc == FG_OK && v->decision.verdict != FG_GRANTED && v->decision.verdict != FG_DENIED)
        fg_member_deinit(&v->member);
done:
    fg_active_release(app, j.active);
    fg_look_deinit(&look);
    fg_frame_deinit(&frame);
    if (rc != FG_OK)
        fg_verification_deinit(v);
    return rc;
}

void fg_verification_deinit(fg_verification *v)
{
    fg_member_deinit(&v->member);
    fg_frame_deinit(&v->chip);
    *v = (fg_verification){0};
}
