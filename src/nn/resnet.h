/* resnet: the residual block of U-Net, ControlNet and VAE (diffusers ResnetBlock2D).
 *
 * h = conv1(silu(norm1(x))) + time(silu(temb)); y = shortcut(x) + conv2(silu(norm2(h))), where
 * shortcut is the identity when c_in = c_out, else a 1x1 convolution.
 */
#ifndef CG_NN_RESNET_H
#define CG_NN_RESNET_H

#include "nn/layers.h"

typedef struct {
    int c_in, c_out;
    int groups;
    float eps;
    CgNorm norm1, norm2;
    CgConv conv1, conv2;
    CgConv shortcut;    /* only when c_in != c_out */
    CgLinear time_proj; /* c_time -> c_out; only with a time embedding */
} CgResnet;

/* C_TIME 0: no time embedding (VAE). */
void cg_bind_resnet(CgBinder *b, CgResnet *block, const char *prefix, int c_in, int c_out,
                    int c_time, int groups, float eps);

/* x [n, h, w, c_in]; TIME is silu(temb) [n or 1, c_time] in the context's type, NULL for a block
 * without one -> [n, h, w, c_out]. */
CgTensor *cg_resnet_forward(CgContext *cx, const CgResnet *block, CgTensor *x, CgTensor *time);

#endif
