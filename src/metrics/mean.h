/* mean: means with intervals. */
#ifndef CG_METRICS_MEAN_H
#define CG_METRICS_MEAN_H

#include <glib.h>

typedef struct {
    double mean, low, high; /* NaN when there is no value */
    guint count;            /* finite values */
} CgMeanInterval;

#define CG_MEAN_DRAWS 2000

/* The mean of the finite ones among VALUES [count] and its interval of 95 % by bootstrap: the
 * percentiles 2.5 and 97.5 (linear between order statistics) of the means of CG_MEAN_DRAWS samples
 * drawn with replacement, by SEED. */
CgMeanInterval cg_mean_interval(const double *values, guint count, guint64 seed);

#endif
