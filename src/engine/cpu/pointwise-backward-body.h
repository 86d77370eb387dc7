/* pointwise-backward-body: backward of activations, GEGLU, sums over positions and upsampling,
 * and the optimizer; compiled once per instruction set. Follows norm-backward-body.h. */

VINLINE void activate_backward_piece(CgDType t, CgActivation act, const void *x, const void *dy,
                                     void *dx, size_t at, size_t count)
{
    V_FOR(count, v_store(t, dx, at + i, k,
                         v_load(t, dy, at + i, k) * slope_vector(act, v_load(t, x, at + i, k))));
}

static void activate_backward(CgActivation act, const CgTensor *x, const CgTensor *dy, CgTensor *dx)
{
    cg_check_same("activate backward", x, dy);
    cg_check_same("activate backward", x, dx);
    size_t pieces = work_pieces(x->count);
#define CASE(a)                                                                                    \
    case a:                                                                                        \
        if (x->dtype == CG_F32)                                                                    \
            activate_backward_piece(CG_F32, a, x->data, dy->data, dx->data, at, count);            \
        else                                                                                       \
            activate_backward_piece(CG_BF16, a, x->data, dy->data, dx->data, at, count);           \
        break;
#pragma omp parallel for schedule(static) num_threads(work_threads(x->count))
    for (size_t p = 0; p < pieces; p++) {
        size_t at = p * WORK_PIECE, count = work_piece_length(x->count, p);
        switch (act) {
            CASE(CG_ACT_NONE)
            CASE(CG_ACT_SILU)
            CASE(CG_ACT_GELU)
            CASE(CG_ACT_QUICK_GELU)
            CASE(CG_ACT_RELU)
            CASE(CG_ACT_SIGMOID)
        }
    }
#undef CASE
}

VINLINE void geglu_backward_step(CgDType t, const void *x, const void *dy, void *dx, size_t row,
                                 size_t c, size_t i, size_t k)
{
    size_t value_at = row * 2 * c + i, gate_at = value_at + c;
    V value = v_load(t, x, value_at, k), gate = v_load(t, x, gate_at, k);
    V d = v_load(t, dy, row * c + i, k);
    v_store(t, dx, value_at, k, d * v_gelu(gate));
    v_store(t, dx, gate_at, k, d * value * v_gelu_slope(gate));
}

static void geglu_backward(const CgTensor *x, const CgTensor *dy, CgTensor *dx)
{
    cg_check_geglu(x, dy);
    cg_check_same("geglu backward", x, dx);
    size_t c = work_columns(dy), rows = work_rows(dy);
#pragma omp parallel for schedule(static) num_threads(work_threads(x->count))
    for (size_t r = 0; r < rows; r++) {
        if (x->dtype == CG_F32)
            V_FOR(c, geglu_backward_step(CG_F32, x->data, dy->data, dx->data, r, c, i, k));
        else
            V_FOR(c, geglu_backward_step(CG_BF16, x->data, dy->data, dx->data, r, c, i, k));
    }
}

/* ---- sums over rows ------------------------------------------------------------------------ */

VINLINE void column_step(CgDType t, const void *x, size_t at, size_t c, size_t rows, float *parts,
                         size_t i, size_t k)
{
    V sum = v_load(CG_F32, parts, i, k);
    for (size_t r = 0; r < rows; r++)
        sum += v_load(t, x, at + r * c + i, k);
    v_store(CG_F32, parts, i, k, sum);
}

VINLINE void column_rows(CgDType t, const void *x, size_t at, size_t c, size_t rows, float *parts)
{
    for (; rows >= 4; rows -= 4, at += 4 * c)
        V_FOR(c, column_step(t, x, at, c, 4, parts, i, k));
    for (; rows; rows--, at += c)
        V_FOR(c, column_step(t, x, at, c, 1, parts, i, k));
}

/* TOTALS [c] = the sums over ROWS rows from element AT. PARTS: [c]. */
static void column_task(const CgTensor *x, size_t at, size_t c, size_t rows, double *totals,
                        float *parts)
{
    memset(totals, 0, c * sizeof *totals);
    while (rows) {
        size_t some = MIN(rows, FLUSH_ROWS);
        memset(parts, 0, c * sizeof *parts);
        if (x->dtype == CG_F32)
            column_rows(CG_F32, x->data, at, c, some, parts);
        else
            column_rows(CG_BF16, x->data, at, c, some, parts);
#pragma omp simd
        for (size_t i = 0; i < c; i++)
            totals[i] += parts[i];
        rows -= some;
        at += some * c;
    }
}

static void column_sums(CgPool *pool, const CgTensor *x, size_t samples, float *sums)
{
    size_t c = work_columns(x), rows = samples ? work_rows(x) / samples : 0;
    if (x->count == 0)
        return;
    size_t task_rows = work_task_rows(rows, c * cg_dtype_size(x->dtype));
    size_t tasks = (rows + task_rows - 1) / task_rows;
    int threads = work_threads(x->count);
    double *totals = cg_pool_scratch(pool, samples * tasks * c * sizeof(double) +
                                               (size_t)threads * c * sizeof(float));
    float *parts = (float *)(totals + samples * tasks * c);
#pragma omp parallel num_threads(threads)
    {
#pragma omp for schedule(static)
        for (size_t i = 0; i < samples * tasks; i++) {
            size_t first = i % tasks * task_rows;
            column_task(x, (i / tasks * rows + first) * c, c, MIN(task_rows, rows - first),
                        totals + i * c, parts + (size_t)omp_get_thread_num() * c);
        }
#pragma omp for schedule(static)
        for (size_t n = 0; n < samples; n++) {
            double *sample = totals + n * tasks * c;
            for (size_t i = c; i < tasks * c; i++)
                sample[i % c] += sample[i];
            for (size_t i = 0; i < c; i++)
                sums[n * c + i] = (float)(sums[n * c + i] + sample[i]);
        }
    }
}

static void add_channels_backward(CgPool *pool, const CgTensor *dy, CgTensor *dv)
{
    cg_check_add_channels(dy, dv, dy);
    column_sums(pool, dy, (size_t)dv->shape.d[0], cg_tensor_f32(dv));
}

/* ---- upsampling ---------------------------------------------------------------------------- */

/* The first output that takes its value from input I of H: ceil(i to_h / h). */
static size_t upsample_first(size_t i, size_t h, size_t to_h)
{
    return (i * to_h + h - 1) / h;
}

/* dx at AT = the sum of ROWS x COLUMNS pixels of dy from FROM. */
VINLINE void upsample_backward_pixel(CgDType t, const void *dy, size_t from, size_t row,
                                     size_t rows, size_t columns, void *dx, size_t at, size_t c)
{
#define STEP                                                                                       \
    {                                                                                              \
        V sum = v_zero();                                                                          \
        for (size_t y = 0; y < rows; y++)                                                          \
            for (size_t x = 0; x < columns; x++)                                                   \
                sum += v_load(t, dy, from + y * row + x * c + i, k);                               \
        v_store(t, dx, at + i, k, sum);                                                            \
    }
    V_FOR(c, STEP);
#undef STEP
}

static void upsample_nearest_backward(const CgTensor *dy, CgTensor *dx)
{
    cg_check_upsample(dx, dy);
    size_t h = (size_t)dx->shape.d[1], w = (size_t)dx->shape.d[2], c = (size_t)dx->shape.d[3];
    size_t to_h = (size_t)dy->shape.d[1], to_w = (size_t)dy->shape.d[2];
#pragma omp parallel for schedule(static) num_threads(work_threads(dy->count))
    for (size_t row = 0; row < (size_t)dx->shape.d[0] * h; row++) {
        size_t first = upsample_first(row % h, h, to_h);
        size_t rows = upsample_first(row % h + 1, h, to_h) - first;
        for (size_t j = 0; j < w; j++) {
            size_t column = upsample_first(j, w, to_w);
            size_t columns = upsample_first(j + 1, w, to_w) - column;
            size_t from = ((row / h * to_h + first) * to_w + column) * c, at = (row * w + j) * c;
            if (dy->dtype == CG_F32)
                upsample_backward_pixel(CG_F32, dy->data, from, to_w * c, rows, columns, dx->data,
                                        at, c);
            else
                upsample_backward_pixel(CG_BF16, dy->data, from, to_w * c, rows, columns, dx->data,
                                        at, c);
        }
    }
}

/* ---- optimizer ----------------------------------------------------------------------------- */

typedef struct {
    float gradient_scale, beta1, rest1, beta2, rest2; /* rest: 1 - beta */
    float decay, rate, second, eps;                   /* see adamw_step */
} AdamwStep;

/* The decay is subtracted with the update: 1 - rate decay would be rounded to a multiple of 6e-8,
 * which for usual rates is most of it. */
VINLINE void adamw_step(const AdamwStep *s, float *w, const float *g, float *m, float *v, size_t i,
                        size_t k)
{
    V d = v_load(CG_F32, g, i, k) * s->gradient_scale;
    V mean = v_load(CG_F32, m, i, k) * s->beta1 + d * s->rest1;
    V square = v_load(CG_F32, v, i, k) * s->beta2 + d * d * s->rest2;
    V weight = v_load(CG_F32, w, i, k);
    v_store(CG_F32, m, i, k, mean);
    v_store(CG_F32, v, i, k, square);
    V update = mean * s->rate / (v_sqrt(square) * s->second + s->eps);
    v_store(CG_F32, w, i, k, weight - (weight * s->decay + update));
}

static void adamw(const CgAdamw *step, size_t count, float *w, const float *g, float *m, float *v)
{
    const AdamwStep s = {
        .gradient_scale = (float)step->gradient_scale,
        .beta1 = (float)step->beta1,
        .rest1 = (float)(1 - step->beta1),
        .beta2 = (float)step->beta2,
        .rest2 = (float)(1 - step->beta2),
        .decay = (float)(step->rate * step->decay),
        .rate = (float)(step->rate / (1 - pow(step->beta1, (double)step->step))),
        .second = (float)(1 / sqrt(1 - pow(step->beta2, (double)step->step))),
        .eps = (float)step->eps,
    };
    size_t pieces = work_pieces(count);
#pragma omp parallel for schedule(static) num_threads(work_threads(count))
    for (size_t p = 0; p < pieces; p++) {
        size_t at = p * WORK_PIECE, some = work_piece_length(count, p);
        V_FOR(some, adamw_step(&s, w + at, g + at, m + at, v + at, i, k));
    }
}

/* Eight sums side by side, each in order. */
static double square_sum_piece(const float *g, size_t count)
{
    double sums[8] = {0};
    size_t i = 0;
    for (; i + 8 <= count; i += 8)
        for (size_t j = 0; j < 8; j++)
            sums[j] += (double)g[i + j] * (double)g[i + j];
    for (; i < count; i++)
        sums[0] += (double)g[i] * (double)g[i];
    return ((sums[0] + sums[1]) + (sums[2] + sums[3])) +
           ((sums[4] + sums[5]) + (sums[6] + sums[7]));
}

static double square_sum(CgPool *pool, size_t count, const float *g)
{
    size_t pieces = work_pieces(count);
    double *parts = cg_pool_scratch(pool, pieces * sizeof *parts);
#pragma omp parallel for schedule(static) num_threads(work_threads(count))
    for (size_t p = 0; p < pieces; p++)
        parts[p] = square_sum_piece(g + p * WORK_PIECE, work_piece_length(count, p));
    double sum = 0;
    for (size_t p = 0; p < pieces; p++)
        sum += parts[p];
    return sum;
}
