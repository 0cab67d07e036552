/* The blobs from a shell, for the tests that look at them from the other side with AWS's own clients:
 *   blob_tool put KEY FILE | get KEY FILE | range KEY OFFSET SIZE | list PREFIX | delete KEY | delete-prefix
 * PREFIX | link KEY with FACEGATE_BLOB and the settings' other variables. Errors go to stderr, in one line.
 */
#include "blob/blob.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool print_key(void *context, const char *key, uint64_t size)
{
    (void)context;
    printf("%s %llu\n", key, (unsigned long long)size);
    return true;
}

static void say(void *context, fg_log_level level, const char *line)
{
    (void)context, (void)level;
    fprintf(stderr, "note: %s\n", line);
}

static fg_code get(fg_blob *blob, const char *key, const char *path, fg_error *err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return FG_FAIL(err, FG_ERR_IO, "%s: cannot open", path);
    fg_code rc = fg_blob_get_fd(blob, key, fd, err);
    return close(fd) == 0 || rc != FG_OK ? rc : FG_FAIL(err, FG_ERR_IO, "%s: cannot write", path);
}

static fg_code run(fg_blob *blob, char **args, int count, fg_buf *out, fg_error *err)
{
    const char *verb = args[0], *key = args[1];
    if (strcmp(verb, "put") == 0 && count == 3)
        return fg_blob_put_file(blob, key, args[2], false, err);
    if (strcmp(verb, "get") == 0 && count == 3)
        return get(blob, key, args[2], err);
    if (strcmp(verb, "range") == 0 && count == 4)
        return fg_blob_get_range(blob, key, strtoull(args[2], NULL, 10), strtoull(args[3], NULL, 10), out,
                                 err);
    if (strcmp(verb, "list") == 0)
        return fg_blob_list(blob, key, print_key, NULL, err);
    if (strcmp(verb, "delete") == 0)
        return fg_blob_delete(blob, key, err);
    if (strcmp(verb, "delete-prefix") == 0)
        return fg_blob_delete_prefix(blob, key, err);
    if (strcmp(verb, "link") == 0)
        return fg_blob_link(blob, key, 60, out, err);
    return FG_FAIL(err, FG_ERR_USAGE, "what?");
}

int main(int argc, char **argv)
{
    const fg_log log = {.level = FG_LOG_INFO, .write = say};
    fg_settings settings;
    fg_blob *blob = NULL;
    fg_buf out;
    fg_error err = {0};
    if (argc < 3)
        return 2;
    fg_buf_init(&out, 64 << 20);
    fg_code rc = fg_settings_init(&settings, &err);
    if (rc == FG_OK)
        rc = fg_blob_open_with(&blob, settings.blob, &settings, &log, &err);
    if (rc == FG_OK)
        rc = run(blob, argv + 1, argc - 1, &out, &err);
    if (rc == FG_OK && out.size)
        fwrite(out.data, 1, out.size, stdout);
    if (rc != FG_OK)
        fprintf(stderr, "%s: %s\n", fg_code_name(rc), err.msg);
    fg_blob_close(blob);
    fg_buf_deinit(&out);
    return rc == FG_OK ? 0 : 1;
}
