/* job_inputs: a look at all pictures of a list of jobs before hours are spent on the first. */
#ifndef CG_PIPELINE_JOB_INPUTS_H
#define CG_PIPELINE_JOB_INPUTS_H

#include "pipeline/mask_recipe.h"

/* Decodes every normal image and mask of JOBS (CgJob) once; the error names the first that can't be
 * read, is too small, is an empty mask, or is a mask that does not have its image's size. Of masks
 * to be drawn, the first for every image and recipe is. */
gboolean cg_jobs_check_inputs(const GPtrArray *jobs, CgMaskRecipes *recipes, GError **error);

#endif
