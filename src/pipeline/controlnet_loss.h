/* controlnet_loss: what stage 1 of the paper makes small, eq. (1):
 *
 *     L = || eps - eps_theta(z_t, t, c_t, c_m) ||^2     (its mean over all elements)
 *
 * with the U-Net frozen and the ControlNet's residuals added to its skips (diffusers
 * train_controlnet.py).
 */
#ifndef CG_PIPELINE_CONTROLNET_LOSS_H
#define CG_PIPELINE_CONTROLNET_LOSS_H

#include "diffusion/schedule.h"
#include "models/unet.h"

/* N samples. */
typedef struct {
    CgTensor *latent;           /* x_0 [n, h, w, c] f32, scaled units */
    CgTensor *noise;            /* eps, the same shape */
    const int *timesteps;       /* [n] */
    CgTensor *text;             /* [n, t, text_width] f32 */
    CgTensor *control;          /* [n, 8h, 8w, 3] f32 in [0, 1]; NULL: the U-Net alone */
    const float *weights;       /* [n] of the samples' losses; NULL: 1 each */
    const float *place_weights; /* [n, h, w] of the latent cells', in place of weights; NULL */
} CgDiffusionBatch;

/* The loss, a scalar; a variable when CX has a tape and CONTROLNET (or U) is trained. *PREDICTION
 * (nullable) gets the network's answer, *TARGET what it should have been, [n, h, w, c] f32 each. */
CgTensor *cg_controlnet_loss(CgContext *cx, const CgControlnet *controlnet, const CgUnet *u,
                             const CgNoiseSchedule *schedule, const CgDiffusionBatch *batch,
                             CgTensor **prediction, CgTensor **target);

#endif
