/* attention-bf16: what the AVX-512 bf16 and the AMX path share. Include it in files compiled for
 * avx512bf16 only.
 *
 * As in the f32 kernel the lanes are queries. Pairs of bf16 that are multiplied and added at once
 * lie in 32 bits: dims 2i, 2i+1 of q and k, keys 2t, 2t+1 of p and v. Scores, sums and outputs are
 * f32; the weights p are rounded to bf16 for their product with v, as is usual.
 */
#ifndef CG_ENGINE_CPU_ATTENTION_BF16_H
#define CG_ENGINE_CPU_ATTENTION_BF16_H

#include "engine/cpu/attention-private.h"
#include "engine/cpu/transpose-avx512.h"

#include <immintrin.h>

typedef __m512 Vec;

#define LANES            16
#define TILE_V           4
#define TILE_R           6
#define vec_set1(x)      _mm512_set1_ps(x)
#define vec_load(x)      _mm512_load_ps(x)
#define vec_store(x, v)  _mm512_store_ps(x, v)
#define vec_fma(a, b, c) _mm512_fmadd_ps(a, b, c)
#define vec_mul(a, b)    _mm512_mul_ps(a, b)
#define vec_max(a, b)    _mm512_max_ps(a, b)

/* A pair of bf16. */
typedef uint32_t Elem;
typedef __m512i ElemVec;
#define elem_set1(x)     _mm512_set1_epi32((int)(x))
#define elem_load(x)     _mm512_load_si512(x)
#define vec_dot(a, b, c) _mm512_dpbf16_ps(c, (__m512bh)(a), (__m512bh)(b))

#include "engine/cpu/attention-exp2.h"
#include "engine/cpu/attention-tile.h"

/* A maximum may lag behind by this much (in powers of two) before sums are rescaled: weights up to
 * 256 are as exact as weights up to 1. */
#define LAG 8.0f

/* One thread's scratch. */
typedef struct {
    Elem *q;    /* [dim / 2][PANEL] */
    float *o;   /* [dim][PANEL], sums of p v */
    float *s;   /* [block_k][PANEL], scores */
    Elem *p;    /* [block_k / 2][PANEL], weights */
    float *max; /* [PANEL], reference maximum times scale_log2 */
    float *sum; /* [PANEL] */
} Work;

/* p->dim and p->block_k are set; both even. */
static inline size_t work_size(const CgAttentionPlan *p)
{
    return ((size_t)p->dim / 2 + p->dim + p->block_k + p->block_k / 2 + 2) * PANEL * sizeof(float);
}

static inline Work work_split(const CgAttentionPlan *p, void *memory)
{
    Work w;
    w.q = memory;
    w.o = (float *)(w.q + (size_t)p->dim / 2 * PANEL);
    w.s = w.o + (size_t)p->dim * PANEL;
    w.p = (Elem *)(w.s + (size_t)p->block_k * PANEL);
    w.max = (float *)(w.p + (size_t)p->block_k / 2 * PANEL);
    w.sum = w.max + PANEL;
    return w;
}

/* 2^t, good to 7.5e-5; 0 below -126, NaN stays NaN. */
static inline Vec exp2_bf16(Vec t)
{
    Vec n = _mm512_roundscale_ps(t, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    Vec p = exp2_poly3(_mm512_sub_ps(t, n));
    __mmask16 keep = _mm512_cmp_ps_mask(t, vec_set1(-126.0f), _CMP_NLT_UQ);
    return _mm512_maskz_scalef_ps(keep, p, n);
}

/* COUNT (0..32) bf16 from X, the rest zero. */
static inline __m512i load_bf16(const uint16_t *x, int count)
{
    __mmask32 mask = count >= 32 ? 0xffffffffu : (1u << MAX(count, 0)) - 1;
    return _mm512_maskz_loadu_epi16(mask, x);
}

/* q transposed to [dim / 2][query] pairs; dims and queries past the end are zero. */
static inline void load_queries(const CgAttentionPlan *p, int sample, int head, int query, Elem *q)
{
    const CgAttention *a = p->a;
    const __m512i sign = _mm512_set1_epi32(p->negate ? (int)0x80008000u : 0);
    for (int x = 0; x < PANEL; x += LANES) {
        int rows = CLAMP(a->tq - query - x, 0, LANES);
        const uint16_t *from = (const uint16_t *)a->q +
                               cg_attention_offset(a, sample, a->tq, query + x, head, a->q_row);
        for (int i0 = 0; i0 < p->dim; i0 += 32) {
            __m512i r[16];
            for (int i = 0; i < 16; i++)
                r[i] = i < rows ? load_bf16(from + i * a->q_row + i0, a->head_dim - i0)
                                : _mm512_setzero_si512();
            transpose_16x16(r);
            int pairs = MIN(16, (p->dim - i0) / 2);
            for (int i = 0; i < pairs; i++)
                _mm512_store_si512(q + ((size_t)i0 / 2 + i) * PANEL + x,
                                   _mm512_xor_si512(r[i], sign));
        }
    }
}

/* y = o / sum, rounded and transposed back. */
static inline void store_outputs(const CgAttentionPlan *p, int sample, int head, int query,
                                 const Work *w)
{
    const CgAttention *a = p->a;
    for (int x = 0; x < PANEL && query + x < a->tq; x += LANES) {
        int rows = MIN(a->tq - query - x, LANES);
        uint16_t *to =
            (uint16_t *)a->y + cg_attention_offset(a, sample, a->tq, query + x, head, a->y_row);
        Vec norm = _mm512_div_ps(vec_set1(1.0f), vec_load(w->sum + x));
        for (int i0 = 0; i0 < a->head_dim; i0 += 16) {
            int count = MIN(16, a->head_dim - i0);
            __mmask16 mask = (__mmask16)((1u << count) - 1);
            __m512i r[16];
            for (int i = 0; i < 16; i++)
                r[i] = i < count ? _mm512_castps_si512(
                                       vec_mul(vec_load(w->o + (size_t)(i0 + i) * PANEL + x), norm))
                                 : _mm512_setzero_si512();
            transpose_16x16(r);
            for (int i = 0; i < rows; i++)
                _mm256_mask_storeu_epi16(to + i * a->y_row + i0, mask,
                                         (__m256i)_mm512_cvtneps_pbh(_mm512_castsi512_ps(r[i])));
        }
    }
}

static inline void start(const CgAttentionPlan *p, const Work *w)
{
    for (size_t i = 0; i < (size_t)p->dim * PANEL; i += LANES)
        vec_store(w->o + i, vec_set1(0.0f));
    for (int x = 0; x < PANEL; x += LANES) {
        vec_store(w->max + x, vec_set1(-FLT_MAX)); /* not -inf: -inf - -inf would be NaN */
        vec_store(w->sum + x, vec_set1(0.0f));
    }
}

/* p = 2^(s * scale - max) of KEYS keys as pairs, zero up to PADDED (even) keys; maximum and sum are
 * carried on. FADE is what older sums are worth now; returns whether any changed. */
static inline gboolean softmax_block(const CgAttentionPlan *plan, const Work *w, int keys,
                                     int padded, const float *top, float *fade)
{
    /* _mm512_cvtne2ps_pbh gives the sixteen of key 2t, then those of 2t + 1: interleave them. */
    const __m512i order =
        _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22, 6,
                         21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
    const Vec c = vec_set1(plan->scale_log2);
    gboolean changed = FALSE;
    for (int x = 0; x < PANEL; x += LANES) {
        Vec old = vec_load(w->max + x);
        Vec new = vec_mul(vec_load(top + x), c);
        __mmask16 rise = _mm512_cmp_ps_mask(new, _mm512_add_ps(old, vec_set1(LAG)), _CMP_NLE_UQ);
        Vec m = _mm512_mask_mov_ps(old, rise, new);
        Vec minus = _mm512_sub_ps(vec_set1(0.0f), m);
        Vec f = exp2_bf16(_mm512_sub_ps(old, m));
        /* Exactly one where the maximum stands. */
        f = _mm512_mask_mov_ps(vec_set1(1.0f), rise, f);
        changed |= rise != 0;
        Vec total0 = vec_mul(vec_load(w->sum + x), f), total1 = vec_set1(0.0f);
        const float *s = w->s + x;
        Elem *p = w->p + x;
        for (int t = 0; t < padded; t += 2, s += 2 * PANEL, p += PANEL) {
            Vec p0 = vec_set1(0.0f), p1 = vec_set1(0.0f);
            if (t < keys)
                p0 = exp2_bf16(vec_fma(vec_load(s), c, minus));
            if (t + 1 < keys)
                p1 = exp2_bf16(vec_fma(vec_load(s + PANEL), c, minus));
            total0 = _mm512_add_ps(total0, p0);
            total1 = _mm512_add_ps(total1, p1);
            __m512i both = (__m512i)_mm512_cvtne2ps_pbh(p1, p0);
            _mm512_store_si512(p, _mm512_permutexvar_epi16(order, both));
        }
        vec_store(w->max + x, m);
        vec_store(w->sum + x, _mm512_add_ps(total0, total1));
        vec_store(fade + x, f);
    }
    return changed;
}

#endif
