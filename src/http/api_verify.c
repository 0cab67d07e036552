/* POST /api/v1/verify: the photo itself, or a form with it. */
#include "http/http.h"

#include "base/clock.h"
#include "media/image.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct work {
    fg_verify_request request;
    fg_verification verification;
    fg_code rc;
    fg_error err;
} work;

static void verify(fg_worker *worker, void *context)
{
    work *w = context;
    w->rc = fg_verify(worker, &w->request, &w->verification, &w->err);
}

/* The body as a file or as bytes; of a form, its one file. */
static fg_code find_photo(fg_request *r, fg_verify_request *request, fg_error *err)
{
    const fg_body *body = &r->body;
    request->name = "photo";
    if (body->kind == FG_BODY_FORM) {
        for (int i = 0; i < body->part_count; i++)
            if (body->parts[i].path && !request->path) {
                request->path = body->parts[i].path;
                request->name = body->parts[i].filename;
                if (body->parts[i].size == 0)
                    return FG_FAIL(err, FG_ERR_INPUT, "%s: the file is empty", body->parts[i].filename);
            }
        if (!request->path || body->file_count > 1)
            return FG_FAIL(err, FG_ERR_INPUT, "the form must have one file, the photo");
        return FG_OK;
    }
    request->path = body->path;
    if (!body->path) {
        request->data = body->memory.data;
        request->size = body->memory.size;
        if (request->size == 0)
            return FG_FAIL(err, FG_ERR_INPUT, "the body is empty; send a photo");
    }
    return FG_OK;
}

/* A PNG as a data: URL, so that the picture of a face that nobody keeps need not be kept to be shown. */
static json_t *chip_json(const fg_frame *chip)
{
    static const char prefix[] = "data:image/png;base64,";
    uint8_t *png = NULL;
    size_t size = 0;
    json_t *url = NULL;
    if (!chip->rgb || fg_image_encode_png(chip, &png, &size, NULL) != FG_OK)
        return json_null();
    size_t room = sodium_base64_ENCODED_LEN(size, sodium_base64_VARIANT_ORIGINAL);
    char *text = malloc(sizeof prefix + room);
    if (text) {
        memcpy(text, prefix, sizeof prefix);
        sodium_bin2base64(text + sizeof prefix - 1, room, png, size, sodium_base64_VARIANT_ORIGINAL);
        url = json_string(text);
    }
    free(text);
    free(png);
    return url ? url : json_null();
}

/* ?detail: what a page shows beside the verdict. */
static void add_detail(json_t *document, const fg_verification *v)
{
    json_t *texts = json_array();
    for (int i = 0; i < v->decision.reason_count; i++)
        json_array_append_new(texts, json_string(fg_reason_text(v->decision.reasons[i])));
    json_t *detail =
        json_pack("{s:o, s:i, s:i, s:i, s:o, s:{s:f, s:f, s:f, s:f, s:f}}", "texts", texts, "faces", v->faces,
                  "width", v->width, "height", v->height, "chip", chip_json(&v->chip), "timings", "decode_ms",
                  v->decode_ms, "detect_ms", v->detect_ms, "embed_ms", v->embed_ms, "decide_ms", v->decide_ms,
                  "record_ms", v->record_ms);
    if (detail)
        json_object_set_new(document, "detail", detail);
}

fg_code fg_api_verify(fg_request *r, fg_error *err)
{
    work w = {.request = {.actor = {r->who, r->address}}};
    fg_code rc = fg_request_required_right(r, &w.request.required_right, err);
    if (rc != FG_OK || (rc = find_photo(r, &w.request, err)) != FG_OK ||
        (rc = fg_pool_run(r->server->pool, verify, &w, err)) != FG_OK)
        return rc;
    if (w.rc != FG_OK) {
        if (err)
            *err = w.err;
        rc = w.rc;
    } else {
        json_t *document = fg_verification_json(&w.verification, r->server->app, w.request.name);
        if (document && fg_request_flag(r, "detail"))
            add_detail(document, &w.verification);
        rc = fg_reply_json(r, 200, document, err);
        fg_metrics_verification(&r->server->metrics, &w.verification,
                                fg_clock_monotonic_ms() - r->started_ms);
    }
    fg_verification_deinit(&w.verification);
    return rc;
}
