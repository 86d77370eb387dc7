/* vector: f32 vectors for the bodies of our kernels, in the compilers' vector extension.
 *
 * Included once per instruction set by kernels_<set>.c; the width follows from what that file is
 * compiled for. Intrinsics stand only where the extension has no word for an instruction. All of
 * it is static: nothing compiled for a larger instruction set may be linked into other files.
 */
#ifndef CG_ENGINE_CPU_VECTOR_H
#define CG_ENGINE_CPU_VECTOR_H

#include "tensor/dtype.h"

#if defined(__AVX512F__)
#include <immintrin.h>
#define VW 16
#elif defined(__AVX2__)
#include <immintrin.h>
#define VW 8
#else
#if defined(__SSE2__)
#include <emmintrin.h>
#endif
#define VW 4
#endif

#define VINLINE static inline __attribute__((always_inline, unused))

typedef float V __attribute__((vector_size(VW * 4)));
typedef int32_t VInt __attribute__((vector_size(VW * 4)));
typedef uint32_t VBits __attribute__((vector_size(VW * 4)));
typedef uint16_t VHalf __attribute__((vector_size(VW * 2)));
typedef V VAnyF32 __attribute__((aligned(4), may_alias));
typedef VHalf VAnyBf16 __attribute__((aligned(2), may_alias));

VINLINE V v_set(float f)
{
    return (V){0} + f;
}

VINLINE V v_zero(void)
{
    return (V){0};
}

VINLINE V v_select(VInt mask, V yes, V no)
{
    return (V)(((VInt)yes & mask) | ((VInt)no & ~mask));
}

/* The smaller (larger) of LIMIT and X; NaN when X is NaN. */
VINLINE V v_min(V limit, V x)
{
#if VW == 16
    return (V)_mm512_min_ps((__m512)limit, (__m512)x);
#elif VW == 8
    return (V)_mm256_min_ps((__m256)limit, (__m256)x);
#else
    return v_select(limit < x, limit, x);
#endif
}

VINLINE V v_max(V limit, V x)
{
#if VW == 16
    return (V)_mm512_max_ps((__m512)limit, (__m512)x);
#elif VW == 8
    return (V)_mm256_max_ps((__m256)limit, (__m256)x);
#else
    return v_select(limit > x, limit, x);
#endif
}

/* GCC makes long detours out of conversions between widths, so these are written out. */
VINLINE V v_from_bf16(VHalf h)
{
#if VW == 16
    return (V)_mm512_slli_epi32(_mm512_cvtepu16_epi32((__m256i)h), 16);
#elif VW == 8
    return (V)_mm256_slli_epi32(_mm256_cvtepu16_epi32((__m128i)h), 16);
#elif defined(__SSE2__)
    return (V)_mm_unpacklo_epi16(_mm_setzero_si128(), _mm_cvtsi64_si128((long long)h));
#else
    return (V)(__builtin_convertvector(h, VBits) << 16);
#endif
}

/* The upper halves of U. */
VINLINE VHalf v_upper_halves(VBits u)
{
#if VW == 16
    return (VHalf)_mm512_cvtepi32_epi16(_mm512_srli_epi32((__m512i)u, 16));
#elif VW == 8
    __m256i w = _mm256_srai_epi32((__m256i)u, 16); /* with signs: packing saturates nothing */
    return (VHalf)_mm_packs_epi32(_mm256_castsi256_si128(w), _mm256_extracti128_si256(w, 1));
#elif defined(__SSE2__)
    __m128i w = _mm_srai_epi32((__m128i)u, 16);
    return (VHalf)_mm_cvtsi128_si64(_mm_packs_epi32(w, w));
#else
    return __builtin_convertvector(u >> 16, VHalf);
#endif
}

/* As cg_bf16_from_f32; with the instruction for it, subnormal numbers become 0. */
VINLINE VHalf v_to_bf16(V v)
{
#if defined(__AVX512BF16__)
    return (VHalf)_mm512_cvtneps_pbh((__m512)v);
#else
    VBits u = (VBits)v;
    VBits rounded = u + 0x7fffu + ((u >> 16) & 1u);
#if VW == 16
    __mmask16 nan = _mm512_cmp_ps_mask((__m512)v, (__m512)v, _CMP_UNORD_Q);
    rounded =
        (VBits)_mm512_mask_or_epi32((__m512i)rounded, nan, (__m512i)u, _mm512_set1_epi32(0x400000));
#else
    rounded = (VBits)v_select(v == v, (V)rounded, (V)(u | 0x400000u));
#endif
    return v_upper_halves(rounded);
#endif
}

/* Elements I..I+COUNT-1 of P, an array of type T (f32 or bf16), COUNT <= VW; the rest is 0. In
 * the body of V_FOR both T and a full COUNT are constants, and one instruction or two remain. */
VINLINE V v_load(CgDType t, const void *p, size_t i, size_t count)
{
    const float *f = (const float *)p + i;
    const uint16_t *h = (const uint16_t *)p + i;
    if (count == VW)
        return t == CG_F32 ? (V) * (const VAnyF32 *)f : v_from_bf16(*(const VAnyBf16 *)h);
#if VW == 16
    __mmask16 m = (__mmask16)((1u << count) - 1);
    return t == CG_F32 ? (V)_mm512_maskz_loadu_ps(m, f)
                       : v_from_bf16((VHalf)_mm256_maskz_loadu_epi16(m, h));
#else
    V v = {0};
    VHalf some = {0};
    if (t == CG_F32)
        memcpy(&v, f, count * sizeof *f);
    else
        memcpy(&some, h, count * sizeof *h);
    return t == CG_F32 ? v : v_from_bf16(some);
#endif
}

VINLINE void v_store(CgDType t, void *p, size_t i, size_t count, V v)
{
    float *f = (float *)p + i;
    uint16_t *h = (uint16_t *)p + i;
    if (count == VW) {
        if (t == CG_F32)
            *(VAnyF32 *)f = v;
        else
            *(VAnyBf16 *)h = v_to_bf16(v);
        return;
    }
#if VW == 16
    __mmask16 m = (__mmask16)((1u << count) - 1);
    if (t == CG_F32)
        _mm512_mask_storeu_ps(f, m, (__m512)v);
    else
        _mm256_mask_storeu_epi16(h, m, (__m256i)v_to_bf16(v));
#else
    VHalf some = v_to_bf16(v);
    if (t == CG_F32)
        memcpy(f, &v, count * sizeof *f);
    else
        memcpy(h, &some, count * sizeof *h);
#endif
}

/* CALL for every vector of a row of C elements: it sees the first element i and the count k. */
#define V_FOR(c, call)                                                                             \
    do {                                                                                           \
        size_t i = 0;                                                                              \
        for (; i + VW <= (c); i += VW) {                                                           \
            const size_t k = VW;                                                                   \
            call;                                                                                  \
        }                                                                                          \
        if (i < (c)) {                                                                             \
            const size_t k = (c)-i;                                                                \
            call;                                                                                  \
        }                                                                                          \
    } while (0)

/* V with REST in the elements from COUNT on. */
VINLINE V v_first_or(V v, size_t count, float rest)
{
    VInt lane;
    for (int j = 0; j < VW; j++)
        lane[j] = j;
    return count == VW ? v : v_select(lane < (int)count, v, v_set(rest));
}

VINLINE float v_sum(V v)
{
#if VW == 16
    return _mm512_reduce_add_ps((__m512)v);
#elif VW == 8
    __m128 h = _mm_add_ps(_mm256_castps256_ps128((__m256)v), _mm256_extractf128_ps((__m256)v, 1));
    h = _mm_add_ps(h, _mm_movehl_ps(h, h));
    return _mm_cvtss_f32(_mm_add_ss(h, _mm_movehdup_ps(h)));
#else
    return (v[0] + v[2]) + (v[1] + v[3]);
#endif
}

/* The largest element; anything when there is a NaN. */
VINLINE float v_largest(V v)
{
    float f[VW];
    memcpy(f, &v, sizeof f);
    for (int i = 1; i < VW; i++)
        f[0] = f[i] > f[0] ? f[i] : f[0];
    return f[0];
}

/* 2^t to a relative error of 2e-7. t = n + r, |r| <= 1/2; 2^r by a polynomial (minimax of relative
 * error, 9e-8). Overflow gives infinity, underflow goes through the subnormals to 0. */
VINLINE V v_exp2(V t)
{
#if VW == 16
    V n = (V)_mm512_roundscale_ps((__m512)t, 8);
#else
    const V shift = v_set(0x1.8p23f); /* after adding it, the last bit weighs 1 */
    t = v_max(v_set(-152.0f), v_min(v_set(130.0f), t));
    V shifted = t + shift;
    V n = shifted - shift;
#endif
    V r = t - n;
    V p = v_set(1.3264692502e-3f);
    p = p * r + 9.6715343747e-3f;
    p = p * r + 5.5507340253e-2f;
    p = p * r + 2.4022241751e-1f;
    p = p * r + 6.9314697734e-1f;
    p = p * r + 1.0f;
#if VW == 16
    return (V)_mm512_scalef_ps((__m512)p, (__m512)n);
#else
    /* 2^n in two factors, since n may lie outside the exponents of normal numbers. For NaN the
     * bits mean nothing, and p is NaN. */
    VInt k = (VInt)((VBits)shifted - (VBits)shift);
    VInt half = k >> 1;
    return p * (V)((half + 127) << 23) * (V)((k - half + 127) << 23);
#endif
}

/* e^x. The product's rounding costs |x| 6e-8 of relative error: little where the result counts,
 * since softmax and sigmoid use it for x <= 0 or as 1 / (1 + e^x). */
VINLINE V v_exp(V x)
{
    return v_exp2(x * 1.44269504f);
}

VINLINE V v_sigmoid(V x)
{
    return v_set(1.0f) / (v_exp2(x * -1.44269504f) + 1.0f);
}

/* x sigmoid(STEEPNESS x). */
VINLINE V v_sigmoid_times(V x, float steepness)
{
    return x / (v_exp2(x * (steepness * -1.44269504f)) + 1.0f);
}

/* Phi(x) - 1/2 = x P(x^2) / Q(x^2), fitted for |x| <= 5.5 to a relative error of 2e-8; beyond,
 * P / Q stays as it is and the limits of Phi make it exact. */
VINLINE V v_phi_minus_half(V x)
{
    V s = v_min(v_set(5.5f * 5.5f), x * x);
    V p = v_set(2.2930054092e-8f);
    p = p * s + 6.3006203442e-6f;
    p = p * s + 1.6452699095e-4f;
    p = p * s + 4.6511844976e-3f;
    p = p * s + 3.3455033527e-2f;
    p = p * s + 3.9894227391e-1f;
    V q = v_set(1.1989244801e-6f);
    q = q * s + 7.2148699092e-5f;
    q = q * s + 1.8603814568e-3f;
    q = q * s + 2.8413766478e-2f;
    q = q * s + 2.5052573727e-1f;
    q = q * s + 1.0f;
    return v_max(v_set(-0.5f), v_min(v_set(0.5f), x * p / q));
}

/* x Phi(x). */
VINLINE V v_gelu(V x)
{
    V h = v_phi_minus_half(x);
    return x * h + x * 0.5f;
}

/* Derivatives. Beyond these limits they are 0 or 1, and no infinity may meet a 0. */
VINLINE V v_slope_range(V x)
{
    return v_max(v_set(-100.0f), v_min(v_set(100.0f), x));
}

/* Of v_sigmoid_times: s (1 + STEEPNESS x (1 - s)). */
VINLINE V v_sigmoid_times_slope(V x, float steepness)
{
    x = v_slope_range(x) * steepness;
    V s = v_sigmoid(x);
    return s * (x * (v_set(1.0f) - s) + 1.0f);
}

/* Of v_gelu: Phi(x) + x phi(x). */
VINLINE V v_gelu_slope(V x)
{
    x = v_slope_range(x);
    V density = v_exp2(x * x * -0.72134752f) * 0.39894228f;
    return (v_phi_minus_half(x) + 0.5f) + x * density;
}

VINLINE V v_sqrt(V x)
{
#if VW == 16
    return (V)_mm512_sqrt_ps((__m512)x);
#elif VW == 8
    return (V)_mm256_sqrt_ps((__m256)x);
#else
    for (int i = 0; i < VW; i++)
        x[i] = __builtin_sqrtf(x[i]);
    return x;
#endif
}

#endif
