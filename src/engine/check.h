/* check: what engine.h asks of shapes and types, for every engine. A mismatch is a programming
 * error: each aborts with the operation's name and the shape that is wrong. */
#ifndef CG_ENGINE_CHECK_H
#define CG_ENGINE_CHECK_H

#include "engine/engine.h"

/* X and Y have one shape and one type, f32 or bf16. */
void cg_check_same(const char *what, const CgTensor *x, const CgTensor *y);
/* The output of a convolution of G over X [n, h, w, c_in]. */
CgShape cg_conv_output_shape(const CgConvGeometry *g, const CgTensor *x);
/* DTYPE: of the weight. */
void cg_check_conv2d(const CgConvGeometry *g, CgDType dtype, const CgTensor *x,
                     const CgEngineEpilogue *ep, const CgTensor *y);
void cg_check_linear(const CgConvGeometry *g, CgDType dtype, const CgTensor *x,
                     const CgEngineEpilogue *ep, const CgTensor *y);
void cg_check_attention(const CgAttention *a);
void cg_check_group_norm(const CgTensor *x, int groups, const CgTensor *gamma, const CgTensor *beta,
                         const CgTensor *y);
void cg_check_layer_norm(const CgTensor *x, const CgTensor *gamma, const CgTensor *beta,
                         const CgTensor *y);
void cg_check_geglu(const CgTensor *x, const CgTensor *y);
void cg_check_add_channels(const CgTensor *x, const CgTensor *v, const CgTensor *y);
void cg_check_upsample(const CgTensor *x, const CgTensor *y);
void cg_check_concat(const CgTensor *a, const CgTensor *b, const CgTensor *y);
/* MEAN and VARIANCE may be NULL. */
void cg_check_batch_norm(const CgTensor *x, const CgTensor *gamma, const CgTensor *beta,
                         const CgTensor *mean, const CgTensor *variance, const CgTensor *y);
void cg_check_max_pool2d(const CgPoolGeometry *g, const CgTensor *x, const CgTensor *y);
void cg_check_average_pool(const CgTensor *x, const CgTensor *y);
/* DA or DB may be NULL. */
void cg_check_split(const CgTensor *dy, int64_t ca, const CgTensor *da, const CgTensor *db);
/* Gradients of parameters, running statistics: f32 of COUNT elements, or NULL. */
void cg_check_gradient(const char *what, const CgTensor *gradient, size_t count);
/* X or DX, and Y or DY of a convolution (linear layer) of G in DTYPE. */
void cg_check_conv2d_backward(const CgConvGeometry *g, CgDType dtype, const CgTensor *x,
                              const CgTensor *dy);
void cg_check_linear_backward(const CgConvGeometry *g, CgDType dtype, const CgTensor *x,
                              const CgTensor *dy);
void cg_check_attention_backward(const CgAttention *a, const CgAttentionGradient *g);
void cg_check_cast(const CgTensor *x, const CgTensor *y);

#endif
