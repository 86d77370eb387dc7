/* bootstrap: how far a measure would move with other test images.
 *
 * Images are drawn with replacement, as many as there are; all measures of a draw come from one
 * sweep over the ranking with the images' multiplicities as weights. The interval is that of the
 * percentiles 2.5 and 97.5 (linear between order statistics, as numpy.percentile). Draws without
 * defective or without normal images are left out.
 */
#ifndef CG_METRICS_BOOTSTRAP_H
#define CG_METRICS_BOOTSTRAP_H

#include "metrics/ranking.h"

#define CG_BOOTSTRAP_MAX 100000

typedef struct {
    double low[CG_MEASURE_COUNT], high[CG_MEASURE_COUNT]; /* NaN: undefined in most draws */
} CgIntervals;

/* COUNT draws among the units with a MEMBERS [units] other than 0. Draw I depends on (SEED, I) and
 * the number of members alone, so that rankings of the same images (of pixels and of images, of
 * several modes, of several detectors) get the same draws. DRAWS [count], unless NULL, gets what
 * each of them measured. CG_ERROR_CANCELLED. */
gboolean cg_bootstrap(const CgRanking *r, const gboolean *members, guint count, guint64 seed,
                      double fpr_limit, CgIntervals *out, CgMeasures *draws, GError **error);

#endif
