#include "models/segmenter.h"

/* Widths of the levels, in units of the network's width. */
static const int widths[6] = {1, 2, 4, 8, 8, 8};

void cg_bind_segmenter(CgBinder *b, CgSegmenter *s, int c_in, int width)
{
    static const char *const names[5] = {"_b", "1", "2", "3", "4"};
    static const int outputs[5] = {8, 4, 2, 1, 1};
    char name[CG_NAME_MAX];
    for (int i = 0; i < 6; i++) {
        const int c = widths[i] * width;
        cg_bind_conv_block(b, &s->encoder[i], cg_name(name, "encoder_segment.block%d", i + 1),
                           i ? widths[i - 1] * width : c_in, c, c);
    }
    for (int i = 0, from = 8 * width; i < 5; i++) {
        const int c = outputs[i] * width, skip = widths[4 - i] * width;
        cg_bind_conv_up(b, &s->up[i], cg_name(name, "decoder_segment.up%s", names[i]), from, c);
        cg_bind_conv_block(b, &s->decoder[i], cg_name(name, "decoder_segment.db%s", names[i]),
                           c + skip, c, c);
        from = c;
    }
    cg_bind_conv(b, &s->out, "decoder_segment.fin_out.0", width, 2, 3, 1, 1, TRUE);
}

CgTensor *cg_segmenter_forward(CgContext *cx, const CgSegmenter *s, CgTensor *x, gboolean training)
{
    CgTensor *skips[6];
    skips[0] = cg_conv_block_forward(cx, &s->encoder[0], x, training);
    for (int i = 1; i < 6; i++) {
        g_autoptr(CgTensor) small = cg_halve(cx, skips[i - 1]);
        skips[i] = cg_conv_block_forward(cx, &s->encoder[i], small, training);
    }
    g_autoptr(CgTensor) h = g_steal_pointer(&skips[5]);
    for (int i = 0; i < 5; i++) {
        g_autoptr(CgTensor) skip = g_steal_pointer(&skips[4 - i]);
        CG_SET(h, cg_conv_up_forward(cx, &s->up[i], h, training));
        CG_SET(h, cg_concat(cx, h, skip));
        CG_SET(h, cg_conv_block_forward(cx, &s->decoder[i], h, training));
    }
    return cg_conv_forward(cx, &s->out, h, CG_PLAIN);
}
