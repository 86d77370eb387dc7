/* Speed of convolutions and linear layers at the shapes of Stable Diffusion 1.5 (512 x 512, both
 * guidance branches in one batch), against the arithmetic that the cores can do at most.
 *
 *     bench_layers [threads]
 *
 * The percentage is of the multiply-add rate measured in this run. "first" is what the first call
 * costs beyond a later one: planning, and packing the weights from f16. Times are the best of half
 * a second; with one thread they are processor time, so that a busy machine does not blur them.
 */
#include "base/rng.h"
#include "base/system.h"
#include "engine/cpu/onednn.h"
#include "support/peak.h"

#include <stdio.h>
#include <stdlib.h>

typedef struct {
    const char *what;
    int n, h, w, c_in, c_out, kernel, stride;
} Shape;

static const Shape shapes[] = {
    {"conv 64x64", 2, 64, 64, 320, 320, 3, 1},    {"conv 64x64", 2, 64, 64, 960, 320, 3, 1},
    {"conv 64x64", 2, 64, 64, 320, 320, 3, 2},    {"conv 32x32", 2, 32, 32, 640, 640, 3, 1},
    {"conv 16x16", 2, 16, 16, 1280, 1280, 3, 1},  {"conv 8x8", 2, 8, 8, 1280, 1280, 3, 1},
    {"conv 8x8", 2, 8, 8, 2560, 1280, 3, 1},      {"conv_in", 2, 64, 64, 4, 320, 3, 1},
    {"conv_out", 2, 64, 64, 320, 4, 3, 1},        {"VAE 256x256", 1, 256, 256, 256, 256, 3, 1},
    {"VAE 512x512", 1, 512, 512, 128, 128, 3, 1}, {"VAE out", 1, 512, 512, 128, 3, 3, 1},
    {"linear", 1, 1, 8192, 320, 320, 1, 1},       {"linear", 1, 1, 8192, 320, 2560, 1, 1},
    {"linear", 1, 1, 8192, 1280, 320, 1, 1},      {"linear", 1, 1, 2048, 640, 640, 1, 1},
    {"linear", 1, 1, 2048, 640, 5120, 1, 1},      {"linear", 1, 1, 2048, 2560, 640, 1, 1},
    {"linear", 1, 1, 512, 1280, 1280, 1, 1},      {"linear", 1, 1, 512, 1280, 10240, 1, 1},
    {"linear", 1, 1, 512, 5120, 1280, 1, 1},      {"linear", 1, 1, 154, 768, 1280, 1, 1},
    {"linear", 1, 1, 1, 1280, 1280, 1, 1},
};

static CgTensor *random_tensor(CgDType dtype, CgShape shape)
{
    g_autoptr(CgTensor) t = cg_tensor_new(CG_F32, shape);
    cg_rng_uniforms(3, 0, 0, t->data, t->count);
    for (size_t i = 0; i < t->count; i++)
        cg_tensor_f32(t)[i] -= 0.5f;
    return cg_tensor_copy(t, dtype);
}

static void bench(CgOnednn *library, const Shape *s, CgDType dtype, int threads, double peak)
{
    int pad = s->kernel / 2, h = (s->h - 1) / s->stride + 1, w = (s->w - 1) / s->stride + 1;
    CgConvGeometry g = {s->c_in, s->c_out, s->kernel, s->kernel, s->stride, pad, pad, pad, pad};
    g_autoptr(CgTensor) x = random_tensor(dtype, CG_SHAPE(s->n, s->h, s->w, s->c_in));
    g_autoptr(CgTensor) y = random_tensor(dtype, CG_SHAPE(s->n, h, w, s->c_out));
    g_autoptr(CgTensor) source =
        random_tensor(CG_F16, CG_SHAPE(s->c_out, s->c_in, s->kernel, s->kernel));
    CgWeight *weight = cg_onednn_weight_new(&g, dtype, source, NULL);
    double first = 0, best = 1e9, until = cg_seconds() + 0.5;
    for (int i = 0; i < 3 || cg_seconds() < until; i++) {
        g_autoptr(GError) error = NULL;
        double start = bench_clock(threads);
        if (!cg_onednn_conv2d(library, weight, x, NULL, y, &error)) {
            printf("%s\n", error->message);
            cg_onednn_weight_free(library, weight);
            return;
        }
        double time = bench_clock(threads) - start;
        first = i == 0 ? time : first;
        best = MIN(best, time);
    }
    double gflops =
        2.0 * s->n * h * w * s->c_out * (double)s->c_in * s->kernel * s->kernel / best * 1e-9;
    printf("%-12s %d x %3d x %4d, %4d > %5d, %dx%d / %d  %-4s %-30s %9.3f ms %7.1f GFLOP/s",
           s->what, s->n, s->h, s->w, s->c_in, s->c_out, s->kernel, s->kernel, s->stride,
           cg_dtype_name(dtype), cg_onednn_implementation(weight), best * 1e3, gflops);
    if (peak > 0)
        printf("  %5.1f %%", 100 * gflops / peak);
    printf("  first +%.1f ms\n", (first - best) * 1e3);
    fflush(stdout);
    cg_onednn_weight_free(library, weight);
}

int main(int argc, char **argv)
{
    int threads = argc > 1 ? atoi(argv[1]) : cg_threads();
    char name[64], isa[64];
    cg_threads_set(threads);
    const BenchPeaks peaks = bench_peaks_measure(threads);
    cg_onednn_describe(name, isa);
    printf("%s, %s (%s), %d threads: %.1f GFLOP/s in f32, %.1f in bf16\n", cg_cpu_features()->model,
           name, isa, threads, peaks.f32 * 1e-9, bench_peak_for(&peaks, CG_BF16) * 1e-9);
    CgPool *pool = cg_pool_new();
    CgOnednn *library = cg_onednn_new(pool);
    for (size_t i = 0; i < G_N_ELEMENTS(shapes); i++) {
        bench(library, &shapes[i], CG_F32, threads, peaks.f32 * 1e-9);
        bench(library, &shapes[i], CG_BF16, threads, bench_peak_for(&peaks, CG_BF16) * 1e-9);
    }
    cg_onednn_free(library);
    cg_pool_unref(pool);
    return 0;
}
