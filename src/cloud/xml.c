#include "cloud/xml.h"

#include "base/buf.h"

#include <expat.h>
#include <limits.h>
#include <string.h>

enum { DEPTH_MAX = 16, PATH_MAX_BYTES = 512, TEXT_MAX_BYTES = 8 << 10 };

typedef struct reader {
    XML_Parser parser;
    char path[PATH_MAX_BYTES];
    size_t size;
    int depth;
    fg_buf text;
    bool (*each)(void *context, const char *path, const char *text);
    void *context;
    bool stopped, refused;
} reader;

static void refuse(reader *r)
{
    r->refused = true;
    XML_StopParser(r->parser, XML_FALSE);
}

static void on_start(void *context, const XML_Char *name, const XML_Char **attributes)
{
    reader *r = context;
    const char *colon = strrchr(name, ':');
    (void)attributes;
    if (colon)
        name = colon + 1;
    const size_t n = strlen(name);
    if (r->depth == DEPTH_MAX || r->size + n + 2 > sizeof r->path || strchr(name, '/')) {
        refuse(r);
        return;
    }
    if (r->size)
        r->path[r->size++] = '/';
    memcpy(r->path + r->size, name, n + 1);
    r->size += n;
    r->depth++;
    fg_buf_clear(&r->text);
}

static void on_end(void *context, const XML_Char *name)
{
    reader *r = context;
    (void)name;
    if (r->refused || r->stopped)
        return;
    if (!r->each(r->context, r->path, r->text.data ? (const char *)r->text.data : "")) {
        r->stopped = true;
        XML_StopParser(r->parser, XML_FALSE);
    }
    char *slash = strrchr(r->path, '/');
    r->size = slash ? (size_t)(slash - r->path) : 0;
    r->path[r->size] = 0;
    r->depth--;
    fg_buf_clear(&r->text);
}

static void on_text(void *context, const XML_Char *text, int size)
{
    reader *r = context;
    if (!r->refused && fg_buf_append(&r->text, text, (size_t)size, NULL) != FG_OK)
        refuse(r);
}

static void on_doctype(void *context, const XML_Char *name, const XML_Char *system, const XML_Char *public,
                       int has_internal)
{
    (void)name, (void)system, (void)public, (void)has_internal;
    refuse(context);
}

fg_code fg_xml_read(const void *data, size_t size, const char *what,
                    bool (*each)(void *context, const char *path, const char *text), void *context,
                    fg_error *err)
{
    fg_code rc = FG_OK;
    reader r = {.each = each, .context = context};
    if (size > INT_MAX)
        return FG_FAIL(err, FG_ERR_LIMIT, "%s: the answer is too large", what);
    fg_buf_init(&r.text, TEXT_MAX_BYTES);
    r.parser = XML_ParserCreate(NULL);
    if (!r.parser)
        return FG_FAIL(err, FG_ERR_MEMORY, "out of memory");
    XML_SetUserData(r.parser, &r);
    XML_SetElementHandler(r.parser, on_start, on_end);
    XML_SetCharacterDataHandler(r.parser, on_text);
    XML_SetStartDoctypeDeclHandler(r.parser, on_doctype);
    if ((size == 0 || XML_Parse(r.parser, data, (int)size, XML_TRUE) != XML_STATUS_OK) && !r.stopped)
        rc = FG_FAIL(err, FG_ERR_INPUT, "%s: the answer is not the XML that it should be", what);
    XML_ParserFree(r.parser);
    fg_buf_deinit(&r.text);
    return rc;
}
