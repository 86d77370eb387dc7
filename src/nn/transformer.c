#include "nn/transformer.h"

#define GROUP_NORM_EPS 1e-6f
#define LAYER_NORM_EPS 1e-5f

void cg_bind_transformer(CgBinder *b, CgTransformer *block, const char *prefix, int c, int heads,
                         int c_text, int groups)
{
    char name[CG_NAME_MAX], inner[CG_NAME_MAX];
    char q[CG_NAME_MAX], k[CG_NAME_MAX], v[CG_NAME_MAX];
    *block = (CgTransformer){.c = c, .heads = heads, .groups = groups};
    cg_bind_norm(b, &block->norm, cg_name(name, "%s.norm", prefix), c);
    cg_bind_pointwise(b, &block->proj_in, cg_name(name, "%s.proj_in", prefix), c, c, TRUE);

    cg_name(inner, "%s.transformer_blocks.0", prefix);
    cg_bind_norm(b, &block->norm1, cg_name(name, "%s.norm1", inner), c);
    const char *self[] = {cg_name(q, "%s.attn1.to_q", inner), cg_name(k, "%s.attn1.to_k", inner),
                          cg_name(v, "%s.attn1.to_v", inner)};
    cg_bind_linear_stack(b, &block->self_qkv, self, 3, c, c, FALSE);
    cg_bind_linear(b, &block->self_out, cg_name(name, "%s.attn1.to_out.0", inner), c, c, TRUE);

    cg_bind_norm(b, &block->norm2, cg_name(name, "%s.norm2", inner), c);
    cg_bind_linear(b, &block->cross_q, cg_name(name, "%s.attn2.to_q", inner), c, c, FALSE);
    const char *cross[] = {cg_name(k, "%s.attn2.to_k", inner), cg_name(v, "%s.attn2.to_v", inner)};
    cg_bind_linear_stack(b, &block->cross_kv, cross, 2, c_text, c, FALSE);
    cg_bind_linear(b, &block->cross_out, cg_name(name, "%s.attn2.to_out.0", inner), c, c, TRUE);

    cg_bind_norm(b, &block->norm3, cg_name(name, "%s.norm3", inner), c);
    cg_bind_linear(b, &block->ff_in, cg_name(name, "%s.ff.net.0.proj", inner), c, 8 * c, TRUE);
    cg_bind_linear(b, &block->ff_out, cg_name(name, "%s.ff.net.2", inner), 4 * c, c, TRUE);
    cg_bind_pointwise(b, &block->proj_out, cg_name(name, "%s.proj_out", prefix), c, c, TRUE);
}

CgTensor *cg_transformer_text(CgContext *cx, const CgTransformer *block, CgTensor *text)
{
    return cg_linear_forward(cx, &block->cross_kv, text, CG_PLAIN);
}

static CgTensor *layer_norm(CgContext *cx, CgTensor *h, const CgNorm *norm)
{
    return cg_layer_norm(cx, h, LAYER_NORM_EPS, norm->gamma, norm->beta);
}

/* h + to_out(attention of norm1(h) to itself), written over h. */
static CgTensor *self_attention(CgContext *cx, const CgTransformer *block, CgTensor *h)
{
    g_autoptr(CgTensor) a = layer_norm(cx, h, &block->norm1);
    CG_SET(a, cg_linear_forward(cx, &block->self_qkv, a, CG_PLAIN));
    CG_SET(a, cg_attention_qkv(cx, a, block->heads, FALSE));
    return cg_linear_forward(cx, &block->self_out, a,
                             (CgEpilogue){.residual = h, .in_place = TRUE});
}

static CgTensor *text_attention(CgContext *cx, const CgTransformer *block, CgTensor *h,
                                CgTensor *text_kv)
{
    g_autoptr(CgTensor) a = layer_norm(cx, h, &block->norm2);
    CG_SET(a, cg_linear_forward(cx, &block->cross_q, a, CG_PLAIN));
    CG_SET(a, cg_attention_kv(cx, a, text_kv, block->heads));
    return cg_linear_forward(cx, &block->cross_out, a,
                             (CgEpilogue){.residual = h, .in_place = TRUE});
}

static CgTensor *feed_forward(CgContext *cx, const CgTransformer *block, CgTensor *h)
{
    g_autoptr(CgTensor) a = layer_norm(cx, h, &block->norm3);
    CG_SET(a, cg_linear_forward(cx, &block->ff_in, a, CG_PLAIN));
    CG_SET(a, cg_geglu(cx, a));
    return cg_linear_forward(cx, &block->ff_out, a, (CgEpilogue){.residual = h, .in_place = TRUE});
}

/* INPUTS: x, the text's keys and values. */
static CgTensor *transformer_segment(CgContext *cx, const void *layer, CgTensor *const *inputs)
{
    const CgTransformer *block = layer;
    CgTensor *x = inputs[0], *text_kv = inputs[1];
    const int64_t n = x->shape.d[0], tokens = x->shape.d[1] * x->shape.d[2];
    g_autoptr(CgTensor) h = cg_group_norm(cx, x, block->groups, GROUP_NORM_EPS, block->norm.gamma,
                                          block->norm.beta, CG_ACT_NONE);
    CG_SET(h, cg_linear_forward(cx, &block->proj_in, h, CG_PLAIN));
    CG_SET(h, cg_tensor_reshape(h, CG_SHAPE(n, tokens, block->c)));
    CG_SET(h, self_attention(cx, block, h));
    CG_SET(h, text_attention(cx, block, h, text_kv));
    CG_SET(h, feed_forward(cx, block, h));
    CG_SET(h, cg_tensor_reshape(h, x->shape));
    return cg_linear_forward(cx, &block->proj_out, h, (CgEpilogue){.residual = x});
}

CgTensor *cg_transformer_forward(CgContext *cx, const CgTransformer *block, CgTensor *x,
                                 CgTensor *text_kv)
{
    CgTensor *const inputs[] = {x, text_kv};
    return cg_recompute(cx, transformer_segment, block, inputs, 2);
}
