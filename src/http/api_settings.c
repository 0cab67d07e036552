/* /api/v1/settings and /api/v1/reset */
#include "http/http.h"

#include <math.h>
#include <string.h>

static json_t *value_json(const fg_tuning *t, double value)
{
    if (t->kind == FG_TUNING_SWITCH)
        return json_boolean(value != 0);
    /* Through a whole number where it is one, so that 5 reads 5 and not 5.0. */
    return value == floor(value) && fabs(value) < 1e15 ? json_integer((json_int_t)value)
                                                       : json_real(round(value * 1e6) / 1e6);
}

fg_code fg_api_settings(fg_request *r, fg_error *err)
{
    const fg_app *app = r->server->app;
    json_t *document = json_object(), *defaults = json_object(), *ranges = json_object();
    for (int i = 0; i < FG_TUNE_COUNT; i++) {
        const fg_tune which = (fg_tune)i;
        const fg_tuning *t = &fg_tunings[i];
        if (!fg_tuning_is_offered(app, which))
            continue;
        json_object_set_new(document, t->name, value_json(t, fg_tuning_get(app, which)));
        json_object_set_new(defaults, t->name, value_json(t, fg_tuning_default(app, which)));
        if (t->kind != FG_TUNING_SWITCH)
            json_object_set_new(
                ranges, t->name,
                json_pack("[o, o]", value_json(t, fg_tuning_min(app, which)), value_json(t, t->max)));
    }
    json_object_set_new(document, "defaults", defaults);
    json_object_set_new(document, "ranges", ranges);
    return fg_reply_tagged(r, document, err);
}

static fg_code read_value(const fg_tuning *t, const json_t *value, double *out, fg_error *err)
{
    *out = NAN; /* null: back to the default */
    if (json_is_null(value))
        return FG_OK;
    if (t->kind == FG_TUNING_SWITCH ? !json_is_boolean(value) : !json_is_number(value))
        return FG_FAIL(err, FG_ERR_INPUT, "%s: give %s, or null for the default", t->name,
                       t->kind == FG_TUNING_SWITCH ? "true or false" : "a number");
    *out = t->kind == FG_TUNING_SWITCH ? json_is_true(value) : json_number_value(value);
    return FG_OK;
}

fg_code fg_api_settings_set(fg_request *r, fg_error *err)
{
    double values[FG_TUNE_COUNT] = {0};
    bool changed[FG_TUNE_COUNT] = {0};
    fg_actor actor = {r->who, r->address};
    json_t *object = NULL, *value;
    const char *name;
    fg_code rc = fg_request_json(r, &object, err);
    if (rc != FG_OK)
        return rc;
    json_object_foreach(object, name, value)
    {
        int at = 0;
        while (at < FG_TUNE_COUNT && strcmp(fg_tunings[at].name, name) != 0)
            at++;
        if (at == FG_TUNE_COUNT) {
            rc = FG_FAIL(err, FG_ERR_INPUT, "%.40s: there is no such setting", name);
            break;
        }
        changed[at] = true;
        if ((rc = read_value(&fg_tunings[at], value, &values[at], err)) != FG_OK)
            break;
    }
    if (rc == FG_OK)
        rc = fg_tuning_set(r->server->app, values, changed, &actor, err);
    json_decref(object);
    if (rc != FG_OK)
        return rc;
    fg_janitor_wake(r->server->janitor); /* a shorter retention holds at once */
    return fg_api_settings(r, err);
}

fg_code fg_api_reset(fg_request *r, fg_error *err)
{
    fg_actor actor = {r->who, r->address};
    json_t *object = NULL;
    fg_code rc = fg_request_json(r, &object, err);
    if (rc != FG_OK)
        return rc;
    const char *confirm = json_string_value(json_object_get(object, "confirm"));
    if (!confirm || strcmp(confirm, "RESET") != 0)
        rc = FG_FAIL(err, FG_ERR_INPUT,
                     "this deletes the whole team for good; say so with {\"confirm\": \"RESET\"}");
    json_decref(object);
    if (rc == FG_OK) {
        fg_uploads_remove_all(r->server->uploads);
        rc = fg_reset(r->server->app, &actor, err);
        fg_jobs_forget(r->server->jobs);
    }
    return rc == FG_OK ? fg_reply_empty(r, 204, err) : rc;
}
