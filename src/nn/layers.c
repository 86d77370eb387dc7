#include "nn/layers.h"

#include <stdarg.h>

#define BATCH_NORM_EPS      1e-5f
#define BATCH_NORM_MOMENTUM 0.1f

CgTensor *cg_conv_forward(CgContext *cx, const CgConv *layer, CgTensor *x, CgEpilogue ep)
{
    const CgConvGeometry *g = &layer->geometry;
    if (g->kernel_h == 1 && g->kernel_w == 1 && g->stride == 1 && g->pad_top == 0)
        return cg_linear(cx, g->c_out, &layer->kernel, x, ep);
    return cg_conv2d(cx, g, &layer->kernel, x, ep);
}

/* What LAYER's low-rank part says of X, not yet scaled: its parts side by side. */
static CgTensor *low_rank(CgContext *cx, const CgLinear *layer, CgTensor *x)
{
    const CgLowRank *a = layer->addition;
    CgTensor *all = NULL;
    for (int i = 0; i < a->count; i++) {
        g_autoptr(CgTensor) low = cg_linear(cx, a->rank, &a->down[i], x, CG_PLAIN);
        g_autoptr(CgTensor) part = cg_linear(cx, layer->out / a->count, &a->up[i], low, CG_PLAIN);
        CG_SET(all, all ? cg_concat(cx, all, part) : cg_tensor_ref(part));
    }
    return all;
}

CgTensor *cg_linear_forward(CgContext *cx, const CgLinear *layer, CgTensor *x, CgEpilogue ep)
{
    if (!layer->addition)
        return cg_linear(cx, layer->out, &layer->kernel, x, ep);
    g_assert(ep.act == CG_ACT_NONE);
    g_autoptr(CgTensor) y = cg_linear(cx, layer->out, &layer->kernel, x, ep);
    g_autoptr(CgTensor) addition = low_rank(cx, layer, x);
    return cg_add_in_place(cx, y, addition, layer->addition->scale);
}

CgTensor *cg_batch_norm_forward(CgContext *cx, const CgBatchNorm *layer, CgTensor *x,
                                CgActivation act, gboolean training)
{
    return training ? cg_batch_norm(cx, x, BATCH_NORM_EPS, layer->gamma, layer->beta, act,
                                    BATCH_NORM_MOMENTUM, layer->mean, layer->variance)
                    : cg_batch_norm_fixed(cx, x, BATCH_NORM_EPS, layer->gamma, layer->beta, act,
                                          layer->mean, layer->variance);
}

const char *cg_name(char buffer[CG_NAME_MAX], const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const int length = g_vsnprintf(buffer, CG_NAME_MAX, format, args);
    va_end(args);
    g_assert(length < CG_NAME_MAX);
    return buffer;
}
