/* figures: sheets of samples: methods side by side, and one defect's prompts side by side. */
#ifndef CG_PIPELINE_FIGURES_H
#define CG_PIPELINE_FIGURES_H

#include "pipeline/group.h"

/* ROWS results: normal picture and mask of the last group in GROUPS (CgGroup with pictures), then a
 * result of each group, made of the same normal picture where it has one, and a picture of REAL
 * (nullable) at the right. Each picture CELL pixels. */
CgImage *cg_figure_samples(GPtrArray *groups, const CgGroup *real, int rows, int cell,
                           GError **error);

/* ROWS pairs of a normal picture and a mask of GROUP, those with the most different prompts first,
 * and a result for each of at most COLUMNS prompts. CG_ERROR_MISSING when no pair has two prompts.
 */
CgImage *cg_figure_prompts(const CgGroup *group, int rows, int columns, int cell, GError **error);

#endif
