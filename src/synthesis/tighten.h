/* tighten: the part of a mask in which a defect can be seen.
 *
 * A mask says where a defect was asked for; what was painted often fills only a part of it (a thin
 * cut in a wide blob). A detector that is told that the rest is defective as well learns to be
 * wrong. The detector's truth is then where the picture differs from the normal image, never
 * outside of the mask.
 */
#ifndef CG_SYNTHESIS_TIGHTEN_H
#define CG_SYNTHESIS_TIGHTEN_H

#include "image/image.h"

/* MASK (one channel) where MADE differs from NORMAL by LEVEL (of 255) or more, 0 elsewhere: 255 and
 * 0. The difference is that of the channel that changed most, averaged over what lies in the mask
 * of a square around the pixel, so that single pixels neither count nor are missing: 3 pixels of a
 * side, 5 from 384 pixels on, a 192nd of the shorter side in each direction. All of one size. Free
 * with cg_image_free. */
CgImage *cg_mask_tighten(const CgImage *mask, const CgImage *normal, const CgImage *made,
                         double level);

#endif
