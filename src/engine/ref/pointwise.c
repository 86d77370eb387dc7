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
    case CG_ACT_NONE:
        break;
    }
    return x;
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
