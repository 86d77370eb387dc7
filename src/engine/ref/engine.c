#include "engine/ref/ref-private.h"

static void ref_free(CgEngine *e)
{
    cg_pool_unref(((RefEngine *)e)->pool);
    g_free(e);
}

static void ref_trim(CgEngine *e)
{
    cg_pool_trim(((RefEngine *)e)->pool);
}

static CgTensor *ref_tensor(CgEngine *e, CgDType dtype, CgShape shape)
{
    return cg_pool_tensor(((RefEngine *)e)->pool, dtype, shape);
}

static const CgEngineOps ref_ops = {
    .version = CG_ENGINE_VERSION,
    .name = "ref",
    .free = ref_free,
    .tensor = ref_tensor,
    .trim = ref_trim,
    .weight_new = ref_weight_new,
    .weight_free = ref_weight_free,
    .weight_keep = ref_weight_keep,
    .weight_differentiate = ref_weight_keep,
    .weight_changed = ref_weight_changed,
    .conv2d = ref_conv2d,
    .linear = ref_linear,
    .attention = ref_attention,
    .group_norm = ref_group_norm,
    .layer_norm = ref_layer_norm,
    .activate = ref_activate,
    .geglu = ref_geglu,
    .add = ref_add,
    .add_channels = ref_add_channels,
    .upsample_nearest = ref_upsample_nearest,
    .concat = ref_concat,
    .softmax = ref_softmax,
    .cast = ref_cast,
    .batch_norm = ref_batch_norm,
    .batch_norm_fixed = ref_batch_norm_fixed,
    .batch_norm_backward = ref_batch_norm_backward,
    .upsample_bilinear = ref_upsample_bilinear,
    .upsample_bilinear_backward = ref_upsample_bilinear_backward,
    .max_pool2d = ref_max_pool2d,
    .max_pool2d_backward = ref_max_pool2d_backward,
    .average_pool = ref_average_pool,
    .average_pool_backward = ref_average_pool_backward,
    .scale = ref_scale,
    .conv2d_backward_data = ref_conv2d_backward_data,
    .conv2d_backward_weights = ref_conv2d_backward_weights,
    .linear_backward_data = ref_linear_backward_data,
    .linear_backward_weights = ref_linear_backward_weights,
    .attention_backward = ref_attention_backward,
    .group_norm_backward = ref_group_norm_backward,
    .layer_norm_backward = ref_layer_norm_backward,
    .activate_backward = ref_activate_backward,
    .geglu_backward = ref_geglu_backward,
    .add_channels_backward = ref_add_channels_backward,
    .upsample_nearest_backward = ref_upsample_nearest_backward,
    .split = ref_split,
    .softmax_backward = ref_softmax_backward,
    .adamw = ref_adamw,
    .square_sum = ref_square_sum,
};

CgEngine *cg_engine_ref_new(void)
{
    RefEngine *e = g_new0(RefEngine, 1);
    e->base.ops = &ref_ops;
    e->pool = cg_pool_new();
    return &e->base;
}
