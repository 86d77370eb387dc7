/* render: a small camera. A surface, given point by point, becomes a photograph of it.
 *
 * The surface is a height field with a material, seen from straight above under a large lamp (the
 * key), the sky around it and what both look like in shiny metal; with cast and contact shadows,
 * vignetting, sensor noise and a film-like tone curve. Everything is computed in linear light with
 * several samples per pixel, so that any size shows the same scene.
 */
#ifndef CG_SYNTHESIS_RENDER_H
#define CG_SYNTHESIS_RENDER_H

#include "base/rng.h"
#include "image/image.h"
#include "synthesis/outline.h"

/* The surface at one point. */
typedef struct {
    float height;    /* half picture widths */
    float albedo[3]; /* linear light */
    float rough;     /* 0 mirror .. 1 chalk */
    float metal;     /* 0 .. 1 */
    float object;    /* 1 on the part, 0 on what it lies on */
} CgMaterial;

typedef struct {
    float key[3];        /* direction to the lamp, length 1 */
    float key_colour[3]; /* light on a surface that faces it */
    float key_size;      /* radius as seen from the surface, as a cosine's distance from 1 */
    float panel[3];      /* direction to a second lamp, seen in metal */
    float panel_light;   /* its brightness */
    float sky[3];        /* light from all around */
    float shadow_soft;   /* penumbra per length of the shadow */
    float occlusion;     /* strength of contact shadows */
    float vignette;      /* lost at the corners, 0 .. 1 */
    float vignette_x, vignette_y;
    float exposure;
    float grain;   /* sensor noise at mid grey, of 1 */
    uint32_t seed; /* of the noise */
} CgScene;

/* A studio: lamp within a cone, neutral to warm light. */
void cg_scene_draw(CgScene *scene, CgRng *rng);

/* Fills *M for the point P; PIXEL is the distance of two samples. */
typedef void (*CgSurfaceFunction)(const void *surface, CgPoint p, float pixel, CgMaterial *m);

/* SIZE x SIZE, sRGB. */
CgImage *cg_render(const CgScene *scene, CgSurfaceFunction function, const void *surface, int size);

#endif
