/* conv_block: convolutions with batch norm and ReLU, in twos and after doubling: what DRAEM's
 * networks and U-Net segmenters are made of.
 */
#ifndef CG_NN_CONV_BLOCK_H
#define CG_NN_CONV_BLOCK_H

#include "nn/layers.h"

/* 3x3 convolution, norm, ReLU, twice. */
typedef struct {
    CgConv conv1, conv2;
    CgBatchNorm norm1, norm2;
} CgConvBlock;

/* Twice as large (bilinear, corners on corners), 3x3 convolution, norm, ReLU. */
typedef struct {
    CgConv conv;
    CgBatchNorm norm;
} CgConvUp;

/* PREFIX.0 and .3 are the convolutions, PREFIX.1 and .4 the norms. */
void cg_bind_conv_block(CgBinder *b, CgConvBlock *block, const char *prefix, int c_in, int c_mid,
                        int c_out);
/* PREFIX.1 is the convolution, PREFIX.2 the norm. */
void cg_bind_conv_up(CgBinder *b, CgConvUp *up, const char *prefix, int c_in, int c_out);

/* X [n, h, w, c_in] -> [n, h, w, c_out]. TRAINING: norms take the batch's statistics; the block is
 * a segment that may be computed again. */
CgTensor *cg_conv_block_forward(CgContext *cx, const CgConvBlock *block, CgTensor *x,
                                gboolean training);
/* X [n, h, w, c_in] -> [n, 2h, 2w, c_out]. */
CgTensor *cg_conv_up_forward(CgContext *cx, const CgConvUp *up, CgTensor *x, gboolean training);
/* The largest of each 2 x 2, h and w even: [n, h, w, c] -> [n, h / 2, w / 2, c]. */
CgTensor *cg_halve(CgContext *cx, CgTensor *x);

#endif
