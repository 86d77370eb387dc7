/* crop_paste: real defects, cut out along their masks and put elsewhere.
 *
 * The plain control for every learned generator: what the few real defects give without one. A
 * defect is scaled by 0.7..1.3 and turned by any angle, then put where all of it lies in the
 * picture and, as far as may be, on the object: beside it, it would be labelled and hardly seen.
 */
#ifndef CG_SYNTHESIS_CROP_PASTE_H
#define CG_SYNTHESIS_CROP_PASTE_H

#include "image/paste.h"
#include "synthesis/synthesis.h"

/* DEFECT_MASK is as large as DEFECT and not empty. BLEND: exact or poisson. Where the turned defect
 * is larger than NORMAL it is made smaller. OBJECT: where the object is in NORMAL, of its size and
 * not empty; NULL: everywhere. Of up to CG_CROP_PASTE_PLACES places the first is taken where
 * nine tenths of the defect lie on the object, or else the one where most of it does. */
#define CG_CROP_PASTE_PLACES 100
void cg_crop_paste(const CgImage *normal, const CgImage *object, const CgImage *defect,
                   const CgImage *defect_mask, CgPasteMode blend, CgRng *rng, CgSynthesis *out);

#endif
