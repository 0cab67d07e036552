/* POST /api/v1/look: what is seen in one picture, before anybody asks who it is. A page shows it while a
 * camera runs, to say what to do better and when it is worth asking /verify. Nothing is stored, recorded or
 * compared with the team. */
#include "http/http.h"

#include "media/image.h"

#include <math.h>

/* More than a hint needs: a page sends what it shows, not what the camera gives. */
enum { MAX_SIDE = 1280 };

typedef struct work {
    const void *data;
    size_t size;
    const char *path;
    fg_look look;
    double scale;
    int width, height; /* of the upright original */
    fg_code rc;
    fg_error err;
} work;

static void look(fg_worker *worker, void *context)
{
    work *w = context;
    fg_frame frame = {0};
    w->rc = w->path ? fg_image_load(&frame, w->path, MAX_SIDE, &w->scale, &w->err)
                    : fg_image_decode(&frame, w->data, w->size, MAX_SIDE, &w->scale, "photo", &w->err);
    if (w->rc != FG_OK && w->path)
        fg_error_rename(&w->err, w->path, "photo");
    if (w->rc == FG_OK)
        w->rc = fg_look_at(worker, &frame, &w->look, &w->err);
    w->width = (int)((double)frame.width * w->scale + 0.5);
    w->height = (int)((double)frame.height * w->scale + 0.5);
    fg_face_scale(&w->look.face, w->scale);
    fg_frame_deinit(&frame);
}

static json_t *tenths(float value)
{
    return isfinite(value) ? json_real(round((double)value * 10) / 10) : json_null();
}

static json_t *look_json(const work *w)
{
    const fg_quality *q = &w->look.quality;
    bool seen = w->look.face.width > 0, usable = w->look.reason == FG_REASON_NONE;
    json_t *quality = seen ? json_pack("{s:o, s:o, s:o, s:o, s:o}", "sharpness", tenths(q->sharpness),
                                       "brightness", tenths(q->brightness), "yaw", tenths(q->yaw), "pitch",
                                       tenths(q->pitch), "roll", tenths(q->roll))
                           : json_null();
    return json_pack("{s:i, s:i, s:i, s:o, s:o, s:b, s:o, s:o}", "width", w->width, "height", w->height,
                     "faces", w->look.faces, "face", seen ? fg_face_json(&w->look.face) : json_null(),
                     "quality", quality, "usable", usable, "reason",
                     usable ? json_null() : json_string(fg_reason_name(w->look.reason)), "text",
                     usable ? json_null() : json_string(fg_reason_text(w->look.reason)));
}

fg_code fg_api_look(fg_request *r, fg_error *err)
{
    const fg_body *body = &r->body;
    work w = {.data = body->memory.data, .size = body->memory.size, .path = body->path, .scale = 1};
    fg_code rc;
    if (body->kind == FG_BODY_FORM || (!w.path && w.size == 0))
        return FG_FAIL(err, FG_ERR_INPUT, "send the photo itself as the body");
    if ((rc = fg_pool_run(r->server->pool, look, &w, err)) != FG_OK)
        return rc;
    if (w.rc != FG_OK && err)
        *err = w.err;
    rc = w.rc == FG_OK ? fg_reply_json(r, 200, look_json(&w), err) : w.rc;
    fg_look_deinit(&w.look);
    return rc;
}
