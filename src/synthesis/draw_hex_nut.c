/* hex_nut: a steel nut on a table, seen from above. */
#include "synthesis/drawing-private.h"

#define INNER   0.86f /* radius of the hexagon's inner circle, of the part's own unit */
#define THICK   0.34f /* height of the top */
#define CHAMFER 0.80f /* where the corners begin to fall away */
#define BORE    0.44f /* radius at the crest of the thread */
#define MOUTH   0.53f /* radius where the countersink begins */
#define PITCH   0.035f
#define FACETS  6

typedef struct {
    CgPart part;
    float steel[3], table[3];
    float polish;
    int turns;   /* of the machining marks per unit */
    int chipped; /* corner + 1, 0 for none */
    float chip_depth, chip_tilt;
} Nut;

static void draw(void *data, CgRng *rng)
{
    Nut *nut = data;
    cg_part_pose(&nut->part, rng, (float)G_PI, 0.78f, 0.04f, 0.06f);
    const float grey = cg_draw_uniform(rng, 0.50, 0.62), yellow = cg_draw_uniform(rng, -0.01, 0.06);
    nut->steel[0] = grey * (1 + yellow);
    nut->steel[1] = grey;
    nut->steel[2] = grey * (1 - 1.6f * yellow);
    const float table = cg_draw_uniform(rng, 0.022, 0.04);
    nut->table[0] = table;
    nut->table[1] = 1.05f * table;
    nut->table[2] = 1.2f * table;
    nut->polish = cg_draw_uniform(rng, 0.30, 0.42);
    nut->turns = cg_rng_int(rng, 26, 38);
}

/* The top without the bore: flat inside the chamfer circle, falling towards the corners, with a
 * rounded edge above the flats. */
static float top_height(float r, float hex)
{
    const float cone = cg_max(r - CHAMFER, 0) * 0.62f;
    const float soft = cone * cone / (cone + 0.02f);
    const float edge = cg_smoothstep(-0.045f, 0.012f, hex);
    return THICK * (1 - edge * edge) - soft;
}

static void top(const Nut *nut, CgPoint q, float r, float hex, float pixel, CgMaterial *m)
{
    const uint32_t seed = nut->part.seed;
    const float angle = atan2f(q.y, q.x);
    /* Marks of the lathe: rings that change slowly on their way round. */
    const float marks = cg_noise_fine(r * (float)nut->turns, angle * 0.8f, 2, 1, pixel, seed + 1);
    const float fine = cg_noise_fine(r, angle * 0.15f, 110, 6, pixel, seed + 2);
    const float pits = cg_noise_fbm(q.x, q.y, 26, 3, pixel, seed + 3);
    m->height = top_height(r, hex) + 0.0006f * marks + 0.0004f * fine + 0.0002f * pits;
    const float worn = 0.06f * cg_noise_fbm(q.x, q.y, 4, 3, pixel, seed + 4);
    cg_material_set(m, nut->steel[0], nut->steel[1], nut->steel[2],
                    nut->polish + 0.12f * worn + 0.05f * pits, 1);
    cg_material_tint(m, 1 + worn + 0.08f * pits);
    if (r > MOUTH)
        return;
    m->height -= (MOUTH - r) * 1.1f;
    m->rough = nut->polish + 0.05f;
}

/* Inside the bore: the thread's crests as rings of a spiral, darker and darker, and the table. */
static void bore(const Nut *nut, CgPoint q, float r, float pixel, CgMaterial *m)
{
    const float deep = BORE - r, wall = 0.085f;
    if (deep > wall) {
        cg_draw_table(&nut->part, q, pixel, nut->table, m);
        cg_material_tint(m, 0.35f);
        return;
    }
    const float turn = deep / PITCH - atan2f(q.y, q.x) / (2 * (float)G_PI);
    const float ring = fabsf(2 * (turn - floorf(turn)) - 1);
    m->height = THICK * (0.72f - 0.60f * deep / wall) + 0.012f * ring;
    cg_material_set(m, nut->steel[0], nut->steel[1], nut->steel[2], 0.40f, 1);
    cg_material_tint(m, (0.30f + 0.75f * ring) * (1 - 0.75f * deep / wall));
}

/* How far P is outside of a corner that broke off. */
static float chip(const Nut *nut, CgPoint q, float pixel)
{
    if (!nut->chipped)
        return -1;
    const float angle = (float)(nut->chipped - 1) * (2 * (float)G_PI / FACETS) + nut->chip_tilt;
    const float along = q.x * cosf(angle) + q.y * sinf(angle);
    return along - nut->chip_depth +
           0.045f * cg_noise_fbm(q.x, q.y, 6, 4, pixel, nut->part.seed + 5);
}

static void surface(const void *data, CgPoint p, float pixel, CgMaterial *m)
{
    const Nut *nut = data;
    const CgPoint q = cg_pose_inverse(&nut->part.pose, p);
    const float r = cg_length(q.x, q.y), hex = cg_outline_hexagon(q, INNER);
    const float broken = chip(nut, q, pixel);
    if (hex > 0 || broken > 0.10f) {
        cg_draw_table(&nut->part, p, pixel, nut->table, m);
        return;
    }
    if (r < BORE)
        bore(nut, q, r, pixel, m);
    else
        top(nut, q, r, hex, pixel, m);
    m->object = r > BORE ? 1 : 0;
    if (broken > 0) {
        /* The break falls away steeply, grainy and bright as fresh metal is. */
        const float rough = cg_noise_fbm(q.x, q.y, 22, 4, pixel, nut->part.seed + 6);
        m->height -= 2.2f * broken - 0.022f * rough;
        m->rough = 0.75f;
        cg_material_tint(m, 0.75f + 0.35f * rough);
    }
    cg_flaw_apply(&nut->part.flaw, p, pixel, m);
}

static void scratch(void *data, CgRng *rng)
{
    Nut *nut = data;
    const CgPoint at = cg_part_place(&nut->part, rng, 0.06f);
    cg_flaw_scratch(&nut->part.flaw, at, cg_draw_uniform(rng, 0, G_PI),
                    cg_draw_uniform(rng, 0.3, 0.7),
                    cg_part_line(&nut->part, cg_draw_uniform(rng, 0.010, 0.016)), rng);
    cg_flaw_colour(&nut->part.flaw, 0.95f, 0.95f, 0.95f);
}

static void rust(void *data, CgRng *rng)
{
    Nut *nut = data;
    const CgPoint at = cg_part_place(&nut->part, rng, 0.05f);
    cg_flaw_blot(&nut->part.flaw, CG_FLAW_RUST, at, cg_draw_uniform(rng, 0.12, 0.24), rng);
    cg_flaw_colour(&nut->part.flaw, 0.23f, 0.075f, 0.022f);
}

/* From the bore outwards, as nuts burst. */
static void crack(void *data, CgRng *rng)
{
    Nut *nut = data;
    const float angle = cg_draw_uniform(rng, 0, 2 * G_PI), middle = 0.5f * (BORE + INNER);
    const CgPoint at =
        cg_pose_apply(&nut->part.pose, (CgPoint){middle * cosf(angle), middle * sinf(angle)});
    const float turn = atan2f(nut->part.pose.sine, nut->part.pose.cosine);
    cg_flaw_crack(&nut->part.flaw, at, angle + turn + cg_draw_uniform(rng, -0.4, 0.4),
                  cg_draw_uniform(rng, 0.34, 0.46),
                  cg_part_line(&nut->part, cg_draw_uniform(rng, 0.007, 0.011)), rng);
}

static void chipped_corner(void *data, CgRng *rng)
{
    Nut *nut = data;
    nut->chipped = cg_rng_int(rng, 1, FACETS);
    nut->chip_depth = cg_draw_uniform(rng, 0.62, 0.74);
    nut->chip_tilt = cg_draw_uniform(rng, -0.25, 0.25);
}

const CgDrawing cg_drawing_hex_nut = {
    .category = "hex_nut",
    .part_size = sizeof(Nut),
    .draw = draw,
    .surface = surface,
    .defects = {{"scratch", scratch},
                {"rust", rust},
                {"crack", crack},
                {"chipped_corner", chipped_corner}},
};
