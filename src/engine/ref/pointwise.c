#include "engine/ref/ref-private.h"

#include <math.h>

double ref_activation(CgActivation act, double x)
{
    switch (act) {
    case CG_ACT_SILU:
        return x / (1 + exp(-x));
    case CG_ACT_GELU:
        return x * 0.5 * erfc(-x * G_SQRT2 / 2); /* erfc: no cancellation for x << 0 */
    case CG_ACT_QUICK_GELU:
        return x / (1 + exp(-1.702 * x));
    case CG_ACT_RELU:
        return x < 0 ? 0 : x; /* NaN stays */
    case CG_ACT_SIGMOID:
        return 1 / (1 + exp(-x));
    case CG_ACT_NONE:
        break;
    }
    return x;
}

static double normal_density(double x)
{
    return exp(-x * x / 2) / sqrt(2 * G_PI);
}

double ref_activation_slope(CgActivation act, double x)
{
    double s; /* sigmoid */
    switch (act) {
    case CG_ACT_SILU:
        s = 1 / (1 + exp(-x));
        return s * (1 + x * (1 - s));
    case CG_ACT_GELU:
        return 0.5 * erfc(-x * G_SQRT2 / 2) + x * normal_density(x);
    case CG_ACT_QUICK_GELU:
        s = 1 / (1 + exp(-1.702 * x));
        return s * (1 + 1.702 * x * (1 - s));
    case CG_ACT_RELU:
        return x <= 0 ? 0 : x > 0 ? 1 : x; /* NaN stays */
    case CG_ACT_SIGMOID:
        s = 1 / (1 + exp(-x));
        return s * (1 - s);
    case CG_ACT_NONE:
        break;
    }
    return 1;
}

void ref_activate(CgEngine *e, CgActivation act, const CgTensor *x, CgTensor *y)
{
    (void)e;
    cg_check_same("activate", x, y);
    for (size_t i = 0; i < x->count; i++)
        ref_set(y->dtype, y->data, i, ref_activation(act, ref_get(x->dtype, x->data, i)));
}

void ref_geglu(CgEngine *e, const CgTensor *x, CgTensor *y)
{
    (void)e;
    cg_check_geglu(x, y);
    size_t c = ref_columns(y), rows = ref_rows(y);
    for (size_t r = 0; r < rows; r++)
        for (size_t i = 0; i < c; i++) {
            double value = ref_get(x->dtype, x->data, r * 2 * c + i);
            double gate = ref_get(x->dtype, x->data, r * 2 * c + c + i);
            ref_set(y->dtype, y->data, r * c + i, value * ref_activation(CG_ACT_GELU, gate));
        }
}

void ref_add(CgEngine *e, const CgTensor *a, const CgTensor *b, float scale, CgTensor *y)
{
    (void)e;
    cg_check_same("add", a, y);
    cg_check_same("add", b, y);
    for (size_t i = 0; i < y->count; i++)
        ref_set(y->dtype, y->data, i,
                ref_get(a->dtype, a->data, i) + (double)scale * ref_get(b->dtype, b->data, i));
}

void ref_add_channels(CgEngine *e, const CgTensor *x, const CgTensor *v, CgTensor *y)
{
    (void)e;
    cg_check_add_channels(x, v, y);
    size_t c = ref_columns(x), rows = ref_rows(x);
    for (size_t r = 0; r < rows; r++) {
        size_t sample = v->shape.d[0] == 1 ? 0 : r / (rows / (size_t)x->shape.d[0]);
        for (size_t i = 0; i < c; i++)
            ref_set(y->dtype, y->data, r * c + i,
                    ref_get(x->dtype, x->data, r * c + i) +
                        (double)cg_tensor_f32(v)[sample * c + i]);
    }
}

void ref_cast(CgEngine *e, const CgTensor *x, CgTensor *y)
{
    (void)e;
    cg_check_cast(x, y);
    for (size_t i = 0; i < x->count; i++)
        ref_set(y->dtype, y->data, i, ref_get(x->dtype, x->data, i));
}

void ref_scale(CgEngine *e, const CgTensor *x, float factor, CgTensor *y)
{
    (void)e;
    cg_check_same("scale", x, y);
    for (size_t i = 0; i < x->count; i++)
        ref_set(y->dtype, y->data, i, (double)factor * ref_get(x->dtype, x->data, i));
}

void ref_activate_backward(CgEngine *e, CgActivation act, const CgTensor *x, const CgTensor *dy,
                           CgTensor *dx)
{
    (void)e;
    cg_check_same("activate backward", x, dy);
    cg_check_same("activate backward", x, dx);
    for (size_t i = 0; i < x->count; i++)
        ref_set(dx->dtype, dx->data, i,
                ref_get(dy->dtype, dy->data, i) *
                    ref_activation_slope(act, ref_get(x->dtype, x->data, i)));
}

void ref_geglu_backward(CgEngine *e, const CgTensor *x, const CgTensor *dy, CgTensor *dx)
{
    (void)e;
    cg_check_geglu(x, dy);
    cg_check_same("geglu backward", x, dx);
    size_t c = ref_columns(dy), rows = ref_rows(dy);
    for (size_t r = 0; r < rows; r++)
        for (size_t i = 0; i < c; i++) {
            size_t value_at = r * 2 * c + i, gate_at = value_at + c;
            double value = ref_get(x->dtype, x->data, value_at);
            double gate = ref_get(x->dtype, x->data, gate_at);
            double d = ref_get(dy->dtype, dy->data, r * c + i);
            ref_set(dx->dtype, dx->data, value_at, d * ref_activation(CG_ACT_GELU, gate));
            ref_set(dx->dtype, dx->data, gate_at,
                    d * value * ref_activation_slope(CG_ACT_GELU, gate));
        }
}

void ref_add_channels_backward(CgEngine *e, const CgTensor *dy, CgTensor *dv)
{
    (void)e;
    cg_check_add_channels(dy, dv, dy);
    size_t c = ref_columns(dy), samples = (size_t)dv->shape.d[0];
    size_t rows = samples ? ref_rows(dy) / samples : 0;
    for (size_t n = 0; n < samples; n++)
        for (size_t i = 0; i < c; i++) {
            double sum = (double)cg_tensor_f32(dv)[n * c + i];
            for (size_t r = 0; r < rows; r++)
                sum += ref_get(dy->dtype, dy->data, (n * rows + r) * c + i);
            cg_tensor_f32(dv)[n * c + i] = (float)sum;
        }
}
