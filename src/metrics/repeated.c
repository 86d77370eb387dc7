#include "metrics/repeated.h"

#include "base/rng.h"
#include "metrics/interval.h"

#include <math.h>

static double mean_value(const CgRepeated *r)
{
    double sum = 0;
    for (guint i = 0; i < r->seeds; i++)
        sum += r->values[i];
    return sum / r->seeds;
}

/* Draw DRAW of one group. */
static double draw_group(const CgRepeated *a, const CgRepeated *b, guint draw, CgRng *rng)
{
    const guint count = MAX(1, a->seeds - 1);
    double sum = 0;
    for (guint i = 0; i < count; i++) {
        const int pick = cg_rng_int(rng, 0, (int)a->seeds - 1);
        sum += (double)a->draws[pick][draw];
        if (b)
            sum -= (double)b->draws[pick][draw];
    }
    return sum / count;
}

CgMeanInterval cg_repeated_compare(const CgRepeated *a, const CgRepeated *b, guint groups,
                                   guint draws, guint64 seed)
{
    CgMeanInterval out = {0};
    for (guint g = 0; g < groups; g++)
        out.mean += (mean_value(&a[g]) - (b ? mean_value(&b[g]) : 0)) / groups;
    g_autofree double *found = g_new(double, draws + 1);
    for (guint i = 0; i < draws; i++) {
        CgRng rng = cg_rng(seed, CG_STREAM(CG_STREAM_BOOTSTRAP, i));
        double sum = 0;
        for (guint g = 0; g < groups; g++)
            sum += draw_group(&a[g], b ? &b[g] : NULL, i, &rng);
        if (isfinite(sum))
            found[out.count++] = sum / groups;
    }
    out.low = out.high = NAN;
    if (out.count > draws / 2)
        cg_interval(found, out.count, &out.low, &out.high);
    return out;
}
