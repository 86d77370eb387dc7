/* Speed of convolutions and linear layers in training, against the arithmetic that the cores can do
 * at most: forward, gradient by the input (data), gradient by the weights, and what it costs to
 * pack changed weights again for the first two.
 *
 *     bench_backward [threads [part of a row's name]]
 *
 * Sizes of Stable Diffusion 1.5 (one image of 512 x 512) and of small models. Times are the best of
 * half a second; with one thread they are processor time, so that a busy machine does not blur
 * them.
 */
#include "base/rng.h"
#include "base/system.h"
#include "engine/engine.h"
#include "support/peak.h"

#include <stdio.h>
#include <stdlib.h>

typedef struct {
    const char *what;
    int n, h, w, c_in, c_out, kernel, stride;
} Shape;

static const Shape shapes[] = {
    {"sd conv 64x64", 1, 64, 64, 320, 320, 3, 1}, {"sd conv 64x64 /2", 1, 64, 64, 320, 320, 3, 2},
    {"sd conv 32x32", 1, 32, 32, 640, 640, 3, 1}, {"sd conv 16x16", 1, 16, 16, 1280, 1280, 3, 1},
    {"sd conv 8x8", 1, 8, 8, 1280, 1280, 3, 1},   {"sd conv_in", 1, 64, 64, 4, 320, 3, 1},
    {"sd conv_out", 1, 64, 64, 320, 4, 3, 1},     {"sd hint", 1, 512, 512, 3, 16, 3, 1},
    {"sd hint /2", 1, 512, 512, 16, 32, 3, 2},    {"sd shortcut", 1, 64, 64, 640, 320, 1, 1},
    {"sd linear", 1, 1, 4096, 320, 320, 1, 1},    {"sd linear", 1, 1, 4096, 320, 2560, 1, 1},
    {"sd linear", 1, 1, 4096, 1280, 320, 1, 1},   {"sd linear", 1, 1, 1024, 640, 5120, 1, 1},
    {"sd linear", 1, 1, 256, 5120, 1280, 1, 1},   {"sd linear", 1, 1, 77, 768, 1280, 1, 1},
    {"sd linear", 1, 1, 1, 1280, 1280, 1, 1},     {"vae conv", 1, 256, 256, 128, 128, 3, 1},
    {"vae conv out", 1, 256, 256, 128, 3, 3, 1},  {"draem conv", 1, 256, 256, 64, 64, 3, 1},
    {"draem conv", 1, 128, 128, 256, 256, 3, 1},  {"draem conv", 1, 64, 64, 512, 512, 3, 1},
    {"draem conv", 1, 32, 32, 1024, 1024, 3, 1},  {"draem conv", 1, 16, 16, 1024, 1024, 3, 1},
    {"small conv in", 4, 64, 64, 3, 32, 3, 1},    {"small conv", 4, 128, 128, 16, 16, 3, 1},
    {"small conv", 4, 64, 64, 32, 32, 3, 1},      {"small conv", 4, 64, 64, 64, 64, 3, 1},
    {"small conv /2", 4, 64, 64, 64, 64, 3, 2},   {"small conv", 4, 32, 32, 128, 128, 3, 1},
    {"small conv", 4, 16, 16, 256, 256, 3, 1},    {"small conv", 4, 16, 16, 64, 64, 3, 1},
    {"small conv out", 4, 64, 64, 32, 3, 3, 1},   {"small linear", 4, 1, 1024, 64, 64, 1, 1},
    {"small linear", 4, 1, 256, 128, 512, 1, 1},
};

static CgTensor *random_tensor(CgDType dtype, CgShape shape)
{
    g_autoptr(CgTensor) t = cg_tensor_new(CG_F32, shape);
    cg_rng_uniforms(3, 0, 0, t->data, t->count);
    for (size_t i = 0; i < t->count; i++)
        cg_tensor_f32(t)[i] -= 0.5f;
    return cg_tensor_copy(t, dtype);
}

typedef struct {
    CgEngine *e;
    CgWeight *weight;
    CgTensor *x, *y, *dx, *dw, *db;
} Layer;

static gboolean forward(const Layer *l)
{
    return l->e->ops->conv2d(l->e, l->weight, l->x, NULL, l->y, NULL);
}

static gboolean data(const Layer *l)
{
    return l->e->ops->conv2d_backward_data(l->e, l->weight, l->y, l->dx, NULL);
}

static gboolean weights(const Layer *l)
{
    return l->e->ops->conv2d_backward_weights(l->e, l->weight, l->x, l->y, l->dw, l->db, NULL);
}

/* Seconds at best; 0 when the engine refuses. CHANGED: with weights that have changed. */
static double measure(const Layer *l, gboolean (*run)(const Layer *l), int threads,
                      gboolean changed)
{
    double best = 1e9, until = cg_seconds() + 0.5;
    for (int i = 0; i < 3 || cg_seconds() < until; i++) {
        if (changed)
            l->e->ops->weight_changed(l->e, l->weight);
        double start = bench_clock(threads);
        if (!run(l))
            return 0;
        best = MIN(best, bench_clock(threads) - start);
    }
    return best;
}

static void bench(CgEngine *e, const Shape *s, CgDType dtype, int threads, double peak)
{
    int pad = s->kernel / 2, h = (s->h - 1) / s->stride + 1, w = (s->w - 1) / s->stride + 1;
    CgConvGeometry g = {s->c_in, s->c_out, s->kernel, s->kernel, s->stride, pad, pad, pad, pad};
    if (s->h == 1)
        h = 1;
    g_autoptr(CgTensor) source =
        random_tensor(CG_F32, CG_SHAPE(s->c_out, s->c_in, s->kernel, s->kernel));
    Layer l = {.e = e,
               .weight = e->ops->weight_new(e, &g, dtype, source, NULL),
               .x = random_tensor(dtype, CG_SHAPE(s->n, s->h, s->w, s->c_in)),
               .y = random_tensor(dtype, CG_SHAPE(s->n, h, w, s->c_out)),
               .dx = random_tensor(dtype, CG_SHAPE(s->n, s->h, s->w, s->c_in)),
               .dw = cg_tensor_zeros(CG_F32, source->shape),
               .db = cg_tensor_zeros(CG_F32, CG_SHAPE(s->c_out))};
    e->ops->weight_keep(e, l.weight);
    double flops = 2.0 * s->n * h * w * s->c_out * (double)s->c_in * s->kernel * s->kernel;
    gboolean (*const runs[])(const Layer *) = {forward, data, weights};
    printf("%-16s %d x %3d x %4d, %4d > %4d, %dx%d %s", s->what, s->n, s->h, s->w, s->c_in,
           s->c_out, s->kernel, s->kernel, cg_dtype_name(dtype));
    double time[2] = {0};
    for (int i = 0; i < 3; i++) {
        double best = measure(&l, runs[i], threads, FALSE);
        if (i < 2)
            time[i] = best;
        printf("  %8.3f ms %6.1f (%3.0f %%)", best * 1e3, flops / best * 1e-9,
               100 * flops / best / peak);
        fflush(stdout);
    }
    for (int i = 0; i < 2; i++)
        printf("  %5.2f",
               (measure(&l, runs[i], threads, TRUE) - time[i]) * 1e9 / (double)source->count);
    printf("\n");
    e->ops->weight_free(e, l.weight);
    CgTensor *all[] = {l.x, l.y, l.dx, l.dw, l.db};
    for (guint i = 0; i < G_N_ELEMENTS(all); i++)
        cg_tensor_unref(all[i]);
}

int main(int argc, char **argv)
{
    int threads = argc > 1 ? atoi(argv[1]) : cg_threads();
    const char *part = argc > 2 ? argv[2] : "";
    cg_threads_set(threads);
    const BenchPeaks peaks = bench_peaks_measure(threads);
    g_autoptr(CgEngine) e = cg_engine_cpu_new();
    CgEngineInfo info;
    cg_engine_cpu_info(e, &info);
    printf("%s, %s (%s), %d threads: %.1f GFLOP/s in f32\n", cg_cpu_features()->model, info.library,
           info.isa, threads, peaks.f32 * 1e-9);
    printf("for each: ms, GFLOP/s, part of the peak; then ns a weight to pack changed ones\n");
    printf("%-50s  %-24s  %-24s  %-24s  forward, data\n", "", "forward", "data", "weights");
    for (size_t i = 0; i < G_N_ELEMENTS(shapes); i++)
        if (strstr(shapes[i].what, part)) {
            bench(e, &shapes[i], CG_F32, threads, peaks.f32);
            if (info.auto_dtype == CG_BF16)
                bench(e, &shapes[i], CG_BF16, threads, bench_peak_for(&peaks, CG_BF16));
        }
    return 0;
}
