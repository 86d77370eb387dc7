/* The CPU engine: oneDNN for convolutions and linear layers, our own kernels for the rest. */
#include "engine/engine.h"
#include "engine/cpu/attention.h"
#include "engine/cpu/kernels.h"
#include "engine/cpu/onednn.h"
#include "engine/pool.h"

#include "base/system.h"

typedef struct {
    CgEngine base;
    CgPool *pool;
    CgOnednn *onednn;
    const CgCpuKernels *kernels;
} CpuEngine;

static CpuEngine *cpu(CgEngine *e)
{
    return (CpuEngine *)e;
}

static void engine_free(CgEngine *e)
{
    cg_onednn_free(cpu(e)->onednn);
    cg_pool_unref(cpu(e)->pool);
    g_free(e);
}

static CgTensor *tensor(CgEngine *e, CgDType dtype, CgShape shape)
{
    return cg_pool_tensor(cpu(e)->pool, dtype, shape);
}

static CgWeight *weight_new(CgEngine *e, const CgConvGeometry *g, CgDType dtype, CgTensor *w,
                            CgTensor *bias)
{
    (void)e;
    return cg_onednn_weight_new(g, dtype, w, bias);
}

static void weight_free(CgEngine *e, CgWeight *w)
{
    cg_onednn_weight_free(cpu(e)->onednn, w);
}

static gboolean conv2d(CgEngine *e, CgWeight *w, const CgTensor *x, const CgEngineEpilogue *ep,
                       CgTensor *y, GError **error)
{
    return cg_onednn_conv2d(cpu(e)->onednn, w, x, ep, y, error);
}

static gboolean linear(CgEngine *e, CgWeight *w, const CgTensor *x, const CgEngineEpilogue *ep,
                       CgTensor *y, GError **error)
{
    return cg_onednn_linear(cpu(e)->onednn, w, x, ep, y, error);
}

static gboolean attention(CgEngine *e, const CgAttention *a, GError **error)
{
    return cg_cpu_attention(a, cpu(e)->pool, error);
}

static void group_norm(CgEngine *e, const CgTensor *x, int groups, float eps, const CgTensor *gamma,
                       const CgTensor *beta, CgActivation act, CgTensor *y)
{
    cpu(e)->kernels->group_norm(cpu(e)->pool, x, groups, eps, gamma, beta, act, y);
}

static void layer_norm(CgEngine *e, const CgTensor *x, float eps, const CgTensor *gamma,
                       const CgTensor *beta, CgTensor *y)
{
    cpu(e)->kernels->layer_norm(x, eps, gamma, beta, y);
}

static void activate(CgEngine *e, CgActivation act, const CgTensor *x, CgTensor *y)
{
    cpu(e)->kernels->activate(act, x, y);
}

static void geglu(CgEngine *e, const CgTensor *x, CgTensor *y)
{
    cpu(e)->kernels->geglu(x, y);
}

static void add(CgEngine *e, const CgTensor *a, const CgTensor *b, float scale, CgTensor *y)
{
    cpu(e)->kernels->add(a, b, scale, y);
}

static void add_channels(CgEngine *e, const CgTensor *x, const CgTensor *v, CgTensor *y)
{
    cpu(e)->kernels->add_channels(x, v, y);
}

static void upsample_nearest(CgEngine *e, const CgTensor *x, CgTensor *y)
{
    cpu(e)->kernels->upsample_nearest(x, y);
}

static void concat(CgEngine *e, const CgTensor *a, const CgTensor *b, CgTensor *y)
{
    cpu(e)->kernels->concat(a, b, y);
}

static void softmax(CgEngine *e, const CgTensor *x, CgTensor *y)
{
    cpu(e)->kernels->softmax(x, y);
}

static void cast(CgEngine *e, const CgTensor *x, CgTensor *y)
{
    cpu(e)->kernels->cast(x, y);
}

static const CgEngineOps cpu_ops = {
    .version = CG_ENGINE_VERSION,
    .name = "cpu",
    .free = engine_free,
    .tensor = tensor,
    .weight_new = weight_new,
    .weight_free = weight_free,
    .conv2d = conv2d,
    .linear = linear,
    .attention = attention,
    .group_norm = group_norm,
    .layer_norm = layer_norm,
    .activate = activate,
    .geglu = geglu,
    .add = add,
    .add_channels = add_channels,
    .upsample_nearest = upsample_nearest,
    .concat = concat,
    .softmax = softmax,
    .cast = cast,
};

CgEngine *cg_engine_cpu_new(void)
{
    CpuEngine *e = g_new0(CpuEngine, 1);
    e->base.ops = &cpu_ops;
    cg_threads(); /* the library splits its work by OpenMP's thread count */
    e->pool = cg_pool_new();
    e->onednn = cg_onednn_new(e->pool);
    e->kernels = cg_cpu_kernels();
    return &e->base;
}

void cg_engine_cpu_info(CgEngine *e, CgEngineInfo *info)
{
    g_assert(e->ops == &cpu_ops);
    CgPoolStats stats = cg_pool_stats(cpu(e)->pool);
    *info = (CgEngineInfo){
        .auto_dtype = cg_onednn_prefers_bf16() ? CG_BF16 : CG_F32,
        .pool_bytes = stats.held,
        .pool_peak = stats.peak_in_use,
        .system_allocations = stats.system_allocations,
        .weight_bytes = cg_onednn_weight_bytes(cpu(e)->onednn),
    };
    cg_onednn_describe(info->library, info->isa);
}
