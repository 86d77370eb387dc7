#include "support/pseudo.h"

#include <math.h>

uint64_t cg_pseudo_seed(const char *name)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    for (const unsigned char *p = (const unsigned char *)name; *p; p++)
        hash = (hash ^ *p) * UINT64_C(0x100000001b3);
    return hash;
}

double cg_pseudo_unit(uint64_t seed, uint64_t i)
{
    uint64_t z = seed + (i + 1) * UINT64_C(0x9E3779B97F4A7C15);

    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    z = z ^ (z >> 31);
    return (double)(z >> 40) / 8388608.0 - 1.0;
}

void cg_pseudo_fill(const char *name, double scale, double bias, float *out, size_t count)
{
    const uint64_t seed = cg_pseudo_seed(name);

    for (size_t i = 0; i < count; i++)
        out[i] = (float)(bias + scale * cg_pseudo_unit(seed, i));
}

void cg_pseudo_parameter(const char *name, const CgShape *shape, float *out)
{
    const size_t count = cg_shape_count(shape);

    if (shape->rank >= 2) {
        double fan_in = 1;
        for (int i = 1; i < shape->rank; i++)
            fan_in *= (double)shape->d[i];
        const double root = sqrt(fan_in);
        const uint64_t seed = cg_pseudo_seed(name);
        /* A division as in the reference: multiplying by 1 / root rounds differently. */
        for (size_t i = 0; i < count; i++)
            out[i] = (float)(cg_pseudo_unit(seed, i) / root);
    } else if (g_str_has_suffix(name, ".weight")) {
        cg_pseudo_fill(name, 0.1, 1.0, out, count);
    } else {
        cg_pseudo_fill(name, 0.1, 0.0, out, count);
    }
}
