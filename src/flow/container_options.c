/* Hyperparameters: foreign text, apart from all that trains. */
#include "flow/container.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* "1", "linear", "\"linear\"" (as the SageMaker SDK sends text), 1, true: the text of it. */
static fg_code text_of(const char *name, const json_t *value, char *out, size_t out_size, fg_error *err)
{
    int n = -1;
    if (json_is_string(value)) {
        const char *text = json_string_value(value);
        size_t size = strlen(text);
        bool quoted = size >= 2 && text[0] == '"' && text[size - 1] == '"';
        n = snprintf(out, out_size, "%.*s",
                     (int)(quoted       ? size - 2
                           : size > 200 ? 200
                                        : size),
                     text + quoted);
    } else if (json_is_boolean(value)) {
        n = snprintf(out, out_size, "%s", json_is_true(value) ? "True" : "False");
    } else if (json_is_number(value)) {
        n = snprintf(out, out_size, "%.17g", json_number_value(value));
    }
    return n >= 0 && (size_t)n < out_size
               ? FG_OK
               : FG_FAIL(err, FG_ERR_USAGE, "hyperparameter %.40s: give a short text or a number", name);
}

/* A number within what the setting of the same meaning allows. */
static fg_code number_of(const char *name, const char *setting, const char *text, double *value,
                         fg_error *err)
{
    const fg_setting *s = fg_setting_find(setting);
    char *end = NULL;
    *value = strtod(text, &end);
    if (end == text || *end || !isfinite(*value) || *value < s->min || *value > s->max)
        return FG_FAIL(err, FG_ERR_USAGE, "hyperparameter %s: %.40s: give a number from %g to %g", name, text,
                       s->min, s->max);
    return FG_OK;
}

static fg_code take_c(fg_container_options *o, const char *text, fg_error *err)
{
    return number_of("C", "c", text, &o->c, err);
}

static fg_code take_kernel(fg_container_options *o, const char *text, fg_error *err)
{
    if (strcmp(text, "linear") != 0 && strcmp(text, "rbf") != 0)
        return FG_FAIL(err, FG_ERR_USAGE, "hyperparameter kernel: %.40s: give linear or rbf", text);
    o->kernel = strcmp(text, "rbf") == 0 ? FG_KERNEL_RBF : FG_KERNEL_LINEAR;
    return FG_OK;
}

static fg_code take_gamma(fg_container_options *o, const char *text, fg_error *err)
{
    o->gamma_kind = strcmp(text, "auto") == 0    ? FG_GAMMA_AUTO
                    : strcmp(text, "scale") == 0 ? FG_GAMMA_SCALE
                                                 : FG_GAMMA_NUMBER;
    if (o->gamma_kind != FG_GAMMA_NUMBER)
        return FG_OK;
    fg_code rc = number_of("gamma", "gamma", text, &o->gamma, err);
    if (rc != FG_OK || o->gamma == 0)
        return FG_FAIL(err, FG_ERR_USAGE, "hyperparameter gamma: %.40s: give scale, auto or a number above 0",
                       text);
    return FG_OK;
}

static fg_code take_probability(fg_container_options *o, const char *text, fg_error *err)
{
    o->probability = strcasecmp(text, "true") == 0 || strcmp(text, "1") == 0;
    return o->probability || strcasecmp(text, "false") == 0 || strcmp(text, "0") == 0
               ? FG_OK
               : FG_FAIL(err, FG_ERR_USAGE, "hyperparameter probability: %.40s: give True or False", text);
}

static fg_code take_far(fg_container_options *o, const char *text, fg_error *err)
{
    return number_of("far", "far", text, &o->far, err);
}

static const struct {
    const char *name;
    fg_code (*take)(fg_container_options *, const char *, fg_error *);
} parameters[] = {
    {"C", take_c},     {"kernel", take_kernel}, {"gamma", take_gamma}, {"probability", take_probability},
    {"far", take_far},
};

fg_code fg_container_options_parse(fg_container_options *options, const char *json, size_t size,
                                   fg_error *err)
{
    json_error_t where;
    const char *name;
    json_t *value;
    fg_code rc = FG_OK;
    *options =
        (fg_container_options){.c = 1, .gamma_kind = FG_GAMMA_SCALE, .far = 0.001, .probability = true};
    json_t *object = json_loadb(json, size, JSON_REJECT_DUPLICATES, &where);
    if (!json_is_object(object)) {
        json_decref(object);
        return FG_FAIL(err, FG_ERR_USAGE, "the hyperparameters are not a JSON object of names and texts");
    }
    json_object_foreach(object, name, value)
    {
        char text[256];
        size_t i = 0, known = sizeof parameters / sizeof parameters[0];
        if (strncmp(name, "sagemaker_", 10) == 0 || name[0] == '_')
            continue; /* the platform's own */
        while (i < known && strcmp(name, parameters[i].name) != 0)
            i++;
        if (i == known)
            rc = FG_FAIL(err, FG_ERR_USAGE,
                         "hyperparameter %.40s is not known; there are C, kernel, gamma, probability and far",
                         name);
        else if ((rc = text_of(name, value, text, sizeof text, err)) == FG_OK)
            rc = parameters[i].take(options, text, err);
        if (rc != FG_OK)
            break;
    }
    json_decref(object);
    return rc;
}
