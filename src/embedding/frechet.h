/* frechet: how far two groups of pictures are from each other, by means and covariances of their
 * features. */
#ifndef CG_EMBEDDING_FRECHET_H
#define CG_EMBEDDING_FRECHET_H

#include "embedding/features.h"

/* |m_a - m_b|^2 + tr(S_a + S_b - 2 (S_a S_b)^(1/2)), means and covariances (divisor count - 1) of
 * A and B, of one width, at least two rows each (CG_ERROR_SHAPE otherwise). The FID is this on
 * Inception's features (Heusel et al. 2017). Groups smaller than the width have singular
 * covariances: then it still is defined, but larger for fewer pictures, and only distances of
 * groups of one size can be compared. The last trace is computed from the smallest of count and
 * width as eigenvalues of a symmetric matrix; CG_ERROR_UNSUPPORTED when that is beyond
 * CG_PCA_MAX. */
gboolean cg_frechet_distance(const CgFeatures *a, const CgFeatures *b, double *out, GError **error);

#endif
