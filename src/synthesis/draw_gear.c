/* gear: a brass wheel with a bore, a keyway and lightening holes, on a pale table. */
#include "synthesis/drawing-private.h"

#define TEETH       18
#define ROOT        0.76f
#define TIP         0.93f
#define WEB_OUT     0.62f /* the thinner disk between rim and hub */
#define WEB_IN      0.30f
#define HOLES       5
#define HOLE_AT     0.46f
#define HOLE_RADIUS 0.095f
#define BORE        0.15f
#define THICK       0.20f

typedef struct {
    CgPart part;
    float brass[3], table[3];
    float polish;
    int lost; /* tooth + 1 that is missing, 0 for none */
} Gear;

static void draw(void *data, CgRng *rng)
{
    Gear *g = data;
    cg_part_pose(&g->part, rng, (float)G_PI, 0.83f, 0.03f, 0.05f);
    const float tone = cg_draw_uniform(rng, 0.92, 1.05), red = cg_draw_uniform(rng, 0.97, 1.05);
    g->brass[0] = 0.78f * tone * red;
    g->brass[1] = 0.56f * tone;
    g->brass[2] = 0.25f * tone;
    const float table = cg_draw_uniform(rng, 0.36, 0.44);
    g->table[0] = 0.97f * table;
    g->table[1] = table;
    g->table[2] = 1.02f * table;
    g->polish = cg_draw_uniform(rng, 0.30, 0.38);
}

/* Signed distance from the toothed outline, about. */
static float outline(const Gear *g, CgPoint q, float r, float angle, float pixel)
{
    const float turn = angle / (2 * (float)G_PI) * TEETH + 0.5f;
    int tooth = (int)floorf(turn);
    const float in = fabsf(turn - (float)tooth - 0.5f); /* 0 at the tooth's middle */
    tooth = (tooth % TEETH + TEETH) % TEETH;
    /* Half as wide as the pitch at the root, narrower at the tip. */
    const float wide = cg_mix(0.33f, 0.17f, cg_clamp01((r - ROOT) / (TIP - ROOT)));
    const float flank = (in - wide) * (2 * (float)G_PI / TEETH) * r;
    const float whole = cg_max(flank, r - TIP);
    float top = whole;
    if (g->lost == tooth + 1) {
        const float broken = 0.02f * cg_noise_fbm(q.x, q.y, 9, 4, pixel, g->part.seed + 9);
        top = cg_max(whole, r - ROOT - 0.025f + broken);
    }
    return cg_smooth_min(r - ROOT, top, 0.02f);
}

static void brass(const Gear *g, CgPoint q, float r, float angle, float pixel, CgMaterial *m)
{
    const uint32_t seed = g->part.seed;
    const float marks = cg_noise_fine(r, angle * 0.7f, 45, 1, pixel, seed + 1) +
                        0.6f * cg_noise_fine(r, angle * 0.3f, 110, 1, pixel, seed + 2);
    const float worn = cg_noise_fbm(q.x, q.y, 3, 4, pixel, seed + 3);
    cg_material_set(m, g->brass[0], g->brass[1], g->brass[2], g->polish + 0.05f * worn, 1);
    cg_material_tint(m, 1 + 0.07f * worn + 0.03f * marks);
    m->height += 0.0006f * marks;
}

/* Depth of the relief below the rim's face; negative distances are inside the hollow. */
static float relief(float r)
{
    const float web = cg_max(r - WEB_OUT, WEB_IN - r);
    return 0.07f * cg_smoothstep(0.015f, -0.025f, web);
}

static float hollow(CgPoint q, float r, float angle)
{
    const float turn = angle / (2 * (float)G_PI) * HOLES;
    const float near = (roundf(turn)) * (2 * (float)G_PI / HOLES);
    const float hole =
        cg_length(q.x - HOLE_AT * cosf(near), q.y - HOLE_AT * sinf(near)) - HOLE_RADIUS;
    const float key = cg_outline_box((CgPoint){q.x - BORE, q.y}, 0.055f, 0.04f, 0);
    return cg_min(hole, cg_min(r - BORE, key));
}

static void surface(const void *data, CgPoint p, float pixel, CgMaterial *m)
{
    const Gear *g = data;
    const CgPoint q = cg_pose_inverse(&g->part.pose, p);
    const float r = cg_length(q.x, q.y), angle = atan2f(q.y, q.x);
    const float out = outline(g, q, r, angle, pixel), in = hollow(q, r, angle);
    if (out > 0 || in < 0) {
        cg_draw_table(&g->part, p, pixel, g->table, m);
        if (in < 0 && out < 0)
            cg_material_tint(m, 0.8f);
        return;
    }
    const float edge = cg_smoothstep(-0.02f, 0, out) + cg_smoothstep(0.02f, 0, in);
    m->height = THICK - relief(r) - 0.02f * edge;
    brass(g, q, r, angle, pixel, m);
    m->object = 1;
    cg_flaw_apply(&g->part.flaw, p, pixel, m);
}

static void missing_tooth(void *data, CgRng *rng)
{
    Gear *g = data;
    g->lost = cg_rng_int(rng, 1, TEETH);
}

/* From a lightening hole out to the teeth. */
static void crack(void *data, CgRng *rng)
{
    Gear *g = data;
    const float way = (float)cg_rng_int(rng, 0, HOLES - 1) * (2 * (float)G_PI / HOLES) +
                      cg_draw_uniform(rng, -0.12, 0.12);
    const CgPoint at =
        cg_pose_apply(&g->part.pose, (CgPoint){0.67f * cosf(way), 0.67f * sinf(way)});
    const float turn = atan2f(g->part.pose.sine, g->part.pose.cosine);
    cg_flaw_crack(&g->part.flaw, at, way + turn + cg_draw_uniform(rng, -0.3, 0.3),
                  cg_draw_uniform(rng, 0.30, 0.40),
                  cg_part_line(&g->part, cg_draw_uniform(rng, 0.008, 0.012)), rng);
}

static void scratch(void *data, CgRng *rng)
{
    Gear *g = data;
    const CgPoint at = cg_part_place(&g->part, rng, 0.05f);
    cg_flaw_scratch(&g->part.flaw, at, cg_draw_uniform(rng, 0, G_PI),
                    cg_draw_uniform(rng, 0.4, 0.8),
                    cg_part_line(&g->part, cg_draw_uniform(rng, 0.010, 0.015)), rng);
    cg_flaw_colour(&g->part.flaw, 0.97f, 0.86f, 0.62f);
}

static void grease(void *data, CgRng *rng)
{
    Gear *g = data;
    const CgPoint at = cg_part_place(&g->part, rng, 0.06f);
    cg_flaw_blot(&g->part.flaw, CG_FLAW_STAIN, at, cg_draw_uniform(rng, 0.14, 0.24), rng);
    g->part.flaw.strength = cg_draw_uniform(rng, 0.85, 1);
    cg_flaw_colour(&g->part.flaw, 0.10f, 0.075f, 0.06f);
}

const CgDrawing cg_drawing_gear = {
    .category = "gear",
    .part_size = sizeof(Gear),
    .draw = draw,
    .surface = surface,
    .defects = {{"missing_tooth", missing_tooth},
                {"crack", crack},
                {"scratch", scratch},
                {"grease", grease}},
};
