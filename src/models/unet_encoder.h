/* unet_encoder: the half that U-Net and ControlNet share: conv_in, time embedding, down blocks,
 * mid block, under the same names in both files.
 */
#ifndef CG_MODELS_UNET_ENCODER_H
#define CG_MODELS_UNET_ENCODER_H

#include "models/unet_config.h"
#include "nn/resnet.h"
#include "nn/timestep.h"
#include "nn/transformer.h"

#define CG_MAX_SKIPS (CG_MAX_LEVELS * CG_MAX_LAYERS)

typedef struct {
    CgResnet resnets[CG_MAX_LAYERS];
    CgTransformer transformers[CG_MAX_LAYERS]; /* when the level has attention */
    CgConv resample;                           /* down- or upsampler, except at the last block */
} CgUnetBlock;

typedef struct {
    CgConv conv_in;
    CgTimeEmbedding time;
    CgUnetBlock down[CG_MAX_LEVELS];
    CgResnet mid_resnets[2];
    CgTransformer mid_transformer;
} CgUnetEncoder;

/* What the encoder hands on. */
typedef struct {
    CgTensor *skips[CG_MAX_SKIPS]; /* conv_in, then each layer and each downsampler */
    int count;
    CgTensor *mid;
} CgUnetFeatures;

/* Keys and values of the text for each transformer, in order of execution. */
typedef struct {
    CgTensor *kv[2 * CG_MAX_SKIPS];
    int count;
} CgTextCache;

void cg_bind_unet_encoder(CgBinder *b, CgUnetEncoder *e, const CgUnetConfig *config);

/* Number of skips: 1 + per level its layers and, but for the last, a downsampler. */
int cg_unet_skip_count(const CgUnetConfig *config);
/* Channels of skip K. */
int cg_unet_skip_channels(const CgUnetConfig *config, int k);

/* Appends the encoder's transformers' keys and values of TEXT [n, t, text_width] to CACHE. */
void cg_unet_encoder_text(CgContext *cx, const CgUnetEncoder *e, const CgUnetConfig *config,
                          CgTensor *text, CgTextCache *cache);

/* LATENT [n, h, w, in_channels] in the context's type. HINT (nullable, [n or 1, h, w, c0]) is added
 * to conv_in's output. TIME [n or 1, time width] from cg_time_embedding_forward. *USED counts the
 * cache entries consumed. Fills FEATURES (owned references). */
void cg_unet_encoder_forward(CgContext *cx, const CgUnetEncoder *e, const CgUnetConfig *config,
                             CgTensor *latent, CgTensor *hint, CgTensor *time,
                             const CgTextCache *text, int *used, CgUnetFeatures *features);

void cg_unet_features_clear(CgUnetFeatures *features);
void cg_text_cache_clear(CgTextCache *cache);

#endif
