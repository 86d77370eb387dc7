/* brushed_metal: a sheet of stainless steel, ground in one direction. */
#include "synthesis/drawing-private.h"

typedef struct {
    CgPart part;
    float steel[3];
    float brush;                   /* how deep */
    CgPoint print;                 /* middle of a fingerprint */
    float print_size, print_angle; /* size 0: none */
} Sheet;

static void draw(void *data, CgRng *rng)
{
    Sheet *s = data;
    cg_part_pose(&s->part, rng, 0.06f, 1, 0.05f, 0.1f);
    const float grey = cg_draw_uniform(rng, 0.52, 0.60), warm = cg_draw_uniform(rng, -0.01, 0.03);
    s->steel[0] = grey * (1 + warm);
    s->steel[1] = grey;
    s->steel[2] = grey * (1.01f - warm);
    s->brush = cg_draw_uniform(rng, 0.8, 1.2);
    s->part.scene.panel_light *= 0.6f;
}

/* Ridges of a fingertip: whorls bent by noise, broken by pores. 0 .. 1. */
static float fingerprint(const Sheet *s, CgPoint p, float pixel)
{
    const float x = p.x - s->print.x, y = p.y - s->print.y;
    const float c = cosf(s->print_angle), n = sinf(s->print_angle);
    const float u = (c * x + n * y) / s->print_size, v = (-n * x + c * y) / (1.35f * s->print_size);
    const float r = sqrtf(u * u + v * v);
    if (s->print_size <= 0 || r > 1.15f)
        return 0;
    const uint32_t seed = s->part.seed + 60;
    const float bend = 0.16f * cg_noise(u * 1.7f, v * 1.7f, seed);
    const float whorl = cg_length(u * 1.1f, v + 0.15f) + bend + 0.05f * atan2f(u, v + 0.15f);
    const float frequency = 8.5f;
    const float ridge = 0.5f + 0.5f * sinf(2 * (float)G_PI * frequency * whorl);
    const float fine = cg_smoothstep(0.45f, 0.2f, pixel * frequency / s->print_size);
    const float press =
        cg_smoothstep(1.1f, 0.55f, r + 0.35f * cg_noise_fbm(u, v, 2.5f, 3, pixel, seed + 1));
    return press * (0.30f + 0.70f * cg_mix(0.5f, ridge, fine));
}

static void surface(const void *data, CgPoint p, float pixel, CgMaterial *m)
{
    const Sheet *s = data;
    const uint32_t seed = s->part.seed;
    const CgPoint q = cg_pose_inverse(&s->part.pose, p);
    const float coarse = cg_noise_fine(q.x, q.y, 0.7f, 24, pixel, seed + 1);
    const float middle = cg_noise_fine(q.x, q.y, 1.6f, 60, 0.6f * pixel, seed + 2);
    const float fine = cg_noise_fine(q.x, q.y, 3.5f, 130, 0.4f * pixel, seed + 3);
    const float brush = 0.5f * coarse + 0.8f * middle + fine;
    const float cloud = cg_noise_fbm(q.x, 0.5f * q.y, 1.2f, 2, pixel, seed + 4);
    m->height = s->brush * (0.0005f * coarse + 0.00035f * middle + 0.00020f * fine);
    cg_material_set(m, s->steel[0], s->steel[1], s->steel[2], 0.42f + 0.04f * cloud, 1);
    cg_material_tint(m, 1 + 0.10f * s->brush * brush + 0.04f * cloud);
    const float touched = fingerprint(s, p, pixel);
    if (touched > 0) {
        /* Fat scatters the light: duller, darker, a little warm. */
        m->rough = cg_mix(m->rough, 0.75f, touched);
        m->metal = 1 - 0.45f * touched;
        cg_material_tint(m, 1 - 0.5f * touched);
        m->albedo[2] *= 1 - 0.12f * touched;
    }
    m->object = 1;
    cg_flaw_apply(&s->part.flaw, p, pixel, m);
}

static void scratch(void *data, CgRng *rng)
{
    Sheet *s = data;
    const CgPoint at = cg_part_place(&s->part, rng, 0);
    cg_flaw_scratch(&s->part.flaw, at, (float)G_PI / 2 + cg_draw_uniform(rng, -1, 1),
                    cg_draw_uniform(rng, 0.5, 1.1),
                    cg_part_line(&s->part, cg_draw_uniform(rng, 0.010, 0.016)), rng);
    /* Deep, so that its flanks are dark where the sheet mirrors the lamp. */
    s->part.flaw.depth *= 2.5f;
    cg_flaw_colour(&s->part.flaw, 0.98f, 0.98f, 0.98f);
}

static void dent(void *data, CgRng *rng)
{
    Sheet *s = data;
    const CgPoint at = cg_part_place(&s->part, rng, 0);
    cg_flaw_blot(&s->part.flaw, CG_FLAW_DENT, at, cg_draw_uniform(rng, 0.13, 0.22), rng);
    s->part.flaw.ragged = 0.05f;
    s->part.flaw.depth = cg_draw_uniform(rng, 0.13, 0.2) * s->part.flaw.radius;
}

static void rust(void *data, CgRng *rng)
{
    Sheet *s = data;
    const CgPoint at = cg_part_place(&s->part, rng, 0);
    cg_flaw_blot(&s->part.flaw, CG_FLAW_RUST, at, cg_draw_uniform(rng, 0.12, 0.25), rng);
    cg_flaw_colour(&s->part.flaw, 0.24f, 0.085f, 0.026f);
}

static void touch(void *data, CgRng *rng)
{
    Sheet *s = data;
    s->print = cg_part_place(&s->part, rng, 0);
    s->print_size = cg_draw_uniform(rng, 0.18, 0.25);
    s->print_angle = cg_draw_uniform(rng, -1, 1);
}

const CgDrawing cg_drawing_brushed_metal = {
    .category = "brushed_metal",
    .texture = TRUE,
    .part_size = sizeof(Sheet),
    .draw = draw,
    .surface = surface,
    .defects = {{"scratch", scratch}, {"dent", dent}, {"rust", rust}, {"fingerprint", touch}},
};
