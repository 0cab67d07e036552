#include "cli/cli.h"

#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const fg_actor actor = {"cli", ""};

static void print_rights(const fg_member *m)
{
    for (int i = 0; i < m->right_count; i++)
        printf("%s%s", i ? ", " : "", m->rights[i]);
    if (m->right_count == 0)
        printf("none");
}

/* Padded to that many characters, where printf counts bytes. */
static void print_padded(const char *text, int width)
{
    int characters = 0;
    for (const char *p = text; *p; p++)
        characters += ((unsigned char)*p & 0xc0) != 0x80;
    printf("%s%*s ", text, characters < width ? width - characters : 0, "");
}

fg_code fg_cmd_members_list(fg_cli *cli, fg_error *err)
{
    fg_member *members = NULL;
    long count = 0;
    fg_code rc = fg_store_members(fg_app_store(cli->app), &members, &count, err);
    if (rc != FG_OK)
        return rc;
    if (!cli->settings.json && count)
        printf("%-24s %-24s %9s  %s\n", "NAME", "ROLE", "TEMPLATES", "RIGHTS");
    for (long i = 0; i < count; i++) {
        if (cli->settings.json) {
            fg_cli_print_json(fg_member_json(&members[i]));
            continue;
        }
        print_padded(members[i].name, 24);
        print_padded(members[i].role, 24);
        printf("%9ld  ", members[i].templates);
        print_rights(&members[i]);
        putchar('\n');
    }
    if (count == 0)
        fg_cli_note(cli, "nobody is enrolled yet; enrol a first member with `facegate enroll`");
    fg_members_free(members, count);
    return FG_OK;
}

static json_t *source_json(const fg_source *s)
{
    char time[FG_TIME_TEXT];
    fg_clock_text(s->created_ms, time);
    return json_pack("{s:s, s:s, s:s, s:i, s:i, s:I, s:I, s:s}", "name", s->name, "kind", s->kind, "sha256",
                     s->sha256, "every", s->every, "rotation", s->rotation, "frames_sampled",
                     (json_int_t)s->frames_sampled, "faces_used", (json_int_t)s->faces_used, "created", time);
}

fg_code fg_cmd_members_show(fg_cli *cli, fg_error *err)
{
    fg_member member = {0};
    fg_source *sources = NULL;
    long count = 0;
    fg_code rc = fg_store_member_by_name(fg_app_store(cli->app), cli->args[0], &member, err);
    if (rc == FG_OK)
        rc = fg_store_sources(fg_app_store(cli->app), member.id, &sources, &count, err);
    if (rc != FG_OK)
        goto done;
    if (cli->settings.json) {
        json_t *files = json_array(), *document = fg_member_json(&member);
        for (long i = 0; i < count; i++)
            json_array_append_new(files, source_json(&sources[i]));
        json_object_set_new(document, "files", files);
        fg_cli_print_json(document);
        goto done;
    }
    printf("name:      %s\nrole:      %s\nrights:    ", member.name, member.role);
    print_rights(&member);
    printf("\ntemplates: %ld\n", member.templates);
    for (long i = 0; i < count; i++) {
        char time[FG_TIME_TEXT];
        fg_clock_text(sources[i].created_ms, time);
        const long used = sources[i].faces_used, frames = sources[i].frames_sampled;
        printf("%-10s %s: ", i ? "" : "files:", sources[i].name);
        if (strcmp(sources[i].kind, "dataset") == 0)
            printf("%ld template%s, %.10s\n", used, fg_cli_s(used), time);
        else
            printf("%ld face%s used of %ld frame%s, %.10s\n", used, fg_cli_s(used), frames, fg_cli_s(frames),
                   time);
    }
done:
    fg_sources_free(sources, count);
    fg_member_deinit(&member);
    return rc;
}

fg_code fg_cmd_members_set(fg_cli *cli, fg_error *err)
{
    const fg_settings *s = &cli->settings;
    fg_member member = {0};
    /* --right "" means no right at all */
    bool none = s->right.count == 1 && s->right.items[0][0] == 0;
    /* A variable that is meant for enrolments changes nobody. */
    const fg_member_change change = {
        .name = fg_cli_given(cli, "name") ? s->name : NULL,
        .role = fg_cli_given(cli, "role") ? s->role : NULL,
        .rights = fg_cli_given(cli, "right") ? s->right.items : NULL,
        .right_count = none ? 0 : s->right.count,
    };
    if (!change.name && !change.role && !change.rights)
        return FG_FAIL(err, FG_ERR_USAGE, "nothing to change; give --name, --role or --right");
    fg_code rc = fg_store_member_by_name(fg_app_store(cli->app), cli->args[0], &member, err);
    if (rc == FG_OK)
        rc = fg_member_set(cli->app, member.id, &change, &actor, err);
    int64_t id = member.id;
    fg_member_deinit(&member);
    if (rc == FG_OK && cli->settings.json) {
        rc = fg_store_member_by_id(fg_app_store(cli->app), id, &member, err);
        if (rc == FG_OK)
            fg_cli_print_json(fg_member_json(&member));
        fg_member_deinit(&member);
    } else if (rc == FG_OK) {
        printf("%s is changed\n", cli->args[0]);
    }
    return rc;
}

fg_code fg_cmd_members_remove(fg_cli *cli, fg_error *err)
{
    fg_member member = {0};
    int64_t version = 0;
    fg_code rc = fg_store_member_by_name(fg_app_store(cli->app), cli->args[0], &member, err);
    if (rc == FG_OK)
        rc = fg_member_remove(cli->app, member.id, &actor, &version, err);
    if (rc == FG_OK && cli->settings.json)
        fg_cli_print_json(json_pack("{s:s, s:b}", "member", member.name, "removed", 1));
    else if (rc == FG_OK)
        printf("%s is removed, with %ld template%s and %ld file%s\n", member.name, member.templates,
               fg_cli_s(member.templates), member.sources, fg_cli_s(member.sources));
    if (version)
        fg_cli_note(cli, "the others were trained anew as classifier %lld", (long long)version);
    fg_member_deinit(&member);
    return rc;
}
