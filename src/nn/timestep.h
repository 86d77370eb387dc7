/* timestep: the sinusoidal embedding of a timestep and the small network behind it. */
#ifndef CG_NN_TIMESTEP_H
#define CG_NN_TIMESTEP_H

#include "nn/layers.h"

typedef struct {
    int sinusoid; /* width of the sinusoid: the first level's channels */
    gboolean flip_sin_to_cos;
    double freq_shift;
    CgLinear linear_1, linear_2;
} CgTimeEmbedding;

/* PREFIX.linear_1 [width, sinusoid], PREFIX.linear_2 [width, width]. */
void cg_bind_time_embedding(CgBinder *b, CgTimeEmbedding *layer, const char *prefix, int sinusoid,
                            int width);

/* The sinusoid of T into OUT[width] (diffusers get_timestep_embedding): f_i = exp(-ln(10000) i /
 * (width/2 - freq_shift)); [cos(t f), sin(t f)] when flipped, else sines first. Computed in double:
 * a bf16 timestep would be noise. */
void cg_timestep_sinusoid(double t, int width, gboolean flip_sin_to_cos, double freq_shift,
                          float *out);

/* silu(linear_2(silu(linear_1(sinusoid(t))))) for COUNT timesteps -> [count, width]: the last silu
 * is the one that every block applies before its own projection, done here once for all. */
CgTensor *cg_time_embedding_forward(CgContext *cx, const CgTimeEmbedding *layer, const double *t,
                                    int count);

#endif
