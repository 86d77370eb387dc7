/* layers: convolution and linear layers applied. */
#ifndef CG_NN_LAYERS_H
#define CG_NN_LAYERS_H

#include "nn/parameters.h"
#include "ops/ops.h"

/* x [n, h, w, c_in] -> [n, h', w', c_out]; 1x1 kernels run as matrix products. */
CgTensor *cg_conv_forward(CgContext *cx, const CgConv *layer, CgTensor *x, CgEpilogue ep);
/* x [.., in] -> [.., out]; a layer with an addition takes no activation. */
CgTensor *cg_linear_forward(CgContext *cx, const CgLinear *layer, CgTensor *x, CgEpilogue ep);

/* act(norm(x)), eps 1e-5. TRAINING: by the batch's own statistics, which the running ones follow by
 * a tenth (torch.nn.BatchNorm2d); else by the running ones, and then nothing is recorded. */
CgTensor *cg_batch_norm_forward(CgContext *cx, const CgBatchNorm *layer, CgTensor *x,
                                CgActivation act, gboolean training);

/* A parameter's name: cg_name(buffer, "down_blocks.%d.resnets.%d", 0, 1). Returns BUFFER. */
#define CG_NAME_MAX 256
const char *cg_name(char buffer[CG_NAME_MAX], const char *format, ...) G_GNUC_PRINTF(2, 3);

#endif
