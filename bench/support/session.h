/* session: what bench_model measures, as JSON, so that tables, sweeps and comparisons read the same
 * numbers.
 */
#ifndef BENCH_SUPPORT_SESSION_H
#define BENCH_SUPPORT_SESSION_H

#include "base/json.h"
#include "support/networks.h"
#include "support/peak.h"

typedef struct {
    char *model, *controlnet; /* controlnet NULL: none */
    CgDType dtype;
    int threads, size, batch;
    int repeats;
    int cold_starts;
    gboolean wanted[BENCH_PARTS];
    double layer_seconds; /* for each of the single layers; 0: not measured */
} BenchOptions;

typedef struct {
    const BenchOptions *options;
    CgEngine *engine; /* the processor's */
    CgEngine *trace;  /* around it; NULL: not traced */
    CgModel *model;
    BenchNetworks *networks;
    CgContext cx;
    double open_seconds;
} BenchSession;

/* Opens the model. */
gboolean bench_session_init(BenchSession *s, const BenchOptions *options, gboolean traced,
                            GError **error);
void bench_session_clear(BenchSession *s);

/* One timed run of PART: {"seconds", "processor_seconds", "system_allocations", "page_faults",
 * "load"}; NULL on failure. The caller has run it before to warm up. */
json_t *bench_session_time(BenchSession *s, BenchPart part, GError **error);

/* All that OPTIONS want: machine, peaks, single layers, and for each part the times of all repeats
 * with median, smallest and largest, the operations and their share by kind. */
json_t *bench_session_report(BenchSession *s, GError **error);

/* {"open", "prompt", "first_step", "first_image", "processor_seconds", "peak_memory"}: seconds
 * since the call (processor_seconds: of all threads to the end) and bytes, for a process that has
 * done nothing else: model, text and control image, a guided step, a picture encoded and one
 * decoded. */
json_t *bench_cold_start(const BenchOptions *options, GError **error);

/* For people. */
void bench_report_print(const json_t *report);

/* Of a JSON array of numbers. */
double bench_median(const json_t *numbers);
double bench_smallest(const json_t *numbers);
double bench_largest(const json_t *numbers);

#endif
