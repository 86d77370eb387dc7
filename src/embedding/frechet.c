#include "embedding/frechet.h"

#include "base/error.h"
#include "base/system.h"
#include "embedding/eigen.h"
#include "embedding/pca.h"

#include <math.h>
#include <string.h>

/* M [a, b] = X [a, k] Y [b, k]^T. */
static double *product(const double *x, size_t a, const double *y, size_t b, size_t k)
{
    double *m = g_new(double, a *b);
#pragma omp parallel for schedule(static) num_threads(cg_threads())
    for (size_t i = 0; i < a; i++)
        for (size_t j = 0; j < b; j++) {
            double sum = 0;
#pragma omp simd reduction(+ : sum)
            for (size_t l = 0; l < k; l++)
                sum += x[i * k + l] * y[j * k + l];
            m[i * b + j] = sum;
        }
    return m;
}

static double *transposed(const double *x, size_t rows, size_t columns)
{
    double *t = g_new(double, rows *columns);
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < columns; j++)
            t[j * rows + i] = x[i * columns + j];
    return t;
}

/* Rows without their MEAN [width], divided by sqrt(count - 1): X^T X is the covariance. */
static double *scaled_rows(const CgFeatures *f, double *mean)
{
    const double scale = 1 / sqrt((double)(f->count - 1));
    double *x = g_new(double, f->count * f->width);
    memset(mean, 0, f->width * sizeof *mean);
    for (size_t i = 0; i < f->count; i++)
        for (size_t j = 0; j < f->width; j++)
            mean[j] += cg_features_row(f, i)[j];
    for (size_t j = 0; j < f->width; j++)
        mean[j] /= (double)f->count;
    for (size_t i = 0; i < f->count; i++)
        for (size_t j = 0; j < f->width; j++)
            x[i * f->width + j] = scale * (cg_features_row(f, i)[j] - mean[j]);
    return x;
}

static double sum_of_roots(const double *values, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += sqrt(fmax(values[i], 0));
    return sum;
}

/* tr (S_a S_b)^(1/2) is the sum of the singular values of C = X_a X_b^T, X as scaled_rows has them:
 * both are roots of the eigenvalues of C C^T. */
static gboolean root_trace_by_rows(const double *xa, size_t na, const double *xb, size_t nb,
                                   size_t width, double *out)
{
    g_autofree double *c =
        na <= nb ? product(xa, na, xb, nb, width) : product(xb, nb, xa, na, width);
    const size_t small = MIN(na, nb), large = MAX(na, nb);
    g_autofree double *square = product(c, small, c, small, large);
    g_autofree double *values = g_new(double, small);
    const gboolean ok = cg_eigen_symmetric(square, values, small);
    *out = sum_of_roots(values, small);
    return ok;
}

/* Replaces the covariance of X by its root: V sqrt(L) V^T. */
static double *root_of_covariance(const double *x, size_t n, size_t width)
{
    g_autofree double *columns = transposed(x, n, width);
    g_autofree double *v = product(columns, width, columns, width, n);
    g_autofree double *values = g_new(double, width);
    if (!cg_eigen_symmetric(v, values, width))
        return NULL;
    for (size_t i = 0; i < width; i++) {
        const double scale = sqrt(sqrt(fmax(values[i], 0)));
        for (size_t j = 0; j < width; j++)
            v[i * width + j] *= scale;
    }
    g_autofree double *scaled = transposed(v, width, width);
    return product(scaled, width, scaled, width, width);
}

/* The same from the eigenvalues of S_a^(1/2) S_b S_a^(1/2) = (X_b S_a^(1/2))^T (X_b S_a^(1/2)). */
static gboolean root_trace_by_columns(const double *xa, size_t na, const double *xb, size_t nb,
                                      size_t width, double *out)
{
    g_autofree double *root = root_of_covariance(xa, na, width);
    if (!root)
        return FALSE;
    g_autofree double *y = product(root, width, xb, nb, width);
    g_autofree double *square = product(y, width, y, width, nb);
    g_autofree double *values = g_new(double, width);
    const gboolean ok = cg_eigen_symmetric(square, values, width);
    *out = sum_of_roots(values, width);
    return ok;
}

static double sum_of_squares(const double *x, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += x[i] * x[i];
    return sum;
}

static gboolean check(const CgFeatures *a, const CgFeatures *b, GError **error)
{
    if (a->width != b->width || a->count < 2 || b->count < 2) {
        g_set_error(error, CG_ERROR, CG_ERROR_SHAPE,
                    "a Frechet distance is of two groups of at least two pictures and equally many "
                    "features, not of %zu x %zu and %zu x %zu",
                    a->count, a->width, b->count, b->width);
        return FALSE;
    }
    if (MIN(a->width, MIN(a->count, b->count)) > CG_PCA_MAX) {
        g_set_error(error, CG_ERROR, CG_ERROR_UNSUPPORTED,
                    "%zu features of %zu and %zu pictures are too many; one of the three can be %d "
                    "at most",
                    a->width, a->count, b->count, CG_PCA_MAX);
        return FALSE;
    }
    return TRUE;
}

gboolean cg_frechet_distance(const CgFeatures *a, const CgFeatures *b, double *out, GError **error)
{
    if (!check(a, b, error))
        return FALSE;
    const size_t width = a->width;
    g_autofree double *mean_a = g_new(double, width), *mean_b = g_new(double, width);
    g_autofree double *xa = scaled_rows(a, mean_a), *xb = scaled_rows(b, mean_b);
    double root_trace;
    const gboolean ok = width <= MIN(a->count, b->count)
                            ? root_trace_by_columns(xa, a->count, xb, b->count, width, &root_trace)
                            : root_trace_by_rows(xa, a->count, xb, b->count, width, &root_trace);
    if (!ok) {
        g_set_error(error, CG_ERROR, CG_ERROR_NUMERIC, "features so large that they overflow");
        return FALSE;
    }
    for (size_t j = 0; j < width; j++)
        mean_a[j] -= mean_b[j];
    *out = sum_of_squares(mean_a, width) + sum_of_squares(xa, a->count * width) +
           sum_of_squares(xb, b->count * width) - 2 * root_trace;
    return TRUE;
}
