/* norm-body: group norm, layer norm and softmax, compiled once per instruction set.
 *
 * Means and variances survive |mean| >> deviation: elements are summed relative to a shift near
 * their mean, partial results are merged in double (Chan, Golub, LeVeque 1979), and the mean is
 * subtracted in two parts.
 */
#include "engine/check.h"
#include "engine/cpu/vector.h"
#include "engine/cpu/work.h"
#include "engine/pool.h"

#include <math.h>
#include <omp.h>

VINLINE V activate_vector(CgActivation act, V x)
{
    switch (act) {
    case CG_ACT_SILU:
        return v_sigmoid_times(x, 1.0f);
    case CG_ACT_GELU:
        return v_gelu(x);
    case CG_ACT_QUICK_GELU:
        return v_sigmoid_times(x, 1.702f);
    case CG_ACT_RELU:
        return v_max(v_zero(), x);
    case CG_ACT_SIGMOID:
        return v_sigmoid(x);
    case CG_ACT_NONE:
        break;
    }
    return x;
}

VINLINE V slope_vector(CgActivation act, V x)
{
    switch (act) {
    case CG_ACT_SILU:
        return v_sigmoid_times_slope(x, 1.0f);
    case CG_ACT_GELU:
        return v_gelu_slope(x);
    case CG_ACT_QUICK_GELU:
        return v_sigmoid_times_slope(x, 1.702f);
    case CG_ACT_RELU:
        return v_select(x <= 0.0f, v_zero(), v_select(x > 0.0f, v_set(1.0f), x)); /* NaN stays */
    case CG_ACT_SIGMOID: {
        V s = v_sigmoid(x);
        return s * (v_set(1.0f) - s);
    }
    case CG_ACT_NONE:
        break;
    }
    return v_set(1.0f);
}

/* Of some elements: how many, their mean, the sum of squared differences from it. */
typedef struct {
    double count, mean, m2;
} Moments;

static void moments_merge(Moments *a, const Moments *b)
{
    double count = a->count + b->count, delta = b->mean - a->mean;
    if (b->count == 0)
        return;
    a->mean += delta * b->count / count;
    a->m2 += b->m2 + delta * delta * a->count * b->count / count;
    a->count = count;
}

/* From sums of d = x - SHIFT and of d^2. */
static Moments moments_from_sums(double count, double shift, double sum, double square)
{
    double mean = sum / count;
    return (Moments){count, shift + mean, square - sum * mean};
}

/* ---- group norm ---------------------------------------------------------------------------- */

/* The shift of a task is the mean of its first 1/SHIFT_PART. Were that part far from the rest, the
 * variance would be large too: (mean - shift)^2 <= (SHIFT_PART - 1) variance, so cancellation costs
 * at most SHIFT_PART roundings. */
#define SHIFT_PART 16
/* What a last-level cache may hold. */
#define CACHE_BYTES ((size_t)24 << 20)
/* Rows that are summed in f32 before the sums go into doubles. */
#define FLUSH_ROWS 128

typedef struct {
    CgDType t;
    const void *x;
    void *y;
    size_t n, rows, c, groups; /* rows: positions of one sample */
    size_t task_rows, tasks;   /* of one sample */
    gboolean from_memory;      /* x is too large to be in a cache */
    float eps;
    CgActivation act;
    const float *gamma, *beta;
    Moments *moments; /* [n, tasks, groups]; merged, they are in the first task's */
    float *channels;  /* [n, 3, c]: mean, scale, offset; see normalise_step */
    double *sums;     /* [threads, 4, c]: see Sums */
} GroupNorm;

/* Per channel, of one thread's current task. */
typedef struct {
    double *sum, *square; /* of d = x - shift and d^2 */
    float *shift;
    float *part_sum, *part_square; /* of the rows since the last flush */
} Sums;

/* sum[i..] += d, square[i..] += d^2 over R rows of C elements from AT, d = x - shift. */
VINLINE void sum_step(CgDType t, const void *x, size_t at, size_t c, size_t r, const Sums *s,
                      size_t i, size_t k)
{
    V shift = v_load(CG_F32, s->shift, i, k);
    V sum = v_load(CG_F32, s->part_sum, i, k), square = v_load(CG_F32, s->part_square, i, k);
#pragma GCC unroll 4
    for (size_t j = 0; j < r; j++) {
        size_t from = at + j * c + i;
        __builtin_prefetch((const char *)x +
                           (from + 4 * c) * (t == CG_F32 ? sizeof(float) : sizeof(uint16_t)));
        V d = v_load(t, x, from, k) - shift;
        sum += d;
        square += d * d;
    }
    v_store(CG_F32, s->part_sum, i, k, sum);
    v_store(CG_F32, s->part_square, i, k, square);
}

/* R rows side by side share the traffic to the sums. That is faster while x comes from a cache;
 * memory wants to be read in order, one row after the other. The sums are the same. */
VINLINE void sum_rows_typed(CgDType t, const void *x, size_t at, size_t c, size_t rows, size_t r,
                            const Sums *s)
{
    for (; rows >= r; rows -= r, at += r * c)
        V_FOR(c, sum_step(t, x, at, c, r, s, i, k));
    for (; rows; rows--, at += c)
        V_FOR(c, sum_step(t, x, at, c, 1, s, i, k));
}

/* Adds ROWS rows from element AT to the sums. */
static void sum_rows(const GroupNorm *g, size_t at, size_t rows, const Sums *s)
{
    while (rows) {
        size_t some = MIN(rows, FLUSH_ROWS);
        if (g->t == CG_F32 && g->from_memory)
            sum_rows_typed(CG_F32, g->x, at, g->c, some, 1, s);
        else if (g->t == CG_F32)
            sum_rows_typed(CG_F32, g->x, at, g->c, some, 4, s);
        else if (g->from_memory)
            sum_rows_typed(CG_BF16, g->x, at, g->c, some, 1, s);
        else
            sum_rows_typed(CG_BF16, g->x, at, g->c, some, 4, s);
#pragma omp simd
        for (size_t i = 0; i < g->c; i++) {
            s->sum[i] += s->part_sum[i];
            s->square[i] += s->part_square[i];
            s->part_sum[i] = s->part_square[i] = 0;
        }
        rows -= some;
        at += some * g->c;
    }
}

static double sum_of(const double *f, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += f[i];
    return sum;
}

static void task_moments(const GroupNorm *g, size_t sample, size_t task, double *buffer)
{
    size_t c = g->c, width = c / g->groups;
    Moments *moments = g->moments + (sample * g->tasks + task) * g->groups;
    size_t first = task * g->task_rows, rows = MIN(g->task_rows, g->rows - first);
    size_t at = (sample * g->rows + first) * c;
    float *floats = (float *)(buffer + 2 * c);
    Sums s = {buffer, buffer + c, floats, floats + c, floats + 2 * c};

    memset(buffer, 0, 4 * c * sizeof *buffer);
    size_t part = MIN(rows, MAX(g->task_rows / SHIFT_PART, 4));
    sum_rows(g, at, part, &s);
    for (size_t j = 0; j < g->groups; j++) {
        float mean = (float)(sum_of(s.sum + j * width, width) / (double)(part * width));
        for (size_t i = j * width; i < (j + 1) * width; i++)
            s.shift[i] = mean;
    }
    memset(buffer, 0, 2 * c * sizeof *buffer);
    sum_rows(g, at, rows, &s);
    for (size_t j = 0; j < g->groups; j++) {
        size_t i = j * width;
        moments[j] = moments_from_sums((double)(rows * width), s.shift[i], sum_of(s.sum + i, width),
                                       sum_of(s.square + i, width));
    }
}

/* Merges the tasks of one sample and prepares its channels. */
static void sample_channels(const GroupNorm *g, size_t sample)
{
    Moments *all = g->moments + sample * g->tasks * g->groups;
    float *mean = g->channels + sample * 3 * g->c, *scale = mean + g->c, *offset = scale + g->c;
    size_t width = g->c / g->groups;
    for (size_t j = 0; j < g->groups; j++) {
        Moments m = all[j];
        for (size_t task = 1; task < g->tasks; task++)
            moments_merge(&m, &all[task * g->groups + j]);
        all[j] = m;
        double deviation = sqrt(m.m2 / m.count + g->eps);
        for (size_t i = j * width; i < (j + 1) * width; i++) {
            double s = g->gamma[i] / deviation;
            mean[i] = (float)m.mean;
            scale[i] = (float)s;
            offset[i] = (float)(g->beta[i] - (m.mean - (float)m.mean) * s);
        }
    }
}

/* x - mean is exact where it matters, near the mean; what the mean lost in rounding to f32 is part
 * of the offset. */
VINLINE void normalise_step(CgDType t, CgActivation act, const void *x, void *y, size_t at,
                            const float *channels, size_t c, size_t i, size_t k)
{
    V v = v_load(t, x, at + i, k) - v_load(CG_F32, channels, i, k);
    v = v * v_load(CG_F32, channels, c + i, k) + v_load(CG_F32, channels, 2 * c + i, k);
    v_store(t, y, at + i, k, activate_vector(act, v));
}

VINLINE void normalise_rows(CgDType t, CgActivation act, const GroupNorm *g, const float *channels,
                            size_t at, size_t rows)
{
    for (; rows; rows--, at += g->c)
        V_FOR(g->c, normalise_step(t, act, g->x, g->y, at, channels, g->c, i, k));
}

static void task_normalise(const GroupNorm *g, size_t sample, size_t task)
{
    size_t first = task * g->task_rows;
    size_t rows = MIN(g->task_rows, g->rows - first), at = (sample * g->rows + first) * g->c;
    const float *channels = g->channels + sample * 3 * g->c;
#define CASE(t, act)                                                                               \
    case act:                                                                                      \
        normalise_rows(t, act, g, channels, at, rows);                                             \
        break;
#define CASES(t)                                                                                   \
    switch (g->act) {                                                                              \
        CASE(t, CG_ACT_NONE)                                                                       \
        CASE(t, CG_ACT_SILU)                                                                       \
        CASE(t, CG_ACT_GELU)                                                                       \
        CASE(t, CG_ACT_QUICK_GELU)                                                                 \
        CASE(t, CG_ACT_RELU)                                                                       \
        CASE(t, CG_ACT_SIGMOID)                                                                    \
    }
    if (g->t == CG_F32)
        CASES(CG_F32)
    else
        CASES(CG_BF16)
#undef CASES
#undef CASE
}

static void group_norm_run(const GroupNorm *g, int threads)
{
    size_t all = g->n * g->tasks;
#pragma omp parallel num_threads(threads)
    {
        size_t thread = (size_t)omp_get_thread_num(), count = (size_t)omp_get_num_threads();
        size_t first = all * thread / count, last = all * (thread + 1) / count;
        for (size_t i = first; i < last; i++)
            task_moments(g, i / g->tasks, i % g->tasks, g->sums + thread * 4 * g->c);
#pragma omp barrier
#pragma omp for schedule(static)
        for (size_t i = 0; i < g->n; i++)
            sample_channels(g, i);
        /* Backwards: what this thread read last is still in its cache. */
        for (size_t i = last; i > first; i--)
            task_normalise(g, (i - 1) / g->tasks, (i - 1) % g->tasks);
    }
}

/* x as SAMPLES samples. What follows from the arguments; the rest is 0. */
static GroupNorm group_norm_of(const CgTensor *x, size_t samples, size_t groups, float eps,
                               const CgTensor *gamma, const CgTensor *beta, CgActivation act)
{
    GroupNorm g = {.t = x->dtype,
                   .x = x->data,
                   .n = samples,
                   .c = work_columns(x),
                   .groups = groups,
                   .eps = eps,
                   .act = act,
                   .gamma = cg_tensor_f32(gamma),
                   .beta = cg_tensor_f32(beta)};
    g.rows = x->count / (g.n * g.c);
    size_t row_bytes = g.c * cg_dtype_size(g.t);
    g.from_memory = g.n * g.rows * row_bytes > CACHE_BYTES;
    g.task_rows = work_task_rows(g.rows, row_bytes);
    g.tasks = (g.rows + g.task_rows - 1) / g.task_rows;
    return g;
}

static void group_norm_start(CgPool *pool, GroupNorm *g)
{
    int threads = work_threads(g->n * g->rows * g->c);
    size_t moments = g->n * g->tasks * g->groups * sizeof(Moments);
    size_t sums = (size_t)threads * 4 * g->c * sizeof(double);
    g->moments = cg_pool_scratch(pool, moments + sums + g->n * 3 * g->c * sizeof(float));
    g->sums = (double *)((char *)g->moments + moments);
    g->channels = (float *)((char *)g->sums + sums);
    group_norm_run(g, threads);
}

static void group_norm(CgPool *pool, const CgTensor *x, int groups, float eps,
                       const CgTensor *gamma, const CgTensor *beta, CgActivation act, CgTensor *y)
{
    cg_check_group_norm(x, groups, gamma, beta, y);
    if (x->count == 0)
        return;
    GroupNorm g = group_norm_of(x, (size_t)x->shape.d[0], (size_t)groups, eps, gamma, beta, act);
    g.y = y->data;
    group_norm_start(pool, &g);
}

/* ---- batch norm ---------------------------------------------------------------------------- */

/* Group norm of all samples as one, a channel a group. */
static void batch_norm(CgPool *pool, const CgTensor *x, float eps, const CgTensor *gamma,
                       const CgTensor *beta, CgActivation act, float momentum,
                       CgTensor *running_mean, CgTensor *running_variance, CgTensor *y)
{
    cg_check_batch_norm(x, gamma, beta, running_mean, running_variance, y);
    if (x->count == 0)
        return;
    GroupNorm g = group_norm_of(x, 1, work_columns(x), eps, gamma, beta, act);
    g.y = y->data;
    group_norm_start(pool, &g);
    double share = momentum;
    for (size_t i = 0; i < g.c; i++) {
        float *mean = running_mean ? cg_tensor_f32(running_mean) + i : NULL;
        float *variance = running_variance ? cg_tensor_f32(running_variance) + i : NULL;
        double unbiased = g.moments[i].m2 / MAX(g.moments[i].count - 1, 1);
        if (mean)
            *mean = (float)((1 - share) * *mean + share * g.moments[i].mean);
        if (variance)
            *variance = (float)((1 - share) * *variance + share * unbiased);
    }
}

static void batch_norm_fixed(CgPool *pool, const CgTensor *x, float eps, const CgTensor *gamma,
                             const CgTensor *beta, CgActivation act, const CgTensor *mean,
                             const CgTensor *variance, CgTensor *y)
{
    cg_check_batch_norm(x, gamma, beta, mean, variance, y);
    if (x->count == 0)
        return;
    GroupNorm g = group_norm_of(x, 1, work_columns(x), eps, gamma, beta, act);
    g.y = y->data;
    g.channels = cg_pool_scratch(pool, 3 * g.c * sizeof(float));
    for (size_t i = 0; i < g.c; i++) {
        g.channels[i] = cg_tensor_f32(mean)[i];
        g.channels[g.c + i] = (float)(g.gamma[i] / sqrt((double)cg_tensor_f32(variance)[i] + eps));
        g.channels[2 * g.c + i] = g.beta[i];
    }
#pragma omp parallel for schedule(static) num_threads(work_threads(x->count))
    for (size_t i = 0; i < g.tasks; i++)
        task_normalise(&g, 0, i);
}

/* ---- layer norm ---------------------------------------------------------------------------- */

/* The sums of d and d^2, d = x - shift, over one row. Four sums run side by side, as one would
 * wait for its own additions. */
VINLINE void row_sums(CgDType t, const void *x, size_t at, size_t c, float shift, double *sum,
                      double *square)
{
    V s[4] = {v_zero(), v_zero(), v_zero(), v_zero()}, q[4] = {s[0], s[0], s[0], s[0]};
    size_t i = 0;
    for (; i + 4 * VW <= c; i += 4 * VW) {
#pragma GCC unroll 4
        for (size_t j = 0; j < 4; j++) {
            V d = v_load(t, x, at + i + j * VW, VW) - shift;
            s[j] += d;
            q[j] += d * d;
        }
    }
    for (; i < c; i += VW) {
        size_t k = MIN(c - i, VW);
        V d = v_first_or(v_load(t, x, at + i, k) - shift, k, 0.0f);
        s[0] += d;
        q[0] += d * d;
    }
    *sum = v_sum((s[0] + s[1]) + (s[2] + s[3]));
    *square = v_sum((q[0] + q[1]) + (q[2] + q[3]));
}

VINLINE void layer_norm_step(CgDType t, const void *x, void *y, size_t at, float mean, float scale,
                             float offset, const float *gamma, const float *beta, size_t i,
                             size_t k)
{
    V v = (v_load(t, x, at + i, k) - mean) * scale + offset;
    v_store(t, y, at + i, k, v * v_load(CG_F32, gamma, i, k) + v_load(CG_F32, beta, i, k));
}

VINLINE void layer_norm_row(CgDType t, const void *x, void *y, size_t at, size_t c, float eps,
                            const float *gamma, const float *beta)
{
    double sum, square;
    row_sums(t, x, at, c, 0.0f, &sum, &square);
    float shift = (float)(sum / (double)c);
    row_sums(t, x, at, c, shift, &sum, &square);
    Moments m = moments_from_sums((double)c, shift, sum, square);
    double scale = 1 / sqrt(m.m2 / m.count + eps);
    float mean = (float)m.mean, offset = (float)((mean - m.mean) * scale);
    V_FOR(c, layer_norm_step(t, x, y, at, mean, (float)scale, offset, gamma, beta, i, k));
}

static void layer_norm(const CgTensor *x, float eps, const CgTensor *gamma, const CgTensor *beta,
                       CgTensor *y)
{
    cg_check_layer_norm(x, gamma, beta, y);
    size_t c = work_columns(x), rows = work_rows(x);
    const float *ga = cg_tensor_f32(gamma), *be = cg_tensor_f32(beta);
#pragma omp parallel for schedule(static) num_threads(work_threads(x->count))
    for (size_t r = 0; r < rows; r++) {
        if (x->dtype == CG_F32)
            layer_norm_row(CG_F32, x->data, y->data, r * c, c, eps, ga, be);
        else
            layer_norm_row(CG_BF16, x->data, y->data, r * c, c, eps, ga, be);
    }
}

/* ---- softmax ------------------------------------------------------------------------------- */

VINLINE void softmax_row(CgDType t, const void *x, void *y, size_t at, size_t c)
{
    V most = v_set(-INFINITY);
    V_FOR(c, most = v_max(v_first_or(v_load(t, x, at + i, k), k, -INFINITY), most));
    float top = v_largest(most);
    V sum = v_zero();
    V_FOR(c, sum += v_first_or(v_exp(v_load(t, x, at + i, k) - top), k, 0.0f));
    /* The exponentials are computed again rather than kept: y may be bf16. */
    float scale = 1.0f / v_sum(sum);
    V_FOR(c, v_store(t, y, at + i, k, v_exp(v_load(t, x, at + i, k) - top) * scale));
}

static void softmax(const CgTensor *x, CgTensor *y)
{
    cg_check_same("softmax", x, y);
    size_t c = work_columns(x), rows = work_rows(x);
#pragma omp parallel for schedule(static) num_threads(work_threads(x->count))
    for (size_t r = 0; r < rows; r++) {
        if (x->dtype == CG_F32)
            softmax_row(CG_F32, x->data, y->data, r * c, c);
        else
            softmax_row(CG_BF16, x->data, y->data, r * c, c);
    }
}
