/* drawing: photographs of parts and materials that exist nowhere, sound and with defects.
 *
 *     g_auto(CgDrawn) drawn = {0};
 *     cg_drawing_make(cg_drawing_get(0), CG_DRAWING_SOUND, seed, series, number, 128, &drawn);
 *
 * Free of anybody's rights, in any number and size, with masks that are exact: outside its mask an
 * image is its sound twin, bit for bit.
 */
#ifndef CG_SYNTHESIS_DRAWING_H
#define CG_SYNTHESIS_DRAWING_H

#include "base/rng.h"
#include "image/image.h"

#define CG_DRAWING_MIN_SIZE   32
#define CG_DRAWING_MAX_SIZE   1024
#define CG_DRAWING_MAX_NUMBER (1u << 20) /* of images of one kind */
#define CG_DRAWING_SOUND      (-1)
/* Share of the image that a mask covers at most. */
#define CG_DRAWING_MAX_AREA 0.35

typedef struct CgDrawing CgDrawing;

/* What there is, in the order of "cagen dataset make --help"; NULL from the count on. */
const CgDrawing *cg_drawing_get(guint index);
/* CG_ERROR_USAGE lists what there is. */
const CgDrawing *cg_drawing_find(const char *category, GError **error);

const char *cg_drawing_category(const CgDrawing *drawing);
gboolean cg_drawing_is_texture(const CgDrawing *drawing);
/* The name of its defect DEFECT, NULL from the count on. */
const char *cg_drawing_defect(const CgDrawing *drawing, guint defect);

typedef struct {
    CgImage *normal; /* sound, RGB */
    CgImage *image;  /* the same with the defect; NULL when none was asked for */
    CgImage *mask;   /* 0 and 255; where it is 0, image and normal are equal. NULL as above */
} CgDrawn;

void cg_drawn_clear(CgDrawn *drawn);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(CgDrawn, cg_drawn_clear)

/* Draws the part NUMBER (below CG_DRAWING_MAX_NUMBER) of SEED, SIZE pixels a side. SERIES tells
 * apart the parts of one number: training and test, say (below 3). With a DEFECT the mask is never
 * empty, and never above CG_DRAWING_MAX_AREA. Any thread. */
void cg_drawing_make(const CgDrawing *drawing, int defect, guint64 seed, guint series, guint number,
                     int size, CgDrawn *drawn);

#endif
