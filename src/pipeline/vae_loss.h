/* vae_loss: what an autoencoder is trained for: pictures that come back as they were, through
 * latents near the standard normal distribution.
 *
 *     L = l1 * |y - x| + ssim * (1 - SSIM(y, x)) + edges * (edge loss) + kl * KL
 *
 * with y the decoded posterior sample; each term as in ops/loss.h. (Latent diffusion's own recipe
 * has LPIPS and a discriminator, which are networks that others trained; SSIM and edges stand for
 * them.)
 */
#ifndef CG_PIPELINE_VAE_LOSS_H
#define CG_PIPELINE_VAE_LOSS_H

#include "models/vae.h"

typedef struct {
    double l1, ssim, edges, kl;
} CgVaeLossWeights;

/* 1, 0.5, 0.5, 1e-4 */
void cg_vae_loss_weights_default(CgVaeLossWeights *weights);

/* V's scaling factor is 1. IMAGE [n, h, w, 3] f32 in [-1, 1], NOISE [n, h/f, w/f, latent channels]
 * standard normal. A scalar; a variable when CX has a tape and V is trained. *RECONSTRUCTION
 * (nullable) gets y. */
CgTensor *cg_vae_loss(CgContext *cx, const CgVae *v, CgTensor *image, CgTensor *noise,
                      const CgVaeLossWeights *weights, CgTensor **reconstruction);

#endif
