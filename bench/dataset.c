/* Time and memory of a large dataset in each of its forms; a process for each step, so that each one's memory
 * is its own.
 *
 *     dataset_bench FOLDER [ROWS [COLUMNS]]
 */
#include "classify/dataset.h"
#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { NAMES = 100 };

static int fill(fg_dataset *d, long rows, int columns)
{
    *d = (fg_dataset){.count = rows, .size = columns, .name_count = NAMES};
    d->data = malloc((size_t)rows * (size_t)columns * sizeof *d->data);
    d->labels = malloc((size_t)rows * sizeof *d->labels);
    d->names = calloc(NAMES, sizeof(char *));
    if (!d->data || !d->labels || !d->names)
        return -1;
    for (int i = 0; i < NAMES; i++) {
        char name[32];
        snprintf(name, sizeof name, "member number %d", i);
        if (!(d->names[i] = strdup(name)))
            return -1;
    }
    uint32_t seed = 1;
    for (long i = 0; i < rows * columns; i++)
        d->data[i] = (float)((seed = seed * 1664525 + 1013904223) >> 8) / (1 << 24) - 0.5f;
    for (long i = 0; i < rows; i++)
        d->labels[i] = (int)(i * NAMES / rows);
    return 0;
}

/* On a busy machine the time of the clock is the others', too. */
static double seconds(const struct rusage *u)
{
    return (double)(u->ru_utime.tv_sec + u->ru_stime.tv_sec) +
           (double)(u->ru_utime.tv_usec + u->ru_stime.tv_usec) / 1e6;
}

/* One step in a process of its own: its seconds, and its peak memory as a multiple of the data's. */
static int step(const char *what, fg_dataset_format format, const char *path, long rows, int columns)
{
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        fg_dataset d = {0};
        fg_error err = {0};
        struct rusage usage, before;
        int writing = strcmp(what, "written") == 0;
        if (writing && fill(&d, rows, columns) != 0)
            _exit(1);
        if (getrusage(RUSAGE_SELF, &before) != 0)
            _exit(1);
        double start = fg_clock_monotonic_ms();
        fg_code rc = writing ? fg_dataset_save(&d, format, path, &err) : fg_dataset_load(&d, path, &err);
        double ms = fg_clock_monotonic_ms() - start;
        if (rc != FG_OK || getrusage(RUSAGE_SELF, &usage) != 0 || d.count != rows) {
            fprintf(stderr, "%s\n", err.msg);
            _exit(1);
        }
        printf("%-7s %s  %8.3f s, %.3f s of the processor, peak memory %.2f of the data\n",
               fg_dataset_format_name(format), what, ms / 1000, seconds(&usage) - seconds(&before),
               (double)usage.ru_maxrss * 1024 / ((double)rows * columns * (double)sizeof *d.data));
        fflush(stdout);
        fg_dataset_deinit(&d);
        _exit(0);
    }
    int status = -1;
    return child > 0 && waitpid(child, &status, 0) == child && status == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
    char path[4096];
    int failed = 0;
    if (argc < 2) {
        fprintf(stderr, "usage: dataset_bench FOLDER [ROWS [COLUMNS]]\n");
        return 2;
    }
    long rows = argc > 2 ? strtol(argv[2], NULL, 10) : 100000;
    int columns = argc > 3 ? (int)strtol(argv[3], NULL, 10) : 256;
    if (rows < 1 || rows > FG_MAX_TEMPLATES || columns < 2 || columns > FG_MAX_EMBEDDING)
        return 2;
    printf("%ld x %d float32\n", rows, columns);
    snprintf(path, sizeof path, "%s/dataset-bench.tmp", argv[1]);
    for (int f = 0; f < 2; f++) {
        failed |= step("written", (fg_dataset_format)f, path, rows, columns);
        failed |= step("read   ", (fg_dataset_format)f, path, rows, columns);
        unlink(path);
    }
    return failed;
}
