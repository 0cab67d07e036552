/* What happens around a training: with the built-in models, on embeddings that are made up. */
#include "flow/flow.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/folder.h"

enum { EACH = 4 };

typedef struct fixture fixture;
struct fixture {
    char data[FOLDER_PATH], models[512];
    fg_settings settings;
    fg_log log;
    fg_app *app;
    fg_worker *worker;
    int64_t ids[16];
    int next;
    void (*meanwhile)(fixture *f); /* called in the midst of each training that is given the progress */
};

static fg_error err;

/* alike: the cosine of any two of the member's count templates. */
static void enroll(fixture *f, int number, int count, float alike)
{
    const fg_engine_info *info = fg_engine_info_view(fg_app_engine(f->app));
    const size_t size = (size_t)info->embedding_size;
    char name[32], prefix[64], key[EACH][96];
    float *rows = calloc(EACH * size, sizeof *rows);
    fg_template templates[EACH] = {0};
    const fg_source source = {
        .name = (char *)"clip.mp4", .kind = (char *)"video", .frames_sampled = count, .faces_used = count};
    assert_non_null(rows);
    snprintf(name, sizeof name, "member %d", number);
    snprintf(prefix, sizeof prefix, "members/%d/", number);
    for (int i = 0; i < count; i++) {
        snprintf(key[i], sizeof key[i], "%schips/%d.png", prefix, i);
        rows[(size_t)i * size + (size_t)number] = sqrtf(alike);
        rows[(size_t)i * size + 100 + (size_t)(EACH * number + i)] = sqrtf(1 - alike);
        templates[i] = (fg_template){.frame_index = i,
                                     .time_ms = 5000L * i,
                                     .embedding_size = info->embedding_size,
                                     .embedding = rows + (size_t)i * size,
                                     .chip_key = key[i],
                                     .score = 0.99f,
                                     .sharpness = 50};
        memcpy(templates[i].model_hash, info->model_hash, sizeof templates[i].model_hash);
    }
    const fg_enrolment enrolment = {.name = name,
                                    .role = "guest",
                                    .blob_prefix = prefix,
                                    .sources = &source,
                                    .source_count = 1,
                                    .templates = templates,
                                    .template_count = count};
    if (fg_store_enroll(fg_app_store(f->app), &enrolment, &f->ids[number], &err) != FG_OK)
        fail_msg("%s", err.msg);
    free(rows);
}

static bool tell(void *context, const char *what, long done, long total)
{
    fixture *f = context;
    (void)total;
    if (f->meanwhile && strcmp(what, "members") == 0 && done == 1)
        f->meanwhile(f);
    return true;
}

static const fg_actor actor = {"cli", ""};

static void remove_one(fixture *f)
{
    f->meanwhile = NULL;
    assert_int_equal(fg_store_member_remove(fg_app_store(f->app), f->ids[1], &err), FG_OK);
}

static void enroll_another(fixture *f)
{
    enroll(f, f->next++, EACH, 0.9f);
}

static void enroll_another_and_train(fixture *f)
{
    fg_train_result result;
    f->meanwhile = NULL;
    enroll_another(f);
    assert_int_equal(fg_train(f->worker, &actor, NULL, &result, &err), FG_OK);
    assert_true(result.activated);
}

static int open_team(void **state)
{
    static fixture f;
    const char *source = getenv("FACEGATE_SOURCE");
    assert_non_null(source);
    assert_true(folder_make(f.data));
    snprintf(f.models, sizeof f.models, "%s/models", source);
    assert_int_equal(fg_settings_init(&f.settings, &err), FG_OK);
    f.settings.data = f.data;
    f.settings.model_path = f.models;
    if (fg_app_open(&f.app, &f.settings, FG_APP_STORE | FG_APP_ENGINE | FG_APP_CREATE, &f.log, &err) !=
            FG_OK ||
        fg_worker_new(&f.worker, f.app, &err) != FG_OK)
        fail_msg("%s", err.msg);
    *state = &f;
    return 0;
}

static int close_team(void **state)
{
    fixture *f = *state;
    fg_worker_free(f->worker);
    fg_app_close(f->app);
    folder_remove(f->data);
    return 0;
}

static void nobody_can_be_trained_on(void **state)
{
    fixture *f = *state;
    fg_train_result result;
    assert_int_equal(fg_train(f->worker, &actor, NULL, &result, &err), FG_ERR_STATE);
    assert_non_null(strstr(err.msg, "enrol"));
}

/* The active version, of which there is one. */
static int64_t active_version(fixture *f, long *count)
{
    fg_version_info *infos = NULL;
    int64_t active = 0;
    assert_int_equal(fg_store_versions(fg_app_store(f->app), &infos, count, &err), FG_OK);
    for (long i = 0; i < *count; i++)
        if (infos[i].active) {
            assert_int_equal(active, 0);
            active = infos[i].version;
        }
    fg_versions_free(infos, *count);
    return active;
}

static void active_is_of(fixture *f, const int numbers[], int count)
{
    fg_version_info info = {0};
    fg_buf data;
    fg_buf_init(&data, FG_MAX_CLASSIFIER_BYTES);
    assert_int_equal(fg_store_version_load(fg_app_store(f->app), 0, &info, &data, &err), FG_OK);
    assert_int_equal(info.member_count, count);
    for (int i = 0; i < count; i++)
        assert_int_equal(info.member_ids[i], f->ids[numbers[i]]);
    fg_version_info_deinit(&info);
    fg_buf_deinit(&data);
}

static void a_member_removed_meanwhile_is_in_no_version(void **state)
{
    fixture *f = *state;
    const fg_progress progress = {tell, f};
    fg_train_result result;
    long count = 0;
    for (int i = 0; i < 3; i++)
        enroll(f, i, EACH, 0.9f);
    f->meanwhile = remove_one;
    if (fg_train(f->worker, &actor, &progress, &result, &err) != FG_OK)
        fail_msg("%s", err.msg);
    assert_null(f->meanwhile); /* it was removed, and that while training */
    assert_true(result.activated);
    assert_int_equal(result.report.members, 2);
    assert_int_equal(active_version(f, &count), result.version);
    assert_int_equal(count, 1);
    active_is_of(f, (const int[]){0, 2}, 2);
}

/* After the test above: a version of two members is active that refused nobody. */
static void a_worse_version_waits_for_force(void **state)
{
    fixture *f = *state;
    fg_train_result result;
    long count = 0, before = 0;
    const int64_t good = active_version(f, &before);
    assert_true(good > 0);
    assert_int_equal(fg_train(f->worker, &actor, NULL, &result, &err), FG_OK);
    assert_true(result.activated); /* as good is good enough */
    assert_true(result.report.frr < 0.01);
    const int64_t again = result.version;
    assert_int_equal(active_version(f, &count), again);

    /* Of two templates none is put aside as an outlier. These have nothing in common, and so none is
     * recognised. */
    enroll(f, 3, 2, 0.0f);
    assert_int_equal(fg_train(f->worker, &actor, NULL, &result, &err), FG_OK);
    assert_true(result.report.frr > 0.1);
    assert_false(result.activated);
    assert_true(result.version > again); /* kept, for whoever wants it */
    assert_int_equal(active_version(f, &count), again);
    assert_int_equal(count, before + 2);

    f->settings.force = true;
    assert_int_equal(fg_train(f->worker, &actor, NULL, &result, &err), FG_OK);
    f->settings.force = false;
    assert_true(result.report.frr > 0.1);
    assert_true(result.activated);
    assert_int_equal(active_version(f, &count), result.version);
}

/* After the test above. */
static void an_older_training_does_not_undo_a_newer_one(void **state)
{
    fixture *f = *state;
    const fg_progress progress = {tell, f};
    fg_train_result result;
    long before = 0, count = 0;
    active_version(f, &before);
    f->settings.force = true;
    f->next = 4;
    f->meanwhile = enroll_another_and_train;
    assert_int_equal(fg_train(f->worker, &actor, &progress, &result, &err), FG_OK);
    assert_int_equal(result.report.members, 4);
    assert_int_equal(active_version(f, &count), result.version);
    assert_int_equal(count, before + 2); /* the newer one, and the older one made anew */
    active_is_of(f, (const int[]){0, 2, 3, 4}, 4);

    const int64_t active = result.version;
    f->meanwhile = enroll_another;
    assert_int_equal(fg_train(f->worker, &actor, &progress, &result, &err), FG_ERR_BUSY);
    f->settings.force = false;
    f->meanwhile = NULL;
    assert_non_null(strstr(err.msg, "train again"));
    assert_int_equal(f->next, 5 + 3); /* it was tried so often */
    assert_int_equal(active_version(f, &count), active);
    assert_int_equal(count, before + 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_can_be_trained_on),
        cmocka_unit_test(a_member_removed_meanwhile_is_in_no_version),
        cmocka_unit_test(a_worse_version_waits_for_force),
        cmocka_unit_test(an_older_training_does_not_undo_a_newer_one),
    };
    return cmocka_run_group_tests(tests, open_team, close_team);
}
