/* tsne: a plane in which near points stay near (van der Maaten and Hinton 2008).
 *
 *     CgTsne settings = cg_tsne_defaults();
 *     g_autofree double *y = g_new(double, 2 * f->count);
 *     cg_tsne(f, &settings, y, &kl, error);
 *
 * The objective is KL(P || Q), q_ij = w_ij / sum w, w_ij = 1 / (1 + |y_i - y_j|^2). Conventions are
 * scikit-learn's (1.2 and later): gradient with its factor 4, gains + 0.2 and * 0.8 from 0.01 on,
 * momentum 0.5 while P is exaggerated and 0.8 after it. The result is the same for any number of
 * threads. Axes mean nothing, and neither do distances between far groups.
 */
#ifndef CG_EMBEDDING_TSNE_H
#define CG_EMBEDDING_TSNE_H

#include "embedding/affinity.h"

typedef struct {
    double perplexity;    /* above 1 */
    double angle;         /* of Barnes and Hut, in [0, 0.7]; 0: exact */
    double exaggeration;  /* of P at first, at least 1 */
    int exaggerated;      /* iterations */
    int iterations;       /* in all */
    double learning_rate; /* 0: max(count / exaggeration / 4, 50) */
    int components;       /* to which features are reduced first (PCA); 0: as they are */
    gboolean random;      /* begin with normal numbers of deviation 1e-4, by SEED; otherwise with
                           * the first two components, the first of this deviation */
    guint64 seed;
} CgTsne;

/* Perplexity 30, exact (angle 0), 12 for 250 of 1000 iterations, rate by count, 50 components, PCA.
 */
CgTsne cg_tsne_defaults(void);
/* From this many points on the exact gradient takes longer than it is worth. */
#define CG_TSNE_EXACT_MAX 1000

/* Y [count, 2]; KL (nullable) the divergence reached. CG_ERROR_USAGE when there are too few points
 * for the perplexity (3 * perplexity < count is needed), CG_ERROR_CANCELLED. */
gboolean cg_tsne(const CgFeatures *f, const CgTsne *settings, double *y, double *kl,
                 GError **error);

/* KL and its GRADIENT [count, 2] at Y for P times EXAGGERATION (KL then is of that, too). */
double cg_tsne_gradient(const CgAffinity *p, const double *y, double angle, double exaggeration,
                        double *gradient);

/* How far neighbours in Y are neighbours in F, in [0, 1] (Venna and Kaski 2001): 1 minus a sum over
 * those among the K nearest in Y that are farther in F, by how far. K below count / 2. */
gboolean cg_trustworthiness(const CgFeatures *f, const double *y, size_t k, double *out,
                            GError **error);

#endif
