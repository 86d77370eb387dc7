/* crop_paste: real defects, cut out along their masks and put elsewhere.
 *
 * The plain control for every learned generator: what the few real defects give without one. A
 * defect is scaled by 0.7..1.3 and turned by any angle, then put where all of it lies in the
 * picture.
 */
#ifndef CG_SYNTHESIS_CROP_PASTE_H
#define CG_SYNTHESIS_CROP_PASTE_H

#include "image/paste.h"
#include "synthesis/synthesis.h"

/* DEFECT_MASK is as large as DEFECT and not empty. BLEND: exact or poisson. Where the turned defect
 * is larger than NORMAL it is made smaller. */
void cg_crop_paste(const CgImage *normal, const CgImage *defect, const CgImage *defect_mask,
                   CgPasteMode blend, CgRng *rng, CgSynthesis *out);

#endif
