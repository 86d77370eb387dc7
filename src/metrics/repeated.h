/* repeated: means of detectors that were trained several times, and how two kinds of them differ.
 *
 * Two things move such a mean: the seeds of the trainings, and which images happen to be in the
 * test set. An interval is of both. Each of its draws takes one bootstrap draw of the images, the
 * same for all trainings of a category, and S - 1 of its S seeds with replacement: with S of them
 * the spread of three seeds would come out a third too small (Rao and Wu 1988). With one seed the
 * interval is of the images alone.
 *
 * Two kinds are compared on the same images and the same seeds in each draw, which takes out what
 * moves both alike.
 */
#ifndef CG_METRICS_REPEATED_H
#define CG_METRICS_REPEATED_H

#include "metrics/mean.h"

/* One measure of one kind of detector on one category. */
typedef struct {
    guint seeds;          /* trainings, at least one */
    const double *values; /* [seeds], on the test images */
    const float **draws;  /* [seeds] [draws], on draws of them; NaN where it is undefined */
} CgRepeated;

/* The mean over GROUPS (categories) of the mean of A, or, unless B is NULL, of the mean of A minus
 * the mean of B: each group's B has the seeds of its A, in their order. DRAWS 0: no interval (NaN),
 * as when more than half of the draws are undefined. COUNT of the result: the defined draws. */
CgMeanInterval cg_repeated_compare(const CgRepeated *a, const CgRepeated *b, guint groups,
                                   guint draws, guint64 seed);

#endif
