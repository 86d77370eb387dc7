#include "models/unet.h"

/* Channels that enter layer J of up block I: what comes from below, then the skip. */
static void up_layer_channels(const CgUnetConfig *config, int i, int j, int *from_below, int *skip)
{
    const int level = config->level_count - 1 - i;
    const int k = cg_unet_skip_count(config) - 1 - (i * (config->layers + 1) + j);
    *from_below =
        j ? config->channels[level] : config->channels[MIN(level + 1, config->level_count - 1)];
    *skip = cg_unet_skip_channels(config, k);
}

static void bind_up_block(CgBinder *b, CgUnetBlock *block, const CgUnetConfig *config, int i)
{
    char name[CG_NAME_MAX];
    const int level = config->level_count - 1 - i, c = config->channels[level];
    for (int j = 0; j <= config->layers; j++) {
        int from_below, skip;
        up_layer_channels(config, i, j, &from_below, &skip);
        cg_bind_resnet(b, &block->resnets[j], cg_name(name, "up_blocks.%d.resnets.%d", i, j),
                       from_below + skip, c, cg_unet_time_width(config), config->groups,
                       config->eps);
        if (config->attention[level])
            cg_bind_transformer(b, &block->transformers[j],
                                cg_name(name, "up_blocks.%d.attentions.%d", i, j), c,
                                config->heads[level], config->text_width, config->groups);
    }
    if (level > 0)
        cg_bind_conv(b, &block->resample, cg_name(name, "up_blocks.%d.upsamplers.0.conv", i), c, c,
                     3, 1, 1, TRUE);
}

void cg_bind_unet(CgBinder *b, CgUnet *u)
{
    const CgUnetConfig *config = &u->config;
    cg_bind_unet_encoder(b, &u->encoder, config);
    for (int i = 0; i < config->level_count; i++)
        bind_up_block(b, &u->up[i], config, i);
    cg_bind_norm(b, &u->norm_out, "conv_norm_out", config->channels[0]);
    cg_bind_conv(b, &u->conv_out, "conv_out", config->channels[0], config->out_channels, 3, 1, 1,
                 TRUE);
}

CgUnet *cg_unet_new(const CgBuild *build, const CgUnetConfig *config, GError **error)
{
    g_autoptr(CgUnet) u = g_new0(CgUnet, 1);
    CgBinder b;
    u->config = *config;
    cg_binder_init(&b, &u->parameters, build);
    cg_bind_unet(&b, u);
    return cg_binder_finish(&b, error) ? g_steal_pointer(&u) : NULL;
}

void cg_unet_free(CgUnet *u)
{
    if (!u)
        return;
    cg_parameter_set_clear(&u->parameters);
    g_free(u);
}

void cg_unet_prepare(CgContext *cx, const CgUnet *u, CgTensor *text, CgTextCache *cache)
{
    const CgUnetConfig *config = &u->config;
    *cache = (CgTextCache){0};
    cg_unet_encoder_text(cx, &u->encoder, config, text, cache);
    for (int i = 0; i < config->level_count; i++)
        for (int j = 0; j <= config->layers && config->attention[config->level_count - 1 - i]; j++)
            cache->kv[cache->count++] = cg_transformer_text(cx, &u->up[i].transformers[j], text);
}

/* H + SCALE * R; takes H, which nothing else uses any more. A smaller batch in R goes to H's last
 * samples. */
static CgTensor *add_residual(CgContext *cx, CgTensor *h, CgTensor *r, double scale)
{
    g_autoptr(CgTensor) owned = h;
    const int64_t n = r->shape.d[0];
    if (scale == 0)
        return g_steal_pointer(&owned);
    if (n == h->shape.d[0])
        return cg_add_in_place(cx, h, r, (float)scale);
    g_autoptr(CgTensor) tail = cg_tensor_rows(h, h->shape.d[0] - n, n);
    cg_tensor_unref(cg_add_in_place(cx, tail, r, (float)scale));
    return g_steal_pointer(&owned);
}

static void add_control(CgContext *cx, CgUnetFeatures *features, const CgControlResiduals *control)
{
    g_assert(control->count == features->count);
    for (int k = 0; k < features->count; k++)
        features->skips[k] =
            add_residual(cx, features->skips[k], control->skips[k], control->scale[k]);
    features->mid = add_residual(cx, features->mid, control->mid, control->scale[control->count]);
}

/* One up block: consumes the last skips of FEATURES, replaces its mid by the block's output. */
static void up_block_forward(CgContext *cx, const CgUnet *u, int i, CgUnetFeatures *features,
                             CgTensor *time, const CgTextCache *text, int *used)
{
    const CgUnetConfig *config = &u->config;
    const CgUnetBlock *block = &u->up[i];
    const int level = config->level_count - 1 - i;
    g_autoptr(CgTensor) h = g_steal_pointer(&features->mid);
    for (int j = 0; j <= config->layers; j++) {
        g_autoptr(CgTensor) skip = g_steal_pointer(&features->skips[--features->count]);
        CG_SET(h, cg_concat(cx, h, skip));
        g_clear_pointer(&skip, cg_tensor_unref);
        CG_SET(h, cg_resnet_forward(cx, &block->resnets[j], h, time));
        if (config->attention[level])
            CG_SET(h, cg_transformer_forward(cx, &block->transformers[j], h, text->kv[(*used)++]));
    }
    if (level > 0) {
        /* To the exact size of the next skip: sizes that are no multiple of 8 latents work too. */
        const CgTensor *next = features->skips[features->count - 1];
        CG_SET(h, cg_upsample_nearest(cx, h, next->shape.d[1], next->shape.d[2]));
        CG_SET(h, cg_conv_forward(cx, &block->resample, h, CG_PLAIN));
    }
    features->mid = g_steal_pointer(&h);
}

CgTensor *cg_unet_forward(CgContext *cx, const CgUnet *u, CgTensor *latent, const double *t,
                          int t_count, const CgTextCache *text, const CgControlResiduals *control)
{
    const CgUnetConfig *config = &u->config;
    CgUnetFeatures features = {0};
    int used = 0;
    g_autoptr(CgTensor) time = cg_time_embedding_forward(cx, &u->encoder.time, t, t_count);
    g_autoptr(CgTensor) x = cg_cast(cx, latent, cx->dtype);
    cg_unet_encoder_forward(cx, &u->encoder, config, x, NULL, time, text, &used, &features);
    if (control)
        add_control(cx, &features, control);
    for (int i = 0; i < config->level_count; i++)
        up_block_forward(cx, u, i, &features, time, text, &used);
    g_autoptr(CgTensor) h = g_steal_pointer(&features.mid);
    CG_SET(h, cg_group_norm(cx, h, config->groups, config->eps, u->norm_out.gamma, u->norm_out.beta,
                            CG_ACT_SILU));
    CG_SET(h, cg_conv_forward(cx, &u->conv_out, h, CG_PLAIN));
    cg_unet_features_clear(&features);
    return cg_cast(cx, h, CG_F32);
}
