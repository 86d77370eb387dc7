/* circuit: a printed circuit with a chip, two resistors and eight plated holes. */
#include "synthesis/drawing-private.h"

#define PADS       8
#define LEADS      4 /* on each side of the chip */
#define PAD_RADIUS 0.115f
#define PAD_HOLE   0.055f
#define PAD_Y      0.70f
#define TRACE      0.030f /* half width */
#define CHIP_X     0.34f
#define CHIP_Y     0.20f
#define RESISTOR_X 0.66f
#define FOIL       0.004f /* thickness of copper */
#define PIECES     3      /* of a trace */

typedef struct {
    CgPart part;
    float board[3], copper[3];
    CgPoint trace[PADS][PIECES + 1]; /* from the chip's lead to the pad */
    float chip_turn;
    int open; /* trace + 1 that is broken, 0 for none */
    float open_at, open_gap;
    int bridge; /* trace + 1 that is soldered to its neighbour */
    CgPoint bridge_at[2];
    int lost; /* resistor + 1 */
} Circuit;

static CgPoint pad_at(int i)
{
    return (CgPoint){0.4f * (float)(i % LEADS) - 0.6f, i < LEADS ? -PAD_Y : PAD_Y};
}

static float lead_x(int i)
{
    return 0.16f * (float)(i % LEADS) - 0.24f;
}

static void lay_traces(Circuit *c)
{
    for (int i = 0; i < PADS; i++) {
        const float side = i < LEADS ? -1 : 1, x = lead_x(i);
        const CgPoint pad = pad_at(i);
        const float straight = fabsf(pad.x - x) > 0.2f ? 0.36f : 0.48f;
        c->trace[i][0] = (CgPoint){x, side * (CHIP_Y + 0.05f)};
        c->trace[i][1] = (CgPoint){x, side * (CHIP_Y + 0.5f * (straight - CHIP_Y) + 0.03f)};
        c->trace[i][2] = (CgPoint){pad.x, side * (straight + 0.15f)};
        c->trace[i][3] = pad;
    }
}

static void draw(void *data, CgRng *rng)
{
    Circuit *c = data;
    cg_part_pose(&c->part, rng, 0.05f, 1, 0.02f, 0.03f);
    const float tone = cg_draw_uniform(rng, 0.85, 1.15);
    c->board[0] = 0.016f * tone;
    c->board[1] = 0.105f * tone * cg_draw_uniform(rng, 0.9, 1.1);
    c->board[2] = 0.046f * tone;
    c->copper[0] = 0.80f;
    c->copper[1] = 0.60f;
    c->copper[2] = 0.28f;
    c->chip_turn = cg_draw_uniform(rng, -0.015, 0.015);
    c->part.scene.key_colour[0] *= 1.15f;
    c->part.scene.key_colour[1] *= 1.15f;
    c->part.scene.key_colour[2] *= 1.15f;
    lay_traces(c);
}

/* The distance from the middle line of trace I; *ALONG: 0 at the chip to PIECES at the pad. */
static float trace_distance(const Circuit *c, int i, CgPoint q, float *along)
{
    float best = 9;
    for (int k = 0; k < PIECES; k++) {
        const CgPoint a = c->trace[i][k], b = c->trace[i][k + 1];
        const float d = cg_outline_segment(q, a, b);
        if (d < best) {
            const float x = b.x - a.x, y = b.y - a.y;
            best = d;
            *along = (float)k +
                     cg_clamp01(((q.x - a.x) * x + (q.y - a.y) * y) / (x * x + y * y + 1e-9f));
        }
    }
    return best;
}

static gboolean is_open(const Circuit *c, int i, CgPoint q, float along, float pixel)
{
    const float ragged = 0.06f * cg_noise_fbm(q.x, q.y, 25, 3, pixel, c->part.seed + 5);
    return c->open == i + 1 && fabsf(along - c->open_at + ragged) < c->open_gap;
}

/* Copper below the lacquer, as far as it reaches: a share of 1. */
static float foil(const Circuit *c, CgPoint q, float pixel)
{
    float best = -9;
    const int row = q.y < 0 ? 0 : LEADS;
    for (int i = row; i < row + LEADS; i++) {
        const float left = cg_min(c->trace[i][0].x, c->trace[i][PIECES].x) - 2 * TRACE;
        const float right = cg_max(c->trace[i][0].x, c->trace[i][PIECES].x) + 2 * TRACE;
        if (q.x < left || q.x > right || fabsf(q.y) < CHIP_Y)
            continue;
        float along = 0;
        const float d = trace_distance(c, i, q, &along);
        if (!is_open(c, i, q, along, pixel))
            best = cg_max(best, TRACE - d);
    }
    for (int side = -1; side <= 1; side += 2) {
        const CgPoint a = {RESISTOR_X * (float)side, -0.30f}, b = {RESISTOR_X * (float)side, 0.30f};
        const CgPoint via[2] = {{a.x, -0.42f}, {b.x, 0.42f}};
        best = cg_max(best, TRACE - cg_outline_segment(q, a, via[0]));
        best = cg_max(best, TRACE - cg_outline_segment(q, b, via[1]));
    }
    return cg_smoothstep(-0.006f, 0.006f, best);
}

static void lacquer(const Circuit *c, CgPoint q, float pixel, CgMaterial *m)
{
    const float copper = foil(c, q, pixel);
    /* The glass weave of the board shows through. */
    const float weave = cg_noise_fine(q.x, q.y, 42, 9, pixel, c->part.seed + 1) +
                        cg_noise_fine(q.x, q.y, 9, 42, pixel, c->part.seed + 2);
    const float tone = (1 + 0.06f * weave) * (1 + 0.9f * copper);
    cg_material_set(m, c->board[0] * tone, c->board[1] * tone, c->board[2] * tone, 0.33f, 0);
    m->height = FOIL * copper + 0.00022f * weave;
}

static void metal(const Circuit *c, CgPoint q, float pixel, const float colour[3], float rough,
                  CgMaterial *m)
{
    const float pits = cg_noise_fbm(q.x, q.y, 20, 3, pixel, c->part.seed + 3);
    cg_material_set(m, colour[0], colour[1], colour[2], rough + 0.05f * pits, 1);
    cg_material_tint(m, 1 + 0.06f * pits);
    m->height += 0.0015f * pits;
}

static void pads(const Circuit *c, CgPoint q, float pixel, CgMaterial *m)
{
    for (int i = 0; i < PADS; i++) {
        const CgPoint pad = pad_at(i);
        const float r = cg_length(q.x - pad.x, q.y - pad.y);
        if (r > PAD_RADIUS)
            continue;
        if (r < PAD_HOLE) {
            cg_material_set(m, 0.012f, 0.012f, 0.012f, 1, 0);
            m->height = -0.12f * cg_smoothstep(PAD_HOLE, PAD_HOLE - 0.012f, r);
            return;
        }
        m->height = FOIL + 0.012f * cg_bump(r - 0.5f * (PAD_RADIUS + PAD_HOLE), 0.034f);
        metal(c, q, pixel, c->copper, 0.34f, m);
        return;
    }
}

/* White print: the outlines of the parts, and a mark for lead 1. */
static void print(const Circuit *c, CgPoint q, float pixel, CgMaterial *m)
{
    float d = 9;
    for (int side = -1; side <= 1; side += 2) {
        const CgPoint r = {q.x - RESISTOR_X * (float)side, q.y};
        d = cg_min(d, fabsf(cg_outline_box(r, 0.125f, 0.265f, 0.02f)));
    }
    d = cg_min(d, cg_length(q.x + 0.42f, q.y + 0.26f) - 0.02f);
    d = cg_min(d, fabsf(cg_outline_box((CgPoint){q.x, q.y}, CHIP_X + 0.06f, 0.12f, 0)));
    const float worn = 0.002f * cg_noise_fbm(q.x, q.y, 30, 2, pixel, c->part.seed + 4);
    const float ink = cg_smoothstep(0.004f, -0.003f, d - 0.008f + worn);
    for (int i = 0; i < 3; i++)
        m->albedo[i] = cg_mix(m->albedo[i], 0.62f, 0.9f * ink);
    m->rough = cg_mix(m->rough, 0.8f, ink);
}

static const float solder[3] = {0.66f, 0.67f, 0.69f};

/* A resistor standing upright at X: tinned ends on solder, a dark body. */
static void resistor(const Circuit *c, CgPoint q, float x, gboolean lost, float pixel,
                     CgMaterial *m)
{
    const CgPoint r = {q.x - x, q.y};
    const float ends = cg_outline_box((CgPoint){r.x, fabsf(r.y) - 0.19f}, 0.10f, 0.07f, 0.03f);
    if (ends < 0) {
        m->height = FOIL + (lost ? 0.014f : 0.04f) * cg_smoothstep(0, -0.05f, ends);
        metal(c, q, pixel, solder, 0.30f, m);
    }
    const float body = cg_outline_box(r, 0.085f, 0.19f, 0.012f);
    if (lost || body > 0)
        return;
    m->height = 0.085f - 0.02f * cg_smoothstep(-0.02f, 0, body);
    if (fabsf(r.y) > 0.135f) {
        metal(c, q, pixel, solder, 0.32f, m);
        return;
    }
    const float grain = cg_noise_fbm(q.x, q.y, 30, 3, pixel, c->part.seed + 6);
    cg_material_set(m, 0.022f, 0.021f, 0.023f, 0.35f + 0.1f * grain, 0);
    m->height += 0.004f + 0.001f * grain;
    /* The value printed on it: three strokes. */
    const float stroke = cg_outline_box((CgPoint){r.x, fabsf(fabsf(r.y - 0.0f) - 0.045f) - 0.022f},
                                        0.035f, 0.006f, 0);
    for (int i = 0; i < 3; i++)
        m->albedo[i] = cg_mix(m->albedo[i], 0.55f, 0.9f * cg_smoothstep(0.004f, -0.004f, stroke));
}

static void chip(const Circuit *c, CgPoint q, float pixel, CgMaterial *m)
{
    const CgPoint t = {q.x + c->chip_turn * q.y, q.y - c->chip_turn * q.x};
    for (int i = 0; i < LEADS; i++) {
        const float d =
            cg_outline_box((CgPoint){t.x - lead_x(i), fabsf(t.y) - 0.21f}, 0.035f, 0.075f, 0.012f);
        if (d > 0)
            continue;
        const float out = cg_clamp01((fabsf(t.y) - 0.15f) / 0.13f);
        m->height =
            0.075f - 0.05f * cg_smoothstep(0.1f, 0.6f, out) - 0.02f * cg_smoothstep(-0.02f, 0, d);
        metal(c, q, pixel, solder, 0.28f, m);
    }
    const float body = cg_outline_box(t, CHIP_X, 0.155f, 0.012f);
    if (body > 0)
        return;
    const float grain = cg_noise_fbm(q.x, q.y, 40, 3, pixel, c->part.seed + 7);
    cg_material_set(m, 0.030f, 0.030f, 0.032f, 0.55f, 0);
    m->height = 0.12f - 0.04f * cg_smoothstep(-0.05f, 0, body) + 0.0008f * grain;
    const float dot = cg_length(t.x + 0.25f, t.y + 0.075f);
    m->height -= 0.012f * cg_smoothstep(0.035f, 0.02f, dot);
    /* Two lines of type, grey as a laser writes it. */
    const float line = fabsf(t.y - 0.01f) - 0.035f, cell = t.x * 22;
    const float letter = cg_noise_unit((int)floorf(cell), t.y > 0.01f, 77);
    const float in = cell - floorf(cell);
    if (fabsf(line) < 0.020f && fabsf(t.x - 0.03f) < 0.2f && letter > 0.2f && in < 0.68f &&
        (in < 0.2f || in > 0.48f || fabsf(line) > 0.007f + 0.01f * letter))
        cg_material_set(m, 0.16f, 0.16f, 0.155f, 0.7f, 0);
}

static void bridge(const Circuit *c, CgPoint q, float pixel, CgMaterial *m)
{
    if (!c->bridge)
        return;
    const float wave = 0.3f * cg_noise_fbm(q.x, q.y, 9, 3, pixel, c->part.seed + 8);
    const float d = cg_outline_segment(q, c->bridge_at[0], c->bridge_at[1]) - 0.05f * (1 + wave);
    if (d > 0)
        return;
    const float t = cg_clamp01(-d / 0.05f);
    m->height = cg_max(m->height, 0.01f + 0.05f * sqrtf(t * (2 - t)));
    metal(c, q, pixel, solder, 0.16f, m);
}

static void surface(const void *data, CgPoint p, float pixel, CgMaterial *m)
{
    const Circuit *c = data;
    const CgPoint q = cg_pose_inverse(&c->part.pose, p);
    lacquer(c, q, pixel, m);
    print(c, q, pixel, m);
    pads(c, q, pixel, m);
    const gboolean bare = m->metal < 0.5f && m->height > -0.01f;
    resistor(c, q, -RESISTOR_X, c->lost == 1, pixel, m);
    resistor(c, q, RESISTOR_X, c->lost == 2, pixel, m);
    chip(c, q, pixel, m);
    bridge(c, q, pixel, m);
    m->object = bare && m->height < 0.03f && m->metal < 0.5f;
    cg_flaw_apply(&c->part.flaw, p, pixel, m);
}

static void open_trace(void *data, CgRng *rng)
{
    Circuit *c = data;
    c->open = cg_rng_int(rng, 1, PADS);
    c->open_at = cg_draw_uniform(rng, 1.1, 1.9);
    c->open_gap = cg_draw_uniform(rng, 0.16, 0.28);
}

static void solder_bridge(void *data, CgRng *rng)
{
    Circuit *c = data;
    const int row = cg_rng_int(rng, 0, 1) * LEADS, i = row + cg_rng_int(rng, 0, LEADS - 2);
    const gboolean at_leads = cg_rng_int(rng, 0, 1);
    c->bridge = i + 1;
    for (int k = 0; k < 2; k++)
        c->bridge_at[k] = at_leads
                              ? c->trace[i + k][0]
                              : (CgPoint){0.5f * (c->trace[i + k][1].x + c->trace[i + k][2].x),
                                          0.5f * (c->trace[i + k][1].y + c->trace[i + k][2].y)};
}

static void missing_resistor(void *data, CgRng *rng)
{
    Circuit *c = data;
    c->lost = cg_rng_int(rng, 1, 2);
}

/* Through the lacquer, down to the copper. */
static void scratch(void *data, CgRng *rng)
{
    Circuit *c = data;
    const CgPoint at = cg_part_place(&c->part, rng, 0);
    cg_flaw_scratch(&c->part.flaw, at, cg_draw_uniform(rng, 0, G_PI),
                    cg_draw_uniform(rng, 0.5, 0.9),
                    cg_part_line(&c->part, cg_draw_uniform(rng, 0.009, 0.013)), rng);
    c->part.flaw.depth *= 0.6f;
    cg_flaw_colour(&c->part.flaw, 0.56f, 0.54f, 0.40f);
}

const CgDrawing cg_drawing_circuit = {
    .category = "circuit",
    .part_size = sizeof(Circuit),
    .draw = draw,
    .surface = surface,
    .defects = {{"open_trace", open_trace},
                {"solder_bridge", solder_bridge},
                {"missing_resistor", missing_resistor},
                {"scratch", scratch}},
};
