#include "support/peak.h"

#include "base/system.h"

#include <string.h>
#include <time.h>

double bench_clock(int threads)
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
#define ROUNDS 20000
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

/* Six sums of 16 x 16: a tile product waits about 52 cycles for its operand, 16 for the unit. */
#define AMX_ROUNDS   6000
#define AMX_PRODUCTS 6
static void loop_amx(void)
{
    struct {
        uint8_t palette, start_row, reserved[14];
        uint16_t row_bytes[16];
        uint8_t rows[16];
    } config;
    memset(&config, 0, sizeof config);
    config.palette = 1;
    for (int i = 0; i < 8; i++) {
        config.row_bytes[i] = 64;
        config.rows[i] = 16;
    }
    __asm__ volatile("ldtilecfg %0" ::"m"(config));
    __asm__ volatile("tilezero %%tmm0\n\ttilezero %%tmm1\n\ttilezero %%tmm2\n\ttilezero %%tmm3\n\t"
                     "tilezero %%tmm4\n\ttilezero %%tmm5\n\ttilezero %%tmm6\n\ttilezero %%tmm7" ::
                         : "memory");
    for (int i = 0; i < AMX_ROUNDS; i++)
        __asm__ volatile("tdpbf16ps %%tmm7, %%tmm6, %%tmm0\n\ttdpbf16ps %%tmm7, %%tmm6, %%tmm1\n\t"
                         "tdpbf16ps %%tmm7, %%tmm6, %%tmm2\n\ttdpbf16ps %%tmm7, %%tmm6, %%tmm3\n\t"
                         "tdpbf16ps %%tmm7, %%tmm6, %%tmm4\n\ttdpbf16ps %%tmm7, %%tmm6, %%tmm5" ::
                             : "memory");
    __asm__ volatile("tilerelease");
}

/* Rate of LOOP, which does FLOPS operations, on all threads at once. Each thread's processor time
 * counts, and the best of its many short runs, so that a busy machine makes little difference. */
static double peak(void (*loop)(void), double flops, int threads)
{
    const double until = cg_seconds() + 0.3;
    double sum = 0;
#pragma omp parallel num_threads(threads) reduction(+ : sum)
    {
        double best = 1e9;
        for (int i = 0; i < 20 || cg_seconds() < until; i++) {
            const double start = bench_clock(1);
            loop();
            best = MIN(best, bench_clock(1) - start);
        }
        sum += flops / best;
    }
    return sum;
}

BenchPeaks bench_peaks_measure(int threads)
{
    const CgCpuFeatures *cpu = cg_cpu_features();
    const double sums = 14.0 * ROUNDS;
    BenchPeaks p = {0};
    if (cpu->avx512)
        p.f32 = peak(loop_avx512, sums * 16 * 2, threads);
    else if (cpu->avx2)
        p.f32 = peak(loop_avx2, sums * 8 * 2, threads);
    if (cpu->avx512_bf16)
        p.bf16 = peak(loop_bf16, sums * 32 * 2, threads);
    if (cpu->amx_bf16)
        p.amx = peak(loop_amx, AMX_PRODUCTS * (double)AMX_ROUNDS * 16 * 16 * 32 * 2, threads);
    return p;
}

#else

BenchPeaks bench_peaks_measure(int threads)
{
    (void)threads;
    return (BenchPeaks){0};
}

#endif

double bench_peak_for(const BenchPeaks *p, CgDType dtype)
{
    if (dtype != CG_BF16)
        return p->f32;
    return MAX(p->amx, MAX(p->bf16, p->f32));
}
