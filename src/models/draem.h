/* draem: DRAEM's two networks (Zavrtanik et al. 2021; model_unet.py of its code).
 *
 * The reconstructive network paints a picture as if nothing were wrong with it; the discriminative
 * one, a U-Net, sees the reconstruction and the picture side by side and says for each pixel
 * whether they differ as a defect does. Parameters have the names of the original's two state
 * dictionaries, which have none in common. Pictures are in [0, 1], channels blue, green, red as the
 * original's (it reads with OpenCV), and nothing is subtracted.
 */
#ifndef CG_MODELS_DRAEM_H
#define CG_MODELS_DRAEM_H

#include "base/json.h"
#include "models/segmenter.h"

typedef struct {
    int reconstructive_width; /* channels at full size: 128 in the original */
    int discriminative_width; /* 64 */
} CgDraemConfig;

typedef struct {
    CgConvBlock encoder[5], decoder[4]; /* reconstructive; no skips */
    CgConvUp up[4];
    CgConv out;
    CgSegmenter segmenter; /* discriminative */
} CgDraem;

/* WIDTH (even) for the reconstructive network and half of it for the other; 128 is the original. */
CgDraemConfig cg_draem_config_of_width(int width);
/* Members of OBJECT, a model's configuration. */
gboolean cg_draem_config_parse(const json_t *object, const char *where, CgDraemConfig *config,
                               GError **error);

/* Binds all layers to B (structure only when B has no set). */
void cg_bind_draem(CgBinder *b, CgDraem *d, const CgDraemConfig *config);
/* The first network alone. */
void cg_bind_draem_reconstructive(CgBinder *b, CgDraem *d, int width);

/* PICTURE [n, h, w, 3] f32, sides multiples of 32. *RECONSTRUCTION [n, h, w, 3] and *LOGITS
 * [n, h, w, 2] (normal, anomalous), both f32. TRAINING: batch norms take the batch's statistics;
 * the reconstruction is not detached, so both networks learn from the logits. */
void cg_draem_forward(CgContext *cx, const CgDraem *d, CgTensor *picture, gboolean training,
                      CgTensor **reconstruction, CgTensor **logits);

/* The original's losses of a training batch, whose sum is returned: MSE, 1 - SSIM (of the
 * reconstruction, against CLEAN, as PICTURE) and the focal loss of the logits (MASK [n, h, w, 1] of
 * 0 and 1). PARTS (nullable) gets the three. */
CgTensor *cg_draem_loss(CgContext *cx, const CgDraem *d, CgTensor *clean, CgTensor *picture,
                        CgTensor *mask, double parts[3]);

/* Whether NAME is the reconstructive network's (encoder.*, decoder.*). */
gboolean cg_draem_is_reconstructive(const char *name);

#endif
