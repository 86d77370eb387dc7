/* kernels: our own vector kernels of the CPU engine, one table per instruction set.
 *
 * They are what engine.h says of the operations with the same names, for f32 and bf16, on
 * cg_threads() threads. Results are the same bytes for any number of threads: whatever is summed
 * is split by shape, never by thread. They differ in the last bits between instruction sets.
 *
 * One source (norm-body.h, pointwise-body.h and their backward) is written with the compilers'
 * vector extension and compiled once for each instruction set.
 */
#ifndef CG_ENGINE_CPU_KERNELS_H
#define CG_ENGINE_CPU_KERNELS_H

#include "engine/engine.h"
#include "engine/pool.h"

/* A 3x3 convolution of stride 1, f32: Y = act(x * weights + bias) + residual. */
typedef struct {
    size_t n, h, w, c_in, to_h, to_w, c_out;
    int top, left; /* zeros */
    const float *x;
    float *y;
    const float *bias, *residual; /* or NULL; residual may be y */
    CgActivation act;
    const void *weights; /* [c_out, c_in, 3, 3] */
    CgDType weight_type;
    gboolean turned; /* they are [c_in, c_out, 3, 3], to be turned by 180 degrees */
} CgWinograd;

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
    void (*scale)(const CgTensor *x, float factor, CgTensor *y);
    void (*batch_norm)(CgPool *pool, const CgTensor *x, float eps, const CgTensor *gamma,
                       const CgTensor *beta, CgActivation act, float momentum,
                       CgTensor *running_mean, CgTensor *running_variance, CgTensor *y);
    void (*batch_norm_fixed)(CgPool *pool, const CgTensor *x, float eps, const CgTensor *gamma,
                             const CgTensor *beta, CgActivation act, const CgTensor *mean,
                             const CgTensor *variance, CgTensor *y);
    void (*upsample_bilinear)(CgPool *pool, const CgTensor *x, CgTensor *y);
    void (*max_pool2d)(const CgPoolGeometry *g, const CgTensor *x, CgTensor *y);
    void (*average_pool)(CgPool *pool, const CgTensor *x, CgTensor *y);

    /* Those with sums to merge take memory for them from the pool's scratch. */
    void (*group_norm_backward)(CgPool *pool, const CgTensor *x, int groups, float eps,
                                const CgTensor *gamma, const CgTensor *beta, CgActivation act,
                                const CgTensor *dy, CgTensor *dx, CgTensor *dgamma,
                                CgTensor *dbeta);
    void (*batch_norm_backward)(CgPool *pool, const CgTensor *x, float eps, const CgTensor *gamma,
                                const CgTensor *beta, CgActivation act, const CgTensor *dy,
                                CgTensor *dx, CgTensor *dgamma, CgTensor *dbeta);
    void (*layer_norm_backward)(CgPool *pool, const CgTensor *x, float eps, const CgTensor *gamma,
                                const CgTensor *dy, CgTensor *dx, CgTensor *dgamma,
                                CgTensor *dbeta);
    void (*activate_backward)(CgActivation act, const CgTensor *x, const CgTensor *dy,
                              CgTensor *dx);
    void (*geglu_backward)(const CgTensor *x, const CgTensor *dy, CgTensor *dx);
    /* SUMS [samples, c] += x [samples, .., c] over the positions of each sample. */
    void (*column_sums)(CgPool *pool, const CgTensor *x, size_t samples, float *sums);
    void (*add_channels_backward)(CgPool *pool, const CgTensor *dy, CgTensor *dv);
    void (*upsample_nearest_backward)(const CgTensor *dy, CgTensor *dx);
    void (*upsample_bilinear_backward)(CgPool *pool, const CgTensor *dy, CgTensor *dx);
    void (*max_pool2d_backward)(CgPool *pool, const CgPoolGeometry *g, const CgTensor *x,
                                const CgTensor *dy, CgTensor *dx);
    void (*average_pool_backward)(const CgTensor *dy, CgTensor *dx);
    void (*split)(const CgTensor *dy, int64_t ca, CgTensor *da, CgTensor *db);
    void (*softmax_backward)(const CgTensor *y, const CgTensor *dy, CgTensor *dx);
    void (*adamw)(const CgAdamw *step, size_t count, float *w, const float *g, float *m, float *v);
    double (*square_sum)(CgPool *pool, size_t count, const float *g);
    /* DW [c_out, c_in, kh, kw] += the gradient of a convolution of G. SIZE: images, h and w of x, h
     * and w of dy; a linear layer is 1, 1, rows, 1, rows. */
    void (*weights_gradient)(CgPool *pool, const CgConvGeometry *g, const CgTensor *x,
                             const CgTensor *dy, const size_t size[5], float *dw);
    /* winograd.h: where it pays. */
    void (*winograd)(CgPool *pool, const CgWinograd *c);
    /* DW [c_out, c_in, 3, 3] += its gradient by the weights; c's y is dy, which is only read. */
    void (*winograd_gradient)(CgPool *pool, const CgWinograd *c, float *dw);
} CgCpuKernels;

/* The best table for this processor (base/system.h: cg_cpu_features). */
const CgCpuKernels *cg_cpu_kernels(void);

/* Every table that this processor can run, best last; for tests. NULL at the end. */
const CgCpuKernels *const *cg_cpu_kernels_all(void);

#endif
