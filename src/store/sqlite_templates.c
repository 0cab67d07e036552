#include "store/sql.h"
#include "store/sqlite.h"

#include <stdlib.h>
#include <string.h>

static fg_code count_templates(fg_sqlite *s, const char *sql, const char *model_hash, int64_t *count,
                               fg_error *err)
{
    fg_sql q;
    fg_sql_prepare(&q, s, sql);
    if (model_hash)
        fg_sql_text(&q, model_hash);
    return fg_sql_run_int(&q, 0, count, err);
}

static fg_code read_columns(fg_sqlite *s, const char *model_hash, fg_template_set *set, long room,
                            fg_error *err)
{
    fg_sql q;
    fg_code rc;
    fg_sql_prepare(&q, s,
                   "SELECT id, member_id, source_id, time_ms, embedding FROM template "
                   "WHERE model_id = (SELECT id FROM model WHERE hash = ?) "
                   "ORDER BY member_id, source_id, frame_index, id");
    fg_sql_text(&q, model_hash);
    while ((rc = fg_sql_step(&q, err)) == FG_OK && q.row && set->count < room) {
        const size_t bytes = (size_t)set->embedding_size * sizeof(float), i = (size_t)set->count;
        const void *embedding = sqlite3_column_blob(q.stmt, 4);
        if (!embedding || (size_t)sqlite3_column_bytes(q.stmt, 4) != bytes) {
            rc = FG_FAIL(err, FG_ERR_INPUT, "%s: damaged (a template has the wrong size); restore a backup",
                         s->path);
            break;
        }
        set->ids[i] = fg_sql_column_int(&q, 0);
        set->member_ids[i] = fg_sql_column_int(&q, 1);
        set->source_ids[i] = fg_sql_column_int(&q, 2);
        set->times_ms[i] = fg_sql_column_int(&q, 3);
        memcpy(set->embeddings + i * (size_t)set->embedding_size, embedding, bytes);
        set->count++;
    }
    fg_sql_done(&q);
    return rc;
}

fg_code fg_sqlite_templates(fg_store *store, const char *model_hash, fg_template_set *set, long *stale,
                            fg_error *err)
{
    fg_sqlite *s = fg_sqlite_of(store);
    int64_t count = 0, all = 0, size = 0;
    fg_code rc = fg_sql_begin(s, FG_SQL_READ, err);
    if (rc != FG_OK)
        return rc;
    if ((rc = count_templates(s,
                              "SELECT count(*) FROM template WHERE model_id = "
                              "(SELECT id FROM model WHERE hash = ?)",
                              model_hash, &count, err)) != FG_OK ||
        (rc = count_templates(s,
                              "SELECT embedding_size FROM template WHERE model_id = "
                              "(SELECT id FROM model WHERE hash = ?) LIMIT 1",
                              model_hash, &size, err)) != FG_OK ||
        (stale && (rc = count_templates(s, "SELECT count(*) FROM template", NULL, &all, err)) != FG_OK) ||
        count == 0)
        goto done;
    if (size < 1 || size > FG_MAX_EMBEDDING || count > FG_MAX_TEMPLATES) {
        rc = FG_FAIL(err, FG_ERR_INPUT, "%s: damaged (templates of %lld numbers); restore a backup", s->path,
                     (long long)size);
        goto done;
    }
    const size_t n = (size_t)count;
    set->embedding_size = (int)size;
    set->embeddings = malloc(n * (size_t)size * sizeof *set->embeddings);
    set->ids = malloc(n * sizeof *set->ids);
    set->member_ids = malloc(n * sizeof *set->member_ids);
    set->source_ids = malloc(n * sizeof *set->source_ids);
    set->times_ms = malloc(n * sizeof *set->times_ms);
    if (!set->embeddings || !set->ids || !set->member_ids || !set->source_ids || !set->times_ms)
        rc = FG_FAIL(err, FG_ERR_MEMORY, "out of memory for %lld templates", (long long)count);
    else
        rc = read_columns(s, model_hash, set, (long)count, err);
done:
    rc = fg_sql_end(s, rc, err);
    if (rc != FG_OK)
        fg_template_set_deinit(set);
    else if (stale)
        *stale = (long)(all - count);
    return rc;
}

static fg_code read_chip(const fg_sql *q, void *row, fg_error *err)
{
    fg_template *t = row;
    t->id = fg_sql_column_int(q, 0);
    t->member_id = fg_sql_column_int(q, 1);
    t->source_id = fg_sql_column_int(q, 2);
    t->frame_index = (int)fg_sql_column_int(q, 3);
    t->time_ms = fg_sql_column_int(q, 4);
    fg_sql_column_copy(q, 5, t->model_hash, sizeof t->model_hash);
    t->embedding_size = (int)fg_sql_column_int(q, 6);
    t->score = (float)fg_sql_column_real(q, 8);
    t->sharpness = (float)fg_sql_column_real(q, 9);
    t->sampled = (int)fg_sql_column_int(q, 10);
    t->variation = t->sampled < 0 ? t->frame_index : 0;
    return sqlite3_column_type(q->stmt, 7) == SQLITE_NULL ? FG_OK
                                                          : fg_sql_column_text(q, 7, &t->chip_key, err);
}

static void free_chips(void *rows, long count)
{
    fg_templates_free(rows, count);
}

const fg_sql_kind fg_sqlite_chips = {sizeof(fg_template), read_chip, free_chips};

fg_code fg_sqlite_template_chips(fg_store *store, int64_t member_id, fg_template **templates, long *count,
                                 fg_error *err)
{
    fg_sql q;
    fg_code rc = fg_sql_start(
        &q, store, FG_SQL_READ,
        "SELECT template.id, template.member_id, source_id, frame_index, time_ms, hash, embedding_size, "
        "chip_key, score, sharpness, CASE kind WHEN 'photo' THEN -1 ELSE frame_index / every END "
        "FROM template JOIN model ON model.id = model_id JOIN source ON source.id = source_id "
        "WHERE chip_gone = 0 AND chip_key IS NOT NULL AND (?1 = 0 OR template.member_id = ?1) "
        "ORDER BY template.member_id, source_id, frame_index, template.id",
        err);
    if (rc != FG_OK)
        return rc;
    fg_sql_int(&q, member_id);
    return fg_sql_finish_list(&q, &fg_sqlite_chips, templates, count, err);
}
