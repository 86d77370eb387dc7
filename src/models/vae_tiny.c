#include "models/vae-private.h"

#include <math.h>

static void bind_simple(CgBinder *b, CgTinyLayer *layer, int kind, const char *side, int index,
                        int c_in, int c_out, int stride, gboolean bias)
{
    char name[CG_NAME_MAX];
    layer->kind = kind;
    cg_bind_conv(b, &layer->convs[0], cg_name(name, "%s.layers.%d", side, index), c_in, c_out, 3,
                 stride, 1, bias);
}

static void bind_block(CgBinder *b, CgTinyLayer *layer, const char *side, int index, int c)
{
    char name[CG_NAME_MAX];
    layer->kind = CG_TINY_BLOCK;
    for (int i = 0; i < 3; i++)
        cg_bind_conv(b, &layer->convs[i], cg_name(name, "%s.layers.%d.conv.%d", side, index, 2 * i),
                     c, c, 3, 1, 1, TRUE);
}

/* A layer's index is its place in a torch Sequential, where activations and upsamplings count. */
void cg_bind_vae_tiny(CgBinder *b, CgVaeTiny *tiny, const CgVaeConfig *config)
{
    const int last = config->level_count - 1, c = config->channels[0];
    CgTinyLayer *layers = tiny->encoder;
    int count = 0;
    for (int i = 0; i <= last; i++) {
        bind_simple(b, &layers[count], CG_TINY_CONV, "encoder", count, i ? c : config->in_channels,
                    c, i ? 2 : 1, i == 0);
        count++;
        for (int j = 0; j < config->encoder_blocks[i]; j++, count++)
            bind_block(b, &layers[count], "encoder", count, c);
    }
    bind_simple(b, &layers[count], CG_TINY_CONV, "encoder", count, c, config->latent_channels, 1,
                TRUE);
    tiny->encoder_count = count + 1;

    int index = 0;
    layers = tiny->decoder;
    count = 0;
    bind_simple(b, &layers[count++], CG_TINY_CONV_RELU, "decoder", index, config->latent_channels,
                c, 1, TRUE);
    index += 2;
    for (int i = 0; i <= last; i++) {
        for (int j = 0; j < config->decoder_blocks[i]; j++)
            bind_block(b, &layers[count++], "decoder", index++, c);
        if (i < last) {
            layers[count++].kind = CG_TINY_UPSAMPLE;
            index++;
        }
        bind_simple(b, &layers[count++], CG_TINY_CONV, "decoder", index++, c,
                    i < last ? c : config->out_channels, 1, i == last);
    }
    tiny->decoder_count = count;
}

/* relu(conv(relu(conv(relu(conv(x))))) + x) */
static CgTensor *block_forward(CgContext *cx, const CgTinyLayer *layer, CgTensor *x)
{
    const CgEpilogue relu = {.act = CG_ACT_RELU};
    g_autoptr(CgTensor) h = cg_conv_forward(cx, &layer->convs[0], x, relu);
    CG_SET(h, cg_conv_forward(cx, &layer->convs[1], h, relu));
    CG_SET(h, cg_conv_forward(cx, &layer->convs[2], h, (CgEpilogue){.residual = x}));
    return cg_activate(cx, CG_ACT_RELU, h);
}

static CgTensor *layer_forward(CgContext *cx, const CgTinyLayer *layer, CgTensor *x)
{
    switch (layer->kind) {
    case CG_TINY_BLOCK:
        return block_forward(cx, layer, x);
    case CG_TINY_UPSAMPLE:
        return cg_upsample_nearest(cx, x, 2 * x->shape.d[1], 2 * x->shape.d[2]);
    case CG_TINY_CONV_RELU:
        return cg_conv_forward(cx, &layer->convs[0], x, (CgEpilogue){.act = CG_ACT_RELU});
    case CG_TINY_CONV:
        return cg_conv_forward(cx, &layer->convs[0], x, CG_PLAIN);
    }
    g_assert_not_reached();
}

static CgTensor *run(CgContext *cx, const CgTinyLayer *layers, int count, CgTensor *x)
{
    CgTensor *h = cg_cast(cx, x, cx->dtype);
    for (int i = 0; i < count; i++)
        CG_SET(h, layer_forward(cx, &layers[i], h));
    return h;
}

CgTensor *cg_vae_tiny_encode(CgContext *cx, const CgVaeTiny *tiny, CgTensor *image)
{
    /* The original network was trained on pictures in [0, 1]. */
    g_autoptr(CgTensor) x = cg_tensor_copy(image, CG_F32);
    for (size_t i = 0; i < x->count; i++)
        cg_tensor_f32(x)[i] = 0.5f * (cg_tensor_f32(x)[i] + 1);
    return run(cx, tiny->encoder, tiny->encoder_count, x);
}

CgTensor *cg_vae_tiny_decode(CgContext *cx, const CgVaeTiny *tiny, CgTensor *z)
{
    g_autoptr(CgTensor) x = cg_tensor_copy(z, CG_F32);
    for (size_t i = 0; i < x->count; i++)
        cg_tensor_f32(x)[i] = 3 * tanhf(cg_tensor_f32(x)[i] / 3);
    CgTensor *y = run(cx, tiny->decoder, tiny->decoder_count, x);
    CG_SET(y, cg_cast(cx, y, CG_F32));
    for (size_t i = 0; i < y->count && !cx->error; i++)
        cg_tensor_f32(y)[i] = 2 * cg_tensor_f32(y)[i] - 1;
    return y;
}
