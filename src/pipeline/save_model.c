#include "pipeline/save_model.h"

#include "base/file.h"
#include "tensor/safetensors.h"

#include <string.h>

#define COPY_CHUNK (4u << 20)

/* OBJECT is taken. */
static gboolean write_json(json_t *object, const char *folder, const char *name, GError **error)
{
    g_autoptr(json_t) owned = object;
    g_autofree char *path = g_build_filename(folder, name, NULL);
    char *text = json_dumps(owned, JSON_INDENT(2) | JSON_SORT_KEYS);
    const gboolean ok = cg_file_write(path, text, strlen(text), error);
    free(text);
    return ok;
}

static const CgParameter *find(const CgSavedWeights *weights, const char *name)
{
    for (guint i = weights->first; i < weights->first + weights->count; i++)
        if (g_str_equal(cg_store_nth(weights->store, i)->name, name))
            return cg_store_nth(weights->store, i);
    g_assert_not_reached();
}

static gboolean write_weights(const CgSavedWeights *weights, const char *path, GError **error)
{
    g_autoptr(CgSafetensorsWriter) w = cg_safetensors_writer_new();
    cg_safetensors_writer_metadata(w, "format", "pt");
    for (guint i = weights->first; i < weights->first + weights->count; i++) {
        const CgParameter *p = cg_store_nth(weights->store, i);
        cg_safetensors_writer_declare(w, p->name, weights->dtype, p->shape);
    }
    if (!cg_safetensors_writer_begin(w, path, error))
        return FALSE;
    for (guint i = 0; i < cg_safetensors_writer_count(w); i++) {
        const CgParameter *p = find(weights, cg_safetensors_writer_nth(w, i));
        g_autoptr(CgTensor) view = cg_store_view(weights->block, p);
        g_autoptr(CgTensor) t = cg_tensor_copy(view, weights->dtype);
        if (!cg_safetensors_writer_put(w, t->data, cg_tensor_bytes(t), error))
            return FALSE;
    }
    return cg_safetensors_writer_commit(g_steal_pointer(&w), error);
}

/* CONFIG is taken. */
static gboolean save_part(const char *folder, const char *base, json_t *config,
                          const CgSavedWeights *weights, GError **error)
{
    g_autoptr(json_t) owned = config;
    g_autofree char *file = g_strconcat(base, ".safetensors", NULL);
    g_autofree char *path = g_build_filename(folder, file, NULL);
    return cg_file_make_directory(folder, error) && write_weights(weights, path, error) &&
           write_json(json_incref(owned), folder, "config.json", error);
}

gboolean cg_save_unet(const char *folder, const CgUnetConfig *config, const CgSavedWeights *weights,
                      GError **error)
{
    return save_part(folder, "diffusion_pytorch_model", cg_unet_config_to_json(config, FALSE),
                     weights, error);
}

gboolean cg_save_controlnet(const char *folder, const CgUnetConfig *config,
                            const CgSavedWeights *weights, GError **error)
{
    return save_part(folder, "diffusion_pytorch_model", cg_unet_config_to_json(config, TRUE),
                     weights, error);
}

gboolean cg_save_vae(const char *folder, const CgVaeConfig *config, const CgSavedWeights *weights,
                     GError **error)
{
    return save_part(folder, "diffusion_pytorch_model", cg_vae_config_to_json(config), weights,
                     error);
}

gboolean cg_save_text(const char *folder, const CgClipTextConfig *config,
                      const CgSavedWeights *weights, GError **error)
{
    return save_part(folder, "model", cg_clip_text_config_to_json(config), weights, error);
}

gboolean cg_save_scheduler(const char *folder, GError **error)
{
    return cg_file_make_directory(folder, error) &&
           write_json(json_pack("{s:s, s:f, s:f, s:s, s:i, s:b, s:b, s:i, s:b, s:s, s:n}",
                                "_class_name", "PNDMScheduler", "beta_start", 0.00085, "beta_end",
                                0.012, "beta_schedule", "scaled_linear", "num_train_timesteps",
                                1000, "set_alpha_to_one", 0, "skip_prk_steps", 1, "steps_offset", 1,
                                "clip_sample", 0, "prediction_type", "epsilon", "trained_betas"),
                      folder, "scheduler_config.json", error);
}

gboolean cg_save_index(const char *folder, GError **error)
{
    return write_json(json_pack("{s:s, s:s, s:[nn], s:[nn], s:b, s:[ss], s:[ss], s:[ss], s:[ss], "
                                "s:[ss]}",
                                "_class_name", "StableDiffusionPipeline", "_diffusers_version",
                                "0.27.2", "feature_extractor", "safety_checker",
                                "requires_safety_checker", 0, "scheduler", "diffusers",
                                "PNDMScheduler", "text_encoder", "transformers", "CLIPTextModel",
                                "tokenizer", "transformers", "CLIPTokenizer", "unet", "diffusers",
                                "UNet2DConditionModel", "vae", "diffusers", "AutoencoderKL"),
                      folder, "model_index.json", error);
}

static gboolean copy_file(const char *from, const char *to, GError **error)
{
    g_autoptr(CgMappedFile) source = cg_mapped_file_open(from, error);
    g_autoptr(CgAtomicFile) target = source ? cg_atomic_file_open(to, error) : NULL;
    if (!target)
        return FALSE;
    for (size_t at = 0; at < source->size; at += COPY_CHUNK)
        if (!cg_atomic_file_write(target, source->data + at, MIN(COPY_CHUNK, source->size - at),
                                  error))
            return FALSE;
    return cg_atomic_file_commit(g_steal_pointer(&target), error);
}

gboolean cg_save_copy(const char *from, const char *to, GError **error)
{
    g_autoptr(GDir) dir = g_dir_open(from, 0, NULL);
    const char *entry;
    if (!dir) {
        g_set_error(error, CG_ERROR, CG_ERROR_MISSING, "%s: no such folder", from);
        return FALSE;
    }
    if (!cg_file_make_directory(to, error))
        return FALSE;
    while ((entry = g_dir_read_name(dir))) {
        g_autofree char *source = g_build_filename(from, entry, NULL);
        g_autofree char *target = g_build_filename(to, entry, NULL);
        if (g_file_test(source, G_FILE_TEST_IS_REGULAR) && !copy_file(source, target, error))
            return FALSE;
    }
    return TRUE;
}
