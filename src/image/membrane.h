/* membrane: smooth continuation of boundary values into a region.
 *
 * Solves Laplace's equation on some pixels of a grid (4 neighbours), the others being given; at the
 * grid's own edge there is no neighbour and no flow (Neumann). This is what gradient-domain
 * blending comes down to: pasting G over S so that gradients stay G's means adding to G the
 * membrane through S - G on the boundary (Perez, Gangnet, Blake, "Poisson Image Editing", 2003).
 *
 * Conjugate gradients, with one multigrid V-cycle as preconditioner. The coarser grids are those
 * of the resistor network that the equation describes (2x2 pixels become one node), so any shape of
 * region keeps its shape; see membrane.c. Doubles outside, floats inside the preconditioner. One
 * thread: 0.15 s for 512x512 pixels, and the same bits everywhere.
 */
#ifndef CG_IMAGE_MEMBRANE_H
#define CG_IMAGE_MEMBRANE_H

#include <glib.h>

typedef struct CgMembrane CgMembrane;

/* UNKNOWN [height, width]: non-zero where values are wanted. At least one pixel must be given, and
 * at least one unknown. */
CgMembrane *cg_membrane_new(const guint8 *unknown, int width, int height);
void cg_membrane_free(CgMembrane *membrane);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CgMembrane, cg_membrane_free)

/* VALUES [height, width]: the given values are read, the unknown ones replaced. Stops when the
 * error in the energy norm has fallen below CG_MEMBRANE_TOLERANCE of what it was (estimated by the
 * preconditioned residual), which for 8-bit pictures is far below one step. Returns the iterations
 * taken. */
#define CG_MEMBRANE_TOLERANCE 1e-6
int cg_membrane_solve(CgMembrane *membrane, double *values);
/* Poisson's equation instead: SOURCE [height, width] is what the four differences of an unknown
 * value from its neighbours add up to. */
int cg_membrane_solve_source(CgMembrane *membrane, const double *source, double *values);

/* The same as cg_membrane_solve for a whole rectangle whose outermost pixels are given: VALUES
 * [channels, height, width], sides at least 3. A sum of waves along each edge that fade away from
 * it, which on a rectangle is the exact solution; of 8-bit pictures to 0.01 step. Faster by an
 * order of magnitude. */
void cg_membrane_fill(float *values, int width, int height, int channels);

#endif
