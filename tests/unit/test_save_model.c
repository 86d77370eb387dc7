/* Models that begin from scratch, and the folders that they are saved in. */
#include "base/error.h"
#include "models/checkpoint.h"
#include "models/initial_weights.h"
#include "pipeline/model.h"
#include "pipeline/save_model.h"
#include "support/fixture.h"
#include "support/folder.h"

#include <math.h>
#include <string.h>

#define CAPACITY (1u << 22)

static CgUnetConfig small_unet(void)
{
    CgUnetConfig config;
    cg_unet_config_default(&config, FALSE);
    config.level_count = 2;
    config.channels[0] = 32;
    config.channels[1] = 48;
    config.attention[0] = FALSE;
    config.attention[1] = TRUE;
    config.heads[0] = config.heads[1] = 4;
    config.layers = 1;
    config.groups = 16;
    config.text_width = 24;
    config.sample_size = 8;
    return config;
}

static CgBuild build(CgEngine *engine, CgStore *store, CgInitialWeights *weights)
{
    return (CgBuild){.engine = engine,
                     .dtype = CG_F32,
                     .lookup = cg_initial_weights_lookup,
                     .source = weights,
                     .where = "initial weights",
                     .store = store};
}

static CgUnet *new_unet(CgEngine *engine, CgStore *store, guint64 seed)
{
    g_autoptr(GError) error = NULL;
    const CgUnetConfig config = small_unet();
    CgInitialWeights weights = {.component = CG_COMPONENT_UNET, .seed = seed};
    const CgBuild b = build(engine, store, &weights);
    CgUnet *u = cg_unet_new(&b, &config, &error);
    g_assert_no_error(error);
    return u;
}

/* Mean, deviation and largest magnitude of the parameter NAME. */
static void statistics(const CgStore *store, const char *name, double *mean, double *deviation,
                       double *largest)
{
    const CgParameter *p = cg_store_find(store, name);
    g_assert_nonnull(p);
    const float *x = cg_tensor_f32(store->values) + p->offset;
    double sum = 0, squares = 0;
    *largest = 0;
    for (size_t i = 0; i < p->count; i++) {
        sum += x[i];
        squares += (double)x[i] * x[i];
        *largest = MAX(*largest, fabs((double)x[i]));
    }
    *mean = sum / (double)p->count;
    *deviation = sqrt(squares / (double)p->count - *mean * *mean);
}

static void unet_begins_as_torch_does(void)
{
    g_autoptr(CgEngine) engine = cg_engine_ref_new();
    g_autoptr(CgStore) store = cg_store_new(CAPACITY);
    g_autoptr(CgUnet) u = new_unet(engine, store, 1);
    g_assert_nonnull(u);
    double mean, deviation, largest;
    const double bound = 1 / sqrt(32 * 9);
    statistics(store, "down_blocks.0.resnets.0.conv1.weight", &mean, &deviation, &largest);
    g_assert_cmpfloat_with_epsilon(mean, 0, 0.03 * bound);
    g_assert_cmpfloat_with_epsilon(deviation, bound / sqrt(3), 0.02 * bound);
    g_assert_cmpfloat(largest, <=, bound);
    statistics(store, "down_blocks.0.resnets.0.conv1.bias", &mean, &deviation, &largest);
    g_assert_cmpfloat(largest, <=, bound);
    g_assert_cmpfloat(deviation, >, 0.3 * bound);
    statistics(store, "mid_block.attentions.0.transformer_blocks.0.norm2.weight", &mean, &deviation,
               &largest);
    g_assert_cmpfloat(mean, ==, 1);
    g_assert_cmpfloat(deviation, ==, 0);
    statistics(store, "conv_norm_out.bias", &mean, &deviation, &largest);
    g_assert_cmpfloat(largest, ==, 0);
}

static void text_encoder_begins_as_transformers_does(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(CgEngine) engine = cg_engine_ref_new();
    g_autoptr(CgStore) store = cg_store_new(CAPACITY);
    const CgClipTextConfig config = {600, 77, 64, 256, 3, 4, 1e-5f, CG_ACT_QUICK_GELU};
    CgInitialWeights weights = {.component = CG_COMPONENT_TEXT, .layers = config.layers};
    const CgBuild b = build(engine, store, &weights);
    g_autoptr(CgClipText) te = cg_clip_text_new(&b, &config, &error);
    g_assert_no_error(error);
    g_assert_nonnull(te);
    const struct {
        const char *name;
        double deviation;
    } rows[] = {
        {"embeddings.token_embedding.weight", 0.02},
        {"encoder.layers.1.self_attn.q_proj.weight", pow(64, -0.5) * pow(6, -0.5)},
        {"encoder.layers.1.self_attn.out_proj.weight", pow(64, -0.5)},
        {"encoder.layers.2.mlp.fc1.weight", pow(128, -0.5)},
        {"encoder.layers.2.mlp.fc2.weight", pow(64, -0.5) * pow(6, -0.5)},
        {"encoder.layers.2.mlp.fc2.bias", 0},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *name = g_strconcat("text_model.", rows[i].name, NULL);
        double mean, deviation, largest;
        statistics(store, name, &mean, &deviation, &largest);
        g_assert_cmpfloat_with_epsilon(deviation, rows[i].deviation,
                                       0.05 * rows[i].deviation + 1e-12);
    }
}

static void seed_and_name_decide_alone(void)
{
    g_autoptr(CgEngine) engine = cg_engine_ref_new();
    g_autoptr(CgStore) a = cg_store_new(CAPACITY), b = cg_store_new(CAPACITY);
    g_autoptr(CgStore) other = cg_store_new(CAPACITY);
    g_autoptr(CgUnet) ua = new_unet(engine, a, 5), ub = new_unet(engine, b, 5);
    g_autoptr(CgUnet) uc = new_unet(engine, other, 6);
    const size_t size = a->used * sizeof(float);
    g_assert_true(ua && ub && uc);
    g_assert_cmpmem(a->values->data, size, b->values->data, size);
    g_assert_cmpint(memcmp(a->values->data, other->values->data, size), !=, 0);
}

/* The whole of STORE is in FOLDER's file, in its type. */
static void assert_saved(const CgStore *store, const char *folder, CgComponent component,
                         double limit)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(CgCheckpoint) file = cg_checkpoint_open_folder(folder, component, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(cg_checkpoint_count(file), ==, cg_store_count(store));
    g_autoptr(GPtrArray) problems = g_ptr_array_new_with_free_func(g_free);
    for (guint i = 0; i < cg_store_count(store); i++) {
        const CgParameter *p = cg_store_nth(store, i);
        g_autoptr(CgTensor) want = cg_store_view(store->values, p);
        g_autoptr(CgTensor) raw = cg_checkpoint_lookup(file, p->name, &p->shape, problems);
        g_assert_cmpuint(problems->len, ==, 0);
        g_autoptr(CgTensor) got = cg_tensor_copy(raw, CG_F32);
        for (size_t k = 0; k < p->count; k++)
            g_assert_cmpfloat(fabsf(cg_tensor_f32(got)[k] - cg_tensor_f32(want)[k]), <=, limit);
    }
}

static CgSavedWeights all_of(const CgStore *store, CgDType dtype)
{
    return (CgSavedWeights){
        .store = store, .block = store->values, .count = cg_store_count(store), .dtype = dtype};
}

static void saved_unet_is_read_back(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(CgTestFolder) dir = cg_test_folder_new();
    g_autoptr(CgEngine) engine = cg_engine_ref_new();
    g_autoptr(CgStore) store = cg_store_new(CAPACITY);
    g_autoptr(CgUnet) u = new_unet(engine, store, 1);
    const CgDType types[] = {CG_F32, CG_F16, CG_BF16};
    const double limits[] = {0, 1e-3, 1e-2};
    for (size_t i = 0; i < G_N_ELEMENTS(types); i++) {
        const CgSavedWeights weights = all_of(store, types[i]);
        CgUnetConfig config;
        cg_save_unet(dir->path, &u->config, &weights, &error);
        g_assert_no_error(error);
        assert_saved(store, dir->path, CG_COMPONENT_UNET, limits[i]);
        cg_model_read_unet_config(dir->path, FALSE, &config, &error);
        g_assert_no_error(error);
        g_assert_cmpint(config.channels[1], ==, 48);
        g_assert_false(config.attention[0]);
        g_assert_true(config.attention[1]);
    }
}

static void controlnet_begins_as_a_copy(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(CgTestFolder) dir = cg_test_folder_new();
    g_autoptr(CgEngine) engine = cg_engine_ref_new();
    g_autoptr(CgStore) unet_store = cg_store_new(CAPACITY), store = cg_store_new(CAPACITY);
    g_autoptr(CgUnet) u = new_unet(engine, unet_store, 1);
    CgInitialWeights unet = {.component = CG_COMPONENT_UNET, .seed = 1};
    CgInitialWeights weights = {.component = CG_COMPONENT_CONTROLNET,
                                .unet = cg_initial_weights_lookup,
                                .unet_source = &unet};
    CgUnetConfig config, again;
    cg_unet_config_for_control(&u->config, 4, &config);
    const CgBuild b = build(engine, store, &weights);
    g_autoptr(CgControlnet) c = cg_controlnet_new(&b, &config, &error);
    g_assert_no_error(error);
    g_assert_nonnull(c);
    guint copied = 0, zero = 0, own = 0;
    for (guint i = 0; i < cg_store_count(store); i++) {
        const CgParameter *p = cg_store_nth(store, i);
        const CgParameter *same = cg_store_find(unet_store, p->name);
        double mean, deviation, largest;
        statistics(store, p->name, &mean, &deviation, &largest);
        if (same)
            g_assert_cmpmem(cg_tensor_f32(store->values) + p->offset, p->count * sizeof(float),
                            cg_tensor_f32(unet_store->values) + same->offset,
                            same->count * sizeof(float));
        copied += same != NULL;
        zero += !same && largest == 0;
        own += !same && largest > 0;
    }
    g_assert_cmpuint(zero, ==, 2 * ((guint)cg_unet_skip_count(&config) + 2));
    g_assert_cmpuint(own, ==, 2 * 5); /* conv_in and two blocks of two */
    g_assert_cmpuint(copied, >, 40);
    const CgSavedWeights saved = all_of(store, CG_F32);
    cg_save_controlnet(dir->path, &config, &saved, &error);
    g_assert_no_error(error);
    assert_saved(store, dir->path, CG_COMPONENT_CONTROLNET, 0);
    cg_model_read_unet_config(dir->path, TRUE, &again, &error);
    g_assert_no_error(error);
    g_assert_cmpint(cg_unet_config_control_factor(&again), ==, 4);
}

static void unwritable_folder_is_an_error(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(CgTestFolder) dir = cg_test_folder_new();
    g_autoptr(CgEngine) engine = cg_engine_ref_new();
    g_autoptr(CgStore) store = cg_store_new(CAPACITY);
    g_autoptr(CgUnet) u = new_unet(engine, store, 1);
    const CgSavedWeights weights = all_of(store, CG_F32);
    g_autofree char *file = cg_test_folder_file(dir, "file", "x", 1);
    g_autofree char *below = g_build_filename(file, "unet", NULL);
    g_assert_false(cg_save_unet(below, &u->config, &weights, &error));
    g_assert_error(error, CG_ERROR, CG_ERROR_IO);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/initial/unet", unet_begins_as_torch_does);
    g_test_add_func("/initial/text", text_encoder_begins_as_transformers_does);
    g_test_add_func("/initial/seed", seed_and_name_decide_alone);
    g_test_add_func("/initial/controlnet", controlnet_begins_as_a_copy);
    g_test_add_func("/save/unet", saved_unet_is_read_back);
    g_test_add_func("/save/unwritable", unwritable_folder_is_an_error);
    return g_test_run();
}
