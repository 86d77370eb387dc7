/* pca: principal components. */
#ifndef CG_EMBEDDING_PCA_H
#define CG_EMBEDDING_PCA_H

#include "embedding/features.h"

/* Most of the smaller of count and width: the eigenvectors of a matrix of this size take minutes.
 */
#define CG_PCA_MAX 4096

/* SCORES [count, COMPONENTS]: F, centred, along the directions of its largest variances, those of
 * the largest first. Exact, from the covariance or, where there are fewer rows than numbers, from
 * the rows' products. Signs: the loading of largest magnitude is positive (scikit-learn's
 * convention). Components beyond the rank are 0. VARIANCES [COMPONENTS] (nullable): with divisor
 * count - 1. CG_ERROR_UNSUPPORTED beyond CG_PCA_MAX. */
gboolean cg_pca(const CgFeatures *f, size_t components, double *scores, double *variances,
                GError **error);

#endif
