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

#include <float.h>
#include <math.h>
#include <string.h>

#define PANEL   (LANES * TILE_V) /* queries that share a tile */
#define PANELS  (BLOCK_Q / PANEL)
#define BLOCK_Q 64

#ifdef __clang__
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

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
    p->block_q = BLOCK_Q;
    /* The scores of a block fill the L1 cache; with a long head_dim keys and values of a block
     * must leave room for q and o in L2. */
    p->block_k = d > 160 ? 64 : 128;
    p->kv_bytes = 2 * (size_t)p->a->tk * d * sizeof(float);
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

/* COUNT elements from INDEX of a tensor of the call's type. */
static void to_f32(const void *src, CgDType dtype, size_t index, float *dst, int count)
{
    if (dtype == CG_F32) {
        memcpy(dst, (const float *)src + index, (size_t)count * sizeof(float));
        return;
    }
    const uint16_t *h = (const uint16_t *)src + index;
    for (int i = 0; i < count; i++)
        dst[i] = cg_f32_from_bf16(h[i]);
}

static void from_f32(const float *src, void *dst, CgDType dtype, size_t index, int count)
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
    float *k = kv, *v = k + (size_t)a->tk * p->dim;
    int last = MIN(key + CG_ATTENTION_PACK, a->tk);
    for (int t = key; t < last; t++) {
        to_f32(a->k, a->dtype, cg_attention_offset(a, sample, a->tk, t, head, a->k_row),
               k + (size_t)t * p->dim, p->dim);
        to_f32(a->v, a->dtype, cg_attention_offset(a, sample, a->tk, t, head, a->v_row),
               v + (size_t)t * p->dim, p->dim);
    }
}

/* q transposed to [panel][dim][query]; queries past the end are zero. */
static void load_queries(const CgAttentionPlan *p, int sample, int head, int query, float *q)
{
    const CgAttention *a = p->a;
    float tile[LANES][LANES] __attribute__((aligned(64)));
    for (int group = 0; group < BLOCK_Q / LANES; group++) {
        float *to = q + (size_t)(group / TILE_V) * p->dim * PANEL + group % TILE_V * LANES;
        for (int i0 = 0; i0 < p->dim; i0 += LANES) {
            int count = MIN(LANES, p->dim - i0);
            memset(tile, 0, sizeof tile);
            for (int r = 0; r < LANES && query + group * LANES + r < a->tq; r++)
                to_f32(a->q, a->dtype,
                       cg_attention_offset(a, sample, a->tq, query + group * LANES + r, head,
                                           a->q_row) +
                           (size_t)i0,
                       tile[r], count);
            vec_transpose(tile);
            for (int i = 0; i < count; i++) {
                Vec x = vec_load(tile[i]);
                vec_store(to + (size_t)(i0 + i) * PANEL,
                          p->negate ? vec_mul(x, vec_set1(-1.0f)) : x);
            }
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
        const float *from =
            w->o + (size_t)(group / TILE_V) * p->dim * PANEL + group % TILE_V * LANES;
        Vec norm = vec_div(vec_set1(1.0f), vec_load(w->sum + group * LANES));
        for (int i0 = 0; i0 < p->dim && first < a->tq; i0 += LANES) {
            int count = MIN(LANES, p->dim - i0);
            for (int i = 0; i < LANES; i++)
                vec_store(tile[i], i < count
                                       ? vec_mul(vec_load(from + (size_t)(i0 + i) * PANEL), norm)
                                       : vec_set1(0.0f));
            vec_transpose(tile);
            for (int r = 0; r < LANES && first + r < a->tq; r++)
                from_f32(tile[r], a->y, a->dtype,
                         cg_attention_offset(a, sample, a->tq, first + r, head, a->y_row) +
                             (size_t)i0,
                         count);
        }
    }
}

/* s[j] = k[j] . q for R keys, and their maximum into TOP. */
static inline __attribute__((always_inline)) void scores_tile(const int rows, const float *q,
                                                              const float *k, int dim, float *s,
                                                              float *top)
{
    Vec acc[TILE_R][TILE_V];
    UNROLL
    for (int j = 0; j < rows; j++) {
        UNROLL
        for (int x = 0; x < TILE_V; x++)
            acc[j][x] = vec_set1(0.0f);
    }
    for (int i = 0; i < dim; i++) {
        Vec b[TILE_V];
        UNROLL
        for (int x = 0; x < TILE_V; x++)
            b[x] = vec_load(q + (size_t)i * PANEL + x * LANES);
        UNROLL
        for (int j = 0; j < rows; j++) {
            Vec e = vec_set1(k[(size_t)j * (size_t)dim + i]);
            UNROLL
            for (int x = 0; x < TILE_V; x++)
                acc[j][x] = vec_fma(e, b[x], acc[j][x]);
        }
    }
    UNROLL
    for (int x = 0; x < TILE_V; x++) {
        Vec m = vec_load(top + x * LANES);
        UNROLL
        for (int j = 0; j < rows; j++) {
            vec_store(s + j * PANEL + x * LANES, acc[j][x]);
            m = vec_max(acc[j][x], m);
        }
        vec_store(top + x * LANES, m);
    }
}

/* o[j] = o[j] * fade + sum over KEYS of v[key][j] p[key] for ROWS dims. */
static inline __attribute__((always_inline)) void values_tile(const int rows, const float *p,
                                                              const float *v, int dim, int keys,
                                                              const float *fade, float *o)
{
    Vec acc[TILE_R][TILE_V];
    UNROLL
    for (int j = 0; j < rows; j++) {
        UNROLL
        for (int x = 0; x < TILE_V; x++)
            acc[j][x] = vec_mul(vec_load(o + j * PANEL + x * LANES), vec_load(fade + x * LANES));
    }
    for (int t = 0; t < keys; t++) {
        Vec b[TILE_V];
        UNROLL
        for (int x = 0; x < TILE_V; x++)
            b[x] = vec_load(p + (size_t)t * PANEL + x * LANES);
        UNROLL
        for (int j = 0; j < rows; j++) {
            Vec e = vec_set1(v[(size_t)t * (size_t)dim + j]);
            UNROLL
            for (int x = 0; x < TILE_V; x++)
                acc[j][x] = vec_fma(e, b[x], acc[j][x]);
        }
    }
    UNROLL
    for (int j = 0; j < rows; j++) {
        UNROLL
        for (int x = 0; x < TILE_V; x++)
            vec_store(o + j * PANEL + x * LANES, acc[j][x]);
    }
}

static __attribute__((noinline)) void scores_full(const float *q, const float *k, int dim, float *s,
                                                  float *top)
{
    scores_tile(TILE_R, q, k, dim, s, top);
}

static __attribute__((noinline)) void values_full(const float *p, const float *v, int dim, int keys,
                                                  const float *fade, float *o)
{
    values_tile(TILE_R, p, v, dim, keys, fade, o);
}

static void scores_rest(int rows, const float *q, const float *k, int dim, float *s, float *top)
{
    switch (rows) {
    case 5:
        scores_tile(MIN(5, TILE_R), q, k, dim, s, top);
        break;
    case 4:
        scores_tile(MIN(4, TILE_R), q, k, dim, s, top);
        break;
    case 3:
        scores_tile(3, q, k, dim, s, top);
        break;
    case 2:
        scores_tile(2, q, k, dim, s, top);
        break;
    case 1:
        scores_tile(1, q, k, dim, s, top);
        break;
    }
}

static void values_rest(int rows, const float *p, const float *v, int dim, int keys,
                        const float *fade, float *o)
{
    switch (rows) {
    case 5:
        values_tile(MIN(5, TILE_R), p, v, dim, keys, fade, o);
        break;
    case 4:
        values_tile(MIN(4, TILE_R), p, v, dim, keys, fade, o);
        break;
    case 3:
        values_tile(3, p, v, dim, keys, fade, o);
        break;
    case 2:
        values_tile(2, p, v, dim, keys, fade, o);
        break;
    case 1:
        values_tile(1, p, v, dim, keys, fade, o);
        break;
    }
}

/* Scores that a query may not see become -inf; TOP is the maximum of the others. QUERY and KEY are
 * the indices of the first of each. */
static void mask_causal(float *s, int keys, int key, int query, float *top)
{
    for (int t = MAX(0, query + 1 - key); t < keys; t++) {
        int hidden = MIN(PANEL, key + t - query);
        for (int i = 0; i < hidden; i++)
            s[(size_t)t * PANEL + i] = -INFINITY;
    }
    for (int x = 0; x < PANEL; x += LANES) {
        Vec m = vec_set1(-FLT_MAX);
        for (int t = 0; t < keys; t++)
            m = vec_max(vec_load(s + (size_t)t * PANEL + x), m);
        vec_store(top + x, m);
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
    int t = 0;
    for (; t + TILE_R <= keys; t += TILE_R)
        scores_full(q, k + (size_t)t * dim, dim, w->s + (size_t)t * PANEL, top);
    scores_rest(keys - t, q, k + (size_t)t * dim, dim, w->s + (size_t)t * PANEL, top);
    if (p->a->causal && key + keys - 1 > query)
        mask_causal(w->s, keys, key, query, top);
    softmax_block(w->s, keys, p->scale_log2, top, w->max + panel * PANEL, w->sum + panel * PANEL,
                  fade);
    int i = 0;
    for (; i + TILE_R <= dim; i += TILE_R)
        values_full(w->s, v + i, dim, keys, fade, o + (size_t)i * PANEL);
    values_rest(dim - i, w->s, v + i, dim, keys, fade, o + (size_t)i * PANEL);
}

static void path_run(const CgAttentionPlan *p, int sample, int head, int query, const void *kv,
                     void *work)
{
    const CgAttention *a = p->a;
    const float *k = kv, *v = k + (size_t)a->tk * p->dim;
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
            panel_block(p, &w, panel, k + (size_t)key * p->dim, v + (size_t)key * p->dim, keys, key,
                        query + panel * PANEL);
    }
    store_outputs(p, sample, head, query, &w);
}

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
};
