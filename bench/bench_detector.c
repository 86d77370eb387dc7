/* One training step of a detector, and one picture scored: time, by kind of operation, and memory.
 *
 *     bench_detector [--network draem|unet] [--width N] [--size 256] [--batch 8] [--threads N]
 *                    [--steps 3] [--dtype f32] [--recompute]
 *
 * Defaults are DRAEM's full size, all threads, 3 steps after one that does not count; the times of
 * the best. --serve PART is for bench/compare_detector.py, which lets it and bench/peer_draem.py
 * take turns: for each line of standard input, "warm N" or "run", it does PART (step, of N samples,
 * or score) once and answers with a line of JSON. */
#include "autograd/optimizer.h"
#include "base/rng.h"
#include "base/system.h"
#include "models/detector_network.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef struct {
    char *network, *dtype_name, *serve;
    int width, size, batch, threads, steps;
    gboolean recompute;
    CgDetectorNetworkConfig config;
    CgDType dtype;
} Options;

static void options_clear(Options *o)
{
    g_free(o->network);
    g_free(o->dtype_name);
    g_free(o->serve);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Options, options_clear)

typedef struct {
    double wall, processor; /* seconds */
} Time;

static Time now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (Time){cg_seconds(), (double)t.tv_sec + 1e-9 * (double)t.tv_nsec};
}

static Time since(Time begin)
{
    const Time end = now();
    return (Time){end.wall - begin.wall, end.processor - begin.processor};
}

typedef struct {
    CgEngine *engine;
    CgStore *store; /* NULL: a frozen network, as one that scores has it */
    CgTape *tape;
    CgContext cx;
    CgDetectorNetwork *model;
    CgTensor *clean, *picture, *mask;
    guint64 number;               /* of steps done */
    CgProfile profile;            /* of forwards */
    double backward[CG_OP_KINDS]; /* seconds */
} Bench;

static void observe(void *data, const CgRecord *record, double seconds)
{
    ((Bench *)data)->backward[record->kind] += seconds;
}

static CgTensor *uniform(CgShape shape, guint64 number)
{
    CgTensor *t = cg_tensor_new(CG_F32, shape);
    cg_rng_uniforms(7, number, 0, cg_tensor_f32(t), t->count);
    return t;
}

static size_t store_size(const CgDetectorNetworkConfig *config)
{
    g_autofree CgDetectorNetwork *structure = g_new0(CgDetectorNetwork, 1);
    CgParameterCount count = {0, 0};
    CgBinder b;
    structure->config = *config;
    cg_binder_init_visit(&b, cg_parameter_count_visit, &count);
    cg_bind_detector_network(&b, structure);
    cg_binder_finish(&b, NULL);
    return cg_store_size(count.count, count.total);
}

static gboolean bench_init(Bench *b, const Options *o, gboolean training, GError **error)
{
    CgDetectorInitial initial = {.seed = 1};
    *b = (Bench){.engine = cg_engine_cpu_new()};
    b->store = training ? cg_store_new(store_size(&o->config)) : NULL;
    const CgBuild build = {.engine = b->engine,
                           .dtype = o->dtype,
                           .lookup = cg_detector_initial_weights,
                           .source = &initial,
                           .where = "bench",
                           .store = b->store};
    b->model = cg_detector_network_new(&build, &o->config, error);
    if (!b->model)
        return FALSE;
    cg_context_init(&b->cx, b->engine, o->dtype);
    b->cx.profile = &b->profile;
    b->cx.recompute = o->recompute;
    b->clean = uniform(CG_SHAPE(o->batch, o->size, o->size, 3), 0);
    b->picture = uniform(CG_SHAPE(o->batch, o->size, o->size, 3), 1);
    b->mask = uniform(CG_SHAPE(o->batch, o->size, o->size, 1), 2);
    for (size_t i = 0; i < b->mask->count; i++)
        cg_tensor_f32(b->mask)[i] = cg_tensor_f32(b->mask)[i] > 0.95f;
    if (training) {
        b->tape = cg_tape_new(b->engine, b->store);
        cg_tape_observe(b->tape, observe, b);
        b->cx.tape = b->tape;
    }
    return TRUE;
}

static void bench_clear(Bench *b)
{
    CgTensor *const tensors[] = {b->clean, b->picture, b->mask};
    for (guint i = 0; i < G_N_ELEMENTS(tensors); i++)
        cg_tensor_unref(tensors[i]);
    cg_detector_network_free(b->model);
    if (b->tape)
        cg_tape_free(b->tape);
    cg_context_clear(&b->cx);
    cg_store_free(b->store);
    cg_engine_free(b->engine);
}

/* Forward, backward and update of the first COUNT samples; their times. */
static gboolean step(Bench *b, int count, Time times[3], GError **error)
{
    CgOptimizer o;
    double norm;
    g_autoptr(CgTensor) clean = cg_tensor_rows(b->clean, 0, count);
    g_autoptr(CgTensor) picture = cg_tensor_rows(b->picture, 0, count);
    g_autoptr(CgTensor) mask = cg_tensor_rows(b->mask, 0, count);
    cg_optimizer_default(&o);
    o.rate = 1e-4;
    o.decay = o.clip = 0;
    b->profile = (CgProfile){0};
    memset(b->backward, 0, sizeof b->backward);
    Time begin = now();
    cg_tape_clear(b->tape);
    cg_store_zero_gradients(b->store);
    g_autoptr(CgTensor) loss = cg_detector_network_loss(&b->cx, b->model, clean, picture, mask);
    if (!cg_context_ok(&b->cx, error))
        return FALSE;
    times[0] = since(begin);
    begin = now();
    if (!cg_tape_backward(b->tape, loss, 1, error))
        return FALSE;
    times[1] = since(begin);
    begin = now();
    const gboolean ok = cg_optimizer_step(&o, b->engine, b->store, ++b->number, 1, &norm, error);
    cg_parameter_set_changed(&b->model->parameters);
    times[2] = since(begin);
    return ok;
}

static Time sum(const Time times[3])
{
    return (Time){times[0].wall + times[1].wall + times[2].wall,
                  times[0].processor + times[1].processor + times[2].processor};
}

/* One picture, by the running statistics. */
static gboolean score(Bench *b, Time *time, GError **error)
{
    g_autoptr(CgTensor) one = cg_tensor_rows(b->picture, 0, 1);
    const Time begin = now();
    CgTensor *logits = cg_detector_network_logits(&b->cx, b->model, one);
    *time = since(begin);
    cg_tensor_unref(logits);
    return cg_context_ok(&b->cx, error);
}

/* ---- a report for people */

static void print_time(const char *what, Time t)
{
    printf("%-8s %7.3f s processor, %7.3f s\n", what, t.processor, t.wall);
}

static gboolean report_steps(const Options *o, GError **error)
{
    static const char *const names[3] = {"forward", "backward", "update"};
    Time best[3] = {{0}};
    Bench b;
    gboolean ok = bench_init(&b, o, TRUE, error);
    for (int i = 0; ok && i <= o->steps; i++) {
        Time t[3];
        ok = step(&b, o->batch, t, error);
        if (ok && (i == 1 || (i > 1 && sum(t).processor < sum(best).processor)))
            memcpy(best, t, sizeof best);
    }
    for (int i = 0; ok && i < 3; i++)
        print_time(names[i], best[i]);
    if (ok)
        print_time("step", sum(best));
    for (int k = 0; ok && k < CG_OP_KINDS; k++)
        if (b.profile.calls[k])
            printf("  %-12s forward %7.3f s, backward %7.3f s (of the last step)\n",
                   cg_op_kind_name((CgOpKind)k), b.profile.seconds[k], b.backward[k]);
    bench_clear(&b);
    return ok;
}

static gboolean report_score(const Options *o, GError **error)
{
    Time best = {0}, t;
    Bench b;
    gboolean ok = bench_init(&b, o, FALSE, error);
    for (int i = 0; ok && i <= o->steps; i++) {
        ok = score(&b, &t, error);
        if (i == 1 || (i > 1 && t.processor < best.processor))
            best = t;
    }
    if (ok)
        printf("a picture scored %7.3f s processor, %7.3f s\n", best.processor, best.wall);
    bench_clear(&b);
    return ok;
}

/* ---- for bench/compare_detector.py */

static gboolean serve_line(Bench *b, const Options *o, const char *line, GError **error)
{
    Time t[3] = {{0}};
    const int count = g_str_has_prefix(line, "warm ") ? atoi(line + 5) : o->batch;
    const gboolean ok = g_str_equal(o->serve, "step") ? step(b, CLAMP(count, 1, o->batch), t, error)
                                                      : score(b, &t[0], error);
    if (ok)
        printf(
            "{\"seconds\": %.6f, \"processor_seconds\": %.6f, \"peak_memory\": %" G_GUINT64_FORMAT
            "}\n",
            sum(t).wall, sum(t).processor, cg_memory_peak());
    fflush(stdout);
    return ok;
}

static gboolean serve(const Options *o, GError **error)
{
    char line[64];
    Bench b;
    gboolean ok = bench_init(&b, o, g_str_equal(o->serve, "step"), error);
    if (ok)
        printf("{\"ready\": \"cagen " CAGEN_VERSION "\", \"threads\": %d}\n", cg_threads());
    fflush(stdout);
    while (ok && fgets(line, sizeof line, stdin))
        ok = serve_line(&b, o, line, error);
    bench_clear(&b);
    return ok;
}

/* ---- */

static gboolean parse_options(int argc, char **argv, Options *o, GError **error)
{
    CgDetectorKind kind;
    const GOptionEntry entries[] = {
        {"network", 0, 0, G_OPTION_ARG_STRING, &o->network, "draem or unet", "NAME"},
        {"width", 0, 0, G_OPTION_ARG_INT, &o->width, "channels (default: full size)", "N"},
        {"size", 0, 0, G_OPTION_ARG_INT, &o->size, "pixels of a side", "N"},
        {"batch", 0, 0, G_OPTION_ARG_INT, &o->batch, "samples of a step", "N"},
        {"threads", 0, 0, G_OPTION_ARG_INT, &o->threads, "0: all", "N"},
        {"steps", 0, 0, G_OPTION_ARG_INT, &o->steps, "that count", "N"},
        {"dtype", 0, 0, G_OPTION_ARG_STRING, &o->dtype_name, "f32 or bf16", "TYPE"},
        {"recompute", 0, 0, G_OPTION_ARG_NONE, &o->recompute, "less memory, more time", NULL},
        {"serve", 0, 0, G_OPTION_ARG_STRING, &o->serve, "step or score", "PART"},
        G_OPTION_ENTRY_NULL,
    };
    g_autoptr(GOptionContext) context = g_option_context_new(NULL);
    g_option_context_add_main_entries(context, entries, NULL);
    if (!g_option_context_parse(context, &argc, &argv, error))
        return FALSE;
    if (!cg_detector_kind_parse(o->network ? o->network : "draem", &kind) ||
        (o->dtype_name && !cg_dtype_parse_compute(o->dtype_name, &o->dtype)) ||
        (o->serve && strcmp(o->serve, "step") != 0 && strcmp(o->serve, "score") != 0) ||
        o->size < CG_DETECTOR_MULTIPLE || o->size % CG_DETECTOR_MULTIPLE || o->batch < 1 ||
        o->steps < 1 || o->width < 0) {
        g_set_error_literal(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                            "no such network, type, part or size; see --help");
        return FALSE;
    }
    o->config =
        cg_detector_network_config(kind, o->width ? o->width : cg_detector_default_width(kind));
    return TRUE;
}

int main(int argc, char **argv)
{
    g_auto(Options) o = {.size = 256, .batch = 8, .steps = 3, .dtype = CG_F32};
    g_autoptr(GError) error = NULL;
    gboolean ok = parse_options(argc, argv, &o, &error);
    if (ok)
        cg_threads_set(o.threads);
    if (ok && !o.serve) {
        printf("%s of width %d, %d x %d, batch %d, %s, %d threads\n",
               cg_detector_kind_name(o.config.kind),
               o.width ? o.width : cg_detector_default_width(o.config.kind), o.size, o.size,
               o.batch, cg_dtype_name(o.dtype), cg_threads());
        ok = report_steps(&o, &error) && report_score(&o, &error);
    } else if (ok) {
        ok = serve(&o, &error);
    }
    if (!ok)
        fprintf(stderr, "bench_detector: %s\n", error->message);
    return !ok;
}
