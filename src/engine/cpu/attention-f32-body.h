/* attention-f32-body: the f32 attention kernel, included once per instruction set.
 *
 * The lanes of a vector are queries: scores lie transposed as [key][query], so that the softmax is
 * vertical (no reduction over lanes), and neither keys nor head_dim need padding to the vector
 * length. bf16 tensors are converted when they are packed. The including file defines
 *
 *     Vec, LANES            vector of LANES floats
 *     TILE_V, TILE_R        register tile: TILE_V vectors of queries x TILE_R keys (or dims)
 *     vec_set1, vec_load, vec_store (aligned), vec_fma (a * b + c), vec_mul, vec_add, vec_sub,
 * vec_div vec_max(a, b)         b where either is NaN vec_exp2              2^t for t <= 0; 0 below
 * -126, NaN stays NaN vec_transpose         float [LANES][LANES], 64-byte aligned, in place
 *     PATH_NAME, PATH_AVAILABLE, PATH_SYMBOL
 */
#include "engine/cpu/attention-private.h"

#include <string.h>

/* An element of a tile is a float. */
typedef float Elem;
typedef Vec ElemVec;
#define elem_set1(x)     vec_set1(x)
#define elem_load(x)     vec_load(x)
#define vec_dot(a, b, c) vec_fma(a, b, c)
#include "engine/cpu/attention-tile.h"

#define PANELS  (BLOCK_Q / PANEL)
#define BLOCK_Q 64

/* One thread's scratch. */
typedef struct {
    float *q;   /* [PANELS][dim][PANEL] */
    float *o;   /* [PANELS][dim][PANEL], sums of p v */
    float *s;   /* [block_k][PANEL], scores, then p */
    float *max; /* [PANELS][PANEL], running maximum times scale_log2 */
    float *sum; /* [PANELS][PANEL] */
} Work;

static void path_plan(CgAttentionPlan *p)
{
    size_t d = (size_t)p->a->head_dim;
    p->dim = p->a->head_dim;
    /* Rows a power of two apart would meet in a few sets of the L1 cache. */
    p->row = p->dim % 32 == 0 ? p->dim + 16 : p->dim;
    p->block_q = BLOCK_Q;
    /* The scores of a block fill the L1 cache; with a long head_dim keys and values of a block
     * must leave room for q and o in L2. */
    p->block_k = d > 160 ? 64 : 128;
    p->kv_bytes = 2 * (size_t)p->a->tk * p->row * sizeof(float);
    p->work_bytes = (2 * BLOCK_Q * d + (size_t)p->block_k * PANEL + 2 * BLOCK_Q) * sizeof(float);
}

static Work work_split(const CgAttentionPlan *p, void *memory)
{
    Work w;
    w.q = memory;
    w.o = w.q + (size_t)BLOCK_Q * p->dim;
    w.s = w.o + (size_t)BLOCK_Q * p->dim;
    w.max = w.s + (size_t)p->block_k * PANEL;
    w.sum = w.max + BLOCK_Q;
    return w;
}

/* COUNT elements from INDEX of a tensor of the call's type. Callers with a constant COUNT get it
 * inlined to a few vector moves. */
static inline __attribute__((always_inline)) void to_f32(const void *src, CgDType dtype,
                                                         size_t index, float *dst, int count)
{
    if (dtype == CG_F32) {
        memcpy(dst, (const float *)src + index, (size_t)count * sizeof(float));
        return;
    }
    const uint16_t *h = (const uint16_t *)src + index;
    for (int i = 0; i < count; i++)
        dst[i] = cg_f32_from_bf16(h[i]);
}

static inline __attribute__((always_inline)) void from_f32(const float *src, void *dst,
                                                           CgDType dtype, size_t index, int count)
{
    if (dtype == CG_F32) {
        memcpy((float *)dst + index, src, (size_t)count * sizeof(float));
        return;
    }
    uint16_t *h = (uint16_t *)dst + index;
    for (int i = 0; i < count; i++)
        h[i] = cg_bf16_from_f32(src[i]);
}

/* Keys [tk][dim], then values [tk][dim]. */
static void path_pack(const CgAttentionPlan *p, int sample, int head, int key, void *kv)
{
    const CgAttention *a = p->a;
    float *k = kv, *v = k + (size_t)a->tk * p->row;
    int last = MIN(key + CG_ATTENTION_PACK, a->tk);
    for (int t = key; t < last; t++) {
        to_f32(a->k, a->dtype, cg_attention_offset(a, sample, a->tk, t, head, a->k_row),
               k + (size_t)t * p->row, p->dim);
        to_f32(a->v, a->dtype, cg_attention_offset(a, sample, a->tk, t, head, a->v_row),
               v + (size_t)t * p->row, p->dim);
    }
}

/* q transposed to [panel][dim][query]; queries past the end are zero. */
static void load_queries(const CgAttentionPlan *p, int sample, int head, int query, float *q)
{
    const CgAttention *a = p->a;
    const Vec sign = vec_set1(p->negate ? -1.0f : 1.0f);
    float tile[LANES][LANES] __attribute__((aligned(64)));
    for (int group = 0; group < BLOCK_Q / LANES; group++) {
        float *to = q + (size_t)(group / TILE_V) * p->dim * PANEL + group % TILE_V * LANES;
        int first = query + group * LANES;
        int rows = CLAMP(a->tq - first, 0, LANES);
        size_t from = cg_attention_offset(a, sample, a->tq, first, head, a->q_row);
        if (rows < LANES)
            memset(tile, 0, sizeof tile);
        for (int i0 = 0; i0 < p->dim; i0 += LANES) {
            int count = MIN(LANES, p->dim - i0);
            if (count == LANES) {
                for (int r = 0; r < rows; r++)
                    to_f32(a->q, a->dtype, from + r * a->q_row + i0, tile[r], LANES);
            } else {
                for (int r = 0; r < rows; r++)
                    to_f32(a->q, a->dtype, from + r * a->q_row + i0, tile[r], count);
            }
            vec_transpose(tile);
            for (int i = 0; i < count; i++)
                vec_store(to + (size_t)(i0 + i) * PANEL, vec_mul(vec_load(tile[i]), sign));
            if (rows < LANES)
                memset(tile, 0, sizeof tile);
        }
    }
}

/* y = o / sum, transposed back. */
static void store_outputs(const CgAttentionPlan *p, int sample, int head, int query, const Work *w)
{
    const CgAttention *a = p->a;
    float tile[LANES][LANES] __attribute__((aligned(64)));
    for (int group = 0; group < BLOCK_Q / LANES; group++) {
        int first = query + group * LANES;
        int rows = CLAMP(a->tq - first, 0, LANES);
        size_t to = cg_attention_offset(a, sample, a->tq, first, head, a->y_row);
        const float *from =
            w->o + (size_t)(group / TILE_V) * p->dim * PANEL + group % TILE_V * LANES;
        Vec norm = vec_div(vec_set1(1.0f), vec_load(w->sum + group * LANES));
        for (int i0 = 0; i0 < p->dim && rows > 0; i0 += LANES) {
            int count = MIN(LANES, p->dim - i0);
            for (int i = 0; i < LANES; i++)
                vec_store(tile[i], i < count
                                       ? vec_mul(vec_load(from + (size_t)(i0 + i) * PANEL), norm)
                                       : vec_set1(0.0f));
            vec_transpose(tile);
            if (count == LANES) {
                for (int r = 0; r < rows; r++)
                    from_f32(tile[r], a->y, a->dtype, to + r * a->y_row + i0, LANES);
            } else {
                for (int r = 0; r < rows; r++)
                    from_f32(tile[r], a->y, a->dtype, to + r * a->y_row + i0, count);
            }
        }
    }
}

/* s becomes p = 2^(s * scale - max); the new maximum and the sum of p are carried on, and FADE is
 * what older sums are worth under the new maximum. */
static void softmax_block(float *s, int keys, float scale, const float *top, float *max, float *sum,
                          float *fade)
{
    Vec c = vec_set1(scale);
    for (int x = 0; x < PANEL; x += LANES) {
        Vec old = vec_load(max + x);
        Vec m = vec_max(vec_mul(vec_load(top + x), c), old);
        Vec minus = vec_sub(vec_set1(0.0f), m);
        Vec f = vec_exp2(vec_sub(old, m));
        Vec total[2] = {vec_mul(vec_load(sum + x), f), vec_set1(0.0f)};
        float *row = s + x;
        int t = 0;
        for (; t + 2 <= keys; t += 2, row += 2 * PANEL) {
            Vec p0 = vec_exp2(vec_fma(vec_load(row), c, minus));
            Vec p1 = vec_exp2(vec_fma(vec_load(row + PANEL), c, minus));
            vec_store(row, p0);
            vec_store(row + PANEL, p1);
            total[0] = vec_add(total[0], p0);
            total[1] = vec_add(total[1], p1);
        }
        if (t < keys) {
            Vec p0 = vec_exp2(vec_fma(vec_load(row), c, minus));
            vec_store(row, p0);
            total[0] = vec_add(total[0], p0);
        }
        vec_store(max + x, m);
        vec_store(sum + x, vec_add(total[0], total[1]));
        vec_store(fade + x, f);
    }
}

static void panel_block(const CgAttentionPlan *p, const Work *w, int panel, const float *k,
                        const float *v, int keys, int key, int query)
{
    float top[PANEL] __attribute__((aligned(64)));
    float fade[PANEL] __attribute__((aligned(64)));
    int dim = p->dim;
    const float *q = w->q + (size_t)panel * dim * PANEL;
    float *o = w->o + (size_t)panel * dim * PANEL;

    for (int x = 0; x < PANEL; x += LANES)
        vec_store(top + x, vec_set1(-FLT_MAX));
    scores_block(q, k, p->row, dim, keys, w->s, top);
    if (p->a->causal && key + keys - 1 > query) {
        mask_causal(w->s, keys, key, query);
        find_top(w->s, keys, top);
    }
    softmax_block(w->s, keys, p->scale_log2, top, w->max + panel * PANEL, w->sum + panel * PANEL,
                  fade);
    values_block(w->s, v, p->row, keys, dim, fade, o);
}

static void path_run(const CgAttentionPlan *p, int sample, int head, int query, const void *kv,
                     void *work)
{
    const CgAttention *a = p->a;
    const float *k = kv, *v = k + (size_t)a->tk * p->row;
    Work w = work_split(p, work);
    int panels = MIN(PANELS, (a->tq - query + PANEL - 1) / PANEL);

    load_queries(p, sample, head, query, w.q);
    memset(w.o, 0, (size_t)BLOCK_Q * p->dim * sizeof(float));
    for (int i = 0; i < BLOCK_Q; i++) {
        w.max[i] = -FLT_MAX; /* not -inf: -inf - -inf would be NaN */
        w.sum[i] = 0;
    }
    int visible = a->causal ? MIN(a->tk, query + BLOCK_Q) : a->tk;
    for (int key = 0; key < visible; key += p->block_k) {
        int keys = MIN(p->block_k, visible - key);
        for (int panel = 0; panel < panels; panel++)
            panel_block(p, &w, panel, k + (size_t)key * p->row, v + (size_t)key * p->row, keys, key,
                        query + panel * PANEL);
    }
    store_outputs(p, sample, head, query, &w);
    cg_attention_store_lse(a, sample, head, query, BLOCK_Q, w.max, w.sum);
}

#include "engine/cpu/attention-backward-body.h"

static gboolean path_available(const CgCpuFeatures *cpu)
{
    return PATH_AVAILABLE;
}

const CgAttentionPath PATH_SYMBOL = {
    .name = PATH_NAME,
    .dtypes = 1u << CG_F32 | 1u << CG_BF16,
    .available = path_available,
    .plan = path_plan,
    .pack = path_pack,
    .run = path_run,
    .backward_plan = backward_plan,
    .backward_pack_queries = backward_pack_queries,
    .backward_pack_keys = backward_pack_keys,
    .backward_run = backward_run,
    .backward_finish = backward_finish,
};
