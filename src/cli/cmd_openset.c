#include "cli/cli.h"

#include "flow/openset.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static json_t *rate_json(const fg_rate *r)
{
    return json_pack("{s:I, s:I, s:o, s:o, s:o, s:o}", "hits", (json_int_t)r->hits, "tries",
                     (json_int_t)r->tries, "share", fg_cli_json_number(r->share), "low",
                     fg_cli_json_number(r->low), "high", fg_cli_json_number(r->high), "effective_tries",
                     fg_cli_json_number(round(r->effective)));
}

static json_t *size_json(const fg_openset_size *s, const fg_people *people)
{
    json_t *bins = json_array();
    for (int b = 0; b < FG_RELIABILITY_BINS; b++) {
        double w = s->reliability.bins[b].weight;
        json_array_append_new(bins, json_pack("{s:f, s:o, s:o}", "weight", w, "stated",
                                              fg_cli_json_number(s->reliability.bins[b].stated / w), "true",
                                              fg_cli_json_number(s->reliability.bins[b].right / w)));
    }
    return json_pack(
        "{s:i, s:i, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:f, s:f, s:o}", "members", s->members, "teams",
        s->teams, "far", rate_json(&s->accepted), "frr", rate_json(&s->refused), "asked_again",
        people->embeddings_only ? json_null() : rate_json(&s->asked_again), "wrong_member",
        rate_json(&s->wrong), "frr_at_far", fg_cli_json_number(s->refused_at_far), "needed_border",
        fg_cli_json_number(s->needed_border), "calibration_error", fg_cli_json_number(s->calibration_error),
        "train_ms", s->train_ms, "decide_ms", s->rank_ms, "reliability", bins);
}

static json_t *perturbed_json(const fg_openset_perturbed *p)
{
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "attempts", (json_int_t)p->attempts, "changed",
                     (json_int_t)p->changed, "unusable", (json_int_t)p->unusable, "granted_before",
                     (json_int_t)p->genuine, "lost", (json_int_t)p->lost, "kept_out_before",
                     (json_int_t)p->strangers, "admitted", (json_int_t)p->admitted);
}

static void print_json(const fg_cli *cli, const fg_people *people, const fg_openset *r)
{
    const fg_settings *s = &cli->settings;
    const fg_engine_info *info = fg_engine_info_view(fg_app_engine(cli->app));
    json_t *sizes = json_array(), *groups = json_object(), *perturbed = json_object();
    for (int k = 0; k < r->size_count; k++)
        json_array_append_new(sizes, size_json(&r->sizes[k], people));
    for (int g = 0; g < people->group_count; g++)
        json_object_set_new(groups, people->groups[g],
                            json_pack("{s:o, s:o}", "far", rate_json(&r->groups[g].accepted), "frr",
                                      rate_json(&r->groups[g].refused)));
    for (int k = 0; k < FG_PERTURBATIONS && people->perturbed; k++)
        json_object_set_new(perturbed, fg_perturbation_name((fg_perturbation)k),
                            perturbed_json(&r->perturbed[k]));
    fg_cli_print_json(json_pack(
        "{s:s, s:s, s:s, s:i, s:I, s:I, s:I, s:i, s:i, s:i, s:f, s:f, s:o, s:o, s:o, s:o, s:o, s:f}", "model",
        info->embedder, "detector", info->detector, "precision", fg_precision_name(info->precision), "people",
        people->people, "photos", (json_int_t)people->photos, "usable", (json_int_t)r->usable, "unreadable",
        (json_int_t)people->unreadable, "eligible", r->eligible, "enrolment_photos", s->photos, "seed",
        s->seed, "far_target", s->far, "threshold", s->threshold, "common_look",
        fg_cli_json_number(r->common_look), "manifest_look",
        fg_cli_json_number(info->common_look > 0 ? info->common_look : (double)NAN), "teams", sizes, "groups",
        groups, "perturbed", perturbed, "elapsed_ms", round(r->elapsed_ms)));
}

static void print_size(const fg_openset_size *s, const fg_people *people)
{
    char asked_again[16] = "-";
    if (!people->embeddings_only)
        snprintf(asked_again, sizeof asked_again, "%.2f", 100 * s->asked_again.share);
    printf("%7d %6d  %7.3f (%.3f to %.3f)  %6.2f (%.2f to %.2f)  %11s  %7.2f  %8.3f  %11.4f\n", s->members,
           s->teams, 100 * s->accepted.share, 100 * s->accepted.low, 100 * s->accepted.high,
           100 * s->refused.share, 100 * s->refused.low, 100 * s->refused.high, asked_again,
           100 * s->refused_at_far, 100 * s->wrong.share, s->calibration_error);
}

static void print_table(const fg_cli *cli, const fg_people *people, const fg_openset *r)
{
    const fg_settings *s = &cli->settings;
    const fg_engine_info *info = fg_engine_info_view(fg_app_engine(cli->app));
    printf("%s (%s), faces by %s: %d people, %ld photos, %ld usable; members enrolled from %d photo%s%s\n",
           info->embedder, fg_precision_name(info->precision), info->detector, people->people, people->photos,
           r->usable, s->photos, fg_cli_s(s->photos), s->photos == 1 ? " and its variations" : "");
    printf("members  teams  strangers accepted, %%    members refused, %%  asked again  at best  wrong, %%  "
           "calibration\n");
    for (int k = 0; k < r->size_count; k++)
        print_size(&r->sizes[k], people);
    printf("(intervals of 95 %%; asked again: the part of the refused who hear that the face is unclear; at "
           "best:\n"
           "refused with the border that these strangers themselves would set; calibration: error of the "
           "probability)\n");
    for (int g = 0; g < people->group_count; g++)
        printf(
            "group %-20s strangers accepted %.3f %% (%.3f to %.3f), members refused %.2f %% (%.2f to %.2f)\n",
            people->groups[g], 100 * r->groups[g].accepted.share, 100 * r->groups[g].accepted.low,
            100 * r->groups[g].accepted.high, 100 * r->groups[g].refused.share,
            100 * r->groups[g].refused.low, 100 * r->groups[g].refused.high);
    for (int k = 0; k < FG_PERTURBATIONS && people->perturbed; k++) {
        const fg_openset_perturbed *p = &r->perturbed[k];
        printf("%-5s changes %ld of %ld decisions: %ld of %ld members refused, %ld of %ld strangers let in\n",
               fg_perturbation_name((fg_perturbation)k), p->changed, p->attempts, p->lost, p->genuine,
               p->admitted, p->strangers);
    }
}

fg_code fg_cmd_eval_openset(fg_cli *cli, fg_error *err)
{
    const fg_settings *s = &cli->settings;
    fg_worker *worker = NULL;
    fg_people people = {0};
    fg_openset result = {0};
    fg_cohort cohort = {0};
    fg_openset_options options = {
        .photos = s->photos, .seed = s->seed, .workers = fg_app_workers(cli->app), .threshold = s->threshold};
    if (!s->images)
        return FG_FAIL(err, FG_ERR_USAGE, "name the folder of people with --images: DIR/<person>/<photo>");
    fg_app_train_options(cli->app, &options.train);
    fg_code rc = fg_worker_new(&worker, cli->app, err);
    if (rc == FG_OK)
        rc = fg_cohort_load(&cohort, worker, &cli->progress, err);
    if (rc == FG_OK)
        rc = fg_people_load(&people, worker, s->images, s->photos == 1, s->perturb, s->limit, options.workers,
                            &cli->progress, err);
    if (rc == FG_OK && s->out)
        rc = fg_people_save(&people, cli->app, s->out, err);
    if (rc == FG_OK)
        rc = fg_openset_measure(&people, &cohort, &options, &cli->progress, &result, err);
    fg_cli_progress_end(cli);
    if (rc == FG_OK && s->plots)
        rc = fg_openset_plot(&result, s->far, s->plots, err);
    if (rc == FG_OK && s->json)
        print_json(cli, &people, &result);
    else if (rc == FG_OK)
        print_table(cli, &people, &result);
    if (rc == FG_OK && people.unreadable)
        fg_cli_note(cli, "note: %ld file%s left out: no photo, or not readable", people.unreadable,
                    fg_cli_s(people.unreadable));
    if (rc == FG_OK && result.size_count < FG_EVAL_SIZES)
        fg_cli_note(cli, "note: %d people with more than %d usable photo%s are too few for teams of %d",
                    result.eligible, s->photos, fg_cli_s(s->photos), fg_eval_sizes[result.size_count]);
    fg_people_deinit(&people);
    fg_cohort_deinit(&cohort);
    fg_worker_free(worker);
    return rc;
}
