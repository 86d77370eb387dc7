/* unet: the denoiser of Stable Diffusion 1.x (diffusers UNet2DConditionModel). */
#ifndef CG_MODELS_UNET_H
#define CG_MODELS_UNET_H

#include "models/controlnet.h"

typedef struct {
    CgUnetConfig config;
    CgParameterSet parameters;
    CgUnetEncoder encoder;
    CgUnetBlock up[CG_MAX_LEVELS]; /* from the lowest resolution */
    CgNorm norm_out;
    CgConv conv_out;
} CgUnet;

void cg_bind_unet(CgBinder *b, CgUnet *u);
/* CONFIG is copied. */
CgUnet *cg_unet_new(const CgBuild *build, const CgUnetConfig *config, GError **error);
void cg_unet_free(CgUnet *u);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CgUnet, cg_unet_free)

/* Keys and values of TEXT [n, t, text_width] (context's type) for all transformers. */
void cg_unet_prepare(CgContext *cx, const CgUnet *u, CgTensor *text, CgTextCache *cache);

/* LATENT [n, h, w, in_channels] f32, T: T_COUNT timesteps (n or 1). CONTROL (nullable): residuals
 * of a batch of n, or of the last m < n samples only (guess mode: the conditional half).
 * -> [n, h, w, out_channels] f32. */
CgTensor *cg_unet_forward(CgContext *cx, const CgUnet *u, CgTensor *latent, const double *t,
                          int t_count, const CgTextCache *text, const CgControlResiduals *control);

#endif
