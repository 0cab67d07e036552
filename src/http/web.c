/* The web app's files: from the program itself, or, while somebody works on them, from a folder. The
 * addresses are those of the built-in table either way, so that no path from outside ever reaches the file
 * system. */
#include "http/http.h"

#include "base/embedded.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern const fg_embedded fg_web_files[];

enum { MAX_FILES = 96, MAX_FILE_BYTES = 1 << 20 };

struct fg_web {
    char *folder;             /* NULL: built in */
    char tags[MAX_FILES][40]; /* ETags, by index in fg_web_files */
};

/* The pages of the app are one document, which looks at its own address. */
static const char *const pages[] = {"/",      "/team",   "/train", "/test",   "/activity", "/settings",
                                    "/about", "/signin", "/add",   "/member", "/kiosk"};

static const struct {
    const char *suffix, *type;
} types[] = {
    {".html", "text/html; charset=utf-8"},         {".css", "text/css; charset=utf-8"},
    {".js", "text/javascript; charset=utf-8"},     {".svg", "image/svg+xml"},
    {".webmanifest", "application/manifest+json"}, {".png", "image/png"},
};

fg_code fg_web_open(fg_web **web, const char *folder, fg_error *err)
{
    char hex[FG_SHA256_HEX];
    char index[FG_MAX_PATH];
    *web = NULL;
    if (folder) {
        fg_code rc = fg_path_join(index, sizeof index, folder, "index.html", err);
        if (rc == FG_OK && access(index, R_OK) != 0)
            rc = FG_FAIL_ERRNO(err, "--web: cannot read", index);
        if (rc != FG_OK)
            return rc;
    }
    *web = calloc(1, sizeof **web);
    if (!*web)
        return FG_FAIL(err, FG_ERR_MEMORY, "out of memory");
    for (int i = 0; i < MAX_FILES && fg_web_files[i].name; i++) {
        fg_sha256_hex(fg_web_files[i].data, fg_web_files[i].size, hex);
        snprintf((*web)->tags[i], sizeof(*web)->tags[i], "\"%.32s\"", hex);
    }
    if (folder && !((*web)->folder = strdup(folder))) {
        fg_web_close(*web);
        *web = NULL;
        return FG_FAIL(err, FG_ERR_MEMORY, "out of memory");
    }
    return FG_OK;
}

void fg_web_close(fg_web *web)
{
    if (web)
        free(web->folder);
    free(web);
}

static int find(const char *path)
{
    const char *name = path + 1;
    for (size_t i = 0; i < sizeof pages / sizeof *pages; i++)
        if (strcmp(path, pages[i]) == 0)
            name = "index.html";
    for (int i = 0; i < MAX_FILES && fg_web_files[i].name; i++)
        if (strcmp(fg_web_files[i].name, name) == 0)
            return i;
    return -1;
}

bool fg_web_has(const fg_web *web, const char *path)
{
    return web && *path == '/' && find(path) >= 0;
}

/* A browser that was given an address of nothing gets a page that says so; a program gets a problem. */
bool fg_web_says_missing(const fg_request *r)
{
    const char *accept = fg_request_header(r, "Accept");
    return r->server->web && strncmp(r->url, "/api/", 5) != 0 && accept && strstr(accept, "text/html");
}

static const char *type_of(const char *name)
{
    size_t n = strlen(name);
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        size_t m = strlen(types[i].suffix);
        if (n > m && strcmp(name + n - m, types[i].suffix) == 0)
            return types[i].type;
    }
    return "application/octet-stream";
}

static fg_code reply_from_folder(fg_request *r, unsigned status, const char *name, fg_error *err)
{
    char path[FG_MAX_PATH];
    fg_buf file;
    fg_buf_init(&file, MAX_FILE_BYTES);
    fg_code rc = fg_path_join(path, sizeof path, r->server->web->folder, name, err);
    if (rc == FG_OK && (rc = fg_file_read(path, &file, err)) == FG_OK) {
        uint8_t *data = file.data; /* the reply frees it */
        file.data = NULL;
        rc = fg_reply_bytes(r, status, type_of(name), data, file.size, err);
    }
    fg_buf_deinit(&file);
    return rc;
}

fg_code fg_web_reply(fg_request *r, fg_error *err)
{
    const fg_web *web = r->server->web;
    const fg_embedded *file = &fg_web_files[find(r->url)];
    const char *tag = web->tags[file - fg_web_files];
    fg_code rc;
    if (web->folder)
        return reply_from_folder(r, 200, file->name, err);
    rc = fg_request_knows(r, tag) ? fg_reply_empty(r, 304, err)
                                  : fg_reply_static(r, 200, type_of(file->name), file->data, file->size, err);
    fg_reply_header(r, "ETag", tag);
    fg_reply_header(r, "Cache-Control", "no-cache");
    return rc;
}

fg_code fg_web_reply_missing(fg_request *r, fg_error *err)
{
    const fg_embedded *file = &fg_web_files[find("/")];
    return r->server->web->folder ? reply_from_folder(r, 404, file->name, err)
                                  : fg_reply_static(r, 404, type_of(file->name), file->data, file->size, err);
}
