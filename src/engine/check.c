#include "engine/check.h"

static void check_type(const char *what, const CgTensor *t)
{
    if (t->dtype != CG_F32 && t->dtype != CG_BF16)
        g_error("%s: a tensor of %s; engines compute in f32 and bf16", what,
                cg_dtype_name(t->dtype));
}

static void check_types(const char *what, const CgTensor *x, const CgTensor *y)
{
    check_type(what, x);
    if (x->dtype != y->dtype)
        g_error("%s: %s and %s in one call", what, cg_dtype_name(x->dtype),
                cg_dtype_name(y->dtype));
}

/* An f32 vector of COUNT elements, whatever its rank. */
static void check_vector(const char *what, const CgTensor *t, int64_t count)
{
    if (t->dtype != CG_F32)
        g_error("%s: parameters of %s instead of f32", what, cg_dtype_name(t->dtype));
    if (t->count != (size_t)count)
        cg_assert_shape(what, t, CG_SHAPE(count));
}

static int64_t last(const CgTensor *t)
{
    return t->shape.rank ? t->shape.d[t->shape.rank - 1] : 1;
}

/* The shape of T with another last dimension. */
static CgShape with_last(const CgTensor *t, int64_t c)
{
    CgShape shape = t->shape;
    if (shape.rank == 0)
        g_error("a scalar where rows are wanted");
    shape.d[shape.rank - 1] = c;
    return shape;
}

void cg_check_same(const char *what, const CgTensor *x, const CgTensor *y)
{
    check_types(what, x, y);
    cg_assert_shape(what, y, x->shape);
}

CgShape cg_conv_output_shape(const CgConvGeometry *g, const CgTensor *x)
{
    int64_t h = x->shape.d[1] + g->pad_top + g->pad_bottom - g->kernel_h;
    int64_t w = x->shape.d[2] + g->pad_left + g->pad_right - g->kernel_w;
    if (h < 0 || w < 0)
        g_error("convolution: a %dx%d kernel over a %" G_GINT64_FORMAT "x%" G_GINT64_FORMAT
                " image",
                g->kernel_h, g->kernel_w, x->shape.d[1], x->shape.d[2]);
    return CG_SHAPE(x->shape.d[0], h / g->stride + 1, w / g->stride + 1, g->c_out);
}

static void check_epilogue(const char *what, const CgConvGeometry *g, CgDType dtype,
                           const CgEngineEpilogue *ep, const CgTensor *x, const CgTensor *y)
{
    check_types(what, x, y);
    if (dtype != x->dtype)
        g_error("%s: a weight of %s for activations of %s", what, cg_dtype_name(dtype),
                cg_dtype_name(x->dtype));
    if (!ep)
        return;
    if (ep->bias)
        check_vector(what, ep->bias, g->c_out);
    if (ep->residual)
        cg_check_same(what, ep->residual, y);
    if (ep->residual && ep->act != CG_ACT_NONE)
        g_error("%s: an activation together with a residual", what);
}

void cg_check_conv2d(const CgConvGeometry *g, CgDType dtype, const CgTensor *x,
                     const CgEngineEpilogue *ep, const CgTensor *y)
{
    if (x->shape.rank != 4 || x->shape.d[3] != g->c_in)
        cg_assert_shape("convolution input", x, CG_SHAPE(-1, -1, -1, g->c_in));
    cg_assert_shape("convolution output", y, cg_conv_output_shape(g, x));
    check_epilogue("convolution", g, dtype, ep, x, y);
}

void cg_check_linear(const CgConvGeometry *g, CgDType dtype, const CgTensor *x,
                     const CgEngineEpilogue *ep, const CgTensor *y)
{
    if (g->kernel_h != 1 || g->kernel_w != 1)
        g_error("linear: a %dx%d kernel", g->kernel_h, g->kernel_w);
    cg_assert_shape("linear input", x, with_last(x, g->c_in));
    cg_assert_shape("linear output", y, with_last(x, g->c_out));
    check_epilogue("linear", g, dtype, ep, x, y);
}

void cg_check_attention(const CgAttention *a)
{
    size_t row = (size_t)a->heads * (size_t)a->head_dim;
    g_assert(a->dtype == CG_F32 || a->dtype == CG_BF16);
    g_assert(a->n >= 0 && a->heads > 0 && a->head_dim > 0 && a->tq >= 0 && a->tk > 0);
    g_assert(a->q_row >= row && a->k_row >= row && a->v_row >= row && a->y_row >= row);
}

void cg_check_group_norm(const CgTensor *x, int groups, const CgTensor *gamma, const CgTensor *beta,
                         const CgTensor *y)
{
    cg_check_same("group norm", x, y);
    if (x->shape.rank < 2 || groups < 1 || last(x) % groups)
        g_error("group norm: %" G_GINT64_FORMAT " channels in %d groups", last(x), groups);
    check_vector("group norm gamma", gamma, last(x));
    check_vector("group norm beta", beta, last(x));
}

void cg_check_layer_norm(const CgTensor *x, const CgTensor *gamma, const CgTensor *beta,
                         const CgTensor *y)
{
    cg_check_same("layer norm", x, y);
    check_vector("layer norm gamma", gamma, last(x));
    check_vector("layer norm beta", beta, last(x));
}

void cg_check_geglu(const CgTensor *x, const CgTensor *y)
{
    check_types("geglu", x, y);
    cg_assert_shape("geglu", x, with_last(y, 2 * last(y)));
}

void cg_check_add_channels(const CgTensor *x, const CgTensor *v, const CgTensor *y)
{
    cg_check_same("add channels", x, y);
    g_assert(x->shape.rank >= 2 && v->dtype == CG_F32);
    int64_t n = v->shape.rank == 2 && v->shape.d[0] == 1 ? 1 : x->shape.d[0];
    cg_assert_shape("add channels", v, CG_SHAPE(n, last(x)));
}

void cg_check_upsample(const CgTensor *x, const CgTensor *y)
{
    check_types("upsample", x, y);
    g_assert(x->shape.rank == 4 && y->shape.rank == 4);
    cg_assert_shape("upsample", y,
                    CG_SHAPE(x->shape.d[0], y->shape.d[1], y->shape.d[2], x->shape.d[3]));
}

void cg_check_concat(const CgTensor *a, const CgTensor *b, const CgTensor *y)
{
    check_types("concat", a, y);
    check_types("concat", b, y);
    cg_assert_shape("concat", b, with_last(a, last(b)));
    cg_assert_shape("concat", y, with_last(a, last(a) + last(b)));
}

void cg_check_cast(const CgTensor *x, const CgTensor *y)
{
    check_type("cast", x);
    check_type("cast", y);
    cg_assert_shape("cast", y, x->shape);
}

void cg_check_split(const CgTensor *dy, int64_t ca, const CgTensor *da, const CgTensor *db)
{
    check_type("split", dy);
    if (ca < 0 || ca > last(dy))
        g_error("split: %" G_GINT64_FORMAT " of %" G_GINT64_FORMAT " channels", ca, last(dy));
    if (da) {
        check_types("split", dy, da);
        cg_assert_shape("split", da, with_last(dy, ca));
    }
    if (db) {
        check_types("split", dy, db);
        cg_assert_shape("split", db, with_last(dy, last(dy) - ca));
    }
}

void cg_check_gradient(const char *what, const CgTensor *gradient, size_t count)
{
    if (gradient)
        check_vector(what, gradient, (int64_t)count);
}

void cg_check_conv2d_backward(const CgConvGeometry *g, CgDType dtype, const CgTensor *x,
                              const CgTensor *dy)
{
    cg_check_conv2d(g, dtype, x, NULL, dy);
}

void cg_check_linear_backward(const CgConvGeometry *g, CgDType dtype, const CgTensor *x,
                              const CgTensor *dy)
{
    cg_check_linear(g, dtype, x, NULL, dy);
}

void cg_check_attention_backward(const CgAttention *a, const CgAttentionGradient *g)
{
    size_t row = (size_t)a->heads * (size_t)a->head_dim;
    cg_check_attention(a);
    g_assert(a->lse && g->dy && g->dq && g->dk && g->dv);
    g_assert(g->dy_row >= row && g->dq_row >= row && g->dk_row >= row && g->dv_row >= row);
}

void cg_check_batch_norm(const CgTensor *x, const CgTensor *gamma, const CgTensor *beta,
                         const CgTensor *mean, const CgTensor *variance, const CgTensor *y)
{
    cg_check_same("batch norm", x, y);
    check_vector("batch norm gamma", gamma, last(x));
    check_vector("batch norm beta", beta, last(x));
    cg_check_gradient("batch norm mean", mean, (size_t)last(x));
    cg_check_gradient("batch norm variance", variance, (size_t)last(x));
}

void cg_check_max_pool2d(const CgPoolGeometry *g, const CgTensor *x, const CgTensor *y)
{
    check_types("max pool", x, y);
    g_assert(x->shape.rank == 4 && g->kernel > 0 && g->stride > 0);
    g_assert(g->pad >= 0 && 2 * g->pad <= g->kernel);
    int64_t h = x->shape.d[1] + 2 * g->pad - g->kernel;
    int64_t w = x->shape.d[2] + 2 * g->pad - g->kernel;
    g_assert(h >= 0 && w >= 0);
    cg_assert_shape("max pool", y,
                    CG_SHAPE(x->shape.d[0], h / g->stride + 1, w / g->stride + 1, x->shape.d[3]));
}

void cg_check_average_pool(const CgTensor *x, const CgTensor *y)
{
    check_types("average pool", x, y);
    g_assert(x->shape.rank >= 2);
    cg_assert_shape("average pool", y, CG_SHAPE(x->shape.d[0], last(x)));
}
