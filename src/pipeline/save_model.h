/* save_model: models written in the layout of diffusers.
 *
 *     OUT/model_index.json                       last
 *     OUT/unet/config.json, OUT/unet/diffusion_pytorch_model.safetensors
 *     OUT/vae/ likewise
 *     OUT/text_encoder/config.json, OUT/text_encoder/model.safetensors
 *     OUT/tokenizer/, OUT/scheduler/scheduler_config.json
 *
 * A ControlNet is a folder of its own with its two files; low-rank additions that it was trained
 * with are merged into them, and stand in FOLDER/pytorch_lora_weights.safetensors by themselves.
 * Every file appears complete or not at all; a part's configuration is written after its weights.
 */
#ifndef CG_PIPELINE_SAVE_MODEL_H
#define CG_PIPELINE_SAVE_MODEL_H

#include "autograd/store.h"
#include "models/clip_text.h"
#include "models/unet.h"
#include "models/vae.h"

/* Parameters of a store that make up one model, or with FROZEN a part of one. */
typedef struct {
    const CgStore *store;
    CgTensor *block;    /* of the store: its values, or their average */
    guint first, count; /* parameters */
    CgDType dtype;      /* in the file: f32, f16 or bf16 */
    /* Where the parameters are that were not trained; NULL: all were. */
    CgParameterLookup frozen;
    void *frozen_source;
    CgLora lora; /* whose additions are merged, in f32 */
} CgSavedWeights;

/* FOLDER/config.json and the weights beside it. Folders are made. */
gboolean cg_save_unet(const char *folder, const CgUnetConfig *config, const CgSavedWeights *weights,
                      GError **error);
gboolean cg_save_controlnet(const char *folder, const CgUnetConfig *config,
                            const CgSavedWeights *weights, GError **error);
/* FOLDER/pytorch_lora_weights.safetensors: the additions alone, under their names with PREFIX
 * before them: "" as diffusers' load_lora_adapter takes them for any one model, "unet." as
 * load_lora_weights does for a pipeline's U-Net. Rank and alpha are in the metadata. */
gboolean cg_save_lora(const char *folder, const char *prefix, const CgSavedWeights *weights,
                      GError **error);
gboolean cg_save_vae(const char *folder, const CgVaeConfig *config, const CgSavedWeights *weights,
                     GError **error);
gboolean cg_save_text(const char *folder, const CgClipTextConfig *config,
                      const CgSavedWeights *weights, GError **error);

/* FOLDER/scheduler_config.json: Stable Diffusion 1.5's schedule, for a model that predicts the
 * noise. */
gboolean cg_save_scheduler(const char *folder, GError **error);
/* FOLDER/model_index.json, which makes the parts a model (diffusers StableDiffusionPipeline). */
gboolean cg_save_index(const char *folder, GError **error);
/* The files right in the folder FROM (a part of a model that stays as it is) copied to TO. */
gboolean cg_save_copy(const char *from, const char *to, GError **error);

#endif
