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

static CgWeight *plan_weight_new(CgEngine *e, const CgConvGeometry *g, CgDType dtype, CgTensor *w,
                                 CgTensor *bias)
{
    (void)e, (void)g, (void)dtype, (void)w, (void)bias;
    return NULL;
}

static void plan_weight_free(CgEngine *e, CgWeight *w)
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

CgEngine *cg_engine_plan_new(void)
{
    static const CgEngineOps ops = {
        .version = CG_ENGINE_VERSION,
        .name = "plan",
        .free = plan_free,
        .tensor = plan_tensor,
        .weight_new = plan_weight_new,
        .weight_free = plan_weight_free,
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
    };
    PlanEngine *e = g_new0(PlanEngine, 1);
    e->base.ops = &ops;
    e->pool = cg_pool_new_virtual();
    return &e->base;
}

size_t cg_engine_plan_peak(const CgEngine *e)
{
    return cg_pool_stats(((const PlanEngine *)e)->pool).peak_in_use;
}
