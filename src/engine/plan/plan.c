/* The engine that computes nothing: it hands out memory that nobody touches and answers every call
 * at once. A model run on it has the shapes, the lifetimes and the counted operations of the real
 * run, so that memory and work are known before either is spent. */
#include "engine/engine.h"
#include "engine/pool.h"

typedef struct {
    CgEngine base;
    CgPool *pool;
} PlanEngine;

static CgPool *pool_of(CgEngine *e)
{
    return ((PlanEngine *)e)->pool;
}

static void plan_free(CgEngine *e)
{
    cg_pool_unref(pool_of(e));
    g_free(e);
}

static CgTensor *plan_tensor(CgEngine *e, CgDType dtype, CgShape shape)
{
    return cg_pool_tensor(pool_of(e), dtype, shape);
}

static void plan_trim(CgEngine *e)
{
    cg_pool_trim(pool_of(e));
}

static CgWeight *plan_weight_new(CgEngine *e, const CgConvGeometry *g, CgDType dtype, CgTensor *w,
                                 CgTensor *bias)
{
    (void)e, (void)g, (void)dtype, (void)w, (void)bias;
    return NULL;
}

static void plan_weight(CgEngine *e, CgWeight *w)
{
    (void)e, (void)w;
}

static gboolean plan_layer(CgEngine *e, CgWeight *w, const CgTensor *x, const CgEngineEpilogue *ep,
                           CgTensor *y, GError **error)
{
    (void)e, (void)w, (void)x, (void)ep, (void)y, (void)error;
    return TRUE;
}

static gboolean plan_attention(CgEngine *e, const CgAttention *a, GError **error)
{
    (void)e, (void)a, (void)error;
    return TRUE;
}

static void plan_group_norm(CgEngine *e, const CgTensor *x, int groups, float eps,
                            const CgTensor *gamma, const CgTensor *beta, CgActivation act,
                            CgTensor *y)
{
    (void)e, (void)x, (void)groups, (void)eps, (void)gamma, (void)beta, (void)act, (void)y;
}

static void plan_layer_norm(CgEngine *e, const CgTensor *x, float eps, const CgTensor *gamma,
                            const CgTensor *beta, CgTensor *y)
{
    (void)e, (void)x, (void)eps, (void)gamma, (void)beta, (void)y;
}

static void plan_activate(CgEngine *e, CgActivation act, const CgTensor *x, CgTensor *y)
{
    (void)e, (void)act, (void)x, (void)y;
}

static void plan_add(CgEngine *e, const CgTensor *a, const CgTensor *b, float scale, CgTensor *y)
{
    (void)e, (void)a, (void)b, (void)scale, (void)y;
}

static void plan_unary(CgEngine *e, const CgTensor *x, CgTensor *y)
{
    (void)e, (void)x, (void)y;
}

static void plan_binary(CgEngine *e, const CgTensor *a, const CgTensor *b, CgTensor *y)
{
    (void)e, (void)a, (void)b, (void)y;
}

static void plan_batch_norm(CgEngine *e, const CgTensor *x, float eps, const CgTensor *gamma,
                            const CgTensor *beta, CgActivation act, float momentum,
                            CgTensor *running_mean, CgTensor *running_variance, CgTensor *y)
{
    (void)e, (void)x, (void)eps, (void)gamma, (void)beta, (void)act, (void)momentum;
    (void)running_mean, (void)running_variance, (void)y;
}

static void plan_batch_norm_fixed(CgEngine *e, const CgTensor *x, float eps, const CgTensor *gamma,
                                  const CgTensor *beta, CgActivation act, const CgTensor *mean,
                                  const CgTensor *variance, CgTensor *y)
{
    (void)e, (void)x, (void)eps, (void)gamma, (void)beta, (void)act, (void)mean, (void)variance;
    (void)y;
}

static void plan_batch_norm_backward(CgEngine *e, const CgTensor *x, float eps,
                                     const CgTensor *gamma, const CgTensor *beta, CgActivation act,
                                     const CgTensor *dy, CgTensor *dx, CgTensor *dgamma,
                                     CgTensor *dbeta)
{
    (void)e, (void)x, (void)eps, (void)gamma, (void)beta, (void)act;
    (void)dy, (void)dx, (void)dgamma, (void)dbeta;
}

static void plan_max_pool2d(CgEngine *e, const CgPoolGeometry *g, const CgTensor *x, CgTensor *y)
{
    (void)e, (void)g, (void)x, (void)y;
}

static void plan_max_pool2d_backward(CgEngine *e, const CgPoolGeometry *g, const CgTensor *x,
                                     const CgTensor *dy, CgTensor *dx)
{
    (void)e, (void)g, (void)x, (void)dy, (void)dx;
}

static void plan_scale(CgEngine *e, const CgTensor *x, float factor, CgTensor *y)
{
    (void)e, (void)x, (void)factor, (void)y;
}

static gboolean plan_backward_data(CgEngine *e, CgWeight *w, const CgTensor *dy, CgTensor *dx,
                                   GError **error)
{
    (void)e, (void)w, (void)dy, (void)dx, (void)error;
    return TRUE;
}

static gboolean plan_backward_weights(CgEngine *e, CgWeight *w, const CgTensor *x,
                                      const CgTensor *dy, CgTensor *dw, CgTensor *db,
                                      GError **error)
{
    (void)e, (void)w, (void)x, (void)dy, (void)dw, (void)db, (void)error;
    return TRUE;
}

static gboolean plan_attention_backward(CgEngine *e, const CgAttention *a,
                                        const CgAttentionGradient *g, GError **error)
{
    (void)e, (void)a, (void)g, (void)error;
    return TRUE;
}

static void plan_group_norm_backward(CgEngine *e, const CgTensor *x, int groups, float eps,
                                     const CgTensor *gamma, const CgTensor *beta, CgActivation act,
                                     const CgTensor *dy, CgTensor *dx, CgTensor *dgamma,
                                     CgTensor *dbeta)
{
    (void)e, (void)x, (void)groups, (void)eps, (void)gamma, (void)beta, (void)act;
    (void)dy, (void)dx, (void)dgamma, (void)dbeta;
}

static void plan_layer_norm_backward(CgEngine *e, const CgTensor *x, float eps,
                                     const CgTensor *gamma, const CgTensor *dy, CgTensor *dx,
                                     CgTensor *dgamma, CgTensor *dbeta)
{
    (void)e, (void)x, (void)eps, (void)gamma, (void)dy, (void)dx, (void)dgamma, (void)dbeta;
}

static void plan_activate_backward(CgEngine *e, CgActivation act, const CgTensor *x,
                                   const CgTensor *dy, CgTensor *dx)
{
    (void)e, (void)act, (void)x, (void)dy, (void)dx;
}

static void plan_split(CgEngine *e, const CgTensor *dy, int64_t ca, CgTensor *da, CgTensor *db)
{
    (void)e, (void)dy, (void)ca, (void)da, (void)db;
}

static void plan_adamw(CgEngine *e, const CgAdamw *step, size_t count, float *w, const float *g,
                       float *m, float *v)
{
    (void)e, (void)step, (void)count, (void)w, (void)g, (void)m, (void)v;
}

static double plan_square_sum(CgEngine *e, size_t count, const float *g)
{
    (void)e, (void)count, (void)g;
    return 0;
}

CgEngine *cg_engine_plan_new(void)
{
    static const CgEngineOps ops = {
        .version = CG_ENGINE_VERSION,
        .name = "plan",
        .free = plan_free,
        .tensor = plan_tensor,
        .trim = plan_trim,
        .weight_new = plan_weight_new,
        .weight_free = plan_weight,
        .weight_keep = plan_weight,
        .weight_differentiate = plan_weight,
        .weight_changed = plan_weight,
        .conv2d = plan_layer,
        .linear = plan_layer,
        .attention = plan_attention,
        .group_norm = plan_group_norm,
        .layer_norm = plan_layer_norm,
        .activate = plan_activate,
        .geglu = plan_unary,
        .add = plan_add,
        .add_channels = plan_binary,
        .upsample_nearest = plan_unary,
        .concat = plan_binary,
        .softmax = plan_unary,
        .cast = plan_unary,
        .batch_norm = plan_batch_norm,
        .batch_norm_fixed = plan_batch_norm_fixed,
        .batch_norm_backward = plan_batch_norm_backward,
        .upsample_bilinear = plan_unary,
        .upsample_bilinear_backward = plan_unary,
        .max_pool2d = plan_max_pool2d,
        .max_pool2d_backward = plan_max_pool2d_backward,
        .average_pool = plan_unary,
        .average_pool_backward = plan_unary,
        .scale = plan_scale,
        .conv2d_backward_data = plan_backward_data,
        .conv2d_backward_weights = plan_backward_weights,
        .linear_backward_data = plan_backward_data,
        .linear_backward_weights = plan_backward_weights,
        .attention_backward = plan_attention_backward,
        .group_norm_backward = plan_group_norm_backward,
        .layer_norm_backward = plan_layer_norm_backward,
        .activate_backward = plan_activate_backward,
        .geglu_backward = plan_binary,
        .add_channels_backward = plan_unary,
        .upsample_nearest_backward = plan_unary,
        .split = plan_split,
        .softmax_backward = plan_binary,
        .adamw = plan_adamw,
        .square_sum = plan_square_sum,
    };
    PlanEngine *e = g_new0(PlanEngine, 1);
    e->base.ops = &ops;
    e->pool = cg_pool_new_virtual();
    return &e->base;
}

size_t cg_engine_plan_held(const CgEngine *e)
{
    return cg_pool_stats(((const PlanEngine *)e)->pool).held;
}

size_t cg_engine_plan_peak(const CgEngine *e)
{
    return cg_pool_stats(((const PlanEngine *)e)->pool).peak_in_use;
}
