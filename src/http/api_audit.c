/* GET /api/v1/audit and /api/v1/audit.csv */
#include "http/http.h"

#include "base/clock.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CSV_PAGE = 500, CSV_BLOCK = 32 << 10, CSV_BUFFER = 2 << 20 };

/* Unix milliseconds or RFC 3339; a '+' that was not encoded has become a space. */
static fg_code read_time(const fg_request *r, const char *name, int64_t *ms, fg_error *err)
{
    const char *text = fg_request_query(r, name);
    char copy[40];
    if (!text || !*text)
        return FG_OK;
    size_t digits = strspn(text, "0123456789");
    if (digits <= 15 && !text[digits]) {
        *ms = strtoll(text, NULL, 10);
        return FG_OK;
    }
    snprintf(copy, sizeof copy, "%s", text);
    for (char *p = copy; *p; p++)
        *p = *p == ' ' ? '+' : *p;
    if (strlen(text) >= sizeof copy || !fg_clock_parse(copy, ms))
        return FG_FAIL(err, FG_ERR_USAGE, "%s: give milliseconds since 1970, or a time such as %s", name,
                       "2026-01-31T12:00:00Z");
    return FG_OK;
}

static fg_code read_filter(const fg_request *r, fg_audit_filter *filter, fg_error *err)
{
    static const char *const decisions[] = {"", "granted", "denied", "unknown", "retry"};
    const char *decision = fg_request_query(r, "decision");
    int64_t limit = 100;
    bool known = !decision;
    *filter = (fg_audit_filter){.action = fg_request_query(r, "action"),
                                .decision = decision,
                                .source = fg_request_query(r, "source"),
                                .member = fg_request_query(r, "member")};
    for (size_t i = 0; i < sizeof decisions / sizeof *decisions && decision; i++)
        known = known || strcmp(decision, decisions[i]) == 0;
    if (!known)
        return FG_FAIL(err, FG_ERR_USAGE, "decision: give granted, denied, unknown or retry");
    fg_code rc = fg_request_query_int(r, "before", 0, INT64_MAX, &filter->before_id, err);
    if (rc == FG_OK)
        rc = fg_request_query_int(r, "limit", 1, 1000, &limit, err);
    filter->limit = (int)limit;
    if (rc == FG_OK)
        rc = read_time(r, "from", &filter->from_ms, err);
    return rc == FG_OK ? read_time(r, "to", &filter->to_ms, err) : rc;
}

fg_code fg_api_audit(fg_request *r, fg_error *err)
{
    fg_audit_filter filter;
    fg_audit_row *rows = NULL;
    long count = 0;
    fg_code rc = read_filter(r, &filter, err);
    if (rc != FG_OK ||
        (rc = fg_store_audit_find(fg_app_store(r->server->app), &filter, &rows, &count, err)) != FG_OK)
        return rc;
    json_t *list = json_array();
    for (long i = 0; i < count; i++)
        json_array_append_new(list, fg_audit_json(&rows[i]));
    /* The next page begins where this one ends; null where there is none. */
    int64_t next = count == filter.limit ? rows[count - 1].id : 0;
    fg_audit_free(rows, count);
    rc = fg_reply_tagged(
        r, json_pack("{s:o, s:o}", "rows", list, "next_before", next ? json_integer(next) : json_null()),
        err);
    if (rc == FG_OK && next)
        fg_reply_next(r, "before", next);
    return rc;
}

/* -- CSV, a page of rows at a time -- */

typedef struct export
{
    fg_store *store;
    fg_audit_filter filter; /* its texts are `texts` */
    char texts[4][FG_MAX_NAME_BYTES + 1];
    fg_buf out; /* not yet sent from `sent` on */
    size_t sent;
    bool ended;
}
export;

static void end_export(void *context)
{
    export *x = context;
    fg_buf_deinit(&x->out);
    free(x);
}

/* A spreadsheet takes a field that begins with one of these for a formula; an apostrophe makes it a text. */
static bool is_formula(char c)
{
    return c && strchr("=+-@\t\r", c);
}

fg_code fg_csv_field(fg_buf *out, const char *text, bool last, fg_error *err)
{
    const bool defuse = is_formula(*text), quote = defuse || text[strcspn(text, "\",\r\n")];
    fg_code rc = fg_buf_printf(out, err, "%s%s", quote ? "\"" : "", defuse ? "'" : "");
    for (const char *p = text; *p && rc == FG_OK; p++)
        rc = fg_buf_append(out, *p == '"' ? "\"\"" : p, *p == '"' ? 2 : 1, err);
    return rc == FG_OK ? fg_buf_printf(out, err, "%s%s", quote ? "\"" : "", last ? "\r\n" : ",") : rc;
}

static fg_code write_row(fg_buf *out, const fg_audit_row *row, fg_error *err)
{
    char time[FG_TIME_TEXT], probability[32] = "", id[24];
    fg_clock_text(row->time_ms, time);
    if (isfinite(row->probability))
        snprintf(probability, sizeof probability, "%.4f", row->probability);
    snprintf(id, sizeof id, "%lld", (long long)row->id);
    const char *const fields[] = {time,          row->action, row->subject,
                                  row->decision, probability, row->reasons,
                                  row->actor,    row->source, id};
    const size_t count = sizeof fields / sizeof *fields;
    fg_code rc = FG_OK;
    for (size_t i = 0; i < count && rc == FG_OK; i++)
        rc = fg_csv_field(out, fields[i], i + 1 == count, err);
    return rc;
}

static ssize_t read_export(void *context, uint64_t at, char *out, size_t room)
{
    export *x = context;
    (void)at;
    while (x->sent == x->out.size) {
        fg_audit_row *rows = NULL;
        long count = 0;
        if (x->ended)
            return MHD_CONTENT_READER_END_OF_STREAM;
        fg_buf_clear(&x->out);
        x->sent = 0;
        fg_code rc = fg_store_audit_find(x->store, &x->filter, &rows, &count, NULL);
        for (long i = 0; i < count && rc == FG_OK; i++)
            rc = write_row(&x->out, &rows[i], NULL);
        x->ended = count < x->filter.limit;
        if (count)
            x->filter.before_id = rows[count - 1].id;
        fg_audit_free(rows, count);
        if (rc != FG_OK)
            return MHD_CONTENT_READER_END_WITH_ERROR;
    }
    size_t n = x->out.size - x->sent < room ? x->out.size - x->sent : room;
    memcpy(out, x->out.data + x->sent, n);
    x->sent += n;
    return (ssize_t)n;
}

/* The query's texts live as long as the request, the export a little longer. */
static void own_texts(export *x)
{
    const char **const all[] = {&x->filter.action, &x->filter.decision, &x->filter.source, &x->filter.member};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        snprintf(x->texts[i], sizeof x->texts[i], "%s", *all[i] ? *all[i] : "");
        *all[i] = x->texts[i];
    }
}

fg_code fg_api_audit_csv(fg_request *r, fg_error *err)
{
    fg_audit_filter filter;
    fg_code rc = read_filter(r, &filter, err);
    if (rc != FG_OK)
        return rc;
    export *x = calloc(1, sizeof *x);
    if (!x)
        return FG_FAIL(err, FG_ERR_MEMORY, "out of memory");
    x->store = fg_app_store(r->server->app);
    x->filter = filter;
    x->filter.limit = CSV_PAGE; /* all pages, whatever the limit of the list */
    own_texts(x);
    fg_buf_init(&x->out, CSV_BUFFER);
    rc = fg_buf_printf(&x->out, err, "time,action,subject,decision,probability,reasons,actor,source,id\r\n");
    if (rc == FG_OK)
        r->response =
            MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, CSV_BLOCK, read_export, x, end_export);
    if (!r->response) {
        end_export(x);
        return FG_FAIL(err, FG_ERR_MEMORY, "out of memory");
    }
    r->status = 200;
    fg_reply_header(r, "Content-Type", "text/csv; charset=utf-8; header=present");
    fg_reply_header(r, "Content-Disposition", "attachment; filename=\"facegate-audit.csv\"");
    return FG_OK;
}
