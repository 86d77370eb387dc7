#include "embedding/frechet.h"

#include "base/error.h"
#include "base/system.h"
#include "embedding/eigen.h"
#include "embedding/pca.h"

#include <math.h>
#include <string.h>

/* Of what is divided by: below this part of the largest it is a rounding error of zero. */
#define NEGLIGIBLE 1e-12

/* Two groups without their means, divided by sqrt(count - 1): X^T X is the covariance. */
typedef struct {
    double *a, *b; /* [na, width], [nb, width] */
    double *shift; /* mean of a less mean of b [width] */
    size_t na, nb, width;
} Pair;

/* tr (S_a S_b)^(1/2) = sum of the singular values of C = X_a X_b^T, and the diagonals of
 * (C C^T)^(1/2) and (C^T C)^(1/2), each of which has this trace. */
typedef struct {
    double trace;
    double *a, *b; /* [na], [nb]; NULL: not wanted */
} Root;

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

static double sum_of_squares(const double *x, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += x[i] * x[i];
    return sum;
}

/* F's rows without their mean, scaled; SHIFT [width] gets SIGN times the mean more. */
static double *scaled_rows(const CgFeatures *f, double sign, double *shift)
{
    const double scale = 1 / sqrt((double)(f->count - 1));
    double *x = g_new(double, f->count * f->width);
    g_autofree double *mean = g_new0(double, f->width);
    for (size_t i = 0; i < f->count; i++)
        for (size_t j = 0; j < f->width; j++)
            mean[j] += cg_features_row(f, i)[j];
    for (size_t j = 0; j < f->width; j++) {
        mean[j] /= (double)f->count;
        shift[j] += sign * mean[j];
    }
    for (size_t i = 0; i < f->count; i++)
        for (size_t j = 0; j < f->width; j++)
            x[i * f->width + j] = scale * (cg_features_row(f, i)[j] - mean[j]);
    return x;
}

/* ---- the root */

/* POWERS [n] of VALUES, ascending, which are negative by rounding alone. */
static void to_power(const double *values, size_t n, double power, double *powers)
{
    const double limit = power < 0 ? NEGLIGIBLE * fmax(values[n - 1], 0) : 0;
    for (size_t i = 0; i < n; i++)
        powers[i] = values[i] > limit ? pow(values[i], power) : 0;
}

static double sum(const double *x, size_t n)
{
    double total = 0;
    for (size_t i = 0; i < n; i++)
        total += x[i];
    return total;
}

/* DIAGONAL [n] of X f(M) X^T for X [n, k], M's eigenvectors V [k, k] and SCALES = f(eigenvalues).
 */
static void quadratic_forms(const double *x, size_t n, const double *v, const double *scales,
                            size_t k, double *diagonal)
{
    g_autofree double *along = product(x, n, v, k, k);
    for (size_t i = 0; i < n; i++) {
        diagonal[i] = 0;
        for (size_t l = 0; l < k; l++)
            diagonal[i] += scales[l] * along[i * k + l] * along[i * k + l];
    }
}

/* From the eigenvectors of C C^T, C having no more rows than columns: (C C^T)^(1/2) = V L^(1/2)
 * V^T, (C^T C)^(1/2) = C^T (C C^T)^(-1/2) C. */
static gboolean root_of_flat(const double *c, size_t rows, size_t columns, double *trace,
                             double *by_row, double *by_column)
{
    g_autofree double *v = product(c, rows, c, rows, columns);
    g_autofree double *values = g_new(double, rows), *scales = g_new(double, rows);
    if (!cg_eigen_symmetric(v, values, rows))
        return FALSE;
    to_power(values, rows, 0.5, scales);
    *trace = sum(scales, rows);
    if (!by_row)
        return TRUE;
    for (size_t i = 0; i < rows; i++) {
        by_row[i] = 0;
        for (size_t k = 0; k < rows; k++)
            by_row[i] += scales[k] * v[k * rows + i] * v[k * rows + i];
    }
    g_autofree double *t = transposed(c, rows, columns);
    to_power(values, rows, -0.5, scales);
    quadratic_forms(t, columns, v, scales, rows, by_column);
    return TRUE;
}

static gboolean root_by_rows(const Pair *p, Root *root)
{
    if (p->na <= p->nb) {
        g_autofree double *c = product(p->a, p->na, p->b, p->nb, p->width);
        return root_of_flat(c, p->na, p->nb, &root->trace, root->a, root->b);
    }
    g_autofree double *c = product(p->b, p->nb, p->a, p->na, p->width);
    return root_of_flat(c, p->nb, p->na, &root->trace, root->b, root->a);
}

/* V^T diag(VALUES^POWER) V of the eigenvectors V [n, n]. */
static double *matrix_power(const double *v, const double *values, size_t n, double power)
{
    g_autofree double *columns = transposed(v, n, n), *scaled = g_new(double, n *n);
    g_autofree double *powers = g_new(double, n);
    to_power(values, n, power, powers);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++)
            scaled[i * n + j] = columns[i * n + j] * powers[j];
    return product(scaled, n, columns, n, n);
}

/* From M = S_a^(1/2) S_b S_a^(1/2) [width, width]. With the polar form X_a = Q S_a^(1/2) it is
 * C C^T = Q M Q^T and C^T C = Y M Y^T for .. Y = X_b S_a^(1/2), whose Y^T Y is M: the diagonals are
 * those of Q M^(1/2) Q^T and Y M^(-1/2) Y^T. */
static gboolean root_by_columns(const Pair *p, Root *root)
{
    const size_t w = p->width;
    g_autofree double *ta = transposed(p->a, p->na, w), *sa = product(ta, w, ta, w, p->na);
    g_autofree double *values_a = g_new(double, w), *values = g_new(double, w);
    g_autofree double *scales = g_new(double, w);
    if (!cg_eigen_symmetric(sa, values_a, w))
        return FALSE;
    g_autofree double *half = matrix_power(sa, values_a, w, 0.5);
    g_autofree double *y = product(p->b, p->nb, half, w, w), *ty = transposed(y, p->nb, w);
    g_autofree double *v = product(ty, w, ty, w, p->nb);
    if (!cg_eigen_symmetric(v, values, w))
        return FALSE;
    to_power(values, w, 0.5, scales);
    root->trace = sum(scales, w);
    if (!root->a)
        return TRUE;
    g_autofree double *inverse = matrix_power(sa, values_a, w, -0.5);
    g_autofree double *q = product(p->a, p->na, inverse, w, w);
    quadratic_forms(q, p->na, v, scales, w, root->a);
    to_power(values, w, -0.5, scales);
    quadratic_forms(y, p->nb, v, scales, w, root->b);
    return TRUE;
}

/* ---- the distance */

static void pair_clear(Pair *p)
{
    g_free(p->a);
    g_free(p->b);
    g_free(p->shift);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Pair, pair_clear)

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

static double distance(const Pair *p, const Root *root)
{
    return sum_of_squares(p->shift, p->width) + sum_of_squares(p->a, p->na * p->width) +
           sum_of_squares(p->b, p->nb * p->width) - 2 * root->trace;
}

/* The variance that the pictures X [n, width] bring. The distance's derivative when one picture
 * gains weight and the others lose it, u its difference from the mean and S the other group's
 * covariance:  2 u (m - m_other) + u (1 - S^(1/2) (S^(1/2) S_x S^(1/2))^(-1/2) S^(1/2)) u, less the
 * mean of all; the last form is n times the DIAGONAL of the root. SIGN: of the shift. */
static double variance_of(const double *x, size_t n, const Pair *p, double sign,
                          const double *diagonal)
{
    g_autofree double *influence = g_new(double, n);
    double mean = 0, squares = 0;
    for (size_t i = 0; i < n; i++) {
        const double *row = x + i * p->width;
        double along = 0;
        for (size_t j = 0; j < p->width; j++)
            along += row[j] * p->shift[j];
        influence[i] = 2 * sign * sqrt((double)(n - 1)) * along +
                       (double)n * (sum_of_squares(row, p->width) - diagonal[i]);
        mean += influence[i] / (double)n;
    }
    for (size_t i = 0; i < n; i++)
        squares += (influence[i] - mean) * (influence[i] - mean);
    return squares / ((double)n * (double)(n - 1));
}

static gboolean measure(const CgFeatures *a, const CgFeatures *b, gboolean with_interval,
                        CgEstimate *out, GError **error)
{
    if (!check(a, b, error))
        return FALSE;
    g_auto(Pair) p = {.na = a->count, .nb = b->count, .width = a->width};
    p.shift = g_new0(double, p.width);
    p.a = scaled_rows(a, 1, p.shift);
    p.b = scaled_rows(b, -1, p.shift);
    g_autofree double *diagonal_a = with_interval ? g_new(double, p.na) : NULL;
    g_autofree double *diagonal_b = with_interval ? g_new(double, p.nb) : NULL;
    Root root = {.a = diagonal_a, .b = diagonal_b};
    if (!(p.width <= MIN(p.na, p.nb) ? root_by_columns(&p, &root) : root_by_rows(&p, &root))) {
        g_set_error(error, CG_ERROR, CG_ERROR_NUMERIC, "features so large that they overflow");
        return FALSE;
    }
    *out =
        cg_estimate(distance(&p, &root), with_interval ? variance_of(p.a, p.na, &p, 1, root.a) +
                                                             variance_of(p.b, p.nb, &p, -1, root.b)
                                                       : NAN);
    if (with_interval)
        out->low = fmax(out->low, 0);
    return TRUE;
}

gboolean cg_frechet_distance(const CgFeatures *a, const CgFeatures *b, double *out, GError **error)
{
    CgEstimate e;
    const gboolean ok = measure(a, b, FALSE, &e, error);
    if (ok)
        *out = e.value;
    return ok;
}

gboolean cg_frechet_estimate(const CgFeatures *a, const CgFeatures *b, CgEstimate *out,
                             GError **error)
{
    return measure(a, b, TRUE, out, error);
}
