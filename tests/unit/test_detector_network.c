/* Networks of detectors, losses, gradients and fifty steps, against PyTorch
 * (tests/oracle/make_draem_fixture.py): DRAEM with base widths 8 and 4, the U-Net with 4. */
#include "autograd/optimizer.h"
#include "models/detector_network.h"
#include "ops/loss.h"
#include "support/fixture.h"
#include "support/network.h"
#include "support/pseudo.h"

#include <math.h>
#include <omp.h>

/* Biases before a norm have no gradient but for rounding; the norm of all is about 1. */
#define ZERO 1e-6

typedef struct {
    CgEngine *(*engine_new)(void);
    gboolean recompute;
    CgDetectorKind kind;
} Setting;

typedef struct {
    TestNetwork n;
    CgDetectorNetwork *model;
    CgTensor *clean, *picture, *mask, *small;
} Fixture;

static CgTensor *given(const char *name, int64_t n, int64_t h, int64_t w, int64_t c, double scale,
                       double bias)
{
    g_autoptr(CgTensor) nchw = cg_tensor_new(CG_F32, CG_SHAPE(n, c, h, w));
    cg_pseudo_fill(name, scale, bias, cg_tensor_f32(nchw), nchw->count);
    return cg_tensor_nchw_to_nhwc(nchw);
}

/* A texture where the mask is, as the fixture's. */
static void make_batch(Fixture *f)
{
    g_autoptr(CgTensor) texture = given("input/texture", 2, 64, 64, 3, 0.5, 0.5);
    f->small = given("input/small", 1, 32, 64, 3, 0.5, 0.5);
    f->clean = given("input/clean", 2, 64, 64, 3, 0.5, 0.5);
    f->mask = given("input/mask", 2, 64, 64, 1, 1, 0);
    f->picture = cg_tensor_copy(f->clean, CG_F32);
    for (size_t i = 0; i < f->mask->count; i++) {
        float *m = cg_tensor_f32(f->mask) + i;
        *m = *m > 0.5f;
        for (size_t c = 0; *m > 0 && c < 3; c++)
            cg_tensor_f32(f->picture)[3 * i + c] = cg_tensor_f32(texture)[3 * i + c];
    }
}

static void set_up(Fixture *f, const Setting *s, gboolean evaluation)
{
    g_autoptr(GError) error = NULL;
    const gboolean draem = s->kind == CG_DETECTOR_DRAEM;
    const CgDetectorNetworkConfig config = cg_detector_network_config(s->kind, draem ? 8 : 4);
    test_network_init(&f->n, draem ? "draem" : "segmenter", "draem", 2, s->engine_new, !evaluation);
    f->n.cx.recompute = s->recompute;
    f->model = cg_detector_network_new(&f->n.build, &config, &error);
    g_assert_no_error(error);
    make_batch(f);
}

static void tear_down(Fixture *f)
{
    CgTensor *const tensors[] = {f->clean, f->picture, f->mask, f->small};
    for (guint i = 0; i < G_N_ELEMENTS(tensors); i++)
        cg_tensor_unref(tensors[i]);
    cg_detector_network_free(f->model);
    test_network_clear(&f->n);
}

static double backward(Fixture *f)
{
    cg_store_zero_gradients(f->n.store);
    cg_tape_clear(f->n.tape);
    g_autoptr(CgTensor) loss =
        cg_detector_network_loss(&f->n.cx, f->model, f->clean, f->picture, f->mask);
    const double value = (double)cg_tensor_f32(loss)[0];
    test_network_backward(&f->n, loss);
    return value;
}

static void assert_near(const char *what, double value, double expected, double relative)
{
    if (!(fabs(value - expected) <= relative * fabs(expected)))
        g_error("%s: %.9g instead of %.9g", what, value, expected);
}

/* The probability of "anomalous" of the small picture, by the running statistics. */
static CgTensor *probability(Fixture *f)
{
    f->n.cx.tape = NULL;
    g_autoptr(CgTensor) logits = cg_detector_network_logits(&f->n.cx, f->model, f->small);
    f->n.cx.tape = f->n.tape;
    CgTensor *p = cg_tensor_new(CG_F32, CG_SHAPE(1, 32, 64, 1));
    for (size_t i = 0; i < p->count; i++) {
        const float *l = cg_tensor_f32(logits) + 2 * i;
        cg_tensor_f32(p)[i] = (float)(1 / (1 + exp((double)l[0] - (double)l[1])));
    }
    return p;
}

static void forward_equals_pytorch(gconstpointer data)
{
    Fixture f;
    set_up(&f, data, TRUE);
    g_autoptr(CgTensor) p = probability(&f);
    g_autoptr(CgTensor) want = test_fixture_image(f.n.expected, "eval/probability");
    test_assert_close("probability", p, want, 1e-5);
    tear_down(&f);
}

static void reconstruction_equals_pytorch(void)
{
    Fixture f;
    set_up(&f, &(Setting){cg_engine_cpu_new, FALSE, CG_DETECTOR_DRAEM}, TRUE);
    g_autoptr(CgTensor) reconstruction = NULL, logits = NULL;
    g_autoptr(CgTensor) want = test_fixture_image(f.n.expected, "eval/reconstruction");
    cg_draem_forward(&f.n.cx, &f.model->draem, f.small, FALSE, &reconstruction, &logits);
    test_assert_close("reconstruction", reconstruction, want, 1e-5);
    tear_down(&f);
}

static void three_losses_equal_pytorch(void)
{
    static const char *const names[3] = {"MSE", "SSIM", "focal"};
    Fixture f;
    double parts[3];
    set_up(&f, &(Setting){cg_engine_cpu_new, FALSE, CG_DETECTOR_DRAEM}, FALSE);
    cg_tensor_unref(cg_draem_loss(&f.n.cx, &f.model->draem, f.clean, f.picture, f.mask, parts));
    g_autoptr(CgTensor) expected = test_fixture_tensor(f.n.expected, "loss");
    for (int i = 0; i < 3; i++)
        assert_near(names[i], parts[i], (double)cg_tensor_f32(expected)[i], 1e-5);
    tear_down(&f);
}

/* KIND/NAME of the fixture against P's numbers; within LIMIT of its norm. */
static void assert_described(Fixture *f, const char *kind, const CgParameter *p,
                             const CgTensor *block, double limit)
{
    g_autofree char *key = g_strconcat(kind, "/", p->name, NULL);
    test_network_assert(&f->n, key, p, block, limit, ZERO);
}

static void loss_gradients_and_statistics_equal_pytorch(gconstpointer data)
{
    const Setting *s = data;
    Fixture f;
    double expected = 0;
    set_up(&f, s, FALSE);
    const double loss = backward(&f);
    g_autoptr(CgTensor) parts = test_fixture_tensor(f.n.expected, "loss");
    for (size_t i = 0; i < parts->count; i++)
        expected += (double)cg_tensor_f32(parts)[i];
    assert_near("loss", loss, expected, 1e-5);
    g_assert_cmpuint(cg_store_count(f.n.store), ==,
                     s->kind == CG_DETECTOR_DRAEM ? 200 + 98 : 110 + 54);
    for (guint i = 0; i < cg_store_count(f.n.store); i++) {
        const CgParameter *p = cg_store_nth(f.n.store, i);
        assert_described(&f, p->is_buffer ? "running" : "gradient", p,
                         p->is_buffer ? f.n.store->values : f.n.store->gradients, 1e-4);
    }
    tear_down(&f);
}

static void fifty_steps_follow_pytorch(gconstpointer data)
{
    Fixture f;
    CgOptimizer o;
    cg_optimizer_default(&o);
    o.rate = 1e-4;
    o.decay = o.clip = 0;
    set_up(&f, data, FALSE);
    g_autoptr(CgTensor) losses = test_fixture_tensor(f.n.expected, "losses");
    for (guint step = 0; step < losses->count; step++) {
        g_autoptr(GError) error = NULL;
        double norm;
        assert_near("loss", backward(&f), (double)cg_tensor_f32(losses)[step], 1e-4);
        cg_optimizer_step(&o, f.n.engine, f.n.store, step + 1, 1, &norm, &error);
        g_assert_no_error(error);
        cg_parameter_set_changed(&f.model->parameters);
    }
    /* Biases before norms have no gradient but rounding, which Adam makes steps of: losses do not
     * see it, running statistics lag behind it. */
    for (guint i = 0; i < cg_store_count(f.n.store); i++)
        if (g_str_has_suffix(cg_store_nth(f.n.store, i)->name, "running_var"))
            assert_described(&f, "variance", cg_store_nth(f.n.store, i), f.n.store->values, 3e-2);
    g_autoptr(CgTensor) p = probability(&f);
    g_autoptr(CgTensor) want = test_fixture_image(f.n.expected, "after/probability");
    test_assert_close("probability after the steps", p, want, 1e-2);
    tear_down(&f);
}

static void ssim_takes_the_range_of_the_data(void)
{
    Fixture f;
    set_up(&f, &(Setting){cg_engine_ref_new, FALSE, CG_DETECTOR_DRAEM}, TRUE);
    g_autoptr(CgTensor) expected = test_fixture_tensor(f.n.expected, "ssim_range");
    for (int i = 0; i < 3; i++) {
        g_autoptr(CgTensor) loss =
            cg_loss_ssim(&f.n.cx, f.picture, f.clean, (double[]){1, 2, 255}[i]);
        assert_near("SSIM", (double)cg_tensor_f32(loss)[0], (double)cg_tensor_f32(expected)[i],
                    1e-5);
    }
    float *any = cg_tensor_f32(f.picture) + 1234;
    g_assert_cmpfloat(cg_ssim_range(f.picture), ==, 1);
    *any = -0.5f;
    g_assert_cmpfloat(cg_ssim_range(f.picture), ==, 1);
    *any = -0.51f;
    g_assert_cmpfloat(cg_ssim_range(f.picture), ==, 2);
    *any = 129;
    g_assert_cmpfloat(cg_ssim_range(f.picture), ==, 255);
    tear_down(&f);
}

/* A perfect pixel costs nothing, a totally wrong one -ln(2e-5) (nearly). */
static void focal_loss_knows_its_extremes(void)
{
    Fixture f;
    set_up(&f, &(Setting){cg_engine_ref_new, FALSE, CG_DETECTOR_DRAEM}, TRUE);
    g_autoptr(CgTensor) logits = cg_tensor_zeros(CG_F32, CG_SHAPE(1, 1, 1, 2));
    g_autoptr(CgTensor) mask = cg_tensor_zeros(CG_F32, CG_SHAPE(1, 1, 1, 1));
    cg_tensor_f32(logits)[1] = 100;
    g_autoptr(CgTensor) wrong = cg_loss_focal(&f.n.cx, logits, mask);
    cg_tensor_f32(mask)[0] = 1;
    g_autoptr(CgTensor) right = cg_loss_focal(&f.n.cx, logits, mask);
    assert_near("wrong", (double)cg_tensor_f32(wrong)[0], 10.8193, 1e-4);
    g_assert_cmpfloat(fabs((double)cg_tensor_f32(right)[0]), <, 1e-12);
    tear_down(&f);
}

static void count_numbers(void *data, const char *name, const CgShape *shape)
{
    size_t *counts = data;
    if (!strstr(name, "running_"))
        counts[!cg_draem_is_reconstructive(name)] += cg_shape_count(shape);
}

static void original_size_has_the_published_counts(void)
{
    static const struct {
        CgDetectorKind kind;
        size_t reconstructive, segmenter;
    } rows[] = {{CG_DETECTOR_DRAEM, 69048579, 28374146},
                {CG_DETECTOR_UNET, 0, 28374146 - 3 * 64 * 9}};
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        const int width = cg_detector_default_width(rows[i].kind);
        CgDetectorNetwork d = {.config = cg_detector_network_config(rows[i].kind, width)};
        CgBinder b;
        size_t counts[2] = {0, 0};
        cg_binder_init_visit(&b, count_numbers, counts);
        cg_bind_detector_network(&b, &d);
        cg_binder_finish(&b, NULL);
        g_assert_cmpuint(counts[0], ==, rows[i].reconstructive);
        g_assert_cmpuint(counts[1], ==, rows[i].segmenter);
    }
}

static void configuration_survives_a_file(void)
{
    for (int kind = CG_DETECTOR_DRAEM; kind <= CG_DETECTOR_UNET; kind++) {
        g_autoptr(GError) error = NULL;
        const CgDetectorNetworkConfig config = cg_detector_network_config((CgDetectorKind)kind, 6);
        CgDetectorNetworkConfig read;
        g_autoptr(json_t) json = cg_detector_network_config_to_json(&config);
        cg_detector_network_config_parse(json, "here", &read, &error);
        g_assert_no_error(error);
        g_assert_cmpint(read.kind, ==, kind);
        g_assert_cmpint(read.draem.reconstructive_width, ==, config.draem.reconstructive_width);
        g_assert_cmpint(read.draem.discriminative_width, ==, config.draem.discriminative_width);
        g_assert_cmpint(read.unet_width, ==, config.unet_width);
    }
}

static void configuration_of_anything_else_is_refused(void)
{
    static const char *const texts[] = {"{}", "{\"_class_name\": \"UNet2DConditionModel\"}",
                                        "{\"_class_name\": \"UNetSegmenter\", \"width\": 0}",
                                        "{\"_class_name\": \"UNetSegmenter\", \"width\": 1025}",
                                        "{\"_class_name\": \"UNetSegmenter\", \"width\": \"64\"}"};
    for (guint i = 0; i < G_N_ELEMENTS(texts); i++) {
        g_autoptr(GError) error = NULL;
        CgDetectorNetworkConfig config;
        g_autoptr(json_t) json = json_loads(texts[i], 0, NULL);
        g_assert_false(cg_detector_network_config_parse(json, "here", &config, &error));
        g_assert_nonnull(error);
    }
}

/* Mean and deviation of a tensor of the initial weights. */
static void moments(const char *name, CgShape shape, CgDetectorInitial *w, double *mean, double *sd)
{
    g_autoptr(CgTensor) t = cg_detector_initial_weights(w, name, &shape, NULL);
    test_moments(t, mean, sd);
}

static void initial_weights_are_distributed_as_the_original_s(void)
{
    CgDetectorInitial w = {.seed = 3};
    double mean, sd;
    moments("encoder.block2.0.weight", CG_SHAPE(64, 64, 3, 3), &w, &mean, &sd);
    g_assert_cmpfloat(fabs(mean), <, 5e-4);
    assert_near("deviation", sd, 0.02, 0.02);
    moments("encoder.block2.0.bias", CG_SHAPE(4096), &w, &mean, &sd);
    assert_near("bias", sd, 1 / sqrt(576) / sqrt(3), 0.05);
    moments("encoder.block2.1.weight", CG_SHAPE(4096), &w, &mean, &sd);
    assert_near("scale", mean, 1, 0.002);
    assert_near("scale's deviation", sd, 0.02, 0.05);
    moments("encoder.block2.1.bias", CG_SHAPE(64), &w, &mean, &sd);
    g_assert_cmpfloat(mean, ==, 0);
    g_assert_cmpfloat(sd, ==, 0);
    moments("encoder.block2.1.running_var", CG_SHAPE(64), &w, &mean, &sd);
    g_assert_cmpfloat(mean, ==, 1);
}

/* Gradients and running statistics, bit for bit. */
static void threads_change_nothing(void)
{
    g_autofree float *first = NULL;
    const int most = omp_get_max_threads();
    for (int threads = 1; threads <= 3; threads += 2) {
        Fixture f;
        omp_set_num_threads(threads);
        set_up(&f, &(Setting){cg_engine_cpu_new, FALSE, CG_DETECTOR_DRAEM}, FALSE);
        backward(&f);
        const size_t bytes = f.n.store->used * sizeof(float);
        float *both = g_malloc(2 * bytes);
        memcpy(both, f.n.store->values->data, bytes);
        memcpy((char *)both + bytes, f.n.store->gradients->data, bytes);
        if (first)
            g_assert_cmpmem(first, 2 * bytes, both, 2 * bytes);
        g_free(first);
        first = both;
        tear_down(&f);
    }
    omp_set_num_threads(most);
}

static void rate_falls_twice_to_a_fifth(void)
{
    CgOptimizer o;
    cg_optimizer_default(&o);
    o.rate = 1e-4;
    o.course = CG_RATE_STEPS;
    o.steps = 700;
    const struct {
        guint64 step;
        double rate;
    } rows[] = {{1, 1e-4}, {560, 1e-4}, {561, 2e-5}, {630, 2e-5}, {631, 4e-6}, {700, 4e-6}};
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++)
        assert_near("rate", cg_optimizer_rate(&o, rows[i].step), rows[i].rate, 1e-12);
}

/* Running statistics are no weights: nothing but batches moves them. */
static void weight_decay_leaves_buffers_alone(void)
{
    Fixture f;
    g_autoptr(GError) error = NULL;
    double norm;
    CgOptimizer o;
    cg_optimizer_default(&o);
    o.decay = 0.5;
    o.rate = 0.1;
    set_up(&f, &(Setting){cg_engine_ref_new, FALSE, CG_DETECTOR_DRAEM}, FALSE);
    const CgParameter *p = cg_store_find(f.n.store, "encoder.block1.1.running_var");
    const CgParameter *w = cg_store_find(f.n.store, "encoder.block1.1.weight");
    const float before = cg_tensor_f32(f.n.store->values)[w->offset];
    cg_optimizer_step(&o, f.n.engine, f.n.store, 1, 1, &norm, &error);
    g_assert_no_error(error);
    g_assert_cmpfloat(cg_tensor_f32(f.n.store->values)[p->offset], ==, 1);
    g_assert_cmpfloat(cg_tensor_f32(f.n.store->values)[w->offset], <, before);
    tear_down(&f);
}

static void add(const char *row, const char *test, const Setting *setting, GTestDataFunc run)
{
    g_autofree char *path = g_strdup_printf("/%s/%s", row, test);
    g_test_add_data_func(path, setting, run);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        Setting setting;
    } rows[] = {{"draem/cpu", {cg_engine_cpu_new, FALSE, CG_DETECTOR_DRAEM}},
                {"draem/recompute", {cg_engine_cpu_new, TRUE, CG_DETECTOR_DRAEM}},
                {"draem/ref", {cg_engine_ref_new, FALSE, CG_DETECTOR_DRAEM}},
                {"unet/cpu", {cg_engine_cpu_new, FALSE, CG_DETECTOR_UNET}},
                {"unet/recompute", {cg_engine_cpu_new, TRUE, CG_DETECTOR_UNET}},
                {"unet/ref", {cg_engine_ref_new, FALSE, CG_DETECTOR_UNET}}};
    g_test_init(&argc, &argv, NULL);
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        const Setting *setting = &rows[i].setting;
        add(rows[i].name, "loss_gradients_and_statistics_equal_pytorch", setting,
            loss_gradients_and_statistics_equal_pytorch);
        if (setting->recompute)
            continue;
        add(rows[i].name, "forward_equals_pytorch", setting, forward_equals_pytorch);
        if (setting->engine_new == cg_engine_cpu_new)
            add(rows[i].name, "fifty_steps_follow_pytorch", setting, fifty_steps_follow_pytorch);
    }
    g_test_add_func("/draem/reconstruction_equals_pytorch", reconstruction_equals_pytorch);
    g_test_add_func("/draem/three_losses_equal_pytorch", three_losses_equal_pytorch);
    g_test_add_func("/detector/configuration_survives_a_file", configuration_survives_a_file);
    g_test_add_func("/detector/configuration_of_anything_else_is_refused",
                    configuration_of_anything_else_is_refused);
    g_test_add_func("/draem/ssim_takes_the_range_of_the_data", ssim_takes_the_range_of_the_data);
    g_test_add_func("/draem/focal_loss_knows_its_extremes", focal_loss_knows_its_extremes);
    g_test_add_func("/draem/original_size_has_the_published_counts",
                    original_size_has_the_published_counts);
    g_test_add_func("/draem/initial_weights_are_distributed_as_the_original_s",
                    initial_weights_are_distributed_as_the_original_s);
    g_test_add_func("/draem/threads_change_nothing", threads_change_nothing);
    g_test_add_func("/draem/rate_falls_twice_to_a_fifth", rate_falls_twice_to_a_fifth);
    g_test_add_func("/draem/weight_decay_leaves_buffers_alone", weight_decay_leaves_buffers_alone);
    return g_test_run();
}
