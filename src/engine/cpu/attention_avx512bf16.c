/* The bf16 attention kernel with vdpbf16ps: tiles of 6 keys (or dims) x 64 queries in registers. */
#include "engine/cpu/attention-bf16.h"

static void path_plan(CgAttentionPlan *p)
{
    const CgAttention *a = p->a;
    p->dim = (a->head_dim + 1) & ~1;
    p->block_q = PANEL;
    p->block_k = p->dim > 160 ? 64 : 128;
    /* Keys: dim / 2 pairs a row. Values: dim pairs a row, a row for two keys. Rows a power of two
     * apart would meet in a few sets of the L1 cache. */
    p->row = p->dim % 64 == 0 ? p->dim + 32 : p->dim;
    p->kv_bytes = ((size_t)a->tk + 1) * p->row * 2 * sizeof(uint16_t);
    p->work_bytes = work_size(p);
}

static Elem *values_of(const CgAttentionPlan *p, const void *kv)
{
    return (Elem *)kv + (size_t)p->a->tk * (p->row / 2);
}

/* Keys [tk][row / 2], then values [(tk + 1) / 2][row], of pairs. */
static void path_pack(const CgAttentionPlan *p, int sample, int head, int key, void *kv)
{
    const CgAttention *a = p->a;
    int last = MIN(key + CG_ATTENTION_PACK, a->tk);
    for (int t = key; t < last; t++) {
        const uint16_t *k =
            (const uint16_t *)a->k + cg_attention_offset(a, sample, a->tk, t, head, a->k_row);
        uint16_t *to = (uint16_t *)kv + (size_t)t * p->row;
        for (int i = 0; i < p->dim; i += 32) {
            __mmask32 mask = p->dim - i >= 32 ? 0xffffffffu : (1u << (p->dim - i)) - 1;
            _mm512_mask_storeu_epi16(to + i, mask, load_bf16(k + i, a->head_dim - i));
        }
    }
    for (int t = key; t < last; t += 2) {
        const uint16_t *v =
            (const uint16_t *)a->v + cg_attention_offset(a, sample, a->tk, t, head, a->v_row);
        Elem *to = values_of(p, kv) + (size_t)(t / 2) * p->row;
        for (int i = 0; i < p->dim; i += 16) {
            int count = MIN(16, a->head_dim - i);
            __mmask16 mask = (__mmask16)((1u << MAX(count, 0)) - 1);
            __mmask16 wide = (__mmask16)((1u << MIN(16, p->dim - i)) - 1);
            __m512i low = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(mask, v + i));
            __m512i high = _mm512_setzero_si512();
            if (t + 1 < last)
                high = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(mask, v + a->v_row + i));
            _mm512_mask_storeu_epi32(to + i, wide,
                                     _mm512_or_si512(low, _mm512_slli_epi32(high, 16)));
        }
    }
}

static void path_run(const CgAttentionPlan *p, int sample, int head, int query, const void *kv,
                     void *work)
{
    float top[PANEL] __attribute__((aligned(64)));
    float fade[PANEL] __attribute__((aligned(64)));
    const CgAttention *a = p->a;
    const Elem *values = values_of(p, kv);
    Work w = work_split(p, work);

    load_queries(p, sample, head, query, w.q);
    start(p, &w);
    int visible = a->causal ? MIN(a->tk, query + PANEL) : a->tk;
    for (int key = 0; key < visible; key += p->block_k) {
        int keys = MIN(p->block_k, visible - key);
        const Elem *k = (const Elem *)kv + (size_t)key * (p->row / 2);
        for (int x = 0; x < PANEL; x += LANES)
            vec_store(top + x, vec_set1(-FLT_MAX));
        scores_block(w.q, k, p->row / 2, p->dim / 2, keys, w.s, top);
        if (a->causal && key + keys - 1 > query) {
            mask_causal(w.s, keys, key, query);
            find_top(w.s, keys, top);
        }
        int padded = (keys + 1) & ~1;
        softmax_block(p, &w, keys, padded, top, fade);
        values_block(w.p, values + (size_t)(key / 2) * p->row, p->row, padded / 2, a->head_dim,
                     fade, w.o);
    }
    store_outputs(p, sample, head, query, &w);
    cg_attention_store_lse(a, sample, head, query, PANEL, w.max, w.sum);
}

static gboolean path_available(const CgCpuFeatures *cpu)
{
    return cpu->avx512_bf16;
}

const CgAttentionPath cg_attention_avx512bf16 = {
    .name = "avx512bf16",
    .dtypes = 1u << CG_BF16,
    .available = path_available,
    .plan = path_plan,
    .pack = path_pack,
    .run = path_run,
};
