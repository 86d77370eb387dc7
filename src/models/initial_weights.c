#include "models/initial_weights.h"

#include "base/rng.h"

#include <math.h>
#include <string.h>

typedef enum { UNIFORM, NORMAL } Distribution;

/* Standard numbers times SCALE. */
static CgTensor *draw(const CgInitialWeights *w, const char *name, const CgShape *shape,
                      Distribution distribution, double scale)
{
    CgTensor *t = cg_tensor_new(CG_F32, *shape);
    const guint64 stream = CG_STREAM(CG_STREAM_WEIGHTS, w->component);
    float *to = cg_tensor_f32(t);
    const guint64 seed = cg_rng_named_seed(w->seed, name);
    if (distribution == NORMAL)
        cg_rng_normals(seed, stream, 0, to, t->count);
    else
        cg_rng_uniforms(seed, stream, 0, to, t->count);
    for (size_t i = 0; i < t->count; i++)
        to[i] = (float)(scale * (distribution == NORMAL ? to[i] : 2.0 * to[i] - 1));
    return t;
}

static CgTensor *constant(const CgShape *shape, float value)
{
    CgTensor *t = cg_tensor_new(CG_F32, *shape);
    for (size_t i = 0; i < t->count; i++)
        cg_tensor_f32(t)[i] = value;
    return t;
}

/* Scale or shift of a norm: ".norm1.weight", ".group_norm.bias", "conv_norm_out.weight". */
static gboolean is_norm(const char *name)
{
    const char *end = strrchr(name, '.');
    const char *begin = end ? g_strrstr_len(name, end - name, ".") : NULL;
    begin = begin ? begin + 1 : name;
    return end && g_strstr_len(begin, end - begin, "norm") != NULL;
}

static CgTensor *clip_weights(const CgInitialWeights *w, const char *name, const CgShape *shape)
{
    const double inner = pow((double)shape->d[1], -0.5);
    double deviation = inner * pow(2.0 * MAX(w->layers, 1), -0.5);
    if (shape->rank == 1)
        return constant(shape, g_str_has_suffix(name, ".weight"));
    if (strstr(name, "embedding"))
        deviation = 0.02;
    else if (g_str_has_suffix(name, "out_proj.weight"))
        deviation = inner;
    else if (g_str_has_suffix(name, "fc1.weight"))
        deviation = pow(2.0 * (double)shape->d[1], -0.5);
    else if (g_str_has_suffix(name, "fc2.weight")) /* of the model's width, not of its input's */
        deviation = pow((double)shape->d[0], -0.5) * pow(2.0 * MAX(w->layers, 1), -0.5);
    return draw(w, name, shape, NORMAL, deviation);
}

/* torch's default for a layer with FAN_IN inputs to each output. */
static CgTensor *layer_weights(CgInitialWeights *w, const char *name, const CgShape *shape,
                               GPtrArray *problems)
{
    const char *end = strrchr(name, '.');
    const size_t stem = end ? (size_t)(end - name) : strlen(name);
    if (is_norm(name))
        return constant(shape, g_str_has_suffix(name, ".weight"));
    if (shape->rank >= 2) {
        w->fan_in = (gint64)cg_shape_count(shape) / shape->d[0];
        g_strlcpy(w->layer, name, MIN(stem + 1, sizeof w->layer));
    } else if (strlen(w->layer) != stem || strncmp(w->layer, name, stem) != 0) {
        g_ptr_array_add(problems, g_strdup_printf("no matrix before the bias %s", name));
        return NULL;
    }
    return draw(w, name, shape, UNIFORM, 1 / sqrt((double)w->fan_in));
}

static CgTensor *control_weights(CgInitialWeights *w, const char *name, const CgShape *shape,
                                 GPtrArray *problems)
{
    if (g_str_has_prefix(name, "controlnet_down_blocks.") ||
        g_str_has_prefix(name, "controlnet_mid_block.") ||
        g_str_has_prefix(name, "controlnet_cond_embedding.conv_out."))
        return constant(shape, 0);
    if (g_str_has_prefix(name, "controlnet_cond_embedding.") || !w->unet)
        return layer_weights(w, name, shape, problems);
    return w->unet(w->unet_source, name, shape, problems);
}

CgTensor *cg_initial_weights_lookup(void *initial_weights, const char *name, const CgShape *want,
                                    GPtrArray *problems)
{
    CgInitialWeights *w = initial_weights;
    if (!name)
        return NULL;
    switch (w->component) {
    case CG_COMPONENT_TEXT:
        return clip_weights(w, name, want);
    case CG_COMPONENT_CONTROLNET:
        return control_weights(w, name, want, problems);
    case CG_COMPONENT_UNET:
    case CG_COMPONENT_VAE:
        break;
    }
    return layer_weights(w, name, want, problems);
}
