/* wood: a planed and oiled board of oak. */
#include "synthesis/drawing-private.h"

typedef struct {
    CgPart part;
    float light[3], dark[3];
    float rings;      /* per unit, across the grain */
    float bow, slant; /* of the growth rings' cathedral */
    float contrast;
} Wood;

static void draw(void *data, CgRng *rng)
{
    Wood *wood = data;
    cg_part_pose(&wood->part, rng, 0.10f, 1, 0.08f, 20);
    wood->part.scene.occlusion = 4;
    const float tone = cg_draw_uniform(rng, 0.9, 1.08), red = cg_draw_uniform(rng, 0.95, 1.07);
    const float light[3] = {0.52f * tone * red, 0.31f * tone, 0.145f * tone};
    const float dark[3] = {0.30f * tone * red, 0.145f * tone, 0.055f * tone};
    for (int c = 0; c < 3; c++) {
        wood->light[c] = light[c];
        wood->dark[c] = dark[c];
    }
    wood->rings = cg_draw_uniform(rng, 7, 12);
    wood->bow = cg_draw_uniform(rng, 0.5, 1.1);
    wood->slant = cg_draw_uniform(rng, -0.2, 0.2);
    wood->contrast = cg_draw_uniform(rng, 0.55, 0.85);
}

/* The grain runs down the picture. Growth rings are a slowly bending field cut at the board's face:
 * light early wood that darkens to a sharp late edge. */
static float ring_tone(const Wood *wood, CgPoint q, float pixel)
{
    const uint32_t seed = wood->part.seed;
    const float bend = wood->bow * cg_noise(q.x * 0.7f, q.y * 0.22f, seed + 1) +
                       0.10f * cg_noise_fbm(q.x, q.y * 0.25f, 3, 3, pixel, seed + 2);
    const float v = (q.x + wood->slant * q.y * 0.3f + bend) * wood->rings;
    const float t = v - floorf(v);
    const float rise = t * t * (0.4f + 0.6f * t), fall = cg_smoothstep(1, 0.90f, t);
    const float weight = 0.5f + 0.5f * cg_noise(floorf(v) * 0.73f, 0.5f, seed + 3);
    return rise * fall * (0.5f + weight);
}

static void surface(const void *data, CgPoint p, float pixel, CgMaterial *m)
{
    const Wood *wood = data;
    const uint32_t seed = wood->part.seed;
    const CgPoint q = cg_pose_inverse(&wood->part.pose, p);
    const float tone = ring_tone(wood, q, pixel);
    const float cloud = cg_noise_fbm(q.x, q.y * 0.4f, 1.4f, 2, pixel, seed + 4);
    const float fibre = cg_noise_fine(q.x, q.y, 55, 2.2f, pixel, seed + 5) +
                        0.7f * cg_noise_fine(q.x, q.y, 120, 5, pixel, seed + 6);
    /* Vessels: short dark lines along the grain, more of them in the early wood. */
    const float vessel = cg_noise_fine(q.x, q.y, 95, 4.2f, 0.5f * pixel, seed + 7);
    const float pore = cg_smoothstep(0.30f, 0.60f, vessel) * (1 - 0.8f * cg_clamp01(2.5f * tone));
    const float mix = cg_clamp01(wood->contrast * tone + 0.16f * fibre + 0.13f * cloud + 0.08f);
    for (int c = 0; c < 3; c++) {
        const float albedo = cg_mix(wood->light[c], wood->dark[c], mix);
        m->albedo[c] = albedo * (1 - 0.42f * pore) * (1 + 0.05f * cloud);
    }
    m->rough = 0.48f + 0.25f * pore + 0.1f * fibre;
    m->height = 0.0006f * fibre - 0.0018f * pore;
    m->object = 1;
    cg_flaw_apply(&wood->part.flaw, p, pixel, m);
}

static void scratch(void *data, CgRng *rng)
{
    Wood *wood = data;
    const CgPoint at = cg_part_place(&wood->part, rng, 0);
    cg_flaw_scratch(&wood->part.flaw, at, cg_draw_uniform(rng, -0.9, 0.9),
                    cg_draw_uniform(rng, 0.6, 1.2),
                    cg_part_line(&wood->part, cg_draw_uniform(rng, 0.008, 0.012)), rng);
    wood->part.flaw.depth *= 1.6f;
    cg_flaw_colour(&wood->part.flaw, 0.78f, 0.60f, 0.38f);
}

static void hole(void *data, CgRng *rng)
{
    Wood *wood = data;
    const CgPoint at = cg_part_place(&wood->part, rng, 0);
    cg_flaw_blot(&wood->part.flaw, CG_FLAW_HOLE, at, cg_draw_uniform(rng, 0.055, 0.11), rng);
    wood->part.flaw.ragged = 0.15f;
    wood->part.flaw.depth *= 2;
    cg_flaw_colour(&wood->part.flaw, 0.05f, 0.028f, 0.015f);
}

static void stain(void *data, CgRng *rng)
{
    Wood *wood = data;
    const CgPoint at = cg_part_place(&wood->part, rng, 0);
    cg_flaw_blot(&wood->part.flaw, CG_FLAW_STAIN, at, cg_draw_uniform(rng, 0.16, 0.32), rng);
    wood->part.flaw.strength = cg_draw_uniform(rng, 0.6, 0.85);
    cg_flaw_colour(&wood->part.flaw, 0.16f, 0.17f, 0.24f);
}

/* Along the grain, as boards split. */
static void crack(void *data, CgRng *rng)
{
    Wood *wood = data;
    const CgPoint at = cg_part_place(&wood->part, rng, 0);
    cg_flaw_crack(&wood->part.flaw, at, (float)G_PI / 2 + cg_draw_uniform(rng, -0.15, 0.15),
                  cg_draw_uniform(rng, 0.6, 1.2),
                  cg_part_line(&wood->part, cg_draw_uniform(rng, 0.007, 0.013)), rng);
}

const CgDrawing cg_drawing_wood = {
    .category = "wood",
    .texture = TRUE,
    .part_size = sizeof(Wood),
    .draw = draw,
    .surface = surface,
    .defects = {{"scratch", scratch}, {"hole", hole}, {"stain", stain}, {"crack", crack}},
};
