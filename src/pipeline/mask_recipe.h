/* mask_recipe: jobs whose masks are drawn by a rule instead of read from a file.
 *
 * A job with "shape" (the grammar of synthesis/shapes.h) has no mask of its own: its mask is drawn
 * from stream (CG_STREAM_MASK, sample) of its seed, on the object, as cagen mask draws it. Shape,
 * "foreground", "library", "allowed", "forbidden", "min_area" and "max_area" are the recipe, and
 * stand in the manifest's rows.
 */
#ifndef CG_PIPELINE_MASK_RECIPE_H
#define CG_PIPELINE_MASK_RECIPE_H

#include "pipeline/job.h"
#include "synthesis/shapes.h"

/* Cells along the longer side of the latent grid, and how many of them a mask touches at least,
 * unless people say something else. */
#define CG_MASK_RECIPE_LATENT    64
#define CG_MASK_RECIPE_MIN_CELLS 2

/* The masks at PATH, a picture or a folder of such at any depth, that are not empty. */
CgMaskLibrary *cg_mask_library_open(const char *path, GError **error);

/* What recipes refer to, read once. */
typedef struct CgMaskRecipes CgMaskRecipes;
CgMaskRecipes *cg_mask_recipes_new(void);
void cg_mask_recipes_free(CgMaskRecipes *recipes);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CgMaskRecipes, cg_mask_recipes_free)

/* Decides what the object is for all JOBS (CgJob) with a shape and the foreground "auto" or none,
 * from their normal images together, and writes it into the jobs: each then holds all that its mask
 * depends on. Paths in "foreground" become absolute. */
gboolean cg_mask_recipes_settle(GPtrArray *jobs, GError **error);

/* The mask of JOB, whose normal image NORMAL is. Free with cg_image_free. */
CgImage *cg_mask_recipes_draw(CgMaskRecipes *recipes, const CgJob *job, const CgImage *normal,
                              GError **error);

#endif
