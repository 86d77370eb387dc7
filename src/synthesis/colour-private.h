/* colour-private: the two CIE spaces, which need tables. */
#ifndef CG_SYNTHESIS_COLOUR_PRIVATE_H
#define CG_SYNTHESIS_COLOUR_PRIVATE_H

#include <glib.h>

/* One pixel of 3 bytes, in place. */
void cg_colour_lab_from_rgb(guint8 *pixel);
void cg_colour_lab_to_rgb(guint8 *pixel);
void cg_colour_luv_from_rgb(guint8 *pixel);
void cg_colour_luv_to_rgb(guint8 *pixel);

#endif
