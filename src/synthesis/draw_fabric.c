/* fabric: linen in plain weave, every thread a little different. */
#include "synthesis/drawing-private.h"

#define PITCH 0.066f /* of the threads */
#define TUBE  0.45f  /* a thread's half width, of the pitch */
#define LIFT  0.009f /* how far threads rise and dive */

typedef struct {
    CgPart part;
    float warp[3], weft[3];
    float pitch;
    float slack; /* how far threads wander sideways, of the pitch */
    int pulled;  /* weft thread that was pulled; far away for none */
    float pulled_at, pulled_length;
    CgPoint torn;      /* middle of a hole */
    float torn_radius; /* 0: none */
} Fabric;

static void draw(void *data, CgRng *rng)
{
    Fabric *f = data;
    cg_part_pose(&f->part, rng, 0.10f, 1, 0.06f, 0.04f);
    const float tone = cg_draw_uniform(rng, 0.88, 1.12), cool = cg_draw_uniform(rng, 0.94, 1.06);
    const float warp[3] = {0.20f, 0.215f, 0.235f}, weft[3] = {0.33f, 0.32f, 0.295f};
    for (int c = 0; c < 3; c++) {
        f->warp[c] = warp[c] * tone * (c == 2 ? cool : 1);
        f->weft[c] = weft[c] * tone * (c == 0 ? cool : 1);
    }
    f->pitch = PITCH * cg_draw_uniform(rng, 0.95, 1.05);
    f->slack = cg_draw_uniform(rng, 0.14, 0.24);
    f->pulled = G_MININT;
    f->part.scene.occlusion = 30;
}

/* One set of threads. ACROSS counts the threads, ALONG runs along them, both in pitches. */
typedef struct {
    float height, tone, off; /* off: from the thread's middle, of its half width */
    int thread;
} Thread;

static Thread thread_at(const Fabric *f, float across, float along, gboolean weft, float pixel)
{
    const uint32_t seed = f->part.seed + (weft ? 50 : 20);
    Thread t;
    across += f->slack * cg_noise(across * 0.35f, along * 0.16f, seed);
    t.thread = (int)floorf(across);
    const float in = across - (float)t.thread - 0.5f;
    const float thick = 1 + 0.45f * cg_noise((float)t.thread * 5.71f, along * 0.10f, seed + 1);
    t.off = in / (TUBE * thick);
    /* Yarn is twisted: slanting strands, and hairs. */
    const float twist = sinf(2 * (float)G_PI * (along * 0.9f + t.off * 0.55f));
    const float fray = cg_noise_fine(across, along, 5, 1.6f, pixel / f->pitch, seed + 2);
    const float slub = cg_noise((float)t.thread * 3.37f, along * 0.05f, seed + 3);
    const float round = 1 - t.off * t.off;
    t.height = round > 0 ? sqrtf(round) * thick : -1;
    t.height += 0.12f * twist + 0.30f * fray;
    t.tone = 1 + 0.10f * twist + 0.26f * fray + 0.45f * slub;
    return t;
}

/* How far the pulled thread stands out: 0 nowhere to 1. */
static float pull(const Fabric *f, int thread, float along)
{
    if (thread != f->pulled)
        return 0;
    return cg_smoothstep(f->pulled_length, 0.6f * f->pulled_length, fabsf(along - f->pulled_at));
}

static void surface(const void *data, CgPoint p, float pixel, CgMaterial *m)
{
    const Fabric *f = data;
    CgPoint q = cg_pose_inverse(&f->part.pose, p);
    float edge = 9;
    if (f->torn_radius > 0) {
        /* Threads around a hole are pushed aside. */
        const float x = p.x - f->torn.x, y = p.y - f->torn.y, r = cg_length(x, y) + 1e-4f;
        const float wave = 0.35f * cg_noise_fbm(x, y, 5, 3, pixel, f->part.seed + 9);
        edge = r - f->torn_radius * (1 + wave);
        const float push = 0.25f * f->torn_radius * cg_bump(r, 1.7f * f->torn_radius);
        q.x -= push * x / r;
        q.y -= push * y / r;
    }
    const float u = q.x / f->pitch, v = q.y / f->pitch;
    const Thread warp = thread_at(f, u, v, FALSE, pixel), weft = thread_at(f, v, u, TRUE, pixel);
    const float pulled = pull(f, weft.thread, u);
    /* Over and under: each thread rides on every other of the other set. */
    const float sign = (warp.thread + weft.thread) & 1 ? 1 : -1;
    const float ride = sign * cosf((float)G_PI * cg_clamp01(fabsf(warp.off) * TUBE * 2) * 0.5f) *
                       cosf((float)G_PI * cg_clamp01(fabsf(weft.off) * TUBE * 2) * 0.5f);
    const float warp_height = warp.height * 0.55f + 0.6f * ride;
    const float weft_height =
        weft.height * (0.55f + 0.4f * pulled) + cg_mix(-0.6f * ride, 1.5f, pulled);
    const gboolean top = warp_height > weft_height;
    const Thread *thread = top ? &warp : &weft;
    const float *colour = top ? f->warp : f->weft;
    /* Frayed ends reach into a hole, one thread farther than the next. */
    const float reach =
        0.75f * f->torn_radius * cg_noise_unit(thread->thread, top ? 3 : 4, f->part.seed + 10);
    const gboolean gone = edge < -reach;
    const float bright = 1 + (top ? 0 : 0.55f * pulled);
    m->height = LIFT * cg_max(top ? warp_height : weft_height, -1.2f);
    cg_material_set(m, colour[0], colour[1], colour[2], 0.95f, 0);
    cg_material_tint(m, bright * thread->tone *
                            cg_mix(0.55f, 1, cg_smoothstep(-0.8f, 0.5f, m->height / LIFT)));
    if (thread->height < -0.5f || gone) {
        const float dark = gone ? 0.012f : 0.05f;
        cg_material_set(m, dark, dark, 1.05f * dark, 1, 0);
        m->height = gone ? -0.06f : -1.4f * LIFT;
    }
    m->object = 1;
    cg_flaw_apply(&f->part.flaw, p, pixel, m);
}

static void hole(void *data, CgRng *rng)
{
    Fabric *f = data;
    f->torn = cg_part_place(&f->part, rng, 0);
    f->torn_radius = cg_draw_uniform(rng, 0.09, 0.16);
}

static void pulled_thread(void *data, CgRng *rng)
{
    Fabric *f = data;
    const CgPoint q = cg_pose_inverse(&f->part.pose, cg_part_place(&f->part, rng, 0));
    f->pulled = (int)floorf(q.y / f->pitch);
    f->pulled_at = q.x / f->pitch;
    f->pulled_length = cg_draw_uniform(rng, 6, 12);
}

static void stain(void *data, CgRng *rng)
{
    Fabric *f = data;
    const CgPoint at = cg_part_place(&f->part, rng, 0);
    cg_flaw_blot(&f->part.flaw, CG_FLAW_STAIN, at, cg_draw_uniform(rng, 0.15, 0.30), rng);
    f->part.flaw.strength = cg_draw_uniform(rng, 0.7, 0.95);
    cg_flaw_colour(&f->part.flaw, 0.75f, 0.33f, 0.16f);
}

static void cut(void *data, CgRng *rng)
{
    Fabric *f = data;
    const CgPoint at = cg_part_place(&f->part, rng, 0);
    cg_flaw_cut(&f->part.flaw, at, cg_draw_uniform(rng, 0, G_PI), cg_draw_uniform(rng, 0.45, 0.8),
                cg_part_line(&f->part, cg_draw_uniform(rng, 0.022, 0.036)), rng);
    cg_flaw_colour(&f->part.flaw, 0.012f, 0.012f, 0.013f);
}

const CgDrawing cg_drawing_fabric = {
    .category = "fabric",
    .texture = TRUE,
    .part_size = sizeof(Fabric),
    .draw = draw,
    .surface = surface,
    .defects = {{"hole", hole}, {"pulled_thread", pulled_thread}, {"stain", stain}, {"cut", cut}},
};
