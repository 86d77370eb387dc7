/* affinity: how near points are to each other as probabilities, the P of t-SNE.
 *
 * p(j|i) = exp(-beta_i d_ij^2) / sum over j, beta_i such that the entropy is ln(perplexity);
 * p_ij = (p(j|i) + p(i|j)) / (2 n). (van der Maaten and Hinton 2008, equation 1 and section 3.1;
 * the search for beta is scikit-learn's: bisection to 1e-5 of the entropy, at most 100 steps.)
 */
#ifndef CG_EMBEDDING_AFFINITY_H
#define CG_EMBEDDING_AFFINITY_H

#include "embedding/features.h"

/* Rows of neighbours: those of point I are at begin[i] .. begin[i + 1] - 1. */
typedef struct {
    size_t count;
    size_t *begin;   /* [count + 1] */
    guint32 *column; /* rising within a row */
    double *value;   /* sums to 1 over all */
} CgAffinity;

void cg_affinity_free(CgAffinity *p);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CgAffinity, cg_affinity_free)

/* P of the rows of F among their NEIGHBOURS nearest (count - 1: all, the exact P). PERPLEXITY below
 * NEIGHBOURS; NEIGHBOURS below count. Runs on all threads. CG_ERROR_CANCELLED. */
CgAffinity *cg_affinity_new(const CgFeatures *f, size_t neighbours, double perplexity,
                            GError **error);

/* The K (below count) nearest rows of each row, nearest first, of equally near ones the first:
 * INDEX [count, K], SQUARED [count, K] distances (nullable). CG_ERROR_CANCELLED. */
gboolean cg_nearest(const CgFeatures *f, size_t k, guint32 *index, double *squared, GError **error);

#endif
