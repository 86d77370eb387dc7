/* loss: what training makes small, as scalars that ops can add.
 *
 * Every loss is a f32 [1]; weigh and sum them with cg_add. Y is the network's output (f32), TARGET
 * a constant of the same shape. Sums are in f64, in an order of their own: the same for any number
 * of threads. Derivatives of |x| at 0 are 0.
 *
 *     g_autoptr(CgTensor) loss = cg_loss_l1(cx, y, target);
 *     g_autoptr(CgTensor) kl = cg_loss_kl(cx, moments);
 *     CG_SET(loss, cg_add(cx, loss, kl, 1e-4f));
 */
#ifndef CG_OPS_LOSS_H
#define CG_OPS_LOSS_H

#include "ops/ops.h"

/* Mean over all elements of weight * (y - target)^2; SAMPLE_WEIGHTS: one for each of the first
 * dim's entries (read now), NULL: all 1. */
CgTensor *cg_loss_mse(CgContext *cx, CgTensor *y, CgTensor *target, const float *sample_weights);
/* The same with PLACE_WEIGHTS, one for each entry of all dims but the last. */
CgTensor *cg_loss_mse_at(CgContext *cx, CgTensor *y, CgTensor *target, const float *place_weights);
/* Mean of |y - target|. */
CgTensor *cg_loss_l1(CgContext *cx, CgTensor *y, CgTensor *target);
/* Images [n, h, w, c], h and w at least 2. With d = y - target: the mean of |d(i, j + 1) - d(i, j)|
 * plus the mean of |d(i + 1, j) - d(i, j)|. Keeps edges where L1 alone blurs. */
CgTensor *cg_loss_edges(CgContext *cx, CgTensor *y, CgTensor *target);
/* Images [n, h, w, c]: 1 - the mean over pixels and channels of SSIM (Wang et al. 2004) in 11x11
 * Gaussian windows, sigma 1.5, zeros beyond the border. RANGE: largest minus smallest value of a
 * pixel, 2 for images in [-1, 1]. */
CgTensor *cg_loss_ssim(CgContext *cx, CgTensor *y, CgTensor *target, double range);

/* The range that DRAEM takes for it: 255 where any of Y is above 128, else 1, and 1 more where any
 * is below -0.5. */
double cg_ssim_range(const CgTensor *y);
/* LOGITS [n, h, w, 2] of normal and anomalous, MASK [n, h, w, 1] of 0 and 1: the mean over pixels
 * of -(1 - p)^2 ln(p), where p is the probability (softmax) of what the pixel is, both classes
 * smoothed by 1e-5, plus 1e-5 (Lin et al. 2017 with gamma 2, as DRAEM's FocalLoss computes it). */
CgTensor *cg_loss_focal(CgContext *cx, CgTensor *logits, CgTensor *mask);

/* LOGITS [n, c], LABELS [n] of 0..c-1: the mean of -ln(softmax(logits)[label]). */
CgTensor *cg_loss_cross_entropy(CgContext *cx, CgTensor *logits, const int *labels);

/* A diagonal Gaussian's MOMENTS [n, h, w, 2c] f32: means, then log-variances, which are taken
 * within
 * [-30, 20] (diffusers' DiagonalGaussianDistribution; none of their gradient at or beyond a bound).
 * Divergence from the standard normal: the mean over all latent numbers of
 * (mean^2 + variance - 1 - logvar) / 2. */
CgTensor *cg_loss_kl(CgContext *cx, CgTensor *moments);
/* mean + exp(logvar / 2) * NOISE [n, h, w, c] f32 -> [n, h, w, c]. */
CgTensor *cg_posterior_sample(CgContext *cx, CgTensor *moments, CgTensor *noise);

#endif
