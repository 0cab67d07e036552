/* Statements on a locked SQLite connection: prepared once, bound in order, errors mapped in one place.
 *
 *     fg_sql q;
 *     fg_sql_prepare(&q, s, "SELECT role FROM member WHERE id = ?");
 *     fg_sql_int(&q, id);
 *     while ((rc = fg_sql_step(&q, err)) == FG_OK && q.row)
 *         ...
 *     fg_sql_done(&q);
 *
 * A failure to prepare or to bind is kept and reported by the next step. All of this belongs between
 * fg_sql_begin and fg_sql_end. */
#ifndef FG_STORE_SQL_H
#define FG_STORE_SQL_H

#include "store/backend.h"

#include <pthread.h>
#include <sqlite3.h>

enum { FG_SQL_CACHE = 40 };

typedef struct fg_sqlite {
    fg_store base;
    sqlite3 *db;
    pthread_mutex_t lock; /* held from begin to end */
    char *path;           /* for messages */
    int busy_ms;
    bool wipe_due; /* removed rows are still in the WAL, since somebody was reading */
    struct {
        const char *sql;    /* the literal itself: compared by address */
        sqlite3_stmt *stmt; /* NULL while in use */
    } cache[FG_SQL_CACHE];
} fg_sqlite;

static inline fg_sqlite *fg_sqlite_of(fg_store *store)
{
    return (fg_sqlite *)store; /* base comes first */
}

typedef enum fg_sql_mode {
    FG_SQL_READ,
    FG_SQL_WRITE,      /* on the disk when fg_sql_end returns */
    FG_SQL_WRITE_LAZY, /* survives the process, not a power cut */
} fg_sql_mode;

/* Locks the store and begins a transaction. On failure nothing is held. */
fg_code fg_sql_begin(fg_sqlite *s, fg_sql_mode mode, fg_error *err) FG_MUST_CHECK;
/* Commits if rc is FG_OK, else rolls back; unlocks. Returns rc, or why the commit failed. */
fg_code fg_sql_end(fg_sqlite *s, fg_code rc, fg_error *err) FG_MUST_CHECK;

/* The error for an SQLite result code, naming the file. */
fg_code fg_sql_fail(fg_sqlite *s, int result, fg_error *err);

typedef struct fg_sql {
    fg_sqlite *store;
    const char *sql;
    sqlite3_stmt *stmt;
    int bound;
    int result; /* of SQLite */
    bool row;   /* the last step gave one */
} fg_sql;

/* sql must be a literal: it is the key of the cache. */
void fg_sql_prepare(fg_sql *q, fg_sqlite *s, const char *sql);
void fg_sql_int(fg_sql *q, int64_t value);
void fg_sql_real(fg_sql *q, double value);                  /* NaN: NULL */
void fg_sql_text(fg_sql *q, const char *text);              /* NULL: NULL; borrowed until the reset */
void fg_sql_clean(fg_sql *q, const char *text);             /* as fg_text_clean makes it; copied */
void fg_sql_blob(fg_sql *q, const void *data, size_t size); /* borrowed until the reset */
fg_code fg_sql_step(fg_sql *q, fg_error *err) FG_MUST_CHECK;
void fg_sql_reset(fg_sql *q); /* to bind and step again */
void fg_sql_done(fg_sql *q);
/* Steps once, then done: for what returns no rows. */
fg_code fg_sql_run(fg_sql *q, fg_error *err) FG_MUST_CHECK;
/* Steps once, then done: the integer of the first row's first column, otherwise without a row. */
fg_code fg_sql_run_int(fg_sql *q, int64_t otherwise, int64_t *value, fg_error *err) FG_MUST_CHECK;
bool fg_sql_is_duplicate(const fg_sql *q); /* the last step broke a UNIQUE or PRIMARY KEY constraint */

/* Columns of the current row. */
int64_t fg_sql_column_int(const fg_sql *q, int column);
double fg_sql_column_real(const fg_sql *q, int column); /* NULL: NaN */
fg_code fg_sql_column_text(const fg_sql *q, int column, char **text,
                           fg_error *err) FG_MUST_CHECK;                          /* a copy */
void fg_sql_column_copy(const fg_sql *q, int column, char *out, size_t out_size); /* cut to fit */

/* Fills one zeroed row from the current row of q; on failure what it has put there is still to be freed. */
typedef fg_code (*fg_sql_reader)(const fg_sql *q, void *row, fg_error *err);
/* All rows of q, which is done then: an array of *count rows of row_size bytes, for the caller to free also
 * on failure. */
fg_code fg_sql_list(fg_sql *q, size_t row_size, fg_sql_reader read, void **rows, long *count,
                    fg_error *err) FG_MUST_CHECK;

/* A transaction of one statement: fg_sql_start begins and prepares, then it is bound, and one of the two
 * below runs it and ends. When fg_sql_start fails, nothing is held. */
fg_code fg_sql_start(fg_sql *q, fg_store *store, fg_sql_mode mode, const char *sql,
                     fg_error *err) FG_MUST_CHECK;
/* For what returns no rows. */
fg_code fg_sql_finish(fg_sql *q, fg_error *err) FG_MUST_CHECK;
/* The rows of one kind: how one is read, and how an array of them is freed. */
typedef struct fg_sql_kind {
    size_t row_size;
    fg_sql_reader read;
    void (*free)(void *rows, long count);
} fg_sql_kind;
/* All rows, as the caller's array *rows (of which this takes the address) and its *count; left as they were
 * on failure. */
fg_code fg_sql_finish_list(fg_sql *q, const fg_sql_kind *kind, void *rows, long *count,
                           fg_error *err) FG_MUST_CHECK;
/* Rows that are the text of the first column, char *. */
extern const fg_sql_kind fg_sql_texts;

/* Room for one more of size bytes in *items, which holds count of *capacity; new room is zeroed. */
fg_code fg_sql_grow(void **items, long count, long *capacity, size_t size, fg_error *err) FG_MUST_CHECK;

/* When a name is given, by the parameter ?1 for now: later than all that any training knows, also where the
 * clock was set back. */
#define FG_SQL_NAMED_MS "max(?1, (SELECT coalesce(max(names_ms), 0) + 1 FROM trained))"

/* Parts of a transaction that more than one call needs. */
fg_code fg_sqlite_rights_replace(fg_sqlite *s, int64_t member_id, const char *const *rights, int count,
                                 fg_error *err) FG_MUST_CHECK;
fg_code fg_sqlite_pending_insert(fg_sqlite *s, const char *blob_prefix, fg_error *err) FG_MUST_CHECK;
/* The team's embedder is that of the enrolment, or becomes it where the team has none; else FG_ERR_STATE. */
fg_code fg_sqlite_embedder_take(fg_sqlite *s, const fg_enrolment *enrolment, fg_error *err) FG_MUST_CHECK;
/* Templates without their embeddings; see fg_sqlite_template_chips for the columns. */
extern const fg_sql_kind fg_sqlite_chips;
/* The row of an embedder, made if there is none. */
fg_code fg_sqlite_model_id(fg_sqlite *s, const char *hash, int64_t *id, fg_error *err) FG_MUST_CHECK;

#endif
