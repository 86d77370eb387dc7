#include "nn/lora.h"

#include "base/error.h"
#include "base/rng.h"

#include <math.h>
#include <string.h>

/* Apart from the components of models/initial_weights. */
#define WEIGHTS_NUMBER 16

float cg_lora_scale(const CgLora *lora)
{
    return (float)(lora->alpha / lora->rank);
}

gboolean cg_lora_targets(const CgLora *lora, const char *prefix)
{
    static const char *const projections[] = {".to_q", ".to_k", ".to_v", ".to_out.0"};
    if (!lora || !lora->rank || !strstr(prefix, ".transformer_blocks."))
        return FALSE;
    for (size_t i = 0; i < G_N_ELEMENTS(projections); i++)
        if (g_str_has_suffix(prefix, projections[i]))
            return TRUE;
    return FALSE;
}

char *cg_lora_name(const char *prefix, char which)
{
    return g_strdup_printf("%s.lora_%c.weight", prefix, which);
}

char *cg_lora_layer(const CgLora *lora, const char *name)
{
    g_autofree char *prefix = g_strdup(name);
    char *end = strrchr(prefix, '.');
    if (!end || !g_str_equal(end, ".weight"))
        return NULL;
    *end = '\0';
    return cg_lora_targets(lora, prefix) ? g_steal_pointer(&prefix) : NULL;
}

gboolean cg_lora_is_part(const char *name)
{
    return g_str_has_suffix(name, ".lora_A.weight") || g_str_has_suffix(name, ".lora_B.weight");
}

CgTensor *cg_lora_initial_a(const CgLora *lora, const char *name, int in)
{
    CgTensor *a = cg_tensor_new(CG_F32, CG_SHAPE(lora->rank, in));
    float *to = cg_tensor_f32(a);
    cg_rng_uniforms(cg_rng_named_seed(lora->seed, name),
                    CG_STREAM(CG_STREAM_WEIGHTS, WEIGHTS_NUMBER), 0, to, a->count);
    for (size_t i = 0; i < a->count; i++)
        to[i] = (float)((2.0 * (double)to[i] - 1) / sqrt(in));
    return a;
}

void cg_lora_merge(const CgLora *lora, CgTensor *w, const CgTensor *a, const CgTensor *b)
{
    const int64_t rank = a->shape.d[0], in = a->shape.d[1], out = b->shape.d[0];
    const float scale = cg_lora_scale(lora), *down = cg_tensor_f32(a), *up = cg_tensor_f32(b);
    cg_assert_shape("merged weight", w, CG_SHAPE(out, in));
    cg_assert_shape("lora_B", b, CG_SHAPE(out, rank));
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < out; i++) {
        float *row = cg_tensor_f32(w) + i * in;
        for (int64_t r = 0; r < rank; r++) {
            const float factor = scale * up[i * rank + r];
            for (int64_t j = 0; j < in; j++)
                row[j] += factor * down[r * in + j];
        }
    }
}

void cg_lora_size_add(const CgLora *lora, const char *name, const CgShape *shape, CgLoraSize *size)
{
    g_autofree char *layer = cg_lora_layer(lora, name);
    if (!layer)
        return;
    const int64_t out = shape->d[0], in = shape->d[1], side = MIN(in, out);
    size->count += 2;
    size->numbers += (size_t)lora->rank * (size_t)(in + out);
    size->narrowest = size->narrowest ? MIN(size->narrowest, side) : side;
}

gboolean cg_lora_size_check(const CgLora *lora, const CgLoraSize *size, GError **error)
{
    if (lora->rank <= size->narrowest)
        return TRUE;
    g_set_error(error, CG_ERROR, CG_ERROR_USAGE,
                "--lora %d: the model's narrowest attention layer has %" G_GINT64_FORMAT
                " channels; a rank above that makes nothing smaller",
                lora->rank, size->narrowest);
    return FALSE;
}
