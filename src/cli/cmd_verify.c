#include "cli/cli.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* As exact as what is needed, and cut: what falls short never looks as if it did not. */
static void print_probability(const fg_verification *v)
{
    char needed[32];
    snprintf(needed, sizeof needed, "%.10g", v->threshold);
    const char *point = strchr(needed, '.');
    const int digits = point && strlen(point + 1) > 3 ? (int)strlen(point + 1) : 3;
    const double unit = pow(10, digits);
    printf(", probability %.*f of %s needed, similarity %.3f", digits,
           floor(v->ranking.best.probability * unit) / unit, needed, v->ranking.best.similarity);
}

static void print_verdict(const char *path, const fg_verification *v)
{
    bool known = v->decision.verdict == FG_GRANTED || v->decision.verdict == FG_DENIED;
    printf("%s: %s", path, fg_verdict_name(v->decision.verdict));
    if (known)
        printf(", %s (%s)", v->member.name, v->member.role);
    if (v->ranked)
        print_probability(v);
    for (int i = 0; i < v->decision.reason_count; i++)
        printf("%s%s", i ? "; " : " - ", fg_reason_text(v->decision.reasons[i]));
    putchar('\n');
}

fg_code fg_cmd_verify(fg_cli *cli, fg_error *err)
{
    fg_worker *worker = NULL;
    fg_code first_error = FG_OK, rc = fg_worker_new(&worker, cli->app, err);
    if (rc != FG_OK)
        return rc;
    for (int i = 0; i < cli->arg_count; i++) {
        const fg_verify_request request = {.path = cli->args[i], .actor = {"cli", getenv("USER")}};
        fg_verification v = {0};
        rc = fg_verify(worker, &request, &v, err);
        if (rc != FG_OK) {
            /* One bad photo does not keep the others from an answer. */
            fg_cli_error(cli, cli->args[i], err);
            if (first_error == FG_OK)
                first_error = rc;
            if (rc == FG_ERR_STATE)
                break;
            continue;
        }
        if (cli->settings.json)
            fg_cli_print_json(fg_verification_json(&v, cli->app, cli->args[i]));
        else
            print_verdict(cli->args[i], &v);
        if (v.decision.verdict != FG_GRANTED)
            cli->status = FG_EXIT_NOT_GRANTED;
        fg_verification_deinit(&v);
    }
    fg_worker_free(worker);
    if (err)
        err->msg[0] = 0; /* said already */
    return first_error;
}

fg_code fg_cmd_compare(fg_cli *cli, fg_error *err)
{
    fg_worker *worker = NULL;
    fg_comparison c = {0};
    fg_code rc = fg_worker_new(&worker, cli->app, err);
    if (rc == FG_OK)
        rc = fg_compare(worker, cli->args[0], cli->args[1], &c, err);
    fg_worker_free(worker);
    if (rc != FG_OK)
        return rc;
    if (!c.same)
        cli->status = FG_EXIT_NOT_GRANTED;
    if (cli->settings.json)
        fg_cli_print_json(json_pack("{s:o, s:o, s:f, s:f, s:b, s:s}", "a", fg_text_json(cli->args[0]), "b",
                                    fg_text_json(cli->args[1]), "similarity", c.similarity, "threshold",
                                    c.threshold, "same", c.same, "model",
                                    fg_engine_info_view(fg_app_engine(cli->app))->embedder));
    else
        printf("%s, similarity %.3f (one person from %.3f on)\n", c.same ? "one person" : "two people",
               c.similarity, c.threshold);
    return FG_OK;
}
