/* The CPU engine's convolutions and linear layers (oneDNN) against plain loops in double. */
#include "base/rng.h"
#include "base/system.h"
#include "engine/cpu/onednn.h"

#include <math.h>
#include <omp.h>

typedef struct {
    int n, h, w;
    CgConvGeometry g;
} Case;

#define CONV(n, h, w, ci, co, k, s, pad)                                                           \
    {                                                                                              \
        n, h, w,                                                                                   \
        {                                                                                          \
            ci, co, k, k, s, pad, pad, pad, pad                                                    \
        }                                                                                          \
    }

static const Case odd_cases[] = {
    CONV(2, 9, 7, 5, 7, 3, 1, 1),
    CONV(1, 13, 11, 3, 16, 3, 1, 1),
    CONV(1, 13, 11, 4, 32, 3, 1, 1),
    CONV(2, 12, 10, 32, 4, 3, 1, 1),
    CONV(1, 12, 10, 48, 3, 3, 1, 1),
    CONV(1, 12, 10, 64, 8, 3, 1, 1),
    CONV(2, 15, 17, 24, 40, 3, 2, 1),
    CONV(2, 9, 7, 33, 65, 1, 1, 0),
    CONV(1, 9, 7, 33, 65, 1, 2, 0),
    CONV(1, 11, 9, 6, 10, 5, 1, 2),
    CONV(3, 1, 1, 20, 12, 3, 1, 1),
    CONV(1, 8, 8, 320, 64, 3, 1, 1),
    /* the VAE's downsampling: zeros right and below only */
    {2, 12, 14, {16, 24, 3, 3, 2, 0, 1, 0, 1}},
    {1, 7, 10, {16, 8, 3, 5, 1, 2, 0, 1, 3}},
    /* large enough to be cut into slabs */
    CONV(2, 33, 37, 40, 24, 3, 1, 1),
    CONV(1, 67, 70, 17, 33, 3, 2, 1),
    CONV(1, 35, 34, 12, 20, 5, 1, 2),
    {1, 66, 70, {16, 24, 3, 3, 2, 0, 1, 0, 1}},
};

typedef struct {
    CgPool *pool;
    CgOnednn *library;
} Fixture;

static void set_up(Fixture *f, gconstpointer data)
{
    (void)data;
    cg_threads_set(2);
    f->pool = cg_pool_new();
    f->library = cg_onednn_new(f->pool);
}

static void tear_down(Fixture *f, gconstpointer data)
{
    (void)data;
    cg_onednn_free(f->library);
    cg_pool_unref(f->pool);
}

/* Uniform values of the standard deviation SCALE, rounded to DTYPE. */
static CgTensor *random_tensor(CgDType dtype, CgShape shape, uint64_t stream, double scale)
{
    g_autoptr(CgTensor) t = cg_tensor_new(CG_F32, shape);
    cg_rng_uniforms(1, stream, 0, t->data, t->count);
    for (size_t i = 0; i < t->count; i++)
        cg_tensor_f32(t)[i] = (cg_tensor_f32(t)[i] - 0.5f) * (float)(scale * sqrt(12));
    return cg_tensor_copy(t, dtype);
}

static CgTensor *poisoned_tensor(CgDType dtype, CgShape shape)
{
    CgTensor *t = cg_tensor_new(dtype, shape);
    memset(t->data, 0xff, cg_tensor_bytes(t)); /* NaN in both types */
    return t;
}

static CgShape output_shape(const Case *c)
{
    const CgConvGeometry *g = &c->g;
    return CG_SHAPE(c->n, (c->h + g->pad_top + g->pad_bottom - g->kernel_h) / g->stride + 1,
                    (c->w + g->pad_left + g->pad_right - g->kernel_w) / g->stride + 1, g->c_out);
}

static double activation(CgActivation act, double x)
{
    switch (act) {
    case CG_ACT_SILU:
        return x / (1 + exp(-x));
    case CG_ACT_GELU:
        return 0.5 * x * (1 + erf(x / sqrt(2)));
    case CG_ACT_QUICK_GELU:
        return x / (1 + exp(-1.702 * x));
    case CG_ACT_RELU:
        return x > 0 ? x : 0;
    default:
        return x;
    }
}

static double conv_at(const Case *c, const float *x, const float *w, int n, int oy, int ox, int co)
{
    const CgConvGeometry *g = &c->g;
    double sum = 0;
    for (int ky = 0; ky < g->kernel_h; ky++)
        for (int kx = 0; kx < g->kernel_w; kx++) {
            int iy = oy * g->stride - g->pad_top + ky, ix = ox * g->stride - g->pad_left + kx;
            if (iy < 0 || iy >= c->h || ix < 0 || ix >= c->w)
                continue;
            for (int ci = 0; ci < g->c_in; ci++)
                sum += (double)x[((n * c->h + iy) * c->w + ix) * g->c_in + ci] *
                       w[((co * g->c_in + ci) * g->kernel_h + ky) * g->kernel_w + kx];
        }
    return sum;
}

/* ||y - act(conv + bias) - residual|| / ||..||; inputs of any type, BIAS and RESIDUAL may be NULL.
 */
static double error_against_loops(const Case *c, const CgTensor *x, const CgTensor *w,
                                  const CgTensor *bias, const CgTensor *residual, CgActivation act,
                                  const CgTensor *y)
{
    g_autoptr(CgTensor) xf = cg_tensor_copy(x, CG_F32);
    g_autoptr(CgTensor) wf = cg_tensor_copy(w, CG_F32);
    g_autoptr(CgTensor) yf = cg_tensor_copy(y, CG_F32);
    g_autoptr(CgTensor) rf = residual ? cg_tensor_copy(residual, CG_F32) : NULL;
    const int64_t *d = y->shape.d;
    double error = 0, norm = 0;
    for (size_t i = 0; i < y->count; i++) {
        int co = (int)(i % (size_t)d[3]), ox = (int)(i / (size_t)d[3] % (size_t)d[2]);
        size_t row = i / (size_t)(d[3] * d[2]);
        double want = conv_at(c, cg_tensor_f32(xf), cg_tensor_f32(wf), (int)(row / (size_t)d[1]),
                              (int)(row % (size_t)d[1]), ox, co);
        want = activation(act, want + (bias ? cg_tensor_f32(bias)[co] : 0));
        want += rf ? cg_tensor_f32(rf)[i] : 0;
        error += pow(cg_tensor_f32(yf)[i] - want, 2);
        norm += want * want;
    }
    return sqrt(error / norm);
}

static double limit(CgDType dtype)
{
    return dtype == CG_F32 ? 1e-5 : 1e-2;
}

/* FALSE where the library has no bf16 at all on this processor; other failures end the test. */
static gboolean offered(gboolean ok, CgDType dtype, GError *error)
{
    if (!ok && dtype == CG_BF16 && g_error_matches(error, CG_ERROR, CG_ERROR_ENGINE)) {
        g_test_message("bf16 not offered: %s", error->message);
        g_clear_error(&error);
        return FALSE;
    }
    g_assert_no_error(error);
    g_assert_true(ok);
    return TRUE;
}

typedef struct {
    CgTensor *x, *w, *bias; /* x in the compute type, w f32 */
    CgWeight *weight;
} Layer;

static Layer layer_new(const Case *c, CgDType dtype, CgDType file_type)
{
    const CgConvGeometry *g = &c->g;
    int fan_in = g->c_in * g->kernel_h * g->kernel_w;
    /* The weights are rounded to both types, so that the loops see what the library sees. */
    g_autoptr(CgTensor) rounded = random_tensor(
        dtype, CG_SHAPE(g->c_out, g->c_in, g->kernel_h, g->kernel_w), 2, 1 / sqrt(fan_in));
    Layer l = {
        .x = random_tensor(dtype, CG_SHAPE(c->n, c->h, c->w, g->c_in), 1, 1),
        .w = cg_tensor_copy(rounded, file_type),
        .bias = random_tensor(CG_F32, CG_SHAPE(g->c_out), 3, 1),
    };
    l.weight = cg_onednn_weight_new(g, dtype, l.w, l.bias);
    return l;
}

static void layer_free(Fixture *f, Layer *l)
{
    cg_onednn_weight_free(f->library, l->weight);
    cg_tensor_unref(l->x);
    cg_tensor_unref(l->w);
    cg_tensor_unref(l->bias);
}

static void convolution_equals_loops(Fixture *f, gconstpointer data)
{
    CgDType dtype = (CgDType)GPOINTER_TO_INT(data);
    for (size_t i = 0; i < G_N_ELEMENTS(odd_cases); i++) {
        const Case *c = &odd_cases[i];
        GError *error = NULL;
        Layer l = layer_new(c, dtype, CG_F32);
        g_autoptr(CgTensor) y = poisoned_tensor(dtype, output_shape(c));
        gboolean ok = cg_onednn_conv2d(f->library, l.weight, l.x, NULL, y, &error);
        if (offered(ok, dtype, error)) {
            double e = error_against_loops(c, l.x, l.w, l.bias, NULL, CG_ACT_NONE, y);
            g_test_message("case %zu: %s, error %.2g", i, cg_onednn_implementation(l.weight), e);
            g_assert_cmpfloat(e, <=, limit(dtype));
        }
        layer_free(f, &l);
    }
}

static void linear_equals_loops(Fixture *f, gconstpointer data)
{
    CgDType dtype = (CgDType)GPOINTER_TO_INT(data);
    static const int sizes[][3] = {{1, 320, 128}, {77, 48, 33}, {7, 5, 3}, {154, 96, 64}};
    for (size_t i = 0; i < G_N_ELEMENTS(sizes); i++) {
        int rows = sizes[i][0], in = sizes[i][1], out = sizes[i][2];
        Case c = CONV(1, 1, rows, in, out, 1, 1, 0);
        GError *error = NULL;
        Layer l = layer_new(&c, dtype, CG_F32);
        g_autoptr(CgTensor) x = cg_tensor_reshape(l.x, CG_SHAPE(rows, in));
        g_autoptr(CgTensor) y = poisoned_tensor(dtype, CG_SHAPE(rows, out));
        gboolean ok = cg_onednn_linear(f->library, l.weight, x, NULL, y, &error);
        if (offered(ok, dtype, error)) {
            g_autoptr(CgTensor) image = cg_tensor_reshape(y, CG_SHAPE(1, 1, rows, out));
            double e = error_against_loops(&c, l.x, l.w, l.bias, NULL, CG_ACT_NONE, image);
            g_assert_cmpfloat(e, <=, limit(dtype));
        }
        layer_free(f, &l);
    }
}

static const Case epilogue_cases[] = {
    CONV(2, 9, 7, 48, 36, 3, 1, 1),
    CONV(2, 9, 7, 48, 36, 1, 1, 0),
    CONV(1, 10, 8, 16, 3, 3, 1, 1),
    CONV(2, 33, 35, 48, 20, 3, 1, 1),
};

static void activation_is_applied_after_the_bias(Fixture *f, gconstpointer data)
{
    CgDType dtype = (CgDType)GPOINTER_TO_INT(data);
    static const CgActivation acts[] = {CG_ACT_SILU, CG_ACT_GELU, CG_ACT_QUICK_GELU, CG_ACT_RELU};
    for (size_t i = 0; i < G_N_ELEMENTS(epilogue_cases); i++) {
        const Case *c = &epilogue_cases[i];
        Layer l = layer_new(c, dtype, CG_F32);
        for (size_t a = 0; a < G_N_ELEMENTS(acts); a++) {
            GError *error = NULL;
            CgEngineEpilogue ep = {.act = acts[a]};
            g_autoptr(CgTensor) y = poisoned_tensor(dtype, output_shape(c));
            gboolean ok = cg_onednn_conv2d(f->library, l.weight, l.x, &ep, y, &error);
            if (!offered(ok, dtype, error))
                continue;
            double e = error_against_loops(c, l.x, l.w, l.bias, NULL, acts[a], y);
            g_assert_cmpfloat(e, <=, limit(dtype));
        }
        layer_free(f, &l);
    }
}

static void residual_is_added_in_place_or_not(Fixture *f, gconstpointer data)
{
    CgDType dtype = (CgDType)GPOINTER_TO_INT(data);
    for (size_t i = 0; i < G_N_ELEMENTS(epilogue_cases); i++) {
        const Case *c = &epilogue_cases[i];
        Layer l = layer_new(c, dtype, CG_F32);
        g_autoptr(CgTensor) residual = random_tensor(dtype, output_shape(c), 4, 2);
        g_autoptr(CgTensor) in_place = cg_tensor_copy(residual, dtype);
        g_autoptr(CgTensor) y = poisoned_tensor(dtype, output_shape(c));
        GError *error = NULL;
        CgEngineEpilogue ep = {.residual = residual};
        gboolean ok = cg_onednn_conv2d(f->library, l.weight, l.x, &ep, y, &error);
        if (offered(ok, dtype, error)) {
            double e = error_against_loops(c, l.x, l.w, l.bias, residual, CG_ACT_NONE, y);
            g_assert_cmpfloat(e, <=, limit(dtype));
            ep.residual = in_place;
            g_assert_true(cg_onednn_conv2d(f->library, l.weight, l.x, &ep, in_place, NULL));
            g_assert_cmpmem(in_place->data, cg_tensor_bytes(in_place), y->data, cg_tensor_bytes(y));
        }
        layer_free(f, &l);
    }
}

static void bias_of_the_call_replaces_the_own(Fixture *f, gconstpointer data)
{
    (void)data;
    const Case *c = &epilogue_cases[0];
    Layer l = layer_new(c, CG_F32, CG_F32);
    g_autoptr(CgTensor) other = random_tensor(CG_F32, CG_SHAPE(c->g.c_out), 9, 3);
    g_autoptr(CgTensor) y = poisoned_tensor(CG_F32, output_shape(c));
    CgEngineEpilogue ep = {.bias = other};
    GError *error = NULL;
    cg_onednn_conv2d(f->library, l.weight, l.x, &ep, y, &error);
    g_assert_no_error(error);
    g_assert_cmpfloat(error_against_loops(c, l.x, l.w, other, NULL, CG_ACT_NONE, y), <=, 1e-5);
    cg_onednn_conv2d(f->library, l.weight, l.x, NULL, y, &error);
    g_assert_no_error(error);
    g_assert_cmpfloat(error_against_loops(c, l.x, l.w, l.bias, NULL, CG_ACT_NONE, y), <=, 1e-5);
    layer_free(f, &l);
}

static void weights_of_any_file_type_are_taken_without_bias(Fixture *f, gconstpointer data)
{
    CgDType dtype = (CgDType)GPOINTER_TO_INT(data);
    static const CgDType types[] = {CG_F32, CG_F16, CG_BF16};
    const Case *c = &epilogue_cases[0];
    for (size_t i = 0; i < G_N_ELEMENTS(types); i++) {
        GError *error = NULL;
        Layer l = layer_new(c, dtype, types[i]);
        CgWeight *weight = cg_onednn_weight_new(&c->g, dtype, l.w, NULL);
        g_autoptr(CgTensor) y = poisoned_tensor(dtype, output_shape(c));
        gboolean ok = cg_onednn_conv2d(f->library, weight, l.x, NULL, y, &error);
        if (offered(ok, dtype, error)) {
            double e = error_against_loops(c, l.x, l.w, NULL, NULL, CG_ACT_NONE, y);
            g_assert_cmpfloat(e, <=, limit(dtype));
        }
        cg_onednn_weight_free(f->library, weight);
        layer_free(f, &l);
    }
}

static void source_is_let_go_after_packing(Fixture *f, gconstpointer data)
{
    (void)data;
    const Case *c = &epilogue_cases[1];
    Layer l = layer_new(c, CG_F32, CG_F16);
    g_autoptr(CgTensor) y = poisoned_tensor(CG_F32, output_shape(c));
    g_assert_cmpint(l.w->ref_count, ==, 2);
    g_assert_cmpuint(cg_onednn_weight_bytes(f->library), ==, 0);
    g_assert_true(cg_onednn_conv2d(f->library, l.weight, l.x, NULL, y, NULL));
    g_assert_cmpint(l.w->ref_count, ==, 1);
    g_assert_cmpint(l.bias->ref_count, ==, 1);
    g_assert_cmpuint(cg_onednn_weight_bytes(f->library), >=, l.w->count * 4);
    layer_free(f, &l);
    g_assert_cmpuint(cg_onednn_weight_bytes(f->library), ==, 0);
}

static void source_stays_where_other_sizes_need_it(Fixture *f, gconstpointer data)
{
    (void)data;
    const Case *c = &epilogue_cases[0];
    Layer l = layer_new(c, CG_F32, CG_F16);
    g_autoptr(CgTensor) y = poisoned_tensor(CG_F32, output_shape(c));
    g_assert_true(cg_onednn_conv2d(f->library, l.weight, l.x, NULL, y, NULL));
    g_assert_true(cg_onednn_source(l.weight) == l.w);
    layer_free(f, &l);
}

/* The same weight at other sizes: planned with the packed layout, or repacked from it. */
/* dx of C by WEIGHT, its forward run before when FORWARD. NULL: the type is not offered. */
static CgTensor *gradient(Fixture *f, const Layer *l, const Case *c, CgWeight *weight,
                          gboolean forward)
{
    g_autoptr(CgTensor) y = poisoned_tensor(l->x->dtype, output_shape(c));
    g_autoptr(CgTensor) dy = random_tensor(l->x->dtype, y->shape, 9, 1);
    g_autoptr(CgTensor) dx = poisoned_tensor(l->x->dtype, l->x->shape);
    g_autoptr(GError) error = NULL;
    gboolean ok = !forward || cg_onednn_conv2d(f->library, weight, l->x, NULL, y, &error);
    ok = ok && cg_onednn_conv2d_backward_data(f->library, weight, dy, dx, &error);
    return offered(ok, l->x->dtype, g_steal_pointer(&error)) ? g_steal_pointer(&dx) : NULL;
}

static void fixed_weight_has_the_gradient_of_one_that_changes(Fixture *f, gconstpointer data)
{
    CgDType dtype = (CgDType)GPOINTER_TO_INT(data);
    for (size_t i = 0; i < G_N_ELEMENTS(odd_cases); i++)
        for (int forward = 0; forward < 2; forward++) {
            const Case *c = &odd_cases[i];
            Layer l = layer_new(c, dtype, CG_F32);
            CgWeight *fixed = cg_onednn_weight_new(&c->g, dtype, l.w, l.bias);
            cg_onednn_weight_keep(l.weight);
            cg_onednn_weight_differentiate(fixed);
            g_autoptr(CgTensor) want = gradient(f, &l, c, l.weight, forward);
            g_autoptr(CgTensor) dx = gradient(f, &l, c, fixed, forward);
            if (want)
                g_assert_cmpmem(dx->data, cg_tensor_bytes(dx), want->data, cg_tensor_bytes(want));
            cg_onednn_weight_free(f->library, fixed);
            layer_free(f, &l);
        }
}

/* Used in turn they overwrite each other's packed form. */
static void weights_that_change_share_their_memory(Fixture *f, gconstpointer data)
{
    CgDType dtype = (CgDType)GPOINTER_TO_INT(data);
    const Case *c = &odd_cases[6];
    Layer a = layer_new(c, dtype, CG_F32), b = layer_new(c, dtype, CG_F32);
    g_autoptr(CgTensor) first = poisoned_tensor(dtype, output_shape(c));
    g_autoptr(CgTensor) second = poisoned_tensor(dtype, output_shape(c));
    g_autoptr(CgTensor) again = poisoned_tensor(dtype, output_shape(c));
    GError *error = NULL;
    for (size_t i = 0; i < b.w->count; i++)
        cg_tensor_f32(b.w)[i] *= -2;
    cg_onednn_weight_keep(a.weight);
    cg_onednn_weight_keep(b.weight);
    const gboolean ok = cg_onednn_conv2d(f->library, a.weight, a.x, NULL, first, &error);
    if (offered(ok, dtype, error)) {
        const size_t size = cg_onednn_weight_bytes(f->library);
        g_assert_true(cg_onednn_conv2d(f->library, b.weight, a.x, NULL, second, NULL));
        g_assert_true(cg_onednn_conv2d(f->library, a.weight, a.x, NULL, again, NULL));
        g_assert_cmpuint(cg_onednn_weight_bytes(f->library), ==, size);
        g_assert_cmpmem(again->data, cg_tensor_bytes(again), first->data, cg_tensor_bytes(first));
        g_assert_cmpint(memcmp(second->data, first->data, cg_tensor_bytes(first)), !=, 0);
    }
    layer_free(f, &a);
    layer_free(f, &b);
}

static void other_shapes_work_after_packing(Fixture *f, gconstpointer data)
{
    CgDType dtype = (CgDType)GPOINTER_TO_INT(data);
    static const int sizes[][3] = {{1, 16, 16}, {2, 5, 9}, {1, 1, 1}, {3, 33, 2}, {1, 16, 16}};
    for (int kernel = 1; kernel <= 3; kernel += 2) {
        Case c = CONV(1, 16, 16, 40, 72, kernel, 1, kernel / 2);
        Layer l = layer_new(&c, dtype, CG_F16);
        g_autoptr(CgTensor) w = cg_tensor_copy(l.w, CG_F32);
        for (size_t i = 0; i < G_N_ELEMENTS(sizes); i++) {
            GError *error = NULL;
            c.n = sizes[i][0], c.h = sizes[i][1], c.w = sizes[i][2];
            g_autoptr(CgTensor) x =
                random_tensor(dtype, CG_SHAPE(c.n, c.h, c.w, c.g.c_in), 5 + i, 1);
            g_autoptr(CgTensor) y = poisoned_tensor(dtype, output_shape(&c));
            gboolean ok = cg_onednn_conv2d(f->library, l.weight, x, NULL, y, &error);
            if (!offered(ok, dtype, error))
                continue;
            double e = error_against_loops(&c, x, w, l.bias, NULL, CG_ACT_NONE, y);
            g_assert_cmpfloat(e, <=, limit(dtype));
        }
        layer_free(f, &l);
    }
}

static void repeated_call_asks_for_no_memory(Fixture *f, gconstpointer data)
{
    (void)data;
    Case c = CONV(2, 16, 16, 64, 96, 3, 1, 1);
    Layer l = layer_new(&c, CG_F32, CG_F32);
    g_autoptr(CgTensor) y = poisoned_tensor(CG_F32, output_shape(&c));
    g_assert_true(cg_onednn_conv2d(f->library, l.weight, l.x, NULL, y, NULL));
    const char *first = cg_onednn_implementation(l.weight);
    guint64 allocations = cg_pool_stats(f->pool).system_allocations;
    size_t packed = cg_onednn_weight_bytes(f->library);
    for (int i = 0; i < 3; i++)
        g_assert_true(cg_onednn_conv2d(f->library, l.weight, l.x, NULL, y, NULL));
    g_assert_cmpuint(cg_pool_stats(f->pool).system_allocations, ==, allocations);
    g_assert_cmpuint(cg_onednn_weight_bytes(f->library), ==, packed);
    /* The very same plan, not an equal one. */
    g_assert_true(cg_onednn_implementation(l.weight) == first);
    layer_free(f, &l);
}

/* Layers of Stable Diffusion 1.5 and its VAEs; the largest images are cut to keep the test short.
 */
static const Case real_cases[] = {
    CONV(1, 64, 64, 4, 320, 3, 1, 1),     CONV(1, 64, 64, 320, 4, 3, 1, 1),
    CONV(1, 64, 64, 320, 320, 3, 1, 1),   CONV(1, 64, 64, 320, 320, 3, 2, 1),
    CONV(1, 32, 32, 320, 640, 3, 1, 1),   CONV(2, 16, 16, 640, 1280, 3, 1, 1),
    CONV(2, 8, 8, 1280, 1280, 3, 1, 1),   CONV(1, 8, 8, 2560, 1280, 3, 1, 1),
    CONV(1, 32, 32, 960, 640, 1, 1, 0),   CONV(2, 8, 8, 2560, 1280, 1, 1, 0),
    CONV(1, 32, 32, 512, 8, 3, 1, 1),     CONV(1, 64, 64, 8, 8, 1, 1, 0),
    CONV(1, 64, 64, 4, 4, 1, 1, 0),       CONV(1, 32, 32, 512, 512, 3, 1, 1),
    CONV(1, 128, 128, 3, 128, 3, 1, 1),   CONV(1, 128, 128, 128, 3, 3, 1, 1),
    CONV(1, 128, 128, 3, 16, 3, 1, 1),    CONV(1, 128, 128, 16, 32, 3, 2, 1),
    CONV(1, 64, 64, 96, 96, 3, 1, 1),     CONV(1, 64, 64, 64, 64, 3, 1, 1),
    CONV(1, 1, 1, 320, 1280, 1, 1, 0),    CONV(1, 1, 1, 1280, 1280, 1, 1, 0),
    CONV(1, 1, 2, 1280, 640, 1, 1, 0),    CONV(1, 1, 77, 768, 768, 1, 1, 0),
    CONV(1, 1, 154, 768, 3072, 1, 1, 0),  CONV(1, 1, 77, 3072, 768, 1, 1, 0),
    CONV(1, 1, 1024, 320, 2560, 1, 1, 0), CONV(1, 1, 1024, 1280, 320, 1, 1, 0),
    CONV(1, 1, 512, 2560, 640, 1, 1, 0),  CONV(1, 1, 256, 5120, 1280, 1, 1, 0),
    CONV(1, 1, 64, 1280, 10240, 1, 1, 0),
};

static void threads_do_not_change_a_byte(Fixture *f, gconstpointer data)
{
    CgDType dtype = (CgDType)GPOINTER_TO_INT(data);
    static const int counts[] = {2, 1, 3, 12};
    for (size_t i = 0; i < G_N_ELEMENTS(real_cases); i++) {
        const Case *c = &real_cases[i];
        g_autoptr(CgTensor) y = poisoned_tensor(dtype, output_shape(c));
        g_autoptr(CgTensor) other = poisoned_tensor(dtype, output_shape(c));
        Layer l = layer_new(c, dtype, CG_F32);
        for (size_t t = 0; t < G_N_ELEMENTS(counts); t++) {
            GError *error = NULL;
            cg_threads_set(counts[t]);
            /* Packed anew, as a run with this many threads would. */
            CgWeight *weight = cg_onednn_weight_new(&c->g, dtype, l.w, l.bias);
            gboolean ok = cg_onednn_conv2d(f->library, weight, l.x, NULL, t ? other : y, &error);
            if (offered(ok, dtype, error) && t)
                g_assert_cmpmem(other->data, cg_tensor_bytes(y), y->data, cg_tensor_bytes(y));
            if (ok && g_str_has_prefix(cg_onednn_implementation(weight), "ref"))
                g_error("case %zu runs %s", i, cg_onednn_implementation(weight));
            cg_onednn_weight_free(f->library, weight);
        }
        cg_threads_set(2);
        layer_free(f, &l);
    }
}

/* A sample's result must not depend on what else is in its batch. */
static void batch_does_not_change_a_byte(Fixture *f, gconstpointer data)
{
    CgDType dtype = (CgDType)GPOINTER_TO_INT(data);
    static const Case cases[] = {
        CONV(3, 32, 32, 160, 96, 3, 1, 1), CONV(3, 8, 8, 320, 160, 3, 1, 1),
        CONV(3, 16, 16, 96, 64, 3, 2, 1),  CONV(3, 16, 16, 320, 320, 1, 1, 0),
        CONV(3, 1, 77, 768, 256, 1, 1, 0), CONV(3, 32, 32, 64, 4, 3, 1, 1),
    };
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        const Case *c = &cases[i];
        Layer l = layer_new(c, dtype, CG_F32);
        g_autoptr(CgTensor) y = poisoned_tensor(dtype, output_shape(c));
        GError *error = NULL;
        gboolean ok = cg_onednn_conv2d(f->library, l.weight, l.x, NULL, y, &error);
        for (int n = 0; n < c->n && offered(ok, dtype, error); n++) {
            CgShape alone = y->shape;
            alone.d[0] = 1;
            CgWeight *weight = cg_onednn_weight_new(&c->g, dtype, l.w, l.bias);
            g_autoptr(CgTensor) x1 = cg_tensor_rows(l.x, n, 1);
            g_autoptr(CgTensor) want = cg_tensor_rows(y, n, 1);
            g_autoptr(CgTensor) y1 = poisoned_tensor(dtype, alone);
            g_assert_true(cg_onednn_conv2d(f->library, weight, x1, NULL, y1, NULL));
            g_assert_cmpmem(y1->data, cg_tensor_bytes(y1), want->data, cg_tensor_bytes(want));
            cg_onednn_weight_free(f->library, weight);
        }
        layer_free(f, &l);
    }
}

static void bf16_without_instructions_for_it_is_an_error(Fixture *f, gconstpointer data)
{
    (void)data;
    if (g_test_subprocess()) {
        Layer l = layer_new(&epilogue_cases[0], CG_BF16, CG_F32);
        g_autoptr(CgTensor) y = poisoned_tensor(CG_BF16, output_shape(&epilogue_cases[0]));
        g_autoptr(GError) error = NULL;
        g_assert_false(cg_onednn_conv2d(f->library, l.weight, l.x, NULL, y, &error));
        g_assert_error(error, CG_ERROR, CG_ERROR_ENGINE);
        g_assert_nonnull(strstr(error->message, "--dtype f32"));
        g_assert_false(cg_onednn_prefers_bf16());
        layer_free(f, &l);
        return;
    }
    const char *limited = g_getenv("CAGEN_MAX_ISA");
    g_autofree char *before = g_strdup(limited);
    g_setenv("CAGEN_MAX_ISA", "avx2", TRUE);
    g_test_trap_subprocess(NULL, 0, G_TEST_SUBPROCESS_DEFAULT);
    if (before)
        g_setenv("CAGEN_MAX_ISA", before, TRUE);
    else
        g_unsetenv("CAGEN_MAX_ISA");
    g_test_trap_assert_passed();
}

static void engine_offers_every_operation(Fixture *f, gconstpointer data)
{
    (void)f, (void)data;
    g_autoptr(CgEngine) engine = cg_engine_cpu_new();
    const CgEngineOps *ops = engine->ops;
    g_assert_cmpuint(ops->version, ==, CG_ENGINE_VERSION);
    g_assert_cmpstr(ops->name, ==, "cpu");
    /* From the first function to the last there is nothing but functions. */
    for (size_t at = offsetof(CgEngineOps, free); at < sizeof *ops; at += sizeof(void (*)(void))) {
        void *function;
        memcpy(&function, (const char *)ops + at, sizeof function);
        g_assert_nonnull(function);
    }
}

static void engine_says_what_it_is_and_holds(Fixture *f, gconstpointer data)
{
    (void)f, (void)data;
    const Case *c = &epilogue_cases[0];
    g_autoptr(CgEngine) engine = cg_engine_cpu_new();
    CgEngineInfo info;
    cg_engine_cpu_info(engine, &info);
    g_assert_true(g_str_has_prefix(info.library, "oneDNN "));
    g_assert_cmpstr(info.isa, !=, "");
    g_assert_true(info.auto_dtype == CG_F32 || info.auto_dtype == CG_BF16);
    g_assert_cmpuint(info.weight_bytes, ==, 0);

    Layer l = layer_new(c, CG_F32, CG_F32);
    CgEngineEpilogue ep = {0};
    CgWeight *weight = engine->ops->weight_new(engine, &c->g, CG_F32, l.w, l.bias);
    g_autoptr(CgTensor) y = engine->ops->tensor(engine, CG_F32, output_shape(c));
    g_assert_true(engine->ops->conv2d(engine, weight, l.x, &ep, y, NULL));
    cg_engine_cpu_info(engine, &info);
    g_assert_cmpuint(info.weight_bytes, >=, l.w->count * sizeof(float));
    g_assert_cmpuint(info.pool_bytes, >=, cg_tensor_bytes(y));
    g_assert_cmpuint(info.system_allocations, >, 0);
    engine->ops->weight_free(engine, weight);
    cg_engine_cpu_info(engine, &info);
    g_assert_cmpuint(info.weight_bytes, ==, 0);
    layer_free(f, &l);
}

static void add_test(const char *name, CgDType dtype, void (*test)(Fixture *, gconstpointer))
{
    g_autofree char *path =
        g_strdup_printf("/engine-cpu/%s/%s", name, dtype == CG_F32 ? "f32" : "bf16");
    g_test_add(path, Fixture, GINT_TO_POINTER(dtype), set_up, test, tear_down);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    for (int i = 0; i < 2; i++) {
        CgDType t = i ? CG_BF16 : CG_F32;
        add_test("convolution_equals_loops", t, convolution_equals_loops);
        add_test("linear_equals_loops", t, linear_equals_loops);
        add_test("activation_is_applied_after_the_bias", t, activation_is_applied_after_the_bias);
        add_test("residual_is_added_in_place_or_not", t, residual_is_added_in_place_or_not);
        add_test("weights_of_any_file_type_are_taken_without_bias", t,
                 weights_of_any_file_type_are_taken_without_bias);
        add_test("fixed_weight_has_the_gradient_of_one_that_changes", t,
                 fixed_weight_has_the_gradient_of_one_that_changes);
        add_test("weights_that_change_share_their_memory", t,
                 weights_that_change_share_their_memory);
        add_test("other_shapes_work_after_packing", t, other_shapes_work_after_packing);
        add_test("threads_do_not_change_a_byte", t, threads_do_not_change_a_byte);
        add_test("batch_does_not_change_a_byte", t, batch_does_not_change_a_byte);
    }
    add_test("bias_of_the_call_replaces_the_own", CG_F32, bias_of_the_call_replaces_the_own);
    add_test("source_is_let_go_after_packing", CG_F32, source_is_let_go_after_packing);
    add_test("source_stays_where_other_sizes_need_it", CG_F32,
             source_stays_where_other_sizes_need_it);
    add_test("repeated_call_asks_for_no_memory", CG_F32, repeated_call_asks_for_no_memory);
    add_test("bf16_without_instructions_for_it_is_an_error", CG_BF16,
             bf16_without_instructions_for_it_is_an_error);
    add_test("engine_offers_every_operation", CG_F32, engine_offers_every_operation);
    add_test("engine_says_what_it_is_and_holds", CG_F32, engine_says_what_it_is_and_holds);
    return g_test_run();
}
