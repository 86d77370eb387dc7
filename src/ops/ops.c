#include "ops/ops.h"

#include "base/system.h"

#include <math.h>

/* The last dim of X. */
static int64_t channels(const CgTensor *x)
{
    return x->shape.d[x->shape.rank - 1];
}

/* Whether an op may run: not after a failure, not after Ctrl-C. Sampling is cancelled between any
 * two ops, so a stop takes milliseconds even at full size. */
static gboolean may_run(CgContext *cx)
{
    return !cx->error && cg_cancel_check(&cx->error);
}

static double op_begin(const CgContext *cx)
{
    return cx->profile ? cg_seconds() : 0;
}

static void op_end(CgContext *cx, CgOpKind kind, double begin, double flops)
{
    if (!cx->profile)
        return;
    cx->profile->seconds[kind] += cg_seconds() - begin;
    cx->profile->flops[kind] += flops;
    cx->profile->calls[kind]++;
}

static CgTensor *new_tensor(CgContext *cx, CgDType dtype, CgShape shape)
{
    return cx->engine->ops->tensor(cx->engine, dtype, shape);
}

static CgTensor *new_like(CgContext *cx, const CgTensor *x)
{
    return new_tensor(cx, x->dtype, x->shape);
}

static CgEngineEpilogue engine_epilogue(CgEpilogue ep)
{
    return (CgEngineEpilogue){.bias = ep.bias, .residual = ep.residual, .act = ep.act};
}

/* Where a convolution or linear layer writes: over the residual when that is asked for. */
static CgTensor *output_tensor(CgContext *cx, CgDType dtype, CgShape shape, const CgEpilogue *ep)
{
    if (ep->residual)
        cg_assert_shape("residual", ep->residual, shape);
    if (ep->residual && ep->in_place)
        return cg_tensor_ref(ep->residual);
    return new_tensor(cx, dtype, shape);
}

CgTensor *cg_conv2d(CgContext *cx, const CgConvGeometry *g, CgWeight *w, CgTensor *x, CgEpilogue ep)
{
    const int64_t n = x->shape.d[0], h = x->shape.d[1], width = x->shape.d[2];
    cg_assert_shape("conv2d input", x, CG_SHAPE(n, h, width, g->c_in));
    const int64_t out_h = (h + g->pad_top + g->pad_bottom - g->kernel_h) / g->stride + 1;
    const int64_t out_w = (width + g->pad_left + g->pad_right - g->kernel_w) / g->stride + 1;
    CgTensor *y = output_tensor(cx, x->dtype, CG_SHAPE(n, out_h, out_w, g->c_out), &ep);
    if (!may_run(cx))
        return y;
    const double begin = op_begin(cx);
    const CgEngineEpilogue epilogue = engine_epilogue(ep);
    cx->engine->ops->conv2d(cx->engine, w, x, &epilogue, y, &cx->error);
    op_end(cx, CG_OP_CONV, begin, 2.0 * (double)y->count * g->c_in * g->kernel_h * g->kernel_w);
    return y;
}

CgTensor *cg_linear(CgContext *cx, int out, CgWeight *w, CgTensor *x, CgEpilogue ep)
{
    CgShape shape = x->shape;
    shape.d[shape.rank - 1] = out;
    CgTensor *y = output_tensor(cx, x->dtype, shape, &ep);
    if (!may_run(cx))
        return y;
    const double begin = op_begin(cx);
    const CgEngineEpilogue epilogue = engine_epilogue(ep);
    cx->engine->ops->linear(cx->engine, w, x, &epilogue, y, &cx->error);
    op_end(cx, CG_OP_LINEAR, begin, 2.0 * (double)y->count * (double)channels(x));
    return y;
}

/* Attention between tensors whose rows hold several of q, k, v side by side: q starts every row of
 * Q, k and v stand at K_AT and K_AT + width of every row of KV. */
static CgTensor *attention(CgContext *cx, CgTensor *q, CgTensor *kv, int64_t k_at, int64_t width,
                           int heads, gboolean causal)
{
    const int64_t n = q->shape.d[0], tq = q->shape.d[1], tk = kv->shape.d[1];
    g_assert(kv->shape.d[0] == n && kv->dtype == q->dtype && width % heads == 0);
    const int head_dim = (int)(width / heads);
    const char *keys = (const char *)kv->data + (size_t)k_at * cg_dtype_size(kv->dtype);
    CgTensor *y = new_tensor(cx, q->dtype, CG_SHAPE(n, tq, width));
    const CgAttention a = {.dtype = q->dtype,
                           .n = (int)n,
                           .heads = heads,
                           .head_dim = head_dim,
                           .tq = (int)tq,
                           .tk = (int)tk,
                           .scale = 1.0f / sqrtf((float)head_dim),
                           .causal = causal,
                           .q = q->data,
                           .k = keys,
                           .v = keys + (size_t)width * cg_dtype_size(kv->dtype),
                           .q_row = (size_t)channels(q),
                           .k_row = (size_t)channels(kv),
                           .v_row = (size_t)channels(kv),
                           .y = y->data,
                           .y_row = (size_t)width};
    if (!may_run(cx))
        return y;
    const double begin = op_begin(cx);
    cx->engine->ops->attention(cx->engine, &a, &cx->error);
    op_end(cx, CG_OP_ATTENTION, begin, 4.0 * (double)(n * heads * tq * tk * head_dim));
    return y;
}

CgTensor *cg_attention_kv(CgContext *cx, CgTensor *q, CgTensor *kv, int heads)
{
    const int64_t width = channels(q);
    cg_assert_shape("keys and values", kv, CG_SHAPE(q->shape.d[0], kv->shape.d[1], 2 * width));
    return attention(cx, q, kv, 0, width, heads, FALSE);
}

CgTensor *cg_attention_qkv(CgContext *cx, CgTensor *qkv, int heads, gboolean causal)
{
    const int64_t width = channels(qkv) / 3;
    return attention(cx, qkv, qkv, width, width, heads, causal);
}

CgTensor *cg_group_norm(CgContext *cx, CgTensor *x, int groups, float eps, CgTensor *gamma,
                        CgTensor *beta, CgActivation act)
{
    cg_assert_shape("group norm scale", gamma, CG_SHAPE(channels(x)));
    CgTensor *y = new_like(cx, x);
    if (!may_run(cx))
        return y;
    const double begin = op_begin(cx);
    cx->engine->ops->group_norm(cx->engine, x, groups, eps, gamma, beta, act, y);
    op_end(cx, CG_OP_NORM, begin, 8.0 * (double)x->count);
    return y;
}

CgTensor *cg_layer_norm(CgContext *cx, CgTensor *x, float eps, CgTensor *gamma, CgTensor *beta)
{
    cg_assert_shape("layer norm scale", gamma, CG_SHAPE(channels(x)));
    CgTensor *y = new_like(cx, x);
    if (!may_run(cx))
        return y;
    const double begin = op_begin(cx);
    cx->engine->ops->layer_norm(cx->engine, x, eps, gamma, beta, y);
    op_end(cx, CG_OP_NORM, begin, 8.0 * (double)x->count);
    return y;
}

CgTensor *cg_activate(CgContext *cx, CgActivation act, CgTensor *x)
{
    CgTensor *y = new_like(cx, x);
    if (!may_run(cx))
        return y;
    const double begin = op_begin(cx);
    cx->engine->ops->activate(cx->engine, act, x, y);
    op_end(cx, CG_OP_POINTWISE, begin, 4.0 * (double)x->count);
    return y;
}

CgTensor *cg_geglu(CgContext *cx, CgTensor *x)
{
    CgShape shape = x->shape;
    shape.d[shape.rank - 1] /= 2;
    CgTensor *y = new_tensor(cx, x->dtype, shape);
    if (!may_run(cx))
        return y;
    const double begin = op_begin(cx);
    cx->engine->ops->geglu(cx->engine, x, y);
    op_end(cx, CG_OP_POINTWISE, begin, 8.0 * (double)y->count);
    return y;
}

static CgTensor *add_into(CgContext *cx, CgTensor *a, CgTensor *b, float scale, CgTensor *y)
{
    cg_assert_shape("add", b, a->shape);
    if (!may_run(cx))
        return y;
    const double begin = op_begin(cx);
    cx->engine->ops->add(cx->engine, a, b, scale, y);
    op_end(cx, CG_OP_POINTWISE, begin, 2.0 * (double)y->count);
    return y;
}

CgTensor *cg_add(CgContext *cx, CgTensor *a, CgTensor *b, float scale)
{
    return add_into(cx, a, b, scale, new_like(cx, a));
}

CgTensor *cg_add_in_place(CgContext *cx, CgTensor *a, CgTensor *b, float scale)
{
    return add_into(cx, a, b, scale, cg_tensor_ref(a));
}

CgTensor *cg_add_channels_in_place(CgContext *cx, CgTensor *x, CgTensor *v)
{
    const int64_t rows = v->shape.d[0];
    g_assert(rows == 1 || rows == x->shape.d[0]);
    cg_assert_shape("add channels", v, CG_SHAPE(rows, channels(x)));
    if (!may_run(cx))
        return cg_tensor_ref(x);
    const double begin = op_begin(cx);
    cx->engine->ops->add_channels(cx->engine, x, v, x);
    op_end(cx, CG_OP_POINTWISE, begin, (double)x->count);
    return cg_tensor_ref(x);
}

CgTensor *cg_upsample_nearest(CgContext *cx, CgTensor *x, int64_t h, int64_t w)
{
    CgTensor *y = new_tensor(cx, x->dtype, CG_SHAPE(x->shape.d[0], h, w, channels(x)));
    if (!may_run(cx))
        return y;
    const double begin = op_begin(cx);
    cx->engine->ops->upsample_nearest(cx->engine, x, y);
    op_end(cx, CG_OP_MOVE, begin, 0);
    return y;
}

CgTensor *cg_concat(CgContext *cx, CgTensor *a, CgTensor *b)
{
    CgShape shape = a->shape;
    shape.d[shape.rank - 1] += channels(b);
    CgTensor *y = new_tensor(cx, a->dtype, shape);
    if (!may_run(cx))
        return y;
    const double begin = op_begin(cx);
    cx->engine->ops->concat(cx->engine, a, b, y);
    op_end(cx, CG_OP_MOVE, begin, 0);
    return y;
}

CgTensor *cg_cast(CgContext *cx, CgTensor *x, CgDType dtype)
{
    if (x->dtype == dtype)
        return cg_tensor_ref(x);
    CgTensor *y = new_tensor(cx, dtype, x->shape);
    if (!may_run(cx))
        return y;
    const double begin = op_begin(cx);
    cx->engine->ops->cast(cx->engine, x, y);
    op_end(cx, CG_OP_MOVE, begin, 0);
    return y;
}
