/* cutpaste: a piece of the picture pasted elsewhere in it.
 *
 * Source: Li et al., "CutPaste: Self-Supervised Learning for Anomaly Detection and Localization"
 * (2021), with the ranges of the re-implementation by Runinho. Mask: all pasted pixels.
 */
#ifndef CG_SYNTHESIS_CUTPASTE_H
#define CG_SYNTHESIS_CUTPASTE_H

#include "synthesis/synthesis.h"

/* A rectangle of 2 to 15 % of the picture's area and aspect ratio (width / height) log-uniform in
 * 0.3..1/0.3, its colours jittered, pasted at an independent uniform place. */
void cg_cutpaste(const CgImage *normal, CgRng *rng, CgSynthesis *out);

/* A scar: a strip 2..16 pixels wide and 10..25 long (where the picture's shorter side is 256; in
 * proportion otherwise), jittered, turned by -45..45 degrees, pasted through its own outline. */
void cg_cutpaste_scar(const CgImage *normal, CgRng *rng, CgSynthesis *out);

/* One of both, by a fair coin. */
void cg_cutpaste_union(const CgImage *normal, CgRng *rng, CgSynthesis *out);

/* Jitter of colours: brightness, contrast and saturation times a factor in 0.9..1.1, hue shifted by
 * up to a tenth of a turn, in an order of their own. Pillow's arithmetic (ImageEnhance, 8-bit HSV).
 */
typedef struct {
    double brightness, contrast, saturation; /* factors */
    double hue;                              /* turns, -0.5..0.5 */
    int order[4];                            /* 0..3 in the order of the members above */
} CgColourJitter;

CgColourJitter cg_colour_jitter_draw(CgRng *rng);
/* In place. Grey pictures have no saturation and no hue. */
void cg_colour_jitter_apply(const CgColourJitter *jitter, CgImage *image);

#endif
