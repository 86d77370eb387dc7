/* resample-body: bilinear upsampling and pooling with their backward, compiled once per instruction
 * set. Follows pointwise-backward-body.h. Every output row, forward or backward, has one owner. */

/* ---- bilinear ------------------------------------------------------------------------------ */

/* Output I of TO_H lies between inputs FIRST and FIRST + 1 (or on the last); the second's weight.
 */
typedef struct {
    size_t first, second;
    float weight;
} Between;

static Between between(size_t i, size_t h, size_t to_h)
{
    double at = to_h > 1 ? (double)i * (double)(h - 1) / (double)(to_h - 1) : 0;
    size_t first = MIN((size_t)at, h - 1);
    return (Between){first, MIN(first + 1, h - 1), (float)(at - (double)first)};
}

/* TO [w, c] (f32) = two rows of x, weighed. */
VINLINE void bilinear_rows(CgDType t, const void *x, size_t first, size_t second, float weight,
                           size_t count, float *to)
{
    V_FOR(count, v_store(CG_F32, to, i, k,
                         v_load(t, x, first + i, k) * (1.0f - weight) +
                             v_load(t, x, second + i, k) * weight));
}

VINLINE void bilinear_columns(CgDType t, const float *from, const Between *columns, size_t to_w,
                              size_t c, void *y, size_t at)
{
    for (size_t j = 0; j < to_w; j++, at += c) {
        const float *a = from + columns[j].first * c, *b = from + columns[j].second * c;
        float weight = columns[j].weight;
        V_FOR(c, v_store(t, y, at + i, k,
                         v_load(CG_F32, a, i, k) * (1.0f - weight) +
                             v_load(CG_F32, b, i, k) * weight));
    }
}

static void upsample_bilinear(CgPool *pool, const CgTensor *x, CgTensor *y)
{
    cg_check_upsample(x, y);
    size_t h = (size_t)x->shape.d[1], w = (size_t)x->shape.d[2], c = (size_t)x->shape.d[3];
    size_t to_h = (size_t)y->shape.d[1], to_w = (size_t)y->shape.d[2];
    int threads = work_threads(y->count);
    size_t row = cg_size_align(w * c, 16);
    Between *columns = cg_pool_scratch(pool, cg_size_align(to_w * sizeof(Between), 64) +
                                                 (size_t)threads * row * sizeof(float));
    float *rows = (float *)((char *)columns + cg_size_align(to_w * sizeof(Between), 64));
    for (size_t j = 0; j < to_w; j++)
        columns[j] = between(j, w, to_w);
#pragma omp parallel for schedule(static) num_threads(threads)
    for (size_t r = 0; r < (size_t)x->shape.d[0] * to_h; r++) {
        float *own = rows + (size_t)omp_get_thread_num() * row;
        Between down = between(r % to_h, h, to_h);
        size_t first = (r / to_h * h + down.first) * w * c;
        size_t second = (r / to_h * h + down.second) * w * c;
        if (x->dtype == CG_F32) {
            bilinear_rows(CG_F32, x->data, first, second, down.weight, w * c, own);
            bilinear_columns(CG_F32, own, columns, to_w, c, y->data, r * to_w * c);
        } else {
            bilinear_rows(CG_BF16, x->data, first, second, down.weight, w * c, own);
            bilinear_columns(CG_BF16, own, columns, to_w, c, y->data, r * to_w * c);
        }
    }
}

/* SUMS [count] += WEIGHT times elements of dy. */
VINLINE void bilinear_gather_row(CgDType t, const void *dy, size_t at, float weight, size_t count,
                                 float *sums)
{
    V_FOR(count, v_store(CG_F32, sums, i, k,
                         v_load(CG_F32, sums, i, k) + v_load(t, dy, at + i, k) * weight));
}

/* TO [w, c] = the columns of SUMS [to_w, c] gathered. */
static void bilinear_gather_columns(const float *sums, const Between *columns, size_t to_w,
                                    size_t w, size_t c, float *to)
{
    memset(to, 0, w * c * sizeof *to);
    for (size_t j = 0; j < to_w; j++, sums += c) {
        bilinear_gather_row(CG_F32, sums, 0, 1.0f - columns[j].weight, c,
                            to + columns[j].first * c);
        bilinear_gather_row(CG_F32, sums, 0, columns[j].weight, c, to + columns[j].second * c);
    }
}

/* One row of dx, from the rows of dy that looked at it. OWN: [to_w c + w c]. */
static void bilinear_backward_row(const CgTensor *dy, CgTensor *dx, size_t r,
                                  const Between *columns, float *own)
{
    size_t h = (size_t)dx->shape.d[1], w = (size_t)dx->shape.d[2], c = (size_t)dx->shape.d[3];
    size_t to_h = (size_t)dy->shape.d[1], to_w = (size_t)dy->shape.d[2], row = r % h;
    float *gathered = own + to_w * c;
    memset(own, 0, to_w * c * sizeof *own);
    /* Those whose position is in [row - 1, row + 1], and one more each side for rounding. */
    double step = to_h > 1 ? (double)(h - 1) / (double)(to_h - 1) : 0;
    size_t first = 0, last = to_h - 1;
    if (step > 0) {
        double low = ((double)row - 1) / step - 1, high = ((double)row + 1) / step + 1;
        first = low > 0 ? (size_t)low : 0;
        last = MIN((size_t)high, to_h - 1);
    }
    for (size_t i = first; i <= last; i++) {
        Between b = between(i, h, to_h);
        float weight =
            (b.first == row ? 1.0f - b.weight : 0.0f) + (b.second == row ? b.weight : 0.0f);
        size_t at = (r / h * to_h + i) * to_w * c;
        if (b.first != row && b.second != row)
            continue;
        if (dy->dtype == CG_F32)
            bilinear_gather_row(CG_F32, dy->data, at, weight, to_w * c, own);
        else
            bilinear_gather_row(CG_BF16, dy->data, at, weight, to_w * c, own);
    }
    bilinear_gather_columns(own, columns, to_w, w, c, gathered);
    size_t at = r * w * c;
    if (dx->dtype == CG_F32)
        V_FOR(w * c, v_store(CG_F32, dx->data, at + i, k, v_load(CG_F32, gathered, i, k)));
    else
        V_FOR(w * c, v_store(CG_BF16, dx->data, at + i, k, v_load(CG_F32, gathered, i, k)));
}

static void upsample_bilinear_backward(CgPool *pool, const CgTensor *dy, CgTensor *dx)
{
    cg_check_upsample(dx, dy);
    size_t w = (size_t)dx->shape.d[2], to_w = (size_t)dy->shape.d[2], c = (size_t)dx->shape.d[3];
    int threads = work_threads(dy->count);
    size_t row = cg_size_align((to_w + w) * c, 16);
    Between *columns = cg_pool_scratch(pool, cg_size_align(to_w * sizeof(Between), 64) +
                                                 (size_t)threads * row * sizeof(float));
    float *rows = (float *)((char *)columns + cg_size_align(to_w * sizeof(Between), 64));
    for (size_t j = 0; j < to_w; j++)
        columns[j] = between(j, w, to_w);
#pragma omp parallel for schedule(static) num_threads(threads)
    for (size_t r = 0; r < (size_t)(dx->shape.d[0] * dx->shape.d[1]); r++)
        bilinear_backward_row(dy, dx, r, columns, rows + (size_t)omp_get_thread_num() * row);
}

/* ---- max pooling --------------------------------------------------------------------------- */

/* The part of a window that lies in the image: rows and columns from .. to - 1. */
typedef struct {
    size_t row, end_row, column, end_column;
} Window;

static Window window_at(const CgPoolGeometry *g, size_t h, size_t w, size_t i, size_t j)
{
    int64_t top = (int64_t)i * g->stride - g->pad, left = (int64_t)j * g->stride - g->pad;
    return (Window){(size_t)MAX(top, 0), (size_t)MIN(top + g->kernel, (int64_t)h),
                    (size_t)MAX(left, 0), (size_t)MIN(left + g->kernel, (int64_t)w)};
}

/* Where V comes before what is there: greater, or NaN. */
VINLINE VInt is_more(V v, V most)
{
    return ((v > most) | (v != v)) & (most == most);
}

VINLINE void max_pool_pixel(CgDType t, const void *x, size_t image, size_t w, const Window *p,
                            size_t c, void *y, size_t at)
{
#define STEP                                                                                       \
    {                                                                                              \
        V most = v_load(t, x, image + (p->row * w + p->column) * c + i, k);                        \
        for (size_t r = p->row; r < p->end_row; r++)                                               \
            for (size_t j = p->column; j < p->end_column; j++) {                                   \
                V v = v_load(t, x, image + (r * w + j) * c + i, k);                                \
                most = v_select(is_more(v, most), v, most);                                        \
            }                                                                                      \
        v_store(t, y, at + i, k, most);                                                            \
    }
    V_FOR(c, STEP);
#undef STEP
}

static void max_pool2d(const CgPoolGeometry *g, const CgTensor *x, CgTensor *y)
{
    cg_check_max_pool2d(g, x, y);
    size_t h = (size_t)x->shape.d[1], w = (size_t)x->shape.d[2], c = (size_t)x->shape.d[3];
    size_t to_h = (size_t)y->shape.d[1], to_w = (size_t)y->shape.d[2];
#pragma omp parallel for schedule(static) num_threads(work_threads(x->count))
    for (size_t r = 0; r < (size_t)x->shape.d[0] * to_h; r++)
        for (size_t j = 0; j < to_w; j++) {
            Window p = window_at(g, h, w, r % to_h, j);
            if (x->dtype == CG_F32)
                max_pool_pixel(CG_F32, x->data, r / to_h * h * w * c, w, &p, c, y->data,
                               (r * to_w + j) * c);
            else
                max_pool_pixel(CG_BF16, x->data, r / to_h * h * w * c, w, &p, c, y->data,
                               (r * to_w + j) * c);
        }
}

/* SUMS [w, c] of image row ROW += what one window gives to it. */
VINLINE void max_pool_backward_pixel(CgDType t, const void *x, size_t image, size_t w,
                                     const Window *p, size_t c, const void *dy, size_t at,
                                     size_t row, float *sums)
{
#define STEP                                                                                       \
    {                                                                                              \
        V most = v_load(t, x, image + (p->row * w + p->column) * c + i, k);                        \
        VInt best = {0}, place = {0};                                                              \
        for (size_t r = p->row; r < p->end_row; r++)                                               \
            for (size_t j = p->column; j < p->end_column; j++, place += 1) {                       \
                V v = v_load(t, x, image + (r * w + j) * c + i, k);                                \
                VInt more = is_more(v, most);                                                      \
                most = v_select(more, v, most);                                                    \
                best = (place & more) | (best & ~more);                                            \
            }                                                                                      \
        V d = v_load(t, dy, at + i, k);                                                            \
        VInt here = (VInt){0} + (int)((row - p->row) * (p->end_column - p->column));               \
        for (size_t j = p->column; j < p->end_column; j++, here += 1) {                            \
            float *to = sums + j * c;                                                              \
            v_store(CG_F32, to, i, k,                                                              \
                    v_load(CG_F32, to, i, k) + v_select(best == here, d, v_zero()));               \
        }                                                                                          \
    }
    V_FOR(c, STEP);
#undef STEP
}

/* One row of dx. Windows that overlap it find their largest again for each of their rows: no row
 * waits for another. SUMS: [w, c]. */
static void max_pool_backward_row(const CgPoolGeometry *g, const CgTensor *x, const CgTensor *dy,
                                  CgTensor *dx, size_t r, float *sums)
{
    size_t h = (size_t)x->shape.d[1], w = (size_t)x->shape.d[2], c = (size_t)x->shape.d[3];
    size_t to_h = (size_t)dy->shape.d[1], to_w = (size_t)dy->shape.d[2], row = r % h;
    size_t below = row + (size_t)g->pad, s = (size_t)g->stride, kernel = (size_t)g->kernel;
    size_t first = below < kernel ? 0 : (below - kernel) / s + 1, last = MIN(below / s + 1, to_h);
    memset(sums, 0, w * c * sizeof *sums);
    for (size_t i = first; i < last; i++)
        for (size_t j = 0; j < to_w; j++) {
            Window p = window_at(g, h, w, i, j);
            size_t at = ((r / h * to_h + i) * to_w + j) * c, image = r / h * h * w * c;
            if (x->dtype == CG_F32)
                max_pool_backward_pixel(CG_F32, x->data, image, w, &p, c, dy->data, at, row, sums);
            else
                max_pool_backward_pixel(CG_BF16, x->data, image, w, &p, c, dy->data, at, row, sums);
        }
    size_t at = r * w * c;
    if (dx->dtype == CG_F32)
        V_FOR(w * c, v_store(CG_F32, dx->data, at + i, k, v_load(CG_F32, sums, i, k)));
    else
        V_FOR(w * c, v_store(CG_BF16, dx->data, at + i, k, v_load(CG_F32, sums, i, k)));
}

static void max_pool2d_backward(CgPool *pool, const CgPoolGeometry *g, const CgTensor *x,
                                const CgTensor *dy, CgTensor *dx)
{
    cg_check_max_pool2d(g, x, dy);
    cg_check_same("max pool backward", x, dx);
    int threads = work_threads(x->count);
    size_t row = cg_size_align((size_t)(x->shape.d[2] * x->shape.d[3]), 16);
    float *sums = cg_pool_scratch(pool, (size_t)threads * row * sizeof *sums);
#pragma omp parallel for schedule(static) num_threads(threads)
    for (size_t r = 0; r < (size_t)(x->shape.d[0] * x->shape.d[1]); r++)
        max_pool_backward_row(g, x, dy, dx, r, sums + (size_t)omp_get_thread_num() * row);
}

/* ---- average ------------------------------------------------------------------------------- */

static void average_pool(CgPool *pool, const CgTensor *x, CgTensor *y)
{
    cg_check_average_pool(x, y);
    size_t c = work_columns(x), samples = (size_t)x->shape.d[0];
    size_t rows = samples ? work_rows(x) / samples : 0;
    g_autofree float *sums = g_new0(float, samples *c);
    column_sums(pool, x, samples, sums);
    float share = (float)(1.0 / (double)rows);
    if (x->dtype == CG_F32)
        V_FOR(y->count, v_store(CG_F32, y->data, i, k, v_load(CG_F32, sums, i, k) * share));
    else
        V_FOR(y->count, v_store(CG_BF16, y->data, i, k, v_load(CG_F32, sums, i, k) * share));
}

static void average_pool_backward(const CgTensor *dy, CgTensor *dx)
{
    cg_check_average_pool(dx, dy);
    size_t c = work_columns(dx), rows = work_rows(dx), samples = (size_t)dx->shape.d[0];
    size_t sample_rows = samples ? rows / samples : 0;
    float share = sample_rows ? (float)(1.0 / (double)sample_rows) : 0;
#pragma omp parallel for schedule(static) num_threads(work_threads(dx->count))
    for (size_t r = 0; r < rows; r++) {
        size_t from = r / sample_rows * c, at = r * c;
        if (dx->dtype == CG_F32)
            V_FOR(c, v_store(CG_F32, dx->data, at + i, k,
                             v_load(CG_F32, dy->data, from + i, k) * share));
        else
            V_FOR(c, v_store(CG_BF16, dx->data, at + i, k,
                             v_load(CG_BF16, dy->data, from + i, k) * share));
    }
}
