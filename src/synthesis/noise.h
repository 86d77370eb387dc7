/* noise: random fields of the plane, as functions of a point.
 *
 * All depend on the point and a seed alone and cost no memory. Points are in half picture widths;
 * FREQUENCY is in lattice cells per unit.
 */
#ifndef CG_SYNTHESIS_NOISE_H
#define CG_SYNTHESIS_NOISE_H

#include <stdint.h>

/* 32 well mixed bits for a lattice point. */
static inline uint32_t cg_noise_hash(int32_t x, int32_t y, uint32_t seed)
{
    uint32_t h = (uint32_t)x * 0x9e3779b1u ^ ((uint32_t)y * 0x85ebca77u + seed);
    h ^= h >> 16;
    h *= 0x7feb352du;
    h ^= h >> 15;
    h *= 0x846ca68bu;
    return h ^ (h >> 16);
}

/* In [0, 1). */
static inline float cg_noise_unit(int32_t x, int32_t y, uint32_t seed)
{
    return (float)(cg_noise_hash(x, y, seed) >> 8) * 0x1p-24f;
}

/* Gradient noise on the unit lattice, about [-1, 1], mean 0. */
float cg_noise(float x, float y, uint32_t seed);

/* OCTAVES of gradient noise, each of twice the frequency and half the amplitude. What is finer than
 * PIXEL (the distance of two samples) fades out, so that small pictures do not alias. */
float cg_noise_fbm(float x, float y, float frequency, int octaves, float pixel, uint32_t seed);

/* The same for one octave. */
float cg_noise_fine(float x, float y, float frequency_x, float frequency_y, float pixel,
                    uint32_t seed);

/* Cells around scattered points (Worley). */
typedef struct {
    float nearest, second; /* distances, in cells */
    float x, y;            /* from the nearest point, in cells */
    uint32_t id;           /* of the cell */
} CgNoiseCell;
/* JITTER: 0 for a square lattice, 1 for points anywhere in their cell. */
CgNoiseCell cg_noise_cells(float x, float y, float jitter, uint32_t seed);

#endif
