/* The documents that the command line prints and the server sends. */
#include "flow/app.h"

#include "base/clock.h"
#include "base/text.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* Through text, since 0.1 * 7 is not 0.7. */
json_t *fg_number_json(double value, int decimals)
{
    char text[64];
    if (!isfinite(value))
        return json_null();
    snprintf(text, sizeof text, "%.*f", decimals, value);
    return json_real(strtod(text, NULL));
}

static json_t *strings(char *const *items, int count)
{
    json_t *array = json_array();
    for (int i = 0; i < count; i++)
        json_array_append_new(array, json_string(items[i]));
    return array;
}

json_t *fg_text_json(const char *text)
{
    char clean[FG_MAX_PATH];
    fg_text_clean(clean, sizeof clean, text);
    return json_string(clean);
}

json_t *fg_time_json(int64_t unix_ms)
{
    char text[FG_TIME_TEXT];
    if (unix_ms == 0)
        return json_null();
    fg_clock_text(unix_ms, text);
    return json_string(text);
}

json_t *fg_face_json(const fg_face *face)
{
    json_t *points = json_array();
    for (int i = 0; i < FG_LANDMARKS; i++)
        json_array_append_new(points, json_pack("[o, o]", fg_number_json((double)face->points[i].x, 2),
                                                fg_number_json((double)face->points[i].y, 2)));
    return json_pack("{s:[o, o, o, o], s:o, s:o}", "box", fg_number_json((double)face->x, 2),
                     fg_number_json((double)face->y, 2), fg_number_json((double)face->width, 2),
                     fg_number_json((double)face->height, 2), "score", fg_number_json((double)face->score, 6),
                     "points", points);
}

json_t *fg_verification_json(const fg_verification *v, const fg_app *app, const char *input)
{
    bool known = v->decision.verdict == FG_GRANTED || v->decision.verdict == FG_DENIED;
    json_t *reasons = json_array();
    for (int i = 0; i < v->decision.reason_count; i++)
        json_array_append_new(reasons, json_string(fg_reason_name(v->decision.reasons[i])));
    json_t *document =
        json_pack("{s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:s, s:o}", "input",
                  fg_text_json(input), "decision", fg_verdict_name(v->decision.verdict), "member",
                  known ? json_string(v->member.name) : json_null(), "role",
                  known ? json_string(v->member.role) : json_null(), "rights",
                  strings(v->member.rights, known ? v->member.right_count : 0), "probability",
                  v->ranked ? fg_number_json(v->ranking.best.probability, 4) : json_null(), "threshold",
                  fg_number_json(v->threshold, 4), "similarity",
                  v->ranked ? fg_number_json(v->ranking.best.similarity, 4) : json_null(), "reasons", reasons,
                  "face", v->face.width > 0 ? fg_face_json(&v->face) : json_null(), "classifier",
                  v->endpoint ? json_null() : json_integer((json_int_t)v->classifier), "model",
                  fg_engine_info_view(app->engine)->embedder, "elapsed_ms", fg_number_json(v->elapsed_ms, 2));
    if (document && v->endpoint)
        json_object_set_new(document, "endpoint", json_string(v->endpoint));
    return document;
}

json_t *fg_member_json(const fg_member *m)
{
    return json_pack("{s:I, s:s, s:s, s:o, s:I, s:I, s:o, s:o}", "id", (json_int_t)m->id, "name", m->name,
                     "role", m->role, "rights", strings(m->rights, m->right_count), "templates",
                     (json_int_t)m->templates, "sources", (json_int_t)m->sources, "created",
                     fg_time_json(m->created_ms), "last_seen", fg_time_json(m->last_seen_ms));
}

static json_t *refused_json(const long refused[FG_REASON_COUNT])
{
    json_t *object = json_object();
    for (int k = 1; k < FG_REASON_COUNT; k++)
        if (refused[k])
            json_object_set_new(object, fg_reason_name((fg_reason)k), json_integer(refused[k]));
    return object;
}

json_t *fg_enroll_report_json(const fg_enroll_report *r, const char *member)
{
    json_t *files = json_array();
    for (int i = 0; i < r->file_count; i++) {
        const fg_enroll_file_report *f = &r->files[i];
        json_array_append_new(files, json_pack("{s:I, s:I, s:o, s:i, s:i, s:i, s:o}", "frames_sampled",
                                               (json_int_t)f->frames_sampled, "faces_used",
                                               (json_int_t)f->faces_used, "refused", refused_json(f->refused),
                                               "rotation", f->rotation, "width", f->width, "height",
                                               f->height, "seconds", fg_number_json(f->seconds, 3)));
    }
    json_t *alike = r->look_alike[0] ? json_pack("{s:s, s:o}", "member", r->look_alike, "similarity",
                                                 fg_number_json(r->look_alike_similarity, 4))
                                     : json_null();
    return json_pack(
        "{s:s, s:I, s:I, s:I, s:o, s:I, s:I, s:b, s:o, s:o, s:o, s:o, s:o, s:o}", "member", member, "id",
        (json_int_t)r->member_id, "frames_sampled", (json_int_t)r->frames_sampled, "faces_used",
        (json_int_t)r->faces_used, "refused", refused_json(r->refused), "odd", (json_int_t)r->odd, "unclear",
        (json_int_t)r->unclear, "mostly_unclear", r->mostly_unclear, "look_alike", alike, "files", files,
        "elapsed_ms", fg_number_json(r->elapsed_ms, 1), "decode_ms", fg_number_json(r->decode_ms, 1),
        "detect_ms", fg_number_json(r->detect_ms, 1), "embed_ms", fg_number_json(r->embed_ms, 1));
}

static json_t *member_name(fg_app *app, int64_t id)
{
    fg_member member = {0};
    json_t *name = id && app->store && fg_store_member_by_id(app->store, id, &member, NULL) == FG_OK
                       ? json_string(member.name)
                       : json_null();
    fg_member_deinit(&member);
    return name;
}

static const char *const warning_names[] = {
    [FG_WARN_FEW_TEMPLATES] = "few_templates", [FG_WARN_UNIFORM] = "uniform",
    [FG_WARN_LOOK_ALIKE] = "look_alike",       [FG_WARN_SAME_FACE] = "same_face",
    [FG_WARN_OUTLIERS] = "outliers",           [FG_WARN_IN_COHORT] = "in_cohort",
};

static json_t *people_json(const fg_train_result *result, fg_app *app)
{
    json_t *people = json_array();
    for (int i = 0; i < result->people_count; i++) {
        const fg_train_person *p = &result->people[i];
        json_array_append_new(
            people, json_pack("{s:I, s:o, s:I, s:o, s:o, s:o, s:o, s:o}", "id", (json_int_t)p->member_id,
                              "member", member_name(app, p->member_id), "templates", (json_int_t)p->templates,
                              "own", fg_number_json(p->own, 4), "own_low", fg_number_json(p->own_low, 4),
                              "nearest_member", member_name(app, p->nearest_id), "nearest",
                              fg_number_json(p->nearest, 4), "stranger", fg_number_json(p->stranger, 4)));
    }
    return people;
}

json_t *fg_train_report_json(const fg_train_result *result, fg_app *app)
{
    const fg_train_report *r = &result->report;
    json_t *warnings = json_array();
    for (int i = 0; i < r->warning_count; i++) {
        const fg_train_warning *w = &r->warnings[i];
        json_array_append_new(warnings,
                              json_pack("{s:s, s:o, s:o, s:o}", "kind", warning_names[w->kind], "member",
                                        member_name(app, w->member_id), "other",
                                        member_name(app, w->other_id), "value", fg_number_json(w->value, 4)));
    }
    return json_pack("{s:i, s:I, s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "members", r->members,
                     "templates", (json_int_t)r->templates, "outliers", (json_int_t)r->outliers, "cohort",
                     (json_int_t)r->cohort, "similarity_gate", fg_number_json(r->similarity_gate, 4), "far",
                     fg_number_json(r->far, 6), "far_low", fg_number_json(r->far_low, 6), "far_high",
                     fg_number_json(r->far_high, 6), "frr", fg_number_json(r->frr, 6), "seconds",
                     fg_number_json(r->seconds, 3), "warnings", warnings, "people", people_json(result, app));
}

json_t *fg_train_result_json(const fg_train_result *result, fg_app *app)
{
    return json_pack("{s:o, s:b, s:s, s:I, s:o}", "version",
                     result->version ? json_integer(result->version) : json_null(), "active",
                     result->activated, "data_hash", result->data_hash, "stale_templates",
                     (json_int_t)result->stale_templates, "report", fg_train_report_json(result, app));
}

json_t *fg_version_json(const fg_version_info *info)
{
    return json_pack("{s:I, s:o, s:b, s:s, s:s, s:o, s:o}", "version", (json_int_t)info->version, "created",
                     fg_time_json(info->created_ms), "active", info->active, "model_hash", info->model_hash,
                     "data_hash", info->data_hash, "settings", json_loads(info->settings_json, 0, NULL),
                     "report", json_loads(info->report_json, 0, NULL));
}

json_t *fg_audit_json(const fg_audit_row *row)
{
    return json_pack("{s:I, s:o, s:s, s:s, s:s, s:s, s:s, s:s, s:o, s:o}", "id", (json_int_t)row->id, "time",
                     fg_time_json(row->time_ms), "actor", row->actor, "source", row->source, "action",
                     row->action, "subject", row->subject, "decision", row->decision, "reasons", row->reasons,
                     "probability", fg_number_json(row->probability, 4), "member_id",
                     row->member_id ? json_integer(row->member_id) : json_null());
}
