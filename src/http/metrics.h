/* Counters for GET /metrics, in Prometheus' text form (exposition format 0.0.4). No names, no ids. */
#ifndef FG_HTTP_METRICS_H
#define FG_HTTP_METRICS_H

#include "base/buf.h"
#include "flow/flow.h"

#include <stdatomic.h>

/* Record is the line in the audit; server all of a request that is none of the first four, that line too. */
enum {
    FG_STAGE_DECODE,
    FG_STAGE_DETECT,
    FG_STAGE_EMBED,
    FG_STAGE_DECIDE,
    FG_STAGE_RECORD,
    FG_STAGE_SERVER,
    FG_STAGE_COUNT
};
enum { FG_LATENCY_BUCKETS = 12 };

typedef struct fg_latency {
    atomic_ulong buckets[FG_LATENCY_BUCKETS + 1]; /* not cumulative; the last is beyond every bound */
    atomic_ulong sum_us;
} fg_latency;

typedef struct fg_metrics {    /* zeroed at start */
    atomic_ulong requests[6];  /* by status class; [0] unused */
    atomic_ulong decisions[4]; /* by fg_verdict */
    atomic_ulong jobs_done, jobs_failed, jobs_cancelled;
    atomic_ulong upload_bytes, turned_away, wrong_keys;
    atomic_int in_flight, connections, streams;
    fg_latency stages[FG_STAGE_COUNT];
} fg_metrics;

void fg_metrics_latency(fg_metrics *metrics, int stage, double ms);
/* request_ms: from the headers to the answer. */
void fg_metrics_verification(fg_metrics *metrics, const fg_verification *verification, double request_ms);
fg_code fg_metrics_write(fg_metrics *metrics, int queue, int jobs, int workers, fg_buf *out,
                         fg_error *err) FG_MUST_CHECK;

#endif
