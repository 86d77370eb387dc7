/* distance: exact Euclidean distances between pixels. */
#ifndef CG_IMAGE_DISTANCE_H
#define CG_IMAGE_DISTANCE_H

#include <glib.h>

/* No set pixel at all. */
#define CG_DISTANCE_FAR G_MAXUINT32

/* OUT [height, width]: the squared distance, in pixels between centres, of each pixel to the
 * nearest non-zero one of MASK [height, width]; 0 on the mask itself, CG_DISTANCE_FAR everywhere
 * when MASK is empty. Sides at most 32768, so that squares fit. Linear in the number of pixels.
 * Source: Felzenszwalb and Huttenlocher, "Distance Transforms of Sampled Functions" (2012). */
void cg_distance_squared(const guint8 *mask, int width, int height, guint32 *out);

#endif
