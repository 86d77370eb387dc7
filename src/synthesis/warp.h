/* warp: turning pictures. */
#ifndef CG_SYNTHESIS_WARP_H
#define CG_SYNTHESIS_WARP_H

#include "image/image.h"

/* IMAGE turned by DEGREES (clockwise as one looks at it) about ((width - 1) / 2, (height - 1) / 2),
 * bilinear, of the same size; outside is 0, and edges blend towards it. What OpenCV's warpAffine
 * does, but for its positions rounded to 1/32 pixel. */
CgImage *cg_warp_rotate(const CgImage *image, double degrees);

/* IMAGE turned by DEGREES and scaled, on a canvas just large enough for all of it. *INSIDE gets a
 * grey picture of the canvas: 255 where it comes from IMAGE. NEAREST: whole pixels are taken, as
 * Pillow's rotate(expand=True); otherwise bilinear, with edges replicated. */
CgImage *cg_warp_expand(const CgImage *image, double degrees, double scale, gboolean nearest,
                        CgImage **inside);

#endif
