/* Gradients by the inputs of convolutions and linear layers.
 *
 * They are convolutions themselves: of dy, with the kernel turned by 180 degrees and its channels
 * exchanged. So they run on the forward's plans and slabs, as fast, and with the same bytes for any
 * number of threads; the library's own backward kernels are not used. */
#include "engine/cpu/onednn-private.h"

#include "engine/check.h"

const CgConvGeometry *cg_onednn_geometry(const CgWeight *w)
{
    return &w->g;
}

CgDType cg_onednn_dtype(const CgWeight *w)
{
    return w->dtype;
}

static CgWeight *backward_of(CgWeight *w)
{
    g_assert(w->keep);
    if (w->backward)
        return w->backward;
    const CgConvGeometry *g = &w->g;
    const CgConvGeometry turned = {.c_in = g->c_out,
                                   .c_out = g->c_in,
                                   .kernel_h = g->kernel_h,
                                   .kernel_w = g->kernel_w,
                                   .stride = 1,
                                   .pad_top = g->kernel_h - 1 - g->pad_top,
                                   .pad_bottom = g->kernel_h - 1 - g->pad_bottom,
                                   .pad_left = g->kernel_w - 1 - g->pad_left,
                                   .pad_right = g->kernel_w - 1 - g->pad_right};
    /* No model pads by a whole kernel. */
    g_assert(turned.pad_top >= 0 && turned.pad_bottom >= 0 && turned.pad_left >= 0 &&
             turned.pad_right >= 0);
    w->backward = cg_onednn_weight_new(&turned, w->dtype, w->source, NULL);
    w->backward->keep = w->backward->transposed = TRUE;
    return w->backward;
}

/* dy with stride - 1 zeros between its pixels, and the zeros that the last ones did not reach: what
 * a stride of 1 would have given them. */
static CgTensor *spread(CgOnednn *d, const CgWeight *w, const CgTensor *dy, const CgTensor *dx)
{
    const CgConvGeometry *g = &w->g;
    int64_t s = g->stride, h = dx->shape.d[1] + g->pad_top + g->pad_bottom - g->kernel_h + 1;
    int64_t width = dx->shape.d[2] + g->pad_left + g->pad_right - g->kernel_w + 1;
    CgTensor *y = cg_pool_tensor(d->pool, dy->dtype, CG_SHAPE(dy->shape.d[0], h, width, g->c_out));
    size_t pixel = (size_t)g->c_out * cg_dtype_size(dy->dtype);
#pragma omp parallel for schedule(static)
    for (int64_t r = 0; r < dy->shape.d[0] * h; r++) {
        char *to = (char *)y->data + (size_t)(r * width) * pixel;
        int64_t n = r / h, row = r % h;
        memset(to, 0, (size_t)width * pixel);
        if (row % s)
            continue;
        const char *from = (const char *)dy->data +
                           (size_t)((n * dy->shape.d[1] + row / s) * dy->shape.d[2]) * pixel;
        for (int64_t j = 0; j < dy->shape.d[2]; j++)
            memcpy(to + (size_t)(j * s) * pixel, from + (size_t)j * pixel, pixel);
    }
    return y;
}

gboolean cg_onednn_conv2d_backward_data(CgOnednn *d, CgWeight *w, const CgTensor *dy, CgTensor *dx,
                                        GError **error)
{
    cg_check_conv2d_backward(&w->g, w->dtype, dx, dy);
    if (w->g.stride == 1)
        return cg_onednn_conv2d(d, backward_of(w), dy, NULL, dx, error);
    g_autoptr(CgTensor) wide = spread(d, w, dy, dx);
    return cg_onednn_conv2d(d, backward_of(w), wide, NULL, dx, error);
}

gboolean cg_onednn_linear_backward_data(CgOnednn *d, CgWeight *w, const CgTensor *dy, CgTensor *dx,
                                        GError **error)
{
    cg_check_linear_backward(&w->g, w->dtype, dx, dy);
    return cg_onednn_linear(d, backward_of(w), dy, NULL, dx, error);
}
