#include "metrics/mean.h"

#include "base/rng.h"
#include "metrics/interval.h"

#include <math.h>

static double mean_of_draw(const GArray *finite, guint64 seed, guint draw)
{
    CgRng rng = cg_rng(seed, CG_STREAM(CG_STREAM_BOOTSTRAP, draw));
    double sum = 0;
    for (guint i = 0; i < finite->len; i++)
        sum += g_array_index(finite, double, cg_rng_int(&rng, 0, (int)finite->len - 1));
    return sum / finite->len;
}

CgMeanInterval cg_mean_interval(const double *values, guint count, guint64 seed)
{
    g_autoptr(GArray) finite = g_array_new(FALSE, FALSE, sizeof(double));
    double sum = 0;
    for (guint i = 0; i < count; i++)
        if (isfinite(values[i])) {
            g_array_append_val(finite, values[i]);
            sum += values[i];
        }
    if (finite->len == 0)
        return (CgMeanInterval){NAN, NAN, NAN, 0};
    g_autoptr(GArray) means = g_array_sized_new(FALSE, FALSE, sizeof(double), CG_MEAN_DRAWS);
    for (guint i = 0; i < CG_MEAN_DRAWS; i++) {
        const double mean = mean_of_draw(finite, seed, i);
        g_array_append_val(means, mean);
    }
    CgMeanInterval out = {.mean = sum / finite->len, .count = finite->len};
    cg_interval((double *)(void *)means->data, means->len, &out.low, &out.high);
    return out;
}
