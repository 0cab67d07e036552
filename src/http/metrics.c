#include "http/metrics.h"

static const double bounds_ms[FG_LATENCY_BUCKETS] = {0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 1000};
static const char *const stage_names[FG_STAGE_COUNT] = {"decode", "detect", "embed",
                                                        "decide", "record", "server"};

void fg_metrics_latency(fg_metrics *metrics, int stage, double ms)
{
    fg_latency *l = &metrics->stages[stage];
    int i = 0;
    while (i < FG_LATENCY_BUCKETS && ms > bounds_ms[i])
        i++;
    atomic_fetch_add(&l->buckets[i], 1);
    atomic_fetch_add(&l->sum_us, ms > 0 ? (unsigned long)(ms * 1000) : 0);
}

void fg_metrics_verification(fg_metrics *metrics, const fg_verification *v, double request_ms)
{
    atomic_fetch_add(&metrics->decisions[v->decision.verdict & 3], 1);
    fg_metrics_latency(metrics, FG_STAGE_DECODE, v->decode_ms);
    if (v->width > 0)
        fg_metrics_latency(metrics, FG_STAGE_DETECT, v->detect_ms);
    if (v->ranked) {
        fg_metrics_latency(metrics, FG_STAGE_EMBED, v->embed_ms);
        fg_metrics_latency(metrics, FG_STAGE_DECIDE, v->decide_ms);
    }
    fg_metrics_latency(metrics, FG_STAGE_RECORD, v->record_ms);
    fg_metrics_latency(metrics, FG_STAGE_SERVER,
                       request_ms - v->decode_ms - v->detect_ms - v->embed_ms - v->decide_ms);
}

static fg_code write_latencies(fg_metrics *metrics, fg_buf *out, fg_error *err)
{
    fg_code rc = fg_buf_printf(out, err,
                               "# HELP facegate_stage_seconds Time of one photo in each stage.\n"
                               "# TYPE facegate_stage_seconds histogram\n");
    for (int s = 0; s < FG_STAGE_COUNT && rc == FG_OK; s++) {
        fg_latency *l = &metrics->stages[s];
        unsigned long count = 0;
        for (int i = 0; i < FG_LATENCY_BUCKETS && rc == FG_OK; i++) {
            count += atomic_load(&l->buckets[i]);
            rc = fg_buf_printf(out, err, "facegate_stage_seconds_bucket{stage=\"%s\",le=\"%g\"} %lu\n",
                               stage_names[s], bounds_ms[i] / 1000, count);
        }
        count += atomic_load(&l->buckets[FG_LATENCY_BUCKETS]);
        if (rc == FG_OK)
            rc = fg_buf_printf(out, err,
                               "facegate_stage_seconds_bucket{stage=\"%s\",le=\"+Inf\"} %lu\n"
                               "facegate_stage_seconds_sum{stage=\"%s\"} %.6f\n"
                               "facegate_stage_seconds_count{stage=\"%s\"} %lu\n",
                               stage_names[s], count, stage_names[s], (double)atomic_load(&l->sum_us) / 1e6,
                               stage_names[s], count);
    }
    return rc;
}

fg_code fg_metrics_write(fg_metrics *metrics, int queue, int jobs, int workers, fg_buf *out, fg_error *err)
{
    fg_code rc = fg_buf_printf(out, err,
                               "# HELP facegate_build_info The version that runs.\n"
                               "# TYPE facegate_build_info gauge\n"
                               "facegate_build_info{version=\"%s\"} 1\n"
                               "# HELP facegate_requests_total Answers, by class of status.\n"
                               "# TYPE facegate_requests_total counter\n",
                               fg_version());
    for (int i = 1; i < 6 && rc == FG_OK; i++)
        rc = fg_buf_printf(out, err, "facegate_requests_total{status=\"%dxx\"} %lu\n", i,
                           atomic_load(&metrics->requests[i]));
    if (rc == FG_OK)
        rc = fg_buf_printf(out, err,
                           "# HELP facegate_decisions_total Decisions on photos, by kind.\n"
                           "# TYPE facegate_decisions_total counter\n");
    for (int i = 0; i < 4 && rc == FG_OK; i++)
        rc = fg_buf_printf(out, err, "facegate_decisions_total{decision=\"%s\"} %lu\n",
                           fg_verdict_name((fg_verdict)i), atomic_load(&metrics->decisions[i]));
    const struct {
        const char *name, *help, *type;
        unsigned long value;
    } plain[] = {
        {"jobs_done_total", "Jobs that ended well.", "counter", atomic_load(&metrics->jobs_done)},
        {"jobs_failed_total", "Jobs that failed.", "counter", atomic_load(&metrics->jobs_failed)},
        {"jobs_cancelled_total", "Jobs that were cancelled.", "counter",
         atomic_load(&metrics->jobs_cancelled)},
        {"upload_bytes_total", "Bytes of request bodies.", "counter", atomic_load(&metrics->upload_bytes)},
        {"turned_away_total", "Requests refused because a queue was full.", "counter",
         atomic_load(&metrics->turned_away)},
        {"wrong_keys_total", "Requests with a key that is not good.", "counter",
         atomic_load(&metrics->wrong_keys)},
        {"connections", "Open connections.", "gauge", (unsigned long)atomic_load(&metrics->connections)},
        {"requests_in_flight", "Requests under way.", "gauge",
         (unsigned long)atomic_load(&metrics->in_flight)},
        {"event_streams", "Open event streams.", "gauge", (unsigned long)atomic_load(&metrics->streams)},
        {"photo_queue", "Photos that wait for a worker.", "gauge", (unsigned long)queue},
        {"job_queue", "Jobs that wait or run.", "gauge", (unsigned long)jobs},
        {"workers", "Threads that look at photos.", "gauge", (unsigned long)workers},
    };
    for (size_t i = 0; i < sizeof plain / sizeof *plain && rc == FG_OK; i++)
        rc = fg_buf_printf(out, err, "# HELP facegate_%s %s\n# TYPE facegate_%s %s\nfacegate_%s %lu\n",
                           plain[i].name, plain[i].help, plain[i].name, plain[i].type, plain[i].name,
                           plain[i].value);
    return rc == FG_OK ? write_latencies(metrics, out, err) : rc;
}
