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
    long sources, templates;
} fg_member;

void fg_member_deinit(fg_member *member);
void fg_members_free(fg_member *members, long count);

fg_code fg_store_members(fg_store *store, fg_member **members, long *count,
                         fg_error *err) FG_MUST_CHECK; /* by name */
fg_code fg_store_member_by_id(fg_store *store, int64_t id, fg_member *member, fg_error *err) FG_MUST_CHECK;
fg_code fg_store_member_by_name(fg_store *store, const char *name, fg_member *member,
                                fg_error *err) FG_MUST_CHECK;

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
 * audit, and enrolments under way that would add to it. The blob prefix is left to the caller to delete, as a
 * pending prefix (see below) that survives a kill between the two. */
fg_code fg_store_member_remove(fg_store *store, int64_t id, fg_error *err) FG_MUST_CHECK;
/* Never goes back in time. A power cut may lose the last ones. */
fg_code fg_store_member_seen(fg_store *store, int64_t id, int64_t when_ms, fg_error *err) FG_MUST_CHECK;

/* -- enrolment -- */

typedef struct fg_source { /* one enrolment file */
    int64_t id, member_id;
    char *name;     /* the file's own base name; stored as fg_text_clean makes it */
    char *kind;     /* "video" or "photo" */
    char *blob_key; /* of the kept original; NULL where it is not kept */
    char sha256[FG_SHA256_HEX];
    int every, rotation; /* as used; rotation in degrees clockwise */
    long frames_sampled, faces_used;
    int64_t created_ms;
} fg_source;

typedef struct fg_template {
    int64_t id, member_id, source_id;
    int frame_index;
    int64_t time_ms; /* in the video */
    char model_hash[FG_SHA256_HEX];
    int embedding_size;
    float *embedding;       /* unit length */
    char *chip_key;         /* blob of the aligned chip (PNG) */
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
    const fg_template *templates; /* source_id is an index into sources */
    long template_count;
} fg_enrolment;

/* One transaction, which also ends the pending state of pending_prefix. FG_ERR_STATE where that is pending no
 * longer: the member was removed meanwhile. FG_ERR_LIMIT: too many members, rights or templates. */
fg_code fg_store_enroll(fg_store *store, const fg_enrolment *enrolment, int64_t *member_id,
                        fg_error *err) FG_MUST_CHECK;
fg_code fg_store_sources(fg_store *store, int64_t member_id, fg_source **sources, long *count,
                         fg_error *err) FG_MUST_CHECK;

/* Blobs are written before the rows that name them. A prefix is pending from before its first blob until the
 * rows are there, with the process that does it; a prefix whose process is gone was killed half way, and its
 * blobs are to be deleted. */
fg_code fg_store_pending_add(fg_store *store, const char *blob_prefix, fg_error *err) FG_MUST_CHECK;
fg_code fg_store_pending_remove(fg_store *store, const char *blob_prefix, fg_error *err) FG_MUST_CHECK;
/* The abandoned ones, as an array of owned strings; a prefix that live rows use is never among them. A
 * process is known by its id and start time in this boot and this process namespace, so that a new process
 * with its id does not pass for it; what comes from elsewhere (another container, before a restart) counts as
 * abandoned after 24 hours. */
fg_code fg_store_pending_abandoned(fg_store *store, char ***prefixes, long *count,
                                   fg_error *err) FG_MUST_CHECK;

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
/* The chips of templates, to embed again with another model or to show: id, member_id, model_hash and
 * chip_key are filled. member_id 0 for all. */
fg_code fg_store_template_chips(fg_store *store, int64_t member_id, fg_template **templates, long *count,
                                fg_error *err) FG_MUST_CHECK;
void fg_templates_free(fg_template *templates, long count);
/* Replaces the embedding of each template (matched by id), one transaction. Ids that are gone by now are
 * passed over. */
fg_code fg_store_templates_reembed(fg_store *store, const char *model_hash, int embedding_size,
                                   const int64_t *ids, const float *embeddings, long count,
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
    int64_t *member_ids; /* the members it knows, ascending; owned. Given to version_add in any order; with
                            count 0 there, everybody who has templates of model_hash is taken */
    long member_count;
} fg_version_info;

void fg_version_info_deinit(fg_version_info *info);
void fg_versions_free(fg_version_info *infos, long count);
/* Stores a version and, with activate, makes it the one active version. *version is its number; info's
 * version, active and withdrawn are ignored. FG_ERR_STATE where a member it knows has been removed meanwhile.
 */
fg_code fg_store_version_add(fg_store *store, const fg_version_info *info, const void *data, size_t size,
                             bool activate, int64_t *version, fg_error *err) FG_MUST_CHECK;
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
    char *scope;                                         /* "admin", "verify", "enroll", "audit" */
    int64_t created_ms, expires_ms, revoked_ms, used_ms; /* 0: never */
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

#endif
