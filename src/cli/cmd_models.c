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

static json_t *model_json(const fg_model *m)
{
    json_t *files = json_array();
    for (int i = 0; i < m->file_count; i++) {
        const fg_model_file *f = &m->files[i];
        json_array_append_new(files, json_pack("{s:s, s:I, s:s, s:s, s:o}", "file", f->name, "bytes",
                                               (json_int_t)f->bytes, "sha256", f->sha256, "url", f->url,
                                               "path", f->path[0] ? json_string(f->path) : json_null()));
    }
    return json_pack("{s:s, s:s, s:b, s:b, s:s, s:s, s:o}", "name", m->name, "kind", m->kind, "default",
                     m->is_default, "here", is_here(m), "licence", m->licence, "description", m->description,
                     "files", files);
}

fg_code fg_cmd_models_list(fg_cli *cli, fg_error *err)
{
    fg_models *models = NULL;
    fg_code rc = fg_models_load(&models, fg_app_model_path(cli->app), err);
    if (rc != FG_OK)
        return rc;
    for (int i = 0; i < models->count; i++) {
        const fg_model *m = &models->models[i];
        uint64_t bytes = 0;
        for (int k = 0; k < m->file_count; k++)
            bytes += m->files[k].bytes;
        if (cli->settings.json)
            fg_cli_print_json(model_json(m));
        else
            printf("%c %-20s %-9s %6.1f MB  %-10s %s\n", m->is_default ? '*' : ' ', m->name, m->kind,
                   (double)bytes / 1e6, is_here(m) ? "here" : "not here", m->licence);
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
