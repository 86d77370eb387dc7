#include "metrics/threshold.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static guint count_above(const double *scores, guint n, double threshold)
{
    guint count = 0;
    for (guint i = 0; i < n; i++)
        count += scores[i] > threshold;
    return count;
}

CgOperatingPoint cg_threshold_apply(double threshold, const double *normal, guint n,
                                    const double *anomalous, guint m)
{
    const double found = (double)count_above(anomalous, m, threshold) / m;
    const double alarms = (double)count_above(normal, n, threshold) / n;
    return (CgOperatingPoint){threshold, found, alarms, 2 * found / (found + alarms + 1)};
}

CgOperatingPoint cg_threshold_choose(const double *normal, guint n, const double *anomalous,
                                     guint m, double false_alarms)
{
    const guint count = n + m;
    g_autofree double *all = g_new(double, count);
    memcpy(all, normal, n * sizeof *all);
    memcpy(all + n, anomalous, m * sizeof *all);
    qsort(all, count, sizeof *all, compare);
    /* Above the highest score nothing is called anomalous. */
    CgOperatingPoint best = cg_threshold_apply(all[count - 1], normal, n, anomalous, m);
    for (guint i = count - 1; i > 0; i--) {
        if (!(all[i] > all[i - 1]))
            continue;
        const CgOperatingPoint p =
            cg_threshold_apply(all[i - 1] + (all[i] - all[i - 1]) / 2, normal, n, anomalous, m);
        if (isnan(false_alarms) ? p.f1 > best.f1 : p.false_alarms <= false_alarms)
            best = p;
    }
    return best;
}
