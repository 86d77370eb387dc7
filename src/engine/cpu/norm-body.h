/* norm-body: group norm, layer norm and softmax, compiled once per instruction set.
 *
 * Means and variances survive |mean| >> deviation: a chunk of rows is read twice, the second time
 * from the cache and relative to its own mean (the corrected two-pass algorithm), chunks are
 * merged in double (Chan, Golub, LeVeque 1979), and the mean is subtracted in two parts.
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
    case CG_ACT_NONE:
        break;
    }
    return x;
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
    return (Moments){count, shift + sum / count, square - sum * sum / count};
}

/* ---- group norm ---------------------------------------------------------------------------- */

/* Bytes of a chunk: it stays in the second-level cache, if not the first, for its second reading.
 */
#define CHUNK_BYTES 65536
/* A task is a run of chunks of one sample. Tasks depend on the shape alone, not on the threads. */
#define TASKS_MAX 128

typedef struct {
    CgDType t;
    const void *x;
    void *y;
    size_t n, rows, c, groups; /* rows: positions of one sample */
    size_t chunk_rows, task_rows, tasks;
    float eps;
    CgActivation act;
    const float *gamma, *beta;
    Moments *moments; /* [n, tasks, groups] */
    float *channels;  /* [n, 3, c]: mean, scale, offset; see normalise_step */
    float *sums;      /* [threads, 3, c]: mean, sum, square; see difference_step */
} GroupNorm;

/* sum[i..] += elements of R rows of C from AT. */
VINLINE void sum_step(CgDType t, const void *x, size_t at, size_t c, int r, float *sum, size_t i,
                      size_t k)
{
    V s = v_load(CG_F32, sum, i, k);
#pragma GCC unroll 4
    for (int j = 0; j < r; j++)
        s += v_load(t, x, at + (size_t)j * c + i, k);
    v_store(CG_F32, sum, i, k, s);
}

/* sum[i..] += d, square[i..] += d^2 over R rows, d = x - mean. */
VINLINE void difference_step(CgDType t, const void *x, size_t at, size_t c, int r,
                             const float *mean, float *sum, float *square, size_t i, size_t k)
{
    V m = v_load(CG_F32, mean, i, k);
    V s = v_load(CG_F32, sum, i, k), q = v_load(CG_F32, square, i, k);
#pragma GCC unroll 4
    for (int j = 0; j < r; j++) {
        V d = v_load(t, x, at + (size_t)j * c + i, k) - m;
        s += d;
        q += d * d;
    }
    v_store(CG_F32, sum, i, k, s);
    v_store(CG_F32, square, i, k, q);
}

/* Four rows at a time: four streams from memory, a quarter of the traffic to the sums. */
VINLINE void sum_rows(CgDType t, const void *x, size_t at, size_t c, size_t rows, float *sum)
{
    for (; rows >= 4; rows -= 4, at += 4 * c)
        V_FOR(c, sum_step(t, x, at, c, 4, sum, i, k));
    for (; rows; rows--, at += c)
        V_FOR(c, sum_step(t, x, at, c, 1, sum, i, k));
}

VINLINE void sum_differences(CgDType t, const void *x, size_t at, size_t c, size_t rows,
                             const float *mean, float *sum, float *square)
{
    for (; rows >= 4; rows -= 4, at += 4 * c)
        V_FOR(c, difference_step(t, x, at, c, 4, mean, sum, square, i, k));
    for (; rows; rows--, at += c)
        V_FOR(c, difference_step(t, x, at, c, 1, mean, sum, square, i, k));
}

static double sum_of(const float *f, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += f[i];
    return sum;
}

/* Adds ROWS rows from element AT to the groups' moments. SUMS: [3, c]. */
VINLINE void chunk_moments(const GroupNorm *g, CgDType t, size_t at, size_t rows, float *sums,
                           Moments *moments)
{
    float *mean = sums, *sum = sums + g->c, *square = sums + 2 * g->c;
    size_t width = g->c / g->groups;
    memset(sum, 0, 2 * g->c * sizeof *sum);
    sum_rows(t, g->x, at, g->c, rows, sum);
    for (size_t j = 0; j < g->groups; j++) {
        float m = (float)(sum_of(sum + j * width, width) / (double)(rows * width));
        for (size_t i = j * width; i < (j + 1) * width; i++)
            mean[i] = m;
    }
    memset(sum, 0, g->c * sizeof *sum);
    sum_differences(t, g->x, at, g->c, rows, mean, sum, square);
    for (size_t j = 0; j < g->groups; j++) {
        size_t i = j * width;
        Moments m = moments_from_sums((double)(rows * width), mean[i], sum_of(sum + i, width),
                                      sum_of(square + i, width));
        moments_merge(&moments[j], &m);
    }
}

static void task_moments(const GroupNorm *g, size_t sample, size_t task, float *sums)
{
    Moments *moments = g->moments + (sample * g->tasks + task) * g->groups;
    memset(moments, 0, g->groups * sizeof *moments);
    size_t last = MIN((task + 1) * g->task_rows, g->rows);
    for (size_t r = task * g->task_rows; r < last; r += g->chunk_rows) {
        size_t at = (sample * g->rows + r) * g->c, rows = MIN(g->chunk_rows, last - r);
        if (g->t == CG_F32)
            chunk_moments(g, CG_F32, at, rows, sums, moments);
        else
            chunk_moments(g, CG_BF16, at, rows, sums, moments);
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
    if (first >= g->rows)
        return;
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
            task_moments(g, i / g->tasks, i % g->tasks, g->sums + thread * 3 * g->c);
#pragma omp barrier
#pragma omp for schedule(static)
        for (size_t i = 0; i < g->n; i++)
            sample_channels(g, i);
        /* Backwards: what this thread read last is still in its cache. */
        for (size_t i = last; i > first; i--)
            task_normalise(g, (i - 1) / g->tasks, (i - 1) % g->tasks);
    }
}

static void group_norm(CgPool *pool, const CgTensor *x, int groups, float eps,
                       const CgTensor *gamma, const CgTensor *beta, CgActivation act, CgTensor *y)
{
    cg_check_group_norm(x, groups, gamma, beta, y);
    if (x->count == 0)
        return;
    GroupNorm g = {.t = x->dtype,
                   .x = x->data,
                   .y = y->data,
                   .n = (size_t)x->shape.d[0],
                   .c = work_columns(x),
                   .groups = (size_t)groups,
                   .eps = eps,
                   .act = act,
                   .gamma = cg_tensor_f32(gamma),
                   .beta = cg_tensor_f32(beta)};
    g.rows = x->count / (g.n * g.c);
    size_t row_bytes = g.c * cg_dtype_size(g.t);
    g.chunk_rows = CLAMP(CHUNK_BYTES / row_bytes, 4, 256);
    size_t chunks = (g.rows + g.chunk_rows - 1) / g.chunk_rows;
    size_t task_chunks = (chunks + TASKS_MAX - 1) / TASKS_MAX;
    g.task_rows = task_chunks * g.chunk_rows;
    g.tasks = (chunks + task_chunks - 1) / task_chunks;

    int threads = work_threads(x->count);
    size_t moments = g.n * g.tasks * g.groups * sizeof(Moments);
    size_t channels = g.n * 3 * g.c, sums = (size_t)threads * 3 * g.c;
    g.moments = cg_pool_scratch(pool, moments + (channels + sums) * sizeof(float));
    g.channels = (float *)((char *)g.moments + moments);
    g.sums = g.channels + channels;
    group_norm_run(&g, threads);
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
