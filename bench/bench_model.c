/* Speed and memory of the networks at full size.
 *
 *     bench_model [--model DIR --controlnet DIR] [--dtype bf16] [--size 512] [--repeats 5] [--json]
 *     bench_model --sweep [--sizes 256,512,768] [--batches 1,2] [--thread-counts 1,2]
 *     bench_model --trace step
 *
 * Without a model it makes one of Stable Diffusion 1.5's size with random weights in a temporary
 * folder (5.7 GB) and removes it afterwards. Prints per part the median and spread of the repeats,
 * the counted operations, the rate as a share of the instruction peak and of the best single layer,
 * both measured in the same run, and the share of time by kind of op; then what a cold start takes,
 * measured in fresh processes with the model's files in the page cache. --serve is for
 * bench/compare.py: it reads names of parts, runs each once, and answers with a line of JSON.
 */
#include "base/system.h"
#include "support/folder.h"
#include "support/session.h"
#include "support/sweep.h"
#include "support/trace.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SIZE_STEP   64
#define TRACE_LINES 60

typedef struct {
    BenchOptions bench;
    BenchSweep sweep;
    char *dtype, *parts, *trace, *sizes, *batches, *thread_counts;
    gboolean json, serve, do_sweep, cold_start, no_cold, no_layers;
    CgTestFolder *folder; /* of the model made here */
} Options;

static gboolean usage(GError **error, const char *message)
{
    g_set_error_literal(error, CG_ERROR, CG_ERROR_USAGE, message);
    return FALSE;
}

static gboolean parse_dtype(Options *o, GError **error)
{
    if (g_strcmp0(o->dtype, "f32") == 0) {
        o->bench.dtype = CG_F32;
    } else if (g_strcmp0(o->dtype, "bf16") == 0) {
        o->bench.dtype = CG_BF16;
    } else if (!o->dtype || strcmp(o->dtype, "auto") == 0) {
        g_autoptr(CgEngine) engine = cg_engine_cpu_new();
        CgEngineInfo info;
        cg_engine_cpu_info(engine, &info);
        o->bench.dtype = info.auto_dtype;
    } else {
        return usage(error, "--dtype is auto, f32 or bf16");
    }
    return TRUE;
}

static gboolean parse_parts(Options *o, GError **error)
{
    if (!o->parts) {
        for (int i = 0; i < BENCH_PARTS; i++)
            o->bench.wanted[i] = TRUE;
        return TRUE;
    }
    g_auto(GStrv) names = g_strsplit(o->parts, ",", -1);
    for (int i = 0; names[i]; i++) {
        const BenchPart part = bench_part_find(names[i]);
        if (part == BENCH_PARTS)
            return usage(error, "--parts: step, unet, controlnet, encode, decode, text, control");
        o->bench.wanted[part] = TRUE;
    }
    return TRUE;
}

static gboolean parse(Options *o, int *argc, char ***argv, GError **error)
{
    BenchOptions *b = &o->bench;
    *b = (BenchOptions){.size = 512, .batch = 1, .repeats = 5, .layer_seconds = 0.3};
    const GOptionEntry entries[] = {
        {"model", 0, 0, G_OPTION_ARG_FILENAME, &b->model, "in diffusers' layout", "DIR"},
        {"controlnet", 0, 0, G_OPTION_ARG_FILENAME, &b->controlnet, "its ControlNet", "DIR"},
        {"dtype", 0, 0, G_OPTION_ARG_STRING, &o->dtype, "auto, f32 or bf16", "TYPE"},
        {"size", 0, 0, G_OPTION_ARG_INT, &b->size, "side of the pictures (512)", "PIXELS"},
        {"batch", 0, 0, G_OPTION_ARG_INT, &b->batch, "pictures at once (1)", "N"},
        {"threads", 0, 0, G_OPTION_ARG_INT, &b->threads, "0: one per processor", "N"},
        {"repeats", 0, 0, G_OPTION_ARG_INT, &b->repeats, "timed runs of each part (5)", "N"},
        {"parts", 0, 0, G_OPTION_ARG_STRING, &o->parts, "only these", "A,B"},
        {"no-cold", 0, 0, G_OPTION_ARG_NONE, &o->no_cold, "no cold starts", NULL},
        {"no-layers", 0, 0, G_OPTION_ARG_NONE, &o->no_layers, "no single layers", NULL},
        {"json", 0, 0, G_OPTION_ARG_NONE, &o->json, "all numbers as JSON", NULL},
        {"trace", 0, 0, G_OPTION_ARG_STRING, &o->trace, "time of every layer of a part", "PART"},
        {"serve", 0, 0, G_OPTION_ARG_NONE, &o->serve, "run parts named on stdin", NULL},
        {"cold-start", 0, G_OPTION_FLAG_HIDDEN, G_OPTION_ARG_NONE, &o->cold_start, NULL, NULL},
        {"sweep", 0, 0, G_OPTION_ARG_NONE, &o->do_sweep, "cost against size", NULL},
        {"sizes", 0, 0, G_OPTION_ARG_STRING, &o->sizes, "for --sweep (256,512,768)", "LIST"},
        {"batches", 0, 0, G_OPTION_ARG_STRING, &o->batches, "for --sweep (1,2)", "LIST"},
        {"thread-counts", 0, 0, G_OPTION_ARG_STRING, &o->thread_counts,
         "for --sweep (1 and all processors)", "LIST"},
        {"most", 0, 0, G_OPTION_ARG_INT, &o->sweep.most,
         "for --sweep: leave out more than SIDE x SIDE pixels a thread", "SIDE"},
        {"out", 0, 0, G_OPTION_ARG_FILENAME, &o->sweep.out,
         "for --sweep: OUT.csv, OUT.md and OUT.svg too", "OUT"},
        G_OPTION_ENTRY_NULL,
    };
    g_autoptr(GOptionContext) context = g_option_context_new(NULL);
    g_option_context_add_main_entries(context, entries, NULL);
    if (!g_option_context_parse(context, argc, argv, error))
        return FALSE;
    if (b->size < SIZE_STEP || b->size % SIZE_STEP || b->batch < 1 || b->repeats < 1 ||
        b->threads < 0)
        return usage(error, "--size is a multiple of 64, --batch and --repeats at least 1");
    if (b->controlnet && !b->model)
        return usage(error, "--controlnet needs --model");
    cg_threads_set(b->threads);
    b->threads = cg_threads();
    if (o->no_layers)
        b->layer_seconds = 0;
    b->cold_starts = o->no_cold ? 0 : b->repeats;
    return parse_dtype(o, error) && parse_parts(o, error) &&
           bench_sweep_parse(&o->sweep, o->sizes, o->batches, o->thread_counts, error);
}

static gboolean make_model(Options *o, GError **error)
{
    o->folder = cg_test_folder_new();
    const char *argv[] = {BENCH_TOOLS "/make_model",        "--config",      "sd15", "--tokenizer",
                          BENCH_FIXTURES "/tokenizer/mini", o->folder->path, NULL};
    fprintf(stderr, "making a model of random weights in %s (5.7 GB)\n", o->folder->path);
    g_autofree char *output = NULL;
    int status = 0;
    if (!g_spawn_sync(NULL, (char **)argv, NULL, G_SPAWN_DEFAULT, NULL, NULL, &output, NULL,
                      &status, error) ||
        !g_spawn_check_wait_status(status, error))
        return FALSE;
    o->bench.model = cg_test_folder_path(o->folder, "model");
    o->bench.controlnet = cg_test_folder_path(o->folder, "controlnet");
    return TRUE;
}

static void print_json(const json_t *value, size_t flags)
{
    g_autofree char *text = json_dumps(value, flags | JSON_REAL_PRECISION(9));
    printf("%s\n", text);
    fflush(stdout);
}

static gboolean serve(BenchSession *s, GError **error)
{
    char line[64];
    g_autoptr(json_t) ready =
        json_pack("{s:s, s:s, s:i}", "ready", CAGEN_VERSION, "dtype",
                  cg_dtype_name(s->options->dtype), "threads", s->options->threads);
    print_json(ready, JSON_COMPACT);
    while (fgets(line, sizeof line, stdin)) {
        const BenchPart part = bench_part_find(g_strstrip(line));
        if (part == BENCH_PARTS)
            return usage(error, "--serve: no such part");
        g_autoptr(json_t) result = bench_session_time(s, part, error);
        if (!result)
            return FALSE;
        print_json(result, JSON_COMPACT);
    }
    return TRUE;
}

static gboolean trace(BenchSession *s, const char *name, GError **error)
{
    const BenchPart part = bench_part_find(name);
    if (part == BENCH_PARTS)
        return usage(error, "--trace: no such part");
    const BenchPeaks peaks = bench_peaks_measure(s->options->threads);
    g_autoptr(json_t) warm = bench_session_time(s, part, error);
    if (!warm)
        return FALSE;
    bench_trace_reset(s->trace);
    for (int i = 0; i < s->options->repeats; i++) {
        g_autoptr(json_t) run = bench_session_time(s, part, error);
        if (!run)
            return FALSE;
    }
    printf("%s, %d runs\n", bench_part_describe(part), s->options->repeats);
    bench_trace_print(s->trace, bench_peak_for(&peaks, s->options->dtype), TRACE_LINES);
    return TRUE;
}

static gboolean report(BenchSession *s, gboolean json, GError **error)
{
    g_autoptr(json_t) cold = NULL;
    /* First: the weights packed here would take memory from the fresh processes. */
    if (s->options->cold_starts > 0) {
        cold = bench_cold_starts(s->options, error);
        if (!cold)
            return FALSE;
    }
    g_autoptr(json_t) all = bench_session_report(s, error);
    if (!all)
        return FALSE;
    if (cold)
        json_object_set(all, "cold", cold);
    if (json)
        print_json(all, JSON_INDENT(1));
    else
        bench_report_print(all);
    return TRUE;
}

static gboolean run_session(Options *o, GError **error)
{
    BenchSession s;
    gboolean ok = bench_session_init(&s, &o->bench, o->trace != NULL, error);
    if (ok && o->serve)
        ok = serve(&s, error);
    else if (ok && o->trace)
        ok = trace(&s, o->trace, error);
    else if (ok)
        ok = report(&s, o->json, error);
    bench_session_clear(&s);
    return ok;
}

static gboolean run(Options *o, GError **error)
{
    if (!o->bench.model && !make_model(o, error))
        return FALSE;
    if (o->do_sweep)
        return bench_sweep_run(&o->sweep, &o->bench, error);
    if (!o->cold_start)
        return run_session(o, error);
    g_autoptr(json_t) result = bench_cold_start(&o->bench, error);
    if (result)
        print_json(result, JSON_COMPACT);
    return result != NULL;
}

int main(int argc, char **argv)
{
    Options o = {0};
    g_autoptr(GError) error = NULL;
    cg_cancel_install();
    const gboolean ok = parse(&o, &argc, &argv, &error) && run(&o, &error);
    if (!ok)
        fprintf(stderr, "bench_model: %s\n", error->message);
    if (o.folder)
        cg_test_folder_free(o.folder);
    char *texts[] = {o.bench.model, o.bench.controlnet, o.dtype,         o.parts,    o.trace,
                     o.sizes,       o.batches,          o.thread_counts, o.sweep.out};
    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++)
        g_free(texts[i]);
    return ok ? 0 : 1;
}
