/* flaw: damage and dirt that any surface can have, as changes of its height and material.
 *
 *     cg_flaw_scratch(&flaw, at, angle, 0.5f, rng);
 *     ...
 *     cg_flaw_apply(&flaw, p, pixel, &material);
 *
 * A flaw knows its outline as a signed distance; what happens inside depends on its kind. Lengths
 * are in half picture widths, points in the picture.
 */
#ifndef CG_SYNTHESIS_FLAW_H
#define CG_SYNTHESIS_FLAW_H

#include "synthesis/render.h"

#define CG_FLAW_SEGMENTS 120

typedef enum {
    CG_FLAW_NONE,
    CG_FLAW_SCRATCH, /* a groove with raised edges; bare material of COLOUR shows */
    CG_FLAW_CRACK,   /* a dark, branching gap */
    CG_FLAW_CUT,     /* a slit, wide in the middle, its lips lifted */
    CG_FLAW_STAIN,   /* a soaked-in blot: COLOUR filters what is below, darker at the rim */
    CG_FLAW_RUST,    /* a crust that replaces the material, rough and patchy */
    CG_FLAW_HOLE,    /* a pit with a frayed rim */
    CG_FLAW_DENT,    /* pressed in */
    CG_FLAW_DROP,    /* a clear or coloured bead on top: glue, resin, water */
    CG_FLAW_GRIT,    /* crumbs on top */
    CG_FLAW_HAIR,    /* a fibre on top */
} CgFlawKind;

typedef struct {
    CgPoint a, b;
    float width_a, width_b; /* half widths at the ends */
} CgFlawSegment;

typedef struct {
    CgFlawKind kind;
    CgPoint centre;
    float cosine, sine; /* of the blot's long axis */
    float radius, stretch;
    float ragged; /* how far the outline leaves a circle, of RADIUS */
    float depth;
    float level;    /* of the surface: what drops smooth over and fibres lie on at least */
    float strength; /* 0 .. 1 */
    float colour[3];
    uint32_t seed;
    int count;
    CgFlawSegment segments[CG_FLAW_SEGMENTS]; /* of lines */
    float left, right, top, bottom;           /* nothing happens outside */
} CgFlaw;

/* Lines from AT on; ANGLE in radians, LENGTH along the line, WIDTH half of it. */
void cg_flaw_scratch(CgFlaw *flaw, CgPoint at, float angle, float length, float width, CgRng *rng);
void cg_flaw_crack(CgFlaw *flaw, CgPoint at, float angle, float length, float width, CgRng *rng);
void cg_flaw_cut(CgFlaw *flaw, CgPoint at, float angle, float length, float width, CgRng *rng);
void cg_flaw_hair(CgFlaw *flaw, CgPoint at, float angle, float length, float width, CgRng *rng);
/* A blot of KIND around AT. */
void cg_flaw_blot(CgFlaw *flaw, CgFlawKind kind, CgPoint at, float radius, CgRng *rng);

void cg_flaw_colour(CgFlaw *flaw, float red, float green, float blue);

/* Changes *M at P. A flaw of kind NONE does nothing. */
void cg_flaw_apply(const CgFlaw *flaw, CgPoint p, float pixel, CgMaterial *m);

#endif
