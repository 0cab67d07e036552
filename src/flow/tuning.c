/* Settings that are changed while the server runs. */
#include "flow/app.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double days = 36500;

/* clang-format off */
const fg_tuning fg_tunings[FG_TUNE_COUNT] = {
    [FG_TUNE_EVERY]               = {"every", 1, 10000, FG_TUNING_WHOLE},
    [FG_TUNE_KEEP_ORIGINALS]      = {"keep_originals", 0, 1, FG_TUNING_SWITCH},
    [FG_TUNE_MIN_FACE]            = {"min_face", 20, 2000, FG_TUNING_NUMBER},
    [FG_TUNE_MIN_SHARPNESS]       = {"min_sharpness", 0, 1e6, FG_TUNING_NUMBER},
    [FG_TUNE_MIN_BRIGHTNESS]      = {"min_brightness", 0, 255, FG_TUNING_NUMBER},
    [FG_TUNE_MAX_BRIGHTNESS]      = {"max_brightness", 0, 255, FG_TUNING_NUMBER},
    [FG_TUNE_MAX_YAW]             = {"max_yaw", 0, 90, FG_TUNING_NUMBER},
    [FG_TUNE_MAX_PITCH]           = {"max_pitch", 0, 90, FG_TUNING_NUMBER},
    [FG_TUNE_MAX_ROLL]            = {"max_roll", 0, 180, FG_TUNING_NUMBER},
    [FG_TUNE_RETENTION_ORIGINALS] = {"retention_originals_days", 0, days, FG_TUNING_WHOLE},
    [FG_TUNE_RETENTION_CHIPS]     = {"retention_chips_days", 0, days, FG_TUNING_WHOLE},
    [FG_TUNE_RETENTION_ATTEMPTS]  = {"retention_attempts_days", 0, days, FG_TUNING_WHOLE},
    [FG_TUNE_SAGEMAKER]           = {"sagemaker", 0, 1, FG_TUNING_SWITCH},
};
/* clang-format on */

static double given(double setting, float otherwise)
{
    return isnan(setting) ? (double)otherwise : setting;
}

double fg_tuning_default(const fg_app *app, fg_tune which)
{
    const fg_settings *s = app->settings;
    const fg_quality_limits *q = &fg_quality_limits_default;
    switch (which) {
    case FG_TUNE_EVERY:
        return s->every;
    case FG_TUNE_KEEP_ORIGINALS:
        return s->keep_originals;
    case FG_TUNE_MIN_FACE:
        return given(s->min_face, q->min_face);
    case FG_TUNE_MIN_SHARPNESS:
        return given(s->min_sharpness, q->min_sharpness);
    case FG_TUNE_MIN_BRIGHTNESS:
        return given(s->min_brightness, q->min_brightness);
    case FG_TUNE_MAX_BRIGHTNESS:
        return given(s->max_brightness, q->max_brightness);
    case FG_TUNE_MAX_YAW:
        return given(s->max_yaw, q->max_yaw);
    case FG_TUNE_MAX_PITCH:
        return given(s->max_pitch, q->max_pitch);
    case FG_TUNE_MAX_ROLL:
        return given(s->max_roll, q->max_roll);
    case FG_TUNE_SAGEMAKER:
        return strcmp(s->train_on, "sagemaker") == 0;
    case FG_TUNE_RETENTION_ORIGINALS:
    case FG_TUNE_RETENTION_CHIPS:
    case FG_TUNE_RETENTION_ATTEMPTS:
    case FG_TUNE_COUNT:
        break;
    }
    return 0;
}

double fg_tuning_min(const fg_app *app, fg_tune which)
{
    /* The detector was opened for faces from this size on and cannot find smaller ones. */
    return which == FG_TUNE_MIN_FACE ? fg_tuning_default(app, which) : fg_tunings[which].min;
}

bool fg_tuning_is_offered(const fg_app *app, fg_tune which)
{
    return which != FG_TUNE_SAGEMAKER || (app->settings->image && *app->settings->image);
}

double fg_tuning_get(const fg_app *app, fg_tune which)
{
    double value = atomic_load(&app->tuning[which]);
    return isnan(value) ? fg_tuning_default(app, which) : value;
}

void fg_tuning_init(fg_app *app)
{
    for (int i = 0; i < FG_TUNE_COUNT; i++)
        atomic_store(&app->tuning[i], NAN);
}

static fg_code check(const fg_app *app, fg_tune which, double value, fg_error *err)
{
    const fg_tuning *t = &fg_tunings[which];
    double min = fg_tuning_min(app, which);
    if (!fg_tuning_is_offered(app, which))
        return FG_FAIL(err, FG_ERR_INPUT,
                       "%s: the server has to be started with --image, a role and a bucket", t->name);
    if (isnan(value) ||
        (value >= min && value <= t->max && (t->kind == FG_TUNING_NUMBER || value == floor(value))))
        return FG_OK;
    return FG_FAIL(err, FG_ERR_INPUT, "%s: give a %snumber from %g to %g", t->name,
                   t->kind == FG_TUNING_NUMBER ? "" : "whole ", min, t->max);
}

fg_code fg_tuning_load(fg_app *app, fg_error *err)
{
    fg_setting_value *stored = NULL;
    long count = 0;
    fg_code rc = fg_store_settings(app->store, &stored, &count, err);
    for (long i = 0; i < count; i++)
        for (int t = 0; t < FG_TUNE_COUNT; t++)
            /* What no longer fits, since the server was started otherwise, has no effect. */
            if (strcmp(stored[i].name, fg_tunings[t].name) == 0 &&
                check(app, (fg_tune)t, stored[i].value, NULL) == FG_OK)
                atomic_store(&app->tuning[t], stored[i].value);
    free(stored);
    return rc;
}

/* Said now, and not by the first training that fails. */
static fg_code check_remote(fg_app *app, fg_error *err)
{
    fg_error why = {0};
    return fg_app_can_train_remote(app, &why) == FG_OK
               ? FG_OK
               : FG_FAIL(err, FG_ERR_INPUT, "%s: %s", fg_tunings[FG_TUNE_SAGEMAKER].name, why.msg);
}

fg_code fg_tuning_set(fg_app *app, const double values[FG_TUNE_COUNT], const bool changed[FG_TUNE_COUNT],
                      const fg_actor *actor, fg_error *err)
{
    fg_setting_value stored[FG_TUNE_COUNT];
    long count = 0;
    fg_code rc = FG_OK;
    for (int i = 0; i < FG_TUNE_COUNT && rc == FG_OK; i++) {
        if (!changed[i])
            continue;
        rc = check(app, (fg_tune)i, values[i], err);
        if (rc == FG_OK && i == FG_TUNE_SAGEMAKER && values[i] == 1)
            rc = check_remote(app, err);
        fg_setting_value *v = &stored[count++];
        *v = (fg_setting_value){.value = values[i]};
        memcpy(v->name, fg_tunings[i].name, strlen(fg_tunings[i].name) + 1);
    }
    if (rc == FG_OK && count)
        rc = fg_store_settings_set(app->store, stored, count, err);
    for (int i = 0; i < FG_TUNE_COUNT && rc == FG_OK; i++)
        if (changed[i])
            atomic_store(&app->tuning[i], values[i]);
    for (long i = 0; i < count && rc == FG_OK; i++)
        rc = fg_record(app, actor, "settings", stored[i].name, err);
    return rc;
}
