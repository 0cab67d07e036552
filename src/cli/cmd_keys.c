#include "cli/cli.h"

#include "access/aws_keys.h"
#include "base/clock.h"

#include <sodium.h>
#include <stdio.h>

static const fg_actor actor = {"cli", ""};

static fg_code create_aws(fg_cli *cli, fg_error *err)
{
    const fg_settings *s = &cli->settings;
    char key_id[FG_AWS_KEY_ID] = "", secret[FG_AWS_SECRET] = "";
    char id[17] = "";
    uint8_t master[FG_MASTER_KEY];
    fg_scope scope;
    int64_t expires = s->expires_days ? fg_clock_unix_ms() + (int64_t)s->expires_days * 86400000 : 0;
    fg_code rc = fg_scope_parse(&scope, s->scope, err);
    if (rc == FG_OK)
        rc = fg_master_key_load(master, s->data, s->master_key, true, err);
    if (rc == FG_OK)
        rc = fg_aws_key_create(fg_app_store(cli->app), master, scope, s->label, expires, key_id, secret, err);
    if (rc == FG_OK && fg_aws_key_parse(key_id, id))
        rc = fg_record(cli->app, &actor, "key_create", id, err);
    if (rc == FG_OK && s->json)
        fg_cli_print_json(json_pack("{s:s, s:s, s:s}", "access_key_id", key_id, "secret_access_key", secret,
                                    "scope", fg_scope_name(scope)));
    else if (rc == FG_OK) /* as the AWS tools read it from ~/.aws/credentials */
        printf("aws_access_key_id = %s\naws_secret_access_key = %s\n", key_id, secret);
    if (rc == FG_OK)
        fg_cli_note(cli, "note: this is the only time that the secret is shown");
    sodium_memzero(secret, sizeof secret);
    sodium_memzero(master, sizeof master);
    return rc;
}

fg_code fg_cmd_keys_create(fg_cli *cli, fg_error *err)
{
    if (cli->settings.aws)
        return create_aws(cli, err);

    const fg_settings *s = &cli->settings;
    char text[FG_KEY_TEXT] = "", id[17] = "";
    fg_scope scope;
    int64_t expires = s->expires_days ? fg_clock_unix_ms() + (int64_t)s->expires_days * 86400000 : 0;
    fg_code rc = fg_scope_parse(&scope, s->scope, err);
    if (rc == FG_OK)
        rc = fg_access_key_create(fg_app_store(cli->app), scope, s->label, expires, text, err);
    if (rc == FG_OK && fg_access_key_parse(text, id))
        rc = fg_record(cli->app, &actor, "key_create", id, err);
    if (rc == FG_OK && s->json)
        fg_cli_print_json(json_pack("{s:s, s:s}", "key", text, "scope", fg_scope_name(scope)));
    else if (rc == FG_OK)
        printf("%s\n", text);
    if (rc == FG_OK)
        fg_cli_note(cli, "note: this is the only time that the key is shown");
    sodium_memzero(text, sizeof text);
    return rc;
}

static json_t *key_json(const fg_key *k)
{
    const struct {
        const char *name;
        int64_t time_ms;
    } times[] = {{"created", k->created_ms},
                 {"expires", k->expires_ms},
                 {"revoked", k->revoked_ms},
                 {"used", k->used_ms}};
    json_t *document = json_pack("{s:s, s:s, s:s}", "id", k->id, "scope", k->scope, "label", k->label);
    char key_id[FG_AWS_KEY_ID];
    fg_aws_key_name(k->id, key_id);
    json_object_set_new(document, "access_key_id", k->aws ? json_string(key_id) : json_null());
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        char text[FG_TIME_TEXT];
        fg_clock_text(times[i].time_ms, text);
        json_object_set_new(document, times[i].name, times[i].time_ms ? json_string(text) : json_null());
    }
    return document;
}

static void print_day(const char *what, int64_t time_ms)
{
    char text[FG_TIME_TEXT];
    fg_clock_text(time_ms, text);
    printf("  %s %-10.10s", what, time_ms ? text : "never");
}

static void print_key(const fg_key *k, const char *state, const char *key_id)
{
    printf("%s  %-7s %-8s", k->id, k->scope, state);
    print_day("expires", k->expires_ms);
    print_day("used", k->used_ms);
    if (*k->label)
        printf("  %s", k->label);
    if (key_id)
        printf("  (%s)", key_id);
    putchar('\n');
}

fg_code fg_cmd_keys_list(fg_cli *cli, fg_error *err)
{
    fg_key *keys = NULL;
    long count = 0;
    fg_code rc = fg_store_keys(fg_app_store(cli->app), &keys, &count, err);
    if (rc != FG_OK)
        return rc;
    for (long i = 0; i < count; i++) {
        const fg_key *k = &keys[i];
        char key_id[FG_AWS_KEY_ID];
        fg_aws_key_name(k->id, key_id);
        bool expired = k->expires_ms && k->expires_ms <= fg_clock_unix_ms();
        if (cli->settings.json)
            fg_cli_print_json(key_json(k));
        else
            print_key(k, k->revoked_ms ? "revoked" : expired ? "expired" : "alive", k->aws ? key_id : NULL);
    }
    fg_keys_free(keys, count);
    return FG_OK;
}

fg_code fg_cmd_keys_revoke(fg_cli *cli, fg_error *err)
{
    char id[17];
    const char *name = fg_aws_key_parse(cli->args[0], id) ? id : cli->args[0]; /* either name will do */
    fg_code rc = fg_store_key_revoke(fg_app_store(cli->app), name, fg_clock_unix_ms(), err);
    if (rc == FG_OK)
        rc = fg_record(cli->app, &actor, "key_revoke", name, err);
    if (rc == FG_OK && cli->settings.json)
        fg_cli_print_json(json_pack("{s:s, s:b}", "id", cli->args[0], "revoked", 1));
    else if (rc == FG_OK)
        printf("%s is revoked\n", cli->args[0]);
    return rc;
}
