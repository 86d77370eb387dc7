/* The sampling loop and latent fusion against the reference implementation: 10 steps, guidance 7.5,
 * ControlNet on both halves of the batch, mini models with pseudo weights. */
#include "base/system.h"
#include "pipeline/denoise.h"
#include "support/fixture.h"

#include <string.h>

#define LIMIT 1e-4

typedef struct {
    CgEngine *engine;
    CgModel model;
    CgDenoiser *denoiser;
    CgSafetensors *file;
} Fixture;

static json_t *load_config(const char *name)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *file = g_strconcat("models/", name, "/config.json", NULL);
    g_autofree char *path = test_fixture_path(file);
    json_t *config = cg_json_load(path, &error);
    g_assert_no_error(error);
    return config;
}

static void set_up(Fixture *f, gconstpointer data)
{
    (void)data;
    g_autoptr(GError) error = NULL;
    g_autoptr(json_t) unet_json = load_config("mini/unet");
    g_autoptr(json_t) control_json = load_config("controlnet");
    g_autoptr(json_t) vae_json = load_config("mini/vae");
    CgUnetConfig unet, control;
    CgVaeConfig vae;
    f->engine = cg_engine_cpu_new();
    f->model = (CgModel){.engine = f->engine, .dtype = CG_F32, .path = (char *)"mini"};
    cg_unet_config_parse(unet_json, "unet", FALSE, &unet, &error);
    g_assert_no_error(error);
    cg_unet_config_parse(control_json, "controlnet", TRUE, &control, &error);
    g_assert_no_error(error);
    cg_vae_config_parse(vae_json, "vae", &vae, &error);
    g_assert_no_error(error);
    f->model.unet = cg_unet_new(TEST_PSEUDO_BUILD(f->engine, CG_F32, "unet"), &unet, &error);
    f->model.controlnet =
        cg_controlnet_new(TEST_PSEUDO_BUILD(f->engine, CG_F32, "controlnet"), &control, &error);
    f->model.vae = cg_vae_new(TEST_PSEUDO_BUILD(f->engine, CG_F32, "vae"), &vae, &error);
    f->model.schedule = cg_noise_schedule_default();
    f->denoiser = cg_denoiser_new(&f->model);
    f->file = test_fixture_open("sampling");
    g_assert_no_error(error);
}

static void tear_down(Fixture *f, gconstpointer data)
{
    (void)data;
    cg_denoiser_free(f->denoiser);
    cg_unet_free(f->model.unet);
    cg_controlnet_free(f->model.controlnet);
    cg_vae_free(f->model.vae);
    cg_noise_schedule_free(f->model.schedule);
    cg_safetensors_free(f->file);
    cg_engine_free(f->engine);
}

static CgDenoiseSettings settings(CgSamplerKind sampler)
{
    CgDenoiseSettings s;
    cg_denoise_settings_default(&s);
    s.prompt = NULL; /* the states are given */
    s.sampler = sampler;
    s.steps = 10;
    return s;
}

/* Unconditional states, then conditional ones. */
static CgTensor *both_texts(Fixture *f)
{
    g_autoptr(CgTensor) empty = test_fixture_tensor(f->file, "ctx_uncond");
    g_autoptr(CgTensor) text = test_fixture_tensor(f->file, "ctx");
    CgTensor *both = cg_tensor_new(CG_F32, CG_SHAPE(2, text->shape.d[1], text->shape.d[2]));
    memcpy(both->data, empty->data, cg_tensor_bytes(empty));
    memcpy((char *)both->data + cg_tensor_bytes(empty), text->data, cg_tensor_bytes(text));
    return both;
}

static CgTensor *sample(Fixture *f, const CgDenoiseSettings *s, CgStepFunction after_step,
                        void *data, GError **error)
{
    g_autoptr(CgTensor) texts = both_texts(f);
    g_autoptr(CgTensor) eps = test_fixture_image(f->file, "x_T");
    g_autoptr(CgTensor) cond = test_fixture_image(f->file, "cond");
    if (!cg_denoiser_use_text(f->denoiser, texts, s->guess_mode, error))
        return NULL;
    return cg_denoise(f->denoiser, s, eps, cond, NULL, 0, 0, after_step, data, error);
}

static void expect_final(Fixture *f, const CgDenoiseSettings *s, const char *key)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(CgTensor) got = sample(f, s, NULL, NULL, &error);
    g_assert_no_error(error);
    g_autoptr(CgTensor) want = test_fixture_image(f->file, key);
    test_assert_close(key, got, want, LIMIT);
}

static void ten_ddim_steps_equal_reference(Fixture *f, gconstpointer data)
{
    (void)data;
    const CgDenoiseSettings s = settings(CG_SAMPLER_DDIM);
    expect_final(f, &s, "ddim.final");
}

static void ten_dpm_solver_steps_equal_reference(Fixture *f, gconstpointer data)
{
    (void)data;
    CgDenoiseSettings s = settings(CG_SAMPLER_DPMPP_2M);
    expect_final(f, &s, "dpmpp.final");
    s.sampler_options.karras = CG_KARRAS_ON;
    expect_final(f, &s, "dpmpp_karras.final");
}

static void ten_euler_steps_equal_reference(Fixture *f, gconstpointer data)
{
    (void)data;
    const CgDenoiseSettings s = settings(CG_SAMPLER_EULER);
    expect_final(f, &s, "euler.final");
}

static void control_window_equals_reference(Fixture *f, gconstpointer data)
{
    (void)data;
    CgDenoiseSettings s = settings(CG_SAMPLER_DDIM);
    s.control_start = 0.2;
    s.control_end = 0.7;
    expect_final(f, &s, "ddim_part.final");
}

static void guess_mode_equals_reference(Fixture *f, gconstpointer data)
{
    (void)data;
    CgDenoiseSettings s = settings(CG_SAMPLER_DDIM);
    s.guess_mode = TRUE;
    expect_final(f, &s, "ddim_guess.final");
}

static void prediction_of_v_equals_reference(Fixture *f, gconstpointer data)
{
    (void)data;
    const CgDenoiseSettings s = settings(CG_SAMPLER_DDIM);
    f->model.schedule->prediction = CG_PREDICTION_V;
    expect_final(f, &s, "ddim_v.final");
}

static void fused_picture_equals_reference(Fixture *f, gconstpointer data)
{
    (void)data;
    g_autoptr(CgSafetensors) file = test_fixture_open("fusion");
    CgContext *cx = cg_denoiser_context(f->denoiser);
    g_autoptr(CgTensor) image = test_fixture_image(file, "image");
    g_autoptr(CgTensor) z_g = test_fixture_image(file, "z_g");
    g_autoptr(CgTensor) mask4 = test_fixture_image(file, "mask");
    g_autoptr(CgTensor) mask =
        cg_tensor_reshape(mask4, CG_SHAPE(mask4->shape.d[1], mask4->shape.d[2]));
    g_autoptr(CgTensor) moments = cg_vae_encode(cx, f->model.vae, image);
    g_autoptr(CgTensor) z_i = cg_vae_latent(f->model.vae, moments, NULL);
    g_autoptr(CgTensor) want_z_i = test_fixture_image(file, "z_i");
    test_assert_close("z_i", z_i, want_z_i, LIMIT);
    g_autoptr(CgTensor) z_f = cg_tensor_copy(z_g, CG_F32);
    cg_fuse_latents(z_g, z_i, mask, z_f);
    g_autoptr(CgTensor) want_z_f = test_fixture_image(file, "z_f");
    test_assert_close("z_f", z_f, want_z_f, LIMIT);
    g_autoptr(CgTensor) fused = cg_vae_decode(cx, f->model.vae, z_f);
    g_autoptr(CgTensor) want_fused = test_fixture_image(file, "fused");
    test_assert_close("fused picture", fused, want_fused, LIMIT);
}

static void results_do_not_depend_on_threads(Fixture *f, gconstpointer data)
{
    (void)data;
    g_autoptr(GError) error = NULL;
    CgDenoiseSettings s = settings(CG_SAMPLER_DDIM);
    s.steps = 2;
    cg_threads_set(1);
    g_autoptr(CgTensor) one = sample(f, &s, NULL, NULL, &error);
    cg_threads_set(3);
    g_autoptr(CgTensor) three = sample(f, &s, NULL, NULL, &error);
    cg_threads_set(0);
    g_assert_no_error(error);
    g_assert_cmpmem(one->data, cg_tensor_bytes(one), three->data, cg_tensor_bytes(three));
}

static void step_fusion_ends_with_the_normal_latent_outside(Fixture *f, gconstpointer data)
{
    (void)data;
    g_autoptr(GError) error = NULL;
    CgDenoiseSettings s = settings(CG_SAMPLER_DPMPP_2M);
    g_autoptr(CgTensor) texts = both_texts(f);
    g_autoptr(CgTensor) eps = test_fixture_image(f->file, "x_T");
    g_autoptr(CgTensor) z_i = cg_tensor_new(CG_F32, eps->shape);
    g_autoptr(CgTensor) mask = cg_tensor_zeros(CG_F32, CG_SHAPE(16, 16));
    for (size_t i = 0; i < z_i->count; i++)
        cg_tensor_f32(z_i)[i] = (float)(i % 7) - 3;
    cg_tensor_f32(mask)[5] = 1;
    s.steps = 3;
    const CgKnownLatent known = {.z_i = z_i, .mask = mask};
    g_assert_true(cg_denoiser_use_text(f->denoiser, texts, FALSE, &error));
    g_autoptr(CgTensor) z =
        cg_denoise(f->denoiser, &s, eps, NULL, &known, 0, 0, NULL, NULL, &error);
    g_assert_no_error(error);
    for (size_t i = 0; i < z->count; i++) {
        if (i / 4 == 5)
            g_assert_cmpfloat(cg_tensor_f32(z)[i], !=, cg_tensor_f32(z_i)[i]);
        else
            g_assert_cmpfloat(cg_tensor_f32(z)[i], ==, cg_tensor_f32(z_i)[i]);
    }
}

/* The reference's state after five of ten steps is z_i with noise, for some z_i: from there on both
 * go the same way. */
static void half_strength_goes_on_from_the_normal_latent(Fixture *f, gconstpointer data)
{
    (void)data;
    g_autoptr(GError) error = NULL;
    CgDenoiseSettings s = settings(CG_SAMPLER_DDIM);
    double signal, noise;
    s.strength = 0.5;
    g_autoptr(CgSampler) sampler =
        cg_sampler_new(f->model.schedule, s.sampler, s.steps, NULL, &error);
    g_assert_no_error(error);
    cg_sampler_level(sampler, 5, &signal, &noise);
    g_autoptr(CgTensor) texts = both_texts(f);
    g_autoptr(CgTensor) eps = test_fixture_image(f->file, "x_T");
    g_autoptr(CgTensor) cond = test_fixture_image(f->file, "cond");
    g_autoptr(CgTensor) z_i = test_fixture_image(f->file, "ddim.step5");
    for (size_t i = 0; i < z_i->count; i++)
        cg_tensor_f32(z_i)[i] =
            (float)((cg_tensor_f32(z_i)[i] - noise * cg_tensor_f32(eps)[i]) / signal);
    const CgKnownLatent known = {.z_i = z_i};
    g_assert_true(cg_denoiser_use_text(f->denoiser, texts, FALSE, &error));
    g_autoptr(CgTensor) got =
        cg_denoise(f->denoiser, &s, eps, cond, &known, 0, 0, NULL, NULL, &error);
    g_assert_no_error(error);
    g_autoptr(CgTensor) want = test_fixture_image(f->file, "ddim.final");
    test_assert_close("ddim.final", got, want, LIMIT);
}

static void strength_leaves_steps_out_as_diffusers_does(void)
{
    CgDenoiseSettings s = settings(CG_SAMPLER_DDIM);
    g_assert_cmpint(cg_denoise_skipped(&s), ==, 0);
    s.strength = 0.75; /* int(10 * 0.75) = 7 are left */
    g_assert_cmpint(cg_denoise_skipped(&s), ==, 3);
}

static void impossible_strengths_are_refused(Fixture *f, gconstpointer data)
{
    (void)data;
    static const struct {
        CgSamplerKind sampler;
        double strength;
    } cases[] = {{CG_SAMPLER_DDIM, 0},       {CG_SAMPLER_DDIM, 1.5}, {CG_SAMPLER_DDIM, 0.09},
                 {CG_SAMPLER_DPMPP_2M, 0.5}, {CG_SAMPLER_PNDM, 0.5}, {CG_SAMPLER_UNIPC, 0.5}};
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        CgDenoiseSettings s = settings(cases[i].sampler);
        s.strength = cases[i].strength;
        g_assert_false(cg_denoise_check(&f->model, &s, &error));
        g_assert_error(error, CG_ERROR, CG_ERROR_USAGE);
    }
}

static gboolean stop_after_two(void *data, int step, int steps)
{
    int *calls = data;
    g_assert_cmpint(steps, ==, 10);
    (*calls)++;
    return step < 2;
}

static void run_stops_when_told(Fixture *f, gconstpointer data)
{
    (void)data;
    g_autoptr(GError) error = NULL;
    const CgDenoiseSettings s = settings(CG_SAMPLER_DDIM);
    int calls = 0;
    g_autoptr(CgTensor) z = sample(f, &s, stop_after_two, &calls, &error);
    g_assert_null(z);
    g_assert_error(error, CG_ERROR, CG_ERROR_CANCELLED);
    g_assert_cmpint(calls, ==, 2);
}

static void steady_steps_take_no_memory_from_the_system(Fixture *f, gconstpointer data)
{
    (void)data;
    g_autoptr(GError) error = NULL;
    CgDenoiseSettings s = settings(CG_SAMPLER_DDIM);
    CgEngineInfo before, after;
    s.steps = 2;
    cg_tensor_unref(sample(f, &s, NULL, NULL, &error));
    cg_engine_cpu_info(f->engine, &before);
    s.steps = 5;
    cg_tensor_unref(sample(f, &s, NULL, NULL, &error));
    cg_engine_cpu_info(f->engine, &after);
    g_assert_no_error(error);
    g_assert_cmpuint(after.system_allocations, ==, before.system_allocations);
}

#define ADD(test) g_test_add("/denoise/" #test, Fixture, NULL, set_up, test, tear_down)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD(ten_ddim_steps_equal_reference);
    ADD(ten_dpm_solver_steps_equal_reference);
    ADD(ten_euler_steps_equal_reference);
    ADD(control_window_equals_reference);
    ADD(guess_mode_equals_reference);
    ADD(prediction_of_v_equals_reference);
    ADD(fused_picture_equals_reference);
    ADD(results_do_not_depend_on_threads);
    ADD(step_fusion_ends_with_the_normal_latent_outside);
    ADD(half_strength_goes_on_from_the_normal_latent);
    ADD(impossible_strengths_are_refused);
    g_test_add_func("/denoise/strength_leaves_steps_out_as_diffusers_does",
                    strength_leaves_steps_out_as_diffusers_does);
    ADD(run_stops_when_told);
    ADD(steady_steps_take_no_memory_from_the_system);
    return g_test_run();
}
