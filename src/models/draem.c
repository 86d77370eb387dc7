#include "models/draem.h"

#include "base/error.h"
#include "base/rng.h"
#include "ops/loss.h"

#include <math.h>
#include <string.h>

/* Widths of the levels, in units of the network's width. */
static const int widths[5] = {1, 2, 4, 8, 8};

void cg_draem_config_default(CgDraemConfig *config)
{
    *config = cg_draem_config_of_width(128);
}

CgDraemConfig cg_draem_config_of_width(int width)
{
    return (CgDraemConfig){.reconstructive_width = width, .discriminative_width = width / 2};
}

gboolean cg_draem_config_parse(const json_t *object, const char *where, CgDraemConfig *config,
                               GError **error)
{
    const char *kind;
    gint64 reconstructive, discriminative;
    if (!cg_json_string(object, where, "_class_name", "", &kind, error))
        return FALSE;
    if (!g_str_equal(kind, "DRAEM")) {
        g_set_error(error, CG_ERROR, CG_ERROR_UNSUPPORTED, "%s: no DRAEM detector", where);
        return FALSE;
    }
    if (!cg_json_int(object, where, "reconstructive_width", 128, 1, CG_DRAEM_MAX_WIDTH,
                     &reconstructive, error) ||
        !cg_json_int(object, where, "discriminative_width", 64, 1, CG_DRAEM_MAX_WIDTH,
                     &discriminative, error))
        return FALSE;
    *config = (CgDraemConfig){(int)reconstructive, (int)discriminative};
    return TRUE;
}

json_t *cg_draem_config_to_json(const CgDraemConfig *config)
{
    return json_pack("{s:s, s:i, s:i}", "_class_name", "DRAEM", "reconstructive_width",
                     config->reconstructive_width, "discriminative_width",
                     config->discriminative_width);
}

/* ---- structure */

static void bind_block(CgBinder *b, CgDraemBlock *block, const char *prefix, int c_in, int c_mid,
                       int c_out)
{
    char name[CG_NAME_MAX];
    cg_bind_conv(b, &block->conv1, cg_name(name, "%s.0", prefix), c_in, c_mid, 3, 1, 1, TRUE);
    cg_bind_batch_norm(b, &block->norm1, cg_name(name, "%s.1", prefix), c_mid);
    cg_bind_conv(b, &block->conv2, cg_name(name, "%s.3", prefix), c_mid, c_out, 3, 1, 1, TRUE);
    cg_bind_batch_norm(b, &block->norm2, cg_name(name, "%s.4", prefix), c_out);
}

static void bind_up(CgBinder *b, CgDraemUp *up, const char *prefix, int c_in, int c_out)
{
    char name[CG_NAME_MAX];
    cg_bind_conv(b, &up->conv, cg_name(name, "%s.1", prefix), c_in, c_out, 3, 1, 1, TRUE);
    cg_bind_batch_norm(b, &up->norm, cg_name(name, "%s.2", prefix), c_out);
}

static void bind_reconstructive(CgBinder *b, CgDraem *d)
{
    static const int outputs[4] = {4, 2, 1, 1};
    char name[CG_NAME_MAX];
    const int width = d->config.reconstructive_width;
    for (int i = 0; i < 5; i++)
        bind_block(b, &d->encoder[i], cg_name(name, "encoder.block%d", i + 1),
                   i ? widths[i - 1] * width : 3, widths[i] * width, widths[i] * width);
    for (int i = 0, c = 8 * width; i < 4; i++) {
        const int c_out = outputs[i] * width;
        bind_up(b, &d->up[i], cg_name(name, "decoder.up%d", i + 1), c, c);
        bind_block(b, &d->decoder[i], cg_name(name, "decoder.db%d", i + 1), c, c, c_out);
        c = c_out;
    }
    cg_bind_conv(b, &d->out, "decoder.fin_out.0", width, 3, 3, 1, 1, TRUE);
}

static void bind_discriminative(CgBinder *b, CgDraem *d)
{
    static const char *const names[5] = {"_b", "1", "2", "3", "4"};
    static const int outputs[5] = {8, 4, 2, 1, 1};
    char name[CG_NAME_MAX];
    const int width = d->config.discriminative_width;
    for (int i = 0; i < 6; i++) {
        const int c = widths[MIN(i, 4)] * width;
        bind_block(b, &d->segment_encoder[i], cg_name(name, "encoder_segment.block%d", i + 1),
                   i ? widths[i - 1] * width : 6, c, c);
    }
    for (int i = 0, from = 8 * width; i < 5; i++) {
        const int c = outputs[i] * width, skip = widths[4 - i] * width;
        bind_up(b, &d->segment_up[i], cg_name(name, "decoder_segment.up%s", names[i]), from, c);
        bind_block(b, &d->segment_decoder[i], cg_name(name, "decoder_segment.db%s", names[i]),
                   c + skip, c, c);
        from = c;
    }
    cg_bind_conv(b, &d->segment_out, "decoder_segment.fin_out.0", width, 2, 3, 1, 1, TRUE);
}

void cg_bind_draem(CgBinder *b, CgDraem *d)
{
    bind_reconstructive(b, d);
    bind_discriminative(b, d);
}

CgDraem *cg_draem_new(const CgBuild *build, const CgDraemConfig *config, GError **error)
{
    g_autoptr(CgDraem) d = g_new0(CgDraem, 1);
    CgBinder b;
    d->config = *config;
    cg_binder_init(&b, &d->parameters, build);
    cg_bind_draem(&b, d);
    return cg_binder_finish(&b, error) ? g_steal_pointer(&d) : NULL;
}

void cg_draem_free(CgDraem *d)
{
    if (!d)
        return;
    cg_parameter_set_clear(&d->parameters);
    g_free(d);
}

/* ---- forward */

static CgTensor *conv_norm(CgContext *cx, const CgConv *conv, const CgBatchNorm *norm, CgTensor *x,
                           gboolean training)
{
    g_autoptr(CgTensor) h = cg_conv_forward(cx, conv, x, CG_PLAIN);
    return cg_batch_norm_forward(cx, norm, h, CG_ACT_RELU, training);
}

static CgTensor *block_forward(CgContext *cx, const CgDraemBlock *block, CgTensor *x,
                               gboolean training)
{
    g_autoptr(CgTensor) h = conv_norm(cx, &block->conv1, &block->norm1, x, training);
    return conv_norm(cx, &block->conv2, &block->norm2, h, training);
}

static CgTensor *training_segment(CgContext *cx, const void *layer, CgTensor *const *inputs)
{
    return block_forward(cx, layer, inputs[0], TRUE);
}

static CgTensor *run_block(CgContext *cx, const CgDraemBlock *block, CgTensor *x, gboolean training)
{
    return training ? cg_recompute(cx, training_segment, block, &x, 1)
                    : block_forward(cx, block, x, FALSE);
}

static CgTensor *run_up(CgContext *cx, const CgDraemUp *up, CgTensor *x, gboolean training)
{
    g_autoptr(CgTensor) large = cg_upsample_bilinear(cx, x, 2 * x->shape.d[1], 2 * x->shape.d[2]);
    return conv_norm(cx, &up->conv, &up->norm, large, training);
}

static CgTensor *halve(CgContext *cx, CgTensor *x)
{
    return cg_max_pool2d(cx, &(CgPoolGeometry){.kernel = 2, .stride = 2}, x);
}

static CgTensor *reconstruct(CgContext *cx, const CgDraem *d, CgTensor *x, gboolean training)
{
    g_autoptr(CgTensor) h = run_block(cx, &d->encoder[0], x, training);
    for (int i = 1; i < 5; i++) {
        CG_SET(h, halve(cx, h));
        CG_SET(h, run_block(cx, &d->encoder[i], h, training));
    }
    for (int i = 0; i < 4; i++) {
        CG_SET(h, run_up(cx, &d->up[i], h, training));
        CG_SET(h, run_block(cx, &d->decoder[i], h, training));
    }
    return cg_conv_forward(cx, &d->out, h, CG_PLAIN);
}

static CgTensor *segment(CgContext *cx, const CgDraem *d, CgTensor *pair, gboolean training)
{
    CgTensor *skips[6];
    skips[0] = run_block(cx, &d->segment_encoder[0], pair, training);
    for (int i = 1; i < 6; i++) {
        g_autoptr(CgTensor) small = halve(cx, skips[i - 1]);
        skips[i] = run_block(cx, &d->segment_encoder[i], small, training);
    }
    g_autoptr(CgTensor) h = g_steal_pointer(&skips[5]);
    for (int i = 0; i < 5; i++) {
        g_autoptr(CgTensor) skip = g_steal_pointer(&skips[4 - i]);
        CG_SET(h, run_up(cx, &d->segment_up[i], h, training));
        CG_SET(h, cg_concat(cx, h, skip));
        CG_SET(h, run_block(cx, &d->segment_decoder[i], h, training));
    }
    return cg_conv_forward(cx, &d->segment_out, h, CG_PLAIN);
}

void cg_draem_forward(CgContext *cx, const CgDraem *d, CgTensor *picture, gboolean training,
                      CgTensor **reconstruction, CgTensor **logits)
{
    g_assert(picture->shape.d[1] % CG_DRAEM_MULTIPLE == 0 &&
             picture->shape.d[2] % CG_DRAEM_MULTIPLE == 0);
    g_autoptr(CgTensor) x = cg_cast(cx, picture, cx->dtype);
    g_autoptr(CgTensor) y = reconstruct(cx, d, x, training);
    g_autoptr(CgTensor) pair = cg_concat(cx, y, x);
    g_autoptr(CgTensor) answer = segment(cx, d, pair, training);
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

/* ---- weights */

gboolean cg_draem_is_reconstructive(const char *name)
{
    return g_str_has_prefix(name, "encoder.") || g_str_has_prefix(name, "decoder.");
}

static CgTensor *draw(const CgDraemInitial *w, const char *name, const CgShape *shape)
{
    CgTensor *t = cg_tensor_new(CG_F32, *shape);
    float *to = cg_tensor_f32(t);
    guint64 seed = 0xcbf29ce484222325; /* FNV-1a of the name */
    for (const char *p = name; *p; p++)
        seed = (seed ^ (guint8)*p) * 0x100000001b3;
    seed ^= w->seed * 0x9e3779b97f4a7c15;
    if (g_str_has_suffix(name, ".weight")) {
        cg_rng_normals(seed, CG_STREAM(CG_STREAM_WEIGHTS, 0), 0, to, t->count);
        for (size_t i = 0; i < t->count; i++)
            to[i] = (shape->rank == 1) + 0.02f * to[i];
        return t;
    }
    const double bound = 1 / sqrt((double)w->fan_in);
    cg_rng_uniforms(seed, CG_STREAM(CG_STREAM_WEIGHTS, 0), 0, to, t->count);
    for (size_t i = 0; i < t->count; i++)
        to[i] = (float)(bound * (2.0 * (double)to[i] - 1));
    return t;
}

CgTensor *cg_draem_initial_weights(void *initial, const char *name, const CgShape *want,
                                   GPtrArray *problems)
{
    CgDraemInitial *w = initial;
    (void)problems;
    if (!name)
        return NULL;
    if (g_str_has_suffix(name, ".weight"))
        w->fan_in = want->rank == 4 ? want->d[1] * want->d[2] * want->d[3] : 0;
    const gboolean one = g_str_has_suffix(name, ".running_var");
    if (!g_str_has_suffix(name, ".weight") && w->fan_in == 0) {
        CgTensor *t = cg_tensor_zeros(CG_F32, *want);
        for (size_t i = 0; one && i < t->count; i++)
            cg_tensor_f32(t)[i] = 1;
        return t;
    }
    return draw(w, name, want);
}
