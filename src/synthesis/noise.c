#include "synthesis/noise.h"

#include <math.h>

/* floor() of what fits in 32 bits; the library's is a call on the baseline processor. */
static inline int32_t floor_int(float v)
{
    const int32_t i = (int32_t)v;
    return i - (v < (float)i);
}

static inline float fade(float t)
{
    return t * t * t * (t * (t * 6 - 15) + 10);
}

static inline float mix(float a, float b, float t)
{
    return a + (b - a) * t;
}

/* The slope at a lattice point, both parts in [-1, 1), times the way (X, Y) from it. */
static inline float slope(int32_t ix, int32_t iy, float x, float y, uint32_t seed)
{
    const uint32_t h = cg_noise_hash(ix, iy, seed);
    const float gx = (float)(int16_t)(h & 0xffff), gy = (float)(int16_t)(h >> 16);
    return (gx * x + gy * y) * (1 / 32768.0f);
}

float cg_noise(float x, float y, uint32_t seed)
{
    const int32_t ix = floor_int(x), iy = floor_int(y);
    const float u = x - (float)ix, v = y - (float)iy, fu = fade(u);
    const float top = mix(slope(ix, iy, u, v, seed), slope(ix + 1, iy, u - 1, v, seed), fu);
    const float bottom =
        mix(slope(ix, iy + 1, u, v - 1, seed), slope(ix + 1, iy + 1, u - 1, v - 1, seed), fu);
    return 1.6f * mix(top, bottom, fade(v));
}

/* How much of a wave of FREQUENCY survives sampling at PIXEL: all below a quarter of the sampling
 * rate, nothing from its half on. */
static inline float survives(float frequency, float pixel)
{
    const float t = 2 - 4 * frequency * pixel;
    return t >= 1 ? 1 : t <= 0 ? 0 : t;
}

float cg_noise_fbm(float x, float y, float frequency, int octaves, float pixel, uint32_t seed)
{
    float sum = 0, amplitude = 1;
    for (int i = 0; i < octaves; i++) {
        const float kept = survives(frequency, pixel);
        if (kept <= 0)
            break;
        sum += amplitude * kept * cg_noise(x * frequency, y * frequency, seed + (uint32_t)i);
        amplitude *= 0.5f;
        frequency *= 2;
    }
    return sum;
}

float cg_noise_fine(float x, float y, float frequency_x, float frequency_y, float pixel,
                    uint32_t seed)
{
    const float kept = survives(frequency_x > frequency_y ? frequency_x : frequency_y, pixel);
    return kept > 0 ? kept * cg_noise(x * frequency_x, y * frequency_y, seed) : 0;
}

CgNoiseCell cg_noise_cells(float x, float y, float jitter, uint32_t seed)
{
    const int32_t ix = floor_int(x), iy = floor_int(y);
    CgNoiseCell c = {.nearest = 1e9f, .second = 1e9f};
    for (int32_t cy = iy - 1; cy <= iy + 1; cy++) {
        for (int32_t cx = ix - 1; cx <= ix + 1; cx++) {
            const uint32_t h = cg_noise_hash(cx, cy, seed);
            const float jx = (float)(h & 0xffff) * 0x1p-16f, jy = (float)(h >> 16) * 0x1p-16f;
            const float dx = x - ((float)cx + 0.5f + jitter * (jx - 0.5f));
            const float dy = y - ((float)cy + 0.5f + jitter * (jy - 0.5f));
            const float d = dx * dx + dy * dy;
            if (d < c.nearest) {
                c.second = c.nearest;
                c.nearest = d;
                c.x = dx;
                c.y = dy;
                c.id = h;
            } else if (d < c.second) {
                c.second = d;
            }
        }
    }
    c.nearest = sqrtf(c.nearest);
    c.second = sqrtf(c.second);
    return c;
}
