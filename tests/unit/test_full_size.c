/* Networks of Stable Diffusion 1.5's full size on small pictures, against values that the reference
 * implementation printed for the same pseudo weights (f64). Takes 5 GB of memory and a minute:
 * runs with CAGEN_TEST_FULL=1 only (make check-full). */
#include "models/clip_text.h"
#include "models/unet.h"
#include "models/vae.h"
#include "support/fixture.h"
#include "support/pseudo.h"

#include <math.h>

#define TOLERANCE 2e-5

typedef struct {
    float first[4];
    double mean, rms;
    float last;
} Printed;

static const struct {
    Printed plain, controlled, residuals[13];
} unet_printed = {
    .plain = {{0.108757f, -0.09595117f, 0.1367578f, 0.2205901f},
              -0.02112167,
              0.36842094,
              -0.2463376f},
    .controlled = {{-0.1116871f, 0.1665577f, 0.07405035f, 0.1883348f},
                   -0.004552501,
                   0.36954326,
                   -0.1180459f},
    .residuals =
        {
            {{0.0416416f, -0.4856402f, -0.07698643f, 0.08938406f},
             0.001876204,
             0.28060455,
             0.1305714f},
            {{0.03184124f, -0.003544319f, -0.4488287f, 0.120743f},
             -0.002631048,
             0.39607941,
             0.3362448f},
            {{-1.178314f, 0.05384543f, -0.551063f, 0.3169127f},
             0.0002132922,
             0.48072116,
             -0.3596802f},
            {{-0.1557134f, -0.288077f, -0.1986072f, 0.06698591f},
             0.002893648,
             0.27796035,
             -0.03141483f},
            {{-0.2090841f, 0.08561f, -0.0648819f, -0.126132f}, 0.006100812, 0.3282362, 0.1512928f},
            {{-0.2159884f, -0.3078346f, -0.4899468f, -0.2818777f},
             -0.02048507,
             0.4463259,
             0.332487f},
            {{0.05838553f, -0.007663246f, 0.02081823f, 0.2121209f},
             -0.01132814,
             0.24800255,
             -0.0762267f},
            {{-0.1421816f, -0.1795267f, 0.03161637f, -0.07855411f},
             -0.001772903,
             0.31917614,
             0.1612061f},
            {{0.138851f, -0.0942919f, -0.5440955f, -0.3900386f},
             -0.01428792,
             0.42977567,
             0.3326476f},
            {{-0.07648933f, -0.1655415f, -0.5133653f, -0.4153717f},
             0.007962362,
             0.21808251,
             -0.3019193f},
            {{-0.2017887f, -0.008076237f, -0.1032045f, -0.08044755f},
             0.002832036,
             0.25784213,
             -0.6132463f},
            {{0.2643675f, 0.276325f, -0.2808552f, -0.03166816f},
             0.001419705,
             0.2959316,
             0.2082951f},
            {{-0.04556803f, -0.7527621f, -0.5715115f, -0.2980203f},
             0.0009479402,
             0.41046715,
             -0.1193385f},
        },
};

static const Printed moments_printed = {
    {0.1817922f, 0.1047121f, 0.3076446f, 0.1759488f}, -0.03655645, 0.1653317, 0.0450697f};
static const Printed decoded_printed = {
    {-0.08393381f, -0.0006476382f, 0.005807411f, 0.0431054f}, 0.04886091, 0.45774935, -0.03862369f};
static const Printed text_printed = {
    {-0.2515871f, -0.3448133f, -1.054237f, -0.09163875f}, 0.006864725, 0.99850409, -0.30714f};
static const Printed text_skip_printed = {
    {-0.1496661f, -0.01115809f, -0.9340061f, 0.09779392f}, 0.007414153, 0.99867326, -0.7147749f};

/* T in the reference's order against the printed numbers. */
static void expect(const char *what, const CgTensor *t, const Printed *want)
{
    const float *x = cg_tensor_f32(t);
    double sum = 0, squares = 0;
    for (size_t i = 0; i < t->count; i++) {
        sum += x[i];
        squares += (double)x[i] * x[i];
    }
    g_test_message("%s", what);
    for (int i = 0; i < 4; i++)
        g_assert_cmpfloat_with_epsilon(x[i], want->first[i], TOLERANCE);
    g_assert_cmpfloat_with_epsilon(x[t->count - 1], want->last, TOLERANCE);
    g_assert_cmpfloat_with_epsilon(sum / (double)t->count, want->mean, TOLERANCE);
    g_assert_cmpfloat_with_epsilon(sqrt(squares / (double)t->count), want->rms, TOLERANCE);
}

static void expect_image(const char *what, const CgTensor *nhwc, const Printed *want)
{
    g_autoptr(CgTensor) t = cg_tensor_nhwc_to_nchw(nhwc);
    expect(what, t, want);
}

static CgTensor *input(const char *name, CgShape nchw, double scale, double bias)
{
    g_autofree char *full = g_strconcat("input/", name, NULL);
    g_autoptr(CgTensor) t = cg_tensor_new(CG_F32, nchw);
    cg_pseudo_fill(full, scale, bias, cg_tensor_f32(t), t->count);
    return cg_tensor_nchw_to_nhwc(t);
}

static gboolean skip(void)
{
    if (g_getenv("CAGEN_TEST_FULL"))
        return FALSE;
    g_test_skip("takes 5 GB and a minute; set CAGEN_TEST_FULL=1 (make check-full)");
    return TRUE;
}

static void unet_and_controlnet_have_the_printed_values(void)
{
    if (skip())
        return;
    g_autoptr(GError) error = NULL;
    g_autoptr(CgEngine) engine = cg_engine_cpu_new();
    CgUnetConfig config, control_config;
    CgTextCache text, control_text;
    CgControlResiduals residuals;
    CgContext cx;
    const double t = 501;
    cg_context_init(&cx, engine, CG_F32);
    cg_unet_config_default(&config, FALSE);
    cg_unet_config_default(&control_config, TRUE);
    g_autoptr(CgUnet) unet =
        cg_unet_new(TEST_PSEUDO_BUILD(engine, CG_F32, "unet"), &config, &error);
    g_autoptr(CgControlnet) control =
        cg_controlnet_new(TEST_PSEUDO_BUILD(engine, CG_F32, "controlnet"), &control_config, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(unet->parameters.count, ==, 859520964);
    g_assert_cmpuint(control->parameters.count, ==, 361279120);
    g_autoptr(CgTensor) latent = input("latent", CG_SHAPE(1, 4, 16, 16), 1.5, 0);
    g_autoptr(CgTensor) cond = input("cond", CG_SHAPE(1, 3, 128, 128), 0.5, 0.5);
    g_autoptr(CgTensor) ctx = cg_tensor_new(CG_F32, CG_SHAPE(1, 77, 768));
    cg_pseudo_fill("input/ctx", 1.5, 0, cg_tensor_f32(ctx), ctx->count);

    cg_unet_prepare(&cx, unet, ctx, &text);
    cg_controlnet_prepare_text(&cx, control, ctx, &control_text);
    g_autoptr(CgTensor) hint = cg_controlnet_prepare_hint(&cx, control, cond);
    cg_controlnet_forward(&cx, control, latent, &t, 1, &control_text, hint, &residuals);
    g_autoptr(CgTensor) plain = cg_unet_forward(&cx, unet, latent, &t, 1, &text, NULL);
    g_autoptr(CgTensor) controlled = cg_unet_forward(&cx, unet, latent, &t, 1, &text, &residuals);
    g_assert_true(cg_context_ok(&cx, &error));
    expect_image("U-Net", plain, &unet_printed.plain);
    for (int k = 0; k <= residuals.count; k++)
        expect_image("residual", k < residuals.count ? residuals.skips[k] : residuals.mid,
                     &unet_printed.residuals[k]);
    expect_image("controlled U-Net", controlled, &unet_printed.controlled);
    cg_control_residuals_clear(&residuals);
    cg_text_cache_clear(&text);
    cg_text_cache_clear(&control_text);
    cg_context_clear(&cx);
}

static void autoencoder_has_the_printed_values(void)
{
    if (skip())
        return;
    g_autoptr(GError) error = NULL;
    g_autoptr(CgEngine) engine = cg_engine_cpu_new();
    CgVaeConfig config;
    CgContext cx;
    cg_context_init(&cx, engine, CG_F32);
    cg_vae_config_default(&config, CG_VAE_KL);
    g_autoptr(CgVae) vae = cg_vae_new(TEST_PSEUDO_BUILD(engine, CG_F32, "vae"), &config, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(cg_vae_parameter_count(vae), ==, 83653863);
    g_autoptr(CgTensor) image = input("image", CG_SHAPE(1, 3, 64, 64), 1, 0);
    g_autoptr(CgTensor) z = input("z", CG_SHAPE(1, 4, 8, 8), 3, 0);
    for (size_t i = 0; i < z->count; i++)
        cg_tensor_f32(z)[i] *= 0.18215f;
    g_autoptr(CgTensor) moments = cg_vae_encode(&cx, vae, image);
    g_autoptr(CgTensor) decoded = cg_vae_decode(&cx, vae, z);
    g_assert_true(cg_context_ok(&cx, &error));
    expect_image("moments", moments, &moments_printed);
    expect_image("decoded", decoded, &decoded_printed);
    cg_context_clear(&cx);
}

static void text_encoder_has_the_printed_values(void)
{
    if (skip())
        return;
    g_autoptr(GError) error = NULL;
    g_autoptr(CgEngine) engine = cg_engine_cpu_new();
    CgClipTextConfig config;
    CgContext cx;
    gint32 ids[77] = {49406, 5107, 3638, 5392}; /* broken large bottle */
    for (int i = 4; i < 77; i++)
        ids[i] = 49407;
    cg_context_init(&cx, engine, CG_F32);
    cg_clip_text_config_default(&config);
    g_autoptr(CgClipText) te =
        cg_clip_text_new(TEST_PSEUDO_BUILD(engine, CG_F32, "clip"), &config, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(te->parameters.count, ==, 123060480);
    g_autoptr(CgTensor) hidden = cg_clip_text_forward(&cx, te, ids, 1, 77, 0);
    g_autoptr(CgTensor) skipped = cg_clip_text_forward(&cx, te, ids, 1, 77, 1);
    g_assert_true(cg_context_ok(&cx, &error));
    expect("last hidden state", hidden, &text_printed);
    expect("clip skip 1", skipped, &text_skip_printed);
    cg_context_clear(&cx);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/full_size/unet_and_controlnet_have_the_printed_values",
                    unet_and_controlnet_have_the_printed_values);
    g_test_add_func("/full_size/autoencoder_has_the_printed_values",
                    autoencoder_has_the_printed_values);
    g_test_add_func("/full_size/text_encoder_has_the_printed_values",
                    text_encoder_has_the_printed_values);
    return g_test_run();
}
