/* draem: another texture where Perlin noise says so.
 *
 * Source: Zavrtanik et al., "DRAEM" (ICCV 2021) and its code: a texture, changed by three of ten
 * augmenters, laid over the picture where the noise is above 0.5. What its training does besides
 * (turned normal pictures, half of the samples without an anomaly) is not part of a synthesis.
 */
#ifndef CG_SYNTHESIS_DRAEM_H
#define CG_SYNTHESIS_DRAEM_H

#include "synthesis/synthesis.h"

/* TEXTURE of any size, stretched over the picture and seen with an opacity of 0.2..1. An empty mask
 * is drawn again. */
void cg_draem(const CgImage *normal, const CgImage *texture, CgRng *rng, CgSynthesis *out);

/* The parts of it. MASK, and NORMAL * beta + TEXTURE * (1 - beta) where it is set; TEXTURE as large
 * as NORMAL, in RGB. */
CgImage *cg_draem_blend(const CgImage *normal, const CgImage *texture, const CgImage *mask,
                        double beta);
/* TEXTURE in RGB at the given size, changed by three different augmenters, which are appended to
 * the array DRAWN. */
CgImage *cg_draem_texture(const CgImage *texture, int width, int height, CgRng *rng, json_t *drawn);

#endif
