/* What an endpoint says about a face, read with suspicion. */
#include "flow/remote.h"

#include "base/text.h"
#include "classify/npy.h"
#include "cloud/sagemaker.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static fg_code odd(const char *what, const char *detail, fg_error *err)
{
    return FG_FAIL(err, FG_ERR_INPUT, "%s: the answer is not what a classifier's should be: %s", what,
                   detail);
}

static bool is_name(const json_t *value)
{
    char name[FG_MAX_NAME_BYTES + 1];
    return json_is_string(value) && strlen(json_string_value(value)) == json_string_length(value) &&
           fg_text_name(name, "name", json_string_value(value), NULL) == FG_OK &&
           strcmp(name, json_string_value(value)) == 0;
}

static void keep(fg_remote_score *score, const json_t *name, double probability)
{
    snprintf(score->name, sizeof score->name, "%s", json_string_value(name));
    score->probability = probability;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Of an array of strings. */
static fg_code is_any_twice(const json_t *classes, bool *twice, fg_error *err)
{
    const size_t count = json_array_size(classes);
    const char **names = calloc(count, sizeof *names);
    *twice = false;
    if (!names)
        return FG_FAIL(err, FG_ERR_MEMORY, "out of memory");
    for (size_t i = 0; i < count; i++)
        names[i] = json_string_value(json_array_get(classes, i));
    qsort(names, count, sizeof *names, by_text);
    for (size_t i = 1; i < count && !*twice; i++)
        *twice = strcmp(names[i - 1], names[i]) == 0;
    free(names);
    return FG_OK;
}

/* classes and a row of proba: the two largest. */
static fg_code read_row(fg_remote_ranking *r, const json_t *classes, const json_t *row, const char *what,
                        fg_error *err)
{
    double sum = 0;
    bool twice;
    if (!json_is_array(row) || json_array_size(row) == 0 || json_array_size(row) > FG_MAX_MEMBERS)
        return odd(what, "no row of probabilities", err);
    if (json_array_size(row) != json_array_size(classes))
        return odd(what, "as many classes as probabilities are needed", err);
    for (size_t i = 0; i < json_array_size(row); i++) {
        const json_t *number = json_array_get(row, i), *name = json_array_get(classes, i);
        const double p = json_is_number(number) ? json_number_value(number) : NAN;
        if (!(p >= 0 && p <= 1))
            return odd(what, "a probability is not a number from 0 to 1", err);
        if (!is_name(name))
            return odd(what, "a class is not a name", err);
        sum += p;
        if (p > r->best.probability || !*r->best.name) {
            r->second = r->best;
            keep(&r->best, name, p);
        } else if (p > r->second.probability || !*r->second.name) {
            keep(&r->second, name, p);
        }
    }
    fg_code rc = is_any_twice(classes, &twice, err);
    if (rc != FG_OK)
        return rc;
    if (twice)
        return odd(what, "a class is there twice", err);
    return sum <= 1.001 ? FG_OK : odd(what, "the probabilities add up to more than 1", err);
}

/* The container's own verdict can only take away: what it calls unknown is nobody. */
static fg_code read_decision(fg_remote_ranking *r, const json_t *decisions, const char *what, fg_error *err)
{
    const json_t *d = json_array_get(decisions, 0);
    const char *verdict = json_string_value(json_object_get(d, "decision"));
    const json_t *similarity = json_object_get(d, "similarity");
    const char *reason = json_string_value(json_array_get(json_object_get(d, "reasons"), 0));
    if (!json_is_array(decisions) || json_array_size(decisions) != 1 || !verdict)
        return odd(what, "one decision is needed", err);
    if (json_is_number(similarity))
        r->similarity = json_number_value(similarity);
    r->refused = strcmp(verdict, "granted") != 0 && strcmp(verdict, "denied") != 0;
    if (!r->refused)
        return FG_OK;
    r->reason = FG_REASON_NOT_A_MEMBER;
    for (int i = FG_REASON_NONE + 1; i < FG_REASON_COUNT; i++)
        if (reason && strcmp(fg_reason_name((fg_reason)i), reason) == 0)
            r->reason = (fg_reason)i;
    return FG_OK;
}

fg_code fg_remote_ranking_read(fg_remote_ranking *r, const void *data, size_t size, const char *what,
                               fg_error *err)
{
    json_t *document = NULL;
    *r = (fg_remote_ranking){.similarity = NAN, .refused = true};
    fg_code rc = fg_sagemaker_json(&document, data, size, what, err);
    if (rc != FG_OK)
        return rc;
    r->refused = false;
    const json_t *prediction = json_object_get(document, "prediction"),
                 *proba = json_object_get(document, "proba"), *classes = json_object_get(document, "classes"),
                 *decisions = json_object_get(document, "decisions");
    if (!json_is_array(prediction) || json_array_size(prediction) != 1 || !json_is_array(proba) ||
        json_array_size(proba) != 1)
        rc = odd(what, "one prediction and one row of probabilities are needed", err);
    else if (json_is_null(json_array_get(prediction, 0)) && json_is_array(decisions))
        rc = read_decision(r, decisions, what, err); /* nobody at all */
    else if (!is_name(json_array_get(prediction, 0)))
        rc = odd(what, "the prediction is not a name", err);
    else {
        const json_t *row = json_array_get(proba, 0);
        double largest = 0;
        for (size_t i = 0; i < json_array_size(row) && !classes; i++)
            largest = fmax(largest, json_number_value(json_array_get(row, i)));
        json_t *alone = classes ? NULL : json_pack("[f]", largest);
        rc = classes ? read_row(r, classes, row, what, err) : read_row(r, prediction, alone, what, err);
        json_decref(alone);
        /* On a tie either may be named first. */
        if (rc == FG_OK && strcmp(r->best.name, json_string_value(json_array_get(prediction, 0))) != 0 &&
            r->best.probability > r->second.probability)
            rc = odd(what, "the prediction is not the likeliest class", err);
        if (rc == FG_OK && decisions)
            rc = read_decision(r, decisions, what, err);
    }
    if (rc == FG_OK && !*r->best.name && !r->refused)
        rc = odd(what, "nobody is named", err);
    json_decref(document);
    if (rc != FG_OK)
        *r = (fg_remote_ranking){.similarity = NAN, .refused = true};
    return rc;
}

fg_code fg_remote_rank(fg_remote *remote, const float *probe, int embedding_size, fg_remote_ranking *ranking,
                       fg_error *err)
{
    char what[96];
    const long shape[] = {1, embedding_size};
    fg_buf body, answer;
    *ranking = (fg_remote_ranking){.similarity = NAN, .refused = true};
    snprintf(what, sizeof what, "endpoint %s", fg_remote_endpoint(remote));
    fg_buf_init(&body, 1 << 20);
    fg_buf_init(&answer, FG_MAX_JSON_BYTES);
    fg_code rc = fg_npy_write_floats(&body, probe, 2, shape, err);
    if (rc == FG_OK)
        rc = fg_remote_invoke(remote, "application/x-npy", body.data, body.size, &answer, err);
    if (rc == FG_OK)
        rc = fg_remote_ranking_read(ranking, answer.data, answer.size, what, err);
    fg_buf_deinit(&body);
    fg_buf_deinit(&answer);
    return rc;
}
