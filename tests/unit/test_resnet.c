/* ResNet-18 and -34 against torchvision (tests/oracle/make_resnet_fixture.py): outputs, gradients,
 * running statistics; first stage of 8 channels, 5 classes. */
#include "models/resnet_classifier.h"
#include "ops/loss.h"
#include "support/fixture.h"
#include "support/network.h"
#include "support/pseudo.h"

#include <math.h>
#include <omp.h>

typedef struct {
    CgEngine *(*engine_new)(void);
    int depth;
    gboolean recompute;
} Setting;

typedef struct {
    const Setting *setting;
    TestNetwork n;
    CgResnetClassifier *model;
    CgTensor *picture;
} Fixture;

static void set_up(Fixture *f, const Setting *s, gboolean evaluation)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(CgTensor) nchw = cg_tensor_new(CG_F32, CG_SHAPE(3, 3, 67, 61));
    const CgResnetClassifierConfig config = {.depth = s->depth, .width = 8, .classes = 5};
    f->setting = s;
    test_network_init(&f->n, "resnet", "resnet", 1, s->engine_new, !evaluation);
    f->n.cx.recompute = s->recompute;
    f->model = cg_resnet_classifier_new(&f->n.build, &config, &error);
    g_assert_no_error(error);
    cg_pseudo_fill("input/picture", 1, 0, cg_tensor_f32(nchw), nchw->count);
    f->picture = cg_tensor_nchw_to_nhwc(nchw);
}

static void tear_down(Fixture *f)
{
    cg_tensor_unref(f->picture);
    cg_resnet_classifier_free(f->model);
    test_network_clear(&f->n);
}

static void assert_equals(Fixture *f, const char *what, const CgTensor *t, double limit)
{
    g_autofree char *key = g_strdup_printf("%d/%s", f->setting->depth, what);
    g_autoptr(CgTensor) want = test_fixture_tensor(f->n.expected, key);
    test_assert_close(key, t, want, limit);
}

static void features_and_logits_equal_torchvision(gconstpointer data)
{
    Fixture f;
    set_up(&f, data, TRUE);
    g_autoptr(CgTensor) features =
        cg_resnet_classifier_features(&f.n.cx, f.model, f.picture, FALSE);
    g_autoptr(CgTensor) logits = cg_resnet_classifier_logits(&f.n.cx, f.model, features);
    assert_equals(&f, "features", features, 1e-5);
    assert_equals(&f, "logits", logits, 1e-5);
    tear_down(&f);
}

/* The loss; its gradients are in the store. */
static CgTensor *backward(Fixture *f, CgTensor **logits)
{
    CgContext *cx = &f->n.cx;
    g_autoptr(CgTensor) features = cg_resnet_classifier_features(cx, f->model, f->picture, TRUE);
    g_autoptr(CgTensor) answer = cg_resnet_classifier_logits(cx, f->model, features);
    CgTensor *loss = cg_loss_cross_entropy(cx, answer, (const int[]){3, 0, 4});
    test_network_backward(&f->n, loss);
    if (logits)
        *logits = cg_tensor_ref(answer);
    return loss;
}

static void training_equals_torchvision(gconstpointer data)
{
    Fixture f;
    set_up(&f, data, FALSE);
    g_autoptr(CgTensor) logits = NULL;
    g_autoptr(CgTensor) loss = backward(&f, &logits);
    assert_equals(&f, "training/logits", logits, 1e-4);
    assert_equals(&f, "loss", loss, 1e-4);
    for (guint i = 0; f.setting->depth == 18 && i < cg_store_count(f.n.store); i++) {
        const CgParameter *p = cg_store_nth(f.n.store, i);
        g_autofree char *key =
            g_strdup_printf("18/%s/%s", p->is_buffer ? "running" : "gradient", p->name);
        test_network_assert(&f.n, key, p, p->is_buffer ? f.n.store->values : f.n.store->gradients,
                            2e-4, 0);
    }
    tear_down(&f);
}

static void threads_change_nothing(void)
{
    const Setting setting = {cg_engine_cpu_new, 18, FALSE};
    g_autofree float *first = NULL;
    const int most = omp_get_max_threads();
    for (int threads = 1; threads <= 3; threads += 2) {
        Fixture f;
        omp_set_num_threads(threads);
        set_up(&f, &setting, FALSE);
        cg_tensor_unref(backward(&f, NULL));
        const size_t bytes = f.n.store->used * sizeof(float);
        if (first)
            g_assert_cmpmem(first, bytes, f.n.store->gradients->data, bytes);
        else
            first = g_memdup2(f.n.store->gradients->data, bytes);
        tear_down(&f);
    }
    omp_set_num_threads(most);
}

static void count_numbers(void *data, const char *name, const CgShape *shape)
{
    size_t *counts = data;
    if (!strstr(name, "running_"))
        counts[cg_resnet_classifier_is_head(name)] += cg_shape_count(shape);
}

static void torchvision_s_size_has_the_published_counts(void)
{
    const struct {
        int depth;
        size_t trunk;
    } rows[] = {{18, 11176512}, {34, 21284672}};
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        CgResnetClassifier r = {.config = {.depth = rows[i].depth, .width = 64, .classes = 1000}};
        CgBinder b;
        size_t counts[2] = {0, 0};
        cg_binder_init_visit(&b, count_numbers, counts);
        cg_bind_resnet_classifier(&b, &r);
        cg_binder_finish(&b, NULL);
        g_assert_cmpuint(counts[0], ==, rows[i].trunk);
        g_assert_cmpuint(counts[1], ==, 513000);
    }
}

static double deviation(const char *name, CgShape shape, CgResnetClassifierInitial *w, double *mean)
{
    g_autoptr(CgTensor) t = cg_resnet_classifier_initial_weights(w, name, &shape, NULL);
    double sd;
    test_moments(t, mean, &sd);
    return sd;
}

static void initial_weights_are_distributed_as_torchvision_s(void)
{
    CgResnetClassifierInitial w = {.seed = 3};
    double mean, sd = deviation("layer2.0.conv1.weight", CG_SHAPE(128, 64, 3, 3), &w, &mean);
    g_assert_cmpfloat_with_epsilon(sd, sqrt(2.0 / (128 * 9)), 4e-4);
    g_assert_cmpfloat_with_epsilon(mean, 0, 5e-4);
    sd = deviation("layer2.0.bn1.weight", CG_SHAPE(64), &w, &mean);
    g_assert_cmpfloat(mean, ==, 1);
    g_assert_cmpfloat(sd, ==, 0);
    deviation("layer2.0.bn1.bias", CG_SHAPE(64), &w, &mean);
    g_assert_cmpfloat(mean, ==, 0);
    deviation("layer2.0.bn1.running_var", CG_SHAPE(64), &w, &mean);
    g_assert_cmpfloat(mean, ==, 1);
    sd = deviation("fc.weight", CG_SHAPE(100, 512), &w, &mean);
    g_assert_cmpfloat_with_epsilon(sd, 1 / sqrt(512.0) / sqrt(3.0), 3e-4);
    sd = deviation("fc.bias", CG_SHAPE(4096), &w, &mean);
    g_assert_cmpfloat_with_epsilon(sd, 1 / sqrt(512.0) / sqrt(3.0), 1e-3);
}

int main(int argc, char **argv)
{
    static const Setting cpu = {cg_engine_cpu_new, 18, FALSE}, ref = {cg_engine_ref_new, 18, FALSE};
    static const Setting recompute = {cg_engine_cpu_new, 18, TRUE};
    static const Setting deep = {cg_engine_cpu_new, 34, FALSE};
    g_test_init(&argc, &argv, NULL);
    g_test_add_data_func("/resnet/cpu/features_and_logits_equal_torchvision", &cpu,
                         features_and_logits_equal_torchvision);
    g_test_add_data_func("/resnet/ref/features_and_logits_equal_torchvision", &ref,
                         features_and_logits_equal_torchvision);
    g_test_add_data_func("/resnet/34/features_and_logits_equal_torchvision", &deep,
                         features_and_logits_equal_torchvision);
    g_test_add_data_func("/resnet/cpu/training_equals_torchvision", &cpu,
                         training_equals_torchvision);
    g_test_add_data_func("/resnet/ref/training_equals_torchvision", &ref,
                         training_equals_torchvision);
    g_test_add_data_func("/resnet/recompute/training_equals_torchvision", &recompute,
                         training_equals_torchvision);
    g_test_add_data_func("/resnet/34/training_equals_torchvision", &deep,
                         training_equals_torchvision);
    g_test_add_func("/resnet/threads_change_nothing", threads_change_nothing);
    g_test_add_func("/resnet/torchvision_s_size_has_the_published_counts",
                    torchvision_s_size_has_the_published_counts);
    g_test_add_func("/resnet/initial_weights_are_distributed_as_torchvision_s",
                    initial_weights_are_distributed_as_torchvision_s);
    return g_test_run();
}
