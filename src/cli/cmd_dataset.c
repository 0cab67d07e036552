#include "cli/cli.h"

#include "flow/dataset.h"

#include <stdio.h>
#include <stdlib.h>

fg_code fg_cmd_export(fg_cli *cli, fg_error *err)
{
    const fg_actor actor = {"cli", getenv("USER")};
    fg_dataset_format format;
    char name[32];
    long templates = 0;
    int members = 0;
    fg_code rc = fg_dataset_format_parse(&format, cli->settings.format, err);
    if (rc != FG_OK)
        return rc;
    snprintf(name, sizeof name, "data.%s", fg_dataset_format_name(format));
    const char *out = cli->settings.out ? cli->settings.out : name;
    if ((rc = fg_export(cli->app, format, out, &actor, &templates, &members, err)) != FG_OK)
        return rc;
    if (cli->settings.json)
        fg_cli_print_json(json_pack(
            "{s:s, s:s, s:I, s:i, s:i, s:s}", "out", out, "format", fg_dataset_format_name(format), "rows",
            (json_int_t)templates, "columns", fg_engine_info_view(fg_app_engine(cli->app))->embedding_size,
            "members", members, "model", fg_engine_info_view(fg_app_engine(cli->app))->embedder));
    else
        printf("%s: %ld templates of %d member%s\n", out, templates, members, members == 1 ? "" : "s");
    return FG_OK;
}

fg_code fg_cmd_import(fg_cli *cli, fg_error *err)
{
    const fg_settings *s = &cli->settings;
    fg_import_report report;
    const fg_import_request request = {
        .path = cli->args[0],
        .role = s->role,
        .rights = s->right.items,
        .right_count = s->right.count,
        .add = s->add,
        .actor = {"cli", getenv("USER")},
    };
    fg_code rc = fg_import(cli->app, &request, &report, err);
    if (rc != FG_OK)
        return rc;
    if (s->json)
        fg_cli_print_json(json_pack("{s:s, s:I, s:i, s:i}", "input", cli->args[0], "rows",
                                    (json_int_t)report.templates, "members", report.members, "new_members",
                                    report.new_members));
    else
        printf("%s: %ld templates of %d member%s, %d of them new\n", cli->args[0], report.templates,
               report.members, report.members == 1 ? "" : "s", report.new_members);
    fg_cli_note(cli, "next: facegate --data %s train", s->data);
    return FG_OK;
}
