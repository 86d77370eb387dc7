/* The f32 attention kernel for AVX-512 (F, BW, DQ, VL). */
#include <immintrin.h>

typedef __m512 Vec;

#define LANES  16
#define TILE_V 4 /* 24 sums, 4 vectors of queries, 1 broadcast: 29 of 32 registers */
#define TILE_R 6

#define vec_set1(x)      _mm512_set1_ps(x)
#define vec_load(x)      _mm512_load_ps(x)
#define vec_store(x, v)  _mm512_store_ps(x, v)
#define vec_fma(a, b, c) _mm512_fmadd_ps(a, b, c)
#define vec_mul(a, b)    _mm512_mul_ps(a, b)
#define vec_add(a, b)    _mm512_add_ps(a, b)
#define vec_sub(a, b)    _mm512_sub_ps(a, b)
#define vec_div(a, b)    _mm512_div_ps(a, b)
#define vec_max(a, b)    _mm512_max_ps(a, b)

#include "engine/cpu/attention-exp2.h"

static inline Vec vec_exp2(Vec t)
{
    Vec n = _mm512_roundscale_ps(t, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    Vec p = exp2_poly6(vec_sub(t, n));
    /* Not less than, or unordered: no subnormal weights, which are slow to multiply; -inf becomes
     * 0, NaN stays. */
    __mmask16 keep = _mm512_cmp_ps_mask(t, vec_set1(-126.0f), _CMP_NLT_UQ);
    return _mm512_maskz_scalef_ps(keep, p, n);
}

#include "engine/cpu/transpose-avx512.h"

static inline void vec_transpose(float tile[LANES][LANES])
{
    __m512i r[LANES];
    for (int i = 0; i < LANES; i++)
        r[i] = _mm512_load_si512(tile[i]);
    transpose_16x16(r);
    for (int i = 0; i < LANES; i++)
        _mm512_store_si512(tile[i], r[i]);
}

#define PATH_NAME      "avx512"
#define PATH_AVAILABLE (cpu->avx512)
#define PATH_SYMBOL    cg_attention_avx512
#include "engine/cpu/attention-f32-body.h"
