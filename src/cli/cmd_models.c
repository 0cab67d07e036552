#include "cli/cli.h"

#include "face/models.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_here(const fg_model *m)
{
    for (int i = 0; i < m->file_count; i++)
        if (!m->files[i].path[0])
            return false;
    return true;
}

static bool is_in_use(const fg_model *m, const fg_embedder *team)
{
    return strcmp(m->kind, "embedder") == 0 && strcmp(m->name, team->name) == 0;
}

static json_t *model_json(const fg_model *m)
{
    json_t *files = json_array();
    for (int i = 0; i < m->file_count; i++) {
        const fg_model_file *f = &m->files[i];
        json_array_append_new(files, json_pack("{s:s, s:I, s:s, s:s, s:o}", "file", f->name, "bytes",
                                               (json_int_t)f->bytes, "sha256", f->sha256, "url", f->url,
                                               "path", f->path[0] ? fg_text_json(f->path) : json_null()));
    }
    return json_pack("{s:s, s:s, s:b, s:b, s:s, s:s, s:o}", "name", m->name, "kind", m->kind, "default",
                     m->is_default, "here", is_here(m), "licence", m->licence, "description", m->description,
                     "files", files);
}

static void print_listed(const fg_model *m, const fg_embedder *team)
{
    json_t *object = model_json(m);
    json_object_set_new(object, "in_use", json_boolean(is_in_use(m, team)));
    fg_cli_print_json(object);
}

fg_code fg_cmd_models_list(fg_cli *cli, fg_error *err)
{
    fg_models *models = NULL;
    fg_embedder team;
    fg_code rc = fg_app_embedder(cli->app, &team, err);
    if (rc == FG_OK)
        rc = fg_models_load(&models, fg_app_model_path(cli->app), err);
    if (rc != FG_OK)
        return rc;
    for (int i = 0; i < models->count; i++) {
        const fg_model *m = &models->models[i];
        uint64_t bytes = 0;
        for (int k = 0; k < m->file_count; k++)
            bytes += m->files[k].bytes;
        if (cli->settings.json)
            print_listed(m, &team);
        else
            printf("%c %-20s %-9s %6.1f MB  %-10s %-12s%s\n", m->is_default ? '*' : ' ', m->name, m->kind,
                   (double)bytes / 1e6, is_here(m) ? "here" : "not here", m->licence,
                   is_in_use(m, &team) ? "  the team's" : "");
    }
    fg_models_free(models);
    return FG_OK;
}

static fg_code find(const fg_models *models, const char *name, const fg_model **model, fg_error *err)
{
    *model = NULL;
    for (int i = 0; i < models->count; i++)
        if (strcmp(models->models[i].name, name) == 0)
            *model = &models->models[i];
    return *model
               ? FG_OK
               : FG_FAIL(err, FG_ERR_NOT_FOUND, "%s: no such model; `facegate models list` lists them", name);
}

fg_code fg_cmd_models_show(fg_cli *cli, fg_error *err)
{
    fg_models *models = NULL;
    const fg_model *m = NULL;
    fg_code rc = fg_models_load(&models, fg_app_model_path(cli->app), err);
    if (rc == FG_OK)
        rc = find(models, cli->args[0], &m, err);
    if (rc == FG_OK && cli->settings.json) {
        fg_cli_print_json(model_json(m));
    } else if (rc == FG_OK) {
        printf("name:    %s%s\nkind:    %s\nlicence: %s\n", m->name, m->is_default ? " (default)" : "",
               m->kind, m->licence);
        if (m->description[0])
            printf("about:   %s\n", m->description);
        for (int i = 0; i < m->file_count; i++)
            printf("file:    %s, %llu bytes, sha256 %s\n         %s\n", m->files[i].name,
                   (unsigned long long)m->files[i].bytes, m->files[i].sha256,
                   m->files[i].path[0] ? m->files[i].path : "not here");
    }
    fg_models_free(models);
    return rc;
}

fg_code fg_cmd_models_verify(fg_cli *cli, fg_error *err)
{
    fg_models *models = NULL;
    fg_code first_error = FG_OK, rc = fg_models_load(&models, fg_app_model_path(cli->app), err);
    if (rc != FG_OK)
        return rc;
    int count = cli->arg_count ? cli->arg_count : models->count;
    for (int i = 0; i < count; i++) {
        const fg_model *m = &models->models[i];
        rc = cli->arg_count ? find(models, cli->args[i], &m, err) : FG_OK;
        /* Asked for none by name, those that are not here are no fault. */
        if (rc == FG_OK && !cli->arg_count && !is_here(m))
            continue;
        if (rc == FG_OK)
            rc = fg_model_verify(m, err);
        if (rc != FG_OK) {
            fg_cli_error(cli, cli->arg_count ? cli->args[i] : m->name, err);
            if (first_error == FG_OK)
                first_error = rc;
        } else if (cli->settings.json) {
            fg_cli_print_json(json_pack("{s:s, s:b}", "model", m->name, "good", 1));
        } else {
            printf("%s: as the manifest says\n", m->name);
        }
    }
    fg_models_free(models);
    err->msg[0] = 0; /* said already */
    return first_error;
}

fg_code fg_cmd_models_pull(fg_cli *cli, fg_error *err)
{
    fg_pull_result r;
    const char *name = cli->args[0];
    fg_code rc = fg_models_pull(cli->app, name, &cli->progress, &r, err);
    fg_cli_progress_end(cli);
    if (rc != FG_OK)
        return rc;
    if (cli->settings.json)
        fg_cli_print_json(
            json_pack("{s:s, s:i, s:I, s:I, s:o, s:f}", "model", name, "files", r.files, "fetched_bytes",
                      (json_int_t)r.fetched_bytes, "resumed_bytes", (json_int_t)r.resumed_bytes, "folder",
                      r.files ? fg_text_json(r.folder) : json_null(), "elapsed_ms", r.elapsed_ms));
    else if (r.files)
        printf("%s: %d file%s in %s, as the manifest says (%.1f MB fetched%s)\n", name, r.files,
               fg_cli_s(r.files), r.folder, (double)r.fetched_bytes / 1e6,
               r.resumed_bytes ? ", the rest by an earlier try" : "");
    else
        printf("%s: everything is here, as the manifest says\n", name);
    return FG_OK;
}

/* Members with nothing left to be recognised by. */
static fg_code note_the_lost(fg_cli *cli, fg_error *err)
{
    fg_member *members = NULL;
    long count = 0;
    fg_code rc = fg_store_members(fg_app_store(cli->app), &members, &count, err);
    for (long i = 0; i < count; i++)
        if (members[i].templates == 0)
            fg_cli_note(cli, "note: nothing is left to recognise %s by; enrol a video or photos with --add",
                        members[i].name);
    fg_members_free(members, count);
    return rc;
}

static void print_use(const fg_use_result *r, const fg_engine_info *info)
{
    const bool was = strcmp(r->before.model_hash, info->model_hash) == 0;
    printf("%s is %s embedder%s\n", info->embedder, was ? "already the team's" : "now the team's",
           was ? "" : ", for this and every later command");
    if (r->embedded || r->lost) {
        printf("  %ld template%s embedded again", r->embedded, fg_cli_s(r->embedded));
        if (r->resumed)
            printf(", %ld of them by an earlier try", r->resumed);
        if (r->lost)
            printf(", %ld given up", r->lost);
        printf(", %.1f s\n", r->elapsed_ms / 1000);
    }
    if (r->version)
        printf("classifier %lld is trained and active\n", (long long)r->version);
}

fg_code fg_cmd_models_use(fg_cli *cli, fg_error *err)
{
    static const fg_actor actor = {"cli", ""};
    fg_worker *worker = NULL;
    fg_use_result result = {0};
    fg_code rc = fg_app_open_engine(cli->app, cli->args[0], err);
    if (rc == FG_OK)
        rc = fg_worker_new(&worker, cli->app, err);
    if (rc == FG_OK)
        rc = fg_use_embedder(worker, &actor, &cli->progress, &result, err);
    fg_cli_progress_end(cli);
    fg_worker_free(worker);
    if (rc != FG_OK)
        return rc;
    const fg_engine_info *info = fg_engine_info_view(fg_app_engine(cli->app));
    if (cli->settings.json)
        fg_cli_print_json(json_pack("{s:s, s:s, s:o, s:I, s:I, s:I, s:o, s:f}", "embedder", info->embedder,
                                    "model_hash", info->model_hash, "before",
                                    result.before.name[0] ? json_string(result.before.name) : json_null(),
                                    "embedded", (json_int_t)result.embedded, "resumed",
                                    (json_int_t)result.resumed, "lost", (json_int_t)result.lost, "classifier",
                                    result.version ? json_integer((json_int_t)result.version) : json_null(),
                                    "elapsed_ms", result.elapsed_ms));
    else
        print_use(&result, info);
    return result.lost ? note_the_lost(cli, err) : FG_OK;
}
