#include "embedding/eigen.h"

#include <float.h>
#include <math.h>
#include <string.h>

/* EISPACK's loops go down columns. The matrix is kept transposed here, so that they go along rows:
 * row J of V is what the literature calls column J. */

/* Householder's vector for row I from d[0..I-1], which it leaves in d; returns h = |u|^2 / 2. */
static double householder(double *d, double *e, size_t i, double scale)
{
    double h = 0;
    for (size_t k = 0; k < i; k++) {
        d[k] /= scale;
        h += d[k] * d[k];
    }
    const double f = d[i - 1], g = f > 0 ? -sqrt(h) : sqrt(h);
    e[i] = scale * g;
    h -= f * g;
    d[i - 1] = f - g;
    return h;
}

/* A := A - u w^T - w u^T on the leading I x I part, u in d, e scratch. */
static void apply_similarity(double *v, double *d, double *e, size_t n, size_t i, double h)
{
    memset(e, 0, i * sizeof *e);
    for (size_t j = 0; j < i; j++) {
        const double f = d[j];
        double *row = v + j * n;
        v[i * n + j] = f;
        double g = e[j] + row[j] * f;
        for (size_t k = j + 1; k < i; k++) {
            g += row[k] * d[k];
            e[k] += row[k] * f;
        }
        e[j] = g;
    }
    double f = 0;
    for (size_t j = 0; j < i; j++) {
        e[j] /= h;
        f += e[j] * d[j];
    }
    for (size_t j = 0; j < i; j++)
        e[j] -= f / (h + h) * d[j];
    for (size_t j = 0; j < i; j++) {
        double *row = v + j * n;
        const double u = d[j], w = e[j];
        for (size_t k = j; k < i; k++)
            row[k] -= u * e[k] + w * d[k];
        d[j] = row[i - 1];
        row[i] = 0;
    }
}

/* The product of the reflections into V. */
static void accumulate(double *v, double *d, size_t n)
{
    for (size_t i = 0; i + 1 < n; i++) {
        double *next = v + (i + 1) * n;
        v[i * n + n - 1] = v[i * n + i];
        v[i * n + i] = 1;
        const double h = d[i + 1];
        if (h != 0) {
            for (size_t k = 0; k <= i; k++)
                d[k] = next[k] / h;
            for (size_t j = 0; j <= i; j++) {
                double *row = v + j * n, g = 0;
                for (size_t k = 0; k <= i; k++)
                    g += next[k] * row[k];
                for (size_t k = 0; k <= i; k++)
                    row[k] -= g * d[k];
            }
        }
        memset(next, 0, (i + 1) * sizeof *next);
    }
    for (size_t j = 0; j < n; j++) {
        d[j] = v[j * n + n - 1];
        v[j * n + n - 1] = 0;
    }
    v[n * n - 1] = 1;
}

/* V orthogonal, d the diagonal and e[1..] the subdiagonal of the tridiagonal V^T A V. */
static void tridiagonalise(double *v, double *d, double *e, size_t n)
{
    for (size_t j = 0; j < n; j++)
        d[j] = v[j * n + n - 1];
    for (size_t i = n - 1; i > 0; i--) {
        double scale = 0, h = 0;
        for (size_t k = 0; k < i; k++)
            scale += fabs(d[k]);
        if (scale == 0) {
            e[i] = d[i - 1];
            for (size_t j = 0; j < i; j++) {
                d[j] = v[j * n + i - 1];
                v[j * n + i] = v[i * n + j] = 0;
            }
        } else {
            h = householder(d, e, i, scale);
            apply_similarity(v, d, e, n, i, h);
        }
        d[i] = h;
    }
    accumulate(v, d, n);
    e[0] = 0;
}

/* One implicit QL step between L and M. */
static void ql_step(double *v, double *d, double *e, size_t n, size_t l, size_t m, double *shift)
{
    double g = d[l], p = (d[l + 1] - g) / (2 * e[l]), r = copysign(hypot(p, 1), p);
    d[l] = e[l] / (p + r);
    d[l + 1] = e[l] * (p + r);
    const double next = d[l + 1];
    double h = g - d[l];
    for (size_t i = l + 2; i < n; i++)
        d[i] -= h;
    *shift += h;

    p = d[m];
    double c = 1, c2 = 1, c3 = 1, s = 0, s2 = 0;
    const double e_next = e[l + 1];
    for (size_t i = m; i-- > l;) {
        c3 = c2;
        c2 = c;
        s2 = s;
        g = c * e[i];
        h = c * p;
        r = hypot(p, e[i]);
        e[i + 1] = s * r;
        s = e[i] / r;
        c = p / r;
        p = c * d[i] - s * g;
        d[i + 1] = h + s * (c * g + s * d[i]);
        double *low = v + i * n, *high = low + n;
        for (size_t k = 0; k < n; k++) {
            const double x = high[k];
            high[k] = s * low[k] + c * x;
            low[k] = c * low[k] - s * x;
        }
    }
    p = -s * s2 * c3 * e_next * e[l] / next;
    e[l] = s * p;
    d[l] = c * p;
}

static void diagonalise(double *v, double *d, double *e, size_t n)
{
    memmove(e, e + 1, (n - 1) * sizeof *e);
    e[n - 1] = 0;
    double shift = 0, largest = 0;
    for (size_t l = 0; l < n; l++) {
        largest = fmax(largest, fabs(d[l]) + fabs(e[l]));
        size_t m = l;
        while (m < n - 1 && fabs(e[m]) > DBL_EPSILON * largest)
            m++;
        if (m > l) {
            do
                ql_step(v, d, e, n, l, m, &shift);
            while (fabs(e[l]) > DBL_EPSILON * largest);
        }
        d[l] += shift;
        e[l] = 0;
    }
}

static void sort(double *v, double *d, size_t n)
{
    for (size_t i = 0; i + 1 < n; i++) {
        size_t least = i;
        for (size_t j = i + 1; j < n; j++)
            if (d[j] < d[least])
                least = j;
        if (least == i)
            continue;
        const double value = d[i];
        d[i] = d[least];
        d[least] = value;
        for (size_t k = 0; k < n; k++) {
            const double x = v[i * n + k];
            v[i * n + k] = v[least * n + k];
            v[least * n + k] = x;
        }
    }
}

gboolean cg_eigen_symmetric(double *matrix, double *values, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n * n; i++)
        sum += fabs(matrix[i]);
    if (!isfinite(sum))
        return FALSE;
    if (n == 0)
        return TRUE;
    g_autofree double *e = g_new(double, n);
    tridiagonalise(matrix, values, e, n);
    diagonalise(matrix, values, e, n);
    sort(matrix, values, n);
    return TRUE;
}
