#include "engine/ref/ref-private.h"

/* A convolution as its backward sees it. */
typedef struct {
    CgConvGeometry g;
    int64_t n, h, w, to_h, to_w;
} Backward;

static Backward backward_of(const CgWeight *w, const CgTensor *x, const CgTensor *dy)
{
    return (Backward){.g = w->g,
                      .n = x->shape.d[0],
                      .h = x->shape.d[1],
                      .w = x->shape.d[2],
                      .to_h = dy->shape.d[1],
                      .to_w = dy->shape.d[2]};
}

/* A linear layer is a 1x1 convolution over one row of pixels. */
static Backward backward_of_rows(const CgWeight *w, const CgTensor *x)
{
    int64_t rows = (int64_t)ref_rows(x);
    return (Backward){.g = w->g, .n = 1, .h = 1, .w = rows, .to_h = 1, .to_w = rows};
}

/* The output that kernel position K took from input I; FALSE when there is none. */
static gboolean output_of(int64_t i, int k, int pad, int stride, int64_t outputs, int64_t *output)
{
    int64_t at = i + pad - k;
    *output = at / stride;
    return at >= 0 && at % stride == 0 && *output < outputs;
}

/* dx at one pixel: sums[c_in] = the sum over kernel positions of w^T dy. */
static void pixel_data(const Backward *b, const float *packed, const CgTensor *dy, int64_t n,
                       int64_t i, int64_t j, double *sums)
{
    size_t in = (size_t)b->g.c_in, out = (size_t)b->g.c_out;
    memset(sums, 0, in * sizeof *sums);
    for (int kh = 0; kh < b->g.kernel_h; kh++)
        for (int kw = 0; kw < b->g.kernel_w; kw++) {
            int64_t row, column;
            if (!output_of(i, kh, b->g.pad_top, b->g.stride, b->to_h, &row) ||
                !output_of(j, kw, b->g.pad_left, b->g.stride, b->to_w, &column))
                continue;
            size_t at = (size_t)((n * b->to_h + row) * b->to_w + column) * out;
            const float *w = packed + (size_t)(kh * b->g.kernel_w + kw) * in * out;
            for (size_t o = 0; o < out; o++) {
                double d = ref_get(dy->dtype, dy->data, at + o);
                for (size_t c = 0; c < in; c++)
                    sums[c] += d * (double)w[c * out + o];
            }
        }
}

static void backward_data(const Backward *b, CgWeight *w, const CgTensor *dy, CgTensor *dx)
{
    size_t in = (size_t)b->g.c_in;
    ref_weight_pack(w);
#pragma omp parallel num_threads(cg_threads())
    {
        g_autofree double *sums = g_new(double, in);
#pragma omp for
        for (int64_t p = 0; p < b->n * b->h * b->w; p++) {
            pixel_data(b, w->packed, dy, p / (b->h * b->w), p / b->w % b->h, p % b->w, sums);
            for (size_t c = 0; c < in; c++)
                ref_set(dx->dtype, dx->data, (size_t)p * in + c, sums[c]);
        }
    }
}

/* sums[c_out] = the sum over outputs of x dy for input channel C at one kernel position. */
static void position_weights(const Backward *b, const CgTensor *x, const CgTensor *dy, size_t c,
                             int kh, int kw, double *sums)
{
    size_t in = (size_t)b->g.c_in, out = (size_t)b->g.c_out;
    memset(sums, 0, out * sizeof *sums);
    for (int64_t n = 0; n < b->n; n++)
        for (int64_t row = 0; row < b->to_h; row++)
            for (int64_t column = 0; column < b->to_w; column++) {
                int64_t i = row * b->g.stride - b->g.pad_top + kh;
                int64_t j = column * b->g.stride - b->g.pad_left + kw;
                if (i < 0 || i >= b->h || j < 0 || j >= b->w)
                    continue;
                double value =
                    ref_get(x->dtype, x->data, (size_t)((n * b->h + i) * b->w + j) * in + c);
                size_t at = (size_t)((n * b->to_h + row) * b->to_w + column) * out;
                for (size_t o = 0; o < out; o++)
                    sums[o] += value * ref_get(dy->dtype, dy->data, at + o);
            }
}

static void backward_weights(const Backward *b, const CgTensor *x, const CgTensor *dy, CgTensor *dw)
{
    size_t in = (size_t)b->g.c_in, out = (size_t)b->g.c_out;
    size_t taps = (size_t)b->g.kernel_h * (size_t)b->g.kernel_w;
    float *to = cg_tensor_f32(dw);
#pragma omp parallel num_threads(cg_threads())
    {
        g_autofree double *sums = g_new(double, out);
#pragma omp for
        for (size_t i = 0; i < in * taps; i++) {
            int tap = (int)(i % taps);
            position_weights(b, x, dy, i / taps, tap / b->g.kernel_w, tap % b->g.kernel_w, sums);
            for (size_t o = 0; o < out; o++)
                to[o * in * taps + i] = (float)((double)to[o * in * taps + i] + sums[o]);
        }
    }
}

static void backward_bias(const CgTensor *dy, CgTensor *db)
{
    size_t out = ref_columns(dy), rows = ref_rows(dy);
    for (size_t o = 0; o < out; o++) {
        double sum = (double)cg_tensor_f32(db)[o];
        for (size_t r = 0; r < rows; r++)
            sum += ref_get(dy->dtype, dy->data, r * out + o);
        cg_tensor_f32(db)[o] = (float)sum;
    }
}

static void check_gradients(const CgWeight *w, const CgTensor *dw, const CgTensor *db)
{
    cg_check_gradient("dw", dw,
                      (size_t)w->g.c_out * (size_t)w->g.c_in * (size_t)w->g.kernel_h *
                          (size_t)w->g.kernel_w);
    cg_check_gradient("db", db, (size_t)w->g.c_out);
}

gboolean ref_conv2d_backward_data(CgEngine *e, CgWeight *w, const CgTensor *dy, CgTensor *dx,
                                  GError **error)
{
    (void)e;
    (void)error;
    cg_check_conv2d_backward(&w->g, w->dtype, dx, dy);
    Backward b = backward_of(w, dx, dy);
    backward_data(&b, w, dy, dx);
    return TRUE;
}

gboolean ref_conv2d_backward_weights(CgEngine *e, CgWeight *w, const CgTensor *x,
                                     const CgTensor *dy, CgTensor *dw, CgTensor *db, GError **error)
{
    (void)e;
    (void)error;
    cg_check_conv2d_backward(&w->g, w->dtype, x, dy);
    check_gradients(w, dw, db);
    Backward b = backward_of(w, x, dy);
    if (dw)
        backward_weights(&b, x, dy, dw);
    if (db)
        backward_bias(dy, db);
    return TRUE;
}

gboolean ref_linear_backward_data(CgEngine *e, CgWeight *w, const CgTensor *dy, CgTensor *dx,
                                  GError **error)
{
    (void)e;
    (void)error;
    cg_check_linear_backward(&w->g, w->dtype, dx, dy);
    Backward b = backward_of_rows(w, dx);
    backward_data(&b, w, dy, dx);
    return TRUE;
}

gboolean ref_linear_backward_weights(CgEngine *e, CgWeight *w, const CgTensor *x,
                                     const CgTensor *dy, CgTensor *dw, CgTensor *db, GError **error)
{
    (void)e;
    (void)error;
    cg_check_linear_backward(&w->g, w->dtype, x, dy);
    check_gradients(w, dw, db);
    Backward b = backward_of_rows(w, x);
    if (dw)
        backward_weights(&b, x, dy, dw);
    if (db)
        backward_bias(dy, db);
    return TRUE;
}
