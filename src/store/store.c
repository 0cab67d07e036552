/* The store's entry points: arguments checked, outputs cleared, then the back end. */
#include "store/backend.h"

#include "base/text.h"
#include "store/sqlite.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { BUSY_MS = 10000 };

fg_code fg_store_open(fg_store **store, const char *url, bool read_only, fg_error *err)
{
    static const char scheme[] = "sqlite:";
    *store = NULL;
    const char *path = url && strncmp(url, scheme, sizeof scheme - 1) == 0 ? url + sizeof scheme - 1 : url;
    if (!path || !*path)
        return FG_FAIL(err, FG_ERR_USAGE, "the store's address is empty; give sqlite:PATH");
    if (path == url && strstr(path, "://"))
        return FG_FAIL(err, FG_ERR_UNSUPPORTED, "%.100s: there is no such kind of store; give sqlite:PATH",
                       url);
    return fg_sqlite_open(store, path, read_only, BUSY_MS, err);
}

void fg_store_close(fg_store *store)
{
    if (store)
        store->backend->close(store);
}

fg_code fg_store_check(fg_store *store, fg_error *err)
{
    return store->backend->check(store, err);
}

/* -- what is checked -- */

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static fg_code take_rights(fg_store_names *names, const char *const *rights, int count, fg_error *err)
{
    names->right_count = 0;
    if (count < 0 || count > FG_MAX_RIGHTS)
        return FG_FAIL(err, FG_ERR_LIMIT, "a member has at most %d rights", FG_MAX_RIGHTS);
    for (int i = 0; i < count; i++) {
        fg_code rc = fg_text_name(names->right_texts[i], "right", rights[i], err);
        if (rc != FG_OK)
            return rc;
        names->rights[i] = names->right_texts[i];
    }
    if (count)
        qsort(names->rights, (size_t)count, sizeof names->rights[0], compare_texts);
    for (int i = 0; i < count; i++)
        if (i == 0 || strcmp(names->rights[i], names->rights[names->right_count - 1]) != 0)
            names->rights[names->right_count++] = names->rights[i];
    return FG_OK;
}

static bool is_hash(const char *text)
{
    return *text && memchr(text, 0, FG_SHA256_HEX);
}

static fg_code check_embedding(const float *embedding, int size, fg_error *err)
{
    double sum = 0;
    for (int i = 0; i < size; i++)
        sum += (double)embedding[i] * (double)embedding[i];
    if (!(fabs(sum - 1) < 0.01)) /* also refuses NaN */
        return FG_FAIL(err, FG_ERR_INPUT, "an embedding is not of unit length; nothing was stored");
    return FG_OK;
}

static bool starts_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

static fg_code check_sources(const fg_enrolment *e, const char *prefix, fg_error *err)
{
    for (int i = 0; i < e->source_count; i++) {
        const fg_source *s = &e->sources[i];
        if (!s->kind ||
            (strcmp(s->kind, "video") != 0 && strcmp(s->kind, "photo") != 0 &&
             strcmp(s->kind, "dataset") != 0) ||
            !memchr(s->sha256, 0, sizeof s->sha256))
            return FG_FAIL(err, FG_ERR_INTERNAL, "source %d is no video, photo or dataset", i);
        if (s->blob_key && !(fg_text_is_key(s->blob_key) && starts_with(s->blob_key, prefix)))
            return FG_FAIL(err, FG_ERR_INTERNAL, "source %d: its key is not below %s", i, prefix);
    }
    return FG_OK;
}

static fg_code check_templates(const fg_enrolment *e, const char *prefix, fg_error *err)
{
    for (long i = 0; i < e->template_count; i++) {
        const fg_template *t = &e->templates[i];
        if (t->source_id < 0 || t->source_id >= e->source_count)
            return FG_FAIL(err, FG_ERR_INTERNAL, "template %ld has no source", i);
        if (!is_hash(t->model_hash) || t->embedding_size < 1 || t->embedding_size > FG_MAX_EMBEDDING)
            return FG_FAIL(err, FG_ERR_INTERNAL, "template %ld is of no model", i);
        if (strcmp(t->model_hash, e->templates[0].model_hash) != 0)
            return FG_FAIL(err, FG_ERR_INTERNAL, "template %ld is of another model than the first", i);
        if (t->chip_key && (!fg_text_is_key(t->chip_key) || !starts_with(t->chip_key, prefix)))
            return FG_FAIL(err, FG_ERR_INTERNAL, "template %ld: its key is not below %s", i, prefix);
        fg_code rc = check_embedding(t->embedding, t->embedding_size, err);
        if (rc != FG_OK)
            return rc;
    }
    return FG_OK;
}

/* -- members -- */

fg_code fg_store_members(fg_store *store, fg_member **members, long *count, fg_error *err)
{
    *members = NULL;
    *count = 0;
    return store->backend->members(store, members, count, err);
}

fg_code fg_store_member_names(fg_store *store, int64_t **ids, char ***names, long *count, fg_error *err)
{
    *ids = NULL;
    *names = NULL;
    *count = 0;
    return store->backend->member_names(store, ids, names, count, err);
}

fg_code fg_store_member_by_id(fg_store *store, int64_t id, fg_member *member, fg_error *err)
{
    *member = (fg_member){0};
    return store->backend->member_by_id(store, id, member, err);
}

fg_code fg_store_member_by_name(fg_store *store, const char *name, fg_member *member, fg_error *err)
{
    char trimmed[FG_MAX_NAME_BYTES + 1];
    *member = (fg_member){0};
    fg_code rc = fg_text_name(trimmed, "name", name, err);
    return rc == FG_OK ? store->backend->member_by_name(store, trimmed, member, err) : rc;
}

fg_code fg_store_member_set(fg_store *store, int64_t id, const fg_member_change *change, fg_error *err)
{
    fg_store_names names;
    fg_member_change checked = *change;
    fg_code rc = FG_OK;
    if (change->name && (rc = fg_text_name(names.name, "name", change->name, err)) == FG_OK)
        checked.name = names.name;
    if (rc == FG_OK && change->role && (rc = fg_text_name(names.role, "role", change->role, err)) == FG_OK)
        checked.role = names.role;
    if (rc == FG_OK && change->rights &&
        (rc = take_rights(&names, change->rights, change->right_count, err)) == FG_OK) {
        checked.rights = names.rights;
        checked.right_count = names.right_count;
    }
    return rc == FG_OK ? store->backend->member_set(store, id, &checked, err) : rc;
}

fg_code fg_store_member_remove(fg_store *store, int64_t id, fg_error *err)
{
    return store->backend->member_remove(store, id, err);
}

fg_code fg_store_member_seen(fg_store *store, int64_t id, int64_t when_ms, fg_error *err)
{
    return store->backend->member_seen(store, id, when_ms, err);
}

/* -- enrolment -- */

/* names: where checked's texts are kept. */
static fg_code check_enrolment(const fg_enrolment *enrolment, fg_store_names *names, fg_enrolment *checked,
                               fg_error *err)
{
    *checked = *enrolment;
    if (!fg_text_is_prefix(enrolment->blob_prefix))
        return FG_FAIL(err, FG_ERR_INTERNAL, "an enrolment without a blob prefix");
    const char *prefix = enrolment->pending_prefix ? enrolment->pending_prefix : enrolment->blob_prefix;
    if (!fg_text_is_prefix(prefix) || !starts_with(prefix, enrolment->blob_prefix))
        return FG_FAIL(err, FG_ERR_INTERNAL, "%s: not below the member's prefix", prefix);
    fg_code rc = fg_text_name(names->name, "name", enrolment->name, err);
    checked->name = names->name;
    if (rc == FG_OK && enrolment->role) {
        rc = fg_text_name(names->role, "role", enrolment->role, err);
        checked->role = names->role;
    }
    if (rc == FG_OK)
        rc = take_rights(names, enrolment->rights, enrolment->right_count, err);
    checked->rights = names->rights;
    checked->right_count = names->right_count;
    if (rc == FG_OK)
        rc = check_sources(enrolment, prefix, err);
    return rc == FG_OK ? check_templates(enrolment, prefix, err) : rc;
}

fg_code fg_store_enroll_all(fg_store *store, const fg_enrolment *enrolments, long count, int64_t *member_ids,
                            fg_error *err)
{
    fg_code rc = FG_OK;
    memset(member_ids, 0, (size_t)count * sizeof *member_ids);
    if (count < 1 || count > FG_MAX_MEMBERS)
        return FG_FAIL(err, FG_ERR_LIMIT, "%ld members; 1 to %d can be enrolled at once", count,
                       FG_MAX_MEMBERS);
    fg_store_names *names = calloc((size_t)count, sizeof *names);
    fg_enrolment *checked = calloc((size_t)count, sizeof *checked);
    if (!names || !checked)
        rc = FG_FAIL(err, FG_ERR_MEMORY, "out of memory for %ld members", count);
    for (long i = 0; i < count && rc == FG_OK; i++)
        rc = check_enrolment(&enrolments[i], &names[i], &checked[i], err);
    if (rc == FG_OK)
        rc = store->backend->enroll(store, checked, count, member_ids, err);
    free(names);
    free(checked);
    return rc;
}

fg_code fg_store_enroll(fg_store *store, const fg_enrolment *enrolment, int64_t *member_id, fg_error *err)
{
    return fg_store_enroll_all(store, enrolment, 1, member_id, err);
}

fg_code fg_store_sources(fg_store *store, int64_t member_id, fg_source **sources, long *count, fg_error *err)
{
    *sources = NULL;
    *count = 0;
    return store->backend->sources(store, member_id, sources, count, err);
}

fg_code fg_store_pending_add(fg_store *store, const char *blob_prefix, fg_error *err)
{
    if (!fg_text_is_prefix(blob_prefix))
        return FG_FAIL(err, FG_ERR_INTERNAL, "not a blob prefix");
    return store->backend->pending_add(store, blob_prefix, err);
}

fg_code fg_store_pending_release(fg_store *store, const char *blob_prefix, fg_error *err)
{
    return store->backend->pending_release(store, blob_prefix, err);
}

fg_code fg_store_pending_remove(fg_store *store, const char *blob_prefix, fg_error *err)
{
    return store->backend->pending_remove(store, blob_prefix, err);
}

fg_code fg_store_pending_abandoned(fg_store *store, char ***prefixes, long *count, fg_error *err)
{
    *prefixes = NULL;
    *count = 0;
    return store->backend->pending_abandoned(store, prefixes, count, err);
}

/* -- templates -- */

fg_code fg_store_place(fg_store *store, char **place, fg_error *err)
{
    *place = NULL;
    return store->backend->place(store, place, err);
}

fg_code fg_store_place_keep(fg_store *store, const char *place, bool moved, fg_error *err)
{
    if (!place || !*place)
        return FG_FAIL(err, FG_ERR_INTERNAL, "no place of blobs");
    return store->backend->place_keep(store, place, moved, err);
}

fg_code fg_store_templates(fg_store *store, const char *model_hash, fg_template_set *set, long *stale,
                           fg_error *err)
{
    *set = (fg_template_set){0};
    if (stale)
        *stale = 0;
    return store->backend->templates(store, model_hash, set, stale, err);
}

fg_code fg_store_template_chips(fg_store *store, int64_t member_id, fg_template **templates, long *count,
                                fg_error *err)
{
    *templates = NULL;
    *count = 0;
    return store->backend->template_chips(store, member_id, templates, count, err);
}

/* -- the team's embedder -- */

static bool is_model(const char *model_hash)
{
    return model_hash && is_hash(model_hash);
}

fg_code fg_store_embedder(fg_store *store, fg_embedder *embedder, fg_error *err)
{
    *embedder = (fg_embedder){0};
    return store->backend->embedder(store, embedder, err);
}

fg_code fg_store_reembed_begin(fg_store *store, const char *model_hash, long *staged, fg_error *err)
{
    *staged = 0;
    if (!is_model(model_hash))
        return FG_FAIL(err, FG_ERR_INTERNAL, "embeddings of no model");
    return store->backend->reembed_begin(store, model_hash, staged, err);
}

fg_code fg_store_reembed_todo(fg_store *store, const char *model_hash, fg_template **templates, long *count,
                              fg_error *err)
{
    *templates = NULL;
    *count = 0;
    return store->backend->reembed_todo(store, model_hash, templates, count, err);
}

fg_code fg_store_reembed_stage(fg_store *store, const char *model_hash, int embedding_size,
                               const int64_t *ids, const float *embeddings, long count, fg_error *err)
{
    if (!is_model(model_hash) || embedding_size < 1 || embedding_size > FG_MAX_EMBEDDING)
        return FG_FAIL(err, FG_ERR_INTERNAL, "embeddings of no model");
    for (long i = 0; embeddings && i < count; i++) {
        fg_code rc = check_embedding(embeddings + (size_t)i * (size_t)embedding_size, embedding_size, err);
        if (rc != FG_OK)
            return rc;
    }
    return store->backend->reembed_stage(store, model_hash, embedding_size, ids, embeddings, count, err);
}

fg_code fg_store_reembed_switch(fg_store *store, const char *name, const char *model_hash,
                                fg_reembedded *result, fg_error *err)
{
    *result = (fg_reembedded){0};
    if (!is_model(model_hash) || !name || !*name)
        return FG_FAIL(err, FG_ERR_INTERNAL, "an embedder without a name or a hash");
    return store->backend->reembed_switch(store, name, model_hash, result, err);
}

/* -- the names that an endpoint elsewhere knows -- */

fg_code fg_store_training_begin(fg_store *store, const char *job, fg_error *err)
{
    return store->backend->training_begin(store, job, err);
}

fg_code fg_store_endpoint_deploy(fg_store *store, const char *endpoint, const char *config, const char *job,
                                 fg_error *err)
{
    return store->backend->endpoint_deploy(store, endpoint, config, job, err);
}

fg_code fg_store_endpoint_serves(fg_store *store, const char *endpoint, const char *config, fg_error *err)
{
    return store->backend->endpoint_serves(store, endpoint, config, err);
}

fg_code fg_store_endpoint_names(fg_store *store, const char *endpoint, int64_t *names_ms, bool *known,
                                fg_error *err)
{
    *names_ms = 0;
    *known = false;
    return store->backend->endpoint_names(store, endpoint, names_ms, known, err);
}

fg_code fg_store_endpoint_asked(fg_store *store, const char *endpoint, int64_t names_ms, fg_error *err)
{
    return store->backend->endpoint_asked(store, endpoint, names_ms, err);
}

/* -- classifier versions -- */

fg_code fg_store_version_add(fg_store *store, const fg_version_info *info, const fg_template_set *set,
                             const void *data, size_t size, bool activate, int64_t *version, fg_error *err)
{
    *version = 0;
    if (!is_hash(info->model_hash) || !memchr(info->data_hash, 0, sizeof info->data_hash) || !data || !size)
        return FG_FAIL(err, FG_ERR_INTERNAL, "a classifier version without a model or data");
    if (size > FG_MAX_CLASSIFIER_BYTES)
        return FG_FAIL(err, FG_ERR_LIMIT, "the classifier is larger than %u MB",
                       FG_MAX_CLASSIFIER_BYTES >> 20);
    return store->backend->version_add(store, info, set, data, size, activate, version, err);
}

fg_code fg_store_versions(fg_store *store, fg_version_info **infos, long *count, fg_error *err)
{
    *infos = NULL;
    *count = 0;
    return store->backend->versions(store, infos, count, err);
}

fg_code fg_store_version_activate(fg_store *store, int64_t version, fg_error *err)
{
    return store->backend->version_activate(store, version, err);
}

fg_code fg_store_version_load(fg_store *store, int64_t version, fg_version_info *info, fg_buf *data,
                              fg_error *err)
{
    *info = (fg_version_info){0};
    return store->backend->version_load(store, version, info, data, err);
}

fg_code fg_store_version_active(fg_store *store, int64_t *version, fg_error *err)
{
    *version = 0;
    return store->backend->version_active(store, version, err);
}

/* -- keys and audit -- */

fg_code fg_store_key_add(fg_store *store, const fg_key *key, fg_error *err)
{
    if (!memchr(key->id, 0, sizeof key->id) || strlen(key->id) != sizeof key->id - 1 || !key->scope)
        return FG_FAIL(err, FG_ERR_INTERNAL, "a key without an id or a scope");
    return store->backend->key_add(store, key, err);
}

fg_code fg_store_key_by_id(fg_store *store, const char *id, fg_key *key, fg_error *err)
{
    *key = (fg_key){0};
    return store->backend->key_by_id(store, id, key, err);
}

fg_code fg_store_keys(fg_store *store, fg_key **keys, long *count, fg_error *err)
{
    *keys = NULL;
    *count = 0;
    return store->backend->keys(store, keys, count, err);
}

fg_code fg_store_key_revoke(fg_store *store, const char *id, int64_t when_ms, fg_error *err)
{
    return store->backend->key_revoke(store, id, when_ms, err);
}

fg_code fg_store_key_used(fg_store *store, const char *id, int64_t when_ms, fg_error *err)
{
    return store->backend->key_used(store, id, when_ms, err);
}

fg_code fg_store_audit_add(fg_store *store, const fg_audit_row *row, fg_error *err)
{
    return store->backend->audit_add(store, row, err);
}

fg_code fg_store_audit(fg_store *store, int64_t before_id, int limit, fg_audit_row **rows, long *count,
                       fg_error *err)
{
    return fg_store_audit_find(store, &(fg_audit_filter){.before_id = before_id, .limit = limit}, rows, count,
                               err);
}

fg_code fg_store_audit_find(fg_store *store, const fg_audit_filter *filter, fg_audit_row **rows, long *count,
                            fg_error *err)
{
    *rows = NULL;
    *count = 0;
    if (filter->limit < 1 || filter->limit > 1000)
        return FG_FAIL(err, FG_ERR_USAGE, "limit %d: give 1 to 1000", filter->limit);
    return store->backend->audit_find(store, filter, rows, count, err);
}

/* -- settings, jobs, retention, reset -- */

fg_code fg_store_settings(fg_store *store, fg_setting_value **values, long *count, fg_error *err)
{
    *values = NULL;
    *count = 0;
    return store->backend->settings(store, values, count, err);
}

fg_code fg_store_settings_set(fg_store *store, const fg_setting_value *values, long count, fg_error *err)
{
    return store->backend->settings_set(store, values, count, err);
}

fg_code fg_store_jobs(fg_store *store, fg_job_record **jobs, long *count, fg_error *err)
{
    *jobs = NULL;
    *count = 0;
    return store->backend->jobs(store, jobs, count, err);
}

fg_code fg_store_job_ids(fg_store *store, char ***ids, long *count, fg_error *err)
{
    *ids = NULL;
    *count = 0;
    return store->backend->job_ids(store, ids, count, err);
}

fg_code fg_store_job_add(fg_store *store, const fg_job_record *job, fg_error *err)
{
    if (!memchr(job->id, 0, sizeof job->id) || strlen(job->id) != sizeof job->id - 1 || !job->order_json)
        return FG_FAIL(err, FG_ERR_INTERNAL, "a job without an id or an order");
    return store->backend->job_add(store, job, err);
}

fg_code fg_store_job_put(fg_store *store, const fg_job_record *job, fg_error *err)
{
    return store->backend->job_put(store, job, err);
}

fg_code fg_store_job_remove(fg_store *store, const char *id, fg_error *err)
{
    return store->backend->job_remove(store, id, err);
}

fg_code fg_store_expired(fg_store *store, fg_expiring what, int64_t before_ms, int limit, char ***keys,
                         long *count, fg_error *err)
{
    *keys = NULL;
    *count = 0;
    return store->backend->expired(store, what, before_ms, limit, keys, count, err);
}

fg_code fg_store_blob_gone(fg_store *store, fg_expiring what, const char *key, fg_error *err)
{
    return store->backend->blob_gone(store, what, key, err);
}

fg_code fg_store_attempts_expire(fg_store *store, int64_t before_ms, int limit, long *count, fg_error *err)
{
    *count = 0;
    return store->backend->attempts_expire(store, before_ms, limit, count, err);
}

fg_code fg_store_reset(fg_store *store, fg_error *err)
{
    return store->backend->reset(store, err);
}

fg_code fg_store_vacuum(fg_store *store, fg_error *err)
{
    return store->backend->vacuum(store, err);
}
