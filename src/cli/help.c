#include "cli/cli.h"

#include <stdio.h>
#include <string.h>

static bool has_word(const char *words, const char *word)
{
    size_t n = strlen(word);
    for (const char *p = words; (p = strstr(p, word)); p += n)
        if ((p == words || p[-1] == ' ') && (p[n] == ' ' || p[n] == 0))
            return true;
    return false;
}

bool fg_cli_takes(const fg_command *command, const char *setting)
{
    return has_word(fg_common_settings, setting) || has_word(command->settings, setting);
}

static void print_setting(const fg_setting *s)
{
    char left[64];
    snprintf(left, sizeof left, "--%s%s%s", s->name, s->values ? " " : "", s->values ? s->values : "");
    printf("  %-34s %s", left, s->help);
    if (s->fallback && *s->fallback)
        printf(" (%s)", s->fallback);
    putchar('\n');
}

static void print_settings(const char *title, const char *words)
{
    bool any = false;
    for (size_t i = 0; i < fg_setting_count; i++) {
        const fg_setting *s = &fg_setting_table[i];
        if (s->secret || !has_word(words, s->name))
            continue;
        if (!any)
            printf("\n%s\n", title);
        any = true;
        print_setting(s);
    }
}

static void print_command(const fg_command *c)
{
    char left[64];
    snprintf(left, sizeof left, "%s %s", c->name, c->args);
    printf("  %-30s %s\n", left, c->summary);
}

bool fg_cli_help_group(const char *word)
{
    const size_t n = strlen(word);
    bool any = false;
    for (int i = 0; i < fg_command_count; i++) {
        if (strncmp(fg_commands[i].name, word, n) != 0 || fg_commands[i].name[n] != ' ')
            continue;
        if (!any)
            printf("usage: facegate %s COMMAND ...\n\n", word);
        any = true;
        print_command(&fg_commands[i]);
    }
    if (any)
        printf("\nfacegate %s COMMAND --help says more about a command.\n", word);
    return any;
}

void fg_cli_help(void)
{
    printf("Facegate %s: who is at the door, how sure are we, and may they come in?\n\n"
           "usage: facegate [--data DIR] [--json] COMMAND ...\n\n",
           fg_version());
    for (int i = 0; i < fg_command_count; i++)
        print_command(&fg_commands[i]);
    print_settings("Settings of every command:", fg_common_settings);
    printf("\nEach setting can also be given as a variable: --min-face as FACEGATE_MIN_FACE.\n"
           "facegate COMMAND --help says more about a command.\n\n"
           "A first team:\n"
           "    facegate enroll --name Ada --role engineer --right lab ada.mp4\n"
           "    facegate train\n"
           "    facegate verify photo.jpg\n");
}

void fg_cli_help_command(const fg_command *c)
{
    printf("usage: facegate %s%s%s%s\n\n%s\n", c->name, *c->settings ? " [SETTING]..." : "",
           *c->args ? " " : "", c->args, c->summary);
    if (c->help)
        printf("\n%s", c->help);
    print_settings("Settings:", c->settings);
    print_settings("Settings of every command:", fg_common_settings);
}

void fg_cli_help_markdown(void)
{
    printf("# Commands and settings\n\nMade by `facegate help --markdown`.\n\n## Commands\n");
    for (int i = 0; i < fg_command_count; i++) {
        const fg_command *c = &fg_commands[i];
        printf("\n### `facegate %s%s%s`\n\n%s\n", c->name, *c->args ? " " : "", c->args, c->summary);
        if (c->help)
            printf("\n%s", c->help);
        bool any = false;
        for (size_t k = 0; k < fg_setting_count; k++) {
            if (!has_word(c->settings, fg_setting_table[k].name))
                continue;
            printf("%s`--%s`", any ? ", " : "\nSettings: ", fg_setting_table[k].name);
            any = true;
        }
        printf("%s", any ? "\n" : "");
    }
    printf("\n## Settings\n\nA flag comes before its variable, and a variable before the default.\n\n"
           "| flag | variable | value | default | meaning |\n|---|---|---|---|---|\n");
    for (size_t k = 0; k < fg_setting_count; k++) {
        const fg_setting *s = &fg_setting_table[k];
        char variable[64], values[64];
        fg_setting_variable(s, variable, sizeof variable);
        snprintf(values, sizeof values, "%s", s->values ? s->values : "");
        for (char *p = values; *p; p++)
            if (*p == '|')
                *p = ','; /* a bar would end the table's cell */
        printf("| %s%s%s | `%s` | %s | %s | %s |\n", s->secret ? "" : "`--",
               s->secret ? "(variable only)" : s->name, s->secret ? "" : "`", variable, values,
               s->fallback ? s->fallback : "", s->help);
    }
}
