#include "engine/ref/ref-private.h"

CgWeight *ref_weight_new(CgEngine *e, const CgConvGeometry *g, CgDType dtype, CgTensor *w,
                         CgTensor *bias)
{
    (void)e;
    g_assert(w->count ==
             (size_t)g->c_out * (size_t)g->c_in * (size_t)g->kernel_h * (size_t)g->kernel_w);
    g_assert(!bias || bias->count == (size_t)g->c_out);
    g_assert(dtype == CG_F32 || dtype == CG_BF16);
    CgWeight *weight = g_new0(CgWeight, 1);
    weight->g = *g;
    weight->dtype = dtype;
    weight->w = cg_tensor_ref(w);
    weight->bias = bias ? cg_tensor_ref(bias) : NULL;
    return weight;
}

void ref_weight_free(CgEngine *e, CgWeight *w)
{
    (void)e;
    if (!w)
        return;
    g_clear_pointer(&w->w, cg_tensor_unref);
    g_clear_pointer(&w->bias, cg_tensor_unref);
    g_free(w->packed);
    g_free(w->packed_bias);
    g_free(w);
}

void ref_weight_keep(CgEngine *e, CgWeight *w)
{
    (void)e;
    g_assert(w->w); /* before the first use */
    w->keep = TRUE;
}

void ref_weight_changed(CgEngine *e, CgWeight *w)
{
    (void)e;
    g_assert(w->keep);
    g_clear_pointer(&w->packed, g_free);
    g_clear_pointer(&w->packed_bias, g_free);
}

/* [c_out, c_in, kh, kw] -> [kh, kw, c_in, c_out]: then one input element meets all its outputs. */
void ref_weight_pack(CgWeight *w)
{
    if (w->packed)
        return;
    size_t taps = (size_t)w->g.kernel_h * (size_t)w->g.kernel_w;
    size_t in = (size_t)w->g.c_in, out = (size_t)w->g.c_out;
    g_autoptr(CgTensor) f = cg_tensor_copy(w->w, CG_F32);
    const float *from = cg_tensor_f32(f);
    w->packed = g_new(float, f->count);
    for (size_t o = 0; o < out; o++)
        for (size_t i = 0; i < in; i++)
            for (size_t tap = 0; tap < taps; tap++) {
                float value = from[(o * in + i) * taps + tap];
                if (w->dtype == CG_BF16)
                    value = cg_f32_from_bf16(cg_bf16_from_f32(value));
                w->packed[(tap * in + i) * out + o] = value;
            }
    if (w->bias) {
        g_autoptr(CgTensor) b = cg_tensor_copy(w->bias, CG_F32);
        w->packed_bias = g_memdup2(b->data, out * sizeof(float));
    }
    if (w->keep)
        return;
    g_clear_pointer(&w->w, cg_tensor_unref);
    g_clear_pointer(&w->bias, cg_tensor_unref);
}

/* sums[c_out] += x[c_in] * w[c_in, c_out]. */
static void multiply(const CgTensor *x, size_t at, const float *w, size_t in, size_t out,
                     double *sums)
{
    for (size_t i = 0; i < in; i++) {
        double value = ref_get(x->dtype, x->data, at + i);
#pragma omp simd
        for (size_t o = 0; o < out; o++)
            sums[o] += value * (double)w[i * out + o];
    }
}

static void finish(const CgWeight *w, const CgEngineEpilogue *ep, const double *sums, CgTensor *y,
                   size_t at)
{
    const float *bias = ep && ep->bias ? cg_tensor_f32(ep->bias) : w->packed_bias;
    const CgTensor *residual = ep ? ep->residual : NULL;
    for (size_t o = 0; o < (size_t)w->g.c_out; o++) {
        double value = sums[o] + (bias ? (double)bias[o] : 0.0);
        if (ep)
            value = ref_activation(ep->act, value);
        if (residual)
            value += ref_get(residual->dtype, residual->data, at + o);
        ref_set(y->dtype, y->data, at + o, value);
    }
}

/* One row of output pixels. */
static void conv_row(const CgWeight *w, const CgTensor *x, const CgEngineEpilogue *ep, CgTensor *y,
                     int64_t n, int64_t row, double *sums)
{
    const CgConvGeometry *g = &w->g;
    int64_t height = x->shape.d[1], width = x->shape.d[2];
    size_t in = (size_t)g->c_in, out = (size_t)g->c_out;
    for (int64_t column = 0; column < y->shape.d[2]; column++) {
        memset(sums, 0, out * sizeof *sums);
        for (int64_t kh = 0; kh < g->kernel_h; kh++)
            for (int64_t kw = 0; kw < g->kernel_w; kw++) {
                int64_t i = row * g->stride - g->pad_top + kh;
                int64_t j = column * g->stride - g->pad_left + kw;
                if (i < 0 || i >= height || j < 0 || j >= width)
                    continue;
                multiply(x, (size_t)((n * height + i) * width + j) * in,
                         w->packed + (size_t)(kh * g->kernel_w + kw) * in * out, in, out, sums);
            }
        finish(w, ep, sums, y, (size_t)((n * y->shape.d[1] + row) * y->shape.d[2] + column) * out);
    }
}

gboolean ref_conv2d(CgEngine *e, CgWeight *w, const CgTensor *x, const CgEngineEpilogue *ep,
                    CgTensor *y, GError **error)
{
    (void)e;
    (void)error;
    cg_check_conv2d(&w->g, w->dtype, x, ep, y);
    ref_weight_pack(w);
    int64_t height = y->shape.d[1];
#pragma omp parallel num_threads(cg_threads())
    {
        g_autofree double *sums = g_new(double, w->g.c_out);
#pragma omp for
        for (int64_t r = 0; r < y->shape.d[0] * height; r++)
            conv_row(w, x, ep, y, r / height, r % height, sums);
    }
    return TRUE;
}

gboolean ref_linear(CgEngine *e, CgWeight *w, const CgTensor *x, const CgEngineEpilogue *ep,
                    CgTensor *y, GError **error)
{
    (void)e;
    (void)error;
    cg_check_linear(&w->g, w->dtype, x, ep, y);
    ref_weight_pack(w);
    size_t in = (size_t)w->g.c_in, out = (size_t)w->g.c_out;
#pragma omp parallel num_threads(cg_threads())
    {
        g_autofree double *sums = g_new(double, out);
#pragma omp for
        for (size_t r = 0; r < ref_rows(x); r++) {
            memset(sums, 0, out * sizeof *sums);
            multiply(x, r * in, w->packed, in, out, sums);
            finish(w, ep, sums, y, r * out);
        }
    }
    return TRUE;
}
