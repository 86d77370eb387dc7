#include "engine/ref/ref-private.h"

#include <math.h>

/* Between which two inputs of H output I of TO_H lies, and the second one's weight. */
static void between(size_t i, size_t h, size_t to_h, size_t *first, size_t *second, double *weight)
{
    double at = to_h > 1 ? (double)i * (double)(h - 1) / (double)(to_h - 1) : 0;
    *first = MIN((size_t)at, h - 1);
    *second = MIN(*first + 1, h - 1);
    *weight = at - (double)*first;
}

/* The four inputs of output (I, J) of sample N, as element indices, and their weights. */
static void corners(const CgTensor *x, const CgTensor *y, size_t n, size_t i, size_t j,
                    size_t at[4], double weight[4])
{
    size_t h = (size_t)x->shape.d[1], w = (size_t)x->shape.d[2], c = (size_t)x->shape.d[3];
    size_t row[2], column[2];
    double down, across;
    between(i, h, (size_t)y->shape.d[1], &row[0], &row[1], &down);
    between(j, w, (size_t)y->shape.d[2], &column[0], &column[1], &across);
    for (int k = 0; k < 4; k++) {
        at[k] = ((n * h + row[k / 2]) * w + column[k % 2]) * c;
        weight[k] = (k / 2 ? down : 1 - down) * (k % 2 ? across : 1 - across);
    }
}

void ref_upsample_bilinear(CgEngine *e, const CgTensor *x, CgTensor *y)
{
    (void)e;
    cg_check_upsample(x, y);
    size_t to_h = (size_t)y->shape.d[1], to_w = (size_t)y->shape.d[2], c = ref_columns(y);
    for (size_t p = 0; p < ref_rows(y); p++) {
        size_t at[4];
        double weight[4];
        corners(x, y, p / (to_h * to_w), p / to_w % to_h, p % to_w, at, weight);
        for (size_t i = 0; i < c; i++) {
            double value = 0;
            for (int k = 0; k < 4; k++)
                value += weight[k] * ref_get(x->dtype, x->data, at[k] + i);
            ref_set(y->dtype, y->data, p * c + i, value);
        }
    }
}

void ref_upsample_bilinear_backward(CgEngine *e, const CgTensor *dy, CgTensor *dx)
{
    (void)e;
    cg_check_upsample(dx, dy);
    size_t to_h = (size_t)dy->shape.d[1], to_w = (size_t)dy->shape.d[2], c = ref_columns(dy);
    g_autofree double *sums = g_new0(double, dx->count);
    for (size_t p = 0; p < ref_rows(dy); p++) {
        size_t at[4];
        double weight[4];
        corners(dx, dy, p / (to_h * to_w), p / to_w % to_h, p % to_w, at, weight);
        for (size_t i = 0; i < c; i++)
            for (int k = 0; k < 4; k++)
                sums[at[k] + i] += weight[k] * ref_get(dy->dtype, dy->data, p * c + i);
    }
    for (size_t i = 0; i < dx->count; i++)
        ref_set(dx->dtype, dx->data, i, sums[i]);
}

/* The element that output P, channel I, of Y is. */
static size_t largest(const CgPoolGeometry *g, const CgTensor *x, const CgTensor *y, size_t p,
                      size_t i)
{
    int64_t h = x->shape.d[1], w = x->shape.d[2];
    int64_t to_h = y->shape.d[1], to_w = y->shape.d[2], n = (int64_t)p / (to_h * to_w);
    int64_t top = (int64_t)p / to_w % to_h * g->stride - g->pad;
    int64_t left = (int64_t)p % to_w * g->stride - g->pad;
    size_t best = 0;
    double most = 0;
    gboolean any = FALSE;
    for (int64_t r = MAX(top, 0); r < MIN(top + g->kernel, h); r++)
        for (int64_t k = MAX(left, 0); k < MIN(left + g->kernel, w); k++) {
            size_t at = (size_t)((n * h + r) * w + k) * (size_t)x->shape.d[3] + i;
            double value = ref_get(x->dtype, x->data, at);
            if (!any || value > most || (isnan(value) && !isnan(most))) {
                best = at;
                most = value;
                any = TRUE;
            }
        }
    g_assert(any);
    return best;
}

void ref_max_pool2d(CgEngine *e, const CgPoolGeometry *g, const CgTensor *x, CgTensor *y)
{
    (void)e;
    cg_check_max_pool2d(g, x, y);
    size_t c = ref_columns(y);
    for (size_t p = 0; p < ref_rows(y); p++)
        for (size_t i = 0; i < c; i++)
            ref_set(y->dtype, y->data, p * c + i,
                    ref_get(x->dtype, x->data, largest(g, x, y, p, i)));
}

void ref_max_pool2d_backward(CgEngine *e, const CgPoolGeometry *g, const CgTensor *x,
                             const CgTensor *dy, CgTensor *dx)
{
    (void)e;
    cg_check_max_pool2d(g, x, dy);
    cg_check_same("max pool backward", x, dx);
    size_t c = ref_columns(dy);
    g_autofree double *sums = g_new0(double, dx->count);
    for (size_t p = 0; p < ref_rows(dy); p++)
        for (size_t i = 0; i < c; i++)
            sums[largest(g, x, dy, p, i)] += ref_get(dy->dtype, dy->data, p * c + i);
    for (size_t i = 0; i < dx->count; i++)
        ref_set(dx->dtype, dx->data, i, sums[i]);
}

void ref_average_pool(CgEngine *e, const CgTensor *x, CgTensor *y)
{
    (void)e;
    cg_check_average_pool(x, y);
    size_t c = ref_columns(x), rows = ref_sample_rows(x);
    for (size_t i = 0; i < y->count; i++) {
        double sum = 0;
        for (size_t r = 0; r < rows; r++)
            sum += ref_get(x->dtype, x->data, (i / c * rows + r) * c + i % c);
        ref_set(y->dtype, y->data, i, sum / (double)rows);
    }
}

void ref_average_pool_backward(CgEngine *e, const CgTensor *dy, CgTensor *dx)
{
    (void)e;
    cg_check_average_pool(dx, dy);
    size_t c = ref_columns(dx), rows = ref_sample_rows(dx);
    for (size_t i = 0; i < dx->count; i++)
        ref_set(dx->dtype, dx->data, i,
                ref_get(dy->dtype, dy->data, i / (rows * c) * c + i % c) / (double)rows);
}
