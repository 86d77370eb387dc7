/* shapes-private: what parsing and drawing of shapes share. */
#ifndef CG_SYNTHESIS_SHAPES_PRIVATE_H
#define CG_SYNTHESIS_SHAPES_PRIVATE_H

#include "synthesis/shapes.h"

typedef enum {
    CG_MASK_KIND_PERLIN,
    CG_MASK_KIND_RECTANGLE,
    CG_MASK_KIND_SCAR,
    CG_MASK_KIND_LINE,
    CG_MASK_KIND_SCRATCH,
    CG_MASK_KIND_BLOB,
    CG_MASK_KIND_ELLIPSE,
    CG_MASK_KIND_LIBRARY,
    CG_MASK_KINDS,
} CgMaskKind;

typedef enum {
    CG_MASK_COUNT,
    CG_MASK_AREA_SHARE,
    CG_MASK_ASPECT,
    CG_MASK_ANGLE,
    CG_MASK_WIDTH,
    CG_MASK_LENGTH,
    CG_MASK_POINTS,
    CG_MASK_BEND,
    CG_MASK_ROUGH,
    CG_MASK_SCALE,
    CG_MASK_WARP,
    CG_MASK_THRESHOLD,
    CG_MASK_LOW,
    CG_MASK_HIGH,
    CG_MASK_ROTATION,
    CG_MASK_PARAMETERS,
} CgMaskParameter;

typedef struct {
    double low, high;
} CgMaskRange;

/* One alternative. Of the parameters, those that the kind does not have are 0..0. */
typedef struct {
    CgMaskKind kind;
    CgMaskRange ranges[CG_MASK_PARAMETERS];
} CgMaskShape;

struct CgMaskShapes {
    GArray *alternatives; /* CgMaskShape */
};

typedef struct {
    CgImage *mask;  /* cut to its bounding box */
    double shorter; /* side of the image it comes from */
} CgMaskExample;

struct CgMaskLibrary {
    GArray *examples; /* CgMaskExample */
};

/* A value of the parameter: whole for counts, even in the logarithm for sizes. */
double cg_mask_value(const CgMaskShape *shape, CgMaskParameter parameter, CgRng *rng);

/* Sets to 255 the pixels of one shape about (X, Y), in pixels; not for perlin. */
void cg_mask_shape_fill(const CgMaskShape *shape, const CgMaskLibrary *library, CgRng *rng,
                        double x, double y, CgImage *mask);

#endif
