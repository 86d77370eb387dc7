/* obedience: does change appear inside the mask, and only there?
 *
 * A generated picture G is compared with a REFERENCE that shows the same scene without defect, both
 * of the same size, before anything is fused or pasted (afterwards the outside is the normal
 * image's by force, and says nothing). Good references, best first:
 *
 * - the same sample (seed, prompt) generated with an empty mask: what differs is what the mask did;
 *
 * - D(E(normal)), the autoencoder's reconstruction: free of its errors, fine where the model
 *   reproduces the scene;
 *
 * - the photograph: then NOISE must say how far a reconstruction is from it, because everything
 *   differs a little everywhere.
 *
 * With d(p)^2 the squared difference at pixel p, mean over the channels, in levels of 255:
 *
 * - changed: p is, when d(p) > max(3 NOISE, CG_OBEDIENCE_VISIBLE), beyond what repeats by chance.
 *   That is not estimated from the picture: one that changed everywhere would raise its own
 *   threshold and so hide it.
 *
 * - inside: the mask and what is at most MARGIN pixels from it. Latents are eight pixels wide, and
 *   the decoder smears over the border; that is no disobedience.
 *
 * - share: the sum of d^2 over changed pixels inside / over all changed pixels.
 *
 * - coverage: changed pixels of the mask itself / pixels of the mask.
 *
 * - ratio: mean d^2 on the mask / mean d^2 outside, over all pixels (nothing cut).
 *
 * From them one figure in [0, 1],
 *
 *     obedience = max(0, (share - area) / (1 - area)) * min(1, coverage / CG_OBEDIENCE_ENOUGH)
 *
 * area being the part of the picture that is inside: change that ignores the mask has share = area
 * and gets 0, and so does no change at all. Masks are drawn around defects with some room, so a
 * half that changed is enough.
 */
#ifndef CG_METRICS_OBEDIENCE_H
#define CG_METRICS_OBEDIENCE_H

#include "image/image.h"
#include "metrics/mean.h"

#define CG_OBEDIENCE_MARGIN  8   /* pixels: a latent */
#define CG_OBEDIENCE_VISIBLE 8   /* levels of 255 */
#define CG_OBEDIENCE_ENOUGH  0.5 /* of the mask */

typedef struct {
    double obedience;
    double share;       /* NaN when nothing changed */
    double coverage;    /* 0..1 */
    double ratio;       /* infinite when nothing differs outside, NaN when nothing differs at all */
    double outside_rms; /* of d outside, levels of 255 */
    double area;        /* of inside, 0..1 */
} CgObedience;

/* MASK is grey, set where not 0. NOISE: root mean square, in levels of 255, of what differs where
 * nothing was changed; 0 for the first two references. CG_ERROR_SHAPE when sizes differ, or the
 * mask is empty or leaves nothing outside. */
gboolean cg_obedience_measure(const CgImage *reference, const CgImage *mask,
                              const CgImage *generated, int margin, double noise, CgObedience *out,
                              GError **error);

/* Root mean square difference, in levels of 255, of A and B, of the same size: NOISE, from a normal
 * image and its reconstruction. MASK (nullable, grey, the same size): only where it is not 0; 0
 * where it is empty. */
double cg_image_rms(const CgImage *a, const CgImage *b, const CgImage *mask);

typedef struct {
    CgMeanInterval obedience, share, coverage;
    double ratio; /* median */
} CgObedienceSummary;

/* Of COUNT pictures; one interval is over pictures, so one model and one set of masks. */
CgObedienceSummary cg_obedience_summarise(const CgObedience *values, guint count, guint64 seed);

#endif
