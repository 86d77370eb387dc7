#include "nn/timestep.h"

#include <math.h>

void cg_bind_time_embedding(CgBinder *b, CgTimeEmbedding *layer, const char *prefix, int sinusoid,
                            int width)
{
    char name[CG_NAME_MAX];
    layer->sinusoid = sinusoid;
    cg_bind_linear(b, &layer->linear_1, cg_name(name, "%s.linear_1", prefix), sinusoid, width,
                   TRUE);
    cg_bind_linear(b, &layer->linear_2, cg_name(name, "%s.linear_2", prefix), width, width, TRUE);
}

void cg_timestep_sinusoid(double t, int width, gboolean flip_sin_to_cos, double freq_shift,
                          float *out)
{
    const int half = width / 2;
    float *cosines = flip_sin_to_cos ? out : out + half;
    float *sines = flip_sin_to_cos ? out + half : out;
    for (int i = 0; i < half; i++) {
        const double frequency = exp(-log(10000.0) * i / (half - freq_shift));
        cosines[i] = (float)cos(t * frequency);
        sines[i] = (float)sin(t * frequency);
    }
}

CgTensor *cg_time_embedding_forward(CgContext *cx, const CgTimeEmbedding *layer, const double *t,
                                    int count)
{
    g_autoptr(CgTensor) h =
        cx->engine->ops->tensor(cx->engine, CG_F32, CG_SHAPE(count, layer->sinusoid));
    for (int i = 0; i < count; i++)
        cg_timestep_sinusoid(t[i], layer->sinusoid, layer->flip_sin_to_cos, layer->freq_shift,
                             cg_tensor_f32(h) + (size_t)i * (size_t)layer->sinusoid);
    CG_SET(h, cg_cast(cx, h, cx->dtype));
    CG_SET(h, cg_linear_forward(cx, &layer->linear_1, h, (CgEpilogue){.act = CG_ACT_SILU}));
    return cg_linear_forward(cx, &layer->linear_2, h, (CgEpilogue){.act = CG_ACT_SILU});
}
