#include "embedding/pca.h"

#include "base/error.h"
#include "base/system.h"
#include "embedding/eigen.h"

#include <float.h>
#include <math.h>
#include <string.h>

/* F as [count, width] without its mean. */
static double *centred(const CgFeatures *f)
{
    g_autofree double *mean = g_new0(double, f->width);
    double *x = g_new(double, f->count * f->width);
    for (size_t i = 0; i < f->count; i++)
        for (size_t j = 0; j < f->width; j++)
            mean[j] += cg_features_row(f, i)[j];
    for (size_t j = 0; j < f->width; j++)
        mean[j] /= (double)f->count;
    for (size_t i = 0; i < f->count; i++)
        for (size_t j = 0; j < f->width; j++)
            x[i * f->width + j] = cg_features_row(f, i)[j] - mean[j];
    return x;
}

/* X [n, d] X^T. */
static double *products_of_rows(const double *x, size_t n, size_t d)
{
    double *m = g_new(double, n *n);
#pragma omp parallel for schedule(dynamic, 8) num_threads(cg_threads())
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j <= i; j++) {
            double sum = 0;
            for (size_t k = 0; k < d; k++)
                sum += x[i * d + k] * x[j * d + k];
            m[i * n + j] = m[j * n + i] = sum;
        }
    return m;
}

/* X^T X of X [n, d]. */
static double *products_of_columns(const double *x, size_t n, size_t d)
{
    double *m = g_new0(double, d *d);
#pragma omp parallel for schedule(dynamic, 8) num_threads(cg_threads())
    for (size_t a = 0; a < d; a++) {
        double *row = m + a * d;
        for (size_t i = 0; i < n; i++) {
            const double v = x[i * d + a];
            for (size_t b = 0; b <= a; b++)
                row[b] += v * x[i * d + b];
        }
    }
    for (size_t a = 0; a < d; a++)
        for (size_t b = a + 1; b < d; b++)
            m[a * d + b] = m[b * d + a];
    return m;
}

/* The direction [d] of eigenvector V: itself, or X^T V / sqrt(VALUE) for one of the rows'
 * products. Its largest entry becomes positive. */
static void make_direction(const double *x, size_t n, size_t d, const double *v, double value,
                           gboolean by_rows, double *direction)
{
    memset(direction, 0, d * sizeof *direction);
    if (by_rows) {
        for (size_t i = 0; i < n; i++)
            for (size_t j = 0; j < d; j++)
                direction[j] += v[i] / sqrt(value) * x[i * d + j];
    } else {
        memcpy(direction, v, d * sizeof *direction);
    }
    size_t largest = 0;
    for (size_t j = 1; j < d; j++)
        if (fabs(direction[j]) > fabs(direction[largest]))
            largest = j;
    if (direction[largest] < 0)
        for (size_t j = 0; j < d; j++)
            direction[j] = -direction[j];
}

gboolean cg_pca(const CgFeatures *f, size_t components, double *scores, double *variances,
                GError **error)
{
    const gboolean by_rows = f->count < f->width;
    const size_t n = f->count, d = f->width, side = MIN(n, d);
    if (side > CG_PCA_MAX) {
        g_set_error(error, CG_ERROR, CG_ERROR_UNSUPPORTED,
                    "principal components of %zu x %zu numbers: one of both can be %d at most", n,
                    d, CG_PCA_MAX);
        return FALSE;
    }
    g_autofree double *x = centred(f);
    g_autofree double *m = by_rows ? products_of_rows(x, n, d) : products_of_columns(x, n, d);
    g_autofree double *values = g_new(double, side);
    g_autofree double *direction = g_new(double, d);
    if (!cg_eigen_symmetric(m, values, side)) {
        g_set_error(error, CG_ERROR, CG_ERROR_NUMERIC, "features so large that they overflow");
        return FALSE;
    }
    memset(scores, 0, n * components * sizeof *scores);
    for (size_t c = 0; c < components; c++) {
        const double value = c < side ? values[side - 1 - c] : 0;
        const gboolean is_null = value <= values[side - 1] * DBL_EPSILON * (double)side;
        if (variances)
            variances[c] = is_null ? 0 : value / (double)MAX(n - 1, 1);
        if (is_null)
            continue;
        make_direction(x, n, d, m + (side - 1 - c) * side, value, by_rows, direction);
        for (size_t i = 0; i < n; i++)
            for (size_t j = 0; j < d; j++)
                scores[i * components + c] += x[i * d + j] * direction[j];
    }
    return TRUE;
}
