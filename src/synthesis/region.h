/* region: connected regions of masks, and squares run over them.
 *
 * Masks are [height, width] bytes, 0 or not; what these functions write is 0 or 255.
 */
#ifndef CG_SYNTHESIS_REGION_H
#define CG_SYNTHESIS_REGION_H

#include <glib.h>

typedef struct {
    gsize area;                   /* pixels */
    int left, top, right, bottom; /* the last two are inside */
    gboolean at_frame;            /* has a pixel on the image's border */
} CgRegion;

/* The regions of pixels that are not 0, in the order of their first pixels by rows; neighbours
 * share a side, with DIAGONAL also a corner. LABELS [height, width] gets a region's index plus 1,
 * 0 outside of all. Array of CgRegion, free with g_array_unref. */
GArray *cg_region_label(const guint8 *mask, int width, int height, gboolean diagonal,
                        gint32 *labels);

/* Closing (gaps narrower than SIZE are bridged) and opening (parts narrower than SIZE vanish) with
 * a square, in place. Pixels outside the image are ignored. Nothing moves for even sizes either:
 * the second pass uses the mirrored square. */
void cg_region_close(guint8 *mask, int width, int height, int size);
void cg_region_open(guint8 *mask, int width, int height, int size);

/* Pixels that are not 0. */
gsize cg_region_area(const guint8 *mask, gsize count);

#endif
