/* Training from scratch: gradients of the autoencoder's loss and of the denoising loss through
 * U-Net and text encoder, against PyTorch and diffusers
 * (tests/oracle/make_base_training_fixture.py); and whole trainings on a few tiny pictures. */
#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "pipeline/base_loss.h"
#include "pipeline/model.h"
#include "pipeline/train_base.h"
#include "pipeline/train_vae.h"
#include "support/fixture.h"
#include "support/gradients.h"
#include "support/pseudo.h"
#include "support/tree.h"

#include <math.h>
#include <string.h>

#define ZERO 3e-7 /* rounding, where a gradient is zero; the norms of all are near 1 */

typedef struct {
    CgEngine *engine;
    CgStore *store;
    CgTape *tape;
    CgContext cx;
    CgSafetensors *file;
} Fixture;

static void set_up(Fixture *f)
{
    *f = (Fixture){.engine = cg_engine_cpu_new(),
                   .store = cg_store_new((size_t)8 << 20),
                   .file = test_fixture_open("training_base")};
    f->tape = cg_tape_new(f->engine, f->store);
    cg_context_init(&f->cx, f->engine, CG_F32);
    f->cx.tape = f->tape;
}

static void tear_down(Fixture *f)
{
    cg_tape_free(f->tape);
    cg_context_clear(&f->cx);
    cg_store_free(f->store);
    cg_engine_free(f->engine);
    cg_safetensors_free(f->file);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Fixture, tear_down)

static CgTensor *input_image(const char *name, double scale, int64_t c, int64_t side)
{
    g_autoptr(CgTensor) nchw = cg_tensor_new(CG_F32, CG_SHAPE(2, c, side, side));
    cg_pseudo_fill(name, scale, 0, cg_tensor_f32(nchw), nchw->count);
    return cg_tensor_nchw_to_nhwc(nchw);
}

static void backward(Fixture *f, CgTensor *loss, const char *key)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(CgTensor) want = test_fixture_tensor(f->file, key);
    cg_context_ok(&f->cx, &error);
    g_assert_no_error(error);
    test_assert_close(key, loss, want, 1e-5);
    cg_tape_backward(f->tape, loss, 1, &error);
    g_assert_no_error(error);
}

static void vae_gradients_equal_pytorch(void)
{
    g_autoptr(GError) error = NULL;
    g_auto(Fixture) f; /* cleared after the models */
    set_up(&f);
    CgVaeConfig config;
    g_autofree char *path = test_fixture_path("models/mini/vae");
    cg_model_read_vae_config(path, &config, &error);
    g_assert_no_error(error);
    config.scaling_factor = 1;
    CgBuild build = *TEST_PSEUDO_BUILD(f.engine, CG_F32, "vae");
    build.store = f.store;
    g_autoptr(CgVae) vae = cg_vae_new(&build, &config, &error);
    g_assert_no_error(error);
    g_autoptr(CgTensor) image = input_image("input/picture", 1, 3, 64);
    g_autoptr(CgTensor) noise = input_image("input/posterior", 1.7320508, 4, 8);
    const CgVaeLossWeights weights = {.l1 = 1, .ssim = 0.5, .edges = 0.5, .kl = 0.01};
    g_autoptr(CgTensor) loss = cg_vae_loss(&f.cx, vae, image, noise, &weights, NULL);
    backward(&f, loss, "vae.loss");
    g_assert_cmpuint(cg_store_count(f.store), ==, 244);
    test_assert_gradients(f.store, f.file, "vae", ZERO);
}

static void base_gradients_equal_pytorch(void)
{
    static const gint32 ids[] = {998, 7, 300, 7, 999, 999, 998, 999, 999, 999, 999, 999};
    static const int timesteps[] = {951, 17};
    static const float weights[] = {0.25f, 1.5f};
    g_autoptr(GError) error = NULL;
    g_auto(Fixture) f; /* cleared after the models */
    set_up(&f);
    CgUnetConfig config;
    g_autofree char *path = test_fixture_path("models/mini/unet");
    cg_model_read_unet_config(path, FALSE, &config, &error);
    g_assert_no_error(error);
    const CgClipTextConfig text_config = {1000, 77, 40, 160, 2, 4, 1e-5f, CG_ACT_QUICK_GELU};
    CgBuild build = *TEST_PSEUDO_BUILD(f.engine, CG_F32, "clip");
    build.store = f.store;
    g_autoptr(CgClipText) text = cg_clip_text_new(&build, &text_config, &error);
    g_assert_no_error(error);
    build = *TEST_PSEUDO_BUILD(f.engine, CG_F32, "unet");
    build.store = f.store;
    g_autoptr(CgUnet) unet = cg_unet_new(&build, &config, &error);
    g_assert_no_error(error);
    g_autoptr(CgNoiseSchedule) schedule = cg_noise_schedule_default();
    g_autoptr(CgTensor) latent = input_image("input/latent", 1.5, 4, 16);
    g_autoptr(CgTensor) noise = input_image("input/noise", 1.7320508, 4, 16);
    const CgDiffusionBatch batch = {
        .latent = latent, .noise = noise, .timesteps = timesteps, .weights = weights};
    g_autoptr(CgTensor) loss =
        cg_base_loss(&f.cx, text, unet, schedule, ids, 6, &batch, NULL, NULL);
    backward(&f, loss, "base.loss");
    test_assert_gradients(f.store, f.file, "base", ZERO);
}

/* --- whole trainings --- */

#define PICTURES 8
#define SIDE     16

/* Eight pictures of one of two colours, with texts. */
static CgTestFolder *picture_folder(void)
{
    CgTestFolder *dir = cg_test_folder_new();
    g_autoptr(CgImage) image = cg_image_new(SIDE, SIDE, 3);
    for (int i = 0; i < PICTURES; i++) {
        g_autoptr(GError) error = NULL;
        g_autofree char *name = g_strdup_printf("%d.png", i);
        g_autofree char *text = g_strdup_printf("%d.txt", i);
        g_autofree char *path = cg_test_folder_path(dir, name);
        for (int k = 0; k < SIDE * SIDE * 3; k++)
            image->pixels[k] = (guint8)((i % 2 ? 200 : 40) + (k / 3 + i * 7) % 16 * 3);
        g_assert_true(cg_image_save_png(image, path, &error));
        cg_test_tree_text(dir, text, i % 2 ? "bright plate" : "dark plate");
    }
    return dir;
}

/* Sizes that train in no time. */
static void small_configs(const CgTestFolder *dir)
{
    cg_test_tree_text(dir, "vae.json",
                      "{\"_class_name\": \"AutoencoderKL\", \"block_out_channels\": [8, 16], "
                      "\"down_block_types\": [\"DownEncoderBlock2D\", \"DownEncoderBlock2D\"], "
                      "\"up_block_types\": [\"UpDecoderBlock2D\", \"UpDecoderBlock2D\"], "
                      "\"layers_per_block\": 1, \"norm_num_groups\": 4, \"latent_channels\": 4, "
                      "\"sample_size\": 16}");
    cg_test_tree_text(
        dir, "sizes/unet/config.json",
        "{\"block_out_channels\": [16, 32], \"cross_attention_dim\": 24, \"layers_per_block\": 1, "
        "\"norm_num_groups\": 8, \"attention_head_dim\": 4, \"down_block_types\": "
        "[\"DownBlock2D\", "
        "\"CrossAttnDownBlock2D\"], \"up_block_types\": [\"CrossAttnUpBlock2D\", \"UpBlock2D\"]}");
    cg_test_tree_text(dir, "sizes/text_encoder/config.json",
                      "{\"hidden_size\": 24, \"intermediate_size\": 48, \"num_hidden_layers\": 1, "
                      "\"num_attention_heads\": 2}");
}

typedef struct {
    CgTestFolder *pictures, *out;
    char *vae_config, *sizes, *vae_out, *vae, *base_out;
    CgEngine *engine;
} Studio;

static void studio_init(Studio *s)
{
    *s = (Studio){
        .pictures = picture_folder(), .out = cg_test_folder_new(), .engine = cg_engine_cpu_new()};
    small_configs(s->out);
    s->vae_config = cg_test_folder_path(s->out, "vae.json");
    s->sizes = cg_test_folder_path(s->out, "sizes");
    s->vae_out = cg_test_folder_path(s->out, "v");
    s->vae = g_build_filename(s->vae_out, "vae", NULL);
    s->base_out = cg_test_folder_path(s->out, "b");
}

static void studio_clear(Studio *s)
{
    cg_engine_free(s->engine);
    cg_test_folder_free(s->pictures);
    cg_test_folder_free(s->out);
    g_free(s->vae_config);
    g_free(s->sizes);
    g_free(s->vae_out);
    g_free(s->vae);
    g_free(s->base_out);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Studio, studio_clear)

static CgTrainVaeOptions vae_options(const Studio *s, const char *out, guint64 steps)
{
    CgTrainVaeOptions o;
    cg_train_vae_options_default(&o);
    o.data = s->pictures->path;
    o.config = s->vae_config;
    o.flip = TRUE;
    o.train.out = out;
    o.train.steps = steps;
    o.train.batch = 4;
    o.train.optimizer.rate = 3e-3;
    o.train.optimizer.course = CG_RATE_CONSTANT;
    o.train.optimizer.average_decay = 0.9;
    return o;
}

static CgTrainBaseOptions base_options(const Studio *s, const char *out, guint64 steps)
{
    CgTrainBaseOptions o;
    cg_train_base_options_default(&o);
    o.data = s->pictures->path;
    o.vae = s->vae;
    o.config = s->sizes;
    o.tokens = 8;
    o.flip = TRUE;
    o.sample_count = 2;
    o.sample_steps = 2;
    o.train.out = out;
    o.train.steps = steps;
    o.train.batch = 4;
    o.train.optimizer.rate = 3e-3;
    o.train.optimizer.warmup = 0;
    o.train.optimizer.course = CG_RATE_CONSTANT;
    o.train.optimizer.average_decay = 0.9;
    return o;
}

static CgTrainVaeResult train_vae(const Studio *s, const CgTrainVaeOptions *o)
{
    g_autoptr(GError) error = NULL;
    CgTrainVaeResult result;
    cg_train_vae(s->engine, CG_F32, o, FALSE, &result, &error);
    g_assert_no_error(error);
    return result;
}

static CgTrainResult train_base(const Studio *s, const CgTrainBaseOptions *o)
{
    g_autoptr(GError) error = NULL;
    CgTrainResult result;
    cg_train_base(s->engine, CG_F32, o, FALSE, &result, &error);
    g_assert_no_error(error);
    return result;
}

static void assert_same_file(const char *a_folder, const char *b_folder, const char *name)
{
    g_autofree char *a = g_build_filename(a_folder, name, NULL);
    g_autofree char *b = g_build_filename(b_folder, name, NULL);
    g_autofree char *hash_a = cg_file_sha256(a, NULL), *hash_b = cg_file_sha256(b, NULL);
    g_assert_nonnull(hash_a);
    g_assert_cmpstr(hash_a, ==, hash_b);
}

static void an_autoencoder_learns_and_is_saved(void)
{
    g_autoptr(GError) error = NULL;
    g_auto(Studio) s;
    studio_init(&s);
    CgTrainVaeOptions o = vae_options(&s, s.vae_out, 2);
    const CgTrainVaeResult begin = train_vae(&s, &o);
    o.train.steps = 150;
    o.train.watch_steps = 75;
    const CgTrainVaeResult end = train_vae(&s, &o);
    g_test_message("loss %.3f -> %.3f, PSNR %.1f -> %.1f dB", begin.train.loss, end.train.loss,
                   begin.psnr, end.psnr);
    g_assert_cmpfloat(end.train.loss, <, 0.6 * begin.train.loss);
    g_assert_cmpfloat(end.psnr, >, begin.psnr + 3);
    CgVaeConfig config;
    cg_model_read_vae_config(s.vae, &config, &error);
    g_assert_no_error(error);
    g_assert_cmpfloat(config.scaling_factor, ==, end.scaling_factor);
    g_assert_cmpfloat(config.scaling_factor, >, 0.05);
}

static void a_base_model_learns_and_can_be_opened(void)
{
    g_autoptr(GError) error = NULL;
    g_auto(Studio) s;
    studio_init(&s);
    const CgTrainVaeOptions v = vae_options(&s, s.vae_out, 20);
    train_vae(&s, &v);
    CgTrainBaseOptions o = base_options(&s, s.base_out, 3);
    o.min_snr = 5;
    const CgTrainResult begin = train_base(&s, &o);
    o.train.steps = 150;
    o.train.watch_steps = 75;
    const CgTrainResult end = train_base(&s, &o);
    g_test_message("loss %.3f -> %.3f", begin.loss, end.loss);
    g_assert_cmpfloat(end.loss, <, 0.8 * begin.loss);
    g_autofree char *model = g_build_filename(s.base_out, "model", NULL);
    g_autofree char *sheet = g_build_filename(s.base_out, "samples", "step-00000150.png", NULL);
    g_assert_true(g_file_test(sheet, G_FILE_TEST_IS_REGULAR));
    g_autoptr(CgModel) opened =
        cg_model_open(s.engine, CG_F32, &(CgModelPaths){.model = model}, &error);
    g_assert_no_error(error);
    g_assert_cmpint(cg_model_size(opened), ==, SIDE);

    /* And further on from there: nothing is as before but the tokenizer. */
    g_autofree char *further = cg_test_folder_path(s.out, "further");
    CgTrainBaseOptions again = base_options(&s, further, 2);
    again.from = model;
    again.vae = again.config = NULL;
    train_base(&s, &again);
    assert_same_file(s.base_out, further, "model/tokenizer/vocab.json");
    assert_same_file(s.base_out, further, "model/vae/config.json");
}

/* A run of 6 steps, and one that is put aside after 3: the same bytes. */
static void a_resumed_run_ends_with_the_same_bytes(void)
{
    g_auto(Studio) s;
    studio_init(&s);
    g_autofree char *other_vae = cg_test_folder_path(s.out, "v2");
    g_autofree char *other_base = cg_test_folder_path(s.out, "b2");
    CgTrainVaeOptions v = vae_options(&s, s.vae_out, 6);
    train_vae(&s, &v);
    v = vae_options(&s, other_vae, 3);
    train_vae(&s, &v);
    v.train.steps = 6;
    v.train.resume = TRUE;
    train_vae(&s, &v);
    assert_same_file(s.vae_out, other_vae, "vae/diffusion_pytorch_model.safetensors");
    assert_same_file(s.vae_out, other_vae, "vae/config.json");

    CgTrainBaseOptions b = base_options(&s, s.base_out, 6);
    train_base(&s, &b);
    b = base_options(&s, other_base, 3);
    train_base(&s, &b);
    b.train.steps = 6;
    b.train.resume = TRUE;
    train_base(&s, &b);
    assert_same_file(s.base_out, other_base, "model/unet/diffusion_pytorch_model.safetensors");
    assert_same_file(s.base_out, other_base, "model/text_encoder/model.safetensors");
}

static void refuse_vae(const Studio *s, const CgTrainVaeOptions *o, int code, const char *text)
{
    g_autoptr(GError) error = NULL;
    CgTrainVaeResult result;
    g_assert_false(cg_train_vae(s->engine, CG_F32, o, FALSE, &result, &error));
    g_assert_error(error, CG_ERROR, code);
    g_test_message("%s", error->message);
    g_assert_nonnull(strstr(error->message, text));
}

static void refuse_base(const Studio *s, const CgTrainBaseOptions *o, int code, const char *text)
{
    g_autoptr(GError) error = NULL;
    CgTrainResult result;
    g_assert_false(cg_train_base(s->engine, CG_F32, o, FALSE, &result, &error));
    g_assert_error(error, CG_ERROR, code);
    g_test_message("%s", error->message);
    g_assert_nonnull(strstr(error->message, text));
}

static void bad_input_is_told(void)
{
    g_auto(Studio) s;
    studio_init(&s);
    CgTrainVaeOptions v = vae_options(&s, s.vae_out, 1);
    v.size = 17;
    refuse_vae(&s, &v, CG_ERROR_USAGE, "multiples of 2");
    v = vae_options(&s, s.vae_out, 1);
    v.data = "nowhere";
    refuse_vae(&s, &v, CG_ERROR_MISSING, "nowhere");
    v = vae_options(&s, s.vae_out, 1);
    v.train.resume = TRUE;
    refuse_vae(&s, &v, CG_ERROR_MISSING, "state");
    v = vae_options(&s, s.vae_out, 40);
    v.train.optimizer.rate = 1e30;
    v.train.optimizer.clip = 0;
    refuse_vae(&s, &v, CG_ERROR_NUMERIC, "not finite");
    CgTrainBaseOptions b = base_options(&s, s.base_out, 1);
    refuse_base(&s, &b, CG_ERROR_MISSING, "v/vae");
    b.from = s.sizes;
    b.vae = b.config = NULL;
    refuse_base(&s, &b, CG_ERROR_MISSING, "tokenizer");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    cg_log_set_level(CG_LOG_QUIET);
    g_test_add_func("/training/vae/gradients_equal_pytorch", vae_gradients_equal_pytorch);
    g_test_add_func("/training/base/gradients_equal_pytorch", base_gradients_equal_pytorch);
    g_test_add_func("/training/vae/learns_and_is_saved", an_autoencoder_learns_and_is_saved);
    g_test_add_func("/training/base/learns_and_can_be_opened",
                    a_base_model_learns_and_can_be_opened);
    g_test_add_func("/training/resumed", a_resumed_run_ends_with_the_same_bytes);
    g_test_add_func("/training/bad_input", bad_input_is_told);
    return g_test_run();
}
