/* The fused attention: every path that this processor can run against sums in double. */
#define CG_AMX_EMULATED
#include "engine/cpu/amx_tiles.h"

#include "base/rng.h"
#include "engine/cpu/attention-private.h"
#include "engine/pool.h"

#include <math.h>
#include <string.h>

/* One case, with its tensors inside one fused [n, t, 3 c + pad] tensor when tq == tk. */
typedef struct {
    int n, heads, dim, tq, tk;
    gboolean causal;
    float spread; /* standard deviation of q and k */
    float scale;  /* 0: 1 / sqrt(dim) */
} Case;

typedef struct {
    CgAttention a;
    void *memory[4]; /* q, k, v, y */
    size_t y_bytes;
} Problem;

static void fill(void *data, CgDType dtype, size_t count, float spread, int stream)
{
    g_autofree float *x = g_new(float, count);
    cg_rng_normals(7, (uint64_t)stream, 0, x, count);
    for (size_t i = 0; i < count; i++)
        x[i] *= spread;
    cg_dtype_convert(x, CG_F32, data, dtype, count);
}

static void poison(void *data, size_t bytes)
{
    memset(data, 0xff, bytes); /* NaN in f32 and bf16 */
}

static void problem_init(Problem *p, const Case *c, CgDType dtype)
{
    size_t width = (size_t)c->heads * c->dim, e = cg_dtype_size(dtype);
    memset(p, 0, sizeof *p);
    p->a = (CgAttention){.dtype = dtype,
                         .n = c->n,
                         .heads = c->heads,
                         .head_dim = c->dim,
                         .tq = c->tq,
                         .tk = c->tk,
                         .scale = c->scale != 0 ? c->scale : 1.0f / sqrtf((float)c->dim),
                         .causal = c->causal};
    if (c->tq == c->tk) {
        /* Fused q, k, v with a pad of 3 elements that breaks every alignment. */
        size_t row = 3 * width + 3, count = (size_t)c->n * c->tq * row;
        p->memory[0] = g_malloc(count * e);
        fill(p->memory[0], dtype, count, c->spread, 1);
        p->a.q = p->memory[0];
        p->a.k = (char *)p->memory[0] + width * e;
        p->a.v = (char *)p->memory[0] + 2 * width * e;
        p->a.q_row = p->a.k_row = p->a.v_row = row;
    } else {
        size_t tokens[3] = {(size_t)c->tq, (size_t)c->tk, (size_t)c->tk};
        for (int i = 0; i < 3; i++) {
            size_t count = (size_t)c->n * tokens[i] * width;
            p->memory[i] = g_malloc(count * e);
            fill(p->memory[i], dtype, count, c->spread, i + 1);
        }
        p->a.q = p->memory[0];
        p->a.k = p->memory[1];
        p->a.v = p->memory[2];
        p->a.q_row = p->a.k_row = p->a.v_row = width;
    }
    p->a.y_row = width + 5;
    p->y_bytes = (size_t)c->n * c->tq * p->a.y_row * e;
    p->memory[3] = p->a.y = g_malloc(p->y_bytes);
    poison(p->a.y, p->y_bytes);
}

static void problem_clear(Problem *p)
{
    for (int i = 0; i < 4; i++)
        g_free(p->memory[i]);
}

static double element(const void *data, CgDType dtype, size_t i)
{
    return dtype == CG_F32 ? ((const float *)data)[i]
                           : cg_f32_from_bf16(((const uint16_t *)data)[i]);
}

/* One head of one sample in double: q [tq][dim], k transposed [dim][tk], v [tk][dim]. */
typedef struct {
    double *q, *k, *v;
} Head;

static void head_load(const CgAttention *a, int sample, int head, Head *h)
{
    for (int t = 0; t < a->tq; t++) {
        size_t q = cg_attention_offset(a, sample, a->tq, t, head, a->q_row);
        for (int d = 0; d < a->head_dim; d++)
            h->q[t * a->head_dim + d] = element(a->q, a->dtype, q + d);
    }
    for (int t = 0; t < a->tk; t++) {
        size_t k = cg_attention_offset(a, sample, a->tk, t, head, a->k_row);
        size_t v = cg_attention_offset(a, sample, a->tk, t, head, a->v_row);
        for (int d = 0; d < a->head_dim; d++) {
            h->k[d * a->tk + t] = element(a->k, a->dtype, k + d);
            h->v[t * a->head_dim + d] = element(a->v, a->dtype, v + d);
        }
    }
}

/* The answer to query I, into OUT[head_dim]. */
static void reference_row(const CgAttention *a, const Head *h, int i, double *weight, double *out)
{
    int keys = a->causal ? MIN(a->tk, i + 1) : a->tk;
    memset(weight, 0, (size_t)keys * sizeof *weight);
    for (int d = 0; d < a->head_dim; d++) {
        double q = h->q[i * a->head_dim + d] * a->scale;
        for (int t = 0; t < keys; t++)
            weight[t] += q * h->k[d * a->tk + t];
    }
    double top = -INFINITY, sum = 0;
    for (int t = 0; t < keys; t++)
        top = MAX(top, weight[t]);
    memset(out, 0, (size_t)a->head_dim * sizeof *out);
    for (int t = 0; t < keys; t++) {
        double e = exp(weight[t] - top);
        sum += e;
        for (int d = 0; d < a->head_dim; d++)
            out[d] += e * h->v[t * a->head_dim + d];
    }
    for (int d = 0; d < a->head_dim; d++)
        out[d] /= sum;
}

/* The whole answer [n, tq, heads, head_dim] in double. */
static double *reference_new(const CgAttention *a)
{
    size_t dim = (size_t)a->head_dim;
    double *out = g_new(double, (size_t)a->n * a->tq * a->heads * dim);
    g_autofree double *weight = g_new(double, a->tk);
    g_autofree double *q = g_new(double, a->tq *dim);
    g_autofree double *k = g_new(double, a->tk *dim);
    g_autofree double *v = g_new(double, a->tk *dim);
    Head head = {q, k, v};
    for (int s = 0; s < a->n; s++) {
        for (int h = 0; h < a->heads; h++) {
            head_load(a, s, h, &head);
            for (int i = 0; i < a->tq; i++)
                reference_row(a, &head, i, weight,
                              out + (((size_t)s * a->tq + i) * a->heads + h) * dim);
        }
    }
    return out;
}

/* Relative L2 of y against WANT; NaN when y has any. */
static double error_against(const CgAttention *a, const double *want)
{
    double wrong = 0, all = 0;
    for (int s = 0; s < a->n; s++) {
        for (int i = 0; i < a->tq; i++) {
            size_t y = cg_attention_offset(a, s, a->tq, i, 0, a->y_row);
            for (int d = 0; d < a->heads * a->head_dim; d++, want++) {
                double e = element(a->y, a->dtype, y + d) - *want;
                wrong += e * e;
                all += *want * *want;
            }
        }
    }
    return sqrt(wrong / all);
}

static double problem_error(const Problem *p)
{
    g_autofree double *want = reference_new(&p->a);
    return error_against(&p->a, want);
}

/* The same cases come by for every path: their answers are kept. */
static const double *reference_of(const Case *c, const Problem *p)
{
    static GHashTable *known;
    if (!known)
        known = g_hash_table_new(g_str_hash, g_str_equal);
    g_autofree char *key =
        g_strdup_printf("%d %d %d %d %d %d %g %g %d", c->n, c->heads, c->dim, c->tq, c->tk,
                        c->causal, (double)c->spread, (double)c->scale, p->a.dtype);
    double *want = g_hash_table_lookup(known, key);
    if (!want) {
        want = reference_new(&p->a);
        g_hash_table_insert(known, g_steal_pointer(&key), want);
    }
    return want;
}

static void run(const CgAttentionPath *path, Problem *p, int threads)
{
    g_autoptr(GError) error = NULL;
    CgPool *pool = cg_pool_new();
    g_assert_true(cg_attention_run(path, &p->a, threads, pool, &error));
    g_assert_no_error(error);
    cg_pool_unref(pool);
}

static double limit(CgDType dtype)
{
    return dtype == CG_F32 ? 2e-6 : 1e-2;
}

static void check_within(const CgAttentionPath *path, const Case *c, double tolerance)
{
    for (CgDType dtype = CG_F32; dtype <= CG_BF16; dtype++) {
        if (!(path->dtypes & (1u << dtype)))
            continue;
        Problem p;
        problem_init(&p, c, dtype);
        run(path, &p, 2);
        double error = error_against(&p.a, reference_of(c, &p));
        if (!(error <= MAX(limit(dtype), tolerance)))
            g_error("%s %s: dim %d, %d x %d tokens%s: error %g", path->name, cg_dtype_name(dtype),
                    c->dim, c->tq, c->tk, c->causal ? ", causal" : "", error);
        problem_clear(&p);
    }
}

static void check(const CgAttentionPath *path, const Case *c)
{
    check_within(path, c, 0);
}

static const int dims[] = {40, 80, 160, 64, 512, 1, 8, 33};
static const int lengths[] = {1, 7, 63, 65, 77, 129, 300};

static void every_length_and_head_dim_matches_double(gconstpointer path)
{
    for (size_t d = 0; d < G_N_ELEMENTS(dims); d++) {
        for (size_t t = 0; t < G_N_ELEMENTS(lengths); t++) {
            Case c = {.n = 2,
                      .heads = 1,
                      .dim = dims[d],
                      .tq = lengths[t],
                      .tk = lengths[t],
                      .spread = 1};
            if (dims[d] < 80)
                c.n = 2;
            check(path, &c);
        }
    }
}

static void queries_and_keys_may_differ_in_number(gconstpointer path)
{
    for (size_t t = 0; t < G_N_ELEMENTS(lengths); t++) {
        check(path,
              &(Case){.n = 2, .heads = 2, .dim = 40, .tq = 130, .tk = lengths[t], .spread = 1});
        check(path,
              &(Case){.n = 1, .heads = 1, .dim = 80, .tq = lengths[t], .tk = 77, .spread = 1});
    }
}

static void causal_queries_see_no_later_key(gconstpointer path)
{
    for (size_t t = 0; t < G_N_ELEMENTS(lengths); t++)
        check(path, &(Case){.n = 1,
                            .heads = 2,
                            .dim = 64,
                            .tq = lengths[t],
                            .tk = lengths[t],
                            .causal = TRUE,
                            .spread = 1});
    /* Not even a NaN in later tokens reaches them. */
    Problem p;
    Case c = {.n = 1, .heads = 1, .dim = 64, .tq = 300, .tk = 300, .causal = TRUE, .spread = 1};
    problem_init(&p, &c, CG_BF16);
    uint16_t *k = (uint16_t *)p.a.k;
    for (int t = 100; t < 300; t++)
        k[(size_t)t * p.a.k_row] = 0x7fc0;
    run(path, &p, 2);
    const uint16_t *y = p.a.y;
    for (int t = 0; t < 300; t++)
        g_assert_cmpint(isnan(cg_f32_from_bf16(y[(size_t)t * p.a.y_row])), ==, t >= 100);
    problem_clear(&p);
}

/* Scores of +-80 (standard deviation), up to +-300, where an f32 score itself errs by 1e-5. */
static void large_logits_do_not_overflow(gconstpointer path)
{
    const Case positive = {
        .n = 1, .heads = 2, .dim = 40, .tq = 129, .tk = 300, .spread = 3.556f, .scale = 1};
    const Case negative = {
        .n = 1, .heads = 1, .dim = 80, .tq = 129, .tk = 300, .spread = 3, .scale = -1};
    check_within(path, &positive, 1e-5);
    check_within(path, &negative, 1e-5);
}

/* Two keys with scores 0 and x, values 0 and 1: y = 1 / (1 + exp(-x)), so that for x < 0 the error
 * of y is that of the exponential. An f32 x * log2(e) errs by |x| 2^-24 in the exponent. */
static void weights_follow_the_exponential_over_its_range(gconstpointer data)
{
    enum { COUNT = 4000 };
    const CgAttentionPath *path = data;
    const float keys[2] = {0, 1}, values[2] = {0, 1};
    for (CgDType dtype = CG_F32; dtype <= CG_BF16; dtype++) {
        if (!(path->dtypes & (1u << dtype)))
            continue;
        float q[COUNT], k[2], v[2], y[COUNT], x[COUNT];
        for (int i = 0; i < COUNT; i++)
            x[i] = -100.0f * (float)i / COUNT;
        cg_dtype_convert(x, CG_F32, q, dtype, COUNT);
        cg_dtype_convert(q, dtype, x, CG_F32, COUNT);
        cg_dtype_convert(keys, CG_F32, k, dtype, 2);
        cg_dtype_convert(values, CG_F32, v, dtype, 2);
        Problem p = {.a = {.dtype = dtype,
                           .n = 1,
                           .heads = 1,
                           .head_dim = 1,
                           .tq = COUNT,
                           .tk = 2,
                           .scale = 1,
                           .q = q,
                           .k = k,
                           .v = v,
                           .q_row = 1,
                           .k_row = 1,
                           .v_row = 1,
                           .y = y,
                           .y_row = 1}};
        run(path, &p, 1);
        for (int i = 0; i < COUNT; i++) {
            double want = 1 / (1 + exp(-(double)x[i])), got = element(y, dtype, (size_t)i);
            double relative = dtype == CG_F32 ? 3e-7 - 1.3e-7 * (double)x[i] : 8e-3;
            if (x[i] > -87)
                g_assert_cmpfloat(fabs(got - want), <=, relative * want);
            else
                g_assert_cmpfloat(fabs(got), <=, 2e-38);
        }
    }
}

static void zero_scale_is_the_mean(gconstpointer path)
{
    const Case c = {.n = 1, .heads = 1, .dim = 40, .tq = 65, .tk = 300, .spread = 1};
    Problem p;
    problem_init(&p, &c, CG_BF16);
    p.a.scale = 0;
    run(path, &p, 2);
    g_assert_cmpfloat(problem_error(&p), <=, limit(CG_BF16));
    problem_clear(&p);
}

/* A NaN in q reaches its own row alone; one in k or v all rows of the head. */
static void nan_stays_visible(gconstpointer path)
{
    const Case c = {.n = 1, .heads = 2, .dim = 40, .tq = 77, .tk = 300, .spread = 1};
    for (int which = 0; which < 3; which++) {
        Problem p;
        problem_init(&p, &c, CG_BF16);
        uint16_t *data = p.memory[which];
        data[(size_t)70 * p.a.q_row + 11] = 0x7fc0; /* token 70, head 0 */
        run(path, &p, 2);
        const uint16_t *y = p.a.y;
        for (int t = 0; t < c.tq; t++) {
            gboolean bad = which != 0 || t == 70;
            g_assert_cmpint(isnan(cg_f32_from_bf16(y[(size_t)t * p.a.y_row + 11])), ==, bad);
            g_assert_false(isnan(cg_f32_from_bf16(y[(size_t)t * p.a.y_row + 40 + 11])));
        }
        problem_clear(&p);
    }
}

/* A key whose score is -inf has no weight, wherever it stands. */
static void minus_infinity_has_no_weight(gconstpointer path)
{
    const Case c = {.n = 1, .heads = 1, .dim = 40, .tq = 77, .tk = 300, .spread = 1};
    for (CgDType dtype = CG_F32; dtype <= CG_BF16; dtype++) {
        if (!(((const CgAttentionPath *)path)->dtypes & (1u << dtype)))
            continue;
        Problem p;
        problem_init(&p, &c, dtype);
        size_t e = cg_dtype_size(dtype);
        const float one = 1, minus = -INFINITY;
        for (int t = 0; t < c.tq; t++)
            cg_dtype_convert(&one, CG_F32, (char *)p.memory[0] + t * p.a.q_row * e, dtype, 1);
        for (int t = 0; t < c.tk; t++) {
            if (t < 150 || t % 7 == 0)
                cg_dtype_convert(&minus, CG_F32, (char *)p.memory[1] + t * p.a.k_row * e, dtype, 1);
        }
        run(path, &p, 2);
        g_assert_cmpfloat(problem_error(&p), <=, limit(dtype));
        problem_clear(&p);
    }
}

static void bytes_do_not_depend_on_the_thread_count(gconstpointer path)
{
    const Case c = {.n = 2, .heads = 3, .dim = 40, .tq = 300, .tk = 300, .spread = 1};
    for (CgDType dtype = CG_F32; dtype <= CG_BF16; dtype++) {
        if (!(((const CgAttentionPath *)path)->dtypes & (1u << dtype)))
            continue;
        Problem p[3];
        for (int i = 0; i < 3; i++) {
            problem_init(&p[i], &c, dtype);
            run(path, &p[i], i + 1);
            g_assert_cmpmem(p[i].a.y, p[i].y_bytes, p[0].a.y, p[0].y_bytes);
        }
        for (int i = 0; i < 3; i++)
            problem_clear(&p[i]);
    }
}

/* What lies between the rows of y is not ours. */
static void rows_of_y_are_written_and_nothing_else(gconstpointer path)
{
    const Case c = {.n = 2, .heads = 3, .dim = 33, .tq = 77, .tk = 77, .spread = 1};
    Problem p;
    problem_init(&p, &c, CG_BF16);
    run(path, &p, 2);
    const uint16_t *y = p.a.y;
    for (size_t t = 0; t < (size_t)c.n * c.tq; t++) {
        for (size_t i = 0; i < p.a.y_row; i++) {
            if (i < (size_t)c.heads * c.dim)
                g_assert_false(isnan(cg_f32_from_bf16(y[t * p.a.y_row + i])));
            else
                g_assert_cmphex(y[t * p.a.y_row + i], ==, 0xffff);
        }
    }
    problem_clear(&p);
}

/* log(sum(exp(logits))) of every query, also behind the last full block. */
static void logarithms_of_sums_match_the_reference(gconstpointer data)
{
    const CgAttentionPath *path = data;
    static const Case cases[] = {
        {.n = 2, .heads = 3, .dim = 40, .tq = 77, .tk = 77, .causal = TRUE, .spread = 1},
        {.n = 1, .heads = 2, .dim = 64, .tq = 130, .tk = 33, .spread = 4},
    };
    g_autoptr(CgEngine) ref = cg_engine_ref_new();
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++)
        for (CgDType dtype = CG_F32; dtype <= CG_BF16; dtype++) {
            if (!(path->dtypes & (1u << dtype)))
                continue;
            Problem p;
            problem_init(&p, &cases[i], dtype);
            size_t count = (size_t)p.a.n * p.a.heads * p.a.tq;
            g_autofree float *got = g_new(float, count), *want = g_new(float, count);
            p.a.lse = want;
            g_assert_true(ref->ops->attention(ref, &p.a, NULL));
            p.a.lse = got;
            memset(got, 0xff, count * sizeof *got);
            run(path, &p, 2);
            for (size_t j = 0; j < count; j++)
                g_assert_cmpfloat_with_epsilon(got[j], want[j], dtype == CG_F32 ? 3e-5 : 3e-3);
            problem_clear(&p);
        }
}

/* dq, dk, dv in fused rows of their own; poisoned, as are the numbers between rows. */
typedef struct {
    CgAttentionGradient g;
    void *dy, *memory;
    size_t bytes;
    float *lse;
} Gradients;

static void gradients_init(Gradients *g, Problem *p)
{
    const CgAttention *a = &p->a;
    size_t width = (size_t)a->heads * a->head_dim, e = cg_dtype_size(a->dtype), row = 3 * width + 1;
    size_t tokens = (size_t)a->n * MAX(a->tq, a->tk);
    g->bytes = tokens * row * e;
    g->memory = g_malloc(g->bytes);
    poison(g->memory, g->bytes);
    g->dy = g_malloc((size_t)a->n * a->tq * width * e);
    fill(g->dy, a->dtype, (size_t)a->n * a->tq * width, 1, 9);
    g->lse = g_new(float, (size_t)a->n * a->heads * a->tq);
    g->g = (CgAttentionGradient){.dy = g->dy,
                                 .dy_row = width,
                                 .dq = g->memory,
                                 .dk = (char *)g->memory + width * e,
                                 .dv = (char *)g->memory + 2 * width * e,
                                 .dq_row = row,
                                 .dk_row = row,
                                 .dv_row = row};
    p->a.lse = g->lse;
}

static void gradients_clear(Gradients *g)
{
    g_free(g->memory);
    g_free(g->dy);
    g_free(g->lse);
}

static double gradients_error(const Gradients *got, const Gradients *want, CgDType dtype)
{
    double wrong = 0, all = 0;
    for (size_t i = 0; i < got->bytes / cg_dtype_size(dtype); i++) {
        double x = element(got->memory, dtype, i), y = element(want->memory, dtype, i);
        g_assert_true(isnan(x) == isnan(y));
        if (isnan(y))
            continue;
        wrong += (x - y) * (x - y);
        all += y * y;
    }
    return sqrt(wrong / all);
}

static void run_gradients(const CgAttentionPath *path, Problem *p, Gradients *g, int threads)
{
    CgPool *pool = cg_pool_new();
    run(path, p, threads);
    g_assert_true(cg_attention_backward_run(path, &p->a, &g->g, threads, pool, NULL));
    cg_pool_unref(pool);
}

static void gradients_match_the_reference(gconstpointer data)
{
    const CgAttentionPath *path = data;
    static const Case cases[] = {
        {.n = 2, .heads = 3, .dim = 40, .tq = 130, .tk = 130, .spread = 1},
        {.n = 1, .heads = 2, .dim = 64, .tq = 77, .tk = 77, .causal = TRUE, .spread = 1},
        {.n = 1, .heads = 2, .dim = 8, .tq = 200, .tk = 200, .causal = TRUE, .spread = 1},
        {.n = 1, .heads = 1, .dim = 512, .tq = 70, .tk = 70, .spread = 1},
        {.n = 2, .heads = 2, .dim = 33, .tq = 65, .tk = 77, .spread = 2},
        {.n = 1, .heads = 1, .dim = 160, .tq = 3, .tk = 129, .spread = 1, .scale = -0.1F},
    };
    g_autoptr(CgEngine) ref = cg_engine_ref_new();
    for (guint i = 0; path->backward_run && i < G_N_ELEMENTS(cases); i++)
        for (CgDType dtype = CG_F32; dtype <= CG_BF16; dtype++) {
            Problem p;
            Gradients got, want;
            problem_init(&p, &cases[i], dtype);
            gradients_init(&want, &p);
            gradients_init(&got, &p);
            run_gradients(path, &p, &got, 2);
            g_assert_true(ref->ops->attention_backward(ref, &p.a, &want.g, NULL));
            double error = gradients_error(&got, &want, dtype);
            if (!(error <= (dtype == CG_F32 ? 5e-6 : 1e-2)))
                g_error("%s %s: case %u: error %g", path->name, cg_dtype_name(dtype), i, error);
            gradients_clear(&got);
            gradients_clear(&want);
            problem_clear(&p);
        }
}

/* One head, so that its keys are cut into slabs; and several. */
static void gradients_do_not_depend_on_the_thread_count(gconstpointer data)
{
    const CgAttentionPath *path = data;
    for (int heads = 1; path->backward_run && heads <= 3; heads += 2) {
        const Case c = {.n = 1, .heads = heads, .dim = 40, .tq = 300, .tk = 300, .spread = 1};
        Gradients g[3];
        Problem p;
        problem_init(&p, &c, CG_F32);
        for (int i = 0; i < 3; i++) {
            gradients_init(&g[i], &p);
            run_gradients(path, &p, &g[i], i + 1);
            g_assert_cmpmem(g[i].memory, g[i].bytes, g[0].memory, g[0].bytes);
        }
        for (int i = 0; i < 3; i++)
            gradients_clear(&g[i]);
        problem_clear(&p);
    }
}

static void repeated_calls_ask_the_system_for_nothing(void)
{
    const Case c = {.n = 2, .heads = 3, .dim = 40, .tq = 300, .tk = 77, .spread = 1};
    CgPool *pool = cg_pool_new();
    Problem p;
    problem_init(&p, &c, CG_F32);
    g_assert_true(cg_cpu_attention(&p.a, pool, NULL));
    guint64 before = cg_pool_stats(pool).system_allocations;
    for (int i = 0; i < 3; i++)
        g_assert_true(cg_cpu_attention(&p.a, pool, NULL));
    g_assert_cmpuint(cg_pool_stats(pool).system_allocations, ==, before);
    problem_clear(&p);
    cg_pool_unref(pool);
}

static void other_types_are_refused(void)
{
    g_autoptr(GError) error = NULL;
    CgPool *pool = cg_pool_new();
    CgAttention a = {.dtype = CG_I32, .n = 1, .heads = 1, .head_dim = 1, .tq = 1, .tk = 1};
    g_assert_false(cg_cpu_attention(&a, pool, &error));
    g_assert_error(error, CG_ERROR, CG_ERROR_UNSUPPORTED);
    cg_pool_unref(pool);
}

#ifdef __x86_64__

extern const CgAttentionPath cg_attention_amx_emulated;

/* The emulated tiles against the instruction's definition: the first elements of the pairs are
 * summed apart from the second, fused, and subnormals are zero. */
static void emulated_tiles_add_as_the_processor(void)
{
    enum { ONE = 0x3f80, BIG = 0x4b80 /* 2^24 */, TINY = 0x0001 };
    static uint16_t a[16][32], b[16][32];
    static float c[16][16];
    /* Row 0: 2^24 + 1 + 1 in the first elements is 2^24 in f32; -2^24 in the second: 0, not 2. */
    a[0][0] = BIG;
    a[0][2] = a[0][4] = ONE;
    a[0][1] = BIG | 0x8000;
    /* Row 1: (1 + 2^-7)^2 - 1 - 2^-6 = 2^-14 needs the fused product's low bits only if the
     * product were rounded to bf16; row 2: a subnormal counts as zero. */
    a[1][0] = ONE + 1;
    a[2][0] = TINY;
    for (int k = 0; k < 16; k++) {
        b[k][0] = b[k][1] = ONE;
        b[k][2] = ONE + 1;
    }
    c[1][1] = -1 - 0x1p-6f;
    c[3][0] = 0x1p-130f;
    amx_begin();
    amx_load(0, c, 64);
    amx_load(1, a, 64);
    amx_load(2, b, 64);
    amx_dot(0, 1, 2);
    amx_store(0, c, 64);
    amx_end();
    g_assert_cmpfloat(c[0][0], ==, 0);
    g_assert_cmpfloat(c[1][1], ==, 0x1p-14f);
    g_assert_cmpfloat(c[2][0], ==, 0);
    g_assert_cmpfloat(c[3][0], ==, 0);
}

#endif

static void add(const CgAttentionPath *path)
{
    static const struct {
        const char *name;
        void (*test)(gconstpointer);
    } tests[] = {
#define TEST(name) {#name, name}
        TEST(every_length_and_head_dim_matches_double),
        TEST(queries_and_keys_may_differ_in_number),
        TEST(causal_queries_see_no_later_key),
        TEST(large_logits_do_not_overflow),
        TEST(weights_follow_the_exponential_over_its_range),
        TEST(zero_scale_is_the_mean),
        TEST(nan_stays_visible),
        TEST(minus_infinity_has_no_weight),
        TEST(bytes_do_not_depend_on_the_thread_count),
        TEST(rows_of_y_are_written_and_nothing_else),
        TEST(logarithms_of_sums_match_the_reference),
        TEST(gradients_match_the_reference),
        TEST(gradients_do_not_depend_on_the_thread_count),
#undef TEST
    };
    for (size_t i = 0; i < G_N_ELEMENTS(tests); i++) {
        g_autofree char *name = g_strdup_printf("/attention/%s/%s", path->name, tests[i].name);
        g_test_add_data_func(name, path, tests[i].test);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    const CgCpuFeatures *cpu = cg_cpu_features();
    for (int i = 0; cg_attention_paths[i]; i++) {
        if (cg_attention_paths[i]->available(cpu))
            add(cg_attention_paths[i]);
        else
            g_test_message("this processor has no %s", cg_attention_paths[i]->name);
    }
#ifdef __x86_64__
    if (cg_attention_amx_emulated.available(cpu))
        add(&cg_attention_amx_emulated);
    g_test_add_func("/attention/emulated_tiles_add_as_the_processor",
                    emulated_tiles_add_as_the_processor);
#endif
    g_test_add_func("/attention/repeated_calls_ask_the_system_for_nothing",
                    repeated_calls_ask_the_system_for_nothing);
    g_test_add_func("/attention/other_types_are_refused", other_types_are_refused);
    return g_test_run();
}
