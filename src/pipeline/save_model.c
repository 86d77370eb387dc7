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
    return cg_json_save(owned, path, error);
}

/* A file to be written: where its tensors are, what else it says. */
typedef struct {
    const CgSavedWeights *weights;
    const char *prefix;  /* of the names in the file */
    GHashTable *shapes;  /* of char * in the file -> CgShape * */
    char *lora_metadata; /* NULL: none */
} Saved;

static void saved_init(Saved *s, const CgSavedWeights *weights, const char *prefix)
{
    *s = (Saved){.weights = weights,
                 .prefix = prefix,
                 .shapes = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free)};
}

static void saved_clear(Saved *s)
{
    g_hash_table_unref(s->shapes);
    g_free(s->lora_metadata);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Saved, saved_clear)

/* A CgParameterVisit. */
static void saved_add(void *saved, const char *name, const CgShape *shape)
{
    Saved *s = saved;
    g_hash_table_insert(s->shapes, g_strconcat(s->prefix, name, NULL),
                        g_memdup2(shape, sizeof *shape));
}

/* All parameters of the store, or with ADDITIONS those of low-rank additions. */
static void saved_add_trained(Saved *s, gboolean additions)
{
    const CgSavedWeights *w = s->weights;
    for (guint i = w->first; i < w->first + w->count; i++) {
        const CgParameter *p = cg_store_nth(w->store, i);
        if (!additions || cg_lora_is_part(p->name))
            saved_add(s, p->name, &p->shape);
    }
}

/* The parameter NAME of the store, or NULL when it was not trained; new reference. */
static CgTensor *trained_tensor(const CgSavedWeights *w, const char *name)
{
    for (guint i = w->first; i < w->first + w->count; i++)
        if (g_str_equal(cg_store_nth(w->store, i)->name, name))
            return cg_store_view(w->block, cg_store_nth(w->store, i));
    return NULL;
}

/* The parameter NAME that was not trained, what is added to it included. */
static CgTensor *frozen_tensor(const CgSavedWeights *w, const char *name, const CgShape *shape,
                               GError **error)
{
    g_autoptr(GPtrArray) problems = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(CgTensor) t = w->frozen(w->frozen_source, name, shape, problems);
    g_autofree char *layer = cg_lora_layer(&w->lora, name);
    if (!t) {
        g_set_error(error, CG_ERROR, CG_ERROR_MISSING, "%s: no longer to be had from the model",
                    name);
        return NULL;
    }
    if (!layer)
        return g_steal_pointer(&t);
    g_autofree char *down = cg_lora_name(layer, 'A');
    g_autofree char *up = cg_lora_name(layer, 'B');
    g_autoptr(CgTensor) a = trained_tensor(w, down);
    g_autoptr(CgTensor) b = trained_tensor(w, up);
    CG_SET(t, cg_tensor_copy(t, CG_F32));
    cg_lora_merge(&w->lora, t, a, b);
    return g_steal_pointer(&t);
}

static gboolean put_tensor(const Saved *s, CgSafetensorsWriter *writer, const char *name,
                           GError **error)
{
    const CgShape *shape = g_hash_table_lookup(s->shapes, name);
    const char *own = name + strlen(s->prefix);
    g_autoptr(CgTensor) t = trained_tensor(s->weights, own);
    if (!t)
        t = frozen_tensor(s->weights, own, shape, error);
    g_autoptr(CgTensor) converted = t ? cg_tensor_copy(t, s->weights->dtype) : NULL;
    return converted &&
           cg_safetensors_writer_put(writer, converted->data, cg_tensor_bytes(converted), error);
}

static gboolean write_weights(const Saved *s, const char *path, GError **error)
{
    g_autoptr(CgSafetensorsWriter) w = cg_safetensors_writer_new();
    GHashTableIter iter;
    gpointer name, shape;
    cg_safetensors_writer_metadata(w, "format", "pt");
    if (s->lora_metadata)
        cg_safetensors_writer_metadata(w, "lora_adapter_metadata", s->lora_metadata);
    g_hash_table_iter_init(&iter, s->shapes);
    while (g_hash_table_iter_next(&iter, &name, &shape))
        cg_safetensors_writer_declare(w, name, s->weights->dtype, *(const CgShape *)shape);
    if (!cg_safetensors_writer_begin(w, path, error))
        return FALSE;
    for (guint i = 0; i < cg_safetensors_writer_count(w); i++)
        if (!put_tensor(s, w, cg_safetensors_writer_nth(w, i), error))
            return FALSE;
    return cg_safetensors_writer_commit(g_steal_pointer(&w), error);
}

/* CONFIG is taken. */
static gboolean save_files(const char *folder, const char *base, json_t *config, const Saved *saved,
                           GError **error)
{
    g_autoptr(json_t) owned = config;
    g_autofree char *file = g_strconcat(base, ".safetensors", NULL);
    g_autofree char *path = g_build_filename(folder, file, NULL);
    return cg_file_make_directory(folder, error) && write_weights(saved, path, error) &&
           write_json(json_incref(owned), folder, "config.json", error);
}

/* CONFIG is taken. */
static gboolean save_part(const char *folder, const char *base, json_t *config,
                          const CgSavedWeights *weights, GError **error)
{
    g_auto(Saved) saved;
    saved_init(&saved, weights, "");
    saved_add_trained(&saved, FALSE);
    return save_files(folder, base, config, &saved, error);
}

gboolean cg_save_unet(const char *folder, const CgUnetConfig *config, const CgSavedWeights *weights,
                      GError **error)
{
    g_auto(Saved) saved;
    g_autofree CgUnet *structure = g_new0(CgUnet, 1);
    CgBinder binder;
    structure->config = *config;
    saved_init(&saved, weights, "");
    cg_binder_init_visit(&binder, saved_add, &saved);
    cg_bind_unet(&binder, structure);
    cg_binder_finish(&binder, NULL);
    return save_files(folder, "diffusion_pytorch_model", cg_unet_config_to_json(config, FALSE),
                      &saved, error);
}

gboolean cg_save_controlnet(const char *folder, const CgUnetConfig *config,
                            const CgSavedWeights *weights, GError **error)
{
    g_auto(Saved) saved;
    g_autofree CgControlnet *structure = g_new0(CgControlnet, 1);
    CgBinder binder;
    structure->config = *config;
    saved_init(&saved, weights, "");
    cg_binder_init_visit(&binder, saved_add, &saved);
    cg_bind_controlnet(&binder, structure);
    cg_binder_finish(&binder, NULL);
    return save_files(folder, "diffusion_pytorch_model", cg_unet_config_to_json(config, TRUE),
                      &saved, error);
}

/* What diffusers hands to PEFT's LoraConfig. */
static char *lora_metadata(const CgLora *lora, const char *prefix)
{
    g_autofree char *r = g_strconcat(prefix, "r", NULL);
    g_autofree char *alpha = g_strconcat(prefix, "lora_alpha", NULL);
    g_autofree char *targets = g_strconcat(prefix, "target_modules", NULL);
    g_autoptr(json_t) config = json_pack("{s:i, s:f, s:[ssss]}", r, lora->rank, alpha, lora->alpha,
                                         targets, "to_k", "to_out.0", "to_q", "to_v");
    char *text = json_dumps(config, JSON_INDENT(2) | JSON_SORT_KEYS);
    char *copy = g_strdup(text);
    free(text);
    return copy;
}

gboolean cg_save_lora(const char *folder, const char *prefix, const CgSavedWeights *weights,
                      GError **error)
{
    g_auto(Saved) saved;
    g_autofree char *path = g_build_filename(folder, "pytorch_lora_weights.safetensors", NULL);
    saved_init(&saved, weights, prefix);
    saved_add_trained(&saved, TRUE);
    saved.lora_metadata = lora_metadata(&weights->lora, prefix);
    return cg_file_make_directory(folder, error) && write_weights(&saved, path, error);
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
