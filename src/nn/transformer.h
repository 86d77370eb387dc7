/* transformer: the spatial transformer of U-Net and ControlNet (diffusers Transformer2DModel with
 * one BasicTransformerBlock): proj_in, self-attention, attention to the text, GEGLU feed-forward,
 * proj_out, plus the input.
 */
#ifndef CG_NN_TRANSFORMER_H
#define CG_NN_TRANSFORMER_H

#include "nn/layers.h"

typedef struct {
    int c, heads, groups;
    CgNorm norm;                /* group norm, eps 1e-6 */
    CgLinear proj_in, proj_out; /* 1x1 convolutions or linear layers, the same numbers */
    CgNorm norm1, norm2, norm3; /* layer norms, eps 1e-5 */
    CgLinear self_qkv;          /* c -> 3c, no bias */
    CgLinear self_out;          /* c -> c */
    CgLinear cross_q;           /* c -> c, no bias */
    CgLinear cross_kv;          /* c_text -> 2c, no bias */
    CgLinear cross_out;         /* c -> c */
    CgLinear ff_in;             /* c -> 8c: value, gate */
    CgLinear ff_out;            /* 4c -> c */
} CgTransformer;

void cg_bind_transformer(CgBinder *b, CgTransformer *block, const char *prefix, int c, int heads,
                         int c_text, int groups);

/* Keys and values of the text states TEXT [n, t, c_text] -> [n, t, 2c]. They depend on the prompt
 * alone: computed once, used in every step. */
CgTensor *cg_transformer_text(CgContext *cx, const CgTransformer *block, CgTensor *text);

/* x [n, h, w, c], TEXT_KV from cg_transformer_text with the same n -> [n, h, w, c]. */
CgTensor *cg_transformer_forward(CgContext *cx, const CgTransformer *block, CgTensor *x,
                                 CgTensor *text_kv);

#endif
