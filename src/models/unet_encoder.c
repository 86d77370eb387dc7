#include "models/unet_encoder.h"

static void bind_block(CgBinder *b, CgUnetBlock *block, const CgUnetConfig *config, int level)
{
    char name[CG_NAME_MAX];
    const int c = config->channels[level];
    for (int j = 0; j < config->layers; j++) {
        const int c_in = j ? c : config->channels[MAX(level - 1, 0)];
        cg_bind_resnet(b, &block->resnets[j], cg_name(name, "down_blocks.%d.resnets.%d", level, j),
                       c_in, c, cg_unet_time_width(config), config->groups, config->eps);
        if (config->attention[level])
            cg_bind_transformer(b, &block->transformers[j],
                                cg_name(name, "down_blocks.%d.attentions.%d", level, j), c,
                                config->heads[level], config->text_width, config->groups);
    }
    if (level < config->level_count - 1)
        cg_bind_conv(b, &block->resample,
                     cg_name(name, "down_blocks.%d.downsamplers.0.conv", level), c, c, 3, 2, 1,
                     TRUE);
}

void cg_bind_unet_encoder(CgBinder *b, CgUnetEncoder *e, const CgUnetConfig *config)
{
    const int last = config->level_count - 1, c = config->channels[last];
    const int time_width = cg_unet_time_width(config);
    *e = (CgUnetEncoder){0};
    cg_bind_conv(b, &e->conv_in, "conv_in", config->in_channels, config->channels[0], 3, 1, 1,
                 TRUE);
    e->time.flip_sin_to_cos = config->flip_sin_to_cos;
    e->time.freq_shift = config->freq_shift;
    cg_bind_time_embedding(b, &e->time, "time_embedding", config->channels[0], time_width);
    for (int i = 0; i <= last; i++)
        bind_block(b, &e->down[i], config, i);
    cg_bind_resnet(b, &e->mid_resnets[0], "mid_block.resnets.0", c, c, time_width, config->groups,
                   config->eps);
    cg_bind_transformer(b, &e->mid_transformer, "mid_block.attentions.0", c, config->heads[last],
                        config->text_width, config->groups);
    cg_bind_resnet(b, &e->mid_resnets[1], "mid_block.resnets.1", c, c, time_width, config->groups,
                   config->eps);
}

int cg_unet_skip_count(const CgUnetConfig *config)
{
    return config->level_count * (config->layers + 1);
}

int cg_unet_skip_channels(const CgUnetConfig *config, int k)
{
    /* Skip 0 is conv_in's; then per level its layers, then its downsampler. */
    return k == 0 ? config->channels[0] : config->channels[(k - 1) / (config->layers + 1)];
}

void cg_unet_encoder_text(CgContext *cx, const CgUnetEncoder *e, const CgUnetConfig *config,
                          CgTensor *text, CgTextCache *cache)
{
    for (int i = 0; i < config->level_count; i++)
        for (int j = 0; j < config->layers && config->attention[i]; j++)
            cache->kv[cache->count++] = cg_transformer_text(cx, &e->down[i].transformers[j], text);
    cache->kv[cache->count++] = cg_transformer_text(cx, &e->mid_transformer, text);
}

/* H with HINT added to each sample; takes H. Sampling has one hint for both halves of guidance. */
static CgTensor *add_hint(CgContext *cx, CgTensor *h, CgTensor *hint)
{
    g_autoptr(CgTensor) owned = h;
    if (hint->shape.d[0] == h->shape.d[0])
        return cg_add_in_place(cx, h, hint, 1);
    for (int64_t i = 0; i < h->shape.d[0]; i++) {
        g_autoptr(CgTensor) sample = cg_tensor_rows(h, i, 1);
        g_autoptr(CgTensor) sample_hint = cg_tensor_rows(hint, i % hint->shape.d[0], 1);
        cg_tensor_unref(cg_add_in_place(cx, sample, sample_hint, 1));
    }
    return g_steal_pointer(&owned);
}

static CgTensor *mid_forward(CgContext *cx, const CgUnetEncoder *e, CgTensor *x, CgTensor *time,
                             CgTensor *text_kv)
{
    g_autoptr(CgTensor) h = cg_resnet_forward(cx, &e->mid_resnets[0], x, time);
    CG_SET(h, cg_transformer_forward(cx, &e->mid_transformer, h, text_kv));
    return cg_resnet_forward(cx, &e->mid_resnets[1], h, time);
}

void cg_unet_encoder_forward(CgContext *cx, const CgUnetEncoder *e, const CgUnetConfig *config,
                             CgTensor *latent, CgTensor *hint, CgTensor *time,
                             const CgTextCache *text, int *used, CgUnetFeatures *features)
{
    CgTensor **skips = features->skips;
    int count = 0;
    skips[count++] = cg_conv_forward(cx, &e->conv_in, latent, CG_PLAIN);
    if (hint)
        skips[0] = add_hint(cx, skips[0], hint);
    for (int i = 0; i < config->level_count; i++) {
        const CgUnetBlock *block = &e->down[i];
        for (int j = 0; j < config->layers; j++) {
            CgTensor *h = cg_resnet_forward(cx, &block->resnets[j], skips[count - 1], time);
            if (config->attention[i])
                CG_SET(h,
                       cg_transformer_forward(cx, &block->transformers[j], h, text->kv[(*used)++]));
            skips[count++] = h;
        }
        if (i < config->level_count - 1) {
            skips[count] = cg_conv_forward(cx, &block->resample, skips[count - 1], CG_PLAIN);
            count++;
        }
    }
    features->count = count;
    features->mid = mid_forward(cx, e, skips[count - 1], time, text->kv[(*used)++]);
}

void cg_unet_features_clear(CgUnetFeatures *features)
{
    for (int i = 0; i < features->count; i++)
        g_clear_pointer(&features->skips[i], cg_tensor_unref);
    g_clear_pointer(&features->mid, cg_tensor_unref);
    features->count = 0;
}

void cg_text_cache_clear(CgTextCache *cache)
{
    for (int i = 0; i < cache->count; i++)
        g_clear_pointer(&cache->kv[i], cg_tensor_unref);
    cache->count = 0;
}
