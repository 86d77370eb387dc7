/* frechet: how far two groups of pictures are from each other, by means and covariances of their
 * features. */
#ifndef CG_EMBEDDING_FRECHET_H
#define CG_EMBEDDING_FRECHET_H

#include "embedding/features.h"
#include "metrics/interval.h"

/* |m_a - m_b|^2 + tr(S_a + S_b - 2 (S_a S_b)^(1/2)), means and covariances (divisor count - 1) of
 * A and B, of one width, at least two rows each (CG_ERROR_SHAPE otherwise). The FID is this on
 * Inception's features (Heusel et al. 2017). Groups smaller than the width have singular
 * covariances: then it still is defined, but larger for fewer pictures, and only distances of
 * groups of one size can be compared. The last trace is computed from the smallest of count and
 * width as eigenvalues of a symmetric matrix; CG_ERROR_UNSUPPORTED when that is beyond
 * CG_PCA_MAX. */
gboolean cg_frechet_distance(const CgFeatures *a, const CgFeatures *b, double *out, GError **error);

/* The same with its interval: by the infinitesimal jackknife, that is from how much each picture
 * moves the distance (its derivative by the picture's weight). Pictures drawn with replacement
 * would not do: doubles take rank from the covariances, so that nearly all such draws lie above the
 * distance itself. What groups of this size add to the distance stays in value and interval
 * alike. */
gboolean cg_frechet_estimate(const CgFeatures *a, const CgFeatures *b, CgEstimate *out,
                             GError **error);

#endif
