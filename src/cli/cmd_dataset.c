#include "cli/cli.h"

#include "flow/dataset.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_LINK = 8192 };

static bool ends_with(const char *text, const char *end)
{
    const size_t n = strlen(text), m = strlen(end);
    return n > m && strcmp(text + n - m, end) == 0;
}

/* What is asked for, else what the file's name says; the two must not contradict each other. */
static fg_code find_format(const fg_settings *s, fg_dataset_format *format, fg_error *err)
{
    const bool pickle = s->out && (ends_with(s->out, ".pickle") || ends_with(s->out, ".pkl")),
               npz = s->out && ends_with(s->out, ".npz");
    fg_code rc = fg_dataset_format_parse(format, s->format, err);
    if (rc != FG_OK || (!pickle && !npz))
        return rc;
    if (!fg_settings_is_default(s, "format") && pickle != (*format == FG_DATASET_PICKLE))
        return FG_FAIL(err, FG_ERR_USAGE,
                       "--out %s: not the name of a file of --format %s; change one of the two", s->out,
                       s->format);
    *format = pickle ? FG_DATASET_PICKLE : FG_DATASET_NPZ;
    return FG_OK;
}

fg_code fg_cmd_export(fg_cli *cli, fg_error *err)
{
    const fg_actor actor = {"cli", getenv("USER")};
    fg_dataset_format format;
    const int link_minutes = cli->settings.link_minutes;
    char name[32];
    long templates = 0;
    int members = 0;
    fg_buf link;
    fg_code rc = find_format(&cli->settings, &format, err);
    if (rc != FG_OK)
        return rc;
    snprintf(name, sizeof name, "data.%s", fg_dataset_format_name(format));
    const char *out = cli->settings.out ? cli->settings.out : name;
    if (link_minutes > 0 && !fg_dataset_is_s3(out))
        return FG_FAIL(err, FG_ERR_USAGE, "--link-minutes: only with --out s3://BUCKET/NAME");
    fg_buf_init(&link, MAX_LINK);
    rc = fg_dataset_is_s3(out)
             ? fg_export_s3(cli->app, format, out, link_minutes, &actor, &templates, &members, &link, err)
             : fg_export(cli->app, format, out, &actor, &templates, &members, err);
    if (rc == FG_OK && cli->settings.json) {
        const fg_engine_info *info = fg_engine_info_view(fg_app_engine(cli->app));
        json_t *document = json_pack("{s:o, s:s, s:I, s:i, s:i, s:s}", "out", fg_text_json(out), "format",
                                     fg_dataset_format_name(format), "rows", (json_int_t)templates, "columns",
                                     info->embedding_size, "members", members, "model", info->embedder);
        if (link.size)
            json_object_set_new(document, "link", json_string((const char *)link.data));
        fg_cli_print_json(document);
    } else if (rc == FG_OK) {
        printf("%s: %ld template%s of %d member%s\n", out, templates, fg_cli_s(templates), members,
               fg_cli_s(members));
        if (link.size)
            printf("%s\n", (const char *)link.data);
    }
    fg_buf_deinit(&link);
    return rc;
}

fg_code fg_cmd_import_check(const fg_cli *cli, fg_error *err)
{
    const char *path = cli->args[0];
    if (!fg_dataset_is_s3(path) && access(path, R_OK) != 0)
        return FG_FAIL_ERRNO(err, "cannot open", path);
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
    fg_code rc = fg_dataset_is_s3(request.path) ? fg_import_s3(cli->app, &request, &report, err)
                                                : fg_import(cli->app, &request, &report, err);
    if (rc != FG_OK)
        return rc;
    if (s->json)
        fg_cli_print_json(json_pack("{s:o, s:I, s:i, s:i}", "input", fg_text_json(cli->args[0]), "rows",
                                    (json_int_t)report.templates, "members", report.members, "new_members",
                                    report.new_members));
    else
        printf("%s: %ld template%s of %d member%s, %d of them new\n", cli->args[0], report.templates,
               fg_cli_s(report.templates), report.members, fg_cli_s(report.members), report.new_members);
    fg_cli_note(cli, "next: facegate --data %s train", s->data);
    return FG_OK;
}
