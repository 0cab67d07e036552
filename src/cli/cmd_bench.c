#include "cli/cli.h"

#include "flow/bench.h"

#include <math.h>
#include <stdio.h>

static void print_row(void *context, const fg_bench_row *row)
{
    fg_cli *cli = context;
    const char *precision = row->precision == FG_PRECISION_AUTO ? "" : fg_precision_name(row->precision);
    if (cli->settings.json) {
        json_t *document = json_pack("{s:o, s:s, s:f, s:f}", "stage", fg_text_json(row->stage), "precision",
                                     precision, "median_ms", round(row->median_ms * 1e4) / 1e4, "per_second",
                                     round(row->per_second * 100) / 100);
        if (row->gflops > 0) {
            json_object_set_new(document, "gflops", json_real(round(row->gflops * 10) / 10));
            json_object_set_new(document, "peak_share", json_real(round(row->peak_share * 1e4) / 1e4));
        }
        fg_cli_print_json(document);
        return;
    }
    printf("%-40s %-5s %9.3f ms", row->stage, precision, row->median_ms);
    if (row->gflops > 0)
        printf("  %6.1f GFLOP/s, %3.0f %% of peak", row->gflops, 100 * row->peak_share);
    putchar('\n');
    fflush(stdout);
}

fg_code fg_cmd_bench(fg_cli *cli, fg_error *err)
{
    const fg_settings *s = &cli->settings;
    fg_worker *worker = NULL;
    const fg_bench_request request = {
        .networks = (const char *const *)cli->args,
        .network_count = cli->arg_count,
        .video = s->video,
        .every = s->every,
        .rounds = s->rounds,
        .row = print_row,
        .context = cli,
    };
    fg_code rc = fg_worker_new(&worker, cli->app, err);
    if (rc == FG_OK)
        rc = fg_bench(worker, &request, err);
    fg_worker_free(worker);
    return rc;
}
