#include "metrics/bootstrap.h"

#include "base/rng.h"
#include "base/system.h"

#include <math.h>
#include <string.h>

/* Draws whose weights are in memory at once. */
#define BATCH 256

static void draw_weights(const GArray *members, guint units, guint64 seed, guint draw,
                         double *weights)
{
    CgRng rng = cg_rng(seed, CG_STREAM(CG_STREAM_BOOTSTRAP, draw));
    memset(weights, 0, sizeof *weights * units);
    for (guint i = 0; i < members->len; i++) {
        const int pick = cg_rng_int(&rng, 0, (int)members->len - 1);
        weights[g_array_index(members, guint, pick)] += 1;
    }
}

static int compare(gconstpointer a, gconstpointer b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double percentile(const GArray *sorted, double share)
{
    const double at = share * (sorted->len - 1);
    const guint i = MIN((guint)at, sorted->len - 1), j = MIN(i + 1, sorted->len - 1);
    const double a = g_array_index(sorted, double, i), b = g_array_index(sorted, double, j);
    return a + (b - a) * (at - i);
}

static void interval(const CgMeasures *draws, guint count, CgMeasure m, CgIntervals *out)
{
    g_autoptr(GArray) values = g_array_new(FALSE, FALSE, sizeof(double));
    for (guint i = 0; i < count; i++)
        if (!isnan(draws[i].value[m]))
            g_array_append_val(values, draws[i].value[m]);
    out->low[m] = out->high[m] = NAN;
    if (values->len == 0 || values->len < count / 2)
        return;
    g_array_sort(values, compare);
    out->low[m] = percentile(values, 0.025);
    out->high[m] = percentile(values, 0.975);
}

gboolean cg_bootstrap(const CgRanking *r, const gboolean *members, guint count, guint64 seed,
                      double fpr_limit, CgIntervals *out, GError **error)
{
    const guint units = cg_ranking_units(r);
    g_autoptr(GArray) chosen = g_array_new(FALSE, FALSE, sizeof(guint));
    for (guint i = 0; i < units; i++)
        if (members[i])
            g_array_append_val(chosen, i);
    g_autofree CgMeasures *draws = g_new(CgMeasures, count + 1);
    g_autofree double *weights = g_new(double, (gsize)BATCH *units + 1);
    for (guint first = 0; first < count; first += BATCH) {
        const guint batch = MIN(BATCH, count - first);
        for (guint i = 0; i < batch; i++)
            draw_weights(chosen, units, seed, first + i, weights + (size_t)i * units);
        cg_ranking_measure(r, batch, weights, fpr_limit, draws + first);
        if (!cg_cancel_check(error))
            return FALSE;
    }
    for (int m = 0; m < CG_MEASURE_COUNT; m++)
        interval(draws, count, (CgMeasure)m, out);
    return TRUE;
}
