/* norm-backward-body: backward of group norm, layer norm and softmax, compiled once per instruction
 * set. Follows norm-body.h.
 *
 * With u = (x - mean) / deviation and dz the gradient of u gamma + beta, dbeta = sum(dz), dgamma =
 * sum(dz u), and dx = (d - mean(d) - u mean(d u)) / deviation where d = dz gamma.
 */

/* gradient[i] += sums[i]. */
static void add_sums(CgTensor *gradient, const double *sums)
{
    for (size_t i = 0; gradient && i < gradient->count; i++)
        cg_tensor_f32(gradient)[i] = (float)(cg_tensor_f32(gradient)[i] + sums[i]);
}

/* ---- group norm ---------------------------------------------------------------------------- */

typedef struct {
    GroupNorm g;
    const void *dy;
    void *dx;
    double *totals; /* [n, tasks, 2, c]: sums of dz and of dz (x - mean) */
    float *slopes;  /* [n, 3, c]: dx = dz [0] - (x - mean) [1] - [2] */
} GroupNormBackward;

/* dz of elements I.. of the row from AT; X_MINUS_MEAN is written too. */
VINLINE V group_norm_dz(CgDType t, CgActivation act, const GroupNormBackward *b,
                        const float *channels, size_t at, size_t i, size_t k, V *x_minus_mean)
{
    size_t c = b->g.c;
    V dy = v_load(t, b->dy, at + i, k);
    *x_minus_mean = v_load(t, b->g.x, at + i, k) - v_load(CG_F32, channels, i, k);
    if (act == CG_ACT_NONE)
        return dy;
    V z =
        *x_minus_mean * v_load(CG_F32, channels, c + i, k) + v_load(CG_F32, channels, 2 * c + i, k);
    return dy * slope_vector(act, z);
}

VINLINE void group_norm_sum_step(CgDType t, CgActivation act, const GroupNormBackward *b,
                                 const float *channels, size_t at, size_t rows, float *parts,
                                 size_t i, size_t k)
{
    size_t c = b->g.c;
    V sum = v_load(CG_F32, parts, i, k), product = v_load(CG_F32, parts, c + i, k), x;
    for (size_t r = 0; r < rows; r++) {
        V dz = group_norm_dz(t, act, b, channels, at + r * c, i, k, &x);
        sum += dz;
        product += dz * x;
    }
    v_store(CG_F32, parts, i, k, sum);
    v_store(CG_F32, parts, c + i, k, product);
}

/* Adds ROWS rows from AT to PARTS [2, c]. */
VINLINE void group_norm_sum_rows(CgDType t, CgActivation act, const GroupNormBackward *b,
                                 const float *channels, size_t at, size_t rows, float *parts)
{
    size_t c = b->g.c;
    for (; act == CG_ACT_NONE && rows >= 4; rows -= 4, at += 4 * c)
        V_FOR(c, group_norm_sum_step(t, act, b, channels, at, 4, parts, i, k));
    for (; rows; rows--, at += c)
        V_FOR(c, group_norm_sum_step(t, act, b, channels, at, 1, parts, i, k));
}

VINLINE void group_norm_data_step(CgDType t, CgActivation act, const GroupNormBackward *b,
                                  const float *channels, const float *slopes, size_t at, size_t i,
                                  size_t k)
{
    V x, dz = group_norm_dz(t, act, b, channels, at, i, k, &x);
    size_t c = b->g.c;
    v_store(t, b->dx, at + i, k,
            dz * v_load(CG_F32, slopes, i, k) - x * v_load(CG_F32, slopes, c + i, k) -
                v_load(CG_F32, slopes, 2 * c + i, k));
}

VINLINE void group_norm_data_rows(CgDType t, CgActivation act, const GroupNormBackward *b,
                                  const float *channels, const float *slopes, size_t at,
                                  size_t rows)
{
    for (; rows; rows--, at += b->g.c)
        V_FOR(b->g.c, group_norm_data_step(t, act, b, channels, slopes, at, i, k));
}

/* CALL sees T, and ACT when it is none, as constants. The other activations stay one code that
 * branches: a code for each would be ten times as much to compile, and their arithmetic hides the
 * branch. */
#define GROUP_NORM_CASES(t, act, call)                                                             \
    {                                                                                              \
        const CgDType T = t;                                                                       \
        if ((act) == CG_ACT_NONE) {                                                                \
            const CgActivation ACT = CG_ACT_NONE;                                                  \
            call;                                                                                  \
        } else {                                                                                   \
            const CgActivation ACT = act;                                                          \
            call;                                                                                  \
        }                                                                                          \
    }
#define GROUP_NORM_TYPED(g, call)                                                                  \
    do {                                                                                           \
        if ((g)->t == CG_F32)                                                                      \
            GROUP_NORM_CASES(CG_F32, (g)->act, call)                                               \
        else                                                                                       \
            GROUP_NORM_CASES(CG_BF16, (g)->act, call)                                              \
    } while (0)

/* PARTS: [2, c] floats. */
static void group_norm_task_sums(const GroupNormBackward *b, size_t sample, size_t task,
                                 float *parts)
{
    const GroupNorm *g = &b->g;
    const float *channels = g->channels + sample * 3 * g->c;
    double *totals = b->totals + (sample * g->tasks + task) * 2 * g->c;
    size_t first = task * g->task_rows, rows = MIN(g->task_rows, g->rows - first);
    size_t at = (sample * g->rows + first) * g->c;
    memset(totals, 0, 2 * g->c * sizeof *totals);
    memset(parts, 0, 2 * g->c * sizeof *parts);
    while (rows) {
        size_t some = MIN(rows, FLUSH_ROWS);
        GROUP_NORM_TYPED(g, group_norm_sum_rows(T, ACT, b, channels, at, some, parts));
#pragma omp simd
        for (size_t i = 0; i < 2 * g->c; i++) {
            totals[i] += parts[i];
            parts[i] = 0;
        }
        rows -= some;
        at += some * g->c;
    }
}

/* Merges the tasks of one sample into the first, and prepares its slopes. */
static void group_norm_sample_slopes(const GroupNormBackward *b, size_t sample)
{
    const GroupNorm *g = &b->g;
    size_t c = g->c, width = c / g->groups;
    double *totals = b->totals + sample * g->tasks * 2 * c;
    const Moments *moments = g->moments + sample * g->tasks * g->groups;
    float *slopes = b->slopes + sample * 3 * c;
    for (size_t task = 1; task < g->tasks; task++)
        for (size_t i = 0; i < 2 * c; i++)
            totals[i] += totals[task * 2 * c + i];
    for (size_t j = 0; j < g->groups; j++) {
        double scale = 1 / sqrt(moments[j].m2 / moments[j].count + g->eps);
        /* What the mean lost in rounding to f32. */
        double rest = moments[j].mean - g->channels[sample * 3 * c + j * width];
        double sum = 0, product = 0;
        for (size_t i = j * width; i < (j + 1) * width; i++) {
            totals[c + i] = (totals[c + i] - rest * totals[i]) * scale; /* sum of dz u */
            sum += totals[i] * g->gamma[i];
            product += totals[c + i] * g->gamma[i];
        }
        double across = scale * scale * product / moments[j].count;
        double along = scale * sum / moments[j].count - across * rest;
        for (size_t i = j * width; i < (j + 1) * width; i++) {
            slopes[i] = (float)(g->gamma[i] * scale);
            slopes[c + i] = (float)across;
            slopes[2 * c + i] = (float)along;
        }
    }
}

static void group_norm_task_data(const GroupNormBackward *b, size_t sample, size_t task)
{
    const GroupNorm *g = &b->g;
    const float *channels = g->channels + sample * 3 * g->c;
    const float *slopes = b->slopes + sample * 3 * g->c;
    size_t first = task * g->task_rows, rows = MIN(g->task_rows, g->rows - first);
    size_t at = (sample * g->rows + first) * g->c;
    GROUP_NORM_TYPED(g, group_norm_data_rows(T, ACT, b, channels, slopes, at, rows));
}

static void group_norm_backward_run(const GroupNormBackward *b, int threads)
{
    const GroupNorm *g = &b->g;
    size_t all = g->n * g->tasks;
#pragma omp parallel num_threads(threads)
    {
        size_t thread = (size_t)omp_get_thread_num(), count = (size_t)omp_get_num_threads();
        size_t first = all * thread / count, last = all * (thread + 1) / count;
        double *buffer = g->sums + thread * 4 * g->c;
        for (size_t i = first; i < last; i++)
            task_moments(g, i / g->tasks, i % g->tasks, buffer);
#pragma omp barrier
#pragma omp for schedule(static)
        for (size_t i = 0; i < g->n; i++)
            sample_channels(g, i);
        for (size_t i = last; i > first; i--)
            group_norm_task_sums(b, (i - 1) / g->tasks, (i - 1) % g->tasks, (float *)buffer);
#pragma omp barrier
#pragma omp for schedule(static)
        for (size_t i = 0; i < g->n; i++)
            group_norm_sample_slopes(b, i);
        for (size_t i = first; i < last; i++)
            group_norm_task_data(b, i / g->tasks, i % g->tasks);
    }
}

/* x as SAMPLES samples. */
static void norm_backward(CgPool *pool, const CgTensor *x, size_t samples, size_t groups, float eps,
                          const CgTensor *gamma, const CgTensor *beta, CgActivation act,
                          const CgTensor *dy, CgTensor *dx, CgTensor *dgamma, CgTensor *dbeta)
{
    cg_check_same("norm backward", x, dx);
    cg_check_gradient("dgamma", dgamma, work_columns(x));
    cg_check_gradient("dbeta", dbeta, work_columns(x));
    if (x->count == 0)
        return;
    GroupNormBackward b = {.g = group_norm_of(x, samples, groups, eps, gamma, beta, act),
                           .dy = dy->data,
                           .dx = dx->data};
    GroupNorm *g = &b.g;
    int threads = work_threads(x->count);
    size_t moments = g->n * g->tasks * g->groups * sizeof(Moments);
    size_t sums = (size_t)threads * 4 * g->c, totals = g->n * g->tasks * 2 * g->c;
    size_t channels = g->n * 3 * g->c;
    g->moments = cg_pool_scratch(pool, moments + (sums + totals) * sizeof(double) +
                                           2 * channels * sizeof(float));
    g->sums = (double *)((char *)g->moments + moments);
    b.totals = g->sums + sums;
    g->channels = (float *)(b.totals + totals);
    b.slopes = g->channels + channels;
    group_norm_backward_run(&b, threads);
    for (size_t n = 0; n < g->n; n++) {
        const double *sample = b.totals + n * g->tasks * 2 * g->c;
        add_sums(dbeta, sample);
        add_sums(dgamma, sample + g->c);
    }
}

static void group_norm_backward(CgPool *pool, const CgTensor *x, int groups, float eps,
                                const CgTensor *gamma, const CgTensor *beta, CgActivation act,
                                const CgTensor *dy, CgTensor *dx, CgTensor *dgamma, CgTensor *dbeta)
{
    cg_check_group_norm(x, groups, gamma, beta, dy);
    norm_backward(pool, x, (size_t)x->shape.d[0], (size_t)groups, eps, gamma, beta, act, dy, dx,
                  dgamma, dbeta);
}

static void batch_norm_backward(CgPool *pool, const CgTensor *x, float eps, const CgTensor *gamma,
                                const CgTensor *beta, CgActivation act, const CgTensor *dy,
                                CgTensor *dx, CgTensor *dgamma, CgTensor *dbeta)
{
    cg_check_batch_norm(x, gamma, beta, NULL, NULL, dy);
    norm_backward(pool, x, 1, work_columns(x), eps, gamma, beta, act, dy, dx, dgamma, dbeta);
}

/* ---- layer norm ---------------------------------------------------------------------------- */

/* dx of a row and its part of the sums. PARTS [2, c]: of dz, of dz u. */
VINLINE void layer_norm_backward_row(CgDType t, const void *x, const void *dy, void *dx, size_t at,
                                     size_t c, float eps, const float *gamma, float *parts)
{
    double sum, square;
    row_sums(t, x, at, c, 0.0f, &sum, &square);
    float shift = (float)(sum / (double)c);
    row_sums(t, x, at, c, shift, &sum, &square);
    Moments m = moments_from_sums((double)c, shift, sum, square);
    double deviation = 1 / sqrt(m.m2 / m.count + eps);
    float mean = (float)m.mean, scale = (float)deviation;
    float offset = (float)((mean - m.mean) * deviation);
    V total = v_zero(), product = v_zero();
#define STEP                                                                                       \
    {                                                                                              \
        V u = v_first_or((v_load(t, x, at + i, k) - mean) * scale + offset, k, 0.0f);              \
        V dz = v_load(t, dy, at + i, k), d = dz * v_load(CG_F32, gamma, i, k);                     \
        v_store(CG_F32, parts, i, k, v_load(CG_F32, parts, i, k) + dz);                            \
        v_store(CG_F32, parts, c + i, k, v_load(CG_F32, parts, c + i, k) + dz * u);                \
        total += d;                                                                                \
        product += d * u;                                                                          \
    }
    V_FOR(c, STEP);
#undef STEP
    float along = v_sum(total) / (float)c, across = v_sum(product) / (float)c;
#define STEP                                                                                       \
    {                                                                                              \
        V u = (v_load(t, x, at + i, k) - mean) * scale + offset;                                   \
        V d = v_load(t, dy, at + i, k) * v_load(CG_F32, gamma, i, k);                              \
        v_store(t, dx, at + i, k, (d - along - u * across) * scale);                               \
    }
    V_FOR(c, STEP);
#undef STEP
}

/* Rows of one task. TOTALS [2, c]; PARTS as above. */
static void layer_norm_backward_task(const CgTensor *x, const CgTensor *dy, CgTensor *dx,
                                     size_t first, size_t rows, float eps, const float *gamma,
                                     double *totals, float *parts)
{
    size_t c = work_columns(x);
    memset(totals, 0, 2 * c * sizeof *totals);
    while (rows) {
        size_t some = MIN(rows, FLUSH_ROWS);
        memset(parts, 0, 2 * c * sizeof *parts);
        for (size_t r = first; r < first + some; r++)
            if (x->dtype == CG_F32)
                layer_norm_backward_row(CG_F32, x->data, dy->data, dx->data, r * c, c, eps, gamma,
                                        parts);
            else
                layer_norm_backward_row(CG_BF16, x->data, dy->data, dx->data, r * c, c, eps, gamma,
                                        parts);
#pragma omp simd
        for (size_t i = 0; i < 2 * c; i++)
            totals[i] += parts[i];
        rows -= some;
        first += some;
    }
}

static void layer_norm_backward(CgPool *pool, const CgTensor *x, float eps, const CgTensor *gamma,
                                const CgTensor *dy, CgTensor *dx, CgTensor *dgamma, CgTensor *dbeta)
{
    cg_check_layer_norm(x, gamma, gamma, dy);
    cg_check_same("layer norm backward", x, dx);
    size_t c = work_columns(x), rows = work_rows(x);
    cg_check_gradient("dgamma", dgamma, c);
    cg_check_gradient("dbeta", dbeta, c);
    if (x->count == 0)
        return;
    size_t task_rows = work_task_rows(rows, c * cg_dtype_size(x->dtype));
    size_t tasks = (rows + task_rows - 1) / task_rows;
    int threads = work_threads(x->count);
    double *totals = cg_pool_scratch(pool, tasks * 2 * c * sizeof(double) +
                                               (size_t)threads * 2 * c * sizeof(float));
    float *parts = (float *)(totals + tasks * 2 * c);
#pragma omp parallel for schedule(static) num_threads(threads)
    for (size_t i = 0; i < tasks; i++)
        layer_norm_backward_task(x, dy, dx, i * task_rows, MIN(task_rows, rows - i * task_rows),
                                 eps, cg_tensor_f32(gamma), totals + i * 2 * c,
                                 parts + (size_t)omp_get_thread_num() * 2 * c);
    for (size_t i = 1; i < tasks; i++)
        for (size_t j = 0; j < 2 * c; j++)
            totals[j] += totals[i * 2 * c + j];
    add_sums(dbeta, totals);
    add_sums(dgamma, totals + c);
}

/* ---- softmax ------------------------------------------------------------------------------- */

VINLINE void softmax_backward_row(CgDType t, const void *y, const void *dy, void *dx, size_t at,
                                  size_t c)
{
    V product = v_zero();
    V_FOR(c, product += v_load(t, y, at + i, k) * v_load(t, dy, at + i, k));
    float mean = v_sum(product);
    V_FOR(c,
          v_store(t, dx, at + i, k, v_load(t, y, at + i, k) * (v_load(t, dy, at + i, k) - mean)));
}

static void softmax_backward(const CgTensor *y, const CgTensor *dy, CgTensor *dx)
{
    cg_check_same("softmax backward", y, dy);
    cg_check_same("softmax backward", y, dx);
    size_t c = work_columns(y), rows = work_rows(y);
#pragma omp parallel for schedule(static) num_threads(work_threads(y->count))
    for (size_t r = 0; r < rows; r++) {
        if (y->dtype == CG_F32)
            softmax_backward_row(CG_F32, y->data, dy->data, dx->data, r * c, c);
        else
            softmax_backward_row(CG_BF16, y->data, dy->data, dx->data, r * c, c);
    }
}
