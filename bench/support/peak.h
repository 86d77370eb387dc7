/* peak: the most arithmetic that this processor's instructions can do, measured.
 *
 * Loops of independent multiply-adds in registers: nothing is loaded, nothing waits. What a network
 * reaches is told as a share of this.
 */
#ifndef BENCH_SUPPORT_PEAK_H
#define BENCH_SUPPORT_PEAK_H

#include "tensor/dtype.h"

/* Operations per second (multiply and add counted as two) of all threads; 0: not on this processor,
 * or not allowed by CAGEN_MAX_ISA. */
typedef struct {
    double f32;  /* vfmadd231ps, of the widest registers */
    double bf16; /* vdpbf16ps */
    double amx;  /* tdpbf16ps */
} BenchPeaks;

/* Takes about a third of a second for each. */
BenchPeaks bench_peaks_measure(int threads);
/* The one that bounds work in DTYPE: the fastest that multiplies it. */
double bench_peak_for(const BenchPeaks *peaks, CgDType dtype);

/* Wall-clock seconds, or with one thread this thread's processor time, so that a busy machine does
 * not blur short measurements. */
double bench_clock(int threads);

#endif
