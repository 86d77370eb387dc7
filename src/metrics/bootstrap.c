#include "metrics/bootstrap.h"

#include "base/rng.h"
#include "base/system.h"
#include "metrics/interval.h"

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

static void find_interval(const CgMeasures *draws, guint count, CgMeasure m, CgIntervals *out)
{
    g_autoptr(GArray) values = g_array_new(FALSE, FALSE, sizeof(double));
    for (guint i = 0; i < count; i++)
        if (!isnan(draws[i].value[m]))
            g_array_append_val(values, draws[i].value[m]);
    out->low[m] = out->high[m] = NAN;
    if (values->len == 0 || values->len < count / 2)
        return;
    cg_interval((double *)(void *)values->data, values->len, &out->low[m], &out->high[m]);
}

gboolean cg_bootstrap(const CgRanking *r, const gboolean *members, guint count, guint64 seed,
                      double fpr_limit, CgIntervals *out, CgMeasures *kept, GError **error)
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
        find_interval(draws, count, (CgMeasure)m, out);
    if (kept)
        memcpy(kept, draws, count * sizeof *kept);
    return TRUE;
}
