/* lora_file: low-rank additions (nn/lora.h) out of a file, merged into the weights they belong to.
 *
 * Read are the names of diffusers and PEFT and those of kohya's scripts, for U-Net and text
 * encoder:
 *
 *     unet.<layer>.lora_A.weight, .lora_B.weight       also text_encoder.<layer>, and the older
 *                                                      .lora.down.weight, .lora.up.weight
 *     lora_unet_<layer with _>.lora_down.weight, .lora_up.weight, .alpha     also lora_te_
 *
 * An addition may be to any linear layer or convolution. Its factor is alpha / rank: alpha from a
 * tensor .alpha, else from the metadata that diffusers writes (lora_adapter_metadata), else the
 * rank.
 */
#ifndef CG_MODELS_LORA_FILE_H
#define CG_MODELS_LORA_FILE_H

#include "models/checkpoint.h"

typedef struct CgLoraFile CgLoraFile;

/* SPEC is "FILE" or "FILE:WEIGHT", FILE a file or a folder with pytorch_lora_weights.safetensors
 * (what cagen train base --lora writes); WEIGHT, 1 when not given, is a factor to all of it.
 * CG_ERROR_UNSUPPORTED when it holds what is no LoRA of these forms. */
CgLoraFile *cg_lora_file_open(const char *spec, GError **error);
void cg_lora_file_free(CgLoraFile *file);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CgLoraFile, cg_lora_file_free)

const char *cg_lora_file_path(const CgLoraFile *file);
double cg_lora_file_weight(const CgLoraFile *file);
/* Of the file's bytes. */
const char *cg_lora_file_sha256(const CgLoraFile *file);
/* "rank 8, factor 1, 128 layers of a U-Net". Free with g_free. */
char *cg_lora_file_describe(const CgLoraFile *file);
CgSafetensors *cg_lora_file_tensors(const CgLoraFile *file);

/* CG_ERROR_SHAPE when it holds additions to layers that no lookup has asked for. */
gboolean cg_lora_file_check_used(const CgLoraFile *file, GError **error);

/* Weights with additions merged: the source of cg_merged_weights_lookup, a CgParameterLookup. */
typedef struct {
    CgCheckpoint *weights;
    CgComponent component;
    const GPtrArray *additions; /* of CgLoraFile */
} CgMergedWeights;
/* As cg_checkpoint_lookup; a tensor that something is added to is a copy, f32. */
CgTensor *cg_merged_weights_lookup(void *merged_weights, const char *name, const CgShape *want,
                                   GPtrArray *problems);

#endif
