#include "nn/conv_block.h"

void cg_bind_conv_block(CgBinder *b, CgConvBlock *block, const char *prefix, int c_in, int c_mid,
                        int c_out)
{
    char name[CG_NAME_MAX];
    cg_bind_conv(b, &block->conv1, cg_name(name, "%s.0", prefix), c_in, c_mid, 3, 1, 1, TRUE);
    cg_bind_batch_norm(b, &block->norm1, cg_name(name, "%s.1", prefix), c_mid);
    cg_bind_conv(b, &block->conv2, cg_name(name, "%s.3", prefix), c_mid, c_out, 3, 1, 1, TRUE);
    cg_bind_batch_norm(b, &block->norm2, cg_name(name, "%s.4", prefix), c_out);
}

void cg_bind_conv_up(CgBinder *b, CgConvUp *up, const char *prefix, int c_in, int c_out)
{
    char name[CG_NAME_MAX];
    cg_bind_conv(b, &up->conv, cg_name(name, "%s.1", prefix), c_in, c_out, 3, 1, 1, TRUE);
    cg_bind_batch_norm(b, &up->norm, cg_name(name, "%s.2", prefix), c_out);
}

static CgTensor *conv_norm(CgContext *cx, const CgConv *conv, const CgBatchNorm *norm, CgTensor *x,
                           gboolean training)
{
    g_autoptr(CgTensor) h = cg_conv_forward(cx, conv, x, CG_PLAIN);
    return cg_batch_norm_forward(cx, norm, h, CG_ACT_RELU, training);
}

static CgTensor *block_forward(CgContext *cx, const CgConvBlock *block, CgTensor *x,
                               gboolean training)
{
    g_autoptr(CgTensor) h = conv_norm(cx, &block->conv1, &block->norm1, x, training);
    return conv_norm(cx, &block->conv2, &block->norm2, h, training);
}

static CgTensor *training_segment(CgContext *cx, const void *layer, CgTensor *const *inputs)
{
    return block_forward(cx, layer, inputs[0], TRUE);
}

CgTensor *cg_conv_block_forward(CgContext *cx, const CgConvBlock *block, CgTensor *x,
                                gboolean training)
{
    return training ? cg_recompute(cx, training_segment, block, &x, 1)
                    : block_forward(cx, block, x, FALSE);
}

CgTensor *cg_conv_up_forward(CgContext *cx, const CgConvUp *up, CgTensor *x, gboolean training)
{
    g_autoptr(CgTensor) large = cg_upsample_bilinear(cx, x, 2 * x->shape.d[1], 2 * x->shape.d[2]);
    return conv_norm(cx, &up->conv, &up->norm, large, training);
}

CgTensor *cg_halve(CgContext *cx, CgTensor *x)
{
    return cg_max_pool2d(cx, &(CgPoolGeometry){.kernel = 2, .stride = 2}, x);
}
