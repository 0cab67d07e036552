#include "cli/cli.h"

#include "base/clock.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const fg_actor actor = {"cli", ""};

static const char *name_of(fg_cli *cli, int64_t id, fg_member *member)
{
    return fg_store_member_by_id(fg_app_store(cli->app), id, member, NULL) == FG_OK ? member->name
                                                                                    : "a removed member";
}

static void print_warning(fg_cli *cli, const fg_train_warning *w)
{
    fg_member one = {0}, other = {0};
    const char *name = name_of(cli, w->member_id, &one);
    switch (w->kind) {
    case FG_WARN_FEW_TEMPLATES:
        fg_cli_note(cli,
                    "note: %s has only %.0f template%s; enrol a longer video, or more photos, with --add",
                    name, w->value, fg_cli_s((long)w->value));
        break;
    case FG_WARN_UNIFORM:
        fg_cli_note(cli,
                    "note: the templates of %s are nearly all alike; enrol a video in which the head turns "
                    "slowly, with --add",
                    name);
        break;
    case FG_WARN_LOOK_ALIKE:
        fg_cli_note(cli, "note: %s and %s look alike (similarity %.2f); enrol more of both, with --add", name,
                    name_of(cli, w->other_id, &other), w->value);
        break;
    case FG_WARN_SAME_FACE:
        fg_cli_note(
            cli,
            "note: %s and %s seem to be one person under two names (similarity %.2f); remove one of them",
            name, name_of(cli, w->other_id, &other), w->value);
        break;
    case FG_WARN_OUTLIERS:
        fg_cli_note(cli, "note: %.0f template%s of %s %s not resemble the rest and %s not used", w->value,
                    fg_cli_s((long)w->value), name, w->value == 1 ? "does" : "do",
                    w->value == 1 ? "is" : "are");
        break;
    case FG_WARN_IN_COHORT:
        fg_cli_note(cli,
                    "note: %.0f face%s of the cohort, of %s, left out; --cohort is for people in no team",
                    w->value, fg_cli_s((long)w->value), name);
        break;
    }
    fg_member_deinit(&one);
    fg_member_deinit(&other);
}

static void print_report(const fg_train_report *r, double far)
{
    printf("  members %d, templates %ld (%ld not used), strangers in the cohort %ld, %.2f s\n", r->members,
           r->templates, r->outliers, r->cohort, r->seconds);
    printf("  a stranger is accepted in %.2f %% of held-out tries (95 %% interval %.2f to %.2f %%; at most "
           "%.4g %% "
           "asked for)\n",
           100 * r->far, 100 * r->far_low, 100 * r->far_high, 100 * far);
    if (isfinite(r->frr))
        printf("  a member is refused in %.1f %% of held-out pieces of the enrolment\n", 100 * r->frr);
    printf("  similarity below %.3f is nobody\n", r->similarity_gate);
}

fg_code fg_cmd_train(fg_cli *cli, fg_error *err)
{
    fg_worker *worker = NULL;
    fg_train_result result = {0};
    fg_code rc = fg_worker_new(&worker, cli->app, err);
    if (rc == FG_OK)
        rc = fg_train(worker, &actor, &cli->progress, &result, err);
    fg_cli_progress_end(cli);
    fg_worker_free(worker);
    if (rc != FG_OK)
        return rc;
    if (cli->settings.json) {
        fg_cli_print_json(fg_train_result_json(&result, cli->app));
    } else {
        if (result.version)
            printf("classifier %lld is trained%s\n", (long long)result.version,
                   result.activated ? " and active" : ", but not active");
        else
            printf("trained, nothing stored\n");
        print_report(&result.report, cli->settings.far);
    }
    for (int i = 0; i < result.report.warning_count; i++)
        print_warning(cli, &result.report.warnings[i]);
    if (result.stale_templates)
        fg_cli_note(cli, "note: %ld template%s of another embedder not used", result.stale_templates,
                    fg_cli_s(result.stale_templates));
    if (result.version && !result.activated)
        fg_cli_note(cli,
                    "note: it measured worse than the active version; activate it all the same with "
                    "`facegate classifiers activate %lld`",
                    (long long)result.version);
    return FG_OK;
}

fg_code fg_cmd_classifiers_list(fg_cli *cli, fg_error *err)
{
    fg_version_info *infos = NULL;
    long count = 0;
    fg_code rc = fg_store_versions(fg_app_store(cli->app), &infos, &count, err);
    if (rc != FG_OK)
        return rc;
    for (long i = 0; i < count; i++) {
        char time[FG_TIME_TEXT];
        fg_clock_text(infos[i].created_ms, time);
        if (cli->settings.json)
            fg_cli_print_json(fg_version_json(&infos[i]));
        else if (infos[i].withdrawn)
            printf("  %4lld  %.19s  emptied: somebody it knew was removed\n", (long long)infos[i].version,
                   time);
        else
            printf("%c %4lld  %.19s  data %.12s  model %.12s\n", infos[i].active ? '*' : ' ',
                   (long long)infos[i].version, time, infos[i].data_hash, infos[i].model_hash);
    }
    if (count == 0)
        fg_cli_note(cli, "nothing is trained yet; run `facegate train`");
    fg_versions_free(infos, count);
    return FG_OK;
}

static fg_code parse_version(const char *text, int64_t *version, fg_error *err)
{
    char *end = NULL;
    errno = 0;
    *version = strtoll(text, &end, 10);
    if (errno || end == text || *end || *version < 1)
        return FG_FAIL(err, FG_ERR_USAGE,
                       "%s: give the number of a version; `facegate classifiers list` lists them", text);
    return FG_OK;
}

/* Back from the document that is stored. */
static void print_stored(const fg_version_info *info)
{
    json_t *report = json_loads(info->report_json, 0, NULL),
           *settings = json_loads(info->settings_json, 0, NULL);
    const json_t *frr = json_object_get(report, "frr"), *cohort = json_object_get(settings, "cohort");
    const fg_train_report r = {
        .members = (int)json_integer_value(json_object_get(report, "members")),
        .templates = (long)json_integer_value(json_object_get(report, "templates")),
        .outliers = (long)json_integer_value(json_object_get(report, "outliers")),
        .cohort = (long)json_integer_value(json_object_get(report, "cohort")),
        .similarity_gate = json_number_value(json_object_get(report, "similarity_gate")),
        .far = json_number_value(json_object_get(report, "far")),
        .far_low = json_number_value(json_object_get(report, "far_low")),
        .far_high = json_number_value(json_object_get(report, "far_high")),
        .frr = json_is_number(frr) ? json_number_value(frr) : (double)NAN,
        .seconds = json_number_value(json_object_get(report, "seconds")),
    };
    printf("settings: kernel %s, C %g, gamma %g, cohort %s\n",
           json_string_value(json_object_get(settings, "kernel"))
               ? json_string_value(json_object_get(settings, "kernel"))
               : "?",
           json_number_value(json_object_get(settings, "c")),
           json_number_value(json_object_get(settings, "gamma")),
           json_is_string(cohort) ? json_string_value(cohort) : "?");
    print_report(&r, json_number_value(json_object_get(settings, "far")));
    json_decref(report);
    json_decref(settings);
}

fg_code fg_cmd_classifiers_show(fg_cli *cli, fg_error *err)
{
    fg_version_info info = {0};
    fg_buf data;
    int64_t version = 0;
    fg_buf_init(&data, FG_MAX_CLASSIFIER_BYTES);
    fg_code rc = parse_version(cli->args[0], &version, err);
    if (rc == FG_OK)
        rc = fg_store_version_load(fg_app_store(cli->app), version, &info, &data, err);
    if (rc == FG_OK && cli->settings.json) {
        fg_cli_print_json(fg_version_json(&info));
    } else if (rc == FG_OK) {
        char time[FG_TIME_TEXT];
        fg_clock_text(info.created_ms, time);
        printf("version:  %lld%s\ntrained:  %s\nsize:     %zu bytes\ndata:     %s\nmodel:    %s\n",
               (long long)info.version, info.active ? " (active)" : "", time, data.size, info.data_hash,
               info.model_hash);
        print_stored(&info);
    }
    fg_version_info_deinit(&info);
    fg_buf_deinit(&data);
    return rc;
}

fg_code fg_cmd_classifiers_activate(fg_cli *cli, fg_error *err)
{
    int64_t version = 0;
    fg_code rc = parse_version(cli->args[0], &version, err);
    if (rc == FG_OK)
        rc = fg_activate(cli->app, version, &actor, err);
    if (rc == FG_OK && cli->settings.json)
        fg_cli_print_json(json_pack("{s:I, s:b}", "version", (json_int_t)version, "active", 1));
    else if (rc == FG_OK)
        printf("classifier %lld is active\n", (long long)version);
    return rc;
}
