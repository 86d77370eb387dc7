/* kernel_distance: how far two groups of pictures are from each other, by a kernel on features. */
#ifndef CG_EMBEDDING_KERNEL_DISTANCE_H
#define CG_EMBEDDING_KERNEL_DISTANCE_H

#include "embedding/features.h"

typedef struct {
    double value;           /* of all rows */
    double low, high;       /* of its 95 % interval; NaN where DRAWS was 0 */
    double mean, deviation; /* of the subsets; NaN without */
} CgKernelDistance;

typedef struct {
    guint draws; /* bootstrap samples for the interval */
    guint subsets, subset_size;
    guint64 seed;
} CgKernelOptions;

/* The unbiased estimate of the squared maximum mean discrepancy with the kernel (x.y / width + 1)^3
 * (Binkowski et al. 2018; KID on Inception's features); may be negative. A and B: one width, at
 * least two rows each (CG_ERROR_SHAPE). Interval: rows drawn with replacement, pairs of a row with
 * itself left out, percentiles 2.5 and 97.5. Subsets as torch-fidelity has them: SUBSETS times
 * SUBSET_SIZE rows (at most as many as there are) without replacement, mean and deviation (divisor
 * SUBSETS). CG_ERROR_CANCELLED. */
gboolean cg_kernel_distance(const CgFeatures *a, const CgFeatures *b,
                            const CgKernelOptions *options, CgKernelDistance *out, GError **error);

#endif
