/* attention-exp2: 2^f for |f| <= 1/2 by minimax polynomials in the including file's vec_fma and
 * vec_set1.
 *
 * Fitted for the relative error of 2^f, coefficients rounded to f32: degree 6 errs by 1.9e-9 (the
 * rest is rounding, under 1 ulp in all), degree 3 by 7.5e-5, a thirtieth of what rounding to bf16
 * costs.
 */
#ifndef CG_ENGINE_CPU_ATTENTION_EXP2_H
#define CG_ENGINE_CPU_ATTENTION_EXP2_H

static inline Vec exp2_poly6(Vec f)
{
    Vec p = vec_fma(vec_set1(0x1.41d334p-13f), f, vec_set1(0x1.5f456ap-10f));
    p = vec_fma(p, f, vec_set1(0x1.3b2dbcp-7f));
    p = vec_fma(p, f, vec_set1(0x1.c6aed4p-5f));
    p = vec_fma(p, f, vec_set1(0x1.ebfbdap-3f));
    p = vec_fma(p, f, vec_set1(0x1.62e430p-1f));
    return vec_fma(p, f, vec_set1(1.0f));
}

static inline Vec exp2_poly3(Vec f)
{
    Vec p = vec_fma(vec_set1(0x1.c3f760p-5f), f, vec_set1(0x1.f0de1ap-3f));
    p = vec_fma(p, f, vec_set1(0x1.62f31ap-1f));
    return vec_fma(p, f, vec_set1(0x1.fff692p-1f));
}

#endif
