/* The store: members, their sources and templates, classifier versions, keys, audit. A back end is a table of
 * functions (backend.h); sqlite.c is the embedded default (WAL, foreign keys, one schema version a migration;
 * a newer schema is refused).
 *
 * A store may be shared by threads (calls are serialised) and its file by processes (busy waits up to 10 s,
 * then FG_ERR_BUSY). Each call is one transaction: it happens whole or not at all, also when the process is
 * killed, and what has been acknowledged survives a power cut, save for the calls that say otherwise. Strings
 * in results are owned by the result and freed by its _deinit, which is fine on a zeroed structure; arrays of
 * results have a matching _free.
 *
 * Names, roles and rights are what fg_text_name (base/text.h) takes; surrounding spaces do not count. Names
 * are unique without regard to the case of A to Z; other letters are told apart by their case.
 *
 * Errors of every call: FG_ERR_BUSY (locked for too long), FG_ERR_FULL, FG_ERR_FORBIDDEN (read-only),
 * FG_ERR_INPUT (a damaged file), FG_ERR_IO, FG_ERR_MEMORY. */
#ifndef FG_STORE_STORE_H
#define FG_STORE_STORE_H

#include "base/error.h"
#include "base/file.h"
#include "base/limits.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct fg_store fg_store;

/* url: "sqlite:PATH" or a plain path of the database file, created (mode 0600) if absent unless read_only.
 * FG_ERR_INPUT: not a database, or another program's; FG_ERR_UNSUPPORTED: of a newer Facegate, or no such
 * back end; FG_ERR_STATE: read_only, and of an older one. */
fg_code fg_store_open(fg_store **store, const char *url, bool read_only, fg_error *err) FG_MUST_CHECK;
void fg_store_close(fg_store *store);
/* Reads everything: FG_ERR_INPUT where the file is damaged or rows point nowhere. */
fg_code fg_store_check(fg_store *store, fg_error *err) FG_MUST_CHECK;

/* -- members -- */

typedef struct fg_member {
    int64_t id;
    char *name; /* unique without regard to case and surrounding spaces */
    char *role;
    char **rights; /* sorted, unique */
    int right_count;
    char *blob_prefix; /* "members/<random>/": where the chips and originals of this member are */
    int64_t created_ms, updated_ms, last_seen_ms; /* Unix time; last_seen 0 for never */
    int64_t added_ms;                             /* of the newest source */
    int64_t named_ms; /* since when the name is this member's, whatever its case; 0: since ever */
    long sources, templates;
} fg_member;

void fg_member_deinit(fg_member *member);
void fg_members_free(fg_member *members, long count);

fg_code fg_store_members(fg_store *store, fg_member **members, long *count,
                         fg_error *err) FG_MUST_CHECK; /* by name */
fg_code fg_store_member_by_id(fg_store *store, int64_t id, fg_member *member, fg_error *err) FG_MUST_CHECK;
fg_code fg_store_member_by_name(fg_store *store, const char *name, fg_member *member,
                                fg_error *err) FG_MUST_CHECK;

/* Everybody's name, cheaply: arrays of *count ids, ascending, and of owned strings beside them. */
fg_code fg_store_member_names(fg_store *store, int64_t **ids, char ***names, long *count,
                              fg_error *err) FG_MUST_CHECK;
void fg_member_names_free(int64_t *ids, char **names, long count);

typedef struct fg_member_change {
    const char *name;          /* NULL: leave */
    const char *role;          /* NULL: leave */
    const char *const *rights; /* NULL: leave; else the new whole set, none with right_count 0 */
    int right_count;
} fg_member_change;

fg_code fg_store_member_set(fg_store *store, int64_t id, const fg_member_change *change,
                            fg_error *err) FG_MUST_CHECK;
/* Rows for good (secure_delete, and the WAL checkpointed and truncated, at the latest with the next write
 * after other processes have stopped reading). With the member go the data and the report of every classifier
 * version that knows it (a classifier is made of templates; none of them stays active), its name in the
 * audit, the records of jobs about it or that name it, and enrolments under way that would add to it. The
 * blob prefix is left to the caller to delete, as a pending prefix (see below) that survives a kill between
 * the two. */
fg_code fg_store_member_remove(fg_store *store, int64_t id, fg_error *err) FG_MUST_CHECK;
/* Never goes back in time. A power cut may lose the last ones. */
fg_code fg_store_member_seen(fg_store *store, int64_t id, int64_t when_ms, fg_error *err) FG_MUST_CHECK;

/* -- enrolment -- */

typedef struct fg_source { /* one enrolment file */
    int64_t id, member_id;
    char *name;     /* the file's own base name; stored as fg_text_clean makes it */
    char *kind;     /* "video", "photo" or "dataset" */
    char *blob_key; /* of the kept original; NULL where it is not kept */
    char sha256[FG_SHA256_HEX];
    int every, rotation; /* as used; rotation in degrees clockwise */
    long frames_sampled, faces_used;
    int64_t created_ms;
} fg_source;

typedef struct fg_template {
    int64_t id, member_id, source_id;
    int frame_index; /* in the video; of a photo, the number of its variation (face/vary.h), 0 as it is */
    int variation;   /* only read, with a chip: frame_index of a photo, 0 of a video */
    int sampled;     /* only read, with a chip: which of a video's sampled frames; -1 of a photo */
    int64_t time_ms; /* in the video */
    char model_hash[FG_SHA256_HEX];
    int embedding_size;
    float *embedding;       /* unit length */
    char *chip_key;         /* blob of the aligned chip (PNG); NULL where there is none: it was imported */
    float score, sharpness; /* of the detector; of the quality gate */
} fg_template;

void fg_source_deinit(fg_source *source);
void fg_sources_free(fg_source *sources, long count);
void fg_template_deinit(fg_template *tmpl);

/* What one enrolment adds, all borrowed. */
typedef struct fg_enrolment {
    const char *name, *role;
    const char *const *rights;
    int right_count;
    const char *blob_prefix;    /* of the member, when new */
    const char *pending_prefix; /* of this enrolment, at or below the member's: all its keys start with it.
                                   NULL: nothing is pending */
    bool add; /* true: the member may exist already; the sources are added, the role replaced where it is not
                 NULL and the rights where there are any. false: an existing name is FG_ERR_EXISTS */
    const fg_source *sources; /* ids are ignored */
    int source_count;
    const fg_template *templates; /* of one model; source_id is an index into sources */
    long template_count;
    const char *embedder; /* that model's name: becomes the team's, where it has none. NULL: none is named */
    const char *job;      /* the id of the job that this is, whose record then knows the member; or NULL */
} fg_enrolment;

/* One transaction, which also ends the pending state of pending_prefix. FG_ERR_STATE where that is pending no
 * longer: the member was removed meanwhile; and where the team's templates are of another model: those of
 * two never mix. FG_ERR_LIMIT: too many members, rights or templates. */
fg_code fg_store_enroll(fg_store *store, const fg_enrolment *enrolment, int64_t *member_id,
                        fg_error *err) FG_MUST_CHECK;
/* Several members, in one transaction: all of them or none. member_ids: count of them. */
fg_code fg_store_enroll_all(fg_store *store, const fg_enrolment *enrolments, long count, int64_t *member_ids,
                            fg_error *err) FG_MUST_CHECK;
fg_code fg_store_sources(fg_store *store, int64_t member_id, fg_source **sources, long *count,
                         fg_error *err) FG_MUST_CHECK;

/* Blobs are written before the rows that name them. A prefix is pending from before its first blob until the
 * rows are there, with the process that does it; a prefix whose process is gone was killed half way, and its
 * blobs are to be deleted. */
fg_code fg_store_pending_add(fg_store *store, const char *blob_prefix, fg_error *err) FG_MUST_CHECK;
fg_code fg_store_pending_remove(fg_store *store, const char *blob_prefix, fg_error *err) FG_MUST_CHECK;
/* Its process has given up: it is abandoned from now on. */
fg_code fg_store_pending_release(fg_store *store, const char *blob_prefix, fg_error *err) FG_MUST_CHECK;
/* The abandoned ones, as an array of owned strings; a prefix that live rows use is never among them. A
 * process is known by its id and start time in this boot and this process namespace, so that a new process
 * with its id does not pass for it; what comes from elsewhere (another container, before a restart) counts as
 * abandoned after 24 hours. */
fg_code fg_store_pending_abandoned(fg_store *store, char ***prefixes, long *count,
                                   fg_error *err) FG_MUST_CHECK;

/* Where the blobs are, in the caller's words: remembered from the first enrolment on, for as long as somebody
 * is enrolled or something is pending. *place: owned, NULL where none is. */
fg_code fg_store_place(fg_store *store, char **place, fg_error *err) FG_MUST_CHECK;
/* Remembers it; the caller has a prefix pending. FG_ERR_STATE where another one is remembered, unless moved:
 * the blobs are there now. */
fg_code fg_store_place_keep(fg_store *store, const char *place, bool moved, fg_error *err) FG_MUST_CHECK;

/* -- templates -- */

typedef struct fg_template_set { /* columns, count rows, ordered by member, source, frame */
    long count;
    int embedding_size;
    float *embeddings; /* count x embedding_size */
    int64_t *ids, *member_ids, *source_ids, *times_ms;
} fg_template_set;

void fg_template_set_deinit(fg_template_set *set);
/* Those of one model; stale (may be NULL) gets the number of templates of any other. */
fg_code fg_store_templates(fg_store *store, const char *model_hash, fg_template_set *set, long *stale,
                           fg_error *err) FG_MUST_CHECK;
/* The chips of templates, to embed again with another model or to show: all is filled but the embeddings.
 * member_id 0 for all. Those whose chip retention has deleted are left out, and so are imported ones, which
 * never had one. */
fg_code fg_store_template_chips(fg_store *store, int64_t member_id, fg_template **templates, long *count,
                                fg_error *err) FG_MUST_CHECK;
void fg_templates_free(fg_template *templates, long count);

/* -- the team's embedder, and the switch to another -- */

typedef struct fg_embedder {
    char name[64]; /* in the manifest; "": none is remembered */
    char model_hash[FG_SHA256_HEX];
} fg_embedder;

fg_code fg_store_embedder(fg_store *store, fg_embedder *embedder, fg_error *err) FG_MUST_CHECK;

/* The way to another embedder: begin, then todo and stage until nothing is left to do, then switch. What is
 * staged lies beside the old embeddings, which go on being the team's, and survives a kill. */

/* *staged: how many an earlier, interrupted switch to this model has left. Forgets those to other models, and
 * what was given up. */
fg_code fg_store_reembed_begin(fg_store *store, const char *model_hash, long *staged,
                               fg_error *err) FG_MUST_CHECK;
/* The templates that are neither of this model nor staged, as from fg_store_template_chips; chip_key is NULL
 * also where retention has deleted the chip. */
fg_code fg_store_reembed_todo(fg_store *store, const char *model_hash, fg_template **templates, long *count,
                              fg_error *err) FG_MUST_CHECK;
/* The new embeddings, count x embedding_size; NULL: these templates are given up, and go with the switch. Ids
 * that are gone by now are passed over. */
fg_code fg_store_reembed_stage(fg_store *store, const char *model_hash, int embedding_size,
                               const int64_t *ids, const float *embeddings, long count,
                               fg_error *err) FG_MUST_CHECK;

typedef struct fg_reembedded {
    long left; /* not staged (enrolled meanwhile): nothing was changed */
    long switched, dropped;
} fg_reembedded;

/* In one transaction: the staged embeddings take the place of the old ones, and this embedder becomes the
 * team's. */
fg_code fg_store_reembed_switch(fg_store *store, const char *name, const char *model_hash,
                                fg_reembedded *result, fg_error *err) FG_MUST_CHECK;

/* -- the names that an endpoint elsewhere knows -- */

/* An endpoint (flow/remote.h) answers with the names that it was trained with. A name that somebody else has
 * come to bear since means nobody until the endpoint is trained anew, so names are dated (named_ms): one that
 * is given after a dataset was read is always later than the dataset, whatever the clock does. What is kept
 * here are times, and a reset leaves them. */

/* Before a training job's dataset is read. */
fg_code fg_store_training_begin(fg_store *store, const char *job, fg_error *err) FG_MUST_CHECK;
/* Before an endpoint begins to change to a configuration of the job: it knows no names any more that are
 * later than the job's. Nothing, where the job is not of this store. */
fg_code fg_store_endpoint_deploy(fg_store *store, const char *endpoint, const char *config, const char *job,
                                 fg_error *err) FG_MUST_CHECK;
/* The endpoint answers by this configuration alone: it knows the names of its job. Nothing, where it was not
 * deployed from this store. */
fg_code fg_store_endpoint_serves(fg_store *store, const char *endpoint, const char *config,
                                 fg_error *err) FG_MUST_CHECK;
/* Before the endpoint is asked: its answer means a member whose named_ms is at most *names_ms. Of an endpoint
 * that is not *known that is everybody, and fg_store_endpoint_asked keeps it so once it has answered. */
fg_code fg_store_endpoint_names(fg_store *store, const char *endpoint, int64_t *names_ms, bool *known,
                                fg_error *err) FG_MUST_CHECK;
fg_code fg_store_endpoint_asked(fg_store *store, const char *endpoint, int64_t names_ms,
                                fg_error *err) FG_MUST_CHECK;

/* -- classifier versions -- */

typedef struct fg_version_info {
    int64_t version; /* 1, 2, ... never reused */
    int64_t created_ms;
    char model_hash[FG_SHA256_HEX];
    char data_hash[FG_SHA256_HEX]; /* of the labelled dataset that it was trained on */
    char *settings_json, *report_json;
    bool active;
    bool withdrawn;      /* a member it knows was removed since: no data, no report, cannot be activated */
    int64_t *member_ids; /* the members it knows, ascending; owned */
    long member_count;
} fg_version_info;

void fg_version_info_deinit(fg_version_info *info);
void fg_versions_free(fg_version_info *infos, long count);
/* Stores a version that was learnt from this set, all templates of its model, and, with activate, makes it
 * the one active version; it knows the set's members. *version is its number; info's version, active,
 * withdrawn and member_ids are ignored. *version 0: nothing was stored, since the templates are not those of
 * the set any more (somebody was enrolled or removed since it was read), and the version would forget the new
 * or know the removed. */
fg_code fg_store_version_add(fg_store *store, const fg_version_info *info, const fg_template_set *set,
                             const void *data, size_t size, bool activate, int64_t *version,
                             fg_error *err) FG_MUST_CHECK;
/* Newest first, without member_ids. */
fg_code fg_store_versions(fg_store *store, fg_version_info **infos, long *count, fg_error *err) FG_MUST_CHECK;
/* FG_ERR_NOT_FOUND; FG_ERR_STATE where it is withdrawn. */
fg_code fg_store_version_activate(fg_store *store, int64_t version, fg_error *err) FG_MUST_CHECK;
/* version 0: the active one; FG_ERR_STATE where there is none, or the version is withdrawn. data is appended.
 */
fg_code fg_store_version_load(fg_store *store, int64_t version, fg_version_info *info, fg_buf *data,
                              fg_error *err) FG_MUST_CHECK;
/* Cheap, for a server that must notice a new version: the active version's number, 0 for none. */
fg_code fg_store_version_active(fg_store *store, int64_t *version, fg_error *err) FG_MUST_CHECK;

/* -- keys -- */

typedef struct fg_key {
    char id[17]; /* public part, to list and revoke by */
    char *label;
    char *scope; /* of "verify", "enroll", "audit", "admin": words separated by spaces */
    int64_t created_ms, expires_ms, revoked_ms, used_ms; /* 0: never */
    bool aws;         /* an access key of the AWS clients: see access/aws_keys.h */
    uint8_t hash[32]; /* SHA-256 of the whole secret: it has 256 random bits, so no slow hash is needed */
} fg_key;

void fg_key_deinit(fg_key *key);
void fg_keys_free(fg_key *keys, long count);
fg_code fg_store_key_add(fg_store *store, const fg_key *key, fg_error *err) FG_MUST_CHECK;
fg_code fg_store_key_by_id(fg_store *store, const char *id, fg_key *key, fg_error *err) FG_MUST_CHECK;
fg_code fg_store_keys(fg_store *store, fg_key **keys, long *count, fg_error *err) FG_MUST_CHECK;
/* For good; a second time changes nothing. */
fg_code fg_store_key_revoke(fg_store *store, const char *id, int64_t when_ms, fg_error *err) FG_MUST_CHECK;
/* Never goes back in time. A power cut may lose the last ones. */
fg_code fg_store_key_used(fg_store *store, const char *id, int64_t when_ms, fg_error *err) FG_MUST_CHECK;

/* -- audit -- */

typedef struct fg_audit_row { /* never an embedding, a picture or a key */
    int64_t id, time_ms;
    char *actor;  /* "cli", "key:<id>", "web" */
    char *source; /* an address, or the host's user */
    char *
        action; /* "verify", "enroll", "train", "activate", "member_set", "member_remove", "key_create" ... */
    char *subject;      /* a member's name, a version, a key's id; "" */
    char *decision;     /* of verify: "granted" ...; "" */
    char *reasons;      /* of verify: words separated by ' ' */
    double probability; /* NaN: none */
    int64_t member_id;  /* 0: none */
} fg_audit_row;

void fg_audit_row_deinit(fg_audit_row *row);
void fg_audit_free(fg_audit_row *rows, long count);
/* Texts are stored as fg_text_clean makes them, NULL as "". With member_id 0, a subject that is a member's
 * name is linked to the member, for its removal. A power cut may lose the last rows, which keeps a decision
 * from waiting for the disk; the next call that is durable makes them so. */
fg_code fg_store_audit_add(fg_store *store, const fg_audit_row *row, fg_error *err) FG_MUST_CHECK;
/* Newest first; before_id 0 for the newest, limit 1..1000. */
fg_code fg_store_audit(fg_store *store, int64_t before_id, int limit, fg_audit_row **rows, long *count,
                       fg_error *err) FG_MUST_CHECK;

typedef struct fg_audit_filter { /* zeroed: everything; texts NULL or "": any */
    const char *action, *decision, *source;
    const char *member;     /* a name as in the row, or that a member has now; or a member's id */
    int64_t from_ms, to_ms; /* from included, to (0: no end) not */
    int64_t before_id;
    int limit;
} fg_audit_filter;

fg_code fg_store_audit_find(fg_store *store, const fg_audit_filter *filter, fg_audit_row **rows, long *count,
                            fg_error *err) FG_MUST_CHECK;

/* -- settings that are changed while the server runs -- */

typedef struct fg_setting_value {
    char name[40];
    double value; /* NaN, to settings_set: unset */
} fg_setting_value;

fg_code fg_store_settings(fg_store *store, fg_setting_value **values, long *count,
                          fg_error *err) FG_MUST_CHECK; /* free() */
/* All or none. */
fg_code fg_store_settings_set(fg_store *store, const fg_setting_value *values, long count,
                              fg_error *err) FG_MUST_CHECK;

/* -- jobs of the server: what they are is its own affair -- */

typedef struct fg_job_record {
    char id[17];
    int64_t created_ms;
    int64_t member_id; /* the member it is about: its removal takes the record along. 0: none is known yet */
    int attempts;      /* how often it was begun */
    char *subject;     /* the member's name, likewise; "" */
    char *order_json;  /* what is to be done */
    char *end_json;    /* "" until it has ended */
} fg_job_record;

void fg_job_records_free(fg_job_record *jobs, long count);
fg_code fg_store_jobs(fg_store *store, fg_job_record **jobs, long *count,
                      fg_error *err) FG_MUST_CHECK; /* oldest first */
/* Free with fg_keys_texts_free. */
fg_code fg_store_job_ids(fg_store *store, char ***ids, long *count, fg_error *err) FG_MUST_CHECK;
fg_code fg_store_job_add(fg_store *store, const fg_job_record *job, fg_error *err) FG_MUST_CHECK;
/* Replaces attempts, order_json and end_json. FG_ERR_NOT_FOUND where the record has gone: with a member, or
 * by a reset.
 */
fg_code fg_store_job_put(fg_store *store, const fg_job_record *job, fg_error *err) FG_MUST_CHECK;
fg_code fg_store_job_remove(fg_store *store, const char *id, fg_error *err) FG_MUST_CHECK;

/* -- retention: delete the blob first, then say so here; killed in between, it is done again -- */

typedef enum fg_expiring {
    FG_EXPIRING_CHIPS,
    FG_EXPIRING_ORIGINALS,
    FG_EXPIRING_ENROLMENTS /* their prefixes, ending in '/'; nothing marks one as done */
} fg_expiring;

/* Keys of at most limit blobs that came with sources before that time; free each, and the array. */
fg_code fg_store_expired(fg_store *store, fg_expiring what, int64_t before_ms, int limit, char ***keys,
                         long *count, fg_error *err) FG_MUST_CHECK;
void fg_keys_texts_free(char **keys, long count);
fg_code fg_store_blob_gone(fg_store *store, fg_expiring what, const char *key, fg_error *err) FG_MUST_CHECK;
/* Deletes at most limit attempts ("verify" and "invoke" rows of the audit) for good; *count of them. */
fg_code fg_store_attempts_expire(fg_store *store, int64_t before_ms, int limit, long *count,
                                 fg_error *err) FG_MUST_CHECK;

/* -- the end of it all -- */

/* Members and all that is theirs, classifier versions, jobs, and the audit save for keys, settings, sign-ins
 * and resets, for good, in one transaction; keys and settings stay. The members' blob prefixes become
 * pending, as by member_remove. */
fg_code fg_store_reset(fg_store *store, fg_error *err) FG_MUST_CHECK;
/* Gives the file's free space back. */
fg_code fg_store_vacuum(fg_store *store, fg_error *err) FG_MUST_CHECK;

#endif
