/* The f32 attention kernel for AVX2 with FMA. */
#include <immintrin.h>

typedef __m256 Vec;

#define LANES  8
#define TILE_V 2 /* 12 sums, 2 vectors of queries, 1 broadcast: 15 of 16 registers */
#define TILE_R 6

#define vec_set1(x)      _mm256_set1_ps(x)
#define vec_load(x)      _mm256_load_ps(x)
#define vec_store(x, v)  _mm256_store_ps(x, v)
#define vec_fma(a, b, c) _mm256_fmadd_ps(a, b, c)
#define vec_mul(a, b)    _mm256_mul_ps(a, b)
#define vec_add(a, b)    _mm256_add_ps(a, b)
#define vec_sub(a, b)    _mm256_sub_ps(a, b)
#define vec_div(a, b)    _mm256_div_ps(a, b)
#define vec_max(a, b)    _mm256_max_ps(a, b)

#include "engine/cpu/attention-exp2.h"

static inline Vec vec_exp2(Vec t)
{
    Vec n = _mm256_round_ps(t, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    Vec p = exp2_poly6(vec_sub(t, n));
    __m256i bits = _mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127));
    Vec power = _mm256_castsi256_ps(_mm256_slli_epi32(bits, 23));
    /* Less than -126, -inf too, is 0; NaN compares false and stays. */
    Vec gone = _mm256_cmp_ps(t, vec_set1(-126.0f), _CMP_LT_OQ);
    return _mm256_andnot_ps(gone, vec_mul(p, power));
}

static inline void vec_transpose(float tile[LANES][LANES])
{
    __m256 r[8], t[8];
    for (int i = 0; i < 8; i++)
        r[i] = _mm256_load_ps(tile[i]);
    for (int i = 0; i < 8; i += 2) {
        t[i] = _mm256_unpacklo_ps(r[i], r[i + 1]);
        t[i + 1] = _mm256_unpackhi_ps(r[i], r[i + 1]);
    }
    for (int i = 0; i < 8; i += 4) {
        r[i] = _mm256_shuffle_ps(t[i], t[i + 2], 0x44);
        r[i + 1] = _mm256_shuffle_ps(t[i], t[i + 2], 0xee);
        r[i + 2] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0x44);
        r[i + 3] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0xee);
    }
    for (int i = 0; i < 4; i++) {
        _mm256_store_ps(tile[i], _mm256_permute2f128_ps(r[i], r[i + 4], 0x20));
        _mm256_store_ps(tile[i + 4], _mm256_permute2f128_ps(r[i], r[i + 4], 0x31));
    }
}

#define PATH_NAME      "avx2"
#define PATH_AVAILABLE (cpu->avx2)
#define PATH_SYMBOL    cg_attention_avx2
#include "engine/cpu/attention-f32-body.h"
