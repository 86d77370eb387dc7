/* memseg: another texture, or the picture itself in disorder, on the object where Perlin noise says
 * so.
 *
 * Source: Yang et al., "MemSeg" (2022), and the re-implementation by TooTouch, which this follows:
 * what covers the object has an opacity of 0.15..1; the picture in disorder is itself changed by
 * three of DRAEM's ten augmenters, then its 8 x 8 cells are shuffled.
 */
#ifndef CG_SYNTHESIS_MEMSEG_H
#define CG_SYNTHESIS_MEMSEG_H

#include "synthesis/synthesis.h"

/* TEXTURE (of any size, stretched over the picture), or NULL: the picture itself. Mask: Perlin
 * noise as DRAEM's on OBJECT (NULL: everywhere), drawn again while it is empty. */
void cg_memseg(const CgImage *normal, const CgImage *object, const CgImage *texture, CgRng *rng,
               CgSynthesis *out);

/* IMAGE with its CELLS x CELLS cells in another order: cell i comes from ORDER[i], by rows. */
#define CG_MEMSEG_CELLS 8
CgImage *cg_memseg_shuffle(const CgImage *image,
                           const int order[CG_MEMSEG_CELLS * CG_MEMSEG_CELLS]);

#endif
