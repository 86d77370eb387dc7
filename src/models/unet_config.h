/* unet_config: what config.json says of a U-Net or ControlNet.
 *
 * Sizes are all taken from the file. Keys of newer diffusers that change the computation are
 * accepted at the values that Stable Diffusion 1.x has and refused by name at any other.
 */
#ifndef CG_MODELS_UNET_CONFIG_H
#define CG_MODELS_UNET_CONFIG_H

#include "base/json.h"

#define CG_MAX_LEVELS           8
#define CG_MAX_LAYERS           8
#define CG_MAX_EMBEDDING_BLOCKS 8

typedef struct {
    int in_channels, out_channels;
    int sample_size; /* latent side that the model was trained for */
    int level_count;
    int channels[CG_MAX_LEVELS];       /* block_out_channels */
    gboolean attention[CG_MAX_LEVELS]; /* the level's blocks have transformers */
    int heads[CG_MAX_LEVELS];
    int layers;     /* residual blocks in a down block; one more in an up block */
    int text_width; /* cross_attention_dim */
    int groups;     /* norm_num_groups */
    float eps;      /* norm_eps, of the residual blocks and the head */
    gboolean flip_sin_to_cos;
    double freq_shift;
    /* ControlNet only */
    int control_channels;    /* conditioning_channels */
    gboolean control_is_bgr; /* controlnet_conditioning_channel_order */
    int embedding_count;     /* conditioning_embedding_out_channels */
    int embedding[CG_MAX_EMBEDDING_BLOCKS];
} CgUnetConfig;

/* Stable Diffusion 1.5's own values; of its ControlNets with CONTROLNET. */
void cg_unet_config_default(CgUnetConfig *config, gboolean controlnet);
/* A ControlNet's for a U-Net with UNET's sizes; its control image is FACTOR = 2^k pixels for a
 * latent cell and side (that of the VAE), so that its embedding has k + 1 levels. */
void cg_unet_config_for_control(const CgUnetConfig *unet, int factor, CgUnetConfig *control);
/* Pixels of a ControlNet's control image for a latent cell and side: 8 for Stable Diffusion. */
static inline int cg_unet_config_control_factor(const CgUnetConfig *control)
{
    return 1 << (control->embedding_count - 1);
}
/* The object read from WHERE. Absent keys have diffusers' defaults, which are SD 1.5's. */
gboolean cg_unet_config_parse(const json_t *object, const char *where, gboolean controlnet,
                              CgUnetConfig *config, GError **error);
/* As diffusers writes it. Free with json_decref. */
json_t *cg_unet_config_to_json(const CgUnetConfig *config, gboolean controlnet);

/* Width of the time embedding: four times the first level. */
static inline int cg_unet_time_width(const CgUnetConfig *config)
{
    return 4 * config->channels[0];
}

/* Latent sides must be at least this for every level to hold a pixel. */
static inline int cg_unet_min_side(const CgUnetConfig *config)
{
    return 1 << (config->level_count - 1);
}

#endif
