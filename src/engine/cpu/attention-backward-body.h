/* attention-backward-body: gradients of attention, part of attention-f32-body.h.
 *
 *     p = exp(scale q k^T - lse), dp = dy v^T, ds = p (dp - delta), delta = dy . y,
 *     dq = scale ds k, dk = scale ds^T q, dv = p^T dy
 *
 * in blocks of BLOCK_Q queries x BLOCK_KEYS keys. As in the forward, lanes are queries in s, dp and
 * dq; for dk and dv, which sum over queries, lanes are dims: so q and dy are packed both ways. A
 * task is a slab of one head's keys: it owns their dk and dv, and its own sums for dq, which are
 * added up at the end.
 */

#define BLOCK_KEYS 64

/* One block of queries, packed. */
typedef struct {
    float *q, *dy;           /* [PANELS][dim][PANEL]; q with the sign of scale */
    float *q_rows, *dy_rows; /* [BLOCK_Q][wide] */
    float *lse_log2, *delta; /* [BLOCK_Q]; past the last query infinity and 0, which make p 0 */
} QueryBlock;

static void backward_plan(CgAttentionBackwardPlan *p)
{
    size_t d = (size_t)p->a->head_dim;
    p->dim = (int)d;
    p->row = d % 32 == 0 ? p->dim + 16 : p->dim;
    p->wide = (p->dim + LANES - 1) / LANES * LANES;
    p->block_q = BLOCK_Q;
    p->block_k = BLOCK_KEYS;
    p->query_floats = BLOCK_Q * (2 * d + 2 * (size_t)p->wide + 2);
    p->dq_floats = BLOCK_Q * d;
    p->key_floats = 2 * (size_t)p->row;
    p->work_floats = 2 * BLOCK_Q * BLOCK_KEYS + 2 * BLOCK_KEYS * (size_t)p->wide;
}

static QueryBlock query_block(const CgAttentionBackwardPlan *p, float *memory)
{
    QueryBlock b;
    b.q = memory;
    b.dy = b.q + (size_t)BLOCK_Q * p->dim;
    b.q_rows = b.dy + (size_t)BLOCK_Q * p->dim;
    b.dy_rows = b.q_rows + (size_t)BLOCK_Q * p->wide;
    b.lse_log2 = b.dy_rows + (size_t)BLOCK_Q * p->wide;
    b.delta = b.lse_log2 + BLOCK_Q;
    return b;
}

/* ROWS [BLOCK_Q][wide] = COUNT rows of X from AT, X_ROW apart; the rest is 0. */
static void pack_rows(const CgAttentionBackwardPlan *p, const void *x, size_t at, size_t x_row,
                      int count, float *rows)
{
    memset(rows, 0, (size_t)BLOCK_Q * p->wide * sizeof *rows);
    for (int r = 0; r < count; r++)
        to_f32(x, p->a->dtype, at + r * x_row, rows + (size_t)r * p->wide, p->dim);
}

/* PANELS_OUT [PANELS][dim][PANEL] = ROWS times FACTOR, transposed. */
static void pack_panels(const CgAttentionBackwardPlan *p, const float *rows, float factor,
                        float *panels)
{
    float tile[LANES][LANES] __attribute__((aligned(64)));
    for (int group = 0; group < BLOCK_Q / LANES; group++) {
        float *to = panels + (size_t)(group / TILE_V) * p->dim * PANEL + group % TILE_V * LANES;
        const float *from = rows + (size_t)group * LANES * p->wide;
        for (int i0 = 0; i0 < p->dim; i0 += LANES) {
            for (int r = 0; r < LANES; r++)
                vec_store(tile[r], vec_load(from + (size_t)r * p->wide + i0));
            vec_transpose(tile);
            for (int i = 0; i < MIN(LANES, p->dim - i0); i++)
                vec_store(to + (size_t)(i0 + i) * PANEL,
                          vec_mul(vec_load(tile[i]), vec_set1(factor)));
        }
    }
}

static void backward_pack_queries(const CgAttentionBackwardPlan *p, int sample, int head, int query,
                                  float *to)
{
    const CgAttention *a = p->a;
    const CgAttentionGradient *g = p->g;
    QueryBlock b = query_block(p, to);
    int count = MIN(BLOCK_Q, a->tq - query);
    /* y for delta; dy_rows' memory is free until then. */
    pack_rows(p, a->y, cg_attention_offset(a, sample, a->tq, query, head, a->y_row), a->y_row,
              count, b.q_rows);
    pack_rows(p, g->dy, cg_attention_offset(a, sample, a->tq, query, head, g->dy_row), g->dy_row,
              count, b.dy_rows);
    const float *lse = a->lse + ((size_t)sample * a->heads + head) * a->tq + query;
    for (int i = 0; i < BLOCK_Q; i++) {
        const float *y = b.q_rows + (size_t)i * p->wide, *dy = b.dy_rows + (size_t)i * p->wide;
        Vec sum = vec_set1(0.0f);
        for (int j = 0; j < p->wide; j += LANES)
            sum = vec_fma(vec_load(y + j), vec_load(dy + j), sum);
        float parts[LANES] __attribute__((aligned(64)));
        vec_store(parts, sum);
        b.delta[i] = 0;
        for (int j = 0; j < LANES; j++)
            b.delta[i] += parts[j];
        b.lse_log2[i] = i < count ? (float)(lse[i] * M_LOG2E) : INFINITY;
    }
    pack_rows(p, a->q, cg_attention_offset(a, sample, a->tq, query, head, a->q_row), a->q_row,
              count, b.q_rows);
    pack_panels(p, b.q_rows, a->scale < 0 ? -1.0f : 1.0f, b.q);
    pack_panels(p, b.dy_rows, 1.0f, b.dy);
}

/* Keys, then values, of BLOCK_KEYS keys: [keys][row] each. */
static void backward_pack_keys(const CgAttentionBackwardPlan *p, int sample, int head, int key,
                               float *to)
{
    const CgAttention *a = p->a;
    float *v = to + (size_t)BLOCK_KEYS * p->row;
    for (int t = 0; t < MIN(BLOCK_KEYS, a->tk - key); t++) {
        to_f32(a->k, a->dtype, cg_attention_offset(a, sample, a->tk, key + t, head, a->k_row),
               to + (size_t)t * p->row, p->dim);
        to_f32(a->v, a->dtype, cg_attention_offset(a, sample, a->tk, key + t, head, a->v_row),
               v + (size_t)t * p->row, p->dim);
    }
}

/* ---- products ------------------------------------------------------------------------------ */

/* c[t][VECTORS] += the sum over queries of p[t] rows, for KEYS keys. P:
 * [PANELS][BLOCK_KEYS][PANEL]; ROWS and C: WIDE apart. */
static inline __attribute__((always_inline)) void outer_tile(const int keys, const int vectors,
                                                             const float *p, const float *rows,
                                                             int wide, float *c)
{
    Vec acc[TILE_R][TILE_V];
    UNROLL
    for (int t = 0; t < keys; t++) {
        UNROLL
        for (int x = 0; x < vectors; x++)
            acc[t][x] = vec_load(c + (size_t)t * (size_t)wide + x * LANES);
    }
    for (int panel = 0; panel < PANELS; panel++, p += BLOCK_KEYS * PANEL)
        for (int i = 0; i < PANEL; i++, rows += wide) {
            Vec b[TILE_V];
            UNROLL
            for (int x = 0; x < vectors; x++)
                b[x] = vec_load(rows + x * LANES);
            UNROLL
            for (int t = 0; t < keys; t++) {
                Vec e = vec_set1(p[(size_t)t * PANEL + i]);
                UNROLL
                for (int x = 0; x < vectors; x++)
                    acc[t][x] = vec_fma(e, b[x], acc[t][x]);
            }
        }
    UNROLL
    for (int t = 0; t < keys; t++) {
        UNROLL
        for (int x = 0; x < vectors; x++)
            vec_store(c + (size_t)t * (size_t)wide + x * LANES, acc[t][x]);
    }
}

ATTENTION_KERNEL outer_full(const float *p, const float *rows, int wide, float *c)
{
    outer_tile(TILE_R, TILE_V, p, rows, wide, c);
}

/* Some dims: VECTORS is 1 .. TILE_V - 1. */
ATTENTION_KERNEL outer_part(int keys, int vectors, const float *p, const float *rows, int wide,
                            float *c)
{
    int t = 0;
    for (; t + TILE_R <= keys; t += TILE_R)
        for (int x = 0; x < vectors; x++)
            outer_tile(TILE_R, 1, p + (size_t)t * PANEL, rows + x * LANES, wide,
                       c + (size_t)t * (size_t)wide + x * LANES);
    for (; t < keys; t++)
        for (int x = 0; x < vectors; x++)
            outer_tile(1, 1, p + (size_t)t * PANEL, rows + x * LANES, wide,
                       c + (size_t)t * (size_t)wide + x * LANES);
}

/* c [keys][wide] += p^T rows. */
ATTENTION_KERNEL outer_block(const float *p, const float *rows, int wide, int keys, float *c)
{
    int i = 0, full = keys / TILE_R * TILE_R;
    for (; i + TILE_V * LANES <= wide; i += TILE_V * LANES) {
        for (int t = 0; t < full; t += TILE_R)
            outer_full(p + (size_t)t * PANEL, rows + i, wide, c + (size_t)t * (size_t)wide + i);
        if (full < keys)
            outer_part(keys - full, TILE_V, p + (size_t)full * PANEL, rows + i, wide,
                       c + (size_t)full * (size_t)wide + i);
    }
    if (i < wide)
        outer_part(keys, (wide - i) / LANES, p, rows + i, wide, c + i);
}

/* S becomes p, DP becomes ds. */
static void softmax_backward_block(const CgAttentionBackwardPlan *plan, float *s, float *dp,
                                   int keys, const float *lse_log2, const float *delta)
{
    Vec c = vec_set1(plan->scale_log2);
    for (int x = 0; x < PANEL; x += LANES) {
        Vec minus = vec_sub(vec_set1(0.0f), vec_load(lse_log2 + x)), mean = vec_load(delta + x);
        for (int t = 0; t < keys; t++) {
            float *at = s + (size_t)t * PANEL + x, *d = dp + (size_t)t * PANEL + x;
            Vec p = vec_exp2(vec_fma(vec_load(at), c, minus));
            vec_store(at, p);
            vec_store(d, vec_mul(p, vec_sub(vec_load(d), mean)));
        }
    }
}

/* One block of queries with one of keys. */
static void backward_block(const CgAttentionBackwardPlan *p, const QueryBlock *b, const float *k,
                           const float *v, int keys, int key, int query, float *work, float *dk,
                           float *dv, float *dq)
{
    float ones[PANEL] __attribute__((aligned(64))), top[PANEL] __attribute__((aligned(64)));
    float *s = work, *dp = s + BLOCK_Q * BLOCK_KEYS;
    for (int i = 0; i < PANEL; i++)
        ones[i] = top[i] = 1;
    for (int panel = 0; panel < PANELS; panel++) {
        size_t at = (size_t)panel * p->dim * PANEL;
        float *s_panel = s + panel * BLOCK_KEYS * PANEL,
              *dp_panel = dp + panel * BLOCK_KEYS * PANEL;
        scores_block(b->q + at, k, p->row, p->dim, keys, s_panel, top);
        if (p->a->causal && key + keys - 1 > query + panel * PANEL)
            mask_causal(s_panel, keys, key, query + panel * PANEL);
        scores_block(b->dy + at, v, p->row, p->dim, keys, dp_panel, top);
        softmax_backward_block(p, s_panel, dp_panel, keys, b->lse_log2 + panel * PANEL,
                               b->delta + panel * PANEL);
        values_block(dp_panel, k, p->row, keys, p->dim, ones, dq + at);
    }
    outer_block(s, b->dy_rows, p->wide, keys, dv);
    outer_block(dp, b->q_rows, p->wide, keys, dk);
}

static void store_rows(const CgAttentionBackwardPlan *p, const float *rows, int count, float factor,
                       void *to, size_t at, size_t to_row)
{
    float scaled[LANES] __attribute__((aligned(64)));
    for (int r = 0; r < count; r++)
        for (int i = 0; i < p->dim; i += LANES) {
            vec_store(scaled, vec_mul(vec_load(rows + (size_t)r * p->wide + i), vec_set1(factor)));
            from_f32(scaled, to, p->a->dtype, at + r * to_row + i, MIN(LANES, p->dim - i));
        }
}

/* Keys KEY .. END - 1 of a head with all its queries. */
static void backward_run(const CgAttentionBackwardPlan *p, int sample, int head, int key, int end,
                         float *queries, const float *keys_packed, float *dq, float *work)
{
    const CgAttention *a = p->a;
    const CgAttentionGradient *g = p->g;
    float *dk = work + 2 * BLOCK_Q * BLOCK_KEYS, *dv = dk + (size_t)BLOCK_KEYS * p->wide;
    int blocks = (a->tq + BLOCK_Q - 1) / BLOCK_Q;
    memset(dq, 0, (size_t)blocks * p->dq_floats * sizeof *dq);
    for (; key < end; key += BLOCK_KEYS) {
        int keys = MIN(BLOCK_KEYS, end - key);
        const float *k = keys_packed + (size_t)key * p->key_floats;
        const float *v = k + (size_t)BLOCK_KEYS * p->row;
        memset(dk, 0, 2 * (size_t)BLOCK_KEYS * p->wide * sizeof *dk);
        for (int i = a->causal ? key / BLOCK_Q : 0; i < blocks; i++) {
            QueryBlock b = query_block(p, queries + (size_t)i * p->query_floats);
            backward_block(p, &b, k, v, keys, key, i * BLOCK_Q, work, dk, dv,
                           dq + (size_t)i * p->dq_floats);
        }
        store_rows(p, dk, keys, a->scale, g->dk,
                   cg_attention_offset(a, sample, a->tk, key, head, g->dk_row), g->dk_row);
        store_rows(p, dv, keys, 1.0f, g->dv,
                   cg_attention_offset(a, sample, a->tk, key, head, g->dv_row), g->dv_row);
    }
}

/* dq of the queries from QUERY = scale times the sum of SLABS sums, PITCH apart. The sign that
 * scale has and q was packed with does not matter here: s = q k^T times scale. */
static void backward_finish(const CgAttentionBackwardPlan *p, int sample, int head, int query,
                            float *dq, int slabs, size_t pitch)
{
    const CgAttention *a = p->a;
    const CgAttentionGradient *g = p->g;
    float tile[LANES][LANES] __attribute__((aligned(64)));
    for (int slab = 1; slab < slabs; slab++)
        for (size_t i = 0; i < p->dq_floats; i += LANES)
            vec_store(dq + i, vec_add(vec_load(dq + i), vec_load(dq + slab * pitch + i)));
    for (int group = 0; group < BLOCK_Q / LANES; group++) {
        int first = query + group * LANES, rows = CLAMP(a->tq - first, 0, LANES);
        size_t to = cg_attention_offset(a, sample, a->tq, first, head, g->dq_row);
        const float *from = dq + (size_t)(group / TILE_V) * p->dim * PANEL + group % TILE_V * LANES;
        for (int i0 = 0; i0 < p->dim && rows > 0; i0 += LANES) {
            int count = MIN(LANES, p->dim - i0);
            for (int i = 0; i < LANES; i++)
                vec_store(tile[i], i < count ? vec_mul(vec_load(from + (size_t)(i0 + i) * PANEL),
                                                       vec_set1(a->scale))
                                             : vec_set1(0.0f));
            vec_transpose(tile);
            for (int r = 0; r < rows; r++)
                from_f32(tile[r], g->dq, a->dtype, to + r * g->dq_row + i0, count);
        }
    }
}
