/* Gradients by the inputs of convolutions and linear layers.
 *
 * Two ways, both on the forward's plans, with the same bytes for any number of threads; the
 * library's own backward kernels are not used. Turned: at stride 1 the gradient is itself a
 * convolution, of dy, with the kernel turned by 180 degrees and its channels exchanged. Columns:
 * one matrix product gives what every pixel of dy adds to dx at every kernel position, and these
 * are added up. */
#include "engine/cpu/onednn-private.h"

#include "engine/check.h"

static CgWeight *weight_new(CgWeight *w, const CgConvGeometry *g, Form form)
{
    CgWeight *weight = g_new0(CgWeight, 1);
    weight->g = *g;
    weight->file = w->g;
    weight->form = form;
    weight->dtype = w->dtype;
    weight->forward = w;
    return weight;
}

/* ---- turned -------------------------------------------------------------------------------- */

static CgWeight *turned_of(CgWeight *w)
{
    g_assert(w->keep || w->differentiable);
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
    return w->backward = weight_new(w, &turned, FORM_TURNED);
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

/* ---- columns ------------------------------------------------------------------------------- */

/* Columns of some rows of dy that are made at a time: less than a last-level cache. */
#define COLUMN_BYTES ((size_t)4 << 20)

static CgWeight *columns_of(CgWeight *w)
{
    const CgConvGeometry *g = &w->g;
    const CgConvGeometry product = {.c_in = g->c_out,
                                    .c_out =
                                        g->kernel_h * g->kernel_w * cg_onednn_column_channels(g),
                                    .kernel_h = 1,
                                    .kernel_w = 1,
                                    .stride = 1};
    g_assert(w->keep || w->differentiable);
    if (!w->backward)
        w->backward = weight_new(w, &product, FORM_COLUMNS);
    return w->backward;
}

/* COUNT rows of dy from FIRST, counted over all samples, and their columns. */
typedef struct {
    const CgConvGeometry *g;
    int64_t h, w, to_h, to_w; /* of dx; of dy */
    int64_t first, count;
    const float *columns; /* [count, to_w, kernel_h * kernel_w, channels] */
    size_t channels;
    float *dx;
} Columns;

static void add(float *restrict to, const float *restrict from, size_t count)
{
#pragma omp simd
    for (size_t i = 0; i < count; i++)
        to[i] += from[i];
}

/* What row R of dy adds to a row of dx with kernel row KH. */
static void add_row(const Columns *c, int64_t r, int kh, float *to)
{
    const CgConvGeometry *g = c->g;
    size_t in = (size_t)g->c_in, step = (size_t)(g->kernel_h * g->kernel_w) * c->channels;
    const float *from = c->columns + (size_t)((r - c->first) * c->to_w) * step +
                        (size_t)(kh * g->kernel_w) * c->channels;
    for (int64_t j = 0; j < c->to_w; j++, from += step)
        for (int kw = 0; kw < g->kernel_w; kw++) {
            int64_t column = j * g->stride - g->pad_left + kw;
            if (column >= 0 && column < c->w)
                add(to + (size_t)column * in, from + (size_t)kw * c->channels, in);
        }
}

/* Every row of dx has one thread, and its terms come in the order of the rows of dy. */
static void add_columns(const Columns *c)
{
    const CgConvGeometry *g = c->g;
    int64_t n0 = c->first / c->to_h, n1 = (c->first + c->count - 1) / c->to_h;
#pragma omp parallel for schedule(static)
    for (int64_t i = n0 * c->h; i < (n1 + 1) * c->h; i++) {
        int64_t n = i / c->h, row = i % c->h;
        for (int kh = g->kernel_h - 1; kh >= 0; kh--) {
            int64_t at = row + g->pad_top - kh, r = n * c->to_h + at / g->stride;
            if (at >= 0 && at % g->stride == 0 && at / g->stride < c->to_h && r >= c->first &&
                r < c->first + c->count)
                add_row(c, r, kh, c->dx + (size_t)(i * c->w) * (size_t)g->c_in);
        }
    }
}

static gboolean data_by_columns(CgOnednn *d, CgWeight *w, const CgTensor *dy, CgTensor *dx,
                                GError **error)
{
    CgWeight *product = columns_of(w);
    const int64_t rows = dy->shape.d[0] * dy->shape.d[1], to_w = dy->shape.d[2];
    const size_t row = (size_t)to_w * (size_t)product->g.c_out * sizeof(float);
    const int64_t some = CLAMP((int64_t)(COLUMN_BYTES / row), 1, rows);
    g_autoptr(CgTensor) columns =
        cg_pool_tensor(d->pool, CG_F32, CG_SHAPE(some * to_w, product->g.c_out));
    Columns c = {.g = &w->g,
                 .h = dx->shape.d[1],
                 .w = dx->shape.d[2],
                 .to_h = dy->shape.d[1],
                 .to_w = to_w,
                 .columns = cg_tensor_f32(columns),
                 .channels = (size_t)cg_onednn_column_channels(&w->g),
                 .dx = cg_tensor_f32(dx)};
    memset(dx->data, 0, cg_tensor_bytes(dx));
    for (c.first = 0; c.first < rows; c.first += some) {
        c.count = MIN(some, rows - c.first);
        const int64_t pixels = c.count * to_w;
        g_autoptr(CgTensor) part = cg_tensor_wrap(
            CG_F32, CG_SHAPE(pixels, w->g.c_out),
            cg_tensor_f32((CgTensor *)dy) + (size_t)(c.first * to_w) * (size_t)w->g.c_out,
            (size_t)pixels * (size_t)w->g.c_out * sizeof(float), NULL, NULL);
        g_autoptr(CgTensor) y = cg_tensor_rows(columns, 0, pixels);
        if (!cg_onednn_linear(d, product, part, NULL, y, error))
            return FALSE;
        add_columns(&c);
    }
    return TRUE;
}

/* ---- which --------------------------------------------------------------------------------- */

/* The columns are f32. With a stride they do no work for zeros. At stride 1 they pay where the
 * library's 3x3 convolutions are slower than its matrix products: before AVX-512 (AVX2: 40 to 75 %
 * of the peak against 80 to 90 %), and with channels enough that adding them up is little. */
static gboolean wants_columns(const CgWeight *w)
{
    const CgConvGeometry *g = &w->g;
    if (w->dtype != CG_F32 || g->kernel_h * g->kernel_w == 1)
        return FALSE;
    return g->stride > 1 || (!cg_onednn_has_avx512() && g->c_in >= 64 && g->c_out >= 64);
}

gboolean cg_onednn_conv2d_backward_data(CgOnednn *d, CgWeight *w, const CgTensor *dy, CgTensor *dx,
                                        GError **error)
{
    cg_check_conv2d_backward(&w->g, w->dtype, dx, dy);
    if (wants_columns(w))
        return data_by_columns(d, w, dy, dx, error);
    if (w->g.stride == 1)
        return cg_onednn_conv2d(d, turned_of(w), dy, NULL, dx, error);
    g_autoptr(CgTensor) wide = spread(d, w, dy, dx);
    return cg_onednn_conv2d(d, turned_of(w), wide, NULL, dx, error);
}

gboolean cg_onednn_linear_backward_data(CgOnednn *d, CgWeight *w, const CgTensor *dy, CgTensor *dx,
                                        GError **error)
{
    cg_check_linear_backward(&w->g, w->dtype, dx, dy);
    return cg_onednn_linear(d, turned_of(w), dy, NULL, dx, error);
}
