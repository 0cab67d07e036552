#include "flow/artifact.h"

#include "base/clock.h"
#include "base/text.h"
#include "classify/archive.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FORMAT = 1, MAX_JSON = 16 << 20 };

void fg_artifact_deinit(fg_artifact *a)
{
    fg_classifier_free(a->classifier);
    for (int i = 0; a->names && i < a->members; i++)
        free(a->names[i]);
    free(a->names);
    free(a->embedder);
    *a = (fg_artifact){0};
}

/* -- writing -- */

static json_t *describe(const fg_artifact *a, const json_t *report, const fg_buf *classifier)
{
    char time[FG_TIME_TEXT], sha256[FG_SHA256_HEX];
    json_t *classes = json_array();
    for (int i = 0; i < a->members; i++)
        json_array_append_new(classes, json_pack("{s:I, s:s}", "id",
                                                 (json_int_t)fg_classifier_member_id(a->classifier, i),
                                                 "name", a->names[i]));
    fg_clock_text(fg_clock_unix_ms(), time);
    fg_sha256_hex(classifier->data, classifier->size, sha256);
    return json_pack("{s:i, s:s, s:s, s:s, s:s, s:b, s:o, s:s, s:O}", "format", FORMAT, "facegate",
                     fg_version(), "created", time, "embedder", a->embedder, "model_hash", a->model_hash,
                     "probability", a->probability, "classes", classes, "classifier_sha256", sha256, "report",
                     report);
}

static bool add(zip_t *zip, const char *name, const void *data, size_t size)
{
    zip_source_t *source = zip_source_buffer(zip, data, size, 0);
    zip_int64_t at = source ? zip_file_add(zip, name, source, ZIP_FL_ENC_UTF_8) : -1;
    if (source && at < 0)
        zip_source_free(source);
    return at >= 0 && zip_set_file_compression(zip, (zip_uint64_t)at, ZIP_CM_STORE, 0) == 0;
}

fg_code fg_artifact_save(const fg_artifact *a, const json_t *report, const char *path, fg_error *err)
{
    char tmp[FG_MAX_PATH] = "", *text = NULL;
    json_t *document = NULL;
    zip_t *zip = NULL;
    fg_buf classifier;
    int fd = -1, code = 0;
    fg_buf_init(&classifier, FG_MAX_CLASSIFIER_BYTES);
    fg_code rc = fg_classifier_write(a->classifier, &classifier, err);
    if (rc != FG_OK)
        goto done;
    document = describe(a, report, &classifier);
    text = document ? json_dumps(document, JSON_COMPACT | JSON_REAL_PRECISION(10)) : NULL;
    if (!text) {
        rc = FG_FAIL(err, FG_ERR_MEMORY, "out of memory");
        goto done;
    }
    if ((rc = fg_file_temp(path, tmp, &fd, err)) != FG_OK)
        goto done;
    close(fd);
    zip = zip_open(tmp, ZIP_CREATE | ZIP_TRUNCATE, &code);
    if (!zip || !add(zip, "model.json", text, strlen(text)) ||
        !add(zip, "classifier", classifier.data, classifier.size) || zip_close(zip) != 0) {
        rc = FG_FAIL(err, FG_ERR_IO, "%s: cannot write: %s", path, zip ? zip_strerror(zip) : "cannot open");
        if (zip)
            zip_discard(zip);
        unlink(tmp);
        goto done;
    }
    rc = fg_file_commit(tmp, path, err);
done:
    json_decref(document);
    free(text);
    fg_buf_deinit(&classifier);
    return rc;
}

/* -- reading -- */

static fg_code damaged(fg_error *err)
{
    return FG_FAIL(err, FG_ERR_INPUT, "not a model of Facegate's, or a damaged one: train again");
}

/* The names of the classifier's members: the same ids, in the same order. */
static fg_code take_names(fg_artifact *a, const json_t *classes, fg_error *err)
{
    char name[FG_MAX_NAME_BYTES + 1];
    const int members = fg_classifier_members(a->classifier);
    if (!json_is_array(classes) || json_array_size(classes) != (size_t)members)
        return damaged(err);
    if (!(a->names = calloc((size_t)members, sizeof(char *))))
        return FG_FAIL(err, FG_ERR_MEMORY, "out of memory");
    for (int i = 0; i < members; i++) {
        const json_t *class = json_array_get(classes, (size_t)i);
        if (json_integer_value(json_object_get(class, "id")) != fg_classifier_member_id(a->classifier, i))
            return damaged(err);
        fg_code rc = fg_text_name(name, "class", json_string_value(json_object_get(class, "name")), err);
        if (rc != FG_OK)
            return rc;
        if (!(a->names[i] = strdup(name)))
            return FG_FAIL(err, FG_ERR_MEMORY, "out of memory");
        a->members++;
    }
    return FG_OK;
}

static fg_code take_description(fg_artifact *a, const json_t *d, const uint8_t *classifier, size_t size,
                                fg_error *err)
{
    char sha256[FG_SHA256_HEX];
    const char *embedder = json_string_value(json_object_get(d, "embedder"));
    const char *hash = json_string_value(json_object_get(d, "model_hash"));
    const char *wanted = json_string_value(json_object_get(d, "classifier_sha256"));
    json_int_t format = json_integer_value(json_object_get(d, "format"));
    if (format > FORMAT)
        return FG_FAIL(err, FG_ERR_UNSUPPORTED,
                       "a model of a newer Facegate (form %lld): upgrade, or train again", (long long)format);
    fg_sha256_hex(classifier, size, sha256);
    if (format < 1 || !embedder || !hash || strlen(hash) != FG_SHA256_HEX - 1 || !wanted ||
        strcmp(wanted, sha256) != 0)
        return damaged(err);
    memcpy(a->model_hash, hash, FG_SHA256_HEX);
    a->probability = !json_is_false(json_object_get(d, "probability"));
    if (!(a->embedder = strdup(embedder)))
        return FG_FAIL(err, FG_ERR_MEMORY, "out of memory");
    fg_code rc = fg_classifier_read(&a->classifier, classifier, size, err);
    return rc == FG_OK ? take_names(a, json_object_get(d, "classes"), err) : rc;
}

fg_code fg_artifact_read(fg_artifact *artifact, const void *data, size_t size, fg_error *err)
{
    zip_error_t why;
    zip_t *zip = NULL;
    uint8_t *text = NULL, *classifier = NULL;
    size_t text_size = 0, classifier_size = 0;
    json_t *document = NULL;
    *artifact = (fg_artifact){0};
    zip_error_init(&why);
    zip_source_t *source = zip_source_buffer_create(data, size, 0, &why);
    zip_error_fini(&why);
    if (!source)
        return FG_FAIL(err, FG_ERR_MEMORY, "out of memory");
    fg_code rc = fg_archive_open(&zip, source, err);
    if (rc == FG_OK)
        rc = fg_archive_read(zip, "model.json", MAX_JSON, &text, &text_size, err);
    if (rc == FG_OK)
        rc = fg_archive_read(zip, "classifier", FG_MAX_CLASSIFIER_BYTES, &classifier, &classifier_size, err);
    if (rc == FG_OK && (!text || !classifier))
        rc = damaged(err);
    if (rc == FG_OK && !(document = json_loadb((const char *)text, text_size, JSON_REJECT_DUPLICATES, NULL)))
        rc = damaged(err);
    if (rc == FG_OK)
        rc = take_description(artifact, document, classifier, classifier_size, err);
    if (zip)
        zip_discard(zip);
    json_decref(document);
    free(text);
    free(classifier);
    if (rc != FG_OK)
        fg_artifact_deinit(artifact);
    return rc;
}

fg_code fg_artifact_load(fg_artifact *artifact, const char *path, fg_error *err)
{
    fg_buf bytes;
    *artifact = (fg_artifact){0};
    fg_buf_init(&bytes, (size_t)FG_MAX_CLASSIFIER_BYTES + MAX_JSON + 4096);
    fg_code rc = fg_file_read(path, &bytes, err);
    if (rc == FG_OK && (rc = fg_artifact_read(artifact, bytes.data, bytes.size, err)) != FG_OK)
        rc = fg_error_prefix(err, rc, path);
    fg_buf_deinit(&bytes);
    return rc;
}
