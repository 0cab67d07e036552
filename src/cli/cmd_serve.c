#include "cli/cli.h"

#include "http/server.h"

#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

/* A signal handler has no argument of its own: the one server of this process. */
static fg_server *running;

static void stop(int signum)
{
    (void)signum;
    fg_server_stop(running);
}

fg_code fg_cmd_serve(fg_cli *cli, fg_error *err)
{
    fg_server *server = NULL;
    char key[FG_KEY_TEXT] = "", link[FG_SERVER_LINK] = "";
    struct sigaction action = {.sa_handler = stop};
    fg_code rc = fg_server_open(&server, cli->app, key, err);
    if (rc != FG_OK)
        return rc;
    running = server;
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    if ((rc = fg_server_sign_in_link(server, link, err)) != FG_OK)
        goto done;
    if (cli->settings.json) {
        fg_cli_print_json(json_pack("{s:s, s:s, s:o}", "url", fg_server_url(server), "sign_in", link,
                                    "admin_key", key[0] ? json_string(key) : json_null()));
    } else {
        printf("Facegate is ready at %s\n", fg_server_url(server));
        printf("  sign in, once, within ten minutes: %s\n", link);
        if (key[0])
            printf("  admin key, shown this once, keep it safe: %s\n", key);
        fflush(stdout);
    }
    rc = fg_server_run(server, err);
done:
    sodium_memzero(key, sizeof key);
    sodium_memzero(link, sizeof link);
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
    running = NULL;
    fg_server_close(server);
    return rc;
}

fg_code fg_cmd_version(fg_cli *cli, fg_error *err)
{
    (void)err;
    if (cli->settings.json)
        fg_cli_print_json(json_pack("{s:s}", "version", fg_version()));
    else
        printf("facegate %s\n", fg_version());
    return FG_OK;
}
