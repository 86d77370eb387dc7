#include "models/draem.h"

#include "ops/loss.h"

CgDraemConfig cg_draem_config_of_width(int width)
{
    return (CgDraemConfig){.reconstructive_width = width, .discriminative_width = width / 2};
}

gboolean cg_draem_config_parse(const json_t *object, const char *where, CgDraemConfig *config,
                               GError **error)
{
    gint64 reconstructive, discriminative;
    if (!cg_json_int(object, where, "reconstructive_width", 128, 1, CG_SEGMENTER_MAX_WIDTH,
                     &reconstructive, error) ||
        !cg_json_int(object, where, "discriminative_width", 64, 1, CG_SEGMENTER_MAX_WIDTH,
                     &discriminative, error))
        return FALSE;
    *config = (CgDraemConfig){(int)reconstructive, (int)discriminative};
    return TRUE;
}

void cg_bind_draem_reconstructive(CgBinder *b, CgDraem *d, int width)
{
    static const int widths[5] = {1, 2, 4, 8, 8}, outputs[4] = {4, 2, 1, 1};
    char name[CG_NAME_MAX];
    for (int i = 0; i < 5; i++)
        cg_bind_conv_block(b, &d->encoder[i], cg_name(name, "encoder.block%d", i + 1),
                           i ? widths[i - 1] * width : 3, widths[i] * width, widths[i] * width);
    for (int i = 0, c = 8 * width; i < 4; i++) {
        const int c_out = outputs[i] * width;
        cg_bind_conv_up(b, &d->up[i], cg_name(name, "decoder.up%d", i + 1), c, c);
        cg_bind_conv_block(b, &d->decoder[i], cg_name(name, "decoder.db%d", i + 1), c, c, c_out);
        c = c_out;
    }
    cg_bind_conv(b, &d->out, "decoder.fin_out.0", width, 3, 3, 1, 1, TRUE);
}

void cg_bind_draem(CgBinder *b, CgDraem *d, const CgDraemConfig *config)
{
    cg_bind_draem_reconstructive(b, d, config->reconstructive_width);
    cg_bind_segmenter(b, &d->segmenter, 6, config->discriminative_width);
}

static CgTensor *reconstruct(CgContext *cx, const CgDraem *d, CgTensor *x, gboolean training)
{
    g_autoptr(CgTensor) h = cg_conv_block_forward(cx, &d->encoder[0], x, training);
    for (int i = 1; i < 5; i++) {
        CG_SET(h, cg_halve(cx, h));
        CG_SET(h, cg_conv_block_forward(cx, &d->encoder[i], h, training));
    }
    for (int i = 0; i < 4; i++) {
        CG_SET(h, cg_conv_up_forward(cx, &d->up[i], h, training));
        CG_SET(h, cg_conv_block_forward(cx, &d->decoder[i], h, training));
    }
    return cg_conv_forward(cx, &d->out, h, CG_PLAIN);
}

void cg_draem_forward(CgContext *cx, const CgDraem *d, CgTensor *picture, gboolean training,
                      CgTensor **reconstruction, CgTensor **logits)
{
    g_autoptr(CgTensor) x = cg_cast(cx, picture, cx->dtype);
    g_autoptr(CgTensor) y = reconstruct(cx, d, x, training);
    g_autoptr(CgTensor) pair = cg_concat(cx, y, x);
    g_autoptr(CgTensor) answer = cg_segmenter_forward(cx, &d->segmenter, pair, training);
    *reconstruction = cg_cast(cx, y, CG_F32);
    *logits = cg_cast(cx, answer, CG_F32);
}

CgTensor *cg_draem_loss(CgContext *cx, const CgDraem *d, CgTensor *clean, CgTensor *picture,
                        CgTensor *mask, double parts[3])
{
    g_autoptr(CgTensor) reconstruction = NULL, logits = NULL;
    cg_draem_forward(cx, d, picture, TRUE, &reconstruction, &logits);
    g_autoptr(CgTensor) mse = cg_loss_mse(cx, reconstruction, clean, NULL);
    g_autoptr(CgTensor) ssim =
        cg_loss_ssim(cx, reconstruction, clean, cg_ssim_range(reconstruction));
    g_autoptr(CgTensor) focal = cg_loss_focal(cx, logits, mask);
    for (int i = 0; parts && i < 3; i++)
        parts[i] = (double)cg_tensor_f32((CgTensor *[]){mse, ssim, focal}[i])[0];
    g_autoptr(CgTensor) both = cg_add(cx, mse, ssim, 1);
    return cg_add(cx, both, focal, 1);
}

gboolean cg_draem_is_reconstructive(const char *name)
{
    return g_str_has_prefix(name, "encoder.") || g_str_has_prefix(name, "decoder.");
}
