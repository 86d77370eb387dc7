/* The bf16 attention kernel in AMX tiles; softmax, queries and outputs as in the AVX-512 one.
 *
 * Both products have 64 queries as columns: scores = K q with tiles of 16 keys x 32 dims, and
 * o = V^T p with tiles of 16 dims x 32 keys. Keys and values are packed as such tiles, 1 KiB each,
 * padded with zeros.
 *
 * Tested under emulation (amx_tiles.h) only: its figures are the tests', its speed is not
 * measured.
 */
#include "base/size.h"
#include "engine/cpu/amx_tiles.h"
#include "engine/cpu/attention-bf16.h"

#define TILE 512 /* elements of a tile of bf16 */

#ifdef CG_AMX_EMULATED
#define PATH_NAME      "amx-emulated"
#define PATH_SYMBOL    cg_attention_amx_emulated
#define PATH_AVAILABLE (cpu->avx512_bf16)
extern const CgAttentionPath cg_attention_amx_emulated;
#else
#define PATH_NAME      "amx"
#define PATH_SYMBOL    cg_attention_amx
#define PATH_AVAILABLE (cpu->amx_bf16 && cpu->avx512_bf16)
#endif

/* Keys padded to whole tiles, dims of V^T likewise (p->dim is the padding of q and K). */
static size_t padded_keys(const CgAttentionPlan *p)
{
    return cg_size_align((size_t)p->a->tk, 32);
}

static size_t padded_values(const CgAttentionPlan *p)
{
    return cg_size_align((size_t)p->a->head_dim, 16);
}

static void path_plan(CgAttentionPlan *p)
{
    p->dim = (int)cg_size_align((size_t)p->a->head_dim, 32);
    p->row = 32;
    p->block_q = PANEL;
    /* Long, for loading and storing o costs as much as two steps of 32 keys; the block's scores
     * and weights are 96 KiB then, beside q, o and the tiles in a 2 MiB L2. */
    p->block_k = p->dim > 160 ? 128 : 256;
    p->kv_bytes = padded_keys(p) * (p->dim + padded_values(p)) * sizeof(uint16_t);
    p->work_bytes = work_size(p);
}

/* Tiles of keys: [key / 16][dim / 32][16][32]. */
static uint16_t *key_tile(const CgAttentionPlan *p, const void *kv, int key)
{
    return (uint16_t *)kv + (size_t)key * p->dim;
}

/* Tiles of values: [key / 32][dim / 16][16 dims][32 keys]. */
static uint16_t *value_tile(const CgAttentionPlan *p, const void *kv, int key)
{
    return (uint16_t *)kv + padded_keys(p) * p->dim + (size_t)key * padded_values(p);
}

static void pack_key(const CgAttentionPlan *p, int sample, int head, int t, void *kv)
{
    const CgAttention *a = p->a;
    uint16_t *to = key_tile(p, kv, t & ~15) + t % 16 * 32;
    const uint16_t *k =
        (const uint16_t *)a->k + cg_attention_offset(a, sample, a->tk, t, head, a->k_row);
    for (int i = 0; i < p->dim; i += 32, to += TILE)
        _mm512_storeu_si512(to, load_bf16(k + i, t < a->tk ? a->head_dim - i : 0));
}

/* Values T .. T + 31 of dims I .. I + 15, transposed. */
static void pack_value_tile(const CgAttentionPlan *p, const uint16_t *v, int t, int i, uint16_t *to)
{
    const CgAttention *a = p->a;
    __mmask16 mask = (__mmask16)((1u << MIN(16, a->head_dim - i)) - 1);
    __m512i r[16];
    for (int j = 0; j < 16; j++) {
        const uint16_t *from = v + (size_t)(2 * j) * a->v_row + i;
        __m512i low = _mm512_setzero_si512(), high = low;
        if (t + 2 * j < a->tk)
            low = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(mask, from));
        if (t + 2 * j + 1 < a->tk)
            high = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(mask, from + a->v_row));
        r[j] = _mm512_or_si512(low, _mm512_slli_epi32(high, 16));
    }
    transpose_16x16(r);
    for (int j = 0; j < 16; j++)
        _mm512_storeu_si512(to + j * 32, r[j]);
}

static void path_pack(const CgAttentionPlan *p, int sample, int head, int key, void *kv)
{
    const CgAttention *a = p->a;
    int last = MIN(key + CG_ATTENTION_PACK, (int)padded_keys(p));
    for (int t = key; t < last; t++)
        pack_key(p, sample, head, t, kv);
    for (int t = key; t < last; t += 32) {
        const uint16_t *v =
            (const uint16_t *)a->v + cg_attention_offset(a, sample, a->tk, t, head, a->v_row);
        uint16_t *to = value_tile(p, kv, t);
        for (int i = 0; i < a->head_dim; i += 16, to += TILE)
            pack_value_tile(p, v, t, i, to);
    }
}

/* C [32][32 queries] (+)= A B over STEPS pairs of tiles: A two rows of tiles, NEXT elements from
 * one to the next and BELOW to the second row; B [16 STEPS][PANEL] pairs. */
static void product_2x2(const uint16_t *a, size_t next, size_t below, const Elem *b, int steps,
                        float *c, gboolean add)
{
    const size_t row = PANEL * sizeof(float);
    if (add) {
        amx_load(0, c, row);
        amx_load(1, c + 16, row);
        amx_load(2, c + 16 * PANEL, row);
        amx_load(3, c + 16 * PANEL + 16, row);
    } else {
        amx_zero(0);
        amx_zero(1);
        amx_zero(2);
        amx_zero(3);
    }
    for (int i = 0; i < steps; i++, a += next, b += 16 * PANEL) {
        amx_load(6, b, row);
        amx_load(4, a, 64);
        amx_load(7, b + 16, row);
        amx_dot(0, 4, 6);
        amx_load(5, a + below, 64);
        amx_dot(1, 4, 7);
        amx_dot(2, 5, 6);
        amx_dot(3, 5, 7);
    }
    amx_store(0, c, row);
    amx_store(1, c + 16, row);
    amx_store(2, c + 16 * PANEL, row);
    amx_store(3, c + 16 * PANEL + 16, row);
}

/* The same for one row of tiles, added to C [16][32 queries]: the last dims of o. */
static void product_1x2(const uint16_t *a, size_t next, const Elem *b, int steps, float *c)
{
    const size_t row = PANEL * sizeof(float);
    amx_load(0, c, row);
    amx_load(1, c + 16, row);
    for (int i = 0; i < steps; i++, a += next, b += 16 * PANEL) {
        amx_load(4, a, 64);
        amx_load(6, b, row);
        amx_load(7, b + 16, row);
        amx_dot(0, 4, 6);
        amx_dot(1, 4, 7);
    }
    amx_store(0, c, row);
    amx_store(1, c + 16, row);
}

static void scores(const CgAttentionPlan *p, const void *kv, int key, int padded, const Work *w)
{
    for (int t = 0; t < padded; t += 32) {
        const uint16_t *k = key_tile(p, kv, key + t);
        for (int x = 0; x < PANEL; x += 32)
            product_2x2(k, TILE, (size_t)16 * p->dim, w->q + x, p->dim / 32,
                        w->s + (size_t)t * PANEL + x, FALSE);
    }
}

static void values(const CgAttentionPlan *p, const void *kv, int key, int padded, const Work *w)
{
    size_t next = 32 * padded_values(p);
    int dims = (int)padded_values(p), i = 0;
    for (; i + 32 <= dims; i += 32) {
        for (int x = 0; x < PANEL; x += 32)
            product_2x2(value_tile(p, kv, key) + (size_t)i * 32, next, TILE, w->p + x, padded / 32,
                        w->o + (size_t)i * PANEL + x, TRUE);
    }
    for (int x = 0; i < dims && x < PANEL; x += 32)
        product_1x2(value_tile(p, kv, key) + (size_t)i * 32, next, w->p + x, padded / 32,
                    w->o + (size_t)i * PANEL + x);
}

static void rescale(const CgAttentionPlan *p, const float *fade, float *o)
{
    for (int x = 0; x < PANEL; x += LANES) {
        Vec f = vec_load(fade + x);
        for (int i = 0; i < p->a->head_dim; i++)
            vec_store(o + (size_t)i * PANEL + x, vec_mul(vec_load(o + (size_t)i * PANEL + x), f));
    }
}

static void path_run(const CgAttentionPlan *p, int sample, int head, int query, const void *kv,
                     void *work)
{
    float top[PANEL] __attribute__((aligned(64)));
    float fade[PANEL] __attribute__((aligned(64)));
    const CgAttention *a = p->a;
    Work w = work_split(p, work);

    load_queries(p, sample, head, query, w.q);
    start(p, &w);
    amx_begin();
    int visible = a->causal ? MIN(a->tk, query + PANEL) : a->tk;
    for (int key = 0; key < visible; key += p->block_k) {
        int keys = MIN(p->block_k, visible - key);
        int padded = (keys + 31) & ~31;
        scores(p, kv, key, padded, &w);
        if (a->causal && key + keys - 1 > query)
            mask_causal(w.s, keys, key, query);
        find_top(w.s, keys, top);
        if (softmax_block(p, &w, keys, padded, top, fade))
            rescale(p, fade, w.o);
        values(p, kv, key, padded, &w);
    }
    amx_end();
    store_outputs(p, sample, head, query, &w);
    cg_attention_store_lse(a, sample, head, query, PANEL, w.max, w.sum);
}

static gboolean path_available(const CgCpuFeatures *cpu)
{
    return PATH_AVAILABLE;
}

const CgAttentionPath PATH_SYMBOL = {
    .name = PATH_NAME,
    .dtypes = 1u << CG_BF16,
    .available = path_available,
    .plan = path_plan,
    .pack = path_pack,
    .run = path_run,
};
