/* polygon: masks as outlines, and outlines as masks.
 *
 * Coordinates are in pixels with (0, 0) at the upper left corner of the picture: pixel (x, y)
 * covers x..x+1 by y..y+1 and its centre is at (x + 1/2, y + 1/2). Filling what was traced gives
 * the very same mask.
 *
 *     g_autoptr(GPtrArray) outlines = cg_mask_trace(mask);
 *     for (guint i = 0; i < outlines->len; i++) {
 *         const CgOutline *o = g_ptr_array_index(outlines, i);
 *         g_autoptr(GArray) polygon = cg_outline_join(o);
 */
#ifndef CG_IMAGE_POLYGON_H
#define CG_IMAGE_POLYGON_H

#include "image/image.h"

typedef struct {
    double x, y;
} CgPoint;

/* One piece of a mask: pixels that touch by sides or corners. */
typedef struct {
    GPtrArray *rings; /* GArray of CgPoint, closed (the first point is not repeated): the outer
                       * border clockwise as seen on the screen, then the holes counter-clockwise.
                       * Only corners; all coordinates are whole. */
    int x, y, width, height; /* the box around it */
    gint64 area;             /* pixels, holes not counted */
} CgOutline;

void cg_outline_free(CgOutline *outline);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CgOutline, cg_outline_free)

/* The pieces of MASK (grey; every value but 0 counts) in the order of their first pixel by rows;
 * none for an empty mask. Free with g_ptr_array_unref. */
GPtrArray *cg_mask_trace(const CgImage *mask);

/* OUTLINE as one closed polygon, for formats without holes: each hole is joined to the ring on its
 * left by a cut of no width along a pixel border, which no pixel centre lies on. Filled by even-odd
 * it is the same piece. Free with g_array_unref. */
GArray *cg_outline_join(const CgOutline *outline);

/* Sets to VALUE the pixels of MASK (grey) whose centres the closed RINGS (GArray of finite CgPoint)
 * enclose an odd number of times. A centre on an edge belongs to the piece on its right, or below.
 * Parts outside the picture are cut off. */
void cg_polygon_fill(CgImage *mask, const GPtrArray *rings, guint8 value);

#endif
