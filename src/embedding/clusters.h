/* clusters: pictures gathered around the few that a generator has learnt from, and how different
 * those of one cluster are: a generator that repeats its examples makes clusters without extent.
 *
 * With LPIPS vectors (models/lpips.h) it is the IC-LPIPS of Ojha et al. 2021, "Few-shot image
 * generation via cross-domain correspondence". Squared Euclidean distances of any features will do.
 */
#ifndef CG_EMBEDDING_CLUSTERS_H
#define CG_EMBEDDING_CLUSTERS_H

#include "embedding/features.h"
#include "metrics/interval.h"

typedef struct {
    guint count;     /* pictures in it */
    double distance; /* mean over all pairs of them; NaN of fewer than two */
} CgCluster;

typedef struct {
    guint32 *nearest;    /* [pictures]: which cluster; the first of equal ones */
    CgCluster *clusters; /* [shots] */
    /* The mean of the clusters' distances, each of at least two pictures counting once; NaN without
     * one. Interval: from how much each picture moves its cluster's mean, the shots being what they
     * are; NaN where a cluster has two pictures alone. */
    CgEstimate diversity;
} CgClusters;

/* The rows of F around the rows of SHOTS, of one width (CG_ERROR_SHAPE) and at least one. All pairs
 * of a cluster count, so nothing is drawn. */
gboolean cg_clusters_measure(const CgFeatures *f, const CgFeatures *shots, CgClusters *out,
                             GError **error);
void cg_clusters_clear(CgClusters *clusters);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(CgClusters, cg_clusters_clear)

#endif
