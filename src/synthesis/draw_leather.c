/* leather: grained cowhide, brown. */
#include "synthesis/drawing-private.h"

typedef struct {
    CgPart part;
    float colour[3];
    float grain; /* cells per unit */
    float relief;
    CgPoint fold[2]; /* a crease from here to there; the same point for none */
    float fold_bend;
} Leather;

static void draw(void *data, CgRng *rng)
{
    Leather *l = data;
    cg_part_pose(&l->part, rng, (float)G_PI, 1, 0.1f, 0.1f);
    const float tone = cg_draw_uniform(rng, 0.85, 1.15), red = cg_draw_uniform(rng, 0.95, 1.05);
    l->colour[0] = 0.265f * tone * red;
    l->colour[1] = 0.098f * tone;
    l->colour[2] = 0.050f * tone;
    l->grain = cg_draw_uniform(rng, 15, 19);
    l->relief = cg_draw_uniform(rng, 1.2, 1.7);
    l->part.scene.occlusion = 40;
}

/* Plump cells parted by narrow valleys, in two sizes, none of them straight. */
static float grain(const Leather *l, CgPoint q, float pixel, float *valley)
{
    const uint32_t seed = l->part.seed;
    const float wx = cg_noise_fbm(q.x, q.y, 4, 3, pixel, seed + 1);
    const float wy = cg_noise_fbm(q.x, q.y, 4, 3, pixel, seed + 2);
    const CgPoint w = {q.x + 0.05f * wx, 1.25f * q.y + 0.05f * wy};
    const CgNoiseCell big = cg_noise_cells(w.x * l->grain, w.y * l->grain, 1, seed + 3);
    const CgNoiseCell small =
        cg_noise_cells(w.x * l->grain * 2.1f, w.y * l->grain * 2.1f, 1, seed + 4);
    const float deep = 0.8f + 0.8f * cg_noise_fbm(q.x, q.y, 2.5f, 2, pixel, seed + 5);
    const float a = cg_smoothstep(0.26f, 0.0f, big.second - big.nearest);
    const float b = cg_smoothstep(0.25f, 0.02f, small.second - small.nearest);
    *valley = cg_clamp01(deep * (a + 0.35f * b));
    const float plump = 1 - 0.8f * big.nearest * big.nearest;
    return l->relief * (0.0055f * plump - 0.0085f * *valley) +
           0.0010f * cg_noise_fbm(q.x, q.y, 60, 2, pixel, seed + 6);
}

/* A crease: a furrow between two swellings, fading at its ends. */
static float fold(const Leather *l, CgPoint p)
{
    const float bx = l->fold[1].x - l->fold[0].x, by = l->fold[1].y - l->fold[0].y;
    const float length = cg_length(bx, by);
    if (length < 1e-4f)
        return 0;
    const float px = p.x - l->fold[0].x, py = p.y - l->fold[0].y;
    const float along = (px * bx + py * by) / (length * length);
    const float t = 2 * along - 1;
    if (fabsf(t) > 1)
        return 0;
    const float across = (px * by - py * bx) / length + l->fold_bend * t * t;
    return (1 - t * t) *
           (0.034f * cg_bump(across - 0.055f, 0.08f) + 0.030f * cg_bump(across + 0.05f, 0.08f) -
            0.040f * cg_bump(across, 0.035f));
}

static void surface(const void *data, CgPoint p, float pixel, CgMaterial *m)
{
    const Leather *l = data;
    const CgPoint q = cg_pose_inverse(&l->part.pose, p);
    const float cloud = cg_noise_fbm(q.x, q.y, 1.6f, 3, pixel, l->part.seed + 7);
    const float crease = fold(l, p);
    float valley = 0;
    m->height = grain(l, q, pixel, &valley) + crease;
    cg_material_set(m, l->colour[0], l->colour[1], l->colour[2], 0.36f + 0.25f * valley, 0);
    cg_material_tint(m,
                     (1 + 0.06f * cloud) * (1 - 0.20f * valley) * (1 + 9 * cg_min(crease, 0.02f)));
    m->object = 1;
    cg_flaw_apply(&l->part.flaw, p, pixel, m);
}

static void cut(void *data, CgRng *rng)
{
    Leather *l = data;
    const CgPoint at = cg_part_place(&l->part, rng, 0);
    cg_flaw_cut(&l->part.flaw, at, cg_draw_uniform(rng, 0, G_PI), cg_draw_uniform(rng, 0.4, 0.8),
                cg_part_line(&l->part, cg_draw_uniform(rng, 0.026, 0.042)), rng);
    cg_flaw_colour(&l->part.flaw, 0.46f, 0.28f, 0.17f);
}

static void crease(void *data, CgRng *rng)
{
    Leather *l = data;
    const CgPoint at = cg_part_place(&l->part, rng, 0);
    const float angle = cg_draw_uniform(rng, 0, G_PI), half = cg_draw_uniform(rng, 0.3, 0.55);
    l->fold[0] = (CgPoint){at.x - half * cosf(angle), at.y - half * sinf(angle)};
    l->fold[1] = (CgPoint){at.x + half * cosf(angle), at.y + half * sinf(angle)};
    l->fold_bend = cg_draw_uniform(rng, -0.12, 0.12);
}

static void glue(void *data, CgRng *rng)
{
    Leather *l = data;
    const CgPoint at = cg_part_place(&l->part, rng, 0);
    cg_flaw_blot(&l->part.flaw, CG_FLAW_DROP, at, cg_draw_uniform(rng, 0.09, 0.17), rng);
    l->part.flaw.ragged = 0.3f;
    l->part.flaw.depth *= 1.1f;
    cg_flaw_colour(&l->part.flaw, 1.05f, 0.95f, 0.80f);
}

static void poke(void *data, CgRng *rng)
{
    Leather *l = data;
    const CgPoint at = cg_part_place(&l->part, rng, 0);
    cg_flaw_blot(&l->part.flaw, CG_FLAW_HOLE, at, cg_draw_uniform(rng, 0.055, 0.095), rng);
    l->part.flaw.ragged = 0.2f;
    l->part.flaw.depth *= 2;
    cg_flaw_colour(&l->part.flaw, 0.020f, 0.010f, 0.007f);
}

static void ink(void *data, CgRng *rng)
{
    Leather *l = data;
    const CgPoint at = cg_part_place(&l->part, rng, 0);
    cg_flaw_blot(&l->part.flaw, CG_FLAW_STAIN, at, cg_draw_uniform(rng, 0.12, 0.24), rng);
    l->part.flaw.strength = cg_draw_uniform(rng, 0.8, 1);
    cg_flaw_colour(&l->part.flaw, 0.10f, 0.35f, 1.3f);
}

const CgDrawing cg_drawing_leather = {
    .category = "leather",
    .texture = TRUE,
    .part_size = sizeof(Leather),
    .draw = draw,
    .surface = surface,
    .defects = {{"cut", cut}, {"fold", crease}, {"glue", glue}, {"poke", poke}, {"ink", ink}},
};
