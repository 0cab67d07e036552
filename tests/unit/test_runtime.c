/* What a SageMaker container is given, hyperparameters and the bodies of invocations, and what an endpoint
 * answers. */
#define _GNU_SOURCE
#include "flow/app.h"
#include "flow/artifact.h"
#include "flow/container.h"
#include "flow/invoke.h"

#include <jansson.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/canned.h"
#include "support/folder.h"

static fg_error err;

static void kinds_by_content_type(void **state)
{
    (void)state;
    const struct {
        const char *type;
        int kind; /* -1: refused */
    } cases[] = {
        {"application/x-npy", FG_INVOKE_NPY},
        {"text/csv", FG_INVOKE_CSV},
        {"text/csv; header=absent", FG_INVOKE_CSV},
        {"Application/JSON;charset=utf-8", FG_INVOKE_JSON},
        {"image/jpeg", FG_INVOKE_PHOTO},
        {"image/png", FG_INVOKE_PHOTO},
        {"image/gif", -1},
        {"application/x-npyx", -1},
        {"application/octet-stream", -1},
        {"", -1},
        {NULL, -1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        fg_invoke_kind kind;
        fg_code rc = fg_invoke_kind_parse(&kind, cases[i].type, &err);
        assert_int_equal(rc, cases[i].kind < 0 ? FG_ERR_UNSUPPORTED : FG_OK);
        if (rc == FG_OK)
            assert_int_equal(kind, cases[i].kind);
    }
}

static void rows_of_text(void **state)
{
    (void)state;
    const struct {
        fg_invoke_kind kind;
        const char *text;
        long count;
        int size;
    } good[] = {
        {FG_INVOKE_CSV, "1,0.5,-2e-1", 1, 3},
        {FG_INVOKE_CSV, "1,0.5,-0.2\n1,0.5,-0.2\n", 2, 3},
        {FG_INVOKE_CSV, "\n 1 , 0.5 ,\t-0.2\r\n\r\n1,0.5,-0.2", 2, 3},
        {FG_INVOKE_JSON, "[1, 0.5, -0.2]", 1, 3},
        {FG_INVOKE_JSON, "[[1, 0.5, -0.2], [1, 0.5, -0.2]]", 2, 3},
        {FG_INVOKE_JSON, "{\"instances\": [[1, 0.5, -0.2]]}", 1, 3},
        {FG_INVOKE_JSON, "{\"instances\": [{\"features\": [1, 0.5, -0.2]}, {\"features\": [1, 0.5, -0.2]}]}",
         2, 3},
    };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        fg_rows rows;
        if (fg_rows_parse(&rows, good[i].kind, good[i].text, strlen(good[i].text), &err))
            fail_msg("%s: %s", good[i].text, err.msg);
        assert_int_equal(rows.count, good[i].count);
        assert_int_equal(rows.size, good[i].size);
        for (long k = 0; k < rows.count; k++) {
            assert_true(rows.data[3 * k] == 1.0f);
            assert_true(rows.data[3 * k + 1] == 0.5f);
            assert_true(rows.data[3 * k + 2] == -0.2f);
        }
        fg_rows_deinit(&rows);
    }
    const struct {
        fg_invoke_kind kind;
        const char *text, *says;
    } bad[] = {
        {FG_INVOKE_CSV, "", "no numbers"},
        {FG_INVOKE_CSV, "\n\n", "no numbers"},
        {FG_INVOKE_CSV, "a,b\n1,2", "line 1, column 1"},
        {FG_INVOKE_CSV, "1,2\n1\n", "line 2 of the CSV has 1 numbers"},
        {FG_INVOKE_CSV, "1,2,\n", "ends with a comma"},
        {FG_INVOKE_CSV, "1,,2\n", "column 2"},
        {FG_INVOKE_CSV, "1;2\n", "something else than a comma"},
        {FG_INVOKE_JSON, "", "malformed"},
        {FG_INVOKE_JSON, "[[1,2],[1]]", "row 1"},
        {FG_INVOKE_JSON, "[[1,\"2\"]]", "number 1"},
        {FG_INVOKE_JSON, "[]", "send [numbers]"},
        {FG_INVOKE_JSON, "{\"rows\": [[1]]}", "send [numbers]"},
        {FG_INVOKE_JSON, "{\"instances\": []}", "send [numbers]"},
        {FG_INVOKE_JSON, "[[[1]]]", "number 0"},
        {FG_INVOKE_JSON, "[1, [2]]", "number 1"},
        {FG_INVOKE_NPY, "\x93NUMPY", "NumPy"},
        {FG_INVOKE_NPY, "1,2", "NumPy"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        fg_rows rows;
        assert_int_equal(fg_rows_parse(&rows, bad[i].kind, bad[i].text, strlen(bad[i].text), &err),
                         FG_ERR_INPUT);
        if (!strstr(err.msg, bad[i].says))
            fail_msg("'%s' says: %s", bad[i].text, err.msg);
        assert_null(rows.data);
    }
    assert_int_equal(fg_rows_parse(&(fg_rows){0}, FG_INVOKE_CSV, "1,\0002", 4, &err), FG_ERR_INPUT);
    /* more rows than are taken */
    enum { ROWS = FG_MAX_INVOCATION_ROWS + 1 };
    char *many = malloc(2 * ROWS + 1);
    assert_non_null(many);
    for (int i = 0; i < ROWS; i++) {
        many[2 * i] = '1';
        many[2 * i + 1] = '\n';
    }
    many[2 * ROWS] = 0;
    fg_rows rows;
    assert_int_equal(fg_rows_parse(&rows, FG_INVOKE_CSV, many, 2 * ROWS, &err), FG_ERR_LIMIT);
    assert_int_equal(fg_rows_parse(&rows, FG_INVOKE_CSV, many, 2 * ROWS - 2, &err),
                     FG_ERR_INPUT); /* not where the NUL is */
    free(many);
}

static void hyperparameters_as_scikit_learn_names_them(void **state)
{
    (void)state;
    fg_container_options o;
    static const char usual[] =
        "{\"C\": \"2.5\", \"kernel\": \"\\\"rbf\\\"\", \"gamma\": \"auto\", \"probability\": \"False\", "
        "\"far\": 0.01, \"sagemaker_program\": \"x.py\", \"_tuning_objective_metric\": \"far\"}";
    assert_int_equal(fg_container_options_parse(&o, usual, strlen(usual), &err), FG_OK);
    assert_true(o.c == 2.5 && o.kernel == FG_KERNEL_RBF && o.gamma_kind == FG_GAMMA_AUTO && !o.probability &&
                o.far == 0.01);
    assert_int_equal(fg_container_options_parse(&o, "{}", 2, &err), FG_OK);
    assert_true(o.c == 1 && o.kernel == FG_KERNEL_LINEAR && o.gamma_kind == FG_GAMMA_SCALE && o.probability &&
                o.far == 0.001);
    assert_int_equal(fg_container_options_parse(&o, "{\"gamma\":\"0.25\"}", 16, &err), FG_OK);
    assert_true(o.gamma_kind == FG_GAMMA_NUMBER && o.gamma == 0.25);
    static const char *const bad[] = {
        "{\"C\": \"0\"}",
        "{\"C\": \"one\"}",
        "{\"C\": [1]}",
        "{\"C\": \"1e99\"}",
        "{\"kernel\": \"poly\"}",
        "{\"gamma\": \"-1\"}",
        "{\"gamma\": \"0\"}",
        "{\"probability\": \"maybe\"}",
        "{\"degree\": \"3\"}",
        "{\"far\": \"0.9\"}",
        "[]",
        "",
        "{\"c\": \"1\"}",
        "{\"C\": \"1\", \"C\": \"2\"}",
        "{\"C\": null}",
        "{\"C\": \"nan\"}",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (fg_container_options_parse(&o, bad[i], strlen(bad[i]), &err) != FG_ERR_USAGE)
            fail_msg("%s was taken", bad[i]);
}

enum { SIZE = 64 };

/* A classifier of three members. */
static fg_classifier *small_classifier(void)
{
    enum { N = 60, COHORT = 200 };
    static float rows[N * SIZE], strangers[COHORT * SIZE];
    static int member[N];
    static int64_t segment[N];
    static const int64_t ids[] = {1, 2, 3};
    uint32_t seed = 7;
    for (int i = 0; i < N + COHORT; i++) {
        float *row = i < N ? rows + i * SIZE : strangers + (i - N) * SIZE;
        double length = 0;
        for (int k = 0; k < SIZE; k++) {
            seed = seed * 1664525 + 1013904223;
            row[k] = (float)(seed >> 8) / (1 << 24) - 0.5f;
            if (i < N)
                row[k] = 0.1f * row[k] + (k == i % 3 ? 1.0f : 0.0f);
            length += (double)row[k] * (double)row[k];
        }
        for (int k = 0; k < SIZE; k++)
            row[k] = (float)((double)row[k] / sqrt(length));
        if (i < N) {
            member[i] = i % 3;
            segment[i] = i / 6;
        }
    }
    const fg_gallery gallery = {SIZE, N, rows, member, segment, 3, ids};
    const fg_cohort cohort = {.embedding_size = SIZE, .count = COHORT, .embeddings = strangers};
    const fg_train_options options = {0};
    fg_classifier *c;
    if (fg_classifier_train(&c, &gallery, &cohort, &options, NULL, NULL, &err))
        fail_msg("%s", err.msg);
    return c;
}

static void every_members_probability(void **state)
{
    (void)state;
    fg_classifier *c = small_classifier();
    assert_int_equal(fg_classifier_members(c), 3);
    assert_int_equal(fg_classifier_size(c), SIZE);
    for (int m = 0; m < 3; m++) {
        float probe[SIZE] = {0};
        double all[3];
        fg_ranking one, more;
        probe[m] = 1;
        assert_int_equal(fg_classifier_rank(c, probe, SIZE, &one, &err), FG_OK);
        assert_int_equal(fg_classifier_rank_all(c, probe, SIZE, all, &more, &err), FG_OK);
        assert_memory_equal(&one, &more, sizeof one);
        assert_int_equal(one.best.member_id, fg_classifier_member_id(c, m));
        assert_true(all[m] == one.best.probability);
        assert_true(fabs(all[0] + all[1] + all[2] + one.nobody - 1) < 1e-12);
    }
    fg_classifier_free(c);
}

static void artifacts_come_back_the_same(void **state)
{
    (void)state;
    char folder[FOLDER_PATH], path[FOLDER_PATH + 32];
    char names[3][8] = {"Ada", "Bruno", "Zo\xc3\xab"}, embedder[] = "small";
    char *list[] = {names[0], names[1], names[2]};
    fg_artifact a = {.names = list, .members = 3, .embedder = embedder, .probability = true}, back;
    fg_buf bytes, before, after;
    memset(a.model_hash, 'a', FG_SHA256_HEX - 1);
    a.classifier = small_classifier();
    assert_true(folder_make(folder));
    snprintf(path, sizeof path, "%s/model.facegate", folder);
    json_t *report = json_pack("{s:i}", "members", 3);
    if (fg_artifact_save(&a, report, path, &err) || fg_artifact_load(&back, path, &err))
        fail_msg("%s", err.msg);
    json_decref(report);
    assert_int_equal(back.members, 3);
    assert_string_equal(back.names[2], "Zo\xc3\xab");
    assert_string_equal(back.embedder, "small");
    assert_string_equal(back.model_hash, a.model_hash);
    assert_true(back.probability);
    fg_buf_init(&before, 1 << 20);
    fg_buf_init(&after, 1 << 20);
    assert_int_equal(fg_classifier_write(a.classifier, &before, &err), FG_OK);
    assert_int_equal(fg_classifier_write(back.classifier, &after, &err), FG_OK);
    assert_int_equal(before.size, after.size);
    assert_memory_equal(before.data, after.data, after.size);
    fg_artifact_deinit(&back);
    /* cut anywhere, and changed anywhere: refused, or (in what is not read, such as a date) the same */
    fg_buf_init(&bytes, 1 << 20);
    assert_int_equal(fg_file_read(path, &bytes, &err), FG_OK);
    for (size_t n = 0; n < bytes.size; n++) {
        assert_int_not_equal(fg_artifact_read(&back, bytes.data, n, &err), FG_OK);
        bytes.data[n] ^= 0x20;
        if (fg_artifact_read(&back, bytes.data, bytes.size, &err) == FG_OK) {
            fg_buf_clear(&after);
            assert_int_equal(fg_classifier_write(back.classifier, &after, &err), FG_OK);
            assert_memory_equal(before.data, after.data, before.size);
            fg_artifact_deinit(&back);
        }
        bytes.data[n] ^= 0x20;
    }
    assert_int_equal(fg_artifact_load(&back, folder, &err), FG_ERR_INPUT);
    fg_buf_deinit(&bytes);
    fg_buf_deinit(&before);
    fg_buf_deinit(&after);
    fg_classifier_free(a.classifier);
    folder_remove(folder);
}

static void an_endpoints_answer(void **state)
{
    (void)state;
    static const struct {
        const char *text, *says; /* NULL: good */
    } cases[] = {
        {"{\"prediction\": [\"B\"], \"proba\": [[0.1, 0.8, 0.1]], \"classes\": [\"C\", \"B\", \"A\"]}", NULL},
        {"{\"prediction\": [\"B\"], \"proba\": [[0.1, 0.8, 0.1]], \"classes\": [\"A\", \"B\", \"A\"]}",
         "a class is there twice"},
        {"{\"prediction\": [\"B\"], \"proba\": [[0.1, 0.8]], \"classes\": [\"B\", null]}",
         "a class is not a name"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        fg_remote_ranking r;
        fg_code rc = fg_remote_ranking_read(&r, cases[i].text, strlen(cases[i].text), "endpoint e", &err);
        assert_int_equal(rc, cases[i].says ? FG_ERR_INPUT : FG_OK);
        assert_int_equal(r.refused, cases[i].says != NULL);
        if (cases[i].says)
            assert_non_null(strstr(err.msg, cases[i].says));
        else
            assert_string_equal(r.best.name, "B");
    }
}

/* To look for credentials may take seconds, and every photo would do it again. */
static void an_endpoint_that_cannot_be_opened(void **state)
{
    (void)state;
    static canned place;
    static const char *const variables[] = {"AWS_ACCESS_KEY_ID",
                                            "AWS_PROFILE",
                                            "AWS_SHARED_CREDENTIALS_FILE",
                                            "AWS_CONFIG_FILE",
                                            "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
                                            "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
                                            "AWS_CONTAINER_AUTHORIZATION_TOKEN"};
    char folder[FOLDER_PATH];
    fg_settings settings;
    fg_app *app = NULL;
    assert_true(folder_make(folder) && canned_start(&place));
    for (size_t i = 0; i < sizeof variables / sizeof variables[0]; i++)
        unsetenv(variables[i]);
    setenv("HOME", folder, 1);
    setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", place.url, 1);
    place.answers[place.count++] = "HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n";
    assert_int_equal(fg_settings_init(&settings, &err), FG_OK);
    settings.data = folder;
    settings.endpoint = "e";
    assert_int_equal(fg_app_open(&app, &settings, 0, NULL, &err), FG_OK);
    for (int i = 0; i < 3; i++) {
        fg_remote *remote = NULL;
        err = (fg_error){0};
        assert_int_equal(fg_app_remote(app, &remote, &err), FG_ERR_UNAUTHORIZED);
        assert_non_null(strstr(err.msg, "status 403"));
        assert_null(remote);
    }
    assert_string_equal(fg_app_endpoint(app), "");
    assert_int_equal(place.served, 1);
    fg_app_close(app);
    canned_stop(&place);
    folder_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kinds_by_content_type),
        cmocka_unit_test(rows_of_text),
        cmocka_unit_test(hyperparameters_as_scikit_learn_names_them),
        cmocka_unit_test(every_members_probability),
        cmocka_unit_test(artifacts_come_back_the_same),
        cmocka_unit_test(an_endpoints_answer),
        cmocka_unit_test(an_endpoint_that_cannot_be_opened),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
