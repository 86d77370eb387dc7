#include "nn/resnet.h"

void cg_bind_resnet(CgBinder *b, CgResnet *block, const char *prefix, int c_in, int c_out,
                    int c_time, int groups, float eps)
{
    char name[CG_NAME_MAX];
    *block = (CgResnet){.c_in = c_in, .c_out = c_out, .groups = groups, .eps = eps};
    cg_bind_norm(b, &block->norm1, cg_name(name, "%s.norm1", prefix), c_in);
    cg_bind_conv(b, &block->conv1, cg_name(name, "%s.conv1", prefix), c_in, c_out, 3, 1, 1, TRUE);
    if (c_time)
        cg_bind_linear(b, &block->time_proj, cg_name(name, "%s.time_emb_proj", prefix), c_time,
                       c_out, TRUE);
    cg_bind_norm(b, &block->norm2, cg_name(name, "%s.norm2", prefix), c_out);
    cg_bind_conv(b, &block->conv2, cg_name(name, "%s.conv2", prefix), c_out, c_out, 3, 1, 1, TRUE);
    if (c_in != c_out)
        cg_bind_conv(b, &block->shortcut, cg_name(name, "%s.conv_shortcut", prefix), c_in, c_out, 1,
                     1, 0, TRUE);
}

/* conv1 with the time embedding added. When all samples share the timestep, as in sampling, the
 * embedding is one vector and rides in the convolution's bias for nothing. */
static CgTensor *conv1_with_time(CgContext *cx, const CgResnet *block, CgTensor *h, CgTensor *time)
{
    if (!time)
        return cg_conv_forward(cx, &block->conv1, h, CG_PLAIN);
    g_autoptr(CgTensor) projected = cg_linear_forward(cx, &block->time_proj, time, CG_PLAIN);
    g_autoptr(CgTensor) shift = cg_cast(cx, projected, CG_F32);
    if (shift->shape.d[0] == 1) {
        CG_SET(shift, cg_tensor_reshape(shift, CG_SHAPE(block->c_out)));
        g_autoptr(CgTensor) bias = cg_add(cx, shift, block->conv1.bias, 1);
        return cg_conv_forward(cx, &block->conv1, h, (CgEpilogue){.bias = bias});
    }
    g_autoptr(CgTensor) y = cg_conv_forward(cx, &block->conv1, h, CG_PLAIN);
    return cg_add_channels_in_place(cx, y, shift);
}

/* INPUTS: x, time (or NULL). */
static CgTensor *resnet_segment(CgContext *cx, const void *layer, CgTensor *const *inputs)
{
    const CgResnet *block = layer;
    CgTensor *x = inputs[0], *time = inputs[1];
    g_autoptr(CgTensor) h = cg_group_norm(cx, x, block->groups, block->eps, block->norm1.gamma,
                                          block->norm1.beta, CG_ACT_SILU);
    CG_SET(h, conv1_with_time(cx, block, h, time));
    CG_SET(h, cg_group_norm(cx, h, block->groups, block->eps, block->norm2.gamma, block->norm2.beta,
                            CG_ACT_SILU));
    if (block->c_in == block->c_out)
        return cg_conv_forward(cx, &block->conv2, h, (CgEpilogue){.residual = x});
    g_autoptr(CgTensor) s = cg_conv_forward(cx, &block->shortcut, x, CG_PLAIN);
    return cg_conv_forward(cx, &block->conv2, h, (CgEpilogue){.residual = s, .in_place = TRUE});
}

CgTensor *cg_resnet_forward(CgContext *cx, const CgResnet *block, CgTensor *x, CgTensor *time)
{
    CgTensor *const inputs[] = {x, time};
    return cg_recompute(cx, resnet_segment, block, inputs, 2);
}
