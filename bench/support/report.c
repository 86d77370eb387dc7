#include "support/session.h"

#include <stdio.h>

static double number(const json_t *object, const char *key)
{
    return json_number_value(json_object_get(object, key));
}

static const char *text(const json_t *object, const char *key)
{
    const char *value = json_string_value(json_object_get(object, key));
    return value ? value : "";
}

static void print_head(const json_t *report)
{
    const json_t *machine = json_object_get(report, "machine");
    const json_t *peaks = json_object_get(report, "peaks");
    printf("cagen %s, %s, %s, %s, load %.1f\n", text(report, "version"), text(machine, "processor"),
           text(machine, "library"), text(machine, "instructions"), number(machine, "load"));
    printf("%s, %.0f x %.0f pixels, batch %.0f, %.0f threads, %.0f repeats\n",
           text(report, "dtype"), number(report, "size"), number(report, "size"),
           number(report, "batch"), number(report, "threads"), number(report, "repeats"));
    printf("instruction peaks: f32 %.1f GFLOP/s, bf16 %.1f", number(peaks, "f32") * 1e-9,
           number(peaks, "bf16") * 1e-9);
    if (number(peaks, "amx") > 0)
        printf(", AMX tiles %.1f", number(peaks, "amx") * 1e-9);
    printf("\n");
}

static void print_layers(const json_t *report)
{
    const double peak = number(json_object_get(report, "peaks"), "used");
    size_t i;
    json_t *layer;
    json_array_foreach(json_object_get(report, "layers"), i, layer)
        printf("%-34s %9.1f GFLOP/s  %5.1f %% of the peak\n", text(layer, "what"),
               number(layer, "rate") * 1e-9, peak > 0 ? 100 * number(layer, "rate") / peak : 0.0);
}

static void print_parts(const json_t *parts)
{
    size_t i;
    json_t *part;
    printf("\n%-24s %9s %19s %10s %9s %6s %6s %9s %7s %7s\n", "seconds", "median", "min .. max",
           "GFLOP", "GFLOP/s", "peak", "layer", "processor", "allocs", "faults");
    json_array_foreach(parts, i, part) printf(
        "%-24s %9.3f %8.3f .. %7.3f %10.1f %9.1f %5.1f%% %5.1f%% %9.3f %7.0f %7.0f\n",
        text(part, "what"), number(part, "median"), number(part, "smallest"),
        number(part, "largest"), number(part, "operations") * 1e-9, number(part, "rate") * 1e-9,
        100 * number(part, "share_of_peak"), 100 * number(part, "share_of_best_layer"),
        bench_median(json_object_get(part, "processor_seconds")),
        number(part, "system_allocations"), number(part, "page_faults"));
}

/* Share of the time and rate of each kind of op. */
static void print_kinds(const json_t *parts)
{
    size_t i;
    json_t *part, *kind;
    const char *name;
    printf("\n%-24s", "share of time (GFLOP/s)");
    json_object_foreach(json_object_get(json_array_get(parts, 0), "kinds"), name, kind)
        printf(" %16s", name);
    printf("\n");
    json_array_foreach(parts, i, part)
    {
        printf("%-24s", text(part, "what"));
        json_object_foreach(json_object_get(part, "kinds"), name, kind)
        {
            const double seconds = number(kind, "seconds");
            printf(" %6.1f%% (%7.1f)", 100 * number(kind, "share"),
                   seconds > 0 ? number(kind, "operations") / seconds * 1e-9 : 0);
        }
        printf("\n");
    }
}

static void print_cold(const json_t *report)
{
    static const struct {
        const char *key, *what;
        double unit;
    } rows[] = {{"open", "model open", 1},
                {"prompt", "prompt and control image ready", 1},
                {"first_step", "first step done", 1},
                {"first_image", "first picture", 1},
                {"processor_seconds", "processor time to the end", 1},
                {"peak_memory", "peak memory, GB", 1e-9}};
    const json_t *cold = json_object_get(report, "cold");
    if (!cold)
        return;
    printf("\n%-32s %9s %19s\n", "cold start, seconds until", "median", "min .. max");
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        const json_t *numbers = json_object_get(cold, rows[i].key);
        printf("%-32s %9.3f %8.3f .. %7.3f\n", rows[i].what, bench_median(numbers) * rows[i].unit,
               bench_smallest(numbers) * rows[i].unit, bench_largest(numbers) * rows[i].unit);
    }
}

void bench_report_print(const json_t *report)
{
    const json_t *memory = json_object_get(report, "memory");
    const json_t *parts = json_object_get(report, "parts");
    print_head(report);
    print_layers(report);
    if (json_array_size(parts) > 0) {
        print_parts(parts);
        print_kinds(parts);
    }
    printf("\nmodel open %.3f s; peak memory of all parts %.2f GB, of it packed weights %.2f GB, "
           "activations %.2f GB\n",
           number(report, "open"), number(memory, "peak") * 1e-9, number(memory, "weights") * 1e-9,
           number(memory, "activations") * 1e-9);
    print_cold(report);
}
