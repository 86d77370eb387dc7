/* model: all parts of a latent diffusion model, loaded and fitting together.
 *
 * A model is a folder in diffusers' layout (model_index.json, unet/, vae/, text_encoder/,
 * tokenizer/, scheduler/) or one .safetensors file of the original naming; a ControlNet is a folder
 * or a file likewise.
 */
#ifndef CG_PIPELINE_MODEL_H
#define CG_PIPELINE_MODEL_H

#include "base/json.h"
#include "diffusion/schedule.h"
#include "models/checkpoint.h"
#include "models/clip_text.h"
#include "models/lora_file.h"
#include "models/tokenizer.h"
#include "models/unet.h"
#include "models/vae.h"

typedef struct {
    const char *model;
    const char *controlnet; /* NULL: none */
    const char *vae;        /* folder or file instead of the model's own; NULL: its own */
    const char *tokenizer;  /* folder or file instead of the model's own; NULL: its own */
    const char *config;     /* folder in diffusers' layout whose config.json files, schedule and
                               tokenizer describe a single file; NULL: Stable Diffusion 1.5's */
    /* Low-rank additions to text encoder and U-Net, merged at loading: each as cg_lora_file_open
     * takes it, NULL at the end; NULL: none */
    const char *const *lora;
    /* For training a ControlNet: gradients shall flow through the U-Net, and the other parts, which
     * are seldom used, take no memory but their files (see cg_model_rest). */
    gboolean training;
    gboolean lean; /* so does the U-Net, for more time */
} CgModelPaths;

typedef struct {
    CgEngine *engine; /* borrowed */
    CgDType dtype;
    CgTokenizer *tokenizer;
    CgClipText *text;
    CgVae *vae;
    CgUnet *unet;
    CgControlnet *controlnet; /* NULL: none */
    CgNoiseSchedule *schedule;
    CgCheckpoint *text_weights, *vae_weights, *unet_weights;
    GPtrArray *lora; /* of CgLoraFile: what is merged */
    char *path, *controlnet_path, *vae_path;
    /* see cg_weights_fingerprint; the first is the U-Net's. Without what is merged */
    char *fingerprint, *controlnet_fingerprint, *vae_fingerprint, *text_fingerprint;
} CgModel;

/* Loads everything; weights stay in their mapped files until first used. Errors name the file. */
CgModel *cg_model_open(CgEngine *engine, CgDType dtype, const CgModelPaths *paths, GError **error);
void cg_model_free(CgModel *m);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CgModel, cg_model_free)
/* After a use of the text encoder or VAE of a model for training: what they left in memory (pages
 * of their files, idle blocks of the engine's pool) goes back to the system. */
void cg_model_rest(const CgModel *m);

/* For training a ControlNet for M, which has none yet. Its configuration: that of the ControlNet at
 * PATH, or with NULL the one that goes with M's U-Net and the VAE's latent cells. */
gboolean cg_model_controlnet_config(const CgModel *m, const char *path, CgUnetConfig *config,
                                    GError **error);
/* The U-Net's weights once more, to begin from. */
CgCheckpoint *cg_model_open_unet_weights(const CgModel *m, GError **error);
/* CG_ERROR_SHAPE when M's parts do not fit together. */
gboolean cg_model_check(const CgModel *m, GError **error);

/* What the parts that are there will pack. */
CgPackedBytes cg_model_packed_bytes(const CgModel *m);
/* Numbers in all parameters. */
guint64 cg_model_parameter_count(const CgModel *m);
/* Side of the square picture that the model was trained for, in pixels: 512. */
int cg_model_size(const CgModel *m);
/* A message for an output that is not finite: names the first weight that is not, or says that the
 * weights are sound. */
char *cg_model_explain_not_finite(const CgModel *m);

/* Parts on their own, for other commands. PATH is a folder (with config.json beside the weights) or
 * a file. *WHERE gets what the weights are called in messages. */
gboolean cg_model_read_unet_config(const char *path, gboolean controlnet, CgUnetConfig *config,
                                   GError **error);
gboolean cg_model_read_vae_config(const char *path, CgVaeConfig *config, GError **error);
gboolean cg_model_read_text_config(const char *path, CgClipTextConfig *config, GError **error);
CgCheckpoint *cg_model_open_part(const char *path, CgComponent component, GError **error);

/* A short name for exactly these weights, 16 hex digits: SHA-256 over the names, shapes and types
 * of all tensors and 64 bytes of each one's data. Cheap for gigabytes, and different for any two
 * trainings. The same for a folder and a single file. */
char *cg_weights_fingerprint(CgCheckpoint *checkpoint);
/* The same of any tensors, one by one; SUM: a GChecksum of SHA-256. */
void cg_fingerprint_add(void *sum, const char *name, const CgSafetensor *entry);
char *cg_fingerprint_finish(GChecksum *sum);

/* What is merged into it, for manifests: [{"file": .., "weight": .., "sha256": ..}]; NULL when
 * nothing is. Free with json_decref. */
json_t *cg_model_lora_to_json(const CgModel *m);

#endif
