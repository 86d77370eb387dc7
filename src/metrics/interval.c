#include "metrics/interval.h"

#include <math.h>
#include <stdlib.h>

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double percentile(const double *sorted, gsize count, double share)
{
    const double at = share * (double)(count - 1);
    const gsize i = MIN((gsize)at, count - 1), j = MIN(i + 1, count - 1);
    return sorted[i] + (sorted[j] - sorted[i]) * (at - (double)i);
}

void cg_interval(double *values, gsize count, double *low, double *high)
{
    *low = *high = NAN;
    if (count == 0)
        return;
    qsort(values, count, sizeof *values, compare);
    *low = percentile(values, count, 0.025);
    *high = percentile(values, count, 0.975);
}

CgEstimate cg_estimate(double value, double variance)
{
    const double reach = 1.959963984540054 * sqrt(variance);
    return (CgEstimate){value, value - reach, value + reach};
}
