/* kernels: our own vector kernels of the CPU engine, one table per instruction set.
 *
 * They are what engine.h says of the operations with the same names, for f32 and bf16, on
 * cg_threads() threads. Results are the same bytes for any number of threads: whatever is summed
 * is split by shape, never by thread. They differ in the last bits between instruction sets.
 *
 * One source (norm-body.h, pointwise-body.h) is written with the compilers' vector extension and
 * compiled once for each instruction set.
 */
#ifndef CG_ENGINE_CPU_KERNELS_H
#define CG_ENGINE_CPU_KERNELS_H

#include "engine/engine.h"
#include "engine/pool.h"

typedef struct {
    const char *name; /* "portable", "AVX2", "AVX-512" */
    /* Takes its partial sums from the pool's scratch. */
    void (*group_norm)(CgPool *pool, const CgTensor *x, int groups, float eps,
                       const CgTensor *gamma, const CgTensor *beta, CgActivation act, CgTensor *y);
    void (*layer_norm)(const CgTensor *x, float eps, const CgTensor *gamma, const CgTensor *beta,
                       CgTensor *y);
    void (*activate)(CgActivation act, const CgTensor *x, CgTensor *y);
    void (*geglu)(const CgTensor *x, CgTensor *y);
    void (*add)(const CgTensor *a, const CgTensor *b, float scale, CgTensor *y);
    void (*add_channels)(const CgTensor *x, const CgTensor *v, CgTensor *y);
    void (*upsample_nearest)(const CgTensor *x, CgTensor *y);
    void (*concat)(const CgTensor *a, const CgTensor *b, CgTensor *y);
    void (*softmax)(const CgTensor *x, CgTensor *y);
    void (*cast)(const CgTensor *x, CgTensor *y);
} CgCpuKernels;

/* The best table for this processor (base/system.h: cg_cpu_features). */
const CgCpuKernels *cg_cpu_kernels(void);

/* Every table that this processor can run, best last; for tests. NULL at the end. */
const CgCpuKernels *const *cg_cpu_kernels_all(void);

#endif
