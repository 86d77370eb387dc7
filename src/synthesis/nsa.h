/* nsa: pieces of another normal picture, scaled, put elsewhere and blended without a seam.
 *
 * Source: Schlueter et al., "Natural Synthetic Anomalies for Self-Supervised Anomaly Detection and
 * Localization" (ECCV 2022), and its code. Of that code's settings per category, one set here: half
 * of a piece shall be object, sides are limited by 0.4 of the picture, and where no such piece fits
 * (a screw, say) a new size is drawn.
 */
#ifndef CG_SYNTHESIS_NSA_H
#define CG_SYNTHESIS_NSA_H

#include "synthesis/synthesis.h"

/* Pieces of SOURCE (another normal picture, or NORMAL itself) in NORMAL. One piece, and two more by
 * a fair coin each. Half sides are 0.03 + Gamma(2, 0.05) of the picture's, 0.4 at most; they are
 * scaled by a normal draw about 1, sd 0.5, within 0.7..1.3, and end up within 0.03..0.4 of the
 * picture's sides. More than half of a piece shows SOURCE_OBJECT, and of that a quarter or more
 * comes to lie on OBJECT. Without objects (NULL: textures) three more by coins, scaled by 0.5..2.
 *
 * Blended with the piece's own gradients, or (MIXED) with the stronger ones of piece and picture.
 * Mask: where the piece or the picture below shows the object and the picture's channels changed
 * by more than one step on average, without grain (median of 5x5); elsewhere NORMAL is put back. */
void cg_nsa(const CgImage *normal, const CgImage *object, const CgImage *source,
            const CgImage *source_object, gboolean mixed, CgRng *rng, CgSynthesis *out);

#endif
