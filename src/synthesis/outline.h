/* outline: signed distances and smooth steps, the vocabulary of drawn shapes.
 *
 * A signed distance is negative inside. Points and lengths are in half picture widths: a picture
 * spans -1 to 1, y down.
 */
#ifndef CG_SYNTHESIS_OUTLINE_H
#define CG_SYNTHESIS_OUTLINE_H

#include <glib.h>
#include <math.h>

typedef struct {
    float x, y;
} CgPoint;

/* fmaxf and fminf are calls, for the sake of NaN. */
static inline float cg_max(float a, float b)
{
    return a > b ? a : b;
}
static inline float cg_min(float a, float b)
{
    return a < b ? a : b;
}
static inline float cg_length(float x, float y)
{
    return sqrtf(x * x + y * y);
}
static inline float cg_mix(float a, float b, float t)
{
    return a + (b - a) * t;
}
static inline float cg_clamp01(float t)
{
    return t < 0 ? 0 : t > 1 ? 1 : t;
}
/* 0 up to LOW, 1 from HIGH on; LOW may be the larger one, then it falls. */
static inline float cg_smoothstep(float low, float high, float v)
{
    const float t = cg_clamp01((v - low) / (high - low));
    return t * t * (3 - 2 * t);
}
/* 1 at 0, 0 from WIDTH on, both sides. */
static inline float cg_bump(float v, float width)
{
    const float t = 1 - v * v / (width * width);
    return t > 0 ? t * t : 0;
}
/* The smaller of two, the corner rounded over K. */
static inline float cg_smooth_min(float a, float b, float k)
{
    const float h = cg_clamp01(0.5f + 0.5f * (b - a) / k);
    return cg_mix(b, a, h) - k * h * (1 - h);
}

/* Pose of a part: turned, scaled, moved. */
typedef struct {
    float x, y, cosine, sine, scale;
} CgPose;
static inline CgPoint cg_pose_inverse(const CgPose *pose, CgPoint p)
{
    const float x = (p.x - pose->x) / pose->scale, y = (p.y - pose->y) / pose->scale;
    return (CgPoint){pose->cosine * x + pose->sine * y, -pose->sine * x + pose->cosine * y};
}
static inline CgPoint cg_pose_apply(const CgPose *pose, CgPoint q)
{
    return (CgPoint){pose->x + pose->scale * (pose->cosine * q.x - pose->sine * q.y),
                     pose->y + pose->scale * (pose->sine * q.x + pose->cosine * q.y)};
}

static inline float cg_outline_segment(CgPoint p, CgPoint a, CgPoint b)
{
    const float px = p.x - a.x, py = p.y - a.y, bx = b.x - a.x, by = b.y - a.y;
    const float h = cg_clamp01((px * bx + py * by) / (bx * bx + by * by + 1e-12f));
    return cg_length(px - bx * h, py - by * h);
}
static inline float cg_outline_box(CgPoint p, float half_width, float half_height, float round)
{
    const float x = fabsf(p.x) - half_width + round, y = fabsf(p.y) - half_height + round;
    return cg_length(cg_max(x, 0), cg_max(y, 0)) + cg_min(cg_max(x, y), 0) - round;
}
/* INNER: the radius of the circle in it. */
static inline float cg_outline_hexagon(CgPoint p, float inner)
{
    const float x = fabsf(p.x), y = fabsf(p.y);
    return cg_max(x * 0.8660254f + y * 0.5f, y) - inner;
}

#endif
