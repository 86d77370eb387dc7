/* sweep: bench_model again and again in processes of their own, each with a memory of its own.
 */
#ifndef BENCH_SUPPORT_SWEEP_H
#define BENCH_SUPPORT_SWEEP_H

#include "support/session.h"

#define BENCH_SWEEP_MAX 8

typedef struct {
    int sizes[BENCH_SWEEP_MAX], batches[BENCH_SWEEP_MAX], threads[BENCH_SWEEP_MAX];
    int size_count, batch_count, thread_count;
    int most;  /* side; combinations with more than its square of pixels a thread are left out; 0:
                  none */
    char *out; /* NULL: only printed */
} BenchSweep;

/* Lists like "256,512"; NULL: the defaults. */
gboolean bench_sweep_parse(BenchSweep *s, const char *sizes, const char *batches,
                           const char *threads, GError **error);
/* Cost against size: a row for every combination that MOST allows, printed and, with OUT, written
 * as CSV and Markdown tables and as a plot. */
gboolean bench_sweep_run(const BenchSweep *s, const BenchOptions *options, GError **error);

/* Cold starts of fresh processes one after the other, the model's files in the page cache: for each
 * number an array. */
json_t *bench_cold_starts(const BenchOptions *options, GError **error);

#endif
