/* One enrolment: member, sources, templates and the end of its pending state, in one transaction. */
#include "base/clock.h"
#include "store/sql.h"
#include "store/sqlite.h"

#include <stdlib.h>
#include <string.h>

/* Blobs hold float32 as little-endian bytes; every machine that Facegate is built for has them so. */
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "embeddings would have to be swapped");

fg_code fg_sqlite_model_id(fg_sqlite *s, const char *hash, int64_t *id, fg_error *err)
{
    fg_sql q;
    fg_sql_prepare(&q, s, "INSERT INTO model (hash) VALUES (?) ON CONFLICT DO NOTHING");
    fg_sql_text(&q, hash);
    fg_code rc = fg_sql_run(&q, err);
    if (rc != FG_OK)
        return rc;
    fg_sql_prepare(&q, s, "SELECT id FROM model WHERE hash = ?");
    fg_sql_text(&q, hash);
    return fg_sql_run_int(&q, 0, id, err);
}

static fg_code count(fg_sqlite *s, const char *sql, int64_t id, int64_t *value, fg_error *err)
{
    fg_sql q;
    fg_sql_prepare(&q, s, sql);
    fg_sql_int(&q, id);
    return fg_sql_run_int(&q, 0, value, err);
}

static fg_code check_limits(fg_sqlite *s, const fg_enrolment *e, int64_t member_id, fg_error *err)
{
    int64_t members = 0, own = 0, all = 0;
    fg_code rc;
    if ((rc = count(s, "SELECT count(*) FROM member WHERE id <> ?", member_id, &members, err)) != FG_OK ||
        (rc = count(s, "SELECT count(*) FROM template WHERE member_id = ?", member_id, &own, err)) != FG_OK ||
        (rc = count(s, "SELECT count(*) FROM template WHERE member_id <> ?", member_id, &all, err)) != FG_OK)
        return rc;
    if (members >= FG_MAX_MEMBERS)
        return FG_FAIL(err, FG_ERR_LIMIT, "there are %d members already, as many as a team can have",
                       FG_MAX_MEMBERS);
    if (own + e->template_count > FG_MAX_TEMPLATES_PER_MEMBER)
        return FG_FAIL(err, FG_ERR_LIMIT,
                       "%s would have %lld faces, at most %d are kept; use a larger --every or fewer files",
                       e->name, (long long)(own + e->template_count), FG_MAX_TEMPLATES_PER_MEMBER);
    if (own + all + e->template_count > FG_MAX_TEMPLATES)
        return FG_FAIL(err, FG_ERR_LIMIT, "the team would have more than %d faces", FG_MAX_TEMPLATES);
    return FG_OK;
}

/* Nobody else may have taken the enrolment for dead, nor removed its member, since it began. */
static fg_code end_pending(fg_sqlite *s, const fg_enrolment *e, fg_error *err)
{
    fg_sql q;
    if (!e->pending_prefix)
        return FG_OK;
    fg_sql_prepare(&q, s, "DELETE FROM pending WHERE blob_prefix = ? AND cancelled = 0");
    fg_sql_text(&q, e->pending_prefix);
    fg_code rc = fg_sql_run(&q, err);
    if (rc == FG_OK && sqlite3_changes64(s->db) == 0)
        rc = FG_FAIL(err, FG_ERR_STATE, "%s was removed while this enrolment was under way; enrol again",
                     e->name);
    return rc;
}

static fg_code add_member(fg_sqlite *s, const fg_enrolment *e, int64_t now_ms, int64_t *id, fg_error *err)
{
    fg_sql q;
    if (!e->role)
        return FG_FAIL(err, FG_ERR_USAGE, "give %s a role", e->name);
    fg_sql_prepare(&q, s,
                   "INSERT INTO member (created_ms, updated_ms, named_ms, name, role, blob_prefix) "
                   "VALUES (?1, ?1, " FG_SQL_NAMED_MS ", ?2, ?3, ?4)");
    fg_sql_int(&q, now_ms);
    fg_sql_text(&q, e->name);
    fg_sql_text(&q, e->role);
    fg_sql_text(&q, e->blob_prefix);
    fg_code rc = fg_sql_run(&q, err);
    *id = sqlite3_last_insert_rowid(s->db);
    return rc == FG_OK ? fg_sqlite_rights_replace(s, *id, e->rights, e->right_count, err) : rc;
}

static fg_code update_member(fg_sqlite *s, const fg_enrolment *e, int64_t now_ms, int64_t id, fg_error *err)
{
    fg_sql q;
    int64_t same = 0;
    fg_sql_prepare(&q, s, "SELECT count(*) FROM member WHERE id = ? AND blob_prefix = ?");
    fg_sql_int(&q, id);
    fg_sql_text(&q, e->blob_prefix);
    fg_code rc = fg_sql_run_int(&q, 0, &same, err);
    if (rc != FG_OK)
        return rc;
    if (!same || (e->pending_prefix && strcmp(e->pending_prefix, e->blob_prefix) == 0))
        return FG_FAIL(err, FG_ERR_STATE,
                       "%s was enrolled anew while this enrolment was under way; enrol again", e->name);
    fg_sql_prepare(&q, s, "UPDATE member SET role = coalesce(?, role), updated_ms = ? WHERE id = ?");
    fg_sql_text(&q, e->role);
    fg_sql_int(&q, now_ms);
    fg_sql_int(&q, id);
    rc = fg_sql_run(&q, err);
    if (rc == FG_OK && e->right_count)
        rc = fg_sqlite_rights_replace(s, id, e->rights, e->right_count, err);
    return rc;
}

static fg_code add_source(fg_sqlite *s, const fg_source *source, int64_t member_id, int64_t now_ms,
                          int64_t *id, fg_error *err)
{
    fg_sql q;
    fg_sql_prepare(
        &q, s,
        "INSERT INTO source (member_id, name, kind, blob_key, sha256, every, rotation, frames_sampled, "
        "faces_used, created_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
    fg_sql_int(&q, member_id);
    fg_sql_clean(&q, source->name);
    fg_sql_text(&q, source->kind);
    fg_sql_text(&q, source->blob_key);
    fg_sql_text(&q, source->sha256);
    fg_sql_int(&q, source->every);
    fg_sql_int(&q, source->rotation);
    fg_sql_int(&q, source->frames_sampled);
    fg_sql_int(&q, source->faces_used);
    fg_sql_int(&q, source->created_ms ? source->created_ms : now_ms);
    fg_code rc = fg_sql_run(&q, err);
    *id = sqlite3_last_insert_rowid(s->db);
    return rc;
}

static fg_code add_templates(fg_sqlite *s, const fg_enrolment *e, int64_t member_id,
                             const int64_t *source_ids, fg_error *err)
{
    fg_code rc = FG_OK;
    int64_t model_id = 0;
    fg_sql q;
    fg_sql_prepare(
        &q, s,
        "INSERT INTO template (member_id, source_id, frame_index, time_ms, model_id, embedding_size, "
        "embedding, chip_key, score, sharpness) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
    for (long i = 0; i < e->template_count && rc == FG_OK; i++) {
        const fg_template *t = &e->templates[i];
        if (i == 0 || strcmp(t->model_hash, t[-1].model_hash) != 0)
            rc = fg_sqlite_model_id(s, t->model_hash, &model_id, err);
        if (rc != FG_OK)
            break;
        fg_sql_int(&q, member_id);
        fg_sql_int(&q, source_ids[t->source_id]);
        fg_sql_int(&q, t->frame_index);
        fg_sql_int(&q, t->time_ms);
        fg_sql_int(&q, model_id);
        fg_sql_int(&q, t->embedding_size);
        fg_sql_blob(&q, t->embedding, (size_t)t->embedding_size * sizeof(float));
        fg_sql_text(&q, t->chip_key);
        fg_sql_real(&q, (double)t->score);
        fg_sql_real(&q, (double)t->sharpness);
        rc = fg_sql_step(&q, err);
        if (rc != FG_OK && fg_sql_is_duplicate(&q))
            rc = FG_FAIL(err, FG_ERR_INTERNAL, "%s: two templates have this key", t->chip_key);
        if (rc == FG_OK)
            fg_sql_reset(&q);
    }
    fg_sql_done(&q);
    return rc;
}

/* Within a transaction. */
static fg_code enroll_one(fg_sqlite *s, const fg_enrolment *e, int64_t *member_id, fg_error *err)
{
    const int64_t now_ms = fg_clock_unix_ms();
    int64_t id = 0;
    fg_sql q;
    int64_t *source_ids = calloc((size_t)e->source_count + 1, sizeof *source_ids);
    if (!source_ids)
        return FG_FAIL(err, FG_ERR_MEMORY, "out of memory");
    fg_sql_prepare(&q, s, "SELECT id FROM member WHERE name = ?");
    fg_sql_text(&q, e->name);
    fg_code rc = fg_sql_run_int(&q, 0, &id, err);
    if (rc != FG_OK)
        goto done;
    if (id && !e->add) {
        rc = FG_FAIL(err, FG_ERR_EXISTS,
                     "%s is enrolled already; choose another name, or add to what there is", e->name);
        goto done;
    }
    if ((rc = end_pending(s, e, err)) != FG_OK || (rc = check_limits(s, e, id, err)) != FG_OK ||
        (rc = fg_sqlite_embedder_take(s, e, err)) != FG_OK)
        goto done;
    rc = id ? update_member(s, e, now_ms, id, err) : add_member(s, e, now_ms, &id, err);
    for (int i = 0; i < e->source_count && rc == FG_OK; i++)
        rc = add_source(s, &e->sources[i], id, now_ms, &source_ids[i], err);
    if (rc == FG_OK)
        rc = add_templates(s, e, id, source_ids, err);
    if (rc == FG_OK && e->job) {
        fg_sql_prepare(&q, s, "UPDATE job SET member_id = ? WHERE id = ?");
        fg_sql_int(&q, id);
        fg_sql_text(&q, e->job);
        rc = fg_sql_run(&q, err);
    }
    *member_id = id;
done:
    free(source_ids);
    return rc;
}

fg_code fg_sqlite_enroll(fg_store *store, const fg_enrolment *enrolments, long count, int64_t *member_ids,
                         fg_error *err)
{
    fg_sqlite *s = fg_sqlite_of(store);
    fg_code rc = fg_sql_begin(s, FG_SQL_WRITE, err);
    if (rc != FG_OK)
        return rc;
    for (long i = 0; i < count && rc == FG_OK; i++)
        rc = enroll_one(s, &enrolments[i], &member_ids[i], err);
    rc = fg_sql_end(s, rc, err);
    if (rc != FG_OK)
        memset(member_ids, 0, (size_t)count * sizeof *member_ids);
    return rc;
}

static fg_code read_source(const fg_sql *q, void *row, fg_error *err)
{
    fg_source *source = row;
    fg_code rc;
    source->id = fg_sql_column_int(q, 0);
    source->member_id = fg_sql_column_int(q, 1);
    if ((rc = fg_sql_column_text(q, 2, &source->name, err)) != FG_OK ||
        (rc = fg_sql_column_text(q, 3, &source->kind, err)) != FG_OK ||
        (sqlite3_column_type(q->stmt, 4) != SQLITE_NULL &&
         (rc = fg_sql_column_text(q, 4, &source->blob_key, err)) != FG_OK))
        return rc;
    fg_sql_column_copy(q, 5, source->sha256, sizeof source->sha256);
    source->every = (int)fg_sql_column_int(q, 6);
    source->rotation = (int)fg_sql_column_int(q, 7);
    source->frames_sampled = (long)fg_sql_column_int(q, 8);
    source->faces_used = (long)fg_sql_column_int(q, 9);
    source->created_ms = fg_sql_column_int(q, 10);
    return FG_OK;
}

static void free_sources(void *rows, long count)
{
    fg_sources_free(rows, count);
}

static const fg_sql_kind sources_kind = {sizeof(fg_source), read_source, free_sources};

fg_code fg_sqlite_sources(fg_store *store, int64_t member_id, fg_source **sources, long *count, fg_error *err)
{
    fg_sql q;
    fg_code rc =
        fg_sql_start(&q, store, FG_SQL_READ,
                     "SELECT id, member_id, name, kind, blob_key, sha256, every, rotation, frames_sampled, "
                     "faces_used, created_ms FROM source WHERE member_id = ? ORDER BY id",
                     err);
    if (rc != FG_OK)
        return rc;
    fg_sql_int(&q, member_id);
    return fg_sql_finish_list(&q, &sources_kind, sources, count, err);
}
