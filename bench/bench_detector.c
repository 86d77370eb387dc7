/* One training step of DRAEM, and one picture scored: processor time, by kind of operation.
 *
 *     bench_detector [WIDTH [SIZE [BATCH [THREADS [STEPS [f32|bf16]]]]]]
 *
 * Defaults: 128 256 8, all threads, 3 steps after one to warm up, f32. Times of the best step.
 * bench/peer_draem.py is the same step in PyTorch. */
#include "autograd/optimizer.h"
#include "base/rng.h"
#include "base/system.h"
#include "models/draem.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

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
    CgStore *store;
    CgTape *tape;
    CgContext cx;
    CgDraem *model;
    CgTensor *clean, *picture, *mask;
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

static gboolean bench_init(Bench *b, int width, int size, int batch, CgDType dtype, GError **error)
{
    const CgDraemConfig config = cg_draem_config_of_width(width);
    CgDraemInitial initial = {.seed = 1};
    *b = (Bench){.engine = cg_engine_cpu_new()};
    /* The parameters of the original, less with less width. */
    b->store = cg_store_new((size_t)(98e6 * width * width / (128.0 * 128)) + 200000);
    const CgBuild build = {.engine = b->engine,
                           .dtype = dtype,
                           .lookup = cg_draem_initial_weights,
                           .source = &initial,
                           .where = "bench",
                           .store = b->store};
    b->model = cg_draem_new(&build, &config, error);
    if (!b->model)
        return FALSE;
    b->tape = cg_tape_new(b->engine, b->store);
    cg_tape_observe(b->tape, observe, b);
    cg_context_init(&b->cx, b->engine, dtype);
    b->cx.profile = &b->profile;
    b->clean = uniform(CG_SHAPE(batch, size, size, 3), 0);
    b->picture = uniform(CG_SHAPE(batch, size, size, 3), 1);
    b->mask = uniform(CG_SHAPE(batch, size, size, 1), 2);
    for (size_t i = 0; i < b->mask->count; i++)
        cg_tensor_f32(b->mask)[i] = cg_tensor_f32(b->mask)[i] > 0.95f;
    return TRUE;
}

static gboolean step(Bench *b, guint64 number, Time *forward, Time *backward, Time *update,
                     GError **error)
{
    CgOptimizer o;
    double norm;
    cg_optimizer_default(&o);
    o.rate = 1e-4;
    o.decay = o.clip = 0;
    Time begin = now();
    b->cx.tape = b->tape;
    cg_tape_clear(b->tape);
    cg_store_zero_gradients(b->store);
    g_autoptr(CgTensor) loss = cg_draem_loss(&b->cx, b->model, b->clean, b->picture, b->mask, NULL);
    if (!cg_context_ok(&b->cx, error))
        return FALSE;
    *forward = since(begin);
    begin = now();
    if (!cg_tape_backward(b->tape, loss, 1, error))
        return FALSE;
    *backward = since(begin);
    begin = now();
    const gboolean ok = cg_optimizer_step(&o, b->engine, b->store, number, 1, &norm, error);
    cg_parameter_set_changed(&b->model->parameters);
    *update = since(begin);
    return ok;
}

static gboolean run_steps(Bench *b, int steps, GError **error)
{
    Time best[3] = {{0}};
    for (int i = 0; i <= steps; i++) {
        Time t[3];
        b->profile = (CgProfile){0};
        memset(b->backward, 0, sizeof b->backward);
        if (!step(b, (guint64)i + 1, &t[0], &t[1], &t[2], error))
            return FALSE;
        const double all = t[0].processor + t[1].processor + t[2].processor;
        const double least = best[0].processor + best[1].processor + best[2].processor;
        if (i == 0 || (i > 1 && all > least))
            continue;
        memcpy(best, t, sizeof best);
    }
    printf("forward  %7.3f s processor, %7.3f s\nbackward %7.3f s processor, %7.3f s\n"
           "update   %7.3f s processor, %7.3f s\nstep     %7.3f s processor, %7.3f s\n",
           best[0].processor, best[0].wall, best[1].processor, best[1].wall, best[2].processor,
           best[2].wall, best[0].processor + best[1].processor + best[2].processor,
           best[0].wall + best[1].wall + best[2].wall);
    for (int k = 0; k < CG_OP_KINDS; k++)
        if (b->profile.calls[k])
            printf("  %-12s forward %7.3f s, backward %7.3f s (of the last step)\n",
                   cg_op_kind_name((CgOpKind)k), b->profile.seconds[k], b->backward[k]);
    return TRUE;
}

/* One picture, by the running statistics. */
static gboolean run_test(Bench *b, int steps, GError **error)
{
    double best = 0, wall = 0;
    g_autoptr(CgTensor) one = cg_tensor_rows(b->picture, 0, 1);
    b->cx.tape = NULL;
    for (int i = 0; i <= steps; i++) {
        g_autoptr(CgTensor) reconstruction = NULL, logits = NULL;
        const Time begin = now();
        cg_draem_forward(&b->cx, b->model, one, FALSE, &reconstruction, &logits);
        const Time t = since(begin);
        if (!cg_context_ok(&b->cx, error))
            return FALSE;
        if (i == 1 || (i > 1 && t.processor < best)) {
            best = t.processor;
            wall = t.wall;
        }
    }
    printf("a picture scored %7.3f s processor, %7.3f s\n", best, wall);
    return TRUE;
}

int main(int argc, char **argv)
{
    const int width = argc > 1 ? atoi(argv[1]) : 128, size = argc > 2 ? atoi(argv[2]) : 256;
    const int batch = argc > 3 ? atoi(argv[3]) : 8, threads = argc > 4 ? atoi(argv[4]) : 0;
    const int steps = argc > 5 ? MAX(atoi(argv[5]), 1) : 3;
    g_autoptr(GError) error = NULL;
    CgDType dtype = CG_F32;
    Bench b;
    if (argc > 6 && !cg_dtype_parse_compute(argv[6], &dtype))
        return 2;
    cg_threads_set(threads);
    printf("DRAEM of width %d, %d x %d, batch %d, %s, %d threads\n", width, size, size, batch,
           cg_dtype_name(dtype), cg_threads());
    if (!bench_init(&b, width, size, batch, dtype, &error) || !run_steps(&b, steps, &error) ||
        !run_test(&b, steps, &error)) {
        fprintf(stderr, "bench_detector: %s\n", error->message);
        return 1;
    }
    return 0;
}
