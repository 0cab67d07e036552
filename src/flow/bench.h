/* Speed of each stage, on one thread and in its processor time, beside what the processor can do at most. */
#ifndef FG_FLOW_BENCH_H
#define FG_FLOW_BENCH_H

#include "flow/flow.h"

typedef struct fg_bench_row {
    char stage[96];
    fg_precision precision; /* AUTO where the stage is no network's */
    double median_ms;
    double gflops;     /* reached; 0 where the stage is no network's */
    double peak_share; /* of the peak measured in the same run, 0..1 */
    double per_second;
} fg_bench_row;

typedef struct fg_bench_request {
    const char *const *networks; /* further files to measure, .onnx or .xml */
    int network_count;
    const char *video; /* measured frame by frame; NULL: none */
    int every, rounds;
    void (*row)(void *context, const fg_bench_row *row); /* as they come */
    void *context;
} fg_bench_request;

/* Detection is measured on a 640 x 480 picture of one face, taken from the cohort's sheet. A median of
 * `rounds`; the peak is measured beside each network, since the clock of a processor changes with what it
 * does. */
fg_code fg_bench(fg_worker *worker, const fg_bench_request *request, fg_error *err) FG_MUST_CHECK;

#endif
