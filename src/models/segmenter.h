/* segmenter: a U-Net that says of each pixel whether it belongs to a defect: DRAEM's discriminative
 * network (Zavrtanik et al. 2021), six levels down and five up with skips.
 *
 * DRAEM shows it the reconstruction and the picture, six channels. On the picture alone, three
 * channels, it is the segmenter that generated defects are measured by in other works
 * (AnomalyDiffusion, Hu et al. 2024). Parameters have the original's names, which begin with
 * encoder_segment and decoder_segment.
 */
#ifndef CG_MODELS_SEGMENTER_H
#define CG_MODELS_SEGMENTER_H

#include "nn/conv_block.h"

#define CG_SEGMENTER_MULTIPLE  32 /* sides of pictures: five halvings */
#define CG_SEGMENTER_MAX_WIDTH 1024

typedef struct {
    CgConvBlock encoder[6], decoder[5];
    CgConvUp up[5];
    CgConv out;
} CgSegmenter;

/* C_IN channels in, WIDTH channels at full size (64 in the original). */
void cg_bind_segmenter(CgBinder *b, CgSegmenter *s, int c_in, int width);

/* X [n, h, w, c_in] in the context's type, sides multiples of 32 -> logits [n, h, w, 2] (normal,
 * anomalous) of that type. TRAINING: batch norms take the batch's statistics. */
CgTensor *cg_segmenter_forward(CgContext *cx, const CgSegmenter *s, CgTensor *x, gboolean training);

#endif
