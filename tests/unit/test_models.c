#include "base/buf.h"
#include "face/models.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define TEMPLATE "[[0.3,0.4],[0.7,0.4],[0.5,0.6],[0.3,0.8],[0.7,0.8]]"
#define INPUT "{\"width\":112,\"height\":112,\"color\":\"rgb\",\"mean\":127.5,\"scale\":0.0078125}"
#define EMBEDDER_WITH(more)                                                                                  \
    "{\"name\":\"e\",\"kind\":\"embedder\",\"licence\":\"Apache-2.0\",\"files\":[{\"file\":\"e.onnx\"}],"    \
    "\"input\":" INPUT ",\"dim\":256,\"template\":" TEMPLATE more "}"
#define EMBEDDER EMBEDDER_WITH("")
#define DETECTOR_WITH(more)                                                                                  \
    "{\"name\":\"d\",\"kind\":\"detector\",\"licence\":\"MIT\",\"files\":[{\"file\":\"p.onnx\"},"            \
    "{\"file\":\"r.onnx\"},{\"file\":\"o.onnx\"}],\"input\":" INPUT more "}"
#define DETECTOR DETECTOR_WITH("")
#define MANIFEST(list) "{\"version\":1,\"models\":[" list "]}"

static fg_models *empty(void)
{
    fg_models *models = calloc(1, sizeof *models);
    assert_non_null(models);
    return models;
}

static fg_code parse(fg_models *models, const char *json, fg_error *err)
{
    return fg_models_parse(models, json, strlen(json), "m.json", err);
}

static void a_manifest_is_read(void **state)
{
    fg_models *models = empty();
    fg_error err;
    (void)state;
    assert_int_equal(parse(models, MANIFEST(EMBEDDER "," DETECTOR), &err), FG_OK);
    assert_int_equal(models->count, 2);
    const fg_model *e = &models->models[0], *d = &models->models[1];
    assert_string_equal(e->name, "e");
    assert_string_equal(e->kind, "embedder");
    assert_string_equal(e->licence, "Apache-2.0");
    assert_int_equal(e->input_size, 112);
    assert_false(e->bgr);
    assert_true(e->mean == 127.5f && e->scale == 0.0078125f);
    assert_int_equal(e->embedding_size, 256);
    assert_true(e->points[2][0] == .5f && e->points[4][1] == .8f);
    assert_int_equal(d->file_count, 3);
    assert_string_equal(d->files[2].name, "o.onnx");
    assert_string_equal(d->files[2].sha256, "");
    fg_models_free(models);
}

/* Replaces the first occurrence of what in EMBEDDER; the result must be refused, and leave models as it was.
 */
static void refused(const char *what, const char *with)
{
    const char *good = MANIFEST(EMBEDDER);
    const char *at = strstr(good, what);
    char json[4096];
    fg_models *models = empty();
    fg_error err = {0};
    assert_non_null(at);
    assert_int_equal(parse(models, MANIFEST(DETECTOR), &err), FG_OK);
    snprintf(json, sizeof json, "%.*s%s%s", (int)(at - good), good, with, at + strlen(what));
    fg_code rc = parse(models, json, &err);
    if (rc != FG_ERR_MODEL)
        print_error("taken: %s\n", json);
    assert_int_equal(rc, FG_ERR_MODEL);
    assert_int_equal(err.code, FG_ERR_MODEL);
    assert_non_null(strstr(err.msg, "m.json"));
    assert_null(strchr(err.msg, '\n'));
    assert_int_equal(models->count, 1);
    assert_string_equal(models->models[0].name, "d");
    fg_models_free(models);
}

static void a_wrong_manifest_is_refused(void **state)
{
    (void)state;
    refused("{\"version\":1,", "{");
    refused("{\"version\":1,", "{\"version\":2,");
    refused("{\"version\":1,", "{\"version\":\"1\",");
    refused("{\"version\":1,", "{\"version\":1,\"default_embedder\":\"other\",");
    refused("{\"version\":1,", "{\"version\":1,\"default_detector\":\"e\",");
    refused("{\"version\":1,", "{\"version\":1,\"version\":1,");
    refused("\"models\":[", "\"models\":[1,");
    refused("\"name\":\"e\"", "\"name\":\"\"");
    refused("\"name\":\"e\"", "\"name\":\"../e\"");
    refused("\"name\":\"e\"", "\"name\":7");
    refused("\"name\":\"e\",", "");
    refused("\"licence\":\"Apache-2.0\",", "");
    refused("Apache-2.0", "two\\nlines");
    refused("Apache-2.0", "a\\u0000b");
    refused("\"file\":\"e.onnx\"", "\"file\":\"/etc/passwd\"");
    refused("\"file\":\"e.onnx\"", "\"file\":\"..\"");
    refused("\"file\":\"e.onnx\"", "\"file\":\"e.onnx\",\"bytes\":-1");
    refused("\"file\":\"e.onnx\"", "\"file\":\"e.onnx\",\"bytes\":1e300");
    refused("\"file\":\"e.onnx\"", "\"file\":\"e.onnx\",\"sha256\":\"00\"");
    refused("\"file\":\"e.onnx\"", "\"file\":\"e.onnx\",\"url\":\"http://example.org/e\"");
    refused("[{\"file\":\"e.onnx\"}]", "[]");
    refused("[{\"file\":\"e.onnx\"}]", "{}");
    refused("\"width\":112", "\"width\":0");
    refused("\"width\":112", "\"width\":1000000");
    refused("\"height\":112", "\"height\":128");
    refused("\"color\":\"rgb\"", "\"color\":\"grey\"");
    refused("\"mean\":127.5", "\"mean\":\"127\"");
    refused("\"mean\":127.5", "\"mean\":1e99");
    refused("\"scale\":0.0078125", "\"scale\":0");
    refused("\"dim\":256", "\"dim\":100000");
    refused("\"dim\":256,", "");
    refused("[0.3,0.4],", "");
    refused("[0.3,0.4]", "[0.3]");
    refused("[0.3,0.4]", "[0.3,\"x\"]");
    refused("}]}", "}]");
}

static void a_model_may_look_more_than_once(void **state)
{
    static const struct {
        const char *json;
        fg_code rc;
        bool mirror, refine;
    } cases[] = {
        {MANIFEST(DETECTOR), FG_OK, false, false},
        {MANIFEST(DETECTOR_WITH(",\"refine\":false")), FG_OK, false, false},
        {MANIFEST(DETECTOR_WITH(",\"refine\":true")), FG_OK, false, true},
        {MANIFEST(DETECTOR_WITH(",\"refine\":1")), FG_ERR_MODEL, false, false},
        {MANIFEST(DETECTOR_WITH(",\"refine\":\"true\"")), FG_ERR_MODEL, false, false},
        {MANIFEST(EMBEDDER), FG_OK, false, false},
        {MANIFEST(EMBEDDER_WITH(",\"mirror\":true")), FG_OK, true, false},
        {MANIFEST(EMBEDDER_WITH(",\"mirror\":null")), FG_ERR_MODEL, false, false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fg_models *models = empty();
        fg_error err;
        assert_int_equal(parse(models, cases[i].json, &err), cases[i].rc);
        if (cases[i].rc == FG_OK) {
            assert_int_equal(models->models[0].mirror, cases[i].mirror);
            assert_int_equal(models->models[0].refine, cases[i].refine);
        }
        fg_models_free(models);
    }
}

static void a_name_is_defined_once(void **state)
{
    fg_models *models = empty();
    fg_error err;
    (void)state;
    assert_int_equal(parse(models, MANIFEST(EMBEDDER "," EMBEDDER), &err), FG_ERR_MODEL);
    assert_int_equal(models->count, 0);
    /* Of two manifests the first wins. */
    assert_int_equal(parse(models, MANIFEST(EMBEDDER), &err), FG_OK);
    assert_int_equal(
        parse(models,
              MANIFEST("{\"name\":\"e\",\"kind\":\"other\",\"licence\":\"x\",\"files\":[{\"file\":\"c\"}]}"),
              &err),
        FG_OK);
    assert_int_equal(models->count, 1);
    assert_string_equal(models->models[0].kind, "embedder");
    fg_models_free(models);
}

static void too_many_models_are_refused(void **state)
{
    fg_models *models = empty();
    fg_buf json = {0};
    fg_error err;
    (void)state;
    fg_buf_init(&json, FG_MAX_JSON_BYTES);
    assert_int_equal(fg_buf_printf(&json, &err, "{\"version\":1,\"models\":["), FG_OK);
    for (int i = 0; i <= FG_MODELS_MAX; i++)
        assert_int_equal(
            fg_buf_printf(
                &json, &err,
                "%s{\"name\":\"m%d\",\"kind\":\"x\",\"licence\":\"y\",\"files\":[{\"file\":\"f\"}]}",
                i ? "," : "", i),
            FG_OK);
    assert_int_equal(fg_buf_printf(&json, &err, "]}"), FG_OK);
    assert_int_equal(fg_models_parse(models, json.data, json.size, "m.json", &err), FG_ERR_LIMIT);
    assert_int_equal(models->count, 0);
    fg_buf_deinit(&json);
    fg_models_free(models);
}

static void a_default_is_found(void **state)
{
    fg_models *models = empty();
    const fg_model *model;
    fg_error err;
    (void)state;
    assert_int_equal(
        parse(models,
              "{\"version\":1,\"default_other\":\"b\",\"models\":["
              "{\"name\":\"a\",\"kind\":\"other\",\"licence\":\"x\",\"files\":[{\"file\":\"a\"}]},"
              "{\"name\":\"b\",\"kind\":\"other\",\"licence\":\"x\",\"files\":[{\"file\":\"b\"}]}]}",
              &err),
        FG_OK);
    assert_int_equal(
        parse(models,
              "{\"version\":1,\"default_other\":\"c\",\"default_detector\":\"d\",\"models\":[" DETECTOR ","
              "{\"name\":\"c\",\"kind\":\"other\",\"licence\":\"x\",\"files\":[{\"file\":\"c\"}]}]}",
              &err),
        FG_OK);
    assert_int_equal(fg_models_find(models, "other", NULL, &model, &err), FG_OK);
    assert_string_equal(model->name, "b");
    assert_int_equal(fg_models_find(models, "detector", NULL, &model, &err), FG_OK);
    assert_string_equal(model->name, "d");
    assert_int_equal(fg_models_find(models, "other", "a", &model, &err), FG_OK);
    assert_string_equal(model->name, "a");
    assert_int_equal(fg_models_find(models, "other", "d", &model, &err), FG_ERR_NOT_FOUND);
    assert_null(model);
    assert_non_null(strstr(err.msg, "a, b, c"));
    assert_int_equal(fg_models_find(models, "embedder", NULL, &model, &err), FG_ERR_NOT_FOUND);
    fg_models_free(models);
}

typedef struct folders {
    char root[64], one[80], two[80], path[170];
} folders;

static void write_file(const char *dir, const char *name, const char *text)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    assert_int_equal(fg_file_write_atomic(path, text, strlen(text), NULL), FG_OK);
}

static int set_up(void **state)
{
    folders *f = calloc(1, sizeof *f);
    if (!f)
        return -1;
    snprintf(f->root, sizeof f->root, "/tmp/facegate-models-XXXXXX");
    if (!mkdtemp(f->root))
        return -1;
    snprintf(f->one, sizeof f->one, "%s/one", f->root);
    snprintf(f->two, sizeof f->two, "%s/two", f->root);
    snprintf(f->path, sizeof f->path, "%s:%s", f->one, f->two);
    *state = f;
    return fg_dir_create(f->one, NULL) == FG_OK && fg_dir_create(f->two, NULL) == FG_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    folders *f = *state;
    char path[256];
    const char *names[] = {"manifest.json", "e.onnx", "p.onnx", "r.onnx", "o.onnx", "w"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        for (int k = 0; k < 2; k++) {
            snprintf(path, sizeof path, "%s/%s", k ? f->two : f->one, names[i]);
            unlink(path);
        }
    rmdir(f->one);
    rmdir(f->two);
    rmdir(f->root);
    free(f);
    return 0;
}

static void manifests_along_the_path_are_merged(void **state)
{
    folders *f = *state;
    fg_models *models;
    const fg_model *model;
    fg_error err;
    char want[128];
    write_file(f->one, "manifest.json", MANIFEST(EMBEDDER));
    write_file(f->two, "manifest.json", MANIFEST(DETECTOR));
    write_file(f->two, "e.onnx", "two");
    write_file(f->one, "p.onnx", "one");
    write_file(f->two, "p.onnx", "two");
    assert_int_equal(fg_models_load(&models, f->path, &err), FG_OK);
    assert_int_equal(models->count, 2);
    assert_int_equal(fg_models_find(models, "embedder", NULL, &model, &err), FG_OK);
    snprintf(want, sizeof want, "%s/e.onnx", f->two);
    assert_string_equal(model->files[0].path, want);
    /* The folder of the manifest comes first. */
    assert_int_equal(fg_models_find(models, "detector", NULL, &model, &err), FG_OK);
    snprintf(want, sizeof want, "%s/p.onnx", f->two);
    assert_string_equal(model->files[0].path, want);
    assert_string_equal(model->files[1].path, "");
    assert_int_equal(fg_model_verify(model, &err), FG_ERR_MODEL);
    assert_non_null(strstr(err.msg, "r.onnx"));
    assert_non_null(strstr(err.msg, "--model-path"));
    fg_models_free(models);
}

static void no_manifest_says_what_to_do(void **state)
{
    folders *f = *state;
    fg_models *models;
    fg_error err;
    assert_int_equal(fg_models_load(&models, f->path, &err), FG_ERR_MODEL);
    assert_null(models);
    assert_non_null(strstr(err.msg, "--model-path"));
    assert_int_equal(fg_models_load(&models, "", &err), FG_ERR_MODEL);
    assert_int_equal(fg_models_load(&models, NULL, &err), FG_ERR_MODEL);
    write_file(f->two, "manifest.json", "");
    assert_int_equal(fg_models_load(&models, f->path, &err), FG_ERR_MODEL);
    assert_non_null(strstr(err.msg, f->two));
}

/* A model whose one file is "w"; its entry in the manifest says what extra says. */
static fg_code verify_with(folders *f, const char *extra, fg_error *err)
{
    char json[512];
    fg_models *models;
    snprintf(json, sizeof json,
             MANIFEST("{\"name\":\"m\",\"kind\":\"other\",\"licence\":\"x\",\"files\":[{\"file\":\"w\"%s}]}"),
             extra);
    write_file(f->one, "manifest.json", json);
    assert_int_equal(fg_models_load(&models, f->path, err), FG_OK);
    fg_code rc = fg_model_verify(&models->models[0], err);
    fg_models_free(models);
    return rc;
}

static void a_damaged_file_is_refused(void **state)
{
    folders *f = *state;
    fg_error err;
    char sha256[FG_SHA256_HEX], extra[160];
    assert_int_equal(verify_with(f, ",\"url\":\"https://example.org/w\"", &err), FG_ERR_MODEL);
    assert_non_null(strstr(err.msg, "facegate models pull m"));
    write_file(f->one, "w", "weights");
    fg_sha256_hex("weights", 7, sha256);
    snprintf(extra, sizeof extra, ",\"bytes\":7,\"sha256\":\"%s\"", sha256);
    assert_int_equal(verify_with(f, extra, &err), FG_OK);
    assert_int_equal(verify_with(f, "", &err), FG_OK);
    assert_int_equal(verify_with(f, ",\"bytes\":0,\"sha256\":\"\"", &err), FG_OK);
    assert_int_equal(verify_with(f, ",\"bytes\":8", &err), FG_ERR_MODEL);
    assert_non_null(strstr(err.msg, "damaged"));
    write_file(f->one, "w", "weighty");
    assert_int_equal(verify_with(f, extra, &err), FG_ERR_MODEL);
    assert_non_null(strstr(err.msg, "damaged"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_manifest_is_read),
        cmocka_unit_test(a_wrong_manifest_is_refused),
        cmocka_unit_test(a_model_may_look_more_than_once),
        cmocka_unit_test(a_name_is_defined_once),
        cmocka_unit_test(too_many_models_are_refused),
        cmocka_unit_test(a_default_is_found),
        cmocka_unit_test_setup_teardown(manifests_along_the_path_are_merged, set_up, tear_down),
        cmocka_unit_test_setup_teardown(no_manifest_says_what_to_do, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_damaged_file_is_refused, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
