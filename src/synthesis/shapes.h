/* shapes: where a defect shall be, drawn at random by a rule.
 *
 *     g_autoptr(CgMaskShapes) shapes = cg_mask_shapes_parse("perlin|scratch:length=0.2..0.5",
 * &error); CgMaskRules rules = {.shapes = shapes, .foreground = object, .latent_side = 64}; CgRng
 * rng = cg_rng(seed, CG_STREAM(CG_STREAM_MASK, number)); g_autoptr(CgImage) mask =
 * cg_mask_draw(&rules, &rng, width, height, &error);
 *
 * The grammar: alternatives separated by "|", of which each mask takes one at random; an
 * alternative is a name and, behind ":", parameters NAME=VALUE or NAME=LOW..HIGH separated by
 * commas. Of a range a value is drawn for each shape. Lengths are shares of the image's shorter
 * side, areas of the image, so that a rule means the same at every size; angles are degrees.
 *
 *     perlin     threshold=0.5, low=0, high=5 (2^low .. 2^high cells a side), rotation=90
 *     rectangle  area=0.02..0.15, aspect=0.3..3.3, angle=0                    CutPaste's patch
 *     scar       width=0.008..0.0625, length=0.04..0.1, angle=-45..45         CutPaste's scar
 *     line       width=0.004..0.012, length=0.1..0.5, angle=0..180
 *     scratch    the same, points=3..7, bend=25 (the most it turns at a point; ends are pointed)
 *     blob       area=0.002..0.03, aspect=0.5..2, angle=0..180, rough=0.3
 *     ellipse    area=0.002..0.05, aspect=0.4..2.5, angle=0..180
 *     library    scale=0.8..1.25, angle=-180..180, aspect=0.9..1.1, warp=0.05
 *
 * All but perlin have count=1: how many are drawn into one mask. library takes real masks and
 * moves, turns, stretches and bends them; 1 is the middle of its scale, so that areas stay those of
 * the few examples.
 */
#ifndef CG_SYNTHESIS_SHAPES_H
#define CG_SYNTHESIS_SHAPES_H

#include "base/rng.h"
#include "image/image.h"

typedef struct CgMaskShapes CgMaskShapes;
/* CG_ERROR_USAGE tells what of TEXT is wrong, and what there is. */
CgMaskShapes *cg_mask_shapes_parse(const char *text, GError **error);
void cg_mask_shapes_free(CgMaskShapes *shapes);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CgMaskShapes, cg_mask_shapes_free)
/* Whether an alternative is "library". */
gboolean cg_mask_shapes_need_library(const CgMaskShapes *shapes);

/* Real masks, cut to what is set in them. */
typedef struct CgMaskLibrary CgMaskLibrary;
CgMaskLibrary *cg_mask_library_new(void);
/* FALSE for an empty mask, which is left out. */
gboolean cg_mask_library_add(CgMaskLibrary *library, const CgImage *mask);
int cg_mask_library_size(const CgMaskLibrary *library);
void cg_mask_library_free(CgMaskLibrary *library);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CgMaskLibrary, cg_mask_library_free)

/* What is borrowed here outlives the draws. Regions are one-channel images of the mask's size. */
typedef struct {
    const CgMaskShapes *shapes;
    const CgMaskLibrary *library; /* NULL unless the shapes need it */
    const CgImage *foreground;    /* the object; NULL: everywhere */
    const CgImage *allowed;       /* only where this is set; NULL: everywhere */
    const CgImage *forbidden;     /* never where this is set; nullable */
    double min_area;              /* share of the image; 0: 64 pixels of 512 x 512 */
    double max_area;              /* 0: no limit */
    int latent_side;              /* cells along the longer side of the latent grid; 0: no matter */
    int min_cells;                /* cells that the mask must touch there; 0: 2 */
    int tries;                    /* 0: 200 */
} CgMaskRules;

/* A mask of 0 and 255: a shape, cut to the regions, drawn anew while it is too small or too large
 * (in the paper: while it is empty). CG_ERROR_USAGE when that does not end, the message telling
 * what stood in the way. */
CgImage *cg_mask_draw(const CgMaskRules *rules, CgRng *rng, int width, int height, GError **error);

#endif
