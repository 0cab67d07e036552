#include "cli/cli.h"

#include "base/text.h"
#include "media/video.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void print_file(const char *path, const fg_enroll_file_report *f)
{
    printf("  %s: %d x %d", path, f->width, f->height);
    if (f->rotation)
        printf(" (turned %d degrees)", f->rotation);
    if (f->seconds > 0)
        printf(", %.1f s", f->seconds);
    printf(": %ld face%s used of %ld frame%s", f->faces_used, fg_cli_s(f->faces_used), f->frames_sampled,
           fg_cli_s(f->frames_sampled));
    for (int k = 1; k < FG_REASON_COUNT; k++)
        if (f->refused[k])
            printf(", %ld %s", f->refused[k], fg_reason_name((fg_reason)k));
    putchar('\n');
}

fg_code fg_cmd_enroll_check(const fg_cli *cli, fg_error *err)
{
    const fg_settings *s = &cli->settings;
    char text[FG_MAX_NAME_BYTES + 1];
    if (s->add && (fg_cli_given(cli, "role") || fg_cli_given(cli, "right")))
        return FG_FAIL(err, FG_ERR_USAGE,
                       "--add leaves role and rights as they are; change them with `facegate members set`");
    if (!s->name || !*s->name)
        return FG_FAIL(err, FG_ERR_USAGE, "give the member's name with --name");
    fg_code rc = fg_text_name(text, "name", s->name, err);
    if (rc == FG_OK && s->role && !s->add)
        rc = fg_text_name(text, "role", s->role, err);
    for (int i = 0; i < s->right.count && rc == FG_OK && !s->add; i++)
        rc = fg_text_name(text, "right", s->right.items[i], err);
    for (int i = 0; i < cli->arg_count && rc == FG_OK; i++)
        if (access(cli->args[i], R_OK) != 0)
            rc = FG_FAIL_ERRNO(err, "cannot open", cli->args[i]);
    return rc;
}

fg_code fg_cmd_enroll(fg_cli *cli, fg_error *err)
{
    const fg_settings *s = &cli->settings;
    fg_worker *worker = NULL;
    fg_enroll_report report = {0};
    const char *const user = getenv("USER");
    fg_enroll_file *files = calloc((size_t)cli->arg_count, sizeof *files);
    if (!files)
        return FG_FAIL(err, FG_ERR_MEMORY, "out of memory");
    for (int i = 0; i < cli->arg_count; i++)
        files[i].path = cli->args[i];
    fg_enroll_request request = {
        .name = s->name,
        .role = s->add ? NULL : s->role,
        .rights = s->right.items,
        .right_count = s->add ? 0 : s->right.count,
        .files = files,
        .file_count = cli->arg_count,
        .every = s->every,
        .add = s->add,
        .keep_frames = s->keep_frames,
        .keep_originals = s->keep_originals,
        .actor = {"cli", user},
        .progress = cli->progress,
    };
    fg_code rc = fg_video_read_rotation(s->rotate, &request.rotate, err);
    if (rc == FG_OK)
        rc = fg_worker_new(&worker, cli->app, err);
    if (rc == FG_OK)
        rc = fg_enroll(worker, &request, &report, err);
    fg_cli_progress_end(cli);
    if (rc != FG_OK)
        goto done;
    if (s->json) {
        fg_cli_print_json(fg_enroll_report_json(&report, s->name));
    } else {
        printf("%s is enrolled from %ld face%s in %.1f s\n", s->name, report.faces_used,
               fg_cli_s(report.faces_used), report.elapsed_ms / 1000);
        for (int i = 0; i < report.file_count; i++)
            print_file(cli->args[i], &report.files[i]);
    }
    if (report.odd)
        fg_cli_note(cli, "note: %ld face%s of somebody else %s dropped", report.odd, fg_cli_s(report.odd),
                    report.odd == 1 ? "was" : "were");
    if (report.mostly_unclear)
        fg_cli_note(
            cli,
            "note: %ld of %ld face%s can hardly be made out; if sunglasses, a mask or a hat cover the face, "
            "remove the member and enrol again without",
            report.unclear, report.faces_used + report.odd, fg_cli_s(report.faces_used + report.odd));
    if (report.look_alike[0])
        fg_cli_note(cli,
                    "note: looks very much like %s (similarity %.2f): is this one person under two names?",
                    report.look_alike, report.look_alike_similarity);
    fg_cli_note(cli, "next: facegate --data %s train", s->data);
done:
    fg_enroll_report_deinit(&report);
    fg_worker_free(worker);
    free(files);
    return rc;
}
