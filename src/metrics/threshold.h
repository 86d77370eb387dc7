/* threshold: from which score on a detector says "anomalous".
 *
 * Chosen on scores of normal pictures and of pictures with an anomaly, which weigh the same however
 * many there are of each: with R of the anomalous found and F of the normal called so, F1 is
 * 2 R / (R + F + 1). Called anomalous is what lies above the threshold, and a threshold lies midway
 * between two scores.
 */
#ifndef CG_METRICS_THRESHOLD_H
#define CG_METRICS_THRESHOLD_H

#include <glib.h>

typedef struct {
    double threshold;
    double found;        /* share of the anomalous */
    double false_alarms; /* share of the normal */
    double f1;
} CgOperatingPoint;

/* The best F1 or, unless FALSE_ALARMS is NaN, the lowest threshold with no more than this share of
 * false alarms. NORMAL [n], ANOMALOUS [m]: scores, at least one of each. */
CgOperatingPoint cg_threshold_choose(const double *normal, guint n, const double *anomalous,
                                     guint m, double false_alarms);

/* What THRESHOLD does on these scores. */
CgOperatingPoint cg_threshold_apply(double threshold, const double *normal, guint n,
                                    const double *anomalous, guint m);

#endif
