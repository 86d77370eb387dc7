/* smooth: a moving average of noisy numbers.
 *
 * Exponentially weighted, and divided by the weight that the numbers so far have in all (the bias
 * correction of Adam, Kingma and Ba 2015, section 3): so the first value is the first number, and
 * not a tenth of it.
 *
 *     CgSmooth s = cg_smooth(0.99);
 *     double shown = cg_smooth_add(&s, loss);
 */
#ifndef CG_BASE_SMOOTH_H
#define CG_BASE_SMOOTH_H

#include <math.h>

typedef struct {
    double decay, sum, weight;
} CgSmooth;

/* DECAY in [0, 1): how much of the old is kept; the average is over about 1 / (1 - DECAY). */
static inline CgSmooth cg_smooth(double decay)
{
    return (CgSmooth){decay, 0, 0};
}

/* The average so far; NaN before the first number. */
static inline double cg_smooth_value(const CgSmooth *s)
{
    return s->weight > 0 ? s->sum / s->weight : NAN;
}

/* Takes X in (not finite: left out) and returns the average. */
static inline double cg_smooth_add(CgSmooth *s, double x)
{
    if (isfinite(x)) {
        s->sum = s->decay * s->sum + (1 - s->decay) * x;
        s->weight = s->decay * s->weight + (1 - s->decay);
    }
    return cg_smooth_value(s);
}

#endif
