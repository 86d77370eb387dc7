#include "models/vae-private.h"

#define EPS 1e-6f

static void bind_attention(CgBinder *b, CgVaeAttention *a, const char *prefix, int c)
{
    char name[CG_NAME_MAX], q[CG_NAME_MAX], k[CG_NAME_MAX], v[CG_NAME_MAX];
    const char *qkv[] = {cg_name(q, "%s.to_q", prefix), cg_name(k, "%s.to_k", prefix),
                         cg_name(v, "%s.to_v", prefix)};
    cg_bind_norm(b, &a->norm, cg_name(name, "%s.group_norm", prefix), c);
    cg_bind_linear_stack(b, &a->qkv, qkv, 3, c, c, TRUE);
    cg_bind_linear(b, &a->out, cg_name(name, "%s.to_out.0", prefix), c, c, TRUE);
}

static void bind_mid(CgBinder *b, CgVaeMid *mid, const char *prefix, int c, int groups)
{
    char name[CG_NAME_MAX];
    cg_bind_resnet(b, &mid->resnets[0], cg_name(name, "%s.resnets.0", prefix), c, c, 0, groups,
                   EPS);
    bind_attention(b, &mid->attention, cg_name(name, "%s.attentions.0", prefix), c);
    cg_bind_resnet(b, &mid->resnets[1], cg_name(name, "%s.resnets.1", prefix), c, c, 0, groups,
                   EPS);
}

static void bind_encoder(CgBinder *b, CgVaeKl *kl, const CgVaeConfig *config)
{
    char name[CG_NAME_MAX];
    const int last = config->level_count - 1;
    cg_bind_conv(b, &kl->encoder_in, "encoder.conv_in", config->in_channels, config->channels[0], 3,
                 1, 1, TRUE);
    for (int i = 0; i <= last; i++) {
        const int c = config->channels[i];
        for (int j = 0; j < config->layers; j++)
            cg_bind_resnet(b, &kl->down[i].resnets[j],
                           cg_name(name, "encoder.down_blocks.%d.resnets.%d", i, j),
                           j ? c : config->channels[MAX(i - 1, 0)], c, 0, config->groups, EPS);
        if (i == last)
            break;
        /* Zeros to the right and below only, unlike the U-Net's downsampler. */
        const CgConvGeometry g = {.c_in = c,
                                  .c_out = c,
                                  .kernel_h = 3,
                                  .kernel_w = 3,
                                  .stride = 2,
                                  .pad_bottom = 1,
                                  .pad_right = 1};
        cg_bind_conv_geometry(b, &kl->down[i].resample,
                              cg_name(name, "encoder.down_blocks.%d.downsamplers.0.conv", i), &g,
                              TRUE);
    }
    bind_mid(b, &kl->encoder_mid, "encoder.mid_block", config->channels[last], config->groups);
    cg_bind_norm(b, &kl->encoder_norm, "encoder.conv_norm_out", config->channels[last]);
    cg_bind_conv(b, &kl->encoder_out, "encoder.conv_out", config->channels[last],
                 2 * config->latent_channels, 3, 1, 1, TRUE);
    cg_bind_conv(b, &kl->quant, "quant_conv", 2 * config->latent_channels,
                 2 * config->latent_channels, 1, 1, 0, TRUE);
}

static void bind_decoder(CgBinder *b, CgVaeKl *kl, const CgVaeConfig *config)
{
    char name[CG_NAME_MAX];
    const int last = config->level_count - 1;
    cg_bind_conv(b, &kl->post_quant, "post_quant_conv", config->latent_channels,
                 config->latent_channels, 1, 1, 0, TRUE);
    cg_bind_conv(b, &kl->decoder_in, "decoder.conv_in", config->latent_channels,
                 config->channels[last], 3, 1, 1, TRUE);
    bind_mid(b, &kl->decoder_mid, "decoder.mid_block", config->channels[last], config->groups);
    for (int i = 0; i <= last; i++) {
        const int c = config->channels[last - i];
        for (int j = 0; j <= config->layers; j++)
            cg_bind_resnet(
                b, &kl->up[i].resnets[j], cg_name(name, "decoder.up_blocks.%d.resnets.%d", i, j),
                j ? c : config->channels[MIN(last - i + 1, last)], c, 0, config->groups, EPS);
        if (i < last)
            cg_bind_conv(b, &kl->up[i].resample,
                         cg_name(name, "decoder.up_blocks.%d.upsamplers.0.conv", i), c, c, 3, 1, 1,
                         TRUE);
    }
    cg_bind_norm(b, &kl->decoder_norm, "decoder.conv_norm_out", config->channels[0]);
    cg_bind_conv(b, &kl->decoder_out, "decoder.conv_out", config->channels[0], config->out_channels,
                 3, 1, 1, TRUE);
}

void cg_bind_vae_kl(CgBinder *b, CgVaeKl *kl, const CgVaeConfig *config)
{
    bind_encoder(b, kl, config);
    bind_decoder(b, kl, config);
}

static CgTensor *attention_forward(CgContext *cx, const CgVaeAttention *a, int groups, CgTensor *x)
{
    const int64_t n = x->shape.d[0], tokens = x->shape.d[1] * x->shape.d[2], c = x->shape.d[3];
    g_autoptr(CgTensor) h =
        cg_group_norm(cx, x, groups, EPS, a->norm.gamma, a->norm.beta, CG_ACT_NONE);
    CG_SET(h, cg_tensor_reshape(h, CG_SHAPE(n, tokens, c)));
    CG_SET(h, cg_linear_forward(cx, &a->qkv, h, CG_PLAIN));
    CG_SET(h, cg_attention_qkv(cx, h, 1, FALSE));
    CG_SET(h, cg_tensor_reshape(h, x->shape));
    return cg_linear_forward(cx, &a->out, h, (CgEpilogue){.residual = x});
}

static CgTensor *mid_forward(CgContext *cx, const CgVaeMid *mid, int groups, CgTensor *x)
{
    g_autoptr(CgTensor) h = cg_resnet_forward(cx, &mid->resnets[0], x, NULL);
    CG_SET(h, attention_forward(cx, &mid->attention, groups, h));
    return cg_resnet_forward(cx, &mid->resnets[1], h, NULL);
}

CgTensor *cg_vae_kl_encode(CgContext *cx, const CgVaeKl *kl, const CgVaeConfig *config,
                           CgTensor *image)
{
    g_autoptr(CgTensor) h = cg_cast(cx, image, cx->dtype);
    CG_SET(h, cg_conv_forward(cx, &kl->encoder_in, h, CG_PLAIN));
    for (int i = 0; i < config->level_count; i++) {
        for (int j = 0; j < config->layers; j++)
            CG_SET(h, cg_resnet_forward(cx, &kl->down[i].resnets[j], h, NULL));
        if (i < config->level_count - 1)
            CG_SET(h, cg_conv_forward(cx, &kl->down[i].resample, h, CG_PLAIN));
    }
    CG_SET(h, mid_forward(cx, &kl->encoder_mid, config->groups, h));
    CG_SET(h, cg_group_norm(cx, h, config->groups, EPS, kl->encoder_norm.gamma,
                            kl->encoder_norm.beta, CG_ACT_SILU));
    CG_SET(h, cg_conv_forward(cx, &kl->encoder_out, h, CG_PLAIN));
    return cg_conv_forward(cx, &kl->quant, h, CG_PLAIN);
}

CgTensor *cg_vae_kl_decode(CgContext *cx, const CgVaeKl *kl, const CgVaeConfig *config, CgTensor *z)
{
    g_autoptr(CgTensor) h = cg_cast(cx, z, cx->dtype);
    CG_SET(h, cg_conv_forward(cx, &kl->post_quant, h, CG_PLAIN));
    CG_SET(h, cg_conv_forward(cx, &kl->decoder_in, h, CG_PLAIN));
    CG_SET(h, mid_forward(cx, &kl->decoder_mid, config->groups, h));
    for (int i = 0; i < config->level_count; i++) {
        for (int j = 0; j <= config->layers; j++)
            CG_SET(h, cg_resnet_forward(cx, &kl->up[i].resnets[j], h, NULL));
        if (i < config->level_count - 1) {
            CG_SET(h, cg_upsample_nearest(cx, h, 2 * h->shape.d[1], 2 * h->shape.d[2]));
            CG_SET(h, cg_conv_forward(cx, &kl->up[i].resample, h, CG_PLAIN));
        }
    }
    CG_SET(h, cg_group_norm(cx, h, config->groups, EPS, kl->decoder_norm.gamma,
                            kl->decoder_norm.beta, CG_ACT_SILU));
    return cg_conv_forward(cx, &kl->decoder_out, h, CG_PLAIN);
}
