#include "tensor/dtype.h"

#include <stdint.h>

#define BLOCK 16384 /* elements converted by one thread at a time */

size_t cg_dtype_size(CgDType dtype)
{
    static const size_t sizes[CG_DTYPE_COUNT] = {4, 2, 2, 4, 8, 1};
    g_assert(dtype >= 0 && dtype < CG_DTYPE_COUNT);
    return sizes[dtype];
}

const char *cg_dtype_name(CgDType dtype)
{
    static const char *const names[CG_DTYPE_COUNT] = {"f32", "bf16", "f16", "i32", "i64", "u8"};
    g_assert(dtype >= 0 && dtype < CG_DTYPE_COUNT);
    return names[dtype];
}

gboolean cg_dtype_parse_compute(const char *text, CgDType *dtype)
{
    if (g_str_equal(text, "f32"))
        *dtype = CG_F32;
    else if (g_str_equal(text, "bf16"))
        *dtype = CG_BF16;
    else
        return FALSE;
    return TRUE;
}

gboolean cg_dtype_parse_weights(const char *text, CgDType *dtype)
{
    if (cg_dtype_parse_compute(text, dtype))
        return TRUE;
    if (!g_str_equal(text, "f16"))
        return FALSE;
    *dtype = CG_F16;
    return TRUE;
}

static inline float as_float(uint32_t u)
{
    float f;
    memcpy(&f, &u, 4);
    return f;
}

static inline uint32_t as_bits(float f)
{
    uint32_t u;
    memcpy(&u, &f, 4);
    return u;
}

/* Both halves are free of branches, so that compilers make vector code of the loops below. */
static inline float half_to_float(uint16_t h)
{
    uint32_t sign = (uint32_t)(h & 0x8000u) << 16;
    uint32_t body = (uint32_t)(h & 0x7fffu) << 13; /* exponent still has the half's bias */
    /* Zero and subnormal: 2^-14 * 0.m = 2^-14 * (1 + 0.m) - 2^-14, exact in float. */
    uint32_t small = as_bits(as_float(body + (113u << 23)) - as_float(113u << 23));
    uint32_t normal = body + (112u << 23);
    uint32_t special = body | (255u << 23);
    uint32_t nan = body > (31u << 23) ? 1u << 22 : 0; /* quiet, as the hardware does */
    uint32_t r = body < (1u << 23) ? small : normal;
    r = body >= (31u << 23) ? special | nan : r;
    return as_float(sign | r);
}

static inline uint16_t float_to_half(float f)
{
    uint32_t u = as_bits(f);
    uint32_t sign = (u >> 16) & 0x8000u;
    uint32_t body = u & 0x7fffffffu;
    /* Normal result: rebias, round to nearest even on bit 13; overflow carries to infinity. */
    uint32_t normal = (body - (112u << 23) + 0xfffu + ((body >> 13) & 1u)) >> 13;
    /* Below 2^-14: adding 0.5 makes the float unit round at 2^-24, the subnormal step. */
    uint32_t small = as_bits(as_float(body < (113u << 23) ? body : 0) + 0.5f) - as_bits(0.5f);
    uint32_t nan = 0x7e00u | ((u >> 13) & 0x3ffu);
    uint32_t r = body < (113u << 23) ? small : normal;
    r = body >= 0x477ff000u ? 0x7c00u : r; /* 65520 and up, which rounds to infinity */
    r = body > 0x7f800000u ? nan : r;
    return (uint16_t)(sign | r);
}

float cg_f32_from_f16(uint16_t h)
{
    return half_to_float(h);
}

uint16_t cg_f16_from_f32(float f)
{
    return float_to_half(f);
}

/* Elements in a file start at any byte. */
typedef uint16_t Unaligned16 __attribute__((aligned(1), may_alias));
typedef float UnalignedF32 __attribute__((aligned(1), may_alias));

#define CONVERT_LOOP(name, From, To, expression)                                                   \
    static void name(const void *src, void *dst, size_t n)                                         \
    {                                                                                              \
        const From *restrict s = src;                                                              \
        To *restrict d = dst;                                                                      \
        _Pragma("omp simd") for (size_t i = 0; i < n; i++) d[i] = expression;                      \
    }

CONVERT_LOOP(bf16_from_f32, UnalignedF32, Unaligned16, cg_bf16_from_f32(s[i]))
CONVERT_LOOP(f16_from_f32, UnalignedF32, Unaligned16, float_to_half(s[i]))
CONVERT_LOOP(f32_from_bf16, Unaligned16, UnalignedF32, cg_f32_from_bf16(s[i]))
CONVERT_LOOP(f32_from_f16, Unaligned16, UnalignedF32, half_to_float(s[i]))
CONVERT_LOOP(bf16_from_f16, Unaligned16, Unaligned16, cg_bf16_from_f32(half_to_float(s[i])))
CONVERT_LOOP(f16_from_bf16, Unaligned16, Unaligned16, float_to_half(cg_f32_from_bf16(s[i])))

static void copy16(const void *src, void *dst, size_t n)
{
    memcpy(dst, src, n * 2);
}

static void copy32(const void *src, void *dst, size_t n)
{
    memcpy(dst, src, n * 4);
}

void cg_dtype_convert(const void *src, CgDType from, void *dst, CgDType to, size_t count)
{
    typedef void (*Convert)(const void *src, void *dst, size_t n);
    static const Convert table[3][3] = {
        [CG_F32] = {[CG_F32] = copy32, [CG_BF16] = bf16_from_f32, [CG_F16] = f16_from_f32},
        [CG_BF16] = {[CG_F32] = f32_from_bf16, [CG_BF16] = copy16, [CG_F16] = f16_from_bf16},
        [CG_F16] = {[CG_F32] = f32_from_f16, [CG_BF16] = bf16_from_f16, [CG_F16] = copy16},
    };
    g_assert(from <= CG_F16 && to <= CG_F16);
    const Convert convert = table[from][to];
    const size_t from_size = cg_dtype_size(from), to_size = cg_dtype_size(to);
    const size_t blocks = count / BLOCK + (count % BLOCK != 0);

#pragma omp parallel for schedule(static) if (blocks > 4)
    for (size_t b = 0; b < blocks; b++) {
        size_t first = b * BLOCK;
        convert((const char *)src + first * from_size, (char *)dst + first * to_size,
                MIN((size_t)BLOCK, count - first));
    }
}
