#include "embedding/clusters.h"

#include "base/error.h"
#include "base/system.h"

#include <math.h>
#include <string.h>

void cg_clusters_clear(CgClusters *c)
{
    g_clear_pointer(&c->nearest, g_free);
    g_clear_pointer(&c->clusters, g_free);
}

static void find_nearest(const CgFeatures *f, const CgFeatures *shots, guint32 *nearest)
{
#pragma omp parallel for schedule(dynamic, 1) num_threads(cg_threads())
    for (size_t i = 0; i < f->count; i++) {
        double least = INFINITY;
        for (size_t k = 0; k < shots->count; k++) {
            const double d =
                cg_squared_distance(cg_features_row(f, i), cg_features_row(shots, k), f->width);
            if (d < least) {
                least = d;
                nearest[i] = (guint32)k;
            }
        }
    }
}

/* SUM [width] of the cluster's rows. */
static void add_up(const CgFeatures *f, const guint32 *members, guint n, double *sum)
{
#pragma omp parallel for schedule(static) num_threads(cg_threads())
    for (size_t j = 0; j < f->width; j++) {
        sum[j] = 0;
        for (guint i = 0; i < n; i++)
            sum[j] += cg_features_row(f, members[i])[j];
    }
}

/* SQUARE |x|^2 and ALONG x s of each member x. */
static void multiply(const CgFeatures *f, const guint32 *members, guint n, const double *sum,
                     double *square, double *along)
{
#pragma omp parallel for schedule(static) num_threads(cg_threads())
    for (guint i = 0; i < n; i++) {
        const float *x = cg_features_row(f, members[i]);
        double xx = 0, xs = 0;
#pragma omp simd reduction(+ : xx, xs)
        for (size_t j = 0; j < f->width; j++) {
            xx += (double)x[j] * x[j];
            xs += (double)x[j] * sum[j];
        }
        square[i] = xx;
        along[i] = xs;
    }
}

/* Of the N pictures MEMBERS. The mean distance of x from the others is, with the sums s of all and
 * q of their squares,  (n |x|^2 + q - 2 x s) / (n - 1):  no pair has to be looked at. Returns the
 * variance of their mean (a U-statistic's, by its projection); NaN of two. */
static double measure(const CgFeatures *f, const guint32 *members, guint n, CgCluster *out)
{
    g_autofree double *sum = g_new(double, f->width);
    g_autofree double *square = g_new(double, n), *mean = g_new(double, n);
    double q = 0, squares = 0;
    add_up(f, members, n, sum);
    multiply(f, members, n, sum, square, mean);
    for (guint i = 0; i < n; i++)
        q += square[i];
    out->distance = 0;
    for (guint i = 0; i < n; i++) {
        mean[i] = fmax((n * square[i] + q - 2 * mean[i]) / (n - 1), 0);
        out->distance += mean[i] / n;
    }
    for (guint i = 0; i < n; i++)
        squares += (mean[i] - out->distance) * (mean[i] - out->distance);
    return n > 2 ? 4 * squares / ((double)n * (n - 1)) : NAN;
}

static void measure_all(const CgFeatures *f, size_t shots, CgClusters *out)
{
    g_autofree guint32 *members = g_new(guint32, f->count);
    double sum = 0, variance = 0;
    guint used = 0;
    for (size_t k = 0; k < shots; k++) {
        CgCluster *c = &out->clusters[k];
        for (size_t i = 0; i < f->count; i++)
            if (out->nearest[i] == k)
                members[c->count++] = (guint32)i;
        c->distance = NAN;
        if (c->count < 2)
            continue;
        variance += measure(f, members, c->count, c);
        sum += c->distance;
        used++;
    }
    out->diversity = cg_estimate(used ? sum / used : NAN, variance / ((double)used * used));
    if (out->diversity.low < 0)
        out->diversity.low = 0;
}

gboolean cg_clusters_measure(const CgFeatures *f, const CgFeatures *shots, CgClusters *out,
                             GError **error)
{
    *out = (CgClusters){0};
    if (f->width != shots->width || f->count == 0 || shots->count == 0) {
        g_set_error(error, CG_ERROR, CG_ERROR_SHAPE,
                    "clusters are of pictures around others with equally many features, not of %zu "
                    "x %zu around %zu x %zu",
                    f->count, f->width, shots->count, shots->width);
        return FALSE;
    }
    out->nearest = g_new0(guint32, f->count);
    out->clusters = g_new0(CgCluster, shots->count);
    find_nearest(f, shots, out->nearest);
    measure_all(f, shots->count, out);
    return cg_cancel_check(error);
}
