/* neighbours: which group a picture's neighbours in feature space belong to. */
#ifndef CG_EMBEDDING_NEIGHBOURS_H
#define CG_EMBEDDING_NEIGHBOURS_H

#include "embedding/features.h"
#include "metrics/mean.h"

/* Share of the rows of A and B together whose nearest other row is of their own group: the accuracy
 * of a classifier by the nearest neighbour, left out one by one (Lopez-Paz and Oquab 2017). 0.5:
 * groups of one size that cannot be told apart; 1: apart; below 0.5: each row has its double in the
 * other group. The larger group is thinned out evenly to the size of the smaller one, without which
 * the share would say which is larger. */
gboolean cg_two_sample_accuracy(const CgFeatures *a, const CgFeatures *b, guint64 seed,
                                CgMeanInterval *out, GError **error);

/* For the rows of F, the mean share of those of TARGET among the K nearest of TARGET and OTHER
 * together, to which F does not belong. The larger of both is thinned out to the smaller: without
 * preference it is 0.5. K is lowered to what there is. */
gboolean cg_neighbour_share(const CgFeatures *f, const CgFeatures *target, const CgFeatures *other,
                            guint k, guint64 seed, CgMeanInterval *out, GError **error);

#endif
