/* capsule: two halves of gelatine with an imprint, on a light table. */
#include "synthesis/drawing-private.h"

#define HALF    0.66f /* from the middle to the centre of an end's dome */
#define RADIUS  0.34f
#define OVERLAP 0.012f   /* the cap is wider than the body */
#define RIM     (-0.03f) /* where the cap ends */
#define INK     0.021f   /* half width of the imprint's lines */
#define LIFT    0.55f    /* of the radius: the silhouette is above the table */

typedef struct {
    CgPart part;
    float cap[3], body[3], table[3], ink[3];
    float gloss;
    float smear;              /* of a faulty imprint: how far it runs along */
    float lost_from, lost_to; /* the part of it that is not there */
} Capsule;

/* The imprint "27": strokes in units of its height, around its middle. */
static const CgPoint imprint[][2] = {
    {{-0.70f, -0.35f}, {-0.45f, -0.50f}}, {{-0.45f, -0.50f}, {-0.20f, -0.35f}},
    {{-0.20f, -0.35f}, {-0.22f, -0.10f}}, {{-0.22f, -0.10f}, {-0.70f, 0.50f}},
    {{-0.70f, 0.50f}, {-0.15f, 0.50f}},   {{0.15f, -0.50f}, {0.70f, -0.50f}},
    {{0.70f, -0.50f}, {0.35f, 0.50f}},
};

static void draw(void *data, CgRng *rng)
{
    Capsule *c = data;
    cg_part_pose(&c->part, rng, 0.22f, 0.88f, 0.03f, 0.05f);
    const float tone = cg_draw_uniform(rng, 0.9, 1.1), table = cg_draw_uniform(rng, 0.50, 0.58);
    for (int i = 0; i < 3; i++) {
        static const float cap[] = {0.36f, 0.030f, 0.026f}, body[] = {0.74f, 0.63f, 0.42f};
        static const float light[] = {1, 0.99f, 0.95f}, ink[] = {0.10f, 0.09f, 0.09f};
        c->cap[i] = cap[i] * tone;
        c->body[i] = body[i] * cg_mix(1, tone, 0.4f);
        c->table[i] = light[i] * table;
        c->ink[i] = ink[i];
    }
    c->gloss = cg_draw_uniform(rng, 0.16, 0.24);
    c->lost_from = c->lost_to = 9;
    c->part.scene.occlusion = 5;
}

static float ink_at(const Capsule *c, CgPoint q, float pixel)
{
    const float size = 0.27f;
    CgPoint u = {(q.x - 0.40f) / size, q.y / size};
    if (u.x > c->lost_from && u.x < c->lost_to)
        return 0;
    float d = 9;
    for (size_t i = 0; i < G_N_ELEMENTS(imprint); i++)
        for (int copy = 0; copy < (c->smear > 0 ? 5 : 1); copy++) {
            const CgPoint v = {u.x - c->smear * (float)copy * 0.25f, u.y};
            const float lost = c->smear * (float)copy * 0.012f;
            d = cg_min(d, cg_outline_segment(v, imprint[i][0], imprint[i][1]) * size + lost);
        }
    const float worn = 0.006f * cg_noise_fbm(q.x, q.y, 18, 3, pixel, c->part.seed + 1);
    return cg_smoothstep(0.008f, -0.004f, d - INK + worn);
}

static void surface(const void *data, CgPoint p, float pixel, CgMaterial *m)
{
    const Capsule *c = data;
    const CgPoint q = cg_pose_inverse(&c->part.pose, p);
    const gboolean cap = q.x < RIM;
    const float radius = RADIUS + (cap ? OVERLAP : 0);
    const CgPoint ends[2] = {{-HALF + OVERLAP, 0}, {HALF, 0}};
    const float off = cg_outline_segment(q, ends[0], ends[1]);
    if (off > radius) {
        cg_draw_table(&c->part, p, pixel, c->table, m);
        return;
    }
    /* Two locking rings run around the halves. */
    const float ring = 0.006f * (cg_bump(q.x + 0.16f, 0.035f) + cg_bump(q.x + 0.09f, 0.03f));
    m->height = RADIUS * LIFT + sqrtf(cg_max(radius * radius - off * off, 0)) - ring;
    const float *colour = cap ? c->cap : c->body;
    cg_material_set(m, colour[0], colour[1], colour[2], c->gloss, 0);
    /* Gelatine lets light through: the thin sides glow, what lies inside shows as clouds. */
    const float thin = cg_smoothstep(0.7f, 1, off / radius);
    const float cloud = cg_noise_fbm(q.x, q.y, 3, 3, pixel, c->part.seed + 2);
    cg_material_tint(m, (1 + 0.05f * cloud) * (1 - 0.25f * thin));
    m->height += 0.0005f * cg_noise_fbm(q.x, q.y, 4, 2, pixel, c->part.seed + 3);
    if (cap)
        cg_material_tint(m, 1 - 0.45f * cg_bump(q.x - RIM, 0.025f));
    else
        for (int i = 0; i < 3; i++)
            m->albedo[i] = cg_mix(m->albedo[i], c->ink[i], 0.85f * ink_at(c, q, pixel));
    m->object = 1;
    cg_flaw_apply(&c->part.flaw, p, pixel, m);
}

static void crack(void *data, CgRng *rng)
{
    Capsule *c = data;
    const CgPoint at = cg_part_place(&c->part, rng, 0.2f);
    cg_flaw_crack(&c->part.flaw, at, cg_draw_uniform(rng, 0, G_PI), cg_draw_uniform(rng, 0.35, 0.6),
                  cg_part_line(&c->part, cg_draw_uniform(rng, 0.007, 0.012)), rng);
}

static void dent(void *data, CgRng *rng)
{
    Capsule *c = data;
    const CgPoint at = cg_part_place(&c->part, rng, 0.14f);
    cg_flaw_blot(&c->part.flaw, CG_FLAW_DENT, at, cg_draw_uniform(rng, 0.15, 0.24), rng);
    c->part.flaw.ragged = 0.05f;
    c->part.flaw.depth = cg_draw_uniform(rng, 0.08, 0.11);
}

static void hole(void *data, CgRng *rng)
{
    Capsule *c = data;
    const CgPoint at = cg_part_place(&c->part, rng, 0.15f);
    cg_flaw_blot(&c->part.flaw, CG_FLAW_HOLE, at, cg_draw_uniform(rng, 0.05, 0.09), rng);
    c->part.flaw.ragged = 0.25f;
    cg_flaw_colour(&c->part.flaw, 0.025f, 0.018f, 0.015f);
}

static void faulty_imprint(void *data, CgRng *rng)
{
    Capsule *c = data;
    if (cg_rng_int(rng, 0, 1)) {
        c->smear = cg_draw_uniform(rng, 0.5, 1.0);
    } else {
        c->lost_from = cg_draw_uniform(rng, -0.9, -0.2);
        c->lost_to = c->lost_from + cg_draw_uniform(rng, 0.5, 1.1);
    }
}

const CgDrawing cg_drawing_capsule = {
    .category = "capsule",
    .part_size = sizeof(Capsule),
    .draw = draw,
    .surface = surface,
    .defects = {{"crack", crack},
                {"dent", dent},
                {"hole", hole},
                {"faulty_imprint", faulty_imprint}},
};
