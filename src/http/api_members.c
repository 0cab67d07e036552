/* /api/v1/members */
#include "http/http.h"

#include "base/clock.h"
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
    if (document)
        json_object_set_new(document, "portrait", m->templates ? json_string(portrait) : json_null());
    return document;
}

/* So that who polls a list pays for what has changed alone. */
static fg_code reply_tagged(fg_request *r, json_t *document, fg_error *err)
{
    char tag[FG_SHA256_HEX + 2], quoted[40];
    char *text = document ? json_dumps(document, JSON_COMPACT | JSON_REAL_PRECISION(15)) : NULL;
    fg_code rc;
    json_decref(document);
    if (!text)
        return FG_FAIL(err, FG_ERR_MEMORY, "out of memory");
    fg_sha256_hex(text, strlen(text), tag);
    snprintf(quoted, sizeof quoted, "\"%.32s\"", tag);
    const char *known = fg_request_header(r, "If-None-Match");
    if (known && strstr(known, quoted)) {
        free(text);
        rc = fg_reply_empty(r, 304, err);
    } else {
        rc = fg_reply_bytes(r, 200, "application/json", text, strlen(text), err);
    }
    if (rc == FG_OK) {
        fg_reply_header(r, "ETag", quoted);
        fg_reply_header(r, "Cache-Control", "no-cache");
    }
    return rc;
}

fg_code fg_api_members_list(fg_request *r, fg_error *err)
{
    fg_member *members = NULL;
    long count = 0;
    fg_code rc = fg_store_members(fg_app_store(r->server->app), &members, &count, err);
    if (rc != FG_OK)
        return rc;
    json_t *list = json_array();
    for (long i = 0; i < count; i++)
        json_array_append_new(list, member_json(&members[i]));
    fg_members_free(members, count);
    return reply_tagged(r, json_pack("{s:o}", "members", list), err);
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
    size_t n = json_array_size(array);
    if (!json_is_array(array) || n > FG_MAX_RIGHTS)
        return FG_FAIL(err, FG_ERR_INPUT, "rights: give a list of at most %d texts", FG_MAX_RIGHTS);
    for (size_t i = 0; i < n; i++) {
        rights[i] = json_string_value(json_array_get(array, i));
        if (!rights[i] || !fg_is_name(rights[i]))
            return FG_FAIL(err, FG_ERR_INPUT, "rights: each is a text of 1 to %d bytes", FG_MAX_NAME_BYTES);
    }
    *count = (int)n;
    return FG_OK;
}

fg_code fg_api_member_set(fg_request *r, fg_error *err)
{
    const char *rights[FG_MAX_RIGHTS];
    fg_member_change change = {0};
    fg_member member = {0};
    json_t *object = NULL;
    fg_actor actor = {r->who, r->address};
    int count;
    fg_code rc = load_member(r, &member, err);
    if (rc != FG_OK || (rc = fg_request_json(r, &object, err)) != FG_OK ||
        (rc = fg_json_name(object, "name", &change.name, err)) != FG_OK ||
        (rc = fg_json_name(object, "role", &change.role, err)) != FG_OK ||
        (rc = read_rights(object, rights, &count, err)) != FG_OK)
        goto done;
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
    int64_t id, version;
    fg_actor actor = {r->who, r->address};
    fg_code rc = fg_request_id_param(r, 0, &id, err);
    if (rc == FG_OK)
        rc = fg_member_remove(r->server->app, id, &actor, &version, err);
    return rc == FG_OK ? fg_reply_empty(r, 204, err) : rc;
}

fg_code fg_api_member_sources(fg_request *r, fg_error *err)
{
    fg_member member;
    fg_source *sources = NULL;
    long count = 0;
    fg_code rc = load_member(r, &member, err);
    if (rc == FG_OK)
        rc = fg_store_sources(fg_app_store(r->server->app), member.id, &sources, &count, err);
    if (rc == FG_OK) {
        json_t *list = json_array();
        for (long i = 0; i < count; i++) {
            const fg_source *s = &sources[i];
            char created[FG_TIME_TEXT];
            fg_clock_text(s->created_ms, created);
            json_array_append_new(
                list, json_pack("{s:I, s:s, s:s, s:s, s:i, s:i, s:I, s:I, s:b, s:s}", "id", (json_int_t)s->id,
                                "name", s->name, "kind", s->kind, "sha256", s->sha256, "every", s->every,
                                "rotation", s->rotation, "frames_sampled", (json_int_t)s->frames_sampled,
                                "faces_used", (json_int_t)s->faces_used, "original_kept", s->blob_key != NULL,
                                "created", created));
        }
        rc = fg_reply_json(r, 200, json_pack("{s:o}", "sources", list), err);
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
    fg_code rc = load_chips(r, &chips, &count, err);
    if (rc != FG_OK)
        return rc;
    json_t *list = json_array();
    for (long i = 0; i < count; i++) {
        char url[96];
        snprintf(url, sizeof url, "/api/v1/members/%s/chips/%lld", r->params[0], (long long)chips[i].id);
        if (chips[i].chip_key)
            json_array_append_new(list, json_pack("{s:I, s:s}", "id", (json_int_t)chips[i].id, "image", url));
    }
    fg_templates_free(chips, count);
    return fg_reply_json(r, 200, json_pack("{s:o}", "chips", list), err);
}

static fg_code reply_chip(fg_request *r, const char *key, fg_error *err)
{
    fg_buf image;
    fg_code rc;
    fg_buf_init(&image, FG_MAX_PHOTO_BYTES);
    if ((rc = fg_blob_get(fg_app_blob(r->server->app), key, &image, err)) == FG_OK) {
        uint8_t *data = image.data; /* the reply frees it */
        image.data = NULL;
        rc = fg_reply_bytes(r, 200, "image/png", data, image.size, err);
        /* A chip never changes, but it may be deleted for good: keep no copy for long, and never a shared
         * one. */
        fg_reply_header(r, "Cache-Control", "private, max-age=300");
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

static fg_code read_rotate(const fg_body *body, int *rotate, fg_error *err)
{
    const char *text = fg_body_field(body, "rotate");
    *rotate = FG_ROTATE_AUTO;
    if (!text || !*text || strcmp(text, "auto") == 0)
        return FG_OK;
    for (int degrees = 0; degrees < 360; degrees += 90) {
        char word[8];
        snprintf(word, sizeof word, "%d", degrees);
        if (strcmp(text, word) == 0) {
            *rotate = degrees;
            return FG_OK;
        }
    }
    return FG_FAIL(err, FG_ERR_INPUT, "rotate: give auto, 0, 90, 180 or 270");
}

static fg_code copy_field(char **out, const fg_body *body, const char *name, fg_error *err)
{
    const char *text = fg_body_field(body, name);
    if (!text)
        return FG_OK;
    if (!fg_is_name(text))
        return FG_FAIL(err, FG_ERR_INPUT, "%s: give a text of 1 to %d bytes without control characters", name,
                       FG_MAX_NAME_BYTES);
    return (*out = strdup(text)) ? FG_OK : FG_FAIL(err, FG_ERR_MEMORY, "out of memory");
}

static fg_code take_parts(fg_job_order *order, fg_body *body, fg_error *err)
{
    order->rights = calloc(FG_MAX_RIGHTS, sizeof *order->rights);
    order->files = calloc(FG_BODY_FILES, sizeof *order->files);
    if (!order->rights || !order->files)
        return FG_FAIL(err, FG_ERR_MEMORY, "out of memory");
    for (int i = 0; i < body->part_count; i++) {
        fg_part *part = &body->parts[i];
        if (part->path) {
            if (part->size == 0)
                return FG_FAIL(err, FG_ERR_INPUT, "%s: the file is empty; choose a video or photos",
                               part->filename);
            order->files[order->file_count++] = (fg_job_file){part->path, part->filename};
            part->path = part->filename = NULL;
        } else if (strcmp(part->name, "right") == 0 && *part->text) {
            if (order->right_count == FG_MAX_RIGHTS || !fg_is_name(part->text))
                return FG_FAIL(err, FG_ERR_INPUT, "right: at most %d of them, each a text of 1 to %d bytes",
                               FG_MAX_RIGHTS, FG_MAX_NAME_BYTES);
            if (!(order->rights[order->right_count] = strdup(part->text)))
                return FG_FAIL(err, FG_ERR_MEMORY, "out of memory");
            order->right_count++;
        }
    }
    if (order->file_count == 0)
        return FG_FAIL(err, FG_ERR_INPUT, "the form has no file; add a video or photos as `video`");
    return FG_OK;
}

static fg_code read_order(fg_request *r, fg_job_order *order, fg_error *err)
{
    const fg_settings *settings = r->server->settings;
    const char *key = fg_request_header(r, "Idempotency-Key");
    fg_code rc;
    *order = (fg_job_order){.kind = FG_JOB_ENROLL, .every = settings->every};
    if (key && (strlen(key) >= sizeof order->idempotency_key || !*key))
        return FG_FAIL(err, FG_ERR_USAGE, "Idempotency-Key: give 1 to %d characters", FG_JOB_KEY - 1);
    snprintf(order->idempotency_key, sizeof order->idempotency_key, "%s", key ? key : "");
    snprintf(order->who, sizeof order->who, "%s", r->who);
    snprintf(order->source, sizeof order->source, "%s", r->address);
    if ((rc = field_int(&r->body, "every", 1, 10000, &order->every, err)) != FG_OK ||
        (rc = read_rotate(&r->body, &order->rotate, err)) != FG_OK)
        return rc;
    order->keep_frames = field_flag(&r->body, "keep_frames", settings->keep_frames);
    order->keep_originals = field_flag(&r->body, "keep_originals", settings->keep_originals);
    return take_parts(order, &r->body, err);
}

static fg_code start_job(fg_request *r, fg_job_order *order, fg_error *err)
{
    char id[FG_JOB_ID], location[64];
    json_t *document;
    fg_code rc = fg_jobs_add(r->server->jobs, order, id, err);
    if (rc == FG_ERR_BUSY) {
        r->failed_status = 429;
        r->retry_after_s = 10;
    }
    if (rc != FG_OK || (rc = fg_jobs_json(r->server->jobs, id, &document, err)) != FG_OK)
        return rc;
    if ((rc = fg_reply_json(r, 202, json_pack("{s:o}", "job", document), err)) == FG_OK) {
        snprintf(location, sizeof location, "/api/v1/jobs/%s", id);
        fg_reply_header(r, "Location", location);
    }
    return rc;
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
    rc = start_job(r, &order, err);
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
    order.add = true;
    if (!(order.name = strdup(member.name)) || !(order.role = strdup(member.role))) {
        rc = FG_FAIL(err, FG_ERR_MEMORY, "out of memory");
        goto done;
    }
    rc = start_job(r, &order, err);
done:
    fg_member_deinit(&member);
    fg_job_order_deinit(&order);
    return rc;
}
