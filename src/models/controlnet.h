/* controlnet: a copy of the U-Net's encoder that reads a control image and answers with residuals
 * for the U-Net's skips (Zhang et al. 2023; diffusers ControlNetModel).
 */
#ifndef CG_MODELS_CONTROLNET_H
#define CG_MODELS_CONTROLNET_H

#include "models/unet_encoder.h"

typedef struct {
    CgUnetConfig config;
    CgParameterSet parameters;
    CgUnetEncoder encoder;
    CgConv hint_in;                                  /* control image -> embedding[0] */
    CgConv hint_blocks[2 * CG_MAX_EMBEDDING_BLOCKS]; /* keep, then halve, at each level */
    CgConv hint_out;                                 /* zero convolution to the first level */
    CgConv zero_convs[CG_MAX_SKIPS];                 /* controlnet_down_blocks */
    CgConv zero_conv_mid;
} CgControlnet;

/* Residuals for the U-Net, in its order of skips. */
typedef struct {
    CgTensor *skips[CG_MAX_SKIPS]; /* [n, h_k, w_k, c_k] */
    int count;
    CgTensor *mid;
    double scale[CG_MAX_SKIPS + 1]; /* what each is multiplied with when added; [count]: mid */
} CgControlResiduals;

/* Whether the parameter NAME is one that the U-Net has not: the control image's embedding and the
 * zero convolutions. A CgParameterFilter. */
gboolean cg_controlnet_is_own(const char *name);
/* Binds all layers to B (structure only when B has no set). */
void cg_bind_controlnet(CgBinder *b, CgControlnet *c);
/* CONFIG is copied. */
CgControlnet *cg_controlnet_new(const CgBuild *build, const CgUnetConfig *config, GError **error);
void cg_controlnet_free(CgControlnet *c);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CgControlnet, cg_controlnet_free)

/* What does not depend on the timestep: keys and values of TEXT [n, t, text_width] (context's type)
 * for the ControlNet's transformers .. */
void cg_controlnet_prepare_text(CgContext *cx, const CgControlnet *c, CgTensor *text,
                                CgTextCache *cache);
/* .. and the control image CONTROL [n or 1, f h, f w, 3] f32 in [0, 1], f its
 * configuration's control factor (8), at latent size, in the width
 * of the first level -> [n or 1, h, w, c0]. */
CgTensor *cg_controlnet_prepare_hint(CgContext *cx, const CgControlnet *c, CgTensor *control);
/* LATENT [n, h, w, 4] f32, T: T_COUNT timesteps (n or 1), HINT and TEXT as prepared. The scales are
 * set to 1. */
void cg_controlnet_forward(CgContext *cx, const CgControlnet *c, CgTensor *latent, const double *t,
                           int t_count, const CgTextCache *text, CgTensor *hint,
                           CgControlResiduals *residuals);

void cg_control_residuals_clear(CgControlResiduals *residuals);

#endif
