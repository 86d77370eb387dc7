/* interval: where a number that was estimated from a sample may lie, with 95 %.
 */
#ifndef CG_METRICS_INTERVAL_H
#define CG_METRICS_INTERVAL_H

#include <glib.h>

/* Between the percentiles 2.5 and 97.5 of VALUES [count], linear between order statistics as
 * numpy.percentile has it. They are finite, and are sorted; NaN when there are none. */
void cg_interval(double *values, gsize count, double *low, double *high);

/* A number and its interval; NaN: undefined. */
typedef struct {
    double value, low, high;
} CgEstimate;

/* VALUE, whose error is normal with VARIANCE; NaN: no interval. */
CgEstimate cg_estimate(double value, double variance);

#endif
