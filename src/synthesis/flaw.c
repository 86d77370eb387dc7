#include "synthesis/flaw.h"

#include "synthesis/noise.h"

#define MARGIN 3.0f /* of a line's width, or of a blot's radius / 2: how far changes reach */

static float uniform(CgRng *rng, double low, double high)
{
    return (float)cg_rng_uniform(rng, low, high);
}

static void widen(CgFlaw *f, CgPoint p, float by)
{
    f->left = cg_min(f->left, p.x - by);
    f->right = cg_max(f->right, p.x + by);
    f->top = cg_min(f->top, p.y - by);
    f->bottom = cg_max(f->bottom, p.y + by);
}

static void begin(CgFlaw *f, CgFlawKind kind, CgPoint at, CgRng *rng)
{
    *f = (CgFlaw){
        .kind = kind,
        .centre = at,
        .cosine = 1,
        .stretch = 1,
        .strength = 1,
        .seed = (uint32_t)cg_rng_next(rng),
        .left = at.x,
        .right = at.x,
        .top = at.y,
        .bottom = at.y,
    };
}

static void add_segment(CgFlaw *f, CgPoint a, CgPoint b, float width_a, float width_b)
{
    if (f->count == CG_FLAW_SEGMENTS)
        return;
    f->segments[f->count++] = (CgFlawSegment){a, b, width_a, width_b};
    widen(f, a, MARGIN * cg_max(width_a, width_b) + 0.01f);
    widen(f, b, MARGIN * cg_max(width_a, width_b) + 0.01f);
}

/* A line of STEPS pieces whose direction wanders by TURN a piece and bends by BEND in all; its half
 * width runs from WIDTH at the start to END of it. */
static CgPoint wander(CgFlaw *f, CgPoint at, float angle, float length, int steps, float turn,
                      float bend, float width, float end, CgRng *rng)
{
    for (int i = 0; i < steps; i++) {
        const float from = (float)i / (float)steps, to = (float)(i + 1) / (float)steps;
        const float heading = angle + turn * uniform(rng, -1, 1) + bend * from;
        const CgPoint next = {at.x + cosf(heading) * length / (float)steps,
                              at.y + sinf(heading) * length / (float)steps};
        add_segment(f, at, next, width * cg_mix(1, end, from), width * cg_mix(1, end, to));
        at = next;
    }
    return at;
}

static CgPoint back(CgPoint at, float angle, float by)
{
    return (CgPoint){at.x - by * cosf(angle), at.y - by * sinf(angle)};
}

void cg_flaw_scratch(CgFlaw *f, CgPoint at, float angle, float length, float width, CgRng *rng)
{
    const double many = cg_rng_uniform(rng, 0, 1);
    const int strands = many < 0.55 ? 1 : many < 0.85 ? 2 : 3;
    begin(f, CG_FLAW_SCRATCH, at, rng);
    f->depth = 0.6f * width;
    cg_flaw_colour(f, 0.8f, 0.8f, 0.8f);
    const float bend = uniform(rng, -0.35, 0.35);
    for (int i = 0; i < strands; i++) {
        const float part = i ? uniform(rng, 0.35, 0.75) : 1, thin = i ? 0.6f : 1;
        const float off = i ? uniform(rng, 3, 8) * width * (i & 1 ? 1 : -1) : 0;
        const float tilt = i ? uniform(rng, -0.05, 0.05) : 0;
        const CgPoint beside = {at.x - off * sinf(angle), at.y + off * cosf(angle)};
        const CgPoint from = back(beside, angle, 0.5f * length * part);
        const CgPoint middle = wander(f, from, angle + tilt - 0.5f * bend, 0.5f * length * part, 8,
                                      0.04f, 0.5f * bend, 0.25f * thin * width, 4, rng);
        wander(f, middle, angle + tilt, 0.5f * length * part, 8, 0.04f, 0.5f * bend, thin * width,
               0.1f, rng);
    }
}

void cg_flaw_crack(CgFlaw *f, CgPoint at, float angle, float length, float width, CgRng *rng)
{
    begin(f, CG_FLAW_CRACK, at, rng);
    f->depth = 2.5f * width;
    const int pieces = 22;
    CgPoint p = back(at, angle, 0.5f * length);
    float heading = angle;
    for (int i = 0; i < pieces; i++) {
        heading += uniform(rng, -0.55, 0.55);
        heading += 0.35f * (angle - heading);
        const float thin = sinf((float)G_PI * ((float)i + 1) / (float)(pieces + 1));
        const float w = width * (0.35f + 0.65f * thin) * uniform(rng, 0.7, 1.3);
        const CgPoint next = {p.x + cosf(heading) * length / (float)pieces,
                              p.y + sinf(heading) * length / (float)pieces};
        add_segment(f, p, next, w, w);
        p = next;
        if (i > 2 && i < pieces - 3 && cg_rng_uniform(rng, 0, 1) < 0.16) {
            const float side = heading + (cg_rng_int(rng, 0, 1) ? 0.8f : -0.8f);
            wander(f, p, side, length * uniform(rng, 0.1, 0.3), 6, 0.4f, 0, 0.7f * w, 0.2f, rng);
        }
    }
}

void cg_flaw_cut(CgFlaw *f, CgPoint at, float angle, float length, float width, CgRng *rng)
{
    begin(f, CG_FLAW_CUT, at, rng);
    f->depth = 1.5f * width;
    const float bend = uniform(rng, -0.4, 0.4);
    const CgPoint from = back(at, angle, 0.5f * length);
    const CgPoint middle = wander(f, from, angle - 0.5f * bend, 0.5f * length, 6, 0.04f,
                                  0.5f * bend, 0.1f * width, 10, rng);
    wander(f, middle, angle, 0.5f * length, 6, 0.04f, 0.5f * bend, width, 0.1f, rng);
}

void cg_flaw_hair(CgFlaw *f, CgPoint at, float angle, float length, float width, CgRng *rng)
{
    begin(f, CG_FLAW_HAIR, at, rng);
    const float bend = uniform(rng, 0.8, 2.4) * (cg_rng_int(rng, 0, 1) ? 1 : -1);
    const CgPoint from = back(at, angle, 0.4f * length);
    const CgPoint p =
        wander(f, from, angle - 0.5f * bend, 0.5f * length, 12, 0.08f, bend, width, 1, rng);
    wander(f, p, angle + 0.5f * bend, 0.5f * length, 12, 0.08f, -0.8f * bend, width, 0.8f, rng);
}

void cg_flaw_blot(CgFlaw *f, CgFlawKind kind, CgPoint at, float radius, CgRng *rng)
{
    const float angle = uniform(rng, 0, G_PI);
    begin(f, kind, at, rng);
    f->radius = radius;
    f->stretch = uniform(rng, 1, 1.5);
    f->ragged = 0.4f;
    f->depth = 0.4f * radius;
    f->cosine = cosf(angle);
    f->sine = sinf(angle);
    widen(f, at, radius * f->stretch * (1 + MARGIN / 2));
}

void cg_flaw_colour(CgFlaw *f, float red, float green, float blue)
{
    f->colour[0] = red;
    f->colour[1] = green;
    f->colour[2] = blue;
}

/* Signed, and *WIDTH the half width there. */
static float line_distance(const CgFlaw *f, CgPoint p, float *width)
{
    float best = 1e9f;
    for (int i = 0; i < f->count; i++) {
        const CgFlawSegment *s = &f->segments[i];
        const float bx = s->b.x - s->a.x, by = s->b.y - s->a.y;
        const float px = p.x - s->a.x, py = p.y - s->a.y;
        const float t = cg_clamp01((px * bx + py * by) / (bx * bx + by * by + 1e-12f));
        const float w = cg_mix(s->width_a, s->width_b, t);
        const float dx = px - t * bx, dy = py - t * by;
        const float d = sqrtf(dx * dx + dy * dy) - w;
        if (d < best) {
            best = d;
            *width = w;
        }
    }
    return best;
}

static float blot_distance(const CgFlaw *f, CgPoint p, float pixel)
{
    const float x = p.x - f->centre.x, y = p.y - f->centre.y;
    const float u = (f->cosine * x + f->sine * y) / f->stretch, v = -f->sine * x + f->cosine * y;
    const float wave = cg_noise_fbm(x, y, 1.1f / f->radius, 4, pixel, f->seed);
    return sqrtf(u * u + v * v) - f->radius * (1 + f->ragged * wave);
}

static void blend(CgMaterial *m, const float colour[3], float amount)
{
    for (int c = 0; c < 3; c++)
        m->albedo[c] = cg_mix(m->albedo[c], colour[c], amount);
}

static void filter(CgMaterial *m, const float colour[3], float amount)
{
    for (int c = 0; c < 3; c++)
        m->albedo[c] *= cg_mix(1, colour[c], amount);
}

static void dim(CgMaterial *m, float amount)
{
    for (int c = 0; c < 3; c++)
        m->albedo[c] *= 1 - amount;
}

static void apply_scratch(const CgFlaw *f, float d, float width, CgMaterial *m)
{
    if (d > width)
        return;
    if (d > 0) {
        m->height += 0.35f * f->depth * (1 - d / width);
        return;
    }
    const float in = cg_min(-d / width, 1);
    m->height -= f->depth * in;
    m->rough = cg_mix(m->rough, 0.35f, f->strength);
    blend(m, f->colour, f->strength * cg_smoothstep(0, 0.4f, in));
}

static void apply_crack(const CgFlaw *f, float d, float width, CgMaterial *m)
{
    const float edge = cg_smoothstep(width, 0, d);
    dim(m, 0.3f * edge * f->strength);
    m->height -= 0.15f * f->depth * edge;
    if (d > 0)
        return;
    m->height -= f->depth * cg_min(-2 * d / width, 1);
    m->rough = 1;
    m->metal *= 0.3f;
    dim(m, 0.93f * f->strength);
}

static void apply_cut(const CgFlaw *f, float d, float width, CgMaterial *m)
{
    if (d > 0) {
        m->height += 0.6f * f->depth * cg_bump(d, 2.5f * width + 1e-4f);
        return;
    }
    m->height -= f->depth * cg_min(-2 * d / width, 1);
    m->rough = 1;
    m->metal = 0;
    blend(m, f->colour, cg_smoothstep(0, -0.5f * width, d));
}

static void apply_stain(const CgFlaw *f, CgPoint p, float d, float pixel, CgMaterial *m)
{
    const float r = f->radius;
    const float uneven = 0.8f + 0.35f * cg_noise_fbm(p.x, p.y, 2.2f / r, 4, pixel, f->seed + 31);
    const float in = cg_smoothstep(0.12f * r, -0.16f * r, d);
    const float rim = cg_bump(d + 0.07f * r, 0.14f * r);
    filter(m, f->colour, cg_clamp01(f->strength * in * uneven + 0.35f * rim * in));
    m->rough = cg_mix(m->rough, 0.3f, 0.4f * in);
}

static void apply_rust(const CgFlaw *f, CgPoint p, float d, float pixel, CgMaterial *m)
{
    const float r = f->radius, grain = cg_noise_fbm(p.x, p.y, 14, 4, pixel, f->seed + 7);
    const float in = cg_smoothstep(0.25f, -0.25f, d / r + 0.5f * grain) * f->strength;
    const float tone = 1 + 0.55f * cg_noise_fbm(p.x, p.y, 30, 3, pixel, f->seed + 8);
    const float colour[3] = {f->colour[0] * tone, f->colour[1] * tone, f->colour[2] * tone};
    blend(m, colour, in);
    m->metal *= 1 - 0.95f * in;
    m->rough = cg_mix(m->rough, 0.95f, in);
    m->height += in * (0.004f + 0.006f * grain);
}

static void apply_hole(const CgFlaw *f, CgPoint p, float d, float pixel, CgMaterial *m)
{
    const float r = f->radius, wall = cg_smoothstep(0.06f * r, -0.30f * r, d);
    m->height += 0.22f * f->depth * cg_bump(d - 0.05f * r, 0.45f * r);
    m->height -= f->depth * wall;
    if (d > 0)
        return;
    const float floor = 1 + 0.4f * cg_noise_fbm(p.x, p.y, 3 / r, 3, pixel, f->seed + 3);
    const float colour[3] = {f->colour[0] * floor, f->colour[1] * floor, f->colour[2] * floor};
    m->rough = cg_mix(m->rough, 1, wall);
    m->metal *= 1 - wall;
    blend(m, colour, wall * f->strength);
}

static void apply_dent(const CgFlaw *f, float d, CgMaterial *m)
{
    const float t = cg_clamp01(-d / f->radius);
    m->height -= f->depth * t * t * (3 - 2 * t);
    m->height += 0.12f * f->depth * cg_bump(d, 0.3f * f->radius);
}

static void apply_drop(const CgFlaw *f, float d, CgMaterial *m)
{
    if (d > 0)
        return;
    const float t = cg_clamp01(-d / f->radius), dome = sqrtf(t * (2 - t));
    m->height = cg_mix(m->height, f->level, cg_smoothstep(0, 0.35f, t)) + f->depth * dome;
    m->rough = 0.08f;
    m->metal *= 1 - f->strength;
    filter(m, f->colour, cg_smoothstep(0, 0.5f, t));
}

static void apply_grit(const CgFlaw *f, CgPoint p, float d, float pixel, CgMaterial *m)
{
    const float size = 0.30f * f->radius;
    const CgNoiseCell c = cg_noise_cells(p.x / size, p.y / size, 0.8f, f->seed);
    const float inside = cg_smoothstep(0.3f, -0.6f, d / f->radius);
    /* Each cell holds a crumb of its own size, or none towards the rim. */
    const float crumb = 0.62f * inside * (0.5f + 0.5f * (float)(c.id >> 8 & 255) / 255);
    const float e = crumb - c.nearest + 0.12f * cg_noise_fbm(p.x, p.y, 2 / size, 2, pixel, f->seed);
    if (e <= 0 || crumb < 0.12f)
        return;
    const float tone = 0.6f + 0.8f * (float)(c.id >> 16 & 255) / 255;
    const float colour[3] = {f->colour[0] * tone, f->colour[1] * tone, f->colour[2] * tone};
    m->height += size * sqrtf(cg_min(e, 0.5f)) * 0.7f;
    m->rough = 0.9f;
    m->metal = 0;
    blend(m, colour, 1);
}

static void apply_hair(const CgFlaw *f, float d, float width, CgMaterial *m)
{
    if (d > 0)
        return;
    const float t = cg_min(-d / width, 1);
    m->height = cg_max(m->height, f->level) + width * (0.5f + sqrtf(t * (2 - t)));
    m->rough = 0.6f;
    m->metal = 0;
    blend(m, f->colour, 1);
}

void cg_flaw_apply(const CgFlaw *f, CgPoint p, float pixel, CgMaterial *m)
{
    if (f->kind == CG_FLAW_NONE || p.x < f->left || p.x > f->right || p.y < f->top ||
        p.y > f->bottom)
        return;
    float width = 0;
    const float d = f->count ? line_distance(f, p, &width) : blot_distance(f, p, pixel);
    switch (f->kind) {
    case CG_FLAW_NONE:
        break;
    case CG_FLAW_SCRATCH:
        apply_scratch(f, d, width, m);
        break;
    case CG_FLAW_CRACK:
        apply_crack(f, d, width, m);
        break;
    case CG_FLAW_CUT:
        apply_cut(f, d, width, m);
        break;
    case CG_FLAW_STAIN:
        apply_stain(f, p, d, pixel, m);
        break;
    case CG_FLAW_RUST:
        apply_rust(f, p, d, pixel, m);
        break;
    case CG_FLAW_HOLE:
        apply_hole(f, p, d, pixel, m);
        break;
    case CG_FLAW_DENT:
        apply_dent(f, d, m);
        break;
    case CG_FLAW_DROP:
        apply_drop(f, d, m);
        break;
    case CG_FLAW_GRIT:
        apply_grit(f, p, d, pixel, m);
        break;
    case CG_FLAW_HAIR:
        apply_hair(f, d, width, m);
        break;
    }
}
