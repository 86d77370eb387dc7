#include "pipeline/base_loss.h"

CgTensor *cg_base_loss(CgContext *cx, const CgClipText *te, const CgUnet *u,
                       const CgNoiseSchedule *schedule, const gint32 *ids, int t,
                       const CgDiffusionBatch *batch, CgTensor **prediction, CgTensor **target)
{
    CgDiffusionBatch b = *batch;
    g_autoptr(CgTensor) states =
        cg_clip_text_forward(cx, te, ids, (int)batch->latent->shape.d[0], t, 0);
    b.text = states;
    b.control = NULL;
    return cg_controlnet_loss(cx, NULL, u, schedule, &b, prediction, target);
}
