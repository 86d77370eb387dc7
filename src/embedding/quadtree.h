/* quadtree: what all points of a plane do to one, far ones together (Barnes and Hut 1986). */
#ifndef CG_EMBEDDING_QUADTREE_H
#define CG_EMBEDDING_QUADTREE_H

#include <glib.h>

typedef struct CgQuadtree CgQuadtree;

/* An empty tree for COUNT points; cg_quadtree_build takes their positions Y [count, 2], all
 * finite, again and again. */
CgQuadtree *cg_quadtree_new(size_t count);
void cg_quadtree_free(CgQuadtree *tree);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CgQuadtree, cg_quadtree_free)
void cg_quadtree_build(CgQuadtree *tree, const double *y);

/* FORCE [2]: the sum over all points other than POINT of w^2 (y_point - y_j), w = 1 / (1 +
 * distance^2); returns the sum of w. A cell counts as one point in its centre of mass where width <
 * ANGLE * distance; ANGLE in [0, 0.7], 0 is exact. (From 1 / sqrt 2 on a cell could hold POINT
 * itself.) */
double cg_quadtree_repulsion(const CgQuadtree *tree, size_t point, double angle, double force[2]);

#endif
