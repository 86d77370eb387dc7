/* eigen: the eigenvectors of a symmetric matrix. */
#ifndef CG_EMBEDDING_EIGEN_H
#define CG_EMBEDDING_EIGEN_H

#include <glib.h>

/* Of the symmetric MATRIX [n, n], whose rows become the orthonormal eigenvectors; VALUES [n] gets
 * the eigenvalues, ascending. FALSE when a number in it is not finite: then MATRIX is of no use.
 * Householder's reduction and the QL method with implicit shifts (EISPACK's tred2 and tql2, Smith
 * et al. 1976), about 5 n^3 operations: half a second for 512. */
gboolean cg_eigen_symmetric(double *matrix, double *values, size_t n);

#endif
