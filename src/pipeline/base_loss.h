/* base_loss: what text encoder and U-Net together are trained for:
 *
 *     L = || eps - eps_theta(z_t, t, tau(prompt)) ||^2      (its mean over all elements)
 *
 * with the gradient flowing on into the text encoder tau (Rombach et al. 2022, eq. 3).
 */
#ifndef CG_PIPELINE_BASE_LOSS_H
#define CG_PIPELINE_BASE_LOSS_H

#include "models/clip_text.h"
#include "pipeline/controlnet_loss.h"

/* IDS: T token ids for each of the batch's samples; the batch's text and control are not read. The
 * rest as in cg_controlnet_loss. */
CgTensor *cg_base_loss(CgContext *cx, const CgClipText *te, const CgUnet *u,
                       const CgNoiseSchedule *schedule, const gint32 *ids, int t,
                       const CgDiffusionBatch *batch, CgTensor **prediction, CgTensor **target);

#endif
