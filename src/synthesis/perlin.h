/* perlin: gradient noise as DRAEM draws it, and masks cut from it.
 *
 *     CgRng rng = cg_rng(seed, CG_STREAM(CG_STREAM_MASK, number));
 *     g_autoptr(CgImage) mask = cg_perlin_mask(&CG_PERLIN_DRAEM, &rng, 256, 256);
 *
 * Source: Zavrtanik et al., "DRAEM" (2021) and its code: two scales 2^a and 2^b, a and b from
 * {0..5}, no sum of octaves, the noise turned by up to 90 degrees, the mask is noise > 0.5. At 256
 * x 256 a mask covers 4.8 % of the image on average, and 5.2 % of the draws are empty.
 */
#ifndef CG_SYNTHESIS_PERLIN_H
#define CG_SYNTHESIS_PERLIN_H

#include "base/rng.h"
#include "image/image.h"

/* Exponents above this are refused by those who read them from users. */
#define CG_PERLIN_MAX_EXPONENT 10

typedef struct {
    int exponent_low, exponent_high; /* cells per side: 2^low .. 2^high, drawn for each axis */
    double rotation;                 /* degrees; drawn from [-rotation, rotation) */
    double threshold;                /* what is above is mask; the noise lies in (-1, 1) */
} CgPerlin;

#define CG_PERLIN_DRAEM ((CgPerlin){0, 5, 90.0, 0.5})

/* The noise itself: OUT [height, width], in (-1, 1), for ANGLES [cells_y + 1, cells_x + 1] in
 * radians, the directions of the lattice's gradients: (cos, sin) = (down, right). Every cell's
 * first pixel lies on the lattice and is 0. Where the cells do not divide the size, they are WIDTH
 * / CELLS_X pixels wide all the same (a fraction). CELLS at least 1. */
void cg_perlin_field(int width, int height, int cells_x, int cells_y, const double *angles,
                     float *out);

/* OUT = IN [height, width] turned about its centre by DEGREES (clockwise as one sees it), linear
 * interpolation, 0 outside. OUT is not IN. */
void cg_perlin_rotate(const float *in, int width, int height, double degrees, float *out);

/* A draw, turned: OUT [height, width], the continuous version. Uses up a number of RNG's values
 * that depends on the scales drawn; not on the size of the image, so that a mask drawn smaller or
 * larger is the same mask. */
void cg_perlin_noise(const CgPerlin *perlin, CgRng *rng, int width, int height, float *out);

/* A draw above the threshold: 0 or 255, one channel. May be empty. */
CgImage *cg_perlin_mask(const CgPerlin *perlin, CgRng *rng, int width, int height);

/* The same draw with soft edges: grey rises over SOFTNESS (of noise, > 0) around the threshold;
 * from 128 on, a pixel is in the hard mask. */
CgImage *cg_perlin_soft_mask(const CgPerlin *perlin, CgRng *rng, int width, int height,
                             double softness);

#endif
