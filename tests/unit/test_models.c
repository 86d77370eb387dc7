/* The models against the reference implementation: mini configurations that keep every structural
 * feature (levels with and without attention, shortcuts, several heads, odd sizes, batches), the
 * same pseudo weights on both sides. Limits: f32 1e-4, bf16 3e-2, relative. */
#include "base/json.h"
#include "base/system.h"
#include "models/clip_text.h"
#include "models/unet.h"
#include "models/vae.h"
#include "support/fixture.h"

#include <math.h>

#define F32_LIMIT  1e-4
#define BF16_LIMIT 3e-2

typedef struct {
    const char *name;
    CgEngine *(*engine_new)(void);
    CgDType dtype;
    double limit;
} Setting;

typedef struct {
    const Setting *setting;
    CgEngine *engine;
    CgContext cx;
} Fixture;

static void set_up(Fixture *f, gconstpointer data)
{
    f->setting = data;
    f->engine = f->setting->engine_new();
    cg_context_init(&f->cx, f->engine, f->setting->dtype);
}

static void tear_down(Fixture *f, gconstpointer data)
{
    (void)data;
    g_assert_no_error(f->cx.error);
    cg_context_clear(&f->cx);
    cg_engine_free(f->engine);
}

static json_t *load_config(const char *name)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *file = g_strconcat("models/", name, "/config.json", NULL);
    g_autofree char *path = test_fixture_path(file);
    json_t *config = cg_json_load(path, &error);
    g_assert_no_error(error);
    return config;
}

static CgUnet *mini_unet(Fixture *f)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(json_t) json = load_config("mini/unet");
    CgUnetConfig config;
    cg_unet_config_parse(json, "config", FALSE, &config, &error);
    g_assert_no_error(error);
    CgUnet *u = cg_unet_new(TEST_PSEUDO_BUILD(f->engine, f->cx.dtype, "unet"), &config, &error);
    g_assert_no_error(error);
    return u;
}

static CgControlnet *mini_controlnet(Fixture *f)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(json_t) json = load_config("controlnet");
    CgUnetConfig config;
    cg_unet_config_parse(json, "config", TRUE, &config, &error);
    g_assert_no_error(error);
    CgControlnet *c =
        cg_controlnet_new(TEST_PSEUDO_BUILD(f->engine, f->cx.dtype, "controlnet"), &config, &error);
    g_assert_no_error(error);
    return c;
}

static CgVae *new_vae(Fixture *f, const char *name, const char *component)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(json_t) json = load_config(name);
    CgVaeConfig config;
    cg_vae_config_parse(json, "config", &config, &error);
    g_assert_no_error(error);
    CgVae *v = cg_vae_new(TEST_PSEUDO_BUILD(f->engine, f->cx.dtype, component), &config, &error);
    g_assert_no_error(error);
    return v;
}

/* KEY or "odd.KEY". */
static char *key_of(gboolean odd, const char *key)
{
    return g_strconcat(odd ? "odd." : "", key, NULL);
}

static CgTensor *input_image(CgSafetensors *file, gboolean odd, const char *key)
{
    g_autofree char *full = key_of(odd, key);
    return test_fixture_image(file, full);
}

static int read_timesteps(CgSafetensors *file, gboolean odd, double t[2])
{
    g_autofree char *key = key_of(odd, "t");
    const CgSafetensor *entry = cg_safetensors_find(file, key);
    const int count = (int)entry->shape.d[0];
    g_assert_cmpint(count, <=, 2);
    for (int i = 0; i < count; i++) {
        if (entry->dtype == CG_F32)
            t[i] = ((const float *)entry->data)[i];
        else if (entry->dtype == CG_I32)
            t[i] = ((const gint32 *)entry->data)[i];
        else
            g_assert_not_reached();
    }
    return count;
}

static CgTensor *text_states(Fixture *f, CgSafetensors *file, const char *key)
{
    g_autoptr(CgTensor) ctx = test_fixture_tensor(file, key);
    return cg_cast(&f->cx, ctx, f->cx.dtype);
}

static CgTensor *run_unet(Fixture *f, const CgUnet *u, CgSafetensors *file, gboolean odd,
                          const CgControlResiduals *control)
{
    g_autofree char *ctx_key = key_of(odd, "ctx");
    g_autoptr(CgTensor) latent = input_image(file, odd, "latent");
    g_autoptr(CgTensor) ctx = text_states(f, file, ctx_key);
    CgTextCache cache;
    double t[2];
    const int t_count = read_timesteps(file, odd, t);
    cg_unet_prepare(&f->cx, u, ctx, &cache);
    CgTensor *out = cg_unet_forward(&f->cx, u, latent, t, t_count, &cache, control);
    cg_text_cache_clear(&cache);
    return out;
}

static void run_controlnet(Fixture *f, const CgControlnet *c, CgSafetensors *file, gboolean odd,
                           CgControlResiduals *residuals)
{
    g_autofree char *ctx_key = key_of(odd, "ctx");
    g_autoptr(CgTensor) latent = input_image(file, odd, "latent");
    g_autoptr(CgTensor) cond = input_image(file, odd, "cond");
    g_autoptr(CgTensor) ctx = text_states(f, file, ctx_key);
    CgTextCache cache;
    double t[2];
    const int t_count = read_timesteps(file, odd, t);
    cg_controlnet_prepare_text(&f->cx, c, ctx, &cache);
    g_autoptr(CgTensor) hint = cg_controlnet_prepare_hint(&f->cx, c, cond);
    cg_controlnet_forward(&f->cx, c, latent, t, t_count, &cache, hint, residuals);
    cg_text_cache_clear(&cache);
}

static void unet_equals_reference(Fixture *f, gconstpointer data)
{
    (void)data;
    g_autoptr(CgSafetensors) file = test_fixture_open("unet");
    g_autoptr(CgUnet) u = mini_unet(f);
    g_assert_cmpuint(u->parameters.count, ==, 5473188);
    for (int odd = 0; odd < 2; odd++) {
        g_autoptr(CgTensor) out = run_unet(f, u, file, odd, NULL);
        g_autoptr(CgTensor) want = input_image(file, odd, "out");
        test_assert_close(odd ? "20 x 12" : "batch of two", out, want, f->setting->limit);
    }
}

static void controlnet_residuals_equal_reference(Fixture *f, gconstpointer data)
{
    (void)data;
    g_autoptr(CgSafetensors) file = test_fixture_open("controlnet");
    g_autoptr(CgControlnet) c = mini_controlnet(f);
    g_assert_cmpuint(c->parameters.count, ==, 2698064);
    for (int odd = 0; odd < 2; odd++) {
        CgControlResiduals r;
        run_controlnet(f, c, file, odd, &r);
        g_assert_cmpint(r.count, ==, 12);
        for (int k = 0; k <= r.count; k++) {
            g_autofree char *key =
                k < r.count ? g_strdup_printf("residual.%d", k) : g_strdup("residual.mid");
            g_autoptr(CgTensor) want = input_image(file, odd, key);
            g_autoptr(CgTensor) got = cg_cast(&f->cx, k < r.count ? r.skips[k] : r.mid, CG_F32);
            test_assert_close(key, got, want, f->setting->limit);
        }
        cg_control_residuals_clear(&r);
    }
}

static void controlled_unet_equals_reference(Fixture *f, gconstpointer data)
{
    (void)data;
    g_autoptr(CgSafetensors) file = test_fixture_open("unet");
    g_autoptr(CgSafetensors) control_file = test_fixture_open("controlnet");
    g_autoptr(CgUnet) u = mini_unet(f);
    g_autoptr(CgControlnet) c = mini_controlnet(f);
    for (int odd = 0; odd < 2; odd++) {
        CgControlResiduals r;
        run_controlnet(f, c, control_file, odd, &r);
        g_autoptr(CgTensor) out = run_unet(f, u, file, odd, &r);
        g_autoptr(CgTensor) want = input_image(file, odd, "out_control");
        test_assert_close("controlled output", out, want, f->setting->limit);
        cg_control_residuals_clear(&r);
    }
}

static void vae_equals_reference(Fixture *f, gconstpointer data)
{
    (void)data;
    g_autoptr(CgSafetensors) file = test_fixture_open("vae");
    g_autoptr(CgVae) v = new_vae(f, "mini/vae", "vae");
    const float scale = (float)cg_vae_config(v)->scaling_factor;
    g_assert_cmpuint(cg_vae_parameter_count(v), ==, 1732679);
    for (int odd = 0; odd < 2; odd++) {
        g_autoptr(CgTensor) image = input_image(file, odd, "image");
        g_autoptr(CgTensor) moments = cg_vae_encode(&f->cx, v, image);
        g_autoptr(CgTensor) want_moments = input_image(file, odd, "moments");
        test_assert_close("moments", moments, want_moments, f->setting->limit);
        g_autoptr(CgTensor) z = input_image(file, odd, "z");
        g_autoptr(CgTensor) latent = cg_tensor_copy(z, CG_F32);
        for (size_t i = 0; i < latent->count; i++)
            cg_tensor_f32(latent)[i] *= scale;
        g_autoptr(CgTensor) decoded = cg_vae_decode(&f->cx, v, latent);
        g_autoptr(CgTensor) want_decoded = input_image(file, odd, "decoded");
        test_assert_close("decoded", decoded, want_decoded, f->setting->limit);
    }
}

static void tiny_vae_equals_reference(Fixture *f, gconstpointer data)
{
    (void)data;
    g_autoptr(CgSafetensors) file = test_fixture_open("taesd");
    g_autoptr(CgVae) v = new_vae(f, "taesd", "tiny");
    g_assert_cmpuint(cg_vae_parameter_count(v), ==, 2445063);
    for (int odd = 0; odd < 2; odd++) {
        g_autoptr(CgTensor) image = input_image(file, odd, "image");
        g_autoptr(CgTensor) moments = cg_vae_encode(&f->cx, v, image);
        g_autoptr(CgTensor) latent = cg_vae_latent(v, moments, NULL);
        g_autoptr(CgTensor) want_latent = input_image(file, odd, "latent");
        test_assert_close("latent", latent, want_latent, f->setting->limit);
        g_autoptr(CgTensor) z = input_image(file, odd, "z");
        g_autoptr(CgTensor) decoded = cg_vae_decode(&f->cx, v, z);
        g_autoptr(CgTensor) want_decoded = input_image(file, odd, "decoded");
        test_assert_close("decoded", decoded, want_decoded, f->setting->limit);
    }
}

static void text_encoder_equals_reference(Fixture *f, gconstpointer data)
{
    (void)data;
    g_autoptr(GError) error = NULL;
    g_autoptr(CgSafetensors) file = test_fixture_open("clip");
    g_autoptr(json_t) json = load_config("mini/text_encoder");
    const CgSafetensor *ids = cg_safetensors_find(file, "ids");
    static const char *const acts[] = {"quick_gelu", "gelu"};
    for (int a = 0; a < 2; a++) {
        CgClipTextConfig config;
        json_object_set_new(json, "hidden_act", json_string(acts[a]));
        cg_clip_text_config_parse(json, "config", &config, &error);
        g_assert_no_error(error);
        g_autoptr(CgClipText) te =
            cg_clip_text_new(TEST_PSEUDO_BUILD(f->engine, f->cx.dtype, "clip"), &config, &error);
        g_assert_no_error(error);
        for (int skip = 0; skip <= 2; skip++) {
            g_autofree char *key = skip ? g_strdup_printf("%s.skip%d", acts[a], skip)
                                        : g_strconcat(acts[a], ".hidden", NULL);
            g_autoptr(CgTensor) want = test_fixture_tensor(file, key);
            g_autoptr(CgTensor) got = cg_clip_text_forward(
                &f->cx, te, ids->data, (int)ids->shape.d[0], (int)ids->shape.d[1], skip);
            test_assert_close(key, got, want, f->setting->limit);
        }
    }
}

static void posterior_sample_spreads_by_the_deviation(Fixture *f, gconstpointer data)
{
    (void)data;
    g_autoptr(CgVae) v = new_vae(f, "mini/vae", "vae");
    g_autoptr(CgTensor) moments = cg_tensor_new(CG_F32, CG_SHAPE(1, 1, 1, 8));
    g_autoptr(CgTensor) noise = cg_tensor_new(CG_F32, CG_SHAPE(1, 1, 1, 4));
    for (int i = 0; i < 4; i++) {
        cg_tensor_f32(moments)[i] = (float)i;
        cg_tensor_f32(moments)[4 + i] = 2 * logf(3);
        cg_tensor_f32(noise)[i] = -1;
    }
    g_autoptr(CgTensor) mode = cg_vae_latent(v, moments, NULL);
    g_autoptr(CgTensor) sample = cg_vae_latent(v, moments, noise);
    g_assert_cmpfloat_with_epsilon(cg_tensor_f32(mode)[2], 0.18215 * 2, 1e-6);
    g_assert_cmpfloat_with_epsilon(cg_tensor_f32(sample)[2], 0.18215 * (2 - 3), 1e-6);
}

/* Values of the tiled scheme printed for these inputs by the reference implementation: first four
 * in NCHW order, mean and root mean square. */
typedef struct {
    const char *what;
    float first[4];
    double mean, rms;
} Printed;

static void assert_printed(const CgTensor *nhwc, const Printed *want)
{
    g_autoptr(CgTensor) t = cg_tensor_nhwc_to_nchw(nhwc);
    double sum = 0, squares = 0;
    for (size_t i = 0; i < t->count; i++) {
        sum += cg_tensor_f32(t)[i];
        squares += (double)cg_tensor_f32(t)[i] * cg_tensor_f32(t)[i];
    }
    for (int i = 0; i < 4; i++)
        g_assert_cmpfloat_with_epsilon(cg_tensor_f32(t)[i], want->first[i], 2e-5);
    g_assert_cmpfloat_with_epsilon(sum / (double)t->count, want->mean, 1e-5);
    g_assert_cmpfloat_with_epsilon(sqrt(squares / (double)t->count), want->rms, 1e-5);
}

static void tiled_vae_equals_reference(Fixture *f, gconstpointer data)
{
    (void)data;
    static const Printed moments_printed = {
        "moments", {0.004422038f, 0.008806196f, 0.4422364f, 0.03911839f}, -0.04073282, 0.19012711};
    static const Printed decoded_printed = {
        "decoded", {-0.08055008f, -0.1224169f, -0.1861033f, -0.1517903f}, 0.03727273, 0.39827692};
    g_autoptr(CgSafetensors) file = test_fixture_open("vae");
    g_autoptr(CgVae) v = new_vae(f, "mini/vae", "vae");
    g_autoptr(CgTensor) image = test_fixture_image(file, "odd.image");
    g_autoptr(CgTensor) moments = cg_vae_encode_tiled(&f->cx, v, image);
    assert_printed(moments, &moments_printed);
    g_autoptr(CgTensor) both = test_fixture_image(file, "odd.z");
    g_autoptr(CgTensor) first = cg_tensor_rows(both, 0, 1);
    g_autoptr(CgTensor) z = cg_tensor_copy(first, CG_F32);
    for (size_t i = 0; i < z->count; i++)
        cg_tensor_f32(z)[i] *= 0.18215f;
    g_autoptr(CgTensor) decoded = cg_vae_decode_tiled(&f->cx, v, z);
    assert_printed(decoded, &decoded_printed);
}

static void small_picture_needs_no_tiles(Fixture *f, gconstpointer data)
{
    (void)data;
    g_autoptr(CgSafetensors) file = test_fixture_open("vae");
    g_autoptr(CgVae) v = new_vae(f, "mini/vae", "vae");
    g_autoptr(CgTensor) image = test_fixture_image(file, "image");
    g_autoptr(CgTensor) whole = cg_vae_encode(&f->cx, v, image);
    g_autoptr(CgTensor) tiled = cg_vae_encode_tiled(&f->cx, v, image);
    g_assert_cmpmem(whole->data, cg_tensor_bytes(whole), tiled->data, cg_tensor_bytes(tiled));
}

#define ADD(setting, test)                                                                         \
    do {                                                                                           \
        g_autofree char *path = g_strdup_printf("/models/%s/" #test, (setting)->name);             \
        g_test_add(path, Fixture, setting, set_up, test, tear_down);                               \
    } while (0)

int main(int argc, char **argv)
{
    static const Setting settings[] = {
        {"cpu_f32", cg_engine_cpu_new, CG_F32, F32_LIMIT},
        {"cpu_bf16", cg_engine_cpu_new, CG_BF16, BF16_LIMIT},
        {"ref_f32", cg_engine_ref_new, CG_F32, F32_LIMIT},
    };
    /* oneDNN has bf16 layers for processors with AVX-512 only: elsewhere the reference stands in.
     */
    static const Setting ref_bf16 = {"ref_bf16", cg_engine_ref_new, CG_BF16, BF16_LIMIT};

    g_test_init(&argc, &argv, NULL);
    for (size_t i = 0; i < G_N_ELEMENTS(settings); i++) {
        const Setting *setting = &settings[i];
        if (setting->engine_new == cg_engine_cpu_new && setting->dtype == CG_BF16 &&
            !cg_cpu_features()->avx512)
            setting = &ref_bf16;
        ADD(setting, unet_equals_reference);
        ADD(setting, controlnet_residuals_equal_reference);
        ADD(setting, controlled_unet_equals_reference);
        ADD(setting, vae_equals_reference);
        ADD(setting, tiny_vae_equals_reference);
        ADD(setting, text_encoder_equals_reference);
    }
    ADD(&settings[0], posterior_sample_spreads_by_the_deviation);
    ADD(&settings[0], tiled_vae_equals_reference);
    ADD(&settings[0], small_picture_needs_no_tiles);
    return g_test_run();
}
