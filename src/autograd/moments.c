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

/* How many places from zero the value nearest to R in [0, 1] is. A bin has one middle at most. */
static int places(const CgMomentTable *t, float r)
{
    const guint32 half = upper_half(r);
    if (half < FIRST_BIN)
        return 0;
    const int below = t->first[half - FIRST_BIN];
    return below + (r > t->middles[below]);
}

void cg_moments_encode(const CgMomentTable *t, const float *x, size_t count, guint8 *codes,
                       float *scale)
{
    float most = 0;
    for (size_t i = 0; i < count; i++)
        most = fabsf(x[i]) > most ? fabsf(x[i]) : most;
    *scale = most;
    for (size_t i = 0; i < count; i++) {
        float r = most > 0 ? fabsf(x[i]) / most : 0;
        r = r <= 1 ? r : 1; /* what is not finite has a place too */
        int n = places(t, r);
        if (t->zero == 0)
            codes[i] = (guint8)(n == 0 && x[i] > 0 ? 1 : n);
        else /* there is no -1 */
            codes[i] = (guint8)(x[i] < 0 ? t->zero - MIN(n, t->zero) : t->zero + n);
    }
}

void cg_moments_decode(const CgMomentTable *t, const guint8 *codes, float scale, size_t count,
                       float *x)
{
    for (size_t i = 0; i < count; i++)
        x[i] = t->values[codes[i]] * scale;
}
