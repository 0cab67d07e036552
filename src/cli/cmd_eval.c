#include "cli/cli.h"

#include "flow/eval.h"

#include <math.h>
#include <stdio.h>

fg_code fg_cmd_eval_lfw(fg_cli *cli, fg_error *err)
{
    const fg_settings *s = &cli->settings;
    const fg_engine_info *info = fg_engine_info_view(fg_app_engine(cli->app));
    fg_worker *worker = NULL;
    fg_eval_lfw r = {0};
    if (!s->images || !s->pairs)
        return FG_FAIL(err, FG_ERR_USAGE,
                       "name the folder of photos with --images and the list of pairs with --pairs");
    fg_code rc = fg_worker_new(&worker, cli->app, err);
    if (rc == FG_OK)
        rc = fg_eval_lfw_run(worker, s->images, s->pairs, s->limit, &cli->progress, &r, err);
    fg_cli_progress_end(cli);
    fg_worker_free(worker);
    if (rc != FG_OK)
        return rc;
    if (s->json) {
        json_t *document = json_pack(
            "{s:s, s:s, s:s, s:I, s:I, s:I, s:i, s:o, s:o, s:o}", "model", info->embedder, "detector",
            info->detector, "precision", fg_precision_name(info->precision), "pairs", (json_int_t)r.pairs,
            "images", (json_int_t)r.images, "not_found", (json_int_t)r.not_found, "folds", r.folds,
            "accuracy", fg_cli_json_number(r.accuracy), "accuracy_std", fg_cli_json_number(r.accuracy_std),
            "threshold", fg_cli_json_number(r.threshold));
        for (int f = 0; f < FG_EVAL_FARS; f++) {
            char key[32];
            snprintf(key, sizeof key, "tar_at_far_1e-%d", (int)lround(-log10(fg_eval_fars[f])));
            json_object_set_new(document, key, fg_cli_json_number(r.tar[f]));
        }
        json_object_set_new(document, "elapsed_ms", json_real(round(r.elapsed_ms)));
        fg_cli_print_json(document);
        return FG_OK;
    }
    printf("%s (%s), faces by %s: %ld pairs of %ld photos, %d folds\n", info->embedder,
           fg_precision_name(info->precision), info->detector, r.pairs, r.images, r.folds);
    printf("  accuracy       %.2f %% +- %.2f (threshold %.3f)\n", 100 * r.accuracy, 100 * r.accuracy_std,
           r.threshold);
    for (int f = 0; f < FG_EVAL_FARS; f++) {
        if (isfinite(r.tar[f]))
            printf("  TAR at FAR %-4g %.2f %%\n", fg_eval_fars[f], 100 * r.tar[f]);
        else
            printf("  TAR at FAR %-4g too few pairs\n", fg_eval_fars[f]);
    }
    printf("  no face found in %ld photo%s\n", r.not_found, fg_cli_s(r.not_found));
    return FG_OK;
}

fg_code fg_cmd_eval_detect(fg_cli *cli, fg_error *err)
{
    const fg_settings *s = &cli->settings;
    const fg_engine_info *info = fg_engine_info_view(fg_app_engine(cli->app));
    fg_worker *worker = NULL;
    fg_eval_detect r = {0};
    /* The usual overlap of the field; faces below the detector's own smallest are not asked for. */
    const double min_overlap = 0.5;
    if (!s->images || !s->boxes)
        return FG_FAIL(err, FG_ERR_USAGE,
                       "name the folder of pictures with --images and the labelled boxes with --boxes");
    fg_code rc = fg_worker_new(&worker, cli->app, err);
    if (rc == FG_OK)
        rc = fg_eval_detect_run(worker, s->images, s->boxes, min_overlap, s->min_face, s->limit,
                                &cli->progress, &r, err);
    fg_cli_progress_end(cli);
    fg_worker_free(worker);
    if (rc != FG_OK)
        return rc;
    if (s->json) {
        fg_cli_print_json(json_pack(
            "{s:s, s:I, s:I, s:I, s:I, s:I, s:o, s:o, s:o, s:o, s:f}", "detector", info->detector, "images",
            (json_int_t)r.images, "faces", (json_int_t)r.faces, "found", (json_int_t)r.found, "detections",
            (json_int_t)r.detections, "false_alarms", (json_int_t)r.false_alarms, "recall",
            fg_cli_json_number(r.recall), "precision", fg_cli_json_number(r.precision), "average_precision",
            fg_cli_json_number(r.average_precision), "median_overlap", fg_cli_json_number(r.median_overlap),
            "elapsed_ms", round(r.elapsed_ms)));
        return FG_OK;
    }
    printf("%s on %ld picture%s with %ld face%s of at least %g pixels\n", info->detector, r.images,
           fg_cli_s(r.images), r.faces, fg_cli_s(r.faces), s->min_face);
    printf("  found              %.1f %% (%ld)\n", 100 * r.recall, r.found);
    printf("  false alarms       %ld of %ld detection%s\n", r.false_alarms, r.detections,
           fg_cli_s(r.detections));
    printf("  average precision  %.4f, median overlap %.3f\n", r.average_precision, r.median_overlap);
    return FG_OK;
}
