/* Low-rank additions: what is trained, what they begin as, and the files that they are saved in.
 * Their gradients are in test_controlnet_training. */
#include "base/error.h"
#include "base/rng.h"
#include "models/checkpoint.h"
#include "models/initial_weights.h"
#include "models/unet.h"
#include "pipeline/model.h"
#include "pipeline/save_model.h"
#include "support/fixture.h"
#include "support/folder.h"
#include "support/pseudo.h"

#include <math.h>
#include <string.h>

static const CgLora settings = {.rank = 3, .alpha = 6, .seed = 5};

/* Two levels, the second with attention: 12 layers with additions in its two transformers. */
static CgUnetConfig small_config(void)
{
    CgUnetConfig config, unet;
    cg_unet_config_default(&unet, FALSE);
    unet.level_count = 2;
    unet.channels[0] = 32;
    unet.channels[1] = 48;
    unet.attention[0] = FALSE;
    unet.attention[1] = TRUE;
    unet.heads[0] = unet.heads[1] = 4;
    unet.layers = 1;
    unet.groups = 16;
    unet.text_width = 24;
    cg_unet_config_for_control(&unet, 8, &config);
    return config;
}

/* Its pseudo weights, STORE and LORA as given. */
static CgControlnet *new_controlnet(CgEngine *engine, CgStore *store, const CgLora *lora)
{
    g_autoptr(GError) error = NULL;
    const CgUnetConfig config = small_config();
    CgBuild build = *TEST_PSEUDO_BUILD(engine, CG_F32, "controlnet");
    build.store = store;
    if (lora) {
        build.trains = cg_controlnet_is_own;
        build.lora = *lora;
    }
    CgControlnet *c = cg_controlnet_new(&build, &config, &error);
    g_assert_no_error(error);
    return c;
}

/* What C answers to inputs of its own: all residuals, one after the other. */
static CgTensor *answer(CgEngine *engine, const CgControlnet *c)
{
    CgContext cx;
    CgTextCache text = {0};
    CgControlResiduals r;
    const double t = 300;
    g_autoptr(CgTensor) latent = cg_tensor_new(CG_F32, CG_SHAPE(1, 8, 8, 4));
    g_autoptr(CgTensor) control = cg_tensor_new(CG_F32, CG_SHAPE(1, 64, 64, 3));
    g_autoptr(CgTensor) states = cg_tensor_new(CG_F32, CG_SHAPE(1, 7, 24));
    cg_pseudo_fill("input/latent", 1.5, 0, cg_tensor_f32(latent), latent->count);
    cg_pseudo_fill("input/cond", 0.5, 0.5, cg_tensor_f32(control), control->count);
    cg_pseudo_fill("input/ctx", 1.5, 0, cg_tensor_f32(states), states->count);
    cg_context_init(&cx, engine, CG_F32);
    cg_controlnet_prepare_text(&cx, c, states, &text);
    g_autoptr(CgTensor) hint = cg_controlnet_prepare_hint(&cx, c, control);
    cg_controlnet_forward(&cx, c, latent, &t, 1, &text, hint, &r);
    size_t count = r.mid->count;
    for (int i = 0; i < r.count; i++)
        count += r.skips[i]->count;
    CgTensor *all = cg_tensor_new(CG_F32, CG_SHAPE((int64_t)count));
    float *to = cg_tensor_f32(all);
    for (int i = 0; i <= r.count; i++) {
        const CgTensor *one = i < r.count ? r.skips[i] : r.mid;
        memcpy(to, one->data, cg_tensor_bytes(one));
        to += one->count;
    }
    g_assert_true(cg_context_ok(&cx, NULL));
    cg_context_clear(&cx);
    cg_text_cache_clear(&text);
    cg_control_residuals_clear(&r);
    return all;
}

/* As training would: every number in the store another one. */
static void change_all(CgStore *store, CgControlnet *c)
{
    g_autofree float *steps = g_new(float, store->used);
    cg_rng_normals(1, 2, 0, steps, store->used);
    for (size_t i = 0; i < store->used; i++)
        cg_tensor_f32(store->values)[i] += 0.05f * steps[i];
    cg_parameter_set_changed(&c->parameters);
}

static void only_additions_and_own_layers_are_trained(void)
{
    g_autoptr(CgEngine) engine = cg_engine_ref_new();
    g_autoptr(CgStore) store = cg_store_new(1 << 22);
    g_autoptr(CgControlnet) c = new_controlnet(engine, store, &settings);
    guint own = 0, parts = 0;
    g_assert_nonnull(c);
    for (guint i = 0; i < cg_store_count(store); i++) {
        const char *name = cg_store_nth(store, i)->name;
        own += cg_controlnet_is_own(name);
        parts += cg_lora_is_part(name);
        g_assert_true(cg_controlnet_is_own(name) != cg_lora_is_part(name));
    }
    g_assert_cmpuint(own, ==, 2 * (8 + 4 + 1));
    g_assert_cmpuint(parts, ==, 2 * (2 * 8));
    const CgParameter *a = cg_store_find(
        store, "mid_block.attentions.0.transformer_blocks.0.attn2.to_k.lora_A.weight");
    const CgParameter *b = cg_store_find(
        store, "mid_block.attentions.0.transformer_blocks.0.attn2.to_k.lora_B.weight");
    g_assert_nonnull(a);
    g_assert_nonnull(b);
    g_assert_true(cg_shape_equal(&a->shape, &CG_SHAPE(3, 24)));
    g_assert_true(cg_shape_equal(&b->shape, &CG_SHAPE(48, 3)));
}

static void a_begins_uniform_by_name_and_b_at_zero(void)
{
    g_autoptr(CgEngine) engine = cg_engine_ref_new();
    g_autoptr(CgStore) store = cg_store_new(1 << 22);
    g_autoptr(CgControlnet) c = new_controlnet(engine, store, &settings);
    double sum = 0, squares = 0;
    size_t count = 0;
    g_assert_nonnull(c);
    for (guint i = 0; i < cg_store_count(store); i++) {
        const CgParameter *p = cg_store_nth(store, i);
        const float *x = cg_tensor_f32(store->values) + p->offset;
        for (size_t j = 0; j < p->count && cg_lora_is_part(p->name); j++) {
            if (g_str_has_suffix(p->name, "lora_B.weight")) {
                g_assert_cmpfloat((double)x[j], ==, 0);
                continue;
            }
            const double u = (double)x[j] * sqrt((double)p->shape.d[1]);
            g_assert_cmpfloat(fabs(u), <=, 1.000001);
            sum += u;
            squares += u * u;
            count++;
        }
    }
    g_assert_cmpfloat_with_epsilon(sum / (double)count, 0, 0.05);
    g_assert_cmpfloat_with_epsilon(squares / (double)count, 1.0 / 3, 0.03);
    g_autoptr(CgTensor) one = cg_lora_initial_a(&settings, "a.lora_A.weight", 48);
    g_autoptr(CgTensor) other = cg_lora_initial_a(&settings, "b.lora_A.weight", 48);
    const CgLora reseeded = {.rank = 3, .alpha = 6, .seed = 6};
    g_autoptr(CgTensor) third = cg_lora_initial_a(&reseeded, "a.lora_A.weight", 48);
    g_assert_cmpfloat(test_relative_error(one, other), >, 0.5);
    g_assert_cmpfloat(test_relative_error(one, third), >, 0.5);
}

static void untrained_model_is_the_plain_one_to_the_bit(gconstpointer new_engine)
{
    g_autoptr(CgEngine) engine = ((CgEngine * (*)(void))(uintptr_t)new_engine)();
    g_autoptr(CgStore) store = cg_store_new(1 << 22);
    g_autoptr(CgControlnet) plain = new_controlnet(engine, NULL, NULL);
    g_autoptr(CgControlnet) c = new_controlnet(engine, store, &settings);
    g_autoptr(CgTensor) expected = answer(engine, plain);
    g_autoptr(CgTensor) got = answer(engine, c);
    g_assert_cmpmem(got->data, cg_tensor_bytes(got), expected->data, cg_tensor_bytes(expected));
}

static CgSavedWeights saved(const CgStore *store)
{
    return (CgSavedWeights){.store = store,
                            .block = store->values,
                            .count = cg_store_count(store),
                            .dtype = CG_F32,
                            .frozen = test_pseudo_lookup,
                            .frozen_source = (void *)(uintptr_t) "controlnet",
                            .lora = settings};
}

static void merged_model_answers_as_the_one_with_additions(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(CgTestFolder) dir = cg_test_folder_new();
    g_autoptr(CgEngine) engine = cg_engine_ref_new();
    g_autoptr(CgStore) store = cg_store_new(1 << 22);
    g_autoptr(CgControlnet) c = new_controlnet(engine, store, &settings);
    g_autoptr(CgTensor) before = answer(engine, c);
    change_all(store, c);
    g_autoptr(CgTensor) expected = answer(engine, c);
    g_assert_cmpfloat(test_relative_error(before, expected), >, 0.01);

    const CgSavedWeights weights = saved(store);
    g_assert_true(cg_save_controlnet(dir->path, &c->config, &weights, &error));
    g_assert_no_error(error);
    CgUnetConfig config;
    g_assert_true(cg_model_read_unet_config(dir->path, TRUE, &config, &error));
    g_autoptr(CgCheckpoint) file = cg_model_open_part(dir->path, CG_COMPONENT_CONTROLNET, &error);
    g_assert_no_error(error);
    CgBuild build = {.engine = engine,
                     .dtype = CG_F32,
                     .lookup = cg_checkpoint_lookup,
                     .source = file,
                     .where = "merged"};
    g_autoptr(CgControlnet) merged = cg_controlnet_new(&build, &config, &error);
    g_assert_no_error(error);
    g_autoptr(CgTensor) got = answer(engine, merged);
    test_assert_close("merged", got, expected, 1e-5);
}

static void additions_are_saved_in_diffusers_names(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(CgTestFolder) dir = cg_test_folder_new();
    g_autoptr(CgEngine) engine = cg_engine_ref_new();
    g_autoptr(CgStore) store = cg_store_new(1 << 22);
    g_autoptr(CgControlnet) c = new_controlnet(engine, store, &settings);
    g_assert_nonnull(c);
    const CgSavedWeights weights = saved(store);
    g_autofree char *path = cg_test_folder_path(dir, "pytorch_lora_weights.safetensors");
    g_assert_true(cg_save_lora(dir->path, "unet.", &weights, &error));
    g_autoptr(CgSafetensors) file = cg_safetensors_open(path, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(cg_safetensors_count(file), ==, 32);
    const CgSafetensor *b = cg_safetensors_find(
        file, "unet.down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_out.0.lora_B.weight");
    g_assert_nonnull(b);
    g_assert_true(cg_shape_equal(&b->shape, &CG_SHAPE(48, 3)));
    const char *metadata = cg_safetensors_metadata(file, "lora_adapter_metadata");
    g_assert_nonnull(metadata);
    g_assert_nonnull(strstr(metadata, "\"unet.lora_alpha\": 6.0"));
    g_assert_nonnull(strstr(metadata, "\"unet.r\": 3"));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/lora/only_additions_and_own_layers_are_trained",
                    only_additions_and_own_layers_are_trained);
    g_test_add_func("/lora/a_begins_uniform_by_name_and_b_at_zero",
                    a_begins_uniform_by_name_and_b_at_zero);
    g_test_add_data_func("/lora/ref/untrained_model_is_the_plain_one_to_the_bit",
                         (gconstpointer)(uintptr_t)cg_engine_ref_new,
                         untrained_model_is_the_plain_one_to_the_bit);
    g_test_add_data_func("/lora/cpu/untrained_model_is_the_plain_one_to_the_bit",
                         (gconstpointer)(uintptr_t)cg_engine_cpu_new,
                         untrained_model_is_the_plain_one_to_the_bit);
    g_test_add_func("/lora/merged_model_answers_as_the_one_with_additions",
                    merged_model_answers_as_the_one_with_additions);
    g_test_add_func("/lora/additions_are_saved_in_diffusers_names",
                    additions_are_saved_in_diffusers_names);
    return g_test_run();
}
