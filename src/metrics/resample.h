/* resample: how evaluations bring maps and masks to one size, and maps to one score.
 *
 * Maps come in the detector's size, masks in the image's. Published numbers depend on what is
 * resized and how; the three ways here are those of DRAEM's own test script, of anomalib, and the
 * one that MVTec AD's evaluation asks for (original resolution).
 */
#ifndef CG_METRICS_RESAMPLE_H
#define CG_METRICS_RESAMPLE_H

#include "image/map.h"

typedef enum {
    /* The map is enlarged to the mask's size (bilinear, centres of pixels, edges repeated); all of
     * the mask counts. An image's score is the largest of its map as it came. */
    CG_MODE_STRICT,
    /* The mask is resized to the map's by OpenCV's 8-bit INTER_LINEAR, and defective is what is
     * exactly 255 then: borders of defects and whole small defects become normal. An image's score
     * is the largest 21x21 mean of its map, zeros around it. Source: DRAEM, test_DRAEM.py. */
    CG_MODE_DRAEM,
    /* The mask is resized to the map's by torch's nearest. An image's score is the largest of its
     * map. Source: anomalib, its transforms of masks. */
    CG_MODE_ANOMALIB,
    CG_MODE_COUNT,
} CgMode;

const char *cg_mode_name(CgMode mode); /* "strict", "draem", "anomalib" */

/* MASK (grey, 0 is normal) in WIDTH x HEIGHT, as 0 and 255; for the modes that resize masks. */
CgImage *cg_mode_resize_mask(CgMode mode, const CgImage *mask, int width, int height);
/* MAP in WIDTH x HEIGHT, bilinear as torch's interpolate without corner alignment. */
CgMap *cg_map_resize(const CgMap *map, int width, int height);
/* NaN when MAP has one. */
float cg_mode_image_score(CgMode mode, const CgMap *map);

#endif
