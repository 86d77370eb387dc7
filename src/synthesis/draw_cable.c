/* cable: three insulated wires in a sheath, cut across. */
#include "synthesis/drawing-private.h"

#define WIRES   3
#define STRANDS 19
#define SHEATH  0.86f /* outer radius */
#define LINER   0.70f /* its inner radius */
#define WIRE_AT 0.375f
#define WIRE    0.305f /* outer radius of the insulation */
#define CORE    0.20f
#define STRAND  0.042f

typedef struct {
    CgPart part;
    float sheath[3], table[3], filler[3];
    float colour[WIRES][3];
    CgPoint wire[WIRES];
    CgPoint strand[WIRES][STRANDS]; /* from the wire's middle */
    float cut_height[WIRES][STRANDS];
    int lost; /* wire + 1 */
} Cable;

static const float insulation[WIRES][3] = {
    {0.20f, 0.36f, 0.055f}, {0.035f, 0.12f, 0.42f}, {0.15f, 0.085f, 0.06f}};

/* One in the middle, 6 around it, 12 around those; none quite in its place. */
static void lay_strands(Cable *c, int wire, CgRng *rng)
{
    const float turn = cg_draw_uniform(rng, 0, G_PI);
    for (int i = 0; i < STRANDS; i++) {
        const int ring = i == 0 ? 0 : i < 7 ? 1 : 2, first = ring == 1 ? 1 : 7;
        const float angle =
            turn + (ring ? 2 * (float)G_PI * (float)(i - first) / (float)(6 * ring) : 0);
        const float r = (float)ring * 0.078f;
        c->strand[wire][i] = (CgPoint){r * cosf(angle) + cg_draw_uniform(rng, -0.008, 0.008),
                                       r * sinf(angle) + cg_draw_uniform(rng, -0.008, 0.008)};
        c->cut_height[wire][i] = cg_draw_uniform(rng, -0.02, 0.03);
    }
}

static void draw(void *data, CgRng *rng)
{
    Cable *c = data;
    cg_part_pose(&c->part, rng, 0.25f, 0.95f, 0.03f, 0.04f);
    const float tone = cg_draw_uniform(rng, 0.9, 1.1), table = cg_draw_uniform(rng, 0.03, 0.05);
    for (int i = 0; i < 3; i++) {
        static const float sheath[] = {0.46f, 0.48f, 0.50f}, dark[] = {0.8f, 0.9f, 1.25f};
        static const float filler[] = {0.40f, 0.38f, 0.34f};
        c->sheath[i] = sheath[i] * tone;
        c->table[i] = dark[i] * table;
        c->filler[i] = filler[i] * tone;
    }
    for (int w = 0; w < WIRES; w++) {
        const float angle = (float)G_PI * (2.0f * (float)w / WIRES - 0.5f);
        const float off = cg_draw_uniform(rng, -0.06, 0.06);
        c->wire[w] = (CgPoint){WIRE_AT * cosf(angle + off), WIRE_AT * sinf(angle + off)};
        for (int i = 0; i < 3; i++)
            c->colour[w][i] = insulation[w][i] * tone;
        lay_strands(c, w, rng);
    }
    c->part.scene.key_colour[0] *= 1.1f;
    c->part.scene.key_colour[1] *= 1.1f;
    c->part.scene.key_colour[2] *= 1.1f;
}

/* Plastic as a knife leaves it: fine parallel marks. */
static void plastic(const Cable *c, CgPoint q, float pixel, const float colour[3], CgMaterial *m)
{
    const uint32_t seed = c->part.seed;
    const float marks = cg_noise_fine(q.x + 0.4f * q.y, q.y - 0.4f * q.x, 3, 50, pixel, seed + 1);
    const float cloud = cg_noise_fbm(q.x, q.y, 5, 3, pixel, seed + 2);
    cg_material_set(m, colour[0], colour[1], colour[2], 0.42f, 0);
    cg_material_tint(m, 1 + 0.05f * marks + 0.10f * cloud);
    m->height += 0.0018f * marks + 0.003f * cloud;
}

/* Ends of the copper strands; FALSE between them. */
static gboolean copper(const Cable *c, int wire, CgPoint u, CgPoint q, float pixel, CgMaterial *m)
{
    for (int i = 0; i < STRANDS; i++) {
        const float x = u.x - c->strand[wire][i].x, y = u.y - c->strand[wire][i].y;
        const float r = sqrtf(x * x + y * y) / STRAND;
        if (r > 1)
            continue;
        const float pits = cg_noise_fbm(q.x, q.y, 28, 2, pixel, c->part.seed + 3 + (uint32_t)i);
        const float tone = 1 + 0.15f * pits + 4 * c->cut_height[wire][i];
        /* Cut ends are domed and lean a little, each its own way. */
        m->height = 0.33f + c->cut_height[wire][i] + 0.008f * sqrtf(1 - r * r) +
                    1.6f * c->cut_height[wire][i] * x +
                    1.2f * c->cut_height[wire][(i + 5) % STRANDS] * y;
        cg_material_set(m, 0.86f * tone, 0.46f * tone, 0.27f * tone, 0.30f, 0.92f);
        return TRUE;
    }
    return FALSE;
}

static void wire(const Cable *c, int w, CgPoint q, float pixel, CgMaterial *m)
{
    const CgPoint u = {q.x - c->wire[w].x, q.y - c->wire[w].y};
    const float r = sqrtf(u.x * u.x + u.y * u.y);
    const float uneven = 0.012f * cg_noise(u.x * 4 / (r + 0.1f), u.y * 4 / (r + 0.1f),
                                           c->part.seed + 40 + (uint32_t)w);
    const float d = r - WIRE + uneven;
    if (d > 0)
        return;
    if (c->lost == w + 1) {
        /* The channel that the wire left, down into the dark. */
        m->height -= 0.22f * cg_smoothstep(0, -0.03f, d);
        cg_material_tint(m, cg_mix(0.5f, 0.12f, cg_smoothstep(0, -0.10f, d)));
    } else if (r > CORE) {
        m->height = 0.30f - 0.02f * cg_smoothstep(-0.03f, 0, d);
        plastic(c, q, pixel, c->colour[w], m);
    } else if (!copper(c, w, u, q, pixel, m)) {
        m->height = 0.16f;
        cg_material_set(m, 0.05f, 0.028f, 0.018f, 0.8f, 0);
    }
}

static void surface(const void *data, CgPoint p, float pixel, CgMaterial *m)
{
    const Cable *c = data;
    const CgPoint q = cg_pose_inverse(&c->part.pose, p);
    const float r = cg_length(q.x, q.y);
    const float liner = LINER + 0.012f * cg_noise(q.x * 3, q.y * 3, c->part.seed + 4);
    if (r > SHEATH) {
        cg_draw_table(&c->part, p, pixel, c->table, m);
        return;
    }
    m->object = 1;
    if (r > liner) {
        m->height = 0.32f - 0.03f * cg_smoothstep(SHEATH - 0.04f, SHEATH, r);
        plastic(c, q, pixel, c->sheath, m);
    } else {
        m->height = 0.17f;
        cg_material_set(m, c->filler[0], c->filler[1], c->filler[2], 0.8f, 0);
        const float lint = cg_noise_fbm(q.x, q.y, 7, 4, pixel, c->part.seed + 5);
        m->height += 0.012f * lint;
        cg_material_tint(m, 0.55f + 0.2f * lint);
        for (int w = 0; w < WIRES; w++)
            wire(c, w, q, pixel, m);
    }
    const float before = m->height;
    cg_flaw_apply(&c->part.flaw, p, pixel, m);
    if (c->part.flaw.kind == CG_FLAW_HAIR && m->height > before) {
        m->metal = 0.92f;
        m->rough = 0.30f;
    }
}

static void missing_wire(void *data, CgRng *rng)
{
    Cable *c = data;
    c->lost = cg_rng_int(rng, 1, WIRES);
}

/* Another wire's colour. */
static void wrong_wire(void *data, CgRng *rng)
{
    Cable *c = data;
    const int w = cg_rng_int(rng, 0, WIRES - 1), other = (w + cg_rng_int(rng, 1, 2)) % WIRES;
    for (int i = 0; i < 3; i++)
        c->colour[w][i] = c->colour[other][i];
}

static void cut_sheath(void *data, CgRng *rng)
{
    Cable *c = data;
    const float angle = cg_draw_uniform(rng, 0, 2 * G_PI), r = 0.5f * (SHEATH + LINER);
    const CgPoint at = cg_pose_apply(&c->part.pose, (CgPoint){r * cosf(angle), r * sinf(angle)});
    cg_flaw_cut(&c->part.flaw, at, angle + cg_draw_uniform(rng, -0.8, 0.8),
                cg_draw_uniform(rng, 0.25, 0.4),
                cg_part_line(&c->part, cg_draw_uniform(rng, 0.022, 0.035)), rng);
    cg_flaw_colour(&c->part.flaw, 0.02f, 0.02f, 0.02f);
}

/* A strand that left the bundle. */
static void bent_strand(void *data, CgRng *rng)
{
    Cable *c = data;
    const int w = cg_rng_int(rng, 0, WIRES - 1);
    const float angle = cg_draw_uniform(rng, 0, 2 * G_PI);
    const CgPoint at = cg_pose_apply(&c->part.pose, (CgPoint){c->wire[w].x + 0.2f * cosf(angle),
                                                              c->wire[w].y + 0.2f * sinf(angle)});
    cg_flaw_hair(&c->part.flaw, at, angle, cg_draw_uniform(rng, 0.4, 0.6),
                 cg_part_line(&c->part, 0.7f * STRAND), rng);
    c->part.flaw.level = 0.36f;
    cg_flaw_colour(&c->part.flaw, 0.86f, 0.46f, 0.27f);
}

const CgDrawing cg_drawing_cable = {
    .category = "cable",
    .part_size = sizeof(Cable),
    .draw = draw,
    .surface = surface,
    .defects = {{"missing_wire", missing_wire},
                {"wrong_wire", wrong_wire},
                {"cut_sheath", cut_sheath},
                {"bent_strand", bent_strand}},
};
