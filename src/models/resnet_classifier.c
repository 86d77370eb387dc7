#include "models/resnet_classifier.h"

#include "base/rng.h"

#include <math.h>
#include <string.h>

/* Blocks of each stage. */
static const int blocks_18[4] = {2, 2, 2, 2}, blocks_34[4] = {3, 4, 6, 3};

static const int *stage_blocks(const CgResnetClassifierConfig *config)
{
    g_assert(config->depth == 18 || config->depth == 34);
    return config->depth == 18 ? blocks_18 : blocks_34;
}

/* ---- structure */

static void bind_block(CgBinder *b, CgBasicBlock *block, const char *prefix, int c_in, int c_out,
                       int stride)
{
    char name[CG_NAME_MAX];
    cg_bind_conv(b, &block->conv1, cg_name(name, "%s.conv1", prefix), c_in, c_out, 3, stride, 1,
                 FALSE);
    cg_bind_batch_norm(b, &block->norm1, cg_name(name, "%s.bn1", prefix), c_out);
    cg_bind_conv(b, &block->conv2, cg_name(name, "%s.conv2", prefix), c_out, c_out, 3, 1, 1, FALSE);
    cg_bind_batch_norm(b, &block->norm2, cg_name(name, "%s.bn2", prefix), c_out);
    block->has_downsample = stride != 1 || c_in != c_out;
    if (!block->has_downsample)
        return;
    cg_bind_conv(b, &block->downsample, cg_name(name, "%s.downsample.0", prefix), c_in, c_out, 1,
                 stride, 0, FALSE);
    cg_bind_batch_norm(b, &block->downsample_norm, cg_name(name, "%s.downsample.1", prefix), c_out);
}

void cg_bind_resnet_classifier(CgBinder *b, CgResnetClassifier *r)
{
    char name[CG_NAME_MAX];
    const int *counts = stage_blocks(&r->config);
    int c_in = r->config.width;
    cg_bind_conv(b, &r->conv1, "conv1", 3, c_in, 7, 2, 3, FALSE);
    cg_bind_batch_norm(b, &r->norm1, "bn1", c_in);
    for (int stage = 0; stage < 4; stage++) {
        const int c_out = r->config.width << stage;
        for (int i = 0; i < counts[stage]; i++) {
            bind_block(b, &r->blocks[stage][i], cg_name(name, "layer%d.%d", stage + 1, i), c_in,
                       c_out, stage > 0 && i == 0 ? 2 : 1);
            c_in = c_out;
        }
    }
    cg_bind_linear(b, &r->head, "fc", cg_resnet_classifier_feature_count(&r->config),
                   r->config.classes, TRUE);
}

CgResnetClassifier *cg_resnet_classifier_new(const CgBuild *build,
                                             const CgResnetClassifierConfig *config, GError **error)
{
    g_autoptr(CgResnetClassifier) r = g_new0(CgResnetClassifier, 1);
    CgBinder b;
    r->config = *config;
    cg_binder_init(&b, &r->parameters, build);
    cg_bind_resnet_classifier(&b, r);
    return cg_binder_finish(&b, error) ? g_steal_pointer(&r) : NULL;
}

void cg_resnet_classifier_free(CgResnetClassifier *r)
{
    if (!r)
        return;
    cg_parameter_set_clear(&r->parameters);
    g_free(r);
}

/* ---- forward */

static CgTensor *conv_norm(CgContext *cx, const CgConv *conv, const CgBatchNorm *norm, CgTensor *x,
                           CgActivation act, gboolean training)
{
    g_autoptr(CgTensor) h = cg_conv_forward(cx, conv, x, CG_PLAIN);
    return cg_batch_norm_forward(cx, norm, h, act, training);
}

static CgTensor *block_forward(CgContext *cx, const CgBasicBlock *b, CgTensor *x, gboolean training)
{
    g_autoptr(CgTensor) skip =
        b->has_downsample
            ? conv_norm(cx, &b->downsample, &b->downsample_norm, x, CG_ACT_NONE, training)
            : cg_tensor_ref(x);
    g_autoptr(CgTensor) h = conv_norm(cx, &b->conv1, &b->norm1, x, CG_ACT_RELU, training);
    CG_SET(h, conv_norm(cx, &b->conv2, &b->norm2, h, CG_ACT_NONE, training));
    CG_SET(h, cg_add_in_place(cx, h, skip, 1));
    return cg_activate(cx, CG_ACT_RELU, h);
}

static CgTensor *training_segment(CgContext *cx, const void *layer, CgTensor *const *inputs)
{
    return block_forward(cx, layer, inputs[0], TRUE);
}

CgTensor *cg_resnet_classifier_features(CgContext *cx, const CgResnetClassifier *r,
                                        CgTensor *picture, gboolean training)
{
    const int *counts = stage_blocks(&r->config);
    g_autoptr(CgTensor) h = cg_cast(cx, picture, cx->dtype);
    CG_SET(h, conv_norm(cx, &r->conv1, &r->norm1, h, CG_ACT_RELU, training));
    CG_SET(h, cg_max_pool2d(cx, &(CgPoolGeometry){.kernel = 3, .stride = 2, .pad = 1}, h));
    for (int stage = 0; stage < 4; stage++)
        for (int i = 0; i < counts[stage]; i++) {
            const CgBasicBlock *block = &r->blocks[stage][i];
            CG_SET(h, training ? cg_recompute(cx, training_segment, block, &h, 1)
                               : block_forward(cx, block, h, FALSE));
        }
    CG_SET(h, cg_average_pool(cx, h));
    return cg_cast(cx, h, CG_F32);
}

CgTensor *cg_resnet_classifier_logits(CgContext *cx, const CgResnetClassifier *r,
                                      CgTensor *features)
{
    g_autoptr(CgTensor) h = cg_cast(cx, features, cx->dtype);
    CG_SET(h, cg_linear_forward(cx, &r->head, h, CG_PLAIN));
    return cg_cast(cx, h, CG_F32);
}

/* ---- weights */

gboolean cg_resnet_classifier_is_head(const char *name)
{
    return g_str_has_prefix(name, "fc.");
}

CgTensor *cg_resnet_classifier_initial_weights(void *initial, const char *name, const CgShape *want,
                                               GPtrArray *problems)
{
    CgResnetClassifierInitial *w = initial;
    (void)problems;
    if (!name)
        return NULL;
    CgTensor *t = cg_tensor_new(CG_F32, *want);
    float *to = cg_tensor_f32(t);
    const guint64 seed = cg_rng_named_seed(w->seed, name);
    if (want->rank == 4) {
        const double deviation = sqrt(2.0 / (double)(want->d[0] * want->d[2] * want->d[3]));
        cg_rng_normals(seed, CG_STREAM(CG_STREAM_WEIGHTS, 0), 0, to, t->count);
        for (size_t i = 0; i < t->count; i++)
            to[i] = (float)(deviation * to[i]);
    } else if (cg_resnet_classifier_is_head(name)) {
        w->fan_in = want->rank == 2 ? want->d[1] : w->fan_in;
        const double bound = 1 / sqrt((double)w->fan_in);
        cg_rng_uniforms(seed, CG_STREAM(CG_STREAM_WEIGHTS, 0), 0, to, t->count);
        for (size_t i = 0; i < t->count; i++)
            to[i] = (float)(bound * (2.0 * to[i] - 1));
    } else {
        const gboolean one =
            g_str_has_suffix(name, ".weight") || g_str_has_suffix(name, ".running_var");
        for (size_t i = 0; i < t->count; i++)
            to[i] = one;
    }
    return t;
}
