#include "engine/ref/ref-private.h"

#include <math.h>

void ref_adamw(CgEngine *e, const CgAdamw *step, size_t count, float *w, const float *g, float *m,
               float *v)
{
    (void)e;
    double first = 1 - pow(step->beta1, (double)step->step);
    double second = 1 - pow(step->beta2, (double)step->step);
    for (size_t i = 0; i < count; i++) {
        double d = (double)g[i] * step->gradient_scale;
        double mean = step->beta1 * (double)m[i] + (1 - step->beta1) * d;
        double square = step->beta2 * (double)v[i] + (1 - step->beta2) * d * d;
        double decayed = (double)w[i] * (1 - step->rate * step->decay);
        m[i] = (float)mean;
        v[i] = (float)square;
        w[i] = (float)(decayed - step->rate * mean / first / (sqrt(square / second) + step->eps));
    }
}

double ref_square_sum(CgEngine *e, size_t count, const float *g)
{
    (void)e;
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += (double)g[i] * (double)g[i];
    return sum;
}
