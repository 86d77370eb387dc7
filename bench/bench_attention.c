/* Speed of the fused attention at the shapes of Stable Diffusion 1.5 (512 x 512), every path that
 * this processor has, against the arithmetic that its cores can do at most.
 *
 *     bench_attention [path] [threads]
 *
 * GFLOP/s count 4 n heads tq tk head_dim operations; the percentage is of the multiply-add rate
 * measured in this run (support/peak.h). Times are the best of half a second; with one thread they
 * are processor time, so that a busy machine does not blur them.
 */
#include "base/rng.h"
#include "base/system.h"
#include "engine/cpu/attention-private.h"
#include "support/peak.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    const char *what;
    int n, heads, dim, tq, tk;
    gboolean causal;
} Shape;

static const Shape shapes[] = {
    {"self 64x64", 1, 8, 40, 4096, 4096, FALSE}, {"self 64x64", 2, 8, 40, 4096, 4096, FALSE},
    {"self 32x32", 2, 8, 80, 1024, 1024, FALSE}, {"self 16x16", 2, 8, 160, 256, 256, FALSE},
    {"self 8x8", 2, 8, 160, 64, 64, FALSE},      {"cross 64x64", 2, 8, 40, 4096, 77, FALSE},
    {"cross 32x32", 2, 8, 80, 1024, 77, FALSE},  {"cross 16x16", 2, 8, 160, 256, 77, FALSE},
    {"VAE 64x64", 1, 1, 512, 4096, 4096, FALSE}, {"text", 2, 12, 64, 77, 77, TRUE},
    {"long, d 64", 1, 8, 64, 2048, 2048, FALSE},
};

static void *random_tensor(CgDType dtype, size_t count, int stream)
{
    g_autofree float *x = g_new(float, count);
    cg_rng_uniforms(3, (uint64_t)stream, 0, x, count);
    for (size_t i = 0; i < count; i++)
        x[i] = 4 * x[i] - 2;
    void *data = g_malloc(count * cg_dtype_size(dtype));
    cg_dtype_convert(x, CG_F32, data, dtype, count);
    return data;
}

static double seconds(const CgAttentionPath *path, const CgAttention *a, int threads, CgPool *pool)
{
    double best = 1e9, until = cg_seconds() + 0.5;
    int times = 0;
    while (times < 2 || cg_seconds() < until) {
        double start = bench_clock(threads);
        g_autoptr(GError) error = NULL;
        if (!cg_attention_run(path, a, threads, pool, &error))
            g_error("%s", error->message);
        best = MIN(best, bench_clock(threads) - start);
        times++;
    }
    return best;
}

static double path_peak(const CgAttentionPath *path, const BenchPeaks *peaks)
{
    if (path->dtypes & (1u << CG_F32))
        return peaks->f32;
    return strcmp(path->name, "amx") == 0 ? peaks->amx : peaks->bf16;
}

static void bench(const Shape *s, CgDType dtype, const char *only, int threads,
                  const BenchPeaks *peaks, CgPool *pool)
{
    size_t width = (size_t)s->heads * s->dim;
    CgAttention a = {.dtype = dtype,
                     .n = s->n,
                     .heads = s->heads,
                     .head_dim = s->dim,
                     .tq = s->tq,
                     .tk = s->tk,
                     .scale = 1.0f / sqrtf((float)s->dim),
                     .causal = s->causal,
                     .q = random_tensor(dtype, (size_t)s->n * s->tq * width, 1),
                     .k = random_tensor(dtype, (size_t)s->n * s->tk * width, 2),
                     .v = random_tensor(dtype, (size_t)s->n * s->tk * width, 3),
                     .q_row = width,
                     .k_row = width,
                     .v_row = width,
                     .y = random_tensor(dtype, (size_t)s->n * s->tq * width, 4),
                     .y_row = width};
    for (int i = 0; cg_attention_paths[i]; i++) {
        const CgAttentionPath *path = cg_attention_paths[i];
        if (!path->available(cg_cpu_features()) || !(path->dtypes & (1u << dtype)) ||
            (only && strcmp(only, path->name) != 0))
            continue;
        double time = seconds(path, &a, threads, pool);
        double gflops = 4.0 * s->n * s->heads * s->tq * (double)s->tk * s->dim / time * 1e-9;
        double most = path_peak(path, peaks) * 1e-9;
        printf("%-12s %d x %2d x %4d x %4d, d %3d  %-4s  %-12s %9.3f ms %8.1f GFLOP/s", s->what,
               s->n, s->heads, s->tq, s->tk, s->dim, cg_dtype_name(dtype), path->name, time * 1e3,
               gflops);
        printf(most > 0 ? "  %5.1f %%\n" : "\n", 100 * gflops / most);
        fflush(stdout);
    }
    g_free((void *)a.q);
    g_free((void *)a.k);
    g_free((void *)a.v);
    g_free(a.y);
}

int main(int argc, char **argv)
{
    const char *only = argc > 1 && *argv[1] ? argv[1] : NULL;
    int threads = argc > 2 ? atoi(argv[2]) : cg_threads();
    const BenchPeaks peaks = bench_peaks_measure(threads);
    printf("%s, %d threads: %.1f GFLOP/s in f32, %.1f in bf16, %.1f on AMX tiles\n",
           cg_cpu_features()->model, threads, peaks.f32 * 1e-9, peaks.bf16 * 1e-9,
           peaks.amx * 1e-9);
    CgPool *pool = cg_pool_new();
    for (size_t i = 0; i < G_N_ELEMENTS(shapes); i++) {
        bench(&shapes[i], CG_F32, only, threads, &peaks, pool);
        bench(&shapes[i], CG_BF16, only, threads, &peaks, pool);
    }
    cg_pool_unref(pool);
    return 0;
}
