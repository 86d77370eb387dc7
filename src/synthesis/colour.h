/* colour: 8-bit colour spaces as the reference implementations compute them.
 *
 * The syntheses change pictures in the colour spaces of OpenCV (through imgaug) and Pillow, with
 * their rounding; what differs by a rounding there differs here too, by at most one or two steps.
 */
#ifndef CG_SYNTHESIS_COLOUR_H
#define CG_SYNTHESIS_COLOUR_H

#include "image/image.h"

typedef enum {
    CG_COLOUR_YCRCB,
    CG_COLOUR_HSV, /* H in 0..179 */
    CG_COLOUR_HLS, /* H in 0..180 */
    CG_COLOUR_LAB,
    CG_COLOUR_LUV,
    CG_COLOUR_YUV,
    CG_COLOUR_HSV_PILLOW, /* H in 0..255 */
    CG_COLOUR_SPACES,
} CgColourSpace;

const char *cg_colour_space_name(CgColourSpace space);
/* The channel that holds the brightness (Y, V, L). */
int cg_colour_brightness_channel(CgColourSpace space);

/* COUNT pixels of 3 bytes, in place. */
void cg_colour_from_rgb(CgColourSpace space, guint8 *pixels, gsize count);
void cg_colour_to_rgb(CgColourSpace space, guint8 *pixels, gsize count);

#endif
