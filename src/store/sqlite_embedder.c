/* The team's embedder, and the switch to another: new embeddings are staged in batches beside the old ones,
 * and take their place in one transaction when there are all. */
#include "store/sql.h"
#include "store/sqlite.h"

#include <string.h>

static fg_code read_embedder(fg_sqlite *s, fg_embedder *embedder, fg_error *err)
{
    fg_sql q;
    fg_sql_prepare(&q, s, "SELECT name, model_hash FROM embedder");
    fg_code rc = fg_sql_step(&q, err);
    if (rc == FG_OK && q.row) {
        fg_sql_column_copy(&q, 0, embedder->name, sizeof embedder->name);
        fg_sql_column_copy(&q, 1, embedder->model_hash, sizeof embedder->model_hash);
    }
    fg_sql_done(&q);
    return rc;
}

static fg_code write_embedder(fg_sqlite *s, const char *name, const char *model_hash, fg_error *err)
{
    fg_sql q;
    fg_sql_prepare(&q, s, "INSERT OR REPLACE INTO embedder (one, name, model_hash) VALUES (1, ?, ?)");
    fg_sql_text(&q, name);
    fg_sql_text(&q, model_hash);
    return fg_sql_run(&q, err);
}

fg_code fg_sqlite_embedder(fg_store *store, fg_embedder *embedder, fg_error *err)
{
    fg_sqlite *s = fg_sqlite_of(store);
    fg_code rc = fg_sql_begin(s, FG_SQL_READ, err);
    return rc == FG_OK ? fg_sql_end(s, read_embedder(s, embedder, err), err) : rc;
}

/* A template of another model than this one; "" where there is none. */
static fg_code find_other(fg_sqlite *s, const char *model_hash, char other[FG_SHA256_HEX], fg_error *err)
{
    fg_sql q;
    *other = 0;
    fg_sql_prepare(&q, s,
                   "SELECT hash FROM model WHERE hash <> ? AND "
                   "EXISTS (SELECT 1 FROM template WHERE model_id = model.id) LIMIT 1");
    fg_sql_text(&q, model_hash);
    fg_code rc = fg_sql_step(&q, err);
    if (rc == FG_OK && q.row)
        fg_sql_column_copy(&q, 0, other, FG_SHA256_HEX);
    fg_sql_done(&q);
    return rc;
}

fg_code fg_sqlite_embedder_take(fg_sqlite *s, const fg_enrolment *e, fg_error *err)
{
    fg_embedder team = {0};
    char other[FG_SHA256_HEX];
    int64_t any = 0;
    fg_sql q;
    if (e->template_count == 0)
        return FG_OK;
    const char *hash = e->templates[0].model_hash;
    fg_code rc = read_embedder(s, &team, err);
    if (rc == FG_OK)
        rc = find_other(s, hash, other, err);
    if (rc != FG_OK)
        return rc;
    fg_sql_prepare(&q, s, "SELECT 1 FROM template LIMIT 1");
    if ((rc = fg_sql_run_int(&q, 0, &any, err)) != FG_OK)
        return rc;
    const bool same = strcmp(team.model_hash, hash) == 0;
    /* A team of nobody follows new weights of the same name, as an update of Facegate brings them. */
    const bool renewed = !any && e->embedder && strcmp(team.name, e->embedder) == 0;
    if (*other || (*team.name && !same && !renewed))
        return FG_FAIL(err, FG_ERR_STATE,
                       "the team's templates are of another embedder (%s%.12s) than these (%s%s%.12s); enrol "
                       "with that one, or switch the team with `facegate models use`",
                       *team.name ? team.name : "", *team.name ? "" : other, e->embedder ? e->embedder : "",
                       e->embedder ? " " : "", hash);
    return e->embedder && !same ? write_embedder(s, e->embedder, hash, err) : FG_OK;
}

/* -- the switch -- */

fg_code fg_sqlite_reembed_begin(fg_store *store, const char *model_hash, long *staged, fg_error *err)
{
    fg_sqlite *s = fg_sqlite_of(store);
    int64_t model_id = 0, count = 0;
    fg_sql q;
    fg_code rc = fg_sql_begin(s, FG_SQL_WRITE, err);
    if (rc != FG_OK)
        return rc;
    if ((rc = fg_sqlite_model_id(s, model_hash, &model_id, err)) != FG_OK)
        goto done;
    fg_sql_prepare(&q, s, "DELETE FROM reembedding WHERE model_id <> ? OR embedding IS NULL");
    fg_sql_int(&q, model_id);
    if ((rc = fg_sql_run(&q, err)) != FG_OK)
        goto done;
    fg_sql_prepare(&q, s, "SELECT count(*) FROM reembedding");
    rc = fg_sql_run_int(&q, 0, &count, err);
done:
    rc = fg_sql_end(s, rc, err);
    if (rc == FG_OK)
        *staged = (long)count;
    return rc;
}

fg_code fg_sqlite_reembed_todo(fg_store *store, const char *model_hash, fg_template **templates, long *count,
                               fg_error *err)
{
    fg_sql q;
    fg_code rc = fg_sql_start(
        &q, store, FG_SQL_READ,
        "SELECT template.id, template.member_id, source_id, frame_index, time_ms, hash, embedding_size, "
        "CASE chip_gone WHEN 0 THEN chip_key END, score, sharpness, CASE kind WHEN 'photo' THEN -1 ELSE "
        "frame_index / every END "
        "FROM template JOIN model ON model.id = template.model_id JOIN source ON source.id = source_id "
        "WHERE hash <> ?1 AND NOT EXISTS "
        "(SELECT 1 FROM reembedding WHERE template_id = template.id AND "
        "reembedding.model_id = (SELECT id FROM model WHERE hash = ?1)) "
        "ORDER BY template.member_id, source_id, frame_index, template.id",
        err);
    if (rc != FG_OK)
        return rc;
    fg_sql_text(&q, model_hash);
    return fg_sql_finish_list(&q, &fg_sqlite_chips, templates, count, err);
}

fg_code fg_sqlite_reembed_stage(fg_store *store, const char *model_hash, int embedding_size,
                                const int64_t *ids, const float *embeddings, long count, fg_error *err)
{
    fg_sqlite *s = fg_sqlite_of(store);
    int64_t model_id = 0;
    fg_sql q;
    fg_code rc = fg_sql_begin(s, FG_SQL_WRITE, err);
    if (rc != FG_OK)
        return rc;
    if ((rc = fg_sqlite_model_id(s, model_hash, &model_id, err)) != FG_OK)
        goto done;
    /* Only for a template that is still there. */
    fg_sql_prepare(&q, s,
                   "INSERT OR REPLACE INTO reembedding (template_id, model_id, embedding_size, embedding) "
                   "SELECT id, ?, ?, ? FROM template WHERE id = ?");
    for (long i = 0; i < count && rc == FG_OK; i++) {
        const size_t size = (size_t)embedding_size;
        fg_sql_int(&q, model_id);
        fg_sql_int(&q, embedding_size);
        if (embeddings)
            fg_sql_blob(&q, embeddings + (size_t)i * size, size * sizeof *embeddings);
        else
            fg_sql_text(&q, NULL);
        fg_sql_int(&q, ids[i]);
        if ((rc = fg_sql_step(&q, err)) == FG_OK)
            fg_sql_reset(&q);
    }
    fg_sql_done(&q);
done:
    return fg_sql_end(s, rc, err);
}

/* Each has the new model's id as its only parameter. */
static const char *const switching[] = {
    "DELETE FROM template WHERE id IN "
    "(SELECT template_id FROM reembedding WHERE model_id = ?1 AND embedding IS NULL)",
    "UPDATE template SET model_id = ?1, embedding_size = r.embedding_size, embedding = r.embedding "
    "FROM reembedding AS r WHERE r.template_id = template.id AND r.model_id = ?1",
    "DELETE FROM reembedding WHERE model_id = ?1",
};
enum { DROPPED, SWITCHED };

fg_code fg_sqlite_reembed_switch(fg_store *store, const char *name, const char *model_hash,
                                 fg_reembedded *result, fg_error *err)
{
    fg_sqlite *s = fg_sqlite_of(store);
    int64_t model_id = 0, left = 0;
    long changes[sizeof switching / sizeof switching[0]] = {0};
    fg_sql q;
    fg_code rc = fg_sql_begin(s, FG_SQL_WRITE, err);
    if (rc != FG_OK)
        return rc;
    if ((rc = fg_sqlite_model_id(s, model_hash, &model_id, err)) != FG_OK)
        goto done;
    fg_sql_prepare(&q, s,
                   "SELECT count(*) FROM template WHERE model_id <> ?1 AND NOT EXISTS (SELECT 1 FROM "
                   "reembedding WHERE template_id = template.id AND reembedding.model_id = ?1)");
    fg_sql_int(&q, model_id);
    if ((rc = fg_sql_run_int(&q, 0, &left, err)) != FG_OK || left > 0)
        goto done;
    for (size_t i = 0; i < sizeof switching / sizeof switching[0] && rc == FG_OK; i++) {
        fg_sql_prepare(&q, s, switching[i]);
        fg_sql_int(&q, model_id);
        rc = fg_sql_run(&q, err);
        changes[i] = (long)sqlite3_changes64(s->db);
    }
    if (rc == FG_OK)
        rc = write_embedder(s, name, model_hash, err);
    if (rc == FG_OK)
        s->wipe_due = true;
done:
    rc = fg_sql_end(s, rc, err);
    if (rc == FG_OK)
        *result = (fg_reembedded){(long)left, changes[SWITCHED], changes[DROPPED]};
    return rc;
}
