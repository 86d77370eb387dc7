/* peak: the clock of the benches, and what the processor's cores can do at most. */
#ifndef BENCH_PEAK_H
#define BENCH_PEAK_H

#include "base/system.h"

#include <time.h>

/* With one thread it is processor time, so that a busy machine does not blur it. */
static double clock_seconds(int threads)
{
    struct timespec t;
    if (threads > 1)
        return cg_seconds();
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

#if defined(__x86_64__)

/* Fourteen independent sums hide the latency of any core. */
#define REPEAT14(op)                                                                               \
    op "2\n\t" op "3\n\t" op "4\n\t" op "5\n\t" op "6\n\t" op "7\n\t" op "8\n\t" op "9\n\t" op     \
       "10\n\t" op "11\n\t" op "12\n\t" op "13\n\t" op "14\n\t" op "15\n\t"
#define CLOBBERS                                                                                   \
    "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10",       \
        "xmm11", "xmm12", "xmm13", "xmm14", "xmm15"
#define ROUNDS 100000
#define LOOP(name, op, zero)                                                                       \
    static void name(void)                                                                         \
    {                                                                                              \
        __asm__ volatile(REPEAT14(zero)::: CLOBBERS);                                              \
        for (int i = 0; i < ROUNDS; i++)                                                           \
            __asm__ volatile(REPEAT14(op)::: CLOBBERS);                                            \
    }

LOOP(loop_avx2, "vfmadd231ps %%ymm0, %%ymm1, %%ymm", "vpxor %%xmm0, %%xmm0, %%xmm")
LOOP(loop_avx512, "vfmadd231ps %%zmm0, %%zmm1, %%zmm", "vpxor %%xmm0, %%xmm0, %%xmm")
LOOP(loop_bf16, "vdpbf16ps %%zmm0, %%zmm1, %%zmm", "vpxor %%xmm0, %%xmm0, %%xmm")

/* GFLOP/s of LOOP, whose every instruction is FLOPS operations, on all threads. */
static double peak(void (*loop)(void), double flops, int threads)
{
    double best = 1e9;
    for (int i = 0; i < 1000; i++) {
        double start = clock_seconds(threads);
#pragma omp parallel num_threads(threads)
        loop();
        best = MIN(best, clock_seconds(threads) - start);
    }
    return 14.0 * ROUNDS * flops * threads / best * 1e-9;
}

/* GFLOP/s of f32 and bf16 multiply-adds on THREADS threads; untouched where there is no such
 * instruction. */
static void measure_peaks(double *f32, double *bf16, int threads)
{
    const CgCpuFeatures *cpu = cg_cpu_features();
    if (cpu->avx512)
        *f32 = peak(loop_avx512, 32, threads);
    else if (cpu->avx2)
        *f32 = peak(loop_avx2, 16, threads);
    if (cpu->avx512_bf16)
        *bf16 = peak(loop_bf16, 64, threads);
}

#else

static void measure_peaks(double *f32, double *bf16, int threads)
{
    (void)f32, (void)bf16, (void)threads;
}

#endif

#endif
