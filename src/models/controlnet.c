#include "models/controlnet.h"

gboolean cg_controlnet_is_own(const char *name)
{
    return g_str_has_prefix(name, "controlnet_");
}

void cg_bind_controlnet(CgBinder *b, CgControlnet *c)
{
    char name[CG_NAME_MAX];
    const CgUnetConfig *config = &c->config;
    const int *widths = config->embedding;
    const int mid = config->channels[config->level_count - 1];
    cg_bind_unet_encoder(b, &c->encoder, config);
    cg_bind_conv(b, &c->hint_in, "controlnet_cond_embedding.conv_in", config->control_channels,
                 widths[0], 3, 1, 1, TRUE);
    for (int i = 0; i < config->embedding_count - 1; i++) {
        cg_bind_conv(b, &c->hint_blocks[2 * i],
                     cg_name(name, "controlnet_cond_embedding.blocks.%d", 2 * i), widths[i],
                     widths[i], 3, 1, 1, TRUE);
        cg_bind_conv(b, &c->hint_blocks[2 * i + 1],
                     cg_name(name, "controlnet_cond_embedding.blocks.%d", 2 * i + 1), widths[i],
                     widths[i + 1], 3, 2, 1, TRUE);
    }
    cg_bind_conv(b, &c->hint_out, "controlnet_cond_embedding.conv_out",
                 widths[config->embedding_count - 1], config->channels[0], 3, 1, 1, TRUE);
    for (int k = 0; k < cg_unet_skip_count(config); k++) {
        const int channels = cg_unet_skip_channels(config, k);
        cg_bind_conv(b, &c->zero_convs[k], cg_name(name, "controlnet_down_blocks.%d", k), channels,
                     channels, 1, 1, 0, TRUE);
    }
    cg_bind_conv(b, &c->zero_conv_mid, "controlnet_mid_block", mid, mid, 1, 1, 0, TRUE);
}

CgControlnet *cg_controlnet_new(const CgBuild *build, const CgUnetConfig *config, GError **error)
{
    g_autoptr(CgControlnet) c = g_new0(CgControlnet, 1);
    CgBinder b;
    c->config = *config;
    cg_binder_init(&b, &c->parameters, build);
    cg_bind_controlnet(&b, c);
    return cg_binder_finish(&b, error) ? g_steal_pointer(&c) : NULL;
}

void cg_controlnet_free(CgControlnet *c)
{
    if (!c)
        return;
    cg_parameter_set_clear(&c->parameters);
    g_free(c);
}

/* The control image with its channels in the other order. */
static CgTensor *swap_channels(const CgTensor *control)
{
    CgTensor *swapped = cg_tensor_copy(control, CG_F32);
    float *p = cg_tensor_f32(swapped);
    for (size_t i = 0; i + 2 < swapped->count; i += 3) {
        const float first = p[i];
        p[i] = p[i + 2];
        p[i + 2] = first;
    }
    return swapped;
}

void cg_controlnet_prepare_text(CgContext *cx, const CgControlnet *c, CgTensor *text,
                                CgTextCache *cache)
{
    *cache = (CgTextCache){0};
    cg_unet_encoder_text(cx, &c->encoder, &c->config, text, cache);
}

CgTensor *cg_controlnet_prepare_hint(CgContext *cx, const CgControlnet *c, CgTensor *control)
{
    const CgEpilogue silu = {.act = CG_ACT_SILU};
    g_autoptr(CgTensor) ordered =
        c->config.control_is_bgr ? swap_channels(control) : cg_tensor_ref(control);
    g_autoptr(CgTensor) h = cg_cast(cx, ordered, cx->dtype);
    CG_SET(h, cg_conv_forward(cx, &c->hint_in, h, silu));
    for (int i = 0; i < 2 * (c->config.embedding_count - 1); i++)
        CG_SET(h, cg_conv_forward(cx, &c->hint_blocks[i], h, silu));
    return cg_conv_forward(cx, &c->hint_out, h, CG_PLAIN);
}

void cg_controlnet_forward(CgContext *cx, const CgControlnet *c, CgTensor *latent, const double *t,
                           int t_count, const CgTextCache *text, CgTensor *hint,
                           CgControlResiduals *residuals)
{
    CgUnetFeatures features = {0};
    int used = 0;
    g_autoptr(CgTensor) time = cg_time_embedding_forward(cx, &c->encoder.time, t, t_count);
    g_autoptr(CgTensor) x = cg_cast(cx, latent, cx->dtype);
    cg_unet_encoder_forward(cx, &c->encoder, &c->config, x, hint, time, text, &used, &features);
    *residuals = (CgControlResiduals){.count = features.count};
    for (int k = 0; k < features.count; k++) {
        residuals->skips[k] = cg_conv_forward(cx, &c->zero_convs[k], features.skips[k], CG_PLAIN);
        residuals->scale[k] = 1;
    }
    residuals->mid = cg_conv_forward(cx, &c->zero_conv_mid, features.mid, CG_PLAIN);
    residuals->scale[features.count] = 1;
    cg_unet_features_clear(&features);
}

void cg_control_residuals_clear(CgControlResiduals *residuals)
{
    for (int k = 0; k < residuals->count; k++)
        g_clear_pointer(&residuals->skips[k], cg_tensor_unref);
    g_clear_pointer(&residuals->mid, cg_tensor_unref);
    residuals->count = 0;
}
