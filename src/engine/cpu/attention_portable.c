/* The f32 attention kernel in the compiler's own vectors of four floats (SSE2, NEON, or scalars
 * where there are none). */
#include <stdint.h>
#include <string.h>

typedef float Vec __attribute__((vector_size(16)));
typedef int32_t VecInt __attribute__((vector_size(16)));

#define LANES  4
#define TILE_V 2
#define TILE_R 4

static inline Vec vec_set1(float x)
{
    return (Vec){x, x, x, x};
}

static inline Vec vec_load(const float *x)
{
    return *(const Vec *)x;
}

static inline void vec_store(float *x, Vec v)
{
    *(Vec *)x = v;
}

#define vec_fma(a, b, c) ((a) * (b) + (c))
#define vec_mul(a, b)    ((a) * (b))
#define vec_add(a, b)    ((a) + (b))
#define vec_sub(a, b)    ((a) - (b))
#define vec_div(a, b)    ((a) / (b))

static inline Vec vec_select(VecInt mask, Vec yes, Vec no)
{
    return (Vec)((mask & (VecInt)yes) | (~mask & (VecInt)no));
}

static inline Vec vec_max(Vec a, Vec b)
{
    return vec_select(a > b, a, b);
}

#include "engine/cpu/attention-exp2.h"

/* t = n + f with |f| <= 1/2; 2^f by polynomial, 2^n from its
 * bits. */
static inline Vec vec_exp2(Vec t)
{
    Vec magic = vec_set1(0x1.8p23f); /* pushes the fraction out, rounding to nearest */
    Vec shifted = t + magic;
    Vec f = t - (shifted - magic);
    VecInt exponent = ((VecInt)shifted + 127) << 23;
    Vec p = exp2_poly6(f) * (Vec)exponent;
    return vec_select(t < vec_set1(-126.0f), vec_set1(0.0f), p);
}

static inline void vec_transpose(float tile[LANES][LANES])
{
    for (int i = 0; i < LANES; i++) {
        for (int j = 0; j < i; j++) {
            float x = tile[i][j];
            tile[i][j] = tile[j][i];
            tile[j][i] = x;
        }
    }
}

#define PATH_NAME      "portable"
#define PATH_AVAILABLE (cpu != NULL)
#define PATH_SYMBOL    cg_attention_portable
#include "engine/cpu/attention-f32-body.h"
