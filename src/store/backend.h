/* What a back end of the store provides. store.c checks arguments before it calls these, and clears outputs;
 * a contract is the one of the function of the same name in store.h. */
#ifndef FG_STORE_BACKEND_H
#define FG_STORE_BACKEND_H

#include "store/store.h"

typedef struct fg_store_backend {
    void (*close)(fg_store *store);
    fg_code (*check)(fg_store *store, fg_error *err);

    fg_code (*members)(fg_store *store, fg_member **members, long *count, fg_error *err);
    fg_code (*member_names)(fg_store *store, int64_t **ids, char ***names, long *count, fg_error *err);
    fg_code (*member_by_id)(fg_store *store, int64_t id, fg_member *member, fg_error *err);
    fg_code (*member_by_name)(fg_store *store, const char *name, fg_member *member, fg_error *err);
    fg_code (*member_set)(fg_store *store, int64_t id, const fg_member_change *change, fg_error *err);
    fg_code (*member_remove)(fg_store *store, int64_t id, fg_error *err);
    fg_code (*member_seen)(fg_store *store, int64_t id, int64_t when_ms, fg_error *err);

    fg_code (*enroll)(fg_store *store, const fg_enrolment *enrolments, long count, int64_t *member_ids,
                      fg_error *err);
    fg_code (*sources)(fg_store *store, int64_t member_id, fg_source **sources, long *count, fg_error *err);
    fg_code (*pending_add)(fg_store *store, const char *blob_prefix, fg_error *err);
    fg_code (*pending_release)(fg_store *store, const char *blob_prefix, fg_error *err);
    fg_code (*pending_remove)(fg_store *store, const char *blob_prefix, fg_error *err);
    fg_code (*pending_abandoned)(fg_store *store, char ***prefixes, long *count, fg_error *err);

    fg_code (*place)(fg_store *store, char **place, fg_error *err);
    fg_code (*place_keep)(fg_store *store, const char *place, bool moved, fg_error *err);

    fg_code (*templates)(fg_store *store, const char *model_hash, fg_template_set *set, long *stale,
                         fg_error *err);
    fg_code (*template_chips)(fg_store *store, int64_t member_id, fg_template **templates, long *count,
                              fg_error *err);
    fg_code (*embedder)(fg_store *store, fg_embedder *embedder, fg_error *err);
    fg_code (*reembed_begin)(fg_store *store, const char *model_hash, long *staged, fg_error *err);
    fg_code (*reembed_todo)(fg_store *store, const char *model_hash, fg_template **templates, long *count,
                            fg_error *err);
    fg_code (*reembed_stage)(fg_store *store, const char *model_hash, int embedding_size, const int64_t *ids,
                             const float *embeddings, long count, fg_error *err);
    fg_code (*reembed_switch)(fg_store *store, const char *name, const char *model_hash,
                              fg_reembedded *result, fg_error *err);

    fg_code (*training_begin)(fg_store *store, const char *job, fg_error *err);
    fg_code (*endpoint_deploy)(fg_store *store, const char *endpoint, const char *config, const char *job,
                               fg_error *err);
    fg_code (*endpoint_serves)(fg_store *store, const char *endpoint, const char *config, fg_error *err);
    fg_code (*endpoint_names)(fg_store *store, const char *endpoint, int64_t *names_ms, bool *known,
                              fg_error *err);
    fg_code (*endpoint_asked)(fg_store *store, const char *endpoint, int64_t names_ms, fg_error *err);

    fg_code (*version_add)(fg_store *store, const fg_version_info *info, const fg_template_set *set,
                           const void *data, size_t size, bool activate, int64_t *version, fg_error *err);
    fg_code (*versions)(fg_store *store, fg_version_info **infos, long *count, fg_error *err);
    fg_code (*version_activate)(fg_store *store, int64_t version, fg_error *err);
    fg_code (*version_load)(fg_store *store, int64_t version, fg_version_info *info, fg_buf *data,
                            fg_error *err);
    fg_code (*version_active)(fg_store *store, int64_t *version, fg_error *err);

    fg_code (*key_add)(fg_store *store, const fg_key *key, fg_error *err);
    fg_code (*key_by_id)(fg_store *store, const char *id, fg_key *key, fg_error *err);
    fg_code (*keys)(fg_store *store, fg_key **keys, long *count, fg_error *err);
    fg_code (*key_revoke)(fg_store *store, const char *id, int64_t when_ms, fg_error *err);
    fg_code (*key_used)(fg_store *store, const char *id, int64_t when_ms, fg_error *err);

    fg_code (*audit_add)(fg_store *store, const fg_audit_row *row, fg_error *err);
    fg_code (*audit_find)(fg_store *store, const fg_audit_filter *filter, fg_audit_row **rows, long *count,
                          fg_error *err);

    fg_code (*settings)(fg_store *store, fg_setting_value **values, long *count, fg_error *err);
    fg_code (*settings_set)(fg_store *store, const fg_setting_value *values, long count, fg_error *err);
    fg_code (*jobs)(fg_store *store, fg_job_record **jobs, long *count, fg_error *err);
    fg_code (*job_ids)(fg_store *store, char ***ids, long *count, fg_error *err);
    fg_code (*job_add)(fg_store *store, const fg_job_record *job, fg_error *err);
    fg_code (*job_put)(fg_store *store, const fg_job_record *job, fg_error *err);
    fg_code (*job_remove)(fg_store *store, const char *id, fg_error *err);
    fg_code (*expired)(fg_store *store, fg_expiring what, int64_t before_ms, int limit, char ***keys,
                       long *count, fg_error *err);
    fg_code (*blob_gone)(fg_store *store, fg_expiring what, const char *key, fg_error *err);
    fg_code (*attempts_expire)(fg_store *store, int64_t before_ms, int limit, long *count, fg_error *err);
    fg_code (*reset)(fg_store *store, fg_error *err);
    fg_code (*vacuum)(fg_store *store, fg_error *err);
} fg_store_backend;

/* The first member of each back end's own structure. */
struct fg_store {
    const fg_store_backend *backend;
};

/* Names, roles and rights after store.c: trimmed copies, the rights sorted and unique. */
typedef struct fg_store_names {
    char name[FG_MAX_NAME_BYTES + 1], role[FG_MAX_NAME_BYTES + 1];
    char right_texts[FG_MAX_RIGHTS][FG_MAX_NAME_BYTES + 1];
    const char *rights[FG_MAX_RIGHTS];
    int right_count;
} fg_store_names;

#endif
