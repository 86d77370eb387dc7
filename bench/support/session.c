#include "support/session.h"

#include "base/system.h"
#include "support/layers.h"
#include "support/trace.h"

#include <stdlib.h>
#include <sys/resource.h>

gboolean bench_session_init(BenchSession *s, const BenchOptions *options, gboolean traced,
                            GError **error)
{
    const CgModelPaths paths = {.model = options->model, .controlnet = options->controlnet};
    *s = (BenchSession){.options = options};
    const double begin = cg_seconds();
    s->engine = cg_engine_cpu_new();
    if (traced)
        s->trace = bench_trace_new(s->engine);
    CgEngine *engine = s->trace ? s->trace : s->engine;
    cg_context_init(&s->cx, engine, options->dtype);
    s->model = cg_model_open(engine, options->dtype, &paths, error);
    if (!s->model)
        return FALSE;
    s->open_seconds = cg_seconds() - begin;
    s->networks = bench_networks_new(&s->cx, s->model, options->size, options->batch);
    return TRUE;
}

void bench_session_clear(BenchSession *s)
{
    bench_networks_free(s->networks);
    cg_model_free(s->model);
    cg_context_clear(&s->cx);
    cg_engine_free(s->trace);
    cg_engine_free(s->engine);
}

static double load_average(void)
{
    double load = 0;
    return getloadavg(&load, 1) == 1 ? load : 0;
}

static double processor_seconds(const struct rusage *u)
{
    return (double)(u->ru_utime.tv_sec + u->ru_stime.tv_sec) +
           1e-6 * (double)(u->ru_utime.tv_usec + u->ru_stime.tv_usec);
}

json_t *bench_session_time(BenchSession *s, BenchPart part, GError **error)
{
    CgEngineInfo info_before, info;
    struct rusage before, after;
    if (!bench_networks_prepare(s->networks, part, error))
        return NULL;
    cg_engine_cpu_info(s->engine, &info_before);
    getrusage(RUSAGE_SELF, &before);
    const double begin = cg_seconds();
    if (!bench_networks_run(s->networks, part, error))
        return NULL;
    const double seconds = cg_seconds() - begin;
    getrusage(RUSAGE_SELF, &after);
    cg_engine_cpu_info(s->engine, &info);
    return json_pack("{s:f, s:f, s:I, s:I, s:f}", "seconds", seconds, "processor_seconds",
                     processor_seconds(&after) - processor_seconds(&before), "system_allocations",
                     (json_int_t)(info.system_allocations - info_before.system_allocations),
                     "page_faults", (json_int_t)(after.ru_minflt - before.ru_minflt), "load",
                     load_average());
}

static int compare_doubles(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The number at FRACTION of the sorted NUMBERS, between two of them the mean. */
static double quantile(const json_t *numbers, double fraction)
{
    const size_t count = json_array_size(numbers);
    if (count == 0)
        return 0;
    g_autofree double *x = g_new(double, count);
    for (size_t i = 0; i < count; i++)
        x[i] = json_number_value(json_array_get(numbers, i));
    qsort(x, count, sizeof *x, compare_doubles);
    const double at = fraction * (double)(count - 1);
    const size_t low = (size_t)at, high = MIN(low + 1, count - 1);
    return x[low] + (at - (double)low) * (x[high] - x[low]);
}

double bench_median(const json_t *numbers)
{
    return quantile(numbers, 0.5);
}

double bench_smallest(const json_t *numbers)
{
    return quantile(numbers, 0);
}

double bench_largest(const json_t *numbers)
{
    return quantile(numbers, 1);
}

/* Work and time by kind of op; COUNTED has the operations of one run, MEASURED the time of REPEATS.
 */
static json_t *report_kinds(const CgProfile *counted, const CgProfile *measured, int repeats)
{
    json_t *kinds = json_object();
    double total = 0;
    for (int k = 0; k < CG_OP_KINDS; k++)
        total += measured->seconds[k];
    for (int k = 0; k < CG_OP_KINDS; k++)
        json_object_set_new(kinds, cg_op_kind_name((CgOpKind)k),
                            json_pack("{s:f, s:f, s:f, s:I}", "share",
                                      total > 0 ? measured->seconds[k] / total : 0.0, "seconds",
                                      measured->seconds[k] / repeats, "operations",
                                      counted->flops[k], "calls", (json_int_t)counted->calls[k]));
    return kinds;
}

static double sum_flops(const CgProfile *p)
{
    double sum = 0;
    for (int k = 0; k < CG_OP_KINDS; k++)
        sum += p->flops[k];
    return sum;
}

static json_t *report_part(BenchSession *s, BenchPart part, double peak, double layer,
                           GError **error)
{
    const int repeats = s->options->repeats;
    CgProfile profile = {0};
    g_autoptr(json_t) seconds = json_array(), processor = json_array();
    json_t *last = NULL;
    g_autoptr(json_t) warm = bench_session_time(s, part, error);
    if (!warm)
        return NULL;
    s->cx.profile = &profile;
    for (int i = 0; i < repeats; i++) {
        json_decref(last);
        last = bench_session_time(s, part, error);
        if (!last)
            break;
        json_array_append(seconds, json_object_get(last, "seconds"));
        json_array_append(processor, json_object_get(last, "processor_seconds"));
    }
    s->cx.profile = NULL;
    g_autoptr(json_t) final = last;
    if (!final)
        return NULL;
    const CgProfile counted = bench_networks_count(s->networks, part);
    const double flops = sum_flops(&counted), median = bench_median(seconds);
    return json_pack(
        "{s:s, s:s, s:O, s:f, s:f, s:f, s:O, s:f, s:f, s:f, s:f, s:f, s:o, s:O, s:O, s:O}", "part",
        bench_part_name(part), "what", bench_part_describe(part), "seconds", seconds, "median",
        median, "smallest", bench_smallest(seconds), "largest", bench_largest(seconds),
        "processor_seconds", processor, "first_seconds",
        json_number_value(json_object_get(warm, "seconds")), "operations", flops, "rate",
        flops / median, "share_of_peak", peak > 0 ? flops / median / peak : 0.0,
        "share_of_best_layer", layer > 0 ? flops / median / layer : 0.0, "kinds",
        report_kinds(&counted, &profile, repeats), "system_allocations",
        json_object_get(final, "system_allocations"), "page_faults",
        json_object_get(final, "page_faults"), "load", json_object_get(final, "load"));
}

static json_t *report_machine(BenchSession *s)
{
    CgEngineInfo info;
    cg_engine_cpu_info(s->engine, &info);
    return json_pack("{s:s, s:s, s:s, s:f, s:f}", "processor", cg_cpu_features()->model, "library",
                     info.library, "instructions", info.isa, "memory", (double)cg_memory_total(),
                     "load", load_average());
}

static double report_layers(BenchSession *s, json_t *report)
{
    BenchLayer layers[BENCH_LAYERS];
    json_t *list = json_array();
    double best = 0;
    if (s->options->layer_seconds > 0) {
        best =
            bench_layers_measure(s->engine, s->options->dtype, s->options->layer_seconds, layers);
        for (int i = 0; i < BENCH_LAYERS; i++)
            json_array_append_new(
                list, json_pack("{s:s, s:f}", "what", layers[i].what, "rate", layers[i].rate));
    }
    json_object_set_new(report, "layers", list);
    json_object_set_new(report, "best_layer", json_real(best));
    return best;
}

json_t *bench_session_report(BenchSession *s, GError **error)
{
    const BenchOptions *o = s->options;
    const BenchPeaks peaks = bench_peaks_measure(o->threads);
    const double peak = bench_peak_for(&peaks, o->dtype);
    g_autoptr(json_t) report = json_pack(
        "{s:s, s:o, s:s, s:i, s:i, s:i, s:i, s:{s:f, s:f, s:f, s:f}, s:f}", "version",
        CAGEN_VERSION, "machine", report_machine(s), "dtype", cg_dtype_name(o->dtype), "threads",
        o->threads, "size", o->size, "batch", o->batch, "repeats", o->repeats, "peaks", "f32",
        peaks.f32, "bf16", peaks.bf16, "amx", peaks.amx, "used", peak, "open", s->open_seconds);
    const double layer = report_layers(s, report);
    json_t *parts = json_array();
    json_object_set_new(report, "parts", parts);
    for (BenchPart part = 0; part < BENCH_PARTS; part++) {
        if (!o->wanted[part] || !bench_networks_has(s->networks, part))
            continue;
        json_t *measured = report_part(s, part, peak, layer, error);
        if (!measured)
            return NULL;
        json_array_append_new(parts, measured);
    }
    CgEngineInfo info;
    cg_engine_cpu_info(s->engine, &info);
    json_object_set_new(report, "memory",
                        json_pack("{s:f, s:f, s:f}", "peak", (double)cg_memory_peak(), "weights",
                                  (double)info.weight_bytes, "activations",
                                  (double)info.pool_peak));
    return json_incref(report);
}

json_t *bench_cold_start(const BenchOptions *o, GError **error)
{
    static const BenchPart prompt[] = {BENCH_TEXT, BENCH_CONTROL}, step[] = {BENCH_STEP},
                           image[] = {BENCH_ENCODE, BENCH_DECODE};
    const struct {
        const char *name;
        const BenchPart *parts;
        int count;
    } phases[] = {{"prompt", prompt, 2}, {"first_step", step, 1}, {"first_image", image, 2}};
    g_autoptr(json_t) result = json_object();
    BenchSession s;
    const double begin = cg_seconds();
    gboolean ok = bench_session_init(&s, o, FALSE, error);
    json_object_set_new(result, "open", json_real(cg_seconds() - begin));
    for (size_t i = 0; ok && i < G_N_ELEMENTS(phases); i++) {
        for (int j = 0; ok && j < phases[i].count; j++)
            if (bench_networks_has(s.networks, phases[i].parts[j]))
                ok = bench_networks_run(s.networks, phases[i].parts[j], error);
        json_object_set_new(result, phases[i].name, json_real(cg_seconds() - begin));
    }
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    json_object_set_new(result, "processor_seconds", json_real(processor_seconds(&usage)));
    json_object_set_new(result, "peak_memory", json_real((double)cg_memory_peak()));
    bench_session_clear(&s);
    return ok ? json_incref(result) : NULL;
}
