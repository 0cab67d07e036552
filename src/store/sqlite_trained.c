/* How old the names are that an endpoint elsewhere answers with. */
#include "base/clock.h"
#include "store/sql.h"
#include "store/sqlite.h"

/* No earlier than any name that has been given, though the clock may have been set back. */
#define NAMES_NOW "max(?, (SELECT coalesce(max(named_ms), 0) FROM member))"

fg_code fg_sqlite_training_begin(fg_store *store, const char *job, fg_error *err)
{
    fg_sql q;
    fg_code rc = fg_sql_start(&q, store, FG_SQL_WRITE,
                              "INSERT INTO trained (what, names_ms, name) VALUES ('job', " NAMES_NOW
                              ", ?) ON CONFLICT DO NOTHING",
                              err);
    if (rc != FG_OK)
        return rc;
    fg_sql_int(&q, fg_clock_unix_ms());
    fg_sql_text(&q, job);
    return fg_sql_finish(&q, err);
}

fg_code fg_sqlite_endpoint_deploy(fg_store *store, const char *endpoint, const char *config, const char *job,
                                  fg_error *err)
{
    fg_sqlite *s = fg_sqlite_of(store);
    const char *const rows[][2] = {{"config", config}, {"endpoint", endpoint}};
    fg_code rc = fg_sql_begin(s, FG_SQL_WRITE, err);
    if (rc != FG_OK)
        return rc;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0] && rc == FG_OK; i++) {
        fg_sql q;
        fg_sql_prepare(&q, s,
                       "INSERT INTO trained (what, name, names_ms) "
                       "SELECT ?, ?, names_ms FROM trained WHERE what = 'job' AND name = ? "
                       "ON CONFLICT DO UPDATE SET names_ms = min(names_ms, excluded.names_ms)");
        fg_sql_text(&q, rows[i][0]);
        fg_sql_text(&q, rows[i][1]);
        fg_sql_text(&q, job);
        rc = fg_sql_run(&q, err);
    }
    return fg_sql_end(s, rc, err);
}

fg_code fg_sqlite_endpoint_serves(fg_store *store, const char *endpoint, const char *config, fg_error *err)
{
    fg_sql q;
    fg_code rc =
        fg_sql_start(&q, store, FG_SQL_WRITE,
                     "INSERT INTO trained (what, name, names_ms) "
                     "SELECT 'endpoint', ?, names_ms FROM trained WHERE what = 'config' AND name = ? "
                     "ON CONFLICT DO UPDATE SET names_ms = excluded.names_ms",
                     err);
    if (rc != FG_OK)
        return rc;
    fg_sql_text(&q, endpoint);
    fg_sql_text(&q, config);
    return fg_sql_finish(&q, err);
}

fg_code fg_sqlite_endpoint_names(fg_store *store, const char *endpoint, int64_t *names_ms, bool *known,
                                 fg_error *err)
{
    fg_sqlite *s = fg_sqlite_of(store);
    fg_sql q;
    fg_code rc = fg_sql_begin(s, FG_SQL_READ, err);
    if (rc != FG_OK)
        return rc;
    fg_sql_prepare(&q, s, "SELECT names_ms FROM trained WHERE what = 'endpoint' AND name = ?");
    fg_sql_text(&q, endpoint);
    rc = fg_sql_run_int(&q, -1, names_ms, err);
    *known = *names_ms >= 0;
    if (rc == FG_OK && !*known) {
        fg_sql_prepare(&q, s, "SELECT " NAMES_NOW);
        fg_sql_int(&q, fg_clock_unix_ms());
        rc = fg_sql_run_int(&q, 0, names_ms, err);
    }
    return fg_sql_end(s, rc, err);
}

fg_code fg_sqlite_endpoint_asked(fg_store *store, const char *endpoint, int64_t names_ms, fg_error *err)
{
    fg_sql q;
    fg_code rc = fg_sql_start(
        &q, store, FG_SQL_WRITE,
        "INSERT INTO trained (what, name, names_ms) VALUES ('endpoint', ?, ?) ON CONFLICT DO NOTHING", err);
    if (rc != FG_OK)
        return rc;
    fg_sql_text(&q, endpoint);
    fg_sql_int(&q, names_ms);
    return fg_sql_finish(&q, err);
}
