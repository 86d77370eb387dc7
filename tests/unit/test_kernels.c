/* Our own kernels, every instruction set that this processor has: the rows of support/optable.c
 * that they serve, the accuracy of the functions, and numbers that are none. */
#include "base/rng.h"
#include "engine/cpu/kernels.h"
#include "support/optable.h"

#include <math.h>

/* An engine of one table's kernels alone. */
typedef struct {
    CgEngine base;
    CgEngineOps ops;
    const CgCpuKernels *kernels;
    CgPool *pool;
} KernelEngine;

static const CgCpuKernels *kernels(CgEngine *e)
{
    return ((KernelEngine *)e)->kernels;
}

static CgTensor *tensor(CgEngine *e, CgDType dtype, CgShape shape)
{
    return cg_pool_tensor(((KernelEngine *)e)->pool, dtype, shape);
}

static void group_norm(CgEngine *e, const CgTensor *x, int groups, float eps, const CgTensor *gamma,
                       const CgTensor *beta, CgActivation act, CgTensor *y)
{
    kernels(e)->group_norm(((KernelEngine *)e)->pool, x, groups, eps, gamma, beta, act, y);
}

static void layer_norm(CgEngine *e, const CgTensor *x, float eps, const CgTensor *gamma,
                       const CgTensor *beta, CgTensor *y)
{
    kernels(e)->layer_norm(x, eps, gamma, beta, y);
}

static void activate(CgEngine *e, CgActivation act, const CgTensor *x, CgTensor *y)
{
    kernels(e)->activate(act, x, y);
}

static void geglu(CgEngine *e, const CgTensor *x, CgTensor *y)
{
    kernels(e)->geglu(x, y);
}

static void add(CgEngine *e, const CgTensor *a, const CgTensor *b, float scale, CgTensor *y)
{
    kernels(e)->add(a, b, scale, y);
}

static void add_channels(CgEngine *e, const CgTensor *x, const CgTensor *v, CgTensor *y)
{
    kernels(e)->add_channels(x, v, y);
}

static void softmax(CgEngine *e, const CgTensor *x, CgTensor *y)
{
    kernels(e)->softmax(x, y);
}

static void cast(CgEngine *e, const CgTensor *x, CgTensor *y)
{
    kernels(e)->cast(x, y);
}

static void scale(CgEngine *e, const CgTensor *x, float factor, CgTensor *y)
{
    kernels(e)->scale(x, factor, y);
}

static void group_norm_backward(CgEngine *e, const CgTensor *x, int groups, float eps,
                                const CgTensor *gamma, const CgTensor *beta, CgActivation act,
                                const CgTensor *dy, CgTensor *dx, CgTensor *dgamma, CgTensor *dbeta)
{
    kernels(e)->group_norm_backward(((KernelEngine *)e)->pool, x, groups, eps, gamma, beta, act, dy,
                                    dx, dgamma, dbeta);
}

static void layer_norm_backward(CgEngine *e, const CgTensor *x, float eps, const CgTensor *gamma,
                                const CgTensor *dy, CgTensor *dx, CgTensor *dgamma, CgTensor *dbeta)
{
    kernels(e)->layer_norm_backward(((KernelEngine *)e)->pool, x, eps, gamma, dy, dx, dgamma,
                                    dbeta);
}

static void activate_backward(CgEngine *e, CgActivation act, const CgTensor *x, const CgTensor *dy,
                              CgTensor *dx)
{
    kernels(e)->activate_backward(act, x, dy, dx);
}

static void geglu_backward(CgEngine *e, const CgTensor *x, const CgTensor *dy, CgTensor *dx)
{
    kernels(e)->geglu_backward(x, dy, dx);
}

static void add_channels_backward(CgEngine *e, const CgTensor *dy, CgTensor *dv)
{
    kernels(e)->add_channels_backward(((KernelEngine *)e)->pool, dy, dv);
}

static void softmax_backward(CgEngine *e, const CgTensor *y, const CgTensor *dy, CgTensor *dx)
{
    kernels(e)->softmax_backward(y, dy, dx);
}

static void engine_init(KernelEngine *e, const CgCpuKernels *table)
{
    *e = (KernelEngine){.ops = {.version = CG_ENGINE_VERSION,
                                .name = table->name,
                                .tensor = tensor,
                                .group_norm = group_norm,
                                .layer_norm = layer_norm,
                                .activate = activate,
                                .geglu = geglu,
                                .add = add,
                                .add_channels = add_channels,
                                .softmax = softmax,
                                .cast = cast,
                                .scale = scale,
                                .group_norm_backward = group_norm_backward,
                                .layer_norm_backward = layer_norm_backward,
                                .activate_backward = activate_backward,
                                .geglu_backward = geglu_backward,
                                .add_channels_backward = add_channels_backward,
                                .softmax_backward = softmax_backward},
                        .kernels = table,
                        .pool = cg_pool_new()};
    e->base.ops = &e->ops;
}

static gboolean serves(const OpCase *c)
{
    switch (c->op) {
    case OP_GROUP_NORM:
    case OP_LAYER_NORM:
    case OP_ACTIVATE:
    case OP_GEGLU:
    case OP_ADD:
    case OP_ADD_CHANNELS:
    case OP_SOFTMAX:
    case OP_CAST:
    case OP_SCALE:
        return !c->large;
    default:
        return FALSE;
    }
}

static CgTensor *result(const OpCase *c, CgEngine *engine, CgDType dtype)
{
    g_autoptr(OpRun) run = optable_prepare(c, engine, dtype);
    optable_reset(run);
    g_assert_true(optable_execute(run, NULL));
    return optable_output(run);
}

static double relative_error(const CgTensor *a, const CgTensor *b)
{
    double difference = 0, norm = 0;
    for (size_t i = 0; i < b->count; i++) {
        double d = (double)cg_tensor_f32(a)[i] - (double)cg_tensor_f32(b)[i];
        difference += d * d;
        norm += (double)cg_tensor_f32(b)[i] * (double)cg_tensor_f32(b)[i];
    }
    /* Some gradients are 0: bf16 has no numbers near 1000 for x to deviate to. */
    return sqrt(difference / (norm > 0 ? norm : (double)b->count));
}

/* Limits tighter than the engines': f32 rounding, and one bf16 step in few places. */
static void test_table_equals_ref(gconstpointer data)
{
    guint count;
    const OpCase *cases = optable_cases(&count);
    g_autoptr(CgEngine) ref = cg_engine_ref_new();
    KernelEngine engine;
    engine_init(&engine, data);
    for (guint i = 0; i < count; i++)
        for (CgDType dtype = CG_F32; serves(&cases[i]) && dtype <= CG_BF16; dtype++) {
            g_autoptr(CgTensor) want = result(&cases[i], ref, dtype);
            g_autoptr(CgTensor) got = result(&cases[i], &engine.base, dtype);
            double error = relative_error(got, want);
            if (!(error <= (dtype == CG_F32 ? 1e-6 : 2e-4)))
                g_error("%s %s: relative error %.2e", cases[i].name, cg_dtype_name(dtype), error);
        }
    cg_pool_unref(engine.pool);
}

/* All gradients of a row side by side, as many as there are. */
static void gradients(const OpCase *c, CgEngine *engine, CgDType dtype, CgTensor *g[3])
{
    g_autoptr(OpRun) run = optable_prepare(c, engine, dtype);
    optable_backward_prepare(run);
    optable_reset(run);
    optable_backward_reset(run);
    g_assert_true(optable_execute(run, NULL));
    g_assert_true(optable_backward(run, NULL));
    for (guint i = 0; i < optable_gradient_count(run); i++)
        g[i] = optable_gradient(run, i);
}

static void test_gradients_equal_ref(gconstpointer data)
{
    guint count;
    const OpCase *cases = optable_cases(&count);
    g_autoptr(CgEngine) ref = cg_engine_ref_new();
    KernelEngine engine;
    engine_init(&engine, data);
    for (guint i = 0; i < count; i++)
        for (CgDType dtype = CG_F32;
             serves(&cases[i]) && optable_has_backward(&cases[i]) && dtype <= CG_BF16; dtype++) {
            CgTensor *want[3] = {NULL}, *got[3] = {NULL};
            gradients(&cases[i], ref, dtype, want);
            gradients(&cases[i], &engine.base, dtype, got);
            for (int k = 0; k < 3 && want[k]; k++) {
                double error = relative_error(got[k], want[k]);
                if (!(error <= (dtype == CG_F32 ? 2e-6 : 1e-3)))
                    g_error("%s %s: relative error %.2e of gradient %d", cases[i].name,
                            cg_dtype_name(dtype), error, k);
                cg_tensor_unref(want[k]);
                cg_tensor_unref(got[k]);
            }
        }
    cg_pool_unref(engine.pool);
}

static double exact(CgActivation act, double x)
{
    switch (act) {
    case CG_ACT_SILU:
        return x / (1 + exp(-x));
    case CG_ACT_GELU:
        return x / 2 * erfc(-x / sqrt(2));
    default:
        return x / (1 + exp(-1.702 * x));
    }
}

static void test_activations_are_exact_to_f32(gconstpointer data)
{
    const CgCpuKernels *table = data;
    enum { COUNT = 200003 };
    g_autoptr(CgTensor) x = cg_tensor_new(CG_F32, CG_SHAPE(COUNT));
    g_autoptr(CgTensor) y = cg_tensor_new(CG_F32, CG_SHAPE(COUNT));
    for (int i = 0; i < COUNT; i++)
        cg_tensor_f32(x)[i] = -30 + 60 * (float)i / (COUNT - 1);
    for (CgActivation act = CG_ACT_SILU; act <= CG_ACT_QUICK_GELU; act++) {
        table->activate(act, x, y);
        for (int i = 0; i < COUNT; i++) {
            double v = (double)cg_tensor_f32(x)[i], e = (double)cg_tensor_f32(y)[i] - exact(act, v);
            if (!(fabs(e) <= 2e-7 * fabs(v)))
                g_error("activation %d of %g: off by %g", act, v, e);
        }
    }
}

static void test_activations_of_extreme_numbers(gconstpointer data)
{
    const CgCpuKernels *table = data;
    static const float in[] = {-3e38F, -1e30F, -200, -104, -89, -5.6F, 88, 89, 200, 3e38F};
    g_autoptr(CgTensor) x = cg_tensor_new(CG_F32, CG_SHAPE(G_N_ELEMENTS(in)));
    g_autoptr(CgTensor) y = cg_tensor_new(CG_F32, CG_SHAPE(G_N_ELEMENTS(in)));
    memcpy(x->data, in, sizeof in);
    for (CgActivation act = CG_ACT_SILU; act <= CG_ACT_RELU; act++) {
        table->activate(act, x, y);
        for (guint i = 0; i < G_N_ELEMENTS(in); i++) {
            double got = (double)cg_tensor_f32(y)[i];
            if (in[i] > 80)
                g_assert_cmpfloat(fabs(got / (double)in[i] - 1), <=, 2e-7);
            else if (in[i] < -80)
                g_assert_cmpfloat(fabs(got), <, 1e-30);
        }
    }
}

static gboolean all_nan(const CgTensor *t, size_t first, size_t count)
{
    g_autoptr(CgTensor) f = cg_tensor_copy(t, CG_F32);
    for (size_t i = first; i < first + count; i++)
        if (!isnan(cg_tensor_f32(f)[i]))
            return FALSE;
    return TRUE;
}

/* One NaN in each place of a row in turn, so that every lane and the tail are met. */
static void test_nan_stays(gconstpointer data)
{
    const CgCpuKernels *table = data;
    enum { C = 37, ROWS = 3 };
    CgPool *pool = cg_pool_new();
    g_autoptr(CgTensor) ones = cg_tensor_new(CG_F32, CG_SHAPE(C));
    for (int i = 0; i < C; i++)
        cg_tensor_f32(ones)[i] = 1;
    for (CgDType dtype = CG_F32; dtype <= CG_BF16; dtype++)
        for (size_t at = 0; at < C; at++) {
            g_autoptr(CgTensor) f = cg_tensor_new(CG_F32, CG_SHAPE(1, ROWS, C));
            for (size_t i = 0; i < f->count; i++)
                cg_tensor_f32(f)[i] = (float)(i % 7) - 3;
            cg_tensor_f32(f)[C + at] = NAN;
            g_autoptr(CgTensor) x = cg_tensor_copy(f, dtype);
            g_autoptr(CgTensor) y = cg_tensor_zeros(dtype, x->shape);
            for (CgActivation act = CG_ACT_NONE; act <= CG_ACT_RELU; act++) {
                table->activate(act, x, y);
                g_assert_true(all_nan(y, C + at, 1));
            }
            table->softmax(x, y);
            g_assert_true(all_nan(y, C, C));
            g_assert_false(all_nan(y, 0, 1));
            table->layer_norm(x, 1e-5F, ones, ones, y);
            g_assert_true(all_nan(y, C, C));
            g_assert_false(all_nan(y, 2 * C, 1));
            table->group_norm(pool, x, 1, 1e-5F, ones, ones, CG_ACT_SILU, y);
            g_assert_true(all_nan(y, 0, ROWS * C));
            table->add(x, x, 1, y);
            g_assert_true(all_nan(y, C + at, 1));
        }
    cg_pool_unref(pool);
}

/* The first rows, from which the kernel guesses the mean, are constant and far from all others. */
static void test_group_norm_of_a_black_border(gconstpointer data)
{
    enum { C = 24 };
    static const int64_t rows[] = {8, 40, 500, 5000};
    KernelEngine engine;
    engine_init(&engine, data);
    g_autoptr(CgEngine) ref = cg_engine_ref_new();
    g_autoptr(CgTensor) ones = cg_tensor_new(CG_F32, CG_SHAPE(C));
    for (int i = 0; i < C; i++)
        cg_tensor_f32(ones)[i] = 1;
    for (guint k = 0; k < G_N_ELEMENTS(rows); k++) {
        g_autoptr(CgTensor) x = cg_tensor_new(CG_F32, CG_SHAPE(1, rows[k], C));
        g_autoptr(CgTensor) got = cg_tensor_zeros(CG_F32, x->shape);
        g_autoptr(CgTensor) want = cg_tensor_zeros(CG_F32, x->shape);
        cg_rng_uniforms(7, 0, 0, x->data, x->count);
        for (size_t i = 0; i < x->count; i++)
            cg_tensor_f32(x)[i] = i < x->count / 16 + C ? 0 : 1000 + cg_tensor_f32(x)[i];
        engine.base.ops->group_norm(&engine.base, x, 3, 1e-5F, ones, ones, CG_ACT_NONE, got);
        ref->ops->group_norm(ref, x, 3, 1e-5F, ones, ones, CG_ACT_NONE, want);
        g_assert_cmpfloat(relative_error(got, want), <=, 2e-6);
    }
    cg_pool_unref(engine.pool);
}

/* All upper halves with the lower halves that decide the rounding. */
static void test_cast_rounds_to_nearest_even(gconstpointer data)
{
    const CgCpuKernels *table = data;
    static const uint32_t low[] = {0, 1, 0x7fff, 0x8000, 0x8001, 0xffff};
    enum { LOWS = G_N_ELEMENTS(low) };
    g_autoptr(CgTensor) x = cg_tensor_new(CG_F32, CG_SHAPE(65536, LOWS));
    g_autoptr(CgTensor) h = cg_tensor_new(CG_BF16, x->shape);
    g_autoptr(CgTensor) back = cg_tensor_new(CG_F32, x->shape);
    uint32_t *bits = x->data;
    for (uint32_t i = 0; i < x->count; i++)
        bits[i] = (i / LOWS) << 16 | low[i % LOWS];
    table->cast(x, h);
    table->cast(h, back);
    for (size_t i = 0; i < x->count; i++) {
        uint16_t want = cg_bf16_from_f32(cg_tensor_f32(x)[i]), got = ((uint16_t *)h->data)[i];
        if (fpclassify(cg_tensor_f32(x)[i]) == FP_SUBNORMAL && (got & 0x7fff) == 0)
            want = got; /* vcvtneps2bf16 takes them for 0 */
        if (isnan(cg_tensor_f32(x)[i]))
            g_assert_true(isnan(cg_f32_from_bf16(got)));
        else if (got != want)
            g_error("%08x: %04x instead of %04x", bits[i], got, want);
        g_assert_cmphex(((uint32_t *)back->data)[i], ==, (uint32_t)got << 16);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    static const struct {
        const char *name;
        GTestDataFunc run;
    } tests[] = {
        {"equals_ref", test_table_equals_ref},
        {"gradients_equal_ref", test_gradients_equal_ref},
        {"activations_are_exact_to_f32", test_activations_are_exact_to_f32},
        {"activations_of_extreme_numbers", test_activations_of_extreme_numbers},
        {"group_norm_of_a_black_border", test_group_norm_of_a_black_border},
        {"nan_stays", test_nan_stays},
        {"cast_rounds_to_nearest_even", test_cast_rounds_to_nearest_even},
    };
    for (const CgCpuKernels *const *table = cg_cpu_kernels_all(); *table; table++)
        for (guint i = 0; i < G_N_ELEMENTS(tests); i++) {
            g_autofree char *path =
                g_strdup_printf("/kernels/%s/%s", (*table)->name, tests[i].name);
            g_test_add_data_func(path, *table, tests[i].run);
        }
    return g_test_run();
}
