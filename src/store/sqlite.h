/* The embedded back end. The parts of its table, by file; contracts are those of store.h. */
#ifndef FG_STORE_SQLITE_H
#define FG_STORE_SQLITE_H

#include "base/embedded.h"
#include "store/backend.h"

#include <sqlite3.h>

/* path: of the file; busy_ms: how long a lock is waited for. */
fg_code fg_sqlite_open(fg_store **store, const char *path, bool read_only, int busy_ms,
                       fg_error *err) FG_MUST_CHECK;

/* The program's own migrations, made from migrations/NNNN_*.sql. */
extern const fg_embedded fg_sqlite_migrations[];

/* As fg_sqlite_open, with other migrations: a table in ascending order, named "NNNN_...". */
fg_code fg_sqlite_open_with(fg_store **store, const char *path, bool read_only, int busy_ms,
                            const fg_embedded *migrations, fg_error *err) FG_MUST_CHECK;
/* The connection, for tests that must break something. */
sqlite3 *fg_sqlite_connection(fg_store *store);

/* sqlite_members.c */
fg_code fg_sqlite_members(fg_store *store, fg_member **members, long *count, fg_error *err);
fg_code fg_sqlite_member_names(fg_store *store, int64_t **ids, char ***names, long *count, fg_error *err);
fg_code fg_sqlite_member_by_id(fg_store *store, int64_t id, fg_member *member, fg_error *err);
fg_code fg_sqlite_member_by_name(fg_store *store, const char *name, fg_member *member, fg_error *err);
fg_code fg_sqlite_member_set(fg_store *store, int64_t id, const fg_member_change *change, fg_error *err);
fg_code fg_sqlite_member_remove(fg_store *store, int64_t id, fg_error *err);
fg_code fg_sqlite_member_seen(fg_store *store, int64_t id, int64_t when_ms, fg_error *err);

/* sqlite_enroll.c */
fg_code fg_sqlite_enroll(fg_store *store, const fg_enrolment *enrolments, long count, int64_t *member_ids,
                         fg_error *err);
fg_code fg_sqlite_sources(fg_store *store, int64_t member_id, fg_source **sources, long *count,
                          fg_error *err);

/* sqlite_pending.c */
fg_code fg_sqlite_pending_add(fg_store *store, const char *blob_prefix, fg_error *err);
fg_code fg_sqlite_pending_release(fg_store *store, const char *blob_prefix, fg_error *err);
fg_code fg_sqlite_pending_remove(fg_store *store, const char *blob_prefix, fg_error *err);
fg_code fg_sqlite_pending_abandoned(fg_store *store, char ***prefixes, long *count, fg_error *err);
fg_code fg_sqlite_place(fg_store *store, char **place, fg_error *err);
fg_code fg_sqlite_place_keep(fg_store *store, const char *place, bool moved, fg_error *err);

/* sqlite_templates.c */
fg_code fg_sqlite_templates(fg_store *store, const char *model_hash, fg_template_set *set, long *stale,
                            fg_error *err);
fg_code fg_sqlite_template_chips(fg_store *store, int64_t member_id, fg_template **templates, long *count,
                                 fg_error *err);

/* sqlite_embedder.c */
fg_code fg_sqlite_embedder(fg_store *store, fg_embedder *embedder, fg_error *err);
fg_code fg_sqlite_reembed_begin(fg_store *store, const char *model_hash, long *staged, fg_error *err);
fg_code fg_sqlite_reembed_todo(fg_store *store, const char *model_hash, fg_template **templates, long *count,
                               fg_error *err);
fg_code fg_sqlite_reembed_stage(fg_store *store, const char *model_hash, int embedding_size,
                                const int64_t *ids, const float *embeddings, long count, fg_error *err);
fg_code fg_sqlite_reembed_switch(fg_store *store, const char *name, const char *model_hash,
                                 fg_reembedded *result, fg_error *err);

/* sqlite_trained.c */
fg_code fg_sqlite_training_begin(fg_store *store, const char *job, fg_error *err);
fg_code fg_sqlite_endpoint_deploy(fg_store *store, const char *endpoint, const char *config, const char *job,
                                  fg_error *err);
fg_code fg_sqlite_endpoint_serves(fg_store *store, const char *endpoint, const char *config, fg_error *err);
fg_code fg_sqlite_endpoint_names(fg_store *store, const char *endpoint, int64_t *names_ms, bool *known,
                                 fg_error *err);
fg_code fg_sqlite_endpoint_asked(fg_store *store, const char *endpoint, int64_t names_ms, fg_error *err);

/* sqlite_versions.c */
fg_code fg_sqlite_version_add(fg_store *store, const fg_version_info *info, const fg_template_set *set,
                              const void *data, size_t size, bool activate, int64_t *version, fg_error *err);
fg_code fg_sqlite_versions(fg_store *store, fg_version_info **infos, long *count, fg_error *err);
fg_code fg_sqlite_version_activate(fg_store *store, int64_t version, fg_error *err);
fg_code fg_sqlite_version_load(fg_store *store, int64_t version, fg_version_info *info, fg_buf *data,
                               fg_error *err);
fg_code fg_sqlite_version_active(fg_store *store, int64_t *version, fg_error *err);

/* sqlite_access.c */
fg_code fg_sqlite_key_add(fg_store *store, const fg_key *key, fg_error *err);
fg_code fg_sqlite_key_by_id(fg_store *store, const char *id, fg_key *key, fg_error *err);
fg_code fg_sqlite_keys(fg_store *store, fg_key **keys, long *count, fg_error *err);
fg_code fg_sqlite_key_revoke(fg_store *store, const char *id, int64_t when_ms, fg_error *err);
fg_code fg_sqlite_key_used(fg_store *store, const char *id, int64_t when_ms, fg_error *err);
fg_code fg_sqlite_audit_add(fg_store *store, const fg_audit_row *row, fg_error *err);
fg_code fg_sqlite_audit_find(fg_store *store, const fg_audit_filter *filter, fg_audit_row **rows, long *count,
                             fg_error *err);

/* sqlite_server.c */
fg_code fg_sqlite_settings(fg_store *store, fg_setting_value **values, long *count, fg_error *err);
fg_code fg_sqlite_settings_set(fg_store *store, const fg_setting_value *values, long count, fg_error *err);
fg_code fg_sqlite_jobs(fg_store *store, fg_job_record **jobs, long *count, fg_error *err);
fg_code fg_sqlite_job_ids(fg_store *store, char ***ids, long *count, fg_error *err);
fg_code fg_sqlite_job_add(fg_store *store, const fg_job_record *job, fg_error *err);
fg_code fg_sqlite_job_put(fg_store *store, const fg_job_record *job, fg_error *err);
fg_code fg_sqlite_job_remove(fg_store *store, const char *id, fg_error *err);
fg_code fg_sqlite_expired(fg_store *store, fg_expiring what, int64_t before_ms, int limit, char ***keys,
                          long *count, fg_error *err);
fg_code fg_sqlite_blob_gone(fg_store *store, fg_expiring what, const char *key, fg_error *err);
fg_code fg_sqlite_attempts_expire(fg_store *store, int64_t before_ms, int limit, long *count, fg_error *err);
fg_code fg_sqlite_reset(fg_store *store, fg_error *err);
fg_code fg_sqlite_vacuum(fg_store *store, fg_error *err);

#endif
