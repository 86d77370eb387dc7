/* terrazzo: chips of marble in cement, ground and polished. */
#include "synthesis/drawing-private.h"

#define COLOURS 5

typedef struct {
    CgPart part;
    float cement[3];
    float chips; /* per unit */
    float gloss;
    CgPoint stroke[2];  /* of paint */
    float stroke_width; /* 0: none */
} Terrazzo;

static const float marble[COLOURS][3] = {{0.55f, 0.53f, 0.49f},
                                         {0.055f, 0.058f, 0.062f},
                                         {0.25f, 0.24f, 0.225f},
                                         {0.30f, 0.15f, 0.10f},
                                         {0.42f, 0.36f, 0.27f}};

static void draw(void *data, CgRng *rng)
{
    Terrazzo *t = data;
    cg_part_pose(&t->part, rng, (float)G_PI, 1, 0.08f, 0.1f);
    const float tone = cg_draw_uniform(rng, 0.92, 1.08), green = cg_draw_uniform(rng, 0.98, 1.03);
    t->cement[0] = 0.40f * tone;
    t->cement[1] = 0.405f * tone * green;
    t->cement[2] = 0.385f * tone;
    t->chips = cg_draw_uniform(rng, 6.5, 8);
    t->gloss = cg_draw_uniform(rng, 0.25, 0.35);
}

/* Chips of about 1 / FREQUENCY, angular; FALSE in between. */
static gboolean chip(const Terrazzo *t, CgPoint q, float frequency, float least, float pixel,
                     uint32_t seed, CgMaterial *m)
{
    const float wx = cg_noise_fbm(q.x, q.y, frequency, 3, pixel, seed + 1);
    const float wy = cg_noise_fbm(q.x, q.y, frequency, 3, pixel, seed + 2);
    const CgNoiseCell c =
        cg_noise_cells(q.x * frequency + 0.25f * wx, q.y * frequency + 0.25f * wy, 0.9f, seed);
    const float size = (float)(c.id >> 4 & 255) / 255;
    if (size < least || c.second - c.nearest < 0.07f || c.nearest > 0.5f)
        return FALSE;
    /* Flat sides: the distance in one of three directions, whichever is farthest. */
    const float turn = (float)(c.id >> 12 & 255) * (2 * (float)G_PI / 255);
    CgPoint way = {cosf(turn), sinf(turn)};
    float far = 0;
    for (int k = 0; k < 3; k++) {
        far = cg_max(far, fabsf(c.x * way.x + c.y * way.y));
        way = (CgPoint){0.5f * way.x - 0.866f * way.y, 0.866f * way.x + 0.5f * way.y};
    }
    if (far > 0.16f + 0.26f * size)
        return FALSE;
    const float *colour = marble[(c.id >> 20) % COLOURS];
    const float veins = cg_noise_fbm(q.x, q.y, 2 * frequency, 3, pixel, seed + 3);
    const float tone = 1 + 0.22f * veins + 0.25f * ((float)(c.id >> 24 & 255) / 255 - 0.5f);
    cg_material_set(m, colour[0] * tone, colour[1] * tone, colour[2] * tone, t->gloss, 0);
    return TRUE;
}

static float paint(const Terrazzo *t, CgPoint p, float pixel)
{
    if (t->stroke_width <= 0)
        return 0;
    const float bx = t->stroke[1].x - t->stroke[0].x, by = t->stroke[1].y - t->stroke[0].y;
    const float length = cg_length(bx, by);
    const float px = p.x - t->stroke[0].x, py = p.y - t->stroke[0].y;
    const float along = (px * bx + py * by) / length, across = (px * by - py * bx) / length;
    /* Bristles: streaks along the stroke that end one after the other. */
    const float bristle = cg_noise_fine(across, along, 30, 1.2f, pixel, t->part.seed + 70);
    const float end = cg_smoothstep(0, 0.10f, along + 0.10f * bristle) *
                      cg_smoothstep(0, 0.16f, length - along + 0.16f * bristle);
    const float side = cg_smoothstep(0, -0.02f,
                                     fabsf(across) - t->stroke_width +
                                         0.012f * cg_noise(along * 9, across, t->part.seed + 71));
    return end * side * cg_smoothstep(-0.75f, -0.2f, bristle + 0.6f * (0.7f - along / length));
}

static void surface(const void *data, CgPoint p, float pixel, CgMaterial *m)
{
    const Terrazzo *t = data;
    const uint32_t seed = t->part.seed;
    const CgPoint q = cg_pose_inverse(&t->part.pose, p);
    if (!chip(t, q, t->chips, 0.25f, pixel, seed + 10, m) &&
        !chip(t, q, 2.3f * t->chips, 0.35f, pixel, seed + 20, m) &&
        !chip(t, q, 5 * t->chips, 0.5f, pixel, seed + 30, m)) {
        const float sand = cg_noise_fbm(q.x, q.y, 50, 2, pixel, seed + 40);
        cg_material_set(m, t->cement[0], t->cement[1], t->cement[2], t->gloss + 0.12f, 0);
        cg_material_tint(m,
                         1 + 0.14f * sand + 0.06f * cg_noise_fbm(q.x, q.y, 2, 3, pixel, seed + 41));
    }
    m->height = 0.0010f * cg_noise_fbm(q.x, q.y, 1.5f, 2, pixel, seed + 42);
    const float painted = paint(t, p, pixel);
    for (int c = 0; c < 3; c++) {
        static const float colour[] = {0.10f, 0.16f, 0.22f};
        m->albedo[c] = cg_mix(m->albedo[c], colour[c], 0.9f * painted);
    }
    m->height += 0.004f * painted;
    m->rough = cg_mix(m->rough, 0.6f, painted);
    m->object = 1;
    cg_flaw_apply(&t->part.flaw, p, pixel, m);
}

static void crack(void *data, CgRng *rng)
{
    Terrazzo *t = data;
    const CgPoint at = cg_part_place(&t->part, rng, 0);
    cg_flaw_crack(&t->part.flaw, at, cg_draw_uniform(rng, 0, G_PI), cg_draw_uniform(rng, 0.8, 1.6),
                  cg_part_line(&t->part, cg_draw_uniform(rng, 0.007, 0.012)), rng);
}

static void oil(void *data, CgRng *rng)
{
    Terrazzo *t = data;
    const CgPoint at = cg_part_place(&t->part, rng, 0);
    cg_flaw_blot(&t->part.flaw, CG_FLAW_STAIN, at, cg_draw_uniform(rng, 0.18, 0.32), rng);
    t->part.flaw.ragged = 0.25f;
    t->part.flaw.strength = cg_draw_uniform(rng, 0.75, 0.95);
    cg_flaw_colour(&t->part.flaw, 0.50f, 0.36f, 0.14f);
}

static void spall(void *data, CgRng *rng)
{
    Terrazzo *t = data;
    const CgPoint at = cg_part_place(&t->part, rng, 0);
    cg_flaw_blot(&t->part.flaw, CG_FLAW_HOLE, at, cg_draw_uniform(rng, 0.09, 0.17), rng);
    t->part.flaw.ragged = 0.5f;
    cg_flaw_colour(&t->part.flaw, 0.20f, 0.185f, 0.16f);
}

static void paint_stroke(void *data, CgRng *rng)
{
    Terrazzo *t = data;
    const CgPoint at = cg_part_place(&t->part, rng, 0);
    const float angle = cg_draw_uniform(rng, 0, 2 * G_PI), half = cg_draw_uniform(rng, 0.22, 0.4);
    t->stroke[0] = (CgPoint){at.x - half * cosf(angle), at.y - half * sinf(angle)};
    t->stroke[1] = (CgPoint){at.x + half * cosf(angle), at.y + half * sinf(angle)};
    t->stroke_width = cg_draw_uniform(rng, 0.05, 0.09);
}

const CgDrawing cg_drawing_terrazzo = {
    .category = "terrazzo",
    .texture = TRUE,
    .part_size = sizeof(Terrazzo),
    .draw = draw,
    .surface = surface,
    .defects = {{"crack", crack}, {"oil", oil}, {"spall", spall}, {"paint_stroke", paint_stroke}},
};
