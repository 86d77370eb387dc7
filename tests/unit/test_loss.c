/* Losses and their gradients: against PyTorch's autograd (tests/oracle/make_loss_fixture.py), and
 * against finite differences. */
#include "ops/loss.h"
#include "support/fixture.h"
#include "support/pseudo.h"

#include <math.h>
#include <omp.h>

#define LIMIT 2e-5

typedef CgTensor *(*LossOf)(CgContext *cx, CgTensor *x);

static CgTensor *given(const char *name, CgShape shape)
{
    CgTensor *t = cg_tensor_new(CG_F32, shape);
    cg_pseudo_fill(name, 1, 0, cg_tensor_f32(t), t->count);
    return t;
}

static CgTensor *given_image(void)
{
    return given("input/loss/y", CG_SHAPE(2, 13, 9, 3));
}

/* Some log-variances lie beyond both bounds. */
static CgTensor *given_moments(void)
{
    CgTensor *t = given("input/loss/moments", CG_SHAPE(2, 5, 3, 8));
    for (size_t i = 0; i < t->count; i++)
        cg_tensor_f32(t)[i] *= i % 8 < 4 ? 1.0f : 36.0f;
    return t;
}

static CgTensor *given_logits(void)
{
    CgTensor *t = given("input/loss/logits", CG_SHAPE(6, 5));
    for (size_t i = 0; i < t->count; i++)
        cg_tensor_f32(t)[i] *= 4;
    return t;
}

static CgTensor *given_noise(void)
{
    return given("input/loss/noise", CG_SHAPE(2, 5, 3, 4));
}

static CgTensor *mse(CgContext *cx, CgTensor *x)
{
    g_autoptr(CgTensor) target = given("input/loss/target", x->shape);
    return cg_loss_mse(cx, x, target, NULL);
}

static CgTensor *weighted_mse(CgContext *cx, CgTensor *x)
{
    g_autoptr(CgTensor) target = given("input/loss/target", x->shape);
    return cg_loss_mse(cx, x, target, (const float[]){0.25f, 1.5f});
}

static CgTensor *l1(CgContext *cx, CgTensor *x)
{
    g_autoptr(CgTensor) target = given("input/loss/target", x->shape);
    return cg_loss_l1(cx, x, target);
}

static CgTensor *edges(CgContext *cx, CgTensor *x)
{
    g_autoptr(CgTensor) target = given("input/loss/target", x->shape);
    return cg_loss_edges(cx, x, target);
}

static CgTensor *ssim(CgContext *cx, CgTensor *x)
{
    g_autoptr(CgTensor) target = given("input/loss/target", x->shape);
    return cg_loss_ssim(cx, x, target, 2);
}

static CgTensor *cross_entropy(CgContext *cx, CgTensor *x)
{
    return cg_loss_cross_entropy(cx, x, (const int[]){0, 2, 4, 1, 3, 0});
}

static const struct {
    const char *name;
    LossOf loss;
    CgTensor *(*input)(void);
} rows[] = {
    {"mse", mse, given_image},
    {"weighted mse", weighted_mse, given_image},
    {"l1", l1, given_image},
    {"edges", edges, given_image},
    {"ssim", ssim, given_image},
    {"kl", cg_loss_kl, given_moments},
    {"cross entropy", cross_entropy, given_logits},
};

static CgSafetensors *open_fixture(void)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *path = test_fixture_path("loss.safetensors");
    CgSafetensors *file = cg_safetensors_open(path, &error);
    g_assert_no_error(error);
    return file;
}

/* LOSS of X and, with SCALE, SCALE times its gradient. */
static float run_loss(LossOf loss, CgTensor *x, double scale, CgTensor **gradient)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(CgEngine) engine = cg_engine_ref_new();
    g_autoptr(CgTape) tape = cg_tape_new(engine, NULL);
    CgContext cx;
    cg_context_init(&cx, engine, CG_F32);
    if (gradient) {
        cx.tape = tape;
        cg_tape_watch(tape, x);
    }
    g_autoptr(CgTensor) value = loss(&cx, x);
    g_assert_true(cg_context_ok(&cx, &error));
    if (gradient) {
        g_assert_true(cg_tape_backward(tape, value, scale, &error));
        *gradient = cg_tape_take(tape, x);
        x->node = 0;
    }
    cg_context_clear(&cx);
    return *cg_tensor_f32(value);
}

static void losses_and_gradients_match_pytorch(void)
{
    g_autoptr(CgSafetensors) file = open_fixture();
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *key = g_strconcat(rows[i].name, ".gradient", NULL);
        g_autoptr(CgTensor) value = test_fixture_tensor(file, rows[i].name);
        g_autoptr(CgTensor) want = test_fixture_tensor(file, key);
        g_autoptr(CgTensor) x = rows[i].input();
        g_autoptr(CgTensor) gradient = NULL;
        const float got = run_loss(rows[i].loss, x, 1, &gradient);
        g_test_message("%s: %g", rows[i].name, got);
        g_assert_cmpfloat_with_epsilon(got, *cg_tensor_f32(value),
                                       LIMIT * fabs(*cg_tensor_f32(value)));
        test_assert_close(key, gradient, want, LIMIT);
    }
}

static void losses_can_be_weighed_and_added(void)
{
    g_autoptr(CgTensor) x = given_image();
    g_autoptr(CgTensor) once = NULL, scaled = NULL;
    run_loss(ssim, x, 1, &once);
    run_loss(ssim, x, 0.375, &scaled);
    for (size_t i = 0; i < x->count; i++)
        cg_tensor_f32(once)[i] *= 0.375f;
    test_assert_close("scaled gradient", scaled, once, 1e-6);
}

/* The change of the loss along its gradient is the gradient's square norm. */
static void gradients_agree_with_finite_differences(void)
{
    const double h = 1e-3;
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(CgTensor) x = rows[i].input();
        g_autoptr(CgTensor) gradient = NULL;
        double norm = 0;
        if (rows[i].loss == cg_loss_kl) /* beyond the bounds there is none */
            for (size_t j = 0; j < x->count; j++)
                cg_tensor_f32(x)[j] /= j % 8 < 4 ? 1.0f : 36.0f;
        run_loss(rows[i].loss, x, 1, &gradient);
        for (size_t j = 0; j < x->count; j++)
            norm += pow(cg_tensor_f32(gradient)[j], 2);
        g_autoptr(CgTensor) low = cg_tensor_copy(x, CG_F32), high = cg_tensor_copy(x, CG_F32);
        for (size_t j = 0; j < x->count; j++) {
            cg_tensor_f32(low)[j] -= (float)(h * cg_tensor_f32(gradient)[j] / sqrt(norm));
            cg_tensor_f32(high)[j] += (float)(h * cg_tensor_f32(gradient)[j] / sqrt(norm));
        }
        const double slope =
            (run_loss(rows[i].loss, high, 1, NULL) - run_loss(rows[i].loss, low, 1, NULL)) /
            (2 * h);
        g_test_message("%s: slope %g, gradient's norm %g", rows[i].name, slope, sqrt(norm));
        g_assert_cmpfloat_with_epsilon(slope, sqrt(norm), 0.02 * sqrt(norm));
    }
}

static void posterior_samples_match_pytorch(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(CgSafetensors) file = open_fixture();
    g_autoptr(CgTensor) want = test_fixture_tensor(file, "sample");
    g_autoptr(CgTensor) want_gradient = test_fixture_tensor(file, "sample.gradient");
    g_autoptr(CgTensor) moments = given_moments(), noise = given_noise();
    g_autoptr(CgTensor) zero = cg_tensor_zeros(CG_F32, noise->shape);
    g_autoptr(CgTensor) dy = given("input/loss/dy", noise->shape);
    g_autoptr(CgEngine) engine = cg_engine_ref_new();
    g_autoptr(CgTape) tape = cg_tape_new(engine, NULL);
    CgContext cx;
    cg_context_init(&cx, engine, CG_F32);
    cx.tape = tape;
    cg_tape_watch(tape, moments);
    g_autoptr(CgTensor) sample = cg_posterior_sample(&cx, moments, noise);
    test_assert_close("sample", sample, want, LIMIT);
    /* mse(s, s - dy * count / 2) has the gradient dy. */
    g_autoptr(CgTensor) target = cg_tensor_copy(sample, CG_F32);
    for (size_t i = 0; i < target->count; i++)
        cg_tensor_f32(target)[i] = 0;
    g_autoptr(CgTensor) shifted = cg_add(&cx, sample, zero, 1);
    for (size_t i = 0; i < target->count; i++)
        cg_tensor_f32(target)[i] =
            cg_tensor_f32(sample)[i] - cg_tensor_f32(dy)[i] * (float)target->count / 2;
    g_autoptr(CgTensor) loss = cg_loss_mse(&cx, shifted, target, NULL);
    g_assert_true(cg_tape_backward(tape, loss, 1, &error));
    cg_context_clear(&cx);
    /* The largest deviations are e^10: their differences carry f32's rounding. */
    test_assert_close("sample gradient", cg_tape_gradient(tape, moments), want_gradient, 1e-3);
}

static void constants_record_nothing(void)
{
    g_autoptr(CgEngine) engine = cg_engine_ref_new();
    g_autoptr(CgTape) tape = cg_tape_new(engine, NULL);
    CgContext cx;
    cg_context_init(&cx, engine, CG_F32);
    cx.tape = tape;
    g_autoptr(CgTensor) x = given_image();
    g_autoptr(CgTensor) loss = ssim(&cx, x);
    g_assert_cmpuint(loss->node, ==, 0);
    g_assert_cmpuint(cg_tape_count(tape), ==, 0);
    cg_context_clear(&cx);
}

static void equal_images_cost_nothing(void)
{
    g_autoptr(CgTensor) target = given("input/loss/target", CG_SHAPE(2, 13, 9, 3));
    g_assert_cmpfloat(run_loss(mse, target, 1, NULL), ==, 0);
    g_assert_cmpfloat(run_loss(l1, target, 1, NULL), ==, 0);
    g_assert_cmpfloat(run_loss(edges, target, 1, NULL), ==, 0);
    g_assert_cmpfloat_with_epsilon(run_loss(ssim, target, 1, NULL), 0, 1e-6);
}

static void threads_change_nothing(void)
{
    const int threads = omp_get_max_threads();
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(CgTensor) x = given("input/loss/y", CG_SHAPE(3, 41, 59, 8));
        g_autoptr(CgTensor) one = NULL, many = NULL;
        if (rows[i].loss == weighted_mse || rows[i].loss == cross_entropy)
            continue; /* of other shapes */
        omp_set_num_threads(1);
        const float value = run_loss(rows[i].loss, x, 1, &one);
        omp_set_num_threads(3);
        g_assert_cmpfloat(run_loss(rows[i].loss, x, 1, &many), ==, value);
        g_assert_cmpmem(one->data, cg_tensor_bytes(one), many->data, cg_tensor_bytes(many));
        omp_set_num_threads(threads);
    }
}

static void cross_entropy_of_large_logits_is_finite(void)
{
    g_autoptr(CgTensor) x = cg_tensor_zeros(CG_F32, CG_SHAPE(6, 5));
    g_autoptr(CgTensor) gradient = NULL;
    cg_tensor_f32(x)[1] = 3000; /* of a row whose label is 0 */
    const float got = run_loss(cross_entropy, x, 1, &gradient);
    g_assert_cmpfloat_with_epsilon(got, (float)((3000 + 5 * log(5)) / 6), 1e-4);
    g_assert_cmpfloat_with_epsilon(cg_tensor_f32(gradient)[0], -1.0f / 6, 1e-7);
    g_assert_cmpfloat_with_epsilon(cg_tensor_f32(gradient)[1], 1.0f / 6, 1e-7);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/loss/match_pytorch", losses_and_gradients_match_pytorch);
    g_test_add_func("/loss/weighed_and_added", losses_can_be_weighed_and_added);
    g_test_add_func("/loss/finite_differences", gradients_agree_with_finite_differences);
    g_test_add_func("/loss/posterior_sample", posterior_samples_match_pytorch);
    g_test_add_func("/loss/constants", constants_record_nothing);
    g_test_add_func("/loss/equal_images", equal_images_cost_nothing);
    g_test_add_func("/loss/large_logits", cross_entropy_of_large_logits_is_finite);
    g_test_add_func("/loss/threads", threads_change_nothing);
    return g_test_run();
}
