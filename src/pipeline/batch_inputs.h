/* batch_inputs: the pictures that a batch makes its images of. One job's inputs are kept until the
 * next one's, which often are the same.
 */
#ifndef CG_PIPELINE_BATCH_INPUTS_H
#define CG_PIPELINE_BATCH_INPUTS_H

#include "pipeline/job.h"
#include "pipeline/mask_recipe.h"

/* A file's picture, and the SHA-256 of the file. */
typedef struct {
    char *path, *sha256;
    CgImage *image;
} CgBatchPicture;

typedef struct {
    CgBatchPicture normal;
    CgBatchPicture begin; /* all NULL where the job begins from the normal image */
    CgBatchPicture mask;  /* a drawn one has no path, and its SHA-256 is that of its pixels */
} CgBatchInputs;

void cg_batch_inputs_clear(CgBatchInputs *inputs);

/* JOB's normal image, and the picture that it begins from. */
gboolean cg_batch_inputs_load(CgBatchInputs *inputs, const CgJob *job, GError **error);
/* JOB's mask, read or drawn; after the above. */
gboolean cg_batch_inputs_load_mask(CgBatchInputs *inputs, CgMaskRecipes *recipes, const CgJob *job,
                                   GError **error);
/* The mask at the normal image's size. Free with cg_image_free. */
CgImage *cg_batch_inputs_fitted_mask(const CgBatchInputs *inputs);

#endif
