/* /api/v1/members */
#include "http/http.h"

#include "base/clock.h"
#include "http/thumb.h"
#include "media/image.h"
#include "media/video.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static json_t *member_json(const fg_member *m)
{
    char portrait[64];
    json_t *document = fg_member_json(m);
    snprintf(portrait, sizeof portrait, "/api/v1/members/%lld/portrait", (long long)m->id);
    if (document) {
        json_object_set_new(document, "portrait", m->templates ? json_string(portrait) : json_null());
        json_object_set_new(document, "added", fg_time_json(m->added_ms));
    }
    return document;
}

fg_code fg_api_members_list(fg_request *r, fg_error *err)
{
    fg_member *members = NULL;
    long count = 0, from, to;
    fg_code rc = fg_store_members(fg_app_store(r->server->app), &members, &count, err);
    if (rc != FG_OK || (rc = fg_request_page(r, count, FG_MAX_MEMBERS, &from, &to, err)) != FG_OK)
        goto done;
    json_t *list = json_array();
    for (long i = from; i < to; i++)
        json_array_append_new(list, member_json(&members[i]));
    rc = fg_reply_tagged(r, json_pack("{s:o}", "members", list), err);
    if (rc == FG_OK && to < count)
        fg_reply_next(r, "offset", to);
done:
    fg_members_free(members, count);
    return rc;
}

static fg_code load_member(const fg_request *r, fg_member *member, fg_error *err)
{
    int64_t id;
    fg_code rc = fg_request_id_param(r, 0, &id, err);
    *member = (fg_member){0};
    return rc == FG_OK ? fg_store_member_by_id(fg_app_store(r->server->app), id, member, err) : rc;
}

fg_code fg_api_member_get(fg_request *r, fg_error *err)
{
    fg_member member;
    fg_code rc = load_member(r, &member, err);
    if (rc == FG_OK)
        rc = fg_reply_json(r, 200, member_json(&member), err);
    fg_member_deinit(&member);
    return rc;
}

static fg_code read_rights(const json_t *object, const char *rights[FG_MAX_RIGHTS], int *count, fg_error *err)
{
    const json_t *array = json_object_get(object, "rights");
    *count = -1;
    if (!array || json_is_null(array))
        return FG_OK;
    char checked[FG_MAX_NAME_BYTES + 1];
    size_t n = json_array_size(array);
    if (!json_is_array(array) || n > FG_MAX_RIGHTS)
        return FG_FAIL(err, FG_ERR_INPUT, "rights: give a list of at most %d texts", FG_MAX_RIGHTS);
    for (size_t i = 0; i < n; i++) {
        rights[i] = json_string_value(json_array_get(array, i));
        if (!rights[i])
            return FG_FAIL(err, FG_ERR_INPUT, "rights: each is a text");
        fg_code rc = fg_request_name(checked, "right", rights[i], err);
        if (rc != FG_OK)
            return rc;
    }
    *count = (int)n;
    return FG_OK;
}

fg_code fg_api_member_set(fg_request *r, fg_error *err)
{
    const char *rights[FG_MAX_RIGHTS];
    char name[FG_MAX_NAME_BYTES + 1], role[FG_MAX_NAME_BYTES + 1];
    fg_member_change change = {0};
    fg_member member = {0};
    json_t *object = NULL;
    fg_actor actor = {r->who, r->address};
    int count;
    fg_code rc = load_member(r, &member, err);
    if (rc != FG_OK || (rc = fg_request_json(r, &object, err)) != FG_OK ||
        (rc = fg_json_name(object, "name", name, err)) != FG_OK ||
        (rc = fg_json_name(object, "role", role, err)) != FG_OK ||
        (rc = read_rights(object, rights, &count, err)) != FG_OK)
        goto done;
    change.name = *name ? name : NULL;
    change.role = *role ? role : NULL;
    if (count >= 0) {
        change.rights = rights;
        change.right_count = count;
    }
    int64_t id = member.id;
    if ((rc = fg_member_set(r->server->app, id, &change, &actor, err)) != FG_OK)
        goto done;
    fg_member_deinit(&member);
    member = (fg_member){0};
    if ((rc = fg_store_member_by_id(fg_app_store(r->server->app), id, &member, err)) == FG_OK)
        rc = fg_reply_json(r, 200, member_json(&member), err);
done:
    json_decref(object);
    fg_member_deinit(&member);
    return rc;
}

fg_code fg_api_member_remove(fg_request *r, fg_error *err)
{
    fg_member member;
    int64_t version;
    fg_actor actor = {r->who, r->address};
    fg_code rc = load_member(r, &member, err);
    if (rc == FG_OK) {
        rc = fg_member_remove(r->server->app, member.id, &actor, &version, err);
        r->fault_told = rc == FG_ERR_IO;
    }
    fg_jobs_forget(r->server->jobs);
    fg_member_deinit(&member);
    return rc == FG_OK ? fg_reply_empty(r, 204, err) : rc;
}

fg_code fg_api_member_sources(fg_request *r, fg_error *err)
{
    fg_member member;
    fg_source *sources = NULL;
    long count = 0, from, to;
    fg_code rc = load_member(r, &member, err);
    if (rc == FG_OK)
        rc = fg_store_sources(fg_app_store(r->server->app), member.id, &sources, &count, err);
    if (rc == FG_OK)
        rc = fg_request_page(r, count, FG_HTTP_PAGE, &from, &to, err);
    if (rc == FG_OK) {
        json_t *list = json_array();
        for (long i = from; i < to; i++) {
            const fg_source *s = &sources[i];
            json_array_append_new(
                list, json_pack("{s:I, s:s, s:s, s:s, s:i, s:i, s:I, s:I, s:b, s:o}", "id", (json_int_t)s->id,
                                "name", s->name, "kind", s->kind, "sha256", s->sha256, "every", s->every,
                                "rotation", s->rotation, "frames_sampled", (json_int_t)s->frames_sampled,
                                "faces_used", (json_int_t)s->faces_used, "original_kept", s->blob_key != NULL,
                                "created", fg_time_json(s->created_ms)));
        }
        rc = fg_reply_json(r, 200, json_pack("{s:o}", "sources", list), err);
        if (rc == FG_OK && to < count)
            fg_reply_next(r, "offset", to);
    }
    fg_sources_free(sources, count);
    fg_member_deinit(&member);
    return rc;
}

static fg_code load_chips(const fg_request *r, fg_template **chips, long *count, fg_error *err)
{
    fg_member member;
    *chips = NULL;
    *count = 0;
    fg_code rc = load_member(r, &member, err);
    if (rc == FG_OK)
        rc = fg_store_template_chips(fg_app_store(r->server->app), member.id, chips, count, err);
    fg_member_deinit(&member);
    return rc;
}

fg_code fg_api_member_chips(fg_request *r, fg_error *err)
{
    fg_template *chips;
    long count;
    long from, to;
    fg_code rc = load_chips(r, &chips, &count, err);
    if (rc != FG_OK ||
        (rc = fg_request_page(r, count, FG_MAX_TEMPLATES_PER_MEMBER, &from, &to, err)) != FG_OK)
        goto done;
    json_t *list = json_array();
    for (long i = from; i < to; i++) {
        char url[96];
        snprintf(url, sizeof url, "/api/v1/members/%s/chips/%lld", r->params[0], (long long)chips[i].id);
        if (chips[i].chip_key)
            json_array_append_new(list, json_pack("{s:I, s:s}", "id", (json_int_t)chips[i].id, "image", url));
    }
    rc = fg_reply_json(r, 200, json_pack("{s:o}", "chips", list), err);
    if (rc == FG_OK && to < count)
        fg_reply_next(r, "offset", to);
done:
    fg_templates_free(chips, count);
    return rc;
}

/* ?thumb: a tenth of the bytes, for lists of many. */
static fg_code reply_thumb(fg_request *r, const fg_buf *image, fg_error *err)
{
    fg_frame frame = {0};
    uint8_t *data = NULL;
    size_t size;
    double scale;
    fg_code rc = fg_image_decode(&frame, image->data, image->size, FG_THUMB_SIDE * 4, &scale, "chip", err);
    if (rc == FG_OK && (rc = fg_thumb_make(&frame, &data, &size, err)) == FG_OK)
        rc = fg_reply_bytes(r, 200, "image/jpeg", data, size, err);
    fg_frame_deinit(&frame);
    return rc;
}

static fg_code reply_chip(fg_request *r, const char *key, fg_error *err)
{
    fg_buf image;
    fg_code rc;
    fg_buf_init(&image, FG_MAX_PHOTO_BYTES);
    if ((rc = fg_blob_get(fg_app_blob(r->server->app), key, &image, err)) == FG_OK) {
        if (fg_request_flag(r, "thumb")) {
            rc = reply_thumb(r, &image, err);
        } else {
            uint8_t *data = image.data; /* the reply frees it */
            image.data = NULL;
            rc = fg_reply_bytes(r, 200, "image/png", data, image.size, err);
        }
        /* A chip never changes, but it may be deleted for good: keep no copy for long, and never a shared
         * one. */
        fg_reply_header(r, "Cache-Control", "private, max-age=300");
    } else if (rc == FG_ERR_NOT_FOUND) {
        rc = FG_FAIL(err, rc, "this picture is not kept any more");
    }
    fg_buf_deinit(&image);
    return rc;
}

fg_code fg_api_member_chip(fg_request *r, fg_error *err)
{
    fg_template *chips;
    long count;
    int64_t id;
    fg_code rc = load_chips(r, &chips, &count, err);
    if (rc == FG_OK && (rc = fg_request_id_param(r, 1, &id, err)) == FG_OK) {
        rc = FG_FAIL(err, FG_ERR_NOT_FOUND, "this member has no such chip");
        for (long i = 0; i < count; i++)
            if (chips[i].id == id && chips[i].chip_key)
                rc = reply_chip(r, chips[i].chip_key, err);
    }
    fg_templates_free(chips, count);
    return rc;
}

/* The middle one: a video often begins and ends with a hand on the camera. */
fg_code fg_api_member_portrait(fg_request *r, fg_error *err)
{
    fg_template *chips;
    long count;
    fg_code rc = load_chips(r, &chips, &count, err);
    if (rc == FG_OK)
        rc = count && chips[count / 2].chip_key
                 ? reply_chip(r, chips[count / 2].chip_key, err)
                 : FG_FAIL(err, FG_ERR_NOT_FOUND, "this member has no picture");
    fg_templates_free(chips, count);
    return rc;
}

/* -- enrolment: the form into an order -- */

static fg_code field_int(const fg_body *body, const char *name, int min, int max, int *value, fg_error *err)
{
    const char *text = fg_body_field(body, name);
    if (!text || !*text)
        return FG_OK;
    size_t digits = strspn(text, "0123456789");
    long number = digits && digits < 9 && !text[digits] ? strtol(text, NULL, 10) : -1;
    if (number < min || number > max)
        return FG_FAIL(err, FG_ERR_INPUT, "%s: give a whole number from %d to %d", name, min, max);
    *value = (int)number;
    return FG_OK;
}

static bool field_flag(const fg_body *body, const char *name, bool fallback)
{
    const char *text = fg_body_field(body, name);
    return text && *text ? strcmp(text, "1") == 0 || strcmp(text, "true") == 0 || strcmp(text, "on") == 0
                         : fallback;
}

static fg_code copy_field(char **out, const fg_body *body, const char *name, fg_error *err)
{
    const char *text = fg_body_field(body, name);
    char trimmed[FG_MAX_NAME_BYTES + 1];
    if (!text)
        return FG_OK;
    fg_code rc = fg_request_name(trimmed, name, text, err);
    if (rc != FG_OK)
        return rc;
    return (*out = strdup(trimmed)) ? FG_OK : FG_FAIL(err, FG_ERR_MEMORY, "out of memory");
}

static fg_code take_file(fg_job_order *order, fg_part *part, fg_error *err)
{
    if (part->size == 0)
        return FG_FAIL(err, FG_ERR_INPUT, "%s: the file is empty; choose a video or photos", part->filename);
    order->files[order->file_count++] = (fg_job_file){.path = part->path, .name = part->filename};
    part->path = part->filename = NULL;
    return FG_OK;
}

/* The id of a resumable upload, instead of a file. It is moved when the job is taken, not before. */
static fg_code take_upload(fg_request *r, fg_job_order *order, const char *id, fg_error *err)
{
    fg_upload upload;
    fg_code rc = fg_uploads_get(r->server->uploads, id, &upload, err);
    if (rc != FG_OK)
        return rc == FG_ERR_NOT_FOUND
                   ? FG_FAIL(err, FG_ERR_INPUT, "upload: there is no %.40s; upload it first", id)
                   : rc;
    if (upload.offset != upload.length)
        return FG_FAIL(err, FG_ERR_STATE, "%s: the upload is not finished", upload.name);
    fg_job_file *file = &order->files[order->file_count++];
    *file = (fg_job_file){.path = strdup(upload.path), .name = strdup(upload.name)};
    memcpy(file->upload, upload.id, sizeof file->upload);
    return file->path && file->name ? FG_OK : FG_FAIL(err, FG_ERR_MEMORY, "out of memory");
}

static fg_code take_right(fg_job_order *order, const char *text, fg_error *err)
{
    char trimmed[FG_MAX_NAME_BYTES + 1];
    if (order->right_count == FG_MAX_RIGHTS)
        return FG_FAIL(err, FG_ERR_INPUT, "right: give at most %d of them", FG_MAX_RIGHTS);
    fg_code rc = fg_request_name(trimmed, "right", text, err);
    if (rc != FG_OK)
        return rc;
    if (!(order->rights[order->right_count] = strdup(trimmed)))
        return FG_FAIL(err, FG_ERR_MEMORY, "out of memory");
    order->right_count++;
    return FG_OK;
}

static fg_code take_parts(fg_request *r, fg_job_order *order, fg_error *err)
{
    fg_body *body = &r->body;
    fg_code rc = FG_OK;
    order->rights = calloc(FG_MAX_RIGHTS, sizeof *order->rights);
    order->files = calloc(FG_BODY_FILES, sizeof *order->files);
    if (!order->rights || !order->files)
        return FG_FAIL(err, FG_ERR_MEMORY, "out of memory");
    for (int i = 0; i < body->part_count && rc == FG_OK; i++) {
        fg_part *part = &body->parts[i];
        const bool upload = part->text && strcmp(part->name, "upload") == 0 && *part->text;
        if ((part->path || upload) && order->file_count == FG_BODY_FILES)
            rc = FG_FAIL(err, FG_ERR_LIMIT, "send at most %d files at once", FG_BODY_FILES);
        else if (part->path)
            rc = take_file(order, part, err);
        else if (upload)
            rc = take_upload(r, order, part->text, err);
        else if (part->text && strcmp(part->name, "right") == 0 && *part->text)
            rc = take_right(order, part->text, err);
    }
    if (rc == FG_OK && order->file_count == 0)
        rc = FG_FAIL(err, FG_ERR_INPUT,
                     "the form has no file; add a video or photos as `video`, or the id of an `upload`");
    return rc;
}

static fg_code read_order(fg_request *r, fg_job_order *order, fg_error *err)
{
    const fg_settings *settings = r->server->settings;
    fg_code rc;
    *order =
        (fg_job_order){.kind = FG_JOB_ENROLL, .every = (int)fg_tuning_get(r->server->app, FG_TUNE_EVERY)};
    fg_request_order(r, order);
    if ((rc = field_int(&r->body, "every", 1, 10000, &order->every, err)) != FG_OK ||
        (rc = fg_video_read_rotation(fg_body_field(&r->body, "rotate"), &order->rotate, err)) != FG_OK)
        return rc;
    order->keep_frames = field_flag(&r->body, "keep_frames", settings->keep_frames);
    order->keep_originals =
        field_flag(&r->body, "keep_originals", fg_tuning_get(r->server->app, FG_TUNE_KEEP_ORIGINALS) != 0);
    return take_parts(r, order, err);
}

/* A new member. That the name is free is looked at now, so that the answer need not wait for the job; the
 * enrolment's own transaction decides. */
fg_code fg_api_members_add(fg_request *r, fg_error *err)
{
    fg_job_order order;
    fg_member member = {0};
    fg_code rc = read_order(r, &order, err);
    if (rc != FG_OK || (rc = copy_field(&order.name, &r->body, "name", err)) != FG_OK ||
        (rc = copy_field(&order.role, &r->body, "role", err)) != FG_OK)
        goto done;
    if (!order.name || !order.role) {
        rc = FG_FAIL(err, FG_ERR_INPUT, "the form needs the fields `name` and `role`");
        goto done;
    }
    if (!*order.idempotency_key) {
        rc = fg_store_member_by_name(fg_app_store(r->server->app), order.name, &member, err);
        if (rc == FG_OK) {
            rc = FG_FAIL(err, FG_ERR_EXISTS,
                         "%s is a member already; choose another name, or add the files to that member",
                         order.name);
            goto done;
        }
        if (rc != FG_ERR_NOT_FOUND)
            goto done;
    }
    rc = fg_reply_job(r, &order, err);
done:
    fg_member_deinit(&member);
    fg_job_order_deinit(&order);
    return rc;
}

/* More files of a member. */
fg_code fg_api_member_enroll(fg_request *r, fg_error *err)
{
    fg_job_order order = {0};
    fg_member member;
    fg_code rc = load_member(r, &member, err);
    if (rc != FG_OK || (rc = read_order(r, &order, err)) != FG_OK)
        goto done;
    if (order.right_count || fg_body_field(&r->body, "role")) {
        rc = FG_FAIL(err, FG_ERR_INPUT,
                     "the fields `role` and `right` are for new members; change this one's with PATCH");
        goto done;
    }
    order.add = true;
    order.member_id = member.id;
    if (!(order.name = strdup(member.name)) || !(order.role = strdup(member.role))) {
        rc = FG_FAIL(err, FG_ERR_MEMORY, "out of memory");
        goto done;
    }
    rc = fg_reply_job(r, &order, err);
done:
    fg_member_deinit(&member);
    fg_job_order_deinit(&order);
    return rc;
}
