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

VINLINE V v_from_bf16(VHalf h)
{
    return (V)(__builtin_convertvector(h, VBits) << 16);
}

/* As cg_bf16_from_f32. */
VINLINE VHalf v_to_bf16(V v)
{
    VBits u = (VBits)v;
    VBits rounded = u + 0x7fffu + ((u >> 16) & 1u);
    rounded = (VBits)v_select(v == v, (V)rounded, (V)(u | 0x400000u));
    return __builtin_convertvector(rounded >> 16, VHalf);
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
    float f[VW];
    memcpy(f, &v, sizeof f);
    for (int half = VW / 2; half; half /= 2)
        for (int i = 0; i < half; i++)
            f[i] += f[i + half];
    return f[0];
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

/* e^x, within 1 ulp or two. x = n ln 2 + r, |r| <= ln 2 / 2; e^r by a polynomial (minimax of
 * relative error, 3e-9). Overflow gives infinity, underflow goes through the subnormals to 0. */
VINLINE V v_exp(V x)
{
    x = v_max(v_set(-105.0f), v_min(v_set(90.0f), x));
#if VW == 16
    V n = (V)_mm512_roundscale_ps((__m512)(x * 1.44269504f), 8);
#else
    const V shift = v_set(0x1.8p23f); /* after adding it, the last bit weighs 1 */
    V shifted = x * 1.44269504f + shift;
    V n = shifted - shift;
#endif
    V r = x - n * 0x1.62e4p-1f; /* ln 2 in two parts; the first has few bits: n * it is exact */
    r = r - n * 0x1.7f7d1cp-20f;
    V p = v_set(1.3814461521e-3f);
    p = p * r + 8.3687807813e-3f;
    p = p * r + 4.1668394324e-2f;
    p = p * r + 1.6666520103e-1f;
    p = p * r + 4.9999993412e-1f;
    p = (r * r) * p + r + 1.0f;
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

VINLINE V v_sigmoid_times(V x, float steepness)
{
    return x / (v_exp(x * -steepness) + 1.0f);
}

/* x Phi(x). Phi(x) - 1/2 = x P(x^2) / Q(x^2), fitted for |x| <= 5.5 to a relative error of 2e-8;
 * beyond, Phi is 0 or 1 to the last bit. */
VINLINE V v_gelu(V x)
{
    V c = v_max(v_set(-5.5f), v_min(v_set(5.5f), x));
    V s = c * c;
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
    V h = v_max(v_set(-0.5f), c * p / q);
    h = v_select(x < -5.5f, v_set(-0.5f), h); /* else x times the last bit would remain */
    return x * h + x * 0.5f;
}

#endif
