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

double ref_activation(CgActivation act, double x);

/* The operations, as CgEngineOps says. */
CgWeight *ref_weight_new(CgEngine *e, const CgConvGeometry *g, CgDType dtype, CgTensor *w,
                         CgTensor *bias);
void ref_weight_free(CgEngine *e, CgWeight *w);
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

#endif
