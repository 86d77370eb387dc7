/* drawing-private: how one category is drawn.
 *
 * A category is a file draw_<what>.c: the struct of a part, which begins with a CgPart; a function
 * that draws its pose and measures; one that says what the surface is at a point; and one per
 * defect that changes the part. The surface applies part.flaw itself, usually last.
 */
#ifndef CG_SYNTHESIS_DRAWING_PRIVATE_H
#define CG_SYNTHESIS_DRAWING_PRIVATE_H

#include "synthesis/drawing.h"
#include "synthesis/flaw.h"
#include "synthesis/noise.h"
#include "synthesis/render.h"

#define CG_DRAWING_MAX_DEFECTS 6

typedef struct {
    const CgDrawing *drawing;
    CgScene scene;
    CgPose pose;
    CgFlaw flaw;
    float pixel; /* of the picture; lines are drawn at least about this wide */
    uint32_t seed;
} CgPart;

typedef struct {
    const char *name;
    void (*inflict)(void *part, CgRng *rng);
} CgDrawingDefect;

struct CgDrawing {
    const char *category;
    gboolean texture;
    gsize part_size;
    void (*draw)(void *part, CgRng *rng); /* scene and seed are drawn already */
    CgSurfaceFunction surface;
    CgDrawingDefect defects[CG_DRAWING_MAX_DEFECTS + 1];
};

extern const CgDrawing cg_drawing_hex_nut, cg_drawing_gear, cg_drawing_capsule, cg_drawing_cable,
    cg_drawing_circuit, cg_drawing_wood, cg_drawing_fabric, cg_drawing_leather,
    cg_drawing_brushed_metal, cg_drawing_terrazzo;

static inline float cg_draw_uniform(CgRng *rng, double low, double high)
{
    return (float)cg_rng_uniform(rng, low, high);
}

/* Turned by up to TURN either way, its scale within SPREAD of SCALE, moved by up to SHIFT. */
void cg_part_pose(CgPart *part, CgRng *rng, float turn, float scale, float spread, float shift);
/* A point of the picture where the part is, at least MARGIN from its edge; textures: anywhere. */
CgPoint cg_part_place(const CgPart *part, CgRng *rng, float margin);
/* Half the width of a line that is to look WIDTH wide, in a picture with these pixels. */
static inline float cg_part_line(const CgPart *part, float width)
{
    return cg_max(width, 0.5f * part->pixel);
}

static inline void cg_material_set(CgMaterial *m, float red, float green, float blue, float rough,
                                   float metal)
{
    m->albedo[0] = red;
    m->albedo[1] = green;
    m->albedo[2] = blue;
    m->rough = rough;
    m->metal = metal;
}
static inline void cg_material_tint(CgMaterial *m, float factor)
{
    for (int c = 0; c < 3; c++)
        m->albedo[c] *= factor;
}

/* A matt table of this colour, slightly uneven, with a few specks. */
void cg_draw_table(const CgPart *part, CgPoint p, float pixel, const float colour[3],
                   CgMaterial *m);

#endif
