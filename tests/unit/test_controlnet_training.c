/* Stage 1: the loss of eq. (1), its gradients and the first AdamW steps, against PyTorch and
 * diffusers (tests/oracle/make_training_fixture.py, with PEFT's low-rank additions
 * make_lora_fixture.py) on the mini configuration. */
#include "autograd/optimizer.h"
#include "base/system.h"
#include "models/unet.h"
#include "pipeline/controlnet_loss.h"
#include "support/fixture.h"
#include "support/gradients.h"
#include "support/pseudo.h"

#include <math.h>

#define ZERO 3e-8 /* rounding, where the gradient is zero; the norm of all is 0.46 */

typedef struct {
    const char *name;
    CgEngine *(*engine_new)(void);
    gboolean recompute;
    gboolean lora; /* low-rank additions and what is the ControlNet's own, instead of all of it */
    gboolean small_moments;
} Setting;

typedef struct {
    CgEngine *engine;
    CgStore *store;
    CgTape *tape;
    CgContext cx;
    CgUnet *unet;
    CgControlnet *controlnet;
    CgNoiseSchedule *schedule;
    CgDiffusionBatch batch;
    int timesteps[2];
} Fixture;

static CgTensor *input_image(const char *name, double scale, double bias, int64_t c, int64_t side)
{
    g_autoptr(CgTensor) nchw = cg_tensor_new(CG_F32, CG_SHAPE(2, c, side, side));
    cg_pseudo_fill(name, scale, bias, cg_tensor_f32(nchw), nchw->count);
    return cg_tensor_nchw_to_nhwc(nchw);
}

/* Case B: what the U-Net has is copied from it, the zero convolutions are zero. */
static CgTensor *lookup_from_unet(void *source, const char *name, const CgShape *want,
                                  GPtrArray *problems)
{
    (void)source;
    if (!name)
        return NULL;
    const gboolean zero = g_str_has_prefix(name, "controlnet_down_blocks") ||
                          g_str_has_prefix(name, "controlnet_mid_block") ||
                          g_str_has_prefix(name, "controlnet_cond_embedding.conv_out");
    if (zero)
        return cg_tensor_zeros(CG_F32, *want);
    const gboolean own = g_str_has_prefix(name, "controlnet_");
    return test_pseudo_lookup((void *)(uintptr_t)(own ? "controlnet" : "unet"), name, want,
                              problems);
}

static void read_config(const char *name, gboolean control, CgUnetConfig *config)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *file = g_strconcat("models/", name, "/config.json", NULL);
    g_autofree char *path = test_fixture_path(file);
    g_autoptr(json_t) json = cg_json_load(path, &error);
    g_assert_no_error(error);
    cg_unet_config_parse(json, path, control, config, &error);
    g_assert_no_error(error);
}

/* Pseudo weights for A and B: as they are initialised, A would get no gradients. */
static void fill_additions(CgStore *store)
{
    for (guint i = 0; i < cg_store_count(store); i++) {
        const CgParameter *p = cg_store_nth(store, i);
        g_autofree char *name = g_strconcat("controlnet/", p->name, NULL);
        if (cg_lora_is_part(p->name))
            cg_pseudo_parameter(name, &p->shape, cg_tensor_f32(store->values) + p->offset);
    }
}

static void open_models(Fixture *f, gboolean from_unet, gboolean lora)
{
    g_autoptr(GError) error = NULL;
    CgUnetConfig config;
    CgBuild build = *TEST_PSEUDO_BUILD(f->engine, CG_F32, "unet");
    build.differentiable = TRUE;
    read_config("mini/unet", FALSE, &config);
    f->unet = cg_unet_new(&build, &config, &error);
    g_assert_no_error(error);
    f->store = cg_store_new((size_t)8 << 20);
    build = *TEST_PSEUDO_BUILD(f->engine, CG_F32, "controlnet");
    build.store = f->store;
    if (from_unet)
        build.lookup = lookup_from_unet;
    if (lora) {
        build.trains = cg_controlnet_is_own;
        build.lora = (CgLora){.rank = 4, .alpha = 6};
    }
    read_config("controlnet", TRUE, &config);
    f->controlnet = cg_controlnet_new(&build, &config, &error);
    g_assert_no_error(error);
    fill_additions(f->store);
}

static void set_up(Fixture *f, const Setting *s, gboolean from_unet)
{
    *f = (Fixture){.engine = s->engine_new(), .timesteps = {951, 17}};
    open_models(f, from_unet, s->lora);
    f->schedule = cg_noise_schedule_default();
    f->tape = cg_tape_new(f->engine, f->store);
    cg_context_init(&f->cx, f->engine, CG_F32);
    f->cx.tape = f->tape;
    f->cx.recompute = s->recompute;
    CgTensor *text = cg_tensor_new(CG_F32, CG_SHAPE(2, 11, 40));
    cg_pseudo_fill("input/ctx", 1.5, 0, cg_tensor_f32(text), text->count);
    f->batch = (CgDiffusionBatch){.latent = input_image("input/latent", 1.5, 0, 4, 16),
                                  .noise = input_image("input/noise", 1.7320508, 0, 4, 16),
                                  .timesteps = f->timesteps,
                                  .text = text,
                                  .control = input_image("input/cond", 0.5, 0.5, 3, 128)};
}

static void tear_down(Fixture *f)
{
    cg_tape_free(f->tape);
    cg_context_clear(&f->cx);
    cg_controlnet_free(f->controlnet);
    cg_unet_free(f->unet);
    cg_noise_schedule_free(f->schedule);
    cg_store_free(f->store);
    cg_tensor_unref(f->batch.latent);
    cg_tensor_unref(f->batch.noise);
    cg_tensor_unref(f->batch.text);
    cg_tensor_unref(f->batch.control);
    cg_engine_free(f->engine);
}

/* Loss and gradients of one batch. */
static double backward(Fixture *f)
{
    g_autoptr(GError) error = NULL;
    cg_store_zero_gradients(f->store);
    cg_tape_clear(f->tape);
    g_autoptr(CgTensor) loss =
        cg_controlnet_loss(&f->cx, f->controlnet, f->unet, f->schedule, &f->batch, NULL, NULL);
    const double value = (double)cg_tensor_f32(loss)[0];
    cg_context_ok(&f->cx, &error);
    g_assert_no_error(error);
    cg_tape_backward(f->tape, loss, 1, &error);
    g_assert_no_error(error);
    return value;
}

static void assert_near(const char *what, double value, double expected, double relative)
{
    if (!(fabs(value - expected) <= relative * fabs(expected)))
        g_error("%s: %.9g instead of %.9g", what, value, expected);
}

static void gradients_equal_pytorch(gconstpointer data)
{
    g_autoptr(CgSafetensors) file = test_fixture_open("training");
    Fixture f;
    set_up(&f, data, FALSE);
    assert_near("loss", backward(&f), 1.12946091, 1e-5);
    double norm =
        sqrt(f.engine->ops->square_sum(f.engine, f.store->used, cg_tensor_f32(f.store->gradients)));
    assert_near("gradient norm", norm, 0.456783616, 1e-4);
    g_assert_cmpuint(cg_store_count(f.store), ==, 340);
    test_assert_gradients(f.store, file, "a", ZERO);
    tear_down(&f);
}

static void low_rank_gradients_equal_peft(gconstpointer data)
{
    g_autoptr(CgSafetensors) file = test_fixture_open("lora");
    Fixture f;
    set_up(&f, data, FALSE);
    assert_near("loss", backward(&f), 1.13098909, 1e-5);
    g_assert_cmpuint(cg_store_count(f.store), ==, 154);
    test_assert_gradients(f.store, file, "a", ZERO);
    tear_down(&f);
}

/* Gradients reach one layer more with every step: the zero convolutions, then what is before them.
 */
static void gradients_wake_up_from_zero_convolutions(gconstpointer data)
{
    static const guint awake[] = {26, 326, 340};
    static const double losses[] = {1.148543317, 1.129963578, 1.105733295};
    Fixture f;
    CgOptimizer o;
    cg_optimizer_default(&o);
    o.rate = 1e-3;
    set_up(&f, data, TRUE);
    for (guint step = 0; step < 3; step++) {
        g_autoptr(GError) error = NULL;
        double norm;
        guint count = 0;
        assert_near("loss", backward(&f), losses[step], 1e-5);
        for (guint i = 0; i < cg_store_count(f.store); i++) {
            const CgParameter *p = cg_store_nth(f.store, i);
            gboolean any = FALSE;
            for (size_t j = 0; j < p->count; j++)
                any = any || cg_tensor_f32(f.store->gradients)[p->offset + j] != 0;
            count += any;
        }
        g_assert_cmpuint(count, ==, awake[step]);
        cg_optimizer_step(&o, f.engine, f.store, step + 1, 1, &norm, &error);
        g_assert_no_error(error);
        cg_parameter_set_changed(&f.controlnet->parameters);
    }
    tear_down(&f);
}

static void steps_follow_pytorch(gconstpointer data)
{
    const Setting *s = data;
    g_autoptr(CgSafetensors) file = test_fixture_open(s->lora ? "lora" : "training");
    g_autoptr(CgTensor) losses = test_fixture_tensor(file, "losses");
    g_autoptr(CgTensor) norms = test_fixture_tensor(file, "norms");
    Fixture f;
    CgOptimizer o;
    cg_optimizer_default(&o);
    o.rate = 1e-3;
    o.small_moments = s->small_moments;
    set_up(&f, data, FALSE);
    for (guint step = 0; step < losses->count; step++) {
        g_autoptr(GError) error = NULL;
        double norm;
        assert_near("loss", backward(&f), (double)cg_tensor_f32(losses)[step],
                    s->small_moments ? 1e-2 : 1e-3);
        cg_optimizer_step(&o, f.engine, f.store, step + 1, 1, &norm, &error);
        g_assert_no_error(error);
        assert_near("norm", norm, (double)cg_tensor_f32(norms)[step],
                    s->small_moments ? 5e-2 : 5e-3);
        cg_parameter_set_changed(&f.controlnet->parameters);
    }
    tear_down(&f);
}

int main(int argc, char **argv)
{
    static const Setting cpu = {.name = "cpu", .engine_new = cg_engine_cpu_new};
    static const Setting cpu_recompute = {
        .name = "cpu_recompute", .engine_new = cg_engine_cpu_new, .recompute = TRUE};
    static const Setting ref = {.name = "ref", .engine_new = cg_engine_ref_new};
    static const Setting lora = {.name = "lora", .engine_new = cg_engine_cpu_new, .lora = TRUE};
    static const Setting lora_recompute = {
        .name = "lora_recompute", .engine_new = cg_engine_cpu_new, .recompute = TRUE, .lora = TRUE};
    static const Setting bytes = {
        .name = "bytes", .engine_new = cg_engine_cpu_new, .small_moments = TRUE};
    g_test_init(&argc, &argv, NULL);
    g_test_add_data_func("/controlnet/cpu/gradients_equal_pytorch", &cpu, gradients_equal_pytorch);
    g_test_add_data_func("/controlnet/cpu_recompute/gradients_equal_pytorch", &cpu_recompute,
                         gradients_equal_pytorch);
    g_test_add_data_func("/controlnet/ref/gradients_equal_pytorch", &ref, gradients_equal_pytorch);
    g_test_add_data_func("/controlnet/cpu/gradients_wake_up_from_zero_convolutions", &cpu,
                         gradients_wake_up_from_zero_convolutions);
    g_test_add_data_func("/controlnet/cpu/twenty_steps_follow_pytorch", &cpu, steps_follow_pytorch);
    g_test_add_data_func("/controlnet/bytes/twenty_steps_follow_pytorch", &bytes,
                         steps_follow_pytorch);
    g_test_add_data_func("/controlnet/lora/low_rank_gradients_equal_peft", &lora,
                         low_rank_gradients_equal_peft);
    g_test_add_data_func("/controlnet/lora_recompute/low_rank_gradients_equal_peft",
                         &lora_recompute, low_rank_gradients_equal_peft);
    g_test_add_data_func("/controlnet/lora/five_steps_follow_peft", &lora, steps_follow_pytorch);
    return g_test_run();
}
