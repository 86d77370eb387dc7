/* The CPU engine: oneDNN for linear layers and for convolutions that Winograd's method does not
 * make faster, our own kernels for the rest. */
#include "engine/engine.h"
#include "engine/check.h"
#include "engine/cpu/attention.h"
#include "engine/cpu/kernels.h"
#include "engine/cpu/onednn.h"
#include "engine/cpu/winograd.h"
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

static void trim(CgEngine *e)
{
    cg_pool_trim(cpu(e)->pool);
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

static void weight_keep(CgEngine *e, CgWeight *w)
{
    (void)e;
    cg_onednn_weight_keep(w);
}

static void weight_differentiate(CgEngine *e, CgWeight *w)
{
    (void)e;
    cg_onednn_weight_differentiate(w);
}

static void weight_changed(CgEngine *e, CgWeight *w)
{
    (void)e;
    cg_onednn_weight_changed(w);
}

/* X to Y by G, or by G turned: dy to dx. */
static CgWinograd winograd_of(const CgConvGeometry *g, gboolean turned, const CgTensor *x,
                              const CgTensor *y)
{
    return (CgWinograd){.n = (size_t)x->shape.d[0],
                        .h = (size_t)x->shape.d[1],
                        .w = (size_t)x->shape.d[2],
                        .c_in = (size_t)x->shape.d[3],
                        .to_h = (size_t)y->shape.d[1],
                        .to_w = (size_t)y->shape.d[2],
                        .c_out = (size_t)y->shape.d[3],
                        .top = turned ? 2 - g->pad_top : g->pad_top,
                        .left = turned ? 2 - g->pad_left : g->pad_left,
                        .x = cg_tensor_f32((CgTensor *)x),
                        .y = cg_tensor_f32((CgTensor *)y),
                        .turned = turned};
}

static void winograd_run(CgEngine *e, CgWeight *w, CgWinograd *c)
{
    const CgTensor *source = cg_onednn_source(w);
    c->weights = source->data;
    c->weight_type = source->dtype;
    cpu(e)->kernels->winograd(cpu(e)->pool, c);
}

static gboolean takes_winograd(const CgWeight *w, const CgTensor *x, const CgTensor *y)
{
    return cg_winograd_takes(cg_onednn_geometry(w), cg_onednn_dtype(w), (int)x->shape.d[3],
                             y->shape.d[1], y->shape.d[2]);
}

static gboolean conv2d(CgEngine *e, CgWeight *w, const CgTensor *x, const CgEngineEpilogue *ep,
                       CgTensor *y, GError **error)
{
    if (takes_winograd(w, x, y)) {
        cg_onednn_check_conv2d(w, x, ep, y);
        CgWinograd c = winograd_of(cg_onednn_geometry(w), FALSE, x, y);
        c.bias = ep && ep->bias ? ep->bias->data : cg_onednn_bias(w);
        c.residual = ep && ep->residual ? ep->residual->data : NULL;
        c.act = ep ? ep->act : CG_ACT_NONE;
        winograd_run(e, w, &c);
        return TRUE;
    }
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

static void batch_norm(CgEngine *e, const CgTensor *x, float eps, const CgTensor *gamma,
                       const CgTensor *beta, CgActivation act, float momentum,
                       CgTensor *running_mean, CgTensor *running_variance, CgTensor *y)
{
    cpu(e)->kernels->batch_norm(cpu(e)->pool, x, eps, gamma, beta, act, momentum, running_mean,
                                running_variance, y);
}

static void batch_norm_fixed(CgEngine *e, const CgTensor *x, float eps, const CgTensor *gamma,
                             const CgTensor *beta, CgActivation act, const CgTensor *mean,
                             const CgTensor *variance, CgTensor *y)
{
    cpu(e)->kernels->batch_norm_fixed(cpu(e)->pool, x, eps, gamma, beta, act, mean, variance, y);
}

static void batch_norm_backward(CgEngine *e, const CgTensor *x, float eps, const CgTensor *gamma,
                                const CgTensor *beta, CgActivation act, const CgTensor *dy,
                                CgTensor *dx, CgTensor *dgamma, CgTensor *dbeta)
{
    cpu(e)->kernels->batch_norm_backward(cpu(e)->pool, x, eps, gamma, beta, act, dy, dx, dgamma,
                                         dbeta);
}

static void upsample_bilinear(CgEngine *e, const CgTensor *x, CgTensor *y)
{
    cpu(e)->kernels->upsample_bilinear(cpu(e)->pool, x, y);
}

static void upsample_bilinear_backward(CgEngine *e, const CgTensor *dy, CgTensor *dx)
{
    cpu(e)->kernels->upsample_bilinear_backward(cpu(e)->pool, dy, dx);
}

static void max_pool2d(CgEngine *e, const CgPoolGeometry *g, const CgTensor *x, CgTensor *y)
{
    cpu(e)->kernels->max_pool2d(g, x, y);
}

static void max_pool2d_backward(CgEngine *e, const CgPoolGeometry *g, const CgTensor *x,
                                const CgTensor *dy, CgTensor *dx)
{
    cpu(e)->kernels->max_pool2d_backward(cpu(e)->pool, g, x, dy, dx);
}

static void average_pool(CgEngine *e, const CgTensor *x, CgTensor *y)
{
    cpu(e)->kernels->average_pool(cpu(e)->pool, x, y);
}

static void average_pool_backward(CgEngine *e, const CgTensor *dy, CgTensor *dx)
{
    cpu(e)->kernels->average_pool_backward(dy, dx);
}

static void scale(CgEngine *e, const CgTensor *x, float factor, CgTensor *y)
{
    cpu(e)->kernels->scale(x, factor, y);
}

static void group_norm_backward(CgEngine *e, const CgTensor *x, int groups, float eps,
                                const CgTensor *gamma, const CgTensor *beta, CgActivation act,
                                const CgTensor *dy, CgTensor *dx, CgTensor *dgamma, CgTensor *dbeta)
{
    cpu(e)->kernels->group_norm_backward(cpu(e)->pool, x, groups, eps, gamma, beta, act, dy, dx,
                                         dgamma, dbeta);
}

static gboolean conv2d_backward_data(CgEngine *e, CgWeight *w, const CgTensor *dy, CgTensor *dx,
                                     GError **error)
{
    if (takes_winograd(w, dy, dx)) {
        cg_check_conv2d_backward(cg_onednn_geometry(w), cg_onednn_dtype(w), dx, dy);
        CgWinograd c = winograd_of(cg_onednn_geometry(w), TRUE, dy, dx);
        winograd_run(e, w, &c);
        return TRUE;
    }
    return cg_onednn_conv2d_backward_data(cpu(e)->onednn, w, dy, dx, error);
}

static gboolean linear_backward_data(CgEngine *e, CgWeight *w, const CgTensor *dy, CgTensor *dx,
                                     GError **error)
{
    return cg_onednn_linear_backward_data(cpu(e)->onednn, w, dy, dx, error);
}

static void weights_gradient(CgEngine *e, const CgConvGeometry *g, const CgTensor *x,
                             const CgTensor *dy, const size_t size[5], CgTensor *dw, CgTensor *db)
{
    const CgCpuKernels *kernels = cpu(e)->kernels;
    cg_check_gradient(
        "dw", dw, (size_t)g->c_out * (size_t)g->c_in * (size_t)g->kernel_h * (size_t)g->kernel_w);
    cg_check_gradient("db", db, (size_t)g->c_out);
    if (dw && cg_winograd_takes_gradient(g, x->dtype, (int64_t)size[0], (int64_t)size[3],
                                         (int64_t)size[4])) {
        const CgWinograd c = winograd_of(g, FALSE, x, dy);
        kernels->winograd_gradient(cpu(e)->pool, &c, cg_tensor_f32(dw));
    } else if (dw)
        kernels->weights_gradient(cpu(e)->pool, g, x, dy, size, cg_tensor_f32(dw));
    if (db)
        kernels->column_sums(cpu(e)->pool, dy, 1, cg_tensor_f32(db));
}

static gboolean conv2d_backward_weights(CgEngine *e, CgWeight *w, const CgTensor *x,
                                        const CgTensor *dy, CgTensor *dw, CgTensor *db,
                                        GError **error)
{
    (void)error;
    const CgConvGeometry *g = cg_onednn_geometry(w);
    cg_check_conv2d_backward(g, cg_onednn_dtype(w), x, dy);
    const size_t size[5] = {(size_t)x->shape.d[0], (size_t)x->shape.d[1], (size_t)x->shape.d[2],
                            (size_t)dy->shape.d[1], (size_t)dy->shape.d[2]};
    weights_gradient(e, g, x, dy, size, dw, db);
    return TRUE;
}

static gboolean linear_backward_weights(CgEngine *e, CgWeight *w, const CgTensor *x,
                                        const CgTensor *dy, CgTensor *dw, CgTensor *db,
                                        GError **error)
{
    (void)error;
    const CgConvGeometry *g = cg_onednn_geometry(w);
    cg_check_linear_backward(g, cg_onednn_dtype(w), x, dy);
    size_t rows = x->count / (size_t)g->c_in;
    const size_t size[5] = {1, 1, rows, 1, rows};
    weights_gradient(e, g, x, dy, size, dw, db);
    return TRUE;
}

static gboolean attention_backward(CgEngine *e, const CgAttention *a, const CgAttentionGradient *g,
                                   GError **error)
{
    return cg_cpu_attention_backward(a, g, cpu(e)->pool, error);
}

static void layer_norm_backward(CgEngine *e, const CgTensor *x, float eps, const CgTensor *gamma,
                                const CgTensor *dy, CgTensor *dx, CgTensor *dgamma, CgTensor *dbeta)
{
    cpu(e)->kernels->layer_norm_backward(cpu(e)->pool, x, eps, gamma, dy, dx, dgamma, dbeta);
}

static void activate_backward(CgEngine *e, CgActivation act, const CgTensor *x, const CgTensor *dy,
                              CgTensor *dx)
{
    cpu(e)->kernels->activate_backward(act, x, dy, dx);
}

static void geglu_backward(CgEngine *e, const CgTensor *x, const CgTensor *dy, CgTensor *dx)
{
    cpu(e)->kernels->geglu_backward(x, dy, dx);
}

static void add_channels_backward(CgEngine *e, const CgTensor *dy, CgTensor *dv)
{
    cpu(e)->kernels->add_channels_backward(cpu(e)->pool, dy, dv);
}

static void upsample_nearest_backward(CgEngine *e, const CgTensor *dy, CgTensor *dx)
{
    cpu(e)->kernels->upsample_nearest_backward(dy, dx);
}

static void split(CgEngine *e, const CgTensor *dy, int64_t ca, CgTensor *da, CgTensor *db)
{
    cpu(e)->kernels->split(dy, ca, da, db);
}

static void softmax_backward(CgEngine *e, const CgTensor *y, const CgTensor *dy, CgTensor *dx)
{
    cpu(e)->kernels->softmax_backward(y, dy, dx);
}

static void adamw(CgEngine *e, const CgAdamw *step, size_t count, float *w, const float *g,
                  float *m, float *v)
{
    cpu(e)->kernels->adamw(step, count, w, g, m, v);
}

static double square_sum(CgEngine *e, size_t count, const float *g)
{
    return cpu(e)->kernels->square_sum(cpu(e)->pool, count, g);
}

static const CgEngineOps cpu_ops = {
    .version = CG_ENGINE_VERSION,
    .name = "cpu",
    .free = engine_free,
    .tensor = tensor,
    .trim = trim,
    .weight_new = weight_new,
    .weight_free = weight_free,
    .weight_keep = weight_keep,
    .weight_differentiate = weight_differentiate,
    .weight_changed = weight_changed,
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
    .batch_norm = batch_norm,
    .batch_norm_fixed = batch_norm_fixed,
    .batch_norm_backward = batch_norm_backward,
    .upsample_bilinear = upsample_bilinear,
    .upsample_bilinear_backward = upsample_bilinear_backward,
    .max_pool2d = max_pool2d,
    .max_pool2d_backward = max_pool2d_backward,
    .average_pool = average_pool,
    .average_pool_backward = average_pool_backward,
    .scale = scale,
    .conv2d_backward_data = conv2d_backward_data,
    .conv2d_backward_weights = conv2d_backward_weights,
    .linear_backward_data = linear_backward_data,
    .linear_backward_weights = linear_backward_weights,
    .attention_backward = attention_backward,
    .group_norm_backward = group_norm_backward,
    .layer_norm_backward = layer_norm_backward,
    .activate_backward = activate_backward,
    .geglu_backward = geglu_backward,
    .add_channels_backward = add_channels_backward,
    .upsample_nearest_backward = upsample_nearest_backward,
    .split = split,
    .softmax_backward = softmax_backward,
    .adamw = adamw,
    .square_sum = square_sum,
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
        .pool_scratch = stats.scratch,
        .system_allocations = stats.system_allocations,
        .weight_bytes = cg_onednn_weight_bytes(cpu(e)->onednn),
    };
    cg_onednn_describe(info->library, info->isa);
}
