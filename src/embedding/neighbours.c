#include "embedding/neighbours.h"

#include "base/error.h"
#include "base/system.h"
#include "embedding/affinity.h"

#include <string.h>

/* COUNT rows of F, taken evenly. */
static CgFeatures *thin_out(const CgFeatures *f, size_t count)
{
    CgFeatures *few = cg_features_new(count, f->width);
    for (size_t i = 0; i < count; i++)
        memcpy(cg_features_row(few, i), cg_features_row(f, i * f->count / count),
               f->width * sizeof *f->values);
    return few;
}

/* As many rows of A as of B, below each other. */
static CgFeatures *join_evenly(const CgFeatures *a, const CgFeatures *b, size_t *each,
                               GError **error)
{
    *each = MIN(a->count, b->count);
    if (*each == 0) {
        g_set_error(error, CG_ERROR, CG_ERROR_SHAPE, "a group without pictures has no neighbours");
        return NULL;
    }
    g_autoptr(CgFeatures) few_a = thin_out(a, *each);
    g_autoptr(CgFeatures) few_b = thin_out(b, *each);
    return cg_features_join((CgFeatures *[]){few_a, few_b}, 2, error);
}

gboolean cg_two_sample_accuracy(const CgFeatures *a, const CgFeatures *b, guint64 seed,
                                CgMeanInterval *out, GError **error)
{
    size_t each;
    g_autoptr(CgFeatures) all = join_evenly(a, b, &each, error);
    if (!all)
        return FALSE;
    g_autofree guint32 *nearest = g_new(guint32, all->count);
    g_autofree double *same = g_new(double, all->count);
    if (!cg_nearest(all, 1, nearest, NULL, error))
        return FALSE;
    for (size_t i = 0; i < all->count; i++)
        same[i] = (i < each) == (nearest[i] < each);
    *out = cg_mean_interval(same, (guint)all->count, seed);
    return TRUE;
}

/* Share of columns below EACH among the K smallest of SQUARED [n], the first of equal ones. */
static double share_of_nearest(const double *squared, size_t n, size_t each, guint k,
                               gboolean *taken)
{
    guint hits = 0;
    memset(taken, 0, n * sizeof *taken);
    for (guint round = 0; round < k; round++) {
        size_t best = n;
        for (size_t j = 0; j < n; j++)
            if (!taken[j] && (best == n || squared[j] < squared[best]))
                best = j;
        taken[best] = TRUE;
        hits += best < each;
    }
    return (double)hits / k;
}

gboolean cg_neighbour_share(const CgFeatures *f, const CgFeatures *target, const CgFeatures *other,
                            guint k, guint64 seed, CgMeanInterval *out, GError **error)
{
    size_t each;
    g_autoptr(CgFeatures) all = join_evenly(target, other, &each, error);
    if (!all)
        return FALSE;
    if (f->width != all->width) {
        g_set_error(error, CG_ERROR, CG_ERROR_SHAPE, "features of %zu and of %zu numbers", f->width,
                    all->width);
        return FALSE;
    }
    const guint near = MIN(k, (guint)each);
    g_autofree double *shares = g_new(double, f->count + 1);
#pragma omp parallel for schedule(dynamic, 8) num_threads(cg_threads())
    for (size_t i = 0; i < f->count; i++) {
        g_autofree double *squared = g_new(double, all->count);
        g_autofree gboolean *taken = g_new(gboolean, all->count);
        for (size_t j = 0; j < all->count; j++)
            squared[j] =
                cg_squared_distance(cg_features_row(f, i), cg_features_row(all, j), f->width);
        shares[i] = share_of_nearest(squared, all->count, each, near, taken);
    }
    *out = cg_mean_interval(shares, (guint)f->count, seed);
    return cg_cancel_check(error);
}
