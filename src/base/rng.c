#include "base/rng.h"

#include <glib.h>
#include <math.h>

#define PARALLEL_MIN 65536 /* fewer values than this are not worth waking threads for */

void cg_philox4x32(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4])
{
    uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3];
    uint32_t k0 = key[0], k1 = key[1];

    for (int round = 0; round < 10; round++) {
        uint64_t p0 = (uint64_t)0xD2511F53u * c0;
        uint64_t p1 = (uint64_t)0xCD9E8D57u * c2;
        c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
        c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c1 = (uint32_t)p1;
        c3 = (uint32_t)p0;
        k0 += 0x9E3779B9u; /* golden ratio */
        k1 += 0xBB67AE85u; /* sqrt(3) - 1 */
    }
    out[0] = c0;
    out[1] = c1;
    out[2] = c2;
    out[3] = c3;
}

uint64_t cg_rng_named_seed(uint64_t seed, const char *name)
{
    uint64_t named = 0xcbf29ce484222325;
    for (const char *p = name; *p; p++)
        named = (named ^ (uint8_t)*p) * 0x100000001b3;
    return named ^ (seed * 0x9e3779b97f4a7c15);
}

/* Block number BLOCK of a stream: the seed is the key, block and stream are the counter. */
static void stream_block(uint64_t seed, uint64_t stream, uint64_t block, uint32_t out[4])
{
    const uint32_t counter[4] = {(uint32_t)block, (uint32_t)(block >> 32), (uint32_t)stream,
                                 (uint32_t)(stream >> 32)};
    const uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    cg_philox4x32(counter, key, out);
}

static uint64_t join(uint32_t low, uint32_t high)
{
    return (uint64_t)high << 32 | low;
}

/* Box-Muller: two independent normals from one block. */
static void block_normals(const uint32_t b[4], double out[2])
{
    /* 53 bits each; u1 in (0, 1], so that its logarithm is finite. */
    double u1 = (double)((join(b[0], b[1]) >> 11) + 1) * 0x1p-53;
    double u2 = (double)(join(b[2], b[3]) >> 11) * 0x1p-53;
    double radius = sqrt(-2.0 * log(u1));
    out[0] = radius * cos(2.0 * G_PI * u2);
    out[1] = radius * sin(2.0 * G_PI * u2);
}

/* Index i is half i % 2 of block i / 2, whatever range is asked for. */
void cg_rng_normals(uint64_t seed, uint64_t stream, uint64_t first, float *out, size_t count)
{
    if (count == 0)
        return;
    uint64_t first_block = first / 2;
    uint64_t blocks = (first + count - 1) / 2 - first_block + 1;

#pragma omp parallel for schedule(static) if (count >= PARALLEL_MIN)
    for (uint64_t b = 0; b < blocks; b++) {
        uint32_t bits[4];
        double pair[2];
        stream_block(seed, stream, first_block + b, bits);
        block_normals(bits, pair);
        for (unsigned half = 0; half < 2; half++) {
            uint64_t at = (first_block + b) * 2 + half - first; /* wraps when before FIRST */
            if (at < count)
                out[at] = (float)pair[half];
        }
    }
}

/* Index i is word i % 4 of block i / 4; 24 bits, so that no value rounds up to 1. */
void cg_rng_uniforms(uint64_t seed, uint64_t stream, uint64_t first, float *out, size_t count)
{
    if (count == 0)
        return;
    uint64_t first_block = first / 4;
    uint64_t blocks = (first + count - 1) / 4 - first_block + 1;

#pragma omp parallel for schedule(static) if (count >= PARALLEL_MIN)
    for (uint64_t b = 0; b < blocks; b++) {
        uint32_t bits[4];
        stream_block(seed, stream, first_block + b, bits);
        for (unsigned word = 0; word < 4; word++) {
            uint64_t at = (first_block + b) * 4 + word - first; /* wraps when before FIRST */
            if (at < count)
                out[at] = (float)(bits[word] >> 8) * 0x1p-24f;
        }
    }
}

uint64_t cg_rng_next(CgRng *rng)
{
    uint32_t bits[4];
    stream_block(rng->seed, rng->stream, rng->next++, bits);
    return join(bits[0], bits[1]);
}

double cg_rng_uniform(CgRng *rng, double low, double high)
{
    double u = (double)(cg_rng_next(rng) >> 11) * 0x1p-53;
    double value = low + u * (high - low);
    /* The sum can round up to HIGH, which is excluded. */
    return value < high || high <= low ? value : nextafter(high, low);
}

int cg_rng_int(CgRng *rng, int low, int high)
{
    g_return_val_if_fail(low <= high, low);
    uint64_t range = (uint64_t)((int64_t)high - low) + 1; /* 1..2^32 */
    /* Draws above the largest multiple of RANGE would favour the small values. */
    uint64_t excess = (UINT64_MAX % range + 1) % range;
    uint64_t draw;
    do
        draw = cg_rng_next(rng);
    while (draw > UINT64_MAX - excess);
    return (int)((int64_t)low + (int64_t)(draw % range));
}

double cg_rng_normal(CgRng *rng)
{
    uint32_t bits[4];
    double pair[2];
    stream_block(rng->seed, rng->stream, rng->next++, bits);
    block_normals(bits, pair);
    return pair[0];
}
