/* ref: the plain engine. Everything is computed element by element in double and rounded once;
 * it says what the operations mean, and the other engines are compared with it. */
#ifndef CG_ENGINE_REF_PRIVATE_H
#define CG_ENGINE_REF_PRIVATE_H

#include "base/system.h"
#include "engine/check.h"
#include "engine/engine.h"
#include "engine/pool.h"

typedef struct {
    CgEngine base;
    CgPool *pool;
} RefEngine;

/* Element I of DATA, an array of f32 or bf16. */
static inline double ref_get(CgDType dtype, const void *data, size_t i)
{
    return dtype == CG_F32 ? ((const float *)data)[i]
                           : cg_f32_from_bf16(((const uint16_t *)data)[i]);
}

static inline void ref_set(CgDType dtype, void *data, size_t i, double value)
{
    if (dtype == CG_F32)
        ((float *)data)[i] = (float)value;
    else
        ((uint16_t *)data)[i] = cg_bf16_from_f32((float)value);
}

/* Of T, the last dimension and the number of its rows. */
static inline size_t ref_columns(const CgTensor *t)
{
    return t->shape.rank ? (size_t)t->shape.d[t->shape.rank - 1] : 1;
}

static inline size_t ref_rows(const CgTensor *t)
{
    size_t c = ref_columns(t);
    return c ? t->count / c : 0;
}

/* Of x [n, .., c], the rows of one sample. */
static inline size_t ref_sample_rows(const CgTensor *x)
{
    return x->shape.d[0] ? ref_rows(x) / (size_t)x->shape.d[0] : 0;
}

/* A weight as the reference computes with it. */
struct CgWeight {
    CgConvGeometry g;
    CgDType dtype;
    gboolean keep;      /* w and bias stay after packing */
    CgTensor *w, *bias; /* as given; NULL once packed */
    float *packed;      /* [kh, kw, c_in, c_out], rounded to dtype */
    float *packed_bias; /* [c_out]; NULL: none */
};

/* Makes packed and packed_bias when they are not there. */
void ref_weight_pack(CgWeight *w);

double ref_activation(CgActivation act, double x);
/* Its derivative at X. */
double ref_activation_slope(CgActivation act, double x);
/* Mean and 1 / sqrt(variance + eps) of ROWS rows of COUNT elements, STRIDE apart, from AT. */
void ref_moments(const CgTensor *x, size_t at, size_t rows, size_t count, size_t stride, double eps,
                 double *mean, double *scale);

/* The operations, as CgEngineOps says. */
CgWeight *ref_weight_new(CgEngine *e, const CgConvGeometry *g, CgDType dtype, CgTensor *w,
                         CgTensor *bias);
void ref_weight_free(CgEngine *e, CgWeight *w);
void ref_weight_keep(CgEngine *e, CgWeight *w);
void ref_weight_changed(CgEngine *e, CgWeight *w);
gboolean ref_conv2d(CgEngine *e, CgWeight *w, const CgTensor *x, const CgEngineEpilogue *ep,
                    CgTensor *y, GError **error);
gboolean ref_linear(CgEngine *e, CgWeight *w, const CgTensor *x, const CgEngineEpilogue *ep,
                    CgTensor *y, GError **error);
gboolean ref_attention(CgEngine *e, const CgAttention *a, GError **error);
void ref_group_norm(CgEngine *e, const CgTensor *x, int groups, float eps, const CgTensor *gamma,
                    const CgTensor *beta, CgActivation act, CgTensor *y);
void ref_layer_norm(CgEngine *e, const CgTensor *x, float eps, const CgTensor *gamma,
                    const CgTensor *beta, CgTensor *y);
void ref_softmax(CgEngine *e, const CgTensor *x, CgTensor *y);
void ref_activate(CgEngine *e, CgActivation act, const CgTensor *x, CgTensor *y);
void ref_geglu(CgEngine *e, const CgTensor *x, CgTensor *y);
void ref_add(CgEngine *e, const CgTensor *a, const CgTensor *b, float scale, CgTensor *y);
void ref_add_channels(CgEngine *e, const CgTensor *x, const CgTensor *v, CgTensor *y);
void ref_upsample_nearest(CgEngine *e, const CgTensor *x, CgTensor *y);
void ref_concat(CgEngine *e, const CgTensor *a, const CgTensor *b, CgTensor *y);
void ref_cast(CgEngine *e, const CgTensor *x, CgTensor *y);
void ref_batch_norm(CgEngine *e, const CgTensor *x, float eps, const CgTensor *gamma,
                    const CgTensor *beta, CgActivation act, float momentum, CgTensor *running_mean,
                    CgTensor *running_variance, CgTensor *y);
void ref_batch_norm_fixed(CgEngine *e, const CgTensor *x, float eps, const CgTensor *gamma,
                          const CgTensor *beta, CgActivation act, const CgTensor *mean,
                          const CgTensor *variance, CgTensor *y);
void ref_batch_norm_backward(CgEngine *e, const CgTensor *x, float eps, const CgTensor *gamma,
                             const CgTensor *beta, CgActivation act, const CgTensor *dy,
                             CgTensor *dx, CgTensor *dgamma, CgTensor *dbeta);
void ref_upsample_bilinear(CgEngine *e, const CgTensor *x, CgTensor *y);
void ref_upsample_bilinear_backward(CgEngine *e, const CgTensor *dy, CgTensor *dx);
void ref_max_pool2d(CgEngine *e, const CgPoolGeometry *g, const CgTensor *x, CgTensor *y);
void ref_max_pool2d_backward(CgEngine *e, const CgPoolGeometry *g, const CgTensor *x,
                             const CgTensor *dy, CgTensor *dx);
void ref_average_pool(CgEngine *e, const CgTensor *x, CgTensor *y);
void ref_average_pool_backward(CgEngine *e, const CgTensor *dy, CgTensor *dx);
void ref_scale(CgEngine *e, const CgTensor *x, float factor, CgTensor *y);
gboolean ref_conv2d_backward_data(CgEngine *e, CgWeight *w, const CgTensor *dy, CgTensor *dx,
                                  GError **error);
gboolean ref_conv2d_backward_weights(CgEngine *e, CgWeight *w, const CgTensor *x,
                                     const CgTensor *dy, CgTensor *dw, CgTensor *db,
                                     GError **error);
gboolean ref_linear_backward_data(CgEngine *e, CgWeight *w, const CgTensor *dy, CgTensor *dx,
                                  GError **error);
gboolean ref_linear_backward_weights(CgEngine *e, CgWeight *w, const CgTensor *x,
                                     const CgTensor *dy, CgTensor *dw, CgTensor *db,
                                     GError **error);
gboolean ref_attention_backward(CgEngine *e, const CgAttention *a, const CgAttentionGradient *g,
                                GError **error);
void ref_group_norm_backward(CgEngine *e, const CgTensor *x, int groups, float eps,
                             const CgTensor *gamma, const CgTensor *beta, CgActivation act,
                             const CgTensor *dy, CgTensor *dx, CgTensor *dgamma, CgTensor *dbeta);
void ref_layer_norm_backward(CgEngine *e, const CgTensor *x, float eps, const CgTensor *gamma,
                             const CgTensor *dy, CgTensor *dx, CgTensor *dgamma, CgTensor *dbeta);
void ref_activate_backward(CgEngine *e, CgActivation act, const CgTensor *x, const CgTensor *dy,
                           CgTensor *dx);
void ref_geglu_backward(CgEngine *e, const CgTensor *x, const CgTensor *dy, CgTensor *dx);
void ref_add_channels_backward(CgEngine *e, const CgTensor *dy, CgTensor *dv);
void ref_upsample_nearest_backward(CgEngine *e, const CgTensor *dy, CgTensor *dx);
void ref_split(CgEngine *e, const CgTensor *dy, int64_t ca, CgTensor *da, CgTensor *db);
void ref_softmax_backward(CgEngine *e, const CgTensor *y, const CgTensor *dy, CgTensor *dx);
void ref_adamw(CgEngine *e, const CgAdamw *step, size_t count, float *w, const float *g, float *m,
               float *v);
double ref_square_sum(CgEngine *e, size_t count, const float *g);

#endif
