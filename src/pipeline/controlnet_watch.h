/* controlnet_watch: how far a ControlNet is, on pictures and masks that it does not learn from.
 *
 * The same few normal images, masks (Perlin, and the shots' own bent and moved) and prompts at
 * every look, with the same noise. What is generated is compared, before anything is fused, with
 * what the same noise and prompt give under an empty mask: mask obedience (metrics/obedience.h).
 * The normal image is no measure there: nothing tells the ControlNet what it looks like.
 */
#ifndef CG_PIPELINE_CONTROLNET_WATCH_H
#define CG_PIPELINE_CONTROLNET_WATCH_H

#include "pipeline/train_controlnet.h"

typedef struct CgControlnetWatch CgControlnetWatch;

/* MODEL (with the ControlNet in training), SHOTS and OPTIONS are borrowed. */
CgControlnetWatch *cg_controlnet_watch_new(const CgModel *model, const CgShots *shots,
                                           const CgTrainControlnetOptions *options, GError **error);
void cg_controlnet_watch_free(CgControlnetWatch *watch);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CgControlnetWatch, cg_controlnet_watch_free)

/* Generates, writes OUT/samples/step-STEP.png; *OBEDIENCE gets the mean over the pictures. */
gboolean cg_controlnet_watch_run(CgControlnetWatch *watch, guint64 step, double *obedience,
                                 GError **error);

#endif
