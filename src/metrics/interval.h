/* interval: between the percentiles 2.5 and 97.5, linear between order statistics as
 * numpy.percentile has it.
 */
#ifndef CG_METRICS_INTERVAL_H
#define CG_METRICS_INTERVAL_H

#include <glib.h>

/* Of VALUES [count], finite ones, which are sorted; NaN when there are none. */
void cg_interval(double *values, gsize count, double *low, double *high);

#endif
