/* engine: the table of compute kernels that a device must offer.
 *
 * engine/ref/ is plain readable C and what the others are compared with, engine/cpu/ is oneDNN and
 * our own vector kernels. Layouts: images [n, h, w, c], tokens [n, t, c]; weights as in their file
 * ([c_out, c_in, kh, kw] and [out, in]). Activations are f32 or bf16 (x and y of one call share the
 * type); biases, norm parameters and per-channel vectors are f32; sums are accumulated in f32.
 *
 * Shapes are the caller's responsibility: a mismatch is a programming error and aborts. FALSE and
 * an error (CG_ERROR_ENGINE, CG_ERROR_MEMORY) mean that the compute library or the machine refused.
 */
#ifndef CG_ENGINE_ENGINE_H
#define CG_ENGINE_ENGINE_H

#include "base/error.h"
#include "tensor/tensor.h"

#define CG_ENGINE_VERSION 4

typedef enum {
    CG_ACT_NONE,
    CG_ACT_SILU,       /* x * sigmoid(x) */
    CG_ACT_GELU,       /* x * Phi(x), exact (erf) */
    CG_ACT_QUICK_GELU, /* x * sigmoid(1.702 x) */
    CG_ACT_RELU,
    CG_ACT_SIGMOID, /* 1 / (1 + exp(-x)) */
} CgActivation;

typedef struct {
    int c_in, c_out;
    int kernel_h, kernel_w;
    int stride;                                   /* the same both ways */
    int pad_top, pad_bottom, pad_left, pad_right; /* zeros */
} CgConvGeometry;

/* Square windows; padding counts as minus infinity. */
typedef struct {
    int kernel, stride, pad;
} CgPoolGeometry;

/* A convolution kernel or linear matrix with its bias, in the engine's own packed form. */
typedef struct CgWeight CgWeight;

/* What happens to a convolution's or linear layer's sum: y = act(sum + bias) + residual.
 * act together with residual is not offered. */
typedef struct {
    const CgTensor *bias;     /* f32 [c_out], instead of the weight's own; NULL: its own */
    const CgTensor *residual; /* shape and type of y, may be y itself; NULL: none */
    CgActivation act;
} CgEngineEpilogue;

/* softmax(scale * q k^T) v for each sample and head. Head m of a token is the head_dim elements
 * from m * head_dim of its row; rows are *_row elements apart, samples t * row. causal: query i
 * sees keys 0..i. */
typedef struct {
    CgDType dtype; /* of q, k, v and y */
    int n, heads, head_dim;
    int tq, tk; /* tokens of queries; of keys and values */
    float scale;
    gboolean causal;
    const void *q, *k, *v;
    size_t q_row, k_row, v_row;
    void *y;
    size_t y_row;
    /* [n, heads, tq] or NULL: log(sum(exp(scale * q k^T))) of each query, which the backward needs.
     */
    float *lse;
} CgAttention;

/* Where attention's gradients come from and go to; rows as in CgAttention. dq, dk and dv are
 * overwritten and may lie side by side in one tensor. */
typedef struct {
    const void *dy;
    size_t dy_row;
    void *dq, *dk, *dv;
    size_t dq_row, dk_row, dv_row;
} CgAttentionGradient;

/* One step of AdamW (Loshchilov and Hutter; torch.optim.AdamW): w *= 1 - rate * decay, then
 * w -= rate / (1 - beta1^step) * m / (sqrt(v / (1 - beta2^step)) + eps). */
typedef struct {
    double rate, beta1, beta2, eps, decay;
    double gradient_scale; /* what gradients are multiplied with first: clipping, accumulation */
    guint64 step;          /* 1, 2, ... */
} CgAdamw;

typedef struct CgEngine CgEngine;

typedef struct {
    guint32 version;  /* CG_ENGINE_VERSION */
    const char *name; /* "ref", "cpu" */
    void (*free)(CgEngine *e);

    /* A tensor from the engine's pool, not initialised; unref gives the memory back to the pool. */
    CgTensor *(*tensor)(CgEngine *e, CgDType dtype, CgShape shape);

    /* Gives back to the system what the pool holds and no tensor uses. */
    void (*trim)(CgEngine *e);

    /* W [c_out, c_in, kh, kw] (or [out, in]: geometry 1x1) in any float type, BIAS f32-convertible
     * [c_out] or NULL. DTYPE is the type that it will compute in. Packing happens at the first use;
     * until then W is referenced, and longer where its values are needed again. */
    CgWeight *(*weight_new)(CgEngine *e, const CgConvGeometry *g, CgDType dtype, CgTensor *w,
                            CgTensor *bias);
    void (*weight_free)(CgEngine *e, CgWeight *w);
    /* Before the first use: W's source tensor is kept and packed anew whenever W is used, into
     * memory that all such weights share: for numbers that change, and for what is seldom used. The
     * backward functions may be called. */
    void (*weight_keep)(CgEngine *e, CgWeight *w);
    /* Before the first use: the backward functions may be called; the numbers never change. */
    void (*weight_differentiate)(CgEngine *e, CgWeight *w);
    /* The kept source tensor (and bias) has other numbers now. */
    void (*weight_changed)(CgEngine *e, CgWeight *w);

    /* x [n, h, w, c_in] -> y [n, h', w', c_out], h' = (h + pad_top + pad_bottom - kh) / stride + 1.
     */
    gboolean (*conv2d)(CgEngine *e, CgWeight *w, const CgTensor *x, const CgEngineEpilogue *ep,
                       CgTensor *y, GError **error);
    /* x [.., in] -> y [.., out]; the leading dims are rows. Weight geometry must be 1x1. */
    gboolean (*linear)(CgEngine *e, CgWeight *w, const CgTensor *x, const CgEngineEpilogue *ep,
                       CgTensor *y, GError **error);
    gboolean (*attention)(CgEngine *e, const CgAttention *a, GError **error);

    /* x [n, .., c], statistics per sample and group over all inner positions, biased variance;
     * y = act((x - mean) / sqrt(var + eps) * gamma + beta). y may be x. */
    void (*group_norm)(CgEngine *e, const CgTensor *x, int groups, float eps, const CgTensor *gamma,
                       const CgTensor *beta, CgActivation act, CgTensor *y);
    /* x [.., c], statistics per channel over all positions of all samples, biased variance;
     * otherwise as group_norm. RUNNING_MEAN and RUNNING_VARIANCE, f32 [c] or NULL, move by MOMENTUM
     * towards the batch's mean and unbiased variance (torch.nn.BatchNorm2d in training). y may be
     * x. */
    void (*batch_norm)(CgEngine *e, const CgTensor *x, float eps, const CgTensor *gamma,
                       const CgTensor *beta, CgActivation act, float momentum,
                       CgTensor *running_mean, CgTensor *running_variance, CgTensor *y);
    /* The same with given statistics. y may be x. */
    void (*batch_norm_fixed)(CgEngine *e, const CgTensor *x, float eps, const CgTensor *gamma,
                             const CgTensor *beta, CgActivation act, const CgTensor *mean,
                             const CgTensor *variance, CgTensor *y);
    /* Over the last dim. y may be x. */
    void (*layer_norm)(CgEngine *e, const CgTensor *x, float eps, const CgTensor *gamma,
                       const CgTensor *beta, CgTensor *y);
    /* y = act(x). y may be x. */
    void (*activate)(CgEngine *e, CgActivation act, const CgTensor *x, CgTensor *y);
    /* x [.., 2c] -> y [.., c]: y = x[:c] * gelu(x[c:]). */
    void (*geglu)(CgEngine *e, const CgTensor *x, CgTensor *y);
    /* y = a + scale * b. y may be a or b. */
    void (*add)(CgEngine *e, const CgTensor *a, const CgTensor *b, float scale, CgTensor *y);
    /* x [n, .., c] + v [n, c] or [1, c] (f32) over all positions. y may be x. */
    void (*add_channels)(CgEngine *e, const CgTensor *x, const CgTensor *v, CgTensor *y);
    /* x [n, h, w, c] -> y [n, h', w', c]: source index = floor(i * h / h'). */
    void (*upsample_nearest)(CgEngine *e, const CgTensor *x, CgTensor *y);
    /* The same shapes; corners fall on corners: source position = i * (h - 1) / (h' - 1). */
    void (*upsample_bilinear)(CgEngine *e, const CgTensor *x, CgTensor *y);
    /* x [n, h, w, c] -> y [n, h', w', c], h' = (h + 2 pad - kernel) / stride + 1; every window must
     * meet the image. NaN is the largest. */
    void (*max_pool2d)(CgEngine *e, const CgPoolGeometry *g, const CgTensor *x, CgTensor *y);
    /* x [n, .., c] -> y [n, c]: the mean over all positions. */
    void (*average_pool)(CgEngine *e, const CgTensor *x, CgTensor *y);
    /* a [.., ca], b [.., cb] -> y [.., ca + cb]. */
    void (*concat)(CgEngine *e, const CgTensor *a, const CgTensor *b, CgTensor *y);
    /* Over the last dim, maximum subtracted, sums in f32. y may be x. */
    void (*softmax)(CgEngine *e, const CgTensor *x, CgTensor *y);
    /* f32 <-> bf16 (or a copy). */
    void (*cast)(CgEngine *e, const CgTensor *x, CgTensor *y);
    /* y = factor * x. y may be x. */
    void (*scale)(CgEngine *e, const CgTensor *x, float factor, CgTensor *y);

    /* Backward. dy and dx have the types of y and x; dx is overwritten. Gradients of parameters
     * (dw, db, dgamma, dbeta, dv) are f32 and are added to what is there; NULL: not wanted. Sums
     * are accumulated in f32 or better. Epilogues are not part of it: dy is the gradient of the
     * sum. */

    /* dy [n, h', w', c_out] -> dx [n, h, w, c_in]. W was kept or differentiated. */
    gboolean (*conv2d_backward_data)(CgEngine *e, CgWeight *w, const CgTensor *dy, CgTensor *dx,
                                     GError **error);
    /* dw [c_out, c_in, kh, kw], db [c_out]. */
    gboolean (*conv2d_backward_weights)(CgEngine *e, CgWeight *w, const CgTensor *x,
                                        const CgTensor *dy, CgTensor *dw, CgTensor *db,
                                        GError **error);
    /* dy [.., out] -> dx [.., in]. W was kept or differentiated. */
    gboolean (*linear_backward_data)(CgEngine *e, CgWeight *w, const CgTensor *dy, CgTensor *dx,
                                     GError **error);
    /* dw [out, in] (or [out, in, 1, 1]), db [out]. */
    gboolean (*linear_backward_weights)(CgEngine *e, CgWeight *w, const CgTensor *x,
                                        const CgTensor *dy, CgTensor *dw, CgTensor *db,
                                        GError **error);
    /* A as in the forward call, with its results y and lse. */
    gboolean (*attention_backward)(CgEngine *e, const CgAttention *a, const CgAttentionGradient *g,
                                   GError **error);
    /* x, gamma, beta, act as in the forward call. dx may be dy. */
    void (*group_norm_backward)(CgEngine *e, const CgTensor *x, int groups, float eps,
                                const CgTensor *gamma, const CgTensor *beta, CgActivation act,
                                const CgTensor *dy, CgTensor *dx, CgTensor *dgamma,
                                CgTensor *dbeta);
    /* Of batch_norm: x, gamma, beta, act as in the forward call. dx may be dy. */
    void (*batch_norm_backward)(CgEngine *e, const CgTensor *x, float eps, const CgTensor *gamma,
                                const CgTensor *beta, CgActivation act, const CgTensor *dy,
                                CgTensor *dx, CgTensor *dgamma, CgTensor *dbeta);
    /* dx may be dy. */
    void (*layer_norm_backward)(CgEngine *e, const CgTensor *x, float eps, const CgTensor *gamma,
                                const CgTensor *dy, CgTensor *dx, CgTensor *dgamma,
                                CgTensor *dbeta);
    /* dx = dy * act'(x). dx may be dy. */
    void (*activate_backward)(CgEngine *e, CgActivation act, const CgTensor *x, const CgTensor *dy,
                              CgTensor *dx);
    /* x [.., 2c], dy [.., c] -> dx [.., 2c]. */
    void (*geglu_backward)(CgEngine *e, const CgTensor *x, const CgTensor *dy, CgTensor *dx);
    /* add_channels: dv [n, c] += the sum of dy [n, .., c] over all positions, and over samples too
     * when dv is [1, c]. */
    void (*add_channels_backward)(CgEngine *e, const CgTensor *dy, CgTensor *dv);
    /* dy [n, h', w', c] -> dx [n, h, w, c]. */
    void (*upsample_nearest_backward)(CgEngine *e, const CgTensor *dy, CgTensor *dx);
    void (*upsample_bilinear_backward)(CgEngine *e, const CgTensor *dy, CgTensor *dx);
    /* To the first of the largest in each window, rows first. */
    void (*max_pool2d_backward)(CgEngine *e, const CgPoolGeometry *g, const CgTensor *x,
                                const CgTensor *dy, CgTensor *dx);
    /* dy [n, c] -> dx [n, .., c]. */
    void (*average_pool_backward)(CgEngine *e, const CgTensor *dy, CgTensor *dx);
    /* concat: dy [.., ca + cb] -> da [.., ca], db [.., cb]; either may be NULL, with CA given. */
    void (*split)(CgEngine *e, const CgTensor *dy, int64_t ca, CgTensor *da, CgTensor *db);
    /* From the forward's result y. dx may be dy. */
    void (*softmax_backward)(CgEngine *e, const CgTensor *y, const CgTensor *dy, CgTensor *dx);

    /* One optimizer step over COUNT numbers: weights, gradients, first and second moments. */
    void (*adamw)(CgEngine *e, const CgAdamw *step, size_t count, float *w, const float *g,
                  float *m, float *v);
    /* The sum of the squares of COUNT numbers, in f64; the same for any number of threads. */
    double (*square_sum)(CgEngine *e, size_t count, const float *g);
} CgEngineOps;

struct CgEngine {
    const CgEngineOps *ops;
};

/* The engines of this build. */
CgEngine *cg_engine_ref_new(void);
CgEngine *cg_engine_cpu_new(void);
/* Computes nothing: for finding out what a run needs (memory that is never touched, operations
 * counted by the context's profile) before it starts. */
CgEngine *cg_engine_plan_new(void);
/* Bytes of tensors alive at once, at most. */
size_t cg_engine_plan_peak(const CgEngine *e);
/* Bytes that a pool which runs step after step would hold for them: no less. */
size_t cg_engine_plan_held(const CgEngine *e);
static inline void cg_engine_free(CgEngine *e)
{
    if (e)
        e->ops->free(e);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CgEngine, cg_engine_free)

/* What an engine can say of itself (doctor, manifest). */
typedef struct {
    char library[64];           /* "oneDNN 2.6.3" */
    char isa[64];               /* "AVX-512 with bf16" */
    CgDType auto_dtype;         /* what --dtype auto means here */
    size_t weight_bytes;        /* packed weights alive */
    size_t pool_bytes;          /* held by the pool now */
    size_t pool_peak;           /* most in use at once, scratch included */
    size_t pool_scratch;        /* the kernels' own working memory */
    guint64 system_allocations; /* times that the pool asked the system for memory */
} CgEngineInfo;
void cg_engine_cpu_info(CgEngine *e, CgEngineInfo *info);

#endif
