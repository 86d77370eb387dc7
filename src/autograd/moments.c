#include "autograd/moments.h"

#include <math.h>
#include <string.h>

#define DECADES   7
#define FIRST_BIN 0x3400 /* the upper half of 2^-23 as f32 */

static guint32 upper_half(float x)
{
    guint32 bits;
    memcpy(&bits, &x, sizeof bits);
    return bits >> 16;
}

/* Decade i, 10^(i - 7) .. 10^(i - 6), is cut into 2^i pieces, of the unsigned table 2^(i + 1), and
 * has their middles as values. */
void cg_moment_table_init(CgMomentTable *t, gboolean is_signed)
{
    memset(t, 0, sizeof *t);
    t->zero = is_signed ? 127 : 0;
    int place = t->zero;
    for (int i = 0; i < DECADES; i++) {
        const int pieces = is_signed ? 1 << i : 2 << i;
        for (int k = 0; k < pieces; k++) {
            const double value = pow(10, i - 6) * (0.1 + 0.9 * (k + 0.5) / pieces);
            t->values[++place] = (float)value;
            if (is_signed)
                t->values[2 * t->zero - place] = -(float)value;
        }
    }
    t->values[++place] = 1;
    t->top = place - t->zero;
    for (int i = 0; i < t->top; i++)
        t->middles[i] =
            (float)(0.5 * ((double)t->values[t->zero + i] + (double)t->values[t->zero + i + 1]));
    t->middles[t->top] = INFINITY;
    int below = 0;
    for (guint32 bin = 0; bin < CG_MOMENTS_BINS; bin++) {
        while (upper_half(t->middles[below]) < FIRST_BIN + bin)
            below++;
        t->first[bin] = (guint8)below;
    }
}

/* Of a block of numbers, each a word of bits: the largest magnitude, and of each number, divided by
 * it, magnitude and bin. Loops of their own, so that they are vectorised. */
static float divide(const float *x, size_t count, float *r, guint32 *bins)
{
    guint32 bits[CG_MOMENTS_BLOCK], largest = 0;
    memcpy(bits, x, count * sizeof *x);
#pragma omp simd reduction(max : largest)
    for (size_t i = 0; i < count; i++)
        largest = MAX(largest, bits[i] & 0x7fffffff);
    float most;
    memcpy(&most, &largest, sizeof most);
    const float divisor = most > 0 ? most : 1;
#pragma omp simd
    for (size_t i = 0; i < count; i++) {
        const float quotient = fabsf(x[i]) / divisor;
        r[i] = quotient <= 1 ? quotient : 1; /* what is not finite has a place too */
    }
    memcpy(bits, r, count * sizeof *r);
#pragma omp simd
    for (size_t i = 0; i < count; i++)
        bins[i] = MAX(bits[i] >> 16, FIRST_BIN) - FIRST_BIN;
    return most;
}

void cg_moments_encode(const CgMomentTable *t, const float *x, size_t count, guint8 *codes,
                       float *scale)
{
    float r[CG_MOMENTS_BLOCK];
    guint32 bins[CG_MOMENTS_BLOCK];
    *scale = divide(x, count, r, bins);
    /* How many places from zero the nearest value is. A bin has one middle at most. */
    for (size_t i = 0; i < count; i++) {
        const int below = t->first[bins[i]];
        bins[i] = (guint32)(below + (r[i] > t->middles[below]));
    }
    /* Without branches: signs are as good as random. There is no -1. */
    const int zero = t->zero;
    if (zero > 0)
#pragma omp simd
        for (size_t i = 0; i < count; i++) {
            const int n = (int)bins[i], back = MIN(n, zero), negative = x[i] < 0;
            codes[i] = (guint8)(zero + (negative ? -back : n));
        }
    else
#pragma omp simd
        for (size_t i = 0; i < count; i++)
            codes[i] = (guint8)(bins[i] + (guint32)((bins[i] == 0) & (x[i] > 0)));
}

void cg_moments_decode(const CgMomentTable *t, const guint8 *codes, float scale, size_t count,
                       float *x)
{
    for (size_t i = 0; i < count; i++)
        x[i] = t->values[codes[i]] * scale;
}
